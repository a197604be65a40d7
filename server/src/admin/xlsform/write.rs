//! A template as a workbook.

use onegrid_core::domain::form::{Interval, Item, Kind, Template, Words};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::TemplateFile;
use super::names::{
    CHOICES, DEFAULT_LANGUAGE, ROOT_NAME, SETTINGS, SURVEY, SheetNames, YES_NO_LIST,
};
use crate::error::{Problem, Result};

/// The cells of a row: the name of the column in the code, and the text.
type Row = Vec<(&'static str, String)>;

/// The workbook of a template. It imports to the same canonical bytes; a template with a part that has no
/// place in a workbook is refused.
pub fn to_workbook(template: &Template) -> Result<Vec<u8>> {
    let bytes = written(template).map_err(|e| Problem::new("server.internal").because(&e))?;
    let again = TemplateFile::parse("", &bytes).map(|read| read.template);
    if again.as_ref() == Ok(template) {
        return Ok(bytes);
    }
    let id = template.id().to_string();
    let part = match &again {
        Err(bad) => bad.first().map(|bad| bad.value.clone()),
        Ok(_) => None,
    };
    let part = part.unwrap_or_else(|| id.clone());
    Err(Problem::new("xlsform.no_place")
        .with("id", id)
        .with("part", part))
}

fn written(template: &Template) -> std::result::Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    // A fixed time, so that the same template has the same bytes.
    let made = ExcelDateTime::from_ymd(2026, 1, 1)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&made));
    write(book.add_worksheet(), &SURVEY, &survey(template))?;
    write(book.add_worksheet(), &CHOICES, &choices(template))?;
    write(book.add_worksheet(), &SETTINGS, &[settings(template)])?;
    book.save_to_buffer()
}

fn write(
    sheet: &mut Worksheet,
    names: &SheetNames,
    rows: &[Row],
) -> std::result::Result<(), XlsxError> {
    const WORDS_WIDTH: f64 = 36.0;
    const OTHER_WIDTH: f64 = 16.0;
    sheet.set_name(names.name)?;
    sheet.set_freeze_panes(1, 0)?;
    let bold = Format::new().set_bold();
    for (at, column) in (0..).zip(names.columns) {
        sheet.write_string_with_format(0, at, column.heading, &bold)?;
        let is_words = column.heading.contains("::") || column.heading.contains("title");
        let width = if is_words { WORDS_WIDTH } else { OTHER_WIDTH };
        sheet.set_column_width(at, width)?;
    }
    for (number, row) in (1..).zip(rows) {
        for (key, text) in row {
            let at = names.columns.iter().position(|column| column.key == *key);
            let at = at.and_then(|at| u16::try_from(at).ok());
            let at = at.expect("a cell has a column of its sheet");
            sheet.write_string(number, at, text)?;
        }
    }
    Ok(())
}

fn survey(template: &Template) -> Vec<Row> {
    let (mut rows, mut open): (Vec<Row>, Vec<usize>) = (Vec::new(), Vec::new());
    let items = template.items();
    let end = |index: usize| match items[index].kind {
        Kind::Repeat => vec![("type", "end_repeat".to_owned())],
        _ => vec![("type", "end_group".to_owned())],
    };
    for (index, item) in items.iter().enumerate() {
        while open.last().copied() != item.parent {
            rows.extend(open.pop().map(end));
        }
        rows.push(question(template, item));
        if item.kind.has_items() {
            open.push(index);
        }
    }
    rows.extend(open.into_iter().rev().map(end));
    rows
}

