//! Replications in words and as JSON.

use serde_json::{Map, Value as Json, json};

use crate::measure::{COURSES, Figure, Shape, Verdict};
use crate::report::{Table, expectation_line, words, wrap};

use super::super::capacity::shape;
use super::super::cell::{PROGRAM, unit};
use super::super::replica::{Line, verdict};
use super::super::stats::{LOOKS_FROM, median_interval_level};
use super::super::told::shaped;
use super::{Pool, QUANTILES, Replicated, Spread, Stop, Until, Weighed};

/// No line is wider.
const WIDTH: usize = 100;
/// The name and version of the shape of the summary.
const SCHEMA: &str = "refresh-sim.replicated/1";
/// The quantile whose median over replications is told in the text: the second of [`QUANTILES`].
const TOLD: usize = 1;
/// Figures that the text tells; JSON has all.
const FIGURES: [Figure; 9] = [
    Figure::Availability,
    Figure::PeerTimeLost,
    Figure::DisconnectedMax,
    Figure::Reconnected100,
    Figure::DrainActual,
    Figure::Recovery,
    Figure::Goodput,
    Figure::WorkerUtilisation,
    Figure::WastedWork,
];

/// What a summary needs to know beside the replications.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// The command that makes one replication again, alone.
    pub command: &'a dyn Fn(u32) -> String,
    /// The rule that decided how many there are, and where it stopped; `None`: the number was given.
    pub until: Option<(&'a Until, &'a Stop)>,
    /// The exit code.
    pub exit: u8,
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A width as people read it.
fn width(ppm: Option<u64>) -> String {
    match ppm {
        None => "no interval".to_owned(),
        Some(u64::MAX) => "no bound".to_owned(),
        Some(ppm) => percent(ppm as f64 / 1e6),
    }
}

fn interval(shape: Shape, spread: &Spread) -> String {
    spread.interval.map_or_else(
        || "-".to_owned(),
        |(low, high)| format!("{} to {}", shaped(shape, Some(low)), shaped(shape, Some(high))),
    )
}

