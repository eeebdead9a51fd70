//! Weighs expectations against an outcome: pass, fail, or inconclusive.
//!
//! A histogram knows a value only up to its bucket, a quantile with fewer than ten samples beyond it is not known, and
//! what did not end has no length. So each observation is a range in which it lies for sure. An expectation passes or
//! fails if all of the range does; else the run does not say (design rules 5 and 6).

use super::figures::{self, Value, dues, figure};
use super::latency::{Edges, Samples, cells, requests, requests_in_windows};
use super::signal;
use super::windows;
use super::words;
use crate::measure::{COURSES, CrashReport, Figure, Metric, Outcome, Shape, Tags, Verdict};
use crate::scenario::expect::{Aggregate, Between, Expectation, InPhase, Op, Subject};
use crate::scenario::plan::Plan;
use crate::time::Span;

/// An expectation after the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Its key.
    pub name: String,
    /// The line as written.
    pub text: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What was observed, in words.
    pub observed: String,
    /// How many samples that rests on, those without an end too; `None`: it is one value a run.
    pub samples: Option<u64>,
    /// Why it is inconclusive, or what else there is to know.
    pub why: Option<String>,
    /// Whether one replication in which it holds is enough.
    pub sometimes: bool,
}

/// Weighs each expectation of the plan.
pub fn judge(plan: &Plan, outcome: &Outcome) -> Vec<Judged> {
    plan.expect.iter().map(|expectation| one(plan, outcome, expectation)).collect()
}

/// The verdict on all of them: one that fails fails all, one that is inconclusive leaves all so.
///
/// `None`: nothing was expected.
pub fn overall(judged: &[Judged]) -> Option<Verdict> {
    judged.iter().map(|j| j.verdict).max()
}

/// A front end that crashed although no expectation about crashes is about it.
pub fn unmentioned_crash<'a>(plan: &'a Plan, outcome: &Outcome) -> Option<&'a str> {
    let is_mentioned = |crash: &CrashReport, front_end: &str| {
        plan.expect.iter().any(|expectation| {
            let is_about_crashes =
                matches!(expectation.subject, Subject::Figure(Figure::Crashes | Figure::FirstCrash | Figure::CrashAge));
            is_about_crashes
                && expectation.tags.front_end.as_deref().is_none_or(|tag| tag == front_end)
                && expectation.window.is_none_or(|window| window.holds(crash.at))
        })
    };
    let name = |crash: &CrashReport| plan.front_ends[usize::from(crash.front_end)].name.as_str();
    outcome.crashes.iter().find(|crash| !is_mentioned(crash, name(crash))).map(name)
}

fn one(plan: &Plan, outcome: &Outcome, expectation: &Expectation) -> Judged {
    let found = if outcome.interrupted {
        Found::unknown("not judged", "the run was interrupted")
    } else {
        match expectation.subject {
            Subject::Latency(metric) => latency(plan, outcome, expectation, metric),
            Subject::Figure(which) => of_figure(plan, outcome, expectation, which),
            Subject::Signal(which) => signal::judge(plan, outcome, expectation, which),
        }
    };
    Judged {
        name: expectation.name.clone(),
        text: expectation.text.clone(),
        verdict: found.verdict,
        observed: found.observed,
        samples: found.samples,
        why: found.why,
        sometimes: expectation.is_sometimes(),
    }
}

/// What was found about one expectation.
pub(super) struct Found {
    pub(super) verdict: Verdict,
    pub(super) observed: String,
    pub(super) samples: Option<u64>,
    pub(super) why: Option<String>,
}

impl Found {
    pub(super) fn unknown(observed: &str, why: impl Into<String>) -> Found {
        Found { verdict: Verdict::Inconclusive, observed: observed.to_owned(), samples: None, why: Some(why.into()) }
    }
}

/// Whether a value somewhere between `low` and `high` (`None`: without end) compares with `limit` as it should.
pub(super) fn holds(op: Op, low: u128, high: Option<u128>, limit: u128) -> Option<bool> {
    let (all_below, all_above) = (high.is_some_and(|high| high < limit), low > limit);
    let (none_above, none_below) = (high.is_some_and(|high| high <= limit), low >= limit);
    let (yes, no) = match op {
        Op::Less => (all_below, none_below),
        Op::AtMost => (none_above, all_above),
        Op::AtLeast => (none_below, all_below),
        Op::More => (all_above, none_above),
        Op::Equal => (none_above && none_below, all_below || all_above),
        Op::NotEqual => (all_below || all_above, none_above && none_below),
    };
    if yes { Some(true) } else { no.then_some(false) }
}

