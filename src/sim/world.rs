//! What the state machines may ask for: the schedule, the draws, the validators, the meters and the record.

use std::collections::BTreeMap;

use crate::frontend::{Group, Port, Row, Suspended, Wake};
use crate::id::Entity;
use crate::measure::{Bundle, Cause, Counter};
use crate::measure::{
    CrashReport, Decision, Digest, Drains, Herd, Meters, Metric, Questions, Reasons, Record, RecordKind, Sample,
};
use crate::rng::{Draws, Shuffle};
use crate::scenario::plan::Plan;
use crate::schedule::{Class, Schedule};
use crate::time::{Span, Time};
use crate::validate::{Answer, Builtin, CertificateState, Failure, Phase, Question};
use crate::validate::{Validator, ValidatorMaker, Verdict};

use super::ahead::Ahead;
use super::certificates::Certificates;
use super::lookups::Waits;
use super::requests::RequestBook;
use super::{RunError, Watch};

/// Records of one kind that are kept; what is beyond is counted.
const RECORDS_MAX: usize = 100_000;

/// Who judges.
pub(super) enum Judges<'a> {
    /// Built-in logic is pure, free of time and blind to all that differs within a group but for certificates that change
    /// and particulars of single peers (which are asked about one by one), so that each group has been asked about ahead, once a phase (rule 21).
    Builtin(Vec<[Answer; 2]>),
    /// The same with a table for each logic there is, and the number of the one that each front end has.
    Changing { tables: Vec<Vec<[Answer; 2]>>, of: Vec<usize> },
    Own {
        maker: &'a dyn ValidatorMaker,
        instances: Vec<Option<Box<dyn Validator>>>,
        asked: u64,
        /// The logic that the last patch of each front end named.
        patched: BTreeMap<usize, Builtin>,
        /// Whether somebody wants to know the verdicts.
        told: bool,
        /// What is asked before its time; `None`: no validator has wanted that yet.
        ahead: Option<Box<Ahead>>,
    },
}

impl Judges<'_> {
    /// Asks `builtin` about each group ahead.
    pub(super) fn builtin(builtin: Builtin, groups: &[Group]) -> Judges<'static> {
        Judges::Builtin(table(builtin, groups))
    }

    /// The same where front ends may get another logic in the course of the run.
    pub(super) fn changing(plan: &Plan, groups: &[Group]) -> Judges<'static> {
        let tables = Builtin::ALL.iter().map(|builtin| table(*builtin, groups)).collect();
        Judges::Changing { tables, of: vec![number(plan.validator); plan.front_ends.len()] }
    }

    /// From now on `builtin` judges at front end `place`; a validator of the user's own is told when it is made anew.
    pub(super) fn change(&mut self, place: usize, builtin: Builtin) {
        match self {
            Judges::Builtin(_) => {}
            Judges::Changing { of, .. } => of[place] = number(builtin),
            Judges::Own { patched, .. } => {
                patched.insert(place, builtin);
            }
        }
    }
}

/// What `builtin` answers about each group.
fn table(builtin: Builtin, groups: &[Group]) -> Vec<[Answer; 2]> {
    let ask = |group: &Group, phase| match group.peers {
        0 => Answer::Accept,
        _ => builtin.answer(&group.question(group.first, &Row::absent(0), Time::ZERO, phase)),
    };
    groups.iter().map(|g| [ask(g, Phase::Accept), ask(g, Phase::Refresh)]).collect()
}

/// Position of `builtin` among all.
fn number(builtin: Builtin) -> usize {
    Builtin::ALL.iter().position(|other| *other == builtin).unwrap_or(0)
}

/// Everything of a run but its rows and front ends.
pub(super) struct World<'a> {
    pub(super) schedule: Schedule,
    pub(super) draws: Draws,
    pub(super) ties: Option<Shuffle>,
    pub(super) judges: Judges<'a>,
    /// What differs between peers of a group; `None`: nothing does, and no group's certificate changes.
    pub(super) certificates: Option<Box<Certificates>>,
    pub(super) meters: Meters,
    pub(super) questions: Questions,
    pub(super) reasons: Reasons,
    pub(super) digest: Digest,
    pub(super) herd: Herd,
    pub(super) drains: Drains,
    /// Jobs that wait without a worker.
    pub(super) waits: Waits,
    /// Up to when an outage is booked whose end the peer had not heard of when the next one began; see `peer_time`.
    pub(super) overtaken: BTreeMap<u32, Time>,
    /// Ticks that a peer missed in line for its turn, before its connection ended in order to be made anew.
    pub(super) missed_in_line: BTreeMap<u32, u32>,
    /// `None`: nobody sends requests.
    pub(super) requests: Option<Box<RequestBook>>,
    pub(super) records: Vec<Record>,
    pub(super) told: BTreeMap<u8, u64>,
    pub(super) series: Vec<Sample>,
    pub(super) crashes: Vec<CrashReport>,
    /// Peers present without a valid connection.
    pub(super) disconnected: u64,
    /// Those of them that had one before.
    pub(super) cut_off: u64,
    pub(super) disconnected_max: (u64, Time),
    pub(super) watch: &'a mut dyn Watch,
    pub(super) trace: bool,
    pub(super) failed: Option<RunError>,
}

