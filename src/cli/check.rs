//! `refresh-sim check`: all scenarios that are found, each run and judged, a line each and more where one fails.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::host::signals::Interrupt;
use crate::host::threads::{Done, Ended, Panicked};
use crate::measure::Verdict;
use crate::report::words::{self, plural};
use crate::scenario::{Plan, SEMANTICS};
use crate::sim::{RunError, Watch};
use crate::study::check::{Checked, Seen, Weighed, see};
use crate::study::{Task, replications};

use super::args::{Changes, CheckArgs, Format, Judge};
use super::exit::Exit;
use super::find;
use super::input::Input;
use super::junit;
use super::outside;
use super::panics::{at_work, quoted};
use super::print::{Printer, complain, shown};
use super::run::not_run;
use super::whole::WholeFile;

/// The name and version of the shape of the summary.
const SCHEMA: &str = "refresh-sim.check/1";

/// A scenario and what came of it.
pub(super) struct Item {
    pub(super) shown: String,
    /// Its text, for the lines that annotations point to; empty where nobody wants any.
    text: Vec<u8>,
    pub(super) state: State,
}

/// How far it is.
pub(super) enum State {
    /// It can run.
    Ready(Arc<Plan>),
    /// It ran.
    Checked(Arc<Plan>, Checked),
    /// It cannot run, or an error ended it: why, and what that is as an exit.
    Broken(String, Exit),
}

/// Checks what `args` name.
pub(super) fn check(args: &CheckArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let paths = match find::scenarios(&args.paths, &args.filter) {
        Ok(paths) => paths,
        Err(exit) => return exit,
    };
    let begin = |path: &Option<PathBuf>| path.as_deref().map(WholeFile::begin).transpose();
    let (junit, json) = match begin(&args.junit).and_then(|junit| Ok((junit, begin(&args.json)?))) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    let items: Vec<Item> = paths.into_iter().map(|path| item(path, args)).collect();
    let width = items.iter().map(|item| item.shown.chars().count()).max().unwrap_or(0);
    let mut session = Session { args, printer, items, next: 0, width, exits: Vec::new() };
    let ended = session.run_all(interrupt);
    session.end(ended, junit, json)
}

fn item(path: PathBuf, args: &CheckArgs) -> Item {
    let shown = shown(&path);
    match Input::load_with(&path, &args.changes, &args.judge.validator) {
        Ok(input) => {
            let text = if annotates() { input.text } else { Vec::new() };
            Item { shown, text, state: State::Ready(Arc::new(input.plan)) }
        }
        Err(error) => {
            complain(&error.to_string());
            annotate(&shown, None, "bad scenario", error.to_string().lines().next().unwrap_or(""));
            Item { shown, text: Vec::new(), state: State::Broken(error.to_string(), Exit::BadInput) }
        }
    }
}

/// What one run gives, or why it gave nothing.
type Ran = Result<Seen, RunError>;

struct Session<'a> {
    args: &'a CheckArgs,
    printer: &'a mut Printer,
    items: Vec<Item>,
    /// The first one whose line has not been printed.
    next: usize,
    width: usize,
    exits: Vec<Exit>,
}

