//! `refresh-sim audit`: whether a scenario's expectations would notice logic that is known to be bad.

use serde_json::{Value, json};

use crate::host::signals::Interrupt;
use crate::scenario::Plan;
use crate::study::audit::{Audit, AuditError, By, Finding, Found, audit as carry_out};

use super::args::{AuditArgs, Format};
use super::exit::Exit;
use super::input::Input;
use super::outside::{self, Starts};
use super::panics::guarded;
use super::print::{Printer, complain};
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
    let progress = Progress::new(&input.shown, &input.plan, args.progress);
    let mut watch = RunWatch { interrupt, progress, tracer: None, verdicts: None };
    let audit = carry_out(&input.plan, &Starts(interrupt), &mut watch);
    drop(watch);
    let audit = match audit {
        Ok(audit) => audit,
        Err(AuditError::Run(error)) => return outside::ended(&input.shown, &error, interrupt),
        Err(AuditError::Interrupted) => return interrupt.signal().map_or(Exit::Internal, Exit::from),
        Err(AuditError::OwnDoesNotPass(by)) => {
            let file = &input.shown;
            let why = reason(&by);
            complain(&format!("error: {file} does not pass with its own logic ({why}), so other logic says nothing"));
            complain("help: an audit needs a scenario that `refresh-sim run` passes");
            return if matches!(by, By::Inconclusive(_)) { Exit::Inconclusive } else { Exit::Failed };
        }
    };
    let exit = verdict(&audit);
    let said = match args.format {
        Format::Text => text(&input.shown, &input.plan, &audit),
        Format::Json => format!("{:#}\n", document(&input.plan, &audit, exit)),
    };
    Exit::worst([exit, printer.print(&said).err().unwrap_or(Exit::Pass)])
}

/// Whether all that can show is caught.
fn verdict(audit: &Audit) -> Exit {
    let any = |is: fn(&Found) -> bool| audit.findings.iter().any(|finding| is(&finding.found));
    if any(|found| matches!(found, Found::NotCaught(_))) {
        Exit::Failed
    } else if any(|found| matches!(found, Found::Caught(_))) {
        Exit::Pass
    } else {
        Exit::NothingRan
    }
}

fn text(file: &str, plan: &Plan, audit: &Audit) -> String {
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
        for finding in audit.findings.iter().filter(|finding| is(&finding.found)) {
            out += &of_finding(plan, finding);
        }
    }
    if missed > 0 {
        let end = "Each line to add to `[expect]` passes with the scenario's own logic and fails with the bad one: both were \
                   tried. It is the cheapest that does, by the order in docs/audit.md.";
        out += &format!("\n{}\n", wrapped(end, 0));
    }
    out
}

fn of_finding(plan: &Plan, finding: &Finding) -> String {
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

fn document(plan: &Plan, audit: &Audit, exit: Exit) -> Value {
    let one = |finding: &Finding| {
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
            "own_logic_has_it": bad.is_in(plan),
            "expectation": suggestion.map(|s| json!({ "line": s.line, "own": s.own, "bad": s.bad })),
        })
    };
    json!({
        "schema": "refresh-sim.audit/1",
        "scenario": plan.name,
        "seed": plan.seed,
        "exit": exit.code(),
        "findings": audit.findings.iter().map(one).collect::<Value>(),
    })
}
