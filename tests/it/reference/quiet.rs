//! Connections over which nothing comes: the front end's limits, and a middlebox that forgets (rules 5 and 26).

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Counter, What};
use refresh_sim::policy::OnIdle;
use refresh_sim::policy::tcp::KeepAlive;
use refresh_sim::rng::Purpose;
use refresh_sim::time::{Span, Time};

use super::agenda::{Class, Step};
use super::connect::{BY_KEEP_ALIVE, BY_LIMIT, BY_MIDDLEBOX};
use super::world::{Stage, World};

/// `Limit`'s details.
const IDLE: u8 = 3;
const KEEP_ALIVE: u8 = 4;
const FORGOTTEN: u8 = 5;

/// Indices of the draws of first probes after a middlebox has forgotten a connection.
const OF_PEER: u16 = 2;
const OF_FRONT_END: u16 = 3;

impl World<'_> {
    /// Something passes at the front end of a connection.
    pub(super) fn passes(&mut self, connection: usize) {
        self.connections[connection].passed = self.now;
        let peer = self.connections[connection].peer;
        if let Some(idle) = self.idle_limit(connection) {
            self.later(self.now + idle, Class::Deadline, peer, Step::Idle { connection });
        }
        if let Some(after) = self.middlebox_limit(connection) {
            self.later(self.now + after, Class::Deadline, peer, Step::IdleBetween { connection });
        }
    }

    fn idle_limit(&self, connection: usize) -> Option<Span> {
        self.plan.front_ends[self.connections[connection].front_end].limits.idle
    }

    fn front_end_probes(&self, connection: usize) -> Option<KeepAlive> {
        self.plan.front_ends[self.connections[connection].front_end].limits.keep_alive
    }

    fn peer_probes(&self, connection: usize) -> Option<KeepAlive> {
        self.group(self.connections[connection].peer).tcp.keep_alive
    }

    /// How long nothing may pass until the middlebox forgets a connection; never if probes of either end pass it in time.
    fn middlebox_limit(&self, connection: usize) -> Option<Span> {
        let peer = self.connections[connection].peer;
        let idle = self.plan.middlebox.as_ref().filter(|_| self.is_behind_middlebox(peer))?.idle?;
        let probes = [self.front_end_probes(connection), self.peer_probes(connection)];
        let kept = probes.into_iter().flatten().any(|probes| probes.interval < idle.after);
        (!kept).then_some(idle.after)
    }

    fn is_valid_here(&self, connection: usize) -> bool {
        self.is_wanted(connection) && matches!(self.connections[connection].stage, Stage::Valid(_))
    }

    /// The front end may have seen nothing for too long.
    pub(super) fn idle(&mut self, connection: usize) {
        let of = &self.connections[connection];
        if self.is_valid_here(connection)
            && self.idle_limit(connection).is_some_and(|idle| of.passed + idle == self.now)
        {
            self.closed_by_limit(connection, IDLE);
        }
    }

    /// The front end closes a valid connection; that is a loss to its peer.
    fn closed_by_limit(&mut self, connection: usize, which: u8) {
        let peer = self.connections[connection].peer;
        self.try_ends(peer);
        self.books.count(self.peers[peer].group, Counter::Limited);
        self.of_peer(peer, What::Limit, which);
        self.lose(connection, BY_LIMIT);
        self.reset(connection);
    }

    /// The middlebox may have seen nothing for too long.
    pub(super) fn idle_between(&mut self, connection: usize) {
        let of = &self.connections[connection];
        let peer = of.peer;
        let is_over = self.middlebox_limit(connection).is_some_and(|after| of.passed + after == self.now);
        if !self.is_valid_here(connection) || !is_over || of.unknown_between {
            return;
        }
        let Some(idle) = self.plan.middlebox.as_ref().and_then(|middlebox| middlebox.idle) else { return };
        match idle.then {
            OnIdle::Reset => {
                self.lose(connection, BY_MIDDLEBOX);
                self.reset(connection);
            }
            OnIdle::Silent => {
                let front_end = self.connections[connection].front_end;
                self.of_peer_at(peer, What::Limit, FORGOTTEN, front_end as u16);
                self.connections[connection].unknown_between = true;
                if let Some(probes) = self.peer_probes(connection) {
                    let at = self.finds_out(connection, probes, OF_PEER);
                    self.connections[connection].peer_finds_out = Some(at);
                    self.later(at, Class::Deadline, peer, Step::PeerFindsOut { connection });
                }
                if let Some(probes) = self.front_end_probes(connection) {
                    let at = self.finds_out(connection, probes, OF_FRONT_END);
                    self.later(at, Class::Deadline, peer, Step::FrontEndFindsOut { connection });
                }
            }
        }
    }

    /// When an end that probes finds out that nothing comes back any more.
    fn finds_out(&self, connection: usize, probes: KeepAlive, index: u16) -> Time {
        let peer = self.connections[connection].peer;
        let bits = self.draw(peer, Purpose::KeepAlive, self.peers[peer].when, index);
        self.now + probe(probes.interval, bits) + probes.interval.times(u64::from(probes.count))
    }

    pub(super) fn peer_finds_out(&mut self, connection: usize) {
        if self.is_valid_here(connection) {
            let peer = self.connections[connection].peer;
            self.lose(connection, BY_KEEP_ALIVE);
            self.closes(connection, self.now);
            self.later(self.now, Class::Arrival, peer, Step::Reset { connection });
        }
    }

    /// The front end has probed in vain: through a cut, or a middlebox that has forgotten.
    pub(super) fn front_end_finds_out(&mut self, connection: usize) {
        if self.is_valid_here(connection) {
            self.closed_by_limit(connection, KEEP_ALIVE);
        }
    }
}

/// When the first probe goes out: in (0, interval].
pub(super) fn probe(interval: Span, bits: u64) -> Span {
    Dist::uniform(Span(1), interval).map_or(interval, |phase| phase.sample(bits))
}
