//! Any plan that a file can say, for tests that write it and read it again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use refresh_sim::dist::Dist;
use refresh_sim::policy::lookup::{Condition, Lives, Lookup, Lookups, OnFailure, Sharing, Waiting};
use refresh_sim::policy::tcp::{KeepAlive, Loss, Path, PeerTcp, Stack, SynSchedule};
use refresh_sim::policy::tls::{Bytes, Resumption, Store, TicketKey};
use refresh_sim::policy::{
    Act, Action, Anchor, Ask, Backoff, Batch, Budget, ConnectGrowth, ConnectLimit, CountedFrom, Failover, GiveUp,
    Growth, Idle, Initiator, Issuer, Jitter, JitterAt, Limit, Limits, ListOrder, Middlebox, Minimum, OnIdle, Order,
    Pool, Rate, Ratio, Reconnect, Recovery, Refresh, Replaced, Restart, Scope, Style, Then, Timeouts, TurnRate,
    Validity,
};
use refresh_sim::scenario::plan::{Listen, OnTimeOut, Overflow};
use refresh_sim::scenario::{
    Change, Epoch, FrontEndPlan, GroupPlan, MeasurePlan, Operate, Operation, Outside, Plan, ProcessPlan, Requests,
    ResumedPlan, Start, TieOrder, TimelineEntry, TlsPlan, WhenFull,
};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{AltKind, AltName, Builtin, CertificateNames, CertificateState, Particulars, Transport};

fn length() -> impl Strategy<Value = Span> {
    (0..=61u32, any::<u64>()).prop_map(|(bits, n)| Span((1 << bits) | (n & ((1 << bits) - 1))))
}

/// Boxed: a plan holds so many that their strategies would not fit a test's stack.
fn dist() -> BoxedStrategy<Dist> {
    let shape = || 0.01..100.0;
    prop_oneof![
        length().prop_map(Dist::Constant),
        (length(), length()).prop_map(|(a, b)| Dist::uniform(a.min(b), a.max(b)).unwrap()),
        length().prop_map(|mean| Dist::exponential(mean).unwrap()),
        (length(), 0.500001..0.999999, length())
            .prop_filter_map("median", |(a, p, b)| Dist::lognormal_median_percentile(a.min(b), p, a.max(b)).ok()),
        (length(), length()).prop_map(|(mean, sd)| Dist::lognormal_mean_sd(mean, sd).unwrap()),
        (length(), shape()).prop_map(|(minimum, shape)| Dist::pareto(minimum, shape).unwrap()),
        (length(), shape()).prop_map(|(scale, shape)| Dist::weibull(scale, shape).unwrap()),
        (length(), length(), 0.0001..0.9999f64).prop_map(|(a, b, p)| {
            let (low, high) = (a.min(b), a.max(b));
            Dist::empirical(&[(0.0, low), (p, low), (1.0, high)]).unwrap()
        }),
    ]
    .boxed()
}

fn name() -> impl Strategy<Value = String> {
    "[^/\\p{Cc}]{1,12}"
}

fn indices(count: u32) -> impl Strategy<Value = Option<Vec<u32>>> {
    prop::option::of(prop::collection::btree_set(0..count, 1..=count as usize))
        .prop_map(move |set| set.filter(|set| set.len() < count as usize).map(|set| set.into_iter().collect()))
}

fn maybe_length() -> impl Strategy<Value = Option<Span>> {
    prop::option::of(length())
}

/// A share of at most 100 %, by hundredths, thousandths or as a fraction.
fn share() -> impl Strategy<Value = Ratio> {
    (0u32..=1000, prop::sample::select(&[1u32, 3, 10, 4096][..])).prop_map(|(n, by)| Ratio::new(n, 1000 * by))
}

fn rate() -> impl Strategy<Value = Rate> {
    let per = prop_oneof![Just(Span::SECOND), (1..Span::DAY.0).prop_map(Span), Just(Span::HOUR.times(10))];
    (1u32..=Rate::COUNT_MAX, per).prop_map(|(count, per)| Rate { count, per })
}

