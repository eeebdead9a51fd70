//! Drain and recovery times and the verdict, against numbers worked out by hand (model rule 33).

use crate::reading::read;
use refresh_sim::dist::Dist;
use refresh_sim::measure::{Figure, Outcome, Tags, Verdict};
use refresh_sim::policy::{Action, Anchor, Budget, Rate, Ratio, Recovery, Refresh, Scope};
use refresh_sim::report::{Value, course, figure, judge};
use refresh_sim::scenario::plan::{Change, GroupPlan, OnTimeOut, Plan, Requests, Start, TimelineEntry};
use refresh_sim::scenario::{load, refresh_in_place};
use refresh_sim::sim::{Unwatched, run};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, Transport};

const fn millis(n: u64) -> Span {
    Span::MILLISECOND.times(n)
}

/// `peers` TCP peers a second of round trip away, connected from the beginning, each with a refresh of 100 ms that falls
/// due every 1,000 s; one worker.
fn plan(peers: u32, horizon: Span) -> Plan {
    let mut plan = Plan::new(horizon, Builtin::Sfb2015Cu2).with_group(GroupPlan {
        rtt: Dist::Constant(Span::SECOND),
        validate_accept: Dist::Constant(millis(100)),
        validate_refresh: Dist::Constant(millis(100)),
        ..GroupPlan::new("p", Transport::Tcp, peers)
    });
    plan.start = Start::Established;
    plan.refresh = Some(refresh_in_place(Span::SECOND.times(1_000)));
    let front_end = &mut plan.front_ends[0];
    front_end.start_up = Dist::Constant(Span::ZERO);
    (front_end.workers, front_end.cores) = (1, 1);
    plan
}

/// The same with the old logic, which crashes at the tick, and a restart after 60 s.
fn crash(peers: u32, horizon: Span) -> Plan {
    let mut plan = plan(peers, horizon);
    plan.validator = Builtin::Sfb2015Rtm;
    plan.recovery = Recovery { actions: vec![Action::Restart(Span::MINUTE)], reset_period: None, dump: Span::ZERO };
    plan.groups[0].reconnect.delay = Dist::Constant(Span::SECOND.times(5));
    plan
}

fn outcome(plan: &Plan) -> Outcome {
    run(plan, &mut Unwatched).expect("it runs")
}

/// Ideal drain, actual drain and recovery in ms.
fn times(plan: &Plan) -> [Option<u128>; 3] {
    let outcome = outcome(plan);
    [Figure::DrainIdeal, Figure::DrainActual, Figure::Recovery].map(|which| {
        match figure(plan, &outcome, which, &Tags::default()) {
            Some(Value::Length(ns)) => Some(ns / 1_000_000),
            _ => None,
        }
    })
}

#[test]
fn rule_33_a_batch_of_constant_jobs_drains_in_whole_rounds_of_the_workers() {
    let of = |peers, workers| {
        let mut plan = plan(peers, Span::SECOND.times(1_500));
        (plan.front_ends[0].workers, plan.front_ends[0].cores) = (workers, workers);
        times(&plan).map(|time| time.expect("it drained"))
    };
    // Ideal: peers x 100 ms / workers. Actual: rounded up to rounds of 100 ms. Recovery: 95 % rounded up to peers.
    assert_eq!(of(1, 1), [100, 100, 100]);
    assert_eq!(of(10, 1), [1_000, 1_000, 1_000]);
    assert_eq!(of(10, 4), [250, 300, 300]);
    assert_eq!(of(100, 4), [2_500, 2_500, 2_400]);
    assert_eq!(of(1_000, 7), [14_285, 14_300, 13_600]);
}

#[test]
fn rule_33_a_tick_with_a_spread_is_a_trigger_until_its_last_due() {
    let mut plan = plan(1, Span::SECOND.times(1_500));
    if let Some(refresh) = &mut plan.refresh {
        refresh.spread = Span::SECOND.times(400);
    }
    assert_eq!(times(&plan), [Some(100); 3], "at the due there is one job and nothing else");
    let outcome = outcome(&plan);
    let episode = outcome.drains.longest.expect("it drained");
    assert_eq!(episode.begun, Time(Span::SECOND.times(1_000).0));
    assert!(episode.ended.is_some_and(|ended| ended > episode.begun));
}

