//! How a service comes back after a failure: the service control manager's rules (model rule 8).

use crate::time::{Span, Time};

/// What the service manager does about one failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Starts the service again after the delay.
    Restart(Span),
    /// Reboots the host after the delay; it is silent for `away`, then the service starts.
    Reboot {
        /// From the failure to the reboot.
        delay: Span,
        /// How long the host is gone.
        away: Span,
    },
    /// Leaves the service down.
    None,
}

/// What happens after the n-th failure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// The n-th failure does element n − 1; the last one repeats. Empty: nothing is ever done.
    pub actions: Vec<Action>,
    /// Without a failure for this long, the count of failures returns to 0. `None`: it never does.
    pub reset_period: Option<Span>,
    /// How long a crashed process stays while its memory is written out; zero: no dump.
    pub dump: Span,
}

/// The service manager's count of failures of one service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Failures {
    count: u32,
    last: Option<Time>,
}

impl Recovery {
    /// Counts a failure at `now` and says which one it is (1 = the first) and what is done about it.
    ///
    /// MS-SCMR 2.2.40: the count returns to 0 if there was no failure for the reset period.
    pub fn failed(&self, failures: &mut Failures, now: Time) -> (u32, Action) {
        if let (Some(last), Some(period)) = (failures.last, self.reset_period)
            && now.since(last) >= period
        {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = Some(now);
        let nth = (failures.count as usize).min(self.actions.len());
        let action = if nth == 0 { Action::None } else { self.actions[nth - 1] };
        (failures.count, action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crashes_a_day_apart(reset_period: Option<Span>) -> Vec<(u32, Action)> {
        let restart = Action::Restart(Span::MINUTE);
        let recovery = Recovery { actions: vec![restart, restart, Action::None], reset_period, dump: Span::ZERO };
        let mut failures = Failures::default();
        (1..=4).map(|day| recovery.failed(&mut failures, Time(day * 86_525 * Span::SECOND.0))).collect()
    }

    #[test]
    fn rule_08_a_reset_period_of_a_day_forgets_each_daily_failure() {
        for (nth, action) in crashes_a_day_apart(Some(Span::DAY)) {
            assert_eq!((nth, action), (1, Action::Restart(Span::MINUTE)));
        }
    }

    #[test]
    fn rule_08_a_longer_reset_period_climbs_to_the_last_action_and_repeats_it() {
        let seen = crashes_a_day_apart(Some(Span::DAY.times(2)));
        assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(seen[2].1, Action::None);
        assert_eq!(seen[3].1, Action::None);
        assert_eq!(crashes_a_day_apart(None), seen);
    }

    #[test]
    fn rule_08_without_actions_nothing_is_done() {
        let recovery = Recovery { actions: vec![], reset_period: None, dump: Span::ZERO };
        assert_eq!(recovery.failed(&mut Failures::default(), Time(1)), (1, Action::None));
    }
}
