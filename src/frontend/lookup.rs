//! What one incarnation of a front end remembers of its look-ups: answers that are kept, and fetches that are under way
//! (model rule 4).
//!
//! Everything goes by the instants of fetches, which are known when they begin: no event is needed to end one, and no
//! order within an instant matters. From the instant of its end a fetch is not under way any more and its answer is kept.

use std::collections::BTreeMap;

use crate::measure::Looked;
use crate::policy::lookup::{Found, Lookup, Lookups, Sharing};
use crate::time::{Span, Time};

use super::group::Group;

/// What a question meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Met {
    /// An answer that is kept.
    Kept(Found),
    /// A fetch of the same key that ends then, and so; `None`: never.
    Joined(Option<(Time, Found)>),
    /// Neither: it has to be fetched.
    Nothing,
}

/// Look-ups as one front end's validations see them.
#[derive(Debug, Default)]
pub(super) struct Answers {
    shelves: BTreeMap<(u8, u32), Shelf>,
    /// What came of each kind of look-up, all incarnations together.
    pub(super) counts: Vec<Looked>,
}

/// All that is known of one key.
#[derive(Debug, Default)]
struct Shelf {
    /// Until when an answer is good.
    kept: Option<(Found, Time)>,
    /// Fetches under way by the instant of their end, of one instant in the order in which they began.
    under_way: BTreeMap<(Time, u64), Found>,
    begun: u64,
    /// Whether one is under way that never ends.
    endless: bool,
}

impl Answers {
    pub(super) fn new(lookups: &Lookups) -> Answers {
        Answers { shelves: BTreeMap::new(), counts: vec![Looked::default(); lookups.each.len()] }
    }

    /// The incarnation is gone, and all that it knew.
    pub(super) fn forget(&mut self) {
        self.shelves.clear();
    }

    /// What a question of look-up number `nth` meets at `now`.
    pub(super) fn ask(&mut self, now: Time, nth: u8, lookup: &Lookup, key: u32) -> Met {
        let Some(shelf) = self.shelves.get_mut(&(nth, key)) else { return Met::Nothing };
        shelf.settle(now, lookup);
        let first = shelf.under_way.first_key_value();
        match (shelf.kept, first) {
            (Some((found, until)), _) if now < until => Met::Kept(found),
            (_, Some(((ends, _), found))) if lookup.single_flight => Met::Joined(Some((*ends, *found))),
            _ if lookup.single_flight && shelf.endless => Met::Joined(None),
            _ => Met::Nothing,
        }
    }

    /// A fetch begins that ends at that instant, and so.
    pub(super) fn fetch(&mut self, nth: u8, lookup: &Lookup, key: u32, fetch: Option<(Time, Found)>) {
        if !lookup.remembers() {
            return;
        }
        let shelf = self.shelves.entry((nth, key)).or_default();
        shelf.begun += 1;
        match fetch {
            Some((ends, found)) => {
                shelf.under_way.insert((ends, shelf.begun), found);
            }
            None => shelf.endless = true,
        }
    }
}

impl Shelf {
    /// Fetches that have ended by `now` are over: what they found and is to be kept takes the place of what is there, the
    /// latest last.
    fn settle(&mut self, now: Time, lookup: &Lookup) {
        while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= now) {
            let (ended, found) = (first.key().0, first.remove());
            let life = lookup.life(found);
            if life > Span::ZERO {
                self.kept = Some((found, ended + life));
            }
        }
    }
}

/// What tells one answer of a look-up from another at one front end.
pub(super) fn key_of(lookup: &Lookup, group: &Group, row: u32) -> u32 {
    match lookup.key {
        Sharing::FrontEnd => 0,
        Sharing::Group => u32::from(group.number),
        Sharing::Peer => row,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Dist;
    use crate::policy::lookup::{Lives, OnFailure};

    fn lookup(single_flight: bool, lives: Lives) -> Lookup {
        Lookup { single_flight, lives, ..Lookup::new("crl", Dist::Constant(Span(10))) }
    }

    #[test]
    fn rule_04_a_second_question_joins_a_single_flight_until_the_instant_of_its_end() {
        let of = lookup(true, Lives::default());
        let mut answers = Answers::new(&Lookups::default());
        assert_eq!(answers.ask(Time(0), 0, &of, 7), Met::Nothing);
        let fetch = Some((Time(10), Found::Positive));
        answers.fetch(0, &of, 7, fetch);
        assert_eq!(answers.ask(Time(9), 0, &of, 7), Met::Joined(fetch));
        assert_eq!(answers.ask(Time(9), 0, &of, 8), Met::Nothing, "another key");
        assert_eq!(answers.ask(Time(9), 1, &of, 7), Met::Nothing, "another look-up");
        assert_eq!(answers.ask(Time(10), 0, &of, 7), Met::Nothing, "it is over, and nothing is kept");
    }

    #[test]
    fn rule_04_each_kind_of_answer_is_kept_for_its_own_time_and_dies_with_the_incarnation() {
        let lives = Lives { positive: Span(100), negative: Span(20), soft_fail: Span(5) };
        let until = |of: &Lookup, found| {
            let mut answers = Answers::new(&Lookups::default());
            answers.fetch(0, of, 0, Some((Time(10), found)));
            (10..200).take_while(|now| answers.ask(Time(*now), 0, of, 0) == Met::Kept(found)).count()
        };
        let soft = lookup(false, lives);
        let all = [Found::Positive, Found::Negative, Found::Failed, Found::TimedOut];
        assert_eq!(all.map(|found| until(&soft, found)), [100, 20, 5, 5]);
        let hard = Lookup { on_failure: OnFailure::HardFail, ..soft.clone() };
        assert_eq!(all.map(|found| until(&hard, found)), [100, 20, 0, 0]);
        let mut answers = Answers::new(&Lookups::default());
        answers.fetch(0, &soft, 0, Some((Time(10), Found::Positive)));
        answers.forget();
        assert_eq!(answers.ask(Time(11), 0, &soft, 0), Met::Nothing);
    }

    #[test]
    fn rule_04_the_fetch_that_ends_last_is_kept_unless_it_is_of_a_kind_that_is_not() {
        let lives = Lives { positive: Span(100), negative: Span(100), soft_fail: Span::ZERO };
        let of = lookup(false, lives);
        let mut answers = Answers::new(&Lookups::default());
        for fetch in [(30, Found::Negative), (20, Found::Positive), (40, Found::Failed)] {
            answers.fetch(0, &of, 0, Some((Time(fetch.0), fetch.1)));
        }
        let seen = [19, 20, 29, 30, 40, 129, 130].map(|now| answers.ask(Time(now), 0, &of, 0));
        let kept = |found| Met::Kept(found);
        let (good, no) = (kept(Found::Positive), kept(Found::Negative));
        assert_eq!(seen, [Met::Nothing, good, good, no, no, no, Met::Nothing]);
    }
}
