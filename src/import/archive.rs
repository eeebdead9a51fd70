//! A configuration export: a zip archive with the topology in one of its files.
//!
//! Nothing is unpacked to a disk: names in the archive are only looked at. How much may come out of it is bounded in
//! bytes and in proportion to what goes in, whatever the archive says of itself.

use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::result::ZipError;

use super::document::{self, Document};
use super::error::{ImportError, Problem, printable, through_io};

/// Most bytes of an archive: bounds what its table of files takes in memory.
const ARCHIVE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A topology's XML, repetitive as it is, deflates to a fifth or a twentieth; deflate itself cannot do more than 1032.
const RATIO_MAX: u64 = 200;
/// Below this nothing is a bomb, whatever its ratio.
const HARMLESS: u64 = 16 * 1024 * 1024;
/// Most files of an archive that are looked into.
const LOOKED_INTO_MAX: usize = 16;
/// The name that Export-CsConfiguration gives to what it has to say.
const USUAL: &str = "docitemset.xml";

/// The first bytes.
pub(super) fn start<R: Read>(input: &mut R) -> Result<Vec<u8>, ImportError> {
    let mut start = Vec::new();
    input.take(64).read_to_end(&mut start).map_err(|error| ImportError::unreadable(&error))?;
    Ok(start)
}

/// Whether these first bytes are those of a zip archive, perhaps one without files.
pub(super) fn is_one(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}

/// Reads the topology in an archive.
pub(super) fn read<R: Read + Seek>(mut input: R) -> Result<Document, ImportError> {
    let length = input.seek(SeekFrom::End(0)).map_err(|error| ImportError::unreadable(&error))?;
    if length > ARCHIVE_BYTES_MAX {
        return Err(ImportError::whole(Problem::TooLarge(ARCHIVE_BYTES_MAX)));
    }
    let mut archive = ZipArchive::new(input).map_err(|error| broken(&error))?;
    let candidates = candidates(&archive);
    let mut looked_into = Vec::new();
    for name in candidates.iter().take(LOOKED_INTO_MAX) {
        // Not `by_name_raw`, which gives the bytes as they are in the archive.
        let Some(index) = archive.index_for_name_raw(name) else { continue };
        let file = archive.by_index(index).map_err(|error| broken(&error))?;
        let shown = String::from_utf8_lossy(name).into_owned();
        let bounded = Bounded { packed: file.compressed_size(), inner: file, inflated: 0 };
        match document::read(bounded) {
            Err(ImportError { problem: Problem::NoTopology(_), .. }) => looked_into.push(printable(&shown)),
            other => return other.map_err(|error| error.inside(&shown)),
        }
    }
    let none = if archive.is_empty() { "it is empty" } else { "none of its files is called *.xml or *.tbxml" };
    let looked_into = if looked_into.is_empty() { none.to_owned() } else { looked_into.join(", ") };
    Err(ImportError::whole(Problem::NothingInArchive(looked_into)))
}

/// The files that may have a topology in them, the usual one first, then in the order of their names.
fn candidates<R: Read + Seek>(archive: &ZipArchive<R>) -> Vec<Vec<u8>> {
    let ends = |name: &[u8], end: &str| {
        name.len() >= end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
    };
    let mut names: Vec<Vec<u8>> = archive
        .file_names_raw()
        .filter(|name| ends(name, ".xml") || ends(name, ".tbxml"))
        .map(<[u8]>::to_vec)
        .collect();
    names.sort_by_cached_key(|name| (!ends(name, USUAL), name.clone()));
    names
}

fn broken(error: &ZipError) -> ImportError {
    let text = match error {
        ZipError::Io(error) => return ImportError::unreadable(error),
        ZipError::UnsupportedArchive(what) if what.to_lowercase().contains("password") => {
            "it is encrypted; export it without a password".to_owned()
        }
        other => other.to_string(),
    };
    ImportError::whole(Problem::Archive(text))
}

/// A file of an archive while it inflates.
struct Bounded<R> {
    inner: R,
    // Bytes in the archive, as it says; a smaller number than the truth only makes the limit stricter.
    packed: u64,
    inflated: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.inflated += read as u64;
        if self.inflated > HARMLESS.max(self.packed.saturating_mul(RATIO_MAX)) {
            return Err(through_io(Problem::Bomb { ratio: RATIO_MAX, bytes: self.inflated }));
        }
        Ok(read)
    }
}
