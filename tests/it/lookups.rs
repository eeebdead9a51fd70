//! Look-ups, worked out by hand: who waits for what, with a worker or without, and what it costs.

use refresh_sim::dist::Dist;
use refresh_sim::id::{Identity, mix};
use refresh_sim::measure::Verdict as Told;
use refresh_sim::measure::{Decision, Figure, Looked, Metric, Outcome, Tags, What};
use refresh_sim::policy::Ratio;
use refresh_sim::policy::Recovery;
use refresh_sim::policy::lookup::{CRYPTOAPI_TOTAL, Condition, Lives, Lookup, OnFailure, Sharing, Waiting};
use refresh_sim::report::{Value, figure, text};
use refresh_sim::rng::{Draws, Purpose, When};
use refresh_sim::scenario::plan::{Change, FrontEndPlan, GroupPlan, Plan, Start, TimelineEntry, WhenFull};
use refresh_sim::scenario::{load, refresh_in_place, render};
use refresh_sim::sim::{Unwatched, run, run_with};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{
    Answer, Builtin, FaultCode, Phase, Question, Transport, Validator, ValidatorMaker, Verdict,
};

use super::watching::{All, seen};
use crate::reading::read;

const fn ms(n: u64) -> Span {
    Span(n * Span::MILLISECOND.0)
}

/// Milliseconds of all decisions of a kind.
fn at(seen: &[Decision], what: What) -> Vec<u64> {
    seen.iter().filter(|d| d.what == what).map(|d| d.at.0 / 1_000_000).collect()
}

fn looked(outcome: &Outcome) -> Looked {
    outcome.front_ends.iter().flat_map(|f| &f.looked).fold(Looked::default(), |sum, next| sum.and(next))
}

/// `count` established peers over TLS at one front end with `workers` workers and as many cores; one refresh 10 s into the
/// run, of 10 ms of CPU each, and `lookup` on the way.
fn story(count: u32, workers: u32, lookup: Lookup) -> Plan {
    let mut plan = Plan::new(Span::MINUTE, Builtin::Sfb2015Cu2);
    plan.front_ends[0].start_up = Dist::Constant(Span::ZERO);
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (workers, workers);
    plan.start = Start::Established;
    plan.refresh = Some(refresh_in_place(Span::SECOND.times(10)));
    plan.horizon = Span::SECOND.times(19);
    plan.lookups.each = vec![lookup];
    plan.lookups.total = None;
    let group = GroupPlan {
        rtt: Dist::Constant(Span::ZERO),
        validate_accept: Dist::Constant(ms(10)),
        validate_refresh: Dist::Constant(ms(10)),
        ..GroupPlan::new("p", Transport::Tls, count)
    };
    plan.with_group(group)
}

/// Takes 100 ms, half-way through the CPU, and is not kept.
fn half_way(mode: Waiting) -> Lookup {
    Lookup { mode, cpu_before: Ratio::new(1, 2), ..Lookup::new("crl", Dist::Constant(ms(100))) }
}

fn closed(seen: &[Decision]) -> Vec<u64> {
    at(seen, What::Closed).into_iter().map(|ms| ms - 10_000).collect()
}

#[test]
fn rule_04_a_synchronous_look_up_empties_the_pool_and_an_asynchronous_one_does_not() {
    // Two workers, six jobs of 5 ms, 100 ms of wait, 5 ms. Blocking: pairs, 110 ms each.
    let (outcome, seen_blocking) = seen(&story(6, 2, half_way(Waiting::Blocking)));
    assert_eq!(closed(&seen_blocking), [110, 110, 220, 220, 330, 330]);
    let account = &outcome.front_ends[0].account;
    assert_eq!((account.blocked, account.away_time()), (u128::from(ms(600).0), 0));
    assert_eq!((account.useful, account.queue_max), (u128::from(ms(60).0), 6));
    // Waiting: the first halves at 5, 10 and 15 ms, back at 105, 110 and 115 ms.
    let (outcome, seen_waiting) = seen(&story(6, 2, half_way(Waiting::Freeing)));
    assert_eq!(closed(&seen_waiting), [110, 110, 115, 115, 120, 120]);
    let account = &outcome.front_ends[0].account;
    assert_eq!((account.blocked, account.away_time()), (0, u128::from(ms(600).0)));
    assert_eq!((account.useful, account.held_time()), (u128::from(ms(60).0), u128::from(ms(60).0)));
    let lookups = outcome.meters.histogram(Metric::Lookup, 0, refresh_sim::measure::Cause::Refresh).expect("samples");
    assert_eq!((lookups.len(), lookups.min() / 1_000_000, looked(&outcome).made), (6, 99, 6));
}

