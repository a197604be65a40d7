//! The sheet `survey`: questions, notes, sections and repeats, row by row.

use std::collections::BTreeMap;

use onegrid_core::domain::form::{Decimal, ItemId};
use onegrid_core::limits::{FORM_ITEMS_MAX, FORM_SECTION_DEPTH_MAX, FORM_WORDS_CHARS_MAX};
use serde_json::{Map, Value, json};

use super::choices::bad_name;
use super::names::{RESERVED_NAME, YES_NO_LIST};
use super::report::Report;
use super::settings::yes_or_no;
use super::sheet::{Row, Table};

/// The items of a template.
pub(super) struct Items {
    /// The items of the template's JSON.
    pub(super) tree: Vec<Value>,
    /// The row of each item.
    pub(super) rows: BTreeMap<String, u32>,
}

/// The meaning of the column `type`.
enum Type<'a> {
    /// A question or a note, with the name of its type in a template.
    Item(&'static str),
    /// A question with a list.
    Choice(&'static str, &'a str),
    /// `integer`, without digits after the point, and `decimal`.
    Number {
        whole: bool,
    },
    Begin(&'static str),
    End(&'static str),
    /// A type that templates do not have, or that nothing has.
    Unsupported,
}

/// A section or repeat whose end was not read yet; the outermost one is the template.
struct Open {
    item: Map<String, Value>,
    kind: &'static str,
    row: u32,
    inside: Vec<Value>,
}

/// Digits after the point of a `decimal` that does not say how many.
const DECIMALS_DEFAULT: &str = "6";

/// Reads the questions.
pub(super) fn read(table: &Table, report: &mut Report) -> Items {
    let mut items = Items {
        tree: Vec::new(),
        rows: BTreeMap::new(),
    };
    let mut open: Vec<Open> = Vec::new();
    for (number, row) in table.rows() {
        if row.get("type").is_empty() {
            report.cell(table, number, "type", "xlsform.no_type", Vec::new());
            continue;
        }
        let kind = type_of(row.get("type"));
        if let Type::End(kind) = kind {
            end(
                table,
                (number, row),
                kind,
                &mut open,
                &mut items.tree,
                report,
            );
            continue;
        }
        if items.rows.len() >= FORM_ITEMS_MAX {
            let values = vec![("part", FORM_ITEMS_MAX.to_string())];
            report.cell(table, number, "name", "form.item_count", values);
            // The rest is not read, so the sections that are open here get no report of a missing end.
            return items;
        }
        if open.len() >= FORM_SECTION_DEPTH_MAX {
            let item = row.get("name").to_owned();
            let values = vec![("item", item), ("part", FORM_SECTION_DEPTH_MAX.to_string())];
            report.cell(table, number, "type", "form.too_deep", values);
        }
        let item = item(table, (number, row), &kind, &mut items.rows, report);
        match kind {
            Type::Begin(kind) => open.push(Open {
                item,
                kind,
                row: number,
                inside: Vec::new(),
            }),
            _ => inside(&mut open, &mut items.tree).push(Value::Object(item)),
        }
    }
    for left in open {
        report.cell(table, left.row, "type", "xlsform.no_end", Vec::new());
    }
    items
}

/// The list of items that the next item joins.
fn inside<'a>(open: &'a mut [Open], tree: &'a mut Vec<Value>) -> &'a mut Vec<Value> {
    match open.last_mut() {
        Some(open) => &mut open.inside,
        None => tree,
    }
}

fn end(
    table: &Table,
    (number, row): (u32, &Row),
    kind: &'static str,
    open: &mut Vec<Open>,
    tree: &mut Vec<Value>,
    report: &mut Report,
) {
    for key in row.filled().filter(|key| !matches!(*key, "type" | "name")) {
        report.cell(table, number, key, "xlsform.unsupported_column", Vec::new());
    }
    match open.pop() {
        Some(mut ended) if ended.kind == kind => {
            let items = Value::Array(std::mem::take(&mut ended.inside));
            ended.item.insert("items".to_owned(), items);
            inside(open, tree).push(Value::Object(ended.item));
        }
        other => {
            report.cell(table, number, "type", "xlsform.no_begin", Vec::new());
            open.extend(other);
        }
    }
}

fn type_of(text: &str) -> Type<'_> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["begin_group"] | ["begin", "group"] => Type::Begin("section"),
        ["begin_repeat"] | ["begin", "repeat"] => Type::Begin("repeat"),
        ["end_group"] | ["end", "group"] => Type::End("section"),
        ["end_repeat"] | ["end", "repeat"] => Type::End("repeat"),
        ["select_one" | "select1", list] | ["select", "one", list] => Type::Choice("one", list),
        ["select_multiple", list] | ["select", "multiple", list] => Type::Choice("many", list),
        ["integer" | "int"] => Type::Number { whole: true },
        ["decimal"] => Type::Number { whole: false },
        ["text" | "string"] => Type::Item("text"),
        ["note"] => Type::Item("note"),
        ["date"] => Type::Item("date"),
        ["time"] => Type::Item("time"),
        ["geopoint" | "location"] => Type::Item("position"),
        ["image" | "photo"] => Type::Item("photo"),
        _ => Type::Unsupported,
    }
}

