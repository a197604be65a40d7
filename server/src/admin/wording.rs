//! Areas, units, roles and times in words for the people of an office.

use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::names::Names;
use onegrid_core::domain::{Grant, Scope};
use onegrid_core::id::{AreaId, UnitId};
use onegrid_core::texts::{Lang, say};
use serde_json::{Value, json};

use super::people::Person;

/// Words over a directory, in one language.
#[derive(Debug, Clone, Copy)]
pub struct Wording<'a> {
    /// The directory that names are taken from.
    pub directory: &'a Directory,
    /// Language of all words.
    pub lang: Lang,
}

impl Wording<'_> {
    fn name(self, names: &Names) -> &str {
        match self.lang {
            Lang::Zh => names.zh(),
            Lang::En => names.en(),
        }
    }

    /// Name and code of an area; its id if the directory lacks it.
    #[must_use]
    pub fn area(self, id: AreaId) -> String {
        area(&self.directory.areas, id, self)
    }

    /// Name of a unit; its id if the directory lacks it.
    #[must_use]
    pub fn unit(self, id: UnitId) -> String {
        let unit = self.directory.units.get(&id);
        unit.map_or_else(|| id.to_string(), |unit| self.name(&unit.names).to_owned())
    }

    /// Name, id and area of a person, so that a mistyped id is seen.
    #[must_use]
    pub fn person(self, person: &Person) -> String {
        let (id, area) = (person.shown_id(), self.area(person.area));
        let name = person.name.as_deref().unwrap_or("-");
        say(
            "people.who",
            self.lang,
            &[("name", name), ("id", &id), ("area", &area)],
        )
    }

    /// Role with its place.
    #[must_use]
    pub fn grant(self, grant: &Grant) -> String {
        let role = say(&format!("role.{}", grant.role.name()), self.lang, &[]);
        let place = match &grant.scope {
            Scope::Area(path) => self.area(path.leaf()),
            Scope::Unit(unit) => self.unit(*unit),
            Scope::Zone { zone, .. } => zone.to_string(),
        };
        say(
            "role.held",
            self.lang,
            &[("role", role.as_str()), ("where", place.as_str())],
        )
    }

    /// Code of an area; `None` if the directory lacks it.
    #[must_use]
    pub fn area_code(self, id: AreaId) -> Option<String> {
        let area = self.directory.areas.get(id)?;
        Some(area.newest().code.to_string())
    }

    /// Role and place for programs, in codes and ids that are equal in every language.
    #[must_use]
    pub fn grant_codes(self, grant: &Grant) -> Value {
        let (area, unit, zone) = match &grant.scope {
            Scope::Area(path) => (Some(path.leaf()), None, None),
            Scope::Unit(unit) => (None, Some(unit.to_string()), None),
            Scope::Zone { zone, .. } => (None, None, Some(zone.to_string())),
        };
        json!({
            "role": grant.role.name(),
            "area": area.map(|id| self.area_code(id).unwrap_or_else(|| id.to_string())),
            "unit": unit,
            "zone": zone,
        })
    }

    /// Several roles for programs.
    #[must_use]
    pub fn grants_codes(self, grants: &[Grant]) -> Vec<Value> {
        grants.iter().map(|grant| self.grant_codes(grant)).collect()
    }

    /// Several roles with their places.
    #[must_use]
    pub fn grants(self, grants: &[Grant]) -> String {
        let words: Vec<String> = grants.iter().map(|grant| self.grant(grant)).collect();
        if words.is_empty() {
            return say("people.no_role", self.lang, &[]);
        }
        words.join(if self.lang == Lang::Zh { "、" } else { ", " })
    }
}

fn area(areas: &Areas, id: AreaId, wording: Wording<'_>) -> String {
    let Some(area) = areas.get(id) else {
        return id.to_string();
    };
    let newest = area.newest();
    format!("{} {}", wording.name(&newest.names), newest.code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use onegrid_core::fixtures::{VOLUNTEER_WANG, directory};

    use super::*;

    #[test]
    fn role_names_its_place_in_both_languages() {
        let (directory, left) = Directory::of(directory());
        assert_eq!(left, 0);
        let words = |lang| {
            let wording = Wording {
                directory: &directory,
                lang,
            };
            wording.grants(&[VOLUNTEER_WANG.grant()])
        };
        assert!(
            words(Lang::Zh).starts_with("志愿者（"),
            "{}",
            words(Lang::Zh)
        );
        assert!(words(Lang::En).starts_with("volunteer ("));
        let none = Wording {
            directory: &directory,
            lang: Lang::En,
        };
        assert_eq!(none.grants(&[]), "no role");
        let codes = |lang| {
            let wording = Wording {
                directory: &directory,
                lang,
            };
            wording.grant_codes(&VOLUNTEER_WANG.grant())
        };
        assert_eq!(codes(Lang::Zh), codes(Lang::En));
        assert_eq!(codes(Lang::En)["role"], "volunteer");
    }
}
