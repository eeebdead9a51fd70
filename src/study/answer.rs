//! The answer to a capacity question, in words and as a table.

use serde_json::{Value as Json, json};

use crate::measure::{Shape, Verdict};
use crate::report::words;
use crate::scenario::{Expectation, Op, Plan};

use super::capacity::{Find, Weighed, asks_for_more, deciding, limit, shape};
use super::estimate::Estimate;
use super::inputs::{Source, inputs};
use super::search::{Found, Harder};
use super::sensitivity::Sensitivity;
use super::stats::Tally;
use super::told::shaped;

/// Characters of the bar that is as long as the limit.
const BAR: u64 = 20;

/// A question with all that came of it.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The scenario as it is.
    pub plan: &'a Plan,
    /// What was looked for.
    pub find: &'a Find,
    /// Replications of each value.
    pub replications: u32,
    /// Each value that was looked at, in order.
    pub weighed: Vec<Weighed>,
    /// What the search found.
    pub found: Found,
    /// What paper and pencil say, of the scenario as it is.
    pub estimates: Vec<Estimate>,
    /// What it depends on most, if that was asked.
    pub sensitivity: Option<Sensitivity>,
    /// Paths of the scenario whose values come from measurements.
    pub measured: &'a [String],
}

pub(super) fn word(tally: Tally) -> &'static str {
    match tally {
        Tally::Holds => "holds",
        Tally::Undecided => "undecided",
        Tally::Fails => "fails",
    }
}

