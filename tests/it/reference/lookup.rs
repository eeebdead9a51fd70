//! Jobs on their way: how they compute, where they stop for others, what they look up (rule 4).

use refresh_sim::dist::Dist;
use refresh_sim::id::{Identity, mix};
use refresh_sim::measure::{Metric, What};
use refresh_sim::policy::lookup::{Condition, Found, Lookup, OnFailure, Sharing, Waiting};
use refresh_sim::rng::Purpose;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Answer, Rejection, Transport, Verdict};

use super::agenda::{Class, Step};
use super::queue::{Doing, Job, Kind};
use super::world::World;

/// How far a job is.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    cpu: Span,
    /// How much of that it has had.
    pub(super) done: Span,
    pub(super) verdict: Option<Answer>,
    /// What the verdict wants to wait, and has not yet.
    wait: Span,
    /// Look-ups that are behind it.
    looked: Vec<usize>,
    /// What it has waited in look-ups.
    waited: Span,
    /// What it waits for now, if that is a look-up.
    awaits: Option<Awaits>,
}

#[derive(Clone, Debug)]
struct Awaits {
    lookup: usize,
    since: Time,
    found: Found,
    /// Whether it joined a fetch of another job.
    joined: bool,
}

/// A fetch of one incarnation.
pub(super) struct Fetch {
    lookup: usize,
    key: (usize, usize),
    /// `None`: never.
    ends: Option<Time>,
    found: Found,
}

/// A job that waits without a worker.
pub(super) struct Away {
    wait: u64,
    front_end: usize,
    since: Time,
    job: Job,
}

/// Where a job goes on to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    LookUp(usize),
    Wait,
    End,
}

impl Progress {
    pub(super) fn new(cpu: Span) -> Progress {
        Progress {
            cpu: Span(cpu.0.max(1)),
            done: Span::ZERO,
            verdict: None,
            wait: Span::ZERO,
            looked: Vec::new(),
            waited: Span::ZERO,
            awaits: None,
        }
    }

    pub(super) fn of_validation(cpu: Span, verdict: &Verdict) -> Progress {
        Progress { verdict: Some(verdict.answer), wait: verdict.wait, ..Progress::new(cpu) }
    }
}

