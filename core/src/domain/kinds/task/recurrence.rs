//! Rules of recurrence: the rules of RFC 5545 that give whole days.
//!
//! A rule comes from a person or from another system, so it is bounded: it always ends (`COUNT` or `UNTIL`), and
//! no day is more than [`TASK_RULE_YEARS_MAX`] years after the first one. A part that this version does not know is
//! an error, because a rule that is half read gives other days.

use std::str::FromStr;

use crate::domain::form::Date;
use crate::limits::{TASK_OCCURRENCES_MAX, TASK_RULE_YEARS_MAX};

coded_error! {
    /// The reason why a rule is refused.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum RuleError {
        /// A part has no value, a value is no number or day, or a part is there twice.
        #[error("recurrence.malformed")]
        Malformed,
        /// Only other software reads the part, or the part does not go with this frequency.
        #[error("recurrence.unsupported")]
        Unsupported,
        /// The rule has no end.
        #[error("recurrence.endless")]
        Endless,
    }
}

/// A rule that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    frequency: Frequency,
    /// Every n-th day, week, month or year, from 1 on.
    interval: i32,
    end: End,
    /// The days of the week (Monday is 0), each with its number in the month: 1 the first, -1 the last, 0 each.
    by_day: Vec<(i32, i32)>,
    /// The days of the month; -1 is the last.
    by_month_day: Vec<i32>,
    /// The months.
    by_month: Vec<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Count(usize),
    Until(Date),
}

/// The parts of a rule that this version reads.
const KNOWN: [&str; 8] = [
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "BYDAY",
    "BYMONTHDAY",
    "BYMONTH",
    "WKST",
];
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl FromStr for Recurrence {
    type Err = RuleError;

    /// Reads `FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20271231`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let text = text.trim();
        let mut parts: Vec<(&str, &str)> = Vec::new();
        for part in text.strip_prefix("RRULE:").unwrap_or(text).split(';') {
            let (name, value) = part.split_once('=').ok_or(RuleError::Malformed)?;
            if value.is_empty() || parts.iter().any(|(known, _)| *known == name) {
                return Err(RuleError::Malformed);
            }
            parts.push((name, value));
        }
        let value = |name| parts.iter().find(|part| part.0 == name).map(|part| part.1);
        let is_known = |(name, _): &(&str, &str)| KNOWN.contains(name);
        if !parts.iter().all(is_known) || value("WKST").is_some_and(|day| day != "MO") {
            return Err(RuleError::Unsupported);
        }
        let rule = Self {
            frequency: frequency(value("FREQ").ok_or(RuleError::Malformed)?)?,
            interval: value("INTERVAL").map_or(Ok(1), |text| number(text, 1, 1_000))?,
            end: end(value("COUNT"), value("UNTIL"))?,
            by_day: list(value("BYDAY"), weekday)?,
            by_month_day: list(value("BYMONTHDAY"), |text| signed(text, 31))?,
            by_month: list(value("BYMONTH"), |text| number(text, 1, 12))?,
        };
        if rule.is_supported() {
            Ok(rule)
        } else {
            Err(RuleError::Unsupported)
        }
    }
}

/// The days of the rule in a span of days, both ends included, at most [`TASK_OCCURRENCES_MAX`] of them. The rule
/// counts from its first day.
#[must_use]
pub fn occurrences(rule: &Recurrence, first: Date, from: Date, to: Date) -> Vec<Date> {
    let last = first.days().saturating_add(TASK_RULE_YEARS_MAX * 366);
    let (until, count) = match rule.end {
        End::Until(day) => (day.days(), usize::MAX),
        End::Count(count) => (i32::MAX, count),
    };
    let all = (first.days()..=last.min(until).min(to.days())).filter_map(Date::of_days);
    all.filter(|day| rule.falls_on(first, *day))
        .take(count)
        .filter(|day| *day >= from)
        .take(TASK_OCCURRENCES_MAX)
        .collect()
}

impl Recurrence {
    /// Whether the parts go together as this version reads them.
    fn is_supported(&self) -> bool {
        let numbered = self.by_day.iter().any(|(nth, _)| *nth != 0);
        match self.frequency {
            Frequency::Daily => !numbered,
            Frequency::Weekly => !numbered && self.by_month_day.is_empty(),
            Frequency::Monthly => true,
            // The first Monday of a year is another day than the first Monday of a month.
            Frequency::Yearly => self.by_day.is_empty() || !self.by_month.is_empty(),
        }
    }

    /// Whether the rule that begins on the first day gives this day.
    fn falls_on(&self, first: Date, day: Date) -> bool {
        let (start, here) = (Parts::of(first), Parts::of(day));
        let passed = match self.frequency {
            Frequency::Daily => day.days() - first.days(),
            Frequency::Weekly => (monday(day) - monday(first)) / 7,
            Frequency::Monthly => (here.year - start.year) * 12 + here.month - start.month,
            Frequency::Yearly => here.year - start.year,
        };
        let in_month = self.by_month.is_empty() || self.by_month.contains(&here.month);
        passed % self.interval == 0 && in_month && self.is_day(&start, &here)
    }

