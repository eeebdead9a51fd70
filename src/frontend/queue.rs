//! The one FIFO queue of a front end (model rule 3), and what a bounded one does with too much.

use std::collections::VecDeque;

use super::stop::Suspended;
use crate::measure::Cause;
use crate::time::{Span, Time};

/// What a job is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum JobKind {
    /// Taking a new connection.
    Accept,
    /// A server flight of the handshake.
    Flight,
    /// Validating a new connection.
    ValidateAccept,
    /// Validating a connection again.
    ValidateRefresh,
    /// A request on a valid connection.
    Request,
}

/// One piece of work: 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    /// When it came.
    pub arrived: Time,
    /// CPU time that it takes; at least 1 ns.
    pub demand: Span,
    /// Whose it is: a row, or the number of a request, which knows its row.
    pub row: u32,
    /// The generation of the row when it came, or when the request was sent: if the row has moved on, the work is wasted.
    pub generation: u16,
    /// What for.
    pub kind: JobKind,
    /// Why the connection is made, or refreshed.
    pub cause: Cause,
}

/// What waits in line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Queued {
    /// One job.
    One(Job),
    /// The run of a tick: as many jobs as it has left, pulled one by one.
    Run,
    /// The next of the jobs that rejoined: they lie apart, in the same order.
    Rejoined,
}

const _: () = assert!(size_of::<Queued>() == 24, "a waiting job is 24 bytes: docs/performance.md counts on it");

/// What happens to a job that finds the queue full (model rule 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenFull {
    /// It waits outside, in order of arrival; accepts wait behind everything else.
    BackPressure,
    /// Its connection is reset.
    Close,
    /// The oldest job's connection is reset, and it takes the place.
    DropOldest,
}

/// What is next in line. Says only of what sort it is: a job inside would be copied piece by piece, once more for each
/// hand that it passes through (docs/performance.md).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Head {
    /// A job.
    Job,
    /// The next one of the oldest tick's run.
    Run,
    /// A job that rejoined.
    Rejoined,
}

/// A job that has to go because the queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// One that no worker had taken.
    New(Job),
    /// One that rejoined.
    Rejoined(Suspended),
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Queue {
    line: VecDeque<Queued>,
    /// Accepts that wait until nothing else does and there is room (back-pressure only).
    accepts: VecDeque<Job>,
    /// Jobs in line that rejoined, in order.
    rejoined: VecDeque<Suspended>,
    /// Jobs in line, those of runs included.
    jobs: u64,
    limit: Option<u64>,
    when_full: WhenFull,
}

impl Queue {
    /// Empty, with at most `limit` jobs in line.
    pub fn new(limit: Option<u32>, when_full: WhenFull) -> Queue {
        Queue {
            line: VecDeque::new(),
            accepts: VecDeque::new(),
            rejoined: VecDeque::new(),
            jobs: 0,
            limit: limit.map(u64::from),
            when_full,
        }
    }

    /// Whether runs of ticks must come as single jobs, because a job may be refused a place.
    pub fn refuses(&self) -> bool {
        self.limit.is_some() && self.when_full != WhenFull::BackPressure
    }

    /// Puts a job in line, or gives back the one that has to go.
    ///
    /// With back-pressure what waits outside stands in the same line behind the limit: being served in order of
    /// arrival, it enters exactly as room appears. Accepts alone wait apart.
    #[inline]
    pub(super) fn push(&mut self, job: Job) -> Option<Refused> {
        match self.limit {
            None => self.push_back(job),
            Some(limit) => return self.push_bounded(job, limit),
        }
        None
    }

    #[inline]
    fn push_back(&mut self, job: Job) {
        self.line.push_back(Queued::One(job));
        self.jobs += 1;
    }

    fn push_bounded(&mut self, job: Job, limit: u64) -> Option<Refused> {
        let full = self.jobs >= limit;
        match self.when_full {
            WhenFull::BackPressure if job.kind == JobKind::Accept && (full || !self.accepts.is_empty()) => {
                self.accepts.push_back(job);
                None
            }
            WhenFull::Close if full => Some(Refused::New(job)),
            WhenFull::DropOldest if full => {
                let oldest = self.pop_oldest();
                self.line.push_back(Queued::One(job));
                oldest
            }
            WhenFull::BackPressure | WhenFull::Close | WhenFull::DropOldest => {
                self.push_back(job);
                None
            }
        }
    }

    fn pop_oldest(&mut self) -> Option<Refused> {
        // A queue that refuses jobs has no runs.
        match self.line.pop_front()? {
            Queued::One(job) => Some(Refused::New(job)),
            Queued::Rejoined => self.rejoined.pop_front().map(Refused::Rejoined),
            Queued::Run => None,
        }
    }

    /// Puts a job in line that has left it before, or gives back the one that has to go.
    pub(super) fn rejoin(&mut self, job: Suspended) -> Option<Refused> {
        let full = self.limit.is_some_and(|limit| self.jobs >= limit);
        let refused = match self.when_full {
            WhenFull::Close if full => return Some(Refused::Rejoined(job)),
            WhenFull::DropOldest if full => {
                self.jobs -= 1;
                self.pop_oldest()
            }
            WhenFull::BackPressure | WhenFull::Close | WhenFull::DropOldest => None,
        };
        self.line.push_back(Queued::Rejoined);
        self.rejoined.push_back(job);
        self.jobs += 1;
        refused
    }

