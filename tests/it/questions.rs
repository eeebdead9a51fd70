//! The coverage of the question space: what validators were asked, what they never were.

use std::path::Path;

use crate::reading::{read, with};
use refresh_sim::measure::{Outcome, QuestionKind, Verdict};
use refresh_sim::report::{coverage, judge, summary, text};
use refresh_sim::scenario::Plan;
use refresh_sim::sim::{Unwatched, run};
use refresh_sim::validate::{CertificateState, Phase, Transport};

/// The fault of 2015 as a kind of question.
const OF_2015: QuestionKind = QuestionKind { transport: Transport::Tcp, certificate: None, phase: Phase::Refresh };

fn shipped(name: &str, settings: &[(&str, &str)]) -> (Plan, Outcome) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let text = std::fs::read_to_string(&path).expect("a shipped scenario");
    ran(&text, settings)
}

fn ran(scenario: &str, settings: &[(&str, &str)]) -> (Plan, Outcome) {
    let plan = with(scenario, settings);
    let outcome = run(&plan, &mut Unwatched).expect("it runs");
    (plan, outcome)
}

fn answered(plan: &Plan, outcome: &Outcome, kind: QuestionKind) -> Option<[u64; 3]> {
    coverage(plan, outcome).into_iter().find(|row| row.kind == kind).map(|row| row.answered)
}

/// The verdicts on `lines`, one expectation each.
fn verdicts(plan: &Plan, outcome: &Outcome, lines: &[&str]) -> Vec<Verdict> {
    let expected: String = lines.iter().enumerate().map(|(n, line)| format!("e{n} = \"{line}\"\n")).collect();
    let written = refresh_sim::scenario::render(&Plan { expect: Vec::new(), ..plan.clone() });
    let scenario = format!("{}\n[expect]\n{expected}", written.split("[expect]").next().unwrap_or_default());
    let with = read(&scenario);
    judge(&with, outcome).into_iter().map(|judged| judged.verdict).collect()
}

#[test]
fn rule_22_the_fault_of_2015_is_one_cell_and_half_a_day_never_visits_it() {
    let (plan, outcome) = shipped("sfb2015/incident.toml", &[]);
    assert_eq!(answered(&plan, &outcome, OF_2015), Some([0, 0, 6]), "each crash is a question of that kind");
    let (plan, outcome) = shipped("sfb2015/incident.toml", &[("run.horizon", "12h")]);
    assert_eq!(answered(&plan, &outcome, OF_2015), Some([0, 0, 0]));
    let told = text(&plan, &outcome, &[]);
    assert!(told.contains("  tcp       absent       refresh  NEVER ASKED\n"), "{told}");
    assert!(told.contains("  tcp       absent       accept             3       -      -\n"), "{told}");
    let summary = summary(&plan, &outcome, &[], 0);
    let row = summary["questions"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["transport"] == "tcp" && row["certificate"] == "absent" && row["phase"] == "refresh");
    assert_eq!(row.expect("it is named")["asked"], 0);
    let demanded = ["questions{transport=tcp,certificate=absent,phase=refresh,verdict=accept} : value >= 1"];
    assert_eq!(verdicts(&plan, &outcome, &demanded), [Verdict::Fail]);
}

#[test]
fn the_counts_are_those_of_the_questions_asked() {
    let (plan, outcome) = shipped("sfb2015/fixed.toml", &[]);
    assert_eq!(answered(&plan, &outcome, OF_2015), Some([18, 0, 0]), "3 gateways on 6 days");
    let tls = QuestionKind { transport: Transport::Tls, certificate: Some(CertificateState::Valid), ..OF_2015 };
    assert_eq!(answered(&plan, &outcome, tls), Some([6 * 240, 0, 0]));
    assert_eq!(answered(&plan, &outcome, QuestionKind { phase: Phase::Accept, ..tls }), Some([240, 0, 0]));
    let lines = [
        "questions : value == 1701",
        "questions{group=rcc-gateway} : value == 21",
        "questions{phase=accept} : value == 243",
        "questions{certificate=valid,verdict=accept} : value == 1680",
    ];
    assert_eq!(verdicts(&plan, &outcome, &lines), [Verdict::Pass; 4]);
}

#[test]
fn no_fault_where_nobody_was_asked_is_not_a_pass() {
    let (plan, outcome) = shipped("sfb2015/fixed.toml", &[("run.horizon", "12h")]);
    let lines = [
        "questions{phase=refresh,verdict=fault} : value == 0",
        "questions{phase=accept,verdict=fault} : value == 0",
        "questions{phase=refresh} : value == 0",
        "questions{phase=refresh,verdict=accept} : value >= 1",
    ];
    let expected = [Verdict::Inconclusive, Verdict::Pass, Verdict::Pass, Verdict::Fail];
    assert_eq!(verdicts(&plan, &outcome, &lines), expected);
    let (plan, outcome) = shipped("sfb2015/fixed.toml", &[("run.horizon", "1m")]);
    assert_eq!(verdicts(&plan, &outcome, &["questions : value == 0"]), [Verdict::Inconclusive]);
}

const EXPIRING: &str = r#"
schema = 1
semantics = 1
[run]
horizon = "3d"
[refresh]
every = "24h"
[validation]
validator = "sfb2015-cu2"
[[group]]
name = "trunk"
transport = "tls"
validity = { not_after = "36h" }
"#;

#[test]
fn a_certificate_that_runs_out_is_a_kind_of_its_own() {
    let (plan, outcome) = ran(EXPIRING, &[]);
    let of = |certificate, phase| QuestionKind { transport: Transport::Tls, certificate: Some(certificate), phase };
    assert_eq!(answered(&plan, &outcome, of(CertificateState::Valid, Phase::Refresh)), Some([1, 0, 0]));
    assert_eq!(answered(&plan, &outcome, of(CertificateState::Expired, Phase::Refresh)), Some([0, 1, 0]));
    let again = answered(&plan, &outcome, of(CertificateState::Expired, Phase::Accept)).expect("it comes back");
    assert!(again[1] > 0 && again[0] == 0, "{again:?}");
    // A day and a half is too short to see it, and the summary says so.
    let (plan, outcome) = ran(EXPIRING, &[("run.horizon", "30h")]);
    assert_eq!(answered(&plan, &outcome, of(CertificateState::Expired, Phase::Refresh)), Some([0; 3]));
}

#[test]
fn what_peers_cannot_be_asked_is_not_named() {
    let (plan, outcome) = ran(EXPIRING, &[("refresh.action", "reconnect")]);
    let of = |certificate| QuestionKind { transport: Transport::Tls, certificate, phase: Phase::Refresh };
    assert_eq!(answered(&plan, &outcome, of(Some(CertificateState::Valid))), None, "not in place");
    assert_eq!(answered(&plan, &outcome, of(None)), None, "they show one");
}
