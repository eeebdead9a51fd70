//! A rate: so many in so long, `50/s` or `3/10s`.

use super::span;
use crate::time::Span;

/// What is accepted, in words.
pub(in crate::scenario) const ACCEPTS: &str =
    "a rate in quotes: 1 to 1000000000 in a length of time, e.g. \"50/s\" or \"3/10s\"";

/// The most in one length.
const MOST: u32 = 1_000_000_000;

/// Reads a rate: how many, in how long; the error fits after its path.
pub(in crate::scenario) fn parse(text: &str) -> Result<(u32, Span), &'static str> {
    let (number, length) = text.split_once('/').ok_or("has no `/` between how many and how long")?;
    let (number, length) = (number.trim(), length.trim());
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("does not begin with a whole number");
    }
    let number = number.parse().ok().filter(|n| (1..=MOST).contains(n)).ok_or("is out of range")?;
    // A bare unit is one of it.
    let whole = if length.starts_with(|c: char| c.is_ascii_digit()) { length.to_owned() } else { format!("1{length}") };
    match span::parse(&whole) {
        Ok(per) if per > Span::ZERO => Ok((number, per)),
        Ok(_) => Err("is in no time at all"),
        Err(_) => Err("has no length of time after the `/`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_numbers_in_lengths_and_nothing_else() {
        assert_eq!(parse("50/s"), Ok((50, Span::SECOND)));
        assert_eq!(parse(" 3 / 1m 30s "), Ok((3, Span::SECOND.times(90))));
        for wrong in
            ["", "/", "50", "0/s", "-1/s", "1.5/s", "1000000001/s", "99999999999999999999/s", "5/0s", "5/", "5/x"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
