//! One connection's row: all that a run keeps of a peer.
//!
//! Knows times, counters and packed flags. Does not know its group, its name or its round trip: those are looked up by
//! its position or drawn again.

use crate::measure::Cause;
use crate::rng::When;
use crate::time::{Span, Time};

/// Where a connection is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Step {
    /// The peer is not there.
    Absent,
    /// The peer waits before its next try.
    BackOff,
    /// Its SYN is on its way.
    SynSent,
    /// A flight or the first message is on its way to the front end.
    FlightSent,
    /// A job of it waits or is in service.
    InJob,
    /// Valid.
    Valid,
    /// Nobody will answer: only a time-out or a reset ends this.
    Silent,
    /// A refusal of this try is on its way to the peer.
    RefusalSent,
    /// A reset of an established connection is on its way to the peer.
    ResetSent,
    /// Waits for the first service start of its front end (`start = established`).
    Promised,
    /// Connected as the peer sees it; its final ACK found the accept queue full, and the next one is to come.
    AckIgnored,
}

/// By their numbers; the rest of the four bits is never set.
const STEPS: [Step; 16] = [
    Step::Absent,
    Step::BackOff,
    Step::SynSent,
    Step::FlightSent,
    Step::InJob,
    Step::Valid,
    Step::Silent,
    Step::RefusalSent,
    Step::ResetSent,
    Step::Promised,
    Step::AckIgnored,
    Step::Absent,
    Step::Absent,
    Step::Absent,
    Step::Absent,
    Step::Absent,
];

/// What the peer owes: its refresh, if one is under way (model rule 20).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Obligation {
    /// None.
    None,
    /// A tick took it; it is not due yet.
    Taken,
    /// A tick took it; the connection was lost before the due.
    TakenLost,
    /// A tick took it; it waits in the tick's run.
    InRun,
    /// Due and not finished.
    Open,
    /// Due and not finished, and its connection was lost.
    OpenLost,
    /// Due and not finished: its new connection is being made at another front end, out of every sweep.
    OpenMoved,
}

/// By their numbers; the rest of the three bits is never set.
const OBLIGATIONS: [Obligation; 8] = [
    Obligation::None,
    Obligation::Taken,
    Obligation::TakenLost,
    Obligation::InRun,
    Obligation::Open,
    Obligation::OpenLost,
    Obligation::OpenMoved,
    Obligation::None,
];

/// All that a run keeps of a peer: 48 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// When the one entry of this row that counts will fire; any other of the same kind is stale. Valid: when the peer
    /// learns, or learned, of the verdict; `NEVER` if there was none.
    pub next: Time,
    /// When the present try, or the one that made this connection, sent its SYN.
    pub started: Time,
    /// When its refresh is or was due; `NEVER` if there is none to come.
    pub due: Time,
    /// Valid: since when, at the front end. Else: when the peer learned of its loss, or joined.
    pub since: Time,
    /// Round-trip time in ns, where it fits; 0: not drawn yet, or longer. A copy of what the draw gives each time.
    rtt: u32,
    // Bits: cycle 24, step 4, cause 2, sampled 1, resumes 1.
    cycle_and_step: u32,
    /// Tries since the last loss; those from the 65,536th on share their draws.
    pub attempt: u16,
    /// Losses within the cycle.
    pub episode: u16,
    /// Changes with each try and each end of a connection: what carries an older one has no effect.
    pub generation: u16,
    // Bits: place 10, flight 3, obligation 3.
    place_and_flags: u16,
}

const _: () = assert!(size_of::<Row>() == 48, "a row is 48 bytes: docs/performance.md counts on it");

const STEP: u32 = 24;
const CAUSE: u32 = 28;
const SAMPLED: u32 = 30;
const RESUMES: u32 = 31;
/// The fourth value of a cause: recovery, after a crash.
const LOST_BY_CRASH: u32 = 3;
const FLIGHT: u16 = 10;
const OBLIGATION: u16 = 13;

