//! Settings given beside the file: `path=value`, put into the parsed text before anything is read from it.
//!
//! A path goes by keys; into a list it goes by position, or by the `name` of the element. The value is TOML if it
//! parses as such, else a bare string. Their places lie beyond the text's end, so that complaints find them again.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::scenario::diagnose::{listed, near_miss, quoted};

use super::{Context, size};

/// The longest setting that is read; what is longer belongs in the file.
const BYTES_MAX: usize = 1 << 16;

/// Puts setting number `nth` into `root`; complains where it has no place.
pub(in crate::scenario) fn apply<'a>(cx: &Context<'a>, root: &mut DeTable<'a>, nth: usize) {
    let Some(setting) = cx.settings.get(nth) else {
        return;
    };
    let base = cx.base(nth);
    let whole = base..base + setting.len();
    if setting.len() > BYTES_MAX {
        return cx.complain(whole, "a setting is too long", format!("at most {BYTES_MAX} bytes"), None);
    }
    if size::checked(setting.as_bytes(), BYTES_MAX).is_err() {
        return cx.complain(whole, "a setting nests too deep", format!("at most {} levels", size::LEVELS_MAX), None);
    }
    let Some((path, value_at)) = segments(setting) else {
        let label = "write path=value, e.g. run.horizon=7d";
        return cx.complain(whole, "a setting has no path", label, None);
    };
    let value = value(setting, value_at, base);
    put(cx, root, &path, base, value);
}

/// One part of a path: its text and where it stands.
type Segment<'a> = (Cow<'a, str>, Range<usize>);

/// The parts of the path, and where the value begins. `None`: there is no `=` or a part is empty.
fn segments(setting: &str) -> Option<(Vec<Segment<'_>>, usize)> {
    let mut parts = Vec::new();
    let mut at = 0;
    loop {
        let rest = setting.get(at..)?;
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (text, end) = match quote {
            Some(quote) => {
                let end = at + 1 + rest[1..].find(quote)?;
                (&setting[at + 1..end], end + 1)
            }
            None => {
                let end = at + rest.find(['.', '='])?;
                (&setting[at..end], end)
            }
        };
        if text.trim().is_empty() {
            return None;
        }
        parts.push((Cow::Borrowed(text.trim()), at..end));
        match setting.get(end..)?.chars().next()? {
            '.' => at = end + 1,
            '=' => return Some((parts, end + 1)),
            _ => return None,
        }
    }
}

/// The value: TOML if it parses, else the text itself.
fn value<'a>(setting: &'a str, from: usize, base: usize) -> Spanned<DeValue<'a>> {
    let text = &setting[from..];
    // A line end would let one setting be several lines of a file.
    let parsed = if text.contains(['\n', '\r']) { None } else { DeValue::parse(text).ok() };
    match parsed {
        Some(value) => moved(value, base + from),
        None => Spanned::new(base + from..base + setting.len(), DeValue::String(Cow::Borrowed(text))),
    }
}

/// The value with its places moved by `by`. As deep as the text nests, which is bounded.
fn moved(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::Array(array) => DeValue::Array(array.into_iter().map(|item| moved(item, by)).collect::<DeArray<'_>>()),
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    let at = key.span();
                    (Spanned::new(at.start + by..at.end + by, key.into_inner()), moved(value, by))
                })
                .collect(),
        ),
        other => other,
    };
    Spanned::new(span.start + by..span.end + by, value)
}

/// Goes down the path and puts the value there.
fn put<'a>(cx: &Context<'a>, root: &mut DeTable<'a>, path: &[Segment<'a>], base: usize, value: Spanned<DeValue<'a>>) {
    let Some(((last, last_at), parents)) = path.split_last() else {
        return;
    };
    let mut here = Here::Table(root);
    let mut gone = String::new();
    for (key, at) in parents {
        let at = base + at.start..base + at.end;
        let next = match here {
            Here::Table(table) => {
                if table.get(key.as_ref()).is_none() {
                    table.insert(
                        Spanned::new(at.clone(), key.clone()),
                        Spanned::new(at.clone(), DeValue::Table(DeTable::new())),
                    );
                }
                table.get_mut(key.as_ref())
            }
            Here::List(list) => element(cx, list, key, &at, &gone),
        };
        gone = super::joined(&gone, key);
        here = match next.map(Spanned::get_mut) {
            Some(DeValue::Table(table)) => Here::Table(table),
            Some(DeValue::Array(list)) => Here::List(list),
            Some(other) => {
                let message = format!("the setting goes into {}, which is a {}", quoted(&gone), other.type_str());
                return cx.complain(at, message, "has no keys", None);
            }
            None => return,
        };
    }
    let at = base + last_at.start..base + last_at.end;
    match here {
        Here::Table(table) => {
            // Removed first, for an occupied entry would keep the old key's place.
            table.remove(last.as_ref());
            table.insert(Spanned::new(at, last.clone()), value);
        }
        Here::List(list) => {
            if let Some(old) = element(cx, list, last, &at, &gone) {
                *old = value;
            }
        }
    }
}

/// Where a path has come to.
enum Here<'t, 'i> {
    Table(&'t mut DeTable<'i>),
    List(&'t mut DeArray<'i>),
}

/// The element of a list at a position or with a name.
fn element<'t, 'i>(
    cx: &Context<'i>,
    list: &'t mut DeArray<'i>,
    key: &str,
    at: &Range<usize>,
    path: &str,
) -> Option<&'t mut Spanned<DeValue<'i>>> {
    let named = list.iter().position(|item| name_of(item) == Some(key));
    let position = named.or_else(|| key.parse::<usize>().ok().filter(|n| *n < list.len()));
    if position.is_none() {
        let names: Vec<&str> = list.iter().filter_map(name_of).collect();
        let hint = near_miss(key, names.iter().copied()).map(|near| format!("did you mean {}?", quoted(near)));
        let label = match (list.len(), names.is_empty()) {
            (0, _) => "the list is empty".to_owned(),
            (n, true) => format!("a position from 0 to {}", n - 1),
            (n, false) => format!("a position from 0 to {}, or one of {}", n - 1, listed(names.iter().copied())),
        };
        cx.complain(at.clone(), format!("the setting finds no {} in {}", quoted(key), quoted(path)), label, hint);
    }
    list.get_mut(position?)
}

fn name_of<'t>(item: &'t Spanned<DeValue<'_>>) -> Option<&'t str> {
    item.get_ref().as_table()?.get("name")?.get_ref().as_str()
}
