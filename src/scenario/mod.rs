//! Scenario files: read them, check them, complete them into a [`Plan`], write a plan back as a file.
//!
//! The way of a text: `decode` reads TOML with the place of every key and value, `resolve` adds defaults and checks
//! what belongs together, `diagnose` shows what is wrong. `file` holds the types that the JSON Schema is made from.
//! Does no I/O and never prints: texts in, texts and plans out.

mod decode;
mod defaults;
mod diagnose;
pub mod expect;
mod expect_parse;
pub mod file;
mod named;
pub mod plan;
mod render;
mod resolve;

pub use decode::toml_string;
pub use diagnose::{Bytes, Colour, Place, Problem, Problems};

pub use defaults::refresh_in_place;
pub use expect::{Against, Aggregate, Between, Expectation, InPhase, Op, Subject};
pub use expect_parse::expectation;
pub use file::schema;
pub use named::{front_end_named, moment, peers_named};
pub use plan::{
    Assumption, Change, Epoch, FrontEndPlan, GroupPlan, MeasurePlan, Operate, Operation, Outside, Plan, ProcessPlan,
    Requests, ResumedPlan, SEMANTICS, Start, TieOrder, TimelineEntry, TlsPlan, WhenFull,
};
pub use render::render;
pub use resolve::{Setting, load, load_plan};

/// Reads a length of time as scenario files write it, e.g. `1h 30m`; `None`: it is none.
pub fn length(text: &str) -> Option<crate::time::Span> {
    decode::span::parse(text).ok()
}
