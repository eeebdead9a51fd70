//! When windows around refreshes begin and end (model rule 29).

use crate::frontend::{Group, Life};
use crate::measure::{Asked, Windows};
use crate::policy::{Anchor, ListOrder};
use crate::scenario::plan::Plan;
use crate::time::{Span, Time};

use super::engine::Run;

/// The windows of a plan; `None`: it has no ticks.
pub(super) fn windows(plan: &Plan, groups: &[Group], cells: usize) -> Option<Box<Windows>> {
    let refresh = plan.refresh.as_ref().filter(|refresh| refresh.anchor != Anchor::OwnAge)?;
    let mut sends = vec![false; cells];
    for group in groups.iter().filter(|group| group.requests.is_some()) {
        sends[usize::from(group.cell)] = true;
    }
    let limit = plan.measure.window_limit.unwrap_or(refresh.every);
    Some(Box::new(Windows::new(&asked(plan, groups), limit, &sends)))
}

/// What requests ask of each front end while everybody is where the first attempt leads and no entry of the timeline acts.
fn asked(plan: &Plan, groups: &[Group]) -> Vec<Asked> {
    let second = u128::from(Span::SECOND.0);
    let mut all: Vec<Asked> = (0u16..)
        .zip(&plan.front_ends)
        .map(|(front_end, of)| Asked { front_end, can: u128::from(of.cores) * second, ..Asked::default() })
        .collect();
    for (group, _) in groups.iter().zip(&plan.groups).filter(|(_, of)| of.present) {
        let Some(requests) = &group.requests else { continue };
        let mean =
            |dist: &crate::dist::Dist| dist.mean().filter(|mean| mean.is_finite()).map(|mean| (mean as u128).max(1));
        // Gaps that are infinite in the mean are hardly any requests; such a CPU is more than any core can do.
        let Some(gap) = mean(&requests.every) else { continue };
        let peers = u128::from(group.peers);
        let billionths = peers * second * second / gap;
        let cpu = mean(&requests.cpu).map_or(u128::MAX / 2, |cpu| (peers * second).saturating_mul(cpu) / gap);
        let list = match group.failover.order {
            ListOrder::Listed => &group.front_ends[..1],
            ListOrder::RoundRobin | ListOrder::Middlebox => &group.front_ends[..],
        };
        for place in list {
            let (asked, n) = (&mut all[usize::from(*place)], list.len() as u128);
            asked.billionths += billionths / n;
            asked.cpu = asked.cpu.saturating_add(cpu / n);
        }
    }
    all
}

impl Run<'_> {
    /// A tick has taken connections: a window begins, unless one is open.
    pub(super) fn window_begins(&mut self, now: Time) {
        let Some(book) = &mut self.world.requests else { return };
        let level = book.open();
        let Some(windows) = book.windows() else { return };
        let serving = self.front_ends.iter().filter(|front_end| front_end.life == Life::Up);
        let serves = serving.map(|front_end| front_end.service_start).max().unwrap_or(Time::NEVER);
        let quiet = self.world.drains.open().is_none_or(|open| open.begun == now);
        windows.begin(now, level, quiet, serves);
    }

    /// What ticks and crashes left behind has been looked at.
    pub(super) fn window_looks(&mut self, now: Time) {
        if self.world.drains.open().is_some() {
            return;
        }
        if let Some(windows) = self.world.requests.as_mut().and_then(|book| book.windows()) {
            windows.is_quiet(now);
            self.window_may_end(now);
        }
    }

    /// A request is over, or has got nowhere: if all is as it was before the tick, the window is over too.
    #[inline]
    pub(super) fn window_may_end(&mut self, now: Time) {
        let Some(book) = &mut self.world.requests else { return };
        let level = book.open();
        if let Some(windows) = book.windows().filter(|windows| windows.may_end(level))
            && self.world.drains.open().is_none()
        {
            windows.end(now);
        }
    }
}
