//! `own_void`: own envelopes that became void while this phone was behind a restored server, until their words are
//! written again or told.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{Sql, fixed};
use crate::id::{EnvelopeId, RecordId};

pub(in crate::replica) fn put(conn: &Connection, record: RecordId, id: EnvelopeId) -> Sql<()> {
    conn.prepare_cached("INSERT INTO own_void (id, record) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute((id.as_bytes(), record.as_bytes()))
        .map(drop)
}

pub(in crate::replica) fn has_record(conn: &Connection, record: RecordId) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM own_void WHERE record = ?1")?
        .exists([record.as_bytes()])
}

/// Takes all of them out, by record.
pub(in crate::replica) fn take_all(
    conn: &Connection,
) -> Sql<BTreeMap<RecordId, BTreeSet<EnvelopeId>>> {
    let mut all: BTreeMap<RecordId, BTreeSet<EnvelopeId>> = BTreeMap::new();
    let mut select = conn.prepare_cached("SELECT record, id FROM own_void")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (record, id) = (RecordId(fixed(row, 0)?), EnvelopeId(fixed(row, 1)?));
        all.entry(record).or_default().insert(id);
    }
    conn.prepare_cached("DELETE FROM own_void")?.execute([])?;
    Ok(all)
}
