//! Sweeps: one scenario at many settings, each cell a pure function of its plan and its replication, found by its key.
//!
//! Knows which cells a sweep has. Does not know where they are kept.

use serde::{Deserialize, Serialize};

use crate::measure::COURSES;
use crate::scenario::{Plan, SEMANTICS, Setting};

use super::cell::{CELL, PROGRAM, key};

pub(super) use super::table::field;

/// The name and version of the shape of a sweep.
pub const SWEEP: &str = "refresh-sim.sweep/2";

/// One point of a sweep.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The values that are varied, in the order of [`Sweep::paths`].
    pub values: Vec<String>,
    /// [`plan_hash`](super::cell::plan_hash) of its plan.
    pub plan: String,
}

/// A sweep: all of its points, and how many replications of each.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// [`SWEEP`].
    pub schema: String,
    /// The model's rules.
    pub semantics: u32,
    /// The program that its cells are of: [`PROGRAM`] where they were run.
    pub program: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seed, unless it is varied.
    pub seed: u64,
    /// Replications of each point: 0 to this, without it.
    pub replications: u32,
    /// The paths that are varied.
    pub paths: Vec<String>,
    /// The points in order.
    pub points: Vec<Point>,
}

/// Why a text is no sweep that can be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SweepError {
    /// It is no JSON of this shape.
    #[error("it is no sweep: {0}")]
    Shape(String),
    /// It is of other rules.
    #[error("it was made with semantics {0}, and this program has {SEMANTICS}: its runs went by other rules")]
    Semantics(u32),
}

impl Sweep {
    /// A sweep over points, each with the settings that vary and the plan that they make.
    pub fn new(plan: &Plan, replications: u32, points: &[(Vec<Setting>, String)]) -> Sweep {
        let paths = points.first().map_or(Vec::new(), |(set, _)| set.iter().map(|set| set.path.clone()).collect());
        let point = |(set, plan): &(Vec<Setting>, String)| Point {
            values: set.iter().map(|set| set.value.clone()).collect(),
            plan: plan.clone(),
        };
        Sweep {
            schema: SWEEP.to_owned(),
            semantics: SEMANTICS,
            program: PROGRAM.to_owned(),
            scenario: plan.name.clone(),
            seed: plan.seed,
            replications,
            paths,
            points: points.iter().map(point).collect(),
        }
    }

    /// Its text.
    pub fn text(&self) -> String {
        // As for cells.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads one.
    ///
    /// # Errors
    /// See [`SweepError`].
    pub fn read(text: &[u8]) -> Result<Sweep, SweepError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let shape = |error: serde_json::Error| SweepError::Shape(error.to_string());
        let head: Head = serde_json::from_slice(text).map_err(shape)?;
        if head.schema != SWEEP {
            return Err(SweepError::Shape(format!("its schema is {:?}, not {SWEEP:?}", head.schema)));
        }
        let sweep: Sweep = serde_json::from_slice(text).map_err(shape)?;
        if sweep.semantics != SEMANTICS {
            return Err(SweepError::Semantics(sweep.semantics));
        }
        if let Some(point) = sweep.points.iter().find(|point| point.values.len() != sweep.paths.len()) {
            return Err(SweepError::Shape(format!("a point has {} values", point.values.len())));
        }
        Ok(sweep)
    }

    /// How many cells it has.
    pub fn len(&self) -> u64 {
        self.points.len() as u64 * u64::from(self.replications)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All cells in order: the point, the replication, the key.
    pub fn cells(&self) -> impl Iterator<Item = (usize, u32, String)> {
        self.points.iter().enumerate().flat_map(move |(nth, point)| {
            (0..self.replications)
                .map(move |replication| (nth, replication, key(CELL, &self.program, &point.plan, replication)))
        })
    }

    /// A cell in words: what it sets, and its replication if there are several.
    pub fn name(&self, nth: usize, replication: u32) -> String {
        let values = self.points.get(nth).map_or(&[][..], |point| &point.values);
        let set = self.paths.iter().zip(values).map(|(path, value)| format!("{path}={value}"));
        let set = set.collect::<Vec<_>>().join(" ");
        if self.replications > 1 { format!("{set}, replication {replication}") } else { set }
    }
}

/// Whether the `nth` cell is one of shard `shard` of `shards`.
pub fn is_in_shard(nth: u64, (shard, shards): (u64, u64)) -> bool {
    nth % shards.max(1) == shard
}

/// The words of the unit `course`, by their numbers.
pub fn courses() -> String {
    COURSES.iter().enumerate().map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_apart_and_together_all() {
        for shards in 1..9 {
            for nth in 0..50 {
                assert_eq!((0..shards).filter(|shard| is_in_shard(nth, (*shard, shards))).count(), 1);
            }
        }
    }
}
