//! Names for people: categories, members, units, areas and roles, by the directory of the deployment.

use std::sync::LazyLock;

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::table::{directory, record as record_table};
use crate::domain::category::Categories;
use crate::domain::{Grant, Role, Scope};
use crate::id::{AreaId, RecordId, UnitId};
use crate::texts::{Lang, say, text};

/// Stable codes of directory entries, see `domain::directory`.
pub(in crate::replica) const AREAS: u16 = 1;
pub(in crate::replica) const ZONES: u16 = 2;
pub(in crate::replica) const UNITS: u16 = 3;
pub(in crate::replica) const CATEGORIES: u16 = 4;
pub(in crate::replica) const MEMBERS: u16 = 6;
pub(in crate::replica) const TEMPLATES: u16 = 9;

/// The categories that every phone knows.
pub(super) static BUILT_IN: LazyLock<Categories> = LazyLock::new(Categories::built_in);

/// A name in Chinese and in English.
pub(in crate::replica) type Name = (String, String);

pub(in crate::replica) fn in_lang((zh, en): Name, lang: Lang) -> String {
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

/// The name of a category: the deployment's own, otherwise the one that every phone knows.
pub(in crate::replica) fn category(
    conn: &Connection,
    code: &str,
) -> Result<Option<Name>, ReplicaError> {
    let own = directory::names_of_key(conn, CATEGORIES, code.as_bytes())?;
    let known = || {
        let known = BUILT_IN.get(code)?;
        Some((known.names.zh().to_owned(), known.names.en().to_owned()))
    };
    Ok(own.or_else(known))
}

/// The name of a unit, or a word that distinguishes it.
pub(in crate::replica) fn unit(
    conn: &Connection,
    id: UnitId,
    lang: Lang,
) -> Result<String, ReplicaError> {
    let name = directory::names(conn, UNITS, &id.0)?;
    Ok(name.map_or_else(
        || say("unit.unknown", lang, &[("id", &short(&id.to_string()))]),
        |name| in_lang(name, lang),
    ))
}

/// The name of an area, or a word that distinguishes it.
pub(in crate::replica) fn area(
    conn: &Connection,
    id: AreaId,
    lang: Lang,
) -> Result<String, ReplicaError> {
    let name = directory::names(conn, AREAS, &id.0)?;
    Ok(name.map_or_else(
        || say("area.unknown", lang, &[("id", &short(&id.to_string()))]),
        |name| in_lang(name, lang),
    ))
}

/// The name of a role.
pub(in crate::replica) fn role(role: Role, lang: Lang) -> String {
    let code = match role {
        Role::Unknown(_) => "role.unknown".to_owned(),
        known => format!("role.{}", known.name()),
    };
    text(&code, lang).unwrap_or_default().to_owned()
}

/// A grant in words: the role, and where it is held.
pub(in crate::replica) fn grant(
    conn: &Connection,
    grant: &Grant,
    lang: Lang,
) -> Result<String, ReplicaError> {
    let place = match &grant.scope {
        Scope::Area(path) => {
            let mut names = Vec::new();
            for id in path.ids() {
                names.push(area(conn, *id, lang)?);
            }
            names.join(" › ")
        }
        Scope::Zone { zone, .. } => directory::names(conn, ZONES, &zone.0)?.map_or_else(
            || say("area.unknown", lang, &[("id", &short(&zone.to_string()))]),
            |name| in_lang(name, lang),
        ),
        Scope::Unit(id) => unit(conn, *id, lang)?,
    };
    let role = role(grant.role, lang);
    Ok(say(
        "role.held",
        lang,
        &[("role", &role), ("where", &place)],
    ))
}

/// The title of a record on this phone, or a word that distinguishes it.
pub(in crate::replica) fn record(conn: &Connection, id: RecordId) -> Result<String, ReplicaError> {
    let row = record_table::get(conn, id)?;
    let title = row.map(|row| row.title).filter(|title| !title.is_empty());
    Ok(title.unwrap_or_else(|| short(&id.to_string())))
}

/// The last characters of an id: enough to distinguish two ids.
pub(in crate::replica) fn short(id: &str) -> String {
    let mut last: Vec<char> = id.chars().rev().take(4).collect();
    last.reverse();
    last.into_iter().collect()
}
