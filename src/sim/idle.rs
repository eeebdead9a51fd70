//! Connections over which nothing comes: the front end's idle limit, the middlebox's, and how either end finds out that
//! the middlebox has forgotten a connection (model rules 5 and 26).
//!
//! Kept beside the rows, and only in runs with such a limit. A connection has one time running, for the limit that comes
//! first; what passes meanwhile is only noted, and looked at when that time is over.

use crate::dist::Dist;
use crate::frontend::{Port, Step, Wake};
use crate::measure::{Counter, What};
use crate::policy::tcp::KeepAlive;
use crate::policy::{Idle, OnIdle};
use crate::rng::Purpose;
use crate::scenario::plan::Plan;
use crate::time::{Span, Time};

use super::connection::Why;
use super::engine::Run;

/// What ended a connection: details of [`What::Limit`].
const IDLE: u8 = 3;
pub(super) const CUT_OFF: u8 = 4;
const FORGOTTEN: u8 = 5;

/// Draws of when either end first probes a connection that the middlebox has forgotten.
const PEER_PROBES: u16 = 2;
const FRONT_END_PROBES: u16 = 3;

/// What is known of one connection.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    /// When something last passed at the front end.
    last: Time,
    /// The time that is running for it.
    timer: Time,
    /// When its peer finds out that the middlebox has forgotten it; `NEVER`: it has not.
    peer_notices: Time,
    /// The same for its front end.
    front_end_notices: Time,
}

const AWAKE: Quiet =
    Quiet { last: Time::NEVER, timer: Time::NEVER, peer_notices: Time::NEVER, front_end_notices: Time::NEVER };

/// The connections of a run, one a row.
#[derive(Debug)]
pub(super) struct Quiets(Vec<Quiet>);

impl Quiets {
    /// `None`: nobody minds.
    pub(super) fn of(plan: &Plan) -> Option<Quiets> {
        let between = plan.middlebox.is_some_and(|middlebox| middlebox.idle.is_some());
        let minds = between || plan.front_ends.iter().any(|front_end| front_end.limits.idle.is_some());
        minds.then(|| Quiets(vec![AWAKE; plan.peers() as usize]))
    }
}

