//! The issuer of certificates: who asks it, its line, its workers (model rule 19, `rotate`).
//!
//! Its line is one for all front ends. It lives as long as the run; what is asked of it takes no time on the way.

use std::collections::{BTreeMap, VecDeque};

use crate::frontend::{JobKind, Obligation, Step};
use crate::measure::What;
use crate::policy::{Act, Anchor, Drawn, Initiator, Issuer, Limit, Limiter, Then};
use crate::scenario::plan::Plan;
use crate::schedule::Class;
use crate::time::{Span, Time};

use super::certificates::drawing;
use super::engine::Run;
use super::world::{World, kind};

/// A certificate that a peer has asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    who: u32,
    /// Of the certificate that it takes the place of.
    number: u32,
    /// Of the connection that is to be refreshed with it; `None`: none is.
    generation: Option<u16>,
}

/// The issuer of a run.
#[derive(Debug)]
pub(super) struct Issuing {
    issuer: Issuer,
    limiter: Option<Limiter>,
    waiting: VecDeque<Asked>,
    /// What is being made, by its end, its peer and its number; at most as many as there are workers.
    made: BTreeMap<(Time, u32, u32), Asked>,
    /// When the limiter lets the next begin, or the issuer heals, if that is waited for.
    next: Time,
}

impl Issuing {
    /// `None`: the plan has no issuer.
    pub(super) fn of(plan: &Plan) -> Option<Box<Issuing>> {
        let issuer = plan.issuer.clone()?;
        let limit = |rate| Limiter::new(Limit { rate: Some(rate), batch: None, spacing: Span::ZERO });
        let limiter = issuer.rate.map(limit);
        Some(Box::new(Issuing { issuer, limiter, waiting: VecDeque::new(), made: BTreeMap::new(), next: Time::NEVER }))
    }
}

impl Run<'_> {
    /// Everyone who will ask for a certificate is woken for that.
    pub(super) fn askers_begin(&mut self) {
        if self.issuing.is_none() {
            return;
        }
        for who in 0..self.rows.len() as u32 {
            self.will_ask(Time::ZERO, who, self.group_of(who));
        }
    }

    /// Wakes a peer for when it asks for the certificate after the one that it has.
    pub(super) fn will_ask(&mut self, now: Time, who: u32, group: usize) {
        if self.issuing.is_some()
            && let Some((held, _)) = self.asked_for(now, who, group)
        {
            self.world.push(held.asks, Class::Deadline, who, kind::ASKS);
        }
    }

    fn asked_for(&mut self, now: Time, who: u32, group: usize) -> Option<(crate::policy::Held, Then)> {
        let World { certificates, draws, .. } = &mut self.world;
        certificates.as_mut()?.asked_for(now, &self.groups[group], who, draws)
    }

    /// A peer asks for its next certificate; what that is to do for its connection is due now.
    #[cold]
    pub(super) fn asks(&mut self, now: Time, who: u32) {
        let group = self.group_of(who);
        let Some((held, then)) = self.asked_for(now, who, group) else { return };
        if held.asks != now {
            return;
        }
        self.decide(now, who, What::Certificate, 3);
        let row = &mut self.rows[who as usize];
        // Ticks count their connections out: one that is refreshed by them is not refreshed by its certificate.
        let has_ticks = self.refresh.as_ref().is_some_and(|policy| policy.anchor != Anchor::OwnAge);
        let is_due =
            then != Then::Stay && !has_ticks && row.step() == Step::Valid && row.obligation() == Obligation::None;
        let generation = is_due.then_some(row.generation);
        if is_due {
            row.next_cycle();
            row.due = now;
            self.front_ends[usize::from(row.place())].owing += 1;
            self.visit(now, who, group).falls_due(4);
        }
        if let Some(issuing) = &mut self.issuing {
            issuing.waiting.push_back(Asked { who, number: held.number, generation });
        }
        self.issuer_begins(now);
    }

    /// The issuer takes what waits, as far as it has workers and may.
    fn issuer_begins(&mut self, now: Time) {
        while let Some(issuing) = &mut self.issuing {
            if issuing.made.len() >= issuing.issuer.workers as usize {
                return;
            }
            let Some(asked) = issuing.waiting.front().copied() else { return };
            if let Some(heals) = issuing.issuer.heals(now) {
                if issuing.next != heals && heals != Time::NEVER {
                    issuing.next = heals;
                    self.world.push(heals, Class::Deadline, asked.who, kind::ISSUER);
                }
                return;
            }
            if let Some(limiter) = &mut issuing.limiter {
                let next = limiter.next(now);
                if next > now {
                    if issuing.next != next {
                        issuing.next = next;
                        self.world.push(next, Class::Deadline, asked.who, kind::ISSUER);
                    }
                    return;
                }
                limiter.take(now);
            }
            issuing.waiting.pop_front();
            let who = self.groups[self.group_of(asked.who)].identity_of(asked.who);
            let Some(issuing) = &mut self.issuing else { return };
            let bits = drawing(&self.world.draws, who)(asked.number.wrapping_add(1), Drawn::Cost);
            let ends = now + issuing.issuer.cost.sample(bits).max(Span(1));
            issuing.made.insert((ends, asked.who, asked.number), asked);
            self.world.push(ends, Class::Completion, asked.who, kind::ISSUER);
        }
    }

    /// A certificate is made, or the next may begin.
    #[cold]
    pub(super) fn issuer_goes_on(&mut self, now: Time, who: u32) {
        let Some(issuing) = &mut self.issuing else { return };
        let ended = issuing.made.range((now, who, 0)..=(now, who, u32::MAX)).next().map(|(made, _)| *made);
        let made = ended.and_then(|made| issuing.made.remove(&made));
        if let Some(asked) = made {
            self.is_issued(now, asked);
        }
        self.issuer_begins(now);
    }

    fn is_issued(&mut self, now: Time, asked: Asked) {
        let (who, group) = (asked.who, self.group_of(asked.who));
        let Some((held, then)) = self.asked_for(now, who, group) else { return };
        let row = &self.rows[who as usize];
        let is_there = row.step() == Step::Valid && row.obligation() == Obligation::Open;
        let is_meant = is_there && asked.generation == Some(row.generation);
        // Who has another by now, from the timeline, does not take this one.
        if held.number == asked.number {
            let shows = is_meant && then == Then::Revalidate;
            let World { certificates, draws, .. } = &mut self.world;
            if let Some(certificates) = certificates {
                certificates.is_issued(now, &self.groups[group], who, shows, draws);
            }
            self.decide(now, who, What::Certificate, 2);
            self.will_ask(now, who, group);
        }
        if is_meant {
            self.rotates(now, who, group, then);
        }
    }

    /// What is due for the connection of a peer that has its certificate.
    fn rotates(&mut self, now: Time, who: u32, group: usize, then: Then) {
        match then {
            Then::Stay => {}
            Then::Revalidate => {
                self.decide(now, who, What::Turn, 0);
                let place = usize::from(self.rows[who as usize].place());
                self.enqueue(now, who, group, JobKind::ValidateRefresh);
                self.dispatch(now, place);
            }
            Then::Reconnect => {
                let initiator = match self.refresh.as_ref().map(|policy| policy.act) {
                    Some(Act::Reconnect(initiator)) => initiator,
                    Some(Act::Revalidate) | None => Initiator::Peer,
                };
                let detail = self.what_it_does(now, who, Act::Reconnect(initiator));
                self.decide(now, who, What::Turn, detail);
                self.reconnect_now(now, who, group, initiator);
            }
        }
    }
}
