//! Rules 5 and 26: connections over which nothing comes.

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Decision, What};
use refresh_sim::policy::tcp::KeepAlive;
use refresh_sim::policy::{Failover, Idle, Limits, ListOrder, Middlebox, OnIdle, Reconnect};
use refresh_sim::scenario::plan::{Change, OnTimeOut, Plan, Requests, TimelineEntry};
use refresh_sim::time::{Span, Time};

use super::{at, every, seconds, story};
use crate::watching::seen;

/// One peer that is valid at 1.6 s and comes back an hour after a loss.
fn one_peer(horizon: u64) -> Plan {
    let mut plan = story(1, seconds(horizon));
    plan.groups[0].reconnect = Reconnect::plain(Dist::Constant(seconds(3_600)), Dist::Constant(seconds(3_600)));
    plan
}

fn with_requests(mut plan: Plan, apart: u64) -> Plan {
    plan.groups[0].requests = Some(Requests {
        every: Dist::Constant(seconds(apart)),
        cpu: Dist::Constant(Span::MILLISECOND),
        timeout: Some(seconds(5)),
        stop_after: None,
        on_timeout: OnTimeOut::Keep,
    });
    plan
}

/// The same peer behind a middlebox that ends what is idle for 20 s.
fn behind(then: OnIdle, horizon: u64) -> Plan {
    let mut plan = one_peer(horizon);
    plan.groups[0].failover = Failover { order: ListOrder::Middlebox, ..Failover::PLAIN };
    plan.groups[0].reconnect = Reconnect::plain(Dist::Constant(Span::ZERO), Dist::Constant(seconds(1)));
    let idle = Some(Idle { after: seconds(20), then });
    plan.middlebox = Some(Middlebox { probe: seconds(1), persistence: true, idle });
    plan
}

fn cut(from: u64, until: u64) -> Vec<TimelineEntry> {
    let entry = |second, change| TimelineEntry {
        at: Time(seconds(second).0),
        change,
        group: 0,
        indices: None,
        front_end: None,
    };
    vec![entry(from, Change::CutOff), entry(until, Change::Heal)]
}

fn details(seen: &[Decision], what: What) -> Vec<(u64, u8)> {
    seen.iter().filter(|d| d.what == what).map(|d| (d.at.0 / 1_000_000, d.detail)).collect()
}

fn probing(interval: u64, count: u32) -> Option<KeepAlive> {
    Some(KeepAlive { interval: seconds(interval), count })
}

#[test]
fn rule_05_a_connection_over_which_nothing_comes_is_closed_by_its_front_end() {
    let mut plan = one_peer(100);
    plan.front_ends[0].limits = Limits { idle: Some(seconds(30)), ..Limits::default() };
    // Validated again in place, over which nothing passes.
    every(&mut plan, seconds(20));
    let (outcome, seen) = seen(&plan);
    assert_eq!(details(&seen, What::Limit), [(31_600, 3)]);
    assert_eq!(details(&seen, What::Lost), [(31_600, 12)]);
    let figures = &outcome.groups[0];
    assert_eq!(figures.lost / 1_000_000, 2_100 + 67_900, "it hears of it half a round trip later, at 32.1 s");
}

#[test]
fn rule_05_requests_keep_a_connection_from_being_idle_and_one_at_the_instant_of_the_limit_is_too_late() {
    let limit_at = |idle| {
        let mut plan = with_requests(one_peer(100), 20);
        plan.front_ends[0].limits = Limits { idle: Some(idle), ..Limits::default() };
        seen(&plan).1
    };
    // Each request is answered a millisecond after it has arrived.
    let (apart, answer) = (seconds(20), Span::MILLISECOND);
    let between = Span(apart.0 - answer.0);
    assert!(details(&limit_at(Span(between.0 + 1)), What::Limit).is_empty());
    let seen = limit_at(between);
    let served = at(&seen, What::RequestTaken);
    assert_eq!(details(&seen, What::Limit), [(served[0] + 20_000, 3)], "{served:?}");
    assert_eq!(served.len(), 1, "the second request arrives in that instant");
}

