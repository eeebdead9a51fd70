//! `[[timeline]]`: peers that come and go, paths that are cut and heal, front ends that are stopped and started; what can
//! never happen is an error.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::Ratio;
use crate::scenario::decode::number::MULTIPLE_MAX;
use crate::scenario::decode::{Item, Table};
use crate::scenario::diagnose::{listed, near_miss, quoted};
use crate::scenario::file::TimelineWord;
use crate::scenario::plan::{Change, GroupPlan, Operation, TimelineEntry};
use crate::time::{Span, Time};

use super::operations::{self, Given, TARGETS_MAX, only_with};
use super::{COUNT_MAX, within};

/// The entries about peers and those about front ends, each in order of time; those of one instant as they stand in the
/// file.
pub(super) fn section(
    items: Vec<Item<'_, '_>>,
    groups: &[GroupPlan],
    complete: bool,
    front_ends: &[&str],
    horizon: Span,
    given: Given<'_>,
) -> (Vec<TimelineEntry>, Vec<Operation>) {
    let positions = groups.iter().enumerate().map(|(position, group)| (group.name.as_str(), position)).collect();
    let places = front_ends.iter().copied().zip(0..).collect();
    let known = Known { groups, positions, complete, front_ends, places };
    let (mut entries, mut done, mut targets) = (Vec::new(), Vec::new(), 0);
    for item in items {
        match entry(&item, &known, horizon, given) {
            Some(Entry::Peers(entry)) => entries.push((entry, item)),
            Some(Entry::FrontEnds(operation)) => {
                targets += operation.stages.iter().map(Vec::len).sum::<usize>();
                if targets > TARGETS_MAX {
                    let most = format!("at most {TARGETS_MAX} front ends in all entries together");
                    item.wrong("is one entry too many", most);
                    break;
                }
                done.push((operation, item));
            }
            None => {}
        }
    }
    entries.sort_by_key(|(entry, _)| entry.at);
    done.sort_by_key(|(operation, _)| operation.at);
    operations::check(&done, given);
    let mut there: Vec<There> =
        groups.iter().map(|group| There { mostly: group.present, except: BTreeSet::new() }).collect();
    let mut cut: Vec<Cut> = groups.iter().map(|_| Cut::default()).collect();
    for (entry, item) in &entries {
        let position = usize::from(entry.group);
        if is_of_path(entry.change) {
            if let (Some(cut), Some(group)) = (cut.get_mut(position), groups.get(position)) {
                path_changes(entry, item, cut, group, front_ends);
            }
        } else if let (Some(there), Some(group)) = (there.get_mut(position), groups.get(position)) {
            happens(entry, item, there, group);
        }
    }
    let operations = done.into_iter().map(|(operation, _)| operation).collect();
    (entries.into_iter().map(|(entry, _)| entry).collect(), operations)
}

/// Whether a change is one of the path, and so of a whole group.
fn is_of_path(change: Change) -> bool {
    matches!(change, Change::CutOff | Change::Heal | Change::Slow(_) | Change::SlowEnds)
}

/// One entry.
enum Entry {
    Peers(TimelineEntry),
    FrontEnds(Operation),
}

/// The groups that entries may name.
struct Known<'g> {
    groups: &'g [GroupPlan],
    positions: BTreeMap<&'g str, usize>,
    complete: bool, // no name is missing
    front_ends: &'g [&'g str],
    places: BTreeMap<&'g str, usize>,
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

/// The paths of a group on which nothing gets through.
#[derive(Default)]
struct Cut {
    mostly: bool,
    except: BTreeSet<u16>, // positions of front ends
    entries: usize,        // so far
    slow: Option<Ratio>,   // whatever the front end
}

/// Most entries that cut paths of one group or let them heal: each may be looked at for each front end.
const PATH_ENTRIES_MAX: usize = 1_000;

/// Cuts a path or lets it heal, or complains that it cannot.
fn path_changes(entry: &TimelineEntry, item: &Item<'_, '_>, cut: &mut Cut, group: &GroupPlan, front_ends: &[&str]) {
    if item.cx.is_full() {
        return;
    }
    let (name, at) = (quoted(&group.name), entry.at);
    cut.entries += 1;
    if cut.entries > PATH_ENTRIES_MAX {
        let what = format!("is one more entry that cuts {name} off, slows it down or ends that");
        return item.wrong(what, format!("at most {PATH_ENTRIES_MAX} of them for a group"));
    }
    if let Change::Slow(_) | Change::SlowEnds = entry.change {
        let slow = if let Change::Slow(factor) = entry.change { Some(factor) } else { None };
        if cut.slow == slow {
            let state = if slow.is_some() { "is as slow already" } else { "is not slow" };
            item.wrong(format!("can never happen: {name} {state} at {at}"), "a change");
        }
        cut.slow = slow;
        return;
    }
    let cuts = entry.change == Change::CutOff;
    let changes = match entry.front_end {
        None => {
            let differing = cut.except.len();
            let as_asked = if cut.mostly == cuts { group.front_ends.len() - differing } else { differing };
            (cut.mostly, cut.except) = (cuts, BTreeSet::new());
            as_asked < group.front_ends.len()
        }
        Some(place) if !group.front_ends.contains(&place) => {
            let to = front_ends.get(usize::from(place)).map_or_else(String::new, |front_end| quoted(front_end));
            return item.wrong(format!("can never happen: {name} never turns to {to}"), "a front end of the group");
        }
        Some(place) if cut.mostly == cuts => cut.except.remove(&place),
        Some(place) => cut.except.insert(place),
    };
    if !changes {
        let (state, label) = if cuts {
            ("is cut off already", "a path that is not cut then")
        } else {
            ("is not cut off", "a path that is cut then")
        };
        item.wrong(format!("can never happen: {name} {state} at {at}"), label);
    }
}