/// Codes of kinds in the schedule: unique for each entity and class.
pub(super) mod kind {
    pub(in crate::sim) const MESSAGE: u8 = 0;
    pub(in crate::sim) const ATTEMPT_TIMER: u8 = 1;
    pub(in crate::sim) const BACK_OFF: u8 = 2;
    pub(in crate::sim) const DUE: u8 = 3;
    pub(in crate::sim) const COMPUTED: u8 = 4;
    pub(in crate::sim) const WAITED: u8 = 5;
    pub(in crate::sim) const LIFE: u8 = 6;
    pub(in crate::sim) const TICK: u8 = 7;
    /// Of a connection.
    pub(in crate::sim) const GRACE: u8 = 7;
    /// Of a peer: it asks its issuer.
    pub(in crate::sim) const ASKS: u8 = 6;
    /// Of a peer: its certificate is made, or the issuer may begin it.
    pub(in crate::sim) const ISSUER: u8 = 5;
    /// Of a front end: before its tick of the same instant.
    pub(in crate::sim) const TURN: u8 = 5;
}

impl World<'_> {
    /// Puts an entry into the schedule under the number that ties are decided by.
    #[inline]
    pub(super) fn push(&mut self, at: Time, class: Class, who: Entity, kind: u8) {
        if at == Time::NEVER {
            return;
        }
        self.schedule.push(at, class, self.place(who), kind);
    }

    /// The number that ties of an entity are decided by.
    #[inline]
    pub(super) fn place(&self, who: Entity) -> u32 {
        match &self.ties {
            None => who,
            Some(shuffle) => shuffle.forward(who),
        }
    }

    /// Counts for the group with histogram cell `cell`.
    #[inline]
    pub(super) fn count(&mut self, cell: u16, counter: Counter, n: u64) {
        self.meters.count(cell, counter, n);
    }

    /// Writes a record, unless there are too many of its kind already.
    pub(super) fn record(&mut self, at: Time, front_end: Option<u16>, peer: Option<u32>, kind: RecordKind) {
        let bucket = match kind {
            RecordKind::Rejected { .. } => 1,
            RecordKind::Step(_) => 2,
            _ => 0,
        };
        let told = self.told.entry(bucket).or_insert(0);
        *told += 1;
        if *told <= RECORDS_MAX as u64 {
            self.records.push(Record { at, front_end, peer, kind });
        }
    }

    /// One valid connection less.
    #[inline]
    pub(super) fn disconnect(&mut self, now: Time) {
        self.disconnected += 1;
        self.cut_off += 1;
        if self.cut_off > self.disconnected_max.0 {
            self.disconnected_max = (self.cut_off, now);
        }
    }

    /// A fresh validator for a new incarnation (rule 23).
    pub(super) fn renew_validator(&mut self, place: u16, incarnation: u32) {
        if let Judges::Own { maker, instances, patched, .. } = &mut self.judges {
            let place = usize::from(place);
            instances.resize_with(instances.len().max(place + 1), || None);
            let instance = match patched.get(&place) {
                None => maker.make(place, incarnation),
                Some(builtin) => maker.make_patched(place, incarnation, *builtin),
            };
            if let Some(failure) = instance.failure() {
                self.failed.get_or_insert(failure.into());
            }
            instances[place] = Some(instance);
        }
    }

    /// Asks the validator of the user's own at front end `place` about the peer in row `who`.
    #[inline]
    pub(super) fn ask_own(&mut self, place: u16, who: u32, question: &Question<'_>) -> Verdict {
        let Judges::Own { maker, instances, asked, told, ahead, .. } = &mut self.judges else {
            return Answer::Accept.into();
        };
        let at = usize::from(place);
        instances.resize_with(instances.len().max(at + 1), || None);
        let instance = instances[at].get_or_insert_with(|| maker.make(at, 0));
        let foreseen = ahead.as_mut().and_then(|ahead| ahead.verdict(at, who, question, instance.as_mut()));
        let verdict = foreseen.unwrap_or_else(|| instance.judge(question));
        *asked += 1;
        if *asked % ASKED_TWICE == 0 && instance.is_pure() && instance.judge(question) != verdict {
            let who = question.name.to_string();
            self.failed.get_or_insert(RunError::Unstable { at: question.at, who });
        }
        if let Some(failure) = instance.failure() {
            self.failed.get_or_insert(failure.into());
        }
        if *told && self.failed.is_none() {
            self.watch.verdict(place, question, &verdict);
        }
        verdict
    }

    /// Counts a question about a peer that shows a certificate in this state, or none.
    #[inline]
    pub(super) fn was_asked(&mut self, group: &Group, shown: Option<CertificateState>, phase: Phase, answer: Answer) {
        self.questions.count(group.cell, shown, phase, answer);
    }

    /// The validator dies with its incarnation.
    pub(super) fn end_validator(&mut self, place: u16) {
        if let Judges::Own { instances, ahead, .. } = &mut self.judges
            && let Some(instance) = instances.get_mut(usize::from(place))
        {
            *instance = None;
            if let Some(ahead) = ahead {
                ahead.forget(usize::from(place));
            }
        }
    }
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> RunError {
        match failure {
            Failure::NotRun(why) => RunError::NoValidator(why),
            Failure::Differs(how) => RunError::Differs(how),
        }
    }
}

