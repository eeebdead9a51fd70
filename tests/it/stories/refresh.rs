//! Rules 16 to 20: what a tick takes, when it is due, how it ends.

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Cause, Counter, Metric, Outcome, What};
use refresh_sim::policy::tcp::KeepAlive;
use refresh_sim::policy::{
    Act, Action, Backoff, Batch, Initiator, Jitter, Limit, Limits, Order, Recovery, Refresh, Style, Timeouts, TurnRate,
};
use refresh_sim::scenario::plan::{Change, FrontEndPlan, GroupPlan, Operate, Operation, Plan, Start, TimelineEntry};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Answer, Phase, Transport};

use super::{By, accepts, at_second, faults, seconds, told, whom};
use crate::random_plans::total;
use crate::stories::{at, every, story};
use crate::watching::seen;

/// One worker, everybody valid from the start, a refresh every 10 s that takes `validation`.
fn one_worker(peers: u32, horizon: Span, validation: Span) -> Plan {
    let mut plan = story(peers, horizon);
    plan.start = Start::Established;
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    plan.groups[0].validate_refresh = Dist::Constant(validation);
    every(&mut plan, seconds(10));
    plan
}

#[test]
fn rule_17_a_connection_that_ends_while_its_job_waits_is_recorded_and_not_asked_about() {
    let mut plan = one_worker(3, seconds(19), seconds(2));
    plan.timeline = vec![at_second(11, Change::Leave, &[1])];
    let (outcome, seen) = seen(&plan);
    assert_eq!(whom(&seen, What::Asked), [0, 2]);
    let due: Vec<_> = seen.iter().filter(|d| d.what == What::Due).map(|d| (d.who, d.detail)).collect();
    assert_eq!(due, [(1, 1)]);
    assert_eq!(at(&seen, What::Asked), [10_000, 12_000], "its job has left the queue");
    assert_eq!((outcome.front_ends[0].account.dropped, total(&outcome, Counter::Departed)), (1, 1));
}

#[test]
fn rule_17_one_that_becomes_valid_after_the_tick_is_not_in_it() {
    let mut plan = one_worker(2, seconds(19), Span::SECOND);
    // Its SYN is sent at 9 s: it is valid at 10.6 s, after the tick at 10 s.
    plan.timeline = vec![at_second(1, Change::Leave, &[1]), at_second(9, Change::Join, &[1])];
    let (outcome, seen) = seen(&plan);
    assert!(at(&seen, What::Valid).contains(&11_100), "{:?}", at(&seen, What::Valid));
    assert_eq!(total(&outcome, Counter::Dues), 1);
}

#[test]
fn rule_17_accepted_takes_the_oldest_first_and_topology_the_first_of_the_scenario() {
    let asked = |order| {
        let mut plan = story(2, seconds(12));
        plan.groups[0].rtt = Dist::Constant(seconds(2));
        plan =
            plan.with_group(GroupPlan { rtt: Dist::Constant(Span::SECOND), ..GroupPlan::new("q", Transport::Tcp, 2) });
        plan.refresh = Some(Refresh { order, ..refresh_in_place(seconds(10)) });
        let (_, seen) = seen(&plan);
        let refreshes = seen.iter().filter(|d| d.what == What::Asked && d.at.0 == seconds(10).0);
        refreshes.map(|d| d.who).collect::<Vec<_>>()
    };
    assert_eq!(asked(Order::Topology), [0, 1, 2, 3]);
    assert_eq!(asked(Order::Accepted), [2, 3, 0, 1]);
}

#[test]
fn rule_18_a_sweep_that_outlasts_the_next_tick_is_one_sample_all_the_same() {
    // The tick at 10 s is through at 22 s. That at 20 s takes the first peer alone, and is through at 28 s. And again.
    let (outcome, _) = seen(&one_worker(2, seconds(49), seconds(6)));
    let sweeps = outcome.meters.histogram(Metric::Sweep, 0, Cause::Refresh).expect("some");
    assert_eq!((sweeps.len(), total(&outcome, Counter::Missed)), (4, 2));
    assert!(sweeps.equivalent(sweeps.min(), seconds(8).0) && sweeps.equivalent(sweeps.max(), seconds(12).0));
}

