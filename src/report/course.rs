//! How the run went in a word (model rule 33).

use super::words;
use crate::measure::{Outcome, RecordKind};
use crate::scenario::plan::Plan;
use crate::time::{Span, Time};

/// How a run went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Course {
    /// One of [`crate::measure::COURSES`].
    pub name: &'static str,
    /// What that rests on.
    pub because: String,
}

/// How the run went: the worst that holds of `down` (the service manager left a front end down, or no front end of a pool serves any more), `crash loop` (a front
/// end crashed again, and no more time has passed since than between its crashes), `metastable` (no recovery from a tick
/// or crash, of connections or of requests, in ten times the longest of it, its ideal drain and a peer's back-off, with no
/// more peers than before), `overloaded` (the same with more peers or without an ideal, or the last tick of a front end came before the refreshes of the one before it
/// were done), `not recovered` (peers are without a connection at the end), `recovered` (a crash or a loss, and all are
/// back) and `steady`.
pub fn course(plan: &Plan, outcome: &Outcome) -> Course {
    let (name, because) = down(plan, outcome)
        .or_else(|| crash_loop(outcome))
        .or_else(|| stuck(plan, outcome))
        .or_else(|| requests_stuck(plan, outcome))
        .or_else(|| overloaded(plan, outcome))
        .or_else(|| not_recovered(outcome))
        .unwrap_or_else(|| recovered_or_steady(outcome));
    Course { name, because }
}

fn down(plan: &Plan, outcome: &Outcome) -> Option<(&'static str, String)> {
    if let Some(since) = outcome.pool_fell {
        let why = format!("too few front ends of the pool served at {}, and none has since", words::instant(since));
        return Some(("down", why));
    }
    let left = |place: usize| {
        let last = outcome.crashes.iter().rev().find(|crash| usize::from(crash.front_end) == place)?;
        (last.restart.is_none() && !outcome.front_ends[place].up).then_some((place, last.at))
    };
    let all: Vec<(usize, Time)> = (0..outcome.front_ends.len()).filter_map(left).collect();
    let (place, since) = *all.first()?;
    let name = words::cut(&outcome.front_ends[place].name, 32);
    let mut because = format!("{name} stays down since {}", words::instant(since));
    if all.len() > 1 {
        because += &format!(", {} more as well", words::count(all.len() as u64 - 1));
    }
    let up = outcome.front_ends.iter().filter(|f| f.up).count() as u64;
    if plan.front_ends.len() > 1 {
        because +=
            &format!("; {} of {} front ends serve", words::count(up), words::count(plan.front_ends.len() as u64));
    }
    Some(("down", because))
}

fn crash_loop(outcome: &Outcome) -> Option<(&'static str, String)> {
    for (place, front_end) in outcome.front_ends.iter().enumerate() {
        let times: Vec<Time> =
            outcome.crashes.iter().filter(|c| usize::from(c.front_end) == place).map(|c| c.at).collect();
        let longest = times.windows(2).map(|pair| pair[1].since(pair[0])).max();
        let (Some(longest), Some(last)) = (longest, times.last()) else { continue };
        if outcome.ended.since(*last) <= longest {
            let (name, n) = (words::cut(&front_end.name, 32), words::count(times.len() as u64));
            return Some(("crash loop", format!("{name} crashed {n} times, {} apart at most", words::about(longest))));
        }
    }
    None
}

/// So many times what a recovery may take at most.
const PATIENCE: u64 = 10;

/// No recovery, although there was time enough: for too much load, or for good.
fn stuck(plan: &Plan, outcome: &Outcome) -> Option<(&'static str, String)> {
    let open = outcome.drains.open().filter(|open| open.recovery.is_none())?;
    let (ended, ideal) = (open.ended?, open.ideal?);
    let longest = ended.since(open.begun).max(ideal).max(back_off(plan));
    let since = outcome.ended.since(ended);
    if since < longest.times(PATIENCE) {
        return None;
    }
    let now: u64 = outcome.groups.iter().map(|group| group.peers).sum();
    let (name, than) = if now > open.present { ("overloaded", "more") } else { ("metastable", "no more") };
    let because = format!(
        "{} after the trigger of {} there is no recovery, which ideally takes {}, with {than} peers than before",
        words::about(since),
        words::instant(open.begun),
        words::about(ideal),
    );
    Some((name, because))
}

