//! Stories of pools, of front ends that are stopped and started, and of peers that go from one to the next.

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Counter, Decision, RecordKind, What};
use refresh_sim::policy::{Action, Failover, ListOrder, Middlebox, Minimum, Pool, Restart};
use refresh_sim::scenario::plan::{FrontEndPlan, GroupPlan, Operate, Operation, Plan, Start};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::sim::{Unwatched, run};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, Transport};

use super::watching::seen;
use crate::reading::read;

const SECOND: Span = Span::SECOND;

fn at(seconds: u64) -> Time {
    Time(SECOND.times(seconds).0)
}

/// Who, and when in whole seconds.
fn of(seen: &[Decision], what: What) -> Vec<(u32, u64)> {
    seen.iter().filter(|d| d.what == what).map(|d| (d.who, d.at.0 / SECOND.0)).collect()
}

/// `size` front ends with a start-up of 10 s, one TCP peer a second of round trip away that lists them all.
fn story(size: usize, horizon: u64) -> Plan {
    let mut plan = Plan::new(SECOND.times(horizon), Builtin::Sfb2015Cu2);
    let front_end =
        |n| FrontEndPlan { start_up: Dist::Constant(SECOND.times(10)), ..FrontEndPlan::new(&format!("fe{n}")) };
    plan.front_ends = (0..size).map(front_end).collect();
    plan.start = Start::Established;
    plan.with_group(GroupPlan { rtt: Dist::Constant(SECOND), ..GroupPlan::new("p", Transport::Tcp, 1) })
}

fn pooled(size: usize, horizon: u64) -> Plan {
    let minimum = Minimum::published(size).expect("a small pool");
    Plan { pool: Some(Pool { minimum, quorum: false, restart: Restart::Manual }), ..story(size, horizon) }
}

fn operation(seconds: u64, what: Operate, places: &[u16]) -> Operation {
    Operation { at: at(seconds), what, stages: vec![places.to_vec()] }
}

const CRASH: Operate = Operate::Crash;

#[test]
fn rule_25_a_pool_of_every_size_starts_with_its_start_minimum_and_stops_below_its_functional_minimum() {
    let start = [1, 1, 3, 3, 4, 5, 5, 6, 7, 8, 9, 10];
    let (functional, among) = ([1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5], [1, 2, 3, 4, 5, 6, 7, 7, 7, 9, 9, 9]);
    for size in 1..=12usize {
        let mut plan = pooled(size, 2_000);
        plan.recovery.actions = vec![];
        // They come one by one, a minute apart.
        for (nth, front_end) in plan.front_ends.iter_mut().enumerate() {
            front_end.starts = at(60 * nth as u64);
        }
        // All serve; those that do not count end first, then one after the other of those that do.
        let order = (among[size - 1]..size).chain(0..among[size - 1]);
        plan.operations = order.zip(0u64..).map(|(n, k)| operation(1_000 + k, CRASH, &[n as u16])).collect();
        let (outcome, seen) = seen(&plan);
        let served = of(&seen, What::ServiceStart);
        let first: Vec<_> = served.iter().filter(|(_, when)| *when == served[0].1).collect();
        assert_eq!((first.len(), served.len()), (start[size - 1], size), "size {size}");
        assert_eq!(served[0].1, 60 * (start[size - 1] as u64 - 1) + 10, "size {size}");
        let fall = of(&seen, What::PoolFalls)[0].1 - 1_000;
        let beyond = size - among[size - 1];
        let left = among[size - 1] - (fall as usize + 1 - beyond);
        assert_eq!(left, functional[size - 1] - 1, "size {size}: so many were left when it stopped");
        let stopped = of(&seen, What::Stop);
        assert!(stopped.len() == left && stopped.iter().all(|(_, when)| *when == 1_000 + fall), "size {size}");
        assert_eq!((outcome.pool_falls, outcome.front_ends.iter().filter(|f| f.up).count()), (1, 0), "size {size}");
    }
}

#[test]
fn rule_25_who_restarts_into_a_pool_that_serves_waits_for_nobody() {
    let mut plan = pooled(4, 300);
    plan.operations = vec![operation(100, CRASH, &[1]), operation(200, CRASH, &[1, 2])];
    plan.recovery.actions = vec![Action::Restart(SECOND.times(30))];
    let (outcome, seen) = seen(&plan);
    let late: Vec<_> = of(&seen, What::ServiceStart).into_iter().filter(|(_, when)| *when > 10).collect();
    assert_eq!(late, [(1, 140), (1, 240), (2, 240)]);
    assert_eq!(of(&seen, What::Ready), [(0, 10), (1, 10), (2, 10)], "the fourth found a pool that served");
    assert_eq!(outcome.pool_falls, 0);
}

