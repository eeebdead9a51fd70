//! How a peer comes back: failed rounds, back-offs, giving up for good (rule 14).

use refresh_sim::measure::{Counter, What};
use refresh_sim::policy::CountedFrom;
use refresh_sim::rng::{Purpose, When};
use refresh_sim::time::{Span, Time};

use super::world::World;

/// What a peer remembers of its failures.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Failures {
    /// Failed rounds in a row.
    rounds: u16,
    /// Cycle and episode in which that count began.
    began: (u32, u16),
    /// Since when it is valid, or was.
    pub(super) valid_since: Time,
    /// Its connection was lost so early that this is one more failed round.
    lost_early: bool,
    /// The SYN of the first attempt of the present round.
    round_began: Time,
}

impl World<'_> {
    /// The count of failed rounds begins anew.
    pub(super) fn forget_failures(&mut self, peer: usize) {
        let of = &mut self.peers[peer];
        (of.failures.rounds, of.failures.began) = (0, (of.when.cycle, of.when.episode));
        of.failures.lost_early = false;
    }

    /// A connection ends, whose peer has its new cycle and episode.
    pub(super) fn connection_has_ended(&mut self, peer: usize, planned: bool) {
        let valid_for = self.now.since(self.peers[peer].failures.valid_since);
        if valid_for >= self.group(peer).reconnect.reset_after {
            self.forget_failures(peer);
        } else {
            self.peers[peer].failures.lost_early = !planned;
        }
    }

    /// An attempt is made.
    pub(super) fn round_goes_on(&mut self, peer: usize, syn: Time) {
        let list = self.round(peer);
        let of = &mut self.peers[peer];
        if of.when.attempt.is_multiple_of(list) {
            of.failures.round_began = syn;
        }
    }

    /// Failed rounds in a row.
    pub(super) fn failed_rounds(&self, peer: usize) -> u16 {
        self.peers[peer].failures.rounds
    }

    /// The wait that follows if the round of a try that is made now fails with it.
    pub(super) fn wait_if_it_fails(&self, connection: usize) -> Span {
        self.wait_after_round(self.connections[connection].peer, self.connections[connection].when, 0)
    }

    /// The wait after a failed round, by the number of those before it.
    fn wait_after_round(&self, peer: usize, when: When, index: u16) -> Span {
        let policy = &self.group(peer).reconnect;
        let Failures { rounds, began: (cycle, episode), .. } = self.peers[peer].failures;
        match &policy.backoff {
            None => policy.delay.sample(self.draw(peer, Purpose::ReconnectDelay, when, index)),
            Some(backoff) => {
                let base = || self.draw(peer, Purpose::BackoffBase, When::default(), 0);
                let bits = |n: u16| {
                    let when = When { cycle, episode, attempt: u32::from(n) };
                    self.draw(peer, Purpose::BackoffJitter, when, 0)
                };
                backoff.wait(rounds, base, bits)
            }
        }
    }

    /// A round has failed: the wait after it.
    fn back_off(&mut self, peer: usize, when: When, index: u16) -> Span {
        let wait = self.wait_after_round(peer, when, index);
        let failures = &mut self.peers[peer].failures;
        failures.rounds = failures.rounds.saturating_add(1);
        wait
    }

    /// What follows attempt number `attempt`, which has failed: a wait, or nothing any more.
    pub(super) fn after_failure(&mut self, peer: usize, attempt: u32, at_least: Span) -> Option<Span> {
        let policy = &self.group(peer).reconnect;
        let list = self.round(peer);
        let mut wait = Span::ZERO;
        if (attempt + 1).is_multiple_of(list) {
            let when = When { attempt, ..self.peers[peer].when };
            wait = self.back_off(peer, when, 0);
        }
        if policy.counted_from == CountedFrom::Start {
            let took = self.now.since(self.peers[peer].failures.round_began);
            wait = Span(wait.0.saturating_sub(took.0));
        }
        wait = wait.max(at_least);
        let too_many = policy.give_up.attempts.is_some_and(|most| attempt + 1 >= u32::from(most));
        let next = (self.now + wait).since(self.peers[peer].without_since);
        let too_late = policy.give_up.after.is_some_and(|most| next > most);
        (!too_many && !too_late || self.is_making(peer)).then_some(wait)
    }

    /// The wait after a loss.
    pub(super) fn after_loss(&mut self, peer: usize, when: When) -> Span {
        if std::mem::take(&mut self.peers[peer].failures.lost_early) {
            return self.back_off(peer, when, 2);
        }
        let bits = self.draw(peer, Purpose::ReconnectDelay, when, 1);
        self.group(peer).reconnect.first.sample(bits)
    }

    /// It stops for good.
    pub(super) fn stops_trying(&mut self, peer: usize) {
        self.books.count(self.peers[peer].group, Counter::Stopped);
        self.of_peer(peer, What::Stops, 0);
    }
}
