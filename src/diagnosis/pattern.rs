//! What crashing questions have in common: counts of questions by their attributes, and the least that sets the crashing
//! ones apart.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::ControlFlow;

use crate::measure::{Decision, What};
use crate::scenario::plan::{GroupPlan, Plan};
use crate::sim::Watch;
use crate::time::Time;
use crate::validate::{Phase, Transport};

/// A peer's refreshes are told apart up to this one; later ones count as this.
const CYCLES_TOLD: u32 = 8;
/// In a question's decision: the answer was a fault.
const FAULT: u8 = 1;
/// In a question's decision: it was put at a refresh.
const REFRESH: u16 = 1 << 15;

/// Something that a validator sees of a question, or that an engineer would ask of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Attribute {
    /// New connection or refresh.
    Phase,
    /// TCP or TLS.
    Transport,
    /// What the peer shows, as the scenario says.
    Certificate,
    /// IPv4 or IPv6.
    Family,
    /// Whether the topology lists its address.
    Known,
    /// Which of the peer's refreshes it is.
    Cycle,
    /// Which front end asked.
    FrontEnd,
    /// Which group the peer is of.
    Group,
}

impl Attribute {
    /// All of them: what says most about a cause first, mere names last.
    pub const ALL: [Attribute; 8] = [
        Attribute::Phase,
        Attribute::Transport,
        Attribute::Certificate,
        Attribute::Family,
        Attribute::Known,
        Attribute::Cycle,
        Attribute::FrontEnd,
        Attribute::Group,
    ];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Attribute::Phase => "phase",
            Attribute::Transport => "transport",
            Attribute::Certificate => "certificate",
            Attribute::Family => "address family",
            Attribute::Known => "address known",
            Attribute::Cycle => "refresh of the peer",
            Attribute::FrontEnd => "front end",
            Attribute::Group => "group",
        }
    }

    /// What it costs to explain something by it: a name explains nothing that a property can.
    fn cost(self) -> u32 {
        match self {
            Attribute::FrontEnd | Attribute::Group => 10,
            _ => 1,
        }
    }
}

/// An attribute and its value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Value {
    /// Of what.
    pub attribute: Attribute,
    /// Its value, in words.
    pub value: String,
}

/// How often a value is among the crashing questions and among the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ranked {
    /// The value.
    pub value: Value,
    /// Crashing questions that have it.
    pub crashing: u64,
    /// Others that have it.
    pub others: u64,
}

/// What sets crashing questions apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// Questions that crashed.
    pub crashing: u64,
    /// Questions that did not.
    pub others: u64,
    /// The fewest values that all crashing questions have and no, or the fewest, others; each of these sets says the same.
    pub rules: Vec<Vec<Value>>,
    /// Other questions that fit a rule all the same.
    pub exceptions: u64,
    /// Values of crashing questions, those first that tell them best from the others.
    pub ranked: Vec<Ranked>,
    /// Positions of the groups whose questions crashed.
    pub groups: BTreeSet<usize>,
}

/// Questions that a validator cannot tell apart but by their time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Cell {
    group: usize,
    phase: Phase,
    front_end: u16,
    cycle: u32, // 0 for a new connection
}

/// Counts the questions of a run.
pub(super) struct Questions<'a> {
    plan: &'a Plan,
    watch: &'a mut dyn Watch,
    // Position of each group's first peer.
    firsts: Vec<u64>,
    // Refreshes that each peer was asked about.
    refreshed: Vec<u32>,
    // Crashing questions and others.
    counts: BTreeMap<Cell, [u64; 2]>,
}

