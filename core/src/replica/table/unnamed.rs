//! `unnamed`: records with envelopes whose author's certificate is not here.

use rusqlite::Connection;

use super::{Sql, fixed};
use crate::id::{Hash, RecordId};

pub(in crate::replica) fn insert(
    conn: &Connection,
    certificate: Hash,
    record: RecordId,
) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO unnamed (certificate, record) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?
    .execute((certificate.as_bytes(), record.as_bytes()))
    .map(drop)
}

/// Takes out the records that lack a certificate.
pub(in crate::replica) fn take(conn: &Connection, certificate: Hash) -> Sql<Vec<RecordId>> {
    let records = conn
        .prepare_cached("SELECT record FROM unnamed WHERE certificate = ?1")?
        .query_map([certificate.as_bytes()], |row| Ok(RecordId(fixed(row, 0)?)))?
        .collect::<Sql<Vec<_>>>()?;
    if !records.is_empty() {
        conn.prepare_cached("DELETE FROM unnamed WHERE certificate = ?1")?
            .execute([certificate.as_bytes()])?;
    }
    Ok(records)
}
