//! A plan read off a list of numbers: 0 is the plainest choice everywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use refresh_sim::dist::Dist;
use refresh_sim::policy::tcp::{KeepAlive, Loss, Path, PeerTcp, Stack, SynSchedule};
use refresh_sim::policy::tls::{Bytes, Resumption, Store, TicketKey};
use refresh_sim::policy::{
    Act, Action, Anchor, Backoff, Budget, ConnectGrowth, ConnectLimit, CountedFrom, Failover, GiveUp, Growth, Idle,
    Initiator, Jitter, JitterAt, Limits, ListOrder, Middlebox, Minimum, OnIdle, Order, Pool, Rate, Ratio, Reconnect,
    Recovery, Refresh, Restart, Scope, Style, Timeouts,
};
use refresh_sim::scenario::plan::{
    Change, FrontEndPlan, GroupPlan, Listen, OnTimeOut, Operate, Operation, Overflow, Plan, Requests, ResumedPlan,
    Start, TieOrder, TimelineEntry, TlsPlan, WhenFull,
};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, CertificateState, Transport};

/// Numbers that a plan is read off; beyond their end all are 0.
pub(super) struct Choices<'a> {
    numbers: std::slice::Iter<'a, u32>,
}

impl Choices<'_> {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        u64::from(self.numbers.next().copied().unwrap_or(0)) % n
    }

    pub(super) fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    pub(super) fn yes(&mut self) -> bool {
        self.below(2) == 1
    }

    /// A length in [`low`, `high`], small ones as likely as long ones.
    pub(super) fn span(&mut self, low: Span, high: Span) -> Span {
        let octaves = 64 - (high.0 - low.0).leading_zeros();
        let octave = self.below(u64::from(octaves) + 1) as u32;
        let fine = self.below(1 << 32);
        let most = if octave == 0 { 0 } else { (1u128 << octave) - 1 };
        let above = ((most * u128::from(fine)) >> 32) as u64;
        Span((low.0 + above).min(high.0))
    }

    pub(super) fn dist(&mut self, low: Span, high: Span) -> Dist {
        let (a, b) = (self.span(low, high), self.span(low, high));
        match self.below(4) {
            0 | 1 => Dist::Constant(a),
            2 => Dist::uniform(a.min(b), a.max(b)).expect("the parameters are in range"),
            _ => Dist::uniform(Span(1).max(low), Span(1).max(a)).expect("the parameters are in range"),
        }
    }

    pub(super) fn cost(&mut self) -> Dist {
        match self.below(5) {
            0 => Dist::Constant(Span::MILLISECOND),
            1 => Dist::Constant(Span(1)),
            2 => Dist::exponential(self.span(Span(1), Span::SECOND)).expect("the parameters are in range"),
            3 => Dist::pareto(Span::MICROSECOND, 1.5).expect("the parameters are in range"),
            _ => self.dist(Span(1), Span::SECOND.times(4)),
        }
    }

    pub(super) fn rtt(&mut self) -> Dist {
        match self.below(6) {
            0 => Dist::Constant(Span::MILLISECOND),
            1 => Dist::Constant(Span::ZERO),
            2 => Dist::Constant(Span(1)),
            3 => Dist::Constant(Span::SECOND.times(3)),
            _ => self.dist(Span::ZERO, Span::SECOND.times(8)),
        }
    }
}

fn front_end(of: &mut Choices<'_>, number: u64, horizon: Span) -> FrontEndPlan {
    let workers = 1 + of.below(4) as u32;
    FrontEndPlan {
        starts: if number == 0 { Time::ZERO } else { Time(of.span(Span::ZERO, horizon).0) },
        start_up: of.dist(Span::ZERO, Span(horizon.0 / 3)),
        workers,
        cores: 1 + of.below(u64::from(workers)) as u32,
        queue_limit: if of.yes() { Some(1 + of.below(5) as u32) } else { None },
        when_full: of.one_of(&[WhenFull::BackPressure, WhenFull::Close, WhenFull::DropOldest]),
        accept: if of.yes() { Some(of.cost()) } else { None },
        listen: listen(of),
        notices: of.yes(),
        limits: limits(of, horizon),
        ..FrontEndPlan::new(&format!("fe{number}"))
    }
}

