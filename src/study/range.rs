//! Ranges of a scenario's values: `2..16`, `100ms..10s`, `0%..50%`, `10/s..500/s`, in whole steps of their own unit.
//!
//! Knows how people write numbers. Does not know what they are for: a value goes back into the scenario as text.

use crate::scenario;
use crate::time::Span;

/// Parts of one in which numbers with a point are counted.
const DECIMALS: u64 = 1_000_000;
/// Significant digits of a value between the ends of a logarithmic range, or drawn from a range.
const DIGITS: u32 = 4;

/// What a number of a range counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Whole things.
    Count,
    /// Nanoseconds.
    Length,
    /// Parts per million.
    Percent,
    /// So many in a stretch of time, whose text this is.
    Rate(String),
    /// Parts per million of one: a number with a point.
    Decimal,
}

impl Unit {
    /// Reads a number with its unit; `None`: it is none that a range could have.
    pub fn parse(text: &str) -> Option<(u64, Unit)> {
        let text = text.trim();
        if let Ok(whole) = text.parse::<u64>() {
            return (!text.starts_with('+')).then_some((whole, Unit::Count));
        }
        if let Some(percent) = text.strip_suffix('%') {
            return Some((decimal(percent.trim_end(), 4)?, Unit::Percent));
        }
        if let Some((count, per)) = text.split_once('/') {
            let count = count.trim().parse().ok()?;
            return per.contains(char::is_alphabetic).then(|| (count, Unit::Rate(per.trim().to_owned())));
        }
        if text.contains('.')
            && let Some(parts) = decimal(text, 6)
        {
            return Some((parts, Unit::Decimal));
        }
        scenario::length(text).map(|span| (span.0, Unit::Length))
    }

    /// A number as a scenario file writes it; [`Unit::parse`] gives it back.
    pub fn text(&self, units: u64) -> String {
        match self {
            Unit::Count => units.to_string(),
            Unit::Length => Span(units).to_string(),
            Unit::Percent => format!("{}%", pointed(units, 10_000)),
            Unit::Rate(per) => format!("{units}/{per}"),
            Unit::Decimal => {
                let text = pointed(units, DECIMALS);
                if text.contains('.') { text } else { format!("{text}.0") }
            }
        }
    }
}

/// A number with at most `places` decimals, in units of the last of them.
fn decimal(text: &str, places: u32) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = part.trim_end_matches('0');
    if !is_digits(whole) || text.ends_with('.') || part.len() > places as usize || !(part.is_empty() || is_digits(part))
    {
        return None;
    }
    let scale = 10u64.pow(places);
    let part: u64 = format!("{part:0<width$}", width = places as usize).parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part)
}

fn pointed(units: u64, scale: u64) -> String {
    let (whole, part) = (units / scale, units % scale);
    let width = scale.ilog10() as usize;
    let part = format!("{part:0width$}");
    let part = part.trim_end_matches('0');
    if part.is_empty() { whole.to_string() } else { format!("{whole}.{part}") }
}

/// From one number to another of the same unit, both included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// The least, in units.
    pub low: u64,
    /// The greatest; more than `low`.
    pub high: u64,
    /// Their unit.
    pub unit: Unit,
}

impl Range {
    /// Reads `low..high`; `None`: it is no range of numbers at all.
    ///
    /// # Errors
    /// Two numbers that are no range, in words.
    pub fn parse(text: &str) -> Option<Result<Range, String>> {
        let (low, high) = text.split_once("..")?;
        let ((low_units, low_unit), (high_units, high_unit)) = (Unit::parse(low)?, Unit::parse(high)?);
        let is_zero = |units: u64, unit: &Unit| units == 0 && *unit == Unit::Count;
        let unit = match (low_unit, high_unit) {
            (low, high) if low == high => low,
            // 0..10s, 1..2.5: the unit of the other end is meant.
            (low, high) if is_zero(low_units, &low) => high,
            (Unit::Count, Unit::Decimal) => {
                return Some(Range::between(low_units.saturating_mul(DECIMALS), high_units, Unit::Decimal, text));
            }
            (Unit::Decimal, Unit::Count) => {
                return Some(Range::between(low_units, high_units.saturating_mul(DECIMALS), Unit::Decimal, text));
            }
            _ => return Some(Err(format!("the ends of {text} have different units"))),
        };
        Some(Range::between(low_units, high_units, unit, text))
    }

    fn between(low: u64, high: u64, unit: Unit, text: &str) -> Result<Range, String> {
        if low < high {
            Ok(Range { low, high, unit })
        } else {
            Err(format!("{text} does not go up: write the lower end first"))
        }
    }

