//! Findings as text and as JSON.

use serde_json::{Value, json};

use crate::report::{date, wrap};
use crate::scenario::plan::Plan;
use crate::time::Time;
use crate::validate::Transport;

use super::{Finding, Severity};

/// No line of prose is wider; commands are as long as they are.
const WIDTH: usize = 100;
/// Findings of one kind and severity that are shown in full.
const SHOWN_MAX: usize = 10;
/// The version of the JSON form.
pub const SCHEMA: &str = "refresh-sim.lint/1";

/// A point of run time, with its date if there is one.
pub(super) fn when(plan: &Plan, at: Time) -> String {
    match date(plan, at) {
        Some(date) => format!("{at} ({date})"),
        None => at.to_string(),
    }
}

/// The findings for a reader. `file` as messages show it.
pub fn text(file: &str, plan: &Plan, findings: &[Finding]) -> String {
    let tcp = plan.groups.iter().filter(|group| group.transport == Transport::Tcp).count();
    let groups = plan.groups.len();
    let builtin = plan.validator.name();
    let logic = match plan.outside {
        None => format!("as {builtin}"),
        Some(_) => format!("by `{}`, which nobody asks here: what follows goes by {builtin}", plan.judged_by()),
    };
    let head = format!(
        "{file}: {groups} {}, {tcp} of them on TCP; the front ends validate {logic}",
        if groups == 1 { "group of peers" } else { "groups of peers" },
    );
    let mut out = wrap(&head, WIDTH, 2) + "\n";
    let mut shown = 0;
    for (nth, finding) in findings.iter().enumerate() {
        let is_same = |other: &&Finding| (other.kind, other.severity) == (finding.kind, finding.severity);
        let before = findings[..nth].iter().filter(is_same).count();
        if before == SHOWN_MAX {
            let more = findings[nth..].iter().filter(is_same).count();
            out += &format!("\n{}  {more} more of the same kind; --format json has all\n", label(finding.severity));
        }
        if before >= SHOWN_MAX {
            continue;
        }
        shown += 1;
        out += &one(finding);
    }
    if shown == 0 {
        out += "\nNothing was found.\n";
        return out;
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let [breaks, warns, notes] = [Severity::Breaks, Severity::Warns, Severity::Notes].map(count);
    out + &format!("\n{breaks} to mend, {warns} to look at, {notes} to know\n")
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Breaks => "BREAKS",
        Severity::Warns => "WARNS ",
        Severity::Notes => "NOTE  ",
    }
}

fn one(finding: &Finding) -> String {
    let about = if finding.about.is_empty() { "the whole" } else { &finding.about };
    let mut out = format!("\n{}  {about}: {}\n", label(finding.severity), finding.kind.name());
    let indented = |text: &str| {
        let lines = wrap(text, WIDTH - 8, 0);
        lines.lines().map(|line| format!("        {line}\n")).collect::<String>()
    };
    out += &indented(&finding.text);
    for step in &finding.steps {
        // A command stays on its line, so that it can be copied.
        match step.strip_prefix("  ") {
            Some(command) => out += &format!("          {command}\n"),
            None => out += &indented(step),
        }
    }
    out
}

/// The findings for a program.
pub fn json(file: &str, plan: &Plan, findings: &[Finding]) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "severity": finding.severity.name(),
                "kind": finding.kind.name(),
                "about": finding.about,
                "text": finding.text,
                "at_ns": finding.at.map(|at| at.0),
                "at": finding.at.map(|at| when(plan, at)),
                "steps": finding.steps.iter().map(|step| step.trim()).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "schema": SCHEMA, "file": file, "validator": plan.judged_by(), "goes_by": plan.validator.name(), "findings": findings })
}
