//! The middlebox between peers and front ends: which it believes to serve, and whom it hands a new connection to (model
//! rule 26).

use crate::frontend::{Life, Obligation};
use crate::measure::{Cause, What};
use crate::policy::{ListOrder, Middlebox};
use crate::rng::Purpose;
use crate::schedule::Class;
use crate::time::Time;

use super::engine::Run;
use super::visit::leave_sweep;
use super::world::kind;

impl Run<'_> {
    /// The middlebox looks who serves, and will do so again.
    pub(super) fn probe(&mut self, now: Time) {
        let Some(middlebox) = self.plan.middlebox else { return };
        self.believed.clear();
        self.believed.extend(self.front_ends.iter().map(|front_end| front_end.life == Life::Up));
        self.world.push(now + middlebox.probe, Class::Sample, self.numbers.sampler, kind::WAITED);
    }

    /// The middlebox, if peers of this group are behind it.
    #[inline]
    pub(super) fn in_between(&self, group: usize) -> Option<Middlebox> {
        self.plan.middlebox.filter(|_| self.groups[group].failover.order == ListOrder::Middlebox)
    }

    /// A new connection goes through the middlebox; says whether it has anybody to hand it to.
    pub(super) fn is_handed_on(&mut self, now: Time, who: u32, group: usize) -> bool {
        let Some(middlebox) = self.in_between(group) else { return true };
        let (of, row) = (&self.groups[group], &self.rows[who as usize]);
        // A planned reconnect goes to the same front end, where its first try is one like any other too.
        if row.cause() == Cause::Refresh && row.attempt == 0 && row.obligation() == Obligation::Open {
            return true;
        }
        let believed = |place: u16| self.believed.get(usize::from(place)).is_some_and(|up| *up);
        let last = (row.cause() != Cause::Initial).then_some(row.place());
        let bits = || self.world.draws.draw(of.identity_of(who), Purpose::MiddleboxChoice, row.when(), 0);
        let Some(place) = middlebox.choose(&of.front_ends, last, believed, bits) else { return false };
        self.turn_to(now, who, place);
        true
    }

    /// Nobody serves that the middlebox knows of: it answers by a reset itself. To the peer this is a try like any other.
    pub(super) fn refused_by_middlebox(&mut self, now: Time, who: u32, group: usize) {
        if !self.takes_port(now, who, group) {
            return self.no_port(now, who, group);
        }
        let cause = self.visit(now, who, group).syn_to_nobody();
        self.aside_of_syn(now, who, group);
        self.decide(now, who, What::Attempt, cause as u8);
        self.decide(now, who, What::Refused, 3);
    }

    /// The next try of a peer goes to the front end at `to`.
    pub(super) fn turn_to(&mut self, now: Time, who: u32, to: u16) {
        // One that is made while the old one serves leaves that where it is.
        let is_making = self.is_making(who);
        let row = &mut self.rows[who as usize];
        let from = row.place();
        row.set_place(to);
        if to != from && !is_making && row.obligation() == Obligation::Open {
            // Once: failing over again, even back to where it was, it is in nobody's sweep.
            row.owe(Obligation::OpenMoved);
            let due = row.due;
            leave_sweep(now, &mut self.front_ends[usize::from(from)], due, false, &mut self.world);
        }
    }
}
