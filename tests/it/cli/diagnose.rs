//! `refresh-sim diagnose` as a user meets it.

use std::fs;

use super::{Home, INCIDENT};

/// The 2015 case, run.
fn home() -> Home {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml", "--out", "r"]).ends(1, &[]);
    home
}

#[test]
fn the_pattern_of_2015_is_found_and_the_way_out_of_it() {
    let home = home();
    let ran = home.run(&["diagnose", "r"]).ends(0, &[]);
    insta::assert_snapshot!("diagnose_incident", ran.out);
    let json = home.run(&["diagnose", "r", "--format", "json"]).ends(0, &[]);
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&value["schema"], &value["avoided_by"]), (&"refresh-sim.diagnosis/1".into(), &"patch".into()));
    assert_eq!(value["pattern"]["exceptions"], 0);
    let summary: serde_json::Value = serde_json::from_str(&home.text("r/summary.json")).expect("JSON");
    assert_eq!(value["digest"], summary["digest"]);
}

#[test]
fn the_settings_that_it_names_avoid_the_crash_when_they_are_given() {
    let home = home();
    let json = home.run(&["diagnose", "r", "--format", "json"]).ends(0, &[]);
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    let mut tried = 0;
    for change in value["changes"].as_array().expect("a list") {
        if change["verdict"] != "avoids" {
            continue;
        }
        tried += 1;
        let mut args = vec!["run".to_owned(), "r/plan.toml".to_owned(), "--no-results".to_owned()];
        for setting in change["settings"].as_array().expect("a list") {
            args.extend(["--set".to_owned(), setting.as_str().expect("a text").to_owned()]);
        }
        home.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).ends(0, &[]);
    }
    assert_eq!(tried, 3, "patch, transport, remove: {value:#}");
}

#[test]
fn a_result_without_a_crash_has_nothing_to_diagnose() {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml", "--out", "r", "--set", "validation.validator=sfb2015-cu2"]).ends(0, &[]);
    let ran = home.run(&["diagnose", "r"]).ends(4, &[]);
    assert!(ran.out.contains("nothing to diagnose"), "{}", ran.out);
}

#[test]
fn what_is_no_result_or_another_one_is_told_so() {
    let home = home();
    home.run(&["diagnose", "missing"]).ends(2, &["no such folder"]);
    home.run(&["diagnose", "s.toml"]).ends(2, &["it is a file"]);
    fs::create_dir(home.path("empty")).expect("made");
    home.run(&["diagnose", "empty"]).ends(2, &["empty is no results folder", "no summary.json"]);
    let plan = home.text("r/plan.toml");
    home.file("r/plan.toml", &plan.replace("count = 20", "count = 21"));
    home.run(&["diagnose", "r"]).ends(5, &["decides otherwise"]);
    home.file("r/plan.toml", "schema = 1");
    home.run(&["diagnose", "r"]).ends(2, &["plan.toml"]);
    home.file("r/summary.json", "{\"schema\": \"other/1\", \"scenario\": \"s\", \"replication\": 0}");
    home.run(&["diagnose", "r"]).ends(2, &["other/1"]);
}
