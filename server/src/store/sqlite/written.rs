//! Table `written`: the amount that each device wrote on each day.

use onegrid_core::id::DeviceId;
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::convert::{int, number};
use crate::store::Amount;

pub(super) fn of(db: &Connection, day: i64, device: DeviceId) -> Result<Amount> {
    db.prepare_cached("SELECT envelopes, bytes FROM written WHERE day = ? AND device = ?")?
        .query_row(params![day, device.0], |row| {
            Ok(Amount {
                envelopes: number(row, 0)?,
                bytes: number(row, 1)?,
            })
        })
        .optional()
        .map(Option::unwrap_or_default)
}

pub(super) fn add(db: &Connection, day: i64, device: DeviceId, more: Amount) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO written (day, device, envelopes, bytes) VALUES (?, ?, ?, ?)
         ON CONFLICT (day, device) DO UPDATE SET envelopes = envelopes + excluded.envelopes,
           bytes = bytes + excluded.bytes",
    )?
    .execute(params![day, device.0, int(more.envelopes), int(more.bytes)])
    .map(drop)
}

pub(super) fn sweep(db: &Connection, before_day: i64) -> Result<usize> {
    db.prepare_cached("DELETE FROM written WHERE day < ?")?
        .execute([before_day])
}
