//! 线索: an observation that may be an offence.

use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(2);

/// Code of the offence that the tip is about.
pub const OFFENCE: FieldSpec = FieldSpec {
    name: "offence",
    value: ValueType::SHORT,
    texts: &[],
};

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "tip",
    lifecycle: Lifecycle::Case,
    fields: &[OFFENCE],
    weight: None,
    exported: &[OFFENCE],
    is_sensitive: true,
    report: Row::Report,
    audience: None,
    needs_link: false,
    form: None,
};

/// The content of a tip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tip {
    /// The fields that all kinds share.
    pub details: Details,
    /// Code of the offence.
    pub offence: Option<String>,
}

impl Tip {
    /// Reads the content of a tip; `None` for another kind.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            offence: content.text(&OFFENCE).map(str::to_owned),
        })
    }
}

impl From<Tip> for Content {
    fn from(tip: Tip) -> Self {
        let mut content = SPEC.content_of(tip.details);
        if let Some(offence) = tip.offence {
            content.set(Field::Own(&OFFENCE), FieldValue::Text(offence));
        }
        content
    }
}
