//! Questions put before their time (model rule 21): whoever judges, and however many at once, a run decides the same.

use std::cell::Cell;
use std::rc::Rc;

use crate::reading::with_lines;
use refresh_sim::scenario::Plan;
use refresh_sim::sim::{Unwatched, run, run_with};
use refresh_sim::time::Time;
use refresh_sim::validate::{Builtin, Question, Validator, ValidatorMaker, Verdict};

const SCENARIO: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "50h"
[front_end]
nodes = [{ name = "fe01" }, { name = "fe02", starts = "1h" }]
[refresh]
every = "24h"
[validation]
validator = "sfb2015-rtm"
[[group]]
name = "first"
count = 90
transport = "tls"
rtt = { uniform = ["1ms", "9ms"] }
failover = { order = "round-robin" }
[[group]]
name = "gateway"
count = 2
transport = "tcp"
[[group]]
name = "last"
count = 70
only = [1, 3, 5, 7, 9, 20, 21, 22, 33, 34, 35, 36, 37, 69]
transport = "tls"
[[timeline]]
at = "10h"
do = "certificate-expires"
group = "last"
only = [3, 36]
"#;

/// What instances were asked.
#[derive(Clone, Default)]
struct Counts {
    /// Questions that came with others, before their time.
    ahead: Rc<Cell<u64>>,
    all: Rc<Cell<u64>>,
}

/// Built-in logic by the trait, `ahead` questions at once.
struct InProcess {
    logic: Builtin,
    ahead: usize,
    counts: Counts,
}

struct Instance {
    logic: Builtin,
    ahead: usize,
    counts: Counts,
    is_dead: bool,
}

impl ValidatorMaker for InProcess {
    fn make(&self, _front_end: usize, _incarnation: u32) -> Box<dyn Validator> {
        Box::new(Instance { logic: self.logic, ahead: self.ahead, counts: self.counts.clone(), is_dead: false })
    }
}

impl Validator for Instance {
    fn judge(&mut self, question: &Question<'_>) -> Verdict {
        self.counts.all.set(self.counts.all.get() + 1);
        self.logic.answer(question).into()
    }

    fn is_pure(&self) -> bool {
        true
    }

    fn ahead(&self) -> usize {
        self.ahead
    }

    fn judge_ahead(&mut self, questions: &[Question<'_>]) -> Vec<Verdict> {
        assert!(questions.len() <= self.ahead && !self.is_dead);
        assert!(questions.iter().all(|question| question.at == Time::ZERO), "they carry no time");
        self.counts.ahead.set(self.counts.ahead.get() + questions.len() as u64);
        questions.iter().map(|question| self.logic.answer(question).into()).collect()
    }
}

fn plan(set: &[&str]) -> Plan {
    with_lines(SCENARIO, set)
}

#[test]
fn rule_21_what_is_asked_ahead_changes_no_decision() {
    let cases: [&[&str]; 10] = [
        &[],
        &["validation.validator=sfb2015-cu2"],
        &["refresh.order=shuffled"],
        &["refresh.order=accepted", "run.tie_order=shuffled"],
        &["refresh.spread=2h"],
        &["refresh.spread=2h", "validation.validator=sfb2015-cu2"],
        &["refresh.action=reconnect", "refresh.initiator=front-end"],
        &["refresh.action=reconnect", "refresh.initiator=peer", "refresh.spread=2h"],
        &["refresh.limit.rate=5/s", "validation.validator=sfb2015-cu2"],
        &["run.start=established", "front_end.workers=2", "front_end.queue_limit=7", "front_end.when_full=close"],
    ];
    for set in cases {
        let plan = plan(set);
        let expected = run(&plan, &mut Unwatched).expect("it runs");
        assert!(expected.digest.is_some());
        for ahead in [1, 2, 3, 16, 1000] {
            let counts = Counts::default();
            let maker = InProcess { logic: plan.validator, ahead, counts: counts.clone() };
            let outcome = run_with(&plan, &maker, &mut Unwatched).expect("it runs");
            assert_eq!(outcome.digest, expected.digest, "{set:?}, {ahead} at once");
            assert_eq!(counts.ahead.get() > 0, ahead > 1, "{set:?}, {ahead} at once: {}", counts.ahead.get());
        }
    }
}

#[test]
fn rule_21_a_herd_is_asked_about_ahead_but_for_what_turned_out_otherwise() {
    let plan = plan(&["validation.validator=sfb2015-cu2", "run.horizon=26h"]);
    let of = |ahead| {
        let counts = Counts::default();
        let maker = InProcess { logic: plan.validator, ahead, counts: counts.clone() };
        run_with(&plan, &maker, &mut Unwatched).expect("it runs");
        (counts.all.get(), counts.ahead.get())
    };
    let (all, _) = of(1);
    let (one_by_one, ahead) = of(16);
    // Each of the 106 peers comes once and is refreshed once; the two with another certificate than was foreseen at their
    // refresh are asked about again, one by one. Who came to a front end that was not the one it had tried before is not
    // foreseen, and the last of a herd may be alone.
    assert!((150..=2 * 106).contains(&ahead), "{ahead}");
    let saved = all - one_by_one;
    assert!((ahead - 6..=ahead - 2).contains(&saved), "{saved} of {ahead}");
}

#[test]
fn rule_21_connections_that_a_tick_has_made_anew_are_asked_about_ahead_as_well() {
    let count = |more: &[&str]| {
        let plan = plan(&[&["run.start=established", "run.horizon=26h", "timeline=[]"], more].concat());
        let counts = Counts::default();
        let maker = InProcess { logic: plan.validator, ahead: 16, counts: counts.clone() };
        run_with(&plan, &maker, &mut Unwatched).expect("it runs");
        counts.ahead.get()
    };
    // Each of 106 peers is there at the tick of the front end that it is at, and comes back to it, but for some.
    for set in [&["refresh.initiator=front-end"][..], &["refresh.initiator=peer", "refresh.spread=1h"]] {
        let all = count(&[&["refresh.action=reconnect"], set].concat());
        assert!((90..=2 * 106).contains(&all), "{set:?}: {all}");
    }
}
