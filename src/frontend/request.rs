//! What the peers of a group ask of their front end beside connecting: when, and what it costs (model rule 28).

use crate::dist::Dist;
use crate::id::Identity;
use crate::rng::{Draws, Purpose, When};
use crate::time::Span;

/// The requests of each peer of a group: an open loop, blind to how the front end is doing.
#[derive(Clone, PartialEq, Debug)]
pub struct Requests {
    /// From one request of a peer to its next; not the constant 0. A constant begins with a phase of the peer's own.
    pub every: Dist,
    /// CPU of the front end for each; not the constant 0.
    pub cpu: Dist,
    /// From its due, after which a request without an answer has failed; above 0.
    pub timeout: Option<Span>,
    /// How many each peer sends in all, at least 1; `None`: without end.
    pub stop_after: Option<u32>,
    /// What becomes of the connection on which a request timed out (rule 7).
    pub on_timeout: OnTimeOut,
}

/// What a peer makes of a connection on which a request of it has timed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnTimeOut {
    /// It stays, as one that carries many requests at once does (RFC 9113 section 5.4.2: the stream ends, not the
    /// connection).
    Keep,
    /// It is closed if nothing at all has come over it since the request was sent.
    #[default]
    CloseIfSilent,
    /// It is closed, as one must be on which answers come in the order of the requests (RFC 9112 section 9.2).
    Close,
}

impl Requests {
    /// Requests without end for whose answers peers wait without end.
    pub fn new(every: Dist, cpu: Dist) -> Requests {
        Requests { every, cpu, timeout: None, stop_after: None, on_timeout: OnTimeOut::default() }
    }

    /// Whether a time-out may end the connection.
    pub fn closes(&self) -> bool {
        self.timeout.is_some() && self.on_timeout != OnTimeOut::Keep
    }

    /// Time from a peer's request before the `nth` (or from when the peer joined) to the `nth`; at least 1 ns. The
    /// first is number 1.
    pub fn gap(&self, who: Identity, draws: &Draws, nth: u64) -> Span {
        let bits = || draws.draw(who, Purpose::RequestGap, place(nth), 0);
        let gap = match &self.every {
            Dist::Constant(every) if nth == 1 => phase(*every, bits()),
            Dist::Constant(every) => *every,
            other => other.sample(bits()),
        };
        Span(gap.0.max(1))
    }

    /// CPU time of a peer's `nth` request; at least 1 ns.
    pub fn cpu(&self, who: Identity, draws: &Draws, nth: u64) -> Span {
        let cpu = match &self.cpu {
            Dist::Constant(cpu) => *cpu,
            other => other.sample(draws.draw(who, Purpose::RequestCpu, place(nth), 0)),
        };
        Span(cpu.0.max(1))
    }
}

/// Any whole ns of (0, `every`] alike: bits / 2^64 of it, rounded down, and 1 ns.
fn phase(every: Span, bits: u64) -> Span {
    Span(((u128::from(every.0) * u128::from(bits)) >> 64) as u64 + 1)
}

/// Where the draws of a peer's `nth` request are: its number as the cycle, which no refresh moves.
fn place(nth: u64) -> When {
    When { cycle: nth as u32, episode: 0, attempt: (nth >> 32) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_28_a_constant_gap_begins_with_a_phase_and_draws_hang_on_the_number_alone() {
        let draws = Draws::new(7, 0);
        let who = |n| Identity::of("g").member(n);
        let every = Span::SECOND;
        let constant = Requests::new(Dist::Constant(every), Dist::Constant(Span(5)));
        let phases: Vec<Span> = (0..1000).map(|n| constant.gap(who(n), &draws, 1)).collect();
        assert!(phases.iter().all(|phase| (Span(1)..=every).contains(phase)));
        let early = phases.iter().filter(|phase| **phase < every.half()).count();
        assert!((421..=579).contains(&early), "500 ± 5 standard deviations of 15.8: {early}");
        assert_eq!(constant.gap(who(0), &draws, 2), every);
        let poisson = Requests { every: Dist::exponential(every).unwrap(), ..constant };
        assert_eq!(poisson.gap(who(3), &draws, 9), poisson.gap(who(3), &draws, 9));
        assert_ne!(poisson.gap(who(3), &draws, 9), poisson.gap(who(3), &draws, 9 + (1 << 32)));
        assert_eq!((phase(every, 0), phase(every, u64::MAX)), (Span(1), every));
    }
}
