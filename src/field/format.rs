//! Figures as people read them: exact below 10,000 (`2,820`), then `12.3k`; rates `120/s`; durations `4m12s`;
//! bytes in KiB. Ids are never abbreviated.

use std::borrow::Cow;

use jiff::{Timestamp, Unit};

use super::Value;
use crate::{model::text::printable, store::Change};

/// What stands for a figure that is not known.
pub const UNKNOWN: &str = "-";
/// The greatest width of [`count`], in terminal cells.
pub const COUNT_WIDTH: usize = 6;
/// The greatest width of [`change`].
pub const CHANGE_WIDTH: usize = 6;
/// The greatest width of [`rate`].
pub const RATE_WIDTH: usize = COUNT_WIDTH + 2;
/// The greatest width of [`percent`].
pub const PERCENT_WIDTH: usize = 5;
/// The greatest width of [`seconds`].
pub const SECONDS_WIDTH: usize = 7;
/// The greatest width of [`bytes`].
pub const BYTES_WIDTH: usize = 10;

/// Any value as people read it, safe for a terminal.
#[must_use]
pub fn value<'a>(value: &'a Value<'_>) -> Cow<'a, str> {
    match value {
        Value::None => Cow::Borrowed(UNKNOWN),
        Value::Text(text) => printable(text),
        Value::State(state) => Cow::Borrowed(state.name()),
        Value::Severity(severity) => Cow::Borrowed(severity.name()),
        Value::Address(ip) => Cow::Owned(ip.to_string()),
        Value::Endpoint(end) => Cow::Owned(end.to_string()),
        Value::Time(at) => Cow::Owned(time(*at)),
        Value::Count(n) => Cow::Owned(count(*n)),
        Value::Change(change) => Cow::Owned(self::change(*change)),
        Value::Id(n) => Cow::Owned(n.to_string()),
        Value::Rate(n) => Cow::Owned(rate(*n)),
        Value::Percent(n) => Cow::Owned(percent(*n)),
        Value::Bytes(n) => Cow::Owned(bytes(*n)),
        Value::Seconds(n) => Cow::Owned(seconds(*n)),
        Value::Millis(n) => Cow::Owned(seconds(*n / 1000.0)),
        Value::Bool(yes) => Cow::Borrowed(if *yes { "yes" } else { "no" }),
    }
}

/// A count: `9,999`, `12.3k`, `123.4k`, `1.2M`. Rounds down, so that no figure looks greater than it is.
#[must_use]
pub fn count(n: u64) -> String {
    const SCALES: [(u64, char); 6] = [
        (1_000_000_000_000_000_000, 'E'),
        (1_000_000_000_000_000, 'P'),
        (1_000_000_000_000, 'T'),
        (1_000_000_000, 'G'),
        (1_000_000, 'M'),
        (1_000, 'k'),
    ];
    match SCALES.iter().find(|(scale, _)| n >= 10_000 && n >= *scale) {
        None => grouped(n),
        Some((scale, letter)) => format!("{}.{}{letter}", n / scale, n % scale / (scale / 10)),
    }
}

/// A difference: `+12`, `-12.3k`, `+123k`, `0`; `new` for what was not there.
#[must_use]
pub fn change(change: Change) -> String {
    match change {
        Change::New(_) => "new".to_owned(),
        change => signed(change.by(), short),
    }
}

/// As [`count`], without the tenth of a figure that has three digits before it.
fn short(n: u64) -> String {
    let text = count(n);
    match text.split_once('.') {
        Some((whole, rest)) if whole.len() > 2 => {
            format!("{whole}{}", rest.trim_start_matches(char::is_numeric))
        }
        _ => text,
    }
}

/// A difference with its sign, `0` for none; `figure` writes how much it is.
#[must_use]
pub fn signed(by: i64, figure: fn(u64) -> String) -> String {
    let sign = match by {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", figure(by.unsigned_abs()))
}

/// A count with a thin mark at every third digit, for places with room: `28,232`.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Per second: `0/s`, `0.3/s`, `120/s`, `12.3k/s`.
#[must_use]
pub fn rate(n: f64) -> String {
    match n {
        n if !n.is_finite() => UNKNOWN.to_owned(),
        n if n <= 0.0 => "0/s".to_owned(),
        n if n < 0.05 => "<0.1/s".to_owned(),
        n if n < 9.95 => format!("{n:.1}/s"),
        n => format!("{}/s", count(whole(n.round()))),
    }
}

/// A share of 100: `0%`, `<0.1%`, `4.2%`, `42%`, `>99%`, `100%`. Only nothing is 0 % and only all is 100 %.
/// By how much it is beyond 999 % does not matter.
#[must_use]
pub fn percent(n: f64) -> String {
    match n {
        n if !n.is_finite() => UNKNOWN.to_owned(),
        n if n <= 0.0 => "0%".to_owned(),
        n if n < 0.05 => "<0.1%".to_owned(),
        n if n < 9.95 => format!("{n:.1}%"),
        n if (99.5..100.0).contains(&n) => ">99%".to_owned(),
        n if n >= 999.5 => ">999%".to_owned(),
        n => format!("{n:.0}%"),
    }
}

/// A duration: `8µs`, `340ms`, `4.2s`, `42s`, `4m12s`, `3h05m`, `12d03h`, `345d`.
#[must_use]
pub fn seconds(n: f64) -> String {
    if !n.is_finite() || n < 0.0 {
        return UNKNOWN.to_owned();
    }
    let (total, micros) = (whole(n), (n * 1e6).round());
    let (days, hours, minutes, rest) = (total / 86_400, total / 3600 % 24, total / 60 % 60, total % 60);
    match total {
        _ if n == 0.0 => "0s".to_owned(),
        0 if micros < 1.0 => "<1µs".to_owned(),
        0 if micros < 1000.0 => format!("{micros:.0}µs"),
        0 if n < 0.01 => format!("{:.1}ms", n * 1000.0),
        0 => format!("{}ms", whole(n * 1000.0)),
        1..10 => format!("{total}.{}s", whole(n * 10.0) % 10),
        10..60 => format!("{total}s"),
        60..3600 => format!("{minutes}m{rest:02}s"),
        3600..86_400 => format!("{hours}h{minutes:02}m"),
        86_400..8_640_000 => format!("{days}d{hours:02}h"),
        _ => format!("{}d", count(days)),
    }
}

/// Bytes: `512 B`, `1.2 KiB`, `12.3 MiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let power = n.ilog2() / 10;
    let scale = 1_u64 << (power * 10);
    // Tenths of what is left over; widened, because ten times 2^60 does not fit.
    let tenths = u128::from(n % scale) * 10 / u128::from(scale);
    format!("{}.{tenths} {}", n / scale, UNITS[power as usize - 1])
}

