//! Reads TOML values one by one: each complaint has the place of its key or value, and none hides another.
//!
//! A [`Table`] hands out its keys and in the end complains of those that nobody asked for. An [`Item`] reads one value
//! as what its caller wants. Knows types, words and ranges; what belongs together is `resolve`'s.

pub(super) mod dist;
pub(super) mod number;
pub(super) mod setting;
pub(super) mod size;
pub(super) mod span;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::time::Span;

use super::diagnose::{Place, Problem, Problems, SHOWN_MAX, listed, near_miss, quoted};
use super::file::Word;
use super::plan::Assumption;

/// Most problems that are kept until the first of them are shown.
const KEPT_MAX: usize = 200;
/// Up to this length a broken text is read to its end for all its errors; each costs about a hundred bytes.
const RECOVERED_MAX: usize = 1 << 20;

/// What reading one scenario has found so far.
///
/// Places of values are bytes of the text, or beyond its end: of the settings, one after the other.
pub(super) struct Context<'a> {
    text: &'a str,
    settings: &'a [String], // each as `path=value`
    problems: RefCell<Vec<Problem>>,
    dropped: Cell<usize>, // problems beyond those kept
    broken: Cell<bool>,   // the text has syntax errors, so that keys may be missing for no other reason
    assumptions: RefCell<Vec<Assumption>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(text: &'a str, settings: &'a [String]) -> Context<'a> {
        Context {
            text,
            settings,
            problems: RefCell::default(),
            dropped: Cell::new(0),
            broken: Cell::new(false),
            assumptions: RefCell::default(),
        }
    }

    /// Parses the text, keeping all its syntax errors.
    pub(super) fn parse(&self) -> DeTable<'a> {
        if self.text.len() > RECOVERED_MAX {
            return match DeTable::parse(self.text) {
                Ok(table) => table.into_inner(),
                Err(error) => {
                    self.syntax(&error);
                    DeTable::new()
                }
            };
        }
        let (table, errors) = DeTable::parse_recoverable(self.text);
        errors.iter().for_each(|error| self.syntax(error));
        table.into_inner()
    }

    fn syntax(&self, error: &toml::de::Error) {
        self.broken.set(true);
        let span = error.span().unwrap_or(self.text.len()..self.text.len());
        let (what, accepts) = error.message().split_once(", expected ").unwrap_or((error.message(), ""));
        let label = if accepts.is_empty() { String::new() } else { format!("expected {accepts}") };
        let label = if what == "duplicate key" { "this key is already there".to_owned() } else { label };
        self.complain(span, format!("not TOML: {what}"), label, None);
    }

    /// Whether the text has syntax errors.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Whether nothing was found wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Notes a problem at `span`.
    pub(super) fn complain(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        hint: Option<String>,
    ) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() >= KEPT_MAX {
            self.dropped.set(self.dropped.get() + 1);
            return;
        }
        problems.push(Problem { place: self.place(span), message: message.into(), label: label.into(), hint });
    }

    /// Whether more problems would only be counted: hints need not be looked for.
    pub(super) fn is_full(&self) -> bool {
        self.problems.borrow().len() >= KEPT_MAX
    }

    /// Notes a default that matters.
    pub(super) fn assume(&self, key: impl Into<String>, text: impl Into<String>) {
        self.assumptions.borrow_mut().push(Assumption { key: key.into(), text: text.into() });
    }

    /// All assumptions, in the order in which they were made.
    pub(super) fn into_assumptions(self) -> Vec<Assumption> {
        self.assumptions.into_inner()
    }

    /// All problems, in the order of their places; at least one.
    pub(super) fn into_problems(self, file: &str) -> Problems {
        let mut list = self.problems.into_inner();
        list.sort_by(|a, b| a.place.cmp(&b.place));
        // One fault can be met twice, as by two readers of one key.
        list.dedup();
        let unlisted = list.len().saturating_sub(SHOWN_MAX) + self.dropped.get();
        list.truncate(SHOWN_MAX);
        let settings = self.settings.to_vec();
        Problems { file: file.to_owned(), text: self.text.to_owned(), settings, list, unlisted }
    }

    /// Where the setting number `nth` begins in the places of values.
    pub(super) fn base(&self, nth: usize) -> usize {
        self.settings.iter().take(nth).fold(self.text.len() + 1, |base, setting| base + setting.len() + 1)
    }

    fn place(&self, span: Range<usize>) -> Place {
        match self.setting_at(&span) {
            Some((nth, base)) => Place::Setting(nth, (span.start - base..span.end - base).into()),
            None => Place::Text(span.into()),
        }
    }

    /// The setting that a place lies in, and where it begins.
    fn setting_at(&self, span: &Range<usize>) -> Option<(usize, usize)> {
        let mut base = self.text.len() + 1;
        for (nth, setting) in self.settings.iter().enumerate() {
            if span.start >= base && span.start <= base + setting.len() {
                return Some((nth, base));
            }
            base += setting.len() + 1;
        }
        None
    }

    /// What stands at a place, as written.
    fn written(&self, span: &Range<usize>) -> Option<&'a str> {
        match self.setting_at(span) {
            Some((nth, base)) => self.settings.get(nth)?.get(span.start - base..span.end - base),
            None => self.text.get(span.clone()),
        }
    }

    /// The line of a place in the file, for hints that point at another line.
    pub(super) fn line(&self, span: &Range<usize>) -> String {
        if self.is_full() {
            // Counting lines takes time by the length of the text; nobody would see this message.
            return String::new();
        }
        if self.setting_at(span).is_some() {
            return "a setting".to_owned();
        }
        let before = self.text.as_bytes().iter().take(span.start);
        format!("line {}", before.filter(|byte| **byte == b'\n').count() + 1)
    }
}

