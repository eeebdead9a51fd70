//! How waits grow from failure to failure, and what chance does to them (model rule 14).
//!
//! A wait is a function of how many failures there were and of the peer's own draws: there is nothing to keep. All in
//! whole nanoseconds; growth has 32 binary places more, so that many small steps do not lose what they should add up to.

use std::borrow::Cow;

use super::ratio::Ratio;
use crate::dist::{self, Dist};
use crate::time::Span;

/// How the wait after the n-th failure follows from the first one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Growth {
    /// Not at all: always `base`.
    Fixed,
    /// `base + n · step`.
    Linear(Span),
    /// `base · factorⁿ`; the factor is at least [`FACTOR_MIN`] and at most [`FACTOR_MAX`].
    Exponential(Ratio),
    /// These, one after the other, the last one again and again; not empty. There is no base.
    List(Cow<'static, [Span]>),
    /// Evenly between `base` and three times the wait before, which is `base` at first: the decorrelated jitter of the
    /// AWS Architecture Blog. Takes no other jitter.
    Decorrelated,
}

/// What chance does to a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Jitter {
    /// Nothing.
    None,
    /// Evenly from nothing to the wait.
    Full,
    /// Evenly from half of the wait to the wait: "equal" at AWS, "50 to 100 %" in RFC 5626.
    Equal,
    /// Evenly within so large a share of the wait, below and above it.
    TwoSided(Ratio),
    /// Evenly from the wait to so large a share of it more.
    Later(Ratio),
    /// Evenly from so large a share of the wait less to the wait.
    Earlier(Ratio),
}

/// Which comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JitterAt {
    /// Jitter, then the cap: whatever chance puts above the cap sits exactly at it.
    BeforeCap,
    /// The cap, then jitter: a wait may be longer than the cap.
    AfterCap,
}

/// A back-off.
#[derive(Clone, PartialEq, Debug)]
pub struct Backoff {
    /// The first wait; one draw a peer for the whole run.
    pub base: Dist,
    /// How waits grow.
    pub growth: Growth,
    /// The longest wait, but for jitter after it; `None`: [`dist::MAX`].
    pub cap: Option<Span>,
    /// What chance does to each wait.
    pub jitter: Jitter,
    /// Whether that is before the cap or after it.
    pub jitter_at: JitterAt,
    /// Whether the first wait has jitter too.
    pub jitter_first: bool,
    /// Only so many waits have jitter, counted from the first; `None`: all.
    pub jitter_tries: Option<u16>,
}

/// The least factor of [`Growth::Exponential`]: with it, no more than 4,400 steps lead from 1 ns to the longest length.
pub const FACTOR_MIN: Ratio = Ratio::new(101, 100);
/// The largest factor: any that is larger is beyond the longest length after a few steps.
pub const FACTOR_MAX: Ratio = Ratio::new(1_000, 1);

impl Backoff {
    /// The same wait each time, without jitter.
    pub fn fixed(base: Dist) -> Backoff {
        Backoff {
            base,
            growth: Growth::Fixed,
            cap: None,
            jitter: Jitter::None,
            jitter_at: JitterAt::AfterCap,
            jitter_first: true,
            jitter_tries: None,
        }
    }

    /// The wait after failure number `n`, 0 = the first: `base` is what the peer's base is drawn from, `bits(k)` the
    /// peer's draw for its k-th wait.
    ///
    /// At most [`dist::MAX`], or the jitter's share above the cap if it comes after that.
    pub fn wait(&self, n: u16, base: impl FnOnce() -> u64, bits: impl Fn(u16) -> u64) -> Span {
        let base = match &self.base {
            Dist::Constant(span) => *span,
            drawn => drawn.sample(base()),
        };
        let cap = self.cap.unwrap_or(dist::MAX).min(dist::MAX);
        if self.growth == Growth::Decorrelated {
            return decorrelated(base, cap, n, &bits);
        }
        let grown = self.growth.at(base, n, cap);
        if self.jitter == Jitter::None || (n == 0 && !self.jitter_first) || self.jitter_tries.is_some_and(|t| n >= t) {
            return grown.min(cap);
        }
        match self.jitter_at {
            JitterAt::BeforeCap => self.jitter.of(grown, bits(n)).min(cap),
            JitterAt::AfterCap => self.jitter.of(grown.min(cap), bits(n)),
        }
    }
}

