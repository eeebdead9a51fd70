//! Results folders: whole or not there, and nothing that is not ours is ever replaced.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::{Home, INCIDENT, Ran};

const FIXED: [&str; 2] = ["--set", "validation.validator=sfb2015-cu2"];

fn run(home: &Home, args: &[&str]) -> Ran {
    home.run(&[&["run", "s.toml"][..], &FIXED, args].concat())
}

#[test]
fn results_are_whole_and_replace_only_results() {
    let home = Home::new(INCIDENT);
    run(&home, &[]).ends(0, &[]);
    let names = home.names("results/runs/s");
    assert!(names.contains(&"summary.json".to_owned()) && names.contains(&"plan.toml".to_owned()), "{names:?}");
    assert!(!names.contains(&"INCOMPLETE".to_owned()));
    assert_eq!(home.names("results/runs"), ["s"]);
    run(&home, &["--set", "run.seed=7"]).ends(0, &[]);
    assert!(home.text("results/runs/s/plan.toml").contains("seed = 7"));
    assert_eq!(home.names("results/runs"), ["s"], "nothing temporary stays");
}

#[test]
fn no_results_leaves_none() {
    let home = Home::new(INCIDENT);
    run(&home, &["--no-results"]).ends(0, &[]);
    assert_eq!(home.names("."), ["s.toml"]);
}

