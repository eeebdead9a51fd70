//! How requests fare before, during and after what disturbs a run (model rule 33).
//!
//! Knows seconds of run time, and how many of the requests due in each were answered in time. A second is looked at when
//! all of its requests have ended; so this runs behind the clock, by the longest time-out. Does not know peers or front
//! ends.

use std::collections::VecDeque;

use crate::time::{Span, Time};

/// A part of a number of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// Those answered in time.
    pub in_time: u64,
    /// All of them, but for those whose peer left.
    pub due: u64,
}

impl Part {
    fn add(&mut self, more: Part) {
        self.in_time += more.in_time;
        self.due += more.due;
    }

    /// Whether it is below 95 % of what it was `before`.
    fn is_dip(self, before: Part) -> bool {
        let wide = u128::from;
        20 * wide(self.in_time) * wide(before.due) < 19 * wide(before.in_time) * wide(self.due)
    }
}

/// Requests around a trigger, or around several of which the next began before requests had recovered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disturbed {
    /// When the trigger began.
    pub begun: Time,
    /// When it ended; `None`: it goes on.
    pub ended: Option<Time>,
    /// How long the longest of them took.
    pub longest: Span,
    /// Peers that were there when it began.
    pub present: u64,
    /// Those due before it, since the last recovery.
    pub before: Part,
    /// Those due in a second that it touches.
    pub during: Part,
    /// Those due after it, until they have recovered.
    pub after: Part,
    /// The last second after it in which they had not.
    pub last_dip: Option<u64>,
    /// The first second since when they have.
    good_since: Option<u64>,
    /// From its end to the first second from which on they fare as before; `None`: not yet.
    pub recovery: Option<Span>,
}

/// Requests of one second.
#[derive(Clone, Copy, Debug)]
struct Second {
    nth: u64,
    open: u64,
    part: Part,
}

/// Requests of a run, second by second.
#[derive(Clone, Debug)]
pub struct Goodput {
    /// For how many seconds they must fare as before to have recovered.
    hold: u64,
    /// Seconds with requests, from the first of which one is open.
    seconds: VecDeque<Second>,
    /// From when on they can be answered.
    serves_from: Option<Time>,
    steady: Part,
    open: Option<Disturbed>,
    /// The one with the longest recovery of those that have recovered.
    pub longest: Option<Disturbed>,
}

/// Time-outs that requests must fare well for.
const HOLD: u64 = 10;

impl Goodput {
    /// For requests whose longest time-out is `timeout`.
    pub fn new(timeout: Span) -> Goodput {
        let hold = timeout.times(HOLD).0.div_ceil(Span::SECOND.0);
        Goodput {
            hold,
            seconds: VecDeque::new(),
            serves_from: None,
            steady: Part::default(),
            open: None,
            longest: None,
        }
    }

    /// For how long they must fare as before to have recovered.
    pub fn hold(&self) -> Span {
        Span::SECOND.times(self.hold)
    }

    /// The one from which they have not recovered.
    pub fn open(&self) -> Option<&Disturbed> {
        self.open.as_ref()
    }

    /// A front end serves.
    pub fn serves(&mut self, now: Time) {
        self.serves_from.get_or_insert(now);
    }

    /// A request falls due.
    pub fn due(&mut self, now: Time) {
        let nth = second(now);
        match self.seconds.back_mut().filter(|last| last.nth == nth) {
            Some(last) => {
                last.open += 1;
                last.part.due += 1;
            }
            None => self.seconds.push_back(Second { nth, open: 1, part: Part { in_time: 0, due: 1 } }),
        }
    }

    /// A request that was due at `due` ends: in time, or not, or `None` if its peer leaves.
    pub fn ends(&mut self, now: Time, due: Time, in_time: Option<bool>) {
        let nth = second(due);
        let at = self.seconds.partition_point(|of| of.nth < nth);
        if let Some(of) = self.seconds.get_mut(at).filter(|of| of.nth == nth) {
            of.open -= 1;
            match in_time {
                None => of.part.due -= 1,
                Some(in_time) => of.part.in_time += u64::from(in_time),
            }
        }
        while let Some(first) = self.seconds.front().filter(|of| of.open == 0 && of.nth < second(now)).copied() {
            self.seconds.pop_front();
            self.look(first.nth, first.part);
        }
    }

    /// A trigger begins, with `present` peers there.
    pub fn trigger_begins(&mut self, now: Time, present: u64) {
        if let Some(open) = &mut self.open {
            open.ended = None;
            return;
        }
        self.open = Some(Disturbed {
            begun: now,
            ended: None,
            longest: Span::ZERO,
            present,
            before: self.steady,
            during: Part::default(),
            after: Part::default(),
            last_dip: None,
            good_since: None,
            recovery: None,
        });
    }

    /// A trigger ends that began at `begun`.
    pub fn trigger_ends(&mut self, now: Time, begun: Time) {
        if let Some(open) = &mut self.open {
            (open.ended, open.last_dip, open.good_since) = (Some(now), None, None);
            open.longest = open.longest.max(now.since(begun));
        }
    }

