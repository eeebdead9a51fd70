//! TCP and the path (model rules 9 to 11): what comes out is worked out by hand, beside each claim.

use proptest::prelude::*;
use refresh_sim::dist::Dist;
use refresh_sim::measure::{Cause, Decision, Metric, Record, RecordKind, What};
use refresh_sim::policy::tcp::{KeepAlive, Loss, Stack, SynSchedule};
use refresh_sim::policy::{Act, Action, Anchor, Initiator, Reconnect, Recovery, Refresh};
use refresh_sim::scenario::plan::{Change, GroupPlan, Overflow, Plan, TimelineEntry};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::sim::run_with;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Answer, Builtin, FaultCode, Question, Transport, Validator, ValidatorMaker, Verdict};

use super::watching::{All, seen};

const SECOND: u64 = Span::SECOND.0;
const MILLI: u64 = Span::MILLISECOND.0;

fn millis(n: u64) -> Dist {
    Dist::Constant(Span(n * MILLI))
}

/// Instants of decisions of a kind with this detail about one peer.
fn at(seen: &[Decision], who: u32, what: What, detail: u8) -> Vec<u64> {
    seen.iter().filter(|d| (d.who, d.what, d.detail) == (who, what, detail)).map(|d| d.at.0).collect()
}

fn valid(seen: &[Decision], who: u32) -> Vec<u64> {
    seen.iter().filter(|d| (d.who, d.what) == (who, What::Valid)).map(|d| d.at.0).collect()
}

/// TCP peers over a round trip of `rtt` ms, validated in 100 ms, who wait for as long as their TCP does.
fn peers(name: &str, count: u32, rtt: u64) -> GroupPlan {
    GroupPlan {
        rtt: millis(rtt),
        validate_accept: millis(100),
        validate_refresh: millis(100),
        attempt_timeout: None,
        ..GroupPlan::new(name, Transport::Tcp, count)
    }
}

/// A front end that serves from run time 0.
fn story(group: GroupPlan, seconds: u64) -> Plan {
    let mut plan = Plan::new(Span(seconds * SECOND), Builtin::Sfb2015Cu2).with_group(group);
    plan.front_ends[0].start_up = Dist::Constant(Span::ZERO);
    plan
}

/// One worker that takes `accept` ms for each connection, behind a socket with this backlog.
fn slow_acceptor(plan: &mut Plan, accept: u64, backlog: u32) {
    let front_end = &mut plan.front_ends[0];
    (front_end.workers, front_end.cores, front_end.accept) = (1, 1, Some(millis(accept)));
    front_end.listen.backlog = backlog;
}

fn entry(seconds: u64, change: Change, group: u16) -> TimelineEntry {
    TimelineEntry { at: Time(seconds * SECOND), change, group, indices: None, front_end: None }
}

// ---- rule 9

#[test]
fn rule_09_a_backlog_of_four_admits_five_and_the_next_is_connected_by_its_fourth_syn() {
    // Six at once, over no distance: one is accepted from 0 s to 2.2 s, five wait: backlog + 1.
    let mut plan = story(peers("first", 6, 0), 30).with_group(peers("late", 1, 70));
    slow_acceptor(&mut plan, 2_200, 4);
    let (outcome, seen) = seen(&plan);
    assert_eq!(outcome.front_ends[0].accept_queue_max, 5);
    // The seventh sends at 0, 1, 2 and 3 s; a place is free from 2.2 s on. Its SYNs need 35 ms.
    assert_eq!(at(&seen, 6, What::Silence, 1), [35 * MILLI, 1_035 * MILLI, 2_035 * MILLI]);
    // So it is connected at 3.07 s, and its ACK is there at 3.105 s, behind the accepts of 2 to 5 and the validation of 0.
    // Its accept begins when those are through: 2.2 + 5 * 2.2 + 0.1 = 13.3 s.
    let late = outcome.cells.of_group[1];
    let waited = outcome.meters.histogram(Metric::Queue, late, Cause::Initial).expect("it waited");
    assert!(waited.iter_recorded().any(|b| waited.equivalent(b.value_iterated_to(), (13_300 - 3_105) * MILLI)));
    // From 15.5 s five validations (1 to 5) come before its own.
    assert_eq!(valid(&seen, 6), [16_100 * MILLI]);
}

