//! Lists of keys in pooled blocks of one cache line.
//!
//! Knows lists and free blocks; not what a key means. A list only grows at its newest end and is taken from there.
//! The pool grows by whole chunks, never moves a block and gives nothing back but to its own free list.

/// A list of keys: its newest block.
#[derive(Clone, Copy, Default)]
pub(super) struct List(u32);

/// The pool.
pub(super) struct Blocks {
    chunks: Vec<Box<[Block; CHUNK]>>,
    free: List,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Block {
    keys: [u64; KEYS], // oldest first
    older: u32,        // the next block of the list, of older keys; 0 at its end
    len: u32,          // 1..=KEYS; less than KEYS only in a list's newest block
}

impl Blocks {
    pub(super) fn new() -> Blocks {
        Blocks { chunks: Vec::new(), free: List::default() }
    }

    /// Adds `key` at the newest end of `list`.
    #[inline]
    pub(super) fn push(&mut self, list: &mut List, key: u64) {
        if list.0 != 0 {
            let block = self.at(list.0);
            if let Some(place) = block.keys.get_mut(block.len as usize) {
                *place = key;
                block.len += 1;
                return;
            }
        }
        self.begin(list, key);
    }

    /// Takes the newest block off `list` and frees it.
    #[inline]
    pub(super) fn take_newest(&mut self, list: &mut List) -> Option<Block> {
        if list.0 == 0 {
            return None;
        }
        let free = self.free;
        let block = self.at(list.0);
        let taken = *block;
        block.older = free.0;
        self.free = *list;
        list.0 = taken.older;
        Some(taken)
    }

    /// The least key of `list`. Reads all of it.
    pub(super) fn least(&self, list: List) -> Option<u64> {
        let (mut at, mut least) = (list.0, None);
        while at != 0 {
            let block = &self.chunks[at as usize / CHUNK][at as usize % CHUNK];
            least = block.keys[..block.len as usize].iter().copied().chain(least).min();
            at = block.older;
        }
        least
    }

    pub(super) fn bytes(&self) -> usize {
        self.chunks.len() * size_of::<[Block; CHUNK]>() + self.chunks.capacity() * size_of::<usize>()
    }

    #[inline]
    fn at(&mut self, block: u32) -> &mut Block {
        &mut self.chunks[block as usize / CHUNK][block as usize % CHUNK]
    }

    #[inline]
    fn begin(&mut self, list: &mut List, key: u64) {
        if self.free.0 == 0 {
            self.grow();
        }
        let new = self.free.0;
        let block = self.at(new);
        let free = block.older;
        (block.keys[0], block.older, block.len) = (key, list.0, 1);
        (self.free.0, list.0) = (free, new);
    }

    /// Adds a chunk, its blocks in the free list in ascending order.
    #[cold]
    fn grow(&mut self) {
        let first = self.chunks.len() * CHUNK;
        let end = u32::try_from(first + CHUNK).expect("at most 2^32 blocks: 30 milliard entries");
        let blocks: Vec<Block> =
            (end - CHUNK as u32 + 1..=end).map(|older| Block { keys: [0; KEYS], older, len: 0 }).collect();
        let Ok(mut chunk) = Box::<[Block; CHUNK]>::try_from(blocks) else { unreachable!("CHUNK blocks make a chunk") };
        chunk[CHUNK - 1].older = 0;
        self.chunks.push(chunk);
        self.free.0 = end - CHUNK as u32 + u32::from(first == 0); // Block 0 stays unused: it means none.
    }
}

impl List {
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Block {
    #[inline]
    pub(super) fn newest_first(&self) -> NewestFirst {
        let mut keys = self.keys;
        keys.reverse();
        NewestFirst { keys, skip: KEYS - self.len as usize }
    }
}

/// A block's keys, back to front: what was pushed in order comes out in reverse, which a sort takes in one pass.
pub(super) struct NewestFirst {
    keys: [u64; KEYS],
    skip: usize,
}

impl NewestFirst {
    #[inline]
    pub(super) fn as_slice(&self) -> &[u64] {
        &self.keys[self.skip..]
    }
}

/// With the link and the count they fill a cache line.
const KEYS: usize = 7;

/// Blocks that are allocated together: 64 KiB.
const CHUNK: usize = 1024;