impl Session<'_> {
    fn run_all(&mut self, interrupt: &Interrupt) -> Result<Ended, Exit> {
        let (each, jobs, test_panic) = (self.args.replications, self.args.jobs.count(), self.args.test_panic);
        let ready: Vec<(usize, Arc<Plan>)> = self.items.iter().enumerate().filter_map(ready).collect();
        let places: Vec<usize> = ready.iter().map(|(place, _)| *place).collect();
        let names: Vec<String> = places.iter().map(|place| self.items[*place].shown.clone()).collect();
        let plans: Vec<Arc<Plan>> = ready.into_iter().map(|(_, plan)| plan).collect();
        let tasks = plans.iter().flat_map(|plan| replications(plan, 0..each));
        let work = |task: &Task, stop: &Interrupt, watch: &mut dyn Watch| {
            let name = plans.iter().position(|plan| Arc::ptr_eq(plan, &task.plan)).map(|nth| names[nth].as_str());
            at_work(format!("{}, replication {}", name.unwrap_or("?"), task.replication));
            assert!(!test_panic, "asked for by --test-panic");
            see(&task.plan(), watch, |plan, watch| outside::run(plan, stop, watch))
        };
        let fold = |done: Done<Ran>| {
            let place = places[(done.index / u64::from(each)) as usize];
            self.take(place, done.task.replication, done.result);
            if done.task.replication + 1 == each { self.print_up_to(place) } else { ControlFlow::Continue(()) }
        };
        outside::run_all(jobs, tasks, interrupt, work, fold).map_err(|error| {
            complain(&format!("error: cannot start a thread: {error}"));
            Exit::Inconclusive
        })
    }

    /// Adds one replication of the scenario at `place`.
    fn take(&mut self, place: usize, replication: u32, result: Result<Ran, Panicked>) {
        let item = &mut self.items[place];
        let broken = match (&mut item.state, result) {
            // One error is enough; it is the first by the order of replications.
            (State::Broken(..), _) => return,
            (State::Ready(plan), Ok(Ok(seen))) => {
                let (plan, mut checked) = (Arc::clone(plan), Checked::default());
                checked.add(seen);
                item.state = State::Checked(plan, checked);
                return;
            }
            (State::Checked(_, checked), Ok(Ok(seen))) => return checked.add(seen),
            (_, Ok(Err(error))) => {
                let which =
                    if self.args.replications > 1 { format!(", replication {replication}") } else { String::new() };
                let exit = not_run(&format!("{}{which}", item.shown), &error);
                State::Broken(format!("{error} (replication {replication})"), exit)
            }
            (_, Err(panicked)) => State::Broken(format!("{panicked} (replication {replication})"), Exit::Internal),
        };
        if let State::Broken(why, _) = &broken {
            annotate(&item.shown, None, "run failed", why);
        }
        item.state = broken;
    }

    /// Prints the lines of all scenarios up to this one that have not been printed.
    fn print_up_to(&mut self, place: usize) -> ControlFlow<()> {
        for item in &self.items[self.next..=place] {
            self.exits.push(exit_of(item));
            if let State::Checked(plan, checked) = &item.state {
                annotate_failures(item, plan, checked, self.args);
            }
            if self.args.format == Format::Text
                && let Err(exit) = self.printer.print(&lines(item, self.args, self.width))
            {
                self.exits.push(exit);
            }
        }
        self.next = place + 1;
        ControlFlow::Continue(())
    }

    /// Prints and writes what is left when all runs are done.
    fn end(mut self, ended: Result<Ended, Exit>, junit: Option<WholeFile>, json: Option<WholeFile>) -> Exit {
        match ended {
            Ok(Ended::All | Ended::Stopped) => {}
            Ok(Ended::Interrupted(signal)) => {
                let (done, all) = (self.next, self.items.len());
                complain(&format!("interrupted: {done} of {all} scenarios were checked; no summary is written"));
                return Exit::worst(self.exits.into_iter().chain([signal.into()]));
            }
            Err(exit) => return exit,
        }
        if let Some(last) = self.items.len().checked_sub(1) {
            let _ = self.print_up_to(last);
        } else {
            complain(&nothing(self.args));
        }
        let exit = Exit::worst(self.exits.iter().copied());
        let summary = format!("{:#}\n", summary(&self.items, self.args, exit));
        let text = match self.args.format {
            Format::Json => summary.clone(),
            Format::Text => totals(&self.items),
        };
        let mut exits = vec![exit];
        exits.extend(self.printer.print(&text).err());
        exits.extend(json.and_then(|file| file.finish(summary.as_bytes()).err()));
        let junit = junit.map(|file| match junit::render(&self.items, self.args) {
            Ok(bytes) => file.finish(&bytes),
            Err(error) => {
                complain(&format!("internal error: JUnit: {error}"));
                Err(Exit::Internal)
            }
        });
        exits.extend(junit.and_then(Result::err));
        Exit::worst(exits)
    }
}

