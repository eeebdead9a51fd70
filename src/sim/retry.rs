//! How long peers wait: time-outs of steps, back-offs, budgets and paces (model rule 14).
//!
//! What only some policies need of a peer is in [`Aside`], beside its row and there only if the plan asks for it. Knows
//! how a peer comes back; what it meets is `connection`'s.

use std::collections::{BTreeMap, VecDeque};

use crate::frontend::{Port, Row, Step, Wake};
use crate::measure::{Counter, What};
use crate::policy::{CountedFrom, Initiator, Next, Pace, Scope, Tokens};
use crate::rng::{Purpose, When};
use crate::scenario::plan::Plan;
use crate::time::{Span, Time};

use super::engine::Run;

/// A step of an attempt at the peer: the detail of [`What::GaveUp`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Waits {
    Connect = 2,
    Flight = 3,
    Answer = 4,
}

/// How far an attempt is in what its group rations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pass {
    /// Not asked yet.
    None,
    /// It has had its turn in the pace.
    Paced,
    /// It is counted as under way.
    Admitted,
}

/// What only some policies need of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Aside {
    /// When the present step of its attempt takes too long.
    step_deadline: Time,
    /// When the attempt as a whole does, where that follows from its waits.
    attempt_deadline: Time,
    /// When it sent the first SYN since its last loss.
    pub(super) first_syn: Time,
    /// When the present round of its list began.
    round_started: Time,
    /// Since when it is valid, or was.
    pub(super) up_since: Time,
    /// When the SYN of its present attempt arrived.
    pub(super) arrived: Time,
    /// Cycle and episode in which the count of failures began: its waits are drawn by these.
    counts_from: (u32, u16),
    /// Rounds that failed, and connections that were lost too early, in a row.
    failures: u16,
    /// Its last connection was lost too early: that is one more failure.
    lost_early: bool,
    waits: Waits,
    pass: Pass,
    /// Whether it counts as an attempt in flight.
    counted: bool,
}

const _: () = assert!(size_of::<Aside>() <= 64, "what only some policies need doubles a peer, no more");

impl Aside {
    /// When the peer gives up, whose attempt as a whole takes until `whole` unless its time-out `stretches`.
    #[inline]
    pub(super) fn deadline(&self, whole: Time, stretches: bool) -> Time {
        self.step_deadline.min(if stretches { self.attempt_deadline } else { whole })
    }
}

const NOTHING: Aside = Aside {
    step_deadline: Time::NEVER,
    attempt_deadline: Time::NEVER,
    first_syn: Time::NEVER,
    round_started: Time::NEVER,
    up_since: Time::NEVER,
    arrived: Time::NEVER,
    counts_from: (0, 0),
    failures: 0,
    lost_early: false,
    waits: Waits::Connect,
    pass: Pass::None,
    counted: false,
};

/// What the peers of one group share, at one front end or at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Ration {
    tokens: Tokens,
    pace: Pace,
    in_flight: u32,
    /// Rows that wait for an attempt to end, with their generation then.
    line: VecDeque<(u32, u16)>,
}

/// Rations by group and front end; made when first asked for.
pub(super) type Rations = BTreeMap<(u16, u16), Ration>;

/// The place of what a group shares at all front ends.
const EVERYWHERE: u16 = u16::MAX;

/// A row each if any policy of the plan needs it, else none.
pub(super) fn asides(plan: &Plan) -> Vec<Aside> {
    let of_group = plan.groups.iter().any(|group| {
        let reconnect = &group.reconnect;
        !group.timeouts.is_none()
            || reconnect.counted_from == CountedFrom::Start
            || reconnect.reset_after > Span::ZERO
            || reconnect.stretch_attempt
            || reconnect.is_rationed()
    });
    let needed = of_group || plan.front_ends.iter().any(|front_end| !front_end.limits.is_none());
    vec![NOTHING; if needed { plan.peers() as usize } else { 0 }]
}

