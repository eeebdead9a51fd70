//! Checking a scenario: its expectations over one replication or several, and who is to blame where they fail.
//!
//! A run is reduced to [`Seen`] on its own thread; [`Checked`] puts those together, in the order of the replications.
//! An expectation fails if it fails in one of them, and is inconclusive if it is so in one. One that has `sometimes` passes
//! if it does in one: the replications together are what it is about.

use crate::measure::{Outcome, Verdict};
use crate::report::{self, Judged};
use crate::scenario::plan::Plan;
use crate::sim::{RunError, Watch};

use super::worst::{Finder, Finding, Worst};

/// Replications in which an expectation did not pass that are named.
const NAMED: usize = 5;

/// What is kept of one run.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which replication it was.
    pub replication: u32,
    /// Its digest; `None`: it was interrupted.
    pub digest: Option<String>,
    /// The expectations, in the plan's order.
    pub judged: Vec<Judged>,
    /// The worst peers of each that failed.
    pub worst: Vec<Option<Worst>>,
    /// A front end that crashed without any expectation about it.
    pub unmentioned_crash: Option<String>,
}

/// Runs `plan` and keeps what a check wants to know. Where an expectation fails, the run is made a second time to see
/// which peers did worst.
///
/// # Errors
/// Those of `run`.
pub fn see(
    plan: &Plan,
    watch: &mut dyn Watch,
    run: impl Fn(&Plan, &mut dyn Watch) -> Result<Outcome, RunError>,
) -> Result<Seen, RunError> {
    let outcome = run(plan, watch)?;
    let judged = report::judge(plan, &outcome);
    let unmentioned_crash = report::unmentioned_crash(plan, &outcome).map(str::to_owned);
    let (digest, ended) = (outcome.digest.clone(), outcome.ended);
    drop(outcome);
    let failed = |judged: &Judged| judged.verdict == Verdict::Fail;
    let finder = |(judged, expectation): (&Judged, _)| {
        // What has to happen sometimes and did not is nobody's fault.
        if failed(judged) && !judged.sometimes { Finder::new(plan, expectation) } else { None }
    };
    let wanted: Vec<Option<Finder<'_>>> = judged.iter().zip(&plan.expect).map(finder).collect();
    let has: Vec<bool> = wanted.iter().map(Option::is_some).collect();
    let mut finding = Finding { inner: watch, finders: wanted.into_iter().flatten().collect() };
    if !finding.finders.is_empty() {
        run(plan, &mut finding)?;
    }
    let mut found = finding.finders.into_iter().map(|finder| finder.finish(ended));
    let worst = has.iter().map(|has| if *has { found.next().flatten() } else { None }).collect();
    Ok(Seen { replication: plan.replication, digest, judged, worst, unmentioned_crash })
}

/// One expectation over all replications.
#[derive(Clone, Debug)]
pub struct Weighed {
    /// As in the first replication of those that decide.
    pub judged: Judged,
    /// The replication that it is of.
    pub replication: u32,
    /// Its worst peers there.
    pub worst: Option<Worst>,
    /// How many replications gave this verdict.
    pub times: u32,
    /// The first of them.
    pub named: Vec<u32>,
}

impl Weighed {
    fn new(judged: Judged, replication: u32, worst: Option<Worst>) -> Weighed {
        Weighed { judged, replication, worst, times: 1, named: vec![replication] }
    }

    fn and(&mut self, other: Weighed) {
        let (own, new) = (self.judged.verdict, other.judged.verdict);
        if new == own {
            self.times += 1;
            if self.named.len() < NAMED {
                self.named.push(other.replication);
            }
        } else if (new > own) != self.judged.sometimes {
            *self = other;
        }
    }
}

/// A scenario after its runs.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// How many replications there were.
    pub replications: u32,
    /// The digest of each of them.
    pub digests: Vec<Option<String>>,
    /// Its expectations.
    pub expectations: Vec<Weighed>,
    /// A front end that crashed although no expectation is about that, and the replication.
    pub unmentioned_crash: Option<(String, u32)>,
}

