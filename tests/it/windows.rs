//! Requests in windows around refreshes, held against queueing theory and told by hand (model rule 29).

use refresh_sim::dist::Dist;
use refresh_sim::id::Identity;
use refresh_sim::measure::{Cause, Metric, Outcome, Verdict, WindowEnd};
use refresh_sim::report::{self, judge};
use refresh_sim::scenario::plan::{GroupPlan, Plan, Requests, Start};
use refresh_sim::scenario::{expectation, load, refresh_in_place};
use refresh_sim::sim::{Unwatched, run};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, Transport};

const MS: Span = Span::MILLISECOND;

/// One core, `rate` requests a second in all, Poisson, of 10 ms in the mean, exponential; each tick brings `herd` seconds
/// of work at once. No time on the way.
fn half_busy(rate: u64, herd: u64, every: Span, horizon: Span) -> Plan {
    let mut plan = Plan::new(horizon, Builtin::Sfb2015Cu2);
    plan.seed = Identity::of(&format!("{rate} {herd} {}", every.0)).0;
    plan.start = Start::Established;
    plan.measure.sample = Span::HOUR;
    plan.refresh = Some(refresh_in_place(every));
    let front_end = &mut plan.front_ends[0];
    (front_end.workers, front_end.cores) = (1, 1);
    front_end.start_up = Dist::Constant(Span::ZERO);
    let exponential = |mean: Span| Dist::exponential(mean).expect("in range");
    plan.with_group(GroupPlan {
        rtt: Dist::Constant(Span::ZERO),
        validate_refresh: Dist::Constant(MS.times(herd * 10)),
        requests: Some(Requests::new(exponential(Span(Span::SECOND.0 * 100 / rate)), exponential(MS.times(10)))),
        ..GroupPlan::new("peers", Transport::Tcp, 100)
    })
}

fn outcome(plan: &Plan) -> Outcome {
    run(plan, &mut Unwatched).expect("it runs")
}

fn judged(plan: &mut Plan, lines: &[&str]) -> Vec<report::Judged> {
    let parse = |line: &&str| expectation(plan, "it", line).expect("a line");
    let expect: Vec<_> = lines.iter().map(parse).collect();
    plan.expect = expect;
    let outcome = outcome(plan);
    judge(plan, &outcome)
}

fn verdicts(plan: &mut Plan, lines: &[&str]) -> Vec<Verdict> {
    judged(plan, lines).into_iter().map(|judged| judged.verdict).collect()
}

#[test]
fn rule_29_a_window_lasts_as_long_as_a_queue_takes_to_work_off_what_a_tick_brings() {
    // M/G/1 with V of work at once: back at no work after V / (1 - ρ) in the mean, with variance V λ E[S²] / (1 - ρ)³
    // (Cohen, The Single Server Queue, section II.4.3: a busy period that begins with work V). V = 20 s, ρ = 1/2, λ = 50/s,
    // E[S²] = 2 · 10⁻⁴ s²: 40 s, and a standard deviation of 1.26 s for one window, 0.18 s for the mean of 50.
    let plan = half_busy(50, 20, Span::MINUTE.times(5), Span::MINUTE.times(252));
    let outcome = outcome(&plan);
    let windows = outcome.windows.as_ref().expect("there are ticks and requests");
    assert_eq!((windows.each.len(), windows.more, windows.cut), (50, 0, None));
    let mut sum = 0.0;
    for of in &windows.each {
        let (ended, how) = of.ended.expect("it is over");
        assert!(of.measured && how == WindowEnd::Back, "{of:?}");
        let length = ended.since(of.begun).0 as f64 / 1e9;
        assert!((33.0..47.0).contains(&length), "40 s ± 5 standard deviations: {length}");
        sum += length;
    }
    let mean = sum / 50.0;
    assert!((39.1..40.9).contains(&mean), "40 s ± 5 standard deviations of the mean: {mean}");
    // Of the first requests of a window the wait is V, and at its end nothing: half of V in the mean, and the service.
    let samples = windows.histogram(0).expect("samples");
    let due = windows.counts[0].expect("the group sends requests").due;
    assert_eq!(samples.len(), due, "all were answered");
    assert!((98_000..102_000).contains(&due), "50 a second in 50 windows of 40 s: {due}");
    let mean = samples.mean() / 1e9;
    assert!((9.7..10.4).contains(&mean), "10 s and 10 ms: {mean}");
}

#[test]
fn rule_29_outside_windows_requests_wait_as_in_m_m_1() {
    // The mean time in an M/M/1 system is 1 / (μ − λ) = 20 ms; its quantiles are those of an exponential distribution.
    let mut plan = half_busy(50, 20, Span::MINUTE.times(20), Span::MINUTE.times(59));
    let beside = judged(
        &mut plan,
        &[
            "request in 2m..20m : mean >= 18ms",
            "request in 2m..20m : p50 <= 15ms",
            "request in 2m..20m : p50 >= 13ms",
            "request in 22m..40m : p99 <= 105ms",
            "request in 22m..40m : p99 >= 80ms",
            "request in windows : p50 >= 5s min 1000",
        ],
    );
    assert!(beside.iter().all(|judged| judged.verdict == Verdict::Pass), "{beside:#?}");
    let outcome = outcome(&plan);
    let all = outcome.meters.histogram(Metric::Request, 0, Cause::Request).expect("samples").len();
    let windowed = outcome.windows.and_then(|windows| windows.histogram(0)).expect("samples").len();
    assert!(windowed * 20 < all, "few requests are in windows: {windowed} of {all}");
}

