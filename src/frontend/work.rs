//! Connections come, jobs queue, workers serve them (model rules 2, 3, 12, 13, 21).

use super::queue::{Head, Job, JobKind, Refused};
use super::row::{Row, Step};
use super::{Doing, FrontEnd, Group, Port, Suspended, Wake};
use crate::measure::{Bundle, Decision, Metric, What};
use crate::rng::Purpose;
use crate::time::{Span, Time};
use crate::validate::{Answer, FaultCode, Phase};

/// What came of a worker's turning to a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Started {
    /// It computes, or waits for a core.
    Fine,
    /// The validator brought the process down.
    Fault(FaultCode, Phase),
}

/// A job that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The job.
    pub job: Job,
    /// Whether its connection still waits for it.
    pub useful: bool,
    /// The verdict, for validations.
    pub answer: Answer,
}

impl FrontEnd {
    /// The job that the message of a new connection makes.
    #[inline(always)]
    pub fn job_of<P: Port>(&self, now: Time, at_row: u32, row: &Row, group: &Group, kind: JobKind, port: &P) -> Job {
        let (dist, purpose, index) = match kind {
            JobKind::Accept => (self.setup.accept.as_ref(), Purpose::AcceptCpu, 0),
            JobKind::Flight => (group.flights.get(row.flight()), Purpose::FlightCpu, row.flight() as u16),
            JobKind::ValidateAccept => (Some(&group.validate_accept), Purpose::ValidateCpu, 0),
            JobKind::ValidateRefresh => (Some(&group.validate_refresh), Purpose::ValidateCpu, 1),
            // Made where the request's number is known, on which its CPU hangs.
            JobKind::Request => (None, Purpose::RequestCpu, 0),
        };
        let demand = dist.map_or(Span(1), |d| group.sample(d, port.draws(), at_row, purpose, row.when(), index));
        let demand = Span(demand.0.max(1));
        Job { arrived: now, demand, row: at_row, generation: row.generation, kind, cause: row.cause() }
    }

    /// What comes after the handshake has got as far as `row` says: its next flight, or its validation.
    #[inline]
    pub fn next_kind(row: &Row, group: &Group) -> JobKind {
        if row.flight() < group.flights.len() { JobKind::Flight } else { JobKind::ValidateAccept }
    }

    /// Puts a job in the queue. Gives back the job that finds no place, if the queue is bounded: its connection is to
    /// be reset.
    #[inline]
    pub fn enqueue(&mut self, now: Time, job: Job) -> Option<Job> {
        self.account.arrive(now, 1);
        let refused = self.queue.push(job)?;
        Some(self.turn_away(now, refused))
    }

    /// Books a job that finds no place in the queue.
    pub(super) fn turn_away(&mut self, now: Time, refused: Refused) -> Job {
        let job = match refused {
            Refused::New(job) => job,
            Refused::Rejoined(job) => self.book_turned_away(&job),
        };
        self.account.drop_waiting(now, job.arrived);
        if job.kind == JobKind::Accept {
            self.listener.accepted();
        }
        job
    }

    /// Whether a worker could take a job.
    #[inline]
    pub fn has_idle_worker(&self) -> bool {
        !self.idle.is_empty()
    }

    /// What the next idle worker turns to.
    #[inline]
    pub fn head(&self) -> Option<Head> {
        self.queue.head()
    }

    /// Takes the job out of the queue that is next, if it is a [`Head::Job`].
    #[inline]
    pub fn pop_job(&mut self) -> Option<Job> {
        self.queue.pop_job()
    }

    /// An idle worker takes `job`; `row` is the row that the job is about.
    #[inline]
    pub fn begin<P: Port>(&mut self, now: Time, job: &Job, row: &Row, group: &Group, port: &mut P) -> Started {
        let Some(number) = self.idle.pop() else { return Started::Fine };
        self.account.take(now);
        port.measure(now, Metric::Queue, group.cell, job.cause, now.since(job.arrived));
        let worker = &mut self.workers[number as usize];
        worker.job = *job;
        worker.taken = now;
        worker.since = now;
        if self.cores_free == 0 {
            worker.doing = Doing::WaitingForCore;
            self.for_core.push_back(number);
            return Started::Fine;
        }
        self.compute(now, number, row, group, port)
    }

    /// The job of the worker that has waited longest for a core, if one is free now.
    #[inline]
    pub fn next_for_core(&self) -> Option<&Job> {
        let number = *self.for_core.front()?;
        (self.cores_free > 0).then(|| &self.workers[number as usize].job)
    }

    /// The worker that has waited longest gets the free core; `row` is its job's.
    pub fn take_core<P: Port>(&mut self, now: Time, row: &Row, group: &Group, port: &mut P) -> Started {
        let Some(number) = self.for_core.pop_front() else { return Started::Fine };
        self.settle(number as usize, now);
        self.compute(now, number, row, group, port)
    }

