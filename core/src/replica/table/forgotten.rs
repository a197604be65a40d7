//! `forgotten`: records that this phone wrote in, and that it removed because the server withdrew them.

use rusqlite::{Connection, OptionalExtension};

use super::Sql;
use crate::id::RecordId;

/// Notes the record and the number of its accepted envelopes that this phone wrote.
pub(in crate::replica) fn insert(conn: &Connection, record: RecordId, own: i64) -> Sql<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO forgotten (record, own) VALUES (?1, ?2)")?
        .execute((record.as_bytes(), own))
        .map(drop)
}

pub(in crate::replica) fn delete(conn: &Connection, record: RecordId) -> Sql<()> {
    conn.prepare_cached("DELETE FROM forgotten WHERE record = ?1")?
        .execute([record.as_bytes()])
        .map(drop)
}

/// Returns the number of accepted envelopes that this phone wrote in the record, 0 if it is not noted.
pub(in crate::replica) fn own(conn: &Connection, record: RecordId) -> Sql<i64> {
    let own = conn
        .prepare_cached("SELECT own FROM forgotten WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(own.unwrap_or(0))
}
