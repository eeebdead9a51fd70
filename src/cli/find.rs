//! Finding scenario files below folders, always in the same order.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::input::cause;
use super::print::{complain, shown};

/// Folders within each other that are looked into; links are not followed, so this is against absurd trees alone.
const DEPTH_MAX: usize = 64;
/// What marks a folder with a `plan.toml` as results: that plan is no scenario of anybody's.
const RESULTS: [&str; 2] = ["summary.json", "INCOMPLETE"];

/// The scenarios that `paths` name: files as they are, of folders all `.toml` files in the order of their names, those of
/// a folder within at the folder's place. Hidden folders and results are passed over, links to folders not followed, and
/// no file is taken twice. With `filters`, only paths that hold one of them.
pub(super) fn scenarios(paths: &[PathBuf], filters: &[String]) -> Result<Vec<PathBuf>, Exit> {
    let mut found = Vec::new();
    for path in paths {
        let taken = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => below(path, 0, &mut found),
            Ok(_) => {
                found.push(path.clone());
                Ok(())
            }
            Err(error) => Err((path.clone(), error)),
        };
        if let Err((path, error)) = taken {
            complain(&format!("error: cannot read {}: {}", shown(&path), cause(&error)));
            return Err(Exit::BadInput);
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|path| {
        let is_wanted = filters.is_empty() || filters.iter().any(|text| path.to_string_lossy().contains(text));
        is_wanted && seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
    });
    Ok(found)
}

fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let failed = |error| (folder.to_owned(), error);
    if depth > DEPTH_MAX {
        return Err(failed(io::Error::other(format!("more than {DEPTH_MAX} folders within each other"))));
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        entries.push((entry.file_name(), entry.file_type().map_err(failed)?));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let has = |wanted: &str| entries.iter().any(|(name, _)| name == wanted);
    if has("plan.toml") && RESULTS.into_iter().any(has) {
        return Ok(());
    }
    for (name, kind) in entries {
        let path = folder.join(&name);
        if kind.is_dir() {
            if !name.to_string_lossy().starts_with('.') {
                below(&path, depth + 1, found)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    Ok(())
}
