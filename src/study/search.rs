//! The search for a limit: which values are looked at next, and what has been found (rule 32).
//!
//! Knows numbered places on a scale and how each was weighed. Does not know what they stand for, nor runs.

use std::collections::BTreeMap;

use super::stats::Tally;

/// Places that are looked at first, the ends among them: a curve that goes up and down again shows itself there.
const PROBES: u64 = 5;

/// Which way the thresholds become harder to hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Harder {
    /// The more, the harder: peers.
    Up,
    /// The less, the harder: workers.
    Down,
}

/// What a search has found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// The last place that holds, if any does, and the first that fails, if any does; what lies between is undecided.
    Limit {
        /// Which way it becomes harder.
        harder: Harder,
        /// The hardest place that holds.
        holds: Option<u64>,
        /// The easiest place that fails.
        fails: Option<u64>,
    },
    /// All that were looked at hold: the limit lies outside.
    AllHold,
    /// All that were looked at fail.
    AllFail,
    /// None of those that were looked at holds or fails.
    Undecided,
    /// A place fails between two that hold, or holds between two that fail.
    NotMonotone {
        /// Three places in order; the middle one is not as the others are.
        at: [u64; 3],
        /// Whether the middle one holds.
        holds: bool,
    },
}

/// A search over the places 0 to `last`.
#[derive(Clone, Debug)]
pub struct Search {
    last: u64,
    weighed: BTreeMap<u64, Tally>,
}

impl Search {
    /// Nothing is known yet.
    pub fn new(last: u64) -> Search {
        Search { last, weighed: BTreeMap::new() }
    }

    /// Tells how a place was weighed.
    pub fn tell(&mut self, place: u64, tally: Tally) {
        self.weighed.insert(place, tally);
    }

    /// The place to be looked at next; `None`: all is known that the search will know.
    pub fn next(&self) -> Option<u64> {
        let probes = PROBES.min(self.last + 1);
        let probe = |nth: u64| {
            if probes < 2 { 0 } else { (u128::from(nth) * u128::from(self.last) / u128::from(probes - 1)) as u64 }
        };
        let ends_first = [0, probes - 1].into_iter().chain(1..probes.saturating_sub(1));
        if let Some(place) = ends_first.map(probe).find(|place| !self.weighed.contains_key(place)) {
            return Some(place);
        }
        if self.not_monotone().is_some() {
            return None;
        }
        let harder = self.harder()?;
        // Two borders: between what holds and the rest, and between the rest and what fails.
        [Tally::Undecided, Tally::Fails].into_iter().find_map(|least| self.gap(harder, least))
    }