fn entry(item: &Item<'_, '_>, known: &Known<'_>, horizon: Span, given: Given<'_>) -> Option<Entry> {
    let table = item.table("an entry, e.g. { at = \"23h\", do = \"leave\", group = \"rcc\" }")?;
    let at = table.need("at", "a run time, e.g. \"23h\"").and_then(|item| {
        let at = item.length()?;
        within(&item, at, horizon);
        Some(at)
    });
    let word = table.need("do", "what happens, e.g. `\"leave\"` or `\"stop\"`").and_then(|item| item.word());
    let entry = match word {
        // Whom it is about is not known: the keys of all are taken for known.
        None => {
            for key in ["group", "only", "front_end", "upgrade_domain", "away", "validator", "gap", "factor"] {
                table.get(key);
            }
            None
        }
        Some(TimelineWord::Slow) => {
            not_of_front_ends(&table);
            let accepts = "how many times as long they take, e.g. 10 or \"150%\"";
            // At least 1: peers become slow, never fast.
            let factor = table.need("factor", accepts).and_then(|item| item.factor(Ratio::ONE, MULTIPLE_MAX));
            let entry = of_peers(&table, at, Change::Slow(factor.unwrap_or(Ratio::ONE)), known);
            factor.and(entry).map(Entry::Peers)
        }
        Some(TimelineWord::Peers(change)) => {
            not_of_front_ends(&table);
            only_with(&table, "factor", "`do = \"slow\"` and `\"lookup-slow\"`");
            of_peers(&table, at, change, known).map(Entry::Peers)
        }
        Some(word) => {
            for key in ["group", "only", "factor"] {
                only_with(&table, key, "what happens to peers");
            }
            operations::entry(item, &table, at, word, given).map(Entry::FrontEnds)
        }
    };
    table.finish();
    entry
}

/// Complains of keys that are for front ends.
fn not_of_front_ends(table: &Table<'_, '_>) {
    for key in ["upgrade_domain", "away", "validator", "gap"] {
        only_with(table, key, "what is done to front ends");
    }
}

fn of_peers(table: &Table<'_, '_>, at: Option<Span>, change: Change, known: &Known<'_>) -> Option<TimelineEntry> {
    let position = table.need("group", "the name of a group").and_then(|item| group(&item, known));
    let group = position.and_then(|position| known.groups.get(position));
    let only = table.get("only");
    let indices = only.as_ref().map(|item| {
        let indices = item.indices(group.map_or(COUNT_MAX, |group| group.count), 1..=usize::MAX)?;
        exist(&indices, item, group?).then_some(indices)
    });
    let cuts = matches!(change, Change::CutOff | Change::Heal);
    if let Some(only) = only.filter(|_| is_of_path(change)) {
        let verb = if cuts { "a path is cut for" } else { "this happens to" };
        only.wrong("does nothing here", format!("{verb} all of a group: give these peers a group of their own"));
    }
    let front_end = table.get("front_end").map(|item| {
        if !cuts {
            item.wrong("does nothing here", "only on paths and with what is done to front ends");
        }
        front_end(&item, known)
    });
    let indices = match indices {
        Some(indices) => Some(indices?),
        None => None,
    };
    let front_end = match front_end {
        Some(front_end) => Some(front_end?),
        None => None,
    };
    Some(TimelineEntry { at: Time(at?.0), change, group: u16::try_from(position?).ok()?, indices, front_end })
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

/// The position of a front end.
fn front_end(item: &Item<'_, '_>, known: &Known<'_>) -> Option<u16> {
    let name = item.string("the name of a front end")?;
    let (found, front_ends) = (known.places.get(name.as_ref()).copied(), known.front_ends);
    if found.is_none() && !item.cx.is_full() {
        let message = format!("names the unknown front end {}", quoted(&name));
        let label = format!("one of {}", listed(front_ends.iter().copied()));
        match near_miss(&name, front_ends.iter().copied()) {
            Some(near) => item.wrong_hint(message, label, format!("did you mean {}?", quoted(near))),
            None => item.wrong(message, label),
        }
    }
    found.and_then(|place| u16::try_from(place).ok())
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
