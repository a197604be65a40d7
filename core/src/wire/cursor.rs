//! Cursors: how far a replica has read each stream.

use minicbor::{Decode, Encode};

use super::digest::Digest;
use crate::cbor::list::bytes;
use crate::domain::stream::StreamId;
use crate::id::Hash;
use crate::limits::CURSOR_AFTER_BYTES_MAX;

/// How far one stream has been read.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum CursorAt {
    /// The replica has read no part of the stream yet.
    #[n(0)]
    Fresh,
    /// Its member records are being loaded; the feed is read afterwards, from `position`.
    #[n(1)]
    Loading {
        /// Generation of the server.
        #[n(0)]
        generation: u32,
        /// Where the feed stood when loading began.
        #[n(1)]
        position: u64,
        /// The place where loading continues. Only the server reads it. At most
        /// [`CURSOR_AFTER_BYTES_MAX`] bytes.
        #[cbor(
            n(2),
            encode_with = "minicbor::bytes::encode",
            decode_with = "bytes::<CURSOR_AFTER_BYTES_MAX, _>"
        )]
        after: Vec<u8>,
    },
    /// Everything up to and with `position` has been read.
    #[n(2)]
    At {
        /// Generation of the server.
        #[n(0)]
        generation: u32,
        /// The last position read; 0 = before the first.
        #[n(1)]
        position: u64,
        /// Digest of the stream at that position.
        #[n(2)]
        digest: Digest,
    },
}

/// A stream and how far it has been read.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// The stream.
    #[n(0)]
    pub stream: StreamId,
    /// How far.
    #[n(1)]
    pub at: CursorAt,
}

/// One hash for a whole set of cursors, whatever their order: SHA-256 over the CBOR of the cursors, sorted by
/// the CBOR of their streams.
#[must_use]
pub fn cursor_set_hash(cursors: &[Cursor]) -> Hash {
    let mut lines: Vec<(Vec<u8>, Vec<u8>)> = cursors
        .iter()
        .map(|cursor| (cbor(&cursor.stream), cbor(cursor)))
        .collect();
    lines.sort_unstable();
    let parts: Vec<&[u8]> = lines.iter().map(|(_, line)| line.as_slice()).collect();
    Hash::of(&parts)
}

fn cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing CBOR to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{MemberId, UnitId};

    #[test]
    fn a_set_of_cursors_has_one_hash_in_any_order() {
        let at = |position| CursorAt::At {
            generation: 1,
            position,
            digest: Digest::EMPTY,
        };
        let unit = Cursor {
            stream: StreamId::Unit(UnitId([1; 16])),
            at: at(7),
        };
        let member = Cursor {
            stream: StreamId::Member(MemberId([2; 16])),
            at: CursorAt::Fresh,
        };
        let there = [unit.clone(), member.clone()];
        assert_eq!(
            cursor_set_hash(&there),
            cursor_set_hash(&[member.clone(), unit.clone()])
        );
        let moved = Cursor { at: at(8), ..unit };
        assert_ne!(cursor_set_hash(&there), cursor_set_hash(&[moved, member]));
    }
}
