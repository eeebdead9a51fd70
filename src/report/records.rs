//! `records.jsonl`: one line of JSON for each thing that is told of a run, in the product's own language where it has
//! one. What is not known is null: nothing is invented, and values that the scenario masks stay masked.

use serde::Serialize;

use super::moment::place_of;
use super::words;
use crate::measure::{Cause, Counter, Decision, Outcome, Record, RecordKind, What};
use crate::policy::lookup::Found;
use crate::scenario::plan::{Plan, ProcessPlan};
use crate::sim::Names;
use crate::time::{Span, Time};
use crate::validate::{FaultCode, Phase, Rejection};

/// What every line has, in this order; then what the kind of line adds.
#[derive(Serialize)]
struct Line<'a> {
    at_ns: u64,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    front_end: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    kind: &'static str,
    #[serde(flatten)]
    more: More<'a>,
}

/// What the kinds of lines add.
#[derive(Serialize)]
#[serde(untagged)]
enum More<'a> {
    Start {
        incarnation: u32,
    },
    Tick {
        taken: u64,
        missed: u64,
    },
    Crash {
        code: String,
        phase: &'static str,
        incarnation: u32,
        connections_lost: u64,
        jobs_lost: u64,
        event: Event<'a>,
    },
    Service {
        failures: u32,
        restart_in_ns: Option<u64>,
        event: Event<'a>,
    },
    Nothing {},
    Killed {
        incarnation: u32,
        connections_lost: u64,
        jobs_lost: u64,
    },
    Stop {
        why: &'static str,
        incarnation: u32,
        connections_lost: u64,
        jobs_lost: u64,
        starts_again_ns: Option<u64>,
    },
    Ready {
        incarnation: u32,
        ready: u64,
        needed: u64,
    },
    PoolFalls {
        serve: u64,
        needed: u64,
    },
    NoEffect {
        of: &'static str,
    },
    Rejected {
        phase: &'static str,
        reason: String,
    },
    Path {
        group: &'a str,
    },
    Slow {
        group: &'a str,
        factor: Option<&'a str>,
    },
    Lookup {
        lookup: &'a str,
        state: &'static str,
    },
    Timeline {
        group: &'a str,
        peers: u64,
    },
    Step {
        words: String,
        detail: u8,
        extra: u16,
    },
}

/// An entry of a Windows event log.
#[derive(Serialize)]
struct Event<'a> {
    log: &'static str,
    source: &'static str,
    id: u32,
    level: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Fault(Box<ApplicationError<'a>>),
    Restart { service_name: Option<&'a str>, times: u32, delay_ms: u64, action: &'static str },
    StaysDown { service_name: Option<&'a str>, times: u32 },
}

/// The fields of event 1000, in their order.
#[derive(Serialize)]
struct ApplicationError<'a> {
    faulting_application_name: Option<&'a str>,
    faulting_application_version: Option<&'a str>,
    faulting_application_time_stamp: Option<&'a str>,
    faulting_module_name: Option<&'a str>,
    faulting_module_version: Option<&'a str>,
    faulting_module_time_stamp: Option<&'a str>,
    exception_code: String,
    fault_offset: Option<String>,
    faulting_process_id: Option<String>,
    faulting_application_start_time: Option<String>,
    faulting_application_path: Option<&'a str>,
    faulting_module_path: Option<&'a str>,
    report_id: Option<&'a str>,
}

/// All records of a run, in order of time. What would have come after its end has not happened.
pub(super) fn all(plan: &Plan, outcome: &Outcome) -> String {
    let mut records: Vec<&Record> = outcome.records.iter().filter(|record| record.at <= outcome.ended).collect();
    // The service manager's records are made at the crash and dated to the end of its dump: only they move.
    records.sort_by_key(|record| record.at);
    let (mut out, names) = (String::new(), Names::new(plan));
    for record in records {
        out.push_str(&record_line(&names, record));
        out.push('\n');
    }
    out
}