/// As many workers as peers, everybody valid from the start, a refresh at 10 s behind a limit.
fn limited(peers: u32, limit: Limit) -> Plan {
    let mut plan = story(peers, seconds(19));
    plan.start = Start::Established;
    plan.refresh = Some(Refresh { limit: Some(limit), ..refresh_in_place(seconds(10)) });
    plan
}

const NO_LIMIT: Limit = Limit { rate: None, batch: None, spacing: Span::ZERO };

#[test]
fn rule_18_waiting_for_a_turn_is_lateness_and_no_due_moves() {
    let plan = limited(4, Limit { rate: Some(TurnRate { turns: 2, per: Span::SECOND, burst: 1 }), ..NO_LIMIT });
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Due), [10_000; 4]);
    assert_eq!(at(&seen, What::Turn), [10_000, 10_500, 11_000, 11_500]);
    assert_eq!(at(&seen, What::Asked), at(&seen, What::Turn));
    let of = |metric| outcome.meters.histogram(metric, 0, Cause::Refresh).expect("four").max();
    assert_eq!(Span(of(Metric::Lateness)).0 / 1_000_000, 1_500);
    assert_eq!(of(Metric::Refresh) / 10_000_000, 160, "from the due, with 100 ms of validation");
    assert_eq!(of(Metric::Queue), 0, "nobody waits in the queue");
}

#[test]
fn rule_18_batches_come_their_length_apart_and_spacing_holds_within_them() {
    let batch = Some(Batch { turns: 2, every: seconds(3) });
    let turns = |limit| at(&seen(&limited(5, limit)).1, What::Turn);
    assert_eq!(turns(Limit { batch, ..NO_LIMIT }), [10_000, 10_000, 13_000, 13_000, 16_000]);
    let spaced = Limit { batch, spacing: Span::SECOND, ..NO_LIMIT };
    assert_eq!(turns(spaced), [10_000, 11_000, 13_000, 14_000, 16_000]);
}

#[test]
fn rule_18_who_leaves_the_line_takes_nothing_from_the_limiter() {
    let mut plan = limited(4, Limit { spacing: Span::SECOND, ..NO_LIMIT });
    let turn_at_10_500 = Time(10_500_000_000);
    let leave = at_second(10, Change::Leave, &[1, 2]);
    plan.timeline = vec![TimelineEntry { at: turn_at_10_500, ..leave }];
    let (outcome, seen) = seen(&plan);
    assert_eq!((whom(&seen, What::Turn), at(&seen, What::Turn)), (vec![0, 3], vec![10_000, 11_000]));
    assert_eq!((total(&outcome, Counter::Departed), total(&outcome, Counter::ValidInPlace)), (2, 2));
}

#[test]
fn rule_18_line_and_limiter_die_with_their_incarnation() {
    let mut plan = limited(3, Limit { batch: Some(Batch { turns: 1, every: seconds(4) }), ..NO_LIMIT });
    plan.horizon = seconds(25);
    plan.recovery = Recovery { actions: vec![Action::Restart(Span::ZERO)], reset_period: None, dump: Span::ZERO };
    let first_faults = By(|question| {
        let is_first = question.at.0 < seconds(12).0;
        if question.phase == Phase::Refresh && is_first { faults() } else { accepts() }
    });
    let (outcome, seen) = told(&plan, &first_faults);
    // Crash at 10 s, valid again at 12.1 s; the next service start's tick is at 20 s, with a batch of its own.
    assert_eq!((at(&seen, What::Crash), at(&seen, What::Turn)), (vec![10_000], vec![10_000, 20_000, 24_000]));
    assert_eq!((total(&outcome, Counter::Recovered), total(&outcome, Counter::ValidInPlace)), (3, 2));
    assert_eq!(total(&outcome, Counter::Unfinished), 1);
}