impl Run<'_> {
    fn quiet(&mut self, who: u32) -> Option<&mut Quiet> {
        self.failovers.as_mut()?.quiets.as_mut()?.0.get_mut(who as usize)
    }

    fn front_end_keep_alive(&self, who: u32) -> Option<KeepAlive> {
        self.front_ends[usize::from(self.rows[who as usize].place())].setup.limits.keep_alive
    }

    /// The idle limit of the middlebox for a group's connections, unless the probes of either end keep them awake.
    fn idle_between(&self, who: u32, group: usize) -> Option<Idle> {
        let idle = self.in_between(group)?.idle?;
        let probes = [self.plan.groups[group].tcp.keep_alive, self.front_end_keep_alive(who)];
        let awake = probes.into_iter().flatten().any(|keep_alive| keep_alive.interval < idle.after);
        (!awake).then_some(idle)
    }

    /// After how long without anything a connection is looked at.
    fn patience(&self, who: u32, group: usize, forgotten: bool) -> Option<Span> {
        let place = usize::from(self.rows[who as usize].place());
        let between = self.idle_between(who, group).filter(|_| !forgotten).map(|idle| idle.after);
        [self.front_ends[place].setup.limits.idle, between].into_iter().flatten().min()
    }

    /// A connection is valid: from here on something should come.
    pub(super) fn quiet_begins(&mut self, now: Time, who: u32, group: usize) {
        let Some(quiet) = self.quiet(who) else { return };
        *quiet = Quiet { last: now, timer: quiet.timer, ..AWAKE };
        self.watch_quiet(now, who, group);
    }

    /// Lets the time run for the limit that comes first, if none does that comes before it.
    fn watch_quiet(&mut self, now: Time, who: u32, group: usize) {
        let forgotten = self.is_forgotten(who);
        let patience = self.patience(who, group, forgotten);
        let (Some(patience), Some(quiet)) = (patience, self.quiet(who)) else { return };
        let at = quiet.last + patience;
        if quiet.timer > now && quiet.timer <= at {
            return;
        }
        quiet.timer = at;
        self.world.wake(at, who, Wake::BackOff);
    }

    fn is_forgotten(&self, who: u32) -> bool {
        self.peer_notices(who).is_some()
    }

    /// When the peer finds out that the middlebox has forgotten its connection, if it has.
    pub(super) fn peer_notices(&self, who: u32) -> Option<Time> {
        let quiets = self.failovers.as_ref()?.quiets.as_ref()?;
        quiets.0.get(who as usize).map(|quiet| quiet.peer_notices).filter(|at| *at != Time::NEVER)
    }

    /// A message passes over a valid connection, at its front end; says whether it gets through.
    pub(super) fn passes(&mut self, now: Time, who: u32) -> bool {
        if self.is_forgotten(who) {
            return false;
        }
        if let Some(quiet) = self.quiet(who) {
            quiet.last = now;
        }
        true
    }

    /// A wake-up of a valid peer: one of its times may be over.
    pub(super) fn quiet_may_be_over(&mut self, now: Time, who: u32) {
        if self.rows[who as usize].step() != Step::Valid {
            return;
        }
        let Some(quiet) = self.quiet(who).copied() else { return };
        let group = self.group_of(who);
        if quiet.peer_notices == now {
            return self.lose(now, who, group, Why::KeepAlive, now);
        }
        if quiet.front_end_notices == now {
            return self.closed_by_front_end(now, who, group, CUT_OFF);
        }
        if quiet.timer != now {
            return;
        }
        let place = usize::from(self.rows[who as usize].place());
        if self.front_ends[place].setup.limits.idle.is_some_and(|idle| quiet.last + idle == now) {
            return self.closed_by_front_end(now, who, group, IDLE);
        }
        let forgotten = quiet.peer_notices != Time::NEVER;
        match self.idle_between(who, group).filter(|idle| !forgotten && quiet.last + idle.after == now) {
            Some(Idle { then: OnIdle::Reset, .. }) => {
                let learned = now + self.rtt(who, group).half();
                return self.lose(now, who, group, Why::Middlebox, learned);
            }
            Some(Idle { then: OnIdle::Silent, .. }) => self.forget(now, who, group),
            None => {}
        }
        self.watch_quiet(now, who, group);
    }

    /// The same of the old connection of a peer that is making a new one, whose row is that of the old one meanwhile:
    /// whether it ends. One that the middlebox forgets in silence does not.
    pub(super) fn has_been_quiet_too_long(&mut self, now: Time, who: u32) -> bool {
        let Some(quiet) = self.quiet(who).copied() else { return false };
        if quiet.peer_notices == now || quiet.front_end_notices == now {
            return true;
        }
        if quiet.timer != now {
            return false;
        }
        let (group, place) = (self.group_of(who), usize::from(self.rows[who as usize].place()));
        if self.front_ends[place].setup.limits.idle.is_some_and(|idle| quiet.last + idle == now) {
            return true;
        }
        let forgotten = quiet.peer_notices != Time::NEVER;
        match self.idle_between(who, group).filter(|idle| !forgotten && quiet.last + idle.after == now) {
            Some(Idle { then: OnIdle::Reset, .. }) => return true,
            Some(Idle { then: OnIdle::Silent, .. }) => self.forget(now, who, group),
            None => {}
        }
        self.watch_quiet(now, who, group);
        false
    }

    /// The front end closes a valid connection for a reason of its own.
    pub(super) fn closed_by_front_end(&mut self, now: Time, who: u32, group: usize, which: u8) {
        self.world.count(self.groups[group].cell, Counter::Limited, 1);
        self.decide(now, who, What::Limit, which);
        let learned = now + self.rtt(who, group).half();
        self.lose(now, who, group, Why::Limit, learned);
    }

    /// The middlebox forgets a connection in silence: each end finds out by its own probes.
    fn forget(&mut self, now: Time, who: u32, group: usize) {
        self.decide(now, who, What::Limit, FORGOTTEN);
        let notices = |keep_alive: Option<KeepAlive>, index| {
            keep_alive.map_or(Time::NEVER, |keep_alive| {
                let (of, when) = (&self.groups[group], self.rows[who as usize].when());
                let bits = self.world.draws.draw(of.identity_of(who), Purpose::KeepAlive, when, index);
                let first = Dist::uniform(Span(1), keep_alive.interval);
                now + first.map_or(keep_alive.interval, |phase| phase.sample(bits)) + keep_alive.patience()
            })
        };
        let peer = notices(self.plan.groups[group].tcp.keep_alive, PEER_PROBES);
        let front_end = notices(self.front_end_keep_alive(who), FRONT_END_PROBES);
        if let Some(quiet) = self.quiet(who) {
            // A peer that finds out never is still one that does not know.
            quiet.peer_notices = peer.min(Time(Time::NEVER.0 - 1));
            quiet.front_end_notices = front_end;
        }
        self.world.wake(peer, who, Wake::BackOff);
        self.world.wake(front_end, who, Wake::BackOff);
    }
}
