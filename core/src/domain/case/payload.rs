//! The data of each event: one CBOR array per struct, in the order of the field numbers.
//!
//! A field is never added to a struct that has shipped: a new meaning is a new event code.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::area::AreaLevel;
use crate::domain::category::CategoryCode;
use crate::domain::{AreaPath, Code, Text};
use crate::id::{AreaId, EnvelopeId, Hash, MemberId, RecordId, UnitId};

coded_enum! {
    /// How bad it is.
    Severity, u8 {
        /// 一般
        General = 1, "general";
        /// 较重
        Elevated = 2, "elevated";
        /// 严重
        Serious = 3, "serious";
        /// 特别严重: life in danger
        Critical = 4, "critical";
    }
}

coded_enum! {
    /// 主办 or 协办.
    Part, u8 {
        /// 主办: the case is resolved when all of these are.
        Lead = 1, "lead";
        /// 协办
        Support = 2, "support";
    }
}

/// Who can be made responsible. CBOR `[1, unit]` or `[2, member]`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(flat)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// A unit or team.
    #[n(1)]
    Unit(#[n(0)] UnitId),
    /// A person.
    #[n(2)]
    Member(#[n(0)] MemberId),
}

/// Who comes in to help. CBOR `[1, party]` or `[2, path]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(flat)]
#[serde(rename_all = "snake_case")]
pub enum Partner {
    /// A unit or person: opens a supporting assignment.
    #[n(1)]
    Party(#[n(0)] Party),
    /// Another area: it becomes responsible beside the lead area.
    #[n(2)]
    Area(#[n(0)] AreaPath),
}

/// For whom somebody acts, and why. Shown, and left out of response times.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct OnBehalfOf {
    /// The party that is acted for.
    #[n(0)]
    pub party: Party,
    /// Why it does not act itself.
    #[n(1)]
    pub reason: Text,
}

/// Separate deadlines, times in ms UTC.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(array)]
pub struct Deadlines {
    /// Until when it has to be accepted.
    #[n(0)]
    pub accept_by_ms: Option<i64>,
    /// Until when somebody has to be on site.
    #[n(1)]
    pub arrive_by_ms: Option<i64>,
    /// Until when it has to be resolved.
    #[n(2)]
    pub resolve_by_ms: Option<i64>,
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
        /// What it is.
        0 category: CategoryCode,
        /// How bad it is.
        1 severity: Severity,
        /// The grid, where it is known better now. It has to lie in the village of the home area.
        2 grid: Option<AreaId>,
        /// The rule that made it; only and always for the server's own events.
        3 rule: Option<Code>,
        /// A word on it.
        4 note: Option<Text>,
    }
}
payload! {
    /// Data of `dispatch`. The id of its envelope names the assignment.
    Dispatch {
        /// Who.
        0 to: Party,
        /// Lead or support.
        1 part: Part,
        /// Deadlines.
        2 deadlines: Deadlines,
        /// The rule that made it; only and always for the server's own events.
        3 rule: Option<Code>,
        /// A word on it.
        4 note: Option<Text>,
    }
}
payload! {
    /// Data of `accept`, `arrive` and `resolve`: one step of an assignment.
    Step {
        /// The dispatch, share or final assignment that opened it.
        0 assignment: EnvelopeId,
        /// Photos and the like.
        1 attachments: Vec<Hash>,
        /// A word on it.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of `return` and `withdraw`: an assignment ends without being resolved.
    GiveBack {
        /// The dispatch, share or final assignment that opened it.
        0 assignment: EnvelopeId,
        /// Why.
        1 reason: Text,
    }
}
payload! {
    /// Data of `transfer`.
    Transfer {
        /// The area that is responsible from now on.
        0 to: AreaPath,
        /// Why.
        1 reason: Text,
    }
}
payload! {
    /// Data of `share`. The id of its envelope names the supporting assignment.
    Share {
        /// Who comes in.
        0 with: Partner,
        /// Deadlines.
        1 deadlines: Deadlines,
        /// A word on it.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of `verify`.
    Verify {
        /// Whether it is done.
        0 pass: bool,
        /// Photos and the like.
        1 attachments: Vec<Hash>,
        /// A word on it.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of the moves that need nothing: close, resume, unmerge, urge, supervise.
    Bare {
        /// A word on it.
        0 note: Option<Text>,
    }
}
payload! {
    /// Data of `follow_up`.
    FollowUp {
        /// Whether those concerned are content.
        0 satisfied: Option<bool>,
        /// A word on it.
        1 note: Option<Text>,
    }
}
payload! {
    /// Data of `handled_on_spot`: at least one photo before and one after.
    HandledOnSpot {
        /// Photos of before.
        0 before: Vec<Hash>,
        /// Photos of after.
        1 after: Vec<Hash>,
        /// A word on it.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of the moves that need a reason: dismiss and reopen.
    Reasoned {
        /// Why.
        0 reason: Text,
    }
}
payload! {
    /// Data of `escalate`.
    Escalate {
        /// The level that has to care from now on: one above the one seen. Two people who escalate at the
        /// same time raise it once.
        0 to: AreaLevel,
        /// Why.
        1 reason: Text,
        /// The rule that made it; only and always for the server's own events.
        2 rule: Option<Code>,
    }
}
payload! {
    /// Data of `assign_finally`. The id of its envelope names the assignment, which can not be returned.
    AssignFinally {
        /// Who.
        0 to: Party,
        /// Deadlines.
        1 deadlines: Deadlines,
        /// Why.
        2 reason: Text,
    }
}
payload! {
    /// Data of `suspend`.
    Suspend {
        /// Until when, ms UTC, if that is known.
        0 until_ms: Option<i64>,
        /// Why.
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
        /// Why.
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
        /// A word on it.
        2 note: Option<Text>,
    }
}
payload! {
    /// Data of `hand_to_police`.
    HandToPolice {
        /// The police unit, if it has one here.
        0 to: Option<UnitId>,
        /// Why.
        1 reason: Text,
    }
}
payload! {
    /// Data of `merge`.
    Merge {
        /// The record that goes on.
        0 into: RecordId,
        /// A word on it.
        1 note: Option<Text>,
    }
}
payload! {
    /// Data of `danger_remains`.
    DangerRemains {
        /// What is seen.
        0 text: Option<Text>,
        /// Photos and the like.
        1 attachments: Vec<Hash>,
    }
}
payload! {
    /// Data of `comment`: text, voice or photos.
    Comment {
        /// What is said.
        0 text: Option<Text>,
        /// Voice, photos and the like.
        1 attachments: Vec<Hash>,
        /// Who is called by name.
        2 mentions: Vec<MemberId>,
    }
}
payload! {
    /// Data of `seen`.
    Seen {}
}
