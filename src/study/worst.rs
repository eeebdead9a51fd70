//! Who is to blame: the five peers that did worst by what an expectation looks at.
//!
//! Read from the decisions of a second run of the same plan, made only when an expectation has failed: nothing of this
//! is kept, or paid for, where all is well. What a metric measures at the front end without a peer in it (a queue, a
//! worker) is told by the peers whose refresh took longest.

use std::ops::ControlFlow;

use crate::measure::{Cause, Decision, Figure, Metric, Signal, Tags, What};
use crate::report::words;
use crate::scenario::plan::Plan;
use crate::scenario::{Expectation, InPhase, Subject};
use crate::sim::{Names, Watch};
use crate::time::{Span, Time};

/// Peers that are named.
const NAMED: usize = 5;

/// Peers, the worst first, and by what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Worst {
    /// What they are ranked by.
    pub by: &'static str,
    /// Each peer's name, and how it did in words.
    pub peers: Vec<(String, String)>,
}

/// What peers are ranked by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    /// From due to valid again.
    Refresh,
    /// From due to a worker's question.
    Lateness,
    /// From a SYN of the peer's own accord to established.
    Connect(Option<Cause>),
    /// From a loss, or joining, to established.
    Outage(Option<Cause>),
    /// From due to answered.
    Request,
    /// How often this was decided of the peer; the detail matters where one is given.
    Times(What, Option<u8>),
    /// How often its questions were answered by a fault (1) or a rejection (16 and above).
    Answers(u8),
}

impl By {
    /// `None`: the figure is of no single peer.
    fn of(subject: Subject, phase: Option<InPhase>, tags: &Tags) -> Option<By> {
        let cause = match phase {
            Some(InPhase::Cause(cause)) => Some(cause),
            Some(InPhase::Cycle(_) | InPhase::Windows) => return None,
            None => tags.cause,
        };
        Some(match subject {
            Subject::Latency(metric) => match metric {
                Metric::Lateness => By::Lateness,
                Metric::Attempt | Metric::Connect => By::Connect(cause),
                Metric::Outage => By::Outage(cause),
                Metric::Request => By::Request,
                Metric::Refresh
                | Metric::Sweep
                | Metric::Queue
                | Metric::Service
                | Metric::Validation
                | Metric::Lookup => By::Refresh,
            },
            Subject::Figure(figure) => By::of_figure(figure)?,
            Subject::Signal(Signal::Disconnected | Signal::Valid) => By::Outage(None),
            Subject::Signal(Signal::Queued | Signal::Busy) => By::Refresh,
            Subject::Signal(Signal::Serving) => By::Answers(1),
        })
    }

    fn of_figure(figure: Figure) -> Option<By> {
        Some(match figure {
            Figure::Crashes | Figure::FirstCrash | Figure::CrashAge => By::Answers(1),
            Figure::Rejections => By::Answers(16),
            Figure::Rejected => By::Times(What::Closed, Some(3)),
            Figure::Recovered => By::Times(What::Closed, Some(4)),
            Figure::Losses => By::Times(What::Lost, None),
            Figure::Attempts => By::Times(What::Attempt, None),
            Figure::TimeOuts => By::Times(What::GaveUp, None),
            Figure::Unanswered => By::Times(What::Silence, None),
            Figure::NoPort => By::Times(What::NoPort, None),
            Figure::Stopped => By::Times(What::Stops, None),
            Figure::Withheld => By::Times(What::Withheld, None),
            Figure::Held => By::Times(What::Held, None),
            Figure::Skipped => By::Times(What::Skipped, None),
            Figure::Limited => By::Times(What::Limit, None),
            Figure::Goodput | Figure::RequestsFailed => By::Times(What::RequestFailed, None),
            Figure::RequestsTimedOut => By::Times(What::RequestFailed, Some(0)),
            Figure::RequestsLost => By::Times(What::RequestFailed, Some(1)),
            Figure::Unfinished | Figure::Dropped => By::Refresh,
            Figure::Availability
            | Figure::PeerTimeLost
            | Figure::DisconnectedMax
            | Figure::Reconnected50
            | Figure::Reconnected99
            | Figure::Reconnected100
            | Figure::Recovery
            | Figure::DrainActual => By::Outage(None),
            _ => return None,
        })
    }

