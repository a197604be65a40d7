//! Times of day as people in China read them: one zone, UTC+8, without summer time.

use crate::texts::Lang;

/// Offset of the zone from UTC, ms.
const OFFSET_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 86_400_000;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// An instant in the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: usize,
    day: i64,
    minute_of_day: i64,
}

impl Civil {
    fn of(at_ms: i64) -> Self {
        let local_ms = at_ms.saturating_add(OFFSET_MS);
        let days = local_ms.div_euclid(DAY_MS);
        // Days from 0000-03-01, so that a leap day is the last day of its year (Howard Hinnant,
        // `civil_from_days`).
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: usize::try_from(month).unwrap_or(1),
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            minute_of_day: local_ms.rem_euclid(DAY_MS) / 60_000,
        }
    }
}

/// An instant (ms UTC) as people say it at another instant. It is the time alone on the same day, with the
/// date on another day, and with the year in another year.
#[must_use]
pub fn time_said(at_ms: i64, said_ms: i64, lang: Lang) -> String {
    let (at, said) = (Civil::of(at_ms), Civil::of(said_ms));
    let time = format!("{:02}:{:02}", at.minute_of_day / 60, at.minute_of_day % 60);
    let Civil {
        year, month, day, ..
    } = at;
    let same_year = year == said.year;
    let month_name = MONTHS[(month - 1) % 12];
    match lang {
        _ if same_year && (month, day) == (said.month, said.day) => time,
        Lang::Zh if same_year => format!("{month}月{day}日 {time}"),
        Lang::Zh => format!("{year}年{month}月{day}日 {time}"),
        Lang::En if same_year => format!("{day} {month_name} {time}"),
        Lang::En => format!("{day} {month_name} {year} {time}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_zone_with_as_much_date_as_needed() {
        // 2025-10-09 16:53:20 in China.
        let now = 1_760_000_000_000;
        let hour = 3_600_000;
        for (at, zh, en) in [
            (now, "16:53", "16:53"),
            (now + 7 * hour, "23:53", "23:53"),
            (now + 8 * hour, "10月10日 00:53", "10 Oct 00:53"),
            (
                now + 24 * 84 * hour,
                "2026年1月1日 16:53",
                "1 Jan 2026 16:53",
            ),
            (951_782_400_000, "2000年2月29日 08:00", "29 Feb 2000 08:00"),
            (-1, "1970年1月1日 07:59", "1 Jan 1970 07:59"),
        ] {
            assert_eq!(time_said(at, now, Lang::Zh), zh);
            assert_eq!(time_said(at, now, Lang::En), en);
        }
        assert!(!time_said(i64::MAX, i64::MIN, Lang::Zh).is_empty());
    }
}
