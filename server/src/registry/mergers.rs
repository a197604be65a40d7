//! Areas that are merged or dissolved, and units that are dissolved. A preview says what moves; the work
//! is short transactions.
//!
//! ```text
//!  merge A into B:  areas below A ─▶ B │ units of A ─▶ B │ A ends, B takes over │ people of A ─▶ B
//! ```
//!
//! **Contract.** Each step is harmless when it comes again, so the same call continues after a cut. The
//! line of the audit log comes last. Open cases follow by the routing of [`crate::ingest`].
//! **Not here:** zones. They keep their areas, and an administrator imports them anew.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use onegrid_core::domain::area::{Area, AreaLevel, AreaVersion};
use onegrid_core::domain::areas::AreaEntry;
use onegrid_core::domain::directory::{Directory, DirectoryEntry};
use onegrid_core::domain::stream::StreamId;
use onegrid_core::domain::unit::Unit;
use onegrid_core::domain::{AreaPath, Grant, Role, Scope};
use onegrid_core::id::{AreaId, MemberId, UnitId};

use super::members::{self, MemberDescription};
use super::{audit, enrolment, import};
use crate::directory;
use crate::error::{Problem, Result};
use crate::shared::Shared;
use crate::store::{Reader, StoreResult};

/// The things that belong to an area, before it ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Belongings {
    /// Areas in force directly below.
    pub areas: Vec<AreaId>,
    /// Units in the area.
    pub units: Vec<UnitId>,
    /// People who live in it, or hold a role in it or below.
    pub people: Vec<MemberId>,
    /// Roles in the area itself, which will cover all of the heir, with the number of people.
    pub roles: BTreeMap<Role, usize>,
    /// Zones that name the area.
    pub zones: usize,
    /// Open cases of the area.
    pub open_cases: usize,
    /// Open invitations of these people.
    pub invitations: usize,
}

/// An end of an area, checked against the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ending {
    from: AreaId,
    /// The area that takes over everything, with its path.
    into: Option<(AreaId, AreaPath)>,
    /// The areas that take over the cases.
    heirs: Vec<AreaId>,
    /// Whether a run that was cut has ended the area already.
    has_ended: bool,
}

/// Returns the belongings of an area that would be merged into another one.
pub fn preview_merge(
    shared: &Shared,
    from: AreaId,
    into: AreaId,
    now_ms: i64,
) -> Result<Belongings> {
    let directory = read(shared)?;
    let ending = check_merge(&directory, from, into, now_ms)?;
    remaining(shared, &directory, &ending, now_ms)
}

/// Merges an area into another one of its level. Returns the number of people who moved.
pub fn merge(
    shared: &Shared,
    from: AreaId,
    into: AreaId,
    actor: &str,
    now_ms: i64,
) -> Result<usize> {
    let directory = read(shared)?;
    let ending = check_merge(&directory, from, into, now_ms)?;
    let found = remaining(shared, &directory, &ending, now_ms)?;
    let mut entries = Vec::new();
    for id in &found.areas {
        entries.push(moved_area(&directory, *id, into, now_ms)?);
    }
    for unit in found.units.iter().filter_map(|id| directory.units.get(id)) {
        entries.push(DirectoryEntry::Unit(Unit {
            area: into,
            ..unit.clone()
        }));
    }
    entries.extend(end(&directory, &ending, now_ms)?);
    import::publish(shared, entries, actor, now_ms)?;
    let moved = move_people(shared, found.people, &ending, actor, now_ms)?;
    note(
        shared,
        "area.merged",
        &format!("{from} {into}"),
        actor,
        now_ms,
    )?;
    Ok(moved)
}

/// Returns the belongings of an area that would be dissolved.
pub fn preview_dissolve(
    shared: &Shared,
    from: AreaId,
    heirs: &[AreaId],
    now_ms: i64,
) -> Result<Belongings> {
    let directory = read(shared)?;
    check_dissolve(&directory, from, heirs, now_ms)?;
    belongings(shared, &directory, from, now_ms)
}

