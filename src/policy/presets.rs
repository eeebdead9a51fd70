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

    /// Policies of the field that are no presets yet, with the ends of their first waits in ms.
    #[test]
    fn rule_14_the_general_form_covers_the_field_with_settings_alone() {
        let ms = |n| Dist::Constant(Span::MILLISECOND.times(n));
        let cap = |n| Some(Span::MILLISECOND.times(n));
        let exponential = |base, factor, cap_ms, jitter| Backoff {
            growth: Growth::Exponential(factor),
            cap: cap(cap_ms),
            jitter,
            ..Backoff::fixed(ms(base))
        };
        let double = Ratio::new(2, 1);
        let before_cap = |policy| Backoff { jitter_at: JitterAt::BeforeCap, ..policy };
        let list = |waits: &'static [Span]| Backoff { growth: Growth::List(waits.into()), ..Backoff::fixed(ms(0)) };
        const SIGNALR: [Span; 4] =
            [Span::ZERO, Span(2 * Span::SECOND.0), Span(10 * Span::SECOND.0), Span(30 * Span::SECOND.0)];
        let drawn = Dist::uniform(Span::SECOND, Span::SECOND.times(5)).expect("the parameters are in range");
        for (name, policy, low, high) in [
            (
                "Kubernetes reflector",
                exponential(800, double, 30_000, Jitter::Later(Ratio::ONE)),
                [800, 1_600, 25_600, 30_000],
                [1_600, 3_200, 51_200, 60_000],
            ),
            (
                "Linkerd, outbound",
                before_cap(exponential(100, double, 60_000, Jitter::Later(Ratio::percent(10)))),
                [100, 200, 3_200, 60_000],
                [110, 220, 3_520, 60_000],
            ),
            (
                "socket.io",
                before_cap(exponential(1_000, double, 5_000, Jitter::TwoSided(Ratio::percent(50)))),
                [500, 1_000, 5_000, 5_000],
                [1_500, 3_000, 5_000, 5_000],
            ),
            (
                "paho Python",
                exponential(1_000, double, 120_000, Jitter::None),
                [1_000, 2_000, 32_000, 120_000],
                [1_000, 2_000, 32_000, 120_000],
            ),
            ("SignalR", list(&SIGNALR), [0, 2_000, 30_000, 30_000], [0, 2_000, 30_000, 30_000]),
            (
                "reconnecting-websocket",
                Backoff { base: drawn, ..exponential(0, Ratio::new(13, 10), 10_000, Jitter::None) },
                [1_000, 1_300, 3_712, 10_000],
                [5_000, 6_500, 10_000, 10_000],
            ),
            (
                "Finagle fail-fast",
                Backoff { jitter_tries: Some(16), ..exponential(1_000, double, 32_000, Jitter::Full) },
                [0, 0, 0, 32_000],
                [1_000, 2_000, 32_000, 32_000],
            ),
            (
                "mosquitto bridge",
                Backoff { growth: Growth::Decorrelated, cap: cap(30_000), ..Backoff::fixed(ms(5_000)) },
                [5_000, 5_000, 5_000, 5_000],
                [15_000, 30_000, 30_000, 30_000],
            ),
        ] {
            let of = |bits: u64| [0, 1, 5, 20].map(|n| policy.wait(n, || bits, |_| bits).0 / Span::MILLISECOND.0);
            assert_eq!((of(0), of(u64::MAX)), (low, high), "{name}");
        }
    }

    #[test]
    fn names_are_unique_and_sources_are_told() {
        for (nth, preset) in PRESETS.iter().enumerate() {
            assert!(PRESETS[..nth].iter().all(|other| other.name != preset.name), "{}", preset.name);
            assert!(!preset.source.is_empty() && !preset.evidence.name().is_empty());
        }
    }
}