#[test]
fn rule_02_blocked_workers_hold_no_core_and_seek_one_again_in_order() {
    // Three workers, one core. It computes 5 ms of each in turn (0-15); back at 105, 110, 115 it is always free.
    let mut plan = story(3, 3, half_way(Waiting::Blocking));
    plan.front_ends[0].cores = 1;
    let (outcome, decisions) = seen(&plan);
    assert_eq!(closed(&decisions), [110, 115, 120]);
    let account = &outcome.front_ends[0].account;
    assert_eq!(account.blocked, u128::from(ms(300).0));
    assert_eq!(account.waiting, u128::from(ms(5 + 10).0), "the second and the third wait for the core once");
    // All back at 100 ms, for nothing is computed before: now they wait for the core after it, too.
    plan.lookups.each[0].cpu_before = Ratio::ZERO;
    let (outcome, decisions) = seen(&plan);
    assert_eq!(closed(&decisions), [110, 120, 130]);
    assert_eq!(outcome.front_ends[0].account.waiting, u128::from(ms(10 + 20).0));
}

#[test]
fn rule_03_a_job_that_rejoins_obeys_the_bound_of_the_queue() {
    // One worker. Three wait from 5, 10 and 15 ms on. Then a newcomer holds the worker for 400 ms, and of the three that
    // come back at 105, 110 and 115 ms two find room.
    let of = |when_full| {
        let mut plan = story(3, 1, Lookup { tcp: false, ..half_way(Waiting::Freeing) });
        (plan.front_ends[0].queue_limit, plan.front_ends[0].when_full) = (Some(2), when_full);
        plan.groups[0].reconnect.first = Dist::Constant(Span::HOUR);
        // Its first message is there 15 ms after its SYN: one and a half round trips.
        plan.timeline = vec![TimelineEntry {
            at: Time(ms(10_000).0 + 1),
            change: Change::Join,
            group: 1,
            indices: None,
            front_end: None,
        }];
        plan = plan.with_group(GroupPlan {
            rtt: Dist::Constant(ms(10)),
            validate_accept: Dist::Constant(ms(400)),
            present: false,
            ..GroupPlan::new("newcomer", Transport::Tcp, 1)
        });
        let (outcome, decisions) = seen(&plan);
        let dropped: Vec<u32> = decisions.iter().filter(|d| d.what == What::Dropped).map(|d| d.who).collect();
        (dropped, outcome.front_ends[0].account.wasted, closed(&decisions))
    };
    let half = u128::from(ms(5).0);
    assert_eq!(of(WhenFull::BackPressure), (vec![], 0, vec![420, 425, 430]));
    assert_eq!(of(WhenFull::Close), (vec![2], half, vec![115, 420, 425]), "the newest is turned away");
    assert_eq!(of(WhenFull::DropOldest), (vec![0], half, vec![115, 420, 425]), "the oldest is turned away");
}

#[test]
fn rule_04_single_flight_makes_one_fetch_for_all() {
    for mode in [Waiting::Blocking, Waiting::Freeing] {
        let lookup = Lookup { single_flight: true, cpu_before: Ratio::ZERO, ..half_way(mode) };
        let mut plan = story(100, 100, lookup);
        plan.groups[0].validate_refresh = Dist::Constant(ms(1));
        let (outcome, decisions) = seen(&plan);
        assert_eq!(closed(&decisions), [101; 100]);
        let of = looked(&outcome);
        assert_eq!((of.made, of.joined, of.cached, of.positive), (1, 99, 0, 1));
        // Each peer has its own question where the answers are not shared.
        plan.lookups.each[0].key = Sharing::Peer;
        assert_eq!(looked(&seen(&plan).0).made, 100);
        plan.lookups.each[0].single_flight = false;
        plan.lookups.each[0].key = Sharing::FrontEnd;
        assert_eq!(looked(&seen(&plan).0).made, 100);
    }
}

