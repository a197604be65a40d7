//! `record_search`: full-text search; see `replica/search.rs` for the words.

use rusqlite::Connection;

use super::Sql;
use super::record::{COLUMNS, RecordRow, read};

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

/// Records whose words match, newest first.
pub(in crate::replica) fn find(
    conn: &Connection,
    expression: &str,
    rows_max: usize,
) -> Sql<Vec<RecordRow>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM record_search JOIN record ON record.no = record_search.rowid
         WHERE record_search MATCH ?1 ORDER BY record.updated_ms DESC, record.no DESC LIMIT ?2"
    ))?
    .query_map(
        (expression, i64::try_from(rows_max).unwrap_or(i64::MAX)),
        read,
    )?
    .collect()
}
