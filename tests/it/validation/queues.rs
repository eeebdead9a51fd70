//! Queues (model rules 2, 3 and 28): what a front end's queue and workers do to Poisson arrivals, and to a batch.
//!
//! Arrivals are requests on established connections with a round trip of zero, so that the due of a request is its
//! arrival at the queue. The wait of each is raw: from its due to the decision that a worker takes it, which comes in
//! the order of arrival, for the queue is first in, first out.

use std::collections::VecDeque;

use refresh_sim::dist::Dist;
use refresh_sim::id::Identity;
use refresh_sim::measure::{Cause, Decision, Metric, Outcome, What, quantile};
use refresh_sim::scenario::plan::{GroupPlan, Plan, Requests, Start, WhenFull};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::sim::{Watch, run};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, Transport};

use super::Row;
use super::theory::{Mmc, Mmck, mean_wait_mg1};

/// Requests in the measured window of each replication, about; more where the queue remembers more of them.
const REQUESTS: f64 = 50_000.0;

/// Mean service time of every case.
const SERVICE: Span = Span(10_000_000);

/// Waits of requests whose due is in a window, by way of decisions alone.
struct Waits {
    from: Time,
    until: Time,
    waiting: VecDeque<(Time, u32)>,
    /// In ns.
    waits: Vec<u64>,
    refused: u64,
}

impl Waits {
    fn within(from: Time, until: Time) -> Waits {
        Waits { from, until, waiting: VecDeque::new(), waits: Vec::new(), refused: 0 }
    }

    fn wanted(&self, due: Time) -> bool {
        self.from <= due && due < self.until
    }

    /// Share of those that were not refused that waited longer than this many ns.
    fn beyond(&self, ns: f64) -> f64 {
        let n = self.waits.iter().filter(|wait| **wait as f64 > ns).count();
        n as f64 / self.waits.len() as f64
    }

    /// In ms.
    fn mean(&self) -> f64 {
        let sum: u64 = self.waits.iter().sum();
        sum as f64 / self.waits.len() as f64 / 1e6
    }
}

impl Watch for Waits {
    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        match decision.what {
            What::RequestDue => self.waiting.push_back((decision.at, decision.who)),
            What::Dropped => {
                // Not always the last: two may fall due in one instant before the first of them arrives.
                let at = self.waiting.iter().rposition(|(_, who)| *who == decision.who).expect("it has arrived");
                let (due, _) = self.waiting.remove(at).expect("the place exists");
                assert_eq!(due, decision.at, "who is refused has just arrived");
                self.refused += u64::from(self.wanted(due));
            }
            What::RequestTaken => {
                let (due, who) = self.waiting.pop_front().expect("what is taken has arrived");
                assert_eq!(who, decision.who, "first in, first out");
                if self.wanted(due) {
                    self.waits.push(decision.at.since(due).0);
                }
            }
            _ => {}
        }
    }
}

/// One front end with `servers` workers and as many cores, and `peers` that have been connected to it from run time 0.
fn plan(servers: u32, peers: u32, every: Dist, cpu: Dist) -> Plan {
    let mut plan = Plan::new(Span::SECOND, Builtin::Sfb2015Cu2);
    // Cases that share draws would err together.
    plan.seed = Identity::of(&format!("{servers} {peers} {every} {cpu}")).0;
    let front_end = &mut plan.front_ends[0];
    (front_end.workers, front_end.cores) = (servers, servers);
    front_end.start_up = Dist::Constant(Span::ZERO);
    plan.start = Start::Established;
    plan.measure.sample = Span::HOUR;
    plan.with_group(GroupPlan {
        rtt: Dist::Constant(Span::ZERO),
        requests: Some(Requests::new(every, cpu)),
        ..GroupPlan::new("peers", Transport::Tcp, peers)
    })
}

fn seconds(length: f64) -> Span {
    Span((length * 1e9) as u64)
}

