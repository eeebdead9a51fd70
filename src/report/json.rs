//! `summary.json`: everything that the text has and more, in integers.
//!
//! Lengths and instants are ns, shares are a part and a whole. Keys are sorted. Integers above 2^64 − 1 (sums over very
//! many peers) are written as strings of digits.

use serde_json::{Map, Value as Json, json};

use super::course::{course, disconnected};
use super::coverage::{Coverage, certificate_name, coverage};
use super::figures::{Value, figure, handshakes};
use super::judge::{Judged, overall};
use super::latency::{Edges, Samples, cells, requests};
use super::words;
use crate::measure::{
    COURSES, Cause, CellPlan, Counter, CrashReport, Disturbed, Episode, Figure, FrontEndFigures, Goodput, Handshakes,
    Looked, Metric, Outcome, Part, RequestCounts, Tags, Verdict,
};
use crate::policy::lookup::Lookup;
use crate::scenario::plan::{Plan, SEMANTICS};
use crate::sim::Names;
use crate::time::{Span, Time};
use crate::validate::Rejection;

/// The name and version of the shape of `summary.json`.
pub const SCHEMA: &str = "refresh-sim.summary/1";

/// Quantiles that are given, in parts per million.
const QUANTILES: [u32; 6] = [500_000, 900_000, 990_000, 999_000, 999_900, 999_990];

/// The summary of a run that ends the program with exit code `exit`.
pub fn summary(plan: &Plan, outcome: &Outcome, judged: &[Judged], exit: u8) -> Json {
    let course = course(plan, outcome);
    json!({
        "schema": SCHEMA,
        "semantics": SEMANTICS,
        "scenario": plan.name,
        "seed": plan.seed,
        "replication": plan.replication,
        "validator": plan.judged_by(),
        "horizon_ns": plan.horizon.0,
        "epoch_filetime": plan.epoch.map(|epoch| epoch.0),
        "digest": outcome.digest,
        "complete": !outcome.interrupted,
        "interrupted": outcome.interrupted,
        "ended_ns": outcome.ended.0,
        "steps": outcome.steps,
        "decisions": outcome.decisions,
        "exit": exit,
        "verdict": { "name": course.name, "because": course.because },
        "expectations": expectations(judged),
        "crashes": outcome.crashes.iter().map(|crash| of_crash(plan, outcome, crash)).collect::<Json>(),
        "figures": figures(plan, outcome),
        "latencies": latencies(outcome),
        "cycles": cycles(outcome),
        "questions": questions(plan, outcome),
        "samples_excluded": outcome.meters.excluded,
        "groups": groups(plan, outcome),
        "groups_folded": outcome.cells.folded,
        "front_ends": outcome.front_ends.iter().map(|f| of_front_end(plan, f)).collect::<Json>(),
        "refreshes": outcomes_of_refreshes(outcome, None),
        "requests": all_requests(plan, outcome),
        "pool": plan.pool.map(|_| json!({
            "falls": outcome.pool_falls,
            "down_since": outcome.pool_fell.map(|at| instant(plan, at)),
        })),
        "disconnected": {
            "max": outcome.disconnected_max.0,
            "max_at_ns": outcome.disconnected_max.1.0,
            "at_end": disconnected(outcome),
        },
        "oldest_open_refresh_ns": ns_of(outcome.oldest_open_refresh),
        "oldest_open_outage_ns": ns_of(outcome.oldest_open_outage),
        "triggers": {
            "episodes": outcome.drains.episodes,
            "longest": outcome.drains.longest.as_ref().map(of_episode),
            "open": outcome.drains.open().map(of_episode),
        },
        "herd_indices": outcome.herd.indices,
        "rejection_reasons": reasons(outcome, &cells(outcome, &Tags::default())),
        "rejections_untold": outcome.rejections_untold,
        "assumptions": plan.assumptions.iter().map(|a| json!({ "key": a.key, "text": a.text })).collect::<Json>(),
    })
}

/// Why peers of these cells were rejected, the most frequent reason first.
fn reasons(outcome: &Outcome, cells: &[u16]) -> Json {
    let one = |(reason, count): &(Rejection, u64)| json!({ "reason": reason.word(), "words": reason.to_string(), "count": count });
    outcome.reasons.of(cells).iter().map(one).collect()
}

/// An integer of any width.
pub(super) fn wide(n: u128) -> Json {
    u64::try_from(n).map_or_else(|_| Json::from(n.to_string()), Json::from)
}

