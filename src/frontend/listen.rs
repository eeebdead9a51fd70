//! The listening socket: what a SYN meets, and the final ACK after it (model rules 7 and 9).
//!
//! Counts two queues of the kernel: connections that lack their final ACK, and those that wait to be accepted. Does not
//! know when messages come: the driver says so. Where nothing can be refused, the driver need not ask.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::{FrontEnd, Life};
use crate::policy::tcp::{SYN_ACK_GIVE_UP, SYN_ACK_RESENDS};
use crate::time::{Span, Time};

/// What becomes of a connection that finds the accept queue full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// Its SYN is dropped, its final ACK ignored: Linux.
    Drop,
    /// Its SYN is dropped, its final ACK answered by a reset: Linux with `tcp_abort_on_overflow`.
    Abort,
    /// Either is answered by a reset: Windows. Not verified at a primary source.
    Reset,
}

/// What a listening socket is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    /// What the process asked for with `listen`.
    pub backlog: u32,
    /// What the host allows at most.
    pub somaxconn: u32,
    /// Most connections that lack their final ACK; `None`: no bound, as with SYN cookies.
    pub syn_backlog: Option<u32>,
    /// What a full accept queue does.
    pub overflow: Overflow,
}

impl Listen {
    /// How many connections the accept queue holds: Linux compares with "more than", so that one more gets in than asked
    /// for (observed on a 6.18 kernel).
    pub fn accept_queue(&self) -> u64 {
        u64::from(self.backlog.min(self.somaxconn)) + 1
    }
}

/// Why a SYN or a flight gets no answer: the detail of [`crate::measure::What::Silence`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Unanswered {
    /// There is no host, or no process that reads.
    Host = 0,
    /// The accept queue is full.
    AcceptQueue = 1,
    /// The SYN queue is full.
    SynQueue = 2,
    /// The path is cut.
    Cut = 3,
    /// It is lost on the path.
    Lost = 4,
    /// The kernel has given the handshake up.
    GivenUp = 5,
}

/// What a SYN meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It is answered; the connection is this front end's.
    Taken,
    /// A reset goes back: nobody listens.
    Reset,
    /// A reset goes back: the accept queue is full.
    ResetFull,
    /// Nothing comes back.
    Silence(Unanswered),
}

/// What the final ACK of a handshake meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FinalAck {
    /// The connection is complete.
    Complete,
    /// The accept queue is full and the ACK is ignored.
    Ignored,
    /// The accept queue is full and a reset goes back.
    Reset,
}

/// The queues of a listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    accept_max: u64,
    syn_max: Option<u64>,
    overflow: Overflow,
    /// Complete, and not accepted yet.
    accepting: u64,
    accepting_max: u64,
    /// Lack their final ACK; counted only where that has a bound.
    half_open: u64,
    /// When those leave that will never be completed.
    leaving: BinaryHeap<Reverse<Time>>,
    /// Rows whose final ACK was ignored, and when their SYN-ACK first went out.
    ignored: BTreeMap<u32, Time>,
}

impl Listener {
    /// With nobody in its queues.
    pub fn new(listen: &Listen) -> Listener {
        Listener {
            accept_max: listen.accept_queue(),
            syn_max: listen.syn_backlog.map(u64::from),
            overflow: listen.overflow,
            accepting: 0,
            accepting_max: 0,
            half_open: 0,
            leaving: BinaryHeap::new(),
            ignored: BTreeMap::new(),
        }
    }

    /// Most connections that waited to be accepted at once.
    pub fn accepting_max(&self) -> u64 {
        self.accepting_max
    }

    fn syn(&mut self, now: Time) -> Arrival {
        if let Some(max) = self.syn_max {
            while self.leaving.peek().is_some_and(|at| at.0 <= now) {
                self.leaving.pop();
                self.half_open -= 1;
            }
            if self.half_open >= max {
                return Arrival::Silence(Unanswered::SynQueue);
            }
        }
        if self.accepting >= self.accept_max {
            return match self.overflow {
                Overflow::Drop | Overflow::Abort => Arrival::Silence(Unanswered::AcceptQueue),
                Overflow::Reset => Arrival::ResetFull,
            };
        }
        self.half_open += u64::from(self.syn_max.is_some());
        Arrival::Taken
    }

