//! Whether a peer is who it says: the question, the verdict, and who may answer.
//!
//! A validator sees what real logic would see and nothing else: no queue, no clock but the question's own time,
//! no run. Only its verdict may bring a front end down (the crash emerges).

mod builtin;
mod certificate;
mod identity;
mod known_bad;
mod known_servers;
mod names;

use std::fmt;
use std::net::IpAddr;

use crate::time::{Span, Time};

pub use builtin::Builtin;
pub use certificate::{
    AltKind, AltName, Certificate, CertificateNames, CertificateState, Chain, NAME_BYTES_MAX, NameText, Revocation,
    differs_by_peer, filled,
};
pub use identity::{RuleSet, by_address, by_certificate};
pub use known_bad::{BLOCKED, Defect, Defective};
pub use known_servers::{KnownServer, KnownServers, Listed, Particulars};
pub use names::{address, behind_wildcard, is_domain_name, sip_uri};

/// What carries a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Transport {
    /// Plain TCP: no certificate, ever.
    Tcp,
    /// TLS; mutual unless the peer shows no certificate.
    Tls,
}

impl Transport {
    /// Its name in scenario files and results.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }
}

/// At which point of a connection's life the question is put.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// The connection is new.
    Accept,
    /// The connection is refreshed in place.
    Refresh,
}

impl Phase {
    /// Both, in order.
    pub const ALL: [Phase; 2] = [Phase::Accept, Phase::Refresh];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Accept => "accept",
            Phase::Refresh => "refresh",
        }
    }
}

/// A peer's name: its group's, and its index there where the group has more than one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerName<'a> {
    /// The group's name.
    pub group: &'a str,
    /// Index within the group; `None` in a group of one.
    pub index: Option<u32>,
}

impl fmt::Display for PeerName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            None => f.write_str(self.group),
            Some(index) => write!(f, "{}/{index}", self.group),
        }
    }
}

/// What a validator is asked (model rule 22).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Question<'a> {
    /// The instant at which a worker starts on it.
    pub at: Time,
    /// New connection or refresh.
    pub phase: Phase,
    /// What carries the connection.
    pub transport: Transport,
    /// Source address of the connection.
    pub address: IpAddr,
    /// Source port.
    pub port: u16,
    /// Whether the topology lists that address for that peer: what the known-servers table would say.
    pub address_known: bool,
    /// Whether it lists that port with the address; without meaning where the address is not listed.
    pub port_known: bool,
    /// The name that the peer claims.
    pub name: PeerName<'a>,
    /// The pool that it says it belongs to, as the topology names it: a domain name or an address; where the scenario does
    /// not say, its group's name.
    pub pool: &'a str,
    /// Its computer's name in the topology, with `{index}` to be filled in (see [`filled`]); `None`: it has no other than
    /// the pool's.
    pub computer: Option<&'a str>,
    /// 0 for the first try since the last loss.
    pub attempt: u32,
    /// The certificate that it showed, **or its absence**.
    pub certificate: Option<Certificate<'a>>,
}

impl<'a> Question<'a> {
    /// A question about the peer `name`, of a new TLS connection with a valid certificate; fields may then be set.
    pub fn about(name: PeerName<'a>, at: Time) -> Question<'a> {
        Question {
            at,
            phase: Phase::Accept,
            transport: Transport::Tls,
            address: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            port: 0,
            address_known: true,
            port_known: true,
            name,
            pool: name.group,
            computer: None,
            attempt: 0,
            certificate: Some(Certificate::new(CertificateState::Valid)),
        }
    }
}

/// Why a peer was refused. Each has its own text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rejection {
    /// The logic takes TLS alone.
    TransportNotTls = 1,
    /// No peer with this address is in the topology.
    AddressUnknown = 2,
    /// TCP peers must have an IPv4 address.
    TcpOverIpv6 = 3,
    /// A TLS peer that showed no certificate.
    CertificateMissing = 4,
    /// The certificate's date has passed.
    CertificateExpired = 5,
    /// The certificate names somebody else.
    CertificateName = 6,
    /// The certificate chains to a root that is not trusted.
    CertificateUntrusted = 7,
    /// A validator of the user's own said no, for its own reason.
    Other = 8,
    /// A look-up answered that the peer may not be here: its certificate is revoked, its name unknown.
    LookupNegative = 9,
    /// A look-up got no answer, and without one nobody may be here.
    LookupFailed = 10,
    /// The address is in the topology, with another port.
    PortUnknown = 11,
    /// The certificate's date is still to come.
    CertificateNotYetValid = 12,
    /// The certificate is signed by its own key.
    CertificateSelfSigned = 13,
    /// A certificate between it and its root is missing.
    ChainIncomplete = 14,
    /// Its issuer has revoked the certificate.
    CertificateRevoked = 15,
    /// Nobody could say whether the certificate is revoked.
    RevocationUnknown = 16,
    /// The certificate has no name of a kind that the rules read.
    NoUsableName = 17,
    /// Only a wildcard would match, and the rules take none.
    WildcardRefused = 18,
    /// The peer's name stands in the subject, which the rules do not read here.
    NameOnlyInSubject = 19,
    /// The peer's name stands in the URI of a user.
    NameOfUser = 20,
}

