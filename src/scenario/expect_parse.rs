//! Reads the lines of `[expect]`: `metric{tag=value,...} [in phase from..to] : aggregate op value [min n]`.
//!
//! The registry of metrics says which names, tags, aggregates and units there are. Which groups and front ends there
//! are, the caller says. A fault has its place in the line.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::measure::{ABSENT, Answered, COURSES, Cause, Figure, Metric, Shape, Signal, Tags, Window};
use crate::time::{Span, Time};
use crate::validate::{CertificateState, Phase, Transport};

use super::decode::span;
use super::diagnose::{listed, near_miss, quoted};
use super::expect::{Against, Aggregate, Expectation, InPhase, Op, Subject};
use super::file::Word;
use super::plan::Plan;

/// Why a line is no expectation, and where in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// Bytes of the line.
    pub at: Range<usize>,
    /// Words that fit after the path of the line.
    pub message: String,
    /// What would be accepted.
    pub accepts: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

/// The names that tags may have.
pub(super) struct Names<'a> {
    /// Groups.
    pub groups: &'a BTreeSet<&'a str>,
    /// Front ends.
    pub front_ends: &'a BTreeSet<&'a str>,
    /// Look-ups; `None`: one is missing, so that any name may be one.
    pub lookups: Option<&'a BTreeSet<&'a str>>,
    /// Whether these are all groups; if not, any name may be one.
    pub complete: bool,
}

/// Latency metrics of which single refresh cycles can be asked.
const BY_CYCLE: [Metric; 2] = [Metric::Refresh, Metric::Lateness];
const OPS: [(&str, Op); 6] = [
    ("<=", Op::AtMost),
    ("==", Op::Equal),
    ("!=", Op::NotEqual),
    (">=", Op::AtLeast),
    ("<", Op::Less),
    (">", Op::More),
];
/// The phase of requests around refreshes.
const WINDOWS: &str = "windows";
const SHAPE: &str = "metric{tag=value} in phase from..to : aggregate op value min n";

/// Reads a line of `[expect]` for a plan that there is already; the error says what is wrong with it.
pub fn expectation(plan: &Plan, name: &str, line: &str) -> Result<Expectation, String> {
    let groups = plan.groups.iter().map(|group| group.name.as_str()).collect();
    let front_ends = plan.front_ends.iter().map(|front_end| front_end.name.as_str()).collect();
    let lookups = plan.lookups.each.iter().map(|lookup| lookup.name.as_str()).collect();
    let names = Names { groups: &groups, front_ends: &front_ends, lookups: Some(&lookups), complete: true };
    parse(name, line, &names).map_err(|fault| format!("`{name}` {}; accepted: {}", fault.message, fault.accepts))
}

/// Reads one line.
pub(super) fn parse(name: &str, line: &str, names: &Names<'_>) -> Result<Expectation, Fault> {
    let mut reader = Reader { line, at: 0 };
    let subject = subject(&mut reader)?;
    reader.blank();
    let (tags, cause_at) = if reader.eat("{") { tags(&mut reader, subject, names)? } else { Default::default() };
    let (phase, window) = phase(&mut reader, subject, cause_at)?;
    reader.blank();
    if !reader.eat(":") {
        return Err(reader.fault_here("has something else where `:` should be", SHAPE));
    }
    let aggregate = aggregate(&mut reader, subject)?;
    reader.blank();
    let Some((sign, op)) = OPS.iter().find(|(sign, _)| reader.eat(sign)) else {
        return Err(reader.fault_here("has no comparison here", "one of `<` `<=` `==` `!=` `>=` `>`"));
    };
    let (limit, against) = limit(&mut reader, subject, aggregate, sign)?;
    let aggregate = within(&mut reader, aggregate)?;
    let min_samples = min_samples(&mut reader, subject, aggregate)?;
    reader.blank();
    if reader.at < line.len() {
        return Err(reader.fault_rest("goes on after its end", "nothing more"));
    }
    let (name, text) = (name.to_owned(), line.to_owned());
    Ok(Expectation { name, text, subject, tags, phase, window, aggregate, op: *op, limit, against, min_samples })
}

