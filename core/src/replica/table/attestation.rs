//! `attestation`: signatures of the server over verdicts, kept for a server that lost its data.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};

use super::{Sql, cbor, to_cbor};
use crate::id::{DeviceId, EnvelopeId, Hash};
use crate::wire::verdict::Attestation;

/// Stores an attestation once and returns its number.
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

/// Returns the numbers of the attestations that prove the verdict of an envelope.
pub(in crate::replica) fn of_envelope(conn: &Connection, id: EnvelopeId) -> Sql<Vec<i64>> {
    conn.prepare_cached(
        "SELECT attestation FROM envelope WHERE id = ?1 AND attestation IS NOT NULL
         UNION ALL
         SELECT attestation FROM verdict_change WHERE id = ?1 AND attestation IS NOT NULL",
    )?
    .query_map([id.as_bytes()], |row| row.get(0))?
    .collect()
}

/// Deletes attestations that prove no verdict here any more, among a limited count after a number. Returns
/// the last number that was examined; `None` at the end.
pub(in crate::replica) fn prune(
    conn: &Connection,
    after: i64,
    rows_max: usize,
) -> Sql<Option<i64>> {
    let last: Option<i64> = conn
        .prepare_cached(
            "SELECT max(no) FROM (SELECT no FROM attestation WHERE no > ?1 ORDER BY no LIMIT ?2)",
        )?
        .query_row(
            (after, i64::try_from(rows_max).unwrap_or(i64::MAX)),
            |row| row.get(0),
        )?;
    if let Some(last) = last {
        conn.prepare_cached(
            "DELETE FROM attestation WHERE no > ?1 AND no <= ?2
               AND NOT EXISTS (SELECT 1 FROM envelope AS e WHERE e.attestation = attestation.no)
               AND NOT EXISTS (SELECT 1 FROM verdict_change AS v WHERE v.attestation = attestation.no)",
        )?
        .execute((after, last))?;
    }
    Ok(last)
}

/// The numbers of those that one of these keys signed.
pub(in crate::replica) fn signed_by(
    conn: &Connection,
    signers: &HashSet<DeviceId>,
) -> Sql<HashSet<i64>> {
    let mut numbers = HashSet::new();
    if signers.is_empty() {
        return Ok(numbers);
    }
    let mut statement = conn.prepare_cached("SELECT no, bytes FROM attestation")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let attestation: Attestation = cbor(row, 1)?;
        if signers.contains(&attestation.signer) {
            numbers.insert(row.get(0)?);
        }
    }
    Ok(numbers)
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

/// Bytes of an attestation.
pub(in crate::replica) fn size(conn: &Connection, no: i64) -> Sql<usize> {
    let size: Option<i64> = conn
        .prepare_cached("SELECT length(bytes) FROM attestation WHERE no = ?1")?
        .query_row([no], |row| row.get(0))
        .optional()?;
    Ok(size.map_or(0, |size| usize::try_from(size).unwrap_or(0)))
}
