//! What an answer depends on most: how it moves when an input is a fifth less or a quarter more.
//!
//! Searching again for every input would take many times the runs of the answer itself. So a few replications at the
//! limit sort the inputs by how far they move what decides, and only the first of them are searched for: by the majority
//! of those few, which is a guess and is called one, or by rule 32. Runs are made elsewhere.

use serde_json::{Value as Json, json};

use crate::measure::Verdict;
use crate::policy::Ratio;
use crate::report::words;
use crate::scenario::Plan;

use super::capacity::{Find, Rule, Seen, Weighed};
use super::inputs::{Input, Source};
use super::search::{Found, Harder};

/// How many times as large an input is.
pub const FACTORS: [Ratio; 2] = [Ratio::new(4, 5), Ratio::new(5, 4)];
/// Replications by which inputs are sorted, and whose majority is a guess.
pub const SCREENED: u32 = 5;
/// Inputs that are listed.
pub const LISTED: usize = 5;
/// Inputs that are looked at: a scenario of thousands of groups has more than anybody would wait for.
pub const INPUTS_MAX: usize = 200;

/// How far an input moves what decides at the limit: `None`, nothing moved at all.
///
/// `base` and `other` are the same replications. Parts per million of the smaller of the two medians of expectation `nth`,
/// and a replication that turns round counts a fifth.
pub fn effect(plan: &Plan, nth: usize, base: &[Seen], other: &[Seen]) -> Option<u64> {
    let n = base.len().min(other.len());
    let weighed = |runs: &[Seen]| {
        let mut weighed = Weighed::new(0, SCREENED, Rule::Majority);
        weighed.runs = runs[..n].to_vec();
        weighed
    };
    let (base, other) = (weighed(base), weighed(other));
    let turned = base.count(Verdict::Pass).abs_diff(other.count(Verdict::Pass));
    let median = |weighed: &Weighed| plan.expect.get(nth).and_then(|expectation| weighed.at(nth, expectation).median);
    let moved = match (median(&base), median(&other)) {
        (Some(a), Some(b)) if a != b => {
            let parts = u128::from(a.abs_diff(b)) * 1_000_000 / u128::from(a.min(b).max(1));
            u64::try_from(parts).unwrap_or(u64::MAX)
        }
        (Some(_), Some(_)) | (None, None) => 0,
        _ => 1_000_000,
    };
    let effect = moved.saturating_add(u64::from(turned) * 200_000);
    (effect > 0).then_some(effect)
}

/// One input with the answers that it leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The input.
    pub input: Input,
    /// The answer for each of [`FACTORS`]; `None`: it cannot be so many times as large.
    pub answers: [Option<Found>; 2],
}

/// What an answer depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sensitivity {
    /// How the answers were found.
    pub rule: Rule,
    /// The answer as it is, found in the same way.
    pub base: Found,
    /// The inputs on which it depends most.
    pub rows: Vec<Row>,
    /// How many inputs were looked at.
    pub inputs: usize,
    /// How many of them moved nothing.
    pub quiet: usize,
    /// How many more there are.
    pub left_out: usize,
    /// Runs that this took.
    pub runs: u64,
}

/// The place that stands for an answer, beyond the ends where it lies outside; `None`: there is none.
fn place(found: &Found, harder: Harder, last: u64) -> Option<i128> {
    let (easy, hard) = match harder {
        Harder::Up => (-1, i128::from(last) + 1),
        Harder::Down => (i128::from(last) + 1, -1),
    };
    match found {
        Found::Limit { holds: Some(place), .. } => Some((*place).into()),
        Found::Limit { holds: None, .. } | Found::AllFail => Some(easy),
        Found::AllHold => Some(hard),
        Found::Undecided | Found::NotMonotone { .. } => None,
    }
}

impl Sensitivity {
    fn harder(&self) -> Harder {
        if let Found::Limit { harder, .. } = self.base { harder } else { Harder::Up }
    }

