//! Rules 21 to 23: what is asked, when, and of whom.

use std::cell::RefCell;
use std::rc::Rc;

use refresh_sim::dist::Dist;
use refresh_sim::measure::What;
use refresh_sim::policy::{Action, Recovery};
use refresh_sim::time::Span;
use refresh_sim::validate::{Answer, Phase, Question, Transport, Validator, ValidatorMaker, Verdict};

use super::{By, accepts, faults, seconds, told};
use crate::stories::{at, every, story};

/// What of a question is looked at.
#[derive(Clone, PartialEq, Debug)]
struct Asked {
    at_ms: u64,
    phase: Phase,
    transport: Transport,
    address: String,
    name: String,
    attempt: u32,
    certificate: bool,
}

/// Accepts and keeps what it was asked.
#[derive(Clone, Default)]
struct Listens(Rc<RefCell<Vec<Asked>>>);

impl ValidatorMaker for Listens {
    fn make(&self, _: usize, _: u32) -> Box<dyn Validator> {
        Box::new(self.clone())
    }
}

impl Validator for Listens {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        self.0.borrow_mut().push(Asked {
            at_ms: question.at.0 / 1_000_000,
            phase: question.phase,
            transport: question.transport,
            address: question.address.to_string(),
            name: question.name.to_string(),
            attempt: question.attempt,
            certificate: question.certificate.is_some(),
        });
        accepts()
    }
}

#[test]
fn rule_21_a_fault_acts_at_its_question_and_a_rejection_when_the_job_ends() {
    let plan = story(1, seconds(3));
    let (_, seen) = told(&plan, &By(|_| faults()));
    assert_eq!((at(&seen, What::Asked), at(&seen, What::Crash)), (vec![1_500], vec![1_500]));
    let rejects = By(|_| Answer::Reject(refresh_sim::validate::Rejection::Other).into());
    let mut plan = story(1, seconds(10));
    plan.groups[0].reconnect.delay = Dist::Constant(seconds(5));
    let (_, seen) = told(&plan, &rejects);
    // Asked at 1.5 s, rejected at 1.6 s, learnt at 2.1 s, tried again 5 s after that.
    assert_eq!(at(&seen, What::Attempt), [0, 7_100]);
}

#[test]
fn rule_22_a_question_holds_what_real_logic_would_see() {
    let mut plan = story(2, seconds(12));
    plan.front_ends[0].start_up = Dist::Constant(seconds(1));
    every(&mut plan, seconds(10));
    let listens = Listens::default();
    told(&plan, &listens);
    let asked = listens.0.borrow();
    let second: Vec<_> = asked.iter().filter(|asked| asked.name == "p/1").collect();
    let new = Asked {
        at_ms: 7_500,
        phase: Phase::Accept,
        transport: Transport::Tcp,
        address: "10.0.0.1".to_owned(),
        name: "p/1".to_owned(),
        attempt: 1,
        certificate: false,
    };
    let refreshed = Asked { at_ms: 11_000, phase: Phase::Refresh, attempt: 0, ..new.clone() };
    assert_eq!(second, [&new, &refreshed], "the first SYN was refused");
}

#[test]
fn rule_22_a_try_that_was_left_behind_has_the_number_0() {
    let mut plan = story(2, seconds(12));
    (plan.front_ends[0].workers, plan.front_ends[0].cores) = (1, 1);
    plan.groups[0].validate_accept = Dist::Constant(seconds(6));
    plan.groups[0].attempt_timeout = Some(seconds(2));
    plan.groups[0].reconnect.delay = Dist::Constant(seconds(2));
    let listens = Listens::default();
    told(&plan, &listens);
    let asked: Vec<_> =
        listens.0.borrow().iter().map(|asked| (asked.at_ms, asked.name.clone(), asked.attempt)).collect();
    // Both give up at 2 s and try again at 4 s; the second's first job is taken at 7.5 s.
    assert_eq!(asked, [(1_500, "p/0".to_owned(), 0), (7_500, "p/1".to_owned(), 0)]);
}

#[test]
fn rule_22_a_verdict_may_say_what_it_cost() {
    let (_, seen) = told(&story(1, seconds(10)), &By(|_| Verdict { cost: Some(seconds(3)), ..accepts() }));
    assert_eq!(at(&seen, What::Valid), [4_500]);
}

/// Faults at its third question.
#[derive(Default)]
struct FaultsAtTheThird {
    asked: u32,
}

impl ValidatorMaker for FaultsAtTheThird {
    fn make(&self, _: usize, _: u32) -> Box<dyn Validator> {
        Box::new(FaultsAtTheThird::default())
    }
}

impl Validator for FaultsAtTheThird {
    fn judge(&mut self, _: &Question<'_>) -> Verdict {
        self.asked += 1;
        if self.asked == 3 { faults() } else { accepts() }
    }
}

#[test]
fn rule_23_each_incarnation_has_an_instance_of_its_own() {
    let mut plan = story(1, seconds(200));
    plan.recovery = Recovery { actions: vec![Action::Restart(Span::ZERO)], reset_period: None, dump: Span::ZERO };
    every(&mut plan, seconds(10));
    let (_, seen) = told(&plan, &FaultsAtTheThird::default());
    // Connected, refreshed once, and down at the second refresh of each life.
    assert_eq!(at(&seen, What::Crash), (1..=10).map(|n| n * 20_000).collect::<Vec<_>>());
}
