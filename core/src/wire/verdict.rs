//! Verdicts and attestations: the server's decisions, signed once for many envelopes.

use minicbor::{Decode, Encode};

use super::list::list;
use super::status_code::status_code;
use crate::domain::stream::StreamId;
use crate::id::{DeviceId, EnvelopeId, Hash};
use crate::limits::{ATTESTED_MAX, CURSORS_MAX};
use crate::trust::certificate::{Anchors, ServerPurpose, Stamp};
use crate::trust::sign::{Authority, Purpose, SecretKey, SignatureError};

/// The server's decision about an envelope.
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
    /// Whether this verdict replaces the other one. The verdict of the higher rank counts, everywhere: a
    /// settled one before one that waits, and then the latest. Of two at the same instant the same one
    /// wins.
    #[must_use]
    pub fn is_later_than(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    fn rank(&self) -> (Class, u32, i64, u64) {
        (
            self.class(),
            self.generation,
            self.at_ms,
            status_code(self.status),
        )
    }

    fn class(&self) -> Class {
        match self.status {
            Status::Refused(reason) if reason != RefusedReason::Rejected => Class::Undecided,
            _ if self.generation == 0 => Class::Doubted,
            Status::Held(_) | Status::Refused(_) => Class::Waiting,
            Status::Accepted | Status::Admitted | Status::Void(_) => Class::Settled,
        }
    }
}

/// The class of a verdict, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// The server could not take the envelope this time, because the giver holds no certificate of its
    /// author.
    Undecided,
    /// Only a key that leaked proves it, so it has generation 0.
    Doubted,
    /// A person decides, or has turned it down. A server that lost the decision may ask a person again.
    Waiting,
    /// It is part of the record for good.
    Settled,
}

