//! All areas of a deployment: found by id, code, parent and position.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::dag::Walk;
use crate::domain::AreaPath;
use crate::domain::area::{Area, AreaCode, AreaError, AreaLevel, AreaVersion};
use crate::domain::polygon::GeoPoint;
use crate::id::AreaId;
use crate::limits::{AREA_SUCCESSORS_MAX, AREA_VERSIONS_MAX};

/// One version of an area, as the directory carries it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AreaEntry {
    /// The id of the area.
    #[n(0)]
    pub id: AreaId,
    /// Its level.
    #[n(1)]
    pub level: AreaLevel,
    /// The area above; `None` for a district.
    #[n(2)]
    pub parent: Option<AreaId>,
    /// The version that this entry adds or replaces (the one with the same start).
    #[n(3)]
    pub version: AreaVersion,
    /// The areas that took over, if this version ended without a next one.
    #[n(4)]
    pub successors: Vec<AreaId>,
}

/// An area found near a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearArea {
    /// The area.
    pub id: AreaId,
    /// Distance in metres, 0 when the position lies in it.
    pub distance_m: f64,
}

/// The index over all areas. Parents are known before their children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Areas {
    by_id: BTreeMap<AreaId, Area>,
    by_code: BTreeMap<AreaCode, BTreeSet<AreaId>>,
    children: BTreeMap<AreaId, BTreeSet<AreaId>>,
}

impl Areas {
    /// An index without areas.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a version, or replaces the one that starts at this instant. A version ends at the latest where
    /// the next one starts. A refused entry changes nothing.
    pub fn apply(&mut self, entry: AreaEntry) -> Result<(), AreaError> {
        self.check(&entry)?;
        let AreaEntry {
            id,
            level,
            parent,
            version,
            successors,
        } = entry;
        self.by_code.entry(version.code).or_default().insert(id);
        let old_parent = self.by_id.get(&id).and_then(|area| area.parent);
        if let Some(siblings) = old_parent.and_then(|old| self.children.get_mut(&old)) {
            siblings.remove(&id);
        }
        if let Some(parent) = parent {
            self.children.entry(parent).or_default().insert(id);
        }
        let area = self.by_id.entry(id).or_insert_with(|| Area {
            id,
            level,
            parent,
            versions: Vec::new(),
            successors: Vec::new(),
        });
        area.parent = parent;
        area.successors = successors;
        let replaced = area
            .versions
            .iter()
            .position(|v| v.valid_from_ms == version.valid_from_ms);
        let replaced_code = replaced.map(|index| area.versions.remove(index).code);
        area.versions.push(version);
        area.versions.sort_by_key(|known| known.valid_from_ms);
        for index in 1..area.versions.len() {
            let next_ms = area.versions[index].valid_from_ms;
            let end_ms = &mut area.versions[index - 1].valid_to_ms;
            *end_ms = Some(end_ms.map_or(next_ms, |end| end.min(next_ms)));
        }
        if let Some(code) = replaced_code
            && area.versions.iter().all(|known| known.code != code)
            && let Some(holders) = self.by_code.get_mut(&code)
        {
            holders.remove(&id);
            if holders.is_empty() {
                self.by_code.remove(&code);
            }
        }
        Ok(())
    }

    fn check(&self, entry: &AreaEntry) -> Result<(), AreaError> {
        entry.version.check(entry.level)?;
        if entry.successors.len() > AREA_SUCCESSORS_MAX {
            return Err(AreaError::TooManyParts);
        }
        if let Some(known) = self.by_id.get(&entry.id) {
            if known.level != entry.level {
                return Err(AreaError::LevelChanged);
            }
            if known.versions.len() >= AREA_VERSIONS_MAX {
                return Err(AreaError::TooManyParts);
            }
        }
        match (entry.level.above(), entry.parent) {
            (None, None) => {}
            (Some(above), Some(parent)) => {
                let parent = self.by_id.get(&parent).ok_or(AreaError::UnknownParent)?;
                if parent.level != above {
                    return Err(AreaError::WrongParentLevel);
                }
            }
            _ => return Err(AreaError::WrongParentLevel),
        }
        let others = self.by_code.get(&entry.version.code).into_iter().flatten();
        let taken = others.filter(|id| **id != entry.id).any(|id| {
            self.by_id[id]
                .versions
                .iter()
                .any(|known| known.code == entry.version.code && known.overlaps(&entry.version))
        });
        if taken {
            Err(AreaError::DuplicateCode)
        } else {
            Ok(())
        }
    }

