//! Tables `stream_records`, `stream_certificates` and `stream_entries`: the present contents of streams.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{Hash, RecordId};
use onegrid_core::wire::digest::Digest;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::convert::{int, limit, number, stream as stream_name};
use super::feed::stream_no;
use super::memo::Known;
use crate::store::{CurrentEntry, EntriesAmount, Holding, LoadKey, LoadRow, StreamItem};

/// Columns that a stream copies from a record that it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holdable {
    no: i64,
    open: i64,
    created_ms: i64,
}

pub(super) fn holdable(db: &Connection, record: RecordId) -> Result<Option<Holdable>> {
    db.prepare_cached("SELECT no, open, created_ms FROM records WHERE id = ?")?
        .query_row([record.0], |row| {
            Ok(Holdable {
                no: row.get(0)?,
                open: row.get(1)?,
                created_ms: row.get(2)?,
            })
        })
        .optional()
}

pub(super) fn hold(db: &Connection, stream: Known, record: Holdable) -> Result<()> {
    // This is one row with given values: a statement that selects and replaces would cost SQLite a
    // savepoint for each record.
    db.prepare_cached("DELETE FROM stream_records WHERE stream_no = ? AND record_no = ?")?
        .execute(params![stream.no, record.no])?;
    db.prepare_cached(
        "INSERT INTO stream_records
             (stream_no, record_no, open, created_ms, turned_at, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
    )?
    .execute(params![
        stream.no,
        record.no,
        record.open,
        record.created_ms,
        int(stream.head.position)
    ])
    .map(drop)
}

pub(super) fn release(db: &Connection, stream: StreamId, record: RecordId) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM stream_records
         WHERE stream_no = (SELECT no FROM streams WHERE id = ?)
           AND record_no = (SELECT no FROM records WHERE id = ?)",
    )?
    .execute(params![stream.to_bytes(), record.0])
    .map(drop)
}

pub(super) fn holding(
    db: &Connection,
    stream: StreamId,
    record: RecordId,
) -> Result<Option<Holding>> {
    db.prepare_cached(
        "SELECT added_at, open, turned_at, created_ms FROM stream_records
         WHERE stream_no = (SELECT no FROM streams WHERE id = ?)
           AND record_no = (SELECT no FROM records WHERE id = ?)",
    )?
    .query_row(params![stream.to_bytes(), record.0], |row| {
        Ok(Holding {
            since: number(row, 0)?,
            open: row.get(1)?,
            turned_at: number(row, 2)?,
            created_ms: row.get(3)?,
        })
    })
    .optional()
}

pub(super) fn of_record(db: &Connection, record: RecordId) -> Result<Vec<StreamId>> {
    db.prepare_cached(
        "SELECT s.id FROM stream_records m JOIN streams s ON s.no = m.stream_no
         WHERE m.record_no = (SELECT no FROM records WHERE id = ?) ORDER BY s.id",
    )?
    .query_map([record.0], |row| stream_name(row, 0))?
    .collect()
}

pub(super) fn items(db: &Connection, stream: StreamId) -> Result<Vec<StreamItem>> {
    db.prepare_cached(
        "SELECT m.created_ms, r.id, r.digest FROM stream_records m
         JOIN records r ON r.no = m.record_no
         WHERE m.stream_no = (SELECT no FROM streams WHERE id = ?)
         ORDER BY m.created_ms, r.id",
    )?
    .query_map([stream.to_bytes()], |row| {
        Ok(StreamItem {
            created_ms: row.get(0)?,
            record: row.get(1).map(RecordId)?,
            digest: row.get(2).map(Digest::from_bytes)?,
        })
    })?
    .collect()
}

/// Phase 1 returns the cases that are open now. Phase 2 returns the other records, and cases that opened
/// after the load began, because phase 1 may already have passed them.
pub(super) fn load(
    db: &Connection,
    stream: StreamId,
    began_at: u64,
    after: Option<LoadKey>,
    count_max: usize,
) -> Result<Vec<LoadRow>> {
    let Some(no) = stream_no(db, stream)? else {
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    if after.is_none_or(|key| !key.rest) {
        let (created, record) = resume(db, after)?;
        rows = db
            .prepare_cached(
                "SELECT m.created_ms, r.id, r.digest FROM stream_records m
                 JOIN records r ON r.no = m.record_no
                 WHERE m.stream_no = ? AND m.open = 1 AND (m.created_ms, m.record_no) < (?, ?)
                 ORDER BY m.created_ms DESC, m.record_no DESC LIMIT ?",
            )?
            .query_map(params![no, created, record, limit(count_max)], |row| {
                load_row(row, false)
            })?
            .collect::<Result<_>>()?;
    }
    if rows.len() < count_max {
        let (created, record) = resume(db, after.filter(|key| key.rest))?;
        let rest = limit(count_max - rows.len());
        let mut statement = db.prepare_cached(
            "SELECT m.created_ms, r.id, r.digest FROM stream_records m
             JOIN records r ON r.no = m.record_no
             WHERE m.stream_no = ? AND (m.open = 0 OR m.turned_at > ?)
               AND (m.created_ms, m.record_no) < (?, ?)
             ORDER BY m.created_ms DESC, m.record_no DESC LIMIT ?",
        )?;
        let found = statement
            .query_map(params![no, int(began_at), created, record, rest], |row| {
                load_row(row, true)
            })?;
        for row in found {
            rows.push(row?);
        }
    }
    Ok(rows)
}

fn resume(db: &Connection, after: Option<LoadKey>) -> Result<(i64, i64)> {
    let Some(key) = after else {
        return Ok((i64::MAX, i64::MAX));
    };
    let no = db
        .prepare_cached("SELECT no FROM records WHERE id = ?")?
        .query_row([key.record.0], |row| row.get(0))
        .optional()?;
    Ok((key.created_ms, no.unwrap_or(i64::MAX)))
}

fn load_row(row: &Row<'_>, rest: bool) -> Result<LoadRow> {
    let (created_ms, record) = (row.get(0)?, row.get(1).map(RecordId)?);
    Ok(LoadRow {
        key: LoadKey {
            rest,
            created_ms,
            record,
        },
        digest: row.get(2).map(Digest::from_bytes)?,
    })
}

pub(super) fn need_certificate(
    db: &Connection,
    stream_no: i64,
    certificate_no: i64,
    position: u64,
) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO stream_certificates (stream_no, certificate_no, position)
         VALUES (?, ?, ?)",
    )?
    .execute(params![stream_no, certificate_no, int(position)])
    .map(drop)
}