fn item(
    table: &Table,
    (number, row): (u32, &Row),
    kind: &Type<'_>,
    rows: &mut BTreeMap<String, u32>,
    report: &mut Report,
) -> Map<String, Value> {
    let mut item = Map::new();
    let mut set = |field: &str, value: Value| item.insert(field.to_owned(), value);
    match kind {
        Type::Item(name) | Type::Begin(name) => set("type", json!(name)),
        Type::Choice("one", YES_NO_LIST) => set("type", json!("yes_no")),
        Type::Choice(name, list) => {
            set("list", json!(list));
            set("type", json!(name))
        }
        Type::Number { .. } => set("type", json!("number")),
        Type::Unsupported | Type::End(_) => {
            report.cell(
                table,
                number,
                "type",
                "xlsform.unsupported_type",
                Vec::new(),
            );
            None
        }
    };
    let name = row.get("name");
    if name.parse::<ItemId>().is_err() {
        report.cell(table, number, "name", "form.bad_name", bad_name(name));
    } else if name == RESERVED_NAME {
        report.cell(table, number, "name", "xlsform.reserved_name", Vec::new());
    } else if rows.insert(name.to_owned(), number).is_some() {
        let values = vec![("item", name.to_owned())];
        report.cell(table, number, "name", "form.duplicate", values);
    }
    set("id", json!(name));
    for field in ["label", "hint", "constraint_message", "unit"] {
        let keys = match field {
            "label" => ["label_zh", "label_en"],
            "hint" => ["hint_zh", "hint_en"],
            "unit" => ["unit_zh", "unit_en"],
            _ => ["constraint_message_zh", "constraint_message_en"],
        };
        match words(table, number, row, keys, report) {
            Some(words) => {
                set(field, words);
            }
            None if field == "label" && keys.iter().all(|key| row.get(key).is_empty()) => {
                report.cell(table, number, "label_zh", "xlsform.no_label", Vec::new());
            }
            None => {}
        }
    }
    for field in ["relevant", "constraint"] {
        if !row.get(field).is_empty() {
            set(field, json!(row.raw(field)));
        }
    }
    match yes_or_no(row.get("required")) {
        Some(true) => {
            set("required", json!("true()"));
        }
        Some(false) => {}
        None => {
            set("required", json!(row.raw("required")));
        }
    }
    if let Some(default) = default(table, (number, row), kind, report) {
        set("default", json!(default));
    }
    numbers(table, (number, row), kind, &mut item, report);
    item
}

/// The default, spelled as an answer.
fn default(
    table: &Table,
    (number, row): (u32, &Row),
    kind: &Type<'_>,
    report: &mut Report,
) -> Option<String> {
    let (raw, text) = (row.raw("default"), row.get("default"));
    if text.is_empty() {
        return None;
    }
    if raw.contains("${") {
        report.cell(table, number, "default", "xlsform.reference", Vec::new());
        return None;
    }
    Some(match kind {
        Type::Item("text") => raw.to_owned(),
        Type::Number { .. } => digits(text),
        _ => text.to_owned(),
    })
}

/// One spelling for each number; a text that is no number stays, so that the template refuses it.
fn digits(text: &str) -> String {
    Decimal::parse(text).map_or_else(|| text.to_owned(), |number| number.to_string())
}

fn numbers(
    table: &Table,
    (number, row): (u32, &Row),
    kind: &Type<'_>,
    item: &mut Map<String, Value>,
    report: &mut Report,
) {
    for field in ["min", "max"] {
        if !row.get(field).is_empty() {
            item.insert(field.to_owned(), json!(digits(row.get(field))));
        }
    }
    let given = row.get("decimals");
    let decimals = match kind {
        Type::Number { whole: true } if matches!(given, "" | "0") => return,
        Type::Number { whole: false } if given.is_empty() => DECIMALS_DEFAULT,
        _ if given.is_empty() => return,
        _ => given,
    };
    match decimals.parse::<u8>() {
        Ok(decimals) if !matches!(kind, Type::Number { whole: true }) => {
            item.insert("decimals".to_owned(), json!(decimals));
        }
        _ => {
            let values = vec![("item", row.get("name").to_owned())];
            report.cell(table, number, "decimals", "form.bad_range", values);
        }
    }
}

/// Words in both languages as a template has them; `None` without any. The report names wrong words.
pub(super) fn words(
    table: &Table,
    number: u32,
    row: &Row,
    [zh, en]: [&'static str; 2],
    report: &mut Report,
) -> Option<Value> {
    let mut sound = true;
    for key in [zh, en] {
        let text = row.raw(key);
        let control = |c: char| c.is_control() && c != '\n';
        let code = if text.chars().count() > FORM_WORDS_CHARS_MAX || text.chars().any(control) {
            "form.bad_words"
        } else if text.contains("${") {
            "xlsform.reference"
        } else {
            continue;
        };
        let item = row.get("name").to_owned();
        let values = vec![("item", item), ("part", FORM_WORDS_CHARS_MAX.to_string())];
        report.cell(table, number, key, code, values);
        sound = false;
    }
    if !row.get(en).is_empty() && row.get(zh).is_empty() {
        report.cell(table, number, zh, "xlsform.no_chinese", Vec::new());
        return None;
    }
    if row.get(zh).is_empty() || !sound {
        return None;
    }
    let mut words = Map::new();
    words.insert("zh".to_owned(), json!(row.raw(zh)));
    if !row.get(en).is_empty() {
        words.insert("en".to_owned(), json!(row.raw(en)));
    }
    Some(Value::Object(words))
}
