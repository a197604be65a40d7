//! Templates of checklists as spreadsheets: the subset of `XLSForm` that has a place in a template.
//!
//! ```text
//!  bytes ─▶ container ─▶ workbook ─▶ sheet ─▶ settings · choices · survey ─▶ judge ─▶ Template
//!           zip sizes    cells       headings   each row into JSON            core's checks
//!
//!  Template ─▶ write ─▶ bytes, read again: they have to give the same canonical bytes
//! ```
//!
//! **Contract.** Reading is pure. A workbook becomes a template as a whole, or a report names every wrong row
//! with its sheet, column and code. Nothing that a cell says is left out silently. Bytes from outside never
//! panic and never cost more than the limits allow. `docs/forms.md` has the table of columns and types.
//! **Not here:** the rules of templates (`domain::form` of core), storing, the command line.

mod choices;
pub(super) mod container;
mod judge;
mod names;
mod report;
mod settings;
mod sheet;
mod survey;
mod workbook;
mod write;

use onegrid_core::domain::form::Template;

use self::report::Report;
use super::import::BadRow;
use crate::limits::{XLSFORM_FILE_BYTES_MAX, XLSFORM_UNPACKED_BYTES_MAX};

pub use self::write::to_workbook;

/// A template with the place of its version, because a later refusal names that place.
#[derive(Debug)]
pub struct TemplateFile {
    /// The template.
    pub template: Template,
    version: VersionPlace,
}

/// Place of the version in its file.
#[derive(Debug, Clone, Copy)]
enum VersionPlace {
    /// JSON has no rows.
    File,
    /// The row of the sheet `settings`.
    Row(u32),
}

impl TemplateFile {
    /// Reads a template from a workbook or from JSON; the first bytes tell them apart. `file` is the name that
    /// reports show.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Vec<BadRow>> {
        let mut report = Report::new(file);
        // Editors of Windows begin a text with a mark of its encoding.
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let read = if bytes.len() > XLSFORM_FILE_BYTES_MAX {
            report.file("xlsform.file_too_large", "");
            None
        } else if bytes.trim_ascii_start().starts_with(b"{") {
            of_json(bytes, &mut report)
        } else {
            of_workbook(bytes, &mut report)
        };
        match read {
            Some(read) if report.is_empty() => Ok(read),
            _ => Err(report.into_rows()),
        }
    }

    /// The refusal of the version, in the words of `code`.
    #[must_use]
    pub fn refused(&self, file: &str, code: &'static str, newest: u32) -> BadRow {
        let mut report = Report::new(file);
        let values = vec![
            ("item", self.template.id().to_string()),
            ("part", newest.to_string()),
        ];
        let value = self.template.version().to_string();
        match self.version {
            VersionPlace::File => report.file_with(code, &value, values),
            VersionPlace::Row(row) => {
                report.cell_of("settings", row, names::VERSION, code, &value, values);
            }
        }
        report.into_rows().remove(0)
    }
}

fn of_json(bytes: &[u8], report: &mut Report) -> Option<TemplateFile> {
    match Template::parse(bytes) {
        Ok(template) => Some(TemplateFile {
            template,
            version: VersionPlace::File,
        }),
        Err(error) => {
            let item = error.item().unwrap_or_default();
            report.file_with(error.code(), item, error.values());
            None
        }
    }
}

fn of_workbook(bytes: &[u8], report: &mut Report) -> Option<TemplateFile> {
    if let Err(code) = container::check(bytes, XLSFORM_UNPACKED_BYTES_MAX) {
        report.file(code, "");
        return None;
    }
    let book = workbook::read(bytes, report)?;
    let survey = sheet::table(&names::SURVEY, book.survey, report)?;
    let settings = sheet::table(&names::SETTINGS, book.settings, report)?;
    let choices = match book.choices {
        Some(cells) if !cells.is_empty() => sheet::table(&names::CHOICES, cells, report)?,
        _ => sheet::Table::empty(&names::CHOICES),
    };
    let lists = choices::read(&choices, report);
    let items = survey::read(&survey, report);
    let head = settings::read(&settings, report)?;
    if !report.is_empty() {
        return None;
    }
    let version = VersionPlace::Row(head.row);
    let template = judge::template(
        &judge::Sheets {
            survey: &survey,
            choices: &choices,
            settings: &settings,
        },
        head,
        &lists,
        items,
        report,
    )?;
    Some(TemplateFile { template, version })
}

#[cfg(test)]
mod tests;
