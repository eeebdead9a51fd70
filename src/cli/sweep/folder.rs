//! The folder of a sweep: what is in it, and that it is ours.
//!
//! Several processes may work in one folder at once: each cell is written beside its place and renamed, under a name that
//! its content decides. Each holds a shared lock; who is alone clears up what a killed one left half-written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::study::cell::Cell;
use crate::study::sweep::Sweep;

use super::super::exit::Exit;
use super::super::input::cause;
use super::super::print::{complain, shown};
use super::super::whole::WholeFile;

const SWEEP: &str = "sweep.json";
const CELLS: &str = "cells";
const LOCK: &str = ".lock";
const TABLES: [&str; 2] = ["cells.csv", "summary.csv"];

/// A folder of a sweep.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
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
    /// The folder at `path` for `sweep`: made if it is not there, taken if it holds a sweep, refused if it is anybody
    /// else's. Cells that are in it stay, those of other points too.
    pub(super) fn open(path: &Path, sweep: &Sweep) -> Result<Folder, Exit> {
        let write = failed("write", path);
        if !is_ours(path).map_err(failed("write", path))? {
            complain(&format!(
                "error: {} is not the folder of a sweep, and is left as it is; give another --out",
                shown(path)
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
        let folder = Folder { path: path.to_owned(), _lock: Some(shared(lock, path)) };
        let text = sweep.text();
        let old = fs::read(path.join(SWEEP)).ok();
        if old.as_deref() != Some(text.as_bytes()) {
            if let Some(program) = old.as_deref().and_then(program).filter(|program| *program != sweep.program) {
                complain(&format!(
                    "note: the cells in {} are of the program {program}, and this is {}; they stay and are not used",
                    shown(path),
                    sweep.program
                ));
            }
            WholeFile::begin(&path.join(SWEEP))?.finish(text.as_bytes())?;
        }
        Ok(folder)
    }

    /// A folder that holds a sweep.
    pub(super) fn read(path: &Path) -> Result<(Folder, Sweep), Exit> {
        let file = path.join(SWEEP);
        let text = fs::read(&file).map_err(failed("read", &file))?;
        let sweep = Sweep::read(&text).map_err(|error| {
            complain(&format!("error: {}: {error}", shown(&file)));
            Exit::BadInput
        })?;
        Ok((Folder { path: path.to_owned(), _lock: None }, sweep))
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

/// Whether nothing is there, or a sweep.
fn is_ours(path: &Path) -> io::Result<bool> {
    let mut entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    if path.join(SWEEP).is_file() {
        return Ok(fs::read(path.join(SWEEP)).is_ok_and(|text| is_a_sweep(&text)));
    }
    // Killed before its sweep.json was there.
    let is_new = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            name == CELLS || name == LOCK || is_left_over(&name.to_string_lossy())
        })
    };
    Ok(entries.all(is_new))
}

/// Of any version of its rules: what it holds is not lost when other points are asked for.
fn is_a_sweep(text: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    serde_json::from_slice::<Head>(text).is_ok_and(|head| head.schema.starts_with("refresh-sim.sweep/"))
}

/// The program that a sweep's cells are of.
fn program(text: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Head {
        program: String,
    }
    serde_json::from_slice::<Head>(text).ok().map(|head| head.program)
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
    /// The cell of a key, if it is there and whole.
    pub(super) fn cell(&self, key: &str) -> Result<Option<Cell>, Exit> {
        let place = self.place(key);
        match fs::read(&place) {
            Ok(text) => Ok(Cell::read(&text, key)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &place)(error)),
        }
    }

    /// Puts a cell into its place.
    pub(super) fn keep(&self, cell: &Cell) -> Result<(), Exit> {
        WholeFile::begin(&self.place(&cell.key))?.finish(cell.text().as_bytes())
    }

    /// Puts the tables into their places.
    pub(super) fn tables(&self, (cells, summary): (String, String)) -> Result<(), Exit> {
        for (name, text) in TABLES.iter().zip([cells, summary]) {
            WholeFile::begin(&self.path.join(name))?.finish(text.as_bytes())?;
        }
        Ok(())
    }

    /// Removes tables of an earlier, smaller sweep.
    pub(super) fn without_tables(&self) -> Result<(), Exit> {
        for name in TABLES {
            let place = self.path.join(name);
            match fs::remove_file(&place) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("write", &place)(error)),
                _ => {}
            }
        }
        Ok(())
    }
}
