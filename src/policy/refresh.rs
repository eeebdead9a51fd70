//! When connections are refreshed, which ones, in what order and how.

use super::Limit;
use crate::time::{Span, Time};

/// What the clock of a refresh starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// The service start of each incarnation: one tick for everybody, `every` after it and so on.
    ServiceStart,
    /// Each connection's own age, counted from when it was last valid: lateness moves the next due.
    OwnAge,
    /// Fixed instants of the run, the same for all front ends: this offset plus whole multiples of `every`.
    WallClock(Span),
}

/// In what order a tick takes its connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// As they stand in the scenario.
    Topology,
    /// By the instant at which they became valid, the oldest first.
    Accepted,
    /// By a draw of each peer's own, anew for each cycle.
    Shuffled,
}

/// Which side ends a connection that is refreshed by a new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Initiator {
    /// The front end closes; the peer learns of it half a round trip later and connects again.
    FrontEnd,
    /// The peer closes and sends its SYN in the same instant.
    Peer,
}

/// Which of two connections a reconnect begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// The old connection ends, then the new one is made.
    BreakFirst,
    /// The new connection is made while the old one serves, which ends when the new one is valid.
    MakeFirst {
        /// How long the old connection is kept after that, for requests in flight.
        grace: Span,
    },
}

/// What a refresh does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// The connection stays; its peer is validated again.
    Revalidate,
    /// A new connection replaces it, as the policy's [`Style`] says.
    Reconnect(Initiator),
}

/// A refresh policy: model rules 16 to 19.
#[derive(Clone, PartialEq, Debug)]
pub struct Refresh {
    /// Time from one refresh to the next; more than zero.
    pub every: Span,
    /// What `every` counts from.
    pub anchor: Anchor,
    /// Each due is later than its tick by a uniform draw below this; shorter than `every`.
    pub spread: Span,
    /// Whether plain TCP peers are refreshed.
    pub tcp: bool,
    /// Whether TLS peers are refreshed.
    pub tls: bool,
    /// Order within one tick.
    pub order: Order,
    /// What is done.
    pub act: Act,
    /// Which connection a reconnect begins with; without meaning in place.
    pub style: Style,
    /// How fast connections that are due have their turn at a front end; `None`: each at its due.
    pub limit: Option<Limit>,
}

impl Refresh {
    /// The first tick strictly after `now` of a front end whose service started at `service_start`.
    ///
    /// [`Time::NEVER`] for own age, which has no ticks. Ticks lie at anchor + k·every, without drift (rule 16).
    pub fn next_tick(&self, service_start: Time, now: Time) -> Time {
        let anchor = match self.anchor {
            Anchor::OwnAge => return Time::NEVER,
            Anchor::ServiceStart => service_start,
            Anchor::WallClock(offset) => Time(offset.0 % self.every.0),
        };
        if now < anchor {
            return anchor;
        }
        let passed = now.since(anchor).0 / self.every.0;
        anchor + self.every.times(passed.saturating_add(1))
    }

    /// How many ticks lie in the half-open interval (`after`, `until`].
    pub fn ticks_between(&self, service_start: Time, after: Time, until: Time) -> u64 {
        let first = self.next_tick(service_start, after);
        if first == Time::NEVER || first > until { 0 } else { until.since(first).0 / self.every.0 + 1 }
    }

    /// How much later than its tick (or its age) a connection is due: a uniform draw in [0, spread).
    #[inline]
    pub fn jitter(&self, bits: u64) -> Span {
        Span(((u128::from(bits) * u128::from(self.spread.0)) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(anchor: Anchor) -> Refresh {
        Refresh {
            every: Span::DAY,
            anchor,
            spread: Span::ZERO,
            tcp: true,
            tls: true,
            order: Order::Topology,
            act: Act::Revalidate,
            style: Style::BreakFirst,
            limit: None,
        }
    }

    #[test]
    fn rule_16_ticks_lie_at_the_anchor_plus_whole_multiples_without_drift() {
        let policy = daily(Anchor::ServiceStart);
        let start = Time(125 * Span::SECOND.0);
        assert_eq!(policy.next_tick(start, start), start + Span::DAY);
        assert_eq!(policy.next_tick(start, start + Span::DAY), start + Span::DAY.times(2));
        assert_eq!(policy.next_tick(start, start + Span(1)), start + Span::DAY);
        assert_eq!(policy.ticks_between(start, start, start + Span::DAY.times(3)), 3);
        assert_eq!(policy.ticks_between(start, start + Span::DAY, start + Span::DAY), 0);
        let wall = daily(Anchor::WallClock(Span::HOUR.times(27)));
        assert_eq!(wall.next_tick(start, Time::ZERO), Time(Span::HOUR.times(3).0));
        assert_eq!(daily(Anchor::OwnAge).next_tick(start, start), Time::NEVER);
    }

    #[test]
    fn rule_18_jitter_stays_below_the_spread() {
        let policy = Refresh { spread: Span(10), ..daily(Anchor::ServiceStart) };
        assert_eq!(policy.jitter(0), Span::ZERO);
        assert_eq!(policy.jitter(u64::MAX), Span(9));
        assert_eq!(daily(Anchor::OwnAge).jitter(u64::MAX), Span::ZERO);
    }
}
