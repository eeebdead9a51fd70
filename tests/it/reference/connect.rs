//! A peer's way to an established connection, and its losses (rules 11 to 15, 26).

use refresh_sim::measure::{Cause, Counter, Metric, What};
use refresh_sim::rng::Purpose;
use refresh_sim::scenario::plan::Start;
use refresh_sim::time::{Span, Time};

use super::agenda::{Class, Step};
use super::process::Life;
use super::queue::{Job, Kind};
use super::world::{Connection, Stage, World};

/// `Lost`'s reasons.
pub(super) const BY_CRASH: u8 = 0;
pub(super) const BY_REJECTION: u8 = 1;
pub(super) const BY_FULL_QUEUE: u8 = 2;
pub(super) const BY_GIVING_UP: u8 = 3;
pub(super) const BY_KEEP_ALIVE: u8 = 4;
pub(super) const BY_STOP: u8 = 10;
pub(super) const BY_KILL: u8 = 11;
pub(super) const BY_LIMIT: u8 = 12;
pub(super) const BY_MIDDLEBOX: u8 = 13;

impl World<'_> {
    /// Rule 15: a peer is there from now on.
    pub(super) fn join(&mut self, peer: usize) {
        let starts_valid = self.plan.start == Start::Established && self.now == Time::ZERO;
        let of = &mut self.peers[peer];
        (of.present, of.starts_valid) = (true, starts_valid);
        (of.cause, of.first_syn, of.without_since) = (Cause::Initial, None, self.now);
        of.when.attempt = 0;
        self.forget_failures(peer);
        self.of_peer(peer, What::Join, 0);
        if !starts_valid {
            self.attempt(peer);
        }
        self.next_request(peer);
    }

    /// Rule 15: a peer is gone, and what it had at both ends.
    pub(super) fn leave(&mut self, peer: usize) {
        self.of_peer(peer, What::Leave, 0);
        self.has_old_one(peer);
        self.peers[peer].kept = None;
        self.close_outage(peer, self.now);
        self.free_kept_port(peer);
        if let Some(connection) = self.peers[peer].connection {
            self.leaves_try(connection);
            self.close_port(connection);
            self.connections[connection].stage = Stage::Gone;
            self.closes(connection, self.now);
            self.leave_run(connection);
        }
        self.leaves_the_others(peer);
        self.depart(peer);
        self.requests_depart(peer);
        let wait = self.fresh();
        let of = &mut self.peers[peer];
        (of.present, of.starts_valid, of.wait, of.connection) = (false, false, wait, None);
        of.when.episode += 1;
    }

    /// Rule 15, `established`: valid at once, at no cost.
    pub(super) fn start_established(&mut self, front_end: usize) {
        for peer in 0..self.peers.len() {
            if self.front_end_of(peer) == front_end && std::mem::take(&mut self.peers[peer].starts_valid) {
                let connection = self.connect(peer, self.now);
                self.connections[connection].established = Some(self.now);
                self.take_port(connection, true);
                self.outage_ends(peer, self.now);
                self.valid(connection);
                self.passes(connection);
                self.opens(connection, self.now);
            }
        }
    }

    /// A new connection of a peer, to the front end at which it stands in its list.
    pub(super) fn connect(&mut self, peer: usize, syn: Time) -> usize {
        let front_end = self.front_end_of(peer);
        let of = &mut self.peers[peer];
        let connection = self.connections.len();
        of.connection = Some(connection);
        let (cause, when) = (of.cause, of.when);
        self.connections.push(Connection {
            peer,
            front_end,
            cause,
            when,
            syn,
            stage: Stage::Sent,
            syn_seen: None,
            syn_ack: Time::ZERO,
            answered: None,
            half_open_until: None,
            forgotten: false,
            messages: None,
            step: None,
            attempt_deadline: Time::NEVER,
            gone_heard: None,
            close_heard: None,
            port: None,
            resumed: false,
            established: None,
            made_with: None,
            made_first: false,
            passed: Time::ZERO,
            unknown_between: false,
            peer_finds_out: None,
        });
        connection
    }

    /// A peer sends a SYN of its own accord, if it has a port for it.
    pub(super) fn attempt(&mut self, peer: usize) {
        let cause = self.peers[peer].cause as u8;
        self.free_kept_port(peer);
        if self.is_bound(peer) && !self.may_attempt(peer) {
            return;
        }
        let is_handed_on = self.is_refresh_to_begin(peer) || self.is_handed_on(peer);
        let connection = self.connect(peer, self.now);
        self.refresh_begins(connection);
        self.peers[peer].first_syn.get_or_insert(self.now);
        if self.has_port(connection) {
            self.of_peer(peer, What::Attempt, cause);
            self.counts_as_attempt(connection);
            if is_handed_on {
                self.send_syns(connection);
            } else {
                self.waits_begin(connection);
                self.refused_by_middlebox(connection);
            }
        }
    }

    pub(super) fn counts_as_attempt(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        self.round_goes_on(peer, self.connections[connection].syn);
        self.books.count(self.peers[peer].group, Counter::Attempts);
    }

    /// Rule 12: a message arrives, after so many flights of the server.
    pub(super) fn message(&mut self, connection: usize, flights: usize) {
        let of = &self.connections[connection];
        let (peer, front_end) = (of.peer, of.front_end);
        if !self.is_wanted(connection) || of.stage != Stage::Handshake {
            return;
        }
        if flights == 0 && !self.final_ack(connection) {
            return;
        }
        if self.front_ends[front_end].life != Life::Up {
            self.of_peer(peer, What::Silence, 0);
            return;
        }
        self.connections[connection].messages = Some(flights);
        if flights == 0 {
            self.first_flight(connection);
        }
        let accept = flights == 0 && self.plan.front_ends[front_end].accept.is_some();
        let kind = if accept { Kind::Accept } else { self.kind_of_message(connection, flights) };
        let job = self.job(kind, connection);
        self.enter(front_end, job);
        self.take_jobs(front_end);
    }

    pub(super) fn job(&self, kind: Kind, connection: usize) -> Job {
        let of = &self.connections[connection];
        Job {
            kind,
            connection,
            queued: self.now,
            first_taken: None,
            cause: of.cause,
            when: of.when,
            in_place: false,
            in_run: false,
            progress: None,
        }
    }

    /// A flight of the server goes out: the peer computes and answers it.
    pub(super) fn flight_sent(&mut self, connection: usize, flight: usize) {
        let peer = self.connections[connection].peer;
        let when = self.connections[connection].when;
        let computes = self.client_cpu(connection).get(flight).map(|cpu| {
            let bits = self.draw(peer, Purpose::ClientCpu, when, flight as u16);
            cpu.sample(bits)
        });
        let computes = self.as_slow_as_its_group(connection, computes.unwrap_or_default());
        let heard = self.flight_heard(connection, flight as u16 + 1);
        self.step_ends(connection, heard, heard + computes, flight + 1);
        let at = self.answer_arrives(connection, flight as u16 + 1, computes);
        self.later(at, Class::Arrival, peer, Step::Message { connection, flights: flight + 1 });
    }

    /// Rule 13: the verdict on a new connection is accept, and its peer still waits for it.
    pub(super) fn accepted(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        if self.is_making(peer) {
            return self.made_first(connection);
        }
        let at = self.news_arrives(connection);
        self.connections[connection].established = Some(at);
        let too_late = at > self.gives_up(connection).0;
        if !too_late && at <= Time::ZERO + self.plan.horizon {
            self.stamp_established(connection, at);
        }
        self.peers[peer].first_syn = None;
        // Rule 33: of which it does not hear in time was never established to it.
        if !too_late {
            self.outage_ends(peer, at);
        }
        self.valid(connection);
        self.attempt_over(peer);
        self.passes(connection);
        self.opens(connection, at);
        self.plan_to_move_back(connection);
    }

    fn stamp_established(&mut self, connection: usize, at: Time) {
        let of = &self.connections[connection];
        let (cause, syn) = (of.cause, of.syn);
        let peer = &self.peers[of.peer];
        let (group, first, without) = (peer.group, peer.first_syn.unwrap_or(syn), peer.without_since);
        self.books.sample(at, Metric::Attempt, group, cause, at.since(syn));
        self.books.sample(at, Metric::Connect, group, cause, at.since(first));
        self.books.sample(at, Metric::Outage, group, cause, at.since(without));
    }

    /// Rule 24: the verdict on a new connection is reject.
    pub(super) fn rejected(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        if self.is_making(peer) {
            return self.not_made(connection);
        }
        self.refresh_rejected(peer);
        self.reset(connection);
    }

    /// The front end's end of a connection is gone; its peer hears of it.
    pub(super) fn reset(&mut self, connection: usize) {
        self.connections[connection].stage = Stage::Gone;
        let peer = self.connections[connection].peer;
        let at = self.end_heard(connection);
        self.later(at, Class::Arrival, peer, Step::Reset { connection });
        self.closes(connection, at);
    }

    /// A valid connection has ended unplanned, as the front end sees it. When its peer learns of that is the caller's.
    pub(super) fn lose(&mut self, connection: usize, why: u8) {
        let peer = self.connections[connection].peer;
        self.try_ends(peer);
        self.books.count(self.peers[peer].group, Counter::Losses);
        self.of_peer(peer, What::Lost, why);
        self.end_connection(connection, false);
        self.peers[peer].cause = Cause::Recovery;
    }

    /// A peer closes a valid connection, and not because a refresh is due.
    pub(super) fn close_connection(&mut self, connection: usize) {
        self.end_connection(connection, true);
    }

    fn end_connection(&mut self, connection: usize, planned: bool) {
        self.connections[connection].stage = Stage::Gone;
        self.leave_run(connection);
        self.refresh_lost(connection);
        let peer = self.connections[connection].peer;
        let of = &mut self.peers[peer];
        of.when.attempt = 0;
        of.when.episode += 1;
        self.connection_has_ended(peer, planned);
    }

    /// A peer hears that its try has failed, or its connection is lost; of one that it has given up it hears nothing.
    pub(super) fn reset_heard(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        if !self.is_wanted(connection) {
            return;
        }
        self.free_port(connection);
        if self.connections[connection].established.is_some() { self.loss_learnt(peer) } else { self.failed(peer) }
    }

    /// Rules 14 and 26: after a failure the next front end, after a whole round of them a wait.
    pub(super) fn failed(&mut self, peer: usize) {
        self.peers[peer].connection = None;
        self.attempt_over(peer);
        self.goes_on(peer, Span::ZERO);
    }

    /// On to the next attempt, `at_least` so long after one that has failed or was not granted.
    pub(super) fn goes_on(&mut self, peer: usize, at_least: Span) {
        let of = &mut self.peers[peer];
        let (attempt, before) = (of.when.attempt, of.place);
        of.when.attempt += 1;
        self.turn_to_next(peer);
        if self.peers[peer].place != before && !self.is_making(peer) {
            self.refresh_moves(peer);
        }
        match self.after_failure(peer, attempt, at_least) {
            Some(wait) => self.wait(peer, wait),
            None => self.stops_trying(peer),
        }
    }

    /// Rule 14: a peer learns that its valid connection is lost.
    fn loss_learnt(&mut self, peer: usize) {
        self.peers[peer].connection = None;
        self.turn_to_next(peer);
        let when = self.peers[peer].when;
        self.close_outage(peer, self.now);
        let of = &mut self.peers[peer];
        (of.without_since, of.first_syn) = (self.now, None);
        let wait = self.after_loss(peer, when);
        self.wait(peer, wait);
    }

    pub(super) fn wait(&mut self, peer: usize, length: Span) {
        if length.0 == 0 {
            self.attempt(peer);
            return;
        }
        let wait = self.fresh();
        self.peers[peer].wait = wait;
        self.later(self.now + length, Class::Deadline, peer, Step::WaitEnds { peer, wait });
    }

    pub(super) fn wait_ends(&mut self, peer: usize, wait: u64) {
        if self.peers[peer].wait == wait {
            self.attempt(peer);
        }
    }
}
