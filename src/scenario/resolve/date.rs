//! Dates as FILETIMEs: RFC 3339 in UTC, 100 ns precision, years 1601 to 9999.

use crate::scenario::decode::Item;
use crate::scenario::diagnose::quoted;
use crate::scenario::plan::Epoch;
use crate::time::Span;

const ACCEPTS: &str = "a date in UTC, 1601 to 9999, to 100 ns, e.g. \"2015-07-11T15:32:42.7113106Z\"";
/// 100 ns units in a second and in a day.
const SECOND: u64 = 10_000_000;
const DAY: u64 = 86_400 * SECOND;
/// Days from 0000-03-01 to 1601-01-01 in the Gregorian calendar carried back.
const DAYS_TO_1601: u64 = 584_694;
/// The first FILETIME of the year 10000.
const END: u64 = 3_067_671 * DAY;

/// Reads `run.epoch`; complains if the run would go beyond the year 9999.
pub(super) fn read(item: &Item<'_, '_>, horizon: Span) -> Option<Epoch> {
    let text = match item.datetime() {
        Some(text) => text,
        None => item.string(ACCEPTS)?.into_owned(),
    };
    let Some(epoch) = parse(&text) else {
        item.wrong(format!("cannot be {}", quoted(&text)), ACCEPTS);
        return None;
    };
    if epoch.0 + horizon.0.div_ceil(100) >= END {
        item.wrong("puts the end of the run after the year 9999", ACCEPTS);
        return None;
    }
    Some(epoch)
}

/// Reads a date.
pub(in crate::scenario) fn parse(text: &str) -> Option<Epoch> {
    let bytes = text.as_bytes();
    let number = |at: std::ops::Range<usize>| -> Option<u64> {
        let digits = bytes.get(at)?;
        digits.iter().try_fold(0, |n, digit| digit.is_ascii_digit().then(|| n * 10 + u64::from(digit - b'0')))
    };
    let signs = [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")];
    if !signs.iter().all(|(at, signs)| bytes.get(*at).is_some_and(|byte| signs.as_bytes().contains(byte))) {
        return None;
    }
    let [year, month, day, hour, minute, second] =
        [number(0..4)?, number(5..7)?, number(8..10)?, number(11..13)?, number(14..16)?, number(17..19)?];
    let rest = bytes.get(19..)?;
    let (last, fraction) = rest.split_last()?;
    let places = match fraction {
        [] => 0,
        [b'.', _, ..] if fraction.len() <= 8 => fraction.len() - 1,
        _ => return None,
    };
    let fraction = (places..7).try_fold(number(20..20 + places)?, |n, _| Some(n * 10))?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let good = matches!(last, b'Z' | b'z')
        && (1601..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let clock = (hour * 60 + minute) * 60 + second;
    good.then(|| Epoch(day_number(year, month, day) * DAY + clock * SECOND + fraction))
}

/// Days since 1601-01-01. Counts years from March, so that the leap day is a year's last.
fn day_number(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    before + (month * 153 + 2) / 5 + day - 1 - DAYS_TO_1601
}

/// Writes a date, with as many places as it needs.
pub(in crate::scenario) fn written(epoch: Epoch) -> String {
    let (days, clock) = (epoch.0 / DAY, epoch.0 % DAY);
    let (year, month, day) = date_of(days);
    let (seconds, fraction) = (clock / SECOND, clock % SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:07}") };
    let fraction = fraction.trim_end_matches('0');
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Year, month and day of a number of days since 1601-01-01.
fn date_of(days: u64) -> (u64, u64, u64) {
    // Eras of 400 years from 0000-03-01, each with 146 097 days.
    let days = days + DAYS_TO_1601;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + u64::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_recorded_crash_has_the_filetime_that_its_event_shows() {
        let text = "2015-07-11T15:32:42.7113106Z";
        assert_eq!(parse(text), Some(Epoch(0x01d0_bbee_d3ff_d292)));
        assert_eq!(written(Epoch(0x01d0_bbee_d3ff_d292)), text);
    }

    #[test]
    fn the_ends_of_the_calendar_are_where_they_should_be() {
        assert_eq!(parse("1601-01-01T00:00:00Z"), Some(Epoch(0)));
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(Epoch(116_444_736_000_000_000)));
        assert_eq!(parse("9999-12-31T23:59:59.9999999Z"), Some(Epoch(END - 1)));
        assert_eq!(parse("2000-02-29T00:00:00Z").map(written).as_deref(), Some("2000-02-29T00:00:00Z"));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2015-07-11",
            "2015-07-11T15:32:42",
            "2015-07-11T15:32:42+02:00",
            "2015-07-11T15:32:42.Z",
            "2015-07-11T15:32:42.12345678Z",
            "2015-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2015-13-01T00:00:00Z",
            "2015-00-01T00:00:00Z",
            "2015-01-00T00:00:00Z",
            "2015-01-01T24:00:00Z",
            "2015-01-01T23:59:60Z",
            "1600-12-31T23:59:59Z",
            "+015-01-01T00:00:00Z",
            "2015-01-01T00:00:00éZ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(ticks in 0..END) {
            prop_assert_eq!(parse(&written(Epoch(ticks))), Some(Epoch(ticks)));
        }

        #[test]
        fn no_text_panics(text in any::<String>(), near in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}.{0,9}Z") {
            let _ = parse(&text);
            let _ = parse(&near);
        }
    }
}
