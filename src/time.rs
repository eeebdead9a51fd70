//! Points and lengths of virtual time: unsigned nanoseconds.
//!
//! Knows arithmetic and how people write a length. Knows no clock: time 0 is what the run says it is.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A point on the run's clock: nanoseconds since run time 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Time(pub u64);

/// A length of virtual time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Span(pub u64);

impl Time {
    /// Run time 0.
    pub const ZERO: Time = Time(0);
    /// Later than anything that happens: "no such moment". No run's horizon may reach it.
    pub const NEVER: Time = Time(u64::MAX);

    /// The length from `earlier` to `self`; zero if `earlier` is not earlier.
    #[inline]
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// One microsecond.
    pub const MICROSECOND: Span = Span(1_000);
    /// One millisecond.
    pub const MILLISECOND: Span = Span(1_000_000);
    /// One second.
    pub const SECOND: Span = Span(1_000_000_000);
    /// One minute.
    pub const MINUTE: Span = Span(60_000_000_000);
    /// One hour.
    pub const HOUR: Span = Span(3_600_000_000_000);
    /// One day of 24 hours.
    pub const DAY: Span = Span(86_400_000_000_000);

    /// `n` times this length, saturating.
    #[inline]
    pub const fn times(self, n: u64) -> Span {
        Span(self.0.saturating_mul(n))
    }

    /// Half of it, rounded down: the way one exchange takes in each direction.
    #[inline]
    pub const fn half(self) -> Span {
        Span(self.0 / 2)
    }
}

/// Saturating: a sum past the end of the clock is [`Time::NEVER`], which no run reaches.
impl Add<Span> for Time {
    type Output = Time;
    #[inline]
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    #[inline]
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Span;
    #[inline]
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    #[inline]
    fn add_assign(&mut self, other: Span) {
        *self = *self + other;
    }
}

/// As people read it, exact to the nanosecond where that is short: `1d 2m 5.003s`, `250ms`, `1.5us`, `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0;
        if ns < Span::SECOND.0 {
            return match ns {
                0 => f.write_str("0s"),
                1..1_000 => write!(f, "{ns}ns"),
                1_000..1_000_000 => write!(f, "{}us", decimal(ns, 3)),
                _ => write!(f, "{}ms", decimal(ns, 6)),
            };
        }
        let (days, rest) = (ns / Span::DAY.0, ns % Span::DAY.0);
        let (hours, rest) = (rest / Span::HOUR.0, rest % Span::HOUR.0);
        let (minutes, rest) = (rest / Span::MINUTE.0, rest % Span::MINUTE.0);
        let mut gap = "";
        for (n, unit) in [(days, "d"), (hours, "h"), (minutes, "m")] {
            if n > 0 {
                write!(f, "{gap}{n}{unit}")?;
                gap = " ";
            }
        }
        if rest > 0 {
            write!(f, "{gap}{}s", decimal(rest, 9))?;
        }
        Ok(())
    }
}

/// A point of run time reads as its length since run time 0.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Time::NEVER { f.write_str("never") } else { Span(self.0).fmt(f) }
    }
}

/// `n / 10^places` without trailing zeros.
fn decimal(n: u64, places: u32) -> String {
    let unit = 10u64.pow(places);
    let (whole, part) = (n / unit, n % unit);
    if part == 0 {
        return whole.to_string();
    }
    let part = format!("{part:0width$}", width = places as usize);
    format!("{whole}.{}", part.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        for (ns, text) in [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5us"),
            (250_000_000, "250ms"),
            (86_525_000_000_000, "1d 2m 5s"),
            (60_000_000_001, "1m 0.000000001s"),
        ] {
            assert_eq!(Span(ns).to_string(), text);
        }
    }

    #[test]
    fn sums_past_the_end_of_the_clock_are_never() {
        assert_eq!(Time(u64::MAX - 1) + Span::DAY, Time::NEVER);
        assert_eq!(Time(5).since(Time(9)), Span::ZERO);
    }
}
