//! What is wrong with a scenario, and how that is shown: the line, a caret, what would be accepted, a hint.
//!
//! Knows places in texts. Does not know what scenarios mean: `decode` and `resolve` find the problems.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// Most problems that are shown in full.
pub(super) const SHOWN_MAX: usize = 50;
/// Most bytes of a source line that are shown, around the caret.
const LINE_MAX: usize = 160;
/// Most bytes of a text from the file that a message repeats.
const QUOTE_MAX: usize = 60;
/// Most words that a list of what would be accepted has.
const LISTED_MAX: usize = 64;
/// Most known words that a wrong one is compared with.
const COMPARED_MAX: usize = 5000;

/// Where a problem is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// In a setting: its position among those given, and bytes of it as written, `path=value`.
    Setting(usize, Bytes),
    /// In the file: bytes of its text, without a byte order mark.
    Text(Bytes),
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, naming the key.
    pub message: String,
    /// What would be accepted; stands at the caret.
    pub label: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

/// Everything that is wrong with a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems {
    /// The file's name, as messages show it.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The settings, each as `path=value`.
    pub settings: Vec<String>,
    /// The problems in the order of their places, settings first; at least one, at most 50.
    pub list: Vec<Problem>,
    /// How many more there are.
    pub unlisted: usize,
}

impl Problem {
    pub(super) fn new(place: Place, message: impl Into<String>, label: impl Into<String>) -> Problem {
        Problem { place, message: message.into(), label: label.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }
}

impl Problems {
    /// Returns all messages as text, with terminal colours if `colour` says so.
    pub fn render(&self, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Never => Renderer::plain(),
            Colour::Always => Renderer::styled(),
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut out = String::new();
        for problem in &self.list {
            out += &renderer.render(&[self.group(problem)]);
            out += "\n\n";
        }
        let total = self.list.len() + self.unlisted;
        let errors = if total == 1 { "1 error".to_owned() } else { format!("{total} errors") };
        let more = if self.unlisted > 0 { format!(" and {} more, {errors} in all", self.unlisted) } else { errors };
        out + &format!("{}: {}\n", printable(&self.file), more.trim_start())
    }

    /// The line and the 1-based column (in characters) of a problem in the file; `None` for one in a setting.
    pub fn line_and_column(&self, problem: &Problem) -> Option<(usize, usize)> {
        match &problem.place {
            Place::Text(range) => Some(position(&self.text, range.start)),
            Place::Setting(..) => None,
        }
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let title = Level::ERROR.primary_title(Cow::Borrowed(problem.message.as_str()));
        let group = match &problem.place {
            Place::Text(range) => {
                let (line, column) = position(&self.text, range.start);
                let (source, span, is_cut) = window(&self.text, range);
                let snippet = Snippet::source(source)
                    .line_start(line)
                    .annotation(AnnotationKind::Primary.span(span).label(Cow::Borrowed(problem.label.as_str())));
                if is_cut {
                    // The renderer counts columns in what it is given: of a cut line they are told apart from it.
                    let origin = Origin::path(printable(&self.file)).line(line).char_column(column);
                    title.element(origin).element(snippet)
                } else {
                    title.element(snippet.path(printable(&self.file)))
                }
            }
            Place::Setting(nth, range) => {
                // Written as on the command line; it has no file and no line.
                const BEFORE: &str = "--set ";
                let (source, span, _) = window(self.settings.get(*nth).map_or("", String::as_str), range);
                let (source, span) = (format!("{BEFORE}{source}"), span.start + BEFORE.len()..span.end + BEFORE.len());
                let snippet = Snippet::source(source)
                    .line_numbering(false)
                    .annotation(AnnotationKind::Primary.span(span).label(Cow::Borrowed(problem.label.as_str())));
                title.element(snippet)
            }
        };
        match &problem.hint {
            Some(hint) => group.element(Level::HELP.message(Cow::Borrowed(hint.as_str()))),
            None => group,
        }
    }
}

/// All messages, without colours.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Colour::Never))
    }
}

impl std::error::Error for Problems {}

/// Whether messages have terminal colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI escape codes.
    Always,
}

