//! The life of a front end: it starts, serves, fails, comes back (model rules 1, 6, 7, 8).

use crate::frontend::{Life, Obligation, Port, Step, Wake};
use crate::measure::{CrashReport, Decision, RecordKind, What};
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
            Life::Starting => self.service_starts(now, place),
            Life::Down | Life::HostDown => self.process_starts(now, place),
            Life::Dumping => self.dump_ends(now, place),
            Life::Up => {}
        }
    }

    fn decide_front_end(&mut self, at: Time, place: usize, what: What, extra: u32) {
        self.world.decide(Decision { at, who: place as u32, what, detail: 0, extra: extra as u16 }, None);
    }

    fn process_starts(&mut self, now: Time, place: usize) {
        self.front_ends[place].start_process(now, &mut self.world);
        let incarnation = self.front_ends[place].incarnation;
        self.world.renew_validator(place as u16, incarnation);
        self.decide_front_end(now, place, What::ProcessStart, incarnation);
        self.world.record(now, Some(place as u16), None, RecordKind::ProcessStart { incarnation });
    }

    fn service_starts(&mut self, now: Time, place: usize) {
        let next_tick = self.refresh.as_ref().map_or(Time::NEVER, |policy| policy.next_tick(now, now));
        let front_end = &mut self.front_ends[place];
        front_end.start_service(now, next_tick, &mut self.world);
        if self.lines.is_some() {
            self.line_is_new(place);
        }
        let incarnation = self.front_ends[place].incarnation;
        self.decide_front_end(now, place, What::ServiceStart, incarnation);
        self.world.record(now, Some(place as u16), None, RecordKind::ServiceStart { incarnation });
        if incarnation == 1 && self.plan.start == Start::Established {
            self.establish(now, place);
        }
        self.peers_may_come(now, place);
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
            self.front_ends[place].members.add(who);
            self.visit(now, who, group).become_valid();
            self.one_less(now);
        }
    }

    /// A verdict brought the process down while it was asked about `asked_about` (rules 6 and 21).
    #[cold]
    pub(super) fn crash(&mut self, now: Time, place: usize, asked_about: u32, code: FaultCode, phase: Phase) {
        self.trigger_begins(now);
        for who in self.front_ends[place].questions_overtaken() {
            self.decide_at(now, who, place, What::NoEffect, 0);
        }
        let account = &self.front_ends[place].account;
        let jobs = account.waiting_jobs() + u64::from(self.front_ends[place].busy());
        let beside = self.put_all_back(now, place);
        self.spill_runs(now, place);
        let connections = beside + self.connections(now, place);
        let front_end = &self.front_ends[place];
        let (incarnation, process_start, service_start) =
            (front_end.incarnation, front_end.process_start, front_end.service_start);
        let wreck = self.front_ends[place].crash(now, &self.plan.recovery);
        self.world.end_validator(place as u16);
        self.decide_front_end(now, place, What::Crash, wreck.failure);
        let fields = self.event_fields(place, incarnation);
        let kind = RecordKind::Fault {
            code,
            incarnation,
            phase,
            connections,
            jobs,
            process_id: fields.0,
            fault_offset: fields.1,
            report_id: fields.2,
            started: process_start,
        };
        self.world.record(now, Some(place as u16), Some(asked_about), kind);
        self.world.crashes.push(CrashReport {
            at: now,
            front_end: place as u16,
            incarnation,
            process_start,
            service_start,
            peer: asked_about,
            phase,
            code,
            lost: wreck.valid,
            back: 0,
            reconnected: [None; 3],
            restart: None,
        });
        self.lose_all(now, place, wreck.dump);
        self.recover(now, place, wreck.failure, wreck.action, wreck.dump);
        self.crash_has_taken(now, place);
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
    fn lose_all(&mut self, now: Time, place: usize, dump: Span) {
        let mut from = 0;
        while let Some(who) = self.front_ends[place].members.next(from) {
            from = who + 1;
            let group = self.group_of(who);
            let learned = now + dump + self.rtt(who, group).half();
            if self.rows[who as usize].step() == Step::Valid {
                self.front_ends[place].members.remove(who);
                self.lose(now, who, group, Why::Crash, learned);
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
            return self.world.wake(arrives, who, Wake::Message);
        }
        row.generation = row.generation.wrapping_add(1);
        row.set_step(Step::RefusalSent);
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
        self.front_ends[place].forget_half_open();
        self.lose_all(now, place, Span::ZERO);
        self.leave_to_the_service_manager(now, place);
    }

    fn leave_to_the_service_manager(&mut self, now: Time, place: usize) {
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
        let first = self.world.crashes.is_empty();
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
        let half = self.rtt(who, group).half();
        let dump = self.plan.recovery.dump;
        let lost_at = learned - half - dump;
        // It went one step along its list for the loss, and one for each try that has failed since.
        let row = &self.rows[who as usize];
        let lost_from = self.groups[group].front_end_before(row.place(), u32::from(row.attempt) + 1);
        let is_it = |crash: &&mut CrashReport| crash.at == lost_at && crash.front_end == lost_from;
        let Some(crash) = self.world.crashes.iter_mut().rev().find(is_it) else {
            return;
        };
        crash.back += 1;
        for (share, at) in [50, 99, 100].into_iter().zip(&mut crash.reconnected) {
            if at.is_none() && crash.back * 100 >= crash.lost * share {
                *at = Some(now.since(crash.at));
            }
        }
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
