//! Tables of photos and recordings: their descriptions, the files that are here, orphans and uploads.

use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::wire::verdict::{Status, Verdict};
use tokio_postgres::Row;

use super::convert::{Columns as _, values};
use super::db::Db;
use crate::store::{
    AttachmentFile, AttachmentKey, Description, RecordFile, StoreResult, UploadAmount, UploadRow,
};

pub(super) fn describe(db: &Db, row: &Description) -> StoreResult<()> {
    db.send(
        "INSERT INTO attachment_descriptions
           (record_id, id, envelope_id, author, media, bytes, salt)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        values![
            row.key.record.0,
            row.key.id.0,
            row.envelope.0,
            row.author.0,
            row.media,
            row.bytes,
            row.salt,
        ],
    )
}

pub(super) fn descriptions(db: &Db, key: AttachmentKey) -> StoreResult<Vec<(Description, Status)>> {
    db.all(
        "SELECT d.envelope_id, d.author, d.media, d.bytes, d.salt, e.verdict
         FROM attachment_descriptions d JOIN envelopes e ON e.id = d.envelope_id
         WHERE d.record_id = $1 AND d.id = $2 ORDER BY e.no",
        values![key.record.0, key.id.0],
    )?
    .iter()
    .map(|row| {
        let description = Description {
            key,
            envelope: row.array(0).map(EnvelopeId)?,
            author: row.array(1).map(DeviceId)?,
            media: row.small(2)?,
            bytes: row.number(3)?,
            salt: row.array(4)?,
        };
        Ok((description, row.cbor::<Verdict>(5)?.status))
    })
    .collect()
}

pub(super) fn of_record(db: &Db, record: RecordId) -> StoreResult<Vec<RecordFile>> {
    db.all(
        "SELECT f.id, f.bytes, d.envelope_id FROM attachment_files f
         JOIN attachment_descriptions d ON d.record_id = f.record_id AND d.id = f.id
         JOIN envelopes e ON e.id = d.envelope_id
         WHERE f.record_id = $1 AND e.status = 0 ORDER BY f.id, e.no",
        values![record.0],
    )?
    .iter()
    .map(|row| {
        Ok(RecordFile {
            id: row.array(0).map(Hash)?,
            bytes: row.number(1)?,
            envelope: row.array(2).map(EnvelopeId)?,
        })
    })
    .collect()
}

pub(super) fn put_file(db: &Db, row: &AttachmentFile) -> StoreResult<()> {
    db.send(
        "INSERT INTO attachment_files (record_id, id, media, bytes, salt, stored_ms)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        values![
            row.key.record.0,
            row.key.id.0,
            row.media,
            row.bytes,
            row.salt,
            row.stored_ms,
        ],
    )
}

pub(super) fn drop_file(db: &Db, key: AttachmentKey) -> StoreResult<()> {
    db.send(
        "DELETE FROM attachment_files WHERE record_id = $1 AND id = $2",
        values![key.record.0, key.id.0],
    )
}

pub(super) fn file(db: &Db, key: AttachmentKey) -> StoreResult<Option<AttachmentFile>> {
    let row = db.one(
        "SELECT record_id, id, media, bytes, salt, stored_ms FROM attachment_files
         WHERE record_id = $1 AND id = $2",
        values![key.record.0, key.id.0],
    )?;
    row.map(|row| read_file(&row)).transpose()
}

pub(super) fn files(
    db: &Db,
    after: Option<AttachmentKey>,
    count_max: usize,
) -> StoreResult<Vec<AttachmentFile>> {
    let (record, id) = start(after);
    db.all(
        "SELECT record_id, id, media, bytes, salt, stored_ms FROM attachment_files
         WHERE (record_id, id) > ($1, $2) ORDER BY record_id, id LIMIT $3",
        values![record, id, count_max],
    )?
    .iter()
    .map(read_file)
    .collect()
}

pub(super) fn put_orphan(db: &Db, key: AttachmentKey, since_ms: i64) -> StoreResult<()> {
    db.send(
        "INSERT INTO attachment_orphans (record_id, id, since_ms) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
        values![key.record.0, key.id.0, since_ms],
    )
}

pub(super) fn drop_orphan(db: &Db, key: AttachmentKey) -> StoreResult<()> {
    db.send(
        "DELETE FROM attachment_orphans WHERE record_id = $1 AND id = $2",
        values![key.record.0, key.id.0],
    )
}

pub(super) fn orphans(
    db: &Db,
    after: Option<AttachmentKey>,
    count_max: usize,
) -> StoreResult<Vec<(AttachmentKey, i64)>> {
    let (record, id) = start(after);
    db.all(
        "SELECT record_id, id, since_ms FROM attachment_orphans
         WHERE (record_id, id) > ($1, $2) ORDER BY record_id, id LIMIT $3",
        values![record, id, count_max],
    )?
    .iter()
    .map(|row| Ok((read_key(row, 0)?, row.int(2)?)))
    .collect()
}

