//! Requests of peers, told by hand: what becomes of each, and when (model rules 3, 14, 28 and 30).

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Cause, Counter, Decision, Metric, Outcome, RequestCounts, What};
use refresh_sim::report;
use refresh_sim::scenario::plan::{Change, GroupPlan, OnTimeOut, Plan, Requests, Start, TimelineEntry, WhenFull};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, Transport};

use super::watching::seen;
use crate::reading::read;

const MS: Span = Span::MILLISECOND;

/// One front end that serves from `start_up` on, one TCP peer a second of round trip away that it accepts in 100 ms, and
/// requests of 100 ms, each some 10 s after the one before.
fn story(start_up: Span, horizon: Span) -> Plan {
    let mut plan = Plan::new(horizon, Builtin::Sfb2015Cu2);
    plan.front_ends[0].start_up = Dist::Constant(start_up);
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    plan.recovery.actions.clear();
    let requests = Requests {
        every: Dist::Constant(Span::SECOND.times(10)),
        cpu: Dist::Constant(MS.times(100)),
        timeout: Some(Span::SECOND.times(5)),
        stop_after: None,
        on_timeout: OnTimeOut::Keep,
    };
    plan.with_group(GroupPlan {
        rtt: Dist::Constant(Span::SECOND),
        validate_accept: Dist::Constant(MS.times(100)),
        validate_refresh: Dist::Constant(MS.times(100)),
        requests: Some(requests),
        ..GroupPlan::new("p", Transport::Tcp, 1)
    })
}

fn requests(plan: &mut Plan) -> &mut Requests {
    plan.groups[0].requests.as_mut().expect("the story has requests")
}

fn at(seen: &[Decision], what: What) -> Vec<Time> {
    seen.iter().filter(|d| d.what == what).map(|d| d.at).collect()
}

fn counts(outcome: &Outcome) -> RequestCounts {
    outcome.requests[0].expect("the group sends requests")
}

/// Gives each request of the story's peer its instant: a table of gaps from one to the next.
fn due_at(plan: &mut Plan, first: Span) {
    // Uniform over a single length is no constant, so it has no phase.
    requests(plan).every = Dist::uniform(first, first).expect("in range");
}

#[test]
fn rule_28_without_load_a_request_takes_its_round_trip_and_its_cpu() {
    let plan = story(Span::ZERO, Span::SECOND.times(65));
    let (outcome, seen) = seen(&plan);
    let (dues, answers) = (at(&seen, What::RequestDue), at(&seen, What::RequestAnswered));
    // The first one may fall due before there is a connection.
    let late: Vec<Span> = dues.iter().zip(&answers).skip(1).map(|(due, answer)| answer.since(*due)).collect();
    assert!(late.len() >= 4 && late.iter().all(|late| *late == MS.times(1_100)), "{late:?}");
    assert!(dues[0] <= Time(Span::SECOND.times(10).0));
    assert!(dues.windows(2).all(|pair| pair[1].since(pair[0]) == Span::SECOND.times(10)), "{dues:?}");
    let histogram = outcome.meters.histogram(Metric::Request, 0, Cause::Request).expect("samples");
    assert_eq!(histogram.len(), counts(&outcome).in_time);
    assert_eq!(outcome.front_ends[0].account.useful, u128::from(MS.times(100).0) * (1 + u128::from(histogram.len())));
}

#[test]
fn rule_28_a_request_without_a_connection_waits_at_the_peer_and_its_clock_runs_from_its_due() {
    // Accepted at 1.6 s, of which the peer hears at 2.1 s.
    let mut plan = story(Span::ZERO, Span::SECOND.times(4));
    due_at(&mut plan, Span::SECOND);
    requests(&mut plan).stop_after = Some(3);
    let (_, seen) = seen(&plan);
    let waits: Vec<u8> = seen.iter().filter(|d| d.what == What::RequestDue).map(|d| d.detail).collect();
    assert_eq!(waits, [1, 1, 0], "the third falls due with a connection");
    let millis = |n| Time(MS.times(n).0);
    assert_eq!(at(&seen, What::RequestTaken), [millis(2_600), millis(2_700), millis(3_500)]);
    assert_eq!(at(&seen, What::RequestAnswered), [millis(3_200), millis(3_300)], "the last is under way at the end");
}

