//! Areas, units, roles and times in words for the people of an office.

use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::names::Names;
use onegrid_core::domain::{Grant, Scope};
use onegrid_core::id::{AreaId, UnitId};
use onegrid_core::texts::{Lang, say};

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
    }
}
