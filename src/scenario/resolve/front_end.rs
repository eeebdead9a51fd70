//! `[front_end]`: one table of settings that all nodes share.

use std::collections::BTreeMap;

use crate::dist::Dist;
use crate::frontend::FRONT_ENDS_MAX;
use crate::policy::Limits;
use crate::scenario::decode::{Context, Item, Table};
use crate::scenario::defaults::{LISTEN, START_UP, WORKERS};
use crate::scenario::diagnose::quoted;
use crate::scenario::plan::{FrontEndPlan, Listen, WhenFull};
use crate::time::{Span, Time};

use super::network::keep_alive;
use super::{NAME_MAX, idle, within};

/// The longest queue of a listening socket.
const QUEUE_MAX: u32 = 1_000_000;

/// The front ends, at least one.
pub(super) fn section(cx: &Context<'_>, section: Option<Table<'_, '_>>, horizon: Span) -> Vec<FrontEndPlan> {
    // Without the table every default holds, and every assumption is said.
    let get = |key| section.as_ref().and_then(|table| table.get(key));
    let nodes = get("nodes").and_then(|item| nodes(&item, horizon));
    let nodes =
        nodes.unwrap_or_else(|| vec![Node { name: "fe01".to_owned(), starts: Time::ZERO, upgrade_domain: None }]);
    let start_up = get("start_up");
    if start_up.is_none() {
        cx.assume("front_end.start_up", "125s: as in the recorded incident");
    }
    let start_up = start_up.and_then(|item| item.dist()).unwrap_or(Dist::Constant(START_UP));
    let workers = get("workers");
    if workers.is_none() {
        cx.assume("front_end.workers", "8: the product's own number is not public");
    }
    let workers = workers.and_then(|item| item.whole32(1..=65_535)).unwrap_or(WORKERS);
    let cores = match get("cores") {
        Some(item) => cores(&item, workers),
        None => {
            cx.assume("front_end.cores", "as many as workers: no worker waits for a core");
            workers
        }
    };
    let queue_limit = get("queue_limit");
    let when_full = get("when_full").and_then(|item| {
        if queue_limit.is_none() {
            item.wrong("does nothing here", "only with `queue_limit`");
        }
        item.word()
    });
    let front_end = FrontEndPlan {
        name: String::new(),
        starts: Time::ZERO,
        start_up,
        workers,
        cores,
        queue_limit: queue_limit.and_then(|item| item.whole32(1..=u32::MAX)),
        when_full: when_full.unwrap_or(WhenFull::BackPressure),
        accept: get("accept").and_then(|item| item.cpu()),
        listen: get("listen").and_then(|item| listen(&item)).unwrap_or(LISTEN),
        notices: get("notices").and_then(|item| item.boolean()).unwrap_or(false),
        limits: get("limits").map(|item| limits(&item)).unwrap_or_default(),
        upgrade_domain: None,
    };
    if let Some(item) = section.as_ref().and_then(|table| table.get_moved("backlog")) {
        item.wrong("has moved", "write `front_end.listen.backlog`");
    }
    if let Some(table) = section {
        table.finish();
    }
    let node =
        |Node { name, starts, upgrade_domain }| FrontEndPlan { name, starts, upgrade_domain, ..front_end.clone() };
    nodes.into_iter().map(node).collect()
}

/// `[front_end.listen]`.
fn listen(item: &Item<'_, '_>) -> Option<Listen> {
    let table = item.table("a table, e.g. { backlog = 200 }")?;
    let number = |key, least, default| table.get(key).map_or(default, |item| item.whole32(least..=QUEUE_MAX));
    let listen = Listen {
        backlog: number("backlog", 0, Some(LISTEN.backlog)).unwrap_or(LISTEN.backlog),
        somaxconn: number("somaxconn", 0, Some(LISTEN.somaxconn)).unwrap_or(LISTEN.somaxconn),
        syn_backlog: number("syn_backlog", 1, None),
        overflow: table.get("overflow").and_then(|item| item.word()).unwrap_or(LISTEN.overflow),
    };
    table.finish();
    Some(listen)
}

/// The front ends' own limits on connections.
fn limits(item: &Item<'_, '_>) -> Limits {
    let Some(table) = item.table("a table, e.g. { first_message = \"60s\" }") else { return Limits::default() };
    let length = |key| table.get(key).and_then(|item| item.length_or_never()).flatten();
    let limits = Limits {
        handshake: length("handshake"),
        first_message: length("first_message"),
        max_connections: table.get("max_connections").and_then(|item| item.whole32(1..=u32::MAX)),
        idle: table.get("idle").and_then(|item| idle(&item)),
        keep_alive: table.get("keep_alive").and_then(|item| keep_alive(&item)),
    };
    table.finish();
    limits
}

fn cores(item: &Item<'_, '_>, workers: u32) -> u32 {
    let cores = item.whole32(1..=65_535).unwrap_or(1);
    if cores > workers {
        item.wrong(format!("is {cores}"), format!("at most `front_end.workers`, {workers}: a worker uses one core"));
    }
    cores
}

/// What nodes do not share.
struct Node {
    name: String,
    starts: Time,
    upgrade_domain: Option<u16>,
}

fn nodes(item: &Item<'_, '_>, horizon: Span) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    let mut named = BTreeMap::new();
    for (nth, item) in item.list(1..=FRONT_ENDS_MAX, "nodes, e.g. [{ name = \"fe01\" }]")?.into_iter().enumerate() {
        let Some(table) = item.table("a node, e.g. { name = \"fe02\", starts = \"6h\" }") else { continue };
        let accepts = "a name of 1 to 255 characters, e.g. \"fe01\"";
        let name = table.need("name", accepts).and_then(|item| {
            let name = item.name(NAME_MAX, accepts)?;
            if let Some(first) = named.insert(name.clone(), item.span()) {
                let line = item.cx.line(&first);
                item.wrong(format!("is {} again, as in {line}", quoted(&name)), "a name that no other node has");
            }
            Some(name)
        });
        let starts = table.get("starts").and_then(|item| {
            let starts = item.length()?;
            within(&item, starts, horizon);
            if nth == 0 && starts != Span::ZERO {
                item.wrong(format!("is {starts}, and the first node starts the run"), "\"0s\"");
            }
            Some(starts)
        });
        let domain = table.get("upgrade_domain").and_then(|item| item.whole32(1..=1024));
        table.finish();
        nodes.push(Node {
            name: name.unwrap_or_default(),
            starts: Time(starts.unwrap_or(Span::ZERO).0),
            upgrade_domain: domain.and_then(|domain| u16::try_from(domain).ok()),
        });
    }
    (!nodes.is_empty()).then_some(nodes)
}
