//! Every figure of the registry, computed from an outcome.

use super::course::course;
use super::latency::{cells, counted, requests};
use crate::measure::{
    Account, COURSES, Counter, CrashReport, Disturbed, Drains, Figure, FrontEndFigures, Handshakes, Looked, Outcome,
    Part, RequestCounts, Tags,
};
use crate::scenario::plan::Plan;
use crate::time::{Span, Time};

/// The value of a figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// A whole number.
    Count(u64),
    /// An exact share.
    Share {
        /// The part.
        part: u128,
        /// The whole; never 0.
        whole: u128,
    },
    /// A length in ns, wide enough for sums over peers.
    Length(u128),
    /// A length that was not over at the end of the run: so many ns at least.
    AtLeast(u128),
    /// A length without end: not over so many ns after it began, when the run ended.
    Never(u128),
    /// How the run went: its place among [`COURSES`].
    Course(usize),
}

impl Value {
    /// A share in parts per million, to the nearest; `None` for what is no share.
    pub fn ppm(self) -> Option<u64> {
        match self {
            Value::Share { part, whole } => {
                u64::try_from((part.saturating_mul(1_000_000) + whole / 2) / whole.max(1)).ok()
            }
            Value::Count(_) | Value::Length(_) | Value::AtLeast(_) | Value::Never(_) | Value::Course(_) => None,
        }
    }
}

/// The value of a figure for what `tags` ask for; `None`: there is nothing to compute it from (design rule 6), such as
/// a first crash without a crash, outcomes of refreshes when none fell due, or tags that nothing has.
pub fn figure(plan: &Plan, outcome: &Outcome, figure: Figure, tags: &Tags) -> Option<Value> {
    of_front_ends(plan, outcome, figure, tags).or_else(|| of_groups(outcome, figure, tags)).flatten()
}

/// The figures of front ends and of the run; the outer `None`: it is one of the groups'.
fn of_front_ends(plan: &Plan, outcome: &Outcome, figure: Figure, tags: &Tags) -> Option<Option<Value>> {
    let those = front_ends(outcome, tags);
    let crashes = || crashes(outcome, tags);
    let first = || crashes().next();
    let nth = |n: usize| reconnected(outcome, n);
    Some(match figure {
        Figure::Crashes => (!those.is_empty()).then(|| Value::Count(crashes().count() as u64)),
        Figure::FirstCrash => first().map(|crash| Value::Length(crash.at.0.into())),
        Figure::CrashAge => crashes()
            .find(|crash| crash.service_start != Time::NEVER)
            .map(|crash| Value::Length(crash.at.since(crash.service_start).0.into())),
        Figure::PoolFalls => plan.pool.map(|_| Value::Count(outcome.pool_falls)),
        Figure::Up => Some(Value::Count(those.iter().filter(|f| f.up).count() as u64)),
        Figure::DisconnectedMax => served(outcome).then_some(Value::Count(outcome.disconnected_max.0)),
        Figure::QueueMax => those.iter().map(|f| f.account.queue_max).max().map(Value::Count),
        Figure::AcceptQueueMax => those.iter().map(|f| f.accept_queue_max).max().map(Value::Count),
        Figure::WorkerUtilisation => use_of(&those, |f| (f.account.held_time(), f.workers)),
        Figure::CoreUtilisation => use_of(&those, |f| (f.account.cpu(), f.cores)),
        Figure::Blocked => use_of(&those, |f| (f.account.blocked, f.workers)),
        Figure::Lookups => of_lookups(plan, &those, tags, |l| l.made),
        Figure::LookupsCached => of_lookups(plan, &those, tags, |l| l.cached),
        Figure::LookupsJoined => of_lookups(plan, &those, tags, |l| l.joined),
        Figure::LookupsFailed => of_lookups(plan, &those, tags, |l| l.failed + l.timed_out),
        Figure::LookupsTimedOut => of_lookups(plan, &those, tags, |l| l.timed_out),
        Figure::WastedWork => {
            let sum = |of: fn(&Account) -> u128| those.iter().map(|f| of(&f.account)).sum();
            share(sum(|account| account.wasted + account.cut_off), sum(Account::cpu))
        }
        Figure::Reconnected50 => nth(0),
        Figure::Reconnected99 => nth(1),
        Figure::Reconnected100 => nth(2),
        Figure::DrainIdeal => drain(outcome, |drains| drains.ideal_max().flatten()),
        Figure::DrainActual => {
            drain(outcome, |drains| drains.longest.filter(|_| drains.open().is_none()).and_then(|e| e.actual))
        }
        Figure::Recovery => drain(outcome, |drains| match drains.open() {
            None => drains.recovery,
            Some(open) => open.recovery.max(drains.recovery).filter(|_| open.recovery.is_some()),
        }),
        Figure::GoodputBefore => goodput_around(outcome, |of| of.before),
        Figure::GoodputDuring => goodput_around(outcome, |of| of.during),
        Figure::GoodputAfter => goodput_around(outcome, |of| of.after),
        Figure::RequestRecovery => disturbed(outcome).map(|of| match of.recovery {
            Some(span) => Value::Length(span.0.into()),
            None => Value::Never(outcome.ended.since(of.ended.unwrap_or(of.begun)).0.into()),
        }),
        Figure::Verdict => COURSES.iter().position(|word| *word == course(plan, outcome).name).map(Value::Course),
        Figure::HerdIndex if plan.refresh.is_none() => None,
        Figure::HerdIndex => outcome.herd.indices.iter().max().map(|index| Value::Count(*index)),
        _ => return None,
    })
}

