//! A new connection that is made while the old one serves (rule 19, `make-first`).

use refresh_sim::measure::{Cause, Metric, What};
use refresh_sim::policy::{Act, Initiator, Style};
use refresh_sim::time::{Span, Time};

use super::agenda::{Class, Step};
use super::world::{Stage, World};

/// A connection that serves while its successor is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Old {
    pub(super) connection: usize,
    /// Where in its peer's list its front end stands.
    pub(super) place: usize,
}

impl World<'_> {
    /// Whether a connection that is due is made anew before it ends: not if its peer has not heard of it yet.
    pub(super) fn makes_first(&self, connection: usize) -> bool {
        let policy = self.plan.refresh.as_ref();
        policy.is_some_and(|policy| policy.style != Style::BreakFirst) && self.has_heard(connection)
    }

    /// Whether the peer of a valid connection has heard that it is: at once of one that was made first.
    pub(super) fn has_heard(&self, connection: usize) -> bool {
        let of = &self.connections[connection];
        of.made_first || of.established.is_some_and(|at| at <= self.now)
    }

    /// The peer begins a new connection, now or when the front end's word has reached it.
    pub(super) fn make_first(&mut self, connection: usize, initiator: Initiator) {
        let peer = self.connections[connection].peer;
        let sent = match initiator {
            Initiator::FrontEnd => self.end_heard(connection),
            Initiator::Peer => self.now,
        };
        // It is without a connection at no time.
        self.close_outage(peer, sent);
        let of = &mut self.peers[peer];
        of.old = Some(Old { connection, place: of.place });
        (of.cause, of.first_syn, of.without_since) = (Cause::Refresh, Some(sent), sent);
        self.outage_ends(peer, sent);
        self.connection_has_ended(peer, true);
        self.connect_as_planned(connection, initiator, sent);
    }

    pub(super) fn is_making(&self, peer: usize) -> bool {
        self.peers[peer].old.is_some()
    }

    /// The verdict on the new connection is accept: the old one ends in this instant.
    pub(super) fn made_first(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        let Some(old) = self.peers[peer].old.take() else { return };
        let place = self.peers[peer].place;
        if place != old.place {
            self.refresh_moves(peer);
        }
        self.connections[old.connection].stage = Stage::Gone;
        let at = self.news_arrives(connection);
        if at <= self.gives_up(connection).0 && at <= Time::ZERO + self.plan.horizon {
            let of = &self.connections[connection];
            let (group, first) = (self.peers[peer].group, self.peers[peer].first_syn.unwrap_or(of.syn));
            let (cause, syn) = (of.cause, of.syn);
            self.books.sample(at, Metric::Attempt, group, cause, at.since(syn));
            self.books.sample(at, Metric::Connect, group, cause, at.since(first));
        }
        let of = &mut self.connections[connection];
        (of.established, of.made_first) = (Some(at), true);
        self.peers[peer].first_syn = None;
        self.valid(connection);
        self.attempt_over(peer);
        self.keep(peer, old.connection);
        self.passes(connection);
        self.plan_to_move_back(connection);
    }

    /// The old one stays open for its grace, valid for nobody.
    fn keep(&mut self, peer: usize, connection: usize) {
        let Some(Style::MakeFirst { grace }) = self.plan.refresh.as_ref().map(|policy| policy.style) else { return };
        if grace == Span::ZERO {
            return;
        }
        if let Some(before) = self.peers[peer].kept.replace(connection) {
            self.cut_old(peer, before);
        }
        self.later(self.now + grace, Class::Deadline, peer, Step::GraceOver { connection });
    }

    fn cut_old(&mut self, peer: usize, connection: usize) {
        let front_end = self.connections[connection].front_end;
        self.of_peer_at(peer, What::OldCut, 0, front_end as u16);
    }

    pub(super) fn grace_over(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        if self.peers[peer].kept == Some(connection) {
            self.peers[peer].kept = None;
            self.cut_old(peer, connection);
        }
    }

    /// The try for a new connection ends in this instant, whatever has become of it, and the peer has its old one.
    pub(super) fn try_ends(&mut self, peer: usize) {
        if self.is_making(peer)
            && let Some(new) = self.peers[peer].connection
        {
            self.abandon(new);
        }
        self.has_old_one(peer);
    }

    pub(super) fn has_old_one(&mut self, peer: usize) {
        let Some(old) = self.peers[peer].old.take() else { return };
        if let Some(new) = self.peers[peer].connection {
            self.leaves_try(new);
            self.connections[new].stage = Stage::Gone;
        }
        self.leaves_the_others(peer);
        let wait = self.fresh();
        let of = &mut self.peers[peer];
        (of.connection, of.place, of.wait) = (Some(old.connection), old.place, wait);
    }

    /// The verdict on the new connection is reject: the old one stays, and that is the outcome of its refresh.
    pub(super) fn not_made(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        let old = self.peers[peer].old.expect("it has one").connection;
        self.has_old_one(peer);
        self.refresh_rejected(peer);
        self.anchor_age(old);
    }

    /// A front end goes down, and with it old connections: their peers are as if they made no new ones.
    pub(super) fn old_ones_go(&mut self, front_end: usize) {
        for peer in 0..self.peers.len() {
            let is_there = |connection: usize| self.connections[connection].front_end == front_end;
            let (old, kept) = (self.peers[peer].old.map(|old| old.connection), self.peers[peer].kept);
            let (goes, kept_goes) = (old.is_some_and(is_there), kept.is_some_and(is_there));
            if goes {
                self.try_ends(peer);
            }
            if kept_goes {
                self.peers[peer].kept = None;
            }
        }
    }

    /// What a refresh that is due now does, as decisions tell it.
    pub(super) fn what_it_does(&self, connection: usize, act: Act) -> u8 {
        match act {
            Act::Revalidate => 0,
            Act::Reconnect(_) if self.makes_first(connection) => 3,
            Act::Reconnect(_) => 2,
        }
    }
}
