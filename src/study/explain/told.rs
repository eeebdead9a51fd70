//! An explanation in words and as JSON.

use serde_json::{Value as Json, json};

use super::chain::{Link, Shown};
use super::queue::Wait;
use super::{Explanation, State};
use crate::measure::{Decision, What};
use crate::report::moment::{aligned, clock, place_of};
use crate::report::records::step_words;
use crate::report::words;
use crate::scenario::Plan;
use crate::sim::Names;
use crate::time::{Span, Time};

/// Groups that a wait names.
const GROUPS: usize = 4;
/// Characters of a line of explanation.
const WIDTH: usize = 100;

/// What turns an explanation into words: its plan.
struct Teller<'a> {
    plan: &'a Plan,
    names: Names<'a>,
    told: &'a Explanation,
}

/// The explanation in words.
pub fn text(plan: &Plan, told: &Explanation) -> String {
    let teller = Teller { plan, names: Names::new(plan), told };
    let head = format!("{} at {}: {}", teller.names.peer(told.who), teller.when(told.at), teller.state());
    let mut text = words::wrap(&head, WIDTH, 2) + "\n";
    if told.chain.links().next().is_some() {
        text += &format!("\nwhat led to it\n{}", teller.chain());
    }
    if let Some(wait) = &told.waits {
        text += &format!("\n{}", teller.open_wait(wait));
    }
    text += &format!("\n{}", teller.later());
    text
}

/// The explanation as JSON.
pub fn json(plan: &Plan, told: &Explanation) -> Json {
    let teller = Teller { plan, names: Names::new(plan), told };
    json!({
        "kind": "explanation",
        "peer": teller.names.peer(told.who),
        "at_ns": told.at.0,
        "time": clock(told.at),
        "date": words::date(plan, told.at),
        "state": told.state.name(),
        "words": teller.state(),
        "since_ns": told.since.0,
        "front_end": told.place.map(|place| teller.names.front_end(place)),
        "connected": told.connected,
        "chain": told.chain.links().map(|link| teller.link_json(link)).collect::<Json>(),
        "left_out": told.chain.left_out().map(|(after, left_out)| json!({ "after": after, "steps": left_out })),
        "waits": told.waits.as_ref().map(|wait| teller.wait_json(wait)),
        "next": told.next.as_ref().map(|next| teller.decision_json(next)),
        "end": told.end.as_ref().map(|end| teller.decision_json(end)),
        "longest_without_connection": told.longest.map(|(since, length, ended)| {
            json!({ "since_ns": since.0, "length_ns": length.0, "ended": ended })
        }),
    })
}

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            State::Away => "away",
            State::Idle => "idle",
            State::Tries => "tries",
            State::BetweenTries => "between tries",
            State::Held => "held",
            State::Stopped => "stopped",
            State::Judged => "judged",
            State::LooksUp => "looks up",
            State::Valid => "valid",
            State::Due => "due",
            State::InLine => "in line",
        }
    }
}

