//! The one deadline structure: what happens next.
//!
//! Knows times and order, nothing of peers, rows or what an entry means. The order is total and has no insertion
//! number in it: time, then class, then entity, then kind. Nothing is ever deleted; whoever pops an entry checks
//! whether it still matters.
//!
//! An epoch is 2^30 ns (1.1 s), a bucket 2^21 ns (2.1 ms) of the current epoch. Later epochs are unsorted lists;
//! entering one deals its list out into buckets; opening a bucket sorts it, once, in cache. So 10^6 entries of one
//! instant cost an append each, two moves and one sort, and an empty stretch costs a look into a bitmap.

mod blocks;
mod slots;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::id::{ENTITIES_MAX, Entity};
use crate::time::Time;
use blocks::{Blocks, List};
use slots::Slots;

/// What sort of thing happens: of two entries of one instant, the one of the lower class comes first.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// The scenario's timeline: a fault begins or ends.
    Timeline = 0,
    /// A worker finishes.
    Completion = 1,
    /// A timer fires.
    Deadline = 2,
    /// Something arrives from the network.
    Arrival = 3,
    /// A refresh tick.
    Tick = 4,
    /// A sample of the measurements.
    Sample = 5,
}

/// One thing to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// What sort of thing.
    pub class: Class,
    /// To whom: below [`ENTITIES_MAX`].
    pub entity: Entity,
    /// Which of the entity's own things, its meaning the caller's: below [`KINDS`].
    pub kind: u8,
}

/// One more than the largest kind: the three bits that a queued entry gives it.
pub const KINDS: u8 = 8;

/// All that is to happen, in the order in which it does.
///
/// Both [`push`](Self::push) and [`pop`](Self::pop) cost the same at 10^4 and at 10^7 pending entries, but for cache
/// misses. A pending entry takes 8.3 to 9.2 bytes, and 8 more while its own
/// bucket is open; the first of an epoch (1.1 s) takes a block of 256.
pub struct Schedule {
    now: u64,             // of the last popped entry
    len: usize,           // all that is pending
    epoch: u64,           // of `now`; only a pop moves it
    opened: usize,        // buckets of the epoch below this one are open or past
    current: Vec<u64>,    // the open bucket, greatest first: the next entry is the last
    late_min: u64,        // the least of `fresh` and `late`, or VACANT
    late: LateHeap,       // pushed below `opened`, a few
    fresh: Vec<u64>,      // the same, beyond a few; not looked at yet
    near: Slots<BUCKETS>, // the rest of the current epoch, by bucket
    ring: Slots<RING>,    // the RING - 1 epochs after it, by epoch
    far: BTreeMap<u64, List>,
    ahead: u64, // the earliest time in `ring` and `far`, or 0: not known
    // Of the lists of buckets there are hundreds, whose newest blocks are to stay in the second-level cache: one line
    // each. Of the lists of epochs few are added to at a time, and the four lines of a block come from memory together.
    near_blocks: Blocks<7, 1024>,
    ahead_blocks: Blocks<31, 256>,
}

type LateHeap = BinaryHeap<Reverse<u64>>;

impl Default for Schedule {
    fn default() -> Schedule {
        Schedule::new()
    }
}

impl Schedule {
    /// An empty schedule at run time 0. Holds about 550 kB before the first entry.
    pub fn new() -> Schedule {
        Schedule {
            now: 0,
            len: 0,
            epoch: 0,
            opened: 0,
            current: Vec::new(),
            late_min: VACANT,
            fresh: Vec::new(),
            late: BinaryHeap::new(),
            near: Slots::new(),
            ring: Slots::new(),
            far: BTreeMap::new(),
            ahead: 0,
            near_blocks: Blocks::new(),
            ahead_blocks: Blocks::new(),
        }
    }

    /// Adds an entry; one at [`Time::NEVER`] is ignored, for it never happens.
    ///
    /// An entry for the instant of the last popped one takes its place among what is still pending at that instant,
    /// and is simply next if all of that is greater. The same entry may be pushed more than once: each comes out.
    ///
    /// # Panics
    ///
    /// If `at` is earlier than the last popped entry, `entity` is not below [`ENTITIES_MAX`], or `kind` not below
    /// [`KINDS`].
    #[inline]
    pub fn push(&mut self, at: Time, class: Class, entity: Entity, kind: u8) {
        assert!(at.0 >= self.now, "pushed into the past");
        assert!(entity < ENTITIES_MAX && kind < KINDS, "no such entity or kind");
        if at == Time::NEVER {
            return;
        }
        let key = pack(at, class, entity, kind);
        let epoch = at.0 >> EPOCH_BITS;
        self.len += 1;
        if epoch != self.epoch {
            self.push_ahead(at, epoch, key);
        } else if bucket_of(key) >= self.opened {
            self.near.push(bucket_of(key), key, &mut self.near_blocks);
        } else {
            self.push_late(key);
        }
    }

