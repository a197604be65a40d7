//! `record_link`: records that point at another one, which may be absent here.

use rusqlite::{Connection, OptionalExtension as _};

use super::{Sql, bad_value, fixed};
use crate::id::RecordId;

/// How a record points at another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// It was made for the other one: a finding, a follow-up, a private note.
    MadeFor,
    /// It is a form about the other one.
    About,
    /// It is a duplicate of the other one.
    MergedInto,
}

const ALL: [LinkKind; 3] = [LinkKind::MadeFor, LinkKind::About, LinkKind::MergedInto];

impl LinkKind {
    fn code(self) -> i64 {
        match self {
            Self::MadeFor => 1,
            Self::About => 2,
            Self::MergedInto => 3,
        }
    }
}

/// A record that another one points at.
pub(in crate::replica) type Link = (LinkKind, RecordId);

/// The records that one points at.
pub(in crate::replica) fn of(conn: &Connection, source: i64) -> Sql<Vec<Link>> {
    conn.prepare_cached(
        "SELECT how, target FROM record_link WHERE source = ?1 ORDER BY how, target",
    )?
    .query_map([source], |row| {
        let code: i64 = row.get(0)?;
        let kind = ALL.into_iter().find(|kind| kind.code() == code);
        let target = RecordId(fixed(row, 1)?);
        Ok((kind.ok_or_else(|| bad_value(0))?, target))
    })?
    .collect()
}

/// Replaces the links of a record. `links` is sorted and distinct. Returns the links that were there and are
/// not there any more, and those that are new.
pub(in crate::replica) fn set(conn: &Connection, source: i64, links: &[Link]) -> Sql<Vec<Link>> {
    let before = of(conn, source)?;
    let mut changed = Vec::new();
    for gone in before.iter().filter(|known| !links.contains(known)) {
        conn.prepare_cached(
            "DELETE FROM record_link WHERE target = ?1 AND source = ?2 AND how = ?3",
        )?
        .execute((gone.1.as_bytes(), source, gone.0.code()))?;
        changed.push(*gone);
    }
    for fresh in links.iter().filter(|fresh| !before.contains(fresh)) {
        conn.prepare_cached("INSERT INTO record_link (target, source, how) VALUES (?1, ?2, ?3)")?
            .execute((fresh.1.as_bytes(), source, fresh.0.code()))?;
        changed.push(*fresh);
    }
    Ok(changed)
}

/// All records that point at one, in the order of their ids.
pub(in crate::replica) fn sources(
    conn: &Connection,
    target: RecordId,
    how: LinkKind,
) -> Sql<Vec<RecordId>> {
    let order = "record.id";
    ordered(conn, target, how, order, i64::MAX)
}

/// The records that point at one, for its page: those of this person first, then the newest. So a flood of
/// records hides none of the person's own.
pub(in crate::replica) fn shown_sources(
    conn: &Connection,
    target: RecordId,
    how: LinkKind,
    rows_max: usize,
) -> Sql<Vec<RecordId>> {
    let order = "record.mine DESC, record.created_ms DESC, record.id";
    let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
    ordered(conn, target, how, order, rows_max)
}

fn ordered(
    conn: &Connection,
    target: RecordId,
    how: LinkKind,
    order: &str,
    rows_max: i64,
) -> Sql<Vec<RecordId>> {
    conn.prepare_cached(&format!(
        "SELECT record.id FROM record_link AS l CROSS JOIN record ON record.no = l.source
         WHERE l.target = ?1 AND l.how = ?2 ORDER BY {order} LIMIT ?3"
    ))?
    .query_map((target.as_bytes(), how.code(), rows_max), |row| {
        Ok(RecordId(fixed(row, 0)?))
    })?
    .collect()
}

/// The first record of a kind that this person made for another record. Records of other people, however many,
/// do not hide it.
pub(in crate::replica) fn own_source(
    conn: &Connection,
    target: RecordId,
    kind: u8,
) -> Sql<Option<RecordId>> {
    conn.prepare_cached(
        "SELECT record.id FROM record_link AS l CROSS JOIN record ON record.no = l.source
         WHERE l.target = ?1 AND l.how = 1 AND record.mine AND record.kind = ?2
         ORDER BY record.id LIMIT 1",
    )?
    .query_row((target.as_bytes(), kind), |row| {
        Ok(RecordId(fixed(row, 0)?))
    })
    .optional()
}

/// The record that one was merged into.
pub(in crate::replica) fn merged_into(conn: &Connection, id: RecordId) -> Sql<Option<RecordId>> {
    conn.prepare_cached(
        "SELECT l.target FROM record CROSS JOIN record_link AS l ON l.source = record.no
         WHERE record.id = ?1 AND l.how = 3",
    )?
    .query_row([id.as_bytes()], |row| Ok(RecordId(fixed(row, 0)?)))
    .optional()
}
