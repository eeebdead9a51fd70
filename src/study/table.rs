//! The tables of a sweep: all values of all cells, and what replications say together, as CSV and, in a build that has it,
//! as Parquet with the same rows and columns.

use std::collections::BTreeMap;

use super::cell::{Cell, Row};
#[cfg(feature = "parquet")]
use super::parquet::Columns;
use super::stats::{median, median_interval};
use super::sweep::Sweep;

/// Whether this build can make Parquet.
pub const HAS_PARQUET: bool = cfg!(feature = "parquet");

/// The files that a table may be.
pub const FILES: [&str; 4] = ["cells.csv", "summary.csv", "cells.parquet", "summary.parquet"];

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Column {
    /// Whole numbers.
    Whole,
    /// Text; empty is none.
    Text,
    /// A value of a run, or none, or never.
    Value,
}

/// One field of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Whole(u64),
    /// Text, also of a whole number.
    Text(&'a str),
    /// [`u64::MAX`]: never.
    Value(Option<u64>),
}

/// The tables, in the making: give them cells in the order of [`Sweep::cells`].
#[derive(Debug)]
pub struct Table<'a> {
    sweep: &'a Sweep,
    cells: Sink,
    summary: Sink,
    /// The rows of the point that is under way, without their values, and those of each replication.
    rows: BTreeMap<Row, Vec<Option<u64>>>,
}

/// A table as it grows.
#[derive(Debug)]
struct Sink {
    text: String,
    #[cfg(feature = "parquet")]
    columns: Option<Result<Columns, String>>,
}

impl Sink {
    /// One with its titles; Parquet as well if `_parquet`, where the build has it.
    fn new(columns: &[(String, Column)], _parquet: bool) -> Sink {
        let titles: Vec<String> = columns.iter().map(|(name, _)| field(name)).collect();
        Sink {
            text: titles.join(",") + "\n",
            #[cfg(feature = "parquet")]
            columns: _parquet.then(|| Columns::new(columns).map_err(|error| error.to_string())),
        }
    }

