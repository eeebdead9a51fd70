//! Ticks, dues, obligations and their outcomes (rules 16 to 20).

use refresh_sim::measure::{Cause, Counter, Metric, What};
use refresh_sim::policy::{Act, Anchor, Order, Refresh};
use refresh_sim::rng::{Purpose, When};
use refresh_sim::scenario::plan::WhenFull;
use refresh_sim::time::{Span, Time};
use refresh_sim::validate::Transport;

use super::agenda::{Class, Step};
use super::connect::BY_REJECTION;
use super::process::Life;
use super::queue::{Job, Kind};
use super::world::{Stage, World};

/// A refresh that a tick has taken, or that a connection's age brings, before it is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    serial: u64,
    connection: usize,
    sweep: Option<usize>,
}

/// A refresh from its due to its outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Obligation {
    due: Time,
    /// Dues that were missed because of it. It keeps its own number meanwhile.
    missed: u32,
    /// The one that it renews in place, or the first that is made for it.
    pub(super) connection: usize,
    by_reconnect: bool,
    /// Whether the first connection that is made for it is still to come.
    pub(super) begins: bool,
    lost: bool,
    /// Whether a worker has taken a job of it.
    late: bool,
    sweep: Option<usize>,
}

/// One tick's connections, until all are valid again.
pub(super) struct Sweep {
    tick: Time,
    left: usize,
    last_valid: Option<Time>,
}

/// How a refresh ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ends {
    ValidInPlace = 1,
    ValidByReconnect = 2,
    Rejected = 3,
    Recovered = 4,
    Departed = 5,
    Dropped = 6,
}

impl Obligation {
    /// One that falls due for its peer asks for a certificate.
    pub(super) fn asked_for(due: Time, connection: usize, by_reconnect: bool) -> Obligation {
        Obligation { due, missed: 0, connection, by_reconnect, begins: false, lost: false, late: false, sweep: None }
    }
}