/// Dissolves an area that is empty: no areas, units or people belong to it any more. Its cases go to the heirs,
/// or without one to the area above.
pub fn dissolve(
    shared: &Shared,
    from: AreaId,
    heirs: &[AreaId],
    actor: &str,
    now_ms: i64,
) -> Result<()> {
    let directory = read(shared)?;
    let ending = check_dissolve(&directory, from, heirs, now_ms)?;
    let found = belongings(shared, &directory, from, now_ms)?;
    if !found.is_empty() {
        let who = shared
            .store
            .read::<_, Problem>(|tx| Ok(named(tx, &directory, &found)?))?;
        return Err(Problem::new("registry.area_not_empty")
            .with("code", known(&directory, from)?.newest().code)
            .with("areas", found.areas.len())
            .with("units", found.units.len())
            .with("people", found.people.len())
            .with("who", who));
    }
    let entries: Vec<_> = end(&directory, &ending, now_ms)?.into_iter().collect();
    import::publish(shared, entries, actor, now_ms)?;
    note(shared, "area.dissolved", &from.to_string(), actor, now_ms)
}

impl Belongings {
    /// Whether the area has nothing that an end of it would leave without a place.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty() && self.units.is_empty() && self.people.is_empty()
    }
}

fn read(shared: &Shared) -> Result<Directory> {
    shared
        .store
        .read::<_, Problem>(|tx| Ok(directory::read(tx)?))
}

fn known(directory: &Directory, id: AreaId) -> Result<&Area> {
    let unknown = || Problem::new("registry.unknown_area").with("code", id);
    directory.areas.get(id).ok_or_else(unknown)
}

fn in_force(area: &Area, now_ms: i64) -> Result<&AreaVersion> {
    let ended = || Problem::new("registry.area_ended").with("code", area.newest().code);
    let version = area.version_at(now_ms).ok_or_else(ended)?;
    // A later version would revive the area.
    if version.valid_from_ms == area.newest().valid_from_ms && version.valid_from_ms < now_ms {
        Ok(version)
    } else {
        Err(ended())
    }
}

/// Checks that an area below the district may end in favour of others of its level.
fn check(directory: &Directory, from: AreaId, heirs: &[AreaId], now_ms: i64) -> Result<Ending> {
    let area = known(directory, from)?;
    let misfit = || Problem::new("registry.heir_misfit").with("code", area.newest().code);
    if area.level() == AreaLevel::District {
        return Err(misfit());
    }
    for heir in heirs {
        let heir = known(directory, *heir)?;
        if heir.level() != area.level() || heir.id() == from {
            return Err(misfit());
        }
        in_force(heir, now_ms)?;
    }
    let has_ended = area.version_at(now_ms).is_none() && area.successors() == heirs;
    if !has_ended {
        in_force(area, now_ms)?;
    }
    Ok(Ending {
        from,
        into: None,
        heirs: heirs.to_vec(),
        has_ended,
    })
}

fn check_merge(directory: &Directory, from: AreaId, into: AreaId, now_ms: i64) -> Result<Ending> {
    let ending = check(directory, from, &[into], now_ms)?;
    let unknown = || Problem::new("registry.unknown_area").with("code", into);
    let path = directory.areas.path(into).ok_or_else(unknown)?;
    Ok(Ending {
        into: Some((into, path)),
        ..ending
    })
}

fn check_dissolve(
    directory: &Directory,
    from: AreaId,
    heirs: &[AreaId],
    now_ms: i64,
) -> Result<Ending> {
    let ending = check(directory, from, heirs, now_ms)?;
    if ending.has_ended {
        let code = known(directory, from)?.newest().code;
        return Err(Problem::new("registry.area_ended").with("code", code));
    }
    Ok(ending)
}

/// Returns the belongings that a merger still has to move.
fn remaining(
    shared: &Shared,
    directory: &Directory,
    ending: &Ending,
    now_ms: i64,
) -> Result<Belongings> {
    let found = belongings(shared, directory, ending.from, now_ms)?;
    if ending.has_ended && found.is_empty() {
        let code = known(directory, ending.from)?.newest().code;
        return Err(Problem::new("registry.area_ended").with("code", code));
    }
    Ok(found)
}

fn belongings(
    shared: &Shared,
    directory: &Directory,
    from: AreaId,
    now_ms: i64,
) -> Result<Belongings> {
    let mut found = shared.store.read::<_, Problem>(|tx| {
        let mut found = left_behind(tx, directory, from, now_ms)?;
        found.open_cases = open_cases(tx, from)?;
        Ok(found)
    })?;
    found.invitations = open_invitations(shared, &found.people, now_ms)?;
    Ok(found)
}

