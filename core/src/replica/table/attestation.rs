//! `attestation`: signatures of the server over verdicts, kept for a server that lost its data.

use rusqlite::{Connection, OptionalExtension};

use super::{Sql, cbor, to_cbor};
use crate::wire::verdict::Attestation;

/// Stores an attestation and gives its number.
pub(in crate::replica) fn insert(conn: &Connection, attestation: &Attestation) -> Sql<i64> {
    conn.prepare_cached(
        "INSERT INTO attestation (generation, time_ms, bytes) VALUES (?1, ?2, ?3)",
    )?
    .execute((
        attestation.generation,
        attestation.time_ms,
        to_cbor(attestation),
    ))?;
    Ok(conn.last_insert_rowid())
}

pub(in crate::replica) fn get(conn: &Connection, no: i64) -> Sql<Option<Attestation>> {
    conn.prepare_cached("SELECT bytes FROM attestation WHERE no = ?1")?
        .query_row([no], |row| cbor(row, 0))
        .optional()
}
