//! Requests of a cell, counted apart from its other counters: without requests there are none (model rule 28).

use crate::time::Span;

/// What became of the requests of one cell. The five outcomes add up to `due`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RequestCounts {
    /// Requests that fell due.
    pub due: u64,
    /// Answered: the peer had the answer at its time-out at the latest.
    pub in_time: u64,
    /// Failed: the time-out was over.
    pub timed_out: u64,
    /// Failed: the peer learned that the connection of the request was gone.
    pub connection_lost: u64,
    /// The peer left first.
    pub departed: u64,
    /// Open at the end of the run.
    pub unfinished: u64,
    /// Of those that failed, how many did so before measuring began.
    pub unmeasured: u64,
    /// Greatest age of one that failed.
    pub oldest_failed: Span,
    /// Greatest age of one open at the end of the run.
    pub oldest_open: Option<Span>,
}

impl RequestCounts {
    /// How many rank as infinitely late: those that failed since measuring began, and those still open.
    pub fn never(&self) -> u64 {
        self.timed_out + self.connection_lost + self.unfinished - self.unmeasured
    }

    /// Both together.
    pub fn and(&self, other: &RequestCounts) -> RequestCounts {
        RequestCounts {
            due: self.due + other.due,
            in_time: self.in_time + other.in_time,
            timed_out: self.timed_out + other.timed_out,
            connection_lost: self.connection_lost + other.connection_lost,
            departed: self.departed + other.departed,
            unfinished: self.unfinished + other.unfinished,
            unmeasured: self.unmeasured + other.unmeasured,
            oldest_failed: self.oldest_failed.max(other.oldest_failed),
            oldest_open: self.oldest_open.max(other.oldest_open),
        }
    }

    /// The numbers that close a digest.
    pub fn numbers(&self) -> [u64; 9] {
        let oldest_open = self.oldest_open.map_or(0, |age| age.0);
        [
            self.due,
            self.in_time,
            self.timed_out,
            self.connection_lost,
            self.departed,
            self.unfinished,
            self.unmeasured,
            self.oldest_failed.0,
            oldest_open,
        ]
    }
}
