//! Plans that are judged by a program of the user's own: how any command runs them, where, and by what it is known.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::signals::Interrupt;
use crate::host::threads::{self, Done, Ended};
use crate::host::validator::{Children, Program, launch};
use crate::measure::Outcome;
use crate::scenario::{Outside, Plan, Setting, toml_string};
use crate::sim::{self, Programs, RunError, Watch};
use crate::study::Task;
use crate::validate::ValidatorMaker;

use super::args::ValidatorStartArgs;
use super::exit::Exit;
use super::input::cause;
use super::print::{complain, shown};
use super::run::not_run;

/// A result's file about the program that judged.
pub(super) const FILE: &str = "validator.json";
/// The name and version of its shape.
const SCHEMA: &str = "refresh-sim.validator-file/1";
/// Most of such a file that is read.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

// ---- running

/// Starts the programs that plans name. Whoever raises the interrupt need not wait for an answer that does not come.
pub(super) struct Starts<'a>(pub(super) &'a Interrupt);

impl Programs for Starts<'_> {
    fn lend(
        &self,
        plan: &Plan,
        run: &mut dyn FnMut(&dyn ValidatorMaker) -> Result<Outcome, RunError>,
    ) -> Result<Outcome, RunError> {
        let children = children(plan, self.0)?;
        let outcome = run(&children);
        drop(children);
        outcome
    }
}

/// Runs `plan` with whoever it says judges.
///
/// # Errors
/// See [`RunError`].
pub(super) fn run(plan: &Plan, interrupt: &Interrupt, watch: &mut dyn Watch) -> Result<Outcome, RunError> {
    sim::run_by(plan, &Starts(interrupt), watch)
}

/// The same; what a program said comes along.
pub(super) fn run_and_listen(
    plan: &Plan,
    interrupt: &Interrupt,
    watch: &mut dyn Watch,
) -> Result<(Outcome, Option<String>), RunError> {
    if plan.outside.is_none() {
        return Ok((sim::run(plan, watch)?, None));
    }
    let children = children(plan, interrupt)?;
    let outcome = sim::run_with(plan, &children, watch);
    let said = children.close();
    Ok((outcome?, Some(said)))
}

fn children(plan: &Plan, interrupt: &Interrupt) -> Result<Children, RunError> {
    let front_ends = plan.front_ends.iter().map(|front_end| front_end.name.clone()).collect();
    let failed = |error| RunError::NoValidator(format!("the validator could not be started: {error}"));
    let none = || failed(io::Error::other("the plan names none"));
    let program = program(plan.outside.as_ref().ok_or_else(none)?).map_err(failed)?;
    Children::new(program, front_ends, interrupt).map_err(failed)
}

fn program(outside: &Outside) -> io::Result<Program> {
    let here = outside.folder.as_os_str().is_empty();
    Ok(Program {
        launcher: std::env::current_exe()?,
        words: outside.command.iter().map(Into::into).collect(),
        folder: if here { PathBuf::from(".") } else { outside.folder.clone() },
        answer_limit: Duration::from_nanos(outside.answer_limit.0),
    })
}

/// [`threads::run_all`], where `work` gets what stops a run's program, too: when nobody wants any more results, no thread
/// waits for an answer.
pub(super) fn run_all<R: Send>(
    jobs: NonZeroUsize,
    tasks: impl Iterator<Item = Task> + Send,
    interrupt: &Interrupt,
    work: impl Fn(&Task, &Interrupt, &mut dyn Watch) -> R + Sync,
    mut fold: impl FnMut(Done<R>) -> ControlFlow<()>,
) -> io::Result<Ended> {
    let stop = interrupt.child();
    let work = |task: &Task, watch: &mut dyn Watch| work(task, &stop, watch);
    let fold = |done: Done<R>| {
        let flow = fold(done);
        if flow.is_break() {
            stop.raise();
        }
        flow
    };
    threads::run_all(jobs, tasks, interrupt, work, fold)
}

/// Why there is no outcome, said. One that was asked to end while a program was busy has no other reason.
pub(super) fn ended(shown: &str, error: &RunError, interrupt: &Interrupt) -> Exit {
    match interrupt.signal() {
        Some(signal) if matches!(error, RunError::NoValidator(_)) => signal.into(),
        _ => not_run(shown, error),
    }
}

// ---- the program

/// A command given on the command line, as a setting of the scenario.
pub(super) fn setting(words: &[String]) -> Option<Setting> {
    let list = words.iter().map(|word| toml_string(word)).collect::<Vec<_>>().join(", ");
    let setting = Setting { path: "validation.command".to_owned(), value: format!("[{list}]") };
    (!words.is_empty()).then_some(setting)
}