/// A decision, with its reason where it is not “accepted”.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Status {
    /// It has stream positions and counts.
    #[n(0)]
    Accepted,
    /// It waited, and was accepted later. It counts like any accepted envelope, but its author may have
    /// written further envelopes that do not build on it.
    #[n(1)]
    Admitted,
    /// It stays in the graph without effect.
    #[n(2)]
    Void(#[n(0)] VoidReason),
    /// It awaits review; no replica applies it.
    #[n(3)]
    Held(#[n(0)] HeldReason),
    /// It was not stored, so it is no envelope of its author.
    #[n(4)]
    Refused(#[n(0)] RefusedReason),
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $n:literal $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
        #[cbor(index_only)]
        pub enum $name {
            $($(#[$variant_doc])* #[doc = concat!("`", $code, "`")] #[n($n)] $variant,)+
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
    /// The rule that a void envelope breaks. The codes `may.*` and `case.*` are rules of the
    /// domain, in the state that the author had seen; the codes `content.*` are rules of the gate.
    VoidReason {
        /// The server does not name its author, and has not vouched for it.
        0 NotPermitted = "void.not_permitted",
        /// The change of the content is not a valid continuation, and its bytes are not here to say why.
        2 BadContent = "void.bad_content",
        /// It builds on content that is void.
        3 VoidParent = "void.void_parent",
        /// A copy of this installation wrote another change under the same number.
        4 Clone = "void.clone",
        /// The author must have seen other parents.
        5 BadParents = "void.bad_parents",
        /// The record or the author has reached a limit.
        6 Limit = "void.limit",
        /// The data of the event do not fit its code.
        7 Malformed = "void.malformed",
        8 MayRole = "may.role",
        9 MayElsewhere = "may.elsewhere",
        10 MayNotAssigned = "may.not_assigned",
        11 MayNotOwn = "may.not_own",
        12 MayNotTeam = "may.not_team",
        13 MayNotReadable = "may.not_readable",
        14 MayOwnWork = "may.own_work",
        15 MayResponsibleParty = "may.responsible_party",
        16 MayOnBehalf = "may.on_behalf",
        17 MayRule = "may.rule",
        18 MayNotACase = "may.not_a_case",
        19 MayNewer = "may.newer",
        20 CaseNotNow = "case.not_now",
        21 CaseNoAssignment = "case.no_assignment",
        22 CaseAssignmentElsewhere = "case.assignment_elsewhere",
        23 CaseFinalAssignment = "case.final_assignment",
        24 CaseAlreadyAssigned = "case.already_assigned",
        25 CaseGridOutside = "case.grid_outside",
        26 CaseSameArea = "case.same_area",
        27 CaseNotNextLevel = "case.not_next_level",
        28 CaseNoRequest = "case.no_request",
        29 CaseMergeSelf = "case.merge_self",
        30 CaseSecondGenesis = "case.second_genesis",
        31 ContentNotAChange = "content.not_a_change",
        32 ContentCompressed = "content.compressed",
        33 ContentTruncated = "content.truncated",
        34 ContentChecksum = "content.checksum",
        35 ContentMalformed = "content.malformed",
        36 ContentMetadata = "content.metadata",
        37 ContentUnsupported = "content.unsupported",
        38 ContentForeignActor = "content.foreign_actor",
        39 ContentNotGenesis = "content.not_genesis",
        40 ContentUnknownDeps = "content.unknown_deps",
        41 ContentSequence = "content.sequence",
        42 ContentStartOp = "content.start_op",
        43 ContentReference = "content.reference",
        44 ContentRejected = "content.rejected",
        /// The server's own move that kept a case open for a danger under review, once that is decided.
        45 Answered = "void.answered",
        46 MaySource = "may.source",
        47 CaseOtherMerge = "case.other_merge",
        /// A reviewer turned it down, and others had built on it.
        48 Rejected = "void.rejected",
    }
);

reasons!(
    /// Why an envelope awaits review.
    HeldReason {
        /// The device was revoked before this arrived.
        0 Revoked = "held.revoked",
        /// The role had changed, and the author had seen that or was later than the grace period.
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
        /// The record has as many entries, or bytes, as it takes from this author.
        5 RecordFull = "refused.record_full",
        /// The server cannot read its stored copy of the record. The phone keeps the envelope in
        /// its outbox.
        6 RecordDamaged = "refused.record_damaged",
    }
);

impl RefusedReason {
    /// Whether the envelope is still undecided. Then it stays in the outbox, and a later sync sends
    /// it again.
    #[must_use]
    pub fn is_put_off(self) -> bool {
        matches!(self, Self::TooMany | Self::RecordDamaged)
    }
}

impl VoidReason {
    /// The reason of a rule's stable code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.code() == code)
    }
}

impl Status {
    /// The stable code, which also names the sentence for a person.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Accepted | Self::Admitted => "accepted.stored",
            Self::Void(reason) => reason.code(),
            Self::Held(reason) => reason.code(),
            Self::Refused(reason) => reason.code(),
        }
    }

    /// Whether it is part of the record for good, so that it has positions and counts in digests.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self.is_accepted() || matches!(self, Self::Void(_))
    }

    /// Whether it counts, at once or after it waited.
    #[must_use]
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted | Self::Admitted)
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
    #[cbor(n(2), decode_with = "list::<CURSORS_MAX, _, _>")]
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
    #[cbor(n(3), decode_with = "list::<ATTESTED_MAX, _, _>")]
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

    /// Checks the server's signature, and that the key vouches for this time and generation. A
    /// verdict of a higher generation than the attestation's own would evade the bound of the key.
    pub fn verify(&self, anchors: &Anchors) -> Result<(), SignatureError> {
        let within = |line: &AttestedEnvelope| line.verdict.generation <= self.generation;
        if !self.envelopes.iter().all(within) {
            return Err(SignatureError::BadKey);
        }
        let stamp = Stamp {
            time_ms: self.time_ms,
            generation: self.generation,
        };
        anchors
            .signer(ServerPurpose::Receipts, self.signer, stamp)?
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

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: Status, generation: u32, at_ms: i64) -> Verdict {
        Verdict {
            status,
            at_ms,
            generation,
        }
    }

    /// The order from the lowest rank to the highest.
    #[test]
    fn settled_verdicts_outrank_waiting_ones_of_later_generations() {
        let held = Status::Held(HeldReason::Clock);
        let rejected = Status::Refused(RefusedReason::Rejected);
        let unknown = Status::Refused(RefusedReason::BadCertificate);
        let void = Status::Void(VoidReason::Clone);
        let order = [
            verdict(unknown, 9, 90),
            verdict(Status::Accepted, 0, 95),
            verdict(held, 1, 10),
            verdict(rejected, 1, 20),
            verdict(held, 3, 5),
            verdict(Status::Accepted, 1, 10),
            verdict(Status::Accepted, 1, 11),
            verdict(Status::Admitted, 1, 11),
            verdict(void, 1, 11),
            verdict(void, 2, 5),
            verdict(Status::Accepted, 3, 1),
        ];
        for (at, lower) in order.iter().enumerate() {
            for higher in &order[at + 1..] {
                assert!(higher.is_later_than(lower), "{higher:?} {lower:?}");
                assert!(!lower.is_later_than(higher), "{lower:?} {higher:?}");
            }
        }
    }
}
