//! Ticks, dues and obligations: each refresh that falls due ends in exactly one way (model rules 16 to 20).

use crate::frontend::{FrontEnd, Job, JobKind, Life, Obligation, Port, Step, Taken, Wake};
use crate::measure::{Cause, Counter, Decision, Metric, RecordKind, What};
use crate::policy::{Act, Anchor, Initiator, Order, Refresh};
use crate::rng::{Purpose, When};
use crate::time::{Span, Time};

use super::engine::Run;

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
        let (taken, missed) = self.take(now, place, &policy);
        self.world.record(now, Some(place as u16), None, RecordKind::Tick { taken, missed });
        self.dispatch(now, place);
    }

    /// Takes every connection that is valid and owes nothing; says how many, and how many were missed.
    fn take(&mut self, now: Time, place: usize, policy: &Refresh) -> (u64, u64) {
        let as_one_run = policy.act == Act::Revalidate
            && policy.spread == Span::ZERO
            && policy.order == Order::Topology
            && self.front_ends[place].takes_whole_runs()
            && self.groups.iter().all(|group| group.refreshed);
        if as_one_run {
            let taken = self.front_ends[place].valid;
            self.front_ends[place].push_run(now, Taken::All(taken));
            self.front_ends[place].owing += taken;
            self.front_ends[place].begin_sweep(now, taken);
            self.world.herd.due(now, taken);
            return (taken, 0);
        }
        let (rows, missed) = self.candidates(now, place);
        let rows = self.in_order(rows, policy.order);
        self.front_ends[place].owing += rows.len() as u64;
        let taken = rows.len() as u64;
        self.front_ends[place].begin_sweep(now, taken);
        if policy.spread > Span::ZERO {
            rows.into_iter().for_each(|who| self.take_with_spread(now, who, policy));
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

    /// Takes connections whose jobs meet the bound of the queue one by one, or that are made anew. All are due before
    /// the first job is served, for that may crash the front end.
    fn take_one_by_one(&mut self, now: Time, place: usize, rows: &[u32], act: Act) {
        for who in rows {
            let row = &mut self.rows[*who as usize];
            row.next_cycle();
            row.due = now;
            row.owe(Obligation::Open);
            self.count_due(now, *who, if act == Act::Revalidate { 0 } else { 2 });
        }
        for who in rows {
            if self.front_ends[place].life != Life::Up {
                return;
            }
            self.refresh_now(now, *who, act);
        }
    }

    /// Rows that a tick takes, in the scenario's order, and how many it misses for they still owe the refresh before.
    fn candidates(&mut self, now: Time, place: usize) -> (Vec<u32>, u64) {
        let front_end = &self.front_ends[place];
        let mut rows = Vec::with_capacity(front_end.valid as usize);
        let mut missed = 0;
        let mut from = 0;
        while let Some(who) = front_end.members.next(from) {
            from = who + 1;
            let group = &self.groups[self.group_of(who)];
            let row = &self.rows[who as usize];
            if FrontEnd::is_eligible(row, place as u16, now, group) && !front_end.covers(who, row, group) {
                rows.push(who);
            } else if row.step() == Step::Valid && group.refreshed {
                missed += 1;
                self.world.meters.count(group.cell, Counter::Dues, 1);
                self.world.meters.count(group.cell, Counter::Missed, 1);
            }
        }
        (rows, missed)
    }

    fn in_order(&self, mut rows: Vec<u32>, order: Order) -> Vec<u32> {
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
    fn take_with_spread(&mut self, now: Time, who: u32, policy: &Refresh) {
        let group = self.group_of(who);
        let identity = self.groups[group].identity_of(who);
        let row = &mut self.rows[who as usize];
        row.next_cycle();
        let bits = self.world.draws.draw(identity, Purpose::Jitter, row.when(), 0);
        row.due = now + policy.jitter(bits);
        row.owe(Obligation::Taken);
        self.world.wake(row.due, who, Wake::Due);
    }

    /// With own age as the anchor, a connection that is valid knows when it is due.
    #[inline]
    pub(super) fn schedule_own_age(&mut self, now: Time, who: u32, group: usize) {
        let Some(policy) = &self.refresh else { return };
        if policy.anchor != Anchor::OwnAge || !self.groups[group].refreshed {
            return;
        }
        let identity = self.groups[group].identity_of(who);
        let row = &mut self.rows[who as usize];
        let when = When { cycle: row.cycle().wrapping_add(1), episode: 0, attempt: 0 };
        let jitter = if policy.spread == Span::ZERO {
            Span::ZERO
        } else {
            policy.jitter(self.world.draws.draw(identity, Purpose::Jitter, when, 0))
        };
        row.due = now + policy.every + jitter;
        self.world.wake(row.due, who, Wake::Due);
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
                self.count_due(now, who, 1);
                if step == Step::Valid {
                    let group = self.group_of(who);
                    self.close_obligation(now, who, group, Counter::Recovered);
                } else {
                    self.rows[who as usize].owe(Obligation::OpenLost);
                }
            }
            Obligation::None if step == Step::Valid => {
                row.next_cycle();
                let place = usize::from(row.place());
                self.front_ends[place].owing += 1;
                self.fall_due(now, who, act);
            }
            Obligation::None | Obligation::InRun | Obligation::Open | Obligation::OpenLost | Obligation::OpenMoved => {}
        }
    }

    #[inline]
    fn count_due(&mut self, now: Time, who: u32, detail: u8) {
        let group = self.group_of(who);
        self.world.count(self.groups[group].cell, Counter::Dues, 1);
        self.world.herd.due(now, 1);
        self.decide(now, who, What::Due, detail);
    }

    /// A valid connection's refresh is due now.
    #[inline]
    fn fall_due(&mut self, now: Time, who: u32, act: Act) {
        self.count_due(now, who, if act == Act::Revalidate { 0 } else { 2 });
        self.rows[who as usize].owe(Obligation::Open);
        self.refresh_now(now, who, act);
    }

    /// What a due asks for.
    #[inline]
    fn refresh_now(&mut self, now: Time, who: u32, act: Act) {
        let group = self.group_of(who);
        match act {
            Act::Revalidate => {
                let place = usize::from(self.rows[who as usize].place());
                self.enqueue(now, who, group, JobKind::ValidateRefresh);
                self.dispatch(now, place);
            }
            Act::Reconnect(initiator) => self.break_first(now, who, group, initiator),
        }
    }

    /// Ends a connection in order to make it anew.
    #[inline]
    fn break_first(&mut self, now: Time, who: u32, group: usize, initiator: Initiator) {
        let learned = match initiator {
            Initiator::FrontEnd => now + self.rtt(who, group).half(),
            Initiator::Peer => now,
        };
        if initiator == Initiator::Peer {
            self.news_is_void(now, who, group);
        }
        // The front end serves, or it would have no valid connection: it keeps the peer among its own for the SYN to come.
        self.world.disconnect(now);
        let row = &mut self.rows[who as usize];
        let front_end = &mut self.front_ends[usize::from(row.place())];
        front_end.valid -= 1;
        front_end.owing -= 1;
        row.since = learned;
        row.set_cause(Cause::Refresh);
        let watches = front_end.watches_arrivals;
        self.aside_of_end(now, who, group, true);
        if watches || self.groups[group].reconnect.is_rationed() {
            return self.break_and_ask(now, learned, who, group, initiator);
        }
        self.syn_to_own_front_end(learned, who, group);
    }

    /// The same where the SYN to come may have to wait, or may be refused: it is a step of its own.
    fn break_and_ask(&mut self, now: Time, learned: Time, who: u32, group: usize, initiator: Initiator) {
        let place = usize::from(self.rows[who as usize].place());
        self.front_ends[place].members.remove(who);
        if initiator == Initiator::Peer {
            self.abandon(now, who, group, false);
        }
        self.attempt_after(now, who, group, learned.since(now));
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

    /// From due to the first job of a refresh.
    #[inline]
    pub(super) fn lateness(&mut self, now: Time, job: &Job, group: usize) {
        let row = &self.rows[job.row as usize];
        if job.cause != Cause::Refresh || row.generation != job.generation || row.obligation() != Obligation::Open {
            return;
        }
        let of = &self.groups[group];
        let accepts = self.front_ends[usize::from(row.place())].setup.accept.is_some();
        let first = match job.kind {
            JobKind::ValidateRefresh => true,
            JobKind::Accept => row.attempt == 0,
            JobKind::Flight => row.attempt == 0 && row.flight() == 0 && !accepts,
            JobKind::ValidateAccept => row.attempt == 0 && of.flights.is_empty() && !accepts,
        };
        if first {
            let late = now.since(row.due);
            self.world.meters.record(now, Metric::Lateness, of.cell, Cause::Refresh, late);
            self.world.meters.record_cycle(now, Metric::Lateness, of.cell, row.cycle(), late);
        }
    }

    /// The refresh in place was accepted.
    #[inline]
    pub(super) fn valid_in_place(&mut self, now: Time, who: u32, group: usize) {
        self.close_obligation(now, who, group, Counter::ValidInPlace);
        self.rows[who as usize].since = now;
        self.schedule_own_age(now, who, group);
    }

    /// An obligation ends, in the way that `outcome` counts.
    #[inline]
    pub(super) fn close_obligation(&mut self, now: Time, who: u32, group: usize, outcome: Counter) {
        self.decide(now, who, What::Closed, outcome as u8);
        self.close_quietly(now, who, group, outcome);
    }

    /// The same without a decision of its own: whoever calls puts it on the record.
    #[inline]
    pub(super) fn close_quietly(&mut self, now: Time, who: u32, group: usize, outcome: Counter) {
        let cell = self.groups[group].cell;
        self.world.count(cell, outcome, 1);
        let row = &self.rows[who as usize];
        let (due, place, cycle) = (row.due, usize::from(row.place()), row.cycle());
        let was = row.obligation();
        let valid = matches!(outcome, Counter::ValidInPlace | Counter::ValidByReconnect | Counter::Recovered);
        if valid {
            let latency = now.since(due);
            self.world.meters.record(now, Metric::Refresh, cell, Cause::Refresh, latency);
            self.world.meters.record_cycle(now, Metric::Refresh, cell, cycle, latency);
        }
        if was == Obligation::Open {
            self.leave_sweep(now, place, due, valid);
            if self.rows[who as usize].step() == Step::Valid && outcome != Counter::ValidByReconnect {
                self.catch_up(now, who, place);
            }
        }
        if matches!(outcome, Counter::ValidInPlace | Counter::Rejected | Counter::Dropped) {
            let attached = self.rows[who as usize].step() == Step::Valid;
            self.front_ends[place].owing -= u64::from(attached);
        }
        let row = &mut self.rows[who as usize];
        row.owe(Obligation::None);
        row.due = Time::NEVER;
    }

    /// Ticks that came while a refresh was under way have their number all the same: cycles stay aligned with ticks.
    #[inline]
    fn catch_up(&mut self, now: Time, who: u32, place: usize) {
        let Some(policy) = &self.refresh else { return };
        let row = &mut self.rows[who as usize];
        if policy.anchor == Anchor::OwnAge
            || now.since(row.due) < policy.every.min(Span(policy.every.0 - policy.spread.0))
        {
            return;
        }
        let FrontEnd { service_start, next_tick, .. } = self.front_ends[place];
        // A tick at this instant that is still to come gives the row its number itself.
        let until = now.min(next_tick - Span(1));
        let passed = policy.ticks_between(service_start, row.due, until);
        row.add_cycles(u32::try_from(passed).unwrap_or(u32::MAX));
    }

    /// A connection of the tick that is being followed is through, or out of it.
    #[inline]
    pub(super) fn leave_sweep(&mut self, now: Time, place: usize, due: Time, valid: bool) {
        let sweep = &mut self.front_ends[place].sweep;
        if sweep.open == 0 || due < sweep.tick {
            return;
        }
        sweep.open -= 1;
        if valid {
            sweep.last = now;
        }
        if sweep.open == 0 && sweep.last > sweep.tick {
            let span = sweep.last.since(sweep.tick);
            self.world.meters.record(now, Metric::Sweep, 0, Cause::Refresh, span);
        }
    }

    /// The connection of an obligation is lost: recorded, not asked; its clock runs on (rules 17 and 20).
    pub(super) fn obligation_loses_its_connection(&mut self, now: Time, who: u32, group: usize) {
        let Some((place, due)) = self.release(now, who, group) else { return };
        let row = &mut self.rows[who as usize];
        let lost = if row.obligation() == Obligation::Taken { Obligation::TakenLost } else { Obligation::OpenLost };
        row.owe(lost);
        self.leave_sweep(now, place, due, false);
    }

    /// The peer of an obligation departs.
    pub(super) fn obligation_departs(&mut self, now: Time, who: u32, group: usize) {
        let attached = self.release(now, who, group);
        if let Some((place, due)) = attached {
            self.leave_sweep(now, place, due, false);
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
            Obligation::Open if row.step() == Step::Valid => front_end.owing = front_end.owing.saturating_sub(1),
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
            }
            Obligation::Open => {}
            Obligation::TakenLost | Obligation::OpenLost | Obligation::OpenMoved => return None,
        }
        Some((place, self.rows[who as usize].due))
    }
}
