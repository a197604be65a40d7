//! 场所: shop, building, fire lane, rental flat, school. The title is its name.

use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(8);

/// Code of its type (shop, building, fire lane, …).
pub const PLACE_TYPE: FieldSpec = FieldSpec {
    name: "place_type",
    value: ValueType::SHORT,
    texts: &[],
};

/// How the person in charge is reached.
pub const CONTACT: FieldSpec = FieldSpec {
    name: "contact",
    value: ValueType::SHORT,
    texts: &[],
};

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "place",
    lifecycle: Lifecycle::Talk,
    fields: &[PLACE_TYPE, CONTACT],
    weight: None,
    exported: &[],
    is_sensitive: false,
    report: Row::Report,
    audience: None,
    needs_link: false,
    form: None,
};

/// The content of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The fields that all kinds share; the title is its name.
    pub details: Details,
    /// Code of its type (shop, building, fire lane, …).
    pub place_type: Option<String>,
    /// How the person in charge is reached.
    pub contact: Option<String>,
}

impl Place {
    /// Reads the content of a place; `None` for another kind.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            place_type: content.text(&PLACE_TYPE).map(str::to_owned),
            contact: content.text(&CONTACT).map(str::to_owned),
        })
    }
}

impl From<Place> for Content {
    fn from(place: Place) -> Self {
        let fields = [(&PLACE_TYPE, place.place_type), (&CONTACT, place.contact)];
        let mut content = SPEC.content_of(place.details);
        for (spec, text) in fields {
            if let Some(text) = text {
                content.set(Field::Own(spec), FieldValue::Text(text));
            }
        }
        content
    }
}
