//! `record_area`: the areas of a record with all areas above them, in the order of lists.

use rusqlite::Connection;

use super::{Sql, fixed};
use crate::id::AreaId;

fn of(conn: &Connection, record: i64) -> Sql<Vec<(AreaId, i64)>> {
    conn.prepare_cached("SELECT area, updated_ms FROM record_area WHERE record = ?1 ORDER BY area")?
        .query_map([record], |row| Ok((AreaId(fixed(row, 0)?), row.get(1)?)))?
        .collect()
}

/// Replaces the areas of a record. `areas` is sorted and distinct.
pub(in crate::replica) fn set(
    conn: &Connection,
    record: i64,
    updated_ms: i64,
    areas: &[AreaId],
) -> Sql<()> {
    let wanted: Vec<(AreaId, i64)> = areas.iter().map(|area| (*area, updated_ms)).collect();
    let before = of(conn, record)?;
    for (area, updated_ms) in before.iter().filter(|known| !wanted.contains(known)) {
        conn.prepare_cached(
            "DELETE FROM record_area WHERE area = ?1 AND updated_ms = ?2 AND record = ?3",
        )?
        .execute((area.as_bytes(), updated_ms, record))?;
    }
    for (area, updated_ms) in wanted.iter().filter(|fresh| !before.contains(fresh)) {
        conn.prepare_cached(
            "INSERT INTO record_area (area, updated_ms, record) VALUES (?1, ?2, ?3)",
        )?
        .execute((area.as_bytes(), updated_ms, record))?;
    }
    Ok(())
}
