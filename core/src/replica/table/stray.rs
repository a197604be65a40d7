//! `stray`: records with verdicts that no stream holds, until the server has named the envelopes that it
//! lacks.

use rusqlite::Connection;

use super::Sql;
use crate::id::RecordId;

/// Notes the record, unless a stream holds it or it has no verdict here.
pub(in crate::replica) fn insert(conn: &Connection, record: RecordId) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO stray (record) SELECT ?1
         WHERE NOT EXISTS (SELECT 1 FROM stream_record WHERE record = ?1)
           AND (EXISTS (SELECT 1 FROM pack WHERE record = ?1)
             OR EXISTS (SELECT 1 FROM envelope WHERE record = ?1 AND standing IN (1, 2)))
         ON CONFLICT DO NOTHING",
    )?
    .execute([record.as_bytes()])
    .map(drop)
}

/// Notes all such records.
pub(in crate::replica) fn insert_all(conn: &Connection) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO stray (record)
         SELECT record FROM (SELECT record FROM pack
           UNION SELECT record FROM envelope WHERE standing IN (1, 2))
         WHERE record NOT IN (SELECT record FROM stream_record)
         ON CONFLICT DO NOTHING",
    )?
    .execute([])
    .map(drop)
}

pub(in crate::replica) fn delete(conn: &Connection, record: RecordId) -> Sql<()> {
    conn.prepare_cached("DELETE FROM stray WHERE record = ?1")?
        .execute([record.as_bytes()])
        .map(drop)
}

pub(in crate::replica) fn all(conn: &Connection) -> Sql<Vec<RecordId>> {
    conn.prepare_cached("SELECT record FROM stray ORDER BY record")?
        .query_map([], |row| row.get(0).map(RecordId))?
        .collect()
}
