//! Jobs, the queue and its bound, workers and cores (rules 2, 3, 4), the accounts of all that (rule 30).

use std::collections::BTreeSet;

use refresh_sim::measure::{Cause, Counter, Metric, What};
use refresh_sim::rng::{Purpose, When};
use refresh_sim::scenario::plan::WhenFull;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::Answer;

use super::connect::BY_FULL_QUEUE;
use super::lookup::Progress;
use super::process::Life;
use super::world::{Stage, World};

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Accept,
    /// The flight of this number, from 0.
    Flight(usize),
    /// What the front end does after the peer's last flight.
    Finish,
    Validate,
    /// The request with this number.
    Request(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) connection: usize,
    /// Since when it is in the queue, or was.
    pub(super) queued: Time,
    /// When a worker first took it.
    pub(super) first_taken: Option<Time>,
    pub(super) cause: Cause,
    pub(super) when: When,
    /// A refresh in place.
    pub(super) in_place: bool,
    /// It came with all the others of its tick, as one run, and has been in the queue since then.
    pub(super) in_run: bool,
    /// How far it is; `None`: no worker has started on it.
    pub(super) progress: Option<Progress>,
}

/// What a worker does with its job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Doing {
    #[default]
    WantsCore,
    Computing,
    /// Waits for others.
    Blocked,
}

/// A worker and the job that it holds.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) job: Option<Job>,
    /// Which of its jobs.
    pub(super) hold: u64,
    taken: Time,
    pub(super) doing: Doing,
    /// Since when it does that.
    pub(super) since: Time,
}

impl Worker {
    /// How far its job is.
    pub(super) fn progress(&mut self) -> &mut Progress {
        self.job.as_mut().and_then(|job| job.progress.as_mut()).expect("it has started on a job")
    }
}

