//! `envelope`: written envelopes as bytes, with the verdict of the server.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sql, bad_value, cbor, cbor_or_none, fixed, fixed_or_none, to_cbor};
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::wire::envelope::{Envelope, RawEnvelope};
use crate::wire::verdict::{Status, Verdict};

/// The origin of an envelope on this phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::replica) enum Origin {
    /// Written here.
    Own = 1,
    /// Pulled from the server.
    Server = 2,
    /// Brought by another phone.
    Peer = 3,
}

/// An envelope as stored.
#[derive(Debug, Clone)]
pub(in crate::replica) struct Stored {
    pub(in crate::replica) no: i64,
    pub(in crate::replica) id: EnvelopeId,
    pub(in crate::replica) record: RecordId,
    pub(in crate::replica) raw: RawEnvelope,
    pub(in crate::replica) certificate: Hash,
    pub(in crate::replica) origin: Origin,
    pub(in crate::replica) carried: bool,
    pub(in crate::replica) verdict: Option<Verdict>,
    pub(in crate::replica) attestation: Option<i64>,
    pub(in crate::replica) rewritten: Option<EnvelopeId>,
}

/// The data that is stored with an envelope.
#[derive(Debug, Clone, Copy)]
pub(in crate::replica) struct Arrival {
    pub(in crate::replica) origin: Origin,
    pub(in crate::replica) carried: bool,
    pub(in crate::replica) verdict: Option<Verdict>,
    pub(in crate::replica) attestation: Option<i64>,
}

/// The value of the `standing` column.
fn standing(verdict: Option<&Verdict>) -> i64 {
    match verdict.map(|verdict| verdict.status) {
        None => 0,
        Some(Status::Accepted | Status::Admitted) => 1,
        Some(Status::Void(_)) => 2,
        Some(Status::Held(_)) => 3,
        Some(Status::Refused(_)) => 4,
    }
}

const COLUMNS: &str =
    "SELECT no, id, record, header, body, signature, certificate, origin, carried,
     verdict, attestation, rewritten FROM envelope ";

/// Stores an envelope; `false` when it was there already.
pub(in crate::replica) fn insert(
    conn: &Connection,
    envelope: &Envelope,
    arrival: &Arrival,
) -> Sql<bool> {
    let raw = envelope.raw();
    let verdict = arrival.verdict.as_ref().map(to_cbor);
    conn.prepare_cached(
        "INSERT INTO envelope (id, record, header, body, signature, certificate, origin, carried,
           verdict, attestation, standing)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING",
    )?
    .execute((
        envelope.id().as_bytes(),
        envelope.record().as_bytes(),
        &raw.header,
        &raw.body,
        &raw.signature,
        envelope.header().certificate.as_bytes(),
        arrival.origin as i64,
        arrival.carried,
        verdict,
        arrival.attestation,
        standing(arrival.verdict.as_ref()),
    ))
    .map(|changed| changed == 1)
}

/// The single envelopes of a record (those inside its pack are left out), oldest first.
pub(in crate::replica) fn of_record(conn: &Connection, record: RecordId) -> Sql<Vec<Stored>> {
    conn.prepare_cached(&format!("{COLUMNS} WHERE record = ?1 ORDER BY no"))?
        .query_map([record.as_bytes()], stored)?
        .collect()
}

/// Ids of a record's single envelopes, and whether each is only carried.
pub(in crate::replica) fn ids_of_record(
    conn: &Connection,
    record: RecordId,
) -> Sql<Vec<(EnvelopeId, bool)>> {
    conn.prepare_cached("SELECT id, carried FROM envelope WHERE record = ?1")?
        .query_map([record.as_bytes()], |row| {
            Ok((EnvelopeId(fixed(row, 0)?), row.get(1)?))
        })?
        .collect()
}

pub(in crate::replica) fn get(conn: &Connection, id: EnvelopeId) -> Sql<Option<Stored>> {
    conn.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?
        .query_row([id.as_bytes()], stored)
        .optional()
}

/// The place and the verdict of an envelope, without its bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::replica) struct Filed {
    pub(in crate::replica) record: RecordId,
    pub(in crate::replica) certificate: Hash,
    pub(in crate::replica) origin: Origin,
    pub(in crate::replica) carried: bool,
    pub(in crate::replica) verdict: Option<Verdict>,
}

