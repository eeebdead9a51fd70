//! Stories of peers that wait, give up and come back, and of front ends that let them or do not (model rules 5 and 14).
//!
//! One front end that serves from run time 0, peers a second of round trip away, a validation of 100 ms: a SYN at t is
//! answered at t + 1 s, a TCP peer's message arrives at t + 1.5 s, it is valid at t + 1.6 s and knows at t + 2.1 s.

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Counter, Decision, Outcome, What};
use refresh_sim::policy::{
    Backoff, Budget, ConnectGrowth, CountedFrom, GiveUp, Growth, Jitter, Limits, Rate, Ratio, Reconnect, Scope,
    Timeouts,
};
use refresh_sim::scenario::plan::{Change, Plan, TimelineEntry};
use refresh_sim::sim::{Unwatched, run_with};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{
    Answer, CertificateState, Phase, Question, Rejection, Transport, Validator, ValidatorMaker, Verdict,
};

use super::watching::{All, seen};
use crate::stories::{at, every, story};

fn seconds(n: u64) -> Span {
    Span::SECOND.times(n)
}

fn millis(n: u64) -> Span {
    Span::MILLISECOND.times(n)
}

fn doubling() -> Backoff {
    let growth = Growth::Exponential(Ratio::new(2, 1));
    Backoff { growth, cap: Some(seconds(8)), ..Backoff::fixed(Dist::Constant(Span::SECOND)) }
}

fn backing_off(backoff: Backoff) -> Reconnect {
    Reconnect::backing_off(Dist::Constant(Span::ZERO), backoff)
}

/// Peers that are refused for the whole run: each attempt fails a second after its SYN.
fn refused(count: u32, horizon: Span, reconnect: Reconnect) -> Plan {
    let mut plan = story(count, horizon);
    plan.front_ends[0].start_up = Dist::Constant(Span::DAY);
    plan.groups[0].reconnect = reconnect;
    plan
}

fn total(outcome: &Outcome, counter: Counter) -> u64 {
    outcome.meters.counted(0, counter)
}

fn details(seen: &[Decision], what: What) -> Vec<u8> {
    seen.iter().filter(|d| d.what == what).map(|d| d.detail).collect()
}

/// One TLS peer with one flight that takes so long.
fn tls(plan: &mut Plan, flight: Span) {
    let group = &mut plan.groups[0];
    (group.transport, group.certificate) = (Transport::Tls, Some(CertificateState::Valid));
    (group.flights, group.client_cpu) = (vec![Dist::Constant(flight)], vec![]);
}

#[test]
fn rule_14_waits_grow_with_failures_up_to_the_cap_and_count_from_the_failure_or_from_the_start() {
    let from_failure = refused(1, seconds(30), backing_off(doubling()));
    assert_eq!(at(&seen(&from_failure).1, What::Attempt), [0, 2_000, 5_000, 10_000, 19_000, 28_000]);
    let reconnect = Reconnect { counted_from: CountedFrom::Start, ..backing_off(doubling()) };
    let from_start = refused(1, seconds(30), reconnect);
    assert_eq!(at(&seen(&from_start).1, What::Attempt), [0, 1_000, 3_000, 7_000, 15_000, 23_000]);
}

/// One peer that two front ends refuse for ten days.
fn refused_by_two(horizon: Span) -> Plan {
    let mut plan = refused(1, horizon, backing_off(doubling()));
    plan.front_ends[0].start_up = Dist::Constant(Span::DAY.times(10));
    let mut second = plan.front_ends[0].clone();
    second.name = "fe02".to_owned();
    plan.front_ends.push(second);
    plan.groups[0].front_ends = vec![0, 1];
    plan
}

#[test]
fn rule_14_with_two_front_ends_a_failure_is_a_round_and_the_start_is_that_of_the_round() {
    let mut plan = refused_by_two(seconds(20));
    assert_eq!(at(&seen(&plan).1, What::Attempt), [0, 1_000, 3_000, 4_000, 7_000, 8_000, 13_000, 14_000]);
    plan.groups[0].reconnect.counted_from = CountedFrom::Start;
    assert_eq!(at(&seen(&plan).1, What::Attempt)[..6], [0, 1_000, 2_000, 3_000, 4_000, 5_000]);
}

