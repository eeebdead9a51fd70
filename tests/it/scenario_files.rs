//! Good scenarios, plans written back as files, and texts that nobody would write.

#![expect(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

mod strategies;

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use refresh_sim::dist::Dist;
use refresh_sim::policy::Anchor;
use refresh_sim::scenario::{Change, Colour, Epoch, Plan, Setting, load, render, schema};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, Transport};

use crate::reading::{read, with};
use strategies::plan;

const EVERY_KEY: &str = include_str!("scenario_every_key.toml");
const SMALL: &str = "schema = 1\nsemantics = 1\nrun.horizon = \"3d\"\nvalidation.validator = \"sfb2015-rtm\"\n\
                     [[group]]\nname = \"rcc\"\ntransport = \"tcp\"\n";

fn same(mut a: Plan, mut b: Plan) -> Result<(), TestCaseError> {
    for plan in [&mut a, &mut b] {
        plan.assumptions.clear();
        plan.name.clear();
        plan.replication = 0;
    }
    prop_assert_eq!(a, b);
    Ok(())
}

#[test]
fn a_small_scenario_has_every_default_and_says_what_it_assumes() {
    let plan = read(SMALL);
    assert_eq!((plan.seed, plan.front_ends.len(), plan.peers()), (42, 1, 1));
    assert_eq!(plan.groups[0].certificate, None);
    assert_eq!((plan.groups[0].port, plan.groups[0].address), (5060, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))));
    assert_eq!(plan.refresh, None);
    insta::assert_snapshot!("small_resolved", render(&plan));
}

#[test]
fn the_file_with_every_key_reads_as_it_stands() {
    let plan = read(EVERY_KEY);
    assert_eq!(plan.epoch, Some(Epoch(0x01d0_bbee_d3ff_d292)));
    assert_eq!(plan.refresh.as_ref().map(|refresh| refresh.anchor), Some(Anchor::WallClock(Span::HOUR.times(3))));
    assert_eq!(plan.groups[1].indices, Some(vec![0, 1, 3]));
    assert_eq!(plan.process.fault_offset, Some(0x44_2aa1));
    insta::assert_snapshot!("every_key_resolved", render(&plan));
}

#[test]
fn line_endings_and_a_byte_order_mark_change_nothing() {
    let windows = format!("\u{feff}{}", EVERY_KEY.replace('\n', "\r\n"));
    assert_eq!(read(&windows), read(EVERY_KEY));
    let problems = load("t", "t.toml", windows.replace("workers = 8", "workers = 0").as_bytes(), &[]).unwrap_err();
    assert_eq!(problems.line_and_column(&problems.list[0]), Some((13, 11)));
}

#[test]
fn settings_go_by_key_name_and_position_and_the_last_one_wins() {
    let plan = with(
        EVERY_KEY,
        &[
            ("run.horizon", "7d"),
            ("run.seed", "1"),
            ("run.seed", "2"),
            ("group.web.count", "10"),
            ("group.0.rtt", "{ uniform = [\"1ms\", \"2ms\"] }"),
            ("group.\"contact-centre\".known", "false"),
            ("front_end.nodes.fe02.starts", "\"7h\""),
            ("process.application_version", "6.0"),
            ("run.epoch", "2015-07-11T15:32:42Z"),
            ("refresh.transports", "[\"tls\"]"),
            ("expect.new", "crashes : value == 3"),
        ],
    );
    assert_eq!((plan.horizon, plan.seed), (Span::DAY.times(7), 2));
    assert_eq!((plan.groups[1].count, plan.groups[0].known), (10, false));
    assert_eq!(plan.groups[0].rtt, Dist::uniform(Span::MILLISECOND, Span::MILLISECOND.times(2)).unwrap());
    assert_eq!(plan.front_ends[1].starts, Time(Span::HOUR.times(7).0));
    assert_eq!(plan.process.application_version.as_deref(), Some("6.0"));
    assert_eq!(plan.refresh.map(|refresh| refresh.tcp), Some(false));
    assert_eq!(plan.expect.len(), 2);
    assert!(with(SMALL, &[("refresh.every", "24h")]).refresh.is_some());
}

#[test]
fn blanks_in_an_expectation_mean_nothing() {
    let cycles = ("measure.cycles", "[1]");
    let spaced = with(
        EVERY_KEY,
        &[cycles, ("expect.new", "lateness { transport = tcp }  in  refresh  1  :  max  <  30s  min  2")],
    );
    let dense = with(EVERY_KEY, &[cycles, ("expect.new", "lateness{transport=tcp}in refresh 1:max<30s min 2")]);
    let of = |plan: &Plan| {
        let found = plan.expect.iter().find(|expectation| expectation.name == "new").unwrap();
        (found.subject, found.tags.clone(), found.phase, found.aggregate, found.op, found.limit, found.min_samples)
    };
    assert_eq!(of(&spaced), of(&dense));
}