fn listen(of: &mut Choices<'_>) -> Listen {
    Listen {
        backlog: of.below(4) as u32,
        somaxconn: of.one_of(&[4096, 0, 2]),
        syn_backlog: if of.below(4) == 3 { Some(1 + of.below(3) as u32) } else { None },
        overflow: of.one_of(&[Overflow::Drop, Overflow::Abort, Overflow::Reset]),
    }
}

fn path(of: &mut Choices<'_>) -> Path {
    Path {
        variation: if of.below(4) == 3 { Some(of.dist(Span::ZERO, Span::SECOND.times(4))) } else { None },
        loss: Loss::of_ppm(of.one_of(&[0, 0, 100_000, 900_000])).expect("below a million"),
    }
}

fn tcp(of: &mut Choices<'_>, count: u32, horizon: Span) -> PeerTcp {
    let stack = of.one_of(&[Stack::Linux, Stack::LinuxClassic, Stack::Windows2008R2, Stack::Custom]);
    let last = of.span(Span(1), Span::SECOND.times(9));
    let list = || SynSchedule::custom(vec![last], last + last).expect("it rises");
    PeerTcp {
        stack,
        syn: if stack == Stack::Custom { list() } else { stack.schedule() },
        ports: if of.below(4) == 3 { Some(1 + of.below(4) as u32) } else { None },
        time_wait: of.span(Span::ZERO, horizon),
        addresses: if of.yes() { Some(1 + of.below(u64::from(count.max(1))) as u32) } else { None },
        keep_alive: if of.yes() {
            Some(KeepAlive { interval: of.span(Span(1), horizon), count: 1 + of.below(3) as u32 })
        } else {
            None
        },
    }
}

fn limits(of: &mut Choices<'_>, horizon: Span) -> Limits {
    let mut limit = || if of.below(4) == 3 { Some(of.span(Span(1), Span(horizon.0 / 20))) } else { None };
    let (handshake, first_message) = (limit(), limit());
    let max_connections = if of.below(4) == 3 { Some(1 + of.below(20) as u32) } else { None };
    Limits { handshake, first_message, max_connections, ..Limits::default() }
}

fn refresh(of: &mut Choices<'_>, horizon: Span) -> Option<Refresh> {
    if of.below(5) == 4 {
        return None;
    }
    // No more than some eighty a run, so that many cases fit into little time.
    let every = of.span(Span(horizon.0 / 80 + 1), horizon);
    let offset = of.span(Span::ZERO, Span(every.0 - 1));
    Some(Refresh {
        every,
        anchor: of.one_of(&[
            Anchor::ServiceStart,
            Anchor::OwnAge,
            Anchor::WallClock(offset),
            Anchor::WallClock(Span::ZERO),
        ]),
        spread: if of.yes() { of.span(Span::ZERO, Span(every.0 - 1)) } else { Span::ZERO },
        tcp: of.below(4) != 3,
        tls: of.below(4) != 3,
        order: of.one_of(&[Order::Topology, Order::Accepted, Order::Shuffled]),
        act: of.one_of(&[
            Act::Revalidate,
            Act::Revalidate,
            Act::Reconnect(Initiator::FrontEnd),
            Act::Reconnect(Initiator::Peer),
        ]),
        style: Style::BreakFirst,
        limit: None,
    })
}

fn recovery(of: &mut Choices<'_>, horizon: Span) -> Recovery {
    let least = Span(horizon.0 / 40);
    let actions = (0..of.below(4))
        .map(|_| {
            let delay = of.span(least, horizon);
            match of.below(4) {
                0 | 1 => Action::Restart(delay),
                2 => Action::Reboot { delay, away: of.span(Span::ZERO, least) },
                _ => Action::None,
            }
        })
        .collect();
    Recovery {
        actions,
        reset_period: if of.yes() { Some(of.span(Span::ZERO, horizon)) } else { None },
        dump: if of.yes() { of.span(Span::ZERO, least) } else { Span::ZERO },
    }
}

