//! `refresh-sim compare`, `whatif` and `baseline accept`: the same replications of two sides, run and weighed.
//!
//! A side is a scenario, a results folder (whose plan is run again, and must still give its digest) or a baseline. Nothing
//! here but `baseline accept` writes anything.

use std::fs;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::host::signals::Interrupt;
use crate::host::threads::{Done, Ended, Panicked};
use crate::measure::Verdict;
use crate::report;
use crate::scenario::{Plan, Setting};
use crate::sim::{RunError, Watch};
use crate::study::baseline::Baseline;
use crate::study::compare::{Comparison, Measured, Overall, Rules, Side, compare as weigh, needed};
use crate::study::family::Family;
use crate::study::{Task, paired, replications, told};

use super::args::{AcceptArgs, Changes, CompareArgs, Format, Jobs, WhatifArgs};
use super::exit::Exit;
use super::input::{self, Input, cause};
use super::outside;
use super::panics::at_work;
use super::parting;
use super::print::{Printer, complain, shown};
use super::run::not_run;
use super::watch::Stoppable;
use super::whole::WholeFile;

/// The name and version of the shape of a comparison as JSON.
const SCHEMA: &str = "refresh-sim.compare/1";
/// The most that a baseline or a summary may have.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Replications that `--replications` may ask for; more would keep more values than a comparison needs.
pub(super) const REPLICATIONS_MAX: u32 = 10_000;

/// One side, before anything of it has run.
pub(super) struct Source {
    /// What it is called.
    pub(super) shown: String,
    pub(super) plan: Arc<Plan>,
    kind: Kind,
}

enum Kind {
    Scenario,
    /// Which replication the folder holds, and its digest.
    Results(u32, String),
    Baseline(Box<Baseline>),
}

impl Source {
    fn load(path: &Path, changes: &Changes) -> Result<Source, Exit> {
        let bad = |why: String| {
            complain(&format!("error: {}: {why}", shown(path)));
            Exit::BadInput
        };
        if path.is_dir() {
            return Source::results(path, changes).map_err(bad)?;
        }
        if path.extension().is_some_and(|ending| ending == "json") {
            let text = read(path).map_err(bad)?;
            let (baseline, mut plan) = Baseline::read(&text).map_err(|error| bad(error.to_string()))?;
            outside::place(&mut plan, path, &[]);
            return Ok(Source { shown: shown(path), plan: Arc::new(plan), kind: Kind::Baseline(Box::new(baseline)) });
        }
        let input = Input::load(path, changes).map_err(said)?;
        Ok(Source { shown: input.shown, plan: Arc::new(input.plan), kind: Kind::Scenario })
    }

    /// A results folder; the inner error has been said.
    fn results(folder: &Path, changes: &Changes) -> Result<Result<Source, Exit>, String> {
        #[derive(serde::Deserialize)]
        struct Summary {
            schema: String,
            scenario: String,
            digest: Option<String>,
            replication: u32,
        }
        if folder.join("INCOMPLETE").exists() {
            return Err("the result is marked INCOMPLETE; run it again".to_owned());
        }
        if !changes.settings().is_empty() {
            return Err("a result is what it is: --set and --seed are for scenarios".to_owned());
        }
        let text = read(&folder.join("summary.json"))?;
        let summary: Summary = serde_json::from_slice(&text).map_err(|error| format!("summary.json: {error}"))?;
        if summary.schema != report::SCHEMA {
            return Err(format!("its schema is {:?}; this program reads {:?}", summary.schema, report::SCHEMA));
        }
        let digest = summary.digest.ok_or("the result has no digest: the run was interrupted; run it again")?;
        let kind = Kind::Results(summary.replication, digest);
        let mut plan = match input::stored_plan(&summary.scenario, &folder.join("plan.toml")).map_err(said) {
            Ok((_, plan)) => plan,
            Err(exit) => return Ok(Err(exit)),
        };
        outside::place_as_kept(&mut plan, folder)?;
        Ok(Ok(Source { shown: shown(folder), plan: Arc::new(plan), kind }))
    }

    /// How many runs it has, if that is fixed.
    fn fixed(&self) -> Option<u32> {
        match &self.kind {
            Kind::Baseline(baseline) => Some(u32::try_from(baseline.digests.len()).unwrap_or(u32::MAX)),
            Kind::Scenario | Kind::Results(..) => None,
        }
    }
}

fn said(error: input::InputError) -> Exit {
    complain(&error.to_string());
    Exit::BadInput
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {}", shown(path), cause(&error));
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("{} is no plain file", shown(path)));
    }
    let (mut bytes, file) = (Vec::new(), fs::File::open(path).map_err(failed)?);
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(format!("{} has more than {BYTES_MAX} bytes", shown(path)));
    }
    Ok(bytes)
}

// ---- the commands

