//! Questions put before their virtual time, many at once, to validators that are pure and free of time (model rule 21).
//!
//! A tick says whose refreshes come, a service start who will connect; they are asked about as the first of them that is
//! not known yet is wanted. What is asked ahead has no effect before its own time, and is asked again if it is not the
//! question that was foreseen.

use std::collections::BTreeMap;

use crate::frontend::{Group, Row, Step};
use crate::policy::{Act, Refresh};
use crate::time::Time;
use crate::validate::{CertificateState, Phase, Question, Validator, Verdict};

use super::engine::Run;
use super::refresh::Found;
use super::world::Judges;

/// What is asked ahead, of all front ends.
pub(super) struct Ahead {
    groups: Vec<Group>,
    /// By front end and phase.
    places: Vec<[Herd; 2]>,
}

/// The refreshes of one tick of one front end, or those who connect after one service start.
#[derive(Default)]
struct Herd {
    /// Rows, and the number of the attempt that will be asked about: of refreshes in the order in which they will be if
    /// nothing comes between.
    rows: Vec<(u32, u16)>,
    /// How many of them were asked about, or left out.
    done: usize,
    /// Verdicts by row, with what in the question may be otherwise when its time comes.
    verdicts: BTreeMap<u32, (Varying, Verdict)>,
}

/// What may differ between two questions about one peer that ask the same.
type Varying = (u32, Option<(CertificateState, Time, Time)>);

fn varying(question: &Question<'_>) -> Varying {
    (question.attempt, question.certificate.map(|shown| (shown.state, shown.not_before, shown.not_after)))
}

impl Ahead {
    fn new(groups: &[Group], front_ends: usize) -> Ahead {
        Ahead { groups: groups.to_vec(), places: (0..front_ends).map(|_| Default::default()).collect() }
    }

    /// Nothing that was foreseen at a front end comes any more.
    pub(super) fn forget(&mut self, place: usize) {
        self.places[place] = Default::default();
    }

    /// The verdict on a question whose time has come, from those asked ahead; asks for more of them if this one is among
    /// those to come. `None`: it was not foreseen.
    pub(super) fn verdict(
        &mut self,
        place: usize,
        who: u32,
        question: &Question<'_>,
        validator: &mut dyn Validator,
    ) -> Option<Verdict> {
        let herd = &mut self.places[place][question.phase as usize];
        if herd.rows.is_empty() {
            return None;
        }
        if let Some((asked, verdict)) = herd.verdicts.remove(&who) {
            return (asked == varying(question)).then_some(verdict);
        }
        herd.ask(who, question, &self.groups, validator)
    }
}

impl Herd {
    /// Asks about `who`, and the next of those to come with it.
    fn ask(
        &mut self,
        who: u32,
        question: &Question<'_>,
        groups: &[Group],
        validator: &mut dyn Validator,
    ) -> Option<Verdict> {
        let most = validator.ahead();
        if most < 2 {
            return None;
        }
        let (mut row, phase) = (Row::absent(0), question.phase);
        let (mut asked, mut questions) = (vec![(who, self.done)], vec![Question { at: Time::ZERO, ..*question }]);
        while questions.len() < most
            && let Some((next, attempt)) = self.rows.get(self.done).copied()
        {
            self.done += 1;
            if next == who || self.verdicts.contains_key(&next) {
                continue;
            }
            let group = &groups[groups.partition_point(|group| group.first <= next) - 1];
            row.attempt = attempt;
            questions.push(group.question(next, &row, Time::ZERO, phase));
            asked.push((next, self.done));
        }
        if questions.len() < 2 {
            return None;
        }
        let verdicts = validator.judge_ahead(&questions);
        // Those behind a fault are still to come.
        let (_, done) = *asked.get(verdicts.len().checked_sub(1)?)?;
        if verdicts.len() < asked.len() {
            self.done = done;
        }
        let of_each = asked.iter().zip(&questions).zip(&verdicts).skip(1);
        self.verdicts.extend(of_each.map(|(((who, _), question), verdict)| (*who, (varying(question), *verdict))));
        verdicts.first().copied()
    }
}

impl Run<'_> {
    /// A tick is about to take connections: with a validator that may be asked ahead, whose refreshes are to come.
    pub(super) fn foresee(&mut self, now: Time, place: usize, policy: &Refresh) {
        if self.asks_ahead(place) {
            let phase = match policy.act {
                Act::Revalidate => Phase::Refresh,
                // They come back, each for the first time since.
                Act::Reconnect(_) => Phase::Accept,
            };
            let rows = self.takers(now, place);
            let rows = self.in_order(rows, policy.order);
            self.keep_herd(place, phase, rows.into_iter().map(|who| (who, 0)).collect());
        }
    }

    /// A service starts: with a validator that may be asked ahead, who is on the way to it.
    pub(super) fn foresee_comers(&mut self, place: usize) {
        if self.asks_ahead(place) {
            let rows = self.comers(place);
            self.keep_herd(place, Phase::Accept, rows);
        }
    }

    fn asks_ahead(&self, place: usize) -> bool {
        let Judges::Own { instances, .. } = &self.world.judges else { return false };
        instances.get(place).and_then(Option::as_ref).is_some_and(|validator| validator.ahead() > 1)
    }

    /// The rows that a tick takes.
    fn takers(&self, now: Time, place: usize) -> Vec<u32> {
        let (mut rows, mut from) = (Vec::new(), 0);
        while let Some(who) = self.front_ends[place].members.next(from) {
            from = who + 1;
            if let Found::Eligible = self.found(now, place, who, self.group_of(who)) {
                rows.push(who);
            }
        }
        rows
    }

    /// Peers that will try a front end next, or do so now, and the number of their next attempt there.
    fn comers(&self, place: usize) -> Vec<(u32, u16)> {
        let of = |(row, who): (&Row, u32)| {
            let attempt = match row.step() {
                Step::BackOff | Step::SynSent | Step::FlightSent | Step::InJob | Step::AckIgnored => row.attempt,
                // This one comes to nothing.
                Step::RefusalSent | Step::ResetSent | Step::Silent => row.attempt.saturating_add(1),
                Step::Absent | Step::Valid | Step::Promised => return None,
            };
            (usize::from(row.place()) == place).then_some((who, attempt))
        };
        self.rows.iter().zip(0..).filter_map(of).collect()
    }

    #[cold]
    fn keep_herd(&mut self, place: usize, phase: Phase, rows: Vec<(u32, u16)>) {
        let (groups, front_ends) = (&self.groups, self.front_ends.len());
        if let Judges::Own { ahead, .. } = &mut self.world.judges {
            let ahead = ahead.get_or_insert_with(|| Box::new(Ahead::new(groups, front_ends)));
            ahead.places[place][phase as usize] = Herd { rows, ..Herd::default() };
        }
    }
}
