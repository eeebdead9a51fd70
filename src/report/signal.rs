//! Weighs what the series shows from look to look: always, never, sometimes, eventually.
//!
//! The series is taken every `measure.sample`, and so a look is what it says: what comes and goes between two looks is
//! not seen. A look has the state at its instant; without a look in the stretch that is asked for nothing can be said.

use super::judge::{Found, holds};
use super::words;
use crate::measure::{Outcome, Sample, Signal, Verdict, Window};
use crate::scenario::expect::{Aggregate, Expectation};
use crate::scenario::plan::Plan;
use crate::time::{Span, Time};

/// The value of a signal from a look on, until the next entry.
struct Look {
    at: Time,
    value: u64,
}

/// What is looked at, and when.
struct Looks {
    /// Where the value changed; in order of time.
    changes: Vec<Look>,
    every: Span,
    ended: Time,
}

impl Looks {
    fn of(plan: &Plan, outcome: &Outcome, expectation: &Expectation, which: Signal) -> Looks {
        let name = expectation.tags.front_end.as_deref();
        let mut last: Vec<Option<Sample>> = vec![None; outcome.front_ends.len()];
        let mut changes: Vec<Look> = Vec::new();
        let mut series = outcome.series.iter().peekable();
        while let Some(sample) = series.next() {
            if let Some(own) = last.get_mut(usize::from(sample.front_end)) {
                *own = Some(*sample);
            }
            if series.peek().is_some_and(|next| next.at == sample.at) {
                continue;
            }
            let value = value(outcome, &last, name, which);
            if changes.last().is_none_or(|look| look.value != value) {
                changes.push(Look { at: sample.at, value });
            }
        }
        Looks { changes, every: plan.measure.sample, ended: outcome.ended }
    }

    /// How many looks fall into a stretch that ends before `to`. The first is one `every` after the run's begin.
    fn count(&self, from: Time, to: Time) -> u64 {
        let to = to.min(Time(self.ended.0.saturating_add(1)));
        let upto = |at: Time| at.0.saturating_sub(1) / self.every.0.max(1);
        upto(to).saturating_sub(upto(Time(from.0.max(1))))
    }

    /// Stretches of equal value within `from..to` that hold a look, with the instant of their first look.
    fn stretches(&self, from: Time, to: Time) -> impl Iterator<Item = Look> + '_ {
        let ends = self.changes.iter().skip(1).map(|look| look.at).chain([Time::NEVER]);
        self.changes.iter().zip(ends).filter_map(move |(look, end)| {
            let (begin, end) = (look.at.max(from), end.min(to));
            (begin < end && self.count(begin, end) > 0).then(|| Look { at: self.next(begin), value: look.value })
        })
    }

    /// The first look at this instant or after it.
    fn next(&self, at: Time) -> Time {
        let every = self.every.0.max(1);
        Time(at.0.max(1).div_ceil(every).saturating_mul(every))
    }
}

fn value(outcome: &Outcome, last: &[Option<Sample>], name: Option<&str>, which: Signal) -> u64 {
    let is_meant = |place: usize| name.is_none_or(|name| outcome.front_ends[place].name == name);
    let those = || last.iter().enumerate().filter(|(place, _)| is_meant(*place)).filter_map(|(_, sample)| *sample);
    match which {
        Signal::Serving => those().filter(|sample| sample.up).count() as u64,
        Signal::Valid => those().map(|sample| sample.valid).sum(),
        Signal::Queued => those().map(|sample| sample.queued).sum(),
        Signal::Busy => those().map(|sample| u64::from(sample.busy)).sum(),
        // Of all front ends, in each row: the latest has it.
        Signal::Disconnected => last.iter().flatten().max_by_key(|sample| sample.at).map_or(0, |s| s.disconnected),
    }
}

