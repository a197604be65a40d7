//! The list that an office keeps of the records of a kind: one row is one record. The kind describes its list
//! ([`ListSpec`]), so this code knows no kind.
//!
//! **Contract.** A bad row is named with its column and left out; the other rows are good. A row has an area
//! that is in force. Names of people are apart from the other content, and no report repeats them.

use std::collections::BTreeMap;

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::area::{Area, AreaCode};
use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::content::{Field, FieldSpec, FieldValue, ValueType};
use onegrid_core::domain::form::Date;
use onegrid_core::domain::kinds::{KindSpec, ListSpec, ListTarget};
use onegrid_core::domain::month::Month;
use onegrid_core::limits::{DESCRIPTION_CHARS_MAX, SHORT_TEXT_CHARS_MAX};
use onegrid_core::texts::{Lang, text};

use super::table::{Column, Row, Table};
use super::{BadRow, Import, Progress, report};
use crate::ingest::ListRow;

/// The facts that rows are checked against.
#[derive(Debug, Clone, Copy)]
pub struct ListGround<'a> {
    /// The list.
    pub list: &'static ListSpec,
    /// The month of the list.
    pub month: Month,
    /// The areas that exist.
    pub areas: &'a Areas,
    /// Server time, ms UTC.
    pub now_ms: i64,
}

/// Column and code of a refusal.
type Refused = (&'static str, &'static str);

/// Parses a list. A kind that this version does not know has no good rows.
pub fn parse_list(
    file: &str,
    bytes: &[u8],
    ground: &ListGround<'_>,
    progress: &mut Progress<'_>,
) -> Import<ListRow> {
    let list = ground.list;
    let mut table = Table::read(file, bytes, columns_of(list));
    let mut import = Import::of(&mut table);
    let names_of_areas = by_name(ground.areas, ground.now_ms);
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    let Some(kind) = list.kind.spec() else {
        return import;
    };
    for (done, row) in table.rows.iter().enumerate() {
        report(progress, done, table.rows.len());
        if import.is_hopeless() {
            break;
        }
        let parsed = parse_row(row, kind, ground, &names_of_areas).and_then(|parsed| {
            match lines.insert(parsed.id.clone(), row.line) {
                Some(_) => Err((id_column(list), "import.duplicate")),
                None => Ok(parsed),
            }
        });
        match parsed {
            Ok(parsed) => import.good.push(parsed),
            Err((column, code)) => {
                let value = row.get(column);
                import.bad.push(table.bad(row.line, column, code, value));
            }
        }
    }
    report(progress, table.rows.len(), table.rows.len());
    hide_names(&mut import.bad, list);
    import
}

/// The columns of a list as tables need them. A program has few lists, so each is made once and kept.
fn columns_of(list: &'static ListSpec) -> &'static [Column] {
    use std::sync::{Mutex, PoisonError};
    static KNOWN: Mutex<Vec<(&str, &[Column])>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, columns)) = known.iter().find(|(name, _)| *name == list.name) {
        return columns;
    }
    let columns = list.columns.iter().map(|column| Column {
        name: column.name,
        aliases: column.aliases,
        required: column.required,
    });
    let columns: &'static [Column] = Vec::leak(columns.collect());
    known.push((list.name, columns));
    columns
}

/// Removes names from the report, because reports are kept and passed on.
fn hide_names(bad: &mut [BadRow], list: &ListSpec) {
    let holds_names = |header: &str| {
        let header = header.to_lowercase();
        list.columns.iter().any(|column| {
            let is_it = column.name == header || column.aliases.contains(&&*header);
            is_it && matches!(column.target, ListTarget::Names)
        })
    };
    for row in bad {
        if row.column.as_deref().is_some_and(holds_names) {
            row.value.clear();
        }
    }
}

/// Name of the column with the ids of the rows.
fn id_column(list: &ListSpec) -> &'static str {
    let mut columns = list.columns.iter();
    let found = columns.find(|column| matches!(column.target, ListTarget::Row));
    found.map_or("", |column| column.name)
}

fn parse_row(
    row: &Row,
    kind: &KindSpec,
    ground: &ListGround<'_>,
    names_of_areas: &Names<'_>,
) -> Result<ListRow, Refused> {
    let list = ground.list;
    let (mut id, mut home, mut names) = (None, None, None);
    let month = FieldValue::Text(ground.month.to_string());
    let mut content = kind.content([(Field::Own(list.month), month)]);
    for column in list.columns {
        let value = row.get(column.name);
        if value.is_empty() {
            let missing = Err((column.name, "import.value_missing"));
            if column.required {
                return missing;
            }
            continue;
        }
        let in_column = |code| (column.name, code);
        let words = |chars_max| words_of(value, chars_max).map_err(in_column);
        match column.target {
            ListTarget::Row => {
                let words = words(SHORT_TEXT_CHARS_MAX)?;
                id = Some(words.clone());
                content.set(Field::Own(list.row), FieldValue::Text(words));
            }
            ListTarget::Area => {
                let path = area_of(value, ground, names_of_areas).map_err(in_column)?;
                home = Some(path);
            }
            ListTarget::Title => {
                let words = words(SHORT_TEXT_CHARS_MAX)?;
                content.set(Field::Title, FieldValue::Text(words));
            }
            ListTarget::Description => {
                let words = words(DESCRIPTION_CHARS_MAX)?;
                content.set(Field::Description, FieldValue::Text(words));
            }
            ListTarget::Names => names = Some(words(SHORT_TEXT_CHARS_MAX)?),
            ListTarget::Words(field) => {
                let words = words(chars_max(field))?;
                content.set(Field::Own(field), FieldValue::Text(words));
            }
            ListTarget::Choice(field) => {
                let number = choice_of(value, field).ok_or((column.name, "import.no_choice"))?;
                content.set(Field::Own(field), FieldValue::Number(number));
            }
            ListTarget::Day(field) => {
                let end_ms = day_of(value, ground.month).map_err(in_column)?;
                content.set(Field::Own(field), FieldValue::Number(end_ms));
            }
            ListTarget::Yuan(field) => {
                let fen = fen_of(value, field).ok_or((column.name, "import.no_amount"))?;
                content.set(Field::Own(field), FieldValue::Number(fen));
            }
        }
    }
    let missing = (id_column(list), "import.value_missing");
    Ok(ListRow {
        line: row.line,
        id: id.ok_or(missing)?,
        home: home.ok_or(missing)?,
        content,
        names,
    })
}

