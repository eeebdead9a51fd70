//! Connections that their peers gave up: they keep their slots, and their jobs their places, until the peer's close
//! arrives (model rules 5 and 14).
//!
//! Nothing here is a step of the run: what has become known by now is worked out when somebody asks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::queue::Job;
use crate::time::Time;

/// What a front end does not know yet.
#[derive(Clone, Debug, Default)]
pub struct Abandoned {
    /// When each slot becomes free.
    slots: BinaryHeap<Reverse<Time>>,
    /// By row and generation of a job in the queue or in service, when the front end learns that nobody waits for it.
    jobs: BTreeMap<(u32, u16), Time>,
}

impl Abandoned {
    /// A slot is taken until `until`.
    pub fn keep_slot(&mut self, until: Time) {
        self.slots.push(Reverse(until));
    }

    /// Slots still taken at `now`.
    pub fn slots(&mut self, now: Time) -> u64 {
        while self.slots.peek().is_some_and(|until| until.0 <= now) {
            self.slots.pop();
        }
        self.slots.len() as u64
    }

    /// The job of this row and generation has lost its peer; the front end learns of it at `learned`.
    pub fn keep_job(&mut self, row: u32, generation: u16, learned: Time) {
        self.jobs.insert((row, generation), learned);
    }

    /// A job whose connection is gone leaves the queue at `now`, or ends: says whether the front end knows by then.
    ///
    /// What it ended itself, or lost in another way than by its peer's giving up, it knows at once.
    pub fn is_known(&mut self, job: &Job, now: Time) -> bool {
        self.jobs.remove(&(job.row, job.generation)).is_none_or(|learned| learned <= now)
    }

    /// All is gone.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.jobs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::JobKind;
    use crate::measure::Cause;
    use crate::time::Span;

    #[test]
    fn rule_05_slots_become_free_in_order_of_time_and_jobs_are_known_from_their_time_on() {
        let mut abandoned = Abandoned::default();
        [30, 10, 20].into_iter().for_each(|at| abandoned.keep_slot(Time(at)));
        assert_eq!([9, 10, 25, 30].map(|now| abandoned.slots(Time(now))), [3, 2, 1, 0]);
        let job = |row| Job {
            arrived: Time(0),
            demand: Span(1),
            row,
            generation: 7,
            kind: JobKind::Flight,
            cause: Cause::Initial,
        };
        abandoned.keep_job(1, 7, Time(10));
        abandoned.keep_job(2, 7, Time(10));
        assert_eq!(
            [(1, 9), (2, 10), (3, 0)].map(|(row, now)| abandoned.is_known(&job(row), Time(now))),
            [false, true, true]
        );
    }
}
