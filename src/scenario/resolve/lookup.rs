//! `[[lookup]]`, and what `[[timeline]]` does to look-ups; what can never happen is an error.

use std::collections::BTreeMap;

use crate::policy::Ratio;
use crate::policy::lookup::{CRYPTOAPI_TIMEOUT, Condition, LOOKUPS_MAX, Lives, Lookup, OnFailure, Sharing, Waiting};
use crate::scenario::decode::number::{MULTIPLE_MAX, MULTIPLE_MIN};
use crate::scenario::decode::{Context, Item, Table, joined};
use crate::scenario::diagnose::{listed, near_miss, quoted};
use crate::scenario::file::{LookupChange, Moment, TimelineWord};
use crate::time::{Span, Time};

use super::{NAME_MAX, transports, within};

/// The look-ups as they stand in the file, and whether all their names are known.
pub(super) fn section(cx: &Context<'_>, item: Option<Item<'_, '_>>) -> (Vec<Lookup>, bool) {
    let (mut lookups, mut named) = (Vec::new(), BTreeMap::new());
    let Some(item) = item else { return (lookups, true) };
    let items = item.list(0..=LOOKUPS_MAX, "look-ups, each a `[[lookup]]`");
    let mut complete = items.is_some();
    for item in items.unwrap_or_default() {
        let Some(table) = item.table("a look-up `[[lookup]]`") else {
            complete = false;
            continue;
        };
        match lookup(cx, &table, &mut named) {
            Some(lookup) => lookups.push(lookup),
            None => complete = false,
        }
        table.finish();
    }
    (lookups, complete)
}

type Named = BTreeMap<String, std::ops::Range<usize>>;

fn lookup(cx: &Context<'_>, table: &Table<'_, '_>, named: &mut Named) -> Option<Lookup> {
    let accepts = "a name of 1 to 255 characters, e.g. \"crl\"";
    let name = table.need("name", accepts).and_then(|item| {
        let name = item.name(NAME_MAX, accepts)?;
        if let Some(first) = named.insert(name.clone(), item.span()) {
            let line = item.cx.line(&first);
            item.wrong(format!("is {} again, as in {line}", quoted(&name)), "a name that no other look-up has");
        }
        Some(name)
    });
    let path = |key: &str| format!("{}.{key}", joined("lookup", name.as_deref().unwrap_or_default()));
    let latency = table.need("latency", "a distribution, e.g. \"20ms\"").and_then(|item| item.dist());
    let share = |key| table.get(key).and_then(|item| item.share(100));
    let on_failure = table.get("on_failure");
    if on_failure.is_none() {
        cx.assume(path("on_failure"), "soft-fail: without an answer the peer is let in");
    }
    let on_failure = on_failure.and_then(|item| item.word()).unwrap_or(OnFailure::SoftFail);
    let (accept, refresh) = table.get("on").and_then(|item| moments(&item)).unwrap_or((true, true));
    let [tcp, tls] = table.get("transports").and_then(|item| transports(&item)).unwrap_or([true, true]);
    let timeout = match table.get("timeout") {
        Some(item) => item.length_or_never().unwrap_or_default(),
        None => {
            cx.assume(path("timeout"), "15s: what Windows CryptoAPI allows one retrieval");
            Some(CRYPTOAPI_TIMEOUT)
        }
    };
    let mode = match table.get("mode") {
        Some(item) => item.word().unwrap_or_default(),
        None => {
            cx.assume(path("mode"), "blocking: the validation logic is synchronous");
            Waiting::Blocking
        }
    };
    let cpu_before = match table.get("cpu_before") {
        Some(item) => item.share(100),
        None => {
            cx.assume(path("cpu_before"), "0%: the look-up comes before what is computed of its answer");
            None
        }
    };
    let lookup = Lookup {
        name: name.clone().unwrap_or_default(),
        kind: table.get("kind").and_then(|item| item.name(NAME_MAX, "a text in quotes, e.g. \"crl\"")),
        failure: share("failure").unwrap_or(Ratio::ZERO),
        negative: share("negative").unwrap_or(Ratio::ZERO),
        timeout,
        mode,
        single_flight: table.get("single_flight").and_then(|item| item.boolean()).unwrap_or(false),
        lives: table.get("cache").and_then(|item| lives(&item, on_failure)).unwrap_or_default(),
        key: table.get("key").and_then(|item| item.word()).unwrap_or(Sharing::Group),
        accept,
        refresh,
        tcp,
        tls,
        cpu_before: cpu_before.unwrap_or(Ratio::ZERO),
        on_failure,
        changes: Vec::new(),
        latency: latency?,
    };
    name.map(|_| lookup)
}

fn lives(item: &Item<'_, '_>, on_failure: OnFailure) -> Option<Lives> {
    let table = item.table("a table, e.g. { positive = \"1h\", negative = \"5m\", soft_fail = \"1m\" }")?;
    let life = |key| table.get(key).and_then(|item| item.length()).unwrap_or(Span::ZERO);
    if on_failure == OnFailure::HardFail
        && let Some(item) = table.get("soft_fail")
    {
        item.wrong("does nothing here", "only with `on_failure = \"soft-fail\"`");
    }
    let lives = Lives { positive: life("positive"), negative: life("negative"), soft_fail: life("soft_fail") };
    table.finish();
    Some(lives)
}

