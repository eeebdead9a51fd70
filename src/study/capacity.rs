//! Capacity: how far one value of a scenario can go while all that the scenario expects still holds (rule 32).
//!
//! Each value is weighed by the same replications, so that two values differ by the value alone. Runs are made elsewhere;
//! here is what is kept of each, and what they say together.

use crate::measure::{Outcome, Shape, Verdict};
use crate::report;
use crate::scenario::{Aggregate, Between, Expectation, Op, Operate, Operation, Plan, Setting, Subject};
use crate::time::{Span, Time};

use super::estimate::refresh_drain;
use super::range::{Range, Unit};
use super::stats::{Tally, failures_needed, median, tally};

/// Replications of each value unless somebody says otherwise: the fewest of which all can pass and the value hold.
pub const REPLICATIONS: u32 = 59;
/// Steps that a range of lengths, shares or many whole things is cut into.
const STEPS: u64 = 200;
/// The path that stands for the number of all peers.
pub const PEERS: &str = "peers";

/// What is looked for: the paths that get the value, and the values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Find {
    /// Paths, or [`PEERS`].
    pub paths: Vec<String>,
    /// From where to where.
    pub range: Range,
    /// Distance of two values, in the range's units; at least 1.
    pub step: u64,
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
        let step = match step {
            None => good_step(&range),
            Some(text) => {
                let own = Unit::parse(text).filter(|(units, unit)| *unit == range.unit && *units > 0);
                let wanted = || format!("--step {text} is no step of {}", range.text(range.high));
                own.map(|(units, _)| units).ok_or_else(wanted)?
            }
        };
        Ok(Find { paths, range, step })
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
        if self.paths.first().is_some_and(|path| path == PEERS) {
            return peers(plan, self.at(place));
        }
        self.paths.iter().map(|path| Setting { path: path.clone(), value: self.text(place) }).collect()
    }

    /// What is looked for, in words.
    pub fn name(&self) -> String {
        self.paths.join(" & ")
    }
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

/// Choices of front ends that `--with-down` tries at most.
const CHOICES_MAX: usize = 500;

/// Front ends that are lost for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Their positions in the plan.
    pub front_ends: Vec<u16>,
    /// When.
    pub at: Time,
}

impl Loss {
    /// Every choice of `count` front ends, at each of up to three moments: in the calm between two refreshes, when the
    /// refresh is about to begin, and in the middle of its herd.
    ///
    /// # Errors
    /// Fewer front ends than that and one to stay, or too many choices, in words.
    pub fn all(plan: &Plan, count: usize) -> Result<Vec<Loss>, String> {
        let has = plan.front_ends.len();
        if count >= has {
            return Err(format!("the scenario has {has} front ends, and one at least has to stay"));
        }
        let mut choices: Vec<Vec<u16>> = vec![Vec::new()];
        for _ in 0..count {
            let longer = |choice: &Vec<u16>| {
                let from = choice.last().map_or(0, |last| last + 1);
                let with = |next| choice.iter().copied().chain([next]).collect();
                (from..has as u16).map(with).collect::<Vec<Vec<u16>>>()
            };
            choices = choices.iter().flat_map(longer).collect();
            if choices.len() > CHOICES_MAX {
                return Err(format!("there are more than {CHOICES_MAX} choices of {count} of {has} front ends"));
            }
        }
        let moments = moments(plan);
        let at = |choice: Vec<u16>| {
            let moments = moments.clone();
            moments.into_iter().map(move |at| Loss { front_ends: choice.clone(), at })
        };
        Ok(choices.into_iter().flat_map(at).collect())
    }

    /// The plan with this loss.
    pub fn of(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        let operation = Operation { at: self.at, what: Operate::Stop, stages: vec![self.front_ends.clone()] };
        let place = plan.operations.partition_point(|other| other.at <= self.at);
        plan.operations.insert(place, operation);
        plan
    }

    /// In words.
    pub fn text(&self, plan: &Plan) -> String {
        let name = |nth: &u16| plan.front_ends.get(usize::from(*nth)).map_or("?", |front_end| &front_end.name);
        format!("{} lost at {}", self.front_ends.iter().map(name).collect::<Vec<_>>().join(", "), self.at)
    }
}

