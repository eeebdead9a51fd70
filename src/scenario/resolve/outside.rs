//! `validation.command` and `answer_limit`: a program of the user's own that judges peers.

use std::path::PathBuf;

use crate::scenario::decode::{Item, Table};
use crate::scenario::plan::Outside;
use crate::time::Span;

/// Most words of a command.
const WORDS_MAX: usize = 64;
/// Longest word, in characters.
const WORD_MAX: usize = 4096;
/// Real time for one answer, where the scenario does not say.
pub(in crate::scenario) const ANSWER_LIMIT: Span = Span(10 * Span::SECOND.0);

/// The program, if `command` names one; `table` is `[validation]`.
pub(super) fn section(table: &Table<'_, '_>, command: Option<&Item<'_, '_>>) -> Option<Outside> {
    let limit = table.get("answer_limit").and_then(|item| {
        if command.is_none() {
            item.wrong("does nothing here", "only with `validation.command`");
        }
        let limit = item.length()?;
        if limit < Span(10 * Span::MILLISECOND.0) || limit > Span::HOUR {
            item.wrong(format!("is {limit}"), "from 10ms to 1h of real time");
        }
        Some(limit)
    });
    let accepts = "a program and its arguments, e.g. [\"./validator\"]";
    let words = command?.list(1..=WORDS_MAX, accepts)?;
    let command: Vec<String> = words.iter().filter_map(|word| word_of(word, accepts)).collect();
    if command.first().is_none_or(String::is_empty) {
        // The word has said so.
        return None;
    }
    let answer_limit = limit.unwrap_or(ANSWER_LIMIT);
    Some(Outside { command, answer_limit, folder: PathBuf::new(), identity: String::new() })
}

/// One word; an argument may be empty.
fn word_of(item: &Item<'_, '_>, accepts: &str) -> Option<String> {
    match item.as_string() {
        Some(text) if text.is_empty() && !item.path.ends_with(".0") => Some(String::new()),
        _ => item.name(WORD_MAX, accepts),
    }
}
