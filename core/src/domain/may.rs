//! Who may do what: one pure function over one table, deny by default.
//!
//! It reads the author's grant and the state that the author had seen, never content, directory, clock or
//! receipts, so that every replica answers alike. Whether a move is *possible* in a stage is another question
//! (`case::guard`).

pub mod choice;
pub mod table;

#[cfg(test)]
mod tests;

use self::table::{Cell, Row, cell, row_of};
use super::case::payload::Partner;
use super::case::{AssignmentState, CaseState, Event, GenesisFacts, Move, OnBehalfOf, Party};
use super::{Audience, Grant, RecordKind, Role, Scope};
use crate::id::{MemberId, UnitId};

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The role has no such right.
    #[error("may.role")]
    Role,
    /// The record is not in the area, zone or unit of the role.
    #[error("may.elsewhere")]
    Elsewhere,
    /// It is not assigned to the author or its unit.
    #[error("may.not_assigned")]
    NotAssigned,
    /// It is not the author's own record, or no longer: it has been accepted.
    #[error("may.not_own")]
    NotOwn,
    /// It is not a record of the author's team, or reaches beyond the team.
    #[error("may.not_team")]
    NotTeam,
    /// The author can not read it.
    #[error("may.not_readable")]
    NotReadable,
    /// Nobody judges one's own work.
    #[error("may.own_work")]
    OwnWork,
    /// The responsible party does not judge.
    #[error("may.responsible_party")]
    ResponsibleParty,
    /// Nobody acts here on behalf of that party.
    #[error("may.on_behalf")]
    OnBehalf,
    /// Only the server's own author names a rule, and it always does.
    #[error("may.rule")]
    Rule,
    /// This kind of record has no lifecycle.
    #[error("may.not_a_case")]
    NotACase,
    /// A kind or event of a newer version.
    #[error("may.newer")]
    Newer,
}

/// Who wants to act, under which of its grants.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The person; `None` for the server's own author.
    pub member: Option<MemberId>,
    /// The grant.
    pub grant: &'a Grant,
    /// The units of all grants of the certificate.
    pub units: &'a [UnitId],
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub enum Action<'a> {
    /// Make a record.
    Report(&'a GenesisFacts),
    /// Read a record.
    Read(&'a CaseState),
    /// Change the content of a record.
    Edit(&'a CaseState),
    /// Make a move.
    Do {
        /// The state that the author sees.
        state: &'a CaseState,
        /// The move.
        event: &'a Event,
        /// For whom, if not for oneself.
        on_behalf_of: Option<&'a OnBehalfOf>,
    },
}

/// Whether the actor may do it.
pub fn may(actor: &Actor<'_>, action: &Action<'_>) -> Result<(), Denied> {
    match action {
        Action::Report(facts) => may_report(actor, facts),
        Action::Read(state) => {
            known_kind(state.facts.kind)?;
            deny_unless(readable(actor, state), Denied::NotReadable)
        }
        Action::Edit(state) => {
            known_kind(state.facts.kind)?;
            holds(actor, state, Row::Edit, None)
        }
        Action::Do {
            state,
            event,
            on_behalf_of,
        } => may_do(actor, state, event, *on_behalf_of),
    }
}

impl Denied {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Role => "may.role",
            Self::Elsewhere => "may.elsewhere",
            Self::NotAssigned => "may.not_assigned",
            Self::NotOwn => "may.not_own",
            Self::NotTeam => "may.not_team",
            Self::NotReadable => "may.not_readable",
            Self::OwnWork => "may.own_work",
            Self::ResponsibleParty => "may.responsible_party",
            Self::OnBehalf => "may.on_behalf",
            Self::Rule => "may.rule",
            Self::NotACase => "may.not_a_case",
            Self::Newer => "may.newer",
        }
    }
}

fn deny_unless(allowed: bool, why: Denied) -> Result<(), Denied> {
    if allowed { Ok(()) } else { Err(why) }
}

fn known_kind(kind: RecordKind) -> Result<(), Denied> {
    deny_unless(!matches!(kind, RecordKind::Unknown(_)), Denied::Newer)
}