/// An instant as RFC 3339 in UTC, to the second: `2026-05-01T12:00:00Z`.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}

/// The whole part of a number that is not negative; the greatest number where it does not fit.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, as wanted")]
fn whole(n: f64) -> u64 {
    n as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_its_sign() {
        let all =
            [Change::By(0), Change::By(1_204), Change::By(-12_345), Change::New(3), Change::Gone(-123_456)];
        assert_eq!(all.map(change), ["0", "+1,204", "-12.3k", "new", "-123k"]);
        assert_eq!(signed(1_204, grouped), "+1,204");
        for by in [9_999, 99_999, 999_999, 9_999_999, 999_999_999_999_999] {
            assert!(change(Change::By(-by)).len() <= CHANGE_WIDTH, "{by}");
        }
    }

    #[test]
    fn counts_are_exact_below_ten_thousand() {
        let texts = [0, 9_999, 10_000, 12_345, 999_999, 1_000_000, 28_232_000, 5_000_000_000].map(count);
        assert_eq!(texts, ["0", "9,999", "10.0k", "12.3k", "999.9k", "1.0M", "28.2M", "5.0G"]);
        for n in [0, 9_999, 999_999, 999_999_999, 999_999_999_999, 999_999_999_999_999, u64::MAX] {
            assert!(count(n).len() <= COUNT_WIDTH, "{}", count(n));
        }
        assert_eq!(grouped(28_232), "28,232");
        assert_eq!(grouped(1_000_000), "1,000,000");
        assert_eq!(grouped(999), "999");
    }

    #[test]
    fn rates_and_shares_never_round_to_nothing_or_all() {
        let rates = [0.0, 0.01, 0.34, 9.96, 120.4, 12_345.0, f64::NAN].map(rate);
        assert_eq!(rates, ["0/s", "<0.1/s", "0.3/s", "10/s", "120/s", "12.3k/s", "-"]);
        let shares = [0.0, 0.01, 4.21, 9.97, 42.4, 99.7, 100.0, 1e9].map(percent);
        assert_eq!(shares, ["0%", "<0.1%", "4.2%", "10%", "42%", ">99%", "100%", ">999%"]);
        assert!(shares.iter().all(|text| text.len() <= PERCENT_WIDTH));
    }

    #[test]
    fn durations_show_two_units() {
        let texts = [0.0, 1e-7, 8e-6, 0.000_999_7, 0.009_99, 0.34, 4.29, 42.9, 252.0, 11_100.0, 1_047_600.0]
            .map(seconds);
        assert_eq!(
            texts,
            ["0s", "<1µs", "8µs", "1.0ms", "10.0ms", "340ms", "4.2s", "42s", "4m12s", "3h05m", "12d03h"]
        );
        assert_eq!([8_640_000.0, 3e10].map(seconds), ["100d", "347.2kd"]);
        assert!([8_639_999.0, f64::MAX].map(seconds).iter().all(|text| text.len() <= SECONDS_WIDTH));
        assert!(texts.iter().all(|text| text.chars().count() <= SECONDS_WIDTH));
    }

    #[test]
    fn bytes_are_binary() {
        let texts = [0, 1023, 1024, 1234, 1_048_576, u64::MAX].map(bytes);
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "1.2 KiB", "1.0 MiB", "15.9 EiB"]);
        assert!([1_048_575, u64::MAX].iter().all(|n| bytes(*n).len() <= BYTES_WIDTH));
    }

    #[test]
    fn hostile_text_is_made_safe() {
        assert_eq!(value(&Value::Text(Cow::Borrowed("a\x1b[2J"))), "a\\x1b[2J");
        assert_eq!(value(&Value::None), UNKNOWN);
    }
}