/// A table that is being read.
pub(super) struct Table<'c, 'i> {
    /// Where its problems go.
    pub cx: &'c Context<'i>,
    /// The place of its header or of all of it.
    pub span: Range<usize>,
    /// Its path in the scenario; empty for the whole file.
    pub path: String,
    table: &'c DeTable<'i>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'c, 'i> Table<'c, 'i> {
    pub(super) fn root(cx: &'c Context<'i>, table: &'c DeTable<'i>) -> Table<'c, 'i> {
        Table { cx, span: 0..0, path: String::new(), table, asked: RefCell::default() }
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Item<'c, 'i>> {
        let is_new = !self.asked.borrow().contains(&key);
        if is_new {
            self.asked.borrow_mut().push(key);
        }
        let (key, value) = self.table.get_key_value(key)?;
        Some(Item { cx: self.cx, key_span: key.span(), path: self.path_of(key.get_ref()), value })
    }

    /// The value of a key that is no more: asked for only to say where it has gone, so that it is no known key.
    pub(super) fn get_moved(&self, key: &'static str) -> Option<Item<'c, 'i>> {
        self.table.get(key).and_then(|_| self.get(key))
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &'static str, example: &str) -> Option<Item<'c, 'i>> {
        let item = self.get(key);
        if item.is_none() && !self.cx.is_broken() {
            let message = format!("`{}` is missing", self.path_of(key));
            self.cx.complain(self.span.clone(), message, format!("needs {example}"), None);
        }
        item
    }

    /// All keys as they stand in the file, for tables whose keys are names.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'c str, Item<'c, 'i>)> {
        let item = |(key, value): (&'c Spanned<Cow<'i, str>>, _)| {
            let path = self.path_of(key.get_ref());
            (key.get_ref().as_ref(), Item { cx: self.cx, key_span: key.span(), path, value })
        };
        let mut items: Vec<(&str, Item<'c, 'i>)> = self.table.iter().map(item).collect();
        items.sort_by_key(|(_, item)| item.key_span.start);
        items.into_iter()
    }

    /// Complains of every key that nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        let known = |key: &Spanned<Cow<'i, str>>| asked.iter().any(|asked| asked == key.get_ref());
        let mut unknown: Vec<&Spanned<Cow<'i, str>>> = self.table.keys().filter(|key| !known(key)).collect();
        unknown.sort_by_key(|key| key.span().start);
        for key in unknown {
            let name: &str = key.get_ref();
            if self.cx.is_full() {
                self.cx.complain(key.span(), "", "", None);
                continue;
            }
            let place = if self.path.is_empty() { "the scenario".to_owned() } else { format!("`{}`", self.path) };
            let hint = match near_miss(name, asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys: {}", listed(asked.iter().copied())),
            };
            let message = format!("unknown key {} in {place}", quoted(name));
            self.cx.complain(key.span(), message, "nothing reads this", Some(hint));
        }
    }