#[test]
fn rule_14_beyond_the_attempts_that_are_counted_each_is_a_round_and_has_its_wait() {
    let mut plan = refused_by_two(Span::DAY.times(4));
    plan.groups[0].reconnect.counted_from = CountedFrom::Start;
    let attempts = at(&seen(&plan).1, What::Attempt);
    let gaps: Vec<u64> = attempts.windows(2).map(|two| two[1] - two[0]).collect();
    let (counted, beyond) = gaps.split_at(usize::from(u16::MAX));
    assert_eq!(counted.last(), Some(&1_000), "the second of a round");
    assert!(beyond.len() > 1_000 && beyond.iter().all(|gap| *gap == 8_000), "{:?}", beyond.first());
}

#[test]
fn rule_14_jitter_takes_a_herd_apart_and_each_wait_is_the_peers_own() {
    let herd = |count, jitter| {
        let plan = refused(count, millis(2_500), backing_off(Backoff { jitter, ..doubling() }));
        let mut second = at(&seen(&plan).1, What::Attempt).split_off(count as usize);
        second.dedup();
        second
    };
    assert_eq!(herd(50, Jitter::None), [2_000]);
    let (few, many) = (herd(40, Jitter::Equal), herd(50, Jitter::Equal));
    assert!(few.len() > 35 && few.iter().all(|at| (1_500..=2_000).contains(at) && many.contains(at)), "{few:?}");
}

/// Lets everybody in, and nobody stay.
struct OnlyNew;

impl ValidatorMaker for OnlyNew {
    fn make(&self, _: usize, _: u32) -> Box<dyn Validator> {
        Box::new(OnlyNew)
    }
}

impl Validator for OnlyNew {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        match question.phase {
            Phase::Accept => Answer::Accept.into(),
            Phase::Refresh => Answer::Reject(Rejection::Other).into(),
        }
    }
}

#[test]
fn rule_14_a_connection_that_dies_too_young_counts_as_a_failure() {
    let waits = |reset_after| {
        let mut plan = story(1, seconds(90));
        every(&mut plan, seconds(10));
        plan.groups[0].reconnect = Reconnect { reset_after, ..backing_off(doubling()) };
        let mut all = All::default();
        run_with(&plan, &OnlyNew, &mut all).expect("it runs");
        let lost = at(&all.0, What::Lost);
        let tries = at(&all.0, What::Attempt);
        // The peer learns of the loss half a second after it.
        lost.iter().filter_map(|lost| tries.iter().find(|at| *at > lost).map(|at| at - lost - 500)).collect::<Vec<_>>()
    };
    assert_eq!(waits(seconds(12))[..4], [1_000, 2_000, 4_000, 8_000]);
    assert_eq!(waits(Span::ZERO)[..4], [0; 4]);
    assert_eq!(waits(seconds(5))[..4], [0; 4]);
}

#[test]
fn rule_14_a_peer_stops_for_good_after_so_many_attempts_or_so_long() {
    let stops = |attempts, after| {
        let give_up = GiveUp { attempts, after };
        let plan = refused(1, seconds(60), Reconnect { give_up, ..backing_off(doubling()) });
        let (outcome, seen) = seen(&plan);
        assert_eq!((total(&outcome, Counter::Stopped), total(&outcome, Counter::UnfinishedConnects)), (1, 1));
        (at(&seen, What::Attempt), at(&seen, What::Stops))
    };
    assert_eq!(stops(Some(3), None), (vec![0, 2_000, 5_000], vec![6_000]));
    // The next attempt would be at 10 s.
    assert_eq!(stops(None, Some(millis(9_999))), (vec![0, 2_000, 5_000], vec![6_000]));
    assert_eq!(stops(None, Some(seconds(10))), (vec![0, 2_000, 5_000, 10_000], vec![11_000]));
}

