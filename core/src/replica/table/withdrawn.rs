//! `withdrawn`: records that no stream holds any more, kept until nothing of them is undecided.

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

pub(in crate::replica) fn has(conn: &Connection, record: RecordId) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM withdrawn WHERE record = ?1")?
        .exists([record.as_bytes()])
}
