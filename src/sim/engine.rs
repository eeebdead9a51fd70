//! The loop: takes what is next from the schedule and hands it to whom it concerns.

use std::collections::BTreeMap;

use crate::frontend::{FrontEnd, Group, Row, Wake};
use crate::id::Entity;
use crate::measure::{Cells, Digest, Drains, GroupFigures, Herd, Meters, Outcome, Questions, Reasons, Sample, Window};
use crate::policy::Refresh;
use crate::rng::{Draws, Shuffle};
use crate::scenario::expect::{InPhase, Subject};
use crate::scenario::plan::{Operate, Plan, SEMANTICS, TieOrder};
use crate::schedule::{Class, Entry, Schedule};
use crate::time::{Span, Time};
use crate::validate::ValidatorMaker;

use super::build::{self, Numbers};
use super::certificates::Certificates;
use super::failover::Failovers;
use super::issuer::Issuing;
use super::limiter::Line;
use super::lookups::Waits;
use super::making::Making;
use super::network::Probing;
use super::ports::Ports;
use super::requests::RequestBook;
use super::retry::{self, Aside, Rations};
use super::session::Sessions;
use super::stops::Control;
use super::way::Way;
use super::world::{Judges, World, kind};
use super::{Names, RunError, Watch};

/// More steps than this at one instant mean that the model never gets past it (seen at the next look).
const STEPS_AT_ONE_INSTANT_MAX: u64 = 10_000_000;

/// Steps between two looks at whoever watches.
const STEPS_BETWEEN_LOOKS: usize = 1 << 16;

