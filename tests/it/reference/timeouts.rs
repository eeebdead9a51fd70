//! How long each side waits: time-outs of steps and of an attempt (rule 14), the front end's own limits (rule 5), and
//! what a front end knows of connections that their peers gave up (rules 5 and 14).

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Counter, What};
use refresh_sim::policy::Backoff;
use refresh_sim::policy::{Growth, Jitter, JitterAt};
use refresh_sim::rng::Purpose;
use refresh_sim::time::{Span, Time};

use super::agenda::{Class, Step};
use super::process::Life;
use super::queue::{Job, Kind};
use super::world::{Stage, World};

/// What a peer waits for: `GaveUp`'s details.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waits {
    Connect = 2,
    Flight = 3,
    Answer = 4,
}

/// `GaveUp`'s details beside those.
const TOO_LONG: u8 = 0;
const NEWS_UNDER_WAY: u8 = 1;

/// `Limit`'s details.
const HANDSHAKE: u8 = 0;
const FIRST_MESSAGE: u8 = 1;
const CONNECTIONS: u8 = 2;

/// The present step of a try at its peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerStep {
    waits: Waits,
    /// When it takes too long.
    deadline: Time,
    /// When it is over, once that is known.
    over: Option<Time>,
}

impl World<'_> {
    /// The first SYN of a try leaves now: the peer and its stack wait for its answer, and the peer for all.
    pub(super) fn waits_begin(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        let gives_up = self.stack_gives_up(connection);
        self.later(gives_up, Class::Deadline, peer, Step::StackGivesUp { connection });
        let group = self.group(peer);
        let attempt = group.attempt_timeout.map(|limit| {
            let stretched = if group.reconnect.stretch_attempt { self.wait_if_it_fails(connection) } else { limit };
            limit.max(stretched)
        });
        if let Some(limit) = attempt {
            let at = self.now + limit;
            self.connections[connection].attempt_deadline = at;
            self.later(at, Class::Deadline, peer, Step::TimeOut { connection });
        }
        let limit = self.connect_timeout(connection);
        self.step_begins(connection, Waits::Connect, self.now, limit);
    }

    /// How long a peer waits for the answer to its SYN: longer with each failed round in a row, if that grows.
    fn connect_timeout(&self, connection: usize) -> Option<Span> {
        let peer = self.connections[connection].peer;
        let timeouts = &self.group(peer).timeouts;
        let connect = timeouts.connect?;
        let Some(growth) = timeouts.connect_growth else { return Some(connect) };
        let policy = Backoff {
            growth: Growth::Exponential(growth.factor),
            cap: growth.cap,
            jitter: Jitter::TwoSided(growth.jitter),
            jitter_at: JitterAt::BeforeCap,
            ..Backoff::fixed(Dist::Constant(connect))
        };
        let bits = |_| self.draw(peer, Purpose::BackoffJitter, self.connections[connection].when, 1);
        Some(policy.wait(self.failed_rounds(peer), || 0, bits))
    }

    fn step_begins(&mut self, connection: usize, waits: Waits, at: Time, limit: Option<Span>) {
        let deadline = limit.map_or(Time::NEVER, |limit| at + limit);
        self.connections[connection].step = Some(PeerStep { waits, deadline, over: None });
        let peer = self.connections[connection].peer;
        self.later(deadline, Class::Deadline, peer, Step::TimeOut { connection });
    }

    /// What the peer waits for is on its way, and there at `heard`; in time, it sends its next message at `sent`.
    /// `flights` of the server have gone out by then.
    pub(super) fn step_ends(&mut self, connection: usize, heard: Time, sent: Time, flights: usize) {
        let Some(step) = &mut self.connections[connection].step else { return };
        step.over = Some(heard);
        if heard > step.deadline {
            return;
        }
        let timeouts = &self.group(self.connections[connection].peer).timeouts;
        if flights < self.flights(connection).len() {
            self.step_begins(connection, Waits::Flight, sent, timeouts.flight);
        } else {
            self.step_begins(connection, Waits::Answer, sent, timeouts.answer);
        }
    }

    /// When the peer gives a try up that goes on as it is, and why.
    pub(super) fn gives_up(&self, connection: usize) -> (Time, u8) {
        let of = &self.connections[connection];
        let step = of.step.filter(|step| step.over.is_none_or(|over| over > step.deadline));
        match step {
            Some(step) if step.deadline <= of.attempt_deadline => (step.deadline, step.waits as u8),
            _ => (of.attempt_deadline, TOO_LONG),
        }
    }

    /// A try, or a step of it, has taken too long, unless its peer is established in this very instant.
    pub(super) fn time_out(&mut self, connection: usize) {
        let of = &self.connections[connection];
        let (peer, (at, why)) = (of.peer, self.gives_up(connection));
        if !self.is_wanted(connection) || at != self.now {
            return;
        }
        match (of.established, of.stage) {
            (None, _) => {
                self.books.count(self.peers[peer].group, Counter::TimeOuts);
                self.of_peer(peer, What::GaveUp, why);
                self.leaves_try(connection);
                self.close_port(connection);
                self.abandon(connection);
                self.failed(peer);
            }
            (Some(at), Stage::Valid(_)) if at > self.now && !of.made_first => {
                self.books.count(self.peers[peer].group, Counter::TimeOuts);
                self.of_peer(peer, What::GaveUp, NEWS_UNDER_WAY);
                self.close_port(connection);
                self.lose(connection, super::connect::BY_GIVING_UP);
                self.closes(connection, self.now);
                self.later(self.now, Class::Arrival, peer, Step::Reset { connection });
            }
            (Some(_), _) => {}
        }
    }

    // ---- at the front end

    /// A connection is given up, or broken, by its peer: the front end learns of it half a round trip later, or by its own
    /// limit on those that are not valid.
    pub(super) fn abandon(&mut self, connection: usize) {
        if !self.has_socket(connection) {
            return;
        }
        let heard = self.now + self.exchange_of_now(connection).half();
        let of = &self.connections[connection];
        let limits = &self.plan.front_ends[of.front_end].limits;
        let limit = limits.first_message.filter(|_| of.stage == Stage::Handshake).map(|limit| of.syn_ack + limit);
        self.connections[connection].close_heard = Some(limit.map_or(heard, |limit| heard.min(limit)));
    }

    /// Rule 14: whether a front end that notices knows that nobody waits for a job.
    pub(super) fn is_skipped(&self, front_end: usize, job: &Job) -> bool {
        let is_left = !self.is_wanted(job.connection) || !self.has_socket(job.connection);
        let heard = self.connections[job.connection].close_heard;
        let notices = self.plan.front_ends[front_end].notices && !matches!(job.kind, Kind::Request(_));
        notices && is_left && heard.is_none_or(|heard| heard <= self.now)
    }

    pub(super) fn skip(&mut self, front_end: usize, job: &Job) {
        let peer = self.connections[job.connection].peer;
        self.front_ends[front_end].account.dropped += 1;
        if job.kind == Kind::Accept {
            self.leaves_accept_queue(front_end, job.connection);
        }
        self.books.count(self.peers[peer].group, Counter::Skipped);
        self.of_peer(peer, What::Skipped, job.number());
    }

    /// Rule 5: whether the table of connections is full. One that its peer has left keeps its slot until that is known.
    pub(super) fn table_is_full(&self, front_end: usize) -> bool {
        let Some(most) = self.plan.front_ends[front_end].limits.max_connections else { return false };
        let has_slot = |connection: &usize| {
            let of = &self.connections[*connection];
            of.front_end == front_end
                && (self.is_wanted(*connection) && self.has_socket(*connection)
                    || self.peers[of.peer].kept == Some(*connection)
                    || of.close_heard.is_some_and(|heard| heard > self.now))
        };
        (0..self.connections.len()).filter(has_slot).count() >= most as usize
    }

    /// Rule 5: a SYN is answered, and the limits run from its arrival.
    pub(super) fn limits_begin(&mut self, connection: usize) {
        let of = &self.connections[connection];
        let peer = of.peer;
        let limits = &self.plan.front_ends[of.front_end].limits;
        let handshake = limits.handshake.filter(|_| !self.flights(connection).is_empty());
        for limit in [handshake, limits.first_message].into_iter().flatten() {
            self.later(self.now + limit, Class::Deadline, peer, Step::Limit { connection });
        }
    }

    /// A limit may be reached.
    pub(super) fn limit(&mut self, connection: usize) {
        let of = &self.connections[connection];
        let (peer, front_end) = (of.peer, of.front_end);
        if !self.is_wanted(connection) || of.stage != Stage::Handshake || self.front_ends[front_end].life != Life::Up {
            return;
        }
        let limits = &self.plan.front_ends[front_end].limits;
        let reached = |limit: Option<Span>| limit.is_some_and(|limit| of.syn_ack + limit == self.now);
        let flights = self.flights(connection).len();
        let in_handshake = flights > 0 && of.messages.is_none_or(|messages| messages < flights);
        let which = if in_handshake && reached(limits.handshake) {
            HANDSHAKE
        } else if reached(limits.first_message) {
            FIRST_MESSAGE
        } else {
            return;
        };
        self.books.count(self.peers[peer].group, Counter::Limited);
        self.of_peer(peer, What::Limit, which);
        self.connections[connection].half_open_until = None;
        self.reset(connection);
    }

    /// A SYN finds the table full.
    pub(super) fn refused_by_limit(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        self.books.count(self.peers[peer].group, Counter::Limited);
        self.of_peer(peer, What::Limit, CONNECTIONS);
        self.reset(connection);
    }
}
