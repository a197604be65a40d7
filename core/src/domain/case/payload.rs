//! The data of each event: one CBOR array per struct, in the order of the field numbers.
//!
//! A field is never added to a struct that has shipped. A new meaning gets a new event code.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::area::AreaLevel;
use crate::domain::category::CategoryCode;
use crate::domain::{AreaPath, Code, Text};
use crate::id::{AreaId, EnvelopeId, Hash, MemberId, RecordId, UnitId};
use crate::media::MediaType;

pub use crate::domain::handling::{Deadlines, OnBehalfOf, Part, Party};

coded_enum! {
    /// How bad a danger is.
    Severity, u8 {
        /// 一般
        General = 1, "general";
        /// 较重
        Elevated = 2, "elevated";
        /// 严重
        Serious = 3, "serious";
        /// 特别严重, which means life in danger.
        Critical = 4, "critical";
    }
}

coded_enum! {
    /// The reason why a merge does not hold. A record sees only its own entries, so the server says it.
    MergeFault, u8 {
        /// The server has no such record.
        Absent = 1, "absent";
        /// The other record was dismissed.
        Dismissed = 2, "dismissed";
        /// The other record had been merged into a third one before.
        Merged = 3, "merged";
        /// The other record was merged into this one.
        Mutual = 4, "mutual";
        /// The other case had been verified, or handed to the police, before.
        Ended = 5, "ended";
        /// The other record is no case, so it has no work.
        NoCase = 6, "no_case";
    }
}