#[test]
fn rule_18_a_planned_reconnect_ends_its_old_connection_at_its_turn() {
    let mut plan = limited(2, Limit { spacing: seconds(2), ..NO_LIMIT });
    plan.refresh = plan.refresh.map(|refresh| Refresh { act: Act::Reconnect(Initiator::Peer), ..refresh });
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Valid), [0, 0, 11_600, 13_600]);
    let lateness = outcome.meters.histogram(Metric::Lateness, 0, Cause::Refresh).expect("two");
    assert!(lateness.equivalent(lateness.min(), 1_500_000_000) && lateness.equivalent(lateness.max(), 3_500_000_000));
}

#[test]
fn rule_19_a_reconnect_by_the_front_end_takes_half_a_round_trip_more() {
    let lasts = |initiator| {
        let mut plan = story(1, seconds(15));
        plan.refresh = Some(Refresh { act: Act::Reconnect(initiator), ..refresh_in_place(seconds(10)) });
        let (outcome, seen) = seen(&plan);
        assert_eq!(total(&outcome, Counter::ValidByReconnect), 1);
        assert_eq!(total(&outcome, Counter::Losses), 0, "nothing is lost that was meant to end");
        at(&seen, What::Valid)
    };
    assert_eq!(lasts(Initiator::Peer), [1_600, 11_600]);
    assert_eq!(lasts(Initiator::FrontEnd), [1_600, 12_100]);
}

/// A refresh at 10 s by a new connection that is made first.
fn make_first(mut plan: Plan, initiator: Initiator, grace: Span) -> Plan {
    let style = Style::MakeFirst { grace };
    plan.refresh = Some(Refresh { act: Act::Reconnect(initiator), style, ..refresh_in_place(seconds(10)) });
    plan
}

#[test]
fn rule_19_make_first_leaves_nobody_without_a_connection() {
    for (initiator, valid) in [(Initiator::Peer, 11_600), (Initiator::FrontEnd, 12_100)] {
        let (outcome, seen) = seen(&make_first(story(1, seconds(15)), initiator, Span::ZERO));
        assert_eq!(at(&seen, What::Valid), [1_600, valid]);
        assert_eq!((outcome.disconnected_max.0, total(&outcome, Counter::ValidByReconnect)), (0, 1));
        assert_eq!(outcome.groups[0].lost / 1_000_000, 2_100, "until it heard of its first connection");
        assert!(outcome.meters.histogram(Metric::Outage, 0, Cause::Refresh).is_none());
        let refresh = outcome.meters.histogram(Metric::Refresh, 0, Cause::Refresh).expect("one");
        assert!(refresh.equivalent(refresh.max(), (valid - 10_000) * 1_000_000));
        assert_eq!(outcome.front_ends[0].valid, 1);
    }
}

#[test]
fn rule_19_a_new_connection_that_is_rejected_leaves_the_old_one() {
    let plan = make_first(story(1, seconds(19)), Initiator::Peer, Span::ZERO);
    let rejects = By(|question| match question.at.0 > seconds(5).0 {
        false => accepts(),
        true => Answer::Reject(refresh_sim::validate::Rejection::Other).into(),
    });
    let (outcome, seen) = told(&plan, &rejects);
    assert_eq!((total(&outcome, Counter::Rejected), total(&outcome, Counter::Losses)), (1, 0));
    assert_eq!((at(&seen, What::Attempt), total(&outcome, Counter::Attempts)), (vec![0], 2));
    assert_eq!((outcome.front_ends[0].valid, outcome.groups[0].lost / 1_000_000), (1, 2_100));
}

#[test]
fn rule_19_a_new_connection_that_fails_is_tried_again_while_the_old_one_serves() {
    let mut plan = make_first(story(1, seconds(19)), Initiator::Peer, Span::ZERO);
    plan.start = Start::Established;
    plan.groups[0].attempt_timeout = Some(Span::SECOND);
    let (outcome, seen) = seen(&plan);
    assert_eq!((at(&seen, What::GaveUp), at(&seen, What::Attempt)), (vec![11_000, 17_000], vec![16_000]));
    assert_eq!((total(&outcome, Counter::Unfinished), total(&outcome, Counter::UnfinishedConnects)), (1, 0));
    assert_eq!((outcome.groups[0].lost, outcome.front_ends[0].valid), (0, 1));
}

