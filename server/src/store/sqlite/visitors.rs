//! Tables `cursors` and `sessions`, and the open invitations that a restore removes.

use onegrid_core::id::{DeviceId, Hash};
use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::store::{CursorsRow, SessionRow};

pub(super) fn put_cursors(db: &Connection, device: DeviceId, cursors: &CursorsRow) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO cursors (device, hash, cursors) VALUES (?, ?, ?)")?
        .execute(params![device.0, cursors.hash.0, cursors.cursors])
        .map(drop)
}

pub(super) fn cursors(db: &Connection, device: DeviceId) -> Result<Option<CursorsRow>> {
    db.prepare_cached("SELECT hash, cursors FROM cursors WHERE device = ?")?
        .query_row([device.0], |row| {
            Ok(CursorsRow {
                hash: row.get(0).map(Hash)?,
                cursors: row.get(1)?,
            })
        })
        .optional()
}

pub(super) fn put_session(db: &Connection, session: &SessionRow) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO sessions (id, device, secret, expires_ms) VALUES (?, ?, ?, ?)",
    )?
    .execute(params![
        session.id,
        session.device.0,
        session.secret,
        session.expires_ms
    ])
    .map(drop)
}

pub(super) fn session(db: &Connection, id: [u8; 16]) -> Result<Option<SessionRow>> {
    db.prepare_cached("SELECT id, device, secret, expires_ms FROM sessions WHERE id = ?")?
        .query_row([id], |row| {
            Ok(SessionRow {
                id: row.get(0)?,
                device: row.get(1).map(DeviceId)?,
                secret: row.get(2)?,
                expires_ms: row.get(3)?,
            })
        })
        .optional()
}

pub(super) fn end_sessions(db: &Connection, device: DeviceId) -> Result<usize> {
    db.prepare_cached("DELETE FROM sessions WHERE device = ?")?
        .execute([device.0])
}

pub(super) fn sweep_sessions(db: &Connection, now_ms: i64) -> Result<usize> {
    db.prepare_cached("DELETE FROM sessions WHERE expires_ms < ?")?
        .execute([now_ms])
}

pub(super) fn forget(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM sessions", [])?;
    db.execute("DELETE FROM invitations WHERE redeemed_by IS NULL", [])?;
    db.execute("DELETE FROM cursors", []).map(drop)
}
