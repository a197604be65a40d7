//! Tables `members`, `external_ids`, `admins`, `devices` and `invitations`.

use onegrid_core::id::{AreaId, DeviceId, Hash, MemberId};
use tokio_postgres::Row;

use super::convert::{Columns as _, cbor, values};
use super::db::Db;
use crate::store::{AdminRow, DeviceRow, InvitationRow, MemberRow, StoreResult};

pub(super) fn put_member(db: &Db, member: &MemberRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO members (id, public_name, area, grants, granted_at, changed_ms, disabled_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE SET public_name = excluded.public_name, area = excluded.area,
             grants = excluded.grants, granted_at = excluded.granted_at,
             changed_ms = excluded.changed_ms, disabled_ms = excluded.disabled_ms",
        values![
            member.id.0,
            member.public_name.as_deref(),
            member.area.0,
            cbor(&member.grants),
            cbor(&member.granted_at),
            member.changed_ms,
            member.disabled_ms,
        ],
    )
}

pub(super) fn member(db: &Db, id: MemberId) -> StoreResult<Option<MemberRow>> {
    let row = db.one(
        "SELECT id, public_name, area, grants, granted_at, changed_ms, disabled_ms FROM members
         WHERE id = $1",
        values![id.0],
    )?;
    row.map(|row| read_member(&row)).transpose()
}

pub(super) fn members(db: &Db) -> StoreResult<Vec<MemberRow>> {
    db.all(
        "SELECT id, public_name, area, grants, granted_at, changed_ms, disabled_ms FROM members
         ORDER BY id",
        Vec::new(),
    )?
    .iter()
    .map(read_member)
    .collect()
}

pub(super) fn put_external_id(db: &Db, id: [u8; 16], external_id: &str) -> StoreResult<bool> {
    let rows = db.change(
        "INSERT INTO external_ids AS x (id, external_id) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id
         WHERE x.external_id <> excluded.external_id",
        values![id, external_id],
    )?;
    Ok(rows == 1)
}

pub(super) fn external_id(db: &Db, id: [u8; 16]) -> StoreResult<Option<String>> {
    let row = db.one(
        "SELECT external_id FROM external_ids WHERE id = $1",
        values![id],
    )?;
    row.map(|row| row.text(0)).transpose()
}

pub(super) fn put_admin(db: &Db, admin: &AdminRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO admins (name, roles, added_ms, disabled_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET roles = excluded.roles, added_ms = excluded.added_ms,
             disabled_ms = excluded.disabled_ms",
        values![&admin.name, admin.roles, admin.added_ms, admin.disabled_ms],
    )
}

pub(super) fn admins(db: &Db) -> StoreResult<Vec<AdminRow>> {
    db.all(
        "SELECT name, roles, added_ms, disabled_ms FROM admins ORDER BY name",
        Vec::new(),
    )?
    .iter()
    .map(|row| {
        Ok(AdminRow {
            name: row.text(0)?,
            roles: row.small(1)?,
            added_ms: row.int(2)?,
            disabled_ms: row.maybe_int(3)?,
        })
    })
    .collect()
}

pub(super) fn put_device(db: &Db, device: &DeviceRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO devices (id, public_key, member, certificate, enrolled_ms, revoked_ms)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET public_key = excluded.public_key,
             member = excluded.member, certificate = excluded.certificate,
             enrolled_ms = excluded.enrolled_ms, revoked_ms = excluded.revoked_ms",
        values![
            device.id.0,
            device.public_key,
            device.member.map(|member| member.0),
            device.certificate.0,
            device.enrolled_ms,
            device.revoked_ms,
        ],
    )
}

pub(super) fn device(db: &Db, id: DeviceId) -> StoreResult<Option<DeviceRow>> {
    let row = db.one(
        "SELECT id, public_key, member, certificate, enrolled_ms, revoked_ms FROM devices
         WHERE id = $1",
        values![id.0],
    )?;
    row.map(|row| read_device(&row)).transpose()
}

