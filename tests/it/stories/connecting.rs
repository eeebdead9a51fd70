//! Rules 11 to 15, 26 and 27: from a peer to an established connection.

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Cause, Counter, Metric, Outcome, RecordKind, What};
use refresh_sim::policy::{Act, Action, Initiator, Ratio, Recovery, Refresh};
use refresh_sim::scenario::plan::{Change, FrontEndPlan, OnTimeOut, Operate, Operation, Requests, TimelineEntry};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{CertificateState, Phase, Transport};

use super::{By, accepts, at_second, faults, seconds, told};
use crate::random_plans::total;
use crate::stories::{at, every, story};
use crate::watching::seen;

fn count(outcome: &Outcome, metric: Metric, cause: Cause) -> u64 {
    outcome.meters.histogram(metric, 0, cause).map_or(0, |histogram| histogram.len())
}

/// Whether all samples are this long, as far as three digits tell.
fn all_are(outcome: &Outcome, metric: Metric, cause: Cause, length: Span) -> bool {
    outcome.meters.histogram(metric, 0, cause).is_some_and(|histogram| {
        [histogram.min(), histogram.max()].into_iter().all(|sample| histogram.equivalent(sample, length.0))
    })
}

#[test]
fn rule_11_a_peers_round_trip_is_drawn_once_and_stays() {
    let mut plan = story(1, seconds(60));
    plan.groups[0].rtt = Dist::uniform(Span(1), seconds(2)).expect("in range");
    let refresh = refresh_in_place(seconds(10));
    plan.refresh = Some(Refresh { act: Act::Reconnect(Initiator::Peer), ..refresh });
    let (_, seen) = seen(&plan);
    let instants = |what| -> Vec<_> { seen.iter().filter(|d| d.what == what).map(|d| d.at).collect() };
    let (due, valid) = (instants(What::Due), instants(What::Valid));
    let lengths: Vec<_> = due.iter().zip(&valid[1..]).map(|(due, valid)| valid.since(*due)).collect();
    assert!(lengths.len() == 5 && lengths.iter().all(|length| *length == valid[0].since(Time::ZERO)), "{lengths:?}");
}

#[test]
fn rule_13_a_peer_is_established_half_a_round_trip_after_it_is_valid() {
    let mut plan = story(2, seconds(10));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Valid), [1_600, 1_700]);
    let millis = |n| Span::MILLISECOND.times(n);
    let attempt = outcome.meters.histogram(Metric::Attempt, 0, Cause::Initial).expect("two");
    assert!(attempt.equivalent(attempt.min(), millis(2_100).0) && attempt.equivalent(attempt.max(), millis(2_200).0));
    let queue = outcome.meters.histogram(Metric::Queue, 0, Cause::Initial).expect("two");
    assert!(queue.min() == 0 && queue.equivalent(queue.max(), millis(100).0));
    assert!(all_are(&outcome, Metric::Service, Cause::Initial, millis(100)));
}

#[test]
fn rule_13_connect_counts_all_tries_and_attempt_the_last() {
    let mut plan = story(1, seconds(20));
    plan.front_ends[0].start_up = Dist::Constant(seconds(5));
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Attempt), [0, 6_000]);
    assert!(all_are(&outcome, Metric::Attempt, Cause::Initial, Span::MILLISECOND.times(2_100)));
    assert!(all_are(&outcome, Metric::Connect, Cause::Initial, Span::MILLISECOND.times(8_100)));
    assert!(all_are(&outcome, Metric::Outage, Cause::Initial, Span::MILLISECOND.times(8_100)));
}

#[test]
fn rule_15_samples_carry_why_the_connection_was_made() {
    let mut plan = story(3, seconds(30));
    plan.recovery = Recovery { actions: vec![Action::Restart(Span::ZERO)], reset_period: None, dump: Span::ZERO };
    plan.refresh = Some(Refresh { act: Act::Reconnect(Initiator::Peer), ..refresh_in_place(seconds(10)) });
    let falls =
        By(|question| if question.at.0 > seconds(20).0 && question.attempt == 0 { faults() } else { accepts() });
    let (outcome, seen) = told(&plan, &falls);
    // Down at 21.5 s, learnt at 22 s, tried again 5 s later.
    assert_eq!(at(&seen, What::Crash), [21_500]);
    let of = |cause| count(&outcome, Metric::Attempt, cause);
    assert_eq!((of(Cause::Initial), of(Cause::Refresh), of(Cause::Recovery)), (3, 6, 0), "their cause stays refresh");
    every(&mut plan, seconds(10));
    plan.horizon = seconds(15);
    let falls = By(|question| if question.phase == Phase::Refresh { faults() } else { accepts() });
    let (outcome, _) = told(&plan, &falls);
    assert_eq!(count(&outcome, Metric::Attempt, Cause::Recovery), 3);
}

