//! Ticks, dues and obligations: each refresh that falls due ends in exactly one way (model rules 16 to 20).

use crate::frontend::{FrontEnd, JobKind, Life, Obligation, Port, Row, Step, Taken, Wake};
use crate::measure::{Counter, Decision, RecordKind, What};
use crate::policy::{Act, Order, Refresh};
use crate::rng::{Purpose, When};
use crate::time::{Span, Time};

use super::engine::Run;
use super::visit::leave_sweep;

/// What a tick makes of a connection.
pub(super) enum Found {
    /// It takes it.
    Eligible,
    /// The refresh before is still open.
    Missed,
    /// Not valid, or not to be refreshed.
    NotIts,
}

impl Run<'_> {
    /// A tick of a front end: takes the connections that are valid now.
    pub(super) fn tick(&mut self, now: Time, place: usize) {
        if self.front_ends[place].next_tick != now {
            return;
        }
        let Some(policy) = self.refresh.clone() else { return };
        let who = place as u32;
        let extra = self.front_ends[place].incarnation as u16;
        self.world.decide(Decision { at: now, who, what: What::Tick, detail: 0, extra }, None);
        // Before anything is taken: what is taken may bring the process down, which has no next tick then.
        let front_end = &mut self.front_ends[place];
        let next = policy.next_tick(front_end.service_start, now);
        front_end.tick_at(next, &mut self.world);
        self.foresee(now, place, &policy);
        let (taken, missed) = self.take(now, place, &policy);
        if taken > 0 && policy.spread == Span::ZERO {
            self.tick_has_taken(now, now);
        }
        self.world.record(now, Some(place as u16), None, RecordKind::Tick { taken, missed });
        self.dispatch(now, place);
    }

    /// Takes every connection that is valid and owes nothing; says how many, and how many were missed.
    fn take(&mut self, now: Time, place: usize, policy: &Refresh) -> (u64, u64) {
        let as_one_run = policy.act == Act::Revalidate
            && policy.spread == Span::ZERO
            && policy.order == Order::Topology
            && policy.limit.is_none()
            && self.front_ends[place].takes_whole_runs()
            && self.groups.iter().all(|group| group.refreshed)
            && !self.plan.skips_exact_age;
        if as_one_run {
            let taken = self.front_ends[place].valid;
            self.tick_takes(now, taken);
            self.front_ends[place].push_run(now, Taken::All(taken));
            self.front_ends[place].owing += taken;
            self.front_ends[place].begin_sweep(now, taken);
            self.world.herd.due(now, taken);
            return (taken, 0);
        }
        if policy.spread > Span::ZERO {
            return self.take_with_spread(now, place, policy);
        }
        let (rows, missed) = self.candidates(now, place);
        let rows = self.in_order(rows, policy.order);
        self.tick_takes(now, rows.len() as u64);
        self.front_ends[place].owing += rows.len() as u64;
        let taken = rows.len() as u64;
        self.front_ends[place].begin_sweep(now, taken);
        if self.lines.is_some() {
            for who in &rows {
                self.is_due_now(now, *who, 4);
                self.stand_in_line(*who);
            }
            self.take_turns(now, place);
        } else if policy.act == Act::Revalidate && !self.front_ends[place].refuses() {
            for who in &rows {
                let row = &mut self.rows[*who as usize];
                row.next_cycle();
                row.due = now;
                row.owe(Obligation::InRun);
            }
            self.world.herd.due(now, taken);
            self.front_ends[place].push_run(now, Taken::List(rows));
        } else {
            self.take_one_by_one(now, place, &rows, policy.act);
        }
        (taken, missed)
    }

    fn tick_takes(&mut self, now: Time, taken: u64) {
        if taken > 0 {
            self.trigger_begins(now);
        }
    }

    /// Takes connections whose jobs meet the bound of the queue one by one, or that are made anew. All are due before
    /// the first job is served, for that may crash the front end.
    fn take_one_by_one(&mut self, now: Time, place: usize, rows: &[u32], act: Act) {
        for who in rows {
            let detail = self.what_it_does(now, *who, act);
            self.is_due_now(now, *who, detail);
        }
        for who in rows {
            if self.front_ends[place].life != Life::Up {
                return;
            }
            // A job before it may have pushed out a request of this one, which cost its connection.
            if self.rows[*who as usize].obligation() == Obligation::Open {
                self.refresh_now(now, *who, act);
            }
        }
    }

    /// A connection that a tick takes is due at the tick; `detail` as [`What::Due`] says.
    fn is_due_now(&mut self, now: Time, who: u32, detail: u8) {
        let row = &mut self.rows[who as usize];
        row.next_cycle();
        row.due = now;
        row.owe(Obligation::Open);
        let group = self.group_of(who);
        self.visit(now, who, group).count_due(detail);
    }

    /// Takes connections that are due one by one later: in one pass, for with a spread the order of taking decides nothing.
    fn take_with_spread(&mut self, now: Time, place: usize, policy: &Refresh) -> (u64, u64) {
        let (mut taken, mut last) = (0, now);
        let mut missed = self.miss_who_is_making(place);
        let mut from = 0;
        while let Some(who) = self.front_ends[place].members.next(from) {
            from = who + 1;
            let group = self.group_of(who);
            match self.found(now, place, who, group) {
                Found::NotIts => {}
                Found::Missed => missed += self.miss(who, group),
                Found::Eligible => {
                    if taken == 0 {
                        self.tick_takes(now, 1);
                    }
                    taken += 1;
                    last = last.max(self.take_for_later(now, who, group, policy));
                }
            }
        }
        self.front_ends[place].owing += taken;
        self.front_ends[place].begin_sweep(now, taken);
        if taken > 0 {
            self.tick_has_taken(now, last);
        }
        (taken, missed)
    }

    /// Rows that a tick takes, in the scenario's order, and how many it misses for they still owe the refresh before.
    fn candidates(&mut self, now: Time, place: usize) -> (Vec<u32>, u64) {
        let mut rows = Vec::with_capacity(self.front_ends[place].valid as usize);
        let mut missed = self.miss_who_is_making(place);
        let mut from = 0;
        while let Some(who) = self.front_ends[place].members.next(from) {
            from = who + 1;
            let group = self.group_of(who);
            match self.found(now, place, who, group) {
                Found::NotIts => {}
                Found::Missed => missed += self.miss(who, group),
                Found::Eligible => rows.push(who),
            }
        }
        (rows, missed)
    }

    /// What a tick makes of one of its front end's connections.
    #[inline(always)]
    pub(super) fn found(&self, now: Time, place: usize, who: u32, group: usize) -> Found {
        let (row, of) = (&self.rows[who as usize], &self.groups[group]);
        if FrontEnd::is_eligible(row, place as u16, now, of) && !self.front_ends[place].covers(who, row, of) {
            if self.is_left_out(now, row) { Found::NotIts } else { Found::Eligible }
        } else if row.step() == Step::Valid && of.refreshed {
            Found::Missed
        } else {
            Found::NotIts
        }
    }

    /// A refresh is missed: its predecessor is still open.
    pub(super) fn miss(&mut self, who: u32, group: usize) -> u64 {
        let cell = self.groups[group].cell;
        self.world.count(cell, Counter::Dues, 1);
        self.world.count(cell, Counter::Missed, 1);
        let row = &mut self.rows[who as usize];
        if row.obligation() == Obligation::TakenLost {
            // No tick of its front end tells later that there was this one.
            row.add_cycles(1);
            row.episode = 0;
        }
        1
    }

    pub(super) fn in_order(&self, mut rows: Vec<u32>, order: Order) -> Vec<u32> {
        match order {
            Order::Topology => {}
            Order::Accepted => rows.sort_by_key(|who| (self.rows[*who as usize].since, *who)),
            Order::Shuffled => rows.sort_by_cached_key(|who| {
                let group = &self.groups[self.group_of(*who)];
                let cycle = self.rows[*who as usize].cycle().wrapping_add(1);
                let when = When { cycle, episode: 0, attempt: 0 };
                (self.world.draws.draw(group.identity_of(*who), Purpose::TieOrder, when, 0), *who)
            }),
        }
        rows
    }

    #[inline]
    fn take_for_later(&mut self, now: Time, who: u32, group: usize, policy: &Refresh) -> Time {
        let identity = self.groups[group].identity_of(who);
        let row = &mut self.rows[who as usize];
        row.next_cycle();
        let bits = self.world.draws.draw(identity, Purpose::Jitter, row.when(), 0);
        row.due = now + policy.jitter(bits);
        row.owe(Obligation::Taken);
        self.world.wake(row.due, who, Wake::Due);
        row.due
    }

    /// A due comes: of a connection that a tick took, or of one that has reached its age.
    #[inline(never)]
    pub(super) fn due(&mut self, now: Time, who: u32) {
        let row = &mut self.rows[who as usize];
        if row.due != now {
            return;
        }
        let (step, obligation) = (row.step(), row.obligation());
        let Some(act) = self.refresh.as_ref().map(|policy| policy.act) else { return };
        match obligation {
            Obligation::Taken => self.fall_due(now, who, act),
            Obligation::TakenLost => {
                let group = self.group_of(who);
                self.visit(now, who, group).count_due(1);
                if step == Step::Valid {
                    self.visit(now, who, group).close_obligation(Counter::Recovered);
                } else {
                    self.rows[who as usize].owe(Obligation::OpenLost);
                }
            }
            Obligation::None if step == Step::Valid && self.plan.skips_exact_age && self.leave_out(now, who) => {}
            Obligation::None if step == Step::Valid => {
                let row = &mut self.rows[who as usize];
                row.next_cycle();
                let place = usize::from(row.place());
                self.front_ends[place].owing += 1;
                self.fall_due(now, who, act);
            }
            Obligation::None | Obligation::InRun | Obligation::Open | Obligation::OpenLost | Obligation::OpenMoved => {}
        }
    }

    /// Whether a connection is left out for its age, if the plan has that defect.
    #[inline]
    fn is_left_out(&self, now: Time, row: &Row) -> bool {
        let every = self.refresh.as_ref().map(|policy| policy.every);
        self.plan.skips_exact_age && Some(now.since(row.since)) == every
    }

    /// Leaves a connection that has reached its age out, if that is exact: it is looked at again a period later.
    #[cold]
    fn leave_out(&mut self, now: Time, who: u32) -> bool {
        let Some(every) = self.refresh.as_ref().map(|policy| policy.every) else { return false };
        let is_out = self.is_left_out(now, &self.rows[who as usize]);
        if is_out {
            self.rows[who as usize].due = now + every;
            self.world.wake(now + every, who, Wake::Due);
        }
        is_out
    }

    /// A valid connection's refresh is due now.
    #[inline]
    fn fall_due(&mut self, now: Time, who: u32, act: Act) {
        let group = self.group_of(who);
        if self.lines.is_some() {
            self.visit(now, who, group).falls_due(4);
            let place = usize::from(self.rows[who as usize].place());
            self.stand_in_line(who);
            return self.take_turns(now, place);
        }
        let detail = self.what_it_does(now, who, act);
        self.visit(now, who, group).falls_due(detail);
        self.refresh_now(now, who, act);
    }

    /// What a due asks for.
    #[inline]
    pub(super) fn refresh_now(&mut self, now: Time, who: u32, act: Act) {
        let group = self.group_of(who);
        match act {
            Act::Revalidate => {
                let place = usize::from(self.rows[who as usize].place());
                self.enqueue(now, who, group, JobKind::ValidateRefresh);
                self.dispatch(now, place);
            }
            Act::Reconnect(initiator) => self.reconnect_now(now, who, group, initiator),
        }
    }

    /// Pulls a row from the run of a tick; says whether it is in it.
    #[inline]
    pub(super) fn owe_from_run(&mut self, who: u32, group: usize, place: usize, asked: Time) -> bool {
        let row = &mut self.rows[who as usize];
        match row.obligation() {
            Obligation::InRun if row.due == asked => {}
            _ if FrontEnd::is_eligible(row, place as u16, asked, &self.groups[group]) => {
                row.next_cycle();
                row.due = asked;
            }
            _ => return false,
        }
        row.owe(Obligation::Open);
        self.world.count(self.groups[group].cell, Counter::Dues, 1);
        true
    }

    /// The connection of an obligation is lost: recorded, not asked; its clock runs on (rules 17 and 20).
    pub(super) fn obligation_loses_its_connection(&mut self, now: Time, who: u32, group: usize) {
        let Some((place, due)) = self.release(now, who, group) else { return };
        let row = &mut self.rows[who as usize];
        let lost = if row.obligation() == Obligation::Taken { Obligation::TakenLost } else { Obligation::OpenLost };
        row.owe(lost);
        leave_sweep(now, &mut self.front_ends[place], due, false, &mut self.world);
    }

    /// The peer of an obligation departs.
    pub(super) fn obligation_departs(&mut self, now: Time, who: u32, group: usize) {
        let attached = self.release(now, who, group);
        self.visit(now, who, group).catch_up_with_line();
        if let Some((place, due)) = attached {
            leave_sweep(now, &mut self.front_ends[place], due, false, &mut self.world);
        }
        let obligation = self.rows[who as usize].obligation();
        if matches!(obligation, Obligation::Open | Obligation::OpenLost | Obligation::OpenMoved | Obligation::InRun) {
            self.world.count(self.groups[group].cell, Counter::Departed, 1);
            self.decide(now, who, What::Closed, Counter::Departed as u8);
        }
    }

    /// Takes a connection that is going out of whatever its front end still had to do for its refresh. A row that only
    /// a run knew of gets its obligation here.
    fn release(&mut self, now: Time, who: u32, group: usize) -> Option<(usize, Time)> {
        let row = self.rows[who as usize];
        let place = usize::from(row.place());
        let of = &self.groups[group];
        let front_end = &mut self.front_ends[place];
        match row.obligation() {
            Obligation::Taken => front_end.owing = front_end.owing.saturating_sub(1),
            Obligation::Open if row.step() == Step::Valid => {
                front_end.owing = front_end.owing.saturating_sub(1);
                self.visit(now, who, group).catch_up();
            }
            Obligation::None | Obligation::InRun => {
                let asked = front_end.leave_run(now, who, &row, of)?;
                front_end.owing = front_end.owing.saturating_sub(1);
                let row = &mut self.rows[who as usize];
                if row.obligation() == Obligation::None {
                    row.next_cycle();
                    row.due = asked;
                }
                row.owe(Obligation::InRun);
                self.world.count(of.cell, Counter::Dues, 1);
                self.decide(now, who, What::Due, 1);
                self.visit(now, who, group).catch_up();
            }
            Obligation::Open => {}
            Obligation::TakenLost | Obligation::OpenLost | Obligation::OpenMoved => return None,
        }
        Some((place, self.rows[who as usize].due))
    }
}
