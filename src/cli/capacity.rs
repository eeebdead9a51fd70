//! `refresh-sim capacity`: how far a value can go while all that the scenario expects still holds.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::json;

use crate::host::signals::Interrupt;
use crate::host::threads::{Done, Ended};
use crate::measure::Verdict;
use crate::scenario::{Plan, Setting};
use crate::sim::{RunError, Watch};
use crate::study::answer::Answer;
use crate::study::capacity::{Find, Loss, REPLICATIONS, Seen, Weighed};
use crate::study::estimate::{estimate, refresh_drain};
use crate::study::search::{Found, Search};
use crate::study::stats::Tally;
use crate::study::{Task, replications};
use crate::time::Span;

use super::args::{Ask, CapacityArgs, Changes, Format};
use super::exit::Exit;
use super::input::{self, Input};
use super::outside;
use super::panics::at_work;
use super::print::{Printer, complain};
use super::progress::Progress;
use super::run::not_run;
use super::whole::WholeFile;

/// The name and version of the shape of an answer as JSON.
const SCHEMA: &str = "refresh-sim.capacity/1";

/// Answers what `args` ask.
pub(super) fn capacity(args: &CapacityArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    answered(args, interrupt, printer).unwrap_or_else(|exit| exit)
}

fn bad(why: &str) -> Exit {
    complain(&format!("error: {why}"));
    Exit::BadInput
}

fn answered(args: &CapacityArgs, interrupt: &Interrupt, printer: &mut Printer) -> Result<Exit, Exit> {
    let settings = || args.changes.set.iter().cloned().chain(threshold(args.ask));
    let changes = Changes { set: settings().collect(), seed: args.changes.seed };
    let mut input = Input::load_with(&args.file, &changes, &args.judge.validator).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })?;
    choose(args, &mut input.plan)?;
    let question = match (&args.find, args.ask) {
        (Some(find), _) => find.clone(),
        (None, Some(ask)) => ready(ask, &input.plan)?,
        (None, None) => return Err(bad("what is looked for? give --find PATH=LOW..HIGH or --ask QUESTION")),
    };
    let find = Find::parse(&question, args.step.as_deref()).map_err(|why| bad(&format!("--find {question}: {why}")))?;
    let curve = args.curve.as_deref().map(WholeFile::begin).transpose()?;
    let looking = Looking { args, input: &input, changes: &changes, find: &find, interrupt };
    // What is wrong at an end is said before anything runs.
    looking.plan(0)?;
    looking.plan(find.last())?;
    let losses = match args.with_down {
        Some(count) => {
            let losses = Loss::all(&input.plan, count as usize);
            losses.map_err(|why| bad(&format!("--with-down {count}: {why}")))?
        }
        None => Vec::new(),
    };
    let all_up = looking.search(&[])?;
    let answer = |(weighed, found): (Vec<Weighed>, Found), estimates| Answer {
        plan: &input.plan,
        find: &find,
        replications: args.replications,
        weighed,
        found,
        estimates,
    };
    let estimates = estimate(&input.plan);
    let (answer, beside) = if losses.is_empty() {
        (answer(all_up, estimates), None)
    } else {
        (answer(looking.search(&losses)?, estimates), Some(answer(all_up, Vec::new())))
    };
    let down = args.with_down.unwrap_or(0);
    match args.format {
        Format::Text => {
            let mut text = format!("{}\n", input.shown);
            if let Some(beside) = &beside {
                text += &format!("with all front ends: {}\nwith {down} lost: ", beside.headline());
            }
            printer.print(&(text + &answer.text()))?;
        }
        Format::Json => {
            let mut all = answer.json();
            all["schema"] = json!(SCHEMA);
            all["scenario"] = json!(input.plan.name);
            all["seed"] = json!(input.plan.seed);
            all["down"] = json!(down);
            all["all_up"] = json!(beside.map(|beside| beside.json()));
            printer.print(&format!("{all:#}"))?;
        }
    }
    if let Some(curve) = curve {
        curve.finish(answer.csv().as_bytes())?;
    }
    Ok(match answer.found {
        Found::Limit { holds: Some(_), fails: Some(_), .. } => Exit::Pass,
        // There is an answer, and it is not the one that was asked for.
        _ => Exit::Inconclusive,
    })
}

/// Leaves the expectations that count.
fn choose(args: &CapacityArgs, plan: &mut Plan) -> Result<(), Exit> {
    let own = threshold(args.ask).map(|set| set.path.trim_start_matches("expect.").to_owned());
    let wanted: Vec<String> =
        if args.threshold.is_empty() { own.into_iter().collect() } else { args.threshold.clone() };
    let names: Vec<String> = plan.expect.iter().map(|expectation| expectation.name.clone()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
        return Err(bad(&format!("--threshold {unknown}: the scenario's [expect] has {}", names.join(", "))));
    }
    if !wanted.is_empty() {
        plan.expect.retain(|expectation| wanted.contains(&expectation.name));
    }
    if plan.expect.is_empty() {
        return Err(bad("the scenario expects nothing, so there is nothing to hold; add an [expect], or e.g. --set \
             'expect.prompt=refresh : p99 <= 1s'"));
    }
    Ok(())
}