/// `compare A B`.
pub(super) fn compare(args: &CompareArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let changes = Changes { set: Vec::new(), calibrate: None, seed: args.seed };
    let a = Source::load(&args.a, &changes);
    let b = Source::load(&args.b, &changes);
    let (a, b) = match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (a, b) => return Exit::worst([a.err(), b.err()].into_iter().flatten()),
    };
    let versus = Versus { how: &args.how, interrupt, sides: [a, b] };
    done(versus.weigh(printer).map(|overall| match overall {
        Overall::Regression => Exit::Regression,
        Overall::Inconclusive => Exit::Inconclusive,
        Overall::Identical | Overall::Unchanged | Overall::NoChangeShown | Overall::Changed => Exit::Pass,
    }))
}

/// `whatif FILE --set ...`: the question has an answer, good or bad, so both are exit 0.
pub(super) fn whatif(args: &WhatifArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let changes = |set: Vec<Setting>| Changes { set, calibrate: args.calibrate.clone(), seed: args.seed };
    let load =
        |set: Vec<Setting>, program: &[String]| Input::load_with(&args.file, &changes(set), program).map_err(said);
    let (a, b) = match load(Vec::new(), &[]).and_then(|a| Ok((a, load(args.set.clone(), &args.validator)?))) {
        Ok(inputs) => inputs,
        Err(exit) => return exit,
    };
    let mut settings: Vec<String> = args.set.iter().map(|set| format!("{}={}", set.path, set.value)).collect();
    if !args.validator.is_empty() {
        settings.push(format!("the validator `{}`", args.validator.join(" ")));
    }
    let name = format!("{} with {}", b.shown, settings.join(", "));
    let source = |shown: String, plan: Plan| Source { shown, plan: Arc::new(plan), kind: Kind::Scenario };
    let sides = [source(a.shown, a.plan), source(name, b.plan)];
    let versus = Versus { how: &args.how, interrupt, sides };
    done(versus.weigh(printer).map(|overall| match overall {
        Overall::Inconclusive => Exit::Inconclusive,
        _ => Exit::Pass,
    }))
}

fn done(result: Result<Exit, Exit>) -> Exit {
    result.unwrap_or_else(|exit| exit)
}

/// `baseline accept FILE`.
pub(super) fn accept(args: &AcceptArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    done(accepted(args, interrupt, printer))
}

fn accepted(args: &AcceptArgs, interrupt: &Interrupt, printer: &mut Printer) -> Result<Exit, Exit> {
    let input = Input::load_with(&args.file, &args.changes, &args.judge.validator).map_err(said)?;
    let place = args.out.clone().unwrap_or_else(|| place_of(&args.file));
    let is_there = fs::symlink_metadata(&place).is_ok();
    if is_there && let Err(why) = read(&place).and_then(|text| Baseline::read(&text).map_err(|error| error.to_string()))
    {
        // One of other rules is a baseline too, and is what needs to be replaced.
        if !why.contains("semantics") {
            complain(&format!("error: {} is not replaced: {why}; give another --out", shown(&place)));
            return Err(Exit::NotWritten);
        }
    }
    let file = WholeFile::begin(&place)?;
    let plan = Arc::new(input.plan);
    let family = Family::of(&[&plan]);
    let count = args.replications.unwrap_or_else(|| needed(&family, true));
    let mut runs = Runs::new(&input.shown);
    let work =
        |task: &Task, stop: &Interrupt, watch: &mut dyn Watch| -> Result<(Option<Measured>, Vec<String>), RunError> {
            at_work(format!("{}, replication {}", input.shown, task.replication));
            let plan = task.plan();
            let outcome = outside::run(&plan, stop, watch)?;
            Ok((Measured::of(&plan, &outcome, &family), failed(&plan, &outcome)))
        };
    let mut bad: Option<(u32, Vec<String>)> = None;
    let fold = |done: Done<Result<_, RunError>>| {
        let replication = done.task.replication;
        runs.take(replication, done.result, |(measured, failed): (Option<Measured>, Vec<String>)| {
            if bad.is_none() && !failed.is_empty() {
                bad = Some((replication, failed));
            }
            measured
        })
    };
    let ended = outside::run_all(args.jobs.count(), replications(&plan, 0..count), interrupt, work, fold);
    let runs = runs.finish(ended)?;
    if let Some((replication, failed)) = bad {
        complain(&format!(
            "error: no baseline is written: in replication {replication} {}\n  to see it: refresh-sim run {} --replication \
             {replication}",
            failed.join("; "),
            input.shown,
        ));
        return Err(Exit::Failed);
    }
    let baseline = Baseline::of(&plan, &family, &Side { seed: plan.seed, runs });
    file.finish(baseline.text().as_bytes())?;
    let (verb, place) = (if is_there { "replaced" } else { "written" }, shown(&place));
    printer.print(&format!("{place} {verb}: {count} replications of {}, seed {}", input.shown, plan.seed))?;
    Ok(Exit::Pass)
}

