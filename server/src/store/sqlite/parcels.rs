//! Table `parcels`: the parcels that couriers brought, with their outcomes.

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
    db.prepare_cached(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM parcels WHERE day = ? AND courier = ?",
    )?
    .query_row(params![day, courier.0], |row| {
        Ok(ParcelAmount {
            parcels: number(row, 0)?,
            bytes: number(row, 1)?,
        })
    })
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
    db.prepare_cached("DELETE FROM parcels WHERE day < ?")?
        .execute([before_day])
}
