//! `check`: what it finds, what it says of what fails, its files, its exit codes, and the complaints about other tools
//! that it shall not earn.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value as Json;

use super::{ENDLESS, Home, INCIDENT};

/// The fixed logic, with draws that differ, and an expectation.
fn good(expect: &str) -> String {
    let drawn = INCIDENT.replace("transport = \"tls\"", "transport = \"tls\"\nrtt = { exponential = \"20ms\" }");
    format!("{}[expect]\n{expect}\n", drawn.replace("rtm", "cu2"))
}

fn json(home: &Home, name: &str) -> Json {
    serde_json::from_str(&home.text(name)).expect("JSON")
}

// ---- exit codes

#[test]
fn all_that_passes_is_0_with_a_line_each() {
    let home = Home::new(&good("lives = \"crashes : value == 0\""));
    home.file("t.toml", &good("lives = \"crashes : value == 0\"\nall = \"refresh : count == 21\""));
    let ran = home.run(&["check", "t.toml", "s.toml"]).ends(0, &[]);
    assert_eq!(
        ran.out,
        "pass          t.toml  2 expectations\npass          s.toml  1 expectation\n2 scenarios: 2 pass\n"
    );
}

#[test]
fn a_threshold_that_fails_is_1_and_says_observed_limit_samples_worst_peers_and_how_to_see_it() {
    let home = Home::new(&good("slow = \"connect{group=contact-centre} : max <= 1ms\""));
    let ran = home.run(&["check", "s.toml", "--set", "group.0.count=30", "--seed", "7"]).ends(1, &[]);
    for told in [
        "FAIL          s.toml  1 of 1 do not hold\n",
        "  fail slow: connect{group=contact-centre} : max <= 1ms\n",
        "\n    observed   ",
        "\n    limit      max <= 1ms\n",
        "\n    samples    30\n",
        "\n    worst      contact-centre/",
        "\n    reproduce  refresh-sim run s.toml --set group.0.count=30 --seed 7\n",
    ] {
        assert!(ran.out.contains(told), "{told:?} is not in: {}", ran.out);
    }
    let worst = ran.out.lines().find(|line| line.trim().starts_with("worst")).expect("a line");
    assert_eq!(worst.matches("contact-centre/").count(), 5, "{worst}");
}

#[test]
fn the_command_that_is_printed_reproduces_the_failure_in_its_replication() {
    let home = Home::new(&good("slow = \"attempt{group=contact-centre} : max <= 220ms\""));
    home.run(&["check", "s.toml", "--replications", "20", "--json", "j.json"]).ends(1, &[]);
    let summary = json(&home, "j.json");
    let failed = &summary["scenarios"][0]["expectations"][0];
    let command = failed["reproduce"].as_str().expect("a command");
    let words: Vec<&str> = command.split(' ').skip(1).chain(["--no-results", "--format", "json"]).collect();
    let again: Json = serde_json::from_str(&home.run(&words).ends(1, &[]).out).expect("JSON");
    assert_eq!(again["expectations"]["each"][0]["observed"], failed["observed"]);
    let replication = failed["replication"].as_u64().expect("a number");
    assert_eq!(again["digest"], summary["scenarios"][0]["digests"][replication as usize]);
}

#[test]
fn the_worst_peers_are_those_of_the_histogram() {
    let home = Home::new(&good(
        "a = \"refresh in refresh : max <= 1ns\"\nb = \"connect{transport=tls} : max <= 1ns\"\nc = \"outage : max <= 1ns\"",
    ));
    for settings in [&[][..], &["--set=refresh.every=7h"], &["--set=refresh.action=reconnect"]] {
        home.run(&[&["check", "s.toml", "--json", "j.json"], settings].concat()).ends(1, &[]);
        for each in json(&home, "j.json")["scenarios"][0]["expectations"].as_array().expect("a list") {
            let observed = each["observed"].as_str().expect("text").split(" (").next().expect("a length");
            assert_eq!(each["worst"]["peers"][0]["value"], observed, "{each}");
        }
    }
}

