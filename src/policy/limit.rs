//! How fast connections that are due have their turn: rate, batches, spacing (model rule 18).

use crate::time::{Span, Time};

/// So many turns in so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TurnRate {
    /// How many; at least 1.
    pub turns: u32,
    /// In how long; more than zero.
    pub per: Span,
    /// How many may be saved up by a pause and then come at once; at least 1.
    pub burst: u32,
}

impl TurnRate {
    /// From one turn to the next at this rate, rounded up to whole nanoseconds: never faster than it says.
    pub fn interval(self) -> Span {
        Span(self.per.0.div_ceil(u64::from(self.turns.max(1))))
    }
}

/// Turns that come in batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The most turns of one batch; at least 1.
    pub turns: u32,
    /// From the first turn of a batch to that of the next, at least; more than zero.
    pub every: Span,
}

/// What a front end's limiter allows; each part that is there must allow a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// A token bucket.
    pub rate: Option<TurnRate>,
    /// Batches.
    pub batch: Option<Batch>,
    /// From one turn to the next, at least; zero: no limit.
    pub spacing: Span,
}

/// What a limiter remembers of the turns that it has given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limiter {
    limit: Limit,
    /// When the rate would allow a turn if nothing were saved up.
    paced: Time,
    /// When the present batch began, and how many turns of it are left.
    batch: (Time, u32),
    /// When the last turn was, and `spacing` after it.
    spaced: Time,
}

impl Limiter {
    /// One that has given no turn yet.
    pub fn new(limit: Limit) -> Limiter {
        let turns = limit.batch.map_or(0, |batch| batch.turns);
        // No batch has begun: the first turn opens one.
        let batch = (Time::NEVER, turns);
        Limiter { limit, paced: Time::ZERO, batch, spaced: Time::ZERO }
    }

    /// The earliest instant from `now` on at which it allows a turn.
    pub fn next(&self, now: Time) -> Time {
        let paced = self.limit.rate.map_or(Time::ZERO, |rate| {
            let saved = rate.interval().times(u64::from(rate.burst.max(1) - 1));
            Time(self.paced.0.saturating_sub(saved.0))
        });
        let batched = match (self.limit.batch, self.batch) {
            (Some(batch), (begun, 0)) => begun + batch.every,
            _ => Time::ZERO,
        };
        now.max(paced).max(batched).max(self.spaced)
    }

    /// Gives a turn at `now`, which [`Limiter::next`] allows.
    pub fn take(&mut self, now: Time) {
        if let Some(rate) = self.limit.rate {
            self.paced = self.paced.max(now) + rate.interval();
        }
        if let Some(batch) = self.limit.batch {
            let (begun, left) = self.batch;
            let is_over = begun == Time::NEVER || now >= begun + batch.every;
            let (begun, left) = if is_over { (now, batch.turns) } else { (begun, left) };
            self.batch = (begun, left.saturating_sub(1));
        }
        self.spaced = now + self.limit.spacing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Limit = Limit { rate: None, batch: None, spacing: Span::ZERO };

    /// The first `n` turns of who is all there at `from`.
    fn turns(limiter: &mut Limiter, from: u64, n: usize) -> Vec<u64> {
        let mut now = Time(from);
        let mut turn = || {
            now = limiter.next(now);
            limiter.take(now);
            now.0
        };
        (0..n).map(|_| turn()).collect()
    }

    #[test]
    fn rule_18_a_rate_gives_turns_one_interval_apart_and_a_burst_of_what_a_pause_has_saved() {
        let rate = TurnRate { turns: 3, per: Span(10), burst: 1 };
        assert_eq!(turns(&mut Limiter::new(Limit { rate: Some(rate), ..NONE }), 100, 4), [100, 104, 108, 112]);
        let mut bursts = Limiter::new(Limit { rate: Some(TurnRate { burst: 3, ..rate }), ..NONE });
        assert_eq!(turns(&mut bursts, 100, 5), [100, 100, 100, 104, 108]);
        assert_eq!(turns(&mut bursts, 116, 3), [116, 116, 120], "two intervals have passed: one more is saved up");
    }

    #[test]
    fn rule_18_a_batch_gives_its_turns_at_once_and_the_next_comes_its_length_after_the_first_of_them() {
        let batch = Some(Batch { turns: 2, every: Span(10) });
        let mut batches = Limiter::new(Limit { batch, ..NONE });
        assert_eq!(turns(&mut batches, 5, 5), [5, 5, 15, 15, 25]);
        assert_eq!(turns(&mut batches, 60, 3), [60, 60, 70], "what a batch has left is not saved up");
        let mut both = Limiter::new(Limit { batch, spacing: Span(3), ..NONE });
        assert_eq!(turns(&mut both, 5, 4), [5, 8, 15, 18], "spacing holds within a batch too");
    }

    #[test]
    fn a_limit_of_the_longest_length_gives_one_turn_and_never_another() {
        let limit = Limit { spacing: Span(u64::MAX), ..NONE };
        assert_eq!(turns(&mut Limiter::new(limit), 1, 2), [1, u64::MAX]);
    }
}