fn backoff() -> impl Strategy<Value = Backoff> {
    let growth = prop_oneof![
        Just(Growth::Fixed),
        length().prop_map(Growth::Linear),
        (101u32..=100_000).prop_map(|n| Growth::Exponential(Ratio::percent(n))),
        prop::collection::vec(length(), 1..5).prop_map(|waits| Growth::List(waits.into())),
        Just(Growth::Decorrelated),
    ];
    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        share().prop_map(Jitter::TwoSided),
        share().prop_map(Jitter::Later),
        share().prop_map(Jitter::Earlier),
    ];
    let more = (any::<bool>(), any::<bool>(), prop::option::of(1u16..));
    (dist(), growth, maybe_length(), jitter, more).prop_map(|(base, growth, cap, jitter, (before, first, tries))| {
        let plain = Backoff { cap, ..Backoff::fixed(base) };
        let plain = match growth {
            // There is no base to a list.
            Growth::List(_) => Backoff { base: Dist::Constant(Span::SECOND), ..plain },
            _ => plain,
        };
        if growth == Growth::Decorrelated || jitter == Jitter::None {
            return Backoff { growth, ..plain };
        }
        let jitter_at = if before { JitterAt::BeforeCap } else { JitterAt::AfterCap };
        Backoff { growth, jitter, jitter_at, jitter_first: first, jitter_tries: tries, ..plain }
    })
}

fn reconnect() -> impl Strategy<Value = Reconnect> {
    let budget =
        (share(), rate(), Span::SECOND.0..Span::DAY.0, any::<bool>()).prop_map(|(share, floor, window, all)| {
            let scope = if all { Scope::Group } else { Scope::FrontEnd };
            Budget { share, floor, window: Span(window), scope }
        });
    let give_up = (prop::option::of(1u16..), maybe_length());
    let limit = (prop::option::of(rate()), prop::option::of(1u32..));
    let flags = (any::<bool>(), any::<bool>(), prop_oneof![Just(Span::ZERO), length()]);
    (dist(), dist(), prop::option::of(backoff()), flags, give_up, limit, prop::option::of(budget)).prop_map(
        |(first, delay, backoff, (start, stretch_attempt, reset_after), give_up, limit, budget)| Reconnect {
            first,
            delay: if backoff.is_some() { Dist::Constant(Span::ZERO) } else { delay },
            backoff,
            counted_from: if start { CountedFrom::Start } else { CountedFrom::Failure },
            reset_after,
            give_up: GiveUp { attempts: give_up.0, after: give_up.1 },
            stretch_attempt,
            budget,
            limit: ConnectLimit { rate: limit.0, in_flight: limit.1 },
        },
    )
}

/// TLS beside flights; all caches have one size, as they must.
fn tls() -> impl Strategy<Value = TlsPlan> {
    const STORES: [Store; 4] = [
        Store::Cache { entries: 7 },
        Store::Tickets(TicketKey::Process),
        Store::Tickets(TicketKey::Host),
        Store::Tickets(TicketKey::Pool),
    ];
    let bytes = || {
        let both = (0u32..=1_000_000_000, 0u32..=1_000_000_000);
        prop::option::of(both.prop_map(|(to_front_end, to_peer)| Bytes { to_front_end, to_peer }))
    };
    let resumed = (
        (prop::sample::select(&STORES[..]), length(), any::<bool>()),
        prop::collection::vec((dist(), dist()), 1..=7),
        any::<bool>(),
        bytes(),
    );
    (prop::option::of(dist()), bytes(), prop::option::of(resumed)).prop_map(|(finish, bytes, resumed)| {
        let resumed = resumed.map(|((store, lifetime, renew), flights, with_client, bytes)| {
            let (flights, client_cpu): (Vec<Dist>, Vec<Dist>) = flights.into_iter().unzip();
            let client_cpu = if with_client { client_cpu } else { vec![] };
            ResumedPlan { resumption: Resumption { store, lifetime, renew }, flights, client_cpu, bytes }
        });
        TlsPlan { finish, bytes, resumed }
    })
}

