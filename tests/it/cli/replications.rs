//! `run --replications`: what many runs say together, that more can be added, and that it goes on where it was killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::{Home, INCIDENT, Ran};

/// Draws its round trips, so that replications differ.
fn scenario() -> String {
    let drawn = INCIDENT.replace(
        "count = 20\ntransport = \"tls\"",
        "count = 60\ntransport = \"tls\"\nrtt = { exponential = \"20ms\" }",
    );
    let expect = "[expect]\nlives = \"crashes : value == 0\"\nquick = \"attempt : p50 <= 1h\"\n";
    format!("{}{expect}", drawn.replace("rtm", "cu2"))
}

fn run(home: &Home, args: &[&str]) -> Ran {
    home.run(&[&["run", "s.toml"][..], args].concat())
}

/// A text without the breaks of its lines.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Every file of a folder with its bytes.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for name in super::names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            all.extend(bytes(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            all.insert(name, fs::read(path).expect("bytes"));
        }
    }
    all
}

#[test]
fn replications_are_put_together_and_each_can_be_run_again_alone() {
    let home = Home::new(&scenario());
    let ran = run(&home, &["--replications", "12"]).ends(0, &[]);
    assert!(ran.out.starts_with("12 replications, 0 to 11 of s, seed 42\n"), "{}", ran.out);
    assert!(flat(&ran.out).contains("holds in 12 of 12; with 95 % confidence in 77.9 % of all or more"), "{}", ran.out);
    assert!(flat(&ran.out).contains("the 96.1 % interval"), "{}", ran.out);
    assert!(ran.out.ends_with("results: results/replications/s (12 run, 0 there already)\n"), "{}", ran.out);
    let names = home.names("results/replications/s");
    let expected = [
        ".lock",
        "cells",
        "cells.csv",
        "latency.hlog",
        "plan.toml",
        "replications.json",
        "summary.csv",
        "summary.json",
    ];
    assert_eq!(names, expected);
    let summary = json(&home.text("results/replications/s/summary.json"));
    assert_eq!(summary["each"].as_array().map(Vec::len), Some(12));
    // The command that is printed makes the very run, and the cell of it is there under its key.
    let (_, command) = ran.out.split_once("to see it alone: refresh-sim ").expect("a command");
    let args: Vec<&str> = command.lines().next().expect("a line").split(' ').collect();
    let alone = json(&home.run(&[&args[..], &["--no-results", "--format", "json"]].concat()).ends(0, &[]).out);
    let own = &summary["each"][alone["replication"].as_u64().expect("a number") as usize];
    assert_eq!(own["digest"], alone["digest"]);
    assert!(
        home.path("results/replications/s/cells")
            .join(format!("{}.json", own["cell"].as_str().expect("a key")))
            .is_file()
    );
    let seventh = json(&run(&home, &["--replication", "7", "--no-results", "--format", "json"]).ends(0, &[]).out);
    assert_eq!(summary["each"][7]["digest"], seventh["digest"]);
}

#[test]
fn more_are_added_without_running_the_first_again_and_jobs_change_no_byte() {
    let home = Home::new(&scenario());
    run(&home, &["--replications", "11", "--out", "a", "--jobs", "1"]).ends(0, &[]);
    let ran = run(&home, &["--replications", "25", "--out", "a", "--jobs", "3"]).ends(0, &[]);
    assert!(ran.out.ends_with("results: a (14 run, 11 there already)\n"), "{}", ran.out);
    run(&home, &["--replications", "25", "--out", "b", "--jobs", "2"]).ends(0, &[]);
    let whole = bytes(&home.path("a"));
    assert_eq!(whole, bytes(&home.path("b")));
    let none = run(&home, &["--replications", "25", "--no-results", "--format", "json"]).ends(0, &[]);
    assert_eq!(none.out.as_bytes(), whole["summary.json"], "with and without a folder");
    // Of fewer than there are: the others stay for later.
    run(&home, &["--replications", "11", "--out", "a"]).ends(0, &[]);
    assert_eq!(json(&home.text("a/summary.json"))["replications"], 11);
    let ran = run(&home, &["--replications", "25", "--out", "a"]).ends(0, &[]);
    assert!(ran.out.ends_with("(0 run, 25 there already)\n"), "{}", ran.out);
    assert_eq!(bytes(&home.path("a")), whole);
}

