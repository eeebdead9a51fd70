//! The life of a front end: it starts, serves, fails, comes back (model rules 1, 6, 7, 8).

use crate::frontend::{Life, Obligation, Port, Step, Wake};
use crate::measure::{CrashReport, Decision, Faulting, RecordKind, What};
use crate::policy::Action;
use crate::rng::Purpose;
use crate::scenario::plan::Start;
use crate::schedule::Class;
use crate::time::{Span, Time};
use crate::validate::{FaultCode, Phase};

use super::connection::Why;
use super::engine::Run;

impl Run<'_> {
    /// The next change in a front end's life.
    pub(super) fn life(&mut self, now: Time, place: usize) {
        if self.front_ends[place].next_change != now {
            return;
        }
        match self.front_ends[place].life {
            Life::Down if self.front_ends[place].reboots.is_some() => self.host_goes(now, place),
            Life::Starting => self.start_up_is_over(now, place),
            Life::Down | Life::HostDown => self.process_may_start(now, place),
            Life::Dumping => self.dump_ends(now, place),
            Life::Up => {}
        }
    }

    pub(super) fn decide_front_end(&mut self, at: Time, place: usize, what: What, extra: u32) {
        self.world.decide(Decision { at, who: place as u32, what, detail: 0, extra: extra as u16 }, None);
    }

    /// What kept a process from starting is over, unless it is held from outside.
    fn process_may_start(&mut self, now: Time, place: usize) {
        match self.control.holds(place) {
            Some(until) if until > now => {
                self.front_ends[place].life = Life::Down;
                self.front_ends[place].change_at(until, &mut self.world);
            }
            _ => self.process_starts(now, place),
        }
    }

    pub(super) fn process_starts(&mut self, now: Time, place: usize) {
        self.control.let_go(place);
        self.front_ends[place].start_process(now, &mut self.world);
        let incarnation = self.front_ends[place].incarnation;
        self.world.renew_validator(place as u16, incarnation);
        self.decide_front_end(now, place, What::ProcessStart, incarnation);
        self.world.record(now, Some(place as u16), None, RecordKind::ProcessStart { incarnation });
    }

    pub(super) fn service_starts(&mut self, now: Time, place: usize) {
        self.control.fell = None;
        let is_first = self.front_ends[place].service_start == Time::NEVER;
        let next_tick = self.refresh.as_ref().map_or(Time::NEVER, |policy| policy.next_tick(now, now));
        let front_end = &mut self.front_ends[place];
        front_end.start_service(now, next_tick, &mut self.world);
        if self.lines.is_some() {
            self.line_is_new(place);
        }
        let incarnation = self.front_ends[place].incarnation;
        self.decide_front_end(now, place, What::ServiceStart, incarnation);
        self.world.record(now, Some(place as u16), None, RecordKind::ServiceStart { incarnation });
        if is_first && self.plan.start == Start::Established {
            self.establish(now, place);
        }
        self.foresee_comers(place);
        self.peers_may_come(now, place);
        self.stages_may_go_on(now);
    }

    /// Everyone who was promised a connection has it, at no cost (rule 15).
    fn establish(&mut self, now: Time, place: usize) {
        for who in 0..self.rows.len() as u32 {
            let row = &mut self.rows[who as usize];
            if row.step() != Step::Promised || usize::from(row.place()) != place {
                continue;
            }
            let lost = u128::from(now.since(row.since).0);
            let group = self.group_of(who);
            self.figures[usize::from(self.groups[group].cell)].lost += lost;
            // Nobody asks for its SYN; a bound of ports may be passed.
            self.holds_port(who, group);
            self.front_ends[place].members.add(who);
            self.visit(now, who, group).become_valid();
            self.quiet_begins(now, who, group);
            self.world.requests_open(&self.groups[group], who, now);
            self.one_less(now);
        }
    }

    /// A verdict brought the process down while it was asked about `asked_about` (rules 6 and 21).
    #[cold]
    pub(super) fn crash(&mut self, now: Time, place: usize, asked_about: u32, code: FaultCode, phase: Phase) {
        self.fail(now, place, Some(Faulting { peer: asked_about, phase, code }));
    }

    /// A process ends without having been told to: by a verdict, or from outside, which leaves no dump.
    pub(super) fn fail(&mut self, now: Time, place: usize, fault: Option<Faulting>) {
        let served = self.front_ends[place].life == Life::Up;
        if served {
            self.trigger_begins(now);
        }
        let scene = self.scene(place, fault);
        let (connections, jobs) = self.prepare_end(now, place);
        let front_end = &mut self.front_ends[place];
        let (incarnation, process_start) = (front_end.incarnation, front_end.process_start);
        let service_start = if served { front_end.service_start } else { Time::NEVER };
        let recovery = &self.plan.recovery;
        let dump = if fault.is_some() { recovery.dump } else { Span::ZERO };
        let wreck = front_end.crash(now, recovery, dump);
        self.world.end_validator(place as u16);
        let (who, detail) = (place as u32, u8::from(fault.is_none()));
        self.world.decide(Decision { at: now, who, what: What::Crash, detail, extra: wreck.failure as u16 }, None);
        let kind = match fault {
            None => RecordKind::Killed { incarnation, connections, jobs },
            Some(Faulting { phase, code, .. }) => {
                let (process_id, fault_offset, report_id) = self.event_fields(place, incarnation);
                let started = process_start;
                RecordKind::Fault {
                    code,
                    incarnation,
                    phase,
                    connections,
                    jobs,
                    process_id,
                    fault_offset,
                    report_id,
                    started,
                }
            }
        };
        self.world.record(now, Some(place as u16), fault.map(|fault| fault.peer), kind);
        self.world.crashes.push(CrashReport {
            at: now,
            front_end: place as u16,
            incarnation,
            process_start,
            service_start,
            fault,
            dump,
            lost: wreck.valid,
            back: 0,
            reconnected: [None; 3],
            restart: None,
            scene,
        });
        self.lose_all(now, place, dump, if fault.is_some() { Why::Crash } else { Why::Killed });
        self.recover(now, place, wreck.failure, wreck.action, dump);
        if served {
            self.front_end_has_gone(now, place);
        }
    }

    /// A front end serves no more, and its peers are cut off; its pool may go with it.
    pub(super) fn front_end_has_gone(&mut self, now: Time, place: usize) {
        let fallen = self.pool_loses(now, place);
        for gone in std::iter::once(place).chain(fallen) {
            self.crash_has_taken(now, gone);
        }
    }

    /// A process is about to end: verdicts of jobs in service are void. Says how many connections
    /// and jobs there are.
    pub(super) fn prepare_end(&mut self, now: Time, place: usize) -> (u64, u64) {
        for who in self.front_ends[place].questions_overtaken() {
            self.decide_at(now, who, place, What::NoEffect, 0);
        }
        self.control.ready.remove(&place);
        let account = &self.front_ends[place].account;
        let jobs = account.waiting_jobs() + u64::from(self.front_ends[place].busy());
        let jobs = jobs + self.lose_waits(now, place);
        let beside = self.put_all_back(now, place);
        self.spill_runs(now, place);
        let connections = beside + self.connections(now, place);
        self.requests_lost_in_crash(place);
        (connections, jobs)
    }

    /// Rows that only a tick's run knew of get their obligations before the run vanishes, and all the numbers of ticks
    /// that came while they were busy.
    fn spill_runs(&mut self, now: Time, place: usize) {
        let dropped = self.front_ends[place].account.dropped;
        let mut from = 0;
        while let Some(who) = self.front_ends[place].members.next(from) {
            from = who + 1;
            let group = self.group_of(who);
            let row = &self.rows[who as usize];
            let waits = matches!(row.obligation(), Obligation::None | Obligation::InRun) && row.step() == Step::Valid;
            let busy = row.obligation() == Obligation::Open && row.step() == Step::Valid;
            if waits {
                self.obligation_loses_its_connection(now, who, group);
            } else if busy {
                self.visit(now, who, group).catch_up();
            }
        }
        // They left the run because of the crash, not of their own.
        let account = &mut self.front_ends[place].account;
        account.lost_in_crash += account.dropped - dropped;
        account.dropped = dropped;
    }

    /// How many connections a front end has: not those whose SYN is still on its way.
    fn connections(&mut self, now: Time, place: usize) -> u64 {
        let (mut connections, mut from) = (0, 0);
        while let Some(who) = self.front_ends[place].members.next(from) {
            from = who + 1;
            let group = self.group_of(who);
            connections += u64::from(self.syn_under_way(now, who, group).is_none());
        }
        connections
    }

    /// When the SYN of a peer that its front end counts among its own arrives, if that is still to come.
    pub(super) fn syn_under_way(&mut self, now: Time, who: u32, group: usize) -> Option<Time> {
        // Where it is looked at on its way, it has arrived.
        if self.groups[group].direct == Span::ZERO {
            return None;
        }
        let arrives = self.rows[who as usize].started + self.rtt(who, group).half();
        let row = &self.rows[who as usize];
        let is_first = row.step() == Step::FlightSent && row.flight() == 0;
        (is_first && (arrives > now || arrives == now && self.arrives_later(who))).then_some(arrives)
    }

    /// Whether what reaches the front end from a peer at this instant comes after what is being carried out.
    fn arrives_later(&self, who: u32) -> bool {
        (self.entry.class, self.entry.entity) < (Class::Arrival, self.world.place(who))
    }

    /// Every connection is gone; its peer hears of it when the kernel resets it.
    pub(super) fn lose_all(&mut self, now: Time, place: usize, dump: Span, why: Why) {
        let mut from = 0;
        while let Some(who) = self.front_ends[place].members.next(from) {
            from = who + 1;
            let group = self.group_of(who);
            // The sockets are reset when the dump is written.
            let exchange =
                if dump == Span::ZERO { self.rtt(who, group) } else { self.trip(who, group).exchange_of(now + dump) };
            let half = exchange.half();
            let learned = now + dump + half;
            if self.rows[who as usize].step() == Step::Valid {
                self.front_ends[place].members.remove(who);
                self.lose(now, who, group, why, learned);
            } else {
                self.front_ends[place].members.remove(who);
                self.reset_handshake(now, who, group, learned);
            }
        }
    }

    fn reset_handshake(&mut self, now: Time, who: u32, group: usize, learned: Time) {
        let under_way = self.syn_under_way(now, who, group);
        let row = &mut self.rows[who as usize];
        if let Some(arrives) = under_way {
            // Its SYN will meet whatever is there when it arrives.
            row.set_step(Step::SynSent);
            row.next = arrives;
            self.waits_for_syn_ack(who, group);
            return self.world.wake(arrives, who, Wake::Message);
        }
        row.generation = row.generation.wrapping_add(1);
        row.set_step(Step::RefusalSent);
        let learned = self.trip(who, group).news_of_the_end(learned);
        let row = &mut self.rows[who as usize];
        row.next = learned;
        self.world.wake(learned, who, Wake::Message);
    }

    /// What the service manager does (rule 8); with a dump, once the process is gone.
    fn recover(&mut self, now: Time, place: usize, failures: u32, action: Action, dump: Span) {
        if let Some(crash) = self.world.crashes.last_mut() {
            crash.restart = match action {
                Action::None => None,
                Action::Restart(delay) => Some(dump + delay),
                Action::Reboot { delay, away } => Some(dump + delay + away),
            };
        }
        let front_end = &mut self.front_ends[place];
        front_end.after_dump = (action, failures);
        if dump > Span::ZERO {
            return front_end.change_at(now + dump, &mut self.world);
        }
        self.leave_to_the_service_manager(now, place);
    }

    fn dump_ends(&mut self, now: Time, place: usize) {
        self.decide_front_end(now, place, What::DumpEnd, 0);
        self.world.record(now, Some(place as u16), None, RecordKind::DumpEnd);
        self.front_ends[place].listener.crash(false);
        self.lose_all(now, place, Span::ZERO, Why::Crash);
        self.leave_to_the_service_manager(now, place);
    }

    fn leave_to_the_service_manager(&mut self, now: Time, place: usize) {
        if self.control.holds(place).is_some() {
            // It was stopped while its dump was written: the service manager has nothing to restart.
            return self.process_may_start(now, place);
        }
        let (action, failures) = self.front_ends[place].after_dump;
        let (delay, reboots) = match action {
            Action::None => (None, None),
            Action::Restart(delay) => (Some(delay), None),
            Action::Reboot { delay, away } => (Some(delay), Some(away)),
        };
        let kind = match delay {
            Some(delay) => RecordKind::WillRestart { failures, delay, reboot: reboots.is_some() },
            None => {
                self.decide_front_end(now, place, What::StaysDown, failures);
                RecordKind::StaysDown { failures }
            }
        };
        self.world.record(now, Some(place as u16), None, kind);
        let at = delay.map_or(Time::NEVER, |delay| now + delay);
        let front_end = &mut self.front_ends[place];
        front_end.life = Life::Down;
        front_end.reboots = reboots;
        front_end.change_at(at, &mut self.world);
    }

    /// The host reboots: silence, until it is back and the process starts.
    fn host_goes(&mut self, now: Time, place: usize) {
        let front_end = &mut self.front_ends[place];
        let away = front_end.reboots.take().unwrap_or(Span::ZERO);
        front_end.life = Life::HostDown;
        front_end.change_at(now + away, &mut self.world);
    }

    /// Process id, fault offset and report id: the scenario's for the first crash of the run, drawn after it.
    fn event_fields(&self, place: usize, incarnation: u32) -> (Option<u32>, Option<u64>, Option<String>) {
        let process = &self.plan.process;
        let front_end = &self.front_ends[place];
        let bits = |purpose, index| front_end.bits(purpose, index, &self.world);
        let first = self.world.crashes.iter().all(|crash| crash.fault.is_none());
        let process_id = if incarnation == 1 && place == 0 {
            process.process_id
        } else {
            // Windows gives multiples of four.
            process.process_id.map(|_| (bits(Purpose::ProcessId, 0) as u32 % 0x4000 + 0x100) * 4)
        };
        // The same instruction faults again: a module's base moves, the offset in it does not.
        let fault_offset = process.fault_offset;
        let report_id = if first {
            process.report_id.clone()
        } else {
            process.report_id.as_ref().map(|_| report_id(bits(Purpose::ReportId, 0), bits(Purpose::ReportId, 1)))
        };
        (process_id, fault_offset, report_id)
    }

    /// A peer that a crash had cut off is valid again.
    pub(super) fn back_after_crash(&mut self, now: Time, who: u32, group: usize, learned: Time) {
        let Some(nth) = self.was_taken_by(who).or_else(|| self.crash_before(who, group, learned)) else { return };
        let crash = &mut self.world.crashes[nth];
        crash.back += 1;
        for (share, at) in [50, 99, 100].into_iter().zip(&mut crash.reconnected) {
            if at.is_none() && crash.back * 100 >= crash.lost * share {
                *at = Some(now.since(crash.at));
            }
        }
    }

    /// Which crash it was that a peer learned of at `learned`, which has gone along its list in turn since.
    fn crash_before(&mut self, who: u32, group: usize, learned: Time) -> Option<usize> {
        let (row, of) = (&self.rows[who as usize], &self.groups[group]);
        // One step for the loss, and one for each try that has failed since.
        let lost_from = of.front_end_before(row.place(), u32::from(row.attempt) + 1);
        let trip = self.trip(who, group);
        let told = |c: &CrashReport| {
            let reset = c.at + c.dump;
            trip.news_from(c.front_end, reset + trip.exchange_of(reset).half())
        };
        let by = |c: &CrashReport| lost_from == c.front_end && c.back < c.lost && told(c) == learned;
        self.world.crashes.iter().rposition(by)
    }
}

/// A GUID in its usual form, version 4, from two draws.
fn report_id(high: u64, low: u64) -> String {
    let (high, low) = (high & !0xF000 | 0x4000, low & !(0b11 << 62) | 1 << 63);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFFF,
        low >> 48,
        low & 0xFFFF_FFFF_FFFF
    )
}
