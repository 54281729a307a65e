//! Dates as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// RFC 3339 in UTC with milliseconds.
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (seconds, days) = (since.as_secs() % 86_400, since.as_secs() / 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// The Gregorian date that lies `days` after 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`, for days that are not negative).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// Reads RFC 3339 (`2026-11-26T07:00:00Z`, fractions of seconds, offsets) and plain dates, which are their midnight in
/// UTC. `None` for anything else, and for times before 1970.
pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    let (date, time) = match text.split_at_checked(10)? {
        (date, "") => (date, "00:00:00Z"),
        (date, time) => (date, time.strip_prefix(['T', 't', ' '])?),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let is_date = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day) && year >= 1970;
    let is_time = hour < 24 && minute < 60 && second < 61;
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !(is_date && is_time && is_fraction) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let offset = |zone: &str| {
        let [hours, minutes] = numbers(zone, ':', [2, 2])?;
        (hours < 24 && minutes < 60).then_some(hours * 3_600 + minutes * 60)
    };
    let seconds = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => seconds,
        ("+", zone) => seconds.checked_sub(offset(zone)?)?,
        ("-", zone) => seconds + offset(zone)?,
        _ => return None,
    };
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Numbers of exactly these many digits, with `by` between them.
fn numbers<const N: usize>(text: &str, by: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(by);
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = is_number.then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn days_of(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to this date (Hinnant's `days_from_civil`).
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc3339_through_leap_days_and_centuries() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59.000Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn what_is_written_is_read_back_and_offsets_are_taken_off() {
        for seconds in [0, 86_399, 951_782_400, 1_709_251_199, 4_107_542_400, 1_795_000_000] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(parse_rfc3339(&rfc3339(time)), Some(time));
        }
        let noon = parse_rfc3339("2026-11-26T12:00:00Z");
        assert_eq!(parse_rfc3339("2026-11-26T20:00:00.123+08:00"), noon);
        assert_eq!(parse_rfc3339("2026-11-26T06:30:00-05:30"), noon);
        assert_eq!(parse_rfc3339("2026-11-26"), parse_rfc3339("2026-11-26T00:00:00Z"));
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-11-26T12:00",
            "2026-11-26T12:00:00",
            "1969-12-31",
            "2026-11-26T24:00:00Z",
            "2026-11-26T12:00:00+8",
            "2026-11-26X12:00:00Z",
            "2026-11-26T12:00:00.Z",
            "+026-11-26",
            "数学数学",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
