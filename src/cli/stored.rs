//! A result that is read back: its plan and what its summary says of the run.
//!
//! What is not whole is refused, unless the caller asks for it.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::report::SCHEMA;
use crate::scenario::Plan;

use super::input::{self, cause};
use super::outside;
use super::print::shown;
use super::results;

/// A result's folder.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) folder: PathBuf,
    /// The folder as messages show it.
    pub(super) shown: String,
    /// The text of the plan.
    pub(super) text: Vec<u8>,
    /// The plan of the run, with its name and replication.
    pub(super) plan: Plan,
    /// `None`: the run was interrupted.
    pub(super) digest: Option<String>,
}

/// Why a result cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoredError {
    #[error("error: cannot read {path}: {cause}")]
    Read { path: String, cause: String },
    #[error("error: {path} is no results folder of refresh-sim: {why}")]
    NotOurs { path: String, why: String },
    #[error(
        "error: {path} is not complete: its run was interrupted, or the program ended while it was written\n\
         help: give --incomplete to use what is there"
    )]
    Incomplete { path: String },
    #[error("{0}")]
    Plan(#[from] input::InputError),
}

/// What is read of summary.json. All but the schema may be missing, so that another schema is told as one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Summary {
    schema: String,
    scenario: String,
    replication: u32,
    digest: Option<String>,
    complete: bool,
}

impl Stored {
    /// Reads the result in `folder`; one that is not complete only if `incomplete` says so.
    pub(super) fn open(folder: &Path, incomplete: bool) -> Result<Stored, StoredError> {
        let path = shown(folder);
        if !folder.is_dir() {
            let cause = if folder.exists() { "it is a file; give the folder of a result" } else { "no such folder" };
            return Err(StoredError::Read { path, cause: cause.to_owned() });
        }
        let summary = folder.join("summary.json");
        let file = File::open(&summary).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                StoredError::NotOurs { path: path.clone(), why: "it has no summary.json".to_owned() }
            }
            _ => StoredError::Read { path: shown(&summary), cause: cause(&error) },
        })?;
        // As a stream, and only what is needed: a summary may have hundreds of megabytes.
        let summary: Summary = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| StoredError::NotOurs { path: path.clone(), why: format!("its summary.json: {error}") })?;
        if summary.schema != SCHEMA {
            let why = format!("its summary.json has the schema {:?}, not {SCHEMA:?}", summary.schema);
            return Err(StoredError::NotOurs { path, why });
        }
        let is_complete = summary.complete && !results::is_marked(folder);
        if !is_complete && !incomplete {
            return Err(StoredError::Incomplete { path });
        }
        let file = folder.join("plan.toml");
        let (text, mut plan) = input::stored_plan(&summary.scenario, &file)?;
        plan.replication = summary.replication;
        outside::place_as_kept(&mut plan, folder).map_err(|why| StoredError::NotOurs { path: path.clone(), why })?;
        let digest = summary.digest.filter(|_| is_complete);
        Ok(Stored { folder: folder.to_owned(), shown: path, text, plan, digest })
    }
}
