//! What is kept of a run: decisions and their digest, histograms, counters, accounts, records, series; the outcome.
//!
//! Knows numbers and cells, resolved before the run. Does not know what caused them, and reads no scenario.

mod accounts;
mod around;
mod decision;
mod drain;
mod goodput;
mod handshakes;
mod herd;
mod looked;
mod meters;
mod metric;
mod outcome;
mod questions;
mod record;
mod requests;
mod tally;

pub use accounts::{Account, Imbalance};
pub use around::{Around, Asked, WINDOWS_MAX, WindowEnd, Windows};
pub use decision::{Decision, Digest, What};
pub use drain::{Drains, Episode, Standing, Work};
pub use goodput::{Disturbed, Goodput, Part};
pub use handshakes::Handshakes;
pub use herd::Herd;
pub use looked::Looked;
pub use meters::{Bundle, CellPlan, Cells, Counter, Cycled, Histo, LookedUp, Meters, Window, Windowed, quantile};
pub use metric::{COURSES, Figure, METRICS, Metric, Shape, Signal, Tags};
pub use outcome::{CrashReport, Faulting, FrontEndFigures, GroupFigures, Outcome, SCENES_MAX, Scene, Verdict};
pub use questions::{ABSENT, Answered, QuestionKind, Questions, Reasons, shown};
pub use record::{Record, RecordKind, Sample, StopReason};
pub use requests::RequestCounts;

/// Why a connection was made, or what a sample belongs to (model rule 15).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Cause {
    /// The peer's first connection.
    Initial = 0,
    /// A planned renewal.
    Refresh = 1,
    /// After a loss.
    Recovery = 2,
    /// None of these: a request, on a connection that there is.
    Request = 3,
}

impl Cause {
    /// All of them, in the order of their numbers.
    pub const ALL: [Cause; 4] = [Cause::Initial, Cause::Refresh, Cause::Recovery, Cause::Request];

    /// Its name in `[expect]` and in results.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Initial => "initial",
            Cause::Refresh => "refresh",
            Cause::Recovery => "recovery",
            Cause::Request => "request",
        }
    }
}