/// Where a scenario's baseline is unless somebody says otherwise.
pub(super) fn place_of(scenario: &Path) -> PathBuf {
    scenario.with_extension("baseline.json")
}

/// What speaks against taking a run as right.
fn failed(plan: &Plan, outcome: &crate::measure::Outcome) -> Vec<String> {
    let judged = report::judge(plan, outcome);
    // What is against a baseline is against the one that this shall replace.
    let own = judged.iter().zip(&plan.expect).filter(|(_, expectation)| expectation.against.is_none());
    let failed = own.map(|(judged, _)| judged).filter(|judged| judged.verdict == Verdict::Fail);
    let crash = report::unmentioned_crash(plan, outcome);
    let crash = crash.map(|front_end| format!("{front_end} crashed and no expectation mentions it"));
    failed.map(|judged| format!("{} does not hold: {}", judged.name, judged.text)).chain(crash).collect()
}

// ---- runs

/// The runs of one side as they come.
struct Runs<'a> {
    shown: &'a str,
    runs: Vec<Measured>,
    exit: Option<Exit>,
}

impl<'a> Runs<'a> {
    fn new(shown: &'a str) -> Runs<'a> {
        Runs { shown, runs: Vec::new(), exit: None }
    }

    /// Adds the next run; an error ends it all, for a comparison without one of its runs would be another one.
    fn take<T>(
        &mut self,
        replication: u32,
        result: Result<Result<T, RunError>, Panicked>,
        measured: impl FnOnce(T) -> Option<Measured>,
    ) -> ControlFlow<()> {
        let exit = match result {
            Ok(Ok(run)) => match measured(run) {
                Some(measured) => {
                    self.runs.push(measured);
                    return ControlFlow::Continue(());
                }
                None => Exit::Internal,
            },
            Ok(Err(error)) => not_run(&format!("{}, replication {replication}", self.shown), &error),
            Err(_said) => Exit::Internal,
        };
        self.exit = Some(exit);
        ControlFlow::Break(())
    }

    fn finish(self, ended: std::io::Result<Ended>) -> Result<Vec<Measured>, Exit> {
        ended_well(ended)?;
        self.exit.map_or(Ok(self.runs), Err)
    }
}

pub(super) fn ended_well(ended: std::io::Result<Ended>) -> Result<(), Exit> {
    match ended {
        Ok(Ended::All | Ended::Stopped) => Ok(()),
        Ok(Ended::Interrupted(signal)) => {
            complain("interrupted: nothing is said of an unfinished comparison, and nothing is written");
            Err(signal.into())
        }
        Err(error) => {
            complain(&format!("error: cannot start a thread: {error}"));
            Err(Exit::Inconclusive)
        }
    }
}

/// How a comparison is made, whatever its sides are.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct How {
    /// Replications of each side [default: as many as the number of tests needs, or as the baseline has]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(REPLICATIONS_MAX)))]
    replications: Option<u32>,
    /// Differences up to this share of the first side's value are none
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = percentage)]
    tolerance: u64,
    #[command(flatten)]
    jobs: Jobs,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// A percentage with at most 4 decimals, in parts per million.
pub(super) fn percentage(text: &str) -> Result<u64, String> {
    let parse = || {
        let number = text.strip_suffix('%')?.trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) || part.len() > 4 || whole.len() > 5 {
            return None;
        }
        Some(whole.parse::<u64>().ok()? * 10_000 + format!("{part:0<4}").parse::<u64>().ok()?)
    };
    parse().ok_or_else(|| "expected a percentage with at most 4 decimals, e.g. 1% or 0.25%".to_owned())
}

struct Versus<'a> {
    how: &'a How,
    interrupt: &'a Interrupt,
    sides: [Source; 2],
}