/// Weighs an expectation on a signal.
pub(super) fn judge(plan: &Plan, outcome: &Outcome, expectation: &Expectation, which: Signal) -> Found {
    let looks = Looks::of(plan, outcome, expectation, which);
    let window = expectation.window.unwrap_or(Window { from: Time::ZERO, to: Time::NEVER });
    let is_so =
        |value: u64| holds(expectation.op, value.into(), Some(value.into()), expectation.limit.into()).unwrap_or(false);
    match expectation.aggregate {
        Aggregate::Eventually { within, of_crash } => {
            eventually(outcome, &looks, window, within, of_crash, &is_so, expectation)
        }
        Aggregate::Always => at_each(&looks, window, |value| !is_so(value), Verdict::Fail),
        Aggregate::Never => at_each(&looks, window, is_so, Verdict::Fail),
        _ => at_each(&looks, window, is_so, Verdict::Pass),
    }
}

/// The first look at which it `is_it` gives the verdict `then`; that there is none gives the other.
fn at_each(looks: &Looks, window: Window, is_it: impl Fn(u64) -> bool, then: Verdict) -> Found {
    let n = looks.count(window.from, window.to);
    if n == 0 {
        return no_look(looks);
    }
    let times = words::plural(n, "look", "looks");
    let found = looks.stretches(window.from, window.to).find(|look| is_it(look.value));
    let (verdict, observed) = match found {
        Some(look) => (then, format!("{} at {} (of {times})", words::count(look.value), words::instant(look.at))),
        None => {
            let (least, most) = looks
                .stretches(window.from, window.to)
                .fold((u64::MAX, 0), |(least, most), look| (least.min(look.value), most.max(look.value)));
            let other = if then == Verdict::Fail { Verdict::Pass } else { Verdict::Fail };
            (other, format!("{} to {} (at {times})", words::count(least), words::count(most)))
        }
    };
    Found { verdict, observed, samples: Some(n), why: None }
}

fn no_look(looks: &Looks) -> Found {
    let why = format!("there was no look in it: there is one every {}", looks.every);
    Found { samples: Some(0), ..Found::unknown("no looks", why) }
}

fn eventually(
    outcome: &Outcome,
    looks: &Looks,
    window: Window,
    within: Span,
    of_crash: bool,
    is_so: &impl Fn(u64) -> bool,
    expectation: &Expectation,
) -> Found {
    let name = expectation.tags.front_end.as_deref();
    let is_meant = |place: u16| name.is_none_or(|name| outcome.front_ends[usize::from(place)].name == name);
    let begins: Vec<Time> = if of_crash {
        let crashes = outcome.crashes.iter().filter(|crash| is_meant(crash.front_end) && window.holds(crash.at));
        crashes.map(|crash| crash.at).collect()
    } else {
        vec![window.from]
    };
    if begins.is_empty() {
        return Found::unknown("no crash", "there was no crash after which it could be looked at");
    }
    let mut longest = Span::ZERO;
    let mut unknown = None;
    for begin in &begins {
        // What the crash leaves is seen at the first look after it.
        let from = Time(begin.0.saturating_add(u64::from(of_crash)));
        let to = Time(begin.0.saturating_add(within.0).saturating_add(1)).min(window.to.max(from));
        match looks.stretches(from, to).find(|look| is_so(look.value)) {
            Some(look) => longest = longest.max(look.at.since(*begin)),
            None if looks.count(from, to) == 0 => unknown = Some(no_look(looks)),
            None if to.0 > looks.ended.0.saturating_add(1) => {
                let why = format!("the run ended before {} were over", words::about(within));
                unknown = Some(Found::unknown("not until the end", why));
            }
            None => {
                let since = if of_crash { "the crash" } else { "the beginning" };
                let last = looks.stretches(from, to).last().map_or(0, |look| look.value);
                let observed = format!(
                    "not within {} of {since} at {} ({} at the last look)",
                    words::about(within),
                    words::instant(*begin),
                    words::count(last)
                );
                return Found { verdict: Verdict::Fail, observed, samples: Some(begins.len() as u64), why: None };
            }
        }
    }
    if let Some(unknown) = unknown {
        return unknown;
    }
    let observed = format!("after {} at most", words::about(longest));
    Found { verdict: Verdict::Pass, observed, samples: Some(begins.len() as u64), why: None }
}