/// What is compared with: a number, or what a baseline has, with what may be added to it.
#[derive(Clone, Copy)]
struct Limit {
    low: u128,
    /// `None`: never.
    high: Option<u128>,
}

impl Limit {
    fn of(plan: &Plan, expectation: &Expectation) -> Result<Limit, String> {
        let Some(against) = &expectation.against else {
            return Ok(Limit { low: expectation.limit.into(), high: Some(expectation.limit.into()) });
        };
        if against.values.is_empty() {
            return Err("there is no baseline to compare with; `refresh-sim baseline accept` makes one".to_owned());
        }
        let value = against.values.get(plan.replication as usize).copied().flatten();
        let (low, high) =
            value.ok_or_else(|| format!("the baseline has no value of it in replication {}", plan.replication))?;
        let share = (1_000_000 + against.change_ppm).max(0).unsigned_abs();
        // Rounded as the line means it to the nearest: a limit lies within a nanosecond anyway.
        let scaled = |value: u64| (u128::from(value) * u128::from(share) + 500_000) / 1_000_000;
        Ok(Limit { low: scaled(low), high: high.map(scaled) })
    }

    /// Whether a value between `low` and `high` compares as it should with every limit that this may be.
    fn holds(self, op: Op, low: u128, high: Option<u128>) -> Option<bool> {
        // Two runs that put the same value into the same bucket are equal, whatever the bucket's width.
        if (low, high) == (self.low, self.high) {
            return Some(matches!(op, Op::AtMost | Op::AtLeast | Op::Equal));
        }
        let with = |limit: Option<u128>| match limit {
            Some(limit) => holds(op, low, high, limit),
            // Nothing is above never, and only never is not below it.
            None => high.map(|_| matches!(op, Op::Less | Op::AtMost | Op::NotEqual)),
        };
        let (least, most) = (with(Some(self.low)), with(self.high));
        if least == most { least } else { None }
    }
}

/// What a baseline keeps of each expectation that is against one: where the value lies for sure in this run.
pub fn observe(plan: &Plan, outcome: &Outcome, expectation: &Expectation) -> Option<Between> {
    let narrow = |wide: u128| u64::try_from(wide).unwrap_or(u64::MAX);
    match expectation.subject {
        Subject::Signal(_) => None,
        Subject::Figure(which) => {
            let value = if expectation.phase == Some(InPhase::Windows) {
                let counts = requests_in_windows(outcome, &cells(outcome, &expectation.tags))?;
                figures::of_requests(which, &counts)
            } else {
                figure(plan, outcome, which, &expectation.tags)
            };
            let (low, high) = kept(value?);
            Some((narrow(low), high.map(narrow)))
        }
        Subject::Latency(metric) => {
            let samples = match expectation.window {
                None => Samples::of(outcome, metric, &expectation.tags, expectation.phase),
                Some(window) => Samples::within(outcome, metric, &expectation.tags, expectation.phase, window),
            };
            if expectation.aggregate == Aggregate::Count {
                return Some((samples.finite(), Some(samples.finite())));
            }
            let (edges, known) = range(expectation.aggregate, &samples, samples.never_max);
            (known && samples.ranked() > 0).then_some((edges.low, edges.high))
        }
    }
}

/// Where a value lies for sure, shares in parts per billion: a front end that idles most of the day has small ones.
fn kept(value: Value) -> (u128, Option<u128>) {
    match value {
        Value::Share { part, whole } => {
            let ppb = (part.saturating_mul(1_000_000_000) + whole / 2) / whole.max(1);
            (ppb, Some(ppb))
        }
        other => bounds(other, 0),
    }
}

fn verdict(holds: Option<bool>) -> Verdict {
    match holds {
        Some(true) => Verdict::Pass,
        Some(false) => Verdict::Fail,
        None => Verdict::Inconclusive,
    }
}

// ---- latencies

