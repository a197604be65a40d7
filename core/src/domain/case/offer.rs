//! The moves that a person can make now, and the reasons against the other moves.
//!
//! Each answer comes from the function that judges every envelope (`fold::judge_in`), called with an event
//! with complete input. So a move is offered exactly when an attempt with the right input is accepted.

use super::fold::judge_in;
use super::input::{FieldNeed, InputField, MoveInput, needs, needs_of_step};
use super::refusal::Legality;
use super::{
    Author, Entry, EntryBody, EntryStatus, Move, OnBehalfOf, Part, Party, RecordState, Refusal,
    Severity,
};
use crate::domain::case::may::choice::{self, Matter};
use crate::domain::steps::{ReasonSpec, StepSpec};
use crate::domain::{AreaPath, Grant, RecordKind, Text};
use crate::id::{AreaId, DeviceId, EnvelopeId, Hash, MemberId, RecordId, UnitId};
use crate::texts::word_code;

/// An envelope id that occurs in no record.
const NOWHERE: EnvelopeId = EnvelopeId([0xff; 16]);

/// The person who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The phone.
    pub device: DeviceId,
    /// The person.
    pub member: Option<MemberId>,
    /// All grants of the certificate.
    pub grants: &'a [Grant],
    /// The one grant that the person wants to act under, if the person named one.
    pub acting_as: Option<&'a Grant>,
}

/// One move as an app offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveOption {
    /// The kind of the record; `None` while its beginning does not count.
    pub kind: Option<RecordKind>,
    /// The move.
    pub movement: Move,
    /// The step, if the move is a step of the kind's own table. Each step has its own option.
    pub step: Option<&'static StepSpec>,
    /// The assignment that the step is about. Each assignment has its own option.
    pub assignment: Option<EnvelopeId>,
    /// The request for more time that the move would grant. Each open request has its own option.
    pub request: Option<EnvelopeId>,
    /// The grant that would sign the move, or the stable code of the refusal.
    pub allowed: Result<Grant, &'static str>,
    /// The grant under which the person can make the move on behalf of a party, with a reason, and that
    /// party.
    pub on_behalf: Option<(Grant, Party)>,
    /// The fields of the move's form.
    pub needs: &'static [FieldNeed],
}

impl MoveOption {
    /// The stable name: that of the step or of the move. [`MoveInput`] takes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.step.map_or(self.movement.name(), |step| step.name)
    }

    /// The code of its words, as the kind of the record says it.
    #[must_use]
    pub fn word_code(&self) -> String {
        let kind = self.kind.map_or("", RecordKind::name);
        word_code("act", self.name(), kind)
    }

    /// The reasons to choose from.
    #[must_use]
    pub fn reasons(&self) -> &'static [ReasonSpec] {
        self.step.map_or(&[], |step| step.reasons)
    }
}

/// Every move, in the order of [`Move::ALL`], then every step of the kind's own table. A step of an
/// assignment has one option for each assignment.
#[must_use]
pub fn offers(state: &RecordState, asker: &Asker<'_>) -> Vec<MoveOption> {
    let moves = Move::ALL.iter().filter(|movement| **movement != Move::Step);
    let steps = state.steps().map_or(&[][..], |steps| steps.table.steps);
    moves
        .flat_map(|movement| options(state, asker, *movement))
        .chain(steps.iter().map(|step| step_option(state, asker, step)))
        .collect()
}

fn step_option(state: &RecordState, asker: &Asker<'_>, step: &'static StepSpec) -> MoveOption {
    let input = MoveInput {
        text: Some("·".to_owned()),
        reason: step.reasons.first().map(|reason| reason.name.to_owned()),
        ..MoveInput::of_step(step)
    };
    let body = input
        .event(state)
        .ok()
        .map(|(event, on_behalf_of)| EntryBody::Event {
            event,
            on_behalf_of,
        });
    MoveOption {
        kind: Some(state.facts.kind),
        movement: Move::Step,
        step: Some(step),
        assignment: None,
        request: None,
        allowed: first_grant(state, asker, Some(Move::Step), body.as_slice()),
        on_behalf: None,
        needs: needs_of_step(step),
    }
}

/// Whether the person may change the content.
pub fn edit_offer(state: &RecordState, asker: &Asker<'_>) -> Result<Grant, &'static str> {
    first_grant(state, asker, None, &[EntryBody::Content])
}

fn options(state: &RecordState, asker: &Asker<'_>, movement: Move) -> Vec<MoveOption> {
    let about = |assignment: Option<EnvelopeId>, request: Option<EnvelopeId>| {
        let bodies: Vec<EntryBody> = probes(state, asker, movement)
            .into_iter()
            .map(|input| MoveInput {
                // Without an assignment or request, the move is judged all the same, so that the option has a
                // refusal.
                assignment: assignment.or(Some(NOWHERE)),
                request: request.or(Some(NOWHERE)),
                ..input
            })
            .filter_map(|input| input.event(state).ok())
            .map(|(event, on_behalf_of)| EntryBody::Event {
                event,
                on_behalf_of,
            })
            .collect();
        MoveOption {
            kind: Some(state.facts.kind),
            movement,
            step: None,
            assignment,
            request,
            allowed: first_grant(state, asker, Some(movement), &bodies),
            on_behalf: on_behalf(state, asker, movement, &bodies),
            needs: needs(movement),
        }
    };
    let has = |field| needs(movement).iter().any(|need| need.field == field);
    let mut options: Vec<MoveOption> = if has(InputField::Assignment) {
        let assignments = state.assignments().iter();
        assignments.map(|one| about(Some(one.id), None)).collect()
    } else if has(InputField::Request) {
        let handling = state.handling().into_iter();
        let all = handling.flat_map(|handling| &handling.extensions);
        let open = all.filter(|x| x.granted_ms.is_none());
        open.map(|x| about(None, Some(x.request))).collect()
    } else {
        Vec::new()
    };
    if options.is_empty() {
        options.push(about(None, None));
    }
    options
}

/// The first grant under which one of the bodies is legal, or the refusal of the role that came closest.
fn first_grant(
    state: &RecordState,
    asker: &Asker<'_>,
    movement: Option<Move>,
    bodies: &[EntryBody],
) -> Result<Grant, &'static str> {
    let matter = Matter::of_case(state, movement);
    let mut refused = choice::NO_ROLE;
    for n in choice::tried(asker.grants, asker.acting_as, &matter) {
        for body in bodies {
            match legal(state, asker, usize::from(n), body) {
                Ok(grant) => return Ok(grant),
                Err(code) => refused = choice::telling(refused, code),
            }
        }
    }
    Err(refused)
}

