//! `refresh-sim replay`: a result's plan run again, with the verdicts on record where a program of the user's own judged;
//! it must decide the same.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::json;

use crate::host::signals::Interrupt;
use crate::measure::Outcome;
use crate::report::moment::{self, Services};
use crate::report::{self, verdicts, words};
use crate::scenario::{self, Plan};
use crate::sim::{self, Names, RunError, Watch};
use crate::study::window::{Seen, Wanted, Window};
use crate::time::Time;

use super::args::{Format, LIMIT_MAX, ReplayArgs};
use super::exit::Exit;
use super::panics::guarded;
use super::print::{Printer, complain};
use super::run::not_run;
use super::stored::{Stored, StoredError};
use super::verdicts::{Stopped, VerdictsIn};
use super::watch::{Progress, RunWatch};

/// Replays the result that `args` names.
pub(super) fn replay(args: &ReplayArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let prepared = Again::open(&args.result, args.incomplete, interrupt);
    let prepared = prepared.and_then(|again| Ok((wanted(args, &again.stored.plan)?, again)));
    match prepared {
        Ok((wanted, again)) => guarded(&again.stored.shown, || show(&again, args, wanted, printer)),
        Err(message) => {
            complain(&message);
            Exit::BadInput
        }
    }
}

/// The window that is asked for; `None`: none is.
fn wanted(args: &ReplayArgs, plan: &Plan) -> Result<Option<Wanted>, String> {
    let end = Time::ZERO + plan.horizon;
    let time = |option: &str, text: &Option<String>, without: Time| match text {
        Some(text) => scenario::moment(plan, text).map_err(|why| format!("error: --{option}: {why}")),
        None => Ok(without),
    };
    let (from, until) = (time("from", &args.from, Time::ZERO)?, time("until", &args.until, end)?);
    if from > until {
        return Err(format!("error: --from {from} is after --until {until}: nothing lies between them"));
    }
    let peers = args.peer.iter().map(|name| scenario::peers_named(plan, name));
    let peers = peers.collect::<Result<Vec<_>, _>>().map_err(|why| format!("error: --peer: {why}"))?;
    let front_ends = args.front_end.iter().map(|name| scenario::front_end_named(plan, name));
    let front_ends = front_ends.collect::<Result<Vec<_>, _>>().map_err(|why| format!("error: --front-end: {why}"))?;
    let is_asked = args.from.is_some() || args.until.is_some() || !peers.is_empty() || !front_ends.is_empty();
    Ok(is_asked.then_some(Wanted { from, until, peers, front_ends }))
}

fn show(again: &Again<'_>, args: &ReplayArgs, wanted: Option<Wanted>, printer: &mut Printer) -> Exit {
    let mut watch = again.watch(args.progress);
    let (replayed, seen) = match wanted {
        None => (again.execute(&mut watch), None),
        Some(wanted) => {
            let mut window = Window::new(wanted, args.limit as usize, &mut watch);
            let replayed = again.execute(&mut window);
            (replayed, Some(window.finish()))
        }
    };
    drop(watch);
    let replayed = match replayed {
        Ok(replayed) => replayed,
        Err(exit) => return exit,
    };
    let text = match (args.format, &seen) {
        (Format::Json, _) => as_lines(again, &replayed, seen.as_ref()),
        (Format::Text, Some(seen)) if replayed.exit != Exit::NotDeterministic => {
            as_table(again, &replayed, seen) + "\n" + &replayed.text
        }
        (Format::Text, _) => replayed.text.clone(),
    };
    Exit::worst([replayed.exit, printer.print(&text).err().unwrap_or(Exit::Pass)])
}

/// The window as a table.
fn as_table(again: &Again<'_>, replayed: &Replayed, seen: &Seen) -> String {
    if seen.decisions.is_empty() {
        return "no decision fits all of the filters\n".to_owned();
    }
    let mut text = moment::table(&again.stored.plan, &seen.decisions, &replayed.services());
    if seen.left_out > 0 {
        let all = seen.decisions.len() as u64 + seen.left_out;
        let more = words::plural(seen.left_out, "decision", "decisions");
        let how = if all <= LIMIT_MAX { format!("--limit {all} shows all; ") } else { String::new() };
        text += &format!("cut: {more} more; {how}--from, --until, --peer and --front-end choose\n");
    }
    text
}

