//! When a refresh is due, how a peer comes back, how a service recovers, what a handshake takes.
//!
//! Functions of their arguments and their own draws: no clock, no I/O, nothing of peers' rows or queues.

mod certificate;
mod limit;
mod reconnect;
mod recovery;
mod refresh;
pub mod tls;

pub use certificate::{Ask, Drawn, Held, Issuer, LIFE_MIN, POLL_MIN, Replaced, Then, Validity};
pub use limit::{Batch, Limit, Limiter, Rate};
pub use reconnect::{Next, Reconnect};
pub use recovery::{Action, Failures, Recovery};
pub use refresh::{Act, Anchor, Initiator, Order, Refresh, Style};