impl World<'_> {
    /// A worker has a core, and computes up to where its job goes next.
    pub(super) fn compute(&mut self, front_end: usize, worker: usize) {
        let (_, point) = self.next_of(front_end, worker);
        let of = &mut self.front_ends[front_end];
        let (entity, hold) = ((of.first_worker + worker) as u32, of.workers[worker].hold);
        let at = self.now + Span(point.0 - of.workers[worker].progress().done.0);
        self.agenda.add(at, Class::Completion, entity, Step::Computed { front_end, worker, hold });
    }

    /// Where the job of a worker goes next, and at how much of its CPU: the first look-up that is not behind it, by their
    /// points and then the scenario's order; the verdict's wait; the end.
    fn next_of(&mut self, front_end: usize, worker: usize) -> (Next, Span) {
        let job = self.front_ends[front_end].workers[worker].job.as_ref().expect("it holds one");
        let of = job.progress.as_ref().expect("it has started");
        let last = Span(of.cpu.0 - 1);
        let mut stops: Vec<(Span, usize)> = Vec::new();
        if of.verdict == Some(Answer::Accept) {
            for (nth, lookup) in self.plan.lookups.each.iter().enumerate() {
                if !of.looked.contains(&nth) && self.concerns(lookup, job) {
                    stops.push((lookup.cpu_before.of(of.cpu).min(last), nth));
                }
            }
        }
        stops.sort_unstable();
        if let Some((point, nth)) = stops.first() {
            return (Next::LookUp(*nth), *point);
        }
        if of.wait.0 > 0 {
            let point = if self.plan.lookups.of_verdict == Waiting::Freeing { last } else { of.cpu };
            return (Next::Wait, point.max(of.done));
        }
        (Next::End, of.cpu)
    }

    fn concerns(&self, lookup: &Lookup, job: &Job) -> bool {
        let peer = self.connections[job.connection].peer;
        let of_transport = match self.group(peer).transport {
            Transport::Tcp => lookup.tcp,
            Transport::Tls => lookup.tls,
        };
        let of_phase = if job.in_place { lookup.refresh } else { lookup.accept };
        of_transport && of_phase && job.kind == Kind::Validate
    }

    pub(super) fn computed(&mut self, front_end: usize, worker: usize, hold: u64) {
        let now = self.now;
        let of = &mut self.front_ends[front_end].workers[worker];
        if of.hold != hold || of.job.is_none() {
            return;
        }
        let computed = now.since(of.since);
        of.since = now;
        of.progress().done += computed;
        self.go_on(front_end, worker);
    }

    /// The job of a worker that has a core is where it is: what it does there, and beyond.
    fn go_on(&mut self, front_end: usize, worker: usize) {
        loop {
            let (next, point) = self.next_of(front_end, worker);
            let now = self.now;
            let of = self.front_ends[front_end].workers[worker].progress();
            if point > of.done {
                return self.compute(front_end, worker);
            }
            match next {
                Next::LookUp(nth) => {
                    of.looked.push(nth);
                    let mode = self.plan.lookups.each[nth].mode;
                    if let Some(until) = self.look_up(front_end, worker, nth) {
                        return self.wait_for_others(front_end, worker, mode, until);
                    }
                }
                Next::Wait => {
                    let until = now + std::mem::take(&mut of.wait);
                    return self.wait_for_others(front_end, worker, self.plan.lookups.of_verdict, until);
                }
                Next::End => return self.job_ends(front_end, worker),
            }
        }
    }

    /// A job asks; until when it waits, if it has to (`NEVER`: for good).
    fn look_up(&mut self, front_end: usize, worker: usize, nth: usize) -> Option<Time> {
        let (now, lookup) = (self.now, &self.plan.lookups.each[nth]);
        let job = self.front_ends[front_end].workers[worker].job.clone().expect("it holds one");
        let waited = job.progress.as_ref().expect("it has started").waited;
        let peer = self.connections[job.connection].peer;
        let key = match lookup.key {
            Sharing::FrontEnd => (0, 0),
            Sharing::Group => (self.peers[peer].group, 0),
            Sharing::Peer => (self.peers[peer].group, peer),
        };
        let left = self.plan.lookups.total.map(|total| Span(total.0.saturating_sub(waited.0)));
        let of_key = |fetch: &&Fetch| fetch.lookup == nth && fetch.key == key;
        let fetches = &self.front_ends[front_end].fetches;
        let kept = kept(lookup, now, fetches.iter().filter(of_key));
        let under_way = fetches.iter().filter(of_key).filter(|fetch| fetch.ends.is_none_or(|ends| ends > now));
        let first = under_way.min_by_key(|fetch| fetch.ends.unwrap_or(Time::NEVER));
        let joins = first.filter(|_| lookup.single_flight).map(|fetch| (fetch.ends, fetch.found));
        let looked = &mut self.front_ends[front_end].looked[nth];
        let (how, count) = match (kept, joins) {
            (Some(_), _) => (1, &mut looked.cached),
            _ if left == Some(Span::ZERO) => (3, &mut looked.skipped),
            (None, Some(_)) => (2, &mut looked.joined),
            (None, None) => (0, &mut looked.made),
        };
        *count += 1;
        self.of_peer_at(peer, What::LookUp, how + 4 * nth as u8, front_end as u16);
        if let Some(found) = kept.or((how == 3).then_some(Found::TimedOut)) {
            self.found(front_end, worker, nth, found);
            return None;
        }
        let (ends, found) = match joins {
            Some(fetch) => fetch,
            None => {
                let (takes, found) = self.fetch(&job, lookup, left);
                let ends = takes.map(|takes| now + takes);
                self.front_ends[front_end].fetches.push(Fetch { lookup: nth, key, ends, found });
                (ends, found)
            }
        };
        let limit = left.map_or(Time::NEVER, |left| now + left);
        let (until, found) = match ends {
            Some(ends) if ends <= limit => (ends, found),
            _ => (limit, Found::TimedOut),
        };
        self.front_ends[front_end].workers[worker].progress().awaits =
            Some(Awaits { lookup: nth, since: now, found, joined: joins.is_some() });
        Some(until)
    }

    /// What a fetch that begins now takes and comes to.
    fn fetch(&self, job: &Job, lookup: &Lookup, left: Option<Span>) -> (Option<Span>, Found) {
        let peer = self.connections[job.connection].peer;
        let who = Identity(mix(self.peers[peer].identity.0 ^ Identity::of(&lookup.name).0));
        let when = self.peers[peer].when;
        let draw = |purpose| self.draws.draw(who, purpose, when, u16::from(job.in_place));
        let sample = |dist: &Dist| dist.sample(draw(Purpose::LookupLatency));
        let changed = lookup.changes.iter().rfind(|(at, _)| *at <= self.now);
        let (takes, fails) = match changed.map_or(&Condition::Well, |(_, condition)| condition) {
            Condition::Well => (Some(sample(&lookup.latency)), false),
            Condition::Slower(factor) => (Some(factor.of(sample(&lookup.latency))), false),
            Condition::Slow(latency) => (Some(sample(latency)), false),
            Condition::Failing(noticed) => (noticed.as_ref().map(sample), true),
        };
        let longest = [lookup.timeout, left].into_iter().flatten().min();
        if longest.is_some_and(|longest| takes.is_none_or(|takes| takes > longest)) {
            return (longest, Found::TimedOut);
        }
        let found = if fails || lookup.failure.has(draw(Purpose::LookupFailure)) {
            Found::Failed
        } else if lookup.negative.has(draw(Purpose::LookupNegative)) {
            Found::Negative
        } else {
            Found::Positive
        };
        (takes, found)
    }

    /// What was found may turn the verdict.
    fn found(&mut self, front_end: usize, worker: usize, nth: usize, found: Found) {
        let lookup = &self.plan.lookups.each[nth];
        self.front_ends[front_end].workers[worker].progress().turn(lookup, found);
    }

    /// A job waits, with its worker or without.
    fn wait_for_others(&mut self, front_end: usize, worker: usize, mode: Waiting, until: Time) {
        let now = self.now;
        match mode {
            Waiting::Blocking => {
                let of = &mut self.front_ends[front_end];
                let (entity, hold) = ((of.first_worker + worker) as u32, of.workers[worker].hold);
                (of.workers[worker].doing, of.workers[worker].since) = (Doing::Blocked, now);
                self.agenda.add(until, Class::Completion, entity, Step::WaitOver { front_end, worker, hold });
                self.core_is_free(front_end);
            }
            Waiting::Freeing => {
                let job = self.worker_is_freed(front_end, worker);
                let number = self.away.iter().position(Option::is_none).unwrap_or(self.away.len());
                if number == self.away.len() {
                    self.away.push(None);
                }
                let wait = self.fresh();
                self.away[number] = Some(Away { wait, front_end, since: now, job });
                let entity = self.first_wait_entity() + number;
                self.agenda.add(until, Class::Completion, entity as u32, Step::AwayOver { wait });
                self.core_is_free(front_end);
                self.take_jobs(front_end);
            }
        }
    }

    /// A blocked worker's wait is over.
    pub(super) fn wait_over(&mut self, front_end: usize, worker: usize, hold: u64) {
        let now = self.now;
        let of = &mut self.front_ends[front_end];
        if of.workers[worker].hold != hold || of.workers[worker].job.is_none() {
            return;
        }
        of.account.blocked += u128::from(now.since(of.workers[worker].since).0);
        of.workers[worker].since = now;
        let mut job = of.workers[worker].job.take().expect("it holds one");
        self.answered(front_end, &mut job);
        let of_job = job.progress.as_ref().expect("it has started");
        let is_done = of_job.done == of_job.cpu;
        self.front_ends[front_end].workers[worker].job = Some(job);
        if is_done {
            self.job_ends(front_end, worker);
        } else {
            self.want_core(front_end, worker);
        }
    }

    /// The wait of a job without a worker is over: it joins the tail of the queue.
    pub(super) fn away_over(&mut self, wait: u64) {
        let is_it = |away: &Option<Away>| away.as_ref().is_some_and(|away| away.wait == wait);
        let Some(number) = self.away.iter().position(is_it) else { return };
        let Away { front_end, since, mut job, .. } = self.away[number].take().expect("it waits");
        self.front_ends[front_end].account.away += u128::from(self.now.since(since).0);
        self.answered(front_end, &mut job);
        let peer = self.connections[job.connection].peer;
        self.of_peer_at(peer, What::Rejoined, 0, front_end as u16);
        job.queued = self.now;
        self.join_queue(front_end, job);
        self.take_jobs(front_end);
    }

    /// A wait is over: if it was for a look-up, there is an answer, or it is known that there will be none.
    fn answered(&mut self, front_end: usize, job: &mut Job) {
        let (peer, cause) = (self.connections[job.connection].peer, job.cause);
        let progress = job.progress.as_mut().expect("it has started");
        let Some(Awaits { lookup, since, found, joined }) = progress.awaits.take() else { return };
        let waited = self.now.since(since);
        progress.waited += waited;
        progress.turn(&self.plan.lookups.each[lookup], found);
        self.books.sample(self.now, Metric::Lookup, self.peers[peer].group, cause, waited);
        self.of_peer_at(peer, What::LookedUp, found as u8 + 4 * lookup as u8, front_end as u16);
        let looked = &mut self.front_ends[front_end].looked[lookup];
        if !joined {
            *(match found {
                Found::Positive => &mut looked.positive,
                Found::Negative => &mut looked.negative,
                Found::Failed => &mut looked.failed,
                Found::TimedOut => &mut looked.timed_out,
            }) += 1;
        }
    }

    /// A crash takes the jobs that wait without a worker, in the order of their numbers.
    pub(super) fn lose_away(&mut self, front_end: usize) -> Vec<Job> {
        let mut lost = Vec::new();
        for number in 0..self.away.len() {
            if self.away[number].as_ref().is_some_and(|away| away.front_end == front_end) {
                let away = self.away[number].take().expect("it waits");
                self.front_ends[front_end].account.away += u128::from(self.now.since(away.since).0);
                lost.push(away.job);
            }
        }
        lost
    }

    /// The end of the run finds jobs that wait without a worker.
    pub(super) fn still_away(&mut self, front_end: usize) {
        for away in self.away.iter().flatten().filter(|away| away.front_end == front_end) {
            let account = &mut self.front_ends[front_end].account;
            account.present += 1;
            account.away += u128::from(self.now.since(away.since).0);
            account.cut_off += u128::from(away.job.computed().0);
        }
    }
}