    /// Which way it becomes harder; `None`: both ends are alike.
    fn harder(&self) -> Option<Harder> {
        let (first, last) = (self.weighed.get(&0)?, self.weighed.get(&self.last)?);
        match first.cmp(last) {
            std::cmp::Ordering::Less => Some(Harder::Up),
            std::cmp::Ordering::Greater => Some(Harder::Down),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// The place in the middle between the hardest below the first that is weighed `least` or worse, and that one; `None`:
    /// they are neighbours, or there is no such border.
    fn gap(&self, harder: Harder, least: Tally) -> Option<u64> {
        let places = self.in_order(harder);
        let border = places.iter().position(|(_, tally)| *tally >= least)?;
        let (before, after) = (places.get(border.checked_sub(1)?)?.0, places.get(border)?.0);
        let (low, high) = (before.min(after), before.max(after));
        (high - low > 1).then(|| low + (high - low) / 2)
    }

    /// What is known, the easiest first.
    fn in_order(&self, harder: Harder) -> Vec<(u64, Tally)> {
        let mut places: Vec<(u64, Tally)> = self.weighed.iter().map(|(place, tally)| (*place, *tally)).collect();
        if harder == Harder::Down {
            places.reverse();
        }
        places
    }

    /// Three places whose middle one is the other way round than both others. What is undecided says nothing.
    fn not_monotone(&self) -> Option<Found> {
        let decided = self.weighed.iter().filter(|(_, tally)| **tally != Tally::Undecided);
        let mut turns: Vec<(u64, Tally)> = Vec::new();
        for (place, tally) in decided {
            if turns.last().is_none_or(|last| last.1 != *tally) {
                turns.push((*place, *tally));
            }
        }
        let three = turns.get(..3)?;
        Some(Found::NotMonotone { at: [three[0].0, three[1].0, three[2].0], holds: three[1].1 == Tally::Holds })
    }

    /// What has been found, once [`Search::next`] has no more places.
    pub fn found(&self) -> Found {
        if let Some(found) = self.not_monotone() {
            return found;
        }
        let all = |wanted: Tally| self.weighed.values().all(|tally| *tally == wanted);
        if all(Tally::Holds) {
            return Found::AllHold;
        }
        if all(Tally::Fails) {
            return Found::AllFail;
        }
        let Some(harder) = self.harder() else { return Found::Undecided };
        let places = self.in_order(harder);
        let of = |wanted: Tally| places.iter().filter(move |(_, tally)| *tally == wanted).map(|(place, _)| *place);
        Found::Limit { harder, holds: of(Tally::Holds).next_back(), fails: of(Tally::Fails).next() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches where each place is weighed like this; gives what was found and how many places were looked at.
    fn search(last: u64, weigh: impl Fn(u64) -> Tally) -> (Found, usize) {
        let mut search = Search::new(last);
        let mut looked = 0;
        while let Some(place) = search.next() {
            assert!(place <= last && !search.weighed.contains_key(&place), "{place} of {last}");
            search.tell(place, weigh(place));
            looked += 1;
        }
        (search.found(), looked)
    }

    fn up(holds: u64, fails: u64) -> impl Fn(u64) -> Tally {
        move |place| match place {
            _ if place <= holds => Tally::Holds,
            _ if place >= fails => Tally::Fails,
            _ => Tally::Undecided,
        }
    }

    #[test]
    fn rule_32_the_largest_that_holds_and_the_smallest_that_fails_are_found_wherever_they_are() {
        for last in [1, 2, 3, 7, 100] {
            for holds in 0..last {
                for fails in holds + 1..=last {
                    let limit = |harder, holds, fails| Found::Limit { harder, holds: Some(holds), fails: Some(fails) };
                    assert_eq!(search(last, up(holds, fails)).0, limit(Harder::Up, holds, fails));
                    let down = |place| up(holds, fails)(last - place);
                    assert_eq!(search(last, down).0, limit(Harder::Down, last - holds, last - fails));
                }
            }
        }
    }

    #[test]
    fn it_takes_a_logarithm_of_the_places() {
        let (found, looked) = search(1 << 20, up(123_456, 123_500));
        assert_eq!(found, Found::Limit { harder: Harder::Up, holds: Some(123_456), fails: Some(123_500) });
        assert!(looked <= 5 + 2 * 20, "{looked}");
    }

    #[test]
    fn rule_32_a_limit_outside_is_said_and_takes_five_looks() {
        assert_eq!(search(1000, |_| Tally::Holds), (Found::AllHold, 5));
        assert_eq!(search(1000, |_| Tally::Fails), (Found::AllFail, 5));
        assert_eq!(search(1000, |_| Tally::Undecided), (Found::Undecided, 5));
        assert_eq!(search(0, |_| Tally::Holds), (Found::AllHold, 1));
        let (found, _) = search(64, |place| if place < 9 { Tally::Undecided } else { Tally::Fails });
        assert_eq!(found, Found::Limit { harder: Harder::Up, holds: None, fails: Some(9) });
        let (found, _) = search(64, |place| if place < 9 { Tally::Holds } else { Tally::Undecided });
        assert_eq!(found, Found::Limit { harder: Harder::Up, holds: Some(8), fails: None });
    }

    #[test]
    fn rule_32_an_answer_that_is_not_monotone_is_said() {
        let dip = |place| if (20..60).contains(&place) { Tally::Fails } else { Tally::Holds };
        assert_eq!(search(100, dip).0, Found::NotMonotone { at: [0, 25, 75], holds: false });
        let hill = |place| if (20..60).contains(&place) { Tally::Holds } else { Tally::Fails };
        assert_eq!(search(100, hill).0, Found::NotMonotone { at: [0, 25, 75], holds: true });
    }
}
