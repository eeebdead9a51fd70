//! The family of tests of a comparison: which values of a run are compared, known before anything runs.
//!
//! Each latency metric by group and cause at some quantiles, and each figure of the registry. What a plan cannot have
//! (requests that nobody sends, look-ups that there are not) is not in it, for each test costs power.

use std::collections::BTreeSet;

use crate::measure::{Cause, Cells, Figure, Metric, Outcome, Tags};
use crate::report::{self, Value};
use crate::scenario::{InPhase, Plan};

/// The quantiles that are compared, in parts per million.
pub const QUANTILES: [u32; 4] = [500_000, 900_000, 990_000, 999_000];

/// One value of a run that is compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    /// A quantile of a latency, in ns.
    Latency {
        /// Which latency.
        metric: Metric,
        /// Of which group; `None`: of all.
        group: Option<String>,
        /// For which cause.
        cause: Cause,
        /// At which quantile, in parts per million.
        ppm: u32,
    },
    /// A figure of the whole run.
    Figure(Figure),
}

/// Which way is worse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Worse {
    /// More is worse.
    More,
    /// Less is worse.
    Less,
    /// It is other, not worse.
    Neither,
}

impl Key {
    /// What it is, without its quantile: as `[expect]` writes it.
    pub fn name(&self) -> String {
        match self {
            Key::Latency { metric, group, cause, .. } => {
                let group = group.as_ref().map_or_else(String::new, |group| format!("{{group={group}}}"));
                let cause = if *metric == Metric::Sweep { String::new() } else { format!(" in {}", cause.name()) };
                format!("{}{group}{cause}", metric.name())
            }
            Key::Figure(figure) => figure.name().to_owned(),
        }
    }

    /// Its quantile in words; nothing for a figure.
    pub fn quantile(&self) -> Option<String> {
        match self {
            Key::Latency { ppm, .. } => {
                let (whole, part) = (ppm / 10_000, ppm % 10_000);
                let part = format!("{part:04}");
                let part = part.trim_end_matches('0');
                Some(if part.is_empty() { format!("p{whole}") } else { format!("p{whole}.{part}") })
            }
            Key::Figure(_) => None,
        }
    }

    /// Its name with its quantile: unique, and what a baseline calls it.
    pub fn label(&self) -> String {
        self.quantile().map_or_else(|| self.name(), |quantile| format!("{} : {quantile}", self.name()))
    }

    /// Whom it is about.
    pub fn group(&self) -> Option<&str> {
        match self {
            Key::Latency { group, .. } => group.as_deref(),
            Key::Figure(_) => None,
        }
    }

    /// Which way is worse.
    pub fn worse(&self) -> Worse {
        match self {
            Key::Latency { .. } => Worse::More,
            Key::Figure(figure) => worse(*figure),
        }
    }

    /// Its value in a run; `None`: there is none, or it is not known. What never came to an end is `u64::MAX`.
    fn value(&self, plan: &Plan, outcome: &Outcome) -> Option<u64> {
        match self {
            Key::Latency { .. } => None,
            Key::Figure(which) => report::figure(plan, outcome, *which, &Tags::default()).map(number),
        }
    }
}

/// A figure as one number that orders as the figure does. Shares in parts per billion.
fn number(value: Value) -> u64 {
    let narrow = |wide: u128| u64::try_from(wide).unwrap_or(u64::MAX);
    match value {
        Value::Count(n) => n,
        Value::Share { part, whole } => narrow(part.saturating_mul(1_000_000_000) / whole.max(1)),
        Value::Length(ns) => narrow(ns),
        Value::AtLeast(_) | Value::Never(_) => u64::MAX,
        Value::Course(nth) => nth as u64,
    }
}

fn worse(figure: Figure) -> Worse {
    match figure {
        Figure::FirstCrash
        | Figure::CrashAge
        | Figure::Up
        | Figure::ValidInPlace
        | Figure::RequestsInTime
        | Figure::Goodput
        | Figure::GoodputBefore
        | Figure::GoodputDuring
        | Figure::GoodputAfter
        | Figure::Availability
        // The words are in order, the worst first.
        | Figure::Verdict => Worse::Less,
        Figure::Dues
        | Figure::ValidByReconnect
        | Figure::Recovered
        | Figure::Departed
        | Figure::RequestsDue
        | Figure::RequestsDeparted
        | Figure::ResumedHandshakes
        | Figure::FullHandshakes
        | Figure::Held
        | Figure::BytesToFrontEnds
        | Figure::BytesToPeers
        | Figure::Lookups
        | Figure::LookupsCached
        | Figure::LookupsJoined
        | Figure::WorkerUtilisation
        | Figure::CoreUtilisation
        | Figure::Skipped => Worse::Neither,
        _ => Worse::More,
    }
}

/// All values that are compared, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Family {
    /// What they are.
    pub keys: Vec<Key>,
}