#[test]
fn a_crash_that_nobody_expects_is_1_and_has_its_command() {
    let home = Home::new(&format!("{INCIDENT}[expect]\nall = \"refresh.due : value >= 1\"\n"));
    let ran = home.run(&["check", "s.toml"]).ends(1, &[]);
    let told = "  fe01 crashed and no expectation mentions it\n    reproduce  refresh-sim run s.toml --seed 42\n";
    assert!(ran.out.contains(told), "{}", ran.out);
    home.run(&["check", "s.toml", "--set", "expect.c=crashes : value == 1"]).ends(0, &[]);
}

#[test]
fn a_scenario_that_is_wrong_is_2_and_the_others_are_checked_all_the_same() {
    let home = Home::new(&good("lives = \"crashes : value == 0\""));
    home.file("bad.toml", "schema = 1\n");
    let ran = home.run(&["check", "bad.toml", "s.toml"]).ends(2, &["bad.toml", "horizon"]);
    assert!(ran.out.contains("pass          s.toml"), "{}", ran.out);
    assert!(ran.out.ends_with("2 scenarios: 1 pass, 1 error\n"), "{}", ran.out);
    home.run(&["check", "no.toml"]).ends(2, &["no.toml: no such file or folder"]);
    home.run(&["check"]).ends(2, &["PATH"]);
    home.run(&["check", "s.toml", "--jobs", "0"]).ends(2, &["--jobs"]);
    home.run(&["check", "s.toml", "--replications", "0"]).ends(2, &["--replications"]);
}

#[test]
fn nothing_to_judge_is_3_however_well_it_ran() {
    let home = Home::new(&INCIDENT.replace("rtm", "cu2"));
    let ran = home.run(&["check", "s.toml"]).ends(3, &[]);
    assert!(ran.out.starts_with("inconclusive  s.toml  it has no [expect]\n"), "{}", ran.out);
    let few = "expect.f=refresh in refresh : p99 <= 10s min 1000";
    home.run(&["check", "s.toml", "--set", few]).ends(3, &[]);
    // Vacuous: no refresh falls due within the run.
    let short = ["check", "s.toml", "--set", "run.horizon=1h", "--set", "expect.c=crashes : value == 0"];
    let ran = home.run(&short).ends(3, &[]);
    assert!(ran.out.contains("no refresh fell due"), "{}", ran.out);
}

#[test]
fn nothing_found_is_4() {
    let home = Home::new(&good("lives = \"crashes : value == 0\""));
    fs::create_dir(home.path("empty")).expect("a folder");
    home.run(&["check", "empty"]).ends(4, &["nothing ran: no scenario in empty"]);
    home.run(&["check", ".", "--filter", "no-such"]).ends(4, &["that --filter lets through"]);
}

#[test]
fn files_that_cannot_be_written_are_8_before_anything_runs() {
    let home = Home::new(&good("lives = \"crashes : value == 0\""));
    for flag in ["--junit", "--json"] {
        let ran = home.run(&["check", "s.toml", flag, "no/such/folder.xml"]).ends(8, &["no such file or folder"]);
        assert_eq!(ran.out, "");
        home.run(&["check", "s.toml", flag, "."]).ends(8, &["cannot write ."]);
    }
    assert_eq!(home.names("."), ["s.toml"], "nothing temporary stays");
}

#[test]
fn an_interrupted_check_is_130_or_143_and_writes_no_summary() {
    let home = Home::new(&good("lives = \"crashes : value == 0\""));
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let args = [&["check", "s.toml", "--junit", "j.xml"][..], &ENDLESS].concat();
        let mut child = home.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        // Its temporary file is there once it has begun, and it listens to signals before that.
        while home.names(".").len() < 2 {
            assert!(child.try_wait().expect("its state").is_none(), "it ended by itself");
            std::thread::yield_now();
        }
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let ran = super::Ran::of(child.wait_with_output().expect("it ends"));
        ran.ends(code, &["interrupted: 0 of 1 scenarios were checked; no summary is written"]);
        assert_eq!(home.names("."), ["s.toml"]);
    }
}

