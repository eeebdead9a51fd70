//! Two sides of replications against each other: what is worse, what is better, and what cannot be said.
//!
//! Sides with one seed are paired: replication k of one with replication k of the other, for all draws of the two that
//! mean the same are the same. A sign test looks at the pairs that differ. Sides with different seeds are not paired, and
//! a rank test looks at all replications. Either way Holm's procedure holds the chance of any false call, over all
//! tests of the family together, below [`ALPHA`]; and what is called must also be more than the tolerance.

use std::cmp::Ordering;

use crate::measure::Outcome;
use crate::report;
use crate::scenario::{Between, Plan};

use super::family::{Family, Key, Worse};
use super::stats::{ALPHA, holm, median, pairs_needed, rank_test, replications_needed, sign_test};

/// What is kept of one run for a comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measured {
    /// Its digest.
    pub digest: String,
    /// Its values, in the order of the family.
    pub values: Vec<Option<u64>>,
    /// Where the values of expectations that are against a baseline lie, in the plan's order.
    pub expected: Vec<Option<Between>>,
}

impl Measured {
    /// Reduces an outcome; `None`: it was interrupted.
    pub fn of(plan: &Plan, outcome: &Outcome, family: &Family) -> Option<Measured> {
        let digest = outcome.digest.clone()?;
        let against = plan.expect.iter().filter(|expectation| expectation.against.is_some());
        let expected = against.map(|expectation| report::observe(plan, outcome, expectation)).collect();
        Some(Measured { digest, values: family.measure(plan, outcome), expected })
    }
}

/// One side: replications 0, 1, 2, ... of a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// The seed.
    pub seed: u64,
    /// What they gave.
    pub runs: Vec<Measured>,
}

/// How a comparison is made.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rules {
    /// Differences up to this are none, in parts per million of the first side's value.
    pub tolerance_ppm: u64,
}

/// What was found about one value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Finding {
    /// It is worse on the second side.
    Worse,
    /// It is better there.
    Better,
    /// It is other there, and neither is better.
    Other,
    /// It differs for sure, by no more than the tolerance.
    Slight,
    /// It differs here and there, not so that chance is ruled out.
    NotShown,
    /// It is the same in all replications.
    Unchanged,
    /// Neither side has it.
    NoData,
}

/// One value of the family, compared.
#[derive(Clone, PartialEq, Debug)]
pub struct Tested {
    /// Which value.
    pub key: Key,
    /// What was found.
    pub finding: Finding,
    /// The median of each side; `None`: it has none.
    pub medians: [Option<u64>; 2],
    /// The median of the differences, in parts per million of the first side's value; `None`: there is none, or it is
    /// without bound.
    pub change_ppm: Option<i64>,
    /// Replications in which it is more, and less, on the second side; for sides that are not paired, of all pairs.
    pub more: u32,
    /// See `more`.
    pub less: u32,
    /// The chance of that if the sides were alike.
    pub p: f64,
}

/// What comes of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overall {
    /// Every replication decided the same.
    Identical,
    /// Decisions differ, but no value does.
    Unchanged,
    /// Some values differ, none so that chance is ruled out, or by more than the tolerance.
    NoChangeShown,
    /// Something is better or other, nothing is worse.
    Changed,
    /// Something is worse.
    Regression,
    /// Too few replications to say.
    Inconclusive,
}

impl Overall {
    /// Its name in all outputs.
    pub fn name(self) -> &'static str {
        match self {
            Overall::Identical => "identical",
            Overall::Unchanged => "unchanged",
            Overall::NoChangeShown => "no change shown",
            Overall::Changed => "changed",
            Overall::Regression => "regression",
            Overall::Inconclusive => "inconclusive",
        }
    }
}

/// A comparison.
#[derive(Clone, PartialEq, Debug)]
pub struct Comparison {
    /// What came of it.
    pub overall: Overall,
    /// Whether the sides have one seed.
    pub paired: bool,
    /// Replications compared: pairs, or those of the side that has fewer.
    pub replications: u32,
    /// How many it takes.
    pub needed: u32,
    /// Tests in the family.
    pub tests: usize,
    /// The replications whose digests differ, where sides are paired.
    pub differ: Vec<u32>,
    /// How many replications have the same digest on both sides.
    pub same: u32,
    /// Each test.
    pub tested: Vec<Tested>,
}

/// How many replications a comparison of such sides takes.
pub fn needed(family: &Family, paired: bool) -> u32 {
    let m = family.keys.len();
    if paired { pairs_needed(m, ALPHA) } else { replications_needed(m, ALPHA) }
}

