//! Distributions of lengths of virtual time: 64 random bits in, one [`Span`] out.
//!
//! Each kind inverts its distribution function, so that one draw gives one length, more bits give no less, and there
//! is nothing to reject. Constants are exact; every other length is at least 1 ns and at most [`MAX`]: the real number
//! is rounded down and 1 ns is added, so that nothing random takes no time. Knows nothing of where bits come from:
//! [`crate::rng`] does.

use std::fmt;

use crate::rng::unit;
use crate::time::Span;

pub mod normal;

/// The longest length that a draw gives and a parameter may have: 2^62 ns, 146 years.
///
/// A draw beyond it counts as it; far beyond any run's horizon, and two of them still add up without saturating.
pub const MAX: Span = Span(1 << 62);

/// A distribution of lengths of virtual time.
///
/// Made by the constructors, which check their parameters and work out what each draw needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Dist {
    /// Always the same length, exact; any, also zero.
    Constant(Span),
    /// Every whole nanosecond of a range alike.
    Uniform(Uniform),
    /// Without memory.
    Exponential(Exponential),
    /// The exponential of a normal variate.
    LogNormal(LogNormal),
    /// A power law above a minimum.
    Pareto(Pareto),
    /// A power of an exponential variate.
    Weibull(Weibull),
    /// Measured percentiles, with straight lines between them.
    Empirical(Empirical),
}

/// The parameters of [`Dist::uniform`].
#[derive(Clone, Debug, PartialEq)]
pub struct Uniform {
    low: Span,  // as given
    high: Span, // low..=MAX
    least: u64, // the least length drawn: `low`, but at least 1 unless `high` is 0 too
    count: u64, // how many lengths there are, 1..=2^62 + 1
}

/// The parameter of [`Dist::exponential`].
#[derive(Clone, Debug, PartialEq)]
pub struct Exponential {
    mean: Span,
    mean_ns: f64,
}

/// The parameters of [`Dist::lognormal_median_percentile`] and [`Dist::lognormal_mean_sd`].
#[derive(Clone, Debug, PartialEq)]
pub struct LogNormal {
    median_ns: f64,
    sigma: f64, // the standard deviation of the logarithm, above 0
    given: Given,
}

/// How a lognormal was described, to describe it so again.
#[derive(Clone, Debug, PartialEq)]
enum Given {
    MedianPercentile { median: Span, percentile: f64, at: Span },
    MeanSd { mean: Span, sd: Span },
}

/// The parameters of [`Dist::pareto`].
#[derive(Clone, Debug, PartialEq)]
pub struct Pareto {
    minimum: Span,
    minimum_ns: f64,
    shape: f64,
    power: f64, // -1/shape
}

/// The parameters of [`Dist::weibull`].
#[derive(Clone, Debug, PartialEq)]
pub struct Weibull {
    scale: Span,
    scale_ns: f64,
    shape: f64,
    power: f64, // 1/shape
}

/// The table of [`Dist::empirical`].
#[derive(Clone, Debug, PartialEq)]
pub struct Empirical {
    knots: Box<[Knot]>, // at least two; the first at probability 0, the last at 1
}

/// One point of the table and the slope to the next one.
#[derive(Clone, Debug, PartialEq)]
struct Knot {
    probability: f64,
    at: u64,    // ns
    slope: f64, // ns by probability until the next knot; 0 at the last
}

