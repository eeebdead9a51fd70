//! The summary as text: what an engineer at three in the morning must know within ten seconds, at most 100 columns wide.

use super::course::{course, disconnected};
use super::coverage::{certificate_name, coverage};
use super::figures::{Value, disturbed, dues, figure, goodput, handshakes, looked, total};
use super::judge::Judged;
use super::latency::{Printed, Samples, cells};
use super::words;
use crate::measure::{Cause, Counter, CrashReport, Figure, Metric, Outcome, RequestCounts, Tags, Verdict};
use crate::scenario::plan::Plan;
use crate::sim::Names;
use crate::time::{Span, Time};
use crate::validate::Transport;

/// No line is wider.
const WIDTH: usize = 100;

/// Crashes that get a line each.
const CRASHES_MAX: usize = 5;

/// Groups that get a line each; the rest is told as one.
const GROUPS_MAX: usize = 8;

/// Expectations that hold get a line each up to so many; others always do.
const PASSES_MAX: usize = 20;

/// The summary of a run.
pub fn text(plan: &Plan, outcome: &Outcome, judged: &[Judged]) -> String {
    let mut out = String::new();
    let mut add = |part: String| {
        if !part.is_empty() {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(part.trim_end());
            out.push('\n');
        }
    };
    add(headline(plan, outcome));
    add(verdict(plan, outcome));
    add(expectations(judged));
    add(crashes(plan, outcome));
    add(pool(plan, outcome));
    add(refreshes(outcome));
    add(requests(outcome));
    add(senders(outcome));
    add(words::wrap(&super::windows::text(plan, outcome), WIDTH, 2));
    add(drains(plan, outcome));
    add(around_triggers(plan, outcome));
    add(peers(plan, outcome));
    add(front_ends(plan, outcome));
    add(load(plan, outcome));
    add(tls(outcome));
    add(lookups(plan, outcome));
    add(questions(plan, outcome));
    add(latencies(outcome));
    add(footer(plan, outcome));
    out
}

// ---- what happened

fn headline(plan: &Plan, outcome: &Outcome) -> String {
    let mut lines = String::new();
    if outcome.interrupted {
        lines += &format!("INTERRUPTED at {}: what follows is not a result.\n", words::instant(outcome.ended));
    }
    let ran = words::instant(outcome.ended);
    lines += &match outcome.crashes.first() {
        Some(crash) => crashed(plan, crash),
        None => format!(
            "No front end crashed in {ran} of run time: {}, {} due.",
            words::plural(plan.peers(), "peer", "peers"),
            words::plural(dues(outcome), "refresh", "refreshes"),
        ),
    };
    lines.lines().map(|line| words::wrap(line, WIDTH, 2)).collect::<Vec<_>>().join("\n")
}

fn crashed(plan: &Plan, crash: &CrashReport) -> String {
    let name = words::cut(Names::new(plan).front_end(crash.front_end), 32);
    let age = match crash.service_start {
        Time::NEVER => "before its service started".to_owned(),
        service_start => format!("{} after its service start", words::about(crash.at.since(service_start))),
    };
    format!("{name} crashed at {}, {age}: {}", when(plan, crash.at), words::cause_of(plan, crash))
}

/// A point of run time, with its date if there is one.
fn when(plan: &Plan, at: Time) -> String {
    match words::date(plan, at) {
        Some(date) => format!("{} ({date})", words::instant(at)),
        None => words::instant(at),
    }
}

fn verdict(plan: &Plan, outcome: &Outcome) -> String {
    let course = course(plan, outcome);
    words::wrap(&format!("Verdict: {} - {}", course.name, course.because), WIDTH, 2)
}