impl Checked {
    /// Adds the next replication.
    pub fn add(&mut self, seen: Seen) {
        let Seen { replication, digest, judged, worst, unmentioned_crash } = seen;
        let new = judged.into_iter().zip(worst).map(|(judged, worst)| Weighed::new(judged, replication, worst));
        if self.replications == 0 {
            self.expectations = new.collect();
        } else {
            self.expectations.iter_mut().zip(new).for_each(|(own, new)| own.and(new));
        }
        self.replications += 1;
        self.digests.push(digest);
        if self.unmentioned_crash.is_none() {
            self.unmentioned_crash = unmentioned_crash.map(|front_end| (front_end, replication));
        }
    }

    /// The verdict on the scenario. One without expectations says nothing, so it is inconclusive (design rule 6).
    pub fn verdict(&self) -> Verdict {
        if self.unmentioned_crash.is_some() {
            return Verdict::Fail;
        }
        self.expectations.iter().map(|weighed| weighed.judged.verdict).max().unwrap_or(Verdict::Inconclusive)
    }

    /// How many expectations have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.expectations.iter().filter(|weighed| weighed.judged.verdict == verdict).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(replication: u32, verdicts: &[Verdict]) -> Seen {
        let judged = verdicts.iter().enumerate().map(|(n, verdict)| Judged {
            name: n.to_string(),
            text: String::new(),
            verdict: *verdict,
            observed: format!("in {replication}"),
            samples: None,
            why: None,
            sometimes: false,
        });
        Seen {
            replication,
            digest: Some(replication.to_string()),
            judged: judged.collect(),
            worst: vec![None; verdicts.len()],
            unmentioned_crash: None,
        }
    }

    #[test]
    fn one_replication_that_fails_fails_the_scenario_and_is_named() {
        let mut checked = Checked::default();
        for (n, verdict) in
            [Verdict::Pass, Verdict::Inconclusive, Verdict::Fail, Verdict::Pass, Verdict::Fail].into_iter().enumerate()
        {
            checked.add(seen(n as u32, &[Verdict::Pass, verdict]));
        }
        assert_eq!((checked.verdict(), checked.count(Verdict::Fail), checked.replications), (Verdict::Fail, 1, 5));
        let failed = &checked.expectations[1];
        assert_eq!((failed.times, failed.named.as_slice(), failed.judged.observed.as_str()), (2, &[2, 4][..], "in 2"));
        assert_eq!(checked.expectations[0].times, 5);
    }

    #[test]
    fn what_must_hold_sometimes_holds_if_it_does_in_one_replication() {
        for (verdicts, expected) in [
            ([Verdict::Fail, Verdict::Pass, Verdict::Fail], Verdict::Pass),
            ([Verdict::Fail, Verdict::Inconclusive, Verdict::Fail], Verdict::Inconclusive),
            ([Verdict::Fail; 3], Verdict::Fail),
        ] {
            let mut checked = Checked::default();
            for (n, verdict) in verdicts.into_iter().enumerate() {
                let mut seen = seen(n as u32, &[verdict]);
                seen.judged[0].sometimes = true;
                checked.add(seen);
            }
            assert_eq!(checked.verdict(), expected);
        }
    }

    #[test]
    fn no_expectation_is_not_a_pass() {
        let mut checked = Checked::default();
        checked.add(seen(0, &[]));
        assert_eq!(checked.verdict(), Verdict::Inconclusive);
    }

    #[test]
    fn a_crash_that_nobody_expects_fails_what_else_passes() {
        let mut checked = Checked::default();
        checked.add(seen(0, &[Verdict::Pass]));
        checked.add(Seen { unmentioned_crash: Some("fe01".to_owned()), ..seen(1, &[Verdict::Pass]) });
        assert_eq!((checked.verdict(), checked.unmentioned_crash), (Verdict::Fail, Some(("fe01".to_owned(), 1))));
    }
}
