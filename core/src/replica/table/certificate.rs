//! `certificate` and `anchor`: who may have written what is here, and the server keys.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sql, cbor, fixed, to_cbor};
use crate::id::Hash;
use crate::trust::certificate::{Certificate, RawCertificate, ServerKey};

/// Stores a verified certificate; one that is there already stays.
pub(in crate::replica) fn insert(conn: &Connection, certificate: &Certificate) -> Sql<()> {
    let facts = certificate.facts();
    let raw = certificate.raw();
    conn.prepare_cached(
        "INSERT INTO certificate (hash, device, member, facts, signature)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (hash) DO NOTHING",
    )?
    .execute((
        certificate.hash().as_bytes(),
        facts.device.as_bytes(),
        facts.member.as_ref().map(|member| &member.0),
        &raw.facts,
        &raw.signature,
    ))
    .map(drop)
}

pub(in crate::replica) fn get(conn: &Connection, hash: Hash) -> Sql<Option<RawCertificate>> {
    conn.prepare_cached("SELECT facts, signature FROM certificate WHERE hash = ?1")?
        .query_row([hash.as_bytes()], raw)
        .optional()
}

/// The server is known to have a certificate since this generation.
pub(in crate::replica) fn set_known_in(conn: &Connection, hash: Hash, generation: u32) -> Sql<()> {
    conn.prepare_cached("UPDATE certificate SET known_in = ?2 WHERE hash = ?1 AND known_in < ?2")?
        .execute((hash.as_bytes(), generation))
        .map(drop)
}

/// Since which generation the server is known to have a certificate, 0 when it is not.
pub(in crate::replica) fn known_in(conn: &Connection, hash: Hash) -> Sql<u32> {
    conn.prepare_cached("SELECT known_in FROM certificate WHERE hash = ?1")?
        .query_row([hash.as_bytes()], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

pub(in crate::replica) fn put_anchor(conn: &Connection, key: &ServerKey) -> Sql<()> {
    conn.prepare_cached("INSERT INTO anchor (key, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute((Hash::of(&[&to_cbor(key)]).as_bytes(), to_cbor(key)))
        .map(drop)
}

pub(in crate::replica) fn anchors(conn: &Connection) -> Sql<Vec<ServerKey>> {
    conn.prepare_cached("SELECT bytes FROM anchor ORDER BY key")?
        .query_map([], |row| cbor(row, 0))?
        .collect()
}

fn raw(row: &Row<'_>) -> Sql<RawCertificate> {
    Ok(RawCertificate {
        facts: row.get(0)?,
        signature: fixed(row, 1)?,
    })
}