#[test]
fn what_is_not_ours_stays() {
    let home = Home::new(INCIDENT);
    fs::create_dir(home.path("thesis")).expect("made");
    home.file("thesis/chapter1", "years of work");
    run(&home, &["--out", "thesis"]).ends(8, &["thesis", "chapter1"]);
    home.file("file", "a file");
    run(&home, &["--out", "file"]).ends(8, &["it is a file"]);
    run(&home, &["--out", "file/below"]).ends(8, &["file/below", "a part of the path is a file"]);
    fs::create_dir(home.path("other")).expect("made");
    home.file("other/summary.json", r#"{"schema": "somebody-else/1"}"#);
    run(&home, &["--out", "other"]).ends(8, &["schema refresh-sim.summary/1"]);
    assert_eq!(home.text("thesis/chapter1"), "years of work");
    assert_eq!(home.text("file"), "a file");
    assert_eq!(home.names("."), ["file", "other", "s.toml", "thesis"]);
}

#[test]
fn what_somebody_put_beside_results_stays() {
    let home = Home::new(INCIDENT);
    run(&home, &["--out", "r"]).ends(0, &[]);
    home.file("r/notes.md", "mine");
    run(&home, &["--out", "r"]).ends(8, &["notes.md"]);
    assert_eq!(home.text("r/notes.md"), "mine");
}

#[test]
fn an_empty_or_an_incomplete_folder_is_replaced() {
    let home = Home::new(INCIDENT);
    fs::create_dir(home.path("empty")).expect("made");
    run(&home, &["--out", "empty/"]).ends(0, &[]);
    fs::create_dir(home.path("half")).expect("made");
    home.file("half/INCOMPLETE", "refresh-sim: this result is not complete.\n");
    home.file("half/records.jsonl", "{");
    run(&home, &["--out", "half"]).ends(0, &[]);
    assert!(!home.names("half").contains(&"INCOMPLETE".to_owned()));
    fs::create_dir(home.path("theirs")).expect("made");
    home.file("theirs/INCOMPLETE", "to do: everything\n");
    run(&home, &["--out", "theirs"]).ends(8, &["marker"]);
}

#[test]
fn results_however_large_are_ours() {
    let home = Home::new(INCIDENT);
    fs::create_dir(home.path("r")).expect("made");
    let crashes = "0,".repeat(40 * 1024 * 1024);
    home.file("r/summary.json", &format!(r#"{{"crashes": [{crashes}0], "schema": "refresh-sim.summary/1"}}"#));
    run(&home, &["--out", "r"]).ends(0, &[]);
}

#[test]
fn links_are_not_followed() {
    let home = Home::new(INCIDENT);
    run(&home, &["--out", "real"]).ends(0, &[]);
    let before = home.text("real/summary.json");
    symlink("real", home.path("link")).expect("linked");
    symlink("nowhere", home.path("dangling")).expect("linked");
    for out in ["link", "link/", "dangling", "./link/."] {
        run(&home, &["--out", out, "--seed", "9"]).ends(8, &["a symbolic link"]);
    }
    assert_eq!(home.text("real/summary.json"), before);
    assert_eq!(home.names("."), ["dangling", "link", "real", "s.toml"]);
    fs::remove_file(home.path("real/plan.toml")).expect("removed");
    symlink("../s.toml", home.path("real/plan.toml")).expect("linked");
    run(&home, &["--out", "real"]).ends(8, &["plan.toml"]);
    assert_eq!(home.text("s.toml"), INCIDENT);
}

#[test]
fn a_scenario_in_its_own_results_folder_stays() {
    let home = Home::new(INCIDENT);
    run(&home, &["--out", "r"]).ends(0, &[]);
    let before = home.text("r/plan.toml");
    home.run(&["run", "r/plan.toml", "--out", "r", "--seed", "3"]).ends(8, &["holds the scenario"]);
    assert_eq!(home.text("r/plan.toml"), before);
    for out in [".", "..", "/"] {
        run(&home, &["--out", out]).ends(2, &["names no folder"]);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_8() {
    let home = Home::new(INCIDENT);
    run(&home, &["--out", "/proc/refresh-sim"]).ends(8, &["/proc/refresh-sim"]);
    let long = "x".repeat(300);
    run(&home, &["--out", &long]).ends(8, &["too long"]);
}

#[test]
fn two_files_of_one_name_do_not_overwrite_each_other() {
    let home = Home::new(INCIDENT);
    fs::create_dir(home.path("sub")).expect("made");
    home.file("sub/s.toml", INCIDENT);
    home.run(&["run", "s.toml", "sub/s.toml"]).ends(2, &["s.toml and of sub/s.toml"]);
    assert_eq!(home.names("."), ["s.toml", "sub"]);
}

/// With old results in place, writes new ones with no room for them.
fn without_room(limit: &str, args: &str) {
    let home = Home::new(INCIDENT);
    run(&home, &["--out", "r"]).ends(0, &[]);
    let before = home.text("r/summary.json");
    let program = env!("CARGO_BIN_EXE_refresh-sim");
    let script = format!("{limit}; exec {program} run s.toml --out r {} {args}", FIXED.join(" "));
    let output = Command::new("sh").args(["-c", &script]).current_dir(home.path(".")).output().expect("sh");
    Ran::of(output).ends(8, &["cannot write results to r/", "the limit on file sizes is reached"]);
    assert_eq!(home.text("r/summary.json"), before, "old results survive");
    assert_eq!(home.names("."), ["r", "s.toml"], "nothing half-written stays");
}

#[test]
fn no_room_for_a_file_is_8_and_old_results_survive() {
    without_room("ulimit -f 1", "--seed 9");
}

#[test]
fn no_room_for_a_trace_is_8_and_old_results_survive() {
    without_room("ulimit -f 64", "--seed 9 --trace full --set group.0.count=3000");
}

#[test]
fn a_full_disk_is_8() {
    let home = Home::new(INCIDENT);
    fs::create_dir(home.path("disk")).expect("made");
    let disk = home.path("disk");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "none"]).arg(&disk).output();
    if !mounted.as_ref().is_ok_and(|output| output.status.success()) {
        println!("not tested: a small tmpfs cannot be mounted here: {mounted:?}");
        return;
    }
    let ran = run(&home, &["--out", "disk/r", "--trace", "full"]);
    let left = super::names(&disk);
    let unmounted = Command::new("umount").arg(&disk).status();
    ran.ends(8, &["disk/r/", "no space left"]);
    assert_eq!(left, [""; 0]);
    assert!(unmounted.is_ok_and(|status| status.success()));
}