    /// The number of areas, dissolved ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether the index is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The area with this id.
    #[must_use]
    pub fn get(&self, id: AreaId) -> Option<&Area> {
        self.by_id.get(&id)
    }

    /// All areas, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Area> {
        self.by_id.values()
    }

    /// The areas of one level, by id.
    pub fn of_level(&self, level: AreaLevel) -> impl Iterator<Item = &Area> {
        self.by_id.values().filter(move |area| area.level == level)
    }

    /// The areas directly below, by id.
    pub fn children(&self, id: AreaId) -> impl Iterator<Item = &Area> {
        self.children
            .get(&id)
            .into_iter()
            .flatten()
            .map(|child| &self.by_id[child])
    }

    /// The area that has this code now, otherwise the last one that had it.
    #[must_use]
    pub fn by_code(&self, code: AreaCode) -> Option<&Area> {
        let newest_start = |area: &&Area| {
            let with_code = area.versions.iter().filter(|version| version.code == code);
            with_code.map(|version| version.valid_from_ms).max()
        };
        let holders = self.by_code.get(&code)?.iter().map(|id| &self.by_id[id]);
        holders.max_by_key(newest_start)
    }

    /// The area and those above it, from the district down; empty when the id is unknown.
    #[must_use]
    pub fn ancestry(&self, id: AreaId) -> Vec<&Area> {
        let mut line: Vec<&Area> = Vec::new();
        let mut next = self.by_id.get(&id);
        while let Some(area) = next {
            line.push(area);
            next = area.parent.and_then(|parent| self.by_id.get(&parent));
        }
        line.reverse();
        line
    }

    /// The path to an area, as records and grants carry it.
    #[must_use]
    pub fn path(&self, id: AreaId) -> Option<AreaPath> {
        let ids: Vec<AreaId> = self.ancestry(id).iter().map(|area| area.id).collect();
        AreaPath::new(&ids).ok()
    }

    /// The areas in force for an area at an instant (ms UTC): the area while it is in force, otherwise the
    /// areas that took over, through any number of mergers and splits.
    #[must_use]
    pub fn in_force(&self, id: AreaId, at_ms: i64) -> BTreeSet<AreaId> {
        let mut found = BTreeSet::new();
        let mut walk = Walk::from_ids([id]);
        while let Some(next) = walk.next() {
            let Some(area) = self.by_id.get(&next) else {
                continue;
            };
            if area.version_at(at_ms).is_some() {
                found.insert(next);
            } else {
                walk.extend(area.successors.iter().copied());
            }
        }
        found
    }

    /// The grid that held the point at an instant (ms UTC). On a common edge the lowest id wins, so that
    /// every replica answers alike.
    #[must_use]
    pub fn grid_at(&self, point: GeoPoint, at_ms: i64) -> Option<AreaId> {
        self.area_at(AreaLevel::Grid, point, at_ms)
    }

    /// The area of any level that held the point, with the rules of [`Self::grid_at`].
    #[must_use]
    pub fn area_at(&self, level: AreaLevel, point: GeoPoint, at_ms: i64) -> Option<AreaId> {
        let holds = |area: &&Area| {
            let boundary = area
                .version_at(at_ms)
                .and_then(|version| version.boundary.as_ref());
            boundary.is_some_and(|boundary| boundary.contains(point))
        };
        self.of_level(level).find(holds).map(Area::id)
    }

    /// The area of a level that holds the point, otherwise the nearest area within the tolerance. At equal
    /// distance the lowest id wins.
    #[must_use]
    pub fn nearest(
        &self,
        level: AreaLevel,
        point: GeoPoint,
        at_ms: i64,
        tolerance_m: u32,
    ) -> Option<NearArea> {
        let mut best: Option<NearArea> = None;
        for area in self.of_level(level) {
            let version = area.version_at(at_ms);
            let Some(boundary) = version.and_then(|version| version.boundary.as_ref()) else {
                continue;
            };
            let limit_m = best.map_or(f64::from(tolerance_m), |near| near.distance_m);
            if boundary.bounds().distance_m(point) > limit_m {
                continue;
            }
            let distance_m = boundary.distance_m(point);
            if distance_m < limit_m || (best.is_none() && distance_m <= limit_m) {
                best = Some(NearArea {
                    id: area.id,
                    distance_m,
                });
            }
        }
        best
    }

    /// The directory entries that rebuild this index, parents before children.
    pub fn entries(&self) -> impl Iterator<Item = AreaEntry> + '_ {
        AreaLevel::ALL
            .into_iter()
            .flat_map(|level| self.of_level(level))
            .flat_map(|area| {
                area.versions.iter().map(|version| AreaEntry {
                    id: area.id,
                    level: area.level,
                    parent: area.parent,
                    version: version.clone(),
                    successors: area.successors.clone(),
                })
            })
    }
}

