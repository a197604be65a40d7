//! The spelling of packs: columns over all packs of a batch, or over one pack alone.
//!
//! The hashed, signed and stored bytes of a pack are the columns of that pack alone, so each pack
//! can be proven, passed on and batched anew. On the wire the packs of a batch share their columns;
//! the reader takes them apart and writes each one alone again. A pack that would change on the way
//! back travels as it is. Layout: docs/protocol.md, “Packs”.

use std::collections::HashMap;

use minicbor::{Decode, Encode};

use super::columns::{Column, Columns};
use super::frame::Allowance;
use super::intern::named;
use super::pack::{Pack, PackBatch, PackError, PackProof};
use super::pack_reader::PackReader;
use super::pack_writer::PackWriter;
use crate::id::{DeviceId, Hash};
use crate::limits::{PACK_BYTES_MAX, PACK_GROWTH_MAX, PACKS_MAX};
use crate::trust::certificate::RawCertificate;

const VERSION: u8 = 1;

// Columns of a batch.
const PROOF: usize = 0;
const HASHES: usize = 1;
const FORMS: usize = 2;
const RAW: usize = 3;
const PACKS: usize = 4;
const COLUMNS: usize = 5;

const TRANSCODED: u8 = 0;
const AS_IT_IS: u8 = 1;

impl Pack {
    /// The bytes that are hashed, stored and signed. One pack has one spelling.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackError> {
        encode_one(self)
    }

    /// Reads a pack; it is checked for form, not for truth.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PackError> {
        decode_one(bytes)
    }
}

impl PackBatch {
    /// The bytes that travel beside these certificates, without the facts that the certificates
    /// state.
    pub(super) fn encode_with(&self, certificates: &[RawCertificate]) -> Vec<u8> {
        encode_batch(self, certificates)
    }

    /// Reads what travelled beside these certificates.
    pub(super) fn decode_with(
        bytes: &[u8],
        certificates: &[RawCertificate],
        allowance: &mut impl Allowance,
    ) -> Result<Self, PackError> {
        decode_batch(bytes, certificates, allowance)
    }
}

impl<C> Encode<C> for PackBatch {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.encode_with(&[]))?.ok()
    }
}

impl<'b, C: Allowance> Decode<'b, C> for PackBatch {
    fn decode(d: &mut minicbor::Decoder<'b>, c: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        Self::decode_with(d.bytes()?, &[], c)
            .map_err(|_| minicbor::decode::Error::message("damaged packs").at(at))
    }
}

/// The bytes of one pack.
fn encode_one(pack: &Pack) -> Result<Vec<u8>, PackError> {
    let mut writer = PackWriter::new(HashMap::new());
    writer.pack(pack)?;
    let mut bytes = vec![VERSION];
    writer.finish(&mut bytes);
    if bytes.len() > PACK_BYTES_MAX {
        Err(PackError::Malformed)
    } else {
        Ok(bytes)
    }
}

/// Reads the bytes of one pack.
fn decode_one(bytes: &[u8]) -> Result<Pack, PackError> {
    let (version, rest) = bytes.split_first().ok_or(PackError::Malformed)?;
    if *version != VERSION || bytes.len() > PACK_BYTES_MAX {
        return Err(PackError::Malformed);
    }
    let mut reader = PackReader::new(rest, &[])?;
    let pack = reader.pack()?;
    reader.end()?;
    Ok(pack)
}

/// Packs and proof as they travel beside these certificates.
fn encode_batch(batch: &PackBatch, certificates: &[RawCertificate]) -> Vec<u8> {
    let bytes = encode_forms(batch, certificates, true);
    let alone: usize = batch.packs.iter().map(Vec::len).sum();
    if alone > grown_max(bytes.len()) {
        encode_forms(batch, certificates, false)
    } else {
        bytes
    }
}