#[test]
fn rule_19_an_old_connection_that_is_lost_takes_the_new_try_along() {
    let mut plan = make_first(story(2, seconds(19)), Initiator::Peer, Span::ZERO);
    plan.start = Start::Established;
    plan.recovery = Recovery { actions: vec![Action::Restart(Span::ZERO)], reset_period: None, dump: Span::ZERO };
    let first_faults = By(|question| if question.at.0 < seconds(12).0 { faults() } else { accepts() });
    let (outcome, seen) = told(&plan, &first_faults);
    // Both new connections are asked about at 11.5 s; their peers learn at 12 s, and are valid again 1.6 s later.
    assert_eq!((at(&seen, What::Crash), at(&seen, What::Lost)), (vec![11_500], vec![11_500; 2]));
    assert_eq!(at(&seen, What::Valid), [0, 0, 13_600, 13_600]);
    assert_eq!((total(&outcome, Counter::Recovered), total(&outcome, Counter::Losses)), (2, 2));
}

#[test]
fn rule_19_an_old_connection_is_cut_after_its_grace() {
    let (_, seen) = seen(&make_first(story(1, seconds(19)), Initiator::Peer, seconds(3)));
    assert_eq!(at(&seen, What::OldCut), [14_600]);
}

#[test]
fn rule_19_an_old_connection_that_is_idle_for_too_long_ends_with_the_try_for_the_new_one() {
    let mut plan = make_first(story(1, seconds(15)), Initiator::Peer, Span::ZERO);
    // Valid at 1.6 s; the new one would be valid at 11.6 s.
    plan.front_ends[0].limits = Limits { idle: Some(Span::MILLISECOND.times(9_500)), ..Limits::default() };
    let (outcome, seen) = seen(&plan);
    let limit: Vec<_> = seen.iter().filter(|d| d.what == What::Limit).map(|d| (d.at.0 / 1_000_000, d.detail)).collect();
    assert_eq!((limit, at(&seen, What::Lost)), (vec![(11_100, 3)], vec![11_100]));
    // It hears of that at 11.6 s and comes back as after any loss; what the try has sent comes to nothing.
    assert_eq!((at(&seen, What::Valid), total(&outcome, Counter::Recovered)), (vec![1_600, 13_200], 1));
    assert_eq!(whom(&seen, What::Asked).len(), 2);
}

#[test]
fn rule_19_an_old_connection_that_ends_as_the_next_try_would_be_made_ends_first() {
    let mut plan = make_first(story(1, seconds(17)), Initiator::Peer, Span::ZERO);
    plan.start = Start::Established;
    plan.groups[0].attempt_timeout = Some(Span::SECOND);
    let attempts = |plan: &Plan| at(&seen(plan).1, What::Attempt);
    plan.front_ends[0].limits.idle = Some(seconds(100));
    assert_eq!(attempts(&plan), [10_000, 16_000], "given up at 11 s");
    plan.front_ends[0].limits.idle = Some(seconds(16));
    assert_eq!(attempts(&plan), [10_000, 16_500], "lost at 16 s, of which it hears half a round trip later");
}

#[test]
fn rule_19_an_old_connection_keeps_its_slot_while_a_new_one_asks_for_another() {
    let mut plan = make_first(story(1, seconds(19)), Initiator::Peer, Span::ZERO);
    plan.front_ends[0].limits = Limits { max_connections: Some(1), ..Limits::default() };
    let (outcome, all) = seen(&plan);
    assert_eq!(at(&all, What::Limit), [10_500, 16_500], "every 5 s after it has heard that there are too many");
    assert_eq!((at(&all, What::Valid), total(&outcome, Counter::Unfinished)), (vec![1_600], 1));
    assert!(whom(&all, What::Lost).is_empty(), "the old one serves on");
    plan.front_ends[0].limits.max_connections = Some(2);
    assert_eq!(at(&seen(&plan).1, What::Valid), [1_600, 11_600]);
}