/// Returns the areas, units and people that an end of this area would leave without a place under a directory,
/// with roles and zones. Cases and invitations are not counted.
pub fn left_behind(
    tx: &dyn Reader,
    directory: &Directory,
    from: AreaId,
    now_ms: i64,
) -> StoreResult<Belongings> {
    let below = directory.areas.children(from);
    let below = below.filter(|area| area.version_at(now_ms).is_some());
    let units = directory.units.values();
    let units = units.filter(|unit| unit.area == from && unit.dissolved_at_ms.is_none());
    let zones = directory.zones.iter();
    let names = |areas: &BTreeSet<AreaId>| areas.contains(&from);
    let mut found = Belongings {
        areas: below.map(Area::id).collect(),
        units: units.map(|unit| unit.id).collect(),
        zones: zones
            .filter(|zone| zone.areas_at(now_ms).is_some_and(names))
            .count(),
        ..Belongings::default()
    };
    for row in tx.members()? {
        let reaches = |grant: &Grant| grant_path(grant).is_some_and(|path| path.contains(from));
        if row.area != from && !row.grants.iter().any(reaches) {
            continue;
        }
        found.people.push(row.id);
        for grant in &row.grants {
            if grant_path(grant).is_some_and(|path| path.leaf() == from) {
                *found.roles.entry(grant.role).or_default() += 1;
            }
        }
    }
    Ok(found)
}

/// Codes and ids of the first belongings, as the office knows them, for a refusal.
pub fn named(tx: &dyn Reader, directory: &Directory, found: &Belongings) -> StoreResult<String> {
    let areas = found.areas.iter().filter_map(|id| directory.areas.get(*id));
    let mut names: Vec<String> = areas.map(|area| area.newest().code.to_string()).collect();
    let units = found.units.iter().map(|unit| unit.0);
    let ids = units.chain(found.people.iter().map(|member| member.0));
    let all = found.areas.len() + found.units.len() + found.people.len();
    for id in ids {
        if names.len() > NAMED_MAX {
            break;
        }
        let known = tx.external_id(id)?;
        names.push(known.unwrap_or_else(|| MemberId(id).to_string()));
    }
    names.truncate(NAMED_MAX);
    if names.len() < all {
        names.push("…".to_owned());
    }
    Ok(names.join(" "))
}

fn grant_path(grant: &Grant) -> Option<&AreaPath> {
    match &grant.scope {
        Scope::Area(path) => Some(path),
        Scope::Zone { .. } | Scope::Unit(_) => None,
    }
}

fn open_cases(tx: &dyn Reader, from: AreaId) -> Result<usize> {
    let (mut count, mut after) = (0, None);
    loop {
        let rows = tx.records(after, RECORDS_A_STEP)?;
        let Some(last) = rows.last() else {
            return Ok(count);
        };
        after = Some(last.id);
        let open = rows.iter().filter(|row| row.open);
        count += open.filter(|row| row.home.contains(from)).count();
    }
}

fn open_invitations(shared: &Shared, people: &[MemberId], now_ms: i64) -> Result<usize> {
    let people: HashSet<&MemberId> = people.iter().collect();
    let all = enrolment::all(shared)?;
    let open = all
        .iter()
        .filter(|one| one.is_open(now_ms) && people.contains(&one.member));
    Ok(open.count())
}

/// An area under its new parent, from now on.
fn moved_area(
    directory: &Directory,
    id: AreaId,
    into: AreaId,
    now_ms: i64,
) -> Result<DirectoryEntry> {
    let area = known(directory, id)?;
    Ok(DirectoryEntry::Area(AreaEntry {
        id,
        level: area.level(),
        parent: Some(into),
        version: AreaVersion {
            valid_from_ms: now_ms,
            valid_to_ms: None,
            ..in_force(area, now_ms)?.clone()
        },
        successors: Vec::new(),
    }))
}

/// The last entry of an area; `None` if it has ended already.
fn end(directory: &Directory, ending: &Ending, now_ms: i64) -> Result<Option<DirectoryEntry>> {
    if ending.has_ended {
        return Ok(None);
    }
    let area = known(directory, ending.from)?;
    Ok(Some(DirectoryEntry::Area(AreaEntry {
        id: ending.from,
        level: area.level(),
        parent: area.parent(),
        version: AreaVersion {
            valid_to_ms: Some(now_ms),
            ..in_force(area, now_ms)?.clone()
        },
        successors: ending.heirs.clone(),
    })))
}

