//! Requests of peers, from their due to their end (rule 28).

use refresh_sim::dist::Dist;
use refresh_sim::measure::{Cause, Metric, RequestCounts, What};
use refresh_sim::rng::{Purpose, When};
use refresh_sim::scenario::plan::{GroupPlan, OnTimeOut};
use refresh_sim::time::{Span, Time};

use super::agenda::{Class, Step};
use super::queue::{Job, Kind};
use super::world::{Stage, World};

/// `RequestFailed`'s details.
const TIMED_OUT: u8 = 0;
const CONNECTION_GONE: u8 = 1;
/// A detail of `Lost`.
const BY_REQUEST: u8 = 5;

/// One request.
pub(super) struct Request {
    peer: usize,
    nth: u64,
    due: Time,
    /// Whether its peer waits for it.
    awaited: bool,
    /// The connection on which it was sent.
    connection: Option<usize>,
    /// When its answer is at the peer, once it is on its way.
    answered: Option<Time>,
}

/// A peer as a sender of requests.
#[derive(Default)]
pub(super) struct Sender {
    /// How many have fallen due.
    sent: u64,
    /// Which of its dues is the next.
    next: u64,
    /// The connection that it believes to have.
    open: Option<usize>,
    /// When something last came over that: the news that it is valid, or an answer.
    heard: Time,
    /// Requests that it waits for, in order of their dues.
    awaited: Vec<usize>,
}

