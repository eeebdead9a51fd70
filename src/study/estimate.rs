//! What paper and pencil say of a plan, to stand beside what runs say: how long a herd takes at best, how busy the cores
//! are, how long a request waits. With each, where the formula stops being true.

use crate::dist::Dist;
use crate::policy::Act;
use crate::report::words;
use crate::scenario::{GroupPlan, Plan};
use crate::time::Span;
use crate::validate::Transport;

/// One number of the estimate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Estimate {
    /// What it is of.
    pub what: String,
    /// The number with its unit.
    pub value: String,
    /// What it takes for granted; where that is not so, only the simulation knows.
    pub holds_if: String,
}

/// Cores of all front ends together.
fn cores(plan: &Plan) -> f64 {
    plan.front_ends.iter().map(|front_end| f64::from(front_end.cores)).sum()
}

/// CPU of a front end to take a peer in with a full handshake; `None`: some part of it has no mean.
fn admission(plan: &Plan, group: &GroupPlan) -> Option<f64> {
    let accept = plan.front_ends.first().and_then(|front_end| front_end.accept.as_ref());
    let finish = group.tls.as_ref().and_then(|tls| tls.finish.as_ref());
    let parts = group.flights.iter().chain(accept).chain(finish).chain([&group.validate_accept]);
    parts.map(Dist::mean).sum()
}

/// Work of a herd in ns of CPU: what each peer of each group takes.
fn work(plan: &Plan, each: impl Fn(&GroupPlan) -> Option<f64>) -> Option<f64> {
    plan.groups.iter().map(|group| Some(f64::from(group.peers()) * each(group)?)).sum()
}

fn length(ns: f64) -> String {
    words::about(Span(libm::round(ns) as u64))
}

/// How long the refresh of everybody takes at best, in ns: its work over all cores. `None`: there is none, or its work
/// has no mean.
pub fn refresh_drain(plan: &Plan) -> Option<f64> {
    let refresh = plan.refresh.as_ref()?;
    let is_refreshed = |group: &GroupPlan| match group.transport {
        Transport::Tcp => refresh.tcp,
        Transport::Tls => refresh.tls,
    };
    let in_place = refresh.act == Act::Revalidate;
    let each = |group: &GroupPlan| match (is_refreshed(group), in_place) {
        (false, _) => Some(0.0),
        (true, true) => group.validate_refresh.mean(),
        (true, false) => admission(plan, group),
    };
    Some(work(plan, each)? / cores(plan))
}

/// How long it takes at best until everybody is back, in ns: a full handshake of each over all cores. `None`: it has no
/// mean.
pub fn return_drain(plan: &Plan) -> Option<f64> {
    Some(work(plan, |group| admission(plan, group))? / cores(plan))
}

/// Requests of all groups: how many come in a ns, and the share of one core that each ns of them needs.
struct Load {
    arrivals: f64,
    busy: f64,
    /// Whether arrivals and service are those of M/M/c: exponential both, and one mean service for all.
    is_markov: bool,
}

fn load(plan: &Plan) -> Option<Load> {
    let mut load = Load { arrivals: 0.0, busy: 0.0, is_markov: plan.front_ends.len() == 1 };
    let mut service = None;
    for group in &plan.groups {
        let Some(requests) = &group.requests else { continue };
        let (gap, cpu) = (requests.every.mean()?, requests.cpu.mean()?);
        let rate = f64::from(group.peers()) / gap;
        load.arrivals += rate;
        load.busy += rate * cpu;
        let is_exponential = |dist: &Dist| matches!(dist, Dist::Exponential(_));
        load.is_markov &= is_exponential(&requests.every) && is_exponential(&requests.cpu);
        load.is_markov &= *service.get_or_insert(cpu) == cpu && requests.stop_after.is_none();
    }
    (load.arrivals > 0.0).then_some(load)
}

/// The share of requests that wait on `servers` with `offered` work, which is less than they can do: Erlang's C, by way
/// of the recursion of his B (Gross and Harris, *Fundamentals of Queueing Theory*, 4th edition, section 2.3).
pub fn erlang_c(servers: u32, offered: f64) -> f64 {
    let blocked = (1..=servers).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    blocked / (1.0 - offered / f64::from(servers) * (1.0 - blocked))
}

