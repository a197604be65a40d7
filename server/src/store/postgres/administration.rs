//! Tables `meta`, `reviews` and `audit`, and the counts over all tables.

use onegrid_core::id::{EnvelopeId, Hash};
use tokio_postgres::Row;

use super::convert::{Columns as _, values};
use super::db::Db;
use crate::store::{AuditRow, Counts, ReviewRow, StoreError, StoreResult};

pub(super) fn meta(db: &Db, name: &str) -> StoreResult<Option<Vec<u8>>> {
    let row = db.one("SELECT value FROM meta WHERE name = $1", values![name])?;
    row.map(|row| row.bytes(0)).transpose()
}

pub(super) fn set_meta(db: &Db, name: &str, value: &[u8]) -> StoreResult<()> {
    db.send(
        "INSERT INTO meta (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        values![name, value],
    )
}

pub(super) fn put_review(db: &Db, review: &ReviewRow) -> StoreResult<()> {
    let decided = review.decided.as_ref();
    db.send(
        "INSERT INTO reviews (envelope_id, since_ms, decided_ms, accepted, decided_by)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (envelope_id) DO UPDATE SET since_ms = excluded.since_ms,
             decided_ms = excluded.decided_ms, accepted = excluded.accepted,
             decided_by = excluded.decided_by",
        values![
            review.envelope.0,
            review.since_ms,
            decided.map(|(at_ms, ..)| *at_ms),
            decided.map(|(_, accepted, _)| *accepted),
            decided.map(|(.., by)| by.as_str()),
        ],
    )
}

pub(super) fn review(db: &Db, id: EnvelopeId) -> StoreResult<Option<ReviewRow>> {
    let row = db.one(
        "SELECT envelope_id, since_ms, decided_ms, accepted, decided_by FROM reviews
         WHERE envelope_id = $1",
        values![id.0],
    )?;
    row.map(|row| read_review(&row)).transpose()
}

pub(super) fn reviews_open(db: &Db, count_max: usize) -> StoreResult<Vec<ReviewRow>> {
    db.all(
        "SELECT envelope_id, since_ms, decided_ms, accepted, decided_by FROM reviews
         WHERE decided_ms IS NULL ORDER BY since_ms, envelope_id LIMIT $1",
        values![count_max],
    )?
    .iter()
    .map(read_review)
    .collect()
}

pub(super) fn put_audit(db: &Db, row: &AuditRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO audit (no, at_ms, actor, action, subject, hash)
         VALUES ($1, $2, $3, $4, $5, $6)",
        values![
            row.no,
            row.at_ms,
            &row.actor,
            &row.action,
            &row.subject,
            row.hash.0
        ],
    )
}

pub(super) fn audit(db: &Db, after: u64, count_max: usize) -> StoreResult<Vec<AuditRow>> {
    db.all(
        "SELECT no, at_ms, actor, action, subject, hash FROM audit
         WHERE no > $1 ORDER BY no LIMIT $2",
        values![after, count_max],
    )?
    .iter()
    .map(read_audit)
    .collect()
}

pub(super) fn audit_last(db: &Db) -> StoreResult<Option<AuditRow>> {
    let row = db.one(
        "SELECT no, at_ms, actor, action, subject, hash FROM audit ORDER BY no DESC LIMIT 1",
        Vec::new(),
    )?;
    row.map(|row| read_audit(&row)).transpose()
}

pub(super) fn counts(db: &Db) -> StoreResult<Counts> {
    let row = db.one(
        "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM records WHERE open = 1),
             (SELECT count(*) FROM envelopes), (SELECT count(*) FROM envelopes WHERE status = 2)
                 + (SELECT count(*) FROM unread WHERE held = 1),
             (SELECT count(*) FROM devices WHERE revoked_ms IS NULL AND member IS NOT NULL),
             (SELECT count(*) FROM members), (SELECT count(*) FROM streams WHERE head > 0)",
        Vec::new(),
    )?;
    let row = row.ok_or(StoreError::Row("the counts"))?;
    Ok(Counts {
        records: row.number(0)?,
        open: row.number(1)?,
        envelopes: row.number(2)?,
        held: row.number(3)?,
        devices: row.number(4)?,
        members: row.number(5)?,
        streams: row.number(6)?,
    })
}

fn read_review(row: &Row) -> StoreResult<ReviewRow> {
    let accepted = row.maybe_int(3)?.map(|accepted| accepted != 0);
    let decided = (row.maybe_int(2)?, accepted, row.maybe_text(4)?);
    Ok(ReviewRow {
        envelope: row.array(0).map(EnvelopeId)?,
        since_ms: row.int(1)?,
        decided: match decided {
            (Some(at_ms), Some(accepted), Some(by)) => Some((at_ms, accepted, by)),
            _ => None,
        },
    })
}

fn read_audit(row: &Row) -> StoreResult<AuditRow> {
    Ok(AuditRow {
        no: row.number(0)?,
        at_ms: row.int(1)?,
        actor: row.text(2)?,
        action: row.text(3)?,
        subject: row.text(4)?,
        hash: row.array(5).map(Hash)?,
    })
}
