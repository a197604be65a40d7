//! Tables `envelopes` and `certificates`.

use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::Verdict;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::convert::{cbor, from_cbor, number, status_code};
use crate::store::{Amount, NewEnvelope, StoredEnvelope};

/// Stores a certificate. The hash is the one of its facts, so stored facts that differ are damaged and are
/// replaced.
pub(super) fn put_certificate(
    db: &Connection,
    hash: Hash,
    device: DeviceId,
    certificate: &RawCertificate,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO certificates (hash, device, facts, signature) VALUES (?, ?, ?, ?)
         ON CONFLICT (hash) DO UPDATE SET facts = excluded.facts, signature = excluded.signature
         WHERE facts IS NOT excluded.facts",
    )?
    .execute(params![
        hash.0,
        device.0,
        certificate.facts,
        certificate.signature
    ])
    .map(drop)
}

pub(super) fn certificate(db: &Connection, hash: Hash) -> Result<Option<RawCertificate>> {
    db.prepare_cached(
        "SELECT facts, signature FROM certificates WHERE hash = ? AND facts NOT NULL",
    )?
    .query_row([hash.0], |row| {
        Ok(RawCertificate {
            facts: row.get(0)?,
            signature: row.get(1)?,
        })
    })
    .optional()
}

pub(super) fn certificate_no(db: &Connection, hash: Hash) -> Result<Option<i64>> {
    db.prepare_cached("SELECT no FROM certificates WHERE hash = ?")?
        .query_row([hash.0], |row| row.get(0))
        .optional()
}

pub(super) fn certificates_of(db: &Connection, record: RecordId) -> Result<Vec<Hash>> {
    db.prepare_cached(
        "SELECT DISTINCT c.hash FROM envelopes e JOIN certificates c ON c.no = e.certificate_no
         WHERE e.record_id = ? AND e.status < 2",
    )?
    .query_map([record.0], |row| row.get(0).map(Hash))?
    .collect()
}

/// Stores the bytes of an envelope, unless they are stored already. Returns whether they were missing. If a
/// pack listed the envelope before, its verdict stays. `certificate` is the certificate's row number.
pub(super) fn put(db: &Connection, envelope: &NewEnvelope<'_>, certificate: i64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO envelopes
             (id, record_id, author, certificate_no, header, body, signature, status, verdict)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET header = excluded.header, body = excluded.body,
             signature = excluded.signature
         WHERE header IS NULL",
    )?
    .execute(params![
        envelope.hash.envelope_id().0,
        envelope.record.0,
        envelope.author.0,
        certificate,
        envelope.raw.header,
        envelope.raw.body,
        envelope.raw.signature,
        status_code(&envelope.verdict),
        cbor(&envelope.verdict),
    ])
    .map(drop)
}

pub(super) fn set_verdict(db: &Connection, id: EnvelopeId, verdict: Verdict) -> Result<bool> {
    db.prepare_cached("UPDATE envelopes SET status = ?, verdict = ? WHERE id = ?")?
        .execute(params![status_code(&verdict), cbor(&verdict), id.0])
        .map(|rows| rows == 1)
}

pub(super) fn verdict(db: &Connection, id: EnvelopeId) -> Result<Option<(Option<Hash>, Verdict)>> {
    db.prepare_cached(
        "SELECT header, body, verdict, 0 AS place FROM envelopes WHERE id = ?1
         UNION ALL SELECT header, body, verdict, 2 - held FROM unread WHERE id = ?1
         ORDER BY place LIMIT 1",
    )?
    .query_row([id.0], |row| {
        let (header, body): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
        let hash = header
            .zip(body)
            .map(|(header, body)| Hash::of(&[&header, Hash::of(&[&body]).as_bytes()]));
        Ok((hash, from_cbor(row, 2)?))
    })
    .optional()
}

const STORED: &str = "SELECT e.header, e.body, e.signature, e.record_id, c.hash, e.verdict
     FROM envelopes e JOIN certificates c ON c.no = e.certificate_no";

pub(super) fn one(db: &Connection, id: EnvelopeId) -> Result<Option<StoredEnvelope>> {
    db.prepare_cached(&format!("{STORED} WHERE e.id = ? AND e.header NOT NULL"))?
        .query_row([id.0], stored)
        .optional()
}

pub(super) fn of_record(db: &Connection, record: RecordId) -> Result<Vec<StoredEnvelope>> {
    db.prepare_cached(&format!(
        "{STORED} WHERE e.record_id = ? AND e.header NOT NULL ORDER BY e.no"
    ))?
    .query_map([record.0], stored)?
    .collect()
}

pub(super) fn record_of(db: &Connection, id: EnvelopeId) -> Result<Option<RecordId>> {
    db.prepare_cached("SELECT record_id FROM envelopes WHERE id = ?")?
        .query_row([id.0], |row| row.get(0).map(RecordId))
        .optional()
}

pub(super) fn amount(db: &Connection, record: RecordId) -> Result<Amount> {
    db.prepare_cached(
        "SELECT count(*), coalesce(sum(length(header) + length(body) + length(signature)), 0)
         FROM envelopes WHERE record_id = ?",
    )?
    .query_row([record.0], |row| {
        Ok(Amount {
            envelopes: number(row, 0)?,
            bytes: number(row, 1)?,
        })
    })
}

pub(super) fn amount_by_author(
    db: &Connection,
    record: RecordId,
) -> Result<Vec<(DeviceId, Amount)>> {
    db.prepare_cached(
        "SELECT author, count(*),
                coalesce(sum(length(header) + length(body) + length(signature)), 0)
         FROM envelopes WHERE record_id = ? GROUP BY author ORDER BY author",
    )?
    .query_map([record.0], |row| {
        let amount = Amount {
            envelopes: number(row, 1)?,
            bytes: number(row, 2)?,
        };
        Ok((row.get(0).map(DeviceId)?, amount))
    })?
    .collect()
}

pub(super) fn settled(db: &Connection, record: RecordId) -> Result<Vec<(EnvelopeId, Verdict)>> {
    db.prepare_cached(
        "SELECT id, verdict FROM envelopes WHERE record_id = ? AND status < 2 ORDER BY no",
    )?
    .query_map([record.0], |row| {
        Ok((row.get(0).map(EnvelopeId)?, from_cbor(row, 1)?))
    })?
    .collect()
}

fn stored(row: &Row<'_>) -> Result<StoredEnvelope> {
    Ok(StoredEnvelope {
        raw: RawEnvelope {
            header: row.get(0)?,
            body: row.get(1)?,
            signature: row.get(2)?,
        },
        record: row.get(3).map(RecordId)?,
        certificate: row.get(4).map(Hash)?,
        verdict: from_cbor(row, 5)?,
    })
}
