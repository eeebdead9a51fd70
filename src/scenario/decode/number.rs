//! Exact numbers as scenario files write them: shares (`20%`, `1/97`), factors (`1.6`, `3/2`, `160%`) and rates (`50/s`).

use toml::de::DeValue;

use crate::policy::{Rate, Ratio};
use crate::time::Span;

use super::{Item, span};

/// The longest stretch of time that a rate is for.
const PER_MAX: Span = Span::DAY;
/// The least multiple of anything that scenarios write, and the most.
pub(in crate::scenario) const MULTIPLE_MIN: Ratio = Ratio::new(1, 1_000);
pub(in crate::scenario) const MULTIPLE_MAX: Ratio = Ratio::new(1_000, 1);
/// Most digits of a number, those after its point included.
const DIGITS_MAX: usize = 9;

impl Item<'_, '_> {
    /// A share of at most `max` percent.
    pub(in crate::scenario) fn share(&self, max: u32) -> Option<Ratio> {
        let accepts = format!("a share in quotes of at most {max}%, e.g. \"20%\" or \"1/5\"");
        if let Some(number) = self.bare_number() {
            self.wrong_hint("has no unit", accepts, format!("for {number} percent write \"{number}%\""));
            return None;
        }
        let text = self.string(&accepts)?;
        let Some(share) = ratio(text.trim()) else {
            self.wrong("is no share", accepts);
            return None;
        };
        if Ratio::percent(max).is_below(share) {
            self.wrong(format!("is {share}"), accepts);
            return None;
        }
        Some(share)
    }

    /// A multiple from `min` to `max`, exact: a number, or a fraction or percentage in quotes.
    pub(in crate::scenario) fn factor(&self, min: Ratio, max: Ratio) -> Option<Ratio> {
        let shown = |ratio: Ratio| ratio.decimal().unwrap_or_else(|| ratio.to_string());
        let accepts = format!(
            "a multiple from {} to {} of at most {DIGITS_MAX} digits, e.g. 1.5, \"3/2\" or \"150%\"",
            shown(min),
            shown(max)
        );
        let factor = match self.value.get_ref() {
            DeValue::Float(number) => decimal(&number.as_str().replace('_', "")),
            DeValue::Integer(number) if number.radix() == 10 => decimal(&number.as_str().replace('_', "")),
            DeValue::String(text) => ratio(text.trim()),
            _ => {
                self.wrong_type(accepts);
                return None;
            }
        };
        let Some(factor) = factor else {
            self.wrong("is no multiple", accepts);
            return None;
        };
        if factor.is_below(min) || max.is_below(factor) {
            self.wrong(format!("is {}", shown(factor)), accepts);
            return None;
        }
        Some(factor)
    }

    /// So many, at least `min`, in a stretch of time of more than zero and at most a day.
    pub(in crate::scenario) fn rate(&self, min: u32) -> Option<Rate> {
        let accepts = format!("a rate in quotes of at least {min} in some time, e.g. \"50/s\" or \"3/10m\"");
        if let Some(number) = self.bare_number() {
            self.wrong_hint("has no unit", accepts, format!("for {number} a second write \"{number}/s\""));
            return None;
        }
        let text = self.string(&accepts)?;
        let Some(rate) = rate(&text) else {
            self.wrong("is no rate", accepts);
            return None;
        };
        if rate.count < min || rate.count > Rate::COUNT_MAX || rate.per == Span::ZERO || rate.per > PER_MAX {
            self.wrong(format!("is {rate}"), accepts);
            return None;
        }
        Some(rate)
    }
}

/// A percentage or a fraction.
fn ratio(text: &str) -> Option<Ratio> {
    if let Some(percent) = text.strip_suffix('%') {
        let (num, den) = decimal(percent.trim_end())?.parts();
        return Some(Ratio::new(num, den.checked_mul(100)?));
    }
    let (num, den) = text.split_once('/')?;
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|_| !text.trim().starts_with('+'));
    let (num, den) = (number(num)?, number(den)?);
    (den > 0).then(|| Ratio::new(num, den))
}

/// An exact decimal number.
fn decimal(text: &str) -> Option<Ratio> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !whole.is_empty() && digits(whole) && digits(part) && !text.ends_with('.');
    if !is_number || whole.len() + part.len() > DIGITS_MAX {
        return None;
    }
    let num: u32 = format!("{whole}{part}").parse().ok()?;
    Some(Ratio::new(num, 10u32.pow(u32::try_from(part.len()).ok()?)))
}

fn rate(text: &str) -> Option<Rate> {
    let (count, per) = text.split_once('/')?;
    let count = count.trim();
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let per = per.trim();
    // `50/s` is short for `50/1s`.
    let short = per.starts_with(|c: char| c.is_alphabetic());
    let per = span::parse(&if short { format!("1{per}") } else { per.to_owned() }).ok()?;
    Some(Rate { count: count.parse().ok()?, per })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        for (text, parts) in [("20%", (1, 5)), ("12.5 %", (1, 8)), ("1/97", (1, 97)), ("0%", (0, 1)), ("150%", (3, 2))]
        {
            assert_eq!(ratio(text).map(Ratio::parts), Some(parts), "{text}");
        }
        assert_eq!(decimal("1.6").map(Ratio::parts), Some((8, 5)));
        for (text, count, per) in [("50/s", 50, Span::SECOND), ("3 / 10m", 3, Span::MINUTE.times(10))] {
            assert_eq!(rate(text), Some(Rate { count, per }), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "%", "20", ".5%", "5.%", "-5%", "+5%", "1/0", "1/-2", "a/b", "1e2%", "99999999999%", "5%%"] {
            assert_eq!(ratio(text), None, "{text}");
        }
        for text in ["", "50", "/s", "50/", "1.5/s", "-1/s", "50/parsec", "99999999999/s", "50/5"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }
}
