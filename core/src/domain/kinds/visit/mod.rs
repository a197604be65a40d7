//! 走访: care visit, inspection of a shop or flat, building walk, follow-up. The title is the name of the place.
//!
//! A visit answers a checklist ([`crate::domain::form`]) in the shared answer fields. The name of a person
//! whom only the visitors may know is in a private note that is linked to the visit.

mod checklist;
mod due;
mod steps;

#[cfg(test)]
mod tests;

pub use self::checklist::FORM;
pub use self::due::{next_due, overdue_from_ms};
pub use self::steps::{
    CANCEL, CANCELLED, FINISH, FINISHED, JOIN, NOBODY_HOME, NOT_MET, NOT_MET_STEP, PLANNED,
    REFUSED_VISIT, START, STARTED, STEPS, WENT_AWAY, day, duration_ms,
};
use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::form::{
    Answers, Date, FormState, OtherTemplate, Template, TemplateId, evaluate,
};
use crate::domain::permissions::Row;
use crate::id::RecordId;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(5);

/// The id of the checklist.
pub const TEMPLATE: FieldSpec = FieldSpec {
    name: "template",
    value: ValueType::SHORT,
    texts: &[],
};

/// The version of the checklist that the answers belong to.
pub const TEMPLATE_VERSION: FieldSpec = FieldSpec {
    name: "template_version",
    value: ValueType::Number {
        min: 1,
        max: u32::MAX as i64,
    },
    texts: &[],
};

/// The planned time, ms UTC.
pub const PLANNED_MS: FieldSpec = FieldSpec {
    name: "planned_ms",
    value: ValueType::Number {
        min: i64::MIN,
        max: i64::MAX,
    },
    texts: &[],
};

/// The record of the place, or of the private note with the person's name, by its id.
pub const VISITED: FieldSpec = FieldSpec {
    name: "visited",
    value: ValueType::SHORT,
    texts: &[],
};

/// The names of the people who came along. A companion who writes answers is named in the Genesis.
pub const COMPANIONS: FieldSpec = FieldSpec {
    name: "companions",
    value: ValueType::SHORT,
    texts: &[],
};

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "visit",
    lifecycle: Lifecycle::Steps(&STEPS),
    fields: &[TEMPLATE, TEMPLATE_VERSION, PLANNED_MS, VISITED, COMPANIONS],
    weight: None,
    exported: &[TEMPLATE, TEMPLATE_VERSION, PLANNED_MS, VISITED, COMPANIONS],
    is_sensitive: false,
    report: Row::FieldWork,
    audience: None,
    needs_link: false,
    form: Some(&FORM),
};

/// The content of a visit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visit {
    /// The fields that all kinds share; the title is the name of the place.
    pub details: Details,
    /// The checklist.
    pub template: Option<TemplateId>,
    /// The version of the checklist that the answers belong to.
    pub template_version: Option<u32>,
    /// The planned time, ms UTC.
    pub planned_ms: Option<i64>,
    /// The record of the place, or of the private note with the person's name.
    pub visited: Option<RecordId>,
    /// The names of the people who came along.
    pub companions: Option<String>,
}

impl Visit {
    /// Reads the content of a visit; `None` for another kind. A malformed id reads as absent.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        let version = content.number(&TEMPLATE_VERSION);
        let parsed = |field| content.text(field);
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            template: parsed(&TEMPLATE).and_then(|id| id.parse().ok()),
            template_version: version.and_then(|version| u32::try_from(version).ok()),
            planned_ms: content.number(&PLANNED_MS),
            visited: parsed(&VISITED).and_then(|id| id.parse().ok()),
            companions: content.text(&COMPANIONS).map(str::to_owned),
        })
    }
}

impl From<Visit> for Content {
    fn from(visit: Visit) -> Self {
        let text = |id: String| FieldValue::Text(id);
        let version = visit.template_version.map(i64::from);
        let fields = [
            (&TEMPLATE, visit.template.map(|id| text(id.to_string()))),
            (&TEMPLATE_VERSION, version.map(FieldValue::Number)),
            (&PLANNED_MS, visit.planned_ms.map(FieldValue::Number)),
            (&VISITED, visit.visited.map(|id| text(id.to_string()))),
            (&COMPANIONS, visit.companions.map(text)),
        ];
        let mut content = SPEC.content_of(visit.details);
        for (spec, value) in fields {
            if let Some(value) = value {
                content.set(Field::Own(spec), value);
            }
        }
        content
    }
}

/// The answers of a visit to the checklist that it names; an error if it names another one, or another
/// version.
pub fn answers(content: &Content, template: &Template) -> Result<Answers, OtherTemplate> {
    let visit = Visit::of(content).ok_or(OtherTemplate)?;
    let version = visit.template_version.ok_or(OtherTemplate)?;
    if visit.template.as_ref() != Some(template.id()) || version != template.version() {
        return Err(OtherTemplate);
    }
    let all = visit.details.answers.into_iter();
    let values: Vec<(String, FieldValue)> = all
        .map(|(key, answer)| (key, FieldValue::Text(answer)))
        .collect();
    let fields = values.iter().map(|(key, value)| (key.as_str(), value));
    let answers = Answers::read(template, version, fields);
    Ok(answers.with_row_devices(content.row_devices()))
}

/// Judges the [`answers`] of a visit. `today` is the [`day`] of the visit.
pub fn form_state<'a>(
    template: &'a Template,
    answers: &'a Answers,
    today: Date,
) -> Result<FormState<'a>, OtherTemplate> {
    evaluate(template, answers, today)
}
