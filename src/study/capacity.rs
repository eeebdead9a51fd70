//! Capacity: how far one value of a scenario can go while all that the scenario expects still holds (rule 32).
//!
//! Each value is weighed by the same replications, so that two values differ by the value alone. Runs are made elsewhere;
//! here is what is kept of each, and what they say together. What can be looked for is in `find`, the ready questions
//! are in `ask`, front ends that are lost in `loss`.

mod ask;
mod find;
mod loss;

use crate::measure::{Outcome, Shape, Verdict};
use crate::report;
use crate::scenario::{Aggregate, Between, Expectation, Op, Plan, Subject};

use super::stats::{Tally, failures_needed, median, tally};

pub use ask::{Ask, Question};
pub use find::{ACCEPTS, Find, OUTAGE, PEERS, TRIGGER};
pub use loss::Loss;

/// Replications of each value unless somebody says otherwise: the fewest of which all can pass and the value hold.
pub const REPLICATIONS: u32 = 59;

/// What is kept of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Each expectation's verdict, and where its value lies.
    pub each: Vec<(Verdict, Option<Between>)>,
    /// Whether a front end crashed that no expectation is about.
    pub crashed: bool,
}

impl Seen {
    /// Reduces an outcome; `None`: it was interrupted.
    pub fn of(plan: &Plan, outcome: &Outcome) -> Option<Seen> {
        outcome.digest.as_ref()?;
        let judged = report::judge(plan, outcome);
        let each = judged.iter().zip(&plan.expect);
        let each = each.map(|(judged, expectation)| (judged.verdict, report::observe(plan, outcome, expectation)));
        Some(Seen { each: each.collect(), crashed: report::unmentioned_crash(plan, outcome).is_some() })
    }

    fn verdict(&self) -> Verdict {
        let worst = self.each.iter().map(|(verdict, _)| *verdict).max().unwrap_or(Verdict::Inconclusive);
        if self.crashed { Verdict::Fail } else { worst }
    }
}

/// How replications are weighed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// By exact bounds (rule 32).
    Bounds,
    /// By what most of a few say: a guess, and to be called one.
    Majority,
    /// As by the majority, but all of them are made.
    All,
}

/// What replications say of one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weighed {
    /// How.
    pub rule: Rule,
    /// Its place.
    pub place: u64,
    /// Replications that were to be made.
    pub planned: u32,
    /// Those that were made: fewer, where so many had failed that the rest could change nothing.
    pub runs: Vec<Seen>,
    /// Which front ends were lost, and when, if any: the worst case of those that were tried.
    pub loss: Option<String>,
}

/// One expectation at one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    /// Replications in which it did not hold.
    pub failed: u32,
    /// Replications that did not say.
    pub unknown: u32,
    /// The median of what was observed; `None`: nothing was, or it has no number.
    pub median: Option<u64>,
    /// The one that is nearest to failing, or fails most.
    pub worst: Option<u64>,
}

impl Weighed {
    /// Nothing yet.
    pub fn new(place: u64, planned: u32, rule: Rule) -> Weighed {
        Weighed { rule, place, planned, runs: Vec::new(), loss: None }
    }

    /// Adds the next replication; true: the rest could change nothing.
    pub fn add(&mut self, seen: Seen) -> bool {
        self.runs.push(seen);
        let (passed, failed) = (self.count(Verdict::Pass), self.count(Verdict::Fail));
        match self.rule {
            Rule::Bounds => failures_needed(self.planned).is_some_and(|needed| failed >= needed),
            Rule::Majority => passed.max(failed) > self.planned / 2,
            Rule::All => false,
        }
    }

    /// Replications with this verdict.
    pub fn count(&self, verdict: Verdict) -> u32 {
        self.runs.iter().filter(|seen| seen.verdict() == verdict).count() as u32
    }

    /// Replications in which a front end crashed that no expectation is about.
    pub fn crashed(&self) -> u32 {
        self.runs.iter().filter(|seen| seen.crashed).count() as u32
    }

    /// What they come to. What could not be said in a replication is no pass, and no miss either.
    pub fn tally(&self) -> Tally {
        let (passed, failed) = (self.count(Verdict::Pass), self.count(Verdict::Fail));
        match self.rule {
            Rule::Bounds => tally(passed, failed, self.planned),
            Rule::Majority | Rule::All if passed > self.planned / 2 => Tally::Holds,
            Rule::Majority | Rule::All if failed > self.planned / 2 => Tally::Fails,
            Rule::Majority | Rule::All => Tally::Undecided,
        }
    }