fn expectations(judged: &[Judged]) -> String {
    if judged.is_empty() {
        return "Expectations: none are stated, so none was judged".to_owned();
    }
    let number = |verdict| judged.iter().filter(|j| j.verdict == verdict).count();
    let (pass, fail, open) = (number(Verdict::Pass), number(Verdict::Fail), number(Verdict::Inconclusive));
    let mut lines = format!("Expectations: {pass} pass, {fail} FAIL, {open} INCONCLUSIVE\n");
    let worst_first = [Verdict::Fail, Verdict::Inconclusive, Verdict::Pass];
    for verdict in worst_first {
        let those: Vec<&Judged> = judged.iter().filter(|j| j.verdict == verdict).collect();
        let shown = if verdict == Verdict::Pass { PASSES_MAX.min(those.len()) } else { those.len() };
        for judged in &those[..shown] {
            lines += &expectation(judged);
        }
        if shown < those.len() {
            lines += &format!("  ... and {} more that pass\n", those.len() - shown);
        }
    }
    lines
}

fn expectation(judged: &Judged) -> String {
    let word = match judged.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    };
    let mut line = format!("{} [{}]: observed {}", judged.name, judged.text, judged.observed);
    if let Some(why) = &judged.why {
        line += &format!("; {why}");
    }
    expectation_line(word, &line)
}

/// What is said of an expectation, with its verdict before it.
pub(crate) fn expectation_line(word: &str, line: &str) -> String {
    // The word stands before the wrapped text, which is indented to where the text begins.
    let wrapped = words::wrap(line, WIDTH - 15, 2).replace('\n', &format!("\n{:15}", ""));
    format!("  {word:<12} {wrapped}\n")
}

// ---- crashes

fn crashes(plan: &Plan, outcome: &Outcome) -> String {
    let (all, names) = (&outcome.crashes, Names::new(plan));
    if all.is_empty() {
        return String::new();
    }
    let head = ["crash", "front end", "peer asked about", "lost", "50 % back", "99 %", "100 %", "restart"];
    let mut table = Table::new(&head, 3);
    for crash in all.iter().take(CRASHES_MAX) {
        let mut row = vec![
            words::instant(crash.at),
            words::cut(names.front_end(crash.front_end), 16),
            crash.fault.map_or_else(|| "-".to_owned(), |fault| words::cut(&names.peer(fault.peer), 20)),
            words::count(crash.lost),
        ];
        row.extend(crash.reconnected.map(|took| back(crash, took)));
        row.push(crash.restart.map_or_else(|| "stays down".to_owned(), |delay| format!("in {}", words::about(delay))));
        table.row(row);
    }
    let mut lines = format!("Crashes: {}{}\n", words::count(all.len() as u64), spacing(outcome));
    lines += &table.text();
    if all.len() > CRASHES_MAX {
        lines += &format!("  ... and {} more in records.jsonl\n", words::count((all.len() - CRASHES_MAX) as u64));
    }
    lines
}

/// How long it took for a share of the lost peers to be valid again.
fn back(crash: &CrashReport, took: Option<Span>) -> String {
    match took {
        Some(span) => words::about(span),
        None if crash.lost == 0 => "-".to_owned(),
        None => "not yet".to_owned(),
    }
}

/// The time between two crashes of one front end, from the least to the most.
fn spacing(outcome: &Outcome) -> String {
    let mut last = vec![None; outcome.front_ends.len()];
    let mut spacings: Vec<Span> = Vec::new();
    for crash in &outcome.crashes {
        let Some(last) = last.get_mut(usize::from(crash.front_end)) else { continue };
        spacings.extend(last.replace(crash.at).map(|before| crash.at.since(before)));
    }
    match (spacings.iter().min(), spacings.iter().max()) {
        (Some(least), Some(most)) if words::about(*least) == words::about(*most) => {
            format!(", of one front end {} apart", words::about(*least))
        }
        (Some(least), Some(most)) => {
            format!(", of one front end {} to {} apart", words::about(*least), words::about(*most))
        }
        _ => String::new(),
    }
}

// ---- the pool

