//! Runs whose decisions are kept, for tests that look at them.

use refresh_sim::measure::{Decision, Outcome};
use refresh_sim::scenario::plan::Plan;
use refresh_sim::sim::{Watch, run};

/// Keeps every decision.
#[derive(Default)]
pub(super) struct All(pub(super) Vec<Decision>);

impl Watch for All {
    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        self.0.push(*decision);
    }
}

/// What comes of a run, and all that was decided.
pub(super) fn seen(plan: &Plan) -> (Outcome, Vec<Decision>) {
    let mut all = All::default();
    let outcome = run(plan, &mut all).expect("it runs");
    (outcome, all.0)
}
