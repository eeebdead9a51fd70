//! The crash of 2015 emerges: nothing in the simulation knows of it.

use refresh_sim::dist::Dist;
use refresh_sim::measure::Outcome;
use refresh_sim::policy::Action;
use refresh_sim::scenario::plan::{Change, FrontEndPlan, GroupPlan, Plan, TimelineEntry};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::sim::{Names, Unwatched, run};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, FaultCode, Phase, Transport};

/// Hundreds of trusted applications on TLS, three on TCP in the middle of them.
fn incident(days: u64) -> Plan {
    let mut plan = Plan::new(Span::DAY.times(days), Builtin::Sfb2015Rtm)
        .with_group(GroupPlan::new("contact-centre", Transport::Tls, 240))
        .with_group(GroupPlan::new("rcc-gateway", Transport::Tcp, 3))
        .with_group(GroupPlan::new("recording", Transport::Tls, 160));
    plan.refresh = Some(refresh_in_place(Span::DAY));
    plan
}

fn outcome(plan: &Plan) -> Outcome {
    run(plan, &mut Unwatched).expect("the plan runs")
}

fn seconds(time: Time) -> u64 {
    time.0 / Span::SECOND.0
}

#[test]
fn it_runs_for_a_day_and_dies_at_the_first_tcp_peer_86525_seconds_after_process_start() {
    let plan = incident(2);
    let outcome = outcome(&plan);
    let crash = &outcome.crashes[0];
    assert_eq!(seconds(crash.at), 86_525);
    let fault = crash.fault.expect("a verdict did it");
    assert_eq!((fault.code, fault.phase), (FaultCode::ACCESS_VIOLATION, Phase::Refresh));
    assert_eq!(Names::new(&plan).peer(fault.peer), "rcc-gateway/0");
    assert_eq!(crash.lost, 403);
    assert_eq!(crash.reconnected.map(|at| at.is_some()), [true; 3]);
}

#[test]
fn it_dies_again_each_day_counted_from_its_own_last_start() {
    let outcome = outcome(&incident(6));
    assert_eq!(outcome.crashes.len(), 5);
    for crash in &outcome.crashes {
        assert_eq!(crash.at.since(crash.process_start).0 / Span::SECOND.0, 86_525);
        assert_eq!(crash.at.since(crash.service_start).0 / Span::SECOND.0, 86_400);
    }
    let first = &outcome.crashes[0];
    let second = &outcome.crashes[1];
    assert_eq!(second.process_start, first.at + Span::MINUTE);
}

#[test]
fn the_fixed_build_does_not_die() {
    let outcome = outcome(&Plan { validator: Builtin::Sfb2015Cu2, ..incident(3) });
    assert!(!outcome.crashed());
    assert_eq!(outcome.front_ends[0].valid, 403);
}

#[test]
fn with_every_application_on_tls_even_the_old_build_does_not_die() {
    let mut plan = incident(3);
    plan.groups[1] = GroupPlan { front_ends: vec![0], ..GroupPlan::new("rcc-gateway", Transport::Tls, 3) };
    assert!(!outcome(&plan).crashed());
}

#[test]
fn with_a_refresh_every_seven_hours_it_dies_at_seven_hours() {
    let mut plan = incident(1);
    plan.refresh = Some(refresh_in_place(Span::HOUR.times(7)));
    let outcome = outcome(&plan);
    assert_eq!(seconds(outcome.crashes[0].at), 7 * 3_600 + 125);
    assert_eq!(outcome.crashes.len(), 3);
}

fn at_23_hours(change: Change) -> Vec<TimelineEntry> {
    vec![TimelineEntry { at: Time(Span::HOUR.times(23).0), change, group: 1, indices: None, front_end: None }]
}

#[test]
fn tcp_peers_that_left_at_23_hours_bring_nothing_down() {
    let mut plan = incident(3);
    plan.timeline = at_23_hours(Change::Leave);
    let outcome = outcome(&plan);
    assert!(!outcome.crashed());
    assert_eq!(outcome.front_ends[0].valid, 400);
}

#[test]
fn tcp_peers_that_join_at_23_hours_bring_it_down_at_the_next_tick() {
    let mut plan = incident(1);
    plan.horizon = Span::HOUR.times(25);
    plan.groups[1].present = false;
    plan.timeline = at_23_hours(Change::Join);
    let outcome = outcome(&plan);
    assert_eq!(outcome.crashes.len(), 1);
    assert_eq!(seconds(outcome.crashes[0].at), 86_525);
}

#[test]
fn the_crash_follows_a_peer_that_fails_over_to_the_other_front_ends_own_tick() {
    let mut plan = incident(1);
    plan.horizon = Span::HOUR.times(32);
    let later = FrontEndPlan { starts: Time(Span::HOUR.times(6).0), ..FrontEndPlan::new("fe02") };
    plan.front_ends.push(later);
    plan.groups.iter_mut().for_each(|group| group.front_ends = vec![0, 1]);
    let outcome = outcome(&plan);
    let seen: Vec<_> = outcome.crashes.iter().map(|c| (c.front_end, seconds(c.at))).collect();
    assert_eq!(seen, [(0, 86_525), (1, 6 * 3_600 + 86_525)]);
}

#[test]
fn the_service_manager_decides_what_becomes_of_it() {
    let restart = Action::Restart(Span::MINUTE);
    let mut plan = incident(6);
    plan.recovery.actions = vec![restart, restart, Action::None];
    plan.groups.iter_mut().for_each(|group| group.reconnect.delay = Dist::Constant(Span::MINUTE));
    assert_eq!(outcome(&plan).crashes.len(), 5, "a reset period of a day forgets each failure");
    plan.recovery.reset_period = Some(Span::DAY.times(2));
    let outcome = outcome(&plan);
    assert_eq!(outcome.crashes.len(), 3, "a longer one climbs to the third action");
    assert!(!outcome.front_ends[0].up);
}
