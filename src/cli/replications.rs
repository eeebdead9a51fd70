//! `refresh-sim run` with `--replications` or `--until-width`: many runs of one scenario, put together.
//!
//! Each replication is kept as a cell, so that more can be added later and what was killed goes on; the folder's other files
//! are made of all cells each time.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use serde_json::json;

use crate::host::signals::Interrupt;
use crate::host::threads::{Done, Ended};
use crate::measure::Verdict;
use crate::report::{interval_log, log_tag, words::plural};
use crate::scenario::{self, Plan, SEMANTICS};
use crate::sim::{RunError, Watch};
use crate::study::Task;
use crate::study::cell::{PROGRAM, plan_hash};
use crate::study::replica::Replica;
use crate::study::replicated::{About, Replicated, Stop, Until, looks};
use crate::study::sweep::Sweep;
use crate::study::table::Table;
use crate::time::Time;

use super::args::{Format, RunArgs};
use super::cells::{Folder, Kind, has_parquet};
use super::check::again;
use super::exit::Exit;
use super::input::Input;
use super::keeper::{Gone, Keeper};
use super::outside;
use super::panics::at_work;
use super::print::{Printer, complain, shown};
use super::progress::Progress;
use super::run::load;
use super::sweep::no_thread;

/// Where they go unless `--out` says otherwise.
const RESULTS: &str = "results/replications";
/// The folder of them.
const KIND: Kind = Kind {
    name: "replications",
    head: "replications.json",
    schema: "refresh-sim.replications/",
    outputs: &[
        "summary.json",
        "latency.hlog",
        "plan.toml",
        "cells.csv",
        "summary.csv",
        "cells.parquet",
        "summary.parquet",
    ],
};
/// The name and version of the shape of the head.
const HEAD: &str = "refresh-sim.replications/1";

/// Runs what `args` name. Nothing runs unless all of it can be read and all results have a place.
pub(super) fn run(args: &RunArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let prepared = has_parquet(args.parquet).and_then(|()| load(args)).and_then(|inputs| {
        places(args, &inputs)?;
        inputs.into_iter().map(|input| Study::new(args, input, interrupt)).collect::<Result<Vec<_>, Exit>>()
    });
    let studies = match prepared {
        Ok(studies) => studies,
        Err(exit) => return exit,
    };
    let mut exits = Vec::new();
    for (nth, study) in studies.iter().enumerate() {
        if let Some(signal) = interrupt.signal() {
            exits.push(signal.into());
            break;
        }
        if nth > 0 && args.format == Format::Text && printer.print("").is_err() {
            exits.push(Exit::NotWritten);
        }
        exits.push(study.run(printer).unwrap_or_else(|exit| exit));
    }
    Exit::worst(exits)
}

fn folder(args: &RunArgs, input: &Input) -> PathBuf {
    match &args.out {
        Some(out) if args.files.len() == 1 => out.clone(),
        Some(out) => out.join(&input.plan.name),
        None => Path::new(RESULTS).join(&input.plan.name),
    }
}

/// Refuses two files whose replications would go to one folder.
fn places(args: &RunArgs, inputs: &[Input]) -> Result<(), Exit> {
    for (nth, input) in inputs.iter().enumerate() {
        let own = folder(args, input);
        if let Some(other) = inputs[..nth].iter().find(|other| !args.no_results && folder(args, other) == own) {
            complain(&format!(
                "error: the replications of {} and of {} would both be in {}; rename one file",
                other.shown,
                input.shown,
                shown(&own)
            ));
            return Err(Exit::BadInput);
        }
    }
    Ok(())
}

/// One file's replications.
struct Study<'a> {
    args: &'a RunArgs,
    input: Input,
    interrupt: &'a Interrupt,
    plan: Arc<Plan>,
    hash: String,
    until: Option<Until>,
    folder: Option<Folder>,
}

/// Why one replication gave nothing.
enum Failed {
    Run(RunError),
    Kept(Gone),
    /// It ended without a digest, and nobody stopped it.
    Cut,
}

