//! Tables `members`, `external_ids`, `admins`, `devices` and `invitations`.

use std::collections::HashMap;

use onegrid_core::id::{AreaId, DeviceId, Hash, MemberId};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::convert::{cbor, from_cbor, limit};
use crate::store::{AdminRow, DeviceRow, InvitationRow, MemberRow};

pub(super) fn put_member(db: &Connection, member: &MemberRow) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO members
             (id, public_name, area, grants, granted_at, changed_ms, disabled_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        member.id.0,
        member.public_name,
        member.area.0,
        cbor(&member.grants),
        cbor(&member.granted_at),
        member.changed_ms,
        member.disabled_ms,
    ])
    .map(drop)
}

const MEMBER: &str =
    "SELECT id, public_name, area, grants, granted_at, changed_ms, disabled_ms FROM members";

pub(super) fn member(db: &Connection, id: MemberId) -> Result<Option<MemberRow>> {
    db.prepare_cached(&format!("{MEMBER} WHERE id = ?"))?
        .query_row([id.0], read_member)
        .optional()
}

pub(super) fn members(db: &Connection) -> Result<Vec<MemberRow>> {
    db.prepare_cached(&format!("{MEMBER} ORDER BY id"))?
        .query_map([], read_member)?
        .collect()
}

pub(super) fn put_external_id(db: &Connection, id: [u8; 16], external_id: &str) -> Result<bool> {
    db.prepare_cached(
        "INSERT INTO external_ids (id, external_id) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET external_id = ?2 WHERE external_id <> ?2",
    )?
    .execute(params![id, external_id])
    .map(|rows| rows == 1)
}

pub(super) fn external_id(db: &Connection, id: [u8; 16]) -> Result<Option<String>> {
    db.prepare_cached("SELECT external_id FROM external_ids WHERE id = ?")?
        .query_row([id], |row| row.get(0))
        .optional()
}

pub(super) fn external_ids(db: &Connection) -> Result<HashMap<[u8; 16], String>> {
    db.prepare_cached("SELECT id, external_id FROM external_ids")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub(super) fn put_admin(db: &Connection, admin: &AdminRow) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO admins (name, roles, added_ms, disabled_ms) VALUES (?, ?, ?, ?)",
    )?
    .execute(params![
        admin.name,
        admin.roles,
        admin.added_ms,
        admin.disabled_ms
    ])
    .map(drop)
}

pub(super) fn admins(db: &Connection) -> Result<Vec<AdminRow>> {
    db.prepare_cached("SELECT name, roles, added_ms, disabled_ms FROM admins ORDER BY name")?
        .query_map([], |row| {
            Ok(AdminRow {
                name: row.get(0)?,
                roles: row.get(1)?,
                added_ms: row.get(2)?,
                disabled_ms: row.get(3)?,
            })
        })?
        .collect()
}

pub(super) fn put_device(db: &Connection, device: &DeviceRow) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO devices
             (id, public_key, member, certificate, enrolled_ms, revoked_ms)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        device.id.0,
        device.public_key,
        device.member.map(|member| member.0),
        device.certificate.0,
        device.enrolled_ms,
        device.revoked_ms,
    ])
    .map(drop)
}

const DEVICE: &str =
    "SELECT id, public_key, member, certificate, enrolled_ms, revoked_ms FROM devices";

pub(super) fn device(db: &Connection, id: DeviceId) -> Result<Option<DeviceRow>> {
    db.prepare_cached(&format!("{DEVICE} WHERE id = ?"))?
        .query_row([id.0], read_device)
        .optional()
}

pub(super) fn devices(db: &Connection) -> Result<Vec<DeviceRow>> {
    db.prepare_cached(&format!("{DEVICE} ORDER BY id"))?
        .query_map([], read_device)?
        .collect()
}

pub(super) fn revoked(db: &Connection) -> Result<Vec<DeviceId>> {
    db.prepare_cached("SELECT id FROM devices WHERE revoked_ms IS NOT NULL")?
        .query_map([], |row| row.get(0).map(DeviceId))?
        .collect()
}

pub(super) fn devices_of(db: &Connection, member: MemberId) -> Result<Vec<DeviceRow>> {
    db.prepare_cached(&format!("{DEVICE} WHERE member = ? ORDER BY id"))?
        .query_map([member.0], read_device)?
        .collect()
}

pub(super) fn put_invitation(db: &Connection, invitation: &InvitationRow) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO invitations (id, data, expires_ms, redeemed_by, redeemed_ms)
         VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        invitation.id,
        invitation.data,
        invitation.expires_ms,
        invitation.redeemed_by.map(|device| device.0),
        invitation.redeemed_ms,
    ])
    .map(drop)
}

const INVITATION: &str = "SELECT id, data, expires_ms, redeemed_by, redeemed_ms FROM invitations";

pub(super) fn invitation(db: &Connection, id: [u8; 16]) -> Result<Option<InvitationRow>> {
    db.prepare_cached(&format!("{INVITATION} WHERE id = ?"))?
        .query_row([id], read_invitation)
        .optional()
}

pub(super) fn invitations(
    db: &Connection,
    after: Option<[u8; 16]>,
    count_max: usize,
) -> Result<Vec<InvitationRow>> {
    // An empty key comes before every id.
    let after = after.map_or(Vec::new(), |id| id.to_vec());
    db.prepare_cached(&format!("{INVITATION} WHERE id > ? ORDER BY id LIMIT ?"))?
        .query_map(params![after, limit(count_max)], read_invitation)?
        .collect()
}

pub(super) fn drop_invitation(db: &Connection, id: [u8; 16]) -> Result<bool> {
    db.prepare_cached("DELETE FROM invitations WHERE id = ? AND redeemed_by IS NULL")?
        .execute([id])
        .map(|rows| rows == 1)
}

fn read_invitation(row: &Row<'_>) -> Result<InvitationRow> {
    Ok(InvitationRow {
        id: row.get(0)?,
        data: row.get(1)?,
        expires_ms: row.get(2)?,
        redeemed_by: row.get::<_, Option<[u8; 16]>>(3)?.map(DeviceId),
        redeemed_ms: row.get(4)?,
    })
}

fn read_member(row: &Row<'_>) -> Result<MemberRow> {
    Ok(MemberRow {
        id: row.get(0).map(MemberId)?,
        public_name: row.get(1)?,
        area: row.get(2).map(AreaId)?,
        grants: from_cbor(row, 3)?,
        granted_at: from_cbor(row, 4)?,
        changed_ms: row.get(5)?,
        disabled_ms: row.get(6)?,
    })
}

fn read_device(row: &Row<'_>) -> Result<DeviceRow> {
    Ok(DeviceRow {
        id: row.get(0).map(DeviceId)?,
        public_key: row.get(1)?,
        member: row.get::<_, Option<[u8; 16]>>(2)?.map(MemberId),
        certificate: row.get(3).map(Hash)?,
        enrolled_ms: row.get(4)?,
        revoked_ms: row.get(5)?,
    })
}