fn group(nth: u32, nodes: u16) -> impl Strategy<Value = GroupPlan> {
    let address = prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits & !0xff))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits & !0xff))),
    ];
    let peers = (1u32..40).prop_flat_map(|count| (Just(count), indices(count)));
    const STATES: [CertificateState; 3] =
        [CertificateState::Valid, CertificateState::Expired, CertificateState::WrongName];
    let tls = (
        prop::option::of(prop::sample::select(&STATES[..])),
        prop::collection::vec((dist(), dist()), 1..=7),
        any::<bool>(),
        prop::option::of(tls()),
        prop::option::of(validity()),
    );
    let network = (address, any::<u16>(), any::<bool>(), dist(), prop::option::of(length()), path(), tcp());
    let on_timeout = prop::sample::select(&[OnTimeOut::Keep, OnTimeOut::CloseIfSilent, OnTimeOut::Close][..]);
    let requests = (dist(), dist(), prop::option::of((length(), on_timeout)), prop::option::of(1u32..)).prop_map(
        |(every, cpu, timeout, stop_after)| {
            let (timeout, on_timeout) = timeout.unzip();
            Requests { every, cpu, timeout, stop_after, on_timeout: on_timeout.unwrap_or_default() }
        },
    );
    let failover = (any::<bool>(), length(), prop::option::of(length()));
    let list = (Just((0..nodes).collect::<Vec<u16>>()).prop_shuffle(), 1..=usize::from(nodes), failover);
    let rest = (reconnect(), timeouts(), list, any::<bool>(), prop::option::of(requests));
    (name(), peers, prop::option::of(tls), network, rest).prop_map(
        move |(name, (count, indices), tls, network, rest)| {
            let (address, port, known, rtt, attempt_timeout, path, mut tcp) = network;
            tcp.addresses = tcp.addresses.map(|addresses| addresses.min(count));
            let (reconnect, timeouts, (mut front_ends, tried, failover), present, requests) = rest;
            let order = if failover.0 { ListOrder::RoundRobin } else { ListOrder::Listed };
            front_ends.truncate(tried);
            let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
            let (certificate, mut flights, with_client, tls, validity) =
                tls.unwrap_or((None, vec![], false, None, None));
            if tls.as_ref().is_some_and(|tls| tls.finish.is_some()) {
                flights.truncate(6);
            }
            let (flights, client_cpu): (Vec<Dist>, Vec<Dist>) = flights.into_iter().unzip();
            GroupPlan {
                name: format!("{name}{nth}"),
                count,
                indices,
                transport,
                certificate,
                particulars: particulars(certificate, known, port),
                validity: validity.filter(|_| certificate == Some(CertificateState::Valid)),
                address,
                port,
                known,
                rtt,
                path,
                tcp,
                flights,
                client_cpu: if with_client { client_cpu } else { vec![] },
                tls,
                validate_accept: Dist::Constant(Span::MILLISECOND),
                validate_refresh: Dist::Constant(Span::MILLISECOND),
                attempt_timeout,
                timeouts,
                reconnect,
                front_ends,
                requests,
                failover: Failover { order, black_list: failover.1, fail_back: failover.2 },
                present,
            }
        },
    )
}

fn path() -> impl Strategy<Value = Path> {
    (prop::option::of(dist()), 0u32..1_000_000)
        .prop_map(|(variation, ppm)| Path { variation, loss: Loss::of_ppm(ppm).unwrap() })
}

fn tcp() -> impl Strategy<Value = PeerTcp> {
    const STACKS: [Stack; 4] = [Stack::Linux, Stack::LinuxClassic, Stack::Windows2008R2, Stack::Custom];
    let own = (prop::collection::btree_set(1u64..1_000_000_000, 0..5), 1u64..1_000_000_000);
    let keep_alive = prop::option::of((1u64..1_000_000_000, 1u32..=255));
    let bounds = (prop::option::of(1u32..=65_535), length(), prop::option::of(1u32..99), keep_alive);
    (prop::sample::select(&STACKS[..]), own, bounds).prop_map(|(stack, (resends, more), bounds)| {
        let (ports, time_wait, addresses, keep_alive) = bounds;
        let give_up = Span(resends.last().copied().unwrap_or(0) + more);
        let own = SynSchedule::custom(resends.into_iter().map(Span).collect(), give_up).unwrap();
        let syn = if stack == Stack::Custom { own } else { stack.schedule() };
        let keep_alive = keep_alive.map(|(interval, count)| KeepAlive { interval: Span(interval), count });
        PeerTcp { stack, syn, ports, time_wait, addresses, keep_alive }
    })
}

