//! Rules 2 to 33: one short story each, of the plainest that a rule has.

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Counter, Metric, What};
use refresh_sim::policy::{Act, Anchor, Initiator, Recovery, Refresh};
use refresh_sim::scenario::plan::{Change, Plan, Start, TimelineEntry, WhenFull};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::sim::{Watch, run, run_with};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{
    Answer, Builtin, CertificateState, FaultCode, Question, Transport, Validator, ValidatorMaker, Verdict,
};

use super::{at, every, story};
use crate::random_plans::total;
use crate::watching::{All, seen};

#[test]
fn rule_02_two_workers_share_one_core_and_the_second_waits_for_it() {
    let mut plan = story(2, Span::MINUTE);
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (2, 1);
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Valid), [1_600, 1_700]);
    assert_eq!(outcome.front_ends[0].account.waiting, u128::from(Span::MILLISECOND.times(100).0));
}

#[test]
fn rule_03_a_full_queue_closes_the_newest_or_the_oldest_or_holds_back() {
    let dropped = [WhenFull::Close, WhenFull::DropOldest, WhenFull::BackPressure].map(|when_full| {
        let mut plan = story(4, Span::SECOND.times(4));
        let front_end = &mut plan.front_ends[0];
        (front_end.workers, front_end.cores, front_end.queue_limit) = (1, 1, Some(1));
        front_end.when_full = when_full;
        let seen = seen(&plan).1;
        seen.iter().filter(|d| d.what == What::Dropped).map(|d| d.who).collect::<Vec<_>>()
    });
    assert_eq!(dropped, [vec![2, 3], vec![1, 2], vec![]]);
}

#[test]
fn rule_07_a_starting_process_answers_a_syn_by_a_reset_after_one_round_trip() {
    let mut plan = story(1, Span::SECOND.times(8));
    plan.front_ends[0].start_up = Dist::Constant(Span::SECOND.times(5));
    let (_, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Refused), [500]);
    assert_eq!(at(&seen, What::Attempt), [0, 6_000]);
}

#[test]
fn rule_12_without_load_a_handshake_is_the_sum_of_its_parts() {
    let millis = |n| Dist::Constant(Span::MILLISECOND.times(n));
    for flights in 0..4u64 {
        let mut plan = story(1, Span::MINUTE);
        plan.groups[0].flights = (0..flights).map(|_| millis(10)).collect();
        plan.groups[0].client_cpu = (0..flights).map(|_| millis(7)).collect();
        if flights > 0 {
            (plan.groups[0].transport, plan.groups[0].certificate) = (Transport::Tls, Some(CertificateState::Valid));
        }
        plan.front_ends[0].accept = Some(millis(3));
        let (_, seen) = seen(&plan);
        assert_eq!(at(&seen, What::Valid), [1_500 + 3 + flights * 1_017 + 100]);
    }
}

#[test]
fn rule_14_a_peer_that_gave_up_leaves_its_job_behind_as_wasted_work() {
    let mut plan = story(1, Span::SECOND.times(5));
    plan.groups[0].validate_accept = Dist::Constant(Span::SECOND.times(2));
    plan.groups[0].attempt_timeout = Some(Span::SECOND.times(3));
    let (outcome, seen) = seen(&plan);
    assert_eq!((at(&seen, What::GaveUp), at(&seen, What::Valid)), (vec![3_000], vec![]));
    assert_eq!(outcome.front_ends[0].account.wasted, u128::from(Span::SECOND.times(2).0));
}

#[test]
fn rule_14_a_refresh_just_before_the_old_time_out_does_not_bring_it_back() {
    let mut plan = story(1, Span::MINUTE);
    plan.groups[0].attempt_timeout = Some(Span::SECOND.times(10) + Span::MILLISECOND.times(200));
    every(&mut plan, Span::SECOND.times(10));
    let (outcome, seen) = seen(&plan);
    assert_eq!((at(&seen, What::GaveUp), total(&outcome, Counter::ValidInPlace)), (vec![], 5));
}