impl Replicated<'_> {
    /// The summary as text.
    pub fn text(&self, about: &About<'_>) -> String {
        let parts = [
            self.head(about),
            self.expectations(),
            self.runs(),
            self.figures_text(),
            self.latencies_text(),
            self.foot(about),
        ];
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(|part| part.trim_end().to_owned() + "\n")
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn numbered(&self) -> String {
        let count = words::plural(self.count().into(), "replication", "replications");
        match self.count() {
            0 | 1 => count,
            n => format!("{count}, 0 to {}", n - 1),
        }
    }

    fn head(&self, about: &About<'_>) -> String {
        let mut line = format!("{} of {}, seed {}", self.numbered(), words::printable(&self.plan.name), self.plan.seed);
        if self.count() > 1 && self.runs.iter().all(|run| run.digest == self.runs[0].digest) {
            line += "\nAll of them decide the same: nothing that counts is drawn at random here.";
        }
        if let Some((until, stop)) = about.until {
            let widths: Vec<String> = until
                .watched
                .iter()
                .zip(&stop.widths)
                .map(|(nth, own)| format!("{} {}", self.plan.expect[*nth].name, width(*own)))
                .collect();
            let wanted = percent(until.width_ppm as f64 / 1e6);
            line += &if stop.reached {
                format!(
                    "\nStopped after {} of at most {}: every interval looked at is at most {wanted} of its median wide: {}",
                    self.count(),
                    until.most,
                    widths.join(", ")
                )
            } else {
                format!(
                    "\nNOT REACHED: all {} that may be made were, and not every interval is at most {wanted} of its median \
                     wide: {}",
                    until.most,
                    widths.join(", ")
                )
            };
            line += &format!(
                "\nThe rule looked {}; an interval's level is that of one look.",
                words::plural(stop.looks.into(), "time", "times")
            );
        }
        line.lines().map(|line| wrap(line, WIDTH, 2)).collect::<Vec<_>>().join("\n")
    }

    fn expectations(&self) -> String {
        if self.plan.expect.is_empty() {
            return "Expectations: none are stated, so none was judged".to_owned();
        }
        let all: Vec<Weighed> = (0..self.plan.expect.len()).map(|nth| self.weighed(nth)).collect();
        let number = |verdict| all.iter().filter(|weighed| weighed.verdict == verdict).count();
        let mut lines = format!(
            "Expectations, each in every replication: {} pass, {} FAIL, {} INCONCLUSIVE\n",
            number(Verdict::Pass),
            number(Verdict::Fail),
            number(Verdict::Inconclusive)
        );
        for (verdict, word) in
            [(Verdict::Fail, "FAIL"), (Verdict::Inconclusive, "INCONCLUSIVE"), (Verdict::Pass, "pass")]
        {
            for (nth, weighed) in all.iter().enumerate().filter(|(_, weighed)| weighed.verdict == verdict) {
                lines += &expectation_line(word, &self.expectation(nth, weighed));
            }
        }
        lines
    }

    fn expectation(&self, nth: usize, weighed: &Weighed) -> String {
        let (expectation, n) = (&self.plan.expect[nth], self.count());
        let (name, text) = (&expectation.name, &expectation.text);
        let mut line = format!("{name} [{text}]: holds in {} of {n}", weighed.passed);
        let open = n - weighed.passed - weighed.failed;
        if weighed.failed > 0 {
            line += &format!(", fails in {}", weighed.failed);
        }
        if open > 0 {
            line += &format!(", is inconclusive in {open}");
        }
        if n > 1 {
            let (low, high) = weighed.bounds;
            line += &match (weighed.passed, weighed.passed == n) {
                (_, true) => format!("; with 95 % confidence in {} of all or more", percent(low)),
                (0, _) => format!("; with 95 % confidence in {} of all or less", percent(high)),
                _ => format!(
                    "; with 95 % confidence in {} of all or more, and with 95 % in {} or less",
                    percent(low),
                    percent(high)
                ),
            };
        }
        let (shape, spread) = (shape(expectation), &weighed.spread);
        let judgement = &self.runs[weighed.worst as usize].expectations[nth];
        if spread.known > 0 && shape != Shape::Course {
            line += &format!("; median {}", shaped(shape, spread.median));
            if spread.interval.is_some() {
                line += &format!(" ({})", interval(shape, spread));
            }
        }
        let why = judgement.why.as_ref().map_or_else(String::new, |why| format!("; {why}"));
        line + &format!("; worst {} in replication {}{why}", judgement.observed, weighed.worst)
    }

    fn runs(&self) -> String {
        let n = u64::from(self.count());
        let crashed = self.runs.iter().filter(|run| run.crashes > 0).count() as u64;
        let all: u64 = self.runs.iter().map(|run| run.crashes).sum();
        let (least, most) =
            (self.runs.iter().map(|run| run.crashes).min(), self.runs.iter().map(|run| run.crashes).max());
        let mut lines = match (least, most) {
            (Some(0), Some(0)) | (None, _) | (_, None) => "No front end crashed in any of them.".to_owned(),
            (Some(least), Some(most)) => {
                let each = if least == most { format!("{least} in each") } else { format!("{least} to {most} in one") };
                format!(
                    "Crashes: {} in {} of {}: {each}",
                    words::count(all),
                    words::count(crashed),
                    words::plural(n, "replication", "replications")
                )
            }
        };
        let told: Vec<String> = self.courses().iter().map(|(word, n)| format!("{word} in {n}")).collect();
        lines += &format!("\nVerdicts: {}", told.join(", "));
        lines.lines().map(|line| wrap(line, WIDTH, 2)).collect::<Vec<_>>().join("\n")
    }

    /// How many runs went how, the worst first.
    fn courses(&self) -> Vec<(&'static str, usize)> {
        let count = |nth: usize| self.runs.iter().filter(|run| run.course == nth).count();
        COURSES.iter().enumerate().map(|(nth, word)| (*word, count(nth))).filter(|(_, n)| *n > 0).collect()
    }

    fn figures_text(&self) -> String {
        let mut table = Table::new(&["figure", "median", "interval", "least", "most"], 1);
        for figure in FIGURES {
            let Some(values) = self.figures.get(&figure) else { continue };
            let spread = Spread::of(values);
            if spread.known == 0 {
                continue;
            }
            let shape = figure.shape();
            let name = if spread.known < self.count() {
                format!("{} (in {} of {})", figure.name(), spread.known, self.count())
            } else {
                figure.name().to_owned()
            };
            let one = |value| shaped(shape, value);
            let ends = [one(spread.min), one(spread.max)];
            let mut row = vec![name, one(spread.median), interval(shape, &spread)];
            row.extend(ends);
            table.row(row);
        }
        table.text()
    }

    fn latencies_text(&self) -> String {
        let head = ["latency", "transport", "cause", "n", "p50", "p99", "p99.9", "median", "interval"];
        let mut table = Table::new(&head, 3);
        for (line, pool) in self.lines.iter().filter(|(line, _)| line.group.is_none()) {
            let quantile = |ppm| match pool.samples.quantile(ppm) {
                None => "-".to_owned(),
                value => shaped(Shape::Latency, value),
            };
            let spread = self.spread(pool, TOLD);
            let transport = if line.transport.is_empty() { "-".to_owned() } else { line.transport.clone() };
            let mut row = vec![line.metric.name().to_owned(), transport, line.cause.name().to_owned()];
            row.push(words::count(pool.samples.count()));
            row.extend(QUANTILES.map(quantile));
            // The median of some of them would be that of others.
            let is_known = spread.known == self.count();
            row.push(if is_known { shaped(Shape::Latency, spread.median) } else { "-".to_owned() });
            row.push(interval(Shape::Latency, &spread));
            table.row(row);
        }
        let note = match median_interval_level(self.count()) {
            Some(level) => format!(
                "(p50, p99, p99.9: of all samples pooled, upper bucket edges; -: fewer than 10 samples beyond. median and \
                 interval: the median of the replications' own p99, and the {} interval for it, by order statistics, exact. \
                 Other intervals: for the median likewise)",
                percent(level)
            ),
            None => format!(
                "(p50, p99, p99.9: of all samples pooled, upper bucket edges; -: fewer than 10 samples beyond. median: of the \
                 replications' own p99. There are no intervals below {LOOKS_FROM} replications)"
            ),
        };
        let note: Vec<String> = wrap(&note, WIDTH - 2, 1).lines().map(|line| format!("  {line}")).collect();
        format!("{}{}", table.text(), note.join("\n"))
    }

    fn foot(&self, about: &About<'_>) -> String {
        let mut lines = String::new();
        if let Some((replication, why)) = self.worst() {
            let which = wrap(&format!("Worst: replication {replication}: {why}"), WIDTH, 2);
            // A command is never broken.
            lines += &format!("{which}\n  to see it alone: {}\n", (about.command)(replication));
        }
        lines + &format!("digest of all {}", self.digest())
    }

    /// The summary as JSON.
    pub fn json(&self, about: &About<'_>) -> Json {
        let worst = self.worst().map(|(replication, why)| {
            json!({ "replication": replication, "why": why, "reproduce": (about.command)(replication) })
        });
        let lines = |groups: bool| {
            let own = self.lines.iter().filter(|(line, _)| line.group.is_some() == groups);
            own.map(|(line, pool)| self.line(line, pool)).collect::<Json>()
        };
        json!({
            "schema": SCHEMA,
            "semantics": crate::scenario::SEMANTICS,
            "program": PROGRAM,
            "scenario": self.plan.name,
            "seed": self.plan.seed,
            "replications": self.count(),
            "exit": about.exit,
            "verdict": self.verdict().map(verdict),
            "digest": self.digest(),
            "interval": {
                "of": "the median of the values of single replications",
                "by": "order statistics",
                "level": median_interval_level(self.count()),
            },
            "until": about.until.map(|(until, stop)| self.until(until, stop)),
            "expectations": (0..self.plan.expect.len()).map(|nth| self.expectation_json(nth, about)).collect::<Json>(),
            "unmentioned_crash": self.unmentioned_crash().map(|(replication, front_end)| json!({
                "replication": replication,
                "front_end": front_end,
            })),
            "verdicts": self.courses().into_iter().map(|(word, n)| (word.to_owned(), json!(n))).collect::<Map<_, _>>(),
            "figures": self.figures.iter().map(|(figure, values)| {
                let mut all = of_spread(&Spread::of(values));
                all.insert("unit".to_owned(), unit(figure.shape()).into());
                (figure.name().to_owned(), Json::Object(all))
            }).collect::<Map<_, _>>(),
            "latencies": lines(false),
            "latencies_by_group": lines(true),
            "worst": worst,
            "each": (0u32..).zip(&self.runs).map(|(replication, run)| json!({
                "replication": replication,
                "cell": run.key,
                "digest": run.digest,
                "crashes": run.crashes,
                "verdict": COURSES.get(run.course),
                "expectations": run.expectations.iter().map(|judgement| judgement.verdict.as_str()).collect::<Json>(),
            })).collect::<Json>(),
        })
    }

    fn until(&self, until: &Until, stop: &Stop) -> Json {
        let one = |(nth, width): (&usize, &Option<u64>)| {
            let width = width.filter(|ppm| *ppm < u64::MAX);
            json!({ "expectation": self.plan.expect[*nth].name, "width_ppm": width })
        };
        json!({
            "width_ppm": until.width_ppm,
            "most": until.most,
            "looks": stop.looks,
            "reached": stop.reached,
            "watched": until.watched.iter().zip(&stop.widths).map(one).collect::<Json>(),
        })
    }

    fn expectation_json(&self, nth: usize, about: &About<'_>) -> Json {
        let (expectation, weighed) = (&self.plan.expect[nth], self.weighed(nth));
        let judgement = &self.runs.get(weighed.worst as usize).map(|run| &run.expectations[nth]);
        let ppm = |share: f64| libm::round(share * 1e6) as u64;
        json!({
            "name": expectation.name,
            "text": expectation.text,
            "verdict": verdict(weighed.verdict),
            "passed": weighed.passed,
            "failed": weighed.failed,
            "share_at_least_ppm": ppm(weighed.bounds.0),
            "share_at_most_ppm": ppm(weighed.bounds.1),
            "unit": unit(shape(expectation)),
            "value": of_spread(&weighed.spread),
            "worst": {
                "replication": weighed.worst,
                "observed": judgement.map(|judgement| judgement.observed.as_str()),
                "why": judgement.and_then(|judgement| judgement.why.as_deref()),
                "reproduce": (about.command)(weighed.worst),
            },
        })
    }

    fn line(&self, line: &Line, pool: &Pool) -> Json {
        let quantile = |(nth, ppm): (usize, &u32)| {
            let mut all = of_spread(&self.spread(pool, nth));
            let pooled = pool.samples.quantile(*ppm);
            all.insert("ppm".to_owned(), json!(ppm));
            all.insert("pooled_upper".to_owned(), value(pooled));
            Json::Object(all)
        };
        json!({
            "metric": line.metric.name(),
            "transport": (!line.transport.is_empty()).then_some(&line.transport),
            "group": line.group,
            "cause": line.cause.name(),
            "n": pool.samples.count(),
            "never": pool.samples.never(),
            "quantiles": QUANTILES.iter().enumerate().map(quantile).collect::<Json>(),
        })
    }
}

/// A value; null: it is not known.
fn value(value: Option<u64>) -> Json {
    match value {
        None => Json::Null,
        Some(u64::MAX) => "never".into(),
        Some(value) => value.into(),
    }
}

fn of_spread(spread: &Spread) -> Map<String, Json> {
    let ends = spread.interval;
    let all = [
        ("known", json!(spread.known)),
        ("median", value(spread.median)),
        ("low", value(ends.map(|ends| ends.0))),
        ("high", value(ends.map(|ends| ends.1))),
        ("min", value(spread.min)),
        ("max", value(spread.max)),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
