//! The day when the next visit is due.

use crate::domain::form::{Date, Interval};

/// Working days in a week, Monday to Friday.
const WORKING_DAYS: u16 = 5;
const DAY_MS: i64 = 86_400_000;
/// Offset of China from UTC, ms.
const CHINA_MS: i64 = 8 * 3_600_000;

/// The last day for the next visit, from the time when the visit before was finished. Working days are Monday
/// to Friday; public holidays and their exchanged weekends are not known. `None` beyond the year 9999.
#[must_use]
pub fn next_due(finished_ms: i64, interval: Interval) -> Option<Date> {
    let finished = Date::in_china(finished_ms).days();
    match interval {
        Interval::Days(days) => Date::of_days(finished.checked_add(i32::from(days))?),
        Interval::WorkingDays(days) => {
            // A visit on a weekend counts from the Friday before.
            let mut day = finished - (weekday(finished) - 4).max(0);
            day = day.checked_add(i32::from(days / WORKING_DAYS) * 7)?;
            for _ in 0..days % WORKING_DAYS {
                day += if weekday(day) == 4 { 3 } else { 1 };
            }
            Date::of_days(day)
        }
    }
}

/// The instant when a visit that is due on this day becomes overdue: the end of the day in China, ms UTC.
#[must_use]
pub fn overdue_from_ms(due: Date) -> i64 {
    (i64::from(due.days()) + 1) * DAY_MS - CHINA_MS
}

/// The day of the week of a number of days since 1970-01-01, which was a Thursday. Monday is 0.
fn weekday(days: i32) -> i32 {
    (days + 3).rem_euclid(7)
}
