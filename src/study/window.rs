//! A window on a run: the decisions of some time, some peers and some front ends, kept as they come.

use std::ops::{ControlFlow, Range};

use crate::measure::Decision;
use crate::report::moment::place_of;
use crate::sim::Watch;
use crate::time::Time;

/// Which decisions a window shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// None before this.
    pub from: Time,
    /// None after this.
    pub until: Time,
    /// Only of these peers, by their positions among all; empty: of everybody.
    pub peers: Vec<Range<u32>>,
    /// Only of or at these front ends, by their positions; empty: of all.
    pub front_ends: Vec<u16>,
}

impl Wanted {
    /// Whether a decision fits all of it.
    pub fn holds(&self, decision: &Decision) -> bool {
        let is_peer = !decision.what.is_of_front_end();
        (self.from..=self.until).contains(&decision.at)
            && (self.peers.is_empty() || is_peer && self.peers.iter().any(|rows| rows.contains(&decision.who)))
            && (self.front_ends.is_empty() || place_of(decision).is_some_and(|place| self.front_ends.contains(&place)))
    }
}

/// Watches a run for what a window shows.
pub struct Window<'a> {
    wanted: Wanted,
    most: usize,
    /// Whoever may stop it.
    inner: &'a mut dyn Watch,
    kept: Vec<Decision>,
    left_out: u64,
}

/// What a window showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// In order of time.
    pub decisions: Vec<Decision>,
    /// How many more there were.
    pub left_out: u64,
}

impl<'a> Window<'a> {
    /// The first `most` decisions that are `wanted`, of a run that `inner` may stop.
    pub fn new(wanted: Wanted, most: usize, inner: &'a mut dyn Watch) -> Window<'a> {
        Window { wanted, most, inner, kept: Vec::new(), left_out: 0 }
    }

    /// What there was.
    pub fn finish(mut self) -> Seen {
        // A SYN that is sent on the news of something is decided with it, and dated to when the news arrives.
        self.kept.sort_by_key(|decision| decision.at);
        Seen { decisions: self.kept, left_out: self.left_out }
    }
}

impl Watch for Window<'_> {
    fn progress(&mut self, at: Time, steps: u64) -> ControlFlow<()> {
        self.inner.progress(at, steps)
    }

    fn wants_decisions(&self) -> bool {
        true
    }

    fn decision(&mut self, decision: &Decision) {
        if !self.wanted.holds(decision) {
            return;
        }
        if self.kept.len() < self.most { self.kept.push(*decision) } else { self.left_out += 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::What;
    use crate::sim::Unwatched;

    fn seen(wanted: Wanted, most: usize) -> (Vec<u64>, u64) {
        let peer = |at, who, extra| Decision { at: Time(at), who, what: What::Valid, detail: 0, extra };
        let stream = [
            Decision { at: Time(1), who: 0, what: What::Tick, detail: 0, extra: 1 },
            peer(2, 0, 0),
            peer(4, 1, 1),
            peer(3, 1, 0),
            Decision { what: What::RequestDue, ..peer(5, 2, 0) },
        ];
        let mut nobody = Unwatched;
        let mut window = Window::new(wanted, most, &mut nobody);
        stream.iter().for_each(|decision| window.decision(decision));
        let seen = window.finish();
        (seen.decisions.iter().map(|decision| decision.at.0).collect(), seen.left_out)
    }

    #[test]
    fn a_decision_is_shown_if_it_fits_every_filter() {
        let all = Wanted { from: Time(0), until: Time(9), peers: Vec::new(), front_ends: Vec::new() };
        assert_eq!(seen(all.clone(), 9), (vec![1, 2, 3, 4, 5], 0));
        assert_eq!(seen(Wanted { from: Time(2), until: Time(4), ..all.clone() }, 9).0, [2, 3, 4]);
        assert_eq!(seen(Wanted { peers: vec![0..1, 2..3], ..all.clone() }, 9).0, [2, 5]);
        assert_eq!(seen(Wanted { front_ends: vec![0], ..all.clone() }, 9).0, [1, 2, 3], "a request due is at its peer");
        assert_eq!(seen(Wanted { peers: vec![1..2, 7..9], front_ends: vec![1], ..all.clone() }, 9).0, [4]);
        assert_eq!(seen(all, 2), (vec![1, 2], 3), "what does not fit is counted");
    }
}
