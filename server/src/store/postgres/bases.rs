//! Tables `base_packs` and `base_proofs`, and the envelopes that only these packs list.

use onegrid_core::id::{Hash, RecordId};

use super::convert::{Columns as _, cbor, status_code, values};
use super::db::Db;
use crate::store::{BasePack, PackedEnvelope, StoreResult};

pub(super) fn put(
    db: &Db,
    record: RecordId,
    base: &BasePack,
    in_place_of: &[Hash],
) -> StoreResult<()> {
    let old = in_place_of.iter().map(|hash| Some(hash.0.to_vec()));
    db.send(
        "DELETE FROM base_packs WHERE hash = ANY($1::bytea[])",
        values![old.collect::<Vec<_>>()],
    )?;
    let proof = cbor(&base.proof);
    let hash = Hash::of(&[&proof]);
    db.send(
        "INSERT INTO base_proofs (hash, proof) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        values![hash.0, proof],
    )?;
    db.send(
        "INSERT INTO base_packs (hash, record_id, pack, proof) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        values![base.hash.0, record.0, &base.pack, hash.0],
    )
}

pub(super) fn of_record(db: &Db, record: RecordId) -> StoreResult<Vec<BasePack>> {
    db.all(
        "SELECT b.hash, b.pack, p.proof FROM base_packs b JOIN base_proofs p ON p.hash = b.proof
         WHERE b.record_id = $1 ORDER BY b.hash",
        values![record.0],
    )?
    .iter()
    .map(|row| {
        Ok(BasePack {
            hash: row.array(0).map(Hash)?,
            pack: row.bytes(1)?,
            proof: row.cbor(2)?,
        })
    })
    .collect()
}

pub(super) fn put_packed(db: &Db, envelope: &PackedEnvelope) -> StoreResult<bool> {
    db.send(
        "INSERT INTO certificates (no, hash, device)
         SELECT coalesce(max(no), 0) + 1, $1::bytea, $2::bytea FROM certificates
         ON CONFLICT (hash) DO NOTHING",
        values![envelope.certificate.0, envelope.author.0],
    )?;
    let rows = db.change(
        "INSERT INTO envelopes (no, id, record_id, author, certificate_no, status, verdict)
         SELECT (SELECT coalesce(max(no), 0) + 1 FROM envelopes), $1::bytea, $2::bytea, $3::bytea,
             no, $4::bigint, $5::bytea FROM certificates WHERE hash = $6
         ON CONFLICT (id) DO NOTHING",
        values![
            envelope.id.0,
            envelope.record.0,
            envelope.author.0,
            status_code(&envelope.verdict),
            cbor(&envelope.verdict),
            envelope.certificate.0,
        ],
    )?;
    Ok(rows == 1)
}
