//! Validators as child processes: the shipped examples, and programs that misbehave in every way that there is.

#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Home, INCIDENT, Ran};
use crate::child::{HOW, PID_FILE, words};

/// A crash at 24 h and the recovery from it; every question of the run is among the first hundred.
const SHORT: &str = "run.horizon=25h";

/// A run whose validator is this test binary, behaving as `how` says.
fn command(home: &Home, how: &str, args: &[&str]) -> Command {
    let mut all: Vec<String> = ["run", "s.toml", "--set", SHORT].map(str::to_owned).to_vec();
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    all.push("--validator".to_owned());
    all.extend(words());
    let mut command = home.command(&all.iter().map(String::as_str).collect::<Vec<_>>());
    command.env(HOW, how).env(PID_FILE, home.path("pid"));
    command
}

fn run(home: &Home, how: &str, args: &[&str]) -> Ran {
    let ran = Ran::of(command(home, how, args).output().expect("it starts"));
    // Whatever it did, nothing of it is left.
    assert_gone(home);
    ran
}

/// The process that wrote its number down is gone, or will be in a moment.
#[track_caller]
fn assert_gone(home: &Home) {
    let Ok(pid) = std::fs::read_to_string(home.path("pid")) else { return };
    assert!(is_gone_within(&pid, Duration::from_secs(20)), "process {pid} is still there");
}

/// Whether a process is gone; one that waits for a parent to look at its end is.
pub(super) fn is_gone_within(pid: &str, limit: Duration) -> bool {
    let end = now() + limit;
    let is_there = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        stat.and_then(|stat| stat.rsplit_once(") ").map(|(_, rest)| !rest.starts_with('Z'))).unwrap_or(false)
    };
    while is_there() {
        if now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

#[expect(clippy::disallowed_methods, reason = "a limit on how long a test waits")]
fn now() -> Instant {
    Instant::now()
}

fn summary(home: &Home, folder: &str) -> Value {
    serde_json::from_str(&home.text(&format!("{folder}/summary.json"))).expect("JSON")
}

fn digest(home: &Home, folder: &str) -> String {
    summary(home, folder)["digest"].as_str().expect("a digest").to_owned()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles the example in C; `None`: there is no compiler, which is said.
fn in_c(home: &Home, name: &str, flags: &[&str]) -> Option<PathBuf> {
    let program = home.path(name);
    let source = repository().join("examples/validator.c");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).args(flags).arg(source);
    match cc.output() {
        Err(error) => {
            println!("skipped: there is no `cc` ({error})");
            None
        }
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(program)
        }
    }
}

fn has_python() -> bool {
    let is_there = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        println!("skipped: there is no `python3`");
    }
    is_there
}

/// Sends `signal` to a process as soon as it is `time`, and waits for its end.
pub(super) fn kill_after(child: std::process::Child, signal: &str, time: impl Fn() -> bool) -> Ran {
    let end = now() + Duration::from_secs(60);
    while !time() {
        assert!(now() < end, "the time for {signal} never came");
        thread::sleep(Duration::from_millis(10));
    }
    let status = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()));
    Ran::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn the_segmentation_fault_of_the_example_in_c_is_the_crash_of_2015() {
    let home = Home::new(INCIDENT);
    if in_c(&home, "validator", &[]).is_none() {
        return;
    }
    let incident = repository().join("scenarios/sfb2015/incident.toml");
    let incident = incident.to_str().expect("UTF-8");
    home.run(&["run", incident, "--out", "builtin"]).ends(0, &[]);
    home.run(&["run", incident, "--out", "own", "--validator", "./validator"]).ends(0, &[]);
    // Its records, Windows' event 1000 with 0xc0000005 among them, and all else are what the built-in logic gives.
    for name in ["records.jsonl", "latency.hlog", "latency.hgrm", "series.csv"] {
        assert!(home.text_lossy(&format!("own/{name}")) == home.text_lossy(&format!("builtin/{name}")), "{name}");
    }
    assert!(home.text("own/records.jsonl").contains("0xc0000005"));
    let (mut own, builtin) = (summary(&home, "own"), summary(&home, "builtin"));
    assert_eq!((&own["validator"], &own["crashes"].as_array().map(Vec::len)), (&"./validator".into(), &Some(6)));
    own["validator"] = builtin["validator"].clone();
    assert_eq!(own, builtin);
    let log = home.text("own/validator.log");
    assert!(log.starts_with("== fe01, incarnation 1: sfb2015 in C 1.0\nfor fe01; this goes to"), "{log}");
    // One for each incarnation at least: one that died of a question asked ahead is made anew for what comes before it.
    for incarnation in 1..=7 {
        assert!(log.contains(&format!("== fe01, incarnation {incarnation}: sfb2015 in C 1.0\n")), "{log}");
    }
    assert!(!log.contains("incarnation 8"), "{log}");
}

