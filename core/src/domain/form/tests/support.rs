//! Short ways to write templates and answers.

use serde_json::{Value, json};

use crate::domain::content::FieldValue;
use crate::domain::form::{
    Answers, Date, FormState, Problem, RowId, Template, TemplateError, evaluate,
};

/// The day of the tests: 2026-11-30.
pub(super) fn today() -> Date {
    "2026-11-30".parse().unwrap()
}

/// A question; `more` has further fields.
pub(super) fn question(kind: &str, id: &str, more: Value) -> Value {
    let mut item = json!({ "type": kind, "id": id, "label": { "zh": id, "en": id } });
    let Value::Object(more) = more else {
        panic!("fields are an object");
    };
    item.as_object_mut().unwrap().extend(more);
    item
}

/// The JSON of a template. It has the list `fruit` with the choices `apple`, `pear` and `fig`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the callers write it in place"
)]
pub(super) fn json_of(items: Value) -> Value {
    let choice = |id: &str| json!({ "id": id, "label": { "zh": id } });
    let choices = ["apple", "pear", "fig"].map(choice);
    json!({
        "format": 1,
        "id": "sample",
        "version": 3,
        "title": { "zh": "样表", "en": "Sample" },
        "lists": [{ "id": "fruit", "choices": choices }],
        "items": items,
    })
}

pub(super) fn parse(items: Value) -> Result<Template, TemplateError> {
    Template::parse(&serde_json::to_vec(&json_of(items)).unwrap())
}

/// The answers of a record whose fields hold these texts.
pub(super) fn answers(template: &Template, fields: &[(&str, &str)]) -> Answers {
    let values: Vec<FieldValue> = fields
        .iter()
        .map(|(_, text)| FieldValue::Text((*text).to_owned()))
        .collect();
    let keys = fields.iter().map(|(key, _)| *key);
    Answers::read(template, template.version(), keys.zip(&values))
}

pub(super) fn state<'a>(template: &'a Template, answers: &'a Answers) -> FormState<'a> {
    evaluate(template, answers, today()).unwrap()
}

/// Whether a question is shown.
pub(super) fn shown(state: &FormState<'_>, id: &str) -> bool {
    state.get(id, None).unwrap().relevant
}

/// The code of a question's problem; empty without one.
pub(super) fn problem(state: &FormState<'_>, id: &str, row: Option<RowId>) -> &'static str {
    let state = state.get(id, row).unwrap();
    state.problem.as_ref().map_or("", Problem::code)
}
