//! The rows that are refused, while a workbook is read.

use super::sheet::Table;
use crate::admin::import::{BadRow, Place};
use crate::limits::IMPORT_BAD_ROWS_MAX;

/// The values of a sentence.
pub(super) type Values = Vec<(&'static str, String)>;

/// Refused rows of one file.
pub(super) struct Report {
    file: String,
    bad: Vec<BadRow>,
}

impl Report {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            bad: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bad.is_empty()
    }

    /// Refuses the file as a whole.
    pub(super) fn file(&mut self, code: &'static str, value: &str) {
        self.file_with(code, value, Vec::new());
    }

    pub(super) fn file_with(&mut self, code: &'static str, value: &str, values: Values) {
        self.push(BadRow::new(&self.file, Place::File, code, value).with(values));
    }

    /// Refuses a row of a sheet.
    pub(super) fn row(&mut self, sheet: &'static str, row: u32, code: &'static str, value: &str) {
        let place = Place::Sheet { sheet, row };
        self.push(BadRow::new(&self.file, place, code, value));
    }

    /// Refuses a cell. The column is named as the sheet heads it.
    pub(super) fn cell(
        &mut self,
        table: &Table,
        row: u32,
        key: &str,
        code: &'static str,
        values: Values,
    ) {
        let value = table.value(row, key).to_owned();
        let heading = table.heading(key).to_owned();
        self.cell_of(table.sheet(), row, &heading, code, &value, values);
    }

    /// Refuses a cell under a heading.
    pub(super) fn cell_of(
        &mut self,
        sheet: &'static str,
        row: u32,
        heading: &str,
        code: &'static str,
        value: &str,
        values: Values,
    ) {
        let place = Place::Sheet { sheet, row };
        let bad = BadRow::new(&self.file, place, code, value).with(values);
        self.push(bad.in_column(heading));
    }

    /// The refused rows, in the order of the sheets and their rows.
    pub(super) fn into_rows(self) -> Vec<BadRow> {
        let mut bad = self.bad;
        bad.sort_by_key(|row| row.place);
        bad
    }

    fn push(&mut self, bad: BadRow) {
        if self.bad.len() < IMPORT_BAD_ROWS_MAX {
            self.bad.push(bad);
        }
    }
}
