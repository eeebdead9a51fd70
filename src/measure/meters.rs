//! Histograms and counters in flat arrays: `[metric][cell]`, resolved before the run.

use hdrhistogram::Histogram;

use super::tally::Tally;
use super::{Cause, METRICS, Metric};
use crate::time::{Span, Time};
use crate::validate::Transport;

/// A latency histogram: 3 significant digits, grows with its values, never saturates.
pub type Histo = Histogram<u64>;

/// Counters kept for each group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is described by the `Figure` of the same name")]
pub enum Counter {
    Dues,
    ValidInPlace,
    ValidByReconnect,
    Rejected,
    Recovered,
    Departed,
    Dropped,
    Missed,
    Unfinished,
    Rejections,
    Losses,
    Attempts,
    TimeOuts,
    Valids,
    UnfinishedConnects,
    Stopped,
    Withheld,
    Held,
    Skipped,
    Limited,
}

/// How many counters a group has.
const COUNTERS: usize = 20;

/// Counters that close every digest; the later ones only where they count something, so that a run that has no use for
/// them keeps its digest.
const COUNTERS_ALWAYS: usize = 15;

/// What one cell stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CellPlan {
    /// The group's name, or `other` for all beyond the 64th.
    pub group: String,
    /// Its transport.
    pub transport: Transport,
}

/// Which cell each group has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cells {
    /// What each cell stands for.
    pub plans: Vec<CellPlan>,
    /// Cell of each group, by its position.
    pub of_group: Vec<u16>,
    /// How many groups were folded into `other`.
    pub folded: usize,
}

/// Groups with a cell of their own; more fold into `other`.
const GROUPS_MAX: usize = 64;

impl Cells {
    /// A cell a group, the ones beyond the 64th folded by transport.
    pub fn new<'a>(groups: impl IntoIterator<Item = (&'a str, Transport)>) -> Cells {
        let mut cells = Cells { plans: Vec::new(), of_group: Vec::new(), folded: 0 };
        for (name, transport) in groups {
            let own = cells.of_group.len() < GROUPS_MAX;
            let group = if own { name } else { "other" };
            cells.folded += usize::from(!own);
            let seek = |plan: &CellPlan| !own && plan.group == group && plan.transport == transport;
            let at = cells.plans.iter().skip(GROUPS_MAX).position(seek).map(|i| i + GROUPS_MAX);
            let cell = at.unwrap_or_else(|| {
                cells.plans.push(CellPlan { group: group.to_owned(), transport });
                cells.plans.len() - 1
            });
            cells.of_group.push(cell as u16);
        }
        cells
    }
}

/// A histogram of one refresh cycle, outside the digest.
#[derive(Clone, Debug)]
pub struct Cycled {
    /// Which latency.
    pub metric: Metric,
    /// Each peer's how-manieth due (1 = the first).
    pub cycle: u32,
    /// Cell.
    pub cell: u16,
    /// Samples.
    pub histogram: Histo,
}

/// A stretch of run time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Window {
    /// Its first instant.
    pub from: Time,
    /// The first instant that is no longer in it.
    pub to: Time,
}

impl Window {
    /// Whether an instant is in it.
    pub fn holds(&self, at: Time) -> bool {
        (self.from..self.to).contains(&at)
    }
}

/// A histogram of what began in a window, outside the digest.
#[derive(Clone, Debug)]
pub struct Windowed {
    /// Which latency.
    pub metric: Metric,
    /// In which window it began: a refresh or a request when it was due.
    pub window: Window,
    /// Cell.
    pub cell: u16,
    /// Cause.
    pub cause: Cause,
    /// Samples.
    pub histogram: Histo,
}

/// A histogram of one kind of look-up, outside the digest.
#[derive(Clone, Debug)]
pub struct LookedUp {
    /// The look-up's name.
    pub lookup: String,
    /// In which window it began; `None`: whenever.
    pub window: Option<Window>,
    /// Cell.
    pub cell: u16,
    /// Cause.
    pub cause: Cause,
    /// Samples.
    pub histogram: Histo,
}

/// Latencies that one sample often belongs to alike: counted once, and added to each of them when the run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Bundle {
    /// [`Metric::Service`] and [`Metric::Validation`].
    Validation,
    /// [`Metric::Attempt`], [`Metric::Connect`] and [`Metric::Outage`]: a first try that succeeds at once.
    FirstTry,
}

impl Bundle {
    const ALL: [Bundle; 2] = [Bundle::Validation, Bundle::FirstTry];

    fn members(self) -> &'static [Metric] {
        match self {
            Bundle::Validation => &[Metric::Service, Metric::Validation],
            Bundle::FirstTry => &[Metric::Attempt, Metric::Connect, Metric::Outage],
        }
    }
}

