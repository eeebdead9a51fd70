//! Whether a scenario's expectations would notice logic that is known to be bad.
//!
//! The scenario runs once with its own logic, which has to pass, and once with each known-bad logic in its place. One
//! that decides nothing else than the scenario's own cannot show there; one that does, and passes all the same, is not
//! caught. For each of these the cheapest expectation is looked for that would catch it, and tried.

mod candidates;
mod known_bad;

use crate::measure::{Outcome, Verdict};
use crate::report::{Judged, judge, unmentioned_crash};
use crate::scenario::Plan;
use crate::sim::{self, Programs, RunError, Watch};

pub use known_bad::{Kind, KnownBad};

/// What an audit found.
#[derive(Clone, PartialEq, Debug)]
pub struct Audit {
    /// Each known-bad logic, in the order of [`KnownBad::ALL`].
    pub findings: Vec<Finding>,
}

/// What became of one known-bad logic.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// Which.
    pub bad: KnownBad,
    /// What became of it.
    pub found: Found,
}

/// What became of a known-bad logic in a scenario.
#[derive(Clone, PartialEq, Debug)]
pub enum Found {
    /// The scenario does not pass with it.
    Caught(By),
    /// The scenario passes with it.
    NotCaught(Option<Suggestion>),
    /// The run decided what it decides with the scenario's own logic, to the last one.
    CannotShow,
}

/// What caught it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum By {
    /// An expectation that failed, by its name.
    Failed(String),
    /// A crash of this front end that no expectation mentions.
    Crash(String),
    /// An expectation that became inconclusive, by its name.
    Inconclusive(String),
}

/// An expectation that passes with the scenario's own logic and fails with the bad one: both were tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suggestion {
    /// The line for `[expect]`.
    pub line: String,
    /// What was observed with the scenario's own logic.
    pub own: String,
    /// What was observed with the bad one.
    pub bad: String,
}

/// Why there is no audit.
#[derive(Clone, PartialEq, Debug)]
pub enum AuditError {
    /// A run has no outcome.
    Run(RunError),
    /// It was stopped.
    Interrupted,
    /// The scenario does not pass with its own logic: so nothing follows from its not passing with another.
    OwnDoesNotPass(By),
}

/// Carries out an audit; `watch` may stop it. Where the plan names a program, `programs` start it, and what is wrong with
/// a validator is put over what it answers.
pub fn audit(plan: &Plan, programs: &dyn Programs, watch: &mut dyn Watch) -> Result<Audit, AuditError> {
    let own = whole(sim::run_by(plan, programs, watch))?;
    let judged = judge(plan, &own);
    if let Some(by) = caught_by(plan, &own, &judged) {
        return Err(AuditError::OwnDoesNotPass(by));
    }
    let mut findings = Vec::new();
    for bad in KnownBad::ALL {
        let outcome = whole(bad.run(plan, &own, programs, watch))?;
        let found = if outcome.digest == own.digest {
            Found::CannotShow
        } else {
            match caught_by(plan, &outcome, &judge(plan, &outcome)) {
                Some(by) => Found::Caught(by),
                None => Found::NotCaught(candidates::cheapest(plan, &own, &outcome)),
            }
        };
        findings.push(Finding { bad: *bad, found });
    }
    Ok(Audit { findings })
}

fn whole(outcome: Result<Outcome, RunError>) -> Result<Outcome, AuditError> {
    match outcome {
        Ok(outcome) if outcome.interrupted => Err(AuditError::Interrupted),
        Ok(outcome) => Ok(outcome),
        Err(error) => Err(AuditError::Run(error)),
    }
}

/// What keeps a run from passing, the worst first.
fn caught_by(plan: &Plan, outcome: &Outcome, judged: &[Judged]) -> Option<By> {
    let first = |verdict| judged.iter().find(|judged| judged.verdict == verdict).map(|judged| judged.name.clone());
    first(Verdict::Fail)
        .map(By::Failed)
        .or_else(|| unmentioned_crash(plan, outcome).map(|front_end| By::Crash(front_end.to_owned())))
        .or_else(|| first(Verdict::Inconclusive).map(By::Inconclusive))
}
