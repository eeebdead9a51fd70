//! Single files that are whole or not there: written beside their place and renamed.
//!
//! Knows files. Does not know what is in them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::input::cause;
use super::print::{complain, shown};

/// Temporary names tried before giving up.
const TRIES: u32 = 1000;

/// A file to be. Dropped before [`WholeFile::finish`], nothing of it stays.
#[derive(Debug)]
pub(super) struct WholeFile {
    path: PathBuf,
    beside: Option<PathBuf>,
    file: File,
}

impl WholeFile {
    /// Begins a file at `path`, whose folder must be there, and which must be a plain file or nothing yet. What cannot
    /// be written is said before anything runs.
    pub(super) fn begin(path: &Path) -> Result<WholeFile, Exit> {
        open(path).map_err(|error| {
            complain(&format!("error: cannot write {}: {}", shown(path), cause(&error)));
            Exit::NotWritten
        })
    }

    /// Writes all of it and puts it into its place.
    pub(super) fn finish(mut self, bytes: &[u8]) -> Result<(), Exit> {
        let done = self.file.write_all(bytes).and_then(|()| self.file.sync_all()).and_then(|()| {
            let beside = self.beside.as_deref().ok_or(io::ErrorKind::NotFound)?;
            fs::rename(beside, &self.path)
        });
        match done {
            Ok(()) => {
                self.beside = None;
                Ok(())
            }
            Err(error) => {
                complain(&format!("error: cannot write {}: {}", shown(&self.path), cause(&error)));
                Err(Exit::NotWritten)
            }
        }
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.beside.take().map(fs::remove_file) {
            tracing::warn!(%error, "a temporary file could not be removed");
        }
    }
}

fn open(path: &Path) -> io::Result<WholeFile> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            return Err(io::Error::other("there is something that is no plain file"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let name = path.file_name().ok_or_else(|| io::Error::other("the path ends in no name"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for n in 0..TRIES {
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(format!("-{}-{n}.tmp", std::process::id()));
        let beside = parent.join(beside);
        match OpenOptions::new().write(true).create_new(true).open(&beside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok(WholeFile { path: path.to_owned(), beside: Some(beside), file }),
        }
    }
    Err(io::Error::other(format!("{TRIES} temporary files of an earlier run are in the way")))
}
