//! `crashes.json`: for each of the first crashes all that an engineer would want beside the dump: the question that was
//! being answered, the queue and the connections, who was there, and the records of the event log.

use serde_json::{Value, json};

use super::records::record_line;
use super::words;
use crate::measure::{CrashReport, Faulting, Outcome, SCENES_MAX, Scene};
use crate::scenario::plan::{GroupPlan, Plan};
use crate::sim::Names;
use crate::time::{Span, Time};
use crate::validate::Transport;

/// The version of the form.
const SCHEMA: &str = "refresh-sim.crashes/1";
/// Records this long before and after a crash stand with it.
const AROUND: Span = Span::MINUTE;
/// Most records of a crash.
const RECORDS_MAX: usize = 20;
/// Most groups of a crash that are told one by one.
const GROUPS_MAX: usize = 64;

/// The crashes of a run; `None`: there were none.
pub(super) fn crashes(plan: &Plan, outcome: &Outcome) -> Option<Value> {
    if outcome.crashes.is_empty() {
        return None;
    }
    let told = outcome
        .crashes
        .iter()
        .zip(1..)
        .filter_map(|(crash, number)| crash.scene.as_ref().map(|scene| one(plan, outcome, number, crash, scene)));
    let told: Vec<Value> = told.collect();
    Some(json!({
        "schema": SCHEMA,
        "scenario": plan.name,
        "crashes_in_all": outcome.crashes.len(),
        "crashes_not_told": outcome.crashes.len() - told.len(),
        "most_told": SCENES_MAX,
        "front_ends": plan.front_ends.iter().map(|it| &it.name).collect::<Vec<_>>(),
        "crashes": told,
    }))
}

fn one(plan: &Plan, outcome: &Outcome, number: u32, crash: &CrashReport, scene: &Scene) -> Value {
    let names = Names::new(plan);
    let age = (crash.service_start != Time::NEVER).then(|| crash.at.since(crash.service_start).0);
    json!({
        "crash": number,
        "at_ns": crash.at.0,
        "time": crash.at.to_string(),
        "date": words::date_exact(plan, crash.at),
        "front_end": names.front_end(crash.front_end),
        "incarnation": crash.incarnation,
        "age_of_service_ns": age,
        "question": crash.fault.as_ref().map(|fault| question(plan, fault, scene)),
        "answer": crash.fault.as_ref().map(|fault| format!("fault {}", fault.code)),
        "queue": { "waiting": scene.waiting, "in_service": scene.in_service },
        "connections": connections(plan, scene),
        "records": records(plan, outcome, crash),
    })
}

/// What the validator was asked, as it saw it.
fn question(plan: &Plan, fault: &Faulting, scene: &Scene) -> Value {
    let names = Names::new(plan);
    let located = names.locate(fault.peer);
    let group = located.and_then(|(position, _)| plan.groups.get(position));
    json!({
        "peer": names.peer(fault.peer),
        "pool": group.map(|group| &group.name),
        "phase": fault.phase.name(),
        "transport": group.map(|group| group.transport.name()),
        "address_of_index_0": group.map(|group| group.address),
        "index": located.map(|(_, index)| index),
        "port": group.map(|group| group.port),
        "address_known": group.map(|group| group.known),
        "shows": group.map(words::shows),
        "attempt": scene.attempt,
    })
}

/// Valid connections by group: those with most first.
fn connections(plan: &Plan, scene: &Scene) -> Value {
    let mut groups: Vec<(&GroupPlan, u64)> = scene
        .valid
        .iter()
        .filter_map(|(position, valid)| plan.groups.get(usize::from(*position)).map(|group| (group, *valid)))
        .collect();
    let valid: u64 = groups.iter().map(|(_, valid)| valid).sum();
    let on_tcp = groups.iter().filter(|(group, _)| group.transport == Transport::Tcp).map(|(_, valid)| valid);
    let on_tcp: u64 = on_tcp.sum();
    groups.sort_by_key(|(_, valid)| std::cmp::Reverse(*valid));
    let told: Vec<Value> = groups
        .iter()
        .take(GROUPS_MAX)
        .map(|(group, valid)| json!({ "group": group.name, "shows": words::shows(group), "valid": valid }))
        .collect();
    json!({
        "valid": valid,
        "valid_on_tcp": on_tcp,
        "groups": told,
        "groups_not_told": groups.len().saturating_sub(GROUPS_MAX),
    })
}

/// The front end's records around its crash, as they stand in records.jsonl.
fn records(plan: &Plan, outcome: &Outcome, crash: &CrashReport) -> Vec<Value> {
    // Sorted by time but for those of the service manager, which are dated to the end of a dump.
    let (from, to) = (crash.at - AROUND, crash.at + crash.dump + AROUND);
    let names = Names::new(plan);
    let start = outcome.records.partition_point(|record| record.at < from);
    outcome.records[start..]
        .iter()
        .take_while(|record| record.at <= to)
        .filter(|record| record.front_end == Some(crash.front_end) && record.at <= outcome.ended)
        .take(RECORDS_MAX)
        .filter_map(|record| serde_json::from_str(&record_line(&names, record)).ok())
        .collect()
}
