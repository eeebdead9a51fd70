//! `sweep`: what it makes of axes, that it goes on where it was killed, and that shards together are the whole.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::{ENDLESS, Home, INCIDENT};

/// Runs quick enough to make many, and slow enough to be killed among them.
fn scenario() -> String {
    let drawn = INCIDENT.replace("transport = \"tls\"", "transport = \"tls\"\nrtt = { exponential = \"20ms\" }");
    format!("{}[expect]\nlives = \"crashes : value == 0\"\n", drawn.replace("rtm", "cu2"))
}

/// Every file below a folder with its bytes.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            all.extend(bytes(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            all.insert(name, fs::read(path).expect("bytes"));
        }
    }
    all
}

const AXES: [&str; 4] = ["--vary", "group.0.count=10..14", "--vary", "refresh.every=6h,12h"];

fn sweep<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["sweep", "s.toml"][..], &AXES, more].concat()
}

#[test]
fn a_sweep_has_a_row_for_each_cell_and_value_and_runs_nothing_twice() {
    let home = Home::new(&scenario());
    let ran = home.run(&sweep(&["--replications", "2"])).ends(0, &[]);
    assert!(ran.out.starts_with("20 cells run, 0 there already\nall 20 cells are there\n"), "{}", ran.out);
    let folder = home.path("results/sweeps/s");
    let first = bytes(&folder);
    assert_eq!(first.keys().filter(|name| name.starts_with("cells/")).count(), 20);
    let table = home.text("results/sweeps/s/cells.csv");
    let head = "cell,group.0.count,refresh.every,replication,metric,group,cause,statistic,unit,value\n";
    assert!(table.starts_with(head), "{table}");
    assert!(table.contains("\n9,14,12h,1,crashes,,,value,count,0\n"), "{table}");
    assert!(table.contains("\n0,10,6h,0,expect.lives,,,holds,bool,1\n"), "{table}");
    let ran = home.run(&sweep(&["--replications", "2"])).ends(0, &[]);
    assert!(ran.out.starts_with("0 cells run, 20 there already\n"), "{}", ran.out);
    assert_eq!(bytes(&folder), first);
}

#[test]
fn what_a_cell_says_is_what_run_says() {
    let home = Home::new(&scenario());
    home.run(&sweep(&["--replications", "2", "--out", "w"])).ends(0, &[]);
    let args = ["run", "s.toml", "--no-results", "--format", "json", "--set", "group.0.count=12"];
    let run = home.run(&[&args[..], &["--set", "refresh.every=6h", "--replication", "1"]].concat()).ends(0, &[]);
    let summary: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let digest = summary["digest"].as_str().expect("a digest").to_owned();
    let cells = bytes(&home.path("w/cells"));
    let with = |cell: &&Vec<u8>| String::from_utf8_lossy(cell).contains(&digest);
    assert_eq!(cells.values().filter(with).count(), 1);
}

#[test]
fn a_sweep_grows_by_points_and_replications_and_is_then_as_one_made_at_once() {
    let home = Home::new(&scenario());
    home.run(&["sweep", "s.toml", "--vary", "group.0.count=10,12", "--vary", AXES[3], "--out", "a"]).ends(0, &[]);
    let ran = home.run(&sweep(&["--replications", "3", "--out", "a", "--jobs", "1"])).ends(0, &[]);
    assert!(ran.out.starts_with("26 cells run, 4 there already\n"), "{}", ran.out);
    home.run(&sweep(&["--replications", "3", "--out", "b", "--jobs", "3"])).ends(0, &[]);
    assert_eq!(bytes(&home.path("a")), bytes(&home.path("b")));
}

#[test]
fn cells_of_another_program_are_told_and_not_taken_for_its_own() {
    let home = Home::new(&scenario());
    home.run(&sweep(&["--out", "a"])).ends(0, &[]);
    let text = home.text("a/sweep.json");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let own = json["program"].as_str().expect("a program").to_owned();
    assert!(own.starts_with(&format!("{}+", env!("CARGO_PKG_VERSION"))), "{own}");
    // As a program of the same version and another source would have left it: its keys are others.
    home.file("a/sweep.json", &text.replace(&own, "0.1.0+0123456789abcdef"));
    let ran = home.run(&["sweep", "status", "a"]).ends(3, &[]);
    assert!(ran.out.contains("10 of 10 cells are missing"), "{}", ran.out);
    home.run(&["sweep", "merge", "--out", "m", "a"]).ends(3, &[]);
    let ran = home.run(&sweep(&["--out", "m"])).ends(0, &["are of the program 0.1.0+0123456789abcdef, and this is"]);
    assert!(ran.out.starts_with("10 cells run, 0 there already\n"), "{}", ran.out);
}