fn latency(plan: &Plan, outcome: &Outcome, expectation: &Expectation, metric: Metric) -> Found {
    if let Some(found) = no_such_group(plan, outcome, expectation) {
        return found;
    }
    let samples = match expectation.window {
        None => Samples::of(outcome, metric, &expectation.tags, expectation.phase),
        Some(window) => Samples::within(outcome, metric, &expectation.tags, expectation.phase, window),
    };
    if expectation.phase == Some(InPhase::Windows)
        && let Some(why) = windows::unknown(plan, outcome)
    {
        return Found { samples: Some(samples.ranked()), ..Found::unknown("not known", why) };
    }
    if expectation.aggregate == Aggregate::Count {
        return counted(plan, expectation, &samples);
    }
    let n = samples.ranked();
    if samples.finite() + samples.never_max == 0 {
        let why = match expectation.window {
            Some(_) => format!("nothing of `{}` began in the window", metric.name()),
            None => nothing_measured(plan, outcome, metric, expectation.phase),
        };
        return Found { samples: Some(0), ..Found::unknown("no samples", why) };
    }
    let least = range(expectation.aggregate, &samples, samples.never_min);
    let most = range(expectation.aggregate, &samples, samples.never_max);
    let limit = match Limit::of(plan, expectation) {
        Ok(limit) => limit,
        Err(why) => {
            let observed = observed(&samples, expectation, least, most.0);
            return Found { verdict: Verdict::Inconclusive, observed, samples: Some(n), why: Some(why) };
        }
    };
    let weigh = |edges: Edges| limit.holds(expectation.op, edges.low.into(), edges.high.map(u128::from));
    let (low, high) = (weigh(least.0), weigh(most.0));
    let observed = observed(&samples, expectation, least, most.0);
    if n < expectation.min_samples {
        let why = format!("{}, and {} are asked for", samples_in_words(n), words::count(expectation.min_samples));
        return Found { verdict: Verdict::Inconclusive, observed, samples: Some(n), why: Some(why) };
    }
    let holds = if low == high { low } else { None };
    let why = holds.is_none().then(|| why_not(&samples, expectation, least, low, high));
    Found { verdict: verdict(holds), observed, samples: Some(n), why }
}

fn samples_in_words(n: u64) -> String {
    match n {
        1 => "there is 1 sample".to_owned(),
        n => format!("there are {} samples", words::count(n)),
    }
}

/// Tags that nothing has, or that only the fold of many groups has.
fn no_such_group(plan: &Plan, outcome: &Outcome, expectation: &Expectation) -> Option<Found> {
    let tags = &expectation.tags;
    if (tags.group.is_none() && tags.transport.is_none()) || !cells(outcome, tags).is_empty() {
        return None;
    }
    let exists = tags.group.as_ref().is_some_and(|name| plan.groups.iter().any(|group| group.name == *name));
    let why = if exists && tags.transport.is_none() {
        "the group is beyond the 64th and was measured together with others as `other`"
    } else {
        "no group has these tags"
    };
    Some(Found::unknown("nothing matches", why))
}

fn nothing_measured(plan: &Plan, outcome: &Outcome, metric: Metric, phase: Option<InPhase>) -> String {
    let of_refreshes = matches!(metric, Metric::Refresh | Metric::Lateness | Metric::Sweep);
    if metric == Metric::Request && plan.senders() == 0 {
        return "no group sends requests".to_owned();
    }
    if of_refreshes && plan.refresh.is_none() {
        "the plan has no refresh".to_owned()
    } else if of_refreshes && dues(outcome) == 0 {
        format!("no refresh fell due within {}", words::about(plan.horizon))
    } else if let Some(InPhase::Cycle(cycle)) = phase {
        format!("nothing was measured of refresh {cycle}")
    } else {
        format!("nothing was measured of `{}`", metric.name())
    }
}

fn counted(plan: &Plan, expectation: &Expectation, samples: &Samples) -> Found {
    let n = samples.finite();
    let observed = words::count(n);
    // Some that never ended may have begun in the window; they are no samples.
    let limit = match Limit::of(plan, expectation) {
        Ok(limit) => limit,
        Err(why) => return Found { verdict: Verdict::Inconclusive, observed, samples: Some(n), why: Some(why) },
    };
    let holds = limit.holds(expectation.op, n.into(), Some(n.into()));
    if n < expectation.min_samples {
        let why = format!("{}, and {} are asked for", samples_in_words(n), words::count(expectation.min_samples));
        return Found { verdict: Verdict::Inconclusive, observed, samples: Some(n), why: Some(why) };
    }
    Found { verdict: verdict(holds), observed, samples: Some(n), why: None }
}

