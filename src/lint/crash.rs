//! When a group's refresh brings a front end down: arithmetic on starts, intervals and patches.
//!
//! Follows each front end's service starts as far as they are known beforehand; what only a run can tell (a restart
//! after another crash, a rolling patch that waits for services) leaves the time open, never the finding.

use crate::dist::Dist;
use crate::policy::Anchor;
use crate::scenario::plan::{GroupPlan, Operate, Plan};
use crate::time::{Span, Time};
use crate::validate::{Answer, Builtin, FaultCode, Question};

use super::{is_refreshed_in_place, render};

/// The first crash of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Crash {
    code: FaultCode,
    /// Position of the front end.
    front_end: u16,
    /// When, as far as it can be told.
    pub(super) at: Option<Time>,
}

/// The first crash that a refresh of `group` brings, about which a run asks `question`, if any does.
pub(super) fn first(plan: &Plan, group: &GroupPlan, question: Option<&Question<'_>>) -> Option<Crash> {
    let question = question.filter(|_| is_refreshed_in_place(plan, group))?;
    let faults = |validator: Builtin| match validator.answer(question) {
        Answer::Fault(code) => Some(code),
        Answer::Accept | Answer::Reject(_) => None,
    };
    let crashes = group.front_ends.iter().filter_map(|front_end| of_front_end(plan, *front_end, faults));
    // One whose time is known before one whose time is not.
    crashes.min_by_key(|crash| (crash.at.is_none(), crash.at))
}

/// The first crash of one front end, whose logic and service start patches may change.
fn of_front_end(plan: &Plan, position: u16, faults: impl Fn(Builtin) -> Option<FaultCode>) -> Option<Crash> {
    let front_end = plan.front_ends.get(usize::from(position))?;
    let refresh = plan.refresh.as_ref()?;
    let start_up = match front_end.start_up {
        Dist::Constant(span) => Some(span),
        _ => None,
    };
    let due = |service_start: Time| match refresh.anchor {
        Anchor::OwnAge => service_start + refresh.every,
        Anchor::ServiceStart | Anchor::WallClock(_) => refresh.next_tick(service_start, service_start),
    };
    let mut validator = plan.validator;
    let mut service_start = start_up.map(|span| front_end.starts + span);
    for operation in &plan.operations {
        let Some(stage) = operation.stages.iter().position(|stage| stage.contains(&position)) else { continue };
        let is_before = service_start.is_some_and(|start| due(start) <= operation.at);
        if let (Some(code), true) = (faults(validator), is_before) {
            return Some(Crash { code, front_end: position, at: service_start.map(due) });
        }
        match operation.what {
            Operate::Patch { away, validator: next, .. } => {
                validator = next.unwrap_or(validator);
                // Later stages wait for the services of earlier ones.
                let known = (stage == 0).then_some(operation.at + away);
                service_start = known.zip(start_up).map(|(start, span)| start + span);
            }
            Operate::Start => service_start = start_up.map(|span| operation.at + span),
            Operate::Stop | Operate::Crash => service_start = None,
        }
    }
    faults(validator).map(|code| Crash { code, front_end: position, at: service_start.map(due) })
}

impl Crash {
    /// What happens, and when.
    pub(super) fn text(&self, plan: &Plan, group: &GroupPlan) -> String {
        let front_end = match group.front_ends.len() {
            1 => plan.front_ends.get(usize::from(self.front_end)).map_or("", |it| it.name.as_str()).to_owned(),
            many => format!("(whichever of {many} it is connected to)"),
        };
        let every = plan.refresh.as_ref().map_or(Span::ZERO, |refresh| refresh.every);
        let anchor = plan.refresh.as_ref().map(|refresh| refresh.anchor);
        let after = match anchor {
            Some(Anchor::OwnAge) => format!("{every} after one of its connections was made"),
            Some(Anchor::WallClock(_)) => format!("at each refresh, every {every} by the clock,"),
            Some(Anchor::ServiceStart) | None => format!("{every} after each service start"),
        };
        let spread = plan.refresh.as_ref().map_or(Span::ZERO, |refresh| refresh.spread);
        let later = if spread == Span::ZERO { String::new() } else { format!(", up to {spread} later by jitter") };
        let when = match self.at {
            Some(at) if at >= Time::ZERO + plan.horizon => {
                format!("Here that is {}, beyond the end of the run, which does not show it", render::when(plan, at))
            }
            Some(at) => format!("Here that is first at {}", render::when(plan, at)),
            None => "When that is first, only a run can tell".to_owned(),
        };
        let shows = group.transport.name().to_uppercase();
        let code = self.code;
        format!(
            "It brings its front end {front_end} down with {code} {after}{later}. It uses {shows} and shows no \
             certificate; this build's refresh reads one whatever the transport (KB3141114; builds before 6.0.9319.235). \
             Everything works until then. {when}, and again after every restart."
        )
    }
}
