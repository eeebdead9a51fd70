//! Validators with a known defect, for `audit`: each is other logic with one thing wrong.
//!
//! A defect is put into the scenario's own logic, so that nothing but the defect differs. Each is one that real code has
//! had, or that its tests would let pass.

use super::certificate::{AltKind, CertificateState};
use super::identity::{by_certificate, stands_for};
use super::names::{address, behind_wildcard, same_name, sip_uri};
use super::{
    Answer, Builtin, Certificate, Failure, FaultCode, Phase, Question, Rejection, Transport, Validator, Verdict,
};
use crate::time::{Span, Time};

/// What is wrong with a validator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// At refresh it reads the certificate without looking at the transport: the fault of 2015.
    AssumesTls,
    /// It keeps something of each refresh, and the allocation fails at the refresh of this number (1 = the first) since
    /// the process started.
    Leaks(u64),
    /// It answers yes where it should say no.
    AcceptsAnyone,
    /// At refresh it waits for a certificate that a peer without one never sends, for [`BLOCKED`].
    BlocksOnMissing,
    /// It compares names letter by letter, capitals and all.
    CaseSensitive,
    /// It reads the subject of a certificate and no alternative name.
    SubjectOnly,
    /// At refresh it does not look at a certificate's dates again.
    TrustsExpired,
}

/// How long [`Defect::BlocksOnMissing`] waits: as long as the product waits for the first message of a connection.
pub const BLOCKED: Span = Span::MINUTE;

/// A validator with a defect; one instance serves one incarnation.
pub struct Defective {
    base: Base,
    defect: Defect,
    refreshes: u64,
}

/// The logic below a defect.
enum Base {
    Builtin(Builtin),
    Own(Box<dyn Validator>),
}

impl Defective {
    /// `base` with a defect.
    pub fn new(base: Builtin, defect: Defect) -> Defective {
        Defective { base: Base::Builtin(base), defect, refreshes: 0 }
    }

    /// A validator of the user's own with a defect. It is asked as ever, and once more where the defect has it look at
    /// another certificate.
    pub fn over(own: Box<dyn Validator>, defect: Defect) -> Defective {
        Defective { base: Base::Own(own), defect, refreshes: 0 }
    }
}

impl Validator for Defective {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        let own_verdict = match &mut self.base {
            Base::Builtin(base) => base.answer(question).into(),
            Base::Own(own) => own.judge(question),
        };
        let own = own_verdict.answer;
        let refresh = question.phase == Phase::Refresh;
        let answer = match self.defect {
            Defect::AssumesTls if refresh && question.certificate.is_none() => {
                Answer::Fault(FaultCode::ACCESS_VIOLATION)
            }
            Defect::Leaks(number) if refresh => {
                self.refreshes += 1;
                if self.refreshes == number { Answer::Fault(FaultCode::NO_MEMORY) } else { own }
            }
            Defect::AcceptsAnyone if matches!(own, Answer::Reject(_)) => Answer::Accept,
            Defect::BlocksOnMissing if refresh && question.certificate.is_none() => {
                return Verdict { wait: BLOCKED, ..own_verdict };
            }
            Defect::CaseSensitive => among_names(question, own, is_there_letter_by_letter),
            Defect::SubjectOnly => among_names(question, own, is_in_the_subject),
            Defect::TrustsExpired if refresh && own == Answer::Reject(Rejection::CertificateExpired) => {
                let undated = question
                    .certificate
                    .map(|shown| Certificate { state: CertificateState::Valid, ..shown.until(Time::NEVER) });
                let undated = Question { certificate: undated, ..*question };
                match &mut self.base {
                    Base::Builtin(base) => by_certificate(base.rules(), &undated),
                    Base::Own(own) => own.judge(&undated).answer,
                }
            }
            _ => own,
        };
        Verdict { answer, ..own_verdict }
    }

    fn failure(&self) -> Option<Failure> {
        match &self.base {
            Base::Builtin(_) => None,
            Base::Own(own) => own.failure(),
        }
    }
}

/// Takes back a yes to a TLS peer whose names do not please.
fn among_names(question: &Question<'_>, own: Answer, please: fn(&Question<'_>, &Certificate<'_>) -> bool) -> Answer {
    match (&question.certificate, question.transport, own) {
        (Some(certificate), Transport::Tls, Answer::Accept) if !please(question, certificate) => {
            Answer::Reject(Rejection::CertificateName)
        }
        _ => own,
    }
}

fn is_there_letter_by_letter(question: &Question<'_>, certificate: &Certificate<'_>) -> bool {
    let same = |presented: &str, name: &str| {
        let behind = behind_wildcard(presented).zip(name.split_once('.'));
        presented == name || behind.is_some_and(|(rest, (_, parent))| rest == parent)
    };
    let of_alt = |kind, text| match kind {
        AltKind::Dns => stands_for(question, text, same),
        AltKind::Uri => sip_uri(text).is_some_and(|uri| stands_for(question, uri.host, same)),
        AltKind::Ip => {
            stands_for(question, text, |one, other| address(one).is_some_and(|ip| address(other) == Some(ip)))
        }
    };
    certificate.subject.is_some_and(|text| stands_for(question, text, same))
        || certificate.alt.iter().any(|name| of_alt(name.kind, name.text.as_ref()))
}

