//! The library's schedule in the plain loop: what the structure itself costs, and that it keeps the order at scale.

use refresh_sim::schedule::{Class, Schedule};
use refresh_sim::time::Time;

use crate::model::Queue;

impl Queue for Schedule {
    fn with_peers(_: u32) -> Schedule {
        Schedule::new()
    }

    #[inline]
    fn push(&mut self, at: u64, peer: u32, kind: u8) {
        Schedule::push(self, Time(at), Class::Deadline, peer, kind); // One class for all: the model's order has none.
    }

    #[inline]
    fn pop(&mut self) -> Option<(u64, u32, u8)> {
        Schedule::pop(self).map(|entry| (entry.at.0, entry.entity, entry.kind))
    }
}
