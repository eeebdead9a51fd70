//! One replication of a plan, reduced to what is kept of it: enough to put it together with others, and to say which of
//! them was the worst. Its size hangs on what can be measured, not on how much was.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use crate::measure::{COURSES, Cause, Figure, Histo, Metric, Outcome, Tags, Verdict};
use crate::report::{self, Pooled};
use crate::scenario::{Between, Plan};
use crate::validate::Transport;

use super::capacity::asks_for_more;
use super::cell::{Cell, PROGRAM, key, plan_hash};

/// The name and version of the shape of a kept replication.
pub const REPLICA: &str = "refresh-sim.replication/1";

/// One replication.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replica {
    /// [`REPLICA`].
    pub schema: String,
    /// Its key.
    pub key: String,
    /// Which replication it is.
    pub replication: u32,
    /// All of its values, as a sweep keeps them.
    pub values: Cell,
    /// The expectations, in the plan's order.
    pub expectations: Vec<Judgement>,
    /// A front end that crashed although no expectation is about that.
    pub unmentioned_crash: Option<String>,
    /// How the run went: its place among the words, the worst first.
    pub course: usize,
    /// Why so, in words.
    pub because: String,
    /// Latencies by group and cause.
    pub latencies: Vec<Latency>,
    /// How many of a latency never came to an end, all groups of a transport together: not always the sum of theirs.
    pub never: Vec<Never>,
}

/// What became of one expectation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: String,
    /// What was observed, in words.
    pub observed: String,
    /// Why it is inconclusive, or what else there is to know.
    pub why: Option<String>,
    /// The value that decides, in the unit of [`super::capacity::shape`]; `None`: there is none, or it is not known;
    /// [`u64::MAX`]: never.
    pub value: Option<u64>,
}

impl Judgement {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        match self.verdict.as_str() {
            "pass" => Verdict::Pass,
            "fail" => Verdict::Fail,
            _ => Verdict::Inconclusive,
        }
    }
}

/// Which latency: of all peers with a transport, or of one group of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its metric.
    #[serde(serialize_with = "metric_out", deserialize_with = "metric_in")]
    pub metric: Metric,
    /// `tcp`, `tls`; empty: it has none.
    pub transport: String,
    /// Its cause.
    #[serde(serialize_with = "cause_out", deserialize_with = "cause_in")]
    pub cause: Cause,
    /// The group; `None`: all of the transport.
    pub group: Option<String>,
}

/// Samples of one group.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Which.
    pub line: Line,
    /// Its samples.
    #[serde(serialize_with = "samples_out", deserialize_with = "samples_in")]
    pub samples: Pooled,
}

/// How many never came to an end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Never {
    /// Of which latency; its group is `None`.
    pub line: Line,
    /// How many.
    pub count: u64,
}

impl Replica {
    /// The key of a replication of a plan with this hash, made by this program.
    pub fn key(plan_hash: &str, replication: u32) -> String {
        key(REPLICA, PROGRAM, plan_hash, replication)
    }

    /// Reduces an outcome of `plan`; `None`: it was interrupted.
    pub fn of(plan: &Plan, outcome: &Outcome) -> Option<Replica> {
        let values = Cell::of(plan, outcome)?;
        let course = report::course(plan, outcome);
        let (latencies, never) = latencies(outcome);
        let decides = |op, (low, high): Between| if asks_for_more(op) { low } else { high.unwrap_or(u64::MAX) };
        let expectations = report::judge(plan, outcome).into_iter().zip(&plan.expect).map(|(judged, expectation)| {
            let value = report::observe(plan, outcome, expectation);
            Judgement {
                verdict: verdict(judged.verdict).to_owned(),
                observed: judged.observed,
                why: judged.why,
                value: value.map(|between| decides(expectation.op, between)),
            }
        });
        Some(Replica {
            schema: REPLICA.to_owned(),
            key: Replica::key(&plan_hash(plan), plan.replication),
            replication: plan.replication,
            expectations: expectations.collect(),
            unmentioned_crash: report::unmentioned_crash(plan, outcome).map(str::to_owned),
            course: COURSES.iter().position(|word| *word == course.name).unwrap_or(0),
            because: course.because.clone(),
            values,
            latencies,
            never,
        })
    }

    /// Its text: one line of JSON.
    pub fn text(&self) -> String {
        // Strings, numbers and lists of them: there is nothing in it that JSON could not hold.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Reads the one of this key; `None`: the text is not whole, or not of this key.
    pub fn read(text: &[u8], key: &str) -> Option<Replica> {
        let own: Replica = serde_json::from_slice(text).ok()?;
        (own.schema == REPLICA && own.key == key && text.ends_with(b"\n")).then_some(own)
    }

    /// The value of a figure of the whole run; `None`: there is none.
    pub fn figure(&self, figure: Figure) -> Option<u64> {
        let is_it = |name: &str, statistic: &str| name == figure.name() && statistic == "value";
        self.values.rows.iter().find(|row| is_it(&row.metric, &row.statistic))?.value
    }
}

/// A verdict as results have it.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
    }
}