fn moments(plan: &Plan) -> Vec<Time> {
    let half = Time::ZERO + plan.horizon.half();
    let Some(refresh) = &plan.refresh else { return vec![half] };
    let start_up = plan.front_ends.first().and_then(|front_end| front_end.start_up.mean()).unwrap_or(0.0);
    let drain = refresh_drain(plan).unwrap_or(0.0);
    let tick = Time::ZERO + refresh.every;
    let in_herd = tick + Span(libm::round(start_up + drain / 2.0) as u64);
    let mut moments = vec![Time::ZERO + refresh.every.half(), tick, in_herd];
    moments.retain(|at| *at < Time::ZERO + plan.horizon);
    moments.dedup();
    if moments.is_empty() { vec![half] } else { moments }
}

/// What is kept of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Each expectation's verdict, and where its value lies.
    pub each: Vec<(Verdict, Option<Between>)>,
    /// Whether a front end crashed that no expectation is about.
    pub crashed: bool,
}

impl Seen {
    /// Reduces an outcome; `None`: it was interrupted.
    pub fn of(plan: &Plan, outcome: &Outcome) -> Option<Seen> {
        outcome.digest.as_ref()?;
        let judged = report::judge(plan, outcome);
        let each = judged.iter().zip(&plan.expect);
        let each = each.map(|(judged, expectation)| (judged.verdict, report::observe(plan, outcome, expectation)));
        Some(Seen { each: each.collect(), crashed: report::unmentioned_crash(plan, outcome).is_some() })
    }

    fn verdict(&self) -> Verdict {
        let worst = self.each.iter().map(|(verdict, _)| *verdict).max().unwrap_or(Verdict::Inconclusive);
        if self.crashed { Verdict::Fail } else { worst }
    }
}

/// What replications say of one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weighed {
    /// Its place.
    pub place: u64,
    /// Replications that were to be made.
    pub planned: u32,
    /// Those that were made: fewer, where so many had failed that the rest could change nothing.
    pub runs: Vec<Seen>,
    /// Which front ends were lost, and when, if any: the worst case of those that were tried.
    pub loss: Option<String>,
}

/// One expectation at one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct At {
    /// Replications in which it did not hold.
    pub failed: u32,
    /// Replications that did not say.
    pub unknown: u32,
    /// The median of what was observed; `None`: nothing was, or it has no number.
    pub median: Option<u64>,
    /// The one that is nearest to failing, or fails most.
    pub worst: Option<u64>,
}

impl Weighed {
    /// Nothing yet.
    pub fn new(place: u64, planned: u32) -> Weighed {
        Weighed { place, planned, runs: Vec::new(), loss: None }
    }

    /// Adds the next replication; true: the rest could change nothing.
    pub fn add(&mut self, seen: Seen) -> bool {
        self.runs.push(seen);
        failures_needed(self.planned).is_some_and(|needed| self.count(Verdict::Fail) >= needed)
    }

    /// Replications with this verdict.
    pub fn count(&self, verdict: Verdict) -> u32 {
        self.runs.iter().filter(|seen| seen.verdict() == verdict).count() as u32
    }

    /// Replications in which a front end crashed that no expectation is about.
    pub fn crashed(&self) -> u32 {
        self.runs.iter().filter(|seen| seen.crashed).count() as u32
    }

    /// Rule 32. What could not be said in a replication is no pass, and no miss either.
    pub fn tally(&self) -> Tally {
        tally(self.count(Verdict::Pass), self.count(Verdict::Fail), self.planned)
    }

    /// The expectation at position `nth`, which is `expectation`.
    pub fn at(&self, nth: usize, expectation: &Expectation) -> At {
        let of = |verdict| self.runs.iter().filter(|seen| seen.each[nth].0 == verdict).count() as u32;
        // The end of the range that decides; never is the greatest of all.
        let value = |(low, high): Between| if asks_for_more(expectation.op) { low } else { high.unwrap_or(u64::MAX) };
        let values: Vec<u64> = self.runs.iter().filter_map(|seen| seen.each[nth].1.map(value)).collect();
        let worst =
            if asks_for_more(expectation.op) { values.iter().min().copied() } else { values.iter().max().copied() };
        At { failed: of(Verdict::Fail), unknown: of(Verdict::Inconclusive), median: median(&values, Ord::cmp), worst }
    }
}

