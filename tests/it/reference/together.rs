//! What the peers of a group share when they come back: a budget of retries, a pace, a bound on attempts in flight
//! (rule 14).

use std::collections::BTreeMap;

use refresh_sim::measure::{Counter, What};
use refresh_sim::policy::{Budget, Rate, Scope};
use refresh_sim::time::{Span, Time};

use super::agenda::{Class, Step};
use super::world::World;

/// `Held`'s details.
const FOR_ITS_TURN: u8 = 0;
const FOR_ANOTHER_TO_END: u8 = 1;

/// A window is forgotten part by part.
const PARTS: u64 = 10;

/// What one group shares at one front end (`None`: at all of them).
#[derive(Default)]
pub(super) struct Shared {
    /// First attempts, and retries that were granted.
    first: Vec<Time>,
    retries: Vec<Time>,
    /// The earliest that the next turn of its pace may be.
    next_turn: Time,
    /// Peers whose attempt is under way, and those that wait for one of them to end.
    in_flight: Vec<usize>,
    waiting: Vec<usize>,
}

pub(super) type Together = BTreeMap<(usize, Option<usize>), Shared>;

/// How far an attempt that is due has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Pass {
    #[default]
    Nothing,
    /// It has had its turn in the pace.
    HadItsTurn,
    /// One that was in flight has ended, and it is in its place.
    InFlight,
}

/// Whole tenths of the window since the beginning of the run.
fn part(budget: &Budget, at: Time) -> u64 {
    at.0 / tenth(budget).0
}

fn tenth(budget: &Budget) -> Span {
    Span((budget.window.0 / PARTS).max(1))
}

/// One turn after another.
fn interval(rate: Rate) -> Span {
    Span(rate.per.0.div_ceil(u64::from(rate.count)))
}

impl World<'_> {
    /// Whether a peer's attempts are bound together with those of others.
    pub(super) fn is_bound(&self, peer: usize) -> bool {
        let reconnect = &self.group(peer).reconnect;
        reconnect.budget.is_some() || reconnect.limit.rate.is_some() || reconnect.limit.in_flight.is_some()
    }

    /// Of attempts at the front end where a peer stands: to one behind a middlebox all are one.
    fn shared(&mut self, peer: usize) -> &mut Shared {
        let place = if self.is_behind_middlebox(peer) { None } else { Some(self.front_end_of(peer)) };
        let group = self.peers[peer].group;
        self.together.entry((group, place)).or_default()
    }

    fn of_budget(&mut self, peer: usize, budget: &Budget) -> &mut Shared {
        let group = self.peers[peer].group;
        match budget.scope {
            Scope::Group => self.together.entry((group, None)).or_default(),
            Scope::FrontEnd => self.shared(peer),
        }
    }

    /// An attempt is due: whether it is made now. If not, what follows is seen to.
    pub(super) fn may_attempt(&mut self, peer: usize) -> bool {
        let (budget, limit) = (self.group(peer).reconnect.budget, self.group(peer).reconnect.limit);
        let pass = std::mem::take(&mut self.peers[peer].pass);
        let now = self.now;
        if pass == Pass::Nothing {
            if let Some(budget) = budget
                && !self.is_granted(peer, &budget)
            {
                self.books.count(self.peers[peer].group, Counter::Withheld);
                self.of_peer(peer, What::Withheld, 0);
                self.goes_on(peer, tenth(&budget));
                return false;
            }
            if let Some(rate) = limit.rate {
                let shared = self.shared(peer);
                let turn = shared.next_turn.max(now);
                shared.next_turn = turn + interval(rate);
                if turn > now {
                    self.peers[peer].pass = Pass::HadItsTurn;
                    self.held(peer, FOR_ITS_TURN);
                    self.wait(peer, turn.since(now));
                    return false;
                }
            }
        }
        if let Some(most) = limit.in_flight.filter(|_| pass != Pass::InFlight) {
            let shared = self.shared(peer);
            if shared.in_flight.len() >= most as usize {
                shared.waiting.push(peer);
                self.held(peer, FOR_ANOTHER_TO_END);
                return false;
            }
            shared.in_flight.push(peer);
        }
        true
    }

    fn held(&mut self, peer: usize, why: u8) {
        self.books.count(self.peers[peer].group, Counter::Held);
        self.of_peer(peer, What::Held, why);
    }

    /// First attempts are free. A retry is granted if, within the window, retries with this one are at most
    /// share · first attempts + floor · window.
    fn is_granted(&mut self, peer: usize, budget: &Budget) -> bool {
        let (now, is_first) = (self.now, self.peers[peer].when.attempt == 0);
        let shared = self.of_budget(peer, budget);
        if is_first {
            shared.first.push(now);
            return true;
        }
        let since = (part(budget, now) + 1).saturating_sub(PARTS);
        let counted = |all: &[Time]| all.iter().filter(|at| part(budget, **at) >= since).count() as u128;
        let (first, retries) = (counted(&shared.first), counted(&shared.retries));
        let (share, of) = budget.share.parts();
        let per = u128::from(budget.floor.per.0);
        let floor = u128::from(budget.floor.count) * u128::from(budget.window.0);
        let granted = (retries + 1) * u128::from(of) * per <= first * u128::from(share) * per + floor * u128::from(of);
        if granted {
            shared.retries.push(now);
        }
        granted
    }

    /// An attempt has come to its end, if it was in flight; who has waited longest for that goes on in this instant.
    pub(super) fn attempt_over(&mut self, peer: usize) {
        let group = self.peers[peer].group;
        for (key, shared) in &mut self.together {
            if key.0 != group {
                continue;
            }
            let Some(nth) = shared.in_flight.iter().position(|of| *of == peer) else { continue };
            shared.in_flight.remove(nth);
            if shared.waiting.is_empty() {
                return;
            }
            let next = shared.waiting.remove(0);
            shared.in_flight.push(next);
            let wait = self.serial + 1;
            self.serial = wait;
            (self.peers[next].pass, self.peers[next].wait) = (Pass::InFlight, wait);
            return self.later(self.now, Class::Deadline, next, Step::WaitEnds { peer: next, wait });
        }
    }

    /// A peer leaves: it neither waits nor is under way.
    pub(super) fn leaves_the_others(&mut self, peer: usize) {
        self.attempt_over(peer);
        self.peers[peer].pass = Pass::Nothing;
        for shared in self.together.values_mut() {
            shared.waiting.retain(|waiting| *waiting != peer);
        }
    }
}
