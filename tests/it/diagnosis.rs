//! What crashing questions have in common, and the scene of a crash.

use crate::reading::read as plan;
use refresh_sim::diagnosis::{Attribute, Change, Diagnosis, Verdict, diagnose};
use refresh_sim::report::files;
use refresh_sim::scenario::render;
use refresh_sim::sim::{NoPrograms, Unwatched, run};

/// Many of each kind, so that no property but the right ones sets the TCP peers apart at a refresh.
const CASE: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "3d"
[front_end]
nodes = [{ name = "fe01" }, { name = "fe02" }]
[refresh]
every = "24h"
[validation]
validator = "sfb2015-rtm"
[process]
service = "RTCSRV"
[[group]]
name = "contact-centre"
count = 20
transport = "tls"
failover = { order = "round-robin" }
[[group]]
name = "gateways"
count = 6
transport = "tcp"
failover = { order = "round-robin" }
[[group]]
name = "recorders"
count = 4
transport = "tcp"
failover = { order = "round-robin" }
[[group]]
name = "v6"
transport = "tls"
address = "2001:db8::1"
"#;

fn of(text: &str) -> Diagnosis {
    let plan = plan(text);
    diagnose(&plan, render(&plan).as_bytes(), &NoPrograms, &mut Unwatched).expect("it runs")
}

fn words(rule: &[refresh_sim::diagnosis::Value]) -> String {
    rule.iter().map(|it| format!("{}={}", it.attribute.name(), it.value)).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_least_that_sets_crashing_questions_apart_is_found_and_names_explain_nothing() {
    let found = of(CASE).pattern.expect("it crashes");
    let rules: Vec<String> = found.rules.iter().map(|rule| words(rule)).collect();
    // TCP and "shows no certificate" are the same here, and are told as equals.
    assert_eq!(rules, ["phase=refresh transport=tcp", "phase=refresh certificate=none"]);
    assert_eq!(found.exceptions, 0);
    assert!(found.crashing >= 2 && found.others > 60, "{found:?}");
}

#[test]
fn the_counts_are_those_of_the_run() {
    let found = of(CASE).pattern.expect("it crashes");
    let outcome = run(&plan(CASE), &mut Unwatched).expect("it runs");
    assert_eq!(found.crashing, outcome.crashes.len() as u64);
    for attribute in [Attribute::Phase, Attribute::Transport, Attribute::Group] {
        let of_it = found.ranked.iter().filter(|it| it.value.attribute == attribute);
        assert_eq!(of_it.map(|it| it.crashing).sum::<u64>(), found.crashing, "{attribute:?}");
    }
    // What tells best stands first.
    let first = &found.ranked[0];
    assert!(first.crashing == found.crashing && first.others < found.others, "{first:?}");
}

#[test]
fn a_certificate_that_is_missing_can_be_the_cause_without_tcp() {
    // The defect reads what a peer shows: refreshed by a new connection nobody is asked in place.
    let none = of(&CASE.replace("transport = \"tcp\"", "transport = \"tls\""));
    assert!(none.pattern.is_none() && none.crashes == 0 && none.tried.is_empty());
    assert!(none.digest.is_some());
}

#[test]
fn each_change_is_tried_and_says_what_came_of_it() {
    let found = of(CASE);
    let verdicts: Vec<_> = found.tried.iter().map(|it| (it.change, it.verdict.clone())).collect();
    assert_eq!(verdicts[0], (Change::Patch, Verdict::Avoids));
    assert_eq!(verdicts[1], (Change::Transport, Verdict::Avoids));
    assert_eq!(verdicts[2], (Change::Certificate, Verdict::NothingToChange("TCP has no certificates")));
    assert_eq!(verdicts[3], (Change::Remove, Verdict::Avoids));
}

#[test]
fn a_change_that_only_moves_the_crash_to_others_takes_them_in_as_well() {
    // A gateway crashes each front end first; with the gateways gone the recorders behind them do.
    let found = of(CASE);
    assert_eq!(found.pattern.as_ref().map(|it| it.groups.len()), Some(1));
    let without = |groups: &str| {
        of(&CASE.replace(&format!("name = \"{groups}\""), &format!("name = \"{groups}\"\npresent = false")))
    };
    assert!(without("gateways").crashes > 0);
    let remove = found.tried.last().expect("tried");
    assert_eq!(remove.what, "remove gateways and 1 more group");
    assert_eq!(remove.settings.len(), 2);
}

#[test]
fn a_crash_from_outside_is_no_questions_fault() {
    let text = format!(
        "{}\n[[timeline]]\nat = \"1h\"\ndo = \"crash\"\nfront_end = \"fe01\"\n",
        CASE.replace("sfb2015-rtm", "sfb2015-cu2")
    );
    let found = of(&text);
    assert_eq!((found.crashes, found.from_outside), (0, 1));
    assert!(found.pattern.is_none());
}

/// `crashes.json` of a run.
fn scenes(text: &str) -> Option<serde_json::Value> {
    let plan = plan(text);
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    let files = files(&plan, &outcome, &[], 0, "");
    let (_, bytes) = files.into_iter().find(|(name, _)| *name == "crashes.json")?;
    Some(serde_json::from_slice(&bytes).expect("JSON"))
}

#[test]
fn the_scene_of_a_crash_has_its_question_its_connections_and_its_records() {
    let value = scenes(CASE).expect("it crashes");
    let crash = &value["crashes"][0];
    assert_eq!((&crash["question"]["phase"], &crash["question"]["transport"]), (&"refresh".into(), &"tcp".into()));
    assert_eq!(crash["answer"], "fault 0xc0000005");
    // Both front ends together have everybody; each has what DNS gave it.
    let valid = |nth: usize| value["crashes"][nth]["connections"]["valid"].as_u64().expect("a number");
    assert!(valid(0) > 0 && valid(0) < 31, "{value:#}");
    let groups = crash["connections"]["groups"].as_array().expect("a list");
    assert_eq!(groups.iter().map(|it| it["valid"].as_u64().expect("a number")).sum::<u64>(), valid(0));
    assert!(crash["queue"]["waiting"].as_u64().is_some_and(|waiting| waiting < valid(0)));
    let ids: Vec<_> = crash["records"].as_array().expect("a list").iter().map(|it| it["event"]["id"].clone()).collect();
    assert!(ids.contains(&1000.into()) && ids.contains(&7031.into()), "{ids:?}");
}

#[test]
fn scenes_are_kept_of_the_first_ten_crashes_and_the_rest_is_counted() {
    let value = scenes(&CASE.replace("horizon = \"3d\"", "horizon = \"40d\"")).expect("it crashes");
    assert_eq!(value["crashes"].as_array().map(Vec::len), Some(10));
    let (all, untold) = (value["crashes_in_all"].as_u64(), value["crashes_not_told"].as_u64());
    assert_eq!(untold, all.map(|all| all - 10));
    assert!(all > Some(20));
    assert!(scenes(&CASE.replace("sfb2015-rtm", "sfb2015-cu2")).is_none(), "no crash, no file");
}
