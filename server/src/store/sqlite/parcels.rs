//! Tables `parcels`, the parcels that couriers brought, with their outcomes, and `parcels_brought`, the amount
//! that each courier brought on each day.

use onegrid_core::id::{DeviceId, Hash};
use onegrid_core::wire::parcel::ParcelOutcome;
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::convert::{int, number};
use crate::store::{ParcelAmount, ParcelRow};

pub(super) fn outcome(db: &Connection, hash: Hash) -> Result<Option<ParcelOutcome>> {
    db.prepare_cached("SELECT outcome FROM parcels WHERE hash = ?")?
        .query_row([hash.0], |row| row.get(0))
        .optional()
        .map(|number: Option<u8>| number.map(ParcelOutcome::of_number))
}

pub(super) fn brought(db: &Connection, day: i64, courier: DeviceId) -> Result<ParcelAmount> {
    db.prepare_cached("SELECT parcels, bytes FROM parcels_brought WHERE day = ? AND courier = ?")?
        .query_row(params![day, courier.0], |row| {
            Ok(ParcelAmount {
                parcels: number(row, 0)?,
                bytes: number(row, 1)?,
            })
        })
        .optional()
        .map(Option::unwrap_or_default)
}

pub(super) fn add_brought(
    db: &Connection,
    day: i64,
    courier: DeviceId,
    more: ParcelAmount,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO parcels_brought (day, courier, parcels, bytes) VALUES (?, ?, ?, ?)
         ON CONFLICT (day, courier) DO UPDATE SET parcels = parcels + excluded.parcels,
           bytes = bytes + excluded.bytes",
    )?
    .execute(params![day, courier.0, int(more.parcels), int(more.bytes)])
    .map(drop)
}

pub(super) fn put(db: &Connection, row: &ParcelRow) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO parcels (hash, day, courier, bytes, outcome) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.hash.0,
        row.day,
        row.courier.0,
        int(row.bytes),
        row.outcome.number()
    ])
    .map(drop)
}

pub(super) fn sweep(db: &Connection, before_day: i64) -> Result<usize> {
    db.prepare_cached("DELETE FROM parcels_brought WHERE day < ?")?
        .execute([before_day])?;
    db.prepare_cached("DELETE FROM parcels WHERE day < ?")?
        .execute([before_day])
}
