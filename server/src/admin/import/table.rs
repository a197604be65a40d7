//! Tables with a header in Chinese or English. Their rows have cells under the column names that
//! the code uses.

use std::collections::BTreeMap;

use super::encoding::text_of;
use super::{BadRow, Place};
use crate::limits::{IMPORT_CELL_BYTES_MAX, IMPORT_COLUMNS_MAX, IMPORT_ROWS_MAX};

/// Definition of a column.
pub(super) struct Column {
    /// Name that the code uses; a header may always use it.
    pub(super) name: &'static str,
    /// Other names that a header may use, in lower case.
    pub(super) aliases: &'static [&'static str],
    /// Whether a table without this column is unreadable.
    pub(super) required: bool,
}

impl Column {
    fn is_called(&self, header: &str) -> bool {
        let header = header.to_lowercase();
        self.name == header || self.aliases.contains(&header.as_str())
    }
}

/// One row with its line in the file. Its cells have no white space at their ends.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    cells: BTreeMap<&'static str, String>,
}

impl Row {
    /// Cell of a column; empty if the row or the table has none.
    pub(super) fn get(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// A table, up to the last readable row.
#[derive(Debug)]
pub(super) struct Table {
    file: String,
    /// Name of each column in the file's header.
    headers: BTreeMap<&'static str, String>,
    pub(super) rows: Vec<Row>,
    pub(super) bad: Vec<BadRow>,
}

impl Table {
    /// Reads a table. An unreadable file yields no rows and one bad row.
    pub(super) fn read(file: &str, bytes: &[u8], columns: &'static [Column]) -> Self {
        let mut table = Self {
            file: file.to_owned(),
            headers: BTreeMap::new(),
            rows: Vec::new(),
            bad: Vec::new(),
        };
        match text_of(bytes) {
            Ok(text) => table.read_text(&text, columns),
            Err(code) => table.bad.push(BadRow::new(file, Place::File, code, "")),
        }
        table
    }

    /// Makes a bad row. It names the column as the file does.
    pub(super) fn bad(&self, line: u64, column: &str, code: &'static str, value: &str) -> BadRow {
        let shown = self.headers.get(column).map_or(column, String::as_str);
        BadRow::new(&self.file, Place::Line(line), code, value).in_column(shown)
    }

    fn read_text(&mut self, text: &str, columns: &'static [Column]) {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter(text))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut order: Option<Vec<Option<&'static str>>> = None;
        let mut record = csv::StringRecord::new();
        loop {
            match reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    let line = error.position().map_or(1, csv::Position::line);
                    self.refuse(line, "import.unreadable_row", "");
                    break;
                }
            }
            let line = record.position().map_or(1, csv::Position::line);
            if record.iter().all(str::is_empty) {
                continue;
            }
            let Some(order) = &order else {
                let Some(read) = self.read_header(&record, line, columns) else {
                    return;
                };
                order = Some(read);
                continue;
            };
            if self.rows.len() >= IMPORT_ROWS_MAX {
                self.refuse(line, "import.too_many_rows", "");
                break;
            }
            self.read_row(&record, line, order);
        }
        if self.rows.is_empty() && self.bad.is_empty() {
            self.bad.push(BadRow::new(
                &self.file,
                Place::File,
                "import.empty_file",
                "",
            ));
        }
    }

    /// Maps each position of the header to a column; `None` if the table is unreadable.
    fn read_header(
        &mut self,
        record: &csv::StringRecord,
        line: u64,
        columns: &'static [Column],
    ) -> Option<Vec<Option<&'static str>>> {
        if record.len() > IMPORT_COLUMNS_MAX {
            self.refuse(line, "import.too_many_columns", "");
            return None;
        }
        let mut order = Vec::new();
        for header in record {
            let known = columns.iter().find(|column| column.is_called(header));
            match known {
                _ if header.is_empty() => {}
                None => self.refuse(line, "import.unknown_column", header),
                Some(column) => {
                    let twice = self
                        .headers
                        .insert(column.name, header.to_owned())
                        .is_some();
                    if twice {
                        self.refuse(line, "import.column_twice", header);
                        return None;
                    }
                }
            }
            order.push(known.map(|column| column.name));
        }
        let mut readable = true;
        for column in columns.iter().filter(|column| column.required) {
            if !self.headers.contains_key(column.name) {
                let shown = [&[column.name], column.aliases].concat().join(" / ");
                self.refuse(line, "import.missing_column", &shown);
                readable = false;
            }
        }
        readable.then_some(order)
    }

    fn read_row(&mut self, record: &csv::StringRecord, line: u64, order: &[Option<&'static str>]) {
        // Spreadsheets write empty cells at the end of a row or omit them.
        if record.iter().skip(order.len()).any(|cell| !cell.is_empty()) {
            self.refuse(
                line,
                "import.too_many_cells",
                record.get(order.len()).unwrap_or(""),
            );
            return;
        }
        let long = record
            .iter()
            .find(|cell| cell.len() > IMPORT_CELL_BYTES_MAX);
        if let Some(cell) = long {
            let cell = cell.to_owned();
            self.refuse(line, "import.cell_too_long", &cell);
            return;
        }
        let cells = order.iter().zip(record);
        let cells = cells
            .filter_map(|(name, cell)| Some(((*name)?, cell.to_owned())))
            .collect();
        self.rows.push(Row { line, cells });
    }

    fn refuse(&mut self, line: u64, code: &'static str, value: &str) {
        self.bad
            .push(BadRow::new(&self.file, Place::Line(line), code, value));
    }
}