fn ns_of(span: Option<Span>) -> Json {
    span.map(|span| span.0).into()
}

/// An instant as a number and as people read it.
fn instant(plan: &Plan, at: Time) -> Json {
    json!({ "ns": at.0, "time": at.to_string(), "date": words::date_exact(plan, at) })
}

/// A verdict's name in results.
pub(super) fn name_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "fail",
    }
}

fn expectations(judged: &[Judged]) -> Json {
    let one = |j: &Judged| {
        json!({
            "name": j.name,
            "text": j.text,
            "verdict": name_of(j.verdict),
            "observed": j.observed,
            "samples": j.samples,
            "why": j.why,
        })
    };
    json!({ "verdict": overall(judged).map(name_of), "each": judged.iter().map(one).collect::<Json>() })
}

fn of_crash(plan: &Plan, outcome: &Outcome, crash: &CrashReport) -> Json {
    let names = Names::new(plan);
    let [half, most, all] = crash.reconnected.map(ns_of);
    let served = crash.service_start != Time::NEVER;
    let fault = crash.fault.as_ref();
    let group = fault.and_then(|fault| names.locate(fault.peer)).and_then(|(group, _)| plan.groups.get(group));
    json!({
        "at": instant(plan, crash.at),
        "front_end": names.front_end(crash.front_end),
        "incarnation": crash.incarnation,
        "process_start": instant(plan, crash.process_start),
        "service_start": served.then(|| instant(plan, crash.service_start)),
        "after_process_start_ns": crash.at.since(crash.process_start).0,
        "after_service_start_ns": served.then(|| crash.at.since(crash.service_start).0),
        "code": fault.map(|fault| fault.code.to_string()),
        "phase": fault.map(|fault| fault.phase.name()),
        "peer": fault.map(|fault| names.peer(fault.peer)),
        "peer_shows": group.map(words::shows),
        "peers_lost": crash.lost,
        "peers_back": crash.back,
        "reconnected_50_ns": half,
        "reconnected_99_ns": most,
        "reconnected_100_ns": all,
        "restart_after_ns": ns_of(crash.restart),
        "open_for_ns": (crash.back < crash.lost).then(|| outcome.ended.since(crash.at).0),
    })
}

/// A trigger and what it left behind.
fn of_episode(of: &Episode) -> Json {
    let left = |ended: Time| {
        json!({
            "ended_ns": ended.0,
            "refreshes": of.after.owing,
            "cut_off": of.after.cut_off,
            "jobs": of.work.jobs,
            "cpu_ns": of.work.cpu.map(wide),
            "cores": of.work.cores,
            "offered": { "cpu_ns": wide(of.work.offered), "each_ns": of.work.offered_each.0 },
        })
    };
    json!({
        "begun_ns": of.begun.0,
        "backlog_before": of.before.backlog(),
        "left": of.ended.map(left),
        "ideal_ns": ns_of(of.ideal),
        "actual_ns": ns_of(of.actual),
        "recovery_ns": ns_of(of.recovery),
    })
}

/// Every figure of the registry over the whole run; null: there is nothing to compute it from.
fn figures(plan: &Plan, outcome: &Outcome) -> Json {
    let of = |which: &Figure| {
        let value = figure(plan, outcome, *which, &Tags::default());
        (which.name().to_owned(), value.map_or(Json::Null, of_value))
    };
    Json::Object(Figure::ALL.iter().map(of).collect::<Map<_, _>>())
}

fn of_value(value: Value) -> Json {
    match value {
        Value::Count(n) => json!({ "count": n }),
        Value::Share { part, whole } => json!({ "part": wide(part), "whole": wide(whole), "ppm": value.ppm() }),
        Value::Length(ns) => json!({ "ns": wide(ns) }),
        Value::AtLeast(ns) => json!({ "ns_at_least": wide(ns) }),
        Value::Never(ns) => json!({ "ns_at_least": wide(ns), "never": true }),
        Value::Course(nth) => json!({ "word": COURSES.get(nth) }),
    }
}

/// One entry for each metric, cell and cause with samples.
fn latencies(outcome: &Outcome) -> Json {
    let one = |(metric, cell, cause): (Metric, u16, Cause)| {
        let plan = (metric != Metric::Sweep).then(|| &outcome.cells.plans[usize::from(cell)]);
        let tags = Tags { cause: Some(cause), ..plan.map_or_else(Tags::default, tags_of) };
        let samples = Samples::of(outcome, metric, &tags, None);
        let mut entry = of_samples(&samples);
        entry.insert("metric".to_owned(), metric.name().into());
        entry.insert("group".to_owned(), plan.map(|plan| plan.group.as_str()).into());
        entry.insert("transport".to_owned(), plan.map(|plan| plan.transport.name()).into());
        entry.insert("cause".to_owned(), cause.name().into());
        Json::Object(entry)
    };
    outcome.meters.histograms().map(|(metric, cell, cause, _)| one((metric, cell, cause))).collect()
}

