//! Many runs of one scenario, and what they say together.
//!
//! Knows plans, outcomes and verdicts. Does no I/O and never prints.

pub mod audit;
