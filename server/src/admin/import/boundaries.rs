//! Boundaries of one level from a `GeoJSON` file, by area code.

use std::collections::BTreeMap;

use geojson::Feature;
use onegrid_core::domain::area::AreaCode;
use onegrid_core::domain::polygon::Boundary;
use onegrid_core::domain::position::Datum;
use serde_json::Value;

use super::encoding::text_of;
use super::geometry::boundary_of;
use super::{BadRow, Place};

/// Boundaries of a file by area code.
pub(super) struct Boundaries {
    /// Feature number and boundary; `None` if the feature was refused and reported.
    by_code: BTreeMap<AreaCode, (u64, Option<Boundary>)>,
    /// Whether the file could be parsed.
    readable: bool,
}

impl Boundaries {
    pub(super) fn read(file: &str, bytes: &[u8], datum: Datum, bad: &mut Vec<BadRow>) -> Self {
        let mut found = Self {
            by_code: BTreeMap::new(),
            readable: false,
        };
        let features = match features_of(bytes) {
            Ok(features) => features,
            Err(code) => {
                bad.push(BadRow::new(file, Place::File, code, ""));
                return found;
            }
        };
        found.readable = true;
        for (number, value) in (1..).zip(features) {
            let mut refuse = |code, value: &str| {
                bad.push(BadRow::new(file, Place::Feature(number), code, value));
            };
            let code_text = value["properties"]["code"].clone();
            let code_text = code_text
                .as_str()
                .map_or_else(|| code_text.to_string(), str::to_owned);
            let Ok(code) = code_text.parse::<AreaCode>() else {
                refuse("import.feature_without_code", &code_text);
                continue;
            };
            if found.by_code.contains_key(&code) {
                refuse("import.duplicate", &code_text);
                continue;
            }
            let feature = serde_json::from_value::<Feature>(value);
            let boundary = match feature.map(|feature| feature.geometry) {
                Ok(Some(geometry)) => boundary_of(&geometry.value, datum),
                Ok(None) => Err("polygon.empty"),
                Err(_) => Err("polygon.not_a_polygon"),
            };
            if let Err(reason) = boundary {
                refuse(reason, &code_text);
            }
            found.by_code.insert(code, (number, boundary.ok()));
        }
        found
    }

    /// Takes the boundary of an area, or returns the code for refusing the area.
    pub(super) fn take(&mut self, code: AreaCode) -> Result<Boundary, &'static str> {
        match self.by_code.remove(&code) {
            Some((_, Some(boundary))) => Ok(boundary),
            None if self.readable => Err("import.boundary_missing"),
            Some((_, None)) | None => Err("import.boundary_refused"),
        }
    }

    /// Drops the feature of an area that needs no boundary.
    pub(super) fn forget(&mut self, code: AreaCode) {
        self.by_code.remove(&code);
    }

    /// Reports good features without a matching row.
    pub(super) fn report_unused(self, file: &str, bad: &mut Vec<BadRow>) {
        let good = self
            .by_code
            .into_iter()
            .filter(|(_, (_, boundary))| boundary.is_some());
        bad.extend(good.map(|(code, (number, _))| {
            let place = Place::Feature(number);
            BadRow::new(file, place, "import.feature_without_row", &code.to_string())
        }));
    }
}

fn features_of(bytes: &[u8]) -> Result<Vec<Value>, &'static str> {
    let text = text_of(bytes)?;
    let Ok(Value::Object(mut collection)) = serde_json::from_str(&text) else {
        return Err("import.unreadable_json");
    };
    match collection.remove("features") {
        Some(Value::Array(features)) => Ok(features),
        _ => Err("import.no_features"),
    }
}
