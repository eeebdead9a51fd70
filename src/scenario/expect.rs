//! What must hold of a result, one line each: `metric{tag=value} in phase : aggregate op value min n`.
//!
//! Knows the grammar and the registry of metrics. Does not know results: `report::judge` weighs them.

use crate::measure::{Cause, Figure, Metric, Signal, Tags, Window};
use crate::time::Span;

/// One line of `[expect]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Expectation {
    /// Its key: stable, for reports.
    pub name: String,
    /// The line as written.
    pub text: String,
    /// What is looked at.
    pub subject: Subject,
    /// Which part of it.
    pub tags: Tags,
    /// Which samples, by when they were made.
    pub phase: Option<InPhase>,
    /// Which stretch of the run; `None`: all of it.
    pub window: Option<Window>,
    /// What is computed from them.
    pub aggregate: Aggregate,
    /// How it is compared.
    pub op: Op,
    /// With what: nanoseconds for lengths, parts per million for shares, plain for counts.
    pub limit: u64,
    /// What a baseline has to say to it; `None`: the limit is in the line.
    pub against: Option<Against>,
    /// Fewer samples than this are inconclusive.
    pub min_samples: u64,
}

/// Where a value lies for sure: from the least that it may be to the greatest (`None`: never).
pub type Between = (u64, Option<u64>);

/// A limit that is a baseline's value, and what may be added to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Against {
    /// Added to it, in parts per million of it.
    pub change_ppm: i64,
    /// The value by replication, from its least to its greatest possible one (`None`: never); none without a baseline.
    pub values: Vec<Option<Between>>,
}

impl Expectation {
    /// What is looked at, without what it is compared with: the line up to its comparison. Baselines go by it.
    pub fn selection(&self) -> &str {
        // A tag has an `=` and may have a colon in quotes; the comparison comes after the last colon.
        let colon = self.text.rfind(':').unwrap_or(0);
        let comparison = self.text[colon..].find(['<', '>', '=', '!']).map_or(self.text.len(), |at| colon + at);
        self.text[..comparison].trim_end()
    }

    /// Whether one replication in which it holds is enough.
    pub fn is_sometimes(&self) -> bool {
        self.aggregate == Aggregate::Sometimes
    }
}

/// What an expectation looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A histogram.
    Latency(Metric),
    /// One value.
    Figure(Figure),
    /// What the series shows from look to look.
    Signal(Signal),
}

/// The phase that samples belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InPhase {
    /// `initial`, `refresh`, `recovery`: samples with that cause.
    Cause(Cause),
    /// `refresh N`: refreshes of each peer's N-th due (1 = the first).
    Cycle(u32),
    /// `windows`: requests that fell due in windows around refreshes.
    Windows,
}

/// What is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregate {
    /// Nearest-rank quantile, in parts per million.
    Quantile(u32),
    /// Smallest sample.
    Min,
    /// Largest sample.
    Max,
    /// Mean, from the histogram's buckets.
    Mean,
    /// Number of samples.
    Count,
    /// The one value of a figure.
    Value,
    /// At every look.
    Always,
    /// At no look.
    Never,
    /// At one look at least.
    Sometimes,
    /// At a look no later than so long after the beginning, or after each crash.
    Eventually {
        /// How long.
        within: Span,
        /// Whether after each crash.
        of_crash: bool,
    },
}

/// Comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}
