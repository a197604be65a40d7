//! The files of an export: one of records, and for CSV with content a second one of histories.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use onegrid_core::texts::{self, Lang};
use serde_json::{Map, Value, json};

use super::sheet::{self, Table};
use super::{Told, Wanted, content, csv, outline};
use crate::admin::new_file::NewFile;
use crate::error::{Phrase, Problem, Result};

/// File format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object a line for each record.
    #[default]
    Jsonl,
    /// A table for spreadsheets; content adds a second table with the histories.
    Csv,
    /// A workbook for spreadsheets; content adds a second sheet with the histories.
    Xlsx,
    /// One `FeatureCollection`; a record without a position has no geometry.
    Geojson,
}

impl std::str::FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text {
            "jsonl" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            "xlsx" => Ok(Self::Xlsx),
            "geojson" => Ok(Self::Geojson),
            _ => Err("jsonl, csv, xlsx, geojson"),
        }
    }
}

/// Open files of an export. They are always new: an export never overwrites a file. A file has its name when it is
/// whole.
pub struct Files {
    records: Out,
    history: Option<Out>,
    format: Format,
    columns: Vec<&'static str>,
    /// Sheets of a workbook: records, and histories.
    sheets: Vec<Table>,
    count: u64,
}

impl Files {
    /// Creates the files.
    pub fn create(to: &Path, wanted: Wanted) -> Result<Self> {
        let with_history = wanted.format == Format::Csv && wanted.reader.is_some();
        let beside = with_history.then(|| history_path(to));
        let history = beside.map(|path| Out::create(&path)).transpose()?;
        Ok(Self {
            records: Out::create(to)?,
            history,
            format: wanted.format,
            columns: Vec::new(),
            sheets: Vec::new(),
            count: 0,
        })
    }

    /// Removes the files of an export that failed.
    pub fn remove(mut self) {
        for out in std::iter::once(&mut self.records).chain(&mut self.history) {
            out.file.get_mut().remove();
        }
    }

    pub(super) fn begin(&mut self, wanted: Wanted) -> Result<()> {
        self.columns = outline::COLUMNS.to_vec();
        if wanted.reader.is_some() {
            self.columns.extend(content::COLUMNS);
        }
        let headings = headings(&self.columns, wanted.lang);
        let of_history = headings_of_history(wanted.lang);
        match self.format {
            Format::Jsonl => Ok(()),
            Format::Csv => {
                let mark = csv::BYTE_ORDER_MARK;
                self.records
                    .put(&format!("{mark}{}", csv::head(&headings)))?;
                match &mut self.history {
                    Some(history) => history.put(&format!("{mark}{}", csv::head(&of_history))),
                    None => Ok(()),
                }
            }
            Format::Xlsx => {
                let name = |code| Phrase::new(code).sentence(wanted.lang);
                let records = name("export.sheet_records");
                self.sheets
                    .push(Table::begin(&records, &self.columns, &headings)?);
                if wanted.reader.is_some() {
                    let history = name("export.sheet_history");
                    self.sheets
                        .push(Table::begin(&history, &content::HISTORY, &of_history)?);
                }
                Ok(())
            }
            Format::Geojson => self
                .records
                .put("{\"type\":\"FeatureCollection\",\"features\":["),
        }
    }

    pub(super) fn record(&mut self, told: &Told) -> Result<()> {
        match self.format {
            Format::Jsonl => self.records.put(&format!("{}\n", whole(told)))?,
            Format::Csv => {
                self.records.put(&csv::line(&self.columns, &told.facts))?;
                if let Some(history) = &mut self.history {
                    for item in told.history.iter().flatten() {
                        history.put(&csv::line(&content::HISTORY, item))?;
                    }
                }
            }
            Format::Xlsx => {
                if let [records, histories @ ..] = &mut self.sheets[..] {
                    records.add(&told.facts)?;
                    for item in told.history.iter().flatten() {
                        for history in &mut *histories {
                            history.add(item)?;
                        }
                    }
                }
            }
            Format::Geojson => {
                let comma = if self.count == 0 { "" } else { "," };
                self.records.put(&format!("{comma}\n{}", feature(told)))?;
            }
        }
        self.count += 1;
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<()> {
        if self.format == Format::Geojson {
            self.records.put("\n]}\n")?;
        }
        if self.format == Format::Xlsx {
            let bytes = sheet::workbook(std::mem::take(&mut self.sheets))?;
            let written = self.records.file.write_all(&bytes);
            written.map_err(|error| failed(&self.records.path, &error))?;
        }
        self.records.finish()?;
        self.history.as_mut().map_or(Ok(()), Out::finish)
    }
}

/// The headings of columns. Programs read the names of JSON, people read these.
fn headings(columns: &[&str], lang: Lang) -> Vec<String> {
    let heading = |column: &&str| {
        let known = texts::text(&format!("column.{column}"), lang);
        known.unwrap_or(column).to_owned()
    };
    columns.iter().map(heading).collect()
}

fn headings_of_history(lang: Lang) -> Vec<String> {
    headings(&content::HISTORY, lang)
}

/// Path of the histories that belong to a table: `cases.csv` → `cases.history.csv`.
fn history_path(to: &Path) -> PathBuf {
    let ending = to.extension().unwrap_or("csv".as_ref()).to_owned();
    let mut name = to.file_stem().unwrap_or(to.as_os_str()).to_owned();
    name.push(".history.");
    name.push(ending);
    to.with_file_name(name)
}

fn whole(told: &Told) -> Value {
    let mut facts = told.facts.clone();
    if let Some(history) = &told.history {
        facts.insert("history".to_owned(), json!(history));
    }
    Value::Object(facts)
}

fn feature(told: &Told) -> Value {
    json!({
        "type": "Feature",
        "geometry": point(&told.facts),
        "properties": whole(told),
    })
}

/// Point with longitude before latitude, in degrees, WGS-84 (RFC 7946).
fn point(facts: &Map<String, Value>) -> Option<Value> {
    let degrees = |name: &str| facts.get(name)?.as_f64();
    let place = [degrees("longitude")?, degrees("latitude")?];
    Some(json!({ "type": "Point", "coordinates": place }))
}

struct Out {
    path: PathBuf,
    file: BufWriter<NewFile>,
}

/// Writes a new file whole. A failure leaves no file.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut out = Out::create(path)?;
    let written = out.file.write_all(bytes);
    let done = written.map_err(|error| failed(path, &error));
    done.and_then(|()| out.finish())
}

impl Out {
    fn create(path: &Path) -> Result<Self> {
        let file = NewFile::create(path).map_err(|error| failed(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
        })
    }

    fn put(&mut self, text: &str) -> Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| failed(&self.path, &error))
    }

    fn finish(&mut self) -> Result<()> {
        let done = self.file.flush();
        let done = done.and_then(|()| self.file.get_mut().finish());
        done.map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Problem {
    let code = match error.kind() {
        std::io::ErrorKind::AlreadyExists => "export.exists",
        _ => "data.unusable",
    };
    Problem::new(code)
        .with("path", path.display())
        .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_heading() {
        let columns = outline::COLUMNS.iter().chain(&content::COLUMNS);
        for column in columns.chain(&content::HISTORY) {
            for lang in Lang::ALL {
                let code = format!("column.{column}");
                assert!(texts::text(&code, lang).is_some(), "{code}");
            }
        }
    }
}
