//! Requests in windows around refreshes: whether they say anything, and what (model rule 29).

use serde_json::{Value as Json, json};

use super::figures::{Value, dues, goodput};
use super::latency::{Printed, Samples, cells, requests_in_windows};
use super::words;
use crate::measure::{Around, Metric, Outcome, Tags, WindowEnd, Windows};
use crate::policy::Anchor;
use crate::scenario::expect::InPhase;
use crate::scenario::plan::Plan;
use crate::time::{Span, Time};

/// Why what is measured in windows says nothing; `None`: it does.
pub(super) fn unknown(plan: &Plan, outcome: &Outcome) -> Option<String> {
    let Some(windows) = &outcome.windows else {
        return Some(match &plan.refresh {
            None => "the plan has no refresh".to_owned(),
            Some(_) if plan.senders() == 0 => "no group sends requests".to_owned(),
            Some(refresh) if refresh.anchor == Anchor::OwnAge => {
                "with anchor own-age there are no ticks, and so no windows around them".to_owned()
            }
            Some(_) => "no peer sends requests".to_owned(),
        });
    };
    if windows.asked.is_too_much() {
        let name = words::cut(&plan.front_ends[usize::from(windows.asked.front_end)].name, 32);
        return Some(format!(
            "requests alone ask for {} of the cores of {name} outside refreshes, so that no backlog of a refresh is ever \
             worked off",
            format_args!("{} %", windows.asked.cpu.saturating_mul(100) / windows.asked.can.max(1)),
        ));
    }
    if let Some(cut) = &windows.cut {
        let begun = words::instant(cut.begun);
        return Some(match cut.ended {
            Some((_, WindowEnd::Limit)) => {
                let limit = words::about(windows.limit);
                format!(
                    "the window of the refresh at {begun} reached its limit of {limit} with its backlog not worked off"
                )
            }
            _ => format!("the run ended in the window of the refresh at {begun}, its backlog not worked off"),
        });
    }
    if measured(windows).next().is_some() {
        return None;
    }
    Some(match (windows.each.first(), windows.lead_in) {
        (None, _) if dues(outcome) == 0 => format!("no refresh fell due within {}", words::about(plan.horizon)),
        (None, _) => "no tick took a connection".to_owned(),
        (Some(_), lead_in) => {
            let lead_in =
                lead_in.map_or_else(|| "of any length".to_owned(), |span| format!("of {}", words::about(span)));
            format!("no refresh had an undisturbed lead-in {lead_in} before it")
        }
    })
}

fn measured(windows: &Windows) -> impl Iterator<Item = &Around> {
    windows.each.iter().filter(|of| of.measured)
}

fn length(of: &Around) -> Span {
    of.ended.map_or(Span::ZERO, |(at, _)| at.since(of.begun))
}

/// One sentence for the summary; none without windows.
pub(super) fn text(plan: &Plan, outcome: &Outcome) -> String {
    let Some(windows) = outcome.windows.as_ref().filter(|windows| !windows.each.is_empty()) else {
        return String::new();
    };
    let all = windows.each.len() as u64 + windows.more;
    let n = words::plural(all, "window", "windows");
    if let Some(why) = unknown(plan, outcome) {
        return format!("Requests around refreshes: not known from {n}, for {why}");
    }
    let counts = requests_in_windows(outcome, &cells(outcome, &Tags::default())).unwrap_or_default();
    let longest = measured(windows).map(length).max().unwrap_or(Span::ZERO);
    let mut line = format!(
        "Requests around refreshes: {} of {n} measured, up to {} long; {} due, {} failed",
        words::count(measured(windows).count() as u64),
        words::about(longest),
        words::count(counts.due),
        words::count(counts.timed_out + counts.connection_lost),
    );
    if let Some(Value::Share { part, whole }) = goodput(&counts) {
        line += &format!(", goodput {}", words::percent(part, whole));
    }
    let samples = Samples::of(outcome, Metric::Request, &Tags::default(), Some(InPhase::Windows));
    if samples.ranked() > 0 {
        let told = [("p50", 500_000), ("p99", 990_000), ("max", 1_000_000)].map(|(name, ppm)| {
            let value = match samples.printed(ppm) {
                Printed::Unknown => "-".to_owned(),
                Printed::Never => "never".to_owned(),
                Printed::UpTo(span) => words::about(span),
            };
            format!("{name} {value}")
        });
        line += &format!("; {}", told.join(", "));
    }
    line
}

/// All of it.
pub(super) fn json(plan: &Plan, outcome: &Outcome) -> Json {
    let Some(windows) = &outcome.windows else { return Json::Null };
    let at = |at: Time| at.0;
    let one = |of: &Around| {
        let how = of.ended.map(|(_, how)| match how {
            WindowEnd::Back => "back",
            WindowEnd::Limit => "limit",
            WindowEnd::RunEnd => "run end",
        });
        json!({
            "begun_ns": of.begun.0,
            "ended_ns": of.ended.map(|(ended, _)| at(ended)),
            "end": how,
            "open_before": of.level,
            "measured": of.measured,
        })
    };
    let cells = cells(outcome, &Tags::default());
    let samples = Samples::of(outcome, Metric::Request, &Tags::default(), Some(InPhase::Windows));
    let wide = super::json::wide;
    json!({
        "unknown": unknown(plan, outcome),
        "lead_in_ns": windows.lead_in.map(|span| span.0),
        "limit_ns": windows.limit.0,
        "asked": {
            "front_end": plan.front_ends.get(usize::from(windows.asked.front_end)).map(|f| f.name.as_str()),
            "cpu_ns": wide(windows.asked.cpu),
            "of_ns": wide(windows.asked.can),
        },
        "each": windows.each.iter().map(one).collect::<Json>(),
        "more": windows.more,
        "requests": requests_in_windows(outcome, &cells).map(super::json::of_requests),
        "latency": super::json::of_samples(&samples),
    })
}
