//! When a refresh is due, how a peer comes back, how a service recovers, when a kernel sends again, what a handshake
//! takes.
//!
//! Functions of their arguments and their own draws: no clock, no I/O, nothing of peers' rows or queues.

mod reconnect;
mod recovery;
mod refresh;
pub mod tcp;
pub mod tls;

pub use reconnect::{Next, Reconnect};
pub use recovery::{Action, Failures, Recovery};
pub use refresh::{Act, Anchor, Initiator, Order, Refresh};