/// Tallies of a cell and cause.
const ROWS: usize = METRICS + Bundle::ALL.len();

/// All histograms and counters of a run.
#[derive(Clone, Debug)]
pub struct Meters {
    cells: usize,
    from: Time,
    /// What ends before this needs another look: it is excluded, or there are windows.
    plain_from: Time,
    tallies: Vec<Tally>,
    histograms: Vec<Option<Histo>>,
    counters: Vec<[u64; COUNTERS]>,
    cycles: Vec<u32>,
    /// Histograms of the cycles asked for.
    pub cycled: Vec<Cycled>,
    windows: Vec<Window>,
    /// Histograms of the windows asked for.
    pub windowed: Vec<Windowed>,
    /// Histograms of [`Metric::Lookup`] by look-up.
    pub looked_up: Vec<LookedUp>,
    /// Samples that ended before `measure.from`.
    pub excluded: u64,
}

impl Meters {
    /// Empty meters for `cells` cells; samples that end before `from` only count as excluded.
    pub fn new(cells: usize, from: Time, cycles: Vec<u32>) -> Meters {
        let slots = |rows: usize| rows * cells * Cause::ALL.len();
        let (tallies, histograms) = (vec![Tally::default(); slots(ROWS)], vec![None; slots(METRICS)]);
        let counters = vec![[0; COUNTERS]; cells];
        Meters {
            cells,
            from,
            plain_from: from,
            tallies,
            histograms,
            counters,
            cycles,
            cycled: Vec::new(),
            windows: Vec::new(),
            windowed: Vec::new(),
            looked_up: Vec::new(),
            excluded: 0,
        }
    }

    /// The same with histograms of their own for what begins in these windows.
    pub fn with_windows(mut self, windows: Vec<Window>) -> Meters {
        if !windows.is_empty() {
            self.plain_from = Time::NEVER;
        }
        self.windows = windows;
        self
    }

    /// Where a tally is: those of a cell lie together, by metric and then by bundle.
    #[inline]
    fn tally(&mut self, row: usize, cell: u16, cause: Cause) -> &mut Tally {
        &mut self.tallies[(usize::from(cell) * ROWS + row) * Cause::ALL.len() + cause as usize]
    }

    /// Where a histogram is: by metric, cell and cause, as the digest takes them.
    fn slot(&self, metric: Metric, cell: u16, cause: Cause) -> usize {
        (metric as usize * self.cells + usize::from(cell)) * Cause::ALL.len() + cause as usize
    }

    /// Records a sample that ended at `at`.
    #[inline]
    pub fn record(&mut self, at: Time, metric: Metric, cell: u16, cause: Cause, value: Span) {
        if at < self.plain_from && self.is_excluded(at, &[metric], cell, cause, value) {
            return;
        }
        self.tally(metric as usize, cell, cause).record(value);
    }

    /// Whether samples that ended at `at` are left out. Those that are not, and began in a window, are recorded for it.
    #[cold]
    fn is_excluded(&mut self, at: Time, metrics: &[Metric], cell: u16, cause: Cause, value: Span) -> bool {
        if at < self.from {
            self.excluded += metrics.len() as u64;
            return true;
        }
        let began = Time(at.0.saturating_sub(value.0));
        for nth in 0..self.windows.len() {
            let window = self.windows[nth];
            if window.holds(began) {
                metrics.iter().for_each(|metric| self.record_windowed(window, *metric, cell, cause, value));
            }
        }
        false
    }

    fn record_windowed(&mut self, window: Window, metric: Metric, cell: u16, cause: Cause, value: Span) {
        let seek = |w: &&mut Windowed| w.metric == metric && w.window == window && w.cell == cell && w.cause == cause;
        match self.windowed.iter_mut().find(seek) {
            Some(found) => found.histogram.record(value.0).unwrap_or(()),
            None => self.windowed.push(Windowed { metric, window, cell, cause, histogram: first(value) }),
        }
    }

    /// Records a sample that ended at `at` for each latency of a bundle.
    #[inline]
    pub fn record_bundle(&mut self, at: Time, bundle: Bundle, cell: u16, cause: Cause, value: Span) {
        if at < self.plain_from && self.is_excluded(at, bundle.members(), cell, cause, value) {
            return;
        }
        self.tally(METRICS + bundle as usize, cell, cause).record(value);
    }

