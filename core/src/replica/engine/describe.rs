//! Describing staged photos and recordings in a record, before the envelope that names them.

use std::collections::BTreeSet;

use super::super::error::ReplicaError;
use super::super::projection::attachments::descriptions;
use super::super::table::attachment;
use super::write::Writing;
use crate::domain::case::Event;
use crate::domain::case::payload::Attach;
use crate::id::{Hash, RecordId};

/// Writes the descriptions that the record lacks. A file of these ids that is neither described in
/// the record nor staged on this phone refuses the whole act.
pub(super) fn describe(
    writing: &mut Writing<'_>,
    record: RecordId,
    ids: &[Hash],
) -> Result<(), ReplicaError> {
    if ids.is_empty() {
        return Ok(());
    }
    let known = descriptions(writing.record(record)?);
    let known = known.iter().filter(|(_, one)| one.stands());
    let mut known: BTreeSet<Hash> = known.map(|(id, _)| *id).collect();
    for id in ids {
        if !known.insert(*id) {
            continue;
        }
        let row = attachment::undescribed(writing.conn, record, *id)?;
        let row = row.ok_or(ReplicaError::BadContent("media.unknown_id"))?;
        let event = Event::Attach(Attach {
            id: *id,
            media: row.facts.media.code(),
            bytes: u32::try_from(row.facts.bytes).map_err(|_| ReplicaError::Inconsistent)?,
            salt: row.facts.salt,
            thumbnail: row.facts.thumbnail,
            extent: row.facts.extent,
        });
        let body = writing.event(&event, None);
        let envelope = writing.append(record, &body)?;
        attachment::describe(writing.conn, row.no, record, envelope)?;
    }
    Ok(())
}
