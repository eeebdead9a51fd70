//! The plain bucket queue of 8-byte events: the project's yardstick.
//!
//! Epochs of 2^36 ns in a map, 2^20 ns buckets in the current one, 64-byte pooled blocks, a bucket sorted when it is
//! reached, and a small heap for what is pushed into the open bucket. Shares no code with the library.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::model::{PEER_BITS, Queue};

pub(crate) struct Bucket8 {
    epoch: u64,
    opened: usize,                  // buckets below this one are open or past
    current: Vec<u64>,              // the open bucket, greatest first
    late: BinaryHeap<Reverse<u64>>, // pushed into the open bucket
    heads: Box<[u32; BUCKETS]>,     // newest block of each bucket
    held: Box<[u64; BUCKETS / 64]>, // which buckets hold anything
    far: BTreeMap<u64, u32>,        // newest block of each later epoch
    blocks: Vec<Block>,             // block 0 is nobody's: it ends lists
    free: u32,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Block {
    keys: [u64; 7],
    next: u32,
    len: u32,
}

impl Queue for Bucket8 {
    fn with_peers(peers: u32) -> Bucket8 {
        let mut blocks = Vec::with_capacity(peers as usize / 7 + BUCKETS / 8);
        blocks.push(Block { keys: [0; 7], next: 0, len: 7 });
        Bucket8 {
            epoch: 0,
            opened: 0,
            current: Vec::new(),
            late: BinaryHeap::new(),
            heads: boxed(0),
            held: boxed(0),
            far: BTreeMap::new(),
            blocks,
            free: 0,
        }
    }

    #[inline]
    fn push(&mut self, at: u64, peer: u32, kind: u8) {
        let key = (at << ID_BITS) | (u64::from(peer) << KIND_BITS) | u64::from(kind);
        let epoch = at >> OFFSET_BITS;
        if epoch != self.epoch {
            let head = self.far.entry(epoch).or_default();
            *head = add(&mut self.blocks, &mut self.free, *head, key);
        } else if bucket(key) >= self.opened {
            self.push_near(key);
        } else {
            self.late.push(Reverse(key));
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<(u64, u32, u8)> {
        let key = loop {
            match (self.current.last(), self.late.peek()) {
                (Some(&key), late) if late.is_none_or(|&Reverse(late)| key <= late) => {
                    self.current.pop();
                    break key;
                }
                (_, Some(_)) => break self.late.pop()?.0,
                _ => {
                    if !self.open_next() && !self.enter_next() {
                        return None;
                    }
                }
            }
        };
        let at = (self.epoch << OFFSET_BITS) | (key >> ID_BITS);
        Some((at, (key >> KIND_BITS) as u32 & ((1 << PEER_BITS) - 1), (key & 7) as u8))
    }
}

impl Bucket8 {
    #[inline]
    fn push_near(&mut self, key: u64) {
        let head = &mut self.heads[bucket(key)];
        if *head == 0 {
            self.held[bucket(key) / 64] |= 1 << (bucket(key) % 64);
        }
        *head = add(&mut self.blocks, &mut self.free, *head, key);
    }

    /// Sorts the next bucket of the epoch that holds anything.
    #[inline(never)]
    fn open_next(&mut self) -> bool {
        let (mut word, mut mask) = (self.opened / 64, u64::MAX << (self.opened % 64));
        loop {
            let Some(bits) = self.held.get(word) else { return false };
            if bits & mask != 0 {
                let bit = (bits & mask).trailing_zeros() as usize;
                self.held[word] &= !(1 << bit);
                self.opened = word * 64 + bit + 1;
                break;
            }
            (word, mask) = (word + 1, u64::MAX);
        }
        let mut head = std::mem::take(&mut self.heads[self.opened - 1]);
        while head != 0 {
            let block = &mut self.blocks[head as usize];
            // Newest first, so that a herd pushed in order needs no more than the sort's one look.
            self.current.extend(block.keys[..block.len as usize].iter().rev());
            (self.free, head, block.next) = (head, block.next, self.free);
        }
        self.current.sort_unstable_by_key(|&key| Reverse(key));
        true
    }

    /// Deals the next epoch that holds anything out into buckets.
    fn enter_next(&mut self) -> bool {
        let Some((epoch, mut head)) = self.far.pop_first() else { return false };
        (self.epoch, self.opened) = (epoch, 0);
        while head != 0 {
            let block = self.blocks[head as usize];
            self.blocks[head as usize].next = self.free;
            (self.free, head) = (head, block.next);
            for &key in block.keys[..block.len as usize].iter().rev() {
                self.push_near(key);
            }
        }
        true
    }
}

/// Adds `key` to the list whose newest block is `head`; returns the newest block.
#[inline]
fn add(blocks: &mut Vec<Block>, free: &mut u32, head: u32, key: u64) -> u32 {
    let block = &mut blocks[head as usize];
    if let Some(place) = block.keys.get_mut(block.len as usize) {
        *place = key;
        block.len += 1;
        return head;
    }
    let block = Block { keys: [key, 0, 0, 0, 0, 0, 0], next: head, len: 1 };
    if *free == 0 {
        blocks.push(block);
        return blocks.len() as u32 - 1;
    }
    let new = *free;
    *free = blocks[new as usize].next;
    blocks[new as usize] = block;
    new
}

#[inline]
fn bucket(key: u64) -> usize {
    (key >> (ID_BITS + BUCKET_BITS)) as usize
}

fn boxed<T: Copy, const N: usize>(value: T) -> Box<[T; N]> {
    match vec![value; N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("N values make an array of N"),
    }
}

const KIND_BITS: u32 = 3;
const ID_BITS: u32 = PEER_BITS + KIND_BITS;
const OFFSET_BITS: u32 = u64::BITS - ID_BITS; // 36: epochs of 68.7 s
const BUCKET_BITS: u32 = 20;
const BUCKETS: usize = 1 << (OFFSET_BITS - BUCKET_BITS);
