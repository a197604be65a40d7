//! `pack`, `pack_entry` and `pack_proof`: compacted pasts of records, which envelopes they stand for, and
//! the signature of the batch that each came in. A record stands on one pack; on several where pasts of it
//! meet that each tell what the other does not, as after a restore of the server.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sql, cbor, fixed, to_cbor};
use crate::id::{EnvelopeId, RecordId};
use crate::wire::pack::{Pack, PackProof};

/// Stores the proof of a batch once and gives its number.
pub(in crate::replica) fn put_proof(conn: &Connection, proof: &PackProof) -> Sql<i64> {
    let bytes = to_cbor(proof);
    let hash = crate::id::Hash::of(&[&bytes]);
    conn.prepare_cached(
        "INSERT INTO pack_proof (hash, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?
    .execute((hash.as_bytes(), bytes))?;
    conn.prepare_cached("SELECT no FROM pack_proof WHERE hash = ?1")?
        .query_row([hash.as_bytes()], |row| row.get(0))
}

/// A pack as stored.
#[derive(Debug, Clone)]
pub(in crate::replica) struct Stored {
    pub(in crate::replica) no: i64,
    pub(in crate::replica) bytes: Vec<u8>,
    /// Number of the proof of its batch.
    pub(in crate::replica) proof: i64,
}

/// Stores a record's pack in place of those that tell nothing more, with the ids of the envelopes that it
/// stands for.
pub(in crate::replica) fn put(
    conn: &Connection,
    record: RecordId,
    (bytes, proof): (&[u8], i64),
    ids: impl Iterator<Item = EnvelopeId>,
    in_place_of: &[i64],
) -> Sql<()> {
    for no in in_place_of {
        delete_one(conn, *no)?;
    }
    conn.prepare_cached("INSERT INTO pack (record, proof, bytes) VALUES (?1, ?2, ?3)")?
        .execute((record.as_bytes(), proof, bytes))?;
    index(conn, conn.last_insert_rowid(), ids)
}

fn index(conn: &Connection, no: i64, ids: impl Iterator<Item = EnvelopeId>) -> Sql<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO pack_entry (key, pack) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?;
    for id in ids {
        insert.execute((key(id), no))?;
    }
    Ok(())
}

/// The packs of a record, in the order in which they came.
pub(in crate::replica) fn of_record(conn: &Connection, record: RecordId) -> Sql<Vec<Stored>> {
    conn.prepare_cached("SELECT no, bytes, proof FROM pack WHERE record = ?1 ORDER BY no")?
        .query_map([record.as_bytes()], stored)?
        .collect()
}

fn stored(row: &Row<'_>) -> Sql<Stored> {
    Ok(Stored {
        no: row.get(0)?,
        bytes: row.get(1)?,
        proof: row.get(2)?,
    })
}

/// The proof of a number.
pub(in crate::replica) fn proof(conn: &Connection, no: i64) -> Sql<Option<PackProof>> {
    conn.prepare_cached("SELECT bytes FROM pack_proof WHERE no = ?1")?
        .query_row([no], |row| cbor(row, 0))
        .optional()
}

/// The record whose pack stands for an envelope.
pub(in crate::replica) fn record_of(conn: &Connection, id: EnvelopeId) -> Sql<Option<RecordId>> {
    conn.prepare_cached(
        "SELECT pack.record FROM pack_entry JOIN pack ON pack.no = pack_entry.pack
         WHERE pack_entry.key = ?1",
    )?
    .query_row([key(id)], |row| Ok(RecordId(fixed(row, 0)?)))
    .optional()
}

pub(in crate::replica) fn delete(conn: &Connection, record: RecordId) -> Sql<()> {
    let packs = of_record(conn, record)?;
    packs.iter().try_for_each(|pack| delete_one(conn, pack.no))
}

fn delete_one(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached("DELETE FROM pack_entry WHERE pack = ?1")?
        .execute([no])?;
    conn.prepare_cached("DELETE FROM pack WHERE no = ?1")?
        .execute([no])
        .map(drop)
}

/// Makes the index of envelopes again, from the packs. A pack that does not read back is dropped: the
/// server has it.
pub(in crate::replica) fn reindex(conn: &mut Connection) -> Sql<()> {
    let tx = conn.transaction()?;
    tx.execute("DELETE FROM pack_entry", [])?;
    for record in records(&tx)? {
        for stored in of_record(&tx, record)? {
            match Pack::from_bytes(&stored.bytes) {
                Ok(pack) => index(&tx, stored.no, pack.entries.iter().map(|entry| entry.id))?,
                Err(_) => delete_one(&tx, stored.no)?,
            }
        }
    }
    tx.commit()
}

/// Every record that has a pack.
pub(in crate::replica) fn records(conn: &Connection) -> Sql<Vec<RecordId>> {
    conn.prepare_cached("SELECT DISTINCT record FROM pack ORDER BY record")?
        .query_map([], |row| Ok(RecordId(fixed(row, 0)?)))?
        .collect()
}

fn key(id: EnvelopeId) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&id.0[..8]);
    i64::from_be_bytes(bytes)
}
