//! The sheet `settings`: the facts about the whole template.

use serde_json::{Map, Value, json};

use super::report::Report;
use super::sheet::Table;
use super::survey::words;

/// The facts about the whole template.
pub(super) struct Head {
    /// The row that has them.
    pub(super) row: u32,
    /// The fields of the template's JSON.
    pub(super) fields: Map<String, Value>,
}

/// Reads the settings; `None` if there is no row of them.
pub(super) fn read(table: &Table, report: &mut Report) -> Option<Head> {
    let mut rows = table.rows();
    let Some((number, row)) = rows.next() else {
        report.row(table.sheet(), 2, "xlsform.no_settings", "");
        return None;
    };
    for (number, _) in rows {
        report.row(table.sheet(), number, "xlsform.second_settings", "");
    }
    let mut fields = Map::new();
    fields.insert("format".to_owned(), json!(1));
    fields.insert("id".to_owned(), json!(row.get("form_id")));
    let title = words(table, number, row, ["form_title", "form_title_en"], report);
    if let Some(title) = title {
        fields.insert("title".to_owned(), title);
    } else if row.get("form_title").is_empty() {
        report.cell(table, number, "form_title", "xlsform.no_label", Vec::new());
    }
    if let Some(about) = words(table, number, row, ["about", "about_en"], report) {
        fields.insert("about".to_owned(), about);
    }
    if let Ok(version) = row.get("version").parse::<u32>() {
        fields.insert("version".to_owned(), json!(version));
    } else {
        let values = vec![("field", "version".to_owned())];
        report.cell(table, number, "version", "form.bad_count", values);
    }
    for key in ["volunteers", "restricted_place"] {
        match yes_or_no(row.get(key)) {
            Some(yes) => {
                fields.insert(key.to_owned(), json!(yes));
            }
            None => report.cell(table, number, key, "xlsform.yes_or_no", Vec::new()),
        }
    }
    let mut next = Map::new();
    for (key, field) in [
        ("next_visit_days", "days"),
        ("next_visit_workdays", "working_days"),
    ] {
        let text = row.get(key);
        match text.parse::<u16>() {
            Ok(days) => {
                next.insert(field.to_owned(), json!(days));
            }
            Err(_) if text.is_empty() => {}
            Err(_) => {
                let values = vec![("field", key.to_owned())];
                report.cell(table, number, key, "form.bad_count", values);
            }
        }
    }
    if !next.is_empty() {
        fields.insert("next_visit".to_owned(), Value::Object(next));
    }
    Some(Head {
        row: number,
        fields,
    })
}

/// The words of `XLSForm` for yes and no; an empty cell is no.
pub(super) fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "是" => Some(true),
        "" | "no" | "false" | "否" => Some(false),
        _ => None,
    }
}
