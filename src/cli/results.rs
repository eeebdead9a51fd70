//! The results folder: whole or not there, and never in place of something that is not ours.
//!
//! Everything is written to a folder beside its place, marked INCOMPLETE, and renamed when it is done. Files are only
//! ever removed by the names that results have, so that nothing of anybody else's can be lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use crate::report::SCHEMA;

use super::input::cause;
use super::print::shown;

/// The file that marks a folder as not whole.
const MARKER: &str = "INCOMPLETE";
/// How its text begins; that makes it ours.
const MARKER_TEXT: &str = "refresh-sim: this result is not complete.\n";
/// The names that a results folder may hold.
const NAMES: [&str; 12] = [
    MARKER,
    "summary.json",
    "latency.hlog",
    "latency.hgrm",
    "series.csv",
    "records.jsonl",
    "plan.toml",
    "report.html",
    "validator.json",
    "validator.log",
    "verdicts.jsonl.gz",
    "crashes.json",
];
/// Temporary names tried before giving up.
const TRIES: u32 = 1000;

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResultsError {
    #[error("error: cannot write results to {path}: {cause}")]
    Write { path: String, cause: String },
    #[error("error: results do not go to {path}, which is a symbolic link; give --out the folder itself")]
    Link { path: String },
    #[error(
        "error: results do not replace {path}, which is not a results folder: {why}; move it away or give another --out"
    )]
    NotOurs { path: String, why: String },
    #[error("error: results do not replace {path}, which holds the scenario {scenario}; give another --out")]
    HoldsScenario { path: String, scenario: String },
    #[error("error: --out {path:?} names no folder; give a path that ends in a name, e.g. results/monday")]
    Nameless { path: String },
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ResultsError {
    move |error| ResultsError::Write { path: shown(path), cause: cause(&error) }
}

/// A place where results may go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    path: PathBuf,
    parent: PathBuf,
    scenario: PathBuf,
}

impl Place {
    /// The place at `path` for the results of `scenario`, if they may go there.
    pub(super) fn new(path: &Path, scenario: &Path) -> Result<Place, ResultsError> {
        // Without a slash at the end, which would follow a link.
        let clean: PathBuf = path.components().collect();
        let (Some(parent), Some(_)) = (clean.parent(), clean.file_name()) else {
            return Err(ResultsError::Nameless { path: shown(path) });
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let place = Place { parent: parent.to_owned(), scenario: scenario.to_owned(), path: clean };
        place.check()?;
        Ok(place)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing is there, or something that may be replaced; says which.
    fn check(&self) -> Result<bool, ResultsError> {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed(&self.path)(error)),
        };
        let path = shown(&self.path);
        if metadata.is_symlink() {
            return Err(ResultsError::Link { path });
        }
        if !metadata.is_dir() {
            return Err(ResultsError::NotOurs { path, why: "it is a file".to_owned() });
        }
        if let (Ok(folder), Ok(scenario)) = (fs::canonicalize(&self.path), fs::canonicalize(&self.scenario))
            && scenario.starts_with(folder)
        {
            return Err(ResultsError::HoldsScenario { path, scenario: shown(&self.scenario) });
        }
        match not_ours(&self.path).map_err(failed(&self.path))? {
            None => Ok(true),
            Some(why) => Err(ResultsError::NotOurs { path, why }),
        }
    }

    /// Makes the folder beside this place in which results are gathered.
    pub(super) fn stage(&self) -> Result<Staging, ResultsError> {
        fs::create_dir_all(&self.parent).map_err(failed(&self.path))?;
        let folder = self.beside(|path| fs::create_dir(path)).map_err(failed(&self.path))?;
        let staging = Staging { place: self.clone(), folder: Some(folder) };
        staging.write(MARKER, MARKER_TEXT.as_bytes())?;
        Ok(staging)
    }

    /// Makes something beside this place under a name that nobody has yet.
    fn beside(&self, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
        let process = std::process::id();
        for n in 0..TRIES {
            let path = self.parent.join(format!(".refresh-sim-{process}-{n}.tmp"));
            match make(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other.map(|()| path),
            }
        }
        Err(io::Error::other(format!("{TRIES} temporary folders of an earlier run are in the way")))
    }
}