impl Run<'_> {
    /// The peer sends a SYN at `sent`: what is kept of that.
    #[inline]
    pub(super) fn aside_of_syn(&mut self, sent: Time, who: u32, group: usize) {
        if !self.asides.is_empty() {
            self.keep_syn(sent, who, group);
        }
    }

    /// The peer makes a try, or would if it had a port: what is counted from there.
    pub(super) fn aside_of_try(&mut self, now: Time, who: u32, group: usize) {
        let (attempt, round) = (self.rows[who as usize].attempt, self.round(group));
        let Some(aside) = self.asides.get_mut(who as usize) else { return };
        // Of the try before: one that there is not, for want of a port, cannot be given up.
        (aside.step_deadline, aside.attempt_deadline) = (Time::NEVER, Time::NEVER);
        if attempt == 0 {
            aside.first_syn = now;
        }
        // Beyond what is counted each attempt is a round of its own, as in `Reconnect::after_failure`: a start that stays
        // behind would leave no wait at all.
        if attempt == u16::MAX || attempt.is_multiple_of(round) {
            aside.round_started = now;
        }
    }

    fn keep_syn(&mut self, sent: Time, who: u32, group: usize) {
        let row = self.rows[who as usize];
        let stretched = self.stretched_timeout(who, group, &row);
        let connect = self.connect_timeout(who, group);
        self.aside_of_try(sent, who, group);
        let Some(aside) = self.asides.get_mut(who as usize) else { return };
        aside.arrived = Time::NEVER;
        aside.attempt_deadline = stretched.map_or(Time::NEVER, |timeout| sent + timeout);
        let stretches = aside.attempt_deadline;
        self.step_starts(sent, who, Waits::Connect, connect);
        if row.step() == Step::FlightSent {
            // The front end counts the peer among its own: only a crash can keep the SYN from being answered.
            let rtt = self.rtt(who, group);
            self.peer_hears_syn_ack(sent + rtt, who, group);
        }
        if stretches != Time::NEVER {
            self.world.wake(stretches, who, Wake::AttemptTimer);
        }
    }

    /// How long the peer waits for the answer to the SYN of its present attempt.
    fn connect_timeout(&self, who: u32, group: usize) -> Option<Span> {
        let (row, of) = (&self.rows[who as usize], &self.groups[group]);
        let bits = || self.world.draws.draw(of.identity_of(who), Purpose::BackoffJitter, row.when(), 1);
        of.timeouts.of_connect(self.failures(who, group, row), bits)
    }

    /// How long an attempt may take, where its group lets that grow with the waits.
    fn stretched_timeout(&self, who: u32, group: usize, row: &Row) -> Option<Span> {
        let of = &self.groups[group];
        let timeout = of.attempt_timeout.filter(|_| of.reconnect.stretch_attempt)?;
        Some(timeout.max(self.wait(who, group, self.failures(who, group, row))))
    }

    /// The peer waits from `at` on, in steps of its own; a time-out of none is for ever.
    fn step_starts(&mut self, at: Time, who: u32, waits: Waits, timeout: Option<Span>) {
        let Some(aside) = self.asides.get_mut(who as usize) else { return };
        aside.waits = waits;
        aside.step_deadline = timeout.map_or(Time::NEVER, |timeout| at + timeout);
        let deadline = aside.step_deadline;
        self.world.wake(deadline, who, Wake::AttemptTimer);
    }

    /// The answer to its SYN reaches the peer at `at`, unless it gives up before; it sends its first flight, or its
    /// message, in that instant.
    pub(super) fn peer_hears_syn_ack(&mut self, at: Time, who: u32, group: usize) {
        self.answer_reaches_peer(at, at, who, group);
    }

    /// A server flight goes out at `now`, which the peer answers after computing for `thinks`.
    #[inline]
    pub(super) fn flight_answered(&mut self, now: Time, thinks: Span, who: u32, group: usize) {
        if !self.asides.is_empty() {
            let flight = self.rows[who as usize].flight() as u16;
            let heard = self.trip(who, group).hears_flight(now, flight);
            self.answer_reaches_peer(heard, heard + thinks, who, group);
        }
    }

    /// An answer of the front end reaches the peer at `at`, unless it gives up before; it sends what follows at `sent`.
    fn answer_reaches_peer(&mut self, at: Time, sent: Time, who: u32, group: usize) {
        if self.asides.get(who as usize).is_none_or(|aside| at > aside.step_deadline) {
            return;
        }
        let of = &self.groups[group];
        let row = &self.rows[who as usize];
        let (waits, timeout) = if row.flight() < of.round_trips(row) {
            (Waits::Flight, of.timeouts.flight)
        } else {
            (Waits::Answer, of.timeouts.answer)
        };
        self.step_starts(sent, who, waits, timeout);
    }

    /// A SYN that the peer had reason to count on is still under way, and its front end is gone.
    pub(super) fn waits_for_syn_ack(&mut self, who: u32, group: usize) {
        let started = self.rows[who as usize].started;
        self.step_starts(started, who, Waits::Connect, self.connect_timeout(who, group));
    }

    /// Which of the peer's time-outs is over at `now`: the detail of its decision to give up.
    pub(super) fn timed_out(&self, now: Time, who: u32) -> u8 {
        self.asides.get(who as usize).filter(|aside| aside.step_deadline == now).map_or(0, |aside| aside.waits as u8)
    }

    /// Rounds that failed in a row before the present one.
    fn failures(&self, who: u32, group: usize, row: &Row) -> u16 {
        let of = &self.groups[group];
        match self.asides.get(who as usize) {
            Some(aside) if of.reconnect.reset_after > Span::ZERO => aside.failures,
            _ => row.attempt / self.round(group),
        }
    }

    /// The wait after so many failed rounds before this one.
    fn wait(&self, who: u32, group: usize, failures: u16) -> Span {
        let (row, of, draws) = (&self.rows[who as usize], &self.groups[group], &self.world.draws);
        let Some(backoff) = &of.reconnect.backoff else {
            // A loss that counts as a failure comes before attempt 0, whose own wait has index 0.
            let early = self.asides.get(who as usize).is_some_and(|aside| aside.lost_early);
            let index = if early { 2 } else { 0 };
            return of.sample(&of.reconnect.delay, draws, who, Purpose::ReconnectDelay, row.when(), index);
        };
        let (cycle, episode) = match self.asides.get(who as usize) {
            Some(aside) if of.reconnect.reset_after > Span::ZERO => aside.counts_from,
            _ => (row.cycle(), row.episode),
        };
        let identity = of.identity_of(who);
        let base = || draws.draw(identity, Purpose::BackoffBase, When::default(), 0);
        let bits = |k: u16| {
            let when = When { cycle, episode, attempt: u32::from(k) };
            draws.draw(identity, Purpose::BackoffJitter, when, 0)
        };
        backoff.wait(failures, base, bits)
    }

    /// An attempt at a front end has failed, or was not made: how long the peer waits before the next one. `None`: it
    /// stops for good.
    pub(super) fn wait_after_failure(&mut self, now: Time, who: u32, group: usize, at_least: Span) -> Option<Span> {
        let row = self.rows[who as usize];
        let of = &self.groups[group];
        let failures = self.failures(who, group, &row);
        let next = of.reconnect.after_failure(row.attempt, self.round(group), || self.wait(who, group, failures));
        let mut wait = match next {
            Next::AtOnce => Span::ZERO,
            Next::After(wait) => wait,
        };
        if let Some(aside) = self.asides.get_mut(who as usize) {
            if next != Next::AtOnce {
                aside.failures = aside.failures.saturating_add(1);
            }
            if of.reconnect.counted_from == CountedFrom::Start && aside.round_started <= now {
                wait = Span(wait.0.saturating_sub(now.since(aside.round_started).0));
            }
        }
        let wait = wait.max(at_least);
        let since_loss = (now + wait).since(row.since);
        // It counts from a loss: whose old connection serves has lost nothing.
        let gives_up = of.reconnect.gives_up(row.attempt, since_loss) && !self.is_making(who);
        (!gives_up).then_some(wait)
    }

    /// The peer stops trying for good.
    pub(super) fn stop_trying(&mut self, now: Time, who: u32, group: usize) {
        let row = &mut self.rows[who as usize];
        row.set_step(Step::BackOff);
        row.next = Time::NEVER;
        self.world.count(self.groups[group].cell, Counter::Stopped, 1);
        self.decide(now, who, What::Stops, 0);
    }

    /// The connection of a peer ends, at the peer by `planned` or unplanned: whether it was up long enough to forget
    /// earlier failures. The row has its new cycle and episode already.
    pub(super) fn aside_of_end(&mut self, now: Time, who: u32, group: usize, planned: bool) {
        let Some(aside) = self.asides.get_mut(who as usize) else { return };
        let (row, reset_after) = (&self.rows[who as usize], self.groups[group].reconnect.reset_after);
        if reset_after == Span::ZERO {
            return;
        }
        let forgets = now.since(aside.up_since) >= reset_after;
        if forgets {
            (aside.failures, aside.counts_from) = (0, (row.cycle(), row.episode));
        }
        aside.lost_early = !forgets && !planned;
    }

    /// The wait after a loss that counts as a failure; `None`: the loss is an ordinary one.
    pub(super) fn wait_after_early_loss(&mut self, who: u32, group: usize) -> Option<Span> {
        let aside = self.asides.get(who as usize).filter(|aside| aside.lost_early)?;
        let wait = self.wait(who, group, aside.failures);
        let aside = self.asides.get_mut(who as usize)?;
        aside.lost_early = false;
        aside.failures = aside.failures.saturating_add(1);
        Some(wait)
    }

    /// A peer that arrives has no past.
    pub(super) fn aside_of_arrival(&mut self, who: u32) {
        let row = &self.rows[who as usize];
        if let Some(aside) = self.asides.get_mut(who as usize) {
            *aside = Aside { counts_from: (row.cycle(), row.episode), ..NOTHING };
        }
    }

    /// How many attempts make a round: behind a middlebox all front ends are one to a peer.
    fn round(&self, group: usize) -> u16 {
        if self.in_between(group).is_some() { 1 } else { (self.groups[group].front_ends.len() as u16).max(1) }
    }

    fn ration(&mut self, group: usize, place: u16) -> &mut Ration {
        let place = if self.in_between(group).is_some() { EVERYWHERE } else { place };
        self.rations.entry((group as u16, place)).or_default()
    }

    /// Whether an attempt that is due now may be made now. If not, the peer waits: for its turn, for another attempt to
    /// end, or as after a failure.
    pub(super) fn may_try(&mut self, now: Time, who: u32, group: usize) -> bool {
        let row = self.rows[who as usize];
        let (budget, limit) = (self.groups[group].reconnect.budget, self.groups[group].reconnect.limit);
        let Some(aside) = self.asides.get_mut(who as usize) else { return true };
        let pass = std::mem::replace(&mut aside.pass, Pass::None);
        if pass == Pass::None {
            if let Some(budget) = budget {
                let place = if budget.scope == Scope::Group { EVERYWHERE } else { row.place() };
                let tokens = &mut self.ration(group, place).tokens;
                if row.attempt == 0 {
                    tokens.first(&budget, now);
                } else if !tokens.retry(&budget, now) {
                    self.world.count(self.groups[group].cell, Counter::Withheld, 1);
                    self.decide(now, who, What::Withheld, 0);
                    self.go_on_after_failure(now, who, group, budget.patience());
                    return false;
                }
            }
            if let Some(rate) = limit.rate {
                let turn = self.ration(group, row.place()).pace.turn(rate, now);
                if turn > now {
                    self.hold(now, who, group, turn, Pass::Paced);
                    return false;
                }
            }
        }
        if let Some(most) = limit.in_flight.filter(|_| pass != Pass::Admitted) {
            let ration = self.ration(group, row.place());
            if ration.in_flight >= most {
                ration.line.push_back((who, row.generation));
                self.hold(now, who, group, Time::NEVER, Pass::None);
                return false;
            }
            ration.in_flight += 1;
            self.asides[who as usize].counted = true;
        }
        true
    }

    /// An attempt waits until `until`, or until another one ends.
    fn hold(&mut self, now: Time, who: u32, group: usize, until: Time, pass: Pass) {
        self.asides[who as usize].pass = pass;
        let row = &mut self.rows[who as usize];
        row.set_step(Step::BackOff);
        row.next = until;
        self.world.wake(until, who, Wake::BackOff);
        self.world.count(self.groups[group].cell, Counter::Held, 1);
        self.decide(now, who, What::Held, u8::from(until == Time::NEVER));
    }

    /// An attempt that waited for others is not made any more: what it was let do is nobody's.
    pub(super) fn attempt_is_void(&mut self, who: u32) {
        if let Some(aside) = self.asides.get_mut(who as usize) {
            aside.pass = Pass::None;
        }
    }

    /// An attempt is no longer in flight, whatever came of it: the next one that waits for that may begin.
    pub(super) fn attempt_over(&mut self, now: Time, who: u32, group: usize) {
        let Some(aside) = self.asides.get_mut(who as usize) else { return };
        if !std::mem::take(&mut aside.counted) {
            return;
        }
        let place = self.rows[who as usize].place();
        self.ration(group, place).in_flight -= 1;
        while let Some((next, generation)) = self.ration(group, place).line.pop_front() {
            let row = &mut self.rows[next as usize];
            // Who has left meanwhile has another generation.
            if row.generation == generation && row.step() == Step::BackOff {
                row.next = now;
                let aside = &mut self.asides[next as usize];
                (aside.counted, aside.pass) = (true, Pass::Admitted);
                self.ration(group, place).in_flight += 1;
                return self.world.wake(now, next, Wake::BackOff);
            }
        }
    }

    /// A connection ends in order to be made anew; its SYN may have to wait, or may be refused: then it is a step of its
    /// own.
    #[inline]
    pub(super) fn break_first(&mut self, now: Time, who: u32, group: usize, initiator: Initiator) {
        if self.asides.is_empty() {
            if let Some(learned) = self.visit(now, who, group).break_first(initiator) {
                self.syn_after_break(now, learned, who, group, initiator);
            }
        } else {
            self.break_and_ask(now, who, group, initiator);
        }
    }

    fn break_and_ask(&mut self, now: Time, who: u32, group: usize, initiator: Initiator) {
        let learned = self.visit(now, who, group).end_as_planned(initiator);
        self.aside_of_end(now, who, group, true);
        let place = usize::from(self.rows[who as usize].place());
        if !self.groups[group].reconnect.is_rationed() && !self.front_ends[place].watches_arrivals {
            if !self.visit(now, who, group).goes_direct() {
                return self.syn_after_break(now, learned, who, group, initiator);
            }
            self.visit(now, who, group).syn_to_own_front_end(learned);
            return self.aside_of_syn(learned, who, group);
        }
        self.front_ends[place].members.remove(who);
        if initiator == Initiator::Peer {
            self.gives_port_back(now, who, group, true);
        }
        if initiator == Initiator::Peer {
            self.abandon(now, who, group, false);
        }
        self.attempt_after(now, who, group, learned.since(now));
    }
}
