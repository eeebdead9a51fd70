//! Peers' time without an established connection, told from a run's decisions alone: a second way to the same number.

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Decision, What};
use refresh_sim::policy::tcp::Path;
use refresh_sim::policy::{Act, Initiator, Ratio};
use refresh_sim::scenario::plan::{Change, GroupPlan, Plan, Start, TimelineEntry};
use refresh_sim::time::{Span, Time};

/// What is known of a peer so far.
#[derive(Default)]
struct Peer {
    /// When it joined, if it is there.
    joined: Option<Time>,
    /// When it sent its last SYN; `None`: it had a connection for nothing.
    tried: Option<Time>,
    /// When its connection became valid, if it has one.
    valid: Option<Time>,
    /// When it heard of its last connection, and of the end of that.
    heard: Option<(Time, Time)>,
    lost: u128,
}

/// Peer time lost of the group whose rows begin at `first`, in ns; `None`: round trips differ, more happens on the path
/// (its middlebox forgets connections in silence, say), or when a peer gives up does not follow from its SYN alone.
pub(super) fn time_lost(plan: &Plan, group: &GroupPlan, first: u32, seen: &[Decision]) -> Option<u128> {
    let Dist::Constant(rtt) = group.rtt else { return None };
    let is_cut = entries_of(plan, group).any(|entry| entry.change == Change::CutOff);
    let by_steps = group.timeouts.answer.is_some() || group.reconnect.stretch_attempt;
    let rows = first..first + group.peers();
    if group.path != Path::default() || is_cut || by_steps {
        return None;
    }
    let mut peers: Vec<Peer> = (0..group.peers()).map(|_| Peer::default()).collect();
    for d in seen.iter().filter(|d| !d.what.is_of_front_end() && rows.contains(&d.who)) {
        if d.what == What::Limit && d.detail == 5 {
            return None;
        }
        peers[(d.who - first) as usize].see(d, plan, group, rtt);
    }
    let end = Time::ZERO + plan.horizon;
    Some(peers.into_iter().map(|mut peer| peer.gone(end)).sum())
}

/// The entries of the timeline that are about a group.
fn entries_of<'a>(plan: &'a Plan, group: &'a GroupPlan) -> impl Iterator<Item = &'a TimelineEntry> {
    let named = |index: u16| plan.groups.get(usize::from(index)).is_some_and(|other| other.name == group.name);
    plan.timeline.iter().filter(move |entry| named(entry.group))
}

/// How many times as long everything takes that begins at `at` as it usually does.
fn pace(plan: &Plan, group: &GroupPlan, at: Time) -> Ratio {
    let mut pace = Ratio::ONE;
    for entry in entries_of(plan, group).filter(|entry| entry.at <= at) {
        match entry.change {
            Change::Slow(factor) => pace = factor,
            Change::SlowEnds => pace = Ratio::ONE,
            _ => {}
        }
    }
    pace
}

impl Peer {
    fn see(&mut self, d: &Decision, plan: &Plan, group: &GroupPlan, rtt: Span) {
        let half = |at| pace(plan, group, at).of(rtt).half();
        match d.what {
            What::Join => {
                *self = Peer { joined: Some(d.at), lost: self.lost, ..Peer::default() };
            }
            What::Leave => drop(self.gone(d.at)),
            What::Attempt => self.tried = Some(d.at),
            // A new connection that was made while the old one served.
            What::Valid if self.valid.is_some() => self.valid = Some(d.at),
            What::Valid => {
                self.valid = Some(d.at);
                let free = plan.start == Start::Established && self.tried.is_none();
                let slow = self.tried.map_or(rtt, |tried| pace(plan, group, tried).of(rtt));
                let news = if free { d.at } else { d.at + slow.half() };
                let gives_up = group.attempt_timeout.zip(self.tried).map(|(timeout, tried)| tried + timeout);
                let hears = gives_up.is_none_or(|at| news <= at);
                self.credit();
                self.heard = hears.then_some((news, Time::NEVER));
            }
            What::Lost => {
                let reset = if d.detail == 0 { d.at + plan.recovery.dump } else { d.at };
                let learned = if [3, 4, 5].contains(&d.detail) { d.at } else { reset + half(reset) };
                self.ends(learned);
            }
            What::MovesBack | What::ClosesLost => self.ends(d.at),
            What::Due | What::Turn if d.detail == 2 => {
                let front_end = plan.refresh.as_ref().is_some_and(|r| r.act == Act::Reconnect(Initiator::FrontEnd));
                let learned = if front_end { d.at + half(d.at) } else { d.at };
                self.ends(learned);
                self.tried = Some(learned);
            }
            _ => {}
        }
    }

    fn ends(&mut self, learned: Time) {
        self.valid = None;
        if let Some((_, until)) = &mut self.heard {
            *until = learned;
        }
    }

    /// Its last connection is over for good: the time that it had it is not lost.
    fn credit(&mut self) {
        if let (Some(joined), Some((from, until))) = (&mut self.joined, self.heard.take()) {
            // Time before is lost, and the rest is counted from then on.
            if until > from {
                self.lost += u128::from(from.since(*joined).0);
                *joined = until;
            }
        }
    }

    /// It leaves, or the run ends.
    fn gone(&mut self, at: Time) -> u128 {
        if let Some((from, until)) = &mut self.heard {
            (*from, *until) = ((*from).min(at), (*until).min(at));
        }
        self.credit();
        self.lost += self.joined.take().map_or(0, |joined| u128::from(at.since(joined).0));
        self.lost
    }
}
