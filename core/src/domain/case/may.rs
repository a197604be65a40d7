//! Permissions: one pure function over one table. An action is denied unless the table permits it.
//!
//! The function reads the author's grant and the state that the author had seen, and never content,
//! directory, clock or receipts. So every replica answers alike. `case::guard` decides whether a move is
//! *possible* in a stage.

pub mod choice;
mod readership;

#[cfg(test)]
mod tests;

pub use self::readership::Readership;
use super::payload::{KindStep, Partner};
use super::{AssignmentState, Event, GenesisFacts, Handling, Move, OnBehalfOf, Party, RecordState};
use crate::domain::permissions::{Cell, Row, cell, row_of};
use crate::domain::steps::{PARTY, STRANGER, StepTable, StepsState};
use crate::domain::{Audience, Grant, RecordKind, Role, Scope, Source};
use crate::id::{MemberId, UnitId};

coded_error! {
    /// The reason why an action is denied.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum Denied {
        /// The role has no permission for the action.
        #[error("may.role")]
        Role,
        /// The record is not in the area, zone or unit of the role.
        #[error("may.elsewhere")]
        Elsewhere,
        /// The record is not assigned to the author or its unit.
        #[error("may.not_assigned")]
        NotAssigned,
        /// The record is not the author's own, or is not any more, because it has been accepted.
        #[error("may.not_own")]
        NotOwn,
        /// The record is not one of the author's team, or the move reaches beyond the team.
        #[error("may.not_team")]
        NotTeam,
        /// The author cannot read the record.
        #[error("may.not_readable")]
        NotReadable,
        /// The author had worked on the case, and people may not judge their own work.
        #[error("may.own_work")]
        OwnWork,
        /// The author belongs to the responsible party, which may neither judge the case nor
        /// take it out of work.
        #[error("may.responsible_party")]
        ResponsibleParty,
        /// The author may not act on behalf of that party here.
        #[error("may.on_behalf")]
        OnBehalf,
        /// Only the server's own author makes automatic moves, and it makes only those.
        #[error("may.rule")]
        Rule,
        /// This kind of record has no lifecycle.
        #[error("may.not_a_case")]
        NotACase,
        /// The role does not receive reports of this source.
        #[error("may.source")]
        Source,
        /// The records of the kind have another audience.
        #[error("may.audience")]
        Audience,
        /// The record is about the person, who therefore decides nothing in it.
        #[error("may.concerned")]
        Concerned,
        /// A record of the kind names the record that it is for.
        #[error("may.unlinked")]
        Unlinked,
        /// A step decided about the content, which therefore stays as it is.
        #[error("may.settled")]
        Settled,
        /// The kind, role or event belongs to a newer version.
        #[error("may.newer")]
        Newer,
    }
}

/// The person who wants to act, and the grant to act under.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The person; `None` for the server's own author.
    pub member: Option<MemberId>,
    /// The grant.
    pub grant: &'a Grant,
    /// The units of all grants of the certificate.
    pub units: &'a [UnitId],
}

