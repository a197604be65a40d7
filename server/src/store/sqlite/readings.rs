//! Table `readings`: the reading log.

use onegrid_core::id::{DeviceId, MemberId, RecordId};
use rusqlite::{Connection, Result, Row, params};

use super::convert::{limit, stream};
use crate::store::{ReadingKey, ReadingRow};

pub(super) fn put(db: &Connection, row: &ReadingRow) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO readings (day, device, record_id, member, stream, first_ms)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.key.day,
        row.key.device.0,
        row.key.record.0,
        row.member.0,
        row.stream.to_bytes(),
        row.first_ms,
    ])
    .map(drop)
}

pub(super) fn page(
    db: &Connection,
    after: ReadingKey,
    count_max: usize,
) -> Result<Vec<ReadingRow>> {
    db.prepare_cached(
        "SELECT day, device, record_id, member, stream, first_ms FROM readings
         WHERE (day, device, record_id) > (?, ?, ?) ORDER BY day, device, record_id LIMIT ?",
    )?
    .query_map(
        params![after.day, after.device.0, after.record.0, limit(count_max)],
        read,
    )?
    .collect()
}

pub(super) fn sweep(db: &Connection, before_day: i64) -> Result<usize> {
    db.prepare_cached("DELETE FROM readings WHERE day < ?")?
        .execute([before_day])
}

fn read(row: &Row<'_>) -> Result<ReadingRow> {
    Ok(ReadingRow {
        key: ReadingKey {
            day: row.get(0)?,
            device: row.get(1).map(DeviceId)?,
            record: row.get(2).map(RecordId)?,
        },
        member: row.get(3).map(MemberId)?,
        stream: stream(row, 4)?,
        first_ms: row.get(5)?,
    })
}
