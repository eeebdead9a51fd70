//! `refresh.style = "make-first"`: what cannot stand beside it.

use crate::policy::{Refresh, Style};
use crate::scenario::decode::Item;
use crate::scenario::plan::GroupPlan;

/// Complains of what a peer with two connections at once is not modelled with.
pub(super) fn beside_make_first(refresh: Option<&Refresh>, item: Option<&Item<'_, '_>>, groups: &[GroupPlan]) {
    let (Some(Refresh { style: Style::MakeFirst { .. }, .. }), Some(item)) = (refresh, item) else { return };
    if let Some(what) = groups.iter().find_map(unfit) {
        item.wrong(
            format!("makes connections first, which is not modelled beside {what}"),
            "`style = \"break-first\"`",
        );
    }
}

/// What of a group needs to know which of two connections it is about.
fn unfit(group: &GroupPlan) -> Option<&'static str> {
    if group.requests.is_some() {
        return Some("`group.requests`: which of its two connections a peer sends on");
    }
    group.tcp.ports.is_some().then_some("`group.tcp.ports`: a peer has one port")
}
