//! The product's own logic, before and after its fix, and the rule that needs no fix.

use super::{Answer, CertificateState, FaultCode, Phase, Question, Rejection, Transport, Validator, Verdict};

/// Validators that come with the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Builtin {
    /// Skype for Business Server 2015 as released, and every build before 6.0.9319.235: its refresh reads the
    /// certificate without looking at the transport (model rule 24; KB3141114).
    Sfb2015Rtm,
    /// The same with the March 2016 cumulative update, 6.0.9319.235: it branches on the transport first.
    Sfb2015Cu2,
    /// Takes TLS peers alone.
    TlsOnly,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Builtin; 3] = [Builtin::Sfb2015Rtm, Builtin::Sfb2015Cu2, Builtin::TlsOnly];

    /// Its name in scenario files.
    pub fn name(self) -> &'static str {
        match self {
            Builtin::Sfb2015Rtm => "sfb2015-rtm",
            Builtin::Sfb2015Cu2 => "sfb2015-cu2",
            Builtin::TlsOnly => "tls-only",
        }
    }

    /// Answers a question; the same question always gets the same answer.
    #[inline]
    pub fn answer(self, question: &Question<'_>) -> Answer {
        match (self, question.transport, question.phase) {
            (Builtin::Sfb2015Rtm, _, Phase::Refresh) => refresh_that_assumes_tls(question),
            (Builtin::TlsOnly, Transport::Tcp, _) => Answer::Reject(Rejection::TransportNotTls),
            (_, Transport::Tcp, _) => by_address(question),
            (_, Transport::Tls, _) => by_certificate(question),
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
        Some(_) => by_certificate(question),
    }
}

/// A TCP peer is known by its address alone.
fn by_address(question: &Question<'_>) -> Answer {
    if question.address.is_ipv6() {
        Answer::Reject(Rejection::TcpOverIpv6)
    } else if question.address_known {
        Answer::Accept
    } else {
        Answer::Reject(Rejection::AddressUnknown)
    }
}

/// A TLS peer is known by its certificate.
fn by_certificate(question: &Question<'_>) -> Answer {
    match question.certificate.map(|c| c.state) {
        Some(CertificateState::Valid) => Answer::Accept,
        Some(CertificateState::Expired) => Answer::Reject(Rejection::CertificateExpired),
        Some(CertificateState::WrongName) => Answer::Reject(Rejection::CertificateName),
        Some(CertificateState::Untrusted) => Answer::Reject(Rejection::CertificateUntrusted),
        None => Answer::Reject(Rejection::CertificateMissing),
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
    fn tls_only_refuses_tcp_at_once() {
        assert_eq!(Builtin::TlsOnly.answer(&tcp(Phase::Accept)), Answer::Reject(Rejection::TransportNotTls));
    }
}