/// One record as a line of JSON, without its line end.
pub fn record_line(names: &Names<'_>, record: &Record) -> String {
    if let RecordKind::Step(decision) = &record.kind {
        return step_line(names, decision);
    }
    let plan = names.plan();
    let (kind, more) = told(plan, &record.kind);
    written(&Line {
        at_ns: record.at.0,
        time: words_of(record.at),
        date: words::date_exact(plan, record.at),
        front_end: record.front_end.map(|place| names.front_end(place)),
        peer: record.peer.map(|row| names.peer(row)),
        kind,
        more,
    })
}

/// One decision as a line of JSON, without its line end.
pub fn step_line(names: &Names<'_>, decision: &Decision) -> String {
    let plan = names.plan();
    let of_front_end = decision.what.is_of_front_end();
    let place = place_of(decision);
    written(&Line {
        at_ns: decision.at.0,
        time: words_of(decision.at),
        date: words::date_exact(plan, decision.at),
        front_end: place.map(|place| names.front_end(place)),
        peer: (!of_front_end).then(|| names.peer(decision.who)),
        kind: decision.what.name(),
        more: More::Step { words: step_words(plan, decision), detail: decision.detail, extra: decision.extra },
    })
}

/// A line as text. Structs of numbers and strings have no way to fail.
fn written(line: &Line<'_>) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

fn words_of(at: Time) -> String {
    at.to_string()
}

fn told<'a>(plan: &'a Plan, kind: &'a RecordKind) -> (&'static str, More<'a>) {
    match kind {
        RecordKind::ProcessStart { incarnation } => ("process start", More::Start { incarnation: *incarnation }),
        RecordKind::ServiceStart { incarnation } => ("service start", More::Start { incarnation: *incarnation }),
        RecordKind::Tick { taken, missed } => ("tick", More::Tick { taken: *taken, missed: *missed }),
        RecordKind::Fault { code, incarnation, phase, connections, jobs, .. } => {
            let more = More::Crash {
                code: code.to_string(),
                phase: phase.name(),
                incarnation: *incarnation,
                connections_lost: *connections,
                jobs_lost: *jobs,
                event: application_error(plan, *code, kind),
            };
            ("crash", more)
        }
        RecordKind::WillRestart { failures, delay, reboot } => {
            let more = More::Service {
                failures: *failures,
                restart_in_ns: Some(delay.0),
                event: terminated(plan, *failures, *delay, *reboot),
            };
            ("will restart", more)
        }
        RecordKind::StaysDown { failures } => {
            let data = Data::StaysDown { service_name: plan.process.service.as_deref(), times: *failures };
            let more = More::Service { failures: *failures, restart_in_ns: None, event: of_service(7034, data) };
            ("stays down", more)
        }
        RecordKind::DumpEnd => ("dump end", More::Nothing {}),
        RecordKind::Killed { incarnation, connections, jobs } => {
            let (incarnation, connections_lost, jobs_lost) = (*incarnation, *connections, *jobs);
            ("killed", More::Killed { incarnation, connections_lost, jobs_lost })
        }
        RecordKind::Stop { incarnation, why, connections, jobs, until } => {
            let more = More::Stop {
                why: why.name(),
                incarnation: *incarnation,
                connections_lost: *connections,
                jobs_lost: *jobs,
                starts_again_ns: until.map(|at| at.0),
            };
            ("stop", more)
        }
        RecordKind::Ready { incarnation, ready, needed } => {
            ("ready", More::Ready { incarnation: *incarnation, ready: *ready, needed: *needed })
        }
        RecordKind::PoolFalls { serve, needed } => ("pool falls", More::PoolFalls { serve: *serve, needed: *needed }),
        RecordKind::NoEffect { what } => ("no effect", More::NoEffect { of: what }),
        RecordKind::Rejected { phase, reason } => {
            ("rejected", More::Rejected { phase: phase.name(), reason: reason.to_string() })
        }
        RecordKind::Timeline { peers, joined, group } => {
            let kind = if *joined { "peers join" } else { "peers leave" };
            (kind, More::Timeline { group: Names::new(plan).group(*group), peers: *peers })
        }
        RecordKind::Path { group, cut } => {
            let kind = if *cut { "path is cut" } else { "path heals" };
            (kind, More::Path { group: Names::new(plan).group(*group) })
        }
        RecordKind::Slow { group, factor } => {
            let kind = if factor.is_some() { "peers are slow" } else { "peers are slow no more" };
            (kind, More::Slow { group: Names::new(plan).group(*group), factor: factor.as_deref() })
        }
        RecordKind::Lookup { nth, state } => {
            let lookup = plan.lookups.each.get(usize::from(*nth)).map_or("?", |lookup| &lookup.name);
            ("look-up changes", More::Lookup { lookup, state })
        }
        // Handled before: a decision has a line of its own.
        RecordKind::Step(decision) => {
            let (detail, extra) = (decision.detail, decision.extra);
            (decision.what.name(), More::Step { words: step_words(plan, decision), detail, extra })
        }
    }
}

