//! The program as a user meets it: exit codes, messages, results folders, signals, the self-check.

mod audit;
mod capacity;
mod check;
mod compare;
mod diagnose;
mod explain;
mod folders;
mod import;
mod input;
mod lint;
mod outside;
mod planning;
mod replay;
mod replications;
mod selfcheck;
mod signals;
mod sweep;
mod validator;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The 2015 case: one TCP peer among TLS ones, two days; it crashes once.
const INCIDENT: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "2d"
[refresh]
every = "24h"
[validation]
validator = "sfb2015-rtm"
[[group]]
name = "contact-centre"
count = 20
transport = "tls"
[[group]]
name = "rcc"
transport = "tcp"
"#;

/// Longer than anybody waits.
const ENDLESS: [&str; 4] = [
    "--set=run.horizon=100d",
    "--set=refresh.every=1s",
    "--set=group.0.count=2000",
    "--set=validation.validator=sfb2015-cu2",
];

/// A folder of a test's own with `s.toml` in it.
struct Home {
    folder: TempDir,
}

const TOPOLOGY: &str = include_str!("../../scenarios/topology/fabrikam.xml");

/// A folder with a topology beside the incident.
fn with_topology() -> Home {
    let home = Home::new(INCIDENT);
    home.file("fabrikam.xml", TOPOLOGY);
    home
}

impl Home {
    fn new(scenario: &str) -> Home {
        let home = Home { folder: tempfile::tempdir().expect("a folder") };
        home.file("s.toml", scenario);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn text_lossy(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_refresh-sim"));
        command.args(args).current_dir(self.folder.path()).env_remove("COLUMNS").env("NO_COLOR", "1");
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("it starts"))
    }

    /// Everything below the folder `name`, sorted.
    fn names(&self, name: &str) -> Vec<String> {
        names(&self.path(name))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What a process left.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It ended with `code`, and its errors have all the `words`.
    #[track_caller]
    fn ends(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in: {}", self.err);
        }
        self
    }
}

#[test]
fn a_crash_that_nobody_expects_is_1_and_one_that_somebody_expects_is_0() {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml"]).ends(1, &["fe01 crashed and no expectation mentions it"]);
    home.run(&["run", "s.toml", "--set", "expect.c=crashes : value == 1"]).ends(0, &[]);
    home.run(&["run", "s.toml", "--set", "expect.c=crashes : value == 2"]).ends(1, &[]);
    home.run(&["run", "s.toml", "--set", "validation.validator=sfb2015-cu2"]).ends(0, &[]);
}

#[test]
fn a_crash_of_a_front_end_that_no_expectation_is_about_is_1() {
    let home = Home::new(INCIDENT);
    let two = r#"front_end.nodes=[{name="fe01",starts="0s"},{name="fe02",starts="1h"}]"#;
    let expect = "expect.c=crashes{front_end=fe02} : value == 0";
    home.run(&["run", "s.toml", "--set", two, "--set", expect]).ends(1, &[]);
}

#[test]
fn too_few_samples_are_3_and_a_failure_beside_them_is_1() {
    let home = Home::new(INCIDENT);
    let cu2 = "validation.validator=sfb2015-cu2";
    let few = "expect.f=refresh in refresh : p99 <= 10s min 1000";
    home.run(&["run", "s.toml", "--set", cu2, "--set", few]).ends(3, &[]);
    home.run(&["run", "s.toml", "--set", cu2, "--set", few, "--set", "expect.c=crashes : value == 1"]).ends(1, &[]);
}

#[test]
fn an_internal_error_is_70_says_how_to_reproduce_it_and_leaves_nothing() {
    let home = Home::new(INCIDENT);
    let ran = home.run(&["run", "s.toml", "--test-panic", "--out", "out"]);
    let ran = ran.ends(70, &["internal error", "refresh-sim 0.1.0 (semantics 1) at src/cli/run.rs:", "s.toml"]);
    assert!(ran.err.contains("to reproduce: refresh-sim run s.toml --test-panic --out out"), "{}", ran.err);
    assert_eq!(home.names("."), ["s.toml"]);
}

#[test]
fn several_files_run_one_after_the_other_and_the_worst_exit_wins() {
    let home = Home::new(INCIDENT);
    home.file("t.toml", &INCIDENT.replace("rtm", "cu2"));
    let ran = home.run(&["run", "t.toml", "s.toml"]).ends(1, &[]);
    assert_eq!(ran.out.matches("results: results/runs/").count(), 2, "{}", ran.out);
    assert_eq!(home.names("results/runs"), ["s", "t"]);
    home.run(&["run", "t.toml", "s.toml", "--out", "both"]).ends(1, &[]);
    assert_eq!(home.names("both"), ["s", "t"]);
}

#[test]
fn the_same_run_gives_the_same_bytes_and_json_is_the_summary() {
    let home = Home::new(INCIDENT);
    let ran = home.run(&["run", "s.toml", "--out", "one", "--format", "json"]).ends(1, &[]);
    home.run(&["run", "s.toml", "--out", "two"]).ends(1, &[]);
    assert_eq!(ran.out, home.text("one/summary.json"));
    for name in home.names("one") {
        assert!(
            fs::read(home.path(&format!("one/{name}"))).expect("read")
                == fs::read(home.path(&format!("two/{name}"))).expect("read"),
            "{name}"
        );
    }
    let summary: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&summary["schema"], &summary["complete"]), (&"refresh-sim.summary/1".into(), &true.into()));
}

