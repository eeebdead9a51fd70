//! Where two runs of one replication part: the first decision that differs, and the peers that fail in one alone.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::thread;

use serde_json::{Value as Json, json};

use crate::host::signals::Interrupt;
use crate::measure::Decision;
use crate::report::words;
use crate::scenario::Plan;
use crate::sim::{self, Watch};
use crate::study::Task;
use crate::study::failing::{Failing, Failure};
use crate::time::Time;

use super::compare::Source;
use super::exit::Exit;
use super::run::not_run;
use super::streams::{CHUNKS, Compare, END, Passing};
use super::watch::Stoppable;

/// Peers that text names.
const NAMED: usize = 5;

/// What there is to say of one replication.
#[derive(Debug, Default)]
pub(super) struct Parting {
    replication: Option<u32>,
    /// The first decision that differs, from both sides, in words.
    first: Option<String>,
    /// Peers that fail on the second side and not on the first.
    newly: Vec<(String, Failure)>,
    /// The other way round.
    no_longer: Vec<(String, Failure)>,
    /// Why there is nothing more to say.
    why_not: Option<String>,
}

/// Runs both sides of `replication` again and compares what they decide. Where a baseline's own run does not give its
/// digest any more, there is nothing to compare with.
pub(super) fn find(
    sides: [&Source; 2],
    replication: u32,
    digests: [Option<&str>; 2],
    interrupt: &Interrupt,
) -> Result<Parting, Exit> {
    let mut parting = Parting { replication: Some(replication), ..Parting::default() };
    let mut failing = Vec::new();
    for (side, digest) in sides.iter().zip(digests) {
        let task = Task { plan: side.plan.clone(), replication };
        let plan = task.plan();
        let mut stop = Stoppable(interrupt);
        let mut watch = Failing::new(&plan, &mut stop);
        let outcome = sim::run(&plan, &mut watch).map_err(|error| not_run(&side.shown, &error))?;
        if let Some(signal) = interrupt.signal() {
            return Err(signal.into());
        }
        if outcome.digest.as_deref() != digest {
            let why = format!("{}: its run gives other decisions in this program, which cannot be shown", side.shown);
            parting.why_not = Some(why);
            return Ok(parting);
        }
        failing.push(watch.finish());
    }
    if let [a, b] = failing.as_slice() {
        parting.newly = only_in(b, a);
        parting.no_longer = only_in(a, b);
    }
    let tasks = sides.map(|side| Task { plan: side.plan.clone(), replication });
    let [a, b] = [tasks[0].plan(), tasks[1].plan()];
    parting.first = first(&a, &b, interrupt);
    Ok(parting)
}

fn only_in(one: &BTreeMap<String, Failure>, other: &BTreeMap<String, Failure>) -> Vec<(String, Failure)> {
    one.iter().filter(|(name, _)| !other.contains_key(*name)).map(|(name, failure)| (name.clone(), *failure)).collect()
}

/// The first decision that differs; `None`: there is none, or somebody asked for an end.
fn first(a: &Plan, b: &Plan, interrupt: &Interrupt) -> Option<String> {
    let (send, receive) = sync_channel(CHUNKS);
    let mut compare = Compare::new(receive);
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || {
            let mut watch = Passing::new(interrupt, send);
            // That it runs is known; only its decisions are wanted.
            let _ = sim::run(a, &mut watch);
            watch.finish();
        });
        other.ok()?;
        let mut watch = Meeting { interrupt, compare: &mut compare, parted: false };
        let _ = sim::run(b, &mut watch);
        if !watch.parted {
            let _ = compare.take(&END);
        }
        let difference = compare.difference().cloned();
        // Whoever still sends learns from this that nobody listens.
        drop(compare);
        difference.map(|difference| difference.sides([("A", a), ("B", b)]))
    })
    .filter(|_| !interrupt.is_raised())
}

/// Holds the decisions of a run against those that come from another.
struct Meeting<'a> {
    interrupt: &'a Interrupt,
    compare: &'a mut Compare,
    parted: bool,
}

impl Watch for Meeting<'_> {
    fn progress(&mut self, _at: Time, _steps: u64) -> ControlFlow<()> {
        if self.parted || self.interrupt.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        if !self.parted {
            self.parted = self.compare.take(&decision.bytes()).is_break();
        }
    }
}

impl Parting {
    /// In words; nothing where there is nothing to say.
    pub(super) fn text(&self) -> String {
        let Some(replication) = self.replication else { return String::new() };
        let mut text = format!("\nreplication {replication} is the first that differs");
        match (&self.first, &self.why_not) {
            (_, Some(why)) => text += &format!("; {why}\n"),
            (Some(first), None) => text += &format!("; {first}"),
            (None, None) => text.push('\n'),
        }
        for (peers, what) in [(&self.newly, "newly failing in B"), (&self.no_longer, "failing in A, no longer in B")] {
            if peers.is_empty() {
                continue;
            }
            let named: Vec<String> =
                peers.iter().take(NAMED).map(|(peer, failure)| format!("{peer} ({})", failure.name())).collect();
            let more = if peers.len() > NAMED { ", ..." } else { "" };
            let n = words::plural(peers.len() as u64, "peer", "peers");
            text += &words::wrap(&format!("{what}: {n}: {}{more}", named.join(", ")), 100, 2);
            text.push('\n');
        }
        text
    }

    /// As JSON.
    pub(super) fn json(&self) -> Json {
        let peers = |peers: &[(String, Failure)]| {
            peers.iter().map(|(peer, how)| json!({ "peer": peer, "how": how.name() })).collect::<Json>()
        };
        json!({
            "replication": self.replication,
            "first_decision": self.first,
            "newly_failing": peers(&self.newly),
            "no_longer_failing": peers(&self.no_longer),
            "why_not": self.why_not,
        })
    }
}
