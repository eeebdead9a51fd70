//! Connections that are due and wait for their turn: a line at each front end, behind its limiter (model rule 18).
//!
//! Plans without a limit never come here. A connection in line is valid and its obligation is open; one that is lost, or
//! whose peer leaves, is passed over when its turn would come, and costs the limiter nothing. Line and limiter die with
//! their incarnation.

use std::collections::VecDeque;

use crate::frontend::{Life, Obligation, Step};
use crate::measure::What;
use crate::policy::Limiter;
use crate::scenario::plan::Plan;
use crate::schedule::Class;
use crate::time::Time;

use super::engine::Run;
use super::world::kind;

/// Connections in line at one front end.
#[derive(Debug)]
pub(super) struct Line {
    limiter: Limiter,
    /// Row and generation, in order of their dues.
    waiting: VecDeque<(u32, u16)>,
    /// When the first of them has its turn; `NEVER`: nobody waits.
    next: Time,
}

impl Line {
    /// One for each front end, if the plan has a limit.
    pub(super) fn of(plan: &Plan) -> Option<Vec<Line>> {
        let limit = plan.refresh.as_ref()?.limit?;
        let line = || Line { limiter: Limiter::new(limit), waiting: VecDeque::new(), next: Time::NEVER };
        Some(plan.front_ends.iter().map(|_| line()).collect())
    }
}

impl Run<'_> {
    /// A new incarnation serves: nobody waits, and nothing has been counted against its limit.
    pub(super) fn line_is_new(&mut self, place: usize) {
        if let Some(fresh) = Line::of(self.plan).and_then(|lines| lines.into_iter().next())
            && let Some(lines) = &mut self.lines
        {
            lines[place] = fresh;
        }
    }

    /// A valid connection whose refresh is due joins the line of its front end.
    pub(super) fn stand_in_line(&mut self, who: u32) {
        let row = &self.rows[who as usize];
        if let Some(lines) = &mut self.lines {
            lines[usize::from(row.place())].waiting.push_back((who, row.generation));
        }
    }

    /// The instant has come at which the first in line may have its turn.
    pub(super) fn turn_comes(&mut self, now: Time, place: usize) {
        let waited_for = self.lines.as_ref().is_some_and(|lines| lines[place].next == now);
        if waited_for {
            self.take_turns(now, place);
        }
    }

    /// A connection is about to end in order to be made anew: ticks that it missed in line are kept for their numbers.
    fn keep_ticks_missed(&mut self, now: Time, who: u32) {
        let group = self.group_of(who);
        let missed = self.visit(now, who, group).ticks_since_due();
        if missed > 0 {
            self.world.missed_in_line.insert(who, missed);
        }
    }

    /// Gives turns as far as the limiter allows now, and waits for the next one.
    pub(super) fn take_turns(&mut self, now: Time, place: usize) {
        let Some(act) = self.refresh.as_ref().map(|policy| policy.act) else { return };
        while self.front_ends[place].life == Life::Up {
            let Some(line) = self.lines.as_mut().map(|lines| &mut lines[place]) else { return };
            let Some((who, generation)) = line.waiting.front().copied() else {
                line.next = Time::NEVER;
                return;
            };
            let row = &self.rows[who as usize];
            let is_here = row.step() == Step::Valid && row.obligation() == Obligation::Open;
            if row.generation != generation || !is_here || usize::from(row.place()) != place {
                line.waiting.pop_front();
                continue;
            }
            let next = line.limiter.next(now);
            if next > now {
                if line.next != next {
                    line.next = next;
                    self.world.push(next, Class::Tick, self.front_ends[place].setup.entity, kind::TURN);
                }
                return;
            }
            line.waiting.pop_front();
            line.limiter.take(now);
            let detail = self.what_it_does(now, who, act);
            self.decide(now, who, What::Turn, detail);
            if detail == 2 {
                self.keep_ticks_missed(now, who);
            }
            self.refresh_now(now, who, act);
        }
    }
}
