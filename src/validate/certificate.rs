//! Certificates as validators see them: names, validity, chain, revocation.
//!
//! Borrowed from what a whole group shares and put together when a question is asked. Knows no rule by which names are
//! judged: those are in `identity`.

use std::borrow::Cow;
use std::fmt::{self, Write};

use crate::time::Time;

/// What is wrong with a certificate, if anything: how scenarios and results call it in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CertificateState {
    /// Names the peer, is in date, chains to a trusted root.
    Valid,
    /// Its date has passed.
    Expired,
    /// Names somebody else.
    WrongName,
    /// Chains to a root that is not trusted.
    Untrusted,
    /// Its date is still to come.
    NotYetValid,
    /// Signed by its own key.
    SelfSigned,
    /// An intermediate certificate is missing, so that no chain can be built.
    IncompleteChain,
    /// Its issuer has revoked it.
    Revoked,
    /// Nobody could say whether it is revoked.
    RevocationUnknown,
}

impl CertificateState {
    /// All of them, in order.
    pub const ALL: [CertificateState; 9] = [
        CertificateState::Valid,
        CertificateState::Expired,
        CertificateState::WrongName,
        CertificateState::Untrusted,
        CertificateState::NotYetValid,
        CertificateState::SelfSigned,
        CertificateState::IncompleteChain,
        CertificateState::Revoked,
        CertificateState::RevocationUnknown,
    ];

    /// Its name in scenario files and results.
    pub fn name(self) -> &'static str {
        match self {
            CertificateState::Valid => "valid",
            CertificateState::Expired => "expired",
            CertificateState::WrongName => "wrong-name",
            CertificateState::Untrusted => "untrusted",
            CertificateState::NotYetValid => "not-yet-valid",
            CertificateState::SelfSigned => "self-signed",
            CertificateState::IncompleteChain => "incomplete-chain",
            CertificateState::Revoked => "revoked",
            CertificateState::RevocationUnknown => "revocation-unknown",
        }
    }
}

/// What building a chain to a root came to (RFC 5280 section 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chain {
    /// It ends at a root that is trusted.
    Trusted,
    /// It ends at a root that is not.
    UntrustedRoot,
    /// The certificate is signed by its own key, and is no root that is trusted.
    SelfSigned,
    /// A certificate between it and a root is missing.
    Incomplete,
}

impl Chain {
    /// Its name in the protocol of validators.
    pub fn name(self) -> &'static str {
        match self {
            Chain::Trusted => "trusted",
            Chain::UntrustedRoot => "untrusted-root",
            Chain::SelfSigned => "self-signed",
            Chain::Incomplete => "incomplete",
        }
    }
}

/// What is known of its revocation (RFC 5280 section 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Revocation {
    /// Its issuer says that it is good.
    Good,
    /// Its issuer has revoked it.
    Revoked,
    /// There was no answer.
    Unknown,
}

impl Revocation {
    /// Its name in the protocol of validators.
    pub fn name(self) -> &'static str {
        match self {
            Revocation::Good => "good",
            Revocation::Revoked => "revoked",
            Revocation::Unknown => "unknown",
        }
    }
}

/// The kinds of subject alternative names that are read here (RFC 5280 section 4.2.1.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AltKind {
    /// `dNSName`.
    Dns,
    /// `uniformResourceIdentifier`.
    Uri,
    /// `iPAddress`, as text.
    Ip,
}

impl AltKind {
    /// What stands before a name of this kind in the protocol of validators.
    pub fn prefix(self) -> &'static str {
        match self {
            AltKind::Dns => "dns:",
            AltKind::Uri => "uri:",
            AltKind::Ip => "ip:",
        }
    }
}

/// A subject alternative name, perhaps with a part that differs from peer to peer; see [`filled`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AltName {
    /// Its kind.
    pub kind: AltKind,
    /// Its text.
    pub text: Cow<'static, str>,
}

impl AltName {
    /// A name of a kind.
    pub fn new(kind: AltKind, text: impl Into<Cow<'static, str>>) -> AltName {
        AltName { kind, text: text.into() }
    }
}

/// The name that a certificate of somebody else has.
const ANOTHER: &str = "another-server.invalid";
/// What stands for the pool's name, and for the index of the peer.
pub(super) const POOL: &str = "{pool}";
const INDEX: &str = "{index}";

static OF_POOL: [AltName; 1] = [AltName { kind: AltKind::Dns, text: Cow::Borrowed(POOL) }];
static OF_ANOTHER: [AltName; 1] = [AltName { kind: AltKind::Dns, text: Cow::Borrowed(ANOTHER) }];

/// What certificates of a group name, where that is not what is usual.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CertificateNames {
    /// Common name of the subject; `None`: it has none.
    pub subject: Option<String>,
    /// Subject alternative names, in order; empty: the extension is not there.
    pub alt: Vec<AltName>,
    /// Distinguished name of the issuer; `None`: not said.
    pub issuer: Option<String>,
}

