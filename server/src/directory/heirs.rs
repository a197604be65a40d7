//! Rights and routes that follow the areas. A record always keeps the area of its birth, and a village may
//! end: it is merged, split or moved. Then its successors are in charge of its records.
//!
//! **Invariant:** a certificate carries these rights as plain grants, so `may` needs no directory and every
//! replica gives the same answer. See `docs/decisions/0025-grants-follow-areas.md`.

use std::collections::BTreeSet;

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::area::Area;
use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::role::{Grant, Scope};
use onegrid_core::id::AreaId;
use onegrid_core::limits::{CERTIFICATE_BYTES_MAX, GRANTS_MAX, ZONE_AREAS_MAX};

use crate::limits::CERTIFICATE_REST_BYTES;

/// Returns the areas that are in charge of a place at an instant (ms UTC), with those above them: the areas of
/// its path, and the areas that took over from the most exact one that has any.
#[must_use]
pub fn in_charge(areas: &Areas, place: &AreaPath, now_ms: i64) -> BTreeSet<AreaId> {
    let mut ids: BTreeSet<AreaId> = place.ids().iter().copied().collect();
    for (line, is_settled) in lines_of_heirs(areas, place, now_ms) {
        ids.extend(line);
        if is_settled {
            break;
        }
    }
    ids
}

/// Returns the areas in force that took over a place, with those above them: its own path while it is in force.
/// Empty if no area took over.
#[must_use]
pub fn took_over(areas: &Areas, place: &AreaPath, now_ms: i64) -> BTreeSet<AreaId> {
    let settled = lines_of_heirs(areas, place, now_ms).find(|(_, is_settled)| *is_settled);
    settled.map(|(line, _)| line).unwrap_or_default()
}

/// For each area of a place, the most exact one first: the areas in force for it with those above them, and
/// whether all of these are in force. A grid in force may lie in an ended village.
fn lines_of_heirs(
    areas: &Areas,
    place: &AreaPath,
    now_ms: i64,
) -> impl Iterator<Item = (BTreeSet<AreaId>, bool)> {
    place.ids().iter().rev().map(move |id| {
        let heirs = areas.in_force(*id, now_ms);
        let line = heirs.iter().flat_map(|heir| areas.ancestry(*heir));
        let mut is_settled = !heirs.is_empty();
        let note = |area: &Area| {
            is_settled &= area.version_at(now_ms).is_some();
            area.id()
        };
        let line: BTreeSet<AreaId> = line.map(note).collect();
        (line, is_settled)
    })
}

/// Returns the grants that a certificate carries at an instant (ms UTC): the grants of the member, and the same
/// roles in the areas that their areas took over. The grants of the member keep their places.
///
/// If an area has several successors, each of them gets the records. Otherwise they had no deciders.
#[must_use]
pub fn with_former_areas(grants: &[Grant], areas: &Areas, now_ms: i64) -> Vec<Grant> {
    let ended = ended(areas, now_ms);
    if ended.is_empty() {
        return grants.to_vec();
    }
    let mut all: Vec<Grant> = grants
        .iter()
        .map(|grant| Grant {
            role: grant.role,
            scope: wider_zone(&grant.scope, &ended),
        })
        .collect();
    for grant in grants {
        let Scope::Area(path) = &grant.scope else {
            continue;
        };
        for former in ended.iter().flat_map(|ended| ended.former(path)) {
            let is_covered = all.iter().any(|known| {
                known.role == grant.role
                    && matches!(&known.scope, Scope::Area(wide) if former.is_within(wide))
            });
            if !is_covered && all.len() < GRANTS_MAX {
                all.push(Grant {
                    role: grant.role,
                    scope: Scope::Area(former),
                });
            }
        }
    }
    let bytes = minicbor::to_vec(&all).map_or(usize::MAX, |bytes| bytes.len());
    if bytes + CERTIFICATE_REST_BYTES <= CERTIFICATE_BYTES_MAX {
        all
    } else {
        // A certificate without the former areas is better than none.
        grants.to_vec()
    }
}

/// An area that is no longer in force.
struct Ended {
    id: AreaId,
    path: AreaPath,
    /// The areas in force that took over.
    heirs: Vec<AreaPath>,
    /// The villages in force for the village of the path: itself, or those that took over.
    villages: BTreeSet<AreaId>,
}