/// What a ready question asks to hold by itself.
fn threshold(ask: Option<Ask>) -> Option<Setting> {
    let setting = |path: &str, value: &str| Setting { path: path.to_owned(), value: value.to_owned() };
    match ask? {
        Ask::Burst => Some(setting("expect.no_syn_unanswered", "syn.unanswered : value == 0")),
        Ask::Peers | Ask::Workers | Ask::Jitter => None,
    }
}

/// A ready question as `--find` has it.
fn ready(ask: Ask, plan: &Plan) -> Result<String, Exit> {
    let peers = plan.peers().max(1);
    Ok(match ask {
        Ask::Peers | Ask::Burst => format!("peers={}..{}", (peers / 10).max(plan.groups.len() as u64), peers * 10),
        Ask::Workers => "front_end.workers & front_end.cores=1..64".to_owned(),
        Ask::Jitter => {
            let Some(refresh) = &plan.refresh else { return Err(bad("--ask jitter: the scenario has no [refresh]")) };
            // Once it is as long as the refresh of everybody takes, there is no herd; four times that is ample.
            let drain = refresh_drain(plan).map_or(0, |ns| libm::ceil(ns / 1e9) as u64);
            let ample = Span::SECOND.times(drain.max(1).saturating_mul(4)).min(Span(refresh.every.0 / 2));
            format!("refresh.spread=0s..{ample}")
        }
    })
}

struct Looking<'a> {
    args: &'a CapacityArgs,
    input: &'a Input,
    changes: &'a Changes,
    find: &'a Find,
    interrupt: &'a Interrupt,
}

impl Looking<'_> {
    /// The plan with the value at a place, and the expectations that count.
    fn plan(&self, place: u64) -> Result<Arc<Plan>, Exit> {
        let Input { path, shown, text, plan } = self.input;
        let validator = &self.args.judge.validator;
        let mut settings = self.changes.settings();
        settings.extend(self.find.settings(plan, place));
        settings.extend(outside::setting(validator));
        let mut found = input::plan(&plan.name, shown, text, &settings).map_err(|problems| {
            complain(&problems.to_string());
            bad(&format!("there is no scenario with {} at {}", self.find.name(), self.find.text(place)))
        })?;
        outside::place(&mut found, path, validator);
        found.expect.clone_from(&plan.expect);
        Ok(Arc::new(found))
    }

    /// Searches with each of some losses, of which the worst counts; with none, as the scenario is.
    fn search(&self, losses: &[Loss]) -> Result<(Vec<Weighed>, Found), Exit> {
        let mut search = Search::new(self.find.last());
        let mut all: Vec<Weighed> = Vec::new();
        while let Some(place) = search.next() {
            let weighed = self.weigh(place, losses)?;
            search.tell(place, weighed.tally());
            all.push(weighed);
        }
        all.sort_by_key(|weighed| weighed.place);
        Ok((all, search.found()))
    }

    fn weigh(&self, place: u64, losses: &[Loss]) -> Result<Weighed, Exit> {
        let plan = self.plan(place)?;
        let mut worst: Option<Weighed> = None;
        for loss in losses {
            let mut weighed = self.weigh_one(place, &Arc::new(loss.of(&plan)))?;
            weighed.loss = Some(loss.text(&plan));
            let rank = |weighed: &Weighed| (weighed.tally(), weighed.count(Verdict::Fail));
            if worst.as_ref().is_none_or(|worst| rank(worst) < rank(&weighed)) {
                worst = Some(weighed);
            }
            // One that fails is enough.
            if worst.as_ref().is_some_and(|worst| worst.tally() == Tally::Fails) {
                break;
            }
        }
        worst.map_or_else(|| self.weigh_one(place, &plan), Ok)
    }

    fn weigh_one(&self, place: u64, plan: &Arc<Plan>) -> Result<Weighed, Exit> {
        let count = self.args.replications;
        let name = format!("{} with {} at {}", self.input.shown, self.find.name(), self.find.text(place));
        let what = format!("replications at {}", self.find.text(place));
        let mut progress = Progress::of(count.into(), what, self.args.progress);
        let mut weighed = Weighed::new(place, count);
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
                Ok(Err(error)) => not_run(&name, &error),
            });
            ControlFlow::Break(())
        };
        let tasks = replications(plan, 0..count);
        let ended = outside::run_all(self.args.jobs.count(), tasks, self.interrupt, work, fold);
        drop(progress);
        match ended {
            Ok(Ended::All | Ended::Stopped) => exit.map_or(Ok(weighed), Err),
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

/// The fewest replications with which a value can be shown to hold.
pub(super) const REPLICATIONS_MIN: u32 = REPLICATIONS;