/// Compares two sides, whose values are those of `family`.
pub fn compare(family: &Family, a: &Side, b: &Side, rules: Rules) -> Comparison {
    let paired = a.seed == b.seed;
    let count = a.runs.len().min(b.runs.len());
    let pairs = || a.runs.iter().zip(&b.runs);
    let same = if paired { pairs().filter(|(a, b)| a.digest == b.digest).count() } else { 0 };
    let one = |place: usize| {
        let values = |side: &Side| -> Vec<Option<u64>> {
            let of = |run: &Measured| run.values.get(place).copied().flatten();
            side.runs[..count].iter().map(of).collect()
        };
        raw(&family.keys[place], &values(a), &values(b), paired)
    };
    let mut tested: Vec<Tested> = (0..family.keys.len()).map(one).collect();
    let chances: Vec<f64> = tested.iter().map(|tested| tested.p).collect();
    for (tested, called) in tested.iter_mut().zip(holm(&chances, family.keys.len(), ALPHA)) {
        if called {
            tested.finding = called_as(tested, rules);
        }
    }
    let needed = needed(family, paired);
    let has = |finding| tested.iter().any(|tested: &Tested| tested.finding == finding);
    let overall = if paired && count > 0 && same == count {
        Overall::Identical
    } else if count < needed as usize {
        Overall::Inconclusive
    } else if has(Finding::Worse) {
        Overall::Regression
    } else if has(Finding::Better) || has(Finding::Other) {
        Overall::Changed
    } else if has(Finding::Slight) || has(Finding::NotShown) {
        Overall::NoChangeShown
    } else {
        Overall::Unchanged
    };
    Comparison {
        overall,
        paired,
        replications: count as u32,
        needed,
        tests: family.keys.len(),
        differ: (0..).zip(pairs()).filter(|(_, (a, b))| paired && a.digest != b.digest).map(|(nth, _)| nth).collect(),
        same: same as u32,
        tested,
    }
}

/// A test before the others are looked at.
fn raw(key: &Key, a: &[Option<u64>], b: &[Option<u64>], paired: bool) -> Tested {
    let known = |side: &[Option<u64>]| -> Vec<u64> { side.iter().copied().flatten().collect() };
    let (own, other) = (known(a), known(b));
    let medians = [median(&own, Ord::cmp), median(&other, Ord::cmp)];
    let (mut more, mut less, mut changes) = (0, 0, Vec::new());
    let both: Vec<(u64, u64)> = if paired {
        a.iter().zip(b).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect()
    } else {
        own.iter().flat_map(|a| other.iter().map(move |b| (*a, *b))).collect()
    };
    for (a, b) in &both {
        match b.cmp(a) {
            Ordering::Greater => more += 1,
            Ordering::Less => less += 1,
            Ordering::Equal => {}
        }
        changes.push(relative(*a, *b));
    }
    // A value that one side has and the other has not is told by its medians; it is no pair.
    let p = if paired { sign_test(more, less) } else { rank_test(&own, &other) };
    let change = median(&changes, f64::total_cmp);
    let finding = if own.is_empty() && other.is_empty() {
        Finding::NoData
    } else if both.is_empty() || more + less > 0 {
        Finding::NotShown
    } else {
        Finding::Unchanged
    };
    let change_ppm =
        change.filter(|change| change.is_finite() && libm::fabs(*change) < 1e12).map(|c| libm::round(c * 1e6) as i64);
    let change_ppm = change_ppm.filter(|_| change.is_some());
    Tested { key: key.clone(), finding, medians, change_ppm, more, less, p }
}

/// The difference in units of the first value; from nothing to something is without bound.
fn relative(a: u64, b: u64) -> f64 {
    match (a, b) {
        _ if a == b => 0.0,
        (0 | u64::MAX, _) => {
            if b > a {
                f64::INFINITY
            } else {
                f64::NEG_INFINITY
            }
        }
        (_, u64::MAX) => f64::INFINITY,
        _ => (b as f64 - a as f64) / a as f64,
    }
}