#[test]
fn rule_28_one_that_waits_too_long_has_failed_with_its_age() {
    let mut plan = story(Span::HOUR, Span::SECOND.times(30));
    due_at(&mut plan, Span::SECOND.times(10));
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, What::RequestFailed), [Time(Span::SECOND.times(15).0), Time(Span::SECOND.times(25).0)]);
    let counts = counts(&outcome);
    assert_eq!((counts.due, counts.timed_out, counts.unfinished), (3, 2, 1));
    assert_eq!((counts.oldest_failed, counts.oldest_open), (Span::SECOND.times(5), Some(Span::ZERO)));
    assert_eq!(outcome.front_ends[0].account.arrivals, 0, "nothing of them reached the front end");
}

#[test]
fn rule_28_dues_do_not_depend_on_how_the_front_end_is_doing() {
    let dues = |change: fn(&mut Plan)| {
        let mut plan = story(Span::ZERO, Span::HOUR);
        requests(&mut plan).every = Dist::exponential(Span::SECOND).expect("in range");
        plan.groups[0].count = 3;
        change(&mut plan);
        let seen = seen(&plan).1;
        seen.iter().filter(|d| d.what == What::RequestDue).map(|d| (d.at, d.who)).collect::<Vec<_>>()
    };
    let plain = dues(|_| {});
    assert!(plain.len() > 10_000);
    assert_eq!(plain, dues(|plan| plan.front_ends[0].start_up = Dist::Constant(Span::MINUTE)), "a later start");
    assert_eq!(plain, dues(|plan| requests(plan).cpu = Dist::Constant(Span::SECOND.times(9))), "a slow front end");
    assert_eq!(plain, dues(|plan| plan.refresh = Some(refresh_in_place(Span::MINUTE))), "refreshes");
    let crash = |plan: &mut Plan| {
        plan.refresh = Some(refresh_in_place(Span::MINUTE));
        plan.validator = Builtin::Sfb2015Rtm;
    };
    assert_eq!(plain, dues(crash), "a crash for good");
}

#[test]
fn rule_14_a_request_that_its_peer_gave_up_is_served_all_the_same_and_wasted() {
    let mut plan = story(Span::ZERO, Span::SECOND.times(30));
    plan.start = Start::Established;
    due_at(&mut plan, Span::SECOND.times(10));
    (requests(&mut plan).cpu, requests(&mut plan).stop_after) = (Dist::Constant(Span::SECOND.times(8)), Some(1));
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, What::RequestFailed), [Time(Span::SECOND.times(15).0)]);
    assert_eq!(at(&seen, What::RequestAnswered), []);
    let account = &outcome.front_ends[0].account;
    assert_eq!((account.wasted, account.useful), (u128::from(Span::SECOND.times(8).0), 0));
}

#[test]
fn rule_28_an_answer_at_the_very_instant_of_the_time_out_is_in_time() {
    for (timeout, in_time) in [(1_100, 1), (1_099, 0)] {
        let mut plan = story(Span::ZERO, Span::SECOND.times(30));
        plan.start = Start::Established;
        due_at(&mut plan, Span::SECOND.times(10));
        (requests(&mut plan).timeout, requests(&mut plan).stop_after) = (Some(MS.times(timeout)), Some(1));
        let counts = counts(&seen(&plan).0);
        assert_eq!((counts.in_time, counts.timed_out), (in_time, 1 - in_time), "{timeout} ms");
    }
}

#[test]
fn rule_28_a_request_fails_when_its_peer_learns_that_the_connection_is_gone() {
    // A worker is busy with requests until 12.05 s; then a refresh without a certificate brings the front end down.
    let mut plan = story(Span::ZERO, Span::SECOND.times(30));
    plan.start = Start::Established;
    (plan.validator, plan.refresh) = (Builtin::Sfb2015Rtm, Some(refresh_in_place(Span::SECOND.times(10))));
    due_at(&mut plan, MS.times(2_550));
    requests(&mut plan).cpu = Dist::Constant(Span::SECOND.times(3));
    requests(&mut plan).timeout = Some(Span::MINUTE);
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Crash), [Time(MS.times(12_050).0)]);
    // The third answer and the news of the crash arrive together, and the answer is first.
    let answered = [6_550, 9_550, 12_550].map(|at| Time(MS.times(at).0));
    assert_eq!(at(&seen, What::RequestAnswered), answered);
    assert_eq!(at(&seen, What::RequestFailed), [Time(MS.times(12_550).0)], "the fourth was in the queue");
    let counts = counts(&outcome);
    assert_eq!((counts.connection_lost, counts.oldest_failed), (1, MS.times(2_350)));
    assert_eq!(counts.unfinished, counts.due - 4, "those due after it wait at the peer");
    assert_eq!(outcome.front_ends[0].account.lost_in_crash, 2, "the fourth request, and the question");
}

