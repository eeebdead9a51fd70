//! Expectations that tell two outcomes of one scenario apart, the cheapest first.
//!
//! What an expectation costs is what its reader must know for it. So the order is: a plain number of the whole run
//! (crashes, outcomes of refreshes, rejections, losses), then one kind of question, then a latency of the whole run (its
//! largest value, its 99th, its 50th percentile), then the registry's other numbers, which have to be explained (shares of
//! use, drains); then all of these for one transport, then for one group.
//!
//! One that tells the two apart by a hair holds for this seed alone. So all are tried first with a margin: the two values
//! a tenth apart or more. Only then is any difference good enough.

use crate::measure::{ABSENT, Answered, COURSES, Figure, Metric, Outcome, Tags, Verdict};
use crate::report::{Value, coverage, figure, judge, upper_edge};
use crate::scenario::{Plan, expectation};
use crate::time::Span;
use crate::validate::{CertificateState, Transport};

use super::Suggestion;

/// Numbers of the whole run that need no explanation, in the order in which they are tried.
const PLAIN: [Figure; 16] = [
    Figure::Crashes,
    Figure::Up,
    Figure::Rejections,
    Figure::Losses,
    Figure::Dues,
    Figure::ValidInPlace,
    Figure::ValidByReconnect,
    Figure::Rejected,
    Figure::Recovered,
    Figure::Missed,
    Figure::Dropped,
    Figure::Unfinished,
    Figure::TimeOuts,
    Figure::RequestsTimedOut,
    Figure::RequestsLost,
    Figure::Availability,
];

/// Latencies, those first that matter most to whoever waits.
const LATENCIES: [Metric; 11] = [
    Metric::Refresh,
    Metric::Outage,
    Metric::Request,
    Metric::Connect,
    Metric::Attempt,
    Metric::Lateness,
    Metric::Sweep,
    Metric::Queue,
    Metric::Validation,
    Metric::Service,
    Metric::Lookup,
];

/// Aggregates of latencies, with their parts per million.
const AGGREGATES: [(&str, u32); 3] = [("max", 1_000_000), ("p99", 990_000), ("p50", 500_000)];

/// The margin of the first search: values are apart by at least one in so many of the greater.
const MARGIN: u32 = 10;

/// Groups of which single ones are looked at.
const GROUPS_MAX: usize = 64;

/// The cheapest expectation that passes with `own` and fails with `bad`; `None`: there is none among those tried.
pub(super) fn cheapest(plan: &Plan, own: &Outcome, bad: &Outcome) -> Option<Suggestion> {
    let with_margin = Pair { plan, own, bad, margin: MARGIN }.cheapest();
    with_margin.or_else(|| Pair { plan, own, bad, margin: 0 }.cheapest())
}

/// Two outcomes of one plan.
struct Pair<'a> {
    plan: &'a Plan,
    own: &'a Outcome,
    bad: &'a Outcome,
    margin: u32,
}

