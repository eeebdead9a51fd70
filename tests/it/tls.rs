//! TLS handshakes, worked out by hand: what each kind takes without load, who resumes and who does not.

use std::fs;
use std::path::Path;

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Decision, Figure, Handshakes, Outcome, Tags, What};
use refresh_sim::policy::tls::{Bytes, MEASURED, Mode, Resumption, Store, TicketKey};
use refresh_sim::policy::{Act, Initiator, Refresh};
use refresh_sim::report::{Value, figure, text};
use refresh_sim::scenario::plan::{
    Change, FrontEndPlan, GroupPlan, Plan, ResumedPlan, Start, TimelineEntry, TlsPlan, WhenFull,
};
use refresh_sim::scenario::{load, refresh_in_place, render};
use refresh_sim::sim::{Unwatched, run, run_with};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{
    Answer, Builtin, FaultCode, Phase, Question, Transport, Validator, ValidatorMaker, Verdict,
};

use super::watching::{All, seen};
use crate::reading::read;

/// When peer `who` became valid, each time.
fn valid(seen: &[Decision], who: u32) -> Vec<u64> {
    seen.iter().filter(|d| d.what == What::Valid && d.who == who).map(|d| d.at.0).collect()
}

/// What came of each first flight: `f` full, `r` resumed, `d` declined.
fn offers(seen: &[Decision]) -> String {
    let word = |d: &Decision| ['f', 'r', 'd'][usize::from(d.detail)];
    seen.iter().filter(|d| d.what == What::Handshake).map(word).collect()
}

fn totals(outcome: &Outcome) -> Handshakes {
    outcome.handshakes.iter().flatten().fold(Handshakes::default(), |sum, next| sum.and(next))
}

// ---- without load

/// Round trips after TCP's: RFC 5246, 7.3 and RFC 8446, 2.
const ROUND_TRIPS: [(&str, &str, u64); 4] =
    [("1.2", "full", 2), ("1.2", "resumed", 1), ("1.3", "full", 1), ("1.3", "resumed", 1)];

/// Every measured kind, as docs/tls-costs.md has it: key (`any`), version, authentication, mode, bytes to the front end
/// and to the peer, µs of the peer and of the front end.
fn documented() -> Vec<[String; 8]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tls-costs.md");
    let page = fs::read_to_string(path).expect("a page");
    let table = page.split("| key | TLS |").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a table");
    let row = |line: &str| -> [String; 8] {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().expect("eight columns")
    };
    table.lines().skip(2).map(row).collect()
}

#[test]
fn the_documented_table_is_the_one_that_is_computed_with() {
    let known: Vec<[String; 8]> = MEASURED
        .iter()
        .map(|cost| {
            let version = cost.version.name().trim_start_matches("TLS ");
            let numbers = [cost.bytes.to_front_end, cost.bytes.to_peer, cost.peer_us, cost.front_end_us];
            let [a, b, c, d] = numbers.map(|n| n.to_string());
            let key = cost.key.map_or("any", |key| key.name());
            let [key, version, authentication, mode] =
                [key, version, cost.authentication.name(), cost.mode.name()].map(str::to_owned);
            [key, version, authentication, mode, a, b, c, d]
        })
        .collect();
    assert_eq!(documented(), known);
}

/// One peer, `rtt` away, that connects at 0, leaves after a minute and is back a minute later.
fn scenario(rtt: &str, tls: &str) -> String {
    format!(
        "schema = 1\nsemantics = 1\n[run]\nhorizon = \"5m\"\n[front_end]\nstart_up = \"0s\"\nworkers = 1\n\
         [validation]\nvalidator = \"sfb2015-cu2\"\naccept = \"1ms\"\n\
         [[group]]\nname = \"p\"\ntransport = \"tls\"\nrtt = \"{rtt}\"\n[group.tls]\n{tls}\n\
         [[timeline]]\nat = \"1m\"\ndo = \"leave\"\ngroup = \"p\"\n\
         [[timeline]]\nat = \"2m\"\ndo = \"join\"\ngroup = \"p\"\n"
    )
}

