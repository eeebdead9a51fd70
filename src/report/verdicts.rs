//! Verdicts of a validator of the user's own as lines: what a run keeps of them, and what a replay reads.
//!
//! A line for each question in the order of virtual time, with enough of the question to tell whether a replay asks the
//! same. Texts to values and back; does no I/O.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::json;

use crate::scenario::plan::Plan;
use crate::time::{Span, Time};
use crate::validate::{Answer, FaultCode, Question, Rejection, Verdict};

/// The name of the file among a result's, compressed by gzip.
pub const FILE: &str = "verdicts.jsonl.gz";
/// The name and version of its lines.
pub const SCHEMA: &str = "refresh-sim.verdicts/1";
/// The most bytes of a line, its end included: names are at most 255 characters.
pub const LINE_MAX: usize = 8 * 1024;

/// The first line: what the rest is, and whose verdicts they are.
pub fn head(plan: &Plan) -> String {
    format!("{}\n", json!({ "schema": SCHEMA, "validator": plan.judged_by() }))
}

/// Whether `line` is a first line of a file that this program reads; else what is wrong with it.
///
/// # Errors
/// In words.
pub fn check_head(line: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    match serde_json::from_slice::<Head>(line) {
        Ok(head) if head.schema == SCHEMA => Ok(()),
        Ok(head) => Err(format!("it has the schema {:?}; this program reads {SCHEMA:?}", head.schema)),
        Err(_) => Err(format!("its first line does not say {SCHEMA:?}")),
    }
}

/// Appends the line of a verdict; `front_end` is the name of who asked.
pub fn put(out: &mut String, front_end: &str, question: &Question<'_>, verdict: &Verdict) {
    let Question { at, phase, attempt, .. } = question;
    let (asked_by, peer) = (json!(front_end), json!(question.name.to_string()));
    let certificate = question.certificate.map(|certificate| certificate.state.name());
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{{\"at_ns\":{},\"front_end\":{asked_by},\"peer\":{peer},\"phase\":\"{}\",\"attempt\":{attempt},\"certificate\":{}",
        at.0,
        phase.name(),
        json!(certificate),
    );
    let _ = match verdict.answer {
        Answer::Accept => write!(out, ",\"verdict\":\"accept\""),
        Answer::Reject(reason) => write!(out, ",\"verdict\":\"reject\",\"reason\":\"{}\"", reason.word()),
        Answer::Fault(code) => write!(out, ",\"verdict\":\"fault\",\"code\":\"{code}\""),
    };
    if let Some(cost) = verdict.cost {
        let _ = write!(out, ",\"cost_ns\":{}", cost.0);
    }
    if verdict.wait > Span::ZERO {
        let _ = write!(out, ",\"wait_ns\":{}", verdict.wait.0);
    }
    out.push_str("}\n");
}

/// One line of the record.
#[derive(Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Recorded<'a> {
    at_ns: u64,
    #[serde(borrow)]
    front_end: Cow<'a, str>,
    #[serde(borrow)]
    peer: Cow<'a, str>,
    #[serde(borrow)]
    phase: Cow<'a, str>,
    attempt: u32,
    #[serde(borrow)]
    certificate: Option<Cow<'a, str>>,
    #[serde(borrow)]
    verdict: Cow<'a, str>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    cost_ns: Option<u64>,
    wait_ns: Option<u64>,
}

impl Recorded<'_> {
    /// Reads a line.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn read(line: &[u8]) -> Result<Recorded<'_>, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// Whether this is about `question` of the front end called `front_end`.
    pub fn is_about(&self, front_end: &str, question: &Question<'_>) -> bool {
        let certificate = question.certificate.map(|certificate| certificate.state.name());
        self.at_ns == question.at.0
            && self.front_end == front_end
            && self.phase == question.phase.name()
            && self.attempt == question.attempt
            && self.certificate.as_deref() == certificate
            && self.peer == question.name.to_string()
    }

    /// The verdict.
    ///
    /// # Errors
    /// In words, if there is none that this program knows.
    pub fn verdict(&self) -> Result<Verdict, String> {
        let answer = match (self.verdict.as_ref(), self.reason.as_deref(), self.code.as_deref()) {
            ("accept", None, None) => Some(Answer::Accept),
            ("reject", Some(word), None) => Rejection::of_word(word).map(Answer::Reject),
            ("fault", None, Some(code)) => FaultCode::read(code).map(Answer::Fault),
            _ => None,
        };
        let answer = answer.ok_or_else(|| "no verdict that this program knows".to_owned())?;
        Ok(Verdict { answer, cost: self.cost_ns.map(Span), wait: Span(self.wait_ns.unwrap_or(0)) })
    }

    /// The question in words.
    pub fn words(&self) -> String {
        let Recorded { front_end, peer, phase, attempt, certificate, .. } = self;
        let certificate = certificate.as_deref().unwrap_or("none");
        let at = Time(self.at_ns);
        format!("{phase} of {peer} at {at} ({} ns), {front_end}, attempt {attempt}, certificate {certificate}", at.0)
    }
}

/// A question in the same words.
pub fn words(front_end: &str, question: &Question<'_>) -> String {
    let mut line = String::new();
    put(&mut line, front_end, question, &Answer::Accept.into());
    Recorded::read(line.as_bytes()).map_or(line.clone(), |recorded| recorded.words())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::{PeerName, Phase};

    #[test]
    fn a_line_says_what_was_asked_and_what_the_verdict_was() {
        let name = PeerName { group: "a \"b\"", index: Some(3) };
        let mut question = Question::about(name, Time(5));
        question.phase = Phase::Refresh;
        for answer in [Answer::Accept, Answer::Reject(Rejection::TcpOverIpv6), Answer::Fault(FaultCode(0xE000_0003))] {
            for (cost, wait) in [(None, Span::ZERO), (Some(Span(0)), Span(7))] {
                let (verdict, mut line) = (Verdict { answer, cost, wait }, String::new());
                put(&mut line, "fe01", &question, &verdict);
                let read = Recorded::read(line.as_bytes()).expect("it is a line");
                assert_eq!(read.verdict(), Ok(verdict));
                assert!(read.is_about("fe01", &question));
                for other in [
                    Question { at: Time(6), ..question },
                    Question { phase: Phase::Accept, ..question },
                    Question { attempt: 1, ..question },
                    Question { certificate: None, ..question },
                    Question { name: PeerName { index: None, ..name }, ..question },
                ] {
                    assert!(!read.is_about("fe01", &other), "{other:?}");
                    assert_ne!(words("fe01", &other), read.words());
                }
                assert!(!read.is_about("fe02", &question));
            }
        }
    }

    #[test]
    fn a_line_that_is_none_is_told_so() {
        let good = r#"{"at_ns":1,"front_end":"f","peer":"p","phase":"accept","attempt":0,"certificate":null,"verdict":"accept"}"#;
        assert!(Recorded::read(good.as_bytes()).expect("good").verdict().is_ok());
        for bad in [&good[1..], "{}", &good.replace("attempt", "at"), &good.replace(":0", ":-1")] {
            assert!(Recorded::read(bad.as_bytes()).is_err(), "{bad}");
        }
        for bad in [good.replace("\"accept\"}", "\"reject\"}"), good.replace("\"accept\"}", "\"maybe\"}")] {
            assert!(Recorded::read(bad.as_bytes()).expect("a line").verdict().is_err(), "{bad}");
        }
    }
}
