//! Front ends that are lost for good: which, and when.

use crate::policy::Style;
use crate::scenario::{Operate, Operation, Plan};
use crate::time::{Span, Time};

use crate::study::estimate::refresh_drain;

/// Choices of front ends that `--with-down` tries at most.
const CHOICES_MAX: usize = 500;

/// Front ends that are lost for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Their positions in the plan.
    pub front_ends: Vec<u16>,
    /// When.
    pub at: Time,
}

impl Loss {
    /// Every choice of `count` front ends, at each of up to three moments: in the calm between two refreshes, when the
    /// refresh is about to begin, and in the middle of its herd.
    ///
    /// # Errors
    /// Fewer front ends than that and one to stay, or too many choices, in words.
    pub fn all(plan: &Plan, count: usize) -> Result<Vec<Loss>, String> {
        let has = plan.front_ends.len();
        if count >= has {
            return Err(format!("the scenario has {has} front ends, and one at least has to stay"));
        }
        if plan.refresh.as_ref().is_some_and(|refresh| matches!(refresh.style, Style::MakeFirst { .. })) {
            return Err("front ends are not stopped beside refresh.style = \"make-first\"".to_owned());
        }
        let mut choices: Vec<Vec<u16>> = vec![Vec::new()];
        for _ in 0..count {
            let longer = |choice: &Vec<u16>| {
                let from = choice.last().map_or(0, |last| last + 1);
                let with = |next| choice.iter().copied().chain([next]).collect();
                (from..has as u16).map(with).collect::<Vec<Vec<u16>>>()
            };
            choices = choices.iter().flat_map(longer).collect();
            if choices.len() > CHOICES_MAX {
                return Err(format!("there are more than {CHOICES_MAX} choices of {count} of {has} front ends"));
            }
        }
        let moments = moments(plan);
        let at = |choice: Vec<u16>| {
            let moments = moments.clone();
            moments.into_iter().map(move |at| Loss { front_ends: choice.clone(), at })
        };
        Ok(choices.into_iter().flat_map(at).collect())
    }

    /// The plan with this loss.
    pub fn of(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        let operation = Operation { at: self.at, what: Operate::Stop, stages: vec![self.front_ends.clone()] };
        let place = plan.operations.partition_point(|other| other.at <= self.at);
        plan.operations.insert(place, operation);
        plan
    }

    /// In words.
    pub fn text(&self, plan: &Plan) -> String {
        let name = |nth: &u16| plan.front_ends.get(usize::from(*nth)).map_or("?", |front_end| &front_end.name);
        format!("{} lost at {}", self.front_ends.iter().map(name).collect::<Vec<_>>().join(", "), self.at)
    }
}

fn moments(plan: &Plan) -> Vec<Time> {
    let half = Time::ZERO + plan.horizon.half();
    let Some(refresh) = &plan.refresh else { return vec![half] };
    let start_up = plan.front_ends.first().and_then(|front_end| front_end.start_up.mean()).unwrap_or(0.0);
    let drain = refresh_drain(plan).unwrap_or(0.0);
    let tick = Time::ZERO + refresh.every;
    let in_herd = tick + Span(libm::round(start_up + drain / 2.0) as u64);
    let mut moments = vec![Time::ZERO + refresh.every.half(), tick, in_herd];
    moments.retain(|at| *at < Time::ZERO + plan.horizon);
    moments.dedup();
    if moments.is_empty() { vec![half] } else { moments }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn losses_are_all_choices_at_moments_within_the_run() {
        let text = b"schema = 1\nsemantics = 1\n[run]\nhorizon = \"2d\"\n[front_end]\nnodes = [{ name = \"a\" }, \
            { name = \"b\" }, { name = \"c\" }]\n[refresh]\nevery = \"1d\"\n[validation]\nvalidator = \
            \"sfb2015-cu2\"\n[[group]]\nname = \"g\"\ntransport = \"tls\"\n";
        let plan = scenario::load("s", "s.toml", text, &[]).expect("a plan");
        let losses = Loss::all(&plan, 2).expect("losses");
        assert_eq!(losses.len(), 9, "3 choices at 3 moments");
        assert_eq!(losses[0].text(&plan), "a, b lost at 12h");
        assert!(losses.iter().all(|loss| loss.of(&plan).operations.len() == 1));
        assert!(Loss::all(&plan, 3).is_err(), "one has to stay");
    }
}
