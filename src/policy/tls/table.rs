//! Measured costs of handshakes: CPU of both sides and bytes in both directions, each row with its source.

use super::Authentication::{Mutual, Server};
use super::KeyType::{Ed25519, P256, Rsa2048, Rsa3072, Rsa4096};
use super::Mode::{Full, Resumed};
use super::Version::{Tls12, Tls13};
use super::{Authentication, KeyType, Mode, Version};

/// Where a figure comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// How far it can be trusted: "measured" (by this project, repeatable) and nothing else so far.
    pub evidence: &'static str,
    /// The library that did the work.
    pub library: &'static str,
    /// What it ran on.
    pub machine: &'static str,
    /// How it was measured.
    pub method: &'static str,
}

/// Bytes of one handshake without TCP and IP headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bytes {
    /// From the peer to the front end.
    pub to_front_end: u32,
    /// From the front end to the peer.
    pub to_peer: u32,
}

/// What one handshake of a kind takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// The protocol's version.
    pub version: Version,
    /// Full or resumed.
    pub mode: Mode,
    /// Who shows a certificate (when the session is made, if this one is resumed).
    pub authentication: Authentication,
    /// The key of the certificates; `None`: any, for no certificate takes part.
    pub key: Option<KeyType>,
    /// Bytes; exact for a leaf and one intermediate certificate with three names.
    pub bytes: Bytes,
    /// CPU of the peer, in µs.
    pub peer_us: u32,
    /// CPU of the front end, in µs.
    pub front_end_us: u32,
    /// Where this comes from.
    pub source: &'static Source,
}

/// Operations per second of one core on the machine of [`MEASURED`]: `openssl speed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operations {
    /// The key type.
    pub key: KeyType,
    /// Signatures made.
    pub signs: u32,
    /// Signatures checked.
    pub verifies: u32,
}

/// Signatures per second by key type. RSA-2048 used AVX-512 IFMA, the longer keys did not.
pub const OPERATIONS: [Operations; 5] = [
    Operations { key: Rsa2048, signs: 3_397, verifies: 52_812 },
    Operations { key: Rsa3072, signs: 533, verifies: 25_692 },
    Operations { key: Rsa4096, signs: 216, verifies: 15_210 },
    Operations { key: P256, signs: 45_965, verifies: 15_491 },
    Operations { key: Ed25519, signs: 22_807, verifies: 8_226 },
];

/// X25519 operations per second, from the same run of `openssl speed`; making a key pair is one such operation too.
pub(super) const X25519_PER_SECOND: u32 = 27_906;

static MEMORY: Source = Source {
    evidence: "measured",
    library: "OpenSSL 3.0.19",
    machine: "2-vCPU AMD EPYC, Linux 6.18",
    method: "both ends in memory, minimum of 60 to 200 handshakes; about 40 us of each time is the Python that drove it",
};

const fn row(
    kind: (Version, Mode, Authentication, Option<KeyType>),
    bytes: [u32; 2],
    [peer_us, front_end_us]: [u32; 2],
) -> Cost {
    let (version, mode, authentication, key) = kind;
    let bytes = Bytes { to_front_end: bytes[0], to_peer: bytes[1] };
    Cost { version, mode, authentication, key, bytes, peer_us, front_end_us, source: &MEMORY }
}

/// Every kind of handshake that was measured. A mutual session carries the peer's certificate, hence its size.
pub static MEASURED: [Cost; 20] = [
    row((Tls12, Full, Server, Some(Rsa2048)), [280, 2_717], [526, 403]),
    row((Tls12, Full, Server, Some(P256)), [280, 1_738], [656, 186]),
    row((Tls12, Full, Mutual, Some(Rsa2048)), [2_640, 3_878], [799, 933]),
    row((Tls12, Full, Mutual, Some(Rsa4096)), [3_920, 5_670], [4_953, 5_063]),
    row((Tls12, Full, Mutual, Some(P256)), [1_662, 2_499], [713, 853]),
    row((Tls12, Resumed, Server, None), [568, 141], [43, 46]),
    row((Tls12, Resumed, Mutual, Some(Rsa2048)), [1_550, 141], [46, 177]),
    row((Tls13, Full, Server, Some(Rsa2048)), [330, 3_144], [557, 463]),
    row((Tls13, Full, Server, Some(Rsa3072)), [330, 3_784], [690, 1_981]),
    row((Tls13, Full, Server, Some(Rsa4096)), [330, 4_424], [862, 4_294]),
    row((Tls13, Full, Server, Some(P256)), [330, 2_166], [691, 249]),
    row((Tls13, Full, Server, Some(Ed25519)), [330, 2_032], [722, 250]),
    row((Tls13, Full, Mutual, Some(Rsa2048)), [2_729, 5_419], [834, 1_122]),
    row((Tls13, Full, Mutual, Some(Rsa3072)), [3_369, 6_571], [2_562, 3_013]),
    row((Tls13, Full, Mutual, Some(Rsa4096)), [4_009, 7_723], [4_989, 5_356]),
    row((Tls13, Full, Mutual, Some(P256)), [1_751, 3_640], [744, 1_044]),
    row((Tls13, Full, Mutual, Some(Ed25519)), [1_617, 3_379], [790, 1_010]),
    row((Tls13, Resumed, Server, None), [601, 496], [185, 200]),
    row((Tls13, Resumed, Mutual, Some(Rsa2048)), [1_705, 1_600], [192, 480]),
    row((Tls13, Resumed, Mutual, Some(P256)), [1_305, 1_200], [195, 505]),
];

impl Cost {
    /// The cost of one kind of handshake, if it was measured.
    pub fn of(version: Version, mode: Mode, authentication: Authentication, key: KeyType) -> Option<&'static Cost> {
        MEASURED.iter().find(|cost| {
            (cost.version, cost.mode, cost.authentication) == (version, mode, authentication)
                && cost.key.is_none_or(|of| of == key)
        })
    }
}

impl Operations {
    /// The operations of one key type.
    pub(super) fn of(key: KeyType) -> Operations {
        OPERATIONS[key as usize]
    }
}
