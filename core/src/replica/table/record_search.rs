//! `record_search`: full-text search; see `replica/search.rs` for the words.

use rusqlite::Connection;

use super::Sql;

/// Replaces the words of a record. `fresh`: it has none yet.
pub(in crate::replica) fn set(conn: &Connection, record: i64, words: &str, fresh: bool) -> Sql<()> {
    if !fresh {
        delete(conn, record)?;
    }
    conn.prepare_cached("INSERT INTO record_search (rowid, words) VALUES (?1, ?2)")?
        .execute((record, words))
        .map(drop)
}

pub(in crate::replica) fn delete(conn: &Connection, record: i64) -> Sql<()> {
    conn.prepare_cached("DELETE FROM record_search WHERE rowid = ?1")?
        .execute([record])
        .map(drop)
}