fn ready((place, item): (usize, &Item)) -> Option<(usize, Arc<Plan>)> {
    match &item.state {
        State::Ready(plan) => Some((place, Arc::clone(plan))),
        State::Checked(..) | State::Broken(..) => None,
    }
}

fn nothing(args: &CheckArgs) -> String {
    let paths: Vec<String> = args.paths.iter().map(|path| shown(path)).collect();
    let filters = if args.filter.is_empty() { "" } else { " that --filter lets through" };
    format!(
        "error: nothing ran: no scenario{filters} in {}; a scenario is a file whose name ends in .toml",
        paths.join(", ")
    )
}

/// A scenario's exit.
pub(super) fn exit_of(item: &Item) -> Exit {
    match &item.state {
        State::Ready(_) => Exit::NothingRan,
        State::Broken(_, exit) => *exit,
        State::Checked(_, checked) => match checked.verdict() {
            Verdict::Pass => Exit::Pass,
            Verdict::Inconclusive => Exit::Inconclusive,
            Verdict::Fail => Exit::Failed,
        },
    }
}

/// The word for a scenario, the same in all outputs.
pub(super) fn word(item: &Item) -> &'static str {
    match &item.state {
        State::Ready(_) => "not run",
        State::Broken(..) => "error",
        State::Checked(_, checked) => verdict(checked.verdict()),
    }
}

pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "fail",
    }
}

/// The command that makes one replication again, results and all.
pub(super) fn reproduce(item: &Item, plan: &Plan, replication: u32, args: &CheckArgs) -> String {
    again(&item.shown, &args.changes, &args.judge, plan.seed, replication)
}

/// The same for a file, whatever changes it and judges.
pub(super) fn again(shown: &str, changes: &Changes, judge: &Judge, seed: u64, replication: u32) -> String {
    let mut words = vec!["refresh-sim run".to_owned(), quoted(shown)];
    if let Some(calibration) = &changes.calibrate {
        words.push(format!("--calibrate {}", quoted(&calibration.file)));
    }
    for setting in &changes.set {
        words.push(format!("--set {}", quoted(&format!("{}={}", setting.path, setting.value))));
    }
    words.push(format!("--seed {seed}"));
    if replication > 0 {
        words.push(format!("--replication {replication}"));
    }
    if let Some(program) = judge.validator.first() {
        let rest = judge.validator[1..].iter().map(|word| quoted(word));
        words.extend(["--validator".to_owned(), quoted(program)].into_iter().chain(rest));
    }
    words.join(" ")
}

/// What an expectation asks for: its line from the aggregate on.
pub(super) fn limit(text: &str) -> &str {
    text.rsplit_once(':').map_or(text, |(_, limit)| limit).trim()
}

/// Which replications a verdict is of, if there was more than one.
pub(super) fn in_which(weighed: &Weighed, of: u32) -> Option<String> {
    if of < 2 {
        return None;
    }
    let named: Vec<String> = weighed.named.iter().map(u32::to_string).collect();
    let more = if weighed.times as usize > named.len() { ", ..." } else { "" };
    let times = words::count(weighed.times.into());
    Some(format!("{times} of {} replications: {}{more}", words::count(of.into()), named.join(", ")))
}

