//! `[refresh.limit]`: how fast connections that are due have their turn.

use crate::policy::{Batch, Limit, TurnRate};
use crate::scenario::decode::{Item, Table};
use crate::time::Span;

use super::above_zero;

/// Reads the table; complains where it limits nothing.
pub(super) fn read(item: &Item<'_, '_>) -> Option<Limit> {
    let table = item.table("a table, e.g. { rate = \"50/s\" }")?;
    let rate = rate(&table);
    let batch = batch(&table);
    let spacing = table.get("spacing").and_then(|item| above_zero(&item));
    let keys = table.len();
    table.finish();
    if keys == 0 {
        item.wrong("limits nothing", "at least one of `rate`, `batch` with `every`, `spacing`");
        return None;
    }
    Some(Limit { rate, batch, spacing: spacing.unwrap_or(Span::ZERO) })
}

pub(super) fn rate(table: &Table<'_, '_>) -> Option<TurnRate> {
    let rate = table.get("rate");
    let burst = table.get("burst").and_then(|item| {
        if rate.is_none() {
            item.wrong("does nothing here", "only with `rate`");
        }
        item.whole32(1..=u32::MAX)
    });
    let rate = rate?.rate(1)?;
    Some(TurnRate { turns: rate.count, per: rate.per, burst: burst.unwrap_or(1) })
}

fn batch(table: &Table<'_, '_>) -> Option<Batch> {
    let (batch, every) = (table.get("batch"), table.get("every"));
    match (&batch, &every) {
        (Some(batch), None) => batch.wrong("has no length between batches", "with `every`, e.g. \"10s\""),
        (None, Some(every)) => every.wrong("does nothing here", "only with `batch`"),
        _ => {}
    }
    let turns = batch.and_then(|item| item.whole32(1..=u32::MAX));
    let every = every.and_then(|item| above_zero(&item));
    Some(Batch { turns: turns?, every: every? })
}
