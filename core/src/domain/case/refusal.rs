//! Why a move can not be made, or was overtaken: codes that reach a person.

use super::{Move, Stage};
use crate::domain::may::Denied;

/// Why an entry moves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The author may not do it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The move is not possible in this stage.
    #[error("case.not_now: {movement} is not possible in stage {stage}")]
    NotNow {
        /// The stage.
        stage: Stage,
        /// The move.
        movement: Move,
    },
    /// There is no such assignment.
    #[error("case.no_assignment")]
    NoAssignment,
    /// The assignment is not in the state that this step needs.
    #[error("case.assignment_elsewhere")]
    AssignmentElsewhere,
    /// The district assigned it finally: it can not be returned.
    #[error("case.final_assignment")]
    FinalAssignment,
    /// The party has this part already.
    #[error("case.already_assigned")]
    AlreadyAssigned,
    /// The home area has no village, or the grid is the village itself.
    #[error("case.grid_outside")]
    GridOutside,
    /// The area is responsible already.
    #[error("case.same_area")]
    SameArea,
    /// The level is not one above the present one.
    #[error("case.not_next_level")]
    NotNextLevel,
    /// There is no such request for more time, or it was granted.
    #[error("case.no_request")]
    NoRequest,
    /// A record is no duplicate of itself.
    #[error("case.merge_self")]
    MergeSelf,
    /// A second Genesis.
    #[error("case.second_genesis")]
    SecondGenesis,
    /// Overtaken: somebody had said that danger remains, and the author had not seen it.
    #[error("case.danger_unseen")]
    DangerUnseen,
    /// Overtaken: the author had worked on the case elsewhere.
    #[error("case.own_work_elsewhere")]
    OwnWorkElsewhere,
    /// The record has an event that this version does not know.
    #[error("case.newer")]
    Newer,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Denied(denied) => denied.code(),
            Self::NotNow { .. } => "case.not_now",
            Self::NoAssignment => "case.no_assignment",
            Self::AssignmentElsewhere => "case.assignment_elsewhere",
            Self::FinalAssignment => "case.final_assignment",
            Self::AlreadyAssigned => "case.already_assigned",
            Self::GridOutside => "case.grid_outside",
            Self::SameArea => "case.same_area",
            Self::NotNextLevel => "case.not_next_level",
            Self::NoRequest => "case.no_request",
            Self::MergeSelf => "case.merge_self",
            Self::SecondGenesis => "case.second_genesis",
            Self::DangerUnseen => "case.danger_unseen",
            Self::OwnWorkElsewhere => "case.own_work_elsewhere",
            Self::Newer => "case.newer",
        }
    }
}
