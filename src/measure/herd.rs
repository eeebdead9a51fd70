//! How synchronised refreshes are: the most that fall due in one second, against the mean of the cycle.

use crate::time::{Span, Time};

/// Counts dues second by second, cycle by cycle. Time never goes backwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Herd {
    every: Span,
    second: u64,
    in_second: u64,
    cycle: u64,
    in_cycle: u64,
    peak: u64,
    /// One index a cycle in which anything fell due: peak in one second × seconds of the cycle ÷ dues, rounded down.
    pub indices: Vec<u64>,
}

/// Cycles whose index is kept; a run with more says so by its length.
const CYCLES_MAX: usize = 100_000;

impl Herd {
    /// For refreshes that come `every` so often; cycles are counted from run time 0.
    pub fn new(every: Span) -> Herd {
        Herd { every, second: 0, in_second: 0, cycle: 0, in_cycle: 0, peak: 0, indices: Vec::new() }
    }

    /// `n` refreshes fall due at `now`.
    #[inline]
    pub fn due(&mut self, now: Time, n: u64) {
        let second = now.0 / Span::SECOND.0;
        if second != self.second {
            self.turn(now, second);
        }
        self.in_second += n;
        self.in_cycle += n;
    }

    #[cold]
    fn turn(&mut self, now: Time, second: u64) {
        self.peak = self.peak.max(self.in_second);
        (self.second, self.in_second) = (second, 0);
        let cycle = now.0 / self.every.0.max(1);
        if cycle != self.cycle {
            self.close();
            self.cycle = cycle;
        }
    }

    /// Ends the cycle that is open.
    pub fn close(&mut self) {
        self.peak = self.peak.max(self.in_second);
        if self.in_cycle > 0 && self.indices.len() < CYCLES_MAX {
            let seconds = u128::from((self.every.0 / Span::SECOND.0).max(1));
            let index = u128::from(self.peak) * seconds / u128::from(self.in_cycle);
            self.indices.push(u64::try_from(index).unwrap_or(u64::MAX));
        }
        (self.in_cycle, self.peak, self.in_second) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_herd_in_one_second_has_the_seconds_of_its_cycle_as_index_and_an_even_spread_has_one() {
        let mut herd = Herd::new(Span::DAY);
        herd.due(Time(Span::HOUR.0), 500);
        for second in 0..86_400 {
            herd.due(Time(Span::DAY.0 + second * Span::SECOND.0), 3);
        }
        herd.close();
        assert_eq!(herd.indices, [86_400, 1]);
    }
}
