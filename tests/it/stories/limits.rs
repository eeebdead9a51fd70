//! Rules 5, 9, 11 and 14: what either side waits for, and what becomes of a try that took too long.

use refresh_sim::dist::Dist;
use refresh_sim::measure::What;
use refresh_sim::policy::tcp::KeepAlive;
use refresh_sim::policy::{Act, Initiator, Limits, Reconnect, Refresh, Timeouts};
use refresh_sim::scenario::plan::{Change, FrontEndPlan, Start, TimelineEntry};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::time::{Span, Time};

use super::{at_second, seconds, whom};
use crate::stories::{at, story};
use crate::watching::seen;

fn millis(n: u64) -> Span {
    Span::MILLISECOND.times(n)
}

fn path_is(change: Change, at: Time) -> TimelineEntry {
    TimelineEntry { at, change, group: 0, indices: None, front_end: None }
}

#[test]
fn rule_05_a_limit_that_comes_before_the_final_ack_frees_the_place_in_the_syn_queue() {
    let mut plan = story(2, seconds(5));
    plan.front_ends[0].listen.syn_backlog = Some(1);
    plan.front_ends[0].limits = Limits { first_message: Some(millis(500)), ..Limits::default() };
    let joins = TimelineEntry { at: Time(millis(700).0), ..at_second(0, Change::Join, &[1]) };
    plan.timeline = vec![at_second(0, Change::Leave, &[1]), joins];
    let (_, seen) = seen(&plan);
    assert_eq!(at(&seen, What::Limit)[0], 1_000, "half a second after its SYN, before its ACK at 1.5 s");
    assert!(whom(&seen, What::Silence).is_empty(), "the second SYN, at 1.2 s, finds the place free");
}

#[test]
fn rule_05_the_limits_run_for_a_connection_whose_final_ack_is_ignored() {
    let mut plan = story(3, seconds(6));
    plan.front_ends[0].accept = Some(Dist::Constant(seconds(20)));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    plan.front_ends[0].listen.backlog = 0;
    plan.front_ends[0].limits = Limits { first_message: Some(seconds(5)), ..Limits::default() };
    let (_, seen) = seen(&plan);
    assert_eq!(whom(&seen, What::AckIgnored)[0], 2, "one is in service, one fills the accept queue");
    assert_eq!((whom(&seen, What::Limit), at(&seen, What::Limit)), (vec![0, 1, 2], vec![5_500; 3]));
}

#[test]
fn rule_09_a_connection_whose_accept_job_is_skipped_leaves_the_accept_queue() {
    let mut plan = story(2, seconds(11));
    plan.front_ends[0].accept = Some(Dist::Constant(seconds(3)));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    (plan.front_ends[0].listen.backlog, plan.front_ends[0].notices) = (0, true);
    plan.groups[0].attempt_timeout = Some(seconds(4));
    plan.groups[0].reconnect = Reconnect::plain(Dist::Constant(Span::ZERO), Dist::Constant(seconds(5)));
    let (_, seen) = seen(&plan);
    // Both gave up at 4 s, and the front end knows when the worker is free, at 4.5 s.
    assert_eq!((whom(&seen, What::Skipped), at(&seen, What::Skipped)), (vec![1], vec![4_500]));
    assert!(whom(&seen, What::Silence).is_empty(), "there is room for the next two SYNs, at 9.5 s");
}

#[test]
fn rule_14_who_waits_for_an_answer_that_its_front_ends_kernel_has_forgotten_gives_up() {
    let mut plan = story(1, seconds(15));
    plan.groups[0].timeouts = Timeouts { answer: Some(seconds(10)), ..Timeouts::NONE };
    plan.groups[0].reconnect = Reconnect::plain(Dist::Constant(Span::ZERO), Dist::Constant(seconds(50)));
    // It has the answer to its SYN at 1 s; its message is held up until 100.2 s, when the kernel knows nothing of it.
    plan.timeline = vec![path_is(Change::CutOff, Time(millis(1_200).0)), path_is(Change::Heal, Time(seconds(100).0))];
    let (_, seen) = seen(&plan);
    let told: Vec<_> = seen.iter().filter(|d| d.what == What::Silence).map(|d| (d.at.0, d.detail)).collect();
    assert_eq!(told, [(500_000_000, 5)], "what becomes of it is known when the SYN is answered");
    let gave_up: Vec<_> = seen.iter().filter(|d| d.what == What::GaveUp).map(|d| (d.at.0, d.detail)).collect();
    assert_eq!(gave_up, [(11_000_000_000, 4)]);
}

