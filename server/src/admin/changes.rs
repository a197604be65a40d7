//! Changes that an import makes or would make: for each person, unit and area.

use onegrid_core::domain::Grant;
use onegrid_core::domain::area::Area;
use onegrid_core::domain::areas::{AreaEntry, Areas};
use onegrid_core::domain::names::Names;
use onegrid_core::domain::unit::Unit;
use onegrid_core::id::AreaId;
use onegrid_core::texts::{Lang, say};
use serde_json::{Value, json};

use super::wording::Wording;
use crate::registry::members::MemberDescription;
use crate::store::MemberRow;

/// A change of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Of a person.
    Person(PersonChange),
    /// Of a unit: the new state, and the state before.
    Unit {
        /// Id that the office uses.
        external_id: String,
        /// State before; `None` for a new unit.
        before: Option<Unit>,
        /// State afterwards.
        after: Unit,
    },
    /// Of an area.
    Area {
        /// The area before; `None` for a new one.
        before: Option<Box<Area>>,
        /// The new version.
        after: Box<AreaEntry>,
    },
}

/// A change of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonChange {
    /// Id that the office uses.
    pub external_id: String,
    /// Name afterwards.
    pub name: String,
    /// Whether the person is new.
    pub is_new: bool,
    /// Whether the person is switched off, which an import does not change.
    pub is_disabled: bool,
    /// Name before, if it changes.
    pub name_before: Option<String>,
    /// Area before and afterwards, if the person moves.
    pub moved: Option<(AreaId, AreaId)>,
    /// Roles that the person gets.
    pub added: Vec<Grant>,
    /// Roles that the person loses.
    pub taken: Vec<Grant>,
}

impl PersonChange {
    /// Compares a description with the present state; `None` if nothing changes.
    #[must_use]
    pub fn of(
        external_id: &str,
        described: &MemberDescription,
        known: Option<&MemberRow>,
    ) -> Option<Self> {
        let before = known.map_or(&[][..], |known| &known.grants);
        let only = |one: &[Grant], other: &[Grant]| -> Vec<Grant> {
            let only = one.iter().filter(|grant| !other.contains(grant));
            only.cloned().collect()
        };
        let name_before = known.filter(|known| known.public_name != described.public_name);
        let moved = known.filter(|known| known.area != described.area);
        let change = Self {
            external_id: external_id.to_owned(),
            name: described.public_name.clone().unwrap_or_default(),
            is_new: known.is_none(),
            is_disabled: known.is_some_and(|known| known.disabled_ms.is_some()),
            name_before: name_before.map(|known| known.public_name.clone().unwrap_or_default()),
            moved: moved.map(|known| (known.area, described.area)),
            added: only(&described.grants, before),
            taken: only(before, &described.grants),
        };
        let is_same = !change.is_new
            && change.name_before.is_none()
            && change.moved.is_none()
            && change.added.is_empty()
            && change.taken.is_empty();
        (!is_same).then_some(change)
    }

    fn parts(&self, wording: Wording<'_>) -> Vec<String> {
        let lang = wording.lang;
        let mut parts = Vec::new();
        if let Some(before) = &self.name_before {
            parts.push(say("change.renamed", lang, &[("before", before.as_str())]));
        }
        if let Some((from, to)) = self.moved {
            let (from, to) = (wording.area(from), wording.area(to));
            let values = [("from", from.as_str()), ("to", to.as_str())];
            parts.push(say("change.moved", lang, &values));
        }
        for (code, grants) in [
            ("change.roles_added", &self.added),
            ("change.roles_taken", &self.taken),
        ] {
            if !grants.is_empty() {
                let roles = wording.grants(grants);
                parts.push(say(code, lang, &[("roles", roles.as_str())]));
            }
        }
        if self.is_disabled {
            parts.push(say("change.stays_disabled", lang, &[]));
        }
        parts
    }
}

impl Change {
    /// One line for a person.
    #[must_use]
    pub fn say(&self, wording: Wording<'_>) -> String {
        let lang = wording.lang;
        let colon = if lang == Lang::Zh { "：" } else { ": " };
        let comma = if lang == Lang::Zh { "；" } else { "; " };
        let (is_new, subject, parts) = match self {
            Self::Person(person) => (
                person.is_new,
                format!("{} {}", person.external_id, person.name),
                person.parts(wording),
            ),
            Self::Unit {
                external_id,
                before,
                after,
            } => (
                before.is_none(),
                format!("{external_id} {}", after.names.zh()),
                unit_parts(before.as_ref(), after, wording),
            ),
            Self::Area { before, after } => (
                before.is_none(),
                format!("{} {}", after.version.code, after.version.names.zh()),
                area_parts(before.as_deref(), after, wording),
            ),
        };
        let code = if is_new {
            "change.new"
        } else {
            "change.changed"
        };
        let word = say(code, lang, &[]);
        if parts.is_empty() {
            return format!("{word} {subject}");
        }
        format!("{word} {subject}{colon}{}", parts.join(comma))
    }