/// All that can be said of a plan without running it.
pub fn estimate(plan: &Plan) -> Vec<Estimate> {
    let mut all = Vec::new();
    let mut say = |what: &str, value: String, holds_if: &str| {
        all.push(Estimate { what: what.to_owned(), value, holds_if: holds_if.to_owned() });
    };
    let cores = cores(plan);
    let spread_out = if plan.front_ends.len() > 1 { "peers are spread evenly over the front ends, " } else { "" };
    let no_lookup = if plan.lookups.each.is_empty() { "" } else { "look-ups hold no worker, " };
    if let (Some(refresh), Some(drain)) = (&plan.refresh, refresh_drain(plan)) {
        say(
            "refresh of everybody, at best",
            length(drain),
            &format!("{spread_out}{no_lookup}nothing else needs the cores, and nobody is turned away or gives up"),
        );
        if refresh.spread > Span::ZERO {
            say(
                "cores busy with refreshes while they last",
                format!("{:.1} %", 100.0 * drain / refresh.spread.0 as f64),
                "below 100 % the spread dissolves the herd; above, a queue grows until the spread ends",
            );
        }
    }
    if let Some(drain) = return_drain(plan) {
        say(
            "everybody back after a crash, at best",
            length(drain),
            &format!(
                "{spread_out}{no_lookup}every handshake is a full one and succeeds at the first try: no time-outs, no full accept queue"
            ),
        );
    }
    if let Some(load) = load(plan) {
        let busy = load.busy / cores;
        say(
            "cores busy with requests",
            format!("{:.1} %", 100.0 * busy),
            &format!("{spread_out}everybody is connected; at 100 % and above a queue grows without end"),
        );
        let servers = plan.front_ends.first().map_or(1, |front_end| front_end.cores);
        if load.is_markov && busy < 1.0 {
            let waits = erlang_c(servers, load.busy);
            let spare = (f64::from(servers) - load.busy) / (load.busy / load.arrivals);
            say(
                "mean wait of a request (M/M/c)",
                length(waits / spare),
                "nothing but requests comes, for long enough; refreshes and crashes are not in it",
            );
            if waits > 0.01 {
                say(
                    "99 % of requests wait at most (M/M/c)",
                    length(libm::log(waits / 0.01) / spare),
                    "as the mean wait",
                );
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    fn estimates(more: &str) -> Vec<(String, String)> {
        let text = format!(
            "schema = 1\nsemantics = 1\n[run]\nhorizon = \"2d\"\n[front_end]\nworkers = 4\n[validation]\n\
             validator = \"sfb2015-cu2\"\naccept = \"3ms\"\nrefresh = \"2ms\"\n{more}"
        );
        let plan = scenario::load("s", "s.toml", text.as_bytes(), &[]).expect("a plan");
        estimate(&plan).into_iter().map(|estimate| (estimate.what, estimate.value)).collect()
    }

    #[track_caller]
    fn has(all: &[(String, String)], what: &str, value: &str) {
        assert!(all.iter().any(|(w, v)| w.starts_with(what) && v == value), "{what} {value}: {all:?}");
    }

    const TCP: &str = "[[group]]\nname = \"g\"\ncount = 1000\ntransport = \"tcp\"\n";

    #[test]
    fn herds_take_their_work_over_the_cores_at_best() {
        let all = estimates(&format!("[refresh]\nevery = \"1d\"\nspread = \"1s\"\n{TCP}"));
        has(&all, "refresh of everybody", "500ms");
        has(&all, "cores busy with refreshes", "50.0 %");
        has(&all, "everybody back", "750ms");
    }

    #[test]
    fn requests_have_a_utilisation_and_if_exponential_a_wait() {
        // 320 a second of 10 ms on 4 cores: 80 %. Erlang C for 3.2 on 4 is 0.5964, the mean wait C/(4·100 − 320).
        let requests = |every: &str| {
            format!("{TCP}requests = {{ every = {every}, cpu = {{ exponential = \"10ms\" }}, timeout = \"30s\" }}\n")
        };
        let all = estimates(&requests("{ exponential = \"3.125s\" }"));
        has(&all, "cores busy with requests", "80.0 %");
        has(&all, "mean wait", "7.46ms");
        assert!((erlang_c(4, 3.2) - 0.596_4).abs() < 5e-5, "{}", erlang_c(4, 3.2));
        let steady = estimates(&requests("\"3.125s\""));
        has(&steady, "cores busy with requests", "80.0 %");
        assert!(!steady.iter().any(|(what, _)| what.contains("M/M/c")), "{steady:?}");
    }
}
