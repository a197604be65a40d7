//! Tables `envelopes` and `certificates`.

use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::Verdict;
use tokio_postgres::Row;

use super::convert::{Columns as _, cbor, status_code, values};
use super::db::Db;
use crate::store::{Amount, StoreResult, StoredEnvelope};

/// Stores a certificate. The hash is the one of its facts, so stored facts that differ are damaged and are
/// replaced.
pub(super) fn put_certificate(
    db: &Db,
    hash: Hash,
    device: DeviceId,
    certificate: &RawCertificate,
) -> StoreResult<()> {
    db.send(
        "INSERT INTO certificates AS c (no, hash, device, facts, signature)
         SELECT coalesce(max(no), 0) + 1, $1::bytea, $2::bytea, $3::bytea, $4::bytea
         FROM certificates
         ON CONFLICT (hash) DO UPDATE SET facts = excluded.facts, signature = excluded.signature
         WHERE c.facts IS DISTINCT FROM excluded.facts",
        values![hash.0, device.0, &certificate.facts, certificate.signature],
    )
}

pub(super) fn certificate(db: &Db, hash: Hash) -> StoreResult<Option<RawCertificate>> {
    let row = db.one(
        "SELECT facts, signature FROM certificates WHERE hash = $1 AND facts IS NOT NULL",
        values![hash.0],
    )?;
    row.map(|row| {
        Ok(RawCertificate {
            facts: row.bytes(0)?,
            signature: row.array(1)?,
        })
    })
    .transpose()
}

pub(super) fn certificate_no(db: &Db, hash: Hash) -> StoreResult<Option<i64>> {
    let row = db.one(
        "SELECT no FROM certificates WHERE hash = $1",
        values![hash.0],
    )?;
    row.map(|row| row.int(0)).transpose()
}

pub(super) fn certificates_of(db: &Db, record: RecordId) -> StoreResult<Vec<Hash>> {
    db.all(
        "SELECT DISTINCT c.hash FROM envelopes e JOIN certificates c ON c.no = e.certificate_no
         WHERE e.record_id = $1 AND e.status < 2",
        values![record.0],
    )?
    .iter()
    .map(|row| row.array(0).map(Hash))
    .collect()
}

/// Row numbers of the certificates with these hashes.
pub(super) const NUMBERS: &str = "SELECT hash, no FROM certificates WHERE hash = ANY($1::bytea[])";

pub(super) fn set_verdict(db: &Db, id: EnvelopeId, verdict: Verdict) -> StoreResult<()> {
    db.send_to(
        "envelope",
        "UPDATE envelopes SET status = $1, verdict = $2 WHERE id = $3",
        values![status_code(&verdict), cbor(&verdict), id.0],
    )
}

/// Ids, bytes and verdicts of these envelopes; a stored one before one that is kept unread.
pub(super) const VERDICTS: &str = "SELECT DISTINCT ON (id) id, header, body, verdict FROM (
        SELECT id, header, body, verdict, 0::bigint AS place FROM envelopes
        WHERE id = ANY($1::bytea[])
        UNION ALL SELECT id, header, body, verdict, 2 - held FROM unread
        WHERE id = ANY($1::bytea[])) AS found
    ORDER BY id, place";

/// Header, body and verdict, from this column on.
pub(super) fn judged(row: &Row, column: usize) -> StoreResult<(Option<Hash>, Verdict)> {
    let parts = row.maybe_bytes(column)?.zip(row.maybe_bytes(column + 1)?);
    let hash = parts.map(|(header, body)| Hash::of(&[&header, Hash::of(&[&body]).as_bytes()]));
    Ok((hash, row.cbor(column + 2)?))
}

pub(super) fn verdict(db: &Db, id: EnvelopeId) -> StoreResult<Option<(Option<Hash>, Verdict)>> {
    let row = db.one(
        "SELECT header, body, verdict, 0::bigint AS place FROM envelopes WHERE id = $1
         UNION ALL SELECT header, body, verdict, 2 - held FROM unread WHERE id = $1
         ORDER BY place LIMIT 1",
        values![id.0],
    )?;
    row.map(|row| judged(&row, 0)).transpose()
}

pub(super) fn one(db: &Db, id: EnvelopeId) -> StoreResult<Option<StoredEnvelope>> {
    let row = db.one(
        "SELECT e.header, e.body, e.signature, e.record_id, c.hash, e.verdict
         FROM envelopes e JOIN certificates c ON c.no = e.certificate_no
         WHERE e.id = $1 AND e.header IS NOT NULL",
        values![id.0],
    )?;
    row.map(|row| stored(&row)).transpose()
}

pub(super) fn of_record(db: &Db, record: RecordId) -> StoreResult<Vec<StoredEnvelope>> {
    db.all(
        "SELECT e.header, e.body, e.signature, e.record_id, c.hash, e.verdict
         FROM envelopes e JOIN certificates c ON c.no = e.certificate_no
         WHERE e.record_id = $1 AND e.header IS NOT NULL ORDER BY e.no",
        values![record.0],
    )?
    .iter()
    .map(stored)
    .collect()
}

pub(super) fn record_of(db: &Db, id: EnvelopeId) -> StoreResult<Option<RecordId>> {
    let row = db.one(
        "SELECT record_id FROM envelopes WHERE id = $1",
        values![id.0],
    )?;
    row.map(|row| row.array(0).map(RecordId)).transpose()
}

pub(super) fn amount(db: &Db, record: RecordId) -> StoreResult<Amount> {
    let row = db.one(
        "SELECT count(*), coalesce(sum(length(header) + length(body) + length(signature)), 0)
         FROM envelopes WHERE record_id = $1",
        values![record.0],
    )?;
    row.map_or(Ok(Amount::default()), |row| amount_at(&row, 0))
}

pub(super) fn amount_by_author(db: &Db, record: RecordId) -> StoreResult<Vec<(DeviceId, Amount)>> {
    db.all(
        "SELECT author, count(*),
                coalesce(sum(length(header) + length(body) + length(signature)), 0)
         FROM envelopes WHERE record_id = $1 GROUP BY author ORDER BY author",
        values![record.0],
    )?
    .iter()
    .map(|row| Ok((row.array(0).map(DeviceId)?, amount_at(row, 1)?)))
    .collect()
}

pub(super) fn settled(db: &Db, record: RecordId) -> StoreResult<Vec<(EnvelopeId, Verdict)>> {
    db.all(
        "SELECT id, verdict FROM envelopes WHERE record_id = $1 AND status < 2 ORDER BY no",
        values![record.0],
    )?
    .iter()
    .map(|row| Ok((row.array(0).map(EnvelopeId)?, row.cbor(1)?)))
    .collect()
}

/// A count and a sum of lengths, in two columns.
pub(super) fn amount_at(row: &Row, column: usize) -> StoreResult<Amount> {
    Ok(Amount {
        envelopes: row.number(column)?,
        bytes: row.number(column + 1)?,
    })
}

fn stored(row: &Row) -> StoreResult<StoredEnvelope> {
    Ok(StoredEnvelope {
        raw: RawEnvelope {
            header: row.bytes(0)?,
            body: row.bytes(1)?,
            signature: row.array(2)?,
        },
        record: row.array(3).map(RecordId)?,
        certificate: row.array(4).map(Hash)?,
        verdict: row.cbor(5)?,
    })
}
