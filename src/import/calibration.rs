//! Measurements: a table of percentiles, each of one value of a scenario.
//!
//! Columns, in any order and case: `input`, the value's path in the scenario; `percentile`, as `p99.9`, `99.9`, `min`,
//! `median` or `max`; `value`, a length of time with its unit, or a number beside a column `unit`. Other columns are
//! ignored. Whether a scenario has such a path, the scenario says.

use std::io::Read;

use csv::{ReaderBuilder, StringRecord};

use crate::scenario;
use crate::time::Span;

use super::error::{ImportError, Place, Problem, printable};
use super::inventory::{delimiter, no_table};
use super::text::Utf8;

/// Most bytes of a table.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most rows: every input with as many percentiles as a distribution may have.
const ROWS_MAX: usize = 100_000;
/// Most percentiles of one input: a distribution has at most 1000, p0 and p100 among them.
const POINTS_MAX: usize = 998;
/// Most characters of a path.
const PATH_MAX: usize = 1024;
/// Parts of a percent that percentiles are compared in.
const PARTS: u64 = 1_000_000;
/// Without this percentile or one above it nothing is known of the tail, which is what a herd waits for.
const TAIL: u64 = 90 * PARTS;
const COLUMNS: [&str; 4] = ["input", "percentile", "value", "unit"];
const PERCENTILES: &str = "a percentile from p0 to p100, e.g. p99.9, or min, median, max";
const VALUES: &str = "a length of time with its unit, e.g. 12ms, or a number beside a column `unit`";

/// What was measured of one value of a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measured {
    /// Its path.
    pub path: String,
    /// Percentiles in parts per million of a percent, rising, with their lengths, which never fall.
    points: Vec<(u64, Span)>,
    /// The line of its last row.
    line: u64,
}

impl Measured {
    /// As a scenario has a distribution: straight lines between percentiles. What is below the lowest one is taken for
    /// the lowest, what is above the highest for the highest.
    pub fn value(&self) -> String {
        let mut points = self.points.clone();
        let (first, last) = (points.first().copied(), points.last().copied());
        if let Some((_, least)) = first.filter(|(at, _)| *at > 0) {
            points.insert(0, (0, least));
        }
        if let Some((_, most)) = last.filter(|(at, _)| *at < 100 * PARTS) {
            points.push((100 * PARTS, most));
        }
        let point = |(at, length): &(u64, Span)| format!("[\"{}\", \"{length}\"]", name(*at));
        format!("{{ percentiles = [{}] }}", points.iter().map(point).collect::<Vec<_>>().join(", "))
    }

    /// The highest percentile that was measured, where that is not the largest value.
    pub fn cut_at(&self) -> Option<String> {
        self.points.last().filter(|(at, _)| *at < 100 * PARTS).map(|(at, _)| name(*at))
    }
}

/// `p99.9`.
fn name(at: u64) -> String {
    let part = format!("{:06}", at % PARTS);
    let part = part.trim_end_matches('0');
    if part.is_empty() { format!("p{}", at / PARTS) } else { format!("p{}.{part}", at / PARTS) }
}

/// Reads a table of measurements.
pub(super) fn read<R: Read>(input: R) -> Result<Vec<Measured>, ImportError> {
    let mut text = String::new();
    let io = |error| ImportError::unreadable(&error);
    Utf8::new(input, TABLE_BYTES_MAX).and_then(|mut utf8| utf8.read_to_string(&mut text)).map_err(io)?;
    let heading = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut reader = ReaderBuilder::new().delimiter(delimiter(heading)).flexible(true).from_reader(text.as_bytes());
    let columns = Columns::find(&reader.headers().map_err(|error| no_table(&error))?.clone())?;
    let (mut all, mut rows, mut record) = (Vec::<Measured>::new(), 0, StringRecord::new());
    while reader.read_record(&mut record).map_err(|error| no_table(&error))? {
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        rows += 1;
        let line = record.position().map_or(0, csv::Position::line);
        if rows > ROWS_MAX {
            let text = format!("more than {ROWS_MAX} rows");
            return Err(ImportError::at(Place { line, column: 1 }, Problem::NotATable(text)));
        }
        columns.take(&record, line, &mut all)?;
    }
    if all.is_empty() {
        let text = "it has a heading and no measurement below it".to_owned();
        return Err(ImportError::at(Place { line: 1, column: 1 }, Problem::Heading(text)));
    }
    all.iter().try_for_each(complete)?;
    Ok(all)
}

