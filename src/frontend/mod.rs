//! One front-end process as a state machine: its life, its queue and workers, its ticks.
//!
//! No clock, no I/O, no table of peers: the driver passes the time, the row that something happens to and its group,
//! and a [`Port`] through which the machine asks for whatever it needs of the world. What the peer does with the result
//! is the driver's.

mod abandoned;
mod group;
mod listen;
mod lookup;
mod members;
mod queue;
mod request;
mod row;
mod stop;
mod tick;
mod tls;
mod work;

use std::sync::Arc;

use crate::dist::Dist;
use crate::id::{Entity, Identity};
use crate::measure::{Account, Bundle, Cause, Decision, Looked, Metric};
use crate::policy::lookup::Lookups;
use crate::policy::{Action, Failures, Limits, Recovery};
use crate::rng::{Draws, Purpose, When};
use crate::time::{Span, Time};
use crate::validate::{Answer, Phase, Verdict};

pub use abandoned::Abandoned;
pub use group::{Group, offset};
pub use listen::{Arrival, FinalAck, Listen, Listener, Overflow, Unanswered, syn_ack_again};
pub use members::Members;
pub use queue::{Head, Job, JobKind, Queue, WhenFull};
pub use request::{OnTimeOut, Requests};
pub use row::{CYCLES_MAX, FLIGHTS_MAX, FRONT_ENDS_MAX, Obligation, Row, Step};
pub use stop::Suspended;
pub use tick::{Pull, Taken, TickRun};
pub use tls::{Handshake, Tls};
pub use work::{Ended, Started};

/// What a front end or a peer wants to be woken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// A message arrives, at the front end or at the peer.
    Message,
    /// A try has taken too long.
    AttemptTimer,
    /// A wait before the next try is over.
    BackOff,
    /// A refresh is due.
    Due,
    /// A worker has computed.
    Computed,
    /// A wait for others is over, of a worker or of a job without one.
    Waited,
    /// The next change in the life of a process.
    Life,
    /// A tick.
    Tick,
}

/// What a state machine may ask of the world.
pub trait Port {
    /// Wakes `who` at `at`.
    fn wake(&mut self, at: Time, who: Entity, what: Wake);
    /// The source of all draws.
    fn draws(&self) -> &Draws;
    /// Asks the validator of front end `place` about the peer in row `at_row` of `group`; [`Group::question`] puts it
    /// in words.
    fn judge(&mut self, now: Time, place: u16, phase: Phase, at_row: u32, row: &Row, group: &Group) -> Verdict;
    /// Records a latency.
    fn measure(&mut self, at: Time, metric: Metric, cell: u16, cause: Cause, value: Span);
    /// Records how long a look-up of this name took.
    fn measure_lookup(&mut self, at: Time, lookup: &str, cell: u16, cause: Cause, value: Span);
    /// Records a latency that counts for each of a bundle.
    fn measure_bundle(&mut self, at: Time, bundle: Bundle, cell: u16, cause: Cause, value: Span);
    /// Keeps a job of front end `place` that waits without a worker, and gives it back at `until`.
    fn suspend(&mut self, until: Time, place: u16, job: Suspended);
    /// Whether the peer of a request (by the number that its job carries) still waits for the answer.
    fn awaits(&self, request: u32) -> bool;
    /// Puts a decision on the record.
    fn decide(&mut self, decision: Decision, row: Option<&Row>);
}

/// Where a process is in its life (model rule 1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// No process; the host answers a SYN with a reset.
    Down,
    /// No host: silence.
    HostDown,
    /// A process that does not serve yet.
    Starting,
    /// It serves.
    Up,
    /// Crashed, still in memory while it is dumped: silence, and a kernel that completes handshakes.
    Dumping,
}