// ---- what it finds

#[test]
fn folders_are_taken_in_order_with_all_that_is_in_them_but_results_and_hidden_ones() {
    let home = Home::new(&good("lives = \"crashes : value == 0\""));
    let text = home.text("s.toml");
    for folder in ["d/b", "d/.git", "d/results"] {
        fs::create_dir_all(home.path(folder)).expect("a folder");
    }
    for name in ["d/c.toml", "d/a.toml", "d/b/z.toml", "d/.git/x.toml", "d/results/plan.toml", "d/results/summary.json"]
    {
        home.file(name, &text);
    }
    home.file("d/notes.txt", "no scenario");
    symlink(home.path("d"), home.path("d/b/loop")).expect("a link");
    let ran = home.run(&["check", "d", "d/c.toml", "./d"]).ends(0, &[]);
    let paths: Vec<&str> = ran.out.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(paths, ["d/a.toml", "d/b/z.toml", "d/c.toml", "scenarios:"], "{}", ran.out);
    let some = home.run(&["check", "d", "--filter", "b/", "--filter", "c.to"]).ends(0, &[]);
    assert!(some.out.ends_with("2 scenarios: 2 pass\n"), "{}", some.out);
}

#[test]
fn the_shipped_scenarios_give_the_same_json_for_any_number_of_jobs() {
    let home = Home::new(INCIDENT);
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let path = scenarios.to_string_lossy();
    let check = |jobs: &str| {
        home.run(&["check", &path, "--jobs", jobs, "--json", "j.json", "--junit", "j.xml"]).ends(0, &[]);
        (home.text("j.json"), home.text("j.xml"))
    };
    let one = check("1");
    let found: Json = serde_json::from_str(&one.0).expect("JSON");
    assert!(found["counts"]["pass"].as_u64().expect("a number") >= 18, "{}", found["counts"]);
    for jobs in ["2", "5"] {
        assert!(check(jobs) == one, "{jobs} jobs give another summary");
    }
}

// ---- what it writes

#[test]
fn json_goes_where_it_is_wanted_and_is_the_same_in_both_places() {
    let home = Home::new(&good("lives = \"crashes : value == 0\""));
    let ran = home.run(&["check", "s.toml", "--format", "json", "--json", "j.json"]).ends(0, &[]);
    assert_eq!(ran.out, home.text("j.json"));
    let found = json(&home, "j.json");
    assert_eq!((&found["schema"], &found["exit"]), (&"refresh-sim.check/1".into(), &0.into()));
    assert_eq!(found["scenarios"][0]["seed"], 42, "no result without its seed");
}

#[test]
fn junit_has_a_suite_a_scenario_a_case_an_expectation_and_names_that_stay() {
    let home = Home::new(&good(
        "odd = \"connect : max <= 1ms\"\nfew = \"refresh : p99 <= 1s min 9999\"\nok = \"crashes : value == 0\"",
    ));
    home.file("bad<&\".toml", "schema = 1\n");
    home.file("empty.toml", &INCIDENT.replace("rtm", "cu2"));
    let mut names = Vec::new();
    for seed in ["1", "2"] {
        let args = ["check", "s.toml", "bad<&\".toml", "empty.toml", "--seed", seed, "--junit", "j.xml"];
        home.run(&args).ends(2, &[]);
        names.push(cases(&home.text("j.xml")));
    }
    assert_eq!(names[0], names[1], "another seed, and a case has another name");
    let expected = [
        ("s.toml", "runs", ""),
        ("s.toml", "no crash that no expectation mentions", ""),
        ("s.toml", "expect odd", "failure expectation"),
        ("s.toml", "expect few", "error inconclusive"),
        ("s.toml", "expect ok", ""),
        ("bad<&\".toml", "runs", "error bad-input"),
        ("empty.toml", "runs", ""),
        ("empty.toml", "no crash that no expectation mentions", ""),
        ("empty.toml", "expects something", "error inconclusive"),
    ];
    assert_eq!(names[0], expected.map(|(suite, name, bad)| [suite, name, bad].map(str::to_owned)));
    let text = home.text("j.xml");
    assert!(text.contains("<testsuites name=\"refresh-sim check\" tests=\"9\" failures=\"1\" errors=\"3\">"), "{text}");
    assert!(text.contains("reproduce: refresh-sim run s.toml --seed 2"), "{text}");
    assert!(text.contains("<property name=\"seed\" value=\"2\"/>"), "{text}");
}

