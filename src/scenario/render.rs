//! A plan as a scenario file: every key written, every assumption beside its key.
//!
//! Loading the text gives the same plan, but for its name, replication and assumptions.

mod particulars;
mod reconnect;

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use crate::dist::Dist;
use crate::policy::lookup::{Condition, Lives, Lookup, OnFailure, Waiting};
use crate::policy::tcp::Stack;
use crate::policy::tls::{Bytes, Store};
use crate::policy::{
    Act, Action, Anchor, Failover, Issuer, Limit, ListOrder, Ratio, Refresh, Replaced, Style, TurnRate, Validity,
};
use crate::time::{Span, Time};

use super::decode::{joined, toml_string as string};
use super::file::{
    ActionWord, AnchorWord, CertificateWord, LookupChange, ResumptionWord, StyleWord, TimelineWord, Word,
};
use super::plan::{
    Assumption, Change, FrontEndPlan, GroupPlan, Operate, Plan, ProcessPlan, Requests, SEMANTICS, TlsPlan,
};
use super::resolve::{written_date, written_restart};

/// Writes a plan as a scenario file.
///
/// Only for plans whose front ends differ in nothing but name and start, and whose groups share their validation times,
/// as all have that were loaded.
pub fn render(plan: &Plan) -> String {
    let mut out = Writer { text: String::new(), path: String::new(), assumed: by_key(&plan.assumptions) };
    out.line("schema", 1);
    out.line("semantics", SEMANTICS);
    run(&mut out, plan);
    front_end(&mut out, &plan.front_ends);
    if let Some(refresh) = &plan.refresh {
        self::refresh(&mut out, refresh);
    }
    if let Some(of) = &plan.issuer {
        issuer(&mut out, of);
    }
    recovery(&mut out, plan);
    pool(&mut out, plan);
    if let Some(middlebox) = &plan.middlebox {
        out.section("[middlebox]", "middlebox");
        out.line("probe", length(middlebox.probe));
        out.line("persistence", middlebox.persistence);
        if let Some(idle) = middlebox.idle {
            out.line("idle", length(idle.after));
            out.line("on_idle", word(idle.then));
        }
    }
    validation(&mut out, plan);
    for lookup in &plan.lookups.each {
        self::lookup(&mut out, lookup);
    }
    for peers in &plan.groups {
        group(&mut out, peers, &plan.front_ends);
    }
    timeline(&mut out, plan);
    lookup_changes(&mut out, plan);
    issuer_changes(&mut out, plan);
    operations(&mut out, plan);
    measure(&mut out, plan);
    process(&mut out, &plan.process);
    if !plan.expect.is_empty() {
        out.section("[expect]", "expect");
    }
    for expectation in &plan.expect {
        out.line(&joined("", &expectation.name), string(&expectation.text));
    }
    out.finish()
}

fn by_key(assumptions: &[Assumption]) -> BTreeMap<&str, &str> {
    assumptions.iter().map(|assumption| (assumption.key.as_str(), assumption.text.as_str())).collect()
}

/// The text so far, and the assumptions that have not found their key yet.
struct Writer<'a> {
    text: String,
    path: String,
    assumed: BTreeMap<&'a str, &'a str>,
}

impl Writer<'_> {
    /// Begins a table.
    fn section(&mut self, header: &str, path: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "\n{header}");
        self.path = path.to_owned();
        self.comment(path);
        self.text.push('\n');
    }

    fn line(&mut self, key: &str, value: impl Display) {
        let _ = write!(self.text, "{key} = {value}");
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        self.comment(&path);
        self.text.push('\n');
    }

    /// Writes the assumptions of a key and of the keys within its inline table.
    fn comment(&mut self, path: &str) {
        let is_section = self.path == path;
        let within = format!("{path}.");
        let found: Vec<(&str, &str)> = self
            .assumed
            .range(path..)
            .take_while(|(key, _)| key.starts_with(path))
            .filter(|(key, _)| **key == path || (!is_section && key.starts_with(&within)))
            .map(|(key, text)| (*key, *text))
            .collect();
        for (key, text) in found {
            self.assumed.remove(key);
            let what = key.strip_prefix(&within).map_or(String::new(), |key| format!("{key} "));
            let _ = write!(self.text, "  # assumed: {}", one_line(&format!("{what}{text}")));
        }
    }

    /// The text, with assumptions whose key is not written in a block on top.
    fn finish(self) -> String {
        let mut top = String::new();
        for (key, text) in &self.assumed {
            let _ = writeln!(top, "# assumed: {}", one_line(&format!("{key}: {text}")));
        }
        top + &self.text
    }
}