    /// A worker starts on its job: the instant of the question (rule 21).
    #[inline(always)]
    fn compute<P: Port>(&mut self, now: Time, number: u32, row: &Row, group: &Group, port: &mut P) -> Started {
        self.cores_free -= 1;
        let worker = &mut self.workers[number as usize];
        worker.doing = Doing::Computing;
        worker.since = now;
        if worker.stops.begun {
            self.compute_on(now, number, group, port);
            return Started::Fine;
        }
        (worker.cpu, worker.wait) = (worker.job.demand, Span::ZERO);
        let phase = match worker.job.kind {
            JobKind::ValidateAccept => Some(Phase::Accept),
            JobKind::ValidateRefresh => Some(Phase::Refresh),
            JobKind::Accept => {
                self.listener.accepted();
                None
            }
            JobKind::Flight | JobKind::Request => None,
        };
        if let Some(phase) = phase {
            let left_behind;
            let row = if worker.job.generation == row.generation {
                row
            } else {
                left_behind = row.left_behind();
                &left_behind
            };
            let verdict = port.judge(now, self.setup.place, phase, worker.job.row, row, group);
            asked(now, worker.job.row, phase, self.setup.place, verdict.answer, row, port);
            worker.answer = verdict.answer;
            if let Answer::Fault(code) = verdict.answer {
                return Started::Fault(code, phase);
            }
            worker.wait = verdict.wait;
            worker.cpu = Span(verdict.cost.unwrap_or(worker.job.demand).0.max(1));
            if self.looks_up() || verdict.wait > Span::ZERO {
                self.compute_on(now, number, group, port);
                return Started::Fine;
            }
        }
        let worker = &mut self.workers[number as usize];
        worker.until = now + worker.cpu;
        port.wake(worker.until, self.setup.first_worker + number, Wake::Computed);
        Started::Fine
    }

    /// The job in service at worker `number` (counted from this front end's first), if what ends at `now` is
    /// its own doing; `None`: a crash was faster.
    #[inline]
    pub fn ends_now(&self, number: u32, now: Time, what: Wake) -> Option<&Job> {
        let worker = &self.workers[number as usize];
        let doing = if what == Wake::Computed { Doing::Computing } else { Doing::Blocked };
        (worker.doing == doing && worker.until == now).then_some(&worker.job)
    }

    /// Worker `number` has computed: its core is free. The job ends, unless it stops for others.
    #[inline]
    pub fn computed<P: Port>(
        &mut self,
        now: Time,
        number: u32,
        row: &Row,
        group: &Group,
        port: &mut P,
    ) -> Option<Ended> {
        self.cores_free += 1;
        if !self.workers[number as usize].stops.begun {
            return Some(self.end(now, number, row, group, port));
        }
        self.at_stop(now, number, row, group, port)
    }

    // Not left to the compiler: in its frame of its own it costs 70 instructions a refresh (docs/performance.md).
    #[inline(always)]
    pub(super) fn end<P: Port>(&mut self, now: Time, number: u32, row: &Row, group: &Group, port: &mut P) -> Ended {
        let worker = &mut self.workers[number as usize];
        worker.doing = Doing::Nothing;
        let Job { kind, cause, arrived, generation, .. } = worker.job;
        let mut useful = generation == row.generation && matches!(row.step(), Step::InJob | Step::Valid);
        if kind == JobKind::Request {
            useful &= port.awaits(worker.job.row);
        }
        self.account.serve(now, arrived, worker.cpu, useful);
        let service = now.since(worker.taken);
        match kind {
            JobKind::ValidateAccept | JobKind::ValidateRefresh => {
                port.measure_bundle(now, Bundle::Validation, group.cell, cause, service);
            }
            JobKind::Accept | JobKind::Flight | JobKind::Request => {
                port.measure(now, Metric::Service, group.cell, cause, service);
            }
        }
        self.idle.push(number);
        Ended { job: worker.job, useful, answer: worker.answer }
    }

    /// The peers whose questions are in service, or wait for a worker to go on, and had another answer than a fault: what a
    /// fault overtakes.
    pub fn questions_overtaken(&self) -> Vec<u32> {
        let asks = |w: &&super::Worker| {
            let was_put = match w.doing {
                Doing::Nothing => false,
                Doing::WaitingForCore => w.stops.begun,
                Doing::Computing | Doing::Blocked => true,
            };
            let judges = matches!(w.job.kind, JobKind::ValidateAccept | JobKind::ValidateRefresh);
            was_put && judges && !matches!(w.answer, Answer::Fault(_))
        };
        let held = self.workers.iter().filter(asks).map(|worker| worker.job.row);
        held.chain(self.queue.rejoined().map(Suspended::row)).collect()
    }
}

/// Puts a question and its answer on the record.
#[inline]
fn asked<P: Port>(now: Time, who: u32, phase: Phase, place: u16, answer: Answer, row: &Row, port: &mut P) {
    let detail = match answer {
        Answer::Accept => 0,
        Answer::Fault(_) => 1,
        Answer::Reject(reason) => 16 + reason as u8,
    };
    let extra = place | (phase as u16) << 15;
    port.decide(Decision { at: now, who, what: What::Asked, detail, extra }, Some(row));
}