#[test]
fn rule_04_a_joined_fetch_ends_for_all_when_it_ends() {
    // One worker: the second job begins when the first waits, at 5 ms, and joins at 10 ms a fetch that ends at 105 ms.
    let lookup = Lookup { single_flight: true, ..half_way(Waiting::Freeing) };
    let (outcome, decisions) = seen(&story(2, 1, lookup));
    assert_eq!(at(&decisions, What::Rejoined), [10_105, 10_105]);
    assert_eq!(outcome.front_ends[0].account.away_time(), u128::from(ms(100 + 95).0));
}

/// Two ticks, 10 s apart; how many look-ups were made, cached and how many refreshes were rejected.
fn two_ticks(lookup: Lookup) -> (u64, u64, u64) {
    let mut plan = story(1, 1, lookup);
    plan.horizon = Span::SECOND.times(29);
    let (outcome, decisions) = seen(&plan);
    let of = looked(&outcome);
    let rejected = decisions.iter().filter(|d| d.what == What::Lost && d.detail == 1).count();
    (of.made, of.cached, rejected as u64)
}

#[test]
fn rule_04_positive_negative_and_soft_fail_answers_are_kept_each_for_its_time() {
    let base = || Lookup { accept: false, ..half_way(Waiting::Blocking) };
    let lives = |positive: u64, negative: u64, soft_fail: u64| Lives {
        positive: ms(positive),
        negative: ms(negative),
        soft_fail: ms(soft_fail),
    };
    // The first answer is there at 10.105 s, the second question at 20.005 s: 9.9 s later.
    assert_eq!(two_ticks(Lookup { lives: lives(9_901, 0, 0), ..base() }), (1, 1, 0));
    assert_eq!(two_ticks(Lookup { lives: lives(9_900, 9_901, 9_901), ..base() }), (2, 0, 0));
    let fails = || Lookup { failure: Ratio::ONE, ..base() };
    assert_eq!(two_ticks(Lookup { lives: lives(0, 0, 9_901), ..fails() }), (1, 1, 0));
    assert_eq!(two_ticks(Lookup { lives: lives(9_901, 9_901, 9_900), ..fails() }), (2, 0, 0));
    let hard = || Lookup { on_failure: OnFailure::HardFail, ..fails() };
    assert_eq!(two_ticks(Lookup { lives: lives(9_901, 9_901, 9_901), ..hard() }), (2, 0, 2));
    let says_no = || Lookup { negative: Ratio::ONE, ..base() };
    assert_eq!(two_ticks(Lookup { lives: lives(0, 9_901, 0), ..says_no() }), (1, 1, 2));
    assert_eq!(two_ticks(Lookup { lives: lives(9_901, 9_900, 9_901), ..says_no() }), (2, 0, 2));
}

#[test]
fn rule_04_a_time_out_bounds_each_look_up_and_the_total_bounds_them_all() {
    // Two black holes: the first takes its 15 s, the second what is left of 20 s. A third is not even asked.
    let hole = |name: &str| Lookup {
        changes: vec![(Time::ZERO, Condition::Failing(None))],
        ..Lookup::new(name, Dist::Constant(ms(1)))
    };
    for mode in [Waiting::Blocking, Waiting::Freeing] {
        let mut plan = story(1, 1, hole("leaf"));
        plan.lookups.each.extend([hole("intermediate"), hole("root")]);
        plan.lookups.each.iter_mut().for_each(|lookup| lookup.mode = mode);
        plan.lookups.total = Some(CRYPTOAPI_TOTAL);
        plan.refresh = Some(refresh_in_place(Span::MINUTE));
        plan.horizon = Span::SECOND.times(100);
        let (outcome, decisions) = seen(&plan);
        assert_eq!(at(&decisions, What::Closed), [80_010]);
        let of = looked(&outcome);
        assert_eq!((of.made, of.timed_out, of.skipped), (2, 2, 1));
        assert_eq!(at(&decisions, What::LookedUp), [75_000, 80_000]);
    }
}