#[test]
fn rule_14_a_peer_that_stopped_comes_back_when_it_joins_again() {
    let give_up = GiveUp { attempts: Some(1), after: None };
    let mut plan = refused(1, seconds(60), Reconnect { give_up, ..backing_off(doubling()) });
    plan.timeline = [(20, Change::Leave), (30, Change::Join)]
        .map(|(at, change)| TimelineEntry { at: Time(seconds(at).0), change, group: 0, indices: None, front_end: None })
        .to_vec();
    assert_eq!(at(&seen(&plan).1, What::Attempt), [0, 30_000]);
}

#[test]
fn rule_14_an_attempt_may_take_as_long_as_the_wait_after_it() {
    let mut plan = story(1, seconds(40));
    plan.groups[0].validate_accept = Dist::Constant(Span::HOUR);
    plan.groups[0].attempt_timeout = Some(seconds(2));
    let growth = Growth::Exponential(Ratio::new(4, 1));
    plan.groups[0].reconnect =
        Reconnect { stretch_attempt: true, ..backing_off(Backoff { growth, cap: None, ..doubling() }) };
    let (_, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Attempt), [0, 3_000, 11_000]);
    assert_eq!(at(&seen, What::GaveUp), [2_000, 7_000, 27_000]);
}

#[test]
fn rule_14_a_retry_budget_withholds_what_is_beyond_its_floor_and_share() {
    let budget = |share, per_second| {
        let floor = Rate::per_second(per_second);
        let budget = Budget { share: Ratio::percent(share), floor, window: seconds(10), scope: Scope::Group };
        let delay = Dist::Constant(Span::SECOND);
        let reconnect = Reconnect { budget: Some(budget), ..Reconnect::plain(Dist::Constant(Span::ZERO), delay) };
        let (outcome, seen) = seen(&refused(20, millis(13_500), reconnect));
        let mut tries = at(&seen, What::Attempt);
        assert!(total(&outcome, Counter::Withheld) > 0);
        let first = tries.split_off(20);
        assert_eq!(tries, [0; 20]);
        first
    };
    // 2/s over 10 s: twenty, then nothing until these are forgotten. Whoever is refused asks again after a second.
    assert_eq!(budget(0, 2), [[2_000; 20], [12_000; 20]].concat());
    // A quarter of the twenty first attempts, as long as these count.
    assert_eq!(budget(25, 0), [2_000; 5]);
}

#[test]
fn rule_14_attempts_at_one_front_end_keep_a_pace() {
    let mut plan = story(6, seconds(10));
    plan.groups[0].reconnect.limit.rate = Some(Rate::per_second(2));
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Attempt), [0, 500, 1_000, 1_500, 2_000, 2_500]);
    assert_eq!((total(&outcome, Counter::Held), total(&outcome, Counter::Valids)), (5, 6));
}

#[test]
fn rule_14_attempts_in_flight_are_bounded_and_whoever_leaves_gives_its_turn_away() {
    let mut plan = story(4, seconds(10));
    plan.groups[0].reconnect.limit.in_flight = Some(1);
    assert_eq!(at(&seen(&plan).1, What::Attempt), [0, 1_600, 3_200, 4_800]);
    // The second leaves while it waits, the third while its attempt is under way.
    plan.timeline = [(1_000, 1), (2_000, 2)]
        .map(|(at, index)| TimelineEntry {
            at: Time(millis(at).0),
            change: Change::Leave,
            group: 0,
            indices: Some(vec![index]),
            front_end: None,
        })
        .to_vec();
    assert_eq!(at(&seen(&plan).1, What::Attempt), [0, 1_600, 2_000]);
}

#[test]
fn rule_14_a_planned_reconnect_waits_for_its_turn_too() {
    let mut plan = story(3, seconds(20));
    every(&mut plan, seconds(10));
    let refresh = plan.refresh.as_mut().expect("there is one");
    refresh.act = refresh_sim::policy::Act::Reconnect(refresh_sim::policy::Initiator::FrontEnd);
    plan.groups[0].reconnect.limit.rate = Some(Rate::per_second(1));
    let tries = at(&seen(&plan).1, What::Attempt);
    assert_eq!(tries, [0, 1_000, 2_000, 10_500, 11_500, 12_500]);
}

