//! Lengths, instants, dates, shares and counts as people read them. Exact values live in JSON.

use std::net::IpAddr;

use crate::measure::CrashReport;
use crate::scenario::plan::{Epoch, GroupPlan, Plan};
use crate::sim::Names;
use crate::time::{Span, Time};
use crate::validate::{CertificateState, Phase};

/// A length to three significant digits below a minute, to its two largest units above.
pub(crate) fn about(span: Span) -> String {
    let ns = span.0;
    match ns {
        0 => "0s".to_owned(),
        1..1_000 => format!("{ns}ns"),
        1_000..999_500 => three(ns, 1_000, "us"),
        999_500..999_500_000 => three(ns, 1_000_000, "ms"),
        999_500_000..59_950_000_000 => three(ns, Span::SECOND.0, "s"),
        59_950_000_000..3_599_500_000_000 => two(ns, Span::MINUTE.0, "m", Span::SECOND.0, "s"),
        3_599_500_000_000..359_970_000_000_000 => two(ns, Span::HOUR.0, "h", Span::MINUTE.0, "m"),
        _ => two(ns, Span::DAY.0, "d", Span::HOUR.0, "h"),
    }
}

/// A length that may not fit 64 bits, such as a sum over peers.
pub(crate) fn about_sum(ns: u128) -> String {
    u64::try_from(ns).map_or_else(|_| format!("{}d", ns / u128::from(Span::DAY.0)), |ns| about(Span(ns)))
}

fn three(ns: u64, unit: u64, name: &str) -> String {
    let places = if ns >= 100 * unit {
        0
    } else if ns >= 10 * unit {
        1
    } else {
        2
    };
    let scale = 10u64.pow(places);
    // Widened: the product of 60 s and 100 fits, but there is no need to rely on it.
    let scaled = ((u128::from(ns) * u128::from(scale) + u128::from(unit) / 2) / u128::from(unit)) as u64;
    let (whole, part) = (scaled / scale, scaled % scale);
    if part == 0 {
        return format!("{whole}{name}");
    }
    let part = format!("{part:0width$}", width = places as usize);
    format!("{whole}.{}{name}", part.trim_end_matches('0'))
}

fn two(ns: u64, large: u64, large_name: &str, small: u64, small_name: &str) -> String {
    let smalls = ns.saturating_add(small / 2) / small;
    let each = large / small;
    format!("{}{large_name} {}{small_name}", smalls / each, smalls % each)
}

/// A point of run time, to the millisecond below.
pub(crate) fn instant(at: Time) -> String {
    if at == Time::NEVER { at.to_string() } else { Time(at.0 - at.0 % Span::MILLISECOND.0).to_string() }
}

/// A share as a percentage. Never rounded up to 100 % nor down to 0 %: those are said only of what they are true of.
pub(crate) fn percent(part: u128, whole: u128) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    if part == 0 {
        return "0 %".to_owned();
    }
    if part == whole {
        return "100 %".to_owned();
    }
    let hundredths_of_ppm = part.saturating_mul(100_000_000) / whole;
    match hundredths_of_ppm {
        0..100 => "<0.0001 %".to_owned(),
        // Near 100 % the distance to it matters: rounded down, so that it never closes.
        99_000_000.. => format!("{}.{:04} %", hundredths_of_ppm / 1_000_000, hundredths_of_ppm / 100 % 10_000),
        100..1_000_000 => format!("0.{:04} %", hundredths_of_ppm / 100),
        _ => format!("{}.{} %", hundredths_of_ppm / 1_000_000, hundredths_of_ppm / 100_000 % 10),
    }
}

/// A whole number with its thousands apart.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 crash`, `2 crashes`.
pub(crate) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A date and the time of day of a FILETIME.
struct Date {
    year: u64,
    month: u64,
    day: u64,
    /// 100 ns units into the day.
    rest: u64,
}

/// 100 ns units in a day.
const UNITS_A_DAY: u64 = 864_000_000_000;

/// A run time as a FILETIME: 100 ns units since 1601-01-01.
pub(crate) fn filetime(epoch: Epoch, at: Time) -> u64 {
    epoch.0.saturating_add(at.0 / 100)
}

