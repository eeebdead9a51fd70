//! `replay`: results run again from what they hold, and results that have been meddled with.

use std::fs;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::{Home, INCIDENT, Ran};
use crate::child::{HOW, words};

const RECORD: &str = "r/verdicts.jsonl.gz";

/// A result in `r`, judged by a program that takes times of its own.
fn judged_outside() -> Home {
    let home = Home::new(INCIDENT);
    let words = words();
    let all: Vec<&str> =
        ["run", "s.toml", "--out", "r", "--validator"].into_iter().chain(words.iter().map(String::as_str)).collect();
    let output = home.command(&all).env(HOW, "costs").output().expect("it starts");
    Ran::of(output).ends(1, &["fe01 crashed"]);
    home
}

fn record(home: &Home) -> String {
    let bytes = fs::read(home.path(RECORD)).expect("a record");
    let mut text = String::new();
    GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("gzip");
    text
}

fn write_record(home: &Home, text: &str) {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text.as_bytes()).expect("written");
    fs::write(home.path(RECORD), out.finish().expect("finished")).expect("written");
}

#[test]
fn a_result_judged_outside_is_the_same_again_without_its_validator() {
    let home = judged_outside();
    let text = record(&home);
    assert!(text.starts_with("{\"schema\":\"refresh-sim.verdicts/1\""), "{text}");
    let verdicts = text.lines().count() - 1;
    assert!(text.contains("\"verdict\":\"fault\",\"code\":\"0xc0000005\""), "{text}");
    // HOW is not set: a validator that were started would do nothing.
    let ran = home.run(&["replay", "r"]).ends(0, &[]);
    assert!(ran.out.contains(&format!("with {verdicts} verdicts from its record")), "{}", ran.out);
    let digest =
        serde_json::from_str::<serde_json::Value>(&home.text("r/summary.json")).expect("JSON")["digest"].clone();
    assert!(ran.out.contains(digest.as_str().expect("a digest")), "{}", ran.out);
}

