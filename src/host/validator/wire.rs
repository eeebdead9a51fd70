//! The lines of protocol `refresh-sim.validator/1`, as `docs/validator.md` has them.
//!
//! Texts to values and back. Knows no process and no pipe.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use serde::Deserialize;

use crate::time::{Span, Time};
use crate::validate::{Answer, Certificate, FaultCode, Question, Rejection, Verdict, filled};

/// The protocol's name and version.
pub const PROTOCOL: &str = "refresh-sim.validator/1";
/// The most bytes of a line, its end included.
pub const LINE_MAX: usize = 64 * 1024;
/// Most questions that may wait for their answers at once.
pub const BATCH_MAX: u32 = 4096;
/// Longest cost or wait that a verdict may have: what distributions may have, too.
const SPAN_MAX: u64 = 1 << 62;
/// Longest free text that is kept of a verdict, in characters.
const TEXT_MAX: usize = 200;
/// Most characters of a line that are shown.
const SHOWN_MAX: usize = 160;

/// What a validator says of itself before anything else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Its name.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
    /// Whether the same question always gets the same answer.
    pub pure: bool,
    /// Whether it does without the time, and is not told.
    pub time_free: bool,
    /// How many questions may wait for their answers at once, at least 1.
    pub batch: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HelloLine {
    protocol: String,
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    pure: bool,
    #[serde(default)]
    time_free: bool,
    #[serde(default)]
    stateful: bool,
    batch: Option<u64>,
}

/// Reads the first line of a validator; an error says what is wrong with it.
pub fn hello(line: &[u8]) -> Result<Hello, String> {
    let line: HelloLine = object(line)?;
    if line.protocol != PROTOCOL {
        return Err(format!("it speaks {:?}; this program speaks {PROTOCOL:?}", cut(&line.protocol, 40)));
    }
    if line.pure && line.stateful {
        return Err("it is declared pure and stateful; it can be one of them".to_owned());
    }
    let batch = line.batch.unwrap_or(1);
    let Some(batch) = u32::try_from(batch).ok().filter(|batch| (1..=BATCH_MAX).contains(batch)) else {
        return Err(format!("`batch` is {batch}; it can be 1 to {BATCH_MAX}"));
    };
    if batch > 1 && !(line.pure && line.time_free) {
        return Err(format!("`batch` is {batch}, which needs `pure` and `time_free`: others are asked one by one"));
    }
    let (name, version) = (cut(&line.name, 100), cut(&line.version, 100));
    Ok(Hello { name, version, pure: line.pure, time_free: line.time_free, batch })
}

/// Appends a question as a line.
pub fn put_question(out: &mut Vec<u8>, id: u64, question: &Question<'_>, with_time: bool) {
    // Writing to memory does not fail, nor does serialising a text.
    let _ = put(out, id, question, with_time);
}

