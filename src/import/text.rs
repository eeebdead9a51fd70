//! UTF-8 out of whatever a file is written in: UTF-8 or UTF-16, by its byte-order mark or its first bytes.
//!
//! Works piece by piece. A byte that is no text is an error, never a replacement character: names are compared later.

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::error::{Problem, through_io};

/// How much is decoded at a time.
const CHUNK: usize = 16 * 1024;
/// How much text is held; no piece of bytes becomes longer than three times its length.
const TEXT: usize = 16 * 1024;

/// Reads UTF-8 without a byte-order mark.
pub(super) struct Utf8<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    // What of `raw` is decoded.
    from: usize,
    text: Vec<u8>,
    // What of `text` is consumed.
    at: usize,
    is_at_end: bool,
    is_done: bool,
    // Bytes that may still come.
    left: u64,
    limit: u64,
}

impl<R: Read> Utf8<R> {
    /// Looks at the first bytes of `inner`, of which at most `limit` are read.
    pub(super) fn new(mut inner: R, limit: u64) -> io::Result<Utf8<R>> {
        let mut raw = Vec::with_capacity(CHUNK);
        inner.by_ref().take(4).read_to_end(&mut raw)?;
        let (encoding, from) = encoding(&raw);
        let left = limit.saturating_sub(raw.len() as u64);
        let decoder = encoding.new_decoder_without_bom_handling();
        let text = Vec::new();
        Ok(Utf8 { inner, decoder, raw, from, text, at: 0, is_at_end: false, is_done: false, left, limit })
    }

    /// Takes on more bytes.
    fn fill(&mut self) -> io::Result<()> {
        self.raw.clear();
        self.from = 0;
        let read = self.inner.by_ref().take((CHUNK as u64).min(self.left)).read_to_end(&mut self.raw)? as u64;
        self.left -= read;
        if read == 0 {
            let mut beyond = [0];
            if self.left == 0 && self.inner.read(&mut beyond)? > 0 {
                return Err(through_io(Problem::TooLarge(self.limit)));
            }
            self.is_at_end = true;
        }
        Ok(())
    }

    /// Decodes what there is, as far as it fits.
    fn decode(&mut self) -> io::Result<()> {
        self.text.resize(TEXT, 0);
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.raw[self.from..], &mut self.text, self.is_at_end);
        self.from += read;
        self.text.truncate(written);
        self.at = 0;
        match result {
            DecoderResult::Malformed(..) => Err(through_io(Problem::NotText(self.decoder.encoding().name()))),
            DecoderResult::InputEmpty => {
                self.is_done = self.is_at_end;
                Ok(())
            }
            DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: Read> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.text.len() && !self.is_done {
            if self.from == self.raw.len() && !self.is_at_end {
                self.fill()?;
            }
            self.decode()?;
        }
        Ok(&self.text[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.text.len());
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

/// The encoding that a text is written in, and the length of its byte-order mark.
fn encoding(start: &[u8]) -> (&'static Encoding, usize) {
    match start {
        [0xEF, 0xBB, 0xBF, ..] => (UTF_8, 3),
        [0xFF, 0xFE, ..] => (UTF_16LE, 2),
        [0xFE, 0xFF, ..] => (UTF_16BE, 2),
        // Without a mark: markup and headings begin with a character that UTF-16 writes with a zero byte.
        [first, 0, ..] if *first != 0 => (UTF_16LE, 0),
        [0, second, ..] if *second != 0 => (UTF_16BE, 0),
        _ => (UTF_8, 0),
    }
}

/// Whether the first character that is no white space begins markup.
pub(super) fn begins_markup(start: &[u8]) -> bool {
    let (encoding, mark) = encoding(start);
    let mut text = [0; 256];
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (_, _, written, _): (CoderResult, usize, usize, bool) =
        decoder.decode_to_utf8(&start[mark..start.len().min(64)], &mut text, false);
    text[..written].iter().find(|byte| !u8::is_ascii_whitespace(byte)) == Some(&b'<')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Utf8::new(bytes, 1 << 30)?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn every_encoding_gives_the_same_text() {
        let long = "<a b=\"ü€𝄞\"/>".repeat(5000);
        let marked = |text: &str| format!("\u{feff}{text}");
        for bytes in [
            long.clone().into_bytes(),
            marked(&long).into_bytes(),
            utf16(&marked(&long), false),
            utf16(&marked(&long), true),
            utf16(&long, false),
            utf16(&long, true),
        ] {
            assert!(decoded(&bytes).expect("text") == long, "{:?}", &bytes[..8]);
            // Whoever takes a byte at a time gets the same.
            let bytewise = Utf8::new(&bytes[..], 1 << 30).expect("begun").bytes().collect::<io::Result<Vec<u8>>>();
            assert!(bytewise.expect("text") == long.as_bytes(), "{:?}", &bytes[..8]);
        }
        assert_eq!(decoded(b"").expect("text"), "");
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error_and_so_is_half_a_character() {
        for bytes in [&b"<a>\xe9</a>"[..], b"<a>\xe2\x82", b"\xff\xfe<\0a\0\0", b"\xff\xfe\x3c\0\x00\xd8"] {
            let error = decoded(bytes).expect_err("no text");
            assert!(error.to_string().contains("UTF-"), "{error}");
        }
    }

    #[test]
    fn more_than_the_limit_is_an_error_and_exactly_the_limit_is_none() {
        let read = |limit| Utf8::new(&b"0123456789"[..], limit).and_then(|mut text| text.read_to_end(&mut Vec::new()));
        assert_eq!(read(10).expect("fits"), 10);
        assert!(read(9).expect_err("too large").to_string().contains("more than"));
    }

    #[test]
    fn markup_is_known_by_its_first_character() {
        for bytes in [&b"<?xml"[..], b"\xef\xbb\xbf \r\n<T", &utf16("\u{feff}<T", false), &utf16("<T", true)] {
            assert!(begins_markup(bytes), "{bytes:?}");
        }
        for bytes in [&b"schema = 1"[..], b"", b"# <", b"\xff", b"\0\0\0\0"] {
            assert!(!begins_markup(bytes), "{bytes:?}");
        }
    }
}
