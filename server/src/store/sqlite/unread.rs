//! Table `unread`: envelopes that wait for a version that can read them, one row for each copy.

use onegrid_core::id::DeviceId;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::{Status, Verdict};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::convert::{cbor, from_cbor, int, limit, number};
use crate::store::{Amount, UnreadRow};

pub(super) fn put(db: &Connection, row: &UnreadRow) -> Result<bool> {
    db.prepare_cached(
        "INSERT INTO unread (id, device, header, body, signature, since_ms, held, verdict)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id, signature) DO UPDATE SET device = excluded.device,
             since_ms = excluded.since_ms, held = excluded.held, verdict = excluded.verdict
         WHERE held = 0",
    )?
    .execute(params![
        row.raw.hash().envelope_id().0,
        row.device.0,
        row.raw.header,
        row.raw.body,
        row.raw.signature,
        row.since_ms,
        is_held(&row.verdict),
        cbor(&row.verdict),
    ])
    .map(|rows| rows == 1)
}

pub(super) fn set_verdict(db: &Connection, copy: &RawEnvelope, verdict: Verdict) -> Result<bool> {
    db.prepare_cached("UPDATE unread SET held = ?, verdict = ? WHERE id = ? AND signature = ?")?
        .execute(params![
            is_held(&verdict),
            cbor(&verdict),
            copy.hash().envelope_id().0,
            copy.signature
        ])
        .map(|rows| rows == 1)
}

pub(super) fn delete(db: &Connection, copy: &RawEnvelope) -> Result<()> {
    db.prepare_cached("DELETE FROM unread WHERE id = ? AND signature = ?")?
        .execute(params![copy.hash().envelope_id().0, copy.signature])
        .map(drop)
}

const ROW: &str =
    "SELECT no, device, header, body, signature, since_ms, verdict FROM unread WHERE ";

pub(super) fn one(db: &Connection, copy: &RawEnvelope) -> Result<Option<UnreadRow>> {
    db.prepare_cached(&format!("{ROW} id = ? AND signature = ?"))?
        .query_row(params![copy.hash().envelope_id().0, copy.signature], read)
        .optional()
        .map(|found| found.map(|(_, row)| row))
}

pub(super) fn held(db: &Connection, after: u64, count_max: usize) -> Result<Vec<(u64, UnreadRow)>> {
    db.prepare_cached(&format!("{ROW} held = 1 AND no > ? ORDER BY no LIMIT ?"))?
        .query_map(params![int(after), limit(count_max)], read)?
        .collect()
}

pub(super) fn held_of(db: &Connection, device: DeviceId) -> Result<Amount> {
    db.prepare_cached(
        "SELECT COUNT(*), coalesce(SUM(length(header) + length(body)), 0)
         FROM unread WHERE held = 1 AND device = ?",
    )?
    .query_row([device.0], |row| {
        Ok(Amount {
            envelopes: number(row, 0)?,
            bytes: number(row, 1)?,
        })
    })
}

fn is_held(verdict: &Verdict) -> bool {
    matches!(verdict.status, Status::Held(_))
}

fn read(row: &Row<'_>) -> Result<(u64, UnreadRow)> {
    let unread = UnreadRow {
        device: row.get(1).map(DeviceId)?,
        raw: RawEnvelope {
            header: row.get(2)?,
            body: row.get(3)?,
            signature: row.get(4)?,
        },
        since_ms: row.get(5)?,
        verdict: from_cbor(row, 6)?,
    };
    Ok((number(row, 0)?, unread))
}
