//! What is said of a run: verdicts, summaries, files.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use refresh_sim::dist::Dist;
use refresh_sim::measure::{Cause, Counter, Figure, Metric, Outcome, Tags, Verdict};
use refresh_sim::policy::lookup::Lookup;
use refresh_sim::policy::tls::Bytes;
use refresh_sim::policy::{Action, Minimum, Pool, Restart};
use refresh_sim::report::{Judged, Value, course, figure, files, judge, overall, step_line, summary, text};
use refresh_sim::scenario::expect::{Aggregate, Expectation, InPhase, Op, Subject};
use refresh_sim::scenario::plan::{Assumption, Epoch, FrontEndPlan, GroupPlan, Plan, ProcessPlan, Requests, TlsPlan};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::sim::{Names, Unwatched, run};
use refresh_sim::time::Span;
use refresh_sim::validate::{Builtin, Transport};

/// The incident with its date and its process.
fn incident(days: u64) -> Plan {
    let mut plan = Plan::new(Span::DAY.times(days), Builtin::Sfb2015Rtm)
        .with_group(GroupPlan::new("contact-centre", Transport::Tls, 240))
        .with_group(GroupPlan::new("rcc-gateway", Transport::Tcp, 3))
        .with_group(GroupPlan::new("recording", Transport::Tls, 160));
    plan.name = "incident".to_owned();
    plan.refresh = Some(refresh_in_place(Span::DAY));
    plan.epoch = Some(Epoch(0x01d0_bbee_d3ff_d292));
    let some = |text: &str| Some(text.to_owned());
    plan.process = ProcessPlan {
        service: some("Skype for Business Server Front-End"),
        application: some("RTCSrv.exe"),
        application_version: some("6.0.9319.xxx"),
        process_id: Some(0x1ab4),
        fault_offset: Some(0x44_2aa1),
        report_id: some("874748dc-28ab-11e5-xxxx-xxxxxxxxxxxx"),
        ..ProcessPlan::default()
    };
    plan.assumptions = vec![Assumption { key: "front_end.cores".to_owned(), text: "as many as workers".to_owned() }];
    plan
}

fn outcome(plan: &Plan) -> Outcome {
    run(plan, &mut Unwatched).expect("the plan runs")
}

fn expect(subject: Subject, aggregate: Aggregate, op: Op, limit: u64) -> Expectation {
    let (name, text) = ("it".to_owned(), "as written".to_owned());
    let min_samples = u64::from(matches!(subject, Subject::Latency(_)) && aggregate != Aggregate::Count);
    Expectation {
        name,
        text,
        subject,
        tags: Tags::default(),
        phase: None,
        window: None,
        aggregate,
        op,
        limit,
        against: None,
        min_samples,
    }
}

fn value(which: Figure, op: Op, limit: u64) -> Expectation {
    expect(Subject::Figure(which), Aggregate::Value, op, limit)
}

fn quantile(metric: Metric, ppm: u32, op: Op, limit: Span) -> Expectation {
    expect(Subject::Latency(metric), Aggregate::Quantile(ppm), op, limit.0)
}

fn judged(plan: &Plan, outcome: &Outcome, expectation: Expectation) -> Judged {
    judge(&Plan { expect: vec![expectation], ..plan.clone() }, outcome).remove(0)
}

fn verdict(plan: &Plan, outcome: &Outcome, expectation: Expectation) -> Verdict {
    judged(plan, outcome, expectation).verdict
}

fn named(name: &str, text: &str, expectation: Expectation) -> Expectation {
    Expectation { name: name.to_owned(), text: text.to_owned(), ..expectation }
}

/// The incident over three days, with an expectation of each verdict.
fn told() -> (Plan, Outcome, Vec<Judged>) {
    let mut plan = incident(3);
    let p99 = quantile(Metric::Refresh, 990_000, Op::AtMost, Span::MILLISECOND.times(250));
    plan.expect = vec![
        named("dies", "crashes : value >= 1", value(Figure::Crashes, Op::AtLeast, 1)),
        named("slow", "refresh : p99 <= 250ms", p99),
        named(
            "few",
            "sweep : p99 <= 1s min 1000",
            Expectation { min_samples: 1_000, ..quantile(Metric::Sweep, 990_000, Op::AtMost, Span::SECOND) },
        ),
    ];
    let outcome = outcome(&plan);
    let judged = judge(&plan, &outcome);
    (plan, outcome, judged)
}