/// Event 1000 of the Application log.
fn application_error<'a>(plan: &'a Plan, code: FaultCode, kind: &'a RecordKind) -> Event<'a> {
    let (pid, offset, report, started) = match kind {
        RecordKind::Fault { process_id, fault_offset, report_id, started, .. } => {
            (*process_id, *fault_offset, report_id.as_deref(), Some(*started))
        }
        _ => (None, None, None, None),
    };
    let ProcessPlan {
        application,
        application_version,
        application_timestamp,
        module,
        module_version,
        module_timestamp,
        application_path,
        module_path,
        ..
    } = &plan.process;
    let start = plan.epoch.zip(started).map(|(epoch, at)| words::filetime(epoch, at));
    let data = ApplicationError {
        faulting_application_name: application.as_deref(),
        faulting_application_version: application_version.as_deref(),
        faulting_application_time_stamp: application_timestamp.as_deref(),
        faulting_module_name: module.as_deref(),
        faulting_module_version: module_version.as_deref(),
        faulting_module_time_stamp: module_timestamp.as_deref(),
        exception_code: code.to_string(),
        fault_offset: offset.map(|offset| format!("{offset:#x}")),
        faulting_process_id: pid.map(|pid| format!("{pid:#x}")),
        faulting_application_start_time: start.map(|start| format!("{start:#018x}")),
        faulting_application_path: application_path.as_deref(),
        faulting_module_path: module_path.as_deref(),
        report_id: report,
    };
    let data = Data::Fault(Box::new(data));
    Event { log: "Application", source: "Application Error", id: 1000, level: "Error", data }
}

fn of_service(id: u32, data: Data<'_>) -> Event<'_> {
    Event { log: "System", source: "Service Control Manager", id, level: "Error", data }
}

/// Event 7031: terminated unexpectedly, and what is done about it.
fn terminated(plan: &Plan, failures: u32, delay: Span, reboot: bool) -> Event<'_> {
    let data = Data::Restart {
        service_name: plan.process.service.as_deref(),
        times: failures,
        delay_ms: delay.0 / Span::MILLISECOND.0,
        action: if reboot { "Reboot the machine" } else { "Restart the service" },
    };
    of_service(7031, data)
}

