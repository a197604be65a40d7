//! Under which of its grants somebody acts who names none.
//!
//! A signature shows the role to everybody who reads the record, so the choice must not surprise: the grant
//! that is nearest to the record, and of two that are equally near the role that the move is meant for. It
//! decides nothing about permission: the grants are tried in this order, and `may` decides.

use crate::domain::area::AreaLevel;
use crate::domain::case::Move;
use crate::domain::{AreaPath, Grant, Role, Scope};
use crate::id::UnitId;

/// What an act is about.
#[derive(Debug, Clone, Default)]
pub struct Matter {
    /// The areas of the record.
    pub areas: Vec<AreaPath>,
    /// The units that have to do with it: its team, and those that it is assigned to.
    pub units: Vec<UnitId>,
    /// The move; `None` for a report or an edit.
    pub movement: Option<Move>,
}

/// The numbers of the grants, the one to act under first.
///
/// A unit that has the record comes before any area, then the narrowest area that covers it, then what has
/// nothing to do with the place. Equally near: the role that the move is meant for, then the order of the
/// certificate.
#[must_use]
pub fn order(grants: &[Grant], matter: &Matter) -> Vec<u8> {
    let numbers = 0..u8::try_from(grants.len()).unwrap_or(u8::MAX);
    let mut order: Vec<u8> = numbers.collect();
    order.sort_by_key(|n| {
        let grant = &grants[usize::from(*n)];
        let meant = matter
            .movement
            .is_some_and(|movement| meant_for(movement).contains(&grant.role));
        (distance(&grant.scope, matter), !meant)
    });
    order
}

/// How far the scope is from the record; the least is the nearest.
fn distance(scope: &Scope, matter: &Matter) -> u8 {
    let covers = matter.areas.iter().any(|area| scope.covers(area));
    match scope {
        Scope::Unit(unit) if matter.units.contains(unit) => 0,
        Scope::Area(area) if covers => match area.level() {
            AreaLevel::Grid => 1,
            AreaLevel::Village => 2,
            AreaLevel::Town => 4,
            AreaLevel::District => 5,
        },
        Scope::Zone { .. } if covers => 3,
        Scope::Unit(_) | Scope::Area(_) | Scope::Zone { .. } => 6,
    }
}

/// Whose daily work a move is. What everybody does in the same way is meant for nobody.
const fn meant_for(movement: Move) -> &'static [Role] {
    match movement {
        Move::Triage
        | Move::Dispatch
        | Move::Withdraw
        | Move::Transfer
        | Move::Share
        | Move::Dismiss
        | Move::Suspend
        | Move::Resume
        | Move::GrantExtension
        | Move::HandToPolice
        | Move::Merge
        | Move::Unmerge => &[Role::Dispatcher],
        Move::Accept | Move::Arrive | Move::Resolve | Move::Return | Move::RequestExtension => {
            &[Role::Handler]
        }
        Move::VerifyPass | Move::VerifyFail | Move::Close | Move::FollowUp => &[Role::GridWorker],
        Move::Reopen | Move::Urge | Move::Supervise => &[Role::Supervisor],
        Move::AssignFinally => &[Role::DistrictLead],
        // Their opening is what the reporter sees on the receipt ladder.
        Move::Seen => &[Role::Dispatcher, Role::Handler],
        Move::HandledOnSpot | Move::Escalate | Move::DangerRemains | Move::Comment => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AreaId;

    fn path(codes: &[u8]) -> AreaPath {
        let ids: Vec<AreaId> = codes.iter().map(|code| AreaId([*code; 16])).collect();
        AreaPath::new(&ids).expect("a path")
    }

    fn at(role: Role, codes: &[u8]) -> Grant {
        let scope = Scope::Area(path(codes));
        Grant { role, scope }
    }

    fn of(role: Role, unit: u8) -> Grant {
        let scope = Scope::Unit(UnitId([unit; 16]));
        Grant { role, scope }
    }

    fn matter(movement: Option<Move>) -> Matter {
        Matter {
            areas: vec![path(&[1, 2, 3, 4])],
            units: vec![UnitId([7; 16])],
            movement,
        }
    }

    #[test]
    fn the_nearest_grant_comes_first() {
        let grants = [
            at(Role::DistrictLead, &[1]),
            of(Role::Volunteer, 8),
            at(Role::Dispatcher, &[1, 2]),
            at(Role::GridWorker, &[1, 2, 3, 4]),
            at(Role::VillageLead, &[1, 2, 3]),
            of(Role::Handler, 7),
            at(Role::GridWorker, &[1, 2, 3, 5]),
        ];
        for movement in [None, Some(Move::Dispatch), Some(Move::Comment)] {
            let order = order(&grants, &matter(movement));
            assert_eq!(order, [5, 3, 4, 2, 0, 1, 6], "{movement:?}");
        }
    }

    #[test]
    fn of_equally_near_ones_the_role_that_the_move_is_meant_for() {
        let grants = [
            at(Role::VillageLead, &[1, 2, 3]),
            at(Role::Dispatcher, &[1, 2, 3]),
            at(Role::GridWorker, &[1, 2, 3]),
        ];
        let first = |movement| order(&grants, &matter(movement))[0];
        assert_eq!(first(Some(Move::Dispatch)), 1);
        assert_eq!(first(Some(Move::Seen)), 1);
        assert_eq!(first(Some(Move::Close)), 2);
        assert_eq!(first(Some(Move::Comment)), 0, "as the certificate has them");
        assert_eq!(first(None), 0);
    }
}