// ---- snapshots

#[test]
fn the_summary_of_the_incident_reads_well() {
    let (plan, outcome, judged) = told();
    let text = text(&plan, &outcome, &judged);
    assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 100), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_summary_of_a_quiet_run_reads_well() {
    let mut plan = Plan { validator: Builtin::Sfb2015Cu2, ..incident(3) };
    plan.epoch = None;
    let outcome = outcome(&plan);
    insta::assert_snapshot!(text(&plan, &outcome, &judge(&plan, &outcome)));
}

#[test]
fn the_summary_as_json_has_it_all() {
    let (plan, outcome, judged) = told();
    insta::assert_snapshot!(format!("{:#}", summary(&plan, &outcome, &judged, 1)));
}

#[test]
fn the_records_speak_the_products_language() {
    let (plan, outcome, judged) = told();
    let records = file(&plan, &outcome, &judged, "records.jsonl");
    let told = |line: &&str| !line.contains("\"words\"");
    let head: Vec<&str> = records.lines().filter(told).take(7).collect();
    assert!(head.iter().any(|line| line.contains("\"faulting_application_start_time\":\"0x01d0bbeed3ffd292\"")));
    insta::assert_snapshot!(head.join("\n"));
}

#[test]
fn a_front_end_that_stays_down_has_event_7034_and_the_verdict_down() {
    let mut plan = incident(3);
    plan.recovery.actions = vec![Action::None];
    let outcome = outcome(&plan);
    let records = file(&plan, &outcome, &[], "records.jsonl");
    assert!(records.contains("\"id\":7034") && !records.contains("\"id\":7031"));
    assert_eq!(course(&plan, &outcome).name, "down");
    let at_most_a_second = value(Figure::Reconnected100, Op::AtMost, Span::SECOND.0);
    assert_eq!(verdict(&plan, &outcome, at_most_a_second), Verdict::Fail, "a day without is more than a second");
    let at_most_a_week = value(Figure::Reconnected100, Op::AtMost, Span::DAY.times(7).0);
    assert_eq!(verdict(&plan, &outcome, at_most_a_week), Verdict::Inconclusive, "it was not over");
}

#[test]
fn a_reboot_tells_the_delay_before_it_and_records_stay_in_order_of_time() {
    let mut plan = incident(2);
    plan.recovery.actions = vec![Action::Reboot { delay: Span::SECOND.times(7), away: Span::MINUTE }];
    plan.recovery.dump = Span::SECOND.times(90);
    let outcome = outcome(&plan);
    let records = file(&plan, &outcome, &[], "records.jsonl");
    assert!(records.contains("\"delay_ms\":7000,\"action\":\"Reboot the machine\""), "{records}");
    let at = |line: &str| line["{\"at_ns\":".len()..].split(',').next().unwrap().parse::<u64>().unwrap();
    assert!(records.lines().map(at).is_sorted());
}

#[test]
fn the_course_of_a_run_has_a_word() {
    let name = |plan: &Plan| course(plan, &outcome(plan)).name;
    assert_eq!(name(&incident(4)), "crash loop");
    assert_eq!(name(&incident(2)), "recovered");
    assert_eq!(name(&Plan { validator: Builtin::Sfb2015Cu2, ..incident(2) }), "steady");
    assert_eq!(name(&Plan { validator: Builtin::TlsOnly, ..incident(2) }), "not recovered");
    let mut slow = Plan { validator: Builtin::Sfb2015Cu2, ..incident(1) };
    slow.refresh = Some(refresh_in_place(Span::HOUR));
    let minutes = Dist::Constant(Span::MINUTE.times(10));
    slow.groups.iter_mut().for_each(|group| group.validate_refresh = minutes.clone());
    assert_eq!(name(&slow), "overloaded");
}

// ---- judging

