//! What a front end does of its own accord about connections: its limits on them, and what it makes of those that their
//! peers gave up (model rules 5 and 14).

use crate::frontend::{Job, JobKind, Life, Port, Step, Wake};
use crate::measure::{Counter, What};
use crate::time::{Span, Time};

use super::engine::Run;

impl Run<'_> {
    /// A SYN has arrived at a front end: its limits on the connection run from here (rule 5).
    pub(super) fn limits_start(&mut self, now: Time, who: u32, group: usize) {
        let limits = self.front_ends[usize::from(self.rows[who as usize].place())].setup.limits;
        let Some(aside) = self.asides.get_mut(who as usize) else { return };
        aside.arrived = now;
        let handshake = limits.handshake.filter(|_| self.groups[group].round_trips(&self.rows[who as usize]) > 0);
        for limit in [handshake, limits.first_message].into_iter().flatten() {
            self.world.wake(now + limit, who, Wake::AttemptTimer);
        }
    }

    /// A limit of the front end on a connection that is not valid yet may be reached now: it closes the connection.
    pub(super) fn front_end_limit(&mut self, now: Time, who: u32, group: usize) {
        let Some(aside) = self.asides.get(who as usize) else { return };
        let row = &self.rows[who as usize];
        let front_end = &self.front_ends[usize::from(row.place())];
        if front_end.life != Life::Up || !matches!(row.step(), Step::FlightSent | Step::InJob | Step::AckIgnored) {
            return;
        }
        let flights = self.groups[group].round_trips(row);
        let in_handshake = flights > 0 && (row.flight() < flights || row.step() != Step::InJob);
        let reached = |limit: Option<Span>| limit.is_some_and(|limit| aside.arrived + limit == now);
        let limits = front_end.setup.limits;
        let which = if in_handshake && reached(limits.handshake) {
            0
        } else if reached(limits.first_message) {
            1
        } else {
            return;
        };
        self.limit_reached(now, who, group, which);
        self.leaves_syn_queue(now, who);
        self.refuse(now, who, group);
    }

    /// Puts on the record that a limit of the front end ends or refuses a connection.
    pub(super) fn limit_reached(&mut self, now: Time, who: u32, group: usize, which: u8) {
        self.world.count(self.groups[group].cell, Counter::Limited, 1);
        self.decide(now, who, What::Limit, which);
    }

    /// A peer gives up, or breaks, a connection that its front end has: until the close arrives there, it keeps its slot,
    /// and a job of it its place. `waits` says whether it has one.
    pub(super) fn abandon(&mut self, now: Time, who: u32, group: usize, waits: bool) {
        let place = usize::from(self.rows[who as usize].place());
        let setup = &self.front_ends[place].setup;
        if setup.limits.max_connections.is_none() && !setup.notices {
            return;
        }
        let (first_message, counts, notices) =
            (setup.limits.first_message, setup.limits.max_connections.is_some(), setup.notices);
        let mut learned = now + self.rtt(who, group).half();
        let valid = self.rows[who as usize].step() == Step::Valid;
        if let (Some(limit), Some(aside), false) = (first_message, self.asides.get(who as usize), valid) {
            // It may also lie in the past, for a connection that has been valid.
            let limit = aside.arrived + limit;
            learned = if limit > now { learned.min(limit) } else { learned };
        }
        let abandoned = &mut self.front_ends[place].abandoned;
        if counts {
            abandoned.keep_slot(learned);
        }
        if notices && waits {
            abandoned.keep_job(who, self.rows[who as usize].generation, learned);
        }
    }

    /// Whether a worker skips `job`, which is next, for its connection is gone, and the front end knows and cares.
    #[cold]
    pub(super) fn skips(&mut self, now: Time, place: usize, job: &Job) -> bool {
        let front_end = &mut self.front_ends[place];
        // A refresh whose connection was lost before service is recorded then, not asked now (rule 17).
        let lost = job.kind == JobKind::ValidateRefresh;
        let notices = front_end.setup.notices && job.kind != JobKind::Request;
        let is_known = lost || notices && front_end.abandoned.is_known(job, now);
        if !is_known {
            return false;
        }
        front_end.account.drop_waiting(now, job.arrived);
        if job.kind == JobKind::Accept {
            front_end.listener.accepted();
        }
        if !lost {
            let group = self.group_of(job.row);
            self.world.count(self.groups[group].cell, Counter::Skipped, 1);
            self.decide(now, job.row, What::Skipped, job.kind as u8);
        }
        true
    }

    /// A job whose peer gave up leaves a queue unserved, one of any front end.
    #[cold]
    pub(super) fn forget_abandoned(&mut self, now: Time, job: &Job) {
        for front_end in self.front_ends.iter_mut().filter(|front_end| front_end.setup.notices) {
            front_end.abandoned.is_known(job, now);
        }
    }
}