#[test]
fn a_result_of_built_in_logic_is_the_same_again_and_a_meddled_one_is_5() {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml", "--out", "r", "--trace", "full"]).ends(1, &[]);
    let ran = home.run(&["replay", "r"]).ends(0, &[]);
    assert!(ran.out.starts_with("r: the same again: "), "{}", ran.out);
    let plan = home.text("r/plan.toml");
    home.file("r/plan.toml", &plan.replace("every = \"1d\"", "every = \"23h\""));
    let ran = home.run(&["replay", "r"]).ends(5, &[]);
    for word in
        ["the replay differs: another digest", "on record", "first line that records.jsonl does not have", "82925"]
    {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
}

#[test]
fn a_replay_stops_at_the_first_question_that_is_not_on_record() {
    let home = judged_outside();
    let plan = home.text("r/plan.toml");
    home.file("r/plan.toml", &plan.replace("every = \"1d\"", "every = \"23h\""));
    let ran = home.run(&["replay", "r"]).ends(5, &[]);
    for word in [
        "question 22 is not the same:",
        "now        refresh of",
        "on record  refresh of",
        " at 23h 2m 5s",
        " at 1d 2m 5s",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
}

#[test]
fn a_record_that_was_meddled_with_is_told_from_a_run_that_differs() {
    let home = judged_outside();
    let text = record(&home);
    let lines: Vec<&str> = text.lines().collect();
    let cases: [(String, i32, &str); 8] = [
        // Fewer verdicts than questions, and more.
        (lines[..10].join("\n") + "\n", 5, "the record ends after 9 verdicts, and one more is asked for"),
        (text.clone() + lines[3] + "\n", 5, "and the record goes on:"),
        // Another verdict, without its effect.
        (
            text.replacen("\"accept\",\"cost_ns\"", "\"reject\",\"reason\":\"other\",\"cost_ns\"", 1),
            5,
            "is not the same",
        ),
        (text.replacen("accept\",\"attempt\"", "refresh\",\"attempt\"", 1), 5, "question 1 is not the same"),
        // No record at all.
        (text.replacen("verdicts/1", "verdicts/2", 1), 2, "this program reads \"refresh-sim.verdicts/1\""),
        (text.replacen("\"verdict\"", "\"verdikt\"", 1), 2, "line 2 of verdicts.jsonl.gz: unknown field `verdikt`"),
        (format!("{}\n{}", lines[0], "x".repeat(10_000)), 2, "more bytes than a line has"),
        (String::new(), 2, "it is empty"),
    ];
    for (changed, code, word) in cases {
        write_record(&home, &changed);
        let ran = home.run(&["replay", "r"]).ends(code, &[]);
        assert!(format!("{}{}", ran.out, ran.err).contains(word), "{word}: {}{}", ran.out, ran.err);
    }
    write_record(&home, &text);
    let whole = fs::read(home.path(RECORD)).expect("read");
    fs::write(home.path(RECORD), &whole[..whole.len() - 9]).expect("written");
    home.run(&["replay", "r"]).ends(2, &["verdicts.jsonl.gz", "cannot be read"]);
    fs::write(home.path(RECORD), b"no gzip").expect("written");
    home.run(&["replay", "r"]).ends(2, &["cannot read r/verdicts.jsonl.gz"]);
    fs::remove_file(home.path(RECORD)).expect("removed");
    home.run(&["replay", "r"]).ends(2, &["cannot read r/verdicts.jsonl.gz: no such file or folder"]);
}

#[test]
fn what_is_no_whole_result_is_refused() {
    let home = Home::new(INCIDENT);
    home.run(&["replay", "nothing"]).ends(2, &["cannot read nothing: no such folder"]);
    home.run(&["replay", "s.toml"]).ends(2, &["it is a file; give the folder of a result"]);
    fs::create_dir(home.path("empty")).expect("made");
    home.run(&["replay", "empty"]).ends(2, &["empty is no results folder of refresh-sim: it has no summary.json"]);
    home.file("empty/summary.json", "{\"schema\": 3}");
    home.run(&["replay", "empty"]).ends(2, &["no results folder of refresh-sim: its summary.json"]);
    home.run(&["run", "s.toml", "--out", "r"]).ends(1, &[]);
    home.file("r/INCOMPLETE", "refresh-sim: this result is not complete.\n");
    home.run(&["replay", "r"]).ends(2, &["r is not complete", "--incomplete"]);
    home.run(&["replay", "r", "--incomplete"]).ends(2, &["nothing to compare a replay with", "run r/plan.toml"]);
    fs::remove_file(home.path("r/INCOMPLETE")).expect("removed");
    home.file("r/plan.toml", "schema = 1\nsemantics = 9\n");
    home.run(&["replay", "r"]).ends(2, &["r/plan.toml", "this program reads version 1"]);
}

#[test]
fn an_incomplete_result_judged_outside_is_replayed_as_far_as_its_record_goes() {
    let home = judged_outside();
    let text = record(&home);
    let lines: Vec<&str> = text.lines().collect();
    write_record(&home, &(lines[..31].join("\n") + "\n"));
    home.file("r/INCOMPLETE", "refresh-sim: this result is not complete.\n");
    home.run(&["replay", "r"]).ends(2, &["--incomplete"]);
    let ran = home.run(&["replay", "r", "--incomplete"]).ends(3, &[]);
    assert!(ran.out.contains("all 30 questions on record are asked again in their order"), "{}", ran.out);
}

/// The incident with a date, run into `r`.
fn dated() -> Home {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml", "--set", "run.epoch=2015-07-11T15:32:42Z", "--out", "r"]).ends(1, &[]);
    home
}

#[test]
fn a_window_is_a_line_a_decision_with_times_names_and_words_and_then_the_digest() {
    let home = dated();
    let ran = home.run(&["replay", "r", "--peer", "rcc", "--from", "1d", "--until", "1d 3m"]).ends(0, &[]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("run time            since service start  date (UTC)"), "{}", ran.out);
    let asked = lines.iter().find(|line| line.contains("asked about at refresh: fault")).expect("the fatal question");
    for word in ["1d 00:02:05.0", "1d 00:00:00.0", "2015-07-12 15:34:47.0", "fe01", "  rcc  "] {
        assert!(asked.contains(word), "{word}: {asked}");
    }
    assert!(lines[1..lines.len() - 3].iter().all(|line| line.contains("  rcc  ")), "{}", ran.out);
    assert!(ran.out.contains("connection lost: the front end crashed"), "{}", ran.out);
    assert!(ran.out.contains("r: the same again: ") && ran.out.contains("\ndigest: "), "{}", ran.out);
    // The same by the date.
    let by_date = ["--from", "2015-07-12T15:32:42Z", "--until", "2015-07-12T15:35:42Z"];
    let by_date: Vec<&str> = ["replay", "r", "--peer", "rcc/0"].into_iter().chain(by_date).collect();
    assert_eq!(home.run(&by_date).ends(0, &[]).out, ran.out);
}

#[test]
fn filters_combine_and_a_window_that_is_cut_says_so() {
    let home = dated();
    let front_end = home.run(&["replay", "r", "--front-end", "fe01", "--from", "1d", "--limit", "2"]).ends(0, &[]);
    assert!(front_end.out.contains("refresh tick, incarnation 1"), "{}", front_end.out);
    assert!(front_end.out.contains("\ncut: ") && front_end.out.contains(" shows all"), "{}", front_end.out);
    let none = home.run(&["replay", "r", "--peer", "rcc", "--from", "30m", "--until", "31m"]).ends(0, &[]);
    assert!(none.out.starts_with("no decision fits all of the filters"), "{}", none.out);
    let both = ["replay", "r", "--peer", "rcc", "--peer", "contact-centre/3", "--from", "1d", "--format", "json"];
    let both = home.run(&both).ends(0, &[]);
    let lines: Vec<serde_json::Value> =
        both.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let (last, decisions) = lines.split_last().expect("lines");
    assert!(decisions.iter().all(|line| line["peer"] == "rcc" || line["peer"] == "contact-centre/3"), "{}", both.out);
    assert!(decisions.iter().any(|line| line["words"] == "asked about at refresh: fault"), "{}", both.out);
    assert_eq!((&last["kind"], &last["same"]), (&"replay".into(), &true.into()));
    assert_eq!((&last["shown"], &last["left_out"]), (&decisions.len().into(), &0.into()));
}

#[test]
fn what_a_window_cannot_show_is_refused_before_anything_runs() {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml", "--out", "r"]).ends(1, &[]);
    let cases: [(&[&str], &str); 9] = [
        (&["--peer", "contact-center/3"], "no peer `contact-center/3`; did you mean `contact-centre/3`?"),
        (&["--peer", "contact-centre/20"], "group contact-centre has contact-centre/0 to contact-centre/19"),
        (&["--peer", ""], "the groups are `contact-centre`, `rcc`"),
        (&["--front-end", "fe02"], "no front end `fe02`; did you mean `fe01`?"),
        (&["--from", "3d"], "--from: `3d` is after the end of the run, which is 2d long"),
        (&["--from", "2h", "--until", "1h"], "--from 2h is after --until 1h"),
        (&["--until", "yesterday"], "accepted is a time since the run's start, e.g. 1d 2m 5.5s"),
        (&["--from", "2015-07-12T15:34:47Z"], "is a date, and the run has none"),
        (&["--limit", "0"], "0 is not in 1..=1000000"),
    ];
    for (filters, words) in cases {
        let all: Vec<&str> = ["replay", "r"].iter().chain(filters).copied().collect();
        home.run(&all).ends(2, &[words]);
    }
}

#[test]
fn a_window_on_a_run_that_differs_shows_the_difference_and_nothing_else() {
    let home = Home::new(INCIDENT);
    home.run(&["run", "s.toml", "--out", "r"]).ends(1, &[]);
    let plan = home.text("r/plan.toml");
    home.file("r/plan.toml", &plan.replace("every = \"1d\"", "every = \"23h\""));
    let ran = home.run(&["replay", "r", "--peer", "rcc"]).ends(5, &[]);
    assert!(ran.out.starts_with("r: the replay differs"), "{}", ran.out);
    let ran = home.run(&["replay", "r", "--peer", "rcc", "--format", "json"]).ends(5, &[]);
    assert!(ran.out.lines().count() == 1 && ran.out.contains("\"same\":false"), "{}", ran.out);
    let ran = home.run(&["explain", "r", "--peer", "rcc"]).ends(5, &[]);
    assert!(ran.out.starts_with("r: the replay differs"), "{}", ran.out);
}

#[test]
fn a_window_on_a_result_judged_outside_needs_no_validator() {
    let home = judged_outside();
    let ran = home.run(&["replay", "r", "--peer", "rcc", "--from", "1d"]).ends(0, &[]);
    assert!(ran.out.contains("asked about at refresh: fault"), "{}", ran.out);
    let ran = home.run(&["explain", "r", "--peer", "rcc", "--at", "1d 2m 6s"]).ends(0, &[]);
    assert!(ran.out.contains("asked about at refresh: fault"), "{}", ran.out);
}
