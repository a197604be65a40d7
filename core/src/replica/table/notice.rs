//! `notice`: what the person must be told, until seen.

use rusqlite::Connection;

use super::{Sql, fixed_or_none};
use crate::id::{EnvelopeId, RecordId};

/// One thing to tell the person. The sentence is the text of its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number on this phone; later ones are higher.
    pub no: i64,
    /// When it came up, ms UTC by the clock of the server where it has one, else of the phone.
    pub at_ms: i64,
    /// Stable code such as `void.clone` or `replica.purged`.
    pub code: String,
    /// The record concerned.
    pub record: Option<RecordId>,
    /// The envelope concerned.
    pub envelope: Option<EnvelopeId>,
    /// The person's own words that are concerned, so that none of them is lost.
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

/// Whether the person has not seen yet that this came up.
pub(in crate::replica) fn is_unseen(conn: &Connection, code: &str) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM notice WHERE code = ?1 AND seen = 0")?
        .exists([code])
}

/// What has not been seen yet, oldest first.
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

/// The person has seen everything up to this number.
pub(in crate::replica) fn seen_up_to(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached("UPDATE notice SET seen = 1 WHERE no <= ?1 AND seen = 0")?
        .execute([no])
        .map(drop)
}
