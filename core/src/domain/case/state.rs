//! The state of a case, as the fold gives it. Data only: every field can be shown to a person.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Deadlines, GenesisFacts, Move, OnBehalfOf, Part, Party, Severity};
use crate::domain::AreaPath;
use crate::domain::area::AreaLevel;
use crate::domain::category::CategoryCode;
use crate::id::{AreaId, DeviceId, EnvelopeId, MemberId, RecordId, UnitId};

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
        /// 已退回: nobody leads; the dispatcher finds somebody else.
        Returned = 10, "returned";
        /// 待区指定: returned twice; the district assigns finally.
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
    /// How far an assignment is.
    AssignmentState, u8 {
        /// 已派单
        Dispatched = 1, "dispatched";
        /// 已签收
        Accepted = 2, "accepted";
        /// 已到场
        OnSite = 3, "on_site";
        /// 已处结
        Resolved = 4, "resolved";
        /// 已退回
        Returned = 5, "returned";
        /// 已撤回
        Withdrawn = 6, "withdrawn";
    }
}

coded_enum! {
    /// What became of an entry.
    Outcome, u8 {
        /// It counts.
        Effective = 1, "effective";
        /// Its author might do it, but something concurrent overtook it. Kept, moves nothing.
        Superseded = 2, "superseded";
        /// Its author might not do it. Moves nothing.
        Illegal = 3, "illegal";
        /// Void or held.
        Ignored = 4, "ignored";
        /// It, or something before it, needs a newer app.
        Unjudged = 5, "unjudged";
    }
}

/// The state of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub struct CaseState {
    /// What never changes.
    pub facts: GenesisFacts,
    /// The Genesis.
    pub genesis: EnvelopeId,
    /// Who created it; `None` when withheld from this replica.
    pub reporter: Option<MemberId>,
    /// The device that created it. Everybody who reads the record knows it.
    pub reporter_device: DeviceId,
    /// When it was reported (effective time), ms UTC.
    pub reported_ms: i64,
    /// How far it is.
    pub stage: Stage,
    /// The stage below a suspension or merger, which comes back with `resume` or `unmerge`.
    pub stage_below: Stage,
    /// What it is, once triaged.
    pub category: Option<CategoryCode>,
    /// How bad it is, once triaged.
    pub severity: Option<Severity>,
    /// The grid that triage found, where it differs from or refines the home area.
    pub grid: Option<AreaId>,
    /// The area that is responsible.
    pub lead_area: AreaPath,
    /// Areas that support.
    pub support_areas: Vec<AreaPath>,
    /// The level that has to care.
    pub level: AreaLevel,
    /// Assignments in the order in which they were opened.
    pub assignments: Vec<Assignment>,
    /// How often a lead assignment was returned.
    pub returns: u32,
    /// Requests for more time, in order.
    pub extensions: Vec<Extension>,
    /// Somebody said that something is still wrong, and no ending since then.
    pub danger: bool,
    /// Resolved by 当场处结: to be sampled for checking.
    pub handled_on_spot: bool,
    /// Evidence came in beside an ending, and nobody who decides has seen both.
    pub needs_review: Vec<Review>,
    /// An event that this version does not know: no further moves here, “needs a newer app”.
    pub frozen: bool,
    /// How often it was urged.
    pub urged: u32,
    /// It is under supervision.
    pub supervised: bool,
    /// The suspension in force.
    pub suspended: Option<Suspension>,
    /// The record that it is a duplicate of.
    pub merged_into: Option<RecordId>,
    /// What people have to settle.
    pub conflicts: Vec<Conflict>,
    /// First opening by a dispatcher or handler, effective time, ms UTC (receipt ladder: seen).
    pub seen_ms: Option<i64>,
    /// When it was resolved, effective time, ms UTC (receipt ladder: handled).
    pub handled_ms: Option<i64>,
    /// Everybody who wrote anything that counts.
    pub participants: BTreeSet<MemberId>,
    /// Everybody who worked on it, and so may not judge it.
    pub workers: BTreeSet<MemberId>,
    /// What became of each entry, in the order of the fold.
    pub timeline: Vec<TimelineItem>,
    /// Verified, closed, followed up, dismissed or handed over: what lies above the assignments.
    pub(super) over: Option<Stage>,
}

/// One assignment: somebody is responsible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The dispatch, share or final assignment that opened it.
    pub id: EnvelopeId,
    /// Who.
    pub to: Party,
    /// Lead or support.
    pub part: Part,
    /// How far.
    pub state: AssignmentState,
    /// The district decided: it can not be returned.
    pub is_final: bool,
    /// Deadlines, extensions included.
    pub deadlines: Deadlines,
    /// When it was opened, effective time, ms UTC.
    pub dispatched_ms: i64,
    /// When it was accepted, effective time, ms UTC.
    pub accepted_ms: Option<i64>,
    /// When somebody was on site, effective time, ms UTC.
    pub arrived_ms: Option<i64>,
    /// When it was resolved, effective time, ms UTC; `None` again after a reopening.
    pub resolved_ms: Option<i64>,
    /// When it was returned or withdrawn, effective time, ms UTC.
    pub ended_ms: Option<i64>,
    /// A step was made on behalf of the party: left out of response times.
    pub on_behalf: Option<OnBehalfOf>,
}

