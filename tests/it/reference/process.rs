//! The life of a front end's process: starts, crash, dump, recovery (rules 1, 6, 7, 8).

use std::collections::VecDeque;

use refresh_sim::id::Identity;
use refresh_sim::measure::{Looked, What};
use refresh_sim::policy::Action;
use refresh_sim::rng::{Purpose, When};
use refresh_sim::scenario::plan::FrontEndPlan;
use refresh_sim::time::Time;
use refresh_sim::validate::Validator;

use super::agenda::Step;
use super::books::Account;
use super::lookup::Fetch;
use super::queue::{Job, Worker};
use super::turns::Line;
use super::world::{Stage, World};

/// What a SYN meets (rule 7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// No process.
    Down,
    /// A process that does not serve yet.
    Starting,
    Up,
    /// A crashed process, being written out.
    Dumping,
    /// The host is rebooting.
    Silent,
}

pub(super) struct FrontEnd {
    pub(super) life: Life,
    /// 0 before the first process start.
    pub(super) incarnation: u32,
    /// Until when nothing may start it; `NEVER`: until an entry of the timeline does.
    pub(super) held: Option<Time>,
    /// Could serve, and waits for its pool.
    pub(super) ready: bool,
    /// Which change of its life is the next.
    pub(super) turn: u64,
    /// `NEVER`: it has not served.
    pub(super) service_start: Time,
    pub(super) validator: Option<Box<dyn Validator>>,
    /// Rule 8: failures counted, and the last of them.
    failures: u32,
    last_failure: Option<Time>,
    /// The number of its first worker among the entities.
    pub(super) first_worker: usize,
    pub(super) workers: Vec<Worker>,
    /// Workers without a job; the last takes the next one.
    pub(super) idle: Vec<usize>,
    /// Workers that wait for a core, the longest first.
    pub(super) want_core: VecDeque<usize>,
    pub(super) queue: VecDeque<Job>,
    /// Rule 3, back-pressure: what waits outside the queue.
    pub(super) outside: VecDeque<Job>,
    pub(super) outside_accepts: VecDeque<Job>,
    /// The accept queue, and the most that were in it.
    pub(super) accepting: Vec<usize>,
    pub(super) accepting_max: u64,
    /// What this incarnation has fetched, or fetches.
    pub(super) fetches: Vec<Fetch>,
    /// What came of each look-up.
    pub(super) looked: Vec<Looked>,
    /// Who is due and waits for its turn.
    pub(super) line: Line,
    /// Sessions that this incarnation has made for its cache.
    pub(super) cached: u64,
    pub(super) account: Account,
}

impl FrontEnd {
    pub(super) fn new(plan: &FrontEndPlan, first_worker: usize, lookups: usize) -> FrontEnd {
        FrontEnd {
            life: Life::Down,
            incarnation: 0,
            held: None,
            ready: false,
            turn: 0,
            service_start: Time::NEVER,
            validator: None,
            failures: 0,
            last_failure: None,
            first_worker,
            workers: (0..plan.workers).map(|_| Worker::default()).collect(),
            idle: (0..plan.workers as usize).rev().collect(),
            want_core: VecDeque::new(),
            queue: VecDeque::new(),
            outside: VecDeque::new(),
            outside_accepts: VecDeque::new(),
            accepting: Vec::new(),
            accepting_max: 0,
            fetches: Vec::new(),
            looked: vec![Looked::default(); lookups],
            line: Line::default(),
            cached: 0,
            account: Account::default(),
        }
    }
}