/// Why a distribution cannot be made; each names the value and what would be accepted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DistError {
    /// A length that must not be zero is.
    #[error("the {what} is 0s; it must be at least 1ns (for no time at all: constant 0s)")]
    Zero {
        /// The parameter.
        what: &'static str,
    },
    /// A length is beyond [`MAX`].
    #[error("the {what} is {value}; it must be at most {MAX}")]
    TooLong {
        /// The parameter.
        what: &'static str,
        /// Its value.
        value: Span,
    },
    /// The upper end of a range is below the lower one.
    #[error("the upper end is {high}; it must be at least the lower end, {low}")]
    Reversed {
        /// The lower end.
        low: Span,
        /// The upper end.
        high: Span,
    },
    /// A shape is not a number that shapes anything.
    #[error("the shape is {value}; it must be a finite number above 0")]
    Shape {
        /// The shape.
        value: f64,
    },
    /// A percentile does not lie above the median.
    #[error("the percentile is {value}; it must be above 0.5 and below 1, such as 0.99")]
    Percentile {
        /// The percentile, as a probability.
        value: f64,
    },
    /// A percentile's length leaves no room above the median.
    #[error("the percentile lies at {at}; it must lie above the median, {median}")]
    NotAboveMedian {
        /// The median.
        median: Span,
        /// The percentile's length.
        at: Span,
    },
    /// A table is too short to draw a line in.
    #[error("the table has {points} point(s); it must have at least 2, the first at 0 and the last at 1")]
    TooFewPoints {
        /// How many it has.
        points: usize,
    },
    /// A table does not start at probability 0.
    #[error("the first point's probability is {value}; it must be 0")]
    FirstProbability {
        /// The first probability.
        value: f64,
    },
    /// A table does not end at probability 1.
    #[error("the last point's probability is {value}; it must be 1")]
    LastProbability {
        /// The last probability.
        value: f64,
    },
    /// A table's probabilities do not rise.
    #[error("the probability of point {point} is {value}; it must be above the one before it, {before}")]
    ProbabilityOrder {
        /// The point's place in the table, from 1.
        point: usize,
        /// The probability before it.
        before: f64,
        /// Its probability.
        value: f64,
    },
    /// A table's lengths fall.
    #[error("the length of point {point} is {value}; it must be at least the one before it, {before}")]
    LengthOrder {
        /// The point's place in the table, from 1.
        point: usize,
        /// The length before it.
        before: Span,
        /// Its length.
        value: Span,
    },
}

/// Constructors. A constant needs none: `Dist::Constant(span)` takes any length.
impl Dist {
    /// Every whole nanosecond from `low` to `high` alike, both included.
    ///
    /// With `low` equal to `high` that length, exact, also zero; otherwise a `low` of zero counts as 1 ns.
    pub fn uniform(low: Span, high: Span) -> Result<Dist, DistError> {
        if high < low {
            return Err(DistError::Reversed { low, high });
        }
        at_most_max("upper end", high)?;
        let least = if high == Span::ZERO { 0 } else { low.0.max(1) };
        Ok(Dist::Uniform(Uniform { low, high, least, count: high.0 - least + 1 }))
    }

    /// Exponential with `mean` in 1 ns..=[`MAX`]: `floor(-ln(1 - U) * mean) + 1`.
    pub fn exponential(mean: Span) -> Result<Dist, DistError> {
        let mean_ns = positive("mean", mean)?;
        Ok(Dist::Exponential(Exponential { mean, mean_ns }))
    }

    /// Lognormal by its median and one percentile: a share `percentile` (above 0.5, below 1) of lengths is below `at`.
    ///
    /// `floor(median * exp(sigma * z)) + 1` with z the normal quantile of a U that is never 0 or 1.
    pub fn lognormal_median_percentile(median: Span, percentile: f64, at: Span) -> Result<Dist, DistError> {
        let median_ns = positive("median", median)?;
        let at_ns = positive("percentile's length", at)?;
        if !(percentile > 0.5 && percentile < 1.0) {
            return Err(DistError::Percentile { value: percentile });
        }
        // Compared as what is computed with: two lengths that are one f64 leave no room either.
        if at_ns <= median_ns {
            return Err(DistError::NotAboveMedian { median, at });
        }
        let sigma = libm::log(at_ns / median_ns) / normal::quantile(percentile);
        let given = Given::MedianPercentile { median, percentile, at };
        Ok(Dist::LogNormal(LogNormal { median_ns, sigma, given }))
    }

    /// Lognormal by the mean and the standard deviation of the lengths themselves, both in 1 ns..=[`MAX`].
    ///
    /// `sigma^2 = ln(1 + (sd / mean)^2)` and `median = mean / sqrt(1 + (sd / mean)^2)`; drawn as by median and percentile.
    pub fn lognormal_mean_sd(mean: Span, sd: Span) -> Result<Dist, DistError> {
        let mean_ns = positive("mean", mean)?;
        let ratio = positive("standard deviation", sd)? / mean_ns;
        let sigma = libm::log1p(ratio * ratio).sqrt();
        let median_ns = mean_ns / (1.0 + ratio * ratio).sqrt();
        Ok(Dist::LogNormal(LogNormal { median_ns, sigma, given: Given::MeanSd { mean, sd } }))
    }

