//! Sweeps: one scenario at many settings, each cell a pure function of its plan and its replication.
//!
//! A cell is found by its key, a hash of the plan as it is written and of the replication. Whatever made it, when, in which
//! order and beside which others, it has the same key and the same text; so a sweep goes on where it ended, grows, and is
//! put together from parts. Does not know where cells are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::{COURSES, Outcome, Shape, Verdict};
use crate::report;
use crate::scenario::{self, Plan, SEMANTICS, Setting};

use super::family::{Family, Key};
use super::stats::{median, median_interval};

/// The name and version of the shape of a cell.
pub const CELL: &str = "refresh-sim.cell/1";
/// The name and version of the shape of a sweep.
pub const SWEEP: &str = "refresh-sim.sweep/1";

/// Bytes of a hash that are kept: two of 2^32 cells are alike by chance once in 2^64 sweeps.
const HASH_BYTES: usize = 16;

/// What a plan is, in 32 hexadecimal digits: the same for the same text, whatever the scenario's file is called. A program
/// that judges is part of it by its command and by [`Outside::identity`](crate::scenario::Outside::identity).
pub fn plan_hash(plan: &Plan) -> String {
    let text = scenario::render(plan);
    match &plan.outside {
        None => hash(&["refresh-sim.plan/1", &text]),
        Some(outside) => hash(&["refresh-sim.plan/1", &text, &outside.identity]),
    }
}

/// The key of a cell.
pub fn key(plan_hash: &str, replication: u32) -> String {
    hash(&[CELL, plan_hash, &replication.to_string()])
}

fn hash(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().as_bytes()[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One value of a cell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What was measured.
    pub metric: String,
    /// Of which group; empty: of all.
    pub group: String,
    /// For which cause; empty: it has none.
    pub cause: String,
    /// `p99` and the like; `value` for what is one value a run; `holds` for an expectation.
    pub statistic: String,
    /// `ns`, `count`, `ppb` (parts per billion), `course` (its place among the words, the worst first) or `bool`.
    pub unit: String,
    /// The value; `null`: there is none; [`u64::MAX`]: never.
    pub value: Option<u64>,
}

/// What one run of a sweep gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// [`CELL`].
    pub schema: String,
    /// Its key.
    pub key: String,
    /// The run's digest.
    pub digest: String,
    /// All of its values.
    pub rows: Vec<Row>,
}

impl Cell {
    /// Reduces an outcome of `plan`; `None`: it was interrupted.
    pub fn of(plan: &Plan, outcome: &Outcome) -> Option<Cell> {
        let digest = outcome.digest.clone()?;
        let family = Family::of(&[plan]);
        let values = family.measure(plan, outcome);
        let mut rows: Vec<Row> = family.keys.iter().zip(values).map(|(key, value)| row(key, value)).collect();
        rows.extend(report::judge(plan, outcome).iter().map(|judged| Row {
            metric: format!("expect.{}", judged.name),
            statistic: "holds".to_owned(),
            unit: "bool".to_owned(),
            value: match judged.verdict {
                Verdict::Pass => Some(1),
                Verdict::Fail => Some(0),
                Verdict::Inconclusive => None,
            },
            ..Row::empty()
        }));
        Some(Cell { schema: CELL.to_owned(), key: key(&plan_hash(plan), plan.replication), digest, rows })
    }

    /// Its text: one line of JSON.
    pub fn text(&self) -> String {
        // Strings, numbers and lists of them: there is nothing in it that JSON could not hold.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Reads the cell of this key; `None`: the text is not whole, or not of this key.
    pub fn read(text: &[u8], key: &str) -> Option<Cell> {
        let cell: Cell = serde_json::from_slice(text).ok()?;
        (cell.schema == CELL && cell.key == key && text.ends_with(b"\n")).then_some(cell)
    }
}

impl Row {
    fn empty() -> Row {
        let none = String::new;
        Row { metric: none(), group: none(), cause: none(), statistic: none(), unit: none(), value: None }
    }
}

fn row(key: &Key, value: Option<u64>) -> Row {
    match key {
        Key::Latency { metric, group, cause, .. } => Row {
            metric: metric.name().to_owned(),
            group: group.clone().unwrap_or_default(),
            cause: cause.name().to_owned(),
            statistic: key.quantile().unwrap_or_default(),
            unit: "ns".to_owned(),
            value,
        },
        Key::Figure(figure) => Row {
            metric: figure.name().to_owned(),
            statistic: "value".to_owned(),
            unit: match figure.shape() {
                Shape::Latency | Shape::Length => "ns",
                Shape::Count => "count",
                Shape::Share => "ppb",
                Shape::Course => "course",
            }
            .to_owned(),
            value,
            ..Row::empty()
        },
    }
}

/// One point of a sweep.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The values that are varied, in the order of [`Sweep::paths`].
    pub values: Vec<String>,
    /// [`plan_hash`] of its plan.
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
        let sweep: Sweep = serde_json::from_slice(text).map_err(|error| SweepError::Shape(error.to_string()))?;
        if sweep.schema != SWEEP {
            return Err(SweepError::Shape(format!("its schema is {:?}, not {SWEEP:?}", sweep.schema)));
        }
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
            (0..self.replications).map(move |replication| (nth, replication, key(&point.plan, replication)))
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
    use super::*;

    const TEXT: &[u8] = b"schema = 1\nsemantics = 1\n[run]\nhorizon = \"1d\"\n[refresh]\nevery = \"1h\"\n\
        [validation]\nvalidator = \"sfb2015-cu2\"\n[[group]]\nname = \"g\"\ncount = 5\ntransport = \"tls\"\n\
        [expect]\nlives = \"crashes : value == 0\"\n";

    fn plan(name: &str, set: &[(&str, &str)]) -> Plan {
        let set: Vec<Setting> =
            set.iter().map(|(path, value)| Setting { path: (*path).to_owned(), value: (*value).to_owned() }).collect();
        scenario::load(name, "s.toml", TEXT, &set).expect("a plan")
    }

    fn cell(plan: &Plan) -> Cell {
        let outcome = crate::sim::run(plan, &mut crate::sim::Unwatched).expect("it runs");
        Cell::of(plan, &outcome).expect("it ended")
    }

    #[test]
    fn a_key_hangs_on_the_plan_and_the_replication_and_not_on_the_file() {
        let own = plan_hash(&plan("a", &[]));
        assert_eq!(own, plan_hash(&plan("b", &[])));
        assert_eq!(own, plan_hash(&plan("a", &[("group.0.count", "5")])), "however it came to be what it is");
        for other in [("group.0.count", "6"), ("run.seed", "43"), ("expect.lives", "crashes : value == 1")] {
            assert_ne!(own, plan_hash(&plan("a", &[other])));
        }
        assert_ne!(key(&own, 0), key(&own, 1));
        assert_eq!(own.len(), 32);
    }

    #[test]
    fn a_cell_is_read_back_whole_or_not_at_all() {
        let plan = plan("a", &[]);
        let own = cell(&plan);
        let text = own.text();
        let key = key(&plan_hash(&plan), 0);
        assert_eq!(Cell::read(text.as_bytes(), &key), Some(own));
        for cut in [0, 1, text.len() / 2, text.len() - 1] {
            assert_eq!(Cell::read(&text.as_bytes()[..cut], &key), None, "{cut}");
        }
        assert_eq!(Cell::read(text.as_bytes(), &"0".repeat(32)), None, "another's");
    }

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