#[test]
fn rule_25_survivors_stop_without_a_failure_and_their_peers_hear_of_it_half_a_round_trip_later() {
    let mut plan = pooled(3, 300);
    plan.groups[0].front_ends = vec![2, 0, 1];
    plan.operations = vec![operation(100, CRASH, &[0, 1])];
    plan.recovery.actions = vec![];
    let (outcome, seen) = seen(&plan);
    assert_eq!((of(&seen, What::PoolFalls), of(&seen, What::Stop)), (vec![(1, 100)], vec![(2, 100)]));
    let lost = seen.iter().find(|d| d.what == What::Lost).map(|d| (d.at, d.detail));
    assert_eq!(lost, Some((at(100), 10)));
    let tries = seen.iter().find(|d| d.what == What::Attempt).map(|d| d.at);
    assert_eq!(tries, Some(at(100) + SECOND.half()));
    assert_eq!(outcome.crashes.len(), 2, "the third did not fail");
    assert_eq!(outcome.pool_fell, Some(at(100)));
}

#[test]
fn rule_25_after_a_fall_the_pool_comes_back_by_a_cold_start_or_not_at_all() {
    for (restart, again) in
        [(Restart::Manual, vec![]), (Restart::After(SECOND.times(60)), vec![(0, 170), (1, 170), (2, 170)])]
    {
        let mut plan = pooled(3, 400);
        plan.pool.as_mut().expect("a pool").restart = restart;
        plan.operations = vec![operation(100, CRASH, &[0, 1])];
        plan.recovery.actions = vec![Action::Restart(SECOND)];
        let (outcome, seen) = seen(&plan);
        let later: Vec<_> = of(&seen, What::ServiceStart).into_iter().filter(|(_, when)| *when > 10).collect();
        assert_eq!(later, again);
        assert_eq!(outcome.pool_fell.is_none(), !again.is_empty());
    }
    // By hand: the one that the pool stopped.
    let mut plan = pooled(3, 400);
    plan.operations = vec![operation(100, CRASH, &[0, 1]), operation(200, Operate::Start, &[2])];
    plan.recovery.actions = vec![Action::Restart(SECOND)];
    assert_eq!(of(&seen(&plan).1, What::ServiceStart)[3..], [(0, 210), (1, 210), (2, 210)]);
}

#[test]
fn rule_25_who_started_together_refreshes_together_and_who_restarted_alone_does_not() {
    let mut plan = pooled(3, 300);
    plan.front_ends[1].starts = at(20);
    plan.front_ends[2].starts = at(30);
    plan.refresh = Some(refresh_in_place(SECOND.times(100)));
    plan.operations = vec![operation(50, Operate::Patch { away: SECOND.times(7), validator: None, gap: None }, &[1])];
    let (_, seen) = seen(&plan);
    assert_eq!(of(&seen, What::ServiceStart), [(0, 40), (1, 40), (2, 40), (1, 67)]);
    assert_eq!(of(&seen, What::Tick), [(0, 140), (2, 140), (1, 167), (0, 240), (2, 240), (1, 267)]);
}

#[test]
fn rule_25_a_front_end_that_ends_while_it_waits_is_not_ready_any_more() {
    let mut plan = pooled(3, 200);
    plan.front_ends[2].starts = at(50);
    plan.operations = vec![operation(30, Operate::Stop, &[0]), operation(100, Operate::Start, &[0])];
    let (outcome, seen) = seen(&plan);
    assert_eq!(of(&seen, What::ServiceStart), [(0, 110), (1, 110), (2, 110)]);
    assert_eq!((outcome.crashes.len(), outcome.pool_falls), (0, 0));
}

#[test]
fn rule_01_a_stopped_service_stays_down_until_it_is_started_whatever_the_service_manager_wants() {
    let mut plan = story(2, 300);
    plan.recovery.actions = vec![Action::Restart(SECOND.times(30))];
    plan.operations =
        vec![operation(100, CRASH, &[0]), operation(110, Operate::Stop, &[0]), operation(200, Operate::Start, &[0])];
    let (outcome, seen) = seen(&plan);
    assert_eq!(of(&seen, What::ProcessStart), [(0, 0), (1, 0), (0, 200)]);
    let valid: Vec<_> = seen.iter().filter(|d| d.what == What::Valid).map(|d| (d.extra, d.at.0 / SECOND.0)).collect();
    assert_eq!(valid, [(0, 10), (1, 102)], "it failed over to the other and stayed");
    assert_eq!(outcome.front_ends[0].served, u128::from(SECOND.times(90 + 90).0));
}

