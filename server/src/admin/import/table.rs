//! Tables with a header in Chinese or English. Their rows have cells under the column names that
//! the code uses. A table is a text or the first visible sheet of a workbook.
//!
//! **Invariant.** If a person's row may be missing here although the file has it, [`Table::is_partial`] or
//! [`Table::refused`] says so. So an import can hold back a person whose rows it does not know for sure.

use std::collections::BTreeMap;

use super::encoding::{damaged_line, text_of};
use super::{BadRow, Place, workbook};
use crate::limits::{
    IMPORT_CELL_BYTES_MAX, IMPORT_COLUMNS_MAX, IMPORT_ROWS_MAX, IMPORT_TITLES_MAX,
};

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
    pub(super) fn is_called(&self, header: &str) -> bool {
        let header = header.to_lowercase();
        self.name == header || self.aliases.contains(&header.as_str())
    }
}

/// Text of a cell without white space at its ends, or the code of the reason why it has none.
pub(super) type Cell = Result<String, &'static str>;

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

    /// Whether the row takes several lines, so that it may have swallowed rows of other people.
    pub(super) fn has_line_break(&self) -> bool {
        let breaks = |cell: &String| cell.contains(['\n', '\r']);
        self.cells.values().any(breaks)
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
    /// Remarks about things that were left out as usual.
    pub(super) notes: Vec<BadRow>,
    /// Rows that were refused as a whole, with their readable cells.
    pub(super) refused: Vec<Row>,
    /// Whether rows or columns of the file may be missing in `rows` and `refused`.
    pub(super) is_partial: bool,
    /// Lines above the header: the number of the first, and how many there are.
    titles: Option<(u64, usize)>,
}

/// A row before its columns are known.
struct Record {
    line: u64,
    cells: Vec<Cell>,
}

/// Reasons that usually hold for all cells of a row, so they are named once.
const OF_ROWS: [&str; 2] = ["import.hidden_cell", "import.struck_cell"];

/// Column of each position of the header.
type Order = Vec<Option<&'static str>>;

impl Record {
    fn is_empty(&self) -> bool {
        self.cells
            .iter()
            .all(|cell| cell.as_ref().is_ok_and(String::is_empty))
    }

    /// Whether the row has one filled cell, as the title of a table has.
    fn is_title(&self) -> bool {
        let filled = |cell: &&Cell| cell.as_ref().is_ok_and(|text| !text.is_empty());
        self.cells.iter().filter(filled).count() == 1
    }

    /// Whether the record is the header once more, as at the top of each printed page.
    fn repeats(&self, order: &Order, columns: &[Column]) -> bool {
        let mut same = 0;
        for (at, cell) in self.cells.iter().enumerate() {
            let Ok(text) = cell else { return false };
            if text.is_empty() {
                continue;
            }
            let name = order.get(at).copied().flatten();
            let column = columns.iter().find(|column| Some(column.name) == name);
            if !column.is_some_and(|column| column.is_called(text)) {
                return false;
            }
            same += 1;
        }
        same > 1
    }

    /// Whether the record takes several lines. An unclosed quotation mark swallows the rows below it.
    fn has_line_break(&self) -> bool {
        let breaks = |cell: &Cell| cell.as_ref().is_ok_and(|text| text.contains(['\n', '\r']));
        self.cells.iter().any(breaks)
    }
}

impl Table {
    /// Reads a table. An unreadable file yields no rows and one bad row.
    pub(super) fn read(file: &str, bytes: &[u8], columns: &'static [Column]) -> Self {
        let mut table = Self {
            file: file.to_owned(),
            headers: BTreeMap::new(),
            rows: Vec::new(),
            bad: Vec::new(),
            notes: Vec::new(),
            refused: Vec::new(),
            is_partial: false,
            titles: None,
        };
        let read = if workbook::is_workbook(bytes) {
            workbook::read(bytes).map(|book| table.read_book(book, columns))
        } else {
            text_of(bytes).map(|text| table.read_text(&text, columns))
        };
        if let Err(code) = read {
            let line = damaged_line(bytes).filter(|_| code == "import.unreadable_encoding");
            let place = line.map_or(Place::File, Place::Line);
            table.bad.push(BadRow::new(file, place, code, ""));
        }
        table
    }

