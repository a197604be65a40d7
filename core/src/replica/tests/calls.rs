//! Joint calls and tasks on phones: many parties with one tap, and a call that travels from phone to phone.

use super::meeting::meet;
use super::server::Server;
use super::*;
use crate::domain::case::{Move, MoveInput, Part, Party};
use crate::domain::kinds::task::Task;
use crate::domain::kinds::whistle::{self, Whistle, missing};
use crate::id::{EnvelopeId, RecordId};

fn call(room: &mut FilePhone) -> RecordId {
    let details = Details {
        title: Some("武林路 133 号气瓶".into()),
        ..Details::default()
    };
    let content = Whistle {
        details,
        joint_type: Some(1),
        ..Whistle::default()
    };
    let draft = Draft::staff(content.into(), home());
    let record = room.replica().report(&draft, NOW).unwrap();
    let blow = MoveInput::of_step(&whistle::BLOW);
    room.replica().make_move(record, &blow, NOW + 1).unwrap();
    record
}

fn step(phone: &mut FilePhone, record: RecordId, movement: Move, id: EnvelopeId, at_ms: i64) {
    let input = MoveInput {
        assignment: Some(id),
        ..MoveInput::of(movement)
    };
    phone.replica().make_move(record, &input, at_ms).unwrap();
}

fn who_is_missing(phone: &mut FilePhone, record: RecordId) -> Vec<Party> {
    let view = phone.replica().view(record).unwrap().unwrap();
    missing(&view.state.unwrap())
}

/// The caller has no network. A unit hears of the call from a phone that met the caller, reports in, and the caller
/// learns it at the next meeting. The server then accepts everything.
#[test]
fn call_reaches_a_unit_from_phone_to_phone() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let [mut room, mut worker, mut gas] =
        [DISPATCHER_ZHOU, GRID_WORKER_CHEN, HANDLER_SHEN].map(|person| town.phone(person));
    let record = call(&mut room);
    let parties = [Party::Unit(GAS), Party::Unit(TEAM), Party::Unit(GAS)];
    let to_each = MoveInput {
        part: Some(Part::Lead),
        ..MoveInput::default()
    };
    let called = room
        .replica()
        .dispatch_all(record, &parties, &to_each, NOW + 2)
        .unwrap();
    assert_eq!(
        called[2],
        Err("case.already_assigned"),
        "and it stops no other"
    );
    let gas_call = called[0].unwrap();
    assert!(called[1].is_ok());
    meet(&mut room, &mut worker).unwrap();
    meet(&mut worker, &mut gas).unwrap();
    assert_eq!(who_is_missing(&mut gas, record), parties[..2]);
    step(&mut gas, record, Move::Accept, gas_call, NOW + 100);
    step(&mut gas, record, Move::Arrive, gas_call, NOW + 200);
    meet(&mut gas, &mut worker).unwrap();
    meet(&mut worker, &mut room).unwrap();
    assert_eq!(who_is_missing(&mut room, record), [Party::Unit(TEAM)]);
    for _ in 0..2 {
        for phone in [&mut worker, &mut gas, &mut room] {
            server.settle(phone);
        }
    }
    for phone in [&mut worker, &mut gas, &mut room] {
        let view = phone.replica().view(record).unwrap().unwrap();
        assert!(view.set_aside.is_empty() && view.row.undelivered == 0);
        assert_eq!(view.row.stage, whistle::CALLED.code);
        // The unit knows who called, because a call has no witnesses.
        assert_eq!(view.state.unwrap().reporter, Some(DISPATCHER_ZHOU.member()));
        assert_eq!(who_is_missing(phone, record), [Party::Unit(TEAM)]);
    }
}

/// A phone that was offline when a task was published gets it with its deadline, and feeds back after the end.
#[test]
fn task_reaches_a_late_phone_and_its_feedback_counts() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut room, mut gas) = (town.phone(DISPATCHER_ZHOU), town.phone(HANDLER_SHEN));
    let task = Task {
        details: Details {
            title: Some("燃气自查".into()),
            ..Details::default()
        },
        ..Task::default()
    };
    let draft = Draft::staff(task.into(), home());
    let record = room.replica().report(&draft, NOW).unwrap();
    let mut to_each = MoveInput::default();
    to_each.deadlines.resolve_by_ms = Some(NOW + 5_000);
    let given = room
        .replica()
        .dispatch_all(record, &[Party::Unit(GAS)], &to_each, NOW + 1)
        .unwrap();
    let given = given[0].unwrap();
    server.settle(&mut room);
    server.settle(&mut gas);
    let row = gas.replica().row(record).unwrap().unwrap();
    assert_eq!((row.due_ms, row.open), (Some(NOW + 5_000), true));
    let complete = MoveInput::of_step(&crate::domain::kinds::task::COMPLETE);
    room.replica()
        .make_move(record, &complete, NOW + 10)
        .unwrap();
    step(&mut gas, record, Move::Accept, given, NOW + 11);
    step(&mut gas, record, Move::Resolve, given, NOW + 12);
    for _ in 0..2 {
        server.settle(&mut room);
        server.settle(&mut gas);
    }
    for phone in [&mut room, &mut gas] {
        let view = phone.replica().view(record).unwrap().unwrap();
        assert_eq!((view.row.due_ms, view.row.open), (None, false));
        let state = view.state.unwrap();
        assert!(state.assignment(given).unwrap().resolved_ms.is_some());
        assert_eq!(state.superseded().count(), 0);
    }
}
