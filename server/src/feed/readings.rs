//! The reading log: the device and the member that received a record of a sensitive kind, the stream and the
//! day. An export in a member's name counts like a phone. A line is written before the answer
//! leaves, so no sensitive record is read without a line.
//!
//! The log holds only ids and times, so its readers learn the names of readers and never the content.

use std::collections::BTreeMap;
use std::sync::Arc;

use onegrid_core::domain::kind::Audience;
use onegrid_core::domain::{RecordKind, StreamId};
use onegrid_core::id::{DeviceId, Hash, MemberId, RecordId};

use crate::error::{Problem, Result};
use crate::limits::{READINGS_A_STEP, READINGS_KEPT_DAYS, READINGS_SWEEP_GAP_DAYS_MAX};
use crate::registry::audit;
use crate::store::{Reader, ReadingKey, ReadingRow, RecordRow, Store, StoreResult};

const DAY_MS: i64 = 24 * 3_600_000;

/// A query of the reading log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sought {
    /// Only lines of this member.
    pub member: Option<MemberId>,
    /// Only lines about this record.
    pub record: Option<RecordId>,
    /// Only lines since this instant, ms UTC, exact to the day.
    pub since_ms: i64,
}

impl Sought {
    fn fits(&self, row: &ReadingRow) -> bool {
        self.member.is_none_or(|member| member == row.member)
            && self.record.is_none_or(|record| record == row.key.record)
    }
}

/// Returns the lines that match the query, the oldest day first, and records the query in the audit log.
pub fn show(
    store: &Arc<dyn Store>,
    sought: &Sought,
    actor: &str,
    now_ms: i64,
    mut take: impl FnMut(&ReadingRow) -> Result<()>,
) -> Result<u64> {
    let actor = actor.to_owned();
    let of = sought.record.map(|record| record.to_string());
    let of = of.or(sought.member.map(|member| member.to_string()));
    let of = of.unwrap_or_default();
    store.write::<_, Problem>(move |tx| {
        Ok(audit::note(tx, now_ms, &actor, "readings.shown", &of)?)
    })?;
    let mut after = first_of(sought.since_ms.div_euclid(DAY_MS));
    let mut count = 0;
    loop {
        // Each page is read alone: its receiver may be a pager that stays open for days.
        let rows = store.read(|tx| tx.readings(after, READINGS_A_STEP))?;
        let Some(last) = rows.last() else {
            return Ok(count);
        };
        after = last.key;
        for row in rows.iter().filter(|row| sought.fits(row)) {
            take(row)?;
            count += 1;
        }
    }
}

/// Removes lines that are past their retention time. If neither this log nor the audit log has a
/// line of the last [`READINGS_SWEEP_GAP_DAYS_MAX`] days, the clock may be ahead, so it removes
/// none.
pub fn sweep(store: &Arc<dyn Store>, now_ms: i64) -> Result<usize> {
    let today = now_ms.div_euclid(DAY_MS);
    let confirmed = store.read::<_, Problem>(|tx| {
        let since_day = today - READINGS_SWEEP_GAP_DAYS_MAX;
        let audit = tx.audit_last()?.map(|line| line.at_ms.div_euclid(DAY_MS));
        let recent = tx.readings(first_of(since_day), 1)?;
        Ok(audit.is_some_and(|day| day >= since_day) || !recent.is_empty())
    })?;
    if !confirmed {
        tracing::warn!("the clock may be ahead, so no line of the log of readings is removed");
        return Ok(0);
    }
    let before_day = today - READINGS_KEPT_DAYS;
    store.write::<_, Problem>(move |tx| Ok(tx.sweep_readings(before_day)?))
}

/// Logs the sensitive records of an answer durably.
pub(crate) fn note(store: &Arc<dyn Store>, rows: Vec<ReadingRow>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    store.write::<_, Problem>(move |tx| {
        for row in &rows {
            tx.put_reading(row)?;
        }
        Ok(())
    })
}

/// The key before all lines of a day.
fn first_of(day: i64) -> ReadingKey {
    ReadingKey {
        day,
        device: DeviceId([0; 16]),
        record: RecordId([0; 16]),
    }
}

/// Returns the device that the lines of exports in a member's name carry. It is none of the member's phones.
#[must_use]
pub fn export_of(member: MemberId) -> DeviceId {
    DeviceId(Hash::of(&[b"onegrid.export", &member.0]).first16())
}

/// Returns the line about a record that is exported in a member's name; `None` if it is not sensitive.
pub(crate) fn exported(
    row: &RecordRow,
    member: MemberId,
    stream: StreamId,
    now_ms: i64,
) -> Option<ReadingRow> {
    let kind = (RecordKind::of_code(row.kind), row.audience);
    line_of(row.id, kind, member, stream, now_ms)
}

/// Returns the line about a record that an administrator reads in a member's name, even if it has no row yet;
/// `None` if it is not sensitive.
pub(crate) fn shown(
    record: RecordId,
    (kind, audience): (RecordKind, Audience),
    member: MemberId,
    stream: StreamId,
    now_ms: i64,
) -> Option<ReadingRow> {
    line_of(record, (kind, audience.code()), member, stream, now_ms)
}

fn line_of(
    record: RecordId,
    (kind, audience): (RecordKind, u8),
    member: MemberId,
    stream: StreamId,
    now_ms: i64,
) -> Option<ReadingRow> {
    let line = || ReadingRow {
        key: ReadingKey {
            day: now_ms.div_euclid(DAY_MS),
            device: export_of(member),
            record,
        },
        member,
        stream,
        first_ms: now_ms,
    };
    is_sensitive(kind, audience).then(line)
}

/// Returns the lines about records that an answer gives to a device.
pub(crate) fn lines(
    tx: &dyn Reader,
    device: DeviceId,
    given: &BTreeMap<RecordId, StreamId>,
    now_ms: i64,
) -> StoreResult<Vec<ReadingRow>> {
    let mut sensitive = Vec::new();
    for (record, stream) in given {
        if tx
            .record(*record)?
            .is_some_and(|row| is_sensitive(RecordKind::of_code(row.kind), row.audience))
        {
            sensitive.push((*record, *stream));
        }
    }
    if sensitive.is_empty() {
        return Ok(Vec::new());
    }
    let Some(member) = tx.device(device)?.and_then(|row| row.member) else {
        return Ok(Vec::new());
    };
    let day = now_ms.div_euclid(DAY_MS);
    let line = |(record, stream)| ReadingRow {
        key: ReadingKey {
            day,
            device,
            record,
        },
        member,
        stream,
        first_ms: now_ms,
    };
    Ok(sensitive.into_iter().map(line).collect())
}

/// Whether the record is sensitive: by its kind, or as a record with restricted readers.
fn is_sensitive(kind: RecordKind, audience: u8) -> bool {
    let spec = kind.spec();
    spec.is_some_and(|spec| spec.is_sensitive) || audience == Audience::Restricted.code()
}
