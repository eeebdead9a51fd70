//! Handshakes of groups with TLS settings: full or resumed, and the sessions that peers keep (model rule 12).
//!
//! Groups without such settings never come here; what peers keep is allocated only if some group resumes.

use crate::frontend::{Group, Job, JobKind, Port, Step, Wake};
use crate::measure::{Handshakes, What};
use crate::policy::tls::{Issuer, Offer, Session};
use crate::rng::Purpose;
use crate::time::{Span, Time};

use super::engine::Run;

/// What a run keeps of TLS beside its rows.
#[derive(Debug)]
pub(super) struct Sessions {
    /// The latest session of each row; empty if no group resumes.
    held: Vec<Session>,
    /// Of each front end.
    issuers: Vec<Issuer>,
    /// Of each cell; `None`: no group in it has TLS settings.
    pub(super) counts: Vec<Option<Handshakes>>,
}

impl Sessions {
    /// For `rows` peers; `None`: no group has TLS settings.
    pub(super) fn of(groups: &[Group], cells: usize, rows: usize, front_ends: usize) -> Option<Box<Sessions>> {
        let mut counts = vec![None; cells];
        for group in groups.iter().filter(|group| group.tls.is_some()) {
            counts[usize::from(group.cell)] = Some(Handshakes::default());
        }
        let resumes = groups.iter().any(|group| group.tls.as_ref().is_some_and(|tls| tls.resumed.is_some()));
        let held = vec![Session::NONE; if resumes { rows } else { 0 }];
        let any = counts.iter().any(Option::is_some);
        any.then(|| Box::new(Sessions { held, issuers: vec![Issuer::default(); front_ends], counts }))
    }

    /// The numbers that close a digest.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.counts.iter().flatten().flat_map(Handshakes::numbers).collect()
    }

    fn count(&mut self, cell: u16, count: impl FnOnce(&mut Handshakes)) {
        if let Some(counts) = &mut self.counts[usize::from(cell)] {
            count(counts);
        }
    }
}

impl Run<'_> {
    /// A flight of the peer, or the message after its last one, has arrived at a front end that serves.
    #[inline(never)]
    pub(super) fn tls_flight_arrives(&mut self, now: Time, who: u32, group: usize) {
        let row = &self.rows[who as usize];
        let place = usize::from(row.place());
        let is_first = row.flight() == 0;
        if is_first {
            self.choose_handshake(now, who, group, place);
        }
        if is_first && self.front_ends[place].setup.accept.is_some() {
            self.enqueue(now, who, group, JobKind::Accept);
        } else {
            self.handshake_goes_on(now, who, group);
        }
        self.dispatch(now, place);
    }

    /// Full or resumed: what the front end makes of the session that the peer's first flight shows.
    fn choose_handshake(&mut self, now: Time, who: u32, group: usize, place: usize) {
        let Group { tls: Some(tls), cell, .. } = &self.groups[group] else { return };
        let (Some((resumption, _)), Some(sessions)) = (&tls.resumed, &mut self.sessions) else { return };
        let issuer = &mut sessions.issuers[place];
        issuer.serve(self.front_ends[place].incarnation);
        let offer = resumption.offered(sessions.held[who as usize], now, place as u16, issuer);
        if offer == Offer::Declined {
            sessions.count(*cell, |counts| counts.declined += 1);
        }
        self.rows[who as usize].set_resumes(offer == Offer::Resumed);
        self.decide(now, who, What::Handshake, offer as u8);
    }

    /// The next job of a handshake goes into the queue, or the peer's validation.
    pub(super) fn handshake_goes_on(&mut self, now: Time, who: u32, group: usize) {
        let of = &self.groups[group];
        let row = &mut self.rows[who as usize];
        let flight = row.flight();
        let job = of.tls.as_ref().and_then(|tls| tls.handshake(row.resumes()).jobs.get(flight));
        let Some(dist) = job else {
            self.handshake_complete(now, who, group);
            return self.enqueue(now, who, group, JobKind::ValidateAccept);
        };
        let demand = of.sample(dist, &self.world.draws, who, Purpose::FlightCpu, row.when(), flight as u16);
        let demand = Span(demand.0.max(1));
        row.set_step(Step::InJob);
        row.next = Time::NEVER;
        let (generation, cause, place) = (row.generation, row.cause(), usize::from(row.place()));
        let job = Job { arrived: now, demand, row: who, generation, kind: JobKind::Flight, cause };
        if let Some(refused) = self.front_ends[place].enqueue(now, job) {
            self.no_room(now, place, refused);
        }
    }

    /// A job of a handshake has ended: its flight goes out, or nothing does and the next job follows at once.
    #[inline(never)]
    pub(super) fn tls_flight_ended(&mut self, now: Time, who: u32, group: usize) {
        let rtt = self.rtt(who, group);
        let of = &self.groups[group];
        let Some(tls) = &of.tls else { return };
        let row = &mut self.rows[who as usize];
        let flight = row.flight();
        let handshake = tls.handshake(row.resumes());
        row.set_flight(flight + 1);
        if flight >= handshake.round_trips {
            return self.handshake_goes_on(now, who, group);
        }
        let thinks = handshake.client_cpu.get(flight).map_or(Span::ZERO, |dist| {
            of.sample(dist, &self.world.draws, who, Purpose::ClientCpu, row.when(), flight as u16)
        });
        row.set_step(Step::FlightSent);
        let (thinks, next) = if of.direct > Span::ZERO {
            (thinks, now + rtt + thinks)
        } else {
            let trip = self.trip(who, group);
            let thinks = trip.at_its_pace(thinks);
            (thinks, trip.round_ends(now, flight as u16 + 1, thinks))
        };
        self.rows[who as usize].next = next;
        self.world.wake(next, who, Wake::Message);
        self.flight_answered(now, thinks, who, group);
    }

    /// Nothing of a handshake is left to do: it counts, and the peer has a session of it.
    fn handshake_complete(&mut self, now: Time, who: u32, group: usize) {
        let Group { tls: Some(tls), cell, .. } = &self.groups[group] else { return };
        let Some(sessions) = &mut self.sessions else { return };
        let row = &self.rows[who as usize];
        let (resumes, place) = (row.resumes(), row.place());
        let bytes = tls.handshake(resumes).bytes;
        sessions.count(*cell, |counts| {
            *(if resumes { &mut counts.resumed } else { &mut counts.full }) += 1;
            match bytes {
                Some(bytes) => {
                    counts.to_front_end += u64::from(bytes.to_front_end);
                    counts.to_peer += u64::from(bytes.to_peer);
                }
                None => counts.unweighed += 1,
            }
        });
        let Some((resumption, _)) = &tls.resumed else { return };
        if !resumes || resumption.renew {
            let issuer = &mut sessions.issuers[usize::from(place)];
            issuer.serve(self.front_ends[usize::from(place)].incarnation);
            sessions.held[who as usize] = issuer.issue(now, place, resumption.store);
        }
    }
}
