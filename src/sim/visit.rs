//! One connection at one instant, with all that it touches: the steps of a peer's life that every run takes by the
//! million.
//!
//! Its row, its group, its front end and the world are looked up once a step and passed on as one. What needs other
//! rows, a front end other than the row's, or the queue's next job is `Run`'s.

use crate::frontend::{FrontEnd, Group, Job, JobKind, Life, Obligation, Port, Row, Step, Wake};
use crate::measure::{Bundle, Cause, Counter, Decision, GroupFigures, Metric, What};
use crate::policy::{Anchor, Initiator, Refresh};
use crate::rng::{Purpose, When};
use crate::time::{Span, Time};

use super::engine::Run;
use super::retry::Aside;
use super::way::{Trip, Way};
use super::world::World;

/// A visit to the connection of one peer.
pub(super) struct Visit<'r, 'w> {
    pub(super) now: Time,
    pub(super) who: u32,
    pub(super) row: &'r mut Row,
    pub(super) of: &'r Group,
    pub(super) front_end: &'r mut FrontEnd,
    pub(super) world: &'r mut World<'w>,
    way: Option<&'r Way>,
    policy: Option<&'r Refresh>,
    pub(super) figures: &'r mut GroupFigures,
    /// What only some policies need; `None`: no policy of the plan does.
    pub(super) aside: Option<&'r mut Aside>,
    pub(super) end: Time,
}

impl<'a> Run<'a> {
    /// Looks up what concerns peer `who`, of group number `group`.
    #[inline(always)]
    pub(super) fn visit(&mut self, now: Time, who: u32, group: usize) -> Visit<'_, 'a> {
        let (row, of) = (&mut self.rows[who as usize], &self.groups[group]);
        Visit {
            now,
            who,
            front_end: &mut self.front_ends[usize::from(row.place())],
            figures: &mut self.figures[usize::from(of.cell)],
            aside: self.asides.get_mut(who as usize),
            row,
            of,
            world: &mut self.world,
            way: self.ways.get(group).and_then(Option::as_deref),
            policy: self.refresh.as_ref(),
            end: self.end,
        }
    }
}

impl Visit<'_, '_> {
    /// Puts a decision about the peer on the record.
    #[inline]
    fn decide(&mut self, what: What, detail: u8) {
        let decision = Decision { at: self.now, who: self.who, what, detail, extra: self.row.place() };
        self.world.decide(decision, Some(self.row));
    }

    #[inline]
    fn rtt(&mut self) -> Span {
        let (of, draws, who) = (self.of, &self.world.draws, self.who);
        self.row.rtt(|| of.rtt_of(draws, who))
    }

    /// What a plain exchange takes that begins now.
    #[inline]
    fn exchange(&mut self) -> Span {
        if self.of.direct > Span::ZERO { self.rtt() } else { self.trip().exchange_of(self.now) }
    }