/// The figures of groups.
fn of_groups(outcome: &Outcome, figure: Figure, tags: &Tags) -> Option<Option<Value>> {
    let those = cells(outcome, tags);
    if those.is_empty() {
        return None;
    }
    let sum = |counter| counted(outcome, &those, counter);
    let of = |counter| Some(Value::Count(sum(counter)));
    // Without a due there is no outcome, and none is not the same as none of a kind.
    let of_due = |counter| (sum(Counter::Dues) > 0).then(|| Value::Count(sum(counter)));
    let figures = || outcome.groups.iter().enumerate().filter(|(cell, _)| those.contains(&(*cell as u16))).map(|f| f.1);
    let lost: u128 = figures().map(|f| f.lost).sum();
    let present: u128 = figures().map(|f| f.present).sum();
    let tls = || handshakes(outcome, &those);
    let of_tls = |count: fn(&Handshakes) -> u64| tls().map(|tls| Value::Count(count(&tls)));
    let bytes =
        |count: fn(&Handshakes) -> u64| tls().filter(|tls| tls.unweighed == 0).map(|tls| Value::Count(count(&tls)));
    Some(match figure {
        Figure::Dues => of(Counter::Dues),
        Figure::ValidInPlace => of_due(Counter::ValidInPlace),
        Figure::ValidByReconnect => of_due(Counter::ValidByReconnect),
        Figure::Rejected => of_due(Counter::Rejected),
        Figure::Recovered => of_due(Counter::Recovered),
        Figure::Departed => of_due(Counter::Departed),
        Figure::Dropped => of_due(Counter::Dropped),
        Figure::Missed => of_due(Counter::Missed),
        Figure::Unfinished => of_due(Counter::Unfinished),
        Figure::Questions => Some(Value::Count(outcome.questions.total(&those, tags))),
        Figure::Rejections => asked(outcome).then(|| Value::Count(sum(Counter::Rejections))),
        Figure::Losses => of(Counter::Losses),
        Figure::Attempts => of(Counter::Attempts),
        Figure::TimeOuts => of(Counter::TimeOuts),
        Figure::Unanswered => Some(Value::Count(figures().map(|f| f.unanswered).sum())),
        Figure::Ignored => Some(Value::Count(figures().map(|f| f.ignored).sum())),
        Figure::NoPort => Some(Value::Count(figures().map(|f| f.no_port).sum())),
        Figure::Stopped => of(Counter::Stopped),
        Figure::Withheld => of(Counter::Withheld),
        Figure::Held => of(Counter::Held),
        Figure::Skipped => of(Counter::Skipped),
        Figure::Limited => of(Counter::Limited),
        Figure::FullHandshakes => of_tls(|tls| tls.full),
        Figure::ResumedHandshakes => of_tls(|tls| tls.resumed),
        Figure::DeclinedSessions => of_tls(|tls| tls.declined),
        Figure::BytesToFrontEnds => bytes(|tls| tls.to_front_end),
        Figure::BytesToPeers => bytes(|tls| tls.to_peer),
        figure if figure.is_of_requests() => requests(outcome, &those).and_then(|counts| of_requests(figure, &counts)),
        Figure::Availability => share(present.saturating_sub(lost), present),
        Figure::PeerTimeLost => (present > 0).then_some(Value::Length(lost)),
        _ => None,
    })
}

/// A figure of requests from what became of them.
pub(super) fn of_requests(figure: Figure, counts: &RequestCounts) -> Option<Value> {
    let count = match figure {
        Figure::RequestsDue => counts.due,
        Figure::RequestsInTime => counts.in_time,
        Figure::RequestsTimedOut => counts.timed_out,
        Figure::RequestsLost => counts.connection_lost,
        Figure::RequestsFailed => counts.timed_out + counts.connection_lost,
        Figure::RequestsDeparted => counts.departed,
        Figure::RequestsUnfinished => counts.unfinished,
        Figure::Goodput => return goodput(counts),
        _ => return None,
    };
    Some(Value::Count(count))
}

/// The share of requests answered in time; `None`: none fell due whose peer stayed.
pub(super) fn goodput(counts: &RequestCounts) -> Option<Value> {
    share(counts.in_time.into(), (counts.due - counts.departed).into())
}

/// The trigger that requests have not recovered from, or took longest to.
pub(super) fn disturbed(outcome: &Outcome) -> Option<&Disturbed> {
    outcome.goodput.as_ref().and_then(|goodput| goodput.open().or(goodput.longest.as_ref()))
}

