//! The state of a case, as the fold gives it. It holds data only, and every field can be shown to a person.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Handling, MergeFault, Move, Severity};
use crate::domain::category::CategoryCode;
use crate::id::{AreaId, EnvelopeId, MemberId, RecordId};

coded_enum! {
    /// How far a case is. (The rest of its state is in [`CaseState`].)
    Stage, u8 {
        /// 已上报
        Reported = 1, "reported";
        /// 已研判
        Triaged = 2, "triaged";
        /// 已派单
        Dispatched = 3, "dispatched";
        /// 已签收
        Accepted = 4, "accepted";
        /// 已到场
        OnSite = 5, "on_site";
        /// 已处结
        Resolved = 6, "resolved";
        /// 已核查
        Verified = 7, "verified";
        /// 已结案
        Closed = 8, "closed";
        /// 已回访
        FollowedUp = 9, "followed_up";
        /// 已退回: the case has no lead, so the dispatcher finds another one.
        Returned = 10, "returned";
        /// 待区指定: the lead was returned twice, so the district assigns finally.
        Referred = 11, "referred";
        /// 已挂起
        Suspended = 12, "suspended";
        /// 不予受理
        Dismissed = 13, "dismissed";
        /// 已移交公安
        HandedToPolice = 14, "handed_to_police";
        /// 已并案: a duplicate of another record.
        Merged = 15, "merged";
    }
}

coded_enum! {
    /// The result of an entry in the fold.
    Outcome, u8 {
        /// It counts.
        Effective = 1, "effective";
        /// The author was allowed to do it, but a concurrent entry overtook it. It is kept and changes
        /// nothing.
        Superseded = 2, "superseded";
        /// The author was not allowed to do it. It changes nothing.
        Illegal = 3, "illegal";
        /// Void or held.
        Ignored = 4, "ignored";
        /// The entry, or an entry in its past, needs a newer app.
        Unjudged = 5, "unjudged";
    }
}

/// The state of a case: everything that its moves decide. The other facts of the record are in
/// [`super::RecordState`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseState {
    /// How far the case is.
    pub stage: Stage,
    /// The stage below a suspension or merger. It comes back with `resume` or `unmerge`.
    pub stage_below: Stage,
    /// The category of the case; `None` before triage.
    pub category: Option<CategoryCode>,
    /// How bad the danger is; `None` before triage.
    pub severity: Option<Severity>,
    /// The grid that triage found, where it differs from or refines the home area.
    pub grid: Option<AreaId>,
    /// The areas and parties that are responsible.
    pub handling: Handling,
    /// An event says that something is still wrong, and no ending has followed since.
    pub danger: bool,
    /// The case was resolved by 当场处结, so it can be sampled for checking.
    pub handled_on_spot: bool,
    /// The suspension in force.
    pub suspended: Option<Suspension>,
    /// The record that it is a duplicate of.
    pub merged_into: Option<RecordId>,
    /// The merge in force.
    pub merge: Option<Side>,
    /// Effective time of the resolution, ms UTC (receipt ladder: handled).
    pub handled_ms: Option<i64>,
    /// All people who worked on the case. They may not judge it.
    pub workers: BTreeSet<MemberId>,
    /// The stage above the assignments: verified, closed, followed up, dismissed or handed over.
    pub(super) over: Option<Stage>,
}

/// A suspension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The move that suspended the case.
    pub by: EnvelopeId,
    /// Effective time of the start, ms UTC. Deadlines rest from then on.
    pub since_ms: i64,
    /// Planned end, ms UTC, if it is known.
    pub until_ms: Option<i64>,
}

/// Evidence beside an ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Review {
    /// The comment, photo or edit, or a danger that arrived too late to take the ending back.
    pub evidence: EnvelopeId,
    /// The ending. Its author had not seen the evidence.
    pub ending: EnvelopeId,
    /// The evidence is a danger, so the case is open until a person decides.
    pub danger: bool,
}

/// One move and its author, as a conflict names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Side {
    /// The envelope.
    pub id: EnvelopeId,
    /// The move that the author made.
    pub movement: Move,
    /// The author; `None` when the name is withheld from this replica.
    pub by: Option<MemberId>,
}

/// A conflict that people have to settle. It ends with a decision whose author has seen both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// The ending does not hold, because its author had not seen that danger remains.
    DangerOverEnding {
        /// The move that ended the case.
        ending: Side,
        /// The move that says that danger remains.
        danger: Side,
    },
    /// Two people each made a party responsible without knowing of each other. Both parties are responsible
    /// until one is withdrawn.
    DoubleDispatch {
        /// The first in the order of the fold.
        first: Side,
        /// The second.
        second: Side,
    },
    /// Two people decided the same thing differently (triage, transfer). Both decisions are kept, and one is
    /// in force.
    Rival {
        /// The decision in force.
        in_force: Side,
        /// The overtaken decision.
        other: Side,
    },
    /// A person judged a case and had worked on it in another branch. The judgement does not hold.
    OwnWork {
        /// The judgement.
        judgement: Side,
        /// The work, or the move that made the judge a responsible party.
        work: Side,
    },
    /// The record was merged into one that cannot take it over, so it is open again.
    BrokenMerge {
        /// The move that merged the record.
        merge: Side,
        /// The server's answer.
        undone: Side,
        /// The other record.
        into: RecordId,
        /// The reason why the merge does not hold.
        fault: MergeFault,
    },
    /// The ending does not hold, because its author had not seen that a party is at work on the case.
    WorkOverEnding {
        /// The move that took the case out of work.
        ending: Side,
        /// The work, or the move that made a party responsible.
        work: Side,
    },
}

/// The result of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimelineItem {
    /// The envelope.
    pub id: EnvelopeId,
    /// The move of the entry; `None` for Genesis, content and unknown bodies.
    pub movement: Option<Move>,
    /// The author; `None` when the name is withheld from this replica.
    pub by: Option<MemberId>,
    /// Whether the entry counts.
    pub outcome: Outcome,
    /// The stable code of the reason why the entry is illegal, superseded or unjudged. An unjudged entry has
    /// no code when its own past holds nothing unknown, and only a concurrent event of a newer app keeps it
    /// from changing anything.
    pub why: Option<&'static str>,
    /// The device's clock, clamped between the effective time of its parents and the server time of its own
    /// verdict, ms UTC.
    pub effective_ms: i64,
}

impl Stage {
    /// Whether the case needs no more work: resolved and every stage after it, dismissed, handed over,
    /// merged.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Resolved
                | Self::Verified
                | Self::Closed
                | Self::FollowedUp
                | Self::Dismissed
                | Self::HandedToPolice
                | Self::Merged
        )
    }
}