/// What a decision was, for people.
pub(crate) fn step_words(plan: &Plan, decision: &Decision) -> String {
    let Decision { detail, extra, .. } = *decision;
    match decision.what {
        What::ProcessStart => format!("process starts, incarnation {extra}"),
        What::ServiceStart => format!("serves, incarnation {extra}"),
        What::Crash if detail == 1 => format!("ended from outside, failure {extra} in the service manager's count"),
        What::Crash => format!("crashes, failure {extra} in the service manager's count"),
        What::DumpEnd => "the dump is written, the process is gone".to_owned(),
        What::StaysDown => format!("left down by the service manager after failure {extra}"),
        What::Tick => format!("refresh tick, incarnation {extra}"),
        What::Ready => format!("ready, waits for its pool, incarnation {extra}"),
        What::Stop => match detail {
            1 => format!("stops to be patched, incarnation {extra}"),
            2 => format!("stops with its pool, incarnation {extra}"),
            _ => format!("is stopped, incarnation {extra}"),
        },
        What::PoolFalls => format!("leaves too few front ends in its pool: {detail} of those that count"),
        What::MovesBack => "leaves for the first front end of its list".to_owned(),
        What::Join => "joins".to_owned(),
        What::Leave => "leaves".to_owned(),
        What::Attempt => format!("sends a SYN ({})", cause(detail)),
        What::Refused => match detail {
            1 => "SYN refused: the accept queue is full".to_owned(),
            2 => "reset at its final ACK: the accept queue is full".to_owned(),
            3 => "SYN refused: the middlebox knows of nobody that serves".to_owned(),
            _ => "SYN refused: nobody listens".to_owned(),
        },
        What::Silence => format!("no answer: {}", silence(detail)),
        What::GaveUp if detail == 1 => "gives the try up while the acceptance is on its way".to_owned(),
        What::GaveUp => match detail {
            2 => "gives the try up: no answer to its SYN".to_owned(),
            3 => "gives the try up: no answer to its flight".to_owned(),
            4 => "gives the try up: no verdict".to_owned(),
            5 => "gives the try up: no SYN of it had an answer".to_owned(),
            _ => "gives the try up".to_owned(),
        },
        What::Due => match detail {
            1 => "refresh due, connection lost before it was asked about".to_owned(),
            2 => "refresh due, by a new connection".to_owned(),
            3 => "refresh due, by a new connection made first".to_owned(),
            4 => "refresh due, waits for its turn".to_owned(),
            _ => "refresh due, in place".to_owned(),
        },
        What::Asked => format!("asked about at {}: {}", phase(extra >> 15), answer(detail)),
        What::NoEffect => "asked about, no effect: a crash overtook the verdict".to_owned(),
        What::Valid => match outcome(detail / 16) {
            Some(outcome) => format!("valid ({}), refresh ends {outcome}", cause(detail % 16)),
            None => format!("valid ({})", cause(detail % 16)),
        },
        What::Lost => format!("connection lost: {}", loss(detail)),
        What::Closed => format!("refresh ends {}", outcome(detail).unwrap_or("in an unknown way")),
        What::Handshake => match detail {
            1 => "first flight: the session is resumed".to_owned(),
            2 => "first flight: the session is not good here, a full handshake".to_owned(),
            _ => "first flight: no session, a full handshake".to_owned(),
        },
        What::Certificate if detail == 1 => "its certificate expires".to_owned(),
        What::Certificate if detail == 2 => "its issuer has made its new certificate".to_owned(),
        What::Certificate if detail == 3 => "asks its issuer for a new certificate".to_owned(),
        What::Certificate => "its certificate is replaced".to_owned(),
        What::OldCut => "the old connection is cut after its grace".to_owned(),
        What::Turn if detail == 3 => "its turn: refreshed by a new connection made first".to_owned(),
        What::Turn if detail == 2 => "its turn: refreshed by a new connection".to_owned(),
        What::Turn => "its turn: refreshed in place".to_owned(),
        What::Dropped => format!("queue full: {} turned away", job(detail)),
        What::Stops => "stops trying for good".to_owned(),
        What::Withheld => "retry withheld: the budget is used up".to_owned(),
        What::Held if detail == 0 => "waits for its turn to connect".to_owned(),
        What::Held => "waits for another attempt to end".to_owned(),
        What::Skipped => format!("{} skipped: the peer has closed", job(detail)),
        What::Limit => match detail {
            0 => "closed by the front end: the handshake takes too long".to_owned(),
            1 => "closed by the front end: no valid message in time".to_owned(),
            3 => "closed by the front end: nothing has come for too long".to_owned(),
            4 => "closed by the front end: its keep-alive got no answer".to_owned(),
            5 => "forgotten by the middlebox: nothing has come for too long".to_owned(),
            _ => "refused by the front end: too many connections".to_owned(),
        },
        What::AckIgnored => format!("final ACK ignored: the accept queue is full ({detail} SYN-ACKs repeated before)"),
        What::NoPort => "no try: its address has no free port".to_owned(),
        What::LookUp => format!("look-up {}: {}", name_of_lookup(plan, detail), how(detail)),
        What::LookedUp => format!("look-up {}: {}", name_of_lookup(plan, detail), found(detail)),
        What::Rejoined => "the validation waits no more and rejoins the queue".to_owned(),
        What::RequestDue if detail == 1 => "request due, waits for a connection".to_owned(),
        What::RequestDue => "request due".to_owned(),
        What::RequestTaken => "a worker takes the request".to_owned(),
        What::RequestAnswered => "request answered".to_owned(),
        What::RequestFailed if detail == 1 => "request fails: its connection is gone".to_owned(),
        What::RequestFailed => "request fails: its time-out is over".to_owned(),
        What::ClosesLost => "closes its connection, which the front end has lost: a request had no answer".to_owned(),
    }
}