#[test]
fn rule_15_what_ends_before_measuring_begins_is_counted_and_left_out() {
    let mut plan = story(1, seconds(35));
    every(&mut plan, seconds(10));
    let all = seen(&plan).0;
    let samples = |outcome: &Outcome| -> u64 { outcome.meters.histograms().map(|(.., h)| h.len()).sum() };
    plan.measure.from = Time(seconds(15).0);
    let some = seen(&plan).0;
    assert_eq!((count(&all, Metric::Refresh, Cause::Refresh), count(&some, Metric::Refresh, Cause::Refresh)), (3, 2));
    assert_eq!((all.meters.excluded, samples(&some) + some.meters.excluded), (0, samples(&all)));
    assert_eq!(total(&some, Counter::Dues), 3, "a counter leaves nothing out");
}

#[test]
fn rules_26_and_27_a_peer_has_one_connection_and_fails_over_to_the_next_front_end() {
    let mut plan = story(3, seconds(15));
    plan.front_ends.push(FrontEndPlan { start_up: Dist::Constant(Span::ZERO), ..FrontEndPlan::new("second") });
    plan.groups[0].front_ends = vec![0, 1];
    plan.recovery = Recovery { actions: vec![Action::Restart(Span::SECOND)], reset_period: None, dump: Span::ZERO };
    every(&mut plan, seconds(10));
    let falls = By(|question| if question.phase == Phase::Refresh { faults() } else { accepts() });
    let (outcome, seen) = told(&plan, &falls);
    assert_eq!(at(&seen, What::Crash), [10_000]);
    let valid: Vec<_> = seen.iter().filter(|d| d.what == What::Valid).map(|d| (d.at.0 / 1_000_000, d.extra)).collect();
    assert_eq!(valid, [(1_600, 0), (1_600, 0), (1_600, 0), (12_100, 1), (12_100, 1), (12_100, 1)]);
    assert_eq!(outcome.front_ends.iter().map(|f| f.valid).collect::<Vec<_>>(), [0, 3], "nobody moves back");
}

#[test]
fn rule_11_requests_answers_and_resets_take_as_long_as_their_group_is_slow_when_they_set_out() {
    let mut plan = story(1, seconds(30));
    plan.groups[0].requests = Some(Requests {
        every: Dist::Constant(seconds(10)),
        cpu: Dist::Constant(Span::MILLISECOND),
        timeout: None,
        stop_after: Some(1),
        on_timeout: OnTimeOut::Keep,
    });
    plan.timeline = vec![TimelineEntry { indices: None, ..at_second(2, Change::Slow(Ratio::new(3, 1)), &[]) }];
    plan.operations = vec![Operation { at: Time(seconds(20).0), what: Operate::Stop, stages: vec![vec![0]] }];
    let (_, seen) = seen(&plan);
    let due = at(&seen, What::RequestDue)[0].max(2_100);
    assert!(due > 2_100, "it has a connection by then, or the seed is to be another: {due}");
    assert_eq!(at(&seen, What::RequestTaken), [due + 1_500]);
    assert_eq!(at(&seen, What::RequestAnswered), [due + 3_001]);
    assert_eq!((at(&seen, What::Lost), at(&seen, What::Attempt)[1]), (vec![20_000], 21_500));
}

#[test]
fn rule_11_a_try_takes_as_many_times_as_long_as_its_group_was_slow_when_it_began() {
    let mut plan = story(3, seconds(30));
    plan.groups[0].transport = Transport::Tls;
    plan.groups[0].certificate = Some(CertificateState::Valid);
    plan.groups[0].flights = vec![Dist::Constant(Span::MILLISECOND)];
    plan.groups[0].client_cpu = vec![Dist::Constant(seconds(1))];
    let entry = |second, change| TimelineEntry { indices: None, ..at_second(second, change, &[]) };
    plan.timeline = vec![
        at_second(0, Change::Leave, &[1, 2]),
        entry(2, Change::Slow(Ratio::new(3, 1))),
        at_second(2, Change::Join, &[1]),
        entry(3, Change::SlowEnds),
        at_second(3, Change::Join, &[2]),
    ];
    let (outcome, seen) = seen(&plan);
    let valid = |who| seen.iter().find(|d| d.what == What::Valid && d.who == who).map(|d| d.at.0 / 1_000_000);
    // Two and a half round trips, a second of the peer's, a flight and a validation.
    assert_eq!([0, 2].map(valid), [Some(3_601), Some(6_601)]);
    let slow = |record: &&refresh_sim::measure::Record| matches!(record.kind, RecordKind::Slow { .. });
    assert_eq!(
        outcome.records.iter().filter(slow).map(|record| record.at.0 / 1_000_000_000).collect::<Vec<_>>(),
        [2, 3]
    );
    assert_eq!(valid(1), Some(2_000 + 3 * 3_500 + 101), "begun while it was slow, though that ends a second later");
}