#[test]
fn rule_15_established_costs_nothing() {
    let mut plan = story(3, Span::MINUTE);
    plan.start = Start::Established;
    let (outcome, seen) = seen(&plan);
    assert_eq!((at(&seen, What::Valid), at(&seen, What::Asked)), (vec![0; 3], vec![]));
    assert_eq!((outcome.front_ends[0].account.arrivals, outcome.meters.histograms().count()), (0, 0));
}

#[test]
fn rule_16_own_age_starts_again_when_the_refresh_is_through() {
    let mut plan = story(1, Span::SECOND.times(35));
    plan.start = Start::Established;
    plan.refresh = Some(Refresh { anchor: Anchor::OwnAge, ..refresh_in_place(Span::SECOND.times(10)) });
    assert_eq!(at(&seen(&plan).1, What::Due), [10_000, 20_100, 30_200]);
}

#[test]
fn rule_20_a_due_while_the_one_before_is_open_is_missed_and_has_its_number() {
    let mut plan = story(1, Span::SECOND.times(50));
    plan.start = Start::Established;
    plan.groups[0].validate_refresh = Dist::Constant(Span::SECOND.times(10));
    every(&mut plan, Span::SECOND.times(10));
    plan.measure.cycles = (1..9).collect();
    let (outcome, _) = seen(&plan);
    let cycles: Vec<u32> =
        outcome.meters.cycled.iter().filter(|c| c.metric == Metric::Refresh).map(|c| c.cycle).collect();
    assert_eq!(cycles, [1, 2, 3, 4], "each ends at the very instant of the next tick, which takes the peer again");
    plan.groups[0].validate_refresh = Dist::Constant(Span::SECOND.times(15));
    let outcome = seen(&plan).0;
    assert_eq!((total(&outcome, Counter::Missed), total(&outcome, Counter::ValidInPlace)), (2, 2));
}

/// Faults at each refresh of the last of three peers.
struct LastFaults;

impl ValidatorMaker for LastFaults {
    fn make(&self, _: usize, _: u32) -> Box<dyn Validator> {
        Box::new(LastFaults)
    }
}

impl Validator for LastFaults {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        let faults = question.name.index == Some(2) && question.at.0 >= Span::SECOND.times(10).0;
        if faults { Answer::Fault(FaultCode::ACCESS_VIOLATION).into() } else { Answer::Accept.into() }
    }
}

#[test]
fn rules_06_20_and_21_a_fault_acts_at_its_question_and_peers_hear_of_it_after_the_dump() {
    let mut plan = story(3, Span::SECOND.times(60));
    plan.recovery = Recovery { actions: vec![], reset_period: None, dump: Span::SECOND.times(20) };
    every(&mut plan, Span::SECOND.times(10));
    let mut all = All::default();
    let outcome = run_with(&plan, &LastFaults, &mut all).expect("it runs");
    assert_eq!((at(&all.0, What::Crash), at(&all.0, What::DumpEnd)), (vec![10_000], vec![30_000]));
    assert_eq!(at(&all.0, What::NoEffect), [10_000; 2]);
    let again: Vec<u64> = at(&all.0, What::Attempt).into_iter().filter(|at| *at > 0).take(3).collect();
    assert_eq!(again, [30_500; 3]);
    assert_eq!((total(&outcome, Counter::Dues), total(&outcome, Counter::Unfinished)), (3, 3));
}

#[test]
fn rule_33_a_peer_that_leaves_is_gone_and_not_disconnected() {
    let mut plan = story(3, Span::MINUTE);
    plan.timeline = vec![TimelineEntry {
        at: Time(Span::SECOND.times(30).0),
        change: Change::Leave,
        group: 0,
        indices: None,
        front_end: None,
    }];
    assert_eq!(seen(&plan).0.disconnected_max.0, 0);
}

