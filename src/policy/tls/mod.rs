//! What a TLS handshake takes: measured CPU and bytes, the flights that they fall on, who may resume (model rule 12).
//!
//! The measurements are data ([`MEASURED`]). What was not measured has no cost: it is never made up from what was. Knows
//! nothing of peers, queues or the network.

mod costs;
mod session;
mod table;

pub use costs::{Handshake, Shares};
pub use session::{Issuer, Offer, Resumption, Session, Store, TicketKey};
pub use table::{Bytes, Cost, MEASURED, OPERATIONS, Operations, Source};

/// A version of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// RFC 5246: two round trips for a full handshake, one for a resumed one.
    Tls12,
    /// RFC 8446: one round trip for either.
    Tls13,
}

/// Whether a session is made or taken up again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mode {
    /// Certificates are shown and checked.
    Full,
    /// An earlier session is taken up again: no certificate is shown.
    Resumed,
}

/// Who shows a certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Authentication {
    /// The front end alone.
    Server,
    /// Both sides.
    Mutual,
}

/// What kind of key the certificates of both sides have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum KeyType {
    /// RSA, 2048 bits.
    Rsa2048,
    /// RSA, 3072 bits.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
    /// ECDSA on the curve P-256.
    P256,
    /// Ed25519.
    Ed25519,
}

impl Version {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Version::Tls12 => "TLS 1.2",
            Version::Tls13 => "TLS 1.3",
        }
    }

    /// Round trips after TCP's own until the peer may send its first message; client authentication adds none.
    pub fn round_trips(self, mode: Mode) -> usize {
        match (self, mode) {
            (Version::Tls12, Mode::Full) => 2,
            (Version::Tls12, Mode::Resumed) | (Version::Tls13, _) => 1,
        }
    }
}

impl Mode {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Full => "full",
            Mode::Resumed => "resumed",
        }
    }
}

impl Authentication {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Authentication::Server => "server",
            Authentication::Mutual => "mutual",
        }
    }
}

impl KeyType {
    /// All of them.
    pub const ALL: [KeyType; 5] =
        [KeyType::Rsa2048, KeyType::Rsa3072, KeyType::Rsa4096, KeyType::P256, KeyType::Ed25519];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            KeyType::Rsa2048 => "RSA-2048",
            KeyType::Rsa3072 => "RSA-3072",
            KeyType::Rsa4096 => "RSA-4096",
            KeyType::P256 => "P-256",
            KeyType::Ed25519 => "Ed25519",
        }
    }
}