/// What a test is called that Holm's procedure lets through.
fn called_as(tested: &Tested, rules: Rules) -> Finding {
    let is_slight = tested.change_ppm.is_some_and(|ppm| ppm.unsigned_abs() <= rules.tolerance_ppm);
    if is_slight {
        return Finding::Slight;
    }
    match (tested.key.worse(), tested.more > tested.less) {
        (Worse::Neither, _) => Finding::Other,
        (Worse::More, true) | (Worse::Less, false) => Finding::Worse,
        (Worse::More, false) | (Worse::Less, true) => Finding::Better,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Cause, Figure, Metric};

    const RULES: Rules = Rules { tolerance_ppm: 10_000 };

    fn family() -> Family {
        let latency = |ppm| Key::Latency { metric: Metric::Validation, group: None, cause: Cause::Refresh, ppm };
        Family { keys: vec![latency(500_000), latency(990_000), Key::Figure(Figure::Availability)] }
    }

    fn side(seed: u64, runs: u32, values: impl Fn(u64) -> [Option<u64>; 3]) -> Side {
        let run = |n: u32| {
            let values = values(u64::from(n)).to_vec();
            Measured { digest: format!("{values:?}"), values, expected: Vec::new() }
        };
        Side { seed, runs: (0..runs).map(run).collect() }
    }

    fn base(n: u64) -> [Option<u64>; 3] {
        [Some(1_000_000 + n * 7919 % 5000), Some(2_000_000 + n), Some(999_000_000)]
    }

    fn findings(comparison: &Comparison) -> Vec<Finding> {
        comparison.tested.iter().map(|tested| tested.finding).collect()
    }

    #[test]
    fn rule_31_two_percent_more_in_every_pair_is_a_regression_and_less_is_better() {
        let a = side(1, 20, base);
        let b = side(1, 20, |n| base(n).map(|value| value.map(|v| if v < 900_000_000 { v * 102 / 100 } else { v })));
        let found = compare(&family(), &a, &b, RULES);
        assert_eq!(found.overall, Overall::Regression);
        assert_eq!(findings(&found), [Finding::Worse, Finding::Worse, Finding::Unchanged]);
        assert_eq!(found.tested[0].change_ppm.map(|ppm| (ppm + 50) / 100), Some(200));
        let back = compare(&family(), &b, &a, RULES);
        assert_eq!((back.overall, findings(&back)[0]), (Overall::Changed, Finding::Better));
    }

    #[test]
    fn within_the_tolerance_nothing_is_called() {
        let b = side(1, 20, |n| base(n).map(|value| value.map(|v| v + v / 200)));
        let found = compare(&family(), &side(1, 20, base), &b, RULES);
        assert_eq!((found.overall, findings(&found)[0]), (Overall::NoChangeShown, Finding::Slight));
    }

    #[test]
    fn too_few_pairs_are_inconclusive_and_name_how_many_it_takes() {
        let b = side(1, 20, |n| base(n).map(|value| value.map(|v| v * 2)));
        let found = compare(&family(), &side(1, 12, base), &b, RULES);
        assert_eq!((found.overall, found.replications, found.needed), (Overall::Inconclusive, 12, 13));
        let none = compare(&family(), &side(1, 0, base), &side(1, 0, base), RULES);
        assert_eq!(none.overall, Overall::Inconclusive);
    }

    #[test]
    fn the_same_digests_are_identical_and_the_same_values_are_unchanged() {
        let a = side(1, 3, base);
        assert_eq!(compare(&family(), &a, &a, RULES).overall, Overall::Identical, "however few there are");
        let mut b = side(1, 20, base);
        b.runs[4].digest = "other".to_owned();
        let found = compare(&family(), &side(1, 20, base), &b, RULES);
        assert_eq!((found.overall, found.differ.as_slice(), found.same), (Overall::Unchanged, &[4][..], 19));
    }

    #[test]
    fn too_few_pairs_that_differ_are_no_change_shown() {
        let b = side(1, 20, |n| if n < 9 { base(n).map(|value| value.map(|v| v * 2)) } else { base(n) });
        let found = compare(&family(), &side(1, 20, base), &b, RULES);
        assert_eq!((found.overall, findings(&found)[0]), (Overall::NoChangeShown, Finding::NotShown));
    }

    #[test]
    fn from_nothing_to_something_and_to_never_are_without_bound_and_called() {
        let zero = side(1, 20, |_| [Some(0), Some(5), Some(9)]);
        let some = side(1, 20, |_| [Some(1), Some(u64::MAX), Some(9)]);
        let found = compare(&family(), &zero, &some, RULES);
        assert_eq!(findings(&found), [Finding::Worse, Finding::Worse, Finding::Unchanged]);
        assert_eq!((found.tested[0].change_ppm, found.tested[1].change_ppm), (None, None));
    }

    #[test]
    fn less_availability_is_worse() {
        let b = side(1, 20, |n| [base(n)[0], base(n)[1], Some(900_000_000)]);
        let found = compare(&family(), &side(1, 20, base), &b, RULES);
        assert_eq!(findings(&found)[2], Finding::Worse);
    }

    #[test]
    fn rule_31_sides_with_other_seeds_are_compared_by_replication_and_not_in_pairs() {
        let b = side(2, 20, |n| base(n + 100).map(|value| value.map(|v| v * 11 / 10)));
        let found = compare(&family(), &side(1, 20, base), &b, RULES);
        assert_eq!((found.paired, found.overall, findings(&found)[0]), (false, Overall::Regression, Finding::Worse));
        let same = compare(&family(), &side(1, 20, base), &side(2, 20, |n| base(n + 3)), RULES);
        assert_eq!(same.overall, Overall::NoChangeShown);
        let few = compare(&family(), &side(1, 9, base), &b, RULES);
        assert_eq!((few.overall, few.needed), (Overall::Inconclusive, 10));
    }

    #[test]
    fn what_neither_side_has_is_no_data_and_what_one_side_has_is_not_called_the_same() {
        let a = side(1, 20, |_| [None, Some(1), None]);
        let b = side(1, 20, |_| [None, None, Some(1)]);
        let found = compare(&family(), &a, &b, RULES);
        assert_eq!(findings(&found), [Finding::NoData, Finding::NotShown, Finding::NotShown]);
    }
}