fn may_report(actor: &Actor<'_>, facts: &GenesisFacts) -> Result<(), Denied> {
    known_kind(facts.kind)?;
    deny_unless(
        cell(Row::Report, actor.grant.role) == Cell::Yes,
        Denied::Role,
    )?;
    if let Scope::Area(area) = &actor.grant.scope {
        deny_unless(area.district() == facts.home.district(), Denied::Elsewhere)?;
    }
    match facts.team {
        Some(team) => deny_unless(actor.units.contains(&team), Denied::NotTeam),
        None => Ok(()),
    }
}

fn may_do(
    actor: &Actor<'_>,
    state: &CaseState,
    event: &Event,
    on_behalf_of: Option<&OnBehalfOf>,
) -> Result<(), Denied> {
    known_kind(state.facts.kind)?;
    let movement = event.movement().ok_or(Denied::Newer)?;
    if state.frozen && !movement.is_talk() {
        return Err(Denied::Newer);
    }
    deny_unless(
        state.facts.kind.is_case() || movement.is_talk(),
        Denied::NotACase,
    )?;
    let row = row_of(movement);
    if matches!(row, Row::Triage | Row::Dispatch | Row::Escalate) {
        let by_system = actor.grant.role == Role::System;
        deny_unless(by_system == event.rule().is_some(), Denied::Rule)?;
    }
    if let Some(behalf) = on_behalf_of {
        return may_on_behalf(actor, state, event, row, behalf);
    }
    holds(actor, state, row, Some(event))?;
    if actor.grant.role == Role::TeamLead {
        within_team(actor, event)?;
    }
    if movement.is_judgement() {
        return not_own_work(actor, state);
    }
    Ok(())
}

fn may_on_behalf(
    actor: &Actor<'_>,
    state: &CaseState,
    event: &Event,
    row: Row,
    behalf: &OnBehalfOf,
) -> Result<(), Denied> {
    let allowed = cell(row, actor.grant.role) == Cell::AssignedOrBehalf;
    deny_unless(allowed, Denied::OnBehalf)?;
    deny_unless(in_scope(actor, state), Denied::Elsewhere)?;
    let of = event.assignment().and_then(|id| state.assignment(id));
    deny_unless(of.is_some_and(|a| a.to == behalf.party), Denied::OnBehalf)
}

/// Whether the row's cell for the actor's role holds for this record.
fn holds(
    actor: &Actor<'_>,
    state: &CaseState,
    row: Row,
    event: Option<&Event>,
) -> Result<(), Denied> {
    let role = actor.grant.role;
    let cell = cell(row, role);
    deny_unless(cell != Cell::No, Denied::Role)?;
    if state.facts.audience == Audience::Restricted && role != Role::System {
        deny_unless(readable(actor, state), Denied::NotReadable)?;
    }
    match cell {
        Cell::No => Err(Denied::Role),
        Cell::Yes => Ok(()),
        Cell::Readable => deny_unless(readable(actor, state), Denied::NotReadable),
        Cell::In => deny_unless(in_scope(actor, state), Denied::Elsewhere),
        Cell::Place => deny_unless(in_place(actor, state), Denied::Elsewhere),
        Cell::Team => deny_unless(of_team(actor, state), Denied::NotTeam),
        Cell::Own => deny_unless(own(actor, state), Denied::NotOwn),
        Cell::OwnUntilAccepted => {
            deny_unless(own(actor, state) && !accepted(state), Denied::NotOwn)
        }
        Cell::OwnOrIn => deny_unless(own(actor, state) || in_scope(actor, state), Denied::NotOwn),
        Cell::Village => deny_unless(in_village(actor, state), Denied::Elsewhere),
        Cell::Assigned | Cell::AssignedOrBehalf => {
            let assigned = match event.and_then(Event::assignment) {
                Some(id) => state
                    .assignment(id)
                    .is_some_and(|a| a.to.is(actor.member, actor.units)),
                None => state.is_party(actor.member, actor.units),
            };
            deny_unless(assigned, Denied::NotAssigned)
        }
    }
}

