//! Sweeps: one scenario at many settings, each cell a pure function of its plan and its replication, found by its key.
//!
//! Knows which cells a sweep has, and its tables. Does not know where cells are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::COURSES;
use crate::scenario::{Plan, SEMANTICS, Setting};

use super::cell::{CELL, Cell, PROGRAM, Row, key};
use super::stats::{median, median_interval};

/// The name and version of the shape of a sweep.
pub const SWEEP: &str = "refresh-sim.sweep/2";

/// One point of a sweep.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The values that are varied, in the order of [`Sweep::paths`].
    pub values: Vec<String>,
    /// [`plan_hash`](super::cell::plan_hash) of its plan.
    pub plan: String,
}

/// A sweep: all of its points, and how many replications of each.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// [`SWEEP`].
    pub schema: String,
    /// The model's rules.
    pub semantics: u32,
    /// The program that its cells are of: [`PROGRAM`] where they were run.
    pub program: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seed, unless it is varied.
    pub seed: u64,
    /// Replications of each point: 0 to this, without it.
    pub replications: u32,
    /// The paths that are varied.
    pub paths: Vec<String>,
    /// The points in order.
    pub points: Vec<Point>,
}

/// Why a text is no sweep that can be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SweepError {
    /// It is no JSON of this shape.
    #[error("it is no sweep: {0}")]
    Shape(String),
    /// It is of other rules.
    #[error("it was made with semantics {0}, and this program has {SEMANTICS}: its runs went by other rules")]
    Semantics(u32),
}

impl Sweep {
    /// A sweep over points, each with the settings that vary and the plan that they make.
    pub fn new(plan: &Plan, replications: u32, points: &[(Vec<Setting>, String)]) -> Sweep {
        let paths = points.first().map_or(Vec::new(), |(set, _)| set.iter().map(|set| set.path.clone()).collect());
        let point = |(set, plan): &(Vec<Setting>, String)| Point {
            values: set.iter().map(|set| set.value.clone()).collect(),
            plan: plan.clone(),
        };
        Sweep {
            schema: SWEEP.to_owned(),
            semantics: SEMANTICS,
            program: PROGRAM.to_owned(),
            scenario: plan.name.clone(),
            seed: plan.seed,
            replications,
            paths,
            points: points.iter().map(point).collect(),
        }
    }

    /// Its text.
    pub fn text(&self) -> String {
        // As for cells.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads one.
    ///
    /// # Errors
    /// See [`SweepError`].
    pub fn read(text: &[u8]) -> Result<Sweep, SweepError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let shape = |error: serde_json::Error| SweepError::Shape(error.to_string());
        let head: Head = serde_json::from_slice(text).map_err(shape)?;
        if head.schema != SWEEP {
            return Err(SweepError::Shape(format!("its schema is {:?}, not {SWEEP:?}", head.schema)));
        }
        let sweep: Sweep = serde_json::from_slice(text).map_err(shape)?;
        if sweep.semantics != SEMANTICS {
            return Err(SweepError::Semantics(sweep.semantics));
        }
        if let Some(point) = sweep.points.iter().find(|point| point.values.len() != sweep.paths.len()) {
            return Err(SweepError::Shape(format!("a point has {} values", point.values.len())));
        }
        Ok(sweep)
    }

    /// How many cells it has.
    pub fn len(&self) -> u64 {
        self.points.len() as u64 * u64::from(self.replications)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All cells in order: the point, the replication, the key.
    pub fn cells(&self) -> impl Iterator<Item = (usize, u32, String)> {
        self.points.iter().enumerate().flat_map(move |(nth, point)| {
            (0..self.replications)
                .map(move |replication| (nth, replication, key(CELL, &self.program, &point.plan, replication)))
        })
    }

    /// A cell in words: what it sets, and its replication if there are several.
    pub fn name(&self, nth: usize, replication: u32) -> String {
        let values = self.points.get(nth).map_or(&[][..], |point| &point.values);
        let set = self.paths.iter().zip(values).map(|(path, value)| format!("{path}={value}"));
        let set = set.collect::<Vec<_>>().join(" ");
        if self.replications > 1 { format!("{set}, replication {replication}") } else { set }
    }
}

/// Whether the `nth` cell is one of shard `shard` of `shards`.
pub fn is_in_shard(nth: u64, (shard, shards): (u64, u64)) -> bool {
    nth % shards.max(1) == shard
}

// ---- tables

/// The table of all cells, a row for each value of each, as text in pieces: give it cells in the order of
/// [`Sweep::cells`].
#[derive(Debug)]
pub struct Table<'a> {
    sweep: &'a Sweep,
    text: String,
    /// The rows of the point that is under way, without their values, and those of each replication.
    rows: BTreeMap<Row, Vec<Option<u64>>>,
    summary: String,
}

