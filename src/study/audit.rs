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

/// Audits of several replications, put together.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Audits {
    /// How many.
    pub replications: u32,
    /// Each known-bad logic, in the order of [`KnownBad::ALL`]: not caught if it is not in one replication, for a gate
    /// makes one run; else caught if it is in one; with what is known of the first replication that says so.
    pub findings: Vec<Finding>,
    /// For each, in how many replications it is caught.
    pub caught: Vec<u32>,
    /// For each, the replications in which it is not.
    pub missed: Vec<Vec<u32>>,
}

impl Audits {
    /// Adds the next replication.
    pub fn add(&mut self, audit: Audit) {
        let number = self.replications;
        self.replications += 1;
        if self.findings.is_empty() {
            self.caught = vec![0; audit.findings.len()];
            self.missed = vec![Vec::new(); audit.findings.len()];
        }
        let rank = |found: &Found| match found {
            Found::NotCaught(_) => 2,
            Found::Caught(_) => 1,
            Found::CannotShow => 0,
        };
        for (nth, finding) in audit.findings.into_iter().enumerate() {
            match finding.found {
                Found::Caught(_) => self.caught[nth] += 1,
                Found::NotCaught(_) => self.missed[nth].push(number),
                Found::CannotShow => {}
            }
            match self.findings.get_mut(nth) {
                Some(own) if rank(&finding.found) > rank(&own.found) => *own = finding,
                Some(_) => {}
                None => self.findings.push(finding),
            }
        }
    }

    /// In which replications a finding is so, in words; `None`: there is one.
    pub fn in_which(&self, nth: usize) -> Option<String> {
        const NAMED: usize = 5;
        if self.replications < 2 {
            return None;
        }
        let missed = &self.missed[nth];
        Some(if missed.is_empty() {
            format!("in {} of {} replications", self.caught[nth], self.replications)
        } else {
            let named: Vec<String> = missed.iter().take(NAMED).map(u32::to_string).collect();
            let more = if missed.len() > NAMED { ", ..." } else { "" };
            format!("in {} of {} replications: {}{more}", missed.len(), self.replications, named.join(", "))
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_caught_in_one_replication_is_not_caught_and_the_replication_is_named() {
        let audit = |found: [Found; 2]| {
            let findings = KnownBad::ALL.iter().zip(found).map(|(bad, found)| Finding { bad: *bad, found });
            Audit { findings: findings.collect() }
        };
        let caught = || Found::Caught(By::Failed("x".to_owned()));
        let mut all = Audits::default();
        all.add(audit([caught(), Found::CannotShow]));
        assert_eq!(all.in_which(0), None, "there is one");
        all.add(audit([Found::NotCaught(None), Found::CannotShow]));
        all.add(audit([caught(), caught()]));
        assert_eq!(
            all.findings.iter().map(|finding| &finding.found).collect::<Vec<_>>(),
            [&Found::NotCaught(None), &caught()]
        );
        assert_eq!(all.in_which(0).as_deref(), Some("in 1 of 3 replications: 1"));
        assert_eq!(all.in_which(1).as_deref(), Some("in 1 of 3 replications"));
    }
}
