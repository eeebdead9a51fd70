//! A new connection that is made while the old one serves (model rule 19, `make-first`).
//!
//! The row of such a peer is that of the new connection, from its SYN on, so that the handshake takes the same steps as
//! any other. What the row said of the old one is kept here, for as long as the new one is under way: it is valid at its
//! front end, counts there, and owes its refresh. Whatever ends the old one, or the try for good, puts it back first.

use std::collections::BTreeMap;

use crate::frontend::{Obligation, Step};
use crate::measure::{Counter, What};
use crate::policy::{Act, Initiator, Refresh, Style};
use crate::schedule::Class;
use crate::time::{Span, Time};

use super::engine::Run;
use super::visit::leave_sweep;
use super::world::kind;

/// What the row said of a connection that serves while its successor is made.
#[derive(Clone, Copy, Debug)]
struct Old {
    place: u16,
    since: Time,
    started: Time,
    next: Time,
}

/// Peers that have two connections, by their rows.
#[derive(Debug, Default)]
pub(super) struct Making {
    under_way: BTreeMap<u32, Old>,
    /// Old connections that are kept for the grace of their requests: until when, and where.
    kept: BTreeMap<u32, (Time, u16)>,
}

impl Run<'_> {
    /// Whether the peer is making a new connection while its old one serves.
    #[inline]
    pub(super) fn is_making(&self, who: u32) -> bool {
        !self.making.under_way.is_empty() && self.making.under_way.contains_key(&who)
    }

    /// What a refresh that is due now does, in the numbers of [`What::Due`].
    #[inline]
    pub(super) fn what_it_does(&self, now: Time, who: u32, act: Act) -> u8 {
        match act {
            Act::Revalidate => 0,
            Act::Reconnect(_) if self.makes_first(now, who) => 3,
            Act::Reconnect(_) => 2,
        }
    }

    /// Whether a connection is kept until its successor is valid: not while its peer has not even heard of it.
    #[inline]
    fn makes_first(&self, now: Time, who: u32) -> bool {
        let policy = self.refresh.as_ref();
        let next = self.rows[who as usize].next;
        policy.is_some_and(|policy| policy.style != Style::BreakFirst) && (next <= now || next == Time::NEVER)
    }

    /// A valid connection is made anew.
    #[inline]
    pub(super) fn reconnect_now(&mut self, now: Time, who: u32, group: usize, initiator: Initiator) {
        if self.makes_first(now, who) {
            return self.make_first(now, who, group, initiator);
        }
        self.break_first(now, who, group, initiator);
    }

    fn make_first(&mut self, now: Time, who: u32, group: usize, initiator: Initiator) {
        let row = self.rows[who as usize];
        let place = usize::from(row.place());
        let old = Old { place: row.place(), since: row.since, started: row.started, next: row.next };
        self.making.under_way.insert(who, old);
        self.front_ends[place].beside += 1;
        self.aside_of_end(now, who, group, true);
        let is_attempt = self.groups[group].reconnect.is_rationed() || self.front_ends[place].watches_arrivals;
        let mut visit = self.visit(now, who, group);
        let sent = visit.replaced_at(initiator);
        if is_attempt {
            self.front_ends[place].members.remove(who);
            return self.attempt_after(now, who, group, sent.since(now));
        }
        if visit.goes_direct() {
            visit.syn_to_own_front_end(sent);
        } else {
            self.front_ends[place].members.remove(who);
            self.syn_by_steps(sent, who, group);
        }
        self.aside_of_syn(sent, who, group);
    }

    /// The new connection is valid: the old one ends.
    pub(super) fn made_first(&mut self, now: Time, who: u32, group: usize) {
        let Some(old) = self.making.under_way.remove(&who) else { return };
        let (from, due) = (usize::from(old.place), self.rows[who as usize].due);
        let place = self.rows[who as usize].place();
        let front_end = &mut self.front_ends[from];
        front_end.valid -= 1;
        front_end.owing -= 1;
        front_end.beside -= 1;
        if place != old.place {
            leave_sweep(now, front_end, due, false, &mut self.world);
            self.rows[who as usize].owe(Obligation::OpenMoved);
        }
        // For one step the peer counts as without a connection: at the end of it, it has the new one.
        self.world.disconnected += 1;
        self.world.cut_off += 1;
        self.visit(now, who, group).valid_beside_the_old();
        self.count_ticks_since(now, who, group, old.place, due);
        self.attempt_over(now, who, group);
        self.keep_for_grace(now, who, old.place);
        self.one_less(now);
        self.stays_or_moves_back(now, who, group);
    }

    /// Ticks that came while the new connection was being made have their numbers.
    fn count_ticks_since(&mut self, now: Time, who: u32, group: usize, at: u16, due: Time) {
        let row = &mut self.rows[who as usize];
        let (place, next_due) = (row.place(), row.due);
        row.set_place(at);
        row.due = due;
        self.visit(now, who, group).catch_up();
        let row = &mut self.rows[who as usize];
        row.set_place(place);
        row.due = next_due;
    }

    /// The new connection was rejected: the old one stays, and its refresh is over.
    pub(super) fn old_one_stays(&mut self, now: Time, who: u32, group: usize) {
        self.put_old_back(now, who, group);
        let mut visit = self.visit(now, who, group);
        visit.close_obligation(Counter::Rejected);
        visit.schedule_own_age();
        self.one_less(now);
    }

    /// The try for a new connection comes to nothing, and the row is that of the old one again.
    fn put_old_back(&mut self, now: Time, who: u32, group: usize) {
        self.attempt_over(now, who, group);
        self.attempt_is_void(who);
        self.row_is_of_old(who);
    }

    fn row_is_of_old(&mut self, who: u32) {
        let Some(old) = self.making.under_way.remove(&who) else { return };
        self.front_ends[usize::from(old.place)].beside -= 1;
        let row = &mut self.rows[who as usize];
        self.front_ends[usize::from(row.place())].members.remove(who);
        row.set_place(old.place);
        self.front_ends[usize::from(old.place)].members.add(who);
        row.generation = row.generation.wrapping_add(1);
        row.set_step(Step::Valid);
        (row.since, row.started, row.next) = (old.since, old.started, old.next);
    }

    /// A front end goes down: those whose old connection it has are as if they made no new one. Says how many
    /// connections it has beside the ones that its rows tell of.
    pub(super) fn put_all_back(&mut self, now: Time, place: usize) -> u64 {
        let here: Vec<u32> = self.old_ones_at(place).collect();
        let mut beside = 0;
        for who in here {
            let row = self.rows[who as usize];
            let group = self.group_of(who);
            let is_there = usize::from(row.place()) == place && matches!(row.step(), Step::FlightSent | Step::InJob);
            beside += u64::from(is_there && self.syn_under_way(now, who, group).is_none());
            self.leaves_try_for_old(now, who, group);
        }
        let kept = self.making.kept.len();
        self.making.kept.retain(|_, (_, at)| usize::from(*at) != place);
        let kept = (kept - self.making.kept.len()) as u64;
        self.front_ends[place].beside -= kept;
        beside + kept
    }

    /// The try for a new connection ends in this instant, whatever has become of it: its peer has the old one.
    pub(super) fn leaves_try_for_old(&mut self, now: Time, who: u32, group: usize) {
        self.leave_handshake(now, who, group);
        let row = self.rows[who as usize];
        if self.front_ends[usize::from(row.place())].members.remove(who) {
            self.abandon(now, who, group, row.step() == Step::InJob);
        }
        self.put_old_back(now, who, group);
    }

    /// The run ends.
    pub(super) fn put_everyone_back(&mut self) {
        while let Some(who) = self.making.under_way.keys().next().copied() {
            self.row_is_of_old(who);
        }
    }

    /// Does something with the row of a peer that is making a new connection as that of the old one.
    fn with_old<R>(&mut self, who: u32, of_old: impl FnOnce(&mut Self) -> R) -> Option<R> {
        let old = self.making.under_way.get(&who)?;
        let new = self.rows[who as usize];
        let row = &mut self.rows[who as usize];
        row.set_place(old.place);
        row.set_step(Step::Valid);
        (row.since, row.started, row.next) = (old.since, old.started, old.next);
        let given = of_old(self);
        self.rows[who as usize] = new;
        Some(given)
    }

    /// A wake-up of a peer that is making a new connection: a time of its old one may be over.
    pub(super) fn old_may_be_over(&mut self, now: Time, who: u32) {
        let is_over = self.with_old(who, |run| {
            run.is_cut_off_for_good(now, who) || run.is_to_move_back(now, who) || run.has_been_quiet_too_long(now, who)
        });
        if is_over == Some(true) {
            self.leaves_try_for_old(now, who, self.group_of(who));
            self.valid_may_be_over(now, who);
        }
    }

    /// A path may be cut: old connections on it begin to probe, as all that are valid do.
    pub(super) fn old_ones_probe(&mut self, now: Time, group: usize, front_end: Option<u16>) {
        let of = &self.groups[group];
        let rows = of.first..of.first + of.peers;
        let old: Vec<u32> = self.making.under_way.range(rows).map(|(who, _)| *who).collect();
        for who in old {
            self.with_old(who, |run| run.probes_through_cut(now, who, group, front_end));
        }
    }

    fn old_ones_at(&self, place: usize) -> impl Iterator<Item = u32> + '_ {
        self.making.under_way.iter().filter(move |(_, old)| usize::from(old.place) == place).map(|(who, _)| *who)
    }

    /// A tick comes while they make their new connections: it is missed (rule 20).
    pub(super) fn miss_who_is_making(&mut self, place: usize) -> u64 {
        let here: Vec<u32> = self.old_ones_at(place).collect();
        here.into_iter().map(|who| self.miss(who, self.group_of(who))).sum()
    }

    fn keep_for_grace(&mut self, now: Time, who: u32, place: u16) {
        let Some(Refresh { style: Style::MakeFirst { grace }, .. }) = self.refresh else { return };
        if grace == Span::ZERO {
            return;
        }
        // A peer keeps one: an older one that is still there goes now.
        self.front_ends[usize::from(place)].beside += 1;
        if let Some((_, at)) = self.making.kept.insert(who, (now + grace, place)) {
            self.old_is_cut(now, who, at);
        }
        self.world.push(now + grace, Class::Deadline, who, kind::GRACE);
    }

    /// The grace of an old connection is over.
    #[cold]
    pub(super) fn grace_over(&mut self, now: Time, who: u32) {
        if let Some((until, at)) = self.making.kept.get(&who).copied()
            && until == now
        {
            self.making.kept.remove(&who);
            self.old_is_cut(now, who, at);
        }
    }

    fn old_is_cut(&mut self, now: Time, who: u32, at: u16) {
        self.front_ends[usize::from(at)].beside -= 1;
        self.decide_at(now, who, usize::from(at), What::OldCut, 0);
    }

    /// The peer leaves: so do both of its connections.
    pub(super) fn leaves_with_both(&mut self, now: Time, who: u32, group: usize) {
        if self.is_making(who) {
            self.leave_handshake(now, who, group);
            self.put_old_back(now, who, group);
        }
        if let Some((_, at)) = self.making.kept.remove(&who) {
            self.front_ends[usize::from(at)].beside -= 1;
        }
    }
}
