//! Rules 25, 26 and 33: pools, the middlebox, and who came back from which crash.

use refresh_sim::dist::Dist;
use refresh_sim::measure::What;
use refresh_sim::policy::{
    Act, Action, Failover, Initiator, ListOrder, Middlebox, Reconnect, Recovery, Refresh, Timeouts,
};
use refresh_sim::scenario::plan::{FrontEndPlan, GroupPlan, Operate, Operation, Plan};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::time::{Span, Time};

use super::seconds;
use crate::stories::story;
use crate::watching::seen;

/// Peers behind a middlebox before two front ends.
fn behind_a_middlebox(count: u32, horizon: Span) -> Plan {
    let mut plan = story(count, horizon);
    plan.front_ends.push(FrontEndPlan { start_up: Dist::Constant(Span::ZERO), ..FrontEndPlan::new("second") });
    plan.middlebox = Some(Middlebox { probe: seconds(1), persistence: false, idle: None });
    plan.groups[0].front_ends = vec![0, 1];
    plan.groups[0].failover = Failover { order: ListOrder::Middlebox, ..Failover::PLAIN };
    plan.groups[0].reconnect = Reconnect::plain(Dist::Constant(Span::ZERO), Dist::Constant(seconds(2)));
    plan
}

#[test]
fn rule_26_a_try_that_the_middlebox_answers_has_time_outs_and_a_port_like_any_other() {
    // At run time 0 it has not looked yet, and knows of nobody.
    let mut plan = behind_a_middlebox(2, seconds(1));
    plan.groups[0].timeouts = Timeouts { connect: Some(Span::MILLISECOND.times(500)), ..Timeouts::NONE };
    (plan.groups[0].tcp.ports, plan.groups[0].tcp.addresses) = (Some(1), Some(1));
    let (_, seen) = seen(&plan);
    let of = |what| -> Vec<_> {
        seen.iter().filter(|d| d.what == what).map(|d| (d.who, d.at.0 / 1_000_000, d.detail)).collect()
    };
    assert_eq!(of(What::Refused), [(0, 0, 3)]);
    assert_eq!(of(What::NoPort), [(1, 0, 0)], "the first one has the only port");
    assert_eq!(of(What::GaveUp), [(0, 500, 2)], "the reset would come after a second");
}

#[test]
fn rule_26_the_first_try_of_a_planned_reconnect_goes_to_the_same_front_end_also_where_it_needs_a_port() {
    let mut plan = behind_a_middlebox(16, seconds(60));
    plan.groups[0].tcp.ports = Some(9);
    let refresh = refresh_in_place(seconds(10));
    plan.refresh = Some(Refresh { act: Act::Reconnect(Initiator::FrontEnd), ..refresh });
    let (_, seen) = seen(&plan);
    let mut at = [None; 16];
    let mut planned = 0;
    for d in &seen {
        match (d.what, d.detail) {
            (What::Valid, _) => at[d.who as usize] = Some(d.extra),
            (What::Attempt, 1) => {
                planned += 1;
                assert_eq!(at[d.who as usize], Some(d.extra), "{d:?}");
            }
            _ => {}
        }
    }
    assert!(planned >= 16 && at.contains(&Some(0)) && at.contains(&Some(1)), "{planned} {at:?}");
}

#[test]
fn rule_33_who_comes_back_comes_back_from_the_crash_of_its_own_front_end() {
    let mut plan = story(3, seconds(30));
    plan.front_ends.push(FrontEndPlan { start_up: Dist::Constant(Span::ZERO), ..FrontEndPlan::new("second") });
    plan.recovery = Recovery { actions: vec![Action::Restart(seconds(5))], reset_period: None, dump: Span::ZERO };
    plan.groups[0].failover.black_list = seconds(1);
    plan.groups[0].reconnect = Reconnect::plain(Dist::Constant(Span::ZERO), Dist::Constant(seconds(1)));
    let stays_away = Reconnect::plain(Dist::Constant(seconds(100)), Dist::Constant(seconds(100)));
    let other = GroupPlan { name: "q".into(), count: 1, front_ends: vec![1], ..plan.groups[0].clone() };
    plan.groups.push(GroupPlan { reconnect: stays_away, ..other });
    let at = Time(seconds(10).0);
    plan.operations = vec![Operation { at, what: Operate::Crash, stages: vec![vec![0, 1]] }];
    let (outcome, _) = seen(&plan);
    let told: Vec<_> = outcome.crashes.iter().map(|crash| (crash.front_end, crash.lost, crash.back)).collect();
    assert_eq!(told, [(0, 3, 3), (1, 1, 0)]);
}
