//! `[group.requests]`: what peers ask beside connecting.

use crate::dist::Dist;
use crate::frontend::Requests;
use crate::scenario::decode::{Context, Item, Table, joined};
use crate::time::Span;

/// Time-out of a request, where the scenario does not say.
const TIMEOUT: Span = Span(30 * Span::SECOND.0);

/// Reads the table of the group called `label`. `None` only after a complaint.
pub(super) fn read(cx: &Context<'_>, table: Table<'_, '_>, label: &str) -> Option<Requests> {
    let every = table.need("every", "a length of time or a distribution, e.g. { exponential = \"5s\" }");
    let every = every.and_then(|item| {
        let every = item.dist()?;
        (every != Dist::Constant(Span::ZERO)).then_some(every).or_else(|| never_zero(&item))
    });
    let cpu = table.need("cpu", "CPU of the front end for each, e.g. \"1ms\"").and_then(|item| item.cpu());
    let timeout = match table.get("timeout") {
        Some(item) => item
            .length_or_never()
            .and_then(|timeout| (timeout != Some(Span::ZERO)).then_some(timeout).or_else(|| never_zero(&item))),
        None => {
            let path = joined("group", label);
            cx.assume(format!("{path}.requests.timeout"), "30s: what the peers wait for an answer is not public");
            Some(Some(TIMEOUT))
        }
    };
    let on_timeout = table.get("on_timeout").and_then(|item| {
        if timeout == Some(None) {
            item.wrong("does nothing here", "only where requests time out, and they never do");
            return None;
        }
        item.word()
    });
    let stop_after = table.get("stop_after").map(|item| item.whole32(1..=u32::MAX));
    table.finish();
    let on_timeout = on_timeout.unwrap_or_default();
    Some(Requests { every: every?, cpu: cpu?, timeout: timeout?, stop_after: stop_after.flatten(), on_timeout })
}

fn never_zero<T>(item: &Item<'_, '_>) -> Option<T> {
    item.wrong("is 0s", "more than 0s");
    None
}
