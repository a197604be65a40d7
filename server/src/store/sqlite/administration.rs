//! Tables `meta`, `reviews` and `audit`, and the counts over all tables.

use onegrid_core::id::{EnvelopeId, Hash};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::convert::{int, limit, number};
use crate::store::{AuditRow, Counts, ReviewRow};

pub(super) fn meta(db: &Connection, name: &str) -> Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT value FROM meta WHERE name = ?")?
        .query_row([name], |row| row.get(0))
        .optional()
}

pub(super) fn set_meta(db: &Connection, name: &str, value: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")?
        .execute(params![name, value])
        .map(drop)
}

pub(super) fn put_review(db: &Connection, review: &ReviewRow) -> Result<()> {
    let decided = review.decided.as_ref();
    db.prepare_cached(
        "INSERT OR REPLACE INTO reviews (envelope_id, since_ms, decided_ms, accepted, decided_by)
         VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        review.envelope.0,
        review.since_ms,
        decided.map(|(at_ms, ..)| *at_ms),
        decided.map(|(_, accepted, _)| *accepted),
        decided.map(|(.., by)| by.as_str()),
    ])
    .map(drop)
}

const REVIEW: &str = "SELECT envelope_id, since_ms, decided_ms, accepted, decided_by FROM reviews";

pub(super) fn review(db: &Connection, id: EnvelopeId) -> Result<Option<ReviewRow>> {
    db.prepare_cached(&format!("{REVIEW} WHERE envelope_id = ?"))?
        .query_row([id.0], read_review)
        .optional()
}

pub(super) fn reviews_open(db: &Connection, count_max: usize) -> Result<Vec<ReviewRow>> {
    db.prepare_cached(&format!(
        "{REVIEW} WHERE decided_ms IS NULL ORDER BY since_ms, envelope_id LIMIT ?"
    ))?
    .query_map([limit(count_max)], read_review)?
    .collect()
}

pub(super) fn put_audit(db: &Connection, row: &AuditRow) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO audit (no, at_ms, actor, action, subject, hash) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        int(row.no),
        row.at_ms,
        row.actor,
        row.action,
        row.subject,
        row.hash.0
    ])
    .map(drop)
}

const AUDIT: &str = "SELECT no, at_ms, actor, action, subject, hash FROM audit";

pub(super) fn audit(db: &Connection, after: u64, count_max: usize) -> Result<Vec<AuditRow>> {
    db.prepare_cached(&format!("{AUDIT} WHERE no > ? ORDER BY no LIMIT ?"))?
        .query_map(params![int(after), limit(count_max)], read_audit)?
        .collect()
}

pub(super) fn audit_last(db: &Connection) -> Result<Option<AuditRow>> {
    db.prepare_cached(&format!("{AUDIT} ORDER BY no DESC LIMIT 1"))?
        .query_row([], read_audit)
        .optional()
}

pub(super) fn counts(db: &Connection) -> Result<Counts> {
    db.prepare_cached(
        "SELECT (SELECT COUNT(*) FROM records), (SELECT COUNT(*) FROM records WHERE open = 1),
             (SELECT COUNT(*) FROM envelopes), (SELECT COUNT(*) FROM envelopes WHERE status = 2)
                 + (SELECT COUNT(*) FROM unread WHERE held = 1),
             (SELECT COUNT(*) FROM devices WHERE revoked_ms IS NULL AND member IS NOT NULL),
             (SELECT COUNT(*) FROM members), (SELECT COUNT(*) FROM streams WHERE head > 0)",
    )?
    .query_row([], |row| {
        Ok(Counts {
            records: number(row, 0)?,
            open: number(row, 1)?,
            envelopes: number(row, 2)?,
            held: number(row, 3)?,
            devices: number(row, 4)?,
            members: number(row, 5)?,
            streams: number(row, 6)?,
        })
    })
}

fn read_review(row: &Row<'_>) -> Result<ReviewRow> {
    let decided: (Option<i64>, Option<bool>, Option<String>) =
        (row.get(2)?, row.get(3)?, row.get(4)?);
    Ok(ReviewRow {
        envelope: row.get(0).map(EnvelopeId)?,
        since_ms: row.get(1)?,
        decided: match decided {
            (Some(at_ms), Some(accepted), Some(by)) => Some((at_ms, accepted, by)),
            _ => None,
        },
    })
}

fn read_audit(row: &Row<'_>) -> Result<AuditRow> {
    Ok(AuditRow {
        no: number(row, 0)?,
        at_ms: row.get(1)?,
        actor: row.get(2)?,
        action: row.get(3)?,
        subject: row.get(4)?,
        hash: row.get(5).map(Hash)?,
    })
}
