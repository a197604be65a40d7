//! `area` and `area_map`: versions of areas, and the boxes around the boundaries of grids.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sql, fixed, fixed_or_none};
use crate::domain::area::AreaLevel;
use crate::domain::areas::AreaEntry;
use crate::domain::point::BoundingBox;
use crate::id::AreaId;

/// An area as screens show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaInfo {
    /// The stable id.
    pub id: AreaId,
    /// Its level.
    pub level: AreaLevel,
    /// The area above; none for a district.
    pub parent: Option<AreaId>,
    /// Its statistical code.
    pub code: String,
    /// Its name in Chinese.
    pub zh: String,
    /// Its name in English.
    pub en: String,
}

const COLUMNS: &str = "a.id, a.level, a.parent, a.code, a.zh, a.en, a.no";

/// The version of an area that is in force at an instant, as a condition on `a` with the instant as `?1`.
const IN_FORCE: &str = "a.valid_from_ms <= ?1 AND (a.valid_to_ms IS NULL OR a.valid_to_ms > ?1)
     AND NOT EXISTS (SELECT 1 FROM area AS later WHERE later.id = a.id
       AND later.valid_from_ms > a.valid_from_ms AND later.valid_from_ms <= ?1)";

/// Stores a version of an area.
pub(in crate::replica) fn put(conn: &Connection, key: &[u8], entry: &AreaEntry) -> Sql<()> {
    let version = &entry.version;
    conn.prepare_cached(
        "INSERT INTO area (key, id, level, parent, code, zh, en, valid_from_ms, valid_to_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (key) DO UPDATE SET level = excluded.level, parent = excluded.parent,
           code = excluded.code, zh = excluded.zh, en = excluded.en,
           valid_to_ms = excluded.valid_to_ms",
    )?
    .execute(rusqlite::params![
        key,
        entry.id.as_bytes(),
        code_of(entry.level),
        entry.parent.as_ref().map(|parent| &parent.0),
        version.code.to_string().parse::<i64>().unwrap_or_default(),
        version.names.zh(),
        version.names.en(),
        version.valid_from_ms,
        version.valid_to_ms,
    ])?;
    let no: i64 = conn
        .prepare_cached("SELECT no FROM area WHERE key = ?1")?
        .query_row([key], |row| row.get(0))?;
    let boundary = version.boundary.as_ref();
    match boundary.filter(|_| entry.level == AreaLevel::Grid) {
        None => conn
            .prepare_cached("DELETE FROM area_map WHERE no = ?1")?
            .execute([no]),
        Some(boundary) => {
            let bounds = boundary.bounds();
            conn.prepare_cached(
                "INSERT OR REPLACE INTO area_map (no, lat_min, lat_max, lon_min, lon_max)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                no,
                bounds.min.lat_e7(),
                bounds.max.lat_e7(),
                bounds.min.lon_e7(),
                bounds.max.lon_e7(),
            ))
        }
    }
    .map(drop)
}

/// The areas directly below one (or the districts) in the order of their codes, after a code and number.
pub(in crate::replica) fn children(
    conn: &Connection,
    parent: Option<AreaId>,
    now_ms: i64,
    after: (i64, i64),
    rows_max: usize,
) -> Sql<Vec<(AreaInfo, (i64, i64))>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM area AS a WHERE a.parent IS ?2 AND (a.code, a.no) > (?3, ?4)
         AND {IN_FORCE} ORDER BY a.code, a.no LIMIT ?5"
    ))?
    .query_map(
        (
            now_ms,
            parent.as_ref().map(|parent| &parent.0),
            after.0,
            after.1,
            i64::try_from(rows_max).unwrap_or(i64::MAX),
        ),
        |row| Ok((info(row)?, (row.get(3)?, row.get(6)?))),
    )?
    .collect()
}

/// An area as it is at an instant.
pub(in crate::replica) fn at(conn: &Connection, id: AreaId, now_ms: i64) -> Sql<Option<AreaInfo>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM area AS a WHERE a.id = ?2 AND {IN_FORCE}"
    ))?
    .query_row((now_ms, id.as_bytes()), info)
    .optional()
}

/// The area above, by the newest version.
pub(in crate::replica) enum Above {
    /// The directory does not hold the area.
    Unknown,
    /// It is a district.
    Nothing,
    /// This one.
    Area(AreaId),
}

pub(in crate::replica) fn above(conn: &Connection, id: AreaId) -> Sql<Above> {
    conn.prepare_cached(
        "SELECT parent FROM area WHERE id = ?1 ORDER BY valid_from_ms DESC LIMIT 1",
    )?
    .query_row([id.as_bytes()], |row| {
        let parent = fixed_or_none(row, 0)?.map(AreaId);
        Ok(parent.map_or(Above::Nothing, Above::Area))
    })
    .optional()
    .map(|found| found.unwrap_or(Above::Unknown))
}

/// Ids and directory keys of the grids in force whose box touches another one, at most `rows_max`.
pub(in crate::replica) fn grids_near(
    conn: &Connection,
    near: &BoundingBox,
    now_ms: i64,
    rows_max: usize,
) -> Sql<Vec<(AreaId, Vec<u8>)>> {
    conn.prepare_cached(&format!(
        "SELECT a.id, a.key FROM area_map AS m CROSS JOIN area AS a ON a.no = m.no
         WHERE m.lat_max >= ?2 AND m.lat_min <= ?3 AND m.lon_max >= ?4 AND m.lon_min <= ?5
           AND {IN_FORCE} ORDER BY a.id LIMIT ?6"
    ))?
    .query_map(
        (
            now_ms,
            near.min.lat_e7(),
            near.max.lat_e7(),
            near.min.lon_e7(),
            near.max.lon_e7(),
            i64::try_from(rows_max).unwrap_or(i64::MAX),
        ),
        |row| Ok((AreaId(fixed(row, 0)?), row.get(1)?)),
    )?
    .collect()
}

/// Forgets every version. They are made again from the directory.
pub(in crate::replica) fn clear(conn: &Connection) -> Sql<()> {
    conn.execute_batch("DELETE FROM area; DELETE FROM area_map;")
}

fn code_of(level: AreaLevel) -> i64 {
    match level {
        AreaLevel::District => 1,
        AreaLevel::Town => 2,
        AreaLevel::Village => 3,
        AreaLevel::Grid => 4,
    }
}

fn info(row: &Row<'_>) -> Sql<AreaInfo> {
    let level = match row.get::<_, i64>(1)? {
        1 => AreaLevel::District,
        2 => AreaLevel::Town,
        3 => AreaLevel::Village,
        4 => AreaLevel::Grid,
        _ => return Err(super::bad_value(1)),
    };
    Ok(AreaInfo {
        id: AreaId(fixed(row, 0)?),
        level,
        parent: fixed_or_none(row, 2)?.map(AreaId),
        code: row.get::<_, i64>(3)?.to_string(),
        zh: row.get(4)?,
        en: row.get(5)?,
    })
}
