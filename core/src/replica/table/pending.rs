//! `pending_projection`: records with projections that are still to be made again.

use rusqlite::Connection;

use super::Sql;

/// [`Pending::what`] of a record; every other number is the kind of a directory entry.
pub(in crate::replica) const RECORD: u16 = 0;

/// One row to make again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::replica) struct Pending {
    pub(in crate::replica) what: u16,
    pub(in crate::replica) key: Vec<u8>,
}

/// Notes everything to be made again: all records, and the entries of these kinds.
pub(in crate::replica) fn fill(conn: &Connection, kinds: &[u16]) -> Sql<()> {
    for sql in [
        "INSERT OR IGNORE INTO pending_projection SELECT 0, record FROM envelope",
        "INSERT OR IGNORE INTO pending_projection SELECT 0, record FROM pack",
        "INSERT OR IGNORE INTO pending_projection SELECT 0, id FROM record",
    ] {
        conn.execute(sql, [])?;
    }
    for kind in kinds {
        conn.execute(
            "INSERT OR IGNORE INTO pending_projection SELECT kind, key FROM directory
             WHERE kind = ?1",
            [kind],
        )?;
    }
    Ok(())
}

/// Notes the records of a category to be made again.
pub(in crate::replica) fn fill_category(conn: &Connection, code: &str) -> Sql<()> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO pending_projection SELECT 0, id FROM record WHERE category = ?1",
    )?
    .execute([code])
    .map(drop)
}

/// Notes the forms of a template to be made again.
pub(in crate::replica) fn fill_template(conn: &Connection, id: &str, version: u32) -> Sql<()> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO pending_projection SELECT 0, record.id FROM form CROSS JOIN record
           ON record.no = form.record WHERE form.template = ?1 AND form.version = ?2",
    )?
    .execute((id, version))
    .map(drop)
}

/// The next ones. Entries of the directory come before records.
pub(in crate::replica) fn next(conn: &Connection, rows_max: usize) -> Sql<Vec<Pending>> {
    conn.prepare_cached(
        "SELECT what, key FROM pending_projection ORDER BY what DESC, key DESC LIMIT ?1",
    )?
    .query_map([i64::try_from(rows_max).unwrap_or(i64::MAX)], |row| {
        Ok(Pending {
            what: row.get(0)?,
            key: row.get(1)?,
        })
    })?
    .collect()
}

pub(in crate::replica) fn delete(conn: &Connection, pending: &Pending) -> Sql<()> {
    conn.prepare_cached("DELETE FROM pending_projection WHERE what = ?1 AND key = ?2")?
        .execute((pending.what, &pending.key))
        .map(drop)
}

pub(in crate::replica) fn clear(conn: &Connection) -> Sql<()> {
    conn.execute_batch("DELETE FROM pending_projection;")
}

pub(in crate::replica) fn count(conn: &Connection) -> Sql<u64> {
    conn.prepare_cached("SELECT count(*) FROM pending_projection")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}