impl<'a> Table<'a> {
    /// An empty one.
    pub fn new(sweep: &'a Sweep) -> Table<'a> {
        let head = |own: &[&str]| {
            let paths = sweep.paths.iter().map(|path| field(path));
            let all = std::iter::once("cell".to_owned()).chain(paths).chain(own.iter().map(|name| (*name).to_owned()));
            all.collect::<Vec<_>>().join(",") + "\n"
        };
        let text = head(&["replication", "metric", "group", "cause", "statistic", "unit", "value"]);
        let of = ["metric", "group", "cause", "statistic", "unit", "replications", "known", "never"];
        let summary = head(&[&of[..], &["median", "low", "high", "min", "max"]].concat());
        Table { sweep, text, rows: BTreeMap::new(), summary }
    }

    /// Adds the next cell.
    pub fn add(&mut self, nth: usize, replication: u32, cell: &Cell) {
        let head = self.head(nth);
        for row in &cell.rows {
            let names = names(row);
            self.text += &format!("{head},{replication},{names},{}\n", number(row.value));
            let own = Row { value: None, ..row.clone() };
            self.rows.entry(own).or_default().push(row.value);
        }
        if replication + 1 == self.sweep.replications {
            let rows = std::mem::take(&mut self.rows);
            for (row, values) in &rows {
                self.summary += &format!("{head},{},{}\n", names(row), summary(values, self.sweep.replications));
            }
        }
    }

    /// `cells.csv` and `summary.csv`.
    pub fn finish(self) -> (String, String) {
        (self.text, self.summary)
    }

    fn head(&self, nth: usize) -> String {
        let values = self.sweep.points.get(nth).map_or(&[][..], |point| &point.values);
        values.iter().fold(nth.to_string(), |head, value| head + "," + &field(value))
    }
}

fn names(row: &Row) -> String {
    [&row.metric, &row.group, &row.cause, &row.statistic, &row.unit].map(|text| field(text)).join(",")
}

/// The median over replications, its 95 % interval from ten on (rule 31), and the ends.
fn summary(values: &[Option<u64>], replications: u32) -> String {
    let mut known: Vec<u64> = values.iter().copied().flatten().collect();
    known.sort_unstable();
    let never = known.iter().filter(|value| **value == u64::MAX).count();
    let middle = median(&known, Ord::cmp);
    let interval = median_interval(&known);
    let ends = [middle, interval.map(|i| i.0), interval.map(|i| i.1), known.first().copied(), known.last().copied()];
    let ends = ends.map(number).join(",");
    format!("{replications},{},{never},{ends}", known.len())
}

fn number(value: Option<u64>) -> String {
    match value {
        None => String::new(),
        Some(u64::MAX) => "inf".to_owned(),
        Some(value) => value.to_string(),
    }
}

/// A field of CSV (RFC 4180): quoted where it must be.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// The words of the unit `course`, by their numbers.
pub fn courses() -> String {
    COURSES.iter().enumerate().map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::cell::plan_hash;
    use super::super::cell::tests::{cell, plan};
    use super::*;

    #[test]
    fn tables_have_a_row_for_each_cell_and_value_and_quote_what_must_be() {
        let rtts = ["{ exponential = \"20ms\" }", "{ uniform = [\"1ms\", \"2ms\"] }"];
        let plans = rtts.map(|value| plan("a", &[("group.0.rtt", value)]));
        let points: Vec<_> = plans
            .iter()
            .zip(rtts)
            .map(|(plan, value)| {
                (vec![Setting { path: "group.0.rtt".to_owned(), value: value.to_owned() }], plan_hash(plan))
            })
            .collect();
        let sweep = Sweep::new(&plans[0], 2, &points);
        assert_eq!(Sweep::read(sweep.text().as_bytes()), Ok(sweep.clone()));
        let mut table = Table::new(&sweep);
        let mut rows = 0;
        for (nth, replication, key) in sweep.cells() {
            let cell = cell(&Plan { replication, ..plans[nth].clone() });
            assert_eq!(cell.key, key);
            rows += cell.rows.len();
            table.add(nth, replication, &cell);
        }
        let (cells, summary) = table.finish();
        assert_eq!(cells.lines().count(), 1 + rows);
        assert_eq!(summary.lines().count(), 1 + rows / 2);
        assert!(cells.starts_with("cell,group.0.rtt,replication,metric,group,cause,statistic,unit,value\n"), "{cells}");
        assert!(
            cells.contains("\n1,\"{ uniform = [\"\"1ms\"\", \"\"2ms\"\"] }\",0,refresh,g,refresh,p50,ns,"),
            "{cells}"
        );
        assert!(cells.contains(",expect.lives,,,holds,bool,1\n"), "{cells}");
    }

    #[test]
    fn rule_31_the_summary_has_no_interval_below_ten_replications() {
        let values = |n: u64| (1..=n).map(Some).collect::<Vec<_>>();
        assert_eq!(summary(&values(9), 9), "9,9,0,5,,,1,9");
        assert_eq!(summary(&values(10), 10), "10,10,0,5,2,9,1,10");
        assert_eq!(summary(&[None, Some(u64::MAX), Some(3)], 3), "3,2,1,3,,,3,inf");
    }

    #[test]
    fn shards_are_apart_and_together_all() {
        for shards in 1..9 {
            for nth in 0..50 {
                assert_eq!((0..shards).filter(|shard| is_in_shard(nth, (*shard, shards))).count(), 1);
            }
        }
    }
}
