//! Months of the calendar in China, as lists and budgets name them: `2026-11`.

use std::fmt;
use std::str::FromStr;

use super::form::Date;

/// A month of the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Date,
}

/// A text that is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("month.malformed")]
pub struct BadMonth;

impl Month {
    /// The month in China (UTC+8) of an instant in ms UTC.
    #[must_use]
    pub fn in_china(at_ms: i64) -> Self {
        let day = Date::in_china(at_ms).to_string();
        let first = day
            .rsplit_once('-')
            .and_then(|(month, _)| month.parse().ok());
        first.unwrap_or(Self {
            first: Date::in_china(at_ms),
        })
    }

    /// The first day.
    #[must_use]
    pub fn first_day(self) -> Date {
        self.first
    }

    /// The begin of the month in China, ms UTC.
    #[must_use]
    pub fn begin_ms(self) -> i64 {
        i64::from(self.first.days()) * 86_400_000 - 8 * 3_600_000
    }
}

impl fmt::Display for Month {
    /// Writes `YYYY-MM`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.first.to_string();
        f.write_str(day.get(..7).unwrap_or(&day))
    }
}

impl FromStr for Month {
    type Err = BadMonth;

    /// Reads `YYYY-MM`.
    fn from_str(text: &str) -> Result<Self, BadMonth> {
        let first = format!("{text}-01").parse().map_err(|_| BadMonth)?;
        Ok(Self { first })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn month_begins_at_midnight_in_china() {
        let month: Month = "2026-11".parse().unwrap();
        assert_eq!(month.to_string(), "2026-11");
        assert_eq!(month.first_day().to_string(), "2026-11-01");
        assert_eq!(Month::in_china(month.begin_ms()), month);
        let before = Month::in_china(month.begin_ms() - 1);
        assert_eq!(before.to_string(), "2026-10");
        let last = "2026-12".parse::<Month>().unwrap().begin_ms() - 1;
        assert_eq!(Month::in_china(last), month);
    }

    #[test]
    fn text_of_another_shape_is_no_month() {
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "2026-1",
            "26-11",
            "2026-11-01",
            "２０２６-11",
        ] {
            assert_eq!(bad.parse::<Month>(), Err(BadMonth), "{bad}");
        }
        assert_eq!(Month::in_china(i64::MAX).to_string(), "9999-12");
        assert_eq!(Month::in_china(i64::MIN).to_string(), "0001-01");
    }
}