impl Family {
    /// The values that runs of these plans can have.
    pub fn of(plans: &[&Plan]) -> Family {
        let mut keys = BTreeSet::new();
        for plan in plans {
            let cells = Cells::new(plan.groups.iter().map(|group| (group.name.as_str(), group.transport)));
            let groups: BTreeSet<&str> = cells.plans.iter().map(|cell| cell.group.as_str()).collect();
            for metric in Metric::ALL.iter().filter(|metric| has_metric(plan, **metric)) {
                for cause in causes(plan, *metric) {
                    let groups: Vec<Option<&str>> =
                        if *metric == Metric::Sweep { vec![None] } else { groups.iter().map(|g| Some(*g)).collect() };
                    for group in groups {
                        let of = |ppm| Key::Latency { metric: *metric, group: group.map(str::to_owned), cause, ppm };
                        keys.extend(QUANTILES.map(of));
                    }
                }
            }
            keys.extend(Figure::ALL.iter().filter(|figure| has_figure(plan, **figure)).map(|f| Key::Figure(*f)));
        }
        Family { keys: keys.into_iter().collect() }
    }

    /// Each value in a run.
    pub fn measure(&self, plan: &Plan, outcome: &Outcome) -> Vec<Option<u64>> {
        let mut values = Vec::with_capacity(self.keys.len());
        let mut rest = self.keys.as_slice();
        while let Some(key) = rest.first() {
            let Key::Latency { metric, group, cause, .. } = key else {
                values.push(key.value(plan, outcome));
                rest = &rest[1..];
                continue;
            };
            // Quantiles of one latency lie together, and its histograms are put together once.
            let name = key.name();
            let together = rest.iter().take_while(|other| other.name() == name).count();
            let (those, others) = rest.split_at(together);
            let at = |key: &Key| if let Key::Latency { ppm, .. } = key { *ppm } else { 0 };
            let ppm: Vec<u32> = those.iter().map(at).collect();
            let tags = Tags { group: group.clone(), ..Tags::default() };
            let phase = (*metric != Metric::Sweep).then_some(InPhase::Cause(*cause));
            values.extend(report::quantiles(outcome, *metric, &tags, phase, &ppm));
            rest = others;
        }
        values
    }
}

fn has_metric(plan: &Plan, metric: Metric) -> bool {
    match metric {
        Metric::Refresh | Metric::Lateness | Metric::Sweep => plan.refresh.is_some(),
        Metric::Lookup => !plan.lookups.each.is_empty(),
        Metric::Request => plan.senders() > 0,
        Metric::Queue | Metric::Service | Metric::Validation | Metric::Attempt | Metric::Connect | Metric::Outage => {
            true
        }
    }
}

fn causes(plan: &Plan, metric: Metric) -> Vec<Cause> {
    let is_possible = |cause: &Cause| match (metric, *cause) {
        (Metric::Refresh | Metric::Lateness | Metric::Sweep, cause) => cause == Cause::Refresh,
        (Metric::Request, cause) => cause == Cause::Request,
        (Metric::Queue | Metric::Service, Cause::Request) => plan.senders() > 0,
        (_, Cause::Request) => false,
        (_, Cause::Refresh) => plan.refresh.is_some(),
        (_, Cause::Initial | Cause::Recovery) => true,
    };
    Cause::ALL.into_iter().filter(is_possible).collect()
}

fn has_figure(plan: &Plan, figure: Figure) -> bool {
    let has_tls = plan.groups.iter().any(|group| group.tls.is_some());
    match figure {
        Figure::PoolFalls => plan.pool.is_some(),
        Figure::FullHandshakes
        | Figure::ResumedHandshakes
        | Figure::DeclinedSessions
        | Figure::BytesToFrontEnds
        | Figure::BytesToPeers => has_tls,
        Figure::Lookups
        | Figure::LookupsCached
        | Figure::LookupsJoined
        | Figure::LookupsFailed
        | Figure::LookupsTimedOut
        | Figure::Blocked => !plan.lookups.each.is_empty(),
        Figure::RequestsDue
        | Figure::RequestsInTime
        | Figure::RequestsTimedOut
        | Figure::RequestsLost
        | Figure::RequestsDeparted
        | Figure::RequestsUnfinished
        | Figure::RequestsFailed
        | Figure::GoodputBefore
        | Figure::GoodputDuring
        | Figure::GoodputAfter
        | Figure::RequestRecovery
        | Figure::Goodput => plan.senders() > 0,
        Figure::Dues
        | Figure::ValidInPlace
        | Figure::ValidByReconnect
        | Figure::Rejected
        | Figure::Recovered
        | Figure::Departed
        | Figure::Dropped
        | Figure::Missed
        | Figure::Unfinished
        | Figure::HerdIndex => plan.refresh.is_some(),
        _ => true,
    }
}
