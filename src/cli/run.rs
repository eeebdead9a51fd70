//! `refresh-sim run`: scenarios one after the other, each judged, printed and put into its results folder.

use std::path::{Path, PathBuf};

use crate::host::signals::Interrupt;
use crate::measure::{Outcome, SCENES_MAX, Verdict};
use crate::report::{self, Judged, verdicts};
use crate::scenario::{self, Plan};
use crate::sim::RunError;

use super::args::{Format, RunArgs, Trace};
use super::exit::Exit;
use super::input::Input;
use super::outside;
use super::panics::guarded;
use super::print::{Printer, complain, shown};
use super::replications;
use super::results::{Place, ResultsError, Staging};
use super::trace::Tracer;
use super::verdicts::VerdictsOut;
use super::watch::{Progress, RunWatch};

const RECORDS: &str = "records.jsonl";
const VALIDATOR_LOG: &str = "validator.log";
/// Where results go unless `--out` says otherwise.
const RESULTS: &str = "results/runs";

/// Runs what `args` name. Nothing runs unless all of it can be read and all results have a place.
pub(super) fn run(args: &RunArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    if args.replications.is_some() || args.until_width.is_some() {
        return replications::run(args, interrupt, printer);
    }
    if args.no_results && args.trace != Trace::Off {
        complain("error: --trace writes to records.jsonl, but --no-results leaves no folder for it; give one of them");
        return Exit::BadInput;
    }
    let prepared = load(args).and_then(|inputs| places(args, &inputs).map(|places| (inputs, places)));
    let (inputs, places) = match prepared {
        Ok(prepared) => prepared,
        Err(exit) => return exit,
    };
    let mut exits = Vec::new();
    for (nth, (input, place)) in inputs.iter().zip(&places).enumerate() {
        if let Some(signal) = interrupt.signal() {
            exits.push(signal.into());
            break;
        }
        let one = One { args, input, place: place.as_ref(), interrupt };
        if nth > 0 && args.format == Format::Text && printer.print("").is_err() {
            exits.push(Exit::NotWritten);
        }
        exits.push(guarded(&input.shown, || one.run(printer).unwrap_or_else(|exit| exit)));
    }
    Exit::worst(exits)
}

/// Reads all files; says everything that is wrong with any of them.
pub(super) fn load(args: &RunArgs) -> Result<Vec<Input>, Exit> {
    let (mut inputs, mut is_bad) = (Vec::new(), false);
    for file in &args.files {
        match Input::load_with(file, &args.changes, &args.judge.validator) {
            Ok(mut input) => {
                input.plan.replication = args.replication;
                inputs.push(input);
            }
            Err(error) => {
                complain(&error.to_string());
                is_bad = true;
            }
        }
    }
    if is_bad { Err(Exit::BadInput) } else { Ok(inputs) }
}

/// The place of each file's results, all different.
fn places(args: &RunArgs, inputs: &[Input]) -> Result<Vec<Option<Place>>, Exit> {
    if args.no_results {
        return Ok(vec![None; inputs.len()]);
    }
    let mut places: Vec<Option<Place>> = Vec::new();
    for input in inputs {
        let place = Place::new(&folder(args, input), &input.path).map_err(|error| not_written(&error))?;
        if let Some(other) = places.iter().flatten().position(|other| other.path() == place.path()) {
            let (first, second, folder) = (&inputs[other].shown, &input.shown, shown(place.path()));
            complain(&format!("error: the results of {first} and of {second} would both be {folder}; rename one file"));
            return Err(Exit::BadInput);
        }
        places.push(Some(place));
    }
    Ok(places)
}

fn folder(args: &RunArgs, input: &Input) -> PathBuf {
    match &args.out {
        Some(out) if args.files.len() == 1 => out.clone(),
        Some(out) => out.join(&input.plan.name),
        None => Path::new(RESULTS).join(&input.plan.name),
    }
}

fn not_written(error: &ResultsError) -> Exit {
    complain(&error.to_string());
    if matches!(error, ResultsError::Nameless { .. }) { Exit::BadInput } else { Exit::NotWritten }
}

/// One file's run.
struct One<'a> {
    args: &'a RunArgs,
    input: &'a Input,
    place: Option<&'a Place>,
    interrupt: &'a Interrupt,
}

