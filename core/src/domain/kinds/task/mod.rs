//! 指令: a task that one office sends down one pipeline to areas, units, teams and people.
//!
//! Each party accepts it, feeds back (the move `resolve`) or returns it with a reason. Feedback after the end counts.
//! A person of a shared area gives the task on to the units there. [`progress`] shows who is how far, and
//! [`Recurrence`] gives the days of a task that recurs.

mod progress;
mod recurrence;
mod steps;

#[cfg(test)]
mod tests;

pub use self::progress::{AreaProgress, PartyProgress, Progress, progress};
pub use self::recurrence::{Recurrence, RuleError, occurrences};
pub use self::steps::{COMPLETE, COMPLETED, ISSUED, REVOKE, REVOKED, STEPS};
use super::visit::TEMPLATE;
use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::form::TemplateId;
use crate::domain::permissions::Row;
use crate::id::RecordId;
use crate::limits::TASK_FEEDBACK_MAX;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(6);

/// The deadline of the task, ms UTC. Each party has a deadline of its own too.
pub const DEADLINE_MS: FieldSpec = FieldSpec {
    name: "deadline_ms",
    value: ValueType::Number {
        min: i64::MIN,
        max: i64::MAX,
    },
    texts: &[],
};

/// How many records of feedback are wanted from all parties together.
pub const WANTED: FieldSpec = FieldSpec {
    name: "wanted",
    value: ValueType::Number {
        min: 0,
        max: 1_000_000,
    },
    texts: &[],
};

/// The rule of recurrence, as in RFC 5545 (see [`Recurrence`]).
pub const RECURRENCE: FieldSpec = FieldSpec {
    name: "recurrence",
    value: ValueType::SHORT,
    texts: &[],
};

/// The id of the class, item or clause of the town's task list (6 classes, 18 items, 73 clauses).
pub const DUTY: FieldSpec = FieldSpec {
    name: "duty",
    value: ValueType::SHORT,
    texts: &[],
};

/// The ids of the records of the feedback, with spaces between them.
pub const FEEDBACK: FieldSpec = FieldSpec {
    name: "feedback",
    value: ValueType::Text {
        chars_max: TASK_FEEDBACK_MAX * (RECORD_ID_CHARS + 1),
    },
    texts: &[],
};

/// Characters of an id of a record.
const RECORD_ID_CHARS: usize = 36;

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "task",
    lifecycle: Lifecycle::Steps(&STEPS),
    fields: &[TEMPLATE, DEADLINE_MS, WANTED, RECURRENCE, DUTY, FEEDBACK],
    weight: None,
    exported: &[TEMPLATE, DEADLINE_MS, WANTED, RECURRENCE, DUTY, FEEDBACK],
    is_sensitive: false,
    report: Row::Publish,
    audience: None,
    needs_link: false,
    form: None,
};

/// The content of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Task {
    /// The fields that all kinds share.
    pub details: Details,
    /// The checklist that the feedback answers.
    pub template: Option<TemplateId>,
    /// The deadline, ms UTC.
    pub deadline_ms: Option<i64>,
    /// How many records of feedback are wanted.
    pub wanted: Option<i64>,
    /// The rule of recurrence.
    pub recurrence: Option<String>,
    /// The class, item or clause of the town's task list.
    pub duty: Option<String>,
    /// The records of the feedback.
    pub feedback: Vec<RecordId>,
}

impl Task {
    /// Reads the content of a task; `None` for another kind. A malformed id reads as absent.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        let text = |field| content.text(field);
        let ids = text(&FEEDBACK).unwrap_or_default().split_whitespace();
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            template: text(&TEMPLATE).and_then(|id| id.parse().ok()),
            deadline_ms: content.number(&DEADLINE_MS),
            wanted: content.number(&WANTED),
            recurrence: text(&RECURRENCE).map(str::to_owned),
            duty: text(&DUTY).map(str::to_owned),
            feedback: ids.filter_map(|id| id.parse().ok()).collect(),
        })
    }
}

impl From<Task> for Content {
    fn from(task: Task) -> Self {
        let ids: Vec<String> = task.feedback.iter().map(ToString::to_string).collect();
        let feedback = (!ids.is_empty()).then(|| FieldValue::Text(ids.join(" ")));
        let template = task.template.map(|id| FieldValue::Text(id.to_string()));
        let fields = [
            (&TEMPLATE, template),
            (&DEADLINE_MS, task.deadline_ms.map(FieldValue::Number)),
            (&WANTED, task.wanted.map(FieldValue::Number)),
            (&RECURRENCE, task.recurrence.map(FieldValue::Text)),
            (&DUTY, task.duty.map(FieldValue::Text)),
            (&FEEDBACK, feedback),
        ];
        let mut content = SPEC.content_of(task.details);
        for (spec, value) in fields {
            if let Some(value) = value {
                content.set(Field::Own(spec), value);
            }
        }
        content
    }
}