/// How an expectation that does not pass is told, as name and text.
pub(super) fn details(
    item: &Item,
    plan: &Plan,
    of: u32,
    weighed: &Weighed,
    args: &CheckArgs,
) -> Vec<(&'static str, String)> {
    let judged = &weighed.judged;
    let mut told = vec![("observed", judged.observed.clone()), ("limit", limit(&judged.text).to_owned())];
    told.extend(judged.samples.map(|n| ("samples", words::count(n))));
    told.extend(judged.why.clone().map(|why| ("because", why)));
    told.extend(in_which(weighed, of).map(|which| ("in", which)));
    if let Some(worst) = &weighed.worst {
        let peers: Vec<String> = worst.peers.iter().map(|(peer, how)| format!("{peer} {how}")).collect();
        told.push(("worst", format!("{} ({})", peers.join(", "), worst.by)));
    }
    told.push(("reproduce", reproduce(item, plan, weighed.replication, args)));
    told
}

/// The lines of one scenario.
fn lines(item: &Item, args: &CheckArgs, width: usize) -> String {
    let head = |word: &str, rest: String| format!("{word:12}  {:width$}  {rest}", item.shown).trim_end().to_owned();
    match &item.state {
        State::Ready(_) => head("not run", String::new()),
        State::Broken(why, _) => head("ERROR", why.lines().next().unwrap_or("").to_owned()),
        State::Checked(plan, checked) => {
            let all = checked.expectations.len();
            let (word, rest) = match checked.verdict() {
                Verdict::Pass => ("pass", plural(all as u64, "expectation", "expectations")),
                Verdict::Inconclusive if all == 0 => ("inconclusive", "it has no [expect]".to_owned()),
                Verdict::Inconclusive => {
                    ("inconclusive", format!("{} of {all} cannot be said", checked.count(Verdict::Inconclusive)))
                }
                Verdict::Fail => ("FAIL", format!("{} of {all} do not hold", checked.count(Verdict::Fail))),
            };
            let mut text = head(word, rest);
            if let Some((front_end, replication)) = &checked.unmentioned_crash {
                text += &format!("\n  {front_end} crashed and no expectation mentions it");
                text += &format!("\n    reproduce  {}", reproduce(item, plan, *replication, args));
            }
            for weighed in checked.expectations.iter().filter(|weighed| weighed.judged.verdict != Verdict::Pass) {
                let judged = &weighed.judged;
                text += &format!("\n  {} {}: {}", verdict(judged.verdict), judged.name, judged.text);
                for (name, told) in details(item, plan, checked.replications, weighed, args) {
                    text += &format!("\n    {name:9}  {told}");
                }
            }
            text
        }
    }
}

