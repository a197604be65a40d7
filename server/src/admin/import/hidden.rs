//! Hidden rows and columns of a sheet, and cells that are struck out. A person who checks the sheet does not see the
//! former, and a filter hides rows too; the latter say the contrary of their text. So an import refuses these cells.
//!
//! **Contract.** The parts of the workbook were counted by [`crate::admin::xlsform::container`] before.
//! **Not here:** white letters on white ground, rows that another window covers, and single letters of a cell that
//! are struck out.

use std::collections::BTreeSet;
use std::io::{BufReader, Cursor};
use std::ops::RangeInclusive;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use crate::limits::{IMPORT_CELLS_MAX, IMPORT_COLUMNS_MAX, IMPORT_ROWS_MAX};

/// The hidden rows and columns of a sheet, from 0.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    rows: BTreeSet<u32>,
    columns: Vec<RangeInclusive<u32>>,
    struck: BTreeSet<(u32, u32)>,
    /// Whether more rows or columns are hidden than a table may have.
    is_all: bool,
}

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;
type Result<T> = std::result::Result<T, quick_xml::Error>;

impl Hidden {
    /// Reads the hidden rows and columns of a sheet; `None` if its part cannot be read.
    pub(super) fn of(bytes: &[u8], sheet: &str) -> Option<Self> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
        let path = part_of(&mut archive, sheet)?;
        let mut styles = Styles::default();
        // A workbook without styles strikes nothing out.
        let _ = each_start(&mut archive, "xl/styles.xml", |start| styles.note(start));
        let (mut hidden, mut place) = (Self::default(), Place::default());
        each_start(&mut archive, &path, |start| {
            hidden.note(start, &mut place.row)?;
            hidden.note_cell(start, &styles, &mut place)
        })?;
        Some(hidden)
    }

    /// Whether a cell is hidden.
    pub(super) fn has(&self, row: u32, column: u32) -> bool {
        self.is_all
            || self.rows.contains(&row)
            || self.columns.iter().any(|range| range.contains(&column))
    }

    /// Whether a cell is struck out.
    pub(super) fn has_struck(&self, row: u32, column: u32) -> bool {
        self.struck.contains(&(row, column))
    }

    /// Notes a cell that is struck out. `place` is the one after the last element.
    fn note_cell(
        &mut self,
        start: &BytesStart<'_>,
        styles: &Styles,
        place: &mut Place,
    ) -> Result<()> {
        match start.local_name().as_ref() {
            "row" => place.column = 0,
            "c" => {
                let said = value(start, "r")?.as_deref().and_then(cell_at);
                // The row has already been counted.
                let at = said.unwrap_or((place.row.saturating_sub(1), place.column));
                place.column = at.1.saturating_add(1);
                let style = value(start, "s")?.and_then(|text| text.parse().ok());
                if !styles.struck.contains(&style.unwrap_or(0)) {
                    return Ok(());
                }
                if self.struck.len() < IMPORT_CELLS_MAX {
                    self.struck.insert(at);
                } else {
                    self.is_all = true;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes an element of the sheet. `next_row` is the number of a row that does not say its own.
    fn note(&mut self, start: &BytesStart<'_>, next_row: &mut u32) -> Result<()> {
        let number =
            |name: &str| Ok::<_, quick_xml::Error>(value(start, name)?.as_deref().and_then(index));
        match start.local_name().as_ref() {
            "row" => {
                let row = number("r")?.unwrap_or(*next_row);
                *next_row = row.saturating_add(1);
                if !is_hidden(start, "ht")? {
                    return Ok(());
                }
                if self.rows.len() < IMPORT_ROWS_MAX {
                    self.rows.insert(row);
                } else {
                    self.is_all = true;
                }
            }
            "col" if is_hidden(start, "width")? => {
                if self.columns.len() >= IMPORT_COLUMNS_MAX {
                    self.is_all = true;
                } else if let (Some(from), Some(to)) = (number("min")?, number("max")?) {
                    self.columns.push(from..=to);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The place after the last element of a sheet, from 0.
#[derive(Debug, Default)]
struct Place {
    row: u32,
    column: u32,
}

/// The formats of cells that strike their text out.
#[derive(Debug, Default)]
struct Styles {
    /// Whether the last element with a list of its own is that of the fonts, or that of the formats of cells.
    part: StylePart,
    fonts: Vec<bool>,
    formats: usize,
    struck: BTreeSet<usize>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum StylePart {
    Fonts,
    Formats,
    #[default]
    Other,
}

impl Styles {
    fn note(&mut self, start: &BytesStart<'_>) -> Result<()> {
        match (start.local_name().as_ref(), self.part) {
            ("fonts", _) => self.part = StylePart::Fonts,
            ("cellXfs", _) => self.part = StylePart::Formats,
            ("fills" | "borders" | "cellStyleXfs" | "cellStyles" | "dxfs", _) => {
                self.part = StylePart::Other;
            }
            ("font", StylePart::Fonts) => self.fonts.push(false),
            ("strike", StylePart::Fonts) => {
                let says = value(start, "val")?;
                let is_off = says.is_some_and(|text| matches!(&*text, "0" | "false"));
                if let Some(last) = self.fonts.last_mut() {
                    *last = !is_off;
                }
            }
            ("xf", StylePart::Formats) => {
                let font = value(start, "fontId")?.and_then(|text| text.parse::<usize>().ok());
                if self.fonts.get(font.unwrap_or(0)).copied().unwrap_or(false) {
                    self.struck.insert(self.formats);
                }
                self.formats += 1;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Reads the name of a cell, such as `B8`, as row and column from 0.
fn cell_at(text: &str) -> Option<(u32, u32)> {
    let digits = text.find(|letter: char| letter.is_ascii_digit())?;
    let (letters, row) = text.split_at(digits);
    let mut column = 0_u32;
    for letter in letters.bytes() {
        let place = letter.to_ascii_uppercase().checked_sub(b'A')?;
        if place > 25 {
            return None;
        }
        column = column.checked_mul(26)?.checked_add(u32::from(place) + 1)?;
    }
    Some((index(row)?, column.checked_sub(1)?))
}

/// Reads a number from 1 as one from 0.
fn index(text: &str) -> Option<u32> {
    text.parse::<u32>().ok()?.checked_sub(1)
}

/// Whether a row or column is hidden, or has the size 0.
fn is_hidden(start: &BytesStart<'_>, size: &str) -> Result<bool> {
    let says = value(start, "hidden")?.is_some_and(|text| matches!(&*text, "1" | "true"));
    let is_flat =
        value(start, size)?.is_some_and(|text| text.parse().is_ok_and(|size: f64| size <= 0.0));
    Ok(says || is_flat)
}

/// The value of an attribute, whatever prefix its name has.
fn value(start: &BytesStart<'_>, name: &str) -> Result<Option<String>> {
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute?;
        if attribute.key.local_name().as_ref() == name {
            let text = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            return Ok(Some(text.into_owned()));
        }
    }
    Ok(None)
}

/// Path of the part of a sheet, as the workbook and its relations name it.
fn part_of(archive: &mut Archive<'_>, sheet: &str) -> Option<String> {
    let mut relation = None;
    each_start(archive, "xl/workbook.xml", |start| {
        if start.local_name().as_ref() == "sheet" && value(start, "name")?.as_deref() == Some(sheet)
        {
            relation = value(start, "id")?;
        }
        Ok(())
    })?;
    let (relation, mut target) = (relation?, None);
    each_start(archive, "xl/_rels/workbook.xml.rels", |start| {
        if value(start, "Id")?.as_ref() == Some(&relation) {
            target = value(start, "Target")?;
        }
        Ok(())
    })?;
    let target = target?;
    Some(match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("xl/{target}"),
    })
}

/// Calls `visit` for each element of a part; `None` if the part cannot be read.
fn each_start(
    archive: &mut Archive<'_>,
    path: &str,
    mut visit: impl FnMut(&BytesStart<'_>) -> Result<()>,
) -> Option<()> {
    // Some programs write the names of parts in other letters.
    let is_it = |name: &str| name.replace('\\', "/").eq_ignore_ascii_case(path);
    let name = archive
        .file_names()
        .filter_map(std::result::Result::ok)
        .find(|name| is_it(name))?
        .into_owned();
    let part = archive.by_name(&name).ok()?;
    let mut reader = quick_xml::Reader::from_reader(BufReader::new(part));
    reader.config_mut().check_end_names = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(start) | Event::Empty(start) => visit(&start).ok()?,
            Event::Eof => return Some(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    /// A hostile sheet makes each look at a cell as long as its list of hidden columns.
    #[test]
    fn endless_list_of_hidden_columns_hides_all() {
        let mut hidden = Hidden::default();
        for n in 1..=IMPORT_COLUMNS_MAX {
            let column = format!("col min=\"{n}\" max=\"{n}\" hidden=\"1\"");
            hidden
                .note(&BytesStart::from_content(&*column, 3), &mut 0)
                .unwrap();
        }
        assert!(hidden.has(0, 63) && !hidden.has(0, 64));
        let more = "col min=\"9\" max=\"9\" hidden=\"1\"";
        for _ in 0..1_000 {
            hidden
                .note(&BytesStart::from_content(more, 3), &mut 0)
                .unwrap();
        }
        assert_eq!(hidden.columns.len(), IMPORT_COLUMNS_MAX);
        assert!(hidden.has(0, 64));
    }
}
