//! Jobs that stop on their way to wait for others: look-ups, and waits that a verdict asks for (model rule 4).
//!
//! A job computes from stop to stop. While it waits, its worker is blocked or freed; a job without a worker is handed to
//! the driver, which gives it back when the wait is over. Jobs that never stop do not come here.

use super::lookup::{Met, key_of};
use super::queue::{Job, JobKind};
use super::row::Row;
use super::work::Ended;
use super::{Doing, FrontEnd, Group, Port, Wake, Worker};
use crate::id::{Identity, mix};
use crate::measure::{Decision, Metric, What};
use crate::policy::lookup::{Found, Lookup, OnFailure, Waiting};
use crate::rng::Purpose;
use crate::time::{Span, Time};
use crate::validate::{Answer, Rejection, Transport};

/// How far a job that stops is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Stops {
    /// Its question has been put, and it may stop before it ends.
    pub(super) begun: bool,
    /// CPU time that it has used.
    pub(super) done: Span,
    /// How much of that was booked when it left a worker.
    pub(super) set_aside: Span,
    /// Time that it has spent on look-ups.
    waited: Span,
    /// The look-ups that are behind it, by their positions.
    looked: u16,
    /// The look-up that it waits for.
    waits_for: Option<Awaited>,
}

impl Stops {
    /// CPU time that no account knows of yet.
    pub(super) fn unbooked(&self) -> Span {
        Span(self.done.0 - self.set_aside.0)
    }
}

/// A look-up that a job waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Awaited {
    nth: u8,
    since: Time,
    found: Found,
    /// Whether it is this job that fetches.
    fetches: bool,
}

/// Where a job stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    LookUp(u8),
    Verdict,
}

/// A job that waits for others without a worker, or for a worker after that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Suspended {
    work: Worker,
    /// Since when it waits for what it waits for now.
    since: Time,
}

impl Suspended {
    /// Whose it is.
    pub fn row(&self) -> u32 {
        self.work.job.row
    }
}

impl FrontEnd {
    /// Whether jobs of validations may stop for look-ups.
    #[inline]
    pub(super) fn looks_up(&self) -> bool {
        !self.setup.lookups.each.is_empty()
    }

    /// Worker `number` has a core and computes up to the next stop, or to the end.
    pub(super) fn compute_on<P: Port>(&mut self, now: Time, number: u32, group: &Group, port: &mut P) {
        let point = self.next_stop(number, group).map_or(self.workers[number as usize].cpu, |(_, point)| point);
        let worker = &mut self.workers[number as usize];
        worker.stops.begun = true;
        worker.until = now + Span(point.0 - worker.stops.done.0);
        port.wake(worker.until, self.setup.first_worker + number, Wake::Computed);
    }

    /// Where the job of worker `number` stops next, and at how much of its CPU time.
    ///
    /// A look-up comes at its share, and leaves at least 1 ns for after it; of those at one point the scenario's first
    /// comes first. A verdict's wait comes at the end, or 1 ns before if its worker is freed.
    fn next_stop(&self, number: u32, group: &Group) -> Option<(Stop, Span)> {
        let worker = &self.workers[number as usize];
        let last = Span(worker.cpu.0 - 1);
        let lookups = &self.setup.lookups;
        if worker.answer == Answer::Accept {
            let open = lookups.each.iter().zip(0..).filter(|(of, nth)| {
                worker.stops.looked & 1 << nth == 0 && concerns(of, worker.job.kind, group.transport)
            });
            let points = open.map(|(of, nth)| (of.cpu_before.of(worker.cpu).min(last), nth));
            if let Some((point, nth)) = points.min() {
                return Some((Stop::LookUp(nth), point.max(worker.stops.done)));
            }
        }
        let point = match lookups.of_verdict {
            Waiting::Blocking => worker.cpu,
            Waiting::Freeing => last,
        };
        (worker.wait > Span::ZERO).then_some((Stop::Verdict, point))
    }

    /// Worker `number` has computed up to its stop, or to the end; its core is free.
    pub(super) fn at_stop<P: Port>(
        &mut self,
        now: Time,
        number: u32,
        row: &Row,
        group: &Group,
        port: &mut P,
    ) -> Option<Ended> {
        let worker = &mut self.workers[number as usize];
        worker.stops.done += now.since(worker.since);
        worker.since = now;
        loop {
            let done = self.workers[number as usize].stops.done;
            match self.next_stop(number, group) {
                Some((Stop::LookUp(nth), point)) if point == done => {
                    if let Some(until) = self.look_up(now, number, nth, row, group, port) {
                        self.wait(now, number, self.setup.lookups.each[usize::from(nth)].mode, until, port);
                        return None;
                    }
                }
                Some((Stop::Verdict, point)) if point == done => {
                    let wait = std::mem::take(&mut self.workers[number as usize].wait);
                    self.wait(now, number, self.setup.lookups.of_verdict, now + wait, port);
                    return None;
                }
                None if done == self.workers[number as usize].cpu => {
                    return Some(self.end_after_stops(now, number, row, group, port));
                }
                _ => {
                    // It has not given its core to anybody.
                    self.cores_free -= 1;
                    self.compute_on(now, number, group, port);
                    return None;
                }
            }
        }
    }

