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