    /// How many keys it has.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    fn path_of(&self, key: &str) -> String {
        joined(&self.path, key)
    }
}

/// A value that is being read.
#[derive(Clone)]
pub(super) struct Item<'c, 'i> {
    /// Where its problems go.
    pub cx: &'c Context<'i>,
    /// The place of its key.
    pub key_span: Range<usize>,
    /// Its path in the scenario.
    pub path: String,
    value: &'c Spanned<DeValue<'i>>,
}

impl<'c, 'i> Item<'c, 'i> {
    /// The place of the value.
    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// Complains of the value: `message` comes after its path.
    pub(super) fn wrong(&self, message: impl Display, label: impl Into<String>) {
        self.cx.complain(self.span(), format!("`{}` {message}", quoted_path(&self.path)), label, None);
    }

    /// The same with a hint.
    pub(super) fn wrong_hint(&self, message: impl Display, label: impl Into<String>, hint: impl Into<String>) {
        let message = format!("`{}` {message}", quoted_path(&self.path));
        self.cx.complain(self.span(), message, label, Some(hint.into()));
    }

    /// Complains of bytes of the value's string.
    pub(super) fn wrong_inside(&self, at: Range<usize>, message: impl Display, label: &str, hint: Option<String>) {
        let message = format!("`{}` {message}", quoted_path(&self.path));
        self.cx.complain(self.inside(at), message, label, hint);
    }

    fn wrong_type(&self, accepts: impl Into<String>) {
        let (article, found) = match self.value.get_ref() {
            DeValue::Integer(_) => ("an", "integer"),
            DeValue::Array(_) => ("a", "list"),
            other => ("a", other.type_str()),
        };
        self.wrong(format!("is {article} {found}"), accepts);
    }