impl<'a> Questions<'a> {
    pub(super) fn new(plan: &'a Plan, watch: &'a mut dyn Watch) -> Questions<'a> {
        let mut next = 0;
        let first = |group: &GroupPlan| {
            let first = next;
            next += u64::from(group.peers());
            first
        };
        let firsts = plan.groups.iter().map(first).collect();
        let refreshed = vec![0; usize::try_from(plan.peers()).unwrap_or(0)];
        Questions { plan, watch, firsts, refreshed, counts: BTreeMap::new() }
    }

    /// What the crashing ones have in common; `None`: none crashed.
    pub(super) fn pattern(&self) -> Option<Pattern> {
        let [crashing, others] = self.counts.values().fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
        if crashing == 0 {
            return None;
        }
        let mut by_value: BTreeMap<Value, [u64; 2]> = BTreeMap::new();
        let mut groups = BTreeSet::new();
        for (cell, [crashed, other]) in &self.counts {
            if *crashed > 0 {
                groups.insert(cell.group);
            }
            for value in self.values(cell) {
                let counts = by_value.entry(value).or_default();
                *counts = [counts[0] + crashed, counts[1] + other];
            }
        }
        let mut ranked: Vec<Ranked> = by_value
            .into_iter()
            .filter(|(_, [crashing, _])| *crashing > 0)
            .map(|(value, [crashing, others])| Ranked { value, crashing, others })
            .collect();
        // The difference of the two shares, as a fraction of the same denominator.
        let tells = |it: &Ranked| {
            i128::from(it.crashing) * i128::from(others.max(1)) - i128::from(it.others) * i128::from(crashing)
        };
        ranked.sort_by_key(|it| std::cmp::Reverse(tells(it)));
        let common: Vec<Value> =
            ranked.iter().filter(|it| it.crashing == crashing).map(|it| it.value.clone()).collect();
        let (rules, exceptions) = self.rules(&common);
        Some(Pattern { crashing, others, rules, exceptions, ranked, groups })
    }

    /// The cheapest sets of what all crashing questions have that the fewest others have, and how many those are.
    fn rules(&self, common: &[Value]) -> (Vec<Vec<Value>>, u64) {
        // There is one value an attribute at most, so there are few sets.
        let mut others = vec![0u64; 1 << common.len()];
        for (cell, [_, other]) in &self.counts {
            let values = self.values(cell);
            let has = common.iter().enumerate().filter(|(_, value)| values.contains(value));
            others[has.fold(0, |mask, (bit, _)| mask | 1 << bit)] += other;
        }
        let fitting = |set: usize| -> u64 {
            others.iter().enumerate().filter(|(mask, _)| mask & set == set).map(|(_, count)| count).sum()
        };
        let cost = |set: usize| -> u32 { values_in(common, set).map(|value| value.attribute.cost()).sum() };
        let sets = || 0..others.len();
        let fewest = sets().map(fitting).min().unwrap_or(0);
        let cheapest = sets().filter(|set| fitting(*set) == fewest).map(cost).min().unwrap_or(0);
        let mut rules: Vec<Vec<Value>> = sets()
            .filter(|set| fitting(*set) == fewest && cost(*set) == cheapest)
            .map(|set| values_in(common, set).cloned().collect())
            .collect();
        rules.iter_mut().for_each(|rule| rule.sort());
        rules.sort();
        (rules, fewest)
    }

    fn values(&self, cell: &Cell) -> Vec<Value> {
        let group = &self.plan.groups[cell.group];
        let text = |attribute| match attribute {
            Attribute::Phase => cell.phase.name().to_owned(),
            Attribute::Transport => group.transport.name().to_owned(),
            Attribute::Certificate => certificate(group).to_owned(),
            Attribute::Family => if matches!(group.address, IpAddr::V4(_)) { "IPv4" } else { "IPv6" }.to_owned(),
            Attribute::Known => if group.known { "yes" } else { "no" }.to_owned(),
            Attribute::Cycle => match cell.cycle {
                0 => "none".to_owned(),
                CYCLES_TOLD => format!("{CYCLES_TOLD} or later"),
                cycle => cycle.to_string(),
            },
            Attribute::FrontEnd => {
                self.plan.front_ends.get(usize::from(cell.front_end)).map_or("?", |it| it.name.as_str()).to_owned()
            }
            Attribute::Group => group.name.clone(),
        };
        Attribute::ALL.into_iter().map(|attribute| Value { attribute, value: text(attribute) }).collect()
    }
}

fn values_in(common: &[Value], set: usize) -> impl Iterator<Item = &Value> {
    common.iter().enumerate().filter(move |(bit, _)| set & (1 << bit) != 0).map(|(_, value)| value)
}

fn certificate(group: &GroupPlan) -> &'static str {
    match (group.transport, group.certificate) {
        (Transport::Tcp, _) | (Transport::Tls, None) => "none",
        (Transport::Tls, Some(state)) => state.name(),
    }
}

impl Watch for Questions<'_> {
    fn progress(&mut self, at: Time, steps: u64) -> ControlFlow<()> {
        self.watch.progress(at, steps)
    }

    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        if decision.what != What::Asked {
            return;
        }
        let group = self.firsts.partition_point(|first| *first <= u64::from(decision.who)).saturating_sub(1);
        let is_refresh = decision.extra & REFRESH != 0;
        let cycle = match self.refreshed.get_mut(decision.who as usize) {
            Some(refreshed) if is_refresh => {
                *refreshed = (*refreshed + 1).min(CYCLES_TOLD);
                *refreshed
            }
            _ => 0,
        };
        let phase = if is_refresh { Phase::Refresh } else { Phase::Accept };
        let cell = Cell { group, phase, front_end: decision.extra & !REFRESH, cycle };
        let counts = self.counts.entry(cell).or_default();
        counts[usize::from(decision.detail != FAULT)] += 1;
    }
}