/// One question in so many is asked twice of a validator that is declared pure.
const ASKED_TWICE: u64 = 256;

impl Port for World<'_> {
    #[inline]
    fn wake(&mut self, at: Time, who: Entity, what: Wake) {
        let (class, kind) = match what {
            Wake::Message => (Class::Arrival, kind::MESSAGE),
            Wake::AttemptTimer => (Class::Deadline, kind::ATTEMPT_TIMER),
            Wake::BackOff => (Class::Deadline, kind::BACK_OFF),
            Wake::Due => (Class::Tick, kind::DUE),
            Wake::Computed => (Class::Completion, kind::COMPUTED),
            Wake::Waited => (Class::Completion, kind::WAITED),
            Wake::Life => (Class::Deadline, kind::LIFE),
            Wake::Tick => (Class::Tick, kind::TICK),
        };
        self.push(at, class, who, kind);
    }

    #[inline]
    fn draws(&self) -> &Draws {
        &self.draws
    }

    #[inline]
    fn judge(&mut self, now: Time, place: u16, phase: Phase, at_row: u32, row: &Row, group: &Group) -> Verdict {
        if self.certificates.is_some()
            && let Some(verdict) = self.judge_by_certificate(now, place, phase, at_row, row, group)
        {
            return verdict;
        }
        let answers = match &self.judges {
            Judges::Builtin(answers) => answers,
            Judges::Changing { tables, of } => &tables[of[usize::from(place)]],
            Judges::Own { .. } => {
                let verdict = self.ask_own(place, at_row, &group.question(at_row, row, now, phase));
                self.was_asked(group, group.certificate, phase, verdict.answer);
                return verdict;
            }
        };
        let answer = answers[usize::from(group.number)][phase as usize];
        self.was_asked(group, group.certificate, phase, answer);
        answer.into()
    }

    #[inline]
    fn measure(&mut self, at: Time, metric: Metric, cell: u16, cause: Cause, value: Span) {
        self.meters.record(at, metric, cell, cause, value);
    }

    fn measure_lookup(&mut self, at: Time, lookup: &str, cell: u16, cause: Cause, value: Span) {
        self.meters.record_lookup(at, lookup, cell, cause, value);
    }

    #[inline]
    fn measure_bundle(&mut self, at: Time, bundle: Bundle, cell: u16, cause: Cause, value: Span) {
        self.meters.record_bundle(at, bundle, cell, cause, value);
    }

    fn suspend(&mut self, until: Time, place: u16, job: Suspended) {
        match self.waits.keep(until, place, job) {
            Ok(who) => self.wake(until, who, Wake::Waited),
            Err(error) => self.failed = Some(error),
        }
    }

    #[inline]
    fn awaits(&self, request: u32) -> bool {
        self.requests.as_ref().is_some_and(|book| book.awaits(request))
    }

    #[inline]
    fn decide(&mut self, decision: Decision, row: Option<&Row>) {
        self.digest.add(&decision);
        if row.is_some_and(Row::sampled) {
            self.record(decision.at, None, Some(decision.who), RecordKind::Step(decision));
        }
        if self.trace {
            self.watch.decision(&decision);
        }
    }
}
