//! Requests in windows around refreshes (model rule 29).
//!
//! Knows when a window is open and what became of the requests that fell due in it. Does not know front ends or ticks: the
//! driver says when a tick has taken connections, and when what it left is worked off.

use super::RequestCounts;
use super::meters::Histo;
use super::tally::Tally;
use crate::time::{Span, Time};

/// What requests ask for at one front end outside refreshes: so much CPU, in ns, in each second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// Position of the front end.
    pub front_end: u16,
    /// How many requests a second, times 10^9.
    pub billionths: u128,
    /// Their CPU.
    pub cpu: u128,
    /// What its cores can do.
    pub can: u128,
}

/// Relaxation times that a lead-in lasts: what is left of a beginning then is e^-10 of it, less than one in 20,000.
const LEAD_IN: f64 = 10.0;

impl Asked {
    /// Whether requests alone are as much as the cores can do.
    pub fn is_too_much(&self) -> bool {
        self.cpu >= self.can
    }

    /// How long a queue with this load takes to forget how it began: ten times the relaxation time s / (1 − √ρ)² (for
    /// M/M/1: Cohen, *The Single Server Queue*, 2nd edition, section II.2.1), with s the mean CPU of a request over the
    /// number of cores and ρ the utilisation; rounded up to whole ns. `None`: it never does.
    pub fn lead_in(&self) -> Option<Span> {
        if self.is_too_much() {
            return None;
        }
        if self.billionths == 0 || self.cpu == 0 {
            return Some(Span::ZERO);
        }
        // CPU of a request over cores: (cpu / rate) / (can / s), in ns.
        let service = self.cpu as f64 / self.billionths as f64 * 1e9 / (self.can as f64 / 1e9);
        let idle = 1.0 - libm::sqrt(self.cpu as f64 / self.can as f64);
        let length = libm::ceil(LEAD_IN * service / (idle * idle));
        (length.is_finite() && length < u64::MAX as f64).then_some(Span(length as u64))
    }
}

/// How a window ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WindowEnd {
    /// The backlog is back where it was.
    Back,
    /// It had reached its limit.
    Limit,
    /// The run ended first.
    RunEnd,
}

/// One window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Around {
    /// When a tick took connections.
    pub begun: Time,
    /// Requests that were open then.
    pub level: u64,
    /// Whether a lead-in went before it, undisturbed; requests of another one are not measured.
    pub measured: bool,
    /// When and how it ended; `None`: it is open.
    pub ended: Option<(Time, WindowEnd)>,
}

/// All windows of a run.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Of the front end that is busiest with requests.
    pub asked: Asked,
    /// How long before a window nothing may disturb the run; `None`: no length would do.
    pub lead_in: Option<Span>,
    /// The longest that one may be.
    pub limit: Span,
    /// In order of time, the first [`WINDOWS_MAX`].
    pub each: Vec<Around>,
    /// How many there were beyond those.
    pub more: u64,
    /// The first measured one that did not end by itself.
    pub cut: Option<Around>,
    /// What became of the requests that fell due in measured ones, by cell; `None`: nobody in it sends any.
    pub counts: Vec<Option<RequestCounts>>,
    tallies: Vec<Tally>,
    open: Option<Around>,
    /// When the last disturbance was worked off.
    quiet_since: Time,
}

/// Windows that are kept one by one.
pub const WINDOWS_MAX: usize = 10_000;

impl Windows {
    /// Without a window yet; `asked` by front end, and `sends` says of each cell whether anybody in it sends requests.
    pub fn new(asked: &[Asked], limit: Span, sends: &[bool]) -> Windows {
        let load = |asked: &Asked| if asked.can == 0 { 0.0 } else { asked.cpu as f64 / asked.can as f64 };
        let busiest = asked.iter().copied().max_by(|a, b| load(a).total_cmp(&load(b))).unwrap_or_default();
        let lead_in = asked.iter().map(Asked::lead_in).try_fold(Span::ZERO, |most, next| Some(most.max(next?)));
        Windows {
            asked: busiest,
            lead_in,
            limit,
            each: Vec::new(),
            more: 0,
            cut: None,
            counts: sends.iter().map(|sends| sends.then(RequestCounts::default)).collect(),
            tallies: vec![Tally::default(); sends.len()],
            open: None,
            quiet_since: Time::ZERO,
        }
    }

    /// A tick has taken connections while `level` requests are open; `quiet` says whether nothing had disturbed the run
    /// before, since `serves` (when the last front end began to serve). A window that is open goes on.
    pub fn begin(&mut self, now: Time, level: u64, quiet: bool, serves: Time) {
        self.end_by_limit(now);
        if self.open.is_some() {
            return;
        }
        let from = self.quiet_since.max(serves);
        let measured = quiet && self.lead_in.is_some_and(|lead_in| from + lead_in <= now);
        self.open = Some(Around { begun: now, level, measured, ended: None });
    }

    /// What disturbed the run is worked off.
    pub fn is_quiet(&mut self, now: Time) {
        self.quiet_since = now;
    }

    /// Whether a window would end with `level` requests open.
    #[inline]
    pub fn may_end(&self, level: u64) -> bool {
        self.open.is_some_and(|open| level <= open.level)
    }

