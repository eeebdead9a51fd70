//! XML, piece by piece, with the place of everything and a limit on everything.
//!
//! Knows elements, attributes and text. Names are local ones: the product changes namespaces from version to version and
//! even within one element. Document types are refused, so that there are no entities but XML's own.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use quick_xml::errors::Error as XmlError;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::DOCUMENT_BYTES_MAX;
use super::error::{ImportError, Place, Problem, printable, through_io};
use super::text::Utf8;

/// Most elements within each other. Real documents have a dozen.
pub(super) const DEPTH_MAX: usize = 64;
/// Most attributes of an element. Real documents have a dozen.
pub(super) const ATTRIBUTES_MAX: usize = 128;
/// Most bytes of one tag, comment or stretch of text.
pub(super) const PIECE_BYTES_MAX: u64 = 1024 * 1024;

/// A document while it is read.
pub(super) struct Xml<R> {
    reader: Reader<Counted<Utf8<R>>>,
    piece: Vec<u8>,
    depth: usize,
}

/// A piece of a document.
pub(super) enum Piece<'a> {
    /// An element begins. One without content ends with the next piece.
    Start(Element<'a>),
    /// The innermost element ends.
    End,
    /// Text, references resolved; an element's text may come in several.
    Text(Cow<'a, str>),
    /// A comment, a declaration or a processing instruction.
    Passed,
    /// The document ends.
    Eof,
}

/// The start of an element.
pub(super) struct Element<'a> {
    tag: BytesStart<'a>,
    /// Where it begins.
    pub(super) place: Place,
}

impl<R: Read> Xml<R> {
    /// Begins to read.
    pub(super) fn new(input: R) -> Result<Xml<R>, ImportError> {
        let text = Utf8::new(input, DOCUMENT_BYTES_MAX).map_err(|error| ImportError::unreadable(&error))?;
        let mut reader = Reader::from_reader(Counted::new(text));
        reader.config_mut().expand_empty_elements = true;
        Ok(Xml { reader, piece: Vec::new(), depth: 0 })
    }

    /// How many elements are open.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The next piece.
    pub(super) fn next(&mut self) -> Result<Piece<'_>, ImportError> {
        let place = self.reader.get_ref().place;
        self.reader.get_mut().budget = PIECE_BYTES_MAX;
        self.piece.clear();
        let depth = self.depth;
        let event = match self.reader.read_event_into(&mut self.piece) {
            Ok(event) => event,
            Err(error) => return Err(wrong(place, self.reader.get_ref().place, error)),
        };
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(ImportError::at(place, Problem::TooDeep(DEPTH_MAX)));
                }
                let element = Element { tag, place };
                element.check()?;
                Ok(Piece::Start(element))
            }
            Event::End(_) => {
                self.depth -= 1;
                Ok(Piece::End)
            }
            Event::Text(text) => Ok(Piece::Text(text.into_inner())),
            Event::CData(text) => Ok(Piece::Text(text.into_inner())),
            Event::GeneralRef(reference) => {
                resolved(&reference.into_inner()).map(Piece::Text).map_err(|problem| ImportError::at(place, problem))
            }
            Event::DocType(_) => Err(ImportError::at(place, Problem::DocumentType)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => Ok(Piece::Passed),
            Event::Eof if depth > 0 => Err(ImportError::at(place, Problem::CutOff(depth))),
            Event::Eof => Ok(Piece::Eof),
        }
    }
}

impl Element<'_> {
    /// Its name without a prefix.
    pub(super) fn name(&self) -> &str {
        self.tag.local_name().into_inner()
    }

    /// The value of an attribute, and where it stands.
    pub(super) fn get(&self, name: &str) -> Result<Option<(Cow<'_, str>, Place)>, ImportError> {
        for attribute in self.tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| self.not_xml(&error))?;
            if attribute.key.into_inner() == name {
                let place = self.inside(attribute.key.into_inner());
                let value = attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|error| wrong(place, place, error))?
                    .into_owned();
                return Ok(Some((Cow::Owned(value), place)));
            }
        }
        Ok(None)
    }

    /// All attributes are well-formed, different, and not too many.
    fn check(&self) -> Result<(), ImportError> {
        let mut names: Vec<&str> = Vec::new();
        for attribute in self.tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| self.not_xml(&error))?;
            let name = attribute.key.into_inner();
            if names.len() == ATTRIBUTES_MAX {
                return Err(ImportError::at(self.place, Problem::TooManyAttributes(ATTRIBUTES_MAX)));
            }
            if names.contains(&name) {
                let text = format!("the attribute `{}` is there twice", printable(name));
                return Err(ImportError::at(self.inside(name), Problem::NotXml(text)));
            }
            names.push(name);
        }
        Ok(())
    }

    fn not_xml(&self, error: &dyn std::fmt::Display) -> ImportError {
        ImportError::at(self.place, Problem::NotXml(printable(&error.to_string())))
    }

    /// Where a part of the tag stands; `part` must be a slice of it.
    fn inside(&self, part: &str) -> Place {
        let tag: &str = &self.tag;
        let before = (part.as_ptr() as usize).saturating_sub(tag.as_ptr() as usize).min(tag.len());
        // The `<` comes before what the tag has.
        let mut place = Place { column: self.place.column + 1, ..self.place };
        place.pass(&tag.as_bytes()[..before]);
        place
    }
}

impl Place {
    const START: Place = Place { line: 1, column: 1 };

    /// Moves beyond `bytes` of UTF-8.
    fn pass(&mut self, bytes: &[u8]) {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let last = bytes.iter().rposition(|byte| *byte == b'\n').map_or(bytes, |at| &bytes[at + 1..]);
        // What begins a character; the bytes that go on with it are 10xxxxxx.
        let characters = last.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u64;
        if lines > 0 {
            self.line += lines as u64;
            self.column = 1;
        }
        self.column += characters;
    }
}

