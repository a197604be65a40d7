//! The frame that changes and saved documents share: magic bytes, checksum, kind, length, and the parts that
//! both begin with.

use super::actor::ActorId;
use super::error::{GateError, Limit};
use super::reader::Reader;
use crate::id::Hash;

pub(super) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
pub(super) const CHUNK_DOCUMENT: u8 = 0;
pub(super) const CHUNK_CHANGE: u8 = 1;
pub(super) const CHUNK_COMPRESSED: u8 = 2;
/// The bit of a column's specification that says that its data is deflated.
pub(super) const COLUMN_DEFLATED: u64 = 0b1000;

/// A chunk whose kind, length and checksum are right.
pub(super) struct Chunk<'a> {
    pub(super) data: &'a [u8],
    pub(super) hash: Hash,
}

/// Opens a chunk: magic bytes, checksum, type, length, nothing before or after it.
pub(super) fn open_chunk(raw: &[u8], kind: u8, bytes_max: usize) -> Result<Chunk<'_>, GateError> {
    if raw.len() > bytes_max {
        return Err(GateError::TooLarge(Limit::Bytes));
    }
    let mut reader = Reader::new(raw);
    if reader.array::<4>()? != MAGIC {
        return Err(GateError::NotAChange);
    }
    let checksum: [u8; 4] = reader.array()?;
    let found = reader.byte()?;
    if found == CHUNK_COMPRESSED {
        return Err(GateError::Compressed);
    }
    if found != kind {
        return Err(GateError::NotAChange);
    }
    let len = reader.unsigned()?;
    let data = reader.take(len)?;
    if !reader.is_empty() {
        return Err(GateError::Malformed("bytes after the end"));
    }
    // The hash covers type, length and data, so exactly the bytes after magic and checksum.
    let hash = Hash::of(&[&raw[MAGIC.len() + checksum.len()..]]);
    if hash.0[..4] != checksum {
        return Err(GateError::Checksum);
    }
    Ok(Chunk { data, hash })
}

pub(super) fn read_actor(reader: &mut Reader<'_>) -> Result<ActorId, GateError> {
    if reader.unsigned()? != ActorId::LEN as u64 {
        return Err(GateError::Malformed("an actor id has 16 bytes"));
    }
    Ok(ActorId(reader.array()?))
}

pub(super) fn bounded(count: u64, max: usize, limit: Limit) -> Result<usize, GateError> {
    match usize::try_from(count) {
        Ok(count) if count <= max => Ok(count),
        _ => Err(GateError::TooLarge(limit)),
    }
}

/// Reads a table of columns: specification and length of each, in ascending order, none deflated.
pub(super) fn read_table(
    reader: &mut Reader<'_>,
    columns_max: usize,
) -> Result<Vec<(u64, u64)>, GateError> {
    let count = usize::try_from(reader.unsigned()?).unwrap_or(usize::MAX);
    if count > columns_max {
        return Err(GateError::Malformed("too many columns"));
    }
    let mut table: Vec<(u64, u64)> = Vec::with_capacity(count);
    for _ in 0..count {
        let spec = reader.unsigned()?;
        let len = reader.unsigned()?;
        if spec & COLUMN_DEFLATED != 0 {
            return Err(GateError::Compressed);
        }
        if len == 0 || table.last().is_some_and(|(last, _)| *last >= spec) {
            return Err(GateError::Malformed("columns are empty or not in order"));
        }
        table.push((spec, len));
    }
    Ok(table)
}
