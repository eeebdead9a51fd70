//! When a refresh is due, how a peer comes back, how a service recovers, when a kernel sends again, what a handshake or a
//! look-up takes.
//!
//! Functions of their arguments and their own draws: no clock, no I/O, nothing of peers' rows or queues. What several
//! peers share, the tokens of a budget and the pace of attempts, is a value that whoever runs the policy keeps.

mod backoff;
mod budget;
mod certificate;
mod failover;
mod limit;
pub mod lookup;
mod pool;
mod presets;
mod ratio;
mod reconnect;
mod recovery;
mod refresh;
pub mod tcp;
mod timeouts;
pub mod tls;

pub use backoff::{Backoff, FACTOR_MAX, FACTOR_MIN, Growth, Jitter, JitterAt};
pub use budget::{Budget, ConnectLimit, Pace, Scope, Tokens};
pub use certificate::{Ask, Drawn, Held, Issuer, LIFE_MIN, POLL_MIN, Replaced, Then, Validity};
pub use failover::{Failover, Idle, ListOrder, Middlebox, OnIdle};
pub use limit::{Batch, Limit, Limiter, TurnRate};
pub use pool::{Minimum, PUBLISHED_MAX, Pool, Restart};
pub use presets::{Evidence, PRESETS, Preset};
pub use ratio::{Rate, Ratio};
pub use reconnect::{CountedFrom, GiveUp, Next, Reconnect};
pub use recovery::{Action, Failures, Recovery};
pub use refresh::{Act, Anchor, Initiator, Order, Refresh, Style};
pub use timeouts::{ConnectGrowth, Limits, Timeouts};