/// Where the aggregate lies for sure, and whether that is one bucket.
fn range(aggregate: Aggregate, samples: &Samples, never: u64) -> (Edges, bool) {
    match aggregate {
        Aggregate::Quantile(ppm) => samples.quantile(ppm, never),
        Aggregate::Min => (samples.min(), true),
        Aggregate::Max => (samples.max(never), true),
        Aggregate::Mean => (samples.mean(never), never == 0),
        // A latency has no `value`; the grammar knows that.
        _ => (Edges { low: 0, high: None }, false),
    }
}

fn observed(samples: &Samples, expectation: &Expectation, found: (Edges, bool), most: Edges) -> String {
    let (edges, known) = found;
    let limit = Span(expectation.limit);
    let rank = |edge: Option<u64>| edge.map_or_else(|| "never".to_owned(), |ns| length(Span(ns), limit));
    let (low, high) = (rank(Some(edges.low)), rank(most.high));
    let value = if !known && low != high {
        format!("between {low} and {high}")
    } else if !known {
        high
    } else if edges != most {
        format!("{} or later", rank(edges.high))
    } else {
        rank(edges.high)
    };
    let n = match (samples.finite(), samples.never_min) {
        (finite, 0) => format!("n {}", words::count(finite)),
        (finite, never) => {
            format!("n {}, {} of them never", words::count(finite + never), words::count(never))
        }
    };
    format!("{value} ({n})")
}

/// A length in words; exact where rounding would make it look like the limit.
fn length(span: Span, limit: Span) -> String {
    let rounded = words::about(span);
    if span != limit && rounded == words::about(limit) { span.to_string() } else { rounded }
}

fn why_not(
    samples: &Samples,
    expectation: &Expectation,
    found: (Edges, bool),
    low: Option<bool>,
    high: Option<bool>,
) -> String {
    let open = samples.never_max - samples.never_min;
    if low != high && open > 0 {
        let n = words::plural(open, "that never ended", "that never ended");
        let stretch = if expectation.window.is_some() { "began in the window" } else { "belong to that cycle" };
        return format!("it depends on how many of {n} {stretch}");
    }
    match expectation.aggregate {
        Aggregate::Mean if samples.never_min > 0 => {
            format!("{} never ended valid, so their mean has no upper bound", words::count(samples.never_min))
        }
        Aggregate::Quantile(_) if !found.1 => "fewer than 10 samples lie beyond it, so it is not known".to_owned(),
        _ => {
            let high = found.0.high.map_or_else(|| "never".to_owned(), |ns| Span(ns).to_string());
            format!("the limit lies within the histogram's bucket {} to {high}", Span(found.0.low))
        }
    }
}

// ---- figures

fn of_figure(plan: &Plan, outcome: &Outcome, expectation: &Expectation, which: Figure) -> Found {
    if let Some(found) = no_such_group(plan, outcome, expectation) {
        return found;
    }
    let in_windows = expectation.phase == Some(InPhase::Windows);
    if in_windows && let Some(why) = windows::unknown(plan, outcome) {
        return Found::unknown("not known", why);
    }
    let value = if in_windows {
        requests_in_windows(outcome, &cells(outcome, &expectation.tags))
            .and_then(|counts| figures::of_requests(which, &counts))
    } else {
        figure(plan, outcome, which, &expectation.tags)
    };
    let Some(mut value) = value else {
        return Found::unknown("no data", no_value(plan, outcome, which));
    };
    if let (Some(window), Value::Count(_)) = (expectation.window, value) {
        if window.from > outcome.ended {
            return Found::unknown("no data", "the run ended before the window began");
        }
        let crashes = figures::crashes(outcome, &expectation.tags).filter(|crash| window.holds(crash.at));
        value = Value::Count(crashes.count() as u64);
    }
    let observed = in_words(value, which, expectation.limit);
    if let Some(why) = vacuous(plan, outcome, which, value) {
        return Found { observed, ..Found::unknown("", why) };
    }
    let holds = if expectation.against.is_some() {
        // In the unit that baselines keep.
        let limit = match Limit::of(plan, expectation) {
            Ok(limit) => limit,
            Err(why) => return Found { observed, ..Found::unknown("", why) },
        };
        let (low, high) = kept(value);
        limit.holds(expectation.op, low, high)
    } else {
        let (low, high) = bounds(value, expectation.limit);
        holds(expectation.op, low, high, limit(value, expectation.limit))
    };
    if which == Figure::Questions
        && holds == Some(true)
        && let Some(why) = never_asked(outcome, &expectation.tags)
    {
        return Found { observed, ..Found::unknown("", why) };
    }
    let why = holds.is_none().then(|| "it was not over when the run ended".to_owned());
    Found { verdict: verdict(holds), observed, samples: None, why }
}

