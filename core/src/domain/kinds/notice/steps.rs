//! The stages, steps and addressees of a notice.
//!
//! The office that published a notice archives or recalls it, and takes it back from an addressee. An addressee
//! signs for it and ends nothing. Recalled wins over archived, because a false warning must not stay in force.

use crate::domain::case::Move;
use crate::domain::permissions::Row;
use crate::domain::steps::{HandlingSpec, StageSpec, StepSpec, StepTable};

/// 已发布: the birth of a notice.
pub const PUBLISHED: StageSpec = stage(161, "published", false);
/// 已归档: the office waits for no further reading.
pub const ARCHIVED: StageSpec = stage(162, "archived", true);
/// 已撤回: the notice is not in force.
pub const RECALLED: StageSpec = stage(163, "recalled", true);

const OPEN: &[StageSpec] = &[PUBLISHED];

/// The office waits for no further reading.
pub const ARCHIVE: StepSpec = StepSpec {
    code: 1,
    name: "archive",
    from: OPEN,
    to: ARCHIVED,
    rank: 1,
    reasons: &[],
    needs_text: false,
    right: Row::EndTask,
    not_by: &[],
};

/// The notice is wrong, or is not in force any more.
pub const RECALL: StepSpec = StepSpec {
    code: 2,
    name: "recall",
    from: &[PUBLISHED, ARCHIVED],
    to: RECALLED,
    rank: 2,
    reasons: &[],
    needs_text: true,
    right: Row::EndTask,
    not_by: &[],
};

/// The stages, steps and addressees of a notice.
pub static STEPS: StepTable = StepTable {
    stages: &[PUBLISHED, ARCHIVED, RECALLED],
    steps: &[ARCHIVE, RECALL],
    handling: &[
        HandlingSpec {
            moves: &[Move::Share],
            during: OPEN,
            row: Row::Publish,
        },
        HandlingSpec {
            moves: &[Move::Withdraw],
            during: OPEN,
            row: Row::EndTask,
        },
        HandlingSpec {
            moves: &[Move::Accept],
            during: &[PUBLISHED, ARCHIVED, RECALLED],
            row: Row::Work,
        },
        HandlingSpec {
            moves: &[Move::Urge],
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