/// The most TLS flights that a handshake may have: three bits.
pub const FLIGHTS_MAX: usize = 7;

/// The most front ends of a run: ten bits.
pub const FRONT_ENDS_MAX: usize = 1 << 10;

/// The most refreshes that one peer may have in a run: 24 bits.
pub const CYCLES_MAX: u64 = 1 << 24;

impl Row {
    /// A peer that is not there, whose first front end is at `place`.
    pub fn absent(place: u16) -> Row {
        let mut row = Row {
            next: Time::NEVER,
            started: Time::NEVER,
            due: Time::NEVER,
            since: Time::NEVER,
            rtt: 0,
            cycle_and_step: 0,
            attempt: 0,
            episode: 0,
            generation: 0,
            place_and_flags: 0,
        };
        row.set_place(place);
        row
    }

    /// Has both ends of the row, which may lie in two cache lines, brought into the cache; nothing waits for them.
    #[inline]
    pub fn fetch(&self) {
        #[cfg(target_arch = "x86_64")]
        {
            safe_arch::prefetch_t0(&self.next);
            safe_arch::prefetch_t0(&self.generation);
        }
        // Elsewhere a read whose only use is that it was made.
        #[cfg(not(target_arch = "x86_64"))]
        std::hint::black_box(self.next.0 ^ u64::from(self.generation));
    }

    /// Position of its front end.
    #[inline]
    pub fn place(&self) -> u16 {
        self.place_and_flags & 0x3FF
    }

    /// Moves it to another front end; below [`FRONT_ENDS_MAX`].
    #[inline]
    pub fn set_place(&mut self, place: u16) {
        self.place_and_flags = self.place_and_flags & !0x3FF | place & 0x3FF;
    }

    /// The peer's own dues since the run's start.
    #[inline]
    pub fn cycle(&self) -> u32 {
        self.cycle_and_step & 0xFF_FFFF
    }

    /// Moves its count of dues on.
    #[inline]
    pub fn add_cycles(&mut self, n: u32) {
        let cycle = self.cycle().wrapping_add(n) & 0xFF_FFFF;
        self.cycle_and_step = self.cycle_and_step & !0xFF_FFFF | cycle;
    }

    /// Its round-trip time, kept where it fits: `draw` is what it is.
    #[inline(always)]
    pub fn rtt(&mut self, draw: impl FnOnce() -> Span) -> Span {
        if self.rtt == 0 { self.draw_rtt(draw) } else { Span(u64::from(self.rtt)) }
    }

    #[cold]
    #[inline(never)]
    fn draw_rtt(&mut self, draw: impl FnOnce() -> Span) -> Span {
        let span = draw();
        self.rtt = u32::try_from(span.0).unwrap_or(0);
        span
    }

    /// Where it is in its life.
    #[inline]
    pub fn step(&self) -> Step {
        STEPS[(self.cycle_and_step >> STEP & 0xF) as usize]
    }

    /// Moves on.
    #[inline]
    pub fn set_step(&mut self, step: Step) {
        self.cycle_and_step = self.cycle_and_step & !(0xF << STEP) | (step as u32) << STEP;
    }

    /// Server flights that are over.
    #[inline]
    pub fn flight(&self) -> usize {
        usize::from(self.place_and_flags >> FLIGHT & 7)
    }

    /// Sets the server flights that are over; at most 7.
    #[inline]
    pub fn set_flight(&mut self, flight: usize) {
        self.place_and_flags = self.place_and_flags & !(7 << FLIGHT) | (flight as u16 & 7) << FLIGHT;
    }

    /// Why the present try is made, or the connection was.
    #[inline]
    pub fn cause(&self) -> Cause {
        match self.cycle_and_step >> CAUSE & 3 {
            0 => Cause::Initial,
            1 => Cause::Refresh,
            _ => Cause::Recovery,
        }
    }