/// What a reference stands for.
fn resolved(reference: &str) -> Result<Cow<'static, str>, Problem> {
    let text = format!("&{reference};");
    match quick_xml::escape::unescape(&text) {
        Ok(resolved) => Ok(Cow::Owned(resolved.into_owned())),
        Err(_) => Err(Problem::Entity(printable(reference))),
    }
}

/// An error of the parser in our words. `from` is where the piece began, `to` how far it was read.
fn wrong(from: Place, to: Place, error: XmlError) -> ImportError {
    use quick_xml::escape::EscapeError;
    match error {
        XmlError::Io(error) => ImportError { place: Some(to), ..ImportError::unreadable(&error) },
        XmlError::Escape(EscapeError::UnrecognizedEntity(_, name)) => {
            ImportError::at(from, Problem::Entity(printable(&name)))
        }
        other => ImportError::at(from, Problem::NotXml(printable(&other.to_string()))),
    }
}

/// Knows the place of what was consumed last, and lets only so much through for one piece.
struct Counted<B> {
    inner: B,
    place: Place,
    budget: u64,
}

impl<B: BufRead> Counted<B> {
    fn new(inner: B) -> Counted<B> {
        Counted { inner, place: Place::START, budget: 0 }
    }
}

impl<B: BufRead> BufRead for Counted<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.budget == 0 {
            return Err(through_io(Problem::TooLong(PIECE_BYTES_MAX)));
        }
        let bytes = self.inner.fill_buf()?;
        let most = usize::try_from(self.budget).unwrap_or(usize::MAX);
        Ok(&bytes[..bytes.len().min(most)])
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed was filled, so this reads nothing.
        if let Ok(bytes) = self.inner.fill_buf() {
            let amount = amount.min(bytes.len());
            self.place.pass(&bytes[..amount]);
        }
        self.budget = self.budget.saturating_sub(amount as u64);
        self.inner.consume(amount);
    }
}

impl<B: BufRead> Read for Counted<B> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a document has, as one text, or its error.
    fn walk(document: &[u8]) -> Result<String, ImportError> {
        let mut xml = Xml::new(document)?;
        let mut out = String::new();
        loop {
            match xml.next()? {
                Piece::Start(element) => {
                    out += &format!("<{}@{}:{}", element.name(), element.place.line, element.place.column);
                    if let Some((value, place)) = element.get("a")? {
                        out += &format!(" a={value}@{}:{}", place.line, place.column);
                    }
                }
                Piece::End => out.push('>'),
                Piece::Text(text) => out += text.trim(),
                Piece::Passed => {}
                Piece::Eof => return Ok(out),
            }
        }
    }

    fn refused(document: &str) -> String {
        walk(document.as_bytes()).expect_err("refused").to_string()
    }

    #[test]
    fn places_count_lines_and_characters_from_1() {
        let text = "<?xml version='1.0'?>\n<r>\n  <ü:x b='€€'\r\n\ta='1'/>t&amp;&#65;</r>";
        assert_eq!(walk(text.as_bytes()), Ok("<r@2:1<x@3:3 a=1@4:2>t&A>".to_owned()));
    }

    #[test]
    fn document_types_and_entities_are_refused_where_they_stand() {
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\n<r>&b;</r>";
        assert!(refused(bomb).starts_with("1:1: it has a document type definition"), "{}", refused(bomb));
        assert!(
            refused("<r>\n &b;</r>").starts_with("2:2: `&b;` stands for something"),
            "{}",
            refused("<r>\n &b;</r>")
        );
        let attribute = refused("<r>\n<x a='&b;'/></r>");
        assert!(attribute.starts_with("2:4: `&b;`"), "{attribute}");
        let file = "<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>";
        assert!(refused(file).contains("document type definition"));
    }

    #[test]
    fn depth_attributes_and_pieces_are_bounded_and_the_bound_itself_is_allowed() {
        let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(walk(deep(DEPTH_MAX).as_bytes()).is_ok());
        assert!(refused(&deep(DEPTH_MAX + 1)).contains("nested more than 64 deep"));
        let many = |count: usize| format!("<r {}/>", (0..count).map(|nth| format!("x{nth}='1' ")).collect::<String>());
        assert!(walk(many(ATTRIBUTES_MAX).as_bytes()).is_ok());
        assert!(refused(&many(ATTRIBUTES_MAX + 1)).contains("more than 128 attributes"));
        let long = "x".repeat(PIECE_BYTES_MAX as usize + 1);
        for document in [
            format!("<r a='{long}'/>"),
            format!("<r>{long}</r>"),
            format!("<r><!--{long}--></r>"),
            format!("<{long}/>"),
        ] {
            assert!(refused(&document).contains("longer than 1024 KiB"), "{}", &document[..10]);
        }
        assert!(walk(format!("<r>{}</r>", &long[..1_000_000]).as_bytes()).is_ok());
    }

    #[test]
    fn what_is_not_well_formed_is_told_with_its_place() {
        assert!(
            refused("<r>\n<a></b></r>").starts_with("2:4: this is not well-formed XML"),
            "{}",
            refused("<r>\n<a></b></r>")
        );
        assert!(refused("<r><a>").contains("2 elements are still open"));
        assert!(refused("<r><a b=1/></r>").starts_with("1:4: this is not well-formed"));
        assert!(refused("<r a='1' a='2'/>").contains("`a` is there twice"));
        assert!(refused("<r").contains("not well-formed"));
        assert_eq!(walk(b"").expect("nothing"), "");
    }
}