/// Connections have recovered, and requests have not, although there was time enough.
fn requests_stuck(plan: &Plan, outcome: &Outcome) -> Option<(&'static str, String)> {
    let goodput = outcome.goodput.as_ref()?;
    let open = goodput.open()?;
    let ended = open.ended?;
    let last = Time(Span::SECOND.times(open.last_dip? + 1).0);
    // They may have recovered, and the run ends before that is sure.
    if outcome.ended.since(last) >= goodput.hold() {
        return None;
    }
    let ideal = outcome.drains.ideal_max()?;
    let longest = open.longest.max(ideal.unwrap_or(Span::ZERO)).max(back_off(plan));
    let since = last.since(ended);
    if since < longest.times(PATIENCE) {
        return None;
    }
    let now: u64 = outcome.groups.iter().map(|group| group.peers).sum();
    let (name, than) = match ideal {
        None => ("overloaded", "requests ask for all that the cores can do"),
        Some(_) if now > open.present => ("overloaded", "with more peers than before"),
        Some(_) => ("metastable", "with no more peers than before"),
    };
    let (good, bad) = (open.before, open.after);
    let because = format!(
        "{} after the trigger of {} fewer requests are in time than before it, {than}: {} since, {} before",
        words::about(since),
        words::instant(open.begun),
        words::percent(bad.in_time.into(), bad.due.into()),
        words::percent(good.in_time.into(), good.due.into()),
    );
    Some((name, because))
}

/// The longest wait of a peer before it tries again that is not one in a thousand.
fn back_off(plan: &Plan) -> Span {
    let waits = plan.groups.iter().flat_map(|group| [&group.reconnect.first, &group.reconnect.delay]);
    waits.map(|wait| wait.quantile(0.999)).max().unwrap_or(Span::ZERO)
}

fn overloaded(plan: &Plan, outcome: &Outcome) -> Option<(&'static str, String)> {
    let every = plan.refresh.as_ref()?.every;
    if let Some(age) = outcome.oldest_open_refresh.filter(|age| *age >= every) {
        return Some(("overloaded", format!("a refresh is {} old at the end and not done", words::about(age))));
    }
    for place in 0..outcome.front_ends.len() {
        let ticks = outcome.records.iter().rev().filter(|r| r.front_end.map(usize::from) == Some(place));
        let missed = ticks.filter_map(|record| match record.kind {
            RecordKind::Tick { missed, .. } => Some((record.at, missed)),
            _ => None,
        });
        if let Some((at, missed)) = missed.take(1).find(|(_, missed)| *missed > 0) {
            let n = words::plural(missed, "refresh", "refreshes");
            return Some(("overloaded", format!("at {} {n} of the tick before were not done", words::instant(at))));
        }
    }
    None
}

/// How many peers have no valid connection at the end.
pub(super) fn disconnected(outcome: &Outcome) -> u64 {
    let peers: u64 = outcome.groups.iter().map(|group| group.peers).sum();
    let valid: u64 = outcome.front_ends.iter().map(|front_end| front_end.valid).sum();
    peers.saturating_sub(valid)
}

fn not_recovered(outcome: &Outcome) -> Option<(&'static str, String)> {
    let missing = disconnected(outcome);
    if missing == 0 {
        return None;
    }
    let n = words::plural(missing, "peer is", "peers are");
    let age = outcome.oldest_open_outage.unwrap_or(Span::ZERO);
    Some(("not recovered", format!("{n} without a connection at the end, for up to {}", words::about(age))))
}

fn recovered_or_steady(outcome: &Outcome) -> (&'static str, String) {
    let losses = super::figures::total(outcome, crate::measure::Counter::Losses);
    if outcome.crashes.is_empty() && losses == 0 {
        return ("steady", "no crash, no connection lost, everybody connected at the end".to_owned());
    }
    let crashes = words::plural(outcome.crashes.len() as u64, "crash", "crashes");
    let lost = words::plural(losses, "connection lost", "connections lost");
    ("recovered", format!("{crashes}, {lost}, everybody connected at the end"))
}
