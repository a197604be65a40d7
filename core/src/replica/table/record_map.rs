//! `record_map`: the R*Tree behind the map.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sql, fixed};
use crate::id::RecordId;
use crate::limits::MAP_CELLS_ACROSS;

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

/// The records inside a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapPage {
    /// The records.
    pub points: Vec<MapPoint>,
    /// Whether there are more than these. Then these are a part from the whole window.
    pub cut: bool,
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
) -> Sql<MapPage> {
    let points = first(conn, window, points_max + 1)?;
    if points.len() <= points_max {
        return Ok(MapPage { points, cut: false });
    }
    let chosen = spread(conn, window, points_max)?;
    let mut one = conn.prepare_cached(
        "SELECT id, lat_e7, lon_e7, state, severity FROM record
         WHERE no = ?1 AND lat_e7 IS NOT NULL AND lon_e7 IS NOT NULL",
    )?;
    let mut points = Vec::with_capacity(chosen.len());
    for no in chosen {
        points.extend(one.query_row([no], point).optional()?);
    }
    Ok(MapPage { points, cut: true })
}

fn first(conn: &Connection, window: &MapWindow, points_max: usize) -> Sql<Vec<MapPoint>> {
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

/// Returns the numbers of `points_max` records from the whole window: each cell of a grid adds its newest
/// one, then each its next one, until there are enough.
fn spread(conn: &Connection, window: &MapWindow, points_max: usize) -> Sql<Vec<i64>> {
    let mut places: Vec<(usize, i64)> = conn
        .prepare_cached(
            "SELECT lat_min, lon_min, no FROM record_map
             WHERE lat_min BETWEEN ?1 AND ?2 AND lon_min BETWEEN ?3 AND ?4",
        )?
        .query_map(
            (
                window.lat_min_e7,
                window.lat_max_e7,
                window.lon_min_e7,
                window.lon_max_e7,
            ),
            |row| {
                let row_of = cell(row.get(0)?, window.lat_min_e7, window.lat_max_e7);
                let column = cell(row.get(1)?, window.lon_min_e7, window.lon_max_e7);
                Ok((row_of * MAP_CELLS_ACROSS + column, row.get(2)?))
            },
        )?
        .collect::<Sql<_>>()?;
    places.sort_unstable_by_key(|(cell, no)| (*cell, std::cmp::Reverse(*no)));
    let mut rank = 0_usize;
    let mut last = None;
    let mut ranked: Vec<(usize, i64)> = Vec::with_capacity(places.len());
    for (cell, no) in places {
        rank = if last == Some(cell) { rank + 1 } else { 0 };
        last = Some(cell);
        ranked.push((rank, no));
    }
    ranked.sort_unstable_by_key(|(rank, no)| (*rank, std::cmp::Reverse(*no)));
    Ok(ranked
        .into_iter()
        .take(points_max)
        .map(|(_, no)| no)
        .collect())
}

/// The cell of a coordinate between two edges.
fn cell(at: i32, min: i32, max: i32) -> usize {
    let width = (i64::from(max) - i64::from(min)).max(0) + 1;
    let from_edge = (i64::from(at) - i64::from(min)).clamp(0, width - 1);
    let across = i64::try_from(MAP_CELLS_ACROSS).unwrap_or(1);
    usize::try_from(from_edge * across / width).unwrap_or(0)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::replica::migrate;

    /// A dense corner and a few distant records, where the first rows would all come from the corner.
    #[test]
    fn cut_window_shows_a_part_from_everywhere() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::run(&mut conn).unwrap();
        conn.execute_batch(
            "WITH RECURSIVE n (no) AS (VALUES (1) UNION ALL SELECT no + 1 FROM n WHERE no < 400)
             INSERT INTO record (no, id, kind, audience, state, open, category, severity, title,
               address, genesis_ms, created_ms, updated_ms, mine, undelivered, provisional,
               conflicts, needs_review, newer, ladder, digest, lat_e7, lon_e7)
             SELECT no, CAST(printf('%016d', no) AS BLOB), 1, 1, 1, 1, '', 1, '', '', 0, 0, no, 0,
               0, 0, 0, 0, 0, 1, x'00', iif(no > 390, no * 2000, no), iif(no > 390, no * 1000, no)
             FROM n;
             INSERT INTO record_map SELECT no, lat_e7, lat_e7, lon_e7, lon_e7 FROM record;",
        )
        .unwrap();
        let all = MapWindow {
            lat_min_e7: 0,
            lat_max_e7: 1_000_000,
            lon_min_e7: 0,
            lon_max_e7: 1_000_000,
        };
        let page = window(&conn, &all, 400).unwrap();
        assert_eq!((page.points.len(), page.cut), (400, false));
        let page = window(&conn, &all, 50).unwrap();
        assert_eq!((page.points.len(), page.cut), (50, true));
        let far = page
            .points
            .iter()
            .filter(|point| point.lat_e7 > 1_000)
            .count();
        assert_eq!(far, 10, "the few far ones are all there");
        assert_eq!(
            page,
            window(&conn, &all, 50).unwrap(),
            "the same part each time"
        );
        let corner = MapWindow {
            lat_max_e7: 1_000,
            lon_max_e7: 1_000,
            ..all
        };
        assert_eq!(window(&conn, &corner, 1_000).unwrap().points.len(), 390);
    }
}
