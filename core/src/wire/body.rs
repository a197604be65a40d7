//! The bodies of envelopes.
//!
//! Bodies of records with restricted readers carry a random salt, so that a hash that stays after
//! an erasure does not betray a guessable body.

use minicbor::{Decode, Encode};

use super::envelope_error::EnvelopeError;
use crate::cbor::canonical::decode_signed;
use crate::cbor::list::list;
use crate::domain::case::OnBehalfOf;
use crate::domain::{AreaPath, Audience, RecordKind, Source};
use crate::id::{EnvelopeId, MemberId, RecordId, UnitId};
use crate::limits::NAMED_MAX;

pub(super) const KIND_GENESIS: u8 = 1;
pub(super) const KIND_CHANGE: u8 = 2;
pub(super) const KIND_EVENT: u8 = 3;

/// The body of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Makes a record: its header and its first content.
    Genesis(Genesis),
    /// One raw Automerge change of the content.
    Change(Change),
    /// One decision of the workflow, or a comment.
    Event(EventBody),
    /// Written by a newer app: kept, forwarded, not understood.
    Unknown(u8, Vec<u8>),
}

/// The beginning of a record. The creator's name is absent, because a reader with the right to know
/// it has the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Genesis {
    /// 16 random bytes; also the salt of this body.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub nonce: [u8; 16],
    /// Kind of record.
    #[n(1)]
    pub kind: RecordKind,
    /// The area where the record was born, with its ancestors.
    #[n(2)]
    pub home: AreaPath,
    /// The readers of the record.
    #[n(3)]
    pub audience: Audience,
    /// The team that it is shared with.
    #[n(4)]
    pub team: Option<UnitId>,
    /// How the report arrived.
    #[n(5)]
    pub source: Source,
    /// The members named as readers of a restricted record, at most [`NAMED_MAX`].
    #[cbor(n(6), decode_with = "list::<NAMED_MAX, _, _>")]
    pub named: Vec<MemberId>,
    /// The record that this one belongs to, stored on the more restricted side.
    #[n(7)]
    pub linked: Option<RecordId>,
    /// The first Automerge change: creates every container of the content.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub content: Vec<u8>,
}

/// One change of the content.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Change {
    /// 16 random bytes; absent in records that everybody may read.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub salt: Option<[u8; 16]>,
    /// The raw Automerge change.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub change: Vec<u8>,
    /// The void envelope whose values this change writes again.
    #[n(2)]
    pub replaces: Option<EnvelopeId>,
}

/// One event. Its data stay bytes here, because an event of a newer app is kept unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EventBody {
    /// 16 random bytes; absent in records that everybody may read.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub salt: Option<[u8; 16]>,
    /// Which event: see [`crate::domain::case::event`].
    #[n(1)]
    pub code: u16,
    /// Version of the fold that its author ran.
    #[n(2)]
    pub fold_version: u8,
    /// The event's own data, CBOR.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub data: Vec<u8>,
    /// The person on whose behalf the author acts, and the reason.
    #[n(4)]
    pub on_behalf_of: Option<OnBehalfOf>,
    /// The void envelope that this event says again.
    #[n(5)]
    pub replaces: Option<EnvelopeId>,
}

impl Body {
    /// The number of the kind, as headers carry it.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::Genesis(_) => KIND_GENESIS,
            Self::Change(_) => KIND_CHANGE,
            Self::Event(_) => KIND_EVENT,
            Self::Unknown(kind, _) => *kind,
        }
    }

    /// The envelope that this one writes again.
    #[must_use]
    pub fn replaces(&self) -> Option<EnvelopeId> {
        match self {
            Self::Change(change) => change.replaces,
            Self::Event(event) => event.replaces,
            Self::Genesis(_) | Self::Unknown(..) => None,
        }
    }

    pub(super) fn decode(kind: u8, bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Ok(match kind {
            0 => return Err(EnvelopeError::Shape),
            KIND_GENESIS => Self::Genesis(signed(bytes)?),
            KIND_CHANGE => Self::Change(signed(bytes)?),
            KIND_EVENT => Self::Event(signed(bytes)?),
            newer => Self::Unknown(newer, bytes.to_vec()),
        })
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, EnvelopeError> {
        match self {
            Self::Genesis(genesis) => minicbor::to_vec(genesis),
            Self::Change(change) => minicbor::to_vec(change),
            Self::Event(event) => minicbor::to_vec(event),
            Self::Unknown(_, bytes) => return Ok(bytes.clone()),
        }
        .map_err(|_| EnvelopeError::Shape)
    }
}

fn signed<'b, T: Encode<()> + Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, EnvelopeError> {
    decode_signed(bytes).ok_or(EnvelopeError::Shape)
}
