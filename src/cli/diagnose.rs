//! `refresh-sim diagnose`: what the crashing questions of a result have in common, and which change avoids the crash.

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;

use serde::Deserialize;

use crate::diagnosis::{self, Diagnosis, Verdict};
use crate::host::signals::Interrupt;
use crate::report::SCHEMA;
use crate::scenario::Plan;
use crate::sim::Watch;
use crate::time::Time;

use super::args::{DiagnoseArgs, Format};
use super::exit::Exit;
use super::input::{self, cause};
use super::panics::guarded;
use super::print::{Printer, complain, shown};
use super::run::not_run;

/// Diagnoses the result that `args` names.
pub(super) fn diagnose(args: &DiagnoseArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let result = shown(&args.result);
    match Stored::open(&args.result) {
        Ok(stored) => guarded(&result, || stored.diagnose(&result, args.format, interrupt, printer)),
        Err(message) => {
            complain(&message);
            Exit::BadInput
        }
    }
}

/// What a diagnosis needs of a result.
struct Stored {
    text: Vec<u8>,
    plan: Plan,
    digest: Option<String>,
}

/// What is read of summary.json.
#[derive(Deserialize)]
struct Summary {
    schema: String,
    scenario: String,
    replication: u32,
    digest: Option<String>,
}

impl Stored {
    fn open(folder: &Path) -> Result<Stored, String> {
        let path = shown(folder);
        if !folder.is_dir() {
            let why = if folder.exists() { "it is a file; give the folder of a result" } else { "no such folder" };
            return Err(format!("error: cannot read {path}: {why}"));
        }
        let summary = folder.join("summary.json");
        let file = File::open(&summary)
            .map_err(|error| format!("error: {path} is no result: its summary.json: {}", cause(&error)))?;
        // As a stream, and only what is needed: a summary may have hundreds of megabytes.
        let summary: Summary = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| format!("error: {path} is no result: its summary.json: {error}"))?;
        if summary.schema != SCHEMA {
            return Err(format!("error: {path} is a result of the schema {:?}, not {SCHEMA:?}", summary.schema));
        }
        let file = folder.join("plan.toml");
        let text = input::read(&file).map_err(|error| error.to_string())?;
        let mut plan = input::plan(&summary.scenario, &shown(&file), &text, &[]).map_err(|error| error.to_string())?;
        plan.replication = summary.replication;
        Ok(Stored { text, plan, digest: summary.digest })
    }

    fn diagnose(&self, result: &str, format: Format, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
        let mut watch = Stopped { interrupt };
        let diagnosis = match diagnosis::diagnose(&self.plan, &self.text, &mut watch) {
            Ok(diagnosis) => diagnosis,
            Err(error) => return not_run(result, &error),
        };
        if let Some(signal) = interrupt.signal() {
            return signal.into();
        }
        // Without a digest the result was interrupted, and there is nothing to compare with.
        if self.digest.is_some() && self.digest != diagnosis.digest {
            complain(&format!(
                "error: {result}: its plan now decides otherwise than when the result was made; it was made by another \
                 version, or its files were changed"
            ));
            return Exit::NotDeterministic;
        }
        let text = match format {
            Format::Text => diagnosis::text(result, &diagnosis),
            Format::Json => format!("{:#}\n", diagnosis::json(result, &diagnosis)),
        };
        let printed = printer.print(&text).err().unwrap_or(Exit::Pass);
        Exit::worst([printed, exit(&diagnosis)])
    }
}

/// What a diagnosis is as an exit.
fn exit(diagnosis: &Diagnosis) -> Exit {
    let avoids = diagnosis.tried.iter().any(|tried| tried.verdict == Verdict::Avoids);
    match diagnosis.pattern {
        None => Exit::NothingRan,
        Some(_) if avoids => Exit::Pass,
        Some(_) => Exit::Failed,
    }
}

/// Ends runs at a signal.
struct Stopped<'a> {
    interrupt: &'a Interrupt,
}

impl Watch for Stopped<'_> {
    fn progress(&mut self, _at: Time, _steps: u64) -> ControlFlow<()> {
        if self.interrupt.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
