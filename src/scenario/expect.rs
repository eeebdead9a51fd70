//! What must hold of a result, one line each: `metric{tag=value} in phase : aggregate op value min n`.
//!
//! Knows the grammar and the registry of metrics. Does not know results: `report::judge` weighs them.

use crate::measure::{Cause, Figure, Metric, Tags};

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
    /// What is computed from them.
    pub aggregate: Aggregate,
    /// How it is compared.
    pub op: Op,
    /// With what: nanoseconds for lengths, parts per million for shares, plain for counts.
    pub limit: u64,
    /// Fewer samples than this are inconclusive.
    pub min_samples: u64,
}

/// What an expectation looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A histogram.
    Latency(Metric),
    /// One value.
    Figure(Figure),
}

/// The phase that samples belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InPhase {
    /// `initial`, `refresh`, `recovery`: samples with that cause.
    Cause(Cause),
    /// `refresh N`: refreshes of each peer's N-th due (1 = the first).
    Cycle(u32),
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