/// A peer is valid at 1.6 s, would learn so at 2.1 s, and loses the connection in between, at 1.7 s.
fn overtaken(by: Option<Act>, horizon: Span) -> Plan {
    let mut plan = story(1, horizon);
    every(&mut plan, Span::MILLISECOND.times(1_700));
    match (by, &mut plan.refresh) {
        // A crash: for lack of a certificate.
        (None, _) => (plan.validator, plan.recovery.actions) = (Builtin::Sfb2015Rtm, vec![]),
        (Some(act), Some(refresh)) => refresh.act = act,
        (Some(_), None) => {}
    }
    plan
}

/// What may happen to a connection of whose acceptance its peer has not heard.
const OVERTAKEN_BY: [Option<Act>; 4] =
    [None, Some(Act::Revalidate), Some(Act::Reconnect(Initiator::FrontEnd)), Some(Act::Reconnect(Initiator::Peer))];

/// Time lost and time present, in ms.
fn time_lost(plan: &Plan) -> (u128, u128) {
    let figures = &seen(plan).0.groups[0];
    (figures.lost / 1_000_000, figures.present / 1_000_000)
}

#[test]
fn rule_33_who_leaves_before_it_hears_of_its_connection_was_disconnected_throughout() {
    let leaves = |at: u64| {
        vec![TimelineEntry {
            at: Time(at * 1_000_000),
            change: Change::Leave,
            group: 0,
            indices: None,
            front_end: None,
        }]
    };
    for by in OVERTAKEN_BY {
        let mut plan = overtaken(by, Span::SECOND.times(3));
        plan.timeline = leaves(1_800);
        assert_eq!(time_lost(&plan), (1_800, 1_800), "{by:?}");
    }
    // Without a loss; and after it has heard of the connection, but not of the loss (2.2 s).
    let mut plan = overtaken(None, Span::SECOND.times(3));
    plan.timeline = leaves(1_650);
    assert_eq!(time_lost(&plan), (1_650, 1_650));
    plan.timeline = leaves(2_150);
    assert_eq!(time_lost(&plan), (2_100, 2_150));
}

#[test]
fn rule_33_who_gave_up_before_it_hears_of_its_connection_and_of_its_end_was_disconnected_throughout() {
    for by in OVERTAKEN_BY {
        let mut plan = overtaken(by, Span::MILLISECOND.times(2_150));
        plan.groups[0].attempt_timeout = Some(Span::MILLISECOND.times(1_900));
        assert_eq!(time_lost(&plan), (2_150, 2_150), "{by:?}");
        plan.timeline = vec![TimelineEntry {
            at: Time(2_000_000_000),
            change: Change::Leave,
            group: 0,
            indices: None,
            front_end: None,
        }];
        assert_eq!(time_lost(&plan), (2_000, 2_000), "{by:?}");
    }
}

/// Stops a run at the first look.
struct Stop;

impl Watch for Stop {
    fn progress(&mut self, _: Time, _: u64) -> std::ops::ControlFlow<()> {
        std::ops::ControlFlow::Break(())
    }
}

#[test]
fn rule_33_a_run_that_is_interrupted_counts_nobodys_time_beyond_its_end() {
    for by in OVERTAKEN_BY {
        // Samples without a change cost steps and nothing else: after 65,536 steps, between 1.7 and 2.1 s, it looks up.
        let mut plan = overtaken(by, Span::MINUTE);
        plan.measure.sample = Span::MICROSECOND.times(50);
        plan.groups[0].count = 10_000;
        (plan.front_ends[0].workers, plan.front_ends[0].cores) = (10_000, 10_000);
        let outcome = run(&plan, &mut Stop).expect("it runs");
        let millis = outcome.ended.0 / 1_000_000;
        assert!(outcome.interrupted && (1_700..2_100).contains(&millis), "by {by:?} at {millis}");
        let figures = &outcome.groups[0];
        assert_eq!(figures.lost, figures.present, "nobody has heard of a connection, by {by:?}");
    }
}
