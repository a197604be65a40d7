//! 附记: private words about another record, and the name of a person whom only few may know.
//!
//! A note is always restricted, so its readers are its author, the people named in it, and the dispatchers of
//! the place. Its Genesis links the record that it is about. The title is the name of the person.

use super::{KindSpec, Lifecycle};
use crate::domain::content::{Content, Details};
use crate::domain::permissions::Row;
use crate::domain::{Audience, RecordKind};

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(11);

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "note",
    lifecycle: Lifecycle::Talk,
    fields: &[],
    weight: None,
    exported: &[],
    is_sensitive: true,
    report: Row::Note,
    audience: Some(Audience::Restricted),
    needs_link: false,
    form: None,
};

/// The content of a private note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// The fields that all kinds share; the title is the name of the person.
    pub details: Details,
}

impl Note {
    /// Reads the content of a private note; `None` for another kind.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
        })
    }
}

impl From<Note> for Content {
    fn from(note: Note) -> Self {
        SPEC.content_of(note.details)
    }
}