    fn words(self) -> &'static str {
        match self {
            By::Refresh => "from due to valid",
            By::Lateness => "from due to a worker's question",
            By::Connect(_) => "from the first SYN to established",
            By::Outage(_) => "time without a connection",
            By::Request => "from due to answered",
            By::Answers(1) => "the verdict on them ended the front end",
            By::Answers(_) => "rejections",
            By::Times(what, _) => match what {
                What::Closed => "refreshes",
                What::Lost => "losses",
                What::Attempt => "attempts",
                What::GaveUp => "attempts given up",
                What::Silence => "SYNs without an answer",
                What::Withheld => "retries withheld",
                What::RequestFailed => "failed requests",
                _ => "times",
            },
        }
    }
}

/// Finds the worst peers of one expectation among the decisions of a run.
#[derive(Debug)]
pub(super) struct Finder<'a> {
    plan: &'a Plan,
    by: By,
    /// Rows of peers that the expectation is about.
    rows: Vec<std::ops::Range<u32>>,
    /// Since when each peer's clock runs; [`Time::NEVER`]: it does not.
    since: Vec<Time>,
    /// How often, for each peer.
    times: Vec<u32>,
    /// The last tick of each front end.
    ticks: Vec<Time>,
    /// The longest, no peer twice.
    top: Vec<(Span, u32, End)>,
}

/// How a length of time ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum End {
    Reached,
    Failed,
    StillOpen,
}

