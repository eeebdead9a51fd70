//! Runs day two today: front ends that refresh their connections every 24 hours, in virtual time.
//!
//! The modules, low to high; a lower one never names a higher one (held by `tests/it/layers.rs`):
//! [`time`], [`id`] → [`rng`] → [`dist`] → [`policy`], [`validate`] → [`measure`] → [`frontend`], [`schedule`] →
//! [`scenario`] → [`sim`] → [`report`], [`import`] → [`lint`], [`diagnosis`] → [`study`] → [`host`] → [`cli`].

pub mod cli;
pub mod diagnosis;
pub mod dist;
pub mod frontend;
pub mod host;
pub mod id;
pub mod import;
pub mod lint;
pub mod measure;
pub mod policy;
pub mod report;
pub mod rng;
pub mod scenario;
pub mod schedule;
pub mod sim;
pub mod study;
pub mod time;
pub mod validate;
