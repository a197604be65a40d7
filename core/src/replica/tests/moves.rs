//! A phone can make every move that it offers.

use super::server::Server;
use super::*;
use crate::domain::case::{InputError, InputField, Move, MoveInput, MoveOption, Part, Party};
use crate::id::{EnvelopeId, RecordId};

fn option_of(phone: &mut FilePhone, record: RecordId, movement: Move) -> MoveOption {
    let all = phone.replica().moves(record, None).unwrap();
    all.into_iter()
        .find(|one| one.movement == movement)
        .unwrap()
}

fn dispatch_to_gas() -> MoveInput {
    MoveInput {
        to_unit: Some(GAS),
        part: Some(Part::Lead),
        ..MoveInput::of(Move::Dispatch)
    }
}

fn triage() -> MoveInput {
    MoveInput {
        category: Some("gas".into()),
        severity: Some(Severity::Serious),
        ..MoveInput::of(Move::Triage)
    }
}

/// A report that the dispatcher has triaged and dispatched to the gas company.
pub(super) fn dispatched(
    town: &Deployment,
    server: &mut Server<'_>,
) -> (FilePhone, FilePhone, FilePhone, RecordId, EnvelopeId) {
    dispatched_by(
        town,
        server,
        [VOLUNTEER_WANG, DISPATCHER_ZHOU, HANDLER_SHEN],
    )
}

/// A report of the first person that the second one has dispatched to the unit of the third one.
pub(super) fn dispatched_by(
    town: &Deployment,
    server: &mut Server<'_>,
    people: [Person; 3],
) -> (FilePhone, FilePhone, FilePhone, RecordId, EnvelopeId) {
    let [mut volunteer, mut room, mut gas] = people.map(|person| town.phone(person));
    let record = volunteer.replica().report(&draft("气瓶"), NOW).unwrap();
    server.settle(&mut volunteer);
    server.settle(&mut room);
    let replica = room.replica();
    replica.make_move(record, &triage(), NOW + 1_000).unwrap();
    let assignment = replica
        .make_move(record, &dispatch_to_gas(), NOW + 2_000)
        .unwrap();
    server.settle(&mut room);
    server.settle(&mut gas);
    server.settle(&mut volunteer);
    (volunteer, room, gas, record, assignment)
}

#[test]
fn offered_moves_are_made_and_refused_ones_refused() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut volunteer, _, mut gas, record, assignment) = dispatched(&town, &mut server);
    let accept = MoveInput {
        assignment: Some(assignment),
        ..MoveInput::of(Move::Accept)
    };
    let refused = option_of(&mut volunteer, record, Move::Accept);
    assert_eq!(refused.allowed, Err("may.not_assigned"));
    let error = volunteer
        .replica()
        .make_move(record, &accept, NOW)
        .unwrap_err();
    assert_eq!(error.code(), "may.not_assigned");

    let offered = option_of(&mut gas, record, Move::Accept);
    assert_eq!(offered.assignment, Some(assignment));
    assert_eq!(offered.allowed.unwrap().scope, Scope::Unit(GAS));
    gas.replica()
        .make_move(record, &accept, NOW + 5_000)
        .unwrap();
    let again = option_of(&mut gas, record, Move::Accept);
    assert_eq!(again.allowed, Err("case.assignment_elsewhere"));
    assert!(option_of(&mut gas, record, Move::Resolve).allowed.is_ok());
    let view = gas.replica().view(record).unwrap().unwrap();
    assert_eq!(view.state.unwrap().assignments()[0].to, Party::Unit(GAS));
}

#[test]
fn incomplete_input_is_refused_by_field_and_writes_nothing() {
    let town = Deployment::new();
    let mut room = town.phone(DISPATCHER_ZHOU);
    let record = room.replica().report(&draft("气瓶"), NOW).unwrap();
    let before = room.replica().undelivered().unwrap();
    let dismiss = MoveInput::of(Move::Dismiss);
    let error = room.replica().make_move(record, &dismiss, NOW).unwrap_err();
    assert_eq!(error.code(), "input.missing");
    let ReplicaError::Input(InputError::Missing(field)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(field, InputField::Text);
    assert_eq!(room.replica().undelivered().unwrap(), before);
}

#[test]
fn edit_offer_names_the_grant_or_the_reason() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut volunteer, mut room, _, record, _) = dispatched(&town, &mut server);
    assert!(volunteer.replica().may_edit(record, None).unwrap().is_ok());
    let grant = room.replica().may_edit(record, None).unwrap().unwrap();
    assert_eq!(grant.role, Role::Dispatcher);
    let stranger = Grant {
        role: Role::Supervisor,
        scope: Scope::Unit(TEAM),
    };
    let refused = room.replica().may_edit(record, Some(&stranger)).unwrap();
    assert_eq!(refused, Err("may.role"));
}
