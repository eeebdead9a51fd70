//! `refresh-sim import`: a topology or an inventory as a scenario, on standard output or in a file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::import::{self, Deployment, ImportError, Options, Problem, Written};

use super::args::{ImportArgs, ImportKind};
use super::exit::Exit;
use super::input::{self, cause};
use super::print::{Printer, complain, shown};

/// Makes a scenario of the file that `args` name.
pub(super) fn import(args: &ImportArgs, printer: &mut Printer) -> Exit {
    let (file, scenario) = match &args.kind {
        ImportKind::Topology(args) => (&args.file, &args.scenario),
        ImportKind::Inventory(args) => (&args.file, &args.scenario),
    };
    let written = match read(args).and_then(|(deployment, options)| write(file, &deployment, &options)) {
        Ok(written) => written,
        Err(exit) => return exit,
    };
    tell(&written);
    match &scenario.out {
        None => printer.print(&written.text).err().unwrap_or(Exit::Pass),
        Some(out) => save(out, &written.text, scenario.force),
    }
}

fn read(args: &ImportArgs) -> Result<(Deployment, Options), Exit> {
    let (path, options) = match &args.kind {
        ImportKind::Topology(args) => {
            let build = args.scenario.build;
            (&args.file, Options { source: shown(&args.file), build, pool: args.pool.clone() })
        }
        ImportKind::Inventory(args) => {
            (&args.file, Options { source: shown(&args.file), build: args.scenario.build, pool: None })
        }
    };
    let file = input::open(path).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })?;
    let deployment = match &args.kind {
        ImportKind::Topology(_) => import::topology(file),
        ImportKind::Inventory(_) => import::inventory(file),
    };
    deployment.map(|deployment| (deployment, options)).map_err(|error| refuse(path, &error))
}

/// The scenario, which must itself be one.
fn write(path: &Path, deployment: &Deployment, options: &Options) -> Result<Written, Exit> {
    let written = import::scenario(deployment, options).map_err(|error| refuse(path, &error))?;
    let file = format!("the scenario made from {}", shown(path));
    match input::plan("imported", &file, written.text.as_bytes(), &[]) {
        Ok(_) => Ok(written),
        Err(error) => {
            complain(&error.to_string());
            Err(Exit::BadInput)
        }
    }
}

/// Says why there is nothing.
pub(super) fn refuse(path: &Path, error: &ImportError) -> Exit {
    let inside = if error.place.is_some() || error.entry.is_some() { ":" } else { ": " };
    complain(&format!("error: {}{inside}{error}", shown(path)));
    if error.problem == Problem::NoApplication { Exit::NothingRan } else { Exit::BadInput }
}

fn tell(written: &Written) {
    written.read.iter().for_each(|sentence| complain(&format!("read: {sentence}")));
    written.assumed.iter().for_each(|sentence| complain(&format!("assumed: {sentence}")));
    written.ignored.iter().for_each(|sentence| complain(&format!("ignored: {sentence}")));
}

/// Writes the scenario; over another file only if asked to.
fn save(path: &Path, text: &str, force: bool) -> Exit {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.open(path).and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => {
            complain(&format!("written: {}", shown(path)));
            Exit::Pass
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            complain(&format!("error: {} is already there; --force writes over it", shown(path)));
            Exit::BadInput
        }
        Err(error) => {
            complain(&format!("error: cannot write {}: {}", shown(path), cause(&error)));
            Exit::NotWritten
        }
    }
}