    /// Pareto with `minimum` in 1 ns..=[`MAX`] and a finite `shape` above 0: `floor(minimum * (1 - U)^(-1 / shape)) + 1`.
    ///
    /// The mean is infinite up to shape 1, the variance up to 2, the fourth moment up to 4.
    pub fn pareto(minimum: Span, shape: f64) -> Result<Dist, DistError> {
        let minimum_ns = positive("minimum", minimum)?;
        let power = -1.0 / checked_shape(shape)?;
        Ok(Dist::Pareto(Pareto { minimum, minimum_ns, shape, power }))
    }

    /// Weibull with `scale` in 1 ns..=[`MAX`] and a finite `shape` above 0: `floor(scale * (-ln(1 - U))^(1 / shape)) + 1`.
    ///
    /// Shape 1 is exponential; below 1 has the heavier tail.
    pub fn weibull(scale: Span, shape: f64) -> Result<Dist, DistError> {
        let scale_ns = positive("scale", scale)?;
        let power = 1.0 / checked_shape(shape)?;
        Ok(Dist::Weibull(Weibull { scale, scale_ns, shape, power }))
    }

    /// Straight lines between percentile points (probability, length): probabilities rise strictly from 0 to 1.
    ///
    /// Lengths never fall and end at most at [`MAX`]. Where two neighbours are equal, that length is drawn exactly
    /// (zero as 1 ns); between others a draw lies above the lower and at most at the upper one.
    pub fn empirical(points: &[(f64, Span)]) -> Result<Dist, DistError> {
        let [(first, _), .., (last, longest)] = *points else {
            return Err(DistError::TooFewPoints { points: points.len() });
        };
        if first != 0.0 {
            return Err(DistError::FirstProbability { value: first });
        }
        for (pair, point) in points.windows(2).zip(2..) {
            let ((before, shorter), (value, longer)) = (pair[0], pair[1]);
            // NaN is above nothing.
            if value.partial_cmp(&before) != Some(std::cmp::Ordering::Greater) {
                return Err(DistError::ProbabilityOrder { point, before, value });
            }
            if longer < shorter {
                return Err(DistError::LengthOrder { point, before: shorter, value: longer });
            }
        }
        if last != 1.0 {
            return Err(DistError::LastProbability { value: last });
        }
        at_most_max("last point's length", longest)?;
        let slopes = points.windows(2).map(|pair| (pair[1].1.0 - pair[0].1.0) as f64 / (pair[1].0 - pair[0].0));
        let knots = points.iter().zip(slopes.chain([0.0]));
        let knots = knots.map(|(&(probability, at), slope)| Knot { probability, at: at.0, slope }).collect();
        Ok(Dist::Empirical(Empirical { knots }))
    }
}

impl Dist {
    /// Returns the length that 64 random bits stand for; never less for more bits.
    ///
    /// A constant is exact; every other length is in 1 ns..=[`MAX`], but for a uniform from zero to zero. Any bits will
    /// do, also all zeros and all ones. The uniform takes all 64 bits, the others the top 53, the lognormal 52.
    #[inline]
    pub fn sample(&self, bits: u64) -> Span {
        match self {
            Dist::Constant(span) => *span,
            Dist::Uniform(d) => Span(d.least + high_product(bits, d.count)),
            Dist::Exponential(d) => d.at(unit(bits)),
            Dist::LogNormal(d) => d.at(open_unit(bits)),
            Dist::Pareto(d) => d.at(unit(bits)),
            Dist::Weibull(d) => d.at(unit(bits)),
            Dist::Empirical(d) => d.at(unit(bits)),
        }
    }

