//! `refresh-sim sweep`: a scenario at many settings, kept cell by cell, so that what is there never runs again.
//!
//! A folder holds `sweep.json`, a file for each cell under its key in `cells/`, and, when all are there, the tables. Cells
//! are whole or not there; whoever runs the same sweep in the same folder, again or beside, adds what is missing.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::host::signals::Interrupt;
use crate::host::threads::{Done, Ended};
use crate::report::words::plural;
use crate::scenario::{Plan, Setting};
use crate::sim::{RunError, Watch};
use crate::study::Task;
use crate::study::axis::{Axis, grid, latin};
use crate::study::cell::{Cell, plan_hash};
use crate::study::sweep::{Sweep, is_in_shard};
use crate::study::table::{FILES, Table};

use super::args::{MergeArgs, StatusArgs, SweepAct, SweepArgs};
use super::cells::{Folder, Kind, has_parquet};
use super::exit::Exit;
use super::input::{self, Input};
use super::keeper::{Gone, Keeper};
use super::outside;
use super::panics::{at_work, quoted};
use super::print::{Printer, complain, shown};
use super::progress::Progress;

/// Where sweeps go unless `--out` says otherwise.
const SWEEPS: &str = "results/sweeps";
/// Its folder.
const KIND: Kind = Kind { name: "a sweep", head: "sweep.json", schema: "refresh-sim.sweep/", outputs: &FILES };
/// Cells that are named where some are missing.
const NAMED: usize = 10;
/// Whoever starts many tasks tells each its number in one of these.
const INDICES: [&str; 3] = ["HQ_TASK_ID", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"];

/// Does what `args` ask for.
pub(super) fn sweep(args: &SweepArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let done = match &args.act {
        Some(SweepAct::Merge(merge)) => merged(merge, printer),
        Some(SweepAct::Status(status)) => told(status, printer),
        None => swept(args, interrupt, printer),
    };
    done.unwrap_or_else(|exit| exit)
}

// ---- running

fn bad(why: &str) -> Exit {
    complain(&format!("error: {why}"));
    Exit::BadInput
}

fn swept(args: &SweepArgs, interrupt: &Interrupt, printer: &mut Printer) -> Result<Exit, Exit> {
    let file = args.file.as_deref().ok_or_else(|| bad("which scenario? give its file"))?;
    let shard = args.shard.as_deref().map(shard).transpose().map_err(|why| bad(&why))?;
    has_parquet(args.parquet)?;
    let mut input = Input::load_with(file, &args.changes, &args.judge.validator).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })?;
    outside::identify(&mut input.plan).map_err(|why| bad(&format!("{}: {why}", input.shown)))?;
    let axes = args.vary.iter().map(|text| Axis::parse(text).map_err(|why| bad(&format!("--vary {text}: {why}"))));
    let axes = axes.collect::<Result<Vec<Axis>, Exit>>()?;
    let points = match args.samples {
        Some(samples) => latin(&axes, samples as usize, input.plan.seed),
        None => grid(&axes),
    };
    let points = points.map_err(|why| bad(&format!("--vary: {why}")))?;
    let work = Work { args, input: &input, interrupt };
    let sweep = work.plan(points)?;
    let out = args.out.clone().unwrap_or_else(|| Path::new(SWEEPS).join(&input.plan.name));
    let folder = Folder::open(&out, &KIND, &sweep.text())?;
    begin(&folder, &sweep)?;
    let missing = work.missing(&folder, &sweep, shard)?;
    work.run(&folder, &sweep, missing, shard, printer)
}

/// `I/N`, with the number of the first of `INDICES` that is set for an `I` of `auto`.
fn shard(text: &str) -> Result<(u64, u64), String> {
    let accepts = "--shard takes I/N with I from 0 to N-1, e.g. 0/4, or auto/N";
    let (index, count) = text.split_once('/').ok_or(accepts)?;
    let count = count.parse::<u64>().ok().filter(|count| *count > 0).ok_or(accepts)?;
    let (index, from) = if index == "auto" {
        let own = INDICES.iter().find_map(|name| Some((std::env::var(name).ok()?, *name)));
        own.ok_or_else(|| format!("--shard auto/{count}: none of {} is set", INDICES.join(", ")))?
    } else {
        (index.to_owned(), "--shard")
    };
    let number = index.parse::<u64>().ok().filter(|index| *index < count);
    number.map(|index| (index, count)).ok_or_else(|| format!("{from} is {index:?}: {accepts}"))
}

