//! `refresh-sim audit`: whether a scenario's expectations would notice logic that is known to be bad.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::host::signals::Interrupt;
use crate::host::threads::{Done, Ended};
use crate::scenario::Plan;
use crate::sim::Watch;
use crate::study::audit::{Audit, AuditError, Audits, By, Finding, Found, audit as carry_out};
use crate::study::{Task, replications};

use super::args::{AuditArgs, Format};
use super::exit::Exit;
use super::input::Input;
use super::outside::{self, Starts};
use super::panics::{at_work, guarded};
use super::print::{Printer, complain};
use super::progress;
use super::watch::{Progress, RunWatch};

/// Where text begins after the words of the first column.
const INDENT: usize = 15;
/// No line is wider.
const WIDTH: usize = 100;

/// Audits the scenario that `args` names.
pub(super) fn audit(args: &AuditArgs, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let input = match Input::load_with(&args.file, &args.changes, &args.judge.validator) {
        Ok(input) => input,
        Err(error) => {
            complain(&error.to_string());
            return Exit::BadInput;
        }
    };
    guarded(&input.shown, || one(args, &input, interrupt, printer))
}

fn one(args: &AuditArgs, input: &Input, interrupt: &Interrupt, printer: &mut Printer) -> Exit {
    let audits = if args.replications == 1 { alone(args, input, interrupt) } else { many(args, input, interrupt) };
    let audits = match audits {
        Ok(audits) => audits,
        Err(exit) => return exit,
    };
    let exit = verdict(&audits);
    let said = match args.format {
        Format::Text => text(&input.shown, &input.plan, &audits),
        Format::Json => format!("{:#}\n", document(&input.plan, &audits, exit)),
    };
    Exit::worst([exit, printer.print(&said).err().unwrap_or(Exit::Pass)])
}

/// One replication, watched on its way.
fn alone(args: &AuditArgs, input: &Input, interrupt: &Interrupt) -> Result<Audits, Exit> {
    let progress = Progress::new(&input.shown, &input.plan, args.progress);
    let mut watch = RunWatch { interrupt, progress, tracer: None, verdicts: None };
    let audit = carry_out(&input.plan, &Starts(interrupt), &mut watch);
    drop(watch);
    let mut all = Audits::default();
    all.add(audit.map_err(|error| no_audit(input, 0, error, interrupt))?);
    Ok(all)
}

/// Several, at once.
fn many(args: &AuditArgs, input: &Input, interrupt: &Interrupt) -> Result<Audits, Exit> {
    let plan = Arc::new(input.plan.clone());
    let mut progress = progress::Progress::of(args.replications.into(), "replications".to_owned(), args.progress);
    let (mut all, mut exit) = (Audits::default(), None);
    let work = |task: &Task, stop: &Interrupt, watch: &mut dyn Watch| {
        at_work(format!("{}, replication {}", input.shown, task.replication));
        carry_out(&task.plan(), &Starts(stop), watch)
    };
    let fold = |done: Done<Result<Audit, AuditError>>| {
        progress.one();
        exit = Some(match done.result {
            Ok(Ok(audit)) => {
                all.add(audit);
                return ControlFlow::Continue(());
            }
            Ok(Err(error)) => no_audit(input, done.task.replication, error, interrupt),
            Err(_said) => Exit::Internal,
        });
        ControlFlow::Break(())
    };
    let tasks = replications(&plan, 0..args.replications);
    let ended = outside::run_all(args.jobs.count(), tasks, interrupt, work, fold);
    drop(progress);
    match ended {
        Ok(Ended::All | Ended::Stopped) => exit.map_or(Ok(all), Err),
        Ok(Ended::Interrupted(signal)) => Err(signal.into()),
        Err(error) => {
            complain(&format!("error: cannot start a thread: {error}"));
            Err(Exit::Inconclusive)
        }
    }
}

/// Why there is no audit, said; and what that is as an exit.
fn no_audit(input: &Input, replication: u32, error: AuditError, interrupt: &Interrupt) -> Exit {
    let by = match error {
        AuditError::Run(error) => {
            let which = if replication > 0 { format!(", replication {replication}") } else { String::new() };
            return outside::ended(&format!("{}{which}", input.shown), &error, interrupt);
        }
        AuditError::Interrupted => return interrupt.signal().map_or(Exit::Internal, Exit::from),
        AuditError::OwnDoesNotPass(by) => by,
    };
    let (file, why) = (&input.shown, reason(&by));
    let which = if replication > 0 { format!(" in replication {replication}") } else { String::new() };
    complain(&format!("error: {file} does not pass with its own logic{which} ({why}), so other logic says nothing"));
    complain("help: an audit needs a scenario that `refresh-sim run` passes");
    if matches!(by, By::Inconclusive(_)) { Exit::Inconclusive } else { Exit::Failed }
}

/// Whether all that can show is caught.
fn verdict(audit: &Audits) -> Exit {
    let any = |is: fn(&Found) -> bool| audit.findings.iter().any(|finding| is(&finding.found));
    if any(|found| matches!(found, Found::NotCaught(_))) {
        Exit::Failed
    } else if any(|found| matches!(found, Found::Caught(_))) {
        Exit::Pass
    } else {
        Exit::NothingRan
    }
}

