//! `pack`, `pack_entry` and `pack_proof`: compacted pasts of records, which envelopes they stand for, and
//! the signature of the batch that each came in.

use rusqlite::{Connection, OptionalExtension};

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

/// Stores a record's pack in place of an older one, with the ids of the envelopes that it stands for.
pub(in crate::replica) fn put(
    conn: &Connection,
    record: RecordId,
    proof: i64,
    bytes: &[u8],
    ids: impl Iterator<Item = EnvelopeId>,
) -> Sql<()> {
    delete(conn, record)?;
    conn.prepare_cached("INSERT INTO pack (record, proof, bytes) VALUES (?1, ?2, ?3)")?
        .execute((record.as_bytes(), proof, bytes))?;
    let no = conn.last_insert_rowid();
    let mut insert = conn.prepare_cached(
        "INSERT INTO pack_entry (key, pack) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?;
    for id in ids {
        insert.execute((key(id), no))?;
    }
    Ok(())
}

/// A record's pack.
pub(in crate::replica) fn get(conn: &Connection, record: RecordId) -> Sql<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT bytes FROM pack WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| row.get(0))
        .optional()
}

/// A record's pack with the proof of its batch.
pub(in crate::replica) fn with_proof(
    conn: &Connection,
    record: RecordId,
) -> Sql<Option<(Vec<u8>, i64)>> {
    conn.prepare_cached("SELECT bytes, proof FROM pack WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
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
    conn.prepare_cached(
        "DELETE FROM pack_entry WHERE pack = (SELECT no FROM pack WHERE record = ?1)",
    )?
    .execute([record.as_bytes()])?;
    conn.prepare_cached("DELETE FROM pack WHERE record = ?1")?
        .execute([record.as_bytes()])
        .map(drop)
}

/// Makes the index of envelopes again, from the packs. A pack that does not read back is dropped: the
/// server has it.
pub(in crate::replica) fn reindex(conn: &mut Connection) -> Sql<()> {
    let tx = conn.transaction()?;
    tx.execute("DELETE FROM pack_entry", [])?;
    for record in records(&tx)? {
        let Some((bytes, proof)) = with_proof(&tx, record)? else {
            continue;
        };
        match Pack::from_bytes(&bytes) {
            Ok(pack) => put(
                &tx,
                record,
                proof,
                &bytes,
                pack.entries.iter().map(|entry| entry.id),
            )?,
            Err(_) => delete(&tx, record)?,
        }
    }
    tx.commit()
}

/// Every record that has a pack.
pub(in crate::replica) fn records(conn: &Connection) -> Sql<Vec<RecordId>> {
    conn.prepare_cached("SELECT record FROM pack ORDER BY record")?
        .query_map([], |row| Ok(RecordId(fixed(row, 0)?)))?
        .collect()
}

fn key(id: EnvelopeId) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&id.0[..8]);
    i64::from_be_bytes(bytes)
}
