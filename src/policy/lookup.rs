//! Look-ups that a validation waits for, such as a revocation list or DNS: what one takes and what it comes to (model
//! rule 4).
//!
//! Knows settings, time-outs and shares. Does not know who waits, what is cached or what is under way.

use std::fmt;

use super::tls::Ratio;
use crate::dist::Dist;
use crate::time::{Span, Time};

/// Windows CryptoAPI gives up the retrieval of one URL after this: `CERT_CHAIN_URL_RETRIEVAL_TIMEOUT_MILLISECONDS_DEFAULT`
/// in wincrypt.h.
pub const CRYPTOAPI_TIMEOUT: Span = Span(15 * Span::SECOND.0);

/// And all retrievals of revocation data for one chain together after this:
/// `CERT_CHAIN_REV_ACCUMULATIVE_URL_RETRIEVAL_TIMEOUT_MILLISECONDS_DEFAULT` in wincrypt.h.
pub const CRYPTOAPI_TOTAL: Span = Span(20 * Span::SECOND.0);

/// The most look-ups of a scenario: their positions have four bits.
pub const LOOKUPS_MAX: usize = 16;

/// What a worker does while its job waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Waiting {
    /// It stays held, without a core.
    #[default]
    Blocking,
    /// It is freed; the job rejoins the queue when the wait is over.
    Freeing,
}

/// Who shares an answer, among those that one front end serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// Everybody.
    FrontEnd,
    /// The peers of a group.
    Group,
    /// Nobody: each peer has its own.
    Peer,
}

/// What it means that no answer came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFailure {
    /// The validation goes on as if the answer were good.
    SoftFail,
    /// The peer is rejected.
    HardFail,
}

/// A share from 0 to 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// At most the denominator.
    pub numerator: u32,
    /// At least 1.
    pub denominator: u32,
}

impl Share {
    /// Nothing.
    pub const NONE: Share = Share { numerator: 0, denominator: 1 };
    /// All.
    pub const ALL: Share = Share { numerator: 1, denominator: 1 };

    /// Whether a uniform draw of 64 bits falls into this share.
    pub fn has(self, bits: u64) -> bool {
        u128::from(bits) * u128::from(self.denominator) < u128::from(self.numerator) << 64
    }

    /// So much of a length, rounded down.
    pub fn of(self, span: Span) -> Span {
        let part = u128::from(span.0) * u128::from(self.numerator) / u128::from(self.denominator.max(1));
        Span(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

/// How long each kind of answer is kept; zero: not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lives {
    /// A good answer.
    pub positive: Span,
    /// An answer that says no.
    pub negative: Span,
    /// That no answer came, and that this was let pass.
    pub soft_fail: Span,
}

/// How the other side is.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// As the settings say.
    Well,
    /// Its latency is a multiple of what the settings say.
    Slower(Ratio),
    /// Its latency is another one.
    Slow(Dist),
    /// No answer comes: that is noticed after so long, or by the time-out alone.
    Failing(Option<Dist>),
}

/// One kind of look-up.
#[derive(Clone, PartialEq, Debug)]
pub struct Lookup {
    /// Its name; unique. Its draws hang on it.
    pub name: String,
    /// What it is, in words; nothing depends on it.
    pub kind: Option<String>,
    /// From a question to its answer.
    pub latency: Dist,
    /// Share of fetches that end without an answer.
    pub failure: Share,
    /// Share of answers that say no.
    pub negative: Share,
    /// A fetch that takes longer has failed; `None`: it never gives up.
    pub timeout: Option<Span>,
    /// What the worker does meanwhile.
    pub mode: Waiting,
    /// Whether a second question joins a fetch of the same key that is under way.
    pub single_flight: bool,
    /// How long answers are kept.
    pub lives: Lives,
    /// Who shares them.
    pub key: Sharing,
    /// Whether validations of new connections make it.
    pub accept: bool,
    /// Whether refreshes in place make it.
    pub refresh: bool,
    /// Whether peers over TCP need it.
    pub tcp: bool,
    /// Whether peers over TLS need it.
    pub tls: bool,
    /// Which share of the job's CPU comes before it.
    pub cpu_before: Share,
    /// What it means that no answer came.
    pub on_failure: OnFailure,
    /// How the other side is, from when on; in order of time. Before the first it is well.
    pub changes: Vec<(Time, Condition)>,
}

/// All look-ups of a scenario, and what holds for them together.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lookups {
    /// At most [`LOOKUPS_MAX`].
    pub each: Vec<Lookup>,
    /// Most time that one validation spends on look-ups; `None`: without end.
    pub total: Option<Span>,
    /// What a worker does while a verdict's own wait lasts.
    pub of_verdict: Waiting,
}

/// What a look-up came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Found {
    /// All is well.
    Positive = 0,
    /// The answer says no.
    Negative = 1,
    /// No answer, and that was noticed.
    Failed = 2,
    /// No answer within the time-out.
    TimedOut = 3,
}

impl Found {
    /// All, in order of their numbers.
    pub const ALL: [Found; 4] = [Found::Positive, Found::Negative, Found::Failed, Found::TimedOut];

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Found::Positive => "good",
            Found::Negative => "the answer says no",
            Found::Failed => "no answer",
            Found::TimedOut => "timed out",
        }
    }
}

