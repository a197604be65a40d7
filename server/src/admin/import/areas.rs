//! Areas from a folder: `areas.csv`, or `areas.xlsx` in its place (code, level, parent, name,
//! optionally an English name) and beside it `districts.geojson`, `towns.geojson`,
//! `villages.geojson`, `grids.geojson`. Each feature carries the code of its area in
//! `properties.code`. If a `GeoJSON` file is missing, the known areas of its level keep their boundaries, and
//! new ones have none.
//!
//! `previous_code` gives a known area a new code: the area keeps its id and its records.
//! `successors` dissolves an area and names the areas that take over. Areas that a later table does
//! not mention stay as they are, because a table of one town must not dissolve the others.
//!
//! If an area is refused, all areas below it are refused and reported too.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use onegrid_core::domain::area::{Area, AreaCode, AreaError, AreaLevel, AreaVersion};
use onegrid_core::domain::areas::{AreaEntry, Areas};
use onegrid_core::domain::names::Names;
use onegrid_core::domain::position::Datum;
use onegrid_core::id::AreaId;

use super::boundaries::Boundaries;
use super::table::{Column, Row, Table, codes_in};
use super::{BadRow, Import, Place, Progress, report};
use crate::limits::IMPORT_FILE_BYTES_MAX;

/// File name of the table.
pub const TABLE_FILE: &str = "areas.csv";

/// File name of the table as a workbook.
const WORKBOOK_FILE: &str = "areas.xlsx";

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
    Column {
        name: "previous_code",
        aliases: &["原代码"],
        required: false,
    },
    Column {
        name: "successors",
        aliases: &["承接区域", "撤并到"],
        required: false,
    },
];

/// The files of a folder, read but not parsed.
#[derive(Debug, Clone, Default)]
pub struct AreaFiles {
    /// Bytes of `areas.csv`.
    pub table: Vec<u8>,
    /// Bytes of each `GeoJSON` file that exists.
    pub boundaries: BTreeMap<AreaLevel, Vec<u8>>,
}

/// Options of an import of areas.
#[derive(Debug, Clone, Copy)]
pub struct AreaOptions {
    /// Start of the imported versions, ms UTC.
    pub valid_from_ms: i64,
    /// Datum of the boundaries in the files.
    pub datum: Datum,
}