    /// The expectation at position `nth`, which is `expectation`.
    pub fn at(&self, nth: usize, expectation: &Expectation) -> At {
        let of = |verdict| self.runs.iter().filter(|seen| seen.each[nth].0 == verdict).count() as u32;
        // The end of the range that decides; never is the greatest of all.
        let value = |(low, high): Between| if asks_for_more(expectation.op) { low } else { high.unwrap_or(u64::MAX) };
        let values: Vec<u64> = self.runs.iter().filter_map(|seen| seen.each[nth].1.map(value)).collect();
        let worst =
            if asks_for_more(expectation.op) { values.iter().min().copied() } else { values.iter().max().copied() };
        At { failed: of(Verdict::Fail), unknown: of(Verdict::Inconclusive), median: median(&values, Ord::cmp), worst }
    }
}

/// Whether an expectation sets a lower bound.
pub fn asks_for_more(op: Op) -> bool {
    matches!(op, Op::AtLeast | Op::More)
}

/// What the values of an expectation are.
pub fn shape(expectation: &Expectation) -> Shape {
    match expectation.subject {
        Subject::Latency(_) if expectation.aggregate == Aggregate::Count => Shape::Count,
        Subject::Latency(_) => Shape::Latency,
        Subject::Figure(figure) => figure.shape(),
        Subject::Signal(_) => Shape::Count,
    }
}

/// The limit of an expectation in the unit of its values; `None`: it has none of its own.
pub fn limit(expectation: &Expectation) -> Option<u64> {
    if expectation.against.is_some() || matches!(expectation.subject, Subject::Signal(_)) {
        return None;
    }
    // Limits of shares are parts per million, values parts per billion.
    Some(if shape(expectation) == Shape::Share { expectation.limit.saturating_mul(1000) } else { expectation.limit })
}

/// The expectation that decides at a value that does not hold: the one that fails most often; `None`: a crash does, or
/// nothing fails.
pub fn deciding(plan: &Plan, weighed: &Weighed) -> Option<usize> {
    let at = |nth: usize| weighed.at(nth, &plan.expect[nth]).failed;
    let most = (0..plan.expect.len()).rev().max_by_key(|nth| at(*nth))?;
    (at(most) > 0 && at(most) >= weighed.crashed()).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(verdict: Verdict, value: u64) -> Seen {
        Seen { each: vec![(verdict, Some((value, Some(value))))], crashed: false }
    }

    #[test]
    fn rule_32_seven_misses_end_it_and_what_cannot_be_said_is_neither() {
        let mut weighed = Weighed::new(0, REPLICATIONS, Rule::Bounds);
        assert!((0..6).all(|n| !weighed.add(seen(Verdict::Fail, n))));
        assert!(!weighed.add(seen(Verdict::Inconclusive, 0)));
        assert!(weighed.add(seen(Verdict::Fail, 9)), "the seventh miss");
        assert_eq!((weighed.tally(), weighed.runs.len()), (Tally::Fails, 8));
        let mut unknown = Weighed::new(0, REPLICATIONS, Rule::Bounds);
        (0..59).for_each(|_| assert!(!unknown.add(seen(Verdict::Inconclusive, 0))));
        assert_eq!(unknown.tally(), Tally::Undecided);
        let mut good = Weighed::new(0, REPLICATIONS, Rule::Bounds);
        (0..59).for_each(|_| assert!(!good.add(seen(Verdict::Pass, 0))));
        assert_eq!(good.tally(), Tally::Holds);
        good.runs[3].crashed = true;
        assert_eq!(good.tally(), Tally::Undecided, "a crash that nobody expects is a miss");
    }

    #[test]
    fn of_five_the_third_of_a_kind_settles_it() {
        let weigh = |verdicts: &[Verdict]| {
            let mut weighed = Weighed::new(0, 5, Rule::Majority);
            let ended = verdicts.iter().position(|verdict| weighed.add(seen(*verdict, 1)));
            (ended.map(|nth| nth + 1), weighed.tally())
        };
        let (pass, fail, unknown) = (Verdict::Pass, Verdict::Fail, Verdict::Inconclusive);
        assert_eq!(weigh(&[pass, fail, pass, pass, fail]), (Some(4), Tally::Holds));
        assert_eq!(weigh(&[fail, fail, fail]), (Some(3), Tally::Fails));
        assert_eq!(weigh(&[fail, pass, unknown, pass, fail]), (None, Tally::Undecided));
    }
}
