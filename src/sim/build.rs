//! From a plan to the tables that a run works on.

use std::sync::Arc;

use crate::frontend::{FrontEnd, Group, Handshake, Row, Setup, Tls};
use crate::id::{ENTITIES_MAX, Entity, Identity};
use crate::measure::Cells;
use crate::rng::Draws;
use crate::scenario::plan::{GroupPlan, Plan, TlsPlan};
use crate::time::Span;
use crate::validate::Transport;

use super::RunError;
use super::engine::Run;

/// Numbers of entities: connections first, then workers, then front ends, then the timeline and the sampler, then the
/// senders of requests, then jobs that wait without a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Numbers {
    pub(super) workers: Entity,
    pub(super) front_ends: Entity,
    pub(super) timeline: Entity,
    pub(super) sampler: Entity,
    pub(super) senders: Entity,
    pub(super) waits: Entity,
}

impl Numbers {
    pub(super) fn of(plan: &Plan) -> Result<Numbers, RunError> {
        let workers: u64 = plan.front_ends.iter().map(|f| u64::from(f.workers)).sum();
        let entities = plan.peers() + workers + plan.front_ends.len() as u64 + 2 + plan.senders();
        let max = u64::from(ENTITIES_MAX);
        if entities > max {
            return Err(RunError::TooMany { entities, max });
        }
        let connections = plan.peers() as u32;
        let front_ends = connections + workers as u32;
        let timeline = front_ends + plan.front_ends.len() as u32;
        let senders = timeline + 2;
        let waits = senders + plan.senders() as u32;
        Ok(Numbers { workers: connections, front_ends, timeline, sampler: timeline + 1, senders, waits })
    }
}

/// The groups, with the cells of their histograms.
pub(super) fn groups(plan: &Plan) -> (Vec<Group>, Cells) {
    let cells = Cells::new(plan.groups.iter().map(|g| (g.name.as_str(), g.transport)));
    let mut first = 0;
    let groups = plan
        .groups
        .iter()
        .zip(&cells.of_group)
        .enumerate()
        .map(|(number, (group, cell))| {
            let built = Group { number: number as u16, ..build_group(plan, group, first, *cell) };
            first += built.peers;
            built
        })
        .collect();
    (groups, cells)
}

fn build_group(plan: &Plan, group: &GroupPlan, first: u32, cell: u16) -> Group {
    let refreshed = plan.refresh.as_ref().is_some_and(|r| match group.transport {
        Transport::Tcp => r.tcp,
        Transport::Tls => r.tls,
    });
    Group {
        name: group.name.clone(),
        number: 0,
        identity: Identity::of(&group.name),
        first,
        peers: group.peers(),
        indices: group.indices.clone(),
        single: group.count == 1,
        cell,
        transport: group.transport,
        certificate: group.certificate,
        particulars: group.particulars.clone().map(Box::new),
        address: group.address,
        port: group.port,
        known: group.known,
        rtt: group.rtt.clone(),
        syn: group.tcp.syn.clone(),
        direct: if group.tcp.ports.is_none() { group.tcp.syn.give_up() } else { Span::ZERO },
        flights: group.flights.clone(),
        client_cpu: group.client_cpu.clone(),
        tls: group.tls.as_ref().map(|tls| Box::new(build_tls(group, tls))),
        validate_accept: group.validate_accept.clone(),
        validate_refresh: group.validate_refresh.clone(),
        attempt_timeout: group.attempt_timeout,
        timeouts: group.timeouts,
        reconnect: group.reconnect.clone(),
        front_ends: group.front_ends.clone(),
        requests: group.requests.clone().map(Box::new),
        failover: group.failover,
        refreshed,
    }
}

/// The handshakes of a group: jobs without a round trip come after those with one.
fn build_tls(group: &GroupPlan, tls: &TlsPlan) -> Tls {
    let full = Handshake {
        jobs: group.flights.iter().chain(&tls.finish).cloned().collect(),
        round_trips: group.flights.len(),
        client_cpu: group.client_cpu.clone(),
        bytes: tls.bytes,
    };
    let resumed = tls.resumed.as_ref().map(|resumed| {
        let handshake = Handshake {
            jobs: resumed.flights.clone(),
            round_trips: resumed.flights.len(),
            client_cpu: resumed.client_cpu.clone(),
            bytes: resumed.bytes,
        };
        (resumed.resumption, handshake)
    });
    Tls { full, resumed }
}

/// Groups whose first peer has every decision in the records.
const SAMPLED_GROUPS: usize = 16;

/// The rows, nobody there yet.
pub(super) fn rows(groups: &[Group], draws: &Draws) -> Vec<Row> {
    let peers: usize = groups.iter().map(|g| g.peers as usize).sum();
    let mut rows = Vec::with_capacity(peers);
    for group in groups {
        rows.resize(rows.len() + group.peers as usize, Row::absent(group.front_ends[0]));
    }
    for group in groups.iter().take(SAMPLED_GROUPS).filter(|g| g.peers > 0) {
        rows[group.first as usize].sample();
    }
    Run::find_homes(&mut rows, groups, draws);
    rows
}

/// The front ends, none started.
pub(super) fn front_ends(plan: &Plan, numbers: Numbers) -> Vec<FrontEnd> {
    let mut first_worker = numbers.workers;
    let rows = numbers.workers;
    let lookups = Arc::new(plan.lookups.clone());
    plan.front_ends
        .iter()
        .enumerate()
        .map(|(place, f)| {
            let setup = Setup {
                name: f.name.clone(),
                place: place as u16,
                entity: numbers.front_ends + place as u32,
                first_worker,
                start_up: f.start_up.clone(),
                workers: f.workers,
                cores: f.cores,
                queue_limit: f.queue_limit,
                when_full: f.when_full,
                accept: f.accept.clone(),
                listen: f.listen,
                notices: f.notices,
                limits: f.limits,
                lookups: Arc::clone(&lookups),
            };
            first_worker += f.workers;
            FrontEnd::new(setup, rows)
        })
        .collect()
}
