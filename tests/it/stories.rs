//! Rules of docs/model.md told as short stories: a plan in which one thing happens, and when it does.
//!
//! Each test bears the number of its rule. Peers are a second of round trip away and a validation takes 100 ms, unless
//! a story says otherwise, so that every instant can be worked out by hand.

mod basics;
mod certificates;
mod connecting;
mod explained;
mod failover;
mod front_end;
mod idle;
mod limits;
mod refresh;
mod validation;

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Decision, What};
use refresh_sim::scenario::plan::{Change, GroupPlan, Plan, TimelineEntry};
use refresh_sim::scenario::refresh_in_place;
use refresh_sim::sim::run_with;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::{Answer, Builtin, FaultCode, Question, Transport, Validator, ValidatorMaker, Verdict};

use crate::watching::All;

/// Answers each question by a function of it.
#[derive(Clone, Copy)]
struct By(fn(&Question<'_>) -> Verdict);

impl ValidatorMaker for By {
    fn make(&self, _: usize, _: u32) -> Box<dyn Validator> {
        Box::new(*self)
    }
}

impl Validator for By {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        self.0(question)
    }
}

fn accepts() -> Verdict {
    Answer::Accept.into()
}

fn faults() -> Verdict {
    Answer::Fault(FaultCode::ACCESS_VIOLATION).into()
}

fn seconds(n: u64) -> Span {
    Span::SECOND.times(n)
}

fn told(plan: &Plan, maker: &dyn ValidatorMaker) -> (refresh_sim::measure::Outcome, Vec<Decision>) {
    let mut all = All::default();
    let outcome = run_with(plan, maker, &mut all).expect("it runs");
    (outcome, all.0)
}

/// The peers that a kind of decision was about, in order.
fn whom(seen: &[Decision], what: What) -> Vec<u32> {
    seen.iter().filter(|d| d.what == what).map(|d| d.who).collect()
}

/// An entry of the timeline for some of the first group.
fn at_second(second: u64, change: Change, indices: &[u32]) -> TimelineEntry {
    TimelineEntry { at: Time(seconds(second).0), change, group: 0, indices: Some(indices.to_vec()), front_end: None }
}

/// One front end that serves from run time 0, `count` TCP peers a second of round trip away, a validation of 100 ms.
pub(super) fn story(count: u32, horizon: Span) -> Plan {
    let mut plan = Plan::new(horizon, Builtin::Sfb2015Cu2);
    plan.front_ends[0].start_up = Dist::Constant(Span::ZERO);
    let group = GroupPlan {
        rtt: Dist::Constant(Span::SECOND),
        validate_accept: Dist::Constant(Span::MILLISECOND.times(100)),
        validate_refresh: Dist::Constant(Span::MILLISECOND.times(100)),
        ..GroupPlan::new("p", Transport::Tcp, count)
    };
    plan = plan.with_group(group);
    plan
}

pub(super) fn at(seen: &[Decision], what: What) -> Vec<u64> {
    seen.iter().filter(|d| d.what == what).map(|d| d.at.0 / 1_000_000).collect()
}

pub(super) fn every(plan: &mut Plan, every: Span) {
    plan.refresh = Some(refresh_in_place(every));
}
