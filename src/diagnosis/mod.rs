//! Why front ends crashed, found as support engineers find it: what do the questions that crashed have in common that
//! the others have not, and which single change makes the crash go away.
//!
//! Runs a plan again and counts its questions by what a validator sees of them; then runs altered plans, one for each
//! change of a fixed list. Knows nothing of how a validator works: only what it was asked and what came of it.

mod changes;
mod pattern;
mod render;

use crate::scenario::plan::Plan;
use crate::sim::{self, Programs, RunError, Watch};

pub use changes::{Change, Tried, Verdict};
pub use pattern::{Attribute, Pattern, Ranked, Value};
pub use render::{json, text};

use pattern::Questions;

/// What was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Diagnosis {
    /// The digest of the run that was looked at; `None`: it was interrupted, and nothing else of this is whole.
    pub digest: Option<String>,
    /// Crashes by a validator's fault.
    pub crashes: usize,
    /// Crashes from outside, which no question is to blame for.
    pub from_outside: usize,
    /// What the crashing questions have in common; `None`: there are none.
    pub pattern: Option<Pattern>,
    /// The changes, in the order in which they are tried.
    pub tried: Vec<Tried>,
}

/// Diagnoses a plan. `text` is the plan as `scenario::render` writes it, from which altered ones are made; `programs` start
/// what it names as its validator; `watch` may stop any of the runs.
///
/// # Errors
/// If the plan itself does not run, or its program fails in any run; an altered plan that does not run is told of in its
/// place.
pub fn diagnose(
    plan: &Plan,
    text: &[u8],
    programs: &dyn Programs,
    watch: &mut dyn Watch,
) -> Result<Diagnosis, RunError> {
    let mut questions = Questions::new(plan, watch);
    let outcome = sim::run_by(plan, programs, &mut questions)?;
    let pattern = questions.pattern();
    let crashes = outcome.crashes.iter().filter(|crash| crash.fault.is_some()).count();
    let from_outside = outcome.crashes.len() - crashes;
    let mut diagnosis = Diagnosis { digest: outcome.digest, crashes, from_outside, pattern: None, tried: Vec::new() };
    let Some(pattern) = pattern.filter(|_| diagnosis.digest.is_some()) else { return Ok(diagnosis) };
    for change in Change::ALL {
        diagnosis.tried.push(changes::try_out(change, plan, text, &pattern.groups, programs, watch)?);
    }
    diagnosis.pattern = Some(pattern);
    Ok(diagnosis)
}
