//! Real time, for how often something is shown and how long it will take. Nothing that reaches a result may depend on it.

use std::time::{Duration, Instant};

/// Says at most once in a while that it is time again.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    every: Duration,
    last: Instant,
}

impl Pace {
    /// Time again each `every`, for the first time `every` from now.
    pub fn new(every: Duration) -> Pace {
        Pace { every, last: now() }
    }

    /// Whether it is time again.
    pub fn is_due(&mut self) -> bool {
        let now = now();
        let due = now.duration_since(self.last) >= self.every;
        if due {
            self.last = now;
        }
        due
    }
}

/// How long something has taken, for people who wait for it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
}

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Stopwatch {
        Stopwatch { started: now() }
    }

    /// How long ago that was.
    pub fn elapsed(&self) -> Duration {
        now().duration_since(self.started)
    }
}

#[expect(clippy::disallowed_methods, reason = "paces progress for people; no result depends on it")]
fn now() -> Instant {
    Instant::now()
}
