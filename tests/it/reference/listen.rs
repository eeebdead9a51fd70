//! The listening socket: what a SYN meets, and the final ACK (rules 7 and 9).

use refresh_sim::measure::What;
use refresh_sim::scenario::plan::Overflow;
use refresh_sim::time::{Span, Time};

use super::agenda::{Class, Step};
use super::path::{ROUNDS, SYN_ACKS};
use super::process::Life;
use super::world::{Stage, World};

/// `Silence`'s details.
const NO_HOST: u8 = 0;
const ACCEPT_QUEUE_FULL: u8 = 1;
const SYN_QUEUE_FULL: u8 = 2;
const CUT: u8 = 3;
const LOST: u8 = 4;
const FORGOTTEN: u8 = 5;

/// `Refused`'s.
const NOBODY_LISTENS: u8 = 0;
const FULL_AT_SYN: u8 = 1;
const FULL_AT_ACK: u8 = 2;

/// When the kernel repeats a SYN-ACK, after it first went out, in seconds; and when it forgets the connection.
const REPEATS: [u64; 5] = [1, 3, 7, 15, 31];
const FORGETS: u64 = 63;

fn seconds(n: u64) -> Span {
    Span::SECOND.times(n)
}

/// What a SYN meets.
enum Meets {
    SynAck,
    /// As many connections as there may be.
    FullTable,
    Reset(u8),
    Silence(u8),
}