#[test]
fn rule_09_a_final_ack_without_room_is_ignored_until_a_repeated_syn_ack_brings_it_again() {
    // All SYNs come at 0.1 s, all ACKs at 0.3 s: one is accepted (1.5 s each), two wait, three are ignored.
    let mut plan = story(peers("p", 6, 200), 30);
    slow_acceptor(&mut plan, 1_500, 1);
    let (outcome, seen) = seen(&plan);
    let ignored = |who: u32| -> Vec<u64> {
        seen.iter().filter(|d| d.what == What::AckIgnored && d.who == who).map(|d| d.at.0 / MILLI).collect()
    };
    // SYN-ACKs are repeated at 1.1, 3.1 and 7.1 s. The second accept ends at 3.3 s, just before the ACKs come again: the
    // third begins, and two places are free.
    assert_eq!([0, 1, 2].map(ignored), [const { Vec::<u64>::new() }; 3]);
    assert_eq!([3, 4, 5].map(ignored), [vec![300, 1_300], vec![300, 1_300], vec![300, 1_300, 3_300]]);
    assert_eq!((outcome.groups[0].ignored, outcome.groups[0].unanswered), (7, 0));
    // 0 and 1 are validated at 4.8 and 4.9 s, behind the third accept; 3 and 4 are accepted until 6.5 and 8.0 s. The queue
    // then holds the validations of 2 (since 4.8 s) and 3 (since 6.5 s), and between and behind them the accept of 5, whose
    // ACK came at 7.3 s.
    assert_eq!([0, 1, 2, 3].map(|who| valid(&seen, who)), [4_900, 5_000, 8_100, 8_200].map(|at| vec![at * MILLI]));
    assert_eq!([5, 4].map(|who| valid(&seen, who)), [9_900, 9_800].map(|at| vec![at * MILLI]));
}

#[test]
fn rule_09_a_connection_whose_ack_finds_no_room_to_the_last_repeat_is_gone_in_silence() {
    let mut plan = story(peers("p", 3, 200), 200);
    slow_acceptor(&mut plan, 1_000_000, 0);
    let (_, seen) = seen(&plan);
    let ignored: Vec<u64> = seen.iter().filter(|d| d.what == What::AckIgnored).map(|d| d.at.0 / MILLI).collect();
    assert_eq!(ignored, [300, 1_300, 3_300, 7_300, 15_300, 31_300]);
    assert_eq!(at(&seen, 2, What::Silence, 5), [31_300 * MILLI]);
}

#[test]
fn rule_09_a_reset_for_the_ack_or_for_the_syn_fails_the_attempt_at_once() {
    for (overflow, late) in [(Overflow::Abort, vec![]), (Overflow::Reset, vec![5_100 * MILLI])] {
        let mut plan = story(peers("p", 3, 200), 6).with_group(peers("late", 1, 200));
        plan.groups[1].present = false;
        plan.timeline = vec![entry(5, Change::Join, 1)];
        slow_acceptor(&mut plan, 1_000_000, 0);
        plan.front_ends[0].listen.overflow = overflow;
        let (_, seen) = seen(&plan);
        // One is in service and one waits. The third has its reset at 0.4 s, waits 5 s and tries again: too late here.
        assert_eq!(at(&seen, 2, What::Refused, 2), [300 * MILLI], "{overflow:?}");
        assert_eq!(at(&seen, 3, What::Refused, 1), late, "{overflow:?}");
    }
}

#[test]
fn rule_09_the_syn_queue_has_its_own_bound() {
    let mut plan = story(peers("p", 4, 1_000), 10);
    plan.front_ends[0].listen.syn_backlog = Some(2);
    let (_, seen) = seen(&plan);
    // SYNs at 0.5 s; the second ones of those dropped come at 1.5 s, behind the ACKs of the first two.
    assert_eq!([0, 1, 2, 3].map(|who| at(&seen, who, What::Silence, 2).len()), [0, 0, 1, 1]);
    assert_eq!([0, 2].map(|who| valid(&seen, who)), [vec![1_600 * MILLI], vec![2_600 * MILLI]]);
}