#[test]
fn rule_28_a_planned_reconnect_takes_the_requests_in_flight_along() {
    let mut plan = story(Span::ZERO, Span::SECOND.times(20));
    plan.start = Start::Established;
    let mut refresh = refresh_in_place(Span::SECOND.times(10));
    refresh.act = refresh_sim::policy::Act::Reconnect(refresh_sim::policy::Initiator::FrontEnd);
    plan.refresh = Some(refresh);
    due_at(&mut plan, MS.times(9_700));
    requests(&mut plan).stop_after = Some(1);
    let (outcome, seen) = seen(&plan);
    // Sent at 9.7 s, it finds no connection at 10.2 s; the peer learns at 10.5 s that the front end has closed it.
    assert_eq!(at(&seen, What::RequestFailed), [Time(MS.times(10_500).0)]);
    assert_eq!(counts(&outcome).connection_lost, 1);
}

#[test]
fn rule_03_a_request_that_finds_the_queue_full_costs_its_connection() {
    let mut plan = story(Span::ZERO, Span::SECOND.times(12));
    plan.start = Start::Established;
    (plan.front_ends[0].queue_limit, plan.front_ends[0].when_full) = (Some(1), WhenFull::Close);
    plan.groups[0].count = 3;
    due_at(&mut plan, Span::SECOND.times(10));
    let (outcome, seen) = seen(&plan);
    let dropped: Vec<_> = seen.iter().filter(|d| d.what == What::Dropped).map(|d| (d.at, d.who, d.detail)).collect();
    assert_eq!(dropped, [(Time(MS.times(10_500).0), 2, 4)], "one is served, one waits, the third is turned away");
    assert_eq!(at(&seen, What::RequestFailed), [Time(Span::SECOND.times(11).0)]);
    assert_eq!(outcome.meters.counted(0, Counter::Losses), 1);
}

#[test]
fn rule_28_who_leaves_takes_its_requests_along_and_begins_anew_when_it_is_back() {
    let mut plan = story(Span::HOUR, Span::SECOND.times(60));
    due_at(&mut plan, Span::SECOND.times(10));
    requests(&mut plan).timeout = None;
    let entry = |at: u64, change| TimelineEntry {
        at: Time(Span::SECOND.times(at).0),
        change,
        group: 0,
        indices: None,
        front_end: None,
    };
    plan.timeline = vec![entry(25, Change::Leave), entry(33, Change::Join)];
    let (outcome, seen) = seen(&plan);
    let seconds: Vec<u64> = at(&seen, What::RequestDue).iter().map(|at| at.0 / Span::SECOND.0).collect();
    assert_eq!(seconds, [10, 20, 43, 53]);
    let counts = counts(&outcome);
    assert_eq!((counts.due, counts.departed, counts.unfinished), (4, 2, 2));
}