impl World<'_> {
    /// A SYN arrives; `copy` says which one of its try.
    pub(super) fn syn(&mut self, connection: usize, copy: u16) {
        let of = &mut self.connections[connection];
        let (peer, seen) = (of.peer, of.syn_seen.replace(self.now));
        if !self.is_wanted(connection) || self.connections[connection].stage != Stage::Sent || seen == Some(self.now) {
            return;
        }
        match self.meets(connection, copy) {
            Meets::SynAck => self.syn_ack(connection),
            Meets::FullTable => self.refused_by_limit(connection),
            Meets::Reset(why) => {
                self.of_peer(peer, What::Refused, why);
                self.reset(connection);
            }
            Meets::Silence(why) => {
                let group = self.peers[peer].group;
                self.books.paths[group].unanswered += 1;
                self.of_peer(peer, What::Silence, why);
            }
        }
    }

    fn meets(&self, connection: usize, copy: u16) -> Meets {
        let answer = self.syn_ack_heard(connection);
        if [self.now, answer].iter().any(|at| self.cut_of(connection, *at).is_some()) {
            return Meets::Silence(CUT);
        }
        if self.is_lost(connection, copy, 0) || self.is_lost(connection, copy, 1) {
            return Meets::Silence(LOST);
        }
        let front_end = self.connections[connection].front_end;
        match self.front_ends[front_end].life {
            Life::Down | Life::Starting => return Meets::Reset(NOBODY_LISTENS),
            Life::Silent => return Meets::Silence(NO_HOST),
            Life::Up | Life::Dumping => {}
        }
        if self.front_ends[front_end].life == Life::Up && self.table_is_full(front_end) {
            return Meets::FullTable;
        }
        let listen = &self.plan.front_ends[front_end].listen;
        if listen.syn_backlog.is_some_and(|most| self.half_open(front_end) >= most as usize) {
            return Meets::Silence(SYN_QUEUE_FULL);
        }
        if self.accept_queue_is_full(front_end) {
            return match listen.overflow {
                Overflow::Drop | Overflow::Abort => Meets::Silence(ACCEPT_QUEUE_FULL),
                Overflow::Reset => Meets::Reset(FULL_AT_SYN),
            };
        }
        Meets::SynAck
    }

    /// Connections in the SYN queue.
    fn half_open(&self, front_end: usize) -> usize {
        let of_it = self.connections.iter().filter(|of| of.front_end == front_end);
        of_it.filter(|of| of.half_open_until.is_some_and(|until| until > self.now)).count()
    }

    fn accept_queue_is_full(&self, front_end: usize) -> bool {
        let listen = &self.plan.front_ends[front_end].listen;
        self.front_ends[front_end].accepting.len() > listen.backlog.min(listen.somaxconn) as usize
    }

    /// The SYN is answered. Whether its peer still waits when it gets that is looked at here.
    fn syn_ack(&mut self, connection: usize) {
        let heard = self.syn_ack_heard(connection);
        let gives_up = self.stack_gives_up(connection);
        let exchange = self.exchange(connection, ROUNDS);
        let arrives = self.answer_arrives(connection, 0, Span::ZERO);
        let of = &mut self.connections[connection];
        let peer = of.peer;
        of.stage = Stage::Handshake;
        of.syn_ack = self.now;
        if heard >= gives_up {
            of.half_open_until = Some(self.now + exchange);
            (of.forgotten, of.stage) = (true, Stage::Gone);
            return;
        }
        of.half_open_until = Some(self.now + seconds(FORGETS));
        of.answered = Some(heard);
        self.step_ends(connection, heard, heard, 0);
        if arrives >= self.now + seconds(FORGETS) {
            self.is_forgotten(connection);
        } else {
            self.later(arrives, Class::Arrival, peer, Step::Message { connection, flights: 0 });
            self.limits_begin(connection);
        }
    }

    /// No final ACK of a connection will be taken before the kernel forgets it.
    fn is_forgotten(&mut self, connection: usize) {
        let of = &mut self.connections[connection];
        (of.forgotten, of.stage) = (true, Stage::Gone);
        let peer = self.connections[connection].peer;
        self.of_peer(peer, What::Silence, FORGOTTEN);
    }

    /// The final ACK arrives, with the peer's first flight or message; whether the connection is complete.
    pub(super) fn final_ack(&mut self, connection: usize) -> bool {
        let of = &self.connections[connection];
        let (peer, front_end) = (of.peer, of.front_end);
        if self.accept_queue_is_full(front_end) {
            match self.plan.front_ends[front_end].listen.overflow {
                Overflow::Drop => {
                    let group = self.peers[peer].group;
                    self.books.paths[group].ignored += 1;
                    let repeats = REPEATS.iter().filter(|after| self.repeat_answered(connection, **after) <= self.now);
                    self.of_peer(peer, What::AckIgnored, repeats.count() as u8);
                    self.repeat_syn_ack(connection);
                }
                Overflow::Abort | Overflow::Reset => {
                    self.connections[connection].half_open_until = None;
                    self.of_peer(peer, What::Refused, FULL_AT_ACK);
                    self.reset(connection);
                }
            }
            return false;
        }
        self.connections[connection].half_open_until = None;
        let waits = self.front_ends[front_end].life != Life::Up || self.plan.front_ends[front_end].accept.is_some();
        if waits {
            let of = &mut self.front_ends[front_end];
            of.accepting.push(connection);
            of.accepting_max = of.accepting_max.max(of.accepting.len() as u64);
        }
        true
    }

    /// When the SYN-ACK that goes out again so many seconds after the first would bring the ACK again.
    fn repeat_answered(&self, connection: usize, after: u64) -> Time {
        let exchange = self.as_slow_as_its_group(connection, self.round_trip(connection));
        self.connections[connection].syn_ack + seconds(after) + exchange
    }

    /// The next SYN-ACK that brings the ACK again.
    fn repeat_syn_ack(&mut self, connection: usize) {
        let (peer, first) = (self.connections[connection].peer, self.connections[connection].syn_ack);
        let half = self.as_slow_as_its_group(connection, self.round_trip(connection)).half();
        for (nth, after) in (1u16..).zip(REPEATS) {
            let arrives = self.repeat_answered(connection, after);
            let number = SYN_ACKS + nth;
            let lost = self.is_lost(connection, number, 0) || self.is_lost(connection, number, 1);
            let heard = Time(arrives.0.saturating_sub(half.0));
            let cut = [heard, arrives].iter().any(|at| self.cut_of(connection, *at).is_some());
            if arrives > self.now && arrives < first + seconds(FORGETS) && !lost && !cut {
                self.later(arrives, Class::Arrival, peer, Step::Message { connection, flights: 0 });
                return;
            }
        }
        self.is_forgotten(connection);
    }

    /// A peer leaves a try: what is in the SYN queue goes when the front end's host hears of it.
    pub(super) fn leaves_try(&mut self, connection: usize) {
        let gone = self.now + self.exchange_of_now(connection).half();
        if self.connections[connection].forgotten {
            return;
        }
        if let Some(until) = &mut self.connections[connection].half_open_until {
            *until = gone.min(*until);
        }
    }

    /// A worker starts on the accept job of a connection, or there will be none.
    pub(super) fn leaves_accept_queue(&mut self, front_end: usize, connection: usize) {
        self.front_ends[front_end].accepting.retain(|waiting| *waiting != connection);
    }

    /// A process has crashed: what was under way, or left behind, takes no place.
    pub(super) fn clear_syn_queue(&mut self, front_end: usize) {
        for of in self.connections.iter_mut().filter(|of| of.front_end == front_end) {
            (of.half_open_until, of.close_heard) = (None, None);
        }
    }

    /// When the peer's TCP gives a try up.
    pub(super) fn stack_gives_up(&self, connection: usize) -> Time {
        let of = &self.connections[connection];
        of.syn + self.group(of.peer).tcp.syn.give_up()
    }
}
