//! A comparison in words and as JSON.

use serde_json::{Value as Json, json};

use crate::measure::{COURSES, Shape};
use crate::report::words;
use crate::time::Span;

use super::compare::{Comparison, Finding, Overall, Tested};
use super::family::Key;
use super::stats::ALPHA;

/// Values that get a line each in a section; JSON has all.
const LINES_MAX: usize = 30;

/// One value in words.
fn value(key: &Key, value: Option<u64>) -> String {
    let shape = match key {
        Key::Latency { .. } => Shape::Latency,
        Key::Figure(figure) => figure.shape(),
    };
    shaped(shape, value)
}

/// A value of some shape in words; shares in parts per billion.
pub(super) fn shaped(shape: Shape, value: Option<u64>) -> String {
    match (value, shape) {
        (None, _) => "none".to_owned(),
        (Some(u64::MAX), _) => "never".to_owned(),
        (Some(ns), Shape::Latency | Shape::Length) => words::about(Span(ns)),
        (Some(n), Shape::Count) => words::count(n),
        (Some(ppb), Shape::Share) => words::percent(ppb.into(), 1_000_000_000),
        (Some(nth), Shape::Course) => {
            usize::try_from(nth).ok().and_then(|nth| COURSES.get(nth)).copied().unwrap_or("?").to_owned()
        }
    }
}

/// The change as a percentage; nothing where there is no ratio: from zero, to never, between words.
fn change(tested: &Tested) -> String {
    let is_word = matches!(&tested.key, Key::Figure(figure) if figure.shape() == Shape::Course);
    let Some(ppm) = tested.change_ppm.filter(|_| !is_word) else { return String::new() };
    let tenths = (ppm.unsigned_abs() + 500) / 1000;
    let sign = if ppm < 0 { '-' } else { '+' };
    let places = if tenths == 0 {
        format!("{:.4}", ppm.unsigned_abs() as f64 / 10_000.0)
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    format!("{sign}{places} %")
}

/// How far a change goes, to find the largest.
fn size(tested: &Tested) -> u64 {
    tested.change_ppm.map_or(u64::MAX, i64::unsigned_abs)
}

/// Quantiles of one latency with the same finding, told in one line: the one that differs most.
struct Line<'a> {
    most: &'a Tested,
    all: Vec<&'a Tested>,
}

fn lines(comparison: &Comparison, finding: Finding) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for tested in comparison.tested.iter().filter(|tested| tested.finding == finding) {
        match lines.last_mut().filter(|line| line.most.key.name() == tested.key.name()) {
            Some(line) => {
                if size(tested) > size(line.most) {
                    line.most = tested;
                }
                line.all.push(tested);
            }
            None => lines.push(Line { most: tested, all: vec![tested] }),
        }
    }
    lines
}

fn section(text: &mut String, comparison: &Comparison, title: &str, finding: Finding) {
    let lines = lines(comparison, finding);
    if lines.is_empty() {
        return;
    }
    *text += &format!("\n{title}\n");
    let cells = |line: &Line<'_>| {
        let most = line.most;
        let quantiles: Vec<String> = line.all.iter().filter_map(|tested| tested.key.quantile()).collect();
        let from_to = format!("{} -> {}", value(&most.key, most.medians[0]), value(&most.key, most.medians[1]));
        let at =
            most.key.quantile().filter(|_| line.all.len() > 1).map_or_else(String::new, |at| format!(", most at {at}"));
        let times = if comparison.paired {
            format!("in {} of {}", most.more.max(most.less), comparison.replications)
        } else {
            format!("p {:.1e}", most.p)
        };
        [most.key.name(), quantiles.join(" "), from_to, change(most), format!("{times}{at}")]
    };
    let rows: Vec<[String; 5]> = lines.iter().take(LINES_MAX).map(cells).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    for [name, quantiles, from_to, change, times] in &rows {
        let [a, b, c, d] = widths;
        *text += format!("  {name:a$}  {quantiles:b$}  {from_to:c$}  {change:>d$}  {times}").trim_end();
        text.push('\n');
    }
    if lines.len() > LINES_MAX {
        *text += &format!("  and {} more, which --format json has\n", lines.len() - LINES_MAX);
    }
}

