//! Table `readings`: the reading log.

use onegrid_core::id::{DeviceId, MemberId, RecordId};
use tokio_postgres::Row;

use super::convert::{Columns as _, values};
use super::db::Db;
use crate::store::{ReadingKey, ReadingRow, StoreResult};

pub(super) fn put(db: &Db, row: &ReadingRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO readings (day, device, record_id, member, stream, first_ms)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        values![
            row.key.day,
            row.key.device.0,
            row.key.record.0,
            row.member.0,
            row.stream.to_bytes(),
            row.first_ms,
        ],
    )
}

pub(super) fn page(db: &Db, after: ReadingKey, count_max: usize) -> StoreResult<Vec<ReadingRow>> {
    db.all(
        "SELECT day, device, record_id, member, stream, first_ms FROM readings
         WHERE (day, device, record_id) > ($1, $2, $3) ORDER BY day, device, record_id LIMIT $4",
        values![after.day, after.device.0, after.record.0, count_max],
    )?
    .iter()
    .map(read)
    .collect()
}

pub(super) fn sweep(db: &Db, before_day: i64) -> StoreResult<usize> {
    let rows = db.change("DELETE FROM readings WHERE day < $1", values![before_day])?;
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}

fn read(row: &Row) -> StoreResult<ReadingRow> {
    Ok(ReadingRow {
        key: ReadingKey {
            day: row.int(0)?,
            device: row.array(1).map(DeviceId)?,
            record: row.array(2).map(RecordId)?,
        },
        member: row.array(3).map(MemberId)?,
        stream: row.stream(4)?,
        first_ms: row.int(5)?,
    })
}
