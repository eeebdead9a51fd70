//! `explain`: what led to a peer's state.

use super::{Home, INCIDENT};

fn run() -> Home {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml", "--out", "r"]).ends(1, &[]);
    home
}

#[test]
fn what_became_of_a_peer_after_the_crash_is_told_from_the_tick_on() {
    let ran = run().run(&["explain", "r", "--peer", "contact-centre/3", "--at", "1d 2m 20s"]).ends(0, &[]);
    for word in [
        "contact-centre/3 at 1d 00:02:20.000000: without a connection",
        "what led to it\n",
        "rcc asked about at refresh: fault",
        "crashes, failure 1 in the service manager's count",
        "connection lost: the front end crashed",
        "SYN refused: nobody listens",
        "\nnext: ",
        "\nr: the same again: ",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
}

#[test]
fn at_the_end_of_the_run_the_longest_outage_is_pointed_at_and_can_be_explained() {
    let home = run();
    let ran = home.run(&["explain", "r", "--peer", "contact-centre/3"]).ends(0, &[]);
    let at = ran.out.split("--at \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a hint");
    let told = home.run(&["explain", "r", "--peer", "contact-centre/3", "--at", at]).ends(0, &[]);
    assert!(told.out.contains("valid at fe01"), "{}", told.out);
}

#[test]
fn an_explanation_as_json_is_one_line() {
    let ran = run().run(&["explain", "r", "--peer", "rcc", "--at", "1d 2m 20s", "--format", "json"]).ends(0, &[]);
    let told: serde_json::Value = serde_json::from_str(ran.out.trim_end()).expect("JSON");
    assert_eq!(
        (&told["kind"], &told["peer"], &told["connected"]),
        (&"explanation".into(), &"rcc".into(), &false.into())
    );
    let chain = told["chain"].as_array().expect("a list");
    let kinds: Vec<&str> = chain.iter().filter_map(|link| link["kind"].as_str()).collect();
    assert_eq!(kinds[..5], ["tick", "wait", "asked", "crash", "lost"], "{kinds:?}");
    assert_eq!(chain[1]["others_before"], 20);
    assert_eq!(chain[1]["groups"]["contact-centre"], 20);
}

#[test]
fn what_cannot_be_explained_is_refused_with_what_can() {
    let home = run();
    let peer = |args: &[&str], words: &[&str]| {
        let all: Vec<&str> = ["explain", "r"].iter().chain(args).copied().collect();
        home.run(&all).ends(2, words);
    };
    peer(&["--peer", "contact-centre"], &["is a group of 20 peers; give one of them, e.g. contact-centre/0"]);
    peer(&["--peer", "rc"], &["no peer `rc`", "did you mean `rcc`?"]);
    peer(&["--peer", "rcc", "--at", "9d"], &["--at: `9d` is after the end of the run, which is 2d long"]);
    peer(&[], &["--peer <NAME>"]);
}