#[test]
fn rule_09_who_gives_up_leaves_the_syn_queue_when_that_is_known_there() {
    let mut plan = story(peers("quits", 1, 1_000), 10).with_group(peers("next", 1, 0));
    plan.front_ends[0].listen.syn_backlog = Some(1);
    // Gives up at 0.6 s, between its SYN (0.5 s) and its ACK; the front end knows at 1.1 s.
    plan.groups[0].attempt_timeout = Some(Span(600 * MILLI));
    plan.groups[1].tcp.stack = Stack::Custom;
    plan.groups[1].tcp.syn =
        SynSchedule::custom(vec![Span(550 * MILLI), Span(1_050 * MILLI), Span(1_100 * MILLI)], Span(9 * SECOND))
            .expect("it rises");
    plan.groups[1].present = false;
    plan.timeline = vec![TimelineEntry { at: Time(1), ..entry(0, Change::Join, 1) }];
    plan.groups[1].rtt = Dist::Constant(Span::ZERO);
    let (_, seen) = seen(&plan);
    // At once it finds an empty queue; make it wait until the other's SYN is there.
    assert_eq!(valid(&seen, 1), [1 + 100 * MILLI]);
    plan.timeline[0].at = Time(500 * MILLI + 1);
    let (_, seen) = self::seen(&plan);
    assert_eq!(at(&seen, 1, What::Silence, 2), [500 * MILLI + 1, 1_050 * MILLI + 1]);
    assert_eq!(valid(&seen, 1), [1_650 * MILLI + 1], "by the SYN of 1.55 s");
}

/// Faults at each refresh of the first peer.
struct Faults;

impl ValidatorMaker for Faults {
    fn make(&self, _: usize, _: u32) -> Box<dyn Validator> {
        Box::new(Faults)
    }
}

impl Validator for Faults {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        let faults = question.phase == refresh_sim::validate::Phase::Refresh;
        if faults { Answer::Fault(FaultCode::ACCESS_VIOLATION).into() } else { Answer::Accept.into() }
    }
}

#[test]
fn rules_06_and_09_while_a_dump_is_written_the_kernel_fills_the_accept_queue_and_then_resets_all() {
    let mut plan = story(peers("dies", 1, 0), 40).with_group(peers("p", 4, 1_000)).with_group(peers("late", 1, 1_000));
    for group in &mut plan.groups[1..] {
        group.present = false;
    }
    plan.refresh = Some(refresh_in_place(Span(10 * SECOND)));
    plan.recovery = Recovery { actions: vec![], reset_period: None, dump: Span(20 * SECOND) };
    plan.front_ends[0].listen.backlog = 1;
    plan.timeline = vec![entry(12, Change::Join, 1), entry(25, Change::Join, 2)];
    let mut all = All::default();
    run_with(&plan, &Faults, &mut all).expect("it runs");
    let seen = all.0;
    // Four SYNs at 12.5 s, four ACKs at 13.5 s: two get in and find nobody there, two are ignored again and again.
    assert_eq!([1, 2].map(|who| at(&seen, who, What::Silence, 0)), [vec![13_500 * MILLI], vec![13_500 * MILLI]]);
    let ignored: Vec<u64> =
        seen.iter().filter(|d| d.what == What::AckIgnored && d.who == 4).map(|d| d.at.0 / MILLI).collect();
    assert_eq!(ignored, [13_500, 14_500, 16_500, 20_500, 28_500]);
    // A SYN at 25.5 s finds the queue full.
    assert_eq!(at(&seen, 5, What::Silence, 1)[0], 25_500 * MILLI);
    // The dump ends at 30 s; all four hear of it at 30.5 s, wait 5 s and try again.
    let again: Vec<u64> =
        seen.iter().filter(|d| d.what == What::Attempt && d.at.0 > 30 * SECOND).map(|d| d.at.0).collect();
    assert_eq!(again.iter().filter(|at| **at == 35_500 * MILLI).count(), 4);
    // The last one's next SYN comes at 30.5 s and meets a host without the process.
    assert_eq!(at(&seen, 5, What::Refused, 0)[0], 30_500 * MILLI);
}

/// A plan in which each connection is made anew every 3 s, by steps if the SYN queue has a bound.
fn renewed(syn_backlog: Option<u32>, initiator: Initiator, transport: Transport) -> Plan {
    let rtt = Dist::uniform(Span(2), Span(SECOND)).expect("the parameters are in range");
    let tls = GroupPlan { rtt, ..GroupPlan::new("p", transport, 200) };
    let mut plan = story(tls, 60);
    plan.refresh = Some(Refresh {
        anchor: Anchor::OwnAge,
        act: Act::Reconnect(initiator),
        spread: Span(SECOND),
        ..refresh_in_place(Span(3 * SECOND))
    });
    plan.front_ends[0].listen.syn_backlog = syn_backlog;
    plan
}

