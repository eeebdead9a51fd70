//! Connections that are due and wait for their turn (rule 18).

use refresh_sim::measure::What;
use refresh_sim::policy::{Limit, TurnRate};
use refresh_sim::time::{Span, Time};

use super::agenda::{Class, Step};
use super::process::Life;
use super::world::World;

/// Who is due at one front end and waits, and what its limiter remembers.
#[derive(Default)]
pub(super) struct Line {
    /// In order of their dues.
    waiting: Vec<usize>,
    /// When the first of them has its turn.
    next: Option<Time>,
    limiter: Limiter,
}

/// What a limiter remembers since its service start.
#[derive(Default)]
pub(super) struct Limiter {
    /// How many tokens are not in the bucket, and when the next one comes.
    taken: u32,
    comes: Option<Time>,
    /// When the present batch was opened, and how many turns it has had.
    batch: Option<(Time, u32)>,
    last: Option<Time>,
}

/// From one token to the next.
fn interval(rate: TurnRate) -> Span {
    Span(rate.per.0.div_ceil(u64::from(rate.turns)))
}

impl Limiter {
    /// The earliest instant from `now` on at which all parts of the limit allow a turn.
    pub(super) fn allows(&mut self, limit: Limit, now: Time) -> Time {
        let mut at = now;
        if let Some(rate) = limit.rate {
            while let Some(comes) = self.comes.filter(|comes| *comes <= now) {
                self.taken -= 1;
                self.comes = (self.taken > 0).then(|| comes + interval(rate));
            }
            if self.taken == rate.burst {
                at = at.max(self.comes.expect("one is to come"));
            }
        }
        if let (Some(of), Some((opened, had))) = (limit.batch, self.batch)
            && had == of.turns
        {
            at = at.max(opened + of.every);
        }
        at.max(self.last.map_or(now, |last| last + limit.spacing))
    }

    pub(super) fn gives(&mut self, limit: Limit, now: Time) {
        if let Some(rate) = limit.rate {
            self.taken += 1;
            self.comes = self.comes.or(Some(now + interval(rate)));
        }
        if let Some(of) = limit.batch {
            let under_way = self.batch.filter(|(opened, _)| now < *opened + of.every);
            self.batch = Some(under_way.map_or((now, 1), |(opened, had)| (opened, had + 1)));
        }
        self.last = Some(now);
    }
}

impl World<'_> {
    pub(super) fn has_limit(&self) -> bool {
        self.plan.refresh.as_ref().is_some_and(|policy| policy.limit.is_some())
    }

    pub(super) fn stands_in_line(&mut self, connection: usize) {
        let front_end = self.connections[connection].front_end;
        self.front_ends[front_end].line.waiting.push(connection);
    }

    /// The instant has come at which the first in line may have its turn.
    pub(super) fn turn_comes(&mut self, front_end: usize) {
        if self.front_ends[front_end].line.next == Some(self.now) {
            self.take_turns(front_end);
        }
    }

    /// Turns as far as the limiter allows them now.
    pub(super) fn take_turns(&mut self, front_end: usize) {
        let Some(limit) = self.plan.refresh.as_ref().and_then(|policy| policy.limit) else { return };
        while self.front_ends[front_end].life == Life::Up {
            // Who has lost the connection has left the line.
            let is_due = |world: &Self, connection: usize| {
                let peer = world.connections[connection].peer;
                world.is_valid(peer) && world.is_wanted(connection) && world.owes_on(connection)
            };
            let waiting = std::mem::take(&mut self.front_ends[front_end].line.waiting);
            let waiting: Vec<usize> = waiting.into_iter().filter(|connection| is_due(self, *connection)).collect();
            let first = waiting.first().copied();
            let line = &mut self.front_ends[front_end].line;
            (line.waiting, line.next) = (waiting, None);
            let Some(connection) = first else { return };
            let next = line.limiter.allows(limit, self.now);
            if next > self.now {
                line.next = Some(next);
                let entity = self.front_end_entity(front_end);
                return self.agenda.add(next, Class::RefreshTick, entity, Step::Turn { front_end });
            }
            line.limiter.gives(limit, self.now);
            line.waiting.remove(0);
            let peer = self.connections[connection].peer;
            let act = self.plan.refresh.as_ref().expect("it has a limit").act;
            self.of_peer(peer, What::Turn, self.what_it_does(connection, act));
            self.refresh_now(peer, false);
            self.take_jobs(front_end);
        }
    }
}