/// From the SYN to valid: half a round trip to the front end, one for TCP's answer and the first flight, one for each
/// further flight, and all that is computed, the validation of 1 ms too.
fn expected(rtt: u64, version: &str, mode: &str, cpu: [u64; 2]) -> u64 {
    let trips = ROUND_TRIPS.iter().find(|(v, m, _)| *v == version && *m == mode).expect("a kind").2;
    rtt / 2 + rtt + trips * rtt + cpu[0] + cpu[1] + 1_000_000
}

#[test]
fn rule_12_without_load_each_measured_handshake_takes_its_round_trips_and_the_cpu_of_both_sides() {
    let mut checked = 0;
    for [key, version, authentication, mode, to_front_end, to_peer, peer, front_end] in documented() {
        let keys: &[&str] =
            if key == "any" { &["RSA-2048", "RSA-3072", "RSA-4096", "P-256", "Ed25519"] } else { &[key.as_str()] };
        let number = |text: &str| text.parse::<u64>().expect("a number");
        for (key, rtt) in keys.iter().flat_map(|key| [(key, 1_000_000), (key, 77_000_002)]) {
            let resumes = mode == "resumed";
            let settings = format!(
                "version = \"tls{version}\"\nkey = \"{}\"\nmutual = {}\nresumption = \"{}\"",
                key.to_lowercase(),
                authentication == "mutual",
                if resumes { "cache" } else { "none" },
            );
            let text = scenario(&format!("{rtt}ns"), &settings);
            let Ok(plan) = load("t", "t.toml", text.as_bytes(), &[]) else {
                // Such a session can be resumed but not made: its full handshake was not measured.
                assert!(
                    resumes
                        && !documented().iter().any(|row| row[0] == *key
                            && row[1..4] == [version.clone(), authentication.clone(), "full".to_owned()])
                );
                continue;
            };
            let (outcome, seen) = seen(&plan);
            let cpu = [number(peer.as_str()) * 1_000, number(front_end.as_str()) * 1_000];
            let at = valid(&seen, 0);
            let again = at[1] - Span::MINUTE.times(2).0;
            assert_eq!(again, expected(rtt, &version, &mode, cpu), "{key} {version} {authentication} {mode}");
            assert!(resumes || at[0] == again, "the first handshake is a full one, too");
            let tls = totals(&outcome);
            assert_eq!((tls.full, tls.resumed), if resumes { (1, 1) } else { (2, 0) });
            if !resumes {
                assert_eq!(tls.to_front_end, 2 * number(to_front_end.as_str()));
                assert_eq!(tls.to_peer, 2 * number(to_peer.as_str()));
            }
            let connect = &outcome.meters.histogram(
                refresh_sim::measure::Metric::Connect,
                0,
                refresh_sim::measure::Cause::Initial,
            );
            let longest = connect.expect("two samples").max();
            let due = (at[0].max(again) + rtt / 2) as f64;
            assert!((longest as f64 / due - 1.0).abs() < 0.001, "established half a round trip later: {longest} {due}");
            checked += 1;
        }
    }
    assert!(checked >= 2 * MEASURED.len(), "{checked}");
}

#[test]
fn rule_12_a_faster_front_end_and_a_slower_peer_take_exactly_so_much() {
    let settings = "scale_front_end = \"1/3\"\nscale_peer = \"250%\"\nresumption = \"tickets\"\nlifetime = \"1h\"";
    let (_, seen) = seen(&read(&scenario("1ms", settings)));
    let at = valid(&seen, 0);
    assert_eq!(at[0], expected(1_000_000, "1.3", "full", [744_000 * 5 / 2, 1_044_000 / 3]));
    assert_eq!(at[1] - Span::MINUTE.times(2).0, expected(1_000_000, "1.3", "resumed", [195_000 * 5 / 2, 505_000 / 3]));
}

#[test]
fn rule_12_what_the_front_end_does_after_the_peers_last_flight_is_a_job_of_its_own_and_no_round_trip() {
    let (outcome, seen) = seen(&read(&scenario("10ms", "mutual = true")));
    // Two tries of three jobs: one flight, the peer's certificate, the validation.
    assert_eq!(outcome.front_ends[0].account.arrivals, 6);
    assert_eq!(valid(&seen, 0)[0], expected(10_000_000, "1.3", "full", [744_000, 1_044_000]));
}