fn latencies(outcome: &Outcome) -> (Vec<Latency>, Vec<Never>) {
    let (mut latencies, mut never) = (Vec::new(), Vec::new());
    for metric in Metric::ALL.iter().copied() {
        for cause in Cause::ALL {
            let line = |transport: Option<Transport>, group| Line {
                metric,
                transport: transport.map_or_else(String::new, |transport| transport.name().to_owned()),
                cause,
                group,
            };
            let samples = |tags: Tags| Pooled::of(outcome, metric, &Tags { cause: Some(cause), ..tags });
            if metric == Metric::Sweep {
                // One a tick: it has neither group nor transport.
                latencies.extend(samples(Tags::default()).map(|samples| Latency { line: line(None, None), samples }));
                continue;
            }
            for transport in [Transport::Tcp, Transport::Tls] {
                let Some(all) = samples(Tags { transport: Some(transport), ..Tags::default() }) else { continue };
                never.push(Never { line: line(Some(transport), None), count: all.never() });
                for cell in outcome.cells.plans.iter().filter(|cell| cell.transport == transport) {
                    let group = Some(cell.group.clone());
                    let tags = Tags { group: group.clone(), transport: Some(transport), ..Tags::default() };
                    latencies
                        .extend(samples(tags).map(|samples| Latency { line: line(Some(transport), group), samples }));
                }
            }
        }
    }
    (latencies, never)
}

// ---- as JSON

fn metric_out<S: serde::Serializer>(metric: &Metric, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(metric.name())
}

fn metric_in<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Metric, D::Error> {
    let name = String::deserialize(from)?;
    let found = Metric::ALL.iter().copied().find(|metric| metric.name() == name);
    found.ok_or_else(|| serde::de::Error::custom(format!("no metric is called {name:?}")))
}

fn cause_out<S: serde::Serializer>(cause: &Cause, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(cause.name())
}

fn cause_in<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Cause, D::Error> {
    let name = String::deserialize(from)?;
    let found = Cause::ALL.into_iter().find(|cause| cause.name() == name);
    found.ok_or_else(|| serde::de::Error::custom(format!("no cause is called {name:?}")))
}

/// Samples as they are kept: the histogram as in `latency.hlog` (V2, deflated, base64), and how many never ended.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    never: u64,
    histogram: Option<String>,
}

fn samples_out<S: serde::Serializer>(samples: &Pooled, to: S) -> Result<S::Ok, S::Error> {
    let encoded = |histogram: &Histo| {
        let mut bytes = Vec::new();
        let done = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
        done.map(|_| STANDARD.encode(bytes)).map_err(serde::ser::Error::custom)
    };
    let histogram = samples.histogram().map(encoded).transpose()?;
    Kept { never: samples.never(), histogram }.serialize(to)
}

fn samples_in<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Pooled, D::Error> {
    let Kept { never, histogram } = Kept::deserialize(from)?;
    let decoded = |text: String| -> Result<Histo, D::Error> {
        let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        let read: Result<Histo, _> = Deserializer::new().deserialize(&mut bytes.as_slice());
        let histogram = read.map_err(|error| serde::de::Error::custom(format!("a histogram: {error}")))?;
        // Another's could not be added to ours.
        let is_ours = (histogram.sigfig(), histogram.low()) == (3, 1);
        if is_ours { Ok(histogram) } else { Err(serde::de::Error::custom("a histogram of another shape")) }
    };
    Ok(Pooled::new(histogram.map(decoded).transpose()?, never))
}

#[cfg(test)]
mod tests {
    use super::super::cell::tests::plan;
    use super::*;

    #[test]
    fn a_replication_is_read_back_with_the_same_samples_or_not_at_all() {
        let plan = Plan { replication: 3, ..plan("a", &[("group.0.rtt", "{ exponential = \"20ms\" }")]) };
        let outcome = crate::sim::run(&plan, &mut crate::sim::Unwatched).expect("it runs");
        let own = Replica::of(&plan, &outcome).expect("it ended");
        assert!(own.latencies.len() > 5 && own.never.len() > 5);
        let text = own.text();
        let key = Replica::key(&plan_hash(&plan), 3);
        let back = Replica::read(text.as_bytes(), &key).expect("it is whole");
        assert_eq!(back.text(), text);
        for (one, other) in own.latencies.iter().zip(&back.latencies) {
            assert_eq!((&one.line, one.samples.histogram()), (&other.line, other.samples.histogram()));
        }
        for cut in [0, 1, text.len() / 2, text.len() - 1] {
            assert!(Replica::read(&text.as_bytes()[..cut], &key).is_none(), "{cut}");
        }
        assert!(Replica::read(text.as_bytes(), &Replica::key(&plan_hash(&plan), 4)).is_none(), "another's");
        let coarse = text.replacen("refresh-sim.replication/1", "refresh-sim.replication/9", 1);
        assert!(Replica::read(coarse.as_bytes(), &key).is_none(), "of another shape");
    }
}