/// Why a folder is not ours to replace, if it is not. An empty one has nothing to lose.
fn not_ours(folder: &Path) -> io::Result<Option<String>> {
    let mut is_empty = true;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        is_empty = false;
        let is_known = entry.file_name().to_str().is_some_and(|name| NAMES.contains(&name));
        if !is_known || !entry.file_type()?.is_file() {
            let name = shown(Path::new(&entry.file_name()));
            return Ok(Some(format!("it holds {name}, which no run has written")));
        }
    }
    if is_empty || is_marked(folder) || has_our_summary(folder) {
        return Ok(None);
    }
    Ok(Some(format!("it has no summary.json of schema {SCHEMA} and no {MARKER} marker of ours")))
}

pub(super) fn is_marked(folder: &Path) -> bool {
    let mut text = vec![0; MARKER_TEXT.len()];
    File::open(folder.join(MARKER))
        .and_then(|mut file| file.read_exact(&mut text))
        .is_ok_and(|()| text == MARKER_TEXT.as_bytes())
}

fn has_our_summary(folder: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct Summary {
        schema: String,
    }
    // Read as a stream: each crash adds to a summary, and one of hundreds of megabytes is still ours.
    File::open(folder.join("summary.json"))
        .is_ok_and(|file| serde_json::from_reader::<_, Summary>(BufReader::new(file)).is_ok_and(|s| s.schema == SCHEMA))
}

/// Removes a folder of ours: files by their names, then the folder if nothing else is in it.
fn remove(folder: &Path) -> io::Result<()> {
    for name in NAMES {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_dir(folder)
}

/// Results being gathered. Dropped before [`Staging::install`], nothing of them stays.
#[derive(Debug)]
pub(super) struct Staging {
    place: Place,
    folder: Option<PathBuf>,
}

impl Staging {
    /// A file of it to append to; made if it is not there.
    pub(super) fn append(&self, name: &'static str) -> Result<File, ResultsError> {
        let folder = self.folder.as_deref().unwrap_or(&self.place.path);
        OpenOptions::new().append(true).create(true).open(folder.join(name)).map_err(failed(&self.file(name)))
    }

    /// Adds `bytes` to a file of it and waits until the disk has them.
    pub(super) fn write(&self, name: &'static str, bytes: &[u8]) -> Result<(), ResultsError> {
        let mut file = self.append(name)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed(&self.file(name)))
    }

    /// An error while somebody else wrote to a file of it.
    pub(super) fn failed(&self, name: &str, error: io::Error) -> ResultsError {
        failed(&self.file(name))(error)
    }

    /// The path that a file of it will have: what messages name.
    fn file(&self, name: &str) -> PathBuf {
        self.place.path.join(name)
    }

    /// Puts the folder into its place, still marked INCOMPLETE unless it `is_complete`.
    pub(super) fn install(mut self, is_complete: bool) -> Result<(), ResultsError> {
        let Some(folder) = self.folder.as_deref() else { return Ok(()) };
        let place = &self.place;
        if is_complete {
            fs::remove_file(folder.join(MARKER)).map_err(failed(&place.path))?;
        }
        sync_folder(folder);
        // Looked at again: a run takes its time, and the place may have changed hands.
        let aside = if place.check()? {
            let aside = place.beside(|path| match fs::symlink_metadata(path) {
                Ok(_) => Err(io::Error::from(io::ErrorKind::AlreadyExists)),
                Err(_) => fs::rename(&place.path, path),
            });
            Some(aside.map_err(failed(&place.path))?)
        } else {
            None
        };
        if let Err(error) = fs::rename(folder, &place.path) {
            if let Some(aside) = &aside {
                fs::rename(aside, &place.path).map_err(failed(aside))?;
            }
            return Err(failed(&place.path)(error));
        }
        self.folder = None;
        sync_folder(&self.place.parent);
        if let Some(Err(error)) = aside.as_deref().map(remove) {
            tracing::warn!(%error, "the results that were replaced could not be removed");
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.folder.take().as_deref().map(remove) {
            tracing::warn!(%error, "a temporary folder could not be removed");
        }
    }
}

/// Some file systems cannot sync folders; then a rename is as safe as they make it.
fn sync_folder(folder: &Path) {
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%error, "a folder could not be synced");
    }
}
