//! From one front end to the next, and back to the first; the middlebox (rule 26).

use refresh_sim::measure::{Cause, What};
use refresh_sim::policy::ListOrder;
use refresh_sim::rng::{Purpose, When};
use refresh_sim::time::Time;

use super::agenda::{Class, Step};
use super::process::Life;
use super::world::World;

/// `Refused`'s detail.
const NOBODY_KNOWN: u8 = 3;

impl World<'_> {
    /// Where in its list a peer's own order begins.
    pub(super) fn first_place(&self, peer: usize) -> usize {
        let list = self.group(peer).front_ends.len() as u128;
        match self.group(peer).failover.order {
            ListOrder::Listed | ListOrder::Middlebox => 0,
            ListOrder::RoundRobin => {
                let bits = self.draw(peer, Purpose::ListStart, When::default(), 0);
                ((u128::from(bits) * list) >> 64) as usize
            }
        }
    }

    /// Whether a peer's connections are handed on by the middlebox.
    pub(super) fn is_behind_middlebox(&self, peer: usize) -> bool {
        self.plan.middlebox.is_some() && self.group(peer).failover.order == ListOrder::Middlebox
    }

    /// How many tries make a round: behind a middlebox all front ends are one.
    pub(super) fn round(&self, peer: usize) -> u32 {
        if self.is_behind_middlebox(peer) { 1 } else { self.group(peer).front_ends.len() as u32 }
    }

    /// The front end at which a peer stands has failed it: it turns to the next that it does not skip, or to the next one
    /// if it would have to skip all.
    pub(super) fn turn_to_next(&mut self, peer: usize) {
        if self.is_behind_middlebox(peer) {
            return;
        }
        let (list, of) = (self.group(peer).front_ends.len(), self.group(peer).failover);
        let from = self.peers[peer].place;
        let until = if of.black_list.0 > 0 { self.now + of.black_list } else { Time::ZERO };
        self.peers[peer].skips[from] = until;
        let in_turn = (1..=list).map(|steps| (from + steps) % list);
        let open = in_turn.clone().find(|place| self.peers[peer].skips[*place] <= self.now);
        self.peers[peer].place = open.or(in_turn.into_iter().next()).expect("a list is not empty");
    }

    /// After everything else of an instant the middlebox looks who is up.
    pub(super) fn middlebox_looks(&mut self) {
        let Some(middlebox) = &self.plan.middlebox else { return };
        self.believed = self.front_ends.iter().map(|of| of.life == Life::Up).collect();
        self.agenda.add(self.now + middlebox.probe, Class::Sample, 0, Step::Probe);
    }

    /// The middlebox hands a new connection of a peer on; whether there is anybody to hand it to.
    pub(super) fn is_handed_on(&mut self, peer: usize) -> bool {
        let Some(middlebox) = self.plan.middlebox.as_ref().filter(|_| self.is_behind_middlebox(peer)) else {
            return true;
        };
        let list = &self.group(peer).front_ends;
        let up: Vec<usize> = (0..list.len()).filter(|place| self.believed[usize::from(list[*place])]).collect();
        let of = &self.peers[peer];
        let before = of.place;
        let had_one = of.cause != Cause::Initial;
        let place = if middlebox.persistence && had_one && up.contains(&before) {
            before
        } else {
            let bits = self.draw(peer, Purpose::MiddleboxChoice, of.when, 0);
            let nth = (u128::from(bits) * up.len() as u128) >> 64;
            let Some(place) = up.get(nth as usize) else { return false };
            *place
        };
        self.peers[peer].place = place;
        if place != before && !self.is_making(peer) {
            self.refresh_moves(peer);
        }
        true
    }

    /// The middlebox answers a SYN itself.
    pub(super) fn refused_by_middlebox(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        self.of_peer(peer, What::Refused, NOBODY_KNOWN);
        let at = self.now + self.exchange_of_now(connection);
        if at < self.stack_gives_up(connection) {
            self.later(at, Class::Arrival, peer, Step::Reset { connection });
        }
    }

    /// A connection is valid: if not at its peer's first front end, that will go back there.
    pub(super) fn plan_to_move_back(&mut self, connection: usize) {
        let (peer, cause) = (self.connections[connection].peer, self.connections[connection].cause);
        let Some(after) = self.group(peer).failover.fail_back else { return };
        let (place, first) = (self.peers[peer].place, self.first_place(peer));
        if place == first {
            self.peers[peer].moves_back = None;
            return;
        }
        let stays = self.peers[peer].moves_back.filter(|(at, when)| *at == place && *when > self.now);
        if cause == Cause::Refresh && stays.is_some() {
            return;
        }
        let at = self.now + after;
        self.peers[peer].moves_back = Some((place, at));
        self.later(at, Class::Deadline, peer, Step::MovesBack { peer });
    }

    pub(super) fn moves_back(&mut self, peer: usize) {
        let of = &self.peers[peer];
        let place = of.old.map_or(of.place, |old| old.place);
        if !self.is_valid(peer) || self.peers[peer].moves_back != Some((place, self.now)) {
            return;
        }
        self.try_ends(peer);
        let connection = self.peers[peer].connection.expect("it is valid");
        self.of_peer(peer, What::MovesBack, 0);
        self.close_outage(peer, self.now);
        self.close_port(connection);
        self.abandon(connection);
        self.close_connection(connection);
        self.closes(connection, self.now);
        let first = self.first_place(peer);
        let of = &mut self.peers[peer];
        (of.cause, of.place) = (Cause::Refresh, first);
        (of.without_since, of.first_syn) = (self.now, None);
        self.attempt(peer);
    }
}
