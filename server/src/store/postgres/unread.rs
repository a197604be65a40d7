//! Table `unread`: envelopes that wait for a version that can read them, one row for each copy.

use onegrid_core::id::DeviceId;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::{Status, Verdict};
use tokio_postgres::Row;

use super::convert::{Columns as _, cbor, values};
use super::db::Db;
use super::envelopes::amount_at;
use crate::store::{Amount, StoreResult, UnreadRow};

pub(super) fn put(db: &Db, row: &UnreadRow) -> StoreResult<bool> {
    let rows = db.change(
        "INSERT INTO unread AS u
             (no, id, device, header, body, signature, since_ms, held, verdict)
         SELECT coalesce(max(no), 0) + 1, $1::bytea, $2::bytea, $3::bytea, $4::bytea, $5::bytea,
             $6::bigint, $7::bigint, $8::bytea FROM unread
         ON CONFLICT (id, signature) DO UPDATE SET device = excluded.device,
             since_ms = excluded.since_ms, held = excluded.held, verdict = excluded.verdict
         WHERE u.held = 0",
        values![
            row.raw.hash().envelope_id().0,
            row.device.0,
            &row.raw.header,
            &row.raw.body,
            row.raw.signature,
            row.since_ms,
            is_held(&row.verdict),
            cbor(&row.verdict),
        ],
    )?;
    Ok(rows == 1)
}

pub(super) fn set_verdict(db: &Db, copy: &RawEnvelope, verdict: Verdict) -> StoreResult<bool> {
    let rows = db.change(
        "UPDATE unread SET held = $1, verdict = $2 WHERE id = $3 AND signature = $4",
        values![
            is_held(&verdict),
            cbor(&verdict),
            copy.hash().envelope_id().0,
            copy.signature
        ],
    )?;
    Ok(rows == 1)
}

pub(super) fn delete(db: &Db, copy: &RawEnvelope) -> StoreResult<()> {
    db.send(
        "DELETE FROM unread WHERE id = $1 AND signature = $2",
        values![copy.hash().envelope_id().0, copy.signature],
    )
}

pub(super) fn one(db: &Db, copy: &RawEnvelope) -> StoreResult<Option<UnreadRow>> {
    let row = db.one(
        "SELECT no, device, header, body, signature, since_ms, verdict FROM unread
         WHERE id = $1 AND signature = $2",
        values![copy.hash().envelope_id().0, copy.signature],
    )?;
    row.map(|row| read(&row).map(|(_, row)| row)).transpose()
}

pub(super) fn held(db: &Db, after: u64, count_max: usize) -> StoreResult<Vec<(u64, UnreadRow)>> {
    db.all(
        "SELECT no, device, header, body, signature, since_ms, verdict FROM unread
         WHERE held = 1 AND no > $1 ORDER BY no LIMIT $2",
        values![after, count_max],
    )?
    .iter()
    .map(read)
    .collect()
}

pub(super) fn held_of(db: &Db, device: DeviceId) -> StoreResult<Amount> {
    let row = db.one(
        "SELECT count(*), coalesce(sum(length(header) + length(body)), 0)
         FROM unread WHERE held = 1 AND device = $1",
        values![device.0],
    )?;
    row.map_or(Ok(Amount::default()), |row| amount_at(&row, 0))
}

fn is_held(verdict: &Verdict) -> bool {
    matches!(verdict.status, Status::Held(_))
}

fn read(row: &Row) -> StoreResult<(u64, UnreadRow)> {
    let unread = UnreadRow {
        device: row.array(1).map(DeviceId)?,
        raw: RawEnvelope {
            header: row.bytes(2)?,
            body: row.bytes(3)?,
            signature: row.array(4)?,
        },
        since_ms: row.int(5)?,
        verdict: row.cbor(6)?,
    };
    Ok((row.number(0)?, unread))
}