impl Growth {
    /// The wait of step `n` without jitter; what is beyond `cap` by far need not be exact.
    ///
    /// Jitter before the cap may bring a wait down to half of what it was or to nothing: so growth goes on for a while
    /// beyond the cap, up to the longest length that there is.
    fn at(&self, base: Span, n: u16, cap: Span) -> Span {
        match self {
            Growth::Fixed | Growth::Decorrelated => base,
            Growth::Linear(step) => (base + step.times(u64::from(n))).min(dist::MAX),
            Growth::List(waits) => {
                let last = waits.len().saturating_sub(1);
                waits.get(usize::from(n).min(last)).copied().unwrap_or(cap)
            }
            Growth::Exponential(factor) => exponential(base, *factor, n),
        }
    }
}

/// Binary places that growth is carried with.
const PLACES: u32 = 32;

/// `base · factorⁿ`, each step rounded down at 2^-32 ns, at most [`dist::MAX`].
fn exponential(base: Span, factor: Ratio, n: u16) -> Span {
    let (num, den) = factor.parts();
    let max = u128::from(dist::MAX.0) << PLACES;
    let mut wait = (u128::from(base.0) << PLACES).min(max);
    for _ in 0..n {
        // 94 bits times 32: it fits.
        let next = wait * u128::from(num) / u128::from(den);
        if next >= max || next == wait {
            wait = next.min(max);
            break;
        }
        wait = next;
    }
    Span((wait >> PLACES) as u64)
}

impl Jitter {
    /// The wait that `bits` make of `wait`: every whole nanosecond of the range alike, at least 1 ns unless `wait` is 0.
    #[inline]
    pub fn of(self, wait: Span, bits: u64) -> Span {
        let (low, high) = match self {
            Jitter::None => return wait,
            Jitter::Full => (Span::ZERO, wait),
            Jitter::Equal => (Span(wait.0 / 2), wait),
            Jitter::TwoSided(share) => (Span(wait.0 - share.of(wait).0.min(wait.0)), wait + share.of(wait)),
            Jitter::Later(share) => (wait, wait + share.of(wait)),
            Jitter::Earlier(share) => (Span(wait.0 - share.of(wait).0.min(wait.0)), wait),
        };
        between(low, high, bits)
    }
}

/// Evenly from `low` to `high`, both included; nothing random takes no time.
#[inline]
fn between(low: Span, high: Span, bits: u64) -> Span {
    let low = low.0.max(1).min(high.0);
    let count = u128::from(high.0 - low) + 1;
    Span(low + ((u128::from(bits) * count) >> 64) as u64)
}

/// One step of decorrelated jitter.
#[inline]
fn decorrelated_step(base: Span, cap: Span, before: Span, bits: u64) -> Span {
    between(base, before.times(3).min(dist::MAX).max(base), bits).min(cap)
}

/// Steps that are looked back at first; most chains have met by then.
const LOOK_BACK: u16 = 64;

