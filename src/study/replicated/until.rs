//! When there are enough replications: a rule that is fixed before anything runs, and looks only now and then (rule 31).

use crate::measure::Shape;
use crate::scenario::{Plan, Subject};

use super::super::capacity::shape;
use super::super::stats::LOOKS_FROM;
use super::Replicated;

/// Replications between two looks.
const BATCH: u32 = 10;

/// Go on until the interval of each of some expectations' values is narrow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Until {
    /// The greatest width, in parts per million of the median.
    pub width_ppm: u64,
    /// The expectations whose values are looked at, by their positions.
    pub watched: Vec<usize>,
    /// The most replications.
    pub most: u32,
}

/// Where a rule stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    /// How often it looked.
    pub looks: u32,
    /// The width of each watched interval at the last look, in parts per million; `None`: there is none;
    /// [`u64::MAX`]: without bound.
    pub widths: Vec<Option<u64>>,
    /// Whether all of them were narrow enough; else the most replications were made.
    pub reached: bool,
}

impl Until {
    /// A rule for the expectations of these names; with none, for all whose value is a number.
    ///
    /// # Errors
    /// A name that there is not, one without a number, or no expectation with one, in words.
    pub fn new(plan: &Plan, width_ppm: u64, names: &[String], most: u32) -> Result<Until, String> {
        let is_number = |nth: &usize| {
            let expectation = &plan.expect[*nth];
            !matches!(expectation.subject, Subject::Signal(_)) && shape(expectation) != Shape::Course
        };
        let numbers: Vec<usize> = (0..plan.expect.len()).filter(is_number).collect();
        let known = || {
            let names: Vec<&str> = numbers.iter().map(|nth| plan.expect[*nth].name.as_str()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let place = |name: &String| {
            let found = plan.expect.iter().position(|expectation| expectation.name == *name);
            found
                .filter(|nth| numbers.contains(nth))
                .ok_or_else(|| format!("--width-of {name}: the expectations whose value is a number are: {}", known()))
        };
        let watched =
            if names.is_empty() { numbers.clone() } else { names.iter().map(place).collect::<Result<_, _>>()? };
        if watched.is_empty() {
            return Err("--until-width: no expectation has a number whose interval could be looked at; add one, e.g. \
                        --set 'expect.prompt=refresh : p99 <= 1s'"
                .to_owned());
        }
        Ok(Until { width_ppm, watched, most })
    }

    /// Whether to stop, at the `looks`-th look.
    pub fn look(&self, so_far: &Replicated<'_>, looks: u32) -> Option<Stop> {
        let widths: Vec<Option<u64>> = self.watched.iter().map(|nth| so_far.weighed(*nth).spread.width_ppm()).collect();
        let reached = widths.iter().all(|width| width.is_some_and(|width| width <= self.width_ppm));
        (reached || so_far.count() >= self.most).then_some(Stop { looks, widths, reached })
    }
}

/// After how many replications a rule looks: ten, then every ten, and at the most that there may be.
pub fn looks(most: u32) -> impl Iterator<Item = u32> {
    let first = LOOKS_FROM.min(most);
    let next = move |before: &u32| (*before < most).then(|| before.saturating_add(BATCH).min(most));
    std::iter::successors(Some(first), next)
}
