//! The search for a limit: which values are looked at next, and what has been found (rule 32).
//!
//! Knows numbered places on a scale and how each was weighed. Does not know what they stand for, nor runs.

use std::collections::BTreeMap;

use super::stats::Tally;

/// Places that are looked at first, the ends among them: a curve that goes up and down again shows itself there.
const PROBES: u64 = 5;
/// The first leap away from a hint is at least this part of the range.
const LEAP: u64 = 64;

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

/// Where a limit is expected: that of a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hint {
    /// Which way it becomes harder.
    pub harder: Harder,
    /// The hardest place that holds there.
    pub holds: u64,
    /// The easiest place that fails there.
    pub fails: u64,
}

impl Found {
    /// What it lets expect of a neighbour on the places 0 to `last`; `None`: nothing.
    pub fn hint(&self, last: u64) -> Option<Hint> {
        let Found::Limit { harder, holds, fails } = *self else { return None };
        let (easiest, hardest) = match harder {
            Harder::Up => (0, last),
            Harder::Down => (last, 0),
        };
        Some(Hint { harder, holds: holds.unwrap_or(easiest), fails: fails.unwrap_or(hardest) })
    }
}

/// A search over the places 0 to `last`.
#[derive(Clone, Debug)]
pub struct Search {
    last: u64,
    hint: Option<Hint>,
    weighed: BTreeMap<u64, Tally>,
}

impl Search {
    /// Nothing is known yet.
    pub fn new(last: u64) -> Search {
        Search { last, hint: None, weighed: BTreeMap::new() }
    }

    /// Nothing is known but where the limit is expected: that is looked at first, then further and further away from it
    /// until it lies between. Where the limit has not moved, two places are enough; but what is far from it is not
    /// looked at, and so an answer that is not monotone shows itself less often.
    pub fn near(last: u64, hint: Option<Hint>) -> Search {
        Search { last, hint, weighed: BTreeMap::new() }
    }

    /// The most places that a search without a hint looks at, from 0 to `last`: its first ones, and both borders by halves.
    pub fn most(last: u64) -> u64 {
        let gap = last.div_ceil(PROBES - 1).max(1);
        (PROBES + 2 * u64::from(gap.next_power_of_two().ilog2())).min(last.saturating_add(1))
    }

    /// Tells how a place was weighed.
    pub fn tell(&mut self, place: u64, tally: Tally) {
        self.weighed.insert(place, tally);
    }

    /// The place to be looked at next; `None`: all is known that the search will know.
    pub fn next(&self) -> Option<u64> {
        let probe = if let Some(hint) = self.hint { self.around(hint) } else { self.probe() };
        if probe.is_some() {
            return probe;
        }
        if self.not_monotone().is_some() {
            return None;
        }
        let harder = self.harder()?;
        // Two borders: between what holds and the rest, and between the rest and what fails.
        [Tally::Undecided, Tally::Fails].into_iter().find_map(|least| self.gap(harder, least))
    }

    /// Places over the whole range.
    fn probe(&self) -> Option<u64> {
        let probes = PROBES.min(self.last + 1);
        let probe = |nth: u64| {
            if probes < 2 { 0 } else { (u128::from(nth) * u128::from(self.last) / u128::from(probes - 1)) as u64 }
        };
        let ends_first = [0, probes - 1].into_iter().chain(1..probes.saturating_sub(1));
        ends_first.map(probe).find(|place| !self.weighed.contains_key(place))
    }

