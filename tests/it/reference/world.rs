//! Peers, connections, front ends as plain structs, and the loop that takes one step after another.

use refresh_sim::id::Identity;
use refresh_sim::measure::{Cause, Counter, Decision, Looked, RequestCounts, What};
use refresh_sim::rng::{Draws, Purpose, Shuffle, When};
use refresh_sim::scenario::plan::{Change, GroupPlan, Plan, SEMANTICS, TieOrder};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Builtin, ValidatorMaker};

use super::agenda::{Agenda, Class, Step};
use super::books::Books;
use super::certificates::{Certificate, Issuer};
use super::comeback::Failures;
use super::lookup::Away;
use super::making::Old;
use super::measures::Outage;
use super::pool::Roll;
use super::process::FrontEnd;
use super::refresh::{Obligation, Sweep, Taken};
use super::requests::{Request, Sender};
use super::tcp::Port;
use super::timeouts::PeerStep;
use super::tls::Session;
use super::together::{Pass, Together};

/// One peer, from its own point of view but for what it owes.
pub(super) struct Peer {
    pub(super) group: usize,
    pub(super) index: u32,
    pub(super) identity: Identity,
    pub(super) round_trip: Span,
    pub(super) present: bool,
    /// Whether it becomes valid without asking, at the first service start of its first front end.
    pub(super) starts_valid: bool,
    /// Where it stands in its list of front ends.
    pub(super) place: usize,
    /// What it asks.
    pub(super) sender: Sender,
    /// Until when it skips each front end of its list.
    pub(super) skips: Vec<Time>,
    /// Where it is that is not its first front end, and when it goes back.
    pub(super) moves_back: Option<(usize, Time)>,
    /// The connection that it has, or hopes for.
    pub(super) connection: Option<usize>,
    /// The one that serves while `connection` is made, and the one that is kept after that.
    pub(super) old: Option<Old>,
    pub(super) kept: Option<usize>,
    /// The port of a connection whose planned end it has not heard of.
    pub(super) kept_port: Option<usize>,
    /// Why it is connecting.
    pub(super) cause: Cause,
    pub(super) when: When,
    pub(super) failures: Failures,
    /// Its first SYN since it has been without a connection.
    pub(super) first_syn: Option<Time>,
    /// Since when it knows that it has none.
    pub(super) without_since: Time,
    pub(super) outage: Outage,
    /// Which of its waits is the one that counts.
    pub(super) wait: u64,
    /// How far its attempt has come that waits for those of others.
    pub(super) pass: Pass,
    /// All certificates that it has had, the last one is what it has.
    pub(super) certificates: Vec<Certificate>,
    /// The latest session that it has, if any.
    pub(super) session: Option<Session>,
    /// A refresh that is going to fall due.
    pub(super) taken: Option<Taken>,
    /// A refresh that is due.
    pub(super) open: Option<Obligation>,
}

/// How far a connection has come, as the front end and its host see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Its SYN is on its way.
    Sent,
    /// The host has answered; no verdict yet.
    Handshake,
    /// Valid since then.
    Valid(Time),
    /// Was at a process that has crashed and is being dumped: no answer until the socket is reset.
    Silenced,
    /// No socket (any more).
    Gone,
}

/// One connection, from its SYN on.
pub(super) struct Connection {
    pub(super) peer: usize,
    pub(super) front_end: usize,
    pub(super) cause: Cause,
    pub(super) when: When,
    pub(super) syn: Time,
    pub(super) stage: Stage,
    /// When a SYN of it has last reached the host.
    pub(super) syn_seen: Option<Time>,
    /// When the host answered its SYN.
    pub(super) syn_ack: Time,
    /// When its peer has that answer.
    pub(super) answered: Option<Time>,
    /// Until when it is in the SYN queue, if it was and has not left it complete.
    pub(super) half_open_until: Option<Time>,
    /// Whether it is known that it will never leave it complete.
    pub(super) forgotten: bool,
    /// After how many flights of the server the last message of its peer came that has arrived, if one has.
    pub(super) messages: Option<usize>,
    /// What its peer waits for.
    pub(super) step: Option<PeerStep>,
    /// When all of it takes its peer too long.
    pub(super) attempt_deadline: Time,
    /// When its peer hears, or has heard, that it has ended.
    pub(super) gone_heard: Option<Time>,
    /// When its front end hears that its peer has left it.
    pub(super) close_heard: Option<Time>,
    /// The port that it takes of its peer's address.
    pub(super) port: Option<usize>,
    /// Whether its handshake takes an earlier session up again.
    pub(super) resumed: bool,
    /// When its peer learns, or has learnt, that it is valid; it stays when the connection is lost.
    pub(super) established: Option<Time>,
    /// The certificate that it was made with.
    pub(super) made_with: Option<usize>,
    /// Whether it was made before the one that it replaced had ended.
    pub(super) made_first: bool,
    /// When something has passed last at its front end.
    pub(super) passed: Time,
    /// Whether a middlebox has forgotten it, and when the peer finds that out.
    pub(super) unknown_between: bool,
    pub(super) peer_finds_out: Option<Time>,
}

