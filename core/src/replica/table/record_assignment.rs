//! `record_assignment`: parties that still have to take a step on a record, with the deadline.

use rusqlite::Connection;

use super::{Sql, fixed};
use crate::domain::case::Party;
use crate::id::EnvelopeId;

/// An assignment that still allows a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::replica) struct Open {
    pub(in crate::replica) party: [u8; 17],
    pub(in crate::replica) id: EnvelopeId,
    /// `i64::MAX` where there is no deadline.
    pub(in crate::replica) due_ms: i64,
}

/// A party as the table names it.
pub(in crate::replica) fn party_key(party: &Party) -> [u8; 17] {
    let (kind, id) = match party {
        Party::Unit(unit) => (1, unit.0),
        Party::Member(member) => (2, member.0),
    };
    let mut key = [kind; 17];
    key[1..].copy_from_slice(&id);
    key
}

pub(in crate::replica) fn of(conn: &Connection, record: i64) -> Sql<Vec<Open>> {
    conn.prepare_cached(
        "SELECT party, id, due_ms FROM record_assignment WHERE record = ?1 ORDER BY party, id",
    )?
    .query_map([record], |row| {
        Ok(Open {
            party: fixed(row, 0)?,
            id: EnvelopeId(fixed(row, 1)?),
            due_ms: row.get(2)?,
        })
    })?
    .collect()
}

/// Replaces the open assignments of a record. `open` is sorted.
pub(in crate::replica) fn set(conn: &Connection, record: i64, open: &[Open]) -> Sql<()> {
    if of(conn, record)? == open {
        return Ok(());
    }
    conn.prepare_cached("DELETE FROM record_assignment WHERE record = ?1")?
        .execute([record])?;
    for one in open {
        conn.prepare_cached(
            "INSERT INTO record_assignment (party, record, id, due_ms) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((&one.party, record, one.id.as_bytes(), one.due_ms))?;
    }
    Ok(())
}
