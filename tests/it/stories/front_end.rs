//! Rules 1 to 8: the process, its workers, its crash, its recovery.

use refresh_sim::dist::Dist;
use refresh_sim::measure::What;
use refresh_sim::policy::{Action, Recovery};
use refresh_sim::scenario::plan::{Change, FrontEndPlan, GroupPlan, Requests, Start, WhenFull};
use refresh_sim::time::Span;
use refresh_sim::validate::{Phase, Verdict};

use super::{By, accepts, at_second, faults, seconds, told};
use crate::stories::{at, every, story};
use crate::watching::seen;

/// Faults at every refresh.
const FAULTS_AT_REFRESH: By = By(|question| if question.phase == Phase::Refresh { faults() } else { accepts() });

fn after_a_crash(action: Action, dump: Span) -> Recovery {
    Recovery { actions: vec![action], reset_period: None, dump }
}

#[test]
fn rule_01_each_start_is_a_new_incarnation_that_draws_its_start_up_anew() {
    let mut plan = story(1, seconds(60));
    plan.front_ends[0].start_up = Dist::uniform(seconds(1), seconds(5)).expect("in range");
    plan.recovery = after_a_crash(Action::Restart(seconds(2)), Span::ZERO);
    every(&mut plan, seconds(20));
    let (_, seen) = told(&plan, &FAULTS_AT_REFRESH);
    let of = |what| -> Vec<_> { seen.iter().filter(|d| d.what == what).collect() };
    let (process, service) = (of(What::ProcessStart), of(What::ServiceStart));
    assert!(process.len() >= 2 && process.iter().map(|d| d.extra).eq(1..=process.len() as u16));
    let start_up: Vec<_> = process.iter().zip(&service).map(|(from, to)| to.at.since(from.at)).collect();
    assert!(start_up[0] != start_up[1] && start_up.iter().all(|s| (seconds(1)..=seconds(5)).contains(s)));
}

#[test]
fn rule_03_what_is_dropped_is_dropped_by_the_front_end_that_has_it() {
    let mut plan = story(3, seconds(10));
    plan.front_ends[0] = FrontEndPlan {
        start_up: Dist::Constant(Span::ZERO),
        workers: 1,
        cores: 1,
        queue_limit: Some(1),
        when_full: WhenFull::DropOldest,
        ..FrontEndPlan::new("first")
    };
    plan.front_ends.push(FrontEndPlan { start_up: Dist::Constant(Span::ZERO), ..FrontEndPlan::new("second") });
    plan.groups[0].front_ends = vec![0, 1];
    plan.groups[0].validate_accept = Dist::Constant(seconds(20));
    plan.groups[0].attempt_timeout = Some(seconds(3));
    // Peer 1 waits at the first front end, gives up at 3 s and turns to the second. Peer 2's job then finds its old one.
    plan.timeline = vec![at_second(0, Change::Leave, &[2]), at_second(5, Change::Join, &[2])];
    let (_, seen) = seen(&plan);
    let dropped: Vec<_> = seen.iter().filter(|d| d.what == What::Dropped).map(|d| (d.who, d.extra)).collect();
    assert_eq!(dropped, [(1, 0)]);
}

#[test]
fn rule_03_a_request_too_is_dropped_by_the_front_end_that_has_it() {
    let mut plan = story(3, seconds(10));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    (plan.front_ends[0].queue_limit, plan.front_ends[0].when_full) = (Some(2), WhenFull::DropOldest);
    plan.front_ends.push(FrontEndPlan { start_up: Dist::Constant(Span::ZERO), ..FrontEndPlan::new("second") });
    plan.groups[0].front_ends = vec![0, 1];
    plan.groups[0].rtt = Dist::Constant(Span::ZERO);
    (plan.start, plan.front_ends[0].start_up) = (Start::Established, Dist::Constant(seconds(3)));
    let (every, cpu) = (Dist::Constant(seconds(1)), Dist::Constant(seconds(20)));
    plan.groups[0].requests = Some(Requests::new(every, cpu));
    // Each peer has kept back three requests, which come all at once. Each pushes another one out; whose that was turns
    // to the second front end, and what it has left behind at the first is pushed out there.
    let (_, seen) = seen(&plan);
    let dropped: Vec<_> = (0..).zip(&seen).filter(|(_, d)| d.what == What::Dropped).collect();
    let has_turned =
        |nth: usize, who| seen[..nth].iter().any(|d| d.what == What::Attempt && (d.who, d.extra) == (who, 1));
    assert!(dropped.iter().any(|(nth, d)| has_turned(*nth, d.who)), "{dropped:?}");
    assert!(dropped.iter().all(|(_, d)| d.extra == 0), "{dropped:?}");
}

#[test]
fn rule_17_who_loses_its_connection_before_its_refresh_has_entered_the_queue_is_not_asked_about() {
    let mut plan = story(3, seconds(19));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    (plan.front_ends[0].queue_limit, plan.front_ends[0].when_full) = (Some(1), WhenFull::DropOldest);
    (plan.start, plan.groups[0].rtt) = (Start::Established, Dist::Constant(Span::ZERO));
    plan.groups[0].reconnect.first = Dist::Constant(seconds(100));
    every(&mut plan, seconds(10));
    // Of the last peer one request is in service and one waits, which the tick's first job pushes out.
    let (gap, cpu) = (Dist::Constant(seconds(3)), Dist::Constant(seconds(12)));
    let requests = Some(Requests { stop_after: Some(2), ..Requests::new(gap, cpu) });
    let last = GroupPlan { name: "q".into(), count: 1, requests, ..plan.groups[0].clone() };
    plan.groups.push(last);
    let (_, seen) = seen(&plan);
    let lost: Vec<_> = seen.iter().filter(|d| d.what == What::Lost).map(|d| d.who).collect();
    assert!(lost.contains(&3), "{lost:?}");
    assert!(!seen.iter().any(|d| d.what == What::Asked && d.who == 3), "it is lost");
}

