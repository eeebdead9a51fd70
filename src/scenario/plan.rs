//! The plan: a scenario with every default and preset resolved and every assumption named.
//!
//! Plain data that `sim` executes. Knows nothing of files; `scenario::resolve` makes it, `scenario::render` writes it.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::dist::Dist;
pub use crate::frontend::{Listen, OnTimeOut, Overflow, Requests, WhenFull};
use crate::policy::lookup::Lookups;
use crate::policy::tcp::{Path, PeerTcp};
use crate::policy::tls::{Bytes, Resumption};
use crate::policy::{
    Failover, Issuer, Limits, Middlebox, Pool, Ratio, Reconnect, Recovery, Refresh, Timeouts, Validity,
};
use crate::time::{Span, Time};
use crate::validate::{Builtin, CertificateState, Particulars, Transport};

use super::expect::Expectation;

/// The number that changes when the same plan may give other results.
pub const SEMANTICS: u32 = 1;

/// Everything that a run depends on.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// The scenario's name: its file's, without the ending. Not part of the result.
    pub name: String,
    /// Root of all draws.
    pub seed: u64,
    /// Which replication of the seed this is.
    pub replication: u32,
    /// Length of the run, from run time 0.
    pub horizon: Span,
    /// The date of run time 0, in 100 ns units since 1601-01-01 (a FILETIME); `None`: no dates are shown.
    pub epoch: Option<Epoch>,
    /// Whether peers are connected when it begins.
    pub start: Start,
    /// What decides between entities at one instant.
    pub tie_order: TieOrder,
    /// Front ends in the order in which peers list them; at least one.
    pub front_ends: Vec<FrontEndPlan>,
    /// When and how connections are refreshed; `None`: never.
    pub refresh: Option<Refresh>,
    /// Who makes the certificates that peers ask for; `None`: nobody asks.
    pub issuer: Option<Issuer>,
    /// What happens after a front end's failure.
    pub recovery: Recovery,
    /// What the front ends need of each other; `None`: each serves for itself.
    pub pool: Option<Pool>,
    /// What hands on the peers of groups whose order is [`crate::policy::ListOrder::Middlebox`]; `None`: nothing, and they
    /// go by their lists.
    pub middlebox: Option<Middlebox>,
    /// Who judges peers, unless `outside` does.
    pub validator: Builtin,
    /// A program of the user's own that judges peers; `None`: built-in logic does.
    pub outside: Option<Outside>,
    /// What validations look up, and who waits for it.
    pub lookups: Lookups,
    /// Peers, group by group, in the scenario's order.
    pub groups: Vec<GroupPlan>,
    /// What changes during the run, in order of time.
    pub timeline: Vec<TimelineEntry>,
    /// What is done to front ends during the run, in order of time.
    pub operations: Vec<Operation>,
    /// What is measured.
    pub measure: MeasurePlan,
    /// The faulting process as the event log will describe it.
    pub process: ProcessPlan,
    /// Whether a refresh that falls due at an age of exactly its period is left out: a defect that an audit puts in, and
    /// no scenario.
    pub skips_exact_age: bool,
    /// What must hold of the result.
    pub expect: Vec<Expectation>,
    /// Defaults that matter and were not written, in words.
    pub assumptions: Vec<Assumption>,
}

/// A program of the user's own that judges peers, as a child process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outside {
    /// The program and its arguments; at least one word.
    pub command: Vec<String>,
    /// Real time that it may take for one answer; longer is a hang. No result depends on it.
    pub answer_limit: Span,
    /// Where it runs; empty: wherever this program does. No part of a scenario: filled in by who reads one from a file.
    pub folder: PathBuf,
    /// A hash of the files that `command` names; empty: nobody has looked. No part of a scenario: filled in where results
    /// are found again by what made them.
    pub identity: String,
}

/// A date as a FILETIME: 100 ns units since 1601-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch(pub u64);

/// Whether peers are connected when the run begins (model rule 15).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Everyone connects to a front end that is starting.
    Connecting,
    /// Everyone is valid at the first service start of their first front end.
    Established,
}

/// What decides between entities at one instant (design rule: no insertion number).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TieOrder {
    /// The lower number first.
    Entity,
    /// A seeded permutation of the numbers: a figure that moves with it is a finding.
    Shuffled,
}