/// A party or area that helps. CBOR `[1, party]` or `[2, path]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(flat)]
#[serde(rename_all = "snake_case")]
pub enum Partner {
    /// A unit or person. It gets a supporting assignment.
    #[n(1)]
    Party(#[n(0)] Party),
    /// Another area. It becomes responsible beside the lead area.
    #[n(2)]
    Area(#[n(0)] AreaPath),
}

macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $n:literal $field:ident: $ty:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
        #[cbor(array)]
        pub struct $name {
            $($(#[$fdoc])* #[n($n)] pub $field: $ty,)*
        }
    };
}

payload! {
    /// Data of `triage`.
    Triage {
        /// The category of the case.
        0 category: CategoryCode,
        /// How bad the danger is.
        1 severity: Severity,
        /// The grid, where triage knows it better. It has to lie in the village of the home area.
        2 grid: Option<AreaId>,
        /// The rule that made the event. It is present exactly when the server is the author.
        3 rule: Option<Code>,
        /// A note of the author.
        4 note: Option<Text>,
    }
}
payload! {
    /// Data of `dispatch`. The id of its envelope names the assignment.
    Dispatch {
        /// The party that becomes responsible.
        0 to: Party,
        /// Lead or support.
        1 part: Part,
        /// Deadlines.
        2 deadlines: Deadlines,
        /// The rule that made the event. It is present exactly when the server is the author.
        3 rule: Option<Code>,
        /// A note of the author.
        4 note: Option<Text>,
    }
}
payload! {
    /// Data of `accept`, `arrive` and `resolve`: one step of an assignment.
    Step {
        /// The dispatch, share or final assignment that opened it.
        0 assignment: EnvelopeId,
        /// Hashes of photos and other files.
        1 attachments: Vec<Hash>,
        /// A note of the author.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of `return` and `withdraw`, which end an assignment before it is resolved.
    GiveBack {
        /// The dispatch, share or final assignment that opened it.
        0 assignment: EnvelopeId,
        /// The reason that the author gives.
        1 reason: Text,
    }
}
payload! {
    /// Data of `transfer`.
    Transfer {
        /// The area that is responsible from now on.
        0 to: AreaPath,
        /// The reason that the author gives.
        1 reason: Text,
    }
}
payload! {
    /// Data of `share`. The id of its envelope names the supporting assignment.
    Share {
        /// The party or area that helps.
        0 with: Partner,
        /// Deadlines.
        1 deadlines: Deadlines,
        /// A note of the author.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of `verify`.
    Verify {
        /// Whether the work is done.
        0 pass: bool,
        /// Hashes of photos and other files.
        1 attachments: Vec<Hash>,
        /// A note of the author.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of the moves that need nothing: close, resume, unmerge, urge, supervise.
    Bare {
        /// A note of the author.
        0 note: Option<Text>,
    }
}
payload! {
    /// Data of `follow_up`.
    FollowUp {
        /// Whether the people concerned are content.
        0 satisfied: Option<bool>,
        /// A note of the author.
        1 note: Option<Text>,
    }
}
payload! {
    /// Data of `handled_on_spot`: at least one photo before and one after.
    HandledOnSpot {
        /// Hashes of photos from before the work.
        0 before: Vec<Hash>,
        /// Hashes of photos from after the work.
        1 after: Vec<Hash>,
        /// A note of the author.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of the moves that need a reason: dismiss and reopen.
    Reasoned {
        /// The reason that the author gives.
        0 reason: Text,
    }
}
payload! {
    /// Data of `escalate`.
    Escalate {
        /// The level that has to take care of the case from now on. It is one above the level that the author
        /// had seen, so two people who escalate at the same time raise it once.
        0 to: AreaLevel,
        /// The reason that the author gives.
        1 reason: Text,
        /// The rule that made the event. It is present exactly when the server is the author.
        2 rule: Option<Code>,
    }
}
payload! {
    /// Data of `assign_finally`. The id of its envelope names the assignment, which cannot be returned.
    AssignFinally {
        /// The party that becomes responsible.
        0 to: Party,
        /// Deadlines.
        1 deadlines: Deadlines,
        /// The reason that the author gives.
        2 reason: Text,
    }
}
payload! {
    /// Data of `suspend`.
    Suspend {
        /// Planned end, ms UTC, if it is known.
        0 until_ms: Option<i64>,
        /// The reason that the author gives.
        1 reason: Text,
    }
}
payload! {
    /// Data of `request_extension`.
    RequestExtension {
        /// The assignment that needs more time.
        0 assignment: EnvelopeId,
        /// The new deadline for resolving, ms UTC.
        1 until_ms: i64,
        /// The reason that the author gives.
        2 reason: Text,
    }
}
payload! {
    /// Data of `grant_extension`.
    GrantExtension {
        /// The request.
        0 request: EnvelopeId,
        /// The new deadline for resolving, ms UTC.
        1 until_ms: i64,
        /// A note of the author.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of `hand_to_police`.
    HandToPolice {
        /// The police unit, if the police has one here.
        0 to: Option<UnitId>,
        /// The reason that the author gives.
        1 reason: Text,
    }
}
payload! {
    /// Data of `merge`.
    Merge {
        /// The record that continues.
        0 into: RecordId,
        /// A note of the author.
        1 note: Option<Text>,
    }
}
payload! {
    /// Data of `danger_remains`.
    DangerRemains {
        /// A description of the danger.
        0 text: Option<Text>,
        /// Hashes of photos and other files.
        1 attachments: Vec<Hash>,
    }
}
payload! {
    /// Data of the server's own `danger_remains`. A danger awaits review, so the case stays open until then.
    DangerHeld {
        /// The held danger. Only its author and the server have it yet.
        0 danger: EnvelopeId,
    }
}
payload! {
    /// Data of the server's own `unmerge`. The other record cannot take this one over.
    MergeUndone {
        /// The merge that does not hold.
        0 merge: EnvelopeId,
        /// The reason why the merge does not hold.
        1 fault: MergeFault,
    }
}
payload! {
    /// Data of `comment`: text, voice or photos.
    Comment {
        /// The words of the author.
        0 text: Option<Text>,
        /// Hashes of voice, photos and other files.
        1 attachments: Vec<Hash>,
        /// The members who are called by name.
        2 mentions: Vec<MemberId>,
    }
}
payload! {
    /// Data of `seen`.
    Seen {}
}
payload! {
    /// Data of `step`. The kind of the record has the table of steps and reasons.
    KindStep {
        /// The code of the step.
        0 step: u8,
        /// The code of the reason, where the step has reasons.
        1 reason: Option<u8>,
        /// Hashes of photos and other files.
        2 attachments: Vec<Hash>,
        /// A note of the author.
        3 note: Option<Text>,
    }
}
payload! {
    /// Data of `attach`: the description of one photo or recording. Its bytes travel apart from the record.
    Attach {
        /// The id, which follows from the salt and the content.
        0 id: Hash,
        /// The code of its type, see [`MediaType`]. A code of a newer app is kept.
        1 media: u8,
        /// Bytes of the content.
        2 bytes: u32,
        /// Makes the ids of equal contents unrelated.
        #[cbor(with = "minicbor::bytes")]
        3 salt: [u8; 16],
        /// A small picture of a photo, in JPEG. A phone checks it before it shows it.
        #[cbor(with = "minicbor::bytes")]
        4 thumbnail: Option<Vec<u8>>,
        /// Width and height in pixels as people see a photo, or the milliseconds of a recording and 0.
        5 extent: Option<(u32, u32)>,
    }
}

impl Attach {
    /// The type of the content, if this version knows it.
    #[must_use]
    pub fn media_type(&self) -> Option<MediaType> {
        MediaType::from_code(self.media)
    }
}
