//! What TLS handshakes came to: how many of each kind, and their bytes.

/// TLS handshakes of one cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Handshakes {
    /// Full ones that were completed: nothing of them is left to do but the peer's validation.
    pub full: u64,
    /// Resumed ones that were completed.
    pub resumed: u64,
    /// First flights whose session the front end did not take up again.
    pub declined: u64,
    /// Completed ones whose bytes nobody gave.
    pub unweighed: u64,
    /// Bytes of the others from peers to front ends, without TCP and IP headers.
    pub to_front_end: u64,
    /// Bytes the other way.
    pub to_peer: u64,
}

impl Handshakes {
    /// The numbers that close a digest.
    pub fn numbers(&self) -> [u64; 6] {
        [self.full, self.resumed, self.declined, self.unweighed, self.to_front_end, self.to_peer]
    }

    /// Both together.
    pub fn and(&self, other: &Handshakes) -> Handshakes {
        Handshakes {
            full: self.full + other.full,
            resumed: self.resumed + other.resumed,
            declined: self.declined + other.declined,
            unweighed: self.unweighed + other.unweighed,
            to_front_end: self.to_front_end + other.to_front_end,
            to_peer: self.to_peer + other.to_peer,
        }
    }
}
