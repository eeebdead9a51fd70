//! What replications say together, and when a rule has enough of them.

use std::collections::BTreeMap;

use super::super::cell::tests::plan;
use super::*;
use crate::measure::{Cause, Metric};
use crate::sim;

const DRAWN: [(&str, &str); 2] = [("group.0.count", "40"), ("group.0.rtt", "{ exponential = \"20ms\" }")];

fn replica(plan: &Plan, replication: u32) -> Replica {
    let plan = Plan { replication, ..plan.clone() };
    let outcome = sim::run(&plan, &mut sim::Unwatched).expect("it runs");
    Replica::of(&plan, &outcome).expect("it ended")
}

fn replicated(plan: &Plan, count: u32) -> Replicated<'_> {
    let mut all = Replicated::new(plan);
    (0..count).for_each(|replication| all.add(replica(plan, replication)));
    all
}

fn about(command: &dyn Fn(u32) -> String) -> About<'_> {
    About { command, until: None, exit: 0 }
}

#[test]
fn rule_31_the_point_estimate_is_the_nearest_rank_among_all_samples_pooled() {
    let plan = plan("a", &DRAWN);
    let all = replicated(&plan, 11);
    // The samples of all replications, by value, put together by hand.
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for replication in 0..11 {
        for latency in replica(&plan, replication).latencies {
            if (latency.line.metric, latency.line.cause) == (Metric::Attempt, Cause::Initial) {
                let histogram = latency.samples.histogram().expect("samples").clone();
                for bucket in histogram.iter_recorded() {
                    let upper = histogram.highest_equivalent(bucket.value_iterated_to());
                    *counts.entry(upper).or_default() += bucket.count_since_last_iteration();
                }
            }
        }
    }
    let values: Vec<u64> = counts.iter().flat_map(|(value, n)| std::iter::repeat_n(*value, *n as usize)).collect();
    assert_eq!(values.len(), 11 * 40);
    let line =
        |line: &&Line| (line.metric, line.cause, line.group.is_none()) == (Metric::Attempt, Cause::Initial, true);
    let pool = &all.lines[all.lines.keys().find(line).expect("the line")];
    for ppm in [10_000, 500_000, 900_000, 970_000] {
        let rank = (values.len() as u64 * u64::from(ppm)).div_ceil(1_000_000) as usize;
        assert_eq!(pool.samples.quantile(ppm), Some(values[rank - 1]), "{ppm}");
    }
    assert_eq!(pool.samples.quantile(990_000), None, "four samples lie beyond it");
    // One replication alone does not know its p90: only four of its forty lie beyond.
    assert!(pool.each.iter().all(|each| each[1].is_none() && each[0].is_some()));
}

#[test]
fn rule_31_a_single_run_and_fewer_than_ten_have_no_interval() {
    let plan = plan("a", &[DRAWN[0], DRAWN[1], ("expect.quick", "attempt : p50 <= 1h")]);
    for (count, has) in [(1, false), (9, false), (10, true)] {
        let all = replicated(&plan, count);
        let spread = all.weighed(1).spread;
        assert_eq!((spread.known, spread.interval.is_some()), (count, has), "{count}");
        let json = all.json(&about(&|n| format!("run {n}")));
        assert_eq!(json["interval"]["level"].is_number(), has);
        assert_eq!(json["expectations"][1]["value"]["low"].is_number(), has);
    }
}

#[test]
fn rule_31_there_is_no_interval_where_one_replication_has_no_value() {
    let known: Vec<Option<u64>> = (1..=12).map(Some).collect();
    assert!(Spread::of(&known).interval.is_some());
    let one_less: Vec<Option<u64>> = known.iter().copied().chain([None]).collect();
    let spread = Spread::of(&one_less);
    assert_eq!((spread.known, spread.interval, spread.median), (12, None, Some(6)));
    // Never is a value, the greatest of all.
    let never: Vec<Option<u64>> = (1..=12).map(|n| Some(if n > 6 { u64::MAX } else { n })).collect();
    let spread = Spread::of(&never);
    assert_eq!((spread.interval, spread.width_ppm()), (Some((3, u64::MAX)), Some(u64::MAX)));
}