#[test]
fn rule_12_a_resolved_plan_runs_as_the_scenario_does_and_says_how_the_total_is_split() {
    for tls in ["", "version = \"tls1.2\"\nkey = \"rsa-2048\"\nresumption = \"cache\"\nentries = 3"] {
        let plan = read(&scenario("1ms", tls));
        let written = render(&plan);
        assert_eq!(seen(&read(&written)).0.digest, seen(&plan).0.digest, "{written}");
        assert!(written.contains("[group.tls]  # assumed: TLS 1."), "{written}");
        assert!(written.contains("split over flights by what each does"), "{written}");
    }
}

#[test]
fn without_tls_settings_nothing_is_counted_and_an_expectation_about_it_has_no_data() {
    let text = scenario("1ms", "").replace("[group.tls]\n", "handshake = \"tls1.2\"\n");
    let plan = read(&text);
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    assert_eq!(figure(&plan, &outcome, Figure::FullHandshakes, &Tags::default()), None);
    assert!(outcome.handshakes.iter().all(Option::is_none));
}

#[test]
fn bytes_that_one_group_does_not_say_are_not_known_for_all() {
    let mut plan = plan(Store::Cache { entries: 9 }, 1);
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    let of = |plan: &Plan, outcome: &Outcome| figure(plan, outcome, Figure::BytesToPeers, &Tags::default());
    assert_eq!(of(&plan, &outcome), Some(Value::Count(40)));
    assert!(
        text(&plan, &outcome, &[]).contains("TLS handshakes: 1 full, 0 resumed; 30 bytes to front ends, 40 to peers")
    );
    plan.groups[0].tls.as_mut().expect("it has").bytes = None;
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    assert_eq!(of(&plan, &outcome), None);
    assert_eq!(figure(&plan, &outcome, Figure::FullHandshakes, &Tags::default()), Some(Value::Count(1)));
}

// ---- sessions

const MS: Span = Span::MILLISECOND;

/// `count` peers at no distance; a full handshake takes one job of 10 ms, a resumed one 1 ms, a validation 1 ms.
fn plan(store: Store, count: u32) -> Plan {
    let mut plan = Plan::new(Span::HOUR.times(12), Builtin::Sfb2015Cu2);
    let one = Dist::Constant(MS);
    plan.front_ends[0].start_up = Dist::Constant(Span::ZERO);
    let resumed = ResumedPlan {
        resumption: Resumption { store, lifetime: Span::HOUR.times(10), renew: false },
        flights: vec![one.clone()],
        client_cpu: vec![],
        bytes: Some(Bytes { to_front_end: 3, to_peer: 4 }),
    };
    let group = GroupPlan {
        rtt: Dist::Constant(Span::ZERO),
        flights: vec![Dist::Constant(MS.times(10))],
        client_cpu: vec![],
        tls: Some(TlsPlan {
            finish: None,
            bytes: Some(Bytes { to_front_end: 30, to_peer: 40 }),
            resumed: Some(resumed),
        }),
        validate_accept: one,
        ..GroupPlan::new("p", Transport::Tls, count)
    };
    plan.with_group(group)
}

fn resumption(plan: &mut Plan) -> &mut Resumption {
    &mut plan.groups[0].tls.as_mut().and_then(|tls| tls.resumed.as_mut()).expect("it resumes").resumption
}

fn away(plan: &mut Plan, who: &[u32], from: Time, to: Time) {
    for (at, change) in [(from, Change::Leave), (to, Change::Join)] {
        plan.timeline.push(TimelineEntry { at, change, group: 0, indices: Some(who.to_vec()), front_end: None });
    }
    plan.timeline.sort_by_key(|entry| entry.at);
}

fn at(span: Span) -> Time {
    Time::ZERO + span
}

#[test]
fn rule_12_a_session_lives_to_the_nanosecond_from_the_end_of_its_handshake() {
    // The handshake is over at 10 ms, the first flight of the next one arrives as the peer is back.
    let end = at(MS.times(10) + Span::HOUR.times(10));
    for (back, expected, took) in [(end - Span(1), "fr", 2), (end, "fd", 11)] {
        let mut plan = plan(Store::Cache { entries: 1 }, 1);
        away(&mut plan, &[0], at(Span::HOUR), back);
        let (outcome, seen) = seen(&plan);
        assert_eq!(offers(&seen), expected);
        assert_eq!(valid(&seen, 0), [MS.times(11).0, (back + MS.times(took)).0]);
        assert_eq!(totals(&outcome).declined, u64::from(expected == "fd"));
    }
}

