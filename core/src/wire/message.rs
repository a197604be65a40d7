//! The two messages of `POST /v1/sync`. docs/protocol.md is their specification.
//!
//! Decoding checks form and counts. The code that verifies signatures and admits envelopes,
//! verdicts and packs decides their worth.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::cursor::Cursor;
use super::digest::Digest;
use super::envelope::RawEnvelope;
use super::frame::{self, Allowance, Effort, FrameError};
use super::intern;
use super::measure::Measure;
use super::pack::PackBatch;
use super::page::Page;
use super::parcel::ParcelOutcome;
use super::receipt::Receipt;
use super::repair::{RepairAnswer, RepairAsk};
use super::sealed::SealedCertificate;
use super::verdict::Attestation;
use crate::cbor::list::{list, list_option, no_list};
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::limits::{
    CURSORS_MAX, GIVE_BACK_ATTESTATIONS_MAX, GIVE_BACK_DIRECTORY_MAX, PACK_BATCHES_MAX,
    PARCELS_PER_REQUEST_MAX, REPAIR_IDS_MAX, REPAIR_STEPS_MAX, REQUEST_BYTES_MAX,
    RESPONSE_BYTES_MAX, SEALED_MAX,
};
use crate::trust::certificate::RawCertificate;

/// The version of the protocol that this code speaks.
pub const PROTOCOL_VERSION: u16 = 1;

/// The reader's statement about how far it has read.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Known {
    /// The hash of its cursors ([`super::cursor::cursor_set_hash`]); enough while the server remembers them.
    #[n(0)]
    Hash(#[n(0)] Hash),
    /// All cursors.
    #[n(1)]
    All(#[cbor(n(0), decode_with = "list::<CURSORS_MAX, _, _>")] Vec<Cursor>),
}

/// Envelopes with the certificates that they need. Encoded interned: see [`super::intern`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    /// Certificates that the receiver may not have.
    pub certificates: Vec<RawCertificate>,
    /// Envelopes, parents before children.
    pub envelopes: Vec<RawEnvelope>,
}

impl Bundle {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.envelopes.is_empty()
    }
}

impl<C> Encode<C> for Bundle {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&intern::encode(&self.certificates, &self.envelopes))?
            .ok()
    }
}

impl<'b, C> Decode<'b, C> for Bundle {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        let (certificates, envelopes) = intern::decode(d.bytes()?)
            .map_err(|_| minicbor::decode::Error::message("damaged batch").at(at))?;
        Ok(Self {
            certificates,
            envelopes,
        })
    }
}

/// The lost data that a phone gives back to a server, verdicts first. Envelopes go in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array, context_bound = "Allowance")]
pub struct GiveBack {
    /// Verdicts that the server once signed.
    #[cbor(n(0), decode_with = "list::<GIVE_BACK_ATTESTATIONS_MAX, _, _>")]
    pub attestations: Vec<Attestation>,
    /// Packs that the server once signed.
    #[cbor(n(1), decode_with = "list::<PACK_BATCHES_MAX, _, _>")]
    pub packs: Vec<PackBatch>,
    /// Directory entries that the server once signed, namely every revocation that the reader
    /// knows. The server imports them before it judges the rest of the request.
    #[cbor(n(2), decode_with = "list::<GIVE_BACK_DIRECTORY_MAX, _, _>")]
    pub directory: Vec<ByteVec>,
    /// Sealed certificates that the server gave to this reader.
    #[cbor(n(3), decode_with = "list::<SEALED_MAX, _, _>")]
    pub sealed: Vec<SealedCertificate>,
}

/// A reader's request.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array, context_bound = "Allowance")]
pub struct SyncRequest {
    /// [`PROTOCOL_VERSION`].
    #[n(0)]
    pub version: u16,
    /// How far it has read.
    #[n(1)]
    pub known: Known,
    /// Envelopes that the reader wrote or carries for others.
    #[n(2)]
    pub bundle: Option<Bundle>,
    /// Data that the server lost.
    #[n(3)]
    pub give_back: Option<GiveBack>,
    /// Steps of a repair.
    #[cbor(n(4), decode_with = "list::<REPAIR_STEPS_MAX, _, _>")]
    pub repair: Vec<RepairAsk>,
    /// Bytes of the compressed page that it wishes, at most [`crate::limits::PAGE_BYTES_MAX`]; 0 = no page.
    #[n(5)]
    pub page_bytes_max: u32,
    /// Sealed parcels that the reader carries for others ([`crate::trust::parcel`]).
    #[cbor(
        n(6),
        decode_with = "list_option::<PARCELS_PER_REQUEST_MAX, _, _>",
        nil = "no_list"
    )]
    pub parcels: Option<Vec<ByteVec>>,
    /// Whether the reader asks for the measure of everything that it lacks. The answer then has no page and no
    /// answers to repair steps.
    #[n(7)]
    pub measure: Option<bool>,
}