#[test]
fn rule_04_a_hard_failure_and_a_no_reject_with_reasons_of_their_own_and_a_soft_failure_lets_pass() {
    let reasons = |lookup: Lookup| {
        let (outcome, _) = seen(&story(1, 1, Lookup { accept: false, ..lookup }));
        let told = |record: &refresh_sim::measure::Record| match &record.kind {
            refresh_sim::measure::RecordKind::Rejected { phase: Phase::Refresh, reason } => Some(reason.to_string()),
            _ => None,
        };
        outcome.records.iter().filter_map(told).collect::<Vec<_>>()
    };
    let of = |failure, negative, on_failure| Lookup { failure, negative, on_failure, ..half_way(Waiting::Freeing) };
    assert!(reasons(of(Ratio::ONE, Ratio::ONE, OnFailure::SoftFail)).is_empty());
    assert_eq!(reasons(of(Ratio::ONE, Ratio::ONE, OnFailure::HardFail)), ["a look-up got no answer"]);
    assert_eq!(reasons(of(Ratio::ZERO, Ratio::ONE, OnFailure::HardFail)), ["a look-up answered no"]);
}

#[test]
fn rule_04_only_the_validations_that_it_concerns_make_a_look_up_and_none_that_has_been_rejected() {
    let made = |lookup: Lookup, known: bool| {
        let mut plan = story(1, 1, lookup);
        plan.start = Start::Connecting;
        let group = &mut plan.groups[0];
        (group.transport, group.certificate, group.flights, group.client_cpu) = (Transport::Tcp, None, vec![], vec![]);
        group.known = known;
        group.attempt_timeout = None;
        looked(&seen(&plan).0).made
    };
    let base = || half_way(Waiting::Blocking);
    assert_eq!(made(base(), true), 2, "when it connects and when it is refreshed");
    assert_eq!(made(Lookup { accept: false, ..base() }, true), 1);
    assert_eq!(made(Lookup { refresh: false, ..base() }, true), 1);
    assert_eq!(made(Lookup { tcp: false, ..base() }, true), 0);
    assert_eq!(made(base(), false), 0, "a stranger is not looked up");
}

#[test]
fn rule_04_without_load_the_cpu_is_the_same_wherever_the_look_up_stands() {
    for mode in [Waiting::Blocking, Waiting::Freeing] {
        for numerator in 0..=7 {
            let cpu_before = Ratio::new(numerator, 7);
            let (outcome, decisions) = seen(&story(1, 1, Lookup { cpu_before, ..half_way(mode) }));
            assert_eq!(closed(&decisions), [110]);
            assert_eq!(outcome.front_ends[0].account.useful, u128::from(ms(10).0));
        }
    }
}

#[test]
fn a_look_up_that_is_added_moves_no_draw_of_another() {
    let base = Lookup {
        failure: Ratio::new(1, 2),
        on_failure: OnFailure::HardFail,
        ..Lookup::new("crl", Dist::exponential(Span::SECOND).expect("a mean"))
    };
    let plan = story(50, 50, base.clone());
    let mut more = plan.clone();
    more.lookups.each.insert(0, Lookup { name: "dns".to_owned(), tls: false, ..base });
    let told = |plan: &Plan| {
        let found = |d: &&Decision| d.what == What::LookedUp;
        seen(plan).1.iter().filter(found).map(|d| (d.at, d.who, d.detail % 4)).collect::<Vec<_>>()
    };
    assert_eq!(told(&plan), told(&more));
    assert!(told(&plan).iter().any(|told| told.2 == 0) && told(&plan).iter().any(|told| told.2 == 2));
    more.lookups.each[0].tls = true;
    more.lookups.each[1].tls = false;
    assert_ne!(told(&plan), told(&more), "another name has other draws");
}

