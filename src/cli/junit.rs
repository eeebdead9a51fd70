//! JUnit files in the dialect that Jenkins and its kin read: a suite a scenario, a case an expectation.
//!
//! Names are stable from run to run: the scenario's path and the expectation's key, no seed and no number in them. No
//! times: they would differ from run to run, and the virtual ones are in the results.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::measure::Verdict;
use crate::report::words;

use super::args::{CheckArgs, version};
use super::check::{Item, State, details, exit_of, reproduce};
use super::exit::Exit;

/// Most characters of one body: a report is read by people.
const BODY_MAX: usize = 10_000;

/// One case.
struct Case {
    name: String,
    outcome: Option<Bad>,
}

/// Why a case does not pass.
struct Bad {
    /// `failure`: the property is false; `error`: it could not be looked at.
    element: &'static str,
    kind: &'static str,
    message: String,
    body: String,
}

/// All scenarios as a JUnit file.
pub(super) fn render(items: &[Item], args: &CheckArgs) -> io::Result<Vec<u8>> {
    let suites: Vec<(&Item, Vec<Case>)> = items.iter().map(|item| (item, cases(item, args))).collect();
    let all = || suites.iter().flat_map(|(_, cases)| cases);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let [tests, failures, errors] = counts(all());
    writer
        .create_element("testsuites")
        .with_attributes([
            ("name", "refresh-sim check"),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
            ("errors", errors.as_str()),
        ])
        .write_inner_content(|writer| suites.iter().try_for_each(|(item, cases)| suite(writer, item, cases)))?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> [String; 3] {
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for case in cases {
        tests += 1;
        match case.outcome.as_ref().map(|bad| bad.element) {
            Some("failure") => failures += 1,
            Some(_) => errors += 1,
            None => {}
        }
    }
    [tests, failures, errors].map(|n: usize| n.to_string())
}

fn suite(writer: &mut Writer<Vec<u8>>, item: &Item, cases: &[Case]) -> io::Result<()> {
    let [tests, failures, errors] = counts(cases.iter());
    let name = legal(&item.shown);
    let attributes = [
        ("name", name.as_str()),
        ("tests", tests.as_str()),
        ("failures", failures.as_str()),
        ("errors", errors.as_str()),
        ("skipped", "0"),
    ];
    writer
        .create_element("testsuite")
        .with_attributes(attributes)
        .write_inner_content(|writer| {
            properties(writer, item)?;
            cases.iter().try_for_each(|each| case(writer, &name, each))
        })
        .map(drop)
}

fn properties(writer: &mut Writer<Vec<u8>>, item: &Item) -> io::Result<()> {
    let mut all = vec![("tool", version().to_owned())];
    if let State::Checked(plan, checked) = &item.state {
        all.push(("seed", plan.seed.to_string()));
        all.push(("replications", checked.replications.to_string()));
        all.push(("horizon", plan.horizon.to_string()));
        let first = checked.digests.first().cloned().flatten();
        all.extend(first.map(|digest| ("digest of replication 0", digest)));
    }
    let one = |writer: &mut Writer<Vec<u8>>, (name, value): &(&str, String)| {
        let attributes = [("name", *name), ("value", value.as_str())];
        writer.create_element("property").with_attributes(attributes).write_empty().map(drop)
    };
    writer
        .create_element("properties")
        .write_inner_content(|writer| all.iter().try_for_each(|each| one(writer, each)))
        .map(drop)
}

fn case(writer: &mut Writer<Vec<u8>>, suite: &str, case: &Case) -> io::Result<()> {
    let name = legal(&case.name);
    let element = writer.create_element("testcase").with_attributes([("classname", suite), ("name", name.as_str())]);
    let Some(bad) = &case.outcome else { return element.write_empty().map(drop) };
    let (message, body) = (legal(&bad.message), legal(&words::cut(&bad.body, BODY_MAX)));
    element
        .write_inner_content(|writer| {
            writer
                .create_element(bad.element)
                .with_attributes([("type", bad.kind), ("message", message.as_str())])
                .write_text_content(BytesText::new(&body))
                .map(drop)
        })
        .map(drop)
}

/// The cases of a scenario: that it can be run, that nothing crashes unmentioned, and each expectation.
fn cases(item: &Item, args: &CheckArgs) -> Vec<Case> {
    let bad = |element, kind, message: String, body: String| Some(Bad { element, kind, message, body });
    let (plan, checked) = match &item.state {
        State::Ready(_) => return Vec::new(),
        State::Broken(why, _) => {
            let message = why.lines().next().unwrap_or("").to_owned();
            let outcome = bad("error", kind(exit_of(item)), message, why.clone());
            return vec![Case { name: "runs".to_owned(), outcome }];
        }
        State::Checked(plan, checked) => (plan, checked),
    };
    let crash = checked.unmentioned_crash.as_ref().and_then(|(front_end, replication)| {
        let message = format!("{front_end} crashed and no expectation mentions it");
        bad("failure", "crash", message, format!("reproduce: {}", reproduce(item, plan, *replication, args)))
    });
    let mut cases = vec![
        Case { name: "runs".to_owned(), outcome: None },
        Case { name: "no crash that no expectation mentions".to_owned(), outcome: crash },
    ];
    if checked.expectations.is_empty() {
        let outcome = bad("error", "inconclusive", "it has no [expect]".to_owned(), String::new());
        cases.push(Case { name: "expects something".to_owned(), outcome });
    }
    for weighed in &checked.expectations {
        let judged = &weighed.judged;
        let told = || {
            let told = details(item, plan, checked.replications, weighed, args);
            let lines = told.iter().map(|(name, text)| format!("{name}: {text}\n"));
            format!("{}\n{}", judged.text, lines.collect::<String>())
        };
        let message = || format!("{}; limit {}", judged.observed, super::check::limit(&judged.text));
        let outcome = match judged.verdict {
            Verdict::Pass => None,
            Verdict::Fail => bad("failure", "expectation", message(), told()),
            Verdict::Inconclusive => bad("error", "inconclusive", message(), told()),
        };
        cases.push(Case { name: format!("expect {}", judged.name), outcome });
    }
    cases
}

fn kind(exit: Exit) -> &'static str {
    match exit {
        Exit::BadInput => "bad-input",
        Exit::NotDeterministic => "not-deterministic",
        Exit::NoValidator => "no-validator",
        _ => "internal",
    }
}

/// A text without what XML 1.0 cannot hold at all, escaped or not.
fn legal(text: &str) -> String {
    let is_legal =
        |c: &char| matches!(*c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_legal(&c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::legal;

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(legal("a\u{0}b\u{1b}[1m\u{ffff}\n"), "a\u{fffd}b\u{fffd}[1m\u{fffd}\n");
    }
}