#[test]
fn rule_14_each_step_has_its_time_out() {
    let gave_up = |timeouts, flight: Option<Span>, validate| {
        let mut plan = story(1, seconds(6));
        if let Some(flight) = flight {
            tls(&mut plan, flight);
        }
        plan.groups[0].timeouts = timeouts;
        plan.groups[0].validate_accept = Dist::Constant(validate);
        let (_, seen) = seen(&plan);
        (at(&seen, What::GaveUp), details(&seen, What::GaveUp))
    };
    let none = Timeouts::NONE;
    let connect = Timeouts { connect: Some(millis(999)), ..none };
    assert_eq!(gave_up(connect, None, millis(1)), (vec![999], vec![2]));
    assert_eq!(gave_up(Timeouts { connect: Some(seconds(1)), ..none }, None, millis(1)), (vec![], vec![]));
    // The first flight is sent at 1 s, the flight that answers it is there at 2 s and what it took.
    let flight = Timeouts { flight: Some(seconds(3)), ..none };
    assert_eq!(gave_up(flight, Some(seconds(5)), millis(1)), (vec![4_000], vec![3]));
    assert_eq!(gave_up(flight, Some(seconds(2)), seconds(9)), (vec![], vec![]), "verdicts are another step");
    assert_eq!(gave_up(flight, Some(millis(2_001)), millis(1)), (vec![4_000], vec![3]), "a millisecond too late");
    let answer = Timeouts { answer: Some(seconds(3)), ..none };
    assert_eq!(gave_up(answer, None, seconds(9)), (vec![4_000], vec![4]));
    // Sent at 1 s, valid at 3.5 s, the news is there at 4 s, or a millisecond later.
    assert_eq!(gave_up(answer, None, seconds(2)), (vec![], vec![]));
    assert_eq!(gave_up(answer, None, millis(2_001)), (vec![4_000], vec![1]));
}

#[test]
fn rule_14_the_time_for_a_connection_may_grow_with_failed_rounds() {
    let mut plan = story(1, seconds(30));
    let growth = ConnectGrowth { factor: Ratio::new(2, 1), cap: None, jitter: Ratio::percent(0) };
    plan.groups[0].timeouts = Timeouts { connect: Some(millis(300)), connect_growth: Some(growth), ..Timeouts::NONE };
    let (_, seen) = seen(&plan);
    // The answer takes a second: 300 ms and 600 ms are too little, 1,200 ms is enough.
    assert_eq!((at(&seen, What::Attempt), at(&seen, What::GaveUp)), (vec![0, 5_300, 10_900], vec![300, 5_900]));
    assert_eq!(at(&seen, What::Valid), [12_500]);
}

#[test]
fn rule_14_a_front_end_that_notices_skips_the_job_of_a_peer_whose_close_has_arrived() {
    let served = |notices, validate: Span| {
        let mut plan = story(2, seconds(20));
        let front_end = &mut plan.front_ends[0];
        (front_end.workers, front_end.cores, front_end.notices) = (1, 1, notices);
        plan.groups[0].validate_accept = Dist::Constant(validate);
        plan.groups[0].attempt_timeout = Some(seconds(3));
        plan.groups[0].reconnect.delay = Dist::Constant(Span::HOUR);
        let (outcome, seen) = seen(&plan);
        let account = &outcome.front_ends[0].account;
        assert_eq!(total(&outcome, Counter::Skipped), details(&seen, What::Skipped).len() as u64);
        (account.served, account.dropped, account.wasted / u128::from(validate.0))
    };
    // Both give up at 3 s, the closes arrive at 3.5 s; the first job is in service from 1.5 s on.
    assert_eq!(served(false, seconds(5)), (2, 0, 2));
    assert_eq!(served(true, seconds(5)), (1, 1, 1));
    assert_eq!(served(true, millis(2_000)), (1, 1, 1), "its turn comes at the very instant of the close");
    assert_eq!(served(true, millis(1_999)), (2, 0, 2), "its turn comes before the close");
}