/// Wait number `n` of decorrelated jitter, from the draws alone: each depends on the one before.
///
/// It is the same function of the wait before for all, and never falls where that rises. So from some earlier step on,
/// whatever the wait was then lies between the chains that start there at the least and at the largest wait; once these
/// have met, as they do at the cap sooner or later, they are the wait. That bounds the work for a peer that failed often.
fn decorrelated(base: Span, cap: Span, n: u16, bits: &impl Fn(u16) -> u64) -> Span {
    let mut back = LOOK_BACK;
    loop {
        let start = n.saturating_sub(back);
        let (mut low, mut high) = (base.min(cap), if start == 0 { base.min(cap) } else { cap });
        for k in start..=n {
            let bits = bits(k);
            low = decorrelated_step(base, cap, low, bits);
            high = decorrelated_step(base, cap, high, bits);
        }
        if low == high || start == 0 {
            return low;
        }
        back = back.saturating_mul(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::mix;
    use crate::rng::GOLDEN;

    const DRAWS: u64 = 20_000;

    fn seconds(n: u64) -> Dist {
        Dist::Constant(Span::SECOND.times(n))
    }

    /// Bits for peer `peer` and its k-th wait.
    fn bits(peer: u64) -> impl Fn(u16) -> u64 {
        move |k| mix(mix(peer.wrapping_mul(GOLDEN)) ^ u64::from(k).wrapping_mul(GOLDEN))
    }

    fn grpc() -> Backoff {
        Backoff {
            growth: Growth::Exponential(Ratio::new(8, 5)),
            cap: Some(Span::SECOND.times(120)),
            jitter: Jitter::TwoSided(Ratio::percent(20)),
            ..Backoff::fixed(seconds(1))
        }
    }

    /// Waits of many peers after failure `n`.
    fn sample(policy: &Backoff, n: u16) -> Vec<Span> {
        (0..DRAWS).map(|peer| policy.wait(n, || 0, bits(peer))).collect()
    }

    /// Holds the share of waits at or below `edge` to `p`: the count is binomial, so within 5 standard deviations.
    #[track_caller]
    fn share_is(waits: &[Span], edge: f64, p: f64) {
        let count = waits.iter().filter(|wait| wait.0 as f64 <= edge).count() as f64;
        let n = waits.len() as f64;
        let bound = 5.0 * (n * p * (1.0 - p)).sqrt();
        assert!((count - n * p).abs() <= bound, "{count} of {n} up to {edge} ns, {} ± {bound} expected", n * p);
    }

    /// Holds waits to U(low, high) in seconds: its ends and nine quantiles.
    #[track_caller]
    fn is_uniform(waits: &[Span], low: f64, high: f64) {
        let (least, most) = (waits.iter().min().unwrap().0 as f64 / 1e9, waits.iter().max().unwrap().0 as f64 / 1e9);
        assert!(least >= low - 1e-9 && most <= high + 1e-9, "{least}..{most} is not within {low}..{high}");
        for tenth in 1..10 {
            let p = f64::from(tenth) / 10.0;
            share_is(waits, (low + p * (high - low)) * 1e9, p);
        }
    }

    #[test]
    fn rule_14_grpc_waits_min_of_1s_times_1_6_to_the_n_and_120s_times_0_8_to_1_2() {
        for n in 0..14u16 {
            let wait = libm::pow(1.6, f64::from(n)).min(120.0);
            is_uniform(&sample(&grpc(), n), 0.8 * wait, 1.2 * wait);
        }
        // Jitter after the cap: a wait may be 144 s.
        share_is(&sample(&grpc(), 40), 120e9, 0.5);
    }

    #[test]
    fn rule_14_without_jitter_at_first_the_first_wait_is_the_base_to_the_nanosecond() {
        let go = Backoff { jitter_first: false, ..grpc() };
        assert!(sample(&go, 0).iter().all(|wait| *wait == Span::SECOND));
        is_uniform(&sample(&go, 1), 1.28, 1.92);
    }

    #[test]
    fn rule_14_growth_without_jitter_is_exact_where_the_formula_is() {
        let plain = Backoff { jitter: Jitter::None, ..grpc() };
        let of = |n| plain.wait(n, || 0, |_| unreachable!("nothing is drawn")).0;
        // 1.6^9 s is a whole number of ns; 1.6^10 s is 109951162777.6 ns.
        assert_eq!([of(0), of(1), of(9), of(10)], [1_000_000_000, 1_600_000_000, 68_719_476_736, 109_951_162_777]);
        assert_eq!([of(11), of(u16::MAX)], [120_000_000_000; 2]);
    }

    #[test]
    fn rule_14_rfc_5626_waits_half_to_all_of_min_of_1800s_and_base_times_2_to_the_failures() {
        for base in [30u64, 90] {
            // The count of failures is 1 at the first wait.
            let policy = Backoff {
                growth: Growth::Exponential(Ratio::new(2, 1)),
                cap: Some(Span::SECOND.times(1_800)),
                jitter: Jitter::Equal,
                ..Backoff::fixed(seconds(2 * base))
            };
            for failures in 1..9u16 {
                let w = (base as f64 * libm::pow(2.0, f64::from(failures))).min(1800.0);
                is_uniform(&sample(&policy, failures - 1), 0.5 * w, w);
            }
        }
    }

    #[test]
    fn rule_14_full_and_equal_jitter_are_those_of_the_aws_simulator() {
        let aws = |jitter| Backoff {
            growth: Growth::Exponential(Ratio::new(2, 1)),
            cap: Some(Span::SECOND.times(60)),
            jitter,
            ..Backoff::fixed(seconds(1))
        };
        for n in 0..9u16 {
            let v = libm::pow(2.0, f64::from(n)).min(60.0);
            is_uniform(&sample(&aws(Jitter::Full), n), 0.0, v);
            is_uniform(&sample(&aws(Jitter::Equal), n), v / 2.0, v);
        }
    }

    #[test]
    fn rule_14_decorrelated_jitter_is_a_chain_of_uniform_draws_of_base_to_three_times_the_last() {
        let (base, cap) = (Span::SECOND, Span::SECOND.times(20));
        let policy = Backoff { growth: Growth::Decorrelated, cap: Some(cap), ..Backoff::fixed(seconds(1)) };
        is_uniform(&sample(&policy, 0), 1.0, 3.0);
        // The second: U(1, 3·S) with S = U(1, 3); P(≤ x) = E[(x − 1)/(3S − 1)] = (x − 1)/2 · ln(8/2)/3 for 1 ≤ x ≤ 3.
        share_is(&sample(&policy, 1), 2e9, libm::log(4.0) / 6.0);
        for peer in 0..200 {
            let mut before = base;
            for n in 0..400u16 {
                let straight = decorrelated_step(base, cap, before, bits(peer)(n));
                assert_eq!(policy.wait(n, || 0, bits(peer)), straight, "peer {peer}, wait {n}");
                before = straight;
            }
        }
    }

    #[test]
    fn rule_14_a_long_decorrelated_chain_needs_few_draws() {
        let policy =
            Backoff { growth: Growth::Decorrelated, cap: Some(Span::SECOND.times(30)), ..Backoff::fixed(seconds(5)) };
        for peer in 0..200 {
            let drawn = std::cell::Cell::new(0u32);
            let counting = |k| {
                drawn.set(drawn.get() + 1);
                bits(peer)(k)
            };
            let wait = policy.wait(60_000, || 0, counting);
            assert!(wait >= Span::SECOND.times(5) && wait <= Span::SECOND.times(30));
            assert!(drawn.get() < 2_000, "{} draws", drawn.get());
        }
    }

    #[test]
    fn rule_14_jitter_before_the_cap_leaves_half_of_the_clients_exactly_at_the_cap() {
        // Kafka's clients: min(1000, 50·2^n·U(0.8, 1.2)) ms. At n = 20 nearly all, at 1000 ms without jitter half of them.
        let policy = |cap_ms| Backoff {
            growth: Growth::Exponential(Ratio::new(2, 1)),
            cap: Some(Span::MILLISECOND.times(cap_ms)),
            jitter: Jitter::TwoSided(Ratio::percent(20)),
            jitter_at: JitterAt::BeforeCap,
            ..Backoff::fixed(Dist::Constant(Span::MILLISECOND.times(50)))
        };
        let waits = sample(&policy(800), 4);
        share_is(&waits, 800e6 - 1.0, 0.5);
        assert_eq!(waits.iter().max(), Some(&Span::MILLISECOND.times(800)));
        assert!(sample(&policy(1000), 20).iter().all(|wait| *wait == Span::SECOND));
        // U(640, 960) at n = 4 lies below its cap of 1 s: nothing is clipped.
        is_uniform(&sample(&policy(1000), 4), 0.64, 0.96);
    }

    #[test]
    fn rule_14_later_and_earlier_jitter_go_one_way() {
        let fixed = |jitter| Backoff { jitter, ..Backoff::fixed(seconds(10)) };
        is_uniform(&sample(&fixed(Jitter::Later(Ratio::percent(10))), 7), 10.0, 11.0);
        is_uniform(&sample(&fixed(Jitter::Earlier(Ratio::percent(25))), 7), 7.5, 10.0);
        is_uniform(&sample(&fixed(Jitter::Later(Ratio::ONE)), 7), 10.0, 20.0);
        let some = Backoff { jitter_tries: Some(2), ..fixed(Jitter::Full) };
        is_uniform(&sample(&some, 1), 0.0, 10.0);
        assert!(sample(&some, 2).iter().all(|wait| *wait == Span::SECOND.times(10)));
    }

    #[test]
    fn rule_14_linear_and_listed_waits_go_up_to_their_end() {
        let of = |policy: &Backoff, n| policy.wait(n, || 0, |_| 0);
        let linear =
            Backoff { growth: Growth::Linear(Span(7)), cap: Some(Span(30)), ..Backoff::fixed(Dist::Constant(Span(2))) };
        assert_eq!([0, 1, 4, 5, u16::MAX].map(|n| of(&linear, n).0), [2, 9, 30, 30, 30]);
        let listed = Backoff {
            growth: Growth::List(Cow::Borrowed(&[Span(0), Span(2), Span(10)])),
            ..Backoff::fixed(Dist::Constant(Span::ZERO))
        };
        assert_eq!([0, 1, 2, 3, u16::MAX].map(|n| of(&listed, n).0), [0, 2, 10, 10, 10]);
    }

    #[test]
    fn the_base_is_one_draw_a_peer() {
        let base = Dist::uniform(Span::SECOND, Span::SECOND.times(5)).unwrap();
        let policy = Backoff { growth: Growth::Exponential(Ratio::new(13, 10)), ..Backoff::fixed(base.clone()) };
        for draw in [0, 1 << 63, u64::MAX] {
            let first = policy.wait(0, || draw, |_| 0);
            assert_eq!((first, policy.wait(1, || draw, |_| 0)), (base.sample(draw), Ratio::new(13, 10).of(first)));
        }
    }

    #[test]
    fn no_setting_and_no_draw_overflows() {
        let extremes = [Span::ZERO, Span(1), dist::MAX];
        let jitters = [
            Jitter::None,
            Jitter::Full,
            Jitter::Equal,
            Jitter::TwoSided(Ratio::ONE),
            Jitter::Later(Ratio::new(u32::MAX, 1)),
            Jitter::Earlier(Ratio::ONE),
        ];
        for base in extremes {
            for growth in [
                Growth::Fixed,
                Growth::Linear(dist::MAX),
                Growth::Exponential(FACTOR_MIN),
                Growth::Exponential(FACTOR_MAX),
                Growth::Decorrelated,
            ] {
                for (jitter, jitter_at) in jitters.into_iter().zip([JitterAt::BeforeCap, JitterAt::AfterCap].repeat(3))
                {
                    for cap in [None, Some(Span::ZERO), Some(dist::MAX)] {
                        let policy = Backoff {
                            growth: growth.clone(),
                            cap,
                            jitter,
                            jitter_at,
                            ..Backoff::fixed(Dist::Constant(base))
                        };
                        for n in [0, 1, 100, u16::MAX] {
                            for bits in [0, u64::MAX] {
                                policy.wait(n, || 0, |_| bits);
                            }
                        }
                    }
                }
            }
        }
    }
}
