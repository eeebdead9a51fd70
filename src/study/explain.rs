//! Why a peer is as it is: the chain of decisions behind its state at one instant.
//!
//! A pure watcher of a run's decisions. A *chapter* begins where a peer that was left in peace no longer is (its refresh
//! falls due, its connection is lost, it joins) and ends when it is valid with nothing owed. The chain is the chapter that
//! holds at the instant asked for: the peer's own decisions, what its front ends went through meanwhile, and for each
//! wait in a queue those who were asked about before it. Jobs that no decision tells of (accepts and flights of handshakes)
//! are not seen.

mod chain;
mod queue;
pub mod told;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::measure::{Decision, What};
use crate::policy::Act;
use crate::report::moment::place_of;
use crate::scenario::Plan;
use crate::sim::Watch;
use crate::time::{Span, Time};
use crate::validate::Transport;

pub use chain::{Chain, Link, Shown};
use queue::Serving;
pub use queue::Wait;

/// How a peer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It has not joined, or has left.
    Away,
    /// It is there and has not tried to connect.
    Idle,
    /// A try is under way.
    Tries,
    /// Its last try failed, or it heard of a loss; the next try has not begun.
    BetweenTries,
    /// Its next try waits for those of others.
    Held,
    /// It has stopped trying for good.
    Stopped,
    /// A worker has put the question about it.
    Judged,
    /// Its validation waits for a look-up.
    LooksUp,
    /// Valid, with nothing owed.
    Valid,
    /// Valid; its refresh is due and stands in the queue.
    Due,
    /// Valid; its refresh is due and waits for its turn.
    InLine,
}

/// What there is to say of a peer at an instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// Position of the peer.
    pub who: u32,
    /// The instant.
    pub at: Time,
    /// How it is.
    pub state: State,
    /// Since when.
    pub since: Time,
    /// The front end at which it stands, if at any.
    pub place: Option<u16>,
    /// Whether it has a valid connection.
    pub connected: bool,
    /// What led to it.
    pub chain: Chain,
    /// The queue in which it stands at that instant; it is followed to its end.
    pub waits: Option<Wait>,
    /// The peer's next decision.
    pub next: Option<Decision>,
    /// What ends the chapter.
    pub end: Option<Decision>,
    /// The peer's longest time without a valid connection in the whole run, and whether it ended.
    pub longest: Option<(Time, Span, bool)>,
}

/// What is known of a front end.
#[derive(Clone, Debug, Default)]
struct Host {
    tick: Option<Decision>,
    /// The last question whose answer was a fault.
    fault: Option<Decision>,
    /// The last change of its life.
    life: Option<Decision>,
    serving: Serving,
}

/// Watches a run for one peer.
pub struct Explaining<'a> {
    inner: &'a mut dyn Watch,
    /// Where each group begins.
    firsts: Vec<u32>,
    hosts: Vec<Host>,
    /// Whether ticks of the plan put this peer's refresh into the queue themselves.
    by_runs: bool,
    /// Who fetches what, by front end and look-up.
    fetches: BTreeMap<(u16, u8), Decision>,
    pool_fell: Option<Decision>,
    /// Whether a chapter is on.
    is_open: bool,
    /// Since when the peer has no valid connection.
    out_since: Option<Time>,
    told: Explanation,
}