impl Progress {
    fn turn(&mut self, lookup: &Lookup, found: Found) {
        let rejection = match (found, lookup.on_failure) {
            (Found::Positive, _) | (Found::Failed | Found::TimedOut, OnFailure::SoftFail) => return,
            (Found::Negative, _) => Rejection::LookupNegative,
            (Found::Failed | Found::TimedOut, OnFailure::HardFail) => Rejection::LookupFailed,
        };
        self.verdict = Some(Answer::Reject(rejection));
    }
}

/// What is kept at `now` of what all these fetches of one key found: that of the last that is kept at all, for its time.
fn kept<'f>(lookup: &Lookup, now: Time, fetches: impl Iterator<Item = &'f Fetch>) -> Option<Found> {
    let life = |found| match (found, lookup.on_failure) {
        (Found::Positive, _) => lookup.lives.positive,
        (Found::Negative, _) => lookup.lives.negative,
        (Found::Failed | Found::TimedOut, OnFailure::SoftFail) => lookup.lives.soft_fail,
        (Found::Failed | Found::TimedOut, OnFailure::HardFail) => Span::ZERO,
    };
    let ended = fetches.filter_map(|fetch| Some((fetch.ends.filter(|ends| *ends <= now)?, fetch.found)));
    // Of those that end at one instant, the one that began last.
    let last = ended.filter(|(_, found)| life(*found).0 > 0).max_by_key(|(ends, _)| *ends);
    last.filter(|(ends, found)| now < *ends + life(*found)).map(|(_, found)| found)
}
