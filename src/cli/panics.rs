//! Internal errors: said as such, with what it takes to report them, and turned into an exit code.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

use super::args::version;
use super::exit::Exit;
use super::print::complain;

/// The file that is being worked on.
static AT_WORK: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// The run that this thread is at, where several are made at once.
    static RUN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers what this thread works on from now on.
pub(super) fn at_work(run: String) {
    RUN.with(|own| *own.borrow_mut() = Some(run));
}

/// Tells of panics in the program's own words from now on.
pub(super) fn install_hook() {
    panic::set_hook(Box::new(tell));
}

/// Does `work` on `file`; a panic in it is [`Exit::Internal`].
pub(super) fn guarded(file: &str, work: impl FnOnce() -> Exit) -> Exit {
    *AT_WORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(file.to_owned());
    // Whatever the panic left half-done is dropped with `work`; nothing of it is looked at again.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Exit::Internal)
}

fn tell(info: &PanicHookInfo<'_>) {
    let what = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let own = RUN.try_with(|run| run.try_borrow().ok().and_then(|run| run.clone())).ok().flatten();
    let file = own.or_else(|| AT_WORK.try_lock().ok().and_then(|file| file.clone()));
    let file = file.map_or_else(String::new, |file| format!("\n  while working on: {file}"));
    complain(&format!(
        "internal error: {what}\n  in refresh-sim {}{place}{file}\n  to reproduce: {}\n  this is a mistake in \
         refresh-sim, not in the scenario; please report it with these lines and the scenario file",
        version(),
        command_line(),
    ));
}

/// This process's command line, as a shell would take it.
fn command_line() -> String {
    let args = std::env::args_os().skip(1).map(|arg| quoted(&arg.to_string_lossy()));
    std::iter::once("refresh-sim".to_owned()).chain(args).collect::<Vec<_>>().join(" ")
}

/// A word as a shell would take it.
pub(super) fn quoted(arg: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !arg.is_empty() && arg.chars().all(is_plain) {
        arg.to_owned()
    } else {
        format!("'{}'", arg.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("run.horizon=7d"), "run.horizon=7d");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