/// Bytes of a text. Unlike a `Range` it has an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bytes {
    /// The first byte.
    pub start: usize,
    /// One after the last byte.
    pub end: usize,
}

impl From<Range<usize>> for Bytes {
    fn from(range: Range<usize>) -> Bytes {
        Bytes { start: range.start, end: range.end }
    }
}

/// A text from the file as a message repeats it: on one line, not too long.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if out.len() >= QUOTE_MAX {
            out.push('…');
            break;
        }
        push_printable(&mut out, c);
    }
    format!("`{out}`")
}

fn printable(text: &str) -> String {
    let mut out = String::new();
    text.chars().for_each(|c| push_printable(&mut out, c));
    out
}

/// Characters that a terminal would act on are written as escapes.
fn push_printable(out: &mut String, c: char) {
    // Marks that turn the direction of writing can make a message read as something else.
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    if c.is_control() || turns { out.extend(c.escape_default()) } else { out.push(c) }
}

/// Words in a row, cut where there are too many to be of use.
pub(super) fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    let mut out: Vec<String> = words.iter().take(LISTED_MAX).map(|word| quoted(word)).collect();
    if words.len() > LISTED_MAX {
        out.push(format!("and {} more", words.len() - LISTED_MAX));
    }
    out.join(", ")
}

/// The known word that `word` was probably meant to be.
pub(super) fn near_miss<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Longer ones are no typing errors, and comparing takes time by the product of lengths.
    if word.len() > QUOTE_MAX {
        return None;
    }
    let lower = word.to_lowercase().replace('_', "-");
    let likeness = |known: &str| {
        let known = known.to_lowercase().replace('_', "-");
        // One slip in a short word makes it a rather different word by letters in common.
        let slip = lower.len() >= 2 && known.len() >= 3 && strsim::osa_distance(&lower, &known) == 1;
        strsim::jaro_winkler(&lower, &known).max(if slip { 0.9 } else { 0.0 })
    };
    let best =
        known.take(COMPARED_MAX).filter(|known| known.len() <= 2 * QUOTE_MAX).map(|known| (likeness(known), known));
    let best = best.fold(None, |best: Option<(f64, &str)>, next| match best {
        Some(best) if best.0 >= next.0 => Some(best),
        _ => Some(next),
    });
    best.filter(|(likeness, _)| *likeness >= 0.8).map(|(_, known)| known)
}

/// The 1-based line and column, in characters, of a byte.
fn position(text: &str, at: usize) -> (usize, usize) {
    let at = floor(text, at);
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    (before.bytes().filter(|byte| *byte == b'\n').count() + 1, before[start..].chars().count() + 1)
}

/// The line that a range begins in, cut around it if it is long, the range's part in that, and whether it is cut.
fn window(text: &str, range: &Bytes) -> (String, Range<usize>, bool) {
    let at = floor(text, range.start);
    let line_start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    let line_end = if text[line_start..line_end].ends_with('\r') { (line_end - 1).max(at) } else { line_end };
    let end = floor(text, range.end).clamp(at, line_end);
    let (from, to) = if line_end - line_start <= LINE_MAX {
        (line_start, line_end)
    } else {
        let from = floor(text, at.saturating_sub(LINE_MAX / 2).max(line_start));
        (from, floor(text, (from + LINE_MAX).min(line_end)).max(at))
    };
    let before = if from > line_start { "…" } else { "" };
    let after = if to < line_end { "…" } else { "" };
    let shift = |n: usize| n.min(to) - from + before.len();
    let span = shift(at)..shift(end);
    // Bytes that a terminal would act on are shown as one blank each, so that the caret stays where it was.
    let shown: String = text[from..to].chars().map(blank_control).collect();
    let shown = format!("{before}{shown}{after}");
    let span = floor(&shown, span.start)..floor(&shown, span.end);
    (shown, span, from > line_start || to < line_end)
}

/// A one-byte control character becomes a blank; others keep their bytes and are shown by the renderer.
fn blank_control(c: char) -> char {
    if c.is_ascii_control() { ' ' } else { c }
}

/// The nearest place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}
