//! Runs day two today: front ends that refresh their connections every 24 hours, in virtual time.
//!
//! The modules, low to high; a lower one never names a higher one (held by `tests/layers.rs`):
//! [`time`], [`id`] → [`rng`] → [`dist`] → [`policy`], [`validate`] → [`frontend`] → [`schedule`], [`measure`] →
//! [`scenario`] → [`sim`] → [`report`] → [`host`] → [`cli`].

pub mod dist;
pub mod id;
pub mod rng;
pub mod schedule;
pub mod time;