impl Answer<'_> {
    fn of(&self, place: u64) -> Option<&Weighed> {
        self.weighed.iter().find(|weighed| weighed.place == place)
    }

    /// The first sentence: the answer itself.
    pub fn headline(&self) -> String {
        let (name, text) = (self.find.name(), |place: u64| self.find.text(place));
        let (low, high) = (text(0), text(self.find.last()));
        match &self.found {
            Found::Limit { harder, holds, fails } => {
                let (most, least) = match harder {
                    Harder::Up => ("largest", "smallest"),
                    Harder::Down => ("smallest", "largest"),
                };
                let holds = holds.map_or_else(
                    || format!("no value from {low} to {high} is shown to hold"),
                    |place| format!("{} is the {most} value that holds", text(place)),
                );
                let fails = fails.map_or_else(
                    || "none is shown to fail".to_owned(),
                    |place| format!("{} the {least} that fails", text(place)),
                );
                format!("{name}: {holds}, {fails}{}", self.undecided())
            }
            Found::AllHold => {
                format!("{name}: all that was looked at from {low} to {high} holds; the limit lies outside")
            }
            Found::AllFail => {
                format!("{name}: all that was looked at from {low} to {high} fails; the limit lies outside")
            }
            Found::Undecided => {
                format!("{name}: nothing can be said from {low} to {high}: no value is shown to hold or to fail")
            }
            Found::NotMonotone { at: [before, odd, after], holds } => {
                let (middle, ends) = if *holds { ("holds", "fail") } else { ("fails", "hold") };
                format!(
                    "{name}: there is no one limit: {} {middle}, and {} and {} {ends}; search a part of the range, or \
                     sweep it",
                    text(*odd),
                    text(*before),
                    text(*after)
                )
            }
        }
    }

    /// The zone between what holds and what fails.
    fn undecided(&self) -> String {
        let Found::Limit { holds: Some(holds), fails: Some(fails), .. } = &self.found else { return String::new() };
        if holds.abs_diff(*fails) <= 1 {
            let step = self.find.range.text(self.find.step);
            return if step == "1" { "; nothing lies between".to_owned() } else { format!(", in steps of {step}") };
        }
        let (low, high) = if holds < fails { (holds + 1, fails - 1) } else { (fails + 1, holds - 1) };
        let (low, high) = (self.find.text(low), self.find.text(high));
        let zone = if low == high { low } else { format!("{low} to {high}") };
        format!("; {zone} is undecided by {} replications", self.replications)
    }

    /// The value that decides: the first that fails, else the hardest that was looked at.
    fn decided_at(&self) -> Option<&Weighed> {
        match &self.found {
            Found::Limit { fails: Some(place), .. } => self.of(*place),
            Found::Limit { harder: Harder::Up, .. } => self.weighed.last(),
            Found::Limit { harder: Harder::Down, .. } | Found::AllFail => self.weighed.first(),
            Found::NotMonotone { at, holds } => self.of(if *holds { at[0] } else { at[1] }),
            Found::AllHold | Found::Undecided => None,
        }
    }

    /// The worst loss of front ends where it is decided.
    pub fn loss(&self) -> Option<&str> {
        self.decided_at().or(self.weighed.last()).and_then(|weighed| weighed.loss.as_deref())
    }

    /// The position of the expectation that decides, or the only one there is.
    pub fn deciding(&self) -> Option<usize> {
        let decided = self.decided_at().and_then(|weighed| deciding(self.plan, weighed));
        decided.or_else(|| (!self.plan.expect.is_empty()).then_some(0))
    }

    /// The answer in words.
    pub fn text(&self) -> String {
        let mut text = words::wrap(&self.headline(), 100, 2) + "\n";
        if let Some(loss) = self.loss() {
            text += &format!("the worst that was tried: {loss}\n");
        }
        text += &self.curve();
        text += &self.thresholds();
        if !self.estimates.is_empty() {
            text += "\nWithout a run, for the scenario as it is:\n";
            for Estimate { what, value, holds_if } in &self.estimates {
                text += &format!("  {what}: {value}\n");
                for line in words::wrap(&format!("if {holds_if}"), 94, 0).lines() {
                    text += &format!("      {line}\n");
                }
            }
        }
        if let Some(sensitivity) = &self.sensitivity {
            text += &sensitivity.text(self.find);
        }
        text +=
            &format!("\n{}\n", words::wrap(&calibration(self.plan, self.measured, self.sensitivity.as_ref()), 100, 2));
        let method = format!(
            "rule 32: {} replications of each value, the same draws for all; it holds if at least 95 % would pass, fails if \
             fewer would, each with 95 % confidence; seed {}",
            self.replications, self.plan.seed
        );
        text + "\n" + &words::wrap(&method, 100, 2) + "\n"
    }

    /// A line for each value: how many pass, and the expectation that decides.
    fn curve(&self) -> String {
        let Some(nth) = self.deciding() else { return String::new() };
        let expectation = &self.plan.expect[nth];
        let mut rows = vec![[
            self.find.name(),
            String::new(),
            "pass".to_owned(),
            format!("{}: median", expectation.name),
            "worst".to_owned(),
            String::new(),
        ]];
        let mut is_known = true;
        for weighed in &self.weighed {
            let at = weighed.at(nth, expectation);
            is_known &= at.median.is_some();
            let value = |value: Option<u64>| match value {
                None => "-".to_owned(),
                known => shaped(shape(expectation), known),
            };
            rows.push([
                self.find.text(weighed.place),
                word(weighed.tally()).to_owned(),
                format!("{} of {}", weighed.count(Verdict::Pass), weighed.runs.len()),
                value(at.median),
                value(at.worst),
                bar(expectation, at.median),
            ]);
        }
        let widths: Vec<usize> =
            (0..6).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
        let mut text = format!("\ndecided by {}: {}\n\n", expectation.name, expectation.text);
        for [value, word, pass, median, worst, bar] in &rows {
            let line = format!(
                "  {value:>a$}  {word:b$}  {pass:>c$}  {median:>d$}  {worst:>e$}  {bar}",
                a = widths[0],
                b = widths[1],
                c = widths[2],
                d = widths[3],
                e = widths[4]
            );
            text += line.trim_end();
            text.push('\n');
        }
        if self.weighed.iter().any(|weighed| (weighed.runs.len() as u32) < weighed.planned) {
            text += "  (a value has fewer runs where so many had failed that the rest could change nothing)\n";
        }
        if !is_known {
            text += "  (-: too few samples for a value of its own; that all lie on one side of the limit is enough)\n";
        }
        text
    }

    /// How far each expectation is from its limit, where it is closest: at the last value that holds.
    fn thresholds(&self) -> String {
        let place = match &self.found {
            Found::Limit { holds: Some(place), .. } => *place,
            Found::AllHold => self.weighed.last().map_or(0, |weighed| weighed.place),
            _ => return self.why_not(),
        };
        let Some(weighed) = self.of(place) else { return String::new() };
        let mut text = format!("\nat {}, the worst of {} replications:\n", self.find.text(place), weighed.runs.len());
        let width = self.plan.expect.iter().map(|expectation| expectation.name.chars().count()).max().unwrap_or(0);
        for (nth, expectation) in self.plan.expect.iter().enumerate() {
            let at = weighed.at(nth, expectation);
            let value = shaped(shape(expectation), at.worst);
            let used = at.worst.and_then(|worst| used(expectation, worst));
            let used = used.map_or_else(String::new, |used| format!(", {used}"));
            text += &format!("  {:width$}  {value} ({}){used}\n", expectation.name, tail(&expectation.text));
        }
        text
    }

    /// Why no value holds.
    fn why_not(&self) -> String {
        let most = self.weighed.iter().max_by_key(|weighed| weighed.count(Verdict::Pass));
        let Some(weighed) = most else { return String::new() };
        let mut text = format!("\nat {}, where most replications pass:\n", self.find.text(weighed.place));
        for (nth, expectation) in self.plan.expect.iter().enumerate() {
            let at = weighed.at(nth, expectation);
            let n = weighed.runs.len();
            if at.failed + at.unknown > 0 {
                text += &format!(
                    "  {}: fails in {} and cannot be said in {} of {n}\n",
                    expectation.name, at.failed, at.unknown
                );
            }
        }
        if weighed.crashed() > 0 {
            text += &format!("  a front end crashes that no expectation mentions, in {}\n", weighed.crashed());
        }
        text
    }

    /// The curve as CSV: a row for each value and expectation.
    pub fn csv(&self) -> String {
        let mut text =
            "value,units,weighed,passed,failed,replications,expectation,unit,median,worst,limit\n".to_owned();
        let number = |value: Option<u64>| match value {
            None => String::new(),
            Some(u64::MAX) => "inf".to_owned(),
            Some(value) => value.to_string(),
        };
        for weighed in &self.weighed {
            for (nth, expectation) in self.plan.expect.iter().enumerate() {
                let at = weighed.at(nth, expectation);
                let unit = match shape(expectation) {
                    Shape::Latency | Shape::Length => "ns",
                    Shape::Count => "count",
                    Shape::Share => "ppb",
                    Shape::Course => "course",
                };
                let row = [
                    self.find.text(weighed.place),
                    self.find.at(weighed.place).to_string(),
                    word(weighed.tally()).to_owned(),
                    weighed.count(Verdict::Pass).to_string(),
                    weighed.count(Verdict::Fail).to_string(),
                    weighed.runs.len().to_string(),
                    super::sweep::field(&expectation.name),
                    unit.to_owned(),
                    number(at.median),
                    number(at.worst),
                    number(limit(expectation)),
                ];
                text += &(row.join(",") + "\n");
            }
        }
        text
    }

    /// The answer as JSON.
    pub fn json(&self) -> Json {
        let text = |place: &Option<u64>| place.map(|place| self.find.text(place));
        let (found, holds, fails) = match &self.found {
            Found::Limit { holds, fails, .. } => ("limit", text(holds), text(fails)),
            Found::AllHold => ("all hold", text(&Some(self.find.last())), None),
            Found::AllFail => ("all fail", None, text(&Some(0))),
            Found::Undecided => ("undecided", None, None),
            Found::NotMonotone { .. } => ("not monotone", None, None),
        };
        let value = |weighed: &Weighed| {
            json!({
                "value": self.find.text(weighed.place),
                "weighed": word(weighed.tally()),
                "passed": weighed.count(Verdict::Pass),
                "failed": weighed.count(Verdict::Fail),
                "replications": weighed.runs.len(),
            })
        };
        let estimate = |e: &Estimate| json!({ "what": e.what, "value": e.value, "holds_if": e.holds_if });
        json!({
            "find": self.find.name(),
            "found": found,
            "holds": holds,
            "fails": fails,
            "decided_by": self.deciding().map(|nth| self.plan.expect[nth].name.clone()),
            "worst_loss": self.loss(),
            "calibrated": !self.measured.is_empty()
                && unmeasured(self.plan, self.measured, self.sensitivity.as_ref()).is_empty(),
            "measured": self.measured,
            "sensitivity": self.sensitivity.as_ref().map(|sensitivity| sensitivity.json(self.find)),
            "assumed": self.plan.assumptions.iter().map(|assumption| assumption.key.as_str()).collect::<Json>(),
            "replications": self.replications,
            "values": self.weighed.iter().map(value).collect::<Json>(),
            "estimates": self.estimates.iter().map(estimate).collect::<Json>(),
        })
    }
}

