//! The links of a chain: what repeats is folded, and of what is left the first and the last are kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::queue::Wait;
use crate::measure::{Decision, What};
use crate::report::moment::place_of;
use crate::time::Time;

/// Links kept of a chapter's beginning, and of its end.
const HEAD: usize = 24;
const TAIL: usize = 40;

/// One step of what led to a state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// When.
    pub at: Time,
    /// What.
    pub shown: Shown,
}

/// What a link shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// A decision of the peer or of a front end.
    Decision(Decision),
    /// A question about a try that the peer had given up before.
    Stale(Decision),
    /// A wait in a queue that is over.
    Wait(Wait),
    /// A try that found nobody, and what had become of the front end.
    Down {
        /// The peer's own.
        own: Decision,
        /// The last change in the front end's life.
        life: Decision,
    },
    /// A look-up that somebody else's is waited for.
    Joins {
        /// The peer's own.
        own: Decision,
        /// That which is joined, if it is known.
        fetch: Option<Decision>,
    },
    /// Tries that ended as those before and after them did.
    Again {
        /// How many.
        tries: u64,
        /// The SYN of the last of them.
        last: Time,
    },
}

impl Shown {
    /// The decision that the link is made of; `None`: it is made of several.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Shown::Decision(own) | Shown::Stale(own) | Shown::Down { own, .. } | Shown::Joins { own, .. } => Some(own),
            Shown::Wait(_) | Shown::Again { .. } => None,
        }
    }

    /// What kind of link it is.
    pub fn name(&self) -> &'static str {
        match self {
            Shown::Wait(_) => "wait",
            Shown::Again { .. } => "again",
            own => own.decision().map_or("", |decision| decision.what.name()),
        }
    }
}

/// The links of one chapter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chain {
    links: VecDeque<Link>,
    /// What was left out after the first links, by its name.
    left_out: BTreeMap<&'static str, u64>,
    /// Front ends that it is about.
    places: BTreeSet<u16>,
}

impl Chain {
    pub(super) fn push(&mut self, link: Link) {
        match &link.shown {
            Shown::Wait(wait) => drop(self.places.insert(wait.front_end)),
            shown => self.places.extend(shown.decision().and_then(place_of)),
        }
        self.links.push_back(link);
        self.fold();
        if self.links.len() > HEAD + TAIL
            && let Some(gone) = self.links.remove(HEAD)
        {
            *self.left_out.entry(gone.shown.name()).or_insert(0) += 1;
        }
    }

    /// Of three tries in a row that ended alike the one in the middle is only counted.
    fn fold(&mut self) {
        let last = self.links.len();
        if last < 6 || !self.is_try(last - 2) || !self.is_alike(last - 2, last - 4) {
            return;
        }
        let (tries, from) = match self.links[last - 5].shown {
            Shown::Again { tries, .. } => (tries, last - 5),
            _ if self.is_alike(last - 4, last - 6) => (0, last - 4),
            _ => return,
        };
        let (at, middle) = (self.links[from].at, self.links[last - 4].at);
        self.links.drain(from..last - 2);
        self.links.insert(from, Link { at, shown: Shown::Again { tries: tries + 1, last: middle } });
    }

    /// A SYN, and what ended its try.
    fn is_try(&self, at: usize) -> bool {
        let what = |at: usize| self.links[at].shown.decision().map(|decision| decision.what);
        what(at) == Some(What::Attempt) && matches!(what(at + 1), Some(What::Refused | What::GaveUp | What::Asked))
    }

    fn is_alike(&self, one: usize, other: usize) -> bool {
        let key = |at: usize| {
            let Decision { what, detail, extra, .. } = *self.links[at].shown.decision()?;
            Some((what, detail, extra))
        };
        key(one).is_some() && key(one) == key(other) && key(one + 1).is_some() && key(one + 1) == key(other + 1)
    }

    pub(super) fn is_about(&self, place: u16) -> bool {
        self.places.contains(&place)
    }

    /// Whether it tells this decision of a front end already.
    pub(super) fn tells(&self, life: &Decision) -> bool {
        self.links.iter().any(|link| match &link.shown {
            Shown::Decision(own) => own == life,
            Shown::Down { life: own, .. } => own == life,
            _ => false,
        })
    }

    /// By time: a SYN that is sent on the news of something is decided with it, and dated to when the news arrives.
    pub(super) fn sort(&mut self) {
        let cut = if self.left_out.is_empty() { 0 } else { HEAD };
        let links = self.links.make_contiguous();
        links[..cut].sort_by_key(|link| link.at);
        links[cut..].sort_by_key(|link| link.at);
    }

    /// All links that are kept, in order.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// What was left out, by its name and how often, and after how many of the links.
    pub fn left_out(&self) -> Option<(usize, &BTreeMap<&'static str, u64>)> {
        (!self.left_out.is_empty()).then_some((HEAD, &self.left_out))
    }
}
