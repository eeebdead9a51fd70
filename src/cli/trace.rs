//! Decisions written down while a run goes on: all of them, or those around crashes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use crate::measure::{Decision, What};
use crate::report::step_line;
use crate::scenario::Plan;
use crate::sim::Names;
use crate::time::{Span, Time};

/// How much of the time before and after a crash is told.
const WINDOW: Span = Span::MINUTE;
/// Most decisions kept for a crash that may come: 24 MiB of them.
const KEPT_MAX: usize = 1 << 20;

/// Writes decisions as lines of records.jsonl.
#[derive(Debug)]
pub(super) struct Tracer<'a> {
    names: Names<'a>,
    out: BufWriter<File>,
    window: Option<Window>,
    failed: Option<io::Error>,
}

/// Which decisions are near a crash.
#[derive(Debug)]
struct Window {
    kept: VecDeque<Decision>,
    kept_max: usize,
    /// Decisions up to then follow a crash closely; `None`: there was none yet.
    until: Option<Time>,
    /// The latest decision that did not fit.
    forgotten: Option<Time>,
    /// Crashes whose window is not whole.
    cut: u64,
}

impl<'a> Tracer<'a> {
    /// Writes all decisions to `file`, or with `around_crashes` only those within a minute of a crash.
    pub(super) fn new(plan: &'a Plan, file: File, around_crashes: bool) -> Tracer<'a> {
        let window = around_crashes.then(|| Window::new(KEPT_MAX));
        Tracer { names: Names::new(plan), out: BufWriter::with_capacity(1 << 16, file), window, failed: None }
    }

    /// Whether a line could not be written: going on makes no sense.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Takes the next decision.
    pub(super) fn decision(&mut self, decision: &Decision) {
        let Tracer { names, out, window, failed } = self;
        let mut write = |decision: &Decision| {
            if failed.is_none() {
                let line = step_line(names, decision);
                let end = if line.ends_with('\n') { "" } else { "\n" };
                *failed = out.write_all(line.as_bytes()).and_then(|()| out.write_all(end.as_bytes())).err();
            }
        };
        match window {
            None => write(decision),
            Some(window) => window.take(decision, &mut write),
        }
    }

    /// Ends it: all lines are with the system. Says how many crashes have a window that is not whole.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.window.map_or(0, |window| window.cut)),
        }
    }
}

impl Window {
    fn new(kept_max: usize) -> Window {
        Window { kept: VecDeque::new(), kept_max, until: None, forgotten: None, cut: 0 }
    }

    fn take(&mut self, decision: &Decision, write: &mut dyn FnMut(&Decision)) {
        let starts = Time(decision.at.0.saturating_sub(WINDOW.0));
        if decision.what == What::Crash {
            self.cut += u64::from(self.forgotten.is_some_and(|at| at >= starts));
            for kept in self.kept.drain(..).filter(|kept| kept.at >= starts) {
                write(&kept);
            }
            self.until = Some(decision.at + WINDOW);
        }
        if self.until.is_some_and(|until| decision.at <= until) {
            return write(decision);
        }
        while self.kept.len() >= self.kept_max || self.kept.front().is_some_and(|kept| kept.at < starts) {
            let gone = self.kept.pop_front().map(|kept| kept.at);
            if gone.is_some_and(|at| at >= starts) {
                self.forgotten = gone;
            }
        }
        self.kept.push_back(*decision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(seconds: u64, what: What) -> Decision {
        Decision { at: Time(seconds * Span::SECOND.0), who: 0, what, detail: 0, extra: 0 }
    }

    fn told(kept_max: usize, stream: &[Decision]) -> (Vec<u64>, u64) {
        let (mut window, mut told) = (Window::new(kept_max), Vec::new());
        stream.iter().for_each(|d| window.take(d, &mut |d| told.push(d.at.0 / Span::SECOND.0)));
        (told, window.cut)
    }

    #[test]
    fn a_window_is_a_minute_on_both_sides_of_each_crash() {
        let mut stream: Vec<_> = (0..=500).map(|s| decision(s, What::Due)).collect();
        stream.insert(200, decision(200, What::Crash));
        stream.insert(231, decision(230, What::Crash));
        let (told, cut) = told(KEPT_MAX, &stream);
        let mut expected: Vec<u64> = (140..=290).chain([200, 230]).collect();
        expected.sort_unstable();
        assert_eq!((told, cut), (expected, 0));
    }

    #[test]
    fn what_is_kept_is_bounded_and_a_cut_window_is_counted() {
        let mut stream: Vec<_> = (0..=100).map(|s| decision(s, What::Due)).collect();
        stream.push(decision(100, What::Crash));
        assert_eq!(told(3, &stream), (vec![98, 99, 100, 100], 1));
    }
}
