//! Which front end a peer takes or is handed to, and when it goes back to its first (model rule 26).

use crate::time::Span;

/// In what order peers try the front ends of their list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListOrder {
    /// All as they are listed.
    Listed,
    /// As they are listed, from one of them on that each peer draws: as DNS round robin hands out its answers.
    RoundRobin,
    /// They have no order: a middlebox hands them on.
    Middlebox,
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
            ListOrder::Listed | ListOrder::Middlebox => 0,
            ListOrder::RoundRobin => ((u128::from(bits()) * front_ends as u128) >> 64) as usize,
        }
    }
}

/// Something between peers and front ends that hands each new connection to one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Middlebox {
    /// Time between two looks at who serves; more than zero.
    pub probe: Span,
    /// Whether a peer is handed to the front end that it had before, as long as that is believed to serve.
    pub persistence: bool,
    /// What it does about connections over which nothing comes; `None`: nothing.
    pub idle: Option<Idle>,
}

/// What a middlebox does about a connection over which nothing has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Idle {
    /// For so long; above zero.
    pub after: Span,
    /// What it does then.
    pub then: OnIdle,
}

/// How a middlebox ends a connection over which nothing has come for too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnIdle {
    /// It forgets it, and tells nobody.
    Silent,
    /// It resets it at both ends.
    Reset,
}

impl Middlebox {
    /// Which of `list` it hands a peer to that was at `last` before: one of those that are `believed` to serve, by the
    /// peer's draw `bits`. `None`: there is none.
    pub fn choose(
        &self,
        list: &[u16],
        last: Option<u16>,
        believed: impl Fn(u16) -> bool,
        bits: impl FnOnce() -> u64,
    ) -> Option<u16> {
        if let Some(last) = last.filter(|last| self.persistence && believed(*last)) {
            return Some(last);
        }
        let mut up = list.iter().copied().filter(|place| believed(*place));
        let nth = (u128::from(bits()) * up.clone().count() as u128) >> 64;
        up.nth(nth as usize)
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

    #[test]
    fn rule_26_a_middlebox_hands_on_to_whom_it_believes_to_serve_and_with_persistence_to_the_same() {
        let sticky = Middlebox { probe: Span::SECOND, persistence: true, idle: None };
        let (list, up) = ([4, 7, 2, 9], |place: u16| place != 7);
        let picks = |last, bits| sticky.choose(&list, last, up, || bits);
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(|bits| picks(None, bits)), [Some(4), Some(2), Some(9)]);
        assert_eq!([Some(9), Some(7)].map(|last| picks(last, 0)), [Some(9), Some(4)]);
        let fresh = Middlebox { persistence: false, ..sticky };
        assert_eq!(fresh.choose(&list, Some(9), up, || 0), Some(4));
        assert_eq!(sticky.choose(&list, Some(9), |_| false, || 0), None);
    }
}
