//! `template`: the templates of the directory by id and version. Their bytes are in `directory`.

use rusqlite::{Connection, OptionalExtension};

use super::Sql;

pub(in crate::replica) fn put(conn: &Connection, id: &str, version: u32, key: &[u8]) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO template (id, version, key) VALUES (?1, ?2, ?3)
         ON CONFLICT (id, version) DO UPDATE SET key = excluded.key",
    )?
    .execute((id, version, key))
    .map(drop)
}

/// The signed entry's plain bytes, as in `directory`.
pub(in crate::replica) fn get(conn: &Connection, id: &str, version: u32) -> Sql<Option<Vec<u8>>> {
    conn.prepare_cached(
        "SELECT d.bytes FROM template AS t JOIN directory AS d ON d.kind = 9 AND d.key = t.key
         WHERE t.id = ?1 AND t.version = ?2",
    )?
    .query_row((id, version), |row| row.get(0))
    .optional()
}

/// Every id with its versions, in order.
pub(in crate::replica) fn all(conn: &Connection) -> Sql<Vec<(String, u32)>> {
    conn.prepare_cached("SELECT id, version FROM template ORDER BY id, version")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub(in crate::replica) fn clear(conn: &Connection) -> Sql<()> {
    conn.execute_batch("DELETE FROM template;")
}
