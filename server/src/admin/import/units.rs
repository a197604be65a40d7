//! Units and teams from a table: external id, kind, names, area.
//!
//! The id of a unit is derived from its external id, so a second import finds the same unit. The kind of a
//! unit decides the roles in it and the cases that reach it, so it changes only on demand.

use std::collections::BTreeMap;

use onegrid_core::domain::area::AreaCode;
use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::names::Names;
use onegrid_core::domain::unit::{Unit, UnitKind};
use onegrid_core::id::UnitId;

use super::areas::has_ended;
use super::members::external_id_of;
use super::table::{Column, Row, Table};
use super::{Import, Progress, report};
pub use crate::directory::unit_id;

const COLUMNS: &[Column] = &[
    Column {
        name: "external_id",
        aliases: &["编号", "单位编号", "id"],
        required: true,
    },
    Column {
        name: "kind",
        aliases: &["类型", "单位类型"],
        required: true,
    },
    Column {
        name: "name",
        aliases: &["名称", "单位名称", "name_zh"],
        required: true,
    },
    Column {
        name: "name_en",
        aliases: &["英文名"],
        required: false,
    },
    Column {
        name: "area",
        aliases: &["区域代码", "所属区域"],
        required: true,
    },
];

/// A unit with the id that its office uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitRow {
    /// Id that the office uses; members refer to it.
    pub external_id: String,
    /// The unit as the directory carries it.
    pub unit: Unit,
}

/// Whether an import may change the kind of an existing unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KindChange {
    /// A row with another kind is refused.
    #[default]
    Refused,
    /// A row with another kind changes the unit.
    Wanted,
}

/// Parses units. `known` are the existing units; a row without changes counts as unchanged.
pub fn parse_units(
    file: &str,
    bytes: &[u8],
    areas: &Areas,
    known: &BTreeMap<UnitId, Unit>,
    progress: &mut Progress<'_>,
) -> Import<UnitRow> {
    parse_units_with(file, bytes, (areas, known), KindChange::default(), progress)
}

/// Parses units like [`parse_units`], with a choice about changed kinds. `known` are the existing areas and
/// units.
pub fn parse_units_with(
    file: &str,
    bytes: &[u8],
    known: (&Areas, &BTreeMap<UnitId, Unit>),
    kinds: KindChange,
    progress: &mut Progress<'_>,
) -> Import<UnitRow> {
    let (areas, known) = known;
    let mut table = Table::read(file, bytes, COLUMNS);
    let mut import = Import::of(&mut table);
    // A table without the column says nothing about English names.
    let has_english = table.has("name_en");
    let mut seen = BTreeMap::new();
    for (done, row) in table.rows.iter().enumerate() {
        report(progress, done, table.rows.len());
        if import.is_hopeless() {
            break;
        }
        let parsed = parse_row(row, areas);
        let named = parsed.map(|mut parsed| {
            if let Some(unit) = known.get(&parsed.unit.id).filter(|_| !has_english) {
                parsed.unit.names = parsed.unit.names.with_english_of(&unit.names);
            }
            parsed
        });
        match named.and_then(|parsed| fits(parsed, known, kinds)) {
            Err((column, code)) => {
                import
                    .bad
                    .push(table.bad(row.line, column, code, row.get(column)));
            }
            Ok(parsed) if seen.insert(parsed.unit.id, row.line).is_some() => {
                let id = &parsed.external_id;
                import
                    .bad
                    .push(table.bad(row.line, "external_id", "import.duplicate", id));
            }
            Ok(parsed) if known.get(&parsed.unit.id) == Some(&parsed.unit) => import.unchanged += 1,
            Ok(parsed) if has_ended(areas, parsed.unit.area) => {
                let code = row.get("area");
                import
                    .bad
                    .push(table.bad(row.line, "area", "import.area_ended", code));
            }
            Ok(parsed) => import.good.push(parsed),
        }
    }
    report(progress, table.rows.len(), table.rows.len());
    import
}

/// Compares a row with the existing unit.
fn fits(
    row: UnitRow,
    known: &BTreeMap<UnitId, Unit>,
    kinds: KindChange,
) -> Result<UnitRow, (&'static str, &'static str)> {
    match known.get(&row.unit.id) {
        Some(unit) if unit.dissolved_at_ms.is_some() => {
            Err(("external_id", "import.unit_dissolved"))
        }
        Some(unit) if unit.kind != row.unit.kind && kinds == KindChange::Refused => {
            Err(("kind", "import.kind_differs"))
        }
        _ => Ok(row),
    }
}

fn parse_row(row: &Row, areas: &Areas) -> Result<UnitRow, (&'static str, &'static str)> {
    let external_id = external_id_of(row)?;
    let kind = kind_of(row.get("kind")).ok_or(("kind", "unit.bad_kind"))?;
    let names = Names::new(row.get("name"), Some(row.get("name_en")));
    let names = names.map_err(|error| ("name", error.code()))?;
    let code: AreaCode = row
        .get("area")
        .parse()
        .map_err(|_| ("area", "area.bad_code"))?;
    let area = areas.by_code(code).ok_or(("area", "import.unknown_area"))?;
    let unit = Unit {
        id: unit_id(&external_id),
        names,
        kind,
        area: area.id(),
        dissolved_at_ms: None,
    };
    Ok(UnitRow { external_id, unit })
}

fn kind_of(text: &str) -> Option<UnitKind> {
    Some(match text {
        "指挥中心" | "综合指挥中心" => UnitKind::CommandRoom,
        "部门" | "职能部门" => UnitKind::Department,
        "派出所" => UnitKind::PoliceStation,
        "村委会" | "居委会" | "村社" => UnitKind::VillageCommittee,
        "公用企业" | "企业" => UnitKind::Utility,
        "物业公司" | "物业" => UnitKind::PropertyCompany,
        "队伍" | "志愿队" | "义警队" | "志愿者队" => UnitKind::Team,
        _ => return text.to_lowercase().parse().ok(),
    })
}

#[cfg(test)]
#[path = "units_tests.rs"]
mod tests;
