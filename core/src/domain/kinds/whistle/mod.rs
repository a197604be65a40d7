//! 吹哨: a joint call. A station head, the town or the district calls several units to one place, and each
//! unit reports in (报到). A village asks for a call.
//!
//! The units are the parties of the record, so all of them have one record through their streams. “Report in” is
//! the move `arrive` of a party.

mod steps;

#[cfg(test)]
mod tests;

pub use self::steps::{
    BLOW, CALLED, CANCEL, CANCELLED, DECLINE, EVALUATE, EVALUATED, NOT_CALLED, RECTIFIED, RECTIFY,
    REOPEN, REQUESTED, STEPS, SURVEY, SURVEYED, missing,
};
use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;
use crate::id::RecordId;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(12);

/// The sort of the joint operation: 联合执法, 重点工作 or 应急处突.
pub const JOINT_TYPE: FieldSpec = FieldSpec {
    name: "joint_type",
    value: ValueType::Number { min: 1, max: 3 },
    texts: &[
        "joint_type.enforcement",
        "joint_type.key_work",
        "joint_type.emergency",
    ],
};

/// The record that the call came from, by its id.
pub const FROM_RECORD: FieldSpec = FieldSpec {
    name: "from_record",
    value: ValueType::SHORT,
    texts: &[],
};

/// The time of the meeting, ms UTC.
pub const MEET_MS: FieldSpec = FieldSpec {
    name: "meet_ms",
    value: ValueType::Number {
        min: i64::MIN,
        max: i64::MAX,
    },
    texts: &[],
};

/// The place of the meeting, in words.
pub const MEET_PLACE: FieldSpec = FieldSpec {
    name: "meet_place",
    value: ValueType::SHORT,
    texts: &[],
};

/// How many things were found.
pub const FOUND: FieldSpec = count("found");

/// How many of them were solved.
pub const SOLVED: FieldSpec = count("solved");

/// The findings in words, such as “6 cylinders found, 4 reclaimed by the gas company”.
pub const FINDINGS: FieldSpec = FieldSpec {
    name: "findings",
    value: ValueType::SHORT,
    texts: &[],
};

const fn count(name: &'static str) -> FieldSpec {
    FieldSpec {
        name,
        value: ValueType::Number {
            min: 0,
            max: 1_000_000,
        },
        texts: &[],
    }
}

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "whistle",
    lifecycle: Lifecycle::Steps(&STEPS),
    fields: &[
        JOINT_TYPE,
        FROM_RECORD,
        MEET_MS,
        MEET_PLACE,
        FOUND,
        SOLVED,
        FINDINGS,
    ],
    weight: None,
    exported: &[
        JOINT_TYPE,
        FROM_RECORD,
        MEET_MS,
        MEET_PLACE,
        FOUND,
        SOLVED,
        FINDINGS,
    ],
    is_sensitive: false,
    report: Row::RequestCall,
    audience: None,
    needs_link: false,
    form: None,
};

/// The content of a joint call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whistle {
    /// The fields that all kinds share.
    pub details: Details,
    /// The sort of the joint operation: 1 joint enforcement, 2 key work, 3 emergency.
    pub joint_type: Option<i64>,
    /// The record that the call came from.
    pub from_record: Option<RecordId>,
    /// The time of the meeting, ms UTC.
    pub meet_ms: Option<i64>,
    /// The place of the meeting.
    pub meet_place: Option<String>,
    /// How many things were found.
    pub found: Option<i64>,
    /// How many of them were solved.
    pub solved: Option<i64>,
    /// The findings in words.
    pub findings: Option<String>,
}

impl Whistle {
    /// Reads the content of a joint call; `None` for another kind. A malformed id reads as absent.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            joint_type: content.number(&JOINT_TYPE),
            from_record: content.text(&FROM_RECORD).and_then(|id| id.parse().ok()),
            meet_ms: content.number(&MEET_MS),
            meet_place: content.text(&MEET_PLACE).map(str::to_owned),
            found: content.number(&FOUND),
            solved: content.number(&SOLVED),
            findings: content.text(&FINDINGS).map(str::to_owned),
        })
    }
}

impl From<Whistle> for Content {
    fn from(whistle: Whistle) -> Self {
        let from_record = whistle.from_record.map(|id| id.to_string());
        let fields = [
            (&JOINT_TYPE, whistle.joint_type.map(FieldValue::Number)),
            (&FROM_RECORD, from_record.map(FieldValue::Text)),
            (&MEET_MS, whistle.meet_ms.map(FieldValue::Number)),
            (&MEET_PLACE, whistle.meet_place.map(FieldValue::Text)),
            (&FOUND, whistle.found.map(FieldValue::Number)),
            (&SOLVED, whistle.solved.map(FieldValue::Number)),
            (&FINDINGS, whistle.findings.map(FieldValue::Text)),
        ];
        let mut content = SPEC.content_of(whistle.details);
        for (spec, value) in fields {
            if let Some(value) = value {
                content.set(Field::Own(spec), value);
            }
        }
        content
    }
}
