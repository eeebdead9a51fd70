//! From one front end to the next: whom peers skip, and when they go back (model rule 26).
//!
//! Kept beside the rows, and only in runs where a group skips or moves back.

use std::collections::BTreeMap;

use crate::frontend::{Port, Step, Wake};
use crate::measure::{Cause, What};
use crate::rng::Draws;
use crate::scenario::plan::Plan;
use crate::time::{Span, Time};

use super::engine::Run;
use super::idle::Quiets;

/// What peers remember of front ends.
#[derive(Debug, Default)]
pub(super) struct Failovers {
    /// Until when a peer skips a front end.
    skipped: BTreeMap<(u32, u16), Time>,
    /// At which front end that is not its first a peer is, and when it moves back.
    moves: BTreeMap<u32, (u16, Time)>,
    /// The crash that took the connection of a peer which has not come back since, by its position.
    taken_by: BTreeMap<u32, usize>,
    /// `None`: nobody minds if nothing comes over a connection.
    pub(super) quiets: Option<Quiets>,
}

impl Run<'_> {
    /// What the groups of a plan need, or a middlebox before them, or limits on connections over which nothing comes;
    /// `None`: nothing.
    pub(super) fn failovers(groups: &[crate::frontend::Group], plan: &Plan) -> Option<Box<Failovers>> {
        let remembers = |group: &crate::frontend::Group| {
            group.failover.black_list > Span::ZERO || group.failover.fail_back.is_some()
        };
        // Who closes a connection of whose loss it has not heard yet learns of that at an instant that no crash tells.
        let closes = |group: &crate::frontend::Group| group.requests.as_ref().is_some_and(|r| r.closes());
        let quiets = Quiets::of(plan);
        let kept = groups.iter().any(|group| remembers(group) || closes(group));
        let needed = plan.middlebox.is_some() || quiets.is_some() || kept;
        needed.then(|| Box::new(Failovers { quiets, ..Failovers::default() }))
    }

    /// The last crash takes the connection of a peer. Where its peers do not go along a list in turn, which crash it was
    /// does not follow from where they are later.
    pub(super) fn crash_takes(&mut self, who: u32) {
        if let Some(failovers) = &mut self.failovers {
            failovers.taken_by.insert(who, self.world.crashes.len() - 1);
        }
    }

    /// Which crash took the connection of a peer that is valid again now, if that was kept.
    pub(super) fn was_taken_by(&mut self, who: u32) -> Option<usize> {
        self.failovers.as_mut()?.taken_by.remove(&who)
    }

    /// The front end to try after the one at `from` has failed.
    #[inline]
    pub(super) fn next_place(&mut self, now: Time, who: u32, group: usize, from: u16) -> u16 {
        if self.in_between(group).is_some() {
            from
        } else if self.failovers.is_some() {
            self.next_not_skipped(now, who, group, from)
        } else {
            self.groups[group].next_front_end(from)
        }
    }

    /// The first after it that is not black-listed; if all are, the next.
    fn next_not_skipped(&mut self, now: Time, who: u32, group: usize, from: u16) -> u16 {
        let of = &self.groups[group];
        let next = of.next_front_end(from);
        let Some(failovers) = self.failovers.as_mut().filter(|_| of.failover.black_list > Span::ZERO) else {
            return next;
        };
        failovers.skipped.insert((who, from), now + of.failover.black_list);
        let mut place = next;
        for _ in 0..of.front_ends.len() {
            match failovers.skipped.get(&(who, place)) {
                Some(until) if *until > now => place = of.next_front_end(place),
                Some(_) => {
                    failovers.skipped.remove(&(who, place));
                    return place;
                }
                None => return place,
            }
        }
        next
    }

    /// A peer has become valid: if it is not at its first front end, it will go back there.
    #[inline]
    pub(super) fn stays_or_moves_back(&mut self, now: Time, who: u32, group: usize) {
        if self.failovers.is_some() {
            self.plan_to_move_back(now, who, group);
            self.quiet_begins(now, who, group);
        }
    }

    fn plan_to_move_back(&mut self, now: Time, who: u32, group: usize) {
        let of = &self.groups[group];
        let (Some(failovers), Some(after)) = (&mut self.failovers, of.failover.fail_back) else { return };
        let row = &self.rows[who as usize];
        let place = row.place();
        if place == of.home_of(&self.world.draws, who) {
            failovers.moves.remove(&who);
            return;
        }
        // A planned new connection to the same front end does not begin its time there anew.
        let stayed = failovers.moves.get(&who).is_some_and(|(at, when)| *at == place && *when > now);
        if row.cause() == Cause::Refresh && stayed {
            return;
        }
        failovers.moves.insert(who, (place, now + after));
        self.world.wake(now + after, who, Wake::BackOff);
    }

    /// Whether the time of a peer at a front end that is not its first is over.
    pub(super) fn is_to_move_back(&self, now: Time, who: u32) -> bool {
        let row = &self.rows[who as usize];
        let planned = self.failovers.as_ref().and_then(|failovers| failovers.moves.get(&who));
        row.step() == Step::Valid && planned == Some(&(row.place(), now))
    }

    /// The time of a peer at a front end that is not its first may be over.
    pub(super) fn may_move_back(&mut self, now: Time, who: u32) {
        if !self.is_to_move_back(now, who) {
            return;
        }
        let group = self.group_of(who);
        self.decide(now, who, What::MovesBack, 0);
        self.visit(now, who, group).news_is_void();
        self.world.requests_end(&self.groups[group], who, now);
        self.detach(now, who);
        self.abandon(now, who, group, false);
        self.gives_port_back(now, who, group, true);
        self.obligation_loses_its_connection(now, who, group);
        let home = self.groups[group].home_of(&self.world.draws, who);
        let row = &mut self.rows[who as usize];
        row.episode = row.episode.wrapping_add(1);
        row.attempt = 0;
        row.since = now;
        row.set_cause(Cause::Refresh);
        row.set_place(home);
        self.aside_of_end(now, who, group, true);
        self.attempt(now, who, group);
        if self.world.drains.one_more() {
            self.look_at_backlog(now);
        }
    }

    /// Each peer's own order begins somewhere.
    pub(super) fn find_homes(rows: &mut [crate::frontend::Row], groups: &[crate::frontend::Group], draws: &Draws) {
        let turned = |group: &&crate::frontend::Group| group.failover.order == crate::policy::ListOrder::RoundRobin;
        for group in groups.iter().filter(turned) {
            for who in group.first..group.first + group.peers {
                rows[who as usize].set_place(group.home_of(draws, who));
            }
        }
    }
}
