//! The queue that everybody has: std's binary heap, of 16-byte events.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::Queue;

pub(crate) struct Heap(BinaryHeap<Reverse<(u64, u64)>>); // time, peer << 3 | kind

impl Queue for Heap {
    fn with_peers(peers: u32) -> Heap {
        Heap(BinaryHeap::with_capacity(peers as usize))
    }

    #[inline]
    fn push(&mut self, at: u64, peer: u32, kind: u8) {
        self.0.push(Reverse((at, (u64::from(peer) << 3) | u64::from(kind))));
    }

    #[inline]
    fn pop(&mut self) -> Option<(u64, u32, u8)> {
        let Reverse((at, id)) = self.0.pop()?;
        Some((at, (id >> 3) as u32, (id & 7) as u8))
    }
}
