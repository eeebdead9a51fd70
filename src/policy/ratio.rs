//! Exact numbers of policies: shares, factors and rates, without floating point.

use std::fmt;

use crate::time::Span;

/// A number of zero or more as a fraction of two whole numbers, lowest terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ratio {
    num: u32,
    den: u32, // at least 1
}

impl Ratio {
    /// One.
    pub const ONE: Ratio = Ratio { num: 1, den: 1 };

    /// `num / den` in lowest terms.
    ///
    /// # Panics
    /// If `den` is 0.
    pub const fn new(num: u32, den: u32) -> Ratio {
        assert!(den > 0, "a ratio divides by something");
        let divisor = gcd(num, den);
        Ratio { num: num / divisor, den: den / divisor }
    }

    /// So many hundredths.
    pub const fn percent(n: u32) -> Ratio {
        Ratio::new(n, 100)
    }

    /// Numerator and denominator.
    pub const fn parts(self) -> (u32, u32) {
        (self.num, self.den)
    }

    /// `span` times this number, rounded down; saturating.
    #[inline]
    pub fn of(self, span: Span) -> Span {
        let product = u128::from(span.0) * u128::from(self.num) / u128::from(self.den);
        Span(u64::try_from(product).unwrap_or(u64::MAX))
    }

    /// One plus this number; `None`: too large for its parts.
    pub fn above_one(self) -> Option<Ratio> {
        Some(Ratio { num: self.num.checked_add(self.den)?, den: self.den })
    }

    /// One minus this number, at least 0.
    pub fn below_one(self) -> Ratio {
        Ratio { num: self.den.saturating_sub(self.num), den: self.den }
    }

    /// Whether it is less than `other`.
    pub fn is_below(self, other: Ratio) -> bool {
        u64::from(self.num) * u64::from(other.den) < u64::from(other.num) * u64::from(self.den)
    }

    /// As a decimal number if that is exact, such as `1.6`.
    pub fn decimal(self) -> Option<String> {
        let mut text = (self.num / self.den).to_string();
        let mut rest = u64::from(self.num % self.den);
        if rest > 0 {
            text.push('.');
        }
        for _ in 0..DECIMALS_MAX {
            if rest == 0 {
                return Some(text);
            }
            rest *= 10;
            text.push(char::from(b'0' + (rest / u64::from(self.den)) as u8));
            rest %= u64::from(self.den);
        }
        (rest == 0).then_some(text)
    }
}

/// Longest decimal: a denominator of 32 bits that divides a power of ten divides 10^31.
const DECIMALS_MAX: u32 = 31;

const fn gcd(a: u32, b: u32) -> u32 {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

/// Longest percentage: nine digits and a point, as many as are read.
const PERCENT_MAX: usize = 10;

/// As a share: `20%` where that is exact and short, else `1/97`.
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divisor = gcd(100, self.den);
        let hundredfold = self.num.checked_mul(100 / divisor).map(|num| Ratio::new(num, self.den / divisor));
        match hundredfold.and_then(Ratio::decimal) {
            Some(percent) if percent.len() <= PERCENT_MAX => write!(f, "{percent}%"),
            Some(_) | None => write!(f, "{}/{}", self.num, self.den),
        }
    }
}

/// So many in every stretch of time, such as `10/s`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many; [`Rate::COUNT_MAX`] at most.
    pub count: u32,
    /// In how long; more than zero.
    pub per: Span,
}

impl Rate {
    /// Most in one stretch.
    pub const COUNT_MAX: u32 = 1_000_000_000;

    /// So many in a second.
    pub const fn per_second(count: u32) -> Rate {
        Rate { count, per: Span::SECOND }
    }

    /// Time from one to the next where they follow each other evenly, rounded up so that the rate is never exceeded;
    /// [`Span`] of all ones for a rate of zero.
    pub fn interval(self) -> Span {
        if self.count == 0 { Span(u64::MAX) } else { Span(self.per.0.div_ceil(u64::from(self.count))) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = self.per.to_string();
        // `10/s` rather than `10/1s`.
        match per.strip_prefix('1') {
            Some(unit) if unit.starts_with(|c: char| c.is_alphabetic()) => write!(f, "{}/{unit}", self.count),
            _ => write!(f, "{}/{per}", self.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_read_as_people_write_them() {
        for (ratio, text) in [
            (Ratio::percent(20), "20%"),
            (Ratio::new(1, 97), "1/97"),
            (Ratio::new(1, 8), "12.5%"),
            (Ratio::new(0, 5), "0%"),
            (Ratio::new(3, 2), "150%"),
            (Ratio::new(1, u32::MAX), "1/4294967295"),
            (Ratio::new(u32::MAX, 1), "4294967295/1"),
            (Ratio::new(1, 4096), "1/4096"),
        ] {
            assert_eq!(ratio.to_string(), text);
        }
        assert_eq!(Ratio::new(16, 10).decimal().as_deref(), Some("1.6"));
        assert_eq!(Ratio::new(1, 3).decimal(), None);
        assert_eq!(Ratio::new(1, 1 << 31).decimal().map(|text| text.len()), Some(33));
    }

    #[test]
    fn products_round_down_and_saturate() {
        assert_eq!(Ratio::new(8, 5).of(Span(3)), Span(4));
        assert_eq!(Ratio::new(u32::MAX, 1).of(Span(u64::MAX)), Span(u64::MAX));
        assert!(Ratio::new(1, 3).is_below(Ratio::new(1, 2)) && !Ratio::ONE.is_below(Ratio::ONE));
    }

    #[test]
    fn a_rate_is_never_exceeded_by_its_interval() {
        assert_eq!(Rate::per_second(3).interval(), Span(333_333_334));
        assert_eq!(Rate { count: 0, per: Span::SECOND }.interval(), Span(u64::MAX));
        assert_eq!([Rate::per_second(10).to_string(), Rate { count: 1, per: Span(5) }.to_string()], ["10/s", "1/5ns"]);
        assert_eq!(Rate { count: 7, per: Span::HOUR.times(10) }.to_string(), "7/10h");
    }
}
