//! Histograms of one metric put together, and what ranks beyond their samples as infinitely late (model rule 20).

use crate::measure::{Cause, Counter, Histo, LookedUp, Metric, Outcome, RequestCounts, Tags, Window, Windowed};
use crate::scenario::expect::InPhase;
use crate::time::Span;

/// A quantile with fewer samples beyond it is not known (design rule 6).
pub(super) const BEYOND_MIN: u64 = 10;

/// Samples of a metric, with those that never came to an end.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    /// The finite ones; `None`: there is not one.
    pub(super) histogram: Option<Histo>,
    /// How many rank as infinite: at least.
    pub(super) never_min: u64,
    /// How many rank as infinite: at most. More than the least where the counters do not tell cycles apart.
    pub(super) never_max: u64,
}

/// A bucket of the histogram, or what lies beyond all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Edges {
    /// Its least value.
    pub(super) low: u64,
    /// Its greatest value; `None`: never.
    pub(super) high: Option<u64>,
}

impl Edges {
    /// Where what never ended ranks.
    pub(super) const NEVER: Edges = Edges { low: u64::MAX, high: None };
}

/// Whether a cell has the group and the transport that `tags` ask for.
pub(super) fn matches(outcome: &Outcome, cell: u16, tags: &Tags) -> bool {
    outcome.cells.plans.get(usize::from(cell)).is_some_and(|plan| {
        tags.group.as_ref().is_none_or(|group| *group == plan.group)
            && tags.transport.is_none_or(|transport| transport == plan.transport)
    })
}

/// The cells that `tags` ask for.
pub(super) fn cells(outcome: &Outcome, tags: &Tags) -> Vec<u16> {
    (0..outcome.cells.plans.len() as u16).filter(|cell| matches(outcome, *cell, tags)).collect()
}

/// A counter over cells.
pub(super) fn counted(outcome: &Outcome, cells: &[u16], counter: Counter) -> u64 {
    cells.iter().map(|cell| outcome.meters.counted(*cell, counter)).sum()
}

/// Requests of some cells; `None`: no group in them sends any.
pub(super) fn requests(outcome: &Outcome, cells: &[u16]) -> Option<RequestCounts> {
    sum_of(&outcome.requests, cells)
}

/// The same of those that fell due in windows around refreshes.
pub(super) fn requests_in_windows(outcome: &Outcome, cells: &[u16]) -> Option<RequestCounts> {
    sum_of(&outcome.windows.as_ref()?.counts, cells)
}

fn sum_of(counts: &[Option<RequestCounts>], cells: &[u16]) -> Option<RequestCounts> {
    let of = |cell: &u16| counts.get(usize::from(*cell)).copied().flatten();
    cells.iter().filter_map(of).reduce(|sum, next| sum.and(&next))
}

/// The upper edge of the bucket in which a quantile lies of the samples with `tags`, `ppm` in parts per million (10^6: the
/// largest); `None`: it is not known, for there are too few samples, or it is one that never ended.
pub fn upper_edge(outcome: &Outcome, metric: Metric, tags: &Tags, ppm: u32) -> Option<Span> {
    let samples = Samples::of(outcome, metric, tags, None);
    if samples.ranked() == 0 {
        return None;
    }
    let (edges, known) = samples.quantile(ppm, samples.never_max);
    edges.high.filter(|_| known).map(Span)
}