/// Comments end with their line and take no control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn run(out: &mut Writer<'_>, plan: &Plan) {
    out.section("[run]", "run");
    out.line("horizon", length(plan.horizon));
    out.line("seed", plan.seed);
    if let Some(epoch) = plan.epoch {
        out.line("epoch", string(&written_date(epoch)));
    }
    out.line("start", word(plan.start));
    out.line("tie_order", word(plan.tie_order));
}

fn front_end(out: &mut Writer<'_>, nodes: &[FrontEndPlan]) {
    out.section("[front_end]", "front_end");
    out.text.push_str("nodes = [\n");
    for node in nodes {
        let _ = write!(out.text, "  {{ name = {}, starts = {}", string(&node.name), length(Span(node.starts.0)));
        if let Some(domain) = node.upgrade_domain {
            let _ = write!(out.text, ", upgrade_domain = {domain}");
        }
        out.text.push_str(" },\n");
    }
    out.text.push_str("]\n");
    let Some(shared) = nodes.first() else {
        return;
    };
    out.line("start_up", dist(&shared.start_up));
    out.line("workers", shared.workers);
    out.line("cores", shared.cores);
    if let Some(limit) = shared.queue_limit {
        out.line("queue_limit", limit);
        out.line("when_full", word(shared.when_full));
    }
    if let Some(accept) = &shared.accept {
        out.line("accept", dist(accept));
    }
    if shared.notices {
        out.line("notices", true);
    }
    if !shared.limits.is_none() {
        out.line("limits", reconnect::limits(&shared.limits));
    }
    out.section("[front_end.listen]", "front_end.listen");
    out.line("backlog", shared.listen.backlog);
    out.line("somaxconn", shared.listen.somaxconn);
    if let Some(syn_backlog) = shared.listen.syn_backlog {
        out.line("syn_backlog", syn_backlog);
    }
    out.line("overflow", word(shared.listen.overflow));
}

fn refresh(out: &mut Writer<'_>, refresh: &Refresh) {
    out.section("[refresh]", "refresh");
    out.line("every", length(refresh.every));
    let (anchor, offset) = match refresh.anchor {
        Anchor::ServiceStart => (AnchorWord::ServiceStart, None),
        Anchor::OwnAge => (AnchorWord::OwnAge, None),
        Anchor::WallClock(offset) => (AnchorWord::WallClock, Some(offset)),
    };
    out.line("anchor", word(anchor));
    if let Some(offset) = offset {
        out.line("offset", length(offset));
    }
    out.line("spread", length(refresh.spread));
    let transports = [("tcp", refresh.tcp), ("tls", refresh.tls)];
    out.line("transports", list(transports.iter().filter(|(_, on)| *on).map(|(name, _)| string(name))));
    out.line("order", word(refresh.order));
    match refresh.act {
        Act::Revalidate => out.line("action", word(ActionWord::Revalidate)),
        Act::Reconnect(initiator) => {
            out.line("action", word(ActionWord::Reconnect));
            out.line("initiator", word(initiator));
            style(out, refresh.style);
        }
    }
    if let Some(of) = refresh.limit {
        limit(out, of);
    }
}

fn style(out: &mut Writer<'_>, style: Style) {
    match style {
        Style::BreakFirst => out.line("style", word(StyleWord::BreakFirst)),
        Style::MakeFirst { grace } => {
            out.line("style", word(StyleWord::MakeFirst));
            out.line("grace", length(grace));
        }
    }
}

fn issuer(out: &mut Writer<'_>, issuer: &Issuer) {
    out.section("[issuer]", "issuer");
    out.line("workers", issuer.workers);
    out.line("cost", dist(&issuer.cost));
    if let Some(of) = issuer.rate {
        rate(out, of);
    }
}

/// What the timeline does to the issuer.
fn issuer_changes(out: &mut Writer<'_>, plan: &Plan) {
    let fails = plan.issuer.iter().flat_map(|issuer| &issuer.fails);
    let entries =
        fails.flat_map(|(from, until)| [(*from, TimelineWord::IssuerFails), (*until, TimelineWord::IssuerHeals)]);
    for (at, change) in entries.filter(|(at, _)| *at != Time::NEVER) {
        out.section("[[timeline]]", "timeline.issuer");
        out.line("at", length(Span(at.0)));
        out.line("do", word(change));
    }
}

