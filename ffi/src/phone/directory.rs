//! The parts of the directory that an app asks for: places, units, people, categories.

use onegrid_core::domain::AreaPath;
use onegrid_core::net::now_ms;
use onegrid_core::replica::Reader;

use super::read::{limit, token};
use super::{Phone, maybe_id};
use crate::error::Answer;
use crate::types::{
    Area, AreaPage, Category, GeoPosition, Located, Person, PersonPage, PlaceChoice, Unit, UnitPage,
};

#[uniffi::export]
impl Phone {
    /// Returns the grid of a position, and the candidates if it is not sure.
    ///
    /// Errors: `position.*`.
    pub fn locate(&self, position: GeoPosition) -> Answer<Located> {
        self.0.read(|reader| {
            let found = reader.locate(&position.checked()?, now_ms())?;
            let candidates = found.candidates.iter();
            Ok(Located {
                grid: found
                    .grid
                    .map(|grid| place(reader, &grid, 0.0))
                    .transpose()?,
                candidates: candidates
                    .map(|(path, distance_m)| place(reader, path, *distance_m))
                    .collect::<Answer<_>>()?,
                needs_confirmation: found.needs_confirmation,
            })
        })
    }

    /// Lists the areas directly below one; without one, the districts. `rows` is 1 to 200.
    ///
    /// Errors: `list.bad_token`.
    pub fn areas(
        &self,
        parent: Option<String>,
        page: Option<String>,
        rows: u32,
    ) -> Answer<AreaPage> {
        self.0.read(|reader| {
            let parent = maybe_id(parent.as_ref())?;
            let found = reader.areas(parent, now_ms(), token(page).as_ref(), limit(rows))?;
            let areas = found.items.into_iter().map(|area| Area {
                id: area.id.to_string(),
                level: area.level.as_str().to_owned(),
                code: area.code,
                zh: area.zh,
                en: area.en,
            });
            Ok(AreaPage {
                areas: areas.collect(),
                next: found.next.map(|next| next.to_string()),
            })
        })
    }

    /// Lists the units whose name contains the words, of an area or below it if one is given. `rows` is 1 to
    /// 200.
    ///
    /// Errors: `list.bad_token`.
    pub fn units(
        &self,
        search: String,
        area: Option<String>,
        page: Option<String>,
        rows: u32,
    ) -> Answer<UnitPage> {
        self.0.read(|reader| {
            let area = maybe_id(area.as_ref())?;
            let found = reader.units(&search, area, now_ms(), token(page).as_ref(), limit(rows))?;
            let units = found.items.into_iter().map(|unit| Unit {
                id: unit.id.to_string(),
                zh: unit.zh,
                en: unit.en,
                kind: unit.kind.to_string(),
            });
            Ok(UnitPage {
                units: units.collect(),
                next: found.next.map(|next| next.to_string()),
            })
        })
    }

    /// Lists the people of this phone's villages whose public name contains the words. `rows` is 1 to 200.
    ///
    /// Errors: `list.bad_token`.
    pub fn people(&self, search: String, page: Option<String>, rows: u32) -> Answer<PersonPage> {
        self.0.read(|reader| {
            let found = reader.people(&search, token(page).as_ref(), limit(rows))?;
            let people = found.items.into_iter().map(|person| Person {
                member: person.id.to_string(),
                zh: person.zh,
                en: person.en,
            });
            Ok(PersonPage {
                people: people.collect(),
                next: found.next.map(|next| next.to_string()),
            })
        })
    }

    /// Lists the categories of this deployment, at most 1,000.
    pub fn categories(&self) -> Answer<Vec<Category>> {
        self.0.read(|reader| {
            let found = reader.categories()?.into_iter();
            let categories = found.map(|category| Category {
                code: category.code,
                zh: category.zh,
                en: category.en,
                class: category.class,
            });
            Ok(categories.collect())
        })
    }
}

fn place(reader: &Reader, path: &AreaPath, distance_m: f64) -> Answer<PlaceChoice> {
    let (zh, en) = place_names(reader, path)?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most the radius of a position, 100,000 m"
    )]
    let distance_m = distance_m.round() as u32;
    Ok(PlaceChoice {
        area: path.leaf().to_string(),
        zh,
        en,
        distance_m,
    })
}

/// Joins the names from the district down, as Chinese and English addresses write them.
pub(super) fn place_names(reader: &Reader, path: &AreaPath) -> Answer<(String, String)> {
    let names = reader.area_path_names(path)?;
    let zh = names.iter().map(|(_, zh, _)| zh.as_str()).collect();
    let en: Vec<&str> = names.iter().rev().map(|(_, _, en)| en.as_str()).collect();
    Ok((zh, en.join(", ")))
}