fn is_in_the_subject(question: &Question<'_>, certificate: &Certificate<'_>) -> bool {
    certificate.subject.is_some_and(|text| stands_for(question, text, same_name))
}

#[cfg(test)]
mod tests {
    use super::super::PeerName;
    use super::super::certificate::{AltName, CertificateNames};
    use super::*;

    const BASE: Builtin = Builtin::Sfb2015Cu2;

    fn about(transport: Transport, phase: Phase, state: Option<CertificateState>) -> Question<'static> {
        let name = PeerName { group: "trunk", index: None };
        Question { transport, phase, certificate: state.map(Certificate::new), ..Question::about(name, Time(5)) }
    }

    fn answer(defect: Defect, question: &Question<'_>) -> Answer {
        Defective::new(BASE, defect).judge(question).answer
    }

    #[test]
    fn each_defect_shows_where_it_should_and_nowhere_else() {
        use CertificateState::{Expired, Revoked, Valid};
        let (tcp, tls) = (Transport::Tcp, Transport::Tls);
        let defects = [Defect::AssumesTls, Defect::AcceptsAnyone, Defect::TrustsExpired, Defect::Leaks(1)];
        let mut shown = Vec::new();
        for (transport, state) in
            [(tcp, None), (tls, None), (tls, Some(Valid)), (tls, Some(Expired)), (tls, Some(Revoked))]
        {
            for phase in Phase::ALL {
                let question = about(transport, phase, state);
                let own = BASE.answer(&question);
                let differ = defects.iter().enumerate().filter(|(_, defect)| answer(**defect, &question) != own);
                shown.push(differ.map(|(n, _)| n).collect::<Vec<_>>());
            }
        }
        let expected: [&[usize]; 10] = [&[], &[0, 3], &[1], &[0, 1, 3], &[], &[3], &[1], &[1, 2, 3], &[1], &[1, 3]];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_leak_faults_at_one_refresh_and_counts_anew_in_each_process() {
        let mut leaks = Defective::new(BASE, Defect::Leaks(3));
        let refresh = about(Transport::Tls, Phase::Refresh, Some(CertificateState::Valid));
        let faults: Vec<bool> =
            (0..5).map(|_| leaks.judge(&refresh).answer == Answer::Fault(FaultCode::NO_MEMORY)).collect();
        assert_eq!(faults, [false, false, true, false, false]);
        leaks.judge(&about(Transport::Tls, Phase::Accept, None));
        assert_eq!(leaks.refreshes, 5, "of refreshes alone");
    }

    #[test]
    fn a_peer_without_a_certificate_blocks_a_worker_at_refresh() {
        let mut blocks = Defective::new(BASE, Defect::BlocksOnMissing);
        let of = |blocks: &mut Defective, phase| blocks.judge(&about(Transport::Tcp, phase, None));
        assert_eq!(of(&mut blocks, Phase::Accept), Answer::Accept.into());
        assert_eq!(of(&mut blocks, Phase::Refresh), Verdict { wait: BLOCKED, ..Answer::Accept.into() });
    }

    #[test]
    fn names_in_capitals_and_names_beyond_the_subject_are_missed() {
        let named = |subject: Option<&str>, dns: &[&str]| CertificateNames {
            subject: subject.map(str::to_owned),
            alt: dns.iter().map(|text| AltName::new(AltKind::Dns, (*text).to_owned())).collect(),
            issuer: None,
        };
        let judged = |defect, base, names: &CertificateNames| {
            let certificate = Certificate::new(CertificateState::Valid).with_names(names);
            let about = about(Transport::Tls, Phase::Accept, None);
            let question = Question { pool: "pool.example", certificate: Some(certificate), ..about };
            Defective::new(base, defect).judge(&question).answer
        };
        let no = Answer::Reject(Rejection::CertificateName);
        let usual = named(Some("{pool}"), &["{pool}"]);
        for defect in [Defect::CaseSensitive, Defect::SubjectOnly] {
            assert_eq!(judged(defect, BASE, &usual), Answer::Accept);
        }
        assert_eq!(judged(Defect::CaseSensitive, BASE, &named(Some("Pool.Example"), &[])), no);
        assert_eq!(
            judged(Defect::CaseSensitive, BASE, &named(Some("POOL.EXAMPLE"), &["pool.example"])),
            Answer::Accept
        );
        assert_eq!(judged(Defect::CaseSensitive, Builtin::Rfc9525, &named(None, &["*.example"])), Answer::Accept);
        assert_eq!(judged(Defect::CaseSensitive, Builtin::Rfc9525, &named(None, &["*.EXAMPLE"])), no);
        assert_eq!(judged(Defect::SubjectOnly, BASE, &named(Some("other"), &["pool.example"])), no);
        assert_eq!(judged(Defect::SubjectOnly, BASE, &named(Some("POOL.example"), &["other"])), Answer::Accept);
    }
}
