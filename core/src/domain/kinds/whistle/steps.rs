//! The stages, steps and parties of a joint call.
//!
//! A later phase wins over an earlier one, each phase wins over calling off, and reopening wins over all of them,
//! where two people have not seen each other's step. The arrival of units is no stage of its own: [`missing`]
//! lists the units that have not come.

use crate::domain::case::{AssignmentState, Move, Party, RecordState};
use crate::domain::permissions::Row;
use crate::domain::steps::{HandlingSpec, PARTY, StageSpec, StepSpec, StepTable};

/// 待吹哨: the birth of a call.
pub const REQUESTED: StageSpec = stage(141, "requested", false);
/// 已吹哨
pub const CALLED: StageSpec = stage(142, "called", false);
/// 已勘查
pub const SURVEYED: StageSpec = stage(143, "surveyed", false);
/// 已整治
pub const RECTIFIED: StageSpec = stage(144, "rectified", false);
/// 已评估
pub const EVALUATED: StageSpec = stage(145, "evaluated", true);
/// 不予吹哨
pub const NOT_CALLED: StageSpec = stage(146, "not_called", true);
/// 已取消
pub const CANCELLED: StageSpec = stage(105, "cancelled", true);

const RUNNING: &[StageSpec] = &[CALLED, SURVEYED, RECTIFIED];
const WITH_LATE_WORK: &[StageSpec] = &[CALLED, SURVEYED, RECTIFIED, EVALUATED, CANCELLED];

/// The call goes out. The units follow by `dispatch`.
pub const BLOW: StepSpec = StepSpec {
    code: 1,
    name: "blow",
    from: &[REQUESTED],
    to: CALLED,
    rank: 3,
    reasons: &[],
    needs_text: false,
    right: Row::Blow,
    not_by: &[],
};

/// The request is declined.
pub const DECLINE: StepSpec = StepSpec {
    code: 2,
    name: "decline",
    from: &[REQUESTED],
    to: NOT_CALLED,
    rank: 1,
    reasons: &[],
    needs_text: true,
    right: Row::Blow,
    not_by: &[],
};

/// The place was surveyed (勘查).
pub const SURVEY: StepSpec = StepSpec {
    code: 3,
    name: "survey",
    from: &[CALLED],
    to: SURVEYED,
    rank: 4,
    reasons: &[],
    needs_text: false,
    right: Row::CallPhase,
    not_by: &[],
};

/// The findings were dealt with (整治). An emergency needs no survey before.
pub const RECTIFY: StepSpec = StepSpec {
    code: 4,
    name: "rectify",
    from: &[CALLED, SURVEYED],
    to: RECTIFIED,
    rank: 5,
    reasons: &[],
    needs_text: false,
    right: Row::CallPhase,
    not_by: &[],
};

/// The result was evaluated (评估). A survey that found nothing needs no rectification. The people who may blow the
/// call evaluate it. A person does not judge the survey or the rectification that this person reported, and a unit
/// that was called does not judge at all.
pub const EVALUATE: StepSpec = StepSpec {
    code: 5,
    name: "evaluate",
    from: &[SURVEYED, RECTIFIED],
    to: EVALUATED,
    rank: 6,
    reasons: &[],
    needs_text: false,
    right: Row::Blow,
    not_by: &[SURVEY.code, RECTIFY.code, PARTY],
};

/// The call is off.
pub const CANCEL: StepSpec = StepSpec {
    code: 6,
    name: "cancel",
    from: &[REQUESTED, CALLED, SURVEYED, RECTIFIED],
    to: CANCELLED,
    rank: 2,
    reasons: &[],
    needs_text: true,
    right: Row::Blow,
    not_by: &[],
};

/// The call was ended too early, or called off wrongly, and continues. Parties that are still needed are called again.
pub const REOPEN: StepSpec = StepSpec {
    code: 7,
    name: "reopen_call",
    from: &[EVALUATED, CANCELLED],
    to: CALLED,
    rank: 7,
    reasons: &[],
    needs_text: true,
    right: Row::Reopen,
    not_by: &[],
};

/// The stages, steps and parties of a joint call.
pub static STEPS: StepTable = StepTable {
    stages: &[
        REQUESTED, CALLED, SURVEYED, RECTIFIED, EVALUATED, NOT_CALLED, CANCELLED,
    ],
    steps: &[BLOW, DECLINE, SURVEY, RECTIFY, EVALUATE, CANCEL, REOPEN],
    handling: &[
        HandlingSpec {
            moves: &[Move::Dispatch, Move::Withdraw, Move::GrantExtension],
            during: RUNNING,
            row: Row::Blow,
        },
        HandlingSpec {
            moves: &[Move::Accept, Move::Arrive, Move::Resolve],
            during: WITH_LATE_WORK,
            row: Row::Work,
        },
        HandlingSpec {
            moves: &[Move::Return, Move::RequestExtension],
            during: RUNNING,
            row: Row::Work,
        },
        HandlingSpec {
            moves: &[Move::Urge, Move::Supervise],
            during: RUNNING,
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

/// The units and people that were called and have not come yet, in order of their call. A party that has finished
/// its part without coming is not missing.
#[must_use]
pub fn missing(state: &RecordState) -> Vec<Party> {
    let has_come = |party: Party| {
        let mut all = state.assignments().iter().filter(|one| one.to == party);
        all.any(|one| {
            one.arrived_ms.is_some() && one.state.is_responsible()
                || one.state == AssignmentState::Resolved
        })
    };
    let mut missing: Vec<Party> = Vec::new();
    for one in state.assignments().iter().filter(|one| one.state.is_open()) {
        if !missing.contains(&one.to) && !has_come(one.to) {
            missing.push(one.to);
        }
    }
    missing
}
