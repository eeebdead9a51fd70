//! How long what a disturbance left behind takes to be worked off: ideally, in fact, and to 95 % (model rule 33).
//!
//! Knows counts and instants. Does not know front ends, peers or queues: the driver says when a trigger begins and ends
//! and what there is then, and looks when it is told to. In between nothing is counted but how many steps a look may
//! wait: each peer that becomes valid, or whose refresh is done, shortens the way to a limit by one at most.

use crate::time::{Span, Time};

/// Who is there and what is open, at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Peers that have a valid connection, or had one.
    pub peers: u64,
    /// Refreshes due and not done, on valid connections.
    pub owing: u64,
    /// Peers that had a valid connection and have none.
    pub cut_off: u64,
}

impl Standing {
    /// Peers with something to be done.
    pub fn backlog(&self) -> u64 {
        self.owing + self.cut_off
    }

    /// The most backlog with which the share of peers without one is 95 % or more of what it was at `before`.
    fn backlog_max(&self, before: &Standing) -> u64 {
        if before.peers == 0 {
            return self.peers;
        }
        let good = u128::from(before.peers - before.backlog().min(before.peers));
        let needed = (good * 95 * u128::from(self.peers)).div_ceil(u128::from(before.peers) * 100);
        self.peers - u64::try_from(needed).unwrap_or(u64::MAX).min(self.peers)
    }
}

/// What a backlog costs and what there is to work it off, at the end of a trigger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Work {
    /// Jobs of the backlog.
    pub jobs: u64,
    /// Their CPU, in ns, by the means of the plan; `None`: a mean is infinite.
    pub cpu: Option<u128>,
    /// Cores of the front ends that serve: CPU per time.
    pub cores: u64,
    /// CPU that falls due beside triggers: so many ns in each …
    pub offered: u128,
    /// … of this length, at least 1 ns.
    pub offered_each: Span,
}

impl Work {
    /// Backlog over service rate minus offered rate, rounded up; `None`: the offered rate is not below.
    pub fn ideal(&self) -> Option<Span> {
        let each = u128::from(self.offered_each.0.max(1));
        let spare = (u128::from(self.cores) * each).checked_sub(self.offered).filter(|spare| *spare > 0)?;
        let span = self.cpu?.checked_mul(each)?.div_ceil(spare);
        u64::try_from(span).ok().map(Span)
    }
}

/// A trigger, or several that merged, and what it left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Episode {
    /// When it began.
    pub begun: Time,
    /// When it ended; `None`: it goes on.
    pub ended: Option<Time>,
    /// Just before it began.
    pub before: Standing,
    /// Peers that were there then, with or without a connection.
    pub present: u64,
    /// When it ended.
    pub after: Standing,
    /// What that means.
    pub work: Work,
    /// Ideal drain; `None`: never.
    pub ideal: Option<Span>,
    /// Actual drain; `None`: not yet.
    pub actual: Option<Span>,
    /// Recovery time; `None`: not yet.
    pub recovery: Option<Span>,
}

/// The episodes of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drains {
    open: Option<Episode>,
    ends_at: Time,
    look_in: u64,
    /// How many there were.
    pub episodes: u64,
    /// The one with the longest actual drain of those that drained.
    pub longest: Option<Episode>,
    /// Longest ideal drain; `None` within: never.
    pub ideal: Option<Option<Span>>,
    /// Longest recovery time of those that drained.
    pub recovery: Option<Span>,
}

/// No look is asked for.
const NO_LOOK: u64 = u64::MAX;

impl Default for Drains {
    fn default() -> Drains {
        Drains {
            open: None,
            ends_at: Time::ZERO,
            look_in: NO_LOOK,
            episodes: 0,
            longest: None,
            ideal: None,
            recovery: None,
        }
    }
}

impl Drains {
    /// The episode that has not drained.
    pub fn open(&self) -> Option<&Episode> {
        self.open.as_ref()
    }

    /// A trigger begins; one before that has not drained takes it in.
    pub fn begin(&mut self, now: Time, before: Standing, present: u64) {
        self.look_in = NO_LOOK;
        if let Some(open) = &mut self.open {
            (open.ended, open.ideal, open.recovery) = (None, None, None);
            (open.after, open.work) = (before, Work::default());
            return;
        }
        self.episodes += 1;
        self.ends_at = now;
        self.open = Some(Episode {
            begun: now,
            ended: None,
            before,
            present,
            after: before,
            work: Work::default(),
            ideal: None,
            actual: None,
            recovery: None,
        });
    }

    /// It lasts until `at`, if not longer.
    pub fn lasts_until(&mut self, at: Time) {
        self.ends_at = self.ends_at.max(at);
    }

    /// Whether a trigger is going on that may end at `now`.
    pub fn may_end(&self, now: Time) -> bool {
        self.ends_at <= now && self.open.as_ref().is_some_and(|open| open.ended.is_none())
    }

    /// The trigger ends.
    pub fn end(&mut self, now: Time, after: Standing, work: Work) {
        if let Some(open) = &mut self.open {
            (open.ended, open.after, open.work, open.ideal) = (Some(now), after, work, work.ideal());
            self.look(now, after);
        }
    }

    /// A peer is valid again, or its refresh is done: whether that asks for a look.
    #[inline]
    #[must_use]
    pub fn one_less(&mut self) -> bool {
        self.look_in -= 1;
        self.look_in == 0
    }

    /// Whether nothing has been overlooked: with what there is, no look would find a limit reached.
    pub fn can_wait(&self, standing: Standing) -> bool {
        let Some(open) = self.open.as_ref().filter(|open| open.ended.is_some()) else { return true };
        let backlog = standing.backlog();
        let recovered = open.recovery.is_some() || backlog > standing.backlog_max(&open.before);
        backlog > open.before.backlog() && recovered
    }