impl Samples {
    /// All samples of `metric` that carry `tags` and belong to `phase`.
    pub(super) fn of(outcome: &Outcome, metric: Metric, tags: &Tags, phase: Option<InPhase>) -> Samples {
        let (cause, cycle) = match phase {
            Some(InPhase::Windows) => return Samples::in_windows(outcome, tags),
            None => (tags.cause, None),
            Some(InPhase::Cause(cause)) => (Some(cause), None),
            Some(InPhase::Cycle(cycle)) => (Some(Cause::Refresh), Some(cycle)),
        };
        // Every sweep is booked in the first cell, for it has no group.
        let wanted = |cell: u16| metric == Metric::Sweep || matches(outcome, cell, tags);
        let histogram = match cycle {
            None if tags.lookup.is_some() => of_lookup(outcome, tags, cause, None),
            None => {
                let found = outcome.meters.histograms();
                merge(found.filter(|f| f.0 == metric && wanted(f.1) && cause.is_none_or(|c| c == f.2)).map(|f| f.3))
            }
            Some(cycle) => {
                let found = outcome.meters.cycled.iter();
                merge(found.filter(|c| c.metric == metric && c.cycle == cycle && wanted(c.cell)).map(|c| &c.histogram))
            }
        };
        let mut samples = Samples { histogram, never_min: 0, never_max: 0 };
        if metric == Metric::Request {
            let of_requests =
                requests(outcome, &cells(outcome, tags)).filter(|_| cause.is_none_or(|c| c == Cause::Request));
            samples.never_min = of_requests.map_or(0, |counts| counts.never());
            samples.never_max = samples.never_min;
        } else if cause.is_none_or(|cause| cause == Cause::Refresh) {
            let never = never(outcome, metric, tags, samples.finite(), cycle.is_some());
            samples.never_max = never;
            samples.never_min = if cycle.is_some() { 0 } else { never };
        }
        samples
    }

    /// Requests with `tags` that fell due in windows around refreshes.
    fn in_windows(outcome: &Outcome, tags: &Tags) -> Samples {
        let cells = cells(outcome, tags);
        let of = |cell: &u16| outcome.windows.as_ref().and_then(|windows| windows.histogram(*cell));
        let histograms: Vec<Histo> = cells.iter().filter_map(of).collect();
        let never = requests_in_windows(outcome, &cells).map_or(0, |counts| counts.never());
        Samples { histogram: merge(histograms.iter()), never_min: never, never_max: never }
    }

    /// The samples that carry `tags`, belong to `phase` and began in `window`. Which of those that never ended would is
    /// not counted: at most all of them.
    pub(super) fn within(
        outcome: &Outcome,
        metric: Metric,
        tags: &Tags,
        phase: Option<InPhase>,
        window: Window,
    ) -> Samples {
        let all = Samples::of(outcome, metric, tags, phase);
        let cause = match phase {
            Some(InPhase::Cause(cause)) => Some(cause),
            Some(InPhase::Cycle(_)) => Some(Cause::Refresh),
            Some(InPhase::Windows) => Some(Cause::Request),
            None => tags.cause,
        };
        let wanted = |w: &&Windowed| {
            (w.metric, w.window) == (metric, window)
                && (metric == Metric::Sweep || matches(outcome, w.cell, tags))
                && cause.is_none_or(|cause| cause == w.cause)
        };
        let histogram = if tags.lookup.is_some() {
            of_lookup(outcome, tags, cause, Some(window))
        } else {
            merge(outcome.meters.windowed.iter().filter(wanted).map(|w| &w.histogram))
        };
        Samples { histogram, never_min: 0, never_max: all.never_max }
    }

