//! Peers, front ends and instants of a plan as people name them on a command line.
//!
//! Texts in, places in the plan out; what is wrong comes back as a sentence that says what would be accepted.

use std::ops::Range;

use super::decode::span;
use super::diagnose::{listed, near_miss, quoted};
use super::plan::{GroupPlan, Plan};
use super::resolve::date;
use crate::time::{Span, Time};

/// The positions, among all peers, of whom `text` names: a peer (`edge/3`, or its group where that has just one) or all
/// of a group.
///
/// # Errors
/// In words, if there is nobody of this name.
pub fn peers_named(plan: &Plan, text: &str) -> Result<Range<u32>, String> {
    let mut first = 0;
    let mut found = Err(None);
    for group in &plan.groups {
        let rows = first..first + group.peers();
        first = rows.end;
        if group.name == text {
            return Ok(rows);
        }
        if let Some(index) = text.strip_prefix(group.name.as_str()).and_then(|rest| rest.strip_prefix('/')) {
            found = match nth(group, index) {
                Some(nth) => Ok(rows.start + nth..rows.start + nth + 1),
                None => Err(Some(group)),
            };
        }
    }
    found.map_err(|group| no_such_peer(plan, text, group))
}

/// The position within the group of its peer with this index.
fn nth(group: &GroupPlan, index: &str) -> Option<u32> {
    // No signs, no leading zeros: one peer has one name.
    let index: u32 = index.parse().ok().filter(|n: &u32| n.to_string() == index)?;
    match &group.indices {
        Some(indices) => indices.binary_search(&index).ok().and_then(|nth| u32::try_from(nth).ok()),
        None => (index < group.count).then_some(index),
    }
}

fn no_such_peer(plan: &Plan, text: &str, group: Option<&GroupPlan>) -> String {
    let quoted_text = quoted(text);
    if let Some(group) = group {
        let name = &group.name;
        let has = match (group.peers(), &group.indices) {
            (0, _) => format!("group {name} has no peers"),
            (1, None) => format!("the one peer of its group is {name}/0, or {name}"),
            (1, Some(_)) => format!("the one peer of its group is {name}/{}", group.index(0)),
            (n, Some(_)) => {
                format!("group {name} has {n} peers, {name}/{} to {name}/{}", group.index(0), group.index(n - 1))
            }
            (n, None) => format!("group {name} has {name}/0 to {name}/{}", n - 1),
        };
        return format!("there is no peer {quoted_text}: {has}");
    }
    let names = || plan.groups.iter().map(|group| group.name.as_str());
    let (name, index) = text.rsplit_once('/').unwrap_or((text, ""));
    let hint = near_miss(name, names()).map(|near| {
        let whole = if index.is_empty() { near.to_owned() } else { format!("{near}/{index}") };
        format!("; did you mean {}?", quoted(&whole))
    });
    let hint = hint
        .unwrap_or_else(|| format!("; a peer is named by its group and index, and the groups are {}", listed(names())));
    format!("there is no peer {quoted_text}{hint}")
}

/// The position of the front end that `text` names.
///
/// # Errors
/// In words, if there is none of this name.
pub fn front_end_named(plan: &Plan, text: &str) -> Result<u16, String> {
    let names = || plan.front_ends.iter().map(|front_end| front_end.name.as_str());
    let place = names().position(|name| name == text).and_then(|place| u16::try_from(place).ok());
    place.ok_or_else(|| {
        let hint = match near_miss(text, names()) {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => format!("there is {}", listed(names())),
        };
        format!("there is no front end {}; {hint}", quoted(text))
    })
}

/// The instant that `text` names: a length of time since run time 0, or a date where the plan has an epoch.
///
/// # Errors
/// In words, if it is neither, or outside of the run.
pub fn moment(plan: &Plan, text: &str) -> Result<Time, String> {
    let end = Time::ZERO + plan.horizon;
    let at = match (date::parse(text), plan.epoch) {
        (Some(_), None) => {
            return Err(format!(
                "{} is a date, and the run has none (run.epoch); give the time since its start, e.g. 1d 2m",
                quoted(text)
            ));
        }
        (Some(date), Some(epoch)) => match date.0.checked_sub(epoch.0) {
            Some(units) => Time(units.saturating_mul(100)),
            None => return Err(format!("{} is before the run starts", quoted(text))),
        },
        (None, _) => {
            let span = span::parse(text).map_err(|fault| {
                let or = if plan.epoch.is_some() { ", or a date, e.g. 2015-07-12T15:34:47Z" } else { "" };
                format!(
                    "{} {}; accepted is a time since the run's start, e.g. 1d 2m 5.5s{or}",
                    quoted(text),
                    fault.what
                )
            })?;
            Time::ZERO + span
        }
    };
    if at > end {
        return Err(format!("{} is after the end of the run, which is {} long", quoted(text), Span(end.0)));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::Epoch;
    use crate::validate::{Builtin, Transport};

    fn plan() -> Plan {
        let mut plan = Plan::new(Span::DAY.times(2), Builtin::Sfb2015Rtm);
        plan = plan.with_group(GroupPlan::new("edge", Transport::Tls, 5)).with_group(GroupPlan::new(
            "rcc",
            Transport::Tcp,
            1,
        ));
        plan.groups[0].indices = Some(vec![1, 4]);
        plan
    }

    #[test]
    fn peers_are_found_by_the_names_that_results_show() {
        let plan = plan();
        for (text, rows) in [("edge", 0..2), ("edge/1", 0..1), ("edge/4", 1..2), ("rcc", 2..3), ("rcc/0", 2..3)] {
            assert_eq!(peers_named(&plan, text), Ok(rows), "{text}");
        }
        for (text, words) in [
            ("edge/0", "group edge has 2 peers, edge/1 to edge/4"),
            ("edge/04", "edge/1 to edge/4"),
            ("edge/", "edge/1 to edge/4"),
            ("rcc/1", "is rcc/0, or rcc"),
            ("egde/4", "did you mean `edge/4`?"),
            ("zz", "the groups are `edge`, `rcc`"),
            ("", "the groups are"),
        ] {
            let error = peers_named(&plan, text).expect_err(text);
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn front_ends_are_found_by_name() {
        let plan = plan();
        let name = plan.front_ends[0].name.clone();
        assert_eq!(front_end_named(&plan, &name), Ok(0));
        let error = front_end_named(&plan, "nobody").expect_err("none");
        assert!(error.contains(&name), "{error}");
    }

    #[test]
    fn instants_are_lengths_or_dates_within_the_run() {
        let mut plan = plan();
        assert_eq!(moment(&plan, "1d 2m 5.003s"), Ok(Time(86_525_003_000_000)));
        assert_eq!(moment(&plan, "2d"), Ok(Time(172_800_000_000_000)));
        for (text, words) in [
            ("2d 1ns", "after the end of the run, which is 2d long"),
            ("-1s", "is negative"),
            ("", "is empty"),
            ("noon", "accepted is a time since the run's start"),
            ("2015-07-12T15:34:47Z", "the run has none"),
        ] {
            let error = moment(&plan, text).expect_err(text);
            assert!(error.contains(words), "{error}");
        }
        plan.epoch = Some(Epoch(116_444_736_000_000_000));
        assert_eq!(moment(&plan, "1970-01-02T00:00:01Z"), Ok(Time(86_401_000_000_000)));
        assert!(moment(&plan, "1969-12-31T23:59:59Z").expect_err("early").contains("before the run starts"));
        assert!(moment(&plan, "9999-12-31T23:59:59Z").expect_err("late").contains("after the end"));
    }
}
