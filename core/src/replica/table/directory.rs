//! `directory` and `revocation`: areas, zones, units, categories and names as the server published them.

use rusqlite::{Connection, OptionalExtension};

use super::Sql;
use crate::id::DeviceId;

/// An entry with the names that lists show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::replica) struct Entry {
    /// The stable code of the kind of entry.
    pub(in crate::replica) kind: u16,
    /// The subject of the entry. A later entry of the same kind and key replaces an earlier one.
    pub(in crate::replica) key: Vec<u8>,
    pub(in crate::replica) zh: String,
    pub(in crate::replica) en: String,
    /// As received.
    pub(in crate::replica) bytes: Vec<u8>,
}

pub(in crate::replica) fn put(conn: &Connection, stream: &[u8], entry: &Entry) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO directory (stream, kind, key, zh, en, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (kind, key) DO UPDATE SET stream = excluded.stream, zh = excluded.zh,
           en = excluded.en, bytes = excluded.bytes",
    )?
    .execute((
        stream,
        entry.kind,
        &entry.key,
        &entry.zh,
        &entry.en,
        &entry.bytes,
    ))
    .map(drop)
}

/// The names of a subject, Chinese and English, by its newest version. The key starts with its id.
pub(in crate::replica) fn names(
    conn: &Connection,
    kind: u16,
    id: &[u8; 16],
) -> Sql<Option<(String, String)>> {
    let mut last = id.to_vec();
    last.extend([0xff; 9]);
    conn.prepare_cached(
        "SELECT zh, en FROM directory WHERE kind = ?1 AND key BETWEEN ?2 AND ?3
         ORDER BY key DESC LIMIT 1",
    )?
    .query_row((kind, &id[..], last), |row| Ok((row.get(0)?, row.get(1)?)))
    .optional()
}

/// The names of a subject whose key is known whole.
pub(in crate::replica) fn names_of_key(
    conn: &Connection,
    kind: u16,
    key: &[u8],
) -> Sql<Option<(String, String)>> {
    conn.prepare_cached("SELECT zh, en FROM directory WHERE kind = ?1 AND key = ?2")?
        .query_row((kind, key), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// The bytes of one entry.
pub(in crate::replica) fn get(conn: &Connection, kind: u16, key: &[u8]) -> Sql<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT bytes FROM directory WHERE kind = ?1 AND key = ?2")?
        .query_row((kind, key), |row| row.get(0))
        .optional()
}

/// The bytes of every entry of a kind.
pub(in crate::replica) fn of_kind(conn: &Connection, kind: u16) -> Sql<Vec<Vec<u8>>> {
    conn.prepare_cached("SELECT bytes FROM directory WHERE kind = ?1 ORDER BY key")?
        .query_map([kind], |row| row.get(0))?
        .collect()
}

/// Keys and bytes of every entry of a kind.
pub(in crate::replica) fn keyed(conn: &Connection, kind: u16) -> Sql<Vec<(Vec<u8>, Vec<u8>)>> {
    conn.prepare_cached("SELECT key, bytes FROM directory WHERE kind = ?1 ORDER BY key")?
        .query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Forgets the entries of a stream that may no longer be read.
pub(in crate::replica) fn delete_stream(conn: &Connection, stream: &[u8]) -> Sql<()> {
    for sql in [
        "DELETE FROM area_map WHERE no IN (SELECT area.no FROM directory CROSS JOIN area
           ON area.key = directory.key WHERE directory.kind = 1 AND directory.stream = ?1)",
        "DELETE FROM area WHERE key IN (SELECT key FROM directory WHERE kind = 1 AND stream = ?1)",
        "DELETE FROM directory_search WHERE rowid IN (SELECT n.no FROM directory CROSS JOIN
           directory_name AS n ON n.kind = directory.kind AND n.id = directory.key
           WHERE directory.stream = ?1)",
        "DELETE FROM directory_name WHERE (kind, id) IN
           (SELECT kind, key FROM directory WHERE stream = ?1)",
        "DELETE FROM template WHERE key IN
           (SELECT key FROM directory WHERE kind = 9 AND stream = ?1)",
        "DELETE FROM directory WHERE stream = ?1",
    ] {
        conn.prepare_cached(sql)?.execute([stream])?;
    }
    Ok(())
}

/// The newest bytes replace the known ones: after a key leaked, only the signature under a key of today proves the
/// revocation to others.
pub(in crate::replica) fn put_revocation(
    conn: &Connection,
    device: DeviceId,
    bytes: &[u8],
) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO revocation (device, bytes) VALUES (?1, ?2)
         ON CONFLICT (device) DO UPDATE SET bytes = excluded.bytes",
    )?
    .execute((device.as_bytes(), bytes))
    .map(drop)
}

pub(in crate::replica) fn is_revoked(conn: &Connection, device: DeviceId) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM revocation WHERE device = ?1")?
        .exists([device.as_bytes()])
}

/// Every revocation as received, for peers.
pub(in crate::replica) fn revocations(conn: &Connection) -> Sql<Vec<Vec<u8>>> {
    conn.prepare_cached("SELECT bytes FROM revocation ORDER BY device")?
        .query_map([], |row| row.get(0))?
        .collect()
}
