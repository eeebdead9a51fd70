//! The one integration test binary; each module holds the claims of one part.

mod cli;
mod diagnosis;
mod docs;
mod drains;
mod established;
mod import;
mod incident;
mod layers;
mod lint;
mod lookups;
mod network;
mod pool;
mod random_plans;
mod reconnect;
mod reference;
mod report;
mod requests;
mod rules;
mod scenario_errors;
mod scenario_files;
mod shipped;
mod stories;
mod tls;
mod validation;
mod watching;
