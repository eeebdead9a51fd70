//! Ticks: which connections they take and how their jobs are pulled one by one (model rules 16 to 18).

use super::queue::{Job, JobKind};
use super::row::{Obligation, Row, Step};
use super::{FrontEnd, Group, Sweep};
use crate::time::Time;

/// The jobs of one tick that wait in line, without an entry each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TickRun {
    /// The tick.
    pub asked: Time,
    /// How many are left.
    pub left: u64,
    next: u32,
    /// The rows in their order; `None`: all that are eligible, as they stand in the scenario.
    list: Option<Vec<u32>>,
}

/// What a tick takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// Every eligible connection, in the order of the scenario.
    All(u64),
    /// These, in this order.
    List(Vec<u32>),
}

/// The next of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pull {
    /// Maybe this row: see whether it is eligible.
    Try(u32),
    /// It is used up.
    End,
}

impl FrontEnd {
    /// Whether a tick at `tick` took the connection in `row` into a run that has not reached it: valid since before, and
    /// nothing owed yet.
    #[inline]
    pub fn is_eligible(row: &Row, place: u16, tick: Time, group: &Group) -> bool {
        group.refreshed
            && row.step() == Step::Valid
            && row.place() == place
            && row.since <= tick
            && row.obligation() == Obligation::None
    }

    /// Whether the jobs of a tick may wait as one run over the scenario's order: nothing of an earlier tick is open and
    /// the queue refuses nobody.
    pub fn takes_whole_runs(&self) -> bool {
        self.owing == 0 && self.runs.is_empty() && !self.queue.refuses()
    }

    /// Whether the queue may refuse a job a place: then runs come as single jobs.
    pub fn refuses(&self) -> bool {
        self.queue.refuses()
    }

    /// Puts the jobs of a tick in line.
    pub fn push_run(&mut self, now: Time, taken: Taken) {
        let (left, list) = match taken {
            Taken::All(n) => (n, None),
            Taken::List(rows) => (rows.len() as u64, Some(rows)),
        };
        if left == 0 {
            return;
        }
        self.account.arrive(now, left);
        self.runs.push_back(TickRun { asked: now, left, next: 0, list });
        self.queue.push_run(left);
    }

    /// Starts following the connections of a tick.
    pub fn begin_sweep(&mut self, tick: Time, open: u64) {
        if open > 0 {
            self.sweeps.push(Sweep { tick, open, last: tick });
        }
    }

    /// A connection whose refresh was due at `due` is through at `now` (`valid`), or out of its sweep. Gives a sweep that
    /// has ended so, if any of it was valid again.
    #[inline]
    pub fn leave_sweep(&mut self, now: Time, due: Time, valid: bool) -> Option<Sweep> {
        // A spread is shorter than the time between two ticks: the last tick before a due is its own.
        let at = self.sweeps.partition_point(|sweep| sweep.tick <= due).checked_sub(1)?;
        let sweep = &mut self.sweeps[at];
        sweep.open -= 1;
        if valid {
            sweep.last = now;
        }
        if sweep.open > 0 {
            return None;
        }
        let sweep = self.sweeps.remove(at);
        (sweep.last > sweep.tick).then_some(sweep)
    }

    /// When the run at the head of the queue was asked for.
    pub fn run_asked(&self) -> Option<Time> {
        self.runs.front().map(|run| run.asked)
    }

    /// The next candidate of the run at the head of the queue; it counts only once [`FrontEnd::pulled`] says so.
    #[inline]
    pub fn pull(&mut self) -> Pull {
        let Some(run) = self.runs.front_mut() else { return Pull::End };
        let next = match &run.list {
            _ if run.left == 0 => None,
            Some(rows) => rows.get(run.next as usize).copied(),
            None => self.members.next(run.next),
        };
        let Some(row) = next else {
            debug_assert!(run.left == 0, "a run is short of {} connections", run.left);
            self.runs.pop_front();
            self.queue.end_run();
            return Pull::End;
        };
        run.next = if run.list.is_some() { run.next + 1 } else { row + 1 };
        Pull::Try(row)
    }

    /// The candidate was eligible: the run has one less.
    #[inline]
    pub fn pulled(&mut self) {
        if let Some(run) = self.runs.front_mut() {
            run.left -= 1;
            self.queue.shorten_run();
        }
    }

    /// The job of a pulled connection: it has waited since the tick.
    #[inline]
    pub fn run_job(job: Job, asked: Time) -> Job {
        Job { arrived: asked, kind: JobKind::ValidateRefresh, ..job }
    }

    /// Takes a connection that is being lost out of the run that has not reached it; says which tick that was.
    pub fn leave_run(&mut self, now: Time, at_row: u32, row: &Row, group: &Group) -> Option<Time> {
        let listed = row.obligation() == Obligation::InRun;
        let place = self.setup.place;
        let run = self.runs.iter_mut().find(|run| {
            run.left > 0
                && if run.list.is_some() {
                    listed && row.due == run.asked
                } else {
                    at_row >= run.next && Self::is_eligible(row, place, run.asked, group)
                }
        })?;
        run.left -= 1;
        let asked = run.asked;
        self.queue.shorten_run();
        self.account.drop_waiting(now, asked);
        Some(asked)
    }

    /// Whether the run over the scenario's order has still to reach this row.
    pub fn covers(&self, at_row: u32, row: &Row, group: &Group) -> bool {
        let place = self.setup.place;
        self.runs.iter().any(|run| {
            run.left > 0 && run.list.is_none() && at_row >= run.next && Self::is_eligible(row, place, run.asked, group)
        })
    }
}