fn text(file: &str, plan: &Plan, audit: &Audits) -> String {
    let count = |is: fn(&Found) -> bool| audit.findings.iter().filter(|finding| is(&finding.found)).count();
    let caught = count(|found| matches!(found, Found::Caught(_)));
    let missed = count(|found| matches!(found, Found::NotCaught(_)));
    let silent = count(|found| matches!(found, Found::CannotShow));
    let head = format!(
        "{file} with each of {} known-bad logics in place of its own: {caught} caught, {missed} NOT CAUGHT, {silent} \
         cannot show here",
        audit.findings.len()
    );
    let mut out = wrapped(&head, 0) + "\n\n";
    for is in [
        |found: &Found| matches!(found, Found::NotCaught(_)),
        |found: &Found| matches!(found, Found::Caught(_)),
        |found: &Found| matches!(found, Found::CannotShow),
    ] {
        for (nth, finding) in audit.findings.iter().enumerate().filter(|(_, finding)| is(&finding.found)) {
            out += &of_finding(plan, finding, audit.in_which(nth));
        }
    }
    if missed > 0 {
        let end = "Each line to add to `[expect]` passes with the scenario's own logic and fails with the bad one: both were \
                   tried. It is the cheapest that does, by the order in docs/audit.md.";
        out += &format!("\n{}\n", wrapped(end, 0));
    }
    out
}

fn of_finding(plan: &Plan, finding: &Finding, in_which: Option<String>) -> String {
    let bad = finding.bad;
    let (word, said) = match &finding.found {
        Found::Caught(by) => ("caught", format!("{}: {}", bad.name(), reason(by))),
        Found::NotCaught(_) => ("NOT CAUGHT", format!("{}: {}; {}", bad.name(), bad.defect(), bad.effect())),
        Found::CannotShow if bad.is_in(plan) => {
            ("cannot show", format!("{}: the scenario's own logic has this very defect", bad.name()))
        }
        Found::CannotShow => {
            ("cannot show", format!("{}: every decision is the same; it needs {}", bad.name(), bad.needs()))
        }
    };
    let which = in_which.filter(|_| !matches!(finding.found, Found::CannotShow));
    let said = which.map_or_else(|| said.clone(), |which| format!("{said}; {which}"));
    let mut out = format!("  {word:<12} {}\n", wrapped(&said, INDENT));
    match &finding.found {
        Found::NotCaught(Some(suggestion)) => {
            out += &format!("{:INDENT$}add: {} = '{}'\n", "", bad.name(), suggestion.line);
            let observed = format!("observed {}; with the bad logic {}", suggestion.own, suggestion.bad);
            out += &format!("{:INDENT$}{}\n", "", wrapped(&observed, INDENT));
        }
        Found::NotCaught(None) => {
            let none = "no expectation that was tried tells the two apart";
            out += &format!("{:INDENT$}{none}\n", "");
        }
        Found::Caught(_) | Found::CannotShow => {}
    }
    out
}

fn reason(by: &By) -> String {
    match by {
        By::Failed(name) => format!("`{name}` fails"),
        By::Crash(front_end) => format!("{front_end} crashes, and no expectation mentions it"),
        By::Inconclusive(name) => format!("`{name}` is inconclusive"),
    }
}

/// Lines of at most [`WIDTH`] characters; all but the first begin at `indent`, which the first does already.
fn wrapped(text: &str, indent: usize) -> String {
    let (mut out, mut at) = (String::new(), indent);
    for word in text.split(' ') {
        let width = word.chars().count();
        if at > indent && at + 1 + width > WIDTH {
            out += &format!("\n{:indent$}", "");
            at = indent;
        } else if at > indent {
            out.push(' ');
            at += 1;
        }
        out += word;
        at += width;
    }
    out
}

fn document(plan: &Plan, audit: &Audits, exit: Exit) -> Value {
    let one = |(nth, finding): (usize, &Finding)| {
        let bad = finding.bad;
        let (found, by, suggestion) = match &finding.found {
            Found::Caught(by) => ("caught", Some(reason(by)), None),
            Found::NotCaught(suggestion) => ("not caught", None, suggestion.as_ref()),
            Found::CannotShow => ("cannot show", None, None),
        };
        json!({
            "name": bad.name(),
            "kind": bad.kind().name(),
            "defect": bad.defect(),
            "effect": bad.effect(),
            "needs": bad.needs(),
            "found": found,
            "by": by,
            "caught_in": audit.caught[nth],
            "not_caught_in": audit.missed[nth],
            "own_logic_has_it": bad.is_in(plan),
            "expectation": suggestion.map(|s| json!({ "line": s.line, "own": s.own, "bad": s.bad })),
        })
    };
    json!({
        "schema": "refresh-sim.audit/1",
        "scenario": plan.name,
        "seed": plan.seed,
        "replications": audit.replications,
        "exit": exit.code(),
        "findings": audit.findings.iter().enumerate().map(one).collect::<Value>(),
    })
}
