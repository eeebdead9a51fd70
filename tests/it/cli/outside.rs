//! Validators that are programs, in every command that runs: what built-in logic gives is what a program with the same
//! logic gives; what goes wrong with one is exit 7 or 5 with its place; and none is left.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

use super::validator::{is_gone_within, kill_after};
use super::{Home, INCIDENT, Ran};
use crate::child::{HOW, PIDS_FILE, words};

/// Draws that differ between replications, and one crash that is expected.
fn scenario() -> String {
    let drawn = INCIDENT.replace("transport = \"tls\"", "transport = \"tls\"\nrtt = { exponential = \"20ms\" }");
    format!("{}[expect]\nonce = \"crashes : value == 1\"\n", drawn.replace("\"2d\"", "\"25h\""))
}

/// The same after the fix.
fn fixed() -> String {
    scenario().replace("rtm", "cu2").replace("== 1", "== 0")
}

/// `command = [...]` for this test binary as a validator, with more words.
fn named(more: &[&str]) -> String {
    let words = words().into_iter().chain(more.iter().map(|word| (*word).to_owned()));
    let list: Vec<String> = words.map(|word| format!("'{word}'")).collect();
    format!("command = [{}]", list.join(", "))
}

/// A scenario whose validator is this test binary.
fn with_program(scenario: &str, more: &[&str]) -> String {
    let (own, answer_limit) = (named(more), "answer_limit = \"1s\"");
    let lines = scenario.lines().map(|line| if line.starts_with("validator = ") { own.as_str() } else { line });
    lines
        .flat_map(|line| if line == own { vec![line, answer_limit] } else { vec![line] })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The program, whose validators behave as `how` says.
fn command(home: &Home, how: &str, args: &[&str]) -> Command {
    let mut command = home.command(args);
    command.env(HOW, how).env(PIDS_FILE, home.path("pids"));
    command
}

fn run(home: &Home, how: &str, args: &[&str]) -> Ran {
    let ran = Ran::of(command(home, how, args).output().expect("it starts"));
    assert_all_gone(home);
    ran
}

/// The same with the validator on the command line.
fn run_with(home: &Home, how: &str, args: &[&str]) -> Ran {
    let words = words();
    let words = words.iter().map(String::as_str);
    run(home, how, &args.iter().copied().chain(["--validator"]).chain(words).collect::<Vec<_>>())
}

/// Every validator that ever started is gone; says how many there were.
#[track_caller]
fn assert_all_gone(home: &Home) -> usize {
    let pids = std::fs::read_to_string(home.path("pids")).unwrap_or_default();
    for pid in pids.lines() {
        assert!(is_gone_within(pid, Duration::from_secs(20)), "process {pid} is still there");
    }
    pids.lines().count()
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn check_gives_the_digests_of_built_in_logic_whatever_the_number_of_jobs() {
    let home = Home::new(&scenario());
    let args = ["check", "s.toml", "--replications", "3", "--format", "json"];
    let builtin = home.run(&args).ends(0, &[]).out;
    for jobs in ["1", "3"] {
        let own = run_with(&home, "honest", &[&args[..], &["--jobs", jobs]].concat()).ends(0, &[]).out;
        assert_eq!(own, builtin, "{jobs} jobs");
    }
    // Three replications of two incarnations each, twice.
    assert_eq!(assert_all_gone(&home), 12);
    home.file("p.toml", &with_program(&scenario(), &[]));
    let own = json(&run(&home, "honest", &["check", "p.toml", "--replications", "3", "--format", "json"]).out);
    assert_eq!(own["scenarios"][0]["digests"], json(&builtin)["scenarios"][0]["digests"]);
}

#[test]
fn the_command_that_check_prints_names_the_program_too() {
    let home = Home::new(&scenario());
    let ran = run_with(&home, "fixed", &["check", "s.toml"]).ends(1, &[]);
    let line = ran.out.lines().find(|line| line.trim().starts_with("reproduce")).expect("a line");
    let program = words().join(" ");
    assert!(line.ends_with(&format!("refresh-sim run s.toml --seed 42 --validator {program}")), "{line}");
}

#[test]
fn check_tells_of_a_program_that_fails_in_one_run_by_exit_7_and_5_and_checks_the_others() {
    let home = Home::new(&scenario());
    home.file("p.toml", &with_program(&scenario(), &[]));
    let args = ["check", "p.toml", "s.toml", "--replications", "2"];
    for (how, code, told) in [
        ("garbage", 7, "error: p.toml, replication 0: the validator `"),
        ("hang", 7, "did not answer within 1s of real time"),
        ("exit 0", 7, "ended of its own accord, with status 0 (question 4"),
        ("unstable", 5, "error: p.toml, replication 0: the validator is declared pure"),
    ] {
        let many = ["--set", "group.0.count=300"];
        let ran = run(&home, how, &[&args[..], &many, &["--json", "j.json", "--junit", "j.xml"]].concat());
        let ran = ran.ends(code, &[told]);
        assert!(ran.out.contains("ERROR         p.toml  "), "{how}: {}", ran.out);
        assert!(ran.out.contains("pass          s.toml  1 expectation\n"), "{how}: {}", ran.out);
        assert_eq!(json(&home.text("j.json"))["exit"], code, "{how}");
    }
    let kind = |text: &str| text.contains("type=\"not-deterministic\"") || text.contains("type=\"no-validator\"");
    assert!(kind(&home.text("j.xml")), "{}", home.text("j.xml"));
}

#[test]
fn an_internal_error_in_check_is_70_and_names_the_run() {
    let home = Home::new(&scenario());
    let ran = home.run(&["check", "s.toml", "--test-panic"]).ends(70, &["internal error", "s.toml, replication 0"]);
    assert!(ran.out.contains("ERROR         s.toml  internal error"), "{}", ran.out);
}

#[test]
fn the_same_logic_built_in_and_as_a_program_is_identical_and_other_logic_is_not() {
    let home = Home::new(&scenario());
    home.file("p.toml", &with_program(&scenario(), &[]));
    let some = ["--replications", "3"];
    for (a, b) in [("s.toml", "p.toml"), ("p.toml", "s.toml"), ("p.toml", "p.toml")] {
        let ran = run(&home, "honest", &[&["compare", a, b, "--jobs", "2"], &some[..]].concat()).ends(0, &[]);
        assert!(ran.out.contains("\nidentical, not merely alike: 3 replications"), "{}", ran.out);
    }
    let ran = run_with(&home, "honest", &[&["whatif", "s.toml"], &some[..]].concat()).ends(0, &[]);
    assert!(ran.out.contains("\nidentical, ") && ran.out.contains("B  s.toml with the validator `"), "{}", ran.out);
    let ran = run_with(&home, "fixed", &["whatif", "s.toml"]).ends(0, &[]);
    assert!(ran.out.contains("\nbetter\n") && ran.out.contains("\n  crashes  "), "{}", ran.out);
    assert!(ran.out.contains("failing in A, no longer in B: 1 peer: rcc ("), "{}", ran.out);
}

#[test]
fn a_baseline_of_a_program_is_one_of_the_built_in_logic_that_is_the_same() {
    let home = Home::new(&fixed());
    run_with(&home, "fixed", &["baseline", "accept", "s.toml", "--replications", "3"]).ends(0, &[]);
    let ran = home.run(&["compare", "s.baseline.json", "s.toml"]).ends(0, &[]);
    assert!(ran.out.contains("\nidentical, not merely alike: 3 replications"), "{}", ran.out);
    let before = home.text("s.baseline.json");
    run_with(&home, "garbage", &["baseline", "accept", "s.toml", "--replications", "3"]).ends(7, &["replication 0"]);
    assert_eq!(home.text("s.baseline.json"), before);
    // The program has changed, which is what a comparison is for; that of then cannot be asked any more.
    home.file("p.toml", &with_program(&fixed(), &[]));
    run(&home, "fixed", &["baseline", "accept", "p.toml", "--replications", "3"]).ends(0, &[]);
    let ran = run(&home, "honest", &["compare", "p.baseline.json", "p.toml"]).ends(3, &[]);
    assert!(ran.out.contains("p.baseline.json: its plan gives other decisions now than then"), "{}", ran.out);
}

#[test]
fn a_result_is_a_side_with_its_program_wherever_that_is() {
    let home = Home::new(&scenario());
    std::fs::create_dir(home.path("case")).expect("made");
    home.file("case/p.toml", &with_program(&scenario(), &["rules.txt"]));
    home.file("case/rules.txt", "one");
    run(&home, "honest", &["run", "case/p.toml", "--out", "r"]).ends(0, &[]);
    let kept = json(&home.text("r/validator.json"));
    let files = kept["files"].as_array().expect("a list");
    assert_eq!(files.len(), 2, "the program and its rules: {kept}");
    assert_eq!((&files[1]["file"], files[1]["blake3"].as_str().map(str::len)), (&"rules.txt".into(), Some(64)));
    let ran = run(&home, "honest", &["compare", "r", "s.toml", "--replications", "2"]).ends(0, &[]);
    assert!(ran.out.contains("\nidentical, "), "{}", ran.out);
    run(&home, "fixed", &["compare", "r", "s.toml", "--replications", "2"]).ends(5, &["no longer gives its result"]);
    home.file("r/validator.json", "{}");
    run(&home, "honest", &["compare", "r", "s.toml"]).ends(2, &["validator.json", "missing field"]);
}

#[test]
fn selfcheck_starts_the_program_on_both_sides_and_finds_what_hangs_on_the_environment() {
    let home = Home::new(&scenario());
    std::fs::create_dir(home.path("case")).expect("made");
    home.file("case/p.toml", &with_program(&scenario(), &[]));
    let ran = run(&home, "honest", &["selfcheck", "case/p.toml"]).ends(0, &[]);
    assert!(ran.out.contains("are the same here and in a second process"), "{}", ran.out);
    assert_eq!(assert_all_gone(&home), 4, "two incarnations on each side");
    let ran = run_with(&home, "by time zone", &["selfcheck", "s.toml"]).ends(5, &[]);
    assert!(ran.out.contains("not deterministic: decision "), "{}", ran.out);
    for how in ["garbage", "hang"] {
        run(&home, how, &["selfcheck", "case/p.toml"]).ends(7, &["case/p.toml: the validator `"]);
    }
}

#[test]
fn audit_puts_what_is_bad_over_the_program_and_finds_what_it_finds_over_built_in_logic() {
    let home = Home::new(&fixed());
    let args = ["audit", "s.toml", "--format", "json"];
    let builtin = home.run(&args).ends(1, &[]).out;
    assert_eq!(run_with(&home, "fixed", &args).ends(1, &[]).out, builtin);
    run_with(&home, "hang", &["audit", "s.toml", "--set", "validation.answer_limit=1s"])
        .ends(7, &["s.toml: the validator `", "did not answer within 1s"]);
    run_with(&home, "unstable", &["audit", "s.toml", "--set", "group.0.count=300"]).ends(5, &["declared pure"]);
}

#[test]
fn diagnose_tries_its_changes_with_the_program_itself() {
    let home = Home::new(&scenario());
    std::fs::create_dir(home.path("case")).expect("made");
    home.file("case/p.toml", &with_program(&scenario(), &["rules.txt"]));
    home.file("case/rules.txt", "one");
    run(&home, "honest", &["run", "case/p.toml", "--out", "r"]).ends(0, &[]);
    let found = json(&run(&home, "honest", &["diagnose", "r", "--format", "json"]).ends(0, &[]).out);
    let verdict = |nth: usize| (found["changes"][nth]["change"].clone(), found["changes"][nth]["verdict"].clone());
    assert_eq!(found["avoided_by"], "transport", "{found}");
    assert_eq!(verdict(0), ("patch".into(), "nothing-to-change".into()), "{found}");
    assert_eq!(verdict(1), ("transport".into(), "avoids".into()), "{found}");
    // Another program is another result.
    home.file("case/rules.txt", "two");
    let ran = run(&home, "fixed", &["diagnose", "r"]);
    ran.ends(5, &["decides otherwise", "its validator is another one now: rules.txt"]);
    run(&home, "garbage", &["diagnose", "r"]).ends(7, &["error: r: the validator `"]);
}

#[test]
fn a_cell_of_a_sweep_is_found_again_while_the_program_and_its_files_are_the_same() {
    let home = Home::new(&scenario());
    home.file("p.toml", &with_program(&scenario(), &["rules.txt"]));
    home.file("rules.txt", "one");
    let args = ["sweep", "p.toml", "--vary", "group.0.count=10,11,12", "--replications", "2", "--jobs", "3"];
    let swept = |told: &str| {
        let ran = run(&home, "honest", &args).ends(0, &[]);
        assert!(ran.out.starts_with(told), "{}", ran.out);
    };
    swept("6 cells run, 0 there already\n");
    let table = home.text("results/sweeps/p/cells.csv");
    swept("0 cells run, 6 there already\n");
    home.file("rules.txt", "two");
    swept("6 cells run, 0 there already\n");
    assert_eq!(home.text("results/sweeps/p/cells.csv"), table);
    home.file("rules.txt", "one");
    swept("0 cells run, 6 there already\n");
    let builtin = ["sweep", "s.toml", "--vary", "group.0.count=10,11,12", "--replications", "2"];
    home.run(&builtin).ends(0, &[]);
    assert_eq!(home.text("results/sweeps/s/cells.csv"), table);
    home.file("rules.txt", "three");
    let ran = run(&home, "garbage", &args).ends(7, &["error: p.toml: the validator `"]);
    assert_eq!(ran.err.matches("error: ").count(), 1, "{}", ran.err);
}

#[test]
fn replications_by_a_program_are_those_of_built_in_logic_and_found_again_while_it_is_the_same() {
    let home = Home::new(&scenario());
    home.file("p.toml", &with_program(&scenario(), &["rules.txt"]));
    home.file("rules.txt", "one");
    let args = ["run", "p.toml", "--replications", "4", "--jobs", "3"];
    let ran = |told: &str| {
        let ran = run(&home, "honest", &args).ends(0, &[]);
        assert!(ran.out.ends_with(told), "{}", ran.out);
    };
    ran("(4 run, 0 there already)\n");
    ran("(0 run, 4 there already)\n");
    home.file("rules.txt", "two");
    ran("(4 run, 0 there already)\n");
    home.run(&["run", "s.toml", "--replications", "4"]).ends(0, &[]);
    let digest = |name: &str| json(&home.text(&format!("results/replications/{name}/summary.json")))["digest"].clone();
    assert_eq!(digest("p"), digest("s"));
    home.file("rules.txt", "three");
    run(&home, "garbage", &args).ends(7, &["error: p.toml, replication ", "the validator `"]);
}

#[test]
fn capacity_finds_with_a_program_what_it_finds_with_built_in_logic() {
    let expect = "slow = \"lateness in refresh : max <= 30ms\"";
    let slow = fixed().replace("rtt = { exponential = \"20ms\" }", "").replace("\"25h\"", "\"70m\"");
    let slow = slow.replace("\"24h\"", "\"1h\"").replace("cu2\"", "cu2\"\nrefresh = \"2ms\"") + expect + "\n";
    let home = Home::new(&slow);
    let args = ["capacity", "s.toml", "--find", "group.0.count=100..140", "--step", "20", "--format", "json"];
    let builtin = home.run(&args);
    let own = run_with(&home, "fixed", &[&args[..], &["--jobs", "3"]].concat());
    assert_eq!((own.code, &own.out), (builtin.code, &builtin.out));
    assert!(json(&own.out)["holds"].is_string() || json(&own.out)["fails"].is_string(), "{}", own.out);
    run_with(&home, "garbage", &args).ends(7, &["s.toml with group.0.count at ", "the validator `"]);
}

#[test]
fn no_program_of_many_runs_outlives_a_kill_and_none_keeps_a_signal_or_an_error_waiting() {
    let home = Home::new(&scenario());
    home.file("p.toml", &with_program(&scenario(), &[]).replace("\"1s\"", "\"1h\""));
    let check = ["check", "p.toml", "--replications", "9", "--jobs", "3"];
    for (signal, code) in [("KILL", None), ("TERM", Some(143))] {
        let child = command(&home, "hang", &check).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.expect("it starts");
        let started = || std::fs::read_to_string(home.path("pids")).map_or(0, |pids| pids.lines().count());
        let ran = kill_after(child, signal, || started() >= 3);
        assert_eq!(ran.code, code, "{signal}: {}", ran.err);
        assert!(assert_all_gone(&home) >= 3, "{signal}");
        std::fs::remove_file(home.path("pids")).expect("removed");
    }
    // One side cannot run at all; the other would be waited for for an hour.
    home.file("q.toml", &scenario().replace("validator = \"sfb2015-rtm\"", "command = [\"./nothing\"]"));
    let ran = run(&home, "hang", &["compare", "q.toml", "p.toml", "--jobs", "2"]);
    ran.ends(7, &["cannot start ./nothing"]);
}