    /// Sets the cause of what comes.
    #[inline]
    pub fn set_cause(&mut self, cause: Cause) {
        self.cycle_and_step = self.cycle_and_step & !(3 << CAUSE) | (cause as u32) << CAUSE;
    }

    /// Its refresh.
    #[inline]
    pub fn obligation(&self) -> Obligation {
        OBLIGATIONS[usize::from(self.place_and_flags >> OBLIGATION)]
    }

    /// Sets its refresh.
    #[inline]
    pub fn owe(&mut self, obligation: Obligation) {
        self.place_and_flags = self.place_and_flags & !(7 << OBLIGATION) | (obligation as u16) << OBLIGATION;
    }

    /// Whether every decision about it goes into the records.
    #[inline]
    pub fn sampled(&self) -> bool {
        self.cycle_and_step >> SAMPLED & 1 == 1
    }

    /// Puts every decision about it into the records.
    pub fn sample(&mut self) {
        self.cycle_and_step |= 1 << SAMPLED;
    }

    /// Whether its handshake takes up an earlier TLS session.
    #[inline]
    pub fn resumes(&self) -> bool {
        self.cycle_and_step >> RESUMES == 1
    }

    /// Sets whether its handshake takes up an earlier TLS session.
    pub fn set_resumes(&mut self, resumes: bool) {
        self.cycle_and_step = self.cycle_and_step & !(1 << RESUMES) | u32::from(resumes) << RESUMES;
    }

    /// Whether it recovers from a loss by a crash.
    #[inline]
    pub fn lost_by_crash(&self) -> bool {
        self.cycle_and_step >> CAUSE & 3 == LOST_BY_CRASH
    }

    /// It recovers from a loss by a crash.
    pub fn set_lost_by_crash(&mut self) {
        self.cycle_and_step |= LOST_BY_CRASH << CAUSE;
    }

    /// What its draws hang on now.
    #[inline]
    pub fn when(&self) -> When {
        When { cycle: self.cycle(), episode: self.episode, attempt: u32::from(self.attempt) }
    }

    /// Whether it is between a SYN and either valid or the news of a failure.
    #[inline]
    pub fn is_trying(&self) -> bool {
        matches!(
            self.step(),
            Step::SynSent | Step::FlightSent | Step::InJob | Step::Silent | Step::RefusalSent | Step::AckIgnored
        )
    }

    /// The row as a question about a try shows it that the peer has left behind: what it counts now is another's number.
    #[cold]
    pub fn left_behind(&self) -> Row {
        Row { attempt: 0, ..*self }
    }

    /// Starts a new cycle: a due of its own.
    #[inline]
    pub fn next_cycle(&mut self) {
        self.add_cycles(1);
        (self.episode, self.attempt) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_do_not_touch_each_other() {
        let mut row = Row::absent(1023);
        row.sample();
        row.add_cycles(0xFF_FFFF);
        for step in &STEPS[..11] {
            for obligation in &OBLIGATIONS[..7] {
                let (step, obligation) = (*step, *obligation);
                for cause in [Cause::Initial, Cause::Refresh, Cause::Recovery] {
                    row.set_step(step);
                    row.owe(obligation);
                    row.set_cause(cause);
                    row.set_flight(5);
                    row.set_resumes(!row.resumes());
                    let resumes = row.resumes();
                    assert!(!row.lost_by_crash());
                    assert_eq!((row.step(), row.obligation(), row.cause()), (step, obligation, cause));
                    assert_eq!((row.flight(), row.sampled()), (5, true));
                    row.set_step(step);
                    assert_eq!(row.resumes(), resumes);
                    row.set_lost_by_crash();
                    assert!(row.lost_by_crash() && row.cause() == Cause::Recovery);
                    assert_eq!((row.place(), row.cycle()), (1023, 0xFF_FFFF));
                }
            }
        }
    }
}