    /// Form for programs. Names of areas and roles are in the language of `wording`.
    #[must_use]
    pub fn to_json(&self, wording: Wording<'_>) -> Value {
        let words = |grants: &[Grant]| -> Vec<String> {
            grants.iter().map(|grant| wording.grant(grant)).collect()
        };
        let (kind, id, is_new, name) = match self {
            Self::Person(one) => ("person", one.external_id.clone(), one.is_new, &*one.name),
            Self::Unit {
                external_id,
                before,
                after,
            } => (
                "unit",
                external_id.clone(),
                before.is_none(),
                after.names.zh(),
            ),
            Self::Area { before, after } => (
                "area",
                after.version.code.to_string(),
                before.is_none(),
                after.version.names.zh(),
            ),
        };
        let mut value = json!({"kind": kind, "id": id, "name": name, "new": is_new});
        match self {
            Self::Person(person) => {
                value["name_before"] = json!(person.name_before);
                value["moved_from"] = json!(person.moved.map(|(from, _)| wording.area(from)));
                value["moved_to"] = json!(person.moved.map(|(_, to)| wording.area(to)));
                let code = |id| wording.area_code(id);
                value["moved_from_code"] = json!(person.moved.and_then(|(from, _)| code(from)));
                value["moved_to_code"] = json!(person.moved.and_then(|(_, to)| code(to)));
                value["grants_added"] = json!(wording.grants_codes(&person.added));
                value["grants_taken"] = json!(wording.grants_codes(&person.taken));
                value["roles_added"] = json!(words(&person.added));
                value["roles_taken"] = json!(words(&person.taken));
                value["disabled"] = json!(person.is_disabled);
            }
            Self::Unit { before, after, .. } => {
                value["parts"] = json!(unit_parts(before.as_ref(), after, wording));
            }
            Self::Area { before, after } => {
                value["parts"] = json!(area_parts(before.as_deref(), after, wording));
            }
        }
        value
    }
}

fn unit_parts(before: Option<&Unit>, after: &Unit, wording: Wording<'_>) -> Vec<String> {
    let lang = wording.lang;
    let Some(before) = before else {
        return vec![wording.area(after.area)];
    };
    let mut parts = Vec::new();
    parts.extend(renamed(&before.names, &after.names, lang));
    if before.kind != after.kind {
        let (from, to) = (before.kind.to_string(), after.kind.to_string());
        let values = [("from", from.as_str()), ("to", to.as_str())];
        parts.push(say("change.kind", lang, &values));
    }
    if before.area != after.area {
        let (from, to) = (wording.area(before.area), wording.area(after.area));
        let values = [("from", from.as_str()), ("to", to.as_str())];
        parts.push(say("change.moved", lang, &values));
    }
    parts
}

/// The names that changed, each in its language.
fn renamed(before: &Names, after: &Names, lang: Lang) -> Vec<String> {
    let mut parts = Vec::new();
    if before.zh() != after.zh() {
        parts.push(say("change.renamed", lang, &[("before", before.zh())]));
    }
    if after.clone().with_english_of(before) != *after {
        let values = [("before", before.en()), ("after", after.en())];
        parts.push(say("change.renamed_english", lang, &values));
    }
    parts
}

fn area_parts(before: Option<&Area>, after: &AreaEntry, wording: Wording<'_>) -> Vec<String> {
    let lang = wording.lang;
    let mut parts = Vec::new();
    let Some(before) = before else {
        return after
            .parent
            .map(|id| wording.area(id))
            .into_iter()
            .collect();
    };
    let (old, new) = (before.newest(), &after.version);
    parts.extend(renamed(&old.names, &new.names, lang));
    if old.code != new.code {
        let before = old.code.to_string();
        parts.push(say("change.code", lang, &[("before", before.as_str())]));
    }
    if before.parent() != after.parent {
        let word = |id: Option<AreaId>| id.map(|id| wording.area(id)).unwrap_or_default();
        let (from, to) = (word(before.parent()), word(after.parent));
        let values = [("from", from.as_str()), ("to", to.as_str())];
        parts.push(say("change.moved", lang, &values));
    }
    if new.valid_to_ms.is_some() {
        let heirs: Vec<String> = after
            .successors
            .iter()
            .map(|id| wording.area(*id))
            .collect();
        let heirs = heirs.join(" + ");
        parts.push(say("change.dissolved", lang, &[("heirs", heirs.as_str())]));
    } else if old.boundary != new.boundary {
        parts.push(say("change.boundary", lang, &[]));
    }
    parts
}

/// The changes of areas, each compared with the state before all of them.
#[must_use]
pub fn of_areas(known: &Areas, entries: &[AreaEntry]) -> Vec<Change> {
    let change = |entry: &AreaEntry| Change::Area {
        before: known.get(entry.id).cloned().map(Box::new),
        after: Box::new(entry.clone()),
    };
    entries.iter().map(change).collect()
}
