//! Lists of keys in pooled blocks.
//!
//! Knows lists and free blocks; not what a key means. A list only grows at its newest end and is taken from there.
//! A pool grows by whole chunks, never moves a block and gives nothing back but to its own free list.

/// A list of keys: its newest block.
#[derive(Clone, Copy, Default)]
pub(super) struct List(u32);

/// A pool of blocks of `KEYS` keys, which with the link and the count fill whole cache lines: `KEYS` is one less than a
/// multiple of 8. `CHUNK` of them, a power of two, are allocated together.
pub(super) struct Blocks<const KEYS: usize, const CHUNK: usize> {
    chunks: Vec<Box<[Block<KEYS>; CHUNK]>>,
    free: List,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Block<const KEYS: usize> {
    keys: [u64; KEYS], // oldest first
    older: u32,        // the next block of the list, of older keys; 0 at its end
    len: u32,          // 1..=KEYS; less than KEYS only in a list's newest block
}

impl<const KEYS: usize, const CHUNK: usize> Blocks<KEYS, CHUNK> {
    pub(super) fn new() -> Blocks<KEYS, CHUNK> {
        const { assert!(KEYS % 8 == 7 && CHUNK.is_power_of_two()) };
        Blocks { chunks: Vec::new(), free: List::default() }
    }

    /// Adds `key` at the newest end of `list`.
    #[inline]
    pub(super) fn push(&mut self, list: &mut List, key: u64) {
        if list.0 != 0 {
            let block = self.at_mut(list.0);
            if let Some(place) = block.keys.get_mut(block.len as usize) {
                *place = key;
                block.len += 1;
                return;
            }
        }
        self.begin(list, key);
    }

    /// The keys of the newest block of `list`, oldest first.
    #[inline]
    pub(super) fn newest(&self, list: List) -> Option<&[u64]> {
        (list.0 != 0).then(|| {
            let block = self.at(list.0);
            &block.keys[..block.len as usize]
        })
    }

    /// Frees the newest block of `list`.
    #[inline]
    pub(super) fn free_newest(&mut self, list: &mut List) {
        let free = self.free;
        let block = self.at_mut(list.0);
        let older = std::mem::replace(&mut block.older, free.0);
        self.free = *list;
        list.0 = older;
    }

    /// The least key of `list`. Reads all of it.
    pub(super) fn least(&self, mut list: List) -> Option<u64> {
        let mut least = None;
        while let Some(keys) = self.newest(list) {
            least = keys.iter().copied().chain(least).min();
            list.0 = self.at(list.0).older;
        }
        least
    }

    pub(super) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Block<KEYS>>() + self.chunks.capacity() * size_of::<Box<u64>>()
    }

    #[inline]
    fn at(&self, block: u32) -> &Block<KEYS> {
        &self.chunks[block as usize / CHUNK][block as usize % CHUNK]
    }

    #[inline]
    fn at_mut(&mut self, block: u32) -> &mut Block<KEYS> {
        &mut self.chunks[block as usize / CHUNK][block as usize % CHUNK]
    }

    #[inline(never)]
    fn begin(&mut self, list: &mut List, key: u64) {
        if self.free.0 == 0 {
            self.grow();
        }
        let new = self.free.0;
        let block = self.at_mut(new);
        let free = block.older;
        (block.keys[0], block.older, block.len) = (key, list.0, 1);
        (self.free.0, list.0) = (free, new);
    }

    /// Adds a chunk, its blocks in the free list in ascending order.
    #[cold]
    fn grow(&mut self) {
        let first = self.chunks.len() * CHUNK;
        let end = u32::try_from(first + CHUNK).expect("at most 2^32 blocks: 30 milliard entries");
        let link = |block: u32| if block == end { 0 } else { block };
        let blocks = (end - CHUNK as u32 + 1..=end).map(|next| Block { keys: [0; KEYS], older: link(next), len: 0 });
        let Ok(chunk) = blocks.collect::<Vec<_>>().try_into() else { unreachable!("CHUNK blocks make a chunk") };
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