fn pool(plan: &Plan, outcome: &Outcome) -> String {
    let Some(pool) = &plan.pool else { return String::new() };
    let minimum = &pool.minimum;
    let mut line = format!(
        "Pool: {} front ends, {} needed to start, {} of the first {} to go on; too few {}",
        words::count(plan.front_ends.len() as u64),
        minimum.start,
        minimum.functional,
        minimum.among,
        words::plural(outcome.pool_falls, "time", "times"),
    );
    if let Some(since) = outcome.pool_fell {
        line += &format!(", none serves since {}", words::instant(since));
    }
    words::wrap(&line, WIDTH, 2)
}

// ---- refreshes and latencies

fn refreshes(outcome: &Outcome) -> String {
    let due = dues(outcome);
    if due == 0 {
        return "Refreshes: none fell due".to_owned();
    }
    let outcomes = [
        (Counter::ValidInPlace, "valid in place"),
        (Counter::ValidByReconnect, "valid by reconnect"),
        (Counter::Recovered, "recovered"),
        (Counter::Rejected, "rejected"),
        (Counter::Departed, "departed"),
        (Counter::Dropped, "dropped"),
        (Counter::Missed, "missed"),
        (Counter::Unfinished, "unfinished"),
    ];
    let of = |(counter, name)| (total(outcome, counter), name);
    let told: Vec<String> = outcomes
        .into_iter()
        .map(of)
        .filter(|(n, _)| *n > 0)
        .map(|(n, name): (u64, &str)| format!("{} {name}", words::count(n)))
        .collect();
    let mut line = format!("Refreshes: {} due = {}", words::count(due), told.join(" + "));
    if let Some(age) = outcome.oldest_open_refresh {
        line += &format!("; the oldest open one is {} old", words::about(age));
    }
    words::wrap(&line, WIDTH, 2)
}

/// What became of requests, if anybody sends any.
fn requests(outcome: &Outcome) -> String {
    let Some(counts) = super::latency::requests(outcome, &cells(outcome, &Tags::default())) else {
        return String::new();
    };
    let outcomes = [
        (counts.in_time, "in time"),
        (counts.timed_out, "timed out"),
        (counts.connection_lost, "lost with their connection"),
        (counts.departed, "departed"),
        (counts.unfinished, "unfinished"),
    ];
    let some = outcomes.iter().filter(|(n, _)| *n > 0);
    let told: Vec<String> = some.map(|(n, name)| format!("{} {name}", words::count(*n))).collect();
    let mut line = format!("Requests: {} due", words::count(counts.due));
    if !told.is_empty() {
        line += &format!(" = {}", told.join(" + "));
    }
    if let Some(Value::Share { part, whole }) = goodput(&counts) {
        line += &format!("; goodput {}", words::percent(part, whole));
    }
    if counts.timed_out + counts.connection_lost > 0 {
        line += &format!("; failed at up to {}", words::about(counts.oldest_failed));
    }
    if let Some(age) = counts.oldest_open {
        line += &format!("; the oldest open one is {} old", words::about(age));
    }
    words::wrap(&line, WIDTH, 2)
}

/// Requests of each group that sends any, where there are several.
fn senders(outcome: &Outcome) -> String {
    let of = |cell: u16| super::latency::requests(outcome, &[cell]).map(|counts| (cell, counts));
    let all: Vec<_> = (0..outcome.cells.plans.len() as u16).filter_map(of).collect();
    if all.len() < 2 {
        return String::new();
    }
    let mut table = Table::new(&["requests of", "due", "in time", "failed", "unfinished", "goodput"], 1);
    let mut row = |name: String, counts: &RequestCounts| {
        let good = match goodput(counts) {
            Some(Value::Share { part, whole }) => words::percent(part, whole),
            _ => "-".to_owned(),
        };
        let numbers = [counts.due, counts.in_time, counts.timed_out + counts.connection_lost, counts.unfinished];
        table.row(std::iter::once(name).chain(numbers.map(words::count)).chain([good]).collect());
    };
    let shown = if all.len() > GROUPS_MAX + 1 { GROUPS_MAX } else { all.len() };
    for (cell, counts) in &all[..shown] {
        row(words::cut(&outcome.cells.plans[usize::from(*cell)].group, 28), counts);
    }
    if let Some(rest) = all[shown..].iter().map(|(_, counts)| *counts).reduce(|sum, next| sum.and(&next)) {
        row(format!("({} more)", words::count((all.len() - shown) as u64)), &rest);
    }
    table.text()
}

