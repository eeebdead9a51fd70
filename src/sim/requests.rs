//! Requests of peers from their due to their answer, and what stops them on the way (model rules 14 and 28).
//!
//! Each peer that sends requests is a *sender*, an entity of its own. Its requests are in three lists, each in order of
//! time, because its round trip and its time-out are constant: those that it waits for, by their dues; those on their
//! way to the front end; and answers on their way back. So each list needs only its first entry looked at, and what
//! happens at one instant goes by sender and then by list, whatever places requests have in memory.
//!
//! What the peer knows of its connection lags behind the row: it is *open* from established until the peer learns of its
//! end. While it is open every request goes out at once; while it is not, all that the peer waits for are unsent.

use crate::frontend::{Group, Job, JobKind, OnTimeOut, Port, Requests, Step, Wake};
use crate::measure::{Cause, Decision, Goodput, Metric, RequestCounts, What, Windows};
use crate::scenario::plan::Plan;
use crate::schedule::{Class, Entry};
use crate::time::{Span, Time};

use super::connection::Why;
use super::engine::Run;
use super::world::World;

/// Kinds of a sender's entries, by class.
mod kind {
    // Deadlines.
    pub(super) const DUE: u8 = 0;
    pub(super) const TIME_OUT: u8 = 1;
    // Arrivals.
    pub(super) const AT_FRONT_END: u8 = 0;
    pub(super) const ANSWER: u8 = 1;
    pub(super) const GONE: u8 = 2;
    pub(super) const OPEN: u8 = 3;
}

/// No request.
const NONE: u32 = u32::MAX;

/// Requests in a row, by their numbers.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

const EMPTY: List = List { first: NONE, last: NONE };

/// A peer that sends requests.
#[derive(Clone, Copy, Debug)]
struct Sender {
    /// Its row.
    peer: u32,
    /// Whether it believes that it has a connection.
    open: bool,
    /// How many of its requests have fallen due in the run.
    sent: u64,
    /// When the next one is due.
    next: Time,
    /// When it learns, or learned, that its connection is valid.
    from: Time,
    /// When it learns, or learned, that the connection is gone.
    until: Time,
    /// The time-out that it is woken for.
    timer: Time,
    /// When an answer last came over its connection.
    heard: Time,
    /// The generation of the row of the connection that it has, or believes to have.
    generation: u16,
    /// Requests that it waits for, the oldest first.
    awaited: List,
    /// Requests on their way to the front end.
    going: List,
    /// Answers on their way back.
    coming: List,
}

/// Where a request is, whether its peer waits for it or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// At the peer; or nowhere any more.
    Peer,
    /// In the list `going`.
    Going,
    /// A job at a front end.
    Job,
    /// Its answer is in the list `coming`.
    Coming,
}

/// A request.
#[derive(Clone, Copy, Debug)]
struct Request {
    sender: u32,
    /// Neighbours among those that the peer waits for.
    older: u32,
    newer: u32,
    /// The next one in `going` or `coming`.
    behind: u32,
    due: Time,
    /// Which of its peer's requests; 1 = the first.
    nth: u64,
    /// When it, or its answer, arrives.
    at: Time,
    /// The generation of the row of the connection that carries it.
    generation: u16,
    place: Place,
    /// Whether its peer waits for it.
    awaited: bool,
    /// Whether it fell due in a window that is measured.
    windowed: bool,
}

/// All senders and requests of a run.
pub(super) struct RequestBook {
    first_entity: u32,
    /// The first sender of each group; those of its peers follow.
    first_of_group: Vec<u32>,
    senders: Vec<Sender>,
    requests: Vec<Request>,
    free: Vec<u32>,
    /// Of each cell; `None`: no group in it sends any.
    counts: Vec<Option<RequestCounts>>,
    /// `None`: no request times out.
    goodput: Option<Goodput>,
    /// `None`: there are no ticks.
    windows: Option<Box<Windows>>,
}