/// Accepts after a wait of 50 ms; the last of three peers faults when it is refreshed.
struct Waits {
    faults: bool,
}

impl ValidatorMaker for Waits {
    fn make(&self, _: usize, _: u32) -> Box<dyn Validator> {
        Box::new(Waits { faults: self.faults })
    }
}

impl Validator for Waits {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        let faults = self.faults && question.name.index == Some(2) && question.phase == Phase::Refresh;
        let answer = if faults { Answer::Fault(FaultCode::ACCESS_VIOLATION) } else { Answer::Accept };
        Verdict { answer, cost: None, wait: ms(50) }
    }
}

#[test]
fn rule_04_a_wait_that_a_verdict_asks_for_may_free_its_worker() {
    let ends = |mode| {
        let mut plan = story(2, 1, half_way(Waiting::Blocking));
        plan.lookups.each.clear();
        plan.lookups.of_verdict = mode;
        let mut all = All::default();
        let outcome = run_with(&plan, &Waits { faults: false }, &mut all).expect("it runs");
        let account = &outcome.front_ends[0].account;
        let ends: Vec<u64> = all.0.iter().filter(|d| d.what == What::Closed).map(|d| d.at.0 - ms(10_000).0).collect();
        (ends, account.blocked / 1_000_000, account.away_time() / 1_000_000, account.useful / 1_000_000)
    };
    assert_eq!(ends(Waiting::Blocking), (vec![60_000_000, 120_000_000], 100, 0, 20));
    // All of the CPU but its last nanosecond comes before the wait.
    assert_eq!(ends(Waiting::Freeing), (vec![60_000_000, 69_999_999], 0, 100, 20));
}

#[test]
fn rules_04_06_and_30_a_crash_takes_the_jobs_that_wait_and_the_books_balance() {
    // One worker: two wait from 5 and 10 ms on; the third faults at its question, at 10 ms.
    let mut plan = story(3, 1, half_way(Waiting::Freeing));
    plan.recovery = Recovery { actions: vec![], reset_period: None, dump: Span::ZERO };
    let mut all = All::default();
    let outcome = run_with(&plan, &Waits { faults: true }, &mut all).expect("it runs");
    assert_eq!((at(&all.0, What::Crash), at(&all.0, What::NoEffect)), (vec![10_010], vec![10_010; 2]));
    let account = &outcome.front_ends[0].account;
    assert_eq!((account.lost_in_crash, account.cut_off, account.useful), (3, u128::from(ms(10).0), 0));
    assert_eq!((account.away_time(), at(&all.0, What::Rejoined)), (u128::from(ms(5).0), vec![]));
}

#[test]
fn rule_04_what_an_incarnation_knew_dies_with_it() {
    // Kept for ever; and yet whoever comes back after the crash is looked up again.
    let lookup = Lookup {
        refresh: false,
        lives: Lives { positive: Span::DAY, ..Lives::default() },
        ..half_way(Waiting::Blocking)
    };
    let mut plan = story(3, 1, lookup);
    plan.start = Start::Connecting;
    plan.recovery.actions = vec![refresh_sim::policy::Action::Restart(Span::SECOND)];
    let mut all = All::default();
    let outcome = run_with(&plan, &Waits { faults: true }, &mut all).expect("it runs");
    let of = looked(&outcome);
    assert_eq!((outcome.crashes.len(), of.made, of.made + of.cached), (1, 2, 6));
}

#[test]
fn rule_14_a_peer_that_gave_up_leaves_its_look_up_behind_as_wasted_work() {
    for mode in [Waiting::Blocking, Waiting::Freeing] {
        let mut plan = story(1, 1, half_way(mode));
        plan.start = Start::Connecting;
        plan.groups[0].flights = vec![];
        plan.groups[0].client_cpu = vec![];
        plan.groups[0].attempt_timeout = Some(ms(50));
        plan.groups[0].reconnect.delay = Dist::Constant(Span::HOUR);
        let (outcome, decisions) = seen(&plan);
        // It connects at 0, gives up at 50 ms and at once tries again, as one front end is a whole round of the list.
        assert_eq!(at(&decisions, What::GaveUp), [50]);
        let account = &outcome.front_ends[0].account;
        assert_eq!((account.wasted, account.useful), (u128::from(ms(10).0), 0), "{mode:?}");
    }
}

