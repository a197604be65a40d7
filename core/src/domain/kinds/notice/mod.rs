//! 通知: a notice that an office sends to areas, units, teams and people, and they sign for it.
//!
//! Only the office writes the words: an addressee reads the notice and changes nothing in it. [`receipts`] lists the
//! readers with their times, and counts the readers of each area.

mod receipts;
mod steps;

#[cfg(test)]
mod tests;

pub use self::receipts::{AreaReceipts, PartyReceipt, Reading, Receipts, receipts};
pub use self::steps::{ARCHIVE, ARCHIVED, PUBLISHED, RECALL, RECALLED, STEPS};
use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(9);

/// The sort of the notice: 宣传教育, 预警 or 通知.
pub const NOTICE_TYPE: FieldSpec = FieldSpec {
    name: "notice_type",
    value: ValueType::Number { min: 1, max: 3 },
    texts: &[
        "notice_type.education",
        "notice_type.warning",
        "notice_type.announcement",
    ],
};

/// The deadline for reading, ms UTC. Each addressee has a deadline of its own too.
pub const READ_BY_MS: FieldSpec = FieldSpec {
    name: "read_by_ms",
    value: ValueType::Number {
        min: i64::MIN,
        max: i64::MAX,
    },
    texts: &[],
};

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "notice",
    lifecycle: Lifecycle::Steps(&STEPS),
    fields: &[NOTICE_TYPE, READ_BY_MS],
    weight: None,
    exported: &[NOTICE_TYPE, READ_BY_MS],
    is_sensitive: false,
    report: Row::Publish,
    audience: None,
    needs_link: false,
    form: None,
};

/// The content of a notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// The fields that all kinds share. The description is the text of the notice.
    pub details: Details,
    /// The sort: 1 education, 2 warning, 3 announcement.
    pub notice_type: Option<i64>,
    /// The deadline for reading, ms UTC.
    pub read_by_ms: Option<i64>,
}

impl Notice {
    /// Reads the content of a notice; `None` for another kind.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            notice_type: content.number(&NOTICE_TYPE),
            read_by_ms: content.number(&READ_BY_MS),
        })
    }
}

impl From<Notice> for Content {
    fn from(notice: Notice) -> Self {
        let fields = [
            (&NOTICE_TYPE, notice.notice_type),
            (&READ_BY_MS, notice.read_by_ms),
        ];
        let mut content = SPEC.content_of(notice.details);
        for (spec, value) in fields {
            if let Some(value) = value {
                content.set(Field::Own(spec), FieldValue::Number(value));
            }
        }
        content
    }
}