/// Checks words: a text has no characters that hide others, and a limit.
fn words_of(value: &str, chars_max: usize) -> Result<String, &'static str> {
    if value.chars().count() > chars_max {
        return Err("import.cell_too_long");
    }
    let hides =
        |c: char| (c.is_control() && c != '\n') || onegrid_core::domain::names::is_invisible(c);
    let value = value.replace("\r\n", "\n");
    if value.chars().any(hides) {
        return Err("text.bad_character");
    }
    Ok(value)
}

fn chars_max(field: &FieldSpec) -> usize {
    match field.value {
        ValueType::Text { chars_max } => chars_max,
        _ => SHORT_TEXT_CHARS_MAX,
    }
}

/// Areas in force by their Chinese name. Two areas of one name have no entry of their own.
type Names<'a> = BTreeMap<&'a str, Option<&'a Area>>;

fn by_name(areas: &Areas, now_ms: i64) -> Names<'_> {
    let mut found: Names<'_> = BTreeMap::new();
    for area in areas.iter() {
        let Some(version) = area.version_at(now_ms) else {
            continue;
        };
        let known = found.entry(version.names.zh());
        known.and_modify(|one| *one = None).or_insert(Some(area));
    }
    found
}

/// The area of a code or of a name that one area has.
fn area_of(
    value: &str,
    ground: &ListGround<'_>,
    names: &Names<'_>,
) -> Result<AreaPath, &'static str> {
    let area = match value.parse::<AreaCode>() {
        Ok(code) => ground.areas.by_code(code).ok_or("import.area_not_found")?,
        Err(_) => match names.get(value) {
            Some(Some(area)) => area,
            Some(None) => return Err("import.area_name_twice"),
            None => return Err("import.area_not_found"),
        },
    };
    let in_force = area.version_at(ground.now_ms).is_some();
    let path = ground.areas.path(area.id()).filter(|_| in_force);
    path.ok_or("import.area_dissolved")
}

/// The number of a field, as its digits or as one of its texts in either language.
fn choice_of(value: &str, field: &FieldSpec) -> Option<i64> {
    let ValueType::Number { min, max } = field.value else {
        return None;
    };
    let number = value.parse().ok();
    let by_words = || {
        let value = value.to_lowercase();
        let is_it = |code: &&&str| {
            let mut said = Lang::ALL.into_iter().filter_map(|lang| text(code, lang));
            said.any(|words| words.to_lowercase() == value)
                || code.rsplit('.').next() == Some(&*value)
        };
        let found = field.texts.iter().find(is_it)?;
        let at = field.texts.iter().position(|code| code == found)?;
        min.checked_add(i64::try_from(at).ok()?)
    };
    number
        .or_else(by_words)
        .filter(|number| (min..=max).contains(number))
}

/// The end of a day in China, ms UTC. The day is written `2026-11-30`, `2026/11/30`, `2026.11.30` or
/// `2026年11月30日`, and is not before the month of the list.
fn day_of(value: &str, month: Month) -> Result<i64, &'static str> {
    let parts: Vec<&str> = value
        .trim_end_matches('日')
        .split(['-', '/', '.', '年', '月'])
        .collect();
    let [year, month_of_year, day] = parts[..] else {
        return Err("import.no_day");
    };
    let text = format!("{year}-{month_of_year:0>2}-{day:0>2}");
    let day: Date = text.parse().map_err(|_| "import.no_day")?;
    if day < month.first_day() {
        return Err("import.day_before_month");
    }
    Ok((i64::from(day.days()) + 1) * 86_400_000 - 8 * 3_600_000)
}

/// Yuan with up to two places, in fen. Thousands may have commas.
fn fen_of(value: &str, field: &FieldSpec) -> Option<i64> {
    let value = value.trim_end_matches('元').replace([',', '，'], "");
    let (yuan, cents) = value.split_once('.').unwrap_or((&value, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if yuan.is_empty() || !is_digits(yuan) || !is_digits(cents) || cents.len() > 2 {
        return None;
    }
    let cents: i64 = format!("{cents:0<2}").parse().ok()?;
    let fen = yuan
        .parse::<i64>()
        .ok()?
        .checked_mul(100)?
        .checked_add(cents)?;
    let ValueType::Number { min, max } = field.value else {
        return None;
    };
    (min..=max).contains(&fen).then_some(fen)
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