impl World<'_> {
    /// Rule 16: the next tick of the incarnation that serves.
    pub(super) fn plan_tick(&mut self, front_end: usize) {
        let Some(policy) = &self.plan.refresh else { return };
        let of = &self.front_ends[front_end];
        let mut at = match policy.anchor {
            Anchor::OwnAge => return,
            Anchor::ServiceStart => of.service_start,
            Anchor::WallClock(offset) => Time::ZERO + offset,
        };
        while at <= self.now {
            at = at + policy.every;
        }
        let incarnation = of.incarnation;
        self.later_at_front_end(at, front_end, Step::Tick { front_end, incarnation });
    }

    /// Rule 17: a tick takes the connections that are valid now.
    pub(super) fn tick(&mut self, front_end: usize, incarnation: u32) {
        let of = &self.front_ends[front_end];
        if of.life != Life::Up || of.incarnation != incarnation {
            return;
        }
        let policy = self.plan.refresh.as_ref().expect("there are ticks");
        self.plan_tick(front_end);
        self.decide_front_end(front_end, What::Tick, 0, incarnation);
        let mut taken = Vec::new();
        for peer in 0..self.peers.len() {
            let Some(connection) = self.valid_connection(peer) else { continue };
            if self.connections[connection].front_end != front_end || !self.is_refreshed(policy, connection) {
                continue;
            }
            if self.peers[peer].open.is_some() || self.peers[peer].taken.is_some() {
                self.miss(peer);
            } else {
                taken.push((self.place_in_order(policy, connection), peer, connection));
            }
        }
        if taken.is_empty() {
            return;
        }
        taken.sort_unstable();
        self.sweeps.push(Sweep { tick: self.now, left: taken.len(), last_valid: None });
        let sweep = Some(self.sweeps.len() - 1);
        for (_, peer, connection) in &taken {
            self.next_cycle(*peer);
            self.take_refresh(*connection, sweep, self.now);
        }
        if policy.spread.0 == 0 {
            self.take_at_once(front_end, policy.act, taken.into_iter().map(|(_, peer, _)| peer).collect());
        }
    }

    /// Rule 17, without a spread: everything is due now, before anything is done about it.
    fn take_at_once(&mut self, front_end: usize, act: Act, taken: Vec<usize>) {
        let plan = &self.plan.front_ends[front_end];
        let refuses = plan.queue_limit.is_some() && plan.when_full != WhenFull::BackPressure;
        let one_run = act == Act::Revalidate && !refuses && !self.has_limit();
        for peer in &taken {
            self.fall_due(*peer, one_run);
        }
        if self.has_limit() {
            return self.take_turns(front_end);
        }
        for peer in taken {
            if self.front_ends[front_end].life != Life::Up {
                return;
            }
            // A job before it may have pushed out a request of this one, which cost its connection.
            if self.peers[peer].open.is_some_and(|open| !open.lost) {
                self.refresh_now(peer, one_run);
            }
            if !one_run {
                self.take_jobs(front_end);
            }
        }
        self.take_jobs(front_end);
    }

    /// A due has its own number in the life of its peer.
    pub(super) fn next_cycle(&mut self, peer: usize) {
        let when = &mut self.peers[peer].when;
        *when = When { cycle: when.cycle + 1, ..When::default() };
    }

    /// Whether a refresh concerns a connection now.
    fn is_refreshed(&self, policy: &Refresh, connection: usize) -> bool {
        let of = &self.connections[connection];
        let concerned = match self.group(of.peer).transport {
            Transport::Tcp => policy.tcp,
            Transport::Tls => policy.tls,
        };
        concerned && matches!(of.stage, Stage::Valid(_))
    }

    /// What a tick sorts by, before the order of the scenario.
    fn place_in_order(&self, policy: &Refresh, connection: usize) -> u64 {
        let of = &self.connections[connection];
        match (policy.order, of.stage) {
            (Order::Accepted, Stage::Valid(since)) => since.0,
            (Order::Shuffled, _) => {
                let when = When { cycle: self.peers[of.peer].when.cycle + 1, ..When::default() };
                self.draw(of.peer, Purpose::TieOrder, when, 0)
            }
            _ => 0,
        }
    }

    /// A refresh will fall due after `from`, by its jitter.
    fn take_refresh(&mut self, connection: usize, sweep: Option<usize>, from: Time) {
        let policy = self.plan.refresh.as_ref().expect("there are refreshes");
        let peer = self.connections[connection].peer;
        let serial = self.fresh();
        self.peers[peer].taken = Some(Taken { serial, connection, sweep });
        if sweep.is_some() && policy.spread.0 == 0 {
            return;
        }
        let own_age = u32::from(sweep.is_none());
        let when = When { cycle: self.peers[peer].when.cycle + own_age, ..When::default() };
        let jitter = (u128::from(self.draw(peer, Purpose::Jitter, when, 0)) * u128::from(policy.spread.0)) >> 64;
        let at = from + Span(jitter as u64);
        self.later(at, Class::RefreshTick, peer, Step::Due { peer, taking: serial });
    }

    pub(super) fn due(&mut self, peer: usize, taking: u64) {
        let Some(taken) = self.peers[peer].taken else { return };
        if taken.serial != taking {
            return;
        }
        if taken.sweep.is_none() && self.is_valid_there(taken.connection) && self.by_age() {
            self.next_cycle(peer);
        }
        let front_end = self.connections[taken.connection].front_end;
        self.fall_due(peer, false);
        if self.peers[peer].open.is_some_and(|open| !open.lost) {
            if self.has_limit() {
                return self.take_turns(front_end);
            }
            self.refresh_now(peer, false);
            self.take_jobs(front_end);
        }
    }

    fn by_age(&self) -> bool {
        self.plan.refresh.as_ref().is_some_and(|policy| policy.anchor == Anchor::OwnAge)
    }

    fn is_valid_there(&self, connection: usize) -> bool {
        matches!(self.connections[connection].stage, Stage::Valid(_))
    }

    /// Rules 17 and 18: a refresh is due; `one_run`: told by its tick, and by no decision of its own.
    fn fall_due(&mut self, peer: usize, one_run: bool) {
        let taken = self.peers[peer].taken.take().expect("it was taken");
        let act = self.plan.refresh.as_ref().expect("there are refreshes").act;
        let lost = !self.is_valid_there(taken.connection);
        self.books.count(self.peers[peer].group, Counter::Dues);
        self.peers[peer].open = Some(Obligation {
            due: self.now,
            missed: 0,
            connection: taken.connection,
            begins: false,
            by_reconnect: !lost && act != Act::Revalidate,
            lost,
            late: false,
            sweep: taken.sweep,
        });
        if !one_run {
            let detail = match act {
                _ if lost => 1,
                _ if self.has_limit() => 4,
                _ => self.what_it_does(taken.connection, act),
            };
            self.of_peer(peer, What::Due, detail);
        }
        if !lost && self.has_limit() {
            self.stands_in_line(taken.connection);
        }
        if lost && self.is_valid(peer) {
            self.close(peer, Ends::Recovered);
        }
    }

    /// Whether a refresh that is due is of this connection, and of it still.
    pub(super) fn owes_on(&self, connection: usize) -> bool {
        let open = self.peers[self.connections[connection].peer].open;
        open.is_some_and(|open| open.connection == connection && !open.lost)
    }

    /// Rule 19: what a due asks for.
    pub(super) fn refresh_now(&mut self, peer: usize, in_run: bool) {
        let connection = self.peers[peer].open.expect("it is due").connection;
        match self.plan.refresh.as_ref().expect("there are refreshes").act {
            Act::Revalidate => {
                let job = self.job(Kind::Validate, connection);
                let when = self.peers[peer].when;
                let front_end = self.connections[connection].front_end;
                self.enter(front_end, Job { cause: Cause::Refresh, when, in_place: true, in_run, ..job });
            }
            Act::Reconnect(initiator) => self.reconnect_now(peer, connection, initiator),
        }
    }

    /// Rule 17: the one before is still owed.
    fn miss(&mut self, peer: usize) {
        let group = self.peers[peer].group;
        let of = &mut self.peers[peer];
        match &mut of.open {
            Some(open) if !open.lost => open.missed += 1,
            _ => (of.when.cycle, of.when.episode) = (of.when.cycle + 1, 0),
        }
        self.books.count(group, Counter::Dues);
        self.books.count(group, Counter::Missed);
    }

    /// A connection is valid from now on, and may close a refresh.
    pub(super) fn valid(&mut self, connection: usize) {
        let (peer, cause) = (self.connections[connection].peer, self.connections[connection].cause);
        self.connections[connection].stage = Stage::Valid(self.now);
        self.connections[connection].made_with = self.has_certificate(peer);
        self.peers[peer].failures.valid_since = self.now;
        let ends = self.peers[peer].open.map(|open| if open.lost { Ends::Recovered } else { Ends::ValidByReconnect });
        self.of_peer(peer, What::Valid, cause as u8 + 16 * ends.map_or(0, |ends| ends as u8));
        self.books.count(self.peers[peer].group, Counter::Valids);
        if let Some(ends) = ends {
            self.settle(peer, ends);
        }
        self.anchor_age(connection);
    }

    /// Validated again on the same connection.
    pub(super) fn valid_in_place(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        self.connections[connection].stage = Stage::Valid(self.now);
        self.close(peer, Ends::ValidInPlace);
        self.anchor_age(connection);
    }

    pub(super) fn rejected_in_place(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        self.close(peer, Ends::Rejected);
        self.lose(connection, BY_REJECTION);
        self.reset(connection);
    }

    /// Rule 16, own age: due `every` after it was last valid.
    pub(super) fn anchor_age(&mut self, connection: usize) {
        let Some(policy) = &self.plan.refresh else { return };
        if policy.anchor == Anchor::OwnAge && self.is_refreshed(policy, connection) {
            self.take_refresh(connection, None, self.now + policy.every);
        }
    }

    /// A connection was lost: what was owed on it goes on, what an age would have brought does not.
    pub(super) fn refresh_lost(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        let own_age = self.by_age();
        if let Some(taken) = &mut self.peers[peer].taken
            && taken.connection == connection
        {
            let sweep = taken.sweep.take();
            if own_age {
                self.peers[peer].taken = None;
            }
            self.leave_sweep(sweep);
        }
        if let Some(open) = &mut self.peers[peer].open {
            open.lost = true;
            let missed = std::mem::take(&mut open.missed);
            let sweep = open.sweep.take();
            self.number_missed(peer, missed);
            self.leave_sweep(sweep);
        }
    }

    /// Dues that a refresh has made its peer miss have their numbers when it is over.
    fn number_missed(&mut self, peer: usize, missed: u32) {
        if missed > 0 {
            let when = &mut self.peers[peer].when;
            (when.cycle, when.episode) = (when.cycle + missed, 0);
        }
    }

    /// The verdict on the new connection of a planned reconnect was reject.
    pub(super) fn refresh_rejected(&mut self, peer: usize) {
        if self.peers[peer].open.is_some_and(|open| open.by_reconnect && !open.lost) {
            self.close(peer, Ends::Rejected);
        }
    }

    /// A planned reconnect turns to another front end, out of its sweep.
    pub(super) fn refresh_moves(&mut self, peer: usize) {
        let sweep = self.peers[peer].open.as_mut().and_then(|open| open.sweep.take());
        self.leave_sweep(sweep);
    }

    /// A full queue turned the job of a refresh away.
    pub(super) fn refresh_dropped(&mut self, peer: usize) {
        self.close(peer, Ends::Dropped);
    }

    /// A peer has left.
    pub(super) fn depart(&mut self, peer: usize) {
        if let Some(taken) = self.peers[peer].taken.take() {
            self.leave_sweep(taken.sweep);
        }
        if self.peers[peer].open.is_some() {
            self.close(peer, Ends::Departed);
        }
    }

    /// Closes a refresh otherwise than by a connection that becomes valid.
    fn close(&mut self, peer: usize, ends: Ends) {
        self.of_peer(peer, What::Closed, ends as u8);
        self.settle(peer, ends);
    }

    fn settle(&mut self, peer: usize, ends: Ends) {
        let open = self.peers[peer].open.take().expect("there is one");
        self.number_missed(peer, open.missed);
        let group = self.peers[peer].group;
        let (counter, valid) = match ends {
            Ends::ValidInPlace => (Counter::ValidInPlace, true),
            Ends::ValidByReconnect => (Counter::ValidByReconnect, true),
            Ends::Rejected => (Counter::Rejected, false),
            Ends::Recovered => (Counter::Recovered, true),
            Ends::Departed => (Counter::Departed, false),
            Ends::Dropped => (Counter::Dropped, false),
        };
        self.books.count(group, counter);
        if valid {
            self.books.sample(self.now, Metric::Refresh, group, Cause::Refresh, self.now.since(open.due));
            if let Some(sweep) = open.sweep {
                self.sweeps[sweep].last_valid = Some(self.now);
            }
        }
        self.leave_sweep(open.sweep);
    }

    /// One connection fewer is waited for.
    fn leave_sweep(&mut self, sweep: Option<usize>) {
        let Some(sweep) = sweep else { return };
        let of = &mut self.sweeps[sweep];
        of.left -= 1;
        if of.left == 0
            && let Some(last) = of.last_valid
        {
            let length = last.since(of.tick);
            self.books.sample(last, Metric::Sweep, 0, Cause::Refresh, length);
        }
    }

    /// Rule 13: lateness ends when a worker takes the first job of a refresh.
    pub(super) fn stamp_lateness(&mut self, job: &Job) {
        let peer = self.connections[job.connection].peer;
        if job.cause != Cause::Refresh || !self.is_wanted(job.connection) || !self.has_socket(job.connection) {
            return;
        }
        let Some(open) = &mut self.peers[peer].open else { return };
        if open.connection == job.connection && !open.lost && !std::mem::replace(&mut open.late, true) {
            let late = self.now.since(open.due);
            self.books.sample(self.now, Metric::Lateness, self.peers[peer].group, Cause::Refresh, late);
        }
    }
}
