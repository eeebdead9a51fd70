//! What is kept of a run: decisions and digest, latencies, counters (rules 13, 15, 20), accounts (rule 30).

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use refresh_sim::measure::{Cause, Counter, Decision, Digest, Handshakes, Metric, RequestCounts};
use refresh_sim::scenario::plan::Plan;
use refresh_sim::time::{Span, Time};

/// The counters of one group, in the order in which they close a digest.
pub(super) const COUNTERS: [Counter; 20] = [
    Counter::Dues,
    Counter::ValidInPlace,
    Counter::ValidByReconnect,
    Counter::Rejected,
    Counter::Recovered,
    Counter::Departed,
    Counter::Dropped,
    Counter::Missed,
    Counter::Unfinished,
    Counter::Rejections,
    Counter::Losses,
    Counter::Attempts,
    Counter::TimeOuts,
    Counter::Valids,
    Counter::UnfinishedConnects,
    Counter::Stopped,
    Counter::Withheld,
    Counter::Held,
    Counter::Skipped,
    Counter::Limited,
];

/// So many of them are in every digest, the others only where they count something.
const ALWAYS: usize = 15;

pub(super) struct Books {
    pub(super) decisions: Vec<Decision>,
    /// Group by group.
    pub(super) counters: Vec<[u64; COUNTERS.len()]>,
    pub(super) excluded: u64,
    pub(super) latencies: BTreeMap<(Metric, usize, Cause), Histogram<u64>>,
    /// Of groups that have TLS settings.
    pub(super) handshakes: Vec<Option<Handshakes>>,
    /// Of groups that send requests.
    pub(super) requests: Vec<Option<RequestCounts>>,
    /// Of each group.
    pub(super) paths: Vec<PathFigures>,
    from: Time,
}

/// What the way to the front ends did to a group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct PathFigures {
    /// SYNs without an answer.
    pub(super) unanswered: u64,
    /// Final ACKs that were ignored.
    pub(super) ignored: u64,
    /// Tries that there were not, for want of a port.
    pub(super) no_port: u64,
}

impl Books {
    pub(super) fn new(plan: &Plan) -> Books {
        let counters = vec![[0; COUNTERS.len()]; plan.groups.len().max(1)];
        let handshakes = plan.groups.iter().map(|of| of.tls.as_ref().map(|_| Handshakes::default())).collect();
        let paths = vec![PathFigures::default(); plan.groups.len()];
        let requests = plan.groups.iter().map(|of| of.requests.as_ref().map(|_| RequestCounts::default())).collect();
        let from = plan.measure.from;
        Books {
            decisions: Vec::new(),
            counters,
            excluded: 0,
            latencies: BTreeMap::new(),
            handshakes,
            requests,
            paths,
            from,
        }
    }

    pub(super) fn count(&mut self, group: usize, counter: Counter) {
        let place = COUNTERS.iter().position(|c| *c == counter).expect("all are listed");
        self.counters[group][place] += 1;
    }

    /// A sample that ends at `at`.
    pub(super) fn sample(&mut self, at: Time, metric: Metric, group: usize, cause: Cause, length: Span) {
        if at < self.from {
            self.excluded += 1;
            return;
        }
        let histogram = self.latencies.entry((metric, group, cause)).or_insert_with(|| {
            let mut histogram = Histogram::new(3).expect("three digits are allowed");
            histogram.auto(true);
            histogram
        });
        histogram.record(length.0).expect("it grows");
    }

    /// The digest: all decisions, then every bucket with a sample, every counter, what was left out, handshakes, and then
    /// what is given.
    pub(super) fn digest(&self, semantics: u32, last: impl Iterator<Item = u64>) -> String {
        let mut digest = Digest::new(semantics);
        self.decisions.iter().for_each(|decision| digest.add(decision));
        digest.close_with(self.numbers().into_iter().chain(last));
        digest.finish()
    }

    fn numbers(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for ((metric, group, cause), histogram) in &self.latencies {
            numbers.extend([*metric as u64, *group as u64, *cause as u64, histogram.len()]);
            for bucket in histogram.iter_recorded() {
                numbers.extend([bucket.value_iterated_to(), bucket.count_since_last_iteration()]);
            }
        }
        numbers.extend(self.counters.iter().flat_map(|counters| &counters[..ALWAYS]));
        numbers.push(self.excluded);
        for (group, counters) in self.counters.iter().enumerate() {
            for (counter, n) in counters.iter().enumerate().skip(ALWAYS).filter(|(_, n)| **n > 0) {
                numbers.extend([counter as u64, group as u64, *n]);
            }
        }
        numbers.extend(self.handshakes.iter().flatten().flat_map(Handshakes::numbers));
        numbers
    }
}

/// The account of one front end, summed up job by job.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Account {
    pub(crate) arrivals: u64,
    pub(crate) served: u64,
    pub(crate) dropped: u64,
    pub(crate) lost_in_crash: u64,
    pub(crate) present: u64,
    pub(crate) held: u128,
    pub(crate) useful: u128,
    pub(crate) wasted: u128,
    pub(crate) cut_off: u128,
    pub(crate) blocked: u128,
    pub(crate) waiting: u128,
    /// Of jobs without a worker.
    pub(crate) away: u128,
    pub(crate) queue_max: u64,
}