    /// The string that the value is; in a setting also one that looks like something else.
    pub(super) fn string(&self, accepts: &str) -> Option<Cow<'c, str>> {
        if let Some(text) = self.as_string() {
            return Some(text);
        }
        self.wrong_type(accepts);
        None
    }

    /// The string, if the value is one.
    pub(super) fn as_string(&self) -> Option<Cow<'c, str>> {
        if let DeValue::String(text) = self.value.get_ref() {
            return Some(Cow::Borrowed(text));
        }
        // `--set process.application_version=6.0` means the text.
        let (nth, base) = self.cx.setting_at(&self.span())?;
        let whole = self.span().end - base == self.cx.settings.get(nth)?.len();
        let scalar = !matches!(self.value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
        self.cx.written(&self.span()).filter(|_| whole && scalar).map(|text| Cow::Owned(text.to_owned()))
    }

    /// Where bytes of the value's string stand; all of it where they cannot be told for escapes.
    pub(super) fn inside(&self, at: Range<usize>) -> Range<usize> {
        let span = self.span();
        let (Some(written), Some(text)) = (self.cx.written(&span), self.as_string()) else {
            return span;
        };
        let quotes = if written == text { 0 } else { 1 };
        if quotes == 1 && written.get(1..written.len().saturating_sub(1)) != Some(text.as_ref()) {
            return span;
        }
        span.start + quotes + at.start..span.start + quotes + at.end
    }

    /// A string without control characters, 1 to `max` characters long.
    pub(super) fn name(&self, max: usize, accepts: &str) -> Option<String> {
        let text = self.string(accepts)?;
        if text.is_empty() {
            self.wrong("is empty", accepts);
        } else if text.chars().nth(max).is_some() {
            self.wrong(format!("is longer than {max} characters"), accepts);
        } else if let Some((at, c)) = text.char_indices().find(|(_, c)| c.is_control()) {
            let message = format!("has the control character {}", quoted(&c.to_string()));
            self.wrong_inside(at..at + c.len_utf8(), message, accepts, None);
        } else {
            return Some(text.into_owned());
        }
        None
    }

    /// A whole number in a range.
    pub(super) fn whole(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let (min, max) = (*range.start(), *range.end());
        let accepts = match (min, max) {
            (_, u64::MAX) => format!("a whole number from {min} to 18446744073709551615"),
            _ if min == max => format!("{min}"),
            _ => format!("a whole number from {min} to {max}"),
        };
        let DeValue::Integer(number) = self.value.get_ref() else {
            self.wrong_type(accepts);
            return None;
        };
        let number = u64::from_str_radix(number.as_str(), number.radix()).ok().filter(|n| range.contains(n));
        if number.is_none() && min == max {
            self.wrong("is another version", format!("this program reads version {min}"));
        } else if number.is_none() {
            self.wrong("is out of range", accepts);
        }
        number
    }

    /// A whole number that fits 32 bits, in a range.
    pub(super) fn whole32(&self, range: RangeInclusive<u32>) -> Option<u32> {
        self.whole(u64::from(*range.start())..=u64::from(*range.end())).and_then(|n| u32::try_from(n).ok())
    }

    /// A finite number above zero.
    pub(super) fn positive(&self) -> Option<f64> {
        let accepts = "a number above 0, e.g. 2.5";
        let number = match self.value.get_ref() {
            DeValue::Float(number) => number.as_str().replace('_', "").parse::<f64>().ok(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse::<f64>().ok(),
            _ => {
                self.wrong_type(accepts);
                return None;
            }
        };
        let number = number.filter(|number| number.is_finite() && *number > 0.0);
        if number.is_none() {
            self.wrong("is out of range", accepts);
        }
        number
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// The text of a date that stands without quotes, which TOML has too.
    pub(super) fn datetime(&self) -> Option<String> {
        self.value.get_ref().as_datetime().map(ToString::to_string)
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.value.get_ref().as_bool();
        if value.is_none() {
            self.wrong_type("`true` or `false`");
        }
        value
    }

    /// A length of time.
    pub(super) fn length(&self) -> Option<Span> {
        if let Some(number) = self.bare_number() {
            self.no_unit(&number);
            return None;
        }
        let text = self.string(span::ACCEPTS)?;
        span::parse(&text).map_err(|fault| self.wrong_inside(fault.at, fault.what, span::ACCEPTS, None)).ok()
    }

    /// A length of time, or `never`.
    pub(super) fn length_or_never(&self) -> Option<Option<Span>> {
        match self.as_string() {
            Some(text) if text.trim() == "never" => Some(None),
            Some(text) if text.trim_start().starts_with(|c: char| c.is_alphabetic()) => {
                self.wrong_near(&text, ["never"].into_iter(), &format!("{}, or `never`", span::ACCEPTS));
                None
            }
            _ => self.length().map(Some),
        }
    }

    /// The number, where one stands without quotes and unit.
    pub(super) fn bare_number(&self) -> Option<String> {
        match self.value.get_ref() {
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            _ => None,
        }
    }

    /// Complains of a number that stands where a length of time should.
    pub(super) fn no_unit(&self, number: &str) {
        let hint = match number.parse::<u64>() {
            Ok(n) => format!("for seconds write \"{n}s\""),
            Err(_) => "numbers need quotes and a unit".to_owned(),
        };
        self.wrong_hint("has no unit", span::ACCEPTS, hint);
    }

    /// One of a type's words.
    pub(super) fn word<T: Word>(&self) -> Option<T> {
        let words = || T::WORDS.iter().map(|(word, _)| *word);
        let accepts = format!("one of {}", listed(words()));
        let text = self.string(&accepts)?;
        let found = T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.wrong_near(&text, words(), &accepts);
        }
        found
    }

    /// Complains of an unknown word, with the one that was probably meant.
    pub(super) fn wrong_near<'w>(&self, text: &str, known: impl Iterator<Item = &'w str>, accepts: &str) {
        let message = format!("`{}` cannot be {}", quoted_path(&self.path), quoted(text));
        let hint = near_miss(text, known).map(|near| format!("did you mean {}?", quoted(near)));
        self.cx.complain(self.span(), message, accepts, hint);
    }

    /// The elements of a list whose length is in a range.
    pub(super) fn list(&self, length: RangeInclusive<usize>, accepts: &str) -> Option<Vec<Item<'c, 'i>>> {
        let DeValue::Array(array) = self.value.get_ref() else {
            self.wrong_type(accepts);
            return None;
        };
        if !length.contains(&array.len()) {
            let (min, max) = (length.start(), length.end());
            let range = match (*min, *max) {
                (min, usize::MAX) => format!("at least {min}"),
                (min, max) if min == max => format!("exactly {min}"),
                (min, max) => format!("{min} to {max}"),
            };
            self.wrong(entries(array.len()), format!("{accepts}, {range} of them"));
            return None;
        }
        let item = |(nth, value)| Item {
            cx: self.cx,
            key_span: Spanned::span(value),
            path: format!("{}.{nth}", self.path),
            value,
        };
        Some(array.iter().enumerate().map(item).collect())
    }

    /// The table that the value is.
    pub(super) fn table(&self, accepts: &str) -> Option<Table<'c, 'i>> {
        let table = self.as_table();
        if table.is_none() {
            self.wrong_type(accepts);
        }
        table
    }

    /// The table, if the value is one.
    pub(super) fn as_table(&self) -> Option<Table<'c, 'i>> {
        let table = self.value.get_ref().as_table()?;
        Some(Table { cx: self.cx, span: self.span(), path: self.path.clone(), table, asked: RefCell::default() })
    }

    /// Indices below `count`: sorted, none twice.
    pub(super) fn indices(&self, count: u32, length: RangeInclusive<usize>) -> Option<Vec<u32>> {
        let mut seen = Vec::new();
        for item in self.list(length, "a list of indices, e.g. [0, 3]")? {
            let index = item.whole32(0..=count.saturating_sub(1))?;
            seen.push((index, item.span()));
        }
        seen.sort_by_key(|(index, span)| (*index, span.start));
        for pair in seen.windows(2) {
            if pair[0].0 == pair[1].0 {
                let message = format!("`{}` has index {} twice", quoted_path(&self.path), pair[1].0);
                self.cx.complain(pair[1].1.clone(), message, "each index once", None);
                return None;
            }
        }
        Some(seen.into_iter().map(|(index, _)| index).collect())
    }
}

/// A path with one more key; a key that is no bare word is quoted, as in TOML.
pub(super) fn joined(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let key = if bare { Cow::Borrowed(key) } else { Cow::Owned(toml_string(key)) };
    if path.is_empty() { key.into_owned() } else { format!("{path}.{key}") }
}

/// A path as messages show it.
fn quoted_path(path: &str) -> String {
    quoted(path).trim_matches('`').to_owned()
}

/// How many entries a list has, after its path.
pub(super) fn entries(n: usize) -> String {
    if n == 1 { "has 1 entry".to_owned() } else { format!("has {n} entries") }
}

/// A text as a basic TOML string.
pub fn toml_string(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
