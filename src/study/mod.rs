//! Many runs: what is run, and how what they give is put together.
//!
//! Knows plans and replications. Does not know threads, files or output: `host::threads` runs [`Task`]s, and hands
//! their results back in the order of the tasks, so that what is made of them never depends on how many ran at once.

pub mod answer;
pub mod audit;
pub mod axis;
pub mod baseline;
pub mod capacity;
pub mod cell;
pub mod check;
pub mod compare;
pub mod estimate;
pub mod explain;
pub mod failing;
pub mod family;
pub mod frontier;
pub mod inputs;
#[cfg(feature = "parquet")]
mod parquet;
pub mod range;
pub mod replica;
pub mod replicated;
pub mod search;
pub mod sensitivity;
pub mod stats;
pub mod sweep;
pub mod table;
pub mod told;
pub mod window;
mod worst;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::scenario::Plan;

pub use worst::Worst;

/// One run to be made: a replication of a plan.
///
/// Replications of one plan share its seed; each has draws of its own, whatever others are run, so that a study can be
/// extended later, or one of its runs made again alone (`run --replication N`).
#[derive(Clone, Debug)]
pub struct Task {
    /// What is run; its own `replication` does not count.
    pub plan: Arc<Plan>,
    /// Which replication of it; 0 is the run that `run` makes.
    pub replication: u32,
}

impl Task {
    /// The plan as it runs.
    pub fn plan(&self) -> Cow<'_, Plan> {
        if self.plan.replication == self.replication {
            Cow::Borrowed(&self.plan)
        } else {
            Cow::Owned(Plan { replication: self.replication, ..Plan::clone(&self.plan) })
        }
    }
}

/// Some replications of a plan, in order. `0..n` first and `n..m` later are the same tasks as `0..m` at once.
pub fn replications(plan: &Arc<Plan>, which: Range<u32>) -> impl Iterator<Item = Task> + Send + use<> {
    let plan = Arc::clone(plan);
    which.map(move |replication| Task { plan: Arc::clone(&plan), replication })
}

/// The same replications of several plans: all plans of one replication, then all of the next, so that what is compared
/// comes together and little of it has to be kept.
pub fn paired(plans: &[Arc<Plan>], which: Range<u32>) -> impl Iterator<Item = Task> + Send + use<> {
    let plans = plans.to_vec();
    which.flat_map(move |replication| {
        let tasks: Vec<Task> = plans.iter().map(|plan| Task { plan: Arc::clone(plan), replication }).collect();
        tasks
    })
}
