//! What `explain` says of a peer, in stories whose every instant is known.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use refresh_sim::dist::Dist;
use refresh_sim::measure::What;
use refresh_sim::policy::Ratio;
use refresh_sim::policy::lookup::{Lookup, Waiting};
use refresh_sim::policy::{Action, Recovery};
use refresh_sim::scenario::plan::{Change, FrontEndPlan, GroupPlan, Operate, Operation, Plan, Start};
use refresh_sim::sim::{Unwatched, run_with};
use refresh_sim::study::explain::{Explaining, Explanation, Shown, State, Wait, told as in_words};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Answer, Phase, Rejection, Transport, ValidatorMaker};

use super::{By, accepts, at_second, every, faults, seconds, story};
use crate::random_plans::plan as random_plan;
use crate::watching::All;

const ACCEPTS: By = By(|_| accepts());

fn millis(ms: u64) -> Time {
    Time(ms * Span::MILLISECOND.0)
}

fn explained(plan: &Plan, maker: &dyn ValidatorMaker, who: u32, at_ms: u64) -> Explanation {
    let mut nobody = Unwatched;
    let mut explaining = Explaining::new(plan, who, millis(at_ms), &mut nobody);
    run_with(plan, maker, &mut explaining).expect("it runs");
    explaining.finish(Time::ZERO + plan.horizon)
}

/// The kinds of the chain's links in order, with their milliseconds.
fn chain(told: &Explanation) -> Vec<(u64, &'static str)> {
    told.chain.links().map(|link| (link.at.0 / Span::MILLISECOND.0, link.shown.name())).collect()
}

fn waits(told: &Explanation) -> Vec<Wait> {
    let wait = |shown: &Shown| if let Shown::Wait(wait) = shown { Some(wait.clone()) } else { None };
    told.chain.links().filter_map(|link| wait(&link.shown)).collect()
}

#[track_caller]
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

/// One worker, everybody valid from the start, a refresh after 10 s that takes a second each.
fn herd(peers: u32) -> Plan {
    let mut plan = story(peers, seconds(19));
    plan.start = Start::Established;
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    plan.groups[0].validate_refresh = Dist::Constant(Span::SECOND);
    every(&mut plan, seconds(10));
    plan
}

