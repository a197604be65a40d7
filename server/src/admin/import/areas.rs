//! Areas from a folder: `areas.csv` (code, level, parent, name, optionally an English name) and beside it
//! `districts.geojson`, `towns.geojson`, `villages.geojson`, `grids.geojson`, whose features carry the code
//! of their area in `properties.code`. A missing `GeoJSON` file means that the level has no boundaries.
//!
//! An area that is refused takes those below it along: each of them is reported as well.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use geojson::Feature;
use onegrid_core::domain::area::{AreaCode, AreaError, AreaLevel, AreaVersion};
use onegrid_core::domain::areas::{AreaEntry, Areas};
use onegrid_core::domain::names::Names;
use onegrid_core::domain::polygon::Boundary;
use onegrid_core::domain::position::Datum;
use onegrid_core::id::AreaId;
use serde_json::Value;

use super::encoding::text_of;
use super::geometry::boundary_of;
use super::table::{Column, Row, Table};
use super::{BadRow, Import, Place, Progress, report};
use crate::limits::IMPORT_FILE_BYTES_MAX;

/// Name of the table in a folder.
pub const TABLE_FILE: &str = "areas.csv";

const COLUMNS: &[Column] = &[
    Column {
        name: "code",
        aliases: &["代码", "区划代码", "编码"],
        required: true,
    },
    Column {
        name: "level",
        aliases: &["级别", "层级"],
        required: true,
    },
    Column {
        name: "parent",
        aliases: &["上级代码", "上级"],
        required: true,
    },
    Column {
        name: "name",
        aliases: &["名称", "name_zh", "中文名"],
        required: true,
    },
    Column {
        name: "name_en",
        aliases: &["英文名"],
        required: false,
    },
];

/// The files of a folder, read but not looked at.
#[derive(Debug, Clone, Default)]
pub struct AreaFiles {
    /// `areas.csv`.
    pub table: Vec<u8>,
    /// The `GeoJSON` files that there are.
    pub boundaries: BTreeMap<AreaLevel, Vec<u8>>,
}

/// How to read the files.
#[derive(Debug, Clone, Copy)]
pub struct AreaOptions {
    /// From when on the imported versions are in force, ms UTC.
    pub valid_from_ms: i64,
    /// The datum of the boundaries.
    pub datum: Datum,
}

impl AreaFiles {
    /// Reads a folder. The error is the one bad row that says which file can not be read.
    pub fn read_folder(folder: &Path) -> Result<Self, BadRow> {
        let mut files = Self {
            table: read(folder, TABLE_FILE)?,
            boundaries: BTreeMap::new(),
        };
        for level in AreaLevel::ALL {
            let name = boundary_file(level);
            if folder.join(&name).exists() {
                files.boundaries.insert(level, read(folder, &name)?);
            }
        }
        Ok(files)
    }
}

