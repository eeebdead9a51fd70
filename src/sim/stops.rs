//! What is done to front ends from outside: stopped, started, ended, patched (model rules 1, 6 and 25).

use std::collections::BTreeSet;

use crate::frontend::{Life, Port};
use crate::measure::{Decision, RecordKind, StopReason, What};
use crate::scenario::plan::{Operate, Plan};
use crate::schedule::Class;
use crate::time::{Span, Time};
use crate::validate::Builtin;

use super::connection::Why;
use super::engine::Run;
use super::world::kind;

/// What of the world outside a run has to keep in mind.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// The operation that comes next.
    next: usize,
    /// Until when each front end must not start; `NEVER`: until an operation says so. `None`: nobody holds it.
    held: Vec<Option<Time>>,
    /// Rolling patches under way.
    rolls: Vec<Roll>,
    /// Front ends that could serve and wait for their pool.
    pub(super) ready: BTreeSet<usize>,
    /// How often the pool had too few front ends.
    pub(super) falls: u64,
    /// When it last had, if none has served since.
    pub(super) fell: Option<Time>,
}

/// A patch that goes from stage to stage.
#[derive(Clone, Copy, Debug)]
struct Roll {
    operation: usize,
    stage: usize,
    /// When the stage begins; `None`: it is away.
    begins: Option<Time>,
}

impl Control {
    pub(super) fn of(plan: &Plan) -> Control {
        Control { held: vec![None; plan.front_ends.len()], ..Control::default() }
    }

    /// Nobody holds this front end any more.
    pub(super) fn let_go(&mut self, place: usize) {
        self.held[place] = None;
    }

    /// Until when nothing may start this front end.
    pub(super) fn holds(&self, place: usize) -> Option<Time> {
        self.held[place]
    }
}

impl Run<'_> {
    /// The next operation gets its place in the schedule.
    pub(super) fn schedule_operation(&mut self) {
        if let Some(operation) = self.plan.operations.get(self.control.next) {
            self.world.push(operation.at, Class::Timeline, self.numbers.timeline, kind::LIFE);
        }
    }

    /// The next operation happens.
    pub(super) fn operate(&mut self, now: Time) {
        let plan = self.plan;
        let number = self.control.next;
        let Some(operation) = plan.operations.get(number) else { return };
        self.control.next += 1;
        match operation.what {
            Operate::Patch { gap: Some(_), .. } => {
                self.control.rolls.push(Roll { operation: number, stage: 0, begins: Some(now) });
                self.roll(now);
            }
            what => {
                for place in operation.stages.iter().flatten() {
                    self.operate_on(now, usize::from(*place), what);
                }
            }
        }
        self.schedule_operation();
    }

    fn operate_on(&mut self, now: Time, place: usize, what: Operate) {
        match what {
            Operate::Stop => self.stop(now, place, StopReason::Timeline, Time::NEVER),
            Operate::Start => self.start(now, place),
            Operate::Crash => self.kill(now, place),
            Operate::Patch { away, validator, .. } => self.patch(now, place, away, validator),
        }
    }

    fn patch(&mut self, now: Time, place: usize, away: Span, validator: Option<Builtin>) {
        self.stop(now, place, StopReason::Patch, now + away);
        if let Some(validator) = validator {
            self.world.judges.change(place, validator);
        }
    }

    /// Stages of rolling patches that begin now.
    pub(super) fn roll(&mut self, now: Time) {
        let plan = self.plan;
        for nth in 0..self.control.rolls.len() {
            let roll = self.control.rolls[nth];
            if roll.begins != Some(now) {
                continue;
            }
            self.control.rolls[nth].begins = None;
            let operation = &plan.operations[roll.operation];
            for place in operation.stages.get(roll.stage).into_iter().flatten() {
                self.operate_on(now, usize::from(*place), operation.what);
            }
        }
        // Of a last stage there is nothing to wait for.
        let rolls = &mut self.control.rolls;
        rolls.retain(|roll| roll.begins.is_some() || roll.stage + 1 < plan.operations[roll.operation].stages.len());
    }

    /// A front end serves: a stage may be complete, and the next one begins after the gap.
    pub(super) fn stages_may_go_on(&mut self, now: Time) {
        let plan = self.plan;
        for nth in 0..self.control.rolls.len() {
            let roll = self.control.rolls[nth];
            let operation = &plan.operations[roll.operation];
            let Operate::Patch { gap: Some(gap), .. } = operation.what else { continue };
            let is_up = |place: &u16| self.front_ends[usize::from(*place)].life == Life::Up;
            if roll.begins.is_none() && operation.stages[roll.stage].iter().all(is_up) {
                let begins = now + gap;
                self.control.rolls[nth] = Roll { stage: roll.stage + 1, begins: Some(begins), ..roll };
                self.world.push(begins, Class::Timeline, self.numbers.timeline, kind::TICK);
            }
        }
    }

    /// The service is stopped, and may not start before `until`.
    fn stop(&mut self, now: Time, place: usize, why: StopReason, until: Time) {
        self.control.held[place] = Some(until);
        match self.front_ends[place].life {
            Life::Up => {
                self.trigger_begins(now);
                self.end_service(now, place, why, until);
                self.front_end_has_gone(now, place);
            }
            Life::Starting => self.end_service(now, place, why, until),
            // No process is there, or none any more: it is kept from coming back.
            Life::Down => self.front_ends[place].reboots = None,
            Life::HostDown | Life::Dumping => return,
        }
        self.front_ends[place].change_at(until, &mut self.world);
    }

    /// The process of a service ends, planned: its connections are closed, which peers learn half a round trip later.
    pub(super) fn end_service(&mut self, now: Time, place: usize, why: StopReason, until: Time) {
        let (connections, jobs) = self.prepare_end(now, place);
        let front_end = &mut self.front_ends[place];
        let incarnation = front_end.incarnation;
        front_end.stop(now);
        self.world.end_validator(place as u16);
        let (who, extra) = (place as u32, incarnation as u16);
        self.world.decide(Decision { at: now, who, what: What::Stop, detail: why as u8, extra }, None);
        let until = (until != Time::NEVER).then_some(until);
        let kind = RecordKind::Stop { incarnation, why, connections, jobs, until };
        self.world.record(now, Some(place as u16), None, kind);
        self.lose_all(now, place, Span::ZERO, Why::Stop);
    }

    /// The service is started, if it is down.
    fn start(&mut self, now: Time, place: usize) {
        let was_held = self.control.held[place].take().is_some();
        let front_end = &mut self.front_ends[place];
        // Before its first start it is not known to the service manager, unless somebody has stopped it.
        if front_end.life == Life::Down && (was_held || front_end.incarnation > 0) {
            front_end.reboots = None;
            self.process_starts(now, place);
        } else if !was_held {
            self.no_effect(now, place, "start");
        }
    }

    /// The process is ended from outside, if there is one.
    fn kill(&mut self, now: Time, place: usize) {
        match self.front_ends[place].life {
            Life::Up | Life::Starting => self.fail(now, place, None),
            Life::Down | Life::HostDown | Life::Dumping => self.no_effect(now, place, "crash"),
        }
    }

    fn no_effect(&mut self, now: Time, place: usize, what: &'static str) {
        self.world.record(now, Some(place as u16), None, RecordKind::NoEffect { what });
    }
}
