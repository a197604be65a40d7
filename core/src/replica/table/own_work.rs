//! `own_work`: the pieces of work of this phone's member, and their outcome.

use rusqlite::{Connection, Row};

use super::{Sql, bad_value, fixed};
use crate::id::{EnvelopeId, RecordId};

/// The outcome of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::replica) enum Standing {
    Counted = 1,
    Waiting = 2,
    Held = 3,
    NotCounted = 4,
}

/// One piece of work of the person, by its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::replica) struct Work {
    pub(in crate::replica) id: EnvelopeId,
    pub(in crate::replica) record: RecordId,
    pub(in crate::replica) is_birth: bool,
    pub(in crate::replica) clock_ms: i64,
    pub(in crate::replica) standing: Standing,
    pub(in crate::replica) code: String,
}

const COLUMNS: &str = "SELECT id, record, is_birth, clock_ms, standing, code FROM own_work ";

/// Replaces the stored work of a record. `work` is in the order of ids.
pub(in crate::replica) fn set(conn: &Connection, record: RecordId, work: &[Work]) -> Sql<()> {
    let before: Vec<Work> = conn
        .prepare_cached(&format!("{COLUMNS} WHERE record = ?1 ORDER BY id"))?
        .query_map([record.as_bytes()], read)?
        .collect::<Sql<_>>()?;
    for gone in before.iter().filter(|known| !work.contains(known)) {
        conn.prepare_cached("DELETE FROM own_work WHERE id = ?1")?
            .execute([gone.id.as_bytes()])?;
    }
    for fresh in work.iter().filter(|fresh| !before.contains(fresh)) {
        conn.prepare_cached(
            "INSERT OR REPLACE INTO own_work (id, record, is_birth, clock_ms, standing, code)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            fresh.id.as_bytes(),
            fresh.record.as_bytes(),
            fresh.is_birth,
            fresh.clock_ms,
            fresh.standing as i64,
            &fresh.code,
        ))?;
    }
    Ok(())
}

/// Counts the pieces, and those that made a record, by outcome: written from the first instant on and
/// before the second.
pub(in crate::replica) fn counts(
    conn: &Connection,
    (since_ms, until_ms): (i64, i64),
) -> Sql<Vec<(Standing, u64, u64)>> {
    conn.prepare_cached(
        "SELECT standing, count(*), sum(is_birth) FROM own_work
         WHERE clock_ms >= ?1 AND clock_ms < ?2 GROUP BY standing",
    )?
    .query_map((since_ms, until_ms), |row| {
        Ok((
            standing(row, 0)?,
            row.get::<_, i64>(1)?.unsigned_abs(),
            row.get::<_, i64>(2)?.unsigned_abs(),
        ))
    })?
    .collect()
}

/// Returns the work that is held or does not count, the newest first.
pub(in crate::replica) fn not_counted(
    conn: &Connection,
    (since_ms, until_ms): (i64, i64),
    rows_max: usize,
) -> Sql<Vec<Work>> {
    conn.prepare_cached(&format!(
        "{COLUMNS} WHERE standing >= 3 AND clock_ms >= ?1 AND clock_ms < ?2
         ORDER BY clock_ms DESC, id LIMIT ?3"
    ))?
    .query_map(
        (
            since_ms,
            until_ms,
            i64::try_from(rows_max).unwrap_or(i64::MAX),
        ),
        read,
    )?
    .collect()
}

fn standing(row: &Row<'_>, column: usize) -> Sql<Standing> {
    match row.get::<_, i64>(column)? {
        1 => Ok(Standing::Counted),
        2 => Ok(Standing::Waiting),
        3 => Ok(Standing::Held),
        4 => Ok(Standing::NotCounted),
        _ => Err(bad_value(column)),
    }
}

fn read(row: &Row<'_>) -> Sql<Work> {
    Ok(Work {
        id: EnvelopeId(fixed(row, 0)?),
        record: RecordId(fixed(row, 1)?),
        is_birth: row.get(2)?,
        clock_ms: row.get(3)?,
        standing: standing(row, 4)?,
        code: row.get(5)?,
    })
}