#[test]
fn rule_19_an_old_connection_whose_probes_go_unanswered_is_lost_while_the_new_one_meets_silence() {
    let mut plan = make_first(story(1, seconds(40)), Initiator::Peer, Span::ZERO);
    plan.groups[0].tcp.keep_alive = Some(KeepAlive { interval: Span::SECOND, count: 2 });
    plan.timeline = vec![at_second(9, Change::CutOff, &[0]), at_second(20, Change::Heal, &[0])];
    plan.timeline.iter_mut().for_each(|entry| entry.indices = None);
    let (outcome, seen) = seen(&plan);
    let lost: Vec<_> = seen.iter().filter(|d| d.what == What::Lost).map(|d| (d.at.0 / 1_000_000, d.detail)).collect();
    assert!(lost.len() == 1 && lost[0].1 == 4 && (11_000..=12_000).contains(&lost[0].0), "{lost:?}");
    assert_eq!(total(&outcome, Counter::Recovered), 1, "its refresh has been due since 10 s");
}

#[test]
fn rule_19_an_old_connection_made_since_a_cut_began_does_not_probe_and_is_not_lost_as_the_next_try_is_made() {
    let mut plan = story(1, seconds(30));
    plan.start = Start::Established;
    plan.groups[0].tcp.keep_alive = Some(KeepAlive { interval: seconds(5), count: 3 });
    plan.timeline = vec![TimelineEntry { indices: None, ..at_second(2, Change::CutOff, &[]) }];
    let lost: Vec<_> = seen(&plan).1.into_iter().filter(|d| d.what == What::Lost).collect();
    let fails = lost[0].at;
    // It serves from 5 s on, the new one is tried for a second, and once more 5 s later: when probes would have failed.
    plan.front_ends[0].start_up = Dist::Constant(seconds(5));
    let mut plan = make_first(plan, Initiator::Peer, Span::ZERO);
    plan.groups[0].attempt_timeout = Some(Span::SECOND);
    plan.refresh = Some(Refresh { every: fails.since(Time(seconds(11).0)), ..plan.refresh.expect("one") });
    let all = seen(&plan).1;
    assert!(whom(&all, What::Lost).is_empty(), "{:?}", at(&all, What::Lost));
    assert_eq!(all.iter().find(|d| d.what == What::Attempt).map(|d| d.at), Some(fails));
}

#[test]
fn rule_19_who_is_to_move_back_does_so_though_a_new_connection_is_being_made() {
    let mut plan = make_first(story(1, seconds(15)), Initiator::Peer, Span::ZERO);
    plan.front_ends.push(FrontEndPlan::new("second"));
    (plan.front_ends[0].starts, plan.front_ends[1].start_up) = (Time::ZERO, Dist::Constant(Span::ZERO));
    plan.front_ends[0].start_up = Dist::Constant(seconds(5));
    plan.groups[0].front_ends = vec![0, 1];
    plan.groups[0].failover.fail_back = Some(Span::MILLISECOND.times(8_500));
    let (outcome, seen) = seen(&plan);
    // Refused at the first, valid at the second at 2.6 s; the tick there is at 10 s, and 8.5 s are over at 11.1 s.
    assert_eq!((at(&seen, What::Valid), at(&seen, What::MovesBack)), (vec![2_600, 12_700], vec![11_100]));
    assert_eq!(total(&outcome, Counter::Recovered), 1);
}