#[test]
fn rule_01_a_service_that_is_stopped_during_its_dump_or_reboot_does_not_come_back() {
    for (dump, actions) in [
        (Span::ZERO, vec![Action::Reboot { delay: SECOND.times(5), away: SECOND.times(50) }]),
        (Span::ZERO, vec![Action::Reboot { delay: SECOND.times(30), away: SECOND.times(50) }]),
        (SECOND.times(40), vec![Action::Restart(SECOND)]),
    ] {
        let mut plan = story(1, 300);
        (plan.validator, plan.refresh) = (Builtin::Sfb2015Rtm, Some(refresh_in_place(SECOND.times(90))));
        (plan.recovery.dump, plan.recovery.actions) = (dump, actions);
        plan.operations = vec![operation(110, Operate::Stop, &[0])];
        let (outcome, seen) = seen(&plan);
        assert_eq!((outcome.crashes.len(), outcome.crashes[0].at), (1, at(100)));
        assert_eq!(of(&seen, What::ProcessStart), [(0, 0)]);
        plan.operations.push(operation(200, Operate::Start, &[0]));
        assert_eq!(of(&self::seen(&plan).1, What::ProcessStart), [(0, 0), (0, 200)]);
    }
}

#[test]
fn rule_06_a_process_that_is_ended_from_outside_is_a_failure_without_a_dump_even_while_it_starts() {
    let mut plan = story(1, 100);
    plan.recovery.dump = SECOND.times(20);
    plan.recovery.actions = vec![Action::Restart(SECOND.times(3)), Action::None];
    plan.operations = vec![operation(50, CRASH, &[0]), operation(55, CRASH, &[0])];
    let (outcome, seen) = seen(&plan);
    assert_eq!(of(&seen, What::ProcessStart), [(0, 0), (0, 53)]);
    assert_eq!(of(&seen, What::StaysDown), [(0, 55)]);
    let failures: Vec<_> = seen.iter().filter(|d| d.what == What::Crash).map(|d| (d.detail, d.extra)).collect();
    assert_eq!(failures, [(1, 1), (1, 2)]);
    assert!(outcome.crashes.iter().all(|crash| crash.fault.is_none()));
    assert_eq!((outcome.crashes[1].service_start, outcome.crashes[1].lost), (Time::NEVER, 0));
    assert_eq!(outcome.front_ends[0].served, u128::from(SECOND.times(40).0));
}

#[test]
fn rule_08_the_nth_failure_does_the_nth_action_unless_the_reset_period_has_passed() {
    let restart = Action::Restart(SECOND);
    let reboot = Action::Reboot { delay: SECOND, away: SECOND.times(5) };
    // 23 hours apart, then 25: under and over a day.
    let kills = [23, 46, 69, 94, 117].map(|hours| operation(hours * 3_600, CRASH, &[0]));
    for (period, nth) in [
        (Some(Span::HOUR.times(23)), vec![1, 1, 1, 1, 1]),
        (Some(Span::DAY), vec![1, 2, 3, 1, 2]),
        (Some(Span::DAY.times(2)), vec![1, 2, 3, 4, 5]),
        (None, vec![1, 2, 3, 4, 5]),
    ] {
        let mut plan = story(1, 120 * 3_600);
        plan.recovery.reset_period = period;
        plan.recovery.actions = vec![restart, reboot, restart];
        plan.operations = kills.to_vec();
        let (_, seen) = seen(&plan);
        let counted: Vec<u16> = seen.iter().filter(|d| d.what == What::Crash).map(|d| d.extra).collect();
        assert_eq!(counted, nth, "{period:?}");
        // A restart takes one second, a reboot six; beyond the list its last action repeats.
        let waits: Vec<u64> = of(&seen, What::ProcessStart)[1..]
            .iter()
            .zip(of(&seen, What::Crash))
            .map(|((_, start), (_, crash))| start - crash)
            .collect();
        let expected: Vec<u64> = nth.iter().map(|n| if *n == 2 { 6 } else { 1 }).collect();
        assert_eq!(waits, expected, "{period:?}");
    }
}