fn subject(reader: &mut Reader<'_>) -> Result<Subject, Fault> {
    reader.blank();
    let (word, at) = reader.word(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let latency = Metric::ALL.iter().find(|metric| metric.name() == word).map(|metric| Subject::Latency(*metric));
    let figure = Figure::ALL.iter().find(|figure| figure.name() == word).map(|figure| Subject::Figure(*figure));
    let signal = Signal::ALL.iter().find(|signal| signal.name() == word).map(|signal| Subject::Signal(*signal));
    let known = || {
        let figures = Figure::ALL.iter().map(|f| f.name());
        Metric::ALL.iter().map(|m| m.name()).chain(figures).chain(Signal::ALL.iter().map(|s| s.name()))
    };
    latency.or(figure).or(signal).ok_or_else(|| match word {
        "" => Fault::new(at, "names no metric", format!("one of {}", listed(known()))),
        _ => Fault::near(at, format!("has the unknown metric {}", quoted(word)), word, known()),
    })
}

/// The tags that a subject takes: as its line in the registry says.
fn tags_of(subject: Subject) -> Vec<&'static str> {
    match subject {
        Subject::Latency(Metric::Sweep) => vec![],
        Subject::Latency(Metric::Lookup) => vec!["group", "transport", "cause", "lookup"],
        Subject::Latency(_) => vec!["group", "transport", "cause"],
        Subject::Figure(figure) => listed_in(figure.about()),
        Subject::Signal(signal) => listed_in(signal.about()),
    }
}