/// No crash where nothing was put to the test is not a pass: the refresh that the plan has never came.
fn vacuous(plan: &Plan, outcome: &Outcome, which: Figure, value: Value) -> Option<String> {
    let nothing = match (which, value) {
        (Figure::Crashes, Value::Count(0)) => true,
        (Figure::Verdict, Value::Course(nth)) => COURSES.get(nth) == Some(&"steady"),
        _ => false,
    };
    if !nothing || !outcome.crashes.is_empty() {
        return None;
    }
    if plan.refresh.is_some() && dues(outcome) == 0 {
        let ran = words::about(outcome.ended.since(crate::time::Time::ZERO));
        return Some(format!("no refresh fell due in the {ran} of the run, so nothing was put to the test"));
    }
    (!figures::asked(outcome)).then(|| "no validator was ever asked".to_owned())
}

/// No fault, or no rejection, where nobody was asked is not a pass. (That nobody was asked where somebody should have been
/// is a failure, for that is known.)
fn never_asked(outcome: &Outcome, tags: &Tags) -> Option<String> {
    let cells = cells(outcome, tags);
    if outcome.questions.total(&cells, &Tags::default()) == 0 {
        return Some("no validator was ever asked".to_owned());
    }
    let without = Tags { verdict: None, ..tags.clone() };
    let nobody = tags.verdict.is_some() && outcome.questions.total(&cells, &without) == 0;
    nobody.then(|| "no such question was ever asked, so there was no answer either".to_owned())
}

/// A share is compared in units of half a part per million times its whole, exactly; others as they are.
fn limit(value: Value, limit: u64) -> u128 {
    match value {
        Value::Share { whole, .. } => u128::from(limit) * whole,
        Value::Count(_) | Value::Length(_) | Value::AtLeast(_) | Value::Never(_) | Value::Course(_) => limit.into(),
    }
}

/// Where a value lies for sure, in the unit of [`limit`].
///
/// Limits of shares are rounded to a part per million when they are read (`1/3`), so a share that rounds to the limit
/// is equal to it; but not to 0 or 100 %, which are exact.
fn bounds(value: Value, limit: u64) -> (u128, Option<u128>) {
    match value {
        Value::Count(n) => (n.into(), Some(n.into())),
        Value::Length(ns) => (ns, Some(ns)),
        Value::AtLeast(ns) => (ns, None),
        Value::Never(_) => (u128::MAX, None),
        Value::Course(nth) => (nth as u128, Some(nth as u128)),
        Value::Share { part, whole } => {
            let rounds = value.ppm() == Some(limit) && limit > 0 && limit < 1_000_000;
            let scaled = if rounds { u128::from(limit) * whole } else { part.saturating_mul(1_000_000) };
            (scaled, Some(scaled))
        }
    }
}

fn no_value(plan: &Plan, outcome: &Outcome, which: Figure) -> String {
    match which {
        Figure::FirstCrash | Figure::CrashAge => "there was no crash".to_owned(),
        Figure::PoolFalls => "there is no [pool]".to_owned(),
        Figure::Reconnected50 | Figure::Reconnected99 | Figure::Reconnected100 => {
            "no crash took a valid connection".to_owned()
        }
        Figure::DrainIdeal | Figure::DrainActual | Figure::Recovery => {
            "no tick took a connection and nothing crashed".to_owned()
        }
        Figure::Rejections => "no validator was ever asked".to_owned(),
        Figure::Availability | Figure::PeerTimeLost => "no peer was there".to_owned(),
        Figure::WorkerUtilisation | Figure::CoreUtilisation | Figure::DisconnectedMax => {
            "no front end ever served".to_owned()
        }
        Figure::Goodput if requests(outcome, &cells(outcome, &Tags::default())).is_some() => {
            "no request fell due whose peer stayed".to_owned()
        }
        Figure::RequestsDue
        | Figure::RequestsInTime
        | Figure::RequestsTimedOut
        | Figure::RequestsLost
        | Figure::RequestsFailed
        | Figure::RequestsDeparted
        | Figure::RequestsUnfinished
        | Figure::Goodput => "no group of these sends requests".to_owned(),
        Figure::GoodputBefore | Figure::GoodputDuring | Figure::GoodputAfter | Figure::RequestRecovery => {
            match &outcome.goodput {
                None => "no group sends requests that time out".to_owned(),
                Some(goodput) if goodput.open().or(goodput.longest.as_ref()).is_none() => {
                    "no tick took a connection and nothing crashed".to_owned()
                }
                Some(_) => "no request was due there".to_owned(),
            }
        }
        Figure::FullHandshakes | Figure::ResumedHandshakes | Figure::DeclinedSessions => {
            "no group of these has a `[group.tls]`".to_owned()
        }
        Figure::BytesToFrontEnds | Figure::BytesToPeers => {
            "no group of these has a `[group.tls]`, or one of them does not say its bytes".to_owned()
        }
        Figure::WastedWork => "no CPU was used".to_owned(),
        Figure::Crashes | Figure::QueueMax | Figure::AcceptQueueMax | Figure::Up => {
            "no front end has these tags".to_owned()
        }
        _ if plan.refresh.is_none() => "the plan has no refresh".to_owned(),
        _ if dues(outcome) == 0 => format!("no refresh fell due within {}", words::about(plan.horizon)),
        _ => "no refresh of these groups fell due".to_owned(),
    }
}