    /// Looks whether what is left is little enough.
    pub fn look(&mut self, now: Time, standing: Standing) {
        self.look_in = NO_LOOK;
        let Some(open) = &mut self.open else { return };
        let Some(ended) = open.ended else { return };
        let (backlog, limit) = (standing.backlog(), open.before.backlog());
        let most = standing.backlog_max(&open.before);
        let recovered = backlog <= most || backlog <= limit;
        open.recovery = open.recovery.filter(|_| recovered).or(recovered.then(|| now.since(ended)));
        if backlog <= limit {
            return self.drained(now.since(ended));
        }
        self.look_in = if recovered { backlog - limit } else { backlog - most.max(limit) };
    }

    /// A connection is lost: whether that asks for a look.
    #[inline]
    #[must_use]
    pub fn one_more(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.recovery.is_some())
    }

    #[cold]
    fn drained(&mut self, actual: Span) {
        let Some(mut open) = self.open.take() else { return };
        open.actual = Some(actual);
        self.ideal = Some(longer(self.ideal.unwrap_or(Some(Span::ZERO)), open.ideal));
        self.recovery = self.recovery.max(open.recovery);
        if self.longest.is_none_or(|longest| longest.actual < open.actual) {
            self.longest = Some(open);
        }
    }

    /// Longest ideal drain, that of an open episode too; `None` within: never.
    pub fn ideal_max(&self) -> Option<Option<Span>> {
        match (self.ideal, &self.open) {
            (ideal, None) => ideal,
            (None, Some(open)) => Some(open.ideal),
            (Some(ideal), Some(open)) => Some(longer(ideal, open.ideal)),
        }
    }
}

/// The longer of two lengths of which `None` is without end.
fn longer(a: Option<Span>, b: Option<Span>) -> Option<Span> {
    a.zip(b).map(|(a, b)| a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(peers: u64, owing: u64, cut_off: u64) -> Standing {
        Standing { peers, owing, cut_off }
    }

    fn work(cpu: u128, cores: u64) -> Work {
        Work { jobs: 0, cpu: Some(cpu), cores, offered: 0, offered_each: Span(1) }
    }

    #[test]
    fn rule_33_ideal_drain_is_backlog_over_service_rate_minus_offered_rate() {
        assert_eq!(work(100, 4).ideal(), Some(Span(25)));
        assert_eq!(work(101, 4).ideal(), Some(Span(26)));
        assert_eq!(work(0, 4).ideal(), Some(Span(0)));
        assert_eq!(work(1, 0).ideal(), None);
        // 3 of 4 cores are taken by what falls due beside.
        let busy = |offered| Work { offered, offered_each: Span(10), ..work(100, 4) };
        assert_eq!(busy(30).ideal(), Some(Span(100)));
        assert_eq!((busy(40).ideal(), busy(50).ideal()), (None, None));
        assert_eq!(Work { cpu: None, ..work(1, 1) }.ideal(), None);
    }

    #[test]
    fn rule_33_recovery_is_95_percent_and_drained_is_what_it_was_before() {
        let mut drains = Drains::default();
        drains.begin(Time(10), standing(100, 0, 2), 0);
        drains.end(Time(20), standing(100, 0, 50), work(48, 1));
        // 98 were well before: 94 must be for 95 % of that, so 6 may be left.
        let mut looks = Vec::new();
        for left in (2..50).rev() {
            if drains.one_less() {
                looks.push(left);
                drains.look(Time(70 - left), standing(100, 0, left));
            }
        }
        assert_eq!(looks, [6, 2]);
        let longest = drains.longest.expect("it drained");
        assert_eq!((longest.recovery, longest.actual), (Some(Span(44)), Some(Span(48))));
        assert!(drains.open().is_none() && !drains.one_less());
    }

    #[test]
    fn rule_33_a_trigger_before_the_one_before_has_drained_merges_with_it() {
        let mut drains = Drains::default();
        drains.begin(Time(10), standing(10, 0, 0), 0);
        drains.end(Time(10), standing(10, 10, 0), work(10, 1));
        drains.begin(Time(15), standing(10, 5, 0), 0);
        drains.lasts_until(Time(40));
        assert!(!drains.may_end(Time(39)) && drains.may_end(Time(40)));
        drains.end(Time(40), standing(10, 0, 10), work(30, 1));
        drains.look(Time(90), standing(10, 0, 0));
        let longest = drains.longest.expect("it drained");
        assert_eq!((longest.begun, longest.before.backlog(), drains.episodes), (Time(10), 0, 1));
        assert_eq!((longest.actual, drains.ideal_max()), (Some(Span(50)), Some(Some(Span(30)))));
    }

    #[test]
    fn rule_33_a_loss_after_the_95_percent_takes_the_recovery_back() {
        let mut drains = Drains::default();
        drains.begin(Time(0), standing(100, 0, 0), 0);
        drains.end(Time(0), standing(100, 100, 0), work(1, 1));
        drains.look(Time(5), standing(100, 5, 0));
        assert!(drains.one_more());
        drains.look(Time(6), standing(100, 5, 1));
        assert_eq!(drains.open().and_then(|open| open.recovery), None);
        drains.look(Time(9), standing(100, 3, 1));
        drains.look(Time(11), standing(100, 0, 0));
        let longest = drains.longest.expect("it drained");
        assert_eq!((longest.recovery, longest.actual), (Some(Span(9)), Some(Span(11))));
    }
}
