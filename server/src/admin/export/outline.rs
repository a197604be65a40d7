//! Outline of a record: place, progress and times, from its projection. Offices know areas and categories by their
//! codes and names, places by degrees, and times by the clock on the wall.

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::area::AreaLevel;
use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::kind::RecordKind;
use onegrid_core::domain::kinds::stages;
use onegrid_core::domain::names::Names;
use onegrid_core::texts::{self, Lang};
use serde_json::{Map, Value, json};

use crate::admin::time::local;
use crate::store::RecordRow;

/// Columns of an outline, in order.
pub(super) const COLUMNS: [&str; 20] = [
    "record",
    "kind",
    "kind_name",
    "state",
    "state_name",
    "open",
    "category",
    "category_name",
    "area_code",
    "district",
    "town",
    "village",
    "grid",
    "created",
    "changed",
    "due",
    "latitude",
    "longitude",
    "merged_into",
    "digest",
];

/// The words for codes: names of the deployment, and a language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) directory: &'a Directory,
    pub(super) lang: Lang,
}

impl Words<'_> {
    pub(super) fn name(self, names: &Names) -> &str {
        match self.lang {
            Lang::Zh => names.zh(),
            Lang::En => names.en(),
        }
    }

    /// The sentence `area.name` of a word such as a stage.
    pub(super) fn of(self, area: &str, word: &str) -> Value {
        json!(texts::text(&format!("{area}.{word}"), self.lang))
    }

    fn area(self, home: &AreaPath, level: AreaLevel) -> Value {
        let areas = &self.directory.areas;
        let mut found = home.ids().iter().rev().filter_map(|id| areas.get(*id));
        let found = found.find(|area| area.level() == level);
        json!(found.map(|area| self.name(&area.newest().names)))
    }
}

pub(super) fn facts(row: &RecordRow, words: Words<'_>) -> Map<String, Value> {
    let kind = RecordKind::of_code(row.kind).name();
    let state = stages::name_of(row.state);
    let directory = words.directory;
    let category = row.category.as_deref();
    let category_name = category.and_then(|code| directory.categories.get(code));
    let home = directory.areas.get(row.home.leaf());
    let degrees = |e7: i32| f64::from(e7) / 1e7;
    let (latitude, longitude) = row.position.unzip();
    let values: [Value; COLUMNS.len()] = [
        json!(row.id.to_string()),
        json!(kind),
        words.of("kind", kind),
        json!(state),
        words.of("stage", state),
        json!(row.open),
        json!(category),
        json!(category_name.map(|category| words.name(&category.names))),
        json!(home.map(|area| area.newest().code.to_string())),
        words.area(&row.home, AreaLevel::District),
        words.area(&row.home, AreaLevel::Town),
        words.area(&row.home, AreaLevel::Village),
        words.area(&row.home, AreaLevel::Grid),
        json!(local(row.created_ms)),
        json!(local(row.changed_ms)),
        json!(row.due_ms.map(local)),
        json!(latitude.map(degrees)),
        json!(longitude.map(degrees)),
        json!(row.merged_into.map(|id| id.to_string())),
        json!(row.digest.to_string()),
    ];
    let names = COLUMNS.into_iter().map(str::to_owned);
    names.zip(values).collect()
}