    /// The backlog is back where it was.
    pub fn end(&mut self, now: Time) {
        self.end_by_limit(now);
        self.close(now, WindowEnd::Back);
        self.quiet_since = now;
    }

    fn end_by_limit(&mut self, now: Time) {
        if let Some(at) = self.open.map(|open| open.begun + self.limit).filter(|at| *at < now) {
            self.close(at, WindowEnd::Limit);
        }
    }

    fn close(&mut self, at: Time, how: WindowEnd) {
        let Some(open) = self.open.take() else { return };
        let ended = Around { ended: Some((at, how)), ..open };
        if open.measured && how != WindowEnd::Back {
            self.cut.get_or_insert(ended);
        }
        if self.each.len() < WINDOWS_MAX { self.each.push(ended) } else { self.more += 1 }
    }

    /// A request falls due: whether it is measured.
    pub fn due(&mut self, now: Time, cell: u16) -> bool {
        self.end_by_limit(now);
        let measured = self.open.is_some_and(|open| open.measured);
        if measured {
            self.count(cell, |counts| counts.due += 1);
        }
        measured
    }

    /// Counts what became of a request that is measured.
    pub fn count(&mut self, cell: u16, count: impl FnOnce(&mut RequestCounts)) {
        if let Some(counts) = self.counts.get_mut(usize::from(cell)).and_then(Option::as_mut) {
            count(counts);
        }
    }

    /// How long one took that was answered since measuring began.
    pub fn answered(&mut self, cell: u16, took: Span) {
        self.tallies[usize::from(cell)].record(took);
    }

    /// The samples of a cell, if there are any.
    pub fn histogram(&self, cell: u16) -> Option<Histo> {
        self.tallies[usize::from(cell)].histogram()
    }

    /// The run ends.
    pub fn run_ends(&mut self, end: Time) {
        self.end_by_limit(end);
        self.close(end, WindowEnd::RunEnd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Time {
        Time(Span::SECOND.times(seconds).0)
    }

    /// So many requests of 10 ms a second on one core.
    fn asked(rate: u128) -> Asked {
        let second = u128::from(Span::SECOND.0);
        Asked { front_end: 0, billionths: rate * second, cpu: rate * 10_000_000, can: second }
    }

    #[test]
    fn rule_29_the_lead_in_is_ten_relaxation_times_and_there_is_none_at_full_load() {
        // 10 ms / (1 − √0.5)² = 116.57 ms.
        assert_eq!(asked(50).lead_in(), Some(Span(1_165_685_425)));
        // 10 ms / (1 − √0.81)² = 1 s.
        let lead_in = asked(81).lead_in().expect("it is below 1");
        assert!(lead_in.0.abs_diff(Span::SECOND.times(10).0) < 10, "{lead_in:?}");
        assert_eq!((asked(100).lead_in(), asked(0).lead_in()), (None, Some(Span::ZERO)));
        let four = Asked { can: 4 * asked(1).can, ..asked(200) };
        assert_eq!(
            four.lead_in(),
            Some(Span(291_421_357)),
            "four cores at the same utilisation forget four times as fast"
        );
    }

    #[test]
    fn rule_29_a_window_measures_what_falls_due_until_the_backlog_is_back_and_only_after_a_lead_in() {
        let mut windows = Windows::new(&[asked(50)], Span::MINUTE, &[true]);
        assert!(!windows.due(at(5), 0));
        windows.begin(at(10), 3, true, at(9));
        assert!(!windows.due(at(10), 0), "it has served for 1 s of 1.17 s");
        windows.end(at(11));
        windows.begin(at(20), 3, true, at(9));
        assert!(windows.due(at(21), 0) && !windows.may_end(4) && windows.may_end(3));
        windows.answered(0, Span(7));
        windows.end(at(22));
        assert!(!windows.due(at(22), 0));
        windows.begin(at(40), 3, false, at(9));
        assert!(!windows.due(at(41), 0), "something else goes on");
        windows.end(at(42));
        assert_eq!((windows.counts[0].map(|counts| counts.due), windows.cut), (Some(1), None));
        assert_eq!(windows.histogram(0).map(|h| h.len()), Some(1));
        let told: Vec<_> = windows.each.iter().map(|of| (of.begun, of.measured)).collect();
        assert_eq!(told, [(at(10), false), (at(20), true), (at(40), false)]);
    }

    #[test]
    fn rule_29_a_window_ends_at_its_limit_or_with_the_run_and_says_so() {
        let mut windows = Windows::new(&[asked(50)], Span::MINUTE, &[true]);
        windows.begin(at(100), 0, true, at(9));
        assert!(windows.due(at(160), 0) && !windows.due(at(161), 0));
        assert_eq!(windows.each[0].ended, Some((at(160), WindowEnd::Limit)));
        windows.begin(at(200), 0, true, at(9));
        windows.run_ends(at(210));
        assert_eq!(windows.each[1].ended, Some((at(210), WindowEnd::RunEnd)));
        assert_eq!(windows.cut.map(|of| of.begun), Some(at(100)));
        let mut busy = Windows::new(&[asked(50), asked(100)], Span::MINUTE, &[true]);
        busy.begin(at(100), 0, true, at(9));
        assert!(!busy.due(at(101), 0) && busy.lead_in.is_none() && busy.asked.is_too_much());
    }
}