    /// Puts the input first that moves the answer most.
    pub fn sort(&mut self, last: u64) {
        let harder = self.harder();
        let base = place(&self.base, harder, last);
        let moves = |row: &Row| {
            let each = row.answers.iter().flatten().filter_map(|found| place(found, harder, last));
            each.filter_map(|place| Some((place - base?).unsigned_abs())).max()
        };
        self.rows.sort_by_key(|row| std::cmp::Reverse(moves(row)));
    }

    /// Costs among the inputs that nobody has measured.
    pub fn unmeasured(&self) -> Vec<&str> {
        let costs = self.rows.iter().map(|row| &row.input).filter(|input| input.is_cost);
        costs.filter(|input| input.source != Source::Measured).map(|input| input.path.as_str()).collect()
    }

    /// In words.
    pub fn text(&self, find: &Find) -> String {
        let how = match self.rule {
            Rule::Bounds => "rule 32, as the answer itself".to_owned(),
            Rule::Majority | Rule::All => format!(
                "a guess, by the majority of {SCREENED} replications, by which the answer as it is would be {}; \
                 --sensitivity full searches by rule 32",
                told(find, &self.base)
            ),
        };
        let mut text = format!("\nWhat it depends on most ({how}):\n");
        text = words::wrap(text.trim_end(), 100, 2) + "\n";
        if self.rows.is_empty() {
            text += "  no input moves what decides\n";
        }
        let mut rows =
            vec![["input".to_owned(), "is".to_owned(), "×0.8".to_owned(), "×1.25".to_owned(), String::new()]];
        for Row { input, answers } in &self.rows {
            let answer = |nth: usize| answers[nth].as_ref().map_or_else(|| "-".to_owned(), |found| told(find, found));
            rows.push([input.path.clone(), cut(&input.value), answer(0), answer(1), mark(&input.source)]);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d] = [0, 1, 2, 3].map(width);
        if !self.rows.is_empty() {
            for [path, value, less, more, mark] in &rows {
                let line = format!("  {path:a$}  {value:>b$}  {less:>c$}  {more:>d$}  ");
                let before = line.chars().count();
                let mark = words::wrap(mark, 100usize.saturating_sub(before).max(MARK_MIN), 0);
                text += (line + &mark.replace('\n', &format!("\n{:before$}", ""))).trim_end();
                text.push('\n');
            }
        }
        let quiet = words::plural(self.quiet as u64, "moves", "move");
        let others = if self.quiet == 0 { String::new() } else { format!(", of which {quiet} nothing") };
        let more = match self.left_out {
            0 => String::new(),
            n => format!(" ({} more were not looked at)", words::count(n as u64)),
        };
        text + &format!("  of {} inputs{more}{others}; {} runs\n", self.inputs, words::count(self.runs))
    }

    /// As JSON.
    pub fn json(&self, find: &Find) -> Json {
        let row = |Row { input, answers }: &Row| {
            let answer = |found: &Option<Found>| found.as_ref().map(|found| told(find, found));
            let source = match &input.source {
                Source::Measured => "measured",
                Source::Given => "given",
                Source::Assumed(_) => "assumed",
            };
            let why = if let Source::Assumed(why) = &input.source { Some(why) } else { None };
            json!({
                "input": input.path,
                "value": input.value,
                "source": source,
                "assumed": why,
                "at_0.8": answer(&answers[0]),
                "at_1.25": answer(&answers[1]),
            })
        };
        json!({
            "by": if self.rule == Rule::Bounds { "rule 32" } else { "majority" },
            "replications": (self.rule != Rule::Bounds).then_some(SCREENED),
            "as_it_is": told(find, &self.base),
            "inputs": self.inputs,
            "moving_nothing": self.quiet,
            "left_out": self.left_out,
            "runs": self.runs,
            "most": self.rows.iter().map(row).collect::<Json>(),
        })
    }
}

/// An answer in a word or two.
fn told(find: &Find, found: &Found) -> String {
    match found {
        Found::Limit { holds: Some(holds), .. } => find.text(*holds),
        Found::Limit { holds: None, .. } => "none".to_owned(),
        Found::AllHold => "all hold".to_owned(),
        Found::AllFail => "all fail".to_owned(),
        Found::Undecided => "not said".to_owned(),
        Found::NotMonotone { .. } => "no one limit".to_owned(),
    }
}