impl One<'_> {
    fn run(&self, printer: &mut Printer) -> Result<Exit, Exit> {
        let plan = &self.input.plan;
        tracing::info!(file = self.input.shown, peers = plan.peers(), horizon = %plan.horizon, "run");
        let staging = self.place.map(Place::stage).transpose().map_err(|error| not_written(&error))?;
        assert!(!self.args.test_panic, "asked for by --test-panic");
        let (outcome, said) = self.simulate(staging.as_ref())?;
        tracing::info!(steps = outcome.steps, decisions = outcome.decisions, "done");
        let judged = report::judge(plan, &outcome);
        let exit = verdict(plan, &outcome, &judged, self.interrupt);
        let written = match staging {
            Some(staging) => self.write(staging, &outcome, &judged, exit, said.as_deref()),
            None => Ok(()),
        };
        let printed = printer.print(&self.summary(&outcome, &judged, exit, written.is_ok()));
        if let Some(front_end) = report::unmentioned_crash(plan, &outcome) {
            complain(&format!("note: {front_end} crashed and no expectation mentions it, which is exit 1 by itself"));
        }
        if self.place.is_some() && outcome.crashes.len() > SCENES_MAX {
            let all = outcome.crashes.len();
            complain(&format!("note: crashes.json has the scenes of the first {SCENES_MAX} of {all} crashes"));
        }
        let written = written.map_or_else(|error| not_written(&error), |()| Exit::Pass);
        Ok(Exit::worst([exit, written, printed.err().unwrap_or(Exit::Pass)]))
    }

    /// The outcome, and what a validator of the user's own said.
    fn simulate(&self, staging: Option<&Staging>) -> Result<(Outcome, Option<String>), Exit> {
        let plan = &self.input.plan;
        let tracer = match (self.args.trace, staging) {
            (Trace::Off, _) | (_, None) => None,
            (trace, Some(staging)) => {
                let file = staging.append(RECORDS).map_err(|error| not_written(&error))?;
                Some(Tracer::new(plan, file, trace == Trace::Window))
            }
        };
        let verdicts = match (&plan.outside, staging) {
            (None, _) | (_, None) => None,
            (Some(_), Some(staging)) => {
                let file = staging.append(verdicts::FILE).map_err(|error| not_written(&error))?;
                Some(VerdictsOut::new(plan, file))
            }
        };
        let progress = Progress::new(&self.input.shown, plan, self.args.progress);
        let mut watch = RunWatch { interrupt: self.interrupt, progress, tracer, verdicts };
        let ran = outside::run_and_listen(plan, self.interrupt, &mut watch);
        let RunWatch { tracer, progress, verdicts, .. } = watch;
        drop(progress);
        let (outcome, said) = ran.map_err(|error| outside::ended(&self.input.shown, &error, self.interrupt))?;
        if let (Some(tracer), Some(staging)) = (tracer, staging) {
            let cut = tracer.finish().map_err(|error| not_written(&staging.failed(RECORDS, error)))?;
            if cut > 0 {
                complain(&format!("note: the minute before {cut} of the crashes has more decisions than are kept"));
            }
        }
        if let (Some(verdicts), Some(staging)) = (verdicts, staging) {
            let written = verdicts.finish();
            written.map_err(|error| not_written(&staging.failed(verdicts::FILE, error)))?;
        }
        Ok((outcome, said))
    }

    fn write(
        &self,
        staging: Staging,
        outcome: &Outcome,
        judged: &[Judged],
        exit: Exit,
        said: Option<&str>,
    ) -> Result<(), ResultsError> {
        let plan = &self.input.plan;
        let text = scenario::render(plan);
        for (name, bytes) in report::files(plan, outcome, judged, exit.code(), &text) {
            staging.write(name, &bytes)?;
        }
        if let Some(said) = said {
            staging.write(VALIDATOR_LOG, said.as_bytes())?;
        }
        if let Some(kept) = outside::kept(plan) {
            staging.write(outside::FILE, kept.as_bytes())?;
        }
        staging.install(!outcome.interrupted)
    }

    fn summary(&self, outcome: &Outcome, judged: &[Judged], exit: Exit, is_written: bool) -> String {
        let plan = &self.input.plan;
        match self.args.format {
            // As in summary.json.
            Format::Json => format!("{:#}\n", report::summary(plan, outcome, judged, exit.code())),
            Format::Text => {
                let mut text = report::text(plan, outcome, judged);
                if !text.ends_with('\n') {
                    text.push('\n');
                }
                if let (Some(place), true) = (self.place, is_written) {
                    let mark = if outcome.interrupted { " (INCOMPLETE)" } else { "" };
                    text += &format!("results: {}{mark}\n", shown(place.path()));
                }
                text
            }
        }
    }
}

/// Why a run has no outcome, said; and what that is as an exit.
pub(super) fn not_run(file: &str, error: &RunError) -> Exit {
    let (kind, exit) = match error {
        RunError::TooMany { .. } | RunError::TooManyWait { .. } | RunError::Stuck { .. } => ("error", Exit::BadInput),
        RunError::Unstable { .. } | RunError::Differs(_) => ("error", Exit::NotDeterministic),
        RunError::NoValidator(_) => ("error", Exit::NoValidator),
        RunError::Accounts { .. } => ("internal error", Exit::Internal),
    };
    complain(&format!("{kind}: {file}: {error}"));
    if let RunError::Stuck { .. } = error {
        complain(
            "help: waits of 0s follow each other for ever; make `group.reconnect.delay` or `group.rtt` longer than 0s",
        );
    }
    exit
}

/// What a run's result is as an exit.
fn verdict(plan: &Plan, outcome: &Outcome, judged: &[Judged], interrupt: &Interrupt) -> Exit {
    let asked_to_end = interrupt.signal().filter(|_| outcome.interrupted).map(Exit::from);
    let expectations = judged.iter().map(|judged| match judged.verdict {
        Verdict::Pass => Exit::Pass,
        Verdict::Inconclusive => Exit::Inconclusive,
        Verdict::Fail => Exit::Failed,
    });
    let crash = report::unmentioned_crash(plan, outcome).map(|_| Exit::Failed);
    Exit::worst(expectations.chain(asked_to_end).chain(crash).chain([Exit::Pass]))
}