#[test]
fn rule_12_a_session_that_is_not_renewed_keeps_its_age_and_a_renewed_one_does_not() {
    for (renew, expected) in [(false, "frd"), (true, "frr")] {
        let mut plan = plan(Store::Tickets(TicketKey::Process), 1);
        resumption(&mut plan).renew = renew;
        away(&mut plan, &[0], at(Span::HOUR), at(Span::HOUR.times(6)));
        away(&mut plan, &[0], at(Span::HOUR.times(7)), at(Span::HOUR.times(11)));
        assert_eq!(offers(&seen(&plan).1), expected);
    }
}

#[test]
fn rule_12_a_cache_of_two_has_forgotten_the_first_of_three() {
    let mut plan = plan(Store::Cache { entries: 2 }, 3);
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    away(&mut plan, &[2], at(Span::MINUTE), at(Span::MINUTE.times(2)));
    away(&mut plan, &[1], at(Span::MINUTE.times(3)), at(Span::MINUTE.times(4)));
    away(&mut plan, &[0], at(Span::MINUTE.times(5)), at(Span::MINUTE.times(6)));
    // What 0 makes anew pushes 1 out; 2 is still in.
    away(&mut plan, &[1], at(Span::MINUTE.times(7)), at(Span::MINUTE.times(8)));
    assert_eq!(offers(&seen(&plan).1), "fff".to_owned() + "rr" + "d" + "d");
}

#[test]
fn rule_12_a_declined_session_costs_a_full_handshake_and_is_counted() {
    let mut plan = plan(Store::Cache { entries: 1 }, 2);
    away(&mut plan, &[0, 1], at(Span::MINUTE), at(Span::MINUTE.times(2)));
    let (outcome, seen) = seen(&plan);
    assert_eq!(offers(&seen), "ffdr", "of two, the cache holds the second");
    let expected = Handshakes { full: 3, resumed: 1, declined: 1, unweighed: 0, to_front_end: 93, to_peer: 124 };
    assert_eq!(totals(&outcome), expected);
}

#[test]
fn rule_12_it_is_decided_as_the_first_flight_arrives_and_not_when_a_worker_has_time() {
    let mut plan = plan(Store::Cache { entries: 1 }, 1);
    plan.front_ends[0].accept = Some(Dist::Constant(MS.times(5)));
    // Complete after 5 ms of accept and 10 ms of flight; good for 1 ns more when the next accept begins.
    let back = Time((Span::HOUR.times(10) + MS.times(15)).0 - 1);
    away(&mut plan, &[0], at(Span::HOUR), back);
    let (_, seen) = seen(&plan);
    assert_eq!(valid(&seen, 0), [MS.times(16).0, (back + MS.times(7)).0]);
    assert_eq!(offers(&seen), "fr");
}

#[test]
fn rule_12_a_connection_that_was_there_from_the_beginning_has_no_session() {
    let mut plan = plan(Store::Tickets(TicketKey::Pool), 1);
    plan.start = Start::Established;
    away(&mut plan, &[0], at(Span::HOUR), at(Span::HOUR.times(2)));
    away(&mut plan, &[0], at(Span::HOUR.times(3)), at(Span::HOUR.times(4)));
    assert_eq!(offers(&seen(&plan).1), "fr");
}

#[test]
fn rule_12_groups_share_the_cache_of_their_front_end_and_tickets_take_no_place_in_it() {
    for (other, expected) in [(Store::Cache { entries: 1 }, "ffd"), (Store::Tickets(TicketKey::Process), "ffr")] {
        let mut plan = plan(Store::Cache { entries: 1 }, 1);
        let mut second = self::plan(other, 1).groups.remove(0);
        second.name = "q".to_owned();
        second.rtt = Dist::Constant(MS);
        plan.groups.push(second);
        away(&mut plan, &[0], at(Span::HOUR), at(Span::HOUR.times(2)));
        assert_eq!(offers(&seen(&plan).1), expected);
    }
}

/// Faults at the first refresh.
struct FaultsOnce;

impl ValidatorMaker for FaultsOnce {
    fn make(&self, _: usize, _: u32) -> Box<dyn Validator> {
        Box::new(FaultsOnce)
    }
}

