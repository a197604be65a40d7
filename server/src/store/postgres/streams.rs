//! Tables `stream_records`, `stream_certificates` and `stream_entries`: the present contents of streams.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{Hash, RecordId};
use onegrid_core::wire::digest::Digest;
use tokio_postgres::Row;

use super::convert::{Columns as _, values};
use super::db::Db;
use super::memo::Known;
use crate::store::{
    CurrentEntry, EntriesAmount, Holding, LoadKey, LoadRow, StoreResult, StreamItem,
};

pub(super) fn hold(db: &Db, stream: Known, record: RecordId) -> StoreResult<()> {
    db.send_to(
        "record",
        "INSERT INTO stream_records (stream_no, record_no, open, created_ms, turned_at, added_at)
         SELECT $1::bigint, no, open, created_ms, $2::bigint, $2::bigint FROM records WHERE id = $3
         ON CONFLICT (stream_no, record_no) DO UPDATE SET open = excluded.open,
             created_ms = excluded.created_ms, turned_at = excluded.turned_at,
             added_at = excluded.added_at",
        values![stream.no, stream.head.position, record.0],
    )
}

pub(super) fn release(db: &Db, stream: StreamId, record: RecordId) -> StoreResult<()> {
    db.send(
        "DELETE FROM stream_records
         WHERE stream_no = (SELECT no FROM streams WHERE id = $1)
           AND record_no = (SELECT no FROM records WHERE id = $2)",
        values![stream.to_bytes(), record.0],
    )
}

pub(super) fn holding(db: &Db, stream: StreamId, record: RecordId) -> StoreResult<Option<Holding>> {
    let row = db.one(
        "SELECT added_at, open, turned_at, created_ms FROM stream_records
         WHERE stream_no = (SELECT no FROM streams WHERE id = $1)
           AND record_no = (SELECT no FROM records WHERE id = $2)",
        values![stream.to_bytes(), record.0],
    )?;
    row.map(|row| {
        Ok(Holding {
            since: row.number(0)?,
            open: row.flag(1)?,
            turned_at: row.number(2)?,
            created_ms: row.int(3)?,
        })
    })
    .transpose()
}

/// Ids of these records, each with a stream that holds it.
pub(super) const HOLDERS: &str = "SELECT r.id, s.id FROM records r
    JOIN stream_records m ON m.record_no = r.no JOIN streams s ON s.no = m.stream_no
    WHERE r.id = ANY($1::bytea[]) ORDER BY r.id, s.id";

pub(super) fn of_record(db: &Db, record: RecordId) -> StoreResult<Vec<StreamId>> {
    db.all(
        "SELECT s.id FROM stream_records m JOIN streams s ON s.no = m.stream_no
         WHERE m.record_no = (SELECT no FROM records WHERE id = $1) ORDER BY s.id",
        values![record.0],
    )?
    .iter()
    .map(|row| row.stream(0))
    .collect()
}

pub(super) fn items(db: &Db, stream: StreamId) -> StoreResult<Vec<StreamItem>> {
    db.all(
        "SELECT m.created_ms, r.id, r.digest FROM stream_records m
         JOIN records r ON r.no = m.record_no
         WHERE m.stream_no = (SELECT no FROM streams WHERE id = $1)
         ORDER BY m.created_ms, r.id",
        values![stream.to_bytes()],
    )?
    .iter()
    .map(|row| {
        Ok(StreamItem {
            created_ms: row.int(0)?,
            record: row.array(1).map(RecordId)?,
            digest: row.array(2).map(Digest::from_bytes)?,
        })
    })
    .collect()
}

/// Phase 1 returns the cases that are open now. Phase 2 returns the other records, and cases that opened
/// after the load began, because phase 1 may already have passed them.
pub(super) fn load(
    db: &Db,
    no: i64,
    began_at: u64,
    after: Option<LoadKey>,
    count_max: usize,
) -> StoreResult<Vec<LoadRow>> {
    let mut rows = Vec::new();
    if after.is_none_or(|key| !key.rest) {
        let (created, record) = resume(db, after)?;
        let found = db.all(
            "SELECT m.created_ms, r.id, r.digest FROM stream_records m
             JOIN records r ON r.no = m.record_no
             WHERE m.stream_no = $1 AND m.open = 1 AND (m.created_ms, m.record_no) < ($2, $3)
             ORDER BY m.created_ms DESC, m.record_no DESC LIMIT $4",
            values![no, created, record, count_max],
        )?;
        for row in &found {
            rows.push(load_row(row, false)?);
        }
    }
    if rows.len() < count_max {
        let (created, record) = resume(db, after.filter(|key| key.rest))?;
        let found = db.all(
            "SELECT m.created_ms, r.id, r.digest FROM stream_records m
             JOIN records r ON r.no = m.record_no
             WHERE m.stream_no = $1 AND (m.open = 0 OR m.turned_at > $2)
               AND (m.created_ms, m.record_no) < ($3, $4)
             ORDER BY m.created_ms DESC, m.record_no DESC LIMIT $5",
            values![no, began_at, created, record, count_max - rows.len()],
        )?;
        for row in &found {
            rows.push(load_row(row, true)?);
        }
    }
    Ok(rows)
}

