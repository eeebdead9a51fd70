//! Full and resumed handshakes, and the sessions that peers keep (rule 12).

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Handshakes, What};
use refresh_sim::policy::tls::{Store, TicketKey};
use refresh_sim::scenario::plan::ResumedPlan;
use refresh_sim::time::Time;

use super::queue::Kind;
use super::world::World;

/// What a complete handshake left its peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    complete: Time,
    front_end: usize,
    incarnation: u32,
    /// How many that incarnation had made for its cache, this one counted.
    nth: u64,
}

/// `Handshake`'s details.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Offer {
    NoSession = 0,
    Resumed = 1,
    Declined = 2,
}

impl World<'_> {
    /// How peers of a group resume, if they do.
    fn resumption(&self, peer: usize) -> Option<&ResumedPlan> {
        self.group(peer).tls.as_ref()?.resumed.as_ref()
    }

    /// The peer's first flight arrives: is the handshake going to be a full one or a resumed one?
    pub(super) fn first_flight(&mut self, connection: usize) {
        let (peer, front_end) = (self.connections[connection].peer, self.connections[connection].front_end);
        if self.resumption(peer).is_none() {
            return;
        }
        let offer = match self.peers[peer].session {
            None => Offer::NoSession,
            Some(session) if self.is_good(peer, front_end, session) => Offer::Resumed,
            Some(_) => Offer::Declined,
        };
        self.connections[connection].resumed = offer == Offer::Resumed;
        if offer == Offer::Declined {
            self.count_handshake(peer, |counts| counts.declined += 1);
        }
        self.of_peer(peer, What::Handshake, offer as u8);
    }

    fn is_good(&self, peer: usize, front_end: usize, session: Session) -> bool {
        let of = &self.front_ends[front_end];
        let Some(ResumedPlan { resumption, .. }) = self.resumption(peer) else { return false };
        let same_front_end = session.front_end == front_end;
        let same_process = same_front_end && session.incarnation == of.incarnation;
        let has_it = match resumption.store {
            Store::Cache { entries } => same_process && of.cached - session.nth < u64::from(entries),
            Store::Tickets(TicketKey::Process) => same_process,
            Store::Tickets(TicketKey::Host) => same_front_end,
            Store::Tickets(TicketKey::Pool) => true,
        };
        has_it && self.now.since(session.complete) < resumption.lifetime
    }

    /// The front end's CPU for each of its flights.
    pub(super) fn flights(&self, connection: usize) -> &[Dist] {
        let peer = self.connections[connection].peer;
        match self.resumption(peer) {
            Some(resumed) if self.connections[connection].resumed => &resumed.flights,
            _ => &self.group(peer).flights,
        }
    }

    /// The peer's CPU before it answers each of them.
    pub(super) fn client_cpu(&self, connection: usize) -> &[Dist] {
        let peer = self.connections[connection].peer;
        match self.resumption(peer) {
            Some(resumed) if self.connections[connection].resumed => &resumed.client_cpu,
            _ => &self.group(peer).client_cpu,
        }
    }

    /// What the front end does after the peer's last flight, if anything.
    pub(super) fn finish_of(&self, connection: usize) -> Option<&Dist> {
        let of = &self.connections[connection];
        if of.resumed { None } else { self.group(of.peer).tls.as_ref()?.finish.as_ref() }
    }

    /// What is next after so many flights of the server.
    pub(super) fn kind_of_message(&self, connection: usize, flights: usize) -> Kind {
        if flights < self.flights(connection).len() {
            Kind::Flight(flights)
        } else if self.finish_of(connection).is_some() {
            Kind::Finish
        } else {
            Kind::Validate
        }
    }

    /// The validation job of a new connection has arrived: its handshake is complete.
    pub(super) fn handshake_complete(&mut self, connection: usize) {
        let of = &self.connections[connection];
        let (peer, front_end, resumed) = (of.peer, of.front_end, of.resumed);
        let Some(tls) = &self.group(peer).tls else { return };
        let bytes = if resumed { tls.resumed.as_ref().and_then(|resumed| resumed.bytes) } else { tls.bytes };
        self.count_handshake(peer, |counts| {
            *(if resumed { &mut counts.resumed } else { &mut counts.full }) += 1;
            match bytes {
                None => counts.unweighed += 1,
                Some(bytes) => {
                    counts.to_front_end += u64::from(bytes.to_front_end);
                    counts.to_peer += u64::from(bytes.to_peer);
                }
            }
        });
        let Some(ResumedPlan { resumption, .. }) = &tls.resumed else { return };
        if resumed && !resumption.renew {
            return;
        }
        let of = &mut self.front_ends[front_end];
        if matches!(resumption.store, Store::Cache { .. }) {
            of.cached += 1;
        }
        let (incarnation, nth) = (of.incarnation, of.cached);
        self.peers[peer].session = Some(Session { complete: self.now, front_end, incarnation, nth });
    }

    fn count_handshake(&mut self, peer: usize, count: impl FnOnce(&mut Handshakes)) {
        let group = self.peers[peer].group;
        self.books.handshakes[group].as_mut().map(count);
    }
}
