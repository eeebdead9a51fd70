//! A folder of cells, as sweeps and replications keep them: what is in it, and that it is ours.
//!
//! It holds a head, which says what its cells are of, the cells, each a file under its key, and what was made of all of
//! them. Knows names and files; does not know what is in a cell.
//!
//! Several processes may work in one folder at once: each cell is written beside its place and renamed, under a name that
//! its content decides. Each holds a shared lock; who is alone clears up what a killed one left half-written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::study::table::{FILES, HAS_PARQUET, Table};

use super::exit::Exit;
use super::input::cause;
use super::print::{complain, shown};
use super::whole::WholeFile;

const CELLS: &str = "cells";
const LOCK: &str = ".lock";

/// What a folder holds.
#[derive(Debug)]
pub(super) struct Kind {
    /// In words, with its article.
    pub(super) name: &'static str,
    /// The file with its head.
    pub(super) head: &'static str,
    /// How the head's schema begins, whatever its version.
    pub(super) schema: &'static str,
    /// The files that are made of all cells.
    pub(super) outputs: &'static [&'static str],
}

/// A folder of cells.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    kind: &'static Kind,
    /// Held as long as this lives; `None`: only read.
    _lock: Option<File>,
}

fn failed(verb: &'static str, path: &Path) -> impl Fn(io::Error) -> Exit {
    move |error| {
        complain(&format!("error: cannot {verb} {}: {}", shown(path), cause(&error)));
        if verb == "read" { Exit::BadInput } else { Exit::NotWritten }
    }
}

impl Folder {
    /// The folder at `path` for what `head` says: made if it is not there, taken if it holds the like, refused if it is
    /// anybody else's. Cells that are in it stay, others' too.
    pub(super) fn open(path: &Path, kind: &'static Kind, head: &str) -> Result<Folder, Exit> {
        let write = failed("write", path);
        if !is_ours(path, kind).map_err(failed("write", path))? {
            complain(&format!(
                "error: {} is not the folder of {}, and is left as it is; give another --out",
                shown(path),
                kind.name
            ));
            return Err(Exit::NotWritten);
        }
        fs::create_dir_all(path.join(CELLS)).map_err(&write)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(&write)?;
        match lock.try_lock() {
            // Alone: whatever is half-written, nobody will finish.
            Ok(()) => clear(path).map_err(&write)?,
            Err(TryLockError::WouldBlock) => {}
            // A file system without locks: what is left over stays, which costs only its room.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "no lock"),
        }
        let folder = Folder { path: path.to_owned(), kind, _lock: Some(shared(lock, path)) };
        let old = fs::read(path.join(kind.head)).ok();
        if old.as_deref() != Some(head.as_bytes()) {
            let of = [old.as_deref(), Some(head.as_bytes())].map(|head| Head::read(head?)?.program);
            if let [Some(then), Some(now)] = of
                && then != now
            {
                complain(&format!(
                    "note: the cells in {} are of the program {then}, and this is {now}; they stay and are not used",
                    shown(path)
                ));
            }
            folder.write(kind.head, head.as_bytes())?;
        }
        Ok(folder)
    }

    /// A folder that holds cells, and its head.
    pub(super) fn read(path: &Path, kind: &'static Kind) -> Result<(Folder, Vec<u8>), Exit> {
        let file = path.join(kind.head);
        let head = fs::read(&file).map_err(failed("read", &file))?;
        Ok((Folder { path: path.to_owned(), kind, _lock: None }, head))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn place(&self, key: &str) -> PathBuf {
        self.path.join(CELLS).join(format!("{key}.json"))
    }
}

/// The same lock for many. Between the two another may begin and clear up as well: there is nothing of ours yet.
fn shared(lock: File, path: &Path) -> File {
    let again = lock.unlock().and_then(|()| lock.lock_shared());
    if let Err(error) = again {
        tracing::debug!(%error, path = %path.display(), "no shared lock");
    }
    lock
}

/// Whether nothing is there, or cells of this kind.
fn is_ours(path: &Path, kind: &Kind) -> io::Result<bool> {
    let mut entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let head = path.join(kind.head);
    if head.is_file() {
        // Of any version of its rules: what it holds is not lost when other cells are asked for.
        let of = |text: Vec<u8>| Head::read(&text).is_some_and(|head| head.schema.starts_with(kind.schema));
        return Ok(fs::read(head).is_ok_and(of));
    }
    // Killed before its head was there.
    let is_new = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            name == CELLS || name == LOCK || is_left_over(&name.to_string_lossy())
        })
    };
    Ok(entries.all(is_new))
}

/// What all heads have.
#[derive(serde::Deserialize)]
struct Head {
    schema: String,
    /// The program that the cells are of.
    program: Option<String>,
}

impl Head {
    fn read(text: &[u8]) -> Option<Head> {
        serde_json::from_slice(text).ok()
    }
}

/// Whether a name is that of a file that was being written.
fn is_left_over(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

fn clear(path: &Path) -> io::Result<()> {
    for folder in [path.to_owned(), path.join(CELLS)] {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if is_left_over(&entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

impl Folder {
    /// The text of the cell of a key, if it is there.
    pub(super) fn cell(&self, key: &str) -> Result<Option<Vec<u8>>, Exit> {
        let place = self.place(key);
        match fs::read(&place) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &place)(error)),
        }
    }

    /// Puts a cell into its place.
    pub(super) fn keep(&self, key: &str, text: &str) -> Result<(), Exit> {
        WholeFile::begin(&self.place(key))?.finish(text.as_bytes())
    }

    /// Puts a file beside the cells into its place.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Exit> {
        WholeFile::begin(&self.path.join(name))?.finish(bytes)
    }

    /// Removes what was made of all cells before.
    pub(super) fn without_outputs(&self) -> Result<(), Exit> {
        self.kind.outputs.iter().try_for_each(|name| self.without(name))
    }

    /// Removes a file beside the cells, if it is there.
    fn without(&self, name: &str) -> Result<(), Exit> {
        let place = self.path.join(name);
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("write", &place)(error)),
            _ => Ok(()),
        }
    }

    /// Puts tables into their places, and removes those of other cells that it would leave beside them.
    pub(super) fn tables(&self, table: Table<'_>) -> Result<(), Exit> {
        let files = table.finish().map_err(|error| {
            complain(&format!("internal error: {}: {error}", shown(&self.path)));
            Exit::Internal
        })?;
        for name in FILES.iter().filter(|name| files.iter().all(|(own, _)| own != *name)) {
            self.without(name)?;
        }
        files.iter().try_for_each(|(name, bytes)| self.write(name, bytes))
    }
}

/// Refuses what this build cannot do, before anything runs.
pub(super) fn has_parquet(wanted: bool) -> Result<(), Exit> {
    if !wanted || HAS_PARQUET {
        return Ok(());
    }
    complain(
        "error: --parquet: this build has no Parquet; get one with `cargo build --release --features parquet`, or read \
         cells.csv, which has the same rows",
    );
    Err(Exit::BadInput)
}