#[test]
fn figures_of_look_ups_are_there_only_where_there_are_look_ups() {
    let of = |plan: &Plan, which| figure(plan, &run(plan, &mut Unwatched).expect("it runs"), which, &Tags::default());
    let mut plan = story(6, 2, half_way(Waiting::Blocking));
    assert_eq!(of(&plan, Figure::Lookups), Some(Value::Count(6)));
    assert_eq!(of(&plan, Figure::LookupsFailed), Some(Value::Count(0)));
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    let named = |name: &str| Tags { lookup: Some(name.to_owned()), ..Tags::default() };
    assert_eq!(figure(&plan, &outcome, Figure::Lookups, &named("crl")), Some(Value::Count(6)));
    assert_eq!(figure(&plan, &outcome, Figure::Lookups, &named("dns")), None);
    let whole = u128::from(Span::SECOND.times(2 * 19).0);
    assert_eq!(of(&plan, Figure::Blocked), Some(Value::Share { part: u128::from(ms(600).0), whole }));
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    assert!(text(&plan, &outcome, &[]).contains("Look-ups: 6 made; workers blocked for 1.5 % of their time\n"));
    plan.lookups.each.clear();
    assert_eq!(of(&plan, Figure::Lookups), None);
}

#[test]
fn a_plan_with_look_ups_is_rendered_as_a_scenario_that_gives_it_again() {
    let plan = load(
        "t",
        "t.toml",
        b"schema = 1\nsemantics = 1\nrun.horizon = \"1h\"\n\
          validation = { validator = \"tls-only\", lookup_total = \"never\", verdict_wait = \"waiting\" }\n\
          [[group]]\nname = \"g\"\ntransport = \"tls\"\n\
          [[lookup]]\nname = \"a b\"\nlatency = { exponential = \"3ms\" }\nfailure = \"2.5%\"\non = [\"refresh\"]\n\
          on_failure = \"hard-fail\"\ncache = { positive = \"1h\" }\n\
          [[lookup]]\nname = \"dns\"\nkind = \"DNS\"\nlatency = \"1ms\"\nmode = \"waiting\"\ncpu_before = \"1/3\"\n\
          [[timeline]]\nat = \"3m\"\ndo = \"lookup-heals\"\nlookup = \"dns\"\n\
          [[timeline]]\nat = \"1m\"\ndo = \"lookup-slow\"\nlookup = \"dns\"\nfactor = \"12.5%\"\n\
          [[timeline]]\nat = \"2m\"\ndo = \"lookup-fails\"\nlookup = \"a b\"\nlatency = \"5s\"\n",
        &[],
    )
    .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((plan.lookups.each.len(), plan.lookups.each[1].changes.len()), (2, 2));
    let again = read(&render(&plan));
    assert_eq!(again.lookups, plan.lookups);
}