    /// All requests of a second have ended.
    fn look(&mut self, nth: u64, part: Part) {
        let (from, to) = (Time(nth * Span::SECOND.0), Time((nth + 1) * Span::SECOND.0));
        let Some(open) = &mut self.open else {
            if self.serves_from.is_some_and(|at| at <= from) {
                self.steady.add(part);
            }
            return;
        };
        if to <= open.begun {
            if self.serves_from.is_some_and(|at| at <= from) {
                open.before.add(part);
            }
            return;
        }
        let Some(ended) = open.ended.filter(|ended| *ended <= from) else { return open.during.add(part) };
        open.after.add(part);
        if part.is_dip(open.before) {
            (open.last_dip, open.good_since) = (Some(nth), None);
        } else if part.due > 0 {
            open.good_since.get_or_insert(nth);
        }
        self.may_have_recovered(ended, nth + 1);
    }

    /// Whether requests have fared well for long enough, up to second `until`.
    fn may_have_recovered(&mut self, ended: Time, until: u64) {
        let Some(mut of) = self.open.filter(|of| of.good_since.is_some_and(|since| until - since >= self.hold)) else {
            return;
        };
        let after = of.last_dip.map_or(ended, |dip| Time((dip + 1) * Span::SECOND.0));
        of.recovery = Some(after.since(ended));
        if self.longest.is_none_or(|longest| longest.recovery < of.recovery) {
            self.longest = Some(of);
        }
        (self.open, self.steady) = (None, Part::default());
    }

    /// The run ends at `end`: what is open says nothing.
    pub fn close(&mut self, end: Time) {
        for Second { nth, open, part } in std::mem::take(&mut self.seconds) {
            self.look(nth, Part { due: part.due - open, ..part });
        }
        if let Some(ended) = self.open.and_then(|of| of.ended) {
            self.may_have_recovered(ended, second(end));
        }
    }
}

/// The second of run time that an instant is in.
fn second(at: Time) -> u64 {
    at.0 / Span::SECOND.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Time {
        Time(Span::SECOND.times(seconds).0)
    }

    /// Ten requests in each second, of which `good` are answered at once and the rest fails a second later.
    fn seconds(goodput: &mut Goodput, from: u64, to: u64, good: u64) {
        for nth in from..to {
            (0..10).for_each(|_| goodput.due(at(nth)));
            (0..10).for_each(|n| goodput.ends(at(nth + 1), at(nth), Some(n < good)));
        }
    }

    #[test]
    fn rule_33_requests_have_recovered_when_they_fare_as_before_for_ten_time_outs() {
        let mut goodput = Goodput::new(Span::SECOND);
        goodput.serves(at(5));
        seconds(&mut goodput, 0, 5, 0);
        seconds(&mut goodput, 5, 100, 10);
        goodput.trigger_begins(at(100), 7);
        seconds(&mut goodput, 100, 110, 2);
        goodput.trigger_ends(at(110), at(100));
        seconds(&mut goodput, 110, 130, 5);
        seconds(&mut goodput, 130, 139, 10);
        assert!(goodput.open().is_some_and(|open| open.recovery.is_none()), "nine seconds are not ten time-outs");
        seconds(&mut goodput, 139, 140, 10);
        let part = |in_time, due| Part { in_time, due };
        let of = goodput.longest.expect("they have recovered");
        assert!(goodput.open().is_none());
        assert_eq!((of.before, of.during, of.after), (part(950, 950), part(20, 100), part(200, 300)));
        assert_eq!((of.recovery, of.longest, of.present), (Some(Span::SECOND.times(20)), Span::SECOND.times(10), 7));
    }

    #[test]
    fn rule_33_a_dip_takes_the_recovery_back_and_a_second_without_requests_says_nothing() {
        let mut goodput = Goodput::new(Span::SECOND);
        goodput.serves(at(0));
        seconds(&mut goodput, 0, 10, 10);
        goodput.trigger_begins(at(10), 1);
        goodput.trigger_ends(at(10), at(10));
        seconds(&mut goodput, 10, 19, 10);
        seconds(&mut goodput, 19, 20, 9);
        seconds(&mut goodput, 40, 45, 10);
        assert_eq!(goodput.open().and_then(|open| open.last_dip), Some(19));
        goodput.close(at(49));
        assert!(goodput.open().is_some(), "they fare well since the 40th second");
        seconds(&mut goodput, 49, 51, 10);
        goodput.close(at(51));
        assert_eq!(goodput.longest.and_then(|of| of.recovery), Some(Span::SECOND.times(10)));
    }

    #[test]
    fn rule_33_what_is_open_or_departed_does_not_count_and_95_percent_is_no_dip() {
        let mut goodput = Goodput::new(Span::SECOND.times(2));
        goodput.serves(at(0));
        (0..3).for_each(|_| goodput.due(at(0)));
        goodput.ends(at(1), at(0), None);
        goodput.ends(at(1), at(0), Some(true));
        goodput.trigger_begins(at(5), 1);
        goodput.close(at(5));
        assert_eq!(goodput.open().map(|open| open.before), Some(Part { in_time: 1, due: 1 }));
        let part = |in_time, due| Part { in_time, due };
        assert!(!part(95, 100).is_dip(part(10, 10)) && part(94, 100).is_dip(part(10, 10)));
        assert!(!part(0, 100).is_dip(part(0, 0)), "there is nothing to compare with");
    }
}
