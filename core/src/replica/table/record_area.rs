//! `record_area`: the areas of a record with all that lie above them.

use rusqlite::Connection;

use super::{Sql, fixed};
use crate::id::AreaId;

pub(in crate::replica) fn of(conn: &Connection, record: i64) -> Sql<Vec<AreaId>> {
    conn.prepare_cached("SELECT area FROM record_area WHERE record = ?1 ORDER BY area")?
        .query_map([record], |row| Ok(AreaId(fixed(row, 0)?)))?
        .collect()
}

/// Replaces the areas of a record. `areas` is sorted and distinct.
pub(in crate::replica) fn set(conn: &Connection, record: i64, areas: &[AreaId]) -> Sql<()> {
    let before = of(conn, record)?;
    for gone in before.iter().filter(|area| !areas.contains(area)) {
        conn.prepare_cached("DELETE FROM record_area WHERE area = ?1 AND record = ?2")?
            .execute((gone.as_bytes(), record))?;
    }
    for fresh in areas.iter().filter(|area| !before.contains(area)) {
        conn.prepare_cached("INSERT INTO record_area (area, record) VALUES (?1, ?2)")?
            .execute((fresh.as_bytes(), record))?;
    }
    Ok(())
}
