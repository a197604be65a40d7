//! 隐患: a danger that may hurt people.

use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::case::Severity;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(1);

/// The code of a [`Severity`]. An export shows the severity of the triage in a column of its own.
pub const SEVERITY: FieldSpec = FieldSpec {
    name: "severity",
    value: ValueType::Number { min: 1, max: 4 },
    texts: &[
        "severity.general",
        "severity.elevated",
        "severity.serious",
        "severity.critical",
    ],
};

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "hazard",
    lifecycle: Lifecycle::Case,
    fields: &[SEVERITY],
    weight: Some(&SEVERITY),
    exported: &[],
    is_sensitive: false,
    report: Row::Report,
    audience: None,
    needs_link: false,
    form: None,
};

/// The content of a hazard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hazard {
    /// The fields that all kinds share.
    pub details: Details,
    /// How bad the hazard is.
    pub severity: Option<Severity>,
}

impl Hazard {
    /// Reads the content of a hazard; `None` for another kind.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        let code = content.number(&SEVERITY);
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            severity: code
                .and_then(|code| u8::try_from(code).ok())
                .and_then(Severity::from_code),
        })
    }
}

impl From<Hazard> for Content {
    fn from(hazard: Hazard) -> Self {
        let mut content = SPEC.content_of(hazard.details);
        if let Some(severity) = hazard.severity {
            let code = FieldValue::Number(severity.code().into());
            content.set(Field::Own(&SEVERITY), code);
        }
        content
    }
}
