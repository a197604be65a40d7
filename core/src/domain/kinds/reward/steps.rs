//! The stages and steps of a reward.
//!
//! The proposer decides nothing about the money. Where two people have not seen each other's step, a payment
//! wins because the money is gone, and otherwise the step that keeps the money.

use crate::domain::permissions::Row;
use crate::domain::steps::{StageSpec, StepSpec, StepTable};

/// 待审批: the birth of a reward.
pub const PROPOSED: StageSpec = stage(151, "proposed", false);
/// 已批准
pub const GRANTED: StageSpec = stage(152, "granted", false);
/// 未批准
pub const DECLINED: StageSpec = stage(153, "declined", true);
/// 已兑付
pub const PAID: StageSpec = stage(154, "paid", true);
/// 已撤销
pub const RETRACTED: StageSpec = stage(155, "retracted", true);

/// The code in [`StepSpec::not_by`] for the creator of the record.
const PROPOSER: &[u8] = &[0];

/// A second person grants the amount that this person had seen.
pub const GRANT: StepSpec = StepSpec {
    code: 1,
    name: "grant",
    from: &[PROPOSED],
    to: GRANTED,
    rank: 1,
    reasons: &[],
    needs_text: true,
    right: Row::ApproveReward,
    not_by: PROPOSER,
};

/// A second person refuses.
pub const DECLINE: StepSpec = StepSpec {
    code: 2,
    name: "decline",
    from: &[PROPOSED],
    to: DECLINED,
    rank: 2,
    reasons: &[],
    needs_text: true,
    right: Row::ApproveReward,
    not_by: PROPOSER,
};

/// The money was paid. The words hold the number of the receipt.
pub const PAY: StepSpec = StepSpec {
    code: 3,
    name: "pay",
    from: &[GRANTED],
    to: PAID,
    rank: 4,
    reasons: &[],
    needs_text: true,
    right: Row::ApproveReward,
    not_by: PROPOSER,
};

/// The proposer, or a head of the place, takes the proposal back before the payment.
pub const RETRACT: StepSpec = StepSpec {
    code: 4,
    name: "retract",
    from: &[PROPOSED, GRANTED],
    to: RETRACTED,
    rank: 3,
    reasons: &[],
    needs_text: true,
    right: Row::CallOff,
    not_by: &[],
};

/// The stages and steps of a reward.
pub static STEPS: StepTable = StepTable {
    stages: &[PROPOSED, GRANTED, DECLINED, PAID, RETRACTED],
    steps: &[GRANT, DECLINE, PAY, RETRACT],
    handling: &[],
    fixes_content: true,
};

const fn stage(code: u8, name: &'static str, is_ended: bool) -> StageSpec {
    StageSpec {
        code,
        name,
        is_ended,
    }
}
