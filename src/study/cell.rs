//! Cells: what one run gave, kept under a key that says which run that was.
//!
//! A key is a hash of the program, of the plan as it is written and of the replication. Whatever made a cell, when, in
//! which order and beside which others, it has the same key and the same text; so what is kept cell by cell goes on where
//! it ended, grows, and is put together from parts. Does not know where cells are kept.

use serde::{Deserialize, Serialize};

use crate::measure::{Outcome, Shape, Verdict};
use crate::report;
use crate::scenario::{self, Plan};

use super::family::{Family, Key};

/// The name and version of the shape of a cell.
pub const CELL: &str = "refresh-sim.cell/1";

/// This program: its version, and a fingerprint of its source. Another one may decide otherwise by the same rules, and
/// what it gave is never taken for what this one would give.
pub const PROGRAM: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("REFRESH_SIM_SOURCE"));

/// Bytes of a hash that are kept: two of 2^32 cells are alike by chance once in 2^64 sweeps.
const HASH_BYTES: usize = 16;

/// What a plan is, in 32 hexadecimal digits: the same for the same text, whatever the scenario's file is called. What a
/// baseline has to say to its expectations is in no plan's text, and counts as well; a program that judges is part of it by
/// its command and by [`Outside::identity`](crate::scenario::Outside::identity).
pub fn plan_hash(plan: &Plan) -> String {
    let told = plan.expect.iter().filter_map(|expectation| expectation.against.as_ref());
    let told: Vec<String> = told.map(|against| format!("{:?}", against.values)).collect();
    let identity = plan.outside.as_ref().map_or("", |outside| &outside.identity);
    hash(&["refresh-sim.plan/1", &scenario::render(plan), &told.join("\n"), identity])
}

/// The key of what `program` gives of a plan: a hash of what is kept (the name and version of its shape), of the program,
/// of the plan ([`plan_hash`]) and of the replication.
pub fn key(schema: &str, program: &str, plan_hash: &str, replication: u32) -> String {
    hash(&[schema, program, plan_hash, &replication.to_string()])
}

pub(super) fn hash(parts: &[&str]) -> String {
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
        Some(Cell {
            schema: CELL.to_owned(),
            key: key(CELL, PROGRAM, &plan_hash(plan), plan.replication),
            digest,
            rows,
        })
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

/// The unit of values of a shape: see [`Row::unit`].
pub(super) fn unit(shape: Shape) -> &'static str {
    match shape {
        Shape::Latency | Shape::Length => "ns",
        Shape::Count => "count",
        Shape::Share => "ppb",
        Shape::Course => "course",
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
            unit: unit(figure.shape()).to_owned(),
            value,
            ..Row::empty()
        },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::scenario::Setting;

    const TEXT: &[u8] = b"schema = 1\nsemantics = 1\n[run]\nhorizon = \"1d\"\n[refresh]\nevery = \"1h\"\n\
        [validation]\nvalidator = \"sfb2015-cu2\"\n[[group]]\nname = \"g\"\ncount = 5\ntransport = \"tls\"\n\
        [expect]\nlives = \"crashes : value == 0\"\n";

    /// A small plan with some settings.
    pub(in crate::study) fn plan(name: &str, set: &[(&str, &str)]) -> Plan {
        let set: Vec<Setting> =
            set.iter().map(|(path, value)| Setting { path: (*path).to_owned(), value: (*value).to_owned() }).collect();
        scenario::load(name, "s.toml", TEXT, &set).expect("a plan")
    }

    /// The cell that a plan makes.
    pub(in crate::study) fn cell(plan: &Plan) -> Cell {
        let outcome = crate::sim::run(plan, &mut crate::sim::Unwatched).expect("it runs");
        Cell::of(plan, &outcome).expect("it ended")
    }

    #[test]
    fn a_key_hangs_on_program_plan_and_replication_and_not_on_the_file() {
        let own = plan_hash(&plan("a", &[]));
        assert_eq!(own, plan_hash(&plan("b", &[])));
        assert_eq!(own, plan_hash(&plan("a", &[("group.0.count", "5")])), "however it came to be what it is");
        for other in [("group.0.count", "6"), ("run.seed", "43"), ("expect.lives", "crashes : value == 1")] {
            assert_ne!(own, plan_hash(&plan("a", &[other])));
        }
        let keys = [key(CELL, "0.1.0+a", &own, 0), key(CELL, "0.1.0+a", &own, 1), key(CELL, "0.1.0+b", &own, 0)];
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2], "{keys:?}");
        assert!(own.len() == 32 && keys[0].len() == 32);
    }

    #[test]
    fn the_program_is_its_version_and_sixteen_digits_of_its_source() {
        let (version, source) = PROGRAM.split_once('+').expect("both");
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        assert!(source.len() == 16 && source.bytes().all(|digit| digit.is_ascii_hexdigit()), "{source}");
    }

    #[test]
    fn a_cell_is_read_back_whole_or_not_at_all() {
        let plan = plan("a", &[]);
        let own = cell(&plan);
        let text = own.text();
        let key = key(CELL, PROGRAM, &plan_hash(&plan), 0);
        assert_eq!(Cell::read(text.as_bytes(), &key), Some(own));
        for cut in [0, 1, text.len() / 2, text.len() - 1] {
            assert_eq!(Cell::read(&text.as_bytes()[..cut], &key), None, "{cut}");
        }
        assert_eq!(Cell::read(text.as_bytes(), &"0".repeat(32)), None, "another's");
    }
}
