//! The people of a deployment as an office looks for them.

use std::collections::HashMap;

use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::{Grant, Role, Scope};
use onegrid_core::id::{AreaId, MemberId, UnitId};

use crate::directory;
use crate::error::{Problem, Result};
use crate::server::Server;
use crate::store::{MemberRow, StoreResult};

/// A member with the facts that a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// OneGrid's id.
    pub id: MemberId,
    /// Id that the office uses; `None` if no import of this version named the person.
    pub external_id: Option<String>,
    /// Name that colleagues see.
    pub name: Option<String>,
    /// Area whose directory carries the name.
    pub area: AreaId,
    /// Roles.
    pub grants: Vec<Grant>,
    /// Time of switching off, ms UTC.
    pub disabled_ms: Option<i64>,
    /// Devices that are not revoked.
    pub devices: usize,
}

/// A question about people; every condition must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Lives in this area, or holds a role in it.
    pub area: Option<AreaId>,
    /// Holds this role.
    pub role: Option<Role>,
    /// Holds a role in this unit.
    pub unit: Option<UnitId>,
    /// Is switched off, or is not.
    pub disabled: Option<bool>,
    /// Name, external id or id contains this text, in any case.
    pub text: Option<String>,
}

/// The people who match, and the directory that names their places.
#[derive(Debug)]
pub struct Found {
    /// People, ordered by external id.
    pub people: Vec<Person>,
    /// The directory of the same snapshot.
    pub directory: Directory,
}

/// Returns the people who match, from one snapshot.
pub fn find(server: &Server, filter: &Filter) -> Result<Found> {
    let text = filter.text.as_ref().map(|text| text.to_lowercase());
    server.store().read::<_, Problem>(|tx| {
        let directory = directory::read(tx)?;
        let mut devices: HashMap<MemberId, usize> = HashMap::new();
        for device in tx.devices()? {
            if let Some(member) = device.member.filter(|_| device.revoked_ms.is_none()) {
                *devices.entry(member).or_default() += 1;
            }
        }
        let mut people = Vec::new();
        for row in tx.members()? {
            if !filter.fits(&row, &directory) {
                continue;
            }
            let external_id = tx.external_id(row.id.0)?;
            let person = person(row, external_id, &devices);
            if text.as_ref().is_none_or(|text| person.contains(text)) {
                people.push(person);
            }
        }
        people.sort_by(|a, b| (&a.external_id, a.id).cmp(&(&b.external_id, b.id)));
        Ok(Found { people, directory })
    })
}

fn person(
    row: MemberRow,
    external_id: Option<String>,
    devices: &HashMap<MemberId, usize>,
) -> Person {
    Person {
        id: row.id,
        external_id,
        name: row.public_name,
        area: row.area,
        grants: row.grants,
        disabled_ms: row.disabled_ms,
        devices: devices.get(&row.id).copied().unwrap_or_default(),
    }
}

/// Returns one person.
pub fn one(server: &Server, member: MemberId) -> Result<(Person, Directory)> {
    let found = server.store().read(|tx| -> StoreResult<_> {
        let Some(row) = tx.member(member)? else {
            return Ok(None);
        };
        let active = tx.devices_of(member)?.into_iter();
        let active = active.filter(|device| device.revoked_ms.is_none()).count();
        let external_id = tx.external_id(member.0)?;
        let person = person(row, external_id, &HashMap::from([(member, active)]));
        Ok(Some((person, directory::read(tx)?)))
    })?;
    found.ok_or_else(|| Problem::new("registry.unknown_member").with("member", member))
}

impl Person {
    /// The id of the office, otherwise OneGrid's.
    #[must_use]
    pub fn shown_id(&self) -> String {
        let known = self.external_id.clone();
        known.unwrap_or_else(|| self.id.to_string())
    }

    fn contains(&self, text: &str) -> bool {
        let fields = [self.name.as_deref(), self.external_id.as_deref()];
        fields
            .into_iter()
            .flatten()
            .any(|field| field.to_lowercase().contains(text))
            || self.id.to_string().contains(text)
    }
}

impl Filter {
    fn fits(&self, row: &MemberRow, directory: &Directory) -> bool {
        let has_role = |role: Role| row.grants.iter().any(|grant| grant.role == role);
        let in_unit = |unit| {
            row.grants
                .iter()
                .any(|grant| grant.scope.unit() == Some(unit))
        };
        self.disabled
            .is_none_or(|wanted| wanted == row.disabled_ms.is_some())
            && self.role.is_none_or(has_role)
            && self.unit.is_none_or(in_unit)
            && self.area.is_none_or(|area| is_in(row, area, directory))
    }
}

/// Whether a member lives in an area or holds a role in it.
#[must_use]
pub fn is_in(row: &MemberRow, area: AreaId, directory: &Directory) -> bool {
    let holds = |id: AreaId| {
        let path = directory.areas.path(id);
        path.is_some_and(|path| path.contains(area))
    };
    let reaches = |grant: &Grant| match &grant.scope {
        Scope::Area(path) => path.contains(area),
        Scope::Zone { areas, .. } => areas.iter().any(|id| holds(*id)),
        Scope::Unit(unit) => directory
            .units
            .get(unit)
            .is_some_and(|unit| holds(unit.area)),
    };
    holds(row.area) || row.grants.iter().any(reaches)
}