    fn is_day(&self, start: &Parts, here: &Parts) -> bool {
        let named = self.by_day.is_empty() && self.by_month_day.is_empty();
        if named {
            return match self.frequency {
                Frequency::Daily => true,
                Frequency::Weekly => here.weekday == start.weekday,
                Frequency::Monthly => here.day == start.day,
                Frequency::Yearly => {
                    let month = !self.by_month.is_empty() || here.month == start.month;
                    month && here.day == start.day
                }
            };
        }
        let from_end = here.day - here.days_of_month - 1;
        let of_month = |day: &i32| *day == here.day || *day == from_end;
        let of_week = |(nth, weekday): &(i32, i32)| {
            let counted = [0, (here.day - 1) / 7 + 1, (from_end + 1) / 7 - 1];
            *weekday == here.weekday && counted.contains(nth)
        };
        let month_day = self.by_month_day.is_empty() || self.by_month_day.iter().any(of_month);
        let week_day = self.by_day.is_empty() || self.by_day.iter().any(of_week);
        month_day && week_day
    }
}

/// A day by its parts.
struct Parts {
    year: i32,
    month: i32,
    day: i32,
    /// Monday is 0.
    weekday: i32,
    days_of_month: i32,
}

impl Parts {
    fn of(date: Date) -> Self {
        let (year, month, day) = date.civil();
        let days_of_month = match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        // 1970-01-01 was a Thursday.
        let weekday = (date.days() + 3).rem_euclid(7);
        Self {
            year,
            month,
            day,
            weekday,
            days_of_month,
        }
    }
}

/// The number of the Monday of the day's week.
fn monday(day: Date) -> i32 {
    day.days() - (day.days() + 3).rem_euclid(7)
}

fn frequency(text: &str) -> Result<Frequency, RuleError> {
    match text {
        "DAILY" => Ok(Frequency::Daily),
        "WEEKLY" => Ok(Frequency::Weekly),
        "MONTHLY" => Ok(Frequency::Monthly),
        "YEARLY" => Ok(Frequency::Yearly),
        "HOURLY" | "MINUTELY" | "SECONDLY" => Err(RuleError::Unsupported),
        _ => Err(RuleError::Malformed),
    }
}

fn end(count: Option<&str>, until: Option<&str>) -> Result<End, RuleError> {
    let max = i32::try_from(TASK_OCCURRENCES_MAX).unwrap_or(i32::MAX);
    match (count, until) {
        (None, None) => Err(RuleError::Endless),
        (Some(_), Some(_)) => Err(RuleError::Malformed),
        (Some(count), None) => {
            let count = number(count, 1, max)?;
            Ok(End::Count(usize::try_from(count).unwrap_or(1)))
        }
        (None, Some(until)) => {
            let plain = until.len() == 8 && until.bytes().all(|byte| byte.is_ascii_digit());
            if !plain {
                return Err(RuleError::Malformed);
            }
            let (year, rest) = until.split_at(4);
            let (month, day) = rest.split_at(2);
            let date = format!("{year}-{month}-{day}").parse();
            Ok(End::Until(date.map_err(|_| RuleError::Malformed)?))
        }
    }
}

fn list<T>(
    text: Option<&str>,
    read: impl Fn(&str) -> Result<T, RuleError>,
) -> Result<Vec<T>, RuleError> {
    text.map_or_else(
        || Ok(Vec::new()),
        |text| text.split(',').map(read).collect(),
    )
}

fn number(text: &str, min: i32, max: i32) -> Result<i32, RuleError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    let number: i32 = number.ok_or(RuleError::Malformed)?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(RuleError::Malformed)
    }
}

/// A number from 1 on, which a minus counts from the end.
fn signed(text: &str, max: i32) -> Result<i32, RuleError> {
    match text.strip_prefix('-') {
        Some(rest) => Ok(-number(rest, 1, max)?),
        None => number(text.strip_prefix('+').unwrap_or(text), 1, max),
    }
}

/// `MO`, or `1MO` and `-1MO`.
fn weekday(text: &str) -> Result<(i32, i32), RuleError> {
    let name = text.get(text.len().saturating_sub(2)..);
    let at = WEEKDAYS.iter().position(|day| Some(*day) == name);
    let weekday = at
        .and_then(|at| i32::try_from(at).ok())
        .ok_or(RuleError::Malformed)?;
    let nth = match &text[..text.len() - 2] {
        "" => 0,
        nth => signed(nth, 5)?,
    };
    Ok((nth, weekday))
}