#[test]
fn cells_of_another_plan_are_not_taken_and_stay() {
    let home = Home::new(&scenario());
    run(&home, &["--replications", "3", "--out", "a"]).ends(0, &[]);
    let ran = run(&home, &["--replications", "3", "--out", "a", "--set", "group.0.count=61"]).ends(0, &[]);
    assert!(ran.out.ends_with("(3 run, 0 there already)\n"), "{}", ran.out);
    let ran = run(&home, &["--replications", "3", "--out", "a"]).ends(0, &[]);
    assert!(ran.out.ends_with("(0 run, 3 there already)\n"), "{}", ran.out);
}

#[test]
fn a_replication_that_is_damaged_runs_again() {
    let home = Home::new(&scenario());
    run(&home, &["--replications", "4", "--out", "a"]).ends(0, &[]);
    let whole = bytes(&home.path("a"));
    let name = whole.keys().find(|name| name.starts_with("cells/")).expect("a cell").clone();
    fs::write(home.path("a").join(&name), &whole[&name][..300]).expect("written");
    let ran = run(&home, &["--replications", "4", "--out", "a"]).ends(0, &[]);
    assert!(ran.out.ends_with("(1 run, 3 there already)\n"), "{}", ran.out);
    assert_eq!(bytes(&home.path("a")), whole);
}

#[test]
fn an_expectation_that_fails_in_some_replications_fails_and_says_in_how_many() {
    let home = Home::new(&scenario());
    let summary = json(&run(&home, &["--replications", "10", "--no-results", "--format", "json"]).ends(0, &[]).out);
    // A limit amid what was seen.
    let median = summary["expectations"][1]["value"]["median"].as_u64().expect("a median");
    let limit = format!("expect.quick=attempt : p50 <= {median}ns");
    let ran = run(&home, &["--replications", "10", "--out", "a", "--set", &limit]).ends(1, &[]);
    let summary = json(&home.text("a/summary.json"));
    let quick = &summary["expectations"][1];
    let (passed, failed) = (quick["passed"].as_u64().expect("a count"), quick["failed"].as_u64().expect("a count"));
    assert!(quick["verdict"] == "fail" && passed >= 5 && failed > 0 && passed + failed == 10, "{quick}");
    let said = format!("holds in {passed} of 10, fails in {failed}; with 95 % confidence in ");
    assert!(flat(&ran.out).contains(&said), "{}", ran.out);
    assert!(quick["share_at_least_ppm"].as_u64() < Some(passed * 100_000), "{quick}");
    assert!(quick["share_at_most_ppm"].as_u64() > Some(passed * 100_000), "{quick}");
    // The worst one alone fails.
    let worst = quick["worst"]["replication"].as_u64().expect("a number").to_string();
    run(&home, &["--set", &limit, "--replication", &worst, "--no-results"]).ends(1, &[]);
}

#[test]
fn a_crash_that_nobody_expects_is_1_and_equal_replications_are_told_as_such() {
    let home = Home::new(INCIDENT);
    let ran =
        run(&home, &["--replications", "3"]).ends(1, &["fe01 crashed in replication 0 and no expectation mentions it"]);
    assert!(ran.out.contains("All of them decide the same"), "{}", ran.out);
    assert!(ran.out.contains("Crashes: 3 in 3 of 3 replications: 1 in each\n"), "{}", ran.out);
    assert!(flat(&ran.out).contains("There are no intervals below 10 replications"), "{}", ran.out);
}

