//! Distributions as scenario files write them: a length of time, or a table with one key that names the kind.

use crate::dist::{Dist, DistError};
use crate::time::Span;

use super::{Item, Table, span};

/// The form of a distribution that is no constant, for messages.
const FORMS: &str = "a length of time in quotes, e.g. \"30s\", or one of { uniform = [\"1ms\", \"5ms\"] }, \
                     { exponential = \"1ms\" }, { lognormal = { median = \"1ms\", p99 = \"9ms\" } }, \
                     { lognormal = { mean = \"1ms\", sd = \"2ms\" } }, { pareto = { minimum = \"1ms\", shape = 2.5 } }, \
                     { weibull = { scale = \"1ms\", shape = 0.7 } }, { percentiles = [[\"p0\", \"1ms\"], [\"p100\", \"9ms\"]] }";
const ACCEPTS: &str = "a length of time in quotes, e.g. \"30s\", or a distribution, e.g. { exponential = \"1ms\" }";
const POINTS: &str =
    "pairs of percentile and length, e.g. [[\"p0\", \"1ms\"], [\"p50\", \"2ms\"], [\"p100\", \"9ms\"]]";

/// The kinds, each with how its value is read.
type Read = fn(&Item<'_, '_>) -> Option<Dist>;
const KINDS: [(&str, Read); 6] = [
    ("uniform", uniform),
    ("exponential", |item| made(item, Dist::exponential(item.length()?))),
    ("lognormal", lognormal),
    ("pareto", pareto),
    ("weibull", weibull),
    ("percentiles", percentiles),
];

impl Item<'_, '_> {
    /// A distribution of lengths of time.
    pub(in crate::scenario) fn dist(&self) -> Option<Dist> {
        let Some(table) = self.as_table() else {
            if self.as_string().is_some() || self.bare_number().is_some() {
                return self.length().map(Dist::Constant);
            }
            self.wrong_hint("is no distribution", ACCEPTS, FORMS);
            return None;
        };
        // Every kind is asked for, so that a misspelt one is told what it is near.
        let found: Vec<_> = KINDS.iter().filter_map(|(kind, read)| Some((table.get(kind)?, read))).collect();
        if found.len() != 1 || table.len() != 1 {
            if found.is_empty() && table.len() == 1 {
                table.finish();
            } else {
                self.wrong_hint(format!("has {} keys where one names the distribution", table.len()), "one key", FORMS);
            }
            return None;
        }
        let (item, read) = &found[0];
        read(item)
    }

    /// CPU time of a job: a distribution that is not the constant zero.
    pub(in crate::scenario) fn cpu(&self) -> Option<Dist> {
        let dist = self.dist()?;
        if dist == Dist::Constant(Span::ZERO) {
            self.wrong("is 0s, but every job takes time", "at least \"1ns\"");
            return None;
        }
        Some(dist)
    }
}

/// The distribution, or a complaint about the value that it was to be made from.
fn made(item: &Item<'_, '_>, dist: Result<Dist, DistError>) -> Option<Dist> {
    dist.map_err(|error| {
        let text = error.to_string();
        let (what, accepts) = text.split_once("; it ").unwrap_or((&text, ""));
        item.wrong(format!("does not work: {what}"), accepts.to_owned());
    })
    .ok()
}

fn uniform(item: &Item<'_, '_>) -> Option<Dist> {
    let ends = item.list(2..=2, "the least and the most, e.g. [\"1ms\", \"5ms\"]")?;
    // Both are read before either is given up, so that both are told.
    let ends: Vec<Option<Span>> = ends.iter().map(Item::length).collect();
    made(item, Dist::uniform(ends[0]?, ends[1]?))
}

fn pareto(item: &Item<'_, '_>) -> Option<Dist> {
    let (minimum, shape) = length_and_shape(item, "minimum")?;
    made(item, Dist::pareto(minimum, shape))
}

fn weibull(item: &Item<'_, '_>) -> Option<Dist> {
    let (scale, shape) = length_and_shape(item, "scale")?;
    made(item, Dist::weibull(scale, shape))
}

fn length_and_shape(item: &Item<'_, '_>, key: &'static str) -> Option<(Span, f64)> {
    let table = item.table(&format!("a table, e.g. {{ {key} = \"1ms\", shape = 2.5 }}"))?;
    let length = table.need(key, span::ACCEPTS).and_then(|item| item.length());
    let shape = table.need("shape", "a number above 0").and_then(|item| item.positive());
    table.finish();
    Some((length?, shape?))
}