#[test]
fn design_06_no_data_is_inconclusive_and_never_a_pass() {
    let short = Plan { horizon: Span::HOUR, ..incident(1) };
    let quiet = outcome(&short);
    let all = [
        quantile(Metric::Refresh, 500_000, Op::AtMost, Span::DAY),
        value(Figure::Crashes, Op::Equal, 0),
        value(Figure::FirstCrash, Op::AtLeast, 1),
        value(Figure::Rejected, Op::Equal, 0),
        value(Figure::Reconnected100, Op::AtMost, u64::MAX),
    ];
    for expectation in all {
        let judged = judged(&short, &quiet, expectation);
        assert_eq!(judged.verdict, Verdict::Inconclusive, "{judged:?}");
        assert!(judged.why.is_some());
    }
    let mut long = Plan { validator: Builtin::Sfb2015Cu2, ..incident(2) };
    long.expect.clear();
    assert_eq!(verdict(&long, &outcome(&long), value(Figure::Crashes, Op::Equal, 0)), Verdict::Pass);
    assert_eq!(overall(&judge(&long, &outcome(&long))), None);
}

#[test]
fn design_06_too_few_samples_are_inconclusive() {
    let plan = Plan { validator: Builtin::Sfb2015Cu2, ..incident(2) };
    let outcome = outcome(&plan);
    let p50 = quantile(Metric::Refresh, 500_000, Op::AtMost, Span::DAY);
    assert_eq!(verdict(&plan, &outcome, p50.clone()), Verdict::Pass);
    let judged = judged(&plan, &outcome, Expectation { min_samples: 10_000, ..p50 });
    assert_eq!((judged.verdict, judged.samples), (Verdict::Inconclusive, Some(403)));
}

#[test]
fn design_06_a_quantile_with_fewer_than_ten_samples_beyond_it_counts_only_if_it_is_certain_anyway() {
    let plan = Plan { validator: Builtin::Sfb2015Cu2, ..incident(2) };
    let outcome = outcome(&plan);
    let of = |op, limit| verdict(&plan, &outcome, quantile(Metric::Refresh, 999_000, op, limit));
    // 403 refreshes on 8 workers of 1 ms each: 1 ms to 51 ms, the last ten from 50 ms on.
    assert_eq!(of(Op::AtMost, Span::MILLISECOND.times(52)), Verdict::Pass, "even the largest is below");
    assert_eq!(of(Op::AtMost, Span::MILLISECOND.times(40)), Verdict::Fail, "ten more are above");
    assert_eq!(of(Op::AtMost, Span(50_500_000)), Verdict::Inconclusive);
    let max = |limit| expect(Subject::Latency(Metric::Refresh), Aggregate::Max, Op::AtMost, limit);
    assert_eq!(verdict(&plan, &outcome, max(50_500_000)), Verdict::Fail, "the largest itself is known");
    assert_eq!(verdict(&plan, &outcome, max(51_000_001)), Verdict::Inconclusive, "within a bucket nothing is known");
}

#[test]
fn rule_20_what_did_not_end_valid_ranks_as_infinitely_late() {
    let mut plan = Plan { validator: Builtin::Sfb2015Cu2, ..incident(2) };
    // The last group's refreshes take longer than what is left of the run.
    plan.groups[2].validate_refresh = Dist::Constant(Span::DAY.times(2));
    let outcome = outcome(&plan);
    let open = figure(&plan, &outcome, Figure::Unfinished, &Tags::default());
    assert_eq!(open, Some(Value::Count(160)));
    let p99 = |op| judged(&plan, &outcome, quantile(Metric::Refresh, 990_000, op, Span::DAY));
    let judged = p99(Op::AtMost);
    assert_eq!((judged.verdict, judged.samples), (Verdict::Fail, Some(403)));
    assert!(judged.observed.starts_with("never"), "{judged:?}");
    assert_eq!(p99(Op::More).verdict, Verdict::Pass);
    let tcp = Tags { transport: Some(Transport::Tcp), ..Tags::default() };
    let of_tcp = Expectation { tags: tcp, ..quantile(Metric::Refresh, 1_000_000, Op::AtMost, Span::DAY) };
    assert_eq!(verdict(&plan, &outcome, of_tcp), Verdict::Pass, "the TCP peers are all done");
    let mean = expect(Subject::Latency(Metric::Refresh), Aggregate::Mean, Op::AtMost, Span::DAY.0);
    assert_eq!(verdict(&plan, &outcome, mean), Verdict::Inconclusive, "no mean of what is open");
}

