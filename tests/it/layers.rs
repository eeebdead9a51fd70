//! The house rules that the compiler does not know, held over the source text.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules from low to high; those of one row may not name each other unless `MAY` says so. A lower row never names a
/// higher one.
const ROWS: [&[&str]; 14] = [
    &["time", "id"],
    &["rng"],
    &["dist"],
    &["policy", "validate"],
    &["measure"],
    &["frontend", "schedule"],
    &["scenario"],
    &["sim"],
    &["report", "import"],
    &["lint", "diagnosis"],
    &["study"],
    &["host"],
    &["cli"],
    &[],
];

/// What each outside crate is for: only these modules may name it.
const CRATES: [(&str, &[&str]); 12] = [
    ("base64", &["study"]),
    ("parquet", &["study"]),
    ("tokio", &["host"]),
    ("tokio_util", &["host"]),
    ("clap", &["cli"]),
    ("tracing_subscriber", &["cli"]),
    ("toml", &["scenario"]),
    ("annotate_snippets", &["scenario"]),
    ("quick_xml", &["import", "cli"]),
    ("zip", &["import"]),
    ("csv", &["import"]),
    ("encoding_rs", &["import"]),
];

/// The most lines of a file before its tests, and of a file of tests.
const LINES_MAX: usize = 800;

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 20, "the source is where it should be");
    files
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("the file is text");
            files.push((path, text));
        }
    }
}

/// The top module that a file belongs to, if any.
fn module(path: &Path) -> Option<String> {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).ok()?;
    let first = below.components().next()?.as_os_str().to_string_lossy().into_owned();
    let name = first.trim_end_matches(".rs").to_owned();
    ROWS.iter().any(|row| row.contains(&name.as_str())).then_some(name)
}

fn row(module: &str) -> usize {
    ROWS.iter().position(|row| row.contains(&module)).expect("a module of the table")
}

/// The text without comments: what documentation names binds nobody.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The text before the file's own tests, which may use whatever they need.
fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

#[test]
fn a_lower_module_never_names_a_higher_one() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(own) = module(&path) else { continue };
        if path.ends_with("tests.rs") {
            continue;
        }
        let code = code(before_tests(&text));
        for other in ROWS.iter().copied().flatten().copied().filter(|other| *other != own) {
            let named = code.contains(&format!("crate::{other}::")) || code.contains(&format!("crate::{other};"));
            let higher = row(other) >= row(&own);
            if named && higher {
                wrong.push(format!("{} names {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn outside_crates_are_named_where_they_are_at_home() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = module(&path).unwrap_or_default();
        let code = code(&text);
        for (name, homes) in CRATES {
            let named = code.contains(&format!("{name}::")) || code.contains(&format!("use {name};"));
            if named && !homes.contains(&own.as_str()) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = before_tests(&text).lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines before its tests", path.display()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{}: does not begin with what it is for", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_of_tests_are_short_and_say_what_they_are_for() {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut files);
    let mut wrong = Vec::new();
    for (path, text) in files {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines", path.display()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{}: does not begin with what it is for", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_in_the_simulation_knows_the_incident() {
    let simulation = ["time", "id", "rng", "dist", "policy", "measure", "frontend", "schedule", "sim"];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = module(&path).unwrap_or_default();
        if !simulation.contains(&own.as_str()) || path.ends_with("tests.rs") {
            continue;
        }
        let code = code(before_tests(&text));
        // A day may be a unit of time, in `time`, and the run's length in a default; it is no behaviour.
        for word in ["24h", "86_400", "86400", "sfb2015", "Sfb2015", "plan.name"] {
            if code.contains(word) && !(own == "time" && word == "86_400") {
                wrong.push(format!("{} has {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_of_the_table_is_there_and_every_module_is_in_the_table() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("lib.rs is text");
    let declared: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    for module in &declared {
        assert!(ROWS.iter().any(|row| row.contains(module)), "{module} is not in the table of this test");
    }
    for module in ROWS.iter().copied().flatten() {
        assert!(declared.contains(module), "{module} is in the table but not in lib.rs");
    }
}
