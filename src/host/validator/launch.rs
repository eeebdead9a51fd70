//! The first moments of a validator's process: this very program, which sets up what the user's is to find, and becomes it.
//!
//! A step of its own because std can do none of this between fork and exec without unsafe code.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::getppid;
use rustix::stdio::{dup2_stdin, dup2_stdout, stderr, stdin, stdout};

/// The hidden command of this program that calls [`replace_with`].
pub const COMMAND: &str = "validator-start";
/// The status of a process that could not become the user's program.
pub const NOT_STARTED: i32 = 127;
/// Variables with the numbers of the descriptors.
const QUESTIONS: &str = "REFRESH_SIM_QUESTIONS";
const ANSWERS: &str = "REFRESH_SIM_ANSWERS";

/// Turns this process into the program `words`, which dies with the process `parent`, finds questions and answers on
/// descriptors of its own, nothing on its standard input, and a log behind its standard output and error. Returns only
/// to say why not.
pub fn replace_with(words: &[OsString], parent: u32) -> io::Error {
    match prepared(words, parent) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    }
}

fn prepared(words: &[OsString], parent: u32) -> io::Result<Command> {
    let Some((program, args)) = words.split_first() else {
        return Err(io::Error::other("no program is named"));
    };
    die_with_parent()?;
    // It may have died before this was asked for.
    if getppid().is_none_or(|pid| pid.as_raw_nonzero().get().unsigned_abs() != parent) {
        return Err(io::Error::other("the program that started this one is gone"));
    }
    let questions = kept(stdin())?;
    let answers = kept(stdout())?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(stderr())?;
    let mut command = Command::new(program);
    command.args(args);
    command.env(QUESTIONS, questions.as_raw_fd().to_string()).env(ANSWERS, answers.as_raw_fd().to_string());
    // Left open for the program that comes.
    std::mem::forget((questions, answers));
    Ok(command)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
}

/// Elsewhere the end of the questions tells a validator to end.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn die_with_parent() -> io::Result<()> {
    Ok(())
}

/// A descriptor of the same thing beyond the standard ones, which the next program inherits.
fn kept(of: impl AsFd) -> io::Result<OwnedFd> {
    let fd = fcntl_dupfd_cloexec(of, 3)?;
    fcntl_setfd(&fd, FdFlags::empty())?;
    Ok(fd)
}