impl Pair<'_> {
    fn cheapest(&self) -> Option<Suggestion> {
        let whole = Tags::default();
        let is_of_the_rest = |figure: &Figure| !PLAIN.contains(figure) && *figure != Figure::Questions;
        let rest = Figure::ALL.iter().copied().filter(is_of_the_rest);
        let transports = [Transport::Tcp, Transport::Tls].map(|transport| (None, Some(transport)));
        let groups = self.plan.groups.iter().take(GROUPS_MAX).map(|group| (Some(group.name.clone()), None));
        let mut parts = transports.into_iter().chain(groups);
        self.figures(PLAIN, &whole)
            .or_else(|| self.questions())
            .or_else(|| self.latencies(&whole))
            .or_else(|| self.figures(rest, &whole))
            .or_else(|| {
                parts.find_map(|(group, transport)| self.with_tags(&Tags { group, transport, ..Tags::default() }))
            })
    }

    fn with_tags(&self, tags: &Tags) -> Option<Suggestion> {
        // Other figures take other tags; the line of one that does not take these is refused when it is tried.
        self.figures(PLAIN, tags)
            .or_else(|| self.latencies(tags))
            .or_else(|| self.figures(Figure::ALL.iter().copied().filter(|figure| !PLAIN.contains(figure)), tags))
    }

    fn figures(&self, which: impl IntoIterator<Item = Figure>, tags: &Tags) -> Option<Suggestion> {
        which.into_iter().find_map(|which| {
            let value = |outcome| figure(self.plan, outcome, which, tags);
            let limit = between(value(self.own)?, value(self.bad)?, self.margin)?;
            self.tried(format!("{}{} : value {limit}", which.name(), written(tags)))
        })
    }

    /// One kind of question and one answer.
    fn questions(&self) -> Option<Suggestion> {
        let name = |certificate: Option<CertificateState>| certificate.map_or(ABSENT, CertificateState::name);
        let (own, bad) = (coverage(self.plan, self.own), coverage(self.plan, self.bad));
        let kinds = own.iter().chain(&bad).map(|row| row.kind);
        kinds.into_iter().find_map(|kind| {
            let count = |rows: &[crate::report::Coverage], answered: Answered| {
                rows.iter().find(|row| row.kind == kind).map_or(0, |row| row.answered[answered as usize])
            };
            Answered::ALL.into_iter().rev().find_map(|answered| {
                let of = |rows| Value::Count(count(rows, answered));
                let limit = between(of(&own), of(&bad), self.margin)?;
                let (transport, phase, verdict) = (kind.transport.name(), kind.phase.name(), answered.name());
                let tags = format!(
                    "{{transport={transport},certificate={},phase={phase},verdict={verdict}}}",
                    name(kind.certificate)
                );
                self.tried(format!("questions{tags} : value {limit}"))
            })
        })
    }

    fn latencies(&self, tags: &Tags) -> Option<Suggestion> {
        LATENCIES.into_iter().find_map(|metric| {
            AGGREGATES.into_iter().find_map(|(aggregate, ppm)| {
                let own = upper_edge(self.own, metric, tags, ppm)?;
                // What is not known of the other, for it never ended, is longer than any limit.
                let bad = upper_edge(self.bad, metric, tags, ppm).map_or(u64::MAX, |span| span.0);
                let limit = limit(own.0.into(), bad.into(), self.margin)?;
                self.tried(format!("{}{} : {aggregate} <= {limit}", metric.name(), written(tags)))
            })
        })
    }

    /// The line as a suggestion, if it passes with one outcome and fails with the other.
    fn tried(&self, line: String) -> Option<Suggestion> {
        let expectation = expectation(self.plan, "suggested", &line).ok()?;
        let plan = Plan { expect: vec![expectation], ..self.plan.clone() };
        let of = |outcome| judge(&plan, outcome).pop();
        let (own, bad) = (of(self.own)?, of(self.bad)?);
        let tells = own.verdict == Verdict::Pass && bad.verdict == Verdict::Fail;
        tells.then_some(Suggestion { line, own: own.observed, bad: bad.observed })
    }
}

