//! What is looked for: paths of a scenario, or quantities that are no single key of it, and the values that are tried.

use crate::policy::Style;
use crate::policy::lookup::Condition;
use crate::scenario::{Operate, Operation, Plan, Setting};
use crate::study::estimate::return_drain;
use crate::study::range::{Range, Unit};
use crate::time::{Span, Time};

use super::ask;

/// Steps that a range of lengths, shares or many whole things is cut into.
const STEPS: u64 = 200;
/// The path that stands for the number of all peers.
pub const PEERS: &str = "peers";
/// The path that stands for how long the front ends are away.
pub const TRIGGER: &str = "trigger";
/// The path that stands for how long nobody makes certificates or answers look-ups.
pub const OUTAGE: &str = "outage";

/// What is looked for: the paths that get the value, and the values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Find {
    /// Paths, or [`PEERS`].
    pub paths: Vec<String>,
    /// From where to where.
    pub range: Range,
    /// Distance of two values, in the range's units; at least 1.
    pub step: u64,
    /// When that begins whose length is looked for; `None`: when [`Find::begins`] finds best.
    pub from: Option<Time>,
}

/// How it is written.
pub const ACCEPTS: &str = "PATH=LOW..HIGH, e.g. front_end.workers=1..64, refresh.spread=0s..1h or peers=100..5000; paths \
                           with & between get the same value";

impl Find {
    /// Reads `path=low..high`, perhaps several paths with `&` between; `step` as text, or a good one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str, step: Option<&str>) -> Result<Find, String> {
        let (paths, range) = text.rsplit_once('=').ok_or_else(|| format!("expected {ACCEPTS}"))?;
        let paths: Vec<String> = paths.split('&').map(|path| path.trim().to_owned()).collect();
        if paths.iter().any(|path| path.is_empty() || path.contains('=')) {
            return Err(format!("expected {ACCEPTS}"));
        }
        let range =
            Range::parse(range.trim()).unwrap_or_else(|| Err(format!("{range} is no range: expected {ACCEPTS}")))?;
        if paths.iter().any(|path| path == PEERS) && (range.unit != Unit::Count || paths.len() > 1 || range.low == 0) {
            return Err("peers is a whole number from 1 on, by itself".to_owned());
        }
        let is_length = |path: &String| path == TRIGGER || path == OUTAGE;
        if let Some(path) = paths.iter().find(|path| is_length(path))
            && (range.unit != Unit::Length || paths.len() > 1 || range.low == 0)
        {
            return Err(format!("{path} is a length of time above 0s, by itself"));
        }
        let step = match step {
            None => good_step(&range),
            Some(text) => {
                let own = Unit::parse(text).filter(|(units, unit)| *unit == range.unit && *units > 0);
                let wanted = || format!("--step {text} is no step of {}", range.text(range.high));
                own.map(|(units, _)| units).ok_or_else(wanted)?
            }
        };
        Ok(Find { paths, range, step, from: None })
    }

    /// The number of the last place; the first is 0.
    pub fn last(&self) -> u64 {
        (self.range.high - self.range.low).div_ceil(self.step)
    }

    /// The value at a place, in units: the last one is the upper end, whatever the step.
    pub fn at(&self, place: u64) -> u64 {
        self.range.low.saturating_add(place.saturating_mul(self.step)).min(self.range.high)
    }

    /// It as text.
    pub fn text(&self, place: u64) -> String {
        self.range.text(self.at(place))
    }

    /// What sets the value in `plan`.
    pub fn settings(&self, plan: &Plan, place: u64) -> Vec<Setting> {
        if self.is(PEERS) {
            return peers(plan, self.at(place));
        }
        if self.is(TRIGGER) || self.is(OUTAGE) {
            return Vec::new();
        }
        self.paths.iter().map(|path| Setting { path: path.clone(), value: self.text(place) }).collect()
    }

    fn is(&self, path: &str) -> bool {
        self.paths.first().is_some_and(|first| first == path)
    }

    /// Whether the value can be had in `plan` at all.
    ///
    /// # Errors
    /// What it lacks, in words.
    pub fn fits(&self, plan: &Plan) -> Result<(), String> {
        if self.is(OUTAGE) && !ask::has_certificate_services(plan) {
            return Err(
                "nothing can fail: the scenario has no [[lookup]], and no group whose peers ask an issuer for \
                        certificates (group.validity.asks_at)"
                    .to_owned(),
            );
        }
        if self.is(TRIGGER)
            && plan.refresh.as_ref().is_some_and(|refresh| matches!(refresh.style, Style::MakeFirst { .. }))
        {
            return Err("front ends are not stopped beside refresh.style = \"make-first\"".to_owned());
        }
        let from = self.begins(plan);
        let needed = from.map(|from| from + Span(self.range.high));
        if needed.is_some_and(|end| end > Time::ZERO + plan.horizon) {
            let (from, high) = (from.unwrap_or_default(), self.range.text(self.range.high));
            return Err(format!(
                "what begins at {from} and lasts {high} ends after run.horizon, {}; end the range sooner, or begin with --at",
                plan.horizon
            ));
        }
        Ok(())
    }

    /// When that begins whose length is looked for; `None`: no length of an event is looked for.
    pub fn begins(&self, plan: &Plan) -> Option<Time> {
        match &self.paths[..] {
            [path] if path == TRIGGER => Some(self.from.unwrap_or_else(|| match own_trigger(plan) {
                Some((stop, _)) => plan.operations[stop].at,
                None => calm(plan),
            })),
            [path] if path == OUTAGE => Some(self.from.unwrap_or_else(|| ask::outage_begins(plan).0)),
            _ => None,
        }
    }

    /// What is no key of a scenario is put into the plan itself: how long its front ends are away, or the services that
    /// certificates need.
    pub fn put(&self, plan: &mut Plan, place: u64) {
        let Some(from) = self.begins(plan) else { return };
        let until = from + Span(self.at(place));
        if self.is(TRIGGER) {
            let all = (0..plan.front_ends.len() as u16).collect();
            let mut stages = vec![all];
            if let Some((stop, start)) = own_trigger(plan) {
                stages.clone_from(&plan.operations[stop].stages);
                plan.operations.remove(start);
                plan.operations.remove(stop);
            }
            for (at, what) in [(from, Operate::Stop), (until, Operate::Start)] {
                let place = plan.operations.partition_point(|other| other.at <= at);
                plan.operations.insert(place, Operation { at, what, stages: stages.clone() });
            }
            return;
        }
        for lookup in &mut plan.lookups.each {
            lookup.changes = vec![(from, Condition::Failing(None)), (until, Condition::Well)];
        }
        if let Some(issuer) = &mut plan.issuer {
            issuer.fails = vec![(from, until)];
        }
    }

    /// What is looked for, in words.
    pub fn name(&self) -> String {
        self.paths.join(" & ")
    }
}

