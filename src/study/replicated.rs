//! Replications of one plan, put together (rule 31), and when there are enough of them.
//!
//! The point estimate is the quantile of all samples pooled; the interval is one for the median of the replications'
//! quantiles, by their order alone. Replications come in their order; what is kept of each does not grow with its samples.
//! Runs are made elsewhere.

mod told;
mod until;

use std::collections::BTreeMap;

use crate::measure::{Figure, Verdict};
use crate::report::Pooled;
use crate::scenario::Plan;

use super::cell::hash;
use super::replica::{Judgement, Line, Replica};
use super::stats::{median, median_interval, share_bounds};

pub use told::About;
pub use until::{Stop, Until, looks};

/// Quantiles that are told, in parts per million.
pub const QUANTILES: [u32; 3] = [500_000, 990_000, 999_000];

/// What replications of a plan gave.
#[derive(Clone, Debug)]
pub struct Replicated<'a> {
    plan: &'a Plan,
    runs: Vec<Run>,
    lines: BTreeMap<Line, Pool>,
    figures: BTreeMap<Figure, Vec<Option<u64>>>,
}

/// What is kept of one replication beside its samples.
#[derive(Clone, Debug)]
struct Run {
    key: String,
    digest: String,
    expectations: Vec<Judgement>,
    unmentioned_crash: Option<String>,
    course: usize,
    because: String,
    crashes: u64,
    lost: u64,
}

/// One latency.
#[derive(Clone, Debug)]
struct Pool {
    samples: Pooled,
    /// The quantiles of each replication.
    each: Vec<[Option<u64>; QUANTILES.len()]>,
}

/// Values of replications: where they lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    /// How many replications have a value.
    pub known: u32,
    /// The lower median of those; `None`: none has.
    pub median: Option<u64>,
    /// The interval for the median of all that could be run; `None`: fewer than ten replications, or one without a value.
    pub interval: Option<(u64, u64)>,
    /// The least.
    pub min: Option<u64>,
    /// The greatest.
    pub max: Option<u64>,
}

impl Spread {
    fn of(values: &[Option<u64>]) -> Spread {
        let mut known: Vec<u64> = values.iter().copied().flatten().collect();
        known.sort_unstable();
        // One that is not known could lie anywhere.
        let interval = if known.len() == values.len() { median_interval(&known) } else { None };
        Spread {
            known: known.len() as u32,
            median: median(&known, Ord::cmp),
            interval,
            min: known.first().copied(),
            max: known.last().copied(),
        }
    }

    /// The interval's width in parts per million of the median; `None`: there is no interval; [`u64::MAX`]: without bound,
    /// for it ends at never, or the median is 0.
    pub fn width_ppm(&self) -> Option<u64> {
        let ((low, high), median) = (self.interval?, self.median?);
        Some(match (low == high, high == u64::MAX || median == 0) {
            (true, _) => 0,
            (false, true) => u64::MAX,
            (false, false) => {
                u64::try_from((u128::from(high - low) * 1_000_000).div_ceil(u128::from(median))).unwrap_or(u64::MAX)
            }
        })
    }
}

/// One expectation over all replications.
#[derive(Clone, PartialEq, Debug)]
pub struct Weighed {
    /// It fails if it does in one replication, else is inconclusive if it is in one; one that has `sometimes` passes if it
    /// does in one.
    pub verdict: Verdict,
    /// Replications in which it passes.
    pub passed: u32,
    /// Replications in which it fails.
    pub failed: u32,
    /// The exact one-sided 95 % bounds of the share of all replications in which it would pass.
    pub bounds: (f64, f64),
    /// Its value.
    pub spread: Spread,
    /// The replication that speaks most against it: of those with the worst verdict, the first with the worst value.
    pub worst: u32,
}

