//! `pack`, `pack_entry` and `pack_proof`: compacted pasts of records, the envelopes that they cover, and
//! the signature of the batch of each. A record has one pack. It has several where different pasts meet and
//! each holds envelopes that the others lack, as after a restore of the server.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sql, cbor, fixed, to_cbor};
use crate::id::{EnvelopeId, RecordId};
use crate::wire::pack::{Pack, PackProof};

/// Stores the proof of a batch once and returns its number.
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
pub(in crate::replica) struct PackRow {
    pub(in crate::replica) no: i64,
    pub(in crate::replica) bytes: Vec<u8>,
    /// Number of the proof of its batch.
    pub(in crate::replica) proof: i64,
}

/// Stores a record's pack, with the ids of the envelopes that it covers. It replaces packs that add nothing
/// to it.
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
        "INSERT INTO pack_entry (id, pack) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?;
    for id in ids {
        insert.execute((id.as_bytes(), no))?;
    }
    Ok(())
}

/// Returns the packs of a record, in the order of arrival.
pub(in crate::replica) fn of_record(conn: &Connection, record: RecordId) -> Sql<Vec<PackRow>> {
    conn.prepare_cached("SELECT no, bytes, proof FROM pack WHERE record = ?1 ORDER BY no")?
        .query_map([record.as_bytes()], stored)?
        .collect()
}

/// Bytes of the packs of a record.
pub(in crate::replica) fn size(conn: &Connection, record: RecordId) -> Sql<usize> {
    conn.prepare_cached("SELECT coalesce(sum(length(bytes)), 0) FROM pack WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| row.get::<_, i64>(0))
        .map(|size| usize::try_from(size).unwrap_or(0))
}

fn stored(row: &Row<'_>) -> Sql<PackRow> {
    Ok(PackRow {
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

/// Deletes proofs of batches that have no pack left.
pub(in crate::replica) fn prune_proofs(conn: &Connection) -> Sql<usize> {
    conn.prepare_cached(
        "DELETE FROM pack_proof WHERE NOT EXISTS (SELECT 1 FROM pack WHERE pack.proof = pack_proof.no)",
    )?
    .execute([])
}

/// The record whose pack covers an envelope.
pub(in crate::replica) fn record_of(conn: &Connection, id: EnvelopeId) -> Sql<Option<RecordId>> {
    conn.prepare_cached(
        "SELECT pack.record FROM pack_entry JOIN pack ON pack.no = pack_entry.pack
         WHERE pack_entry.id = ?1",
    )?
    .query_row([id.as_bytes()], |row| Ok(RecordId(fixed(row, 0)?)))
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

/// Makes the index of envelopes again, from the packs. An unreadable pack is dropped, because the server
/// has it.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::replica::migrate;

    /// An attacker who tries many envelopes can make two ids that begin alike.
    #[test]
    fn envelopes_with_colliding_ids_keep_their_records() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::run(&mut conn).unwrap();
        let id = |n: u8| {
            let mut bytes = [7; 16];
            bytes[15] = n;
            EnvelopeId(bytes)
        };
        conn.execute(
            "INSERT INTO pack_proof (hash, bytes) VALUES (x'01', x'02')",
            [],
        )
        .unwrap();
        let record = |n| RecordId([n; 16]);
        for n in [1, 2] {
            put(&conn, record(n), (&[n], 1), [id(n)].into_iter(), &[]).unwrap();
        }
        for n in [1, 2] {
            assert_eq!(record_of(&conn, id(n)).unwrap(), Some(record(n)));
        }
        assert_eq!(record_of(&conn, id(3)).unwrap(), None);
    }
}
