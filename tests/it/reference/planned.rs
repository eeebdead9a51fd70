//! Planned reconnects (rule 19): the old connection ends first, or the new one is made first.

use refresh_sim::measure::{Cause, What};
use refresh_sim::policy::Initiator;
use refresh_sim::time::Time;

use super::agenda::{Class, Step};
use super::world::{Stage, World};

impl World<'_> {
    pub(super) fn reconnect_now(&mut self, peer: usize, connection: usize, initiator: Initiator) {
        if self.makes_first(connection) {
            self.make_first(connection, initiator);
        } else {
            self.break_first(peer, connection, initiator);
        }
    }

    /// The old connection ends, then the new one begins, when the peer knows.
    fn break_first(&mut self, peer: usize, connection: usize, initiator: Initiator) {
        if initiator == Initiator::Peer {
            self.close_port(connection);
            self.abandon(connection);
        }
        self.connections[connection].stage = Stage::Gone;
        self.connection_has_ended(peer, true);
        let learned = match initiator {
            Initiator::FrontEnd => self.end_heard(connection),
            Initiator::Peer => self.now,
        };
        self.close_outage(peer, learned);
        self.closes(connection, learned);
        let of = &mut self.peers[peer];
        (of.cause, of.first_syn, of.without_since) = (Cause::Refresh, Some(learned), learned);
        self.connect_as_planned(connection, initiator, learned);
    }

    /// The peer begins the connection that follows on `connection` as planned, at `sent`, when it knows of that.
    pub(super) fn connect_as_planned(&mut self, connection: usize, initiator: Initiator, sent: Time) {
        let peer = self.connections[connection].peer;
        if self.reconnects_by_attempt(connection) {
            self.peers[peer].kept_port = self.connections[connection].port.take();
            return self.reconnect_by_attempt(peer, sent);
        }
        let new = self.connect(peer, sent);
        if let Some(open) = &mut self.peers[peer].open {
            open.connection = new;
        }
        match initiator {
            Initiator::Peer => {
                if self.has_port(new) {
                    self.counts_as_attempt(new);
                    self.send_syns(new);
                }
            }
            Initiator::FrontEnd if self.group(peer).tcp.ports.is_none() => {
                self.counts_as_attempt(new);
                self.later(sent, Class::Arrival, peer, Step::PlannedSyn { connection: new });
            }
            Initiator::FrontEnd => {
                self.connections[new].port = self.connections[connection].port.take();
                self.later(sent, Class::Deadline, peer, Step::PlannedSyn { connection: new });
            }
        }
    }

    /// Whether the SYN that follows on a connection as planned is an attempt like any other.
    fn reconnects_by_attempt(&self, connection: usize) -> bool {
        let of = &self.connections[connection];
        !self.plan.front_ends[of.front_end].limits.is_none() || self.is_bound(of.peer)
    }

    fn reconnect_by_attempt(&mut self, peer: usize, learned: Time) {
        (self.peers[peer].connection, self.peers[peer].first_syn) = (None, None);
        if let Some(open) = &mut self.peers[peer].open {
            open.begins = true;
        }
        self.wait(peer, learned.since(self.now));
    }

    /// Whether the next attempt is the first for a planned reconnect, which goes to the same front end.
    pub(super) fn is_refresh_to_begin(&self, peer: usize) -> bool {
        self.peers[peer].open.is_some_and(|open| open.begins)
    }

    /// An attempt is made, perhaps the first for a refresh.
    pub(super) fn refresh_begins(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        if let Some(open) = &mut self.peers[peer].open
            && std::mem::take(&mut open.begins)
        {
            open.connection = connection;
        }
    }

    /// The planned end of its connection has reached the peer, whose port was kept until now.
    pub(super) fn planned_syn(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        if !self.is_wanted(connection) {
            return;
        }
        if self.group(peer).tcp.ports.is_none() {
            self.send_syns(connection);
            return;
        }
        self.free_port(connection);
        if self.has_port(connection) {
            self.of_peer(peer, What::Attempt, Cause::Refresh as u8);
            self.counts_as_attempt(connection);
            self.send_syns(connection);
        }
    }
}