    fn row(&mut self, row: &[Field<'_>]) {
        for (nth, own) in row.iter().enumerate() {
            if nth > 0 {
                self.text.push(',');
            }
            match own {
                Field::Whole(n) => self.text += &n.to_string(),
                Field::Text(text) => self.text += &field(text),
                Field::Value(None) => {}
                Field::Value(Some(u64::MAX)) => self.text += "inf",
                Field::Value(Some(value)) => self.text += &value.to_string(),
            }
        }
        self.text.push('\n');
        #[cfg(feature = "parquet")]
        if let Some(columns) = &mut self.columns
            && let Ok(open) = columns
            && let Err(error) = open.add(row)
        {
            *columns = Err(error.to_string());
        }
    }

    fn finish(self, names: [&'static str; 2]) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
        #[cfg_attr(not(feature = "parquet"), expect(unused_mut, reason = "there is nothing to add"))]
        let mut files = vec![(names[0], self.text.into_bytes())];
        #[cfg(feature = "parquet")]
        if let Some(columns) = self.columns {
            files.push((names[1], columns?.finish().map_err(|error| error.to_string())?));
        }
        Ok(files)
    }
}

impl<'a> Table<'a> {
    /// Empty ones; with `parquet`, as Parquet too where [`HAS_PARQUET`].
    pub fn new(sweep: &'a Sweep, parquet: bool) -> Table<'a> {
        let paths = sweep.paths.iter().enumerate().map(|(nth, path)| {
            let is_whole =
                sweep.points.iter().all(|point| point.values.get(nth).is_some_and(|v| v.parse::<i64>().is_ok()));
            (path.clone(), if is_whole { Column::Whole } else { Column::Text })
        });
        let head: Vec<(String, Column)> = std::iter::once(("cell".to_owned(), Column::Whole)).chain(paths).collect();
        let with = |own: &[(&str, Column)]| {
            let own = own.iter().map(|(name, column)| ((*name).to_owned(), *column));
            Sink::new(&head.iter().cloned().chain(own).collect::<Vec<_>>(), parquet)
        };
        let names = ["metric", "group", "cause", "statistic", "unit"].map(|name| (name, Column::Text));
        let numbers = ["replications", "known", "never"].map(|name| (name, Column::Whole));
        let values = ["median", "low", "high", "min", "max"].map(|name| (name, Column::Value));
        let cells = [&[("replication", Column::Whole)][..], &names, &[("value", Column::Value)]].concat();
        Table {
            sweep,
            cells: with(&cells),
            summary: with(&[&names[..], &numbers, &values].concat()),
            rows: BTreeMap::new(),
        }
    }

    /// Adds the next cell.
    pub fn add(&mut self, nth: usize, replication: u32, cell: &Cell) {
        let sweep = self.sweep;
        let values = sweep.points.get(nth).map_or(&[][..], |point| &point.values);
        let head = || std::iter::once(Field::Whole(nth as u64)).chain(values.iter().map(|value| Field::Text(value)));
        for row in &cell.rows {
            let own = [Field::Whole(replication.into())].into_iter().chain(names(row));
            self.cells.row(&head().chain(own).chain([Field::Value(row.value)]).collect::<Vec<_>>());
            let own = Row { value: None, ..row.clone() };
            self.rows.entry(own).or_default().push(row.value);
        }
        if replication + 1 == sweep.replications {
            let rows = std::mem::take(&mut self.rows);
            for (row, values) in &rows {
                let fields = head().chain(names(row)).chain(summary(values, sweep.replications));
                self.summary.row(&fields.collect::<Vec<_>>());
            }
        }
    }

    /// The files, each with its name.
    ///
    /// # Errors
    /// What Parquet could not hold, in words.
    pub fn finish(self) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
        let [cells, summary, cells_parquet, summary_parquet] = FILES;
        let mut files = self.cells.finish([cells, cells_parquet])?;
        files.extend(self.summary.finish([summary, summary_parquet])?);
        Ok(files)
    }
}

fn names(row: &Row) -> [Field<'_>; 5] {
    [&row.metric, &row.group, &row.cause, &row.statistic, &row.unit].map(|text| Field::Text(text))
}

/// The median over replications, its 95 % interval from ten on (rule 31), and the ends.
fn summary(values: &[Option<u64>], replications: u32) -> [Field<'static>; 8] {
    let mut known: Vec<u64> = values.iter().copied().flatten().collect();
    known.sort_unstable();
    let never = known.iter().filter(|value| **value == u64::MAX).count();
    let middle = median(&known, Ord::cmp);
    let interval = median_interval(&known);
    let [low, high] = [interval.map(|ends| ends.0), interval.map(|ends| ends.1)];
    let whole = [u64::from(replications), known.len() as u64, never as u64];
    let [replications, count, never] = whole.map(Field::Whole);
    let [middle, low, high, min, max] =
        [middle, low, high, known.first().copied(), known.last().copied()].map(Field::Value);
    [replications, count, never, middle, low, high, min, max]
}

/// A field of CSV (RFC 4180): quoted where it must be.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::cell::plan_hash;
    use super::super::cell::tests::{cell, plan};
    use super::*;
    use crate::scenario::{Plan, Setting};

    /// Everything of a small sweep, and its cells.
    fn sweep() -> (Sweep, Vec<(usize, u32, Cell)>) {
        let counts = ["5", "6"];
        let rtts = ["{ exponential = \"20ms\" }", "{ uniform = [\"1ms\", \"2ms\"] }"];
        let of = |nth: usize| plan("a", &[("group.0.rtt", rtts[nth]), ("group.0.count", counts[nth])]);
        let set = |path: &str, value: &str| Setting { path: path.to_owned(), value: value.to_owned() };
        let point = |nth: usize| {
            let set = vec![set("group.0.rtt", rtts[nth]), set("group.0.count", counts[nth])];
            (set, plan_hash(&of(nth)))
        };
        let sweep = Sweep::new(&of(0), 2, &[point(0), point(1)]);
        assert_eq!(Sweep::read(sweep.text().as_bytes()), Ok(sweep.clone()));
        let made = |(nth, replication, key): (usize, u32, String)| {
            let cell = cell(&Plan { replication, ..of(nth) });
            assert_eq!(cell.key, key);
            (nth, replication, cell)
        };
        let cells = sweep.cells().map(made).collect();
        (sweep, cells)
    }

    fn files(parquet: bool) -> BTreeMap<&'static str, Vec<u8>> {
        let (sweep, cells) = sweep();
        let mut table = Table::new(&sweep, parquet);
        cells.iter().for_each(|(nth, replication, cell)| table.add(*nth, *replication, cell));
        table.finish().expect("tables").into_iter().collect()
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).expect("text")
    }

    #[test]
    fn tables_have_a_row_for_each_cell_and_value_and_quote_what_must_be() {
        let rows: usize = sweep().1.iter().map(|(_, _, cell)| cell.rows.len()).sum();
        let files = files(false);
        assert_eq!(files.keys().copied().collect::<Vec<_>>(), ["cells.csv", "summary.csv"]);
        let (cells, summary) = (text(&files["cells.csv"]), text(&files["summary.csv"]));
        assert_eq!(cells.lines().count(), 1 + rows);
        assert_eq!(summary.lines().count(), 1 + rows / 2);
        let head = "cell,group.0.rtt,group.0.count,replication,metric,group,cause,statistic,unit,value\n";
        assert!(cells.starts_with(head), "{cells}");
        let quoted = "\n1,\"{ uniform = [\"\"1ms\"\", \"\"2ms\"\"] }\",6,0,refresh,g,refresh,p50,ns,";
        assert!(cells.contains(quoted), "{cells}");
        assert!(cells.contains(",expect.lives,,,holds,bool,1\n"), "{cells}");
    }

    #[test]
    fn rule_31_the_summary_has_no_interval_below_ten_replications() {
        let told = |values: &[Option<u64>]| {
            let mut sink = Sink::new(&[], false);
            sink.row(&summary(values, values.len() as u32));
            sink.text.trim().to_owned()
        };
        let values = |n: u64| (1..=n).map(Some).collect::<Vec<_>>();
        assert_eq!(told(&values(9)), "9,9,0,5,,,1,9");
        assert_eq!(told(&values(10)), "10,10,0,5,2,9,1,10");
        assert_eq!(told(&[None, Some(u64::MAX), Some(3)]), "3,2,1,3,,,3,inf");
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn as_parquet_the_tables_have_the_rows_and_columns_of_the_text_with_real_types() {
        use parquet::file::reader::{FileReader, SerializedFileReader};
        use parquet::record::Field as Read;

        let file = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().expect("a file");
            std::io::Write::write_all(&mut file, bytes).expect("written");
            file
        };
        let files = files(true);
        assert_eq!(files.len(), 4);
        for [csv, parquet] in [["cells.csv", "cells.parquet"], ["summary.csv", "summary.parquet"]] {
            let mut expected = text(&files[csv]).lines();
            let reader = SerializedFileReader::new(file(&files[parquet])).expect("Parquet");
            let named = |name: &String| {
                let words = ["group.0.rtt", "metric", "group", "cause", "statistic", "unit"];
                words.contains(&name.as_str())
            };
            let titles = reader.metadata().file_metadata().schema().get_fields().iter();
            let titles: Vec<String> = titles.map(|column| column.name().to_owned()).collect();
            assert_eq!(expected.next(), Some(titles.join(",").as_str()));
            let mut rows = 0;
            for row in reader.get_row_iter(None).expect("rows") {
                let row = row.expect("a row");
                // As the text has it; a number where words should be, or the other way round, has no text.
                let as_text = |(name, found): (&String, &Read)| match found {
                    Read::Long(n) if !named(name) => n.to_string(),
                    Read::Double(value) if !named(name) && value.is_infinite() => "inf".to_owned(),
                    Read::Double(value) if !named(name) => format!("{value:.0}"),
                    Read::Str(text) if named(name) => field(text),
                    Read::Null => String::new(),
                    other => panic!("{name}: {other:?}"),
                };
                let line = row.get_column_iter().map(as_text).collect::<Vec<_>>().join(",");
                assert_eq!(Some(line.as_str()), expected.next());
                rows += 1;
            }
            assert!(rows > 50 && expected.next().is_none(), "{rows}");
        }
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn the_same_table_has_the_same_bytes_as_parquet() {
        assert_eq!(files(true), files(true));
    }
}
