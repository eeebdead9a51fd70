//! Decisions as lines for people: when, since the service start too, who, where and what.

use super::records::step_words;
use super::words;
use crate::measure::{Decision, Record, RecordKind, What};
use crate::scenario::Plan;
use crate::sim::Names;
use crate::time::{Span, Time};

/// A point of run time as day and time of day, to the microsecond below: `1d 00:02:05.003000`.
pub fn clock(at: Time) -> String {
    if at == Time::NEVER {
        return at.to_string();
    }
    let micros = at.0 / Span::MICROSECOND.0;
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    format!("{days}d {:02}:{:02}:{:02}.{micros:06}", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// The front end that a decision is of, or that a peer's decision is about; `None`: of no single one.
pub fn place_of(decision: &Decision) -> Option<u16> {
    match decision.what {
        what if what.is_of_front_end() => u16::try_from(decision.who).ok(),
        // A question's extra number has the phase in its highest bit.
        What::Asked => Some(decision.extra & 0x7FFF),
        // A request at its peer belongs to no front end yet, or no more.
        What::RequestDue | What::RequestAnswered | What::RequestFailed => None,
        _ => Some(decision.extra),
    }
}

/// When each front end served.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Services {
    /// Front end, service start, and when that came to its end.
    lives: Vec<(u16, Time, Time)>,
}

impl Services {
    /// As the records of a run tell it.
    pub fn of(records: &[Record]) -> Services {
        let mut lives: Vec<(u16, Time, Time)> = Vec::new();
        for record in records {
            let Some(place) = record.front_end else { continue };
            match record.kind {
                RecordKind::ServiceStart { .. } => lives.push((place, record.at, Time::NEVER)),
                RecordKind::Fault { .. } | RecordKind::Killed { .. } | RecordKind::Stop { .. } => {
                    if let Some(life) = lives.iter_mut().rev().find(|life| life.0 == place) {
                        life.2 = life.2.min(record.at);
                    }
                }
                _ => {}
            }
        }
        Services { lives }
    }

    /// How long the front end at `place` has served at `at`, its last instant included; `None`: it does not.
    pub fn since_start(&self, place: u16, at: Time) -> Option<Span> {
        let life = self.lives.iter().rev().find(|life| life.0 == place && life.1 <= at)?;
        (at <= life.2).then(|| at.since(life.1))
    }
}

/// Decisions as a table, one a line, under a line of headings.
pub fn table(plan: &Plan, decisions: &[Decision], services: &Services) -> String {
    let names = Names::new(plan);
    let dated = plan.epoch.is_some();
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(decisions.len() + 1);
    let headings = ["run time", "since service start", "date (UTC)", "front end", "peer", "what"];
    rows.push(headings.map(str::to_owned).into());
    for decision in decisions {
        let place = place_of(decision);
        let served = place.and_then(|place| services.since_start(place, decision.at));
        let peer = if decision.what.is_of_front_end() { "-".to_owned() } else { names.peer(decision.who) };
        let date = words::date(plan, decision.at).unwrap_or_default();
        rows.push(vec![
            clock(decision.at),
            served.map_or_else(|| "-".to_owned(), |span| clock(Time(span.0))),
            date.trim_end_matches(" UTC").to_owned(),
            place.map_or("-", |place| names.front_end(place)).to_owned(),
            peer,
            step_words(plan, decision),
        ]);
    }
    if !dated {
        rows.iter_mut().for_each(|row| drop(row.remove(2)));
    }
    aligned(&rows)
}

/// Rows of cells as lines of columns, two blanks apart; the last column is as long as it is.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        row.iter().zip(&mut widths).for_each(|(cell, width)| *width = (*width).max(cell.chars().count()));
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let fill = width.saturating_sub(cell.chars().count()) + 2;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', fill));
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_of_time_reads_as_day_and_time_of_day() {
        assert_eq!(clock(Time(86_525_003_000_999)), "1d 00:02:05.003000");
        assert_eq!(clock(Time::ZERO), "0d 00:00:00.000000");
        assert_eq!(clock(Time::NEVER), "never");
    }

    #[test]
    fn service_is_counted_from_the_incarnation_that_serves() {
        let record = |at, kind| Record { at: Time(at), front_end: Some(3), peer: None, kind };
        let services = Services::of(&[
            record(10, RecordKind::ServiceStart { incarnation: 1 }),
            record(50, RecordKind::Killed { incarnation: 1, connections: 0, jobs: 0 }),
            record(70, RecordKind::ServiceStart { incarnation: 2 }),
        ]);
        let since = |at| services.since_start(3, Time(at)).map(|span| span.0);
        assert_eq!([5, 10, 50, 51, 70, 99].map(since), [None, Some(0), Some(40), None, Some(0), Some(29)]);
        assert_eq!(services.since_start(2, Time(20)), None);
    }
}
