//! Who is who: the identity that draws hang on, and the number that the schedule sorts by.
//!
//! An identity survives every edit of a scenario that does not touch its own peer; a number is only a place in a table.

/// The identity of a peer or a front end: a 64-bit hash of its names, never of a position in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity(pub u64);

impl Identity {
    /// The identity that a name has: the first eight bytes of its BLAKE3 hash, little-endian.
    pub fn of(name: &str) -> Identity {
        let hash = blake3::hash(name.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        Identity(u64::from_le_bytes(first))
    }

    /// The identity of member `index` of the group that `self` names.
    ///
    /// A bijection of `index` for each group, so that two members never share one.
    #[inline]
    pub fn member(self, index: u32) -> Identity {
        let spread = (u64::from(index) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Identity(mix(self.0.wrapping_add(spread)))
    }
}

/// SplitMix64's finaliser (Stafford's variant 13): a bijection of `u64` that changes half of the bits for each bit changed.
#[inline]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The number of an entity in one run: connections first, then workers, then front ends, then waits without a worker; at
/// most 2^25 in all.
pub type Entity = u32;

/// One more than the largest number that an entity can have: the 25 bits that a queued entry gives it.
pub const ENTITIES_MAX: u32 = 1 << 25;
