//! `withdrawn`: records that no stream holds any more, kept until all of their envelopes are decided.

use rusqlite::Connection;

use super::Sql;
use crate::id::RecordId;

pub(in crate::replica) fn insert(conn: &Connection, record: RecordId) -> Sql<()> {
    conn.prepare_cached("INSERT INTO withdrawn (record) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([record.as_bytes()])
        .map(drop)
}

pub(in crate::replica) fn delete(conn: &Connection, record: RecordId) -> Sql<()> {
    conn.prepare_cached("DELETE FROM withdrawn WHERE record = ?1")?
        .execute([record.as_bytes()])
        .map(drop)
}

pub(in crate::replica) fn all(conn: &Connection) -> Sql<Vec<RecordId>> {
    conn.prepare_cached("SELECT record FROM withdrawn")?
        .query_map([], |row| row.get(0).map(RecordId))?
        .collect()
}