    /// A number of it as text.
    pub fn text(&self, units: u64) -> String {
        self.unit.text(units)
    }

    /// `count` values with even distances, the ends among them; fewer where whole units do not give that many.
    pub fn linear(&self, count: u64) -> Vec<u64> {
        let (gaps, width) = (u128::from(count.max(2) - 1), u128::from(self.high - self.low));
        let at = |n: u64| self.low + ((u128::from(n) * width + gaps / 2) / gaps) as u64;
        let mut values: Vec<u64> = (0..count.max(2)).map(at).collect();
        values.dedup();
        values
    }

    /// `count` values with even ratios, the ends among them; `None`: it begins at zero.
    pub fn logarithmic(&self, count: u64) -> Option<Vec<u64>> {
        let gaps = (count.max(2) - 1) as f64;
        let last = count.max(2) - 1;
        let inner = (1..last).map(|n| self.ratio_between(n as f64 / gaps)).collect::<Option<Vec<u64>>>()?;
        (self.low > 0).then_some(())?;
        let mut values = [&[self.low][..], &inner, &[self.high]].concat();
        values.dedup();
        Some(values)
    }

    /// The value at a share of the way by ratios; `None`: it begins at zero.
    pub fn ratio_between(&self, share: f64) -> Option<u64> {
        if self.low == 0 {
            return None;
        }
        let (low, high) = (libm::log(self.low as f64), libm::log(self.high as f64));
        let value = libm::round(libm::exp(low + share * (high - low))) as u64;
        Some(short(value).clamp(self.low, self.high))
    }

    /// The value at a share of the way, each whole unit as likely as the others where shares are drawn evenly.
    pub fn between_evenly(&self, share: f64) -> u64 {
        let width = (self.high - self.low) as f64 + 1.0;
        let value = self.low.saturating_add(libm::floor(share * width) as u64).min(self.high);
        if self.unit == Unit::Count { value } else { short(value).clamp(self.low, self.high) }
    }
}

/// Rounded to a few significant digits.
fn short(value: u64) -> u64 {
    let digits = value.checked_ilog10().map_or(1, |n| n + 1);
    let scale = 10u64.pow(digits.saturating_sub(DIGITS));
    value.saturating_add(scale / 2) / scale * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        Range::parse(text).expect("numbers").expect("a range")
    }

    #[test]
    fn numbers_are_read_and_written_as_scenarios_have_them() {
        for text in ["0", "17", "250ms", "1m 30s", "0s", "12.5%", "50/s", "3/10m", "1.6", "2.0"] {
            let (units, unit) = Unit::parse(text).expect("a number");
            assert_eq!(unit.text(units), text);
        }
        for text in ["", "x", "-1", "+1", "1.", ".5", "1e3", "5/", "%", "tls", "1 day ago"] {
            assert_eq!(Unit::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_have_one_unit_and_go_up() {
        assert_eq!(range("0..10s"), Range { low: 0, high: 10_000_000_000, unit: Unit::Length });
        assert_eq!(range("1..2.5").low, 1_000_000);
        for text in ["1..10s", "5..5", "9..2", "10/s..20/m"] {
            assert!(Range::parse(text).expect("numbers").is_err(), "{text}");
        }
        for text in ["refresh in refresh 1d..2d : max <= 1s", "a..b", "7"] {
            assert!(Range::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn linear_and_logarithmic_values_hold_the_ends_and_go_up() {
        assert_eq!(range("100..1000").linear(4), [100, 400, 700, 1000]);
        assert_eq!(range("1..4").linear(100), [1, 2, 3, 4]);
        assert_eq!(range("1..1000").logarithmic(4).expect("above zero"), [1, 10, 100, 1000]);
        assert_eq!(range("0..9").logarithmic(4), None);
        assert_eq!(range("0s..1h").linear(3).len(), 3);
        for count in [2, 3, 17, 500] {
            let values = range("3..7777").logarithmic(count).expect("above zero");
            assert!(values.is_sorted() && values[0] == 3 && values.last() == Some(&7777), "{values:?}");
        }
    }

    #[test]
    fn shares_of_the_way_reach_every_whole_number_and_no_other() {
        let dice = range("1..6");
        let found: Vec<u64> = (0..6).map(|n| dice.between_evenly((f64::from(n) + 0.99) / 6.0)).collect();
        assert_eq!(found, [1, 2, 3, 4, 5, 6]);
        assert_eq!(dice.between_evenly(1.0), 6);
    }
}
