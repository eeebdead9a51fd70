//! An array of lists with a bitmap of those that hold anything.
//!
//! Knows places in the array, not what they stand for. Finding the next list takes a few words, however far it is.

use super::blocks::{Blocks, List};

/// `N` lists; a power of two, 2^18 at most.
pub(super) struct Slots<const N: usize> {
    lists: Box<[List]>, // N of them
    words: Box<[u64]>,  // a bit a list
    tops: Box<[u64]>,   // a bit a word
}

impl<const N: usize> Slots<N> {
    pub(super) fn new() -> Slots<N> {
        const { assert!(N.is_power_of_two() && N >= 64) };
        Slots {
            lists: vec![List::default(); N].into_boxed_slice(),
            words: vec![0; N / 64].into_boxed_slice(),
            tops: vec![0; N.div_ceil(4096)].into_boxed_slice(),
        }
    }

    #[inline(always)]
    pub(super) fn push<const KEYS: usize, const CHUNK: usize>(
        &mut self,
        slot: usize,
        key: u64,
        blocks: &mut Blocks<KEYS, CHUNK>,
    ) {
        let list = &mut self.lists[slot];
        if list.is_empty() {
            self.words[slot / 64] |= 1 << (slot % 64);
            self.tops[slot / 4096] |= 1 << (slot / 64 % 64);
        }
        blocks.push(list, key);
    }

    /// Takes the whole list out.
    pub(super) fn take(&mut self, slot: usize) -> List {
        let word = &mut self.words[slot / 64];
        *word &= !(1 << (slot % 64));
        if *word == 0 {
            self.tops[slot / 4096] &= !(1 << (slot / 64 % 64));
        }
        std::mem::take(&mut self.lists[slot])
    }

    pub(super) fn get(&self, slot: usize) -> List {
        self.lists[slot]
    }

    /// The first slot from `slot` on, itself included, whose list holds anything.
    pub(super) fn first_from(&self, slot: usize) -> Option<usize> {
        let word = slot / 64;
        let here = self.words.get(word)? & (u64::MAX << (slot % 64));
        if here != 0 {
            return Some(word * 64 + here.trailing_zeros() as usize);
        }
        let mut top = (word + 1) / 64;
        let mut words = self.tops.get(top)? & (u64::MAX << ((word + 1) % 64));
        while words == 0 {
            top += 1;
            words = *self.tops.get(top)?;
        }
        let word = top * 64 + words.trailing_zeros() as usize;
        Some(word * 64 + self.words[word].trailing_zeros() as usize)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.lists) + size_of_val(&*self.words) + size_of_val(&*self.tops)
    }
}
