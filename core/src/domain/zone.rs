//! Zones: versioned sets of areas such as a work station's zone, a police zone or a patrol ring. Zones may
//! overlap, and are not a fifth level.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::domain::areas::Areas;
use crate::domain::names::Names;
use crate::id::{AreaId, ZoneId};
use crate::limits::{AREA_VERSIONS_MAX, ZONE_AREAS_MAX};

coded_error! {
    /// The reason why a zone is invalid.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum ZoneError {
        /// A version has no areas.
        #[error("zone.no_areas: a zone needs at least one area")]
        NoAreas,
        /// A version names an unknown area.
        #[error("zone.unknown_area: a zone names an area that does not exist")]
        UnknownArea,
        /// A version ends before it begins.
        #[error("zone.bad_validity: a version ends before it begins")]
        BadValidity,
        /// The zone has more areas or versions than the limits allow.
        #[error("zone.too_many_parts: a zone has too many areas or versions")]
        TooManyParts,
    }
}

/// The areas of a zone during one period.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ZoneVersion {
    /// The areas, of any level.
    #[n(0)]
    pub areas: BTreeSet<AreaId>,
    /// First instant, ms UTC.
    #[n(1)]
    pub valid_from_ms: i64,
    /// First instant after the version, ms UTC; `None` while it is in force.
    #[n(2)]
    pub valid_to_ms: Option<i64>,
}

/// One version of a zone, as the directory carries it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ZoneEntry {
    /// The id of the zone.
    #[n(0)]
    pub id: ZoneId,
    /// Its name.
    #[n(1)]
    pub names: Names,
    /// The version that this entry adds or replaces (the one with the same start).
    #[n(2)]
    pub version: ZoneVersion,
}

/// A zone with its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The stable id.
    pub id: ZoneId,
    /// The newest name.
    pub names: Names,
    versions: BTreeMap<i64, ZoneVersion>,
}

impl Zone {
    /// All versions, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &ZoneVersion> {
        self.versions.values()
    }

    /// The areas at an instant (ms UTC); `None` if the zone does not exist then.
    #[must_use]
    pub fn areas_at(&self, at_ms: i64) -> Option<&BTreeSet<AreaId>> {
        let (_, version) = self.versions.range(..=at_ms).next_back()?;
        let in_force = version.valid_to_ms.is_none_or(|end_ms| at_ms < end_ms);
        in_force.then_some(&version.areas)
    }
}

/// All zones of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zones(BTreeMap<ZoneId, Zone>);

impl Zones {
    /// Adds a version, or replaces the one that starts at this instant. A refused entry changes nothing.
    pub fn apply(&mut self, entry: ZoneEntry, areas: &Areas) -> Result<(), ZoneError> {
        let version = &entry.version;
        if version.areas.is_empty() {
            return Err(ZoneError::NoAreas);
        }
        if version.areas.iter().any(|id| areas.get(*id).is_none()) {
            return Err(ZoneError::UnknownArea);
        }
        if version
            .valid_to_ms
            .is_some_and(|end_ms| end_ms <= version.valid_from_ms)
        {
            return Err(ZoneError::BadValidity);
        }
        let known = self.0.get(&entry.id).map_or(0, |zone| zone.versions.len());
        if version.areas.len() > ZONE_AREAS_MAX || known >= AREA_VERSIONS_MAX {
            return Err(ZoneError::TooManyParts);
        }
        let zone = self.0.entry(entry.id).or_insert_with(|| Zone {
            id: entry.id,
            names: entry.names.clone(),
            versions: BTreeMap::new(),
        });
        zone.names = entry.names;
        zone.versions
            .insert(entry.version.valid_from_ms, entry.version);
        Ok(())
    }

    /// The zone with this id.
    #[must_use]
    pub fn get(&self, id: ZoneId) -> Option<&Zone> {
        self.0.get(&id)
    }

    /// All zones, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.0.values()
    }

    /// The zones that hold the area, or an area above it, at an instant (ms UTC).
    pub fn holding<'a>(
        &'a self,
        area: AreaId,
        areas: &Areas,
        at_ms: i64,
    ) -> impl Iterator<Item = &'a Zone> {
        let line: Vec<AreaId> = areas.ancestry(area).iter().map(|area| area.id()).collect();
        self.0.values().filter(move |zone| {
            let set = zone.areas_at(at_ms);
            set.is_some_and(|set| line.iter().any(|id| set.contains(id)))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::areas::test_support::{area, small_district};

    fn entry(areas: &[AreaId], from_ms: i64, to_ms: Option<i64>) -> ZoneEntry {
        ZoneEntry {
            id: ZoneId([7; 16]),
            names: Names::new("中片区", Some("Middle zone")).unwrap(),
            version: ZoneVersion {
                areas: areas.iter().copied().collect(),
                valid_from_ms: from_ms,
                valid_to_ms: to_ms,
            },
        }
    }

    #[test]
    fn a_zone_holds_what_lies_below_its_areas_in_its_time() {
        let areas = small_district();
        let (village, grid) = (area("330105013051"), area("330105013051001"));
        let mut zones = Zones::default();
        zones.apply(entry(&[village], 100, None), &areas).unwrap();
        zones
            .apply(entry(&[area("330105013051002")], 200, Some(300)), &areas)
            .unwrap();
        let holds = |at_ms| zones.holding(grid, &areas, at_ms).count();
        assert_eq!(holds(99), 0, "before its first version");
        assert_eq!(holds(100), 1, "the village holds the grid");
        assert_eq!(
            holds(200),
            0,
            "the next version replaces the set, it does not add"
        );
        assert!(
            zones.get(ZoneId([7; 16])).unwrap().areas_at(300).is_none(),
            "ended"
        );
    }

    #[test]
    fn a_zone_without_known_areas_is_refused_and_changes_nothing() {
        let areas = small_district();
        let mut zones = Zones::default();
        let unknown = AreaId([9; 16]);
        assert_eq!(
            zones.apply(entry(&[], 0, None), &areas),
            Err(ZoneError::NoAreas)
        );
        assert_eq!(
            zones.apply(entry(&[unknown], 0, None), &areas),
            Err(ZoneError::UnknownArea)
        );
        let village = area("330105013051");
        let backwards = zones.apply(entry(&[village], 5, Some(5)), &areas);
        assert_eq!(backwards, Err(ZoneError::BadValidity));
        assert_eq!(zones, Zones::default());
    }
}
