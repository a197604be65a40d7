//! Tables `records` and `packs`.

use onegrid_core::id::RecordId;
use onegrid_core::wire::digest::Digest;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::convert::{cbor, from_cbor, limit};
use crate::store::RecordRow;

const COLUMNS: &str = "id, kind, audience, home, created_ms, open, state, category, lat_e7, lon_e7,
     due_ms, digest, changed_ms, merged_into";

pub(super) fn put(db: &Connection, record: &RecordRow) -> Result<()> {
    let was_open: Option<bool> = db
        .prepare_cached("SELECT open FROM records WHERE id = ?")?
        .query_row([record.id.0], |row| row.get(0))
        .optional()?;
    db.prepare_cached(
        "INSERT INTO records (id, kind, audience, home, created_ms, open, state, category, lat_e7,
             lon_e7, due_ms, digest, changed_ms, merged_into)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET open = excluded.open, state = excluded.state,
             category = excluded.category, lat_e7 = excluded.lat_e7, lon_e7 = excluded.lon_e7,
             due_ms = excluded.due_ms, digest = excluded.digest, changed_ms = excluded.changed_ms,
             merged_into = excluded.merged_into",
    )?
    .execute(params![
        record.id.0,
        record.kind,
        record.audience,
        cbor(&record.home),
        record.created_ms,
        record.open,
        record.state,
        record.category,
        record.position.map(|position| position.0),
        record.position.map(|position| position.1),
        record.due_ms,
        record.digest.to_bytes(),
        record.changed_ms,
        record.merged_into.map(|id| id.0),
    ])?;
    // The entry about the change follows in the same transaction, so its position is `head + 1`.
    if was_open.is_some_and(|open| open != record.open) {
        db.prepare_cached(
            "UPDATE stream_records SET open = ?1,
                 turned_at = (SELECT head + 1 FROM streams WHERE no = stream_no)
             WHERE record_no = (SELECT no FROM records WHERE id = ?2)",
        )?
        .execute(params![record.open, record.id.0])?;
    }
    Ok(())
}

pub(super) fn one(db: &Connection, id: RecordId) -> Result<Option<RecordRow>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM records WHERE id = ?"))?
        .query_row([id.0], read)
        .optional()
}

pub(super) fn page(
    db: &Connection,
    after: Option<RecordId>,
    count_max: usize,
) -> Result<Vec<RecordRow>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM records WHERE id > ? ORDER BY id LIMIT ?"
    ))?
    .query_map(
        params![
            after.map(|id| id.0.to_vec()).unwrap_or_default(),
            limit(count_max)
        ],
        read,
    )?
    .collect()
}

pub(super) fn open(
    db: &Connection,
    after: Option<RecordId>,
    count_max: usize,
) -> Result<Vec<RecordId>> {
    db.prepare_cached("SELECT id FROM records WHERE open = 1 AND id > ? ORDER BY id LIMIT ?")?
        .query_map(
            params![
                after.map(|id| id.0.to_vec()).unwrap_or_default(),
                limit(count_max)
            ],
            |row| row.get(0).map(RecordId),
        )?
        .collect()
}

pub(super) fn due(db: &Connection, now_ms: i64, count_max: usize) -> Result<Vec<RecordId>> {
    db.prepare_cached("SELECT id FROM records WHERE due_ms <= ? ORDER BY due_ms, id LIMIT ?")?
        .query_map(params![now_ms, limit(count_max)], |row| {
            row.get(0).map(RecordId)
        })?
        .collect()
}

pub(super) fn merged_into(
    db: &Connection,
    id: RecordId,
    count_max: usize,
) -> Result<Vec<RecordId>> {
    db.prepare_cached("SELECT id FROM records WHERE merged_into = ? ORDER BY id LIMIT ?")?
        .query_map(params![id.0, limit(count_max)], |row| {
            row.get(0).map(RecordId)
        })?
        .collect()
}

pub(super) fn pack(db: &Connection, id: RecordId, digest: Digest) -> Result<Option<Vec<u8>>> {
    db.prepare_cached(
        "SELECT p.pack FROM packs p JOIN records r ON r.no = p.record_no
         WHERE r.id = ? AND p.digest = ?",
    )?
    .query_row(params![id.0, digest.to_bytes()], |row| row.get(0))
    .optional()
}

pub(super) fn put_pack(db: &Connection, id: RecordId, digest: Digest, pack: &[u8]) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO packs (record_no, digest, pack)
         SELECT no, ?2, ?3 FROM records WHERE id = ?1",
    )?
    .execute(params![id.0, digest.to_bytes(), pack])
    .map(drop)
}

fn read(row: &Row<'_>) -> Result<RecordRow> {
    let (lat, lon): (Option<i32>, Option<i32>) = (row.get(8)?, row.get(9)?);
    Ok(RecordRow {
        id: row.get(0).map(RecordId)?,
        kind: row.get(1)?,
        audience: row.get(2)?,
        home: from_cbor(row, 3)?,
        created_ms: row.get(4)?,
        open: row.get(5)?,
        state: row.get(6)?,
        category: row.get(7)?,
        position: lat.zip(lon),
        due_ms: row.get(10)?,
        digest: row.get(11).map(Digest::from_bytes)?,
        changed_ms: row.get(12)?,
        merged_into: row.get::<_, Option<[u8; 16]>>(13)?.map(RecordId),
    })
}
