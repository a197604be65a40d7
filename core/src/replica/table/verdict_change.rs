//! `verdict_change`: verdicts on envelopes inside a pack that changed after the pack was made.

use std::collections::HashSet;

use rusqlite::Connection;

use super::{Sql, cbor, fixed, to_cbor};
use crate::id::{EnvelopeId, RecordId};
use crate::wire::verdict::Verdict;

pub(in crate::replica) fn put(
    conn: &Connection,
    record: RecordId,
    id: EnvelopeId,
    verdict: &Verdict,
    attestation: Option<i64>,
) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO verdict_change (id, record, verdict, attestation) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET verdict = excluded.verdict, attestation = excluded.attestation",
    )?
    .execute((id.as_bytes(), record.as_bytes(), to_cbor(verdict), attestation))
    .map(drop)
}

pub(in crate::replica) fn of_record(
    conn: &Connection,
    record: RecordId,
) -> Sql<Vec<(EnvelopeId, Verdict, Option<i64>)>> {
    conn.prepare_cached(
        "SELECT id, verdict, attestation FROM verdict_change WHERE record = ?1 ORDER BY id",
    )?
    .query_map([record.as_bytes()], |row| {
        Ok((EnvelopeId(fixed(row, 0)?), cbor(row, 1)?, row.get(2)?))
    })?
    .collect()
}

/// Sets the verdicts that these attestations prove to generation 0, without their proof.
pub(in crate::replica) fn doubt(conn: &Connection, attestations: &HashSet<i64>) -> Sql<()> {
    let proved: Vec<([u8; 16], Verdict, i64)> = conn
        .prepare(
            "SELECT id, verdict, attestation FROM verdict_change WHERE attestation IS NOT NULL",
        )?
        .query_map([], |row| Ok((fixed(row, 0)?, cbor(row, 1)?, row.get(2)?)))?
        .collect::<Sql<_>>()?;
    let mut update =
        conn.prepare("UPDATE verdict_change SET verdict = ?2, attestation = NULL WHERE id = ?1")?;
    for (key, verdict, attestation) in proved {
        if attestations.contains(&attestation) {
            let doubted = Verdict {
                generation: 0,
                ..verdict
            };
            update.execute((key, to_cbor(&doubted)))?;
        }
    }
    Ok(())
}

pub(in crate::replica) fn delete_record(conn: &Connection, record: RecordId) -> Sql<()> {
    conn.prepare_cached("DELETE FROM verdict_change WHERE record = ?1")?
        .execute([record.as_bytes()])
        .map(drop)
}
