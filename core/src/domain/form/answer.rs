//! One answer, typed, and its one spelling in a record.
//!
//! A record stores an answer as a text field `answer.<key>` (`content::Field::Answer`). Each type has exactly
//! one spelling, so the same answer has the same bytes on every phone. Another spelling is an error, never
//! a guess.

use super::calendar::{Date, Time};
use super::decimal::Decimal;
use super::expression::Value;
use super::kind::{Choice, Kind};
use crate::domain::content::{FieldValue, StoredPosition};
use crate::id::Hash;
use crate::limits::ANSWER_CHARS_MAX;

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Words.
    Text(String),
    /// A number, in the unit of its question.
    Number(Decimal),
    /// The id of a choice.
    One(String),
    /// The ids of choices, in the order of their list.
    Many(Vec<String>),
    /// Yes or no.
    YesNo(bool),
    /// A day.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// A place on the map.
    Position(StoredPosition),
    /// The hash of a photo's bytes.
    Photo(Hash),
}

coded_error! {
    /// A value that is no answer to its question.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum AnswerError {
        /// The value has another type, or another spelling than the one of its type.
        #[error("form.wrong_type")]
        WrongType,
        /// The choice is not in the list of the question.
        #[error("form.unknown_choice")]
        UnknownChoice,
        /// The text has more than `limits::ANSWER_CHARS_MAX` characters.
        #[error("form.answer_long")]
        TooLong,
        /// The template has no such question, or it is asked in rows and the key has none, or the reverse.
        #[error("form.no_question")]
        NoQuestion,
    }
}

/// The mark of a row of a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowMark {
    /// A person added the row at this time, ms UTC. Rows are shown in this order.
    Added(i64),
    /// A person removed the row. Its answers stay in the record and no longer count.
    Removed,
}

const REMOVED: &str = "removed";

impl Answer {
    /// The value of the field that stores the answer.
    #[must_use]
    pub fn to_value(&self) -> FieldValue {
        FieldValue::Text(self.to_text())
    }

    /// The spelling in a record.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) | Self::One(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Many(choices) => choices.join(" "),
            Self::YesNo(yes) => yes_no(*yes).to_owned(),
            Self::Date(date) => date.to_string(),
            Self::Time(time) => time.to_string(),
            Self::Position(position) => position.to_text(),
            Self::Photo(hash) => hash.to_string(),
        }
    }

    /// The value that a page shows: yes or no and positions as such, everything else in its spelling.
    #[must_use]
    pub fn to_entry(&self) -> FieldValue {
        match self {
            Self::YesNo(yes) => FieldValue::Flag(*yes),
            Self::Position(position) => FieldValue::Position(*position),
            other => other.to_value(),
        }
    }

    /// Reads the spelling of a record. `choices` belong to the question.
    pub(super) fn of_text(
        kind: &Kind,
        choices: &[Choice],
        text: &str,
    ) -> Result<Self, AnswerError> {
        let wrong = AnswerError::WrongType;
        let known = |id: &str| choices.iter().any(|choice| choice.id == id);
        let answer = match kind {
            Kind::Text => {
                let control = |c: char| c.is_control() && c != '\n' && c != '\t';
                if text.chars().count() > ANSWER_CHARS_MAX {
                    return Err(AnswerError::TooLong);
                }
                if text.trim().is_empty() || text.chars().any(control) {
                    return Err(wrong);
                }
                Self::Text(text.to_owned())
            }
            Kind::Number { .. } => Self::Number(Decimal::parse(text).ok_or(wrong)?),
            Kind::One { .. } if known(text) => Self::One(text.to_owned()),
            Kind::Many { .. } if text.split(' ').all(known) => Self::many(choices, text.split(' ')),
            Kind::One { .. } | Kind::Many { .. } => return Err(AnswerError::UnknownChoice),
            Kind::YesNo if text == yes_no(true) => Self::YesNo(true),
            Kind::YesNo if text == yes_no(false) => Self::YesNo(false),
            Kind::YesNo | Kind::Note | Kind::Section | Kind::Repeat => return Err(wrong),
            Kind::Date => Self::Date(text.parse().map_err(|_| wrong)?),
            Kind::Time => Self::Time(text.parse().map_err(|_| wrong)?),
            Kind::Position => Self::Position(StoredPosition::of_text(text).ok_or(wrong)?),
            Kind::Photo => Self::Photo(text.parse().map_err(|_| wrong)?),
        };
        if answer.to_text() == text {
            Ok(answer)
        } else {
            Err(wrong)
        }
    }

    /// Any number of choices, put into the order of their list, each once.
    #[must_use]
    pub fn many<'a>(choices: &[Choice], picked: impl Iterator<Item = &'a str>) -> Self {
        let picked: std::collections::BTreeSet<&str> = picked.collect();
        let ordered = choices.iter().map(|choice| &choice.id);
        let ordered = ordered.filter(|id| picked.contains(id.as_str()));
        Self::Many(ordered.cloned().collect())
    }

    /// Whether this is an answer to a question of this type, with these choices.
    pub(super) fn fits(&self, kind: &Kind, choices: &[Choice]) -> Result<(), AnswerError> {
        // The spelling has all checks, so that a typed answer and a stored one are judged alike.
        let read = Self::of_text(kind, choices, &self.to_text())?;
        if read == *self {
            Ok(())
        } else {
            Err(AnswerError::WrongType)
        }
    }

    /// The value that expressions see.
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Text(text) | Self::One(text) => Value::Text(text.as_str().into()),
            Self::Number(number) => Value::Number(Some(*number)),
            Self::YesNo(yes) => Value::Text(yes_no(*yes).into()),
            Self::Date(date) => Value::Date(*date),
            other => Value::Text(other.to_text().into()),
        }
    }
}

impl RowMark {
    /// The value of the field that stores the mark.
    #[must_use]
    pub fn to_value(self) -> FieldValue {
        FieldValue::Text(match self {
            Self::Added(at_ms) => at_ms.to_string(),
            Self::Removed => REMOVED.to_owned(),
        })
    }

    pub(super) fn of_value(value: &FieldValue) -> Option<Self> {
        match value {
            FieldValue::Text(text) => Self::of_text(text),
            _ => None,
        }
    }

    /// Reads the spelling of a record.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        if text == REMOVED {
            return Some(Self::Removed);
        }
        let at_ms: i64 = text.parse().ok()?;
        (at_ms.to_string() == text).then_some(Self::Added(at_ms))
    }
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
