//! placeholder
mod defaults;
pub mod expect;
pub mod plan;

pub use defaults::refresh_in_place;