/// How requests fared around the trigger that they took longest to recover from.
fn around_triggers(plan: &Plan, outcome: &Outcome) -> String {
    let Some(of) = disturbed(outcome) else { return String::new() };
    let share = |which| match figure(plan, outcome, which, &Tags::default()) {
        Some(Value::Share { part, whole }) => words::percent(part, whole),
        _ => "no request".to_owned(),
    };
    let recovery = match of.recovery {
        Some(span) => format!("95 % of that after {}", words::about(span)),
        None => "not yet as before".to_owned(),
    };
    let line = format!(
        "Requests around the trigger of {}: in time {} before, {} during, {} after; {recovery}",
        words::instant(of.begun),
        share(Figure::GoodputBefore),
        share(Figure::GoodputDuring),
        share(Figure::GoodputAfter),
    );
    words::wrap(&line, WIDTH, 2)
}

/// What ticks and crashes left to be worked off, and how long that took.
fn drains(plan: &Plan, outcome: &Outcome) -> String {
    let drains = &outcome.drains;
    let Some(of) = drains.open().or(drains.longest.as_ref()) else { return String::new() };
    let value = |which| match figure(plan, outcome, which, &Tags::default()) {
        Some(Value::Length(ns)) => words::about_sum(ns),
        Some(Value::Never(ns)) => format!("never ({} so far)", words::about_sum(ns)),
        _ => "-".to_owned(),
    };
    let mut line = format!(
        "Drain after {}: {} at most, ideally {}; 95 % after {}. That of {}",
        words::plural(drains.episodes, "trigger", "triggers"),
        value(Figure::DrainActual),
        value(Figure::DrainIdeal),
        value(Figure::Recovery),
        words::instant(of.begun),
    );
    if of.ended.is_none() {
        line += " goes on";
    } else {
        let cpu = of.work.cpu.map_or_else(|| "endless".to_owned(), words::about_sum);
        line += &format!(
            " left {} to {}: {}, {cpu} of CPU",
            words::plural(of.after.backlog(), "peer", "peers"),
            words::plural(of.work.cores, "core", "cores"),
            words::plural(of.work.jobs, "job", "jobs"),
        );
    }
    words::wrap(&line, WIDTH, 2)
}

fn latencies(outcome: &Outcome) -> String {
    let head = ["latency", "transport", "cause", "n", "never", "p50", "p99", "p99.9", "max"];
    let mut table = Table::new(&head, 3);
    for metric in Metric::ALL {
        if *metric == Metric::Sweep {
            latency(&mut table, outcome, *metric, None, Cause::Refresh);
            continue;
        }
        for transport in [Transport::Tcp, Transport::Tls] {
            for cause in Cause::ALL {
                latency(&mut table, outcome, *metric, Some(transport), cause);
            }
        }
    }
    if table.rows.is_empty() {
        return String::new();
    }
    let mut lines = table.text();
    lines += "  (upper bucket edges, 3 digits; -: fewer than 10 samples beyond; never: did not end valid)\n";
    if outcome.meters.excluded > 0 {
        let n = words::count(outcome.meters.excluded);
        lines += &format!("  ({n} samples ended before measuring began and are left out)\n");
    }
    lines
}

