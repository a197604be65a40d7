//! Import of areas, units, members and lists of records from files that offices really have.
//!
//! ```text
//!  bytes ─▶ encoding ─▶ table ─▶ areas │ units │ members │ list ─▶ Import { good, bad }
//!           UTF-8, 16   header,           each row parsed                 │
//!        or workbook    limits            into a checked type             ▼ stored by the caller
//! ```
//!
//! **Contract.** Parsing is pure and stores no data. Every refused row is named with its place, its
//! column and a code that has a sentence in both languages. The other rows are good and consistent
//! with each other. A caller that wants all or nothing uses [`Import::strict`].
//! **Not here:** storing, certificates, the command line.

pub mod areas;
mod boundaries;
mod encoding;
mod geometry;
mod hidden;
pub mod list;
pub mod members;
pub mod people;
mod table;
pub mod units;
mod workbook;

use std::fmt;

use onegrid_core::domain::names::is_invisible;
use onegrid_core::texts::{Lang, say};

use crate::limits::IMPORT_BAD_ROWS_MAX;

/// Place of a problem in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The whole file.
    File,
    /// A line of a table, from 1; the header is line 1.
    Line(u64),
    /// A feature of a `GeoJSON` file, from 1.
    Feature(u64),
    /// A row of a sheet of a workbook.
    Sheet {
        /// Name of the sheet.
        sheet: &'static str,
        /// Number of the row, from 1, as the spreadsheet shows it.
        row: u32,
    },
}

/// A refused row, or a refused file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// File name that the caller gave.
    pub file: String,
    /// Place in the file.
    pub place: Place,
    /// Column name that the file's header uses.
    pub column: Option<String>,
    /// Stable code of the reason.
    pub code: &'static str,
    /// The refused value, shortened; it helps to find the row.
    pub value: String,
    /// Further values of the sentence.
    values: Vec<(&'static str, String)>,
}

impl BadRow {
    /// Characters of the refused value that are kept.
    const VALUE_CHARS: usize = 40;

    pub(in crate::admin) fn new(file: &str, place: Place, code: &'static str, value: &str) -> Self {
        let mut kept: String = visible(value).chars().take(Self::VALUE_CHARS).collect();
        if value.chars().nth(Self::VALUE_CHARS).is_some() {
            kept.push('…');
        }
        Self {
            file: visible(file),
            place,
            column: None,
            code,
            value: kept,
            values: Vec::new(),
        }
    }

    /// Adds values of the sentence.
    pub(in crate::admin) fn with(mut self, values: Vec<(&'static str, String)>) -> Self {
        self.values.extend(values);
        self
    }

    pub(in crate::admin) fn in_column(mut self, column: &str) -> Self {
        self.column = Some(visible(column));
        self
    }

    /// Line of a table, or row of a sheet; `None` for other places.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        match self.place {
            Place::Line(line) => Some(line),
            Place::Sheet { row, .. } => Some(row.into()),
            Place::File | Place::Feature(_) => None,
        }
    }

    /// Sheet of a workbook; `None` for other places.
    #[must_use]
    pub fn sheet(&self) -> Option<&'static str> {
        match self.place {
            Place::Sheet { sheet, .. } => Some(sheet),
            Place::File | Place::Line(_) | Place::Feature(_) => None,
        }
    }

    /// Reason and remedy as a sentence.
    #[must_use]
    pub fn reason(&self, lang: Lang) -> String {
        let mut values = vec![("value", self.value.as_str())];
        values.extend(
            self.values
                .iter()
                .map(|(name, text)| (*name, text.as_str())),
        );
        say(self.code, lang, &values)
    }

    /// One line for a person: place, column, reason, code.
    #[must_use]
    pub fn say(&self, lang: Lang) -> String {
        let place = match (self.place, lang) {
            (Place::File, _) => String::new(),
            (Place::Line(line), Lang::Zh) => format!(" 第{line}行"),
            (Place::Line(line), Lang::En) => format!(" line {line}"),
            (Place::Feature(feature), Lang::Zh) => format!(" 第{feature}个要素"),
            (Place::Feature(feature), Lang::En) => format!(" feature {feature}"),
            (Place::Sheet { sheet, row }, Lang::Zh) => format!(" {sheet} 表第{row}行"),
            (Place::Sheet { sheet, row }, Lang::En) => format!(" {sheet} row {row}"),
        };
        let column = match (&self.column, lang) {
            (None, _) => String::new(),
            (Some(column), Lang::Zh) => format!(" “{column}”列"),
            (Some(column), Lang::En) => format!(" column “{column}”"),
        };
        let value = if self.value.is_empty() {
            String::new()
        } else {
            format!(" [{}]", self.value)
        };
        let colon = if lang == Lang::Zh { "：" } else { ": " };
        let reason = self.reason(lang);
        format!(
            "{}{place}{column}{value}{colon}{reason} ({})",
            self.file, self.code
        )
    }
}

/// Shows each character. A terminal obeys control characters, which could hide the rest of a report.
fn visible(text: &str) -> String {
    let hides = |c: char| c.is_control() || is_invisible(c);
    let shown = |c| {
        if hides(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say(Lang::En))
    }
}

/// Result of parsing a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import<T> {
    /// Good rows, in an order that allows storing them one by one.
    pub good: Vec<T>,
    /// Refused rows, in the order of the files.
    pub bad: Vec<BadRow>,
    /// Number of rows that change nothing.
    pub unchanged: usize,
    /// Remarks about things that are left out as usual, such as hidden sheets.
    pub notes: Vec<BadRow>,
    /// External ids of people who are held back whole, because one of their rows is bad.
    pub held_back: Vec<String>,
    /// Whether rows or columns of the file may be missing here. Then the absence of a role proves nothing.
    pub is_partial: bool,
}

impl<T> Default for Import<T> {
    fn default() -> Self {
        Self {
            good: Vec::new(),
            bad: Vec::new(),
            unchanged: 0,
            notes: Vec::new(),
            held_back: Vec::new(),
            is_partial: false,
        }
    }
}

impl<T> Import<T> {
    /// Takes over everything of a table but its rows.
    fn of(table: &mut table::Table) -> Self {
        Self {
            bad: std::mem::take(&mut table.bad),
            notes: std::mem::take(&mut table.notes),
            is_partial: table.is_partial,
            ..Self::default()
        }
    }

    /// Returns all good rows if there is no bad row, otherwise the bad rows alone.
    pub fn strict(self) -> Result<Vec<T>, Vec<BadRow>> {
        if self.bad.is_empty() {
            Ok(self.good)
        } else {
            Err(self.bad)
        }
    }

    /// Whether the limit of bad rows is reached, so that parsing stops.
    fn is_hopeless(&self) -> bool {
        self.bad.len() >= IMPORT_BAD_ROWS_MAX
    }
}

/// Receives the progress of a parse: (rows done, rows in all). Called about a hundred times for a
/// file.
pub type Progress<'a> = dyn FnMut(usize, usize) + 'a;

/// Calls `progress` at every hundredth part and at the end.
fn report(progress: &mut Progress<'_>, done: usize, all: usize) {
    let step = (all / 100).max(1);
    if done.is_multiple_of(step) || done == all {
        progress(done, all);
    }
}