impl Versus<'_> {
    /// Runs what has to be run, says what came of it.
    fn weigh(&self, printer: &mut Printer) -> Result<Overall, Exit> {
        let [a, b] = &self.sides;
        let family = Family::of(&[&a.plan, &b.plan]);
        let count = self.count(&family);
        let runs = self.run(&family, count)?;
        let [one, two] = runs;
        let rules = Rules { tolerance_ppm: self.how.tolerance };
        let comparison = weigh(&family, &one, &two, rules);
        let differ = comparison.differ.iter().map(|nth| {
            let digest = |side: &Side| side.runs.get(*nth as usize).map(|run| run.digest.clone()).unwrap_or_default();
            (*nth, [digest(&one), digest(&two)])
        });
        let more = parting::find(
            [&self.sides[0], &self.sides[1]],
            &differ.collect(),
            comparison.replications,
            self.how.jobs,
            self.interrupt,
        )?;
        printer.print(&self.told(&comparison, &more))?;
        Ok(comparison.overall)
    }

    fn count(&self, family: &Family) -> u32 {
        let [a, b] = &self.sides;
        let fixed = a.fixed().into_iter().chain(b.fixed()).min();
        let paired = a.plan.seed == b.plan.seed;
        let wanted = self.how.replications.or(fixed).unwrap_or_else(|| needed(family, paired));
        wanted.min(fixed.unwrap_or(u32::MAX))
    }

    /// Both sides' runs.
    fn run(&self, family: &Family, count: u32) -> Result<[Side; 2], Exit> {
        let live: Vec<&Source> = self.sides.iter().filter(|side| side.fixed().is_none()).collect();
        let plans: Vec<Arc<Plan>> = live.iter().map(|side| Arc::clone(&side.plan)).collect();
        let names: Vec<&str> = live.iter().map(|side| side.shown.as_str()).collect();
        let mut found: Vec<Runs<'_>> = names.iter().map(|name| Runs::new(name)).collect();
        let name = |task: &Task| plans.iter().position(|plan| Arc::ptr_eq(plan, &task.plan)).map_or("?", |n| names[n]);
        let work = |task: &Task, stop: &Interrupt, watch: &mut dyn Watch| {
            at_work(format!("{}, replication {}", name(task), task.replication));
            let plan = task.plan();
            outside::run(&plan, stop, watch).map(|outcome| Measured::of(&plan, &outcome, family))
        };
        let sides = plans.len().max(1) as u64;
        let fold = |done: Done<Result<Option<Measured>, RunError>>| {
            found[(done.index % sides) as usize].take(done.task.replication, done.result, |measured| measured)
        };
        let ended = outside::run_all(self.how.jobs.count(), paired(&plans, 0..count), self.interrupt, work, fold);
        let mut ended = Some(ended);
        let mut live = Vec::new();
        for runs in found {
            live.push(runs.finish(ended.take().unwrap_or(Ok(Ended::All)))?);
        }
        ended.map_or(Ok(()), ended_well)?;
        let mut live = live.into_iter();
        let mut sides = Vec::new();
        for side in &self.sides {
            sides.push(match &side.kind {
                Kind::Baseline(baseline) => baseline.side(family, count as usize),
                Kind::Scenario | Kind::Results(..) => {
                    Side { seed: side.plan.seed, runs: live.next().unwrap_or_default() }
                }
            });
        }
        let sides: [Side; 2] = sides.try_into().map_err(|_| Exit::Internal)?;
        for (source, side) in self.sides.iter().zip(&sides) {
            self.still_gives(source, side, family)?;
        }
        Ok(sides)
    }

    /// A results folder's own run must give what is in the folder; else its plan says nothing of it.
    fn still_gives(&self, source: &Source, side: &Side, family: &Family) -> Result<(), Exit> {
        let Kind::Results(replication, digest) = &source.kind else { return Ok(()) };
        let now = match side.runs.get(*replication as usize) {
            Some(run) => run.digest.clone(),
            None => {
                let task = Task { plan: Arc::clone(&source.plan), replication: *replication };
                let mut watch = Stoppable(self.interrupt);
                let outcome = outside::run(&task.plan(), self.interrupt, &mut watch);
                let outcome = outcome.map_err(|error| outside::ended(&source.shown, &error, self.interrupt))?;
                let run = Measured::of(&task.plan(), &outcome, family);
                run.ok_or_else(|| self.interrupt.signal().map_or(Exit::Internal, Exit::from))?.digest
            }
        };
        if now == *digest {
            return Ok(());
        }
        complain(&format!(
            "error: {}: its plan no longer gives its result: the digest in it is {digest}, and now it is {now}; the logic \
             that it ran has changed, so it cannot be extended by more replications",
            source.shown,
        ));
        Err(Exit::NotDeterministic)
    }

    fn told(&self, comparison: &Comparison, parting: &parting::Parting) -> String {
        let [a, b] = &self.sides;
        match self.how.format {
            Format::Json => {
                let mut all = told::json(comparison, self.how.tolerance);
                let side =
                    |side: &Source| json!({ "name": side.shown, "scenario": side.plan.name, "seed": side.plan.seed });
                all["schema"] = json!(SCHEMA);
                all["sides"] = json!([side(a), side(b)]);
                all["parting"] = parting.json();
                format!("{all:#}\n")
            }
            Format::Text => {
                let last = comparison.replications.saturating_sub(1);
                let side = |name: &str, side: &Source| {
                    format!("{name}  {}, seed {}, replications 0 to {last}\n", side.shown, side.plan.seed)
                };
                let text = told::text(comparison, self.how.tolerance);
                format!("{}{}\n{text}{}", side("A", a), side("B", b), parting.text())
            }
        }
    }
}