fn rate(out: &mut Writer<'_>, rate: TurnRate) {
    out.line("rate", string(&format!("{}/{}", rate.turns, rate.per)));
    out.line("burst", rate.burst);
}

fn limit(out: &mut Writer<'_>, limit: Limit) {
    out.section("[refresh.limit]", "refresh.limit");
    if let Some(of) = limit.rate {
        rate(out, of);
    }
    if let Some(batch) = limit.batch {
        out.line("batch", batch.turns);
        out.line("every", length(batch.every));
    }
    if limit.spacing > Span::ZERO {
        out.line("spacing", length(limit.spacing));
    }
}

fn recovery(out: &mut Writer<'_>, plan: &Plan) {
    out.section("[recovery]", "recovery");
    let action = |action: &Action| {
        string(&match action {
            Action::Restart(delay) => format!("restart after {delay}"),
            Action::Reboot { delay, away } => format!("reboot after {delay} away {away}"),
            Action::None => "none".to_owned(),
        })
    };
    out.line("actions", list(plan.recovery.actions.iter().map(action)));
    out.line("reset_period", length_or_never(plan.recovery.reset_period));
    out.line("dump", length(plan.recovery.dump));
}

fn pool(out: &mut Writer<'_>, plan: &Plan) {
    let Some(pool) = &plan.pool else { return };
    out.section("[pool]", "pool");
    let minimum = &pool.minimum;
    let (start, functional, among) = (minimum.start, minimum.functional, minimum.among);
    out.line("minimum", format!("{{ start = {start}, functional = {functional}, among = {among} }}"));
    out.line("quorum", pool.quorum);
    out.line("restart", string(&written_restart(pool.restart)));
}

fn validation(out: &mut Writer<'_>, plan: &Plan) {
    out.section("[validation]", "validation");
    match &plan.outside {
        None => out.line("validator", word(plan.validator)),
        Some(outside) => {
            out.line("command", list(outside.command.iter().map(|word| string(word))));
            out.line("answer_limit", length(outside.answer_limit));
        }
    }
    if let Some(group) = plan.groups.first() {
        out.line("accept", dist(&group.validate_accept));
        out.line("refresh", dist(&group.validate_refresh));
    }
    if !plan.lookups.each.is_empty() || plan.lookups.total.is_some() {
        out.line("lookup_total", length_or_never(plan.lookups.total));
    }
    if plan.lookups.of_verdict != Waiting::default() {
        out.line("verdict_wait", word(plan.lookups.of_verdict));
    }
}

fn lookup(out: &mut Writer<'_>, lookup: &Lookup) {
    let path = joined("lookup", &lookup.name);
    out.section("[[lookup]]", &path);
    out.line("name", string(&lookup.name));
    if let Some(kind) = &lookup.kind {
        out.line("kind", string(kind));
    }
    let share = |share: Ratio| string(&share.to_string());
    out.line("latency", dist(&lookup.latency));
    out.line("failure", share(lookup.failure));
    out.line("negative", share(lookup.negative));
    out.line("timeout", length_or_never(lookup.timeout));
    out.line("mode", word(lookup.mode));
    out.line("single_flight", lookup.single_flight);
    out.line("key", word(lookup.key));
    let named = |all: [(&str, bool); 2]| list(all.into_iter().filter(|(_, on)| *on).map(|(name, _)| string(name)));
    out.line("on", named([("accept", lookup.accept), ("refresh", lookup.refresh)]));
    out.line("transports", named([("tcp", lookup.tcp), ("tls", lookup.tls)]));
    out.line("cpu_before", share(lookup.cpu_before));
    out.line("on_failure", word(lookup.on_failure));
    let Lives { positive, negative, soft_fail } = lookup.lives;
    let mut lives = format!("positive = {}, negative = {}", length(positive), length(negative));
    if lookup.on_failure == OnFailure::SoftFail {
        lives += &format!(", soft_fail = {}", length(soft_fail));
    }
    out.line("cache", format!("{{ {lives} }}"));
}