#[test]
fn rule_33_after_a_crash_the_clock_starts_at_the_next_service_start() {
    // Up again at 1,060 s. SYNs from 1,000.5 s on, each 6 s (1 s to the reset, 5 s of waiting): the first to be answered
    // arrives at 1,061 s. The message comes 1 s later, and a worker takes 100 ms for each of three peers.
    let plan = crash(3, Span::SECOND.times(1_500));
    assert_eq!(times(&plan), [Some(300), Some(2_300), Some(2_300)]);
    let outcome = outcome(&plan);
    let episode = outcome.drains.longest.expect("it drained");
    assert_eq!((outcome.drains.episodes, episode.work.jobs), (1, 3), "tick and crash are one trigger");
    assert_eq!(episode.ended, Some(Time(Span::SECOND.times(1_060).0)));
}

#[test]
fn rule_33_what_another_front_end_takes_over_has_no_wait_for_the_restart() {
    let mut plan = crash(3, Span::SECOND.times(1_500));
    // Its own ticks come later than the end.
    plan.front_ends.push(refresh_sim::scenario::plan::FrontEndPlan {
        starts: Time(Span::SECOND.times(600).0),
        ..plan.front_ends[0].clone()
    });
    plan.front_ends[1].name = "fe02".to_owned();
    plan.groups[0].front_ends = vec![0, 1];
    // Learned after 0.5 s, the first message 1.5 s later, 100 ms each.
    assert_eq!(times(&plan), [Some(300), Some(2_300), Some(2_300)]);
    assert_eq!(
        outcome(&plan).drains.longest.and_then(|episode| episode.ended),
        Some(Time(Span::SECOND.times(1_000).0))
    );
}

#[test]
fn rule_33_with_own_age_what_falls_due_beside_a_crash_slows_the_ideal_drain() {
    // 10 peers x 100 ms each 2 s: half of the core. They are due at 2 s, and the first question is the last.
    let mut plan = crash(10, Span::SECOND.times(61));
    plan.refresh = Some(Refresh { anchor: Anchor::OwnAge, ..refresh_in_place(Span::SECOND.times(2)) });
    plan.recovery.actions = vec![Action::Restart(Span::SECOND)];
    let outcome = outcome(&plan);
    let episode = outcome.drains.open().or(outcome.drains.longest.as_ref()).expect("it crashed");
    assert_eq!((episode.work.offered, episode.work.offered_each), (1_000_000_000, Span::SECOND.times(2)));
    assert_eq!(episode.ideal, Some(Span::SECOND.times(2)), "1 s of CPU at half a core");
}

#[test]
fn rule_33_the_incident_drains_in_the_time_of_its_handshakes() {
    let scenario = include_str!("../../scenarios/sfb2015/incident.toml");
    let plan = load("incident", "incident.toml", scenario.as_bytes(), &[]).expect("it loads");
    let outcome = outcome(&plan);
    let episode = outcome.drains.longest.expect("it drained");
    // 240 x (flight 1.044 ms + validation 1 ms) + 3 x validation, on 8 cores.
    assert_eq!((episode.work.jobs, episode.work.cpu, episode.work.cores), (483, Some(493_560_000), 8));
    assert_eq!(episode.ideal, Some(Span(61_695_000)));
    assert!(episode.actual > episode.ideal && episode.actual < Some(millis(200)), "{:?}", episode.actual);
    assert_eq!((outcome.drains.episodes, outcome.crashes.len()), (6, 6));
}

#[test]
fn rule_33_nobody_waits_for_a_front_end_that_stays_down_once_its_peers_are_gone() {
    let mut plan = crash(3, Span::SECOND.times(1_500));
    plan.recovery.actions = vec![Action::None];
    assert_eq!(times(&plan), [None; 3]);
    let leaves = Time(Span::SECOND.times(1_200).0);
    plan.timeline = vec![TimelineEntry { at: leaves, change: Change::Leave, group: 0, indices: None, front_end: None }];
    assert_eq!(outcome(&plan).drains.longest.and_then(|episode| episode.ended), Some(leaves));
}