/// A policy whose every loop has a wait: of `least`, but for a few that jitter makes shorter.
fn reconnect(of: &mut Choices<'_>, short: bool, least: Span, horizon: Span) -> Reconnect {
    let plain = Reconnect::plain(
        if short { Dist::Constant(of.span(least, horizon)) } else { of.dist(Span::ZERO, Span::SECOND) },
        of.dist(least, horizon),
    );
    let backoff = if of.yes() { Some(backoff(of, least, horizon)) } else { None };
    if of.below(3) != 2 {
        return Reconnect { backoff, ..plain };
    }
    let window = of.span(least.max(Span::SECOND), horizon.max(Span::SECOND));
    Reconnect {
        backoff,
        counted_from: of.one_of(&[CountedFrom::Failure, CountedFrom::Start]),
        reset_after: if of.yes() { of.span(Span(1), horizon) } else { Span::ZERO },
        give_up: GiveUp {
            attempts: if of.below(3) == 2 { Some(1 + of.below(20) as u16) } else { None },
            after: if of.below(3) == 2 { Some(of.span(Span::ZERO, horizon)) } else { None },
        },
        stretch_attempt: of.yes(),
        budget: if of.yes() {
            let floor = Rate { count: of.below(4) as u32, per: window };
            let share = Ratio::percent(of.below(200) as u32);
            Some(Budget { share, floor, window, scope: of.one_of(&[Scope::Group, Scope::FrontEnd]) })
        } else {
            None
        },
        limit: ConnectLimit {
            rate: if of.yes() {
                Some(Rate { count: 1 + of.below(50) as u32, per: of.span(Span::MILLISECOND, Span(horizon.0 / 10)) })
            } else {
                None
            },
            in_flight: if of.yes() { Some(1 + of.below(5) as u32) } else { None },
        },
        ..plain
    }
}

fn backoff(of: &mut Choices<'_>, least: Span, horizon: Span) -> Backoff {
    let step = of.span(Span::ZERO, horizon);
    let factor = Ratio::percent(101 + of.below(1_000) as u32);
    let share = Ratio::percent(of.below(101) as u32);
    let growth = match of.below(5) {
        0 => Growth::Fixed,
        1 => Growth::Linear(step),
        2 => Growth::Exponential(factor),
        3 => Growth::List(vec![Span::ZERO, step, least.max(Span(1))].into()),
        _ => Growth::Decorrelated,
    };
    Backoff {
        base: of.dist(least.max(Span(1)), horizon),
        growth,
        cap: if of.yes() { Some(of.span(least.max(Span(1)), horizon)) } else { None },
        jitter: of.one_of(&[
            Jitter::None,
            Jitter::Full,
            Jitter::Equal,
            Jitter::TwoSided(share),
            Jitter::Later(share),
            Jitter::Earlier(share),
        ]),
        jitter_at: of.one_of(&[JitterAt::BeforeCap, JitterAt::AfterCap]),
        jitter_first: of.yes(),
        jitter_tries: if of.below(3) == 2 { Some(of.below(4) as u16) } else { None },
    }
}

fn timeouts(of: &mut Choices<'_>) -> Timeouts {
    let mut timeout = || if of.yes() { Some(of.span(Span(1), Span::SECOND.times(20))) } else { None };
    let (connect, flight, answer) = (timeout(), timeout(), timeout());
    let growth = ConnectGrowth { factor: Ratio::new(2, 1), cap: None, jitter: Ratio::percent(of.below(101) as u32) };
    Timeouts { connect, connect_growth: if of.yes() { Some(growth) } else { None }, flight, answer }
}

/// TLS beside flights: a job without a round trip, sessions in small caches or in tickets.
fn tls(of: &mut Choices<'_>, horizon: Span) -> Option<TlsPlan> {
    if of.yes() {
        return None;
    }
    let bytes = |of: &mut Choices<'_>| of.yes().then(|| Bytes { to_front_end: of.below(9) as u32, to_peer: 3 });
    let finish = if of.yes() { Some(of.cost()) } else { None };
    let full = bytes(of);
    let store = match of.below(6) {
        0 => None,
        1 | 2 => Some(Store::Cache { entries: 1 + of.below(8) as u32 }),
        _ => Some(Store::Tickets(of.one_of(&[TicketKey::Process, TicketKey::Host, TicketKey::Pool]))),
    };
    let resumed = store.map(|store| {
        let flights: Vec<Dist> = (0..1 + of.below(3)).map(|_| of.cost()).collect();
        ResumedPlan {
            resumption: Resumption { store, lifetime: of.span(Span(1), horizon), renew: of.yes() },
            client_cpu: if of.yes() {
                flights.iter().map(|_| of.dist(Span::ZERO, Span::SECOND)).collect()
            } else {
                vec![]
            },
            flights,
            bytes: bytes(of),
        }
    });
    Some(TlsPlan { finish, bytes: full, resumed })
}

