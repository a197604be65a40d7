//! The fields of content documents: their names on disk and the values that each accepts.

use std::borrow::Cow;

use super::value::ValueKind;
use crate::id::Hash;
use crate::limits::ANSWER_CHARS_MAX;

/// A field of a record's content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The subject in a few words; for a place its name.
    Title,
    /// Code of the category.
    Category,
    /// Severity of a hazard: the code of a `domain::case::Severity`, 1 to 4.
    Severity,
    /// Address in words.
    Address,
    /// When it happened or was seen, ms UTC.
    OccurredMs,
    /// Where it is.
    Position,
    /// Words about the subject; people write them together.
    Description,
    /// Urgency of a request, 1 (can wait) to 4 (now).
    Urgency,
    /// Whether the person wants to be called back.
    ContactWanted,
    /// How the person, or the person in charge of a place, is reached.
    Contact,
    /// Code of the offence that a tip is about.
    Offence,
    /// Code of the type of a place.
    PlaceType,
    /// The answer to a question of a checklist: an id of 1 to 64 characters out of `a-z 0-9 _ -`.
    Answer(String),
    /// An attachment by the hash of its bytes; the value is its caption.
    Photo(Hash),
}

pub(super) const DESCRIPTION_KEY: &str = "description";
const ANSWER_PREFIX: &str = "answer.";
const PHOTO_PREFIX: &str = "photo.";
const ANSWER_ID_BYTES_MAX: usize = 64;

/// Fields with a fixed name.
const NAMED: [(Field, &str); 12] = [
    (Field::Title, "title"),
    (Field::Category, "category"),
    (Field::Severity, "severity"),
    (Field::Address, "address"),
    (Field::OccurredMs, "occurred_ms"),
    (Field::Position, "position"),
    (Field::Description, DESCRIPTION_KEY),
    (Field::Urgency, "urgency"),
    (Field::ContactWanted, "contact_wanted"),
    (Field::Contact, "contact"),
    (Field::Offence, "offence"),
    (Field::PlaceType, "place_type"),
];

impl Field {
    /// The field's stable name, as in documents and in exports.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Answer(id) => Cow::Owned(format!("{ANSWER_PREFIX}{id}")),
            Self::Photo(hash) => Cow::Owned(format!("{PHOTO_PREFIX}{hash}")),
            named => NAMED
                .iter()
                .find(|(field, _)| field == named)
                .map_or(Cow::Borrowed(""), |(_, name)| Cow::Borrowed(name)),
        }
    }

    /// The field of a name. `None` for names of newer apps, and for malformed ones.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        if let Some(id) = name.strip_prefix(ANSWER_PREFIX) {
            return is_answer_id(id).then(|| Self::Answer(id.to_owned()));
        }
        if let Some(hash) = name.strip_prefix(PHOTO_PREFIX) {
            return hash.parse().ok().map(Self::Photo);
        }
        NAMED
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(field, _)| field.clone())
    }

    /// Whether the field's name is allowed in a document.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Answer(id) => is_answer_id(id),
            _ => true,
        }
    }

    pub(super) fn value_kind(&self) -> ValueKind {
        match self {
            Self::Title
            | Self::Category
            | Self::Address
            | Self::Contact
            | Self::Offence
            | Self::PlaceType
            | Self::Photo(_) => ValueKind::SHORT,
            Self::Answer(_) => ValueKind::Text {
                chars_max: ANSWER_CHARS_MAX,
            },
            Self::Severity | Self::Urgency => ValueKind::Number { min: 1, max: 4 },
            Self::OccurredMs => ValueKind::Number {
                min: i64::MIN,
                max: i64::MAX,
            },
            Self::Position => ValueKind::Position,
            Self::Description => ValueKind::Description,
            Self::ContactWanted => ValueKind::Flag,
        }
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
    use super::*;

    #[test]
    fn names_and_fields_correspond() {
        let mut fields: Vec<Field> = NAMED.iter().map(|(field, _)| field.clone()).collect();
        fields.push(Field::Answer("gas_valve".into()));
        fields.push(Field::Photo(Hash([7; 32])));
        for field in fields {
            assert!(!field.name().is_empty());
            assert_eq!(Field::of_name(&field.name()), Some(field));
        }
        for bad in ["", "title2", "answer.", "answer.A", "photo.12", "photo."] {
            assert_eq!(Field::of_name(bad), None, "{bad}");
        }
    }
}
