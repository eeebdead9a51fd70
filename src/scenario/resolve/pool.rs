//! `[pool]`: what front ends need of each other. `[middlebox]`: what hands connections to them.

use crate::policy::{
    Act, Idle, Initiator, ListOrder, Middlebox, Minimum, OnIdle, PUBLISHED_MAX, Pool, Refresh, Restart,
};
use crate::scenario::decode::{Context, Item, Table, span};
use crate::scenario::diagnose::quoted;
use crate::scenario::plan::GroupPlan;
use crate::time::Span;

use super::idle;

/// The shortest time between two looks of a middlebox: each is a step of the run.
const PROBE_MIN: Span = Span(100 * Span::MILLISECOND.0);

/// What it says of a pool of `size` front ends; `None`: nothing, or it is wrong.
pub(super) fn section(cx: &Context<'_>, section: Option<Table<'_, '_>>, size: usize) -> Option<Pool> {
    let table = section?;
    let item = table.need("minimum", "`\"sfb2015\"`, or `{ start = 3, functional = 2, among = 4 }`");
    let minimum = item.as_ref().and_then(|item| minimum(item, size));
    let quorum = table.get("quorum").and_then(|item| item.boolean()).unwrap_or(false);
    let restart = match table.get("restart") {
        Some(item) => restart(&item),
        None => {
            cx.assume("pool.restart", "manual: nothing starts a pool again that had too few front ends");
            Some(Restart::Manual)
        }
    };
    table.finish();
    let pool = Pool { minimum: minimum?, quorum, restart: restart? };
    if let Some(item) = item
        && !pool.is_consistent(size)
    {
        item.wrong(format!("lets a pool of {size} front ends start that could not go on"), accepted(&pool, size));
    }
    Some(pool)
}

/// What `start` would have to be, so that it does not matter who is absent.
fn accepted(pool: &Pool, size: usize) -> String {
    let [functional, among] = [pool.minimum.functional, pool.minimum.among].map(usize::from);
    if functional > among {
        return format!("`functional` at most `among`, {among}");
    }
    let half = if pool.quorum { size.div_ceil(2) } else { 1 };
    let least = (functional + size - among).max(half);
    format!("`start` at least {least}: the front ends that are absent may be among the first {among}")
}

fn minimum(item: &Item<'_, '_>, size: usize) -> Option<Minimum> {
    let accepts = "`\"sfb2015\"`, or a table, e.g. { start = 3, functional = 2, among = 4 }";
    let Some(table) = item.as_table() else {
        let word = item.string(accepts)?;
        if word != "sfb2015" {
            item.wrong_near(&word, ["sfb2015"].into_iter(), accepts);
            return None;
        }
        let found = Minimum::published(size);
        if found.is_none() {
            let what = format!("cannot be {} for a pool of {size} front ends", quoted("sfb2015"));
            item.wrong(what, format!("at most {PUBLISHED_MAX} of them, or numbers of your own"));
        }
        return found;
    };
    let most = u16::try_from(size).unwrap_or(u16::MAX);
    let number = |key: &'static str| {
        let item = table.need(key, "a number of front ends")?;
        item.whole32(1..=u32::from(most)).and_then(|n| u16::try_from(n).ok())
    };
    let [start, functional, among] = ["start", "functional", "among"].map(number);
    table.finish();
    Some(Minimum { start: start?, functional: functional?, among: among? })
}

/// `manual`, or `after` and a length.
fn restart(item: &Item<'_, '_>) -> Option<Restart> {
    let accepts = "`\"manual\"`, or e.g. `\"after 10m\"`";
    let text = item.string(accepts)?;
    let text = text.trim();
    if text == "manual" {
        return Some(Restart::Manual);
    }
    let Some(length) = text.strip_prefix("after").filter(|rest| rest.starts_with(char::is_whitespace)) else {
        item.wrong_near(text.split_whitespace().next().unwrap_or(""), ["manual", "after"].into_iter(), accepts);
        return None;
    };
    match span::parse(length.trim()) {
        Ok(length) => Some(Restart::After(length)),
        Err(fault) => {
            item.wrong(format!("has a length that {}", fault.what), span::ACCEPTS);
            None
        }
    }
}

/// `[middlebox]`.
pub(super) fn middlebox(section: Option<Table<'_, '_>>) -> Option<Middlebox> {
    let table = section?;
    let probe = table.need("probe", "a length of time, e.g. \"5s\"").and_then(|item| {
        let probe = item.length()?;
        if probe < PROBE_MIN {
            item.wrong(format!("is {probe}"), format!("at least {PROBE_MIN}"));
        }
        Some(probe)
    });
    let persistence = table.get("persistence").and_then(|item| item.boolean()).unwrap_or(true);
    let after = table.get("idle").and_then(|item| idle(&item));
    let then = table.get("on_idle").and_then(|item| {
        if after.is_none() {
            item.wrong("does nothing here", "only with `idle`");
        }
        item.word()
    });
    table.finish();
    let idle = after.map(|after| Idle { after, then: then.unwrap_or(OnIdle::Silent) });
    Some(Middlebox { probe: probe?, persistence, idle })
}

/// Complains of peers that would never find out that a middlebox has forgotten their connection.
pub(super) fn beside_silence(
    item: &Item<'_, '_>,
    middlebox: Option<&Middlebox>,
    groups: &[GroupPlan],
    refresh: Option<&Refresh>,
) {
    let Some(Middlebox { idle: Some(Idle { then: OnIdle::Silent, .. }), .. }) = middlebox else { return };
    let behind = |group: &&GroupPlan| group.failover.order == ListOrder::Middlebox;
    let deaf = groups.iter().filter(behind).find(|group| group.tcp.keep_alive.is_none());
    if let Some(group) = deaf {
        item.wrong(
            format!("forgets connections in silence, and {} would never find out", quoted(&group.name)),
            "a `tcp.keep_alive` in each group behind it, or `on_idle = \"reset\"`",
        );
    }
    if refresh.is_some_and(|refresh| refresh.act == Act::Reconnect(Initiator::FrontEnd))
        && groups.iter().any(|g| behind(&g))
    {
        item.wrong(
            "forgets connections in silence, which is not modelled beside reconnects that the front end begins",
            "`refresh.initiator = \"peer\"`, or `on_idle = \"reset\"`",
        );
    }
}

/// As it is written in a scenario.
pub(in crate::scenario) fn written(restart: Restart) -> String {
    match restart {
        Restart::Manual => "manual".to_owned(),
        Restart::After(Span(ns)) => format!("after {}", Span(ns)),
    }
}