    /// Adds each of `entries` as [`push`](Self::push) does; cheapest in ascending order, which then needs no sort.
    pub fn push_all(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for Entry { at, class, entity, kind } in entries {
            self.push(at, class, entity, kind);
        }
    }

    /// Removes and returns the least entry.
    #[inline]
    pub fn pop(&mut self) -> Option<Entry> {
        let key = match self.current.last() {
            Some(&key) if key <= self.late_min => {
                self.current.pop();
                key
            }
            _ => self.pop_late_or_open()?,
        };
        self.len -= 1;
        let entry = unpack(self.epoch, key);
        self.now = entry.at.0;
        Some(entry)
    }

    /// Returns when the least entry happens. Constant, but that the first call in an idle stretch sorts the next
    /// bucket, or reads through the next epoch that is not empty.
    #[inline]
    pub fn next_time(&mut self) -> Option<Time> {
        let least = self.current.last().map_or(self.late_min, |&key| key.min(self.late_min));
        if least == VACANT { self.next_time_ahead() } else { Some(time_of(self.epoch, least)) }
    }

    /// Returns the entity of the entry `ahead` places after the next one in the open bucket, if the bucket goes so far.
    ///
    /// Only a hint, for touching rows early: entries pushed into the open bucket since are not counted.
    #[inline]
    pub fn upcoming(&self, ahead: usize) -> Option<Entity> {
        let place = self.current.len().checked_sub(ahead + 1)?;
        self.current.get(place).map(|&key| entity_of(key))
    }

    /// Which bucket is open.
    #[inline]
    pub fn open_bucket(&self) -> usize {
        self.opened
    }

    /// How many entries are pending.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is pending.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes held, free blocks included; without the nodes of the map of far epochs.
    pub fn bytes(&self) -> usize {
        let keys = self.current.capacity() + self.fresh.capacity() + self.late.capacity();
        let blocks = self.near_blocks.bytes() + self.ahead_blocks.bytes();
        size_of::<Schedule>() + keys * size_of::<u64>() + self.near.bytes() + self.ring.bytes() + blocks
    }

    /// Adds to what is open or past: to the heap while that is a few in L1, else aside until one is due.
    #[inline]
    fn push_late(&mut self, key: u64) {
        self.late_min = self.late_min.min(key);
        if self.late.len() < BURST {
            self.late.push(Reverse(key));
        } else {
            self.fresh.push(key);
        }
    }

    /// Adds to a later epoch than the current one.
    #[inline]
    fn push_ahead(&mut self, at: Time, epoch: u64, key: u64) {
        self.ahead = self.ahead.min(at.0);
        if epoch - self.epoch < RING as u64 {
            self.ring.push(ring_slot(epoch), key, &mut self.ahead_blocks);
        } else {
            self.push_far(epoch, key);
        }
    }

    #[inline(never)]
    fn push_far(&mut self, epoch: u64, key: u64) {
        self.ahead_blocks.push(self.far.entry(epoch).or_default(), key);
    }

    /// The pop that is not just the open bucket's next entry. Leaves `len` and `now` to its caller.
    #[inline(never)]
    fn pop_late_or_open(&mut self) -> Option<u64> {
        loop {
            if self.late_min == VACANT {
                if !self.open_next() && !self.enter_next() {
                    return None;
                }
            } else if self.fresh.is_empty() {
                let least = self.late.pop();
                self.late_min = self.late.peek().map_or(VACANT, |key| key.0);
                return least.map(|key| key.0);
            } else {
                self.settle();
            }
            if let Some(&key) = self.current.last()
                && key <= self.late_min
            {
                return self.current.pop();
            }
        }
    }

    /// Sorts `fresh` in: a few through the heap, a burst by one more sort of the open bucket.
    ///
    /// The burst must be a fair part of the bucket, so that the sort is paid for by what was pushed.
    fn settle(&mut self) {
        if self.fresh.len() >= BURST && self.fresh.len() >= self.current.len() / 4 {
            self.current.append(&mut self.fresh);
            sort(&mut self.current);
        } else {
            self.late.extend(self.fresh.drain(..).map(Reverse));
        }
        self.late_min = self.late.peek().map_or(VACANT, |key| key.0);
    }

    /// Opens the next bucket of the current epoch that holds anything; the open one must be used up.
    fn open_next(&mut self) -> bool {
        let Some(bucket) = self.near.first_from(self.opened) else { return false };
        self.opened = bucket + 1;
        let mut list = self.near.take(bucket);
        while let Some(keys) = self.near_blocks.newest(list) {
            self.current.extend(keys.iter().rev());
            self.near_blocks.free_newest(&mut list);
        }
        sort(&mut self.current);
        true
    }

