//! `refresh-sim lint` as a user meets it.

use super::{Home, INCIDENT, TOPOLOGY, with_topology};

#[test]
fn the_exit_code_says_whether_something_will_break() {
    let home = with_topology();
    home.run(&["lint", "s.toml"]).ends(1, &[]);
    home.run(&["lint", "s.toml", "--set", "validation.validator=sfb2015-cu2"]).ends(0, &[]);
    home.run(&["lint", "fabrikam.xml", "--build", "6.0.9319.102"]).ends(1, &[]);
    home.run(&["lint", "fabrikam.xml", "--build", "6.0.9319.235"]).ends(0, &[]);
    home.run(&["lint", "s.toml", "--build", "6.0.9319.235"]).ends(2, &["validation.validator"]);
    home.run(&["lint", "missing.toml"]).ends(2, &["no such file"]);
    home.file("bad.xml", &TOPOLOGY.replace("<Services>", "<Services"));
    home.run(&["lint", "bad.xml"]).ends(2, &["bad.xml:", "not well-formed"]);
    home.file("none.xml", &TOPOLOGY.replace("ExternalServer", "EdgeServer"));
    let none = home.run(&["lint", "none.xml"]).ends(0, &[]);
    assert!(none.out.contains("no trusted application"), "{}", none.out);
}

#[test]
fn the_text_reads_well_and_the_json_has_it_all() {
    let home = with_topology();
    let ran = home.run(&["lint", "fabrikam.xml", "--build", "6.0.9319.102"]).ends(1, &["assumed: "]);
    insta::assert_snapshot!("lint_topology", ran.out);
    let ran = home.run(&["lint", "fabrikam.xml", "--build", "6.0.9319.102", "--format", "json"]).ends(1, &[]);
    assert_eq!(ran.err, "");
    let value: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(value["schema"], "refresh-sim.lint/1");
    let first = &value["findings"][0];
    assert_eq!((&first["severity"], &first["kind"]), (&"breaks".into(), &"crash".into()));
    assert_eq!(first["at_ns"], 86_525_000_000_000u64);
    assert!(first["steps"].as_array().is_some_and(|steps| steps.len() > 4), "{first}");
}

#[test]
fn a_topology_that_sets_itself_right_says_so() {
    let home = with_topology();
    home.file("tls.toml", &INCIDENT.replace("\"tcp\"", "\"tls\""));
    let ran = home.run(&["lint", "tls.toml"]).ends(0, &[]);
    assert!(ran.out.contains("Nothing was found."), "{}", ran.out);
}

#[test]
fn a_program_that_judges_is_not_asked_and_that_is_said() {
    let home = Home::new(INCIDENT);
    let set = ["--set", "validation={command=[\"./mine\"]}"];
    let ran = home.run(&[&["lint", "s.toml"][..], &set].concat());
    let head = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = "the front ends validate by `./mine`, which nobody asks here: what follows goes by sfb2015-";
    assert!(head.contains(told), "{}", ran.out);
    let ran = home.run(&[&["lint", "s.toml", "--format", "json"][..], &set].concat());
    let found: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(found["validator"], "./mine");
    assert!(found["goes_by"].as_str().is_some_and(|name| name.starts_with("sfb2015-")), "{found}");
}
