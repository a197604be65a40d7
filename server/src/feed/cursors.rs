//! The position of a reader in each stream, and the head of each stream.

use std::collections::BTreeSet;

use onegrid_core::domain::StreamId;
use onegrid_core::wire::cursor::{Cursor, CursorAt};
use onegrid_core::wire::digest::Digest;

use crate::store::{Head, LoadKey, Reader, StoreResult};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) stream: StreamId,
    pub(crate) head: Head,
}

/// Returns the heads of the streams. Each head costs one look-up, whatever the stream holds.
pub(crate) fn standings(
    tx: &dyn Reader,
    streams: &BTreeSet<StreamId>,
) -> StoreResult<Vec<Standing>> {
    streams
        .iter()
        .map(|stream| {
            Ok(Standing {
                stream: *stream,
                head: tx.head(*stream)?,
            })
        })
        .collect()
}

/// Returns the cursors of a reader that has read everything.
pub(crate) fn at_heads(standings: &[Standing], generation: u32) -> Vec<Cursor> {
    let cursor = |standing: &Standing| Cursor {
        stream: standing.stream,
        at: at_head(standing.head, generation),
    };
    standings.iter().map(cursor).collect()
}

pub(crate) fn at_head(head: Head, generation: u32) -> CursorAt {
    CursorAt::At {
        generation,
        position: head.position,
        digest: head.digest,
    }
}

/// Returns the sum of the digests of all streams.
pub(crate) fn combined(standings: &[Standing]) -> Digest {
    standings.iter().map(|standing| standing.head.digest).sum()
}

/// Returns the rank of a stream in the order of reading: first the streams that others build on,
/// then those that concern the reader.
pub(crate) fn urgency(stream: &StreamId) -> u8 {
    match stream {
        StreamId::DirectoryBase => 0,
        StreamId::Member(_) => 1,
        StreamId::Unit(_) => 2,
        StreamId::AreaStaff(_) | StreamId::Command(_) => 3,
        StreamId::Zone(_) => 4,
        StreamId::Bulletin(_) => 5,
        StreamId::DirectoryVillage(_) => 6,
    }
}

/// Whether a stream holds records; the other streams hold entries that replace each other.
pub(crate) fn holds_records(stream: &StreamId) -> bool {
    !matches!(
        stream,
        StreamId::DirectoryBase | StreamId::DirectoryVillage(_) | StreamId::Bulletin(_)
    )
}

/// Encodes the key at which a load continues. The reader carries this key.
pub(crate) fn load_key_bytes(key: &LoadKey) -> Vec<u8> {
    let mut bytes = vec![u8::from(key.rest)];
    bytes.extend_from_slice(&key.created_ms.to_be_bytes());
    bytes.extend_from_slice(&key.record.0);
    bytes
}

/// Decodes the key of a load; `None` for any other bytes. The load then begins again, which costs
/// bytes and loses nothing.
pub(crate) fn load_key(bytes: &[u8]) -> Option<LoadKey> {
    let (rest, bytes) = bytes.split_first()?;
    let (created, record) = bytes.split_first_chunk::<8>()?;
    Some(LoadKey {
        rest: *rest != 0,
        created_ms: i64::from_be_bytes(*created),
        record: onegrid_core::id::RecordId::from_slice(record)?,
    })
}
