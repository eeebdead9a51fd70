//! Limits, certificates and issuers made at random: drawn after all the rest, so that plans without them stay as they are.

use refresh_sim::policy::Ratio;
use refresh_sim::policy::{Ask, Batch, Issuer, Limit, Replaced, Then, TurnRate, Validity};
use refresh_sim::scenario::plan::{Change, Plan, TimelineEntry};
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::CertificateState;

use super::plans::Choices;

/// Certificates that expire and are replaced, of themselves and by the timeline, in some of the groups that have any.
pub(super) fn certificates(of: &mut Choices<'_>, plan: &mut Plan) {
    let horizon = plan.horizon;
    for group in 0..plan.groups.len() {
        if plan.groups[group].certificate == Some(CertificateState::Valid) && of.yes() {
            let lives = of.yes().then(|| of.dist(Span::MINUTE, horizon.max(Span::HOUR)));
            let not_after = if lives.is_none() || of.yes() { Some(Time(of.span(Span::ZERO, horizon).0)) } else { None };
            let replaced = match of.below(5) {
                0 => Replaced::Never,
                3 | 4 => Replaced::Asked(ask(of)),
                1 => Replaced::Before(of.span(Span(1), horizon)),
                _ => Replaced::After(of.dist(Span::ZERO, Span(horizon.0 / 4 + 1))),
            };
            plan.groups[group].validity = Some(Validity { not_after, lives, replaced });
        }
        for _ in 0..of.below(3) {
            let change = of.one_of(&[Change::ReplaceCertificate, Change::CertificateExpires]);
            let at = Time(of.span(Span::ZERO, horizon).0);
            let count = plan.groups[group].count;
            let indices = if of.yes() { Some((0..count).filter(|_| of.yes()).collect()) } else { None };
            plan.timeline.push(TimelineEntry { at, change, group: group as u16, indices, front_end: None });
        }
    }
    plan.timeline.sort_by_key(|entry| entry.at);
    let rate = of.yes().then(|| TurnRate { turns: 1 + of.below(9) as u32, per: of.span(Span(1), horizon), burst: 1 });
    let (workers, cost) = (1 + of.below(3) as u32, of.dist(Span(1), Span::MINUTE));
    plan.issuer = Some(Issuer { workers, cost, rate, fails: Vec::new() });
}

/// Takes out of a plan what no scenario may have beside connections that are made first.
pub(crate) fn as_make_first_wants(plan: &mut Plan) {
    for group in &mut plan.groups {
        (group.requests, group.tcp.ports) = (None, None);
    }
}

/// A rule by which peers ask their issuer.
fn ask(of: &mut Choices<'_>) -> Ask {
    let share = |hundredths| Ratio::percent(hundredths as u32);
    let from = 1 + of.below(100);
    let to = from + of.below(101 - from);
    let poll = if of.yes() { Some(of.span(Span::SECOND, Span::MINUTE)) } else { None };
    Ask { from: share(from), to: share(to), poll, then: of.one_of(&[Then::Revalidate, Then::Reconnect, Then::Stay]) }
}

/// A limit on turns, or none: drawn last of all, so that plans that have no part in it stay as they were.
pub(super) fn limit(of: &mut Choices<'_>, horizon: Span) -> Option<Limit> {
    if !of.yes() {
        return None;
    }
    let (longest, some) = (Span(horizon.0 / 20 + 1), |of: &mut Choices<'_>| 1 + of.below(4) as u32);
    Some(Limit {
        rate: of.yes().then(|| TurnRate { turns: some(of), per: of.span(Span(1), longest), burst: some(of) }),
        batch: of.yes().then(|| Batch { turns: some(of), every: of.span(Span(1), longest) }),
        spacing: of.span(Span::ZERO, longest),
    })
}
