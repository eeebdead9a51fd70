//! The numbers that a plan is made of: what costs how much, how long things take, how many there are.
//!
//! Knows each by the path that a scenario file has for it, and what becomes of a plan when one is so many times as large.
//! What a scenario asks (its expectations, its timeline, the length of the run) is no input.

use std::collections::{BTreeMap, BTreeSet};

use crate::dist::Dist;
use crate::policy::Action;
use crate::policy::Ratio;
use crate::scenario::{FrontEndPlan, GroupPlan, Plan, toml_string};
use crate::time::Span;

/// The most workers of a front end, as a scenario has them.
const WORKERS_MAX: u32 = 65_535;
/// Peers, senders, workers and front ends that a run certainly has room for.
const ENTITIES_MAX: u64 = 33_000_000;

/// Where an input's value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// From measurements of the user's own.
    Measured,
    /// The scenario says it; how it was found is not known here.
    Given,
    /// A default: why that.
    Assumed(String),
}

/// An input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Input {
    /// Path in the scenario; where a table has a row for each front end, that of all.
    pub path: String,
    /// Its value, in words.
    pub value: String,
    /// Where that comes from.
    pub source: Source,
    /// Whether it says how long work or an answer takes, which measurements can tell.
    pub is_cost: bool,
}

/// A value within a plan.
enum Slot<'a> {
    Cost(&'a mut Dist),
    Dist(&'a mut Dist),
    Dists(&'a mut [Dist]),
    Length(&'a mut Span),
    Count(&'a mut u32),
}

impl Slot<'_> {
    fn text(&self) -> String {
        match self {
            Slot::Cost(dist) | Slot::Dist(dist) => told(dist),
            Slot::Dists(dists) => dists.iter().map(told).collect::<Vec<_>>().join(", "),
            Slot::Length(span) => span.to_string(),
            Slot::Count(n) => n.to_string(),
        }
    }

    fn is_cost(&self) -> bool {
        matches!(self, Slot::Cost(_) | Slot::Dists(_))
    }

    /// Whether there is anything to make larger or smaller.
    fn is_nothing(&self) -> bool {
        let is_zero = |dist: &Dist| *dist == Dist::Constant(Span::ZERO);
        match self {
            Slot::Cost(dist) | Slot::Dist(dist) => is_zero(dist),
            Slot::Dists(dists) => dists.iter().all(is_zero),
            Slot::Length(span) => **span == Span::ZERO,
            Slot::Count(n) => **n == 0,
        }
    }

    /// Makes it so many times as large; `false`: that is no other value, or none that it could have.
    fn scale(&mut self, by: Ratio) -> bool {
        let (num, den) = by.parts();
        match self {
            Slot::Cost(dist) | Slot::Dist(dist) => put(dist, num, den),
            // Counted, for `any` would leave those after the first as they are.
            Slot::Dists(dists) => dists.iter_mut().filter_map(|dist| put(dist, num, den).then_some(())).count() > 0,
            Slot::Length(span) => {
                let scaled = by.of(**span);
                std::mem::replace(*span, scaled) != scaled
            }
            Slot::Count(n) => {
                let scaled = (u64::from(**n) * u64::from(num) + u64::from(den) / 2) / u64::from(den).max(1);
                let scaled = u32::try_from(scaled).unwrap_or(u32::MAX).max(1);
                std::mem::replace(*n, scaled) != scaled
            }
        }
    }
}

/// A distribution as it is read; a constant is a length.
fn told(dist: &Dist) -> String {
    match dist {
        Dist::Constant(span) => span.to_string(),
        Dist::Empirical(_) => "measured percentiles".to_owned(),
        _ => dist.to_string(),
    }
}

fn put(dist: &mut Dist, num: u32, den: u32) -> bool {
    let Some(scaled) = dist.scaled(num, den) else { return false };
    let is_other = *dist != scaled;
    *dist = scaled;
    is_other
}

/// Shows every input of a plan, in the order of a scenario file.
fn visit(plan: &mut Plan, each: &mut dyn FnMut(&str, Slot<'_>)) {
    for front_end in &mut plan.front_ends {
        of_front_end(front_end, each);
    }
    if let Some(refresh) = &mut plan.refresh {
        each("refresh.every", Slot::Length(&mut refresh.every));
        each("refresh.spread", Slot::Length(&mut refresh.spread));
        if let Some(limit) = &mut refresh.limit {
            if let Some(rate) = &mut limit.rate {
                each("refresh.limit.rate", Slot::Count(&mut rate.turns));
                each("refresh.limit.burst", Slot::Count(&mut rate.burst));
            }
            if let Some(batch) = &mut limit.batch {
                each("refresh.limit.batch", Slot::Count(&mut batch.turns));
                each("refresh.limit.every", Slot::Length(&mut batch.every));
            }
            each("refresh.limit.spacing", Slot::Length(&mut limit.spacing));
        }
    }
    if let Some(issuer) = &mut plan.issuer {
        each("issuer.workers", Slot::Count(&mut issuer.workers));
        each("issuer.cost", Slot::Cost(&mut issuer.cost));
        if let Some(rate) = &mut issuer.rate {
            each("issuer.rate", Slot::Count(&mut rate.turns));
        }
    }
    for action in &mut plan.recovery.actions {
        if let Action::Restart(delay) | Action::Reboot { delay, .. } = action {
            each("recovery.actions", Slot::Length(delay));
        }
    }
    each("recovery.dump", Slot::Length(&mut plan.recovery.dump));
    for lookup in &mut plan.lookups.each {
        let path = joined("lookup", &lookup.name);
        each(&format!("{path}.latency"), Slot::Cost(&mut lookup.latency));
        if let Some(timeout) = &mut lookup.timeout {
            each(&format!("{path}.timeout"), Slot::Length(timeout));
        }
        each(&format!("{path}.cache.positive"), Slot::Length(&mut lookup.lives.positive));
    }
    for group in &mut plan.groups {
        each("validation.accept", Slot::Cost(&mut group.validate_accept));
        each("validation.refresh", Slot::Cost(&mut group.validate_refresh));
    }
    // Entries of the timeline name peers by their index.
    let names_some =
        |nth: usize| plan.timeline.iter().any(|entry| usize::from(entry.group) == nth && entry.indices.is_some());
    let fixed: Vec<bool> = (0..plan.groups.len()).map(names_some).collect();
    for (group, is_fixed) in plan.groups.iter_mut().zip(fixed) {
        of_group(group, is_fixed, each);
    }
}

fn of_front_end(front_end: &mut FrontEndPlan, each: &mut dyn FnMut(&str, Slot<'_>)) {
    each("front_end.start_up", Slot::Dist(&mut front_end.start_up));
    if front_end.cores == front_end.workers {
        each("front_end.workers & front_end.cores", Slot::Count(&mut front_end.workers));
        front_end.cores = front_end.workers;
    } else {
        each("front_end.workers", Slot::Count(&mut front_end.workers));
        each("front_end.cores", Slot::Count(&mut front_end.cores));
        front_end.cores = front_end.cores.min(front_end.workers);
    }
    if let Some(limit) = &mut front_end.queue_limit {
        each("front_end.queue_limit", Slot::Count(limit));
    }
    if let Some(accept) = &mut front_end.accept {
        each("front_end.accept", Slot::Cost(accept));
    }
    each("front_end.listen.backlog", Slot::Count(&mut front_end.listen.backlog));
    let limits = &mut front_end.limits;
    let lengths = [("handshake", &mut limits.handshake), ("first_message", &mut limits.first_message)];
    for (key, limit) in lengths.into_iter().chain([("idle", &mut limits.idle)]) {
        if let Some(limit) = limit {
            each(&format!("front_end.limits.{key}"), Slot::Length(limit));
        }
    }
    if let Some(most) = &mut limits.max_connections {
        each("front_end.limits.max_connections", Slot::Count(most));
    }
}

fn of_group(group: &mut GroupPlan, is_fixed: bool, each: &mut dyn FnMut(&str, Slot<'_>)) {
    let path = joined("group", &group.name);
    let mut of = |key: &str, slot: Slot<'_>| each(&format!("{path}.{key}"), slot);
    if group.indices.is_none() && !is_fixed {
        of("count", Slot::Count(&mut group.count));
    }
    of("rtt", Slot::Dist(&mut group.rtt));
    if let Some(variation) = &mut group.path.variation {
        of("path.variation", Slot::Dist(variation));
    }
    of("flights", Slot::Dists(&mut group.flights));
    of("client_cpu", Slot::Dists(&mut group.client_cpu));
    if let Some(tls) = &mut group.tls {
        if let Some(finish) = &mut tls.finish {
            of("tls.finish", Slot::Cost(finish));
        }
        if let Some(resumed) = &mut tls.resumed {
            of("tls.resumed_flights", Slot::Dists(&mut resumed.flights));
            of("tls.resumed_client_cpu", Slot::Dists(&mut resumed.client_cpu));
            of("tls.lifetime", Slot::Length(&mut resumed.resumption.lifetime));
        }
    }
    if let Some(lives) = group.validity.as_mut().and_then(|validity| validity.lives.as_mut()) {
        of("validity.lives", Slot::Dist(lives));
    }
    let timeouts = &mut group.timeouts;
    let lengths = [("attempt_timeout", &mut group.attempt_timeout), ("timeouts.connect", &mut timeouts.connect)];
    let more = [("timeouts.flight", &mut timeouts.flight), ("timeouts.answer", &mut timeouts.answer)];
    for (key, limit) in lengths.into_iter().chain(more) {
        if let Some(limit) = limit {
            of(key, Slot::Length(limit));
        }
    }
    let reconnect = &mut group.reconnect;
    of("reconnect.first", Slot::Dist(&mut reconnect.first));
    match &mut reconnect.backoff {
        None => of("reconnect.delay", Slot::Dist(&mut reconnect.delay)),
        Some(backoff) => {
            of("reconnect.base", Slot::Dist(&mut backoff.base));
            if let Some(cap) = &mut backoff.cap {
                of("reconnect.cap", Slot::Length(cap));
            }
        }
    }
    if let Some(requests) = &mut group.requests {
        of("requests.every", Slot::Dist(&mut requests.every));
        of("requests.cpu", Slot::Cost(&mut requests.cpu));
        if let Some(timeout) = &mut requests.timeout {
            of("requests.timeout", Slot::Length(timeout));
        }
    }
}

/// A path with one key more, quoted where a scenario file would.
fn joined(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { format!("{path}.{key}") } else { format!("{path}.{}", toml_string(key)) }
}

/// All inputs of a plan, each once; `measured` are paths whose values come from measurements.
pub fn inputs(plan: &Plan, measured: &[String]) -> Vec<Input> {
    let sources = Sources::of(plan, measured);
    let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
    visit(&mut plan.clone(), &mut |path, slot| {
        if slot.is_nothing() || !seen.insert(path.to_owned()) {
            return;
        }
        let (value, source, is_cost) = (slot.text(), sources.source(path), slot.is_cost());
        all.push(Input { path: path.to_owned(), value, source, is_cost });
    });
    all
}

/// What is known of where values come from.
struct Sources<'a> {
    measured: BTreeSet<String>,
    assumed: BTreeMap<&'a str, &'a str>,
}

impl<'a> Sources<'a> {
    fn of(plan: &'a Plan, measured: &[String]) -> Sources<'a> {
        let assumed = plan.assumptions.iter().map(|assumption| (assumption.key.as_str(), assumption.text.as_str()));
        Sources { measured: measured.iter().map(|path| named(plan, path)).collect(), assumed: assumed.collect() }
    }

    /// Where the value at `path` comes from.
    fn source(&self, path: &str) -> Source {
        // One flight of several may be measured.
        let below = format!("{path}.");
        let is_part = self.measured.range(below.clone()..).next().is_some_and(|other| other.starts_with(&below));
        if is_part || self.measured.contains(path) {
            return Source::Measured;
        }
        // Where two go together the first says where they come from: cores are as many as workers.
        let first = path.split(" & ").next().unwrap_or(path);
        // A default may be that of a whole table.
        let wholes = std::iter::successors(Some(first), |path| path.rsplit_once('.').map(|(whole, _)| whole));
        let mut keys: Vec<String> = wholes.map(str::to_owned).collect();
        // What measured handshakes give has the name of the handshake.
        if let Some((group, "flights" | "client_cpu" | "finish")) = first.rsplit_once('.') {
            let group = group.strip_suffix(".tls").unwrap_or(group);
            keys.extend(["handshake", "tls"].map(|key| format!("{group}.{key}")));
        }
        let assumed = keys.iter().find_map(|key| self.assumed.get(key.as_str()));
        assumed.map_or(Source::Given, |why| Source::Assumed((*why).to_owned()))
    }
}

/// A path with names in place of positions, as [`visit`] has it.
fn named(plan: &Plan, path: &str) -> String {
    let parts = path.split_once('.').and_then(|(list, rest)| Some((list, rest.split_once('.')?)));
    let Some((list, (position, rest))) = parts else { return path.to_owned() };
    let nth = position.trim().parse::<usize>().ok();
    let name = match list.trim() {
        "group" => nth.and_then(|nth| plan.groups.get(nth)).map(|group| group.name.as_str()),
        "lookup" => nth.and_then(|nth| plan.lookups.each.get(nth)).map(|lookup| lookup.name.as_str()),
        _ => None,
    };
    name.map_or_else(|| path.to_owned(), |name| format!("{}.{rest}", joined(list.trim(), name)))
}

/// The plan with the input at `path` so many times as large; `None`: it has no such input, it would be the same, or none
/// that can be.
pub fn scaled(plan: &Plan, path: &str, by: Ratio) -> Option<Plan> {
    let (mut other, mut is_other) = (plan.clone(), false);
    visit(&mut other, &mut |at, mut slot| {
        if at == path {
            is_other |= slot.scale(by);
        }
    });
    let has_turns = other.refresh.as_ref().is_none_or(|refresh| refresh.every > refresh.spread);
    let workers: u64 = other.front_ends.iter().map(|front_end| u64::from(front_end.workers)).sum();
    let is_small = other.front_ends.iter().all(|front_end| front_end.workers <= WORKERS_MAX)
        && other.peers() + other.senders() + workers + other.front_ends.len() as u64 <= ENTITIES_MAX;
    (is_other && has_turns && is_small).then_some(other)
}

/// Paths of the inputs that are not the same in both plans.
pub fn differing(a: &Plan, b: &Plan) -> Vec<String> {
    let values = |plan: &Plan| {
        let mut values: BTreeSet<(String, String)> = BTreeSet::new();
        visit(&mut plan.clone(), &mut |path, slot| {
            values.insert((path.to_owned(), slot.text()));
        });
        values
    };
    let (a, b) = (values(a), values(b));
    a.symmetric_difference(&b).map(|(path, _)| path.clone()).collect::<BTreeSet<String>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    fn plan(more: &str) -> Plan {
        let text = format!(
            "schema = 1\nsemantics = 1\nrun.horizon = \"2d\"\nrefresh = {{ every = \"1d\", spread = \"10h\" }}\n\
             validation = {{ validator = \"sfb2015-cu2\", refresh = {{ exponential = \"20ms\" }} }}\n{more}\n\
             [[group]]\nname = \"a b\"\ncount = 60\ntransport = \"tls\"\n[[group]]\nname = \"c\"\ntransport = \"tcp\"\n"
        );
        scenario::load("s", "s.toml", text.as_bytes(), &[]).expect("a plan")
    }

    fn at<'a>(all: &'a [Input], path: &str) -> &'a Input {
        all.iter().find(|input| input.path == path).unwrap_or_else(|| panic!("{path}: {all:#?}"))
    }

    #[test]
    fn every_number_is_there_once_and_says_where_it_comes_from() {
        let measured = ["validation.refresh", "group.1.rtt", "group.\"a b\".flights.0"].map(str::to_owned);
        let all = inputs(&plan("front_end.cores = 2"), &measured[..2]);
        assert_eq!(at(&all, "validation.refresh").source, Source::Measured);
        assert_eq!(at(&all, "group.c.rtt").source, Source::Measured);
        assert_eq!(at(&inputs(&plan(""), &measured), "group.\"a b\".flights").source, Source::Measured, "a part of it");
        assert_eq!(at(&all, "refresh.every").source, Source::Given);
        assert!(matches!(&at(&all, "front_end.workers").source, Source::Assumed(why) if why.starts_with("8: ")));
        assert!(matches!(&at(&all, "group.\"a b\".flights").source, Source::Assumed(why) if why.starts_with("tls1.3")));
        assert!(matches!(&at(&all, "group.c.reconnect.delay").source, Source::Assumed(_)));
        assert_eq!(at(&all, "validation.refresh").value, "exponential 20ms");
        let paths: BTreeSet<&str> = all.iter().map(|input| input.path.as_str()).collect();
        assert_eq!(paths.len(), all.len(), "each once");
        assert!(!paths.contains("recovery.dump"), "nothing cannot be larger");
        assert!(inputs(&plan(""), &[]).iter().any(|input| input.path == "front_end.workers & front_end.cores"));
    }

    #[test]
    fn a_larger_input_is_larger_everywhere_and_nothing_else_changes() {
        let plan = plan("");
        for input in inputs(&plan, &[]) {
            let Some(other) = scaled(&plan, &input.path, Ratio::new(5, 4)) else {
                assert_eq!(input.value, "1", "one and a quarter of one is one: {}", input.path);
                continue;
            };
            assert_eq!(differing(&plan, &other), [input.path]);
        }
        let cores = scaled(&plan, "front_end.workers & front_end.cores", Ratio::new(4, 5)).expect("fewer");
        assert_eq!((cores.front_ends[0].workers, cores.front_ends[0].cores), (6, 6));
        let less = scaled(&plan, "validation.refresh", Ratio::new(4, 5)).expect("less");
        assert!(less.groups.iter().all(|group| group.validate_refresh.to_string() == "exponential 16ms"));
        assert!(scaled(&plan, "refresh.every", Ratio::new(2, 5)).is_none(), "shorter than its spread");
        assert!(scaled(&plan, "no.such", Ratio::new(4, 5)).is_none());
    }
}