pub(in crate::replica) fn filed(conn: &Connection, id: EnvelopeId) -> Sql<Option<Filed>> {
    conn.prepare_cached(
        "SELECT record, certificate, origin, carried, verdict FROM envelope WHERE id = ?1",
    )?
    .query_row([id.as_bytes()], |row| {
        Ok(Filed {
            record: RecordId(fixed(row, 0)?),
            certificate: Hash(fixed(row, 1)?),
            origin: origin(row, 2)?,
            carried: row.get(3)?,
            verdict: cbor_or_none(row, 4)?,
        })
    })
    .optional()
}

/// The signature of a single envelope.
pub(in crate::replica) fn signature(conn: &Connection, id: EnvelopeId) -> Sql<Option<[u8; 64]>> {
    conn.prepare_cached("SELECT signature FROM envelope WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| fixed(row, 0))
        .optional()
}

/// Replaces the signature of a single envelope. The id does not cover it.
pub(in crate::replica) fn set_signature(
    conn: &Connection,
    id: EnvelopeId,
    signature: &[u8; 64],
) -> Sql<()> {
    conn.prepare_cached("UPDATE envelope SET signature = ?2 WHERE id = ?1")?
        .execute((id.as_bytes(), signature))
        .map(drop)
}

pub(in crate::replica) fn has(conn: &Connection, id: EnvelopeId) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM envelope WHERE id = ?1")?
        .exists([id.as_bytes()])
}

/// Whether the record has a single envelope here.
pub(in crate::replica) fn has_record(conn: &Connection, record: RecordId) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM envelope WHERE record = ?1 LIMIT 1")?
        .exists([record.as_bytes()])
}

/// Envelopes without verdict, oldest first, at most `rows_max` after number `after`.
pub(in crate::replica) fn unjudged(
    conn: &Connection,
    after: i64,
    rows_max: usize,
) -> Sql<Vec<Stored>> {
    conn.prepare_cached(&format!(
        "{COLUMNS} WHERE standing = 0 AND no > ?1 ORDER BY no LIMIT ?2"
    ))?
    .query_map((after, i64::try_from(rows_max).unwrap_or(i64::MAX)), stored)?
    .collect()
}

/// An envelope without verdict, without its body.
pub(in crate::replica) struct Unjudged {
    pub(in crate::replica) no: i64,
    pub(in crate::replica) id: EnvelopeId,
    pub(in crate::replica) record: RecordId,
    pub(in crate::replica) header: Vec<u8>,
    pub(in crate::replica) origin: Origin,
    pub(in crate::replica) carried: bool,
    /// Bytes of the whole envelope.
    pub(in crate::replica) bytes: usize,
}

/// Envelopes without verdict, without their bodies, oldest first, at most `rows_max` after number `after`.
pub(in crate::replica) fn unjudged_headers(
    conn: &Connection,
    after: i64,
    rows_max: usize,
) -> Sql<Vec<Unjudged>> {
    conn.prepare_cached(
        "SELECT no, id, record, header, origin, carried,
           length(header) + length(body) + length(signature)
         FROM envelope INDEXED BY envelope_outbox
         WHERE standing = 0 AND no > ?1 ORDER BY no LIMIT ?2",
    )?
    .query_map(
        (after, i64::try_from(rows_max).unwrap_or(i64::MAX)),
        |row| {
            Ok(Unjudged {
                no: row.get(0)?,
                id: EnvelopeId(fixed(row, 1)?),
                record: RecordId(fixed(row, 2)?),
                header: row.get(3)?,
                origin: origin(row, 4)?,
                carried: row.get(5)?,
                bytes: usize::try_from(row.get::<_, i64>(6)?).unwrap_or(usize::MAX),
            })
        },
    )?
    .collect()
}

/// Whether an envelope of another phone has no verdict.
pub(in crate::replica) fn has_unjudged_of_others(conn: &Connection) -> Sql<bool> {
    conn.prepare_cached(
        "SELECT 1 FROM envelope INDEXED BY envelope_outbox
         WHERE standing = 0 AND origin <> 1 LIMIT 1",
    )?
    .exists([])
}