    /// Whether the table has this column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.headers.contains_key(column)
    }

    /// Makes a bad row. It names the column as the file does.
    pub(super) fn bad(&self, line: u64, column: &str, code: &'static str, value: &str) -> BadRow {
        let shown = self.headers.get(column).map_or(column, String::as_str);
        BadRow::new(&self.file, Place::Line(line), code, value).in_column(shown)
    }

    fn read_text(&mut self, text: &str, columns: &'static [Column]) {
        let mut reader = reader_of(text);
        let mut lines = Lines::new(text);
        let mut order = None;
        let mut read = csv::StringRecord::new();
        loop {
            let is_read = reader.read_record(&mut read);
            let start = read.position().map_or(0, csv::Position::byte);
            let line = lines.at(usize::try_from(start).unwrap_or(usize::MAX));
            match is_read {
                Ok(false) => break,
                Ok(true) => {}
                Err(_) => {
                    self.refuse(line, "import.unreadable_row", "");
                    self.is_partial = true;
                    break;
                }
            }
            let cells = read.iter().map(cell_of_text).collect();
            let record = Record { line, cells };
            if self.take(&record, &mut order, columns) == Flow::Stop {
                break;
            }
        }
        self.end(order.is_some(), columns);
    }

    fn read_book(&mut self, book: workbook::Book, columns: &'static [Column]) {
        let mut order = None;
        for (line, cells) in book.rows {
            let record = Record { line, cells };
            if self.take(&record, &mut order, columns) == Flow::Stop {
                break;
            }
        }
        self.end(order.is_some(), columns);
        for name in book.hidden {
            let note = BadRow::new(&self.file, Place::File, "import.hidden_sheet", &name);
            self.notes.push(note);
        }
        for name in book.left_out {
            let left = BadRow::new(&self.file, Place::File, "import.sheet_left_out", &name);
            self.bad.push(left);
            self.is_partial = true;
        }
    }

    /// Takes a record as title, header or row.
    fn take(
        &mut self,
        record: &Record,
        order: &mut Option<Order>,
        columns: &'static [Column],
    ) -> Flow {
        if record.is_empty() {
            return Flow::Continue;
        }
        let Some(order) = order else {
            let is_known = |cell: &Cell| {
                cell.as_ref()
                    .is_ok_and(|text| columns.iter().any(|column| column.is_called(text)))
            };
            let has_known = record.cells.iter().any(is_known);
            let (first, titles) = self.titles.unwrap_or((record.line, 0));
            if !has_known && record.is_title() && titles < IMPORT_TITLES_MAX {
                self.titles = Some((first, titles + 1));
                return Flow::Continue;
            }
            let line = if has_known { record.line } else { first };
            *order = self.read_header(record, line, columns);
            return if order.is_some() {
                Flow::Continue
            } else {
                Flow::Stop
            };
        };
        if record.repeats(order, columns) {
            let place = Place::Line(record.line);
            let note = BadRow::new(&self.file, place, "import.header_again", "");
            self.notes.push(note);
            return Flow::Continue;
        }
        if self.rows.len() >= IMPORT_ROWS_MAX {
            self.refuse(record.line, "import.too_many_rows", "");
            self.is_partial = true;
            return Flow::Stop;
        }
        self.read_row(record, order);
        Flow::Continue
    }

    /// Names a missing header or missing rows.
    fn end(&mut self, has_header: bool, columns: &'static [Column]) {
        if !self.bad.is_empty() || !self.rows.is_empty() {
            return;
        }
        if let Some((line, _)) = self.titles.filter(|_| !has_header) {
            self.refuse_missing(line, columns);
        } else {
            let code = if has_header {
                "import.no_rows"
            } else {
                "import.empty_file"
            };
            self.bad
                .push(BadRow::new(&self.file, Place::File, code, ""));
        }
    }

    /// Maps each position of the header to a column; `None` if the table is unreadable.
    fn read_header(
        &mut self,
        record: &Record,
        line: u64,
        columns: &'static [Column],
    ) -> Option<Order> {
        if record.cells.len() > IMPORT_COLUMNS_MAX {
            self.refuse(line, "import.too_many_columns", "");
            return None;
        }
        let mut order = Vec::new();
        for cell in &record.cells {
            let header = match cell {
                Ok(header) => header.as_str(),
                Err(code) => {
                    self.refuse(line, code, "");
                    self.is_partial = true;
                    order.push(None);
                    continue;
                }
            };
            let known = columns.iter().find(|column| column.is_called(header));
            match known {
                _ if header.is_empty() => {}
                None => {
                    self.refuse(line, "import.unknown_column", header);
                    // It may be a known column with a misspelt heading.
                    self.is_partial = true;
                }
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
        self.refuse_missing(line, columns)
            .is_empty()
            .then_some(order)
    }

    /// Refuses a table without required columns, and returns their names.
    fn refuse_missing(&mut self, line: u64, columns: &'static [Column]) -> Vec<&'static str> {
        let mut missing = Vec::new();
        for column in columns.iter().filter(|column| column.required) {
            if !self.headers.contains_key(column.name) {
                let shown = [&[column.name], column.aliases].concat().join(" / ");
                self.refuse(line, "import.missing_column", &shown);
                missing.push(column.name);
            }
        }
        missing
    }

    fn read_row(&mut self, record: &Record, order: &[Option<&'static str>]) {
        let mut row = Row {
            line: record.line,
            cells: BTreeMap::new(),
        };
        let (mut is_good, mut named) = (true, None);
        for (name, cell) in order.iter().zip(&record.cells) {
            let Some(name) = *name else { continue };
            match cell {
                Ok(text) if text.len() > IMPORT_CELL_BYTES_MAX => {
                    let bad = self.bad(record.line, name, "import.cell_too_long", text);
                    self.bad.push(bad);
                    is_good = false;
                }
                Ok(text) => {
                    row.cells.insert(name, with_plain_digits(text));
                }
                Err(code) if named == Some(*code) => {}
                Err(code) => {
                    if OF_ROWS.contains(code) {
                        named = Some(*code);
                    }
                    let bad = self.bad(record.line, name, code, "");
                    self.bad.push(bad);
                    is_good = false;
                }
            }
        }
        // Spreadsheets write empty cells at the end of a row or omit them.
        let surplus = record.cells.iter().skip(order.len());
        let surplus = surplus.map(|cell| cell.as_deref().unwrap_or_default());
        if let Some(value) = surplus.clone().find(|cell| !cell.is_empty()) {
            self.refuse(record.line, "import.too_many_cells", value);
            is_good = false;
        }
        if is_good {
            self.rows.push(row);
        } else {
            self.is_partial |= record.has_line_break();
            self.refused.push(row);
        }
    }

    fn refuse(&mut self, line: u64, code: &'static str, value: &str) {
        self.bad
            .push(BadRow::new(&self.file, Place::Line(line), code, value));
    }
}

/// Whether the next record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    Stop,
}

/// Counts lines as a person does: `\n`, `\r\n` and a single `\r` each end one.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            at: 0,
            line: 1,
        }
    }

    /// Line of the record that begins at this byte. The starts of records must not go back.
    fn at(&mut self, mut start: usize) -> u64 {
        // The reader leaves the second half of a line end, and empty lines, to the next record.
        while matches!(self.bytes.get(start), Some(b'\n' | b'\r')) {
            start += 1;
        }
        while self.at < start.min(self.bytes.len()) {
            let next = self.bytes.get(self.at + 1);
            let ends = match self.bytes[self.at] {
                b'\n' => true,
                b'\r' => next != Some(&b'\n'),
                _ => false,
            };
            self.line += u64::from(ends);
            self.at += 1;
        }
        self.line
    }
}