/// Runs each replication: a warm-up that is left out, the window, and as long again as the warm-up, so that whoever
/// arrives within the window is taken.
fn replicate(mut plan: Plan, replications: u32, warm_up: f64, window: f64) -> Vec<(Waits, Outcome)> {
    let (from, until) = (Time::ZERO + seconds(warm_up), Time::ZERO + seconds(warm_up + window));
    plan.measure.from = from;
    plan.horizon = seconds(2.0 * warm_up + window);
    let one = |replication| {
        plan.replication = replication;
        let mut waits = Waits::within(from, until);
        let outcome = run(&plan, &mut waits).expect("it runs");
        assert!(waits.waiting.iter().all(|(due, _)| *due >= until), "whoever arrived in the window was taken");
        (waits, outcome)
    };
    (0..replications).map(one).collect()
}

/// One value a replication.
fn each(runs: &[(Waits, Outcome)], of: impl Fn(&Waits) -> f64) -> Vec<f64> {
    runs.iter().map(|(waits, _)| of(waits)).collect()
}

fn exponential(mean: f64) -> Dist {
    Dist::exponential(seconds(mean)).expect("the mean is in range")
}

pub(super) fn rows(replications: u32) -> Vec<Row> {
    let mut rows = Vec::new();
    for (servers, utilisation, requests) in [(1, 0.7, REQUESTS), (4, 0.8, 2.0 * REQUESTS), (32, 0.9, 4.0 * REQUESTS)] {
        mmc(&mut rows, replications, (servers, utilisation), requests);
    }
    md1(&mut rows, replications, 0);
    mg1(&mut rows, replications);
    mmck(&mut rows, replications);
    batch_of_refreshes(&mut rows);
    batch_of_requests(&mut rows);
    rows
}

fn mmc(rows: &mut Vec<Row>, replications: u32, (servers, utilisation): (u32, f64), requests: f64) {
    let service = 1e9 / SERVICE.0 as f64;
    let theory = Mmc { arrivals: utilisation * f64::from(servers) * service, service, servers };
    let plan = plan(servers, 1, exponential(1.0 / theory.arrivals), exponential(1.0 / service));
    let runs = replicate(plan, replications, 40.0 * theory.memory(), requests / theory.arrivals);
    let case = format!("M/M/{servers}, utilisation {utilisation}");
    rows.push(Row::estimated(&case, "mean wait", theory.mean_wait() * 1e3, &each(&runs, Waits::mean), "ms"));
    rows.push(Row::estimated(&case, "probability of waiting", theory.waits(), &each(&runs, |w| w.beyond(0.0)), ""));
    for beyond in [0.5, 0.1, 0.01, 0.001] {
        let Some(wait) = theory.wait_exceeded_by(beyond) else { continue };
        let quantity =
            format!("share beyond p{} of the wait, {}", 100.0 - 100.0 * beyond, super::number(wait * 1e3, "ms"));
        rows.push(Row::estimated(&case, &quantity, beyond, &each(&runs, |w| w.beyond(wait * 1e9)), ""));
    }
    // Not of the waits but of the books of the whole run, which begins empty: time that workers are held.
    let held = |(_, outcome): &(Waits, Outcome)| {
        let front_end = &outcome.front_ends[0];
        front_end.account.held_time() as f64 / (front_end.served as f64 * f64::from(servers))
    };
    let held: Vec<f64> = runs.iter().map(held).collect();
    let expected = theory.held_from_empty(runs[0].1.ended.0 as f64 / 1e9);
    rows.push(Row::estimated(&case, "share of workers' time held, from empty", expected, &held, ""));
}

