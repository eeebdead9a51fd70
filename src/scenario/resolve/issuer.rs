//! `[issuer]`: who makes the certificates that peers ask for.

use crate::dist::Dist;
use crate::policy::{Anchor, Issuer, Refresh, Replaced, Then, Validity};
use crate::scenario::GroupPlan;
use crate::scenario::decode::{Context, Item, Table};
use crate::scenario::file::TimelineWord;
use crate::time::{Span, Time};

use super::{limit, within};

/// How long one certificate takes, where the scenario does not say.
const COST: Dist = Dist::Constant(Span(10 * Span::MILLISECOND.0));

/// Reads the table, if anybody asks; complains where nobody does.
pub(super) fn section(
    cx: &Context<'_>,
    item: Option<&Item<'_, '_>>,
    table: Option<Table<'_, '_>>,
    groups: &[GroupPlan],
) -> Option<Issuer> {
    let is_asked = groups.iter().any(|group| asks(group).is_some());
    if let Some(item) = item
        && !is_asked
        && cx.is_clean()
    {
        item.wrong("does nothing here", "only with a group that has `validity.asks_at`");
    }
    let Some(table) = table else {
        if is_asked {
            cx.assume("issuer", "1 worker, 10ms a certificate, no rate limit: no figure is public");
        }
        return is_asked.then_some(Issuer { workers: 1, cost: COST, rate: None, fails: Vec::new() });
    };
    let workers = table.get("workers");
    if workers.is_none() {
        cx.assume("issuer.workers", "1: no figure is public");
    }
    let workers = workers.and_then(|item| item.whole32(1..=65_535)).unwrap_or(1);
    let cost = table.get("cost");
    if cost.is_none() {
        cx.assume("issuer.cost", "10ms: no figure is public");
    }
    let cost = cost.and_then(|item| item.cpu()).unwrap_or(COST);
    let rate = limit::rate(&table);
    table.finish();
    Some(Issuer { workers, cost, rate, fails: Vec::new() })
}

/// Whether a timeline entry is about the issuer.
pub(super) fn is_change(item: &Item<'_, '_>) -> bool {
    let word = item.as_table().and_then(|table| table.get("do"));
    word.and_then(|item| item.as_string()).is_some_and(|word| word.starts_with("issuer-"))
}

/// Puts the timeline's entries about the issuer where they belong.
pub(super) fn changes(items: &[Item<'_, '_>], issuer: Option<&mut Issuer>, horizon: Span) {
    let mut entries: Vec<(Time, bool, &Item<'_, '_>)> =
        items.iter().filter_map(|item| change(item, horizon).map(|(at, fails)| (at, fails, item))).collect();
    let Some(issuer) = issuer else {
        for item in items.iter().filter(|item| item.cx.is_clean()) {
            item.wrong("does nothing here", "only with a group that has `validity.asks_at`");
        }
        return;
    };
    entries.sort_by_key(|(at, ..)| *at);
    let mut since = None;
    for (at, fails, item) in entries {
        match (since, fails) {
            (None, true) => since = Some(at),
            (Some(from), false) => {
                issuer.fails.push((from, at));
                since = None;
            }
            (_, fails) => {
                let state = if fails { "fails already" } else { "is well" };
                item.wrong(format!("can never happen: the issuer {state} at {at}"), "a change");
            }
        }
    }
    issuer.fails.extend(since.map(|from| (from, Time::NEVER)));
}

fn change(item: &Item<'_, '_>, horizon: Span) -> Option<(Time, bool)> {
    let table = item.table("an entry, e.g. { at = \"23h\", do = \"issuer-fails\" }")?;
    let at = table.need("at", "a run time, e.g. \"23h\"").and_then(|item| {
        let at = item.length()?;
        within(&item, at, horizon);
        Some(at)
    });
    let word = table.need("do", "what happens").and_then(|item| item.word::<TimelineWord>());
    table.finish();
    let fails = match word? {
        TimelineWord::IssuerFails => true,
        TimelineWord::IssuerHeals => false,
        _ => return None,
    };
    Some((Time(at?.0), fails))
}

/// What becomes of connections when the peers of a group have what they asked for.
fn asks(group: &GroupPlan) -> Option<Then> {
    match &group.validity {
        Some(Validity { replaced: Replaced::Asked(ask), .. }) => Some(ask.then),
        _ => None,
    }
}

/// A connection has ticks, or is refreshed by its peer's new certificates: complains where it has both.
pub(super) fn beside_ticks(item: &Item<'_, '_>, refresh: Option<&Refresh>, groups: &[GroupPlan]) {
    let has_ticks = refresh.is_some_and(|refresh| refresh.anchor != Anchor::OwnAge);
    let rotates = |group: &&GroupPlan| asks(group).is_some_and(|then| then != Then::Stay);
    if has_ticks && groups.iter().any(|group| rotates(&group)) {
        let label = "`validity.then = \"stay\"`, `anchor = \"own-age\"`, or no `[refresh]`";
        item.wrong("has a group that refreshes its connections by new certificates, beside ticks", label);
    }
}