impl Ended {
    /// Whether an heir gets a reading that opens no more than the ended area. Records of staff are read by
    /// village, so the place of a grid opens its village. If the grid changes hands, its village keeps its
    /// records.
    fn goes_whole_to(&self, heir: &AreaPath) -> bool {
        let stays = heir.village().is_some_and(|id| self.villages.contains(&id));
        self.path.grid().is_none() || stays
    }

    /// Returns the places that a role in this area gets from the ended one.
    fn former(&self, path: &AreaPath) -> impl Iterator<Item = AreaPath> {
        let of_heir = |heir: &AreaPath| {
            if !self.goes_whole_to(heir) {
                return None;
            }
            if heir.is_within(path) {
                return Some(self.path);
            }
            // A grid that moved into another village has kept its id.
            let is_below = path.is_within(heir) && heir.level() == self.path.level();
            let below = &path.ids()[heir.ids().len().min(path.ids().len())..];
            let ids = [self.path.ids(), below].concat();
            is_below.then(|| AreaPath::new(&ids).ok()).flatten()
        };
        self.heirs.iter().filter_map(of_heir)
    }
}

fn ended(areas: &Areas, now_ms: i64) -> Vec<Ended> {
    areas
        .iter()
        .filter(|area| !area.successors().is_empty() && area.version_at(now_ms).is_none())
        .filter_map(|area| {
            let heirs = areas.in_force(area.id(), now_ms);
            let path = areas.path(area.id())?;
            let village = path.village().map(|id| areas.in_force(id, now_ms));
            Some(Ended {
                id: area.id(),
                path,
                villages: village.unwrap_or_default(),
                heirs: heirs.into_iter().filter_map(|id| areas.path(id)).collect(),
            })
        })
        .collect()
}