impl World<'_> {
    /// Rule 3: a job comes.
    pub(super) fn enter(&mut self, front_end: usize, job: Job) {
        self.front_ends[front_end].account.arrivals += 1;
        if job.kind == Kind::Validate && !job.in_place {
            self.handshake_complete(job.connection);
        }
        self.join_queue(front_end, job);
    }

    /// A job joins the tail of the queue, if there is room.
    pub(super) fn join_queue(&mut self, front_end: usize, job: Job) {
        let plan = &self.plan.front_ends[front_end];
        let of = &mut self.front_ends[front_end];
        let waiting = (of.queue.len() + of.outside.len() + of.outside_accepts.len() + 1) as u64;
        of.account.queue_max = of.account.queue_max.max(waiting);
        if plan.queue_limit.is_none_or(|limit| of.queue.len() < limit as usize) {
            of.queue.push_back(job);
        } else {
            match plan.when_full {
                WhenFull::BackPressure if job.kind == Kind::Accept => of.outside_accepts.push_back(job),
                WhenFull::BackPressure => of.outside.push_back(job),
                WhenFull::Close => self.turn_away(front_end, &job),
                WhenFull::DropOldest => {
                    let oldest = of.queue.pop_front();
                    of.queue.push_back(job);
                    if let Some(oldest) = oldest {
                        self.turn_away(front_end, &oldest);
                    }
                }
            }
        }
    }

    /// Rule 3: the connection of a job that found no room is reset.
    fn turn_away(&mut self, front_end: usize, job: &Job) {
        let account = &mut self.front_ends[front_end].account;
        account.dropped += 1;
        account.wasted += u128::from(job.computed().0);
        let connection = job.connection;
        let peer = self.connections[connection].peer;
        if job.kind == Kind::Accept {
            self.leaves_accept_queue(front_end, connection);
        }
        self.of_peer_at(peer, What::Dropped, job.number(), front_end as u16);
        if !self.is_wanted(connection) || !self.has_socket(connection) {
            return;
        }
        if job.in_place {
            self.refresh_dropped(peer);
        }
        if job.in_place || matches!(job.kind, Kind::Request(_)) {
            self.lose(connection, BY_FULL_QUEUE);
        }
        self.reset(connection);
    }

    /// Idle workers take what waits.
    pub(super) fn take_jobs(&mut self, front_end: usize) {
        loop {
            self.let_in(front_end);
            let of = &mut self.front_ends[front_end];
            if of.idle.is_empty() {
                return;
            }
            let Some(job) = of.queue.pop_front() else { return };
            if job.in_place && job.progress.is_none() && !self.is_valid_still(job.connection) {
                // Rule 17: lost before a worker has taken its job.
                self.front_ends[front_end].account.dropped += 1;
                continue;
            }
            if job.progress.is_none() && self.is_skipped(front_end, &job) {
                self.skip(front_end, &job);
                continue;
            }
            let of = &mut self.front_ends[front_end];
            let Some(worker) = of.idle.pop() else { return };
            self.take(front_end, worker, job);
            if self.front_ends[front_end].life != Life::Up {
                return;
            }
        }
    }

    /// Rule 3, back-pressure: as room appears, others enter before accepts.
    fn let_in(&mut self, front_end: usize) {
        let Some(limit) = self.plan.front_ends[front_end].queue_limit else { return };
        let of = &mut self.front_ends[front_end];
        while of.queue.len() < limit as usize {
            let Some(job) = of.outside.pop_front().or_else(|| of.outside_accepts.pop_front()) else { return };
            of.queue.push_back(job);
        }
    }

    fn take(&mut self, front_end: usize, worker: usize, mut job: Job) {
        let hold = self.fresh();
        let group = self.peers[self.connections[job.connection].peer].group;
        if matches!(job.kind, Kind::Request(_)) {
            let peer = self.connections[job.connection].peer;
            self.of_peer_at(peer, What::RequestTaken, 0, front_end as u16);
        }
        self.books.sample(self.now, Metric::Queue, group, job.cause, self.now.since(job.queued));
        self.stamp_lateness(&job);
        let now = self.now;
        job.first_taken.get_or_insert(now);
        job.in_run = false;
        self.front_ends[front_end].workers[worker] =
            Worker { job: Some(job), hold, taken: now, doing: Doing::WantsCore, since: now };
        self.want_core(front_end, worker);
    }

    /// Rule 2: a worker goes on with its job if a core is free, and waits for one else.
    pub(super) fn want_core(&mut self, front_end: usize, worker: usize) {
        let of = &mut self.front_ends[front_end];
        let computing = of.workers.iter().filter(|worker| worker.job.is_some() && worker.doing == Doing::Computing);
        let free = computing.count() < self.plan.front_ends[front_end].cores as usize;
        (of.workers[worker].doing, of.workers[worker].since) = (Doing::WantsCore, self.now);
        if free {
            self.start(front_end, worker);
        } else {
            of.want_core.push_back(worker);
        }
    }

    /// A worker has a core: the question, if any, is put, and the job computes.
    fn start(&mut self, front_end: usize, worker: usize) {
        let now = self.now;
        let of = &mut self.front_ends[front_end].workers[worker];
        let waited = now.since(of.since);
        (of.doing, of.since) = (Doing::Computing, now);
        let job = of.job.clone().expect("it holds one");
        self.front_ends[front_end].account.waiting += u128::from(waited.0);
        if job.progress.is_none() && !self.begin(front_end, worker, &job) {
            return;
        }
        self.compute(front_end, worker);
    }

    /// A worker starts on a job; whether the process lives through it.
    fn begin(&mut self, front_end: usize, worker: usize, job: &Job) -> bool {
        if job.kind == Kind::Accept {
            self.leaves_accept_queue(front_end, job.connection);
        }
        let cpu = self.demand(front_end, job);
        let mut progress = Progress::new(cpu);
        if job.kind == Kind::Validate {
            let verdict = self.ask(front_end, job);
            progress = Progress::of_validation(verdict.cost.unwrap_or(cpu), &verdict);
        }
        let verdict = progress.verdict;
        let of = &mut self.front_ends[front_end].workers[worker];
        of.job.as_mut().expect("it holds one").progress = Some(progress);
        if matches!(verdict, Some(Answer::Fault(_))) {
            self.crash(front_end, worker);
            return false;
        }
        true
    }

    /// Rule 3: CPU by the peer's identity and place in its life.
    fn demand(&self, front_end: usize, job: &Job) -> Span {
        let peer = self.connections[job.connection].peer;
        let group = self.group(peer);
        let (dist, purpose, index) = match job.kind {
            Kind::Request(request) => return self.request_cpu(request),
            Kind::Accept => (self.plan.front_ends[front_end].accept.as_ref(), Purpose::AcceptCpu, 0),
            Kind::Flight(flight) => (self.flights(job.connection).get(flight), Purpose::FlightCpu, flight as u16),
            Kind::Finish => {
                let after_the_last = self.flights(job.connection).len() as u16;
                (self.finish_of(job.connection), Purpose::FlightCpu, after_the_last)
            }
            Kind::Validate if job.in_place => (Some(&group.validate_refresh), Purpose::ValidateCpu, 1),
            Kind::Validate => (Some(&group.validate_accept), Purpose::ValidateCpu, 0),
        };
        dist.expect("there is such a job").sample(self.draw(peer, purpose, job.when, index))
    }

    /// Rule 2: first the effect, then the core, then the queue.
    pub(super) fn job_ends(&mut self, front_end: usize, worker: usize) {
        let of = std::mem::take(&mut self.front_ends[front_end].workers[worker]);
        let job = of.job.as_ref().expect("it holds one");
        let mut useful = self.is_wanted(job.connection) && self.has_socket(job.connection);
        if let Kind::Request(request) = job.kind {
            useful &= self.is_awaited(request);
        }
        let account = &mut self.front_ends[front_end].account;
        account.served += 1;
        account.held += u128::from(self.now.since(of.taken).0);
        *(if useful { &mut account.useful } else { &mut account.wasted }) += u128::from(job.computed().0);
        let group = self.peers[self.connections[job.connection].peer].group;
        let service = self.now.since(job.first_taken.expect("a worker took it"));
        self.books.sample(self.now, Metric::Service, group, job.cause, service);
        if job.kind == Kind::Validate {
            self.books.sample(self.now, Metric::Validation, group, job.cause, service);
        }
        self.front_ends[front_end].idle.push(worker);
        if useful {
            self.take_effect(front_end, job);
        } else if let Kind::Request(request) = job.kind {
            self.late_answer(request);
        }
        if of.doing == Doing::Computing {
            self.core_is_free(front_end);
        }
        if self.front_ends[front_end].life == Life::Up {
            self.take_jobs(front_end);
        }
    }

    /// A job leaves its worker, to wait for others without one.
    pub(super) fn worker_is_freed(&mut self, front_end: usize, worker: usize) -> Job {
        let of = std::mem::take(&mut self.front_ends[front_end].workers[worker]);
        self.front_ends[front_end].account.held += u128::from(self.now.since(of.taken).0);
        self.front_ends[front_end].idle.push(worker);
        of.job.expect("it holds one")
    }

    fn is_valid_still(&self, connection: usize) -> bool {
        self.is_wanted(connection) && matches!(self.connections[connection].stage, Stage::Valid(_))
    }

    pub(super) fn has_socket(&self, connection: usize) -> bool {
        matches!(self.connections[connection].stage, Stage::Handshake | Stage::Valid(_))
    }

    fn take_effect(&mut self, front_end: usize, job: &Job) {
        let verdict = job.progress.as_ref().and_then(|progress| progress.verdict);
        match (job.kind, verdict) {
            (Kind::Accept, _) => {
                let next = self.job(self.kind_of_message(job.connection, 0), job.connection);
                self.enter(front_end, next);
            }
            (Kind::Request(request), _) => self.answer(request),
            (Kind::Flight(flight), _) => self.flight_sent(job.connection, flight),
            (Kind::Finish, _) => {
                let next = self.job(Kind::Validate, job.connection);
                self.enter(front_end, next);
            }
            (Kind::Validate, Some(Answer::Accept)) if job.in_place => self.valid_in_place(job.connection),
            (Kind::Validate, Some(Answer::Accept)) => self.accepted(job.connection),
            (Kind::Validate, Some(Answer::Reject(_))) => {
                let peer = self.connections[job.connection].peer;
                self.books.count(self.peers[peer].group, Counter::Rejections);
                if job.in_place { self.rejected_in_place(job.connection) } else { self.rejected(job.connection) }
            }
            (Kind::Validate, Some(Answer::Fault(_)) | None) => {}
        }
    }

    pub(super) fn core_is_free(&mut self, front_end: usize) {
        if let Some(worker) = self.front_ends[front_end].want_core.pop_front() {
            self.start(front_end, worker);
        }
    }

    /// Rule 17: a connection ends while the job of its refresh waits in its tick's run. The job leaves at once, and that
    /// the refresh was due is recorded now.
    pub(super) fn leave_run(&mut self, connection: usize) {
        let front_end = self.connections[connection].front_end;
        let of = &mut self.front_ends[front_end];
        let before = of.queue.len() + of.outside.len();
        of.queue.retain(|job| !(job.in_run && job.connection == connection));
        of.outside.retain(|job| !(job.in_run && job.connection == connection));
        if of.queue.len() + of.outside.len() == before {
            return;
        }
        of.account.dropped += 1;
        let peer = self.connections[connection].peer;
        self.of_peer(peer, What::Due, 1);
        self.let_in(front_end);
    }

    /// Rule 6: a crash takes all jobs; what was decided on them is void.
    pub(super) fn lose_jobs(&mut self, front_end: usize, asking: Option<usize>) {
        let now = self.now;
        let mut void = Vec::new();
        for worker in 0..self.front_ends[front_end].workers.len() {
            let of = std::mem::take(&mut self.front_ends[front_end].workers[worker]);
            let Some(job) = &of.job else { continue };
            self.front_ends[front_end].account.cut(&of, now);
            if Some(worker) != asking {
                void.push(job.clone());
            }
        }
        let of = &mut self.front_ends[front_end];
        of.idle = (0..of.workers.len()).rev().collect();
        of.want_core.clear();
        let mut lost: Vec<Job> = of.queue.drain(..).collect();
        lost.extend(of.outside.drain(..));
        lost.extend(of.outside_accepts.drain(..));
        let away = self.lose_away(front_end);
        void.extend(lost.iter().chain(&away).cloned());
        for job in void.into_iter().filter(|job| job.progress.as_ref().is_some_and(|of| of.verdict.is_some())) {
            let peer = self.connections[job.connection].peer;
            self.of_peer_at(peer, What::NoEffect, 0, front_end as u16);
        }
        let account = &mut self.front_ends[front_end].account;
        for job in lost.iter().chain(&away) {
            account.lost_in_crash += 1;
            account.cut_off += u128::from(job.computed().0);
        }
        let in_runs = lost.iter().filter(|job| job.in_run).map(|job| self.connections[job.connection].peer);
        let in_runs: BTreeSet<usize> = in_runs.collect();
        for peer in in_runs {
            self.of_peer(peer, What::Due, 1);
        }
    }

    /// The end of the run: what is in the system stays there, and is booked up to now.
    pub(super) fn close_account(&mut self, front_end: usize) {
        let now = self.now;
        let of = &mut self.front_ends[front_end];
        let waiting = of.queue.iter().chain(&of.outside).chain(&of.outside_accepts);
        for job in waiting {
            of.account.present += 1;
            of.account.cut_off += u128::from(job.computed().0);
        }
        for worker in of.workers.iter().filter(|worker| worker.job.is_some()) {
            let lost = of.account.lost_in_crash;
            of.account.cut(worker, now);
            of.account.lost_in_crash = lost;
            of.account.present += 1;
        }
        self.still_away(front_end);
    }
}

impl Job {
    /// The number of its kind in decisions.
    pub(super) fn number(&self) -> u8 {
        match self.kind {
            Kind::Accept => 0,
            Kind::Flight(_) | Kind::Finish => 1,
            Kind::Validate if !self.in_place => 2,
            Kind::Validate => 3,
            Kind::Request(_) => 4,
        }
    }

    /// CPU that it has had.
    pub(super) fn computed(&self) -> Span {
        self.progress.as_ref().map_or(Span::ZERO, |progress| progress.done)
    }
}

impl super::books::Account {
    /// A crash cuts a worker off from its job.
    fn cut(&mut self, worker: &Worker, now: Time) {
        let job = worker.job.as_ref().expect("it holds one");
        self.lost_in_crash += 1;
        self.held += u128::from(now.since(worker.taken).0);
        self.cut_off += u128::from(job.computed().0);
        let doing = u128::from(now.since(worker.since).0);
        *(match worker.doing {
            Doing::WantsCore => &mut self.waiting,
            Doing::Computing => &mut self.cut_off,
            Doing::Blocked => &mut self.blocked,
        }) += doing;
    }
}
