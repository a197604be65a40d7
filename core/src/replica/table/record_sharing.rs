//! `record_sharing`: everything that a meeting asks about each record.

use rusqlite::Connection;

use super::{Sql, cbor_or_none, fixed, fixed_or_none, to_cbor};
use crate::domain::may::Readership;
use crate::id::{Hash, RecordId};

/// A record, as a meeting sees it.
#[derive(Debug, Clone)]
pub(in crate::replica) struct Sharing {
    pub(in crate::replica) record: RecordId,
    /// Clock of its Genesis, ms UTC.
    pub(in crate::replica) genesis_ms: i64,
    /// `None` where the record has no row.
    pub(in crate::replica) noted: Option<SharingRow>,
}

/// The row of a record.
#[derive(Debug, Clone)]
pub(in crate::replica) struct SharingRow {
    /// `None` while the state of the record is not known.
    pub(in crate::replica) readers: Option<Readership>,
    /// Hash over the ids of its envelopes ([`crate::wire::digest::held`]).
    pub(in crate::replica) held: Hash,
}

pub(in crate::replica) fn put(conn: &Connection, record: RecordId, noted: &SharingRow) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO record_sharing (record, readers, held) VALUES (?1, ?2, ?3)
         ON CONFLICT (record) DO UPDATE SET readers = excluded.readers, held = excluded.held",
    )?
    .execute((
        record.as_bytes(),
        noted.readers.as_ref().map(to_cbor),
        noted.held.as_bytes(),
    ))
    .map(drop)
}

const COLUMNS: &str = "SELECT r.id, r.genesis_ms, s.readers, s.held FROM record AS r
     LEFT JOIN record_sharing AS s ON s.record = r.id
     WHERE NOT EXISTS (SELECT 1 FROM withdrawn AS w WHERE w.record = r.id)";

/// Calls `each` for every record that is not withdrawn.
pub(in crate::replica) fn each<E: From<rusqlite::Error>>(
    conn: &Connection,
    mut each: impl FnMut(Sharing) -> Result<(), E>,
) -> Result<(), E> {
    let mut statement = conn.prepare_cached(COLUMNS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(read(row)?)?;
    }
    Ok(())
}

/// Returns the sharing of one record.
pub(in crate::replica) fn get(conn: &Connection, record: RecordId) -> Sql<Option<Sharing>> {
    let mut statement = conn.prepare_cached(&format!("{COLUMNS} AND r.id = ?1"))?;
    let mut rows = statement.query([record.as_bytes()])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &rusqlite::Row<'_>) -> Sql<Sharing> {
    let held = fixed_or_none(row, 3)?;
    let readers = cbor_or_none(row, 2)?;
    Ok(Sharing {
        record: RecordId(fixed(row, 0)?),
        genesis_ms: row.get(1)?,
        noted: held.map(|held| SharingRow {
            readers,
            held: Hash(held),
        }),
    })
}
