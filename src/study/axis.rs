//! What a sweep varies: axes of settings, and the points that they span.
//!
//! Knows texts and numbers. Whether a value is one that a scenario accepts is for the scenario to say.

use crate::id::mix;
use crate::rng::{philox, unit};
use crate::scenario::Setting;

use super::range::Range;

/// The most points that a sweep may have.
pub const POINTS_MAX: usize = 100_000;
/// The most values of a range that does not say how many.
const WHOLE_MAX: u64 = 1000;

/// How an axis is written.
pub const ACCEPTS: &str = "PATH=VALUES, with values like 1,2,4 or 1..8 or 100ms..10s:5 (five, evenly) or 1..1000:log4; \
                           with & between them, several paths go together";

/// One thing that varies, with all paths that go together.
#[derive(Clone, PartialEq, Debug)]
pub struct Axis {
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Debug)]
struct Part {
    path: String,
    values: Vec<String>,
    /// The range that `values` were made of, and whether by ratios, where it is nothing else.
    range: Option<(Range, bool)>,
}

impl Axis {
    /// Reads `path=values`, several of them with ` & ` between.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Axis, String> {
        let parts = split(text, '&').into_iter().map(Part::parse).collect::<Result<Vec<Part>, String>>()?;
        let counts: Vec<usize> = parts.iter().map(|part| part.values.len()).collect();
        if let Some(other) = counts.iter().find(|count| **count != counts[0]) {
            return Err(format!("what goes together has as many values: these have {} and {other}", counts[0]));
        }
        Ok(Axis { parts })
    }

    /// The paths that it sets.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.path.as_str())
    }

    fn len(&self) -> usize {
        self.parts.first().map_or(0, |part| part.values.len())
    }

    fn settings(&self, nth: usize) -> impl Iterator<Item = Setting> {
        let setting = move |part: &Part| Setting { path: part.path.clone(), value: part.values[nth].clone() };
        self.parts.iter().map(setting)
    }

    /// Its settings at a share of its way.
    fn at(&self, share: f64) -> impl Iterator<Item = Setting> {
        let nth = (libm::floor(share * self.len() as f64) as usize).min(self.len().saturating_sub(1));
        self.parts.iter().map(move |part| {
            let value = match &part.range {
                Some((range, true)) => range.ratio_between(share).map(|units| range.text(units)),
                Some((range, false)) => Some(range.text(range.between_evenly(share))),
                None => None,
            };
            Setting { path: part.path.clone(), value: value.unwrap_or_else(|| part.values[nth].clone()) }
        })
    }
}

impl Part {
    fn parse(text: &str) -> Result<Part, String> {
        let Some((path, values)) = path_of(text) else { return Err(format!("expected {ACCEPTS}")) };
        let items = split(values, ',');
        let (mut all, mut only) = (Vec::new(), None);
        for item in &items {
            let item = item.trim();
            if item.is_empty() {
                return Err(format!("{path} has an empty value; expected {ACCEPTS}"));
            }
            match steps(item) {
                None => all.push(item.to_owned()),
                Some(found) => {
                    let Steps { range, by_ratio, units } = found?;
                    all.extend(units.into_iter().map(|units| range.text(units)));
                    only = (items.len() == 1).then_some((range, by_ratio));
                }
            }
            if all.len() > POINTS_MAX {
                return Err(format!("{path} has more than {POINTS_MAX} values"));
            }
        }
        Ok(Part { path: path.to_owned(), values: all, range: only })
    }
}

/// A range, and the values that are taken of it.
struct Steps {
    range: Range,
    by_ratio: bool,
    units: Vec<u64>,
}

/// A range with its values; `None`: it is a plain value.
fn steps(text: &str) -> Option<Result<Steps, String>> {
    let (ends, how) = match text.rsplit_once(':') {
        Some((ends, how)) if Range::parse(ends).is_some() => (ends, Some(how.trim())),
        _ => (text, None),
    };
    let range = match Range::parse(ends)? {
        Ok(range) => range,
        Err(why) => return Some(Err(why)),
    };
    Some(values(&range, ends, how).map(|(by_ratio, units)| Steps { range, by_ratio, units }))
}

