//! Members from a table: external id, public name, role, areas, unit. One line is one role. A
//! person with several roles (“两个兼职”) has several lines with the same external id.
//!
//! | role | areas | unit |
//! |---|---|---|
//! | `volunteer`, `team_lead` | one village or town: where they live | their team |
//! | `guard` | – or a village | their property company |
//! | `grid_worker` | one grid or several | – |
//! | `mediator`, `station_head` | villages or towns | – |
//! | `community_officer` | villages or towns | – or a police station |
//! | `village_lead` | villages | – or the committee |
//! | `dispatcher` | towns | – or the command room |
//! | `handler` | – | any unit but a team |
//! | `supervisor` | any level but grid | – |
//! | `district_lead` | districts | – |
//!
//! Phone numbers, identity numbers and the like have no column, because the system does not need
//! them.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::domain::area::{AreaCode, AreaLevel};
use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::names::checked_name;
use onegrid_core::domain::unit::{Unit, UnitKind};
use onegrid_core::domain::{AreaPath, Grant, Role, Scope};
use onegrid_core::id::{AreaId, UnitId};
use onegrid_core::limits::GRANTS_MAX;
use onegrid_core::texts::{Lang, say};

use super::areas::has_ended;
use super::table::{Column, Row, Table, codes_in};
use super::units::unit_id;
use super::{Import, Progress, report};
use crate::limits::IMPORT_AREAS_PER_ROW_MAX;

/// The column of the id that the office uses.
pub(super) const EXTERNAL_ID: Column = Column {
    name: "external_id",
    aliases: &["编号", "人员编号", "工号", "id"],
    required: true,
};

const COLUMNS: &[Column] = &[
    EXTERNAL_ID,
    Column {
        name: "public_name",
        aliases: &["公开名称", "姓名", "称呼", "name"],
        required: true,
    },
    Column {
        name: "role",
        aliases: &["角色", "岗位"],
        required: true,
    },
    Column {
        name: "areas",
        aliases: &["区域代码", "网格代码", "负责区域", "area"],
        required: false,
    },
    Column {
        name: "unit",
        aliases: &["单位编号", "队伍编号", "单位", "team"],
        required: false,
    },
];

/// A person with all roles in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// First line of the person in the file.
    pub line: u64,
    /// Id that the office uses; it never leaves the server.
    pub external_id: String,
    /// Name that colleagues see.
    pub public_name: String,
    /// Area whose directory carries the name: a village, town or district.
    pub home: AreaId,
    /// Roles without repetition, in the order of the file.
    pub grants: Vec<Grant>,
}

/// Parses members against the existing areas and units. A person with a bad row is held back whole.
pub fn parse_members(
    file: &str,
    bytes: &[u8],
    areas: &Areas,
    units: &BTreeMap<UnitId, Unit>,
    progress: &mut Progress<'_>,
) -> Import<MemberRow> {
    let mut table = Table::read(file, bytes, COLUMNS);
    let mut import = Import::of(&mut table);
    let mut people = People::default();
    for row in &table.refused {
        people.hold_back(row, &mut import);
    }
    for (done, row) in table.rows.iter().enumerate() {
        report(progress, done, table.rows.len());
        if import.is_hopeless() {
            import.is_partial = true;
            break;
        }
        let taken = parse_row(row, areas, units).and_then(|member| people.take(member));
        if let Err((column, code)) = taken {
            import
                .bad
                .push(table.bad(row.line, column, code, row.get(column)));
            import.is_partial |= row.has_line_break();
            people.hold_back(row, &mut import);
        }
    }
    report(progress, table.rows.len(), table.rows.len());
    import.good = people.good;
    let held_back = |member: &MemberRow| people.held_back.contains(&member.external_id);
    import.good.retain(|member| !held_back(member));
    import.held_back = people.held_back.into_iter().collect();
    import
}

/// The people of a table. **Invariant:** a person with a bad row is held back whole, because a role that is
/// missing here would be taken away.
#[derive(Default)]
struct People {
    good: Vec<MemberRow>,
    /// Place in `good` by external id.
    index: BTreeMap<String, usize>,
    held_back: BTreeSet<String>,
}

impl People {
    fn take(&mut self, member: MemberRow) -> Result<(), Refused> {
        let Some(at) = self.index.get(&member.external_id) else {
            self.index
                .insert(member.external_id.clone(), self.good.len());
            self.good.push(member);
            return Ok(());
        };
        add_role(&mut self.good[*at], member)
    }

    /// Holds back the person of a bad row. If the row does not say whose it is, it may be anybody's.
    fn hold_back(&mut self, row: &Row, import: &mut Import<MemberRow>) {
        match checked_name(row.get("external_id")) {
            Ok(external_id) => {
                self.held_back.insert(external_id);
            }
            Err(_) => import.is_partial = true,
        }
    }
}

