//! Look-ups made at random, and what must hold of any.

use refresh_sim::measure::{Decision, Looked, Metric, Outcome, What};
use refresh_sim::policy::Ratio;
use refresh_sim::policy::lookup::{Condition, Lives, Lookup, Lookups, OnFailure, Sharing, Waiting};
use refresh_sim::scenario::plan::Plan;
use refresh_sim::time::{Span, Time};

use super::plans::Choices;

fn share(of: &mut Choices<'_>) -> Ratio {
    let denominator = 1 + of.below(8) as u32;
    Ratio::new(of.below(u64::from(denominator) + 1) as u32, denominator)
}

fn condition(of: &mut Choices<'_>) -> Condition {
    match of.below(4) {
        0 => Condition::Failing(None),
        1 => Condition::Failing(Some(of.dist(Span::ZERO, Span::SECOND.times(30)))),
        2 => Condition::Slower(Ratio::new(1 + of.below(50) as u32, 1 + of.below(3) as u32)),
        _ => Condition::Well,
    }
}

fn lookup(of: &mut Choices<'_>, number: u64, horizon: Span) -> Lookup {
    let life = |of: &mut Choices<'_>| if of.yes() { of.span(Span(1), horizon) } else { Span::ZERO };
    let mut changes: Vec<(Time, Condition)> =
        (0..of.below(4)).map(|_| (Time(of.span(Span::ZERO, horizon).0), condition(of))).collect();
    changes.sort_by_key(|(at, _)| *at);
    Lookup {
        failure: share(of),
        negative: share(of),
        timeout: if of.yes() { Some(of.span(Span::ZERO, Span::SECOND.times(20))) } else { None },
        mode: of.one_of(&[Waiting::Blocking, Waiting::Freeing]),
        single_flight: of.yes(),
        lives: Lives { positive: life(of), negative: life(of), soft_fail: life(of) },
        key: of.one_of(&[Sharing::FrontEnd, Sharing::Group, Sharing::Peer]),
        accept: of.below(4) != 3,
        refresh: of.below(4) != 3,
        tcp: of.below(4) != 3,
        tls: of.below(4) != 3,
        cpu_before: share(of),
        on_failure: of.one_of(&[OnFailure::SoftFail, OnFailure::HardFail]),
        changes,
        ..Lookup::new(&format!("l{number}"), of.dist(Span::ZERO, Span::SECOND.times(20)))
    }
}

pub(super) fn drawn(of: &mut Choices<'_>, horizon: Span) -> Lookups {
    Lookups {
        each: (0..of.below(4)).map(|n| lookup(of, n, horizon)).collect(),
        total: if of.yes() { Some(of.span(Span::ZERO, Span::SECOND.times(30))) } else { None },
        of_verdict: of.one_of(&[Waiting::Blocking, Waiting::Freeing]),
    }
}

/// Look-ups are made, joined and answered as the decisions tell it, and no fetch ends twice.
pub(super) fn check(plan: &Plan, outcome: &Outcome, seen: &[Decision]) {
    let told = |what, number: u8| seen.iter().filter(|d| d.what == what && d.detail % 4 == number).count() as u64;
    let looked = outcome.front_ends.iter().flat_map(|f| &f.looked).fold(Looked::default(), |sum, next| sum.and(next));
    let begun = [looked.made, looked.cached, looked.joined, looked.skipped];
    assert_eq!(begun, [0, 1, 2, 3].map(|how| told(What::LookUp, how)));
    let ended = looked.positive + looked.negative + looked.failed + looked.timed_out;
    assert!(ended <= looked.made, "{looked:?}");
    let waited = outcome.meters.histograms().filter(|f| f.0 == Metric::Lookup).map(|f| f.3.len()).sum::<u64>();
    let over = (0..4).map(|found| told(What::LookedUp, found)).sum::<u64>();
    assert!(waited <= over && (over == waited || plan.measure.from > Time::ZERO));
    let rejoined = told(What::Rejoined, 0);
    let away: u64 = outcome.front_ends.iter().map(|f| f.account.away_jobs()).sum();
    let frees = plan.lookups.each.iter().any(|l| l.mode == Waiting::Freeing);
    assert!(frees || plan.lookups.of_verdict == Waiting::Freeing || rejoined + away == 0);
}