fn listen() -> impl Strategy<Value = Listen> {
    const OVERFLOWS: [Overflow; 3] = [Overflow::Drop, Overflow::Abort, Overflow::Reset];
    let queues = (0u32..=1_000_000, 0u32..=1_000_000, prop::option::of(1u32..=1_000_000));
    (queues, prop::sample::select(&OVERFLOWS[..])).prop_map(|((backlog, somaxconn, syn_backlog), overflow)| Listen {
        backlog,
        somaxconn,
        syn_backlog,
        overflow,
    })
}

fn timeouts() -> impl Strategy<Value = Timeouts> {
    let growth = (101u32..=100_000, maybe_length(), share()).prop_map(|(factor, cap, jitter)| {
        let factor = Ratio::percent(factor);
        ConnectGrowth { factor, cap, jitter }
    });
    (maybe_length(), prop::option::of(growth), maybe_length(), maybe_length()).prop_map(
        |(connect, growth, flight, answer)| {
            let connect_growth = growth.filter(|_| connect.is_some());
            Timeouts { connect, connect_growth, flight, answer }
        },
    )
}

fn validity() -> impl Strategy<Value = Validity> {
    let lives = || dist().prop_filter("a life", |life| !matches!(life, Dist::Constant(span) if *span < Span::MINUTE));
    let replaced = prop_oneof![
        Just(Replaced::Never),
        length().prop_map(Replaced::Before),
        dist().prop_map(Replaced::After),
        (1..=1_000u32, prop::option::of(Span::SECOND.0..1 << 60)).prop_map(|(from, poll)| {
            let (from, to) = (Ratio::new(1, from), Ratio::ONE);
            Replaced::Asked(Ask { from, to, poll: poll.map(Span), then: Then::Stay })
        }),
    ];
    (prop::option::of(any::<u32>()), lives(), any::<bool>(), replaced).prop_map(|(end, life, lives, replaced)| {
        Validity {
            not_after: end.map(|end| Time(u64::from(end))),
            lives: (lives || end.is_none()).then_some(life),
            replaced,
        }
    })
}

fn front_ends() -> impl Strategy<Value = Vec<FrontEndPlan>> {
    const FULL: [WhenFull; 3] = [WhenFull::BackPressure, WhenFull::Close, WhenFull::DropOldest];
    let queue = prop::option::of((1u32.., prop::sample::select(&FULL[..])));
    let limits =
        (maybe_length(), maybe_length(), prop::option::of(1u32..)).prop_map(|(handshake, first_message, most)| {
            Limits { handshake, first_message, max_connections: most, ..Limits::default() }
        });
    let limits = (limits, prop::option::of(idle()), keep_alive()).prop_map(|(limits, idle, keep_alive)| Limits {
        idle,
        keep_alive,
        ..limits
    });
    let more = (any::<bool>(), limits, listen());
    let shared = (dist(), 1u32..=65_535, 1u32..=65_535, queue, prop::option::of(dist()), more);
    (prop::collection::vec((name(), 0u64..1000, prop::option::of(1u16..=1024)), 1..4), shared).prop_map(
        |(nodes, shared)| {
            let (start_up, workers, cores, queue, accept, (notices, limits, listen)) = shared;
            let node = |(nth, (name, starts, upgrade_domain)): (usize, (String, u64, Option<u16>))| FrontEndPlan {
                name: format!("{name}{nth}"),
                starts: if nth == 0 { Time::ZERO } else { Time(starts) },
                start_up: start_up.clone(),
                workers,
                cores: cores.min(workers),
                queue_limit: queue.map(|queue| queue.0),
                when_full: queue.map_or(WhenFull::BackPressure, |queue| queue.1),
                accept: accept.clone(),
                listen,
                notices,
                limits,
                upgrade_domain,
            };
            nodes.into_iter().enumerate().map(node).collect()
        },
    )
}

fn refresh() -> impl Strategy<Value = Refresh> {
    const ACTS: [Act; 3] = [Act::Revalidate, Act::Reconnect(Initiator::FrontEnd), Act::Reconnect(Initiator::Peer)];
    const ORDERS: [Order; 3] = [Order::Topology, Order::Accepted, Order::Shuffled];
    (
        length(),
        any::<u64>(),
        any::<u64>(),
        0..3,
        0..3,
        prop::sample::select(&ACTS[..]),
        prop::sample::select(&ORDERS[..]),
        prop::option::of(limit()),
        prop::option::of(length()),
    )
        .prop_map(|(every, offset, spread, anchor, transports, act, order, limit, grace)| Refresh {
            every,
            anchor: match anchor {
                0 => Anchor::ServiceStart,
                1 => Anchor::OwnAge,
                _ => Anchor::WallClock(Span(offset % every.0)),
            },
            spread: Span(spread % every.0),
            tcp: transports != 0,
            tls: transports != 1,
            order,
            act,
            style: match (act, grace) {
                (Act::Reconnect(_), Some(grace)) => Style::MakeFirst { grace },
                _ => Style::BreakFirst,
            },
            limit,
        })
}

