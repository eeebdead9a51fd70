//! What is said of an outcome: expectations weighed, the summary as text and as JSON, histograms, series and records.
//!
//! Plain functions from a plan and its outcome to values, texts and bytes. Does no I/O, never prints, reads no clock:
//! identical results make identical bytes.

mod course;
mod coverage;
mod figures;
mod files;
mod json;
mod judge;
mod latency;
pub mod moment;
pub(crate) mod records;
mod scenes;
mod signal;
mod text;
pub mod verdicts;
mod windows;
pub(crate) mod words;

pub use course::{Course, course};
pub use coverage::{Coverage, coverage};
pub use figures::{Value, figure};
pub use files::{files, interval_log, log_tag};
pub use json::{SCHEMA, summary};
pub use judge::{Judged, judge, observe, overall, unmentioned_crash};
pub use latency::{Pooled, quantiles, upper_edge};
pub use records::{record_line, step_line};
pub use text::text;
pub(crate) use text::{Table, expectation_line};
pub use words::{date, wrap};
