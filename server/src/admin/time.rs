//! Times in a form for people.

/// Offset of Beijing time from UTC, the one zone of all deployments, milliseconds.
const OFFSET_MS: i64 = 8 * 3_600_000;

/// Formats milliseconds UTC as Beijing time: `2026-11-22 09:02:03`.
pub(crate) fn local(ms: i64) -> String {
    let seconds = ms.saturating_add(OFFSET_MS).div_euclid(1_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Formats milliseconds UTC as Beijing time for the name of a file: `2026-11-22-090203`.
pub(super) fn compact(ms: i64) -> String {
    local(ms).replace(' ', "-").replace(':', "")
}

/// Reads a time that [`compact`] wrote, milliseconds UTC; `None` for any other text.
pub(super) fn of_compact(text: &str) -> Option<i64> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let seconds = part(11, 13)? * 3_600 + part(13, 15)? * 60 + part(15, 17)?;
    // Months differ from 30 days by less than a week in a year, so a short search finds the day.
    let about = (year - 1_970) * 365 + (year - 1_969) / 4 + (month - 1) * 30 + day - 1;
    let found = (about - 40..about + 40).find(|days| civil(*days) == (year, month, day))?;
    let ms = (found * 86_400 + seconds) * 1_000 - OFFSET_MS;
    (compact(ms) == text).then_some(ms)
}

/// Year, month and day from the number of days since 1970-01-01. Source: Howard Hinnant, “chrono-compatible
/// low-level date algorithms”. Years begin in March, so that the leap day is the last day of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_like_a_clock_in_hangzhou() {
        for (ms, text) in [
            (0, "1970-01-01 08:00:00"),
            (951_753_599_999, "2000-02-28 23:59:59"),
            (951_753_600_000, "2000-02-29 00:00:00"),
            (1_795_309_323_456, "2026-11-22 09:02:03"),
            (-28_800_001, "1969-12-31 23:59:59"),
        ] {
            assert_eq!(local(ms), text);
        }
    }

    #[test]
    fn names_of_files_are_read_again() {
        for day in 0..40_000 {
            let ms = day * 86_400_000 + 79_323_000;
            assert_eq!(of_compact(&compact(ms)), Some(ms), "{}", compact(ms));
        }
        for text in [
            "",
            "2026-02-30-090203",
            "2026-11-22-0902033",
            "2026-11-22 090203",
            "文",
        ] {
            assert_eq!(of_compact(text), None, "{text}");
        }
    }
}
