//! What a run prints about peers and crashes (rule 33), told from the decisions alone but for the peers' own view.

use std::collections::BTreeMap;

use refresh_sim::measure::{Decision, What};
use refresh_sim::time::{Span, Time};

use super::world::World;

/// One crash and its peers.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Crash {
    pub(super) at: Time,
    pub(super) front_end: u32,
    pub(super) lost: u64,
    pub(super) back: u64,
    /// To 50, 99 and 100 % of its peers valid again.
    pub(super) reconnected: [Option<Span>; 3],
}

/// All crashes in order; a peer that leaves and joins again is not back.
pub(super) fn crashes(decisions: &[Decision]) -> Vec<Crash> {
    let mut crashes: Vec<Crash> = Vec::new();
    let mut away: BTreeMap<u32, usize> = BTreeMap::new();
    for decision in decisions {
        match decision.what {
            What::Crash => {
                let (at, front_end) = (decision.at, decision.who);
                crashes.push(Crash { at, front_end, lost: 0, back: 0, reconnected: [None; 3] });
            }
            // A crash's losses follow it.
            What::Lost if [0, 11].contains(&decision.detail) => {
                let crash = crashes.len() - 1;
                crashes[crash].lost += 1;
                away.insert(decision.who, crash);
            }
            What::Leave => {
                away.remove(&decision.who);
            }
            What::Valid => {
                let Some(crash) = away.remove(&decision.who) else { continue };
                let crash = &mut crashes[crash];
                crash.back += 1;
                for (share, reached) in [50, 99, 100].into_iter().zip(&mut crash.reconnected) {
                    if crash.back * 100 >= crash.lost * share {
                        reached.get_or_insert(decision.at.since(crash.at));
                    }
                }
            }
            _ => {}
        }
    }
    crashes
}

/// Most peers at once that had a valid connection and have none, and when that was first so.
pub(super) fn disconnected_max(decisions: &[Decision]) -> (u64, Time) {
    let mut cut_off = std::collections::BTreeSet::new();
    let mut max = (0, Time::ZERO);
    for decision in decisions {
        match (decision.what, decision.detail) {
            (What::Lost | What::MovesBack, _) | (What::Due | What::Turn, 2) => {
                cut_off.insert(decision.who);
            }
            (What::Valid | What::Leave, _) => {
                cut_off.remove(&decision.who);
            }
            _ => {}
        }
        if cut_off.len() as u64 > max.0 {
            max = (cut_off.len() as u64, decision.at);
        }
    }
    max
}

/// A peer's time without an established connection, as it knows it.
#[derive(Clone, Copy, Default)]
pub(super) struct Outage {
    /// When the peer will learn that it is over, once the front end knows.
    ends: Option<Time>,
    /// All that is over, in ns.
    total: u128,
}

impl World<'_> {
    /// The outage that goes on will be over at `ends`, unless something happens to the peer before.
    pub(super) fn outage_ends(&mut self, peer: usize, ends: Time) {
        self.peers[peer].outage.ends = Some(ends);
    }

    /// Something happens to the peer at `at`: what was going to be over by then is, and what was not stops there.
    pub(super) fn close_outage(&mut self, peer: usize, at: Time) {
        let end = Time::ZERO + self.plan.horizon;
        let of = &mut self.peers[peer];
        let ends = of.outage.ends.take().map_or(at, |ends| ends.min(at)).min(end);
        of.outage.total += u128::from(ends.since(of.without_since).0);
    }

    /// Each group's time present and time lost, in ns.
    pub(super) fn peer_time(&self) -> Vec<(u128, u128)> {
        let mut times = vec![(0, 0); self.plan.groups.len()];
        let end = Time::ZERO + self.plan.horizon;
        for peer in &self.peers {
            times[peer.group].1 += peer.outage.total;
        }
        for decision in &self.books.decisions {
            let left = u128::from(end.since(decision.at).0);
            match decision.what {
                What::Join => times[self.peers[decision.who as usize].group].0 += left,
                What::Leave => times[self.peers[decision.who as usize].group].0 -= left,
                _ => {}
            }
        }
        times
    }
}
