//! The scenarios that we ship: each is short, passes, and gives the result that is kept in `results/reference/`.
//!
//! With `REFRESH_SIM_UPDATE_REFERENCE=1` the references are written anew; `git diff` then shows what has changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use refresh_sim::scenario::load;

use super::report::decoded;

const UPDATE: &str = "REFRESH_SIM_UPDATE_REFERENCE";
/// What of a result is kept: small, and enough to see that decisions, counts and defaults are as they were.
const KEPT: [&str; 3] = ["latency.hlog", "plan.toml", "summary.json"];
/// Nobody reads more than this before the first run.
const LINES_MAX: usize = 30;
/// A reference is a text to be reviewed, not an archive.
const KEPT_BYTES_MAX: u64 = 100_000;

fn is_update() -> bool {
    std::env::var_os(UPDATE).is_some_and(|value| value == "1")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let of = |path: PathBuf| if path.is_dir() { toml_files(&path) } else { vec![path] };
    let mut files: Vec<_> = below(folder).into_iter().flat_map(of).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files
}

/// All of them by the name that their results have.
fn shipped() -> BTreeMap<String, PathBuf> {
    let files = toml_files(&root().join("scenarios"));
    let count = files.len();
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let named: BTreeMap<_, _> = files.into_iter().map(|path| (name(&path), path)).collect();
    assert!(count > 0 && named.len() == count, "two scenarios of one name would share a reference: {named:?}");
    named
}

fn run(scenario: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refresh-sim"));
    command.arg("run").arg(scenario).args(args).env("NO_COLOR", "1");
    command.output().expect("it starts")
}

#[track_caller]
fn passes(name: &str, output: &Output) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert_eq!(output.status.code(), Some(0), "{name}\nstdout: {out}\nstderr: {err}");
}

/// The lines of an interval log: all of each but its compressed bytes, and the histogram in those. The bytes may change
/// with the library that compresses, the counts may not.
fn histograms(log: &str) -> Vec<(String, Histogram<u64>)> {
    let mut found = Vec::new();
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let LogEntry::Interval(interval) = entry.expect("a log that parses") else { continue };
        let bytes = decoded(interval.encoded_histogram());
        let histogram = Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
        let tag = interval.tag().expect("a tag").as_str();
        let (start, duration, max) = (interval.start_timestamp(), interval.duration(), interval.max());
        found.push((format!("{tag} from {start:?} for {duration:?} up to {max}"), histogram));
    }
    found
}

fn digest(summary: &str) -> String {
    let summary: serde_json::Value = serde_json::from_str(summary).expect("JSON");
    summary["digest"].as_str().expect("a digest").to_owned()
}

/// Compares without printing both: a summary has a thousand lines.
#[track_caller]
fn same_text(what: &Path, kept: &str, new: &str) {
    let differs = kept.lines().zip(new.lines()).position(|(kept, new)| kept != new);
    let at = differs.unwrap_or_else(|| kept.lines().count().min(new.lines().count()));
    let [was, is] = [kept, new].map(|text| text.lines().nth(at).unwrap_or("(no line)"));
    let hint = format!("if that is meant: {UPDATE}=1 cargo test --locked --test it shipped, and review the difference");
    assert!(kept == new, "{}:{}\n  was {was}\n  is  {is}\n{hint}", what.display(), at + 1);
}

#[test]
fn each_is_short_explains_itself_and_says_what_it_expects() {
    for (name, path) in shipped() {
        let text = text(&path);
        assert!(text.lines().count() < LINES_MAX, "{name} has {} lines", text.lines().count());
        assert!(text.starts_with("# "), "{name} does not begin with a comment that says what it is about");
        let plan = load(&name, &name, text.as_bytes(), &[]).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(!plan.expect.is_empty(), "{name} has no [expect]");
    }
}

#[test]
fn each_passes_with_the_result_that_is_kept() {
    let home = tempfile::tempdir().expect("a folder");
    for (name, path) in shipped() {
        let (new, kept) = (home.path().join(&name), root().join("results/reference").join(&name));
        passes(&name, &run(&path, &["--out", &new.to_string_lossy()]));
        if is_update() {
            fs::create_dir_all(&kept).expect("a folder");
            for file in KEPT {
                fs::copy(new.join(file), kept.join(file)).expect("copied");
            }
        }
        let [kept_summary, summary] = [&kept, &new].map(|folder| text(&folder.join("summary.json")));
        assert_eq!(digest(&kept_summary), digest(&summary), "{name}: another digest: it decides something else");
        same_text(&kept.join("summary.json"), &kept_summary, &summary);
        let [kept_plan, plan] = [&kept, &new].map(|folder| text(&folder.join("plan.toml")));
        same_text(&kept.join("plan.toml"), &kept_plan, &plan);
        let [kept_log, log] = [&kept, &new].map(|folder| histograms(&text(&folder.join("latency.hlog"))));
        let [kept_lines, lines] = [&kept_log, &log].map(|log| log.iter().map(|(line, _)| line).collect::<Vec<_>>());
        assert_eq!(kept_lines, lines, "{name}: other histograms");
        for ((line, kept), (_, new)) in kept_log.iter().zip(&log) {
            assert!(kept == new, "{name}: other counts in {line}");
        }
    }
}

#[test]
fn references_are_small_and_of_scenarios_that_there_are() {
    if is_update() {
        println!("not tested: another test is writing them");
        return;
    }
    let names: Vec<_> = shipped().into_keys().collect();
    let kept = below(&root().join("results/reference"));
    let kept_names: Vec<_> = kept.iter().map(|path| path.file_name().expect("a name").to_string_lossy()).collect();
    assert_eq!(kept_names, names, "results/reference/ has a folder for each scenario and no other");
    for folder in kept {
        let files = below(&folder);
        let names: Vec<_> = files.iter().map(|path| path.file_name().expect("a name").to_string_lossy()).collect();
        assert_eq!(names, KEPT, "{}", folder.display());
        let size: u64 = files.iter().map(|path| path.metadata().expect("a file").len()).sum();
        assert!(size <= KEPT_BYTES_MAX, "{} has {size} bytes", folder.display());
    }
}

#[test]
fn thirty_days_of_the_incident_crash_twenty_nine_times() {
    let expect = "expect.dies_each_day=crashes : value == 29";
    let args = ["--no-results", "--set", "run.horizon=30d", "--set", expect];
    passes("incident over 30 days", &run(&shipped()["incident"], &args));
}
