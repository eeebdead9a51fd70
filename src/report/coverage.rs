//! The question space of a run: which kinds of questions its peers could have put to a validator, and which they did.
//!
//! The 2015 fault was one cell that no test had ever visited: TCP, no certificate, refresh.

use std::collections::BTreeSet;

use crate::measure::{ABSENT, Answered, Outcome, QuestionKind, shown};
use crate::policy::{Act, Replaced, Then};
use crate::scenario::plan::{Change, GroupPlan, Plan};
use crate::validate::{CertificateState, Phase, Transport};

/// What a certificate is called in results, or its absence.
pub(crate) fn certificate_name(certificate: Option<CertificateState>) -> &'static str {
    certificate.map_or(ABSENT, CertificateState::name)
}

/// One kind of question over a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coverage {
    /// The kind.
    pub kind: QuestionKind,
    /// How often it was answered with accept, reject and fault.
    pub answered: [u64; Answered::ALL.len()],
}

impl Coverage {
    /// How often it was asked.
    pub fn asked(&self) -> u64 {
        self.answered.iter().sum()
    }
}

/// Every kind of question that was asked, or that peers of this plan could have put had the run gone on long enough or
/// gone otherwise; by transport, certificate and phase.
pub fn coverage(plan: &Plan, outcome: &Outcome) -> Vec<Coverage> {
    let possible: BTreeSet<QuestionKind> = plan.groups.iter().zip(0..).flat_map(|of| kinds_of(plan, of)).collect();
    let mut rows = Vec::new();
    for transport in [Transport::Tcp, Transport::Tls] {
        for certificate in shown() {
            for phase in Phase::ALL {
                let kind = QuestionKind { transport, certificate, phase };
                let answered = Answered::ALL.map(|answer| outcome.questions.of_kind(&outcome.cells, kind, answer));
                let row = Coverage { kind, answered };
                if row.asked() > 0 || possible.contains(&kind) {
                    rows.push(row);
                }
            }
        }
    }
    rows
}

/// What peers of a group may be asked about.
fn kinds_of(plan: &Plan, (group, position): (&GroupPlan, u16)) -> Vec<QuestionKind> {
    let is_refreshed_in_place = plan.refresh.as_ref().is_some_and(|refresh| {
        let takes = if group.transport == Transport::Tcp { refresh.tcp } else { refresh.tls };
        takes && refresh.act == Act::Revalidate
    });
    let is_revalidated = group
        .validity
        .as_ref()
        .is_some_and(|validity| matches!(&validity.replaced, Replaced::Asked(ask) if ask.then == Then::Revalidate));
    let phases = if is_refreshed_in_place || is_revalidated { &Phase::ALL[..] } else { &Phase::ALL[..1] };
    let shown = certificates_of(plan, group, position);
    let of = |certificate| phases.iter().map(move |phase| (certificate, *phase));
    let kinds = shown.into_iter().flat_map(of);
    kinds.map(|(certificate, phase)| QuestionKind { transport: group.transport, certificate, phase }).collect()
}

/// What peers of a group may show in the course of a run.
fn certificates_of(plan: &Plan, group: &GroupPlan, position: u16) -> BTreeSet<Option<CertificateState>> {
    let mut shown = BTreeSet::from([group.certificate]);
    if group.certificate.is_none() {
        return shown;
    }
    let ends = |validity: &crate::policy::Validity| validity.not_after.is_some() || validity.lives.is_some();
    if group.validity.as_ref().is_some_and(ends) {
        shown.insert(Some(CertificateState::Expired));
    }
    for entry in plan.timeline.iter().filter(|entry| entry.group == position) {
        match entry.change {
            Change::ReplaceCertificate => shown.insert(Some(CertificateState::Valid)),
            // One that is no good for another reason stays so.
            Change::CertificateExpires => {
                group.certificate == Some(CertificateState::Valid) && shown.insert(Some(CertificateState::Expired))
            }
            Change::Join | Change::Leave | Change::CutOff | Change::Heal => false,
        };
    }
    shown
}
