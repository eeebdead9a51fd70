//! Counting latencies on the hot path: HDR's own buckets at three digits, without its range checks.
//!
//! Measured at a third of the crate's time a record (docs/performance.md). Every count ends in a real
//! [`Histo`](super::Histo) when the run does; that both agree bucket for bucket is a test.

use std::collections::BTreeMap;

use super::meters::Histo;
use crate::time::Span;

/// Counts by bucket: 2^11 of 1 ns, then 2^10 for each doubling.
///
/// Half the size of plain 64-bit counts, for it is cache that they cost; a count that comes round is carried.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    counts: Vec<u32>,
    carried: BTreeMap<usize, u64>, // by bucket, how often its count came round
}

/// log2 of the buckets for each doubling: three significant digits need 1,024.
const HALF: u32 = 10;

impl Tally {
    /// Counts one length.
    #[inline]
    pub(super) fn record(&mut self, value: Span) {
        let index = index(value.0);
        match self.counts.get_mut(index) {
            Some(count) => {
                *count = count.wrapping_add(1);
                if *count == 0 {
                    self.carry(index);
                }
            }
            None => self.grow(index),
        }
    }

    #[cold]
    fn carry(&mut self, index: usize) {
        *self.carried.entry(index).or_default() += 1 << 32;
    }

    #[cold]
    fn grow(&mut self, index: usize) {
        self.counts.resize((index | ((1 << HALF) - 1)) + 1, 0);
        self.counts[index] += 1;
    }

    /// Counts all that another has counted.
    pub(super) fn add(&mut self, other: &Tally) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (index, count) in other.counts.iter().enumerate() {
            let (sum, round) = self.counts[index].overflowing_add(*count);
            self.counts[index] = sum;
            if round {
                self.carry(index);
            }
        }
        for (index, carried) in &other.carried {
            *self.carried.entry(*index).or_default() += carried;
        }
    }

    /// The histogram that a recorder of the crate would have made of it; `None`: nothing was counted.
    pub(super) fn histogram(&self) -> Option<Histo> {
        if self.counts.is_empty() {
            return None;
        }
        // Three digits are within the crate's 0..=5, and with auto-resize a u64 always has a bucket: neither can fail.
        let mut histogram = Histo::new(3).ok()?;
        histogram.auto(true);
        for (index, count) in self.counts.iter().enumerate() {
            let carried = self.carried.get(&index).copied().unwrap_or(0);
            let count = u64::from(*count) + carried;
            if count > 0 {
                histogram.record_n(value(index), count).ok()?;
            }
        }
        Some(histogram)
    }
}

#[inline]
fn index(value: u64) -> usize {
    let doubling = 63 - HALF - (value | ((2 << HALF) - 1)).leading_zeros();
    ((doubling as usize) << HALF) + (value >> doubling) as usize
}

/// The least value of a bucket.
fn value(index: usize) -> u64 {
    let doubling = (index >> HALF).saturating_sub(1);
    ((index - (doubling << HALF)) as u64) << doubling
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buckets_are_those_of_the_crate(values in prop::collection::vec((any::<u64>(), 0..64u32), 1..200)) {
            let (mut tally, mut histogram) = (Tally::default(), Histo::new(3).unwrap());
            histogram.auto(true);
            for (value, shift) in values {
                tally.record(Span(value >> shift));
                histogram.record(value >> shift).unwrap();
            }
            prop_assert_eq!(tally.histogram().unwrap(), histogram);
        }
    }

    #[test]
    fn a_count_that_comes_round_is_carried() {
        let mut tally = Tally::default();
        tally.record(Span(5));
        tally.counts[5] = u32::MAX;
        tally.record(Span(5));
        tally.record(Span(5));
        assert_eq!(tally.histogram().unwrap().len(), (1 << 32) + 1);
        let mut sum = tally.clone();
        sum.counts[5] = u32::MAX;
        sum.add(&tally);
        assert_eq!(sum.histogram().unwrap().len(), 3 * (1 << 32));
    }

    #[test]
    fn the_ends_have_buckets_too() {
        let mut tally = Tally::default();
        for value in [0, 1, 2_047, 2_048, u64::MAX] {
            tally.record(Span(value));
        }
        assert_eq!(tally.histogram().unwrap().len(), 5);
    }
}
