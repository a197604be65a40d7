//! `attestation`: signatures of the server over verdicts, kept for a server that lost its data.

use rusqlite::{Connection, OptionalExtension};

use super::{Sql, cbor, to_cbor};
use crate::id::{EnvelopeId, Hash};
use crate::wire::verdict::Attestation;

/// Stores an attestation once and gives its number.
pub(in crate::replica) fn insert(conn: &Connection, attestation: &Attestation) -> Sql<i64> {
    let bytes = to_cbor(attestation);
    let hash = Hash::of(&[&bytes]);
    conn.prepare_cached(
        "INSERT INTO attestation (generation, time_ms, bytes, hash) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (hash) DO NOTHING",
    )?
    .execute((
        attestation.generation,
        attestation.time_ms,
        bytes,
        hash.as_bytes(),
    ))?;
    conn.prepare_cached("SELECT no FROM attestation WHERE hash = ?1")?
        .query_row([hash.as_bytes()], |row| row.get(0))
}

/// The number of the newest one, 0 where there is none.
pub(in crate::replica) fn newest(conn: &Connection) -> Sql<i64> {
    conn.prepare_cached("SELECT coalesce(max(no), 0) FROM attestation")?
        .query_row([], |row| row.get(0))
}

/// The numbers of those that prove how an envelope stands.
pub(in crate::replica) fn of_envelope(conn: &Connection, id: EnvelopeId) -> Sql<Vec<i64>> {
    conn.prepare_cached(
        "SELECT attestation FROM envelope WHERE id = ?1 AND attestation IS NOT NULL
         UNION ALL
         SELECT attestation FROM verdict_change WHERE id = ?1 AND attestation IS NOT NULL",
    )?
    .query_map([id.as_bytes()], |row| row.get(0))?
    .collect()
}

pub(in crate::replica) fn delete(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached("DELETE FROM attestation WHERE no = ?1")?
        .execute([no])
        .map(drop)
}

pub(in crate::replica) fn get(conn: &Connection, no: i64) -> Sql<Option<Attestation>> {
    conn.prepare_cached("SELECT bytes FROM attestation WHERE no = ?1")?
        .query_row([no], |row| cbor(row, 0))
        .optional()
}