#[test]
fn rule_33_a_collapse_needs_time_outs_and_retries_and_wasted_work_together() {
    let scenario = include_str!("../../scenarios/reconnect/stays-collapsed.toml");
    let plan = load("collapse", "collapse.toml", scenario.as_bytes(), &[]).expect("it loads");
    let collapsed = outcome(&plan);
    assert_eq!(course(&plan, &collapsed).name, "metastable");
    let open = collapsed.drains.open().expect("it has not drained");
    let ideal = open.ideal.expect("nothing else falls due");
    assert!(plan.horizon > (Span::MINUTE + ideal.times(10)).times(2), "ten times the ideal, and long after");
    let budget = Budget {
        share: Ratio::percent(20),
        floor: Rate::per_second(10),
        window: Span::SECOND.times(10),
        scope: Scope::Group,
    };
    for without in ["time-outs", "retries", "wasted work"] {
        let mut plan = plan.clone();
        match without {
            "time-outs" => plan.groups[0].attempt_timeout = None,
            "retries" => plan.groups[0].reconnect.budget = Some(budget),
            _ => plan.front_ends[0].notices = true,
        }
        assert_eq!(course(&plan, &outcome(&plan)).name, "recovered", "without {without}");
    }
}

#[test]
fn rule_33_requests_may_stay_late_when_connections_have_recovered_and_that_is_metastable_too() {
    let scenario = include_str!("../../scenarios/requests/stays-late.toml");
    let plan = load("late", "late.toml", scenario.as_bytes(), &[]).expect("it loads");
    let late = outcome(&plan);
    assert!(late.drains.open().is_some_and(|open| open.recovery.is_some()), "95 % of the connections are back");
    let of = late.goodput.as_ref().and_then(|goodput| goodput.open()).expect("requests have not recovered");
    assert!(of.before.in_time * 100 >= of.before.due * 99 && of.after.in_time * 100 <= of.after.due, "{of:?}");
    assert_eq!(course(&plan, &late).name, "metastable");
    // Peers that keep late requests' connections, and a queue in which nothing gets late.
    let mut keeps = plan.clone();
    keeps.groups[0].requests.iter_mut().for_each(|requests| requests.on_timeout = OnTimeOut::Keep);
    let mut short = plan.clone();
    short.front_ends[0].queue_limit = Some(20);
    for plan in [keeps, short] {
        let outcome = outcome(&plan);
        assert_eq!(course(&plan, &outcome).name, "recovered");
        let goodput = outcome.goodput.expect("requests time out");
        assert!(goodput.open().is_none() && goodput.longest.is_some_and(|of| of.recovery.is_some()));
    }
    // The same with more peers than before is no metastable state but too much load.
    let mut more = plan.with_group(GroupPlan { present: false, ..GroupPlan::new("more", Transport::Tcp, 1) });
    let at = Time(Span::MINUTE.times(20).0);
    more.timeline = vec![TimelineEntry { at, change: Change::Join, group: 1, indices: None, front_end: None }];
    assert_eq!(course(&more, &outcome(&more)).name, "overloaded");
}

#[test]
fn rule_33_requests_take_their_share_of_the_ideal_drain() {
    // A crash at 1,000 s cuts 3 peers off for a minute: 300 ms for their connections. 3 requests of 200 ms a second ask
    // for 60 % of the core; of 20 s of them each peer has those of the last 10 s waiting when the front end serves again.
    let mut plan = crash(3, Span::SECOND.times(1_100));
    plan.groups[0].requests = Some(Requests {
        timeout: Some(Span::SECOND.times(10)),
        ..Requests::new(Dist::Constant(Span::SECOND), Dist::Constant(millis(200)))
    });
    let outcome = outcome(&plan);
    let episode = outcome.drains.open().or(outcome.drains.longest.as_ref()).expect("it crashed");
    assert_eq!((episode.work.offered, episode.work.offered_each), (600_000_000, Span::SECOND));
    assert_eq!((episode.work.jobs, episode.work.cpu), (33, Some(6_300_000_000)));
    assert_eq!(episode.ideal, Some(millis(15_750)), "6.3 s at 40 % of a core");
}