/// Returns the scope. A zone also covers the areas that its areas took over.
fn wider_zone(scope: &Scope, ended: &[Ended]) -> Scope {
    let Scope::Zone { zone, areas } = scope else {
        return scope.clone();
    };
    let mut all = areas.clone();
    for ended in ended {
        let mut heirs = ended.heirs.iter().flat_map(AreaPath::ids);
        let takes_over = heirs.any(|id| areas.contains(id));
        let is_covered = ended.path.ids().iter().any(|id| all.contains(id));
        if takes_over && !is_covered && all.len() < ZONE_AREAS_MAX {
            all.push(ended.id);
        }
    }
    Scope::Zone {
        zone: *zone,
        areas: all,
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::domain::Role;
    use onegrid_core::domain::area::AreaLevel;
    use onegrid_core::domain::area::AreaVersion;
    use onegrid_core::domain::areas::AreaEntry;
    use onegrid_core::domain::names::Names;
    use onegrid_core::id::{UnitId, ZoneId};

    use super::*;

    pub(in crate::directory) const fn id(n: u8) -> AreaId {
        AreaId([n; 16])
    }

    pub(in crate::directory) fn path(ids: &[u8]) -> AreaPath {
        AreaPath::new(&ids.iter().copied().map(id).collect::<Vec<_>>()).unwrap()
    }

    pub(in crate::directory) fn area(n: u8, level: AreaLevel, parent: Option<u8>) -> AreaEntry {
        let code = match level {
            AreaLevel::Grid => format!("3301050130{n:02}001"),
            _ => format!("3301050130{n:02}"),
        };
        AreaEntry {
            id: id(n),
            level,
            parent: parent.map(id),
            version: AreaVersion {
                code: code.parse().unwrap(),
                names: Names::new("area", None).unwrap(),
                boundary: None,
                valid_from_ms: 0,
                valid_to_ms: None,
            },
            successors: Vec::new(),
        }
    }

    /// District 1, towns 2 and 3, villages 4 and 5 in town 2 and village 6 in town 3, and grid 7 of village 4.
    fn district() -> Areas {
        use AreaLevel::{District, Grid, Town, Village};
        let mut areas = Areas::new();
        for (n, level, parent) in [
            (1, District, None),
            (2, Town, Some(1)),
            (3, Town, Some(1)),
            (4, Village, Some(2)),
            (5, Village, Some(2)),
            (6, Village, Some(3)),
            (7, Grid, Some(4)),
        ] {
            areas.apply(area(n, level, parent)).unwrap();
        }
        areas
    }

    /// Ends an area at 1,000 ms. Others take over.
    fn end(areas: &mut Areas, n: u8, heirs: &[u8]) {
        let known = areas.get(id(n)).unwrap();
        let (level, parent) = (known.level(), known.parent());
        let mut version = known.newest().clone();
        version.valid_to_ms = Some(1_000);
        areas
            .apply(AreaEntry {
                id: id(n),
                level,
                parent,
                version,
                successors: heirs.iter().copied().map(id).collect(),
            })
            .unwrap();
    }

    fn grant(role: Role, ids: &[u8]) -> Grant {
        Grant {
            role,
            scope: Scope::Area(path(ids)),
        }
    }

    #[test]
    fn village_that_took_over_gets_the_place_of_the_ended_one() {
        let mut areas = district();
        end(&mut areas, 4, &[5]);
        let own = [grant(Role::VillageLead, &[1, 2, 5])];
        assert_eq!(with_former_areas(&own, &areas, 999), own, "not yet");
        let all = with_former_areas(&own, &areas, 1_000);
        let former = grant(Role::VillageLead, &[1, 2, 4]);
        assert_eq!(all, [own[0].clone(), former]);
        let ids = in_charge(&areas, &path(&[1, 2, 4]), 1_000);
        assert_eq!(ids, BTreeSet::from([1, 2, 4, 5].map(id)));
        let in_grid = in_charge(&areas, &path(&[1, 2, 4, 7]), 1_000);
        assert_eq!(in_grid, BTreeSet::from([1, 2, 4, 5, 7].map(id)));
        let before = in_charge(&areas, &path(&[1, 2, 4]), 999);
        assert_eq!(before, BTreeSet::from([1, 2, 4].map(id)));
    }

    #[test]
    fn role_elsewhere_gets_nothing() {
        let mut areas = district();
        end(&mut areas, 4, &[5]);
        for own in [
            grant(Role::VillageLead, &[1, 3, 6]),
            // A role in the town covers the ended village anyway.
            grant(Role::Dispatcher, &[1, 2]),
            Grant {
                role: Role::Handler,
                scope: Scope::Unit(UnitId([9; 16])),
            },
        ] {
            let own = [own];
            assert_eq!(with_former_areas(&own, &areas, 1_000), own);
        }
    }

    #[test]
    fn town_gets_a_village_that_joined_from_another_town() {
        let mut areas = district();
        end(&mut areas, 4, &[6]);
        let own = [grant(Role::Dispatcher, &[1, 3])];
        let all = with_former_areas(&own, &areas, 1_000);
        assert_eq!(all[1..], [grant(Role::Dispatcher, &[1, 2, 4])]);
        let ids = in_charge(&areas, &path(&[1, 2, 4]), 1_000);
        assert!(ids.contains(&id(3)), "the town of the new village");
    }

    /// A grid that changes hands opens no other grid of its village, because records of staff are read by
    /// village.
    #[test]
    fn grid_handed_over_opens_no_village_in_force() {
        let mut areas = district();
        areas.apply(area(8, AreaLevel::Grid, Some(6))).unwrap();
        areas.apply(area(9, AreaLevel::Grid, Some(5))).unwrap();
        end(&mut areas, 7, &[8, 9]);
        for own in [
            grant(Role::Mediator, &[1, 3, 6]),
            grant(Role::Mediator, &[1, 3]),
            grant(Role::GridWorker, &[1, 3, 6, 8]),
            // Another village of the same town.
            grant(Role::Mediator, &[1, 2, 5]),
        ] {
            let own = [own];
            let all = with_former_areas(&own, &areas, 1_000);
            assert_eq!(all, own);
        }
        // The village ends too, so its records belong to one of the two.
        end(&mut areas, 4, &[6]);
        let new = [grant(Role::GridWorker, &[1, 3, 6, 8])];
        let all = with_former_areas(&new, &areas, 1_000);
        assert!(all.contains(&grant(Role::GridWorker, &[1, 2, 4, 7])));
        let other = [grant(Role::GridWorker, &[1, 2, 5, 9])];
        assert_eq!(with_former_areas(&other, &areas, 1_000), other);
    }

    /// A grid worker keeps the records of a grid that was joined to another one of the same village.
    #[test]
    fn grid_merged_within_its_village_stays_with_its_workers() {
        let mut areas = district();
        areas.apply(area(8, AreaLevel::Grid, Some(4))).unwrap();
        end(&mut areas, 7, &[8]);
        let own = [grant(Role::GridWorker, &[1, 2, 4, 8])];
        let all = with_former_areas(&own, &areas, 1_000);
        assert_eq!(all[1..], [grant(Role::GridWorker, &[1, 2, 4, 7])]);
    }

    /// The command room of the area that lost the village has no part in its cases.
    #[test]
    fn unit_of_the_new_town_gets_the_cases_of_a_village() {
        use onegrid_core::domain::directory::Directory;
        use onegrid_core::domain::names::Names;
        use onegrid_core::domain::unit::{Unit, UnitKind};

        let room = |n: u8, area: u8| Unit {
            id: UnitId([n; 16]),
            names: Names::new("room", None).unwrap(),
            kind: UnitKind::CommandRoom,
            area: id(area),
            dissolved_at_ms: None,
        };
        let mut directory = Directory {
            areas: district(),
            ..Directory::default()
        };
        for unit in [room(1, 2), room(2, 3)] {
            directory.units.insert(unit.id, unit);
        }
        let chosen = |directory: &Directory, place: &[u8]| {
            let unit = nearest_at(directory, UnitKind::CommandRoom, &path(place));
            unit.map(|unit| unit.0[0])
        };
        assert_eq!(chosen(&directory, &[1, 2, 4]), Some(1));
        end(&mut directory.areas, 4, &[6]);
        assert_eq!(chosen(&directory, &[1, 2, 4]), Some(2));
        assert_eq!(chosen(&directory, &[1, 2, 4, 7]), Some(2));
        // The old town serves if the new one has no such unit.
        directory.units.remove(&UnitId([2; 16]));
        assert_eq!(chosen(&directory, &[1, 2, 4]), Some(1));
    }

    /// The unit at 1,000 ms.
    fn nearest_at(
        directory: &onegrid_core::domain::directory::Directory,
        kind: onegrid_core::domain::unit::UnitKind,
        place: &AreaPath,
    ) -> Option<UnitId> {
        crate::directory::routing::nearest(directory, kind, place, 1_000)
    }

    #[test]
    fn moved_grid_keeps_its_earlier_place() {
        let mut areas = district();
        end(&mut areas, 4, &[5]);
        areas.apply(area(7, AreaLevel::Grid, Some(5))).unwrap();
        let own = [grant(Role::GridWorker, &[1, 2, 5, 7])];
        let all = with_former_areas(&own, &areas, 1_000);
        assert_eq!(all[1..], [grant(Role::GridWorker, &[1, 2, 4, 7])]);
    }

    #[test]
    fn zone_covers_what_its_village_took_over() {
        let mut areas = district();
        end(&mut areas, 4, &[5]);
        let zone = |areas: &[u8]| Grant {
            role: Role::StationHead,
            scope: Scope::Zone {
                zone: ZoneId([8; 16]),
                areas: areas.iter().copied().map(id).collect(),
            },
        };
        let all = with_former_areas(&[zone(&[5])], &areas, 1_000);
        assert_eq!(all, [zone(&[5, 4])]);
        let other = with_former_areas(&[zone(&[6])], &areas, 1_000);
        assert_eq!(other, [zone(&[6])]);
    }

    #[test]
    fn former_areas_stay_within_the_limit_of_a_certificate() {
        use AreaLevel::Village;
        let mut areas = district();
        let many: Vec<u8> = (20..99).collect();
        for n in &many {
            areas.apply(area(*n, Village, Some(3))).unwrap();
            end(&mut areas, *n, &[5]);
        }
        let own = [grant(Role::VillageLead, &[1, 2, 5])];
        let all = with_former_areas(&own, &areas, 1_000);
        assert_eq!(all.len(), GRANTS_MAX);
        assert_eq!(all[0], own[0]);
    }
}
