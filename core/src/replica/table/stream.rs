//! `stream`: the streams that this phone may read, and its progress in each.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sql, bad_value, cbor, fixed, to_cbor};
use crate::domain::stream::StreamId;
use crate::wire::cursor::CursorAt;
use crate::wire::digest::Digest;

/// A stream as stored.
#[derive(Debug, Clone)]
pub(in crate::replica) struct StreamRow {
    pub(in crate::replica) no: i64,
    pub(in crate::replica) id: StreamId,
    pub(in crate::replica) cursor: CursorAt,
    pub(in crate::replica) digest: Digest,
}

pub(in crate::replica) fn all(conn: &Connection) -> Sql<Vec<StreamRow>> {
    conn.prepare_cached("SELECT no, id, cursor, digest FROM stream ORDER BY id")?
        .query_map([], stored)?
        .collect()
}

pub(in crate::replica) fn get(conn: &Connection, id: StreamId) -> Sql<Option<StreamRow>> {
    conn.prepare_cached("SELECT no, id, cursor, digest FROM stream WHERE id = ?1")?
        .query_row([id.to_bytes()], stored)
        .optional()
}

/// Adds a stream that may be read from now on. A stored one keeps its cursor.
pub(in crate::replica) fn add(conn: &Connection, id: StreamId) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO stream (id, cursor, digest) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
    )?
    .execute((id.to_bytes(), to_cbor(&CursorAt::Fresh), [0_u8; 16]))
    .map(drop)
}

pub(in crate::replica) fn remove(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached("DELETE FROM stream WHERE no = ?1")?
        .execute([no])
        .map(drop)
}

pub(in crate::replica) fn set_cursor(conn: &Connection, no: i64, cursor: &CursorAt) -> Sql<()> {
    conn.prepare_cached("UPDATE stream SET cursor = ?2 WHERE no = ?1")?
        .execute((no, to_cbor(cursor)))
        .map(drop)
}

pub(in crate::replica) fn digest(conn: &Connection, no: i64) -> Sql<Digest> {
    conn.prepare_cached("SELECT digest FROM stream WHERE no = ?1")?
        .query_row([no], |row| Ok(Digest::from_bytes(fixed(row, 0)?)))
}

pub(in crate::replica) fn set_digest(conn: &Connection, no: i64, digest: Digest) -> Sql<()> {
    conn.prepare_cached("UPDATE stream SET digest = ?2 WHERE no = ?1")?
        .execute((no, digest.to_bytes()))
        .map(drop)
}

fn stored(row: &Row<'_>) -> Sql<StreamRow> {
    let id = row.get_ref(1)?.as_blob()?;
    Ok(StreamRow {
        no: row.get(0)?,
        id: StreamId::from_bytes(id).ok_or_else(|| bad_value(1))?,
        cursor: cbor(row, 2)?,
        digest: Digest::from_bytes(fixed(row, 3)?),
    })
}
