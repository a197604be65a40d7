//! Workbooks that tests write cell by cell.

use onegrid_core::domain::form::Template;
use rust_xlsxwriter::{Format, Workbook, Worksheet};

use super::super::TemplateFile;
use crate::admin::import::BadRow;

pub(super) const SETTINGS: &[&[&str]] =
    &[&["form_title", "form_id", "version"], &["表", "form", "1"]];
const COLOURS: &[&[&str]] = &[
    &["list_name", "name", "label::中文 (zh)"],
    &["colour", "red", "红"],
    &["colour", "green", "绿"],
];

type Change = Box<dyn Fn(&mut Worksheet)>;

/// A workbook: sheets with their rows, and changes to the first sheet.
pub(super) struct Book {
    sheets: Vec<(String, Vec<Vec<String>>)>,
    changes: Vec<Change>,
}

impl Book {
    /// A workbook with these questions, a list `colour`, and settings.
    pub(super) fn of(survey: &[&[&str]]) -> Self {
        Self::with(survey, COLOURS, SETTINGS)
    }

    pub(super) fn with(survey: &[&[&str]], choices: &[&[&str]], settings: &[&[&str]]) -> Self {
        let mut book = Self {
            sheets: Vec::new(),
            changes: Vec::new(),
        };
        book.sheet("survey", survey);
        book.sheet("choices", choices);
        book.sheet("settings", settings);
        book
    }

    pub(super) fn empty() -> Self {
        Self {
            sheets: Vec::new(),
            changes: Vec::new(),
        }
    }

    pub(super) fn sheet(&mut self, name: &str, rows: &[&[&str]]) {
        let rows = rows.iter();
        let rows = rows.map(|row| row.iter().map(|cell| (*cell).to_owned()).collect());
        self.sheets.push((name.to_owned(), rows.collect()));
    }

    pub(super) fn change(&mut self, change: impl Fn(&mut Worksheet) + 'static) {
        self.changes.push(Box::new(change));
    }

    /// Writes a number into the first sheet, shown in a format.
    pub(super) fn number(
        &mut self,
        row: u32,
        column: u16,
        number: f64,
        format: Option<&'static str>,
    ) {
        self.change(move |sheet| {
            let format = Format::new().set_num_format(format.unwrap_or("General"));
            sheet
                .write_number_with_format(row, column, number, &format)
                .unwrap();
        });
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut book = Workbook::new();
        for (index, (name, rows)) in self.sheets.iter().enumerate() {
            let sheet = book.add_worksheet();
            sheet.set_name(name).unwrap();
            for (row, cells) in (0..).zip(rows) {
                for (column, cell) in (0..).zip(cells) {
                    if !cell.is_empty() {
                        sheet.write_string(row, column, cell).unwrap();
                    }
                }
            }
            if index == 0 {
                self.changes.iter().for_each(|change| change(sheet));
            }
        }
        book.save_to_buffer().unwrap()
    }
}

pub(super) fn parsed(book: &Book) -> Result<Template, Vec<BadRow>> {
    TemplateFile::parse("form.xlsx", &book.to_bytes()).map(|read| read.template)
}

/// The report as sheet, row, column and code.
pub(super) type Line = (&'static str, u64, String, &'static str);

pub(super) fn report(book: &Book) -> Vec<Line> {
    let bad = parsed(book).expect_err("the workbook is wrong");
    bad.iter().map(line).collect()
}

pub(super) fn line(bad: &BadRow) -> Line {
    (
        bad.sheet().unwrap_or_default(),
        bad.line().unwrap_or_default(),
        bad.column.clone().unwrap_or_default(),
        bad.code,
    )
}
