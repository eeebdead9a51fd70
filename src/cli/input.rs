//! Reading scenario files: plain files only, and never more of them than a scenario may have.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::scenario::{self, Colour, Plan, Problems, Setting};
use crate::study::baseline::Baseline;

use super::args::Changes;
use super::outside;
use super::print::{shown, stderr_is_terminal};

/// The most that a baseline may have; what is cut off there is no JSON any more.
const BASELINE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most that a scenario file may have.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The most that a result's plan may have; the same as `scenario::load_plan` reads.
const PLAN_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A scenario, read and resolved.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) path: PathBuf,
    /// The path as messages show it.
    pub(super) shown: String,
    pub(super) text: Vec<u8>,
    pub(super) plan: Plan,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("error: cannot read {path}: {cause}")]
    Read { path: String, cause: String },
    #[error("error: {path} is {what}; a plain file is needed")]
    NotAFile { path: String, what: &'static str },
    #[error("error: {path} has no name that a results folder could have; a scenario is called like `name.toml`")]
    Nameless { path: String },
    #[error("{0}")]
    Problems(String),
}

impl Input {
    /// Reads the scenario at `path` and resolves it.
    pub(super) fn load(path: &Path, changes: &Changes) -> Result<Input, InputError> {
        Input::load_with(path, changes, &[])
    }

    /// The same; `validator` is a program on the command line that judges, with its arguments, if there is one.
    pub(super) fn load_with(path: &Path, changes: &Changes, validator: &[String]) -> Result<Input, InputError> {
        let text = read(path)?;
        let name = name(path)?;
        let settings: Vec<Setting> = changes.settings().into_iter().chain(outside::setting(validator)).collect();
        let mut plan = plan(&name, &shown(path), &text, &settings)?;
        outside::place(&mut plan, path, validator);
        if plan.expect.iter().any(|expectation| expectation.against.is_some()) {
            ask_baseline(path, &mut plan)?;
        }
        Ok(Input { path: path.to_owned(), shown: shown(path), text, plan })
    }
}

/// Lets the baseline beside a scenario say what it has to say; nothing if there is none.
fn ask_baseline(scenario: &Path, plan: &mut Plan) -> Result<(), InputError> {
    let place = scenario.with_extension("baseline.json");
    let wrong = |cause: String| InputError::Read { path: shown(&place), cause };
    let metadata = match fs::metadata(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(wrong(cause(&error))),
        Ok(metadata) => metadata,
    };
    plain(&place, &metadata)?;
    let mut text = Vec::new();
    let read = File::open(&place).and_then(|file| file.take(BASELINE_BYTES_MAX).read_to_end(&mut text));
    read.map_err(|error| wrong(cause(&error)))?;
    let (baseline, _) = Baseline::read(&text).map_err(|error| wrong(error.to_string()))?;
    baseline.tell(plan);
    Ok(())
}

/// Resolves a text.
pub(super) fn plan(name: &str, file: &str, text: &[u8], settings: &[Setting]) -> Result<Plan, InputError> {
    scenario::load(name, file, text, settings).map_err(told)
}

/// Reads the plan among a result's files, and resolves it.
pub(super) fn stored_plan(name: &str, path: &Path) -> Result<(Vec<u8>, Plan), InputError> {
    let text = read_up_to(path, PLAN_BYTES_MAX)?;
    let plan = scenario::load_plan(name, &shown(path), &text, &[]).map_err(told)?;
    Ok((text, plan))
}

fn told(problems: Problems) -> InputError {
    let colour = if stderr_is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
        Colour::Always
    } else {
        Colour::Never
    };
    InputError::Problems(problems.render(colour))
}

/// The file's name without its ending. Used for a folder, so one that is a way to another folder will not do.
fn name(path: &Path) -> Result<String, InputError> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    match stem {
        Some(stem) if !matches!(stem.as_str(), "" | "." | "..") => Ok(stem),
        _ => Err(InputError::Nameless { path: shown(path) }),
    }
}

/// Opens a plain file.
pub(super) fn open(path: &Path) -> Result<File, InputError> {
    let failed = |error: io::Error| InputError::Read { path: shown(path), cause: cause(&error) };
    // Before it is opened: opening a pipe waits for a writer.
    plain(path, &fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    plain(path, &file.metadata().map_err(failed)?)?;
    Ok(file)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, InputError> {
    read_up_to(path, BYTES_MAX)
}

fn read_up_to(path: &Path, most: u64) -> Result<Vec<u8>, InputError> {
    let failed = |error: io::Error| InputError::Read { path: shown(path), cause: cause(&error) };
    let file = open(path)?;
    let mut text = Vec::new();
    // One byte more than allowed, so that whoever checks the size sees that it is too big.
    file.take(most + 1).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

fn plain(path: &Path, metadata: &Metadata) -> Result<(), InputError> {
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(InputError::NotAFile { path: shown(path), what })
}

/// A system's message in our words where it is a usual one.
pub(super) fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotADirectory => "a part of the path is a file, not a folder".to_owned(),
        io::ErrorKind::StorageFull => "no space left on the disk".to_owned(),
        io::ErrorKind::FileTooLarge => "the limit on file sizes is reached".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only".to_owned(),
        _ => error.to_string(),
    }
}
