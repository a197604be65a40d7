//! The stages, steps and roster of a shift.
//!
//! A person on the roster hands over, and another person takes over. A person who is not on the roster settles the
//! shift, because people do not confirm their own hours. A handover wins over settling and calling off, where two
//! people have not seen each other's step, so that open work is not lost.

use crate::domain::case::Move;
use crate::domain::permissions::Row;
use crate::domain::steps::{HandlingSpec, PARTY, StageSpec, StepSpec, StepTable};

/// 已排班: the birth of a shift. The assignments show who has signed in.
pub const ROSTERED: StageSpec = stage(171, "rostered", false);
/// 交班中: the outgoing person has listed the open work.
pub const HANDING_OVER: StageSpec = stage(172, "handing_over", false);
/// 已接班
pub const HANDED_OVER: StageSpec = stage(173, "handed_over", false);
/// 已核定
pub const SETTLED: StageSpec = stage(174, "settled", true);
/// 已取消
pub const CANCELLED: StageSpec = stage(105, "cancelled", true);

const OPEN: &[StageSpec] = &[ROSTERED, HANDING_OVER, HANDED_OVER];

/// The outgoing person lists the open work.
pub const HAND_OVER: StepSpec = StepSpec {
    code: 1,
    name: "hand_over",
    from: &[ROSTERED],
    to: HANDING_OVER,
    rank: 3,
    reasons: &[],
    needs_text: true,
    right: Row::Work,
    not_by: &[],
};

/// Another person takes the open work over.
pub const TAKE_OVER: StepSpec = StepSpec {
    code: 2,
    name: "take_over",
    from: &[HANDING_OVER],
    to: HANDED_OVER,
    rank: 4,
    reasons: &[],
    needs_text: false,
    right: Row::Roster,
    not_by: &[HAND_OVER.code],
};

/// The hours of a shift without handover are confirmed.
pub const SETTLE: StepSpec = StepSpec {
    code: 3,
    name: "settle",
    from: &[ROSTERED],
    to: SETTLED,
    rank: 2,
    reasons: &[],
    needs_text: false,
    right: Row::Roster,
    not_by: &[PARTY],
};

/// The shift does not take place.
pub const CANCEL: StepSpec = StepSpec {
    code: 4,
    name: "cancel",
    from: &[ROSTERED],
    to: CANCELLED,
    rank: 1,
    reasons: &[],
    needs_text: true,
    right: Row::Roster,
    not_by: &[],
};

/// The hours of a shift with handover are confirmed. It has a rank of its own, so that a shift that was settled
/// meanwhile hides no handover.
pub const CONFIRM: StepSpec = StepSpec {
    code: 5,
    name: "confirm",
    from: &[HANDED_OVER],
    to: SETTLED,
    rank: 5,
    reasons: &[],
    needs_text: false,
    right: Row::Roster,
    not_by: &[PARTY],
};

/// The stages, steps and roster of a shift.
pub static STEPS: StepTable = StepTable {
    stages: &[ROSTERED, HANDING_OVER, HANDED_OVER, SETTLED, CANCELLED],
    steps: &[HAND_OVER, TAKE_OVER, SETTLE, CANCEL, CONFIRM],
    handling: &[
        HandlingSpec {
            moves: &[Move::Share, Move::Withdraw, Move::GrantExtension],
            during: OPEN,
            row: Row::Roster,
        },
        HandlingSpec {
            moves: &[Move::Accept, Move::Resolve],
            during: &[ROSTERED, HANDING_OVER, HANDED_OVER, SETTLED, CANCELLED],
            row: Row::Work,
        },
        HandlingSpec {
            moves: &[Move::RequestExtension],
            during: OPEN,
            row: Row::Work,
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
