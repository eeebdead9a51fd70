//! The product's own logic, before and after its fix, the rule that needs no fix, and two standards'.

use super::identity::{RuleSet, by_address, by_certificate};
use super::{Answer, FaultCode, Phase, Question, Rejection, Transport, Validator, Verdict};

/// Validators that come with the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Builtin {
    /// Skype for Business Server 2015 as released, and every build before 6.0.9319.235: its refresh reads the
    /// certificate without looking at the transport (model rule 24; KB3141114).
    Sfb2015Rtm,
    /// The same with the March 2016 cumulative update, 6.0.9319.235: it branches on the transport first.
    Sfb2015Cu2,
    /// Takes TLS peers alone, by the product's rules.
    TlsOnly,
    /// TLS peers by RFC 5922 (domain certificates in SIP), TCP peers as the product does.
    Rfc5922,
    /// TLS peers by RFC 9525 (service identity in TLS), TCP peers as the product does.
    Rfc9525,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Builtin; 5] =
        [Builtin::Sfb2015Rtm, Builtin::Sfb2015Cu2, Builtin::TlsOnly, Builtin::Rfc5922, Builtin::Rfc9525];

    /// Its name in scenario files.
    pub fn name(self) -> &'static str {
        match self {
            Builtin::Sfb2015Rtm => "sfb2015-rtm",
            Builtin::Sfb2015Cu2 => "sfb2015-cu2",
            Builtin::TlsOnly => "tls-only",
            Builtin::Rfc5922 => "rfc5922",
            Builtin::Rfc9525 => "rfc9525",
        }
    }

    /// By which rules it reads certificates.
    pub fn rules(self) -> RuleSet {
        match self {
            Builtin::Sfb2015Rtm | Builtin::Sfb2015Cu2 | Builtin::TlsOnly => RuleSet::Product,
            Builtin::Rfc5922 => RuleSet::Rfc5922,
            Builtin::Rfc9525 => RuleSet::Rfc9525,
        }
    }

    /// Answers a question; the same question always gets the same answer.
    #[inline]
    pub fn answer(self, question: &Question<'_>) -> Answer {
        match (self, question.transport, question.phase) {
            (Builtin::Sfb2015Rtm, _, Phase::Refresh) => refresh_that_assumes_tls(question),
            (Builtin::TlsOnly, Transport::Tcp, _) => Answer::Reject(Rejection::TransportNotTls),
            (_, Transport::Tcp, _) => by_address(question),
            (_, Transport::Tls, _) => by_certificate(self.rules(), question),
        }
    }
}

impl Validator for Builtin {
    #[inline]
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        self.answer(question).into()
    }

    fn is_pure(&self) -> bool {
        true
    }
}

/// The defect: whatever the transport, the certificate's names are read. With none there, the read goes through a
/// null pointer.
fn refresh_that_assumes_tls(question: &Question<'_>) -> Answer {
    match question.certificate {
        None => Answer::Fault(FaultCode::ACCESS_VIOLATION),
        Some(_) => by_certificate(RuleSet::Product, question),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;
    use crate::validate::PeerName;

    fn tcp(phase: Phase) -> Question<'static> {
        let name = PeerName { group: "rcc-gateway", index: None };
        Question { transport: Transport::Tcp, certificate: None, phase, ..Question::about(name, Time::ZERO) }
    }

    #[test]
    fn rule_24_rtm_takes_a_tcp_peer_at_accept_and_faults_on_it_at_refresh() {
        assert_eq!(Builtin::Sfb2015Rtm.answer(&tcp(Phase::Accept)), Answer::Accept);
        assert_eq!(Builtin::Sfb2015Rtm.answer(&tcp(Phase::Refresh)), Answer::Fault(FaultCode::ACCESS_VIOLATION));
    }

    #[test]
    fn rule_24_rtm_faults_on_any_absent_certificate_at_refresh_for_it_never_looks_at_the_transport() {
        let tls = Question { transport: Transport::Tls, ..tcp(Phase::Refresh) };
        assert_eq!(Builtin::Sfb2015Rtm.answer(&tls), Answer::Fault(FaultCode::ACCESS_VIOLATION));
    }

    #[test]
    fn rule_24_cu2_branches_on_the_transport() {
        assert_eq!(Builtin::Sfb2015Cu2.answer(&tcp(Phase::Refresh)), Answer::Accept);
        let stranger = Question { address_known: false, ..tcp(Phase::Refresh) };
        assert_eq!(Builtin::Sfb2015Cu2.answer(&stranger), Answer::Reject(Rejection::AddressUnknown));
    }

    #[test]
    fn rule_24_tcp_peers_are_known_by_address_and_port_and_never_over_ipv6_whatever_reads_certificates() {
        for validator in [Builtin::Sfb2015Cu2, Builtin::Rfc5922, Builtin::Rfc9525] {
            let accept = tcp(Phase::Accept);
            assert_eq!(validator.answer(&accept), Answer::Accept);
            let other_port = Question { port_known: false, ..accept };
            assert_eq!(validator.answer(&other_port), Answer::Reject(Rejection::PortUnknown));
            let v6 = Question { address: "2001:db8::1".parse().expect("an address"), ..accept };
            assert_eq!(validator.answer(&v6), Answer::Reject(Rejection::TcpOverIpv6));
        }
    }

    #[test]
    fn tls_only_refuses_tcp_at_once() {
        assert_eq!(Builtin::TlsOnly.answer(&tcp(Phase::Accept)), Answer::Reject(Rejection::TransportNotTls));
    }
}
