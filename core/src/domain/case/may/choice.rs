//! Chooses the grant to act under for a person who names none.
//!
//! A signature shows the role to every reader of the record, so the choice must not surprise. The choice
//! prefers the grant that is nearest to the record and, of two that are equally near, the role that the move
//! is meant for. The choice gives no permission. The grants are tried in this order, and `may` decides.

use crate::domain::area::AreaLevel;
use crate::domain::case::{Move, Party, RecordState};
use crate::domain::{AreaPath, Grant, Role, Scope};
use crate::id::UnitId;

/// The subject of an act.
#[derive(Debug, Clone, Default)]
pub struct Matter {
    /// The areas of the record.
    pub areas: Vec<AreaPath>,
    /// The units of the record: its team, and the units that it is assigned to.
    pub units: Vec<UnitId>,
    /// The move; `None` for a report or an edit.
    pub movement: Option<Move>,
}

impl Matter {
    /// An act on a record in this state.
    #[must_use]
    pub fn of_case(state: &RecordState, movement: Option<Move>) -> Self {
        let assigned = state.assignments().iter().filter_map(|one| match one.to {
            Party::Unit(unit) => Some(unit),
            Party::Member(_) => None,
        });
        Self {
            areas: state.areas().collect(),
            units: state.facts.team.into_iter().chain(assigned).collect(),
            movement,
        }
    }
}

/// The code of the refusal for a role that has no permission for the action.
pub const NO_ROLE: &str = "may.role";

/// The refusal to show when several grants were tried. It is the refusal of the role that came closest.
#[must_use]
pub fn telling(before: &'static str, code: &'static str) -> &'static str {
    if before == NO_ROLE { code } else { before }
}

/// The numbers of the grants to try, in this order. A grant that the person named is the only one.
#[must_use]
pub fn tried(grants: &[Grant], acting_as: Option<&Grant>, matter: &Matter) -> Vec<u8> {
    let mut order = order(grants, matter);
    if let Some(named) = acting_as {
        order.retain(|n| grants.get(usize::from(*n)) == Some(named));
    }
    order
}

/// The numbers of the grants, the one to act under first.
///
/// A unit that has the record is nearest, then the narrowest area that covers it, then any scope that does
/// not cover the place. Among equally near grants, the role that the move is meant for is first, then the
/// order of the certificate decides.
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

/// The distance of the scope from the record; the least is the nearest.
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

/// The roles that make the move in their daily work; empty for moves that all roles make alike.
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
        // The reporter sees the opening by these roles on the receipt ladder.
        Move::Seen => &[Role::Dispatcher, Role::Handler],
        Move::HandledOnSpot | Move::Escalate | Move::DangerRemains | Move::Comment | Move::Step => {
            &[]
        }
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