/// What a front end is made of.
#[derive(Clone, PartialEq, Debug)]
pub struct Setup {
    /// Its name.
    pub name: String,
    /// Position among the front ends.
    pub place: u16,
    /// Its number as an entity.
    pub entity: Entity,
    /// The number of its first worker as an entity.
    pub first_worker: Entity,
    /// From process start to service start.
    pub start_up: Dist,
    /// Threads that take jobs.
    pub workers: u32,
    /// Cores that they compute on.
    pub cores: u32,
    /// Bound of the queue.
    pub queue_limit: Option<u32>,
    /// What a full queue does.
    pub when_full: WhenFull,
    /// CPU of taking a connection as a job.
    pub accept: Option<Dist>,
    /// Its listening socket.
    pub listen: Listen,
    /// Whether a job is skipped whose peer has closed its connection.
    pub notices: bool,
    /// Its own limits on connections.
    pub limits: Limits,
    /// What validations look up.
    pub lookups: Arc<Lookups>,
}

/// What a worker is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    Nothing,
    WaitingForCore,
    Computing,
    Blocked,
}

/// One worker thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Worker {
    doing: Doing,
    job: Job,
    /// When it took the job.
    taken: Time,
    /// When what it is doing now began.
    since: Time,
    /// When what it is doing now ends.
    until: Time,
    /// CPU time of the job, once it computes.
    cpu: Span,
    /// Time that the verdict wants to wait after that.
    wait: Span,
    /// The verdict, for validations.
    answer: Answer,
    /// How far it is with stops on its way; those of a worker without a job, and of jobs that have none, are at naught.
    stops: stop::Stops,
}

/// How far the connections of one tick are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sweep {
    /// The tick.
    pub tick: Time,
    /// Connections not valid again yet.
    pub open: u64,
    /// The last one valid.
    pub last: Time,
}

/// One front-end process.
#[derive(Debug)]
pub struct FrontEnd {
    /// What it is made of.
    pub setup: Setup,
    identity: Identity,
    /// Where it is in its life.
    pub life: Life,
    /// How many times its process started.
    pub incarnation: u32,
    /// When its process last started.
    pub process_start: Time,
    /// When its service last started.
    pub service_start: Time,
    /// When its life changes next.
    pub next_change: Time,
    /// Its next tick.
    pub next_tick: Time,
    /// Connections that it has, valid or not yet.
    pub members: Members,
    /// Whether the arrival of each SYN is a step of its own, for something is counted or timed from it (rule 5).
    pub watches_arrivals: bool,
    /// Connections that no row tells of: old ones while a new one is made, and those kept for their grace (rule 19).
    pub beside: u64,
    /// Connections that their peers gave up, as far as it does not know of that yet.
    pub abandoned: Abandoned,
    /// Those that are valid.
    pub valid: u64,
    /// Connections with an obligation, or waiting in a tick's run.
    pub owing: u64,
    /// Ticks that are being worked off, in order of time.
    pub sweeps: Vec<Sweep>,
    /// Its books.
    pub account: Account,
    /// Time in which it served, in ns, up to the last change.
    pub served: u128,
    /// What the service manager does once a dump is over, and after how many failures.
    pub after_dump: (Action, u32),
    /// Down until a reboot that takes this long; `None`: until a restart.
    pub reboots: Option<Span>,
    failures: Failures,
    queue: Queue,
    runs: std::collections::VecDeque<TickRun>,
    workers: Vec<Worker>,
    idle: Vec<u32>,
    cores_free: u32,
    for_core: std::collections::VecDeque<u32>,
    /// The queues of its listening socket.
    pub listener: Listener,
    answers: lookup::Answers,
}

/// What a crash took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wreck {
    /// Valid connections.
    pub valid: u64,
    /// Which failure it is in the service manager's count.
    pub failure: u32,
    /// What the service manager does.
    pub action: Action,
    /// How long the dump takes; zero: the process is gone at once.
    pub dump: Span,
}

