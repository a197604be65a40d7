//! Handling as the fold gives it: the areas and parties that are responsible, and their deadlines. It holds data
//! only, and every field can be shown to a person.

use serde::{Deserialize, Serialize};

use super::{Deadlines, OnBehalfOf, Part, Party};
use crate::domain::AreaPath;
use crate::domain::area::AreaLevel;
use crate::id::EnvelopeId;

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

/// The areas and parties that are responsible for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handling {
    /// The area that is responsible.
    pub lead_area: AreaPath,
    /// The areas that support.
    pub support_areas: Vec<AreaPath>,
    /// The level that has to take care of the record.
    pub level: AreaLevel,
    /// The assignments, in order of their opening.
    pub assignments: Vec<Assignment>,
    /// How often a lead assignment was returned.
    pub returns: u32,
    /// Requests for more time, in order.
    pub extensions: Vec<Extension>,
    /// How often it was urged.
    pub urged: u32,
    /// It is under supervision.
    pub supervised: bool,
}

/// One assignment. It makes a party responsible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The dispatch, share or final assignment that opened it.
    pub id: EnvelopeId,
    /// The party that is responsible.
    pub to: Party,
    /// Lead or support.
    pub part: Part,
    /// How far the assignment is.
    pub state: AssignmentState,
    /// The district made the assignment finally, so it cannot be returned.
    pub is_final: bool,
    /// The deadlines, extensions included.
    pub deadlines: Deadlines,
    /// Effective time of the opening, ms UTC.
    pub dispatched_ms: i64,
    /// Effective time of the acceptance, ms UTC.
    pub accepted_ms: Option<i64>,
    /// Effective time of the arrival on site, ms UTC.
    pub arrived_ms: Option<i64>,
    /// Effective time of the resolution, ms UTC; `None` again after a reopening.
    pub resolved_ms: Option<i64>,
    /// Effective time of the return or withdrawal, ms UTC.
    pub ended_ms: Option<i64>,
    /// A step was made on behalf of the party, so the assignment is left out of response times.
    pub on_behalf: Option<OnBehalfOf>,
}

/// A request for more time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// The request.
    pub request: EnvelopeId,
    /// The assignment.
    pub assignment: EnvelopeId,
    /// The deadline that was asked for, ms UTC.
    pub until_ms: i64,
    /// The deadline that was granted, ms UTC.
    pub granted_ms: Option<i64>,
}

impl Handling {
    /// The state at the birth of a record in this area.
    #[must_use]
    pub fn born(home: AreaPath) -> Self {
        // A record that belongs to no village starts where it was born.
        let level = match home.level() {
            AreaLevel::District => AreaLevel::District,
            AreaLevel::Town => AreaLevel::Town,
            AreaLevel::Village | AreaLevel::Grid => AreaLevel::Village,
        };
        Self {
            lead_area: home,
            support_areas: Vec::new(),
            level,
            assignments: Vec::new(),
            returns: 0,
            extensions: Vec::new(),
            urged: 0,
            supervised: false,
        }
    }

    /// The assignment that an envelope opened.
    #[must_use]
    pub fn assignment(&self, id: EnvelopeId) -> Option<&Assignment> {
        self.assignments.iter().find(|one| one.id == id)
    }

    /// The party leads: a lead assignment of it was neither returned nor withdrawn.
    pub fn leads(&self) -> impl Iterator<Item = &Assignment> {
        let all = self.assignments.iter();
        all.filter(|one| one.part == Part::Lead && one.state.is_responsible())
    }
}

impl AssignmentState {
    /// Whether the assignment still needs work.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Dispatched | Self::Accepted | Self::OnSite)
    }

    /// Whether the party is responsible: the assignment was neither returned nor withdrawn.
    #[must_use]
    pub const fn is_responsible(self) -> bool {
        !matches!(self, Self::Returned | Self::Withdrawn)
    }
}
