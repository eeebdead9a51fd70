//! Lengths of time as people write them: `90s`, `1h 30m`, `1.5us`.
//!
//! The grammar of the `humantime` crate without months and years, which have no fixed length; why it is not the crate
//! itself is in docs/decisions/0005. Exact to the nanosecond: what is finer or beyond the clock is refused, with the
//! place in the text.

use std::ops::Range;

use crate::time::Span;

/// What would be accepted.
pub(in crate::scenario) const ACCEPTS: &str =
    "a length of time in quotes, e.g. \"30s\" or \"1h 30m\" (units: ns us ms s m h d w)";

/// Why a text is no length of time, and where in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::scenario) struct SpanFault {
    /// Bytes of the text.
    pub at: Range<usize>,
    /// Words that fit after "it".
    pub what: String,
}

/// Reads a length of time.
pub(in crate::scenario) fn parse(text: &str) -> Result<Span, SpanFault> {
    let fault = |at: Range<usize>, what: &str| Err(SpanFault { at, what: what.to_owned() });
    let start = text.len() - text.trim_start().len();
    let text_end = text.trim_end().len();
    if start >= text_end {
        return fault(0..text.len(), "is empty");
    }
    if text[start..].starts_with('-') {
        return fault(start..text_end, "is negative; time only goes forward");
    }
    let mut total: u128 = 0;
    let mut at = start;
    while at < text_end {
        let number = at..end_of(text, at, |c| c.is_ascii_digit() || c == '.');
        if number.is_empty() {
            let word = at..end_of(text, at, |c| !c.is_whitespace()).max(next_char(text, at));
            return fault(word, "has no number here");
        }
        let unit_start = end_of(text, number.end, char::is_whitespace);
        let unit = unit_start..end_of(text, unit_start, char::is_alphabetic);
        if unit.is_empty() {
            return fault(number, "has no unit after the number");
        }
        let Some(ns) = nanoseconds_per(&text[unit.clone()]) else {
            let what = match &text[unit.clone()] {
                "M" | "month" | "months" | "y" | "yr" | "year" | "years" => {
                    "has months or years, which have no fixed length; use days"
                }
                _ => "has an unknown unit",
            };
            return fault(unit, what);
        };
        match product(&text[number.clone()], ns) {
            Ok(part) => total = total.saturating_add(part),
            Err(what) => return fault(number, what),
        }
        at = end_of(text, unit.end, char::is_whitespace);
    }
    match u64::try_from(total) {
        // The last moment is `Time::NEVER`, which is no length.
        Ok(ns) if ns < u64::MAX => Ok(Span(ns)),
        _ => fault(start..text_end, "is more than 584 years"),
    }
}

/// How many nanoseconds a unit has.
fn nanoseconds_per(unit: &str) -> Option<u64> {
    Some(match unit {
        "nanos" | "nsec" | "ns" => 1,
        "usec" | "us" | "µs" | "μs" => Span::MICROSECOND.0,
        "millis" | "msec" | "ms" => Span::MILLISECOND.0,
        "seconds" | "second" | "secs" | "sec" | "s" => Span::SECOND.0,
        "minutes" | "minute" | "mins" | "min" | "m" => Span::MINUTE.0,
        "hours" | "hour" | "hrs" | "hr" | "h" => Span::HOUR.0,
        "days" | "day" | "d" => Span::DAY.0,
        "weeks" | "week" | "wks" | "wk" | "w" => 7 * Span::DAY.0,
        _ => return None,
    })
}

/// A decimal number times a unit, exact.
fn product(number: &str, ns: u64) -> Result<u128, &'static str> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || part.is_empty() || part.contains('.') {
        return Err("has a number that is none");
    }
    let whole: u128 = whole.parse().map_err(|_| "is more than 584 years")?;
    let whole = whole.checked_mul(u128::from(ns)).ok_or("is more than 584 years")?;
    let part = part.trim_end_matches('0');
    if part.is_empty() {
        return Ok(whole);
    }
    // No unit divides by more than 2^15 · 5^15 or so: longer fractions are finer than a nanosecond.
    let digits = u32::try_from(part.len()).ok().filter(|digits| *digits <= 20).ok_or("is finer than a nanosecond")?;
    let scale = 10u128.pow(digits);
    let scaled = part.parse::<u128>().map_err(|_| "has a number that is none")? * u128::from(ns);
    if scaled % scale != 0 { Err("is finer than a nanosecond") } else { Ok(whole.saturating_add(scaled / scale)) }
}

/// Where the run of characters that `belongs` holds for ends.
fn end_of(text: &str, from: usize, belongs: impl Fn(char) -> bool) -> usize {
    text[from..].find(|c: char| !belongs(c)).map_or(text.len(), |n| from + n)
}

/// Where the character at `at` ends.
fn next_char(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(at, |c| at + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_read_as_people_write_them() {
        for (text, ns) in [
            ("0s", 0),
            ("7ns", 7),
            (" 1h 30m ", 5_400_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("250 us", 250_000),
            ("1.5s", 1_500_000_000),
            ("0.0001h", 360_000_000),
            ("90d", 90 * Span::DAY.0),
            ("2 weeks", 14 * Span::DAY.0),
            ("18446744073709551614ns", u64::MAX - 1),
        ] {
            assert_eq!(parse(text), Ok(Span(ns)), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_is_told_with_its_place() {
        for (text, at, what) in [
            ("", 0..0, "is empty"),
            ("30", 0..2, "has no unit after the number"),
            ("1h 30", 3..5, "has no unit after the number"),
            ("5 parsecs", 2..9, "has an unknown unit"),
            ("1month", 1..6, "has months or years, which have no fixed length; use days"),
            ("h", 0..1, "has no number here"),
            ("-5s", 0..3, "is negative; time only goes forward"),
            ("0.5ns", 0..3, "is finer than a nanosecond"),
            ("18446744073709551615ns", 0..22, "is more than 584 years"),
            ("1000000w", 0..8, "is more than 584 years"),
            ("1.s", 0..2, "has a number that is none"),
        ] {
            assert_eq!(parse(text), Err(SpanFault { at, what: what.to_owned() }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_as_the_same(ns in 0..u64::MAX) {
            prop_assert_eq!(parse(&Span(ns).to_string()), Ok(Span(ns)));
        }

        #[test]
        fn no_text_panics(text in any::<String>(), near in "[0-9.µsmhdw -]{0,30}") {
            let _ = parse(&text);
            let _ = parse(&near);
        }
    }
}
