//! Plans that are judged by a program of the user's own: how a command runs them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::signals::Interrupt;
use crate::host::validator::{Children, Program, launch};
use crate::measure::Outcome;
use crate::scenario::{Outside, Plan, Setting, toml_string};
use crate::sim::{self, RunError, Watch};

use super::args::ValidatorStartArgs;
use super::print::complain;

/// Runs `plan` with whoever it says judges; with a program, `folder` is where that runs, and what it said comes along.
///
/// # Errors
/// See [`RunError`].
pub(super) fn run(
    plan: &Plan,
    folder: &Path,
    interrupt: &Interrupt,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Option<String>), RunError> {
    let Some(outside) = &plan.outside else { return Ok((sim::run(plan, watch)?, None)) };
    let front_ends = plan.front_ends.iter().map(|front_end| front_end.name.clone()).collect();
    let failed = |error| RunError::NoValidator(format!("the validator could not be started: {error}"));
    let program = program(outside, folder).map_err(failed)?;
    let children = Children::new(program, front_ends, interrupt).map_err(failed)?;
    let outcome = sim::run_with(plan, &children, watch);
    let said = children.close();
    Ok((outcome?, Some(said)))
}

fn program(outside: &Outside, folder: &Path) -> std::io::Result<Program> {
    Ok(Program {
        launcher: std::env::current_exe()?,
        words: outside.command.iter().map(Into::into).collect(),
        folder: folder.to_owned(),
        answer_limit: Duration::from_nanos(outside.answer_limit.0),
    })
}

/// A command given on the command line, as a setting of the scenario.
pub(super) fn setting(words: &[String]) -> Option<Setting> {
    let list = words.iter().map(|word| toml_string(word)).collect::<Vec<_>>().join(", ");
    let setting = Setting { path: "validation.command".to_owned(), value: format!("[{list}]") };
    (!words.is_empty()).then_some(setting)
}

/// Where a program runs that the scenario at `path` names.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A validator's process begins as one of this program.
pub(super) fn become_validator(args: &ValidatorStartArgs) -> ! {
    let error = launch::replace_with(&args.words, args.parent);
    let program = args.words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    complain(&format!("cannot start {program}: {}", super::input::cause(&error)));
    std::process::exit(launch::NOT_STARTED)
}
