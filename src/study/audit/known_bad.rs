//! Logic that is known to be bad: each with its defect and with what it does in virtual time.

use crate::dist::{self, Dist};
use crate::measure::{Answered, Outcome, Tags};
use crate::policy::{Growth, Jitter, Reconnect};
use crate::scenario::{GroupPlan, Plan};
use crate::sim::{self, Programs, RunError, Watch};
use crate::time::Span;
use crate::validate::{Builtin, Defect, Defective, Phase, Validator, ValidatorMaker};

/// What kind of logic it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Judges peers.
    Validator,
    /// Says when connections are refreshed.
    RefreshPolicy,
    /// Says how peers come back.
    ReconnectPolicy,
}

impl Kind {
    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Validator => "validator",
            Kind::RefreshPolicy => "refresh policy",
            Kind::ReconnectPolicy => "reconnect policy",
        }
    }
}

macro_rules! known_bad {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $kind:expr, $defect:literal, $effect:literal, $needs:literal;)*) => {
        /// A known-bad logic: the scenario's own with one defect.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum KnownBad { $($(#[$doc])* $variant),* }

        impl KnownBad {
            /// All of them.
            pub const ALL: &'static [KnownBad] = &[$(KnownBad::$variant),*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(KnownBad::$variant => $name),* }
            }

            /// What kind of logic it is.
            pub fn kind(self) -> Kind {
                match self { $(KnownBad::$variant => $kind),* }
            }

            /// What is wrong with it.
            pub fn defect(self) -> &'static str {
                match self { $(KnownBad::$variant => $defect),* }
            }

            /// What that does in virtual time.
            pub fn effect(self) -> &'static str {
                match self { $(KnownBad::$variant => $effect),* }
            }

            /// What a scenario must have for it to show.
            pub fn needs(self) -> &'static str {
                match self { $(KnownBad::$variant => $needs),* }
            }
        }
    };
}

known_bad! {
    /// The fault of 2015.
    AssumesTls = "assumes-tls", Kind::Validator,
        "at refresh it reads the certificate without looking at the transport",
        "the process dies by 0xc0000005 at the first refresh of a peer without a certificate",
        "a refresh in place of a peer without a certificate";
    /// A comparison that should be one with "or equal".
    SkipsExactAge = "skips-exact-age", Kind::RefreshPolicy,
        "a connection whose age is exactly `refresh.every` is left out",
        "its refresh comes a whole period later, and is no due until then",
        "a refresh at an age of exactly `refresh.every`: with anchor own-age and no spread, or `start = \"established\"`";
    /// A leak.
    FaultsAfterMany = "faults-after-many", Kind::Validator,
        "it keeps something of each refresh until there is no memory left",
        "the process dies by 0xc0000017 at half of the refreshes that an incarnation sees here",
        "refreshes in place";
    /// A check that is none.
    AcceptsAnyone = "accepts-anyone", Kind::Validator,
        "it answers yes where it should say no",
        "no time is lost: peers that should be refused are valid",
        "a peer that should be refused";
    /// A wait for what never comes.
    BlocksOnMissing = "blocks-on-missing", Kind::Validator,
        "at refresh it waits for the certificate of a peer that has none",
        "each such refresh takes a minute more and holds its worker, unless `validation.verdict_wait` frees it",
        "a refresh in place of a peer without a certificate";
    /// A herd that stays one.
    NoJitter = "no-jitter", Kind::ReconnectPolicy,
        "chance does nothing to the waits of peers that come back",
        "peers that lost their connections together try again together, at the mean of each wait",
        "a loss or a failed attempt, and waits in `group.reconnect` that chance has a part in";
    /// A search that looks at everyone.
    CostGrows = "cost-grows", Kind::Validator,
        "it looks a peer up by going through the whole table",
        "each validation takes 10us of CPU more for each peer of the scenario",
        "a validation";
    /// Names as texts.
    CaseSensitive = "case-sensitive", Kind::Validator,
        "it compares names with regard to capitals",
        "no time is lost: a peer whose certificate has its name in other letters is refused",
        "a certificate that has the name in other letters only (`group.names`)";
    /// One name of many.
    SubjectOnly = "subject-only", Kind::Validator,
        "it reads the certificate's subject and ignores the pool's other names",
        "no time is lost: a peer that only an alternative name stands for is refused",
        "a certificate that names a peer among its alternative names alone (`group.names`)";
    /// A date read once.
    TrustsExpired = "trusts-expired", Kind::Validator,
        "at refresh it does not look at the certificate's dates again",
        "no time is lost: a connection outlives its certificate until it is made anew",
        "a certificate that expires before a refresh in place (`group.validity`)";
}

/// CPU that [`KnownBad::CostGrows`] takes for each peer of the scenario: one comparison of long names, with what goes
/// with it, on a slow machine. It is chosen so that a thousand peers take 10 ms.
const FOR_EACH_PEER: Span = Span(10_000);

impl KnownBad {
    /// Whether a scenario's own logic has the same defect.
    pub fn is_in(self, plan: &Plan) -> bool {
        self == KnownBad::AssumesTls && plan.validator == Builtin::Sfb2015Rtm && plan.outside.is_none()
    }

