//! The streams that an administrator's change in another process reached, as its line of the audit
//! log tells. Only the process that writes knows them at once.

use std::collections::BTreeSet;

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{EnvelopeId, MemberId};
use onegrid_core::trust::certificate::Certificate;

use crate::store::{AuditRow, Reader, StoreResult};

/// The phones that a line of the audit log concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The readers of these streams; without a stream, nobody.
    Streams(BTreeSet<StreamId>),
    /// Everybody, because the line is of a kind that this process does not know.
    Everybody,
}

/// Returns the reach of a line.
pub fn of(tx: &dyn Reader, row: &AuditRow) -> StoreResult<Reach> {
    let streams = match row.action.as_str() {
        "directory.published"
        | "template.published"
        | "device.revoked"
        | "area.merged"
        | "area.dissolved"
        | "unit.dissolved" => BTreeSet::from([StreamId::DirectoryBase]),
        "member.added" | "member.changed" => match row.subject_id().parse::<MemberId>() {
            Ok(member) => of_member(tx, member, row.action == "member.changed")?,
            Err(_) => return Ok(Reach::Everybody),
        },
        "review.accepted" | "review.refused" => match row.subject.parse::<EnvelopeId>() {
            Ok(envelope) => of_envelope(tx, envelope)?,
            Err(_) => return Ok(Reach::Everybody),
        },
        // They change nothing that a phone reads.
        "admin.added"
        | "admin.changed"
        | "admin.disabled"
        | "admin.enabled"
        | "audit.exported"
        | "certificate.renewed"
        | "invitation.cancelled"
        | "invitation.made"
        | "member.disabled"
        | "member.enabled"
        | "readings.shown"
        | "review.shown"
        | "records.exported"
        | "server.backup"
        | "server.migrated" => BTreeSet::new(),
        _ => return Ok(Reach::Everybody),
    };
    Ok(Reach::Streams(streams))
}

/// A change of grants is also told in the base of the directory, a new member only to the readers of the
/// name.
fn of_member(
    tx: &dyn Reader,
    member: MemberId,
    is_told_in_base: bool,
) -> StoreResult<BTreeSet<StreamId>> {
    let mut streams = BTreeSet::from([StreamId::Member(member)]);
    if is_told_in_base {
        streams.insert(StreamId::DirectoryBase);
    }
    if let Some(row) = tx.member(member)? {
        streams.insert(StreamId::DirectoryVillage(row.area));
    }
    Ok(streams)
}

/// A verdict reaches the author and the readers of the record and of its summary.
fn of_envelope(tx: &dyn Reader, envelope: EnvelopeId) -> StoreResult<BTreeSet<StreamId>> {
    let mut streams = BTreeSet::new();
    if let Some(record) = tx.record_of(envelope)? {
        streams.extend(tx.record_streams(record)?);
        if let Some(row) = tx.record(record)? {
            streams.insert(StreamId::Bulletin(row.home.leaf()));
        }
    }
    if let Some(stored) = tx.envelope(envelope)?
        && let Some(raw) = tx.certificate(stored.certificate)?
        && let Ok(certificate) = Certificate::from_store(raw)
        && let Some(member) = certificate.facts().member
    {
        streams.insert(StreamId::Member(member));
    }
    Ok(streams)
}
