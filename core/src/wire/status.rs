//! The status of a verdict, its reasons, and both as one small number: the code of the status, and
//! 5 × the code of its reason.

use minicbor::{Decode, Encode};

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
        49 MayAudience = "may.audience",
        50 CaseStepIncomplete = "case.step_incomplete",
        51 MayConcerned = "may.concerned",
        52 MaySettled = "may.settled",
        53 MayUnlinked = "may.unlinked",
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

/// The variants of [`Status`].
const CLASSES: u64 = 5;

/// The number of a status.
pub(super) fn status_code(status: Status) -> u64 {
    match status {
        Status::Accepted => 0,
        Status::Admitted => 1,
        Status::Void(reason) => 2 + CLASSES * index(reason),
        Status::Held(reason) => 3 + CLASSES * index(reason),
        Status::Refused(reason) => 4 + CLASSES * index(reason),
    }
}

/// The status of a number, where this code knows it.
pub(super) fn status_of(code: u64) -> Option<Status> {
    let reason = code / CLASSES;
    match code % CLASSES {
        0 => (reason == 0).then_some(Status::Accepted),
        1 => (reason == 0).then_some(Status::Admitted),
        2 => of_index(reason).map(Status::Void),
        3 => of_index(reason).map(Status::Held),
        _ => of_index(reason).map(Status::Refused),
    }
}

fn index<T: Encode<()>>(reason: T) -> u64 {
    let bytes = minicbor::to_vec(reason).expect("writing CBOR to memory does not fail");
    minicbor::decode(&bytes).expect("reasons are encoded as their number")
}

fn of_index<T: for<'b> Decode<'b, ()>>(index: u64) -> Option<T> {
    minicbor::decode(&minicbor::to_vec(index).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_number_of_its_own() {
        let void = VoidReason::ALL.iter().map(|reason| Status::Void(*reason));
        let held = HeldReason::ALL.iter().map(|reason| Status::Held(*reason));
        let refused = RefusedReason::ALL
            .iter()
            .map(|reason| Status::Refused(*reason));
        let mut codes = std::collections::HashSet::new();
        let counting = [Status::Accepted, Status::Admitted];
        for status in void.chain(held).chain(refused).chain(counting) {
            let code = status_code(status);
            assert_eq!(status_of(code), Some(status));
            assert!(codes.insert(code));
        }
        assert_eq!(status_of(5), None);
        assert_eq!(status_of(6), None);
        assert_eq!(status_of(3_002), None);
        assert_eq!(status_of(u64::MAX), None);
    }
}
