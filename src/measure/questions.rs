//! Which questions validators were asked, and what they answered: the coverage of the question space (model rule 22).
//!
//! A flat array of counters by cell, certificate, phase and answer; outside the digest, which has each question already.

use std::collections::BTreeMap;

use super::{Cells, Tags};
use crate::validate::{Answer, CertificateState, Phase, Rejection, Transport};

/// What a certificate may be, its absence first.
const SHOWN: usize = CertificateState::ALL.len() + 1;
const PHASES: usize = Phase::ALL.len();
const ANSWERS: usize = Answered::ALL.len();
/// Counters of one cell.
const OF_CELL: usize = SHOWN * PHASES * ANSWERS;

/// An answer without its reason or code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Answered {
    /// The peer is who it says.
    Accept,
    /// It is not, or may not be here.
    Reject,
    /// The logic brought its own process down.
    Fault,
}

impl Answered {
    /// All of them, in order.
    pub const ALL: [Answered; 3] = [Answered::Accept, Answered::Reject, Answered::Fault];

    /// Its name in `[expect]` and in results.
    pub fn name(self) -> &'static str {
        match self {
            Answered::Accept => "accept",
            Answered::Reject => "reject",
            Answered::Fault => "fault",
        }
    }
}

impl From<Answer> for Answered {
    #[inline]
    fn from(answer: Answer) -> Answered {
        match answer {
            Answer::Accept => Answered::Accept,
            Answer::Reject(_) => Answered::Reject,
            Answer::Fault(_) => Answered::Fault,
        }
    }
}

/// What makes questions alike: a cell of the question space but for the answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct QuestionKind {
    /// What carries the connection.
    pub transport: Transport,
    /// What the peer shows; `None`: no certificate.
    pub certificate: Option<CertificateState>,
    /// New connection or refresh.
    pub phase: Phase,
}

/// How often each kind of question was asked and how it was answered, by cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Questions {
    counts: Vec<u64>,
}

impl Questions {
    /// None asked, for so many cells.
    pub fn new(cells: usize) -> Questions {
        Questions { counts: vec![0; cells * OF_CELL] }
    }

    /// Counts one question.
    #[inline]
    pub fn count(&mut self, cell: u16, certificate: Option<CertificateState>, phase: Phase, answer: Answer) {
        self.counts[place(usize::from(cell), certificate, phase, answer.into())] += 1;
    }

    /// How many were asked in a cell.
    pub fn asked(&self, cell: u16, certificate: Option<CertificateState>, phase: Phase, answered: Answered) -> u64 {
        self.counts.get(place(usize::from(cell), certificate, phase, answered)).copied().unwrap_or(0)
    }

    /// How many of a kind were answered so, in all cells.
    pub fn of_kind(&self, cells: &Cells, kind: QuestionKind, answered: Answered) -> u64 {
        let those = cells.plans.iter().zip(0..).filter(|(plan, _)| plan.transport == kind.transport);
        those.map(|(_, cell)| self.asked(cell, kind.certificate, kind.phase, answered)).sum()
    }

    /// How many were asked in `cells` that have the tags of certificate, phase and verdict.
    pub fn total(&self, cells: &[u16], tags: &Tags) -> u64 {
        let certificates = shown().filter(|certificate| tags.certificate.is_none_or(|wanted| wanted == *certificate));
        let mut total = 0;
        for certificate in certificates {
            for phase in Phase::ALL.into_iter().filter(|phase| tags.phase.is_none_or(|wanted| wanted == *phase)) {
                for answered in Answered::ALL.into_iter().filter(|a| tags.verdict.is_none_or(|wanted| wanted == *a)) {
                    total += cells.iter().map(|cell| self.asked(*cell, certificate, phase, answered)).sum::<u64>();
                }
            }
        }
        total
    }
}

/// How often each reason to reject took effect, by cell; outside the digest, which has each question already.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reasons {
    counts: BTreeMap<(u16, Rejection), u64>,
}

