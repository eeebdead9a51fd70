//! One connection's row: all that a run keeps of a peer.
//!
//! Knows times, counters and packed flags. Does not know its group, its name or its round trip: those are looked up by
//! its position or drawn again.

use crate::measure::Cause;
use crate::rng::When;
use crate::time::Time;

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
}

const STEPS: [Step; 10] = [
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
}

const OBLIGATIONS: [Obligation; 6] = [
    Obligation::None,
    Obligation::Taken,
    Obligation::TakenLost,
    Obligation::InRun,
    Obligation::Open,
    Obligation::OpenLost,
];

/// All that a run keeps of a peer: 48 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// When the one entry of this row that counts will fire; any other of the same kind is stale.
    pub next: Time,
    /// When the present try, or the one that made this connection, sent its SYN.
    pub started: Time,
    /// When its refresh is or was due; `NEVER` if there is none to come.
    pub due: Time,
    /// Valid: since when, at the front end. Else: when the peer learned of its loss, or joined.
    pub since: Time,
    /// The peer's own dues since the run's start.
    pub cycle: u32,
    /// Tries since the last loss.
    pub attempt: u32,
    /// Losses within the cycle.
    pub episode: u16,
    /// Position of its front end.
    pub place: u16,
    /// Changes with each try and each end of a connection: what carries an older one has no effect.
    pub generation: u16,
    state: u16,
}

const _: () = assert!(size_of::<Row>() == 48, "a row is 48 bytes: docs/performance.md counts on it");

// Bits of `state`: step 4, flight 3, cause 2, obligation 3, sampled 1.
const FLIGHT: u16 = 4;
const CAUSE: u16 = 7;
const OBLIGATION: u16 = 9;
const SAMPLED: u16 = 12;

/// The most TLS flights that a handshake may have: three bits.
pub const FLIGHTS_MAX: usize = 7;

impl Row {
    /// A peer that is not there, whose first front end is at `place`.
    pub fn absent(place: u16) -> Row {
        Row {
            next: Time::NEVER,
            started: Time::NEVER,
            due: Time::NEVER,
            since: Time::NEVER,
            cycle: 0,
            attempt: 0,
            episode: 0,
            place,
            generation: 0,
            state: 0,
        }
    }

    /// Where it is in its life.
    #[inline]
    pub fn step(&self) -> Step {
        STEPS[usize::from(self.state & 0xF).min(STEPS.len() - 1)]
    }

    /// Moves on.
    #[inline]
    pub fn set_step(&mut self, step: Step) {
        self.state = self.state & !0xF | step as u16;
    }

    /// Server flights that are over.
    #[inline]
    pub fn flight(&self) -> usize {
        usize::from(self.state >> FLIGHT & 7)
    }

    /// Sets the server flights that are over; at most 7.
    #[inline]
    pub fn set_flight(&mut self, flight: usize) {
        self.state = self.state & !(7 << FLIGHT) | (flight as u16 & 7) << FLIGHT;
    }

    /// Why the present try is made, or the connection was.
    #[inline]
    pub fn cause(&self) -> Cause {
        match self.state >> CAUSE & 3 {
            0 => Cause::Initial,
            1 => Cause::Refresh,
            _ => Cause::Recovery,
        }
    }

    /// Sets the cause of what comes.
    #[inline]
    pub fn set_cause(&mut self, cause: Cause) {
        self.state = self.state & !(3 << CAUSE) | (cause as u16) << CAUSE;
    }

    /// Its refresh.
    #[inline]
    pub fn obligation(&self) -> Obligation {
        OBLIGATIONS[usize::from(self.state >> OBLIGATION & 7).min(OBLIGATIONS.len() - 1)]
    }

    /// Sets its refresh.
    #[inline]
    pub fn owe(&mut self, obligation: Obligation) {
        self.state = self.state & !(7 << OBLIGATION) | (obligation as u16) << OBLIGATION;
    }

    /// Whether every decision about it goes into the records.
    #[inline]
    pub fn sampled(&self) -> bool {
        self.state >> SAMPLED & 1 == 1
    }

    /// Puts every decision about it into the records.
    pub fn sample(&mut self) {
        self.state |= 1 << SAMPLED;
    }

    /// What its draws hang on now.
    #[inline]
    pub fn when(&self) -> When {
        When { cycle: self.cycle, episode: self.episode, attempt: self.attempt }
    }

    /// Whether it is between a SYN and either valid or the news of a failure.
    #[inline]
    pub fn is_trying(&self) -> bool {
        matches!(self.step(), Step::SynSent | Step::FlightSent | Step::InJob | Step::Silent | Step::RefusalSent)
    }

    /// Starts a new cycle: a due of its own.
    #[inline]
    pub fn next_cycle(&mut self) {
        self.cycle = self.cycle.wrapping_add(1);
        (self.episode, self.attempt) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_do_not_touch_each_other() {
        let mut row = Row::absent(3);
        row.sample();
        for step in STEPS {
            for obligation in OBLIGATIONS {
                for cause in Cause::ALL {
                    row.set_step(step);
                    row.owe(obligation);
                    row.set_cause(cause);
                    row.set_flight(5);
                    assert_eq!((row.step(), row.obligation(), row.cause()), (step, obligation, cause));
                    assert_eq!((row.flight(), row.sampled()), (5, true));
                }
            }
        }
    }
}
