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
use super::connect::BY_CRASH;
use super::lookup::Fetch;
use super::queue::{Job, Worker};
use super::world::{Stage, World};

/// What a SYN meets (rule 7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    /// No process, or one that does not serve yet.
    Down,
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
    /// Sessions that this incarnation has made for its cache.
    pub(super) cached: u64,
    pub(super) account: Account,
}

impl FrontEnd {
    pub(super) fn new(plan: &FrontEndPlan, first_worker: usize, lookups: usize) -> FrontEnd {
        FrontEnd {
            life: Life::Down,
            incarnation: 0,
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
            cached: 0,
            account: Account::default(),
        }
    }
}

impl World<'_> {
    pub(super) fn process_starts(&mut self, front_end: usize) {
        let plan = &self.plan.front_ends[front_end];
        let of = &mut self.front_ends[front_end];
        of.life = Life::Down;
        of.incarnation += 1;
        of.cached = 0;
        of.fetches.clear();
        let incarnation = of.incarnation;
        of.validator = Some(self.maker.make(front_end, incarnation));
        self.of_front_end(front_end, What::ProcessStart, incarnation);
        let when = When { cycle: incarnation, ..When::default() };
        let bits = self.draws.draw(Identity::of(&plan.name), Purpose::StartUp, when, 0);
        let at = self.now + plan.start_up.sample(bits);
        self.later_at_front_end(at, front_end, Step::ServiceStarts { front_end });
    }

    pub(super) fn service_starts(&mut self, front_end: usize) {
        let of = &mut self.front_ends[front_end];
        (of.life, of.service_start) = (Life::Up, self.now);
        let incarnation = of.incarnation;
        self.of_front_end(front_end, What::ServiceStart, incarnation);
        self.plan_tick(front_end);
        if incarnation == 1 {
            self.start_established(front_end);
        }
    }

    /// Rule 6: the process dies at this instant; the question that worker `asking` has put was its last.
    pub(super) fn crash(&mut self, front_end: usize, asking: usize) {
        let recovery = &self.plan.recovery;
        let of = &mut self.front_ends[front_end];
        if let (Some(last), Some(period)) = (of.last_failure, recovery.reset_period)
            && self.now.since(last) >= period
        {
            of.failures = 0;
        }
        of.failures += 1;
        of.last_failure = Some(self.now);
        of.validator = None;
        of.life = Life::Dumping;
        let failures = of.failures;
        self.lose_jobs(front_end, asking);
        self.clear_syn_queue(front_end);
        self.of_front_end(front_end, What::Crash, failures);
        for peer in 0..self.peers.len() {
            let Some(connection) = self.peers[peer].connection else { continue };
            if self.connections[connection].front_end == front_end && self.is_valid(peer) {
                self.lose(connection, BY_CRASH);
                self.connections[connection].stage = Stage::Silenced;
            } else if self.connections[connection].front_end == front_end
                && self.connections[connection].stage == Stage::Handshake
            {
                self.connections[connection].stage = Stage::Silenced;
            }
        }
        if recovery.dump.0 == 0 {
            self.process_is_gone(front_end);
        } else {
            self.later_at_front_end(self.now + recovery.dump, front_end, Step::DumpEnds { front_end });
        }
    }

    pub(super) fn dump_ends(&mut self, front_end: usize) {
        self.of_front_end(front_end, What::DumpEnd, 0);
        self.process_is_gone(front_end);
    }

    /// All sockets are reset, and the recovery action's delay starts.
    fn process_is_gone(&mut self, front_end: usize) {
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
        let of = &mut self.front_ends[front_end];
        of.life = Life::Down;
        let failures = of.failures as usize;
        let actions = &self.plan.recovery.actions;
        match actions.get(failures - 1).or(actions.last()) {
            Some(Action::Restart(delay)) => {
                self.later_at_front_end(self.now + *delay, front_end, Step::ProcessStarts { front_end });
            }
            Some(Action::Reboot { delay, away }) => {
                self.later_at_front_end(self.now + *delay, front_end, Step::GoesSilent { front_end });
                let back = self.now + *delay + *away;
                self.later_at_front_end(back, front_end, Step::ProcessStarts { front_end });
            }
            Some(Action::None) | None => self.of_front_end(front_end, What::StaysDown, failures as u32),
        }
    }

    pub(super) fn goes_silent(&mut self, front_end: usize) {
        self.front_ends[front_end].life = Life::Silent;
    }
}
