//! `refresh-sim replay`: a result's plan run again, with the verdicts on record where a program of the user's own judged;
//! it must decide the same.

use std::fs::File;
use std::io::{BufRead, BufReader};

use crate::host::signals::Interrupt;
use crate::measure::Outcome;
use crate::report::{self, verdicts};
use crate::scenario;
use crate::sim::{self, RunError};

use super::args::ReplayArgs;
use super::exit::Exit;
use super::panics::guarded;
use super::print::{Printer, complain};
use super::run::not_run;
use super::stored::{Stored, StoredError};
use super::verdicts::{Stopped, VerdictsIn};
use super::watch::{Progress, RunWatch};

/// Replays the result that `args` names.
pub(super) fn replay(args: &ReplayArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let prepared = Stored::open(&args.result, args.incomplete).map_err(|error: StoredError| error.to_string());
    let prepared = prepared.and_then(|stored| Again::new(stored, interrupt));
    match prepared {
        Ok(again) => guarded(&again.stored.shown, || again.run(args.progress, printer)),
        Err(message) => {
            complain(&message);
            Exit::BadInput
        }
    }
}

/// A run that is about to be repeated.
struct Again<'a> {
    stored: Stored,
    /// `None`: built-in logic judges again.
    record: Option<VerdictsIn>,
    interrupt: &'a Interrupt,
}

impl<'a> Again<'a> {
    fn new(stored: Stored, interrupt: &'a Interrupt) -> Result<Again<'a>, String> {
        let mut record = None;
        if stored.plan.outside.is_some() {
            let path = stored.folder.join(verdicts::FILE);
            let opened = VerdictsIn::open(&path, &stored.plan)
                .map_err(|why| format!("error: cannot read {}/{}: {why}", stored.shown, verdicts::FILE))?;
            record = Some(opened);
        } else if stored.digest.is_none() {
            return Err(format!(
                "error: {} is not complete and has no digest, so that there is nothing to compare a replay with; \
                 to run it to its end: refresh-sim run {0}/plan.toml",
                stored.shown
            ));
        }
        Ok(Again { stored, record, interrupt })
    }

    fn run(&self, progress: bool, printer: &mut Printer) -> Exit {
        let plan = &self.stored.plan;
        let progress = Progress::new(&self.stored.shown, plan, progress);
        let mut watch = RunWatch { interrupt: self.interrupt, progress, tracer: None, verdicts: None };
        let outcome = match &self.record {
            Some(record) => sim::run_with(plan, record, &mut watch),
            None => sim::run(plan, &mut watch),
        };
        drop(watch);
        let (exit, text) = match outcome {
            Ok(outcome) if outcome.interrupted => {
                return self.interrupt.signal().map_or(Exit::Inconclusive, Exit::from);
            }
            Ok(outcome) => self.compared(&outcome),
            Err(RunError::Differs(what)) => match self.record.as_ref().and_then(VerdictsIn::stopped) {
                Some(Stopped::Ended(question)) => self.record_ends(&question),
                Some(Stopped::Damaged(what)) => {
                    complain(&format!("error: {}: {what}", self.stored.shown));
                    return Exit::BadInput;
                }
                Some(Stopped::Differs(_)) | None => (Exit::NotDeterministic, self.differs(&what)),
            },
            Err(error) => return not_run(&self.stored.shown, &error),
        };
        Exit::worst([exit, printer.print(&text).err().unwrap_or(Exit::Pass)])
    }

    fn differs(&self, what: &str) -> String {
        format!("{}: the replay differs: {what}", self.stored.shown)
    }

    /// The replay asks more than the record has answers for.
    fn record_ends(&self, question: &str) -> (Exit, String) {
        let (taken, shown) = (self.record.as_ref().map_or(0, VerdictsIn::taken), &self.stored.shown);
        if self.stored.digest.is_none() {
            let text = format!(
                "{shown}: the same as far as it goes: all {taken} questions on record are asked again in their order. \
                 The run was interrupted before the next one,\n  {question}"
            );
            return (Exit::Inconclusive, text);
        }
        let what =
            format!("the record ends after {taken} verdicts, and one more is asked for:\n  now        {question}");
        (Exit::NotDeterministic, self.differs(&what))
    }

    /// The replay came to its end: has it decided the same?
    fn compared(&self, outcome: &Outcome) -> (Exit, String) {
        let shown = &self.stored.shown;
        let left = self.record.as_ref().map_or(Ok(None), VerdictsIn::left);
        match left {
            Ok(None) => {}
            Ok(Some(question)) => {
                let taken = self.record.as_ref().map_or(0, VerdictsIn::taken);
                let what = format!("it ends after {taken} verdicts, and the record goes on:\n  on record  {question}");
                return (Exit::NotDeterministic, self.differs(&what));
            }
            Err(what) => {
                complain(&format!("error: {shown}/{}: {what}", verdicts::FILE));
                return (Exit::BadInput, String::new());
            }
        }
        let now = outcome.digest.as_deref().unwrap_or("none");
        let Some(then) = &self.stored.digest else {
            let text = format!("{shown}: the same as far as it goes; the result is not complete and has no digest");
            return (Exit::Inconclusive, text);
        };
        if now == then {
            let judged = match &self.record {
                Some(record) => format!(", with {} verdicts from its record in place of the validator", record.taken()),
                None => String::new(),
            };
            let text = format!(
                "{shown}: the same again: {} decisions and the final counts{judged}\ndigest: {now}",
                outcome.decisions
            );
            return (Exit::Pass, text);
        }
        let first = self.first_difference(outcome).unwrap_or_else(|| {
            "  all lines of records.jsonl are the same: run it with --trace full to have every decision there"
                .to_owned()
        });
        let what = format!("another digest:\n  now        {now}\n  on record  {then}\n{first}");
        (Exit::NotDeterministic, self.differs(&what))
    }

    /// The first line that the replay's records have and the stored ones, which may have more, have not.
    fn first_difference(&self, outcome: &Outcome) -> Option<String> {
        let plan = &self.stored.plan;
        let files = report::files(plan, outcome, &[], 0, &scenario::render(plan));
        let (_, now) = files.into_iter().find(|(name, _)| *name == "records.jsonl")?;
        let then = BufReader::new(File::open(self.stored.folder.join("records.jsonl")).ok()?);
        let mut then = then.lines().map_while(Result::ok);
        let now = String::from_utf8(now).ok()?;
        let missing = now.lines().find(|line| !then.any(|stored| stored == **line))?;
        Some(format!("the first line that records.jsonl does not have:\n  {missing}"))
    }
}
