//! The sheet `choices`: lists in the order of their first row.

use std::collections::BTreeSet;

use onegrid_core::domain::form::ItemId;
use onegrid_core::limits::{FORM_CHOICES_MAX, FORM_NAME_BYTES_MAX};
use serde_json::{Value, json};

use super::names::YES_NO_LIST;
use super::report::Report;
use super::sheet::Table;
use super::survey::words;

/// A list with the row that began it.
pub(super) struct List {
    pub(super) id: String,
    pub(super) row: u32,
    choices: Vec<Value>,
    known: BTreeSet<String>,
}

impl List {
    pub(super) fn to_json(&self) -> Value {
        json!({"id": self.id, "choices": self.choices})
    }
}

/// Reads the lists. The list of the type `yes_no` belongs to that type and is left out.
pub(super) fn read(table: &Table, report: &mut Report) -> Vec<List> {
    let mut lists: Vec<List> = Vec::new();
    for (number, row) in table.rows() {
        let (list, name) = (row.get("list_name"), row.get("name"));
        if list.parse::<ItemId>().is_err() && list != YES_NO_LIST {
            let values = bad_name(list);
            report.cell(table, number, "list_name", "form.bad_name", values);
            continue;
        }
        let index = lists.iter().position(|known| known.id == list);
        let index = index.unwrap_or_else(|| {
            lists.push(List {
                id: list.to_owned(),
                row: number,
                choices: Vec::new(),
                known: BTreeSet::new(),
            });
            lists.len() - 1
        });
        let known = &mut lists[index];
        if known.choices.len() >= FORM_CHOICES_MAX {
            let values = vec![
                ("item", list.to_owned()),
                ("part", FORM_CHOICES_MAX.to_string()),
            ];
            report.cell(table, number, "list_name", "form.choice_count", values);
            break;
        }
        if list == YES_NO_LIST {
            if !matches!(name, "yes" | "no") {
                report.cell(table, number, "name", "xlsform.yes_no_list", Vec::new());
            }
            continue;
        }
        let label = words(table, number, row, ["label_zh", "label_en"], report);
        if !known.known.insert(name.to_owned()) {
            let values = vec![("item", name.to_owned())];
            report.cell(table, number, "name", "form.duplicate", values);
            continue;
        }
        if !is_choice_name(name) {
            report.cell(table, number, "name", "form.bad_name", bad_name(name));
        }
        match label {
            Some(label) => known.choices.push(json!({"id": name, "label": label})),
            None if row.get("label_zh").is_empty() && row.get("label_en").is_empty() => {
                report.cell(table, number, "label_zh", "xlsform.no_label", Vec::new());
            }
            None => {}
        }
    }
    lists.retain(|list| list.id != YES_NO_LIST);
    lists
}

/// The values of the sentence about a bad name.
pub(super) fn bad_name(name: &str) -> Vec<(&'static str, String)> {
    vec![
        ("item", name.chars().take(40).collect()),
        ("part", FORM_NAME_BYTES_MAX.to_string()),
    ]
}

/// As templates have it: choices may have capitals and points.
fn is_choice_name(name: &str) -> bool {
    (1..=FORM_NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
