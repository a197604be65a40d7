//! The stages and steps of a visit.
//!
//! Work wins over calling off where two people have not seen each other's step: finished, then not met, then
//! started, then cancelled.

use crate::domain::case::RecordState;
use crate::domain::form::Date;
use crate::domain::permissions::Row;
use crate::domain::steps::{ReasonSpec, StageSpec, StepSpec, StepTable};

/// 已计划: the birth of a visit.
pub const PLANNED: StageSpec = stage(101, "planned", false);
/// 走访中
pub const STARTED: StageSpec = stage(102, "started", false);
/// 已完成
pub const FINISHED: StageSpec = stage(103, "finished", true);
/// 未见到人
pub const NOT_MET: StageSpec = stage(104, "not_met", true);
/// 已取消
pub const CANCELLED: StageSpec = stage(105, "cancelled", true);

/// The person is out.
pub const NOBODY_HOME: ReasonSpec = reason(1, "nobody_home");
/// The person refuses the visit.
pub const REFUSED_VISIT: ReasonSpec = reason(2, "refused");
/// The person has moved away, or the shop is closed down.
pub const WENT_AWAY: ReasonSpec = reason(3, "moved");

/// The visitor is there.
pub const START: StepSpec = StepSpec {
    code: 1,
    name: "start",
    from: &[PLANNED],
    to: STARTED,
    rank: 2,
    reasons: &[],
    needs_text: false,
    right: Row::FieldWork,
    not_by: &[],
};

/// The visit is made. A visit that was never started may be finished, because it may be written down
/// afterwards.
pub const FINISH: StepSpec = StepSpec {
    code: 2,
    name: "finish",
    from: &[PLANNED, STARTED],
    to: FINISHED,
    rank: 4,
    reasons: &[],
    needs_text: false,
    right: Row::FieldWork,
    not_by: &[],
};

/// The visitor met no one.
pub const NOT_MET_STEP: StepSpec = StepSpec {
    code: 3,
    name: "not_met",
    from: &[PLANNED, STARTED],
    to: NOT_MET,
    rank: 3,
    reasons: &[NOBODY_HOME, REFUSED_VISIT, WENT_AWAY],
    needs_text: false,
    right: Row::FieldWork,
    not_by: &[],
};

/// The visit will not take place.
pub const CANCEL: StepSpec = StepSpec {
    code: 4,
    name: "cancel",
    from: &[PLANNED, STARTED],
    to: CANCELLED,
    rank: 1,
    reasons: &[],
    needs_text: true,
    right: Row::CallOff,
    not_by: &[],
};

/// A person joins a visit that has begun, to answer and to end it too. A person who was planned as
/// a companion is named in the Genesis and needs no step.
pub const JOIN: StepSpec = StepSpec {
    code: 5,
    name: "join",
    from: &[STARTED],
    to: STARTED,
    rank: 2,
    reasons: &[],
    needs_text: false,
    right: Row::FieldWork,
    not_by: &[],
};

/// The stages and steps of a visit.
pub static STEPS: StepTable = StepTable {
    stages: &[PLANNED, STARTED, FINISHED, NOT_MET, CANCELLED],
    steps: &[START, FINISH, NOT_MET_STEP, CANCEL, JOIN],
    handling: &[],
    fixes_content: false,
};

const fn stage(code: u8, name: &'static str, is_ended: bool) -> StageSpec {
    StageSpec {
        code,
        name,
        is_ended,
    }
}

const fn reason(code: u8, name: &'static str) -> ReasonSpec {
    ReasonSpec { code, name }
}

/// The time from the start to the end of a finished visit, in ms. `None` for a visit that was not started or
/// not finished, and where the clock ran backwards in between.
#[must_use]
pub fn duration_ms(state: &RecordState) -> Option<i64> {
    state.steps()?.between_ms(STARTED, FINISHED)
}

/// The day of the visit, as its checklist reads it: the day of its start, else of its end, else of its report.
/// A later look gives the same day.
#[must_use]
pub fn day(state: &RecordState) -> Date {
    let steps = state.steps();
    let entered = |stage| steps.and_then(|steps| steps.entered(stage));
    let mut known = [STARTED, FINISHED, NOT_MET, CANCELLED].into_iter();
    let first = known.find_map(entered);
    Date::in_china(first.map_or(state.reported_ms, |entry| entry.at_ms))
}