#[test]
fn rule_04_a_wait_holds_the_worker_and_frees_the_core() {
    let waits = By(|_| Verdict { wait: Span::SECOND, ..accepts() });
    let valid = |workers| {
        let mut plan = story(2, seconds(10));
        (plan.front_ends[0].workers, plan.front_ends[0].cores) = (workers, 1);
        let (outcome, seen) = told(&plan, &waits);
        assert_eq!(outcome.front_ends[0].account.blocked, u128::from(seconds(2).0));
        at(&seen, What::Valid)
    };
    assert_eq!(valid(2), [2_600, 2_700], "the second computes while the first waits");
    assert_eq!(valid(1), [2_600, 3_700], "there is nobody to take the second");
}

#[test]
fn rule_06_during_a_dump_the_kernel_completes_so_many_handshakes_and_no_more() {
    let mut plan = story(4, seconds(32));
    plan.front_ends[0].listen.backlog = 1;
    plan.recovery = after_a_crash(Action::None, seconds(20));
    every(&mut plan, seconds(10));
    plan.timeline = vec![at_second(0, Change::Leave, &[1, 2, 3]), at_second(12, Change::Join, &[1, 2, 3])];
    let (_, seen) = told(&plan, &FAULTS_AT_REFRESH);
    assert_eq!((at(&seen, What::Crash), at(&seen, What::DumpEnd)), (vec![10_000], vec![30_000]));
    assert_eq!(at(&seen, What::AckIgnored)[0], 13_500, "one handshake too many");
    assert_eq!(at(&seen, What::Silence), [13_500, 13_500], "two first messages that nobody reads");
    let again: Vec<_> = seen.iter().filter(|d| d.what == What::Attempt && d.at.0 > seconds(13).0).collect();
    assert!(again.iter().all(|d| d.who == 0 && d.at.0 == seconds(30).0 + seconds(1).half().0), "{again:?}");
}

#[test]
fn rule_06_a_syn_that_arrives_in_the_instant_of_a_crash_comes_after_it() {
    // Asked at 10 s, when the refresh of the first ends; the second's SYN, sent at 9.5 s, arrives at that instant.
    let mut plan = story(3, seconds(11));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    plan.groups[0].validate_refresh = Dist::Constant(Span::SECOND);
    plan.recovery = after_a_crash(Action::None, Span::ZERO);
    every(&mut plan, seconds(9));
    let half_past_nine = refresh_sim::time::Time(seconds(9).0 + Span::SECOND.half().0);
    plan.timeline = vec![at_second(0, Change::Leave, &[2]), at_second(9, Change::Join, &[2])];
    plan.timeline[1].at = half_past_nine;
    let falls = By(|question| if question.at == refresh_sim::time::Time(seconds(10).0) { faults() } else { accepts() });
    let (_, seen) = told(&plan, &falls);
    assert_eq!(at(&seen, What::Crash), [10_000]);
    let refused: Vec<_> = seen.iter().filter(|d| d.what == What::Refused && d.at.0 == seconds(10).0).collect();
    assert_eq!(refused.iter().map(|d| d.who).collect::<Vec<_>>(), [2], "it finds nobody");
}

#[test]
fn rule_33_peers_come_back_from_the_crash_that_they_were_lost_in() {
    let mut plan = story(2, seconds(60));
    plan.front_ends.push(FrontEndPlan { start_up: Dist::Constant(Span::ZERO), ..FrontEndPlan::new("second") });
    plan.recovery = after_a_crash(Action::Restart(Span::ZERO), Span::ZERO);
    // Each has a list of its own; the others come back ten seconds later.
    plan.groups[0].front_ends = vec![0];
    let mut late = plan.groups[0].clone();
    (late.name, late.front_ends) = ("late".to_owned(), vec![1]);
    late.reconnect.first = Dist::Constant(seconds(10));
    plan.groups.push(late);
    every(&mut plan, seconds(50));
    let (outcome, _) = told(&plan, &FAULTS_AT_REFRESH);
    let back: Vec<_> =
        outcome.crashes.iter().map(|crash| (crash.at.0, crash.front_end, crash.reconnected[2])).collect();
    let at = seconds(50).0;
    assert_eq!(back, [(at, 0, Some(Span(2_100_000_000))), (at, 1, None)], "the second not within the run");
}

#[test]
fn rule_07_a_rebooting_host_is_silent_until_its_process_starts() {
    let mut plan = story(1, seconds(32));
    plan.recovery = after_a_crash(Action::Reboot { delay: seconds(2), away: seconds(10) }, Span::ZERO);
    plan.groups[0].attempt_timeout = Some(seconds(8));
    every(&mut plan, seconds(10));
    let (_, seen) = told(&plan, &FAULTS_AT_REFRESH);
    assert_eq!(at(&seen, What::Refused), [11_000], "the process is down");
    let syns = [17_000, 18_000, 19_000, 20_000, 21_000];
    assert_eq!(at(&seen, What::Silence), syns, "the host is away from 12 s on, and TCP repeats the SYN");
    // The sixth SYN, sent at 21.5 s, finds a process.
    assert_eq!((at(&seen, What::GaveUp), at(&seen, What::ProcessStart)), (vec![], vec![0, 22_000]));
    assert_eq!(at(&seen, What::Valid), [1_600, 23_100]);
}