#[test]
fn the_examples_that_are_fixed_decide_as_the_built_in_fix_does() {
    let home = Home::new(INCIDENT);
    let fixed = repository().join("scenarios/sfb2015/fixed.toml");
    let fixed = fixed.to_str().expect("UTF-8");
    home.run(&["run", fixed, "--out", "builtin"]).ends(0, &[]);
    let mut others = Vec::new();
    if in_c(&home, "validator", &["-DFIXED"]).is_some() {
        home.run(&["run", fixed, "--out", "c", "--validator", "./validator"]).ends(0, &[]);
        others.push("c");
    }
    if has_python() {
        let script = repository().join("examples/validator.py");
        let script = script.to_str().expect("UTF-8");
        home.run(&["run", fixed, "--out", "python", "--validator", "python3", script]).ends(0, &[]);
        others.push("python");
    }
    for other in others {
        assert_eq!(digest(&home, other), digest(&home, "builtin"), "{other}");
    }
}

#[test]
fn the_examples_end_when_their_questions_do_whatever_killed_who_asked() {
    let home = Home::new(INCIDENT);
    let mut examples = Vec::new();
    if in_c(&home, "validator", &[]).is_some() {
        examples.push(vec![home.path("validator").to_string_lossy().into_owned()]);
    }
    if has_python() {
        let script = repository().join("examples/validator.py");
        examples.push(vec!["python3".to_owned(), script.to_string_lossy().into_owned()]);
    }
    for words in examples {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("REFRESH_SIM_QUESTIONS", "0").env("REFRESH_SIM_ANSWERS", "1");
        let mut child = command.spawn().expect("it starts");
        assert!(child.try_wait().expect("known").is_none(), "{words:?} waits for questions");
        drop(child.stdin.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{words:?}");
    }
}

#[test]
fn rule_23_a_scenario_may_name_its_program_relative_to_its_own_folder() {
    let home = Home::new(INCIDENT);
    if in_c(&home, "validator", &[]).is_none() {
        return;
    }
    std::fs::create_dir(home.path("case")).expect("made");
    std::fs::rename(home.path("validator"), home.path("case/validator")).expect("moved");
    home.file("case/s.toml", &INCIDENT.replace("validator = \"sfb2015-rtm\"", "command = [\"./validator\"]"));
    home.run(&["run", "case/s.toml", "--out", "own"]).ends(1, &["fe01 crashed and no expectation mentions it"]);
    home.run(&["run", "s.toml", "--out", "builtin"]).ends(1, &[]);
    assert_eq!(digest(&home, "own"), digest(&home, "builtin"));
    // On the command line it is meant as seen from there.
    home.run(&["run", "case/s.toml", "--validator", "./validator"]).ends(7, &["could not be started", "no such file"]);
    home.run(&["run", "case/s.toml", "--validator", "case/validator"]).ends(1, &[]);
}

#[test]
fn what_a_validator_does_to_itself_is_its_front_ends_crash_and_the_run_goes_on() {
    for (how, code) in [
        ("segmentation fault", "0xc0000005"),
        ("abort", "0xc0000409"),
        ("panic", "0xc0000409"),
        ("exit 3", "0xe0000003"),
    ] {
        let home = Home::new(INCIDENT);
        // The fourth question of every incarnation is its last.
        let expect = ["--set", "run.horizon=10m", "--set", "expect.c=crashes : value >= 3", "--out", "r"];
        run(&home, how, &expect).ends(0, &[]);
        let summary = summary(&home, "r");
        let crashes = summary["crashes"].as_array().expect("crashes");
        assert!(crashes.len() >= 3, "{how}: {crashes:?}");
        assert!(crashes.iter().all(|crash| crash["code"] == code), "{how}: {crashes:?}");
    }
}

#[test]
fn a_validator_that_cannot_be_run_is_7_and_it_is_said_why() {
    let cases: [(&str, &[&str]); 21] = [
        ("silent", &["did not answer within 1s of real time before its hello", "for fe01, incarnation 1"]),
        ("ends before hello", &["ended (exit status: 3) before its hello"]),
        ("no hello", &["said hello with a line that is none: \"hello\"", "expected value"]),
        ("another version", &["speaks \"refresh-sim.validator/9\"; this program speaks \"refresh-sim.validator/1\""]),
        ("garbage", &["answered with a line that is no answer: \"hello, \\u{1b}[31mworld\"", "question 4: accept of "]),
        ("no text", &["a line that is no answer"]),
        ("flood", &["sent a line of more than 65536 bytes, \"xxx"]),
        ("deep", &["no answer: \"{\\\"id\\\":4,\\\"verdict\\\":[[[", "expected a string"]),
        ("long", &["sent a line of more than 65536 bytes, \"yyy"]),
        ("two answers", &["answered more than it was asked"]),
        ("another question", &["answered question 77 where question 4 was open"]),
        ("misspelt", &["unknown field `cost`, expected one of", "`cost_ns`"]),
        ("hang", &["did not answer within 1s of real time", "question 4: accept of ", " at 2m 5."]),
        ("exit 0", &["ended of its own accord, with status 0 (question 4"]),
        ("killed", &["was ended from outside, by signal 9"]),
        // With their own programs:
        ("", &["cannot start ./nothing: no such file or folder"]),
        ("", &["cannot start ./s.toml: permission denied"]),
        ("", &["closed its descriptors and went on before its hello"]),
        ("", &["closed its descriptors and went on (question 1"]),
        ("", &["ended of its own accord, with status 0 before its hello"]),
        ("", &["it said: Traceback", "it said: no hello from me"]),
    ];
    let hello = r#"echo '{"protocol":"refresh-sim.validator/1","name":"sh"}' >&$REFRESH_SIM_ANSWERS"#;
    let close = r#"eval "exec $REFRESH_SIM_ANSWERS>&- $REFRESH_SIM_QUESTIONS<&-"; sleep 100"#;
    let hello_then_close = format!("{hello}; {close}");
    let programs: [&[&str]; 6] = [
        &["./nothing"],
        &["./s.toml"],
        &["sh", "-c", close],
        &["sh", "-c", &hello_then_close],
        &["true"],
        &["sh", "-c", "echo Traceback; echo no hello from me >&2; exit 1"],
    ];
    let mut programs = programs.iter();
    for (how, said) in cases {
        let home = Home::new(INCIDENT);
        let limit = ["--set", "validation.answer_limit=1s", "--out", "r"];
        let ran = if how.is_empty() {
            let words = programs.next().expect("one for each");
            home.run(&[&["run", "s.toml"], &limit[..], &["--validator"], words].concat())
        } else {
            run(&home, how, &limit)
        };
        let ran = ran.ends(7, said);
        assert!(ran.err.starts_with("error: s.toml: the validator `"), "{how}: {}", ran.err);
        assert!(ran.err.len() < 2500, "{how}: {}", ran.err.len());
        assert!(!ran.err.contains('\u{1b}'), "{how}: {}", ran.err);
        assert!(!home.path("r").exists(), "{how}: no results");
    }
    assert!(programs.next().is_none());
}

#[test]
fn rule_23_a_validator_declared_pure_that_is_not_is_5() {
    let home = Home::new(INCIDENT);
    let many = ["--set", "group.0.count=300"];
    run(&home, "unstable", &many).ends(5, &["declared pure but answered the same question differently"]);
}

#[test]
fn rule_21_questions_asked_ahead_of_a_process_change_nothing_even_where_it_dies_of_one() {
    let home = Home::new(INCIDENT);
    let many = ["--set", "group.0.count=300", "--set", "refresh.order=shuffled"];
    home.run(&[&["run", "s.toml", "--set", SHORT, "--out", "builtin"], &many[..]].concat()).ends(1, &[]);
    for how in ["honest", "ahead", "ahead, in a buffer"] {
        run(&home, how, &[&many[..], &["--out", "own"]].concat()).ends(1, &[]);
        assert_eq!(digest(&home, "own"), digest(&home, "builtin"), "{how}");
        let ran = home.run(&["replay", "own"]).ends(0, &[]);
        assert!(ran.out.contains(&digest(&home, "builtin")), "{how}: {}", ran.out);
    }
    let ran = run(&home, "ahead, dies of many", &many);
    ran.ends(5, &["is declared pure but died over ", "questions, each of which it answers when asked alone"]);
}

#[test]
fn what_a_validator_says_is_kept_as_a_log_within_bounds_and_never_holds_it_up() {
    let home = Home::new(INCIDENT);
    run(&home, "loud", &["--out", "r"]).ends(1, &[]);
    let log = home.text("r/validator.log");
    for word in
        ["== fe01, incarnation 1: test\n", "a line on standard output", "a line on standard error", "bytes more"]
    {
        assert!(log.contains(word), "{word}: {}", &log[..1000]);
    }
    assert!(log.len() < 300_000, "{}", log.len());
    run(&home, "texts", &["--out", "texts"]).ends(0, &[]);
    let log = home.text("texts/validator.log");
    assert!(log.contains("verdicts with the text: a gateway\n") && log.contains("text: known [31m by name\n"), "{log}");
}

#[test]
fn declared_cost_and_wait_enter_virtual_time_and_real_time_never_does() {
    let home = Home::new(INCIDENT);
    run(&home, "costs", &["--out", "one"]).ends(1, &[]);
    run(&home, "costs", &["--out", "two"]).ends(1, &[]);
    run(&home, "honest", &["--out", "plain"]).ends(1, &[]);
    home.run(&["run", "s.toml", "--set", SHORT, "--out", "builtin"]).ends(1, &[]);
    assert_eq!(digest(&home, "one"), digest(&home, "two"));
    assert_ne!(digest(&home, "one"), digest(&home, "plain"));
    assert_eq!(digest(&home, "plain"), digest(&home, "builtin"));
}

#[test]
fn no_validator_outlives_a_program_that_was_killed() {
    for how in ["silent", "hang"] {
        let home = Home::new(INCIDENT);
        let mut command = command(&home, how, &["--set", "validation.answer_limit=1h"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let end = now() + Duration::from_secs(20);
        while std::fs::read_to_string(home.path("pid")).map_or(true, |pid| pid.is_empty()) {
            assert!(now() < end, "{how}: the validator never came");
            thread::sleep(Duration::from_millis(10));
        }
        child.kill().expect("killed, by SIGKILL");
        child.wait().expect("gone");
        assert_gone(&home);
    }
}

#[test]
fn a_validator_that_hangs_does_not_keep_a_signal_waiting() {
    let home = Home::new(INCIDENT);
    let mut command = command(&home, "hang", &["--set", "validation.answer_limit=1h", "--out", "r"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    while std::fs::read_to_string(home.path("pid")).map_or(true, |pid| pid.is_empty()) {
        thread::sleep(Duration::from_millis(10));
    }
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()));
    Ran::of(child.wait_with_output().expect("it ends")).ends(143, &[]);
    assert_gone(&home);
}

#[test]
fn a_program_and_a_patch_to_built_in_logic_are_not_mixed() {
    let home = Home::new(INCIDENT);
    let patch = "timeline=[{at=\"1h\",do=\"patch\",front_end=\"fe01\",away=\"1m\",validator=\"sfb2015-cu2\"}]";
    let ran = home.run(&["run", "s.toml", "--set", patch, "--validator", "./v"]);
    ran.ends(2, &["`validation.command` judges throughout"]);
}