fn limit() -> impl Strategy<Value = Limit> {
    let some = 1..=u32::MAX;
    let rate = (1..=1_000_000_000u32, (1..=Span::DAY.0).prop_map(Span), some.clone());
    let batch = (some, length());
    (prop::option::of(rate), prop::option::of(batch), length()).prop_map(|(rate, batch, spacing)| Limit {
        rate: rate.map(|(turns, per, burst)| TurnRate { turns, per, burst }),
        batch: batch.map(|(turns, every)| Batch { turns, every }),
        spacing,
    })
}

fn recovery() -> impl Strategy<Value = Recovery> {
    let action = prop_oneof![
        length().prop_map(Action::Restart),
        (length(), length()).prop_map(|(delay, away)| Action::Reboot { delay, away }),
        Just(Action::None),
    ];
    (prop::collection::vec(action, 0..=16), prop::option::of(length()), length())
        .prop_map(|(actions, reset_period, dump)| Recovery { actions, reset_period, dump })
}

fn process() -> impl Strategy<Value = ProcessPlan> {
    let text = || prop::option::of("[^\\p{Cc}]{1,20}");
    (text(), text(), text(), prop::option::of(any::<u32>()), prop::option::of(any::<u64>())).prop_map(
        |(service, module, module_path, process_id, fault_offset)| ProcessPlan {
            service,
            module,
            module_path,
            process_id,
            fault_offset,
            ..ProcessPlan::default()
        },
    )
}

const SHARES: [Ratio; 4] = [Ratio::ZERO, Ratio::ONE, Ratio::new(1, 97), Ratio::new(2, 3)];

fn lookups() -> impl Strategy<Value = Lookups> {
    let share = || prop::sample::select(&SHARES[..]);
    let settings = (dist(), share(), share(), share(), prop::option::of(length()), "[^\\p{Cc}]{1,20}");
    let life = || (0u64..1 << 60).prop_map(Span);
    let words =
        (any::<[bool; 4]>(), 0..3, 0..3, 0..3usize, [life(), life(), life()], prop::option::of(dist()), 0u64..1000);
    (prop::option::of((settings, words)), prop::option::of(length())).prop_map(|(lookup, total)| {
        let each = lookup.map(|((latency, failure, negative, cpu_before, timeout, kind), words)| {
            let ([single_flight, waits, is_hard, slow], on, by, key, [positive, negative_life, soft_fail], dist, at) =
                words;
            let condition = match dist {
                Some(dist) if slow => Condition::Slow(dist),
                dist => Condition::Failing(dist),
            };
            Lookup {
                kind: (!slow).then_some(kind.clone()),
                failure,
                negative,
                timeout,
                mode: if waits { Waiting::Freeing } else { Waiting::Blocking },
                single_flight,
                lives: Lives {
                    positive,
                    negative: negative_life,
                    soft_fail: if is_hard { Span::ZERO } else { soft_fail },
                },
                key: [Sharing::FrontEnd, Sharing::Group, Sharing::Peer][key],
                accept: on != 0,
                refresh: on != 1,
                tcp: by != 0,
                tls: by != 1,
                cpu_before,
                on_failure: if is_hard { OnFailure::HardFail } else { OnFailure::SoftFail },
                changes: vec![(Time(at), condition), (Time(at), Condition::Well)],
                ..Lookup::new(&kind, latency)
            }
        });
        let of_verdict = if total.is_some() { Waiting::Freeing } else { Waiting::Blocking };
        Lookups { each: each.into_iter().collect(), total, of_verdict }
    })
}