/// One front end: one process on one host.
#[derive(Clone, PartialEq, Debug)]
pub struct FrontEndPlan {
    /// Its name; unique.
    pub name: String,
    /// When its process first starts, in run time; the first front end's is 0.
    pub starts: Time,
    /// From process start to service start; drawn anew for each incarnation.
    pub start_up: Dist,
    /// Threads that take jobs; at least 1.
    pub workers: u32,
    /// Cores that they compute on; at least 1, at most `workers`.
    pub cores: u32,
    /// Most jobs that wait for a worker; `None`: no bound.
    pub queue_limit: Option<u32>,
    /// What happens to a job that finds the queue full.
    pub when_full: WhenFull,
    /// CPU of taking one connection as a job; `None`: a dedicated acceptor does it in no time.
    pub accept: Option<Dist>,
    /// Its listening socket.
    pub listen: Listen,
    /// Whether a worker skips a job whose peer has closed its connection.
    pub notices: bool,
    /// Its own limits on connections.
    pub limits: Limits,
    /// The part of the pool that is patched together with this one; `None`: it alone.
    pub upgrade_domain: Option<u16>,
}

/// A group of like peers.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupPlan {
    /// Its name; unique, and with the index the identity that draws hang on.
    pub name: String,
    /// How many indices there are.
    pub count: u32,
    /// The indices that exist, sorted; `None`: all below `count`.
    pub indices: Option<Vec<u32>>,
    /// What carries their connections.
    pub transport: Transport,
    /// What they show; `None`: no certificate.
    pub certificate: Option<CertificateState>,
    /// What else the topology and their certificates say of them; `None`: what is usual.
    pub particulars: Option<Particulars>,
    /// How long that is good, and when it is replaced; only with a valid one. `None`: always, unless the timeline says.
    pub validity: Option<Validity>,
    /// Address of index 0; index i has this plus i.
    pub address: IpAddr,
    /// Source port.
    pub port: u16,
    /// Whether the topology lists their addresses.
    pub known: bool,
    /// Round-trip time, one draw a peer.
    pub rtt: Dist,
    /// What else happens to messages.
    pub path: Path,
    /// Their kernel.
    pub tcp: PeerTcp,
    /// CPU of the front end for each TLS flight; empty for TCP.
    pub flights: Vec<Dist>,
    /// CPU of the peer before each of its flights after the SYN; as long as `flights`, or empty.
    pub client_cpu: Vec<Dist>,
    /// What else is said of their handshakes; only with flights. `None`: nothing, and nobody resumes a session.
    pub tls: Option<TlsPlan>,
    /// CPU of validating a new connection.
    pub validate_accept: Dist,
    /// CPU of validating a connection again.
    pub validate_refresh: Dist,
    /// A try that takes longer is given up; counted from its SYN.
    pub attempt_timeout: Option<Span>,
    /// How long they wait for each step of a try.
    pub timeouts: Timeouts,
    /// How they come back.
    pub reconnect: Reconnect,
    /// Positions in `front_ends`, in the order in which they are tried; not empty, no position twice.
    pub front_ends: Vec<u16>,
    /// What each of them asks beside connecting; `None`: nothing.
    pub requests: Option<Requests>,
    /// How they go from one to the next.
    pub failover: Failover,
    /// Whether they are there from the beginning (a timeline entry may bring them later).
    pub present: bool,
}

/// TLS of a group beyond the flights of its full handshake (model rule 12).
#[derive(Clone, PartialEq, Debug)]
pub struct TlsPlan {
    /// CPU of the front end after the peer's last flight and before its validation; with flights at most
    /// [`crate::frontend::FLIGHTS_MAX`] jobs.
    pub finish: Option<Dist>,
    /// Bytes of a full handshake; `None`: not known.
    pub bytes: Option<Bytes>,
    /// Who resumes, and what that takes; `None`: every handshake is a full one.
    pub resumed: Option<ResumedPlan>,
}

/// Resumed handshakes of a group.
#[derive(Clone, PartialEq, Debug)]
pub struct ResumedPlan {
    /// Who keeps sessions, and for how long.
    pub resumption: Resumption,
    /// CPU of the front end for each flight; at least one.
    pub flights: Vec<Dist>,
    /// CPU of the peer before it answers each; as long as `flights`, or empty.
    pub client_cpu: Vec<Dist>,
    /// Bytes; `None`: not known.
    pub bytes: Option<Bytes>,
}

impl GroupPlan {
    /// How many peers it has.
    pub fn peers(&self) -> u32 {
        self.indices.as_ref().map_or(self.count, |indices| indices.len() as u32)
    }

