//! The places of Gongshu as the project ships them, read by the import of the administrator.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::areas::{AreaEntry, Areas};
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::position::Datum;
use onegrid_core::domain::unit::Unit;
use onegrid_core::id::UnitId;
use onegrid_server::admin::import::areas::{AreaFiles, AreaOptions, parse_areas};
use onegrid_server::admin::import::members::{MemberRow, parse_members};
use onegrid_server::admin::import::units::{parse_units, unit_id};

/// The part of the district that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All areas with their boundaries.
    Whole,
    /// Wulin street and the street before it in the table, three communities each, without boundaries.
    TwoStreets,
}

/// Areas and units.
pub struct Places {
    areas: Areas,
    units: BTreeMap<UnitId, Unit>,
}

static WHOLE: LazyLock<Arc<Places>> = LazyLock::new(|| Arc::new(Places::read(|_| true, true)));
static TWO_STREETS: LazyLock<Arc<Places>> =
    LazyLock::new(|| Arc::new(Places::read(in_two_streets, false)));

/// The streets 012 and 013, their communities 001 to 003, and the grids of these communities.
fn in_two_streets(code: &str) -> bool {
    let street = code.get(6..9).unwrap_or("");
    let community = code.get(9..12).unwrap_or("");
    street == "000" || ["012", "013"].contains(&street) && ("000"..="003").contains(&community)
}

impl Places {
    /// Reads the places, once for all towns of a process.
    #[must_use]
    pub fn import(extent: Extent) -> Arc<Self> {
        Arc::clone(match extent {
            Extent::Whole => &WHOLE,
            Extent::TwoStreets => &TWO_STREETS,
        })
    }

    fn read(keep: impl Fn(&str) -> bool, boundaries: bool) -> Self {
        let seed = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../server/seed"));
        let files = AreaFiles::read_folder(&seed.join("gongshu")).unwrap();
        let options = AreaOptions {
            valid_from_ms: 0,
            datum: Datum::Wgs84,
        };
        let entries = parse_areas(&files, &Areas::new(), options, &mut |_, _| {}).strict();
        let mut areas = Areas::new();
        for mut entry in entries.unwrap() {
            if !keep(&entry.version.code.to_string()) {
                continue;
            }
            if !boundaries {
                entry.version.boundary = None;
            }
            areas.apply(entry).unwrap();
        }
        let table = std::fs::read(seed.join("demo/units.csv")).unwrap();
        let none = BTreeMap::new();
        let units = parse_units("units.csv", &table, &areas, &none, &mut |_, _| {}).strict();
        let units = units.unwrap().into_iter();
        Self {
            areas,
            units: units.map(|row| (row.unit.id, row.unit)).collect(),
        }
    }

    /// Returns everything as entries of the directory; entries that others build on come first.
    #[must_use]
    pub fn entries(&self) -> Vec<DirectoryEntry> {
        let mut areas: Vec<AreaEntry> = self.areas.entries().collect();
        areas.sort_by_key(|entry| (entry.level, entry.id));
        let areas = areas.into_iter().map(DirectoryEntry::Area);
        let units = self.units.values().cloned().map(DirectoryEntry::Unit);
        areas.chain(units).collect()
    }

    /// Returns the area with this statistical code, with its ancestry.
    #[must_use]
    pub fn path(&self, code: &str) -> AreaPath {
        let area = self.areas.by_code(code.parse().unwrap()).unwrap();
        self.areas.path(area.id()).unwrap()
    }

    /// Returns the unit that the office knows by this id.
    #[must_use]
    pub fn unit(&self, external_id: &str) -> UnitId {
        let id = unit_id(external_id);
        assert!(self.units.contains_key(&id), "no unit {external_id}");
        id
    }

    /// Returns the areas.
    #[must_use]
    pub fn areas(&self) -> &Areas {
        &self.areas
    }

    /// Reads one line of a members' table by the import.
    #[must_use]
    pub fn member(&self, name: &str, role: &str, areas: &str, unit: &str) -> MemberRow {
        let table = format!(
            "external_id,public_name,role,areas,unit\n{name},{name},{role},{areas},{unit}\n"
        );
        let rows = parse_members(
            "members.csv",
            table.as_bytes(),
            &self.areas,
            &self.units,
            &mut |_, _| {},
        );
        let row = rows.strict().map(|mut rows| rows.pop());
        match row {
            Ok(Some(row)) => row,
            other => panic!("not a member: {other:?}"),
        }
    }
}