#[test]
fn rules_09_and_12_a_syn_that_is_looked_at_and_finds_room_gives_the_times_of_one_that_is_not() {
    for initiator in [Initiator::FrontEnd, Initiator::Peer] {
        for transport in [Transport::Tcp, Transport::Tls] {
            let [plain, by_steps] = [None, Some(1_000)].map(|bound| {
                let outcome = seen(&renewed(bound, initiator, transport)).0;
                (outcome.digest, outcome.steps, outcome.decisions)
            });
            assert_eq!((plain.0, plain.2), (by_steps.0, by_steps.2), "{initiator:?} {transport:?}");
            assert!(plain.1 < by_steps.1 && plain.2 > 1_000, "the plain one does without a step for each SYN");
        }
    }
}

// ---- rule 10

#[test]
fn rule_10_a_syn_without_an_answer_goes_out_again_to_the_nanosecond_until_the_stack_gives_up() {
    let own = SynSchedule::custom(vec![Span(7), Span(1_234_567_891)], Span(2_000_000_003)).expect("it rises");
    for (stack, syn) in [
        (Stack::Linux, Stack::Linux.schedule()),
        (Stack::LinuxClassic, Stack::LinuxClassic.schedule()),
        (Stack::Windows2008R2, Stack::Windows2008R2.schedule()),
        (Stack::Custom, own),
    ] {
        let mut plan = story(peers("p", 1, 0), 900);
        let half = 1_000_000_007;
        plan.groups[0].rtt = Dist::Constant(Span(2 * half + 1));
        (plan.groups[0].tcp.stack, plan.groups[0].tcp.syn) = (stack, syn.clone());
        plan.groups[0].reconnect.delay = Dist::Constant(Span(1_000 * SECOND));
        plan.timeline = vec![entry(0, Change::CutOff, 0)];
        let (outcome, seen) = seen(&plan);
        let arrivals: Vec<u64> = syn.sends().map(|after| after.0 + half).filter(|at| *at < syn.give_up().0).collect();
        assert_eq!(at(&seen, 0, What::Silence, 3), arrivals, "{stack:?}");
        assert_eq!(at(&seen, 0, What::GaveUp, 5), [syn.give_up().0], "{stack:?}");
        assert_eq!(outcome.groups[0].unanswered, arrivals.len() as u64);
    }
}

#[test]
fn rule_10_the_time_out_of_an_attempt_covers_its_repeats() {
    let mut plan = story(peers("p", 1, 0), 60);
    plan.groups[0].attempt_timeout = Some(Span(4 * SECOND));
    plan.timeline = vec![entry(0, Change::CutOff, 0)];
    let (_, seen) = seen(&plan);
    // SYNs at 0, 1, 2, 3 s; that of 4 s does not go out. 5 s later the next attempt begins.
    assert_eq!(at(&seen, 0, What::Silence, 3)[..5], [0, 1, 2, 3, 9].map(|s| s * SECOND));
    assert_eq!(at(&seen, 0, What::GaveUp, 0)[0], 4 * SECOND);
}

#[test]
fn rules_07_and_10_a_host_that_reboots_is_silent_and_the_next_syn_finds_it_back() {
    let mut plan = story(peers("p", 1, 0), 60);
    plan.refresh = Some(refresh_in_place(Span(10 * SECOND)));
    let away = Span(4_500 * MILLI);
    plan.recovery = Recovery {
        actions: vec![Action::Reboot { delay: Span::ZERO, away }, Action::None],
        reset_period: None,
        dump: Span::ZERO,
    };
    plan.groups[0].reconnect.first = Dist::Constant(Span(SECOND));
    let mut all = All::default();
    run_with(&plan, &Faults, &mut all).expect("it runs");
    // Down at 10 s, away until 14.5 s. The attempt begins at 11 s.
    assert_eq!(at(&all.0, 0, What::Silence, 0), [11, 12, 13, 14].map(|s| s * SECOND));
    assert_eq!(valid(&all.0, 0)[1], 15_100 * MILLI);
}