impl AreaFiles {
    /// Reads the files of a folder. The error names the file that is unreadable.
    #[allow(clippy::result_large_err, reason = "one import has few files")]
    pub fn read_folder(folder: &Path) -> Result<Self, BadRow> {
        let mut files = Self {
            table: read(folder, table_file(folder))?,
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

/// Name of the table in a folder: a workbook only if there is no text.
fn table_file(folder: &Path) -> &'static str {
    let is_there = |name: &str| folder.join(name).exists();
    if !is_there(TABLE_FILE) && is_there(WORKBOOK_FILE) {
        WORKBOOK_FILE
    } else {
        TABLE_FILE
    }
}

/// File name of a level's boundaries.
#[must_use]
pub fn boundary_file(level: AreaLevel) -> String {
    format!("{level}s.geojson")
}

#[allow(clippy::result_large_err, reason = "one import has few files")]
fn read(folder: &Path, name: &str) -> Result<Vec<u8>, BadRow> {
    let refused = |code| BadRow::new(name, Place::File, code, "");
    let file = std::fs::File::open(folder.join(name));
    let file = file.map_err(|_| refused("import.unreadable_file"))?;
    let mut bytes = Vec::new();
    // One byte above the limit lets the parser notice that the file is too large.
    let read = file
        .take(IMPORT_FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes);
    read.map_err(|_| refused("import.unreadable_file"))?;
    Ok(bytes)
}

/// Parses areas against the known ones: a known code keeps its id and gets a new version. A row
/// without changes counts as unchanged. The good entries apply to `known` in the returned order.
pub fn parse_areas(
    files: &AreaFiles,
    known: &Areas,
    options: AreaOptions,
    progress: &mut Progress<'_>,
) -> Import<AreaEntry> {
    let mut table = Table::read(TABLE_FILE, &files.table, COLUMNS);
    let mut import = Import::of(&mut table);
    let mut boundaries = BTreeMap::new();
    for (level, bytes) in &files.boundaries {
        let name = boundary_file(*level);
        let read = Boundaries::read(&name, bytes, options.datum, &mut import.bad);
        boundaries.insert(*level, read);
    }
    let mut rows = parse_rows(&table, &mut import.bad);
    // The highest level comes first, so that a table may list a parent after its children.
    // Dissolved areas come last, because their successors must be known by then.
    rows.sort_by_key(|row| (!row.successors.is_empty(), row.level, row.line));
    let mut scratch = known.clone();
    let all = rows.len();
    for (done, row) in rows.into_iter().enumerate() {
        report(progress, done, all);
        if import.is_hopeless() {
            break;
        }
        let of_level = boundaries.get_mut(&row.level);
        let taken = if row.successors.is_empty() {
            take(&row, &mut scratch, of_level, options.valid_from_ms)
        } else {
            dissolve(&row, &mut scratch, of_level, options.valid_from_ms)
        };
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

/// A refusal of the row of an area, for a reason outside the table.
#[must_use]
pub fn refused_row(files: &AreaFiles, area: AreaCode, code: &'static str) -> BadRow {
    let table = Table::read(TABLE_FILE, &files.table, COLUMNS);
    let is_its = |row: &&Row| row.get("code").parse() == Ok(area);
    match table.rows.iter().find(is_its) {
        Some(row) => table.bad(row.line, "successors", code, row.get("code")),
        None => BadRow::new(TABLE_FILE, Place::File, code, &area.to_string()),
    }
}

/// A row with well-formed cells, not yet checked against other rows.
struct AreaRow {
    line: u64,
    level: AreaLevel,
    code: AreaCode,
    parent: Option<AreaCode>,
    names: Names,
    /// Whether the table says anything about English names.
    has_english: bool,
    previous: Option<AreaCode>,
    successors: Vec<AreaCode>,
}

fn parse_rows(table: &Table, bad: &mut Vec<BadRow>) -> Vec<AreaRow> {
    let mut seen = BTreeMap::new();
    let mut rows = Vec::new();
    for row in &table.rows {
        match parse_row(row, table.has("name_en")) {
            Err((column, code)) => bad.push(table.bad(row.line, column, code, row.get(column))),
            Ok(parsed) if seen.insert(parsed.code, row.line).is_some() => {
                bad.push(table.bad(row.line, "code", "import.duplicate", row.get("code")));
            }
            Ok(parsed) => rows.push(parsed),
        }
    }
    rows
}

fn parse_row(row: &Row, has_english: bool) -> Result<AreaRow, (&'static str, &'static str)> {
    let in_column = |column| move |error: AreaError| (column, error.code());
    let level = level_of(row.get("level")).map_err(in_column("level"))?;
    let code: AreaCode = row.get("code").parse().map_err(in_column("code"))?;
    let optional = |column| match row.get(column) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(in_column(column)),
    };
    let (parent, previous) = (optional("parent")?, optional("previous_code")?);
    let successors = codes_in(row.get("successors")).map(str::parse);
    let successors = successors.collect::<Result<Vec<AreaCode>, _>>();
    let successors = successors.map_err(in_column("successors"))?;
    let names = Names::new(row.get("name"), Some(row.get("name_en")));
    let names = names.map_err(|error| ("name", error.code()))?;
    Ok(AreaRow {
        line: row.line,
        level,
        code,
        parent,
        names,
        has_english,
        previous,
        successors,
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

/// Finds the area that has this code in its newest version.
fn holder(areas: &Areas, code: AreaCode) -> Option<&Area> {
    areas
        .by_code(code)
        .filter(|area| area.newest().code == code)
}

/// Finds the known area that a row describes.
fn known_area<'a>(row: &AreaRow, areas: &'a Areas) -> Result<Option<&'a Area>, Refused> {
    let (Some(previous), None) = (row.previous, holder(areas, row.code)) else {
        return Ok(holder(areas, row.code));
    };
    let unknown = || ("previous_code", "import.unknown_area", previous.to_string());
    holder(areas, previous).map(Some).ok_or_else(unknown)
}

/// Makes the id of a new area. If another area had the code before, the start of validity makes the
/// id unique.
fn new_id(areas: &Areas, code: AreaCode, valid_from_ms: i64) -> AreaId {
    let id = AreaId::of_first_code(&code.to_string());
    match areas.get(id) {
        None => id,
        Some(_) => AreaId::of_first_code(&format!("{code}@{valid_from_ms}")),
    }
}

/// Applies a row to `areas`; `None` if it changes nothing.
fn take(
    row: &AreaRow,
    areas: &mut Areas,
    boundaries: Option<&mut Boundaries>,
    valid_from_ms: i64,
) -> Result<Option<AreaEntry>, Refused> {
    let code_refused = |code| ("code", code, row.code.to_string());
    let boundary = boundaries
        .map(|of_level| of_level.take(row.code))
        .transpose();
    let boundary = boundary.map_err(code_refused)?;
    let parent = match row.parent {
        None => None,
        Some(code) => {
            let unknown = || ("parent", AreaError::UnknownParent.code(), code.to_string());
            Some(areas.by_code(code).ok_or_else(unknown)?.id())
        }
    };
    let known = known_area(row, areas)?;
    // A table alone, as for one new name, says nothing about boundaries.
    let boundary = boundary.or_else(|| known?.newest().boundary.clone());
    let names = match known {
        Some(area) if !row.has_english => row.names.clone().with_english_of(&area.newest().names),
        _ => row.names.clone(),
    };
    let id = known.map_or_else(|| new_id(areas, row.code, valid_from_ms), Area::id);
    let entry = AreaEntry {
        id,
        level: row.level,
        parent,
        version: AreaVersion {
            code: row.code,
            names,
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
    if let Some(code) = row
        .parent
        .filter(|_| parent.is_some_and(|id| has_ended(areas, id)))
    {
        return Err(("parent", "import.area_ended", code.to_string()));
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

/// Whether an area, or one above it, has come to its end.
#[must_use]
pub fn has_ended(areas: &Areas, id: AreaId) -> bool {
    let line = areas.ancestry(id);
    line.iter().any(|area| area.newest().valid_to_ms.is_some())
}

/// Ends the newest version of a row's area; `None` if it has ended already.
fn dissolve(
    row: &AreaRow,
    areas: &mut Areas,
    boundaries: Option<&mut Boundaries>,
    valid_from_ms: i64,
) -> Result<Option<AreaEntry>, Refused> {
    if let Some(of_level) = boundaries {
        // A dissolved area needs no boundary; a feature with its code belongs to this row, so it is
        // not reported as unused.
        of_level.forget(row.code);
    }
    let unknown = || ("code", "import.unknown_area", row.code.to_string());
    let area = holder(areas, row.code).ok_or_else(unknown)?;
    let mut successors = Vec::new();
    for code in &row.successors {
        let heir = holder(areas, *code).filter(|heir| heir.id() != area.id());
        let unknown = || ("successors", "import.unknown_area", code.to_string());
        let heir = heir.ok_or_else(unknown)?;
        let in_force = areas.in_force(heir.id(), valid_from_ms);
        let leads_on = in_force.iter().any(|id| *id != area.id());
        // In a circle, or with an area above, the open cases have no decider.
        if heir.level() < area.level() || !leads_on {
            return Err(("successors", "import.bad_successor", code.to_string()));
        }
        successors.push(heir.id());
    }
    if area.newest().valid_to_ms.is_some() && area.successors() == successors {
        return Ok(None);
    }
    let entry = AreaEntry {
        id: area.id(),
        level: area.level(),
        parent: area.parent(),
        version: AreaVersion {
            valid_to_ms: Some(valid_from_ms),
            ..area.newest().clone()
        },
        successors,
    };
    let refused = |error: AreaError| ("code", error.code(), row.code.to_string());
    areas.apply(entry.clone()).map_err(refused)?;
    Ok(Some(entry))
}

#[cfg(test)]
#[path = "areas_tests.rs"]
mod tests;