    /// Places around a hint, until one holds and one fails or there are no more.
    fn around(&self, hint: Hint) -> Option<u64> {
        // Counted by hardness, so that one way of thinking does for both.
        let turned = |place: u64| if hint.harder == Harder::Up { place } else { self.last - place };
        let (holds, fails) = (turned(hint.holds.min(self.last)), turned(hint.fails.min(self.last)));
        let first = [holds, fails].into_iter().find(|place| !self.weighed.contains_key(&turned(*place)));
        if first.is_some() {
            return first.map(turned);
        }
        let step = fails.abs_diff(holds).max(self.last / LEAP).max(1);
        let (ends, any) = (self.weighed.keys().map(|place| turned(*place)), |wanted| self.any(wanted));
        let (easiest, hardest) = (ends.clone().min()?, ends.max()?);
        if !any(Tally::Holds) && easiest > 0 {
            let gone = holds.saturating_sub(easiest);
            return Some(turned(holds.saturating_sub(gone.saturating_mul(2).saturating_add(step))));
        }
        if !any(Tally::Fails) && hardest < self.last {
            let gone = hardest.saturating_sub(fails);
            let further = gone.saturating_mul(2).saturating_add(step);
            return Some(turned(fails.saturating_add(further).min(self.last)));
        }
        // Nothing is said of all places before both ends have been looked at: the hint may have the wrong direction.
        let is_found = any(Tally::Holds) && any(Tally::Fails);
        [0, self.last].into_iter().find(|end| !is_found && !self.weighed.contains_key(end))
    }

    fn any(&self, wanted: Tally) -> bool {
        self.weighed.values().any(|tally| *tally == wanted)
    }

    /// Which way it becomes harder; `None`: the first and the last place that were looked at are alike.
    fn harder(&self) -> Option<Harder> {
        let (first, last) = (self.weighed.values().next()?, self.weighed.values().next_back()?);
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
        assert!(looked <= Search::most(1 << 20) as usize && looked > 20, "{looked}");
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

    /// As [`search`], from a hint.
    fn search_near(last: u64, hint: Hint, weigh: impl Fn(u64) -> Tally) -> (Found, usize) {
        let mut search = Search::near(last, Some(hint));
        let mut looked = 0;
        while let Some(place) = search.next() {
            assert!(place <= last && !search.weighed.contains_key(&place), "{place} of {last}");
            search.tell(place, weigh(place));
            looked += 1;
        }
        (search.found(), looked)
    }

    #[test]
    fn rule_32_from_a_neighbours_limit_the_same_is_found_wherever_it_is_and_at_once_where_it_has_not_moved() {
        for last in [1, 2, 7, 100] {
            for (holds, fails) in (0..last).flat_map(|holds| (holds + 1..=last).map(move |fails| (holds, fails))) {
                for guess in 0..last {
                    let hint = Hint { harder: Harder::Up, holds: guess, fails: guess + 1 };
                    assert_eq!(search_near(last, hint, up(holds, fails)).0, search(last, up(holds, fails)).0);
                    let hint = Hint { harder: Harder::Down, holds: last - guess, fails: last - guess - 1 };
                    let down = |place| up(holds, fails)(last - place);
                    assert_eq!(search_near(last, hint, down).0, search(last, down).0);
                }
            }
        }
        let hint = Hint { harder: Harder::Up, holds: 40, fails: 41 };
        assert_eq!(search_near(1000, hint, up(40, 41)).1, 2);
        assert_eq!(search_near(1000, hint, |_| Tally::Holds).0, Found::AllHold);
        assert_eq!(search_near(1000, hint, |_| Tally::Fails).0, Found::AllFail);
        assert_eq!(search_near(1000, hint, |_| Tally::Undecided).0, Found::Undecided);
        let wrong = Hint { harder: Harder::Down, ..hint };
        assert_eq!(search_near(1000, wrong, up(500, 501)).0, search(1000, up(500, 501)).0, "a hint may be wrong");
    }

    #[test]
    fn rule_32_an_answer_that_is_not_monotone_is_said() {
        let dip = |place| if (20..60).contains(&place) { Tally::Fails } else { Tally::Holds };
        assert_eq!(search(100, dip).0, Found::NotMonotone { at: [0, 25, 75], holds: false });
        let hill = |place| if (20..60).contains(&place) { Tally::Holds } else { Tally::Fails };
        assert_eq!(search(100, hill).0, Found::NotMonotone { at: [0, 25, 75], holds: true });
    }
}