fn move_people(
    shared: &Shared,
    people: Vec<MemberId>,
    ending: &Ending,
    actor: &str,
    now_ms: i64,
) -> Result<usize> {
    let Some((into, path)) = ending.into else {
        return Ok(0);
    };
    let from = ending.from;
    members::change_all(shared, people, actor, now_ms, move |row, directory| {
        let mut grants: Vec<Grant> = Vec::new();
        for grant in row.grants {
            let grant = followed(grant, from, &path, directory);
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
        Some(MemberDescription {
            id: row.id,
            public_name: row.public_name,
            area: if row.area == from { into } else { row.area },
            grants,
        })
    })
}

/// The same role in the place of the heir. An area below keeps its own place, which may be another one since an
/// earlier change of the directory.
fn followed(grant: Grant, from: AreaId, into: &AreaPath, directory: &Directory) -> Grant {
    let Scope::Area(path) = &grant.scope else {
        return grant;
    };
    if !path.contains(from) {
        return grant;
    }
    let place = if path.leaf() == from {
        Some(*into)
    } else {
        directory.areas.path(path.leaf())
    };
    match place {
        Some(path) => Grant {
            role: grant.role,
            scope: Scope::Area(path),
        },
        None => grant,
    }
}

fn note(shared: &Shared, action: &str, subject: &str, actor: &str, now_ms: i64) -> Result<()> {
    let (action, subject) = (action.to_owned(), subject.to_owned());
    let actor = actor.to_owned();
    shared
        .store
        .write::<_, Problem>(move |tx| Ok(audit::note(tx, now_ms, &actor, &action, &subject)?))
}

/// The things that belong to a unit, before it is dissolved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitBelongings {
    /// People with a role in the unit.
    pub people: Vec<MemberId>,
    /// Open cases that the unit reads, because they were sent to it.
    pub open_cases: usize,
    /// Open invitations of these people.
    pub invitations: usize,
}

/// Returns the belongings of a unit that would be dissolved.
pub fn preview_unit(shared: &Shared, unit: UnitId, now_ms: i64) -> Result<UnitBelongings> {
    let mut found = shared.store.read::<_, Problem>(|tx| {
        let mut found = UnitBelongings::default();
        for row in tx.members()? {
            if row.grants.iter().any(|g| g.scope.unit() == Some(unit)) {
                found.people.push(row.id);
            }
        }
        let items = tx.stream_items(StreamId::Unit(unit))?;
        for item in items {
            found.open_cases += usize::from(tx.record(item.record)?.is_some_and(|row| row.open));
        }
        Ok(found)
    })?;
    found.invitations = open_invitations(shared, &found.people, now_ms)?;
    Ok(found)
}

/// Dissolves a unit. Its people get the same roles in the heir, or without one lose their roles in it. Returns
/// the number of people who changed.
pub fn dissolve_unit(
    shared: &Shared,
    unit: UnitId,
    heir: Option<UnitId>,
    actor: &str,
    now_ms: i64,
) -> Result<usize> {
    let directory = read(shared)?;
    let known = |id| {
        let unknown = || Problem::new("registry.unknown_unit").with("unit", id);
        directory.units.get(&id).ok_or_else(unknown)
    };
    let ended = known(unit)?;
    if let Some(heir) = heir.map(known).transpose()?
        && (heir.dissolved_at_ms.is_some() || heir.kind != ended.kind || heir.id == unit)
    {
        return Err(Problem::new("registry.unit_misfit").with("unit", heir.names.zh()));
    }
    if ended.dissolved_at_ms.is_none() {
        let entry = DirectoryEntry::Unit(Unit {
            dissolved_at_ms: Some(now_ms),
            ..ended.clone()
        });
        import::publish(shared, vec![entry], actor, now_ms)?;
    }
    let people = preview_unit(shared, unit, now_ms)?.people;
    let changed = members::change_all(shared, people, actor, now_ms, move |row, _| {
        let mut grants: Vec<Grant> = Vec::new();
        for mut grant in row.grants {
            if grant.scope.unit() == Some(unit) {
                let Some(heir) = heir else {
                    continue;
                };
                grant.scope = Scope::Unit(heir);
            }
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
        Some(MemberDescription {
            id: row.id,
            public_name: row.public_name,
            area: row.area,
            grants,
        })
    })?;
    note(shared, "unit.dissolved", &unit.to_string(), actor, now_ms)?;
    Ok(changed)
}

/// Rows that are read at once.
const RECORDS_A_STEP: usize = 1_000;
/// Belongings that a refusal names.
const NAMED_MAX: usize = 10;

#[cfg(test)]
#[path = "mergers_tests.rs"]
mod tests;