/// The action that a person wants to take.
#[derive(Debug, Clone, Copy)]
pub enum Action<'a> {
    /// Make a record.
    Report(&'a GenesisFacts),
    /// Read a record.
    Read(&'a RecordState),
    /// Change the content of a record.
    Edit(&'a RecordState),
    /// Make a move.
    Do {
        /// The state that the author sees.
        state: &'a RecordState,
        /// The move.
        event: &'a Event,
        /// The party that the move is made for, if the author acts on behalf of another.
        on_behalf_of: Option<&'a OnBehalfOf>,
    },
}

/// Whether the actor may take the action. [`Denied::Newer`] means that only a newer version can answer,
/// because this version does not know the role, the kind of record, or the event.
pub fn may(actor: &Actor<'_>, action: &Action<'_>) -> Result<(), Denied> {
    if matches!(actor.grant.role, Role::Unknown(_)) {
        return Err(Denied::Newer);
    }
    match action {
        Action::Report(facts) => may_report(actor, facts),
        Action::Read(state) => {
            known_kind(state.facts.kind)?;
            deny_unless(readable(actor, state), Denied::NotReadable)
        }
        Action::Edit(state) => {
            known_kind(state.facts.kind)?;
            let kind = state.facts.kind.spec().ok_or(Denied::Newer)?;
            let is_work = matches!(kind.report, Row::FieldWork | Row::Note);
            if is_work || state.steps().is_some() {
                writes_work(actor, state, kind.report)
            } else {
                holds(actor, state, Row::Edit, None)
            }
        }
        Action::Do {
            state,
            event,
            on_behalf_of,
        } => may_do(actor, state, event, *on_behalf_of),
    }
}

fn deny_unless(allowed: bool, why: Denied) -> Result<(), Denied> {
    if allowed { Ok(()) } else { Err(why) }
}

fn known_kind(kind: RecordKind) -> Result<(), Denied> {
    deny_unless(kind.is_known(), Denied::Newer)
}

fn may_report(actor: &Actor<'_>, facts: &GenesisFacts) -> Result<(), Denied> {
    let kind = facts.kind.spec().ok_or(Denied::Newer)?;
    let cell = cell(kind.report, actor.grant.role);
    deny_unless(cell != Cell::No, Denied::Role)?;
    // The record of a role that is held in a team belongs to that team.
    let of_team = facts.team.is_some() && facts.team == actor.grant.scope.unit();
    deny_unless(cell != Cell::Team || of_team, Denied::NotTeam)?;
    let audience = kind.audience.unwrap_or(facts.audience);
    deny_unless(audience == facts.audience, Denied::Audience)?;
    deny_unless(may_claim(actor.grant.role, facts.source), Denied::Source)?;
    let linked = facts.linked.is_some() || !kind.needs_link;
    deny_unless(linked, Denied::Unlinked)?;
    // The server makes records of its own from the lists of an office alone, and cases from calls too.
    let by_list = actor.grant.role != Role::System || kind.report == Row::Report;
    deny_unless(by_list || facts.source == Source::Api, Denied::Source)?;
    if let Scope::Area(area) = &actor.grant.scope {
        deny_unless(area.district() == facts.home.district(), Denied::Elsewhere)?;
    }
    // An office publishes and proposes for its own place. A unit has no place of its own here.
    let in_place = matches!(cell, Cell::In | Cell::Place) && actor.grant.scope.unit().is_none();
    let covered = actor.grant.scope.covers(&facts.home);
    deny_unless(!in_place || covered, Denied::Elsewhere)?;
    match facts.team {
        Some(team) => deny_unless(actor.units.contains(&team), Denied::NotTeam),
        None => Ok(()),
    }
}

/// Whether a role may claim this source for a report. Calls arrive at the command room, and other systems
/// report through the server.
fn may_claim(role: Role, source: Source) -> bool {
    match source {
        Source::Member | Source::Task | Source::Unknown(_) => true,
        Source::Diverted110 => matches!(role, Role::Dispatcher | Role::System),
        Source::ResidentCode | Source::Api => role == Role::System,
    }
}

fn may_do(
    actor: &Actor<'_>,
    state: &RecordState,
    event: &Event,
    on_behalf_of: Option<&OnBehalfOf>,
) -> Result<(), Denied> {
    known_kind(state.facts.kind)?;
    let movement = event.movement().ok_or(Denied::Newer)?;
    if state.frozen && !movement.is_always_possible() {
        return Err(Denied::Newer);
    }
    let has_it = match state.steps() {
        Some(steps) => movement == Move::Step || steps.table.has_move(movement),
        None => state.case().is_some(),
    };
    deny_unless(has_it || movement.is_talk(), Denied::NotACase)?;
    let rows = rows_of(state, event, movement)?;
    let by_system = actor.grant.role == Role::System;
    deny_unless(by_system == event.is_automatic(), Denied::Rule)?;
    if let Some(behalf) = on_behalf_of {
        any_row(&rows, |row| may_on_behalf(actor, state, event, row, behalf))?;
        return not_concerned(actor, state, event, movement);
    }
    any_row(&rows, |row| holds(actor, state, row, Some(event)))?;
    if let Event::Step(step) = event {
        not_by_author(actor, state, step)?;
    }
    not_concerned(actor, state, event, movement)?;
    if rows.contains(&Row::Roster) {
        not_own_leave(actor, state, event)?;
    }
    if actor.grant.role == Role::TeamLead {
        within_team(actor, event)?;
    }
    if movement.is_judgement() {
        not_own_work(actor, state)?;
    }
    // All who are on a roster are its parties, the head among them, so it has a rule of its own above.
    let closed = !rows.contains(&Row::Roster) && is_closed_to_party(actor, state, event);
    let party = closed && state.is_party(actor.member, actor.units);
    deny_unless(!party, Denied::ResponsibleParty)
}

/// Whether a responsible party may not make the move. In a record with steps a party neither moves the record to
/// another area, nor gives itself time, nor takes itself out of the work, unless it gave itself the work: each of them
/// improves the own figures.
fn is_closed_to_party(actor: &Actor<'_>, state: &RecordState, event: &Event) -> bool {
    match event {
        Event::Transfer(_) if state.steps().is_some() => true,
        // A team lead gives time to the own team, and belongs to it.
        Event::GrantExtension(_) if state.steps().is_some() => actor.grant.role != Role::TeamLead,
        Event::Withdraw(_) if state.steps().is_some() => !own(actor, state),
        _ => event.movement().is_some_and(Move::is_closed_to_party),
    }
}

/// The rows of the permission table for an event: one of them is enough.
fn rows_of(state: &RecordState, event: &Event, movement: Move) -> Result<Vec<Row>, Denied> {
    let Some(steps) = state.steps() else {
        return Ok(vec![row_of(movement)]);
    };
    if let Event::Step(step) = event {
        return Ok(vec![row_of_step(steps.table, step)?]);
    }
    let now: Vec<Row> = steps.table.rows_of(movement, steps.stage).collect();
    if !now.is_empty() {
        return Ok(now);
    }
    // The guard refuses a move that is not possible in this stage.
    let specs = steps.table.handling.iter();
    let ever: Vec<Row> = specs
        .filter(|spec| spec.moves.contains(&movement))
        .map(|spec| spec.row)
        .collect();
    Ok(if ever.is_empty() {
        vec![row_of(movement)]
    } else {
        ever
    })
}

/// The row of a step. Only a newer version knows the rights of a step that this version does not know.
fn row_of_step(table: &StepTable, step: &KindStep) -> Result<Row, Denied> {
    let known = table.step(step.step).ok_or(Denied::Newer)?;
    let reason = step.reason.map(|code| table.reason(code));
    deny_unless(reason.is_none_or(|known| known.is_some()), Denied::Newer)?;
    Ok(known.right)
}

/// Whether one of the rows permits it. Of several refusals, the first tells.
fn any_row(rows: &[Row], permits: impl Fn(Row) -> Result<(), Denied>) -> Result<(), Denied> {
    let mut refused = Err(Denied::Role);
    for (at, row) in rows.iter().enumerate() {
        match permits(*row) {
            Ok(()) => return Ok(()),
            Err(why) if at == 0 => refused = Err(why),
            Err(_) => {}
        }
    }
    refused
}

/// A person does not make a step that the author of an earlier one must not make, such as the approval of a
/// proposal.
fn not_by_author(actor: &Actor<'_>, state: &RecordState, step: &KindStep) -> Result<(), Denied> {
    let (Some(steps), Some(member)) = (state.steps(), actor.member) else {
        return Ok(());
    };
    let codes = steps
        .table
        .step(step.step)
        .map_or(&[][..], |known| known.not_by);
    let did = |code: &u8| match code {
        0 => state.reporter == Some(member),
        code => steps.made.contains(&(*code, member)),
    };
    let of_party = codes.contains(&PARTY) && was_party(actor, state);
    deny_unless(!of_party, Denied::ResponsibleParty)?;
    // A replica that lacks the name of the creator permits the step, because the server has judged it.
    let takes_part =
        state.reporter.is_none_or(|creator| creator == member) || steps.workers.contains(&member);
    deny_unless(takes_part || !codes.contains(&STRANGER), Denied::NotOwn)?;
    deny_unless(!codes.iter().any(did), Denied::OwnWork)
}

/// Whether the author, or a unit of the author, is or was responsible. A party that gave the work back, or was
/// taken out of it, stays one for its judgement.
fn was_party(actor: &Actor<'_>, state: &RecordState) -> bool {
    let mut all = state.assignments().iter();
    all.any(|one| one.to.is(actor.member, actor.units))
}

/// A person whom the record is about neither decides in it, nor becomes responsible for it.
fn not_concerned(
    actor: &Actor<'_>,
    state: &RecordState,
    event: &Event,
    movement: Move,
) -> Result<(), Denied> {
    let party = assignee_of(event).and_then(|party| match party {
        Party::Member(member) => Some(member),
        Party::Unit(_) => None,
    });
    let free = !is_concerned(actor.member, state) && !is_concerned(party, state);
    deny_unless(movement.is_talk() || free, Denied::Concerned)
}

/// Whether the record is about the person, so that this person decides nothing in it.
fn is_concerned(member: Option<MemberId>, state: &RecordState) -> bool {
    let steps = state.steps();
    let named = member.is_some_and(|member| state.facts.named.contains(&member));
    named && steps.is_some_and(|steps| steps.table.named_are_concerned())
}

/// The party that an event makes responsible.
fn assignee_of(event: &Event) -> Option<Party> {
    match event {
        Event::Share(share) => match share.with {
            Partner::Party(party) => Some(party),
            Partner::Area(_) => None,
        },
        _ => event.assignee(),
    }
}

/// Whether the actor may write the content of work that people report. The work of a record with steps is also
/// written by the parties that are responsible, and by the people of the first row of its handling.
fn writes_work(actor: &Actor<'_>, state: &RecordState, report: Row) -> Result<(), Denied> {
    deny_unless(!is_concerned(actor.member, state), Denied::Concerned)?;
    let settled =
        |steps: &StepsState| steps.table.fixes_content && steps.stage != steps.table.birth();
    deny_unless(!state.steps().is_some_and(settled), Denied::Settled)?;
    // Parties who only sign for a record, such as the addressees of a notice, have no part in its words.
    let work = state
        .steps()
        .filter(|steps| steps.table.has_move(Move::Resolve));
    let handling = work.map_or(&[][..], |steps| steps.table.handling);
    if let Some(first) = handling.first() {
        let in_charge = holds(actor, state, first.row, None).is_ok();
        if in_charge || state.is_party(actor.member, actor.units) {
            return deny_unless(readable(actor, state), Denied::NotReadable);
        }
    }
    takes_part(actor, state, report)
}

/// Whether the actor takes part in the work. A role that may report such work suffices for the creator, for the
/// people named in the record, for its team, and for all who made a step on it.
fn takes_part(actor: &Actor<'_>, state: &RecordState, report: Row) -> Result<(), Denied> {
    let role = cell(report, actor.grant.role);
    deny_unless(role != Cell::No, Denied::Role)?;
    deny_unless(readable(actor, state), Denied::NotReadable)?;
    let made_step = |member: &MemberId| {
        let steps = state.steps();
        steps.is_some_and(|steps| steps.workers.contains(member))
    };
    let of_person = |member: &MemberId| state.facts.named.contains(member) || made_step(member);
    let team = state.facts.team;
    // Work with parties belongs to them once one of them has accepted it.
    let until_accepted = cell(Row::Edit, actor.grant.role) == Cell::OwnUntilAccepted
        && state
            .steps()
            .is_some_and(|steps| !steps.table.handling.is_empty());
    let takes_part = own(actor, state) && !(until_accepted && accepted(state))
        || actor.member.as_ref().is_some_and(of_person)
        || team.is_some_and(|team| actor.units.contains(&team));
    deny_unless(takes_part, Denied::NotOwn)
}

fn may_on_behalf(
    actor: &Actor<'_>,
    state: &RecordState,
    event: &Event,
    row: Row,
    behalf: &OnBehalfOf,
) -> Result<(), Denied> {
    let allowed = cell(row, actor.grant.role) == Cell::AssignedOrBehalf;
    deny_unless(allowed, Denied::OnBehalf)?;
    deny_unless(in_scope(actor, state), Denied::Elsewhere)?;
    deny_unless(readable(actor, state), Denied::NotReadable)?;
    let of = event.assignment().and_then(|id| state.assignment(id));
    deny_unless(of.is_some_and(|a| a.to == behalf.party), Denied::OnBehalf)
}

/// Whether the condition in the row's cell for the actor's role is true for this record.
fn holds(
    actor: &Actor<'_>,
    state: &RecordState,
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
        Cell::In if matches!(event, Some(Event::Step(_))) => {
            deny_unless(in_charge(actor, state), Denied::Elsewhere)
        }
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
        Cell::OwnOrHome => {
            let home = actor.grant.scope.covers(&state.facts.home);
            let apart = home && !was_party(actor, state);
            deny_unless(own(actor, state) || apart, Denied::NotOwn)
        }
        Cell::Lead => deny_unless(leads(actor, state), Denied::NotAssigned),
        Cell::LeadOrIn => {
            let allowed = leads(actor, state) || in_scope(actor, state);
            deny_unless(allowed, Denied::NotAssigned)
        }
    }
}

/// Whether the author, or a unit of the author, is a lead party.
fn leads(actor: &Actor<'_>, state: &RecordState) -> bool {
    let mut all = state.handling().into_iter().flat_map(Handling::leads);
    all.any(|one| one.to.is(actor.member, actor.units))
}

/// A team lead moves records only within the team, to the team as a whole. A record does not show whether a
/// single person belongs to the team, and a person who is made responsible reads the record.
fn within_team(actor: &Actor<'_>, event: &Event) -> Result<(), Denied> {
    let team = actor.grant.scope.unit().map(Party::Unit);
    let inside = |party: &Party| team == Some(*party);
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

/// A second person grants leave, and takes a person off the roster.
fn not_own_leave(actor: &Actor<'_>, state: &RecordState, event: &Event) -> Result<(), Denied> {
    let about = match event {
        Event::GrantExtension(grant) => {
            let mut asked = state.handling().into_iter().flat_map(|all| &all.extensions);
            let asked = asked.find(|asked| asked.request == grant.request);
            asked.map(|asked| asked.assignment)
        }
        Event::Withdraw(back) => Some(back.assignment),
        _ => None,
    };
    let of = about.and_then(|id| state.assignment(id));
    let own = of.is_some_and(|one| one.to.is(actor.member, actor.units));
    deny_unless(!own, Denied::OwnWork)
}

fn not_own_work(actor: &Actor<'_>, state: &RecordState) -> Result<(), Denied> {
    let workers = state.case().map(|case| &case.workers);
    let worked = actor
        .member
        .zip(workers)
        .is_some_and(|(member, workers)| workers.contains(&member));
    deny_unless(!worked, Denied::OwnWork)
}

fn readable(actor: &Actor<'_>, state: &RecordState) -> bool {
    Readership::of(state).admits(actor)
}

/// Whether the grant names a single grid. The feed has no stream of one grid, so in one grid only roles that
/// read the whole village can read records.
fn in_one_grid(actor: &Actor<'_>) -> bool {
    matches!(&actor.grant.scope, Scope::Area(area) if area.grid().is_some())
}

fn own(actor: &Actor<'_>, state: &RecordState) -> bool {
    actor.member.is_some() && actor.member == state.reporter
}

fn accepted(state: &RecordState) -> bool {
    let taken = |s: AssignmentState| !matches!(s, AssignmentState::Dispatched);
    state.stage().is_ended()
        || state
            .assignments()
            .iter()
            .any(|a| a.accepted_ms.is_some() && taken(a.state))
}

fn of_team(actor: &Actor<'_>, state: &RecordState) -> bool {
    let Some(team) = actor.grant.scope.unit() else {
        return false;
    };
    state.facts.team == Some(team) || state.is_party(None, &[team])
}

fn in_scope(actor: &Actor<'_>, state: &RecordState) -> bool {
    match &actor.grant.scope {
        Scope::Unit(_) => of_team(actor, state),
        _ => in_place(actor, state),
    }
}

/// Whether the grant covers the birthplace or the lead area. An area that only supports ends nothing.
fn in_charge(actor: &Actor<'_>, state: &RecordState) -> bool {
    let scope = &actor.grant.scope;
    match scope {
        Scope::Unit(_) => of_team(actor, state),
        _ => scope.covers(&state.place()) || scope.covers(&state.lead_area()),
    }
}

fn in_place(actor: &Actor<'_>, state: &RecordState) -> bool {
    state.areas().any(|place| actor.grant.scope.covers(&place))
}

fn in_village(actor: &Actor<'_>, state: &RecordState) -> bool {
    let village = match &actor.grant.scope {
        Scope::Area(area) => area.village(),
        Scope::Zone { .. } | Scope::Unit(_) => None,
    };
    in_place(actor, state)
        || village.is_some_and(|village| state.areas().any(|place| place.contains(village)))
}

/// Every move that the role has any permission for, for the buttons of an app. Whether the role may make it
/// is decided for each event.
#[must_use]
pub fn moves_of(role: Role) -> Vec<Move> {
    Move::ALL
        .iter()
        .copied()
        .filter(|m| cell(row_of(*m), role) != Cell::No)
        .collect()
}
