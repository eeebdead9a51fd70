//! The reference: a slow, obvious front end written from docs/model.md alone, and the claim that the library agrees.
//!
//! Nothing here is clever: a sorted map of what happens next, plain structs, plain queues. It shares with the library
//! what a run starts from (times, draws, plans, questions) and what it is compared by (decisions, the digest over
//! them), and none of how a run is carried out. One file a part of the page, so that a rule is found where it is: what
//! a rule adds is a variant of [`agenda::Step`], a field of a struct in [`world`], and its own file.
//!
//! Where the two differ, docs/model.md decides; where it does not, it is made to.

mod agenda;
mod books;
mod certificates;
mod comeback;
mod compare;
mod connect;
mod failover;
mod listen;
mod lookup;
mod making;
mod measures;
mod path;
mod planned;
mod pool;
mod process;
mod question;
mod queue;
mod quiet;
mod refresh;
mod requests;
mod tcp;
mod timeouts;
mod tls;
mod together;
mod turns;
mod world;
