//! `record_map`: the R*Tree behind the map.

use rusqlite::{Connection, Row};

use super::{Sql, fixed};
use crate::id::RecordId;

/// A window of the map, 1e-7 degrees WGS-84, edges included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapWindow {
    /// Southern edge.
    pub lat_min_e7: i32,
    /// Northern edge.
    pub lat_max_e7: i32,
    /// Western edge.
    pub lon_min_e7: i32,
    /// Eastern edge.
    pub lon_max_e7: i32,
}

/// A record on the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapPoint {
    /// The record.
    pub record: RecordId,
    /// Latitude, 1e-7 degrees WGS-84.
    pub lat_e7: i32,
    /// Longitude, 1e-7 degrees WGS-84.
    pub lon_e7: i32,
    /// The stage's stable code.
    pub stage: u8,
    /// The severity's stable code, 0 where there is none yet.
    pub severity: u8,
}

pub(in crate::replica) fn set(conn: &Connection, record: i64, at: Option<(i32, i32)>) -> Sql<()> {
    match at {
        None => conn
            .prepare_cached("DELETE FROM record_map WHERE no = ?1")?
            .execute([record])
            .map(drop),
        Some((lat, lon)) => conn
            .prepare_cached(
                "INSERT OR REPLACE INTO record_map (no, lat_min, lat_max, lon_min, lon_max)
                 VALUES (?1, ?2, ?2, ?3, ?3)",
            )?
            .execute((record, lat, lon))
            .map(drop),
    }
}

/// The records inside a window, at most `points_max`.
pub(in crate::replica) fn window(
    conn: &Connection,
    window: &MapWindow,
    points_max: usize,
) -> Sql<Vec<MapPoint>> {
    conn.prepare_cached(
        "SELECT record.id, m.lat_min, m.lon_min, record.state, record.severity
         FROM record_map AS m JOIN record ON record.no = m.no
         WHERE m.lat_min BETWEEN ?1 AND ?2 AND m.lon_min BETWEEN ?3 AND ?4 LIMIT ?5",
    )?
    .query_map(
        (
            window.lat_min_e7,
            window.lat_max_e7,
            window.lon_min_e7,
            window.lon_max_e7,
            i64::try_from(points_max).unwrap_or(i64::MAX),
        ),
        point,
    )?
    .collect()
}

fn point(row: &Row<'_>) -> Sql<MapPoint> {
    Ok(MapPoint {
        record: RecordId(fixed(row, 0)?),
        lat_e7: row.get(1)?,
        lon_e7: row.get(2)?,
        stage: row.get(3)?,
        severity: row.get(4)?,
    })
}
