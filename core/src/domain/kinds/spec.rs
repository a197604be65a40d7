//! The description of a kind: everything that generic code may know of it.

use super::form_spec::FormSpec;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue};
use crate::domain::permissions::Row;
use crate::domain::steps::StepTable;
use crate::domain::{Audience, RecordKind};

/// A record kind. Each folder of [`super`] has one as `SPEC`.
#[derive(Debug)]
pub struct KindSpec {
    /// The stable code. A retired code is never used again.
    pub kind: RecordKind,
    /// The stable name, as in JSON, exports and docs. Its words are the text `kind.<name>`.
    pub name: &'static str,
    /// The moves that its records allow.
    pub lifecycle: Lifecycle,
    /// The content fields beside the shared ones of [`Details`]. A Genesis writes them in this order, so a new
    /// field is added at the end.
    pub fields: &'static [FieldSpec],
    /// The field that lists show as severity while no triage has set one: a number from 1 to 4.
    pub weight: Option<&'static FieldSpec>,
    /// The fields that an export shows in its column `more`.
    pub exported: &'static [FieldSpec],
    /// Whether the server keeps account of each reading, as it does for every restricted record.
    pub is_sensitive: bool,
    /// The row of the permission table that decides who may make a record.
    pub report: Row,
    /// The only audience that its records have; `None` where the author chooses.
    pub audience: Option<Audience>,
    /// Whether a record names in its Genesis the record that it is for.
    pub needs_link: bool,
    /// The checklist of its records; `None` for a kind without one.
    pub form: Option<&'static FormSpec>,
}

/// The moves that the records of a kind allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// All moves of `domain::case`. A record is open until its case ends. It has a bulletin, and rules of the
    /// server move it.
    Case,
    /// The steps of a table, and comments and openings. A record is open until its stage is an ended one.
    Steps(&'static StepTable),
    /// Comments and openings. A record has no stages.
    Talk,
}

impl KindSpec {
    /// Makes content of these fields. A field that the kind does not have is left out, and so is a value that
    /// the field does not accept.
    pub fn content(&self, fields: impl IntoIterator<Item = (Field, FieldValue)>) -> Content {
        let mut content = self.content_of(Details::default());
        for (field, value) in fields {
            content.set(field, value);
        }
        content
    }

    /// Makes content of the shared fields.
    #[must_use]
    pub fn content_of(&self, details: Details) -> Content {
        Content::new(self.kind, self.fields, details)
    }

    /// Whether its records have the field.
    #[must_use]
    pub fn has(&self, field: &Field) -> bool {
        match field {
            Field::Own(spec) => self.fields.contains(spec),
            _ => true,
        }
    }

    /// The severity or urgency that people wrote.
    #[must_use]
    pub fn weight_of(&self, content: &Content) -> Option<u8> {
        let number = content.number(self.weight?)?;
        u8::try_from(number).ok()
    }
}