/// A look-up by the position in the upper bits of a decision's detail.
fn name_of_lookup(plan: &Plan, detail: u8) -> &str {
    plan.lookups.each.get(usize::from(detail / 4)).map_or("?", |lookup| lookup.name.as_str())
}

fn how(detail: u8) -> &'static str {
    ["fetched", "answered by an earlier one", "joins one under way", "no time left"][usize::from(detail % 4)]
}

fn found(detail: u8) -> &'static str {
    Found::ALL[usize::from(detail % 4)].name()
}

fn cause(number: u8) -> &'static str {
    Cause::ALL.into_iter().find(|cause| *cause as u8 == number).map_or("unknown cause", Cause::name)
}

fn phase(number: u16) -> &'static str {
    [Phase::Accept, Phase::Refresh].into_iter().find(|phase| *phase as u16 == number).map_or("?", Phase::name)
}

fn answer(detail: u8) -> String {
    match detail {
        0 => "accept".to_owned(),
        1 => "fault".to_owned(),
        _ => match Rejection::ALL.into_iter().find(|r| *r as u8 + 16 == detail) {
            Some(reason) => format!("reject, {reason}"),
            None => "reject".to_owned(),
        },
    }
}

/// The outcome of a refresh that a counter stands for.
fn outcome(number: u8) -> Option<&'static str> {
    let outcomes = [
        (Counter::ValidInPlace, "valid in place"),
        (Counter::ValidByReconnect, "valid by reconnect"),
        (Counter::Rejected, "rejected"),
        (Counter::Recovered, "recovered"),
        (Counter::Departed, "departed"),
        (Counter::Dropped, "dropped"),
        (Counter::Missed, "missed"),
        (Counter::Unfinished, "unfinished"),
    ];
    outcomes.into_iter().find(|(counter, _)| *counter as u8 == number).map(|(_, name)| name)
}

fn loss(detail: u8) -> &'static str {
    match detail {
        0 => "the front end crashed",
        1 => "rejected at refresh",
        2 => "the queue was full",
        3 => "the peer had given up",
        4 => "its keep-alive got no answer",
        5 => "its peer closed it, for a request had no answer",
        10 => "the front end stopped",
        11 => "the process was ended from outside",
        12 => "the front end closed it",
        13 => "the middlebox closed it: nothing had come for too long",
        _ => "unknown cause",
    }
}

fn silence(detail: u8) -> &'static str {
    match detail {
        0 => "nobody is there",
        1 => "the accept queue is full",
        2 => "the SYN queue is full",
        3 => "the path is cut",
        4 => "lost on the path",
        5 => "the kernel has given the handshake up",
        _ => "unknown cause",
    }
}

fn job(detail: u8) -> &'static str {
    match detail {
        0 => "an accept",
        1 => "a flight",
        2 => "the validation of a new connection",
        3 => "the validation of a refresh",
        4 => "a request",
        _ => "a job",
    }
}