fn resume(db: &Db, after: Option<LoadKey>) -> StoreResult<(i64, i64)> {
    let Some(key) = after else {
        return Ok((i64::MAX, i64::MAX));
    };
    let row = db.one(
        "SELECT no FROM records WHERE id = $1",
        values![key.record.0],
    )?;
    let no = row.map(|row| row.int(0)).transpose()?;
    Ok((key.created_ms, no.unwrap_or(i64::MAX)))
}

fn load_row(row: &Row, rest: bool) -> StoreResult<LoadRow> {
    let (created_ms, record) = (row.int(0)?, row.array(1).map(RecordId)?);
    Ok(LoadRow {
        key: LoadKey {
            rest,
            created_ms,
            record,
        },
        digest: row.array(2).map(Digest::from_bytes)?,
    })
}

pub(super) fn forget_certificates(db: &Db, stream: StreamId, hashes: &[Hash]) -> StoreResult<()> {
    let hashes = hashes.iter().map(|hash| Some(hash.0.to_vec()));
    db.send(
        "DELETE FROM stream_certificates n
         WHERE n.stream_no = (SELECT no FROM streams WHERE id = $1)
           AND n.certificate_no IN (SELECT no FROM certificates WHERE hash = ANY($2::bytea[]))
           AND NOT EXISTS (
               SELECT 1 FROM envelopes e
               JOIN records r ON r.id = e.record_id
               JOIN stream_records m ON m.record_no = r.no AND m.stream_no = n.stream_no
               WHERE e.certificate_no = n.certificate_no AND e.status < 2)",
        values![stream.to_bytes(), hashes.collect::<Vec<_>>()],
    )
}

/// Certificates of a record's authors that readers of the stream may see.
pub(super) fn shown(db: &Db, stream: StreamId, record: RecordId) -> StoreResult<Vec<Hash>> {
    db.all(
        "SELECT DISTINCT c.hash FROM envelopes e
         JOIN certificates c ON c.no = e.certificate_no
         JOIN stream_certificates n ON n.certificate_no = e.certificate_no
         WHERE e.record_id = $1 AND e.status < 2
           AND n.stream_no = (SELECT no FROM streams WHERE id = $2)",
        values![record.0, stream.to_bytes()],
    )?
    .iter()
    .map(|row| row.array(0).map(Hash))
    .collect()
}

pub(super) fn certificates(
    db: &Db,
    stream: StreamId,
    after: u64,
    through: u64,
) -> StoreResult<Vec<Hash>> {
    db.all(
        "SELECT c.hash FROM stream_certificates n JOIN certificates c ON c.no = n.certificate_no
         WHERE n.stream_no = (SELECT no FROM streams WHERE id = $1)
           AND n.position > $2 AND n.position <= $3 ORDER BY n.position, c.no",
        values![stream.to_bytes(), after, through],
    )?
    .iter()
    .map(|row| row.array(0).map(Hash))
    .collect()
}

pub(super) fn drop_current(db: &Db, no: i64, name: &[u8]) -> StoreResult<()> {
    db.send(
        "DELETE FROM stream_entries WHERE stream_no = $1 AND name = $2",
        values![no, name],
    )
}

/// Streams, names, positions and bytes of current entries, by streams and names.
pub(super) const CURRENTS: &str = "SELECT s.id, e.name, e.position, e.data
    FROM unnest($1::bytea[], $2::bytea[]) AS asked (stream, name)
    JOIN streams s ON s.id = asked.stream
    JOIN stream_entries e ON e.stream_no = s.no AND e.name = asked.name";

pub(super) fn current(
    db: &Db,
    stream: StreamId,
    after: u64,
    count_max: usize,
) -> StoreResult<Vec<CurrentEntry>> {
    db.all(
        "SELECT position, data FROM stream_entries
         WHERE stream_no = (SELECT no FROM streams WHERE id = $1) AND position > $2
         ORDER BY position LIMIT $3",
        values![stream.to_bytes(), after, count_max],
    )?
    .iter()
    .map(|row| current_at(row, 0))
    .collect()
}

pub(super) fn current_amount(
    db: &Db,
    stream: StreamId,
    after: u64,
    count_max: usize,
) -> StoreResult<EntriesAmount> {
    let row = db.one(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM (
             SELECT length(data) AS bytes FROM stream_entries
             WHERE stream_no = (SELECT no FROM streams WHERE id = $1) AND position > $2
             ORDER BY position LIMIT $3) AS page",
        values![stream.to_bytes(), after, count_max],
    )?;
    row.map_or(Ok(EntriesAmount::default()), |row| {
        Ok(EntriesAmount {
            entries: row.number(0)?,
            bytes: row.number(1)?,
        })
    })
}

pub(super) fn current_of(
    db: &Db,
    stream: StreamId,
    name: &[u8],
) -> StoreResult<Option<CurrentEntry>> {
    let row = db.one(
        "SELECT position, data FROM stream_entries
         WHERE stream_no = (SELECT no FROM streams WHERE id = $1) AND name = $2",
        values![stream.to_bytes(), name],
    )?;
    row.map(|row| current_at(&row, 0)).transpose()
}

/// Position and bytes of a current entry, from this column on.
pub(super) fn current_at(row: &Row, column: usize) -> StoreResult<CurrentEntry> {
    Ok(CurrentEntry {
        position: row.number(column)?,
        data: row.bytes(column + 1)?,
    })
}