#[test]
fn rule_13_quantiles_of_requests_have_what_failed_beyond_them_but_not_what_failed_before_measuring() {
    let text = "schema = 1\nsemantics = 1\n[run]\nhorizon = \"10m\"\n[front_end]\nstart_up = \"2m\"\n\
        [validation]\nvalidator = \"tls-only\"\n[measure]\nfrom = \"3m\"\n\
        [[group]]\nname = \"g\"\ncount = 50\ntransport = \"tls\"\n\
        [group.requests]\nevery = { exponential = \"1s\" }\ncpu = \"1ms\"\ntimeout = \"5s\"\n\
        [expect]\nfast = \"request in request : p99.9 <= 50ms min 1000\"\nqueue = \"queue in request : p50 < 1ms\"\n\
        good = \"requests.goodput{group=g} : value >= 1/2\"\nfailed = \"requests.timed_out : value > 1000\"\n\
        lost = \"requests.connection_lost : value == 0\"\n";
    let plan = read(text);
    let outcome = seen(&plan).0;
    for judged in report::judge(&plan, &outcome) {
        assert_eq!(judged.verdict, refresh_sim::measure::Verdict::Pass, "{judged:?}");
    }
    let counts = counts(&outcome);
    assert_eq!(counts.unmeasured, counts.timed_out, "all before anybody served");
    let text = report::text(&plan, &outcome, &[]);
    assert!(text.contains("Requests: ") && text.contains(" timed out"), "{text}");
    let json = report::summary(&plan, &outcome, &[], 0);
    assert_eq!(json["requests"]["due"], counts.due);
    assert_eq!(json["groups"][0]["requests"]["timed_out"], counts.timed_out);
    assert_eq!(json["figures"]["requests.in_time"]["count"], counts.in_time);
}

#[test]
fn rule_28_requests_wait_behind_a_tick_and_a_nanosecond_of_it_shows() {
    // A tick of 1,000 peers at 1 ms each in front of one worker: for a second nobody else is served.
    let mut plan = story(Span::ZERO, Span::SECOND.times(20));
    plan.start = Start::Established;
    plan.refresh = Some(refresh_in_place(Span::SECOND.times(10)));
    let herd = GroupPlan { validate_refresh: Dist::Constant(MS), ..GroupPlan::new("herd", Transport::Tls, 1_000) };
    plan.groups[0].validate_refresh = Dist::Constant(MS);
    plan = plan.with_group(herd);
    due_at(&mut plan, MS.times(9_500) + Span(1));
    (requests(&mut plan).stop_after, requests(&mut plan).cpu) = (Some(1), Dist::Constant(MS));
    let seen = seen(&plan).1;
    // It arrives 1 ns after the tick, and 1,001 refreshes are before it.
    assert_eq!(at(&seen, What::RequestTaken), [Time(MS.times(11_001).0)]);
}

/// The story's peer, connected from the beginning, whose requests close their connections as `on_timeout` says.
fn closing(on_timeout: OnTimeOut, horizon: u64) -> Plan {
    let mut plan = story(Span::ZERO, Span::SECOND.times(horizon));
    plan.start = Start::Established;
    due_at(&mut plan, Span::SECOND.times(10));
    requests(&mut plan).on_timeout = on_timeout;
    plan
}

fn path(at: u64, change: Change) -> TimelineEntry {
    TimelineEntry { at: Time(Span::SECOND.times(at).0), change, group: 0, indices: None, front_end: None }
}

/// When connections were lost, and why.
fn losses(seen: &[Decision]) -> Vec<(u64, u8)> {
    seen.iter().filter(|d| d.what == What::Lost).map(|d| (d.at.0 / MS.0, d.detail)).collect()
}

#[test]
fn rule_11_a_request_or_an_answer_that_meets_a_cut_arrives_after_it_has_healed() {
    let mut plan = closing(OnTimeOut::Keep, 60);
    requests(&mut plan).timeout = None;
    requests(&mut plan).stop_after = Some(2);
    // The first is at the front end at 10.5 s and its answer is ready at 10.6 s: the cut takes that. The second is sent in it.
    plan.timeline = vec![path(11, Change::CutOff), path(30, Change::Heal)];
    let (_, seen) = seen(&plan);
    assert_eq!(at(&seen, What::RequestTaken), [Time(MS.times(10_500).0), Time(MS.times(30_200).0)]);
    assert_eq!(at(&seen, What::RequestAnswered), [Time(MS.times(30_200).0), Time(MS.times(30_800).0)]);
}