pub(super) fn devices(db: &Db) -> StoreResult<Vec<DeviceRow>> {
    db.all(
        "SELECT id, public_key, member, certificate, enrolled_ms, revoked_ms FROM devices
         ORDER BY id",
        Vec::new(),
    )?
    .iter()
    .map(read_device)
    .collect()
}

pub(super) fn revoked(db: &Db) -> StoreResult<Vec<DeviceId>> {
    db.all(
        "SELECT id FROM devices WHERE revoked_ms IS NOT NULL",
        Vec::new(),
    )?
    .iter()
    .map(|row| row.array(0).map(DeviceId))
    .collect()
}

pub(super) fn devices_of(db: &Db, member: MemberId) -> StoreResult<Vec<DeviceRow>> {
    db.all(
        "SELECT id, public_key, member, certificate, enrolled_ms, revoked_ms FROM devices
         WHERE member = $1 ORDER BY id",
        values![member.0],
    )?
    .iter()
    .map(read_device)
    .collect()
}

pub(super) fn put_invitation(db: &Db, invitation: &InvitationRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO invitations (id, data, expires_ms, redeemed_by, redeemed_ms)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET data = excluded.data, expires_ms = excluded.expires_ms,
             redeemed_by = excluded.redeemed_by, redeemed_ms = excluded.redeemed_ms",
        values![
            invitation.id,
            &invitation.data,
            invitation.expires_ms,
            invitation.redeemed_by.map(|device| device.0),
            invitation.redeemed_ms,
        ],
    )
}

pub(super) fn invitation(db: &Db, id: [u8; 16]) -> StoreResult<Option<InvitationRow>> {
    let row = db.one(
        "SELECT id, data, expires_ms, redeemed_by, redeemed_ms FROM invitations WHERE id = $1",
        values![id],
    )?;
    row.map(|row| read_invitation(&row)).transpose()
}

pub(super) fn invitations(
    db: &Db,
    after: Option<[u8; 16]>,
    count_max: usize,
) -> StoreResult<Vec<InvitationRow>> {
    // An empty key comes before every id.
    let after = after.map_or(Vec::new(), |id| id.to_vec());
    db.all(
        "SELECT id, data, expires_ms, redeemed_by, redeemed_ms FROM invitations
         WHERE id > $1 ORDER BY id LIMIT $2",
        values![after, count_max],
    )?
    .iter()
    .map(read_invitation)
    .collect()
}

pub(super) fn drop_invitation(db: &Db, id: [u8; 16]) -> StoreResult<bool> {
    let rows = db.change(
        "DELETE FROM invitations WHERE id = $1 AND redeemed_by IS NULL",
        values![id],
    )?;
    Ok(rows == 1)
}

fn read_invitation(row: &Row) -> StoreResult<InvitationRow> {
    Ok(InvitationRow {
        id: row.array(0)?,
        data: row.bytes(1)?,
        expires_ms: row.int(2)?,
        redeemed_by: row.maybe_array(3)?.map(DeviceId),
        redeemed_ms: row.maybe_int(4)?,
    })
}

fn read_member(row: &Row) -> StoreResult<MemberRow> {
    Ok(MemberRow {
        id: row.array(0).map(MemberId)?,
        public_name: row.maybe_text(1)?,
        area: row.array(2).map(AreaId)?,
        grants: row.cbor(3)?,
        granted_at: row.cbor(4)?,
        changed_ms: row.int(5)?,
        disabled_ms: row.maybe_int(6)?,
    })
}

fn read_device(row: &Row) -> StoreResult<DeviceRow> {
    Ok(DeviceRow {
        id: row.array(0).map(DeviceId)?,
        public_key: row.array(1)?,
        member: row.maybe_array(2)?.map(MemberId),
        certificate: row.array(3).map(Hash)?,
        enrolled_ms: row.int(4)?,
        revoked_ms: row.maybe_int(5)?,
    })
}