/// A thousand peers, each a Poisson process of its own: what comes together is one again. Each set of runs has draws of
/// its own; that of the table is the first.
pub(super) fn md1(rows: &mut Vec<Row>, replications: u32, set: u64) {
    let (service, utilisation, peers) = (SERVICE.0 as f64 / 1e9, 0.8, 1_000);
    let arrivals = utilisation / service;
    let mut plan = plan(1, peers, exponential(f64::from(peers) / arrivals), Dist::Constant(SERVICE));
    plan.seed = plan.seed.wrapping_add(set);
    let memory = Mmc { arrivals, service: 1.0 / service, servers: 1 }.memory();
    let runs = replicate(plan, replications, 40.0 * memory, REQUESTS / arrivals);
    let case = format!("M/D/1, utilisation {utilisation}, arrivals of 1000 peers");
    let expected = mean_wait_mg1(arrivals, service, 0.0) * 1e3;
    rows.push(Row::estimated(&case, "mean wait", expected, &each(&runs, Waits::mean), "ms"));
    rows.push(Row::estimated(&case, "probability of waiting", utilisation, &each(&runs, |w| w.beyond(0.0)), ""));
}

/// Service that varies more than an exponential does.
fn mg1(rows: &mut Vec<Row>, replications: u32) {
    let (mean, sd, utilisation) = (SERVICE.0 as f64 / 1e9, 1.5 * SERVICE.0 as f64 / 1e9, 0.6);
    let arrivals = utilisation / mean;
    let service = Dist::lognormal_mean_sd(seconds(mean), seconds(sd)).expect("the parameters are in range");
    let plan = plan(1, 1, exponential(1.0 / arrivals), service);
    let memory = Mmc { arrivals, service: 1.0 / mean, servers: 1 }.memory();
    let runs = replicate(plan, replications, 120.0 * memory, REQUESTS / arrivals);
    let case = format!("M/G/1, log-normal service with a coefficient of variation of 1.5, utilisation {utilisation}");
    let expected = mean_wait_mg1(arrivals, mean, sd) * 1e3;
    rows.push(Row::estimated(&case, "mean wait", expected, &each(&runs, Waits::mean), "ms"));
    rows.push(Row::estimated(&case, "probability of waiting", utilisation, &each(&runs, |w| w.beyond(0.0)), ""));
}

/// A bounded queue with `close`. Who is turned away has lost its connection: so each peer asks but once, at a phase of
/// its own in the run, which is a Poisson process given its number, and does not come back.
fn mmck(rows: &mut Vec<Row>, replications: u32) {
    let service = 1e9 / SERVICE.0 as f64;
    let queue = Mmc { arrivals: 200.0, service, servers: 2 };
    let theory = Mmck { queue, most: 5 };
    let (warm_up, window) = (5.0, REQUESTS / queue.arrivals);
    let length = 2.0 * warm_up + window;
    let peers = (queue.arrivals * length) as u32;
    let mut plan = plan(2, peers, Dist::Constant(seconds(length)), exponential(1.0 / service));
    (plan.front_ends[0].queue_limit, plan.front_ends[0].when_full) = (Some(3), WhenFull::Close);
    plan.groups[0].reconnect.first = Dist::Constant(Span::DAY);
    let runs = replicate(plan, replications, warm_up, window);
    for (_, outcome) in &runs {
        let counts = outcome.requests[0].expect("peers send requests");
        assert_eq!(counts.connection_lost, outcome.front_ends[0].account.dropped, "each loss has its refusal");
    }
    let case = "M/M/2/5, offered 2 erlang, `close`";
    let loss = |w: &Waits| w.refused as f64 / (w.refused as f64 + w.waits.len() as f64);
    rows.push(Row::estimated(case, "loss", theory.loss(), &each(&runs, loss), ""));
    rows.push(Row::estimated(
        case,
        "probability of waiting, if taken",
        theory.waits(),
        &each(&runs, |w| w.beyond(0.0)),
        "",
    ));
    rows.push(Row::estimated(case, "mean wait, if taken", theory.mean_wait() * 1e3, &each(&runs, Waits::mean), "ms"));
}

const BATCH: u64 = 10_007;
const SERVERS: u32 = 8;
const EACH: Span = Span(1_300_000);

/// The shares whose quantiles are looked at, in parts per million.
const SHARES: [u32; 6] = [1, 500_000, 900_000, 990_000, 999_000, 1_000_000];