    fn end_after_stops<P: Port>(&mut self, now: Time, number: u32, row: &Row, group: &Group, port: &mut P) -> Ended {
        let stops = std::mem::take(&mut self.workers[number as usize].stops);
        self.account.take_back(stops.set_aside);
        self.end(now, number, row, group, port)
    }

    /// The job of worker `number` comes to a look-up. Until when it waits; `None`: it has what it needs.
    fn look_up<P: Port>(
        &mut self,
        now: Time,
        number: u32,
        nth: u8,
        row: &Row,
        group: &Group,
        port: &mut P,
    ) -> Option<Time> {
        let FrontEnd { setup, workers, answers, .. } = self;
        let (lookup, worker) = (&setup.lookups.each[usize::from(nth)], &mut workers[number as usize]);
        let (key, who) = (key_of(lookup, group, worker.job.row), worker.job.row);
        worker.stops.looked |= 1 << nth;
        let left = setup.lookups.total.map(|total| Span(total.0.saturating_sub(worker.stops.waited.0)));
        let met = answers.ask(now, nth, lookup, key);
        let counts = &mut answers.counts[usize::from(nth)];
        let place = setup.place;
        let mut decide = |how: u8| {
            port.decide(Decision { at: now, who, what: What::LookUp, detail: how + 4 * nth, extra: place }, Some(row));
        };
        let (fetch, fetches) = match met {
            Met::Kept(found) => {
                counts.cached += 1;
                decide(1);
                worker.answer = judged(lookup, found);
                return None;
            }
            _ if left == Some(Span::ZERO) => {
                counts.skipped += 1;
                decide(3);
                worker.answer = judged(lookup, Found::TimedOut);
                return None;
            }
            Met::Joined(fetch) => {
                counts.joined += 1;
                decide(2);
                (fetch, false)
            }
            Met::Nothing => {
                counts.made += 1;
                decide(0);
                let who = Identity(mix(group.identity_of(who).0 ^ Identity::of(&lookup.name).0));
                let phase = u16::from(worker.job.kind == JobKind::ValidateRefresh);
                let purposes = [Purpose::LookupLatency, Purpose::LookupFailure, Purpose::LookupNegative];
                let bits = purposes.map(|purpose| port.draws().draw(who, purpose, row.when(), phase));
                let fetch = lookup.fetch(now, left, bits).map(|(takes, found)| (now + takes, found));
                answers.fetch(nth, lookup, key, fetch);
                (fetch, true)
            }
        };
        let limit = left.map_or(Time::NEVER, |left| now + left);
        let (until, found) = match fetch {
            Some((ends, found)) if ends <= limit => (ends, found),
            _ => (limit, Found::TimedOut),
        };
        worker.stops.waits_for = Some(Awaited { nth, since: now, found, fetches });
        Some(until)
    }

    /// The job of worker `number` waits, with its worker or without.
    fn wait<P: Port>(&mut self, now: Time, number: u32, mode: Waiting, until: Time, port: &mut P) {
        let worker = &mut self.workers[number as usize];
        match mode {
            Waiting::Blocking => {
                worker.doing = Doing::Blocked;
                worker.since = now;
                worker.until = until;
                port.wake(until, self.setup.first_worker + number, Wake::Waited);
            }
            Waiting::Freeing => {
                self.account.leave(now, worker.stops.unbooked());
                worker.stops.set_aside = worker.stops.done;
                let suspended = Suspended { work: *worker, since: now };
                worker.doing = Doing::Nothing;
                worker.stops = Stops::default();
                self.idle.push(number);
                port.suspend(until, self.setup.place, suspended);
            }
        }
    }

    /// The wait of the blocked worker `number` is over: it goes on computing as soon as it has a core, or its job ends.
    pub fn waited<P: Port>(&mut self, now: Time, number: u32, row: &Row, group: &Group, port: &mut P) -> Option<Ended> {
        let mut worker = self.workers[number as usize];
        self.account.blocked += u128::from(now.since(worker.since).0);
        worker.since = now;
        self.wait_is_over(now, &mut worker, row, group, port);
        let is_done = worker.stops.done == worker.cpu;
        self.workers[number as usize] = worker;
        if is_done {
            return Some(self.end_after_stops(now, number, row, group, port));
        }
        self.seek_core(now, number, group, port);
        None
    }