fn pool(size: usize) -> impl Strategy<Value = Option<Pool>> {
    let minimum = (1..=size, 1..=size, 1..=size, any::<bool>());
    let restart = prop_oneof![Just(Restart::Manual), length().prop_map(Restart::After)];
    (minimum, restart).prop_map(move |((start, functional, among, quorum), restart)| {
        let [start, functional, among] = [start, functional, among].map(|n| n as u16);
        let pool = Pool { minimum: Minimum { start, functional, among }, quorum, restart };
        pool.is_consistent(size).then_some(pool)
    })
}

fn middlebox() -> impl Strategy<Value = Option<Middlebox>> {
    // One that forgets in silence wants more of the groups.
    let idle = prop::option::of(idle().prop_map(|after| Idle { after, then: OnIdle::Reset }));
    let probe = (100 * Span::MILLISECOND.0.., any::<bool>(), idle);
    prop::option::of(probe.prop_map(|(probe, persistence, idle)| Middlebox { probe: Span(probe), persistence, idle }))
}

fn idle() -> impl Strategy<Value = Span> {
    length().prop_map(|length| length.max(Span::SECOND))
}

fn keep_alive() -> impl Strategy<Value = Option<KeepAlive>> {
    let keep_alive = (1u64..1_000_000_000, 1u32..=255);
    prop::option::of(keep_alive.prop_map(|(interval, count)| KeepAlive { interval: Span(interval), count }))
}

/// Some of the particulars that there may be; which ones the port decides, which is random.
fn particulars(certificate: Option<CertificateState>, known: bool, port: u16) -> Option<Particulars> {
    let bit = |n: u16| port >> n & 1 == 1;
    let names = CertificateNames {
        subject: bit(0).then(|| "{pool}".to_owned()),
        alt: [(AltKind::Dns, "a{index}.\\\"b"), (AltKind::Uri, "sip:{pool}"), (AltKind::Ip, "2001:db8::7")]
            .into_iter()
            .zip(1..)
            .filter(|(_, n)| bit(*n))
            .map(|((kind, text), _)| AltName::new(kind, text))
            .collect(),
        issuer: bit(4).then(|| "CN=\u{e9}".to_owned()),
    };
    let shows = !matches!(certificate, None | Some(CertificateState::WrongName));
    let particulars = Particulars {
        pool: bit(5).then(|| "pool.example".to_owned()),
        computer: bit(6).then(|| "app{index}.example".to_owned()),
        listed: (bit(7) && known).then(|| (Ipv4Addr::new(192, 0, 2, 1).into(), port / 2)),
        names: (bit(8) && shows).then_some(names),
    };
    (particulars != Particulars::default()).then_some(particulars)
}

/// Front ends are ended, stopped, patched and started, when all have been started.
fn operations(size: u16) -> impl Strategy<Value = Vec<Operation>> {
    let place = 0..size;
    let patch = (0u64..500, prop::option::of(prop::sample::select(&Builtin::ALL)), prop::option::of(length()));
    (place, patch).prop_map(move |(place, (away, validator, gap))| {
        let at = |at, what, stages| Operation { at: Time(at), what, stages };
        let away = Span(away);
        let stages = match gap {
            None => vec![vec![place]],
            Some(_) => (0..size).map(|place| vec![place]).collect(),
        };
        vec![
            at(1_000, Operate::Crash, vec![(0..size).collect()]),
            at(2_000, Operate::Patch { away, validator, gap: None }, vec![vec![place]]),
            at(3_000, Operate::Stop, vec![vec![place]]),
            at(3_000, Operate::Start, vec![vec![place]]),
            at(4_000, Operate::Patch { away, validator, gap }, stages),
        ]
    })
}