impl RequestBook {
    /// For `groups`, whose senders are entities from `first_entity` on; `None`: nobody sends requests.
    pub(super) fn of(plan: &Plan, groups: &[Group], cells: usize, first_entity: u32) -> Option<Box<RequestBook>> {
        let (mut senders, mut first_of_group, mut counts) = (Vec::new(), Vec::new(), vec![None; cells]);
        for group in groups {
            first_of_group.push(senders.len() as u32);
            if group.requests.is_some() {
                counts[usize::from(group.cell)] = Some(RequestCounts::default());
                senders.extend((group.first..group.first + group.peers).map(Sender::new));
            }
        }
        let timeouts = groups.iter().filter_map(|group| group.requests.as_ref()?.timeout);
        let goodput = timeouts.max().map(Goodput::new);
        let any = counts.iter().any(Option::is_some);
        let (requests, free) = (Vec::new(), Vec::new());
        any.then(|| {
            let windows = super::windows::windows(plan, groups, cells);
            Box::new(RequestBook { first_entity, first_of_group, senders, requests, free, counts, goodput, windows })
        })
    }

    /// Whether the peer of a request still waits for the answer.
    #[inline]
    pub(super) fn awaits(&self, request: u32) -> bool {
        self.requests[request as usize].awaited
    }

    /// Whether nothing has come over the connection of a sender for so long: no answer, and no news that it is valid.
    fn is_silent(&mut self, sender: u32, now: Time, length: Span) -> bool {
        let Sender { heard, from, coming, generation, .. } = *self.sender(sender);
        let arrives = |first: Request| first.at == now && first.generation == generation;
        heard.max(from) + length <= now && !(coming.first != NONE && arrives(*self.request(coming.first)))
    }

    fn sender_of(&self, group: &Group, who: u32) -> u32 {
        self.first_of_group[usize::from(group.number)] + (who - group.first)
    }

    fn sender(&mut self, sender: u32) -> &mut Sender {
        &mut self.senders[sender as usize]
    }

    fn request(&mut self, request: u32) -> &mut Request {
        &mut self.requests[request as usize]
    }

    /// A request falls due, and its peer waits for it from now on.
    fn add(&mut self, sender: u32, due: Time, nth: u64) -> u32 {
        let older = self.sender(sender).awaited.last;
        let request = Request {
            sender,
            older,
            newer: NONE,
            behind: NONE,
            due,
            nth,
            at: Time::NEVER,
            generation: 0,
            place: Place::Peer,
            awaited: true,
            windowed: false,
        };
        let number = match self.free.pop() {
            Some(number) => {
                *self.request(number) = request;
                number
            }
            None => {
                self.requests.push(request);
                self.requests.len() as u32 - 1
            }
        };
        if older == NONE {
            self.sender(sender).awaited.first = number;
        } else {
            self.request(older).newer = number;
        }
        self.sender(sender).awaited.last = number;
        number
    }

    /// The peer waits for a request no longer.
    fn give_up(&mut self, number: u32) {
        let Request { sender, older, newer, .. } = *self.request(number);
        if older == NONE {
            self.sender(sender).awaited.first = newer;
        } else {
            self.request(older).newer = newer;
        }
        if newer == NONE {
            self.sender(sender).awaited.last = older;
        } else {
            self.request(newer).older = older;
        }
        self.request(number).awaited = false;
        self.free_if_over(number);
    }

    /// A request is nowhere on its way.
    fn put_down(&mut self, number: u32) {
        self.request(number).place = Place::Peer;
        self.free_if_over(number);
    }

    fn free_if_over(&mut self, number: u32) {
        let request = self.request(number);
        if !request.awaited && request.place == Place::Peer {
            self.free.push(number);
        }
    }

    /// A request sets out, or its answer.
    fn set_out(&mut self, number: u32, place: Place, at: Time) {
        let request = self.request(number);
        (request.place, request.at, request.behind) = (place, at, NONE);
        let sender = request.sender;
        let last = self.list(sender, place).last;
        if last != NONE && self.request(last).at > at {
            return self.set_out_before_others(number, sender, place, at);
        }
        self.list(sender, place).last = number;
        if last == NONE {
            self.list(sender, place).first = number;
        } else {
            self.request(last).behind = number;
        }
    }