/// Column and code of a refusal.
pub type Refused = (&'static str, &'static str);

fn add_role(known: &mut MemberRow, more: MemberRow) -> Result<(), Refused> {
    if known.public_name != more.public_name {
        return Err(("public_name", "import.name_differs"));
    }
    let new: Vec<Grant> = more
        .grants
        .into_iter()
        .filter(|grant| !known.grants.contains(grant))
        .collect();
    if new.is_empty() {
        return Err(("role", "import.duplicate"));
    }
    if known.grants.len() + new.len() > GRANTS_MAX {
        return Err(("areas", "import.too_many_grants"));
    }
    known.grants.extend(new);
    Ok(())
}

fn parse_row(
    row: &Row,
    areas: &Areas,
    units: &BTreeMap<UnitId, Unit>,
) -> Result<MemberRow, Refused> {
    let external_id = external_id_of(row)?;
    let public_name = checked_name(row.get("public_name"));
    let public_name = public_name.map_err(|error| ("public_name", error.code()))?;
    let role = role_of(row.get("role")).ok_or(("role", "import.unknown_role"))?;
    let post = post_of(role, row.get("areas"), row.get("unit"), areas, units)?;
    Ok(MemberRow {
        line: row.line,
        external_id,
        public_name,
        home: post.home,
        grants: post.grants,
    })
}

/// The id that the office uses for the person or unit of a row.
pub(super) fn external_id_of(row: &Row) -> Result<String, Refused> {
    match row.get("external_id") {
        "" => Err(("external_id", "import.no_external_id")),
        text => checked_name(text).map_err(|error| ("external_id", error.code())),
    }
}

/// A role with the places that it is held in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Area whose directory carries the name.
    pub home: AreaId,
    /// Grants of the role.
    pub grants: Vec<Grant>,
}

/// Checks a role with its areas (codes) and unit (external id). The error names column and reason.
pub fn post_of(
    role: Role,
    area_codes: &str,
    unit: &str,
    areas: &Areas,
    units: &BTreeMap<UnitId, Unit>,
) -> Result<Post, Refused> {
    let needs = rule_of(role).ok_or(("role", "import.unknown_role"))?;
    let paths = paths_of(area_codes, areas)?;
    let unit = unit_of(unit, units)?;
    needs.check(&paths, unit)?;
    let home = match (paths.first(), unit) {
        // A grid has no directory of its own, so its village carries the name.
        (Some(path), _) => path.village().unwrap_or_else(|| path.leaf()),
        (None, Some(unit)) => unit.area,
        (None, None) => return Err(("areas", "import.areas_missing")),
    };
    let at_unit = unit.map(|unit| Grant {
        role,
        scope: Scope::Unit(unit.id),
    });
    // A member with a role in a unit lives in an area but has no power over it.
    let area_role = if needs.acts_in_unit {
        Role::Volunteer
    } else {
        role
    };
    let has_area_grant = !needs.acts_in_unit || matches!(role, Role::Volunteer | Role::TeamLead);
    let in_areas = paths.into_iter().filter(|_| has_area_grant);
    let in_areas = in_areas.map(|path| Grant {
        role: area_role,
        scope: Scope::Area(path),
    });
    let grants: Vec<Grant> = at_unit.into_iter().chain(in_areas).collect();
    if grants.len() > GRANTS_MAX {
        return Err(("areas", "import.too_many_grants"));
    }
    Ok(Post { home, grants })
}

/// Reads the word for a role, in Chinese or as its stable name.
#[must_use]
pub fn role_of(text: &str) -> Option<Role> {
    Some(match text {
        "志愿者" | "义警" => Role::Volunteer,
        "队长" => Role::TeamLead,
        "物业保安" | "保安" => Role::Guard,
        "网格员" | "专职网格员" => Role::GridWorker,
        "调解员" => Role::Mediator,
        "社区民警" | "民警" => Role::CommunityOfficer,
        "站长" => Role::StationHead,
        "社区书记" | "村社书记" | "书记" => Role::VillageLead,
        "调度员" | "指挥中心" => Role::Dispatcher,
        "处置人员" | "处置员" => Role::Handler,
        "督导" | "督导员" => Role::Supervisor,
        "区级负责人" | "区领导" => Role::DistrictLead,
        _ => return Role::from_name(&text.to_lowercase()).or_else(|| role_of_word(text)),
    })
}

/// Finds a role by the word that lists and reports print for it.
fn role_of_word(text: &str) -> Option<Role> {
    let text = text.to_lowercase();
    ROLES.into_iter().find(|role| {
        let word = |lang| say(&format!("role.{}", role.name()), lang, &[]);
        Lang::ALL.into_iter().any(|lang| word(lang) == text)
    })
}