#[test]
fn linked_axes_and_latin_samples_have_as_many_points_as_they_say() {
    let home = Home::new(&scenario());
    let linked = "front_end.workers=1,2,4 & front_end.cores=1,2,4";
    home.run(&["sweep", "s.toml", "--vary", linked, "--out", "a"]).ends(0, &[]);
    assert!(home.text("a/cells.csv").contains("\n2,4,4,0,"), "both are set");
    let latin = ["--vary", "group.0.count=1..400", "--vary", "group.0.rtt=1ms..1s:log2", "--samples", "7"];
    home.run(&[&["sweep", "s.toml", "--out", "b"][..], &latin].concat()).ends(0, &[]);
    assert_eq!(home.names("b/cells").len(), 7);
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let home = Home::new(&scenario());
    home.run(&["sweep"]).ends(2, &["which scenario"]);
    home.run(&["sweep", "s.toml", "--vary", "group.0.count"]).ends(2, &["PATH=VALUES"]);
    home.run(&["sweep", "s.toml", "--vary", "group.0.count=1..100000"]).ends(2, &["how many values"]);
    home.run(&["sweep", "s.toml", "--vary", "group.0.cuont=1,2"]).ends(2, &["cuont", "group.0.cuont=1"]);
    home.run(&["sweep", "s.toml", "--vary", "group.0.count=5,x"]).ends(2, &["nothing ran", "group.0.count=x"]);
    home.run(&["sweep", "s.toml", "--vary", "run.seed=1,2", "--vary", "run.seed=3"]).ends(2, &["varied twice"]);
    home.run(&sweep(&["--shard", "4/4"])).ends(2, &["from 0 to N-1"]);
    home.run(&sweep(&["--shard", "auto/4"])).ends(2, &["HQ_TASK_ID"]);
    assert_eq!(home.names("."), ["s.toml"]);
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_is_in_a_build_that_was_asked_for_it_and_others_say_how_to_get_it() {
    let home = Home::new(&scenario());
    let how = ["cargo build --release --features parquet"];
    home.run(&sweep(&["--parquet"])).ends(2, &how);
    home.run(&["sweep", "merge", "--parquet", "--out", "m", "a"]).ends(2, &how);
    home.run(&["run", "s.toml", "--replications", "2", "--parquet"]).ends(2, &how);
    assert_eq!(home.names("."), ["s.toml"], "nothing ran");
}

#[cfg(feature = "parquet")]
#[test]
fn tables_as_parquet_stand_beside_those_as_text_and_never_of_other_cells() {
    let home = Home::new(&scenario());
    home.run(&sweep(&["--parquet", "--out", "a"])).ends(0, &[]);
    let files = bytes(&home.path("a"));
    let (cells, summary) = (&files["cells.parquet"], &files["summary.parquet"]);
    assert!(cells.starts_with(b"PAR1") && cells.ends_with(b"PAR1") && summary.ends_with(b"PAR1"));
    home.run(&["sweep", "merge", "--parquet", "--out", "m", "a"]).ends(0, &[]);
    assert_eq!(bytes(&home.path("m")), files);
    home.run(&sweep(&["--out", "a", "--replications", "2"])).ends(0, &[]);
    assert!(!home.names("a").contains(&"cells.parquet".to_owned()), "it would be that of fewer cells");
    home.run(&["run", "s.toml", "--replications", "2", "--parquet", "--out", "r"]).ends(0, &[]);
    assert!(home.names("r").contains(&"summary.parquet".to_owned()));
}

#[test]
fn a_folder_that_is_not_ours_is_left_as_it_is() {
    let home = Home::new(&scenario());
    fs::create_dir(home.path("mine")).expect("made");
    home.file("mine/letter.txt", "dear");
    home.run(&sweep(&["--out", "mine"])).ends(8, &["not the folder of a sweep"]);
    home.run(&sweep(&["--out", "s.toml"])).ends(8, &["s.toml"]);
    assert_eq!(home.names("mine"), ["letter.txt"]);
}

#[test]
fn a_cell_that_is_damaged_runs_again() {
    let home = Home::new(&scenario());
    home.run(&sweep(&["--out", "a"])).ends(0, &[]);
    let whole = bytes(&home.path("a"));
    let name = whole.keys().find(|name| name.starts_with("cells/")).expect("a cell").clone();
    fs::write(home.path("a").join(&name), &whole[&name][..200]).expect("written");
    let ran = home.run(&["sweep", "status", "a"]).ends(3, &[]);
    assert!(ran.out.contains("1 of 10 cells are missing"), "{}", ran.out);
    home.run(&sweep(&["--out", "a"])).ends(0, &[]);
    assert_eq!(bytes(&home.path("a")), whole);
}

#[test]
fn shards_in_any_split_and_order_make_the_same_bytes_as_the_whole() {
    let home = Home::new(&scenario());
    home.run(&sweep(&["--out", "whole"])).ends(0, &[]);
    let whole = bytes(&home.path("whole"));
    for (nth, shards) in [1, 2, 3, 11].into_iter().enumerate() {
        let parts: Vec<String> = (0..shards).map(|shard| format!("part-{nth}-{shard}")).collect();
        for (shard, part) in parts.iter().enumerate() {
            home.run(&sweep(&["--out", part, "--shard", &format!("{shard}/{shards}")])).ends(0, &[]);
        }
        let out = format!("merged-{nth}");
        let reversed: Vec<&str> = parts.iter().rev().map(String::as_str).collect();
        home.run(&[&["sweep", "merge", "--out", &out][..], &reversed].concat()).ends(0, &[]);
        assert_eq!(bytes(&home.path(&out)), whole, "{shards} shards");
    }
}

#[test]
fn a_shard_takes_its_number_from_the_scheduler_and_several_may_share_a_folder() {
    let home = Home::new(&scenario());
    home.run(&sweep(&["--out", "whole"])).ends(0, &[]);
    for (name, shard) in [("HQ_TASK_ID", "0"), ("SLURM_ARRAY_TASK_ID", "1"), ("JOB_COMPLETION_INDEX", "2")] {
        let mut command = home.command(&sweep(&["--out", "a", "--shard", "auto/3"]));
        let output = command.env(name, shard).output().expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let tables = home.names("a").contains(&"cells.csv".to_owned());
        assert_eq!(tables, shard == "2", "tables when all is there");
    }
    assert_eq!(bytes(&home.path("a")), bytes(&home.path("whole")));
}

#[test]
fn parts_that_are_missing_or_of_another_sweep_or_not_the_same_are_told() {
    let home = Home::new(&scenario());
    home.run(&sweep(&["--out", "a", "--shard", "0/2"])).ends(0, &[]);
    let ran = home.run(&["sweep", "merge", "--out", "m", "a"]).ends(3, &[]);
    assert!(ran.out.contains("5 of 10 cells are missing in m:\n  group.0.count=10 refresh.every=12h\n"), "{}", ran.out);
    assert!(!home.names("m").contains(&"cells.csv".to_owned()), "a table of a part would pass for one of all");
    home.run(&["sweep", "s.toml", "--out", "b", "--vary", AXES[1]]).ends(0, &[]);
    home.run(&["sweep", "merge", "--out", "m", "a", "b"]).ends(2, &["not parts of one sweep"]);
    home.run(&["sweep", "merge", "--out", "m", "nowhere"]).ends(2, &["nowhere"]);
    home.run(&sweep(&["--out", "c"])).ends(0, &[]);
    let name = home.names("a/cells")[0].clone();
    let text = home.text(&format!("c/cells/{name}")).replace("\"digest\":\"", "\"digest\":\"0");
    home.file(&format!("c/cells/{name}"), &text);
    home.run(&["sweep", "merge", "--out", "m", "a", "c"]).ends(5, &["not the same everywhere"]);
}

#[test]
fn progress_says_how_many_and_how_long_it_will_take() {
    let home = Home::new(&scenario());
    let ran = home.run(&sweep(&["--progress"])).ends(0, &["running 10 cells\n", "10 of 10 cells, ", "left\n"]);
    assert!(ran.out.starts_with("10 cells run"), "{}", ran.out);
}

#[test]
fn sigterm_is_143_and_keeps_what_ran() {
    let home = Home::new(&scenario());
    let args = [&sweep(&["--progress"])[..], &ENDLESS[..3]].concat();
    let mut child = home.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // Byte by byte: what comes after the line is left in the pipe.
    let mut line = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    BufReader::with_capacity(1, stderr).read_line(&mut line).expect("a line");
    assert_eq!(line, "running 10 cells\n");
    let killed = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
}

/// Kills a sweep so many times, each time somewhere on its way, and lets it end.
fn killed(times: u32) {
    let home = Home::new(&scenario());
    let more = ["--replications", "12", "--set", "run.horizon=20d", "--jobs", "2"];
    home.run(&sweep(&[&more[..], &["--out", "whole"]].concat())).ends(0, &[]);
    let whole = bytes(&home.path("whole"));
    let cells = |folder: &str| fs::read_dir(home.path(folder).join("cells")).map_or(0, Iterator::count);
    // Where it is killed: after so many of the cells, in whatever it does just then. The last time it is not.
    let mut among = 0;
    for nth in 0..times {
        let folder = format!("killed-{}", nth % 5);
        let wanted = (cells(&folder) + 1 + (nth as usize * 37) % 23).min(119);
        let mut child = home.command(&sweep(&[&more[..], &["--out", &folder]].concat()));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        while cells(&folder) < wanted && child.try_wait().expect("its state").is_none() {
            std::thread::sleep(Duration::from_micros(u64::from(nth * 7919 % 997)));
        }
        child.kill().expect("kill -9");
        child.wait().expect("it ends");
        among += u32::from(cells(&folder) < 120);
    }
    assert!(among > 0, "it was never killed on its way");
    for nth in 0..times.min(5) {
        let folder = format!("killed-{nth}");
        home.run(&sweep(&[&more[..], &["--out", &folder]].concat())).ends(0, &[]);
        assert!(bytes(&home.path(&folder)) == whole, "{folder}: other bytes, or files left over");
    }
}

#[test]
fn killed_five_times_a_sweep_ends_with_the_bytes_of_one_never_interrupted() {
    killed(5);
}

#[test]
#[ignore = "long: fifty kills"]
fn killed_fifty_times_a_sweep_ends_with_the_bytes_of_one_never_interrupted() {
    killed(50);
}
