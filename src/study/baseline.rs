//! Baselines: what replications of a scenario gave once, accepted by somebody as right.
//!
//! A text in JSON that holds the plan, the seed, each replication's digest and values. It says nothing of when or where
//! it was made, so that the same runs make the same bytes. Only `baseline accept` writes one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scenario::{self, Between, Plan, SEMANTICS};

use super::compare::{Measured, Side};
use super::family::Family;

/// The name and version of the shape.
pub const SCHEMA: &str = "refresh-sim.baseline/1";

/// A baseline as it is in its file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// [`SCHEMA`].
    pub schema: String,
    /// The model's rules that the runs went by.
    pub semantics: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The plan, as `resolve` prints it.
    pub plan: String,
    /// The digest of each replication from 0 on.
    pub digests: Vec<String>,
    /// By the selection of each expectation that is against a baseline: from the least to the greatest that it may have been
    /// in each replication.
    pub expectations: BTreeMap<String, Vec<Option<Between>>>,
    /// By the label of each value: what it was in each replication, `null` where there was none.
    pub values: BTreeMap<String, Vec<Option<u64>>>,
}

/// What runs gave for the expectations that are against a baseline.
fn expectations(plan: &Plan, runs: &[Measured]) -> BTreeMap<String, Vec<Option<Between>>> {
    let mut all = BTreeMap::new();
    let against = plan.expect.iter().filter(|expectation| expectation.against.is_some());
    for (place, expectation) in against.enumerate() {
        let values = runs.iter().map(|run| run.expected.get(place).copied().flatten()).collect();
        all.insert(expectation.selection().to_owned(), values);
    }
    all
}

/// Why a text is no baseline that can be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is no JSON of this shape.
    #[error("it is no baseline: {0}")]
    Shape(String),
    /// It is of another version.
    #[error("its schema is {0:?}; this program reads {SCHEMA:?}")]
    Schema(String),
    /// It is of other rules.
    #[error(
        "it was made with semantics {0}, and this program has {SEMANTICS}: its runs went by other rules; accept a new one"
    )]
    Semantics(u32),
    /// Its plan is no scenario any more.
    #[error("its plan cannot be read: {0}")]
    Plan(String),
    /// It holds no runs, or not the same number of each value.
    #[error("it is damaged: {0} digests, and {1} values of {2:?}")]
    Damaged(usize, usize, String),
}

impl Baseline {
    /// What is to be kept of these runs of `plan`.
    pub fn of(plan: &Plan, family: &Family, side: &Side) -> Baseline {
        let values = |place: usize| side.runs.iter().map(|run| run.values.get(place).copied().flatten()).collect();
        Baseline {
            schema: SCHEMA.to_owned(),
            semantics: SEMANTICS,
            scenario: plan.name.clone(),
            seed: plan.seed,
            plan: scenario::render(plan),
            digests: side.runs.iter().map(|run| run.digest.clone()).collect(),
            expectations: expectations(plan, &side.runs),
            values: family.keys.iter().enumerate().map(|(place, key)| (key.label(), values(place))).collect(),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// See [`BaselineError`].
    pub fn read(text: &[u8]) -> Result<(Baseline, Plan), BaselineError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let shape = |error: serde_json::Error| BaselineError::Shape(error.to_string());
        let head: Head = serde_json::from_slice(text).map_err(shape)?;
        if head.schema != SCHEMA {
            return Err(BaselineError::Schema(head.schema));
        }
        let baseline: Baseline = serde_json::from_slice(text).map_err(shape)?;
        if baseline.semantics != SEMANTICS {
            return Err(BaselineError::Semantics(baseline.semantics));
        }
        let runs = baseline.digests.len();
        let values = baseline.values.iter().map(|(label, values)| (label, values.len()));
        let expectations = baseline.expectations.iter().map(|(label, values)| (label, values.len()));
        if let Some((label, n)) = values.chain(expectations).find(|(_, n)| *n != runs || runs == 0) {
            return Err(BaselineError::Damaged(runs, n, label.clone()));
        }
        let plan = scenario::load_plan(&baseline.scenario, "its plan", baseline.plan.as_bytes(), &[]);
        let plan = plan.map_err(|problems| BaselineError::Plan(problems.to_string()))?;
        Ok((baseline, plan))
    }

    /// Tells `plan` what this has to say to those of its expectations that are against a baseline. Nothing if the seed is
    /// another: replications of other draws are no measure for a single one.
    pub fn tell(&self, plan: &mut Plan) {
        if self.seed != plan.seed {
            return;
        }
        for expectation in &mut plan.expect {
            let values = self.expectations.get(expectation.selection());
            if let (Some(against), Some(values)) = (&mut expectation.against, values) {
                against.values.clone_from(values);
            }
        }
    }

    /// Its text.
    pub fn text(&self) -> String {
        // Strings, numbers and lists of them: there is nothing in it that JSON could not hold.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Its first `count` runs, with the values of `family`.
    pub fn side(&self, family: &Family, count: usize) -> Side {
        let run = |(nth, digest): (usize, &String)| {
            let value = |key: &super::family::Key| self.values.get(&key.label()).and_then(|values| values[nth]);
            Measured { digest: digest.clone(), values: family.keys.iter().map(value).collect(), expected: Vec::new() }
        };
        Side { seed: self.seed, runs: self.digests.iter().enumerate().take(count).map(run).collect() }
    }
}
