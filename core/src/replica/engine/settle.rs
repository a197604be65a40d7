//! Settling a conflict of content: a person chooses a value, and can undo the choice.

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::load;
use super::super::reader::Reader;
use super::super::table::envelope;
use super::{Replica, edit};
use crate::crdt::FieldConflict;
use crate::domain::content::{Field, FieldValue};
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::record::{NodeBody, Record};
use crate::wire::body::Body;
use crate::wire::envelope::Envelope;

impl Replica {
    /// Settles a field that two people wrote without knowing of each other: from now on it has this value,
    /// one of the two or a third. Both written values stay in the history.
    pub fn settle(
        &mut self,
        record: RecordId,
        field: &Field,
        value: FieldValue,
        now_ms: i64,
    ) -> Result<EnvelopeId, ReplicaError> {
        self.write(now_ms, |writing| {
            let loaded = writing.record(record)?;
            let conflicts = loaded.document().map(crate::crdt::Document::conflicts);
            let conflict = conflicts
                .into_iter()
                .flatten()
                .find(|conflict| conflict.field == *field)
                .ok_or(ReplicaError::NoConflict)?;
            edit::change(writing, record, &[conflict.settle(value)], None)
        })
    }

    /// Undoes a settled conflict: the field shows its earlier value again. This works only while the field
    /// has no later write.
    pub fn undo_settle(
        &mut self,
        record: RecordId,
        settled: EnvelopeId,
        now_ms: i64,
    ) -> Result<EnvelopeId, ReplicaError> {
        let change = self
            .change_of(record, settled)?
            .ok_or(ReplicaError::NothingToUndo)?;
        self.write(now_ms, |writing| {
            let document = writing
                .record(record)?
                .document()
                .ok_or(ReplicaError::NoRecord)?;
            let edits = document.undo_edits(&change);
            if edits.is_empty() {
                return Err(ReplicaError::NothingToUndo);
            }
            edit::change(writing, record, &edits, None)
        })
    }
}

impl Reader {
    /// The conflicts that an envelope settled, as they were before it.
    pub fn settled_by(
        &self,
        record: RecordId,
        settled: EnvelopeId,
    ) -> Result<Vec<FieldConflict>, ReplicaError> {
        self.at_once(|conn| self.settled_now(conn, record, settled))
    }

    fn settled_now(
        &self,
        conn: &Connection,
        record: RecordId,
        settled: EnvelopeId,
    ) -> Result<Vec<FieldConflict>, ReplicaError> {
        let Some(change) = self.change_of(record, settled)? else {
            return Ok(Vec::new());
        };
        let loaded = load::record(conn, &self.certificates, record)?;
        let document = loaded
            .as_ref()
            .and_then(Record::document)
            .ok_or(ReplicaError::NoRecord)?;
        let Some(info) = document.change(&change) else {
            return Ok(Vec::new());
        };
        let wrote: Vec<Field> = document
            .written_by(&change)
            .into_iter()
            .map(|edit| edit.field)
            .collect();
        let before = document.at(&info.deps);
        let conflicts = before.map(|before| before.conflicts()).unwrap_or_default();
        Ok(conflicts
            .into_iter()
            .filter(|conflict| wrote.contains(&conflict.field))
            .collect())
    }

    /// The Automerge hash of the change that an envelope carries.
    fn change_of(&self, record: RecordId, id: EnvelopeId) -> Result<Option<Hash>, ReplicaError> {
        if let Some(stored) = envelope::get(self.conn()?, id)? {
            let parsed = Envelope::parse(stored.raw).map_err(|_| ReplicaError::Inconsistent)?;
            return Ok(match parsed.body() {
                Body::Change(change) => crate::crdt::inspect(&change.change)
                    .ok()
                    .map(|info| info.hash),
                _ => None,
            });
        }
        // The envelope is inside a pack, and the record knows its change.
        let loaded = load::record(self.conn()?, &self.certificates, record)?;
        Ok(loaded.as_ref().and_then(|record| {
            let node = record.node(id)?;
            match &node.body {
                NodeBody::Change(change) => change.info.as_ref().map(|info| info.hash),
                _ => None,
            }
        }))
    }
}
