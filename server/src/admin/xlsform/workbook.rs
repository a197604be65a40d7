//! The cells of the three sheets, as text.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, ExcelDateTime, Reader as _, Xlsx, XlsxError};

use super::names::{CHOICES, SETTINGS, SURVEY, UNSUPPORTED_SHEETS};
use super::report::Report;
use crate::limits::{
    IMPORT_COLUMNS_MAX, XLSFORM_CELL_BYTES_MAX, XLSFORM_CELLS_MAX, XLSFORM_ROWS_MAX,
    XLSFORM_SHEETS_MAX,
};

/// The filled cells of a sheet, by row and column, both from 0.
pub(super) type Cells = BTreeMap<u32, BTreeMap<u32, String>>;

/// The three sheets of a workbook.
pub(super) struct Book {
    pub(super) survey: Cells,
    pub(super) choices: Option<Cells>,
    pub(super) settings: Cells,
}

type Workbook<'a> = Xlsx<Cursor<&'a [u8]>>;

/// Reads the sheets. `None` if the workbook cannot be read as a whole; the report then says why.
pub(super) fn read(bytes: &[u8], report: &mut Report) -> Option<Book> {
    // The reader of workbooks is made for files of friends. A panic over a hostile file is a refusal too.
    let read = catch_unwind(AssertUnwindSafe(|| {
        let mut book = Workbook::new(Cursor::new(bytes))?;
        sheets(&mut book, report)
    }));
    if let Ok(Ok(book)) = read {
        book
    } else {
        report.file("xlsform.unreadable", "");
        None
    }
}

fn sheets(book: &mut Workbook<'_>, report: &mut Report) -> Result<Option<Book>, XlsxError> {
    let names = book.sheet_names();
    if names.len() > XLSFORM_SHEETS_MAX {
        report.file("xlsform.too_many_sheets", &names.len().to_string());
        return Ok(None);
    }
    for name in &names {
        if UNSUPPORTED_SHEETS.contains(&name.trim().to_lowercase().as_str()) {
            report.file("xlsform.unsupported_sheet", name);
        }
    }
    let mut room = XLSFORM_CELLS_MAX;
    let mut of = |sheet: &'static str, report: &mut Report| {
        let name = names
            .iter()
            .find(|name| name.trim().to_lowercase() == sheet);
        match name {
            Some(name) => cells(book, name, sheet, &mut room, report),
            None => Ok(None),
        }
    };
    let survey = of(SURVEY.name, report)?;
    let choices = of(CHOICES.name, report)?;
    let settings = of(SETTINGS.name, report)?;
    for (sheet, found) in [(&SURVEY, &survey), (&SETTINGS, &settings)] {
        if found.is_none() {
            report.file("xlsform.no_sheet", sheet.name);
        }
    }
    Ok(survey.zip(settings).map(|(survey, settings)| Book {
        survey,
        choices,
        settings,
    }))
}

fn cells(
    book: &mut Workbook<'_>,
    name: &str,
    sheet: &'static str,
    room: &mut usize,
    report: &mut Report,
) -> Result<Option<Cells>, XlsxError> {
    for merged in book.merge_cells_by_sheet_name(name)? {
        let (start, end) = (merged.start, merged.end);
        let range = format!(
            "{}{}:{}{}",
            letters(start.1),
            u64::from(start.0) + 1,
            letters(end.1),
            u64::from(end.0) + 1
        );
        report.row(sheet, start.0.saturating_add(1), "xlsform.merged", &range);
    }
    let mut cells = Cells::new();
    let mut reader = book.worksheet_cells_reader(name)?;
    while let Some(cell) = reader.next_cell_with_formula_metadata()? {
        let (row, column) = cell.pos;
        let shown = row.saturating_add(1);
        if cell.formula.is_some() {
            report.cell_of(
                sheet,
                shown,
                &letters(column),
                "xlsform.formula",
                "",
                Vec::new(),
            );
            continue;
        }
        let text = match text(&cell.value) {
            Ok(text) if text.trim().is_empty() => continue,
            Ok(text) => text,
            Err(code) => {
                report.cell_of(sheet, shown, &letters(column), code, "", Vec::new());
                continue;
            }
        };
        let stop = if row >= XLSFORM_ROWS_MAX {
            Some("xlsform.too_many_rows")
        } else if column as usize >= IMPORT_COLUMNS_MAX {
            Some("xlsform.too_many_columns")
        } else if *room == 0 {
            Some("xlsform.too_many_cells")
        } else {
            None
        };
        if let Some(code) = stop {
            report.row(sheet, shown, code, "");
            break;
        }
        *room -= 1;
        cells.entry(row).or_default().insert(column, text);
    }
    Ok(Some(cells))
}

/// The text of a cell, as a person reads it in the sheet.
fn text(value: &DataRef<'_>) -> Result<String, &'static str> {
    let text = match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) | DataRef::DateTimeIso(text) => bounded(text)?,
        DataRef::SharedString(text) => bounded(text)?,
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) if number.is_finite() => number.to_string(),
        DataRef::Bool(yes) => yes.to_string(),
        DataRef::DateTime(moment) => day_or_time(moment).ok_or("xlsform.bad_cell")?,
        DataRef::Float(_) | DataRef::DurationIso(_) | DataRef::Error(_) => {
            return Err("xlsform.bad_cell");
        }
    };
    Ok(text)
}

/// Copies a text that is not too long. Line ends of Windows become plain ones.
fn bounded(text: &str) -> Result<String, &'static str> {
    if text.len() > XLSFORM_CELL_BYTES_MAX {
        return Err("xlsform.cell_too_long");
    }
    Ok(text.replace("\r\n", "\n"))
}

/// A day, or a time of day, as answers are spelled.
fn day_or_time(moment: &ExcelDateTime) -> Option<String> {
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let at_midnight = (hour, minute, second, milli) == (0, 0, 0, 0);
    if moment.is_datetime() && at_midnight && moment.as_f64() >= 1.0 {
        return Some(format!("{year:04}-{month:02}-{day:02}"));
    }
    let is_time = (0.0..1.0).contains(&moment.as_f64()) && (second, milli) == (0, 0);
    is_time.then(|| format!("{hour:02}:{minute:02}"))
}

/// The letters of a column, as the spreadsheet heads it: A, B, …, Z, AA.
pub(super) fn letters(column: u32) -> String {
    let mut rest = u64::from(column) + 1;
    let mut letters = Vec::new();
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(
            b'A' + u8::try_from(rest % 26).unwrap_or_default(),
        ));
        rest /= 26;
    }
    letters.into_iter().rev().collect()
}
