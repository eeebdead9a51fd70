//! Between a peer's SYN and the completed handshake, step by step; cuts of paths, and ports (model rules 7 and 9 to 11).
//!
//! Most connections never come here: a SYN to a front end that can refuse nothing, over a plain path, is answered without a
//! step of its own (see `visit`). Nothing is kept of a peer: which SYN arrives when is a function of the first one's
//! instant (see `way`).

use crate::frontend::{Arrival, FinalAck, Life, Port, Row, Step, Unanswered, Wake, syn_ack_again};
use crate::measure::{Cause, Counter, RecordKind, What};
use crate::policy::tcp::SYN_ACK_GIVE_UP;
use crate::policy::{Initiator, Ratio};
use crate::time::{Span, Time};

use super::connection::Why;
use super::engine::Run;
use super::idle;
use super::way::Trip;

/// Whether the peer of a valid connection has not heard of it yet.
fn awaits_news(row: &Row, now: Time) -> bool {
    row.next > now && row.next != Time::NEVER
}

impl Run<'_> {
    /// What messages of a peer meet on their way.
    #[inline]
    pub(super) fn trip(&self, who: u32, group: usize) -> Trip<'_> {
        let way = self.ways.get(group).and_then(Option::as_deref);
        Trip { row: &self.rows[who as usize], of: &self.groups[group], who, draws: &self.world.draws, way }
    }

    /// A try whose SYN is looked at when it arrives.
    pub(super) fn syn_by_steps(&mut self, sent: Time, who: u32, group: usize) -> Cause {
        self.rows[who as usize].started = sent;
        let trip = self.trip(who, group);
        let arrives = trip.next_syn(None);
        let gives_up = arrives == trip.gives_up();
        let cause = self.visit(sent, who, group).begin_attempt(sent, Step::SynSent, arrives);
        if gives_up {
            // Before its first SYN has arrived: a deadline and no arrival.
            self.world.wake(arrives, who, Wake::BackOff);
        }
        cause
    }

    /// A SYN arrives, or the peer's stack has waited long enough.
    pub(super) fn syn_arrives(&mut self, now: Time, who: u32) {
        let group = self.group_of(who);
        let trip = self.trip(who, group);
        let (place, gives_up) = (usize::from(trip.row.place()), trip.gives_up());
        if now >= gives_up {
            return self.stack_gives_up(now, who, group);
        }
        if let Some(why) = trip.loses_syn(now) {
            return self.syn_unanswered(now, who, group, why);
        }
        if self.front_ends[place].is_full(now) {
            self.limit_reached(now, who, group, 2);
            return self.reset_on_arrival(now, who, group);
        }
        match self.front_ends[place].syn(now, who) {
            Arrival::Taken => self.syn_answered(now, who, group, gives_up),
            Arrival::Reset => self.syn_refused(now, who, group, 0),
            Arrival::ResetFull => self.syn_refused(now, who, group, 1),
            Arrival::Silence(why) => self.syn_unanswered(now, who, group, why),
        }
    }

    /// The SYN-ACK goes out; with it the peer sends its final ACK and its first flight or message.
    fn syn_answered(&mut self, now: Time, who: u32, group: usize, gives_up: Time) {
        let exchange = self.trip(who, group).syn_ack_exchange();
        let heard = self.trip(who, group).hears_syn_ack(now);
        if heard >= gives_up {
            // The peer will know nothing of it any more, and answers with a reset.
            let front_end = &mut self.front_ends[usize::from(self.rows[who as usize].place())];
            front_end.members.remove(who);
            front_end.listener.leave(who, now + exchange);
            self.rows[who as usize].next = gives_up;
            return self.world.wake(gives_up, who, Wake::BackOff);
        }
        let arrives = self.trip(who, group).round_ends(now, 0, Span::ZERO);
        if arrives >= now + SYN_ACK_GIVE_UP {
            // Held up on the path until the kernel has repeated its SYN-ACK for the last time and forgotten it.
            let front_end = &mut self.front_ends[usize::from(self.rows[who as usize].place())];
            front_end.members.remove(who);
            front_end.listener.leave(who, now + SYN_ACK_GIVE_UP);
            // Its peer knows nothing of that, and waits for what comes next.
            self.peer_hears_syn_ack(heard, who, group);
            return self.fall_silent(now, who, Unanswered::GivenUp);
        }
        if arrives != now + self.trip(who, group).syn_ack_takes() {
            // Held up by a cut: when the SYN-ACK went out does not follow from when its answer comes.
            let place = usize::from(self.rows[who as usize].place());
            self.front_ends[place].listener.first_syn_ack(who, now);
        }
        let row = &mut self.rows[who as usize];
        row.set_step(Step::FlightSent);
        row.next = arrives;
        self.world.wake(arrives, who, Wake::Message);
        self.peer_hears_syn_ack(heard, who, group);
        self.limits_start(now, who, group);
    }

    /// When the SYN-ACK went out whose answer has not arrived yet.
    fn syn_ack_sent(&self, who: u32, group: usize) -> Time {
        let row = &self.rows[who as usize];
        let kept = self.front_ends[usize::from(row.place())].listener.kept_syn_ack(who);
        kept.unwrap_or_else(|| row.next - self.trip(who, group).syn_ack_takes())
    }

    fn syn_refused(&mut self, now: Time, who: u32, group: usize, detail: u8) {
        self.decide(now, who, What::Refused, detail);
        self.reset_on_arrival(now, who, group);
    }

    /// A reset answers the SYN of a try.
    fn reset_on_arrival(&mut self, now: Time, who: u32, group: usize) {
        let trip = self.trip(who, group);
        let heard = trip.news_of_the_end(now + trip.exchange_of(now).half());
        let gives_up = trip.gives_up();
        let row = &mut self.rows[who as usize];
        if heard < gives_up {
            row.set_step(Step::RefusalSent);
            row.next = heard;
            self.world.wake(heard, who, Wake::Message);
        } else {
            // The reset comes too late.
            row.next = gives_up;
            self.world.wake(gives_up, who, Wake::BackOff);
        }
    }

    /// Nothing comes back: the peer's stack sends again, or gives up.
    fn syn_unanswered(&mut self, now: Time, who: u32, group: usize, why: Unanswered) {
        self.figures[usize::from(self.groups[group].cell)].unanswered += 1;
        self.decide(now, who, What::Silence, why as u8);
        let trip = self.trip(who, group);
        let next = trip.next_syn(Some(now));
        let wake = if next == trip.gives_up() { Wake::BackOff } else { Wake::Message };
        self.rows[who as usize].next = next;
        self.world.wake(next, who, wake);
    }

    /// The attempt fails for want of an answer to any SYN.
    pub(super) fn stack_gives_up(&mut self, now: Time, who: u32, group: usize) {
        self.world.count(self.groups[group].cell, Counter::TimeOuts, 1);
        self.decide(now, who, What::GaveUp, 5);
        let row = &mut self.rows[who as usize];
        row.generation = row.generation.wrapping_add(1);
        self.attempt_failed(now, who, group);
    }

    /// The first flight arrives where it may find no room: its ACK is the last of the handshake.
    pub(super) fn final_ack(&mut self, now: Time, who: u32, place: usize) {
        let group = self.group_of(who);
        match self.front_ends[place].final_ack(who) {
            FinalAck::Complete if self.front_ends[place].life == Life::Up => self.take_flight(now, who, place),
            FinalAck::Complete => self.fall_silent(now, who, Unanswered::Host),
            FinalAck::Ignored => self.ack_ignored(now, who, group, place),
            FinalAck::Reset => {
                self.decide(now, who, What::Refused, 2);
                self.refuse(now, who, group);
            }
        }
    }

    /// The peer believes that it is connected; the SYN-ACK is repeated until there is room.
    fn ack_ignored(&mut self, now: Time, who: u32, group: usize, place: usize) {
        let sent = now - self.trip(who, group).syn_ack_takes();
        let first = self.front_ends[place].listener.first_syn_ack(who, sent);
        let trip = self.trip(who, group);
        let (before, again) =
            syn_ack_again(first, now, trip.plain_exchange(), |nth, answer| trip.loses_syn_ack(nth, answer));
        self.figures[usize::from(self.groups[group].cell)].ignored += 1;
        self.decide(now, who, What::AckIgnored, before as u8);
        match again {
            Ok(at) => {
                let row = &mut self.rows[who as usize];
                row.set_step(Step::AckIgnored);
                row.next = at;
                self.world.wake(at, who, Wake::Message);
            }
            Err(gone) => {
                let front_end = &mut self.front_ends[place];
                front_end.listener.leave(who, gone);
                front_end.members.remove(who);
                self.fall_silent(now, who, Unanswered::GivenUp);
            }
        }
    }

    /// The peer leaves its try: what the kernel keeps of an unfinished handshake goes when its last message is there.
    pub(super) fn leave_handshake(&mut self, now: Time, who: u32, group: usize) {
        let gone = now + self.rtt(who, group).half();
        self.leaves_syn_queue(gone, who);
    }

    /// If the handshake of the present try is not complete, it never will be, and its place is free from `at` on.
    pub(super) fn leaves_syn_queue(&mut self, at: Time, who: u32) {
        let row = &self.rows[who as usize];
        let unfinished = row.step() == Step::AckIgnored || row.step() == Step::FlightSent && row.flight() == 0;
        if unfinished {
            self.front_ends[usize::from(row.place())].listener.leave(who, at);
        }
    }

    // ---- cuts

    /// All of a group takes longer from now on, or no longer: that is a function of when it begins.
    pub(super) fn pace_changes(&mut self, now: Time, group: usize, factor: Option<Ratio>) {
        let kind = RecordKind::Slow { group: group as u16, factor: factor.map(|factor| factor.to_string()) };
        self.world.record(now, None, None, kind);
    }

    /// The path of a group is cut, or heals: to one front end or to all.
    pub(super) fn path_changes(&mut self, now: Time, group: usize, front_end: Option<u16>, cut: bool) {
        let kind = RecordKind::Path { group: group as u16, cut };
        self.world.record(now, front_end, None, kind);
        let keeps_alive = matches!(self.ways.get(group), Some(Some(way)) if way.keeps_alive());
        if !cut || !keeps_alive {
            return;
        }
        for who in self.groups[group].first..self.groups[group].first + self.groups[group].peers {
            self.probes_through_cut(now, who, group, front_end);
        }
        self.old_ones_probe(now, group, front_end);
    }

    /// Both ends of a connection begin to probe if it is valid and on a path to `front_end` (`None`: any) that is cut.
    pub(super) fn probes_through_cut(&mut self, now: Time, who: u32, group: usize, front_end: Option<u16>) {
        let row = &self.rows[who as usize];
        if row.step() != Step::Valid || front_end.is_some_and(|place| place != row.place()) {
            return;
        }
        let trip = self.trip(who, group);
        // Who was valid when the path was cut before probes since then, and nobody else does.
        if !trip.cut_begins(now) {
            return;
        }
        // Who has not heard yet that it is connected does not probe.
        let by_peer = if awaits_news(row, now) { None } else { trip.notices_cut(now) };
        for noticed in [by_peer, trip.front_end_notices_cut(now)].into_iter().flatten() {
            self.world.wake(noticed, who, Wake::BackOff);
        }
    }

    /// Whether a keep-alive of a valid connection fails now.
    pub(super) fn is_cut_off_for_good(&self, now: Time, who: u32) -> bool {
        let trip = self.trip(who, self.group_of(who));
        let by_peer = trip.notices_cut(now) == Some(now) && !awaits_news(trip.row, now);
        by_peer || trip.front_end_notices_cut(now) == Some(now)
    }

    /// A wake-up of a valid peer: its keep-alive has failed, unless that belongs to another connection or cut.
    pub(super) fn keep_alive_fails(&mut self, now: Time, who: u32) {
        let group = self.group_of(who);
        let trip = self.trip(who, group);
        if trip.notices_cut(now) == Some(now) && !awaits_news(trip.row, now) {
            self.lose(now, who, group, Why::KeepAlive, now);
        } else if trip.front_end_notices_cut(now) == Some(now) {
            self.closed_by_front_end(now, who, group, idle::CUT_OFF);
        }
    }

    // ---- ports

    /// Takes a port for a try; says whether there was one.
    #[inline]
    pub(super) fn takes_port(&mut self, now: Time, who: u32, group: usize) -> bool {
        self.ports.is_empty() || self.takes_bounded_port(now, who, group)
    }

    /// A connection that is there from the beginning has a port, even where there are fewer.
    pub(super) fn holds_port(&mut self, who: u32, group: usize) {
        if let Some(Some(ports)) = self.ports.get_mut(group) {
            ports.hold(who, &self.groups[group]);
        }
    }

    fn takes_bounded_port(&mut self, now: Time, who: u32, group: usize) -> bool {
        let Some(Some(ports)) = self.ports.get_mut(group) else { return true };
        ports.take(now, who, &self.groups[group])
    }

    /// The port of a connection or try that is no more is free: at once, or after its rest if the peer closed it.
    #[inline]
    pub(super) fn gives_port_back(&mut self, now: Time, who: u32, group: usize, rests: bool) {
        if let Some(Some(ports)) = self.ports.get_mut(group) {
            ports.give_back(now, who, &self.groups[group], rests);
        }
    }

    /// Whether the peer has an answer to its SYN, so that leaving now is closing a connection.
    pub(super) fn is_connected(&self, now: Time, who: u32, group: usize) -> bool {
        let row = &self.rows[who as usize];
        match row.step() {
            Step::FlightSent if row.flight() == 0 => {
                self.trip(who, group).hears_syn_ack(self.syn_ack_sent(who, group)) <= now
            }
            Step::FlightSent | Step::InJob | Step::Valid | Step::Silent | Step::AckIgnored => true,
            Step::Absent | Step::BackOff | Step::SynSent | Step::RefusalSent | Step::ResetSent | Step::Promised => {
                false
            }
        }
    }

    /// There is no free port, and so no try: it has failed at once.
    pub(super) fn no_port(&mut self, now: Time, who: u32, group: usize) {
        self.figures[usize::from(self.groups[group].cell)].no_port += 1;
        self.decide(now, who, What::NoPort, 0);
        self.aside_of_try(now, who, group);
        let row = &mut self.rows[who as usize];
        row.generation = row.generation.wrapping_add(1);
        row.started = now;
        row.set_step(Step::RefusalSent);
        // A step of its own: a peer that waits for nothing would else never return from here.
        row.next = now;
        self.world.wake(now, who, Wake::Message);
    }

    /// The SYN of a planned reconnect, after the old connection's end, where it is looked at on its way or needs a port.
    pub(super) fn syn_after_break(&mut self, now: Time, learned: Time, who: u32, group: usize, by: Initiator) {
        let place = usize::from(self.rows[who as usize].place());
        self.front_ends[place].members.remove(who);
        if !matches!(self.ports.get(group), Some(Some(_))) {
            self.syn_by_steps(learned, who, group);
            return self.aside_of_syn(learned, who, group);
        }
        if by == Initiator::FrontEnd {
            // It keeps its port until it learns of the end, and then takes one anew.
            let row = &mut self.rows[who as usize];
            row.set_step(Step::BackOff);
            row.next = learned;
            return self.world.wake(learned, who, Wake::BackOff);
        }
        self.gives_port_back(now, who, group, true);
        if self.takes_port(now, who, group) {
            self.syn_by_steps(learned, who, group);
            self.aside_of_syn(learned, who, group);
        } else {
            self.no_port(now, who, group);
        }
    }
}