#[test]
fn a_cycle_whose_open_refreshes_are_not_told_apart_is_inconclusive_where_it_depends_on_them() {
    let mut plan = Plan { validator: Builtin::Sfb2015Cu2, ..incident(3) };
    // The second refresh of the last group is still open at the end; the first one is not.
    plan.groups[2].validate_refresh = Dist::Constant(Span::HOUR);
    let of = |ppm, limit| Expectation {
        phase: Some(InPhase::Cycle(1)),
        ..quantile(Metric::Refresh, ppm, Op::AtMost, Span::HOUR.times(limit))
    };
    plan.expect = vec![of(990_000, 24), of(500_000, 24)];
    plan.horizon = Span::HOUR.times(50);
    let judged = judge(&plan, &outcome(&plan));
    let seen: Vec<_> = judged.iter().map(|j| j.verdict).collect();
    assert_eq!(seen, [Verdict::Inconclusive, Verdict::Pass], "{judged:?}");
}

#[test]
fn a_single_cycle_can_be_asked_about() {
    let mut plan = Plan { validator: Builtin::Sfb2015Cu2, ..incident(3) };
    let of = |cycle| Expectation {
        phase: Some(InPhase::Cycle(cycle)),
        ..quantile(Metric::Refresh, 500_000, Op::AtMost, Span::SECOND)
    };
    plan.expect = vec![of(1), of(2), of(3)];
    let judged = judge(&plan, &outcome(&plan));
    let seen: Vec<_> = judged.iter().map(|j| (j.verdict, j.samples)).collect();
    assert_eq!(seen, [(Verdict::Pass, Some(403)), (Verdict::Pass, Some(403)), (Verdict::Inconclusive, Some(0))]);
}

#[test]
fn tags_that_nothing_has_are_inconclusive() {
    let mut plan = Plan::new(Span::DAY.times(2), Builtin::Sfb2015Cu2);
    plan = plan.with_group(GroupPlan::new("only", Transport::Tcp, 5));
    plan.refresh = Some(refresh_in_place(Span::DAY));
    let outcome = outcome(&plan);
    let tls = Tags { transport: Some(Transport::Tls), ..Tags::default() };
    for expectation in
        [value(Figure::Losses, Op::Equal, 0), expect(Subject::Latency(Metric::Refresh), Aggregate::Count, Op::Equal, 0)]
    {
        assert_eq!(verdict(&plan, &outcome, Expectation { tags: tls.clone(), ..expectation }), Verdict::Inconclusive);
    }
}

#[test]
fn every_figure_has_a_value_for_a_run_with_a_crash_and_refreshes() {
    let mut plan = incident(3);
    let bytes = Some(Bytes { to_front_end: 1_751, to_peer: 3_640 });
    plan.groups[0].tls = Some(TlsPlan { finish: None, bytes, resumed: None });
    plan.lookups.each.push(Lookup::new("crl", Dist::Constant(Span(1))));
    let (every, cpu) = (Dist::Constant(Span::HOUR), Dist::Constant(Span::MILLISECOND));
    plan.groups[0].requests = Some(Requests { timeout: Some(Span::SECOND), ..Requests::new(every, cpu) });
    let minimum = Minimum::published(1).expect("a small pool");
    plan.pool = Some(Pool { minimum, quorum: false, restart: Restart::Manual });
    let outcome = outcome(&plan);
    for which in Figure::ALL {
        assert!(figure(&plan, &outcome, *which, &Tags::default()).is_some(), "{}", which.name());
    }
    let of = |front_end: &str| Tags { front_end: Some(front_end.to_owned()), ..Tags::default() };
    assert_eq!(figure(&plan, &outcome, Figure::Crashes, &of("fe01")), Some(Value::Count(2)));
    assert_eq!(figure(&plan, &outcome, Figure::Crashes, &of("nobody")), None);
    let age = figure(&plan, &outcome, Figure::CrashAge, &Tags::default());
    assert!(matches!(age, Some(Value::Length(ns)) if ns / 1_000_000_000 == 86_400), "{age:?}");
}