impl<'a> Explaining<'a> {
    /// The peer in row `who` at `at`, in a run of `plan` that `inner` may stop.
    pub fn new(plan: &Plan, who: u32, at: Time, inner: &'a mut dyn Watch) -> Explaining<'a> {
        let mut firsts = Vec::with_capacity(plan.groups.len());
        let mut first = 0;
        let mut group = None;
        for of in &plan.groups {
            firsts.push(first);
            if (first..first + of.peers()).contains(&who) {
                group = Some(of);
            }
            first += of.peers();
        }
        let by_runs = plan.refresh.as_ref().zip(group).is_some_and(|(policy, group)| {
            let is_refreshed = if group.transport == Transport::Tcp { policy.tcp } else { policy.tls };
            is_refreshed && policy.act == Act::Revalidate && policy.spread == Span::ZERO && policy.limit.is_none()
        });
        let is_there = group.is_some_and(|group| group.present);
        let host = |workers: u32| Host { serving: Serving::new(workers), ..Host::default() };
        Explaining {
            inner,
            firsts,
            hosts: plan.front_ends.iter().map(|front_end| host(front_end.workers)).collect(),
            by_runs,
            fetches: BTreeMap::new(),
            pool_fell: None,
            is_open: false,
            out_since: is_there.then_some(Time::ZERO),
            told: Explanation {
                who,
                at,
                state: if is_there { State::Idle } else { State::Away },
                since: Time::ZERO,
                place: None,
                connected: false,
                chain: Chain::default(),
                waits: None,
                next: None,
                end: None,
                longest: None,
            },
        }
    }

    /// What there is to say when the run has ended at `end`.
    pub fn finish(mut self, end: Time) -> Explanation {
        self.back(end, false);
        self.told.chain.sort();
        self.told
    }

    /// The peer has a valid connection again, or the run ends.
    fn back(&mut self, at: Time, ended: bool) {
        if let Some(since) = self.out_since.take() {
            let length = at.since(since);
            if length > self.told.longest.map_or(Span::ZERO, |longest| longest.1) {
                self.told.longest = Some((since, length, ended));
            }
        }
    }

    fn host(&mut self, place: u16) -> Option<&mut Host> {
        self.hosts.get_mut(usize::from(place))
    }

    fn is_past(&self, at: Time) -> bool {
        at > self.told.at
    }

    /// The peer stands at this front end, and what becomes of that is its own affair.
    fn stands_at(&self, place: u16) -> bool {
        self.told.place == Some(place) && !matches!(self.told.state, State::Away | State::Stopped)
    }

    fn of_front_end(&mut self, decision: &Decision) {
        let Ok(place) = u16::try_from(decision.who) else { return };
        let is_past = self.is_past(decision.at);
        let stands = self.stands_at(place);
        let (own, by_runs) = (self.told.who, self.by_runs);
        let Some(host) = self.hosts.get_mut(usize::from(place)) else { return };
        match decision.what {
            What::Tick => {
                host.tick = Some(*decision);
                let serving = host.serving.now();
                if !is_past && by_runs && stands && self.told.state == State::Valid {
                    self.open();
                    self.push(Shown::Decision(*decision), decision.at);
                    self.told.waits = Some(Wait::new(place, decision.at, true, serving));
                    self.becomes(State::Due, decision.at);
                }
                return;
            }
            What::PoolFalls => self.pool_fell = Some(*decision),
            What::Crash | What::Stop => {
                host.serving.clear();
                host.life = Some(*decision);
                let fault = host.fault.filter(|fault| fault.at == decision.at && decision.what == What::Crash);
                let tick = host.tick.filter(|_| fault.is_some_and(|fault| fault.extra >> 15 == 1));
                self.fetches.retain(|(at, _), _| *at != place);
                if is_past || !stands {
                    return;
                }
                if !self.is_open {
                    self.open();
                    if let Some(tick) = tick {
                        self.push(Shown::Decision(tick), tick.at);
                    }
                }
                if let Some(fault) = fault.filter(|fault| fault.who != own) {
                    self.push(Shown::Decision(fault), fault.at);
                }
                if let Some(fell) = self.pool_fell.filter(|fell| fell.at == decision.at && fell.who != decision.who) {
                    self.push(Shown::Decision(fell), fell.at);
                }
                self.push(Shown::Decision(*decision), decision.at);
                return;
            }
            _ => host.life = Some(*decision),
        }
        if !is_past && self.is_open && self.told.chain.is_about(place) {
            self.push(Shown::Decision(*decision), decision.at);
        }
    }

    /// A new chapter.
    fn open(&mut self) {
        self.is_open = true;
        self.told.chain = Chain::default();
    }

    fn push(&mut self, shown: Shown, at: Time) {
        self.told.chain.push(Link { at, shown });
    }

    fn becomes(&mut self, state: State, at: Time) {
        self.told.state = state;
        self.told.since = at;
    }

    /// Somebody else's question, request or end.
    fn of_other(&mut self, decision: &Decision) {
        let Some(place) = place_of(decision) else { return };
        let group = self.firsts.partition_point(|first| *first <= decision.who).saturating_sub(1);
        let is_past = self.is_past(decision.at);
        if let Some(wait) = self.told.waits.as_mut().filter(|wait| wait.front_end == place) {
            wait.other(decision, group, is_past);
        }
        if decision.what == What::LookUp && decision.detail.is_multiple_of(4) {
            self.fetches.insert((place, decision.detail / 4), *decision);
        }
        if let Some(host) = self.host(place) {
            if decision.what == What::Asked && decision.detail == 1 {
                host.fault = Some(*decision);
            }
            host.serving.see(decision);
        }
    }

    /// The peer's own decision, at or before the instant.
    fn of_peer(&mut self, decision: &Decision) {
        let Decision { at, what, detail, .. } = *decision;
        let Some(place) = place_of(decision) else { return };
        if matches!(what, What::RequestTaken) || what == What::Dropped && detail == 4 {
            return;
        }
        let fault = Some(*decision).filter(|_| what == What::Asked && detail == 1);
        if let Some(host) = self.host(place) {
            host.fault = fault.or(host.fault);
            host.serving.see(decision);
        }
        if what == What::Asked && decision.extra >> 15 == 0 && self.has_left_its_try(place) {
            if self.is_open {
                self.push(Shown::Stale(*decision), at);
            }
            return;
        }
        let is_quiet = matches!(what, What::Certificate | What::OldCut | What::Skipped | What::NoEffect);
        if !self.is_open && !is_quiet {
            self.open();
        }
        self.wait_ends(decision, place);
        let shown = match what {
            // That it was due, the chain has already; that the wait was in vain, the wait says.
            What::Due if detail == 1 => None,
            What::Refused if detail == 0 => Some(self.with_life(decision, place)),
            What::Silence if detail == 0 => Some(self.with_life(decision, place)),
            What::LookUp if detail % 4 == 2 => {
                let fetch = self.fetches.get(&(place, detail / 4)).copied();
                Some(Shown::Joins { own: *decision, fetch })
            }
            _ => Some(Shown::Decision(*decision)),
        };
        // A certificate that changes in peace is no part of what comes later.
        if let Some(shown) = shown.filter(|_| self.is_open) {
            self.push(shown, at);
        }
        self.moves(decision, place);
    }

    /// Whether a question at this front end is about a try that the peer has given up.
    fn has_left_its_try(&self, place: u16) -> bool {
        let tries = matches!(self.told.state, State::Tries | State::Judged | State::LooksUp);
        !tries || self.told.place != Some(place)
    }

    /// What a front end's silence is about: that it is down, since when.
    fn with_life(&self, decision: &Decision, place: u16) -> Shown {
        let life = self.hosts.get(usize::from(place)).and_then(|host| host.life);
        match life.filter(|life| life.what != What::ServiceStart && !self.told.chain.tells(life)) {
            Some(life) => Shown::Down { own: *decision, life },
            None => Shown::Decision(*decision),
        }
    }

    /// A wait in a queue ends with the question, or with whatever makes it in vain.
    fn wait_ends(&mut self, decision: &Decision, place: u16) {
        let ends = match decision.what {
            What::Asked => self.told.waits.as_ref().is_some_and(|wait| wait.front_end == place),
            What::Refused | What::GaveUp | What::Lost | What::Leave | What::Limit | What::Dropped => true,
            What::Due => decision.detail == 1,
            _ => false,
        };
        if !ends {
            return;
        }
        if let Some(mut wait) = self.told.waits.take() {
            wait.until = Some(decision.at);
            wait.is_asked = decision.what == What::Asked;
            // A try that never came to the queue has not waited in it.
            if wait.is_refresh || wait.is_asked || wait.before > 0 && decision.what != What::Refused {
                self.push(Shown::Wait(wait), decision.at);
            }
        }
    }

    /// The next state.
    fn moves(&mut self, decision: &Decision, place: u16) {
        let Decision { at, what, detail, .. } = *decision;
        let stays = self.told.connected;
        match what {
            What::Join => {
                self.becomes(State::Idle, at);
                self.told.connected = false;
            }
            What::Leave => {
                self.told.connected = false;
                self.told.place = None;
                self.becomes(State::Away, at);
                self.is_open = false;
                return;
            }
            What::Attempt => self.tries(at, place),
            What::Due | What::Turn => match detail {
                0 => {
                    let serving = self.hosts.get(usize::from(place)).map_or_else(Vec::new, |host| host.serving.now());
                    self.told.waits.get_or_insert_with(|| Wait::new(place, at, true, serving));
                    self.becomes(State::Due, at);
                }
                2 | 3 => {
                    self.told.connected = detail == 3;
                    self.tries(at, place);
                }
                4 => self.becomes(State::InLine, at),
                _ => {}
            },
            What::Asked => {
                self.becomes(State::Judged, at);
                if detail >= 16 && decision.extra >> 15 == 0 && !stays {
                    // That it is rejected it learns in silence; what follows is its next try.
                    self.becomes(State::BetweenTries, at);
                }
            }
            What::LookUp if matches!(detail % 4, 0 | 2) => self.becomes(State::LooksUp, at),
            What::LookedUp => self.becomes(State::Judged, at),
            What::Valid => {
                self.told.connected = true;
                self.becomes(State::Valid, at);
                self.is_open = false;
            }
            What::Closed if stays && detail != 5 => {
                self.becomes(State::Valid, at);
                self.is_open = false;
            }
            What::Lost => {
                self.told.connected = false;
                self.becomes(State::BetweenTries, at);
            }
            What::Refused | What::GaveUp | What::NoPort | What::Withheld => self.becomes(State::BetweenTries, at),
            What::Dropped | What::Limit if !stays => self.becomes(State::BetweenTries, at),
            What::Held => self.becomes(State::Held, at),
            What::Stops => self.becomes(State::Stopped, at),
            _ => {}
        }
        if !matches!(what, What::Certificate | What::OldCut | What::Skipped) {
            self.told.place = Some(place);
        }
    }

    fn tries(&mut self, at: Time, place: u16) {
        self.told.waits = Some(Wait::new(place, at, false, Vec::new()));
        self.becomes(State::Tries, at);
    }

    /// The peer's own decision, after the instant.
    fn comes_later(&mut self, decision: &Decision) {
        let Decision { at, what, detail, .. } = *decision;
        if matches!(what, What::RequestDue | What::RequestTaken | What::RequestAnswered | What::RequestFailed) {
            return;
        }
        if let Some(wait) = self.told.waits.as_mut().filter(|wait| wait.until.is_none()) {
            let same = place_of(decision) == Some(wait.front_end);
            let over =
                matches!(what, What::Lost | What::GaveUp | What::Refused | What::Leave | What::Attempt | What::Limit)
                    || what == What::Due && detail == 1;
            if what == What::Asked && same || over {
                wait.until = Some(at);
                wait.is_asked = what == What::Asked;
            }
        }
        if self.told.next.is_none_or(|next| at < next.at) {
            self.told.next = Some(*decision);
        }
        let ends =
            matches!(what, What::Valid | What::Leave | What::Stops) || what == What::Closed && self.told.connected;
        if ends && self.is_open && self.told.end.is_none() {
            self.told.end = Some(*decision);
        }
    }

    /// Times without a valid connection, in the whole run.
    fn counts_outage(&mut self, decision: &Decision) {
        match decision.what {
            What::Join | What::Lost => self.out_since = self.out_since.or(Some(decision.at)),
            What::Due | What::Turn if decision.detail == 2 => self.out_since = self.out_since.or(Some(decision.at)),
            What::Valid => self.back(decision.at, true),
            What::Leave => self.out_since = None,
            _ => {}
        }
    }
}

impl Watch for Explaining<'_> {
    fn progress(&mut self, at: Time, steps: u64) -> ControlFlow<()> {
        self.inner.progress(at, steps)
    }

    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        if decision.what.is_of_front_end() {
            self.of_front_end(decision);
        } else if decision.who != self.told.who {
            self.of_other(decision);
        } else {
            self.counts_outage(decision);
            if self.is_past(decision.at) { self.comes_later(decision) } else { self.of_peer(decision) }
        }
    }
}
