//! The self-check: a second, hostile process decides the same, and a difference is found and shown.

use super::{Home, INCIDENT};

#[test]
fn a_hostile_process_decides_the_same() {
    let home = Home::new(INCIDENT);
    let ran = home.run(&["selfcheck", "s.toml", "--set", "group.0.count=500"]).ends(0, &[]);
    assert!(ran.out.contains("are the same here and in a second process"), "{}", ran.out);
    let run = home.run(&["run", "s.toml", "--set", "group.0.count=500", "--format", "json"]).ends(1, &[]);
    let summary: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let digest = summary["digest"].as_str().expect("a digest");
    assert!(ran.out.contains(digest), "{digest} is not in: {}", ran.out);
}

#[test]
fn the_first_difference_is_shown_from_both_sides() {
    let home = Home::new(INCIDENT);
    for n in ["0", "17", "60"] {
        let ran = home.run(&["selfcheck", "s.toml", "--flip-decision", n]).ends(5, &[]);
        assert!(ran.out.contains(&format!("s.toml: not deterministic: decision {n} (0 = the first)")), "{}", ran.out);
        assert!(ran.out.contains("\n  here   at ") && ran.out.contains("\n  there  at "), "{}", ran.out);
    }
    let many = home.run(&["selfcheck", "s.toml", "--flip-decision", "40000", "--set", "group.0.count=20000"]);
    assert!(many.ends(5, &[]).out.contains("decision 40000 "));
}

#[test]
fn a_scenario_that_is_wrong_is_2() {
    let home = Home::new(INCIDENT);
    home.run(&["selfcheck", "s.toml", "--set", "run.horizon=0s"]).ends(2, &["horizon"]);
}