    /// How many samples came to an end.
    pub(super) fn finite(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histo::len)
    }

    /// How many there are, those without an end too: at least.
    pub(super) fn ranked(&self) -> u64 {
        self.finite() + self.never_min
    }

    /// The bucket of the sample at nearest rank `rank` of those with `never` infinite ones.
    fn at_rank(&self, rank: u64) -> Edges {
        let Some(histogram) = self.histogram.as_ref().filter(|histogram| rank <= histogram.len()) else {
            return Edges::NEVER;
        };
        let mut seen = 0;
        for bucket in histogram.iter_recorded() {
            seen += bucket.count_since_last_iteration();
            if seen >= rank {
                let value = bucket.value_iterated_to();
                return Edges {
                    low: histogram.lowest_equivalent(value),
                    high: Some(histogram.highest_equivalent(value)),
                };
            }
        }
        Edges::NEVER
    }

    /// Where the quantile lies for sure, with `never` infinite samples, and whether it is known: the bucket of its
    /// nearest rank where at least ten samples are beyond it; else anything from the last known rank to the largest.
    pub(super) fn quantile(&self, ppm: u32, never: u64) -> (Edges, bool) {
        let n = self.finite() + never;
        let rank = rank(n, ppm);
        if ppm >= 1_000_000 || n - rank.min(n) >= BEYOND_MIN {
            return (self.at_rank(rank), true);
        }
        let low = self.at_rank(n.saturating_sub(BEYOND_MIN).max(1));
        // Where all that is beyond the last known rank never ended, so did what is asked for.
        (Edges { low: low.low, high: self.at_rank(n).high }, low == Edges::NEVER)
    }

    /// The smallest sample's bucket.
    pub(super) fn min(&self) -> Edges {
        self.at_rank(1)
    }

    /// The largest sample's bucket, with `never` infinite ones.
    pub(super) fn max(&self, never: u64) -> Edges {
        self.at_rank(self.finite() + never)
    }

    /// Where the mean lies: the buckets' edges bound it from both sides. Infinite samples leave it open above.
    pub(super) fn mean(&self, never: u64) -> Edges {
        let Some(histogram) = &self.histogram else { return Edges::NEVER };
        let (mut low, mut high) = (0u128, 0u128);
        for bucket in histogram.iter_recorded() {
            let (value, n) = (bucket.value_iterated_to(), u128::from(bucket.count_since_last_iteration()));
            low += u128::from(histogram.lowest_equivalent(value)) * n;
            high += u128::from(histogram.highest_equivalent(value)) * n;
        }
        let n = u128::from(histogram.len()).max(1);
        let narrow = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
        Edges { low: narrow(low / n), high: (never == 0).then(|| narrow(high.div_ceil(n))) }
    }

    /// What a report prints: the upper edge if the quantile is known.
    pub(super) fn printed(&self, ppm: u32) -> Printed {
        match self.quantile(ppm, self.never_max) {
            (_, false) => Printed::Unknown,
            (Edges { high: None, .. }, true) => Printed::Never,
            (Edges { high: Some(high), .. }, true) => Printed::UpTo(Span(high)),
        }
    }
}

/// Quantiles of a latency, in parts per million, as the upper edges of their buckets in ns; `None`: it is not known, and
/// `u64::MAX`: its rank falls among those that never ended.
pub fn quantiles(
    outcome: &Outcome,
    metric: Metric,
    tags: &Tags,
    phase: Option<InPhase>,
    ppm: &[u32],
) -> Vec<Option<u64>> {
    let samples = Samples::of(outcome, metric, tags, phase);
    let is_empty = samples.finite() + samples.never_max == 0;
    let one = |ppm: &u32| match samples.printed(*ppm) {
        _ if is_empty => None,
        Printed::Unknown => None,
        Printed::Never => Some(u64::MAX),
        Printed::UpTo(span) => Some(span.0),
    };
    ppm.iter().map(one).collect()
}

/// Samples of one latency that are put together with those of other runs: the pooled quantile of rule 31.
#[derive(Clone, Debug)]
pub struct Pooled(Samples);

impl Pooled {
    /// The samples of a run with `tags`; `None`: there are none.
    pub fn of(outcome: &Outcome, metric: Metric, tags: &Tags) -> Option<Pooled> {
        let samples = Samples::of(outcome, metric, tags, None);
        (samples.ranked() > 0).then_some(Pooled(samples))
    }

    /// Samples that were kept: those that came to an end, and how many did not.
    pub fn new(histogram: Option<Histo>, never: u64) -> Pooled {
        Pooled(Samples { histogram, never_min: never, never_max: never })
    }

    /// Those that came to an end.
    pub fn histogram(&self) -> Option<&Histo> {
        self.0.histogram.as_ref()
    }

