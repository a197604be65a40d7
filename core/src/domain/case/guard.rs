//! Tells whether a move is possible in a state, by the table and by the rules that the table cannot express.

use super::payload::{KindStep, Partner};
use super::table::{Next, next};
use super::{
    Assignment, AssignmentState as A, Event, Extension, Handling, Move, Part, Party, RecordState,
    Refusal,
};
use crate::domain::RecordKind;
use crate::domain::case::may::Denied;
use crate::domain::steps::StepsState;
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};

/// Whether the event is possible in this state, for any author. Only a step that keeps its stage
/// depends on the device of the author.
pub fn possible(state: &RecordState, event: &Event, device: DeviceId) -> Result<(), Refusal> {
    let movement = event.movement().ok_or(Refusal::Newer)?;
    if let (Some(steps), Event::Step(step)) = (&state.steps, event) {
        return kind_step(steps, step, device);
    }
    if matches!(event, Event::Attach(attach) if attach.media_type().is_none()) {
        return Err(Refusal::Newer);
    }
    if let Some(steps) = &state.steps
        && steps.table.has_move(movement)
    {
        return handled(state, event, movement, steps.allows(movement));
    }
    let Some(case) = &state.case else {
        return without_case(state.facts.kind, movement);
    };
    if next(case.stage, movement) == Next::No {
        return Err(Refusal::NotNow {
            stage: case.stage,
            movement,
        });
    }
    match event {
        Event::Triage(triage) => match triage.grid {
            Some(grid) if state.facts.home.with_grid(grid).is_none() => Err(Refusal::GridOutside),
            _ => Ok(()),
        },
        Event::Merge(merge) => {
            refuse_if(merge.into == record_of(state.genesis), Refusal::MergeSelf)
        }
        Event::MergeUndone(undone) => {
            let in_force = case.merge.map(|merge| merge.id);
            refuse_if(in_force != Some(undone.merge), Refusal::OtherMerge)
        }
        _ => fits(state, &case.handling, event, movement),
    }
}

/// Whether a move of handling that the kind's table names is possible. The caller knows whether the stage allows it.
pub(super) fn handled(
    state: &RecordState,
    event: &Event,
    movement: Move,
    is_in_stage: bool,
) -> Result<(), Refusal> {
    let Some(steps) = &state.steps else {
        return without_case(state.facts.kind, movement);
    };
    let (stage, step) = (steps.stage.name, movement.name());
    refuse_if(!is_in_stage, Refusal::StepNotNow { stage, step })?;
    fits(state, &steps.handling, event, movement)
}

/// Whether a move of handling fits the parties, areas and deadlines, whatever the lifecycle.
fn fits(
    state: &RecordState,
    handling: &Handling,
    event: &Event,
    movement: Move,
) -> Result<(), Refusal> {
    match event {
        Event::Dispatch(dispatch) => not_assigned(state, dispatch.to, dispatch.part),
        Event::AssignFinally(assign) => not_assigned(state, assign.to, Part::Lead),
        Event::Share(share) => match share.with {
            Partner::Party(party) => not_assigned(state, party, Part::Support),
            Partner::Area(area) => {
                refuse_if(state.areas().any(|known| known == area), Refusal::SameArea)
            }
        },
        Event::Transfer(transfer) => {
            refuse_if(transfer.to == handling.lead_area, Refusal::SameArea)
        }
        Event::Escalate(escalate) => refuse_if(
            handling.level.above() != Some(escalate.to),
            Refusal::NotNextLevel,
        ),
        Event::GrantExtension(grant) => {
            let open = |x: &Extension| x.request == grant.request && x.granted_ms.is_none();
            refuse_if(!handling.extensions.iter().any(open), Refusal::NoRequest)
        }
        _ => match event.assignment() {
            Some(id) => step(state.assignment(id).ok_or(Refusal::NoAssignment)?, movement),
            None => Ok(()),
        },
    }
}

/// Whether the move is possible on a record that has no case.
fn without_case(kind: RecordKind, movement: Move) -> Result<(), Refusal> {
    if movement.is_talk() {
        Ok(())
    } else if kind.is_known() {
        Err(Denied::NotACase.into())
    } else {
        Err(Refusal::Newer)
    }
}

/// Whether a step of the kind's own table is possible.
fn kind_step(state: &StepsState, event: &KindStep, device: DeviceId) -> Result<(), Refusal> {
    let table = state.table;
    let step = table.step(event.step).ok_or(Refusal::Newer)?;
    if event
        .reason
        .is_some_and(|code| table.reason(code).is_none())
    {
        return Err(Refusal::Newer);
    }
    let (stage, name) = (state.stage.name, step.name);
    let not_now = Refusal::StepNotNow { stage, step: name };
    refuse_if(!step.starts_from(state.stage), not_now)?;
    // A step that keeps the stage and says nothing brings its author in. Without this rule one person could
    // make it without end. A step with words, such as a session, says something new each time. A step that also
    // starts from another stage is one that each device makes once.
    let repeats = step.starts_from(step.to) && !step.needs_text;
    let mut entries = state.entries.iter();
    let is_in = entries.any(|entry| {
        entry.device == device && (step.keeps_stage() || entry.step.code == step.code)
    });
    refuse_if(is_in && repeats, not_now)?;
    let complete = step.takes(event.reason) && (event.note.is_some() || !step.needs_text);
    refuse_if(!complete, Refusal::StepIncomplete)
}

/// The record that a Genesis makes. Both ids come from the start of the same hash.
fn record_of(genesis: EnvelopeId) -> RecordId {
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(&genesis.0);
    RecordId::v8(&Hash(hash))
}

fn refuse_if(refused: bool, why: Refusal) -> Result<(), Refusal> {
    if refused { Err(why) } else { Ok(()) }
}

fn not_assigned(state: &RecordState, to: Party, part: Part) -> Result<(), Refusal> {
    let same = |a: &Assignment| a.to == to && a.part == part && a.state.is_open();
    refuse_if(
        state.assignments().iter().any(same),
        Refusal::AlreadyAssigned,
    )
}

fn step(assignment: &Assignment, movement: Move) -> Result<(), Refusal> {
    if movement == Move::Return && assignment.is_final {
        return Err(Refusal::FinalAssignment);
    }
    let fits = match movement {
        Move::Accept => assignment.state == A::Dispatched,
        Move::Arrive => assignment.state == A::Accepted,
        Move::Resolve => matches!(assignment.state, A::Accepted | A::OnSite),
        _ => assignment.state.is_open(),
    };
    refuse_if(!fits, Refusal::AssignmentElsewhere)
}