/// Rows with their lines, or the code and value of the refusal of the whole table.
pub(super) type RowsRead = Result<Vec<(u64, Vec<Cell>)>, (&'static str, String)>;

/// Reads all rows with a filled cell, without a header.
pub(super) fn rows_of(bytes: &[u8]) -> RowsRead {
    let refused = |code| (code, String::new());
    if workbook::is_workbook(bytes) {
        let book = workbook::read(bytes).map_err(refused)?;
        if let Some(sheet) = book.left_out.into_iter().next() {
            return Err(("import.sheet_left_out", sheet));
        }
        let plain = |cell: Cell| cell.map(|text| with_plain_digits(&text));
        let rows = book.rows.into_iter();
        let rows = rows.map(|(line, cells)| (line, cells.into_iter().map(plain).collect()));
        return Ok(rows.collect());
    }
    let text = text_of(bytes).map_err(refused)?;
    let mut reader = reader_of(&text);
    let (mut lines, mut rows) = (Lines::new(&text), Vec::new());
    let mut read = csv::StringRecord::new();
    while reader
        .read_record(&mut read)
        .map_err(|_| refused("import.unreadable_row"))?
    {
        let start = read.position().map_or(0, csv::Position::byte);
        let line = lines.at(usize::try_from(start).unwrap_or(usize::MAX));
        if rows.len() >= IMPORT_ROWS_MAX {
            return Err(refused("import.too_many_rows"));
        }
        if read.iter().any(|cell| !cell.is_empty()) {
            rows.push((
                line,
                read.iter()
                    .map(|cell| cell_of_text(cell).map(|text| with_plain_digits(&text)))
                    .collect(),
            ));
        }
    }
    Ok(rows)
}

fn reader_of(text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(text))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

/// Writes the full-width digits of a number or code as usual ones. Other texts stay as they are.
fn with_plain_digits(text: &str) -> String {
    let is_wide = |c: char| ('０'..='９').contains(&c);
    let is_number = text
        .chars()
        .all(|c| is_wide(c) || c.is_ascii_digit() || is_separator(c));
    if !is_number || !text.contains(is_wide) {
        return text.to_owned();
    }
    let plain = |c: char| {
        let digit = (c as u32).checked_sub('０' as u32).filter(|_| is_wide(c));
        digit
            .and_then(|digit| char::from_digit(digit, 10))
            .unwrap_or(c)
    };
    text.chars().map(plain).collect()
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || ";；、,，|/".contains(c)
}

/// Reads a cell of a text. A spreadsheet that saves a table as text writes what it shows: a rounded number, an
/// error or a formula in the place of an id.
fn cell_of_text(text: &str) -> Cell {
    let is_error = text.starts_with('#') && (text == "#N/A" || text.ends_with(['!', '?']));
    // A column that was too narrow.
    let is_filled = text.len() >= 3 && text.chars().all(|c| c == '#');
    if is_error || is_filled {
        return Err("import.error_cell");
    }
    if text.starts_with('=') {
        return Err("import.formula_cell");
    }
    if is_rounded(text) {
        return Err("import.number_too_long");
    }
    Ok(text.to_owned())
}

/// Whether the text is a long number as a spreadsheet shows it: `3.30105E+17`.
fn is_rounded(text: &str) -> bool {
    let Some((number, power)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    let is_power = power.strip_prefix('+').is_some_and(is_digits);
    whole.len() == 1 && is_digits(whole) && is_digits(rest) && is_power
}

/// Splits a cell that holds a list of codes.
pub(super) fn codes_in(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(is_separator).filter(|part| !part.is_empty())
}

/// Finds the separator that the first line with one uses most: comma, semicolon or tab.
fn delimiter(text: &str) -> u8 {
    let first = text
        .split(['\n', '\r'])
        .find(|line| line.trim().contains(['\t', ';', ',']))
        .unwrap_or("");
    let count = |separator: u8| first.bytes().filter(|byte| *byte == separator).count();
    // `max_by_key` returns the last maximum, so a header of one column is split at commas.
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|separator| count(*separator))
        .unwrap_or(b',')
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
