//! `[group.path]` and `[group.tcp]`: what the path and the peer's kernel do.

use crate::policy::tcp::{
    KeepAlive, LINUX_PORTS, Loss, Path, PeerTcp, RESENDS_MAX, Stack, SynSchedule, SynScheduleError, WINDOWS_PORTS,
};
use crate::scenario::decode::{Context, Item, Table};
use crate::scenario::expect_parse::share;
use crate::scenario::file::{PortRange, Word};
use crate::time::Span;

use super::above_zero;

/// `[group.path]`.
pub(super) fn path(table: &Table<'_, '_>) -> Path {
    let item = table.get("path");
    let Some(table) = item.and_then(|item| item.table("a table, e.g. { loss = \"0.1%\" }")) else {
        return Path::default();
    };
    let path = Path {
        variation: table.get("variation").and_then(|item| item.dist()),
        loss: table.get("loss").and_then(|item| loss(&item)).unwrap_or_default(),
    };
    table.finish();
    path
}

fn loss(item: &Item<'_, '_>) -> Option<Loss> {
    let accepts = "a share in quotes, below 100%, e.g. \"0.1%\" or \"1/97\"";
    if let Some(number) = item.bare_number() {
        item.wrong_hint("has no unit", accepts, format!("for so many in a hundred write \"{number}%\""));
        return None;
    }
    let text = item.string(accepts)?;
    match share(text.trim()) {
        Ok(ppm) => {
            let loss = u32::try_from(ppm).ok().and_then(Loss::of_ppm);
            if loss.is_none() {
                item.wrong_hint(
                    "loses everything",
                    accepts,
                    "a path that nothing comes through is cut: write a timeline entry `do = \"cut-off\"`",
                );
            }
            loss
        }
        Err(what) => {
            item.wrong(what, accepts);
            None
        }
    }
}

/// `[group.tcp]` of a group with `count` indices; `path` is where its assumptions are noted.
pub(super) fn tcp(cx: &Context<'_>, table: &Table<'_, '_>, count: u32, path: &str) -> PeerTcp {
    let item = table.get("tcp");
    let table = item.as_ref().and_then(|item| item.table("a table, e.g. { stack = \"linux\" }"));
    let get = |key| table.as_ref().and_then(|table| table.get(key));
    let stack = get("stack");
    if stack.is_none() {
        cx.assume(
            format!("{path}.tcp.stack"),
            "linux: SYNs without an answer are repeated as by Linux 6.5 or later; the product's peers are not known",
        );
    }
    let stack = stack.and_then(|item| item.word()).unwrap_or(Stack::Linux);
    let syn = schedule(stack, table.as_ref()).unwrap_or_else(|| stack.schedule());
    let (ports, rest) = get("ports").and_then(|item| ports(&item)).map_or((None, None), |(n, rest)| (Some(n), rest));
    let tcp = PeerTcp {
        stack,
        syn,
        ports,
        time_wait: get("time_wait").and_then(|item| item.length()).or(rest).unwrap_or(stack.time_wait()),
        addresses: get("addresses").and_then(|item| addresses(&item, count)),
        keep_alive: get("keep_alive").and_then(|item| keep_alive(&item)),
    };
    if let Some(table) = table {
        table.finish();
    }
    tcp
}

/// The schedule of a list of the scenario's own.
fn schedule(stack: Stack, table: Option<&Table<'_, '_>>) -> Option<SynSchedule> {
    let (resends, give_up) = (table?.get("resends"), table?.get("give_up"));
    if stack != Stack::Custom {
        for item in [resends, give_up].into_iter().flatten() {
            item.wrong("does nothing here", "only with `stack = \"custom\"`");
        }
        return None;
    }
    let ends = table?.need("give_up", "when the stack gives up, e.g. \"21s\"");
    let give_up = ends.as_ref().and_then(Item::length);
    let items = table?.need("resends", "when SYNs go out again, e.g. [\"3s\", \"9s\"]")?;
    let accepts = "lengths of time since the first SYN, e.g. [\"3s\", \"9s\"]";
    let lengths: Vec<Option<Span>> = items.list(0..=RESENDS_MAX, accepts)?.iter().map(Item::length).collect();
    let lengths: Option<Vec<Span>> = lengths.into_iter().collect();
    match SynSchedule::custom(lengths?, give_up?) {
        Ok(schedule) => return Some(schedule),
        Err(error @ SynScheduleError::GivesUpBefore { last, .. }) => {
            let label = format!("more than the last of `resends`, {last}");
            ends.iter().for_each(|item| item.wrong(error, label.as_str()));
        }
        Err(error) => items.wrong(error, "rising lengths above 0s, e.g. [\"3s\", \"9s\"]"),
    }
    None
}

/// How many ports, and what a system's range says of their rest.
fn ports(item: &Item<'_, '_>) -> Option<(u32, Option<Span>)> {
    if item.bare_number().is_some() {
        return item.whole32(1..=65_535).map(|n| (n, None));
    }
    let words: Vec<&str> = PortRange::WORDS.iter().map(|(word, _)| *word).collect();
    item.string(&format!("a whole number from 1 to 65535, or one of {}", words.join(", ")))?;
    let (ports, rest) = match item.word()? {
        PortRange::Linux => LINUX_PORTS,
        PortRange::Windows => WINDOWS_PORTS,
    };
    Some((ports, Some(rest)))
}

fn addresses(item: &Item<'_, '_>, count: u32) -> Option<u32> {
    let addresses = item.whole32(1..=super::COUNT_MAX)?;
    if addresses > count {
        item.wrong(format!("is {addresses}"), format!("at most the group's `count`, {count}"));
    }
    Some(addresses)
}

pub(super) fn keep_alive(item: &Item<'_, '_>) -> Option<KeepAlive> {
    let table = item.table("a table, e.g. { interval = \"60s\", count = 3 }")?;
    let interval = table.need("interval", "a length of time, e.g. \"60s\"").and_then(|item| above_zero(&item));
    let count = table.need("count", "a number of probes, e.g. 3").and_then(|item| item.whole32(1..=255));
    table.finish();
    Some(KeepAlive { interval: interval?, count: count? })
}
