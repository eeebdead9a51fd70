//! `[[timeline]]`, the part that is about front ends: stopped, started, ended, patched. What can never happen is an
//! error.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::decode::{Item, Table};
use crate::scenario::diagnose::{listed, near_miss, quoted};
use crate::scenario::file::TimelineWord;
use crate::scenario::plan::{FrontEndPlan, Operate, Operation};
use crate::time::{Span, Time};
use crate::validate::Builtin;

/// Most front ends that all entries together may be about.
pub(super) const TARGETS_MAX: usize = 1_000_000;

/// What a scenario says beside its timeline that decides whether an entry can happen.
#[derive(Clone, Copy)]
pub(super) struct Given<'p> {
    pub(super) front_ends: &'p [FrontEndPlan],
    /// Their positions by their names.
    pub(super) positions: &'p BTreeMap<&'p str, u16>,
    /// Whether a front end may be down without an entry that says so.
    pub(super) may_fail: bool,
    /// Whether a program of the user's own judges throughout.
    pub(super) has_program: bool,
}

/// An entry that is about front ends.
pub(super) fn entry(
    item: &Item<'_, '_>,
    table: &Table<'_, '_>,
    at: Option<Span>,
    word: TimelineWord,
    given: Given<'_>,
) -> Option<Operation> {
    let is_patch = matches!(word, TimelineWord::Patch | TimelineWord::RollingPatch);
    let away = if is_patch {
        table.need("away", "from the stop to the start, e.g. \"10m\"").and_then(|item| item.length())
    } else {
        only_with(table, "away", "`do = \"patch\"` and `\"rolling-patch\"`");
        None
    };
    let validator = table.get("validator").and_then(|item| {
        if !is_patch {
            item.wrong("does nothing here", "only with `do = \"patch\"` and `\"rolling-patch\"`");
        } else if given.has_program {
            item.wrong(
                "does nothing here",
                "the program of `validation.command` judges throughout: leave one of them out",
            );
        }
        item.word::<Builtin>()
    });
    let rolls = word == TimelineWord::RollingPatch;
    let gap = table.get("gap").and_then(|item| {
        if !rolls {
            item.wrong("does nothing here", "only with `do = \"rolling-patch\"`");
        }
        item.length()
    });
    let stages = if rolls {
        for key in ["front_end", "upgrade_domain"] {
            only_with(table, key, "an entry of one stage; `\"rolling-patch\"` goes through all");
        }
        Some(by_domain(given.front_ends))
    } else {
        targets(item, table, given).map(|places| vec![places])
    };
    let patch = |gap| Some(Operate::Patch { away: away?, validator, gap });
    let what = match word {
        TimelineWord::Peers(_)
        | TimelineWord::Slow
        | TimelineWord::Lookup(_)
        | TimelineWord::IssuerFails
        | TimelineWord::IssuerHeals => None,
        TimelineWord::Stop => Some(Operate::Stop),
        TimelineWord::Start => Some(Operate::Start),
        TimelineWord::Crash => Some(Operate::Crash),
        TimelineWord::Patch => patch(None),
        TimelineWord::RollingPatch => patch(Some(gap.unwrap_or(Span::ZERO))),
    };
    Some(Operation { at: Time(at?.0), what: what?, stages: stages? })
}

/// Complains of a key that is for others.
pub(super) fn only_with(table: &Table<'_, '_>, key: &'static str, with: &str) {
    if let Some(item) = table.get(key) {
        item.wrong("does nothing here", format!("only with {with}"));
    }
}

/// The front ends that an entry names.
fn targets(item: &Item<'_, '_>, table: &Table<'_, '_>, given: Given<'_>) -> Option<Vec<u16>> {
    match (table.get("front_end"), table.get("upgrade_domain")) {
        (Some(named), Some(domain)) => {
            domain.wrong("says again what `front_end` says", "`front_end` or `upgrade_domain`, not both");
            by_name(&named, given)
        }
        (Some(named), None) => by_name(&named, given),
        (None, Some(item)) => of_domain(&item, given.front_ends),
        (None, None) => {
            let accepts = "`front_end = \"fe01\"`, a list of names, or `upgrade_domain = 1`";
            item.wrong("names no front end", accepts);
            None
        }
    }
}