    /// The final ACK of `row`; `waits`: what is complete waits to be accepted.
    fn ack(&mut self, row: u32, waits: bool) -> FinalAck {
        let full = self.accepting >= self.accept_max;
        if full && self.overflow == Overflow::Drop {
            return FinalAck::Ignored;
        }
        self.ignored.remove(&row);
        self.half_open -= u64::from(self.syn_max.is_some());
        if full {
            return FinalAck::Reset;
        }
        self.accepting += u64::from(waits);
        self.accepting_max = self.accepting_max.max(self.accepting);
        FinalAck::Complete
    }

    /// The handshake of `row` will never be completed: it leaves the SYN queue at `at`.
    pub fn leave(&mut self, row: u32, at: Time) {
        self.ignored.remove(&row);
        if self.syn_max.is_some() {
            self.leaving.push(Reverse(at));
        }
    }

    /// One connection less waits to be accepted.
    #[inline]
    pub fn accepted(&mut self) {
        debug_assert!(self.accepting > 0, "accepted what did not wait");
        self.accepting = self.accepting.saturating_sub(1);
    }

    /// The final ACK of `row` is ignored: when its SYN-ACK first went out, which is `first` if this is the first time.
    pub fn first_syn_ack(&mut self, row: u32, first: Time) -> Time {
        *self.ignored.entry(row).or_insert(first)
    }

    /// The process crashed. What was complete stays with the kernel, if the process stays in memory; a handshake under way
    /// ends with the process and takes no place there.
    pub fn crash(&mut self, stays: bool) {
        self.half_open = 0;
        self.leaving.clear();
        self.ignored.clear();
        if !stays {
            self.accepting = 0;
        }
    }
}

/// When a final ACK that was ignored at `now` comes again: after the next repeat of the SYN-ACK that went out at `first`,
/// and a round trip. Also how many repeats there were up to now. `lost` says which of them (1 = the first, and when its
/// answer would come) do not get through.
///
/// `Err`: the kernel has no repeat left, and gives the connection up at that instant.
pub fn syn_ack_again(
    first: Time,
    now: Time,
    rtt: Span,
    lost: impl Fn(usize, Time) -> bool,
) -> (usize, Result<Time, Time>) {
    let answers = SYN_ACK_RESENDS.iter().map(|after| first + *after + rtt).zip(1..);
    let before = answers.clone().take_while(|(at, _)| *at <= now).count();
    let gives_up = first + SYN_ACK_GIVE_UP;
    let next = answers.skip(before).find(|(at, nth)| *at < gives_up && !lost(*nth, *at));
    (before, next.map(|(at, _)| at).ok_or(gives_up))
}

impl FrontEnd {
    /// Whether no SYN and no final ACK is ever refused while the process serves: with a dedicated acceptor and no bound of
    /// the SYN queue.
    #[inline]
    pub fn never_refuses(&self) -> bool {
        self.setup.accept.is_none() && self.setup.listen.syn_backlog.is_none()
    }

    /// A SYN comes.
    #[inline]
    pub fn syn(&mut self, now: Time, row: u32) -> Arrival {
        match self.life {
            Life::Starting | Life::Down => Arrival::Reset,
            Life::HostDown => Arrival::Silence(Unanswered::Host),
            Life::Up | Life::Dumping => {
                let arrival = self.listener.syn(now);
                if arrival == Arrival::Taken {
                    self.members.add(row);
                }
                arrival
            }
        }
    }