impl Validator for FaultsOnce {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        let faults = question.phase == Phase::Refresh;
        if faults { Answer::Fault(FaultCode::ACCESS_VIOLATION).into() } else { Answer::Accept.into() }
    }
}

#[test]
fn rule_12_after_a_crash_only_tickets_whose_key_survives_are_resumed() {
    let stores = [
        (Store::Cache { entries: 9 }, "fd"),
        (Store::Tickets(TicketKey::Process), "fd"),
        (Store::Tickets(TicketKey::Host), "fr"),
        (Store::Tickets(TicketKey::Pool), "fr"),
    ];
    for (store, expected) in stores {
        let mut plan = plan(store, 1);
        plan.horizon = Span::HOUR.times(7) + Span::MINUTE.times(30);
        plan.refresh = Some(refresh_in_place(Span::HOUR.times(7)));
        let mut all = All::default();
        let outcome = run_with(&plan, &FaultsOnce, &mut all).expect("it runs");
        assert_eq!((outcome.crashes.len(), offers(&all.0)), (1, expected.to_owned()), "{store:?}");
    }
}

#[test]
fn rule_12_another_front_end_resumes_only_by_a_key_that_all_share() {
    let stores = [
        (Store::Cache { entries: 9 }, "fd"),
        (Store::Tickets(TicketKey::Process), "fd"),
        (Store::Tickets(TicketKey::Host), "fd"),
        (Store::Tickets(TicketKey::Pool), "fr"),
    ];
    for (store, expected) in stores {
        let mut plan = plan(store, 1);
        plan.horizon = Span::HOUR.times(7) + Span::MINUTE.times(30);
        plan.refresh = Some(refresh_in_place(Span::HOUR.times(7)));
        plan.front_ends.push(FrontEndPlan { name: "fe02".to_owned(), ..plan.front_ends[0].clone() });
        plan.groups[0].front_ends = vec![0, 1];
        let mut all = All::default();
        run_with(&plan, &FaultsOnce, &mut all).expect("it runs");
        assert_eq!(offers(&all.0), expected, "{store:?}");
    }
}

#[test]
fn rule_12_a_refresh_by_reconnect_every_24_hours_never_resumes_from_a_cache_of_10_hours() {
    let daily = Refresh { act: Act::Reconnect(Initiator::FrontEnd), ..refresh_in_place(Span::DAY) };
    for (store, lifetime, expected) in [
        (Store::Cache { entries: 20_000 }, Span::HOUR.times(10), (20, 0)),
        (Store::Tickets(TicketKey::Process), Span::DAY.times(7), (5, 15)),
    ] {
        let mut plan = plan(store, 5);
        plan.horizon = Span(Span::DAY.0 * 4 - 1);
        plan.refresh = Some(daily.clone());
        resumption(&mut plan).lifetime = lifetime;
        let (outcome, _) = seen(&plan);
        assert_eq!((totals(&outcome).full, totals(&outcome).resumed), expected);
    }
}

#[test]
fn rule_12_a_handshake_that_a_crash_or_a_full_queue_cuts_off_makes_no_session() {
    let mut plan = plan(Store::Cache { entries: 9 }, 3);
    let front_end = &mut plan.front_ends[0];
    (front_end.workers, front_end.cores) = (1, 1);
    (front_end.queue_limit, front_end.when_full) = (Some(1), WhenFull::Close);
    plan.horizon = Span::MINUTE;
    let (outcome, seen) = seen(&plan);
    // One is served, one waits, the third is turned away and has no session when it comes again.
    assert_eq!(seen.iter().filter(|d| d.what == What::Dropped).count(), 1);
    assert_eq!((offers(&seen), totals(&outcome).full), ("ffff".to_owned(), 3));
}

#[test]
fn every_kind_can_be_asked_for_by_its_words() {
    let full = MEASURED.iter().filter(|cost| cost.mode == Mode::Full);
    for cost in full {
        let settings = format!(
            "version = \"tls{}\"\nkey = \"{}\"\nmutual = {}",
            cost.version.name().trim_start_matches("TLS "),
            cost.key.expect("a full handshake shows a certificate").name().to_lowercase(),
            cost.authentication.name() == "mutual",
        );
        let plan = read(&scenario("1ms", &settings));
        assert_eq!(plan.groups[0].tls.as_ref().and_then(|tls| tls.bytes), Some(cost.bytes));
    }
}