/// A figure's value in words.
fn in_words(value: Value, which: Figure, limit: u64) -> String {
    let wide = |ns: u128| match u64::try_from(ns) {
        Ok(ns) if which.shape() == Shape::Length => length(Span(ns), Span(limit)),
        _ => words::about_sum(ns),
    };
    match value {
        Value::Count(n) => words::count(n),
        Value::Share { part, whole } => words::percent(part, whole),
        Value::Length(ns) => wide(ns),
        Value::AtLeast(ns) => format!("more than {}", wide(ns)),
        Value::Never(ns) => format!("never, {} so far", wide(ns)),
        Value::Course(nth) => COURSES.get(nth).copied().unwrap_or("?").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPS: [Op; 6] = [Op::Less, Op::AtMost, Op::Equal, Op::NotEqual, Op::AtLeast, Op::More];

    fn plain(op: Op, value: u128, limit: u128) -> bool {
        match op {
            Op::Less => value < limit,
            Op::AtMost => value <= limit,
            Op::Equal => value == limit,
            Op::NotEqual => value != limit,
            Op::AtLeast => value >= limit,
            Op::More => value > limit,
        }
    }

    #[test]
    fn a_range_passes_if_all_of_it_does_and_fails_if_none_of_it_does() {
        for op in OPS {
            for (low, high, limit) in (0..6).flat_map(|l| (l..6).flat_map(move |h| (0..7).map(move |x| (l, h, x)))) {
                let all = (low..=high).all(|value| plain(op, value, limit));
                let none = !(low..=high).any(|value| plain(op, value, limit));
                let expected = if all { Some(true) } else { none.then_some(false) };
                assert_eq!(holds(op, low, Some(high), limit), expected, "{op:?} {low}..={high} {limit}");
            }
        }
    }

    #[test]
    fn what_never_ends_fails_an_upper_bound_and_passes_a_lower_one() {
        assert_eq!(holds(Op::AtMost, 9, None, 8), Some(false));
        assert_eq!(holds(Op::AtMost, 7, None, 8), None);
        assert_eq!(holds(Op::AtLeast, 8, None, 8), Some(true));
        assert_eq!(holds(Op::Equal, 9, None, 8), Some(false));
        assert_eq!(holds(Op::NotEqual, 9, None, 8), Some(true));
    }

    #[test]
    fn shares_are_compared_exactly_at_the_ends_and_to_a_part_per_million_between() {
        let nearly_all = Value::Share { part: 999_999_999, whole: 1_000_000_000 };
        let third = Value::Share { part: 1, whole: 3 };
        let weigh = |value, op, ppm| {
            let (low, high) = bounds(value, ppm);
            holds(op, low, high, limit(value, ppm))
        };
        assert_eq!(weigh(nearly_all, Op::AtLeast, 1_000_000), Some(false));
        assert_eq!(weigh(nearly_all, Op::AtLeast, 999_999), Some(true));
        assert_eq!(weigh(third, Op::AtMost, 333_333), Some(true));
        assert_eq!(weigh(third, Op::Equal, 333_333), Some(true));
        assert_eq!(weigh(third, Op::Less, 333_333), Some(false));
    }
}
