//! Watching a run: whether it shall end, how far it is, what it decides.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::host::clock::Pace;
use crate::host::signals::Interrupt;
use crate::measure::Decision;
use crate::scenario::Plan;
use crate::sim::Watch;
use crate::time::Time;
use crate::validate::{Question, Verdict};

use super::print::{hint, stderr_is_terminal};
use super::trace::Tracer;
use super::verdicts::VerdictsOut;

/// Real time between two lines of progress.
const PACE: Duration = Duration::from_millis(300);

/// Stops a run when somebody asks for an end.
pub(super) struct Stoppable<'a>(pub(super) &'a Interrupt);

impl Watch for Stoppable<'_> {
    fn progress(&mut self, _at: Time, _steps: u64) -> ControlFlow<()> {
        if self.0.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Watches one run of `run`.
pub(super) struct RunWatch<'a> {
    pub(super) interrupt: &'a Interrupt,
    pub(super) progress: Option<Progress<'a>>,
    pub(super) tracer: Option<Tracer<'a>>,
    pub(super) verdicts: Option<VerdictsOut<'a>>,
}

impl Watch for RunWatch<'_> {
    fn progress(&mut self, at: Time, steps: u64) -> ControlFlow<()> {
        let cannot_write = self.tracer.as_ref().is_some_and(Tracer::has_failed)
            || self.verdicts.as_ref().is_some_and(VerdictsOut::has_failed);
        if self.interrupt.is_raised() || cannot_write {
            return ControlFlow::Break(());
        }
        if let Some(progress) = &mut self.progress {
            progress.show(at, steps);
        }
        ControlFlow::Continue(())
    }

    fn wants_decisions(&self) -> bool {
        self.tracer.is_some()
    }

    fn decision(&mut self, decision: &Decision) {
        if let Some(tracer) = &mut self.tracer {
            tracer.decision(decision);
        }
    }

    fn wants_verdicts(&self) -> bool {
        self.verdicts.is_some()
    }

    fn verdict(&mut self, front_end: u16, question: &Question<'_>, verdict: &Verdict) {
        if let Some(verdicts) = &mut self.verdicts {
            verdicts.take(front_end, question, verdict);
        }
    }
}

/// A line on standard error that says how far a run is.
pub(super) struct Progress<'a> {
    file: &'a str,
    plan: &'a Plan,
    pace: Pace,
    is_terminal: bool,
    is_shown: bool,
}

impl<'a> Progress<'a> {
    /// For a run of `plan`, if somebody wants to see it.
    pub(super) fn new(file: &'a str, plan: &'a Plan, wanted: bool) -> Option<Progress<'a>> {
        let is_terminal = stderr_is_terminal();
        let mut progress = Progress { file, plan, pace: Pace::new(PACE), is_terminal, is_shown: false };
        if wanted {
            progress.say(&format!("running {file}: {} of {} peers", plan.horizon, plan.peers()));
        }
        (wanted || is_terminal).then_some(progress)
    }

    fn show(&mut self, at: Time, steps: u64) {
        if self.pace.is_due() {
            let percent = u128::from(at.0) * 100 / u128::from(self.plan.horizon.0.max(1));
            let text = format!("running {}: {percent} % of {}, {steps} steps", self.file, self.plan.horizon);
            self.say(&text);
        }
    }

    fn say(&mut self, text: &str) {
        if self.is_terminal {
            self.is_shown = true;
            hint(&format!("\r{text}\x1b[K"));
        } else {
            hint(&format!("{text}\n"));
        }
    }
}

/// The line goes when the run does.
impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.is_shown {
            hint("\r\x1b[K");
        }
    }
}