impl World<'_> {
    /// The next change in a front end's life, in place of what was going to be.
    pub(super) fn change_at(&mut self, at: Time, front_end: usize, step: impl Fn(u64) -> Step) {
        let turn = self.fresh();
        self.front_ends[front_end].turn = turn;
        self.later_at_front_end(at, front_end, step(turn));
    }

    pub(super) fn is_turn(&self, front_end: usize, turn: u64) -> bool {
        self.front_ends[front_end].turn == turn
    }

    pub(super) fn process_starts_at(&mut self, front_end: usize, at: Time) {
        self.change_at(at, front_end, |turn| Step::ProcessStarts { front_end, turn });
    }

    /// A process may start, unless an entry of the timeline keeps it.
    pub(super) fn process_may_start(&mut self, front_end: usize) {
        match self.front_ends[front_end].held {
            Some(until) if until > self.now => {
                self.front_ends[front_end].life = Life::Down;
                self.process_starts_at(front_end, until);
            }
            _ => self.start_process(front_end),
        }
    }

    pub(super) fn start_process(&mut self, front_end: usize) {
        let plan = &self.plan.front_ends[front_end];
        let of = &mut self.front_ends[front_end];
        (of.life, of.held) = (Life::Starting, None);
        of.incarnation += 1;
        of.cached = 0;
        of.fetches.clear();
        let incarnation = of.incarnation;
        of.validator = Some(match self.maker {
            Some(maker) => maker.make(front_end, incarnation),
            None => Box::new(self.judges[front_end]),
        });
        self.decide_front_end(front_end, What::ProcessStart, 0, incarnation);
        let when = When { cycle: incarnation, ..When::default() };
        let bits = self.draws.draw(Identity::of(&plan.name), Purpose::StartUp, when, 0);
        let at = self.now + plan.start_up.sample(bits);
        self.change_at(at, front_end, |turn| Step::StartUpOver { front_end, turn });
    }

    pub(super) fn service_starts(&mut self, front_end: usize) {
        let of = &mut self.front_ends[front_end];
        let is_first = of.service_start == Time::NEVER;
        (of.life, of.service_start, of.ready) = (Life::Up, self.now, false);
        of.line = Line::default();
        let incarnation = of.incarnation;
        self.decide_front_end(front_end, What::ServiceStart, 0, incarnation);
        self.plan_tick(front_end);
        if is_first {
            self.start_established(front_end);
        }
        self.stages_may_go_on();
    }

    /// Rule 8: one failure more.
    pub(super) fn count_failure(&mut self, front_end: usize) -> u32 {
        let of = &mut self.front_ends[front_end];
        if let (Some(last), Some(period)) = (of.last_failure, self.plan.recovery.reset_period)
            && self.now.since(last) >= period
        {
            of.failures = 0;
        }
        of.failures += 1;
        of.last_failure = Some(self.now);
        of.failures
    }

    /// A process is gone from its service, for whatever reason.
    pub(super) fn end_process(&mut self, front_end: usize) {
        let of = &mut self.front_ends[front_end];
        (of.life, of.ready, of.validator) = (Life::Down, false, None);
        of.turn = 0;
        self.clear_syn_queue(front_end);
    }

    /// Its connections are lost, in the order of their peers; handshakes fall silent.
    pub(super) fn lose_connections(&mut self, front_end: usize, why: u8) {
        self.old_ones_go(front_end);
        for peer in 0..self.peers.len() {
            let Some(connection) = self.peers[peer].connection else { continue };
            if self.connections[connection].front_end != front_end {
                continue;
            }
            if matches!(self.connections[connection].stage, Stage::Valid(_)) {
                self.lose(connection, why);
                self.connections[connection].stage = Stage::Silenced;
                if self.connections[connection].unknown_between {
                    self.reset(connection);
                }
            } else if self.connections[connection].stage == Stage::Handshake {
                self.connections[connection].stage = Stage::Silenced;
            }
        }
    }

    pub(super) fn dump_ends(&mut self, front_end: usize) {
        self.decide_front_end(front_end, What::DumpEnd, 0, 0);
        self.reset_sockets(front_end);
        if self.front_ends[front_end].held.is_some() {
            self.process_may_start(front_end);
        } else {
            self.recover(front_end);
        }
    }

    /// All sockets are reset.
    pub(super) fn reset_sockets(&mut self, front_end: usize) {
        for connection in 0..self.connections.len() {
            let of = &self.connections[connection];
            if of.front_end != front_end || !matches!(of.stage, Stage::Handshake | Stage::Silenced) {
                continue;
            }
            if self.is_wanted(connection) {
                self.reset(connection);
            } else {
                self.connections[connection].stage = Stage::Gone;
            }
        }
        self.clear_syn_queue(front_end);
        self.front_ends[front_end].accepting.clear();
    }

    /// Rule 8: what the service manager does after a failure.
    pub(super) fn recover(&mut self, front_end: usize) {
        let of = &mut self.front_ends[front_end];
        of.life = Life::Down;
        let failures = of.failures as usize;
        let actions = &self.plan.recovery.actions;
        match actions.get(failures - 1).or(actions.last()) {
            Some(Action::Restart(delay)) => self.process_starts_at(front_end, self.now + *delay),
            Some(Action::Reboot { delay, .. }) => {
                self.change_at(self.now + *delay, front_end, |turn| Step::GoesSilent { front_end, turn });
            }
            Some(Action::None) | None => self.decide_front_end(front_end, What::StaysDown, 0, failures as u32),
        }
    }

    /// The host reboots.
    pub(super) fn goes_silent(&mut self, front_end: usize) {
        let of = &mut self.front_ends[front_end];
        of.life = Life::Silent;
        let failures = of.failures as usize;
        let actions = &self.plan.recovery.actions;
        if let Some(Action::Reboot { away, .. }) = actions.get(failures - 1).or(actions.last()) {
            self.process_starts_at(front_end, self.now + *away);
        }
    }
}
