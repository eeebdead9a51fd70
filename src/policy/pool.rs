//! How many front ends a pool needs to start and to go on, and what starts it again (model rule 25).
//!
//! Knows numbers and the order of front ends; not what they do.

use crate::time::Span;

/// The most front ends of a pool whose numbers are published for Skype for Business Server 2015.
pub const PUBLISHED_MAX: usize = 12;

/// By size from 1: needed at a cold start, needed to go on, counted among the first so many.
///
/// Source: OfficeDocs-SkypeForBusiness, `plan-your-deployment/high-availability-and-disaster-recovery/high-availability`.
const PUBLISHED: [[u16; 3]; PUBLISHED_MAX] = [
    [1, 1, 1],
    [1, 1, 2],
    [3, 2, 3],
    [3, 2, 4],
    [4, 3, 5],
    [5, 3, 6],
    [5, 4, 7],
    [6, 4, 7],
    [7, 4, 7],
    [8, 5, 9],
    [9, 5, 9],
    [10, 5, 9],
];

/// How many front ends a pool needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Minimum {
    /// So many must be ready at a cold start; at least 1.
    pub start: u16,
    /// So many must serve, …
    pub functional: u16,
    /// … of the first so many in the scenario's order; at most the size of the pool.
    pub among: u16,
}

/// What starts the survivors again that stopped because they were too few.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// Nothing does.
    Manual,
    /// Their processes start this long after they stopped.
    After(Span),
}

/// Front ends that serve the same peers and need each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    /// How many are needed.
    pub minimum: Minimum,
    /// Whether half of all of them, rounded up, must serve as well. (Of an even number the witness is the odd vote.)
    pub quorum: bool,
    /// What starts survivors again.
    pub restart: Restart,
}

impl Minimum {
    /// The published numbers for a pool of `size`; `None` for none, or for more than [`PUBLISHED_MAX`].
    pub fn published(size: usize) -> Option<Minimum> {
        let [start, functional, among] = *PUBLISHED.get(size.checked_sub(1)?)?;
        Some(Minimum { start, functional, among })
    }
}

impl Pool {
    /// Whether a cold start may begin with so many front ends ready.
    pub fn may_start(&self, ready: usize) -> bool {
        ready >= usize::from(self.minimum.start)
    }

    /// Whether the pool goes on, by who serves, in the scenario's order.
    pub fn goes_on(&self, serve: &[bool]) -> bool {
        let count = |serve: &[bool]| serve.iter().filter(|serves| **serves).count();
        let among = serve.len().min(usize::from(self.minimum.among));
        count(&serve[..among]) >= usize::from(self.minimum.functional)
            && (!self.quorum || count(serve) >= serve.len().div_ceil(2))
    }

    /// Whether a pool of `size` that has just started goes on, whoever it started with.
    pub fn is_consistent(&self, size: usize) -> bool {
        let Minimum { start, functional, among } = self.minimum;
        let (start, among) = (usize::from(start), usize::from(among));
        let absent = size.saturating_sub(start);
        (1..=size).contains(&start)
            && (1..=size).contains(&among)
            && among.saturating_sub(absent) >= usize::from(functional).max(1)
            && (!self.quorum || start >= size.div_ceil(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(minimum: Minimum) -> Pool {
        Pool { minimum, quorum: false, restart: Restart::Manual }
    }

    #[test]
    fn rule_25_the_table_is_the_published_one() {
        let start = [1, 1, 3, 3, 4, 5, 5, 6, 7, 8, 9, 10];
        let functional = [1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5];
        let among = [1, 2, 3, 4, 5, 6, 7, 7, 7, 9, 9, 9];
        for size in 1..=12 {
            let minimum = Minimum::published(size).expect("published");
            let expected = (start[size - 1], functional[size - 1], among[size - 1]);
            assert_eq!((minimum.start, minimum.functional, minimum.among), expected, "{size}");
            assert!(pool(minimum).is_consistent(size), "{size}");
        }
        assert_eq!((Minimum::published(0), Minimum::published(13), Minimum::published(usize::MAX)), (None, None, None));
    }

    #[test]
    fn rule_25_whoever_is_beyond_the_first_does_not_count() {
        let pool = pool(Minimum::published(12).expect("published"));
        let serve = |places: &[usize]| -> Vec<bool> { (0..12).map(|place| places.contains(&place)).collect() };
        assert!(pool.goes_on(&serve(&[0, 2, 4, 6, 8])));
        assert!(!pool.goes_on(&serve(&[0, 2, 4, 6, 9, 10, 11])), "four of the first nine");
        assert!(!pool.goes_on(&serve(&[])));
    }

    #[test]
    fn rule_25_a_quorum_is_half_of_all_rounded_up() {
        let minimum = Minimum { start: 3, functional: 1, among: 5 };
        let with = Pool { quorum: true, ..pool(minimum) };
        let serve = |n: usize, of: usize| -> Vec<bool> { (0..of).map(|place| place < n).collect() };
        assert!(with.goes_on(&serve(3, 5)) && !with.goes_on(&serve(2, 5)));
        assert!(with.goes_on(&serve(2, 4)) && !with.goes_on(&serve(1, 4)));
        assert!(pool(minimum).goes_on(&serve(1, 5)));
    }

    #[test]
    fn rule_25_numbers_by_which_a_pool_would_stop_at_its_start_are_not_consistent() {
        let with = |start, functional, among| pool(Minimum { start, functional, among });
        assert!(with(3, 2, 4).is_consistent(4) && with(1, 1, 1).is_consistent(1));
        for (start, functional, among) in [(2, 2, 3), (0, 1, 4), (5, 1, 4), (3, 0, 0), (3, 2, 5), (3, 4, 4)] {
            assert!(!with(start, functional, among).is_consistent(4), "{start} {functional} {among}");
        }
        assert!(!Pool { quorum: true, ..with(1, 1, 4) }.is_consistent(4));
    }
}
