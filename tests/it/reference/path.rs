//! What happens to messages on their way: what they take, loss, cuts, keep-alive (rule 11).

use refresh_sim::policy::tcp::KeepAlive;
use refresh_sim::rng::{Purpose, When};
use refresh_sim::scenario::plan::Change;
use refresh_sim::time::{Span, Time};

use super::agenda::{Class, Step};
use super::connect::BY_KEEP_ALIVE;
use super::quiet::probe;
use super::world::{Stage, World};

/// What a message that was lost, or met a cut, waits longer.
const AGAIN: Span = Span(200 * Span::MILLISECOND.0);

/// Numbers of exchanges; those of SYNs are their own, from 0.
pub(super) const ROUNDS: u16 = 64;
pub(super) const NEWS: u16 = 96;
pub(super) const SYN_ACKS: u16 = 112;

/// A time in which nothing gets through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cut {
    /// Which one of its path.
    nth: u32,
    from: Time,
    until: Time,
}

impl World<'_> {
    /// What a plain exchange takes.
    pub(super) fn round_trip(&self, connection: usize) -> Span {
        self.peers[self.connections[connection].peer].round_trip
    }

    /// What an exchange of a connection takes, by its number.
    pub(super) fn exchange(&self, connection: usize, number: u16) -> Span {
        let of = &self.connections[connection];
        let beyond = self.group(of.peer).path.variation.as_ref().map(|variation| {
            let bits = self.draw(of.peer, Purpose::PathVariation, of.when, number);
            variation.sample(bits)
        });
        self.as_slow_as_its_group(connection, self.round_trip(connection) + beyond.unwrap_or_default())
    }

    /// What a plain exchange takes that is of no try and begins now.
    pub(super) fn exchange_of_now(&self, connection: usize) -> Span {
        self.as_slow_as_at(connection, self.now, self.round_trip(connection))
    }

    /// What takes so long in a try: as slow as its group was at its SYN.
    pub(super) fn as_slow_as_its_group(&self, connection: usize, span: Span) -> Span {
        self.as_slow_as_at(connection, self.connections[connection].syn, span)
    }

    /// By the last entry of its group about that which is not later than `at`.
    fn as_slow_as_at(&self, connection: usize, at: Time, span: Span) -> Span {
        let group = self.peers[self.connections[connection].peer].group;
        let mut slowed = span;
        for entry in &self.plan.timeline {
            if usize::from(entry.group) == group && entry.at <= at {
                match entry.change {
                    Change::Slow(factor) => slowed = factor.of(span),
                    Change::SlowEnds => slowed = span,
                    _ => {}
                }
            }
        }
        slowed
    }

    fn loss_bits(&self, connection: usize, number: u16, message: u16) -> u64 {
        let of = &self.connections[connection];
        self.draw(of.peer, Purpose::PathLoss, of.when, 2 * number + message)
    }

    /// Whether a SYN or SYN-ACK (0), or what answers it (1), gets lost.
    pub(super) fn is_lost(&self, connection: usize, number: u16, message: u16) -> bool {
        let loss = self.group(self.connections[connection].peer).path.loss;
        loss.loses(self.loss_bits(connection, number, message))
    }

    /// When something would arrive that is sent at `sent` and takes `takes`, part of an exchange, with all its copies
    /// that get lost.
    fn sent_until_through(&self, connection: usize, number: u16, message: u16, sent: Time, takes: Span) -> Time {
        let loss = self.group(self.connections[connection].peer).path.loss;
        match loss.repeats(self.loss_bits(connection, number, message)) {
            Some(again) => {
                let at = sent + (self.exchange(connection, number) + AGAIN).times(u64::from(again)) + takes;
                self.behind_cuts(connection, at)
            }
            None => Time::NEVER,
        }
    }

    /// When the peer has the SYN-ACK that answers a SYN of now: over a plain path a whole round trip after its SYN.
    pub(super) fn syn_ack_heard(&self, connection: usize) -> Time {
        let exchange = self.exchange(connection, ROUNDS);
        self.now + Span(exchange.0 - exchange.half().0)
    }

    /// When the peer has flight `flight` of the front end (1: the first), which goes out now.
    pub(super) fn flight_heard(&self, connection: usize, flight: u16) -> Time {
        let number = ROUNDS + flight;
        self.sent_until_through(connection, number, 0, self.now, self.exchange(connection, number).half())
    }

    /// Flight `flight` of the front end (0: the SYN-ACK) goes out now, and the peer computes for `computes` before it
    /// answers: when the answer arrives.
    pub(super) fn answer_arrives(&self, connection: usize, flight: u16, computes: Span) -> Time {
        let number = ROUNDS + flight;
        let exchange = self.exchange(connection, number);
        let half = exchange.half();
        let (heard, back) = if flight == 0 {
            (self.syn_ack_heard(connection), half)
        } else {
            (self.flight_heard(connection, flight), Span(exchange.0 - half.0))
        };
        self.sent_until_through(connection, number, 1, heard + computes, back)
    }

    /// When the peer hears of the verdict "accept" that falls now.
    pub(super) fn news_arrives(&self, connection: usize) -> Time {
        let takes = self.exchange(connection, NEWS).half();
        self.sent_until_through(connection, NEWS, 0, self.now, takes)
    }

    /// When the peer hears of a reset or a close of now.
    pub(super) fn end_heard(&self, connection: usize) -> Time {
        // One that the middlebox has forgotten: by its own probes alone.
        if let Some(finds_out) = self.connections[connection].peer_finds_out {
            return finds_out;
        }
        let at = self.now + self.exchange_of_now(connection).half();
        let Some(cut) = self.cut_of(connection, at) else { return at };
        let healed = self.behind_cuts(connection, at);
        self.keep_alive_fails(connection, cut).filter(|fails| *fails >= at).map_or(healed, |fails| fails.min(healed))
    }

    /// When something arrives that would at `at` if there were no cuts.
    pub(super) fn behind_cuts(&self, connection: usize, mut at: Time) -> Time {
        while let Some(cut) = self.cut_of(connection, at) {
            at = cut.until + AGAIN;
        }
        at
    }

    pub(super) fn cut_of(&self, connection: usize, at: Time) -> Option<Cut> {
        let of = &self.connections[connection];
        self.cut(self.peers[of.peer].group, of.front_end, at)
    }

    /// The cut of a path that covers `at`: each from an entry that cuts it to the next that heals it.
    fn cut(&self, group: usize, front_end: usize, at: Time) -> Option<Cut> {
        let (mut since, mut nth, mut found) = (None, 0, None);
        let mut ends = |from: Time, until: Time| {
            if from <= at && at < until {
                found = Some(Cut { nth, from, until });
            }
            nth += u32::from(from < until);
        };
        for entry in &self.plan.timeline {
            let of_path = entry.front_end.is_none_or(|named| usize::from(named) == front_end);
            match entry.change {
                Change::CutOff if of_path && usize::from(entry.group) == group => since = since.or(Some(entry.at)),
                Change::Heal if of_path && usize::from(entry.group) == group => {
                    if let Some(from) = since.take() {
                        ends(from, entry.at);
                    }
                }
                _ => {}
            }
        }
        if let Some(from) = since {
            ends(from, Time::NEVER);
        }
        found
    }

    /// When a peer's keep-alive has waited in vain, unless the path heals first.
    fn keep_alive_fails(&self, connection: usize, cut: Cut) -> Option<Time> {
        let keep_alive = self.group(self.connections[connection].peer).tcp.keep_alive?;
        self.probes_in_vain(connection, cut, keep_alive, 0)
    }

    /// The same of either end; `index` is that of its draw.
    fn probes_in_vain(&self, connection: usize, cut: Cut, keep_alive: KeepAlive, index: u16) -> Option<Time> {
        let peer = self.connections[connection].peer;
        let when = When { attempt: cut.nth, ..When::default() };
        let first = probe(keep_alive.interval, self.draw(peer, Purpose::KeepAlive, when, index));
        let fails = cut.from + first + keep_alive.interval.times(u64::from(keep_alive.count));
        (fails < cut.until).then_some(fails)
    }

    /// A path may just have been cut: established connections on it begin to probe.
    pub(super) fn cut_off(&mut self, group: usize, named: Option<u16>) {
        for connection in 0..self.connections.len() {
            let of = &self.connections[connection];
            let on_path = named.is_none_or(|named| usize::from(named) == of.front_end);
            if self.peers[of.peer].group == group && on_path && self.is_wanted(connection) {
                self.probe(connection);
            }
        }
    }

    /// What both ends of a connection will find out that is valid now, on a path that may be cut, and whose peer may have
    /// heard of it.
    fn probe(&mut self, connection: usize) {
        let of = &self.connections[connection];
        let peer = of.peer;
        let valid = matches!(of.stage, Stage::Valid(_));
        let established = valid && self.has_heard(connection);
        let Some(cut) = self.cut_of(connection, self.now).filter(|cut| valid && cut.from == self.now) else { return };
        if let Some(probes) = self.plan.front_ends[of.front_end].limits.keep_alive
            && let Some(fails) = self.probes_in_vain(connection, cut, probes, 1)
        {
            self.later(fails, Class::Deadline, peer, Step::FrontEndProbesInVain { connection });
        }
        if !established {
            return;
        }
        if let Some(fails) = self.keep_alive_fails(connection, cut).filter(|fails| *fails >= self.now) {
            self.later(fails, Class::Deadline, peer, Step::KeepAliveFails { connection });
        }
    }

    pub(super) fn keep_alive_has_failed(&mut self, connection: usize) {
        let valid = matches!(self.connections[connection].stage, Stage::Valid(_));
        if valid && self.is_wanted(connection) {
            self.lose(connection, BY_KEEP_ALIVE);
            self.closes(connection, self.now);
            let peer = self.connections[connection].peer;
            self.later(self.now, Class::Arrival, peer, Step::Reset { connection });
        }
    }
}
