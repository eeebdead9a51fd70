//! A wait in a front end's queue: who was served meanwhile.

use std::collections::{BTreeMap, VecDeque};

use crate::measure::{Decision, What};
use crate::time::Time;

/// How many of those before it a wait names.
const NEAREST: usize = 5;

/// A peer's wait for its question. The queue is first come first served, so that whoever was asked about in between had
/// come before it, or rejoined after a look-up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wait {
    /// Position of the front end.
    pub front_end: u16,
    /// The due, or the SYN of the try.
    pub from: Time,
    /// Whether for a refresh in place, whose job is in the queue from the first instant on; that of a try comes to it
    /// only with its handshake.
    pub is_refresh: bool,
    /// When it ended; `None`: it goes on.
    pub until: Option<Time>,
    /// Whether with the question.
    pub is_asked: bool,
    /// How many others were asked about in between.
    pub before: u64,
    /// How many of these after the instant that is explained.
    pub still_ahead: u64,
    /// How many by group's position.
    pub groups: BTreeMap<usize, u64>,
    /// Requests that workers took in between.
    pub requests: u64,
    /// The last of those who were asked about, and when.
    pub nearest: VecDeque<(u32, Time)>,
    /// Who was in service when it began.
    pub serving: Vec<u32>,
}

impl Wait {
    pub(super) fn new(front_end: u16, from: Time, is_refresh: bool, serving: Vec<u32>) -> Wait {
        Wait {
            front_end,
            from,
            is_refresh,
            until: None,
            is_asked: false,
            before: 0,
            still_ahead: 0,
            groups: BTreeMap::new(),
            requests: 0,
            nearest: VecDeque::new(),
            serving,
        }
    }

    /// Takes somebody else's decision at the same front end; `is_past`: after the instant that is explained.
    pub(super) fn other(&mut self, decision: &Decision, group: usize, is_past: bool) {
        if self.until.is_some() || decision.at < self.from {
            return;
        }
        match decision.what {
            What::RequestTaken => self.requests += 1,
            What::Asked => {
                self.before += 1;
                self.still_ahead += u64::from(is_past);
                *self.groups.entry(group).or_insert(0) += 1;
                if self.nearest.len() == NEAREST {
                    self.nearest.pop_front();
                }
                self.nearest.push_back((decision.who, decision.at));
            }
            _ => {}
        }
    }
}

/// Whom the workers of a front end have been asked about without an end yet, the latest of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Serving {
    workers: usize,
    peers: VecDeque<u32>,
}

impl Serving {
    pub(super) fn new(workers: u32) -> Serving {
        Serving { workers: workers as usize, peers: VecDeque::new() }
    }

    pub(super) fn now(&self) -> Vec<u32> {
        self.peers.iter().copied().collect()
    }

    pub(super) fn clear(&mut self) {
        self.peers.clear();
    }

    /// Takes a decision of a peer at this front end. How a rejection of a new connection ends no decision tells: it is
    /// left out.
    pub(super) fn see(&mut self, decision: &Decision) {
        match decision.what {
            What::Asked if decision.detail == 0 => {
                if self.peers.len() >= self.workers {
                    self.peers.pop_front();
                }
                self.peers.push_back(decision.who);
            }
            What::Valid | What::Closed | What::Lost | What::Leave | What::NoEffect | What::GaveUp => {
                if let Some(nth) = self.peers.iter().position(|who| *who == decision.who) {
                    self.peers.remove(nth);
                }
            }
            _ => {}
        }
    }
}