    /// Records how long a look-up took that ended at `at`: with all look-ups, and with those of its name.
    pub fn record_lookup(&mut self, at: Time, lookup: &str, cell: u16, cause: Cause, value: Span) {
        self.record(at, Metric::Lookup, cell, cause, value);
        if at < self.from {
            return;
        }
        let began = Time(at.0.saturating_sub(value.0));
        let windows = self.windows.iter().filter(|window| window.holds(began)).map(|window| Some(*window));
        for window in std::iter::once(None).chain(windows) {
            let seek = |l: &&mut LookedUp| (l.window, l.cell, l.cause) == (window, cell, cause) && l.lookup == lookup;
            match self.looked_up.iter_mut().find(seek) {
                Some(found) => found.histogram.record(value.0).unwrap_or(()),
                None => {
                    let (lookup, histogram) = (lookup.to_owned(), first(value));
                    self.looked_up.push(LookedUp { lookup, window, cell, cause, histogram });
                }
            }
        }
    }

    /// Makes the histograms, at the end of a run.
    pub fn settle(&mut self) {
        for cell in 0..self.cells as u16 {
            for cause in Cause::ALL {
                for bundle in Bundle::ALL {
                    let shared = std::mem::take(self.tally(METRICS + bundle as usize, cell, cause));
                    for metric in bundle.members() {
                        self.tally(*metric as usize, cell, cause).add(&shared);
                    }
                }
                for metric in Metric::ALL {
                    let slot = self.slot(*metric, cell, cause);
                    self.histograms[slot] = self.tally(*metric as usize, cell, cause).histogram();
                }
            }
        }
    }

    /// Records a refresh metric also for its cycle, where that was asked for.
    #[inline]
    pub fn record_cycle(&mut self, at: Time, metric: Metric, cell: u16, cycle: u32, value: Span) {
        if !self.cycles.is_empty() && at >= self.from && self.cycles.binary_search(&cycle).is_ok() {
            self.record_cycled(metric, cell, cycle, value);
        }
    }

    #[cold]
    fn record_cycled(&mut self, metric: Metric, cell: u16, cycle: u32, value: Span) {
        let seek = |c: &&mut Cycled| c.metric == metric && c.cycle == cycle && c.cell == cell;
        match self.cycled.iter_mut().find(seek) {
            Some(found) => found.histogram.record(value.0).unwrap_or(()),
            None => self.cycled.push(Cycled { metric, cycle, cell, histogram: first(value) }),
        }
    }

    /// Adds `n` to a counter.
    #[inline]
    pub fn count(&mut self, cell: u16, counter: Counter, n: u64) {
        self.counters[usize::from(cell)][counter as usize] += n;
    }

    /// A counter of one cell.
    pub fn counted(&self, cell: u16, counter: Counter) -> u64 {
        self.counters[usize::from(cell)][counter as usize]
    }

    /// A histogram, if it has a sample; only after [`Meters::settle`].
    pub fn histogram(&self, metric: Metric, cell: u16, cause: Cause) -> Option<&Histo> {
        self.histograms[self.slot(metric, cell, cause)].as_ref()
    }

    /// All histograms with samples, in the order of metric, cell, cause.
    pub fn histograms(&self) -> impl Iterator<Item = (Metric, u16, Cause, &Histo)> {
        self.histograms.iter().enumerate().filter_map(|(slot, histogram)| {
            let (rest, cause) = (slot / Cause::ALL.len(), Cause::ALL[slot % Cause::ALL.len()]);
            let (metric, cell) = (Metric::ALL[rest / self.cells], (rest % self.cells) as u16);
            histogram.as_ref().map(|h| (metric, cell, cause, h))
        })
    }

    /// The numbers that close a digest: every bucket that holds a sample, and every counter.
    pub fn numbers(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for (metric, cell, cause, histogram) in self.histograms() {
            numbers.extend([metric as u64, u64::from(cell), cause as u64, histogram.len()]);
            for bucket in histogram.iter_recorded() {
                numbers.extend([bucket.value_iterated_to(), bucket.count_since_last_iteration()]);
            }
        }
        numbers.extend(self.counters.iter().flat_map(|cell| &cell[..COUNTERS_ALWAYS]));
        numbers.push(self.excluded);
        for (cell, counters) in self.counters.iter().enumerate() {
            for (number, n) in counters.iter().enumerate().skip(COUNTERS_ALWAYS).filter(|(_, n)| **n > 0) {
                numbers.extend([number as u64, cell as u64, *n]);
            }
        }
        numbers
    }
}

/// A histogram with its first value.
fn first(value: Span) -> Histo {
    // Three digits are within the crate's 0..=5 and a u64 always has a bucket: neither can fail.
    let mut histogram = Histo::new(3).unwrap_or_else(|_| unreachable!("three digits are allowed"));
    histogram.auto(true);
    histogram.record(value.0).unwrap_or(());
    histogram
}

