//! Days and times of day, as answers hold them: without a zone.

use std::fmt;
use std::str::FromStr;

use super::decimal::Decimal;

/// A day of the years 1 to 9999, in the calendar of ISO 8601.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Days since 1970-01-01.
    days: i32,
}

/// A minute of the day, 00:00 to 23:59.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    minute: u16,
}

/// A text that is no day, or no time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("form.wrong_type")]
pub struct BadTime;

const DAY_MIN: i32 = -719_162;
const DAY_MAX: i32 = 2_932_896;
const MINUTES: u16 = 24 * 60;

impl Date {
    /// The day with this number of days since 1970-01-01, if its year has four digits.
    #[must_use]
    pub fn of_days(days: i32) -> Option<Self> {
        (DAY_MIN..=DAY_MAX).contains(&days).then_some(Self { days })
    }

    /// The day in China (UTC+8) of an instant in ms UTC; an instant beyond the years is at their border.
    #[must_use]
    pub fn in_china(at_ms: i64) -> Self {
        let days = at_ms.saturating_add(8 * 3_600_000).div_euclid(86_400_000);
        let days = days.clamp(i64::from(DAY_MIN), i64::from(DAY_MAX));
        Self {
            days: i32::try_from(days).unwrap_or(DAY_MAX),
        }
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i32 {
        self.days
    }

    /// Year, month and day of the month (Howard Hinnant, `civil_from_days`).
    #[must_use]
    pub fn civil(self) -> (i32, i32, i32) {
        let shifted = self.days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march = (5 * of_year + 2) / 153;
        let month = if march < 10 { march + 3 } else { march - 9 };
        let year = year_of_era + era * 400 + i32::from(month <= 2);
        let day = of_year - (153 * march + 2) / 5 + 1;
        (year, month, day)
    }
}

impl fmt::Display for Date {
    /// Writes `YYYY-MM-DD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Date {
    type Err = BadTime;

    /// Reads `YYYY-MM-DD` of a day that exists.
    fn from_str(text: &str) -> Result<Self, BadTime> {
        let [year, month, day] = numbers(text, '-', [4, 2, 2]).ok_or(BadTime)?;
        // Howard Hinnant, `days_from_civil`.
        let shifted = year - i32::from(month <= 2);
        let era = shifted.div_euclid(400);
        let march = if month > 2 { month - 3 } else { month + 9 };
        let of_year = (153 * march + 2) / 5 + day - 1;
        let year_of_era = shifted.rem_euclid(400);
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        let date = Self::of_days(era * 146_097 + of_era - 719_468).ok_or(BadTime)?;
        // A day that does not exist is another day now.
        if date.to_string() == text {
            Ok(date)
        } else {
            Err(BadTime)
        }
    }
}

impl Time {
    /// The time of a minute of the day, if the day has it.
    #[must_use]
    pub fn of_minute(minute: u16) -> Option<Self> {
        (minute < MINUTES).then_some(Self { minute })
    }

    /// The part of the day that has passed, rounded to six digits: noon is 0.5.
    #[must_use]
    pub fn of_day(self) -> Option<Decimal> {
        let minutes = Decimal::whole(i64::from(self.minute))?;
        minutes.over(Decimal::whole(i64::from(MINUTES))?)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minute / 60, self.minute % 60)
    }
}

impl FromStr for Time {
    type Err = BadTime;

    /// Reads `HH:MM`.
    fn from_str(text: &str) -> Result<Self, BadTime> {
        let [hour, minute] = numbers(text, ':', [2, 2]).ok_or(BadTime)?;
        if hour > 23 || minute > 59 {
            return Err(BadTime);
        }
        let minute = u16::try_from(hour * 60 + minute).map_err(|_| BadTime)?;
        Self::of_minute(minute).ok_or(BadTime)
    }
}

/// Reads numbers of a fixed number of digits.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i32; N]> {
    let mut parts = text.split(separator);
    let mut out = [0; N];
    for (number, digits) in out.iter_mut().zip(digits) {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = plain.then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(out)
}