impl<'a> Study<'a> {
    fn new(args: &'a RunArgs, mut input: Input, interrupt: &'a Interrupt) -> Result<Study<'a>, Exit> {
        outside::identify(&mut input.plan).map_err(|why| {
            complain(&format!("error: {}: {why}", input.shown));
            Exit::BadInput
        })?;
        let plan = Arc::new(input.plan.clone());
        let until = args.until_width.map(|width| Until::new(&plan, width, &args.width_of, args.replications_max));
        let until = until.transpose().map_err(|why| {
            complain(&format!("error: {}: {why}", input.shown));
            Exit::BadInput
        })?;
        let hash = plan_hash(&plan);
        let head = json!({
            "schema": HEAD,
            "semantics": SEMANTICS,
            "program": PROGRAM,
            "scenario": plan.name,
            "seed": plan.seed,
            "plan": hash,
        });
        let place = (!args.no_results).then(|| folder(args, &input));
        let folder = place.map(|place| Folder::open(&place, &KIND, &format!("{head:#}\n"))).transpose()?;
        Ok(Study { args, input, interrupt, plan, hash, until, folder })
    }

    fn run(&self, printer: &mut Printer) -> Result<Exit, Exit> {
        // Of all cells that there were; until all are there again they would pass for a result of these.
        self.folder.as_ref().map_or(Ok(()), Folder::without_outputs)?;
        let mut all = Replicated::new(&self.plan);
        let mut ran = 0;
        let stop = match &self.until {
            None => {
                ran += self.up_to(self.args.replications.unwrap_or(1), &mut all)?;
                None
            }
            Some(until) => {
                let mut stop = None;
                for (look, count) in (1..).zip(looks(until.most)) {
                    ran += self.up_to(count, &mut all)?;
                    stop = until.look(&all, look);
                    if stop.is_some() {
                        break;
                    }
                }
                stop
            }
        };
        let exit = self.verdict(&all, stop.as_ref());
        let command = |replication| self.command(replication);
        let about = About { command: &command, until: self.until.as_ref().zip(stop.as_ref()), exit: exit.code() };
        let summary = format!("{:#}\n", all.json(&about));
        if let Some(folder) = &self.folder {
            self.write(folder, &all, &summary)?;
        }
        printer.print(&match self.args.format {
            Format::Json => summary,
            Format::Text => {
                let place = self.folder.as_ref().map_or_else(String::new, |folder| {
                    let there = u64::from(all.count()) - ran;
                    format!("\nresults: {} ({ran} run, {there} there already)", shown(folder.path()))
                });
                all.text(&about).trim_end().to_owned() + &place
            }
        })?;
        if let Some((replication, front_end)) = all.unmentioned_crash() {
            complain(&format!(
                "note: {front_end} crashed in replication {replication} and no expectation mentions it, which is exit 1 by \
                 itself"
            ));
        }
        Ok(exit)
    }

    fn verdict(&self, all: &Replicated<'_>, stop: Option<&Stop>) -> Exit {
        let own = match all.verdict() {
            None | Some(Verdict::Pass) => Exit::Pass,
            Some(Verdict::Inconclusive) => Exit::Inconclusive,
            Some(Verdict::Fail) => Exit::Failed,
        };
        let reached = if stop.is_some_and(|stop| !stop.reached) { Exit::Inconclusive } else { Exit::Pass };
        Exit::worst([own, reached])
    }

    /// The command that makes one replication alone, with all that a run leaves.
    fn command(&self, replication: u32) -> String {
        let RunArgs { changes, judge, .. } = self.args;
        again(&self.input.shown, changes, judge, self.plan.seed, replication)
    }

    /// The replication, if it is there and whole.
    fn kept(&self, replication: u32) -> Result<Option<Replica>, Exit> {
        let key = Replica::key(&self.hash, replication);
        let Some(folder) = &self.folder else { return Ok(None) };
        Ok(folder.cell(&key)?.and_then(|text| Replica::read(&text, &key)))
    }

    /// One that was there a moment ago.
    fn still_kept(&self, replication: u32) -> Result<Replica, Exit> {
        self.kept(replication)?.ok_or_else(|| {
            complain(&format!(
                "error: replication {replication} was there and is gone; the same command runs it again"
            ));
            Exit::NotWritten
        })
    }

    /// Goes on until `all` has so many: those that are there are read, the others run. How many ran.
    fn up_to(&self, count: u32, all: &mut Replicated<'_>) -> Result<u64, Exit> {
        let from = all.count();
        let mut missing = Vec::new();
        for replication in from..count {
            if self.kept(replication)?.is_none() {
                missing.push(replication);
            }
        }
        let (to_run, mut exit) = (missing.len() as u64, None);
        let mut progress = Progress::of(to_run, "replications".to_owned(), self.args.progress);
        let mut ran = 0;
        let fold = |done: Done<Result<Replica, Failed>>| {
            progress.one();
            let added = match done.result {
                Ok(Ok(replica)) => self.add_up_to(done.task.replication, all).map(|()| all.add(replica)),
                Ok(Err(Failed::Run(error))) => {
                    let which = format!("{}, replication {}", self.input.shown, done.task.replication);
                    Err(outside::ended(&which, &error, self.interrupt))
                }
                // Whoever keeps them has said why.
                Ok(Err(Failed::Kept(Gone))) => Err(Exit::NotWritten),
                Ok(Err(Failed::Cut)) | Err(_) => Err(Exit::Internal),
            };
            match added {
                Ok(()) => {
                    ran += 1;
                    ControlFlow::Continue(())
                }
                Err(failed) => {
                    exit = Some(failed);
                    ControlFlow::Break(())
                }
            }
        };
        let tasks = missing.into_iter().map(|replication| Task { plan: Arc::clone(&self.plan), replication });
        let ended = thread::scope(|scope| -> Result<Ended, Exit> {
            let keeper = self.folder.as_ref().map(|folder| Keeper::start(scope, folder)).transpose();
            let keeper = keeper.map_err(no_thread)?;
            let work = |task: &Task, stop: &Interrupt, watch: &mut dyn Watch| {
                at_work(format!("{}, replication {}", self.input.shown, task.replication));
                let plan = task.plan();
                let outcome = outside::run(&plan, stop, watch).map_err(Failed::Run)?;
                // One that somebody stopped is dropped by whoever did.
                let replica = Replica::of(&plan, &outcome).ok_or(Failed::Cut)?;
                if let Some(keeper) = &keeper {
                    keeper.keep(replica.text(), replica.key.clone()).map_err(Failed::Kept)?;
                }
                Ok(replica)
            };
            let ended =
                outside::run_all(self.args.jobs.count(), tasks, self.interrupt, work, fold).map_err(no_thread)?;
            keeper.map_or(Ok(0), Keeper::end)?;
            Ok(ended)
        });
        drop(progress);
        if let Ended::Interrupted(signal) = ended? {
            complain(&self.interrupted(to_run));
            return Err(signal.into());
        }
        exit.map_or(Ok(()), Err)?;
        self.add_up_to(count, all)?;
        Ok(ran)
    }

    /// Adds those that are there, up to one.
    fn add_up_to(&self, replication: u32, all: &mut Replicated<'_>) -> Result<(), Exit> {
        while all.count() < replication {
            all.add(self.still_kept(all.count())?);
        }
        Ok(())
    }

    fn interrupted(&self, missing: u64) -> String {
        match &self.folder {
            None => "interrupted: nothing is said of unfinished replications".to_owned(),
            Some(folder) => format!(
                "interrupted: of {} those that ended are kept in {}; the same command goes on from there",
                plural(missing, "missing replication", "missing replications"),
                shown(folder.path())
            ),
        }
    }

    fn write(&self, folder: &Folder, all: &Replicated<'_>, summary: &str) -> Result<(), Exit> {
        let sweep = Sweep::new(&self.plan, all.count(), &[(Vec::new(), self.hash.clone())]);
        let mut table = Table::new(&sweep, self.args.parquet);
        for replication in 0..all.count() {
            table.add(0, replication, &self.still_kept(replication)?.values);
        }
        let tagged = all.histograms().filter_map(|(line, samples)| {
            let group = line.group.as_deref().unwrap_or("all");
            Some((log_tag(line.metric, group, line.cause), samples.histogram()?))
        });
        let log = interval_log(Time::ZERO + self.plan.horizon, tagged);
        folder.tables(table)?;
        folder.write("latency.hlog", &log)?;
        // Before the plan: a folder with a plan and no summary would pass for one with a scenario.
        folder.write("summary.json", summary.as_bytes())?;
        folder.write("plan.toml", scenario::render(&self.plan).as_bytes())
    }
}