impl World<'_> {
    fn sends(&self, peer: usize) -> bool {
        self.group(peer).requests.is_some()
    }

    /// The entity of a peer as a sender.
    fn sender(&self, peer: usize) -> u32 {
        let is_before = |of: &&GroupPlan| of.requests.is_some();
        let groups = self.plan.groups.iter();
        let all: usize = groups.clone().filter(is_before).map(|of| of.peers() as usize).sum();
        let (group, first) = (self.peers[peer].group, self.group(peer));
        let before: usize = groups.take(group).filter(is_before).map(|of| of.peers() as usize).sum();
        let nth =
            (0..first.peers()).position(|nth| first.index(nth) == self.peers[peer].index).expect("it is a member");
        (self.first_wait_entity() - all + before + nth) as u32
    }

    fn later_at_sender(&mut self, at: Time, class: Class, peer: usize, step: Step) {
        let entity = self.sender(peer);
        self.agenda.add(at, class, entity, step);
    }

    fn count_request(&mut self, peer: usize, count: impl FnOnce(&mut RequestCounts)) {
        let group = self.peers[peer].group;
        self.books.requests[group].as_mut().map(count);
    }

    fn of_request(&mut self, peer: usize, what: What, detail: u8) {
        self.of_peer_at(peer, what, detail, 0);
    }

    fn when_of(nth: u64) -> When {
        When { cycle: nth as u32, episode: 0, attempt: (nth >> 32) as u32 }
    }

    /// The next request of a peer falls due one gap from now.
    pub(super) fn next_request(&mut self, peer: usize) {
        let Some(requests) = &self.group(peer).requests else { return };
        let nth = self.peers[peer].sender.sent + 1;
        if requests.stop_after.is_some_and(|most| nth > u64::from(most)) {
            return;
        }
        let bits = self.draw(peer, Purpose::RequestGap, Self::when_of(nth), 0);
        let gap = match &requests.every {
            Dist::Constant(gap) if nth == 1 => Dist::uniform(Span(1), *gap).map_or(*gap, |phase| phase.sample(bits)),
            gap => gap.sample(bits),
        };
        let next = self.fresh();
        self.peers[peer].sender.next = next;
        let at = self.now + Span(gap.0.max(1));
        self.later_at_sender(at, Class::Deadline, peer, Step::RequestDue { peer, next });
    }

    pub(super) fn request_due(&mut self, peer: usize, next: u64) {
        if self.peers[peer].sender.next != next {
            return;
        }
        let request = self.requests.len();
        let of = &mut self.peers[peer].sender;
        of.sent += 1;
        let (nth, open) = (of.sent, of.open);
        self.requests.push(Request { peer, nth, due: self.now, awaited: true, connection: None, answered: None });
        self.peers[peer].sender.awaited.push(request);
        self.count_request(peer, |counts| counts.due += 1);
        if let Some(timeout) = self.group(peer).requests.as_ref().and_then(|requests| requests.timeout) {
            self.later_at_sender(self.now + timeout, Class::Deadline, peer, Step::RequestTimesOut { request });
        }
        self.next_request(peer);
        self.of_request(peer, What::RequestDue, u8::from(open.is_none()));
        if let Some(connection) = open {
            self.send(request, connection);
        }
    }

    fn send(&mut self, request: usize, connection: usize) {
        self.requests[request].connection = Some(connection);
        let at = self.behind_cuts(connection, self.now + self.exchange_of_now(connection).half());
        let peer = self.requests[request].peer;
        self.later_at_sender(at, Class::Arrival, peer, Step::RequestArrives { request });
    }

    /// A request is at the front end, and becomes a job if its connection is still valid there.
    pub(super) fn request_arrives(&mut self, request: usize) {
        let connection = self.requests[request].connection.expect("it was sent");
        let of = &self.connections[connection];
        let front_end = of.front_end;
        if matches!(of.stage, Stage::Valid(_)) && !of.unknown_between {
            self.passes(connection);
            let job = self.job(Kind::Request(request), connection);
            self.enter(front_end, Job { cause: Cause::Request, ..job });
            self.take_jobs(front_end);
        }
    }

    pub(super) fn request_cpu(&self, request: usize) -> Span {
        let Request { peer, nth, .. } = self.requests[request];
        let bits = self.draw(peer, Purpose::RequestCpu, Self::when_of(nth), 0);
        self.group(peer).requests.as_ref().map_or(Span::ZERO, |requests| requests.cpu.sample(bits))
    }

    pub(super) fn is_awaited(&self, request: usize) -> bool {
        self.requests[request].awaited
    }

    /// Its job has ended, and its peer waits: the answer goes out.
    pub(super) fn answer(&mut self, request: usize) {
        let connection = self.requests[request].connection.expect("it was sent");
        if self.connections[connection].unknown_between {
            return;
        }
        self.passes(connection);
        self.answer_sets_out(request, connection);
    }

    fn answer_sets_out(&mut self, request: usize, connection: usize) {
        let at = self.behind_cuts(connection, self.now + self.exchange_of_now(connection).half());
        self.requests[request].answered = Some(at);
        let (peer, set_out) = (self.requests[request].peer, self.fresh());
        self.later_at_sender(at, Class::Arrival, peer, Step::Answer { set_out, request });
    }

    /// Its job has ended, and its peer does not wait. Rule 7: the answer tells a peer that minds silence that somebody is
    /// there.
    pub(super) fn late_answer(&mut self, request: usize) {
        let connection = self.requests[request].connection.expect("it was sent");
        let of = &self.connections[connection];
        let requests = self.group(of.peer).requests.as_ref();
        let minds = requests.is_some_and(|r| r.timeout.is_some() && r.on_timeout == OnTimeOut::CloseIfSilent);
        if minds && matches!(of.stage, Stage::Valid(_)) && !of.unknown_between {
            self.answer_sets_out(request, connection);
        }
    }

    pub(super) fn answer_there(&mut self, request: usize) {
        let (of, connection) = (self.requests[request].peer, self.requests[request].connection);
        if self.peers[of].sender.open == connection {
            self.peers[of].sender.heard = self.now;
        }
        let Request { peer, due, awaited, .. } = self.requests[request];
        if awaited {
            self.requests[request].awaited = false;
            self.count_request(peer, |counts| counts.in_time += 1);
            let group = self.peers[peer].group;
            self.books.sample(self.now, Metric::Request, group, Cause::Request, self.now.since(due));
            self.of_request(peer, What::RequestAnswered, 0);
        }
    }

    /// The time-out of a request is over; an answer that arrives at this very instant is in time.
    pub(super) fn request_times_out(&mut self, request: usize) {
        let of = &self.requests[request];
        if of.awaited && of.answered != Some(self.now) {
            let peer = of.peer;
            self.request_fails(request, TIMED_OUT);
            self.is_in_doubt(peer);
        }
    }

    /// Rule 7: what a peer makes of its connection when a request of it has timed out.
    fn is_in_doubt(&mut self, peer: usize) {
        let Some(connection) = self.peers[peer].sender.open else { return };
        let requests = self.group(peer).requests.as_ref().expect("it sends them");
        let timeout = requests.timeout.expect("it times out");
        let comes_now = |of: &Request| of.connection == Some(connection) && of.answered == Some(self.now);
        let closes = match requests.on_timeout {
            OnTimeOut::Keep => false,
            OnTimeOut::CloseIfSilent => {
                self.peers[peer].sender.heard + timeout <= self.now && !self.requests.iter().any(comes_now)
            }
            OnTimeOut::Close => true,
        };
        let of = &self.connections[connection];
        let valid = matches!(of.stage, Stage::Valid(_));
        // While a dump is written nobody is going to hear of it yet.
        let lost = of.stage == Stage::Silenced || of.gone_heard.is_some_and(|at| at > self.now);
        if !closes || !self.is_wanted(connection) || !(valid || lost) {
            return;
        }
        if valid {
            self.close_port(connection);
            self.abandon(connection);
            self.lose(connection, BY_REQUEST);
        } else {
            self.of_request(peer, What::ClosesLost, 0);
            self.connections[connection].stage = Stage::Gone;
        }
        self.closes(connection, self.now);
        self.later(self.now, Class::Arrival, peer, Step::Reset { connection });
    }

    fn request_fails(&mut self, request: usize, why: u8) {
        self.requests[request].awaited = false;
        let Request { peer, due, .. } = self.requests[request];
        let (age, unmeasured) = (self.now.since(due), u64::from(self.now < self.plan.measure.from));
        self.count_request(peer, |counts| {
            *(if why == TIMED_OUT { &mut counts.timed_out } else { &mut counts.connection_lost }) += 1;
            counts.unmeasured += unmeasured;
            counts.oldest_failed = counts.oldest_failed.max(age);
        });
        self.of_request(peer, What::RequestFailed, why);
    }

    /// Requests that a peer waits for, in order of their dues.
    fn awaited(&mut self, peer: usize) -> Vec<usize> {
        let requests = &self.requests;
        let awaited = &mut self.peers[peer].sender.awaited;
        awaited.retain(|request| requests[*request].awaited);
        awaited.clone()
    }

    /// The peer is going to hear at `at` that a connection is valid.
    pub(super) fn opens(&mut self, connection: usize, at: Time) {
        let peer = self.connections[connection].peer;
        if self.sends(peer) {
            self.later_at_sender(at, Class::Arrival, peer, Step::Opens { connection });
        }
    }

    /// The peer is going to hear at `at` that a connection has ended.
    pub(super) fn closes(&mut self, connection: usize, at: Time) {
        let peer = self.connections[connection].peer;
        self.connections[connection].gone_heard = Some(at);
        if self.sends(peer) {
            self.later_at_sender(at, Class::Arrival, peer, Step::Closes { connection });
        }
    }

    pub(super) fn is_open(&mut self, connection: usize) {
        let of = &self.connections[connection];
        let peer = of.peer;
        if of.gone_heard.is_some_and(|at| at <= self.now) {
            return;
        }
        (self.peers[peer].sender.open, self.peers[peer].sender.heard) = (Some(connection), self.now);
        for request in self.awaited(peer) {
            self.send(request, connection);
        }
    }

    pub(super) fn is_closed(&mut self, connection: usize) {
        let peer = self.connections[connection].peer;
        if self.peers[peer].sender.open != Some(connection) {
            return;
        }
        self.peers[peer].sender.open = None;
        for request in self.awaited(peer) {
            self.request_fails(request, CONNECTION_GONE);
        }
    }

    /// A peer leaves, and asks for nothing any more.
    pub(super) fn requests_depart(&mut self, peer: usize) {
        for request in self.awaited(peer) {
            self.requests[request].awaited = false;
            self.count_request(peer, |counts| counts.departed += 1);
        }
        let next = self.fresh();
        let of = &mut self.peers[peer].sender;
        (of.open, of.next) = (None, next);
    }

    /// What is open at the end of the run.
    pub(super) fn close_requests(&mut self) {
        for request in 0..self.requests.len() {
            let Request { peer, due, awaited, .. } = self.requests[request];
            let age = self.now.since(due);
            if awaited {
                self.count_request(peer, |counts| {
                    counts.unfinished += 1;
                    counts.oldest_open = counts.oldest_open.max(Some(age));
                });
            }
        }
    }
}