/// The first grant that may act for the party of the assignment that the events are about, with that party.
fn on_behalf(
    state: &RecordState,
    asker: &Asker<'_>,
    movement: Move,
    bodies: &[EntryBody],
) -> Option<(Grant, Party)> {
    let EntryBody::Event { event, .. } = bodies.first()? else {
        return None;
    };
    let party = state.assignment(event.assignment()?)?.to;
    let behalf = EntryBody::Event {
        event: event.clone(),
        on_behalf_of: Some(OnBehalfOf {
            party,
            reason: any_words(),
        }),
    };
    let grant = first_grant(state, asker, Some(movement), &[behalf]).ok()?;
    Some((grant, party))
}

fn legal(
    state: &RecordState,
    asker: &Asker<'_>,
    n: usize,
    body: &EntryBody,
) -> Result<Grant, &'static str> {
    let grant = asker.grants.get(n).ok_or(choice::NO_ROLE)?;
    let entry = Entry {
        id: EnvelopeId([0; 16]),
        parents: Vec::new(),
        author: Author {
            device: asker.device,
            member: asker.member,
            grant: Some(grant.clone()),
            units: asker
                .grants
                .iter()
                .filter_map(|one| one.scope.unit())
                .collect(),
        },
        body: body.clone(),
        clock_ms: 0,
        verdict_at_ms: None,
        status: EntryStatus::Effective,
    };
    match judge_in(Some(state), &entry) {
        Legality::Legal => Ok(grant.clone()),
        Legality::Illegal(why) | Legality::Unjudged(why) => Err(why.code()),
        Legality::Ignored => Err(Refusal::Newer.code()),
    }
}

/// Complete inputs of a move, chosen so that one of them is legal if any input is. They go to a party without
/// a part in the case (a member, a unit, the person's own units), into another record, or to another area.
fn probes(state: &RecordState, asker: &Asker<'_>, movement: Move) -> Vec<MoveInput> {
    let complete = MoveInput {
        text: Some("·".to_owned()),
        until_ms: Some(0),
        category: Some("other".to_owned()),
        severity: Some(Severity::General),
        into: Some(RecordId([0xff; 16])),
        before: vec![Hash([0; 32])],
        after: vec![Hash([0; 32])],
        ..MoveInput::of(movement)
    };
    let to = |party| match party {
        Party::Unit(unit) => MoveInput {
            to_unit: Some(unit),
            ..complete.clone()
        },
        Party::Member(member) => MoveInput {
            to_member: Some(member),
            ..complete.clone()
        },
    };
    let to_area = || MoveInput {
        to_area: Some(other_area(state)),
        ..complete.clone()
    };
    let parties = || parties(state, asker);
    match movement {
        Move::Dispatch => Part::ALL
            .iter()
            .flat_map(|part| {
                parties().map(move |party| MoveInput {
                    part: Some(*part),
                    ..to(party)
                })
            })
            .collect(),
        Move::AssignFinally => parties().map(to).collect(),
        Move::Share => parties().map(to).chain([to_area()]).collect(),
        Move::Transfer => vec![to_area()],
        _ => vec![complete],
    }
}

/// A member and a unit without a part in the case, and the person's own units.
fn parties<'a>(state: &'a RecordState, asker: &'a Asker<'_>) -> impl Iterator<Item = Party> + 'a {
    let unused = |to: &Party| !state.assignments().iter().any(|one| one.to == *to);
    let members = (0..=u8::MAX)
        .rev()
        .map(|n| Party::Member(MemberId([n; 16])));
    let units = (0..=u8::MAX).rev().map(|n| Party::Unit(UnitId([n; 16])));
    let own = asker.grants.iter().filter_map(|grant| grant.scope.unit());
    members
        .filter(unused)
        .take(1)
        .chain(units.filter(unused).take(1))
        .chain(own.map(Party::Unit))
}

/// An area of the same district without a part in the case.
fn other_area(state: &RecordState) -> AreaPath {
    let district = state.facts.home.district();
    (0..=u8::MAX)
        .rev()
        .filter_map(|n| AreaPath::new(&[district, AreaId([n; 16])]).ok())
        .find(|path| state.areas().all(|known| known != *path))
        .unwrap_or(state.lead_area())
}

fn any_words() -> Text {
    Text::new("·").expect("one character is a text")
}
