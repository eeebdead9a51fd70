//! What keeps peers that come back from being too many: a budget of retries, a pace of attempts, a bound on those in
//! flight (model rule 14). Shared by the peers of a group, unlike everything else that a policy decides.

use super::ratio::{Rate, Ratio};
use crate::time::{Span, Time};

/// Who shares one budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All peers of the group.
    Group,
    /// Those of them that turn to the same front end.
    FrontEnd,
}

/// A retry budget: within any `window` retries are at most `share` of the first attempts plus `floor`.
///
/// As Finagle's: 20 % and 10/s over 10 s there. First attempts are those after a loss, a due or an arrival, retries all
/// others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Retries for each first attempt.
    pub share: Ratio,
    /// Retries that are always granted.
    pub floor: Rate,
    /// How long attempts count; at least [`Budget::WINDOW_MIN`].
    pub window: Span,
    /// Who shares it.
    pub scope: Scope,
}

impl Budget {
    /// The shortest window: a peer that is refused asks again after a tenth of it at the earliest, and that must be some
    /// time.
    pub const WINDOW_MIN: Span = Span::SECOND;

    /// How long after a refusal it is at least until a peer asks again: when the oldest part of the window has gone.
    pub fn patience(&self) -> Span {
        Span((self.window.0 / SLICES as u64).max(1))
    }
}

/// Parts of the window that are forgotten as a whole, as many as Finagle has.
const SLICES: usize = 10;

/// First attempts and retries within one part of the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Slice {
    number: u64,
    first: u64,
    retries: u64,
}

/// What is left of a [`Budget`]: attempts within the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tokens {
    slices: [Slice; SLICES],
}

impl Tokens {
    fn slice(&mut self, budget: &Budget, now: Time) -> &mut Slice {
        let number = now.0 / budget.patience().0;
        let slice = &mut self.slices[(number % SLICES as u64) as usize];
        if slice.number != number {
            *slice = Slice { number, first: 0, retries: 0 };
        }
        slice
    }

    /// A first attempt is made at `now`.
    pub fn first(&mut self, budget: &Budget, now: Time) {
        self.slice(budget, now).first += 1;
    }

    /// Whether a retry may be made at `now`; if so it is counted.
    pub fn retry(&mut self, budget: &Budget, now: Time) -> bool {
        let newest = self.slice(budget, now).number;
        let there = self.slices.iter().filter(|slice| slice.number + SLICES as u64 > newest);
        let (first, retries) = there.fold((0u64, 0u64), |sum, slice| (sum.0 + slice.first, sum.1 + slice.retries));
        let (num, den) = budget.share.parts();
        let wide = |n: u64| u128::from(n);
        // (retries + 1) ≤ first · num / den + count · window / per, in whole numbers.
        let granted = wide(first) * u128::from(num) * wide(budget.floor.per.0)
            + u128::from(budget.floor.count) * wide(budget.window.0) * u128::from(den);
        let asked = wide(retries + 1) * u128::from(den) * wide(budget.floor.per.0);
        let may = asked <= granted;
        self.slice(budget, now).retries += u64::from(may);
        may
    }
}

/// Bounds on attempts at one front end, as the peers of a group see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnectLimit {
    /// Attempts follow each other at this pace at most; not zero.
    pub rate: Option<Rate>,
    /// Attempts under way at once; not zero.
    pub in_flight: Option<u32>,
}

impl ConnectLimit {
    /// Whether there is any.
    pub fn is_none(&self) -> bool {
        self.rate.is_none() && self.in_flight.is_none()
    }
}

/// When the next attempt may be made at a given pace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pace {
    next: Time,
}

impl Pace {
    /// Takes the next turn at `now` or later: turns go in the order in which they are asked for.
    pub fn turn(&mut self, rate: Rate, now: Time) -> Time {
        let turn = self.next.max(now);
        self.next = turn + rate.interval();
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time(Span::MILLISECOND.times(ms).0)
    }

    fn granted(tokens: &mut Tokens, budget: &Budget, ms: u64, asked: u32) -> u32 {
        (0..asked).map(|_| u32::from(tokens.retry(budget, at(ms)))).sum()
    }

    #[test]
    fn rule_14_a_budget_grants_a_share_of_first_attempts_and_a_floor() {
        let window = Span::SECOND.times(10);
        let finagle = Budget { share: Ratio::percent(20), floor: Rate::per_second(10), window, scope: Scope::Group };
        let mut tokens = Tokens::default();
        assert_eq!(granted(&mut tokens, &finagle, 0, 1_000), 100, "10/s over 10 s");
        (0..1_000).for_each(|_| tokens.first(&finagle, at(500)));
        assert_eq!(granted(&mut tokens, &finagle, 500, 1_000), 200, "20 % of 1000 more");
        assert_eq!(granted(&mut tokens, &finagle, 9_999, 1_000), 0, "all within the window still");
        assert_eq!(granted(&mut tokens, &finagle, 10_000, 1_000), 100, "the window has gone over all of it");
    }

    #[test]
    fn rule_14_a_budget_of_nothing_grants_nothing_and_shares_add_up() {
        let none = Budget {
            share: Ratio::percent(0),
            floor: Rate::per_second(0),
            window: Span::SECOND,
            scope: Scope::FrontEnd,
        };
        let mut tokens = Tokens::default();
        tokens.first(&none, at(0));
        assert_eq!(granted(&mut tokens, &none, 0, 10), 0);
        let third = Budget { share: Ratio::new(1, 3), ..none };
        let mut tokens = Tokens::default();
        for (nth, expected) in [(1, 0), (2, 0), (3, 1), (4, 0), (5, 0), (6, 1)] {
            tokens.first(&third, at(1));
            assert_eq!(granted(&mut tokens, &third, 1, 5), expected, "after {nth} first attempts");
        }
    }

    #[test]
    fn rule_14_turns_keep_the_pace_and_do_not_save_up() {
        let mut pace = Pace::default();
        let rate = Rate::per_second(2);
        let turns = [0, 0, 0, 10_000, 10_100].map(|ms| pace.turn(rate, at(ms)));
        assert_eq!(turns, [0, 500, 1_000, 10_000, 10_500].map(at));
    }
}
