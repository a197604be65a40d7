//! Editing content, comments, and moves of the workflow.

use super::super::error::ReplicaError;
use super::Replica;
use super::describe::describe;
use super::write::Writing;
use crate::crdt::{FieldEdit, Write};
use crate::domain::case::payload::Comment;
use crate::domain::case::{Event, EventError, OnBehalfOf};
use crate::domain::content::Field;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::wire::body::{Body, Change};

impl Replica {
    /// Changes fields of a record's content. A photo with a caption becomes one of the record.
    pub fn edit(
        &mut self,
        record: RecordId,
        edits: &[FieldEdit],
        now_ms: i64,
    ) -> Result<EnvelopeId, ReplicaError> {
        self.write(now_ms, |writing| {
            describe(writing, record, &captioned(edits))?;
            change(writing, record, edits, None)
        })
    }

    /// Adds a comment to a record. It changes no state.
    pub fn comment(
        &mut self,
        record: RecordId,
        comment: Comment,
        now_ms: i64,
    ) -> Result<EnvelopeId, ReplicaError> {
        self.act(record, &Event::Comment(comment), None, now_ms)
    }

    /// Makes a move. The move is refused at once when the rules do not allow it in the state that this
    /// phone knows. The record takes over the staged photos and recordings that it names.
    pub fn act(
        &mut self,
        record: RecordId,
        event: &Event,
        on_behalf_of: Option<OnBehalfOf>,
        now_ms: i64,
    ) -> Result<EnvelopeId, ReplicaError> {
        event
            .check()
            .map_err(|error| ReplicaError::BadContent(code_of(error)))?;
        self.write(now_ms, |writing| {
            describe(writing, record, &event.attachments())?;
            let body = writing.event(event, on_behalf_of);
            writing.append(record, &body)
        })
    }
}

/// Makes one change of the content from edits.
pub(in crate::replica) fn change(
    writing: &mut Writing<'_>,
    record: RecordId,
    edits: &[FieldEdit],
    replaces: Option<EnvelopeId>,
) -> Result<EnvelopeId, ReplicaError> {
    let actor = writing.actor()?;
    let document = writing
        .record(record)?
        .document()
        // The record is here, but its beginning awaits review or does not count.
        .ok_or(ReplicaError::NotAllowed("replica.awaits_review"))?;
    let change = document
        .edit(actor, edits)
        .map_err(|error| ReplicaError::BadContent(error.code()))?;
    let body = Body::Change(Change {
        salt: Some(writing.random()),
        change,
        replaces,
    });
    writing.append(record, &body)
}

/// The photos that get a caption.
fn captioned(edits: &[FieldEdit]) -> Vec<Hash> {
    let photo = |edit: &FieldEdit| match (&edit.field, &edit.write) {
        (_, Write::Remove) => None,
        (Field::Photo(id), _) => Some(*id),
        _ => None,
    };
    edits.iter().filter_map(photo).collect()
}

fn code_of(error: EventError) -> &'static str {
    match error {
        EventError::TooLarge => "event.too_large",
        EventError::Malformed => "event.malformed",
        EventError::Incomplete => "event.incomplete",
    }
}