/// Class, name and what is wrong, of each case of a JUnit file that is read as any reader would.
fn cases(text: &str) -> Vec<[String; 3]> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    let mut found: Vec<[String; 3]> = Vec::new();
    loop {
        let (Event::Start(element) | Event::Empty(element)) = (match reader.read_event().expect("well-formed XML") {
            Event::Eof => return found,
            Event::Start(element) => Event::Start(element),
            Event::Empty(element) => Event::Empty(element),
            _ => continue,
        }) else {
            continue;
        };
        let attribute = |name: &str| {
            let attribute = element.try_get_attribute(name).expect("attributes").expect("this one");
            attribute.normalized_value(quick_xml::XmlVersion::default()).expect("text").into_owned()
        };
        match element.name().as_ref() {
            "testcase" => found.push([attribute("classname"), attribute("name"), String::new()]),
            kind @ ("failure" | "error") => {
                found.last_mut().expect("a case")[2] = format!("{} {}", kind, attribute("type"));
            }
            _ => {}
        }
    }
}

#[test]
fn github_gets_annotations_with_the_line_and_nobody_else_does() {
    let home = Home::new(&good("lives = \"crashes : value == 0\"\nslow = \"connect : max <= 1ms\""));
    let line = home.text("s.toml").lines().position(|line| line.starts_with("slow")).expect("a line") + 1;
    let output = home.command(&["check", "s.toml"]).env("GITHUB_ACTIONS", "true").output().expect("it starts");
    let ran = super::Ran::of(output).ends(1, &[]);
    let wanted = format!("::error file=s.toml,line={line},title=fail slow::connect : max <= 1ms%0Aobserved: ");
    assert!(ran.err.contains(&wanted), "{}", ran.err);
    let output = home.command(&["check", "s.toml"]).env_remove("GITHUB_ACTIONS").output().expect("it starts");
    assert_eq!(super::Ran::of(output).ends(1, &[]).err, "");
}

// ---- what users complain about in other tools

#[test]
fn what_fails_in_one_replication_of_many_is_not_exit_0() {
    let home = Home::new(&good("slow = \"attempt{group=contact-centre} : max <= 220ms\""));
    let ran = home.run(&["check", "s.toml", "--replications", "60", "--json", "j.json"]).ends(1, &[]);
    let failed = json(&home, "j.json")["scenarios"][0]["expectations"][0].clone();
    let times = failed["replications"].as_u64().expect("a number");
    assert!((1..60).contains(&times), "{times} of 60: the limit should lie between: {failed}");
    assert!(ran.out.contains(" of 60 replications: "), "{}", ran.out);
}

#[test]
fn memory_does_not_grow_with_the_number_of_samples() {
    let home = Home::new(
        &good("all = \"refresh : count >= 17000000\"").replace("\"2d\"", "\"10d\"").replace("\"24h\"", "\"1s\""),
    );
    // More than 17 million refreshes, with several samples each: 8 bytes for one of those were more than this in all.
    let script = format!(
        "ulimit -v 130000; MALLOC_ARENA_MAX=1 exec {} check s.toml --jobs 1",
        env!("CARGO_BIN_EXE_refresh-sim")
    );
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(home.path(".")).output();
    super::Ran::of(output.expect("sh")).ends(0, &[]);
}