/// The wait of nearest rank in a batch: who is i-th in line (from 0) waits for i / c services, rounded down.
fn expected_wait(ppm: u32) -> u64 {
    let rank = (BATCH * u64::from(ppm)).div_ceil(1_000_000).max(1);
    (rank - 1) / u64::from(SERVERS) * EACH.0
}

fn batch_rows(rows: &mut Vec<Row>, case: &str, mut waits: Vec<u64>, outcome: &Outcome, cause: Cause) {
    assert_eq!(waits.len() as u64, BATCH);
    waits.sort_unstable();
    let histogram = outcome.meters.histogram(Metric::Queue, 0, cause).expect("a batch has samples");
    for ppm in SHARES {
        let rank = (BATCH * u64::from(ppm)).div_ceil(1_000_000).max(1);
        let percentile = format!("p{} of the wait", f64::from(ppm) / 1e4);
        let (expected, raw) = (expected_wait(ppm), waits[rank as usize - 1]);
        rows.push(Row::exact(case, &format!("{percentile}, raw"), expected, raw, "ns"));
        let high = quantile(histogram, ppm, 0).expect("the rank is among the samples").0;
        let bucket = (histogram.lowest_equivalent(high), high);
        rows.push(Row::bucket(case, &format!("{percentile}, histogram"), expected, bucket, "ns"));
    }
    // Every one of them, not only the percentiles above.
    let all = (0..BATCH).map(|nth| nth / u64::from(SERVERS) * EACH.0);
    assert!(waits.into_iter().eq(all), "{case}: a wait is not what it should be");
}

/// All refreshes of one tick.
fn batch_of_refreshes(rows: &mut Vec<Row>) {
    /// When each question of a refresh is put.
    struct Asked(Vec<Time>);
    impl Watch for Asked {
        fn wants_decisions(&self) -> bool {
            true
        }
        fn decision(&mut self, decision: &Decision) {
            if decision.what == What::Asked && decision.extra >> 15 == 1 {
                self.0.push(decision.at);
            }
        }
    }
    let mut plan = plan(SERVERS, BATCH as u32, Dist::Constant(Span::HOUR), Dist::Constant(Span(1)));
    (plan.groups[0].requests, plan.groups[0].validate_refresh) = (None, Dist::Constant(EACH));
    plan.refresh = Some(refresh_in_place(Span::SECOND.times(100)));
    plan.horizon = Span::SECOND.times(199);
    let mut asked = Asked(Vec::new());
    let outcome = run(&plan, &mut asked).expect("it runs");
    let tick = Time(Span::SECOND.times(100).0);
    let waits = asked.0.iter().map(|at| at.since(tick).0).collect();
    let case = format!("batch: a tick of {BATCH} refreshes of {EACH} on {SERVERS} workers");
    batch_rows(rows, &case, waits, &outcome, Cause::Refresh);
}

/// Requests that a peer had to hold back go out together when it has a connection.
fn batch_of_requests(rows: &mut Vec<Row>) {
    /// When a worker takes each.
    struct Taken(Vec<Time>);
    impl Watch for Taken {
        fn wants_decisions(&self) -> bool {
            true
        }
        fn decision(&mut self, decision: &Decision) {
            if decision.what == What::RequestTaken {
                self.0.push(decision.at);
            }
        }
    }
    let mut plan = plan(SERVERS, 1, Dist::Constant(Span::MILLISECOND), Dist::Constant(EACH));
    plan.front_ends[0].start_up = Dist::Constant(Span::SECOND.times(100));
    plan.groups[0].requests.as_mut().expect("the plan has requests").stop_after = Some(BATCH as u32);
    plan.horizon = Span::SECOND.times(199);
    let mut taken = Taken(Vec::new());
    let outcome = run(&plan, &mut taken).expect("it runs");
    let waits = taken.0.iter().map(|at| at.since(Time(Span::SECOND.times(100).0)).0).collect();
    let case = format!("batch: {BATCH} requests of {EACH} held back by one peer, on {SERVERS} workers");
    batch_rows(rows, &case, waits, &outcome, Cause::Request);
}