/// What the timeline does to look-ups.
fn lookup_changes(out: &mut Writer<'_>, plan: &Plan) {
    for lookup in &plan.lookups.each {
        for (at, condition) in &lookup.changes {
            out.section("[[timeline]]", "timeline.lookup");
            out.line("at", length(Span(at.0)));
            let (change, more) = match condition {
                Condition::Well => (LookupChange::Heals, None),
                Condition::Slower(ratio) => (LookupChange::Slow, Some(("factor", string(&ratio.to_string())))),
                Condition::Slow(latency) => (LookupChange::Slow, Some(("latency", dist(latency)))),
                Condition::Failing(None) => (LookupChange::Fails, None),
                Condition::Failing(Some(noticed)) => (LookupChange::Fails, Some(("latency", dist(noticed)))),
            };
            out.line("do", word(TimelineWord::Lookup(change)));
            out.line("lookup", string(&lookup.name));
            if let Some((key, value)) = more {
                out.line(key, value);
            }
        }
    }
}

fn group(out: &mut Writer<'_>, group: &GroupPlan, nodes: &[FrontEndPlan]) {
    out.section("[[group]]", &joined("group", &group.name));
    out.line("name", string(&group.name));
    out.line("count", group.count);
    if let Some(indices) = &group.indices {
        indices_line(out, indices, group.count);
    }
    out.line("transport", word(group.transport));
    out.line("certificate", word(CertificateWord(group.certificate)));
    out.line("address", string(&group.address.to_string()));
    out.line("port", group.port);
    out.line("known", group.known);
    if let Some(particulars) = &group.particulars {
        particulars::write(out, particulars);
    }
    out.line("rtt", dist(&group.rtt));
    if !group.flights.is_empty() {
        // The plan no longer knows the handshake's name: its flights say the same.
        if let Some(text) = out.assumed.remove(format!("{}.handshake", out.path).as_str()) {
            let _ = writeln!(out.text, "# assumed: handshake {}", one_line(text));
        }
        out.line("flights", list(group.flights.iter().map(dist)));
    }
    if !group.client_cpu.is_empty() {
        out.line("client_cpu", list(group.client_cpu.iter().map(dist)));
    }
    out.line("attempt_timeout", length_or_never(group.attempt_timeout));
    if !group.timeouts.is_none() {
        out.line("timeouts", reconnect::timeouts(&group.timeouts));
    }
    out.line("reconnect", reconnect::reconnect(&group.reconnect));
    let names = group.front_ends.iter().filter_map(|position| nodes.get(usize::from(*position)));
    out.line("front_ends", list(names.map(|node| string(&node.name))));
    let failover = &group.failover;
    if failover.order == ListOrder::Middlebox {
        out.line("failover", format!("{{ order = {} }}", word(failover.order)));
    } else if *failover != Failover::PLAIN {
        let (order, black_list) = (word(failover.order), length(failover.black_list));
        let fail_back = length_or_never(failover.fail_back);
        out.line("failover", format!("{{ order = {order}, black_list = {black_list}, fail_back = {fail_back} }}"));
    }
    out.line("present", group.present);
    let path = out.path.clone();
    if let Some(of) = &group.validity {
        validity(out, of, &path);
    }
    if let Some(settings) = &group.tls {
        tls(out, &path, settings);
    }
    if let Some(settings) = &group.requests {
        requests(out, &path, settings);
    }
    self::path(out, group);
    tcp(out, group);
}

fn requests(out: &mut Writer<'_>, group: &str, requests: &Requests) {
    out.section("[group.requests]", &format!("{group}.requests"));
    out.line("every", dist(&requests.every));
    out.line("cpu", dist(&requests.cpu));
    out.line("timeout", length_or_never(requests.timeout));
    if requests.timeout.is_some() {
        out.line("on_timeout", word(requests.on_timeout));
    }
    if let Some(most) = requests.stop_after {
        out.line("stop_after", most);
    }
}

fn path(out: &mut Writer<'_>, group: &GroupPlan) {
    out.section("[group.path]", &format!("{}.path", joined("group", &group.name)));
    if let Some(variation) = &group.path.variation {
        out.line("variation", dist(variation));
    }
    let ppm = group.path.loss.ppm();
    let percent = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    out.line("loss", string(&format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))));
}