impl Rejection {
    /// Its word in the protocol of validators and in recorded verdicts.
    pub fn word(self) -> &'static str {
        match self {
            Rejection::TransportNotTls => "transport-not-tls",
            Rejection::AddressUnknown => "address-unknown",
            Rejection::TcpOverIpv6 => "tcp-over-ipv6",
            Rejection::CertificateMissing => "certificate-missing",
            Rejection::CertificateExpired => "certificate-expired",
            Rejection::CertificateName => "certificate-name",
            Rejection::CertificateUntrusted => "certificate-untrusted",
            Rejection::Other => "other",
            Rejection::LookupNegative => "lookup-negative",
            Rejection::LookupFailed => "lookup-failed",
            Rejection::PortUnknown => "port-unknown",
            Rejection::CertificateNotYetValid => "certificate-not-yet-valid",
            Rejection::CertificateSelfSigned => "certificate-self-signed",
            Rejection::ChainIncomplete => "chain-incomplete",
            Rejection::CertificateRevoked => "certificate-revoked",
            Rejection::RevocationUnknown => "revocation-unknown",
            Rejection::NoUsableName => "no-usable-name",
            Rejection::WildcardRefused => "wildcard-refused",
            Rejection::NameOnlyInSubject => "name-only-in-subject",
            Rejection::NameOfUser => "name-of-user",
        }
    }

    /// The reason that has this word.
    pub fn of_word(word: &str) -> Option<Rejection> {
        Rejection::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// All of them, in order of their numbers.
    pub const ALL: [Rejection; 20] = [
        Rejection::TransportNotTls,
        Rejection::AddressUnknown,
        Rejection::TcpOverIpv6,
        Rejection::CertificateMissing,
        Rejection::CertificateExpired,
        Rejection::CertificateName,
        Rejection::CertificateUntrusted,
        Rejection::Other,
        Rejection::LookupNegative,
        Rejection::LookupFailed,
        Rejection::PortUnknown,
        Rejection::CertificateNotYetValid,
        Rejection::CertificateSelfSigned,
        Rejection::ChainIncomplete,
        Rejection::CertificateRevoked,
        Rejection::RevocationUnknown,
        Rejection::NoUsableName,
        Rejection::WildcardRefused,
        Rejection::NameOnlyInSubject,
        Rejection::NameOfUser,
    ];
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejection::TransportNotTls => "the transport is not TLS",
            Rejection::AddressUnknown => "no trusted server has this address",
            Rejection::TcpOverIpv6 => "trusted TCP servers cannot use IPv6",
            Rejection::CertificateMissing => "no certificate was shown",
            Rejection::CertificateExpired => "the certificate has expired",
            Rejection::CertificateName => "the certificate names another server",
            Rejection::CertificateUntrusted => "the certificate's root is not trusted",
            Rejection::Other => "the validator refused it",
            Rejection::LookupNegative => "a look-up answered no",
            Rejection::LookupFailed => "a look-up got no answer",
            Rejection::PortUnknown => "the trusted server at this address has another port",
            Rejection::CertificateNotYetValid => "the certificate is not valid yet",
            Rejection::CertificateSelfSigned => "the certificate is signed by its own key",
            Rejection::ChainIncomplete => "an intermediate certificate is missing",
            Rejection::CertificateRevoked => "the certificate is revoked",
            Rejection::RevocationUnknown => "whether the certificate is revoked is unknown",
            Rejection::NoUsableName => "the certificate has no name that these rules read",
            Rejection::WildcardRefused => "only a wildcard names it, and these rules take none",
            Rejection::NameOnlyInSubject => "only the certificate's subject names it, which these rules do not read",
            Rejection::NameOfUser => "the certificate names a user of the domain, not the domain",
        })
    }
}

/// A failure of the process that asked: a Windows exception code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FaultCode(pub u32);

