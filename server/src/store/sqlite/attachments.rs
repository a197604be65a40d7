//! Tables of photos and recordings: their descriptions, the files that are here, orphans and uploads.

use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::wire::verdict::{Status, Verdict};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::convert::{from_cbor, int, limit, number};
use crate::store::{
    AttachmentFile, AttachmentKey, Description, RecordFile, UploadAmount, UploadRow,
};

const FILE: &str = "SELECT record_id, id, media, bytes, salt, stored_ms FROM attachment_files";
const UPLOAD: &str =
    "SELECT device, record_id, id, bytes, durable, begun_ms, touched_ms FROM uploads";

pub(super) fn describe(db: &Connection, row: &Description) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO attachment_descriptions
           (record_id, id, envelope_id, author, media, bytes, salt) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.key.record.0,
        row.key.id.0,
        row.envelope.0,
        row.author.0,
        row.media,
        int(row.bytes),
        row.salt,
    ])
    .map(drop)
}

pub(super) fn descriptions(
    db: &Connection,
    key: AttachmentKey,
) -> Result<Vec<(Description, Status)>> {
    db.prepare_cached(
        "SELECT d.envelope_id, d.author, d.media, d.bytes, d.salt, e.verdict
         FROM attachment_descriptions d JOIN envelopes e ON e.id = d.envelope_id
         WHERE d.record_id = ? AND d.id = ? ORDER BY e.no",
    )?
    .query_map(params![key.record.0, key.id.0], |row| {
        let description = Description {
            key,
            envelope: row.get(0).map(EnvelopeId)?,
            author: row.get(1).map(DeviceId)?,
            media: row.get(2)?,
            bytes: number(row, 3)?,
            salt: row.get(4)?,
        };
        Ok((description, from_cbor::<Verdict>(row, 5)?.status))
    })?
    .collect()
}

pub(super) fn of_record(db: &Connection, record: RecordId) -> Result<Vec<RecordFile>> {
    db.prepare_cached(
        "SELECT f.id, f.bytes, d.envelope_id FROM attachment_files f
         JOIN attachment_descriptions d ON d.record_id = f.record_id AND d.id = f.id
         JOIN envelopes e ON e.id = d.envelope_id
         WHERE f.record_id = ? AND e.status = 0 ORDER BY f.id, e.no",
    )?
    .query_map([record.0], |row| {
        Ok(RecordFile {
            id: row.get(0).map(Hash)?,
            bytes: number(row, 1)?,
            envelope: row.get(2).map(EnvelopeId)?,
        })
    })?
    .collect()
}

pub(super) fn put_file(db: &Connection, row: &AttachmentFile) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO attachment_files (record_id, id, media, bytes, salt, stored_ms)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.key.record.0,
        row.key.id.0,
        row.media,
        int(row.bytes),
        row.salt,
        row.stored_ms,
    ])
    .map(drop)
}

pub(super) fn drop_file(db: &Connection, key: AttachmentKey) -> Result<()> {
    db.prepare_cached("DELETE FROM attachment_files WHERE record_id = ? AND id = ?")?
        .execute(params![key.record.0, key.id.0])
        .map(drop)
}

pub(super) fn file(db: &Connection, key: AttachmentKey) -> Result<Option<AttachmentFile>> {
    db.prepare_cached(&format!("{FILE} WHERE record_id = ? AND id = ?"))?
        .query_row(params![key.record.0, key.id.0], read_file)
        .optional()
}

pub(super) fn files(
    db: &Connection,
    after: Option<AttachmentKey>,
    count_max: usize,
) -> Result<Vec<AttachmentFile>> {
    let (record, id) = start(after);
    db.prepare_cached(&format!(
        "{FILE} WHERE (record_id, id) > (?, ?) ORDER BY record_id, id LIMIT ?"
    ))?
    .query_map(params![record, id, limit(count_max)], read_file)?
    .collect()
}

pub(super) fn put_orphan(db: &Connection, key: AttachmentKey, since_ms: i64) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO attachment_orphans (record_id, id, since_ms) VALUES (?, ?, ?)",
    )?
    .execute(params![key.record.0, key.id.0, since_ms])
    .map(drop)
}

pub(super) fn drop_orphan(db: &Connection, key: AttachmentKey) -> Result<()> {
    db.prepare_cached("DELETE FROM attachment_orphans WHERE record_id = ? AND id = ?")?
        .execute(params![key.record.0, key.id.0])
        .map(drop)
}

