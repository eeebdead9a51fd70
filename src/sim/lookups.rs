//! Jobs that wait for others without a worker (model rule 4): where they are kept meanwhile, and how they come back.
//!
//! Each has a number of its own, the lowest that is free, after those of connections, workers and front ends. What they
//! wait for, and for how long, the front end has decided.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::frontend::Suspended;
use crate::id::{ENTITIES_MAX, Entity};
use crate::measure::{Record, RecordKind, What};
use crate::policy::lookup::Condition;
use crate::time::Time;

use super::RunError;
use super::engine::Run;

/// The jobs that wait without a worker.
#[derive(Debug)]
pub(super) struct Waits {
    first: Entity,
    slots: Vec<Slot>,
    free: BinaryHeap<Reverse<u32>>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    until: Time,
    place: u16,
    /// `None`: nobody waits here.
    job: Option<Suspended>,
}

impl Waits {
    /// Nobody waits; the numbers begin at `first`.
    pub(super) fn new(first: Entity) -> Waits {
        Waits { first, slots: Vec::new(), free: BinaryHeap::new() }
    }

    /// Keeps a job of the front end at `place`; gives the number that is to be woken at `until`.
    pub(super) fn keep(&mut self, until: Time, place: u16, job: Suspended) -> Result<Entity, RunError> {
        let slot = Slot { until, place, job: Some(job) };
        let number = match self.free.pop() {
            Some(Reverse(number)) => {
                self.slots[number as usize] = slot;
                number
            }
            None if self.slots.len() as u64 >= u64::from(ENTITIES_MAX - self.first) => {
                return Err(RunError::TooManyWait { max: self.slots.len() as u64 });
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        Ok(self.first + number)
    }

    /// Takes out the job with this number if its wait is over at `now`, and says whose front end's it is.
    fn take(&mut self, now: Time, who: Entity) -> Option<(u16, Suspended)> {
        let number = who - self.first;
        let slot = self.slots.get_mut(number as usize).filter(|slot| slot.until == now)?;
        let job = slot.job.take()?;
        self.free.push(Reverse(number));
        Some((slot.place, job))
    }

    /// Whose job has this number.
    pub(super) fn row(&self, who: Entity) -> Option<u32> {
        let slot = self.slots.get((who - self.first) as usize)?;
        slot.job.as_ref().map(Suspended::row)
    }

    /// Takes out all jobs of the front end at `place`, in the order of their numbers.
    fn lose(&mut self, place: u16) -> Vec<Suspended> {
        let mut lost = Vec::new();
        for (slot, number) in self.slots.iter_mut().zip(0..) {
            if slot.place == place
                && let Some(job) = slot.job.take()
            {
                self.free.push(Reverse(number));
                lost.push(job);
            }
        }
        lost
    }
}

impl Run<'_> {
    /// The wait of a job without a worker is over.
    #[inline(never)]
    pub(super) fn wait_over(&mut self, now: Time, who: u32) {
        let Some((place, job)) = self.world.waits.take(now, who) else { return };
        let group = self.group_of(job.row());
        let (row, of) = (&self.rows[job.row() as usize], &self.groups[group]);
        let place = usize::from(place);
        if let Some(refused) = self.front_ends[place].rejoin(now, job, row, of, &mut self.world) {
            self.no_room(now, place, refused);
        }
        self.dispatch(now, place);
    }

    /// A crash takes the jobs that wait without a worker: how many.
    pub(super) fn lose_waits(&mut self, now: Time, place: usize) -> u64 {
        let lost = self.world.waits.lose(place as u16);
        for job in &lost {
            self.front_ends[place].lose_suspended(now, job);
            self.decide_at(now, job.row(), place, What::NoEffect, 0);
        }
        lost.len() as u64
    }

    /// Puts the changes of look-ups among the records, before what else happened at their instants: nothing in the run but
    /// the time of a fetch depends on them, so that they need no step of their own.
    pub(super) fn tell_of_lookups(&mut self, end: Time) {
        for (lookup, nth) in self.plan.lookups.each.iter().zip(0..) {
            for (at, condition) in lookup.changes.iter().filter(|(at, _)| *at <= end) {
                let state = match condition {
                    Condition::Well => "as at the beginning",
                    Condition::Slower(_) | Condition::Slow(_) => "slow",
                    Condition::Failing(_) => "failing",
                };
                let record = Record { at: *at, front_end: None, peer: None, kind: RecordKind::Lookup { nth, state } };
                let records = &mut self.world.records;
                let place = records.partition_point(|other| {
                    other.at < *at || other.at == *at && matches!(other.kind, RecordKind::Lookup { .. })
                });
                records.insert(place, record);
            }
        }
    }

    /// Books the waits that go on when the run ends.
    pub(super) fn settle_waits(&mut self, end: Time) {
        for slot in &self.world.waits.slots {
            if let Some(job) = &slot.job {
                self.front_ends[usize::from(slot.place)].still_suspended(end, job);
            }
        }
    }
}
