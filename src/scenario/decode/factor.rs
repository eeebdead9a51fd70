//! An exact multiple or share, as a fraction or a percentage: `3/2`, `150%`, `12.5%`.

use crate::policy::lookup::Share;
use crate::policy::tls::Ratio;

/// What is accepted, in words.
pub(in crate::scenario) const ACCEPTS: &str = "a multiple from 1/1000 to 1000, e.g. \"3/2\" or \"150%\"";

/// What is accepted as a share, in words.
pub(in crate::scenario) const SHARES: &str = "a share from 0% to 100%, e.g. \"2.5%\" or \"1/97\"";

/// The most, and one over the least.
const MOST: u64 = 1_000;

/// Reads a multiple in lowest terms; the error fits after its path.
pub(in crate::scenario) fn parse(text: &str) -> Result<Ratio, &'static str> {
    let (numerator, denominator) = fraction(text)?;
    if numerator > MOST * denominator || numerator * MOST < denominator {
        return Err("is out of range");
    }
    let [numerator, denominator] = lowest(numerator, denominator)?;
    Ok(Ratio { numerator, denominator })
}

/// Reads a share in lowest terms; the error fits after its path.
pub(in crate::scenario) fn share(text: &str) -> Result<Share, &'static str> {
    let (numerator, denominator) = fraction(text)?;
    if numerator > denominator {
        return Err("is out of range");
    }
    let [numerator, denominator] = lowest(numerator, denominator)?;
    Ok(Share { numerator, denominator })
}

/// Numerator and denominator as they are written; the latter is not zero.
fn fraction(text: &str) -> Result<(u64, u64), &'static str> {
    let text = text.trim();
    let (numerator, denominator) = match (text.split_once('/'), text.strip_suffix('%')) {
        (Some((numerator, denominator)), _) => (whole(numerator)?, whole(denominator)?),
        (None, Some(percent)) => {
            let (whole_part, decimals) = percent.trim_end().split_once('.').unwrap_or((percent.trim_end(), ""));
            if whole_part.trim().is_empty() || decimals.len() > 4 || percent.trim_end().ends_with('.') {
                return Err("has no percentage of at most 4 decimals");
            }
            let scaled = format!("{whole_part}{decimals:0<4}");
            (whole(&scaled)?, 1_000_000)
        }
        (None, None) => return Err("is neither a fraction nor a percentage"),
    };
    if denominator == 0 {
        return Err("divides by zero");
    }
    Ok((numerator, denominator))
}

fn lowest(numerator: u64, denominator: u64) -> Result<[u32; 2], &'static str> {
    let divisor = common(numerator, denominator);
    match [numerator, denominator].map(|n| u32::try_from(n / divisor)) {
        [Ok(numerator), Ok(denominator)] => Ok([numerator, denominator]),
        _ => Err("has numbers above 4294967295"),
    }
}

/// Digits alone, at most 12 of them: products with [`MOST`] must fit.
fn whole(digits: &str) -> Result<u64, &'static str> {
    let digits = digits.trim();
    if digits.is_empty() || digits.len() > 12 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is not made of whole numbers of at most 12 digits");
    }
    digits.parse().map_err(|_| "is not made of whole numbers of at most 12 digits")
}

/// The greatest common divisor; `b` above 0.
fn common(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_and_within_0_and_1() {
        let of = |text: &str| share(text).map(|share| (share.numerator, share.denominator));
        for (text, expected) in
            [("0%", (0, 1)), ("0/7", (0, 1)), ("2.5%", (1, 40)), ("1/97", (1, 97)), ("100%", (1, 1))]
        {
            assert_eq!(of(text), Ok(expected), "{text}");
        }
        for text in ["", "%", ".5%", "0.5", "101%", "3/2", "1/0", "-1%", "5 parsecs"] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fractions_and_percentages_are_exact_and_in_lowest_terms() {
        let of = |text: &str| parse(text).map(|ratio| (ratio.numerator, ratio.denominator));
        for (text, expected) in
            [("3/2", (3, 2)), (" 6 / 4 ", (3, 2)), ("150%", (3, 2)), ("12.5 %", (1, 8)), ("0.1%", (1, 1_000))]
        {
            assert_eq!(of(text), Ok(expected), "{text}");
        }
        for text in ["", "1", "1.5", "0/1", "1/0", "1001/1", "1/1001", "-1/2", "1/2/3", "1.23456%", "5.%", "%", "x%"] {
            assert!(of(text).is_err(), "{text}");
        }
        assert!(of(&format!("{}/1", "9".repeat(400))).is_err());
        assert!(of("4294967296/4294967297").is_err());
    }
}