fn listed_in(about: &'static str) -> Vec<&'static str> {
    let listed = about.rsplit_once("(tags: ").or_else(|| about.rsplit_once("(tag: "));
    listed.map_or(vec![], |(_, tags)| tags.trim_end_matches(')').split(", ").collect())
}

/// Reads tags after the opening brace; also where the cause stood, if there was one.
fn tags(reader: &mut Reader<'_>, subject: Subject, names: &Names<'_>) -> Result<(Tags, Option<Range<usize>>), Fault> {
    let known = tags_of(subject);
    let (mut tags, mut seen, mut cause_at) = (Tags::default(), Vec::new(), None);
    loop {
        reader.blank();
        if reader.eat("}") {
            return Ok((tags, cause_at));
        }
        let (key, at) = reader.word(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        if !known.contains(&key) {
            return Err(match (known.is_empty(), key) {
                (true, _) => Fault::new(at, "has a tag, and this metric takes none", "no tags"),
                (false, "") => {
                    reader.fault_here("has no tag here", &format!("one of {}", listed(known.iter().copied())))
                }
                _ => Fault::near(at, format!("has the unknown tag {}", quoted(key)), key, known.iter().copied()),
            });
        }
        if seen.contains(&key) {
            return Err(Fault::new(at, format!("has the tag `{key}` twice"), "each tag once"));
        }
        seen.push(key);
        reader.blank();
        if !reader.eat("=") {
            return Err(reader.fault_here("has no value for a tag", "`tag=value`"));
        }
        let (value, at) = reader.tag_value()?;
        match key {
            "group" if !names.complete => tags.group = Some(value),
            "group" => tags.group = Some(one_of(&value, &at, "group", names.groups)?),
            "front_end" => tags.front_end = Some(one_of(&value, &at, "front end", names.front_ends)?),
            "lookup" => {
                tags.lookup = Some(match names.lookups {
                    Some(known) => one_of(&value, &at, "look-up", known)?,
                    None => value,
                });
            }
            "transport" => tags.transport = Some(among(&value, &at, "transport", Transport::WORDS)?),
            "certificate" => {
                let states = CertificateState::ALL.map(|state| (state.name(), Some(state)));
                let words: Vec<_> = [(ABSENT, None)].into_iter().chain(states).collect();
                tags.certificate = Some(among(&value, &at, "certificate", &words)?);
            }
            "phase" => {
                tags.phase = Some(among(&value, &at, "phase", &Phase::ALL.map(|phase| (phase.name(), phase)))?);
            }
            "verdict" => {
                let words = Answered::ALL.map(|answered| (answered.name(), answered));
                tags.verdict = Some(among(&value, &at, "verdict", &words)?);
            }
            _ => {
                tags.cause = Some(cause(&value, &at, &[])?);
                cause_at = Some(at);
            }
        }
        reader.blank();
        if !reader.eat(",") && !reader.line[reader.at..].starts_with('}') {
            return Err(reader.fault_here("has tags that do not end", "`,` or `}`"));
        }
    }
}

/// What a word of a tag stands for.
fn among<T: Copy>(value: &str, at: &Range<usize>, what: &str, words: &[(&str, T)]) -> Result<T, Fault> {
    let known = words.iter().find(|(word, _)| *word == value).map(|(_, meant)| *meant);
    let message = || format!("has the unknown {what} {}", quoted(value));
    known.ok_or_else(|| Fault::near(at.clone(), message(), value, words.iter().map(|(word, _)| *word)))
}

fn one_of(value: &str, at: &Range<usize>, what: &str, known: &BTreeSet<&str>) -> Result<String, Fault> {
    if known.contains(value) {
        return Ok(value.to_owned());
    }
    Err(Fault::near(at.clone(), format!("has the unknown {what} {}", quoted(value)), value, known.iter().copied()))
}

fn cause(word: &str, at: &Range<usize>, more: &[&'static str]) -> Result<Cause, Fault> {
    let found = Cause::ALL.into_iter().find(|cause| cause.name() == word);
    let known = || Cause::ALL.iter().map(|cause| cause.name()).chain(more.iter().copied());
    found.ok_or_else(|| Fault::near(at.clone(), format!("has the unknown phase {}", quoted(word)), word, known()))
}

/// What stands after `in`: a phase, a window, or a phase and then a window.
fn phase(
    reader: &mut Reader<'_>,
    subject: Subject,
    cause_at: Option<Range<usize>>,
) -> Result<(Option<InPhase>, Option<Window>), Fault> {
    reader.blank();
    let start = reader.at;
    let (word, at) = reader.word(char::is_alphanumeric);
    match word {
        "" => return Ok((None, None)),
        "in" => {}
        _ => {
            let message = format!("has {} after the metric", quoted(word));
            return Err(Fault::new(at, message, "`in` and a phase or a window, or `:`"));
        }
    }
    reader.blank();
    let at_word = reader.at;
    let (word, at_windows) = reader.word(char::is_alphanumeric);
    if word == WINDOWS {
        let of_requests = match subject {
            Subject::Latency(metric) => metric == Metric::Request,
            Subject::Figure(figure) => figure.is_of_requests(),
            Subject::Signal(_) => false,
        };
        return match (of_requests, cause_at) {
            (false, _) => {
                let message = "asks for windows around refreshes, in which requests alone are measured";
                Err(Fault::new(at_windows, message, "`request`, or a figure of `requests`"))
            }
            (true, Some(at)) => {
                let message = "has the tag `cause`, and only requests are measured in windows";
                Err(Fault::new(at, message, "no such tag"))
            }
            (true, None) => Ok((Some(InPhase::Windows), None)),
        };
    }
    reader.at = at_word;
    let has_windows = matches!(subject, Subject::Latency(_) | Subject::Signal(_) | Subject::Figure(Figure::Crashes));
    if !has_windows {
        return Err(Fault::new(start..at.end, "has a phase, and this metric has one value a run", "no phase"));
    }
    reader.blank();
    if reader.is_at_window() {
        return Ok((None, Some(window(reader)?)));
    }
    let phase = named_phase(reader, subject, cause_at, start)?;
    reader.blank();
    let window = if reader.is_at_window() { Some(window(reader)?) } else { None };
    if let (InPhase::Cycle(_), Some(_)) = (phase, window) {
        let message = "asks for one cycle and for a window, which are not measured together";
        return Err(Fault::new(start..reader.at, message, "one of the two"));
    }
    Ok((Some(phase), window))
}

fn named_phase(
    reader: &mut Reader<'_>,
    subject: Subject,
    cause_at: Option<Range<usize>>,
    start: usize,
) -> Result<InPhase, Fault> {
    let (word, at) = reader.word(char::is_alphanumeric);
    let Subject::Latency(metric) = subject else {
        return Err(Fault::new(start..at.end, "has a phase, which only latencies have", "a window, e.g. in 1d..2d"));
    };
    if metric == Metric::Sweep {
        return Err(Fault::new(start..at.end, "has a phase, and every sweep is a refresh", "no phase, or a window"));
    }
    if cause_at.is_some() {
        return Err(Fault::new(start..at.end, "has a phase and the tag `cause`, which say the same", "one of the two"));
    }
    let cause = cause(word, &at, if metric == Metric::Request { &[WINDOWS] } else { &[] })?;
    reader.blank();
    if reader.is_at_window() {
        return Ok(InPhase::Cause(cause));
    }
    let (cycle, at) = reader.word(|c| c.is_ascii_digit());
    if cycle.is_empty() {
        return Ok(InPhase::Cause(cause));
    }
    if cause != Cause::Refresh || !BY_CYCLE.contains(&metric) {
        let message = "asks for one cycle, which only `refresh` and `lateness` in refresh have";
        return Err(Fault::new(at, message, "no number"));
    }
    match cycle.parse::<u32>() {
        Ok(cycle) if cycle >= 1 => Ok(InPhase::Cycle(cycle)),
        _ => Err(Fault::new(at, "asks for a cycle that cannot be", "a whole number from 1 (a peer's first refresh)")),
    }
}

/// Reads `from..to`, up to the colon; either end may be left out.
fn window(reader: &mut Reader<'_>) -> Result<Window, Fault> {
    let (text, at) = reader.word(|c| c != ':');
    let text = text.trim_end();
    let at = at.start..at.start + text.len();
    let accepts = "two run times, the first before the second, e.g. 1d..2d, 1d.. or ..12h";
    let (from, to) = text.split_once("..").ok_or_else(|| Fault::new(at.clone(), "has no window", accepts))?;
    let end = |text: &str, start: usize, without: Time| {
        let blanks = text.len() - text.trim_start().len();
        match text.trim() {
            "" => Ok(without),
            text => span::parse(text).map(|span| Time::ZERO + span).map_err(|fault| {
                let start = start + blanks;
                let message = format!("has a window whose end {}", fault.what);
                Fault::new(start + fault.at.start..start + fault.at.end, message, accepts)
            }),
        }
    };
    let window =
        Window { from: end(from, at.start, Time::ZERO)?, to: end(to, at.start + from.len() + 2, Time::NEVER)? };
    if window.from >= window.to || (from.trim().is_empty() && to.trim().is_empty()) {
        return Err(Fault::new(at, "has a window that holds nothing or everything", accepts));
    }
    Ok(window)
}

fn aggregate(reader: &mut Reader<'_>, subject: Subject) -> Result<Aggregate, Fault> {
    reader.blank();
    let (word, at) = reader.word(|c| c.is_alphanumeric() || c == '.');
    if let Subject::Signal(_) = subject {
        let eventually = Aggregate::Eventually { within: Span::ZERO, of_crash: false };
        let known = [
            ("always", Aggregate::Always),
            ("never", Aggregate::Never),
            ("sometimes", Aggregate::Sometimes),
            ("eventually", eventually),
        ];
        let found = known.iter().find(|(name, _)| *name == word).map(|(_, aggregate)| *aggregate);
        let message = || format!("asks for {}, and this metric is looked at again and again", quoted(word));
        return found.ok_or_else(|| Fault::near(at, message(), word, known.iter().map(|(name, _)| *name)));
    }
    let Subject::Latency(_) = subject else {
        return match word {
            "value" => Ok(Aggregate::Value),
            _ => Err(Fault::new(
                at,
                format!("asks for {}, and this metric has one value a run", quoted(word)),
                "`value`",
            )),
        };
    };
    let plain =
        [("min", Aggregate::Min), ("max", Aggregate::Max), ("mean", Aggregate::Mean), ("count", Aggregate::Count)];
    if let Some((_, aggregate)) = plain.iter().find(|(name, _)| *name == word) {
        return Ok(*aggregate);
    }
    if let Some(number) = word.strip_prefix('p').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        let share = decimal(number, 4).filter(|share| (1..=1_000_000).contains(share));
        let accepts = "a percentile above p0 and up to p100, with at most 4 decimals";
        let share = share.and_then(|share| u32::try_from(share).ok());
        return share.map(Aggregate::Quantile).ok_or_else(|| Fault::new(at, "asks for no percentile", accepts));
    }
    let known = ["p50", "p90", "p99", "p99.9", "min", "max", "mean", "count"];
    Err(Fault::near(at, format!("asks for {}, which is no aggregate", quoted(word)), word, known.into_iter()))
}

/// The value after the comparison, as the metric's shape wants it.
fn limit(
    reader: &mut Reader<'_>,
    subject: Subject,
    aggregate: Aggregate,
    sign: &str,
) -> Result<(u64, Option<Against>), Fault> {
    reader.blank();
    let start = reader.at;
    let rest = &reader.line[start..];
    let clause = match aggregate {
        Aggregate::Eventually { .. } => rest.find("within"),
        _ => min_clause(rest),
    };
    let end = start + clause.unwrap_or(rest.len());
    reader.at = end;
    let text = reader.line[start..end].trim_end();
    let at = start..start + text.len();
    let shape = match (subject, aggregate) {
        (_, Aggregate::Count) | (Subject::Signal(_), _) => Shape::Count,
        (Subject::Latency(_), _) => Shape::Latency,
        (Subject::Figure(figure), _) => figure.shape(),
    };
    let accepts = match shape {
        Shape::Latency | Shape::Length => "a length of time with its unit, e.g. 250ms",
        Shape::Count => "a whole number",
        Shape::Course if !matches!(sign, "==" | "!=") => {
            return Err(Fault::new(at, format!("compares a word by `{sign}`"), "`==` or `!=`"));
        }
        Shape::Course => "one of the words that a verdict may have",
        Shape::Share => "a share as a percentage or a fraction, e.g. 99.9% or 1/97",
    };
    if text.is_empty() {
        return Err(Fault::new(at, format!("has no value after `{sign}`"), accepts));
    }
    if let Some(rest) = text.strip_prefix("baseline") {
        if shape == Shape::Course || matches!(subject, Subject::Signal(_)) {
            return Err(Fault::new(at, "compares with a baseline, which has no number for this", accepts));
        }
        let values = Vec::new();
        let accepts = "`baseline`, or that and a percentage, e.g. baseline + 2%";
        let change_ppm = change(rest.trim_start()).map_err(|what| Fault::new(at, what, accepts))?;
        return Ok((0, Some(Against { change_ppm, values })));
    }
    let limit = match shape {
        Shape::Latency | Shape::Length => span::parse(text).map(|span| span.0).map_err(|fault| {
            Fault::new(
                start + fault.at.start..start + fault.at.end,
                format!("has a length that {}", fault.what),
                accepts,
            )
        }),
        Shape::Count => {
            text.parse().map_err(|_| Fault::new(at, format!("compares a count with {}", quoted(text)), accepts))
        }
        Shape::Course => COURSES.iter().position(|word| *word == text).map(|nth| nth as u64).ok_or_else(|| {
            Fault::near(at, format!("compares the verdict with {}", quoted(text)), text, COURSES.into_iter())
        }),
        Shape::Share => share(text).map_err(|what| Fault::new(at, what, accepts)),
    };
    limit.map(|limit| (limit, None))
}

/// What is added to a baseline's value: nothing, `+ 2%` or `- 2%`, in parts per million.
fn change(text: &str) -> Result<i64, &'static str> {
    let (sign, number) = match text.split_at_checked(1) {
        None => return Ok(0),
        Some(("+", number)) => (1, number),
        Some(("-", number)) => (-1, number),
        Some(_) => return Err("has something after `baseline` that is no change"),
    };
    let what = "has a change that is no percentage with at most 4 decimals";
    let ppm = number.trim().strip_suffix('%').and_then(|number| decimal(number.trim_end(), 4)).ok_or(what)?;
    let ppm = i64::try_from(ppm).ok().filter(|ppm| *ppm <= 1_000_000_000).ok_or("has a change of more than 100000%")?;
    if sign < 0 && ppm > 1_000_000 { Err("takes more than all of a baseline away") } else { Ok(sign * ppm) }
}

/// Reads `within 10m` or `within 10m of crash`, which `eventually` needs.
fn within(reader: &mut Reader<'_>, aggregate: Aggregate) -> Result<Aggregate, Fault> {
    let Aggregate::Eventually { .. } = aggregate else { return Ok(aggregate) };
    reader.blank();
    let accepts = "`within` and a length, e.g. within 10m, or within 10m of crash";
    if !reader.eat("within") {
        return Err(reader.fault_here("does not say within what time", accepts));
    }
    reader.blank();
    let start = reader.at;
    let rest = reader.line[start..].trim_end();
    let before = rest.strip_suffix("crash").map(str::trim_end).and_then(|rest| rest.strip_suffix("of"));
    let of_crash = before.is_some();
    let text = before.unwrap_or(rest).trim_end();
    reader.at = reader.line.len();
    match span::parse(text) {
        Ok(Span::ZERO) => Err(Fault::new(start..start + text.len(), "leaves no time", "a length above 0s")),
        Ok(within) => Ok(Aggregate::Eventually { within, of_crash }),
        Err(fault) => {
            let message = format!("has a length that {}", fault.what);
            Err(Fault::new(start + fault.at.start..start + fault.at.end, message, accepts))
        }
    }
}

/// Where a last `min n` begins in what is left of a line, if there is one.
///
/// `min` is a unit too, but a length never ends in a bare number.
fn min_clause(rest: &str) -> Option<usize> {
    let rest = rest.trim_end();
    let before = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    let word = before.trim_end();
    if before.len() == rest.len() || word.len() == before.len() {
        return None;
    }
    let value = word.strip_suffix("min")?;
    (value.is_empty() || value.ends_with(char::is_whitespace)).then_some(value.len())
}

/// A share in parts per million.
pub(super) fn share(text: &str) -> Result<u64, &'static str> {
    let ppm = if let Some(number) = text.strip_suffix('%') {
        decimal(number.trim(), 4).ok_or("has a share that is no number of at most 4 decimals")?
    } else if let Some((part, whole)) = text.split_once('/') {
        let parse =
            |text: &str| text.trim().parse::<u64>().map_err(|_| "has a share that is no fraction of whole numbers");
        let (part, whole) = (u128::from(parse(part)?), u128::from(parse(whole)?));
        if whole == 0 {
            return Err("divides by zero");
        }
        u64::try_from((part * 1_000_000 + whole / 2) / whole).map_err(|_| "has a share of more than 100%")?
    } else {
        return Err("has a share without its unit");
    };
    if ppm > 1_000_000 { Err("has a share of more than 100%") } else { Ok(ppm) }
}

