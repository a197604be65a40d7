//! Tables `records` and `packs`.

use onegrid_core::id::RecordId;
use onegrid_core::wire::digest::Digest;
use tokio_postgres::Row;

use super::convert::{Columns as _, values};
use super::db::Db;
use crate::store::{RecordRow, StoreResult};

/// All columns of the records with these ids.
pub(super) const MANY: &str = "SELECT id, kind, audience, home, created_ms, open, state, category,
    lat_e7, lon_e7, due_ms, digest, changed_ms, merged_into FROM records WHERE id = ANY($1::bytea[])";

/// Writes a record whose `open` may change.
pub(super) fn put(db: &Db, record: &RecordRow) -> StoreResult<()> {
    // The entry about the change follows in the same transaction, so its position is `head + 1`.
    db.send(
        "UPDATE stream_records SET open = $1,
             turned_at = (SELECT head + 1 FROM streams WHERE no = stream_no)
         WHERE record_no = (SELECT no FROM records WHERE id = $2 AND open <> $1)",
        values![record.open, record.id.0],
    )?;
    db.wait_with(|batch| batch.record(record))
}

pub(super) fn one(db: &Db, id: RecordId) -> StoreResult<Option<RecordRow>> {
    let row = db.one(
        "SELECT id, kind, audience, home, created_ms, open, state, category, lat_e7, lon_e7,
             due_ms, digest, changed_ms, merged_into FROM records WHERE id = $1",
        values![id.0],
    )?;
    row.map(|row| read(&row)).transpose()
}

pub(super) fn page(
    db: &Db,
    after: Option<RecordId>,
    count_max: usize,
) -> StoreResult<Vec<RecordRow>> {
    db.all(
        "SELECT id, kind, audience, home, created_ms, open, state, category, lat_e7, lon_e7,
             due_ms, digest, changed_ms, merged_into FROM records
         WHERE id > $1 ORDER BY id LIMIT $2",
        values![start(after), count_max],
    )?
    .iter()
    .map(read)
    .collect()
}

pub(super) fn open(
    db: &Db,
    after: Option<RecordId>,
    count_max: usize,
) -> StoreResult<Vec<RecordId>> {
    ids(&db.all(
        "SELECT id FROM records WHERE open = 1 AND id > $1 ORDER BY id LIMIT $2",
        values![start(after), count_max],
    )?)
}

pub(super) fn due(db: &Db, now_ms: i64, count_max: usize) -> StoreResult<Vec<RecordId>> {
    ids(&db.all(
        "SELECT id FROM records WHERE due_ms <= $1 ORDER BY due_ms, id LIMIT $2",
        values![now_ms, count_max],
    )?)
}

pub(super) fn merged_into(db: &Db, id: RecordId, count_max: usize) -> StoreResult<Vec<RecordId>> {
    ids(&db.all(
        "SELECT id FROM records WHERE merged_into = $1 ORDER BY id LIMIT $2",
        values![id.0, count_max],
    )?)
}

pub(super) fn pack(db: &Db, id: RecordId, digest: Digest) -> StoreResult<Option<Vec<u8>>> {
    let row = db.one(
        "SELECT p.pack FROM packs p JOIN records r ON r.no = p.record_no
         WHERE r.id = $1 AND p.digest = $2",
        values![id.0, digest.to_bytes()],
    )?;
    row.map(|row| row.bytes(0)).transpose()
}

pub(super) fn put_pack(db: &Db, id: RecordId, digest: Digest, pack: &[u8]) -> StoreResult<()> {
    db.send(
        "INSERT INTO packs (record_no, digest, pack)
         SELECT no, $2::bytea, $3::bytea FROM records WHERE id = $1
         ON CONFLICT (record_no) DO UPDATE SET digest = excluded.digest, pack = excluded.pack",
        values![id.0, digest.to_bytes(), pack],
    )
}

/// A key before every id, or the given id.
fn start(after: Option<RecordId>) -> Vec<u8> {
    after.map(|id| id.0.to_vec()).unwrap_or_default()
}

fn ids(rows: &[Row]) -> StoreResult<Vec<RecordId>> {
    rows.iter().map(|row| row.array(0).map(RecordId)).collect()
}

pub(super) fn read(row: &Row) -> StoreResult<RecordRow> {
    let coordinate = |column| -> StoreResult<Option<i32>> {
        let found = row.maybe_int(column)?;
        found.map(|_| row.small(column)).transpose()
    };
    Ok(RecordRow {
        id: row.array(0).map(RecordId)?,
        kind: row.small(1)?,
        audience: row.small(2)?,
        home: row.cbor(3)?,
        created_ms: row.int(4)?,
        open: row.flag(5)?,
        state: row.small(6)?,
        category: row.maybe_text(7)?,
        position: coordinate(8)?.zip(coordinate(9)?),
        due_ms: row.maybe_int(10)?,
        digest: row.array(11).map(Digest::from_bytes)?,
        changed_ms: row.int(12)?,
        merged_into: row.maybe_array(13)?.map(RecordId),
    })
}
