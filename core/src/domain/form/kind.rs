//! The type of an item of a template.

use super::decimal::Decimal;
use super::words::Words;

/// The type of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Words to read, without an answer.
    Note,
    /// Words.
    Text,
    /// A number.
    Number {
        /// The least number.
        min: Option<Decimal>,
        /// The largest number.
        max: Option<Decimal>,
        /// Digits after the point, at most.
        decimals: u8,
        /// The unit, such as °C.
        unit: Option<Words>,
    },
    /// One choice of a list.
    One {
        /// Index of the list.
        list: usize,
    },
    /// Any number of choices of a list.
    Many {
        /// Index of the list.
        list: usize,
    },
    /// Yes or no.
    YesNo,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A place on the map.
    Position,
    /// A photo.
    Photo,
    /// A heading over items.
    Section,
    /// Items that are asked again for each row.
    Repeat,
}

impl Kind {
    /// The stable name, as in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Text => "text",
            Self::Number { .. } => "number",
            Self::One { .. } => "one",
            Self::Many { .. } => "many",
            Self::YesNo => "yes_no",
            Self::Date => "date",
            Self::Time => "time",
            Self::Position => "position",
            Self::Photo => "photo",
            Self::Section => "section",
            Self::Repeat => "repeat",
        }
    }

    /// Whether the item takes an answer.
    #[must_use]
    pub fn is_question(&self) -> bool {
        !matches!(self, Self::Note | Self::Section | Self::Repeat)
    }

    /// Whether other items are inside.
    #[must_use]
    pub fn has_items(&self) -> bool {
        matches!(self, Self::Section | Self::Repeat)
    }
}

/// A choice of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The stable id; answers hold it.
    pub id: String,
    /// The words that a person reads.
    pub label: Words,
}
