//! `stream_record`: the streams that hold each record. A phone keeps a record while one of them does.

use rusqlite::Connection;

use super::{Sql, fixed};
use crate::id::RecordId;

/// `false` when it was there already.
pub(in crate::replica) fn insert(conn: &Connection, stream: i64, record: RecordId) -> Sql<bool> {
    conn.prepare_cached(
        "INSERT INTO stream_record (stream, record) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?
    .execute((stream, record.as_bytes()))
    .map(|changed| changed == 1)
}

/// `false` when it was not there.
pub(in crate::replica) fn delete(conn: &Connection, stream: i64, record: RecordId) -> Sql<bool> {
    conn.prepare_cached("DELETE FROM stream_record WHERE stream = ?1 AND record = ?2")?
        .execute((stream, record.as_bytes()))
        .map(|changed| changed == 1)
}

/// The streams that hold a record.
pub(in crate::replica) fn streams_of(conn: &Connection, record: RecordId) -> Sql<Vec<i64>> {
    conn.prepare_cached("SELECT stream FROM stream_record WHERE record = ?1 ORDER BY stream")?
        .query_map([record.as_bytes()], |row| row.get(0))?
        .collect()
}

/// The records of a stream.
pub(in crate::replica) fn records_of(conn: &Connection, stream: i64) -> Sql<Vec<RecordId>> {
    conn.prepare_cached("SELECT record FROM stream_record WHERE stream = ?1 ORDER BY record")?
        .query_map([stream], |row| Ok(RecordId(fixed(row, 0)?)))?
        .collect()
}