impl FrontEnd {
    /// A front end whose process has never started, among `rows` peers.
    pub fn new(setup: Setup, rows: u32) -> FrontEnd {
        let idle_worker = Worker {
            doing: Doing::Nothing,
            job: Job {
                arrived: Time::ZERO,
                demand: Span(1),
                row: 0,
                generation: 0,
                kind: JobKind::Flight,
                cause: Cause::Initial,
            },
            taken: Time::ZERO,
            since: Time::ZERO,
            until: Time::NEVER,
            cpu: Span::ZERO,
            wait: Span::ZERO,
            answer: Answer::Accept,
            stops: stop::Stops::default(),
        };
        FrontEnd {
            identity: Identity::of(&setup.name),
            life: Life::Down,
            incarnation: 0,
            process_start: Time::NEVER,
            service_start: Time::NEVER,
            next_change: Time::NEVER,
            next_tick: Time::NEVER,
            members: Members::new(rows),
            watches_arrivals: !setup.limits.is_none(),
            beside: 0,
            abandoned: Abandoned::default(),
            valid: 0,
            owing: 0,
            sweeps: Vec::new(),
            account: Account::default(),
            served: 0,
            after_dump: (Action::None, 0),
            reboots: None,
            failures: Failures::default(),
            queue: Queue::new(setup.queue_limit, setup.when_full),
            runs: std::collections::VecDeque::new(),
            workers: vec![idle_worker; setup.workers as usize],
            // Lower numbers are taken first.
            idle: (0..setup.workers).rev().collect(),
            cores_free: setup.cores,
            for_core: std::collections::VecDeque::new(),
            listener: Listener::new(&setup.listen),
            answers: lookup::Answers::new(&setup.lookups),
            setup,
        }
    }

    /// Wakes this front end at `at`, for the next change of its life; any earlier wish is void.
    pub fn change_at<P: Port>(&mut self, at: Time, port: &mut P) {
        self.next_change = at;
        if at != Time::NEVER {
            port.wake(at, self.setup.entity, Wake::Life);
        }
    }

    /// Its process starts.
    pub fn start_process<P: Port>(&mut self, now: Time, port: &mut P) {
        self.incarnation += 1;
        self.life = Life::Starting;
        self.process_start = now;
        let span = self.draw(&self.setup.start_up, Purpose::StartUp, self.incarnation, port);
        self.change_at(now + span, port);
    }

    /// Its service starts; the first tick, if there is a policy of ticks, is at `next_tick`.
    pub fn start_service<P: Port>(&mut self, now: Time, next_tick: Time, port: &mut P) {
        self.life = Life::Up;
        self.service_start = now;
        self.next_change = Time::NEVER;
        self.tick_at(next_tick, port);
    }

    /// Wakes this front end for its tick at `at`.
    pub fn tick_at<P: Port>(&mut self, at: Time, port: &mut P) {
        self.next_tick = at;
        if at != Time::NEVER {
            port.wake(at, self.setup.entity, Wake::Tick);
        }
    }

    /// A draw of this front end's own, for its incarnation `cycle`.
    pub fn draw<P: Port>(&self, dist: &Dist, purpose: Purpose, cycle: u32, port: &P) -> Span {
        let when = When { cycle, episode: 0, attempt: 0 };
        dist.sample(port.draws().draw(self.identity, purpose, when, 0))
    }

    /// Raw bits of a draw of this front end's own.
    pub fn bits<P: Port>(&self, purpose: Purpose, index: u16, port: &P) -> u64 {
        port.draws().draw(self.identity, purpose, When { cycle: self.incarnation, episode: 0, attempt: 0 }, index)
    }

    /// The process fails at `now` (rule 6) and stays for `dump` to be written out: everything in it vanishes. Its
    /// connections are the driver's to end.
    pub fn crash(&mut self, now: Time, recovery: &Recovery, dump: Span) -> Wreck {
        let valid = self.vanish(now, dump > Span::ZERO);
        let (failure, action) = recovery.failed(&mut self.failures, now);
        self.life = if dump == Span::ZERO { Life::Down } else { Life::Dumping };
        Wreck { valid, failure, action, dump }
    }

