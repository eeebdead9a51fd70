//! What is checked of a text before it is parsed: size, encoding and nesting.
//!
//! The parser calls itself for each level and keeps a few dozen bytes for each byte of text: both must have a bound.

use std::ops::Range;

use crate::scenario::diagnose::{Place, Problem};

/// The longest scenario that is read.
pub(in crate::scenario) const BYTES_MAX: usize = 16 << 20;
/// The longest plan that is read back: some 350,000 groups. Reading takes about 20 times its size of memory.
pub(in crate::scenario) const PLAN_BYTES_MAX: usize = 256 << 20;
/// The deepest nesting that is read: brackets, braces and dots of one key together.
pub(in crate::scenario) const LEVELS_MAX: usize = 64;

/// The text without its byte order mark, or what is wrong with it; `most` bytes are taken.
pub(in crate::scenario) fn checked(bytes: &[u8], most: usize) -> Result<&str, Problem> {
    if bytes.len() > most {
        let mib = most >> 20;
        let message = format!("the scenario has {} bytes; at most {most} ({mib} MiB) are read", bytes.len());
        return Err(Problem::new(Place::Text((0..0).into()), message, format!("a file of at most {mib} MiB")));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match too_deep(text) {
        None => Ok(text),
        Some(at) => Err(Problem::new(
            Place::Text(at.into()),
            format!("the scenario nests more than {LEVELS_MAX} levels deep"),
            "one level too many",
        )),
    }
}

/// The first `most` bytes as text for showing where an error is.
pub(in crate::scenario) fn lossy(bytes: &[u8], most: usize) -> String {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(most)]);
    shown.strip_prefix('\u{feff}').unwrap_or(&shown).to_owned()
}

fn not_utf8(bytes: &[u8], at: usize) -> Problem {
    let byte = bytes.get(at).copied().unwrap_or_default();
    // Everything before it is valid, so that the lossy text has it at the same place, but for a byte order mark.
    let at = at - if bytes.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
    let problem = Problem::new(
        Place::Text((at..end).into()),
        "the scenario is not UTF-8",
        format!("byte {byte:#04x} begins no character here"),
    );
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return problem.hint("the file looks like UTF-16; save it as UTF-8");
    }
    problem
}

/// Where the text nests deeper than [`LEVELS_MAX`], if it does.
///
/// Knows strings and comments, nothing else. Where a text is broken it may count more than the parser would, never less
/// by more than the parser's own bound of 80.
fn too_deep(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut brackets, mut dots, mut at) = (0usize, 0usize, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'#' => {
                at = line_end(bytes, at);
                continue;
            }
            quote @ (b'"' | b'\'') => {
                at = string_end(bytes, at, quote);
                continue;
            }
            b'[' | b'{' => (brackets, dots) = (brackets + 1, 0),
            b']' | b'}' => (brackets, dots) = (brackets.saturating_sub(1), 0),
            b'.' => dots += 1,
            b'=' | b',' | b'\n' => dots = 0,
            _ => {}
        }
        if brackets + dots > LEVELS_MAX {
            return Some(at..at + 1);
        }
        at += 1;
    }
    None
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| from + n)
}

/// Where the string that begins at `from` ends: after its closing quotes, or at the end of the line without them.
fn string_end(bytes: &[u8], from: usize, quote: u8) -> usize {
    let long = bytes[from..].starts_with(&[quote; 3]);
    let mut at = from + if long { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !long => return at,
            byte if byte == quote && !long => return at + 1,
            byte if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_outside_of_strings_and_comments() {
        let deep = |n: usize| "a = ".to_owned() + &"[".repeat(n);
        assert_eq!(too_deep(&deep(LEVELS_MAX)), None);
        assert_eq!(too_deep(&deep(LEVELS_MAX + 1)), Some(68..69));
        assert_eq!(too_deep(&format!("a = \"{}\" # {}", "[".repeat(99), "[".repeat(99))), None);
        assert_eq!(too_deep(&format!("a = '''\n{}'''", "[".repeat(99))), None);
        assert_eq!(too_deep("a = [1.5, 2.5]\n".repeat(99).as_str()), None);
        assert!(too_deep(&"a.".repeat(99)).is_some());
    }
}