struct Work<'a> {
    args: &'a SweepArgs,
    input: &'a Input,
    interrupt: &'a Interrupt,
}

/// Cells to be run: replications of a point.
struct Missing {
    settings: Vec<Setting>,
    replications: Vec<u32>,
}

impl Work<'_> {
    /// The plan at some settings.
    fn at(&self, point: &[Setting]) -> Result<Plan, String> {
        let mut settings = self.args.changes.settings();
        settings.extend_from_slice(point);
        let Input { path, shown, text, plan } = self.input;
        let validator = &self.args.judge.validator;
        settings.extend(outside::setting(validator));
        let mut plan = input::plan(&plan.name, shown, text, &settings).map_err(|error| error.to_string())?;
        outside::place(&mut plan, path, validator);
        let known = self.input.plan.outside.as_ref();
        match &mut plan.outside {
            Some(own) if known.is_some_and(|known| known.command == own.command) => {
                own.identity = known.map_or_else(String::new, |known| known.identity.clone());
            }
            _ => outside::identify(&mut plan).map_err(|why| format!("error: {shown}: {why}"))?,
        }
        Ok(plan)
    }

    /// All points as plans: what is wrong with one is said before anything runs.
    fn plan(&self, points: Vec<Vec<Setting>>) -> Result<Sweep, Exit> {
        let mut planned = Vec::with_capacity(points.len());
        for point in points {
            let plan = self.at(&point).map_err(|problems| {
                complain(&problems);
                complain(&format!("nothing ran: no scenario at {}", words(&point)));
                Exit::BadInput
            })?;
            planned.push((point, plan_hash(&plan)));
        }
        Ok(Sweep::new(&self.input.plan, self.args.replications, &planned))
    }

    /// The cells of a shard that are not there.
    fn missing(&self, folder: &Folder, sweep: &Sweep, shard: Option<(u64, u64)>) -> Result<Vec<Missing>, Exit> {
        let mut all: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (nth, (point, replication, key)) in sweep.cells().enumerate() {
            let is_ours = shard.is_none_or(|shard| is_in_shard(nth as u64, shard));
            if is_ours && cell(folder, &key)?.is_none() {
                all.entry(point).or_default().push(replication);
            }
        }
        let setting = |(path, value): (&String, &String)| Setting { path: path.clone(), value: value.clone() };
        let missing = |(point, replications): (usize, Vec<u32>)| Missing {
            settings: sweep.paths.iter().zip(&sweep.points[point].values).map(setting).collect(),
            replications,
        };
        Ok(all.into_iter().map(missing).collect())
    }

    fn run(
        &self,
        folder: &Folder,
        sweep: &Sweep,
        missing: Vec<Missing>,
        shard: Option<(u64, u64)>,
        printer: &mut Printer,
    ) -> Result<Exit, Exit> {
        let count: u64 = missing.iter().map(|missing| missing.replications.len() as u64).sum();
        let (ended, ran, exits) = self.add(folder, missing, count)?;
        if let Ended::Interrupted(signal) = ended {
            complain(&format!(
                "interrupted: {ran} of {} were run and are kept in {}; the same command goes on from there",
                plural(count, "missing cell", "missing cells"),
                shown(folder.path())
            ));
            return Err(signal.into());
        }
        let found = finish(folder, sweep, self.args.parquet)?;
        let was_there = sweep.len().saturating_sub(found.missing.len() as u64 + ran);
        let of_shard = shard.map_or_else(String::new, |(index, count)| format!("shard {index} of {count}: "));
        printer.print(&format!("{of_shard}{} run, {was_there} there already", plural(ran, "cell", "cells")))?;
        printer.print(&found.text(sweep, folder))?;
        let rest = if found.missing.is_empty() || shard.is_some() { Exit::Pass } else { Exit::Inconclusive };
        Ok(Exit::worst(exits.into_iter().chain([rest])))
    }

    /// Runs the missing cells, `count` of them, and keeps each: how that ended, how many are kept, and what went wrong.
    fn add(&self, folder: &Folder, missing: Vec<Missing>, count: u64) -> Result<(Ended, u64, Vec<Exit>), Exit> {
        let mut progress = Progress::of(count, "cells".to_owned(), self.args.progress);
        let tasks = missing.into_iter().flat_map(|missing| {
            // It could be resolved a moment ago, from the same text.
            let plan = self.at(&missing.settings).ok().map(Arc::new);
            let task = move |replication| plan.clone().map(|plan| Task { plan, replication });
            missing.replications.into_iter().filter_map(task)
        });
        let mut exits = Vec::new();
        let fold = |done: Done<Result<(), Failed>>| {
            progress.one();
            match done.result {
                Ok(Ok(())) => {}
                Ok(Err(Failed::Run(error))) => {
                    exits.push(outside::ended(&self.input.shown, &error, self.interrupt));
                    // A program that cannot be asked in one run is none that others need to wait for.
                    if matches!(error, RunError::NoValidator(_)) {
                        return ControlFlow::Break(());
                    }
                }
                Ok(Err(Failed::Kept(Gone))) => return ControlFlow::Break(()),
                Err(_said) => exits.push(Exit::Internal),
            }
            ControlFlow::Continue(())
        };
        let (ended, ran) = thread::scope(|scope| -> Result<(Ended, u64), Exit> {
            let keeper = Keeper::start(scope, folder).map_err(no_thread)?;
            let work = |task: &Task, stop: &Interrupt, watch: &mut dyn Watch| {
                let plan = task.plan();
                at_work(format!("{}, replication {}", self.input.shown, task.replication));
                let outcome = outside::run(&plan, stop, watch).map_err(Failed::Run)?;
                Cell::of(&plan, &outcome)
                    .map_or(Ok(()), |cell| keeper.keep(cell.text(), cell.key).map_err(Failed::Kept))
            };
            let ended = outside::run_all(self.args.jobs.count(), tasks, self.interrupt, work, fold);
            Ok((ended.map_err(no_thread)?, keeper.end()?))
        })?;
        Ok((ended, ran, exits))
    }
}