/// What is known of where a value comes from.
fn mark(source: &Source) -> String {
    match source {
        Source::Measured => "measured".to_owned(),
        Source::Given => "given".to_owned(),
        Source::Assumed(why) => format!("default: {why}"),
    }
}

/// The least room for where a value comes from.
const MARK_MIN: usize = 24;
/// The most characters of a value in a table.
const VALUE_MAX: usize = 28;

fn cut(value: &str) -> String {
    if value.chars().count() <= VALUE_MAX {
        return value.to_owned();
    }
    value.chars().take(VALUE_MAX - 3).collect::<String>() + "..."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    fn plan() -> Plan {
        let text = b"schema = 1\nsemantics = 1\nrun.horizon = \"1d\"\nvalidation.validator = \"sfb2015-cu2\"\n\
            [[group]]\nname = \"g\"\ntransport = \"tcp\"\n[expect]\nquick = \"outage : max <= 2s\"\n";
        scenario::load("s", "s.toml", text, &[]).expect("a plan")
    }

    fn runs(verdict: Verdict, values: [u64; 5]) -> Vec<Seen> {
        values.map(|ns| Seen { each: vec![(verdict, Some((ns, Some(ns))))], crashed: false }).to_vec()
    }

    #[test]
    fn an_input_is_as_strong_as_it_moves_the_median_or_turns_replications_round() {
        let plan = plan();
        let base = runs(Verdict::Pass, [80, 90, 100, 110, 120]);
        assert_eq!(effect(&plan, 0, &base, &base), None);
        assert_eq!(effect(&plan, 0, &base, &runs(Verdict::Pass, [81, 90, 100, 110, 119])), None, "the median counts");
        let half = effect(&plan, 0, &base, &runs(Verdict::Pass, [50; 5]));
        assert_eq!((half, effect(&plan, 0, &base, &runs(Verdict::Pass, [200; 5]))), (Some(1_000_000), half));
        assert_eq!(effect(&plan, 0, &base, &runs(Verdict::Fail, [100; 5])), Some(1_000_000), "all five turned");
        let never = effect(&plan, 0, &base, &runs(Verdict::Fail, [u64::MAX; 5]));
        assert_eq!(never, Some(u64::MAX));
    }

    #[test]
    fn the_input_that_moves_the_answer_most_comes_first_and_its_mark_is_told() {
        let find = Find::parse("peers=1..101", None).expect("a question");
        let limit = |holds: u64| Found::Limit { harder: Harder::Up, holds: Some(holds), fails: Some(holds + 1) };
        let row = |path: &str, source, answers| {
            let input = Input { path: path.to_owned(), value: "1ms".to_owned(), source, is_cost: true };
            Row { input, answers }
        };
        let mut found = Sensitivity {
            rule: Rule::Majority,
            base: limit(50),
            rows: vec![
                row("rtt", Source::Given, [Some(limit(51)), Some(limit(49))]),
                row("accept", Source::Assumed("1ms: nobody knows".to_owned()), [Some(Found::AllHold), None]),
                row("refresh", Source::Measured, [Some(limit(60)), Some(limit(41))]),
            ],
            inputs: 9,
            quiet: 6,
            left_out: 0,
            runs: 1234,
        };
        found.sort(find.last());
        let text = found.text(&find);
        let order: Vec<&str> = found.rows.iter().map(|row| row.input.path.as_str()).collect();
        assert_eq!(order, ["accept", "refresh", "rtt"], "{text}");
        for line in [
            "by which the answer as it is\n  would be 51;",
            "  accept   1ms  all hold      -  default: 1ms: nobody knows\n",
            "  refresh  1ms        61     42  measured\n",
            "  of 9 inputs, of which 6 move nothing; 1,234 runs\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in: {text}");
        }
        assert_eq!(found.unmeasured(), ["accept", "rtt"]);
    }
}