impl Date {
    fn of(filetime: u64) -> Date {
        let (days, rest) = (filetime / UNITS_A_DAY, filetime % UNITS_A_DAY);
        // Days since 1600-03-01, the begin of a cycle of 400 years that ends with its leap day.
        let days = days + 306;
        let (cycle, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let shifted = (5 * day + 2) / 153;
        let day = day - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = 1_600 + 400 * cycle + year + u64::from(month <= 2);
        Date { year, month, day, rest }
    }
}

/// `2015-07-12 15:34:47.912 UTC`, to the millisecond below; `None` without an epoch.
pub fn date(plan: &Plan, at: Time) -> Option<String> {
    let Date { year, month, day, rest } = Date::of(filetime(plan.epoch?, at));
    let millis = rest / 10_000;
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    Some(format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}.{:03} UTC", millis % 1_000))
}

/// The same as RFC 3339 with all seven digits of a FILETIME, for records.
pub(crate) fn date_exact(plan: &Plan, at: Time) -> Option<String> {
    let Date { year, month, day, rest } = Date::of(filetime(plan.epoch?, at));
    let whole = rest / 10_000_000;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    let part = rest % 10_000_000;
    Some(format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{part:07}Z"))
}

/// What a peer's group shows: `TCP, no certificate`.
pub(crate) fn shows(group: &GroupPlan) -> String {
    let certificate = match group.certificate {
        None => "no certificate",
        Some(CertificateState::Valid) => "valid certificate",
        Some(CertificateState::Expired) => "expired certificate",
        Some(CertificateState::WrongName) => "certificate of another name",
        Some(CertificateState::Untrusted) => "certificate of an untrusted root",
        Some(CertificateState::NotYetValid) => "certificate that is not valid yet",
        Some(CertificateState::SelfSigned) => "self-signed certificate",
        Some(CertificateState::IncompleteChain) => "certificate without its intermediate",
        Some(CertificateState::Revoked) => "revoked certificate",
        Some(CertificateState::RevocationUnknown) => "certificate of unknown revocation",
    };
    let v6 = if matches!(group.address, IpAddr::V6(_)) { " over IPv6" } else { "" };
    format!("{}{v6}, {certificate}", group.transport.name().to_uppercase())
}

/// What a crash was about: `0xc0000005 while refreshing rcc-gateway/0 (TCP, no certificate)`.
pub(crate) fn cause_of(plan: &Plan, crash: &CrashReport) -> String {
    let Some(fault) = &crash.fault else { return "ended from outside".to_owned() };
    let names = Names::new(plan);
    let act = match fault.phase {
        Phase::Accept => "accepting",
        Phase::Refresh => "refreshing",
    };
    let shown = names.locate(fault.peer).and_then(|(group, _)| plan.groups.get(group)).map_or_else(String::new, shows);
    format!("{} while {act} {} ({shown})", fault.code, names.peer(fault.peer))
}

/// A text from outside on one line, without anything that a terminal would act on. Names within a scenario need none of
/// this, for they have no control characters; a file's name may.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// At most `width` characters, the last of them a `~` if something was cut off.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['~']).collect()
}

/// Lines of at most `width` characters, broken at blanks; what has none is cut. All but the first are indented.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let word = cut(word, width - indent);
        let Some(line) = lines.last_mut() else { break };
        if !line.trim().is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(" ".repeat(indent) + &word);
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::Builtin;

    #[test]
    fn lengths_have_three_digits_or_two_units() {
        for (ns, text) in [
            (0, "0s"),
            (999, "999ns"),
            (1_234_567, "1.23ms"),
            (999_499, "999us"),
            (999_500, "1ms"),
            (250_000_000, "250ms"),
            (5_003_000_000, "5s"),
            (59_949_999_999, "59.9s"),
            (59_950_000_000, "1m 0s"),
            (86_400_000_000_000, "24h 0m"),
            (864_000_000_000_000, "10d 0h"),
        ] {
            assert_eq!(about(Span(ns)), text, "{ns}");
        }
        assert!(!about(Span(u64::MAX)).is_empty());
    }

    #[test]
    fn dates_are_those_of_the_incident() {
        let mut plan = Plan::new(Span::DAY, Builtin::Sfb2015Rtm);
        assert_eq!(date(&plan, Time::ZERO), None);
        plan.epoch = Some(Epoch(0x01d0_bbee_d3ff_d292));
        assert_eq!(date(&plan, Time::ZERO).as_deref(), Some("2015-07-11 15:32:42.711 UTC"));
        assert_eq!(date(&plan, Time(86_525_201_000_000)).as_deref(), Some("2015-07-12 15:34:47.912 UTC"));
        assert_eq!(date_exact(&plan, Time::ZERO).as_deref(), Some("2015-07-11T15:32:42.7113106Z"));
        for (epoch, text) in [
            (0, "1601-01-01 00:00:00.000 UTC"),
            (116_444_736_000_000_000, "1970-01-01 00:00:00.000 UTC"),
            (125_962_560_000_000_000, "2000-02-29 00:00:00.000 UTC"),
            (133_485_408_000_000_000, "2024-01-01 00:00:00.000 UTC"),
        ] {
            plan.epoch = Some(Epoch(epoch));
            assert_eq!(date(&plan, Time::ZERO).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        for (part, whole, text) in [
            (0, 0, "-"),
            (0, 9, "0 %"),
            (9, 9, "100 %"),
            (999_999_999, 1_000_000_000, "99.9999 %"),
            (1, 1_000_000_000, "<0.0001 %"),
            (1, 3, "33.3 %"),
            (1, 1_000, "0.1000 %"),
        ] {
            assert_eq!(percent(part, whole), text);
        }
    }

    #[test]
    fn long_lines_wrap_at_blanks_and_words_without_end_are_cut() {
        assert_eq!(wrap("one two three four", 10, 2), "one two\n  three\n  four");
        assert_eq!(wrap("abcdefghijklmnop", 10, 2), "abcdefg~");
    }
}
