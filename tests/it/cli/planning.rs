//! `capacity` beyond one limit: outages and trip points that can be worked out by hand, front ends lost by default, two
//! variables at once, what an answer depends on, and measurements in place of guesses.

use serde_json::Value as Json;

use super::Home;

fn answer(home: &Home, code: i32, more: &[&str]) -> Json {
    let args = [&["capacity", "s.toml", "--format", "json"][..], more].concat();
    serde_json::from_str(&home.run(&args).ends(code, &[]).out).expect("JSON")
}

const PLAIN: [&str; 2] = ["--sensitivity", "none"];

/// Certificates of ten hours, asked for after six of them: four hours to spare.
const RENEWED: &str = r#"
schema = 1
semantics = 1
run = { horizon = "15h", start = "established" }
front_end.start_up = "0s"
issuer = { workers = 10, cost = "1s" }
validation.validator = "sfb2015-cu2"
[[group]]
name = "workload"
count = 3
transport = "tls"
validity = { lives = "10h", asks_at = ["60%", "60%"], then = "reconnect" }
[expect]
lives = "crashes : value == 0"
"#;

#[test]
fn rule_19_the_longest_outage_of_an_issuer_is_the_rest_of_a_certificates_life_less_making_one() {
    let home = Home::new(RENEWED);
    // From 6 h on nobody makes any. When it heals one takes 1 s and some ms, and has to be there before 10 h.
    let question = ["--ask", "outage", "--find", "outage=3h..5h", "--step", "1m"];
    let found = answer(&home, 0, &[&question[..], &PLAIN].concat());
    // Four hours themselves, a second too long, are counted in one bucket with the limit: they are undecided.
    assert_eq!([&found["holds"], &found["fails"]], ["3h 59m", "4h 1m"], "{found:#}");
    assert_eq!(found["decided_by"], "renewed_in_time_0");
    let note = found["notes"][0].as_str().expect("a note");
    assert_eq!(note, "the issuer makes no certificates from 6h on, when the first peer asks for its next certificate");
    // The same outage in a scenario's own words: one refresh takes as long as the outage, and the issuer's second.
    home.run(&[
        "run",
        "s.toml",
        "--no-results",
        r#"--set=timeline=[{at="6h",do="issuer-fails"},{at="9h",do="issuer-heals"}]"#,
        "--set=expect.long=refresh in refresh : min >= 2h 59m 30s",
        "--set=expect.no_longer=refresh in refresh : max <= 3h 30s",
    ])
    .ends(0, &[]);
    // It never heals: nobody is refreshed.
    let never = ["run", "s.toml", "--no-results", r#"--set=timeline=[{at="6h",do="issuer-fails"}]"#];
    home.run(&[&never[..], &["--set=expect.lives=refresh.unfinished : value == 3"]].concat()).ends(0, &[]);
}

/// Refreshed every hour, each with a look-up that has to be answered, and an answer is kept for a while.
const LOOKED_UP: &str = r#"
schema = 1
semantics = 1
run = { horizon = "5h 30m", start = "established" }
front_end.start_up = "0s"
refresh.every = "1h"
validation.validator = "sfb2015-cu2"
lookup = [{ name = "crl", latency = "20ms", on_failure = "hard-fail", cache = { positive = "90m" }, key = "front-end" }]
[[group]]
name = "application"
count = 2
transport = "tls"
[expect]
lives = "crashes : value == 0"
"#;

#[test]
fn the_longest_outage_of_a_look_up_lasts_until_the_first_tick_after_the_answer_is_forgotten() {
    let home = Home::new(LOOKED_UP);
    // What the tick at 1 h has learned is kept until 2 h 30 min and 20 ms. The next to ask is the tick at 3 h, and it finds
    // the other side well if that heals at that very instant.
    let question = ["--ask", "outage", "--find", "outage=1m..4h", "--step", "1m", "--at", "61m"];
    let found = answer(&home, 0, &[&question[..], &PLAIN].concat());
    assert_eq!([&found["holds"], &found["fails"]], ["1h 59m", "2h"], "{found:#}");
    assert_eq!(found["decided_by"], "nobody_is_rejected");
    // Without --at it begins as the first tick is about to ask, and whoever asks then is rejected.
    let found = answer(&home, 3, &[&["--ask", "outage"][..], &PLAIN].concat());
    assert_eq!((&found["found"], &found["fails"]), (&Json::from("all fail"), &Json::from("1s")));
    let note = found["notes"][0].as_str().expect("a note");
    assert_eq!(note, "look-ups get no answer from 1h on, when the first refresh is about to begin");
}

/// A minute away; each try takes a fifth of a second on one of eight workers, and is given up after 5 s for 1 s.
const TIPPED: &str = r#"
schema = 1
semantics = 1
front_end.start_up = "0s"
timeline = [
  { at = "1m", do = "stop", front_end = "fe01" },
  { at = "2m", do = "start", front_end = "fe01" },
]
run = { horizon = "30m", start = "established" }
validation = { validator = "sfb2015-cu2", accept = "200ms" }
[[group]]
name = "application"
count = 400
transport = "tcp"
attempt_timeout = "5s"
reconnect = { delay = "1s" }
"#;

#[test]
fn rule_33_the_trip_point_is_where_a_round_of_retries_no_longer_gets_past_the_stale_ones() {
    let home = Home::new(TIPPED);
    // All N try in step. Within the 5 s of a try 24 services end whose news arrives in time (2 ms are on the way): 192
    // succeed. In the 6 s until the next try 240 are served. The rest of N - 240 is stale and served before the new ones:
    // if that is 192 or more, nobody ever succeeds again. So 431 come back and 432 do not.
    let found = answer(&home, 0, &[&["--ask", "trip", "--find", "peers=400..460"][..], &PLAIN].concat());
    assert_eq!([&found["holds"], &found["fails"]], ["431", "432"], "{found:#}");
    assert_eq!(found["decided_by"], "comes_back");
    let note = found["notes"][0].as_str().expect("a note");
    assert_eq!(note, "the trigger is the scenario's own: front ends are away from 1m to 2m");
}

#[test]
fn rule_33_a_trigger_that_holds_is_recovered_from_in_a_scenarios_own_words_and_one_that_is_too_long_is_not() {
    // Who loses the connection waits up to a minute before the first try: the longer nobody serves, the more come at once.
    let (before, after) = TIPPED.split_once("timeline = [").expect("a timeline");
    let after = after.split_once("]\n").expect("its end").1;
    let spread = "reconnect = { first = { uniform = [\"0s\", \"60s\"] }, delay = \"1s\" }";
    let text = format!("{before}{after}").replace("reconnect = { delay = \"1s\" }", spread).replace("400", "864");
    let home = Home::new(&text);
    let found =
        answer(&home, 0, &[&["--ask", "trip", "--step", "1s", "--find", "trigger=1s..2m"][..], &PLAIN].concat());
    let [holds, fails] = [&found["holds"], &found["fails"]]
        .map(|text| refresh_sim::scenario::length(text.as_str().expect("a value")).expect("a length"));
    // After 30 s half of 864 peers come at once: 432, which is too many even with nobody else there.
    assert!(holds < fails && holds.0 < 30_000_000_000, "{found:#}");
    let note = found["notes"][0].as_str().expect("a note");
    let stop = note.split_once("stopped at ").and_then(|(_, rest)| rest.split_once(',')).expect("an instant").0;
    let stop = refresh_sim::scenario::length(stop).expect("a length");
    let minute = refresh_sim::time::Span::MINUTE;
    assert!(fails < minute, "{found:#}");
    for (length, course) in [(holds, "recovered"), (minute, "metastable")] {
        let at = refresh_sim::time::Span(stop.0 + length.0);
        let entries = format!(
            r#"--set=timeline=[{{at="{stop}",do="stop",front_end="fe01"}},{{at="{at}",do="start",front_end="fe01"}}]"#
        );
        let expect = format!("--set=expect.ends=verdict : value == {course}");
        home.run(&["run", "s.toml", "--no-results", &entries, &expect]).ends(0, &[]);
    }
}

#[test]
fn a_question_about_what_a_scenario_does_not_have_is_refused_by_name() {
    let home = Home::new(&TIPPED.replace("run = { horizon = \"30m\"", "run = { horizon = \"200s\""));
    home.run(&["capacity", "s.toml", "--ask", "outage"]).ends(2, &["--ask outage", "[[lookup]]", "validity.asks_at"]);
    home.run(&["capacity", "s.toml", "--ask", "jitter"]).ends(2, &["--ask jitter: the scenario has no [refresh]"]);
    let one = ["--set", "front_end.workers=1", "--set", "expect.a=outage : max <= 1s"];
    home.run(&[&["capacity", "s.toml", "--ask", "cores"][..], &one].concat()).ends(2, &["one worker", "--ask workers"]);
    let expect = ["--set", "expect.a=outage : max <= 1s"];
    let long = [&["capacity", "s.toml", "--find", "trigger=1s..10m"][..], &expect].concat();
    home.run(&long).ends(2, &["begins at 1m and lasts 10m ends after run.horizon"]);
    home.run(&["capacity", "s.toml", "--ask", "trip", "--set", "timeline=[]", "--set", "run.horizon=100s"])
        .ends(2, &["run.horizon, 1m 40s, is too short"]);
    let outage = [&["capacity", "s.toml", "--find", "outage=1s..1m"][..], &expect].concat();
    home.run(&outage).ends(2, &["--find outage: nothing can fail"]);
    let bare = [&["capacity", "s.toml", "--find", "trigger=1..9"][..], &expect].concat();
    home.run(&bare).ends(2, &["a length of time above 0s"]);
}

#[test]
fn cores_are_looked_for_among_the_workers_that_there_are() {
    // 100 of 100 ms at one tick for 16 workers: one of them takes the last when 84 have ended, ten services after the tick
    // or before that from 9 cores on.
    let home = Home::new(BATCH);
    let more = ["--set", "front_end.workers=16", "--set", "front_end.nodes=[{name=\"a\"}]"];
    let found = answer(&home, 0, &[&["--ask", "cores"][..], &more, &PLAIN].concat());
    assert_eq!([&found["holds"], &found["fails"]], ["9", "8"], "{found:#}");
}

/// A tick of all peers at once, 100 ms each, half of them on each of two front ends.
const BATCH: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "150s"
start = "established"
[front_end]
start_up = "0s"
workers = 4
nodes = [{ name = "a" }, { name = "b" }]
[refresh]
every = "100s"
[validation]
validator = "sfb2015-cu2"
refresh = "100ms"
[[group]]
name = "peers"
count = 100
transport = "tcp"
rtt = "0s"
failover = { order = "round-robin" }
[expect]
prompt = "lateness in refresh : max <= 1050ms"
"#;

#[test]
fn with_several_front_ends_one_of_them_is_lost_by_default_and_with_one_none_is() {
    let home = Home::new(BATCH);
    let ran = home.run(&[&["capacity", "s.toml", "--find", "peers=2..200"][..], &PLAIN].concat()).ends(0, &[]);
    for words in ["with all front ends: peers: ", "\nwith 1 lost: peers: 44 is the largest value that holds, 45 "] {
        assert!(ran.out.contains(words), "{words:?} is not in: {}", ran.out);
    }
    let said = "again with 1 front end lost, 6 cases each: ";
    assert!(ran.err.contains(said) && ran.err.contains(" runs at most, in about "), "{}", ran.err);
    let off = answer(&home, 0, &[&["--find", "peers=2..200", "--with-down", "0"][..], &PLAIN].concat());
    assert_eq!((&off["down"], &off["all_up"]), (&Json::from(0), &Json::Null));
    let one =
        answer(&home, 0, &[&["--find", "peers=1..99", "--set", "front_end.nodes=[{name=\"a\"}]"][..], &PLAIN].concat());
    assert_eq!((&one["down"], &one["holds"]), (&Json::from(0), &Json::from("44")));
}

#[test]
fn the_frontier_of_workers_and_peers_is_the_staircase_that_theory_gives() {
    let home = Home::new(BATCH);
    let one = "--set=front_end.nodes=[{name=\"a\"}]";
    let finds = ["--find", "front_end.workers & front_end.cores=1..6", "--find", "peers=1..100", "--curve", "f.csv"];
    let found = answer(&home, 0, &[&finds[..], &[one]].concat());
    // The last of N waits for (N - 1) / c services, rounded down: at most ten of them for N up to 11 c.
    for workers in 1..=6u64 {
        let row = &found["frontier"][workers as usize - 1];
        let expected = [workers.to_string(), (11 * workers).to_string(), (11 * workers + 1).to_string()];
        assert_eq!(
            [&row["value"], &row["holds"], &row["fails"]].map(|v| v.as_str().expect("text").to_owned()),
            expected
        );
        assert_eq!(row["decided_by"], "prompt");
    }
    assert!(home.text("f.csv").contains("\n4,4,limit,44,44,45,45,prompt\n"), "{}", home.text("f.csv"));
    // A search that begins at its neighbour's limit looks at fewer values than one over the whole range.
    let looked = |nth: usize| found["frontier"][nth]["values"].as_array().expect("values").len();
    assert!((1..6).all(|nth| looked(nth) < looked(0) + 2), "{found:#}");
    let text = home.run(&[&["capacity", "s.toml", one][..], &finds[..4]].concat()).ends(0, &[]).out;
    assert!(text.contains("  4     44     45          -  prompt      #################"), "{text}");
    home.run(&[&["capacity", "s.toml", "--find", "peers=1..9"][..], &finds[2..4]].concat())
        .ends(2, &["the same value"]);
    home.run(&[&["capacity", "s.toml", "--find", "refresh.spread=0s..1s"][..], &finds[..4]].concat())
        .ends(2, &["twice"]);
    home.run(&[&["capacity", "s.toml", "--step", "2"][..], &finds[..4]].concat())
        .ends(2, &["--step is for one --find"]);
}

#[test]
fn an_answer_lists_what_it_depends_on_most_with_where_that_comes_from() {
    let home = Home::new(BATCH);
    let one = ["--set", "front_end.nodes=[{name=\"a\"}]", "--find", "peers=1..200"];
    for how in ["screen", "full"] {
        let found = answer(&home, 0, &[&one[..], &["--sensitivity", how]].concat());
        assert_eq!([&found["holds"], &found["calibrated"]], [&Json::from("44"), &Json::from(false)]);
        let most = found["sensitivity"]["most"].as_array().expect("inputs");
        // With s the service, N may be c (1 + floor(1050 ms / s)): 4 (1 + 13) = 56 for 80 ms, 4 (1 + 8) = 36 for 125 ms.
        // With 3 workers 33, with 5 of them 55.
        let row =
            |path: &str| most.iter().find(|row| row["input"] == path).unwrap_or_else(|| panic!("{path}: {found:#}"));
        let cost = row("validation.refresh");
        assert_eq!([&cost["at_0.8"], &cost["at_1.25"], &cost["source"]], ["56", "36", "given"]);
        let workers = row("front_end.workers & front_end.cores");
        assert_eq!([&workers["at_0.8"], &workers["at_1.25"]], ["33", "55"]);
        assert!(most.len() <= 5 && most[0] == *cost, "{found:#}");
        let by = if how == "full" { "rule 32" } else { "majority" };
        assert_eq!(found["sensitivity"]["by"], by);
    }
    let none = answer(&home, 0, &[&one[..], &PLAIN].concat());
    assert_eq!(none["sensitivity"], Json::Null);
    let text = home.run(&[&["capacity", "s.toml"][..], &one].concat()).ends(0, &[]).out;
    for words in ["What it depends on most (a guess, by the majority of 5 replications", "uncalibrated: costs are"] {
        assert!(text.contains(words), "{words:?} is not in: {text}");
    }
}

#[test]
fn measured_percentiles_take_the_place_of_a_cost_and_make_the_answer_calibrated() {
    let home = Home::new(BATCH);
    let one = ["--set", "front_end.nodes=[{name=\"a\"}]", "--find", "peers=1..200"];
    // Always 40 ms: N up to c (1 + 26) = 108.
    home.file("m.csv", "input,percentile,value\nvalidation.refresh,p0,40ms\nvalidation.refresh,p99,40ms\n");
    let found = answer(&home, 0, &[&one[..], &["--calibrate", "m.csv"]].concat());
    assert_eq!([&found["holds"], &found["measured"][0]], ["108", "validation.refresh"]);
    assert_eq!(found["calibrated"], true, "{found:#}");
    assert_eq!(found["notes"][0], "measured: validation.refresh is cut off at its p99");
    // What is set wins over what is measured, and every command takes measurements.
    let set = [&one[..], &["--calibrate", "m.csv", "--set", "validation.refresh=100ms"], &PLAIN].concat();
    assert_eq!(answer(&home, 0, &set)["holds"], "44");
    let plan = home.run(&["resolve", "s.toml", "--calibrate", "m.csv"]).ends(0, &[]).out;
    assert!(plan.contains("percentiles = [[\"p0\", \"40ms\"], [\"p99\", \"40ms\"], [\"p100\", \"40ms\"]]"), "{plan}");
    home.run(&["selfcheck", "s.toml", "--calibrate", "m.csv"]).ends(0, &[]);
    for (text, words) in [
        ("input,percentile,value\nvalidation.refresh,p50,50\n", "2:3: column `value`: \"50\" is not accepted"),
        ("input,percentile,value\na,p50,2ms\na,p99,1ms\n", "3:3: column `value`"),
        ("input,percentile\n", "1:1: the first row must name the columns"),
    ] {
        home.file("m.csv", text);
        home.run(&["capacity", "s.toml", "--ask", "peers", "--calibrate", "m.csv"]).ends(2, &["m.csv", words]);
    }
    home.run(&["capacity", "s.toml", "--ask", "peers", "--calibrate", "no.csv"]).ends(2, &["no.csv", "no such file"]);
    home.file("m.csv", "input,percentile,value\nvalidation.refrsh,p0,50ms\nvalidation.refrsh,p99,50ms\n");
    home.run(&["capacity", "s.toml", "--ask", "peers", "--calibrate", "m.csv"]).ends(2, &["refrsh", "did you mean"]);
}
