//! What a peer does after a loss or a failed attempt (model rule 14; rule 26 in simple form).

use super::backoff::Backoff;
use super::budget::{Budget, ConnectLimit};
use crate::dist::Dist;
use crate::time::Span;

/// How a peer comes back.
#[derive(Clone, PartialEq, Debug)]
pub struct Reconnect {
    /// Wait before the first attempt after a loss; the peer's own draw.
    pub first: Dist,
    /// Wait after each round of failures, one round being an attempt at every front end of the peer's list; drawn anew
    /// each time. Not used where there is a back-off.
    pub delay: Dist,
    /// Waits that follow from how many rounds have failed.
    pub backoff: Option<Backoff>,
    /// What waits are counted from.
    pub counted_from: CountedFrom,
    /// A connection lost before it was valid for this long is one more failure; zero: every valid connection makes the
    /// peer forget its failures.
    pub reset_after: Span,
    /// When it stops trying for good.
    pub give_up: GiveUp,
    /// Whether an attempt may take at least as long as the wait after it would (gRPC's rule for its time-out).
    pub stretch_attempt: bool,
    /// A budget of retries that the group shares.
    pub budget: Option<Budget>,
    /// Bounds on attempts at one front end.
    pub limit: ConnectLimit,
}

/// What a wait is counted from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CountedFrom {
    /// The failure that it follows.
    Failure,
    /// The start of the round of attempts that failed: the time that these took is part of it.
    Start,
}

/// When a peer stops trying for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GiveUp {
    /// After so many attempts since the loss; at least 1.
    pub attempts: Option<u16>,
    /// Once the next attempt would be later than this after the loss.
    pub after: Option<Span>,
}

/// What comes after an attempt has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Try the next front end of the list at once.
    AtOnce,
    /// The round is over: wait, then try the next front end of the list.
    After(Span),
}

impl Reconnect {
    /// The plain form: two waits that do not grow, for ever.
    pub fn plain(first: Dist, delay: Dist) -> Reconnect {
        Reconnect {
            first,
            delay,
            backoff: None,
            counted_from: CountedFrom::Failure,
            reset_after: Span::ZERO,
            give_up: GiveUp::default(),
            stretch_attempt: false,
            budget: None,
            limit: ConnectLimit::default(),
        }
    }

    /// The plain form with a back-off in place of the delay.
    pub fn backing_off(first: Dist, backoff: Backoff) -> Reconnect {
        Reconnect { backoff: Some(backoff), ..Reconnect::plain(first, Dist::Constant(Span::ZERO)) }
    }

    /// The wait before the first attempt after a loss.
    #[inline]
    pub fn after_loss(&self, bits: impl FnOnce() -> u64) -> Span {
        sample(&self.first, bits)
    }

    /// What follows when attempt number `attempt` (0 = the first since the loss) of a peer that knows `front_ends` fails:
    /// `wait` is the wait after a round.
    ///
    /// The count of attempts stops at 65,535; from there on every failure waits.
    #[inline]
    pub fn after_failure(&self, attempt: u16, front_ends: u16, wait: impl FnOnce() -> Span) -> Next {
        if attempt == u16::MAX || (attempt + 1).is_multiple_of(front_ends.max(1)) {
            Next::After(wait())
        } else {
            Next::AtOnce
        }
    }

    /// Whether the peer stops for good after attempt number `attempt` (0 = the first since the loss) has failed, where
    /// its next attempt would be `since_loss` after the loss.
    pub fn gives_up(&self, attempt: u16, since_loss: Span) -> bool {
        self.give_up.attempts.is_some_and(|most| attempt >= most.saturating_sub(1))
            || self.give_up.after.is_some_and(|most| since_loss > most)
    }

    /// Whether attempts may have to wait for other peers' attempts.
    #[inline]
    pub fn is_rationed(&self) -> bool {
        self.budget.is_some() || !self.limit.is_none()
    }
}

/// Draws only where the distribution needs it.
#[inline]
fn sample(dist: &Dist, bits: impl FnOnce() -> u64) -> Span {
    match dist {
        Dist::Constant(span) => *span,
        other => other.sample(bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Reconnect {
        Reconnect::plain(Dist::Constant(Span::ZERO), Dist::Constant(Span::SECOND))
    }

    #[test]
    fn rule_26_a_whole_round_of_the_list_is_tried_before_the_delay() {
        let policy = plain();
        let after = |attempt, front_ends| policy.after_failure(attempt, front_ends, || Span::SECOND);
        assert_eq!(after(0, 3), Next::AtOnce);
        assert_eq!(after(1, 3), Next::AtOnce);
        assert_eq!(after(2, 3), Next::After(Span::SECOND));
        assert_eq!(after(0, 1), Next::After(Span::SECOND));
        assert_eq!(after(u16::MAX, 3), Next::After(Span::SECOND));
    }

    #[test]
    fn rule_14_a_peer_gives_up_after_its_attempts_or_its_time() {
        let attempts = Reconnect { give_up: GiveUp { attempts: Some(3), after: None }, ..plain() };
        assert_eq!([0, 1, 2, 3].map(|n| attempts.gives_up(n, Span::DAY)), [false, false, true, true]);
        let time = Reconnect { give_up: GiveUp { attempts: None, after: Some(Span::HOUR) }, ..plain() };
        assert!(!time.gives_up(u16::MAX, Span::HOUR) && time.gives_up(0, Span(Span::HOUR.0 + 1)));
        assert!(!plain().gives_up(u16::MAX, Span(u64::MAX)));
    }
}