#[test]
fn rule_08_the_daily_crash_is_always_the_first_for_a_period_of_a_day_and_the_last_for_two() {
    let restart = Action::Restart(Span::MINUTE);
    for (days, crashes, up) in [(1, 5, true), (2, 3, false)] {
        let mut plan = story(1, 6 * 86_400);
        (plan.validator, plan.refresh) = (Builtin::Sfb2015Rtm, Some(refresh_in_place(Span::DAY)));
        plan.recovery.actions = vec![restart, restart, Action::None];
        plan.recovery.reset_period = Some(Span::DAY.times(days));
        let (outcome, _) = seen(&plan);
        assert_eq!((outcome.crashes.len(), outcome.front_ends[0].up), (crashes, up), "{days} days");
    }
}

/// A plan of one story from a text: two domains of two, patched in turn.
const ROLLING: &str = r#"
schema = 1
semantics = 1
run = { horizon = "2h", start = "established" }
validation.validator = "sfb2015-rtm"
front_end.start_up = "10s"
front_end.nodes = [
    { name = "a", upgrade_domain = 2 }, { name = "b", upgrade_domain = 1 },
    { name = "c", upgrade_domain = 2 }, { name = "d", upgrade_domain = 1 },
]
pool.minimum = "sfb2015"
[[timeline]]
at = "10m"
do = "rolling-patch"
away = "60s"
gap = "5m"
validator = "sfb2015-cu2"
[[group]]
name = "p"
transport = "tcp"
"#;

#[test]
fn rule_25_a_rolling_patch_waits_for_each_domain_to_serve() {
    let (outcome, seen) = seen(&read(ROLLING));
    // 10 min, then 60 s away, 10 s of start-up and 5 min of gap.
    assert_eq!(of(&seen, What::Stop), [(1, 600), (3, 600), (0, 970), (2, 970)]);
    assert_eq!(of(&seen, What::ServiceStart)[4..], [(1, 670), (3, 670), (0, 1_040), (2, 1_040)]);
    assert_eq!((outcome.pool_falls, outcome.crashes.len()), (0, 0));
}

#[test]
fn rule_24_a_front_end_judges_by_the_logic_that_its_patch_brought() {
    let refreshed = ROLLING.replace("front_end.start_up", "refresh.every = \"30m\"\nfront_end.start_up");
    let kept = refreshed.replace("validator = \"sfb2015-cu2\"\n", "");
    assert_eq!(run(&read(&refreshed), &mut Unwatched).expect("it runs").crashes.len(), 0);
    assert!(!run(&read(&kept), &mut Unwatched).expect("it runs").crashes.is_empty());
}

#[test]
fn rule_26_round_robin_spreads_peers_by_draws_that_do_not_hang_on_other_peers() {
    let mut plan = story(4, 20);
    plan.groups[0].count = 400;
    plan.groups[0].failover.order = ListOrder::RoundRobin;
    let places =
        |plan: &Plan| -> Vec<u16> { seen(plan).1.iter().filter(|d| d.what == What::Valid).map(|d| d.extra).collect() };
    let all = places(&plan);
    let shares = [0, 1, 2, 3].map(|place| all.iter().filter(|p| **p == place).count());
    // 400 draws with p = 1/4 have a standard deviation of 8.7: five of them.
    assert!(shares.iter().all(|n| (57..=143).contains(n)), "{shares:?}");
    plan.groups[0].count = 100;
    let mut fewer = seen(&plan).1;
    fewer.retain(|d| d.what == What::Valid);
    let mut more = seen(&Plan { groups: vec![GroupPlan { count: 400, ..plan.groups[0].clone() }], ..plan.clone() }).1;
    more.retain(|d| d.what == What::Valid && d.who < 100);
    assert_eq!(fewer, more);
}

#[test]
fn rule_26_a_black_listed_front_end_is_skipped_until_its_time_is_over() {
    for (black_list, last) in [(0, 1), (60, 2), (30, 1)] {
        let mut plan = story(3, 200);
        plan.groups[0].failover =
            Failover { black_list: SECOND.times(black_list), fail_back: Some(SECOND.times(20)), ..Failover::PLAIN };
        plan.recovery.actions = vec![Action::Restart(SECOND)];
        // From 0 to 1, to 2, back to 0, which fails again: the next in the list has failed 40 s ago.
        plan.operations = vec![operation(100, CRASH, &[0]), operation(110, CRASH, &[1]), operation(150, CRASH, &[0])];
        plan.horizon = SECOND.times(160);
        let valid: Vec<_> = seen(&plan).1.iter().filter(|d| d.what == What::Valid).map(|d| d.extra).collect();
        assert_eq!(valid, [0, 1, 2, 0, last], "{black_list}");
    }
}

