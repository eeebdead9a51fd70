//! Files that are no scenarios, and words that are no arguments: exit 2, before anything runs.

use std::fs::File;
use std::process::Command;

use super::{Home, INCIDENT};

#[test]
fn what_is_not_a_plain_file_is_refused() {
    let home = Home::new(INCIDENT);
    home.run(&["run", "missing.toml"]).ends(2, &["missing.toml", "no such file"]);
    home.run(&["run", "."]).ends(2, &["a folder"]);
    home.run(&["run", "s.toml/x"]).ends(2, &["a part of the path is a file"]);
    home.run(&["run", "/dev/zero"]).ends(2, &["/dev/zero is a device"]);
    let made = Command::new("mkfifo").arg(home.path("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    for command in ["run", "resolve", "selfcheck"] {
        home.run(&[command, "pipe"]).ends(2, &["pipe is a pipe"]);
    }
    assert_eq!(home.names("."), ["pipe", "s.toml"]);
}

#[test]
fn a_file_that_is_too_big_or_not_text_is_refused() {
    let home = Home::new(INCIDENT);
    // All holes: 100 GB that take no place, and must not be read.
    File::create(home.path("big.toml")).and_then(|file| file.set_len(100_000_000_000)).expect("a file with a hole");
    home.run(&["run", "big.toml"]).ends(2, &["16 MiB"]);
    std::fs::write(home.path("latin.toml"), b"# caf\xe9\n").expect("written");
    home.run(&["run", "latin.toml"]).ends(2, &["UTF-8"]);
    home.file("..toml", INCIDENT);
    home.run(&["run", "..toml"]).ends(2, &["no name"]);
}

#[test]
fn a_plan_longer_than_a_scenario_may_be_is_read_back_from_a_result_and_only_from_there() {
    let groups = (0..23_000).map(|n| format!("[[group]]\nname = \"g{n}\"\ntransport = \"tls\"\n")).collect::<String>();
    let home = Home::new(&(INCIDENT.replace("\"2d\"", "\"3m\"") + &groups));
    home.run(&["run", "s.toml", "--out", "r"]).ends(0, &[]);
    let length = std::fs::metadata(home.path("r/plan.toml")).expect("it is there").len();
    assert!(length > 16 << 20, "{length}");
    let ran = home.run(&["replay", "r"]).ends(0, &[]);
    assert!(ran.out.contains("the same again"), "{}", ran.out);
    home.run(&["explain", "r", "--peer", "g22999"]).ends(0, &[]);
    home.run(&["diagnose", "r"]).ends(4, &[]);
    home.run(&["run", "r/plan.toml"]).ends(2, &["16 MiB"]);
    File::options()
        .write(true)
        .open(home.path("r/plan.toml"))
        .and_then(|file| file.set_len(100_000_000_000))
        .expect("long");
    home.run(&["replay", "r"]).ends(2, &["256 MiB"]);
}

#[test]
fn a_wrong_scenario_is_shown_with_its_line_and_nothing_runs() {
    let home = Home::new(INCIDENT);
    home.file("bad.toml", &INCIDENT.replace("horizon = \"2d\"", "horizon = 2"));
    let ran = home.run(&["run", "s.toml", "bad.toml"]).ends(2, &["bad.toml:5:11", "horizon = 2"]);
    assert_eq!(ran.out, "");
    assert_eq!(home.names("."), ["bad.toml", "s.toml"]);
    home.run(&["run", "s.toml", "--set", "run.horizn=3d"]).ends(2, &["horizn", "horizon"]);
}

#[test]
fn wrong_arguments_are_2() {
    let home = Home::new(INCIDENT);
    home.run(&[]).ends(2, &["Usage"]);
    home.run(&["run"]).ends(2, &["<FILE>"]);
    home.run(&["rnu", "s.toml"]).ends(2, &["rnu"]);
    home.run(&["run", "s.toml", "--set", "nonsense"]).ends(2, &["path=value"]);
    home.run(&["run", "s.toml", "--seed", "-1"]).ends(2, &[]);
    home.run(&["run", "s.toml", "--trace", "some"]).ends(2, &["window"]);
    home.run(&["run", "s.toml", "--no-results", "--out", "x"]).ends(2, &["--out"]);
    home.run(&["selfcheck-run"]).ends(2, &["selfcheck alone"]);
}

#[test]
fn a_scenario_whose_time_stands_still_is_2_and_says_what_would_move_it() {
    let home = Home::new(INCIDENT);
    let waits = ["--set", "group.0.reconnect.delay=0s", "--set", "group.0.rtt=0s"];
    let ran = home.run(&[&["run", "s.toml"][..], &waits].concat());
    ran.ends(2, &["s.toml: more than", "contact-centre/", "never gets past", "help: ", "reconnect.delay", "group.rtt"]);
    assert_eq!(home.names("results/runs"), [""; 0], "nothing half-written stays");
}

#[test]
fn a_file_name_does_not_reach_the_terminal_as_it_is() {
    let home = Home::new(INCIDENT);
    let name = "red\u{1b}[31m\n.toml";
    home.file(name, INCIDENT);
    let ran = home.run(&["run", name, "--set", "validation.validator=sfb2015-cu2"]).ends(0, &[]);
    assert!(!ran.out.contains('\u{1b}') && ran.out.contains("red\\u{1b}[31m\\n: seed 42"), "{}", ran.out);
    home.file(name, "schema = 2");
    let ran = home.run(&["run", name]).ends(2, &["red"]);
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
}
