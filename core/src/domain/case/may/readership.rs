//! The readers of a record, in a form that is small enough to keep beside it.

use minicbor::{Decode, Encode};

use super::{Actor, in_one_grid};
use crate::domain::case::{Assignment, Party, RecordState};
use crate::domain::permissions::{Cell, Row, cell};
use crate::domain::{AreaPath, Audience, RecordKind, Role, Scope};
use crate::id::{MemberId, UnitId};

/// The facts of a record that decide whether a person may read it.
///
/// A phone that meets another one asks this for each of its records, and must not load thousands of them for
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Readership {
    #[n(0)]
    kind: RecordKind,
    #[n(1)]
    audience: Audience,
    /// The team that it is shared with.
    #[n(2)]
    team: Option<UnitId>,
    /// The creator.
    #[n(3)]
    reporter: Option<MemberId>,
    /// The people named in a restricted record. They read it too.
    #[n(4)]
    named: Vec<MemberId>,
    /// The parties that are responsible.
    #[n(5)]
    parties: Vec<Party>,
    /// Every area that is or was made responsible.
    #[n(6)]
    areas: Vec<AreaPath>,
}

impl Readership {
    /// Takes the facts from the state of a record.
    #[must_use]
    pub fn of(state: &RecordState) -> Self {
        let responsible = |a: &&Assignment| a.state.is_responsible();
        let mut parties: Vec<Party> = state
            .assignments()
            .iter()
            .filter(responsible)
            .map(|assignment| assignment.to)
            .collect();
        parties.sort_unstable();
        parties.dedup();
        let mut areas: Vec<AreaPath> = state.areas().collect();
        areas.sort_unstable();
        areas.dedup();
        Self {
            kind: state.facts.kind,
            audience: state.facts.audience,
            team: state.facts.team,
            reporter: state.reporter,
            named: state.facts.named.clone(),
            parties,
            areas,
        }
    }

    /// Whether the actor may read the record. Its readers are its creator, its parties and the people named
    /// in it. A staff record is also read by its team and the roles of the table, and a restricted one by the
    /// dispatchers of the place. A kind of a newer app has no readers.
    /// [`crate::domain::stream::readable_streams`] gives these people the record's streams.
    #[must_use]
    pub fn admits(&self, actor: &Actor<'_>) -> bool {
        if !self.kind.is_known() {
            return false;
        }
        let member = |of: &dyn Fn(MemberId) -> bool| actor.member.is_some_and(of);
        if member(&|id| self.reporter == Some(id) || self.named.contains(&id))
            || self.is_party(actor.member, actor.units)
        {
            return true;
        }
        let role = actor.grant.role;
        if self.audience == Audience::Restricted {
            let in_charge = matches!(actor.grant.scope, Scope::Area(_))
                && self.in_place(actor)
                && !in_one_grid(actor);
            return role == Role::System || role == Role::Dispatcher && in_charge;
        }
        if self.team.is_some_and(|team| actor.units.contains(&team)) {
            return true;
        }
        match cell(Row::Read, role) {
            Cell::Yes => true,
            Cell::In | Cell::OwnOrIn => self.in_scope(actor) && !in_one_grid(actor),
            Cell::Place => self.in_place(actor) && !in_one_grid(actor),
            Cell::Village => self.in_village(actor),
            Cell::Team => self.of_team(actor),
            _ => false,
        }
    }

    /// Whether the member created the record.
    #[must_use]
    pub fn is_reporter(&self, member: Option<MemberId>) -> bool {
        self.reporter.is_some() && self.reporter == member
    }

    /// Whether the member, or one of the units, is responsible for the record.
    #[must_use]
    pub fn is_party(&self, member: Option<MemberId>, units: &[UnitId]) -> bool {
        self.parties.iter().any(|party| party.is(member, units))
    }

    fn of_team(&self, actor: &Actor<'_>) -> bool {
        let team = actor.grant.scope.unit();
        team.is_some_and(|team| self.team == Some(team) || self.is_party(None, &[team]))
    }

    fn in_scope(&self, actor: &Actor<'_>) -> bool {
        match &actor.grant.scope {
            Scope::Unit(_) => self.of_team(actor),
            Scope::Area(_) | Scope::Zone { .. } => self.in_place(actor),
        }
    }

    fn in_place(&self, actor: &Actor<'_>) -> bool {
        self.areas
            .iter()
            .any(|place| actor.grant.scope.covers(place))
    }

    fn in_village(&self, actor: &Actor<'_>) -> bool {
        let village = match &actor.grant.scope {
            Scope::Area(area) => area.village(),
            Scope::Zone { .. } | Scope::Unit(_) => None,
        };
        self.in_place(actor)
            || village.is_some_and(|village| self.areas.iter().any(|place| place.contains(village)))
    }
}
