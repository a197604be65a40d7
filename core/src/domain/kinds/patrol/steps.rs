//! The stages and steps of a patrol.
//!
//! A patrol that was walked wins over one that was given up where two people have not seen each other's step.

use crate::domain::permissions::Row;
use crate::domain::steps::{STRANGER, StageSpec, StepSpec, StepTable};

/// 巡逻中: the birth of a patrol.
pub const OPENED: StageSpec = StageSpec {
    code: 131,
    name: "opened",
    is_ended: false,
};
/// 已结束
pub const ENDED: StageSpec = StageSpec {
    code: 132,
    name: "ended",
    is_ended: true,
};
/// 已作废
pub const ABANDONED: StageSpec = StageSpec {
    code: 133,
    name: "abandoned",
    is_ended: true,
};

/// A person joins. The proof that the phone stood beside the lead's phone is a log entry, so a person without it
/// joins too, and is shown as not counted.
pub const JOIN: StepSpec = StepSpec {
    code: 1,
    name: "join_patrol",
    from: &[OPENED],
    to: OPENED,
    rank: 1,
    reasons: &[],
    needs_text: false,
    right: Row::PatrolWork,
    not_by: &[],
};

/// The patrol is over. Each person of the patrol may say so, because the phone of the lead may be lost. People part
/// at different times, so each device may make the step once, also after the end of somebody else. The walk ends
/// with the latest of them.
pub const END: StepSpec = StepSpec {
    code: 2,
    name: "end_patrol",
    from: &[OPENED, ENDED],
    to: ENDED,
    rank: 3,
    reasons: &[],
    needs_text: false,
    right: Row::PatrolWork,
    not_by: &[STRANGER],
};

/// A patrol that was opened by mistake, or never ended.
pub const ABANDON: StepSpec = StepSpec {
    code: 3,
    name: "abandon",
    from: &[OPENED],
    to: ABANDONED,
    rank: 2,
    reasons: &[],
    needs_text: true,
    right: Row::CallOff,
    not_by: &[],
};

/// The stages and steps of a patrol.
pub static STEPS: StepTable = StepTable {
    stages: &[OPENED, ENDED, ABANDONED],
    steps: &[JOIN, END, ABANDON],
    handling: &[],
    fixes_content: false,
};
