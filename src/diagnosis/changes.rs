//! Single changes that an administrator can make, each tried on a plan of its own.

use std::collections::BTreeSet;

use crate::scenario::plan::Plan;
use crate::scenario::{self, Setting};
use crate::sim::{self, Names, Programs, RunError, Watch};
use crate::validate::{Builtin, CertificateState, Transport};

/// Most runs for one change.
const ROUNDS_MAX: u32 = 16;

/// A change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Change {
    /// Install the update with the corrected validation.
    Patch,
    /// Move the crashing groups from TCP to TLS.
    Transport,
    /// Give the crashing groups a valid certificate.
    Certificate,
    /// Do without the crashing groups.
    Remove,
}

impl Change {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Change; 4] = [Change::Patch, Change::Transport, Change::Certificate, Change::Remove];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Change::Patch => "patch",
            Change::Transport => "transport",
            Change::Certificate => "certificate",
            Change::Remove => "remove",
        }
    }
}

/// A change that was tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tried {
    /// The change.
    pub change: Change,
    /// What it is here, in words.
    pub what: String,
    /// The same as settings of the scenario, to be given with `--set`.
    pub settings: Vec<Setting>,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// No validation crashes a front end any more.
    Avoids,
    /// So many crashes are left.
    Crashes(usize),
    /// There is nothing to change, for this reason.
    NothingToChange(&'static str),
    /// The changed plan is none, or does not run.
    Impossible(String),
    /// The run was stopped.
    Interrupted,
}

/// Tries a change on the crashing `groups` of a plan. A front end dies at the first question that crashes it, so that
/// others may stand behind: where a change only lets those come to their turn, they are changed as well.
pub(super) fn try_out(
    change: Change,
    plan: &Plan,
    text: &[u8],
    groups: &BTreeSet<usize>,
    programs: &dyn Programs,
    watch: &mut dyn Watch,
) -> Result<Tried, RunError> {
    let mut groups = groups.clone();
    let mut rounds = 0;
    let (settings, verdict) = loop {
        let settings = match settings(change, plan, &groups) {
            Err(why) => break (Vec::new(), Verdict::NothingToChange(why)),
            Ok(settings) => settings,
        };
        let ran = run(plan, text, &settings, programs, watch)?;
        rounds += 1;
        let before = groups.len();
        groups.extend(ran.groups);
        if groups.len() == before || rounds == ROUNDS_MAX {
            break (settings, ran.verdict);
        }
    };
    let names = names(plan, &groups);
    let what = match change {
        Change::Patch => format!("validate as {}", Builtin::Sfb2015Cu2.name()),
        Change::Transport => format!("move {names} to TLS"),
        Change::Certificate => format!("give {names} a valid certificate"),
        Change::Remove => format!("remove {names}"),
    };
    Ok(Tried { change, what, settings, verdict })
}

/// The change as settings, or why there is nothing to change.
fn settings(change: Change, plan: &Plan, groups: &BTreeSet<usize>) -> Result<Vec<Setting>, &'static str> {
    let set = |position: usize, key: &str, value: &str| Setting {
        path: format!("group.{position}.{key}"),
        value: value.to_owned(),
    };
    let of = |position: &usize| &plan.groups[*position];
    match change {
        Change::Patch if plan.outside.is_some() => {
            Err("the logic is a program of your own, which only you can correct")
        }
        Change::Patch if plan.validator == Builtin::Sfb2015Cu2 => Err("the logic is the corrected one already"),
        Change::Patch => {
            let (path, value) = ("validation.validator".to_owned(), format!("\"{}\"", Builtin::Sfb2015Cu2.name()));
            Ok(vec![Setting { path, value }])
        }
        Change::Transport => {
            let tcp: Vec<_> = groups.iter().filter(|position| of(position).transport == Transport::Tcp).collect();
            if tcp.is_empty() {
                return Err("none of them uses TCP");
            }
            let both = |position: &&usize| {
                [set(**position, "transport", "\"tls\""), set(**position, "certificate", "\"valid\"")]
            };
            Ok(tcp.iter().flat_map(both).collect())
        }
        Change::Certificate => {
            let is_wrong = |position: &&usize| {
                let group = of(position);
                group.transport == Transport::Tls && group.certificate != Some(CertificateState::Valid)
            };
            let wrong: Vec<_> = groups.iter().filter(is_wrong).collect();
            if wrong.is_empty() {
                let is_tcp = groups.iter().all(|position| of(position).transport == Transport::Tcp);
                return Err(if is_tcp { "TCP has no certificates" } else { "they show valid ones" });
            }
            Ok(wrong.iter().map(|position| set(**position, "certificate", "\"valid\"")).collect())
        }
        Change::Remove if groups.len() == plan.groups.len() => Err("no group would be left"),
        Change::Remove => Ok(groups.iter().map(|position| set(*position, "present", "false")).collect()),
    }
}

/// What came of a changed plan.
struct Ran {
    verdict: Verdict,
    /// Groups whose questions still crashed.
    groups: BTreeSet<usize>,
}

fn run(
    plan: &Plan,
    text: &[u8],
    settings: &[Setting],
    programs: &dyn Programs,
    watch: &mut dyn Watch,
) -> Result<Ran, RunError> {
    let without = |verdict| Ok(Ran { verdict, groups: BTreeSet::new() });
    let mut altered = match scenario::load_plan(&plan.name, "the plan", text, settings) {
        Ok(altered) => altered,
        Err(problems) => {
            let first = problems.list.first().map_or_else(String::new, |problem| problem.message.clone());
            return without(Verdict::Impossible(first));
        }
    };
    altered.replication = plan.replication;
    if let (Some(altered), Some(own)) = (&mut altered.outside, &plan.outside) {
        altered.folder.clone_from(&own.folder);
    }
    let outcome = match sim::run_by(&altered, programs, watch) {
        Ok(outcome) if outcome.interrupted => return without(Verdict::Interrupted),
        Ok(outcome) => outcome,
        // A program that fails says nothing about the change.
        Err(error) if altered.outside.is_some() => return Err(error),
        Err(error) => return without(Verdict::Impossible(error.to_string())),
    };
    let faults: Vec<_> = outcome.crashes.iter().filter_map(|crash| crash.fault.as_ref()).collect();
    let verdict = if faults.is_empty() { Verdict::Avoids } else { Verdict::Crashes(faults.len()) };
    let peers: BTreeSet<u32> = faults.iter().map(|fault| fault.peer).collect();
    let names = Names::new(&altered);
    let groups = peers.into_iter().filter_map(|peer| names.locate(peer)).map(|(group, _)| group).collect();
    Ok(Ran { verdict, groups })
}

/// The groups in a sentence.
fn names(plan: &Plan, groups: &BTreeSet<usize>) -> String {
    match groups.first() {
        Some(first) if groups.len() == 1 => plan.groups[*first].name.clone(),
        Some(first) if groups.len() == 2 => format!("{} and 1 more group", plan.groups[*first].name),
        Some(first) => format!("{} and {} more groups", plan.groups[*first].name, groups.len() - 1),
        None => "nobody".to_owned(),
    }
}
