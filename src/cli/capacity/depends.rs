//! What an answer depends on: which inputs are looked at, and the searches for the strongest of them.

use std::collections::BTreeSet;

use crate::scenario::Plan;
use crate::study::answer::Answer;
use crate::study::capacity::{Loss, Rule, Weighed};
use crate::study::inputs::{Input, differing, inputs};
use crate::study::search::{Found, Hint, Search};
use crate::study::sensitivity::{FACTORS, INPUTS_MAX, LISTED, Row, Sensitivity, effect};

use super::super::exit::Exit;
use super::looking::{Case, Looking};

/// What `answer` depends on; `None`: it has no limit that could move.
pub(super) fn depends(
    looking: &mut Looking<'_>,
    answer: &Answer<'_>,
    losses: &[Loss],
    rule: Rule,
) -> Result<Option<Sensitivity>, Exit> {
    let Found::Limit { holds, fails, .. } = answer.found else { return Ok(None) };
    let (Some(at), Some(nth)) = (holds.or(fails), answer.deciding()) else { return Ok(None) };
    let loss = answer.loss().and_then(|worst| losses.iter().position(|loss| loss.text(answer.plan) == worst));
    let before = looking.runs;
    let case = |place: u64, scaled| Case { places: vec![place], loss, scaled };
    let base = looking.few(&case(at, None), losses)?.unwrap_or_default();
    let mut all = candidates(looking, answer)?;
    // Those that all groups share come first.
    let left_out = all.len().saturating_sub(INPUTS_MAX);
    all.truncate(INPUTS_MAX);
    let mut strong: Vec<(u64, usize)> = Vec::new();
    for (number, input) in all.iter().enumerate() {
        let mut most = None;
        for factor in 0..FACTORS.len() {
            let other = looking.few(&case(at, Some((input.path.clone(), factor))), losses)?;
            most = most.max(other.and_then(|other| effect(answer.plan, nth, &base, &other)));
        }
        strong.extend(most.map(|most| (most, number)));
    }
    let quiet = all.len() - strong.len();
    strong.sort_by_key(|(most, number)| (std::cmp::Reverse(*most), *number));
    let last = answer.find.last();
    let mut search = |scaled: Option<(String, usize)>, hint: Option<Hint>| -> Result<Option<Found>, Exit> {
        let mut search = Search::near(last, hint);
        while let Some(place) = search.next() {
            let case = case(place, scaled.clone());
            let weighed: Option<Weighed> = match rule {
                Rule::Bounds => looking.bounds(&case, losses)?,
                Rule::Majority | Rule::All => looking.majority(&case, losses)?,
            };
            let Some(weighed) = weighed else { return Ok(None) };
            search.tell(place, weighed.tally());
        }
        Ok(Some(search.found()))
    };
    let base = match rule {
        Rule::Bounds => answer.found.clone(),
        Rule::Majority | Rule::All => search(None, answer.found.hint(last))?.unwrap_or(Found::Undecided),
    };
    let mut rows = Vec::new();
    for (_, number) in strong.into_iter().take(LISTED) {
        let input = all[number].clone();
        let mut answers = [None, None];
        for (factor, answer) in answers.iter_mut().enumerate() {
            *answer = search(Some((input.path.clone(), factor)), base.hint(last))?;
        }
        rows.push(Row { input, answers });
    }
    let mut found = Sensitivity { rule, base, rows, inputs: all.len(), quiet, left_out, runs: looking.runs - before };
    found.sort(last);
    Ok(Some(found))
}

/// The inputs but what is looked for: that is what differs between the ends of the range.
fn candidates(looking: &Looking<'_>, answer: &Answer<'_>) -> Result<Vec<Input>, Exit> {
    let [low, high]: [Plan; 2] = [looking.plan(&[0])?, looking.plan(&[answer.find.last()])?];
    let sought = differing(&low, &high);
    let all = inputs(&low, answer.measured).into_iter().chain(inputs(&high, answer.measured));
    let mut seen: BTreeSet<String> = sought.into_iter().collect();
    Ok(all.filter(|input| seen.insert(input.path.clone())).collect())
}
