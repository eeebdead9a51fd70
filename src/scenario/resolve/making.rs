//! `refresh.style = "make-first"`: what cannot stand beside it.

use crate::policy::{Action, Pool, Reconnect, Recovery, Refresh, Style};
use crate::scenario::decode::Item;
use crate::scenario::plan::{Change, FrontEndPlan, GroupPlan, Operation, TimelineEntry};
use crate::time::Span;

/// What a scenario has beside its refreshes.
pub(super) struct Beside<'p> {
    pub(super) front_ends: &'p [FrontEndPlan],
    pub(super) groups: &'p [GroupPlan],
    pub(super) recovery: &'p Recovery,
    pub(super) pool: Option<&'p Pool>,
    pub(super) timeline: &'p [TimelineEntry],
    pub(super) operations: &'p [Operation],
}

/// Complains of what a peer with two connections at once is not modelled with.
pub(super) fn beside_make_first(refresh: Option<&Refresh>, item: Option<&Item<'_, '_>>, beside: &Beside<'_>) {
    let (Some(Refresh { style: Style::MakeFirst { .. }, .. }), Some(item)) = (refresh, item) else { return };
    if let Some(what) = beside.unfit() {
        item.wrong(
            format!("makes connections first, which is not modelled beside {what}"),
            "`style = \"break-first\"`",
        );
    }
}

impl Beside<'_> {
    fn unfit(&self) -> Option<&'static str> {
        let group = self.groups.iter().find_map(unfit_group);
        let front_end = self.front_ends.iter().find_map(unfit_front_end);
        let reboots = self.recovery.actions.iter().any(|action| matches!(action, Action::Reboot { .. }));
        let cuts = self.timeline.iter().any(|entry| matches!(entry.change, Change::CutOff | Change::Heal));
        let slow = self.timeline.iter().any(|entry| matches!(entry.change, Change::Slow(_) | Change::SlowEnds));
        let others = [
            (self.pool.is_some(), "a `[pool]`"),
            (self.recovery.dump > Span::ZERO, "`recovery.dump`"),
            (reboots, "a reboot in `recovery.actions`"),
            (cuts, "`do = \"cut-off\"`"),
            (slow, "`do = \"slow\"`"),
            (!self.operations.is_empty(), "front ends that are stopped, started, crashed or patched"),
        ];
        group.or(front_end).or(first_of(&others))
    }
}

fn unfit_group(group: &GroupPlan) -> Option<&'static str> {
    let plain = GroupPlan::new("", group.transport, 1);
    let reconnect = Reconnect::plain(group.reconnect.first.clone(), group.reconnect.delay.clone());
    first_of(&[
        (group.requests.is_some(), "`group.requests`"),
        (group.path != plain.path, "`group.path`"),
        (group.tcp != plain.tcp, "`group.tcp`"),
        (group.timeouts != plain.timeouts, "`group.timeouts`"),
        (group.failover != plain.failover, "`group.failover`"),
        (group.reconnect != reconnect, "a `group.reconnect` of more than `first` and `delay`"),
    ])
}

fn unfit_front_end(front_end: &FrontEndPlan) -> Option<&'static str> {
    first_of(&[
        (front_end.accept.is_some(), "`front_end.accept`"),
        (front_end.listen.syn_backlog.is_some(), "`front_end.listen.syn_backlog`"),
        (!front_end.limits.is_none(), "`front_end.limits`"),
    ])
}

fn first_of(cases: &[(bool, &'static str)]) -> Option<&'static str> {
    cases.iter().find(|(is, _)| *is).map(|(_, what)| *what)
}