/// Numbers of entities, and so what shuffles them, have so many bits.
const ENTITY_BITS: u32 = 25;

pub(super) struct World<'a> {
    pub(super) plan: &'a Plan,
    /// Whose validators judge, if they are the user's own.
    pub(super) maker: Option<&'a dyn ValidatorMaker>,
    /// The built-in validator of each front end.
    pub(super) judges: Vec<Builtin>,
    pub(super) draws: Draws,
    pub(super) now: Time,
    pub(super) agenda: Agenda,
    pub(super) peers: Vec<Peer>,
    pub(super) connections: Vec<Connection>,
    pub(super) front_ends: Vec<FrontEnd>,
    /// Rolling patches whose present stage is away.
    pub(super) rolls: Vec<Roll>,
    /// Whom the middlebox believes to be up.
    pub(super) believed: Vec<bool>,
    pub(super) sweeps: Vec<Sweep>,
    pub(super) ports: Vec<Port>,
    pub(super) requests: Vec<Request>,
    /// Jobs that wait without a worker, by their numbers.
    pub(super) away: Vec<Option<Away>>,
    /// What peers of a group share.
    pub(super) together: Together,
    pub(super) issuer: Issuer,
    pub(super) books: Books,
    /// Distinguishes waits, jobs and takings.
    pub(super) serial: u64,
}

