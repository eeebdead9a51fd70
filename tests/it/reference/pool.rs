//! What is done to front ends from outside (rule 1), and what front ends need of each other (rule 25).

use refresh_sim::measure::What;
use refresh_sim::policy::Restart;
use refresh_sim::scenario::plan::Operate;
use refresh_sim::time::Time;

use super::agenda::{Class, Step};
use super::connect::{BY_CRASH, BY_KILL, BY_STOP};
use super::process::Life;
use super::world::World;

/// `Stop`'s details.
const BY_TIMELINE: u8 = 0;
const FOR_PATCH: u8 = 1;
const WITH_POOL: u8 = 2;

/// `Crash`'s details.
const BY_VERDICT: u8 = 0;
const FROM_OUTSIDE: u8 = 1;

/// A rolling patch whose present stage is away.
pub(super) struct Roll {
    operation: usize,
    stage: usize,
}

impl World<'_> {
    /// An entry about front ends; a rolling patch begins with its first stage.
    pub(super) fn operate(&mut self, operation: usize, stage: usize) {
        let of = &self.plan.operations[operation];
        for front_end in of.stages[stage].clone() {
            self.operate_on(usize::from(front_end), of.what);
        }
        if stage + 1 < of.stages.len() {
            self.rolls.push(Roll { operation, stage });
        }
    }

    fn operate_on(&mut self, front_end: usize, what: Operate) {
        match what {
            Operate::Stop => self.stop(front_end, BY_TIMELINE, Time::NEVER),
            Operate::Start => {
                let was_held = self.front_ends[front_end].held.take().is_some();
                let of = &self.front_ends[front_end];
                if of.life == Life::Down && (was_held || of.incarnation > 0) {
                    self.start_process(front_end);
                }
            }
            Operate::Crash => {
                if matches!(self.front_ends[front_end].life, Life::Up | Life::Starting) {
                    self.killed(front_end);
                }
            }
            Operate::Patch { away, validator, .. } => {
                self.stop(front_end, FOR_PATCH, self.now + away);
                if let Some(validator) = validator {
                    self.judges[front_end] = validator;
                }
            }
        }
    }

    /// A service stops, and nothing starts it before `until`.
    fn stop(&mut self, front_end: usize, why: u8, until: Time) {
        self.front_ends[front_end].held = Some(until);
        match self.front_ends[front_end].life {
            Life::Up => {
                self.end_service(front_end, why, until);
                self.front_end_has_gone(front_end);
            }
            Life::Starting => self.end_service(front_end, why, until),
            Life::Down => self.process_starts_at(front_end, until),
            // What is going on there is waited for.
            Life::Dumping | Life::Silent => {}
        }
    }

    /// A process ends as planned; the next one starts at `until`.
    fn end_service(&mut self, front_end: usize, why: u8, until: Time) {
        let incarnation = self.front_ends[front_end].incarnation;
        self.lose_jobs(front_end, None);
        self.end_process(front_end);
        self.decide_front_end(front_end, What::Stop, why, incarnation);
        self.lose_connections(front_end, BY_STOP);
        self.reset_sockets(front_end);
        self.process_starts_at(front_end, until);
    }

    /// A process is ended from outside: a failure without a dump.
    fn killed(&mut self, front_end: usize) {
        let served = self.front_ends[front_end].life == Life::Up;
        let failures = self.count_failure(front_end);
        self.lose_jobs(front_end, None);
        self.end_process(front_end);
        self.decide_front_end(front_end, What::Crash, FROM_OUTSIDE, failures);
        self.lose_connections(front_end, BY_KILL);
        self.reset_sockets(front_end);
        self.recover(front_end);
        if served {
            self.front_end_has_gone(front_end);
        }
    }

    /// Rule 6: the process dies at this instant; the question that worker `asking` has put was its last.
    pub(super) fn crash(&mut self, front_end: usize, asking: usize) {
        let failures = self.count_failure(front_end);
        self.lose_jobs(front_end, Some(asking));
        self.end_process(front_end);
        self.decide_front_end(front_end, What::Crash, BY_VERDICT, failures);
        self.lose_connections(front_end, BY_CRASH);
        if self.plan.recovery.dump.0 == 0 {
            self.reset_sockets(front_end);
            self.recover(front_end);
        } else {
            self.front_ends[front_end].life = Life::Dumping;
            self.change_at(self.now + self.plan.recovery.dump, front_end, |turn| Step::DumpEnds { front_end, turn });
        }
        self.front_end_has_gone(front_end);
    }

    /// Rule 25: a front end serves no more. Below its functional minimum the pool stops.
    fn front_end_has_gone(&mut self, front_end: usize) {
        let Some(pool) = &self.plan.pool else { return };
        let serve: Vec<bool> = self.front_ends.iter().map(|of| of.life == Life::Up).collect();
        let first = serve.iter().take(usize::from(pool.minimum.among)).filter(|serves| **serves).count();
        let all = serve.iter().filter(|serves| **serves).count();
        let has_quorum = !pool.quorum || 2 * all >= serve.len();
        if first >= usize::from(pool.minimum.functional) && has_quorum {
            return;
        }
        self.decide_front_end(front_end, What::PoolFalls, first as u8, 0);
        let until = match pool.restart {
            Restart::Manual => Time::NEVER,
            Restart::After(wait) => self.now + wait,
        };
        for survivor in (0..serve.len()).filter(|place| serve[*place]) {
            self.end_service(survivor, WITH_POOL, until);
        }
    }

    /// The start-up of a process is over: it serves, or waits for its pool.
    pub(super) fn start_up_over(&mut self, front_end: usize) {
        let serves = self.front_ends.iter().any(|of| of.life == Life::Up);
        let Some(pool) = self.plan.pool.as_ref().filter(|_| !serves) else {
            return self.service_starts(front_end);
        };
        self.front_ends[front_end].ready = true;
        self.decide_front_end(front_end, What::Ready, 0, self.front_ends[front_end].incarnation);
        let ready: Vec<usize> = (0..self.front_ends.len()).filter(|place| self.front_ends[*place].ready).collect();
        if ready.len() >= usize::from(pool.minimum.start) {
            ready.into_iter().for_each(|place| self.service_starts(place));
        }
    }

    /// A front end serves: the next stage of a rolling patch may begin after its gap.
    pub(super) fn stages_may_go_on(&mut self) {
        for Roll { operation, stage } in std::mem::take(&mut self.rolls) {
            let of = &self.plan.operations[operation];
            let is_up = |place: &u16| self.front_ends[usize::from(*place)].life == Life::Up;
            let Operate::Patch { gap: Some(gap), .. } = of.what else { continue };
            if of.stages[stage].iter().all(is_up) {
                let next = Step::Operate { operation, stage: stage + 1 };
                self.agenda.add(self.now + gap, Class::Timeline, 0, next);
            } else {
                self.rolls.push(Roll { operation, stage });
            }
        }
    }
}
