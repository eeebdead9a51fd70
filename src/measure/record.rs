//! What is told of a run line by line: changes of front ends, faults, rejections, a sample of peers, and the series.

use super::Decision;
use crate::time::{Span, Time};
use crate::validate::{FaultCode, Phase, Rejection};

/// One line of the record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// When.
    pub at: Time,
    /// Position of the front end, where there is one.
    pub front_end: Option<u16>,
    /// Position of the peer among all peers, where there is one.
    pub peer: Option<u32>,
    /// What.
    pub kind: RecordKind,
}

/// What a record tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordKind {
    /// A process starts.
    ProcessStart {
        /// 1 = the first.
        incarnation: u32,
    },
    /// It serves.
    ServiceStart {
        /// 1 = the first.
        incarnation: u32,
    },
    /// A tick took connections.
    Tick {
        /// How many.
        taken: u64,
        /// How many were still busy with the tick before.
        missed: u64,
    },
    /// A verdict brought the process down; Windows Application event 1000.
    Fault {
        /// The exception code.
        code: FaultCode,
        /// 1 = the first incarnation.
        incarnation: u32,
        /// What was being asked.
        phase: Phase,
        /// Connections that the crash took.
        connections: u64,
        /// Jobs that it took.
        jobs: u64,
        /// The process id; `None`: not known.
        process_id: Option<u32>,
        /// Offset of the fault in its module; `None`: not known.
        fault_offset: Option<u64>,
        /// Report id; `None`: not known.
        report_id: Option<String>,
        /// When the process had started, in run time.
        started: Time,
    },
    /// The service manager restarts it; Windows System event 7031.
    WillRestart {
        /// Failures counted, this one included.
        failures: u32,
        /// From now to the restart, or to the reboot.
        delay: Span,
        /// Whether by a reboot of the host.
        reboot: bool,
    },
    /// The service manager leaves it down; Windows System event 7034.
    StaysDown {
        /// Failures counted, this one included.
        failures: u32,
    },
    /// The process was ended from outside.
    Killed {
        /// 1 = the first incarnation.
        incarnation: u32,
        /// Connections that it took.
        connections: u64,
        /// Jobs that it took.
        jobs: u64,
    },
    /// The service stops.
    Stop {
        /// 1 = the first incarnation.
        incarnation: u32,
        /// Why.
        why: StopReason,
        /// Connections that it took.
        connections: u64,
        /// Jobs that it took.
        jobs: u64,
        /// When its process is to start again; `None`: nothing is planned.
        until: Option<Time>,
    },
    /// It could serve and waits for its pool.
    Ready {
        /// 1 = the first incarnation.
        incarnation: u32,
        /// How many are ready, this one included.
        ready: u64,
        /// How many must be.
        needed: u64,
    },
    /// Too few front ends of the pool serve: those that do stop.
    PoolFalls {
        /// How many serve of those that count.
        serve: u64,
        /// How many must.
        needed: u64,
    },
    /// An entry of the timeline found nothing to do.
    NoEffect {
        /// What it was to do.
        what: &'static str,
    },
    /// The dump is written; the process is gone.
    DumpEnd,
    /// A peer was refused.
    Rejected {
        /// New connection or refresh.
        phase: Phase,
        /// Why.
        reason: Rejection,
    },
    /// A peer left or joined by the timeline.
    Timeline {
        /// How many peers.
        peers: u64,
        /// Whether they joined.
        joined: bool,
        /// Position of the group.
        group: u16,
    },
    /// The path of a group is cut, or heals: to the front end of the record, or to all.
    Path {
        /// Position of the group.
        group: u16,
        /// Whether it is cut.
        cut: bool,
    },
    /// Tries of a group take longer from now on, or no longer.
    Slow {
        /// Position of the group.
        group: u16,
        /// How many times as long, as a fraction; `None`: as at the beginning.
        factor: Option<String>,
    },
    /// A look-up changes, for fetches that begin from now on.
    Lookup {
        /// Its position.
        nth: u16,
        /// What it is like from now on, in words.
        state: &'static str,
    },
    /// A decision about a sampled peer, or any with a full trace.
    Step(Decision),
}

/// Why a service stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum StopReason {
    /// An entry of the timeline says so.
    Timeline = 0,
    /// It is patched.
    Patch = 1,
    /// Its pool has too few front ends.
    Pool = 2,
}

impl StopReason {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            StopReason::Timeline => "timeline",
            StopReason::Patch => "patch",
            StopReason::Pool => "pool",
        }
    }
}

/// One row of the series: one front end at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// Position of the front end.
    pub front_end: u16,
    /// Whether it serves.
    pub up: bool,
    /// Connections valid.
    pub valid: u64,
    /// Jobs waiting for a worker.
    pub queued: u64,
    /// Workers held.
    pub busy: u32,
    /// Peers of all front ends without a valid connection.
    pub disconnected: u64,
}
