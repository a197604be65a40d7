//! `bulletin`: announcements that everybody enrolled in a village may see.

use rusqlite::Connection;

use super::Sql;

/// Stores a summary in place of an older one of the same subject.
pub(in crate::replica) fn put(
    conn: &Connection,
    stream: &[u8],
    subject: &[u8],
    bytes: &[u8],
) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO bulletin (stream, record, bytes) VALUES (?1, ?2, ?3)
         ON CONFLICT (stream, record) DO UPDATE SET bytes = excluded.bytes",
    )?
    .execute((stream, subject, bytes))
    .map(drop)
}

/// The summaries of a stream.
pub(in crate::replica) fn all(conn: &Connection, stream: &[u8]) -> Sql<Vec<Vec<u8>>> {
    conn.prepare_cached("SELECT bytes FROM bulletin WHERE stream = ?1 ORDER BY record")?
        .query_map([stream], |row| row.get(0))?
        .collect()
}

/// Forgets the summaries of a stream that may no longer be read.
pub(in crate::replica) fn delete_stream(conn: &Connection, stream: &[u8]) -> Sql<()> {
    conn.prepare_cached("DELETE FROM bulletin WHERE stream = ?1")?
        .execute([stream])
        .map(drop)
}
