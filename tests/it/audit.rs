//! Known-bad logic: each shows where it should, and what is suggested against it catches it.

use std::path::Path;

use crate::reading::read;
use refresh_sim::measure::Counter;
use refresh_sim::scenario::{Plan, Start, expectation, load};
use refresh_sim::sim::{NoPrograms, Unwatched, run};
use refresh_sim::study::audit::{Audit, AuditError, By, Found, KnownBad, audit};

fn shipped(name: &str) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let bytes = std::fs::read(&path).expect("a shipped scenario");
    load("it", name, &bytes, &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn plan(rest: &str) -> Plan {
    let text = format!("schema = 1\nsemantics = 1\n{rest}");
    read(&text)
}

fn audited(plan: &Plan) -> Audit {
    audit(plan, &NoPrograms, &mut Unwatched).unwrap_or_else(|error| panic!("{error:?}"))
}

fn found(audit: &Audit, bad: KnownBad) -> &Found {
    &audit.findings.iter().find(|finding| finding.bad == bad).expect("all are there").found
}

/// A scenario that expects nothing, with `groups` and a refresh every hour of half a day.
fn half_a_day(validator: &str, refresh: &str, groups: &str) -> Plan {
    plan(&format!(
        "[run]\nhorizon = \"12h\"\n[refresh]\nevery = \"1h\"\n{refresh}\n[validation]\nvalidator = \"{validator}\"\n{groups}"
    ))
}

const TCP: &str = "[[group]]\nname = \"gateway\"\ncount = 3\ntransport = \"tcp\"\n";
const TLS: &str = "[[group]]\nname = \"trunk\"\ncount = 3\ntransport = \"tls\"\n";

#[test]
fn the_fixed_scenario_catches_all_that_can_show_in_it() {
    let audit = audited(&shipped("sfb2015/fixed.toml"));
    let caught = [
        (KnownBad::AssumesTls, "lives"),
        (KnownBad::FaultsAfterMany, "lives"),
        (KnownBad::BlocksOnMissing, "prompt"),
        (KnownBad::CostGrows, "prompt"),
    ];
    for finding in &audit.findings {
        let expected = match caught.iter().find(|(bad, _)| *bad == finding.bad) {
            Some((_, by)) => Found::Caught(By::Failed((*by).to_owned())),
            None => Found::CannotShow,
        };
        assert_eq!(finding.found, expected, "{}", finding.bad.name());
    }
}

#[test]
fn each_known_bad_logic_shows_in_a_scenario_made_for_it() {
    let named = |names: &str| format!("{TLS}pool = \"trunk.example\"\nnames = {names}\n");
    let scenarios = [
        (KnownBad::AssumesTls, half_a_day("sfb2015-cu2", "", TCP)),
        (KnownBad::SkipsExactAge, half_a_day("sfb2015-cu2", "anchor = \"own-age\"", TLS)),
        (KnownBad::FaultsAfterMany, half_a_day("sfb2015-cu2", "", TLS)),
        (KnownBad::AcceptsAnyone, half_a_day("tls-only", "", TCP)),
        (KnownBad::BlocksOnMissing, half_a_day("sfb2015-cu2", "", TCP)),
        (
            KnownBad::NoJitter,
            half_a_day(
                "sfb2015-cu2",
                "",
                &format!("{TLS}reconnect = {{ delay = {{ uniform = [\"1s\", \"9s\"] }} }}\n"),
            ),
        ),
        (KnownBad::CostGrows, half_a_day("sfb2015-cu2", "", TLS)),
        (KnownBad::CaseSensitive, half_a_day("rfc9525", "", &named("{ dns = [\"Trunk.Example\"] }"))),
        (KnownBad::SubjectOnly, half_a_day("sfb2015-cu2", "", &named("{ dns = [\"trunk.example\"] }"))),
        (
            KnownBad::TrustsExpired,
            half_a_day("sfb2015-cu2", "", &format!("{TLS}validity = {{ not_after = \"150m\", replaced = \"3h\" }}\n")),
        ),
    ];
    assert_eq!(scenarios.len(), KnownBad::ALL.len());
    for (bad, plan) in scenarios {
        let audit = audited(&plan);
        assert_ne!(found(&audit, bad), &Found::CannotShow, "{}", bad.name());
        assert!(!bad.is_in(&plan), "{}", bad.name());
    }
}

#[test]
fn what_is_suggested_passes_with_the_own_logic_and_catches_the_bad_one() {
    let names = format!("{TLS}pool = \"trunk.example\"\nnames = {{ dns = [\"TRUNK.example\"] }}\n");
    let expiring = TLS.replace("trunk", "old") + "validity = { not_after = \"150m\", replaced = \"3h\" }\n";
    let mut plan = half_a_day("sfb2015-cu2", "", &format!("{TCP}{names}{expiring}"));
    let first = audited(&plan);
    let mut suggested = 0;
    for finding in &first.findings {
        if let Found::NotCaught(suggestion) = &finding.found {
            let line = &suggestion.as_ref().unwrap_or_else(|| panic!("none for {}", finding.bad.name())).line;
            plan.expect.push(expectation(&plan, finding.bad.name(), line).expect("a line for [expect]"));
            suggested += 1;
        }
    }
    assert!(suggested >= 4, "{first:#?}");
    for (before, after) in first.findings.iter().zip(audited(&plan).findings) {
        match before.found {
            Found::CannotShow => assert_eq!(after.found, Found::CannotShow),
            _ => assert!(matches!(after.found, Found::Caught(_)), "{after:?}"),
        }
    }
}

#[test]
fn a_connection_of_exactly_its_period_is_refreshed_a_period_later() {
    let plan = half_a_day("sfb2015-cu2", "anchor = \"own-age\"", TLS);
    let dues = |skips_exact_age| {
        let outcome = run(&Plan { skips_exact_age, ..plan.clone() }, &mut Unwatched).expect("it runs");
        outcome.meters.counted(0, Counter::Dues)
    };
    // Valid a little after 2m 5s, with a refresh an hour after each; or two, of which one is left out.
    assert_eq!((dues(false), dues(true)), (3 * 11, 3 * 5));
    let spread = Plan {
        refresh: plan.refresh.clone().map(|mut policy| {
            policy.spread = refresh_sim::time::Span::MINUTE;
            policy
        }),
        ..plan.clone()
    };
    assert_eq!(found(&audited(&spread), KnownBad::SkipsExactAge), &Found::CannotShow, "no age is exact with a spread");
    let ticks = half_a_day("sfb2015-cu2", "", TLS);
    let established = Plan { start: Start::Established, ..ticks.clone() };
    assert_ne!(found(&audited(&established), KnownBad::SkipsExactAge), &Found::CannotShow, "valid since the anchor");
    assert_eq!(found(&audited(&ticks), KnownBad::SkipsExactAge), &Found::CannotShow, "younger than a period at a tick");
}

#[test]
fn a_scenario_that_fails_by_itself_is_not_audited() {
    let mut plan = half_a_day("sfb2015-rtm", "", TCP);
    assert_eq!(
        audit(&plan, &NoPrograms, &mut Unwatched),
        Err(AuditError::OwnDoesNotPass(By::Crash("fe01".to_owned())))
    );
    plan.expect = vec![expectation(&plan, "lives", "crashes : value == 0").expect("a line")];
    assert_eq!(
        audit(&plan, &NoPrograms, &mut Unwatched),
        Err(AuditError::OwnDoesNotPass(By::Failed("lives".to_owned())))
    );
}

#[test]
fn a_defect_outlives_a_patch_that_brings_other_logic() {
    let patch =
        "[[timeline]]\nat = \"3h\"\ndo = \"patch\"\nfront_end = \"fe01\"\naway = \"1m\"\nvalidator = \"rfc5922\"\n";
    let names = "pool = \"trunk.example\"\nnames = { subject = \"trunk.example\", dns = [\"other.example\"] }\n";
    let plan = half_a_day("sfb2015-cu2", "", &format!("{TLS}{names}{patch}"));
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    assert!(outcome.meters.counted(0, Counter::Rejections) > 0, "the new logic does not read the subject");
    let audit = audited(&plan);
    // The base below the defect changes as the scenario says: nothing else is decided where the defect does not act.
    assert_eq!(found(&audit, KnownBad::TrustsExpired), &Found::CannotShow);
    assert_ne!(found(&audit, KnownBad::AcceptsAnyone), &Found::CannotShow);
}