pub(super) fn orphans(
    db: &Connection,
    after: Option<AttachmentKey>,
    count_max: usize,
) -> Result<Vec<(AttachmentKey, i64)>> {
    let (record, id) = start(after);
    db.prepare_cached(
        "SELECT record_id, id, since_ms FROM attachment_orphans
         WHERE (record_id, id) > (?, ?) ORDER BY record_id, id LIMIT ?",
    )?
    .query_map(params![record, id, limit(count_max)], |row| {
        Ok((read_key(row, 0)?, row.get(2)?))
    })?
    .collect()
}

pub(super) fn put_upload(db: &Connection, row: &UploadRow) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO uploads
           (device, record_id, id, bytes, durable, begun_ms, touched_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.device.0,
        row.key.record.0,
        row.key.id.0,
        int(row.bytes),
        int(row.durable),
        row.begun_ms,
        row.touched_ms,
    ])
    .map(drop)
}

pub(super) fn drop_upload(db: &Connection, device: DeviceId, key: AttachmentKey) -> Result<()> {
    db.prepare_cached("DELETE FROM uploads WHERE device = ? AND record_id = ? AND id = ?")?
        .execute(params![device.0, key.record.0, key.id.0])
        .map(drop)
}

pub(super) fn upload(
    db: &Connection,
    device: DeviceId,
    key: AttachmentKey,
) -> Result<Option<UploadRow>> {
    db.prepare_cached(&format!(
        "{UPLOAD} WHERE device = ? AND record_id = ? AND id = ?"
    ))?
    .query_row(params![device.0, key.record.0, key.id.0], read_upload)
    .optional()
}

pub(super) fn uploads_of(db: &Connection, device: DeviceId) -> Result<Vec<UploadRow>> {
    db.prepare_cached(&format!("{UPLOAD} WHERE device = ? ORDER BY touched_ms"))?
        .query_map([device.0], read_upload)?
        .collect()
}

pub(super) fn uploads_before(
    db: &Connection,
    touched_before_ms: i64,
    count_max: usize,
) -> Result<Vec<UploadRow>> {
    db.prepare_cached(&format!(
        "{UPLOAD} WHERE touched_ms < ? ORDER BY touched_ms LIMIT ?"
    ))?
    .query_map(params![touched_before_ms, limit(count_max)], read_upload)?
    .collect()
}

pub(super) fn uploaded(db: &Connection, day: i64, device: DeviceId) -> Result<UploadAmount> {
    db.prepare_cached("SELECT files, bytes FROM upload_days WHERE day = ? AND device = ?")?
        .query_row(params![day, device.0], |row| {
            Ok(UploadAmount {
                files: number(row, 0)?,
                bytes: number(row, 1)?,
            })
        })
        .optional()
        .map(Option::unwrap_or_default)
}

pub(super) fn add_uploaded(
    db: &Connection,
    day: i64,
    device: DeviceId,
    more: UploadAmount,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO upload_days (day, device, files, bytes) VALUES (?, ?, ?, ?)
         ON CONFLICT (day, device) DO UPDATE SET files = files + excluded.files,
           bytes = bytes + excluded.bytes",
    )?
    .execute(params![day, device.0, int(more.files), int(more.bytes)])
    .map(drop)
}

pub(super) fn sweep_uploaded(db: &Connection, before_day: i64) -> Result<usize> {
    db.prepare_cached("DELETE FROM upload_days WHERE day < ?")?
        .execute([before_day])
}

pub(super) fn forget(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM uploads", [])?;
    db.execute("DELETE FROM attachment_orphans", []).map(drop)
}

/// The columns of a key; without one, values before all keys.
fn start(after: Option<AttachmentKey>) -> (Vec<u8>, Vec<u8>) {
    after.map_or_else(Default::default, |key| {
        (key.record.0.to_vec(), key.id.0.to_vec())
    })
}

fn read_key(row: &Row<'_>, column: usize) -> Result<AttachmentKey> {
    Ok(AttachmentKey {
        record: row.get(column).map(RecordId)?,
        id: row.get(column + 1).map(Hash)?,
    })
}

fn read_file(row: &Row<'_>) -> Result<AttachmentFile> {
    Ok(AttachmentFile {
        key: read_key(row, 0)?,
        media: row.get(2)?,
        bytes: number(row, 3)?,
        salt: row.get(4)?,
        stored_ms: row.get(5)?,
    })
}

fn read_upload(row: &Row<'_>) -> Result<UploadRow> {
    Ok(UploadRow {
        device: row.get(0).map(DeviceId)?,
        key: read_key(row, 1)?,
        bytes: number(row, 3)?,
        durable: number(row, 4)?,
        begun_ms: row.get(5)?,
        touched_ms: row.get(6)?,
    })
}