fn latency(table: &mut Table, outcome: &Outcome, metric: Metric, transport: Option<Transport>, cause: Cause) {
    let tags = Tags { transport, cause: Some(cause), ..Tags::default() };
    let samples = Samples::of(outcome, metric, &tags, None);
    if samples.ranked() == 0 {
        return;
    }
    let quantile = |ppm| match samples.printed(ppm) {
        Printed::Unknown => "-".to_owned(),
        Printed::Never => "never".to_owned(),
        Printed::UpTo(span) => words::about(span),
    };
    let never = if samples.never_min > 0 { words::count(samples.never_min) } else { String::new() };
    let (transport, n) = (transport.map_or("-", Transport::name).to_owned(), words::count(samples.ranked()));
    let mut row = vec![metric.name().to_owned(), transport, cause.name().to_owned(), n, never];
    row.extend([500_000, 990_000, 999_000, 1_000_000].map(quantile));
    table.row(row);
}

// ---- peers and front ends

fn peers(plan: &Plan, outcome: &Outcome) -> String {
    let head = ["group", "transport", "peers", "availability", "peer time lost", "losses", "attempts/success"];
    let mut table = Table::new(&head, 2);
    let count = outcome.cells.plans.len();
    // One line for the rest takes as much room as one group.
    let shown = if count > GROUPS_MAX + 1 { GROUPS_MAX } else { count };
    for cell in 0..shown as u16 {
        let of = &outcome.cells.plans[usize::from(cell)];
        let transport = of.transport.name().to_owned();
        table.row(group_row(outcome, words::cut(&of.group, 28), transport, &[cell]));
    }
    if shown < count {
        let rest: Vec<u16> = (shown as u16..count as u16).collect();
        let name = format!("({} more)", words::count(rest.len() as u64));
        table.row(group_row(outcome, name, String::new(), &rest));
    }
    let mut lines = table.text();
    let mut told = Vec::new();
    if let Some(Value::Count(most)) = figure(plan, outcome, Figure::DisconnectedMax, &Tags::default()) {
        told.push(format!("Most disconnected at once: {}{}", words::count(most), most_at(outcome)));
    }
    let mut end = format!("at the end: {}", words::count(disconnected(outcome)));
    if let Some(age) = outcome.oldest_open_outage {
        end += &format!(", for up to {}", words::about(age));
    }
    told.push(end);
    lines += &words::wrap(&told.join("; "), WIDTH, 2);
    lines
}

/// When most peers were cut off.
fn most_at(outcome: &Outcome) -> String {
    let (most, at) = outcome.disconnected_max;
    if most == 0 { String::new() } else { format!(" at {}", words::instant(at)) }
}

fn group_row(outcome: &Outcome, name: String, transport: String, cells: &[u16]) -> Vec<String> {
    let sum = |counter| super::latency::counted(outcome, cells, counter);
    let figures = || cells.iter().filter_map(|cell| outcome.groups.get(usize::from(*cell)));
    let present: u128 = figures().map(|f| f.present).sum();
    let lost: u128 = figures().map(|f| f.lost).sum();
    vec![
        name,
        transport,
        words::count(figures().map(|f| f.peers).sum()),
        words::percent(present.saturating_sub(lost), present),
        words::about_sum(lost),
        words::count(sum(Counter::Losses)),
        ratio(sum(Counter::Attempts), sum(Counter::Valids)),
    ]
}

