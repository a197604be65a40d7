//! The fields of content documents: their names on disk and the values that each accepts.

use std::borrow::Cow;

use super::log_key::LogKey;
use super::value::FieldValue;
use crate::id::Hash;
use crate::limits::{ANSWER_CHARS_MAX, LOG_CHARS_MAX, SHORT_TEXT_CHARS_MAX};

/// A field of a record's content. People read the fields of an edit in the order of the variants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The subject in a few words, or the name of a thing.
    Title,
    /// Code of the category.
    Category,
    /// Address in words.
    Address,
    /// When it happened or was seen, ms UTC.
    OccurredMs,
    /// Where it is.
    Position,
    /// A field that the table of a kind declares.
    Own(&'static FieldSpec),
    /// Words about the subject; people write them together.
    Description,
    /// The answer to a question of a checklist: an id of 1 to 64 characters out of `a-z 0-9 _ -`.
    Answer(String),
    /// An attachment by the hash of its bytes; the value is its caption.
    Photo(Hash),
    /// An entry that only one device writes, such as a part of its way.
    Log(LogKey),
}

/// A line of the field table of a kind. Each person who may edit a record may write each of its fields.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldSpec {
    /// The stable name, as in documents and exports. Its words are the text `field.<name>`. Kinds that use
    /// the same name mean the same field.
    pub name: &'static str,
    /// The values that it accepts.
    pub value: ValueType,
    /// The texts of a number, from the least number on. Without them, people read digits.
    pub texts: &'static [&'static str],
}

/// The type of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueType {
    /// Words.
    Text {
        /// The largest length, in characters.
        chars_max: usize,
    },
    /// Words that people write together, character by character.
    Description,
    /// A whole number.
    Number {
        /// The least number.
        min: i64,
        /// The largest number.
        max: i64,
    },
    /// Yes or no.
    Flag,
    /// A place on the map.
    Position,
}

/// The key of the description in a document.
pub(crate) const DESCRIPTION_KEY: &str = "description";
const ANSWER_PREFIX: &str = "answer.";
const PHOTO_PREFIX: &str = "photo.";
const LOG_PREFIX: &str = "log.";
const ANSWER_ID_BYTES_MAX: usize = 64;

/// The fields with a fixed name that every kind has.
const SHARED: [(Field, &str); 6] = [
    (Field::Title, "title"),
    (Field::Category, "category"),
    (Field::Address, "address"),
    (Field::OccurredMs, "occurred_ms"),
    (Field::Position, "position"),
    (Field::Description, DESCRIPTION_KEY),
];

impl Field {
    /// The fields with a fixed name that every kind has.
    pub fn shared() -> impl Iterator<Item = Self> {
        SHARED.iter().map(|(field, _)| field.clone())
    }

    /// The field's stable name, as in documents and in exports.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Own(spec) => Cow::Borrowed(spec.name),
            Self::Answer(id) => Cow::Owned(format!("{ANSWER_PREFIX}{id}")),
            Self::Photo(hash) => Cow::Owned(format!("{PHOTO_PREFIX}{hash}")),
            Self::Log(key) => Cow::Owned(format!("{LOG_PREFIX}{key}")),
            shared => SHARED
                .iter()
                .find(|(field, _)| field == shared)
                .map_or(Cow::Borrowed(""), |(_, name)| Cow::Borrowed(name)),
        }
    }

    /// The field of a name, out of the fields of every kind and those in `own`. `None` for names of newer
    /// apps, and for malformed ones.
    pub(in crate::domain) fn of_name_in(
        name: &str,
        mut own: impl Iterator<Item = &'static FieldSpec>,
    ) -> Option<Self> {
        if let Some(id) = name.strip_prefix(ANSWER_PREFIX) {
            return is_answer_id(id).then(|| Self::Answer(id.to_owned()));
        }
        if let Some(hash) = name.strip_prefix(PHOTO_PREFIX) {
            return hash.parse().ok().map(Self::Photo);
        }
        if let Some(key) = name.strip_prefix(LOG_PREFIX) {
            return key.parse().ok().map(Self::Log);
        }
        let shared = SHARED.iter().find(|(_, known)| *known == name);
        shared
            .map(|(field, _)| field.clone())
            .or_else(|| own.find(|spec| spec.name == name).map(Self::Own))
    }

    /// Whether the field's name is allowed in a document.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Self::Answer(id) => is_answer_id(id),
            _ => true,
        }
    }

    /// The type of its values.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Own(spec) => spec.value,
            Self::Title | Self::Category | Self::Address | Self::Photo(_) => ValueType::SHORT,
            Self::Answer(_) => ValueType::Text {
                chars_max: ANSWER_CHARS_MAX,
            },
            Self::Log(_) => ValueType::Text {
                chars_max: LOG_CHARS_MAX,
            },
            Self::OccurredMs => ValueType::Number {
                min: i64::MIN,
                max: i64::MAX,
            },
            Self::Position => ValueType::Position,
            Self::Description => ValueType::Description,
        }
    }
}

/// The device that alone may write a key of a document; `None` for keys that people write together, and for
/// malformed ones.
pub(crate) fn owner_of_key(key: &str) -> Option<[u8; 8]> {
    let key = key.strip_prefix(LOG_PREFIX)?.parse::<LogKey>().ok()?;
    Some(key.device())
}

impl FieldSpec {
    /// The text of a number, if it has one.
    #[must_use]
    pub fn text_of(&self, number: i64) -> Option<&'static str> {
        let ValueType::Number { min, .. } = self.value else {
            return None;
        };
        let at = usize::try_from(number.checked_sub(min)?).ok()?;
        self.texts.get(at).copied()
    }
}

impl ValueType {
    /// A text of a few words.
    pub const SHORT: Self = Self::Text {
        chars_max: SHORT_TEXT_CHARS_MAX,
    };

    /// Whether a person may write this value; a text may still be too long.
    pub(crate) fn takes(self, value: &FieldValue) -> bool {
        match (self, value) {
            (Self::Number { min, max }, FieldValue::Number(number)) => (min..=max).contains(number),
            _ => self.is_of(value),
        }
    }

    /// Whether the value is a text, number, flag or position as the type is.
    pub(super) fn is_of(self, value: &FieldValue) -> bool {
        matches!(
            (self, value),
            (Self::Text { .. } | Self::Description, FieldValue::Text(_))
                | (Self::Number { .. }, FieldValue::Number(_))
                | (Self::Flag, FieldValue::Flag(_))
                | (Self::Position, FieldValue::Position(_))
        )
    }
}

fn is_answer_id(id: &str) -> bool {
    (1..=ANSWER_ID_BYTES_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_and_fields_correspond() {
        let fields = Field::shared().chain([
            Field::Answer("gas_valve".into()),
            Field::Photo(Hash([7; 32])),
            Field::Log("a7a7a7a7a7a7a7a7.track-1".parse().unwrap()),
        ]);
        for field in fields {
            assert!(!field.name().is_empty());
            assert_eq!(Field::of_name(&field.name()), Some(field));
        }
        for bad in [
            "", "title2", "answer.", "answer.A", "photo.12", "photo.", "log.", "log.x",
        ] {
            assert_eq!(Field::of_name(bad), None, "{bad}");
        }
    }
}