pub(super) fn forget_certificate(db: &Connection, stream: StreamId, hash: Hash) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM stream_certificates
         WHERE stream_no = (SELECT no FROM streams WHERE id = ?1)
           AND certificate_no = (SELECT no FROM certificates WHERE hash = ?2)
           AND NOT EXISTS (
               SELECT 1 FROM envelopes e
               JOIN records r ON r.id = e.record_id
               JOIN stream_records m
                 ON m.record_no = r.no AND m.stream_no = stream_certificates.stream_no
               WHERE e.certificate_no = stream_certificates.certificate_no AND e.status < 2)",
    )?
    .execute(params![stream.to_bytes(), hash.0])
    .map(drop)
}

/// Certificates of a record's authors that readers of the stream may see.
pub(super) fn shown(db: &Connection, stream: StreamId, record: RecordId) -> Result<Vec<Hash>> {
    db.prepare_cached(
        "SELECT DISTINCT c.hash FROM envelopes e
         JOIN certificates c ON c.no = e.certificate_no
         JOIN stream_certificates n ON n.certificate_no = e.certificate_no
         WHERE e.record_id = ?1 AND e.status < 2
           AND n.stream_no = (SELECT no FROM streams WHERE id = ?2)",
    )?
    .query_map(params![record.0, stream.to_bytes()], |row| {
        row.get(0).map(Hash)
    })?
    .collect()
}

pub(super) fn certificates(
    db: &Connection,
    stream: StreamId,
    after: u64,
    through: u64,
) -> Result<Vec<Hash>> {
    db.prepare_cached(
        "SELECT c.hash FROM stream_certificates n JOIN certificates c ON c.no = n.certificate_no
         WHERE n.stream_no = (SELECT no FROM streams WHERE id = ?)
           AND n.position > ? AND n.position <= ? ORDER BY n.position, c.no",
    )?
    .query_map(
        params![stream.to_bytes(), int(after), int(through)],
        |row| row.get(0).map(Hash),
    )?
    .collect()
}

pub(super) fn set_current(
    db: &Connection,
    no: i64,
    name: &[u8],
    position: u64,
    data: Option<&[u8]>,
) -> Result<()> {
    match data {
        Some(data) => db
            .prepare_cached(
                "INSERT INTO stream_entries (stream_no, name, position, data) VALUES (?, ?, ?, ?)
                 ON CONFLICT (stream_no, name) DO UPDATE SET data = excluded.data",
            )?
            .execute(params![no, name, int(position), data]),
        None => db
            .prepare_cached("DELETE FROM stream_entries WHERE stream_no = ? AND name = ?")?
            .execute(params![no, name]),
    }
    .map(drop)
}

pub(super) fn current(
    db: &Connection,
    stream: StreamId,
    after: u64,
    count_max: usize,
) -> Result<Vec<CurrentEntry>> {
    db.prepare_cached(
        "SELECT position, data FROM stream_entries
         WHERE stream_no = (SELECT no FROM streams WHERE id = ?) AND position > ?
         ORDER BY position LIMIT ?",
    )?
    .query_map(
        params![stream.to_bytes(), int(after), limit(count_max)],
        current_entry,
    )?
    .collect()
}

/// Only the lengths of the entries are read.
pub(super) fn current_amount(
    db: &Connection,
    stream: StreamId,
    after: u64,
    count_max: usize,
) -> Result<EntriesAmount> {
    db.prepare_cached(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM (
             SELECT length(data) AS bytes FROM stream_entries
             WHERE stream_no = (SELECT no FROM streams WHERE id = ?) AND position > ?
             ORDER BY position LIMIT ?)",
    )?
    .query_row(
        params![stream.to_bytes(), int(after), limit(count_max)],
        |row| {
            Ok(EntriesAmount {
                entries: number(row, 0)?,
                bytes: number(row, 1)?,
            })
        },
    )
}

pub(super) fn current_of(
    db: &Connection,
    stream: StreamId,
    name: &[u8],
) -> Result<Option<CurrentEntry>> {
    db.prepare_cached(
        "SELECT position, data FROM stream_entries
         WHERE stream_no = (SELECT no FROM streams WHERE id = ?) AND name = ?",
    )?
    .query_row(params![stream.to_bytes(), name], current_entry)
    .optional()
}

fn current_entry(row: &Row<'_>) -> Result<CurrentEntry> {
    Ok(CurrentEntry {
        position: number(row, 0)?,
        data: row.get(1)?,
    })
}
