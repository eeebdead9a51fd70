//! What a peer does after a loss or a failed attempt (model rules 14 and 26, in simple form).

use crate::dist::Dist;
use crate::time::Span;

/// How a peer comes back.
#[derive(Clone, PartialEq, Debug)]
pub struct Reconnect {
    /// Wait before the first attempt after a loss; the peer's own draw.
    pub first: Dist,
    /// Wait after each round of failures, one round being an attempt at every front end of the peer's list.
    pub delay: Dist,
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
    /// The wait before the first attempt after a loss.
    #[inline]
    pub fn after_loss(&self, bits: impl FnOnce() -> u64) -> Span {
        sample(&self.first, bits)
    }

    /// What follows when attempt number `attempt` (0 = the first since the loss) of a peer that knows `front_ends` fails.
    ///
    /// The count of attempts stops at 65,535; from there on every failure waits.
    #[inline]
    pub fn after_failure(&self, attempt: u16, front_ends: u16, bits: impl FnOnce() -> u64) -> Next {
        if attempt == u16::MAX || (attempt + 1).is_multiple_of(front_ends.max(1)) {
            Next::After(sample(&self.delay, bits))
        } else {
            Next::AtOnce
        }
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

    #[test]
    fn rule_26_a_whole_round_of_the_list_is_tried_before_the_delay() {
        let policy = Reconnect { first: Dist::Constant(Span::ZERO), delay: Dist::Constant(Span::SECOND) };
        assert_eq!(policy.after_failure(0, 3, || 0), Next::AtOnce);
        assert_eq!(policy.after_failure(1, 3, || 0), Next::AtOnce);
        assert_eq!(policy.after_failure(2, 3, || 0), Next::After(Span::SECOND));
        assert_eq!(policy.after_failure(0, 1, || 0), Next::After(Span::SECOND));
    }
}
