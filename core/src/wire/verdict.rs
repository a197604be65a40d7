//! Verdicts and attestations: what the server decided, signed once for many envelopes.

use minicbor::{Decode, Encode};

use super::status_code::status_code;
use crate::domain::stream::StreamId;
use crate::id::{DeviceId, EnvelopeId, Hash};
use crate::trust::certificate::{Anchors, ServerPurpose};
use crate::trust::sign::{Authority, Purpose, SecretKey, SignatureError};

/// What the server decided about an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Verdict {
    /// The decision.
    #[n(0)]
    pub status: Status,
    /// Server time of the decision, milliseconds UTC.
    #[n(1)]
    pub at_ms: i64,
    /// The server's generation at that time.
    #[n(2)]
    pub generation: u32,
}

impl Verdict {
    /// Whether this verdict replaces the other one: the latest verdict counts. Of two at the same instant one
    /// and the same wins everywhere. A refusal that no reviewer decided replaces nothing: it says that the
    /// server could not take the envelope this time (who gave it back holds no certificate of its author).
    #[must_use]
    pub fn is_later_than(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    fn rank(&self) -> (bool, u32, i64, u64) {
        let decided = match self.status {
            Status::Accepted | Status::Void(_) | Status::Held(_) => true,
            Status::Refused(reason) => reason == RefusedReason::Rejected,
        };
        (
            decided,
            self.generation,
            self.at_ms,
            status_code(self.status),
        )
    }
}

/// A decision, with its reason where it is not “accepted”.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Status {
    /// It has stream positions and counts.
    #[n(0)]
    Accepted,
    /// It stays in the graph and moves nothing.
    #[n(1)]
    Void(#[n(0)] VoidReason),
    /// It awaits review; nobody applies it.
    #[n(2)]
    Held(#[n(0)] HeldReason),
    /// It was not stored: it is no envelope of its author.
    #[n(3)]
    Refused(#[n(0)] RefusedReason),
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $n:literal $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
        #[cbor(index_only)]
        pub enum $name {
            $($(#[$variant_doc])* #[n($n)] $variant,)+
        }

        impl $name {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }
    };
}

reasons!(
    /// Why an envelope is void.
    VoidReason {
        /// The author's role does not allow it in the state that the author had seen.
        0 NotPermitted = "void.not_permitted",
        /// The move does not exist in the state that the author had seen.
        1 NotPossible = "void.not_possible",
        /// The change of the content is not a valid continuation.
        2 BadContent = "void.bad_content",
        /// It builds on content that is void.
        3 VoidParent = "void.void_parent",
        /// A copy of this installation wrote another change under the same number.
        4 Clone = "void.clone",
        /// The parents are not what the author must have seen.
        5 BadParents = "void.bad_parents",
        /// The record or the author has reached a limit.
        6 Limit = "void.limit",
        /// The data of the event are not what its code says.
        7 Malformed = "void.malformed",
    }
);

reasons!(
    /// Why an envelope awaits review.
    HeldReason {
        /// The device was revoked before this arrived.
        0 Revoked = "held.revoked",
        /// The role had changed, and the author had seen that or came after the grace period.
        1 RoleChanged = "held.role_changed",
        /// Written by a newer app than the server knows.
        2 Newer = "held.newer",
        /// It builds on something that awaits review.
        3 ParentHeld = "held.parent_held",
        /// The device's clock is not plausible.
        4 Clock = "held.clock",
        /// The areas in the header do not agree with the directory.
        5 Directory = "held.directory",
        /// The device wrote more in a day than a person does.
        6 TooMany = "held.too_many",
    }
);

reasons!(
    /// Why an envelope was not stored at all. The phone that wrote it keeps it and says so.
    RefusedReason {
        /// Not the form of an envelope.
        0 Malformed = "refused.malformed",
        /// Not signed by its author.
        1 BadSignature = "refused.bad_signature",
        /// The certificate is not one of this deployment.
        2 BadCertificate = "refused.bad_certificate",
        /// A reviewer turned it down.
        3 Rejected = "refused.rejected",
        /// More from one device, or about one record, than is taken. The phone keeps it in its outbox.
        4 TooMany = "refused.too_many",
        /// The record has as many entries as it can have.
        5 RecordFull = "refused.record_full",
    }
);

impl Status {
    /// The stable code, which also names the sentence for a person.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted.stored",
            Self::Void(reason) => reason.code(),
            Self::Held(reason) => reason.code(),
            Self::Refused(reason) => reason.code(),
        }
    }

    /// Whether it is part of the record for good, so that it has positions and counts in digests.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Accepted | Self::Void(_))
    }
}

/// One line of an attestation.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AttestedEnvelope {
    /// The envelope.
    #[n(0)]
    pub hash: Hash,
    /// The verdict.
    #[n(1)]
    pub verdict: Verdict,
    /// Its positions in streams, where it has some.
    #[n(2)]
    pub at: Vec<StreamPosition>,
}

/// A position in a stream: dense, from 1, in the order of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct StreamPosition {
    /// The stream.
    #[n(0)]
    pub stream: StreamId,
    /// The position.
    #[n(1)]
    pub position: u64,
}

/// One signature of the server over many verdicts: the receipt of an upload, or the proof of a page.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Attestation {
    /// The server key that signed.
    #[n(0)]
    pub signer: DeviceId,
    /// The server's generation.
    #[n(1)]
    pub generation: u32,
    /// Server time, milliseconds UTC.
    #[n(2)]
    pub time_ms: i64,
    /// The verdicts.
    #[n(3)]
    pub envelopes: Vec<AttestedEnvelope>,
    /// Signature over the four fields before, as CBOR array.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl Attestation {
    /// The server attests.
    #[must_use]
    pub fn sign(
        generation: u32,
        time_ms: i64,
        envelopes: Vec<AttestedEnvelope>,
        key: &SecretKey,
        authority: &Authority,
    ) -> Self {
        let signer = key.public().device();
        let mut attestation = Self {
            signer,
            generation,
            time_ms,
            envelopes,
            signature: [0; 64],
        };
        attestation.signature =
            key.sign(Purpose::Receipt, authority, &[&attestation.signed_bytes()]);
        attestation
    }

    /// Checks the server's signature.
    pub fn verify(&self, anchors: &Anchors) -> Result<(), SignatureError> {
        anchors
            .server_key(ServerPurpose::Receipts, self.signer)
            .ok_or(SignatureError::BadKey)?
            .verify(
                Purpose::Receipt,
                anchors.authority(),
                &[&self.signed_bytes()],
                &self.signature,
            )
    }

    /// The verdict on an envelope, where it holds one.
    #[must_use]
    pub fn verdict_on(&self, id: EnvelopeId) -> Option<Verdict> {
        self.envelopes
            .iter()
            .find(|line| line.hash.envelope_id() == id)
            .map(|line| line.verdict)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        minicbor::to_vec((self.signer, self.generation, self.time_ms, &self.envelopes))
            .expect("writing CBOR to memory does not fail")
    }
}
