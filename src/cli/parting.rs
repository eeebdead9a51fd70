//! Where two sides part: the first decision that differs, and the peers that fail on one side alone, over all
//! replications that differ.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use serde_json::{Value as Json, json};

use crate::host::signals::Interrupt;
use crate::host::threads::Done;
use crate::measure::Decision;
use crate::report::words;
use crate::scenario::Plan;
use crate::sim::{RunError, Watch};
use crate::study::Task;
use crate::study::failing::{Failing, Failure};
use crate::time::Time;

use super::args::Jobs;
use super::compare::{Source, ended_well};
use super::exit::Exit;
use super::outside;
use super::streams::{CHUNKS, Compare, END, Passing};

/// Peers that text names.
const NAMED: usize = 5;

/// What there is to say of replications that differ.
#[derive(Debug, Default)]
pub(super) struct Parting {
    /// How many differ, and of how many.
    differ: usize,
    of: u32,
    /// The first that differs.
    replication: Option<u32>,
    /// The first decision that differs in it, from both sides, in words.
    first: Option<String>,
    /// Peers that fail on the second side and not on the first.
    newly: Peers,
    /// The other way round.
    no_longer: Peers,
    /// Why there is nothing more to say.
    why_not: Option<String>,
}

/// Peers by their names: how they fail (the worst of all replications), and in how many replications.
type Peers = BTreeMap<String, (Failure, u32)>;

/// Runs both sides of the replications in `differ`, which are those that have other digests on the two sides, again, and
/// looks at who fails; and at the first of them for what they decide. Where a side's own run does not give its digest any
/// more, there is nothing to compare with.
pub(super) fn find(
    sides: [&Source; 2],
    differ: &BTreeMap<u32, [String; 2]>,
    of: u32,
    jobs: Jobs,
    interrupt: &Interrupt,
) -> Result<Parting, Exit> {
    let replication = differ.keys().next().copied();
    let mut parting = Parting { differ: differ.len(), of, replication, ..Parting::default() };
    let Some(replication) = replication else { return Ok(parting) };
    failing(sides, differ, jobs, interrupt, &mut parting)?;
    if parting.why_not.is_none() {
        let tasks = sides.map(|side| Task { plan: side.plan.clone(), replication });
        parting.first = first(&tasks[0].plan(), &tasks[1].plan(), interrupt);
    }
    Ok(parting)
}

/// One run of a side: its digest, and who fails.
type Ran = Result<(Option<String>, BTreeMap<String, Failure>), RunError>;