pub(super) fn put_upload(db: &Db, row: &UploadRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO uploads (device, record_id, id, bytes, durable, begun_ms, touched_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (device, record_id, id) DO UPDATE SET bytes = excluded.bytes,
             durable = excluded.durable, begun_ms = excluded.begun_ms,
             touched_ms = excluded.touched_ms",
        values![
            row.device.0,
            row.key.record.0,
            row.key.id.0,
            row.bytes,
            row.durable,
            row.begun_ms,
            row.touched_ms,
        ],
    )
}

pub(super) fn drop_upload(db: &Db, device: DeviceId, key: AttachmentKey) -> StoreResult<()> {
    db.send(
        "DELETE FROM uploads WHERE device = $1 AND record_id = $2 AND id = $3",
        values![device.0, key.record.0, key.id.0],
    )
}

pub(super) fn upload(
    db: &Db,
    device: DeviceId,
    key: AttachmentKey,
) -> StoreResult<Option<UploadRow>> {
    let row = db.one(
        "SELECT device, record_id, id, bytes, durable, begun_ms, touched_ms FROM uploads
         WHERE device = $1 AND record_id = $2 AND id = $3",
        values![device.0, key.record.0, key.id.0],
    )?;
    row.map(|row| read_upload(&row)).transpose()
}

pub(super) fn uploads_of(db: &Db, device: DeviceId) -> StoreResult<Vec<UploadRow>> {
    db.all(
        "SELECT device, record_id, id, bytes, durable, begun_ms, touched_ms FROM uploads
         WHERE device = $1 ORDER BY touched_ms",
        values![device.0],
    )?
    .iter()
    .map(read_upload)
    .collect()
}

pub(super) fn uploads_before(
    db: &Db,
    touched_before_ms: i64,
    count_max: usize,
) -> StoreResult<Vec<UploadRow>> {
    db.all(
        "SELECT device, record_id, id, bytes, durable, begun_ms, touched_ms FROM uploads
         WHERE touched_ms < $1 ORDER BY touched_ms LIMIT $2",
        values![touched_before_ms, count_max],
    )?
    .iter()
    .map(read_upload)
    .collect()
}

pub(super) fn uploaded(db: &Db, day: i64, device: DeviceId) -> StoreResult<UploadAmount> {
    let row = db.one(
        "SELECT files, bytes FROM upload_days WHERE day = $1 AND device = $2",
        values![day, device.0],
    )?;
    row.map_or(Ok(UploadAmount::default()), |row| {
        Ok(UploadAmount {
            files: row.number(0)?,
            bytes: row.number(1)?,
        })
    })
}

pub(super) fn add_uploaded(
    db: &Db,
    day: i64,
    device: DeviceId,
    more: UploadAmount,
) -> StoreResult<()> {
    db.send(
        "INSERT INTO upload_days AS d (day, device, files, bytes) VALUES ($1, $2, $3, $4)
         ON CONFLICT (day, device) DO UPDATE SET files = d.files + excluded.files,
             bytes = d.bytes + excluded.bytes",
        values![day, device.0, more.files, more.bytes],
    )
}

pub(super) fn sweep_uploaded(db: &Db, before_day: i64) -> StoreResult<usize> {
    let rows = db.change(
        "DELETE FROM upload_days WHERE day < $1",
        values![before_day],
    )?;
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}

pub(super) fn forget(db: &Db) -> StoreResult<()> {
    db.command("DELETE FROM uploads")?;
    db.command("DELETE FROM attachment_orphans")
}

/// The columns of a key; without one, values before all keys.
fn start(after: Option<AttachmentKey>) -> (Vec<u8>, Vec<u8>) {
    after.map_or_else(Default::default, |key| {
        (key.record.0.to_vec(), key.id.0.to_vec())
    })
}

fn read_key(row: &Row, column: usize) -> StoreResult<AttachmentKey> {
    Ok(AttachmentKey {
        record: row.array(column).map(RecordId)?,
        id: row.array(column + 1).map(Hash)?,
    })
}

fn read_file(row: &Row) -> StoreResult<AttachmentFile> {
    Ok(AttachmentFile {
        key: read_key(row, 0)?,
        media: row.small(2)?,
        bytes: row.number(3)?,
        salt: row.array(4)?,
        stored_ms: row.int(5)?,
    })
}

fn read_upload(row: &Row) -> StoreResult<UploadRow> {
    Ok(UploadRow {
        device: row.array(0).map(DeviceId)?,
        key: read_key(row, 1)?,
        bytes: row.number(3)?,
        durable: row.number(4)?,
        begun_ms: row.int(5)?,
        touched_ms: row.int(6)?,
    })
}
