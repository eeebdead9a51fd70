//! The one integration test binary; each module holds the claims of one part.

mod incident;
mod report;