/// How many entries ahead rows are fetched, so that their cache lines are there in time; measured in
/// `docs/performance.md`.
pub(super) const AHEAD: usize = 32;

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) refresh: Option<Refresh>,
    pub(super) end: Time,
    pub(super) numbers: Numbers,
    pub(super) cells: Cells,
    pub(super) groups: Vec<Group>,
    pub(super) rows: Vec<Row>,
    /// One a row if any policy needs it, else none.
    pub(super) asides: Vec<Aside>,
    pub(super) rations: Rations,
    pub(super) front_ends: Vec<FrontEnd>,
    /// `None`: no group has TLS settings.
    pub(super) sessions: Option<Box<Sessions>>,
    /// Of each front end; `None`: the policy has no limit.
    pub(super) lines: Option<Vec<Line>>,
    pub(super) making: Making,
    /// `None`: nobody asks an issuer for certificates.
    pub(super) issuing: Option<Box<Issuing>>,
    /// Peer time present and without a connection, by cell; peers present by group since when.
    pub(super) figures: Vec<GroupFigures>,
    pub(super) present: Vec<(u64, Time)>,
    /// What happens on the way of a group, and its ports: by group, both empty where no group has any.
    pub(super) ways: Vec<Option<Box<Way>>>,
    pub(super) ports: Vec<Option<Box<Ports>>>,
    /// Whose connections probe through a cut, by row.
    pub(super) probing: BTreeMap<u32, Probing>,
    /// Crashed front ends whose peers have nowhere to go yet.
    pub(super) crashed: Vec<usize>,
    /// What is done from outside.
    pub(super) control: Control,
    /// Which front ends the middlebox believes to serve; empty without one.
    pub(super) believed: Vec<bool>,
    /// `None`: no peer skips a front end or moves back to one.
    pub(super) failovers: Option<Box<Failovers>>,
    /// Whether validations look anything up.
    pub(super) looks_up: bool,
    pub(super) world: World<'a>,
    pub(super) now: Time,
    /// What is being carried out.
    pub(super) entry: Entry,
    pub(super) steps: u64,
    /// The bucket whose entries' rows were fetched last.
    fetched: usize,
    timeline_next: usize,
    last_samples: Vec<Option<Sample>>,
    pub(super) worker_places: Vec<u16>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        maker: Option<&'a dyn ValidatorMaker>,
        watch: &'a mut dyn Watch,
    ) -> Result<Run<'a>, RunError> {
        let numbers = Numbers::of(plan)?;
        let (mut groups, cells) = build::groups(plan);
        let ways = some(Way::all(plan));
        for (group, _) in groups.iter_mut().zip(&ways).filter(|(_, way)| way.is_some()) {
            group.direct = Span::ZERO;
        }
        let draws = Draws::new(plan.seed, plan.replication);
        let rows = build::rows(&groups, &draws);
        let front_ends = build::front_ends(plan, numbers);
        let trace = watch.wants_decisions();
        let every = plan.refresh.as_ref().map_or(Span::DAY, |r| r.every);
        let draws = Draws::new(plan.seed, plan.replication);
        let world = World {
            schedule: Schedule::new(),
            certificates: Certificates::of(plan, &groups, &draws),
            draws,
            ties: (plan.tie_order == TieOrder::Shuffled).then(|| Shuffle::new(plan.seed, 25)),
            judges: match maker {
                None if changes_validator(plan) => Judges::changing(plan, &groups),
                None => Judges::builtin(plan.validator, &groups),
                Some(maker) => Judges::Own {
                    maker,
                    instances: Vec::new(),
                    asked: 0,
                    patched: BTreeMap::new(),
                    told: watch.wants_verdicts(),
                    ahead: None,
                },
            },
            meters: Meters::new(cells.plans.len().max(1), plan.measure.from, cycles_asked_for(plan))
                .with_windows(windows_asked_for(plan)),
            questions: Questions::new(cells.plans.len().max(1)),
            reasons: Reasons::default(),
            digest: Digest::new(SEMANTICS),
            herd: Herd::new(every),
            drains: Drains::default(),
            waits: Waits::new(numbers.waits),
            overtaken: BTreeMap::new(),
            missed_in_line: BTreeMap::new(),
            requests: RequestBook::of(plan, &groups, cells.plans.len(), numbers.senders),
            records: Vec::new(),
            told: BTreeMap::new(),
            series: Vec::new(),
            crashes: Vec::new(),
            disconnected: 0,
            cut_off: 0,
            disconnected_max: (0, Time::ZERO),
            watch,
            trace,
            failed: None,
        };
        let worker_places =
            front_ends.iter().flat_map(|f| std::iter::repeat_n(f.setup.place, f.setup.workers as usize)).collect();
        Ok(Run {
            plan,
            refresh: plan.refresh.clone(),
            end: Time::ZERO + plan.horizon,
            numbers,
            figures: vec![GroupFigures::default(); cells.plans.len()],
            present: vec![(0, Time::ZERO); groups.len()],
            probing: BTreeMap::new(),
            crashed: Vec::new(),
            last_samples: vec![None; front_ends.len()],
            ways,
            ports: some(plan.groups.iter().zip(&groups).map(|(group, built)| Ports::new(&group.tcp, built))),
            sessions: Sessions::of(&groups, cells.plans.len(), rows.len(), front_ends.len()),
            lines: Line::of(plan),
            making: Making::default(),
            issuing: Issuing::of(plan),
            control: Control::of(plan),
            believed: Vec::new(),
            looks_up: !plan.lookups.each.is_empty(),
            failovers: Run::failovers(&groups, plan),
            cells,
            groups,
            rows,
            asides: retry::asides(plan),
            rations: Rations::new(),
            front_ends,
            world,
            now: Time::ZERO,
            entry: Entry { at: Time::ZERO, class: Class::Timeline, entity: 0, kind: 0 },
            steps: 0,
            fetched: usize::MAX,
            timeline_next: 0,
            worker_places,
        })
    }

    pub(super) fn execute(mut self) -> Result<Outcome, RunError> {
        self.begin();
        let interrupted = self.step_until_the_end()?;
        self.finish(interrupted)
    }

    fn begin(&mut self) {
        for place in 0..self.front_ends.len() {
            let starts = self.plan.front_ends[place].starts;
            self.front_ends[place].change_at(starts, &mut self.world);
        }
        for group in 0..self.groups.len() {
            if self.plan.groups[group].present {
                self.join(Time::ZERO, group, None);
            }
        }
        self.askers_begin();
        self.schedule_timeline();
        self.schedule_operation();
        if self.plan.middlebox.is_some() {
            self.world.push(Time::ZERO, Class::Sample, self.numbers.sampler, kind::WAITED);
        }
        let first = Time::ZERO + self.plan.measure.sample;
        self.world.push(first, Class::Sample, self.numbers.sampler, kind::MESSAGE);
    }

    /// Runs to the horizon, that instant included; says whether it was stopped before.
    fn step_until_the_end(&mut self) -> Result<bool, RunError> {
        let (mut instant, mut at_instant) = (Time::NEVER, 0u64);
        let mut until_look = STEPS_BETWEEN_LOOKS;
        while let Some(entry) = self.world.schedule.pop() {
            if entry.at > self.end {
                break;
            }
            until_look -= 1;
            self.fetch_ahead();
            if until_look == 0 {
                until_look = STEPS_BETWEEN_LOOKS;
                self.now = entry.at;
                self.steps += STEPS_BETWEEN_LOOKS as u64;
                at_instant = if entry.at == instant { at_instant + STEPS_BETWEEN_LOOKS as u64 } else { 0 };
                instant = entry.at;
                if at_instant > STEPS_AT_ONE_INSTANT_MAX {
                    return Err(self.stuck(entry));
                }
                if let Some(error) = self.world.failed.take() {
                    return Err(error);
                }
                if self.world.watch.progress(entry.at, self.steps).is_break() {
                    return Ok(true);
                }
            }
            self.step(entry);
        }
        self.steps += (STEPS_BETWEEN_LOOKS - until_look) as u64;
        self.now = self.end;
        self.world.failed.take().map_or(Ok(false), Err)
    }

    /// Fetches the rows that will be wanted soon into the cache: a few as a bucket opens, then one a step.
    #[inline]
    fn fetch_ahead(&mut self) {
        let bucket = self.world.schedule.open_bucket();
        if bucket == self.fetched {
            self.fetch(AHEAD - 1);
        } else {
            self.fetched = bucket;
            (0..AHEAD).for_each(|ahead| self.fetch(ahead));
        }
    }

    #[inline]
    fn fetch(&self, ahead: usize) {
        if let Some(place) = self.world.schedule.upcoming(ahead)
            && let Some(row) = self.rows.get(self.entity(place) as usize)
        {
            row.fetch();
        }
    }

    /// The entity that stands behind a number of the schedule.
    #[inline]
    fn entity(&self, place: u32) -> Entity {
        match &self.world.ties {
            None => place,
            Some(shuffle) => shuffle.back(place),
        }
    }

    #[inline]
    fn step(&mut self, entry: Entry) {
        self.entry = entry;
        let (now, who) = (entry.at, self.entity(entry.entity));
        if who < self.numbers.workers {
            match entry.kind {
                kind::MESSAGE => self.message(now, who),
                kind::ATTEMPT_TIMER => self.attempt_timer(now, who),
                kind::BACK_OFF => self.back_off_over(now, who),
                kind::GRACE => self.grace_over(now, who),
                kind::ASKS => self.asks(now, who),
                kind::ISSUER => self.issuer_goes_on(now, who),
                _ => self.due(now, who),
            }
        } else if who < self.numbers.front_ends {
            let what = if entry.kind == kind::COMPUTED { Wake::Computed } else { Wake::Waited };
            self.worker(now, who - self.numbers.workers, what);
        } else if who < self.numbers.senders || who >= self.numbers.waits {
            self.rare(now, who, entry);
        } else {
            self.request_step(now, who - self.numbers.senders, entry);
        }
    }

    #[cold]
    fn rare(&mut self, now: Time, who: Entity, entry: Entry) {
        if who >= self.numbers.waits {
            self.wait_over(now, who);
        } else if who == self.numbers.timeline {
            match entry.kind {
                kind::LIFE => self.operate(now),
                kind::TICK => self.roll(now),
                _ => self.timeline(now),
            }
        } else if who == self.numbers.sampler {
            match entry.kind {
                kind::TICK => self.trigger_may_end(now),
                kind::WAITED => self.probe(now),
                _ => self.sample(now),
            }
        } else {
            let place = (who - self.numbers.front_ends) as usize;
            match entry.kind {
                kind::TICK => self.tick(now, place),
                kind::TURN => self.turn_comes(now, place),
                _ => self.life(now, place),
            }
        }
    }

    #[cold]
    fn stuck(&self, entry: Entry) -> RunError {
        let who = self.entity(entry.entity);
        let names = Names::new(self.plan);
        let who = if who < self.numbers.workers {
            names.peer(who)
        } else if who >= self.numbers.waits {
            self.world.waits.row(who).map_or_else(|| "?".to_owned(), |row| names.peer(row))
        } else if who < self.numbers.front_ends {
            names.front_end(self.worker_places[(who - self.numbers.workers) as usize]).to_owned()
        } else {
            match self.sender(who) {
                Some(peer) => names.peer(peer),
                None => names.front_end((who - self.numbers.front_ends) as u16).to_owned(),
            }
        };
        RunError::Stuck { steps: STEPS_AT_ONE_INSTANT_MAX, at: entry.at, who }
    }

    /// Position of the group that row `who` belongs to.
    #[inline]
    pub(super) fn group_of(&self, who: u32) -> usize {
        if self.groups.len() == 1 {
            return 0;
        }
        self.groups.partition_point(|group| group.first <= who) - 1
    }

    fn schedule_timeline(&mut self) {
        if let Some(entry) = self.plan.timeline.get(self.timeline_next) {
            self.world.push(entry.at, Class::Timeline, self.numbers.timeline, kind::MESSAGE);
        }
    }

    fn timeline(&mut self, now: Time) {
        let entry = &self.plan.timeline[self.timeline_next];
        self.timeline_next += 1;
        let (group, indices) = (usize::from(entry.group), entry.indices.as_deref());
        match entry.change {
            crate::scenario::plan::Change::Join => self.join(now, group, indices),
            crate::scenario::plan::Change::Leave => self.leave(now, group, indices),
            crate::scenario::plan::Change::CutOff => self.path_changes(now, group, entry.front_end, true),
            crate::scenario::plan::Change::Heal => self.path_changes(now, group, entry.front_end, false),
            crate::scenario::plan::Change::Slow(factor) => self.pace_changes(now, group, Some(factor)),
            crate::scenario::plan::Change::SlowEnds => self.pace_changes(now, group, None),
            change => self.certificates_change(now, group, indices, change),
        }
        self.schedule_timeline();
    }

    /// A row of the series for each front end where something has changed.
    fn sample(&mut self, now: Time) {
        for (front_end, last) in self.front_ends.iter().zip(&mut self.last_samples) {
            let sample = Sample {
                at: now,
                front_end: front_end.setup.place,
                up: front_end.life == crate::frontend::Life::Up,
                valid: front_end.valid,
                queued: front_end.account.waiting_jobs(),
                busy: front_end.busy(),
                disconnected: self.world.disconnected,
            };
            if last.is_none_or(|last| Sample { at: now, ..last } != sample) {
                self.world.series.push(sample);
                *last = Some(sample);
            }
        }
        let next = now + self.plan.measure.sample;
        self.world.push(next, Class::Sample, self.numbers.sampler, kind::MESSAGE);
    }
}