fn tcp(out: &mut Writer<'_>, group: &GroupPlan) {
    out.section("[group.tcp]", &format!("{}.tcp", joined("group", &group.name)));
    let tcp = &group.tcp;
    out.line("stack", word(tcp.stack));
    if tcp.stack == Stack::Custom {
        out.line("resends", list(tcp.syn.resends().iter().map(|at| length(*at))));
        out.line("give_up", length(tcp.syn.give_up()));
    }
    if let Some(ports) = tcp.ports {
        out.line("ports", ports);
    }
    out.line("time_wait", length(tcp.time_wait));
    if let Some(addresses) = tcp.addresses {
        out.line("addresses", addresses);
    }
    if let Some(keep_alive) = tcp.keep_alive {
        out.line("keep_alive", reconnect::keep_alive(keep_alive));
    }
}

fn validity(out: &mut Writer<'_>, validity: &Validity, path: &str) {
    out.section("[group.validity]", &format!("{path}.validity"));
    if let Some(end) = validity.not_after {
        out.line("not_after", length(Span(end.0)));
    }
    if let Some(lives) = &validity.lives {
        out.line("lives", dist(lives));
    }
    match &validity.replaced {
        Replaced::Never => {}
        Replaced::Before(span) => out.line("renew_before", length(*span)),
        Replaced::After(late) => out.line("replaced", dist(late)),
        Replaced::Asked(ask) => {
            out.line("asks_at", list([ask.from, ask.to].iter().map(|share| string(&share.to_string()))));
            if let Some(poll) = ask.poll {
                out.line("poll", length(poll));
            }
            out.line("then", word(ask.then));
        }
    }
}

/// The plan knows costs and not what they are measured of: an assumption says that.
fn tls(out: &mut Writer<'_>, group: &str, tls: &TlsPlan) {
    let path = format!("{group}.tls");
    out.section("[group.tls]", &path);
    if let Some(finish) = &tls.finish {
        out.line("finish", dist(finish));
    }
    let bytes = |bytes: Bytes| list([bytes.to_front_end, bytes.to_peer].iter());
    if let Some(full) = tls.bytes {
        out.line("bytes", bytes(full));
    }
    let Some(resumed) = &tls.resumed else {
        return out.line("resumption", word(ResumptionWord::None));
    };
    match resumed.resumption.store {
        Store::Cache { entries } => {
            out.line("resumption", word(ResumptionWord::Cache));
            out.line("entries", entries);
        }
        Store::Tickets(key) => {
            out.line("resumption", word(ResumptionWord::Tickets));
            out.line("ticket_key", word(key));
        }
    }
    out.line("lifetime", length(resumed.resumption.lifetime));
    out.line("renew", resumed.resumption.renew);
    out.line("resumed_flights", list(resumed.flights.iter().map(dist)));
    if !resumed.client_cpu.is_empty() {
        out.line("resumed_client_cpu", list(resumed.client_cpu.iter().map(dist)));
    }
    if let Some(of_resumed) = resumed.bytes {
        out.line("resumed_bytes", bytes(of_resumed));
    }
}

/// The shorter of the two lists that say which indices there are.
fn indices_line(out: &mut Writer<'_>, indices: &[u32], count: u32) {
    if indices.len() as u64 * 2 <= u64::from(count) {
        return out.line("only", list(indices.iter()));
    }
    let mut there = indices.iter().peekable();
    let gone = (0..count).filter(|index| there.next_if(|there| *there == index).is_none());
    out.line("omit", list(gone));
}

fn timeline(out: &mut Writer<'_>, plan: &Plan) {
    for (nth, entry) in plan.timeline.iter().enumerate() {
        out.section("[[timeline]]", &format!("timeline.{nth}"));
        out.line("at", length(Span(entry.at.0)));
        match entry.change {
            Change::Slow(factor) => {
                out.line("do", word(TimelineWord::Slow));
                out.line("factor", string(&factor.to_string()));
            }
            change => out.line("do", word(TimelineWord::Peers(change))),
        }
        let group = plan.groups.get(usize::from(entry.group)).map_or("", |group| &group.name);
        out.line("group", string(group));
        if let Some(indices) = &entry.indices {
            out.line("only", list(indices.iter()));
        }
        if let Some(node) = entry.front_end.and_then(|place| plan.front_ends.get(usize::from(place))) {
            out.line("front_end", string(&node.name));
        }
    }
}