/// Adds who fails on one side and not on the other.
fn failing(
    sides: [&Source; 2],
    differ: &BTreeMap<u32, [String; 2]>,
    jobs: Jobs,
    interrupt: &Interrupt,
    parting: &mut Parting,
) -> Result<(), Exit> {
    let plans = sides.map(|side| Arc::clone(&side.plan));
    let tasks: Vec<Task> = differ
        .keys()
        .flat_map(|replication| plans.clone().map(|plan| Task { plan, replication: *replication }))
        .collect();
    let work = |task: &Task, stop: &Interrupt, watch: &mut dyn Watch| -> Ran {
        let plan = task.plan();
        let mut failing = Failing::new(&plan, watch);
        let outcome = outside::run(&plan, stop, &mut failing)?;
        Ok((outcome.digest, failing.finish()))
    };
    let (mut of_first, mut exit) = (BTreeMap::new(), None);
    let fold = |done: Done<Ran>| {
        let side = (done.index % 2) as usize;
        let (name, replication) = (&sides[side].shown, done.task.replication);
        match done.result {
            Ok(Ok((digest, _))) if digest.as_ref() != differ.get(&replication).map(|digests| &digests[side]) => {
                let why = "its plan gives other decisions now than then, which cannot be shown";
                parting.why_not = Some(format!("{name}: {why}"));
                return ControlFlow::Break(());
            }
            Ok(Ok((_, failing))) if side == 0 => of_first = failing,
            Ok(Ok((_, failing))) => {
                add_only_in(&mut parting.newly, &failing, &of_first);
                add_only_in(&mut parting.no_longer, &of_first, &failing);
            }
            Ok(Err(error)) => {
                exit = Some(outside::ended(&format!("{name}, replication {replication}"), &error, interrupt));
                return ControlFlow::Break(());
            }
            Err(_said) => {
                exit = Some(Exit::Internal);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    ended_well(outside::run_all(jobs.count(), tasks.into_iter(), interrupt, work, fold))?;
    if parting.why_not.is_some() {
        (parting.newly, parting.no_longer) = Default::default();
    }
    exit.map_or(Ok(()), Err)
}

fn add_only_in(peers: &mut Peers, one: &BTreeMap<String, Failure>, other: &BTreeMap<String, Failure>) {
    for (name, failure) in one.iter().filter(|(name, _)| !other.contains_key(*name)) {
        let (worst, times) = peers.entry(name.clone()).or_insert((*failure, 0));
        *worst = (*worst).min(*failure);
        *times += 1;
    }
}

/// The first decision that differs; `None`: there is none, or somebody asked for an end.
fn first(a: &Plan, b: &Plan, interrupt: &Interrupt) -> Option<String> {
    let (send, receive) = sync_channel(CHUNKS);
    let mut compare = Compare::new(receive);
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || {
            let mut watch = Passing::new(interrupt, send);
            // That it runs is known; only its decisions are wanted.
            let _ = outside::run(a, interrupt, &mut watch);
            watch.finish();
        });
        other.ok()?;
        let mut watch = Meeting { interrupt, compare: &mut compare, parted: false };
        let _ = outside::run(b, interrupt, &mut watch);
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

/// The peers, those that fail most often first, then by name.
fn ranked(peers: &Peers) -> Vec<(&str, Failure, u32)> {
    let mut all: Vec<_> = peers.iter().map(|(name, (failure, times))| (name.as_str(), *failure, *times)).collect();
    all.sort_by_key(|(_, _, times)| std::cmp::Reverse(*times));
    all
}

impl Parting {
    /// In words; nothing where there is nothing to say.
    pub(super) fn text(&self) -> String {
        let Some(replication) = self.replication else { return String::new() };
        let (differ, of) = (self.differ as u64, u64::from(self.of));
        let mut text = if of == 1 {
            "\nthe two part".to_owned()
        } else {
            let (differ, of) = (words::count(differ), words::count(of));
            format!("\nthe two part in {differ} of {of} replications, first in replication {replication}")
        };
        match (&self.first, &self.why_not) {
            (_, Some(why)) => text += &format!("; {why}\n"),
            (Some(first), None) => text += &format!(":\n{first}"),
            (None, None) => text.push('\n'),
        }
        for (peers, what) in [(&self.newly, "newly failing in B"), (&self.no_longer, "failing in A, no longer in B")] {
            if peers.is_empty() {
                continue;
            }
            let one = |(peer, failure, times): &(&str, Failure, u32)| {
                let often = if of > 1 {
                    format!(", {} of {}", words::count((*times).into()), words::count(of))
                } else {
                    String::new()
                };
                format!("{peer} ({}{often})", failure.name())
            };
            let named: Vec<String> = ranked(peers).iter().take(NAMED).map(one).collect();
            let more = if peers.len() > NAMED { ", ..." } else { "" };
            let n = words::plural(peers.len() as u64, "peer", "peers");
            text += &words::wrap(&format!("{what}: {n}: {}{more}", named.join(", ")), 100, 2);
            text.push('\n');
        }
        text
    }

    /// As JSON.
    pub(super) fn json(&self) -> Json {
        let one = |(peer, how, times): (&str, Failure, u32)| json!({ "peer": peer, "how": how.name(), "replications": times });
        let peers = |peers: &Peers| ranked(peers).into_iter().map(one).collect::<Json>();
        json!({
            "replications": self.differ,
            "replication": self.replication,
            "first_decision": self.first,
            "newly_failing": peers(&self.newly),
            "no_longer_failing": peers(&self.no_longer),
            "why_not": self.why_not,
        })
    }
}
