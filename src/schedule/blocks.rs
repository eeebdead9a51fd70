//! Lists of keys in pooled blocks.
//!
//! Knows lists and free blocks; not what a key means. A list only grows at its newest end and is taken from there.
//! A pool grows by whole chunks, never moves a block and gives nothing back but to its own free list.

/// A list of keys: its newest block and how many keys that holds, as `block * (KEYS + 1) + keys`; 0: no keys.
///
/// With the number of keys here and the free blocks in a stack of their own, adding a key reads no block: most blocks
/// are not in any cache, and a store does not wait for one.
#[derive(Clone, Copy, Default)]
pub(super) struct List(u32);

/// A pool of blocks of `KEYS` keys, which with the link fill whole cache lines: `KEYS` is one less than a power of two,
/// 8 at least. `CHUNK` of them, a power of two, are allocated together.
pub(super) struct Blocks<const KEYS: usize, const CHUNK: usize> {
    chunks: Vec<Box<[Block<KEYS>; CHUNK]>>,
    free: Vec<u32>,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Block<const KEYS: usize> {
    keys: [u64; KEYS], // oldest first
    older: List,       // the list without this block: that one is full
}

impl<const KEYS: usize, const CHUNK: usize> Blocks<KEYS, CHUNK> {
    pub(super) fn new() -> Blocks<KEYS, CHUNK> {
        const { assert!(KEYS % 8 == 7 && (KEYS + 1).is_power_of_two() && CHUNK.is_power_of_two()) };
        Blocks { chunks: Vec::new(), free: Vec::new() }
    }

    /// Adds `key` at the newest end of `list`.
    #[inline]
    pub(super) fn push(&mut self, list: &mut List, key: u64) {
        let (block, keys) = List::parts::<KEYS>(*list);
        if keys == 0 || keys == KEYS {
            return self.begin(list, key);
        }
        self.at_mut(block).keys[keys] = key;
        list.0 += 1;
    }

    /// The keys of the newest block of `list`, oldest first.
    #[inline]
    pub(super) fn newest(&self, list: List) -> Option<&[u64]> {
        let (block, keys) = List::parts::<KEYS>(list);
        (keys > 0).then(|| &self.at(block).keys[..keys])
    }

    /// Frees the newest block of `list`.
    #[inline]
    pub(super) fn free_newest(&mut self, list: &mut List) {
        let (block, _) = List::parts::<KEYS>(*list);
        *list = self.at(block).older;
        self.free.push(block as u32);
    }

    /// The least key of `list`. Reads all of it.
    pub(super) fn least(&self, mut list: List) -> Option<u64> {
        let mut least = None;
        while let Some(keys) = self.newest(list) {
            least = keys.iter().copied().chain(least).min();
            list = self.at(List::parts::<KEYS>(list).0).older;
        }
        least
    }

    pub(super) fn bytes(&self) -> usize {
        let chunks = self.chunks.len() * CHUNK * size_of::<Block<KEYS>>();
        chunks + self.chunks.capacity() * size_of::<Box<u64>>() + self.free.capacity() * size_of::<u32>()
    }

    #[inline]
    fn at(&self, block: usize) -> &Block<KEYS> {
        &self.chunks[block / CHUNK][block % CHUNK]
    }

    #[inline]
    fn at_mut(&mut self, block: usize) -> &mut Block<KEYS> {
        &mut self.chunks[block / CHUNK][block % CHUNK]
    }

    #[inline(never)]
    fn begin(&mut self, list: &mut List, key: u64) {
        let new = self.free.pop().unwrap_or_else(|| self.grow());
        let block = self.at_mut(new as usize);
        block.keys[0] = key;
        block.older = *list;
        list.0 = new * (KEYS as u32 + 1) + 1;
    }

    /// Adds a chunk and takes its first block; the others are free, to be taken in ascending order.
    #[cold]
    fn grow(&mut self) -> u32 {
        let first = self.chunks.len() * CHUNK;
        let blocks = u32::MAX as usize / (KEYS + 1);
        assert!(first + CHUNK <= blocks, "at most {blocks} blocks: milliards of entries");
        let Ok(chunk) = vec![Block { keys: [0; KEYS], older: List(0) }; CHUNK].try_into() else {
            unreachable!("CHUNK blocks make a chunk")
        };
        self.chunks.push(chunk);
        let first = first as u32;
        self.free.extend((first + 1..first + CHUNK as u32).rev());
        first
    }
}

impl List {
    /// The newest block, and how many keys are in it.
    #[inline]
    fn parts<const KEYS: usize>(self) -> (usize, usize) {
        (self.0 as usize / (KEYS + 1), self.0 as usize % (KEYS + 1))
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}
