//! The messages of two phones once their channel is open, and their framing in a byte pipe.
//!
//! The pipe carries four bytes of length (big-endian), then a message of the handshake or an encrypted frame.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::cbor::list::list;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::limits::{GIVE_BACK_DIRECTORY_MAX, PACK_ENTRIES_MAX, PEER_IDS_MAX, PEER_RECORDS_MAX};
use crate::wire::frame::Allowance;
use crate::wire::message::{Bundle, GiveBack};
use crate::wire::parcel::Parcel;

/// A record with the ids of all envelopes that the speaker has of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct RecordIds {
    #[n(0)]
    pub(super) record: RecordId,
    #[cbor(n(1), decode_with = "list::<PACK_ENTRIES_MAX, _, _>")]
    pub(super) ids: Vec<EnvelopeId>,
}

/// One message. The caller asks, the listener answers, in turns.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat, context_bound = "Allowance")]
pub(super) enum PeerMessage {
    /// Both: signed revocations, the newest first.
    #[n(0)]
    Revocations(#[cbor(n(0), decode_with = "list::<GIVE_BACK_DIRECTORY_MAX, _, _>")] Vec<ByteVec>),
    /// Both: a message of set reconciliation over the shared records.
    #[n(1)]
    Reconcile(#[n(0)] ByteVec),
    /// Caller: the ids that it has of some records.
    #[n(2)]
    Compare(#[cbor(n(0), decode_with = "list::<PEER_RECORDS_MAX, _, _>")] Vec<RecordIds>),
    /// Listener: the envelopes of those records that the caller lacks, and the ids that the listener lacks.
    #[n(3)]
    Found {
        /// Verdicts and packs.
        #[n(0)]
        give_back: GiveBack,
        /// Envelopes.
        #[n(1)]
        bundle: Bundle,
        /// Ids of the envelopes that the listener lacks.
        #[cbor(n(2), decode_with = "list::<PEER_IDS_MAX, _, _>")]
        lacks: Vec<EnvelopeId>,
        /// Whether the caller lacks more envelopes than fitted.
        #[n(3)]
        more: bool,
    },
    /// Caller: the envelopes that the listener lacked.
    #[n(4)]
    Give {
        /// Verdicts and packs.
        #[n(0)]
        give_back: GiveBack,
        /// Envelopes.
        #[n(1)]
        bundle: Bundle,
    },
    /// Listener: the envelopes are imported.
    #[n(5)]
    Taken,
    /// Both: nothing is left to send.
    #[n(6)]
    Done,
    /// Both, once: undelivered work that the other may not read, sealed for the server; the caller first.
    #[n(7)]
    Parcel(#[n(0)] Option<Parcel>),
    /// Both: a piece of a file from this byte on is wanted.
    #[n(16)]
    AskFile {
        /// The record that describes the file.
        #[n(0)]
        record: RecordId,
        /// The id of the file.
        #[n(1)]
        id: Hash,
        /// Bytes that are there already.
        #[n(2)]
        offset: u64,
    },
    /// Both: the next bytes of that file; none where the file is not here.
    #[n(17)]
    Piece(#[n(0)] ByteVec),
    /// Caller: it wants no more files, and the listener may ask. Listener: it wants no more files.
    #[n(18)]
    YourFiles,
}

/// Takes messages out of a stream of bytes, however it is cut.
#[derive(Debug, Default)]
pub(super) struct Inbox(Vec<u8>);

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole message; `Err` when one is announced that is larger than `bytes_max`.
    pub(super) fn next(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, ()> {
        let Some(len) = self.0.first_chunk::<4>() else {
            return Ok(None);
        };
        let len = u32::from_be_bytes(*len) as usize;
        if len > bytes_max {
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
pub(super) fn write_to(outbox: &mut Vec<u8>, message: &[u8]) {
    let len = u32::try_from(message.len());
    let len = len.expect("messages are made within their limit of a few megabytes");
    outbox.extend_from_slice(&len.to_be_bytes());
    outbox.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::wire::golden_tests::golden;

    #[test]
    fn bytes_of_meetings_never_change() {
        let [record, absent] = [1, 2].map(|n| RecordId([n; 16]));
        let ids = |n: u8| vec![EnvelopeId([n; 16]), EnvelopeId([n + 1; 16])];
        let messages = [
            PeerMessage::Revocations(vec![vec![0x81, 0x05].into()]),
            PeerMessage::Reconcile(vec![0x61, 0, 0, 0].into()),
            PeerMessage::Compare(vec![
                RecordIds {
                    record,
                    ids: ids(3),
                },
                RecordIds {
                    record: absent,
                    ids: vec![],
                },
            ]),
            PeerMessage::Found {
                give_back: GiveBack::default(),
                bundle: Bundle::default(),
                lacks: ids(3),
                more: true,
            },
            PeerMessage::Give {
                give_back: GiveBack::default(),
                bundle: Bundle::default(),
            },
            PeerMessage::Taken,
            PeerMessage::Done,
            PeerMessage::Parcel(Some(Parcel {
                tag: [5; 16],
                bytes: vec![6; 7],
            })),
            PeerMessage::Parcel(None),
            PeerMessage::AskFile {
                record,
                id: Hash([8; 32]),
                offset: 65_536,
            },
            PeerMessage::Piece(vec![0xff, 0xd8].into()),
            PeerMessage::Piece(vec![].into()),
            PeerMessage::YourFiles,
        ];
        let bytes = messages.map(|message| ByteVec::from(minicbor::to_vec(message).unwrap()));
        golden(
            "meeting_messages",
            &minicbor::to_vec(bytes.to_vec()).unwrap(),
        );
    }

    #[test]
    fn lists_beyond_their_limits_are_refused_unread() {
        let too_many = |kind: u8, max: usize| {
            let mut bytes = Vec::new();
            let mut e = minicbor::Encoder::new(&mut bytes);
            e.array(2)
                .unwrap()
                .u8(kind)
                .unwrap()
                .array(max as u64 + 1)
                .unwrap();
            bytes
        };
        let mut ids = Vec::new();
        let mut e = minicbor::Encoder::new(&mut ids);
        e.array(2).unwrap().u8(2).unwrap().array(1).unwrap();
        e.array(2).unwrap().encode(RecordId([1; 16])).unwrap();
        e.array(PACK_ENTRIES_MAX as u64 + 1).unwrap();
        for bytes in [
            too_many(0, GIVE_BACK_DIRECTORY_MAX),
            too_many(2, PEER_RECORDS_MAX),
            ids,
        ] {
            let error = minicbor::decode::<PeerMessage>(&bytes).unwrap_err();
            assert!(
                error.to_string().contains("more items than allowed"),
                "{error}"
            );
        }
    }
}
