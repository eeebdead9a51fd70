//! A peer's connection from its SYN to valid, and what the peer does when it fails (model rules 12 to 15).

use crate::frontend::Port;
use crate::frontend::{Ended, FrontEnd, Job, JobKind, Obligation, Step, Unanswered, Wake};
use crate::measure::{Cause, Counter, Decision, RecordKind, What};
use crate::time::{Span, Time};
use crate::validate::{Answer, Phase, Rejection};

use super::engine::Run;

/// Why a connection ended unplanned: the detail of [`What::Lost`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Why {
    Crash = 0,
    Rejection = 1,
    QueueFull = 2,
    GaveUp = 3,
    KeepAlive = 4,
    Request = 5,
    Stop = 10,
    Killed = 11,
    Limit = 12,
    Middlebox = 13,
}

impl Run<'_> {
    /// Puts a decision about a peer on the record.
    #[inline]
    pub(super) fn decide(&mut self, at: Time, who: u32, what: What, detail: u8) {
        let row = &self.rows[who as usize];
        self.world.decide(Decision { at, who, what, detail, extra: row.place() }, Some(row));
    }

    /// The same about a peer that may have turned away from the front end at `place`, which decides.
    pub(super) fn decide_at(&mut self, at: Time, who: u32, place: usize, what: What, detail: u8) {
        let row = &self.rows[who as usize];
        self.world.decide(Decision { at, who, what, detail, extra: place as u16 }, Some(row));
    }

    /// What a plain exchange of a peer takes that begins now: its round-trip time, as slow as its group is.
    #[inline(always)]
    pub(super) fn rtt(&mut self, who: u32, group: usize) -> Span {
        if !self.ways.is_empty() {
            return self.trip(who, group).exchange_of(self.entry.at);
        }
        let (of, draws) = (&self.groups[group], &self.world.draws);
        self.rows[who as usize].rtt(|| of.rtt_of(draws, who))
    }

    /// The peer sends a SYN at `sent`, which is now or when it hears of what happens now.
    #[inline]
    pub(super) fn attempt(&mut self, sent: Time, who: u32, group: usize) {
        if self.groups[group].reconnect.is_rationed() {
            // It has heard of its connection's end: whoever waits for others has no port meanwhile.
            self.gives_port_back(sent, who, group, false);
            if !self.may_try(sent, who, group) {
                return;
            }
        }
        if self.plan.middlebox.is_some() && !self.is_handed_on(sent, who, group) {
            return self.refused_by_middlebox(sent, who, group);
        }
        if !self.takes_port(sent, who, group) {
            return self.no_port(sent, who, group);
        }
        let direct = self.visit(sent, who, group).send_syn(sent);
        let cause = direct.unwrap_or_else(|| self.syn_by_steps(sent, who, group));
        self.aside_of_syn(sent, who, group);
        self.decide(sent, who, What::Attempt, cause as u8);
    }

    /// Something arrives, at the front end or at the peer.
    #[inline(never)]
    pub(super) fn message(&mut self, now: Time, who: u32) {
        let group = self.group_of(who);
        let mut visit = self.visit(now, who, group);
        if visit.row.next != now {
            return;
        }
        let (step, place) = (visit.row.step(), usize::from(visit.row.place()));
        match step {
            Step::SynSent => self.syn_arrives(now, who),
            // By far the most: it is taken, and no TLS settings are to be looked at.
            Step::FlightSent if visit.of.tls.is_none() && visit.is_taken() => {
                let refused = visit.flight_arrives();
                self.flight_is_job(now, place, refused);
            }
            Step::FlightSent if visit.is_taken() => self.take_flight(now, who, place),
            Step::FlightSent => self.final_ack(now, who, place),
            Step::AckIgnored => self.final_ack(now, who, place),
            Step::RefusalSent => self.attempt_failed(now, who, group),
            Step::ResetSent => self.loss_learned(now, who),
            Step::Absent | Step::BackOff | Step::InJob | Step::Valid | Step::Silent | Step::Promised => {}
        }
    }

    pub(super) fn fall_silent(&mut self, now: Time, who: u32, why: Unanswered) {
        let row = &mut self.rows[who as usize];
        row.set_step(Step::Silent);
        row.next = Time::NEVER;
        self.decide(now, who, What::Silence, why as u8);
    }

    /// What has arrived over a complete connection becomes a job.
    #[inline]
    pub(super) fn take_flight(&mut self, now: Time, who: u32, place: usize) {
        let group = self.group_of(who);
        if self.groups[group].tls.is_some() {
            return self.tls_flight_arrives(now, who, group);
        }
        let refused = self.visit(now, who, group).flight_arrives();
        self.flight_is_job(now, place, refused);
    }

    /// What has arrived stands in the queue, or has turned a job away.
    #[inline(always)]
    fn flight_is_job(&mut self, now: Time, place: usize, refused: Option<Job>) {
        if let Some(refused) = refused {
            self.no_room(now, place, refused);
        }
        self.dispatch(now, place);
    }

    /// A job of a new connection goes into the queue.
    #[inline]
    pub(super) fn enqueue(&mut self, now: Time, who: u32, group: usize, kind: JobKind) {
        if let Some(refused) = self.visit(now, who, group).enqueue(kind) {
            let place = usize::from(self.rows[who as usize].place());
            self.no_room(now, place, refused);
        }
    }

    /// The connection of a job that found the queue full is reset (rule 3).
    pub(super) fn no_room(&mut self, now: Time, place: usize, job: Job) {
        if job.kind == JobKind::Request {
            return self.request_refused(now, place, job);
        }
        let group = self.group_of(job.row);
        self.decide_at(now, job.row, place, What::Dropped, job.kind as u8);
        let row = &self.rows[job.row as usize];
        if row.generation != job.generation {
            self.forget_abandoned(now, &job);
            return;
        }
        match (job.kind, row.step()) {
            (JobKind::ValidateRefresh, Step::Valid) => {
                self.visit(now, job.row, group).close_obligation(Counter::Dropped);
                let learned = now + self.rtt(job.row, group).half();
                self.lose(now, job.row, group, Why::QueueFull, learned);
            }
            (_, Step::InJob) => self.refuse(now, job.row, group),
            _ => {}
        }
    }

    /// The front end ends a handshake: the peer hears of it half a round trip later.
    pub(super) fn refuse(&mut self, now: Time, who: u32, group: usize) {
        let heard = now + self.rtt(who, group).half();
        let heard = self.trip(who, group).news_of_the_end(heard);
        let row = &mut self.rows[who as usize];
        self.front_ends[usize::from(row.place())].members.remove(who);
        row.generation = row.generation.wrapping_add(1);
        row.set_step(Step::RefusalSent);
        row.next = heard;
        self.world.wake(heard, who, Wake::Message);
    }

    /// A worker has finished a job.
    #[inline]
    pub(super) fn job_ended(&mut self, now: Time, place: usize, group: usize, ended: Ended) {
        if !ended.useful {
            if ended.job.kind == JobKind::Request {
                self.request_wasted(now, ended.job.row);
            } else {
                self.front_ends[place].abandoned.is_known(&ended.job, now);
            }
            return;
        }
        let who = ended.job.row;
        match ended.job.kind {
            JobKind::Request => self.request_served(now, who),
            JobKind::Accept | JobKind::Flight if self.groups[group].tls.is_some() => {
                if ended.job.kind == JobKind::Flight {
                    self.tls_flight_ended(now, who, group);
                } else {
                    self.handshake_goes_on(now, who, group);
                }
            }
            JobKind::Accept => {
                let kind = FrontEnd::next_kind(&self.rows[who as usize], &self.groups[group]);
                self.enqueue(now, who, group, kind);
            }
            JobKind::Flight => {
                let thinks = self.visit(now, who, group).answer_flight();
                self.flight_answered(now, thinks, who, group);
            }
            JobKind::ValidateAccept => match ended.answer {
                Answer::Reject(reason) => {
                    self.rejected(now, who, group, place, Phase::Accept, reason);
                    if self.is_making(who) {
                        return self.old_one_stays(now, who, group);
                    }
                    if matches!(self.rows[who as usize].obligation(), Obligation::Open | Obligation::OpenMoved) {
                        self.visit(now, who, group).close_obligation(Counter::Rejected);
                    }
                    self.refuse(now, who, group);
                }
                Answer::Accept | Answer::Fault(_) => self.valid(now, who, group),
            },
            JobKind::ValidateRefresh => match ended.answer {
                Answer::Reject(reason) => {
                    self.rejected(now, who, group, place, Phase::Refresh, reason);
                    self.visit(now, who, group).close_obligation(Counter::Rejected);
                    let learned = now + self.rtt(who, group).half();
                    self.lose(now, who, group, Why::Rejection, learned);
                }
                Answer::Accept | Answer::Fault(_) => {
                    self.visit(now, who, group).valid_in_place();
                    self.one_less(now);
                }
            },
        }
    }

    fn rejected(&mut self, now: Time, who: u32, group: usize, place: usize, phase: Phase, reason: Rejection) {
        let cell = self.groups[group].cell;
        self.world.count(cell, Counter::Rejections, 1);
        self.world.reasons.count(cell, reason);
        self.world.record(now, Some(place as u16), Some(who), RecordKind::Rejected { phase, reason });
    }

    /// The verdict on a new connection is in.
    #[inline]
    fn valid(&mut self, now: Time, who: u32, group: usize) {
        if self.is_making(who) {
            return self.made_first(now, who, group);
        }
        let row = &self.rows[who as usize];
        if row.lost_by_crash() {
            self.back_after_crash(now, who, group, row.since);
        }
        self.visit(now, who, group).valid();
        self.attempt_over(now, who, group);
        self.one_less(now);
        self.stays_or_moves_back(now, who, group);
    }

    /// A try has failed: on to the next front end, or a wait (rules 14 and 26).
    pub(super) fn attempt_failed(&mut self, now: Time, who: u32, group: usize) {
        self.gives_port_back(now, who, group, false);
        self.attempt_over(now, who, group);
        self.go_on_after_failure(now, who, group, Span::ZERO);
    }

    /// After an attempt that has failed or was not made: on, after a wait of `at_least` so long.
    pub(super) fn go_on_after_failure(&mut self, now: Time, who: u32, group: usize, at_least: Span) {
        let wait = self.wait_after_failure(now, who, group, at_least);
        let row = &mut self.rows[who as usize];
        row.attempt = row.attempt.saturating_add(1);
        let from = row.place();
        let to = self.next_place(now, who, group, from);
        self.turn_to(now, who, to);
        match wait {
            Some(wait) => self.attempt_after(now, who, group, wait),
            None => self.stop_trying(now, who, group),
        }
    }

    pub(super) fn attempt_after(&mut self, now: Time, who: u32, group: usize, wait: Span) {
        if wait == Span::ZERO {
            return self.attempt(now, who, group);
        }
        let row = &mut self.rows[who as usize];
        row.set_step(Step::BackOff);
        row.next = now + wait;
        self.world.wake(row.next, who, Wake::BackOff);
    }

    /// The wait before a try is over.
    pub(super) fn back_off_over(&mut self, now: Time, who: u32) {
        if self.is_making(who) {
            self.old_may_be_over(now, who);
        }
        let row = &self.rows[who as usize];
        match row.step() {
            Step::BackOff if row.next == now => {
                let group = self.group_of(who);
                self.attempt(now, who, group);
            }
            // It is for its stack's giving up that a peer with a SYN under way is woken, and not for an arrival.
            Step::SynSent if row.next == now => {
                let group = self.group_of(who);
                if self.trip(who, group).gives_up() <= now {
                    self.stack_gives_up(now, who, group);
                }
            }
            Step::Valid => self.valid_may_be_over(now, who),
            _ => {}
        }
    }

    /// A wake-up of a peer whose connection is valid: it may be over, by the peer, the front end or what is in between.
    pub(super) fn valid_may_be_over(&mut self, now: Time, who: u32) {
        self.keep_alive_fails(now, who);
        if self.failovers.is_some() {
            self.may_move_back(now, who);
            self.quiet_may_be_over(now, who);
        }
    }

    /// The peer learns that its connection is gone.
    fn loss_learned(&mut self, now: Time, who: u32) {
        let group = self.group_of(who);
        self.gives_port_back(now, who, group, false);
        let to = self.next_place(now, who, group, self.rows[who as usize].place());
        self.rows[who as usize].set_place(to);
        let early = self.wait_after_early_loss(who, group);
        let wait = early.unwrap_or_else(|| self.visit(now, who, group).first_wait());
        self.attempt_after(now, who, group, wait);
    }

    /// A try has taken too long: the peer gives it up, unless it is over (rule 14).
    #[inline(never)]
    pub(super) fn attempt_timer(&mut self, now: Time, who: u32) {
        let row = self.rows[who as usize];
        if row.started == Time::NEVER || !(row.is_trying() || row.step() == Step::Valid) {
            return;
        }
        let group = self.group_of(who);
        if self.visit(now, who, group).deadline() != now {
            return self.front_end_limit(now, who, group);
        }
        if row.step() != Step::Valid {
            self.give_up(now, who, group);
        } else if row.next != Time::NEVER && row.next > now {
            // Valid at the front end, but the news is still on its way.
            self.world.count(self.groups[group].cell, Counter::TimeOuts, 1);
            self.decide(now, who, What::GaveUp, 1);
            self.gives_port_back(now, who, group, true);
            self.lose(now, who, group, Why::GaveUp, now);
        }
    }

    fn give_up(&mut self, now: Time, who: u32, group: usize) {
        self.world.count(self.groups[group].cell, Counter::TimeOuts, 1);
        self.decide(now, who, What::GaveUp, self.timed_out(now, who));
        self.leave_handshake(now, who, group);
        let connected = self.is_connected(now, who, group);
        self.gives_port_back(now, who, group, connected);
        let row = self.rows[who as usize];
        if self.front_ends[usize::from(row.place())].members.remove(who) {
            self.abandon(now, who, group, row.step() == Step::InJob);
        }
        let row = &mut self.rows[who as usize];
        row.generation = row.generation.wrapping_add(1);
        self.attempt_failed(now, who, group);
    }

    /// A valid connection ends unplanned; the peer learns of it at `learned`.
    pub(super) fn lose(&mut self, now: Time, who: u32, group: usize, why: Why, learned: Time) {
        self.world.count(self.groups[group].cell, Counter::Losses, 1);
        self.decide(now, who, What::Lost, why as u8);
        let told = !matches!(why, Why::GaveUp | Why::KeepAlive | Why::Request);
        let learned = if told { self.news_of_loss(who, group, learned) } else { learned };
        self.visit(now, who, group).connection_ends(learned);
        self.world.requests_end(&self.groups[group], who, learned);
        self.detach(now, who);
        self.obligation_loses_its_connection(now, who, group);
        let row = &mut self.rows[who as usize];
        row.generation = row.generation.wrapping_add(1);
        row.episode = row.episode.wrapping_add(1);
        row.attempt = 0;
        row.since = learned;
        row.set_cause(Cause::Recovery);
        row.set_step(Step::ResetSent);
        row.next = learned;
        if matches!(why, Why::Crash | Why::Killed) {
            row.set_lost_by_crash();
            self.crash_takes(who);
        }
        self.world.wake(learned, who, Wake::Message);
        self.aside_of_end(now, who, group, false);
        if self.world.drains.one_more() {
            self.look_at_backlog(now);
        }
    }

    /// When the peer learns that its front end has ended its connection, of which a reset would tell it at `at`.
    fn news_of_loss(&self, who: u32, group: usize, at: Time) -> Time {
        // A reset over a connection that the middlebox has forgotten comes to nothing.
        match self.peer_notices(who) {
            Some(notices) => notices,
            None => self.trip(who, group).news_of_the_end(at),
        }
    }

    /// A valid connection is no more at its front end.
    #[inline]
    pub(super) fn detach(&mut self, now: Time, who: u32) {
        self.leave_front_end(who);
        self.world.disconnect(now);
    }

    #[inline]
    fn leave_front_end(&mut self, who: u32) {
        let place = usize::from(self.rows[who as usize].place());
        // A crash has emptied the front end already.
        if self.front_ends[place].members.remove(who) {
            self.front_ends[place].valid -= 1;
        }
    }

    /// Peers arrive (timeline, or the beginning).
    pub(super) fn join(&mut self, now: Time, group: usize, indices: Option<&[u32]>) {
        let rows = self.rows_of(group, indices);
        let promised = self.plan.start == crate::scenario::plan::Start::Established && now == Time::ZERO;
        let mut peers = 0;
        for who in rows {
            let row = &mut self.rows[who as usize];
            if row.step() != Step::Absent {
                continue;
            }
            peers += 1;
            row.since = now;
            row.set_cause(Cause::Initial);
            row.owe(Obligation::None);
            row.attempt = 0;
            self.aside_of_arrival(who);
            self.world.disconnected += 1;
            self.decide(now, who, What::Join, 0);
            if promised {
                self.rows[who as usize].set_step(Step::Promised);
            } else {
                self.attempt(now, who, group);
            }
            self.requests_begin(now, who, group);
        }
        self.presence(now, group, peers, true);
    }

    /// Peers leave (timeline).
    pub(super) fn leave(&mut self, now: Time, group: usize, indices: Option<&[u32]>) {
        let rows = self.rows_of(group, indices);
        let mut peers = 0;
        for who in rows {
            if self.rows[who as usize].step() != Step::Absent {
                peers += 1;
                self.depart(now, who, group);
            }
        }
        self.presence(now, group, peers, false);
        self.peers_have_left(now);
    }

    fn depart(&mut self, now: Time, who: u32, group: usize) {
        self.decide(now, who, What::Leave, 0);
        self.leaves_with_both(now, who, group);
        self.leave_handshake(now, who, group);
        let connected = self.is_connected(now, who, group);
        self.gives_port_back(now, who, group, connected);
        self.attempt_over(now, who, group);
        if self.rows[who as usize].step() == Step::Valid {
            self.visit(now, who, group).news_is_void();
            // Gone, not cut off: it counts nowhere as disconnected.
            self.leave_front_end(who);
        } else {
            let row = &self.rows[who as usize];
            self.world.disconnected -= 1;
            self.world.cut_off -= u64::from(row.cause() != Cause::Initial);
            self.front_ends[usize::from(row.place())].members.remove(who);
            self.visit(now, who, group).outage_is_cut();
        }
        self.obligation_departs(now, who, group);
        self.requests_depart(who, group);
        let row = &mut self.rows[who as usize];
        row.generation = row.generation.wrapping_add(1);
        row.episode = row.episode.wrapping_add(1);
        row.set_step(Step::Absent);
        row.owe(Obligation::None);
        (row.next, row.due, row.since) = (Time::NEVER, Time::NEVER, Time::NEVER);
    }

    /// Rows of the peers of a group with these indices; `None`: all.
    pub(super) fn rows_of(&self, group: usize, indices: Option<&[u32]>) -> Vec<u32> {
        let of = &self.groups[group];
        let all = of.first..of.first + of.peers;
        match indices {
            None => all.collect(),
            Some(some) => all.filter(|row| some.binary_search(&of.index(*row)).is_ok()).collect(),
        }
    }
}