/// The tags that single out one cell.
pub(super) fn tags_of(plan: &CellPlan) -> Tags {
    Tags { group: Some(plan.group.clone()), transport: Some(plan.transport), ..Tags::default() }
}

pub(super) fn of_samples(samples: &Samples) -> Map<String, Json> {
    let n = samples.ranked();
    let quantile = |ppm: &u32| {
        let (edges, known) = samples.quantile(*ppm, samples.never_max);
        // Null is what is not known; that it is never is told apart by `never`.
        let upper = edges.high.filter(|_| known);
        json!({ "ppm": ppm, "upper_ns": upper, "never": known && edges.high.is_none(), "n": n })
    };
    let edges = |edges: Edges| json!({ "lower_ns": edges.low, "upper_ns": edges.high });
    let mut entry = Map::new();
    entry.insert("n".to_owned(), n.into());
    entry.insert("never".to_owned(), samples.never_min.into());
    entry.insert("min".to_owned(), edges(samples.min()));
    entry.insert("max_finite".to_owned(), edges(samples.max(0)));
    entry.insert("mean_finite".to_owned(), edges(samples.mean(0)));
    entry.insert("quantiles".to_owned(), QUANTILES.iter().map(quantile).collect());
    entry
}

/// Histograms of single cycles, where they were asked for.
fn cycles(outcome: &Outcome) -> Json {
    let mut cycled: Vec<_> = outcome.meters.cycled.iter().collect();
    cycled.sort_by_key(|c| (c.metric, c.cycle, c.cell));
    let one = |c: &crate::measure::Cycled| {
        let samples = Samples { histogram: Some(c.histogram.clone()), never_min: 0, never_max: 0 };
        let plan = &outcome.cells.plans[usize::from(c.cell)];
        let mut entry = of_samples(&samples);
        // Which cycle an open refresh belongs to is not counted: these are the finite ones alone.
        entry.remove("never");
        entry.insert("metric".to_owned(), c.metric.name().into());
        entry.insert("cycle".to_owned(), c.cycle.into());
        entry.insert("group".to_owned(), plan.group.clone().into());
        entry.insert("transport".to_owned(), plan.transport.name().into());
        Json::Object(entry)
    };
    cycled.into_iter().map(one).collect()
}

/// The question space: every kind of question that was asked or could have been.
fn questions(plan: &Plan, outcome: &Outcome) -> Json {
    let one = |row: Coverage| {
        let [accept, reject, fault] = row.answered;
        json!({
            "transport": row.kind.transport.name(),
            "certificate": certificate_name(row.kind.certificate),
            "phase": row.kind.phase.name(),
            "asked": row.asked(),
            "accept": accept,
            "reject": reject,
            "fault": fault,
        })
    };
    coverage(plan, outcome).into_iter().map(one).collect()
}

/// What the obligations came to, in one cell or in all. The eight outcomes add up to `due`.
fn outcomes_of_refreshes(outcome: &Outcome, cell: Option<u16>) -> Json {
    let count = |counter| match cell {
        Some(cell) => outcome.meters.counted(cell, counter),
        None => super::figures::total(outcome, counter),
    };
    json!({
        "due": count(Counter::Dues),
        "in_place": count(Counter::ValidInPlace),
        "by_reconnect": count(Counter::ValidByReconnect),
        "rejected": count(Counter::Rejected),
        "recovered": count(Counter::Recovered),
        "departed": count(Counter::Departed),
        "dropped": count(Counter::Dropped),
        "missed": count(Counter::Missed),
        "unfinished": count(Counter::Unfinished),
    })
}

