//! 求助: a person needs help.

use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(3);

/// 1 (can wait) to 4 (now).
pub const URGENCY: FieldSpec = FieldSpec {
    name: "urgency",
    value: ValueType::Number { min: 1, max: 4 },
    texts: &[],
};

/// Whether the person wants to be called back.
pub const CONTACT_WANTED: FieldSpec = FieldSpec {
    name: "contact_wanted",
    value: ValueType::Flag,
    texts: &[],
};

/// How the person is reached.
pub const CONTACT: FieldSpec = FieldSpec {
    name: "contact",
    value: ValueType::SHORT,
    texts: &[],
};

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "request",
    lifecycle: Lifecycle::Case,
    fields: &[URGENCY, CONTACT_WANTED, CONTACT],
    weight: Some(&URGENCY),
    exported: &[URGENCY, CONTACT_WANTED, CONTACT],
    is_sensitive: true,
    report: Row::Report,
    audience: None,
    needs_link: false,
    form: None,
};

/// The content of a request for help.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The fields that all kinds share.
    pub details: Details,
    /// 1 (can wait) to 4 (now).
    pub urgency: Option<u8>,
    /// Whether the person wants to be called back.
    pub contact_wanted: Option<bool>,
    /// How the person is reached.
    pub contact: Option<String>,
}

impl Request {
    /// Reads the content of a request; `None` for another kind.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        let urgency = content.number(&URGENCY);
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            urgency: urgency.and_then(|urgency| u8::try_from(urgency).ok()),
            contact_wanted: content.flag(&CONTACT_WANTED),
            contact: content.text(&CONTACT).map(str::to_owned),
        })
    }
}

impl From<Request> for Content {
    fn from(request: Request) -> Self {
        let urgency = request.urgency.map(Into::into);
        let fields = [
            (&URGENCY, urgency.map(FieldValue::Number)),
            (
                &CONTACT_WANTED,
                request.contact_wanted.map(FieldValue::Flag),
            ),
            (&CONTACT, request.contact.map(FieldValue::Text)),
        ];
        let mut content = SPEC.content_of(request.details);
        for (spec, value) in fields {
            if let Some(value) = value {
                content.set(Field::Own(spec), value);
            }
        }
        content
    }
}