    /// The job that is next of those that rejoined.
    pub(super) fn next_rejoined(&self) -> Option<&Suspended> {
        self.rejoined.front()
    }

    /// Takes the job out that rejoined and is at the head of the line.
    pub(super) fn pop_rejoined(&mut self) -> Option<Suspended> {
        let job = self.rejoined.pop_front()?;
        self.line.pop_front();
        self.jobs -= 1;
        self.refill();
        Some(job)
    }

    /// The jobs in line that rejoined, in order.
    pub(super) fn rejoined(&self) -> impl Iterator<Item = &Suspended> {
        self.rejoined.iter()
    }

    /// Takes those out that rejoined, once the line is empty.
    pub(super) fn drain_rejoined(&mut self) -> Vec<Suspended> {
        self.rejoined.drain(..).collect()
    }

    /// Puts the run of a tick with so many jobs in line.
    pub fn push_run(&mut self, jobs: u64) {
        self.line.push_back(Queued::Run);
        self.jobs += jobs;
    }

    /// A run has one job less.
    #[inline]
    pub fn shorten_run(&mut self) {
        self.jobs -= 1;
        self.refill();
    }

    /// What is next; it stays in line.
    #[inline]
    pub fn head(&self) -> Option<Head> {
        self.line.front().map(|queued| match queued {
            Queued::One(_) => Head::Job,
            Queued::Run => Head::Run,
            Queued::Rejoined => Head::Rejoined,
        })
    }

    /// Takes the job out that is next, if it is a [`Head::Job`].
    #[inline]
    pub fn pop_job(&mut self) -> Option<Job> {
        let Some(Queued::One(job)) = self.line.front() else { return None };
        let job = *job;
        self.line.pop_front();
        self.jobs -= 1;
        self.refill();
        Some(job)
    }

    /// The run at the head is used up.
    pub fn end_run(&mut self) {
        self.line.pop_front();
    }

    /// The row of the job `ahead` places behind the next one, unless it is a request's: what will be wanted soon.
    #[inline]
    pub fn upcoming(&self, ahead: usize) -> Option<u32> {
        match self.line.get(ahead)? {
            Queued::One(job) => (job.kind != JobKind::Request).then_some(job.row),
            Queued::Run | Queued::Rejoined => None,
        }
    }

    /// The jobs that wait, in order but for accepts, which come last (runs have none of their own).
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        let line = self.line.iter().filter_map(|queued| match queued {
            Queued::One(job) => Some(job),
            Queued::Run | Queued::Rejoined => None,
        });
        line.chain(&self.accepts)
    }

    #[inline]
    fn refill(&mut self) {
        if let Some(limit) = self.limit
            && self.jobs < limit
            && let Some(job) = self.accepts.pop_front()
        {
            self.push_back(job);
        }
    }

    /// Takes everything out: the jobs that no worker had taken, in order (runs have none of their own).
    pub fn drain(&mut self) -> impl Iterator<Item = Job> + '_ {
        self.jobs = 0;
        self.line
            .drain(..)
            .filter_map(|queued| match queued {
                Queued::One(job) => Some(job),
                Queued::Run | Queued::Rejoined => None,
            })
            .chain(self.accepts.drain(..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(row: u32, kind: JobKind) -> Job {
        Job { arrived: Time(1), demand: Span(1), row, generation: 0, kind, cause: Cause::Initial }
    }

    fn rows(queue: &mut Queue) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop_job()).map(|job| job.row).collect()
    }

    #[test]
    fn rule_03_back_pressure_keeps_order_and_lets_accepts_in_last() {
        let mut queue = Queue::new(Some(2), WhenFull::BackPressure);
        for (row, kind) in [
            (1, JobKind::Flight),
            (2, JobKind::Flight),
            (3, JobKind::Accept),
            (4, JobKind::Flight),
            (5, JobKind::Accept),
        ] {
            assert_eq!(queue.push(job(row, kind)), None);
        }
        assert_eq!(rows(&mut queue), [1, 2, 4, 3, 5]);
    }

    #[test]
    fn rule_03_close_refuses_the_newest_and_drop_oldest_the_oldest() {
        let mut close = Queue::new(Some(1), WhenFull::Close);
        assert_eq!(close.push(job(1, JobKind::Flight)), None);
        assert_eq!(close.push(job(2, JobKind::Flight)), Some(Refused::New(job(2, JobKind::Flight))));
        assert_eq!(rows(&mut close), [1]);
        let mut oldest = Queue::new(Some(1), WhenFull::DropOldest);
        assert_eq!(oldest.push(job(1, JobKind::Flight)), None);
        assert_eq!(oldest.push(job(2, JobKind::Flight)), Some(Refused::New(job(1, JobKind::Flight))));
        assert_eq!(rows(&mut oldest), [2]);
    }
}
