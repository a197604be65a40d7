//! `notification`: news that a phone shows when a cause arrives, until it was taken.

use rusqlite::Connection;

use super::{Sql, bad_value, fixed_or_none};
use crate::domain::notification::NotificationKind;
use crate::id::{EnvelopeId, RecordId};

/// One piece of news, without content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// Its number on this phone; later ones are higher.
    pub no: i64,
    /// When it arose, ms UTC, by the clock of the server where it has one.
    pub at_ms: i64,
    /// The sort of news; its sentence is the text `notify.<name>`.
    pub kind: NotificationKind,
    /// The record concerned.
    pub record: Option<RecordId>,
    /// The envelope concerned.
    pub envelope: Option<EnvelopeId>,
}

/// News on its way into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::replica) struct News {
    pub(in crate::replica) kind: NotificationKind,
    /// Names the cause within its kind.
    pub(in crate::replica) cause: [u8; 16],
    pub(in crate::replica) at_ms: i64,
    pub(in crate::replica) record: Option<RecordId>,
    pub(in crate::replica) envelope: Option<EnvelopeId>,
}

/// Stores news, once for each cause. `taken` marks news that is not to be shown.
pub(in crate::replica) fn insert(conn: &Connection, news: &News, taken: bool) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO notification (at_ms, kind, cause, record, envelope, taken)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (kind, cause) DO NOTHING",
    )?
    .execute((
        news.at_ms,
        news.kind.code(),
        &news.cause,
        news.record.as_ref().map(|record| &record.0),
        news.envelope.as_ref().map(|envelope| &envelope.0),
        taken,
    ))
    .map(drop)
}

/// Returns the news after a number that waits to be shown, oldest first.
pub(in crate::replica) fn waiting(
    conn: &Connection,
    after_no: i64,
    rows_max: usize,
) -> Sql<Vec<Notification>> {
    conn.prepare_cached(
        "SELECT no, at_ms, kind, record, envelope FROM notification
         WHERE taken = 0 AND no > ?1 ORDER BY no LIMIT ?2",
    )?
    .query_map(
        (after_no, i64::try_from(rows_max).unwrap_or(i64::MAX)),
        |row| {
            Ok(Notification {
                no: row.get(0)?,
                at_ms: row.get(1)?,
                kind: NotificationKind::from_code(row.get(2)?).ok_or_else(|| bad_value(2))?,
                record: fixed_or_none(row, 3)?.map(RecordId),
                envelope: fixed_or_none(row, 4)?.map(EnvelopeId),
            })
        },
    )?
    .collect()
}

/// Notes that everything up to this number was shown.
pub(in crate::replica) fn taken_up_to(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached("UPDATE notification SET taken = 1 WHERE no <= ?1 AND taken = 0")?
        .execute([no])
        .map(drop)
}