/// Whether new connections and refreshes are named.
fn moments(item: &Item<'_, '_>) -> Option<(bool, bool)> {
    let mut named = [false, false];
    for item in item.list(1..=2, "moments, e.g. [\"accept\", \"refresh\"]")? {
        let Some(moment) = item.word::<Moment>() else { continue };
        let named = &mut named[usize::from(moment == Moment::Refresh)];
        if *named {
            item.wrong("names a moment twice", "each moment once");
        }
        *named = true;
    }
    Some((named[0], named[1]))
}

/// Whether a timeline entry is about a look-up: then it is not about peers.
pub(super) fn is_change(item: &Item<'_, '_>) -> bool {
    let word = item.as_table().and_then(|table| table.get("do"));
    word.and_then(|item| item.as_string()).is_some_and(|word| word.starts_with("lookup-"))
}

/// Puts the timeline's entries about look-ups where they belong.
pub(super) fn changes(items: &[Item<'_, '_>], lookups: &mut [Lookup], complete: bool, horizon: Span) {
    let mut entries: Vec<(Time, usize, Condition, &Item<'_, '_>)> = Vec::new();
    for item in items {
        if let Some((at, nth, condition)) = change(item, lookups, complete, horizon) {
            entries.push((at, nth, condition, item));
        }
    }
    entries.sort_by_key(|(at, ..)| *at);
    for (at, nth, condition, item) in entries {
        let Some(lookup) = lookups.get_mut(nth) else { continue };
        if *lookup.condition(at) == condition {
            let state = match condition {
                Condition::Well => "is well",
                Condition::Slower(_) | Condition::Slow(_) => "is as slow already",
                Condition::Failing(_) => "fails already",
            };
            item.wrong(format!("can never happen: {} {state} at {at}", quoted(&lookup.name)), "a change");
        }
        lookup.changes.push((at, condition));
    }
}

fn change(item: &Item<'_, '_>, lookups: &[Lookup], complete: bool, horizon: Span) -> Option<(Time, usize, Condition)> {
    let table = item.table("an entry, e.g. { at = \"23h\", do = \"lookup-fails\", lookup = \"crl\" }")?;
    let at = table.need("at", "a run time, e.g. \"23h\"").and_then(|item| {
        let at = item.length()?;
        within(&item, at, horizon);
        Some(at)
    });
    let word = table.need("do", "what happens").and_then(|item| item.word::<TimelineWord>());
    let nth = table.need("lookup", "the name of a look-up").and_then(|item| position(&item, lookups, complete));
    let (factor, latency) = (table.get("factor"), table.get("latency"));
    let condition = match word {
        Some(TimelineWord::Lookup(change)) => condition(item, change, factor, latency),
        _ => None,
    };
    table.finish();
    Some((Time(at?.0), nth?, condition?))
}

fn condition(
    entry: &Item<'_, '_>,
    change: LookupChange,
    factor: Option<Item<'_, '_>>,
    latency: Option<Item<'_, '_>>,
) -> Option<Condition> {
    if let Some(item) = factor.as_ref().filter(|_| change != LookupChange::Slow) {
        item.wrong("does nothing here", "only with `do = \"lookup-slow\"`");
        return None;
    }
    match (change, factor, latency) {
        (LookupChange::Slow, Some(factor), None) => factor.factor(MULTIPLE_MIN, MULTIPLE_MAX).map(Condition::Slower),
        (LookupChange::Slow, None, Some(latency)) => latency.dist().map(Condition::Slow),
        (LookupChange::Slow, Some(item), Some(_)) => {
            item.wrong("stands beside `latency`", "one of `factor` and `latency`");
            None
        }
        (LookupChange::Slow, None, None) => {
            entry.wrong("does not say how slow", "`factor` or `latency`, e.g. factor = \"10/1\"");
            None
        }
        (LookupChange::Fails, _, latency) => match latency {
            Some(item) => item.dist().map(|dist| Condition::Failing(Some(dist))),
            None => Some(Condition::Failing(None)),
        },
        (LookupChange::Heals, _, Some(item)) => {
            item.wrong("does nothing here", "only with `\"lookup-slow\"` or `\"lookup-fails\"`");
            None
        }
        (LookupChange::Heals, _, None) => Some(Condition::Well),
    }
}

fn position(item: &Item<'_, '_>, lookups: &[Lookup], complete: bool) -> Option<usize> {
    let name = item.string("the name of a look-up")?;
    let found = lookups.iter().position(|lookup| lookup.name == name);
    if found.is_none() && complete && !item.cx.is_full() {
        let known = || lookups.iter().map(|lookup| lookup.name.as_str());
        let message = format!("names the unknown look-up {}", quoted(&name));
        let label = if lookups.is_empty() {
            "there is no `[[lookup]]`".to_owned()
        } else {
            format!("one of {}", listed(known()))
        };
        match near_miss(&name, known()) {
            Some(near) => item.wrong_hint(message, label, format!("did you mean {}?", quoted(near))),
            None => item.wrong(message, label),
        }
    }
    found
}