fn lognormal(item: &Item<'_, '_>) -> Option<Dist> {
    let table = item.table("a table, e.g. { median = \"1ms\", p99 = \"9ms\" } or { mean = \"1ms\", sd = \"2ms\" }")?;
    if table.all().any(|(key, _)| matches!(key, "mean" | "sd")) {
        let mean = table.need("mean", span::ACCEPTS).and_then(|item| item.length());
        let sd = table.need("sd", span::ACCEPTS).and_then(|item| item.length());
        table.finish();
        return made(item, Dist::lognormal_mean_sd(mean?, sd?));
    }
    by_median(item, &table)
}

/// By the median and one percentile, whose key says which.
fn by_median(item: &Item<'_, '_>, table: &Table<'_, '_>) -> Option<Dist> {
    let median = table.need("median", span::ACCEPTS).and_then(|item| item.length());
    let mut points = Vec::new();
    for (key, point) in table.all().filter(|(key, _)| *key != "median") {
        let (key, point) = with_decimals(key, point);
        match probability(&key) {
            Some(p) => points.push((p, point.length())),
            None => item.cx.complain(
                point.key_span,
                format!("unknown key {} in `{}`", super::quoted(&key), item.path),
                "`median` and one percentile, e.g. `p99`; or `mean` and `sd`",
                super::near_miss(&key, ["median", "mean", "sd"].into_iter())
                    .map(|near| format!("did you mean `{near}`?")),
            ),
        }
    }
    match points[..] {
        [(p, at)] => made(item, Dist::lognormal_median_percentile(median?, p, at?)),
        _ => {
            item.wrong(
                format!("has {} percentiles beside the median", points.len()),
                "exactly one, e.g. { median = \"1ms\", p99 = \"9ms\" }",
            );
            None
        }
    }
}

/// To TOML a bare `p99.9` is the key `9` in the table `p99`; here it is meant as it looks.
fn with_decimals<'c, 'i>(key: &str, point: Item<'c, 'i>) -> (String, Item<'c, 'i>) {
    let inner = point.as_table().filter(|table| table.len() == 1).and_then(|table| table.all().next());
    match inner {
        Some((part, inner)) if part.bytes().all(|byte| byte.is_ascii_digit()) => (format!("{key}.{part}"), inner),
        _ => (key.to_owned(), point),
    }
}

fn percentiles(item: &Item<'_, '_>) -> Option<Dist> {
    let mut points = Vec::new();
    let mut good = true;
    for pair in item.list(2..=1000, POINTS)? {
        let point = point(&pair);
        good &= point.is_some();
        points.extend(point);
    }
    if good { made(item, Dist::empirical(&points)) } else { None }
}

fn point(pair: &Item<'_, '_>) -> Option<(f64, Span)> {
    let pair = pair.list(2..=2, "a pair of percentile and length, e.g. [\"p50\", \"2ms\"]")?;
    let name = pair[0].string("a percentile, e.g. \"p50\"");
    let length = pair[1].length();
    let p = probability(&name?);
    if p.is_none() {
        pair[0].wrong("is no percentile", "a percentile from \"p0\" to \"p100\", e.g. \"p99.9\"");
    }
    Some((p?, length?))
}

/// The probability of `p99.9`: 0.999, by moving the point in the text, for 99.9 / 100 may be another number.
fn probability(name: &str) -> Option<f64> {
    let number = name.strip_prefix('p')?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !digits(whole) || !digits(part) || number.ends_with('.') {
        return None;
    }
    let padded = format!("{whole:0>3}");
    let probability: f64 = format!("{}.{}{part}", &padded[..1], &padded[1..]).parse().ok()?;
    Some(probability).filter(|p| *p <= 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_number_to_what_is_written() {
        for (name, p) in [("p0", 0.0), ("p5", 0.05), ("p57", 0.57), ("p99.9", 0.999), ("p100", 1.0)] {
            assert_eq!(probability(name), Some(p), "{name}");
        }
        for name in ["", "p", "99", "p101", "p1e1", "p-1", "p9.", "p.5", "p1000", "pnan"] {
            assert_eq!(probability(name), None, "{name}");
        }
    }
}