    /// Returns the length that a share `p` of draws stays at or below, rounded as draws are.
    ///
    /// `p` is held to 0..=1, NaN counts as 0; at 1, [`MAX`] where there is no longest length.
    pub fn quantile(&self, p: f64) -> Span {
        let p = if p > 0.0 { p.min(1.0) } else { 0.0 };
        match self {
            Dist::Constant(span) => *span,
            // As drawn by the bits that p is a fraction of; 1 saturates to all ones.
            Dist::Uniform(d) => Span(d.least + high_product((p * 18_446_744_073_709_551_616.0) as u64, d.count)),
            Dist::Exponential(d) => d.at(p),
            Dist::LogNormal(d) => d.at(p),
            Dist::Pareto(d) => d.at(p),
            Dist::Weibull(d) => d.at(p),
            Dist::Empirical(d) => d.at(p),
        }
    }

    /// Returns the mean in ns before rounding to whole ns and holding to [`MAX`]; `None` if infinite or beyond an `f64`.
    pub fn mean(&self) -> Option<f64> {
        let mean = match self {
            Dist::Constant(span) => span.0 as f64,
            // Halves first, for the sum of two lengths need not fit an f64's 53 bits where each does.
            Dist::Uniform(d) => d.least as f64 * 0.5 + d.high.0 as f64 * 0.5,
            Dist::Exponential(d) => d.mean_ns,
            Dist::LogNormal(d) => match d.given {
                Given::MeanSd { mean, .. } => mean.0 as f64,
                Given::MedianPercentile { .. } => d.median_ns * libm::exp(0.5 * d.sigma * d.sigma),
            },
            Dist::Pareto(d) if d.shape <= 1.0 => f64::INFINITY,
            Dist::Pareto(d) => d.minimum_ns + d.minimum_ns / (d.shape - 1.0),
            Dist::Weibull(d) => d.scale_ns * libm::tgamma(1.0 + d.power),
            Dist::Empirical(d) => {
                let line = |pair: &[Knot]| {
                    (pair[1].probability - pair[0].probability) * 0.5 * (pair[0].at as f64 + pair[1].at as f64)
                };
                d.knots.windows(2).map(line).sum()
            }
        };
        mean.is_finite().then_some(mean)
    }

    /// Returns the same distribution of lengths `num / den` times as long, rounded down to whole ns but not to zero; `None`:
    /// one would be longer than [`MAX`], or `den` is 0.
    pub fn scaled(&self, num: u32, den: u32) -> Option<Dist> {
        let long = |span: Span| {
            let product = u128::from(span.0) * u128::from(num);
            let length = u64::try_from(product.checked_div(u128::from(den))?).ok()?;
            Some(Span(length.max(u64::from(span.0 > 0 && num > 0))))
        };
        let made = match self {
            Dist::Constant(span) => return long(*span).filter(|span| *span <= MAX).map(Dist::Constant),
            Dist::Uniform(d) => Dist::uniform(long(d.low)?, long(d.high)?),
            Dist::Exponential(d) => Dist::exponential(long(d.mean)?),
            Dist::LogNormal(d) => match d.given {
                Given::MedianPercentile { median, percentile, at } => {
                    Dist::lognormal_median_percentile(long(median)?, percentile, long(at)?)
                }
                Given::MeanSd { mean, sd } => Dist::lognormal_mean_sd(long(mean)?, long(sd)?),
            },
            Dist::Pareto(d) => Dist::pareto(long(d.minimum)?, d.shape),
            Dist::Weibull(d) => Dist::weibull(long(d.scale)?, d.shape),
            Dist::Empirical(d) => {
                let point = |knot: &Knot| Some((knot.probability, long(Span(knot.at))?));
                Dist::empirical(&d.knots.iter().map(point).collect::<Option<Vec<_>>>()?)
            }
        };
        made.ok()
    }

    /// Whether the fourth moment is finite, without which a sample's variance says little.
    pub fn fourth_moment_finite(&self) -> bool {
        !matches!(self, Dist::Pareto(d) if d.shape <= 4.0)
    }
}

impl Exponential {
    #[inline]
    fn at(&self, u: f64) -> Span {
        // 1 - u is exact for every drawn u and never 0.
        rounded_up(-libm::log(1.0 - u) * self.mean_ns)
    }
}

impl LogNormal {
    #[inline]
    fn at(&self, u: f64) -> Span {
        rounded_up(self.median_ns * libm::exp(self.sigma * normal::quantile(u)))
    }
}

