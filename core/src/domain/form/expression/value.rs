//! Values inside an expression, and how one type becomes another.

use std::borrow::Cow;

use super::super::calendar::{Date, Time};
use super::super::decimal::Decimal;

/// A value. A question without an answer is the empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Value<'a> {
    Text(Cow<'a, str>),
    /// `None` is “not a number”: a blank in arithmetic, a division by zero, or an overflow.
    Number(Option<Decimal>),
    Flag(bool),
    Date(Date),
}

impl Value<'_> {
    /// The value of a question without an answer.
    pub(in super::super) const BLANK: Self = Self::Text(Cow::Borrowed(""));

    /// Whether the value counts as true. A blank, zero and “not a number” are false.
    pub(in super::super) fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => number.is_some_and(|number| !number.is_zero()),
            Self::Flag(flag) => *flag,
            Self::Date(_) => true,
        }
    }

    pub(super) fn number(&self) -> Option<Decimal> {
        match self {
            Self::Text(text) => {
                let text = text.trim();
                let of_date = || days(text.parse().ok()?);
                Decimal::parse(text).or_else(of_date)
            }
            Self::Number(number) => *number,
            Self::Flag(flag) => Decimal::whole(i64::from(*flag)),
            Self::Date(date) => days(*date),
        }
    }

    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(None) => Cow::Borrowed("NaN"),
            Self::Number(Some(number)) => Cow::Owned(number.to_string()),
            Self::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Self::Date(date) => Cow::Owned(date.to_string()),
        }
    }

    pub(super) fn date(&self) -> Option<Date> {
        match self {
            Self::Date(date) => Some(*date),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Number(number) => {
                let days = number.as_ref()?.cut().as_whole()?;
                Date::of_days(i32::try_from(days).ok()?)
            }
            Self::Flag(_) => None,
        }
    }

    pub(super) fn part_of_day(&self) -> Option<Decimal> {
        match self {
            Self::Text(text) => text.trim().parse::<Time>().ok()?.of_day(),
            _ => None,
        }
    }

    /// Whether the value is blank or “not a number”.
    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Number(number) => number.is_none(),
            Self::Flag(_) | Self::Date(_) => false,
        }
    }

    /// Equality as in XPath 1.0, section 3.4: as truth if one side is true or false, else as numbers if one
    /// side is a number or both are days, else as texts. “Not a number” equals no value.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Flag(_), _) | (_, Self::Flag(_)) => self.is_true() == other.is_true(),
            (Self::Number(_), _) | (_, Self::Number(_)) | (Self::Date(_), Self::Date(_)) => {
                match (self.number(), other.number()) {
                    (Some(left), Some(right)) => left == right,
                    _ => false,
                }
            }
            _ => self.text() == other.text(),
        }
    }
}

fn days(date: Date) -> Option<Decimal> {
    Decimal::whole(i64::from(date.days()))
}
