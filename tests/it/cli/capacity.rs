//! `capacity`: it finds what theory knows, says what decides, and says so where there is no answer.

use serde_json::Value as Json;

use super::{ENDLESS, Home, INCIDENT};

/// A tick of all peers at once, 100 ms each.
const BATCH: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "150s"
start = "established"
[front_end]
start_up = "0s"
workers = 4
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
[expect]
prompt = "lateness in refresh : max <= 1050ms"
lives = "crashes : value == 0"
"#;

fn answer(home: &Home, code: i32, more: &[&str]) -> Json {
    let args = [&["capacity", "s.toml", "--format", "json"][..], more].concat();
    serde_json::from_str(&home.run(&args).ends(code, &[]).out).expect("JSON")
}

#[test]
fn rule_32_a_batch_on_workers_has_the_limit_that_theory_gives() {
    let home = Home::new(BATCH);
    // Who is n-th in line, from 0, waits for n / c services, rounded down: the last of N for (N - 1) / c of 100 ms. That
    // is at most 1.05 s for N up to 11 c = 44 on 4 workers.
    let peers = answer(&home, 0, &["--find", "peers=1..500"]);
    assert_eq!([&peers["holds"], &peers["fails"]], ["44", "45"]);
    assert_eq!(peers["decided_by"], "prompt");
    // And for 100 peers, with 99 / c at most 10, from 10 workers on.
    let workers = answer(&home, 0, &["--ask", "workers"]);
    assert_eq!([&workers["holds"], &workers["fails"]], ["10", "9"]);
    let found = home.run(&["capacity", "s.toml", "--ask", "workers", "--curve", "c.csv"]).ends(0, &[]);
    for line in [
        "front_end.workers & front_end.cores: 10 is the smallest value that holds, 9 the largest that fails;\n",
        "\ndecided by prompt: lateness in refresh : max <= 1050ms\n",
        "  refresh of everybody, at best: 2.5s\n      if nothing else needs the cores",
        "\nat 10, the worst of 59 replications:\n  prompt  900ms (max <= 1050ms), 85.",
    ] {
        assert!(found.out.contains(line), "{line:?} is not in: {}", found.out);
    }
    assert!(home.text("c.csv").contains("\n9,9,fails,0,7,7,prompt,ns,1101004799,"), "{}", home.text("c.csv"));
}

#[test]
fn with_a_front_end_lost_the_pool_carries_what_the_rest_can() {
    // Two front ends with 4 workers each, and half of the peers on each: both carry 44 of their own, one alone carries 44.
    let two = BATCH.replace("workers = 4", "workers = 4\nnodes = [{ name = \"a\" }, { name = \"b\" }]").replace(
        "[[group]]\nname = \"peers\"\ncount = 100\n",
        "[[group]]\nname = \"of-a\"\ncount = 50\ntransport = \"tcp\"\nrtt = \"0s\"\nfront_ends = [\"a\", \"b\"]\n\
         [[group]]\nname = \"of-b\"\ncount = 50\nfront_ends = [\"b\", \"a\"]\n",
    );
    let home = Home::new(&two);
    // A sweep of a refresh after the loss: those who came back are refreshed with the others.
    let found = answer(&home, 0, &["--find", "peers=2..200", "--with-down", "1"]);
    assert_eq!([&found["all_up"]["holds"], &found["all_up"]["fails"]], ["88", "89"], "{found:#}");
    assert_eq!([&found["holds"], &found["fails"]], ["44", "45"], "{found:#}");
    assert!(found["worst_loss"].as_str().is_some_and(|loss| loss.contains(" lost at ")), "{found:#}");
    home.run(&["capacity", "s.toml", "--ask", "peers", "--with-down", "2"]).ends(2, &["one at least has to stay"]);
}

/// Erlang's C by its sums, not by the recursion that the program has.
fn erlang_c(servers: u32, offered: f64) -> f64 {
    let term = |n: u32| (1..=n).fold(1.0, |term, k| term * offered / f64::from(k));
    let all = term(servers) / (1.0 - offered / f64::from(servers));
    all / ((0..servers).map(term).sum::<f64>() + all)
}

#[test]
fn rule_32_the_fewest_workers_for_a_wait_are_those_of_m_m_c() {
    let (rate, service) = (170.0, 100.0);
    let wait = |servers: u32| erlang_c(servers, rate / service) / (service * f64::from(servers) - rate);
    let limit = 0.006;
    let home = Home::new(&format!(
        r#"
schema = 1
semantics = 1
[run]
horizon = "210s"
start = "established"
[front_end]
start_up = "0s"
workers = 2
[validation]
validator = "sfb2015-cu2"
[[group]]
name = "peer"
transport = "tcp"
rtt = "0s"
requests = {{ every = {{ exponential = "{}ns" }}, cpu = {{ exponential = "10ms" }}, timeout = "never" }}
[measure]
from = "10s"
[expect]
wait = "queue in request : mean <= 6ms"
"#,
        (1e9 / rate) as u64
    ));
    // The limit lies five standard deviations of one replication or more from what theory says on either side of it.
    for servers in [2u32, 3] {
        let set = [format!("front_end.workers={servers}"), format!("front_end.cores={servers}")];
        let seeds = (0..12u32).map(|replication| {
            let number = replication.to_string();
            let args = ["run", "s.toml", "--no-results", "--format", "json", "--replication", &number];
            let ran = home.run(&[&args[..], &["--set", &set[0], "--set", &set[1]]].concat());
            let all: Json = serde_json::from_str(&ran.out).expect("JSON");
            let observed = all["expectations"]["each"][0]["observed"].as_str().expect("a mean").to_owned();
            let length = observed.split(" (").next().and_then(refresh_sim::scenario::length).expect("a length");
            length.0 as f64 / 1e9
        });
        let means: Vec<f64> = seeds.collect();
        let mean = means.iter().sum::<f64>() / 12.0;
        let sd = (means.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 11.0).sqrt();
        assert!((wait(servers) - limit).abs() >= 5.0 * sd, "{servers}: {} and {sd}", wait(servers));
        assert!((mean - wait(servers)).abs() <= 4.0 * sd / 12f64.sqrt(), "{servers}: {mean} is not {}", wait(servers));
    }
    assert!(wait(3) < limit && limit < wait(2));
    let found = answer(&home, 0, &["--find", "front_end.workers & front_end.cores=1..5"]);
    assert_eq!([&found["holds"], &found["fails"]], ["3", "2"]);
}