    /// What its messages meet on their way.
    #[inline]
    pub(super) fn trip(&self) -> Trip<'_> {
        Trip { row: self.row, of: self.of, who: self.who, draws: &self.world.draws, way: self.way }
    }

    /// The peer sends a SYN at `sent`, which is now or when it hears of what happens now; gives the cause of the try.
    /// `None`: nothing has happened yet, for what the SYN meets is known when it arrives.
    #[inline]
    pub(super) fn send_syn(&mut self, sent: Time) -> Option<Cause> {
        if self.front_end.life != Life::Up || !self.goes_direct() {
            return None;
        }
        self.front_end.members.add(self.who);
        Some(self.syn_to_own_front_end(sent))
    }

    /// Whether a SYN to its front end, which serves, needs no step of its own.
    #[inline]
    pub(super) fn goes_direct(&mut self) -> bool {
        self.rtt() < self.of.direct && self.front_end.never_refuses() && !self.front_end.watches_arrivals
    }

    /// A SYN to a front end that serves, refuses nothing and counts the peer among its own, over a plain path. Only a crash
    /// can keep it from being answered, and that puts things right: so its arrival need not be a step of its own.
    #[inline]
    pub(super) fn syn_to_own_front_end(&mut self, sent: Time) -> Cause {
        let rtt = self.rtt();
        self.begin_attempt(sent, Step::FlightSent, sent + rtt.half() + rtt)
    }

    /// A SYN that whoever is in between answers by a reset, as far away as a front end.
    pub(super) fn syn_to_nobody(&mut self) -> Cause {
        let (sent, rtt) = (self.now, self.exchange());
        let gives_up = sent + self.of.syn.give_up();
        if sent + rtt < gives_up {
            return self.begin_attempt(sent, Step::RefusalSent, sent + rtt);
        }
        // The reset comes too late.
        self.world.wake(gives_up, self.who, Wake::BackOff);
        self.begin_attempt(sent, Step::SynSent, gives_up)
    }

    #[inline]
    pub(super) fn begin_attempt(&mut self, sent: Time, step: Step, next: Time) -> Cause {
        let row = &mut *self.row;
        row.generation = row.generation.wrapping_add(1);
        row.started = sent;
        row.set_flight(0);
        row.set_step(step);
        row.next = next;
        self.world.wake(next, self.who, Wake::Message);
        if let Some(timeout) = self.of.attempt_timeout
            && !self.of.reconnect.stretch_attempt
        {
            self.world.wake(sent + timeout, self.who, Wake::AttemptTimer);
        }
        self.world.count(self.of.cell, Counter::Attempts, 1);
        self.row.cause()
    }

    /// Whether what arrives is taken: it is not the final ACK of a handshake that may find no room.
    #[inline]
    pub(super) fn is_taken(&self) -> bool {
        self.row.flight() > 0 || self.front_end.life == Life::Up && self.front_end.never_refuses()
    }

    /// What has arrived of a new connection becomes a job. Gives back the job that finds no place.
    #[inline]
    pub(super) fn flight_arrives(&mut self) -> Option<Job> {
        let kind = if self.row.flight() == 0 && self.front_end.setup.accept.is_some() {
            JobKind::Accept
        } else {
            FrontEnd::next_kind(self.row, self.of)
        };
        self.enqueue(kind)
    }

    /// A job of this connection goes into the queue. Gives back the job that finds no place there.
    #[inline]
    pub(super) fn enqueue(&mut self, kind: JobKind) -> Option<Job> {
        if kind != JobKind::ValidateRefresh {
            self.row.set_step(Step::InJob);
            self.row.next = Time::NEVER;
        }
        let mut job = self.front_end.job_of(self.now, self.who, self.row, self.of, kind, &*self.world);
        if kind == JobKind::ValidateRefresh {
            job.cause = Cause::Refresh;
        }
        self.front_end.enqueue(self.now, job)
    }

    /// A server flight goes out; the peer answers it after its own work, which is given.
    #[inline]
    pub(super) fn answer_flight(&mut self) -> Span {
        let rtt = self.rtt();
        let (row, of) = (&*self.row, self.of);
        let flight = row.flight();
        let thinks = of.client_cpu.get(flight).map_or(Span::ZERO, |dist| {
            of.sample(dist, &self.world.draws, self.who, Purpose::ClientCpu, row.when(), flight as u16)
        });
        let (thinks, next) = if of.direct > Span::ZERO {
            (thinks, self.now + rtt + thinks)
        } else {
            let trip = self.trip();
            let thinks = trip.at_its_pace(thinks);
            (thinks, trip.round_ends(self.now, flight as u16 + 1, thinks))
        };
        let row = &mut *self.row;
        row.set_flight(flight + 1);
        row.set_step(Step::FlightSent);
        row.next = next;
        self.world.wake(row.next, self.who, Wake::Message);
        thinks
    }

    /// The verdict on a new connection is in: it is valid here; the peer learns it half a round trip later (rule 13).
    #[inline]
    pub(super) fn valid(&mut self) {
        let plain = self.now + self.rtt().half();
        let established = if self.of.direct > Span::ZERO { plain } else { self.trip().news_of_the_verdict(self.now) };
        let (cause, since, started) = (self.row.cause(), self.row.since, self.row.started);
        let deadline = self.deadline();
        self.book_outage(established);
        if established <= deadline && established <= self.end {
            let first = self.first_syn();
            let (cell, meters) = (self.of.cell, &mut self.world.meters);
            if started == first && started == since {
                meters.record_bundle(established, Bundle::FirstTry, cell, cause, established.since(started));
            } else {
                meters.record(established, Metric::Attempt, cell, cause, established.since(started));
                meters.record(established, Metric::Connect, cell, cause, established.since(first));
                meters.record(established, Metric::Outage, cell, cause, established.since(since));
            }
        }
        self.become_valid();
        self.world.requests_open(self.of, self.who, established);
        // On its way even if it never arrives, which is not the same as no news.
        self.row.next = established.min(Time(Time::NEVER.0 - 1));
    }

    /// When the peer gives its try up: for the step that it waits for, or for all of it.
    #[inline]
    pub(super) fn deadline(&self) -> Time {
        let whole = self.of.attempt_timeout.map_or(Time::NEVER, |timeout| self.row.started + timeout);
        self.aside.as_ref().map_or(whole, |aside| aside.deadline(whole, self.of.reconnect.stretch_attempt))
    }

    /// When the peer sent the first SYN since its last loss.
    #[inline]
    fn first_syn(&self) -> Time {
        match &self.aside {
            _ if self.row.attempt == 0 => self.row.started,
            Some(aside) => aside.first_syn,
            None => self.row.since + self.first_wait(),
        }
    }

    /// How long the peer waits before its first try after a loss.
    #[inline]
    pub(super) fn first_wait(&self) -> Span {
        if self.row.cause() != Cause::Recovery {
            return Span::ZERO;
        }
        let when = When { attempt: 0, ..self.row.when() };
        let who = self.of.identity_of(self.who);
        self.of.reconnect.after_loss(|| self.world.draws.draw(who, Purpose::ReconnectDelay, when, 1))
    }

    /// The row and its front end after a verdict that lets the peer in.
    #[inline]
    pub(super) fn become_valid(&mut self) {
        let row = &mut *self.row;
        let cause = row.cause();
        row.set_step(Step::Valid);
        row.next = Time::NEVER;
        row.since = self.now;
        if let Some(aside) = &mut self.aside {
            aside.up_since = self.now;
        }
        self.front_end.valid += 1;
        self.world.disconnected -= 1;
        self.world.cut_off -= u64::from(cause != Cause::Initial);
        self.world.count(self.of.cell, Counter::Valids, 1);
        let outcome = match self.row.obligation() {
            Obligation::Open | Obligation::OpenMoved => Some(Counter::ValidByReconnect),
            Obligation::OpenLost => Some(Counter::Recovered),
            Obligation::None | Obligation::Taken | Obligation::TakenLost | Obligation::InRun => None,
        };
        self.decide(What::Valid, cause as u8 + outcome.map_or(0, |o| 16 * o as u8));
        if let Some(outcome) = outcome {
            self.close_quietly(outcome);
        }
        self.schedule_own_age();
        if self.world.certificates.is_some() {
            self.world.connection_is_made(self.now, self.of, self.who);
        }
    }

    /// With own age as the anchor, a connection that is valid knows when it is due.
    #[inline]
    pub(super) fn schedule_own_age(&mut self) {
        let Some(policy) = self.policy else { return };
        if policy.anchor != Anchor::OwnAge || !self.of.refreshed {
            return;
        }
        let when = When { cycle: self.row.cycle().wrapping_add(1), episode: 0, attempt: 0 };
        let jitter = if policy.spread == Span::ZERO {
            Span::ZERO
        } else {
            policy.jitter(self.world.draws.draw(self.of.identity_of(self.who), Purpose::Jitter, when, 0))
        };
        self.row.due = self.now + policy.every + jitter;
        self.world.wake(self.row.due, self.who, Wake::Due);
    }

    /// A due is counted and put on the record; `detail` as [`What::Due`] says.
    #[inline]
    pub(super) fn count_due(&mut self, detail: u8) {
        self.world.count(self.of.cell, Counter::Dues, 1);
        self.world.herd.due(self.now, 1);
        self.decide(What::Due, detail);
    }

    /// A valid connection's refresh is due now; `detail` as [`What::Due`] says.
    #[inline]
    pub(super) fn falls_due(&mut self, detail: u8) {
        self.count_due(detail);
        self.row.owe(Obligation::Open);
    }

    /// Ends a connection in order to make it anew. Gives the instant at which the peer learns of it, if its SYN is not on
    /// its way yet, for what that meets is known when it arrives.
    #[inline]
    pub(super) fn break_first(&mut self, initiator: Initiator) -> Option<Time> {
        let learned = self.end_as_planned(initiator);
        if !self.goes_direct() {
            return Some(learned);
        }
        // The front end serves, or it would have no valid connection: it keeps the peer among its own for the SYN to come.
        self.syn_to_own_front_end(learned);
        None
    }

    /// Ends a connection that is to be made anew; gives the instant at which its peer knows.
    #[inline]
    pub(super) fn end_as_planned(&mut self, initiator: Initiator) -> Time {
        let learned = match initiator {
            Initiator::FrontEnd => {
                let told = self.now + self.exchange().half();
                self.trip().news_of_the_end(told)
            }
            Initiator::Peer => self.now,
        };
        match initiator {
            Initiator::FrontEnd => self.connection_ends(learned),
            Initiator::Peer => self.news_is_void(),
        }
        self.world.disconnect(self.now);
        self.front_end.valid -= 1;
        self.front_end.owing -= 1;
        self.row.since = learned;
        self.row.set_cause(Cause::Refresh);
        self.world.requests_end(self.of, self.who, learned);
        learned
    }

    /// A new connection is to be made while this one serves: when its peer knows.
    pub(super) fn replaced_at(&mut self, initiator: Initiator) -> Time {
        let sent = match initiator {
            Initiator::FrontEnd => {
                let told = self.now + self.exchange().half();
                self.trip().news_of_the_end(told)
            }
            Initiator::Peer => self.now,
        };
        // Of the new one: its tries are counted from here.
        self.row.since = sent;
        self.row.set_cause(Cause::Refresh);
        sent
    }

    /// The verdict on a new connection is in, whose peer had its old one until now: no outage, and the news of it is no
    /// news of a connection.
    pub(super) fn valid_beside_the_old(&mut self) {
        let plain = self.now + self.rtt().half();
        let established = if self.of.direct > Span::ZERO { plain } else { self.trip().news_of_the_verdict(self.now) };
        let (started, first) = (self.row.started, self.first_syn());
        if established <= self.deadline() && established <= self.end {
            let (cell, cause, meters) = (self.of.cell, self.row.cause(), &mut self.world.meters);
            meters.record(established, Metric::Attempt, cell, cause, established.since(started));
            meters.record(established, Metric::Connect, cell, cause, established.since(first));
        }
        self.become_valid();
    }

    /// The refresh in place was accepted.
    #[inline]
    pub(super) fn valid_in_place(&mut self) {
        self.close_obligation(Counter::ValidInPlace);
        self.row.since = self.now;
        self.schedule_own_age();
    }

    /// An obligation ends, in the way that `outcome` counts.
    #[inline]
    pub(super) fn close_obligation(&mut self, outcome: Counter) {
        self.decide(What::Closed, outcome as u8);
        self.close_quietly(outcome);
    }

    /// The same without a decision of its own: whoever calls puts it on the record.
    #[inline]
    fn close_quietly(&mut self, outcome: Counter) {
        let (now, cell, due) = (self.now, self.of.cell, self.row.due);
        self.world.count(cell, outcome, 1);
        let valid = matches!(outcome, Counter::ValidInPlace | Counter::ValidByReconnect | Counter::Recovered);
        if valid {
            let latency = now.since(due);
            self.world.meters.record(now, Metric::Refresh, cell, Cause::Refresh, latency);
            self.world.meters.record_cycle(now, Metric::Refresh, cell, self.row.cycle(), latency);
        }
        let attached = self.row.step() == Step::Valid;
        if self.row.obligation() == Obligation::Open {
            leave_sweep(now, self.front_end, due, valid, self.world);
            if attached && outcome != Counter::ValidByReconnect {
                self.catch_up();
            }
        }
        if !self.world.missed_in_line.is_empty() {
            self.catch_up_with_line();
        }
        if matches!(outcome, Counter::ValidInPlace | Counter::Rejected | Counter::Dropped) {
            self.front_end.owing -= u64::from(attached);
        }
        self.row.owe(Obligation::None);
        self.row.due = Time::NEVER;
    }

    /// Ticks that came while a refresh was under way have their number all the same: cycles stay aligned with ticks.
    #[inline]
    pub(super) fn catch_up(&mut self) {
        let passed = self.ticks_since_due();
        self.row.add_cycles(passed);
    }

    /// How many ticks have come since its refresh fell due that it still owes.
    #[inline]
    pub(super) fn ticks_since_due(&self) -> u32 {
        let Some(policy) = self.policy else { return 0 };
        // A process that is dead has no ticks: what there were has been counted at the crash.
        if self.front_end.life != Life::Up {
            return 0;
        }
        let shortest = policy.every.min(Span(policy.every.0 - policy.spread.0));
        if policy.anchor == Anchor::OwnAge || self.now.since(self.row.due) < shortest {
            return 0;
        }
        // A tick at this instant that is still to come gives the row its number itself.
        let until = self.now.min(self.front_end.next_tick - Span(1));
        let passed = policy.ticks_between(self.front_end.service_start, self.row.due, until);
        u32::try_from(passed).unwrap_or(u32::MAX)
    }

    /// Ticks that came while it stood in line for its turn, before its connection ended to be made anew, have their
    /// number when that refresh is over.
    #[cold]
    pub(super) fn catch_up_with_line(&mut self) {
        let passed = self.world.missed_in_line.remove(&self.who).unwrap_or(0);
        self.row.add_cycles(passed);
    }
}

/// A connection of a tick is through, or out of it.
#[inline]
pub(super) fn leave_sweep(now: Time, front_end: &mut FrontEnd, due: Time, valid: bool, world: &mut World<'_>) {
    if let Some(sweep) = front_end.leave_sweep(now, due, valid) {
        let span = sweep.last.since(sweep.tick);
        world.meters.record(sweep.last, Metric::Sweep, 0, Cause::Refresh, span);
    }
}