/// Up to some sixty requests of each peer in a run, and time-outs of any length.
fn requests(of: &mut Choices<'_>, horizon: Span) -> Option<Requests> {
    if of.below(3) == 0 {
        return None;
    }
    let every = of.span(Span(horizon.0 / 60 + 1), horizon);
    Some(Requests {
        every: match of.below(3) {
            0 => Dist::Constant(every),
            1 => Dist::exponential(every).expect("the parameter is in range"),
            _ => Dist::uniform(Span(every.0 / 2), every).expect("the parameters are in range"),
        },
        cpu: of.cost(),
        timeout: if of.below(4) == 3 { None } else { Some(of.span(Span(1), horizon)) },
        stop_after: if of.below(4) == 3 { Some(1 + of.below(9) as u32) } else { None },
        // No choice of its own, which would move all that come after it.
        on_timeout: [OnTimeOut::Keep, OnTimeOut::CloseIfSilent, OnTimeOut::Close][(every.0 % 3) as usize],
    })
}

fn group(of: &mut Choices<'_>, number: u64, horizon: Span, front_ends: u16) -> GroupPlan {
    let transport = of.one_of(&[Transport::Tcp, Transport::Tls]);
    let count = of.below(21) as u32;
    let flights: Vec<Dist> =
        if transport == Transport::Tls { (0..of.below(4)).map(|_| of.cost()).collect() } else { Vec::new() };
    let client_cpu =
        if of.yes() { flights.iter().map(|_| of.dist(Span::ZERO, Span::SECOND)).collect() } else { vec![] };
    let tls = if flights.is_empty() { None } else { tls(of, horizon) };
    let least = Span(horizon.0 / 60);
    let short = of.yes();
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let first = of.below(u64::from(front_ends)) as u16;
    let turned: Vec<u16> = (0..front_ends).map(|f| (f + first) % front_ends).collect();
    let known = 1 + of.below(u64::from(front_ends)) as usize;
    GroupPlan {
        indices: if of.below(3) == 2 { Some((0..count).filter(|_| of.below(3) != 2).collect()) } else { None },
        certificate: of.one_of(&[
            Some(CertificateState::Valid),
            None,
            Some(CertificateState::Expired),
            Some(CertificateState::WrongName),
        ]),
        address: if of.below(5) == 4 { v6 } else { IpAddr::V4(Ipv4Addr::new(10, 0, number as u8, 0)) },
        known: of.below(5) != 4,
        rtt: of.rtt(),
        flights,
        client_cpu,
        tls,
        validate_accept: of.cost(),
        validate_refresh: of.cost(),
        // A short time-out may bring a peer in and out again for ever: then it waits after a loss.
        attempt_timeout: match of.below(3) {
            0 => None,
            _ if short => Some(of.span(Span(1), Span::SECOND.times(20))),
            _ => Some(of.span(least, horizon)),
        },
        timeouts: if short { timeouts(of) } else { Timeouts::default() },
        reconnect: reconnect(of, short, least, horizon),
        front_ends: turned[..known].to_vec(),
        present: of.below(5) != 4,
        path: path(of),
        tcp: tcp(of, count, horizon),
        requests: requests(of, horizon),
        ..GroupPlan::new(&format!("g{number}"), transport, count)
    }
}