/// Whether an expectation sets a lower bound.
pub fn asks_for_more(op: Op) -> bool {
    matches!(op, Op::AtLeast | Op::More)
}

/// What the values of an expectation are.
pub fn shape(expectation: &Expectation) -> Shape {
    match expectation.subject {
        Subject::Latency(_) if expectation.aggregate == Aggregate::Count => Shape::Count,
        Subject::Latency(_) => Shape::Latency,
        Subject::Figure(figure) => figure.shape(),
        Subject::Signal(_) => Shape::Count,
    }
}

/// The limit of an expectation in the unit of its values; `None`: it has none of its own.
pub fn limit(expectation: &Expectation) -> Option<u64> {
    if expectation.against.is_some() || matches!(expectation.subject, Subject::Signal(_)) {
        return None;
    }
    // Limits of shares are parts per million, values parts per billion.
    Some(if shape(expectation) == Shape::Share { expectation.limit.saturating_mul(1000) } else { expectation.limit })
}

/// The expectation that decides at a value that does not hold: the one that fails most often; `None`: a crash does, or
/// nothing fails.
pub fn deciding(plan: &Plan, weighed: &Weighed) -> Option<usize> {
    let at = |nth: usize| weighed.at(nth, &plan.expect[nth]).failed;
    let most = (0..plan.expect.len()).rev().max_by_key(|nth| at(*nth))?;
    (at(most) > 0 && at(most) >= weighed.crashed()).then_some(most)
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
        for (text, step) in
            [("a", None), ("a=5", None), ("=1..2", None), ("peers=1s..2s", None), ("a=1..9", Some("1s"))]
        {
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

    #[test]
    fn losses_are_all_choices_at_moments_within_the_run() {
        let text = b"schema = 1\nsemantics = 1\n[run]\nhorizon = \"2d\"\n[front_end]\nnodes = [{ name = \"a\" }, \
            { name = \"b\" }, { name = \"c\" }]\n[refresh]\nevery = \"1d\"\n[validation]\nvalidator = \
            \"sfb2015-cu2\"\n[[group]]\nname = \"g\"\ntransport = \"tls\"\n";
        let plan = scenario::load("s", "s.toml", text, &[]).expect("a plan");
        let losses = Loss::all(&plan, 2).expect("losses");
        assert_eq!(losses.len(), 9, "3 choices at 3 moments");
        assert_eq!(losses[0].text(&plan), "a, b lost at 12h");
        assert!(losses.iter().all(|loss| loss.of(&plan).operations.len() == 1));
        assert!(Loss::all(&plan, 3).is_err(), "one has to stay");
    }

    fn seen(verdict: Verdict, value: u64) -> Seen {
        Seen { each: vec![(verdict, Some((value, Some(value))))], crashed: false }
    }

    #[test]
    fn rule_32_seven_misses_end_it_and_what_cannot_be_said_is_neither() {
        let mut weighed = Weighed::new(0, REPLICATIONS);
        assert!((0..6).all(|n| !weighed.add(seen(Verdict::Fail, n))));
        assert!(!weighed.add(seen(Verdict::Inconclusive, 0)));
        assert!(weighed.add(seen(Verdict::Fail, 9)), "the seventh miss");
        assert_eq!((weighed.tally(), weighed.runs.len()), (Tally::Fails, 8));
        let mut unknown = Weighed::new(0, REPLICATIONS);
        (0..59).for_each(|_| assert!(!unknown.add(seen(Verdict::Inconclusive, 0))));
        assert_eq!(unknown.tally(), Tally::Undecided);
        let mut good = Weighed::new(0, REPLICATIONS);
        (0..59).for_each(|_| assert!(!good.add(seen(Verdict::Pass, 0))));
        assert_eq!(good.tally(), Tally::Holds);
        good.runs[3].crashed = true;
        assert_eq!(good.tally(), Tally::Undecided, "a crash that nobody expects is a miss");
    }
}