    /// The index within the group of its `nth` peer.
    pub fn index(&self, nth: u32) -> u32 {
        self.indices.as_ref().map_or(nth, |indices| indices[nth as usize])
    }
}

/// One change during the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineEntry {
    /// When, in run time.
    pub at: Time,
    /// What.
    pub change: Change,
    /// To which group (position in [`Plan::groups`]).
    pub group: u16,
    /// To which of its indices, sorted; `None`: all.
    pub indices: Option<Vec<u32>>,
    /// On the path to which front end (position in [`Plan::front_ends`]); `None`: all. Only for paths.
    pub front_end: Option<u16>,
}

/// What a timeline entry does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Peers arrive and connect.
    Join,
    /// Peers close their connections and are gone.
    Leave,
    /// Peers have a new certificate, issued then; their connections keep the one that they were made with.
    ReplaceCertificate,
    /// The certificate that peers have comes to its end.
    CertificateExpires,
    /// Nothing gets through between the group and a front end, or all.
    CutOff,
    /// It does again.
    Heal,
    /// All that passes between the group and its front ends from now on, and what its peers compute, takes so many times as
    /// long; a try that has begun keeps its pace.
    Slow(Ratio),
    /// They take as long as at the beginning.
    SlowEnds,
}

/// Something that is done to front ends from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// When, in run time.
    pub at: Time,
    /// What.
    pub what: Operate,
    /// To which front ends (positions in [`Plan::front_ends`]), stage by stage; a rolling patch has several stages, and
    /// everything else has one.
    pub stages: Vec<Vec<u16>>,
}

/// What an operation does to its front ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operate {
    /// The service is stopped, until it is started.
    Stop,
    /// The service is started.
    Start,
    /// The process is ended from outside, which the service manager takes for a failure.
    Crash,
    /// The service is stopped, and started again later, perhaps with other logic.
    Patch {
        /// From the stop to the start of the process.
        away: Span,
        /// Who judges peers from then on; `None`: as before.
        validator: Option<Builtin>,
        /// From the service start of one stage to the stop of the next; `None`: there is one stage.
        gap: Option<Span>,
    },
}

/// What is measured, and how finely.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MeasurePlan {
    /// Samples that end before this are counted as excluded and enter no histogram.
    pub from: Time,
    /// Time between two rows of the series.
    pub sample: Span,
    /// Refresh cycles (1 = a peer's first due) that get a histogram of their own, sorted; beside those that `[expect]` names.
    pub cycles: Vec<u32>,
    /// The longest that a window around a refresh may be (rule 29); `None`: the policy's period.
    pub window_limit: Option<Span>,
}

/// The process of a front end as the event log describes it. `None` stays unset: nothing is invented.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProcessPlan {
    /// Service name in the service control manager's records.
    pub service: Option<String>,
    /// Faulting application name.
    pub application: Option<String>,
    /// Its version.
    pub application_version: Option<String>,
    /// Its time stamp, hexadecimal.
    pub application_timestamp: Option<String>,
    /// Faulting module name.
    pub module: Option<String>,
    /// Its version.
    pub module_version: Option<String>,
    /// Its time stamp, hexadecimal.
    pub module_timestamp: Option<String>,
    /// Process id of the first incarnation; later ones are drawn.
    pub process_id: Option<u32>,
    /// Fault offset of the first crash; later ones are drawn.
    pub fault_offset: Option<u64>,
    /// Report id of the first crash; later ones are drawn.
    pub report_id: Option<String>,
    /// Path of the application.
    pub application_path: Option<String>,
    /// Path of the module.
    pub module_path: Option<String>,
}

/// A default that matters, said aloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assumption {
    /// Path of the key in the scenario, e.g. `front_end.cores`.
    pub key: String,
    /// What was assumed, and why.
    pub text: String,
}

impl Plan {
    /// Who judges peers, in a word or as a command.
    pub fn judged_by(&self) -> String {
        self.outside.as_ref().map_or_else(|| self.validator.name().to_owned(), |outside| outside.command.join(" "))
    }

    /// How many peers there are in all groups that send requests.
    pub fn senders(&self) -> u64 {
        self.groups.iter().filter(|group| group.requests.is_some()).map(|group| u64::from(group.peers())).sum()
    }

    /// How many peers there are in all groups.
    pub fn peers(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.peers())).sum()
    }
}