#[test]
fn rule_29_at_full_load_windows_say_nothing_and_say_why_and_the_run_goes_on() {
    let mut plan = half_busy(104, 1, Span::MINUTE, Span::MINUTE.times(3));
    let lines = ["request in windows : p50 >= 0s", "requests.due in windows : value >= 0", "request : p50 > 0s"];
    let judged = judged(&mut plan, &lines);
    let whys: Vec<_> = judged.iter().map(|judged| judged.why.clone().unwrap_or_default()).collect();
    assert!(whys[0].starts_with("requests alone ask for 104 % of the cores of fe01 outside refreshes"), "{whys:?}");
    assert_eq!(whys[0], whys[1]);
    let all: Vec<_> = judged.iter().map(|judged| judged.verdict).collect();
    assert_eq!(all, [Verdict::Inconclusive, Verdict::Inconclusive, Verdict::Pass]);
    let outcome = outcome(&plan);
    assert_eq!((outcome.interrupted, outcome.ended), (false, Time(Span::MINUTE.times(3).0)));
    assert!(report::text(&plan, &outcome, &[]).contains("Requests around refreshes: not known from"));
}

#[test]
fn rule_29_a_window_that_reaches_its_limit_or_the_end_of_the_run_is_inconclusive() {
    let line = ["request in windows : p99 >= 0s"];
    let mut plan = half_busy(50, 20, Span::MINUTE.times(10), Span::MINUTE.times(15));
    assert_eq!(verdicts(&mut plan, &line), [Verdict::Pass]);
    plan.measure.window_limit = Some(Span::SECOND.times(10));
    let cut = judged(&mut plan, &line);
    assert_eq!(cut[0].verdict, Verdict::Inconclusive);
    assert!(cut[0].why.as_ref().is_some_and(|why| why.contains("reached its limit of 10s")), "{cut:?}");
    plan.measure.window_limit = None;
    plan.horizon = Span::SECOND.times(620);
    let cut = judged(&mut plan, &line);
    assert!(cut[0].why.as_ref().is_some_and(|why| why.starts_with("the run ended in the window")), "{cut:?}");
    plan.horizon = Span::MINUTE.times(5);
    assert!(judged(&mut plan, &line)[0].why.as_ref().is_some_and(|why| why.starts_with("no refresh fell due")));
}

#[test]
fn rule_29_without_an_undisturbed_lead_in_a_window_is_not_measured() {
    // Ten times 10 ms / (1 − √0.9)² are 38 s; the first tick comes 30 s after the service start, and finds 100 ms of work.
    let mut plan = half_busy(90, 1, Span::SECOND.times(30), Span::SECOND.times(59));
    plan.groups[0].validate_refresh = Dist::Constant(MS);
    let early = judged(&mut plan, &["request in windows : count >= 1"]);
    assert_eq!(early[0].verdict, Verdict::Inconclusive);
    assert!(early[0].why.as_ref().is_some_and(|why| why.contains("undisturbed lead-in of 38")), "{early:?}");
    plan.refresh = Some(refresh_in_place(Span::SECOND.times(45)));
    assert_eq!(verdicts(&mut plan, &["request in windows : count >= 1"]), [Verdict::Pass]);
}

#[test]
fn rule_29_windows_are_asked_for_of_requests_alone() {
    let plan = half_busy(50, 1, Span::MINUTE, Span::MINUTE.times(2));
    for good in ["request in windows : p99.9 <= 1s min 5", "requests.goodput{group=peers} in windows : value >= 99%"] {
        assert!(expectation(&plan, "it", good).is_ok(), "{good}");
    }
    for (bad, said) in [
        ("refresh in windows : p99 <= 1s", "in which requests alone are measured"),
        ("attempts in windows : value <= 1", "in which requests alone are measured"),
        ("queued in windows : always <= 1", "in which requests alone are measured"),
        ("request{cause=request} in windows : p99 <= 1s", "has the tag `cause`"),
        ("request in window : p99 <= 1s", "`windows`"),
        ("request in windows 1d..2d : p99 <= 1s", "has something else where `:` should be"),
    ] {
        let told = expectation(&plan, "it", bad).expect_err(bad);
        assert!(told.contains(said), "{bad}: {told}");
    }
}

#[test]
fn rule_29_without_ticks_or_requests_there_are_no_windows() {
    let mut plan = half_busy(50, 1, Span::MINUTE, Span::MINUTE.times(2));
    let refresh = plan.refresh.take();
    let why = |plan: &mut Plan| judged(plan, &["request in windows : p99 <= 1s"])[0].why.clone().unwrap_or_default();
    assert_eq!(why(&mut plan), "the plan has no refresh");
    plan.refresh = refresh.clone();
    plan.refresh.iter_mut().for_each(|refresh| refresh.anchor = refresh_sim::policy::Anchor::OwnAge);
    assert_eq!(why(&mut plan), "with anchor own-age there are no ticks, and so no windows around them");
    plan.refresh = refresh;
    plan.groups[0].requests = None;
    assert_eq!(why(&mut plan), "no group sends requests");
}

#[test]
fn rule_29_the_summary_tells_of_windows() {
    let scenario = include_str!("../../scenarios/requests/beside-a-refresh.toml");
    let plan = load("beside", "beside.toml", scenario.as_bytes(), &[]).expect("it loads");
    let outcome = outcome(&plan);
    let text = report::text(&plan, &outcome, &[]);
    assert!(text.contains("Requests around refreshes: 3 of 3 windows measured"), "{text}");
    let json = report::summary(&plan, &outcome, &[], 0);
    let windows = &json["requests"]["windows"];
    assert_eq!(windows["each"].as_array().map(Vec::len), Some(3));
    assert_eq!(windows["asked"]["cpu_ns"], 500_000_000);
    assert_eq!((&windows["each"][0]["end"], &windows["unknown"]), (&"back".into(), &serde_json::Value::Null));
}