impl Lookup {
    /// A blocking look-up before anything else is computed that takes `latency`, never fails and is not kept.
    pub fn new(name: &str, latency: Dist) -> Lookup {
        Lookup {
            name: name.to_owned(),
            kind: None,
            latency,
            failure: Share::NONE,
            negative: Share::NONE,
            timeout: Some(CRYPTOAPI_TIMEOUT),
            mode: Waiting::Blocking,
            single_flight: false,
            lives: Lives::default(),
            key: Sharing::Group,
            accept: true,
            refresh: true,
            tcp: true,
            tls: true,
            cpu_before: Share::NONE,
            on_failure: OnFailure::SoftFail,
            changes: Vec::new(),
        }
    }

    /// How the other side is at `now`.
    pub fn condition(&self, now: Time) -> &Condition {
        let changed = self.changes.partition_point(|(at, _)| *at <= now);
        self.changes[..changed].last().map_or(&Condition::Well, |(_, condition)| condition)
    }

    /// What a fetch that begins at `now` takes and comes to, when it may take `most` beside its own time-out; `None`: it
    /// never ends. The draws are of its latency, of whether it fails and of whether its answer says no.
    ///
    /// An answer at the very instant of the time-out is in time.
    pub fn fetch(&self, now: Time, most: Option<Span>, bits: [u64; 3]) -> Option<(Span, Found)> {
        let latency = self.latency.sample(bits[0]);
        let (takes, fails) = match self.condition(now) {
            Condition::Well => (Some(latency), false),
            Condition::Slower(ratio) => (Some(Span(ratio.of(latency.0))), false),
            Condition::Slow(dist) => (Some(dist.sample(bits[0])), false),
            Condition::Failing(noticed) => (noticed.as_ref().map(|dist| dist.sample(bits[0])), true),
        };
        let limit = [self.timeout, most].into_iter().flatten().min();
        match (takes, limit) {
            (Some(takes), limit) if limit.is_none_or(|limit| takes <= limit) => {
                let found = if fails || self.failure.has(bits[1]) {
                    Found::Failed
                } else if self.negative.has(bits[2]) {
                    Found::Negative
                } else {
                    Found::Positive
                };
                Some((takes, found))
            }
            (_, Some(limit)) => Some((limit, Found::TimedOut)),
            (_, None) => None,
        }
    }

    /// How long what was found is kept.
    pub fn life(&self, found: Found) -> Span {
        match (found, self.on_failure) {
            (Found::Positive, _) => self.lives.positive,
            (Found::Negative, _) => self.lives.negative,
            (Found::Failed | Found::TimedOut, OnFailure::SoftFail) => self.lives.soft_fail,
            (Found::Failed | Found::TimedOut, OnFailure::HardFail) => Span::ZERO,
        }
    }

    /// Whether a fetch has to be remembered at all.
    pub fn remembers(&self) -> bool {
        self.single_flight || self.lives != Lives::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = Span::SECOND.0;

    fn constant(seconds: u64) -> Dist {
        Dist::Constant(Span(seconds * SECOND))
    }

    #[test]
    fn rule_04_an_answer_at_the_time_out_is_in_time_and_a_nanosecond_later_is_not() {
        let at = |latency: u64| Lookup::new("crl", Dist::Constant(Span(latency))).fetch(Time::ZERO, None, [0, 1, 1]);
        assert_eq!(at(15 * SECOND), Some((CRYPTOAPI_TIMEOUT, Found::Positive)));
        assert_eq!(at(15 * SECOND + 1), Some((CRYPTOAPI_TIMEOUT, Found::TimedOut)));
        let never = Lookup {
            timeout: None,
            changes: vec![(Time(5), Condition::Failing(None))],
            ..Lookup::new("x", constant(1))
        };
        assert_eq!(never.fetch(Time(5), None, [0; 3]), None);
        assert_eq!(never.fetch(Time(5), Some(Span(7)), [0; 3]), Some((Span(7), Found::TimedOut)));
        assert_eq!(never.fetch(Time(4), None, [0; 3]), Some((Span::SECOND, Found::Positive)));
    }

    #[test]
    fn rule_04_the_last_change_so_far_says_how_the_other_side_is() {
        let lookup = Lookup {
            changes: vec![
                (Time(10), Condition::Slower(Ratio { numerator: 3, denominator: 1 })),
                (Time(20), Condition::Slow(constant(9))),
                (Time(30), Condition::Failing(Some(constant(4)))),
                (Time(40), Condition::Well),
            ],
            ..Lookup::new("dns", constant(2))
        };
        let at = |ns| lookup.fetch(Time(ns), None, [0; 3]).map(|(took, found)| (took.0 / SECOND, found));
        let seen = [9, 10, 20, 30, 40].map(at);
        let (good, bad) = (Found::Positive, Found::Failed);
        assert_eq!(seen, [(2, good), (6, good), (9, good), (4, bad), (2, good)].map(Some));
    }

    #[test]
    fn a_share_has_as_many_draws_as_it_says() {
        let third = Share { numerator: 1, denominator: 3 };
        assert!(third.has(u64::MAX / 3) && !third.has(u64::MAX / 3 + 1));
        assert!(Share::ALL.has(u64::MAX) && !Share::NONE.has(0));
        assert_eq!((third.of(Span(8)), Share::ALL.of(Span(u64::MAX))), (Span(2), Span(u64::MAX)));
    }
}