/// Whether enough is known of an input.
fn complete(measured: &Measured) -> Result<(), ImportError> {
    let here = Place { line: measured.line, column: 1 };
    let (path, n) = (printable(&measured.path), measured.points.len());
    let last = measured.points.last().map_or(0, |(at, _)| *at);
    if n < 2 {
        let text = format!("{path} has one percentile; at least 2 are needed, one of them p90 or above");
        return Err(ImportError::at(here, Problem::NotATable(text)));
    }
    if last < TAIL {
        let text =
            format!("{path} ends at {}; p90 or above is needed, for it is the tail that a herd waits for", name(last));
        return Err(ImportError::at(here, Problem::NotATable(text)));
    }
    Ok(())
}

/// Where each column is.
struct Columns([Option<usize>; COLUMNS.len()]);

impl Columns {
    fn find(heading: &StringRecord) -> Result<Columns, ImportError> {
        let here = Place { line: 1, column: 1 };
        let mut at = [None; COLUMNS.len()];
        for (position, field) in heading.iter().enumerate() {
            let field = field.trim().to_lowercase();
            let known = COLUMNS.iter().position(|column| *column == field || field == "path" && *column == "input");
            let Some(known) = known else { continue };
            if at[known].replace(position).is_some() {
                let text = format!("the heading has the column `{}` twice", COLUMNS[known]);
                return Err(ImportError::at(here, Problem::Heading(text)));
            }
        }
        match COLUMNS[..3].iter().zip(at).find(|(_, at)| at.is_none()) {
            Some((column, _)) => {
                let has: Vec<String> = heading.iter().take(10).map(printable).collect();
                let text = format!(
                    "the first row must name the columns input, percentile and value, perhaps unit; `{column}` is not \
                     among {}",
                    has.join(", ")
                );
                Err(ImportError::at(here, Problem::Heading(text)))
            }
            None => Ok(Columns(at)),
        }
    }

    /// Takes one row into what there is.
    fn take(&self, record: &StringRecord, line: u64, all: &mut Vec<Measured>) -> Result<(), ImportError> {
        let field = |column: usize| self.0[column].and_then(|at| record.get(at)).map_or("", str::trim);
        let place = |column: usize| Place { line, column: self.0[column].map_or(1, |at| at as u64 + 1) };
        let refuse = |column: usize, accepted: &'static str| {
            let value = printable(field(column));
            ImportError::at(place(column), Problem::Field { column: COLUMNS[column], value, accepted })
        };
        let path = field(0);
        if path.is_empty() || path.chars().count() > PATH_MAX || path.contains(['=', '\n', '\r']) {
            return Err(refuse(0, "the path of a length of time in the scenario, e.g. validation.refresh"));
        }
        let at = percentile(field(1)).ok_or_else(|| refuse(1, PERCENTILES))?;
        let text = format!("{}{}", field(2), field(3));
        let length = scenario::length(&text).filter(|length| *length <= crate::dist::MAX);
        let length = length.ok_or_else(|| refuse(2, VALUES))?;
        let nth = all.iter().position(|measured| measured.path == path).unwrap_or_else(|| {
            all.push(Measured { path: path.to_owned(), points: Vec::new(), line });
            all.len() - 1
        });
        let measured = &mut all[nth];
        measured.line = line;
        if let Some((before, shorter)) = measured.points.last() {
            if at <= *before {
                let accepted = "percentiles that rise from row to row of an input";
                return Err(refuse(1, accepted));
            }
            if length < *shorter {
                return Err(refuse(2, "values that do not fall as their percentiles rise"));
            }
        }
        if measured.points.len() >= POINTS_MAX {
            let text = format!("{} has more than {POINTS_MAX} percentiles", printable(path));
            return Err(ImportError::at(place(1), Problem::NotATable(text)));
        }
        measured.points.push((at, length));
        Ok(())
    }
}

