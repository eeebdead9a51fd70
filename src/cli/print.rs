//! Standard output and standard error, when whoever reads them may go away.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use super::exit::Exit;

/// Writes results to standard output. A reader that has gone (`| head`) is no error: the rest goes nowhere.
#[derive(Debug, Default)]
pub(super) struct Printer {
    is_closed: bool,
}

impl Printer {
    /// Writes `text`, with a line end if it has none.
    pub(super) fn print(&mut self, text: &str) -> Result<(), Exit> {
        if self.is_closed {
            return Ok(());
        }
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let mut stdout = io::stdout().lock();
        let done = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.write_all(end.as_bytes()))
            .and_then(|()| stdout.flush());
        match done {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) => {
                complain(&format!("error: cannot write to standard output: {error}"));
                Err(Exit::NotWritten)
            }
        }
    }
}

/// Writes a message to standard error, as a line. If that is gone too there is nobody left to tell.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

/// Writes a bit of a line to standard error.
pub(super) fn hint(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

pub(super) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// A path as messages show it: on one line, without anything that a terminal would act on.
pub(super) fn shown(path: &Path) -> String {
    let mut out = String::new();
    for c in path.to_string_lossy().chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}