#[test]
fn rule_26_without_fail_back_a_peer_stays_and_with_it_it_moves_back_as_planned() {
    let mut plan = story(2, 300);
    plan.recovery.actions = vec![Action::Restart(SECOND)];
    plan.operations = vec![operation(100, CRASH, &[0])];
    let (stays, _) = seen(&plan);
    assert_eq!((stays.front_ends[0].valid, stays.front_ends[1].valid), (0, 1));
    plan.groups[0].failover = Failover { fail_back: Some(SECOND.times(60)), ..Failover::PLAIN };
    let (moved, seen) = seen(&plan);
    assert_eq!((moved.front_ends[0].valid, moved.front_ends[1].valid), (1, 0));
    // Valid at the other at 100.5 s + 1.5 s and 1 ms of validation.
    assert_eq!(of(&seen, What::MovesBack), [(0, 162)]);
    assert_eq!(moved.meters.counted(0, Counter::Losses), 1, "a planned move is no loss");
}

/// Whoever is in the plan goes through a middlebox that looks every 20 s.
fn with_middlebox(mut plan: Plan, persistence: bool) -> Plan {
    plan.middlebox = Some(Middlebox { probe: SECOND.times(20), persistence, idle: None });
    plan.groups[0].failover.order = ListOrder::Middlebox;
    plan
}

#[test]
fn rule_26_a_middlebox_hands_peers_to_a_dead_front_end_until_it_looks_again() {
    let run = |restart: u64| {
        let mut plan = with_middlebox(story(2, 200), true);
        plan.recovery.actions = vec![Action::Restart(SECOND.times(restart))];
        plan.operations = vec![operation(105, CRASH, &[0])];
        let seen = seen(&plan).1;
        let valid = seen.iter().filter(|d| d.what == What::Valid).map(|d| (d.extra, d.at.0 / SECOND.0));
        (of(&seen, What::Attempt).iter().map(|(_, when)| *when).collect::<Vec<_>>(), valid.collect::<Vec<_>>())
    };
    // Tries at 105.5 s, then one second for the reset and five of delay; at 120 s it has looked.
    assert_eq!(run(500), (vec![105, 111, 117, 123], vec![(0, 10), (1, 125)]));
    // Back after 1 + 10 s: the peer is handed to the same one, before the middlebox has noticed anything.
    assert_eq!(run(1), (vec![105, 111, 117], vec![(0, 10), (0, 119)]));
}

#[test]
fn rule_26_a_middlebox_that_knows_of_nobody_answers_by_a_reset_itself() {
    let mut plan = with_middlebox(story(1, 60), true);
    plan.start = Start::Connecting;
    let seen = seen(&plan).1;
    // It serves at 10 s, and is seen to at 20 s.
    let refused = seen.iter().filter(|d| d.what == What::Refused).map(|d| (d.detail, d.at.0 / SECOND.0));
    assert_eq!(refused.collect::<Vec<_>>(), [(3, 0), (3, 6), (3, 12), (3, 18)]);
    assert_eq!(of(&seen, What::Valid), [(0, 25)]);
}

#[test]
fn rule_26_a_middlebox_without_persistence_hands_each_new_connection_to_anybody() {
    for persistence in [true, false] {
        let mut plan = with_middlebox(story(2, 300), persistence);
        plan.groups[0].count = 100;
        plan.groups[0].reconnect.first = Dist::Constant(SECOND.times(40));
        plan.recovery.actions = vec![Action::Restart(SECOND)];
        plan.operations = vec![operation(105, CRASH, &[0])];
        let outcome = seen(&plan).0;
        let valid = [outcome.front_ends[0].valid, outcome.front_ends[1].valid];
        // Half of a hundred, give or take five standard deviations.
        let as_expected = if persistence { valid == [100, 0] } else { (25..=75).contains(&valid[1]) };
        assert!(as_expected, "{persistence}: {valid:?}");
    }
}

#[test]
fn an_operation_that_finds_nothing_to_do_is_told() {
    let mut plan = story(1, 100);
    plan.operations = vec![operation(50, Operate::Start, &[0])];
    let records = seen(&plan).0.records;
    assert!(records.iter().any(|record| record.kind == RecordKind::NoEffect { what: "start" }));
}