/// Number and bytes of the envelopes without verdict that other phones brought, by the device of their author.
pub(in crate::replica) fn unjudged_of_peers(
    conn: &Connection,
) -> Sql<Vec<(Option<DeviceId>, u64, u64)>> {
    conn.prepare_cached(
        "SELECT c.device, count(*),
           sum(length(e.header) + length(e.body) + length(e.signature))
         FROM envelope AS e INDEXED BY envelope_outbox
           LEFT JOIN certificate AS c ON c.hash = e.certificate
         WHERE e.standing = 0 AND e.origin = 3 GROUP BY c.device",
    )?
    .query_map([], |row| {
        Ok((
            fixed_or_none(row, 0)?.map(DeviceId),
            row.get::<_, i64>(1)?.unsigned_abs(),
            row.get::<_, i64>(2)?.unsigned_abs(),
        ))
    })?
    .collect()
}

/// Number and id of envelopes without verdict, oldest first, at most `rows_max` after number `after`.
pub(in crate::replica) fn unjudged_ids(
    conn: &Connection,
    after: i64,
    rows_max: usize,
) -> Sql<Vec<(i64, EnvelopeId)>> {
    conn.prepare_cached(
        "SELECT no, id FROM envelope INDEXED BY envelope_outbox
         WHERE standing = 0 AND no > ?1 ORDER BY no LIMIT ?2",
    )?
    .query_map(
        (after, i64::try_from(rows_max).unwrap_or(i64::MAX)),
        numbered,
    )?
    .collect()
}

/// The number of an envelope that has no verdict.
pub(in crate::replica) fn number_unjudged(conn: &Connection, id: EnvelopeId) -> Sql<Option<i64>> {
    conn.prepare_cached("SELECT no FROM envelope WHERE id = ?1 AND standing = 0")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()
}

pub(in crate::replica) fn count_unjudged(conn: &Connection) -> Sql<u64> {
    conn.prepare_cached(
        "SELECT count(*) FROM envelope INDEXED BY envelope_outbox WHERE standing = 0",
    )?
    .query_row([], |row| row.get::<_, i64>(0))
    .map(i64::unsigned_abs)
}

/// Only the lengths of the bytes are read.
pub(in crate::replica) fn bytes_unjudged(conn: &Connection) -> Sql<u64> {
    conn.prepare_cached(
        "SELECT coalesce(sum(length(header) + length(body) + length(signature)), 0)
         FROM envelope INDEXED BY envelope_outbox WHERE standing = 0",
    )?
    .query_row([], |row| row.get::<_, i64>(0))
    .map(i64::unsigned_abs)
}

/// Whether the record has an envelope here that no server has judged, or own work that awaits review.
pub(in crate::replica) fn has_undecided(conn: &Connection, record: RecordId) -> Sql<bool> {
    conn.prepare_cached(
        "SELECT 1 FROM envelope WHERE record = ?1 AND standing NOT IN (1, 2)
           AND (standing = 0 OR (origin = 1 AND standing = 3)) LIMIT 1",
    )?
    .exists([record.as_bytes()])
}

/// Whether this phone wrote a single envelope of the record.
pub(in crate::replica) fn has_own(conn: &Connection, record: RecordId) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM envelope WHERE record = ?1 AND origin = 1 LIMIT 1")?
        .exists([record.as_bytes()])
}

/// Writes the verdict of the server, and removes the envelope from the outbox. The attestation says exactly this
/// verdict; without one a pack does.
pub(in crate::replica) fn set_verdict(
    conn: &Connection,
    id: EnvelopeId,
    verdict: &Verdict,
    attestation: Option<i64>,
) -> Sql<bool> {
    conn.prepare_cached(
        "UPDATE envelope SET verdict = ?2, attestation = ?3, carried = 0,
           standing = ?4 WHERE id = ?1",
    )?
    .execute((
        id.as_bytes(),
        to_cbor(verdict),
        attestation,
        standing(Some(verdict)),
    ))
    .map(|changed| changed == 1)
}

/// Remembers the envelope that repeats the words of a void one.
pub(in crate::replica) fn set_rewritten(
    conn: &Connection,
    void: EnvelopeId,
    by: EnvelopeId,
) -> Sql<()> {
    conn.prepare_cached("UPDATE envelope SET rewritten = ?2 WHERE id = ?1")?
        .execute((void.as_bytes(), by.as_bytes()))
        .map(drop)
}