/// Costs that count and are not measured: of those that move the answer, or of all where that is not known.
fn unmeasured(plan: &Plan, measured: &[String], sensitivity: Option<&Sensitivity>) -> Vec<String> {
    match sensitivity {
        Some(sensitivity) => sensitivity.unmeasured().into_iter().map(str::to_owned).collect(),
        None => {
            let costs = inputs(plan, measured).into_iter().filter(|input| input.is_cost);
            costs.filter(|input| input.source != Source::Measured).map(|input| input.path).collect()
        }
    }
}

/// What costs are worth: whether they are the user's own, and what was assumed.
pub(super) fn calibration(plan: &Plan, measured: &[String], sensitivity: Option<&Sensitivity>) -> String {
    let not = unmeasured(plan, measured, sensitivity);
    let mut text = if measured.is_empty() {
        "uncalibrated: costs are the scenario's own, not measured on your machines (--calibrate)".to_owned()
    } else if not.is_empty() {
        format!("calibrated: every cost that moves the answer is measured: {}", measured.join(", "))
    } else {
        format!("uncalibrated in part: measured are {}, and not {}", measured.join(", "), not.join(", "))
    };
    let assumed = plan.assumptions.len() as u64;
    if assumed > 0 {
        let keys = plan.assumptions.iter().map(|assumption| assumption.key.as_str()).collect::<Vec<_>>();
        let told = format!("; {} assumed: {}", words::plural(assumed, "value is", "values are"), keys.join(", "));
        text += &told;
    }
    text
}