/// A team lead moves things within the team only.
fn within_team(actor: &Actor<'_>, event: &Event) -> Result<(), Denied> {
    let inside = |party: &Party| match party {
        Party::Unit(unit) => actor.grant.scope.unit() == Some(*unit),
        Party::Member(_) => true,
    };
    let allowed = match event {
        Event::Dispatch(dispatch) => inside(&dispatch.to),
        Event::Share(share) => match &share.with {
            Partner::Party(party) => inside(party),
            Partner::Area(_) => false,
        },
        Event::Transfer(_) => false,
        _ => true,
    };
    deny_unless(allowed, Denied::NotTeam)
}

fn not_own_work(actor: &Actor<'_>, state: &CaseState) -> Result<(), Denied> {
    let worked = actor
        .member
        .is_some_and(|member| state.workers.contains(&member));
    deny_unless(!worked, Denied::OwnWork)?;
    deny_unless(
        !state.is_party(actor.member, actor.units),
        Denied::ResponsibleParty,
    )
}

/// Who reads: whoever created it, is named, has it assigned or shares the team; of staff records also
/// whoever the table says; of restricted ones also the dispatchers of the place.
fn readable(actor: &Actor<'_>, state: &CaseState) -> bool {
    let named = actor
        .member
        .is_some_and(|member| state.facts.named.contains(&member));
    if own(actor, state) || named || state.is_party(actor.member, actor.units) {
        return true;
    }
    let role = actor.grant.role;
    if state.facts.audience == Audience::Restricted {
        return role == Role::System || role == Role::Dispatcher && in_scope(actor, state);
    }
    if state
        .facts
        .team
        .is_some_and(|team| actor.units.contains(&team))
    {
        return true;
    }
    match cell(Row::Read, role) {
        Cell::Yes => true,
        Cell::In | Cell::OwnOrIn => in_scope(actor, state),
        Cell::Place => in_place(actor, state),
        Cell::Village => in_village(actor, state),
        Cell::Team => of_team(actor, state),
        _ => false,
    }
}

fn own(actor: &Actor<'_>, state: &CaseState) -> bool {
    actor.member.is_some() && actor.member == state.reporter
}

fn accepted(state: &CaseState) -> bool {
    let taken = |s: AssignmentState| !matches!(s, AssignmentState::Dispatched);
    state.stage.is_ended()
        || state
            .assignments
            .iter()
            .any(|a| a.accepted_ms.is_some() && taken(a.state))
}

fn of_team(actor: &Actor<'_>, state: &CaseState) -> bool {
    let Some(team) = actor.grant.scope.unit() else {
        return false;
    };
    state.facts.team == Some(team) || state.is_party(None, &[team])
}

fn in_scope(actor: &Actor<'_>, state: &CaseState) -> bool {
    match &actor.grant.scope {
        Scope::Unit(_) => of_team(actor, state),
        _ => in_place(actor, state),
    }
}

fn in_place(actor: &Actor<'_>, state: &CaseState) -> bool {
    state.areas().any(|place| actor.grant.scope.covers(&place))
}

fn in_village(actor: &Actor<'_>, state: &CaseState) -> bool {
    let village = match &actor.grant.scope {
        Scope::Area(area) => area.village(),
        Scope::Zone { .. } | Scope::Unit(_) => None,
    };
    in_place(actor, state)
        || village.is_some_and(|village| state.areas().any(|place| place.contains(village)))
}

/// The roles whose signed opening counts as `seen` on the receipt ladder.
#[must_use]
pub fn opens_for_reporter(role: Role) -> bool {
    matches!(role, Role::Dispatcher | Role::Handler)
}

/// Every move that the actor might make now, as far as permission goes, for the buttons of an app: moves
/// whose row the role has at all. The event itself decides.
#[must_use]
pub fn moves_of(role: Role) -> Vec<Move> {
    Move::ALL
        .iter()
        .copied()
        .filter(|m| cell(row_of(*m), role) != Cell::No)
        .collect()
}
