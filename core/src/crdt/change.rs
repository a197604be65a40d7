//! Parses one raw change alone: header, checksum and numbers. The module `operations` parses its operations.
//!
//! The format is the change chunk of automerge, in the one form that automerge writes. Any other form would
//! not survive being saved and loaded, so it is refused here, for the cost of reading it once.

use super::actor::ActorId;
use super::chunk::{CHUNK_CHANGE, bounded, open_chunk, read_actor};
use super::error::{GateError, Limit};
use super::operations::{Columns, Op, OpRef};
use super::reader::Reader;
use crate::id::Hash;
use crate::limits::{CHANGE_ACTORS_MAX, CHANGE_BYTES_MAX, CHANGE_DEPS_MAX, OP_COUNTER_MAX};

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

/// A change whose operations are still in their columns.
struct OpenChange<'a> {
    info: ChangeInfo,
    others: Vec<ActorId>,
    columns: Columns<'a>,
}

/// Reads a raw change and checks everything that needs no document.
pub(super) fn parse(raw: &[u8]) -> Result<ParsedChange<'_>, GateError> {
    let OpenChange {
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

fn open(raw: &[u8]) -> Result<OpenChange<'_>, GateError> {
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
    Ok(OpenChange {
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