    /// Enters the next epoch that holds anything; the current one must be used up.
    fn enter_next(&mut self) -> bool {
        let Some(epoch) = self.next_epoch() else { return false };
        (self.epoch, self.opened, self.ahead) = (epoch, 0, 0);
        let near = self.ring.take(ring_slot(epoch));
        let far = self.far.remove(&epoch).unwrap_or_default();
        for mut list in [near, far] {
            while let Some(keys) = self.ahead_blocks.newest(list) {
                for &key in keys.iter().rev() {
                    self.near.push(bucket_of(key), key, &mut self.near_blocks);
                }
                self.ahead_blocks.free_newest(&mut list);
            }
        }
        true
    }

    /// The next epoch after the current one that holds anything.
    fn next_epoch(&self) -> Option<u64> {
        let start = ring_slot(self.epoch + 1);
        let slot = self.ring.first_from(start).or_else(|| self.ring.first_from(0));
        let ring = slot.map(|slot| self.epoch + 1 + ring_slot(slot as u64 + RING as u64 - start as u64) as u64);
        let far = self.far.keys().next().copied();
        ring.into_iter().chain(far).min()
    }

    /// `next_time` when the open bucket is used up.
    ///
    /// Opens the next bucket, for what is pushed behind it then is only late. Never enters an epoch: entries for
    /// the rest of the current one may still come, so it only looks, once, and remembers.
    #[inline(never)]
    fn next_time_ahead(&mut self) -> Option<Time> {
        if self.open_next() {
            return self.current.last().map(|&key| time_of(self.epoch, key));
        }
        if self.ahead == 0 {
            let epoch = self.next_epoch()?;
            let near = self.ahead_blocks.least(self.ring.get(ring_slot(epoch)));
            let far = self.far.get(&epoch).and_then(|&list| self.ahead_blocks.least(list));
            self.ahead = time_of(epoch, near.into_iter().chain(far).min()?).0;
        }
        Some(Time(self.ahead))
    }
}

// A key: low bits of the time | class | entity | kind, compared as one integer.
const KIND_BITS: u32 = 3;
const ENTITY_BITS: u32 = 25;
const CLASS_BITS: u32 = 3;
const ID_BITS: u32 = CLASS_BITS + ENTITY_BITS + KIND_BITS;
const _: () = assert!(EPOCH_BITS + ID_BITS <= u64::BITS && 1 << ENTITY_BITS == ENTITIES_MAX && 1 << KIND_BITS == KINDS);

/// 2^30 ns an epoch: of 10^4 to 10^5 entries a second, what is dealt out at once fits the second-level cache.
const EPOCH_BITS: u32 = 30;

/// Greater than every key: its class does not exist.
const VACANT: u64 = u64::MAX;

/// 2^21 ns a bucket: right for 10^4 to 10^5 entries a second, which is 20 to 200 that are sorted together in L1, and
/// the newest blocks of an epoch's lists fit the second-level cache.
const BUCKET_BITS: u32 = 21;
const BUCKETS: usize = 1 << (EPOCH_BITS - BUCKET_BITS);

/// Epochs that need no search: 39 hours, so that timers of a day and its jitter are among them.
const RING: usize = 1 << 17;

/// From here on one sort beats as many pushes to a heap.
const BURST: usize = 32;

#[inline]
fn pack(at: Time, class: Class, entity: Entity, kind: u8) -> u64 {
    let id = ((class as u64) << (ENTITY_BITS + KIND_BITS)) | (u64::from(entity) << KIND_BITS) | u64::from(kind);
    (at.0 << ID_BITS) | id // Of the epoch the shift drops all but its lowest bits, which are the same for all of one epoch.
}

#[inline]
fn unpack(epoch: u64, key: u64) -> Entry {
    let class = match (key >> (ENTITY_BITS + KIND_BITS)) & ((1 << CLASS_BITS) - 1) {
        0 => Class::Timeline,
        1 => Class::Completion,
        2 => Class::Deadline,
        3 => Class::Arrival,
        4 => Class::Tick,
        _ => Class::Sample,
    };
    Entry { at: time_of(epoch, key), class, entity: entity_of(key), kind: (key as u8) & (KINDS - 1) }
}

#[inline]
fn time_of(epoch: u64, key: u64) -> Time {
    Time((epoch << EPOCH_BITS) | (key >> ID_BITS) & ((1 << EPOCH_BITS) - 1))
}

#[inline]
fn entity_of(key: u64) -> Entity {
    (key >> KIND_BITS) as u32 & (ENTITIES_MAX - 1)
}

#[inline]
fn bucket_of(key: u64) -> usize {
    (key >> (ID_BITS + BUCKET_BITS)) as usize & (BUCKETS - 1)
}

#[inline]
fn ring_slot(epoch: u64) -> usize {
    epoch as usize & (RING - 1)
}

/// Greatest first. What lies in order, either way, takes one pass.
#[inline]
fn sort(keys: &mut [u64]) {
    keys.sort_unstable_by_key(|&key| Reverse(key));
}