fn encode_forms(batch: &PackBatch, certificates: &[RawCertificate], transcode: bool) -> Vec<u8> {
    let mut out = Columns::<COLUMNS>::new();
    let PackProof {
        signer,
        generation,
        time_ms,
        hashes,
        signature,
    } = &batch.proof;
    out.raw(PROOF, &signer.0);
    out.raw(PROOF, signature);
    out.uint(PROOF, u64::from(*generation));
    out.delta(PROOF, *time_ms, 0);
    let own: HashMap<Hash, usize> = batch
        .packs
        .iter()
        .enumerate()
        .rev()
        .map(|(i, pack)| (Hash::of(&[pack]), i))
        .collect();
    out.len(HASHES, hashes.len());
    for (index, hash) in hashes.iter().enumerate() {
        // 0: the pack at the same place. So a whole batch names no hash at all.
        match own.get(hash) {
            Some(at) if *at == index => out.uint(HASHES, 0),
            Some(at) => out.len(HASHES, 2 + at),
            None => {
                out.uint(HASHES, 1);
                out.raw(HASHES, &hash.0);
            }
        }
    }
    let mut by_hash = HashMap::new();
    for (index, (hash, device)) in named(certificates).into_iter().enumerate() {
        by_hash.entry(hash).or_insert((index, device));
    }
    let mut writer = PackWriter::new(by_hash);
    for bytes in &batch.packs {
        let pack = Pack::from_bytes(bytes)
            .ok()
            .filter(|pack| transcode && pack.to_bytes().is_ok_and(|again| again == *bytes));
        if let Some(Ok(())) = pack.map(|pack| writer.pack(&pack)) {
            out.byte(FORMS, TRANSCODED);
        } else {
            out.byte(FORMS, AS_IT_IS);
            out.len(RAW, bytes.len());
            out.raw(RAW, bytes);
        }
    }
    let mut columns = Vec::new();
    writer.finish(&mut columns);
    out.raw(PACKS, &columns);
    let mut bytes = vec![VERSION];
    out.finish(&mut bytes);
    bytes
}

/// Reads what [`encode_batch`] wrote.
fn decode_batch(
    bytes: &[u8],
    certificates: &[RawCertificate],
    allowance: &mut impl Allowance,
) -> Result<PackBatch, PackError> {
    let (version, rest) = bytes.split_first().ok_or(PackError::Malformed)?;
    if *version != VERSION {
        return Err(PackError::Malformed);
    }
    let [mut proof, mut hash_column, mut forms, mut raw, columns] = Column::split::<COLUMNS>(rest)?;
    if forms.left() > PACKS_MAX {
        return Err(PackError::Malformed);
    }
    let named: Vec<(Hash, Option<DeviceId>)> = named(certificates);
    let mut reader = PackReader::new(columns.rest(), &named)?;
    let mut packs = Vec::new();
    let mut grown = 0_usize;
    while forms.left() > 0 {
        let pack = match forms.byte()? {
            TRANSCODED => reader.pack()?.to_bytes()?,
            AS_IT_IS => {
                let len = raw.len()?;
                raw.raw(len)?.to_vec()
            }
            _ => return Err(PackError::Malformed),
        };
        // A part that packs share is written again into each pack, so the limit keeps it from
        // becoming a lever.
        grown = grown.saturating_add(pack.len());
        if grown > grown_max(bytes.len()) || !allowance.take(pack.len()) {
            return Err(PackError::Malformed);
        }
        packs.push(pack);
    }
    reader.end()?;
    let signer = DeviceId(proof.array()?);
    let signature = proof.array()?;
    let (generation, time_ms) = (proof.number()?, proof.delta(0)?);
    let hashes = hashes(&mut hash_column, &packs)?;
    for column in [proof, hash_column, raw] {
        column.end()?;
    }
    Ok(PackBatch {
        proof: PackProof {
            signer,
            generation,
            time_ms,
            hashes,
            signature,
        },
        packs,
    })
}

fn hashes(column: &mut Column<'_>, packs: &[Vec<u8>]) -> Result<Vec<Hash>, PackError> {
    let own: Vec<Hash> = packs.iter().map(|pack| Hash::of(&[pack])).collect();
    let mut hashes = Vec::new();
    for index in 0..column.count(PACKS_MAX)? {
        hashes.push(match column.len()? {
            0 => *own.get(index).ok_or(PackError::Malformed)?,
            1 => Hash(column.array()?),
            at => *own.get(at - 2).ok_or(PackError::Malformed)?,
        });
    }
    Ok(hashes)
}

/// The bytes that the packs of a batch may have alone.
fn grown_max(batch: usize) -> usize {
    batch.saturating_mul(PACK_GROWTH_MAX)
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
