//! Hidden rows and columns of a sheet. A person who checks the sheet does not see them, and a filter hides rows
//! too, so an import refuses their cells.
//!
//! **Contract.** The parts of the workbook were counted by [`crate::admin::xlsform::container`] before.
//! **Not here:** white letters on white ground, and rows that another window covers.

use std::collections::BTreeSet;
use std::io::{BufReader, Cursor};
use std::ops::RangeInclusive;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use crate::limits::{IMPORT_COLUMNS_MAX, IMPORT_ROWS_MAX};

/// The hidden rows and columns of a sheet, from 0.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    rows: BTreeSet<u32>,
    columns: Vec<RangeInclusive<u32>>,
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
        let mut hidden = Self::default();
        let mut row = 0;
        each_start(&mut archive, &path, |start| hidden.note(start, &mut row))?;
        Some(hidden)
    }

    /// Whether a cell is hidden.
    pub(super) fn has(&self, row: u32, column: u32) -> bool {
        self.is_all
            || self.rows.contains(&row)
            || self.columns.iter().any(|range| range.contains(&column))
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
