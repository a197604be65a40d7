//! The first visible sheet of a workbook, as rows of a table.
//!
//! **Contract.** A cell has the text that a person reads in it, or the code of the reason why it has none. No
//! guess is made: a formula may show the value of yesterday, and a spreadsheet rounds a number of more than 15
//! digits, so both are named.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, Dimensions, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};

use super::hidden::Hidden;
use super::table::Cell;
use crate::admin::xlsform::container;
use crate::limits::{
    IMPORT_CELLS_MAX, IMPORT_COLUMNS_MAX, IMPORT_FILE_BYTES_MAX, IMPORT_UNPACKED_BYTES_MAX,
    XLSFORM_SHEETS_MAX,
};

/// First bytes of a zip file, and of the container of old and of encrypted workbooks.
const HEADS: [&[u8]; 2] = [b"PK\x03\x04", &[0xd0, 0xcf, 0x11, 0xe0]];

/// Smallest number that a spreadsheet may have rounded: it keeps 15 digits.
const ROUNDED_FROM: f64 = 1e15;

/// Highest number of a row or column that is read, from 0.
const LAST_COLUMN: u32 = 16_383;

/// Whether the bytes are a workbook and no text.
pub(super) fn is_workbook(bytes: &[u8]) -> bool {
    HEADS.iter().any(|head| bytes.starts_with(head))
}

/// A sheet and the names of the others.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Rows with at least one filled cell, by number from 1.
    pub(super) rows: BTreeMap<u64, Vec<Cell>>,
    /// Visible sheets with content that were not read.
    pub(super) left_out: Vec<String>,
    /// Hidden sheets, which are never read.
    pub(super) hidden: Vec<String>,
}

/// Reads a workbook, or returns the code for refusing it.
pub(super) fn read(bytes: &[u8]) -> Result<Book, &'static str> {
    if bytes.len() > IMPORT_FILE_BYTES_MAX {
        return Err("import.file_too_large");
    }
    container::check(bytes, IMPORT_UNPACKED_BYTES_MAX).map_err(|code| match code {
        "xlsform.inflates" => "import.workbook_inflates",
        other => other,
    })?;
    // The reader of workbooks is made for files of friends. A panic over a hostile file is a refusal too.
    let read = catch_unwind(AssertUnwindSafe(|| {
        let mut book = Xlsx::new(Cursor::new(bytes))?;
        sheets(&mut book, bytes)
    }));
    match read {
        Ok(Ok(found)) => found,
        _ => Err("xlsform.unreadable"),
    }
}

type Workbook<'a> = Xlsx<Cursor<&'a [u8]>>;

