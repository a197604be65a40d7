//! Tables `streams` and `feed`: dense positions, each with the digest of the stream after it.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::wire::digest::Digest;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, params};

use super::convert::{int, limit, number, stream as stream_name};
use super::memo::Known;
use crate::store::{Entry, FeedRow, Head, NewEntry};

pub(super) fn stream_no(db: &Connection, stream: StreamId) -> Result<Option<i64>> {
    db.prepare_cached("SELECT no FROM streams WHERE id = ?")?
        .query_row([stream.to_bytes()], |row| row.get(0))
        .optional()
}

/// Row number and head of a stream; `None` if the stream does not exist yet.
pub(super) fn known(db: &Connection, stream: StreamId) -> Result<Option<Known>> {
    db.prepare_cached("SELECT head, digest, no FROM streams WHERE id = ?")?
        .query_row([stream.to_bytes()], |row| {
            Ok(Known {
                no: row.get(2)?,
                head: read_head(row)?,
            })
        })
        .optional()
}

pub(super) fn make(db: &Connection, stream: StreamId) -> Result<Known> {
    let head = Head::default();
    let no = db
        .prepare_cached("INSERT INTO streams (id, head, digest) VALUES (?, ?, ?)")?
        .insert(params![
            stream.to_bytes(),
            int(head.position),
            head.digest.to_bytes()
        ])?;
    Ok(Known { no, head })
}

fn read_head(row: &Row<'_>) -> Result<Head> {
    Ok(Head {
        position: number(row, 0)?,
        digest: row.get(1).map(Digest::from_bytes)?,
    })
}

pub(super) fn streams(db: &Connection) -> Result<Vec<StreamId>> {
    db.prepare_cached("SELECT id FROM streams WHERE head > 0 ORDER BY id")?
        .query_map([], |row| stream_name(row, 0))?
        .collect()
}

/// Appends entries and returns the new head. `known` is the stream's head before.
pub(super) fn append(db: &Connection, known: Known, entries: &[NewEntry]) -> Result<Head> {
    let Known { no, mut head } = known;
    let mut insert = db.prepare_cached(
        "INSERT INTO feed (stream_no, position, kind, subject, data, digest)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    for NewEntry { entry, adds } in entries {
        head.position += 1;
        head.digest = head.digest.plus(*adds);
        let (kind, subject, data): (u8, Option<[u8; 16]>, Option<&[u8]>) = match entry {
            Entry::Envelope(id) => (1, Some(id.0), None),
            Entry::Add(record) => (2, Some(record.0), None),
            Entry::Withdraw(record) => (3, Some(record.0), None),
            Entry::Verdict(id) => (4, Some(id.0), None),
            Entry::Directory(data) => (5, None, Some(data)),
            Entry::Bulletin(data) => (6, None, Some(data)),
        };
        insert.execute(params![
            no,
            int(head.position),
            kind,
            subject,
            data,
            head.digest.to_bytes()
        ])?;
    }
    db.prepare_cached("UPDATE streams SET head = ?, digest = ? WHERE no = ?")?
        .execute(params![int(head.position), head.digest.to_bytes(), no])?;
    Ok(head)
}

pub(super) fn page(
    db: &Connection,
    stream: StreamId,
    after: u64,
    count_max: usize,
) -> Result<Vec<FeedRow>> {
    let Some(no) = stream_no(db, stream)? else {
        return Ok(Vec::new());
    };
    db.prepare_cached(
        "SELECT position, kind, subject, data, digest FROM feed
         WHERE stream_no = ? AND position > ? ORDER BY position LIMIT ?",
    )?
    .query_map(params![no, int(after), limit(count_max)], read)?
    .collect()
}

pub(super) fn digest_at(
    db: &Connection,
    stream: StreamId,
    position: u64,
) -> Result<Option<Digest>> {
    if position == 0 {
        return Ok(Some(Digest::EMPTY));
    }
    db.prepare_cached(
        "SELECT f.digest FROM feed f JOIN streams s ON s.no = f.stream_no
         WHERE s.id = ? AND f.position = ?",
    )?
    .query_row(params![stream.to_bytes(), int(position)], |row| {
        row.get(0).map(Digest::from_bytes)
    })
    .optional()
}

fn read(row: &Row<'_>) -> Result<FeedRow> {
    let kind: u8 = row.get(1)?;
    let entry = match kind {
        1 => Entry::Envelope(row.get(2).map(EnvelopeId)?),
        2 => Entry::Add(row.get(2).map(RecordId)?),
        3 => Entry::Withdraw(row.get(2).map(RecordId)?),
        4 => Entry::Verdict(row.get(2).map(EnvelopeId)?),
        5 => Entry::Directory(row.get(3)?),
        6 => Entry::Bulletin(row.get(3)?),
        other => return Err(Error::IntegralValueOutOfRange(1, i64::from(other))),
    };
    Ok(FeedRow {
        position: number(row, 0)?,
        entry,
        digest: row.get(4).map(Digest::from_bytes)?,
    })
}