#[test]
fn rule_10_ports_and_time_wait_bound_the_rate_of_an_address() {
    let (ports, time_wait, seconds) = (5, 10, 1_000);
    let mut group = peers("p", 100, 0);
    group.validate_accept = Dist::Constant(Span::MICROSECOND);
    group.reconnect = Reconnect::plain(Dist::Constant(Span::ZERO), millis(10));
    (group.tcp.ports, group.tcp.time_wait, group.tcp.addresses) = (Some(ports), Span(time_wait * SECOND), Some(1));
    let mut plan = story(group, seconds);
    plan.refresh = Some(Refresh {
        anchor: Anchor::OwnAge,
        act: Act::Reconnect(Initiator::Peer),
        ..refresh_in_place(Span(10 * MILLI))
    });
    let (outcome, seen) = seen(&plan);
    let connections = seen.iter().filter(|d| d.what == What::Valid).count() as f64;
    let most = f64::from(ports) / time_wait as f64 * seconds as f64;
    // Each port is used for 10 ms, rests 10 s, and is found free within 10 ms: at least 10/10.02 of the bound.
    assert!(connections <= most + f64::from(ports) && connections >= most * 10.0 / 10.02, "{connections} of {most}");
    assert!(outcome.groups[0].no_port > 1_000);
}

#[test]
fn rule_10_without_a_free_port_an_attempt_fails_at_once_and_a_reset_frees_the_port() {
    let mut plan = story(peers("p", 2, 1_000), 20);
    (plan.groups[0].tcp.ports, plan.groups[0].tcp.addresses) = (Some(1), Some(1));
    plan.front_ends[0].start_up = Dist::Constant(Span(2 * SECOND));
    let (_, seen) = seen(&plan);
    // The first is refused at 1 s and tries again at 6 s; the second has no port at 0 s and takes the free one at 5 s.
    assert_eq!(at(&seen, 1, What::NoPort, 0), [0]);
    assert_eq!(at(&seen, 0, What::NoPort, 0), [6, 11, 16].map(|s| s * SECOND));
    assert_eq!(valid(&seen, 1), [6_600 * MILLI]);
}

// ---- rule 11

#[test]
fn rule_11_an_exchange_takes_the_round_trip_and_what_was_drawn_for_it() {
    let mut plan = story(peers("p", 300, 1_000), 20);
    plan.groups[0].path.variation = Some(Dist::uniform(Span(1), Span(SECOND)).expect("the parameters are in range"));
    plan.front_ends[0].workers = 300;
    plan.front_ends[0].cores = 300;
    let (_, seen) = seen(&plan);
    let took: Vec<f64> = (0..300).map(|who| valid(&seen, who)[0] as f64 / SECOND as f64 - 1.6).collect();
    // Half of one draw and all of another, evenly up to a second each: mean 0.75 s, variance (1/4 + 1)/12.
    let mean = took.iter().sum::<f64>() / 300.0;
    let error = (1.25f64 / 12.0 / 300.0).sqrt();
    assert!((mean - 0.75).abs() < 4.0 * error, "{mean}");
    assert!(took.iter().all(|t| *t > 0.0 && *t <= 1.5 + 1e-9), "{took:?}");
}

#[test]
fn rule_11_a_lost_syn_or_syn_ack_waits_for_the_next_syn_and_a_lost_flight_for_its_retransmission() {
    let mut plan = story(peers("p", 4_000, 100), 100);
    plan.groups[0].path.loss = Loss::of_ppm(100_000).expect("below a million");
    plan.groups[0].validate_accept = Dist::Constant(Span(1));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (4_000, 4_000);
    let (outcome, seen) = seen(&plan);
    // Two messages with a loss of 10 % each: 19 % of all exchanges fail, so there are 0.19 / 0.81 failures a peer.
    let expected = 4_000.0 * 0.19 / 0.81;
    let error = (4_000.0f64 * 0.19).sqrt() / 0.81;
    let unanswered = outcome.groups[0].unanswered as f64;
    assert!((unanswered - expected).abs() < 4.0 * error, "{unanswered}, expected {expected}");
    let mut repeats = [0u32; 4];
    for who in 0..4_000 {
        let lost = at(&seen, who, What::Silence, 4);
        assert_eq!(lost, (0..lost.len() as u64).map(|nth| nth * SECOND + 50 * MILLI).collect::<Vec<_>>()[..]);
        let Some(valid) = valid(&seen, who).first().copied() else { continue };
        // From the SYN that got through: 1.5 round trips, and 0.3 s for each loss of the first message.
        let rest = valid - 1 - lost.len() as u64 * SECOND - 150 * MILLI;
        assert_eq!(rest % (300 * MILLI), 0);
        repeats[((rest / (300 * MILLI)) as usize).min(3)] += 1;
    }
    let share = f64::from(repeats[1..].iter().sum::<u32>()) / f64::from(repeats.iter().sum::<u32>());
    assert!((share - 0.1).abs() < 4.0 * (0.09f64 / 4_000.0).sqrt(), "{repeats:?}");
}