fn counts(items: &[Item]) -> [(&'static str, usize); 4] {
    ["pass", "fail", "inconclusive", "error"].map(|name| (name, items.iter().filter(|item| word(item) == name).count()))
}

fn totals(items: &[Item]) -> String {
    let told: Vec<String> =
        counts(items).iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{n} {name}")).collect();
    let told = if told.is_empty() { "nothing ran".to_owned() } else { told.join(", ") };
    format!("{}: {told}", plural(items.len() as u64, "scenario", "scenarios"))
}

/// The summary as JSON: nothing in it depends on how many ran at once.
fn summary(items: &[Item], args: &CheckArgs, exit: Exit) -> Json {
    json!({
        "schema": SCHEMA,
        "semantics": SEMANTICS,
        "exit": exit.code(),
        "replications": args.replications,
        "counts": counts(items).iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect::<serde_json::Map<_, _>>(),
        "scenarios": items.iter().map(|item| of_item(item, args)).collect::<Json>(),
    })
}

fn of_item(item: &Item, args: &CheckArgs) -> Json {
    let head = json!({ "path": item.shown, "verdict": word(item), "exit": exit_of(item).code() });
    let more = match &item.state {
        State::Ready(_) => json!({}),
        State::Broken(why, _) => json!({ "error": why }),
        State::Checked(plan, checked) => json!({
            "scenario": plan.name,
            "seed": plan.seed,
            "digests": checked.digests,
            "unmentioned_crash": checked.unmentioned_crash.as_ref().map(|(front_end, replication)| json!({
                "front_end": front_end,
                "replication": replication,
                "reproduce": reproduce(item, plan, *replication, args),
            })),
            "expectations": checked.expectations.iter().map(|weighed| of_expectation(item, plan, weighed, args)).collect::<Json>(),
        }),
    };
    let mut all = serde_json::Map::new();
    for part in [head, more] {
        if let Json::Object(part) = part {
            all.extend(part);
        }
    }
    Json::Object(all)
}

fn of_expectation(item: &Item, plan: &Plan, weighed: &Weighed, args: &CheckArgs) -> Json {
    let judged = &weighed.judged;
    let peers = |peers: &[(String, String)]| {
        peers.iter().map(|(peer, how)| json!({ "peer": peer, "value": how })).collect::<Json>()
    };
    json!({
        "name": judged.name,
        "text": judged.text,
        "verdict": verdict(judged.verdict),
        "observed": judged.observed,
        "limit": limit(&judged.text),
        "samples": judged.samples,
        "why": judged.why,
        "replication": weighed.replication,
        "replications": weighed.times,
        "worst": weighed.worst.as_ref().map(|worst| json!({ "by": worst.by, "peers": peers(&worst.peers) })),
        "reproduce": (judged.verdict != Verdict::Pass).then(|| reproduce(item, plan, weighed.replication, args)),
    })
}

// ---- annotations

/// Whether GitHub Actions reads along.
fn annotates() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// One annotation, on standard error, where it cannot get into a summary.
fn annotate(file: &str, line: Option<usize>, title: &str, message: &str) {
    if !annotates() {
        return;
    }
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let line = line.map_or_else(String::new, |line| format!(",line={line}"));
    complain(&format!("::error file={}{line},title={}::{}", property(file), property(title), data(message)));
}

fn annotate_failures(item: &Item, plan: &Plan, checked: &Checked, args: &CheckArgs) {
    if !annotates() {
        return;
    }
    if let Some((front_end, replication)) = &checked.unmentioned_crash {
        let how = reproduce(item, plan, *replication, args);
        let text = format!("{front_end} crashed and no expectation mentions it\nreproduce: {how}");
        annotate(&item.shown, None, "crash", &text);
    }
    if checked.expectations.is_empty() {
        annotate(&item.shown, None, "inconclusive", "it has no [expect]");
    }
    for weighed in checked.expectations.iter().filter(|weighed| weighed.judged.verdict != Verdict::Pass) {
        let judged = &weighed.judged;
        let mut text = judged.text.clone();
        for (name, told) in details(item, plan, checked.replications, weighed, args) {
            text += &format!("\n{name}: {told}");
        }
        let title = format!("{} {}", verdict(judged.verdict), judged.name);
        annotate(&item.shown, line_of(&item.text, &judged.name), &title, &text);
    }
}

/// The line of an expectation in the file, from 1; `None`: it came from elsewhere.
fn line_of(text: &[u8], name: &str) -> Option<usize> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().zip(1..).skip_while(|(line, _)| line.trim() != "[expect]").skip(1);
    let mut lines = lines.take_while(|(line, _)| !line.trim_start().starts_with('['));
    let is_it = |line: &str| {
        let (key, _) = line.split_once('=').unwrap_or((line, ""));
        key.trim().trim_matches(['"', '\'']) == name
    };
    lines.find(|(line, _)| is_it(line)).map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_expectation_is_found_by_its_name() {
        let text =
            b"[run]\nprompt = 1\n[expect]\n# lives = no\nlives = \"a\"\n\"prompt\"=\"b\"\n[measure]\nlate = \"c\"\n";
        assert_eq!(line_of(text, "lives"), Some(5));
        assert_eq!(line_of(text, "prompt"), Some(6));
        assert_eq!(line_of(text, "late"), None);
    }

    #[test]
    fn the_limit_is_what_comes_after_the_colon() {
        assert_eq!(limit("refresh{transport=tcp} in refresh : p99 <= 250ms min 9"), "p99 <= 250ms min 9");
    }
}