/// A decimal number times 10^`places`, exact; `None` if it has more places or is none.
fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let part = if part.len() > 1 { part.trim_end_matches('0') } else { part };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || text.ends_with('.') || !digits(whole) || !digits(part) {
        return None;
    }
    let part = if part == "0" { "" } else { part };
    if part.len() > places {
        return None;
    }
    format!("{whole}{part:0<places$}").parse().ok()
}

fn min_samples(reader: &mut Reader<'_>, subject: Subject, aggregate: Aggregate) -> Result<u64, Fault> {
    reader.blank();
    let start = reader.at;
    if !reader.eat("min") {
        // No samples at all say nothing of their quantiles; how many there are is known even then.
        let latency = matches!(subject, Subject::Latency(_));
        return Ok(u64::from(latency && aggregate != Aggregate::Count));
    }
    if let Subject::Figure(_) | Subject::Signal(_) = subject {
        return Err(Fault::new(
            start..reader.line.len(),
            "asks for samples, and this metric has one value a run",
            "no `min`",
        ));
    }
    reader.blank();
    let (number, at) = reader.word(char::is_alphanumeric);
    number.parse().map_err(|_| Fault::new(at, "has no number after `min`", "a whole number of samples, e.g. min 1000"))
}

impl Fault {
    fn new(at: Range<usize>, message: impl Into<String>, accepts: impl Into<String>) -> Fault {
        Fault { at, message: message.into(), accepts: accepts.into(), hint: None }
    }