// ---- files

fn file(plan: &Plan, outcome: &Outcome, judged: &[Judged], name: &str) -> String {
    let all = files(plan, outcome, judged, 1, "plan = true\n");
    let found = all.into_iter().find(|(known, _)| *known == name).expect("a file of that name");
    String::from_utf8(found.1).expect("text")
}

#[test]
fn outcomes_of_refreshes_add_up_to_the_dues() {
    let plan = incident(3);
    let outcome = outcome(&plan);
    let summary = summary(&plan, &outcome, &[], 0);
    let of = |key: &str| summary["refreshes"][key].as_u64().unwrap();
    let ends = ["in_place", "by_reconnect", "rejected", "recovered", "departed", "dropped", "missed", "unfinished"];
    assert_eq!(ends.into_iter().map(of).sum::<u64>(), of("due"));
    assert_eq!(of("due"), outcome.meters.counted(0, Counter::Dues) * 403 / 240);
}

#[test]
fn identical_results_make_identical_bytes_and_the_plan_passes_through() {
    let (plan, outcome, judged) = told();
    let all = files(&plan, &outcome, &judged, 1, "plan = true\n");
    let (again, other, same) = told();
    assert_eq!(all, files(&again, &other, &same, 1, "plan = true\n"));
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let known =
        ["summary.json", "latency.hlog", "latency.hgrm", "series.csv", "records.jsonl", "plan.toml", "crashes.json"];
    assert_eq!(names, known);
    assert_eq!(file(&plan, &outcome, &judged, "plan.toml"), "plan = true\n");
}

/// Base64 as the log has it.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let bits: Vec<u32> = digits.map(|byte| alphabet.iter().position(|a| *a == byte).expect("a digit") as u32).collect();
    let bytes = |four: &[u32]| {
        let joined = (0..4).fold(0, |sum, at| sum << 6 | four.get(at).copied().unwrap_or(0));
        joined.to_be_bytes()[1..four.len()].to_vec()
    };
    bits.chunks(4).flat_map(bytes).collect()
}

#[test]
fn the_interval_log_decodes_to_the_same_counts() {
    let (plan, outcome, judged) = told();
    let log = file(&plan, &outcome, &judged, "latency.hlog");
    assert!(log.contains("#[StartTime: 0.000") && log.contains("#[BaseTime: 0.000"), "{log}");
    let mut known = outcome.meters.histograms();
    let mut intervals = 0;
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let LogEntry::Interval(interval) = entry.expect("a log that parses") else { continue };
        let (metric, cell, cause, histogram) = known.next().expect("a histogram for each line");
        let bytes = decoded(interval.encoded_histogram());
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
        assert_eq!(read, *histogram);
        let group = if metric == Metric::Sweep { "all" } else { &outcome.cells.plans[usize::from(cell)].group };
        assert_eq!(interval.tag().unwrap().as_str(), format!("{}.{group}.{}", metric.name(), cause.name()));
        intervals += 1;
    }
    assert!(known.next().is_none() && intervals > 5, "{intervals}");
}

#[test]
fn the_percentile_distribution_ends_with_all_samples() {
    let (plan, outcome, judged) = told();
    let text = file(&plan, &outcome, &judged, "latency.hgrm");
    let block = text.split("\n\n#[Metric").find(|block| block.contains("connect, cause = initial")).unwrap();
    let rows: Vec<Vec<f64>> = block
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().map_while(|word| word.parse().ok()).collect())
        .filter(|row: &Vec<f64>| row.len() >= 3)
        .collect();
    assert!(rows.is_sorted_by(|a, b| a[0] <= b[0] && a[1] <= b[1] && a[2] <= b[2]), "{block}");
    let total: u64 = (0..3)
        .filter_map(|cell| outcome.meters.histogram(Metric::Connect, cell, Cause::Initial))
        .map(Histogram::len)
        .sum();
    assert_eq!(rows.last().unwrap()[1..], [1.0, total as f64]);
}