impl FaultCode {
    /// STATUS_ACCESS_VIOLATION.
    pub const ACCESS_VIOLATION: FaultCode = FaultCode(0xC000_0005);
    /// STATUS_NO_MEMORY.
    pub const NO_MEMORY: FaultCode = FaultCode(0xC000_0017);
    /// STATUS_IN_PAGE_ERROR.
    pub const IN_PAGE_ERROR: FaultCode = FaultCode(0xC000_0006);
    /// STATUS_ILLEGAL_INSTRUCTION.
    pub const ILLEGAL_INSTRUCTION: FaultCode = FaultCode(0xC000_001D);
    /// STATUS_INTEGER_DIVIDE_BY_ZERO.
    pub const DIVIDE_BY_ZERO: FaultCode = FaultCode(0xC000_0094);
    /// STATUS_BREAKPOINT.
    pub const BREAKPOINT: FaultCode = FaultCode(0x8000_0003);
    /// STATUS_STACK_BUFFER_OVERRUN, which Windows' abort() ends with, as all that fails fast does.
    pub const ABORT: FaultCode = FaultCode(0xC000_0409);
    /// The process ended itself with `status`, which is no exception of Windows': a code with the bit set that Windows
    /// leaves to applications.
    pub const fn exited(status: u8) -> FaultCode {
        FaultCode(0xE000_0000 | status as u32)
    }

    /// Reads a code as it is written, `0xc0000005`; `None`: it is none.
    pub fn read(text: &str) -> Option<FaultCode> {
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 8)?;
        let all_are = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| all_are).map(FaultCode)
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The peer is who it says.
    Accept,
    /// It is not, or may not be here.
    Reject(Rejection),
    /// The logic brought its own process down.
    Fault(FaultCode),
}

/// The answer, and what it took where the validator says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The answer.
    pub answer: Answer,
    /// CPU time that it took; `None`: as the scenario says.
    pub cost: Option<Span>,
    /// Time spent waiting for others (a look-up) after all CPU: with the worker held and no core used, unless the
    /// scenario lets such jobs wait without a worker.
    pub wait: Span,
}

impl From<Answer> for Verdict {
    fn from(answer: Answer) -> Verdict {
        Verdict { answer, cost: None, wait: Span::ZERO }
    }
}

/// Why a validator cannot be asked any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// It could not be run: not found, did not keep to its protocol, did not answer. In words.
    NotRun(String),
    /// It was asked something else than is on record, or answers otherwise than it did. In words.
    Differs(String),
}

/// Logic that judges peers. One instance serves one incarnation of one front end and dies with it.
pub trait Validator {
    /// Judges one peer. Called in the order of virtual time, when a worker starts on the question.
    fn judge(&mut self, question: &Question<'_>) -> Verdict;

    /// Whether the same question, its time left aside, always gets the same answer. One in 256 is then asked twice.
    fn is_pure(&self) -> bool {
        false
    }

    /// How many questions may be put to it at once, before their virtual time; 1: none. More only for logic that is pure and
    /// does not look at the time (model rule 21): that of such questions is 0.
    fn ahead(&self) -> usize {
        1
    }

    /// Judges questions ahead, in their order, and gives their verdicts: of all, or of the first of them up to a fault.
    fn judge_ahead(&mut self, questions: &[Question<'_>]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(questions.len());
        for question in questions {
            let verdict = self.judge(question);
            verdicts.push(verdict);
            if matches!(verdict.answer, Answer::Fault(_)) {
                break;
            }
        }
        verdicts
    }

    /// Why it cannot be asked any more, if that is so: its verdicts mean nothing from then on, and the run ends without an
    /// outcome. Looked at when it is made and after each question.
    fn failure(&self) -> Option<Failure> {
        None
    }
}

/// Makes an instance for each incarnation.
pub trait ValidatorMaker {
    /// A fresh instance, for incarnation `incarnation` of front end number `front_end`.
    fn make(&self, front_end: usize, incarnation: u32) -> Box<dyn Validator>;

    /// The same after a patch of the scenario that named other built-in logic. The validator of the user's own stays, unless
    /// it wants to be like that.
    fn make_patched(&self, front_end: usize, incarnation: u32, _patched: Builtin) -> Box<dyn Validator> {
        self.make(front_end, incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_number_and_a_text_of_its_own() {
        let numbers: Vec<u8> = Rejection::ALL.map(|reason| reason as u8).into();
        assert_eq!(numbers, (1..=20).collect::<Vec<u8>>());
        let texts: std::collections::BTreeSet<String> = Rejection::ALL.map(|reason| reason.to_string()).into();
        assert_eq!(texts.len(), Rejection::ALL.len());
    }
}
