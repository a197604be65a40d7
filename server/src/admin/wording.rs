//! Areas, units, roles and times in words for the people of an office.

use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::names::Names;
use onegrid_core::domain::{Grant, Scope};
use onegrid_core::id::{AreaId, UnitId};
use onegrid_core::texts::{Lang, say};

/// Distance of local time from UTC, milliseconds: all of China has one zone.
const ZONE_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 24 * 3_600_000;

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

/// An instant (ms UTC) as the clocks of China show it: `2026-11-22 09:02`.
#[must_use]
pub fn local_time(at_ms: i64) -> String {
    let local_ms = at_ms.saturating_add(ZONE_MS);
    let minute = local_ms.rem_euclid(DAY_MS) / 60_000;
    let (year, month, day) = civil(local_ms.div_euclid(DAY_MS));
    let (hour, minute) = (minute / 60, minute % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

/// Year, month and day from the number of days since 1970-01-01 (Howard Hinnant, `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use onegrid_core::fixtures::{VOLUNTEER_WANG, directory};

    use super::*;

    #[test]
    fn times_are_those_of_the_clock_on_the_wall() {
        assert_eq!(local_time(0), "1970-01-01 08:00");
        assert_eq!(local_time(951_782_399_999), "2000-02-29 07:59");
        assert_eq!(local_time(1_795_309_323_456), "2026-11-22 09:02");
    }

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
