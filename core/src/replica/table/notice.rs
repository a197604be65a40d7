//! `notice`: messages that the person must see, until they are seen.

use rusqlite::Connection;

use super::{Sql, fixed_or_none};
use crate::id::{EnvelopeId, RecordId};

/// One notice to the person. The sentence is the text of its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number on this phone; later ones are higher.
    pub no: i64,
    /// When it arose, ms UTC by the clock of the server where it has one, else of the phone.
    pub at_ms: i64,
    /// Stable code such as `void.clone` or `replica.purged`.
    pub code: String,
    /// The record concerned.
    pub record: Option<RecordId>,
    /// The envelope concerned.
    pub envelope: Option<EnvelopeId>,
    /// The person's own words concerned, so that none of them is lost.
    pub detail: String,
}

pub(in crate::replica) fn insert(
    conn: &Connection,
    at_ms: i64,
    code: &str,
    about: (Option<RecordId>, Option<EnvelopeId>),
    detail: &str,
) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO notice (at_ms, code, record, envelope, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        at_ms,
        code,
        about.0.as_ref().map(|record| &record.0),
        about.1.as_ref().map(|envelope| &envelope.0),
        detail,
    ))
    .map(drop)
}

/// Whether the person has not yet seen this notice.
pub(in crate::replica) fn is_unseen(conn: &Connection, code: &str) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM notice WHERE code = ?1 AND seen = 0")?
        .exists([code])
}

/// Whether the person was ever told this about an envelope.
pub(in crate::replica) fn is_told(
    conn: &Connection,
    code: &str,
    envelope: EnvelopeId,
) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM notice WHERE envelope = ?2 AND code = ?1")?
        .exists((code, envelope.as_bytes()))
}

/// Returns the unseen notices, oldest first.
pub(in crate::replica) fn unseen(conn: &Connection, rows_max: usize) -> Sql<Vec<Notice>> {
    conn.prepare_cached(
        "SELECT no, at_ms, code, record, envelope, detail FROM notice WHERE seen = 0
         ORDER BY no LIMIT ?1",
    )?
    .query_map([i64::try_from(rows_max).unwrap_or(i64::MAX)], |row| {
        Ok(Notice {
            no: row.get(0)?,
            at_ms: row.get(1)?,
            code: row.get(2)?,
            record: fixed_or_none(row, 3)?.map(RecordId),
            envelope: fixed_or_none(row, 4)?.map(EnvelopeId),
            detail: row.get(5)?,
        })
    })?
    .collect()
}

/// Deletes notices that the person has seen. A notice about an envelope that still waits stays, because it
/// records that the person was told.
pub(in crate::replica) fn prune(conn: &Connection) -> Sql<usize> {
    conn.prepare_cached(
        "DELETE FROM notice WHERE seen = 1 AND NOT EXISTS
           (SELECT 1 FROM envelope WHERE envelope.id = notice.envelope AND standing = 0)",
    )?
    .execute([])
}

/// Notes that the person has seen everything up to this number.
pub(in crate::replica) fn seen_up_to(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached("UPDATE notice SET seen = 1 WHERE no <= ?1 AND seen = 0")?
        .execute([no])
        .map(drop)
}