    /// How many did not, and rank as infinite.
    pub fn never(&self) -> u64 {
        self.0.never_max
    }

    /// How many there are of both kinds.
    pub fn count(&self) -> u64 {
        self.0.ranked()
    }

    /// Adds what is in `other`, in any order: counts alone are added.
    pub fn add(&mut self, other: &Pooled) {
        let Samples { histogram, never_min, never_max } = &other.0;
        self.0.never_min += never_min;
        self.0.never_max += never_max;
        match (&mut self.0.histogram, histogram) {
            (_, None) => {}
            (own @ None, Some(other)) => {
                let mut other = other.clone();
                // One that was read back does not grow by itself.
                other.auto(true);
                *own = Some(other);
            }
            // All have three digits and grow: adding cannot fail.
            (Some(own), Some(other)) => own.add(other).unwrap_or(()),
        }
    }

    /// The upper edge in ns of the bucket in which a quantile lies, in parts per million; `None`: it is not known, for fewer
    /// than ten samples lie beyond it; `u64::MAX`: its rank falls among those that never ended.
    pub fn quantile(&self, ppm: u32) -> Option<u64> {
        match self.0.printed(ppm) {
            Printed::Unknown => None,
            Printed::Never => Some(u64::MAX),
            Printed::UpTo(span) => Some(span.0),
        }
    }
}

/// A quantile as reports print it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Printed {
    /// Fewer than ten samples beyond it.
    Unknown,
    /// Its rank falls among those that never ended.
    Never,
    /// The upper edge of its bucket.
    UpTo(Span),
}

/// The nearest rank.
fn rank(n: u64, ppm: u32) -> u64 {
    let rank = (u128::from(n) * u128::from(ppm)).div_ceil(1_000_000).max(1);
    u64::try_from(rank).unwrap_or(u64::MAX)
}

/// How many obligations rank as infinite: rejected, dropped, missed and unfinished ones (rule 20).
///
/// Of `lateness` some of them do have a sample, for a worker had started on them; they are not counted again.
fn never(outcome: &Outcome, metric: Metric, tags: &Tags, finite: u64, of_a_cycle: bool) -> u64 {
    let cells = cells(outcome, tags);
    let sum = |counter| counted(outcome, &cells, counter);
    let waiting = sum(Counter::Dropped) + sum(Counter::Missed);
    let all = waiting + sum(Counter::Rejected) + sum(Counter::Unfinished);
    match metric {
        Metric::Refresh => all,
        Metric::Lateness if of_a_cycle => all,
        Metric::Lateness => {
            let without = sum(Counter::Dues).saturating_sub(sum(Counter::Departed)).saturating_sub(finite);
            all.min(without.max(waiting))
        }
        _ => 0,
    }
}

/// How long the look-ups took that `tags` name.
fn of_lookup(outcome: &Outcome, tags: &Tags, cause: Option<Cause>, window: Option<Window>) -> Option<Histo> {
    let wanted = |l: &&LookedUp| {
        tags.lookup.as_ref() == Some(&l.lookup)
            && l.window == window
            && matches(outcome, l.cell, tags)
            && cause.is_none_or(|cause| cause == l.cause)
    };
    merge(outcome.meters.looked_up.iter().filter(wanted).map(|l| &l.histogram))
}

/// One histogram of many.
fn merge<'a>(found: impl Iterator<Item = &'a Histo>) -> Option<Histo> {
    let mut merged: Option<Histo> = None;
    for histogram in found {
        match &mut merged {
            None => merged = Some(histogram.clone()),
            // All have three digits and grow: adding cannot fail.
            Some(merged) => merged.add(histogram).unwrap_or(()),
        }
    }
    merged
}

/// The mean of all samples taken at their buckets' upper edges, rounded up to a whole ns.
pub(super) fn mean_of(histogram: &Histo) -> u64 {
    let samples = Samples { histogram: Some(histogram.clone()), never_min: 0, never_max: 0 };
    samples.mean(0).high.unwrap_or(0)
}