fn goodput_around(outcome: &Outcome, of: fn(&Disturbed) -> Part) -> Option<Value> {
    let Part { in_time, due } = of(disturbed(outcome)?);
    share(in_time.into(), due.into())
}

/// A length of the drains; one that has none is without end.
fn drain(outcome: &Outcome, of: impl Fn(&Drains) -> Option<Span>) -> Option<Value> {
    let drains = &outcome.drains;
    (drains.episodes > 0).then(|| match of(drains) {
        Some(span) => Value::Length(span.0.into()),
        None => {
            let since = drains.open().or(drains.longest.as_ref()).map(|open| open.ended.unwrap_or(open.begun));
            Value::Never(since.map_or(0, |since| outcome.ended.since(since).0.into()))
        }
    })
}

/// TLS handshakes of some cells; `None`: none of them has TLS settings.
pub(super) fn handshakes(outcome: &Outcome, cells: &[u16]) -> Option<Handshakes> {
    let of = |cell: &u16| outcome.handshakes.get(usize::from(*cell)).copied().flatten();
    cells.iter().filter_map(of).reduce(|sum, next| sum.and(&next))
}

/// Look-ups of some front ends that `tags` ask for; `None`: there are none.
pub(super) fn looked(plan: &Plan, those: &[&FrontEndFigures], tags: &Tags) -> Option<Looked> {
    let wanted = |name: &String| tags.lookup.as_ref().is_none_or(|wanted| wanted == name);
    let of = |f: &&FrontEndFigures| {
        let named = plan.lookups.each.iter().zip(f.looked.clone());
        named.filter(|(lookup, _)| wanted(&lookup.name)).map(|(_, looked)| looked).reduce(|sum, next| sum.and(&next))
    };
    those.iter().filter_map(of).reduce(|sum, next| sum.and(&next))
}

fn of_lookups(plan: &Plan, those: &[&FrontEndFigures], tags: &Tags, of: fn(Looked) -> u64) -> Option<Value> {
    looked(plan, those, tags).map(|looked| Value::Count(of(looked)))
}

/// The front ends that `tags` ask for.
fn front_ends<'a>(outcome: &'a Outcome, tags: &Tags) -> Vec<&'a FrontEndFigures> {
    outcome.front_ends.iter().filter(|f| tags.front_end.as_ref().is_none_or(|name| *name == f.name)).collect()
}

pub(super) fn crashes<'a>(outcome: &'a Outcome, tags: &Tags) -> impl Iterator<Item = &'a CrashReport> {
    let name = tags.front_end.clone();
    outcome.crashes.iter().filter(move |crash| {
        let front_end = outcome.front_ends.get(usize::from(crash.front_end));
        name.as_ref().is_none_or(|name| front_end.is_some_and(|f| f.name == *name))
    })
}

fn share(part: u128, whole: u128) -> Option<Value> {
    (whole > 0).then_some(Value::Share { part, whole })
}

/// Use of something that a front end has several of, while it serves.
fn use_of(those: &[&FrontEndFigures], of: impl Fn(&FrontEndFigures) -> (u128, u32)) -> Option<Value> {
    let (mut used, mut had) = (0, 0);
    for front_end in those {
        let (time, number) = of(front_end);
        used += time;
        had += front_end.served * u128::from(number);
    }
    share(used, had)
}

/// Whether any front end ever served.
pub(super) fn served(outcome: &Outcome) -> bool {
    outcome.front_ends.iter().any(|f| f.served > 0 || f.up)
}

/// Whether any validator was ever asked and its answer had an effect.
pub(super) fn asked(outcome: &Outcome) -> bool {
    let sum = |counter| total(outcome, counter);
    let answers = sum(Counter::ValidInPlace) + sum(Counter::Rejections) + sum(Counter::Valids);
    // `start = established` makes connections valid without a question; attempts tell whether there was one.
    !outcome.crashes.is_empty() || (answers > 0 && (sum(Counter::Attempts) > 0 || sum(Counter::ValidInPlace) > 0))
}

/// A counter over all groups.
pub(super) fn total(outcome: &Outcome, counter: Counter) -> u64 {
    counted(outcome, &cells(outcome, &Tags::default()), counter)
}

/// Refreshes that fell due in the whole run.
pub(super) fn dues(outcome: &Outcome) -> u64 {
    total(outcome, Counter::Dues)
}

/// The longest time of all crashes to a share of the peers lost by it valid again: 50, 99, 100 %.
fn reconnected(outcome: &Outcome, nth: usize) -> Option<Value> {
    let (mut longest, mut open) = (None, false);
    for crash in outcome.crashes.iter().filter(|crash| crash.lost > 0) {
        let took = crash.reconnected.get(nth).copied().flatten();
        open |= took.is_none();
        longest = longest.max(Some(took.unwrap_or(outcome.ended.since(crash.at))));
    }
    longest.map(|span| if open { Value::AtLeast(span.0.into()) } else { Value::Length(span.0.into()) })
}