fn groups(plan: &Plan, outcome: &Outcome) -> Json {
    let one = |(cell, of): (usize, &CellPlan)| {
        let cell = cell as u16;
        let count = |counter| outcome.meters.counted(cell, counter);
        let tags = tags_of(of);
        let value = |which| figure(plan, outcome, which, &tags).map_or(Json::Null, of_value);
        json!({
            "name": of.group,
            "transport": of.transport.name(),
            "peers_at_end": outcome.groups[usize::from(cell)].peers,
            "availability": value(Figure::Availability),
            "peer_time_lost": value(Figure::PeerTimeLost),
            "peer_time_present_ns": wide(outcome.groups[usize::from(cell)].present),
            "refreshes": outcomes_of_refreshes(outcome, Some(cell)),
            "rejections": count(Counter::Rejections),
            "rejection_reasons": reasons(outcome, &[cell]),
            "losses": count(Counter::Losses),
            "attempts": count(Counter::Attempts),
            "timeouts": count(Counter::TimeOuts),
            "valid": count(Counter::Valids),
            "connects_unfinished": count(Counter::UnfinishedConnects),
            "handshakes": handshakes(outcome, &[cell]).map(of_handshakes),
            "requests": requests(outcome, &[cell]).map(of_requests),
        })
    };
    outcome.cells.plans.iter().enumerate().map(one).collect()
}

/// Handshakes of a cell; bytes are null if one did not say them.
fn of_handshakes(tls: Handshakes) -> Json {
    let bytes = |n| (tls.unweighed == 0).then_some(n);
    json!({
        "full": tls.full,
        "resumed": tls.resumed,
        "declined": tls.declined,
        "bytes_to_front_ends": bytes(tls.to_front_end),
        "bytes_to_peers": bytes(tls.to_peer),
    })
}

/// Requests of all groups, and how they fared around triggers.
fn all_requests(plan: &Plan, outcome: &Outcome) -> Json {
    let Some(counts) = requests(outcome, &cells(outcome, &Tags::default())) else { return Json::Null };
    let mut all = of_requests(counts);
    let goodput = outcome.goodput.as_ref();
    all["triggers"] = json!({
        "hold_ns": goodput.map(|goodput| goodput.hold().0),
        "longest": goodput.and_then(|goodput| goodput.longest.as_ref()).map(of_disturbed),
        "open": goodput.and_then(Goodput::open).map(of_disturbed),
    });
    all["windows"] = super::windows::json(plan, outcome);
    all
}

fn of_disturbed(of: &Disturbed) -> Json {
    let part = |part: Part| json!({ "in_time": part.in_time, "due": part.due });
    json!({
        "begun_ns": of.begun.0,
        "ended_ns": of.ended.map(|ended| ended.0),
        "before": part(of.before),
        "during": part(of.during),
        "after": part(of.after),
        "recovery_ns": ns_of(of.recovery),
    })
}

/// What became of requests. The five outcomes add up to `due`.
pub(super) fn of_requests(counts: RequestCounts) -> Json {
    json!({
        "due": counts.due,
        "in_time": counts.in_time,
        "timed_out": counts.timed_out,
        "connection_lost": counts.connection_lost,
        "departed": counts.departed,
        "unfinished": counts.unfinished,
        "failed_before_measuring": counts.unmeasured,
        "oldest_failed_ns": counts.oldest_failed.0,
        "oldest_open_ns": ns_of(counts.oldest_open),
    })
}

/// Each kind of look-up at a front end.
fn of_lookups(plan: &Plan, f: &FrontEndFigures) -> Json {
    let one = |(lookup, of): (&Lookup, &Looked)| {
        json!({
            "name": lookup.name,
            "made": of.made,
            "cached": of.cached,
            "joined": of.joined,
            "skipped": of.skipped,
            "positive": of.positive,
            "negative": of.negative,
            "failed": of.failed,
            "timed_out": of.timed_out,
        })
    };
    plan.lookups.each.iter().zip(&f.looked).map(one).collect()
}

fn of_front_end(plan: &Plan, f: &FrontEndFigures) -> Json {
    let a = &f.account;
    json!({
        "name": f.name,
        "up": f.up,
        "incarnations": f.incarnations,
        "served_ns": wide(f.served),
        "workers": f.workers,
        "cores": f.cores,
        "connections_valid": f.valid,
        "jobs": {
            "arrived": a.arrivals,
            "served": a.served,
            "dropped": a.dropped,
            "lost_in_crash": a.lost_in_crash,
        },
        "worker_time_ns": {
            "held": wide(a.held_time()),
            "useful": wide(a.useful),
            "wasted": wide(a.wasted),
            "cut_off": wide(a.cut_off),
            "blocked": wide(a.blocked),
            "waiting_for_core": wide(a.waiting),
        },
        "waited_without_worker_ns": wide(a.away_time()),
        "lookups": of_lookups(plan, f),
        "queue_max": a.queue_max,
        "queue_max_at_ns": a.queue_max_at.0,
    })
}