/// The window as lines of JSON, and one on the replay.
fn as_lines(again: &Again<'_>, replayed: &Replayed, seen: Option<&Seen>) -> String {
    let mut text = String::new();
    let is_same = replayed.exit != Exit::NotDeterministic;
    let names = Names::new(&again.stored.plan);
    for decision in seen.iter().filter(|_| is_same).flat_map(|seen| &seen.decisions) {
        text += &report::step_line(&names, decision);
        text.push('\n');
    }
    let last = json!({
        "kind": "replay",
        "result": again.stored.shown,
        "same": is_same,
        "complete": replayed.exit == Exit::Pass,
        "digest": replayed.outcome.as_ref().and_then(|outcome| outcome.digest.as_deref()),
        "shown": seen.map(|seen| seen.decisions.len()),
        "left_out": seen.map(|seen| seen.left_out),
        "words": replayed.text,
    });
    text + &last.to_string() + "\n"
}

/// A run that is about to be repeated.
pub(super) struct Again<'a> {
    pub(super) stored: Stored,
    /// `None`: built-in logic judges again.
    record: Option<VerdictsIn>,
    interrupt: &'a Interrupt,
}

/// What a repeated run came to.
pub(super) struct Replayed {
    /// [`Exit::NotDeterministic`]: it is not the same run, and nothing that it shows is of the result.
    pub(super) exit: Exit,
    /// That in words.
    pub(super) text: String,
    /// `None`: it did not come to its end.
    outcome: Option<Outcome>,
}

impl Replayed {
    /// When front ends served.
    fn services(&self) -> Services {
        self.outcome.as_ref().map_or_else(Services::default, |outcome| Services::of(&outcome.records))
    }
}

impl<'a> Again<'a> {
    /// Opens the result in `folder`.
    ///
    /// # Errors
    /// In words, why it cannot be replayed.
    pub(super) fn open(folder: &Path, incomplete: bool, interrupt: &'a Interrupt) -> Result<Again<'a>, String> {
        let stored = Stored::open(folder, incomplete).map_err(|error: StoredError| error.to_string())?;
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

    /// Who may stop it, and shows how far it is.
    pub(super) fn watch(&self, progress: bool) -> RunWatch<'_> {
        let progress = Progress::new(&self.stored.shown, &self.stored.plan, progress);
        RunWatch { interrupt: self.interrupt, progress, tracer: None, verdicts: None }
    }

    /// Runs it again and compares; whatever ends the command otherwise has been said.
    pub(super) fn execute(&self, watch: &mut dyn Watch) -> Result<Replayed, Exit> {
        let plan = &self.stored.plan;
        let outcome = match &self.record {
            Some(record) => sim::run_with(plan, record, watch),
            None => sim::run(plan, watch),
        };
        let (exit, text) = match &outcome {
            Ok(outcome) if outcome.interrupted => {
                return Err(self.interrupt.signal().map_or(Exit::Inconclusive, Exit::from));
            }
            Ok(outcome) => self.compared(outcome),
            Err(RunError::Differs(what)) => match self.record.as_ref().and_then(VerdictsIn::stopped) {
                Some(Stopped::Ended(question)) => self.record_ends(&question),
                Some(Stopped::Damaged(what)) => {
                    complain(&format!("error: {}: {what}", self.stored.shown));
                    return Err(Exit::BadInput);
                }
                Some(Stopped::Differs(_)) | None => (Exit::NotDeterministic, self.differs(what)),
            },
            Err(error) => return Err(not_run(&self.stored.shown, error)),
        };
        if exit == Exit::BadInput {
            return Err(exit);
        }
        Ok(Replayed { exit, text, outcome: outcome.ok() })
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