    fn near<'a>(at: Range<usize>, message: String, word: &str, known: impl Iterator<Item = &'a str>) -> Fault {
        let known: Vec<&str> = known.collect();
        let hint = near_miss(word, known.iter().copied()).map(|near| format!("did you mean {}?", quoted(near)));
        Fault { at, message, accepts: format!("one of {}", listed(known.iter().copied())), hint }
    }
}

/// A line and how far it has been read.
struct Reader<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn blank(&mut self) {
        self.at = self.line.len() - self.line[self.at..].trim_start().len();
    }

    /// Whether a window begins here: `1d..`, or `..1d`.
    fn is_at_window(&self) -> bool {
        let rest = self.line[self.at..].split(':').next().unwrap_or("");
        rest.contains("..") && rest.starts_with(|c: char| c.is_ascii_digit() || c == '.')
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.line[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// The characters that belong, and where they stand.
    fn word(&mut self, belongs: impl Fn(char) -> bool) -> (&'a str, Range<usize>) {
        let start = self.at;
        let rest = &self.line[start..];
        self.at += rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
        (&self.line[start..self.at], start..self.at)
    }

    /// A tag's value: in double quotes, or up to `,` or `}`.
    fn tag_value(&mut self) -> Result<(String, Range<usize>), Fault> {
        self.blank();
        if self.eat("\"") {
            let (value, at) = self.word(|c| c != '"');
            if !self.eat("\"") {
                return Err(Fault::new(at, "has a quoted value that does not end", "`\"`"));
            }
            return Ok((value.to_owned(), at));
        }
        let (value, at) = self.word(|c| !matches!(c, ',' | '}' | ':'));
        let value = value.trim_end();
        Ok((value.to_owned(), at.start..at.start + value.len()))
    }

    fn fault_here(&self, message: &str, accepts: &str) -> Fault {
        let rest = &self.line[self.at..];
        let start = self.line.len() - rest.trim_start().len();
        let end = self.line[start..].chars().next().map_or(start, |c| start + c.len_utf8());
        Fault::new(start..end, message, accepts)
    }

    fn fault_rest(&self, message: &str, accepts: &str) -> Fault {
        Fault::new(self.at..self.line.len(), message, accepts)
    }
}
