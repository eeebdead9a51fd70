//! Comparisons call what is there and nothing else: counted over many sets of seeds.
//!
//! The long counts are in docs/regression.md with their command.

use std::num::NonZeroUsize;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use crate::reading::read;
use refresh_sim::host::signals::Interrupt;
use refresh_sim::host::threads::{cores, run_all};
use refresh_sim::scenario::Plan;
use refresh_sim::sim;
use refresh_sim::study::compare::{Comparison, Finding, Measured, Overall, Rules, Side, compare, needed};
use refresh_sim::study::family::Family;
use refresh_sim::study::replications;

const RULES: Rules = Rules { tolerance_ppm: 10_000 };

/// The same scenario with another seed and another cost of validation.
fn plan(seed: u64, cost: (&str, &str)) -> Arc<Plan> {
    let text = format!(
        r#"
schema = 1
semantics = 1
[run]
horizon = "3d"
seed = {seed}
[refresh]
every = "24h"
[validation]
validator = "sfb2015-cu2"
refresh = {{ lognormal = {{ median = "{}", p99 = "{}" }} }}
[[group]]
name = "contact-centre"
count = 240
transport = "tls"
rtt = {{ exponential = "20ms" }}
[[group]]
name = "gateway"
count = 12
transport = "tcp"
"#,
        cost.0, cost.1
    );
    Arc::new(read(&text))
}

const COST: (&str, &str) = ("10ms", "40ms");
const TWO_PERCENT_MORE: (&str, &str) = ("10.2ms", "40.8ms");

fn side(plan: &Arc<Plan>, family: &Family, count: u32, jobs: NonZeroUsize) -> Side {
    let mut runs = Vec::new();
    let work = |task: &refresh_sim::study::Task, watch: &mut dyn sim::Watch| {
        let plan = task.plan();
        let outcome = sim::run(&plan, watch).expect("it runs");
        Measured::of(&plan, &outcome, family).expect("it ends")
    };
    let ended = run_all(jobs, replications(plan, 0..count), &Interrupt::default(), work, |done| {
        runs.push(done.result.expect("no panic"));
        ControlFlow::Continue(())
    });
    ended.expect("threads");
    Side { seed: plan.seed, runs }
}

fn compared(a: &Arc<Plan>, b: &Arc<Plan>) -> Comparison {
    let family = Family::of(&[a, b]);
    let count = needed(&family, a.seed == b.seed);
    compare(&family, &side(a, &family, count, cores()), &side(b, &family, count, cores()), RULES)
}

/// In how many sets of seeds two percent more are called on the service of validations.
fn called(sets: RangeInclusive<u64>) -> usize {
    let is_called = |seed: &u64| {
        let found = compared(&plan(*seed, COST), &plan(*seed, TWO_PERCENT_MORE));
        assert_eq!(found.overall, Overall::Regression, "set {seed}");
        found
            .tested
            .iter()
            .any(|tested| tested.finding == Finding::Worse && tested.key.name().starts_with("validation{"))
    };
    sets.filter(is_called).count()
}

/// In how many sets of seeds anything at all is called between equals with other seeds.
fn false_alarms(sets: RangeInclusive<u64>) -> usize {
    let is_alarm = |seed: &u64| {
        let found = compared(&plan(*seed, COST), &plan(1_000_000 + *seed, COST));
        assert!(!found.paired);
        let called = [Finding::Worse, Finding::Better, Finding::Other, Finding::Slight];
        found.tested.iter().any(|tested| called.contains(&tested.finding))
    };
    sets.filter(is_alarm).count()
}

#[test]
fn rule_31_two_percent_more_for_a_validation_is_called_whatever_the_seeds() {
    assert_eq!(called(1..=3), 3);
}

#[test]
fn rule_31_equals_with_other_seeds_are_not_called() {
    assert_eq!(false_alarms(1..=10), 0);
}

#[test]
#[ignore = "hundreds of runs; the count is in docs/regression.md"]
fn rule_31_two_percent_more_is_called_in_all_of_twenty_sets_of_seeds() {
    let n = called(1..=20);
    println!("validation cost +2 %: called on the service of validations in {n} of 20 sets of seeds");
    assert_eq!(n, 20);
}

#[test]
#[ignore = "thousands of runs; the count is in docs/regression.md"]
fn rule_31_equals_are_called_at_most_once_in_two_hundred_sets_of_seeds() {
    let n = false_alarms(1..=200);
    println!("A against A with other seeds: {n} false alarms in 200 sets of seeds");
    assert!(n <= 1, "{n}");
}