fn values(range: &Range, ends: &str, how: Option<&str>) -> Result<(bool, Vec<u64>), String> {
    let Some(how) = how else {
        let is_short = range.unit == super::range::Unit::Count && range.high - range.low < WHOLE_MAX;
        let count = range.high - range.low + 1;
        return if is_short {
            Ok((false, range.linear(count)))
        } else {
            Err(format!("how many values of {ends}? write {ends}:5 for five, evenly, or {ends}:log5"))
        };
    };
    let (by_ratio, count) = how.strip_prefix("log").map_or((false, how), |count| (true, count.trim()));
    let count = count.parse::<u64>().ok().filter(|count| (2..=POINTS_MAX as u64).contains(count));
    let count = count.ok_or_else(|| format!("{ends}:{how} does not say how many values: write {ends}:5 or :log5"))?;
    if !by_ratio {
        return Ok((false, range.linear(count)));
    }
    let values = range.logarithmic(count);
    Ok((true, values.ok_or_else(|| format!("{ends} begins at zero, where a logarithmic range cannot"))?))
}

/// The path and what comes after its `=`.
fn path_of(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '=') => {
                let path = text[..at].trim();
                return (!path.is_empty()).then_some((path, &text[at + 1..]));
            }
            _ => {}
        }
    }
    None
}

/// The parts between separators that are in no quotes and no brackets.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut quote) = (Vec::new(), 0, 0u32, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{' | '(') => depth += 1,
            (None, ']' | '}' | ')') => depth = depth.saturating_sub(1),
            (None, c) if c == separator && depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

/// All points of several axes: the first axis changes slowest.
///
/// # Errors
/// More than [`POINTS_MAX`], or a path that is set twice.
pub fn grid(axes: &[Axis]) -> Result<Vec<Vec<Setting>>, String> {
    apart(axes)?;
    let count = axes.iter().try_fold(1usize, |count, axis| count.checked_mul(axis.len()));
    let count = count.filter(|count| *count <= POINTS_MAX).ok_or_else(|| {
        format!("the grid has more than {POINTS_MAX} points; vary less, or take a sample of them with --samples")
    })?;
    let point = |nth: usize| {
        let (mut rest, mut places) = (nth, vec![0; axes.len()]);
        for (place, axis) in places.iter_mut().zip(axes).rev() {
            (*place, rest) = (rest % axis.len(), rest / axis.len());
        }
        axes.iter().zip(places).flat_map(|(axis, place)| axis.settings(place)).collect()
    };
    Ok((0..count).map(point).collect())
}

/// `count` points of a Latin hypercube: the way of each axis is cut into `count` equal parts, and each part has one
/// point. Source: M. D. McKay, R. J. Beckman, W. J. Conover, Technometrics 21 (1979) 239.
///
/// # Errors
/// A path that is set twice.
pub fn latin(axes: &[Axis], count: usize, seed: u64) -> Result<Vec<Vec<Setting>>, String> {
    apart(axes)?;
    let ways: Vec<Vec<f64>> = (0..axes.len()).map(|axis| strata(count, seed, axis as u32)).collect();
    let point = |nth: usize| axes.iter().zip(&ways).flat_map(|(axis, way)| axis.at(way[nth])).collect();
    Ok((0..count).map(point).collect())
}

/// A share of the way for each point, one in each of `count` equal parts, in an order of the axis's own.
fn strata(count: usize, seed: u64, axis: u32) -> Vec<f64> {
    let key = mix(seed ^ 0x6c61_7469_6e68_6375);
    let block = |nth: usize| {
        let words = philox([nth as u32, axis, 0, 0], [key as u32, (key >> 32) as u32]);
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        (pair(words[0], words[1]), pair(words[2], words[3]))
    };
    let mut order: Vec<(u64, usize)> = (0..count).map(|nth| (block(nth).0, nth)).collect();
    order.sort_unstable();
    let mut shares = vec![0.0; count];
    for (place, (_, nth)) in order.into_iter().enumerate() {
        shares[nth] = (place as f64 + unit(block(nth).1)) / count as f64;
    }
    shares
}

