//! Proof that the model is right, where somebody else knows the answer: results of the literature against what runs
//! observe. `docs/validation.md` holds the table that this prints.
//!
//! Expected values are computed here from formulae (`theory`), never from the program. With
//! `REFRESH_SIM_UPDATE_VALIDATION=1` the table in the document is written anew; `git diff` then shows what has changed.

mod queues;
mod theory;

use std::fmt::Write;
use std::path::PathBuf;

/// One line of the table.
struct Row {
    /// What is simulated.
    case: String,
    /// Which number of it.
    quantity: String,
    /// From the theory.
    expected: String,
    /// From the runs.
    observed: String,
    /// What the difference may be.
    tolerance: String,
    /// What it is.
    error: String,
    /// Whether it is within the tolerance.
    holds: bool,
}

/// So many standard errors may lie between an expected value and the mean over replications: with a few dozen
/// replications and a few dozen lines, chance alone goes beyond once in some hundred choices of seeds.
const STANDARD_ERRORS: f64 = 4.0;

impl Row {
    /// A number estimated by the mean of one value a replication.
    fn estimated(case: &str, quantity: &str, expected: f64, each: &[f64], unit: &str) -> Row {
        let n = each.len() as f64;
        let mean = each.iter().sum::<f64>() / n;
        let variance = each.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
        let standard_error = libm::sqrt(variance / n);
        let error = (mean - expected) / standard_error;
        Row {
            case: case.to_owned(),
            quantity: quantity.to_owned(),
            expected: number(expected, unit),
            observed: number(mean, unit),
            tolerance: format!("{STANDARD_ERRORS} s.e. = {}", number(STANDARD_ERRORS * standard_error, unit)),
            error: format!("{error:+.2} s.e."),
            holds: error.abs() <= STANDARD_ERRORS,
        }
    }

    /// A number that must be met exactly.
    fn exact(case: &str, quantity: &str, expected: u64, observed: u64, unit: &str) -> Row {
        Row {
            case: case.to_owned(),
            quantity: quantity.to_owned(),
            expected: format!("{expected} {unit}"),
            observed: format!("{observed} {unit}"),
            tolerance: "none".to_owned(),
            error: format!("{} {unit}", i128::from(observed) - i128::from(expected)),
            holds: expected == observed,
        }
    }

    /// A number that is known up to the bucket `low..=high` that it lies in.
    fn bucket(case: &str, quantity: &str, expected: u64, (low, high): (u64, u64), unit: &str) -> Row {
        Row {
            case: case.to_owned(),
            quantity: quantity.to_owned(),
            expected: format!("{expected} {unit}"),
            observed: format!("{low} to {high} {unit}"),
            tolerance: if high > low { format!("its bucket, 1/{}", low / (high - low + 1)) } else { "none".to_owned() },
            error: "inside".to_owned(),
            holds: (low..=high).contains(&expected),
        }
    }
}

/// Six significant digits.
fn number(value: f64, unit: &str) -> String {
    let mut places = 5usize;
    let mut left = value.abs();
    while left >= 10.0 && places > 0 {
        left /= 10.0;
        places -= 1;
    }
    let gap = if unit.is_empty() { "" } else { " " };
    format!("{value:.places$}{gap}{unit}")
}

fn table(rows: &[Row]) -> String {
    let mut out =
        "| Case | Quantity | Expected | Observed | Tolerance | Error |\n|---|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let Row { case, quantity, expected, observed, tolerance, error, .. } = row;
        // A string takes all that is written to it.
        let _ = writeln!(out, "| {case} | {quantity} | {expected} | {observed} | {tolerance} | {error} |");
    }
    out
}

const BEGIN: &str = "<!-- The table that the suite prints begins here. -->\n";
const END: &str = "<!-- It ends here. -->\n";

/// Replications of each case in the table.
const REPLICATIONS: u32 = 60;

#[test]
fn what_theory_knows_the_runs_show_and_the_document_has_the_table() {
    let rows = queues::rows(REPLICATIONS);
    let table = table(&rows);
    println!("{table}");
    let wrong: Vec<&Row> = rows.iter().filter(|row| !row.holds).collect();
    assert!(wrong.is_empty(), "{}", table_of(&wrong));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/validation.md");
    let text = std::fs::read_to_string(&path).expect("docs/validation.md is there");
    let (before, rest) = text.split_once(BEGIN).expect("docs/validation.md says where the table begins");
    let (kept, after) = rest.split_once(END).expect("docs/validation.md says where the table ends");
    if std::env::var_os("REFRESH_SIM_UPDATE_VALIDATION").is_some() {
        std::fs::write(&path, [before, BEGIN, &table, END, after].concat()).expect("docs/validation.md can be written");
    } else {
        assert_eq!(kept, table, "docs/validation.md is not what the suite prints");
    }
}

fn table_of(rows: &[&Row]) -> String {
    let told =
        rows.iter().map(|row| format!("{}: {}: {} and not {}", row.case, row.quantity, row.observed, row.expected));
    told.collect::<Vec<_>>().join("\n")
}

/// Sets of replications of which each is as large as that of the table.
const SETS: u64 = 40;

#[test]
#[ignore = "long: forty times the replications of one case"]
fn the_errors_of_disjoint_sets_of_runs_are_scattered_as_chance_scatters_them() {
    let mut rows = Vec::new();
    for set in 0..SETS {
        queues::md1(&mut rows, REPLICATIONS, set);
    }
    for quantity in ["mean wait", "probability of waiting"] {
        let of_it = rows.iter().filter(|row| row.quantity == quantity);
        let errors: Vec<f64> =
            of_it.map(|row| row.error.trim_end_matches(" s.e.").parse().expect("a number")).collect();
        let n = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / n;
        let deviation = libm::sqrt(errors.iter().map(|z| (z - mean) * (z - mean)).sum::<f64>() / (n - 1.0));
        println!("{quantity}: errors {errors:?}, mean {mean:+.2}, standard deviation {deviation:.2}");
        // A bias of the program would be in all of them; an error of the standard errors in how they are scattered.
        assert!(mean.abs() <= STANDARD_ERRORS / libm::sqrt(n), "{quantity}: the mean error is {mean:+.2} s.e.");
        assert!((0.6..1.4).contains(&deviation), "{quantity}: errors are scattered by {deviation:.2} s.e.");
    }
}

#[test]
#[ignore = "long: ten times the replications, so that a third of the error shows"]
fn what_theory_knows_the_runs_show_at_length() {
    let rows = queues::rows(10 * REPLICATIONS);
    println!("{}", table(&rows));
    let wrong: Vec<&Row> = rows.iter().filter(|row| !row.holds).collect();
    assert!(wrong.is_empty(), "{}", table_of(&wrong));
}
