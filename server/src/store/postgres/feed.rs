//! Tables `streams` and `feed`: dense positions, each with the digest of the stream after it.

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::wire::digest::Digest;
use tokio_postgres::Row;

use super::convert::{Columns as _, values};
use super::db::Db;
use super::memo::Known;
use crate::store::{Entry, FeedRow, Head, StoreError, StoreResult};

/// Row number and head of a stream; `None` if the stream does not exist yet.
pub(super) fn known(db: &Db, stream: StreamId) -> StoreResult<Option<Known>> {
    let row = db.one(
        "SELECT head, digest, no FROM streams WHERE id = $1",
        values![stream.to_bytes()],
    )?;
    row.map(|row| known_at(&row)).transpose()
}

/// Heads and row numbers of the streams with these ids, and the ids.
pub(super) const KNOWN: &str =
    "SELECT head, digest, no, id FROM streams WHERE id = ANY($1::bytea[])";

pub(super) fn known_at(row: &Row) -> StoreResult<Known> {
    Ok(Known {
        no: row.int(2)?,
        head: Head {
            position: row.number(0)?,
            digest: row.array(1).map(Digest::from_bytes)?,
        },
    })
}

pub(super) fn make(db: &Db, stream: StreamId) -> StoreResult<Known> {
    let head = Head::default();
    db.note_written();
    let row = db.one(
        "INSERT INTO streams (no, id, head, digest)
         SELECT coalesce(max(no), 0) + 1, $1::bytea, $2::bigint, $3::bytea FROM streams
         RETURNING no",
        values![stream.to_bytes(), head.position, head.digest.to_bytes()],
    )?;
    let no = row.ok_or(StoreError::Row("a stream"))?.int(0)?;
    Ok(Known { no, head })
}

pub(super) fn streams(db: &Db) -> StoreResult<Vec<StreamId>> {
    db.all(
        "SELECT id FROM streams WHERE head > 0 ORDER BY id",
        Vec::new(),
    )?
    .iter()
    .map(|row| row.stream(0))
    .collect()
}

/// Positions of the heads of these streams, in their order; 0 for an unknown one.
pub(super) fn heads(db: &Db, streams: &[StreamId]) -> StoreResult<Vec<u64>> {
    let ids = streams.iter().map(|stream| Some(stream.to_bytes()));
    db.all(
        "SELECT coalesce(s.head, 0) FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (id, place)
         LEFT JOIN streams s ON s.id = asked.id ORDER BY asked.place",
        values![ids.collect::<Vec<_>>()],
    )?
    .iter()
    .map(|row| row.number(0))
    .collect()
}

pub(super) fn page(
    db: &Db,
    stream: StreamId,
    after: u64,
    count_max: usize,
) -> StoreResult<Vec<FeedRow>> {
    db.all(
        "SELECT position, kind, subject, data, digest FROM feed
         WHERE stream_no = (SELECT no FROM streams WHERE id = $1) AND position > $2
         ORDER BY position LIMIT $3",
        values![stream.to_bytes(), after, count_max],
    )?
    .iter()
    .map(read)
    .collect()
}

pub(super) fn digest_at(db: &Db, stream: StreamId, position: u64) -> StoreResult<Option<Digest>> {
    if position == 0 {
        return Ok(Some(Digest::EMPTY));
    }
    let row = db.one(
        "SELECT f.digest FROM feed f JOIN streams s ON s.no = f.stream_no
         WHERE s.id = $1 AND f.position = $2",
        values![stream.to_bytes(), position],
    )?;
    row.map(|row| row.array(0).map(Digest::from_bytes))
        .transpose()
}

fn read(row: &Row) -> StoreResult<FeedRow> {
    let entry = match row.int(1)? {
        1 => Entry::Envelope(row.array(2).map(EnvelopeId)?),
        2 => Entry::Add(row.array(2).map(RecordId)?),
        3 => Entry::Withdraw(row.array(2).map(RecordId)?),
        4 => Entry::Verdict(row.array(2).map(EnvelopeId)?),
        5 => Entry::Directory(row.bytes(3)?),
        6 => Entry::Bulletin(row.bytes(3)?),
        _ => return Err(StoreError::Row("an entry")),
    };
    Ok(FeedRow {
        position: row.number(0)?,
        entry,
        digest: row.array(4).map(Digest::from_bytes)?,
    })
}