#[test]
fn a_percentile_with_a_point_needs_no_quotes() {
    let dist = |key: &str| format!("{{ lognormal = {{ median = \"1ms\", {key} = \"9ms\" }} }}");
    let rtt = |key: &str| with(SMALL, &[("group.rcc.rtt", &dist(key))]).groups[0].rtt.clone();
    let expected = Dist::lognormal_median_percentile(Span::MILLISECOND, 0.999, Span::MILLISECOND.times(9)).unwrap();
    assert_eq!([rtt("p99.9"), rtt("\"p99.9\"")], [expected.clone(), expected]);
}

#[test]
fn words_are_the_names_that_results_show() {
    use refresh_sim::scenario::file::Word;
    for validator in Builtin::ALL {
        assert_eq!(validator.word(), validator.name());
    }
    for transport in [Transport::Tcp, Transport::Tls] {
        assert_eq!(transport.word(), transport.name());
    }
}

#[test]
fn resolved_files_with_expectations_read_as_the_same_plan() {
    for text in [EVERY_KEY, SMALL] {
        let plan = read(text);
        let again = read(&render(&plan));
        // No key says that nothing is refreshed, or that peers need no CPU: that stays assumed.
        assert!(
            again
                .assumptions
                .iter()
                .all(|assumption| assumption.key == "refresh" || assumption.key.ends_with(".client_cpu"))
        );
        same(plan, again).unwrap();
    }
}

#[test]
fn the_timeline_is_sorted_by_time_and_stable() {
    let entry = |at: &str, change: &str| format!("[[timeline]]\nat = \"{at}\"\ndo = \"{change}\"\ngroup = \"rcc\"\n");
    let text = SMALL.to_owned() + &entry("2h", "leave") + &entry("1h", "leave") + &entry("1h", "join");
    let plan = read(&text);
    let seen: Vec<_> = plan.timeline.iter().map(|entry| (entry.at.0 / Span::HOUR.0, entry.change)).collect();
    assert_eq!(seen, [(1, Change::Leave), (1, Change::Join), (2, Change::Leave)]);
}

#[test]
fn every_key_of_the_schema_is_in_the_reference() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenario.md")).unwrap();
    let schema = schema();
    for (name, shared) in schema["$defs"].as_object().unwrap() {
        let section = match name.as_str() {
            "Node" => "front_end.nodes".to_owned(),
            "FrontEnd" => "front_end".to_owned(),
            "Reconnect" => "group.reconnect".to_owned(),
            "Listen" => "front_end.listen".to_owned(),
            "Path" => "group.path".to_owned(),
            "Tcp" => "group.tcp".to_owned(),
            "KeepAlive" => "group.tcp.keep_alive".to_owned(),
            "Budget" => "group.reconnect.budget".to_owned(),
            "Timeouts" => "group.timeouts".to_owned(),
            "Limits" => "front_end.limits".to_owned(),
            "Failover" => "group.failover".to_owned(),
            "Tls" => "group.tls".to_owned(),
            "Validity" => "group.validity".to_owned(),
            "Limit" => "refresh.limit".to_owned(),
            "LookupCache" => "lookup.cache".to_owned(),
            "Requests" => "group.requests".to_owned(),
            "ListedAs" => "group.listed".to_owned(),
            "CertificateNames" => "group.names".to_owned(),
            name => name.to_lowercase(),
        };
        for key in shared["properties"].as_object().into_iter().flatten().map(|(key, _)| key) {
            assert!(docs.contains(&format!("`{section}.{key}`")), "docs/scenario.md lacks `{section}.{key}`");
        }
    }
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(
            docs.contains(&format!("`{key}`")) || docs.contains(&format!("`{key}.")),
            "docs/scenario.md lacks `{key}`"
        );
    }
    for metric in refresh_sim::measure::Metric::ALL {
        assert!(docs.contains(&format!("| `{}` |", metric.name())), "docs/scenario.md lacks {}", metric.name());
    }
    for figure in refresh_sim::measure::Figure::ALL {
        assert!(docs.contains(&format!("| `{}` |", figure.name())), "docs/scenario.md lacks {}", figure.name());
    }
}

#[test]
fn the_examples_of_the_reference_are_good() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenario.md")).unwrap();
    let blocks: Vec<&str> = docs.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks.iter().filter(|block| block.starts_with("schema = 1")) {
        read(block);
    }
}

