//! What like peers share: everything that a row does not hold.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::dist::Dist;
use crate::id::Identity;
use crate::policy::tcp::SynSchedule;
use crate::policy::{Failover, Reconnect, Timeouts};
use crate::rng::{Draws, Purpose, When};
use crate::time::{Span, Time};
use crate::validate::{Certificate, CertificateState, Particulars, PeerName, Phase, Question, Transport};

use super::request::Requests;
use super::row::Row;
use super::tls::Tls;

/// A group of like peers: rows `first..first + peers`.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its position among the groups.
    pub number: u16,
    /// Identity of the group's name.
    pub identity: Identity,
    /// Row of its first peer.
    pub first: u32,
    /// How many peers it has.
    pub peers: u32,
    /// Index within the group of each peer; `None`: the n-th has index n.
    pub indices: Option<Vec<u32>>,
    /// Whether it stands for one peer alone, named like the group.
    pub single: bool,
    /// Cell of its histograms.
    pub cell: u16,
    /// What carries its connections.
    pub transport: Transport,
    /// What its peers show.
    pub certificate: Option<CertificateState>,
    /// What else the topology and their certificates say of them; `None`: what is usual.
    pub particulars: Option<Box<Particulars>>,
    /// Address of index 0.
    pub address: IpAddr,
    /// Source port.
    pub port: u16,
    /// Whether the topology lists its addresses.
    pub known: bool,
    /// Round-trip time, one draw a peer.
    pub rtt: Dist,
    /// When a SYN goes out again.
    pub syn: SynSchedule,
    /// A round trip below this needs no step for a SYN to a front end that refuses nothing: nothing happens on the path and
    /// the peer's stack does not give up before the answer. Zero: the path has loss, variation or cuts, or ports are bounded.
    pub direct: Span,
    /// CPU of the front end for each flight; at most [`super::FLIGHTS_MAX`].
    pub flights: Vec<Dist>,
    /// CPU of the peer before it answers the flight at the same position; empty: none.
    pub client_cpu: Vec<Dist>,
    /// TLS settings, which then say more than `flights` and `client_cpu` and stand in their place; `None`: those two.
    pub tls: Option<Box<Tls>>,
    /// CPU of validating a new connection.
    pub validate_accept: Dist,
    /// CPU of validating a connection again.
    pub validate_refresh: Dist,
    /// A try that takes longer is given up.
    pub attempt_timeout: Option<Span>,
    /// How long they wait for each step of a try.
    pub timeouts: Timeouts,
    /// How its peers come back.
    pub reconnect: Reconnect,
    /// Positions of the front ends in the order in which they are tried.
    pub front_ends: Vec<u16>,
    /// What its peers ask beside connecting; `None`: nothing.
    pub requests: Option<Box<Requests>>,
    /// How its peers go from one to the next.
    pub failover: Failover,
    /// Whether the refresh policy takes its transport.
    pub refreshed: bool,
}

impl Group {
    /// How many flights of the front end the handshake of a row's present attempt has; 0 for TCP.
    #[inline]
    pub fn round_trips(&self, row: &Row) -> usize {
        self.tls.as_ref().map_or(self.flights.len(), |tls| tls.handshake(row.resumes()).round_trips)
    }

    /// Index within the group of the peer in row `row`.
    #[inline]
    pub fn index(&self, row: u32) -> u32 {
        let nth = row - self.first;
        self.indices.as_ref().map_or(nth, |indices| indices[nth as usize])
    }

    /// The identity that draws of the peer in row `row` hang on.
    #[inline]
    pub fn identity_of(&self, row: u32) -> Identity {
        self.identity.member(self.index(row))
    }

    /// Its name.
    pub fn name_of(&self, row: u32) -> PeerName<'_> {
        PeerName { group: &self.name, index: if self.single { None } else { Some(self.index(row)) } }
    }

    /// Draws from `dist` for the peer in row `row`; a constant needs no draw.
    #[inline]
    pub fn sample(&self, dist: &Dist, draws: &Draws, row: u32, purpose: Purpose, when: When, index: u16) -> Span {
        match dist {
            Dist::Constant(span) => *span,
            other => other.sample(draws.draw(self.identity_of(row), purpose, when, index)),
        }
    }

    /// Round-trip time of the peer in row `row`: one draw for the whole run (rule 11).
    #[inline]
    pub fn rtt_of(&self, draws: &Draws, row: u32) -> Span {
        self.sample(&self.rtt, draws, row, Purpose::RoundTrip, When { cycle: 0, episode: 0, attempt: 0 }, 0)
    }

    /// The front end at which the own order of the peer in row `row` begins (rule 26).
    pub fn home_of(&self, draws: &Draws, row: u32) -> u16 {
        let bits = || draws.draw(self.identity_of(row), Purpose::ListStart, When::default(), 0);
        self.front_ends[self.failover.first(self.front_ends.len(), bits)]
    }

    /// The front end after the one at `place` in this group's list.
    #[inline]
    pub fn next_front_end(&self, place: u16) -> u16 {
        let at = self.front_ends.iter().position(|f| *f == place).unwrap_or(0);
        self.front_ends[(at + 1) % self.front_ends.len()]
    }

    /// The front end that a peer was at which has come to the one at `place` after `steps` steps along the list.
    pub fn front_end_before(&self, place: u16, steps: u32) -> u16 {
        let (at, list) = (self.front_ends.iter().position(|f| *f == place).unwrap_or(0), self.front_ends.len());
        self.front_ends[(at + list - steps as usize % list) % list]
    }

    /// The question about the peer in row `at_row` at `now`.
    #[inline]
    pub fn question(&self, at_row: u32, row: &Row, now: Time, phase: Phase) -> Question<'_> {
        let index = self.index(at_row);
        let mut question = Question::about(self.name_of(at_row), now);
        question.phase = phase;
        question.transport = self.transport;
        question.address = offset(self.address, index);
        question.port = self.port;
        question.address_known = self.known;
        question.attempt = u32::from(row.attempt);
        question.certificate = self.certificate.map(|state| self.certificate_in(state));
        if let Some(particulars) = &self.particulars {
            question.pool = particulars.pool.as_deref().unwrap_or(question.pool);
            question.computer = particulars.computer.as_deref();
        }
        question
    }

    /// A certificate of its peers that is in a state.
    #[inline]
    pub fn certificate_in(&self, state: CertificateState) -> Certificate<'_> {
        let names = self.particulars.as_ref().and_then(|particulars| particulars.names.as_ref());
        let certificate = Certificate::new(state);
        names.map_or(certificate, |names| certificate.with_names(names))
    }
}

/// The address `n` after `address`.
#[inline]
pub fn offset(address: IpAddr, n: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits().wrapping_add(n))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits().wrapping_add(u128::from(n)))),
    }
}
