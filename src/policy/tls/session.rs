//! Who may take up an earlier session again: a session cache in the front end's process, or tickets (model rule 12).
//!
//! RFC 5246 F.1.4 (session ids), RFC 5077 and RFC 8446 4.6.1 (tickets). Knows when a session was made and by which
//! process; does not know whose it is.

use crate::time::{Span, Time};

/// How sessions are taken up again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resumption {
    /// Who keeps what is needed for it.
    pub store: Store,
    /// A session of this age or more is not taken up again.
    pub lifetime: Span,
    /// Whether a resumed handshake makes a new session, whose age begins anew; else the old one keeps its age.
    pub renew: bool,
}

/// Who keeps what a resumed handshake needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    /// The front end's process, in memory: gone with the incarnation.
    Cache {
        /// Most sessions; one more pushes the oldest out.
        entries: u32,
    },
    /// The peer, in a ticket that whoever has this key can read.
    Tickets(TicketKey),
}

/// How far the key of tickets reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TicketKey {
    /// Made by each process for itself: gone with the incarnation.
    Process,
    /// Kept on the host: survives a restart, good at this front end alone.
    Host,
    /// The same at all front ends: survives a restart, good everywhere.
    Pool,
}

/// The latest session that a peer has: 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session {
    made: Time,
    // Bits: number of its maker's sessions before it 48, position of its maker 16.
    origin: u64,
}

const _: () = assert!(size_of::<Session>() == 16, "a session is 16 bytes beside its row");

/// Numbers the sessions that one front end makes, so that the oldest are known to be gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Issuer {
    incarnation: u32,
    next: u64,
    /// Lower numbers are of processes that are gone.
    first: u64,
}

/// What comes of a peer's first flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Offer {
    /// It has no session: a full handshake.
    Nothing = 0,
    /// Its session is taken up again.
    Resumed = 1,
    /// Its session is too old, pushed out, or of a process that is gone or another front end: a full handshake.
    Declined = 2,
}

impl Session {
    /// None.
    pub const NONE: Session = Session { made: Time::NEVER, origin: 0 };

    fn place(self) -> u16 {
        self.origin as u16
    }

    fn number(self) -> u64 {
        self.origin >> 16
    }
}

impl Issuer {
    /// The process is in its `incarnation`: what earlier ones made is none of its own.
    pub fn serve(&mut self, incarnation: u32) {
        if self.incarnation != incarnation {
            self.incarnation = incarnation;
            self.next += 1;
            self.first = self.next;
        }
    }

    /// Makes a session at the front end at `place`.
    pub fn issue(&mut self, now: Time, place: u16, store: Store) -> Session {
        let origin = self.next << 16 | u64::from(place);
        // Tickets take no place in the cache of the process.
        self.next += u64::from(matches!(store, Store::Cache { .. }));
        Session { made: now, origin }
    }
}

impl Resumption {
    /// What the front end at `place` makes of a first flight that arrives at `now` with `session`.
    pub fn offered(&self, session: Session, now: Time, place: u16, issuer: &Issuer) -> Offer {
        if session == Session::NONE {
            return Offer::Nothing;
        }
        let known = match self.store {
            Store::Cache { entries } => {
                let newer = issuer.next.saturating_sub(session.number());
                session.place() == place && session.number() >= issuer.first && newer <= u64::from(entries)
            }
            Store::Tickets(TicketKey::Process) => session.place() == place && session.number() >= issuer.first,
            Store::Tickets(TicketKey::Host) => session.place() == place,
            Store::Tickets(TicketKey::Pool) => true,
        };
        if known && now.since(session.made) < self.lifetime { Offer::Resumed } else { Offer::Declined }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Time = Time(Span::HOUR.0);

    fn of(store: Store) -> Resumption {
        Resumption { store, lifetime: Span::HOUR.times(10), renew: false }
    }

    #[test]
    fn rule_12_a_full_cache_pushes_the_oldest_out_first() {
        let store = Store::Cache { entries: 2 };
        let mut issuer = Issuer::default();
        issuer.serve(1);
        let sessions = [1, 2, 3].map(|n| issuer.issue(Time(n), 0, store));
        let offers = sessions.map(|session| of(store).offered(session, HOUR, 0, &issuer));
        assert_eq!(offers, [Offer::Declined, Offer::Resumed, Offer::Resumed]);
        assert_eq!(of(store).offered(Session::NONE, HOUR, 0, &issuer), Offer::Nothing);
        // A ticket takes no place in it.
        issuer.issue(Time(4), 0, Store::Tickets(TicketKey::Process));
        assert_eq!(of(store).offered(sessions[1], HOUR, 0, &issuer), Offer::Resumed);
    }

    #[test]
    fn rule_12_a_session_of_its_lifetime_is_too_old_by_a_nanosecond() {
        for store in [Store::Cache { entries: 9 }, Store::Tickets(TicketKey::Pool)] {
            let mut issuer = Issuer::default();
            let session = issuer.issue(HOUR, 0, store);
            let end = HOUR + Span::HOUR.times(10);
            assert_eq!(of(store).offered(session, end - Span(1), 0, &issuer), Offer::Resumed);
            assert_eq!(of(store).offered(session, end, 0, &issuer), Offer::Declined);
        }
    }

    #[test]
    fn rule_12_who_has_the_key_of_a_ticket_decides_where_it_is_good() {
        let stores = [
            Store::Cache { entries: 9 },
            Store::Tickets(TicketKey::Process),
            Store::Tickets(TicketKey::Host),
            Store::Tickets(TicketKey::Pool),
        ];
        let seen = stores.map(|store| {
            let [mut here, mut there] = [Issuer::default(); 2];
            here.serve(1);
            there.serve(1);
            let session = here.issue(Time(1), 0, store);
            let same = of(store).offered(session, HOUR, 0, &here);
            let other = of(store).offered(session, HOUR, 1, &there);
            here.serve(2);
            [same, of(store).offered(session, HOUR, 0, &here), other].map(|offer| offer == Offer::Resumed)
        });
        let expected = [[true, false, false], [true, false, false], [true, true, false], [true, true, true]];
        assert_eq!(seen, expected);
    }
}