/// A percentile in parts per million of a percent.
fn percentile(text: &str) -> Option<u64> {
    let text = text.to_lowercase();
    let number = match text.as_str() {
        "min" => "0",
        "median" => "50",
        "max" => "100",
        text => text.strip_prefix('p').unwrap_or(text).trim_end_matches('%').trim_end(),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) || whole.len() > 3 || part.len() > 6 {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    Some(whole.parse::<u64>().ok()? * PARTS + part).filter(|at| *at <= 100 * PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Vec<Measured>, ImportError> {
        read(text.as_bytes())
    }

    #[test]
    fn a_table_of_percentiles_becomes_a_distribution_of_each_input() {
        let all = table(
            "Input;Percentile;Value;host\nvalidation.refresh;p50;12ms;a\nvalidation.refresh;99.9;90ms;a\n\n\
             group.a.rtt;min;1ms;\ngroup.a.rtt;median;2ms;\ngroup.a.rtt;max;9ms;\n",
        )
        .expect("a table");
        assert_eq!(all[0].path, "validation.refresh");
        assert_eq!(
            all[0].value(),
            "{ percentiles = [[\"p0\", \"12ms\"], [\"p50\", \"12ms\"], [\"p99.9\", \"90ms\"], [\"p100\", \"90ms\"]] }"
        );
        assert_eq!(all[0].cut_at().as_deref(), Some("p99.9"));
        assert_eq!(all[1].value(), "{ percentiles = [[\"p0\", \"1ms\"], [\"p50\", \"2ms\"], [\"p100\", \"9ms\"]] }");
        assert_eq!(all[1].cut_at(), None);
        let units = table("path,percentile,value,unit\na,50,1.5,ms\na,p99%,2500,us\n").expect("a table");
        assert!(units[0].value().contains("[\"p50\", \"1.5ms\"], [\"p99\", \"2.5ms\"]"), "{}", units[0].value());
    }

    #[test]
    fn what_is_no_measurement_is_refused_at_its_place() {
        for (text, place, words) in [
            ("", (1, 1), "must name the columns input, percentile and value"),
            ("input,percentile\na,1\n", (1, 1), "`value` is not among input, percentile"),
            ("input,input,percentile,value\n", (1, 1), "the column `input` twice"),
            ("input,percentile,value\n", (1, 1), "no measurement below it"),
            ("input,percentile,value\na,p50,12\n", (2, 3), "with its unit"),
            ("input,percentile,value\na,p50,-1ms\n", (2, 3), "with its unit"),
            ("input,percentile,value\na,p50,400000d\n", (2, 3), "with its unit"),
            ("input,percentile,value\na,p101,1ms\n", (2, 2), "from p0 to p100"),
            ("input,percentile,value\na,fast,1ms\n", (2, 2), "from p0 to p100"),
            ("input,percentile,value\n,p50,1ms\n", (2, 1), "the path of"),
            ("input,percentile,value\na=b,p50,1ms\n", (2, 1), "the path of"),
            ("input,percentile,value\na,p50,2ms\na,p50,3ms\n", (3, 2), "that rise"),
            ("input,percentile,value\na,p50,2ms\na,p99,1ms\n", (3, 3), "do not fall"),
            ("input,percentile,value\na,p99,2ms\n", (2, 1), "at least 2 are needed"),
            ("input,percentile,value\na,p10,1ms\na,p50,2ms\n", (3, 1), "ends at p50; p90 or above"),
        ] {
            let error = table(text).expect_err(text);
            assert_eq!(error.place.map(|place| (place.line, place.column)), Some(place), "{text}: {error}");
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
        let many: String = (0..999).map(|n| format!("a,p{}.{:03},{n}ms\n", n / 100, n % 100)).collect();
        assert!(table(&format!("input,percentile,value\n{many}")).is_err(), "more than a distribution may have");
    }
}