#[test]
fn rule_11_an_established_peer_notices_a_cut_by_its_keep_alive_alone() {
    let plan = |keep_alive, heal| {
        let mut plan = story(peers("p", 20, 0), 100);
        plan.groups[0].tcp.keep_alive = keep_alive;
        plan.timeline = vec![entry(20, Change::CutOff, 0)];
        plan.timeline.extend(heal);
        plan
    };
    let three = Some(KeepAlive { interval: Span(5 * SECOND), count: 3 });
    let lost = |plan: &Plan| -> Vec<u64> {
        let seen = seen(plan).1;
        (0..20).flat_map(|who| at(&seen, who, What::Lost, 4)).collect()
    };
    let noticed = lost(&plan(three, None));
    // The first probe goes out within 5 s of the cut, each at its own; 15 s later it is over.
    assert_eq!(noticed.len(), 20);
    assert!(noticed.iter().all(|at| *at > 35 * SECOND && *at <= 40 * SECOND), "{noticed:?}");
    assert!(noticed.iter().any(|at| *at < 37 * SECOND) && noticed.iter().any(|at| *at > 38 * SECOND), "{noticed:?}");
    assert_eq!(lost(&plan(None, None)), [] as [u64; 0]);
    assert_eq!(lost(&plan(three, Some(entry(35, Change::Heal, 0)))), [] as [u64; 0]);
    let (outcome, _) = seen(&plan(three, Some(entry(50, Change::Heal, 0))));
    assert_eq!(outcome.front_ends[0].valid, 20, "all are back");
}

#[test]
fn rule_11_what_a_cut_holds_up_comes_after_it() {
    let mut plan = story(peers("p", 1, 1_000), 60);
    plan.timeline = vec![entry(1, Change::CutOff, 0), entry(10, Change::Heal, 0)];
    let (_, seen) = seen(&plan);
    // The SYN passed at 0.5 s, but its answer would come at 1 s: it is repeated, and passes with the SYN of 11 s: the one
    // of 7 s falls into the cut.
    assert_eq!(at(&seen, 0, What::Silence, 3), [500, 1_500, 2_500, 3_500, 4_500, 5_500, 7_500].map(|at| at * MILLI));
    assert_eq!(valid(&seen, 0), [12_600 * MILLI]);
    // With the answer at 1 s before the cut of 1.2 s, the first message is late, and comes 0.2 s after the cut.
    plan.timeline[0].at = Time(1_200 * MILLI);
    let (_, seen) = self::seen(&plan);
    assert_eq!(valid(&seen, 0), [10_300 * MILLI]);
}

#[test]
fn rule_11_a_reset_behind_a_cut_is_heard_when_it_heals() {
    let mut plan = story(peers("p", 1, 0), 60);
    plan.refresh = Some(refresh_in_place(Span(10 * SECOND)));
    plan.timeline = vec![entry(5, Change::CutOff, 0), entry(30, Change::Heal, 0)];
    let attempts = |plan: &Plan| {
        let mut all = All::default();
        run_with(plan, &Faults, &mut all).expect("it runs");
        at(&all.0, 0, What::Attempt, Cause::Recovery as u8)
    };
    assert_eq!(attempts(&plan)[0], 30_200 * MILLI);
    plan.groups[0].tcp.keep_alive = Some(KeepAlive { interval: Span(SECOND), count: 10 });
    let noticed = attempts(&plan)[0];
    assert!(noticed > 15 * SECOND && noticed <= 16 * SECOND, "{noticed}");
}

#[test]
fn rule_11_a_cut_to_one_front_end_leaves_the_other() {
    let mut plan = story(peers("p", 1, 0), 200);
    let second = plan.front_ends[0].clone();
    plan.front_ends.push(refresh_sim::scenario::plan::FrontEndPlan { name: "fe02".to_owned(), ..second });
    plan.groups[0].front_ends = vec![0, 1];
    plan.timeline = vec![TimelineEntry { front_end: Some(0), ..entry(0, Change::CutOff, 0) }];
    let (outcome, seen) = seen(&plan);
    assert_eq!(at(&seen, 0, What::GaveUp, 5), [131 * SECOND]);
    assert_eq!((valid(&seen, 0), outcome.front_ends[1].valid), (vec![131_100 * MILLI], 1));
    let told = |r: &&Record| r.kind == RecordKind::Path { group: 0, cut: true } && r.front_end == Some(0);
    assert_eq!(outcome.records.iter().filter(told).count(), 1);
}

