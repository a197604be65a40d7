//! Roles, and the area, zone or unit that a role is held in.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::AreaPath;
use crate::id::{AreaId, UnitId, ZoneId};

open_coded_enum! {
    /// The role of a person. A role of a newer version has no permissions here.
    Role, u8 {
        /// 义警 / 志愿者
        Volunteer = 1, "volunteer";
        /// 队长 of a volunteer team
        TeamLead = 2, "team_lead";
        /// 物业保安
        Guard = 3, "guard";
        /// 专职网格员
        GridWorker = 4, "grid_worker";
        /// 调解员
        Mediator = 5, "mediator";
        /// 社区民警
        CommunityOfficer = 6, "community_officer";
        /// 站长 of a zone's work station
        StationHead = 7, "station_head";
        /// 村社 / 社区 书记
        VillageLead = 8, "village_lead";
        /// 指挥中心调度员
        Dispatcher = 9, "dispatcher";
        /// 部门处置人员
        Handler = 10, "handler";
        /// 督导
        Supervisor = 11, "supervisor";
        /// 区级负责人
        DistrictLead = 12, "district_lead";
        /// The server as an author of its own, for automatic moves from rules.
        System = 13, "system";
    }
}

impl Role {
    /// Whether the role's signed opening counts as `seen` on the receipt ladder.
    #[must_use]
    pub fn opens_for_reporter(self) -> bool {
        matches!(self, Self::Dispatcher | Self::Handler)
    }
}

/// The scope of a role.
///
/// CBOR: `[1, path]`, `[2, zone, [areas]]`, `[3, unit]`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(flat)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// An area, with its ancestry (a grid worker reads the village of its grid).
    #[n(1)]
    Area(#[n(0)] AreaPath),
    /// A zone. A certificate is issued anew when the zone's areas change.
    #[n(2)]
    Zone {
        /// The zone.
        #[n(0)]
        zone: ZoneId,
        /// The areas of the zone, of any level.
        #[n(1)]
        areas: Vec<AreaId>,
    },
    /// A unit or a team.
    #[n(3)]
    Unit(#[n(0)] UnitId),
}

/// A role held in a scope. CBOR: `[role, scope]`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(array)]
pub struct Grant {
    /// The role.
    #[n(0)]
    pub role: Role,
    /// The area, zone or unit that the role is held in.
    #[n(1)]
    pub scope: Scope,
}

impl Scope {
    /// Whether the place lies in this area or zone. A unit covers no place.
    #[must_use]
    pub fn covers(&self, place: &AreaPath) -> bool {
        match self {
            Self::Area(area) => place.is_within(area),
            Self::Zone { areas, .. } => areas.iter().any(|area| place.contains(*area)),
            Self::Unit(_) => false,
        }
    }

    /// The unit, if the role is held in one.
    #[must_use]
    pub fn unit(&self) -> Option<UnitId> {
        match self {
            Self::Unit(unit) => Some(*unit),
            Self::Area(_) | Self::Zone { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn id(n: u8) -> AreaId {
        AreaId([n; 16])
    }

    #[test]
    fn a_dispatcher_of_one_town_covers_nothing_of_the_next() {
        let place = AreaPath::new(&[id(1), id(2), id(3)]).unwrap();
        let town = |n| Scope::Area(AreaPath::new(&[id(1), id(n)]).unwrap());
        assert!(town(2).covers(&place) && !town(9).covers(&place));
        let zone = |areas| Scope::Zone {
            zone: ZoneId([5; 16]),
            areas,
        };
        assert!(zone(vec![id(9), id(3)]).covers(&place) && !zone(vec![id(4)]).covers(&place));
        assert!(!zone(vec![]).covers(&place) && !Scope::Unit(UnitId([3; 16])).covers(&place));
    }

    #[test]
    fn grants_have_a_stable_compact_form() {
        let grant = Grant {
            role: Role::Dispatcher,
            scope: Scope::Unit(UnitId([7; 16])),
        };
        let bytes = minicbor::to_vec(&grant).unwrap();
        let mut expected = vec![0x82, 9, 0x82, 3, 0x50];
        expected.extend([7; 16]);
        assert_eq!(bytes, expected);
        assert_eq!(minicbor::decode::<Grant>(&bytes).unwrap(), grant);
        let newer = Grant {
            role: Role::Unknown(77),
            ..grant
        };
        let bytes = minicbor::to_vec(&newer).unwrap();
        assert_eq!(
            minicbor::decode::<Grant>(&bytes).unwrap().role,
            Role::Unknown(77)
        );
    }
}
