//! How many of many runs are done, and how long the rest will take if it goes on like this.

use std::time::Duration;

use crate::host::clock::{Pace, Stopwatch};

use super::print::{hint, stderr_is_terminal};

/// Real time between two lines of progress, on a terminal and elsewhere.
const PACES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(10)];

/// A line on standard error.
pub(super) struct Progress {
    done: u64,
    all: u64,
    what: String,
    watch: Stopwatch,
    pace: Pace,
    is_terminal: bool,
    is_wanted: bool,
    is_shown: bool,
}

impl Progress {
    /// Of so many of `what`, if somebody wants to see it.
    pub(super) fn of(all: u64, what: String, wanted: bool) -> Progress {
        let is_terminal = stderr_is_terminal();
        let pace = Pace::new(PACES[usize::from(!is_terminal)]);
        let is_wanted = (wanted || is_terminal) && all > 0;
        if is_wanted && !is_terminal {
            hint(&format!("running {all} {what}\n"));
        }
        Progress { done: 0, all, what, watch: Stopwatch::start(), pace, is_terminal, is_wanted, is_shown: false }
    }

    /// One more is done.
    pub(super) fn one(&mut self) {
        self.done += 1;
        if !self.is_wanted || !(self.pace.is_due() || self.done == self.all) {
            return;
        }
        let elapsed = self.watch.elapsed();
        let rest = elapsed.as_secs_f64() / self.done as f64 * (self.all - self.done) as f64;
        let text = format!(
            "{} of {} {}, {} so far, about {} left",
            self.done,
            self.all,
            self.what,
            seconds(elapsed.as_secs()),
            seconds(libm::ceil(rest) as u64)
        );
        if self.is_terminal {
            self.is_shown = true;
            hint(&format!("\r{text}\x1b[K"));
        } else {
            hint(&format!("{text}\n"));
        }
    }
}

fn seconds(n: u64) -> String {
    crate::time::Span::SECOND.times(n).to_string()
}

/// The line goes when the work does.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            hint("\r\x1b[K");
        }
    }
}