/// Longest text of a name with everything filled in; a longer one names nobody. (A domain name has at most 253.)
pub const NAME_BYTES_MAX: usize = 512;

/// A name with everything filled in.
#[derive(Clone, Copy)]
pub struct NameText {
    bytes: [u8; NAME_BYTES_MAX],
    length: usize,
}

impl NameText {
    const EMPTY: NameText = NameText { bytes: [0; NAME_BYTES_MAX], length: 0 };

    /// The text; empty if it was too long.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for NameText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Fills in a name of a peer: `{pool}` is its pool's name, `{index}` its index in the group. Nothing is allocated.
pub fn filled(text: &str, pool: &str, index: u32) -> NameText {
    let mut out = NameText::EMPTY;
    let mut rest = text;
    let mut fill = || -> fmt::Result {
        while let Some(at) = rest.find('{') {
            out.write_str(&rest[..at])?;
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix(POOL) {
                out.write_str(pool)?;
                rest = after;
            } else if let Some(after) = rest.strip_prefix(INDEX) {
                write!(out, "{index}")?;
                rest = after;
            } else {
                out.write_str("{")?;
                rest = &rest[1..];
            }
        }
        out.write_str(rest)
    };
    if fill().is_err() { NameText::EMPTY } else { out }
}

/// Whether a name differs from peer to peer.
pub fn differs_by_peer(text: &str) -> bool {
    text.contains(INDEX)
}

/// A certificate as the validator sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Certificate<'a> {
    /// All of what follows in one word, names that the scenario states aside.
    pub state: CertificateState,
    /// Common name of the subject; `{pool}` and `{index}` are to be filled in, see [`filled`].
    pub subject: Option<&'a str>,
    /// Subject alternative names, to be filled in likewise; empty: there is no such extension.
    pub alt: &'a [AltName],
    /// Distinguished name of the issuer, if the scenario says it.
    pub issuer: Option<&'a str>,
    /// First instant at which it is valid, in run time; 0 if that was before the run.
    pub not_before: Time,
    /// From this instant on it has expired.
    pub not_after: Time,
    /// What its chain came to.
    pub chain: Chain,
    /// What is known of its revocation.
    pub revocation: Revocation,
}

impl Certificate<'static> {
    /// A certificate that names its peer's pool and has nothing wrong with it but what `state` says.
    pub fn new(state: CertificateState) -> Certificate<'static> {
        let (subject, alt) = match state {
            CertificateState::WrongName => (ANOTHER, &OF_ANOTHER[..]),
            _ => (POOL, &OF_POOL[..]),
        };
        Certificate {
            state,
            subject: Some(subject),
            alt,
            issuer: None,
            not_before: if state == CertificateState::NotYetValid { Time::NEVER } else { Time::ZERO },
            not_after: if state == CertificateState::Expired { Time::ZERO } else { Time::NEVER },
            chain: match state {
                CertificateState::Untrusted => Chain::UntrustedRoot,
                CertificateState::SelfSigned => Chain::SelfSigned,
                CertificateState::IncompleteChain => Chain::Incomplete,
                _ => Chain::Trusted,
            },
            revocation: match state {
                CertificateState::Revoked => Revocation::Revoked,
                CertificateState::RevocationUnknown => Revocation::Unknown,
                _ => Revocation::Good,
            },
        }
    }
}

impl<'a> Certificate<'a> {
    /// The same with the names that a scenario states.
    pub fn with_names(self, names: &'a CertificateNames) -> Certificate<'a> {
        Certificate { subject: names.subject.as_deref(), alt: &names.alt, issuer: names.issuer.as_deref(), ..self }
    }

    /// The same with another end.
    pub fn until(self, not_after: Time) -> Certificate<'a> {
        Certificate { not_after, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_what_is_too_long_names_nobody() {
        let of = |text: &str| filled(text, "pool.example", 7).as_str().to_owned();
        assert_eq!(of("plain.example"), "plain.example");
        assert_eq!(of("{pool}"), "pool.example");
        assert_eq!(of("app{index}.{pool}"), "app7.pool.example");
        assert_eq!(of("a{b}c"), "a{b}c");
        assert_eq!(of("{{index}}"), "{7}");
        assert_eq!(of(&"x".repeat(NAME_BYTES_MAX)), "x".repeat(NAME_BYTES_MAX));
        assert_eq!(of(&"x".repeat(NAME_BYTES_MAX + 1)), "");
        assert_eq!(of(""), "");
    }

    #[test]
    fn each_state_is_one_thing_that_is_wrong() {
        let good = Certificate::new(CertificateState::Valid);
        for state in CertificateState::ALL.into_iter().filter(|state| *state != CertificateState::Valid) {
            let certificate = Certificate::new(state);
            let differs = [
                certificate.subject != good.subject || certificate.alt != good.alt,
                certificate.not_before != good.not_before,
                certificate.not_after != good.not_after,
                certificate.chain != good.chain,
                certificate.revocation != good.revocation,
            ];
            assert_eq!(differs.into_iter().filter(|differs| *differs).count(), 1, "{state:?}");
        }
    }
}