    /// What overtakes others that have set out before, over another connection or when its group was slow.
    #[cold]
    fn set_out_before_others(&mut self, number: u32, sender: u32, place: Place, at: Time) {
        let (mut before, mut behind) = (NONE, self.list(sender, place).first);
        while self.request(behind).at <= at {
            (before, behind) = (behind, self.request(behind).behind);
        }
        self.request(number).behind = behind;
        if before == NONE {
            self.list(sender, place).first = number;
        } else {
            self.request(before).behind = number;
        }
    }

    /// Takes what arrives at `now` from a list.
    fn take_arrival(&mut self, now: Time, sender: u32, place: Place) -> Option<u32> {
        let number = self.list(sender, place).first;
        if number == NONE || self.request(number).at != now {
            return None;
        }
        let behind = self.request(number).behind;
        let list = self.list(sender, place);
        list.first = behind;
        if behind == NONE {
            list.last = NONE;
        }
        Some(number)
    }

    fn list(&mut self, sender: u32, place: Place) -> &mut List {
        let sender = self.sender(sender);
        match place {
            Place::Going => &mut sender.going,
            Place::Coming => &mut sender.coming,
            Place::Peer | Place::Job => &mut sender.awaited,
        }
    }

    /// How requests fare around triggers.
    pub(super) fn goodput(&mut self) -> Option<&mut Goodput> {
        self.goodput.as_mut()
    }

    /// Windows around refreshes.
    pub(super) fn windows(&mut self) -> Option<&mut Windows> {
        self.windows.as_deref_mut()
    }

    /// How many requests somebody waits for, or are on their way or at a front end.
    pub(super) fn open(&self) -> u64 {
        (self.requests.len() - self.free.len()) as u64
    }

    fn count(&mut self, cell: u16, count: impl FnOnce(&mut RequestCounts)) {
        if let Some(counts) = &mut self.counts[usize::from(cell)] {
            count(counts);
        }
    }
}

impl Sender {
    fn new(peer: u32) -> Sender {
        Sender {
            peer,
            open: false,
            sent: 0,
            next: Time::NEVER,
            from: Time::NEVER,
            until: Time::NEVER,
            timer: Time::NEVER,
            heard: Time::ZERO,
            generation: 0,
            awaited: EMPTY,
            going: EMPTY,
            coming: EMPTY,
        }
    }
}

impl World<'_> {
    /// The row that a job is about.
    #[inline]
    pub(super) fn row_of(&self, job: &Job) -> u32 {
        if job.kind == JobKind::Request { self.row_of_request(job.row) } else { job.row }
    }

    fn row_of_request(&self, number: u32) -> u32 {
        self.requests.as_ref().map_or(0, |book| {
            let sender = book.requests[number as usize].sender;
            book.senders[sender as usize].peer
        })
    }

    /// A peer will learn at `at` that it has a connection.
    #[inline]
    pub(super) fn requests_open(&mut self, of: &Group, who: u32, at: Time) {
        if of.requests.is_some() {
            self.sender_hears(of, who, at, kind::OPEN);
        }
    }

    /// A peer will learn at `at` that its connection is gone.
    #[inline]
    pub(super) fn requests_end(&mut self, of: &Group, who: u32, at: Time) {
        if of.requests.is_some() {
            self.sender_hears(of, who, at, kind::GONE);
        }
    }

    fn sender_hears(&mut self, of: &Group, who: u32, at: Time, what: u8) {
        let Some(book) = &mut self.requests else { return };
        let number = book.sender_of(of, who);
        let entity = book.first_entity + number;
        let sender = book.sender(number);
        (sender.from, sender.until) = if what == kind::OPEN { (at, Time::NEVER) } else { (sender.from, at) };
        self.push(at, Class::Arrival, entity, what);
    }

    /// Puts a decision about a request on the record of the run; the records of single peers leave requests out.
    pub(super) fn decide_request(&mut self, at: Time, who: u32, what: What, detail: u8, place: u16) {
        self.decide(Decision { at, who, what, detail, extra: place }, None);
    }
}

