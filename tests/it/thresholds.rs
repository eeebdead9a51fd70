//! Expectations in full: windows, always and never, sometimes, eventually, and against a baseline.

use crate::reading::with_lines;
use refresh_sim::measure::Verdict;
use refresh_sim::report::{Judged, judge, unmentioned_crash};
use refresh_sim::scenario::Plan;
use refresh_sim::sim::{Unwatched, run};
use refresh_sim::study::baseline::Baseline;
use refresh_sim::study::compare::{Measured, Side};
use refresh_sim::study::family::Family;

/// The incident: it crashes at 24 h after service start, which is 2 min 5 s after its begin, and is back minutes later.
const INCIDENT: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "2d"
[refresh]
every = "24h"
[validation]
validator = "sfb2015-rtm"
[[group]]
name = "contact-centre"
count = 200
transport = "tls"
rtt = { exponential = "20ms" }
[[group]]
name = "gateway"
transport = "tcp"
"#;

fn plan(settings: &[&str]) -> Plan {
    with_lines(INCIDENT, settings)
}

/// What becomes of one expectation.
fn weigh(line: &str, settings: &[&str]) -> Judged {
    let expect = format!("expect.e={line}");
    let plan = plan(&[settings, &[expect.as_str()]].concat());
    judge(&plan, &run(&plan, &mut Unwatched).expect("it runs")).remove(0)
}

#[track_caller]
fn are(settings: &[&str], lines: &[(&str, Verdict)]) {
    for (line, verdict) in lines {
        let judged = weigh(line, settings);
        assert_eq!(judged.verdict, *verdict, "{line}: {judged:?}");
    }
}

use Verdict::{Fail, Inconclusive, Pass};

#[test]
fn a_window_has_the_samples_that_began_in_it() {
    // Everybody connects at service start, 2 min 5 s; everybody is back after the crash, on day two.
    are(
        &[],
        &[
            ("connect in initial ..1h : count == 201", Pass),
            ("connect in 1h..1d : count == 0", Pass),
            ("connect in recovery 1d.. : count == 201", Pass),
            ("connect in recovery ..1d : count == 0", Pass),
            ("attempt{transport=tcp} in 1d..1d 1h : count >= 1", Pass),
            ("connect in recovery 1d..1d 1h : p50 <= 1ms", Fail),
            // No samples are no pass.
            ("connect in 1h..1d : p50 <= 1h", Inconclusive),
        ],
    );
    let fixed = &["validation.validator=sfb2015-cu2"];
    // Due at 24 h after service start.
    are(
        fixed,
        &[
            ("refresh in 1d..1d 3m : count == 201", Pass),
            ("refresh in refresh 1d 2m 5s..1d 2m 6s : p50 <= 1s", Pass),
            ("refresh in 1d 3m.. : count == 0", Pass),
            ("sweep in 1d.. : count == 1", Pass),
            ("sweep in ..1d : count == 0", Pass),
        ],
    );
}

#[test]
fn what_never_ended_may_have_begun_in_any_window() {
    // The gateway's refresh never ends: the crash takes it again and again.
    let judged = weigh("refresh{transport=tcp} in 1d.. : max <= 1h", &["recovery.actions=[]"]);
    assert_ne!(judged.verdict, Pass, "{judged:?}");
}

#[test]
fn windows_and_looks_leave_the_digest_as_it_is() {
    let digest = |settings: &[&str]| run(&plan(settings), &mut Unwatched).expect("it runs").digest;
    let lines = [
        "expect.a=connect in 1d..2d : p50 <= 1h",
        "expect.b=valid : always >= 1",
        "expect.c=queue in ..1h : max <= 1s",
    ];
    assert_eq!(digest(&lines), digest(&[]));
}

#[test]
fn crashes_are_counted_in_windows() {
    are(
        &[],
        &[
            ("crashes in ..1d : value == 0", Pass),
            ("crashes in 1d..1d 1h : value == 1", Pass),
            ("crashes{front_end=fe01} in 1d.. : value == 0", Fail),
            ("crashes in 1d 1h.. : value == 0", Pass),
            ("crashes in 3d..4d : value == 0", Inconclusive),
        ],
    );
}

#[test]
fn a_crash_outside_the_window_of_an_expectation_is_mentioned_by_none() {
    let unmentioned = |line: &str| {
        let plan = plan(&[&format!("expect.e={line}")]);
        unmentioned_crash(&plan, &run(&plan, &mut Unwatched).expect("it runs")).map(str::to_owned)
    };
    assert_eq!(unmentioned("crashes in ..1d : value == 0"), Some("fe01".to_owned()));
    assert_eq!(unmentioned("crashes in 1d.. : value == 1"), None);
    assert_eq!(unmentioned("crashes : value == 1"), None);
}

