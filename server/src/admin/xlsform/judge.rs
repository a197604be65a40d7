//! The rules of templates, with each refusal at its row.

use onegrid_core::domain::form::{Template, TemplateError};
use serde_json::{Map, Value};

use super::choices::List;
use super::report::Report;
use super::settings::Head;
use super::sheet::Table;
use super::survey::Items;
use crate::limits::XLSFORM_CHECKS_MAX;

/// The sheets that a refusal may be about.
pub(super) struct Sheets<'a> {
    pub(super) survey: &'a Table,
    pub(super) choices: &'a Table,
    pub(super) settings: &'a Table,
}

/// Makes the template, or reports each rule of it that is broken.
pub(super) fn template(
    sheets: &Sheets<'_>,
    head: Head,
    lists: &[List],
    items: Items,
    report: &mut Report,
) -> Option<Template> {
    let mut raw = head.fields;
    let json = lists.iter().map(List::to_json).collect();
    raw.insert("lists".to_owned(), Value::Array(json));
    raw.insert("items".to_owned(), Value::Array(items.tree));
    // A template names its first fault. To name the others too, the faulty field is taken out, and the rest
    // is checked once more.
    for _ in 0..XLSFORM_CHECKS_MAX {
        let bytes = serde_json::to_vec(&raw).expect("JSON of texts and lists can be written");
        let error = match Template::parse(&bytes) {
            Ok(template) => return report.is_empty().then_some(template),
            Err(error) => error,
        };
        let place = Place {
            sheets,
            settings: head.row,
            lists,
            rows: &items.rows,
        };
        place.report(&error, report);
        if !mend(&mut raw, &error) {
            return None;
        }
    }
    None
}

struct Place<'a> {
    sheets: &'a Sheets<'a>,
    settings: u32,
    lists: &'a [List],
    rows: &'a std::collections::BTreeMap<String, u32>,
}

impl Place<'_> {
    fn report(&self, error: &TemplateError, report: &mut Report) {
        let item = error.item().unwrap_or_default();
        let list = self.lists.iter().find(|list| list.id == item);
        let row = self.rows.get(item);
        let (table, row, key) = match (error, row, list) {
            (TemplateError::ChoiceCount(_), _, Some(list)) => {
                (self.sheets.choices, list.row, "list_name")
            }
            (TemplateError::BadCount { field }, ..) => {
                let key = match *field {
                    "version" => "version",
                    _ => "next_visit_days",
                };
                (self.sheets.settings, self.settings, key)
            }
            (TemplateError::BadName(_), None, _) => {
                (self.sheets.settings, self.settings, "form_id")
            }
            (_, Some(row), _) => (self.sheets.survey, *row, key_of(error)),
            _ => return report.file_with(error.code(), item, error.values()),
        };
        report.cell(table, row, key, error.code(), error.values());
    }
}

/// The column that holds a faulty field.
fn key_of(error: &TemplateError) -> &'static str {
    match error {
        TemplateError::BadDefault(_) => "default",
        TemplateError::BadRange(_) => "min",
        TemplateError::Loop { .. } => "relevant",
        TemplateError::UnknownList { .. } | TemplateError::TooDeep(_) => "type",
        _ => match error.field() {
            Some("unit") => "unit_zh",
            Some("constraint_message") => "constraint_message_zh",
            Some("list" | "items") => "type",
            Some(field) => field,
            None => "name",
        },
    }
}

/// Takes the faulty fields out. Returns whether the rest can be checked.
fn mend(raw: &mut Map<String, Value>, error: &TemplateError) -> bool {
    let fields: &[&str] = match error {
        TemplateError::BadDefault(_) => &["default"],
        TemplateError::BadRange(_) => &["min", "max", "decimals"],
        TemplateError::UnknownList { .. } => &["list", "default"],
        TemplateError::MisplacedField { field, .. } => &[field],
        // A message without a rule would be the next fault.
        TemplateError::Rule { field, .. } => &[field, "constraint_message"],
        _ => return false,
    };
    let Some(found) = error.item().and_then(|id| find(raw, id)) else {
        return false;
    };
    if matches!(error, TemplateError::UnknownList { .. }) {
        found.insert("type".to_owned(), Value::from("text"));
    }
    let has_rule = fields[0] == "constraint" || !fields.contains(&"constraint_message");
    let mut removed = false;
    for field in fields {
        if has_rule || *field != "constraint_message" {
            removed |= found.remove(*field).is_some();
        }
    }
    removed
}

/// The item of an id. Sections are not deep, because rows that nest too deeply were refused before.
fn find<'a>(raw: &'a mut Map<String, Value>, id: &str) -> Option<&'a mut Map<String, Value>> {
    let mut open: Vec<&mut Value> = raw.get_mut("items")?.as_array_mut()?.iter_mut().collect();
    while let Some(item) = open.pop() {
        let item = item.as_object_mut()?;
        if item.get("id").and_then(Value::as_str) == Some(id) {
            return Some(item);
        }
        if let Some(Value::Array(items)) = item.get_mut("items") {
            open.extend(items.iter_mut());
        }
    }
    None
}