#[test]
fn rule_32_a_limit_outside_the_range_and_one_that_is_not_monotone_are_said_and_are_3() {
    let home = Home::new(BATCH);
    let found = answer(&home, 3, &["--find", "peers=1..40"]);
    assert_eq!([&found["found"], &found["holds"]], ["all hold", "40"]);
    let found = answer(&home, 3, &["--find", "peers=50..90"]);
    assert_eq!([&found["found"], &found["fails"]], ["all fail", "50"]);
    // Both too few and too many are wrong.
    let both = ["--set", "expect.enough=lateness in refresh : count >= 20", "--find", "peers=1..81"];
    let ran = home.run(&[&["capacity", "s.toml"][..], &both].concat()).ends(3, &[]);
    let told = "peers: there is no one limit: 21 holds, and 1 and 61 fail; ";
    assert!(ran.out.contains(told), "{}", ran.out);
    let few = ["--set", "expect.prompt=lateness in refresh : p50 <= 1s min 1000", "--find", "peers=1..50"];
    let found = answer(&home, 3, &few);
    assert_eq!(found["found"], "undecided", "no data is neither a pass nor a failure");
}

#[test]
fn only_the_thresholds_that_are_named_count() {
    let home = Home::new(BATCH);
    let found = answer(&home, 3, &["--find", "peers=1..500", "--threshold", "lives"]);
    assert_eq!(found["found"], "all hold");
    home.run(&["capacity", "s.toml", "--ask", "peers", "--threshold", "lvies"]).ends(2, &["lvies", "prompt, lives"]);
}

#[test]
fn a_question_that_cannot_be_asked_is_2() {
    let home = Home::new(BATCH);
    home.run(&["capacity", "s.toml"]).ends(2, &["--find", "--ask"]);
    home.run(&["capacity", "s.toml", "--find", "peers"]).ends(2, &["PATH=LOW..HIGH"]);
    home.run(&["capacity", "s.toml", "--find", "peers=0..9"]).ends(2, &["from 1 on"]);
    home.run(&["capacity", "s.toml", "--find", "front_end.wrokers=1..9"]).ends(2, &["wrokers", "did you mean"]);
    home.run(&["capacity", "s.toml", "--find", "refresh.spread=0s..200s"]).ends(2, &["refresh.spread at 3m 20s"]);
    home.run(&["capacity", "s.toml", "--ask", "peers", "--replications", "58"]).ends(2, &["58"]);
    home.run(&["capacity", "s.toml", "--ask", "peers", "--curve", "no/c.csv"]).ends(8, &["no/c.csv"]);
    let home = Home::new(INCIDENT);
    home.run(&["capacity", "s.toml", "--ask", "peers"]).ends(2, &["expects nothing"]);
}

#[test]
fn the_answer_does_not_depend_on_how_many_run_at_once() {
    let home = Home::new(&BATCH.replace("rtt = \"0s\"", "rtt = { exponential = \"20ms\" }"));
    let args = [
        "--find",
        "refresh.spread=0s..20s",
        "--set",
        "group.0.count=600",
        "--set",
        "expect.prompt=refresh : max <= 9s",
    ];
    let one = answer(&home, 0, &[&args[..], &["--jobs", "1"]].concat());
    assert_eq!(answer(&home, 0, &[&args[..], &["--jobs", "3"]].concat()), one);
}

#[test]
fn the_largest_burst_is_that_which_the_accept_queue_holds() {
    let home = Home::new(
        &BATCH
            .replace("start = \"established\"", "")
            .replace("workers = 4", "workers = 1\naccept = \"10ms\"\nlisten = { backlog = 9 }"),
    );
    // All SYNs come at the service start; the listening socket is there before it, and nobody is taken until then.
    let found = answer(&home, 0, &["--ask", "burst", "--find", "peers=1..64"]);
    let (holds, fails) = (found["holds"].as_str().expect("a value"), found["fails"].as_str().expect("a value"));
    // A worker takes the first at once, ten wait in a queue of backlog + 1.
    assert_eq!((holds, fails), ("11", "12"));
}

#[test]
fn an_interrupted_search_has_no_answer() {
    let home = Home::new(BATCH);
    let args = [&["capacity", "s.toml", "--ask", "peers", "--progress"][..], &ENDLESS].concat();
    let mut child = home
        .command(&args)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::with_capacity(1, stderr), &mut line).expect("a line");
    assert!(line.starts_with("running 5 replications with peers at "), "{line}");
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let ran = super::Ran::of(child.wait_with_output().expect("it ends")).ends(130, &["no answer"]);
    assert_eq!(ran.out, "");
}