/// Any plan that a file can say.
fn changes() -> impl Strategy<Value = Vec<(u64, bool)>> {
    prop::collection::vec((0u64..1000, any::<bool>()), 2)
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    let frame =
        (any::<u64>(), 5000..=36_525 * Span::DAY.0, prop::option::of(0..10_000_000_000_000_000u64), any::<[bool; 2]>());
    let policies = (prop::option::of(refresh()), recovery(), prop::sample::select(&Builtin::ALL), process(), lookups());
    let measure = (0u64..1000, Span::SECOND.0.., prop::collection::btree_set(1u32.., 0..5));
    let peers = front_ends().prop_flat_map(|front_ends| {
        let nodes = front_ends.len() as u16;
        let groups = (group(0, nodes), group(1, nodes));
        (Just(front_ends), groups, (changes(), changes()), (pool(usize::from(nodes)), operations(nodes), middlebox()))
    });
    (frame, policies, measure, peers).prop_map(
        |(frame, policies, measure, (mut front_ends, (first, second), (changes, cuts), of_pool))| {
            let (seed, horizon, epoch, [established, shuffled]) = frame;
            let (refresh, recovery, validator, process, lookups) = policies;
            let mut groups = vec![first, second];
            if of_pool.2.is_some() {
                groups[0].failover = Failover { order: ListOrder::Middlebox, ..Failover::PLAIN };
            }
            let (pool, operations, middlebox) = of_pool;
            if operations.iter().any(|operation| operation.stages.len() > 1) {
                front_ends.iter_mut().for_each(|front_end| front_end.upgrade_domain = None);
            }
            let change = |(nth, (at, all)): (usize, (u64, bool))| TimelineEntry {
                at: Time(at),
                change: if groups[nth].present { Change::Leave } else { Change::Join },
                group: nth as u16,
                indices: (!all).then(|| vec![groups[nth].index(0)]),
                front_end: None,
            };
            let cut = |(nth, (at, all)): (usize, (u64, bool))| TimelineEntry {
                at: Time(at),
                change: Change::CutOff,
                group: nth as u16,
                indices: None,
                front_end: (!all).then(|| groups[nth].front_ends[0]),
            };
            let asks = |of: &GroupPlan| matches!(&of.validity, Some(Validity { replaced: Replaced::Asked(_), .. }));
            let rate = Some(TurnRate { turns: 7, per: Span::MINUTE, burst: 3 });
            let issuer = groups.iter().any(asks).then_some(Issuer {
                workers: 3,
                cost: Dist::Constant(Span(9)),
                rate,
                fails: vec![(Time(1), Time(2)), (Time(3), Time::NEVER)],
            });
            let slow = [(1, Change::Slow(Ratio::new(7, 2))), (2, Change::Slow(Ratio::ONE)), (3, Change::SlowEnds)]
                .map(|(at, change)| TimelineEntry { at: Time(at), change, group: 1, indices: None, front_end: None });
            let cuts: Vec<TimelineEntry> = cuts.into_iter().enumerate().map(cut).collect();
            let mut timeline: Vec<TimelineEntry> =
                changes.into_iter().enumerate().map(change).chain(cuts).chain(slow).collect();
            timeline.sort_by_key(|entry| entry.at);
            let mut plan = Plan {
                name: "test".to_owned(),
                seed,
                replication: 0,
                // A peer may not have more than 2^24 refreshes in a run.
                horizon: Span(
                    refresh.as_ref().map_or(horizon, |r: &Refresh| horizon.min(r.every.times(1 << 24).0 - 1)),
                ),
                epoch: epoch.map(Epoch),
                start: if established { Start::Established } else { Start::Connecting },
                tie_order: if shuffled { TieOrder::Shuffled } else { TieOrder::Entity },
                front_ends,
                refresh,
                issuer,
                recovery,
                pool,
                middlebox,
                validator,
                outside: None,
                lookups,
                groups,
                operations,
                timeline,
                measure: MeasurePlan {
                    from: Time(measure.0),
                    sample: Span(measure.1.min(u64::MAX - 1)),
                    cycles: measure.2.into_iter().collect(),
                    window_limit: (seed % 5 == 0).then_some(Span(seed | 1)),
                },
                process,
                skips_exact_age: false,
                expect: vec![],
                assumptions: vec![],
            };
            if plan.refresh.as_ref().is_some_and(|refresh| refresh.style != Style::BreakFirst) {
                crate::random_plans::renewal::as_make_first_wants(&mut plan);
            }
            let patched = |o: &Operation| matches!(o.what, Operate::Patch { validator: Some(_), .. });
            if seed % 3 == 0 && !plan.operations.iter().any(patched) {
                // With a program the built-in logic does not matter, and is not written.
                plan.validator = Builtin::Sfb2015Cu2;
                let command = vec!["./v \"1\"".to_owned(), String::new(), "ä\\".to_owned()];
                plan.outside = Some(Outside {
                    command,
                    answer_limit: Span::SECOND.times(1 + seed % 7),
                    folder: Default::default(),
                    identity: String::new(),
                });
            }
            plan
        },
    )
}