fn by_name(item: &Item<'_, '_>, given: Given<'_>) -> Option<Vec<u16>> {
    let position = |item: &Item<'_, '_>| {
        let name = item.string("the name of a front end, or a list of names")?;
        let found = given.positions.get(name.as_ref()).copied();
        if found.is_none() && !item.cx.is_full() {
            let known = || given.front_ends.iter().map(|front_end| front_end.name.as_str());
            let message = format!("names the unknown front end {}", quoted(&name));
            match near_miss(&name, known()) {
                Some(near) => item.wrong_hint(message, "", format!("did you mean {}?", quoted(near))),
                None => item.wrong(message, format!("one of {}", listed(known()))),
            }
        }
        found
    };
    if !item.is_list() {
        return position(item).map(|place| vec![place]);
    }
    let (mut places, mut seen) = (Vec::new(), BTreeSet::new());
    for item in item.list(1..=given.front_ends.len().max(1), "names of front ends")? {
        let Some(place) = position(&item) else { continue };
        if !seen.insert(place) {
            item.wrong("names a front end twice", "each front end once");
        }
        places.push(place);
    }
    // In the scenario's order, whatever that of the list.
    places.sort_unstable();
    (!places.is_empty()).then_some(places)
}

fn of_domain(item: &Item<'_, '_>, front_ends: &[FrontEndPlan]) -> Option<Vec<u16>> {
    let domain = item.whole32(1..=1024)?;
    let is_in = |front_end: &FrontEndPlan| front_end.upgrade_domain.is_some_and(|of| u32::from(of) == domain);
    let places: Vec<u16> = front_ends.iter().zip(0..).filter(|(f, _)| is_in(f)).map(|(_, place)| place).collect();
    if places.is_empty() {
        item.wrong(format!("is {domain}, which no node has"), "an `upgrade_domain` of `front_end.nodes`");
        return None;
    }
    Some(places)
}

/// Stage by stage: upgrade domains by their numbers, then each node that has none.
fn by_domain(front_ends: &[FrontEndPlan]) -> Vec<Vec<u16>> {
    let mut domains: BTreeMap<u16, Vec<u16>> = BTreeMap::new();
    let mut alone = Vec::new();
    for (front_end, place) in front_ends.iter().zip(0..) {
        match front_end.upgrade_domain {
            Some(domain) => domains.entry(domain).or_default().push(place),
            None => alone.push(vec![place]),
        }
    }
    domains.into_values().chain(alone).collect()
}

/// What is certain of a front end, from the entries so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certain {
    /// It has been started, and what has happened since may have ended it.
    Runs { may_be_down: bool },
    /// Stopped until an entry starts it.
    Stopped,
    /// Away for a patch until then.
    Away(Time),
    /// A rolling patch is under way, whose pace nobody knows.
    Unknown,
}

/// Complains of entries that can never happen. They come in order of time, each with its item.
pub(super) fn check(entries: &[(Operation, Item<'_, '_>)], given: Given<'_>) {
    let mut certain = vec![Certain::Runs { may_be_down: given.may_fail }; given.front_ends.len()];
    for (operation, item) in entries {
        for place in operation.stages.iter().flatten() {
            let place = usize::from(*place);
            let (Some(front_end), Some(certain)) = (given.front_ends.get(place), certain.get_mut(place)) else {
                continue;
            };
            if let Err((why, accepts)) = happens(operation, front_end, certain) {
                let what = format!("can never happen: {} {why} at {}", quoted(&front_end.name), operation.at);
                item.wrong(what, accepts);
                break;
            }
        }
    }
}

/// Lets an operation happen to one front end; or says what keeps it from that, and what would be accepted.
fn happens(operation: &Operation, of: &FrontEndPlan, certain: &mut Certain) -> Result<(), (&'static str, String)> {
    let at = operation.at;
    if at <= of.starts {
        return Err(("has not been started", format!("later than its first start, {}", Span(of.starts.0))));
    }
    if let Certain::Away(until) = *certain
        && until < at
    {
        *certain = Certain::Runs { may_be_down: true };
    }
    let stopped = |accepts: &str| Err(("is stopped", accepts.to_owned()));
    *certain = match (operation.what, *certain) {
        (Operate::Patch { gap: Some(_), .. }, _) => Certain::Unknown,
        (_, Certain::Unknown) => Certain::Unknown,
        (_, Certain::Away(until)) => {
            return Err(("is away for a patch", format!("later than {}, when it starts again", Span(until.0))));
        }
        (Operate::Patch { away, .. }, _) => Certain::Away(at + away),
        (Operate::Stop | Operate::Crash, Certain::Stopped) => return stopped("a front end that runs"),
        (Operate::Stop, Certain::Runs { .. }) => Certain::Stopped,
        (Operate::Crash, Certain::Runs { .. }) => Certain::Runs { may_be_down: true },
        (Operate::Start, Certain::Runs { may_be_down: false }) => {
            return Err(("runs already", "a front end that is down".to_owned()));
        }
        (Operate::Start, _) => Certain::Runs { may_be_down: true },
    };
    Ok(())
}
