//! The stages, steps and responsible parties of a dispute.
//!
//! Where two people have not seen each other's step, the statement that the dispute goes on wins: a new try,
//! then a failed mediation. After these come the agreement and its ends, then a session, and last the steps
//! that take a dispute off the list. So no session is lost behind a referral, and no closing hides a
//! failure.

use crate::domain::moves::Move;
use crate::domain::permissions::Row;
use crate::domain::steps::{
    HandlingSpec, NAMED, PARTY, ReasonSpec, StageSpec, StepSpec, StepTable,
};

/// 已登记: the birth of a dispute.
pub const REGISTERED: StageSpec = stage(111, "registered", false);
/// 调解中
pub const MEDIATING: StageSpec = stage(112, "mediating", false);
/// 已达成协议. The dispute stays open until the responsible leader concludes it.
pub const AGREED: StageSpec = stage(113, "agreed", false);
/// 调解未成. The leader passes the dispute on, or mediation begins anew.
pub const FAILED: StageSpec = stage(114, "failed", false);
/// 已转送: a court or another body decides now.
pub const PASSED_ON: StageSpec = stage(115, "passed_on", true);
/// 已办结
pub const CONCLUDED: StageSpec = stage(116, "concluded", true);
/// 已回访
pub const REVISITED: StageSpec = stage(117, "revisited", true);
/// 已并入: another dispute continues, which the field `combined_into` names.
pub const COMBINED: StageSpec = stage(118, "combined", true);
/// 已取消: it was registered in error.
pub const CANCELLED: StageSpec = stage(105, "cancelled", true);

/// The claims are too far apart.
pub const FAR_APART: ReasonSpec = reason(1, "far_apart");
/// A party does not come.
pub const PARTY_ABSENT: ReasonSpec = reason(2, "party_absent");
/// A party does not want mediation.
pub const UNWILLING: ReasonSpec = reason(3, "unwilling");
/// A lawsuit.
pub const TO_COURT: ReasonSpec = reason(4, "to_court");
/// Arbitration of labour or of land.
pub const TO_ARBITRATION: ReasonSpec = reason(5, "to_arbitration");
/// A decision of an authority.
pub const TO_AUTHORITY: ReasonSpec = reason(6, "to_authority");
/// A matter of the police.
pub const TO_POLICE: ReasonSpec = reason(7, "to_police");
/// There was no dispute.
pub const NO_DISPUTE: ReasonSpec = reason(8, "no_dispute");
/// The entry is wrong, and a right one exists or will be made.
pub const WRONG_ENTRY: ReasonSpec = reason(9, "wrong_entry");
/// The parties keep the agreement.
pub const KEPT: ReasonSpec = reason(10, "kept");
/// The parties keep a part of the agreement.
pub const PARTLY_KEPT: ReasonSpec = reason(11, "partly_kept");

const BEFORE_AGREEMENT: &[StageSpec] = &[REGISTERED, MEDIATING, FAILED];
const OPEN: &[StageSpec] = &[REGISTERED, MEDIATING, FAILED, AGREED];
/// The stages that work of a responsible party may arrive in, because it was done before the stage.
const LATE: &[StageSpec] = &[
    REGISTERED, MEDIATING, FAILED, AGREED, PASSED_ON, CONCLUDED, REVISITED, COMBINED, CANCELLED,
];
/// The parties of a dispute decide nothing in it.
const PARTIES: &[u8] = &[NAMED];
/// The responsible parties do not take a dispute off the list, because that improves their own rate.
const OFF_THE_LIST: &[u8] = &[PARTY, NAMED];
/// The people who mediated do not judge the result. The creator may, because a registration is no mediation.
const MEDIATION: &[u8] = &[1, 2, NAMED];

/// A mediation session. One mediator holds many of them.
pub const SESSION: StepSpec = StepSpec {
    code: 1,
    name: "session",
    from: BEFORE_AGREEMENT,
    to: MEDIATING,
    rank: 4,
    reasons: &[],
    needs_text: true,
    right: Row::Agree,
    not_by: PARTIES,
};