fn apart(axes: &[Axis]) -> Result<(), String> {
    let mut paths: Vec<&str> = axes.iter().flat_map(Axis::paths).collect();
    paths.sort_unstable();
    match paths.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{} is varied twice", pair[0])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let axis = Axis::parse(text).expect("an axis");
        (0..axis.len()).flat_map(|nth| axis.settings(nth).map(|set| set.value).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn an_axis_is_a_list_or_a_range_or_both() {
        assert_eq!(values("a=1,2, 5..7"), ["1", "2", "5", "6", "7"]);
        assert_eq!(values("a=100ms..1s:4"), ["100ms", "400ms", "700ms", "1s"]);
        assert_eq!(values("a=1..1000:log4"), ["1", "10", "100", "1000"]);
        assert_eq!(values("a=5%..20%:4"), ["5%", "10%", "15%", "20%"]);
        assert_eq!(
            values("a={ exponential = \"20ms\", x = [1, 2] },\"x,y\""),
            ["{ exponential = \"20ms\", x = [1, 2] }", "\"x,y\""]
        );
        assert_eq!(values("expect.x=refresh in refresh 1d..2d : max <= 1s"), ["refresh in refresh 1d..2d : max <= 1s"]);
    }

    #[test]
    fn linked_paths_go_together_and_have_as_many_values() {
        assert_eq!(values("a=1,2 & b=10s,20s"), ["1", "10s", "2", "20s"]);
        assert!(Axis::parse("a=1,2 & b=1,2,3").expect_err("not as many").contains("2 and 3"));
    }

    #[test]
    fn what_is_no_axis_is_refused_in_words() {
        for (text, word) in [
            ("", "PATH=VALUES"),
            ("a", "PATH=VALUES"),
            ("=1", "PATH=VALUES"),
            ("a=", "empty"),
            ("a=1,,2", "empty"),
            ("a=1s..2s", "how many"),
            ("a=1..1000000", "how many"),
            ("a=9..1", "lower end first"),
            ("a=1..9:x", "how many"),
            ("a=1..9:1", "how many"),
            ("a=0..9:log3", "begins at zero"),
            ("a=1..9:log99999999999", "how many"),
            ("a=1..2 &", "PATH=VALUES"),
        ] {
            let why = Axis::parse(text).expect_err(text);
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    #[test]
    fn a_grid_has_every_combination_once() {
        let axes = [Axis::parse("a=1,2 & c=x,y").expect("an axis"), Axis::parse("b=1..3").expect("an axis")];
        let points = grid(&axes).expect("a grid");
        let words: Vec<String> =
            points.iter().map(|point| point.iter().map(|set| set.value.as_str()).collect()).collect();
        assert_eq!(words, ["1x1", "1x2", "1x3", "2y1", "2y2", "2y3"]);
        assert!(grid(&[axes[0].clone(), axes[0].clone()]).is_err(), "a path twice");
        let wide = ["a=1..1000", "b=1..1000"].map(|text| Axis::parse(text).expect("an axis"));
        assert!(grid(&wide).expect_err("too many").contains("--samples"));
    }

    #[test]
    fn a_latin_hypercube_has_one_point_in_each_part_of_each_axis_and_depends_on_the_seed_alone() {
        let axes = ["a=1..100", "b=1ms..1s:log9", "c=x,y"].map(|text| Axis::parse(text).expect("an axis"));
        let points = latin(&axes, 100, 7).expect("points");
        let mut first: Vec<u64> = points.iter().map(|point| point[0].value.parse().expect("a number")).collect();
        first.sort_unstable();
        assert_eq!(first, (1..=100).collect::<Vec<u64>>());
        assert_eq!(points.iter().filter(|point| point[2].value == "x").count(), 50);
        assert_eq!(latin(&axes, 100, 7).expect("points"), points);
        assert_ne!(latin(&axes, 100, 8).expect("points"), points);
        let lengths = points.iter().map(|point| crate::scenario::length(&point[1].value).expect("a length"));
        let below = lengths.filter(|length| length.0 < 31_622_777).count();
        assert_eq!(below, 50, "half of the way by ratios");
    }
}