/// An instant in ms.
fn entry_ms(at: u64, change: Change) -> TimelineEntry {
    TimelineEntry { at: Time(at * MILLI), ..entry(0, change, 0) }
}

#[test]
fn rule_11_what_would_come_again_in_the_next_cut_comes_after_that() {
    let mut plan = story(peers("p", 1, 1_000), 60);
    let changes = [(1_200, Change::CutOff), (10_000, Change::Heal), (10_100, Change::CutOff), (20_000, Change::Heal)];
    plan.timeline = changes.map(|(at, change)| entry_ms(at, change)).to_vec();
    // The first message would arrive at 1.5 s, then at 10.2 s, and does at 20.2 s.
    assert_eq!(valid(&seen(&plan).1, 0), [20_300 * MILLI]);
}

#[test]
fn rule_11_a_flight_of_the_front_end_that_falls_into_a_cut_is_late_too() {
    let mut group = GroupPlan { transport: Transport::Tls, flights: vec![millis(100)], ..peers("p", 1, 1_000) };
    group.certificate = Some(refresh_sim::validate::CertificateState::Valid);
    let mut plan = story(group, 60);
    plan.timeline = vec![entry_ms(2_000, Change::CutOff), entry_ms(2_200, Change::Heal)];
    // The flight goes out at 1.6 s and would be there at 2.1 s: it is at 2.4 s, and the answer to it at 2.9 s.
    assert_eq!(valid(&seen(&plan).1, 0), [3_000 * MILLI]);
}

#[test]
fn rule_11_who_has_not_heard_that_it_is_connected_does_not_probe() {
    let mut plan = story(peers("p", 1, 2_000), 60);
    plan.groups[0].tcp.keep_alive = Some(KeepAlive { interval: Span(SECOND), count: 1 });
    let lost = |plan: &Plan| at(&seen(plan).1, 0, What::Lost, 4).len();
    // Valid at 3.1 s, which the peer would hear at 4.1 s.
    plan.timeline = vec![entry_ms(4_000, Change::CutOff)];
    assert_eq!(lost(&plan), 0);
    plan.timeline = vec![entry_ms(4_200, Change::CutOff)];
    assert_eq!(lost(&plan), 1);
}

#[test]
fn rule_11_a_keep_alive_that_would_fail_only_after_the_path_has_healed_does_not() {
    let mut plan = story(peers("p", 1, 0), 60);
    plan.refresh = Some(refresh_in_place(Span(10 * SECOND)));
    plan.timeline = vec![entry(5, Change::CutOff, 0), entry(30, Change::Heal, 0)];
    // It would fail between 30.05 and 30.06 s.
    plan.groups[0].tcp.keep_alive = Some(KeepAlive { interval: Span(10 * MILLI), count: 2_505 });
    let mut all = All::default();
    run_with(&plan, &Faults, &mut all).expect("it runs");
    assert_eq!(at(&all.0, 0, What::Attempt, Cause::Recovery as u8)[0], 30_200 * MILLI);
}

#[test]
fn rule_10_a_stack_gives_up_before_anything_of_that_instant_arrives_and_a_reset_may_come_too_late() {
    let give_up = |ms: u64| SynSchedule::custom(vec![], Span(ms * MILLI)).expect("it rises");
    let mut plan = story(peers("p", 1, 2_000), 10).with_group(peers("q", 1, 4_000));
    plan.front_ends[0].start_up = Dist::Constant(Span(5 * SECOND));
    plan.groups[1].tcp.syn = give_up(1_000);
    let (_, seen) = seen(&plan);
    let order: Vec<(What, u32)> = seen.iter().filter(|d| d.at.0 == SECOND).map(|d| (d.what, d.who)).collect();
    assert_eq!(order, [(What::GaveUp, 1), (What::Refused, 0)]);
    // Refused at 1 s, which it would hear at 2 s.
    plan.groups[0].tcp.syn = give_up(1_999);
    let (_, seen) = self::seen(&plan);
    assert_eq!((at(&seen, 0, What::Refused, 0)[0], at(&seen, 0, What::GaveUp, 5)[0]), (SECOND, 1_999 * MILLI));
}