/// The parties agree. A dispute without a session may be agreed, because it may be written down afterwards.
pub const AGREE: StepSpec = StepSpec {
    code: 2,
    name: "agree",
    from: BEFORE_AGREEMENT,
    to: AGREED,
    rank: 6,
    reasons: &[],
    needs_text: true,
    right: Row::Agree,
    not_by: PARTIES,
};

/// The mediation ends without an agreement.
pub const FAIL: StepSpec = StepSpec {
    code: 3,
    name: "fail",
    from: &[REGISTERED, MEDIATING],
    to: FAILED,
    rank: 9,
    reasons: &[FAR_APART, PARTY_ABSENT, UNWILLING],
    needs_text: true,
    right: Row::Agree,
    not_by: PARTIES,
};

/// Another body decides.
pub const PASS_ON: StepSpec = StepSpec {
    code: 4,
    name: "pass_on",
    from: BEFORE_AGREEMENT,
    to: PASSED_ON,
    rank: 3,
    reasons: &[TO_COURT, TO_ARBITRATION, TO_AUTHORITY, TO_POLICE],
    needs_text: true,
    right: Row::CloseDispute,
    not_by: PARTIES,
};

/// The responsible leader ends an agreed dispute. The people who mediated it do not.
pub const CONCLUDE: StepSpec = StepSpec {
    code: 5,
    name: "conclude",
    from: &[AGREED],
    to: CONCLUDED,
    rank: 7,
    reasons: &[],
    needs_text: false,
    right: Row::CloseDispute,
    not_by: MEDIATION,
};

/// The leader asks the parties later. A broken agreement is a new try instead.
pub const REVISIT: StepSpec = StepSpec {
    code: 6,
    name: "revisit",
    from: &[CONCLUDED],
    to: REVISITED,
    rank: 8,
    reasons: &[KEPT, PARTLY_KEPT],
    needs_text: true,
    right: Row::CloseDispute,
    not_by: MEDIATION,
};

/// Mediation begins anew.
pub const RETRY: StepSpec = StepSpec {
    code: 7,
    name: "retry",
    from: &[AGREED, PASSED_ON, CONCLUDED, REVISITED],
    to: MEDIATING,
    rank: 10,
    reasons: &[],
    needs_text: true,
    right: Row::Reopen,
    not_by: PARTIES,
};

/// Another dispute is about the same matter and continues.
pub const COMBINE: StepSpec = StepSpec {
    code: 8,
    name: "combine",
    from: BEFORE_AGREEMENT,
    to: COMBINED,
    rank: 2,
    reasons: &[],
    needs_text: true,
    right: Row::AssignDispute,
    not_by: OFF_THE_LIST,
};

/// It was registered in error. This is not possible any more once a mediator has met the parties.
pub const ANNUL: StepSpec = StepSpec {
    code: 9,
    name: "annul",
    from: &[REGISTERED],
    to: CANCELLED,
    rank: 1,
    reasons: &[NO_DISPUTE, WRONG_ENTRY],
    needs_text: true,
    right: Row::AssignDispute,
    not_by: OFF_THE_LIST,
};

/// A dispute that was combined or annulled wrongly comes back.
pub const REINSTATE: StepSpec = StepSpec {
    code: 10,
    name: "reinstate",
    from: &[COMBINED, CANCELLED],
    to: REGISTERED,
    rank: 5,
    reasons: &[],
    needs_text: true,
    right: Row::Reopen,
    not_by: PARTIES,
};

/// The stages and steps of a dispute.
pub static STEPS: StepTable = StepTable {
    stages: &[
        REGISTERED, MEDIATING, AGREED, FAILED, PASSED_ON, CONCLUDED, REVISITED, COMBINED, CANCELLED,
    ],
    steps: &[
        SESSION, AGREE, FAIL, PASS_ON, CONCLUDE, REVISIT, RETRY, COMBINE, ANNUL, REINSTATE,
    ],
    handling: &[
        HandlingSpec {
            moves: &[
                Move::Dispatch,
                Move::Withdraw,
                Move::Transfer,
                Move::Share,
                Move::GrantExtension,
            ],
            during: OPEN,
            row: Row::AssignDispute,
        },
        HandlingSpec {
            moves: &[Move::Accept, Move::Arrive, Move::Resolve],
            during: LATE,
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

const fn reason(code: u8, name: &'static str) -> ReasonSpec {
    ReasonSpec { code, name }
}
