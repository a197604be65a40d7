//! 班次: a shift. An office puts people on the roster of a span of time; they sign in and out, and hand over.
//!
//! Each person on the roster is a party of the record, and the plan is in the signed move that put the person
//! there: `accept_by_ms` is the planned start, and `resolve_by_ms` the planned end. So no person on the roster can
//! change the plan. [`roster`] lists the presence, delay, leave and overtime of each person.

mod handover;
mod roster;
mod steps;

#[cfg(test)]
mod tests;

pub use self::handover::{Handover, OpenWork, handover, open_work};
pub use self::roster::{Duty, Leave, Presence, roster};
pub use self::steps::{
    CANCEL, CANCELLED, CONFIRM, HAND_OVER, HANDED_OVER, HANDING_OVER, ROSTERED, SETTLE, SETTLED,
    STEPS, TAKE_OVER,
};
use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;
use crate::id::RecordId;
use crate::limits::SHIFT_OPEN_MAX;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(10);

/// The post, such as the command room or a gate.
pub const POST: FieldSpec = FieldSpec {
    name: "post",
    value: ValueType::SHORT,
    texts: &[],
};

/// How many records were open at the handover.
pub const OPEN_COUNT: FieldSpec = FieldSpec {
    name: "open_count",
    value: ValueType::Number {
        min: 0,
        max: 1_000_000,
    },
    texts: &[],
};

/// The ids of the records that were open at the handover, the most urgent first, with spaces between them.
pub const OPEN_RECORDS: FieldSpec = FieldSpec {
    name: "open_records",
    value: ValueType::Text {
        chars_max: SHIFT_OPEN_MAX * (RECORD_ID_CHARS + 1),
    },
    texts: &[],
};

/// Characters of an id of a record.
const RECORD_ID_CHARS: usize = 36;

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "shift",
    lifecycle: Lifecycle::Steps(&STEPS),
    fields: &[POST, OPEN_COUNT, OPEN_RECORDS],
    weight: None,
    exported: &[POST, OPEN_COUNT],
    is_sensitive: false,
    report: Row::Roster,
    audience: None,
    needs_link: false,
    form: None,
};

/// The content of a shift.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shift {
    /// The fields that all kinds share.
    pub details: Details,
    /// The post.
    pub post: Option<String>,
    /// How many records were open at the handover.
    pub open_count: Option<i64>,
    /// The records that were open at the handover, the most urgent first.
    pub open_records: Vec<RecordId>,
}

impl Shift {
    /// Reads the content of a shift; `None` for another kind. A malformed id reads as absent.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        let ids = content.text(&OPEN_RECORDS).unwrap_or_default();
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            post: content.text(&POST).map(str::to_owned),
            open_count: content.number(&OPEN_COUNT),
            open_records: ids
                .split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect(),
        })
    }
}

impl From<Shift> for Content {
    fn from(shift: Shift) -> Self {
        let ids: Vec<String> = shift.open_records.iter().map(ToString::to_string).collect();
        let open = (!ids.is_empty()).then(|| FieldValue::Text(ids.join(" ")));
        let fields = [
            (&POST, shift.post.map(FieldValue::Text)),
            (&OPEN_COUNT, shift.open_count.map(FieldValue::Number)),
            (&OPEN_RECORDS, open),
        ];
        let mut content = SPEC.content_of(shift.details);
        for (spec, value) in fields {
            if let Some(value) = value {
                content.set(Field::Own(spec), value);
            }
        }
        content
    }
}