pub(super) fn no_thread(error: io::Error) -> Exit {
    complain(&format!("error: cannot start a thread: {error}"));
    Exit::Inconclusive
}

enum Failed {
    Run(RunError),
    Kept(Gone),
}

fn words(point: &[Setting]) -> String {
    let set = point.iter().map(|set| quoted(&format!("{}={}", set.path, set.value)));
    set.collect::<Vec<_>>().join(" ")
}

// ---- what is there

/// The folder of a sweep that is there.
fn read(path: &Path) -> Result<(Folder, Sweep), Exit> {
    let (folder, head) = Folder::read(path, &KIND)?;
    let sweep = Sweep::read(&head).map_err(|error| bad(&format!("{}: {error}", shown(&path.join(KIND.head)))))?;
    Ok((folder, sweep))
}

/// The cell of a key, if it is there and whole.
fn cell(folder: &Folder, key: &str) -> Result<Option<Cell>, Exit> {
    Ok(folder.cell(key)?.and_then(|text| Cell::read(&text, key)))
}

struct Found {
    /// Cells that are not there, in words.
    missing: Vec<String>,
}

impl Found {
    fn text(&self, sweep: &Sweep, folder: &Folder) -> String {
        let (all, place) = (sweep.len(), shown(folder.path()));
        let missing = self.missing.len() as u64;
        if missing == 0 {
            return format!(
                "all {} are there\ntables: {place}/cells.csv, {place}/summary.csv",
                plural(all, "cell", "cells")
            );
        }
        let mut text = format!("{missing} of {} are missing in {place}:", plural(all, "cell", "cells"));
        self.missing.iter().take(NAMED).for_each(|name| text += &format!("\n  {name}"));
        if self.missing.len() > NAMED {
            text += &format!("\n  and {} more", self.missing.len() - NAMED);
        }
        text
    }
}