#[test]
fn rule_20_a_tick_that_comes_while_a_new_connection_is_made_is_missed() {
    let mut plan = make_first(story(1, seconds(38)), Initiator::Peer, Span::ZERO);
    plan.start = Start::Established;
    plan.groups[0].validate_accept = Dist::Constant(seconds(10));
    plan.measure.cycles = (1..9).collect();
    let (outcome, seen) = seen(&plan);
    // Valid at 21.5 s, one and a half round trips and a validation after the tick at 10 s; taken again at 30 s, which is
    // its third due.
    assert_eq!(at(&seen, What::Valid), [0, 21_500]);
    assert_eq!((total(&outcome, Counter::Missed), total(&outcome, Counter::Unfinished)), (1, 1));
    let cycles = outcome.meters.cycled.iter().filter(|c| c.metric == Metric::Lateness).map(|c| c.cycle);
    assert_eq!(cycles.collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn rule_20_a_due_that_is_missed_in_line_for_a_turn_has_its_number_also_when_the_connection_is_made_anew() {
    let reconnects = |entries: Vec<TimelineEntry>| {
        let mut plan = limited(2, Limit { spacing: seconds(12), ..NO_LIMIT });
        plan.refresh = plan.refresh.map(|refresh| Refresh { act: Act::Reconnect(Initiator::Peer), ..refresh });
        (plan.horizon, plan.timeline) = (seconds(60), entries);
        plan.measure.cycles = (1..9).collect();
        seen(&plan)
    };
    let lateness = |outcome: &Outcome| {
        let of = outcome.meters.cycled.iter().filter(|c| c.metric == Metric::Lateness);
        of.map(|c| (c.cycle, c.histogram.len())).collect::<Vec<_>>()
    };
    let turns = [10_000, 22_000, 34_000, 46_000, 58_000];
    // The second stands in line from 10 s to 22 s and misses 20 s, so that what falls due at 30 s is its third; the first
    // stands there from 20 s to 34 s and misses 30 s, so that what falls due at 40 s is its fourth.
    let (outcome, seen) = reconnects(Vec::new());
    assert_eq!((whom(&seen, What::Turn), at(&seen, What::Turn)), (vec![0, 1, 0, 1, 0], turns.to_vec()));
    assert_eq!(lateness(&outcome), [(1, 2), (2, 1), (3, 1), (4, 1)]);
    // If the second leaves while its new connection is made, it has missed 20 s all the same: 40 s is its third.
    let (outcome, seen) = reconnects(vec![at_second(23, Change::Leave, &[1]), at_second(31, Change::Join, &[1])]);
    assert_eq!((whom(&seen, What::Turn), at(&seen, What::Turn)), (vec![0, 1, 0, 0, 1], turns.to_vec()));
    assert_eq!(lateness(&outcome), [(1, 1), (2, 1), (4, 1), (3, 1)]);
}

#[test]
fn rule_14_the_wait_after_a_rejected_reconnect_is_drawn_by_where_the_count_of_failures_began() {
    let rejects = By(|_| Answer::Reject(refresh_sim::validate::Rejection::Other).into());
    for timeouts in [Timeouts::default(), Timeouts { answer: Some(seconds(50)), ..Timeouts::default() }] {
        // The second is due at the first tick and has its turn 12 s later, and its new connection is rejected.
        let wait = |period| {
            let mut plan = limited(2, Limit { spacing: seconds(12), ..NO_LIMIT });
            let act = Act::Reconnect(Initiator::Peer);
            plan.refresh = plan.refresh.map(|refresh| Refresh { act, every: seconds(period), ..refresh });
            plan.horizon = seconds(60);
            plan.groups[0].timeouts = timeouts;
            let backoff = Backoff { jitter: Jitter::Full, ..Backoff::fixed(Dist::Constant(seconds(9))) };
            plan.groups[0].reconnect.backoff = Some(backoff);
            let all = told(&plan, &rejects).1;
            let first = |what| all.iter().find(|d| d.who == 1 && d.what == what).map(|d| d.at).expect("one");
            first(What::Attempt).since(first(What::Closed))
        };
        assert_eq!(wait(10), wait(25), "though one that it missed in line at 20 s has had its number meanwhile");
    }
}

#[test]
fn rule_20_who_leaves_with_a_refresh_open_has_departed() {
    let mut plan = one_worker(3, seconds(19), seconds(2));
    plan.timeline = vec![at_second(11, Change::Leave, &[0, 1, 2])];
    let (outcome, seen) = seen(&plan);
    assert_eq!((total(&outcome, Counter::Dues), total(&outcome, Counter::Departed)), (3, 3));
    assert_eq!(whom(&seen, What::Asked), [0], "and of the others nobody is asked about");
}

#[test]
fn rule_20_a_lost_refresh_is_recovered_and_its_clock_has_run_on() {
    let mut plan = one_worker(3, seconds(19), seconds(2));
    plan.recovery = Recovery { actions: vec![Action::Restart(Span::ZERO)], reset_period: None, dump: Span::ZERO };
    let second_faults =
        By(
            |question| {
                if question.phase == Phase::Refresh && question.name.index == Some(1) { faults() } else { accepts() }
            },
        );
    let (outcome, seen) = told(&plan, &second_faults);
    assert_eq!(at(&seen, What::Crash), [12_000]);
    let counts = [Counter::ValidInPlace, Counter::Recovered].map(|counter| total(&outcome, counter));
    assert_eq!(counts, [1, 2]);
    // All learn at 12.5 s, send their SYNs, and are valid again at 14.1 s, 14.2 s and 14.3 s.
    let refresh = outcome.meters.histogram(Metric::Refresh, 0, Cause::Refresh).expect("three");
    assert!(refresh.equivalent(refresh.max(), Span::MILLISECOND.times(4_300).0), "{}", refresh.max());
}

#[test]
fn rule_20_a_rejected_refresh_closes_its_connection() {
    let plan = one_worker(1, seconds(14), Span::SECOND);
    let rejects = By(|question| match question.phase {
        Phase::Accept => accepts(),
        Phase::Refresh => Answer::Reject(refresh_sim::validate::Rejection::Other).into(),
    });
    let (outcome, seen) = told(&plan, &rejects);
    assert_eq!((at(&seen, What::Lost), total(&outcome, Counter::Rejected)), (vec![11_000], 1));
    assert_eq!(at(&seen, What::Valid), [0, 13_100], "its peer comes back as after any loss");
}

#[test]
fn rule_20_missed_dues_have_their_numbers_also_when_the_connection_goes() {
    let mut plan = one_worker(1, seconds(70), seconds(25));
    // Taken at 10 s, missed at 20 s and 30 s; gone at 32 s, back at 35.6 s, taken at 40 s: its fourth.
    plan.timeline = vec![at_second(32, Change::Leave, &[0]), at_second(33, Change::Join, &[0])];
    plan.measure.cycles = (1..9).collect();
    let (outcome, _) = seen(&plan);
    assert_eq!((total(&outcome, Counter::Missed), total(&outcome, Counter::Departed)), (4, 1));
    let refreshes = outcome.meters.cycled.iter().filter(|c| c.metric == Metric::Refresh);
    assert_eq!(refreshes.map(|c| c.cycle).collect::<Vec<_>>(), [4]);
}

#[test]
fn rule_17_who_is_valid_again_before_its_due_is_recovered_at_its_due_with_a_latency_of_zero() {
    let mut plan = story(20, seconds(20));
    plan.recovery = Recovery { actions: vec![Action::Restart(Span(1))], reset_period: None, dump: Span::ZERO };
    plan.refresh = Some(Refresh { spread: seconds(9), ..refresh_in_place(seconds(10)) });
    let crash = Operation { at: Time(seconds(10).0 + 1), what: Operate::Crash, stages: vec![vec![0]] };
    plan.operations = vec![crash];
    let (outcome, seen) = seen(&plan);
    let closed: Vec<_> = seen.iter().filter(|d| d.what == What::Closed && d.detail == 4).collect();
    assert!(closed.len() > 5 && closed.iter().all(|d| d.at.0 > seconds(12).0), "{closed:?}");
    for d in &closed {
        assert!(seen.iter().any(|due| due.what == What::Due && (due.at, due.who, due.detail) == (d.at, d.who, 1)));
    }
    let recovered = outcome.meters.histogram(Metric::Refresh, 0, Cause::Refresh).expect("samples");
    assert!(recovered.min() == 0 && total(&outcome, Counter::Recovered) >= closed.len() as u64);
}