#[test]
fn rule_07_behind_a_cut_the_time_out_of_a_request_ends_the_connection_and_the_peer_tries_again() {
    let cut = |on_timeout| {
        let mut plan = closing(on_timeout, 60);
        plan.timeline = vec![path(15, Change::CutOff), path(40, Change::Heal)];
        seen(&plan).1
    };
    // The request of 20 s fails at 25 s, and the first answer came at 11.1 s.
    for on_timeout in [OnTimeOut::CloseIfSilent, OnTimeOut::Close] {
        let seen = cut(on_timeout);
        assert_eq!(losses(&seen), [(25_000, 5)], "{on_timeout:?}");
        assert_eq!(at(&seen, What::Attempt), [Time(Span::SECOND.times(25).0)]);
        // SYNs of 0, 1, 2, 3, 4, 5, 7, 11 and 19 s: that of 44 s is the first to get through.
        let valid: Vec<u64> = at(&seen, What::Valid).iter().map(|at| at.0 / MS.0).collect();
        assert_eq!(valid[1..], [45_600], "the first is that of the beginning");
    }
    let kept = cut(OnTimeOut::Keep);
    assert_eq!((losses(&kept), at(&kept, What::Attempt)), (vec![], vec![]), "it lives through the cut");
}

#[test]
fn rule_07_while_a_dump_is_written_the_time_out_of_a_request_tells_the_peer_before_the_reset_does() {
    let dump = |on_timeout| {
        let mut plan = closing(on_timeout, 200);
        (plan.validator, plan.refresh) = (Builtin::Sfb2015Rtm, Some(refresh_in_place(Span::SECOND.times(32))));
        plan.recovery.dump = Span::MINUTE;
        plan.recovery.actions = vec![refresh_sim::policy::Action::Restart(Span::ZERO)];
        plan.groups[0].reconnect =
            refresh_sim::policy::Reconnect::plain(Dist::Constant(Span::ZERO), Dist::Constant(Span::HOUR));
        plan.groups[0].attempt_timeout = None;
        seen(&plan)
    };
    // Down from 32 s to 92 s. The request of 40 s fails at 45 s.
    let (outcome, early) = dump(OnTimeOut::CloseIfSilent);
    assert_eq!(at(&early, What::Crash)[0], Time(Span::SECOND.times(32).0));
    assert_eq!(at(&early, What::ClosesLost), [Time(Span::SECOND.times(45).0)]);
    assert_eq!(at(&early, What::Attempt)[0], Time(Span::SECOND.times(45).0));
    assert_eq!(losses(&early)[0], (32_000, 0));
    // A connection of a dying process that answers SYNs: the dump's end resets it, and the next try is an hour later.
    assert_eq!(outcome.crashes[0].back, 0);
    let (_, late) = dump(OnTimeOut::Keep);
    assert_eq!(at(&late, What::ClosesLost), []);
    assert_eq!(at(&late, What::Attempt)[0], Time(MS.times(92_500).0), "when the dump has ended");
}

#[test]
fn rule_07_who_hears_late_answers_keeps_the_connection_if_it_closes_only_silent_ones() {
    let late = |on_timeout| {
        let mut plan = closing(on_timeout, 60);
        due_at(&mut plan, Span::SECOND.times(2));
        (requests(&mut plan).cpu, requests(&mut plan).stop_after) = (Dist::Constant(Span::SECOND.times(3)), Some(8));
        let (outcome, seen) = seen(&plan);
        (counts(&outcome).timed_out, losses(&seen))
    };
    // Due at 2, 4, 6 s, answers ready at 5.5, 8.5, 11.5 s: the third is late, and one has come 3 s ago.
    let (failed, lost) = late(OnTimeOut::CloseIfSilent);
    assert!(failed > 1 && lost.is_empty(), "{failed} {lost:?}");
    assert_eq!(late(OnTimeOut::Close).1[0], (11_000, 5));
}

#[test]
fn rule_07_a_request_that_waited_for_its_connection_does_not_bring_it_down_again() {
    // Established at 7.1 s; the request of 3 s fails at 8 s, before its answer can be there.
    let mut plan = story(Span::SECOND.times(5), Span::SECOND.times(60));
    due_at(&mut plan, Span::SECOND.times(3));
    requests(&mut plan).on_timeout = OnTimeOut::CloseIfSilent;
    plan.groups[0].reconnect.delay = Dist::Constant(Span::SECOND.times(4));
    let (outcome, seen) = seen(&plan);
    let established = at(&seen, What::Valid)[0];
    let failed = at(&seen, What::RequestFailed);
    assert!(failed.iter().any(|at| *at > established), "{established:?} {failed:?}");
    assert_eq!(losses(&seen), []);
    assert!(counts(&outcome).in_time > 10);
}