fn put(out: &mut Vec<u8>, id: u64, question: &Question<'_>, with_time: bool) -> io::Result<()> {
    write!(out, "{{\"id\":{id}")?;
    if with_time {
        write!(out, ",\"at_ns\":{}", question.at.0)?;
    }
    let (phase, transport) = (question.phase.name(), question.transport.name());
    let Question { address, port, address_known, port_known, attempt, .. } = question;
    write!(out, ",\"phase\":\"{phase}\",\"transport\":\"{transport}\",\"address\":\"{address}\",\"port\":{port}")?;
    write!(out, ",\"address_known\":{address_known},\"port_known\":{port_known},\"peer\":")?;
    put_text(out, question.name.group)?;
    if let Some(index) = question.name.index {
        out.pop(); // the closing quote
        write!(out, "/{index}\"")?;
    }
    out.extend_from_slice(b",\"pool\":");
    put_text(out, question.pool)?;
    out.extend_from_slice(b",\"computer\":");
    let index = question.name.index.unwrap_or(0);
    put_name(out, question.computer, question.pool, index)?;
    write!(out, ",\"attempt\":{attempt},\"certificate\":")?;
    match question.certificate {
        None => out.extend_from_slice(b"null"),
        Some(certificate) => put_certificate(out, &certificate, question.pool, index)?,
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn put_certificate(out: &mut Vec<u8>, shown: &Certificate<'_>, pool: &str, index: u32) -> io::Result<()> {
    let (state, chain, revocation) = (shown.state.name(), shown.chain.name(), shown.revocation.name());
    write!(out, "{{\"state\":\"{state}\",\"subject\":")?;
    put_name(out, shown.subject, pool, index)?;
    out.extend_from_slice(b",\"alt\":[");
    for (nth, name) in shown.alt.iter().enumerate() {
        let comma = if nth == 0 { "" } else { "," };
        write!(out, "{comma}\"{}", name.kind.prefix())?;
        let start = out.len();
        put_text(out, filled(&name.text, pool, index).as_str())?;
        out.remove(start); // its opening quote
    }
    out.extend_from_slice(b"],\"issuer\":");
    put_name(out, shown.issuer, pool, index)?;
    write!(out, ",\"not_before_ns\":{}", shown.not_before.0)?;
    match shown.not_after {
        Time::NEVER => out.extend_from_slice(b",\"not_after_ns\":null"),
        at => write!(out, ",\"not_after_ns\":{}", at.0)?,
    }
    write!(out, ",\"chain\":\"{chain}\",\"revocation\":\"{revocation}\"}}")
}

/// A name with what differs from peer to peer filled in, or null.
fn put_name(out: &mut Vec<u8>, name: Option<&str>, pool: &str, index: u32) -> io::Result<()> {
    match name {
        None => out.write_all(b"null"),
        Some(name) => put_text(out, filled(name, pool, index).as_str()),
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}

/// An answer, and the free text that came with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// To which question.
    pub id: u64,
    /// What.
    pub verdict: Verdict,
    /// For people.
    pub text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerLine<'a> {
    id: u64,
    #[serde(borrow)]
    verdict: Cow<'a, str>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    cost_ns: Option<u64>,
    wait_ns: Option<u64>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

/// Reads an answer; an error says what is wrong with it.
pub fn answer(line: &[u8]) -> Result<Answered, String> {
    let line: AnswerLine<'_> = object(line)?;
    let answer = match (line.verdict.as_ref(), &line.reason, &line.code) {
        ("accept", None, None) => Answer::Accept,
        ("reject", Some(word), None) => Answer::Reject(rejection(word)?),
        ("fault", None, Some(code)) => Answer::Fault(fault_code(code)?),
        ("reject", None, _) => return Err(format!("a rejection needs a `reason`, one of {}", reasons())),
        ("fault", _, None) => return Err("a fault needs a `code`, e.g. \"0xc0000005\"".to_owned()),
        ("accept" | "reject" | "fault", ..) => {
            return Err("`reason` belongs to a rejection alone, `code` to a fault".to_owned());
        }
        (word, ..) => {
            return Err(format!("`verdict` is {:?}; it can be \"accept\", \"reject\", \"fault\"", cut(word, 40)));
        }
    };
    let span = |what: &str, ns: u64| match ns {
        0..=SPAN_MAX => Ok(Span(ns)),
        _ => Err(format!("`{what}` is {ns}; it can be at most {SPAN_MAX}")),
    };
    let cost = line.cost_ns.map(|ns| span("cost_ns", ns)).transpose()?;
    let wait = span("wait_ns", line.wait_ns.unwrap_or(0))?;
    let text = line.text.map(|text| cut(&text, TEXT_MAX));
    Ok(Answered { id: line.id, verdict: Verdict { answer, cost, wait }, text })
}

fn rejection(word: &str) -> Result<Rejection, String> {
    Rejection::of_word(word).ok_or_else(|| format!("`reason` is {:?}; it can be {}", cut(word, 40), reasons()))
}

fn reasons() -> String {
    Rejection::ALL.map(|reason| format!("{:?}", reason.word())).join(", ")
}

fn fault_code(text: &str) -> Result<FaultCode, String> {
    let wrong = || format!("`code` is {:?}; it is 0x and eight hexadecimal digits, e.g. \"0xc0000005\"", cut(text, 40));
    FaultCode::read(text).ok_or_else(wrong)
}

/// Reads a line that is an object; lists, which serde takes for one whose keys are left out, are none.
fn object<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, String> {
    if line.trim_ascii_start().starts_with(b"[") {
        return Err("it is a list; a line is an object".to_owned());
    }
    serde_json::from_slice(line).map_err(|error| in_words(&error))
}

/// What a parser says, without the position: there is one line.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A line as messages show it: bounded, on one line, in quotes.
pub fn shown(line: &[u8]) -> String {
    let head = &line[..line.len().min(4 * SHOWN_MAX)];
    let text = String::from_utf8_lossy(head);
    let kept: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() || head.len() < line.len() {
        format!("\"{kept}…\" ({} bytes)", line.len())
    } else {
        format!("\"{kept}\"")
    }
}

/// What comes next of a stream of lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next<'a> {
    /// A line, without its end.
    Line(&'a [u8]),
    /// Nothing any more.
    End,
    /// A line that is longer than any may be: its beginning.
    TooLong(&'a [u8]),
}

/// A stream of lines, none longer than [`LINE_MAX`].
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    buffer: Box<[u8]>,
    start: usize, // at most `end`
    end: usize,   // at most the buffer's length
}

impl<R: Read> Lines<R> {
    /// Of what `from` gives.
    pub fn new(from: R) -> Lines<R> {
        Lines { from, buffer: vec![0; LINE_MAX].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Waits for the next line.
    ///
    /// # Errors
    /// What reading gives; what has come is kept.
    pub fn next_line(&mut self) -> io::Result<Next<'_>> {
        let mut looked = self.start;
        loop {
            if let Some(at) = self.buffer[looked..self.end].iter().position(|byte| *byte == b'\n') {
                let line = self.start..looked + at;
                self.start = looked + at + 1;
                return Ok(Next::Line(&self.buffer[line]));
            }
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            looked = self.end;
            if self.end == self.buffer.len() {
                return Ok(Next::TooLong(&self.buffer));
            }
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(Next::End),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether something has come beyond the last line.
    pub fn has_more(&self) -> bool {
        self.start < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::{AltKind, AltName, CertificateNames, CertificateState, PeerName, Phase, Transport};

    #[test]
    fn rule_22_a_question_has_all_that_the_rule_lists_and_the_absence_of_a_certificate() {
        let name = PeerName { group: "a \"b\"", index: Some(7) };
        let mut question = Question::about(name, Time(9));
        (question.phase, question.transport, question.certificate) = (Phase::Refresh, Transport::Tcp, None);
        (question.attempt, question.port) = (3, 5060);
        let mut line = Vec::new();
        put_question(&mut line, 1, &question, true);
        let expected = "{\"id\":1,\"at_ns\":9,\"phase\":\"refresh\",\"transport\":\"tcp\",\"address\":\"0.0.0.0\",\
             \"port\":5060,\"address_known\":true,\"port_known\":true,\"peer\":\"a \\\"b\\\"/7\",\
             \"pool\":\"a \\\"b\\\"\",\"computer\":null,\"attempt\":3,\"certificate\":null}\n";
        assert_eq!(String::from_utf8(line).expect("UTF-8"), expected);
        let names = CertificateNames {
            subject: None,
            alt: vec![AltName::new(AltKind::Dns, "app{index}.{pool}"), AltName::new(AltKind::Uri, "sip:b")],
            issuer: Some("CN=\"ours\"".to_owned()),
        };
        (question.pool, question.computer) = ("pool.example", Some("app{index}.example"));
        question.certificate = Some(Certificate::new(CertificateState::Expired).with_names(&names));
        let mut line = Vec::new();
        put_question(&mut line, 2, &question, false);
        let json: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
        assert_eq!((&json["computer"], &json["at_ns"]), (&"app7.example".into(), &serde_json::Value::Null));
        let shown = serde_json::json!({
            "state": "expired", "subject": null, "alt": ["dns:app7.pool.example", "uri:sip:b"], "issuer": "CN=\"ours\"",
            "not_before_ns": 0, "not_after_ns": 0, "chain": "trusted", "revocation": "good",
        });
        assert_eq!(json["certificate"], shown);
    }

    #[test]
    fn answers_are_read_strictly_and_an_error_says_what_would_do() {
        let read = |text: &str| answer(text.as_bytes());
        let plain = |answer: Answer| Verdict::from(answer);
        assert_eq!(read(r#"{"id":3,"verdict":"accept"}"#).expect("good").verdict, plain(Answer::Accept));
        let rejected = read(r#"{"id":3,"verdict":"reject","reason":"address-unknown","text":"who?"}"#).expect("good");
        assert_eq!(rejected.verdict, plain(Answer::Reject(Rejection::AddressUnknown)));
        assert_eq!(rejected.text.as_deref(), Some("who?"));
        let fault = read(r#"{"id":3,"verdict":"fault","code":"0xc0000005","cost_ns":7,"wait_ns":8}"#).expect("good");
        let expected = Answer::Fault(FaultCode::ACCESS_VIOLATION);
        assert_eq!(fault.verdict, Verdict { answer: expected, cost: Some(Span(7)), wait: Span(8) });
        for (line, word) in [
            ("", "EOF"),
            ("accept", "expected value"),
            (r#"[3,"accept",null,null,null,null,null]"#, "a line is an object"),
            (r#"{"id":3}"#, "missing field `verdict`"),
            (r#"{"id":-1,"verdict":"accept"}"#, "u64"),
            (r#"{"id":3,"verdict":"maybe"}"#, "\"accept\", \"reject\", \"fault\""),
            (r#"{"id":3,"verdict":"reject"}"#, "address-unknown"),
            (r#"{"id":3,"verdict":"reject","reason":"address-unkown"}"#, "address-unknown"),
            (r#"{"id":3,"verdict":"fault"}"#, "0xc0000005"),
            (r#"{"id":3,"verdict":"fault","code":"0xC5"}"#, "eight hexadecimal digits"),
            (r#"{"id":3,"verdict":"accept","reason":"other"}"#, "rejection alone"),
            (r#"{"id":3,"verdict":"accept","cost":1}"#, "unknown field `cost`, expected one of"),
            (r#"{"id":3,"verdict":"accept","cost_ns":1.5}"#, "u64"),
            (r#"{"id":3,"verdict":"accept","cost_ns":9223372036854775807}"#, "at most"),
            (r#"{"id":3,"id":3,"verdict":"accept"}"#, "duplicate field"),
            (r#"{"id":3,"verdict":"accept"} x"#, "trailing characters"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.contains(word), "{line}: {error}");
        }
        let deep = format!(r#"{{"id":3,"verdict":{}"#, "[".repeat(60_000));
        assert!(read(&deep).expect_err("deep").contains("expected a string"));
    }

    #[test]
    fn a_hello_is_read_strictly() {
        let good = r#"{"protocol":"refresh-sim.validator/1","name":"n","pure":true,"time_free":true,"batch":16}"#;
        let read = |text: &str| hello(text.as_bytes());
        assert_eq!(read(good).expect("good").batch, 16);
        for (from, to, word) in [
            ("validator/1", "validator/2", "speaks \"refresh-sim.validator/2\""),
            ("\"time_free\":true,", "", "needs `pure` and `time_free`"),
            ("16", "0", "1 to 4096"),
            ("16", "5000", "1 to 4096"),
            ("\"batch\":16", "\"stateful\":true", "pure and stateful"),
            ("\"name\":\"n\",", "", "missing field `name`"),
            ("pure", "pur", "unknown field `pur`"),
        ] {
            let error = read(&good.replace(from, to)).expect_err(to);
            assert!(error.contains(word), "{to}: {error}");
        }
    }

    #[test]
    fn lines_are_cut_wherever_the_reads_end_and_never_grow_without_bound() {
        struct Pieces(Vec<u8>, usize);
        impl Read for Pieces {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n = self.1.min(self.0.len()).min(buffer.len());
                buffer[..n].copy_from_slice(&self.0[..n]);
                self.0.drain(..n);
                Ok(n)
            }
        }
        for piece in [1, 2, 3, 1000] {
            let mut lines = Lines::new(Pieces(b"ab\n\ncde\nrest".to_vec(), piece));
            for expected in [&b"ab"[..], b"", b"cde"] {
                assert_eq!(lines.next_line().expect("read"), Next::Line(expected));
            }
            assert_eq!(lines.next_line().expect("read"), Next::End);
            assert!(lines.has_more());
        }
        let mut lines = Lines::new(io::repeat(b'x'));
        assert!(matches!(lines.next_line().expect("read"), Next::TooLong(head) if head.len() == LINE_MAX));
        assert!(shown(&[0xff, b'\n', b'a']).contains("\\na"));
        assert!(shown(&vec![b'x'; LINE_MAX]).len() < 300);
    }
}
