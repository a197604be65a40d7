//! Parses one raw change alone: header, checksum and numbers. The module `operations` parses its operations.
//!
//! The format is the change chunk of automerge, in the one form that automerge writes. Any other form would
//! not survive being saved and loaded, so it is refused here, for the cost of reading it once.

use super::actor::ActorId;
use super::error::{GateError, Limit};
use super::operations::{Columns, Op, OpRef};
use super::reader::Reader;
use crate::id::Hash;
use crate::limits::{CHANGE_ACTORS_MAX, CHANGE_BYTES_MAX, CHANGE_DEPS_MAX, OP_COUNTER_MAX};

pub(super) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
pub(super) const CHUNK_DOCUMENT: u8 = 0;
pub(super) const CHUNK_CHANGE: u8 = 1;
pub(super) const CHUNK_COMPRESSED: u8 = 2;
/// The bit of a column's specification that says that its data is deflated.
pub(super) const COLUMN_DEFLATED: u64 = 0b1000;

/// The header of a change. It is checked against the bytes, not against a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeInfo {
    /// The author's device and installation epoch.
    pub actor: ActorId,
    /// Number of the change among the changes of its actor, from 1.
    pub seq: u64,
    /// Counter of its first operation.
    pub start_op: u64,
    /// Counter of its last operation.
    pub max_op: u64,
    /// The changes that its author had seen (heads at that time), sorted.
    pub deps: Vec<Hash>,
    /// The hash that other changes name when they depend on this one.
    pub hash: Hash,
}

impl ChangeInfo {
    /// How many operations the change has.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.max_op - self.start_op + 1
    }
}

/// A change that is sound in itself.
#[derive(Debug, Clone)]
pub(super) struct ParsedChange<'a> {
    pub(super) info: ChangeInfo,
    pub(super) others: Vec<ActorId>,
    pub(super) ops: Vec<Op<'a>>,
    pub(super) preds: Vec<OpRef>,
}

/// Reads the header of a raw change and counts its operations. The cost depends on the real length of the
/// bytes, never on the length that they claim. The operations themselves are read when the change enters a
/// document.
///
/// # Errors A [`GateError`] of kind, length, checksum, header or count.
pub fn inspect(raw: &[u8]) -> Result<ChangeInfo, GateError> {
    open(raw).map(|opened| opened.info)
}

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

/// A change whose operations are still in their columns.
struct Opened<'a> {
    info: ChangeInfo,
    others: Vec<ActorId>,
    columns: Columns<'a>,
}

/// Reads a raw change and checks everything that needs no document.
pub(super) fn parse(raw: &[u8]) -> Result<ParsedChange<'_>, GateError> {
    let Opened {
        info,
        others,
        columns,
    } = open(raw)?;
    let (ops, preds) = columns.operations(others.len() + 1)?;
    Ok(ParsedChange {
        info,
        others,
        ops,
        preds,
    })
}

fn open(raw: &[u8]) -> Result<Opened<'_>, GateError> {
    let chunk = open_chunk(raw, CHUNK_CHANGE, CHANGE_BYTES_MAX)?;
    let mut reader = Reader::new(chunk.data);
    let deps = read_deps(&mut reader)?;
    let actor = read_actor(&mut reader)?;
    let seq = reader.unsigned()?;
    let start_op = reader.unsigned()?;
    let time = reader.signed()?;
    let message_len = reader.unsigned()?;
    if time != 0 || message_len != 0 {
        return Err(GateError::Metadata);
    }
    let others = read_others(&mut reader, actor)?;
    let columns = Columns::read(&mut reader)?;
    if !reader.is_empty() {
        return Err(GateError::Metadata);
    }
    if seq == 0 || start_op == 0 {
        return Err(GateError::Malformed("numbers start at 1"));
    }
    let max_op = start_op.saturating_add(columns.count()? as u64 - 1);
    if max_op > OP_COUNTER_MAX || seq > OP_COUNTER_MAX {
        return Err(GateError::TooLarge(Limit::Counter));
    }
    let info = ChangeInfo {
        actor,
        seq,
        start_op,
        max_op,
        deps,
        hash: chunk.hash,
    };
    Ok(Opened {
        info,
        others,
        columns,
    })
}

fn read_deps(reader: &mut Reader<'_>) -> Result<Vec<Hash>, GateError> {
    let count = bounded(reader.unsigned()?, CHANGE_DEPS_MAX, Limit::Dependencies)?;
    let mut deps = Vec::with_capacity(count);
    for _ in 0..count {
        let hash = Hash(reader.array()?);
        if deps.last().is_some_and(|last| *last >= hash) {
            return Err(GateError::Malformed("dependencies are not in order"));
        }
        deps.push(hash);
    }
    Ok(deps)
}

pub(super) fn read_actor(reader: &mut Reader<'_>) -> Result<ActorId, GateError> {
    if reader.unsigned()? != ActorId::LEN as u64 {
        return Err(GateError::Malformed("an actor id has 16 bytes"));
    }
    Ok(ActorId(reader.array()?))
}

fn read_others(reader: &mut Reader<'_>, author: ActorId) -> Result<Vec<ActorId>, GateError> {
    let count = bounded(reader.unsigned()?, CHANGE_ACTORS_MAX, Limit::Actors)?;
    let mut others: Vec<ActorId> = Vec::with_capacity(count);
    for _ in 0..count {
        let actor = read_actor(reader)?;
        if actor == author || others.last().is_some_and(|last| *last >= actor) {
            return Err(GateError::Malformed("authors are not in order"));
        }
        others.push(actor);
    }
    Ok(others)
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
