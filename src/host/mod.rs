//! What the program needs of its host: signals, a second process, threads for runs, the clock on the wall.
//!
//! The only place that names tokio and tokio-util, and with `cli` the only one that may see real time. Hands on plans
//! and what is made of runs, and looks into neither. Simulation threads are plain: nothing below this module is
//! asynchronous.

pub mod child;
pub mod clock;
pub mod signals;
pub mod threads;
pub mod validator;
