//! What disturbs a run, and what it leaves to be worked off (model rule 33).
//!
//! Triggers are ticks that take a connection, from the tick to the last due of it, and crashes, from the crash to the
//! first instant at which a front end serves that a peer of the crashed one may turn to, or nobody is cut off any more.

use crate::dist::Dist;
use crate::frontend::Life;
use crate::measure::{Goodput, Standing, Work};
use crate::policy::Anchor;
use crate::schedule::Class;
use crate::time::{Span, Time};

use super::engine::Run;
use super::world::kind;

/// A mean over peers: `None` if one of its parts is infinite.
type Mean = Option<u128>;

impl Run<'_> {
    /// Who is there and what is open now.
    pub(super) fn standing(&self) -> Standing {
        let sum = |of: fn(&crate::frontend::FrontEnd) -> u64| self.front_ends.iter().map(of).sum::<u64>();
        let cut_off = self.world.cut_off;
        Standing { peers: sum(|f| f.valid) + cut_off, owing: sum(|f| f.owing), cut_off }
    }

    fn goodput(&mut self) -> Option<&mut Goodput> {
        self.world.requests.as_mut()?.goodput()
    }

    /// Something disturbs the run, and has not changed anything yet.
    pub(super) fn trigger_begins(&mut self, now: Time) {
        let standing = self.standing();
        let present = self.present.iter().map(|(peers, _)| peers).sum();
        self.world.drains.begin(now, standing, present);
        if let Some(goodput) = self.goodput() {
            goodput.trigger_begins(now, present);
        }
    }

    /// A tick has taken connections of which the last is due at `last`.
    pub(super) fn tick_has_taken(&mut self, now: Time, last: Time) {
        self.window_begins(now);
        self.world.drains.lasts_until(last);
        if last > now {
            return self.world.push(last, Class::Sample, self.numbers.sampler, kind::TICK);
        }
        self.trigger_may_end(now);
    }

    /// A front end has crashed and its peers are cut off.
    pub(super) fn crash_has_taken(&mut self, now: Time, place: usize) {
        let serves = |other: &usize| self.front_ends[*other].life == Life::Up;
        let nobody_waits = self.world.cut_off == 0;
        if nobody_waits || (0..self.front_ends.len()).filter(serves).any(|other| self.may_turn(place, other)) {
            return self.trigger_may_end(now);
        }
        self.crashed.push(place);
    }

    /// Peers have left: maybe those that somebody waited for.
    pub(super) fn peers_have_left(&mut self, now: Time) {
        if self.world.cut_off == 0 {
            self.crashed.clear();
        }
        self.trigger_may_end(now);
        self.look_at_backlog(now);
    }

    /// A front end serves: those whose own one crashed may come.
    pub(super) fn peers_may_come(&mut self, now: Time, place: usize) {
        if let Some(goodput) = self.goodput() {
            goodput.serves(now);
        }
        if self.crashed.is_empty() {
            return;
        }
        let mut crashed = std::mem::take(&mut self.crashed);
        crashed.retain(|other| !self.may_turn(*other, place));
        self.crashed = crashed;
        self.trigger_may_end(now);
    }

    /// Whether a peer that may be at one front end may be at the other.
    fn may_turn(&self, from: usize, to: usize) -> bool {
        let lists = |place: usize, list: &[u16]| list.iter().any(|listed| usize::from(*listed) == place);
        self.groups.iter().any(|group| lists(from, &group.front_ends) && lists(to, &group.front_ends))
    }

    /// The last due of a tick, or a service start: if nothing else goes on, that is the end of the trigger.
    pub(super) fn trigger_may_end(&mut self, now: Time) {
        if self.crashed.is_empty() && self.world.drains.may_end(now) {
            let standing = self.standing();
            let work = self.work(&standing);
            self.world.drains.end(now, standing, work);
            let begun = self.world.drains.open().map_or(now, |open| open.begun);
            if let Some(goodput) = self.goodput() {
                goodput.trigger_ends(now, begun);
            }
        }
    }

    /// A peer is valid again, or its refresh is done.
    #[inline]
    pub(super) fn one_less(&mut self, now: Time) {
        if self.world.drains.one_less() {
            self.look_at_backlog(now);
        }
        debug_assert!(self.world.drains.can_wait(self.standing()), "a look has come too late");
    }

    /// Looks at what is left.
    #[cold]
    pub(super) fn look_at_backlog(&mut self, now: Time) {
        let standing = self.standing();
        let was_open = self.world.drains.open().is_some();
        self.world.drains.look(now, standing);
        if was_open {
            self.window_looks(now);
        }
    }

    /// What a backlog comes to, as if it were spread over the groups as the peers are that are there.
    fn work(&self, backlog: &Standing) -> Work {
        let serve: Vec<_> = self.front_ends.iter().filter(|f| f.life == Life::Up).map(|f| &f.setup).collect();
        let cores = serve.iter().map(|setup| u64::from(setup.cores)).sum();
        let accepts = serve.iter().filter_map(|setup| setup.accept.as_ref());
        let (mut takes, mut accept) = (0, Some(0));
        for dist in accepts {
            takes += 1;
            accept = plus(accept, mean(dist), 1);
        }
        let share = |sum: Mean| sum.map(|sum| sum / (serve.len() as u128).max(1));
        let (mut peers, mut flights, mut connect) = (0, 0, Some(0));
        let (mut refreshed, mut refresh) = (0, Some(0));
        for (group, (present, _)) in self.groups.iter().zip(&self.present).filter(|(_, (present, _))| *present > 0) {
            let n = u128::from(*present);
            peers += n;
            flights += n * (group.flights.len() as u128 + 1);
            for dist in group.flights.iter().chain([&group.validate_accept]) {
                connect = plus(connect, mean(dist), n);
            }
            if group.refreshed {
                refreshed += n;
                refresh = plus(refresh, mean(&group.validate_refresh), n);
            }
        }
        let (owing, cut_off) = (u128::from(backlog.owing), u128::from(backlog.cut_off));
        let accepted = cut_off * takes / (serve.len() as u128).max(1);
        let (asked, open, by_request) = self.work_of_requests();
        let jobs = owing + accepted + cut_off * flights / peers.max(1) + open;
        let cpu = plus(
            plus(part(refresh, owing, refreshed), part(connect, cut_off, peers), 1),
            share(accept).map(|each| each * cut_off),
            1,
        );
        let cpu = if open == 0 { cpu } else { plus(cpu, by_request, open) };
        let (offered, offered_each) = match &self.refresh {
            Some(policy) if policy.anchor == Anchor::OwnAge => {
                (refresh.unwrap_or(u128::MAX), { policy.every + policy.spread.half() })
            }
            _ => (0, Span(1)),
        };
        let (offered, offered_each) = match asked {
            None => (offered, offered_each),
            // In each second, which makes one rate of the two.
            Some(asked) => {
                let refreshes = offered.saturating_mul(Span::SECOND.0.into()) / u128::from(offered_each.0.max(1));
                (asked.saturating_add(refreshes), Span::SECOND)
            }
        };
        Work { jobs: u64::try_from(jobs).unwrap_or(u64::MAX), cpu, cores, offered, offered_each }
    }

    /// What the requests of those that are there ask for in each second of run time (`None`: nobody sends any), how many
    /// are open now, and what one of them costs.
    fn work_of_requests(&self) -> (Option<u128>, u128, Mean) {
        let Some(book) = &self.world.requests else { return (None, 0, Some(0)) };
        let (mut asked, mut senders, mut cost) = (0u128, 0u128, Some(0));
        for (group, (present, _)) in self.groups.iter().zip(&self.present) {
            let Some(requests) = &group.requests else { continue };
            let n = u128::from(*present);
            let (each, gap) = (mean(&requests.cpu), mean(&requests.every));
            // A gap that is infinite in the mean means no request, a cost that is means no end.
            let rate = gap
                .map_or(Some(0), |gap| each?.checked_mul(n)?.checked_mul(Span::SECOND.0.into()).map(|all| all / gap));
            asked = asked.saturating_add(rate.unwrap_or(u128::MAX));
            senders += n;
            cost = plus(cost, each, n);
        }
        (Some(asked), book.open().into(), cost.map(|cost| cost / senders.max(1)))
    }
}

/// The mean of a job's CPU in whole ns, rounded down, at least 1.
fn mean(dist: &Dist) -> Mean {
    dist.mean().filter(|mean| mean.is_finite()).map(|mean| (mean as u128).max(1))
}

/// `sum` and `n` of `each` more.
fn plus(sum: Mean, each: Mean, n: u128) -> Mean {
    sum?.checked_add(each?.checked_mul(n)?)
}

/// What `n` of `whole` peers have of their `sum`; nothing if they are none.
fn part(sum: Mean, n: u128, whole: u128) -> Mean {
    if n == 0 { Some(0) } else { Some(sum?.checked_mul(n)? / whole.max(1)) }
}