/// For whom: groups with something of this kind.
fn whom(comparison: &Comparison, finding: Finding) -> Option<String> {
    let mut groups: Vec<&str> = Vec::new();
    for tested in comparison.tested.iter().filter(|tested| tested.finding == finding) {
        groups.extend(tested.key.group().filter(|group| !groups.contains(group)));
    }
    (!groups.is_empty()).then(|| groups.join(", "))
}

fn headline(comparison: &Comparison) -> String {
    let n = words::plural(comparison.replications.into(), "replication", "replications");
    let needed = comparison.needed;
    match comparison.overall {
        Overall::Identical => format!("identical, not merely alike: {n}, each with the same digest on both sides"),
        Overall::Unchanged => format!("unchanged: decisions differ, but no value does, in {n}"),
        Overall::NoChangeShown => format!("no change shown by {n}"),
        Overall::Changed => format!("changed, and nothing is worse, by {n}"),
        Overall::Regression => format!("regression, shown by {n}"),
        Overall::Inconclusive if comparison.paired => format!(
            "inconclusive: {n}, and among {} tests a difference can only be called with {needed} or more; \
             run with --replications {needed}",
            comparison.tests,
        ),
        Overall::Inconclusive => format!(
            "inconclusive: {n} on the side that has fewer, and without pairs it takes {needed} on each; run with \
             --replications {needed}",
        ),
    }
}

/// The comparison in words.
pub fn text(comparison: &Comparison, tolerance_ppm: u64) -> String {
    let mut text = words::wrap(&headline(comparison), 100, 2) + "\n";
    section(&mut text, comparison, "worse", Finding::Worse);
    section(&mut text, comparison, "better", Finding::Better);
    section(&mut text, comparison, "other", Finding::Other);
    for (finding, what) in [(Finding::Worse, "worse for"), (Finding::Better, "better for")] {
        if let Some(groups) = whom(comparison, finding) {
            text += &format!("\n{what}: {groups}");
        }
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let count = |finding| comparison.tested.iter().filter(|tested| tested.finding == finding).count();
    let told = [
        (Finding::Slight, "differ by no more than the tolerance"),
        (Finding::NotShown, "differ, and chance is not ruled out"),
        (Finding::Unchanged, "are the same"),
        (Finding::NoData, "have no data"),
    ];
    let told: Vec<String> = told
        .iter()
        .map(|(finding, what)| (count(*finding), what))
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    let how = if comparison.paired { "paired by seed, sign test" } else { "not paired, rank test over replications" };
    let method = format!(
        "{how}; {} tests, chance of any false call at most {ALPHA}; tolerance {}{}{}",
        comparison.tests,
        words::percent(tolerance_ppm.into(), 1_000_000),
        if told.is_empty() { "" } else { "; of the rest " },
        told.join(", "),
    );
    text + "\n" + &words::wrap(&method, 100, 2) + "\n"
}

fn name(finding: Finding) -> &'static str {
    match finding {
        Finding::Worse => "worse",
        Finding::Better => "better",
        Finding::Other => "other",
        Finding::Slight => "within tolerance",
        Finding::NotShown => "no change shown",
        Finding::Unchanged => "unchanged",
        Finding::NoData => "no data",
    }
}

/// The comparison as JSON: lengths in ns, shares in parts per billion, never as `"never"`.
pub fn json(comparison: &Comparison, tolerance_ppm: u64) -> Json {
    let number = |value: Option<u64>| match value {
        Some(u64::MAX) => json!("never"),
        value => json!(value),
    };
    let one = |tested: &Tested| {
        json!({
            "name": tested.key.label(),
            "group": tested.key.group(),
            "finding": name(tested.finding),
            "medians": tested.medians.map(number),
            "change_ppm": tested.change_ppm,
            "more": tested.more,
            "less": tested.less,
            "p": tested.p,
        })
    };
    json!({
        "verdict": comparison.overall.name(),
        "paired": comparison.paired,
        "replications": comparison.replications,
        "replications_needed": comparison.needed,
        "same_digest": comparison.same,
        "first_different_replication": comparison.differ.first(),
        "different_replications": comparison.differ.len(),
        "tests": comparison.tests,
        "alpha": ALPHA,
        "tolerance_ppm": tolerance_ppm,
        "tested": comparison.tested.iter().map(one).collect::<Json>(),
    })
}
