//! `[[timeline]]`: peers that come and go, certificates that change; what can never happen is an error.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::decode::Item;
use crate::scenario::diagnose::{listed, near_miss, quoted};
use crate::scenario::plan::{Change, GroupPlan, TimelineEntry};
use crate::time::{Span, Time};

use super::{COUNT_MAX, within};

/// The entries in order of time; those of one instant as they stand in the file.
pub(super) fn section(
    item: Option<Item<'_, '_>>,
    groups: &[GroupPlan],
    complete: bool,
    horizon: Span,
) -> Vec<TimelineEntry> {
    let items = item.and_then(|item| item.list(0..=usize::MAX, "entries, each a `[[timeline]]`")).unwrap_or_default();
    let positions = groups.iter().enumerate().map(|(position, group)| (group.name.as_str(), position)).collect();
    let known = Known { groups, positions, complete };
    let mut entries: Vec<(TimelineEntry, Item<'_, '_>)> =
        items.into_iter().filter_map(|item| Some((entry(&item, &known, horizon)?, item))).collect();
    entries.sort_by_key(|(entry, _)| entry.at);
    let mut there: Vec<There> =
        groups.iter().map(|group| There { mostly: group.present, except: BTreeSet::new() }).collect();
    for (entry, item) in &entries {
        let position = usize::from(entry.group);
        if let (Some(there), Some(group)) = (there.get_mut(position), groups.get(position)) {
            happens(entry, item, there, group);
        }
    }
    entries.into_iter().map(|(entry, _)| entry).collect()
}

/// The groups that entries may name.
struct Known<'g> {
    groups: &'g [GroupPlan],
    positions: BTreeMap<&'g str, usize>,
    complete: bool, // no name is missing
}

/// Which indices of a group are there.
struct There {
    mostly: bool,
    except: BTreeSet<u32>,
}

/// Lets an entry happen, or complains that it cannot.
fn happens(entry: &TimelineEntry, item: &Item<'_, '_>, there: &mut There, group: &GroupPlan) {
    if matches!(entry.change, Change::ReplaceCertificate | Change::CertificateExpires) {
        if group.certificate.is_none() {
            let what = format!("can never happen: {} shows no certificate", quoted(&group.name));
            item.wrong(what, "a group with a certificate");
        }
        return;
    }
    let joins = entry.change == Change::Join;
    let (verb, state) = if joins { ("join", "there already") } else { ("leave", "not there") };
    let at = entry.at;
    let Some(indices) = &entry.indices else {
        let differing = there.except.len() as u64;
        let in_state = if there.mostly == joins { u64::from(group.peers()) - differing } else { differing };
        if in_state == u64::from(group.peers()) {
            let what = format!("can never happen: {} is {state} at {at}", quoted(&group.name));
            item.wrong(what, format!("none of its peers can {verb} then"));
        }
        (there.mostly, there.except) = (joins, BTreeSet::new());
        return;
    };
    for index in indices {
        let is_there = there.mostly != there.except.contains(index);
        if is_there == joins {
            let what = format!("can never happen: {}/{index} is {state} at {at}", group.name);
            item.wrong(what, format!("this peer cannot {verb} then"));
            return;
        }
        if there.mostly == joins {
            there.except.remove(index);
        } else {
            there.except.insert(*index);
        }
    }
}

fn entry(item: &Item<'_, '_>, known: &Known<'_>, horizon: Span) -> Option<TimelineEntry> {
    let table = item.table("an entry, e.g. { at = \"23h\", do = \"leave\", group = \"rcc\" }")?;
    let at = table.need("at", "a run time, e.g. \"23h\"").and_then(|item| {
        let at = item.length()?;
        within(&item, at, horizon);
        Some(at)
    });
    let change = table.need("do", "what happens, e.g. `\"join\"`").and_then(|item| item.word::<Change>());
    let position = table.need("group", "the name of a group").and_then(|item| group(&item, known));
    let group = position.and_then(|position| known.groups.get(position));
    let only = table.get("only");
    let indices = only.as_ref().map(|item| {
        let indices = item.indices(group.map_or(COUNT_MAX, |group| group.count), 1..=usize::MAX)?;
        exist(&indices, item, group?).then_some(indices)
    });
    table.finish();
    let indices = match indices {
        Some(indices) => Some(indices?),
        None => None,
    };
    Some(TimelineEntry { at: Time(at?.0), change: change?, group: u16::try_from(position?).ok()?, indices })
}

/// Whether a group has all of these indices; complains where not.
fn exist(indices: &[u32], item: &Item<'_, '_>, group: &GroupPlan) -> bool {
    let Some(there) = &group.indices else {
        return true;
    };
    let gone = indices.iter().find(|index| there.binary_search(index).is_err());
    if let Some(index) = gone {
        item.wrong(format!("names index {index}, which {} leaves out", quoted(&group.name)), "indices that exist");
    }
    gone.is_none()
}

fn group(item: &Item<'_, '_>, known: &Known<'_>) -> Option<usize> {
    let name = item.string("the name of a group")?;
    let found = known.positions.get(name.as_ref()).copied();
    if found.is_none() && known.complete && !item.cx.is_full() {
        let known = || known.groups.iter().map(|group| group.name.as_str());
        let (message, label) =
            (format!("names the unknown group {}", quoted(&name)), format!("one of {}", listed(known())));
        match near_miss(&name, known()) {
            Some(near) => item.wrong_hint(message, label, format!("did you mean {}?", quoted(near))),
            None => item.wrong(message, label),
        }
    }
    found
}