#[test]
fn a_width_is_the_intervals_share_of_the_median() {
    let of = |values: &[u64]| Spread::of(&values.iter().copied().map(Some).collect::<Vec<_>>()).width_ppm();
    assert_eq!(of(&[7; 10]), Some(0));
    assert_eq!(of(&[0; 10]), Some(0), "nothing moves");
    assert_eq!(of(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]), Some(u64::MAX), "no share of nothing");
    // Of ten the interval is from the second to the ninth: 20 to 90, and the lower median is 50.
    assert_eq!(of(&[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]), Some(1_400_000));
    assert_eq!(of(&[1; 9]), None);
}

#[test]
fn rule_31_a_stopping_rule_looks_after_ten_and_then_after_every_ten() {
    assert_eq!(looks(45).collect::<Vec<_>>(), [10, 20, 30, 40, 45]);
    assert_eq!(looks(10).collect::<Vec<_>>(), [10]);
    assert_eq!(looks(u32::MAX).nth(2), Some(30));
}

#[test]
fn a_stopping_rule_stops_when_all_watched_are_narrow_or_at_the_most() {
    let plan = plan("a", &[DRAWN[0], DRAWN[1], ("expect.quick", "attempt : p50 <= 1h")]);
    let all = replicated(&plan, 10);
    let width = all.weighed(1).spread.width_ppm().expect("an interval");
    assert!(width > 1, "{width}");
    let rule = |width_ppm, most| Until::new(&plan, width_ppm, &[], most).expect("a rule");
    let stop = rule(width, 200).look(&all, 1).expect("it stops");
    assert_eq!((stop.reached, stop.widths), (true, vec![Some(0), Some(width)]));
    assert_eq!(rule(width - 1, 200).look(&all, 1), None);
    let stop = rule(width - 1, 10).look(&all, 1).expect("there are no more");
    assert!(!stop.reached);
    let lives = Until::new(&plan, 0, &["lives".to_owned()], 200).expect("a rule");
    assert!(lives.look(&all, 1).is_some_and(|stop| stop.reached), "only what it was told to look at");
}

#[test]
fn a_rule_that_could_never_stop_is_refused() {
    let own = plan("a", &[("expect.word", "verdict : value == steady")]);
    let refused = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Until::new(&own, 0, &names, 200).expect_err("refused")
    };
    assert!(refused(&["word"]).contains("are: lives"));
    assert!(refused(&["nobody"]).contains("are: lives"));
    let mut none = own.clone();
    none.expect.retain(|expectation| expectation.name == "word");
    assert!(Until::new(&none, 0, &[], 200).expect_err("refused").contains("add one"));
}

#[test]
fn an_expectation_fails_if_it_does_in_one_replication_and_the_worst_one_is_named() {
    let plan = plan("a", &[DRAWN[0], DRAWN[1], ("expect.quick", "attempt : p50 <= 1h")]);
    let mut all = Replicated::new(&plan);
    for replication in 0..5 {
        let mut own = replica(&plan, replication);
        if replication == 2 || replication == 3 {
            own.expectations[1].verdict = "fail".to_owned();
            own.expectations[1].value = Some(if replication == 3 { u64::MAX } else { 9 });
        }
        all.add(own);
    }
    let weighed = all.weighed(1);
    assert_eq!((weighed.verdict, weighed.passed, weighed.failed, weighed.worst), (Verdict::Fail, 3, 2, 3));
    assert_eq!(all.verdict(), Some(Verdict::Fail));
    assert_eq!(all.worst().expect("one"), (2, "quick fails".to_owned()), "of equals the first");
    let text = all.text(&about(&|n| format!("run {n}")));
    assert!(text.contains("to see it alone: run 2\n") && text.contains("in replication 3"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn what_must_happen_sometimes_passes_if_it_does_in_one() {
    let plan = plan("a", &[("expect.once", "disconnected : sometimes >= 1")]);
    let mut all = Replicated::new(&plan);
    for (replication, verdict) in (0..3).zip(["fail", "pass", "inconclusive"]) {
        let mut own = replica(&plan, replication);
        own.expectations[1].verdict = verdict.to_owned();
        all.add(own);
    }
    assert_eq!(all.weighed(1).verdict, Verdict::Pass);
}

#[test]
fn what_is_kept_of_a_replication_does_not_grow_with_its_samples() {
    let size = |count: &str| replica(&plan("a", &[("group.0.count", count), DRAWN[1]]), 0).text().len();
    let (few, many) = (size("100"), size("10000"));
    assert!(many < 8 * few, "{few} bytes of 100 peers, {many} of 10000");
}
