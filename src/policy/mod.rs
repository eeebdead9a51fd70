//! When a refresh is due, how a peer comes back, how a service recovers, what a handshake or a look-up takes.
//!
//! Functions of their arguments and their own draws: no clock, no I/O, nothing of peers' rows or queues.

pub mod lookup;
mod reconnect;
mod recovery;
mod refresh;
pub mod tls;

pub use reconnect::{Next, Reconnect};
pub use recovery::{Action, Failures, Recovery};
pub use refresh::{Act, Anchor, Initiator, Order, Refresh};