impl Run<'_> {
    /// The peer behind a sender's number as an entity.
    pub(super) fn sender(&self, entity: u32) -> Option<u32> {
        let book = self.world.requests.as_ref()?;
        let number = entity.checked_sub(book.first_entity)?;
        book.senders.get(number as usize).map(|sender| sender.peer)
    }

    /// An entry of a sender.
    #[inline(never)]
    pub(super) fn request_step(&mut self, now: Time, sender: u32, entry: Entry) {
        match (entry.class, entry.kind) {
            (Class::Deadline, kind::DUE) => self.request_due(now, sender),
            (Class::Deadline, _) => self.requests_time_out(now, sender),
            (_, kind::AT_FRONT_END) => self.request_arrives(now, sender),
            (_, kind::ANSWER) => self.answer_arrives(now, sender),
            (_, kind::GONE) => self.connection_gone(now, sender),
            _ => self.connection_open(now, sender),
        }
    }

    /// The book; there is one wherever a sender is, a request or a group that sends them.
    fn book(&mut self) -> &mut RequestBook {
        self.world.requests.as_mut().unwrap_or_else(|| unreachable!("a request without a sender"))
    }

    fn wake_sender(&mut self, at: Time, class: Class, sender: u32, kind: u8) {
        let entity = self.book().first_entity + sender;
        self.world.push(at, class, entity, kind);
    }

    /// Peer, position of its group, and the group's settings.
    fn about(&mut self, sender: u32) -> (u32, usize) {
        let who = self.book().sender(sender).peer;
        (who, self.group_of(who))
    }

    fn settings(&self, group: usize) -> Option<&Requests> {
        self.groups[group].requests.as_deref()
    }

    /// A decision at the peer. No front end: at the instant of a loss, which one is next is somebody else's step.
    fn decide_at_peer(&mut self, now: Time, who: u32, what: What, detail: u8) {
        self.world.decide_request(now, who, what, detail, 0);
    }

    /// A peer is there: its requests fall due from now on.
    pub(super) fn requests_begin(&mut self, now: Time, who: u32, group: usize) {
        if self.groups[group].requests.is_none() {
            return;
        }
        let of = &self.groups[group];
        let Some(book) = &self.world.requests else { return };
        let sender = book.sender_of(of, who);
        self.schedule_request(now, who, group, sender);
    }

    /// The next request of a peer, counted from the one before, or from when the peer joined.
    fn schedule_request(&mut self, now: Time, who: u32, group: usize, sender: u32) {
        let sent = self.book().sender(sender).sent;
        let Some(settings) = self.settings(group) else { return };
        let next = if settings.stop_after.is_some_and(|most| sent >= u64::from(most)) {
            Time::NEVER
        } else {
            now + settings.gap(self.groups[group].identity_of(who), &self.world.draws, sent + 1)
        };
        self.book().sender(sender).next = next;
        self.wake_sender(next, Class::Deadline, sender, kind::DUE);
    }

    fn request_due(&mut self, now: Time, sender: u32) {
        if self.book().sender(sender).next != now {
            return;
        }
        let (who, group) = self.about(sender);
        let cell = self.groups[group].cell;
        let timeout = self.settings(group).and_then(|settings| settings.timeout);
        let book = self.book();
        book.count(cell, |counts| counts.due += 1);
        if let Some(goodput) = book.goodput.as_mut().filter(|_| timeout.is_some()) {
            goodput.due(now);
        }
        book.sender(sender).sent += 1;
        let Sender { sent, open, timer, .. } = *book.sender(sender);
        let windowed = book.windows.as_mut().is_some_and(|windows| windows.due(now, cell));
        let request = book.add(sender, now, sent);
        book.request(request).windowed = windowed;
        if let Some(timeout) = timeout
            && timer == Time::NEVER
        {
            self.set_timer(sender, now + timeout);
        }
        self.schedule_request(now, who, group, sender);
        self.decide_at_peer(now, who, What::RequestDue, u8::from(!open));
        if open {
            self.send_request(now, who, group, request);
        }
    }

    /// A request that its peer waited for has ended; `in_time` is `None` if the peer left.
    fn request_ends(&mut self, now: Time, group: usize, due: Time, in_time: Option<bool>) {
        let times_out = self.settings(group).is_some_and(|settings| settings.timeout.is_some());
        if let Some(goodput) = self.book().goodput.as_mut().filter(|_| times_out) {
            goodput.ends(now, due, in_time);
        }
    }

    fn set_timer(&mut self, sender: u32, at: Time) {
        self.book().sender(sender).timer = at;
        self.wake_sender(at, Class::Deadline, sender, kind::TIME_OUT);
    }

    /// Half a round trip to the front end; to nobody, if the connection is gone there and the peer has not heard of it.
    fn send_request(&mut self, now: Time, who: u32, group: usize, request: u32) {
        if self.rows[who as usize].step() != Step::Valid {
            return;
        }
        let at = now + self.rtt(who, group).half();
        let at = self.trip(who, group).after_cuts(at);
        let generation = self.rows[who as usize].generation;
        let book = self.book();
        book.request(request).generation = generation;
        book.set_out(request, Place::Going, at);
        let sender = book.request(request).sender;
        self.wake_sender(at, Class::Arrival, sender, kind::AT_FRONT_END);
    }

    /// A request becomes a job, if its connection is still there.
    fn request_arrives(&mut self, now: Time, sender: u32) {
        let Some(number) = self.book().take_arrival(now, sender, Place::Going) else { return };
        let (who, group) = self.about(sender);
        let row = self.rows[who as usize];
        let Request { generation, nth, .. } = *self.book().request(number);
        if row.step() != Step::Valid || row.generation != generation {
            return self.book().put_down(number);
        }
        if self.failovers.is_some() && !self.passes(now, who) {
            return self.book().put_down(number);
        }
        self.book().request(number).place = Place::Job;
        let of = &self.groups[group];
        let Some(settings) = &of.requests else { return };
        let demand = settings.cpu(of.identity_of(who), &self.world.draws, nth);
        let (kind, cause) = (JobKind::Request, Cause::Request);
        let job = Job { arrived: now, demand, row: number, generation, kind, cause };
        let place = usize::from(row.place());
        if let Some(refused) = self.front_ends[place].enqueue(now, job) {
            self.no_room(now, place, refused);
        }
        self.dispatch(now, place);
    }

    /// The job of a request found the queue full: its connection is reset (rule 3).
    pub(super) fn request_refused(&mut self, now: Time, place: usize, job: Job) {
        let who = self.world.row_of(&job);
        self.book().put_down(job.row);
        // Its peer may have turned to another front end meanwhile.
        self.world.decide_request(now, who, What::Dropped, job.kind as u8, place as u16);
        let row = &self.rows[who as usize];
        if row.generation == job.generation && row.step() == Step::Valid {
            let group = self.group_of(who);
            let learned = now + self.rtt(who, group).half();
            self.lose(now, who, group, Why::QueueFull, learned);
        }
    }

    /// A worker takes the job of a request; gives the row that it is about.
    pub(super) fn request_taken(&mut self, now: Time, place: usize, job: &Job) -> u32 {
        let who = self.world.row_of(job);
        self.world.decide_request(now, who, What::RequestTaken, 0, place as u16);
        who
    }

    /// A worker has finished the job of a request for nobody. Its answer goes out all the same, which tells nobody anything
    /// but that the front end is alive: of use only to a peer that listens for that.
    pub(super) fn request_wasted(&mut self, now: Time, number: u32) {
        let Request { sender, generation, .. } = *self.book().request(number);
        let (who, group) = self.about(sender);
        let listens = self.settings(group).is_some_and(|s| s.closes() && s.on_timeout == OnTimeOut::CloseIfSilent);
        let row = &self.rows[who as usize];
        let goes_out = listens && row.step() == Step::Valid && row.generation == generation;
        if !goes_out || self.peer_notices(who).is_some() {
            self.book().put_down(number);
            return self.window_may_end(now);
        }
        self.answer_sets_out(now, number, sender, who, group);
    }

    /// A worker has finished the job of a request: the answer goes out.
    pub(super) fn request_served(&mut self, now: Time, number: u32) {
        let sender = self.book().request(number).sender;
        let (who, group) = self.about(sender);
        if self.failovers.is_some() && !self.passes(now, who) {
            return self.book().put_down(number);
        }
        self.answer_sets_out(now, number, sender, who, group);
    }

    fn answer_sets_out(&mut self, now: Time, number: u32, sender: u32, who: u32, group: usize) {
        let at = now + self.rtt(who, group).half();
        let at = self.trip(who, group).after_cuts(at);
        self.book().set_out(number, Place::Coming, at);
        self.wake_sender(at, Class::Arrival, sender, kind::ANSWER);
    }

    fn answer_arrives(&mut self, now: Time, sender: u32) {
        let Some(number) = self.book().take_arrival(now, sender, Place::Coming) else { return };
        let (who, group) = self.about(sender);
        let cell = self.groups[group].cell;
        let Request { awaited, due, generation, windowed, .. } = *self.book().request(number);
        let it = self.book().sender(sender);
        if generation == it.generation {
            it.heard = now;
        }
        if awaited {
            self.book().count(cell, |counts| counts.in_time += 1);
            let measured = now >= self.plan.measure.from;
            if let Some(windows) = self.book().windows().filter(|_| windowed) {
                windows.count(cell, |counts| counts.in_time += 1);
                if measured {
                    windows.answered(cell, now.since(due));
                }
            }
            self.book().give_up(number);
            self.request_ends(now, group, due, Some(true));
            self.world.measure(now, Metric::Request, cell, Cause::Request, now.since(due));
            self.decide_at_peer(now, who, What::RequestAnswered, 0);
        }
        self.book().put_down(number);
        self.window_may_end(now);
    }

    /// Fails what is too old; an answer that arrives at this very instant is still in time.
    fn requests_time_out(&mut self, now: Time, sender: u32) {
        if self.book().sender(sender).timer != now {
            return;
        }
        self.book().sender(sender).timer = Time::NEVER;
        let (who, group) = self.about(sender);
        let Some(settings) = self.settings(group) else { return };
        let (Some(timeout), on_timeout) = (settings.timeout, settings.on_timeout) else { return };
        let mut number = self.book().sender(sender).awaited.first;
        let mut failed = false;
        while number != NONE {
            let Request { due, newer, place, at, .. } = *self.book().request(number);
            if due + timeout > now {
                self.set_timer(sender, due + timeout);
                break;
            }
            if place != Place::Coming || at != now {
                self.request_fails(now, number, Failure::TimeOut);
                failed = true;
            }
            number = newer;
        }
        let closes = match on_timeout {
            OnTimeOut::Keep => false,
            OnTimeOut::CloseIfSilent => self.book().is_silent(sender, now, timeout),
            OnTimeOut::Close => true,
        };
        if failed && closes && self.book().sender(sender).open {
            self.close_connection(now, who, group);
        }
    }

    /// A peer closes its connection, whatever has become of that at the front end.
    fn close_connection(&mut self, now: Time, who: u32, group: usize) {
        match self.rows[who as usize].step() {
            Step::Valid => {
                self.gives_port_back(now, who, group, true);
                self.abandon(now, who, group, false);
                self.lose(now, who, group, Why::Request, now);
            }
            Step::ResetSent => {
                self.world.decide_request(now, who, What::ClosesLost, 0, 0);
                let row = &mut self.rows[who as usize];
                (row.since, row.next) = (now, now);
                self.world.wake(now, who, Wake::Message);
                self.world.requests_end(&self.groups[group], who, now);
            }
            // It has been closed as planned, of which the peer is about to hear.
            _ => {}
        }
    }

    fn request_fails(&mut self, now: Time, number: u32, failure: Failure) {
        let Request { sender, due, windowed, .. } = *self.book().request(number);
        let (who, group) = self.about(sender);
        let cell = self.groups[group].cell;
        let unmeasured = u64::from(now < self.plan.measure.from);
        let book = self.book();
        book.give_up(number);
        let fails = |counts: &mut RequestCounts| {
            match failure {
                Failure::TimeOut => counts.timed_out += 1,
                Failure::ConnectionGone => counts.connection_lost += 1,
            }
            counts.unmeasured += unmeasured;
            counts.oldest_failed = counts.oldest_failed.max(now.since(due));
        };
        book.count(cell, fails);
        if let Some(windows) = book.windows().filter(|_| windowed) {
            windows.count(cell, fails);
        }
        self.window_may_end(now);
        self.request_ends(now, group, due, Some(false));
        self.decide_at_peer(now, who, What::RequestFailed, failure as u8);
    }

    /// The peer learns that it has a connection: all that it has kept back goes out.
    fn connection_open(&mut self, now: Time, sender: u32) {
        let it = self.book().sender(sender);
        if it.from != now || it.until <= now {
            return;
        }
        it.open = true;
        let mut number = it.awaited.first;
        let (who, group) = self.about(sender);
        self.book().sender(sender).generation = self.rows[who as usize].generation;
        while number != NONE {
            self.send_request(now, who, group, number);
            number = self.book().request(number).newer;
        }
    }

    /// The peer learns that its connection is gone, and with it all that it had sent.
    fn connection_gone(&mut self, now: Time, sender: u32) {
        let it = self.book().sender(sender);
        if it.until != now || !it.open {
            return;
        }
        it.open = false;
        let mut number = it.awaited.first;
        while number != NONE {
            let newer = self.book().request(number).newer;
            self.request_fails(now, number, Failure::ConnectionGone);
            number = newer;
        }
    }

    /// A peer leaves, and asks for nothing any more.
    pub(super) fn requests_depart(&mut self, who: u32, group: usize) {
        if self.groups[group].requests.is_none() {
            return;
        }
        let of = &self.groups[group];
        let cell = of.cell;
        let now = self.entry.at;
        let Some(book) = &self.world.requests else { return };
        let sender = book.sender_of(of, who);
        let book = self.book();
        let it = book.sender(sender);
        (it.open, it.next, it.from, it.until) = (false, Time::NEVER, Time::NEVER, Time::NEVER);
        let mut number = it.awaited.first;
        while number != NONE {
            let book = self.book();
            let Request { newer, due, windowed, .. } = *book.request(number);
            book.count(cell, |counts| counts.departed += 1);
            if let Some(windows) = book.windows().filter(|_| windowed) {
                windows.count(cell, |counts| counts.departed += 1);
            }
            book.give_up(number);
            self.request_ends(now, group, due, None);
            number = newer;
        }
    }

    /// A front end is about to crash: the jobs of requests vanish, which their peers learn later.
    pub(super) fn requests_lost_in_crash(&mut self, place: usize) {
        let Some(book) = &mut self.world.requests else { return };
        for number in self.front_ends[place].requests() {
            book.put_down(number);
        }
    }

    /// Counts what is open at the end of the run; gives what became of all requests, by cell.
    pub(super) fn close_requests(&mut self, end: Time) -> Asked {
        let Some(mut book) = self.world.requests.take() else { return Asked::default() };
        for number in 0..book.requests.len() {
            let Request { sender, due, awaited, windowed, .. } = book.requests[number];
            if awaited {
                let group = self.group_of(book.sender(sender).peer);
                let (cell, age) = (self.groups[group].cell, end.since(due));
                let stays = |counts: &mut RequestCounts| {
                    counts.unfinished += 1;
                    counts.oldest_open = counts.oldest_open.max(Some(age));
                };
                book.count(cell, stays);
                if let Some(windows) = book.windows().filter(|_| windowed) {
                    windows.count(cell, stays);
                }
            }
        }
        if let Some(windows) = book.windows() {
            windows.run_ends(end);
        }
        if let Some(goodput) = &mut book.goodput {
            goodput.close(end);
        }
        Asked { counts: book.counts, goodput: book.goodput, windows: book.windows }
    }
}

/// What came of requests.
#[derive(Default)]
pub(super) struct Asked {
    /// By cell.
    pub(super) counts: Vec<Option<RequestCounts>>,
    pub(super) goodput: Option<Goodput>,
    pub(super) windows: Option<Box<Windows>>,
}

/// Why a request failed: the detail of [`What::RequestFailed`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Failure {
    TimeOut = 0,
    ConnectionGone = 1,
}