/// What only some groups have: nothing at all where none has it.
fn some<T>(of_groups: impl Iterator<Item = Option<T>>) -> Vec<Option<T>> {
    let all: Vec<Option<T>> = of_groups.collect();
    if all.iter().all(Option::is_none) { Vec::new() } else { all }
}

/// Whether a patch brings other logic.
fn changes_validator(plan: &Plan) -> bool {
    plan.operations.iter().any(|o| matches!(o.what, Operate::Patch { validator: Some(_), .. }))
}

/// The windows that expectations want apart.
fn windows_asked_for(plan: &Plan) -> Vec<Window> {
    let latencies = plan.expect.iter().filter(|expectation| matches!(expectation.subject, Subject::Latency(_)));
    let mut windows: Vec<Window> = latencies.filter_map(|expectation| expectation.window).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

/// The cycles that the plan or an expectation wants apart.
fn cycles_asked_for(plan: &Plan) -> Vec<u32> {
    let mut cycles = plan.measure.cycles.clone();
    for expectation in &plan.expect {
        if let (Subject::Latency(_), Some(InPhase::Cycle(cycle))) = (expectation.subject, expectation.phase) {
            cycles.push(cycle);
        }
    }
    cycles.sort_unstable();
    cycles.dedup();
    cycles
}
