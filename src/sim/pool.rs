//! Front ends that need each other: who may serve, and when all must stop (model rule 25).

use crate::frontend::{Life, Port};
use crate::measure::{Decision, RecordKind, StopReason, What};
use crate::policy::{Pool, Restart};
use crate::time::Time;

use super::engine::Run;

impl Run<'_> {
    /// Who serves, in the scenario's order.
    fn serve(&self) -> Vec<bool> {
        self.front_ends.iter().map(|front_end| front_end.life == Life::Up).collect()
    }

    /// The start-up of a front end is over: it serves, unless its pool waits for more.
    pub(super) fn start_up_is_over(&mut self, now: Time, place: usize) {
        match self.plan.pool {
            Some(pool) if !self.serve().contains(&true) => self.cold_start(now, place, &pool),
            _ => self.service_starts(now, place),
        }
    }

    fn cold_start(&mut self, now: Time, place: usize, pool: &Pool) {
        let front_end = &mut self.front_ends[place];
        front_end.next_change = Time::NEVER;
        let incarnation = front_end.incarnation;
        self.control.ready.insert(place);
        self.decide_front_end(now, place, What::Ready, incarnation);
        let ready = self.control.ready.len();
        let kind = RecordKind::Ready { incarnation, ready: ready as u64, needed: u64::from(pool.minimum.start) };
        self.world.record(now, Some(place as u16), None, kind);
        if pool.may_start(ready) {
            for place in std::mem::take(&mut self.control.ready) {
                self.service_starts(now, place);
            }
        }
    }

    /// A front end serves no more: if that leaves too few, all others stop. Says who did.
    pub(super) fn pool_loses(&mut self, now: Time, place: usize) -> Vec<usize> {
        let Some(pool) = self.plan.pool else { return Vec::new() };
        let serve = self.serve();
        if pool.goes_on(&serve) {
            return Vec::new();
        }
        self.control.falls += 1;
        self.control.fell = Some(now);
        let among = serve.len().min(usize::from(pool.minimum.among));
        let still = serve[..among].iter().filter(|serves| **serves).count() as u64;
        let (who, detail) = (place as u32, u8::try_from(still).unwrap_or(u8::MAX));
        self.world.decide(Decision { at: now, who, what: What::PoolFalls, detail, extra: 0 }, None);
        let kind = RecordKind::PoolFalls { serve: still, needed: u64::from(pool.minimum.functional) };
        self.world.record(now, Some(place as u16), None, kind);
        let until = match pool.restart {
            Restart::Manual => Time::NEVER,
            Restart::After(wait) => now + wait,
        };
        let survivors: Vec<usize> = (0..serve.len()).filter(|place| serve[*place]).collect();
        for survivor in &survivors {
            self.end_service(now, *survivor, StopReason::Pool, until);
            self.front_ends[*survivor].change_at(until, &mut self.world);
        }
        survivors
    }
}
