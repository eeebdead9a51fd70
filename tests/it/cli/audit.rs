//! `audit`: what it says and how it ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{ENDLESS, Home, INCIDENT, Ran};

/// The incident after its fix, with the settings of a scenario that catches nothing but crashes.
fn fixed(expect: &str) -> String {
    INCIDENT.replace("sfb2015-rtm", "sfb2015-cu2") + "[expect]\n" + expect
}

#[test]
fn what_is_not_caught_is_1_and_comes_with_a_line_that_catches_it() {
    let home = Home::new(&fixed("lives = \"crashes : value == 0\"\n"));
    let ran = home.run(&["audit", "s.toml"]).ends(1, &[]);
    assert!(ran.out.contains("caught       assumes-tls: `lives` fails\n"), "{}", ran.out);
    assert!(ran.out.contains("NOT CAUGHT   blocks-on-missing: "), "{}", ran.out);
    assert!(ran.out.contains("cannot show  case-sensitive: "), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
    // The lines as they are printed, put into the file: then all is caught.
    let added: String =
        ran.out.lines().filter_map(|line| line.trim().strip_prefix("add: ")).collect::<Vec<_>>().join("\n");
    assert!(added.lines().count() >= 2, "{}", ran.out);
    home.file("s.toml", &fixed(&format!("lives = \"crashes : value == 0\"\n{added}\n")));
    let ran = home.run(&["audit", "s.toml"]).ends(0, &[]);
    assert!(ran.out.contains("0 NOT CAUGHT"), "{}", ran.out);
    assert_eq!(home.names("."), ["s.toml"], "it writes nothing");
}

#[test]
fn as_json_it_says_the_same() {
    let home = Home::new(&fixed("lives = \"crashes : value == 0\"\n"));
    let ran = home.run(&["audit", "s.toml", "--format", "json"]).ends(1, &[]);
    let found: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&found["schema"], &found["exit"]), (&"refresh-sim.audit/1".into(), &1.into()));
    let one = |name: &str| {
        let all = found["findings"].as_array().expect("findings");
        all.iter().find(|finding| finding["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
    };
    assert_eq!(one("assumes-tls")["found"], "caught");
    assert_eq!(one("case-sensitive")["found"], "cannot show");
    let line = one("blocks-on-missing")["expectation"]["line"].as_str().expect("a line").to_owned();
    assert!(line.contains(" : "), "{line}");
}

#[test]
fn a_scenario_that_does_not_pass_by_itself_is_not_audited() {
    let home = Home::new(INCIDENT);
    home.run(&["audit", "s.toml"]).ends(1, &["does not pass with its own logic", "fe01 crashes"]);
    home.file("s.toml", &fixed("many = \"refresh : p99 <= 1h min 1000000\"\n"));
    home.run(&["audit", "s.toml"]).ends(3, &["`many` is inconclusive"]);
    home.run(&["audit", "missing.toml"]).ends(2, &["no such file"]);
}

#[test]
fn a_scenario_in_which_nothing_can_show_is_4() {
    let home = Home::new(&fixed(""));
    let ran = home.run(&["audit", "s.toml", "--set", "run.horizon=1m"]).ends(4, &[]);
    let head = ran.out.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    assert!(head.ends_with("0 caught, 0 NOT CAUGHT, 10 cannot show here"), "{}", ran.out);
}

#[test]
fn ctrl_c_is_130_and_says_nothing_of_what_was_not_finished() {
    let home = Home::new(INCIDENT);
    let args = [&["audit", "s.toml", "--progress"][..], &ENDLESS].concat();
    let mut child = home.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    BufReader::with_capacity(1, stderr).read_line(&mut line).expect("a line");
    assert!(line.starts_with("running s.toml"), "{line}");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let ran = Ran::of(child.wait_with_output().expect("it ends")).ends(130, &[]);
    assert_eq!(ran.out, "");
}

#[test]
fn over_replications_it_says_in_how_many_and_is_the_same_for_any_number_of_jobs() {
    let home = Home::new(&fixed("lives = \"crashes : value == 0\"\n"));
    let args = |jobs| ["audit", "s.toml", "--replications", "3", "--jobs", jobs];
    let ran = home.run(&args("1")).ends(1, &[]);
    let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("caught assumes-tls: `lives` fails; in 3 of 3 replications "), "{}", ran.out);
    assert!(flat.contains("; in 3 of 3 replications: 0, 1, 2 add: blocks-on-missing = "), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
    assert_eq!(home.run(&args("3")).ends(1, &[]).out, ran.out);
    let json = home.run(&[&args("2")[..], &["--format", "json"]].concat()).ends(1, &[]);
    let found: Value = serde_json::from_str(&json.out).expect("JSON");
    let bad = found["findings"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "assumes-tls"));
    assert_eq!(bad.map(|one| (&one["caught_in"], &one["not_caught_in"])), Some((&3.into(), &serde_json::json!([]))));
}