impl Pareto {
    #[inline]
    fn at(&self, u: f64) -> Span {
        rounded_up(self.minimum_ns * libm::pow(1.0 - u, self.power))
    }
}

impl Weibull {
    #[inline]
    fn at(&self, u: f64) -> Span {
        rounded_up(self.scale_ns * libm::pow(-libm::log(1.0 - u), self.power))
    }
}

impl Empirical {
    #[inline]
    fn at(&self, u: f64) -> Span {
        // The first knot lies at 0; the last one starts no line, so that 1 belongs to the line before it.
        let inner = &self.knots[1..self.knots.len() - 1];
        let line = inner.partition_point(|knot| knot.probability <= u);
        let (knot, next) = (&self.knots[line], &self.knots[line + 1]);
        let along = rounded_up((u - knot.probability) * knot.slope);
        Span((knot.at + along.0).min(next.at).max(1))
    }
}

/// As a scenario file writes it: `exponential 500us`, `lognormal median 1ms p99 9ms`, `empirical p0 1ms p50 2ms p100 9ms`.
impl fmt::Display for Dist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dist::Constant(span) => write!(f, "constant {span}"),
            Dist::Uniform(d) => write!(f, "uniform {}..{}", d.low, d.high),
            Dist::Exponential(d) => write!(f, "exponential {}", d.mean),
            Dist::LogNormal(d) => match &d.given {
                Given::MedianPercentile { median, percentile, at } => {
                    write!(f, "lognormal median {median} {} {at}", percent(*percentile))
                }
                Given::MeanSd { mean, sd } => write!(f, "lognormal mean {mean} sd {sd}"),
            },
            Dist::Pareto(d) => write!(f, "pareto min {} shape {}", d.minimum, d.shape),
            Dist::Weibull(d) => write!(f, "weibull scale {} shape {}", d.scale, d.shape),
            Dist::Empirical(d) => {
                f.write_str("empirical")?;
                d.knots.iter().try_for_each(|knot| write!(f, " {} {}", percent(knot.probability), Span(knot.at)))
            }
        }
    }
}

/// A length in ns, 1 ns..=[`MAX`], for the real number `x`: the whole below plus 1; NaN and what is below 0 give 1.
#[inline]
fn rounded_up(x: f64) -> Span {
    Span((x as u64).min(MAX.0 - 1) + 1)
}

/// The high word of the 128-bit product: maps 64 random bits to `0..count`, uneven by at most 2^-64 a number.
#[inline]
fn high_product(bits: u64, count: u64) -> u64 {
    ((u128::from(bits) * u128::from(count)) >> 64) as u64
}

/// The top 52 of 64 random bits as a number in (0, 1): the middles of 2^52 steps, exact, and as far from 0 as from 1.
///
/// For what is infinite at both ends; with 53 bits the last middle would round to 1.
#[inline]
fn open_unit(bits: u64) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 52) as f64;
    ((bits >> 12) as f64 + 0.5) * STEP
}

/// A probability as a percentile: 0.999 is `p99.9`. Moves the point in the decimal text, where 0.57 * 100 would not be 57.
fn percent(probability: f64) -> String {
    let text = format!("{probability:.2}");
    let exact = probability.to_string();
    let text = if exact.len() > text.len() { exact } else { text };
    let (whole, part) = text.split_once('.').unwrap_or((&text, "00"));
    let (hundredths, rest) = part.split_at(2);
    let number = format!("{whole}{hundredths}");
    let number = number.trim_start_matches('0');
    let number = if number.is_empty() { "0" } else { number };
    if rest.is_empty() { format!("p{number}") } else { format!("p{number}.{rest}") }
}

/// The length in ns, if it is in 1 ns..=[`MAX`].
fn positive(what: &'static str, span: Span) -> Result<f64, DistError> {
    if span == Span::ZERO {
        return Err(DistError::Zero { what });
    }
    at_most_max(what, span)?;
    Ok(span.0 as f64)
}

fn at_most_max(what: &'static str, value: Span) -> Result<(), DistError> {
    if value > MAX { Err(DistError::TooLong { what, value }) } else { Ok(()) }
}

fn checked_shape(value: f64) -> Result<f64, DistError> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(DistError::Shape { value }) }
}

#[cfg(test)]
mod tests;
