//! Weighing values by runs: what has run is kept, so that no search, frontier or sensitivity runs anything twice.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::host::signals::Interrupt;
use crate::host::threads::{Done, Ended};
use crate::measure::Verdict;
use crate::policy::Ratio;
use crate::scenario::Plan;
use crate::sim::{RunError, Watch};
use crate::study::capacity::{Find, Loss, Rule, Seen, Weighed};
use crate::study::inputs::scaled;
use crate::study::search::{Found, Hint, Search};
use crate::study::sensitivity::SCREENED;
use crate::study::stats::Tally;
use crate::study::{Task, replications};

use super::super::args::{CapacityArgs, Changes};
use super::super::exit::Exit;
use super::super::input::{self, Input};
use super::super::outside;
use super::super::panics::at_work;
use super::super::print::complain;
use super::super::progress::Progress;
use super::bad;

/// A plan: values at places, one for each variable; which front ends are lost; which input is how much larger.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Case {
    pub(super) places: Vec<u64>,
    pub(super) loss: Option<usize>,
    pub(super) scaled: Option<(String, usize)>,
}

/// What is looked for, and all that has run for it.
pub(super) struct Looking<'a> {
    args: &'a CapacityArgs,
    input: &'a Input,
    changes: &'a Changes,
    finds: &'a [Find],
    factors: [Ratio; 2],
    interrupt: &'a Interrupt,
    kept: BTreeMap<Case, Vec<Seen>>,
    /// Runs that were made.
    pub(super) runs: u64,
}

