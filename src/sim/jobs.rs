//! Jobs between the queue and the workers: what a worker that is free turns to, and what it leaves when it has done.
//!
//! The hot path of every run: each row, group and front end is looked up once a job. What a finished job means for its
//! connection is said in `connection` and `refresh`.

use crate::frontend::{FrontEnd, Group, Head, Job, JobKind, Obligation, Pull, Row, Started, Wake};
use crate::measure::{Cause, Meters, Metric};
use crate::time::Time;

use super::engine::{AHEAD, Run};

impl Run<'_> {
    /// A worker has computed, or waited enough.
    #[inline(never)]
    pub(super) fn worker(&mut self, now: Time, number: u32, what: Wake) {
        let place = usize::from(self.worker_places[number as usize]);
        let front_end = &mut self.front_ends[place];
        let number = number - (front_end.setup.first_worker - self.numbers.workers);
        let Some(job) = front_end.ends_now(number, now, what) else { return };
        let (at_row, generation) = (self.world.row_of(job), job.generation);
        let group = self.group_of(at_row);
        let (mut row, of) = (&self.rows[at_row as usize], &self.groups[group]);
        let gone_on;
        if row.generation != generation && self.looks_up {
            gone_on = self.gone_on(row, at_row, of);
            row = &gone_on;
        }
        let front_end = &mut self.front_ends[place];
        let ended = if what == Wake::Computed {
            front_end.computed(now, number, row, of, &mut self.world)
        } else {
            front_end.waited(now, number, row, of, &mut self.world)
        };
        // First the job that ended has its effect, then the next question is put: it may be the last.
        if let Some(ended) = ended {
            self.job_ended(now, place, group, ended);
        }
        while let Some(job) = self.front_ends[place].next_for_core() {
            let at_row = self.world.row_of(job);
            let group = self.group_of(at_row);
            let row = &self.rows[at_row as usize];
            let started = self.front_ends[place].take_core(now, row, &self.groups[group], &mut self.world);
            if let Started::Fault(code, phase) = started {
                return self.crash(now, place, at_row, code, phase);
            }
        }
        self.dispatch(now, place);
    }

    /// The row of a peer that has gone on since its job came, as its draws hang on it: a tick that has taken it counts from
    /// then on (rule 17), though the row hears of it only when a worker comes to it.
    #[cold]
    fn gone_on(&self, row: &Row, at_row: u32, of: &Group) -> Row {
        let mut row = *row;
        if self.front_ends[usize::from(row.place())].covers(at_row, &row, of) {
            row.next_cycle();
        }
        row
    }

    /// Idle workers take what waits.
    #[inline]
    pub(super) fn dispatch(&mut self, now: Time, place: usize) {
        if self.front_ends[place].has_idle_worker() {
            self.take_jobs(now, place);
        }
    }

    #[inline(never)]
    fn take_jobs(&mut self, now: Time, place: usize) {
        while self.front_ends[place].has_idle_worker() {
            let job = match self.front_ends[place].head() {
                None => return,
                Some(Head::Job) => self.front_ends[place].pop_job(),
                Some(Head::Run) => self.pull(now, place),
                Some(Head::Rejoined) => {
                    self.resume_next(now, place);
                    None
                }
            };
            let Some(job) = job else { continue };
            self.fetch_queued(place);
            let at_row = if job.kind == JobKind::Request { self.request_taken(now, place, &job) } else { job.row };
            let group = self.group_of(at_row);
            let stale = self.rows[at_row as usize].generation != job.generation;
            if stale && self.skips(now, place, &job) {
                continue;
            }
            let (row, of) = (&self.rows[at_row as usize], &self.groups[group]);
            let front_end = &mut self.front_ends[place];
            if !stale && job.cause == Cause::Refresh && is_first_of_refresh(row, of, &job, front_end) {
                lateness(now, row, of.cell, &mut self.world.meters);
            }
            let started = front_end.begin(now, &job, row, of, &mut self.world);
            if let Started::Fault(code, phase) = started {
                return self.crash(now, place, at_row, code, phase);
            }
        }
    }

    /// A worker takes the next job that rejoined. What has become of its connection meanwhile is nothing to it.
    #[cold]
    fn resume_next(&mut self, now: Time, place: usize) {
        let Some(at_row) = self.front_ends[place].next_rejoined() else { return };
        let group = &self.groups[self.group_of(at_row)];
        self.front_ends[place].resume(now, group, &mut self.world);
    }

    /// Fetches the row of a job that will soon be next in line.
    #[inline]
    fn fetch_queued(&self, place: usize) {
        if let Some(row) = self.front_ends[place].upcoming(AHEAD) {
            self.rows[row as usize].fetch();
        }
    }

    /// The next job of a tick's run, if the next candidate is in it.
    fn pull(&mut self, now: Time, place: usize) -> Option<Job> {
        let asked = self.front_ends[place].run_asked()?;
        let Pull::Try(at_row) = self.front_ends[place].pull() else { return None };
        let group = self.group_of(at_row);
        if !self.owe_from_run(at_row, group, place, asked) {
            return None;
        }
        self.front_ends[place].pulled();
        let (row, group) = (&self.rows[at_row as usize], &self.groups[group]);
        let kind = JobKind::ValidateRefresh;
        let mut job = self.front_ends[place].job_of(now, at_row, row, group, kind, &self.world);
        job.cause = Cause::Refresh;
        Some(FrontEnd::run_job(job, asked))
    }
}

/// Whether a job that is still wanted is the first one of a refresh that is due.
#[inline]
fn is_first_of_refresh(row: &Row, of: &Group, job: &Job, front_end: &FrontEnd) -> bool {
    let accepts = front_end.setup.accept.is_some();
    let first = match job.kind {
        JobKind::ValidateRefresh => true,
        JobKind::Accept => row.attempt == 0,
        JobKind::Flight => row.attempt == 0 && row.flight() == 0 && !accepts,
        JobKind::ValidateAccept => row.attempt == 0 && of.flights.is_empty() && !accepts,
        JobKind::Request => false,
    };
    first && row.obligation() == Obligation::Open
}

/// From due to the first job of a refresh.
#[inline]
fn lateness(now: Time, row: &Row, cell: u16, meters: &mut Meters) {
    let late = now.since(row.due);
    meters.record(now, Metric::Lateness, cell, Cause::Refresh, late);
    meters.record_cycle(now, Metric::Lateness, cell, row.cycle(), late);
}