/// Every role that a person can hold.
pub const ROLES: [Role; 12] = [
    Role::Volunteer,
    Role::TeamLead,
    Role::Guard,
    Role::GridWorker,
    Role::Mediator,
    Role::CommunityOfficer,
    Role::StationHead,
    Role::VillageLead,
    Role::Dispatcher,
    Role::Handler,
    Role::Supervisor,
    Role::DistrictLead,
];

/// Requirements of a role.
struct Rule {
    /// Allowed levels of its areas.
    levels: &'static [AreaLevel],
    /// Lowest and highest number of areas.
    areas: (usize, usize),
    /// Whether a unit is required; otherwise a unit of the right kind is optional.
    needs_unit: bool,
    /// Allowed kinds of the unit.
    kinds: &'static [UnitKind],
    /// Whether the role is held in the unit instead of the areas.
    acts_in_unit: bool,
}

const MANY: usize = IMPORT_AREAS_PER_ROW_MAX;

fn rule_of(role: Role) -> Option<Rule> {
    use AreaLevel::{District, Grid, Town, Village};
    let in_areas = |levels, kinds| Rule {
        levels,
        areas: (1, MANY),
        needs_unit: false,
        kinds,
        acts_in_unit: false,
    };
    let in_unit = |areas, kinds| Rule {
        levels: &[Village, Town],
        areas,
        needs_unit: true,
        kinds,
        acts_in_unit: true,
    };
    Some(match role {
        Role::Volunteer | Role::TeamLead => in_unit((1, 1), &[UnitKind::Team]),
        Role::Guard => in_unit((0, 1), &[UnitKind::PropertyCompany]),
        Role::Handler => in_unit(
            (0, 0),
            &[
                UnitKind::CommandRoom,
                UnitKind::Department,
                UnitKind::PoliceStation,
                UnitKind::VillageCommittee,
                UnitKind::Utility,
                UnitKind::PropertyCompany,
            ],
        ),
        Role::GridWorker => in_areas(&[Grid], &[]),
        Role::Mediator | Role::StationHead => in_areas(&[Village, Town], &[]),
        Role::CommunityOfficer => in_areas(&[Village, Town], &[UnitKind::PoliceStation]),
        Role::VillageLead => in_areas(&[Village], &[UnitKind::VillageCommittee]),
        Role::Dispatcher => in_areas(&[Town], &[UnitKind::CommandRoom]),
        Role::Supervisor => in_areas(&[Village, Town, District], &[]),
        Role::DistrictLead => in_areas(&[District], &[]),
        // Only the server has this role.
        Role::System | Role::Unknown(_) => return None,
    })
}

impl Rule {
    fn check(&self, paths: &[AreaPath], unit: Option<&Unit>) -> Result<(), Refused> {
        if paths.len() < self.areas.0 {
            return Err(("areas", "import.areas_missing"));
        }
        if paths.len() > self.areas.1 {
            return Err(("areas", "import.too_many_areas"));
        }
        if paths
            .iter()
            .any(|path| !self.levels.contains(&path.level()))
        {
            return Err(("areas", "import.area_of_wrong_level"));
        }
        match unit {
            None if self.needs_unit => Err(("unit", "import.unit_missing")),
            Some(unit) if !self.kinds.contains(&unit.kind) => {
                Err(("unit", "import.unit_of_wrong_kind"))
            }
            Some(unit) if unit.dissolved_at_ms.is_some() => Err(("unit", "import.unknown_unit")),
            _ => Ok(()),
        }
    }
}

fn paths_of(text: &str, areas: &Areas) -> Result<Vec<AreaPath>, Refused> {
    let mut paths: Vec<AreaPath> = Vec::new();
    for part in codes_in(text) {
        let code: AreaCode = part.parse().map_err(|_| ("areas", "area.bad_code"))?;
        let area = areas
            .by_code(code)
            .ok_or(("areas", "import.unknown_area"))?;
        let path = areas
            .path(area.id())
            .ok_or(("areas", "import.unknown_area"))?;
        if has_ended(areas, area.id()) {
            return Err(("areas", "import.area_ended"));
        }
        if paths.contains(&path) {
            return Err(("areas", "import.duplicate"));
        }
        paths.push(path);
        if paths.len() > IMPORT_AREAS_PER_ROW_MAX {
            return Err(("areas", "import.too_many_areas"));
        }
    }
    Ok(paths)
}

fn unit_of<'a>(text: &str, units: &'a BTreeMap<UnitId, Unit>) -> Result<Option<&'a Unit>, Refused> {
    if text.is_empty() {
        return Ok(None);
    }
    let unit = units.get(&unit_id(text));
    unit.map(Some).ok_or(("unit", "import.unknown_unit"))
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
