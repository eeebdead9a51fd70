//! The files of a result, as bytes: histograms in both usual formats, the series, records, the summary, the plan.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::json::summary;
use super::judge::Judged;
use super::latency::Samples;
use super::records;
use super::scenes;
use crate::measure::{Cause, Histo, Metric, Outcome, Tags};
use crate::scenario::plan::Plan;
use crate::sim::Names;
use crate::time::Time;

/// All files of a result but the page: their names in the result's folder and their bytes.
///
/// `plan_toml` is the plan as `scenario::render` writes it; it passes through.
pub fn files(
    plan: &Plan,
    outcome: &Outcome,
    judged: &[Judged],
    exit: u8,
    plan_toml: &str,
) -> Vec<(&'static str, Vec<u8>)> {
    // The alternate form of a JSON value is the indented one.
    let summary = format!("{:#}\n", summary(plan, outcome, judged, exit));
    let mut files = vec![
        ("summary.json", summary.into_bytes()),
        ("latency.hlog", hlog(outcome)),
        ("latency.hgrm", hgrm(outcome).into_bytes()),
        ("series.csv", series(plan, outcome).into_bytes()),
        ("records.jsonl", records::all(plan, outcome).into_bytes()),
        ("plan.toml", plan_toml.as_bytes().to_vec()),
    ];
    files.extend(scenes::crashes(plan, outcome).map(|crashes| ("crashes.json", format!("{crashes:#}\n").into_bytes())));
    files
}

/// The interval log: one line for each metric, group and cause, over the whole run.
fn hlog(outcome: &Outcome) -> Vec<u8> {
    let tagged = outcome.meters.histograms().map(|(metric, cell, cause, histogram)| {
        let tag = tag(outcome, metric, cell, cause);
        (tag, histogram)
    });
    interval_log(outcome.ended, tagged)
}

/// An interval log of histograms over the run time up to `ended`, each with its tag.
pub fn interval_log<'a>(ended: Time, tagged: impl Iterator<Item = (String, &'a Histo)>) -> Vec<u8> {
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[Logged with refresh-sim]")
        .add_comment("Values and the column of maxima are in ns of virtual time; time stamps are seconds of run time.")
        .add_comment("Tags are metric.group.cause.")
        // Run time 0, not a date: a reader that adds it changes nothing.
        .with_start_time(SystemTime::UNIX_EPOCH)
        .with_base_time(SystemTime::UNIX_EPOCH);
    // Writing to memory does not fail, nor does serialising a histogram of three digits.
    let Ok(mut log) = builder.begin_log_with(&mut bytes, &mut serializer) else { return Vec::new() };
    let ran = Duration::from_nanos(ended.0);
    for (tag, histogram) in tagged {
        let written = log.write_histogram(histogram, Duration::ZERO, ran, Tag::new(&tag));
        debug_assert!(written.is_ok(), "{tag}");
    }
    drop(log);
    bytes
}

/// The tag of a histogram of a run.
fn tag(outcome: &Outcome, metric: Metric, cell: u16, cause: Cause) -> String {
    let plan = &outcome.cells.plans[usize::from(cell)];
    let twins = outcome.cells.plans.iter().filter(|other| other.group == plan.group).count();
    let group = match metric {
        Metric::Sweep => "all".to_owned(),
        // The fold of many groups has one cell for each transport.
        _ if twins > 1 => format!("{}-{}", plan.group, plan.transport.name()),
        _ => plan.group.clone(),
    };
    log_tag(metric, &group, cause)
}

/// `refresh.rcc-gateway.refresh`; what the format forbids in tags becomes `_`.
pub fn log_tag(metric: Metric, group: &str, cause: Cause) -> String {
    let group = group.replace(|c: char| c == ',' || c.is_whitespace() || c.is_control(), "_");
    format!("{}.{group}.{}", metric.name(), cause.name())
}

/// Percentile distributions, a block for each metric and cause, all groups together.
fn hgrm(outcome: &Outcome) -> String {
    let mut out = String::new();
    for metric in Metric::ALL {
        for cause in Cause::ALL {
            let tags = Tags { cause: Some(cause), ..Tags::default() };
            let samples = Samples::of(outcome, *metric, &tags, None);
            let Some(histogram) = &samples.histogram else { continue };
            if !out.is_empty() {
                out.push('\n');
            }
            let _ = writeln!(out, "#[Metric = {}, cause = {}, unit = ns]", metric.name(), cause.name());
            if samples.never_min > 0 {
                let _ = writeln!(out, "#[Never ended, and not in this distribution = {}]", samples.never_min);
            }
            distribution(&mut out, histogram);
        }
    }
    out
}

/// Steps within each halving of the distance to 100 %: what HdrHistogram's own tools use.
const STEPS: u128 = 5;

/// One distribution in HdrHistogram's format. The ladder of percentiles is made of integers, for `powf` and `log2` differ
/// between platforms.
fn distribution(out: &mut String, histogram: &Histo) {
    let _ = writeln!(out, "{:>16} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let n = u128::from(histogram.len());
    let mut buckets = histogram.iter_recorded();
    let (mut seen, mut value) = (0u128, 0u64);
    // Step i of halving j leaves (2·STEPS − i) / (2·STEPS·2^j) of all beyond it.
    let ladder = (0..64u32).flat_map(|j| (0..STEPS).map(move |i| (2 * STEPS - i, (2 * STEPS) << j)));
    for (part, whole) in ladder {
        let beyond = n * part / whole;
        while seen < (n - beyond).max(1) {
            let Some(bucket) = buckets.next() else { break };
            seen += u128::from(bucket.count_since_last_iteration());
            value = histogram.highest_equivalent(bucket.value_iterated_to());
        }
        if beyond == 0 {
            break;
        }
        let (share, odds) = (1.0 - part as f64 / whole as f64, whole as f64 / part as f64);
        let _ = writeln!(out, "{value:>16} {share:>14.12} {seen:>10} {odds:>14.2}");
    }
    let _ = writeln!(out, "{value:>16} {:>14.12} {n:>10}", 1.0);
    let (mean, max) = (super::latency::mean_of(histogram), histogram.max());
    let _ = writeln!(out, "#[Mean    = {mean:>14}]");
    let _ = writeln!(out, "#[Max     = {max:>14}, Total count    = {n:>12}]");
}

/// The series: a row wherever something has changed since the row before of the same front end.
fn series(plan: &Plan, outcome: &Outcome) -> String {
    let names = Names::new(plan);
    let mut out = String::from("at_ns,front_end,up,valid,queued,busy,disconnected\n");
    for sample in &outcome.series {
        let _ = writeln!(
            out,
            "{},{},{},{},{},{},{}",
            sample.at.0,
            quoted(names.front_end(sample.front_end)),
            u8::from(sample.up),
            sample.valid,
            sample.queued,
            sample.busy,
            sample.disconnected
        );
    }
    out
}

/// A field of a CSV file, in quotes where it needs them.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