fn timeline(of: &mut Choices<'_>, plan: &Plan) -> Vec<TimelineEntry> {
    let instants: Vec<Time> = (0..3).map(|_| Time(of.span(Span::ZERO, plan.horizon).0)).collect();
    let mut entries: Vec<TimelineEntry> = (0..of.below(7))
        .map(|_| {
            let group = of.below(plan.groups.len() as u64) as u16;
            let count = plan.groups[usize::from(group)].count;
            let at = match (of.below(3), &plan.refresh) {
                // The instant of a tick, if the front end serves from run time 0 or ticks go by the wall.
                (2, Some(refresh)) => Time::ZERO + refresh.every.times(1 + of.below(3)),
                _ => of.one_of(&instants),
            };
            TimelineEntry {
                at,
                change: of.one_of(&[Change::Join, Change::Leave, Change::CutOff, Change::Heal]),
                group,
                indices: if of.yes() { Some((0..count).filter(|_| of.yes()).collect()) } else { None },
                front_end: if of.yes() { Some(of.below(plan.front_ends.len() as u64) as u16) } else { None },
            }
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn pool(of: &mut Choices<'_>, plan: &Plan) -> Option<Pool> {
    let size = plan.front_ends.len();
    let [start, functional, among] = [0; 3].map(|_: u8| 1 + of.below(size as u64) as u16);
    let restart =
        if of.yes() { Restart::Manual } else { Restart::After(of.span(Span(plan.horizon.0 / 40), plan.horizon)) };
    let own = Pool { minimum: Minimum { start, functional, among }, quorum: of.yes(), restart };
    match of.below(3) {
        0 => None,
        1 if own.is_consistent(size) => Some(own),
        _ => Some(Pool { minimum: Minimum::published(size).expect("a small pool"), quorum: false, restart }),
    }
}

fn failover(of: &mut Choices<'_>, horizon: Span) -> Failover {
    Failover {
        order: of.one_of(&[ListOrder::Listed, ListOrder::RoundRobin, ListOrder::Middlebox]),
        black_list: if of.yes() { of.span(Span::ZERO, horizon) } else { Span::ZERO },
        fail_back: if of.yes() { Some(of.span(Span(horizon.0 / 60), horizon)) } else { None },
    }
}

fn operations(of: &mut Choices<'_>, plan: &Plan) -> Vec<Operation> {
    let front_ends = plan.front_ends.len() as u64;
    let mut operations: Vec<Operation> = (0..of.below(6))
        .map(|_| {
            let places: Vec<u16> = (0..front_ends as u16).filter(|_| of.below(3) != 0).collect();
            let at = match (of.below(3), &plan.refresh) {
                (2, Some(refresh)) => Time::ZERO + refresh.every.times(1 + of.below(3)),
                _ => Time(of.span(Span::ZERO, plan.horizon).0),
            };
            let away = of.span(Span(plan.horizon.0 / 40), plan.horizon);
            let validator = of.one_of(&[None, Some(Builtin::Sfb2015Rtm), Some(Builtin::Sfb2015Cu2)]);
            let gap = if of.yes() { Some(of.span(Span::ZERO, plan.horizon)) } else { None };
            let what = match of.below(4) {
                0 => Operate::Stop,
                1 => Operate::Start,
                2 => Operate::Crash,
                _ => Operate::Patch { away, validator, gap },
            };
            let rolls = matches!(what, Operate::Patch { gap: Some(_), .. });
            let stages = if rolls { places.iter().map(|place| vec![*place]).collect() } else { vec![places] };
            Operation { at, what, stages }
        })
        .filter(|operation| !operation.stages.is_empty())
        .collect();
    operations.sort_by_key(|operation| operation.at);
    operations
}

pub(crate) fn plan(numbers: &[u32]) -> Plan {
    let of = &mut Choices { numbers: numbers.iter() };
    let horizon = of.span(Span::SECOND, Span::HOUR.times(6));
    let validator = of.one_of(&[Builtin::Sfb2015Rtm, Builtin::Sfb2015Cu2, Builtin::TlsOnly]);
    let mut plan = Plan::new(horizon, validator);
    plan.seed = of.below(1 << 32);
    plan.start = of.one_of(&[Start::Connecting, Start::Established]);
    plan.tie_order = of.one_of(&[TieOrder::Entity, TieOrder::Entity, TieOrder::Shuffled]);
    plan.refresh = refresh(of, horizon);
    plan.recovery = recovery(of, horizon);
    plan.lookups = super::lookups::drawn(of, horizon);
    let front_ends = 1 + of.below(4);
    plan.front_ends = (0..front_ends).map(|n| front_end(of, n, horizon)).collect();
    plan.groups = (0..1 + of.below(4)).map(|n| group(of, n, horizon, front_ends as u16)).collect();
    plan.measure.sample = Span(horizon.0 / 10 + 1);
    plan.measure.from = if of.below(3) == 2 { Time(of.span(Span::ZERO, horizon).0) } else { Time::ZERO };
    plan.timeline = timeline(of, &plan);
    plan.pool = pool(of, &plan);
    plan.operations = operations(of, &plan);
    if of.yes() {
        let probe = of.span(Span(horizon.0 / 1_000 + 1), horizon);
        plan.middlebox = Some(Middlebox { probe, persistence: of.yes(), idle: None });
    }
    for group in &mut plan.groups {
        group.failover = failover(of, horizon);
    }
    if let Some(limit) = super::renewal::limit(of, horizon)
        && let Some(refresh) = &mut plan.refresh
    {
        refresh.limit = Some(limit);
    }
    if of.below(3) == 2
        && let Some(refresh) = &mut plan.refresh
    {
        let grace = if of.yes() { of.span(Span::ZERO, horizon) } else { Span::ZERO };
        refresh.style = Style::MakeFirst { grace };
        super::renewal::as_make_first_wants(&mut plan);
    }
    if of.yes() {
        super::renewal::certificates(of, &mut plan);
    }
    quiet(of, &mut plan, horizon);
    slow(of, &mut plan);
    plan
}

/// Groups become slow for a while, or none does; drawn as the last of all too.
fn slow(of: &mut Choices<'_>, plan: &mut Plan) {
    for _ in 0..of.below(3) {
        let group = of.below(plan.groups.len() as u64) as u16;
        let factor = Ratio::new(2 + of.below(60) as u32, 2);
        for change in [Change::Slow(factor), Change::SlowEnds] {
            let at = Time(of.span(Span::ZERO, plan.horizon).0);
            plan.timeline.push(TimelineEntry { at, change, group, indices: None, front_end: None });
        }
    }
    plan.timeline.sort_by_key(|entry| entry.at);
}

/// Limits on connections over which nothing comes, or none: drawn last of all, as with [`super::renewal::limit`].
fn quiet(of: &mut Choices<'_>, plan: &mut Plan, horizon: Span) {
    if of.below(3) < 2 {
        return;
    }
    let mut keep_alive = || {
        let interval = of.span(Span(1), Span(horizon.0 / 50 + 1));
        KeepAlive { interval, count: 1 + of.below(3) as u32 }
    };
    let (front_end, peers) = (keep_alive(), keep_alive());
    let limit = of.span(Span(horizon.0 / 1_000 + 1), Span(horizon.0 / 10 + 1));
    let idle = if of.yes() { Some(limit) } else { None };
    let keep_alive = if of.yes() { Some(front_end) } else { None };
    if keep_alive.is_some() {
        // A cut that is long enough for its probes to fail.
        let group = of.below(plan.groups.len() as u64) as u16;
        let cut = Time(of.span(Span::ZERO, horizon).0);
        for (at, change) in [(cut, Change::CutOff), (cut + front_end.interval.times(8), Change::Heal)] {
            plan.timeline.push(TimelineEntry { at, change, group, indices: None, front_end: None });
        }
        plan.timeline.sort_by_key(|entry| entry.at);
    }
    for front_end in &mut plan.front_ends {
        (front_end.limits.idle, front_end.limits.keep_alive) = (idle, keep_alive);
    }
    let planned = plan.refresh.as_ref().is_some_and(|refresh| refresh.act == Act::Reconnect(Initiator::FrontEnd));
    if let Some(middlebox) = &mut plan.middlebox {
        let after = of.span(Span(horizon.0 / 1_000 + 1), Span(horizon.0 / 20 + 1));
        let then = if planned || of.yes() { OnIdle::Reset } else { OnIdle::Silent };
        middlebox.idle = Some(Idle { after, then });
        for group in &mut plan.groups {
            group.tcp.keep_alive = group.tcp.keep_alive.or((then == OnIdle::Silent).then_some(peers));
        }
    }
}
