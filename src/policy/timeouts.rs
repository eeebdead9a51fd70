//! How long each side waits for the other (model rules 5 and 14).

use super::backoff::{Backoff, Growth, Jitter, JitterAt};
use super::ratio::Ratio;
use super::tcp::KeepAlive;
use crate::dist::Dist;
use crate::time::Span;

/// How long a peer waits for each step of an attempt, beside the time-out of the attempt as a whole. `None`: for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timeouts {
    /// From its SYN to the answer; with `connect_growth` in the first round.
    pub connect: Option<Span>,
    /// How that grows with failed rounds; `None`: it does not.
    pub connect_growth: Option<ConnectGrowth>,
    /// From each of its TLS flights to the flight that answers it.
    pub flight: Option<Span>,
    /// From the message that it is judged by to the news of the verdict.
    pub answer: Option<Span>,
}

/// How the time for a SYN's answer grows with failed rounds, as in Kafka's clients: after n of them
/// min(cap, connect · factorⁿ · U(1 − jitter, 1 + jitter)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectGrowth {
    /// From round to round; as for [`Growth::Exponential`].
    pub factor: Ratio,
    /// The longest.
    pub cap: Option<Span>,
    /// The share by which chance makes it shorter or longer; at most 1.
    pub jitter: Ratio,
}

impl Timeouts {
    /// No time-out of any step.
    pub const NONE: Timeouts = Timeouts { connect: None, connect_growth: None, flight: None, answer: None };

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Timeouts::NONE
    }

    /// How long the peer waits for the answer to its SYN after `failures` failed rounds; `bits` is its draw for that.
    pub fn of_connect(&self, failures: u16, bits: impl Fn() -> u64) -> Option<Span> {
        let connect = self.connect?;
        let Some(ConnectGrowth { factor, cap, jitter }) = self.connect_growth else { return Some(connect) };
        let growth = Growth::Exponential(factor);
        let (jitter, jitter_at) = (Jitter::TwoSided(jitter), JitterAt::BeforeCap);
        let policy = Backoff { growth, cap, jitter, jitter_at, ..Backoff::fixed(Dist::Constant(connect)) };
        Some(policy.wait(failures, || 0, |_| bits()))
    }
}

/// The front end's own limits on a connection. `None`: there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// From the arrival of the SYN until the TLS handshake is over: the arrival of the message after the last flight.
    pub handshake: Option<Span>,
    /// From the arrival of the SYN until the connection is valid.
    pub first_message: Option<Span>,
    /// Connections at once, valid, in handshake, or abandoned and not closed yet; at least 1.
    pub max_connections: Option<u32>,
    /// A valid connection over which nothing has come for so long is closed; above zero.
    pub idle: Option<Span>,
    /// How the front end finds out that a peer is cut off.
    pub keep_alive: Option<KeepAlive>,
}

impl Limits {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_14_kafka_waits_min_of_30s_and_10s_times_2_to_the_n_times_0_8_to_1_2_for_a_connection() {
        let growth =
            ConnectGrowth { factor: Ratio::new(2, 1), cap: Some(Span::SECOND.times(30)), jitter: Ratio::percent(20) };
        let kafka = Timeouts { connect: Some(Span::SECOND.times(10)), connect_growth: Some(growth), ..Timeouts::NONE };
        let of = |failures, bits| kafka.of_connect(failures, || bits).map(|span| span.0 / Span::SECOND.0);
        assert_eq!([0, 1, 2, 9].map(|n| of(n, 0)), [8, 16, 30, 30].map(Some));
        assert_eq!([0, 1, 2, 9].map(|n| of(n, u64::MAX)), [12, 24, 30, 30].map(Some));
        let fixed = Timeouts { connect_growth: None, ..kafka };
        assert_eq!(fixed.of_connect(9, || 0), Some(Span::SECOND.times(10)));
        assert_eq!(Timeouts::NONE.of_connect(0, || 0), None);
    }
}