/// The nearest-rank quantile of `histogram` at `ppm` parts per million, as the upper edge of its bucket, with `beyond`
/// further samples that rank as infinite (rule 20).
///
/// `None`: no sample, or the rank falls among the infinite ones.
pub fn quantile(histogram: &Histo, ppm: u32, beyond: u64) -> Option<Span> {
    let n = u128::from(histogram.len()) + u128::from(beyond);
    let rank = (n * u128::from(ppm)).div_ceil(1_000_000).max(1);
    if rank > u128::from(histogram.len()) {
        return None;
    }
    let mut seen = 0;
    for bucket in histogram.iter_recorded() {
        seen += u128::from(bucket.count_since_last_iteration());
        if seen >= rank {
            return Some(Span(histogram.highest_equivalent(bucket.value_iterated_to())));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_upper_edge_of_the_nearest_ranks_bucket_and_open_ones_rank_as_infinite() {
        let mut meters = Meters::new(1, Time::ZERO, vec![]);
        for n in 1..=1000 {
            meters.record(Time(5), Metric::Queue, 0, Cause::Refresh, Span(n));
        }
        meters.settle();
        let histogram = meters.histogram(Metric::Queue, 0, Cause::Refresh).unwrap();
        assert_eq!(quantile(histogram, 500_000, 0), Some(Span(500)));
        assert_eq!(quantile(histogram, 999_000, 0), Some(Span(999)));
        assert_eq!(quantile(histogram, 999_000, 1000), None);
        assert_eq!(quantile(histogram, 1, 0), Some(Span(1)));
    }

    #[test]
    fn a_bundled_sample_counts_for_each_of_its_latencies() {
        let (mut bundled, mut apart) = (Meters::new(1, Time(5), vec![]), Meters::new(1, Time(5), vec![]));
        for meters in [&mut bundled, &mut apart] {
            meters.record(Time(9), Metric::Connect, 0, Cause::Recovery, Span(70_000));
        }
        for (at, n) in [(4, 1), (5, 2), (6, 3_000_000)] {
            bundled.record_bundle(Time(at), Bundle::FirstTry, 0, Cause::Recovery, Span(n));
            for metric in [Metric::Attempt, Metric::Connect, Metric::Outage] {
                apart.record(Time(at), metric, 0, Cause::Recovery, Span(n));
            }
        }
        bundled.settle();
        apart.settle();
        assert_eq!(bundled.numbers(), apart.numbers());
    }

    #[test]
    fn what_ends_before_the_measuring_starts_is_counted_as_excluded() {
        let mut meters = Meters::new(1, Time(10), vec![]);
        meters.record(Time(9), Metric::Queue, 0, Cause::Refresh, Span(1));
        meters.record(Time(10), Metric::Queue, 0, Cause::Refresh, Span(u64::MAX));
        meters.settle();
        assert_eq!((meters.excluded, meters.histograms().count()), (1, 1));
    }

    #[test]
    fn a_window_has_what_began_in_it_and_changes_nothing_else() {
        let windows = vec![Window { from: Time(10), to: Time(20) }, Window { from: Time(15), to: Time::NEVER }];
        let mut with = Meters::new(1, Time(12), vec![]).with_windows(windows.clone());
        let mut without = Meters::new(1, Time(12), vec![]);
        for meters in [&mut with, &mut without] {
            for (at, value) in [(11, 1), (12, 3), (12, 1), (30, 11), (30, 10), (40, 5), (9, 9)] {
                meters.record(Time(at), Metric::Queue, 0, Cause::Refresh, Span(value));
            }
            meters.record_bundle(Time(17), Bundle::FirstTry, 0, Cause::Initial, Span(1));
            meters.settle();
        }
        assert_eq!(with.numbers(), without.numbers());
        let count = |metric, window: Window| {
            let of = with.windowed.iter().filter(|w| w.metric == metric && w.window == window);
            of.map(|w| w.histogram.len()).sum::<u64>()
        };
        // Begun at 9, 11, 19, 20 and 35, all that ended at 12 or later.
        assert_eq!(windows.iter().map(|w| count(Metric::Queue, *w)).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(windows.iter().map(|w| count(Metric::Outage, *w)).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn groups_beyond_the_sixty_fourth_fold_by_transport() {
        let names: Vec<String> = (0..70).map(|i| format!("g{i}")).collect();
        let transport = |i: usize| if i.is_multiple_of(2) { Transport::Tcp } else { Transport::Tls };
        let cells = Cells::new(names.iter().enumerate().map(|(i, n)| (n.as_str(), transport(i))));
        assert_eq!((cells.plans.len(), cells.folded), (66, 6));
        assert_eq!(&cells.of_group[62..], [62, 63, 64, 65, 64, 65, 64, 65]);
    }
}
