//! How long each side waits for the other (model rules 5 and 14).

use crate::time::Span;

/// How long a peer waits for each step of an attempt, beside the time-out of the attempt as a whole. `None`: for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timeouts {
    /// From its SYN to the answer.
    pub connect: Option<Span>,
    /// From each of its TLS flights to the flight that answers it.
    pub flight: Option<Span>,
    /// From the message that it is judged by to the news of the verdict.
    pub answer: Option<Span>,
}

impl Timeouts {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Timeouts::default()
    }
}

/// The front end's own limits on a connection. `None`: there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// From the arrival of the SYN until the TLS handshake is over: the arrival of the message after the last flight.
    pub handshake: Option<Span>,
    /// From the arrival of the SYN until the connection is valid.
    pub first_message: Option<Span>,
    /// Connections at once, valid, in handshake, or abandoned and not closed yet; at least 1.
    pub max_connections: Option<u32>,
}

impl Limits {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Limits::default()
    }
}