#[test]
fn rule_04_a_change_of_a_look_up_has_a_record_in_its_place() {
    let second = |n: u64| Time(Span::SECOND.times(n).0);
    let lookup = half_way(Waiting::Freeing);
    let changes =
        vec![(second(5), Condition::Failing(None)), (second(7), Condition::Well), (Time::NEVER, Condition::Well)];
    let (outcome, _) = seen(&story(1, 1, Lookup { changes, ..lookup }));
    let told = outcome.records.iter().filter_map(|record| match record.kind {
        refresh_sim::measure::RecordKind::Lookup { nth, state } => Some((record.at, nth, state)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(second(5), 0, "failing"), (second(7), 0, "as at the beginning")]);
    assert!(outcome.records.is_sorted_by_key(|record| record.at));
}

#[test]
fn rule_04_the_latency_of_look_ups_is_told_apart_by_look_up() {
    let of = |name: &str, millis| Lookup { name: name.to_owned(), ..Lookup::new(name, Dist::Constant(ms(millis))) };
    let mut plan = story(3, 3, of("dns", 5));
    plan.lookups.each.push(of("crl", 700));
    let (outcome, _) = seen(&plan);
    let slowest = |lookup: Option<&str>| {
        let tags = Tags { lookup: lookup.map(str::to_owned), ..Tags::default() };
        refresh_sim::report::quantiles(&outcome, Metric::Lookup, &tags, None, &[1_000_000])[0].map(|ns| ns / 1_000_000)
    };
    assert_eq!([Some("dns"), Some("crl"), None, Some("ocsp")].map(slowest), [Some(5), Some(700), Some(700), None]);
    // Expectations too, in windows and without.
    let lines = "own = \"lookup{lookup=dns} : max <= 6ms\"\nearly = \"lookup{lookup=crl} in 0s..11s : max <= 701ms\"\n\
                 late = \"lookup{lookup=crl} in 11s..15s : max <= 1ms\"\n";
    let text = render(&plan) + "\n[expect]\n" + lines;
    let plan = read(&text);
    let (outcome, _) = seen(&plan);
    let judged = refresh_sim::report::judge(&plan, &outcome);
    let verdicts: Vec<_> = judged.iter().map(|judged| judged.verdict).collect();
    assert_eq!(verdicts, [Told::Pass, Told::Pass, Told::Inconclusive], "nothing begins in the last window");
}

#[test]
fn rule_04_a_fetch_for_who_has_gone_on_draws_by_the_tick_that_has_it_though_no_worker_has_come_to_it_yet() {
    // The first front end computes 30 s for one peer, and then looks up for another that has long turned to the second.
    // There a tick at 20 s takes that one behind two whose refreshes take 10 s each.
    let mut plan = Plan::new(Span::SECOND.times(45), Builtin::Sfb2015Cu2);
    plan.front_ends[0].start_up = Dist::Constant(Span::ZERO);
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    plan.front_ends.push(FrontEndPlan { name: "second".to_owned(), ..plan.front_ends[0].clone() });
    plan.refresh = Some(refresh_in_place(Span::SECOND.times(20)));
    let latency = Dist::exponential(ms(10)).expect("a mean");
    plan.lookups.each = vec![Lookup { refresh: false, tls: false, ..Lookup::new("crl", latency.clone()) }];
    let group = |name: &str, transport, count, front_ends: &[u16]| GroupPlan {
        rtt: Dist::Constant(ms(1)),
        validate_accept: Dist::Constant(ms(10)),
        validate_refresh: Dist::Constant(ms(10)),
        front_ends: front_ends.to_vec(),
        attempt_timeout: None,
        flights: Vec::new(),
        ..GroupPlan::new(name, transport, count)
    };
    let slow = Dist::Constant(Span::SECOND.times(30));
    let plan = plan
        .with_group(GroupPlan { validate_accept: slow, ..group("slow", Transport::Tls, 1, &[0]) })
        .with_group(GroupPlan {
            validate_refresh: Dist::Constant(Span::SECOND.times(10)),
            ..group("before", Transport::Tls, 2, &[1])
        })
        .with_group(GroupPlan {
            attempt_timeout: Some(Span::SECOND.times(3)),
            ..group("gone on", Transport::Tcp, 1, &[0, 1])
        });
    let (_, seen) = seen(&plan);
    let of = |what, place| seen.iter().find(|d| d.what == what && d.who == 3 && d.extra == place).map(|d| d.at);
    let (asked, answered) = (of(What::LookUp, 0).expect("asked"), of(What::LookedUp, 0).expect("answered"));
    let until = of(What::Asked, 1 + (1 << 15)).expect("refreshed");
    assert!(asked > Time(Span::SECOND.times(20).0) && answered < until, "{asked} {answered} {until}");
    let who = Identity(mix(Identity::of("gone on").member(0).0 ^ Identity::of("crl").0));
    let when = When { cycle: 1, ..When::default() };
    let takes = latency.sample(Draws::new(plan.seed, 0).draw(who, Purpose::LookupLatency, when, 0));
    assert_eq!(answered, asked + takes);
}