#[test]
fn rule_05_a_front_end_whose_keep_alive_gets_no_answer_closes_and_the_peer_hears_of_it_after_the_cut() {
    let mut plan = one_peer(100);
    plan.front_ends[0].limits = Limits { keep_alive: probing(5, 3), ..Limits::default() };
    plan.timeline = cut(10, 60);
    let (_, all) = seen(&plan);
    let closed = details(&all, What::Limit);
    assert!(closed.len() == 1 && closed[0].1 == 4, "{closed:?}");
    assert!((25_001..=30_000).contains(&closed[0].0), "a probe within 5 s, and three intervals: {closed:?}");
    let (outcome, _) = seen(&plan);
    assert_eq!(outcome.groups[0].lost / 1_000_000, 2_100 + 39_800, "from 60.2 s on");
    plan.timeline = cut(10, 25);
    assert!(details(&seen(&plan).1, What::Limit).is_empty(), "it heals in time");
}

#[test]
fn rule_26_a_middlebox_that_resets_what_is_idle_tells_both_ends() {
    let (_, seen) = seen(&behind(OnIdle::Reset, 60));
    let valid = at(&seen, What::Valid);
    assert_eq!(details(&seen, What::Lost)[0], (valid[0] + 20_000, 13));
    assert_eq!(valid[1], valid[0] + 20_000 + 500 + 1_600, "it is told half a round trip later and comes back");
}

#[test]
fn rule_26_a_middlebox_that_forgets_in_silence_lets_requests_come_to_nothing_until_a_probe_shows_it() {
    let mut plan = with_requests(behind(OnIdle::Silent, 200), 40);
    plan.groups[0].tcp.keep_alive = probing(30, 2);
    let (outcome, seen) = seen(&plan);
    let forgotten: Vec<u64> = details(&seen, What::Limit).iter().filter(|(_, d)| *d == 5).map(|(at, _)| *at).collect();
    let lost = details(&seen, What::Lost);
    assert_eq!((forgotten[0], lost[0].1), (at(&seen, What::Valid)[0].max(forgotten[0]), 4), "{lost:?}");
    let noticed = lost[0].0 - forgotten[0];
    assert!((60_001..=90_000).contains(&noticed), "a probe within 30 s, and two intervals: {noticed}");
    let in_between = |ms: &u64| (forgotten[0]..lost[0].0).contains(ms);
    assert!(at(&seen, What::RequestDue).iter().any(in_between));
    assert!(!at(&seen, What::RequestTaken).iter().any(in_between), "nothing gets through");
    assert!(outcome.requests[0].expect("it sends").timed_out > 0);
}

#[test]
fn rule_26_probes_more_frequent_than_the_limit_keep_a_connection_for_ever() {
    for then in [OnIdle::Silent, OnIdle::Reset] {
        let mut plan = behind(then, 200);
        plan.groups[0].tcp.keep_alive = probing(19, 2);
        let (_, awake) = seen(&plan);
        assert!(details(&awake, What::Lost).is_empty() && details(&awake, What::Limit).is_empty());
        plan.groups[0].tcp.keep_alive = probing(20, 2);
        assert!(!details(&seen(&plan).1, What::Lost).is_empty(), "in time is before the limit");
    }
}

#[test]
fn rule_26_what_the_front_end_ends_meanwhile_the_peer_learns_by_its_own_probes() {
    let mut plan = behind(OnIdle::Silent, 200);
    plan.groups[0].tcp.keep_alive = probing(30, 2);
    let alone = details(&seen(&plan).1, What::Lost)[0].0;
    plan.front_ends[0].limits = Limits { idle: Some(seconds(40)), ..Limits::default() };
    let (_, seen) = seen(&plan);
    let lost = details(&seen, What::Lost)[0];
    assert_eq!((lost.1, lost.0), (12, at(&seen, What::Valid)[0] + 40_000));
    assert!(at(&seen, What::Attempt).contains(&alone), "its next try is at {alone} ms, when it would have noticed");
}
