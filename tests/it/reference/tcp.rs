//! The peer's kernel: SYNs, giving up, ports (rule 10).

use refresh_sim::measure::{Counter, What};
use refresh_sim::time::Time;

use super::agenda::{Class, Step};
use super::world::World;

/// A port of some address, and when it is free again.
pub(super) struct Port {
    group: usize,
    address: u32,
    free: Time,
}

impl World<'_> {
    /// A try takes a port, or fails at once.
    pub(super) fn has_port(&mut self, connection: usize) -> bool {
        let peer = self.connections[connection].peer;
        let has = self.take_port(connection, false);
        self.round_goes_on(peer, self.now);
        if !has {
            let group = self.peers[peer].group;
            self.books.paths[group].no_port += 1;
            self.of_peer(peer, What::NoPort, 0);
            self.later(self.now, Class::Arrival, peer, Step::Reset { connection });
        }
        has
    }

    /// The first SYN of a try leaves now, and copies of it later.
    pub(super) fn send_syns(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        let sends: Vec<_> = self.group(peer).tcp.syn.sends().collect();
        for (copy, after) in (0u16..).zip(sends) {
            let arrives = self.now + after + self.exchange(connection, copy).half();
            self.later(arrives, Class::Arrival, peer, Step::Syn { connection, copy });
        }
        self.waits_begin(connection);
    }

    /// The peer's TCP has waited in vain for an answer to its SYNs.
    pub(super) fn stack_has_given_up(&mut self, connection: usize) {
        let of = &self.connections[connection];
        let peer = of.peer;
        if self.is_wanted(connection) && of.answered.is_none() {
            self.books.count(self.peers[peer].group, Counter::TimeOuts);
            self.of_peer(peer, What::GaveUp, 5);
            self.free_port(connection);
            self.failed(peer);
        }
    }

    fn address(&self, peer: usize) -> u32 {
        let of = &self.peers[peer];
        self.group(peer).tcp.addresses.map_or(of.index, |addresses| of.index % addresses)
    }

    /// Takes a port, where they are counted; `at_any_rate`: also one too many. Whether it has one.
    pub(super) fn take_port(&mut self, connection: usize, at_any_rate: bool) -> bool {
        let peer = self.connections[connection].peer;
        let Some(ports) = self.group(peer).tcp.ports else { return true };
        let (group, address) = (self.peers[peer].group, self.address(peer));
        let of_address = self.ports.iter().filter(|port| (port.group, port.address) == (group, address));
        let taken = of_address.filter(|port| port.free > self.now).count();
        if taken >= ports as usize && !at_any_rate {
            return false;
        }
        self.connections[connection].port = Some(self.ports.len());
        self.ports.push(Port { group, address, free: Time::NEVER });
        true
    }

    /// The peer is told that its connection has ended, or leaves a try that had no answer.
    pub(super) fn free_port(&mut self, connection: usize) {
        if let Some(port) = self.connections[connection].port.take() {
            self.ports[port].free = self.now;
        }
    }

    /// The peer hears of a planned end.
    pub(super) fn free_kept_port(&mut self, peer: usize) {
        if let Some(port) = self.peers[peer].kept_port.take() {
            self.ports[port].free = self.now;
        }
    }

    /// The peer closes a connection: its port rests, if it had an answer to its SYN and the other end is still there.
    pub(super) fn close_port(&mut self, connection: usize) {
        let of = &self.connections[connection];
        let answered = of.established.is_some() || of.answered.is_some_and(|at| at <= self.now || of.forgotten);
        if !answered || !(self.has_socket(connection) || of.forgotten) {
            self.free_port(connection);
            return;
        }
        let rests = self.group(of.peer).tcp.time_wait;
        if let Some(port) = self.connections[connection].port.take() {
            self.ports[port].free = self.now + rests;
        }
    }
}