#[test]
fn a_refresh_behind_a_herd_is_told_with_those_before_it() {
    let told = explained(&herd(8), &ACCEPTS, 6, 18_000);
    assert_eq!(told.state, State::Valid);
    assert_eq!(chain(&told), [(10_000, "tick"), (16_000, "wait"), (16_000, "asked"), (17_000, "closed")]);
    let wait = waits(&told).remove(0);
    assert_eq!((wait.before, wait.still_ahead, wait.is_refresh, wait.is_asked), (6, 0, true, true));
    assert_eq!(wait.nearest.iter().map(|(who, _)| *who).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let text = in_words::text(&herd(8), &told);
    has(&text, &["p/6 at 0d 00:00:18.000000: valid at", "waited 6s in the queue, behind 6 others that came before"]);
    has(&text, &["the last before it: p/5, p/4, p/3", "refresh ends valid in place"]);
}

#[test]
fn in_the_middle_of_its_wait_it_is_told_who_is_still_ahead_and_when_its_turn_comes() {
    let told = explained(&herd(8), &ACCEPTS, 6, 12_500);
    assert_eq!((told.state, told.since), (State::Due, millis(10_000)));
    let wait = told.waits.clone().expect("it waits");
    // Asked about at 10, 11 and 12 s; at 13, 14 and 15 s; then itself.
    assert_eq!((wait.before, wait.still_ahead, wait.until), (6, 3, Some(millis(16_000))));
    assert_eq!(told.next.map(|next| (next.what, next.at)), Some((What::Asked, millis(16_000))));
    assert_eq!(told.end.map(|end| (end.what, end.at)), Some((What::Closed, millis(17_000))));
    let text = in_words::text(&herd(8), &told);
    has(&text, &["its refresh is due and in the queue", "2.5s in the queue", "asked about since: 3 others"]);
    has(&text, &["3 more before its own turn, 3.5s later", "ends: refresh ends valid in place, in 4.5s"]);
}

#[test]
fn those_in_service_when_it_came_are_named() {
    // Own due by a spread: each comes by itself, the last while another is in service.
    let mut plan = herd(2);
    plan.refresh.as_mut().expect("a policy").spread = seconds(1);
    let told = [0, 1].map(|who| explained(&plan, &ACCEPTS, who, 18_000));
    let [first, second] = told.map(|told| waits(&told).remove(0));
    let (early, late, name) = if first.from < second.from { (first, second, 0) } else { (second, first, 1) };
    assert_eq!((early.before, early.serving.len()), (0, 0));
    assert_eq!((late.before, late.serving), (0, vec![name]), "it was asked about before the other came");
}

/// Peer 1 is fatal at its refresh; the service comes back 2 s after the crash.
fn crash() -> (Plan, By) {
    let mut plan = story(3, seconds(30));
    plan.start = Start::Established;
    plan.recovery = Recovery { actions: vec![Action::Restart(seconds(2))], reset_period: None, dump: Span::ZERO };
    plan.groups[0].validate_refresh = Dist::Constant(Span::SECOND);
    plan.groups[0].reconnect.delay = Dist::Constant(seconds(4));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    every(&mut plan, seconds(20));
    let maker =
        By(
            |question| {
                if question.phase == Phase::Refresh && question.name.to_string() == "p/1" {
                    faults()
                } else {
                    accepts()
                }
            },
        );
    (plan, maker)
}

#[test]
fn a_crash_is_told_from_the_tick_over_the_fatal_question_to_the_recovery() {
    let (plan, maker) = crash();
    let told = explained(&plan, &maker, 2, 29_000);
    assert_eq!(told.state, State::Valid);
    let expected = [
        (20_000, "tick"),
        (21_000, "wait"),
        (21_000, "asked"),
        (21_000, "crash"),
        (21_000, "lost"),
        (21_500, "attempt"),
        (22_000, "refused"),
        (23_000, "process start"),
        (23_000, "service start"),
        (26_500, "attempt"),
        (28_200, "wait"),
        (28_200, "asked"),
        (28_300, "valid"),
    ];
    assert_eq!(chain(&told), expected);
    assert_eq!(told.longest, Some((millis(21_000), Span::MILLISECOND.times(7_300), true)));
    let text = in_words::text(&plan, &told);
    has(&text, &["p/1 asked about at refresh: fault", "was not asked about", "connection lost: the front end crashed"]);
    has(&text, &["crashes, failure 1", "valid (recovery), refresh ends recovered"]);
}

#[test]
fn between_its_tries_it_is_told_why_the_last_failed_and_what_comes_next() {
    let (plan, maker) = crash();
    let told = explained(&plan, &maker, 2, 24_000);
    assert_eq!((told.state, told.since, told.connected), (State::BetweenTries, millis(22_000), false));
    assert_eq!(told.next.map(|next| (next.what, next.at)), Some((What::Attempt, millis(26_500))));
    assert_eq!(told.end.map(|end| (end.what, end.at)), Some((What::Valid, millis(28_300))));
    let text = in_words::text(&plan, &told);
    has(&text, &["without a connection, before its next try, since 0d 00:00:22.000000"]);
    has(&text, &["SYN refused: nobody listens", "crashes, failure 1", "next: sends a SYN (recovery), in 2.5s"]);
    // The fatal peer's own chain does not tell of its question twice.
    let own = explained(&plan, &maker, 1, 24_000);
    assert_eq!(chain(&own).iter().filter(|link| link.1 == "asked").count(), 1);
}

#[test]
fn a_rejection_is_told_with_its_reason_and_the_tries_that_follow() {
    let rejects = By(|_| Answer::Reject(Rejection::ALL[0]).into());
    let mut plan = story(1, seconds(12));
    plan.groups[0].reconnect.delay = Dist::Constant(seconds(5));
    let told = explained(&plan, &rejects, 0, 6_000);
    // Asked at 1.5 s, learnt at 2.1 s, tried again 5 s after that.
    assert_eq!((told.state, told.since), (State::BetweenTries, millis(1_500)));
    assert_eq!(told.next.map(|next| (next.what, next.at)), Some((What::Attempt, millis(7_100))));
    assert_eq!(told.longest.map(|longest| (longest.1, longest.2)), Some((seconds(12), false)));
    has(&in_words::text(&plan, &told), &["asked about at accept: reject, ", "next: sends a SYN (initial), in 1.1s"]);
}

#[test]
fn a_look_up_that_is_joined_names_whose_it_is() {
    let mut plan = herd(2);
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (2, 2);
    plan.groups[0].transport = Transport::Tls;
    let lookup = Lookup::new("crl", Dist::Constant(seconds(3)));
    plan.lookups.each =
        vec![Lookup { mode: Waiting::Blocking, single_flight: true, cpu_before: Ratio::ZERO, ..lookup }];
    plan.lookups.total = None;
    let told = [0, 1].map(|who| explained(&plan, &ACCEPTS, who, 11_000));
    assert_eq!(told.each_ref().map(|told| told.state), [State::LooksUp; 2]);
    let joined: Vec<_> = told
        .iter()
        .flat_map(|told| told.chain.links())
        .filter_map(|link| match &link.shown {
            Shown::Joins { own, fetch: Some(fetch) } => Some((own.who, fetch.who)),
            _ => None,
        })
        .collect();
    assert!(joined == [(1, 0)] || joined == [(0, 1)], "{joined:?}");
    let joins = &told[joined[0].0 as usize];
    let whose = format!("joins one under way, which that of p/{} began", joined[0].1);
    has(&in_words::text(&plan, joins), &["waits for a look-up", "look-up crl", &whose]);
}

#[test]
fn a_lost_peer_that_fails_over_is_told_from_one_front_end_to_the_other() {
    let mut plan = story(1, seconds(20));
    plan.front_ends.push(FrontEndPlan { start_up: Dist::Constant(Span::ZERO), ..FrontEndPlan::new("second") });
    plan.groups[0].front_ends = vec![0, 1];
    plan.operations = vec![Operation { at: millis(10_000), what: Operate::Crash, stages: vec![vec![0]] }];
    let told = explained(&plan, &ACCEPTS, 0, 19_000);
    assert_eq!((told.state, told.place), (State::Valid, Some(1)));
    let kinds: Vec<&str> = chain(&told).into_iter().map(|link| link.1).collect();
    let begins = ["crash", "lost", "attempt"];
    assert_eq!(kinds[..3], begins, "{kinds:?}");
    assert_eq!(kinds[kinds.len() - 1], "valid");
    has(&in_words::text(&plan, &told), &["ended from outside", "valid at second", "second"]);
}

#[test]
fn a_question_about_a_try_that_was_given_up_is_said_to_be_for_nothing() {
    let mut plan = story(2, seconds(12));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    plan.groups[0].validate_accept = Dist::Constant(seconds(6));
    plan.groups[0].attempt_timeout = Some(seconds(2));
    plan.groups[0].reconnect.delay = Dist::Constant(seconds(9));
    let told = explained(&plan, &ACCEPTS, 1, 8_000);
    assert_eq!(told.state, State::BetweenTries);
    assert!(told.chain.links().any(|link| matches!(link.shown, Shown::Stale(_))), "{:?}", chain(&told));
    has(&in_words::text(&plan, &told), &["for nothing: the peer had given this try up"]);
}

#[test]
fn tries_that_end_alike_are_folded_into_one_line() {
    let mut plan = story(1, seconds(1_000));
    plan.front_ends[0].start_up = Dist::Constant(seconds(999));
    plan.groups[0].reconnect.delay = Dist::Constant(Span::SECOND);
    let told = explained(&plan, &ACCEPTS, 0, 989_500);
    // A try takes a second, half there and half back, and so does the wait after it.
    let kinds: Vec<&str> = chain(&told).into_iter().map(|link| link.1).collect();
    assert_eq!(kinds[kinds.len() - 5..], ["attempt", "refused", "again", "attempt", "refused"], "{kinds:?}");
    let again = told.chain.links().find_map(|link| match link.shown {
        Shown::Again { tries, last } => Some((tries, last)),
        _ => None,
    });
    let tries = tries(&plan, 989_500);
    // The process starts between the first SYN and its reset, so that the second try is the first of those in a row.
    assert_eq!(again, Some((tries.len() as u64 - 3, tries[tries.len() - 2])));
    has(
        &in_words::text(&plan, &told),
        &["more tries that end likewise, the last of them at ", "process starts, incarnation 1"],
    );
}

/// When peer 0 sent its SYNs until then.
fn tries(plan: &Plan, until_ms: u64) -> Vec<Time> {
    let (_, seen) = super::told(plan, &ACCEPTS);
    seen.iter().filter(|d| d.what == What::Attempt && d.at <= millis(until_ms)).map(|d| d.at).collect()
}

#[test]
fn a_chain_without_end_is_cut_and_says_of_what() {
    let mut plan = story(1, seconds(1_000));
    plan.front_ends[0].start_up = Dist::Constant(seconds(999));
    plan.front_ends.push(FrontEndPlan { start_up: Dist::Constant(seconds(999)), ..FrontEndPlan::new("second") });
    plan.groups[0].front_ends = vec![0, 1];
    plan.groups[0].reconnect.delay = Dist::Constant(Span::SECOND);
    let told = explained(&plan, &ACCEPTS, 0, 990_000);
    assert_eq!(told.chain.links().count(), 64);
    let (after, left_out) = told.chain.left_out().expect("it is cut");
    assert!(after == 24 && left_out["refused"] > 300, "{left_out:?}");
    has(&in_words::text(&plan, &told), &["steps left out: ", "refused"]);
}

#[test]
fn who_is_not_there_is_told_so() {
    let mut plan = story(2, seconds(20));
    plan.timeline = vec![at_second(5, Change::Leave, &[1])];
    let told = explained(&plan, &ACCEPTS, 1, 9_000);
    assert_eq!((told.state, told.since, told.place), (State::Away, millis(5_000), None));
    has(&in_words::text(&plan, &told), &["not there", "leaves", "next: nothing until the end of the run"]);
    plan = plan.with_group(GroupPlan { present: false, ..GroupPlan::new("late", Transport::Tcp, 1) });
    assert_eq!(explained(&plan, &ACCEPTS, 2, 9_000).state, State::Away);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(42), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_asked_about_whenever_an_explanation_agrees_with_the_stream(
        numbers in prop::collection::vec(any::<u32>(), 64),
        who in any::<u32>(),
        share in 0u64..=1_000,
    ) {
        let plan = random_plan(&numbers);
        let peers = u32::try_from(plan.peers()).expect("few");
        prop_assume!(peers > 0);
        let (who, at) = (who % peers, Time(plan.horizon.0 / 1_000 * share));
        let mut nobody = Unwatched;
        let mut explaining = Explaining::new(&plan, who, at, &mut nobody);
        let Ok(_) = refresh_sim::sim::run(&plan, &mut explaining) else { return Ok(()) };
        let told = explaining.finish(Time::ZERO + plan.horizon);
        let mut all = All::default();
        refresh_sim::sim::run(&plan, &mut all).expect("it ran before");
        let mut connected = false;
        for decision in all.0.iter().filter(|d| !d.what.is_of_front_end() && d.who == who && d.at <= at) {
            match decision.what {
                What::Valid => connected = true,
                What::Lost | What::Leave | What::Join => connected = false,
                What::Due | What::Turn if decision.detail == 2 => connected = false,
                _ => {}
            }
        }
        prop_assert_eq!(told.connected, connected);
        prop_assert!(told.chain.links().all(|link| link.at <= at), "nothing later is a cause");
        for wait in told.chain.links().filter_map(|link| match &link.shown { Shown::Wait(wait) => Some(wait), _ => None }) {
            let until = wait.until.expect("it is over");
            let asked = all.0.iter().filter(|d| {
                d.what == What::Asked && d.extra & 0x7fff == wait.front_end && d.who != who && (wait.from..=until).contains(&d.at)
            });
            let nearer = asked.clone().filter(|d| d.at > wait.from && d.at < until).count() as u64;
            prop_assert!((nearer..=asked.count() as u64).contains(&wait.before), "{:?}", wait);
        }
        prop_assert!(!in_words::text(&plan, &told).is_empty());
    }
}
