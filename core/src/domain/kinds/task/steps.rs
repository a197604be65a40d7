//! The stages, steps and parties of a task.
//!
//! The office that published a task completes or revokes it, and takes it back from a party. A person of an area
//! that the task was shared with gives it on, and ends nothing. A party ends nothing either, unless it published the
//! task. Completed wins over revoked where two people have not seen each other's step.

use crate::domain::case::Move;
use crate::domain::permissions::Row;
use crate::domain::steps::{HandlingSpec, StageSpec, StepSpec, StepTable};

/// 已下达: the birth of a task. The assignments show how far each party is.
pub const ISSUED: StageSpec = stage(121, "issued", false);
/// 已办结
pub const COMPLETED: StageSpec = stage(122, "completed", true);
/// 已撤销
pub const REVOKED: StageSpec = stage(123, "revoked", true);

const OPEN: &[StageSpec] = &[ISSUED];

/// The task is done.
pub const COMPLETE: StepSpec = StepSpec {
    code: 1,
    name: "complete",
    from: OPEN,
    to: COMPLETED,
    rank: 2,
    reasons: &[],
    needs_text: false,
    right: Row::EndTask,
    not_by: &[],
};

/// The task is not wanted any more.
pub const REVOKE: StepSpec = StepSpec {
    code: 2,
    name: "revoke",
    from: OPEN,
    to: REVOKED,
    rank: 1,
    reasons: &[],
    needs_text: true,
    right: Row::EndTask,
    not_by: &[],
};

/// The stages, steps and parties of a task.
pub static STEPS: StepTable = StepTable {
    stages: &[ISSUED, COMPLETED, REVOKED],
    steps: &[COMPLETE, REVOKE],
    handling: &[
        HandlingSpec {
            moves: &[Move::Dispatch, Move::Share, Move::GrantExtension],
            during: OPEN,
            row: Row::Publish,
        },
        HandlingSpec {
            moves: &[Move::Withdraw],
            during: OPEN,
            row: Row::EndTask,
        },
        HandlingSpec {
            moves: &[Move::Accept, Move::Arrive, Move::Resolve],
            during: &[ISSUED, COMPLETED, REVOKED],
            row: Row::Work,
        },
        HandlingSpec {
            moves: &[Move::Return, Move::RequestExtension],
            during: OPEN,
            row: Row::Work,
        },
        HandlingSpec {
            moves: &[Move::Escalate],
            during: OPEN,
            row: Row::Escalate,
        },
        HandlingSpec {
            moves: &[Move::Urge, Move::Supervise],
            during: OPEN,
            row: Row::Urge,
        },
    ],
    fixes_content: false,
};

const fn stage(code: u8, name: &'static str, is_ended: bool) -> StageSpec {
    StageSpec {
        code,
        name,
        is_ended,
    }
}