impl Reasons {
    /// Counts one rejection.
    pub fn count(&mut self, cell: u16, reason: Rejection) {
        *self.counts.entry((cell, reason)).or_default() += 1;
    }

    /// How often each reason was given in these cells, the most frequent first; reasons that were not are left out.
    pub fn of(&self, cells: &[u16]) -> Vec<(Rejection, u64)> {
        let mut by_reason: BTreeMap<Rejection, u64> = BTreeMap::new();
        for ((_, reason), count) in self.counts.iter().filter(|((cell, _), _)| cells.contains(cell)) {
            *by_reason.entry(*reason).or_default() += count;
        }
        let mut all: Vec<(Rejection, u64)> = by_reason.into_iter().collect();
        // The sort is stable: reasons of one count stay in the order of their numbers.
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}

/// What the absence of a certificate is called in `[expect]` and in results.
pub const ABSENT: &str = "absent";

/// Everything that a peer may show, no certificate first.
pub fn shown() -> impl Iterator<Item = Option<CertificateState>> {
    [None].into_iter().chain(CertificateState::ALL.map(Some))
}

#[inline]
fn place(cell: usize, certificate: Option<CertificateState>, phase: Phase, answered: Answered) -> usize {
    let shown = certificate.map_or(0, |state| state as usize + 1);
    ((cell * SHOWN + shown) * PHASES + phase as usize) * ANSWERS + answered as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::{FaultCode, Rejection};

    #[test]
    fn every_cell_of_the_question_space_has_a_counter_of_its_own() {
        let mut places = std::collections::BTreeSet::new();
        for cell in 0..3 {
            for certificate in shown() {
                for phase in Phase::ALL {
                    places.extend(Answered::ALL.map(|answered| place(cell, certificate, phase, answered)));
                }
            }
        }
        assert_eq!(places.len(), 3 * OF_CELL);
        assert_eq!(places.last(), Some(&(3 * OF_CELL - 1)));
    }

    #[test]
    fn reasons_come_with_the_most_frequent_first_and_of_the_cells_that_are_asked_for() {
        let mut reasons = Reasons::default();
        for (cell, reason, count) in [
            (0, Rejection::CertificateExpired, 2),
            (1, Rejection::AddressUnknown, 1),
            (1, Rejection::CertificateExpired, 1),
            (2, Rejection::Other, 3),
        ] {
            (0..count).for_each(|_| reasons.count(cell, reason));
        }
        let (expired, address, other) = (Rejection::CertificateExpired, Rejection::AddressUnknown, Rejection::Other);
        assert_eq!(reasons.of(&[0, 1, 2]), [(expired, 3), (other, 3), (address, 1)]);
        assert_eq!(reasons.of(&[1]), [(address, 1), (expired, 1)]);
        assert!(reasons.of(&[]).is_empty());
    }

    #[test]
    fn questions_are_found_by_their_tags() {
        let mut questions = Questions::new(2);
        questions.count(0, None, Phase::Refresh, Answer::Fault(FaultCode::ACCESS_VIOLATION));
        questions.count(1, Some(CertificateState::Valid), Phase::Refresh, Answer::Accept);
        questions.count(1, Some(CertificateState::Expired), Phase::Accept, Answer::Reject(Rejection::Other));
        let total = |tags: Tags| questions.total(&[0, 1], &tags);
        assert_eq!(total(Tags::default()), 3);
        assert_eq!(total(Tags { certificate: Some(None), ..Tags::default() }), 1);
        assert_eq!(total(Tags { phase: Some(Phase::Refresh), ..Tags::default() }), 2);
        assert_eq!(total(Tags { verdict: Some(Answered::Reject), ..Tags::default() }), 1);
        let accepted = Tags { verdict: Some(Answered::Accept), phase: Some(Phase::Accept), ..Tags::default() };
        assert_eq!(total(accepted), 0);
        assert_eq!(questions.total(&[0], &Tags { phase: Some(Phase::Refresh), ..Tags::default() }), 1);
    }
}