/// Two peers of which nothing crashes, a tick each 10 s, with lines of `[expect]`.
fn scenario(seconds: u32, lines: &[&str]) -> String {
    let expect: String = lines.iter().enumerate().map(|(n, line)| format!("e{n} = \"{line}\"\n")).collect();
    format!(
        "schema = 1\nsemantics = 1\n[run]\nhorizon = \"{seconds}s\"\nstart = \"established\"\n[refresh]\nevery = \"10s\"\n\
         [validation]\nvalidator = \"sfb2015-cu2\"\naccept = \"1s\"\n[front_end]\nstart_up = \"0s\"\nworkers = 1\n\
         [[group]]\nname = \"p\"\ncount = 2\ntransport = \"tcp\"\n[expect]\n{expect}"
    )
}

fn judged(seconds: u32, lines: &[&str]) -> Vec<Verdict> {
    let plan = read(&scenario(seconds, lines));
    judge(&plan, &outcome(&plan)).into_iter().map(|judged| judged.verdict).collect()
}

fn refused(line: &str) -> String {
    load("it", "it.toml", scenario(15, &[line]).as_bytes(), &[]).expect_err("it is wrong").to_string()
}

#[test]
fn rule_33_drain_recovery_and_verdict_can_be_expected() {
    let lines = [
        "drain.ideal : value == 2s",
        "drain.actual : value <= 2s",
        "recovery : value <= 2s",
        "verdict : value == steady",
    ];
    assert_eq!(judged(15, &lines), [Verdict::Pass; 4]);
    assert_eq!(judged(9, &lines), [Verdict::Inconclusive; 4], "no tick came");
    // The run ends before the second job does.
    assert_eq!(judged(11, &lines), [Verdict::Pass, Verdict::Fail, Verdict::Fail, Verdict::Pass]);
    assert_eq!(judged(11, &["drain.actual : value <= 1000d"]), [Verdict::Fail], "never is longer than any length");
    let words = ["verdict : value != crash loop", "verdict : value == not recovered"];
    assert_eq!(judged(15, &words), [Verdict::Pass, Verdict::Fail]);
    for (line, said) in [
        ("verdict : value <= steady", "`==` or `!=`"),
        ("verdict : value == stedy", "`steady`"),
        ("verdict : value == 1", "`crash loop`"),
        ("verdict : p99 == steady", "`value`"),
    ] {
        let told = refused(line);
        assert!(told.contains(said), "{line}: {told}");
    }
}

/// A hundred peers that come back at once after the crash and give up after 3 s, while a round of them takes 10 s: the
/// front end works for peers that are gone, for ever.
fn storm() -> Plan {
    let mut plan = crash(100, Span::SECOND.times(1_900));
    plan.groups[0].attempt_timeout = Some(Span::SECOND.times(3));
    plan.groups[0].reconnect.delay = Dist::Constant(Span::SECOND);
    plan
}

#[test]
fn rule_33_metastable_is_no_recovery_without_more_load() {
    let mut plan = storm();
    let of = |plan: &Plan| course(plan, &outcome(plan));
    assert_eq!(of(&plan).name, "metastable", "{:?}", of(&plan));
    assert_eq!(times(&plan)[1..], [None, None]);
    // Ten times the trigger of 60 s are not over yet.
    plan.horizon = Span::SECOND.times(1_600);
    assert_eq!(of(&plan).name, "not recovered");
}

#[test]
fn rule_33_overloaded_is_no_recovery_with_more_load() {
    let mut plan = storm().with_group(GroupPlan { present: false, ..GroupPlan::new("more", Transport::Tcp, 1) });
    plan.timeline = vec![TimelineEntry {
        at: Time(Span::SECOND.times(1_100).0),
        change: Change::Join,
        group: 1,
        indices: None,
        front_end: None,
    }];
    assert_eq!(course(&plan, &outcome(&plan)).name, "overloaded");
    // Who gives up later finds the queue drained.
    plan.groups[0].attempt_timeout = Some(Span::SECOND.times(30));
    assert_eq!(course(&plan, &outcome(&plan)).name, "recovered");
}
