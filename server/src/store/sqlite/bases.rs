//! Tables `base_packs` and `base_proofs`, and the envelopes that only these packs list.

use onegrid_core::id::{Hash, RecordId};
use rusqlite::{Connection, Result, params};

use super::convert::{cbor, from_cbor, status_code};
use crate::store::{BasePack, PackedEnvelope};

pub(super) fn put(
    db: &Connection,
    record: RecordId,
    base: &BasePack,
    in_place_of: &[Hash],
) -> Result<()> {
    for old in in_place_of {
        db.prepare_cached("DELETE FROM base_packs WHERE hash = ?")?
            .execute([old.0])?;
    }
    let proof = cbor(&base.proof);
    let hash = Hash::of(&[&proof]);
    db.prepare_cached("INSERT OR IGNORE INTO base_proofs (hash, proof) VALUES (?, ?)")?
        .execute(params![hash.0, proof])?;
    db.prepare_cached(
        "INSERT OR IGNORE INTO base_packs (hash, record_id, pack, proof) VALUES (?, ?, ?, ?)",
    )?
    .execute(params![base.hash.0, record.0, base.pack, hash.0])
    .map(drop)
}

pub(super) fn of_record(db: &Connection, record: RecordId) -> Result<Vec<BasePack>> {
    db.prepare_cached(
        "SELECT b.hash, b.pack, p.proof FROM base_packs b JOIN base_proofs p ON p.hash = b.proof
         WHERE b.record_id = ? ORDER BY b.hash",
    )?
    .query_map([record.0], |row| {
        Ok(BasePack {
            hash: row.get(0).map(Hash)?,
            pack: row.get(1)?,
            proof: from_cbor(row, 2)?,
        })
    })?
    .collect()
}

pub(super) fn put_packed(db: &Connection, envelope: &PackedEnvelope) -> Result<bool> {
    db.prepare_cached("INSERT OR IGNORE INTO certificates (hash, device) VALUES (?, ?)")?
        .execute(params![envelope.certificate.0, envelope.author.0])?;
    db.prepare_cached(
        "INSERT OR IGNORE INTO envelopes
             (id, record_id, author, certificate_no, status, verdict)
         SELECT ?, ?, ?, no, ?, ? FROM certificates WHERE hash = ?",
    )?
    .execute(params![
        envelope.id.0,
        envelope.record.0,
        envelope.author.0,
        status_code(&envelope.verdict),
        cbor(&envelope.verdict),
        envelope.certificate.0,
    ])
    .map(|rows| rows == 1)
}