/// Name of the `GeoJSON` file of a level.
#[must_use]
pub fn boundary_file(level: AreaLevel) -> String {
    format!("{level}s.geojson")
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, BadRow> {
    let refused = |code| BadRow::new(name, Place::File, code, "");
    let file = std::fs::File::open(folder.join(name));
    let file = file.map_err(|_| refused("import.unreadable_file"))?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the parser sees that it is too large.
    let read = file
        .take(IMPORT_FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes);
    read.map_err(|_| refused("import.unreadable_file"))?;
    Ok(bytes)
}

/// Reads areas on top of those that are known: a known code keeps its id and gets a new version, and what
/// says nothing new is counted as unchanged. The good entries apply to `known` in their order.
pub fn parse_areas(
    files: &AreaFiles,
    known: &Areas,
    options: AreaOptions,
    progress: &mut Progress<'_>,
) -> Import<AreaEntry> {
    let mut table = Table::read(TABLE_FILE, &files.table, COLUMNS);
    let mut import = Import {
        bad: std::mem::take(&mut table.bad),
        ..Import::default()
    };
    let mut boundaries = BTreeMap::new();
    for (level, bytes) in &files.boundaries {
        let name = boundary_file(*level);
        let read = Boundaries::read(&name, bytes, options.datum, &mut import.bad);
        boundaries.insert(*level, read);
    }
    let mut rows = parse_rows(&table, &mut import.bad);
    // Highest level first, so that a parent may stand below its children in the file.
    rows.sort_by_key(|row| (row.level, row.line));
    let mut scratch = known.clone();
    let all = rows.len();
    for (done, row) in rows.into_iter().enumerate() {
        report(progress, done, all);
        if import.is_hopeless() {
            break;
        }
        let taken = take(&row, &mut scratch, &mut boundaries, options.valid_from_ms);
        match taken {
            Ok(Some(entry)) => import.good.push(entry),
            Ok(None) => import.unchanged += 1,
            Err((column, code, value)) => {
                import.bad.push(table.bad(row.line, column, code, &value));
            }
        }
    }
    report(progress, all, all);
    for (level, left) in boundaries {
        left.report_unused(&boundary_file(level), &mut import.bad);
    }
    import
        .bad
        .sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
    import
}

/// A row whose cells are well formed by themselves.
struct AreaRow {
    line: u64,
    level: AreaLevel,
    code: AreaCode,
    parent: Option<AreaCode>,
    names: Names,
}

fn parse_rows(table: &Table, bad: &mut Vec<BadRow>) -> Vec<AreaRow> {
    let mut seen = BTreeMap::new();
    let mut rows = Vec::new();
    for row in &table.rows {
        match parse_row(row) {
            Err((column, code)) => bad.push(table.bad(row.line, column, code, row.get(column))),
            Ok(parsed) if seen.insert(parsed.code, row.line).is_some() => {
                bad.push(table.bad(row.line, "code", "import.duplicate", row.get("code")));
            }
            Ok(parsed) => rows.push(parsed),
        }
    }
    rows
}

fn parse_row(row: &Row) -> Result<AreaRow, (&'static str, &'static str)> {
    let in_column = |column| move |error: AreaError| (column, error.code());
    let level = level_of(row.get("level")).map_err(in_column("level"))?;
    let code: AreaCode = row.get("code").parse().map_err(in_column("code"))?;
    let parent = match row.get("parent") {
        "" => None,
        text => Some(text.parse().map_err(in_column("parent"))?),
    };
    let names = Names::new(row.get("name"), Some(row.get("name_en")));
    let names = names.map_err(|error| ("name", error.code()))?;
    Ok(AreaRow {
        line: row.line,
        level,
        code,
        parent,
        names,
    })
}

fn level_of(text: &str) -> Result<AreaLevel, AreaError> {
    match text {
        "区县" | "区" | "县" => Ok(AreaLevel::District),
        "镇街" | "街道" | "乡镇" | "镇" | "乡" => Ok(AreaLevel::Town),
        "村社" | "社区" | "村" => Ok(AreaLevel::Village),
        "网格" => Ok(AreaLevel::Grid),
        _ => text.to_lowercase().parse(),
    }
}

type Refused = (&'static str, &'static str, String);

/// Applies a row to `areas`; none when it says nothing new.
fn take(
    row: &AreaRow,
    areas: &mut Areas,
    boundaries: &mut BTreeMap<AreaLevel, Boundaries>,
    valid_from_ms: i64,
) -> Result<Option<AreaEntry>, Refused> {
    let code_refused = |code| ("code", code, row.code.to_string());
    let boundary = match boundaries.get_mut(&row.level) {
        None => None,
        Some(of_level) => Some(of_level.take(row.code).map_err(code_refused)?),
    };
    let parent = match row.parent {
        None => None,
        Some(code) => {
            let unknown = || ("parent", AreaError::UnknownParent.code(), code.to_string());
            Some(areas.by_code(code).ok_or_else(unknown)?.id())
        }
    };
    let known = areas.by_code(row.code);
    let id = known.map_or_else(
        || AreaId::of_first_code(&row.code.to_string()),
        |area| area.id(),
    );
    let entry = AreaEntry {
        id,
        level: row.level,
        parent,
        version: AreaVersion {
            code: row.code,
            names: row.names.clone(),
            boundary,
            valid_from_ms,
            valid_to_ms: None,
        },
        successors: Vec::new(),
    };
    let says_the_same = known.is_some_and(|area| {
        let newest = area.newest();
        let same_names = newest.names == entry.version.names;
        let same_boundary = newest.boundary == entry.version.boundary;
        let same_place = area.level() == entry.level && area.parent() == entry.parent;
        newest.code == row.code
            && newest.valid_to_ms.is_none()
            && same_names
            && same_boundary
            && same_place
    });
    if says_the_same {
        return Ok(None);
    }
    areas.apply(entry.clone()).map_err(|error| {
        let column = match error {
            AreaError::UnknownParent | AreaError::WrongParentLevel => "parent",
            AreaError::LevelChanged => "level",
            _ => "code",
        };
        let cell = row
            .parent
            .filter(|_| column == "parent")
            .unwrap_or(row.code);
        (column, error.code(), cell.to_string())
    })?;
    Ok(Some(entry))
}

/// What a `GeoJSON` file says about each code.
struct Boundaries {
    /// Feature number and boundary; none when that feature was refused (and reported) already.
    by_code: BTreeMap<AreaCode, (u64, Option<Boundary>)>,
    /// Whether the file could be read at all.
    readable: bool,
}

impl Boundaries {
    fn read(file: &str, bytes: &[u8], datum: Datum, bad: &mut Vec<BadRow>) -> Self {
        let mut found = Self {
            by_code: BTreeMap::new(),
            readable: false,
        };
        let features = match features_of(bytes) {
            Ok(features) => features,
            Err(code) => {
                bad.push(BadRow::new(file, Place::File, code, ""));
                return found;
            }
        };
        found.readable = true;
        for (number, value) in (1..).zip(features) {
            let mut refuse = |code, value: &str| {
                bad.push(BadRow::new(file, Place::Feature(number), code, value))
            };
            let code_text = value["properties"]["code"].clone();
            let code_text = code_text
                .as_str()
                .map_or_else(|| code_text.to_string(), str::to_owned);
            let Ok(code) = code_text.parse::<AreaCode>() else {
                refuse("import.feature_without_code", &code_text);
                continue;
            };
            if found.by_code.contains_key(&code) {
                refuse("import.duplicate", &code_text);
                continue;
            }
            let feature = serde_json::from_value::<Feature>(value);
            let boundary = match feature.map(|feature| feature.geometry) {
                Ok(Some(geometry)) => boundary_of(&geometry.value, datum),
                Ok(None) => Err("polygon.empty"),
                Err(_) => Err("polygon.not_a_polygon"),
            };
            if let Err(reason) = boundary {
                refuse(reason, &code_text);
            }
            found.by_code.insert(code, (number, boundary.ok()));
        }
        found
    }

    /// The boundary of an area, or why the area has to be refused.
    fn take(&mut self, code: AreaCode) -> Result<Boundary, &'static str> {
        match self.by_code.remove(&code) {
            Some((_, Some(boundary))) => Ok(boundary),
            Some((_, None)) => Err("import.boundary_refused"),
            None if self.readable => Err("import.boundary_missing"),
            None => Err("import.boundary_refused"),
        }
    }

    /// Reports good features that belong to no row.
    fn report_unused(self, file: &str, bad: &mut Vec<BadRow>) {
        let good = self
            .by_code
            .into_iter()
            .filter(|(_, (_, boundary))| boundary.is_some());
        bad.extend(good.map(|(code, (number, _))| {
            let place = Place::Feature(number);
            BadRow::new(file, place, "import.feature_without_row", &code.to_string())
        }));
    }
}

fn features_of(bytes: &[u8]) -> Result<Vec<Value>, &'static str> {
    let text = text_of(bytes)?;
    let Ok(Value::Object(mut collection)) = serde_json::from_str(&text) else {
        return Err("import.unreadable_json");
    };
    match collection.remove("features") {
        Some(Value::Array(features)) => Ok(features),
        _ => Err("import.no_features"),
    }
}

#[cfg(test)]
#[path = "areas_tests.rs"]
mod tests;
