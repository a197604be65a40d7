//! The streams that hold a record and the streams that a member may read. The domain decides, and the
//! directory supplies the facts.

use std::collections::BTreeSet;

use onegrid_core::domain::area::{Area, AreaLevel};
use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::role::{Grant, Scope};
use onegrid_core::domain::stream::{self, Routing};
use onegrid_core::domain::unit::UnitKind;
use onegrid_core::domain::{AreaPath, StreamId};
use onegrid_core::id::{AreaId, MemberId, UnitId, ZoneId};

use super::heirs::{in_charge, took_over};

/// The directory at an instant.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The entries of the directory.
    pub directory: &'a Directory,
    /// The instant, ms UTC.
    pub now_ms: i64,
}

impl Routing for At<'_> {
    fn zones_of(&self, place: &AreaPath) -> Vec<ZoneId> {
        let in_charge = in_charge(&self.directory.areas, place, self.now_ms);
        let covers = |areas: &BTreeSet<AreaId>| !areas.is_disjoint(&in_charge);
        self.directory
            .zones
            .iter()
            .filter(|zone| zone.areas_at(self.now_ms).is_some_and(covers))
            .map(|zone| zone.id)
            .collect()
    }

    fn towns_and_villages_under(&self, area: &AreaPath) -> Vec<(AreaLevel, AreaId)> {
        let mut found = Vec::new();
        let mut open = vec![area.leaf()];
        while let Some(above) = open.pop() {
            for below in self.directory.areas.children(above) {
                if below.level() != AreaLevel::Grid {
                    found.push((below.level(), below.id()));
                    open.push(below.id());
                }
            }
        }
        found
    }
}

/// Returns the nearest unit of this kind among the areas in charge of a place at an instant (ms UTC): the unit
/// of its village, else of its town, else of its district. The areas that took over come before those that
/// lost the place.
#[must_use]
pub fn nearest(
    directory: &Directory,
    kind: UnitKind,
    place: &AreaPath,
    now_ms: i64,
) -> Option<UnitId> {
    let level = |area| directory.areas.get(area).map(Area::level);
    let among = |areas: BTreeSet<AreaId>| {
        directory
            .units
            .values()
            .filter(|unit| unit.kind == kind && unit.dissolved_at_ms.is_none())
            .filter(|unit| areas.contains(&unit.area))
            .max_by_key(|unit| (level(unit.area), std::cmp::Reverse(unit.id)))
            .map(|unit| unit.id)
    };
    among(took_over(&directory.areas, place, now_ms))
        .or_else(|| among(in_charge(&directory.areas, place, now_ms)))
}

/// Returns the streams that a member reads. A reader of the records of a village needs no summaries of
/// them. A member of an area also reads the directories of its town and district, and so the names of the
/// people that the member deals with.
#[must_use]
pub fn read_by(member: MemberId, grants: &[Grant], at: At<'_>) -> BTreeSet<StreamId> {
    let mut streams = stream::readable_streams(member, grants, &at);
    for grant in grants {
        if let Scope::Area(path) = &grant.scope {
            let above = path.ids().iter().take(3);
            streams.extend(above.copied().map(StreamId::DirectoryVillage));
        }
    }
    let read: Vec<AreaId> = streams
        .iter()
        .filter_map(|stream| match stream {
            StreamId::AreaStaff(area) => Some(*area),
            _ => None,
        })
        .collect();
    for area in read {
        streams.remove(&StreamId::Bulletin(area));
    }
    streams
}