fn operations(out: &mut Writer<'_>, plan: &Plan) {
    for (nth, operation) in plan.operations.iter().enumerate() {
        out.section("[[timeline]]", &format!("timeline.{}", plan.timeline.len() + nth));
        out.line("at", length(Span(operation.at.0)));
        let (verb, patch) = match operation.what {
            Operate::Stop => (TimelineWord::Stop, None),
            Operate::Start => (TimelineWord::Start, None),
            Operate::Crash => (TimelineWord::Crash, None),
            Operate::Patch { away, validator, gap: None } => (TimelineWord::Patch, Some((away, validator))),
            Operate::Patch { away, validator, gap: Some(_) } => (TimelineWord::RollingPatch, Some((away, validator))),
        };
        out.line("do", word(verb));
        if let Operate::Patch { gap: Some(gap), .. } = operation.what {
            out.line("gap", length(gap));
        } else {
            let places = operation.stages.iter().flatten();
            let names = places.filter_map(|place| plan.front_ends.get(usize::from(*place)));
            out.line("front_end", list(names.map(|front_end| string(&front_end.name))));
        }
        if let Some((away, validator)) = patch {
            out.line("away", length(away));
            if let Some(validator) = validator {
                out.line("validator", word(validator));
            }
        }
    }
}

fn measure(out: &mut Writer<'_>, plan: &Plan) {
    out.section("[measure]", "measure");
    out.line("from", length(Span(plan.measure.from.0)));
    out.line("sample", length(plan.measure.sample));
    out.line("cycles", list(plan.measure.cycles.iter()));
    if let Some(limit) = plan.measure.window_limit {
        out.line("window_limit", length(limit));
    }
}

fn process(out: &mut Writer<'_>, process: &ProcessPlan) {
    if *process == ProcessPlan::default() {
        return;
    }
    let ProcessPlan {
        service,
        application,
        application_version,
        application_timestamp,
        module,
        module_version,
        module_timestamp,
        process_id,
        fault_offset,
        report_id,
        application_path,
        module_path,
    } = process;
    out.section("[process]", "process");
    for (key, value) in [
        ("service", service),
        ("application", application),
        ("application_version", application_version),
        ("application_timestamp", application_timestamp),
        ("module", module),
        ("module_version", module_version),
        ("module_timestamp", module_timestamp),
        ("report_id", report_id),
        ("application_path", application_path),
        ("module_path", module_path),
    ] {
        if let Some(value) = value {
            out.line(key, string(value));
        }
    }
    if let Some(id) = process_id {
        out.line("process_id", id);
    }
    if let Some(offset) = fault_offset {
        out.line("fault_offset", format_args!("{offset:#x}"));
    }
}

fn word(value: impl Word) -> String {
    string(value.word())
}

fn length(span: Span) -> String {
    string(&span.to_string())
}

fn length_or_never(span: Option<Span>) -> String {
    span.map_or_else(|| string("never"), length)
}

fn list(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}

/// A distribution, from what it says of itself: its kind, then names and values.
fn dist(dist: &Dist) -> String {
    let text = dist.to_string();
    let (kind, rest) = text.split_once(' ').unwrap_or((&text, ""));
    // A value may be several words, `1d 2m`; names begin with a letter and values with a digit.
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for word in rest.split(' ') {
        match pairs.last_mut() {
            Some((_, value)) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                let gap = if value.is_empty() { "" } else { " " };
                let _ = write!(value, "{gap}{word}");
            }
            _ => pairs.push((word, String::new())),
        }
    }
    match dist {
        Dist::Constant(_) => string(rest),
        Dist::Exponential(_) => format!("{{ {kind} = {} }}", string(rest)),
        Dist::Uniform(_) => {
            let (low, high) = rest.split_once("..").unwrap_or((rest, rest));
            format!("{{ uniform = [{}, {}] }}", string(low), string(high))
        }
        Dist::Empirical(_) => {
            let points = pairs.iter().map(|(name, value)| format!("[{}, {}]", string(name), string(value)));
            format!("{{ percentiles = {} }}", list(points))
        }
        Dist::LogNormal(_) | Dist::Pareto(_) | Dist::Weibull(_) => {
            let pairs = pairs.iter().map(|(name, value)| match *name {
                "min" => format!("minimum = {}", string(value)),
                "shape" => format!("shape = {}", float(value)),
                // `p99.9` needs quotes: a bare dot would begin a key within a key.
                name => format!("{} = {}", joined("", name), string(value)),
            });
            format!("{{ {kind} = {{ {} }} }}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A TOML float: one with a point.
fn float(text: &str) -> String {
    if text.contains('.') { text.to_owned() } else { format!("{text}.0") }
}