#[test]
fn always_and_never_look_at_each_sample_and_say_when_it_was_otherwise() {
    are(
        &[],
        &[
            ("valid : never > 201", Pass),
            ("valid : always <= 201", Pass),
            ("valid in 10m..1d : always == 201", Pass),
            ("valid in 1d..1d 10m : always == 201", Fail),
            ("serving in 10m..1d : always >= 1", Pass),
            ("serving{front_end=fe01} : always >= 1", Fail),
            ("disconnected in 10m..1d : always == 0", Pass),
            ("disconnected : never > 200", Fail),
            ("busy in 1h..2h : always == 0", Pass),
            // Between two looks there is nothing to see.
            ("valid in 1h..1h 1s : always >= 500", Fail),
            ("valid in 1h 1s..1h 2s : always >= 500", Inconclusive),
            ("valid in 3d..4d : always >= 1", Inconclusive),
        ],
    );
    let judged = weigh("serving : always >= 1", &[]);
    assert_eq!(judged.observed, "0 at 1m (of 2,880 looks)", "{judged:?}");
    let held = weigh("valid in 1h..2h : always == 201", &[]);
    assert_eq!((held.observed.as_str(), held.samples), ("201 to 201 (at 60 looks)", Some(60)));
}

#[test]
fn sometimes_is_once_at_least() {
    are(
        &[],
        &[
            ("disconnected : sometimes >= 201", Pass),
            ("disconnected in 10m..1d : sometimes >= 1", Fail),
            ("disconnected in 3d.. : sometimes >= 1", Inconclusive),
        ],
    );
    assert!(weigh("valid : sometimes >= 1", &[]).sometimes);
}

#[test]
fn eventually_counts_from_the_beginning_or_from_each_crash() {
    are(
        &[],
        &[
            ("valid : eventually >= 201 within 10m", Pass),
            ("valid : eventually >= 201 within 1m", Fail),
            ("valid in 1h.. : eventually >= 201 within 1m", Pass),
            ("valid : eventually >= 201 within 10m of crash", Pass),
            ("valid : eventually >= 201 within 2m of crash", Fail),
            ("valid : eventually >= 500 within 10d", Inconclusive),
            ("valid in ..1d : eventually >= 201 within 10m of crash", Inconclusive),
        ],
    );
    are(&["validation.validator=sfb2015-cu2"], &[("valid : eventually >= 201 within 10m of crash", Inconclusive)]);
    // Each crash, not one of them: the second comes too close to the end.
    are(&["run.horizon=2d 8m"], &[("valid : eventually >= 201 within 10m of crash", Inconclusive)]);
}

/// The baseline of this plan's own run.
fn baseline(plan: &Plan) -> Baseline {
    let family = Family::of(&[plan]);
    let outcome = run(plan, &mut Unwatched).expect("it runs");
    let measured = Measured::of(plan, &outcome, &family).expect("it ends");
    let written = Baseline::of(plan, &family, &Side { seed: plan.seed, runs: vec![measured] }).text();
    Baseline::read(written.as_bytes()).expect("what was written can be read").0
}

#[test]
fn against_a_baseline_the_same_run_is_equal_and_two_percent_are_seen() {
    let cost = |ns: u32| format!("validation.refresh={ns}us");
    let line = |limit: &str| {
        [
            format!("expect.a=validation in refresh : p50 <= baseline{limit}"),
            format!("expect.b=utilisation.cores : value <= baseline{limit}"),
            format!("expect.c=refresh : count == baseline{limit}"),
        ]
    };
    let with = |ns: u32, limit: &str| {
        let mut settings = vec!["validation.validator=sfb2015-cu2".to_owned(), cost(ns)];
        settings.extend(line(limit));
        plan(&settings.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let base = baseline(&with(10_000, ""));
    let told = |ns: u32, limit: &str| {
        let mut plan = with(ns, limit);
        base.tell(&mut plan);
        let judged = judge(&plan, &run(&plan, &mut Unwatched).expect("it runs"));
        judged.iter().map(|judged| judged.verdict).collect::<Vec<_>>()
    };
    assert_eq!(told(10_000, ""), [Pass, Pass, Pass]);
    assert_eq!(told(10_200, ""), [Fail, Fail, Pass]);
    assert_eq!(told(10_200, " + 1%")[0], Fail);
    assert_eq!(told(10_200, " + 3%")[0], Pass);
    assert_eq!(told(10_000, " - 1%")[0], Fail);
    let mut other = with(10_000, "");
    other.seed = 7;
    base.tell(&mut other);
    let judged = judge(&other, &run(&other, &mut Unwatched).expect("it runs"));
    assert_eq!(judged[0].verdict, Inconclusive, "another seed has other draws");
    assert!(judged[0].why.as_ref().is_some_and(|why| why.contains("no baseline")), "{:?}", judged[0].why);
    let mut later = with(10_000, "");
    base.tell(&mut later);
    later.replication = 3;
    let judged = judge(&later, &run(&later, &mut Unwatched).expect("it runs"));
    assert_eq!(judged[0].verdict, Inconclusive, "the baseline has one replication");
}
