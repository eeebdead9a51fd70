//! The outcome of a run: plain data, for reports and for judging.

use super::meters::{Cells, Meters};
use super::record::{Record, Sample};
use super::{Account, Drains, Goodput, Handshakes, Herd, Looked, Questions, Reasons, RequestCounts, Windows};
use crate::time::{Span, Time};
use crate::validate::{FaultCode, Phase};

/// Everything that a run leaves.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The digest; `None` for a run that was interrupted.
    pub digest: Option<String>,
    /// Where the run ended.
    pub ended: Time,
    /// Whether it was stopped before its horizon.
    pub interrupted: bool,
    /// Steps executed.
    pub steps: u64,
    /// Decisions in the digest.
    pub decisions: u64,
    /// Which cell each group has.
    pub cells: Cells,
    /// Histograms and counters.
    pub meters: Meters,
    /// Each front end's figures, in the plan's order.
    pub front_ends: Vec<FrontEndFigures>,
    /// Each cell's figures.
    pub groups: Vec<GroupFigures>,
    /// Each cell's TLS handshakes, if it has TLS settings; empty if none has.
    pub handshakes: Vec<Option<Handshakes>>,
    /// Each cell's requests, if a group of it sends any; empty if none does.
    pub requests: Vec<Option<RequestCounts>>,
    /// How requests fared around triggers; `None`: nobody sends any that time out.
    pub goodput: Option<Goodput>,
    /// Requests in windows around refreshes; `None`: nobody sends any, or there are no ticks.
    pub windows: Option<Box<Windows>>,
    /// Which questions validators were asked, and how they answered.
    pub questions: Questions,
    /// Why peers were rejected.
    pub reasons: Reasons,
    /// Crashes in order of time.
    pub crashes: Vec<CrashReport>,
    /// How often too few front ends of the pool served, so that all stopped.
    pub pool_falls: u64,
    /// When that last happened, if no front end has served since.
    pub pool_fell: Option<Time>,
    /// Most peers without a valid connection at once after the first service start, and when.
    pub disconnected_max: (u64, Time),
    /// Synchrony of dues.
    pub herd: Herd,
    /// Triggers and what they left behind.
    pub drains: Drains,
    /// Records in order of time.
    pub records: Vec<Record>,
    /// Rejections beyond those in the records.
    pub rejections_untold: u64,
    /// The series.
    pub series: Vec<Sample>,
    /// Age of the oldest refresh still open at the end.
    pub oldest_open_refresh: Option<Span>,
    /// Age of the longest outage still going on at the end.
    pub oldest_open_outage: Option<Span>,
}

/// One front end over the run.
#[derive(Clone, Debug)]
pub struct FrontEndFigures {
    /// Its name.
    pub name: String,
    /// How often its process started.
    pub incarnations: u32,
    /// Whether it serves at the end.
    pub up: bool,
    /// Time in which it served, in ns.
    pub served: u128,
    /// Workers.
    pub workers: u32,
    /// Cores.
    pub cores: u32,
    /// Its books.
    pub account: Account,
    /// What came of each kind of look-up, in the plan's order.
    pub looked: Vec<Looked>,
    /// Connections valid at the end.
    pub valid: u64,
    /// Most connections that waited to be accepted at once.
    pub accept_queue_max: u64,
}

/// One cell's figures that are not counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GroupFigures {
    /// Peer time present, in ns.
    pub present: u128,
    /// Peer time without an established connection, in ns; what is still going on included.
    pub lost: u128,
    /// Peers at the end.
    pub peers: u64,
    /// SYNs without an answer.
    pub unanswered: u64,
    /// Final ACKs that a full accept queue ignored.
    pub ignored: u64,
    /// Tries that there were not, for want of a port.
    pub no_port: u64,
}

/// A verdict that brought a process down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faulting {
    /// Position of the peer that was being asked about.
    pub peer: u32,
    /// What was being asked.
    pub phase: Phase,
    /// The exception code.
    pub code: FaultCode,
}

/// One crash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CrashReport {
    /// When.
    pub at: Time,
    /// Position of the front end.
    pub front_end: u16,
    /// Which of its incarnations (1 = the first).
    pub incarnation: u32,
    /// When that incarnation's process started.
    pub process_start: Time,
    /// When its service started; [`Time::NEVER`]: it had not.
    pub service_start: Time,
    /// The verdict that did it; `None`: the process was ended from outside.
    pub fault: Option<Faulting>,
    /// How long the dead process stayed to be dumped, and peers heard nothing.
    pub dump: Span,
    /// Peers whose valid connection it took.
    pub lost: u64,
    /// How many of them are valid again.
    pub back: u64,
    /// From the crash to 50 %, 99 % and 100 % of them valid again; `None`: not within the run.
    pub reconnected: [Option<Span>; 3],
    /// What the service manager did: the delay to the restart; `None`: it stays down.
    pub restart: Option<Span>,
    /// The front end just before it; `None` after the first [`SCENES_MAX`] crashes of a run.
    pub scene: Option<Box<Scene>>,
}

/// Crashes of a run whose scene is kept.
pub const SCENES_MAX: usize = 10;

/// A front end at the instant at which it crashed, before anything of it was gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scene {
    /// Jobs that waited for a worker.
    pub waiting: u64,
    /// Jobs that workers held.
    pub in_service: u32,
    /// Valid connections of each group that had any, by its position.
    pub valid: Vec<(u16, u64)>,
    /// The attempt of the peer that was asked about: 0 is the first since its last loss.
    pub attempt: Option<u16>,
}

/// What became of an expectation, or of all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// There is not enough to say.
    Inconclusive,
    /// It does not hold.
    Fail,
}

impl Outcome {
    /// All front ends' crashes.
    pub fn crashed(&self) -> bool {
        !self.crashes.is_empty()
    }
}