/// Says where the program of a plan runs: in the folder of the file that names it. A command on the command line is meant
/// as whoever wrote it sees the files.
pub(super) fn place(plan: &mut Plan, file: &Path, on_command_line: &[String]) {
    if let Some(outside) = &mut plan.outside
        && on_command_line.is_empty()
    {
        outside.folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    }
}

/// Looks at the files that a plan's command names, so that what it gave is found again only while they are the same.
///
/// # Errors
/// In words, which of them cannot be read.
pub(super) fn identify(plan: &mut Plan) -> Result<(), String> {
    if let Some(outside) = &mut plan.outside {
        let mut hasher = blake3::Hasher::new();
        for Named { file, blake3 } in files(outside)? {
            hasher.update(file.as_bytes()).update(&[0]).update(blake3.as_bytes());
        }
        outside.identity = hasher.finalize().to_hex().to_string();
    }
    Ok(())
}

/// A file that a command names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Named {
    /// As the command names it.
    pub(super) file: String,
    /// Of its content, in hexadecimal.
    pub(super) blake3: String,
}

/// The plain files among the words of a command, as seen from its folder: the program, unless it is one that the system
/// looks for, and what is given to it by name, alone or behind a `=`.
fn files(outside: &Outside) -> Result<Vec<Named>, String> {
    let mut named = Vec::new();
    for (nth, word) in outside.command.iter().enumerate() {
        let of_option = word.split_once('=').map(|(_, value)| value);
        let is_searched = nth == 0 && !word.contains('/');
        for file in [Some(word.as_str()), of_option].into_iter().flatten().filter(|_| !is_searched) {
            let path = outside.folder.join(file);
            if !file.is_empty() && path.is_file() {
                let blake3 = hash(&path).map_err(|error| format!("cannot read {}: {}", shown(&path), cause(&error)))?;
                named.push(Named { file: file.to_owned(), blake3 });
            }
        }
    }
    Ok(named)
}

fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, blake3::Hasher::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            read => drop(hasher.update(&buffer[..read])),
        }
    }
}

// ---- with a result

/// What a result keeps of the program that judged, so that it can be started again.
#[derive(Serialize, Deserialize)]
struct Kept {
    schema: String,
    /// Where it ran.
    folder: PathBuf,
    /// The files that its command names, as they were.
    files: Vec<Named>,
}

/// The text of [`FILE`]; `None`: built-in logic judged.
pub(super) fn kept(plan: &Plan) -> Option<String> {
    let outside = plan.outside.as_ref()?;
    let folder =
        std::path::absolute(if outside.folder.as_os_str().is_empty() { Path::new(".") } else { &outside.folder });
    let folder = folder.unwrap_or_else(|_| outside.folder.clone());
    let kept = Kept { schema: SCHEMA.to_owned(), folder, files: files(outside).unwrap_or_default() };
    // A folder whose name is no text has no place in JSON.
    serde_json::to_string_pretty(&kept).ok().map(|text| text + "\n")
}

/// Says where the program of a result's plan ran, if its folder knows; else it runs here.
///
/// # Errors
/// In words, why what the folder knows cannot be read.
pub(super) fn place_as_kept(plan: &mut Plan, result: &Path) -> Result<(), String> {
    let Some(outside) = &mut plan.outside else { return Ok(()) };
    outside.folder = PathBuf::new();
    let path = result.join(FILE);
    let wrong = |why: String| format!("{}: {why}", shown(&path));
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(wrong(cause(&error))),
    };
    let kept: Kept = serde_json::from_reader(file.take(BYTES_MAX)).map_err(|error| wrong(error.to_string()))?;
    if kept.schema != SCHEMA {
        return Err(wrong(format!("its schema is {:?}; this program reads {SCHEMA:?}", kept.schema)));
    }
    outside.folder = kept.folder;
    Ok(())
}

/// Which of the files that a result's program was made of are others now; in words, empty if none.
pub(super) fn changed(plan: &Plan, result: &Path) -> String {
    let Some(outside) = &plan.outside else { return String::new() };
    let kept = File::open(result.join(FILE)).ok().and_then(|file| {
        let kept: Kept = serde_json::from_reader(file.take(BYTES_MAX)).ok()?;
        Some(kept.files)
    });
    let (then, now) = (kept.unwrap_or_default(), files(outside).unwrap_or_default());
    let others = then.iter().filter(|file| !now.contains(file)).map(|file| file.file.as_str());
    let others = others.collect::<Vec<_>>().join(", ");
    if others.is_empty() { others } else { format!("; its validator is another one now: {others}") }
}

/// A validator's process begins as one of this program.
pub(super) fn become_validator(args: &ValidatorStartArgs) -> ! {
    let error = launch::replace_with(&args.words, args.parent);
    let program = args.words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    complain(&format!("cannot start {program}: {}", cause(&error)));
    std::process::exit(launch::NOT_STARTED)
}
