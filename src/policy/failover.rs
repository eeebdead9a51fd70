//! Which front end a peer takes, and when it goes back to its first (model rule 26).

use crate::time::Span;

/// In what order peers try the front ends of their list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListOrder {
    /// All as they are listed.
    Listed,
    /// As they are listed, from one of them on that each peer draws: as DNS round robin hands out its answers.
    RoundRobin,
}

/// How a peer goes from front end to front end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failover {
    /// Where its list begins.
    pub order: ListOrder,
    /// A front end that failed is skipped for so long; zero: not at all.
    pub black_list: Span,
    /// After so long on one front end that is not its first, a peer moves to its first. `None`: it stays.
    pub fail_back: Option<Span>,
}

impl Failover {
    /// All in the order of the list, nothing skipped, nobody moves back.
    pub const PLAIN: Failover = Failover { order: ListOrder::Listed, black_list: Span::ZERO, fail_back: None };

    /// The position in a list of `front_ends` (at least 1) at which a peer's own order begins; `bits` is its draw.
    pub fn first(&self, front_ends: usize, bits: impl FnOnce() -> u64) -> usize {
        match self.order {
            ListOrder::Listed => 0,
            ListOrder::RoundRobin => ((u128::from(bits()) * front_ends as u128) >> 64) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_26_round_robin_begins_anywhere_in_the_list_and_listed_at_its_head() {
        let turned = Failover { order: ListOrder::RoundRobin, ..Failover::PLAIN };
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(|bits| turned.first(4, || bits)), [0, 1, 3]);
        assert_eq!(turned.first(1, || u64::MAX), 0);
        assert_eq!(Failover::PLAIN.first(4, || u64::MAX), 0);
    }
}