fn sheets(book: &mut Workbook<'_>, bytes: &[u8]) -> Result<Result<Book, &'static str>, XlsxError> {
    let all = book.sheets_metadata().to_vec();
    if all.len() > XLSFORM_SHEETS_MAX {
        return Ok(Err("import.too_many_sheets"));
    }
    let mut found = Book::default();
    for sheet in all.iter().filter(|one| one.typ == SheetType::WorkSheet) {
        if sheet.visible != SheetVisible::Visible {
            found.hidden.push(sheet.name.clone());
        } else if found.rows.is_empty() {
            let Some(hidden) = Hidden::of(bytes, &sheet.name) else {
                return Ok(Err("xlsform.unreadable"));
            };
            match cells(book, &sheet.name, &hidden)? {
                Ok(rows) => found.rows = rows,
                Err(code) => return Ok(Err(code)),
            }
        } else if has_content(book, &sheet.name)? {
            found.left_out.push(sheet.name.clone());
        }
    }
    Ok(Ok(found))
}

fn has_content(book: &mut Workbook<'_>, name: &str) -> Result<bool, XlsxError> {
    let mut reader = book.worksheet_cells_reader(name)?;
    while let Some(cell) = reader.next_cell_with_formula_metadata()? {
        if cell.formula.is_some() || !matches!(cell.value, DataRef::Empty) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The filled cells of a sheet.
type Rows = BTreeMap<u64, Vec<Cell>>;

fn cells(
    book: &mut Workbook<'_>,
    name: &str,
    hidden: &Hidden,
) -> Result<Result<Rows, &'static str>, XlsxError> {
    let merged = book.merge_cells_by_sheet_name(name)?;
    let mut found: BTreeMap<u32, BTreeMap<u32, Cell>> = BTreeMap::new();
    let mut count = 0;
    let mut reader = book.worksheet_cells_reader(name)?;
    while let Some(cell) = reader.next_cell_with_formula_metadata()? {
        let (row, column) = cell.pos;
        let value = if cell.formula.is_some() {
            Err("import.formula_cell")
        } else {
            text(&cell.value)
        };
        if value.as_ref().is_ok_and(String::is_empty) || column > LAST_COLUMN {
            continue;
        }
        count += 1;
        if count > IMPORT_CELLS_MAX {
            return Ok(Err("import.too_many_sheet_cells"));
        }
        found.entry(row).or_default().insert(column, value);
    }
    drop(reader);
    for range in &merged {
        spread(range, &mut found);
    }
    for (row, cells) in &mut found {
        for (column, cell) in cells {
            if hidden.has(*row, *column) {
                *cell = Err("import.hidden_cell");
            } else if hidden.has_struck(*row, *column) {
                *cell = Err("import.struck_cell");
            }
        }
    }
    let row = |(number, cells): (u32, BTreeMap<u32, Cell>)| {
        let width = cells.last_key_value().map_or(0, |(column, _)| column + 1);
        // One column above the limit lets the table notice that it is too wide.
        let width = width.min(u32::try_from(IMPORT_COLUMNS_MAX).unwrap_or(u32::MAX) + 1);
        let mut row: Vec<Cell> = (0..width).map(|_| Ok(String::new())).collect();
        for (column, cell) in cells {
            if let Some(place) = row.get_mut(column as usize) {
                *place = cell;
            }
        }
        (u64::from(number) + 1, row)
    };
    Ok(Ok(found.into_iter().map(row).collect()))
}

/// Gives the cells of a merged range their values. A range of one column says the same for each of its rows.
/// In a wider one it is unclear which column the value belongs to, so the other cells are named, if their
/// row is no mere title.
fn spread(range: &Dimensions, found: &mut BTreeMap<u32, BTreeMap<u32, Cell>>) {
    let (start, end) = (range.start, range.end);
    if start.0 > end.0 || start.1 > end.1 {
        return;
    }
    let value = found.get(&start.0).and_then(|cells| cells.get(&start.1));
    let value = value.cloned().unwrap_or_else(|| Ok(String::new()));
    let is_one_column = start.1 == end.1;
    for (row, cells) in found.range_mut(start.0..=end.0) {
        for column in start.1..=end.1.min(LAST_COLUMN) {
            if (*row, column) == start {
                continue;
            }
            let cell = if is_one_column {
                value.clone()
            } else {
                Err("import.merged_cell")
            };
            cells.insert(column, cell);
        }
    }
}

/// The text of a cell, as a person reads it in the sheet, without white space at its ends.
fn text(value: &DataRef<'_>) -> Cell {
    Ok(match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) => text.trim().to_owned(),
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) if number.abs() >= ROUNDED_FROM => {
            return Err("import.number_too_long");
        }
        // Ids and codes that were typed as numbers have no fraction, so they print as whole numbers.
        DataRef::Float(number) if number.is_finite() => number.to_string(),
        DataRef::Bool(yes) => yes.to_string(),
        DataRef::DateTime(_) | DataRef::DateTimeIso(_) | DataRef::DurationIso(_) => {
            return Err("import.date_cell");
        }
        DataRef::Float(_) | DataRef::Error(_) => return Err("import.error_cell"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook as NewBook};

    use super::*;

    fn rows(book: &Book) -> Vec<(u64, Vec<String>)> {
        let cell = |cell: &Cell| match cell {
            Ok(text) => text.clone(),
            Err(code) => (*code).to_owned(),
        };
        let row = |(number, cells): (&u64, &Vec<Cell>)| (*number, cells.iter().map(cell).collect());
        book.rows.iter().map(row).collect()
    }

    #[test]
    fn ids_and_codes_as_numbers_read_like_text() {
        let mut new = NewBook::new();
        let sheet = new.add_worksheet();
        sheet.write(0, 0, 1_001).unwrap();
        sheet.write(0, 1, 330_105_013_003_001_i64).unwrap();
        sheet.write(0, 2, " 甲 ").unwrap();
        sheet.write(2, 0, 3_301_050_130_030_011_u64).unwrap();
        sheet.write(2, 1, 0.5).unwrap();
        let book = read(&new.save_to_buffer().unwrap()).unwrap();
        let expected = [
            (1, vec!["1001", "330105013003001", "甲"]),
            (3, vec!["import.number_too_long", "0.5"]),
        ];
        let expected =
            expected.map(|(n, cells)| (n, cells.into_iter().map(str::to_owned).collect()));
        assert_eq!(rows(&book), expected);
    }

    #[test]
    fn formulas_dates_and_errors_are_named() {
        let mut new = NewBook::new();
        let sheet = new.add_worksheet();
        sheet.write(0, 0, Formula::new("=A2")).unwrap();
        let day = ExcelDateTime::from_ymd(2026, 1, 2).unwrap();
        let format = Format::new().set_num_format("yyyy-mm-dd");
        sheet.write_with_format(0, 1, &day, &format).unwrap();
        let book = read(&new.save_to_buffer().unwrap()).unwrap();
        let codes = ["import.formula_cell", "import.date_cell"].map(str::to_owned);
        assert_eq!(rows(&book), [(1, codes.to_vec())]);
    }

    /// Offices merge the name of a person over the lines of several roles, and a title over all columns.
    #[test]
    fn merged_cells_of_one_column_hold_for_each_row() {
        let mut new = NewBook::new();
        let plain = Format::new();
        let sheet = new.add_worksheet();
        sheet.merge_range(0, 0, 0, 2, "人员名单", &plain).unwrap();
        sheet.merge_range(1, 0, 2, 0, "7", &plain).unwrap();
        sheet.write(1, 1, "网格员").unwrap();
        sheet.write(2, 1, "调解员").unwrap();
        let book = read(&new.save_to_buffer().unwrap()).unwrap();
        let found = rows(&book);
        let merged = "import.merged_cell".to_owned();
        assert_eq!(found[0].1, ["人员名单".to_owned(), merged.clone(), merged]);
        assert_eq!(found[1].1[..2], ["7", "网格员"]);
        assert_eq!(found[2].1[..2], ["7", "调解员"]);
    }

    #[test]
    fn hidden_and_further_sheets_are_named() {
        let mut new = NewBook::new();
        let lists = new.add_worksheet();
        lists
            .set_name("下拉选项")
            .unwrap()
            .write(0, 0, "x")
            .unwrap();
        lists.set_hidden(true);
        let first = new.add_worksheet();
        first.set_name("人员").unwrap().write(0, 0, "a").unwrap();
        first.set_active(true);
        let second = new.add_worksheet();
        second.set_name("备份").unwrap().write(0, 0, "b").unwrap();
        new.add_worksheet().set_name("空").unwrap();
        let book = read(&new.save_to_buffer().unwrap()).unwrap();
        assert_eq!(rows(&book), [(1, vec!["a".to_owned()])]);
        assert_eq!(book.left_out, ["备份"]);
        assert_eq!(book.hidden, ["下拉选项"]);
    }

    /// A filter hides rows, and a person who checks the sheet does not see them.
    #[test]
    fn hidden_rows_and_columns_with_content_are_refused() {
        let mut new = NewBook::new();
        let lists = new.add_worksheet();
        lists.write(0, 0, "x").unwrap();
        lists.set_row_hidden(0).unwrap();
        lists.set_hidden(true);
        let sheet = new.add_worksheet();
        sheet.set_name("人员 & 队伍").unwrap();
        for row in 0..4 {
            sheet.write(row, 0, row).unwrap();
            sheet.write(row, 1, "甲").unwrap();
        }
        sheet.set_active(true);
        sheet.set_row_hidden(2).unwrap();
        sheet.set_row_hidden(7).unwrap();
        sheet.set_column_hidden(5).unwrap();
        let book = read(&new.save_to_buffer().unwrap()).unwrap();
        let found = rows(&book);
        assert_eq!(found[2], (3, vec!["import.hidden_cell".to_owned(); 2]));
        assert_eq!(found[3], (4, vec!["3".to_owned(), "甲".to_owned()]));
        let sheet = new.worksheet_from_index(1).unwrap();
        sheet.set_column_hidden(1).unwrap();
        let book = read(&new.save_to_buffer().unwrap()).unwrap();
        let found = rows(&book);
        assert_eq!(
            found[3],
            (4, vec!["3".to_owned(), "import.hidden_cell".to_owned()])
        );
    }

    /// Offices strike out people who have left. A rule that colours cells has fonts of its own, which strike nothing.
    #[test]
    fn struck_out_cells_are_refused() {
        let struck = Format::new().set_font_strikethrough();
        let mut new = NewBook::new();
        let sheet = new.add_worksheet();
        for row in 0..3 {
            sheet.write(row, 0, row).unwrap();
            sheet
                .write_with_format(row, 1, "甲", &Format::new().set_bold())
                .unwrap();
        }
        sheet.write_with_format(1, 0, 1, &struck).unwrap();
        sheet.write_with_format(1, 27, "乙", &struck).unwrap();
        sheet.write_blank(2, 2, &struck).unwrap();
        let book = read(&new.save_to_buffer().unwrap()).unwrap();
        let found = rows(&book);
        assert_eq!(found[0].1, ["0", "甲"]);
        assert_eq!(
            (found[1].1[0].as_str(), found[1].1[1].as_str()),
            ("import.struck_cell", "甲")
        );
        assert_eq!(found[1].1[27], "import.struck_cell");
        assert_eq!(found[2].1, ["2", "甲"], "an empty cell says nothing");
    }

    #[test]
    fn file_that_is_no_sound_workbook_is_refused_by_name() {
        let old = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
        assert!(is_workbook(&old) && is_workbook(b"PK\x03\x04rest"));
        assert!(!is_workbook("编号,姓名".as_bytes()));
        assert_eq!(read(&old).unwrap_err(), "xlsform.old_workbook");
        assert_eq!(read(b"PK\x03\x04rest").unwrap_err(), "xlsform.unreadable");
        let mut new = NewBook::new();
        new.add_worksheet().write(0, 0, "x").unwrap();
        let mut cut = new.save_to_buffer().unwrap();
        cut.truncate(cut.len() / 2);
        assert_eq!(read(&cut).unwrap_err(), "xlsform.unreadable");
    }
}
