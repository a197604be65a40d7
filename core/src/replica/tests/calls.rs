//! Joint calls, tasks and notices on phones: many parties with one tap, a call that travels from phone to phone, and
//! a receipt.

use super::meeting::meet;
use super::server::Server;
use super::*;
use crate::domain::case::{Move, MoveInput, Part, Party};
use crate::domain::kinds::notice::{self, Notice, receipts};
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

/// A notice is due on the phone of its addressee until this one signs for it. The office sees the receipt, and the
/// addressee cannot change the words.
#[test]
fn notice_is_due_until_its_unit_signs() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut room, mut gas) = (town.phone(DISPATCHER_ZHOU), town.phone(HANDLER_SHEN));
    let warning = Notice {
        details: Details {
            title: Some("寒潮预警".into()),
            ..Details::default()
        },
        notice_type: Some(2),
        ..Notice::default()
    };
    let draft = Draft::staff(warning.into(), home());
    let record = room.replica().report(&draft, NOW).unwrap();
    let mut to_gas = MoveInput::of(Move::Share);
    to_gas.to_unit = Some(GAS);
    to_gas.deadlines.accept_by_ms = Some(NOW + 5_000);
    let sent = room.replica().make_move(record, &to_gas, NOW + 1).unwrap();
    server.settle(&mut room);
    server.settle(&mut gas);
    let missing = |phone: &mut FilePhone| -> Vec<Party> {
        let view = phone.replica().view(record).unwrap().unwrap();
        let is_of = |who, _: &Party| who == HANDLER_SHEN.member();
        receipts(&view.state.unwrap(), is_of, |_| None)
            .missing()
            .collect()
    };
    let due = |phone: &mut FilePhone| phone.replica().row(record).unwrap().unwrap().due_ms;
    assert_eq!(due(&mut gas), Some(NOW + 5_000));
    assert_eq!(missing(&mut room), [Party::Unit(GAS)]);
    assert_eq!(
        gas.replica().may_edit(record, None).unwrap(),
        Err("may.role")
    );
    step(&mut gas, record, Move::Accept, sent, NOW + 10);
    assert_eq!(due(&mut gas), None);
    server.settle(&mut gas);
    server.settle(&mut room);
    assert_eq!((missing(&mut room), due(&mut room)), (vec![], None));
    let recall = MoveInput {
        text: Some("预警解除".into()),
        ..MoveInput::of_step(&notice::RECALL)
    };
    room.replica().make_move(record, &recall, NOW + 20).unwrap();
    for _ in 0..2 {
        server.settle(&mut room);
        server.settle(&mut gas);
    }
    assert_eq!(
        gas.replica().row(record).unwrap().unwrap().stage,
        notice::RECALLED.code
    );
}
