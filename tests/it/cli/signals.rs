//! Ctrl-C and SIGTERM in the middle of a run.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use super::{ENDLESS, Home, INCIDENT, Ran};

/// Starts a run that never ends, and waits until it is under way.
fn started(home: &Home, args: &[&str]) -> Child {
    let all = [&["run", "s.toml", "--progress", "--out", "r"][..], &ENDLESS, args].concat();
    let mut child = home.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    // Byte by byte: what comes after the line is left in the pipe.
    let stderr = child.stderr.as_mut().expect("a pipe");
    BufReader::with_capacity(1, stderr).read_line(&mut line).expect("a line");
    assert!(line.starts_with("running s.toml"), "{line}");
    child
}

fn send(signal: &str, child: &Child) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
}

fn interrupted(signal: &str, code: i32) {
    let home = Home::new(INCIDENT);
    let child = started(&home, &[]);
    send(signal, &child);
    let ran = Ran::of(child.wait_with_output().expect("it ends")).ends(code, &[]);
    assert!(ran.out.contains("INCOMPLETE"), "{}", ran.out);
    let names = home.names("r");
    assert!(names.contains(&"INCOMPLETE".to_owned()), "{names:?}");
    let summary: serde_json::Value = serde_json::from_str(&home.text("r/summary.json")).expect("JSON");
    assert_eq!(summary["complete"], false);
    assert!(summary["digest"].is_null());
    assert_eq!(home.names("."), ["r", "s.toml"]);
    home.run(&["run", "s.toml", "--out", "r", "--set", "validation.validator=sfb2015-cu2"]).ends(0, &[]);
    assert!(!home.names("r").contains(&"INCOMPLETE".to_owned()), "the next run replaces it");
}

#[test]
fn sigterm_is_143_and_leaves_an_incomplete_result() {
    interrupted("-TERM", 143);
}

#[test]
fn ctrl_c_is_130_and_leaves_an_incomplete_result() {
    interrupted("-INT", 130);
}

#[test]
fn files_after_the_interrupted_one_do_not_run() {
    let home = Home::new(INCIDENT);
    home.file("t.toml", INCIDENT);
    let child = started(&home, &["t.toml"]);
    send("-TERM", &child);
    Ran::of(child.wait_with_output().expect("it ends")).ends(143, &[]);
    assert_eq!(home.names("r"), ["s"]);
}

#[test]
fn a_traced_run_ends_as_promptly() {
    let home = Home::new(INCIDENT);
    let child = started(&home, &["--trace", "window"]);
    send("-INT", &child);
    Ran::of(child.wait_with_output().expect("it ends")).ends(130, &[]);
}

#[test]
fn an_interrupted_selfcheck_leaves_no_second_process() {
    let home = Home::new(INCIDENT);
    let mark = format!("--set=group.1.name=orphan-{}", std::process::id());
    let args = [&["selfcheck", "s.toml", &mark][..], &ENDLESS].concat();
    for (signal, code) in [("-TERM", Some(143)), ("-KILL", None)] {
        let mut child = home.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        while with_argument(&mark).len() < 2 {
            assert!(child.try_wait().expect("its state").is_none(), "it ended by itself");
            std::thread::yield_now();
        }
        send(signal, &child);
        assert_eq!(child.wait().expect("it ends").code(), code);
        let mut rest = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut rest).expect("text");
        // Nobody tells us when somebody else's process ends: look until it has. The test runner's limit is the limit.
        while !with_argument(&mark).is_empty() {
            std::thread::yield_now();
        }
    }
}

/// Processes that have this among their arguments.
fn with_argument(mark: &str) -> Vec<String> {
    let mut found = super::names("/proc".as_ref());
    found.retain(|name| {
        name.bytes().all(|b| b.is_ascii_digit())
            && std::fs::read(format!("/proc/{name}/cmdline"))
                .is_ok_and(|line| line.split(|b| *b == 0).any(|word| word == mark.as_bytes()))
    });
    found
}

#[test]
fn a_second_signal_ends_it_whatever_it_does() {
    let home = Home::new(INCIDENT);
    // More JSON than a pipe holds, and nobody reads it: after the first signal it waits for ever.
    let more: String = (0..100).map(|n| format!("[[group]]\nname = \"g{n}\"\ntransport = \"tls\"\n")).collect();
    home.file("s.toml", &format!("{INCIDENT}{more}"));
    let mut child = started(&home, &["--format", "json"]);
    while child.try_wait().expect("its state").is_none() {
        send("-TERM", &child);
    }
    assert_eq!(child.wait().expect("it ended").code(), Some(143));
}

#[test]
fn a_killed_run_leaves_old_results_and_a_marked_folder_beside_them() {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml", "--out", "r", "--set", "validation.validator=sfb2015-cu2"]).ends(0, &[]);
    let before = home.text("r/summary.json");
    let mut child = started(&home, &["--trace", "full"]);
    // The folder is made before the line is written that we have waited for.
    send("-KILL", &child);
    assert_eq!(child.wait().expect("it ends").code(), None);
    assert_eq!(home.text("r/summary.json"), before);
    let names = home.names(".");
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].starts_with(".refresh-sim-"), "{names:?}");
    assert!(home.names(&names[0]).contains(&"INCOMPLETE".to_owned()));
}