/// Forgets envelopes of a record that a pack now covers. Envelopes without a verdict always stay.
pub(in crate::replica) fn delete(conn: &Connection, id: EnvelopeId) -> Sql<()> {
    conn.prepare_cached("DELETE FROM envelope WHERE id = ?1 AND standing <> 0")?
        .execute([id.as_bytes()])
        .map(drop)
}

/// Forgets a record's envelopes. The caller has made sure that all of them are decided.
pub(in crate::replica) fn delete_record(conn: &Connection, record: RecordId) -> Sql<()> {
    conn.prepare_cached("DELETE FROM envelope WHERE record = ?1 AND standing <> 0")?
        .execute([record.as_bytes()])
        .map(drop)
}

/// Puts held and refused envelopes back into the outbox: own work and envelopes that this phone carries for
/// others. Returns the records concerned. Until the new verdict, envelopes of others are only carried and
/// do not count. In a record with own work they stay in sight, because own words may build on them.
pub(in crate::replica) fn ask_again(conn: &Connection) -> Sql<Vec<RecordId>> {
    let records = conn
        .prepare_cached("SELECT DISTINCT record FROM envelope WHERE standing IN (3, 4)")?
        .query_map([], |row| Ok(RecordId(fixed(row, 0)?)))?
        .collect::<Sql<Vec<_>>>()?;
    conn.prepare_cached(
        "UPDATE envelope SET standing = 0, verdict = NULL, carried = origin <> 1 AND NOT EXISTS
           (SELECT 1 FROM envelope AS own WHERE own.record = envelope.record AND own.origin = 1)
         WHERE standing IN (3, 4)",
    )?
    .execute([])?;
    Ok(records)
}

/// Sets the verdicts that these attestations prove to generation 0, without their proof.
pub(in crate::replica) fn doubt(conn: &Connection, attestations: &HashSet<i64>) -> Sql<()> {
    let proved: Vec<(i64, Verdict, i64)> = conn
        .prepare("SELECT no, verdict, attestation FROM envelope WHERE attestation IS NOT NULL")?
        .query_map([], |row| Ok((row.get(0)?, cbor(row, 1)?, row.get(2)?)))?
        .collect::<Sql<_>>()?;
    let mut update =
        conn.prepare("UPDATE envelope SET verdict = ?2, attestation = NULL WHERE no = ?1")?;
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

/// Forgets the envelopes that a peer gave for a record that this phone's member may not read. Own work
/// always stays.
pub(in crate::replica) fn delete_unreadable(conn: &Connection, record: RecordId) -> Sql<()> {
    conn.prepare_cached("DELETE FROM envelope WHERE record = ?1 AND origin = 3")?
        .execute([record.as_bytes()])
        .map(drop)
}

/// Every record that has envelopes here.
pub(in crate::replica) fn records(conn: &Connection) -> Sql<Vec<RecordId>> {
    conn.prepare_cached("SELECT DISTINCT record FROM envelope ORDER BY record")?
        .query_map([], |row| Ok(RecordId(fixed(row, 0)?)))?
        .collect()
}

fn origin(row: &Row<'_>, column: usize) -> Sql<Origin> {
    match row.get::<_, i64>(column)? {
        1 => Ok(Origin::Own),
        2 => Ok(Origin::Server),
        3 => Ok(Origin::Peer),
        _ => Err(bad_value(column)),
    }
}

fn numbered(row: &Row<'_>) -> Sql<(i64, EnvelopeId)> {
    Ok((row.get(0)?, EnvelopeId(fixed(row, 1)?)))
}

fn stored(row: &Row<'_>) -> Sql<Stored> {
    Ok(Stored {
        no: row.get(0)?,
        id: EnvelopeId(fixed(row, 1)?),
        record: RecordId(fixed(row, 2)?),
        raw: RawEnvelope {
            header: row.get(3)?,
            body: row.get(4)?,
            signature: fixed(row, 5)?,
        },
        certificate: Hash(fixed(row, 6)?),
        origin: origin(row, 7)?,
        carried: row.get(8)?,
        verdict: cbor_or_none(row, 9)?,
        attestation: row.get(10)?,
        rewritten: fixed_or_none(row, 11)?.map(EnvelopeId),
    })
}