    /// The process ends at `now` without a failure (rule 25): everything in it vanishes. Says how many valid connections
    /// it had, which are the driver's to end.
    pub fn stop(&mut self, now: Time) -> u64 {
        let valid = self.vanish(now, false);
        self.life = Life::Down;
        self.next_change = Time::NEVER;
        valid
    }

    fn vanish(&mut self, now: Time, dumps: bool) -> u64 {
        self.cut_workers_off(now);
        let account = &mut self.account;
        self.queue.drain().for_each(|job| account.lose_waiting(now, job.arrived));
        self.lose_rejoined(now);
        self.answers.forget();
        let account = &mut self.account;
        for run in self.runs.drain(..) {
            (0..run.left).for_each(|_| account.lose_waiting(now, run.asked));
        }
        self.listener.crash(dumps);
        self.abandoned.clear();
        self.owing = 0;
        if self.life == Life::Up {
            self.served += u128::from(now.since(self.service_start).0);
        }
        self.next_tick = Time::NEVER;
        std::mem::take(&mut self.valid)
    }

    fn cut_workers_off(&mut self, now: Time) {
        for number in 0..self.workers.len() {
            let worker = self.workers[number];
            if worker.doing == Doing::Nothing {
                continue;
            }
            let cpu = self.settle(number, now);
            self.account.cut(now, worker.job.arrived, cpu);
            self.account.cut_set_aside(worker.stops.set_aside);
            self.workers[number].doing = Doing::Nothing;
            self.workers[number].stops = stop::Stops::default();
        }
        self.for_core.clear();
        self.cores_free = self.setup.cores;
        self.idle = (0..self.setup.workers).rev().collect();
    }

    /// Books what worker `number` did since its last change and says what CPU time it has not booked yet.
    fn settle(&mut self, number: usize, now: Time) -> Span {
        let worker = &self.workers[number];
        let spent = now.since(worker.since);
        let before = worker.stops.unbooked();
        match worker.doing {
            Doing::Nothing => Span::ZERO,
            Doing::WaitingForCore => {
                self.account.waiting += u128::from(spent.0);
                before
            }
            Doing::Computing => before + spent,
            Doing::Blocked => {
                self.account.blocked += u128::from(spent.0);
                before
            }
        }
    }

    /// Closes the books at the end of the run.
    ///
    /// # Errors
    /// If they do not balance (rule 30).
    pub fn close(&mut self, end: Time) -> Result<(), crate::measure::Imbalance> {
        if self.life == Life::Up {
            self.served += u128::from(end.since(self.service_start).0);
        }
        for number in 0..self.workers.len() {
            let cpu = self.settle(number, end);
            self.account.cut_off += u128::from(cpu.0);
        }
        self.account.close(end)
    }

    /// Whether it serves and has as many connections as it may.
    pub fn is_full(&mut self, now: Time) -> bool {
        let Some(most) = self.setup.limits.max_connections else { return false };
        let connections = self.members.count() + self.beside + self.abandoned.slots(now);
        self.life == Life::Up && connections >= u64::from(most)
    }

    /// What came of each kind of look-up.
    pub fn looked(&self) -> &[Looked] {
        &self.answers.counts
    }

    /// The requests whose jobs wait or are in service, by the numbers that the jobs carry.
    pub fn requests(&self) -> Vec<u32> {
        let held = self.workers.iter().filter(|worker| worker.doing != Doing::Nothing).map(|worker| &worker.job);
        let jobs = self.queue.jobs().chain(held);
        jobs.filter(|job| job.kind == JobKind::Request).map(|job| job.row).collect()
    }

    /// Workers that hold a job.
    pub fn busy(&self) -> u32 {
        self.setup.workers - self.idle.len() as u32
    }

    /// The rows of the `n` jobs next in line: what will be touched soon.
    #[inline]
    pub fn upcoming(&self, ahead: usize) -> Option<u32> {
        self.queue.upcoming(ahead)
    }
}
