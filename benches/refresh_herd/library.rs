//! The reference model as a run of the library's own entry, every metric and the digest on.
//!
//! Same law, other draws: what is compared is that each refresh ended, and the length of a sweep. The library also
//! simulates what the plain loops leave out: the SYN's arrival, the peer's learning of it, every histogram, the digest.

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Cause, Counter, Metric};
use refresh_sim::policy::{Act, Anchor, Initiator, Refresh};
use refresh_sim::scenario::plan::{GroupPlan, Plan, Start};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::sim::{Unwatched, run};
use refresh_sim::time::Span;
use refresh_sim::validate::{Builtin, Transport};

use crate::cpu;
use crate::model::Outcome;

/// The reference model as a plan: draws apart, the same law.
pub(crate) fn reference(peers: u32, days: u32) -> Plan {
    let span = |low, high| Dist::uniform(Span(low), Span(high)).expect("the bounds are in order");
    let exponential = |mean| Dist::exponential(Span(mean)).expect("the mean is more than zero");
    let mut plan = Plan::new(Span::DAY.times(u64::from(days)) + Span::HOUR.times(12), Builtin::Sfb2015Cu2);
    plan.start = Start::Established;
    plan.front_ends[0].start_up = Dist::Constant(Span::ZERO);
    plan.refresh = Some(Refresh {
        spread: Span(u64::from(peers) * 50_000),
        act: Act::Reconnect(Initiator::FrontEnd),
        ..refresh_in_place(Span::DAY)
    });
    let group = GroupPlan {
        rtt: span(1_000_000, 4_999_999),
        flights: vec![exponential(500_000)],
        client_cpu: Vec::new(),
        validate_accept: exponential(100_000),
        attempt_timeout: None,
        ..GroupPlan::new("peers", Transport::Tls, peers)
    };
    plan.with_group(group)
}

/// A third on TCP, the rest on TLS; everyone gives a try up after a minute.
pub(crate) fn mixed(peers: u32, days: u32) -> Plan {
    let mut plan = reference(peers - peers / 3, days);
    plan.refresh = plan.refresh.map(|r| Refresh { spread: Span(u64::from(peers) * 50_000), ..r });
    plan.groups[0].attempt_timeout = Some(Span::MINUTE);
    let tcp = GroupPlan {
        transport: Transport::Tcp,
        certificate: None,
        flights: Vec::new(),
        name: "tcp".to_owned(),
        count: peers / 3,
        ..plan.groups[0].clone()
    };
    plan.with_group(tcp)
}

/// Everyone established, each with its own next refresh pending: what a waiting peer costs.
pub(crate) fn waiting(peers: u32, _days: u32) -> Plan {
    let mut plan = reference(peers, 1);
    plan.horizon = Span::HOUR;
    plan.refresh = plan.refresh.map(|r| Refresh { anchor: Anchor::OwnAge, spread: Span::HOUR, ..r });
    plan
}

/// Everyone reconnects at one instant: the height of a herd.
pub(crate) fn herd(peers: u32, days: u32) -> Plan {
    let mut plan = reference(peers, days);
    plan.refresh = plan.refresh.map(|r| Refresh { spread: Span::ZERO, ..r });
    plan.groups[0].attempt_timeout = Some(Span::DAY);
    plan
}

pub(crate) fn run_waiting(peers: u32, days: u32) -> Outcome {
    execute(peers, days, waiting)
}

pub(crate) fn run_herd(peers: u32, days: u32) -> Outcome {
    execute(peers, days, herd)
}

pub(crate) fn run_reference(peers: u32, days: u32) -> Outcome {
    execute(peers, days, reference)
}

pub(crate) fn run_mixed(peers: u32, days: u32) -> Outcome {
    execute(peers, days, mixed)
}

fn execute(peers: u32, days: u32, make: fn(u32, u32) -> Plan) -> Outcome {
    let begin = cpu::thread_ns();
    let plan = make(peers, days);
    let outcome = run(&plan, &mut Unwatched).expect("the plan runs");
    let cpu_ns = cpu::thread_ns() - begin;
    let cells = 0..outcome.cells.plans.len() as u16;
    let ended = cells
        .map(|cell| {
            let counted = |counter| outcome.meters.counted(cell, counter);
            counted(Counter::ValidByReconnect) + counted(Counter::Recovered)
        })
        .sum::<u64>();
    let sweep = outcome.meters.histogram(Metric::Sweep, 0, Cause::Refresh);
    let max = sweep.map_or(0, |histogram| histogram.max());
    let digest = outcome.digest.expect("the run is whole");
    Outcome {
        events: ended * 6,
        steps: outcome.steps,
        checksum: u64::from_str_radix(&digest[..16], 16).expect("a digest is hexadecimal"),
        p50: 0,
        p99: 0,
        max,
        cpu_ns,
    }
}