/// What an expectation compares with: its line from the aggregate on.
fn tail(text: &str) -> &str {
    text.rsplit_once(':').map_or(text, |(_, tail)| tail).trim()
}

/// How much of its limit is used, for an upper bound above zero.
fn used(expectation: &Expectation, worst: u64) -> Option<String> {
    let limit = limit(expectation).filter(|limit| *limit > 0 && shape(expectation) != Shape::Course)?;
    if !matches!(expectation.op, Op::Less | Op::AtMost) || worst == u64::MAX {
        return None;
    }
    Some(format!("{} of its limit", words::percent(worst.into(), limit.into())))
}

/// A value beside its limit, which is [`BAR`] characters long; at most twice that is drawn.
fn bar(expectation: &Expectation, median: Option<u64>) -> String {
    let (Some(limit), Some(median)) = (limit(expectation), median) else { return String::new() };
    if limit == 0 || shape(expectation) == Shape::Course || asks_for_more(expectation.op) {
        return String::new();
    }
    let length = (u128::from(median) * u128::from(BAR)).div_ceil(u128::from(limit)).min(u128::from(2 * BAR)) as usize;
    let mut cells: Vec<char> = (0..length.max(BAR as usize)).map(|n| if n < length { '#' } else { ' ' }).collect();
    cells.insert(BAR as usize, '|');
    cells.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;
    use crate::study::capacity::{Rule, Seen};

    const TEXT: &[u8] = b"schema = 1\nsemantics = 1\n[run]\nhorizon = \"1d\"\n[validation]\n\
        validator = \"sfb2015-cu2\"\n[[group]]\nname = \"g\"\ncount = 5\ntransport = \"tls\"\n\
        [expect]\nquick = \"outage : max <= 2s\"\nlives = \"crashes : value == 0\"\n";

    /// Each value a tenth of a second slower than the one before.
    fn weighed(place: u64) -> Weighed {
        let mut weighed = Weighed::new(place, 59, Rule::Bounds);
        let ns = place * 100_000_000;
        let quick = if ns <= 2_000_000_000 { Verdict::Pass } else { Verdict::Fail };
        for _ in 0..59 {
            let each = vec![(quick, Some((ns, Some(ns)))), (Verdict::Pass, Some((0, Some(0))))];
            if weighed.add(Seen { each, crashed: false }) {
                break;
            }
        }
        weighed
    }

    #[test]
    fn an_answer_says_the_limit_who_decides_and_how_far_the_rest_is() {
        let plan = scenario::load("s", "s.toml", TEXT, &[]).expect("a plan");
        let find = Find::parse("peers=1..41", None).expect("a question");
        let answer = Answer {
            plan: &plan,
            find: &find,
            replications: 59,
            weighed: [0, 10, 20, 21, 40].map(weighed).to_vec(),
            found: Found::Limit { harder: Harder::Up, holds: Some(20), fails: Some(21) },
            estimates: Vec::new(),
            sensitivity: None,
            measured: &[],
        };
        assert_eq!(
            answer.headline(),
            "peers: 21 is the largest value that holds, 22 the smallest that fails; nothing lies between"
        );
        let text = answer.text();
        for line in [
            "decided by quick: outage : max <= 2s\n",
            "     11  holds  59 of 59             1s     1s  ##########          |\n",
            "     22  fails    0 of 7           2.1s   2.1s  ####################|#\n",
            "at 21, the worst of 59 replications:\n  quick  2s (max <= 2s), 100 % of its limit\n",
            "  lives  0 (value == 0)\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in: {text}");
        }
        assert!(
            answer.csv().contains("\n22,22,fails,0,7,7,quick,ns,2100000000,2100000000,2000000000\n"),
            "{}",
            answer.csv()
        );
        assert_eq!(answer.json()["holds"], "21");
        let odd = Answer { found: Found::NotMonotone { at: [0, 10, 20], holds: false }, ..answer };
        assert!(odd.headline().starts_with("peers: there is no one limit: 11 fails, and 1 and 21 hold"));
    }
}