    /// Worker `number` goes on with its job on a free core, or waits for one.
    fn seek_core<P: Port>(&mut self, now: Time, number: u32, group: &Group, port: &mut P) {
        let worker = &mut self.workers[number as usize];
        if self.cores_free == 0 {
            worker.doing = Doing::WaitingForCore;
            return self.for_core.push_back(number);
        }
        self.cores_free -= 1;
        worker.doing = Doing::Computing;
        self.compute_on(now, number, group, port);
    }

    /// What a job waited for is there.
    fn wait_is_over<P: Port>(&mut self, now: Time, work: &mut Worker, row: &Row, group: &Group, port: &mut P) {
        let Some(Awaited { nth, since, found, fetches }) = work.stops.waits_for.take() else { return };
        let waited = now.since(since);
        work.stops.waited += waited;
        let lookup = &self.setup.lookups.each[usize::from(nth)];
        work.answer = judged(lookup, found);
        port.measure_lookup(now, &lookup.name, group.cell, work.job.cause, waited);
        let (who, detail) = (work.job.row, found as u8 + 4 * nth);
        let extra = self.setup.place;
        port.decide(Decision { at: now, who, what: What::LookedUp, detail, extra }, Some(row));
        if fetches {
            let counts = &mut self.answers.counts[usize::from(nth)];
            *(match found {
                Found::Positive => &mut counts.positive,
                Found::Negative => &mut counts.negative,
                Found::Failed => &mut counts.failed,
                Found::TimedOut => &mut counts.timed_out,
            }) += 1;
        }
    }

    /// A job whose wait without a worker is over rejoins the tail of the queue. Gives back the job that finds no place
    /// there: its connection is to be reset.
    pub fn rejoin<P: Port>(
        &mut self,
        now: Time,
        mut job: Suspended,
        row: &Row,
        group: &Group,
        port: &mut P,
    ) -> Option<Job> {
        self.wait_is_over(now, &mut job.work, row, group, port);
        let (who, extra) = (job.row(), self.setup.place);
        port.decide(Decision { at: now, who, what: What::Rejoined, detail: 0, extra }, Some(row));
        self.account.rejoin(now, job.since);
        job.since = now;
        let refused = self.queue.rejoin(job)?;
        Some(self.turn_away(now, refused))
    }

    /// Whose the job is that rejoined and is next in line, if it is one.
    pub fn next_rejoined(&self) -> Option<u32> {
        self.queue.next_rejoined().map(Suspended::row)
    }

    /// An idle worker takes the job that rejoined and is next in line.
    pub fn resume<P: Port>(&mut self, now: Time, group: &Group, port: &mut P) {
        let Some(job) = self.queue.pop_rejoined() else { return };
        let Some(number) = self.idle.pop() else { return };
        self.account.take(now);
        port.measure(now, Metric::Queue, group.cell, job.work.job.cause, now.since(job.since));
        self.workers[number as usize] = Worker { since: now, ..job.work };
        self.seek_core(now, number, group, port);
    }

    /// Books a job that rejoined, is in the queue and vanishes in a crash.
    pub(super) fn lose_rejoined(&mut self, now: Time) {
        for job in self.queue.drain_rejoined() {
            self.account.lose_waiting(now, job.work.job.arrived);
            self.account.cut_set_aside(job.work.stops.set_aside);
        }
    }

    /// A job that finds no place in the queue after it had left it once: its CPU was for nobody.
    pub(super) fn book_turned_away(&mut self, job: &Suspended) -> Job {
        self.account.waste(job.work.stops.set_aside);
        job.work.job
    }

    /// A job that waits without a worker vanishes in a crash.
    pub fn lose_suspended(&mut self, now: Time, job: &Suspended) {
        self.account.lose_away(now, job.work.job.arrived, job.since, job.work.stops.set_aside);
    }

    /// A job waits without a worker when the run ends.
    pub fn still_suspended(&mut self, end: Time, job: &Suspended) {
        self.account.still_away(end, job.since);
    }
}

/// Whether a look-up is made by such a job of such a peer.
fn concerns(lookup: &Lookup, kind: JobKind, transport: Transport) -> bool {
    let by_transport = match transport {
        Transport::Tcp => lookup.tcp,
        Transport::Tls => lookup.tls,
    };
    by_transport
        && match kind {
            JobKind::ValidateAccept => lookup.accept,
            JobKind::ValidateRefresh => lookup.refresh,
            JobKind::Accept | JobKind::Flight | JobKind::Request => false,
        }
}

/// What a validation that had accepted makes of what was found.
fn judged(lookup: &Lookup, found: Found) -> Answer {
    match (found, lookup.on_failure) {
        (Found::Positive, _) | (Found::Failed | Found::TimedOut, OnFailure::SoftFail) => Answer::Accept,
        (Found::Negative, _) => Answer::Reject(Rejection::LookupNegative),
        (Found::Failed | Found::TimedOut, OnFailure::HardFail) => Answer::Reject(Rejection::LookupFailed),
    }
}
