//! Which peers a run fails, to see which fail on one side of a comparison and not on the other.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::measure::{Decision, What};
use crate::scenario::Plan;
use crate::sim::{Names, Watch};
use crate::time::Time;

/// How a peer fails; a peer that fails in several ways fails in the first of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Failure {
    /// The verdict on it ended a front end.
    Fault,
    /// It was rejected.
    Rejected,
    /// It stopped trying for good.
    Stopped,
    /// It was there at the end, and had no valid connection.
    NotValid,
    /// A request of it failed.
    Request,
}

impl Failure {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Failure::Fault => "the verdict on it ended a front end",
            Failure::Rejected => "rejected",
            Failure::Stopped => "stopped trying for good",
            Failure::NotValid => "not valid at the end",
            Failure::Request => "a request failed",
        }
    }
}

/// Watches a run for peers that fail.
pub struct Failing<'a> {
    plan: &'a Plan,
    /// Whoever may stop it.
    inner: &'a mut dyn Watch,
    failed: BTreeMap<u32, Failure>,
    /// By row: whether it is there without a valid connection.
    waits: Vec<bool>,
}

impl<'a> Failing<'a> {
    /// For a run of `plan` that `inner` may stop.
    pub fn new(plan: &'a Plan, inner: &'a mut dyn Watch) -> Failing<'a> {
        // The bound is that of a run.
        let peers = usize::try_from(plan.peers()).unwrap_or(0);
        Failing { plan, inner, failed: BTreeMap::new(), waits: vec![false; peers] }
    }

    fn note(&mut self, who: u32, failure: Failure) {
        self.failed.entry(who).and_modify(|own| *own = failure.min(*own)).or_insert(failure);
    }

    /// The peers that failed, by their names.
    pub fn finish(mut self) -> BTreeMap<String, Failure> {
        for who in 0..self.waits.len() {
            if self.waits[who] {
                self.note(who as u32, Failure::NotValid);
            }
        }
        let names = Names::new(self.plan);
        self.failed.iter().map(|(who, failure)| (names.peer(*who), *failure)).collect()
    }
}

impl Watch for Failing<'_> {
    fn progress(&mut self, at: Time, steps: u64) -> ControlFlow<()> {
        self.inner.progress(at, steps)
    }

    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        let Decision { who, what, detail, .. } = *decision;
        let waits = match what {
            What::Asked if detail == 1 => return self.note(who, Failure::Fault),
            What::Asked if detail >= 16 => return self.note(who, Failure::Rejected),
            What::Stops => return self.note(who, Failure::Stopped),
            What::RequestFailed => return self.note(who, Failure::Request),
            What::Join | What::Lost => true,
            What::Valid | What::Leave => false,
            _ => return,
        };
        if let Some(own) = self.waits.get_mut(who as usize) {
            *own = waits;
        }
    }
}