/// Splits a cell that holds a list of codes.
pub(super) fn codes_in(cell: &str) -> impl Iterator<Item = &str> {
    let separator = |c: char| c.is_whitespace() || ";；、,，|/".contains(c);
    cell.split(separator).filter(|part| !part.is_empty())
}

/// Finds the separator that the first line uses most: comma, semicolon or tab.
fn delimiter(text: &str) -> u8 {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("");
    let count = |separator: u8| first.bytes().filter(|byte| *byte == separator).count();
    // `max_by_key` returns the last maximum, so a header of one column is split at commas.
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|separator| count(*separator))
        .unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const COLUMNS: &[Column] = &[
        Column {
            name: "code",
            aliases: &["代码"],
            required: true,
        },
        Column {
            name: "name",
            aliases: &["名称"],
            required: true,
        },
        Column {
            name: "note",
            aliases: &["备注"],
            required: false,
        },
    ];

    fn read(text: &str) -> Table {
        Table::read("t.csv", text.as_bytes(), COLUMNS)
    }

    fn codes(table: &Table) -> Vec<(Option<u64>, &'static str)> {
        table.bad.iter().map(|bad| (bad.line(), bad.code)).collect()
    }

    #[test]
    fn headers_in_both_languages_any_order_and_three_separators() {
        for text in [
            "code,name\n1,甲\n",
            "名称;代码\r\n甲;1\r\n",
            "\u{feff}\n 名称 \tCode\t\n 甲 \t1\t\n\n",
        ] {
            let table = read(text);
            assert_eq!(codes(&table), [], "{text:?}");
            let cells: Vec<_> = table
                .rows
                .iter()
                .map(|r| (r.get("code"), r.get("name")))
                .collect();
            assert_eq!(cells, [("1", "甲")], "{text:?}");
            assert_eq!(table.rows[0].get("note"), "");
        }
    }

    #[test]
    fn lines_are_those_of_the_file_even_after_quoted_line_breaks() {
        let table = read("code,name\n1,\"甲\n乙\"\n2,丙,,x\n");
        assert_eq!(table.rows[0].line, 2);
        assert_eq!(codes(&table), [(Some(4), "import.too_many_cells")]);
    }

    #[test]
    fn a_header_that_does_not_fit_is_named() {
        let table = read("code\n1\n");
        assert_eq!(codes(&table), [(Some(1), "import.missing_column")]);
        assert_eq!(table.bad[0].value, "name / 名称");
        assert!(table.rows.is_empty());
        assert_eq!(
            codes(&read("code,代码,name\n")),
            [(Some(1), "import.column_twice")]
        );
        let unknown = read("code,name,电话\n1,甲,139\n");
        assert_eq!(codes(&unknown), [(Some(1), "import.unknown_column")]);
        assert_eq!(unknown.rows.len(), 1, "the rest can still be taken");
        let wide = "x,".repeat(IMPORT_COLUMNS_MAX + 1);
        assert_eq!(codes(&read(&wide)), [(Some(1), "import.too_many_columns")]);
        assert_eq!(codes(&read("code,name\n")), [(None, "import.empty_file")]);
    }

    #[test]
    fn limits_stop_long_cells_and_endless_tables() {
        let long = format!(
            "code,name\n1,{}\n2,乙\n",
            "长".repeat(IMPORT_CELL_BYTES_MAX / 3 + 1)
        );
        let table = read(&long);
        assert_eq!(codes(&table), [(Some(2), "import.cell_too_long")]);
        assert_eq!(table.rows.len(), 1);
        let endless = format!("code,name\n{}", "1,a\n".repeat(IMPORT_ROWS_MAX + 1));
        let table = read(&endless);
        assert_eq!(table.rows.len(), IMPORT_ROWS_MAX);
        let line = u64::try_from(IMPORT_ROWS_MAX).unwrap() + 2;
        assert_eq!(codes(&table), [(Some(line), "import.too_many_rows")]);
    }
}
