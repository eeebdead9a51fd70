//! Which connections a front end has: one bit a peer, so that whoever is there is found in the scenario's order without
//! visiting those that are not.

/// A set of rows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Members {
    words: Vec<u64>,
    count: u64,
}

impl Members {
    /// None of `rows` rows.
    pub fn new(rows: u32) -> Members {
        Members { words: vec![0; (rows as usize).div_ceil(64)], count: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a row that is not there.
    #[inline]
    pub fn add(&mut self, row: u32) {
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        debug_assert!(self.words[word] & bit == 0, "row {row} was there already");
        self.words[word] |= bit;
        self.count += 1;
    }

    /// Takes a row out; says whether it was there.
    #[inline]
    pub fn remove(&mut self, row: u32) -> bool {
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        let there = self.words[word] & bit != 0;
        self.words[word] &= !bit;
        self.count -= u64::from(there);
        there
    }

    /// The first row at `from` or later.
    #[inline]
    pub fn next(&self, from: u32) -> Option<u32> {
        let mut word = from as usize / 64;
        let mut bits = self.words.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.words.get(word)?;
        }
        Some(word as u32 * 64 + bits.trailing_zeros())
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.words.fill(0);
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order_across_words() {
        let mut members = Members::new(200);
        for row in [199, 3, 64, 63, 128] {
            members.add(row);
        }
        assert!(members.remove(64) && !members.remove(64));
        let mut seen = vec![];
        let mut from = 0;
        while let Some(row) = members.next(from) {
            seen.push(row);
            from = row + 1;
        }
        assert_eq!((seen, members.count()), (vec![3, 63, 128, 199], 4));
        assert_eq!(members.next(200), None);
    }
}