impl<'a> World<'a> {
    pub(super) fn new(plan: &'a Plan, maker: Option<&'a dyn ValidatorMaker>) -> World<'a> {
        let draws = Draws::new(plan.seed, plan.replication);
        let shuffle = (plan.tie_order == TieOrder::Shuffled).then(|| Shuffle::new(plan.seed, ENTITY_BITS));
        let mut peers = Vec::new();
        for (group, of) in plan.groups.iter().enumerate() {
            for nth in 0..of.peers() {
                let identity = Identity::of(&of.name).member(of.index(nth));
                let bits = draws.draw(identity, Purpose::RoundTrip, When::default(), 0);
                peers.push(Peer::new(group, of.index(nth), identity, of.rtt.sample(bits), of.front_ends.len()));
            }
        }
        let mut worker = peers.len();
        let mut front_ends = Vec::new();
        for of in &plan.front_ends {
            front_ends.push(FrontEnd::new(of, worker, plan.lookups.each.len()));
            worker += of.workers as usize;
        }
        World {
            plan,
            maker,
            judges: vec![plan.validator; plan.front_ends.len()],
            draws,
            now: Time::ZERO,
            agenda: Agenda::new(shuffle),
            peers,
            connections: Vec::new(),
            front_ends,
            rolls: Vec::new(),
            believed: vec![false; plan.front_ends.len()],
            sweeps: Vec::new(),
            ports: Vec::new(),
            requests: Vec::new(),
            away: Vec::new(),
            together: Together::new(),
            issuer: Issuer::default(),
            books: Books::new(plan),
            serial: 0,
        }
    }

    /// Goes through the whole run.
    pub(super) fn run(&mut self) {
        for front_end in 0..self.front_ends.len() {
            let at = self.plan.front_ends[front_end].starts;
            self.process_starts_at(front_end, at);
        }
        for (entry, of) in self.plan.timeline.iter().enumerate() {
            self.agenda.add(of.at, Class::Timeline, 0, Step::Entry { entry });
        }
        for (operation, of) in self.plan.operations.iter().enumerate() {
            self.agenda.add(of.at, Class::Timeline, 0, Step::Operate { operation, stage: 0 });
        }
        if self.plan.middlebox.is_some() {
            self.agenda.add(Time::ZERO, Class::Sample, 0, Step::Probe);
        }
        self.first_certificates();
        for peer in 0..self.peers.len() {
            self.peers[peer].place = self.first_place(peer);
            if self.group(peer).present {
                self.join(peer);
            }
        }
        let end = Time::ZERO + self.plan.horizon;
        while let Some((at, step)) = self.agenda.next(end) {
            self.now = at;
            self.step(step);
        }
        self.now = end;
        self.finish();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Entry { entry } => self.entry(entry),
            Step::Computed { front_end, worker, hold } => self.computed(front_end, worker, hold),
            Step::WaitOver { front_end, worker, hold } => self.wait_over(front_end, worker, hold),
            Step::AwayOver { wait } => self.away_over(wait),
            Step::TimeOut { connection } => self.time_out(connection),
            Step::Limit { connection } => self.limit(connection),
            Step::StackGivesUp { connection } => self.stack_has_given_up(connection),
            Step::KeepAliveFails { connection } => self.keep_alive_has_failed(connection),
            Step::PeerFindsOut { connection } => self.peer_finds_out(connection),
            Step::FrontEndProbesInVain { connection } | Step::FrontEndFindsOut { connection } => {
                self.front_end_finds_out(connection);
            }
            Step::Idle { connection } => self.idle(connection),
            Step::IdleBetween { connection } => self.idle_between(connection),
            Step::WaitEnds { peer, wait } => self.wait_ends(peer, wait),
            Step::Operate { operation, stage } => self.operate(operation, stage),
            Step::MovesBack { peer } => self.moves_back(peer),
            Step::GraceOver { connection } => self.grace_over(connection),
            Step::IssuerMayBegin => self.issuer_begins(),
            Step::Asks { peer, number } => self.asks(peer, number),
            Step::Made { making } => self.made(making),
            Step::DumpEnds { front_end, turn } if self.is_turn(front_end, turn) => self.dump_ends(front_end),
            Step::GoesSilent { front_end, turn } if self.is_turn(front_end, turn) => self.goes_silent(front_end),
            Step::ProcessStarts { front_end, turn } if self.is_turn(front_end, turn) => {
                self.process_may_start(front_end);
            }
            Step::StartUpOver { front_end, turn } if self.is_turn(front_end, turn) => self.start_up_over(front_end),
            // What was going to happen to an older incarnation.
            Step::DumpEnds { .. } | Step::GoesSilent { .. } => {}
            Step::ProcessStarts { .. } | Step::StartUpOver { .. } => {}
            Step::RequestDue { peer, next } => self.request_due(peer, next),
            Step::RequestTimesOut { request } => self.request_times_out(request),
            Step::RequestArrives { request } => self.request_arrives(request),
            Step::Answer { request, .. } => self.answer_there(request),
            Step::Closes { connection } => self.is_closed(connection),
            Step::Opens { connection } => self.is_open(connection),
            Step::Probe => self.middlebox_looks(),
            Step::PlannedSyn { connection } => self.planned_syn(connection),
            Step::Syn { connection, copy } => self.syn(connection, copy),
            Step::Message { connection, flights } => self.message(connection, flights),
            Step::Reset { connection } => self.reset_heard(connection),
            Step::Turn { front_end } => self.turn_comes(front_end),
            Step::Tick { front_end, incarnation } => self.tick(front_end, incarnation),
            Step::Due { peer, taking } => self.due(peer, taking),
        }
    }

    /// Rule 15: an entry of the timeline, its peers in the order of the scenario.
    fn entry(&mut self, entry: usize) {
        let of = &self.plan.timeline[entry];
        match of.change {
            Change::CutOff => return self.cut_off(usize::from(of.group), of.front_end),
            Change::Heal | Change::Slow(_) | Change::SlowEnds => return,
            Change::Join | Change::Leave | Change::ReplaceCertificate | Change::CertificateExpires => {}
        }
        for peer in 0..self.peers.len() {
            let listed = of.indices.as_ref().is_none_or(|indices| indices.contains(&self.peers[peer].index));
            if self.peers[peer].group != usize::from(of.group) || !listed {
                continue;
            }
            match of.change {
                Change::Join if !self.peers[peer].present => self.join(peer),
                Change::Leave if self.peers[peer].present => self.leave(peer),
                Change::ReplaceCertificate | Change::CertificateExpires => self.certificate_changes(peer, of.change),
                _ => {}
            }
        }
    }

    /// What is open at the end, and the accounts of what is still in the system.
    fn finish(&mut self) {
        for peer in 0..self.peers.len() {
            let group = self.peers[peer].group;
            if self.peers[peer].open.is_some() {
                self.books.count(group, Counter::Unfinished);
            }
            if self.peers[peer].present && !self.is_valid(peer) {
                self.books.count(group, Counter::UnfinishedConnects);
            }
            if self.peers[peer].present {
                self.close_outage(peer, self.now);
            }
        }
        self.close_requests();
        for front_end in 0..self.front_ends.len() {
            self.close_account(front_end);
        }
    }

    pub(super) fn digest(&self) -> String {
        let looked = self.front_ends.iter().flat_map(|of| &of.looked).flat_map(Looked::numbers);
        let requests = self.books.requests.iter().flatten().flat_map(RequestCounts::numbers);
        self.books.digest(SEMANTICS, looked.chain(requests))
    }

    pub(super) fn group(&self, peer: usize) -> &'a GroupPlan {
        &self.plan.groups[self.peers[peer].group]
    }

    /// Whether the peer has a valid connection, as the front end sees it.
    pub(super) fn is_valid(&self, peer: usize) -> bool {
        self.valid_connection(peer).is_some()
    }

    /// The connection of a peer that is valid at its front end, if it has one.
    pub(super) fn valid_connection(&self, peer: usize) -> Option<usize> {
        let of = &self.peers[peer];
        let both = [of.connection, of.old.map(|old| old.connection)];
        both.into_iter().flatten().find(|connection| matches!(self.connections[*connection].stage, Stage::Valid(_)))
    }

    /// Whether the peer of a connection still waits for what comes of it, or has it.
    pub(super) fn is_wanted(&self, connection: usize) -> bool {
        let of = &self.peers[self.connections[connection].peer];
        of.connection == Some(connection) || of.old.is_some_and(|old| old.connection == connection)
    }

    pub(super) fn draw(&self, peer: usize, purpose: Purpose, when: When, index: u16) -> u64 {
        self.draws.draw(self.peers[peer].identity, purpose, when, index)
    }

    /// One that was not there before.
    pub(super) fn fresh(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The front end that a peer has or hopes for.
    pub(super) fn front_end_of(&self, peer: usize) -> usize {
        usize::from(self.group(peer).front_ends[self.peers[peer].place])
    }

    pub(super) fn of_peer(&mut self, peer: usize, what: What, detail: u8) {
        let extra = self.front_end_of(peer) as u16;
        self.of_peer_at(peer, what, detail, extra);
    }

    /// A decision that a front end makes about a peer that may have turned to another meanwhile.
    pub(super) fn of_peer_at(&mut self, peer: usize, what: What, detail: u8, extra: u16) {
        self.books.decisions.push(Decision { at: self.now, who: peer as u32, what, detail, extra });
    }

    pub(super) fn decide_front_end(&mut self, front_end: usize, what: What, detail: u8, extra: u32) {
        let extra = extra.min(u32::from(u16::MAX)) as u16;
        self.books.decisions.push(Decision { at: self.now, who: front_end as u32, what, detail, extra });
    }

    /// Something is going to happen to a peer or its connection.
    pub(super) fn later(&mut self, at: Time, class: Class, peer: usize, step: Step) {
        self.agenda.add(at, class, peer as u32, step);
    }

    /// The entity of the first wait without a worker: after peers, workers, front ends, timeline and samples, senders.
    pub(super) fn first_wait_entity(&self) -> usize {
        let workers: usize = self.plan.front_ends.iter().map(|of| of.workers as usize).sum();
        let senders = self.peers.iter().filter(|peer| self.plan.groups[peer.group].requests.is_some()).count();
        self.peers.len() + workers + self.front_ends.len() + 2 + senders
    }

    /// Something is going to happen to a front end's process.
    pub(super) fn later_at_front_end(&mut self, at: Time, front_end: usize, step: Step) {
        let class = if matches!(step, Step::Tick { .. }) { Class::RefreshTick } else { Class::Deadline };
        self.agenda.add(at, class, self.front_end_entity(front_end), step);
    }

    pub(super) fn front_end_entity(&self, front_end: usize) -> u32 {
        let workers: usize = self.plan.front_ends.iter().map(|of| of.workers as usize).sum();
        (self.peers.len() + workers + front_end) as u32
    }
}

impl Peer {
    fn new(group: usize, index: u32, identity: Identity, round_trip: Span, list: usize) -> Peer {
        Peer {
            group,
            index,
            identity,
            round_trip,
            present: false,
            starts_valid: false,
            place: 0,
            sender: Sender::default(),
            skips: vec![Time::ZERO; list],
            moves_back: None,
            connection: None,
            old: None,
            kept: None,
            kept_port: None,
            cause: Cause::Initial,
            when: When::default(),
            failures: Failures::default(),
            first_syn: None,
            without_since: Time::ZERO,
            outage: Outage::default(),
            wait: 0,
            pass: Pass::default(),
            certificates: Vec::new(),
            session: None,
            taken: None,
            open: None,
        }
    }
}
