//! Tables `parcels`, the parcels that couriers brought, with their outcomes, and `parcels_brought`, the amount
//! that each courier brought on each day.

use onegrid_core::id::{DeviceId, Hash};
use onegrid_core::wire::parcel::ParcelOutcome;

use super::convert::{Columns as _, values};
use super::db::Db;
use crate::store::{ParcelAmount, ParcelRow, StoreResult};

pub(super) fn outcome(db: &Db, hash: Hash) -> StoreResult<Option<ParcelOutcome>> {
    let row = db.one(
        "SELECT outcome FROM parcels WHERE hash = $1",
        values![hash.0],
    )?;
    row.map(|row| row.small(0).map(ParcelOutcome::of_number))
        .transpose()
}

pub(super) fn brought(db: &Db, day: i64, courier: DeviceId) -> StoreResult<ParcelAmount> {
    let row = db.one(
        "SELECT parcels, bytes FROM parcels_brought WHERE day = $1 AND courier = $2",
        values![day, courier.0],
    )?;
    row.map_or(Ok(ParcelAmount::default()), |row| {
        Ok(ParcelAmount {
            parcels: row.number(0)?,
            bytes: row.number(1)?,
        })
    })
}

pub(super) fn add_brought(
    db: &Db,
    day: i64,
    courier: DeviceId,
    more: ParcelAmount,
) -> StoreResult<()> {
    db.send(
        "INSERT INTO parcels_brought AS b (day, courier, parcels, bytes) VALUES ($1, $2, $3, $4)
         ON CONFLICT (day, courier) DO UPDATE SET parcels = b.parcels + excluded.parcels,
             bytes = b.bytes + excluded.bytes",
        values![day, courier.0, more.parcels, more.bytes],
    )
}

pub(super) fn put(db: &Db, row: &ParcelRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO parcels (hash, day, courier, bytes, outcome) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (hash) DO UPDATE SET day = excluded.day, courier = excluded.courier,
             bytes = excluded.bytes, outcome = excluded.outcome",
        values![
            row.hash.0,
            row.day,
            row.courier.0,
            row.bytes,
            row.outcome.number()
        ],
    )
}

pub(super) fn sweep(db: &Db, before_day: i64) -> StoreResult<usize> {
    db.send(
        "DELETE FROM parcels_brought WHERE day < $1",
        values![before_day],
    )?;
    let rows = db.change("DELETE FROM parcels WHERE day < $1", values![before_day])?;
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}
