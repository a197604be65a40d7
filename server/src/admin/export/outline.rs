//! Outline of a record: place, progress and times, from its projection.

use onegrid_core::domain::kind::RecordKind;
use onegrid_core::domain::kinds::stages;
use serde_json::{Map, Value, json};

use crate::store::RecordRow;

/// Columns of an outline, in order.
pub(super) const COLUMNS: [&str; 12] = [
    "record",
    "kind",
    "home",
    "created_ms",
    "changed_ms",
    "open",
    "state",
    "category",
    "latitude_e7",
    "longitude_e7",
    "due_ms",
    "digest",
];

pub(super) fn facts(row: &RecordRow) -> Map<String, Value> {
    let home: Vec<String> = row.home.ids().iter().map(ToString::to_string).collect();
    let values: [Value; COLUMNS.len()] = [
        json!(row.id.to_string()),
        json!(RecordKind::of_code(row.kind).name()),
        json!(home),
        json!(row.created_ms),
        json!(row.changed_ms),
        json!(row.open),
        json!(stages::name_of(row.state)),
        json!(row.category),
        json!(row.position.map(|(latitude, _)| latitude)),
        json!(row.position.map(|(_, longitude)| longitude)),
        json!(row.due_ms),
        json!(row.digest.to_string()),
    ];
    let names = COLUMNS.into_iter().map(str::to_owned);
    names.zip(values).collect()
}