/// `1.25`; `-` of nothing.
fn ratio(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let hundredths = u128::from(part) * 100 / u128::from(whole);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn front_ends(plan: &Plan, outcome: &Outcome) -> String {
    let head = ["front end", "at the end", "starts", "valid", "workers used", "cores used", "peak queue", "at"];
    let mut table = Table::new(&head, 2);
    for front_end in outcome.front_ends.iter().take(GROUPS_MAX) {
        let tags = Tags { front_end: Some(front_end.name.clone()), ..Tags::default() };
        let used = |which| match figure(plan, outcome, which, &tags) {
            Some(Value::Share { part, whole }) => words::percent(part, whole),
            _ => "-".to_owned(),
        };
        let queue = &front_end.account;
        let at = if queue.queue_max > 0 { words::instant(queue.queue_max_at) } else { "-".to_owned() };
        table.row(vec![
            words::cut(&front_end.name, 24),
            if front_end.up { "serves" } else { "DOWN" }.to_owned(),
            words::count(front_end.incarnations.into()),
            words::count(front_end.valid),
            used(Figure::WorkerUtilisation),
            used(Figure::CoreUtilisation),
            words::count(queue.queue_max),
            at,
        ]);
    }
    let mut lines = table.text();
    if let Some(more) = outcome.front_ends.len().checked_sub(GROUPS_MAX).filter(|more| *more > 0) {
        lines += &format!("  ... and {more} more in summary.json\n");
    }
    lines
}

fn load(plan: &Plan, outcome: &Outcome) -> String {
    let attempts = total(outcome, Counter::Attempts);
    let mut told = vec![
        format!("Attempts per success: {}", ratio(attempts, total(outcome, Counter::Valids))),
        format!("{} of {} attempts timed out", words::count(total(outcome, Counter::TimeOuts)), words::count(attempts)),
    ];
    if let Some(Value::Share { part, whole }) = figure(plan, outcome, Figure::WastedWork, &Tags::default()) {
        told.push(format!("wasted work: {}", words::percent(part, whole)));
    }
    told.extend(rejections(outcome));
    let herd = &outcome.herd.indices;
    if let (Some(least), Some(most)) = (herd.iter().min(), herd.iter().max()) {
        let range = if least == most {
            words::count(*most)
        } else {
            format!("{} to {}", words::count(*least), words::count(*most))
        };
        told.push(format!("herd index: {range} (1: even)"));
    }
    words::wrap(&told.join("; "), WIDTH, 2)
}

/// Reasons that are told, each with its number; the rest is told as one number.
const REASONS: usize = 3;

/// How many were rejected and why, if any were.
fn rejections(outcome: &Outcome) -> Option<String> {
    let all = total(outcome, Counter::Rejections);
    let reasons = outcome.reasons.of(&cells(outcome, &Tags::default()));
    let (named, others) = reasons.split_at(reasons.len().min(REASONS));
    let mut told: Vec<String> =
        named.iter().map(|(reason, count)| format!("{reason}: {}", words::count(*count))).collect();
    if !others.is_empty() {
        let count = others.iter().map(|(_, count)| count).sum();
        told.push(format!(
            "{}: {}",
            words::plural(others.len() as u64, "other reason", "other reasons"),
            words::count(count)
        ));
    }
    (all > 0).then(|| format!("{} rejected ({})", words::count(all), told.join(", ")))
}

/// TLS handshakes, if any group says what they take.
fn tls(outcome: &Outcome) -> String {
    let Some(tls) = handshakes(outcome, &cells(outcome, &Tags::default())) else {
        return String::new();
    };
    let mut line = format!("TLS handshakes: {} full, {} resumed", words::count(tls.full), words::count(tls.resumed));
    if tls.declined > 0 {
        line += &format!("; {} not resumed", words::plural(tls.declined, "session was", "sessions were"));
    }
    if tls.unweighed == 0 {
        let (there, back) = (words::count(tls.to_front_end), words::count(tls.to_peer));
        line += &format!("; {there} bytes to front ends, {back} to peers");
    }
    words::wrap(&line, WIDTH, 2)
}

/// Look-ups, if there are any, and what waiting for others cost.
fn lookups(plan: &Plan, outcome: &Outcome) -> String {
    let those: Vec<_> = outcome.front_ends.iter().collect();
    let mut told = Vec::new();
    if let Some(all) = looked(plan, &those, &Tags::default()) {
        told.push(format!("Look-ups: {} made", words::count(all.made)));
        let (failed, cached, joined) = (all.failed + all.timed_out, all.cached, all.joined);
        let more = [
            (failed, "without an answer"),
            (all.timed_out, "of them timed out"),
            (all.negative, "answered no"),
            (cached, "answered by earlier ones"),
            (joined, "joined one under way"),
            (all.skipped, "skipped for lack of time"),
        ];
        told.extend(more.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", words::count(n))));
    }
    if let Some(Value::Share { part, whole }) = figure(plan, outcome, Figure::Blocked, &Tags::default())
        && part > 0
    {
        let subject = if told.is_empty() { "Workers" } else { "workers" };
        told.push(format!("{subject} blocked for {} of their time", words::percent(part, whole)));
    }
    words::wrap(&told.join("; "), WIDTH, 2)
}

/// The question space: what validators were asked and how they answered, and what they never were.
fn questions(plan: &Plan, outcome: &Outcome) -> String {
    let mut table = Table::new(&["question", "certificate", "phase", "accept", "reject", "fault"], 3);
    for row in coverage(plan, outcome) {
        let kind = row.kind;
        let mut cells = vec![
            kind.transport.name().to_owned(),
            certificate_name(kind.certificate).to_owned(),
            kind.phase.name().to_owned(),
        ];
        match row.asked() {
            0 => cells.push("NEVER ASKED".to_owned()),
            _ => cells.extend(row.answered.map(|n| if n == 0 { "-".to_owned() } else { words::count(n) })),
        }
        table.row(cells);
    }
    table.text()
}

fn footer(plan: &Plan, outcome: &Outcome) -> String {
    let assumed = match plan.assumptions.len() {
        0 => "no assumptions".to_owned(),
        n => words::plural(n as u64, "assumption", "assumptions") + " (refresh-sim resolve shows them)",
    };
    let folded = match outcome.cells.folded {
        0 => String::new(),
        n => format!(", {n} groups beyond the 64th measured together as `other`"),
    };
    let replication = match plan.replication {
        0 => String::new(),
        n => format!(", replication {n}"),
    };
    let name = words::cut(&words::printable(&plan.name), 40);
    let first = format!("{name}: seed {}{replication}, {assumed}{folded}", plan.seed);
    let digest = outcome.digest.as_deref().unwrap_or("none, the run was interrupted");
    format!("{}\ndigest {digest}", words::wrap(&first, WIDTH, 2))
}

// ---- a table

/// Lines in columns: the first ones to the left, numbers to the right.
pub(crate) struct Table {
    head: Vec<String>,
    left: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// One with these titles, of which the first `left` stand to the left.
    pub(crate) fn new(head: &[&str], left: usize) -> Table {
        Table { head: head.iter().map(|&title| title.to_owned()).collect(), left, rows: Vec::new() }
    }

    /// Adds a line.
    pub(crate) fn row(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// All of it, indented; titles alone if there is no line.
    pub(crate) fn text(&self) -> String {
        let mut widths: Vec<usize> = self.head.iter().map(String::len).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        // The first column holds names: it gives way to numbers.
        let excess = widths.iter().map(|width| width + 2).sum::<usize>().saturating_sub(WIDTH);
        if let Some(first) = widths.first_mut() {
            *first = (*first).min(first.saturating_sub(excess).max(8));
        }
        let mut out = String::new();
        for row in [&self.head].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let cell = words::cut(cell, *width);
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                line.push_str("  ");
                line += &if column < self.left { format!("{cell}{pad}") } else { format!("{pad}{cell}") };
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_their_ends() {
        let mut table = Table::new(&["name", "n"], 1);
        table.row(vec!["a".to_owned(), "10".to_owned()]);
        table.row(vec!["longer".to_owned(), String::new()]);
        assert_eq!(table.text(), "  name     n\n  a       10\n  longer\n");
    }
}