/// The first stop in the plan's timeline that has a start of the same front ends after it: positions of both.
pub(super) fn own_trigger(plan: &Plan) -> Option<(usize, usize)> {
    let of = |what: Operate| plan.operations.iter().enumerate().filter(move |(_, operation)| operation.what == what);
    of(Operate::Stop).find_map(|(stop, stopped)| {
        let start = of(Operate::Start).find(|(start, started)| *start > stop && started.stages == stopped.stages)?.0;
        Some((stop, start))
    })
}

/// An instant at which everybody is connected and nothing has happened yet, as far as can be said without a run.
pub(super) fn calm(plan: &Plan) -> Time {
    let start_up = plan.front_ends.first().and_then(|front_end| front_end.start_up.mean()).unwrap_or(0.0);
    let settled = 2.0 * (start_up + return_drain(plan).unwrap_or(0.0));
    Time::ZERO + Span::SECOND.times(libm::ceil(settled / 1e9) as u64).max(Span(plan.horizon.0 / 20))
}

/// One, or what cuts the range into a few hundred steps of a round length.
fn good_step(range: &Range) -> u64 {
    let width = range.high - range.low;
    if range.unit == Unit::Count && width <= 4 * STEPS {
        return 1;
    }
    let least = (width / STEPS).max(1);
    let mut step = 1u64;
    // 1, 2, 5, 10, 20, 50, ...: the first digit goes round.
    for factor in [2, 5, 10].into_iter().cycle() {
        if step >= least {
            break;
        }
        let decade = 10u64.pow(step.ilog10());
        step = decade.saturating_mul(factor);
    }
    step
}

/// So many peers in all, each group with the share that it has in `plan`, and at least one where it had one.
fn peers(plan: &Plan, wanted: u64) -> Vec<Setting> {
    let all: u128 = plan.groups.iter().map(|group| u128::from(group.count)).sum::<u128>().max(1);
    let mut before = 0u128;
    let count = |nth: usize, count: u32| {
        // Of the sum up to here, so that all groups together have what is wanted.
        let upto = |n: u128| (n * u128::from(wanted) + all / 2) / all;
        let own = upto(before + u128::from(count)) - upto(before);
        before += u128::from(count);
        Setting { path: format!("group.{nth}.count"), value: own.max(1).to_string() }
    };
    let mut count = count;
    plan.groups.iter().enumerate().map(|(nth, group)| count(nth, group.count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn a_question_has_paths_a_range_and_a_round_step() {
        let find = |text| Find::parse(text, None).expect(text);
        assert_eq!(find("front_end.workers & front_end.cores=1..64").paths, ["front_end.workers", "front_end.cores"]);
        assert_eq!(find("a=1..64").step, 1);
        assert_eq!(find("a=1..801").step, 1);
        assert_eq!(find("a=0..10000").step, 50);
        assert_eq!(find("a=0s..1h").step, 20_000_000_000);
        let odd = Find::parse("a=0..10", Some("4")).expect("a step");
        assert_eq!((0..=odd.last()).map(|place| odd.at(place)).collect::<Vec<_>>(), [0, 4, 8, 10]);
        for (text, step) in [
            ("a", None),
            ("a=5", None),
            ("=1..2", None),
            ("peers=1s..2s", None),
            ("a=1..9", Some("1s")),
            ("outage=1..2", None),
        ] {
            assert!(Find::parse(text, step).is_err(), "{text}");
        }
    }

    #[test]
    fn peers_keep_their_shares_and_their_sum() {
        let text = b"schema = 1\nsemantics = 1\n[run]\nhorizon = \"1h\"\n[validation]\nvalidator = \"sfb2015-cu2\"\n\
            [[group]]\nname = \"a\"\ncount = 60\ntransport = \"tls\"\n[[group]]\nname = \"b\"\ncount = 30\n\
            transport = \"tls\"\n[[group]]\nname = \"c\"\ncount = 10\ntransport = \"tls\"\n";
        let plan = scenario::load("s", "s.toml", text, &[]).expect("a plan");
        for wanted in [7, 100, 1234, 99_999] {
            let counts: Vec<u64> = peers(&plan, wanted).iter().map(|set| set.value.parse().expect("a count")).collect();
            assert_eq!(counts.iter().sum::<u64>(), wanted, "{counts:?}");
            assert!(counts[0].abs_diff(wanted * 6 / 10) <= 1, "{counts:?}");
        }
    }
}