impl<'a> Looking<'a> {
    pub(super) fn new(
        args: &'a CapacityArgs,
        input: &'a Input,
        changes: &'a Changes,
        finds: &'a [Find],
        interrupt: &'a Interrupt,
    ) -> Looking<'a> {
        let factors = crate::study::sensitivity::FACTORS;
        Looking { args, input, changes, finds, factors, interrupt, kept: BTreeMap::new(), runs: 0 }
    }

    /// The values in words.
    fn named(&self, case: &Case) -> String {
        let value = |(find, place): (&Find, &u64)| format!("{} at {}", find.name(), find.text(*place));
        let values = self.finds.iter().zip(&case.places).map(value).collect::<Vec<_>>().join(", ");
        match &case.scaled {
            Some((path, factor)) => format!("{values}, {path} times {}", self.factors[*factor]),
            None => values,
        }
    }

    /// The plan with the values at some places, and the expectations that count.
    pub(super) fn plan(&self, places: &[u64]) -> Result<Plan, Exit> {
        let Input { path, shown, text, plan } = self.input;
        let validator = &self.args.judge.validator;
        let mut settings = self.changes.settings();
        for (find, place) in self.finds.iter().zip(places) {
            settings.extend(find.settings(plan, *place));
        }
        settings.extend(outside::setting(validator));
        let mut found = input::plan(&plan.name, shown, text, &settings).map_err(|problems| {
            complain(&problems.to_string());
            let case = Case { places: places.to_vec(), ..Case::default() };
            bad(&format!("there is no scenario with {}", self.named(&case)))
        })?;
        outside::place(&mut found, path, validator);
        for (find, place) in self.finds.iter().zip(places) {
            find.fits(&found).map_err(|why| bad(&format!("--find {}: {why}", find.name())))?;
            find.put(&mut found, *place);
        }
        found.expect.clone_from(&plan.expect);
        Ok(found)
    }

    /// `None`: the input cannot be so much larger there.
    fn plan_of(&self, case: &Case, losses: &[Loss]) -> Result<Option<Plan>, Exit> {
        let mut plan = self.plan(&case.places)?;
        if let Some((path, factor)) = &case.scaled {
            match scaled(&plan, path, self.factors[*factor]) {
                Some(other) => plan = other,
                None => return Ok(None),
            }
        }
        if let Some(loss) = case.loss.and_then(|nth| losses.get(nth)) {
            plan = loss.of(&plan);
        }
        Ok(Some(plan))
    }

    /// Searches the last variable, the others at `before`; with some losses the worst of them counts.
    pub(super) fn search(
        &mut self,
        before: &[u64],
        losses: &[Loss],
        hint: Option<Hint>,
    ) -> Result<(Vec<Weighed>, Found), Exit> {
        let last = self.finds.last().map_or(0, Find::last);
        let mut search = Search::near(last, hint);
        let mut all: Vec<Weighed> = Vec::new();
        // Whichever loss was the worst of one value is likely to be that of the next.
        let mut order: Vec<usize> = (0..losses.len()).collect();
        while let Some(place) = search.next() {
            let places = [before, &[place]].concat();
            let weighed = self.weigh(&places, losses, &mut order)?;
            search.tell(place, weighed.tally());
            all.push(weighed);
        }
        all.sort_by_key(|weighed| weighed.place);
        Ok((all, search.found()))
    }

    fn weigh(&mut self, places: &[u64], losses: &[Loss], order: &mut [usize]) -> Result<Weighed, Exit> {
        let mut worst: Option<(usize, Weighed)> = None;
        for (rank, nth) in order.iter().copied().enumerate() {
            let case = Case { places: places.to_vec(), loss: Some(nth), scaled: None };
            let mut weighed = self.rule_32(&case, losses)?;
            weighed.loss = Some(losses[nth].text(&self.input.plan));
            let rank_of = |weighed: &Weighed| (weighed.tally(), weighed.count(Verdict::Fail));
            if worst.as_ref().is_none_or(|(_, worst)| rank_of(worst) < rank_of(&weighed)) {
                worst = Some((rank, weighed));
            }
            // One that fails is enough.
            if worst.as_ref().is_some_and(|(_, worst)| worst.tally() == Tally::Fails) {
                break;
            }
        }
        match worst {
            Some((rank, weighed)) => {
                order[..=rank].rotate_right(1);
                Ok(weighed)
            }
            None => self.rule_32(&Case { places: places.to_vec(), ..Case::default() }, &[]),
        }
    }

    fn rule_32(&mut self, case: &Case, losses: &[Loss]) -> Result<Weighed, Exit> {
        let weighed = Weighed::new(0, self.args.replications, Rule::Bounds);
        self.run(case, losses, weighed)?.ok_or(Exit::Internal)
    }

    /// By the majority of a few; `None`: the case cannot be.
    pub(super) fn majority(&mut self, case: &Case, losses: &[Loss]) -> Result<Option<Weighed>, Exit> {
        self.run(case, losses, Weighed::new(0, SCREENED, Rule::Majority))
    }

    /// By rule 32, of a case that may not be.
    pub(super) fn bounds(&mut self, case: &Case, losses: &[Loss]) -> Result<Option<Weighed>, Exit> {
        self.run(case, losses, Weighed::new(0, self.args.replications, Rule::Bounds))
    }

    /// The first few replications, all of them; `None`: the case cannot be.
    pub(super) fn few(&mut self, case: &Case, losses: &[Loss]) -> Result<Option<Vec<Seen>>, Exit> {
        let weighed = self.run(case, losses, Weighed::new(0, SCREENED, Rule::All))?;
        Ok(weighed.map(|weighed| weighed.runs))
    }

    /// Weighs by what has run already, and runs what is missing.
    fn run(&mut self, case: &Case, losses: &[Loss], mut weighed: Weighed) -> Result<Option<Weighed>, Exit> {
        weighed.place = case.places.last().copied().unwrap_or(0);
        let kept = self.kept.get(case).cloned().unwrap_or_default();
        for seen in kept.iter().take(weighed.planned as usize) {
            if weighed.add(seen.clone()) {
                return Ok(Some(weighed));
            }
        }
        if kept.len() as u32 >= weighed.planned {
            return Ok(Some(weighed));
        }
        let Some(plan) = self.plan_of(case, losses)? else { return Ok(None) };
        let before = weighed.runs.len() as u64;
        self.run_on(case, &Arc::new(plan), &mut weighed)?;
        self.runs += weighed.runs.len() as u64 - before;
        self.kept.insert(case.clone(), weighed.runs.clone());
        Ok(Some(weighed))
    }

    fn run_on(&self, case: &Case, plan: &Arc<Plan>, weighed: &mut Weighed) -> Result<(), Exit> {
        let values = self.named(case);
        let name = format!("{} with {values}", self.input.shown);
        let which = weighed.runs.len() as u32..weighed.planned;
        let mut progress = Progress::of(which.len() as u64, format!("replications with {values}"), self.args.progress);
        let mut exit = None;
        let work = |task: &Task, stop: &Interrupt, watch: &mut dyn Watch| {
            at_work(format!("{name}, replication {}", task.replication));
            let plan = task.plan();
            outside::run(&plan, stop, watch).map(|outcome| Seen::of(&plan, &outcome))
        };
        let fold = |done: Done<Result<Option<Seen>, RunError>>| {
            progress.one();
            exit = Some(match done.result {
                Ok(Ok(Some(seen))) => {
                    return if weighed.add(seen) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
                }
                Ok(Ok(None)) | Err(_) => Exit::Internal,
                Ok(Err(error)) => outside::ended(&name, &error, self.interrupt),
            });
            ControlFlow::Break(())
        };
        let ended = outside::run_all(self.args.jobs.count(), replications(plan, which), self.interrupt, work, fold);
        drop(progress);
        match ended {
            Ok(Ended::All | Ended::Stopped) => exit.map_or(Ok(()), Err),
            Ok(Ended::Interrupted(signal)) => {
                complain("interrupted: an unfinished search has no answer");
                Err(signal.into())
            }
            Err(error) => {
                complain(&format!("error: cannot start a thread: {error}"));
                Err(Exit::Inconclusive)
            }
        }
    }
}