#[test]
fn a_stopping_rule_ends_where_it_says_and_the_same_for_any_number_of_jobs() {
    let home = Home::new(&scenario());
    let rule = |width: &'static str, more: &[&'static str]| {
        [&["--until-width", width, "--width-of", "quick", "--no-results", "--format", "json"][..], more].concat()
    };
    let first = json(&run(&home, &["--replications", "10", "--no-results", "--format", "json"]).ends(0, &[]).out);
    let value = &first["expectations"][1]["value"];
    let of = |name: &str| value[name].as_u64().expect("a number");
    assert!(
        (of("high") - of("low")) * 100 > of("median") * 12,
        "wider than 12 % after ten, so that it has to go on: {value}"
    );
    let ran = run(&home, &rule("12%", &["--jobs", "1"])).ends(0, &[]);
    assert_eq!(run(&home, &rule("12%", &["--jobs", "3"])).ends(0, &[]).out, ran.out);
    let summary = json(&ran.out);
    let (count, until) = (summary["replications"].as_u64().expect("a count"), &summary["until"]);
    assert!(count % 10 == 0 && (20..200).contains(&count), "{count}");
    assert_eq!((&until["reached"], &until["looks"]), (&true.into(), &(count / 10).into()), "{until}");
    assert!(until["watched"][0]["width_ppm"].as_u64() <= Some(120_000), "{until}");
    // One batch earlier it was too wide.
    let before = (count - 10).to_string();
    let before = json(&run(&home, &["--replications", &before, "--no-results", "--format", "json"]).ends(0, &[]).out);
    let value = &before["expectations"][1]["value"];
    let of = |name: &str| value[name].as_u64().expect("a number");
    assert!((of("high") - of("low")) * 100 > of("median") * 12, "{value}");
    // What cannot be reached is inconclusive, and says so.
    let ran = run(&home, &["--until-width", "0.0001%", "--replications-max", "25", "--no-results"]).ends(3, &[]);
    assert!(ran.out.contains("NOT REACHED: all 25"), "{}", ran.out);
    assert!(ran.out.contains("The rule looked 3 times"), "{}", ran.out);
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let home = Home::new(&scenario());
    run(&home, &["--replications", "0"]).ends(2, &["--replications"]);
    run(&home, &["--replications", "2", "--replication", "1"]).ends(2, &["cannot be used with"]);
    run(&home, &["--replications", "2", "--trace", "full"]).ends(2, &["cannot be used with"]);
    run(&home, &["--replications", "2", "--until-width", "5%"]).ends(2, &["cannot be used with"]);
    run(&home, &["--until-width", "5"]).ends(2, &["expected a percentage"]);
    run(&home, &["--until-width", "5%", "--replications-max", "9"]).ends(2, &["9"]);
    run(&home, &["--until-width", "5%", "--width-of", "nobody"]).ends(2, &["nobody", "lives, quick"]);
    run(&home, &["--width-of", "quick"]).ends(2, &["--until-width"]);
    run(&home, &["--parquet"]).ends(2, &["required"]);
    home.run(&["run", "s.toml", "s.toml", "--replications", "2"]).ends(2, &["rename one file"]);
    assert_eq!(home.names("."), ["s.toml"]);
    fs::create_dir(home.path("mine")).expect("made");
    home.file("mine/letter.txt", "dear");
    run(&home, &["--replications", "2", "--out", "mine"]).ends(8, &["not the folder of replications"]);
    assert_eq!(home.names("mine"), ["letter.txt"]);
    // Neither the result of one run nor a sweep is taken for replications, and the other way round.
    run(&home, &["--out", "one"]).ends(0, &[]);
    run(&home, &["--replications", "2", "--out", "one"]).ends(8, &["not the folder of replications"]);
    run(&home, &["--replications", "2", "--out", "many"]).ends(0, &[]);
    run(&home, &["--out", "many"]).ends(8, &["do not replace many"]);
    home.run(&["sweep", "s.toml", "--vary", "group.0.count=1,2", "--out", "many"])
        .ends(8, &["not the folder of a sweep"]);
    home.run(&["sweep", "status", "many"]).ends(2, &["sweep.json"]);
}

#[test]
fn killed_at_any_moment_they_end_with_the_bytes_of_those_never_interrupted() {
    let home = Home::new(&scenario());
    let more = ["--replications", "60", "--set", "run.horizon=20d", "--jobs", "2"];
    run(&home, &[&more[..], &["--out", "whole"]].concat()).ends(0, &[]);
    let whole = bytes(&home.path("whole"));
    let cells = |folder: &str| fs::read_dir(home.path(folder).join("cells")).map_or(0, Iterator::count);
    let mut among = 0;
    for nth in 0..5usize {
        let wanted = (cells("killed") + 1 + nth * 37 % 11).min(59);
        let args = [&["run", "s.toml"][..], &more, &["--out", "killed"]].concat();
        let mut child = home.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        while cells("killed") < wanted && child.try_wait().expect("its state").is_none() {
            std::thread::sleep(Duration::from_micros(nth as u64 * 7919 % 997));
        }
        child.kill().expect("kill -9");
        child.wait().expect("it ends");
        let is_unfinished = cells("killed") < 60;
        among += u32::from(is_unfinished);
        if is_unfinished {
            assert!(!home.path("killed/summary.json").exists(), "a summary of a part would pass for one of all");
        }
    }
    assert!(among > 0, "it was never killed on its way");
    run(&home, &[&more[..], &["--out", "killed"]].concat()).ends(0, &[]);
    assert!(bytes(&home.path("killed")) == whole, "other bytes, or files left over");
}