#[test]
fn rule_14_a_try_that_there_is_not_for_want_of_a_port_is_not_given_up() {
    let mut plan = story(1, seconds(6));
    plan.front_ends.push(FrontEndPlan::new("second"));
    let group = &mut plan.groups[0];
    group.front_ends = vec![0, 1];
    group.validate_accept = Dist::Constant(seconds(20));
    // The step that began at 1 s and the attempt as a whole take too long in one instant.
    (group.attempt_timeout, group.timeouts.answer) = (Some(seconds(4)), Some(seconds(3)));
    (group.tcp.ports, group.tcp.time_wait) = (Some(1), seconds(60));
    group.reconnect = Reconnect::plain(Dist::Constant(Span::ZERO), Dist::Constant(seconds(50)));
    let (_, seen) = seen(&plan);
    assert_eq!((at(&seen, What::GaveUp), at(&seen, What::NoPort)), (vec![4_000], vec![4_000]));
}

#[test]
fn rule_14_who_was_let_go_on_and_has_left_sends_its_next_syn_like_any_other() {
    let mut plan = story(2, seconds(5));
    plan.groups[0].rtt = Dist::Constant(Span::ZERO);
    plan.groups[0].reconnect.limit.in_flight = Some(1);
    // The second is let go on as the first leaves, and leaves and comes again in that instant. What it waited for is no
    // deadline of the new try: its SYN arrives after the front end has started.
    plan.timeline = vec![at_second(0, Change::Leave, &[0, 1]), at_second(0, Change::Join, &[1])];
    let (_, seen) = seen(&plan);
    assert!(whom(&seen, What::Refused).is_empty(), "{seen:?}");
    assert_eq!((whom(&seen, What::Valid), at(&seen, What::Valid)), (vec![1], vec![100]));
}

#[test]
fn rule_10_who_waits_for_others_after_a_planned_end_has_no_port_meanwhile() {
    let mut plan = story(3, seconds(11));
    plan.start = Start::Established;
    (plan.groups[0].tcp.ports, plan.groups[0].tcp.addresses) = (Some(1), Some(1));
    plan.groups[0].reconnect.limit.in_flight = Some(1);
    let act = Act::Reconnect(Initiator::FrontEnd);
    plan.refresh = Some(Refresh { act, ..refresh_in_place(seconds(10)) });
    let (_, seen) = seen(&plan);
    // All hear of it at 10.5 s: the first while the others have their ports still, who then wait for it to fail.
    assert_eq!((whom(&seen, What::NoPort), at(&seen, What::NoPort)), (vec![0], vec![10_500]));
    assert_eq!((whom(&seen, What::Attempt), at(&seen, What::Attempt)), (vec![1], vec![10_500]));
}

#[test]
fn rule_11_who_is_connected_since_a_cut_began_does_not_probe_though_the_path_is_cut_once_more() {
    let mut plan = story(1, seconds(30));
    plan.start = Start::Established;
    plan.front_ends[0].start_up = Dist::Constant(seconds(1));
    plan.groups[0].tcp.keep_alive = Some(KeepAlive { interval: seconds(1), count: 2 });
    plan.timeline = vec![path_is(Change::CutOff, Time(millis(500).0)), path_is(Change::CutOff, Time(seconds(5).0))];
    assert!(whom(&seen(&plan).1, What::Lost).is_empty());
    plan.timeline.remove(0);
    assert_eq!(whom(&seen(&plan).1, What::Lost), [0], "of those who were connected as the cut began");
}

#[test]
fn rule_12_the_answer_to_a_syn_is_there_a_whole_round_trip_after_it_also_of_odd_length() {
    let silent = |from: u64, until: u64| {
        let mut plan = story(1, seconds(1));
        plan.groups[0].rtt = Dist::Constant(Span(3));
        plan.timeline = vec![path_is(Change::CutOff, Time(from)), path_is(Change::Heal, Time(until))];
        whom(&seen(&plan).1, What::Silence).len()
    };
    assert_eq!((silent(2, 3), silent(3, 4)), (0, 1), "it comes at 3 ns, and a cut ends before its last instant");
}
