//! Tables `cursors` and `sessions`, and the open invitations that a restore removes.

use onegrid_core::id::{DeviceId, Hash};

use super::convert::{Columns as _, values};
use super::db::Db;
use crate::store::{CursorsRow, SessionRow, StoreResult};

pub(super) fn put_cursors(db: &Db, device: DeviceId, cursors: &CursorsRow) -> StoreResult<()> {
    db.send_beside(
        "INSERT INTO cursors (device, hash, cursors) VALUES ($1, $2, $3)
         ON CONFLICT (device) DO UPDATE SET hash = excluded.hash, cursors = excluded.cursors",
        values![device.0, cursors.hash.0, &cursors.cursors],
    )
}

pub(super) fn cursors(db: &Db, device: DeviceId) -> StoreResult<Option<CursorsRow>> {
    let row = db.one(
        "SELECT hash, cursors FROM cursors WHERE device = $1",
        values![device.0],
    )?;
    row.map(|row| {
        Ok(CursorsRow {
            hash: row.array(0).map(Hash)?,
            cursors: row.bytes(1)?,
        })
    })
    .transpose()
}

pub(super) fn put_session(db: &Db, session: &SessionRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO sessions (id, device, secret, expires_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET device = excluded.device, secret = excluded.secret,
             expires_ms = excluded.expires_ms",
        values![
            session.id,
            session.device.0,
            session.secret,
            session.expires_ms
        ],
    )
}

pub(super) fn session(db: &Db, id: [u8; 16]) -> StoreResult<Option<SessionRow>> {
    let row = db.one(
        "SELECT id, device, secret, expires_ms FROM sessions WHERE id = $1",
        values![id],
    )?;
    row.map(|row| {
        Ok(SessionRow {
            id: row.array(0)?,
            device: row.array(1).map(DeviceId)?,
            secret: row.array(2)?,
            expires_ms: row.int(3)?,
        })
    })
    .transpose()
}

pub(super) fn end_sessions(db: &Db, device: DeviceId) -> StoreResult<usize> {
    let rows = db.change("DELETE FROM sessions WHERE device = $1", values![device.0])?;
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}

pub(super) fn sweep_sessions(db: &Db, now_ms: i64) -> StoreResult<usize> {
    let rows = db.change(
        "DELETE FROM sessions WHERE expires_ms < $1",
        values![now_ms],
    )?;
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}

pub(super) fn forget(db: &Db) -> StoreResult<()> {
    db.command("DELETE FROM sessions")?;
    db.command("DELETE FROM invitations WHERE redeemed_by IS NULL")?;
    db.command("DELETE FROM cursors")
}
