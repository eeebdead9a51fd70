//! Reconnect policies that a scenario calls by name: a table of settings, each with where they were read.
//!
//! Data alone: whatever a policy of the field does is a setting of [`Reconnect`].

use super::backoff::{Backoff, Growth, Jitter, JitterAt};
use super::ratio::Ratio;
use super::reconnect::{CountedFrom, Reconnect};
use super::timeouts::Timeouts;
use crate::dist::Dist;
use crate::time::Span;

/// How well a preset is founded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// Read in a primary source: the source code or an official document.
    Verified,
    /// Read in a secondary source, such as a quotation in an implementation.
    Secondary,
}

impl Evidence {
    /// Its name in plans.
    pub fn name(self) -> &'static str {
        match self {
            Evidence::Verified => "read in the source",
            Evidence::Secondary => "read in quotations of the source",
        }
    }
}

/// One policy of the field.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name in scenarios.
    pub name: &'static str,
    /// How well it is founded.
    pub evidence: Evidence,
    /// Where it was read.
    pub source: &'static str,
    /// How long an attempt may take; `None`: the policy does not say.
    pub attempt_timeout: Option<Span>,
    /// How long its steps may take.
    pub timeouts: Timeouts,
    /// Its settings.
    pub settings: fn() -> Reconnect,
}

/// All of them.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "rfc5626",
        evidence: Evidence::Secondary,
        source: "RFC 5626 4.5, all flows failed: base time 30 s, maximum 1800 s, 50 to 100 % of it",
        attempt_timeout: None,
        timeouts: Timeouts::NONE,
        // The count of failures is 1 at the first wait, so that its base is twice the base time.
        settings: || {
            Reconnect::backing_off(
                Dist::Constant(Span::ZERO),
                Backoff {
                    growth: Growth::Exponential(Ratio::new(2, 1)),
                    cap: Some(Span::SECOND.times(1_800)),
                    jitter: Jitter::Equal,
                    ..Backoff::fixed(Dist::Constant(Span::SECOND.times(60)))
                },
            )
        },
    },
    Preset {
        name: "grpc",
        evidence: Evidence::Verified,
        source: "grpc-java ExponentialBackoffPolicy and InternalSubchannel, gRPC connection back-off protocol",
        attempt_timeout: Some(Span(20 * Span::SECOND.0)),
        timeouts: Timeouts::NONE,
        settings: || Reconnect {
            counted_from: CountedFrom::Start,
            stretch_attempt: true,
            ..Reconnect::backing_off(
                Dist::Constant(Span::ZERO),
                Backoff {
                    growth: Growth::Exponential(Ratio::new(8, 5)),
                    cap: Some(Span::SECOND.times(120)),
                    jitter: Jitter::TwoSided(Ratio::percent(20)),
                    jitter_at: JitterAt::AfterCap,
                    ..Backoff::fixed(Dist::Constant(Span::SECOND))
                },
            )
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(name: &str, bits: u64) -> Vec<u64> {
        let preset = PRESETS.iter().find(|preset| preset.name == name).expect("it is in the table");
        let backoff = (preset.settings)().backoff.expect("it backs off");
        (0..8).map(|n| backoff.wait(n, || 0, |_| bits).0 / Span::SECOND.0).collect()
    }

    #[test]
    fn rule_14_presets_have_the_published_ranges() {
        assert_eq!(waits("rfc5626", 0), [30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(waits("rfc5626", u64::MAX), [60, 120, 240, 480, 960, 1800, 1800, 1800]);
        assert_eq!(waits("grpc", 0), [0, 1, 2, 3, 5, 8, 13, 21]);
        assert_eq!(waits("grpc", u64::MAX), [1, 1, 3, 4, 7, 12, 20, 32]);
    }

    #[test]
    fn names_are_unique_and_sources_are_told() {
        for (nth, preset) in PRESETS.iter().enumerate() {
            assert!(PRESETS[..nth].iter().all(|other| other.name != preset.name), "{}", preset.name);
            assert!(!preset.source.is_empty() && !preset.evidence.name().is_empty());
        }
    }
}