impl<'a> Replicated<'a> {
    /// Nothing yet.
    pub fn new(plan: &'a Plan) -> Replicated<'a> {
        Replicated { plan, runs: Vec::new(), lines: BTreeMap::new(), figures: BTreeMap::new() }
    }

    /// How many there are: 0 to this, without it.
    pub fn count(&self) -> u32 {
        self.runs.len() as u32
    }

    /// Adds the next replication.
    pub fn add(&mut self, replica: Replica) {
        for figure in Figure::ALL {
            if replica.values.rows.iter().any(|row| row.metric == figure.name() && row.statistic == "value") {
                self.figures.entry(*figure).or_default().push(replica.figure(*figure));
            }
        }
        self.add_samples(&replica);
        let (crashes, lost) = (replica.figure(Figure::Crashes), replica.figure(Figure::PeerTimeLost));
        self.runs.push(Run {
            key: replica.key,
            digest: replica.values.digest,
            expectations: replica.expectations,
            unmentioned_crash: replica.unmentioned_crash,
            course: replica.course,
            because: replica.because,
            crashes: crashes.unwrap_or(0),
            lost: lost.unwrap_or(0),
        });
    }

    fn add_samples(&mut self, replica: &Replica) {
        // Those of a transport: the histograms of its groups, and its own number of those that never ended.
        let mut transports: BTreeMap<Line, Pooled> =
            replica.never.iter().map(|never| (never.line.clone(), Pooled::new(None, never.count))).collect();
        for latency in &replica.latencies {
            let all = Line { group: None, ..latency.line.clone() };
            if let Some(all) = transports.get_mut(&all) {
                all.add(&Pooled::new(latency.samples.histogram().cloned(), 0));
            }
        }
        let own = replica.latencies.iter().map(|latency| (&latency.line, &latency.samples));
        let before = self.runs.len();
        for (line, samples) in transports.iter().chain(own) {
            let pool = self.lines.entry(line.clone());
            let pool = pool.or_insert_with(|| Pool { samples: Pooled::new(None, 0), each: Vec::new() });
            pool.each.resize(before, [None; QUANTILES.len()]);
            pool.each.push(QUANTILES.map(|ppm| samples.quantile(ppm)));
            pool.samples.add(samples);
        }
    }

    /// What an expectation, by its position, came to.
    pub fn weighed(&self, nth: usize) -> Weighed {
        let each = || self.runs.iter().map(|run| &run.expectations[nth]);
        let count = |verdict| each().filter(|judgement| judgement.verdict() == verdict).count() as u32;
        let (passed, failed) = (count(Verdict::Pass), count(Verdict::Fail));
        let expectation = &self.plan.expect[nth];
        let verdict = match (expectation.is_sometimes(), passed, failed) {
            (true, 1.., _) => Verdict::Pass,
            (false, _, 1..) => Verdict::Fail,
            _ if passed == self.count() => Verdict::Pass,
            _ if failed == self.count() => Verdict::Fail,
            _ => Verdict::Inconclusive,
        };
        // The first with the worst verdict and, of those, the worst value.
        let badness = |judgement: &Judgement| (judgement.verdict(), self.against(nth, judgement));
        let worst = each().enumerate().max_by(|(a, one), (b, other)| badness(one).cmp(&badness(other)).then(b.cmp(a)));
        Weighed {
            verdict,
            passed,
            failed,
            bounds: share_bounds(passed, self.count()),
            spread: Spread::of(&each().map(|judgement| judgement.value).collect::<Vec<_>>()),
            worst: worst.map_or(0, |(nth, _)| nth as u32),
        }
    }

    /// How much a value speaks against an expectation, by its position; one that is not known, not at all.
    fn against(&self, nth: usize, judgement: &Judgement) -> Option<u64> {
        let wants_more = super::capacity::asks_for_more(self.plan.expect.get(nth)?.op);
        judgement.value.map(|value| if wants_more { u64::MAX - value } else { value })
    }

    /// The verdict on all of it; `None`: nothing was expected and nobody crashed.
    pub fn verdict(&self) -> Option<Verdict> {
        if self.runs.iter().any(|run| run.unmentioned_crash.is_some()) {
            return Some(Verdict::Fail);
        }
        (0..self.plan.expect.len()).map(|nth| self.weighed(nth).verdict).max()
    }

    /// The first replication in which a front end crashed that no expectation is about, and the front end.
    pub fn unmentioned_crash(&self) -> Option<(u32, &str)> {
        let mut numbered = (0u32..).zip(&self.runs);
        numbered.find_map(|(replication, run)| Some((replication, run.unmentioned_crash.as_deref()?)))
    }

    /// The worst replication and why: by a crash that no expectation mentions, then the number of expectations that fail,
    /// of those that are inconclusive, how the run went, its crashes, the peer time lost, and the values of the expectations
    /// in their order; of equals the first.
    pub fn worst(&self) -> Option<(u32, String)> {
        let badness = |run: &Run| {
            let count = |verdict| run.expectations.iter().filter(|j| j.verdict() == verdict).count();
            let (failed, open) = (count(Verdict::Fail), count(Verdict::Inconclusive));
            let values: Vec<Option<u64>> = (0..).zip(&run.expectations).map(|(nth, j)| self.against(nth, j)).collect();
            // Words of courses begin with the worst.
            (run.unmentioned_crash.is_some(), failed, open, usize::MAX - run.course, run.crashes, run.lost, values)
        };
        let numbered = (0u32..).zip(&self.runs);
        let (replication, run) =
            numbered.max_by(|(a, one), (b, other)| badness(one).cmp(&badness(other)).then(b.cmp(a)))?;
        let failed: Vec<&str> = self
            .plan
            .expect
            .iter()
            .zip(&run.expectations)
            .filter(|(_, judgement)| judgement.verdict() == Verdict::Fail)
            .map(|(expectation, _)| expectation.name.as_str())
            .collect();
        let why = match (&run.unmentioned_crash, failed.as_slice()) {
            (Some(front_end), _) => format!("{front_end} crashed and no expectation mentions it"),
            (None, [one]) => format!("{one} fails"),
            (None, [_, ..]) => format!("{} fail", failed.join(", ")),
            (None, []) => run.because.clone(),
        };
        Some((replication, why))
    }

    /// One digest over those of all replications, in their order.
    pub fn digest(&self) -> String {
        let digests: Vec<&str> = self.runs.iter().map(|run| run.digest.as_str()).collect();
        hash(&digests)
    }

    /// All histograms, each of one group over all replications, with the line that it is of.
    pub fn histograms(&self) -> impl Iterator<Item = (&Line, &Pooled)> {
        let own = self.lines.iter().filter(|(line, _)| line.group.is_some() || line.transport.is_empty());
        own.map(|(line, pool)| (line, &pool.samples))
    }

    fn spread(&self, pool: &Pool, quantile: usize) -> Spread {
        let mut values: Vec<Option<u64>> = pool.each.iter().map(|each| each[quantile]).collect();
        // The last replications may have had no sample of it.
        values.resize(self.runs.len(), None);
        Spread::of(&values)
    }
}

#[cfg(test)]
mod tests;
