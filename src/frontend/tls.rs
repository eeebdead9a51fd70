//! The handshakes of a group with TLS settings: server jobs, the peer's answers, who may resume (model rule 12).

use crate::dist::Dist;
use crate::policy::tls::{Bytes, Resumption};

/// TLS of a group that says more of it than its flights.
#[derive(Clone, PartialEq, Debug)]
pub struct Tls {
    /// A handshake that makes a session.
    pub full: Handshake,
    /// Who may resume, and what that takes; `None`: nobody.
    pub resumed: Option<(Resumption, Handshake)>,
}

/// One kind of handshake.
#[derive(Clone, PartialEq, Debug)]
pub struct Handshake {
    /// CPU of the front end for each of its jobs; at least one, at most [`super::FLIGHTS_MAX`].
    pub jobs: Vec<Dist>,
    /// How many of them, from the first, end with a flight to the peer; the rest are done without a round trip.
    pub round_trips: usize,
    /// CPU of the peer before it answers the flight at the same position; empty: none.
    pub client_cpu: Vec<Dist>,
    /// Bytes; `None`: nobody said.
    pub bytes: Option<Bytes>,
}

impl Tls {
    /// The handshake that a connection makes.
    pub fn handshake(&self, resumes: bool) -> &Handshake {
        match &self.resumed {
            Some((_, handshake)) if resumes => handshake,
            _ => &self.full,
        }
    }
}
