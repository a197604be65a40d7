//! What two phones say to each other once their channel is open, and how it stands in a byte pipe.
//!
//! In the pipe: four bytes of length (big-endian), then a handshake message, or 16 bytes of code and a frame.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::id::{EnvelopeId, RecordId};
use crate::limits::PEER_MESSAGE_BYTES_MAX;
use crate::wire::message::{Bundle, GiveBack};

/// A record with the ids of all envelopes that the speaker has of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct RecordIds {
    #[n(0)]
    pub(super) record: RecordId,
    #[n(1)]
    pub(super) ids: Vec<EnvelopeId>,
}

/// One message. The caller asks, the listener answers, in turns.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub(super) enum PeerMessage {
    /// Both: signed revocations, the newest first.
    #[n(0)]
    Revocations(#[n(0)] Vec<ByteVec>),
    /// Both: a message of set reconciliation over the shared records.
    #[n(1)]
    Reconcile(#[n(0)] ByteVec),
    /// Caller: what it has of some records.
    #[n(2)]
    Compare(#[n(0)] Vec<RecordIds>),
    /// Listener: what the caller lacks of those records, and what itself lacks.
    #[n(3)]
    Found {
        /// Verdicts and packs.
        #[n(0)]
        give_back: GiveBack,
        /// Envelopes.
        #[n(1)]
        bundle: Bundle,
        /// What the listener lacks.
        #[n(2)]
        lacks: Vec<EnvelopeId>,
        /// Whether the caller lacks more than what fitted.
        #[n(3)]
        more: bool,
    },
    /// Caller: what the listener lacked.
    #[n(4)]
    Give {
        /// Verdicts and packs.
        #[n(0)]
        give_back: GiveBack,
        /// Envelopes.
        #[n(1)]
        bundle: Bundle,
    },
    /// Listener: taken.
    #[n(5)]
    Taken,
    /// Both: nothing more.
    #[n(6)]
    Done,
}

/// Takes messages out of a stream of bytes, however it is cut.
#[derive(Debug, Default)]
pub(super) struct Inbox(Vec<u8>);

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole message; `Err` when one is announced that is too large.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, ()> {
        let Some(len) = self.0.first_chunk::<4>() else {
            return Ok(None);
        };
        let len = u32::from_be_bytes(*len) as usize;
        if len > PEER_MESSAGE_BYTES_MAX {
            return Err(());
        }
        if self.0.len() < 4 + len {
            return Ok(None);
        }
        let rest = self.0.split_off(4 + len);
        let mut message = std::mem::replace(&mut self.0, rest);
        message.drain(..4);
        Ok(Some(message))
    }
}

/// Writes a message into a stream.
pub(super) fn write_to(outbox: &mut Vec<u8>, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let len = u32::try_from(len).expect("messages are made within their limit of a few megabytes");
    outbox.extend_from_slice(&len.to_be_bytes());
    for part in parts {
        outbox.extend_from_slice(part);
    }
}
