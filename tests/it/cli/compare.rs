//! `compare`, `whatif` and `baseline accept` as a user meets them.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use serde_json::Value as Json;

use super::{ENDLESS, Home, Ran};

/// A day's refresh of a few peers, with draws that differ from replication to replication.
const BASE: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "2d"
[refresh]
every = "24h"
[validation]
validator = "sfb2015-cu2"
refresh = { lognormal = { median = "10ms", p99 = "40ms" } }
[[group]]
name = "contact-centre"
count = 60
transport = "tls"
rtt = { exponential = "20ms" }
[[group]]
name = "gateway"
transport = "tcp"
[expect]
lives = "crashes : value == 0"
"#;

fn slower() -> String {
    BASE.replace("10ms", "10.2ms").replace("40ms", "40.8ms")
}

fn home() -> Home {
    let home = Home::new(BASE);
    home.file("b.toml", &slower());
    home
}

fn json(ran: &Ran) -> Json {
    serde_json::from_str(&ran.out).expect("JSON")
}

/// The tests with this finding.
fn found(comparison: &Json, finding: &str) -> Vec<String> {
    let tested = comparison["tested"].as_array().expect("a list");
    let those = tested.iter().filter(|tested| tested["finding"] == finding);
    those.map(|tested| tested["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn two_percent_more_for_a_validation_is_6_and_less_is_0() {
    let home = home();
    let ran = home.run(&["compare", "s.toml", "b.toml"]).ends(6, &[]);
    for told in [
        "A  s.toml, seed 42, replications 0 to ",
        "\nregression, shown by ",
        "\n  validation{group=contact-centre} in refresh",
        "+2.0 %",
        "\nworse for: contact-centre",
        " replications, first in replication 0:\ndecision ",
        "\n  A      at 1d ",
        "\n  B      at 1d ",
    ] {
        assert!(ran.out.contains(told), "{told:?} is not in: {}", ran.out);
    }
    let back = json(&home.run(&["compare", "b.toml", "s.toml", "--format", "json"]).ends(0, &[]));
    assert_eq!(back["verdict"], "changed");
    assert!(found(&back, "worse").is_empty());
    assert!(found(&back, "better").contains(&"validation{group=contact-centre} in refresh : p50".to_owned()));
}

#[test]
fn the_same_is_identical_and_its_json_is_the_same_for_any_number_of_jobs() {
    let home = home();
    let ran = home.run(&["compare", "s.toml", "s.toml"]).ends(0, &[]);
    assert!(ran.out.contains("identical, not merely alike"), "{}", ran.out);
    let with = |jobs| home.run(&["compare", "s.toml", "b.toml", "--jobs", jobs, "--format", "json"]).ends(6, &[]).out;
    assert!(with("1") == with("3"), "the number of jobs shows");
}

#[test]
fn too_few_replications_are_3_and_say_how_many_it_takes() {
    let home = home();
    let ran = home.run(&["compare", "s.toml", "b.toml", "--replications", "4"]).ends(3, &[]);
    let needed: u32 = ran
        .out
        .split("run with --replications ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .expect("how many")
        .parse()
        .expect("a number");
    home.run(&["compare", "s.toml", "b.toml", "--replications", &needed.to_string()]).ends(6, &[]);
    home.run(&["compare", "s.toml", "b.toml", "--replications", &(needed - 1).to_string()]).ends(3, &[]);
}

#[test]
fn the_tolerance_is_what_may_differ() {
    let home = home();
    let ran = home.run(&["compare", "s.toml", "b.toml", "--tolerance", "2.5%", "--format", "json"]).ends(0, &[]);
    let comparison = json(&ran);
    assert_eq!((&comparison["verdict"], &comparison["tolerance_ppm"]), (&"no change shown".into(), &25_000.into()));
    assert!(!found(&comparison, "within tolerance").is_empty());
    home.run(&["compare", "s.toml", "b.toml", "--tolerance", "2"]).ends(2, &["expected a percentage"]);
}

#[test]
fn other_seeds_are_not_paired_and_what_is_alike_shows_no_change() {
    let home = home();
    home.file("seven.toml", &BASE.replace("[run]", "[run]\nseed = 7"));
    let comparison = json(&home.run(&["compare", "s.toml", "seven.toml", "--format", "json"]).ends(0, &[]));
    assert_eq!((&comparison["paired"], &comparison["verdict"]), (&false.into(), &"no change shown".into()));
    let twice = BASE.replace("10ms", "20ms").replace("40ms", "80ms").replace("[run]", "[run]\nseed = 7");
    home.file("seven.toml", &twice);
    let comparison = json(&home.run(&["compare", "s.toml", "seven.toml", "--format", "json"]).ends(6, &[]));
    assert!(found(&comparison, "worse").contains(&"validation{group=contact-centre} in refresh : p50".to_owned()));
    // One seed for both pairs them.
    let both = json(&home.run(&["compare", "s.toml", "seven.toml", "--seed", "3", "--format", "json"]).ends(6, &[]));
    assert_eq!(both["paired"], true);
}

#[test]
fn peers_that_newly_fail_are_named() {
    let home = home();
    home.file("b.toml", &BASE.replace("cu2", "rtm"));
    let ran = home.run(&["compare", "s.toml", "b.toml"]).ends(6, &[]);
    assert!(
        ran.out.contains("newly failing in B: 1 peer: gateway (the verdict on it ended a front end, 19 of 19)"),
        "{}",
        ran.out
    );
    let back = home.run(&["compare", "b.toml", "s.toml"]);
    assert!(back.out.contains("failing in A, no longer in B: 1 peer: gateway ("), "{}", back.out);
}

#[test]
fn who_newly_fails_is_counted_over_all_replications() {
    let home = home();
    let short = BASE.replace("\"2d\"", "\"10m\"").replace("[refresh]", "[front_end]\nstart_up = \"0s\"\n[refresh]");
    // The slowest few of 60 give up for good; who they are is by chance, in each replication anew.
    let rtt = "rtt = { exponential = \"20ms\" }";
    let gives_up = format!("{rtt}\ntimeouts = {{ connect = \"60ms\" }}\nreconnect = {{ give_up_attempts = 1 }}");
    home.file("a.toml", &short);
    home.file("b.toml", &short.replace(rtt, &gives_up));
    let newly = |replications: &str| -> BTreeMap<String, u64> {
        let args = ["compare", "a.toml", "b.toml", "--format", "json", "--replications", replications];
        let parting = json(&home.run(&args).ends(3, &[]))["parting"].clone();
        assert_eq!(parting["replications"].to_string(), replications, "{parting}");
        assert_eq!(parting["no_longer_failing"], Json::from(Vec::<Json>::new()), "{parting}");
        let peers = parting["newly_failing"].as_array().expect("a list").iter();
        peers.map(|one| (one["peer"].to_string(), one["replications"].as_u64().expect("a number"))).collect()
    };
    let (one, six) = (newly("1"), newly("6"));
    assert!(!one.is_empty() && one.values().all(|times| *times == 1), "{one:?}");
    assert!(six.len() > one.len() && one.keys().all(|peer| six.contains_key(peer)), "{one:?} {six:?}");
    assert!(six.values().all(|times| (1..=6).contains(times)), "{six:?}");
    let text = home.run(&["compare", "a.toml", "b.toml", "--replications", "6"]).ends(3, &[]).out;
    let most = six.values().max().expect("one");
    assert!(text.contains("the two part in 6 of 6 replications, first in replication 0:\ndecision "), "{text}");
    assert!(text.contains(&format!(" (stopped trying for good, {most} of 6)")), "{text}");
}

// ---- baselines

#[test]
fn a_baseline_is_written_by_accept_alone_and_a_regressed_run_never_touches_it() {
    let home = home();
    let said = home.run(&["baseline", "accept", "s.toml"]).ends(0, &[]).out;
    assert!(said.starts_with("s.baseline.json written: "), "{said}");
    let before = home.text("s.baseline.json");
    home.run(&["compare", "s.baseline.json", "s.toml"]).ends(0, &[]);
    let ran = home.run(&["compare", "s.baseline.json", "b.toml"]).ends(6, &[]);
    assert!(ran.out.contains(" replications, first in replication 0:\ndecision "), "{}", ran.out);
    home.run(&["compare", "b.toml", "s.baseline.json"]).ends(0, &[]);
    home.run(&["check", "b.toml"]).ends(0, &[]);
    home.run(&["run", "b.toml", "--out", "r"]).ends(0, &[]);
    home.run(&["whatif", "s.toml", "--set", "refresh.spread=1h"]).ends(0, &[]);
    assert_eq!(home.text("s.baseline.json"), before);
    assert_eq!(home.names("."), ["b.toml", "r", "s.baseline.json", "s.toml"]);
    let again = home.run(&["baseline", "accept", "s.toml", "--jobs", "3"]).ends(0, &[]).out;
    assert!(again.starts_with("s.baseline.json replaced: "), "{again}");
    assert_eq!(home.text("s.baseline.json"), before, "the same runs are the same bytes");
}

#[test]
fn what_does_not_hold_what_it_expects_is_no_baseline() {
    let home = home();
    home.file("c.toml", &BASE.replace("cu2", "rtm"));
    let told = ["no baseline is written", "lives does not hold", "refresh-sim run c.toml --replication 0"];
    home.run(&["baseline", "accept", "c.toml"]).ends(1, &told);
    home.run(&["baseline", "accept", "s.toml"]).ends(0, &[]);
    let before = home.text("s.baseline.json");
    home.run(&["baseline", "accept", "s.toml", "--set", "validation.validator=sfb2015-rtm"]).ends(1, &[]);
    assert_eq!(home.text("s.baseline.json"), before);
    assert_eq!(home.names("."), ["b.toml", "c.toml", "s.baseline.json", "s.toml"]);
}

#[test]
fn a_file_that_is_no_baseline_is_not_replaced_and_not_read() {
    let home = home();
    for text in ["{}", "notes", r#"{"schema":"refresh-sim.baseline/9"}"#, r#"{"schema":"refresh-sim.summary/1"}"#] {
        home.file("s.baseline.json", text);
        home.run(&["baseline", "accept", "s.toml"]).ends(8, &["s.baseline.json is not replaced"]);
        assert_eq!(home.text("s.baseline.json"), text);
        home.run(&["compare", "s.baseline.json", "s.toml"]).ends(2, &["s.baseline.json: "]);
    }
}

#[test]
fn a_damaged_baseline_is_2_and_says_what_is_wrong() {
    let home = home();
    home.run(&["baseline", "accept", "s.toml"]).ends(0, &[]);
    let text = home.text("s.baseline.json");
    let mut baseline: Json = serde_json::from_str(&text).expect("JSON");
    baseline["digests"].as_array_mut().expect("a list").pop();
    let semantics = text.replace("\"semantics\": 1,", "\"semantics\": 99,");
    let plan = text.replace("[run]", "[nur]");
    for (damaged, said) in [
        (baseline.to_string(), "it is damaged: "),
        (semantics, "semantics 99"),
        (plan, "its plan cannot be read"),
        (text[..text.len() / 2].to_owned(), "it is no baseline"),
    ] {
        home.file("d.json", &damaged);
        home.run(&["compare", "d.json", "s.toml"]).ends(2, &["d.json", said]);
    }
}

#[test]
fn an_interrupted_accept_leaves_the_baseline_as_it_was() {
    let home = home();
    home.file("s.baseline.json", "");
    home.run(&["baseline", "accept", "b.toml"]).ends(0, &[]);
    let before = home.text("b.baseline.json");
    let args = [&["baseline", "accept", "b.toml"][..], &ENDLESS].concat();
    let mut child = home.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // Its temporary file is there once it has begun, and it listens to signals before that.
    while home.names(".").len() < 5 {
        assert!(child.try_wait().expect("its state").is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    Ran::of(child.wait_with_output().expect("it ends")).ends(143, &["interrupted: nothing is said"]);
    assert_eq!(home.text("b.baseline.json"), before);
    assert_eq!(home.names("."), ["b.baseline.json", "b.toml", "s.baseline.json", "s.toml"]);
}

// ---- results as a side

#[test]
fn a_result_is_a_side_as_long_as_its_plan_gives_it() {
    let home = home();
    home.run(&["run", "s.toml", "--out", "r"]).ends(0, &[]);
    home.run(&["compare", "r", "s.toml"]).ends(0, &[]);
    home.run(&["compare", "r", "b.toml"]).ends(6, &[]);
    home.run(&["compare", "r", "s.toml", "--seed", "3"]).ends(2, &["a result is what it is"]);
    let summary = home.text("r/summary.json");
    let digest = serde_json::from_str::<Json>(&summary).expect("JSON")["digest"].as_str().expect("text").to_owned();
    home.file("r/summary.json", &summary.replace(&digest, &"0".repeat(64)));
    home.run(&["compare", "r", "s.toml"]).ends(5, &["no longer gives its result", &digest]);
    home.file("r/INCOMPLETE", "");
    home.run(&["compare", "r", "s.toml"]).ends(2, &["INCOMPLETE"]);
    fs::create_dir(home.path("none")).expect("a folder");
    home.run(&["compare", "none", "s.toml"]).ends(2, &["none", "summary.json"]);
}

#[test]
fn what_is_not_there_or_wrong_is_2_on_both_sides_at_once() {
    let home = home();
    home.file("w.toml", "schema = 1\n");
    home.run(&["compare", "no.toml", "w.toml"]).ends(2, &["no.toml", "w.toml"]);
    home.run(&["compare", "s.toml"]).ends(2, &["<B>"]);
    home.run(&["compare", "s.toml", "b.toml", "--replications", "0"]).ends(2, &["--replications"]);
}

// ---- whatif

#[test]
fn whatif_says_what_gets_better_and_worse_and_for_whom() {
    let home = home();
    let ran = home.run(&["whatif", "s.toml", "--set", "refresh.spread=1h"]).ends(0, &[]);
    assert!(ran.out.contains("B  s.toml with refresh.spread=1h, seed 42"), "{}", ran.out);
    assert!(ran.out.contains("\nbetter\n  refresh{group=contact-centre} in refresh"), "{}", ran.out);
    assert!(ran.out.contains("\nbetter for: contact-centre"), "{}", ran.out);
    let worse = home.run(&["whatif", "s.toml", "--set", "validation.validator=sfb2015-rtm"]).ends(0, &[]);
    assert!(worse.out.contains("\nworse\n") && worse.out.contains("\n  crashes "), "{}", worse.out);
    assert!(!worse.out.contains("never ->"), "what has no samples is not never: {}", worse.out);
    home.run(&["whatif", "s.toml"]).ends(2, &["--set"]);
    home.run(&["whatif", "s.toml", "--set", "refresh.spraed=1h"]).ends(2, &["spread"]);
    home.run(&["whatif", "s.toml", "--set", "refresh.spread=1h", "--replications", "2"]).ends(3, &[]);
}