#[test]
fn the_stored_plan_is_a_scenario_that_gives_the_same_result() {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml", "--seed", "18446744073709551615", "--out", "one"]).ends(1, &[]);
    home.run(&["run", "one/plan.toml", "--out", "two"]).ends(1, &[]);
    let digest = |name| serde_json::from_str::<serde_json::Value>(&home.text(name)).expect("JSON")["digest"].clone();
    assert!(digest("one/summary.json").is_string());
    assert_eq!(digest("one/summary.json"), digest("two/summary.json"));
    let resolved = home.run(&["resolve", "s.toml", "--seed", "18446744073709551615"]).ends(0, &[]);
    assert_eq!(resolved.out, home.text("one/plan.toml"));
}

#[test]
fn a_trace_does_not_change_the_digest() {
    let home = Home::new(INCIDENT);
    let mut digests = Vec::new();
    let mut lines = Vec::new();
    for trace in ["off", "window", "full"] {
        home.run(&["run", "s.toml", "--out", trace, "--trace", trace]).ends(1, &[]);
        let summary: serde_json::Value =
            serde_json::from_str(&home.text(&format!("{trace}/summary.json"))).expect("JSON");
        digests.push(summary["digest"].clone());
        let records = home.text(&format!("{trace}/records.jsonl"));
        records.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).expect("JSON")));
        lines.push(records.lines().count());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
    assert!(lines[0] < lines[1] && lines[1] < lines[2], "{lines:?}");
    home.run(&["run", "s.toml", "--trace", "full", "--no-results"]).ends(2, &["--no-results"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new(INCIDENT);
    for args in ["schema", "metrics", "--help", "resolve s.toml", "run s.toml --set validation.validator=sfb2015-cu2"] {
        let program = env!("CARGO_BIN_EXE_refresh-sim");
        // `sleep` holds nothing: the pipe's reader is gone before anything is written.
        let script = format!("( sleep 0.1; {program} {args}; echo $? >&2 ) | true");
        let output = Command::new("sh").args(["-c", &script]).current_dir(home.path(".")).output().expect("sh");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "0\n", "{args}");
    }
}

#[test]
fn a_full_standard_output_is_8() {
    let home = Home::new(INCIDENT);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let output = home.command(&["metrics"]).stdout(full).output().expect("it starts");
    Ran::of(output).ends(8, &["cannot write to standard output"]);
}

#[test]
fn help_and_version() {
    let home = Home::new(INCIDENT);
    assert_eq!(home.run(&["--version"]).ends(0, &[]).out, "refresh-sim 0.1.0 (semantics 1)\n");
    insta::assert_snapshot!("help", home.run(&["--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_capacity", home.run(&["capacity", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_sweep", home.run(&["sweep", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_check", home.run(&["check", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_compare", home.run(&["compare", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_whatif", home.run(&["whatif", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_baseline_accept", home.run(&["baseline", "accept", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_run", home.run(&["run", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_audit", home.run(&["audit", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_replay", home.run(&["replay", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_explain", home.run(&["explain", "--help"]).ends(0, &[]).out);
    insta::assert_snapshot!("help_selfcheck", home.run(&["selfcheck", "--help"]).ends(0, &[]).out);
}

#[test]
fn metrics_and_schema_say_what_there_is() {
    let home = Home::new(INCIDENT);
    let metrics = home.run(&["metrics"]).ends(0, &[]).out;
    for name in ["refresh ", "lateness ", "crashes ", "reconnected.99 "] {
        assert!(metrics.contains(&format!("\n  {name}")), "{name}: {metrics}");
    }
    let schema: serde_json::Value = serde_json::from_str(&home.run(&["schema"]).ends(0, &[]).out).expect("JSON");
    assert!(schema["properties"]["group"].is_object());
}

#[test]
fn diagnostics_and_progress_go_to_standard_error_when_asked_for() {
    let home = Home::new(INCIDENT);
    let quiet = home.run(&["run", "s.toml", "--set", "expect.c=crashes : value == 1"]).ends(0, &[]);
    assert_eq!(quiet.err, "");
    home.run(&["run", "s.toml", "--log", "info"]).ends(1, &["INFO", "peers=21"]);
    home.run(&["run", "s.toml", "--progress"]).ends(1, &["running s.toml: 2d of 21 peers"]);
}

#[test]
fn a_replication_can_be_run_alone_and_each_has_its_own_draws() {
    let home = Home::new(
        &INCIDENT.replace("[[group]]\nname = \"rcc\"", "rtt = { exponential = \"20ms\" }\n[[group]]\nname = \"rcc\""),
    );
    let digest = |replication: &str| {
        let ran =
            home.run(&["run", "s.toml", "--no-results", "--format", "json", "--replication", replication]).ends(1, &[]);
        let summary: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        assert_eq!(summary["replication"].to_string(), replication);
        summary["digest"].as_str().expect("a digest").to_owned()
    };
    assert_eq!(digest("17"), digest("17"));
    assert_ne!(digest("17"), digest("0"));
    let text = home.run(&["run", "s.toml", "--no-results", "--replication", "17"]).ends(1, &[]).out;
    assert!(text.contains("seed 42, replication 17,"), "{text}");
}
