//! `refresh-sim lint`: what can be said of a scenario, or of a topology, without running it.

use std::io::Read;

use crate::import::{self, Deployment, Options, Problem};
use crate::lint::{self, Severity};
use crate::scenario::Plan;

use super::args::{Format, LintArgs};
use super::exit::Exit;
use super::import::refuse;
use super::input::{self, Input};
use super::print::{Printer, complain, shown};

/// Looks at the file that `args` name.
pub(super) fn lint(args: &LintArgs, printer: &mut Printer) -> Exit {
    let file = shown(&args.file);
    let looked = match is_topology(args) {
        Ok(true) => topology(args),
        Ok(false) => scenario(args).map(|plan| Some((plan, None))),
        Err(exit) => Err(exit),
    };
    let (plan, deployment) = match looked {
        Ok(Some(looked)) => looked,
        Ok(None) => {
            let none = format!("{file}: no trusted application, so nothing that a front end would refresh\n");
            let text = match args.format {
                Format::Text => none,
                Format::Json => format!(
                    "{:#}\n",
                    serde_json::json!({
                        "schema": lint::SCHEMA, "file": file, "validator": null, "goes_by": null, "findings": [],
                    })
                ),
            };
            return printer.print(&text).err().unwrap_or(Exit::Pass);
        }
        Err(exit) => return exit,
    };
    let findings = lint::lint(&plan, deployment.as_ref());
    let text = match args.format {
        Format::Text => lint::text(&file, &plan, &findings),
        Format::Json => format!("{:#}\n", lint::json(&file, &plan, &findings)),
    };
    let printed = printer.print(&text).err().unwrap_or(Exit::Pass);
    let breaks = findings.iter().any(|finding| finding.severity == Severity::Breaks);
    Exit::worst([printed, if breaks { Exit::Failed } else { Exit::Pass }])
}

fn is_topology(args: &LintArgs) -> Result<bool, Exit> {
    let mut start = Vec::new();
    let file = input::open(&args.file).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })?;
    file.take(64).read_to_end(&mut start).map_err(|error| {
        complain(&format!("error: cannot read {}: {}", shown(&args.file), input::cause(&error)));
        Exit::BadInput
    })?;
    Ok(import::is_topology(&start))
}

fn scenario(args: &LintArgs) -> Result<Plan, Exit> {
    if args.build.is_some() {
        complain("error: --build is for topologies; a scenario says its logic itself: --set validation.validator=...");
        return Err(Exit::BadInput);
    }
    let input = Input::load(&args.file, &args.changes).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })?;
    Ok(input.plan)
}

/// A topology, as the scenario that follows from it. `None`: there is nothing in it to look at.
fn topology(args: &LintArgs) -> Result<Option<(Plan, Option<Deployment>)>, Exit> {
    let file = input::open(&args.file).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })?;
    let deployment = import::topology(file).map_err(|error| refuse(&args.file, &error))?;
    let options = Options { source: shown(&args.file), build: args.build, pool: None };
    let written = match import::scenario(&deployment, &options) {
        Ok(written) => written,
        Err(error) if error.problem == Problem::NoApplication => return Ok(None),
        Err(error) => return Err(refuse(&args.file, &error)),
    };
    let name = format!("the scenario made from {}", shown(&args.file));
    let plan = input::plan("imported", &name, written.text.as_bytes(), &args.changes.settings()).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })?;
    if args.format == Format::Text {
        written.assumed.iter().for_each(|sentence| complain(&format!("assumed: {sentence}")));
    }
    Ok(Some((plan, Some(deployment))))
}