fn question(template: &Template, item: &Item) -> Row {
    let mut row = vec![
        ("type", type_of(template, &item.kind)),
        ("name", item.id.to_string()),
    ];
    words(&mut row, ["label_zh", "label_en"], Some(&item.label));
    words(&mut row, ["hint_zh", "hint_en"], item.hint.as_ref());
    let constraint = item.constraint.as_ref();
    let rules = [
        ("relevant", item.relevant.as_ref()),
        ("required", item.required.as_ref()),
        ("constraint", constraint.map(|rule| &rule.expression)),
    ];
    for (key, rule) in rules {
        row.extend(rule.map(|rule| (key, rule.source().to_owned())));
    }
    let message = constraint.and_then(|rule| rule.message.as_ref());
    let keys = ["constraint_message_zh", "constraint_message_en"];
    words(&mut row, keys, message);
    row.extend(
        item.default
            .as_ref()
            .map(|text| ("default", text.to_text())),
    );
    if let Kind::Number {
        min,
        max,
        decimals,
        unit,
    } = &item.kind
    {
        row.extend(min.map(|min| ("min", min.to_string())));
        row.extend(max.map(|max| ("max", max.to_string())));
        row.extend((*decimals > 0).then(|| ("decimals", decimals.to_string())));
        words(&mut row, ["unit_zh", "unit_en"], unit.as_ref());
    }
    row
}

fn type_of(template: &Template, kind: &Kind) -> String {
    let list = |index: usize| {
        let name = template.lists().nth(index).map(|(name, _)| name);
        name.map(ToString::to_string).unwrap_or_default()
    };
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Number { decimals: 0, .. } => "integer".to_owned(),
        Kind::Number { .. } => "decimal".to_owned(),
        Kind::One { list: index } => format!("select_one {}", list(*index)),
        Kind::Many { list: index } => format!("select_multiple {}", list(*index)),
        Kind::YesNo => format!("select_one {YES_NO_LIST}"),
        Kind::Date => "date".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::Position => "geopoint".to_owned(),
        Kind::Photo => "image".to_owned(),
        Kind::Note => "note".to_owned(),
        Kind::Section => "begin_group".to_owned(),
        Kind::Repeat => "begin_repeat".to_owned(),
    }
}

fn choices(template: &Template) -> Vec<Row> {
    let mut rows = Vec::new();
    for (list, choices) in template.lists() {
        for choice in choices {
            let mut row = vec![("list_name", list.to_string()), ("name", choice.id.clone())];
            words(&mut row, ["label_zh", "label_en"], Some(&choice.label));
            rows.push(row);
        }
    }
    let has_yes_no = |item: &Item| matches!(item.kind, Kind::YesNo);
    if template.items().iter().any(has_yes_no) {
        for (name, zh, en) in [("yes", "是", "Yes"), ("no", "否", "No")] {
            rows.push(vec![
                ("list_name", YES_NO_LIST.to_owned()),
                ("name", name.to_owned()),
                ("label_zh", zh.to_owned()),
                ("label_en", en.to_owned()),
            ]);
        }
    }
    rows
}

fn settings(template: &Template) -> Row {
    let mut row = vec![
        ("form_id", template.id().to_string()),
        ("version", template.version().to_string()),
        ("name", ROOT_NAME.to_owned()),
        ("default_language", DEFAULT_LANGUAGE.to_owned()),
    ];
    let title = Some(template.title());
    words(&mut row, ["form_title", "form_title_en"], title);
    words(&mut row, ["about", "about_en"], template.about());
    let yes = || "yes".to_owned();
    row.extend(template.is_for_volunteers().then(|| ("volunteers", yes())));
    let restricted = template.has_restricted_place();
    row.extend(restricted.then(|| ("restricted_place", yes())));
    row.extend(template.next_visit().map(|interval| match interval {
        Interval::Days(days) => ("next_visit_days", days.to_string()),
        Interval::WorkingDays(days) => ("next_visit_workdays", days.to_string()),
    }));
    row
}

fn words(row: &mut Row, [zh, en]: [&'static str; 2], words: Option<&Words>) {
    if let Some(words) = words {
        row.push((zh, words.zh.clone()));
        row.extend(words.en.clone().map(|text| (en, text)));
    }
}