impl<'a> Finder<'a> {
    /// `None`: what the expectation looks at is of no single peer.
    pub(super) fn new(plan: &'a Plan, expectation: &Expectation) -> Option<Finder<'a>> {
        let by = By::of(expectation.subject, expectation.phase, &expectation.tags)?;
        let tags = &expectation.tags;
        let (mut first, mut rows) = (0, Vec::new());
        for group in &plan.groups {
            let peers = first..first + group.peers();
            first = peers.end;
            let is_meant = tags.group.as_ref().is_none_or(|name| *name == group.name)
                && tags.transport.is_none_or(|transport| transport == group.transport);
            if is_meant {
                rows.push(peers);
            }
        }
        let peers = first as usize;
        let counts = matches!(by, By::Times(..) | By::Answers(_));
        Some(Finder {
            plan,
            by,
            rows,
            since: if counts { Vec::new() } else { vec![Time::NEVER; peers] },
            times: if counts { vec![0; peers] } else { Vec::new() },
            ticks: vec![Time::NEVER; plan.front_ends.len()],
            top: Vec::new(),
        })
    }

    fn is_meant(&self, who: u32) -> bool {
        self.rows.iter().any(|rows| rows.contains(&who))
    }

    fn take(&mut self, decision: &Decision) {
        let Decision { at, who, what, detail, .. } = *decision;
        if what.is_of_front_end() {
            if let (What::Tick, Some(tick)) = (what, self.ticks.get_mut(who as usize)) {
                *tick = at;
            }
            return;
        }
        if !self.is_meant(who) {
            return;
        }
        match self.by {
            By::Times(wanted, with) => {
                if what == wanted && with.is_none_or(|with| with == detail) {
                    self.count(who);
                }
            }
            By::Answers(least) => {
                let is_it = if least == 1 { detail == 1 } else { detail >= least };
                if what == What::Asked && is_it {
                    self.count(who);
                }
            }
            By::Refresh => self.refresh(decision),
            By::Lateness => match what {
                What::Due => self.start(who, self.due(decision)),
                What::Asked if decision.extra >> 15 == 1 => {
                    let since = self.stop(who).unwrap_or_else(|| self.tick(decision.extra & 0x7fff));
                    self.note(who, at, since, End::Reached);
                }
                _ => {}
            },
            By::Connect(cause) => match what {
                What::Attempt => self.start(who, at),
                What::Valid => self.ends(who, at, cause.is_none_or(|cause| cause as u8 == detail % 16)),
                What::Leave => {
                    let _ = self.stop(who);
                }
                _ => {}
            },
            By::Outage(cause) => match what {
                What::Lost | What::Join => self.start(who, at),
                What::Valid => self.ends(who, at, cause.is_none_or(|cause| cause as u8 == detail % 16)),
                What::Leave => {
                    let _ = self.stop(who);
                }
                _ => {}
            },
            By::Request => match what {
                What::RequestDue => self.start(who, at),
                What::RequestAnswered => self.ends(who, at, true),
                What::RequestFailed => {
                    if let Some(since) = self.stop(who) {
                        self.note(who, at, since, End::Failed);
                    }
                }
                _ => {}
            },
        }
    }

    fn refresh(&mut self, decision: &Decision) {
        let Decision { at, who, what, detail, extra, .. } = *decision;
        let end = match what {
            What::Due => return self.start(who, self.due(decision)),
            What::Leave => {
                let _ = self.stop(who);
                return;
            }
            // 3 rejected, 5 departed, 6 dropped: see `What::Closed`.
            What::Closed if detail == 5 => {
                let _ = self.stop(who);
                return;
            }
            What::Closed if matches!(detail, 3 | 6) => End::Failed,
            What::Closed => End::Reached,
            What::Valid if detail >= 16 => End::Reached,
            _ => return,
        };
        let since = self.stop(who).unwrap_or_else(|| self.tick(extra));
        self.note(who, at, since, end);
    }

    /// When what a [`What::Due`] tells of fell due: where a tick brought it and the connection was lost before, with the
    /// tick.
    fn due(&self, decision: &Decision) -> Time {
        let tick = self.tick(decision.extra);
        if decision.detail == 1 && tick != Time::NEVER { tick } else { decision.at }
    }

    fn tick(&self, front_end: u16) -> Time {
        self.ticks.get(usize::from(front_end)).copied().unwrap_or(Time::NEVER)
    }

    fn count(&mut self, who: u32) {
        if let Some(times) = self.times.get_mut(who as usize) {
            *times = times.saturating_add(1);
        }
    }

    /// A clock that runs already goes on.
    fn start(&mut self, who: u32, at: Time) {
        if let Some(since) = self.since.get_mut(who as usize).filter(|since| **since == Time::NEVER) {
            *since = at;
        }
    }

    fn stop(&mut self, who: u32) -> Option<Time> {
        let since = self.since.get_mut(who as usize)?;
        Some(std::mem::replace(since, Time::NEVER)).filter(|since| *since != Time::NEVER)
    }

    fn ends(&mut self, who: u32, at: Time, counts: bool) {
        if let Some(since) = self.stop(who).filter(|_| counts) {
            self.note(who, at, since, End::Reached);
        }
    }

    fn note(&mut self, who: u32, at: Time, since: Time, end: End) {
        if since == Time::NEVER || since > at {
            return;
        }
        let took = at.since(since);
        // What failed ranks as infinite, as in the histograms' quantiles.
        let rank = |entry: &(Span, u32, End)| (entry.2, entry.0);
        let new = (took, who, end);
        if self.top.len() == NAMED && self.top.last().is_some_and(|last| rank(last) >= rank(&new)) {
            return;
        }
        match self.top.iter_mut().find(|entry| entry.1 == who) {
            Some(own) if rank(own) >= rank(&new) => return,
            Some(own) => *own = new,
            None => self.top.push(new),
        }
        self.top.sort_by(|a, b| rank(b).cmp(&rank(a)).then(a.1.cmp(&b.1)));
        self.top.truncate(NAMED);
    }

    /// The peers, when the run has ended at `end`; `None`: there is not one.
    pub(super) fn finish(mut self, end: Time) -> Option<Worst> {
        for who in 0..self.since.len() as u32 {
            if let Some(since) = self.stop(who) {
                self.note(who, end, since, End::StillOpen);
            }
        }
        let names = Names::new(self.plan);
        let peers: Vec<_> = if self.times.is_empty() {
            let words = |(took, _, end): &(Span, u32, End)| match end {
                End::Reached => words::about(*took),
                End::Failed => format!("failed after {}", words::about(*took)),
                End::StillOpen => format!("not yet after {}", words::about(*took)),
            };
            self.top.iter().map(|entry| (names.peer(entry.1), words(entry))).collect()
        } else {
            let mut most: Vec<(u32, u32)> = Vec::new();
            for (who, times) in self.times.iter().enumerate().filter(|(_, times)| **times > 0) {
                most.push((*times, who as u32));
                if most.len() > 64 {
                    keep_most(&mut most);
                }
            }
            keep_most(&mut most);
            most.iter()
                .map(|(times, who)| (names.peer(*who), words::plural(u64::from(*times), "time", "times")))
                .collect()
        };
        (!peers.is_empty()).then(|| Worst { by: self.by.words(), peers })
    }
}

fn keep_most(most: &mut Vec<(u32, u32)>) {
    most.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    most.truncate(NAMED);
}

/// Watches a second run for several expectations.
pub(super) struct Finding<'a, 'b> {
    /// Whoever may stop it.
    pub(super) inner: &'b mut dyn Watch,
    /// One for each expectation that wants one.
    pub(super) finders: Vec<Finder<'a>>,
}

impl Watch for Finding<'_, '_> {
    fn progress(&mut self, at: Time, steps: u64) -> ControlFlow<()> {
        self.inner.progress(at, steps)
    }

    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        self.finders.iter_mut().for_each(|finder| finder.take(decision));
    }
}