    /// The final ACK of a handshake comes. What is complete is accepted at once by a dedicated acceptor; it waits for its
    /// accept job, or while nobody reads.
    #[inline]
    pub fn final_ack(&mut self, row: u32) -> FinalAck {
        let waits = self.life != Life::Up || self.setup.accept.is_some();
        self.listener.ack(row, waits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Arrival = Arrival::Silence(Unanswered::AcceptQueue);

    fn listener(backlog: u32, syn_backlog: Option<u32>, overflow: Overflow) -> Listener {
        Listener::new(&Listen { backlog, somaxconn: 4096, syn_backlog, overflow })
    }

    #[test]
    fn rule_09_the_accept_queue_holds_one_more_than_the_lesser_of_backlog_and_somaxconn() {
        for (backlog, somaxconn, holds) in [(4, 4096, 5), (4096, 128, 129), (0, 0, 1), (u32::MAX, u32::MAX, 1 << 32)] {
            let listen = Listen { backlog, somaxconn, syn_backlog: None, overflow: Overflow::Drop };
            assert_eq!(listen.accept_queue(), holds);
        }
        let mut listener = listener(4, None, Overflow::Drop);
        for row in 0..5 {
            assert_eq!((listener.syn(Time(1)), listener.ack(row, true)), (Arrival::Taken, FinalAck::Complete));
        }
        assert_eq!((listener.syn(Time(2)), listener.ack(5, true)), (FULL, FinalAck::Ignored));
        listener.accepted();
        assert_eq!((listener.syn(Time(3)), listener.ack(5, true)), (Arrival::Taken, FinalAck::Complete));
        assert_eq!(listener.accepting_max(), 5);
    }

    #[test]
    fn rule_09_what_a_full_accept_queue_does_is_a_matter_of_the_stack() {
        for (overflow, syn, ack) in [
            (Overflow::Drop, FULL, FinalAck::Ignored),
            (Overflow::Abort, FULL, FinalAck::Reset),
            (Overflow::Reset, Arrival::ResetFull, FinalAck::Reset),
        ] {
            let mut listener = listener(0, None, overflow);
            assert_eq!([listener.syn(Time(1)), listener.syn(Time(1))], [Arrival::Taken; 2]);
            assert_eq!((listener.ack(0, true), listener.syn(Time(2))), (FinalAck::Complete, syn));
            assert_eq!(listener.ack(1, true), ack);
        }
    }

    #[test]
    fn rule_09_the_syn_queue_has_its_own_bound_and_what_leaves_at_an_instant_leaves_first() {
        let mut listener = listener(100, Some(2), Overflow::Drop);
        assert_eq!([listener.syn(Time(1)), listener.syn(Time(1))], [Arrival::Taken; 2]);
        assert_eq!(listener.syn(Time(2)), Arrival::Silence(Unanswered::SynQueue));
        listener.leave(0, Time(5));
        assert_eq!(listener.syn(Time(4)), Arrival::Silence(Unanswered::SynQueue));
        assert_eq!(
            [listener.syn(Time(5)), listener.syn(Time(5))],
            [Arrival::Taken, Arrival::Silence(Unanswered::SynQueue)]
        );
        assert_eq!((listener.ack(1, true), listener.syn(Time(6))), (FinalAck::Complete, Arrival::Taken));
    }

    #[test]
    fn rule_09_the_syn_ack_repeats_five_times_and_then_the_kernel_gives_up() {
        let (first, rtt) = (Time(500), Span(1_000));
        let mut now = first + rtt;
        for (before, after) in [1, 3, 7, 15, 31].into_iter().enumerate() {
            let next = first + Span::SECOND.times(after) + rtt;
            assert_eq!(syn_ack_again(first, now, rtt, |_, _| false), (before, Ok(next)));
            now = next;
        }
        let gone = first + Span::SECOND.times(63);
        assert_eq!(syn_ack_again(first, now, rtt, |_, _| false), (5, Err(gone)));
        let next = first + Span::SECOND.times(15) + rtt;
        assert_eq!(syn_ack_again(first, first + rtt, rtt, |nth, _| nth != 4), (0, Ok(next)));
    }

    #[test]
    fn the_first_syn_ack_of_a_row_is_remembered_until_it_leaves() {
        let mut listener = listener(0, None, Overflow::Drop);
        assert_eq!([listener.first_syn_ack(9, Time(5)), listener.first_syn_ack(9, Time(7))], [Time(5); 2]);
        listener.leave(9, Time(8));
        assert_eq!(listener.first_syn_ack(9, Time(7)), Time(7));
    }
}