#[test]
fn decisions_have_words() {
    use refresh_sim::measure::{Decision, What};
    use refresh_sim::time::Time;
    let plan = incident(1);
    let told =
        |what, detail, extra| step_line(&Names::new(&plan), &Decision { at: Time(1), who: 0, what, detail, extra });
    for what in What::ALL {
        let line: serde_json::Value = serde_json::from_str(&told(what, 0, 0)).unwrap();
        assert!(line["words"].as_str().is_some_and(|words| !words.is_empty()), "{line}");
    }
    assert!(told(What::Asked, 1, 0x8000).contains("asked about at refresh: fault"));
    assert!(told(What::Asked, 21, 0).contains("asked about at accept: reject, the certificate has expired"));
    assert!(
        told(What::Valid, 2 + 16 * Counter::Recovered as u8, 0).contains("valid (recovery), refresh ends recovered")
    );
}

#[test]
fn long_names_do_not_widen_the_summary() {
    let mut plan = incident(3);
    plan.front_ends = vec![FrontEndPlan::new(&"front-end-".repeat(20))];
    for at in 0..70 {
        let mut group = GroupPlan::new(&format!("{}{at}", "group-".repeat(30)), Transport::Tcp, 1);
        group.front_ends = vec![0];
        plan.groups.push(group);
    }
    plan.groups.remove(1);
    let outcome = outcome(&plan);
    let text = text(&plan, &outcome, &judge(&plan, &outcome));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.contains("more)"), "{text}");
}

#[test]
fn why_peers_were_rejected_is_told_with_counts_the_most_frequent_first() {
    use refresh_sim::validate::CertificateState::{Expired, NotYetValid, SelfSigned, Untrusted, WrongName};
    let shown = [(Expired, 9), (WrongName, 4), (Untrusted, 3), (SelfSigned, 2), (NotYetValid, 1)];
    let mut plan = Plan::new(Span::MINUTE.times(5), Builtin::Sfb2015Cu2);
    for (state, count) in shown {
        let mut group = GroupPlan::new(state.name(), Transport::Tls, count);
        group.certificate = Some(state);
        plan = plan.with_group(group);
    }
    let outcome = outcome(&plan);
    let json = summary(&plan, &outcome, &[], 0);
    let counts = |of: &serde_json::Value| -> Vec<(String, u64)> {
        let list = of["rejection_reasons"].as_array().expect("a list");
        list.iter().map(|one| (one["reason"].to_string(), one["count"].as_u64().expect("a number"))).collect()
    };
    let all = counts(&json);
    assert_eq!(all.len(), 5, "{json}");
    assert!(all.is_sorted_by(|one, next| one.1 >= next.1) && all[0].0 == "\"certificate-expired\"", "{all:?}");
    let each: u64 = all.iter().map(|(_, count)| count).sum();
    let groups = json["groups"].as_array().expect("groups");
    assert_eq!(each, groups.iter().map(|group| group["rejections"].as_u64().expect("a number")).sum::<u64>());
    assert_eq!(
        counts(&groups[1]),
        [("\"certificate-name\"".to_owned(), groups[1]["rejections"].as_u64().expect("it"))]
    );
    let text = text(&plan, &outcome, &[]);
    let told = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let rest: u64 = all[3..].iter().map(|(_, count)| count).sum();
    let [expired, name, untrusted] = [0, 1, 2].map(|nth: usize| all[nth].1);
    let expected = format!(
        "{each} rejected (the certificate has expired: {expired}, the certificate names another server: {name}, the \
         certificate's root is not trusted: {untrusted}, 2 other reasons: {rest})"
    );
    assert!(told.contains(&expected), "{expected} is not in: {text}");
    let mut quiet = Plan::new(Span::MINUTE.times(5), Builtin::Sfb2015Cu2);
    quiet = quiet.with_group(GroupPlan::new("g", Transport::Tls, 3));
    let quiet_outcome = run(&quiet, &mut Unwatched).expect("it runs");
    assert_eq!(summary(&quiet, &quiet_outcome, &[], 0)["rejection_reasons"], serde_json::json!([]));
}
