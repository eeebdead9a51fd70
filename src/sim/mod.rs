//! One run in virtual time: front ends, peers as rows, the network between them.
//!
//! Knows how a plan is executed. Does not know files, output or other runs; reads no scenario's name and no verdict
//! about the run.

mod ahead;
mod build;
mod certificates;
mod connection;
mod crash;
mod engine;
mod failover;
mod finish;
mod idle;
mod issuer;
mod jobs;
mod limiter;
mod limits;
mod lookup;
mod lookups;
mod making;
mod middlebox;
mod network;
mod peer_time;
mod pool;
mod ports;
mod question;
mod refresh;
mod requests;
mod retry;
mod scene;
mod session;
mod stops;
mod trigger;
mod visit;
mod way;
mod windows;
mod world;

use std::ops::ControlFlow;

use crate::measure::{Decision, Imbalance, Outcome};
use crate::scenario::plan::Plan;
use crate::time::Time;
use crate::validate::{Question, ValidatorMaker, Verdict};

pub use lookup::Names;
pub use question::FirstQuestions;

/// Who watches a run.
pub trait Watch {
    /// Called now and then; `Break` stops the run, which then has no digest.
    fn progress(&mut self, _at: Time, _steps: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Whether [`Watch::decision`] wants to be called.
    fn wants_decisions(&self) -> bool {
        false
    }

    /// Called for each decision, in the order of the digest.
    fn decision(&mut self, _decision: &Decision) {}

    /// Whether [`Watch::verdict`] wants to be called.
    fn wants_verdicts(&self) -> bool {
        false
    }

    /// Called for each verdict of a validator of the user's own as it takes effect: `front_end` is the position of who
    /// asked. In the order of virtual time, each question once.
    fn verdict(&mut self, _front_end: u16, _question: &Question<'_>, _verdict: &Verdict) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// Why a run has no outcome.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum RunError {
    /// More entities than a run can number.
    #[error(
        "{entities} peers (twice, where they send requests), workers and front ends are more than the {max} that one run can hold"
    )]
    TooMany {
        /// How many.
        entities: u64,
        /// How many may be.
        max: u64,
    },
    /// More jobs wait without a worker than a run can number.
    #[error("more than {max} validations wait for look-ups without a worker, more than this run can hold")]
    TooManyWait {
        /// How many may.
        max: u64,
    },
    /// Time stands still.
    #[error("more than {steps} steps at {at}, the last of them of {who}: the model never gets past this instant")]
    Stuck {
        /// The limit.
        steps: u64,
        /// The instant.
        at: Time,
        /// Who took the last step.
        who: String,
    },
    /// A validator that is declared pure gave two answers to one question.
    #[error("the validator is declared pure but answered the same question differently, at {at} about {who}")]
    Unstable {
        /// The instant.
        at: Time,
        /// About whom.
        who: String,
    },
    /// The validator of the user's own could not be run.
    #[error("{0}")]
    NoValidator(String),
    /// A record of verdicts has others than those that are asked for.
    #[error("{0}")]
    Differs(String),
    /// The books do not balance: an error of the program.
    #[error("{front_end}: {imbalance}")]
    Accounts {
        /// Whose books.
        front_end: String,
        /// What is wrong.
        imbalance: Imbalance,
    },
}

/// Runs `plan` with its built-in validator.
///
/// # Errors
/// See [`RunError`]; [`RunError::NoValidator`] where the plan names a program instead, for nothing here starts one.
pub fn run(plan: &Plan, watch: &mut dyn Watch) -> Result<Outcome, RunError> {
    if let Some(outside) = &plan.outside {
        let program = outside.command.first().map_or("", String::as_str);
        return Err(RunError::NoValidator(format!(
            "`validation.command` names the program {program:?}, and nothing here starts it"
        )));
    }
    engine::Run::new(plan, None, watch)?.execute()
}

/// Whoever can start the programs that plans name as their validators.
pub trait Programs {
    /// Calls `run` once, with a maker of processes of the program that `plan` names; they are gone when this returns.
    ///
    /// # Errors
    /// [`RunError::NoValidator`] where that cannot be; else what `run` gives.
    fn lend(
        &self,
        plan: &Plan,
        run: &mut dyn FnMut(&dyn ValidatorMaker) -> Result<Outcome, RunError>,
    ) -> Result<Outcome, RunError>;
}

/// Starts no programs: for plans with built-in logic.
#[derive(Clone, Copy, Debug)]
pub struct NoPrograms;

impl Programs for NoPrograms {
    fn lend(
        &self,
        plan: &Plan,
        _run: &mut dyn FnMut(&dyn ValidatorMaker) -> Result<Outcome, RunError>,
    ) -> Result<Outcome, RunError> {
        run(plan, &mut Unwatched)
    }
}

/// Runs `plan` with whoever it says judges.
///
/// # Errors
/// See [`RunError`].
pub fn run_by(plan: &Plan, programs: &dyn Programs, watch: &mut dyn Watch) -> Result<Outcome, RunError> {
    match plan.outside {
        None => run(plan, watch),
        Some(_) => programs.lend(plan, &mut |maker| run_with(plan, maker, watch)),
    }
}

/// Runs `plan` with a validator of the user's own in place of the built-in one.
///
/// # Errors
/// See [`RunError`].
pub fn run_with(plan: &Plan, maker: &dyn ValidatorMaker, watch: &mut dyn Watch) -> Result<Outcome, RunError> {
    engine::Run::new(plan, Some(maker), watch)?.execute()
}