    /// Runs a plan with it in place of the plan's own logic, of which the outcome is known.
    pub(super) fn run(
        self,
        plan: &Plan,
        own: &Outcome,
        programs: &dyn Programs,
        watch: &mut dyn Watch,
    ) -> Result<Outcome, RunError> {
        let run = |plan: &Plan, watch| sim::run_by(plan, programs, watch);
        let defect = match self {
            KnownBad::AssumesTls => Defect::AssumesTls,
            KnownBad::FaultsAfterMany => Defect::Leaks(half_of_an_incarnation(own)),
            KnownBad::AcceptsAnyone => Defect::AcceptsAnyone,
            KnownBad::BlocksOnMissing => Defect::BlocksOnMissing,
            KnownBad::CaseSensitive => Defect::CaseSensitive,
            KnownBad::SubjectOnly => Defect::SubjectOnly,
            KnownBad::TrustsExpired => Defect::TrustsExpired,
            KnownBad::SkipsExactAge => return run(&Plan { skips_exact_age: true, ..plan.clone() }, watch),
            KnownBad::NoJitter => return run(&without_jitter(plan), watch),
            KnownBad::CostGrows => return run(&with_growing_cost(plan), watch),
        };
        match plan.outside {
            None => sim::run_with(plan, &Made { base: plan.validator, defect }, watch),
            Some(_) => programs.lend(plan, &mut |program| sim::run_with(plan, &MadeOver { program, defect }, watch)),
        }
    }
}

/// Makes a validator with a defect, with the scenario's own logic of that time below it.
struct Made {
    base: Builtin,
    defect: Defect,
}

impl ValidatorMaker for Made {
    fn make(&self, _: usize, _: u32) -> Box<dyn Validator> {
        Box::new(Defective::new(self.base, self.defect))
    }

    fn make_patched(&self, _: usize, _: u32, patched: Builtin) -> Box<dyn Validator> {
        Box::new(Defective::new(patched, self.defect))
    }
}

/// Puts a defect over a program of the user's own.
struct MadeOver<'a> {
    program: &'a dyn ValidatorMaker,
    defect: Defect,
}

impl ValidatorMaker for MadeOver<'_> {
    fn make(&self, front_end: usize, incarnation: u32) -> Box<dyn Validator> {
        Box::new(Defective::over(self.program.make(front_end, incarnation), self.defect))
    }
}

/// Half of the refreshes in place that an incarnation was asked about, at least 1.
fn half_of_an_incarnation(own: &Outcome) -> u64 {
    let cells: Vec<u16> = (0..own.cells.plans.len() as u16).collect();
    let asked = |verdict| {
        let tags = Tags { phase: Some(Phase::Refresh), verdict: Some(verdict), ..Tags::default() };
        own.questions.total(&cells, &tags)
    };
    let incarnations: u64 = own.front_ends.iter().map(|front_end| u64::from(front_end.incarnations)).sum();
    (Answered::ALL.map(asked).iter().sum::<u64>() / incarnations.max(1) / 2).max(1)
}

fn with_growing_cost(plan: &Plan) -> Plan {
    let more = FOR_EACH_PEER.times(plan.peers());
    let grown = |cpu: &Dist| Dist::Constant(Span(mean(cpu).0.saturating_add(more.0).min(dist::MAX.0)));
    let group = |of: &GroupPlan| GroupPlan {
        validate_accept: grown(&of.validate_accept),
        validate_refresh: grown(&of.validate_refresh),
        ..of.clone()
    };
    Plan { groups: plan.groups.iter().map(group).collect(), ..plan.clone() }
}

fn without_jitter(plan: &Plan) -> Plan {
    let group = |of: &GroupPlan| GroupPlan { reconnect: in_step(&of.reconnect), ..of.clone() };
    Plan { groups: plan.groups.iter().map(group).collect(), ..plan.clone() }
}

/// A reconnect policy in which everybody's waits are alike.
fn in_step(reconnect: &Reconnect) -> Reconnect {
    let mut reconnect = reconnect.clone();
    reconnect.first = Dist::Constant(mean(&reconnect.first));
    reconnect.delay = Dist::Constant(mean(&reconnect.delay));
    if let Some(backoff) = &mut reconnect.backoff {
        backoff.base = Dist::Constant(mean(&backoff.base));
        backoff.jitter = Jitter::None;
        if backoff.growth == Growth::Decorrelated {
            backoff.growth = Growth::Fixed;
        }
    }
    reconnect
}

/// The mean of a distribution, to whole nanoseconds; [`dist::MAX`] if it has none.
fn mean(dist: &Dist) -> Span {
    let longest = dist::MAX.0;
    match dist {
        Dist::Constant(span) => *span,
        other => Span(other.mean().map_or(longest, |mean| (mean as u64).min(longest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_everything_is_said_of_each() {
        let names: std::collections::BTreeSet<&str> = KnownBad::ALL.iter().map(|bad| bad.name()).collect();
        assert_eq!(names.len(), KnownBad::ALL.len());
        for bad in KnownBad::ALL {
            assert!(!bad.defect().is_empty() && !bad.effect().is_empty() && !bad.needs().is_empty());
        }
    }

    #[test]
    fn a_mean_is_whole_and_never_beyond_the_longest_length() {
        assert_eq!(mean(&Dist::Constant(Span(7))), Span(7));
        assert_eq!(mean(&Dist::uniform(Span(2), Span(8)).expect("a range")), Span(5));
        let endless = Dist::pareto(Span(1), 0.5).expect("a tail");
        assert_eq!(mean(&endless), dist::MAX);
    }
}