/// A request for more time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// The request.
    pub request: EnvelopeId,
    /// The assignment.
    pub assignment: EnvelopeId,
    /// The deadline asked for, ms UTC.
    pub until_ms: i64,
    /// The deadline granted, ms UTC.
    pub granted_ms: Option<i64>,
}

/// A suspension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The move.
    pub by: EnvelopeId,
    /// Since when, effective time, ms UTC. Deadlines rest.
    pub since_ms: i64,
    /// Until when, ms UTC, if that is known.
    pub until_ms: Option<i64>,
}

/// Evidence beside an ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Review {
    /// The comment, photo or edit.
    pub evidence: EnvelopeId,
    /// The ending whose author had not seen it.
    pub ending: EnvelopeId,
}

/// One move and its author, as a conflict names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Side {
    /// The envelope.
    pub id: EnvelopeId,
    /// What was done.
    pub movement: Move,
    /// By whom; `None` when withheld from this replica.
    pub by: Option<MemberId>,
}

/// Something that people have to settle. It goes when somebody decides who has seen both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// The ending does not hold: its author had not seen that danger remains.
    DangerOverEnding {
        /// Who ended.
        ending: Side,
        /// Who says that it is not over.
        danger: Side,
    },
    /// Two people made somebody responsible without knowing of each other. Both are, until one is withdrawn.
    DoubleDispatch {
        /// The first in the order of the fold.
        first: Side,
        /// The second.
        second: Side,
    },
    /// Two people decided the same thing differently (triage, transfer); both are kept, one is in force.
    Rival {
        /// In force.
        in_force: Side,
        /// Overtaken.
        other: Side,
    },
    /// Somebody judged a case on which the same person, elsewhere, worked. The judgement does not hold.
    OwnWork {
        /// The judgement.
        judgement: Side,
        /// The work, or what made the judge a responsible party.
        work: Side,
    },
}

/// What became of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimelineItem {
    /// The envelope.
    pub id: EnvelopeId,
    /// What it did; `None` for Genesis, content and what is unknown.
    pub movement: Option<Move>,
    /// Who; `None` when withheld from this replica.
    pub by: Option<MemberId>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is illegal or superseded: a stable code.
    pub why: Option<&'static str>,
    /// The device's clock, clamped between the effective time of its parents and the server time of its own
    /// verdict, ms UTC.
    pub effective_ms: i64,
}

impl Stage {
    /// Whether nobody has to work on the case: resolved and all after it, dismissed, handed over, merged.
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

impl AssignmentState {
    /// Whether somebody still has to work on it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Dispatched | Self::Accepted | Self::OnSite)
    }

    /// Whether the party is responsible: neither returned nor withdrawn.
    #[must_use]
    pub const fn is_responsible(self) -> bool {
        !matches!(self, Self::Returned | Self::Withdrawn)
    }
}

impl CaseState {
    /// The home area, with the grid that triage found.
    #[must_use]
    pub fn place(&self) -> AreaPath {
        self.grid
            .and_then(|grid| self.facts.home.with_grid(grid))
            .unwrap_or(self.facts.home)
    }

    /// Every area that is or was made responsible for it, its birthplace first.
    pub fn areas(&self) -> impl Iterator<Item = AreaPath> + '_ {
        [self.place(), self.lead_area]
            .into_iter()
            .chain(self.support_areas.iter().copied())
    }

    /// The assignment that an envelope opened.
    #[must_use]
    pub fn assignment(&self, id: EnvelopeId) -> Option<&Assignment> {
        self.assignments
            .iter()
            .find(|assignment| assignment.id == id)
    }

    /// Whether the member, or one of the units, is responsible for the case (lead or support).
    #[must_use]
    pub fn is_party(&self, member: Option<MemberId>, units: &[UnitId]) -> bool {
        self.assignments
            .iter()
            .any(|a| a.state.is_responsible() && a.to.is(member, units))
    }

    /// Entries that were overtaken, with their codes.
    pub fn superseded(&self) -> impl Iterator<Item = &TimelineItem> {
        self.timeline
            .iter()
            .filter(|item| item.outcome == Outcome::Superseded)
    }

    /// The outcome of an entry.
    #[must_use]
    pub fn outcome(&self, id: EnvelopeId) -> Option<&TimelineItem> {
        self.timeline.iter().find(|item| item.id == id)
    }
}

impl Party {
    /// Whether the member, or one of the units, is this party.
    #[must_use]
    pub fn is(&self, member: Option<MemberId>, units: &[UnitId]) -> bool {
        match self {
            Self::Unit(unit) => units.contains(unit),
            Self::Member(party) => member == Some(*party),
        }
    }
}