#[test]
fn the_schema_is_as_it_was() {
    insta::assert_snapshot!("schema", serde_json::to_string_pretty(&schema()).unwrap());
}

/// Fixed, for a test that fails only today helps nobody.
fn config(cases: u32) -> ProptestConfig {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(1);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// Pieces that a mutation puts into a good file.
const PIECES: [&str; 24] = [
    "[",
    "]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\"",
    "'''",
    "\\",
    "\n",
    "\r",
    "\0",
    "#",
    "-1",
    "nan",
    "inf",
    "1e999",
    "99999999999999999999999",
    "[[group]]",
    "[run]",
    "a.b.c = 1\n",
    "é\u{202e}",
    "18446744073709551615",
];

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_plan_written_as_a_file_reads_as_the_same_plan(plan in plan()) {
        let text = render(&plan);
        match load("test", "test.toml", text.as_bytes(), &[]) {
            Ok(again) => same(plan, again)?,
            Err(problems) => prop_assert!(false, "{problems}\n{text}"),
        }
    }
}

proptest! {
    #![proptest_config(config(2048))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), colour in any::<bool>()) {
        if let Err(problems) = load("t", "t", &bytes, &[]) {
            problems.render(if colour { Colour::Always } else { Colour::Never });
        }
    }

    #[test]
    fn no_mutation_of_a_good_file_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..20usize, prop::sample::select(&PIECES)), 1..6),
        path in "[a-z_.0-9\"=]{0,20}",
        value in "\\PC{0,20}",
    ) {
        let mut text = EVERY_KEY.to_owned();
        for (at, gone, piece) in changes {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + gone).min(text.len()));
            text.replace_range(start..end, piece);
        }
        let set = [Setting { path, value }];
        for set in [&set[..0], &set] {
            if let Err(problems) = load("t", "t", text.as_bytes(), set) {
                prop_assert!(!problems.list.is_empty() && problems.list.len() <= 50);
                let shown = problems.to_string();
                prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
            }
        }
    }

    #[test]
    fn no_expectation_panics(line in "\\PC{0,40}", near in "(refresh|queue|crashes|availability|sweep)?[{]?(group=|cause=)?[a-z,}]{0,5}( in refresh)? ?:? ?(p99|value|count)? ?<?=? ?[0-9./%msin ]{0,12}") {
        for line in [line, near] {
            let set = [Setting { path: "expect.x".into(), value: line }];
            if let Err(problems) = load("t", "t", EVERY_KEY.as_bytes(), &set) {
                let _ = problems.to_string();
            }
        }
    }
}

#[test]
fn texts_made_to_hurt_are_refused_in_reasonable_time() {
    let start = |n: usize| "[".repeat(n);
    let nodes: String = (0..1024).map(|n| format!("[[front_end.nodes]]\nname = \"n{n}\"\n")).collect();
    let entry = |rest: &str| format!("[[timeline]]\nat = \"1h\"\n{rest}\n");
    let hurtful = [
        start(1 << 20),
        format!("x = {}", start(1 << 20)),
        format!("x = {}", "{a=".repeat(1 << 18)),
        "a.".repeat(1 << 19),
        format!("[{}]", vec!["a"; 1 << 19].join(".")),
        format!("x = \"\\\n{}", start(1 << 20)),
        "]\n".repeat(1 << 19),
        "]\n".repeat(1 << 22),
        "a = 1\n".repeat(1 << 19),
        (0..1 << 17).map(|n| format!("k{n} = 1\n")).collect(),
        format!("run.seed = {}", "9".repeat(1 << 20)),
        format!("x = \"{}", "a".repeat(1 << 22)),
        format!("{SMALL}only = [{}]", "0,".repeat(1 << 20)),
        SMALL.to_owned() + &"[[group]]\nname = \"x\"\ncount = 33000000\nomit = [1]\ntransport = \"tcp\"\n".repeat(1000),
        SMALL.to_owned()
            + &(0..1000)
                .map(|n| format!("[[group]]\nname = \"x{n}\"\ncount = 33000000\nomit = [1]\ntransport = \"tcp\"\n"))
                .collect::<String>(),
        format!("{SMALL}{nodes}{}", entry("do = \"crash\"\nfront_end = \"nobody\"").repeat(1 << 16)),
        format!("{SMALL}{nodes}{}", entry("do = \"rolling-patch\"\naway = \"1m\"").repeat(1 << 16)),
    ];
    for text in hurtful {
        let Err(problems) = load("t", "t", text.as_bytes(), &[]) else {
            panic!("{} is good", &text[..40]);
        };
        assert!(problems.to_string().len() < 100_000, "{}", &text[..40]);
    }
}