/// Tags as `[expect]` has them.
fn written(tags: &Tags) -> String {
    let group = tags.group.as_ref().map(|group| format!("group=\"{group}\""));
    let transport = tags.transport.map(|transport| format!("transport={}", transport.name()));
    let all: Vec<String> = group.into_iter().chain(transport).collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

/// Whether two numbers are apart by one in `margin` of the greater; 0: by anything.
fn apart(one: u128, other: u128, margin: u32) -> bool {
    let greater = one.max(other);
    one != other
        && one.abs_diff(other).saturating_mul(u128::from(margin.max(1))) >= if margin == 0 { 1 } else { greater }
}

/// A comparison that the first value passes and the second fails, if they are apart by the margin.
fn between(own: Value, bad: Value, margin: u32) -> Option<String> {
    match (own, bad) {
        (Value::Count(own), Value::Count(bad)) if !apart(own.into(), bad.into(), margin) => None,
        (Value::Count(0), Value::Count(_)) => Some("== 0".to_owned()),
        (Value::Count(own), Value::Count(bad)) if bad > own => Some(format!("<= {own}")),
        (Value::Count(own), Value::Count(_)) => Some(format!(">= {own}")),
        (Value::Share { part, whole }, Value::Share { part: bad_part, whole: bad_whole }) => {
            let ppm = |part: u128, whole: u128| part.saturating_mul(1_000_000) / whole.max(1);
            let (own, bad) = (ppm(part, whole), ppm(bad_part, bad_whole));
            let percent = |ppm: u128| format!("{}.{:04}%", ppm / 10_000, ppm % 10_000);
            // Near all of it, what is missing counts.
            let is_apart = apart(own, bad, margin) || apart(1_000_000 - own, 1_000_000 - bad, margin);
            match own.cmp(&bad) {
                _ if !is_apart => None,
                std::cmp::Ordering::Less => Some(format!("<= {}", percent(own + (bad - own) / 2))),
                std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => {
                    Some(format!(">= {}", percent(own - (own - bad) / 2)))
                }
            }
        }
        (Value::Length(own), Value::Length(bad) | Value::AtLeast(bad)) => {
            limit(own, bad, margin).map(|limit| format!("<= {limit}"))
        }
        (Value::Length(own), Value::Never(_)) => limit(own, u128::MAX, margin).map(|limit| format!("<= {limit}")),
        (Value::Course(own), Value::Course(bad)) if own != bad => COURSES.get(own).map(|word| format!("== {word}")),
        _ => None,
    }
}

/// A length that what takes `own` keeps and what takes `bad` does not: half-way, or twice the first if that is less.
fn limit(own: u128, bad: u128, margin: u32) -> Option<Span> {
    if own >= bad || !apart(own, bad, margin) {
        return None;
    }
    let half_way = own + (bad - own) / 2;
    let least = u64::try_from(half_way.min(own.saturating_mul(2)).max(own)).ok()?;
    Some(Span(rounded_up(least, u64::try_from(bad).unwrap_or(u64::MAX))))
}

/// A length with two digits, or a few more, that is at least `least` and below `bound`.
fn rounded_up(least: u64, bound: u64) -> u64 {
    let mut unit = 10u64.pow(least.checked_ilog10().unwrap_or(0).saturating_sub(1));
    loop {
        let up = least.checked_next_multiple_of(unit).unwrap_or(least);
        if up < bound || unit == 1 {
            return up;
        }
        unit /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_as_far_as_the_other_allows() {
        assert_eq!(rounded_up(13_412_345, 99_000_000), 14_000_000);
        assert_eq!(rounded_up(13_412_345, 13_900_000), 13_500_000);
        assert_eq!(rounded_up(13_412_345, 13_412_346), 13_412_345);
        assert_eq!(rounded_up(0, 5), 0);
        assert_eq!(rounded_up(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_limit_lies_between_what_passes_and_what_fails() {
        let count = Value::Count;
        assert_eq!(between(count(0), count(6), 10).as_deref(), Some("== 0"));
        assert_eq!(between(count(3), count(6), 10).as_deref(), Some("<= 3"));
        assert_eq!(between(count(6), count(3), 10).as_deref(), Some(">= 6"));
        assert_eq!(between(count(3), count(3), 0), None);
        let share = |part| Value::Share { part, whole: 3 };
        assert_eq!(between(share(2), share(1), 10).as_deref(), Some(">= 50.0000%"));
        assert_eq!(between(share(1), share(2), 10).as_deref(), Some("<= 49.9999%"));
        assert_eq!(between(Value::Length(70), Value::Never(1), 10).as_deref(), Some("<= 140ns"));
        assert_eq!(between(Value::Length(70), Value::Length(90), 10).as_deref(), Some("<= 80ns"));
        assert_eq!(between(Value::Length(7), Value::Length(7), 0), None);
        assert_eq!(between(Value::Course(6), Value::Course(1), 10).as_deref(), Some("== steady"));
    }

    #[test]
    fn what_differs_by_a_hair_is_no_first_choice() {
        let count = Value::Count;
        assert_eq!(between(count(31_692), count(31_690), 10), None);
        assert_eq!(between(count(31_692), count(31_690), 0).as_deref(), Some(">= 31692"));
        assert_eq!(between(Value::Length(1_000), Value::Length(1_050), 10), None);
        let share = |part| Value::Share { part, whole: 10_000 };
        assert!(between(share(9_999), share(9_990), 10).is_some(), "ten times as much is missing");
        assert_eq!(between(share(9_364), share(9_362), 10), None);
    }
}
