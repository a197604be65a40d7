//! Table `written`: the amount that each device wrote on each day.

use onegrid_core::id::DeviceId;

use super::convert::values;
use super::db::Db;
use super::envelopes::amount_at;
use crate::store::{Amount, StoreResult};

pub(super) fn of(db: &Db, day: i64, device: DeviceId) -> StoreResult<Amount> {
    let row = db.one(
        "SELECT envelopes, bytes FROM written WHERE day = $1 AND device = $2",
        values![day, device.0],
    )?;
    row.map_or(Ok(Amount::default()), |row| amount_at(&row, 0))
}

pub(super) fn add(db: &Db, day: i64, device: DeviceId, more: Amount) -> StoreResult<()> {
    db.send_beside(
        "INSERT INTO written AS w (day, device, envelopes, bytes) VALUES ($1, $2, $3, $4)
         ON CONFLICT (day, device) DO UPDATE SET envelopes = w.envelopes + excluded.envelopes,
             bytes = w.bytes + excluded.bytes",
        values![day, device.0, more.envelopes, more.bytes],
    )
}

pub(super) fn sweep(db: &Db, before_day: i64) -> StoreResult<usize> {
    let rows = db.change("DELETE FROM written WHERE day < $1", values![before_day])?;
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}
