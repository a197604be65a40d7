//! The reasons why a move is refused or was overtaken, as codes that reach a person.

use super::{Move, Stage};
use crate::domain::case::may::Denied;

coded_error! {
    /// The reason why an entry changes nothing.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum Refusal {
        /// The author may not make the move.
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
        /// The step is not possible in this stage.
        #[error("case.not_now: {step} is not possible in stage {stage}")]
        StepNotNow {
            /// The name of the stage.
            stage: &'static str,
            /// The name of the step.
            step: &'static str,
        },
        /// The step lacks its reason or its words, or it has a reason that it does not take.
        #[error("case.step_incomplete")]
        StepIncomplete,
        /// The entry was overtaken by a step that its author had not seen: one of a higher rank, or the first
        /// of the same rank.
        #[error("case.step_overtaken")]
        StepOvertaken,
        /// The assignment does not exist.
        #[error("case.no_assignment")]
        NoAssignment,
        /// The assignment is in another state than this step needs.
        #[error("case.assignment_elsewhere")]
        AssignmentElsewhere,
        /// The district made the assignment finally, so it cannot be returned.
        #[error("case.final_assignment")]
        FinalAssignment,
        /// The party has this part already.
        #[error("case.already_assigned")]
        AlreadyAssigned,
        /// The home area has no village, or the grid is the village.
        #[error("case.grid_outside")]
        GridOutside,
        /// The area is responsible already.
        #[error("case.same_area")]
        SameArea,
        /// The level is not one above the present one.
        #[error("case.not_next_level")]
        NotNextLevel,
        /// The request for more time does not exist, or it was granted.
        #[error("case.no_request")]
        NoRequest,
        /// The record cannot be merged, because the other record is the same one.
        #[error("case.merge_self")]
        MergeSelf,
        /// Another merge is in force now.
        #[error("case.other_merge")]
        OtherMerge,
        /// The record has a Genesis already.
        #[error("case.second_genesis")]
        SecondGenesis,
        /// The entry was overtaken. A person had said that danger remains, and the author had not seen it.
        #[error("case.danger_unseen")]
        DangerUnseen,
        /// The entry was overtaken. A party was at work on the case, and the author had not seen it.
        #[error("case.work_unseen")]
        WorkUnseen,
        /// The entry was overtaken, because its author had worked on the case in another branch.
        #[error("case.own_work_elsewhere")]
        OwnWorkElsewhere,
        /// The record has an event that this version does not know.
        #[error("case.newer")]
        Newer,
    }
}

/// Whether the author of an entry was allowed to make it in the state that it had seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Legality {
    Legal,
    Illegal(Refusal),
    /// Void or held.
    Ignored,
    /// The entry, or an entry in its past, needs a newer app.
    Unjudged(Refusal),
}