#[cfg(test)]
#[path = "areas_tests.rs"]
mod tests;

/// A small district for the tests of this module and its neighbours.
#[cfg(test)]
pub(crate) mod test_support {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::names::Names;
    use crate::domain::polygon::{Boundary, Polygon, Ring};

    pub(crate) fn area(code: &str) -> AreaId {
        AreaId::of_first_code(code)
    }

    /// A box of `size` × `size` units of 1e-7 degree.
    pub(crate) fn square(lat_e7: i32, lon_e7: i32, size: i32) -> Boundary {
        let corners = [(0, 0), (0, size), (size, size), (size, 0), (0, 0)];
        let at = |(lat, lon)| GeoPoint::new(lat_e7 + lat, lon_e7 + lon).unwrap();
        let outer = Ring::from_closed(corners.into_iter().map(at).collect()).unwrap();
        Boundary::new(vec![Polygon {
            outer,
            holes: Vec::new(),
        }])
        .unwrap()
    }

    pub(crate) fn entry(
        level: AreaLevel,
        code: &str,
        parent: Option<&str>,
        boundary: Option<Boundary>,
    ) -> AreaEntry {
        AreaEntry {
            id: area(code),
            level,
            parent: parent.map(area),
            version: AreaVersion {
                code: code.parse().unwrap(),
                names: Names::new(code, None).unwrap(),
                boundary,
                valid_from_ms: 0,
                valid_to_ms: None,
            },
            successors: Vec::new(),
        }
    }

    /// One district, town and village, and two grids side by side that share the edge at longitude
    /// 1000.
    pub(crate) fn small_district() -> Areas {
        let mut areas = Areas::new();
        let (district, town, village) = ("330105000000", "330105013000", "330105013051");
        let all = [
            entry(AreaLevel::District, district, None, None),
            entry(AreaLevel::Town, town, Some(district), None),
            entry(AreaLevel::Village, village, Some(town), None),
            entry(
                AreaLevel::Grid,
                "330105013051001",
                Some(village),
                Some(square(0, 0, 1000)),
            ),
            entry(
                AreaLevel::Grid,
                "330105013051002",
                Some(village),
                Some(square(0, 1000, 1000)),
            ),
        ];
        for entry in all {
            areas.apply(entry).unwrap();
        }
        areas
    }
}
