//! A sheet as a table: headings to columns, and rows of cells under the names that the code uses.

use std::collections::BTreeMap;

use super::names::SheetNames;
use super::report::Report;
use super::workbook::{Cells, letters};

/// A table of one sheet.
pub(super) struct Table {
    names: &'static SheetNames,
    /// The heading of each column, as the sheet has it.
    headings: BTreeMap<&'static str, String>,
    rows: BTreeMap<u32, Row>,
}

/// The filled cells of a row, under the names that the code uses.
#[derive(Default)]
pub(super) struct Row(BTreeMap<&'static str, String>);

impl Row {
    /// The text of a cell as it is, white space included; empty if nothing is filled in.
    pub(super) fn raw(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// The text of a cell without white space at its ends.
    pub(super) fn get(&self, key: &str) -> &str {
        self.raw(key).trim()
    }

    /// The columns that are filled in.
    pub(super) fn filled(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

impl Table {
    pub(super) fn empty(names: &'static SheetNames) -> Self {
        Self {
            names,
            headings: BTreeMap::new(),
            rows: BTreeMap::new(),
        }
    }

    pub(super) fn sheet(&self) -> &'static str {
        self.names.name
    }

    /// The heading of a column as the sheet has it, or as OneGrid writes it.
    pub(super) fn heading(&self, key: &str) -> &str {
        let shown = self.headings.get(key).map(String::as_str);
        shown.unwrap_or_else(|| self.names.heading(key))
    }

    /// The text of a cell; empty if nothing is filled in.
    pub(super) fn value(&self, row: u32, key: &str) -> &str {
        self.rows.get(&row).map_or("", |row| row.raw(key))
    }

    /// The filled rows with their numbers, as the spreadsheet numbers them.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, &Row)> {
        self.rows.iter().map(|(number, row)| (*number, row))
    }
}

/// Reads a sheet. `None` if a column that it needs is missing; the report then says which.
pub(super) fn table(
    names: &'static SheetNames,
    mut cells: Cells,
    report: &mut Report,
) -> Option<Table> {
    let mut table = Table::empty(names);
    let mut keys = BTreeMap::new();
    for (column, heading) in cells.remove(&0).unwrap_or_default() {
        let Some(found) = names.find(&heading) else {
            keys.insert(column, Err(heading));
            continue;
        };
        if table.headings.contains_key(found.key) {
            report.cell_of(
                names.name,
                1,
                &heading,
                "import.column_twice",
                &heading,
                Vec::new(),
            );
            continue;
        }
        table.headings.insert(found.key, heading);
        keys.insert(column, Ok(found.key));
    }
    let mut readable = true;
    for column in names.columns.iter().filter(|column| column.required) {
        if !table.headings.contains_key(column.key) {
            report.row(names.name, 1, "import.missing_column", column.heading);
            readable = false;
        }
    }
    for (number, cells) in cells {
        // The spreadsheet counts rows from 1.
        let number = number + 1;
        let row = table.rows.entry(number).or_default();
        for (column, text) in cells {
            match keys.get(&column) {
                Some(Ok(key)) => {
                    row.0.insert(key, text);
                }
                Some(Err(heading)) => {
                    let code = "xlsform.unsupported_column";
                    report.cell_of(names.name, number, heading, code, &text, Vec::new());
                }
                None => {
                    let (code, column) = ("xlsform.no_heading", letters(column));
                    report.cell_of(names.name, number, &column, code, &text, Vec::new());
                }
            }
        }
    }
    table.rows.retain(|_, row| !row.0.is_empty());
    readable.then_some(table)
}