#[test]
fn rule_05_the_front_end_ends_a_handshake_that_takes_too_long() {
    let mut plan = story(1, seconds(6));
    tls(&mut plan, seconds(9));
    plan.front_ends[0].limits = Limits { handshake: Some(seconds(4)), ..Limits::default() };
    let (outcome, seen) = seen(&plan);
    assert_eq!((at(&seen, What::Limit), details(&seen, What::Limit)), (vec![4_500], vec![0]));
    assert_eq!((total(&outcome, Counter::Limited), total(&outcome, Counter::TimeOuts)), (1, 0));
}

#[test]
fn rule_05_the_front_end_ends_a_connection_without_a_valid_message_in_time() {
    let ended = |first_message, validate| {
        let mut plan = story(1, seconds(12));
        plan.groups[0].validate_accept = Dist::Constant(validate);
        plan.front_ends[0].limits = Limits { first_message: Some(first_message), ..Limits::default() };
        let (_, seen) = seen(&plan);
        (at(&seen, What::Limit), details(&seen, What::Limit), at(&seen, What::Valid), at(&seen, What::Attempt))
    };
    // The peer learns of the reset half a second later and waits its 5 s.
    assert_eq!(ended(seconds(3), seconds(9)), (vec![3_500], vec![1], vec![], vec![0, 9_000]));
    assert_eq!(ended(seconds(3), seconds(2)), (vec![], vec![], vec![3_500], vec![0]), "valid at the very instant");
}

#[test]
fn rule_05_beyond_its_most_connections_a_front_end_refuses_and_an_abandoned_one_counts_until_its_close_arrives() {
    let mut plan = story(2, seconds(4));
    plan.front_ends[0].limits = Limits { max_connections: Some(1), ..Limits::default() };
    let (outcome, both) = seen(&plan);
    assert_eq!((at(&both, What::Limit), details(&both, What::Limit)), (vec![500], vec![2]));
    assert_eq!((at(&both, What::Refused), total(&outcome, Counter::Valids)), (vec![], 1));
    // The first gives up at 3 s, its close arrives at 3.5 s; the second's SYN arrives half a second after it joins.
    let second_joins_at = |ms| {
        let mut plan = story(2, seconds(4));
        plan.front_ends[0].limits = Limits { max_connections: Some(1), ..Limits::default() };
        plan.groups[0].validate_accept = Dist::Constant(seconds(9));
        plan.groups[0].attempt_timeout = Some(seconds(3));
        let indices = Some(vec![1]);
        plan.timeline = [(0, Change::Leave), (ms, Change::Join)]
            .map(|(at, change)| TimelineEntry {
                at: Time(millis(at).0),
                change,
                group: 0,
                indices: indices.clone(),
                front_end: None,
            })
            .to_vec();
        at(&seen(&plan).1, What::Limit)
    };
    assert_eq!(second_joins_at(2_999), [3_499]);
    assert_eq!(second_joins_at(3_000), [0; 0]);
}

#[test]
fn rule_05_a_planned_reconnect_takes_its_own_slot_again() {
    use refresh_sim::policy::{Act, Initiator};
    for initiator in [Initiator::FrontEnd, Initiator::Peer] {
        let mut plan = story(3, seconds(15));
        every(&mut plan, seconds(10));
        plan.refresh.as_mut().expect("there is one").act = Act::Reconnect(initiator);
        plan.front_ends[0].limits = Limits { max_connections: Some(3), ..Limits::default() };
        let (outcome, seen) = seen(&plan);
        assert_eq!((at(&seen, What::Limit), total(&outcome, Counter::ValidByReconnect)), (vec![], 3));
    }
}

#[test]
fn rule_14_settings_that_nobody_uses_change_no_digest() {
    let digest = |plan: &Plan| refresh_sim::sim::run(plan, &mut Unwatched).expect("it runs").digest;
    let mut plan = story(5, Span::MINUTE);
    every(&mut plan, seconds(10));
    let plain = digest(&plan);
    plan.groups[0].timeouts = Timeouts { connect: Some(Span::HOUR), answer: Some(Span::HOUR), ..Timeouts::NONE };
    plan.groups[0].reconnect.reset_after = Span(1);
    plan.groups[0].reconnect.limit.in_flight = Some(1_000);
    plan.front_ends[0].notices = true;
    assert_eq!(digest(&plan), plain);
}