fn missing(folder: &Folder, sweep: &Sweep) -> Result<Found, Exit> {
    let mut missing = Vec::new();
    for (nth, replication, key) in sweep.cells() {
        if cell(folder, &key)?.is_none() {
            missing.push(sweep.name(nth, replication));
        }
    }
    Ok(Found { missing })
}

/// Removes tables of an earlier sweep if cells are missing now: a table of a part would pass for one of all. Only before
/// anything runs, for at the end another process may just have written them.
fn begin(folder: &Folder, sweep: &Sweep) -> Result<(), Exit> {
    if missing(folder, sweep)?.missing.is_empty() { Ok(()) } else { folder.without_outputs() }
}

/// Writes the tables if all cells are there.
fn finish(folder: &Folder, sweep: &Sweep, parquet: bool) -> Result<Found, Exit> {
    let found = missing(folder, sweep)?;
    if found.missing.is_empty() {
        let mut table = Table::new(sweep, parquet);
        for (nth, replication, key) in sweep.cells() {
            if let Some(cell) = cell(folder, &key)? {
                table.add(nth, replication, &cell);
            }
        }
        folder.tables(table)?;
    }
    Ok(found)
}

/// `sweep status DIR`.
fn told(args: &StatusArgs, printer: &mut Printer) -> Result<Exit, Exit> {
    let (folder, sweep) = read(&args.dir)?;
    let found = missing(&folder, &sweep)?;
    let head = format!(
        "{}: {} of {}, seed {}",
        sweep.scenario,
        plural(sweep.points.len() as u64, "point", "points"),
        plural(sweep.replications.into(), "replication", "replications"),
        sweep.seed
    );
    let text = if found.missing.is_empty() {
        format!("all {} are there", plural(sweep.len(), "cell", "cells"))
    } else {
        found.text(&sweep, &folder)
    };
    printer.print(&format!("{head}\n{text}"))?;
    Ok(if found.missing.is_empty() { Exit::Pass } else { Exit::Inconclusive })
}

/// `sweep merge OUT DIR...`: cells of one sweep from several folders.
fn merged(args: &MergeArgs, printer: &mut Printer) -> Result<Exit, Exit> {
    has_parquet(args.parquet)?;
    let parts = args.dirs.iter().map(|dir| read(dir)).collect::<Result<Vec<_>, Exit>>()?;
    let Some((first, sweep)) = parts.first() else { return Err(bad("which folders? name them")) };
    if let Some((other, _)) = parts.iter().find(|(_, other)| other != sweep) {
        return Err(bad(&format!(
            "{} and {} are not parts of one sweep: their sweep.json differ",
            shown(first.path()),
            shown(other.path())
        )));
    }
    let out = Folder::open(&args.out, &KIND, &sweep.text())?;
    begin(&out, sweep)?;
    for (nth, replication, key) in sweep.cells() {
        let mut own = cell(&out, &key)?;
        for (part, _) in &parts {
            let Some(other) = cell(part, &key)? else { continue };
            match &own {
                None => {
                    out.keep(&other.key, &other.text())?;
                    own = Some(other);
                }
                Some(own) if *own == other => {}
                Some(_) => {
                    let cell = sweep.name(nth, replication);
                    complain(&format!(
                        "error: {cell} is not the same everywhere: in {} it differs from what came before",
                        shown(part.path())
                    ));
                    return Err(Exit::NotDeterministic);
                }
            }
        }
    }
    let found = finish(&out, sweep, args.parquet)?;
    printer.print(&found.text(sweep, &out))?;
    Ok(if found.missing.is_empty() { Exit::Pass } else { Exit::Inconclusive })
}
