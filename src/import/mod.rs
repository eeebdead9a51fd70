//! Real deployments as scenarios: topology documents and inventories in, a [`Deployment`] and a scenario's text out.
//!
//! The way of a topology: `archive` finds the document in a configuration export, `text` makes UTF-8 of it, `xml` reads
//! it piece by piece within bounds, `document` picks what counts, `topology` puts it together, `write` makes a scenario
//! of it. `inventory` comes to the same place from a table, and
//! `calibration` reads measurements. All input is untrusted: whatever grows with it has a limit.
//! Does no I/O of its own: readers in, texts out. What each element means, and how that is known, is in
//! `docs/import.md`.

mod archive;
mod build;
mod calibration;
mod deployment;
mod document;
mod error;
mod inventory;
mod text;
mod topology;
mod write;
mod xml;

use std::io::{Read, Seek, SeekFrom};

pub use build::{Build, BuildError};
pub use calibration::Measured;
pub use deployment::{Application, ApplicationPool, Computer, Deployment, FrontEnd, FrontEndPool, Shown, Site};
pub use error::{ImportError, Place, Problem};
pub use write::{Options, Written, group_name, group_names, scenario};

/// Reads a topology document: published XML, Topology Builder's file, or a configuration export (zip) with one of them
/// in it. UTF-8, or UTF-16 with a byte-order mark.
pub fn topology<R: Read + Seek>(mut input: R) -> Result<Deployment, ImportError> {
    let start = archive::start(&mut input)?;
    input.seek(SeekFrom::Start(0)).map_err(|error| ImportError::unreadable(&error))?;
    let document = if archive::is_one(&start) { archive::read(input)? } else { document::read(input)? };
    topology::deployment(document)
}

/// Reads an inventory: a table with a heading, fields separated by commas, semicolons or tabs.
pub fn inventory<R: Read>(input: R) -> Result<Deployment, ImportError> {
    inventory::deployment(input)
}

/// Reads measurements: a table of percentiles, each of one value of a scenario.
pub fn calibration<R: Read>(input: R) -> Result<Vec<Measured>, ImportError> {
    calibration::read(input)
}

/// Whether `start`, the first bytes of a file, may begin a topology document or an archive with one, not a scenario.
pub fn is_topology(start: &[u8]) -> bool {
    archive::is_one(start) || text::begins_markup(start)
}

/// Most bytes of a document, decompressed.
pub const DOCUMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
