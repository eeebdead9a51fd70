//! What is wrong with a document, and where.

use std::fmt;
use std::io;

/// A place in a text, both from 1: the line, and the character in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The character in the line.
    pub column: u64,
}

/// Why there is no deployment or no scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportError {
    /// The file in an archive that it is about.
    pub entry: Option<String>,
    /// Where; `None` if it is about the whole.
    pub place: Option<Place>,
    /// What.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// The bytes cannot be had.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The bytes are no text.
    #[error("this is not {0} text; UTF-8, and UTF-16 with a byte-order mark, are read")]
    NotText(&'static str),
    /// The text is not well-formed XML.
    #[error("this is not well-formed XML: {0}")]
    NotXml(String),
    /// A document type definition.
    #[error("it has a document type definition (<!DOCTYPE>), which no topology document has; such files are refused")]
    DocumentType,
    /// A reference to an entity that XML does not define itself.
    #[error(
        "`&{0};` stands for something that the document would have to define; only &amp; &lt; &gt; &quot; &apos; and \
         character numbers are read"
    )]
    Entity(String),
    /// The document ends too early.
    #[error("it ends here although {0} elements are still open: the file is cut off")]
    CutOff(usize),
    /// Elements within elements.
    #[error("elements are nested more than {0} deep")]
    TooDeep(usize),
    /// Attributes of one element.
    #[error("an element has more than {0} attributes")]
    TooManyAttributes(usize),
    /// One tag, comment or stretch of text.
    #[error("a single tag, comment or stretch of text is longer than {} KiB", .0 / 1024)]
    TooLong(u64),
    /// The whole.
    #[error("it has more than {} MiB", .0 / (1024 * 1024))]
    TooLarge(u64),
    /// What is kept of the document.
    #[error("it has more than {0} clusters, machines and ports of trusted applications together")]
    TooMuch(usize),
    /// An archive that inflates suspiciously.
    #[error(
        "it inflates to more than {ratio} times its size ({} MiB so far), as no topology does: a decompression bomb",
        .bytes / (1024 * 1024)
    )]
    Bomb {
        /// The limit.
        ratio: u64,
        /// Bytes inflated until then.
        bytes: u64,
    },
    /// A broken archive, or one with features that are not read.
    #[error("the zip archive cannot be read: {0}")]
    Archive(String),
    /// An archive without a topology.
    #[error("the zip archive has no topology in it; looked into: {0}")]
    NothingInArchive(String),
    /// No topology element.
    #[error(
        "it has no <Topology> or <PartialTopology> with clusters and services in it{}; `Get-CsTopology -AsXml`, \
         Topology Builder (.tbxml) and `Export-CsConfiguration` write files that do",
        .0.as_ref().map(|root| format!(" (it begins with <{root}>)")).unwrap_or_default()
    )]
    NoTopology(Option<String>),
    /// An attribute that is needed and not there.
    #[error("<{element}> has no {attribute}, which is needed here")]
    Missing {
        /// The element.
        element: &'static str,
        /// The attribute, or child.
        attribute: &'static str,
    },
    /// An attribute whose value cannot be.
    #[error("{attribute}=\"{value}\" of <{element}> is not accepted: expected {accepted}")]
    Invalid {
        /// The element.
        element: &'static str,
        /// The attribute.
        attribute: &'static str,
        /// Its value, shortened.
        value: String,
        /// What would do.
        accepted: &'static str,
    },
    /// A reference to something that is not there.
    #[error("{what} refers to {reference}, which is nowhere in the document")]
    Unresolved {
        /// Who refers.
        what: &'static str,
        /// To what.
        reference: String,
    },
    /// A table without a heading that can be used.
    #[error("{0}")]
    Heading(String),
    /// A field of a table.
    #[error("column `{column}`: {value:?} is not accepted: expected {accepted}")]
    Field {
        /// The column's name.
        column: &'static str,
        /// The value, shortened.
        value: String,
        /// What would do.
        accepted: &'static str,
    },
    /// A table that is no table.
    #[error("this is not a table: {0}")]
    NotATable(String),
    /// A pool asked for that is not there.
    #[error("there is no front-end pool `{asked}`; there are: {known}")]
    NoPool {
        /// As asked for.
        asked: String,
        /// Those that there are.
        known: String,
    },
    /// Nothing that would be refreshed.
    #[error("it has no trusted application, so there is nothing that a front end would refresh: no scenario follows")]
    NoApplication,
    /// More than a scenario can have.
    #[error("it has {count} {what}; a scenario has at most {limit}: choose one front-end pool with --pool")]
    TooManyFor {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

impl ImportError {
    /// A problem of the whole.
    pub(super) fn whole(problem: Problem) -> ImportError {
        ImportError { entry: None, place: None, problem }
    }

    /// A problem at a place.
    pub(super) fn at(place: Place, problem: Problem) -> ImportError {
        ImportError { entry: None, place: Some(place), problem }
    }

    /// An error of whoever gives the bytes. Ours travel inside it.
    pub(super) fn unreadable(error: &io::Error) -> ImportError {
        let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Problem>());
        ImportError::whole(ours.cloned().unwrap_or_else(|| Problem::Unreadable(error.to_string())))
    }

    /// The same, about the file `entry` of an archive.
    pub(super) fn inside(self, entry: &str) -> ImportError {
        ImportError { entry: Some(printable(entry)), ..self }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(entry) = &self.entry {
            write!(f, "{entry}:")?;
        }
        if let Some(place) = self.place {
            write!(f, "{}:{}:", place.line, place.column)?;
        }
        let space = if self.entry.is_some() || self.place.is_some() { " " } else { "" };
        write!(f, "{space}{}", self.problem)
    }
}

impl std::error::Error for ImportError {}

/// A problem on its way through a reader.
pub(super) fn through_io(problem: Problem) -> io::Error {
    io::Error::other(problem)
}

/// Most characters of a text from outside that a message repeats.
const QUOTED_MAX: usize = 60;

/// A text from outside as messages show it: short, on one line, without anything that a terminal would act on.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::new();
    for (nth, c) in text.chars().enumerate() {
        if nth == QUOTED_MAX {
            out.push('…');
            break;
        }
        if c.is_control() || is_direction(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Characters that turn the direction of the text around them and so can make it look like another.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
}