#[test]
fn rule_10_each_connection_from_the_beginning_has_a_port_even_where_there_are_fewer() {
    let mut plan = story(peers("p", 2, 0), 20);
    plan.start = refresh_sim::scenario::plan::Start::Established;
    (plan.groups[0].tcp.ports, plan.groups[0].tcp.addresses) = (Some(1), Some(1));
    plan.groups[0].tcp.time_wait = Span(MILLI);
    for (at, change) in [(5, Change::Leave), (6, Change::Join)] {
        plan.timeline.push(TimelineEntry { indices: Some(vec![0]), ..entry(at, change, 0) });
    }
    // The other one still holds the only port.
    assert_eq!(at(&seen(&plan).1, 0, What::NoPort, 0)[0], 6 * SECOND);
}

#[test]
fn rule_10_a_port_rests_only_if_its_peer_had_the_answer_to_whatever_syn_it_was() {
    for (timeout, rests) in [(1_150, false), (1_200, true)] {
        let mut plan = story(peers("p", 1, 200), 10);
        // The SYN of 0 s meets a cut; that of 1 s has its answer at 1.2 s.
        plan.timeline = vec![entry_ms(0, Change::CutOff), entry_ms(500, Change::Heal)];
        plan.groups[0].attempt_timeout = Some(Span(timeout * MILLI));
        plan.groups[0].tcp.ports = Some(1);
        let (_, seen) = seen(&plan);
        assert_eq!(at(&seen, 0, What::GaveUp, 0)[0], timeout * MILLI);
        assert_eq!(!at(&seen, 0, What::NoPort, 0).is_empty(), rests, "given up at {timeout} ms");
    }
}

#[test]
fn rules_10_and_14_a_planned_reconnect_that_needs_a_port_has_the_time_outs_of_its_steps() {
    let mut plan = story(peers("p", 1, 1_000), 20);
    plan.refresh = Some(Refresh { act: Act::Reconnect(Initiator::Peer), ..refresh_in_place(Span(10 * SECOND)) });
    plan.groups[0].tcp.ports = Some(5);
    plan.groups[0].timeouts.connect = Some(Span(1_200 * MILLI));
    plan.timeline = vec![entry_ms(9_900, Change::CutOff)];
    assert_eq!(at(&seen(&plan).1, 0, What::GaveUp, 2)[0], 11_200 * MILLI);
}

#[test]
fn rules_10_and_13_connect_runs_from_the_try_that_had_no_port_whatever_else_is_set() {
    for connect in [None, Some(Span(60 * SECOND))] {
        let mut plan = story(peers("p", 2, 1_000), 8);
        (plan.groups[0].tcp.ports, plan.groups[0].tcp.addresses) = (Some(1), Some(1));
        plan.groups[0].timeouts.connect = connect;
        plan.front_ends[0].start_up = Dist::Constant(Span(2 * SECOND));
        let (outcome, _) = seen(&plan);
        // No port at 0 s, a SYN at 5 s, valid at 6.6 s, which the peer hears at 7.1 s.
        let longest = outcome.meters.histogram(Metric::Connect, 0, Cause::Initial).expect("a sample").max();
        assert!(longest.abs_diff(7_100 * MILLI) < 10 * MILLI, "{longest}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, rng_seed: proptest::test_runner::RngSeed::Fixed(42), failure_persistence: None, ..ProptestConfig::default() })]

    /// A burst of any size over a socket of any backlog: whoever is accepted first is in service, so many wait, and no more.
    #[test]
    fn rule_09_no_more_wait_than_the_accept_queue_holds(burst in 1u32..200, backlog in 0u32..50, somaxconn in 0u32..50) {
        let mut plan = story(peers("p", burst, 10), 1);
        slow_acceptor(&mut plan, 100_000, backlog);
        plan.front_ends[0].listen.somaxconn = somaxconn;
        let outcome = seen(&plan).0;
        let holds = backlog.min(somaxconn) + 1;
        prop_assert_eq!(outcome.front_ends[0].accept_queue_max, u64::from((burst - 1).clamp(1, holds)));
        let ignored_at_first = u64::from(burst.saturating_sub(1 + holds));
        // Those that come back within the second have tried twice or, at 1 s and 15 ms, not yet again.
        prop_assert_eq!(outcome.groups[0].ignored, ignored_at_first);
    }
}
