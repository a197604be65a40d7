//! The files of an export: one of records, and for CSV with content a second one of histories.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Told, Wanted, content, csv, outline};
use crate::error::{Problem, Result};

/// File format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object a line for each record.
    #[default]
    Jsonl,
    /// A table for spreadsheets; content adds a second table with the histories.
    Csv,
    /// One `FeatureCollection`; a record without a position has no geometry.
    Geojson,
}

impl std::str::FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text {
            "jsonl" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            "geojson" => Ok(Self::Geojson),
            _ => Err("jsonl, csv, geojson"),
        }
    }
}

/// Open files of an export. They are always new: an export never overwrites a file.
pub struct Files {
    records: Out,
    history: Option<Out>,
    format: Format,
    columns: Vec<&'static str>,
    count: u64,
}

impl Files {
    /// Creates the files.
    pub fn create(to: &Path, wanted: Wanted) -> Result<Self> {
        let with_history = wanted.format == Format::Csv && wanted.reader.is_some();
        let beside = with_history.then(|| history_path(to));
        let history = beside.map(|path| Out::create(&path)).transpose()?;
        let records = Out::create(to).inspect_err(|_| {
            // An empty file would be in the way of the next export.
            if let Some(history) = &history {
                let _ = std::fs::remove_file(&history.path);
            }
        })?;
        Ok(Self {
            records,
            history,
            format: wanted.format,
            columns: Vec::new(),
            count: 0,
        })
    }

    pub(super) fn begin(&mut self, wanted: Wanted) -> Result<()> {
        self.columns = outline::COLUMNS.to_vec();
        if wanted.reader.is_some() {
            self.columns.extend(content::COLUMNS);
        }
        match self.format {
            Format::Jsonl => Ok(()),
            Format::Csv => {
                let mark = csv::BYTE_ORDER_MARK;
                self.records
                    .put(&format!("{mark}{}", csv::head(&self.columns)))?;
                match &mut self.history {
                    Some(history) => {
                        history.put(&format!("{mark}{}", csv::head(&content::HISTORY)))
                    }
                    None => Ok(()),
                }
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
        self.records.finish()?;
        self.history.as_mut().map_or(Ok(()), Out::finish)
    }
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
    let degrees = |name: &str| Some(facts.get(name)?.as_f64()? / 1e7);
    let place = [degrees("longitude_e7")?, degrees("latitude_e7")?];
    Some(json!({ "type": "Point", "coordinates": place }))
}

struct Out {
    path: PathBuf,
    file: BufWriter<File>,
}

/// Writes a new file whole. A failure leaves no file.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut out = Out::create(path)?;
    let written = out.file.write_all(bytes);
    let done = written.map_err(|error| failed(path, &error));
    done.and_then(|()| out.finish()).inspect_err(|_| {
        // Half a file would be in the way of the next export.
        let _ = std::fs::remove_file(path);
    })
}

impl Out {
    /// Creates a new file for its owner alone, because it may hold confidential texts.
    fn create(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| failed(path, &error))?;
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
        let done = done.and_then(|()| self.file.get_ref().sync_all());
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
