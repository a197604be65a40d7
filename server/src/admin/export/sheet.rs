//! Tables of an export as a workbook for spreadsheets.

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use serde_json::{Map, Value};

use super::csv;
use crate::error::{Problem, Result};

/// Rows of a sheet, by the file format.
const ROWS_MAX: u32 = 1_048_576;
/// Characters of a cell, by the file format.
const CELL_CHARS_MAX: usize = 32_767;

/// One table that is being written.
pub(super) struct Table {
    sheet: Worksheet,
    columns: Vec<&'static str>,
    rows: u32,
}

impl Table {
    pub(super) fn begin(name: &str, columns: &[&'static str], headings: &[String]) -> Result<Self> {
        let mut sheet = Worksheet::new();
        let bold = Format::new().set_bold();
        sheet.set_name(name).map_err(failed)?;
        for (at, heading) in (0..).zip(headings) {
            sheet
                .write_string_with_format(0, at, heading, &bold)
                .map_err(failed)?;
        }
        // The headings stay in sight.
        sheet.set_freeze_panes(1, 0).map_err(failed)?;
        Ok(Self {
            sheet,
            columns: columns.to_vec(),
            rows: 1,
        })
    }

    /// Adds a row. Texts are stored as texts, so none of them becomes a formula.
    pub(super) fn add(&mut self, values: &Map<String, Value>) -> Result<()> {
        if self.rows >= ROWS_MAX {
            return Err(Problem::new("export.too_many_rows").with("max", ROWS_MAX - 1));
        }
        let (sheet, row) = (&mut self.sheet, self.rows);
        for (at, column) in (0..).zip(&self.columns) {
            let written = match values.get(*column) {
                None | Some(Value::Null) => continue,
                Some(Value::Bool(flag)) => sheet.write_boolean(row, at, *flag),
                Some(Value::Number(number)) => {
                    sheet.write_number(row, at, number.as_f64().unwrap_or_default())
                }
                Some(value) => sheet.write_string(row, at, shortened(&csv::plain(value))),
            };
            written.map_err(failed)?;
        }
        self.rows += 1;
        Ok(())
    }
}

/// The bytes of a workbook with these tables.
pub(super) fn workbook(tables: Vec<Table>) -> Result<Vec<u8>> {
    let mut book = Workbook::new();
    for table in tables {
        book.push_worksheet(table.sheet);
    }
    book.save_to_buffer().map_err(failed)
}

fn shortened(text: &str) -> String {
    text.chars().take(CELL_CHARS_MAX).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "the argument of map_err")]
fn failed(error: XlsxError) -> Problem {
    Problem::new("server.internal").because(&error)
}