impl Teller<'_> {
    /// `1d 00:02:05.003000 (2015-07-12 15:34:47.912 UTC)`.
    fn when(&self, at: Time) -> String {
        match words::date(self.plan, at) {
            Some(date) => format!("{} ({date})", clock(at)),
            None => clock(at),
        }
    }

    fn place(&self) -> &str {
        self.told.place.map_or("no front end", |place| self.names.front_end(place))
    }

    fn state(&self) -> String {
        let (told, place) = (self.told, self.place());
        let new =
            if told.connected { "valid on its old connection; a new one" } else { "without a connection; its try" };
        let what = match told.state {
            State::Away => "not there".to_owned(),
            State::Idle => "there, and has not tried to connect".to_owned(),
            State::Tries => format!("{new} at {place} is under way"),
            State::BetweenTries if told.connected => {
                "valid on its old connection, before the next try for a new one".to_owned()
            }
            State::BetweenTries => "without a connection, before its next try".to_owned(),
            State::Held => "without a connection; its try is held back".to_owned(),
            State::Stopped => "without a connection, and has stopped trying for good".to_owned(),
            State::Judged => format!("being judged at {place}"),
            State::LooksUp => format!("being judged at {place}, where its validation waits for a look-up"),
            State::Valid => format!("valid at {place}"),
            State::Due => format!("valid at {place}; its refresh is due and in the queue"),
            State::InLine => format!("valid at {place}; its refresh is due and waits for its turn"),
        };
        let since = told.at.since(told.since);
        format!("{what}, since {} ({} ago)", clock(told.since), words::about(since))
    }

    /// The links as lines: when, how long after the one before, where, what.
    fn chain(&self) -> String {
        let chain = &self.told.chain;
        let mut rows = Vec::new();
        let mut before = None;
        for (nth, link) in chain.links().enumerate() {
            if let Some((_, left_out)) = chain.left_out().filter(|(after, _)| *after == nth) {
                let total: u64 = left_out.values().sum();
                let each: Vec<String> =
                    left_out.iter().map(|(name, n)| format!("{} {name}", words::count(*n))).collect();
                let text = format!("... {} left out: {}", words::plural(total, "step", "steps"), each.join(", "));
                rows.push(vec![String::new(), String::new(), String::new(), text]);
            }
            self.rows_of(link, &mut before, &mut rows);
        }
        aligned(&rows)
    }

    fn rows_of(&self, link: &Link, before: &mut Option<Time>, rows: &mut Vec<Vec<String>>) {
        let gap = before.map(|before| link.at.since(before)).filter(|gap| *gap > Span::ZERO);
        *before = Some(if let Shown::Again { last, .. } = link.shown { last } else { link.at });
        let place = match &link.shown {
            Shown::Wait(wait) => Some(wait.front_end),
            shown => shown.decision().and_then(place_of),
        };
        let mut lines = self.lines_of(&link.shown).into_iter();
        rows.push(vec![
            format!("  {}", clock(link.at)),
            gap.map_or_else(String::new, |gap| format!("+{}", words::about(gap))),
            place.map_or("", |place| self.names.front_end(place)).to_owned(),
            lines.next().unwrap_or_default(),
        ]);
        rows.extend(lines.map(|line| vec![String::new(), String::new(), String::new(), format!("  {line}")]));
    }

    fn lines_of(&self, shown: &Shown) -> Vec<String> {
        match shown {
            Shown::Decision(own) => vec![self.words_of(own)],
            Shown::Stale(own) => {
                vec![format!("{}; for nothing: the peer had given this try up", self.words_of(own))]
            }
            Shown::Down { own, life } => vec![format!(
                "{}; {}: {}, at {}",
                self.words_of(own),
                self.names.front_end(place_of(life).unwrap_or(0)),
                step_words(self.plan, life),
                clock(life.at)
            )],
            Shown::Joins { own, fetch } => {
                let fetch = fetch.as_ref().map(|fetch| {
                    format!(
                        ", which that of {} began {} before",
                        self.names.peer(fetch.who),
                        words::about(own.at.since(fetch.at))
                    )
                });
                vec![self.words_of(own) + &fetch.unwrap_or_default()]
            }
            Shown::Again { tries, last } => {
                let tries = words::plural(*tries, "more try that ends", "more tries that end");
                vec![format!("{tries} likewise, the last of them at {}", clock(*last))]
            }
            Shown::Wait(wait) => self.wait_lines(wait),
        }
    }

    /// A decision; one about somebody else names them.
    fn words_of(&self, decision: &Decision) -> String {
        let text = step_words(self.plan, decision);
        let is_other = !decision.what.is_of_front_end() && decision.who != self.told.who;
        if is_other { format!("{} {text}", self.names.peer(decision.who)) } else { text }
    }

    /// A wait that is over: how long, and behind whom.
    fn wait_lines(&self, wait: &Wait) -> Vec<String> {
        let took = words::about(wait.until.unwrap_or(wait.from).since(wait.from));
        let what = match (wait.is_refresh, wait.is_asked) {
            (true, true) => format!("waited {took} in the queue, {}", self.behind(wait)),
            (true, false) => format!("waited {took} in the queue and was not asked about, {}", self.behind(wait)),
            (false, true) => format!("the question came {took} after its SYN, {}", self.behind(wait)),
            (false, false) => format!("no question came in {took} after its SYN; {}", self.behind(wait)),
        };
        let mut lines = vec![what];
        lines.extend(self.whom(wait));
        lines
    }

    fn behind(&self, wait: &Wait) -> String {
        let mut text = match (wait.before, wait.is_refresh) {
            (0, true) => "behind nobody".to_owned(),
            (0, false) => "and nobody was asked about in between".to_owned(),
            (n, true) => format!("behind {} that came before", words::plural(n, "other", "others")),
            (n, false) => format!("{} asked about in between", words::plural(n, "other was", "others were")),
        };
        if wait.requests > 0 {
            text += &format!(", and {}", words::plural(wait.requests, "request", "requests"));
        }
        text
    }

    /// Who they were: groups, the nearest, those in service.
    fn whom(&self, wait: &Wait) -> Vec<String> {
        let mut lines = Vec::new();
        if wait.groups.len() > 1 {
            let mut groups: Vec<(u64, usize)> = wait.groups.iter().map(|(group, n)| (*n, *group)).collect();
            groups.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            let name = |group: usize| self.plan.groups.get(group).map_or("?", |group| group.name.as_str());
            let mut named: Vec<String> = groups
                .iter()
                .take(GROUPS)
                .map(|(n, group)| format!("{} of {}", words::count(*n), name(*group)))
                .collect();
            let rest: u64 = groups.iter().skip(GROUPS).map(|(n, _)| n).sum();
            if rest > 0 {
                named.push(format!("{} of others", words::count(rest)));
            }
            lines.push(format!("of them {}", named.join(", ")));
        }
        if !wait.nearest.is_empty() {
            let nearest: Vec<String> = wait.nearest.iter().rev().map(|(who, _)| self.names.peer(*who)).collect();
            lines.push(format!("the last before it: {}", nearest.join(", ")));
        }
        if !wait.serving.is_empty() {
            let n = wait.serving.len() as u64;
            let named: Vec<String> = wait.serving.iter().take(GROUPS).map(|who| self.names.peer(*who)).collect();
            let more = if wait.serving.len() > GROUPS { ", ..." } else { "" };
            lines.push(format!("in service when it came: {} ({}{more})", words::count(n), named.join(", ")));
        }
        lines
    }

    /// The wait that holds at the instant.
    fn open_wait(&self, wait: &Wait) -> String {
        let told = self.told;
        let so_far = words::about(told.at.since(wait.from));
        let name = self.names.front_end(wait.front_end);
        let done = wait.before - wait.still_ahead;
        let mut text = if wait.is_refresh {
            format!("it waits: {so_far} in the queue of {name} so far\n")
        } else {
            format!("it waits: {so_far} since its SYN to {name} so far\n")
        };
        text += &format!("  asked about since: {}\n", words::plural(done, "other", "others"));
        let then = match (wait.until, wait.is_asked) {
            (Some(until), true) => format!(
                "{} more before its own turn, {} later",
                words::count(wait.still_ahead),
                words::about(until.since(told.at))
            ),
            (Some(until), false) => format!(
                "{} more until the wait ends in vain, {} later",
                words::count(wait.still_ahead),
                words::about(until.since(told.at))
            ),
            (None, _) => {
                format!("{} more until the end of the run, and it is not its turn", words::count(wait.still_ahead))
            }
        };
        text += &format!("  then: {then}\n");
        if wait.requests > 0 {
            text += &format!("  workers took {} too\n", words::plural(wait.requests, "request", "requests"));
        }
        for line in self.whom(wait) {
            text += &format!("  {line}\n");
        }
        text
    }

    /// What came of it.
    fn later(&self) -> String {
        let told = self.told;
        let line = |decision: &Decision| {
            let at = if decision.what == What::Asked {
                format!(" at {}", self.names.front_end(place_of(decision).unwrap_or(0)))
            } else {
                String::new()
            };
            format!(
                "{}{at}, in {}, at {}",
                self.words_of(decision),
                words::about(decision.at.since(told.at)),
                self.when(decision.at)
            )
        };
        let mut text = match &told.next {
            Some(next) => format!("next: {}\n", line(next)),
            None => "next: nothing until the end of the run\n".to_owned(),
        };
        if let Some(end) = told.end.as_ref().filter(|end| told.next.as_ref() != Some(*end)) {
            text += &format!("ends: {}\n", line(end));
        }
        if let Some((since, length, ended)) = told.longest {
            let is_it = since <= told.at && told.at <= since + length && !told.connected;
            if !is_it && length > Span::ZERO {
                let so_far = if ended { "" } else { ", to the end of the run" };
                text += &format!(
                    "its longest time without a valid connection: {} from {}{so_far}; --at \"{}\" explains its end\n",
                    words::about(length),
                    clock(since),
                    since + length
                );
            }
        }
        text
    }

    fn decision_json(&self, decision: &Decision) -> Json {
        json!({
            "at_ns": decision.at.0,
            "time": clock(decision.at),
            "front_end": place_of(decision).map(|place| self.names.front_end(place)),
            "peer": (!decision.what.is_of_front_end()).then(|| self.names.peer(decision.who)),
            "kind": decision.what.name(),
            "words": step_words(self.plan, decision),
        })
    }

    fn link_json(&self, link: &Link) -> Json {
        match &link.shown {
            Shown::Wait(wait) => self.wait_json(wait),
            Shown::Again { tries, last } => {
                json!({ "kind": "again", "at_ns": link.at.0, "time": clock(link.at), "tries": tries, "last_ns": last.0 })
            }
            Shown::Decision(own) => self.decision_json(own),
            Shown::Stale(own) => with(self.decision_json(own), "given_up_before", json!(true)),
            Shown::Down { own, life } => with(self.decision_json(own), "front_end_life", self.decision_json(life)),
            Shown::Joins { own, fetch } => {
                let fetch = fetch.as_ref().map(|fetch| self.decision_json(fetch));
                with(self.decision_json(own), "joins", json!(fetch))
            }
        }
    }

    fn wait_json(&self, wait: &Wait) -> Json {
        let groups: serde_json::Map<String, Json> = wait
            .groups
            .iter()
            .filter_map(|(group, n)| Some((self.plan.groups.get(*group)?.name.clone(), json!(n))))
            .collect();
        json!({
            "kind": "wait",
            "front_end": self.names.front_end(wait.front_end),
            "for": if wait.is_refresh { "refresh" } else { "accept" },
            "from_ns": wait.from.0,
            "until_ns": wait.until.map(|until| until.0),
            "asked": wait.is_asked,
            "others_before": wait.before,
            "others_still_ahead": wait.still_ahead,
            "groups": groups,
            "requests": wait.requests,
            "nearest": wait.nearest.iter().rev().map(|(who, at)| json!({ "peer": self.names.peer(*who), "asked_ns": at.0 })).collect::<Json>(),
            "in_service": wait.serving.iter().map(|who| self.names.peer(*who)).collect::<Json>(),
        })
    }
}

/// An object with one member more.
fn with(mut object: Json, name: &str, value: Json) -> Json {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}
