//! 线索奖励: the money for a verified tip, from the proposal to the payment.
//!
//! A reward is always restricted. Its readers are the proposer, the people named in it, and the dispatchers of
//! the place. The proposer names the person who approves it. Its Genesis links the tip by its id. No field
//! holds the person who is rewarded, so a reader of the reward who may not read the tip does not learn the
//! person.

mod budget;
mod steps;

#[cfg(test)]
mod tests;

pub use self::budget::{Granted, Spent, spent};
pub use self::steps::{
    DECLINE, DECLINED, GRANT, GRANTED, PAID, PAY, PROPOSED, RETRACT, RETRACTED, STEPS,
};
use super::{KindSpec, Lifecycle};
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;
use crate::domain::{Audience, RecordKind};
use crate::limits::{AMOUNT_FEN_MAX, TEXT_CHARS_MAX};

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(13);

/// Money, in fen.
pub const AMOUNT_FEN: FieldSpec = FieldSpec {
    name: "amount_fen",
    value: ValueType::Number {
        min: 0,
        max: AMOUNT_FEN_MAX,
    },
    texts: &[],
};

/// The reason why the tip deserves it, without the name of a person.
pub const GROUND: FieldSpec = FieldSpec {
    name: "ground",
    value: ValueType::Text {
        chars_max: TEXT_CHARS_MAX,
    },
    texts: &[],
};

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "reward",
    lifecycle: Lifecycle::Steps(&STEPS),
    fields: &[AMOUNT_FEN, GROUND],
    weight: None,
    exported: &[AMOUNT_FEN],
    is_sensitive: true,
    report: Row::ProposeReward,
    audience: Some(Audience::Restricted),
    needs_link: true,
    form: None,
};

/// The content of a reward.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reward {
    /// The fields that all kinds share.
    pub details: Details,
    /// Money, in fen.
    pub amount_fen: Option<i64>,
    /// The reason why the tip deserves it.
    pub ground: Option<String>,
}

impl Reward {
    /// Reads the content of a reward; `None` for another kind.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        let words = |field| content.text(field).map(str::to_owned);
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            amount_fen: content.number(&AMOUNT_FEN),
            ground: words(&GROUND),
        })
    }
}

impl From<Reward> for Content {
    fn from(reward: Reward) -> Self {
        let words = |value: Option<String>| value.map(FieldValue::Text);
        let fields = [
            (&AMOUNT_FEN, reward.amount_fen.map(FieldValue::Number)),
            (&GROUND, words(reward.ground)),
        ];
        let mut content = SPEC.content_of(reward.details);
        for (spec, value) in fields {
            if let Some(value) = value {
                content.set(Field::Own(spec), value);
            }
        }
        content
    }
}
