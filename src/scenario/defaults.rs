//! Plans made in Rust: what a scenario file that names nothing else resolves to.

use std::net::{IpAddr, Ipv4Addr};

use super::plan::*;
use crate::dist::Dist;
use crate::policy::lookup::Lookups;
use crate::policy::tcp::{Path, PeerTcp};
use crate::policy::{Act, Action, Anchor, Failover, Limits, Order, Reconnect, Recovery, Refresh, Style, Timeouts};
use crate::time::{Span, Time};
use crate::validate::{Builtin, CertificateState, Transport};

/// Start-up time of the recorded incident: from process start to service start.
pub(super) const START_UP: Span = Span(125 * Span::SECOND.0);
/// Threads that take jobs, where the scenario does not say.
pub(super) const WORKERS: u32 = 8;
/// Pending connections of a listening socket, where the scenario does not say.
const BACKLOG: u32 = 200;
/// The most that a host allows them to be, where the scenario does not say: Linux's since 5.4.
const SOMAXCONN: u32 = 4096;
/// The listening socket, where the scenario does not say.
pub(super) const LISTEN: Listen =
    Listen { backlog: BACKLOG, somaxconn: SOMAXCONN, syn_backlog: None, overflow: Overflow::Drop };
/// CPU of the front end in a full mutual TLS 1.3 handshake with P-256 keys, measured with OpenSSL 3.0.19 on a 2-vCPU EPYC.
pub(super) const SERVER_TLS13_NS: u64 = 1_044_000;
/// The same of the peer.
pub(super) const CLIENT_TLS13_NS: u64 = 744_000;

impl Plan {
    /// One front end, no peers, no refresh, for `horizon`.
    pub fn new(horizon: Span, validator: Builtin) -> Plan {
        Plan {
            name: "plan".to_owned(),
            seed: 42,
            replication: 0,
            horizon,
            epoch: None,
            start: Start::Connecting,
            tie_order: TieOrder::Entity,
            front_ends: vec![FrontEndPlan::new("fe01")],
            refresh: None,
            issuer: None,
            recovery: Recovery {
                actions: vec![Action::Restart(Span::MINUTE)],
                reset_period: Some(Span::DAY),
                dump: Span::ZERO,
            },
            pool: None,
            middlebox: None,
            validator,
            outside: None,
            lookups: Lookups::default(),
            groups: Vec::new(),
            timeline: Vec::new(),
            operations: Vec::new(),
            measure: MeasurePlan { from: Time::ZERO, sample: Span::MINUTE, cycles: Vec::new(), window_limit: None },
            process: ProcessPlan::default(),
            skips_exact_age: false,
            expect: Vec::new(),
            assumptions: Vec::new(),
        }
    }

    /// Adds a group whose peers may use every front end, in order.
    pub fn with_group(mut self, mut group: GroupPlan) -> Plan {
        if group.front_ends.is_empty() {
            group.front_ends = (0..self.front_ends.len() as u16).collect();
        }
        self.groups.push(group);
        self
    }
}

impl FrontEndPlan {
    /// A front end that starts at run time 0, takes 125 s to serve and has 8 workers.
    pub fn new(name: &str) -> FrontEndPlan {
        FrontEndPlan {
            name: name.to_owned(),
            starts: Time::ZERO,
            start_up: Dist::Constant(START_UP),
            workers: WORKERS,
            cores: WORKERS,
            queue_limit: None,
            when_full: WhenFull::BackPressure,
            accept: None,
            listen: LISTEN,
            notices: false,
            limits: Limits::default(),
            upgrade_domain: None,
        }
    }
}

impl GroupPlan {
    /// `count` peers with what is usual for their transport; their front ends are filled in by [`Plan::with_group`].
    pub fn new(name: &str, transport: Transport, count: u32) -> GroupPlan {
        let tls = transport == Transport::Tls;
        let micros = |n| Dist::Constant(Span::MICROSECOND.times(n));
        GroupPlan {
            name: name.to_owned(),
            count,
            indices: None,
            transport,
            certificate: tls.then_some(CertificateState::Valid),
            particulars: None,
            validity: None,
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)),
            port: if tls { 5061 } else { 5060 },
            known: true,
            rtt: micros(1_000),
            path: Path::default(),
            tcp: PeerTcp::default(),
            flights: if tls { vec![Dist::Constant(Span(SERVER_TLS13_NS))] } else { Vec::new() },
            client_cpu: if tls { vec![Dist::Constant(Span(CLIENT_TLS13_NS))] } else { Vec::new() },
            tls: None,
            validate_accept: micros(1_000),
            validate_refresh: micros(1_000),
            attempt_timeout: Some(Span::SECOND.times(30)),
            timeouts: Timeouts::default(),
            reconnect: Reconnect::plain(Dist::Constant(Span::ZERO), Dist::Constant(Span::SECOND.times(5))),
            front_ends: Vec::new(),
            requests: None,
            failover: Failover::PLAIN,
            present: true,
        }
    }
}

/// A refresh of everybody in place, `every` after service start.
pub fn refresh_in_place(every: Span) -> Refresh {
    Refresh {
        every,
        anchor: Anchor::ServiceStart,
        spread: Span::ZERO,
        tcp: true,
        tls: true,
        order: Order::Topology,
        act: Act::Revalidate,
        style: Style::BreakFirst,
        limit: None,
    }
}