/// The server's answer to the reader's cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum CursorsAnswer {
    /// The cursors are at the ends of the feeds, so nothing is new.
    #[n(0)]
    Unchanged,
    /// The server does not remember them: ask again with all of them.
    #[n(1)]
    Needed,
    /// The page moves some of them: see [`super::page::Segment::next`].
    #[n(2)]
    Moved,
}

/// Why a device may deliver and no longer read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum CloseReason {
    /// Its certificate has run out.
    #[n(0)]
    Expired,
}

impl CloseReason {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "session.certificate_expired",
        }
    }
}

/// The server's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array, context_bound = "Allowance")]
pub struct SyncResponse {
    /// [`PROTOCOL_VERSION`].
    #[n(0)]
    pub version: u16,
    /// The server's generation. Another one than the cursors' begins the give-back.
    #[n(1)]
    pub generation: u32,
    /// Server time, milliseconds UTC.
    #[n(2)]
    pub time_ms: i64,
    /// Until when the session is valid, where that has changed; milliseconds UTC.
    #[n(3)]
    pub session_expires_ms: Option<i64>,
    /// Verdicts on the envelopes of the request's bundle, in their order.
    #[n(4)]
    pub receipt: Option<Receipt>,
    /// Parents that the bundle builds on and the server does not have. Then nothing of it was stored.
    #[cbor(n(5), decode_with = "list::<REPAIR_IDS_MAX, _, _>")]
    pub missing: Vec<EnvelopeId>,
    /// About the cursors.
    #[n(6)]
    pub cursors: CursorsAnswer,
    /// All streams that the reader may read, when its cursors are of other ones.
    #[cbor(
        n(7),
        decode_with = "list_option::<CURSORS_MAX, _, _>",
        nil = "no_list"
    )]
    pub streams: Option<Vec<StreamId>>,
    /// The new part of the feeds.
    #[n(8)]
    pub page: Option<Page>,
    /// Answers to the repair steps, in their order.
    #[cbor(n(9), decode_with = "list::<REPAIR_STEPS_MAX, _, _>")]
    pub repair: Vec<RepairAnswer>,
    /// Sum of the digests of all streams that the reader may read, as they are now.
    #[n(10)]
    pub heads: Digest,
    /// Whether there is more to read at once.
    #[n(11)]
    pub more: bool,
    /// Set when the upload was accepted and no page is given out. Then the cursors, the page and
    /// `heads` have no meaning.
    #[n(12)]
    pub closed: Option<CloseReason>,
    /// Sealed certificates of authors hidden from the reader, to be kept for a server that lost
    /// them.
    #[cbor(n(13), decode_with = "list::<SEALED_MAX, _, _>")]
    pub sealed: Vec<SealedCertificate>,
    /// Records whose packs were given back and left out, because the server knows no certificate of
    /// an author.
    #[cbor(n(14), decode_with = "list::<REPAIR_IDS_MAX, _, _>")]
    pub not_taken: Vec<RecordId>,
    /// The outcomes of the first parcels of the request, in their order. The reader keeps the others for a
    /// later sync.
    #[cbor(
        n(15),
        decode_with = "list_option::<PARCELS_PER_REQUEST_MAX, _, _>",
        nil = "no_list"
    )]
    pub parcels: Option<Vec<ParcelOutcome>>,
    /// The measure of everything that the reader lacks, where the request asked for it.
    #[n(16)]
    pub measure: Option<Measure>,
}

impl SyncRequest {
    /// A request that asks for the measure alone.
    #[must_use]
    pub fn of_measure(known: Known) -> Self {
        Self {
            version: PROTOCOL_VERSION,
            known,
            bundle: None,
            give_back: None,
            repair: Vec::new(),
            page_bytes_max: 0,
            parcels: None,
            measure: Some(true),
        }
    }
}

impl SyncRequest {
    /// The bytes that travel.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FrameError> {
        frame::encode(self, REQUEST_BYTES_MAX)
    }

    /// Reads what travelled.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrameError> {
        let request: Self = frame::decode(bytes, REQUEST_BYTES_MAX)?;
        version(request.version).map(|()| request)
    }
}

impl SyncResponse {
    /// The bytes that travel.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FrameError> {
        self.to_bytes_with(Effort::Usual)
    }

    /// The bytes that travel, made small with more or less effort.
    pub fn to_bytes_with(&self, effort: Effort) -> Result<Vec<u8>, FrameError> {
        frame::encode_with(self, RESPONSE_BYTES_MAX, effort)
    }

    /// Reads what travelled.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrameError> {
        let response: Self = frame::decode(bytes, RESPONSE_BYTES_MAX)?;
        version(response.version).map(|()| response)
    }
}

fn version(version: u16) -> Result<(), FrameError> {
    if version == PROTOCOL_VERSION {
        Ok(())
    } else {
        Err(FrameError::Version)
    }
}
