//! The work of a newer app on a phone that does not know it: it is kept, it is never void, and the phone
//! can still speak and warn.

use super::server::Server;
use super::*;
use crate::domain::Text;
use crate::domain::case::payload::{Comment, DangerRemains, KindStep};
use crate::domain::case::{Event, Move, MoveInput, Stage};
use crate::domain::kinds::visit;
use crate::id::RecordId;
use crate::wire::body::Body;
use crate::wire::message::Bundle;
use crate::wire::verdict::{HeldReason, Status};

fn comment(words: &str) -> Event {
    Event::Comment(Comment {
        text: Some(Text::new(words).unwrap()),
        attachments: Vec::new(),
        mentions: Vec::new(),
    })
}

fn danger() -> Event {
    Event::DangerRemains(DangerRemains {
        text: Some(Text::new("气瓶又出现了").unwrap()),
        attachments: Vec::new(),
    })
}

/// The code and data of an event that this version does not know.
fn newer() -> (u16, Vec<u8>) {
    (9_999, vec![0x80])
}

/// An event that this version does not know, as another phone sends it. Returns the status that the server
/// alone gave it.
fn event_of_newer_app(
    server: &mut Server<'_>,
    author: &mut FilePhone,
    record: RecordId,
    accepted: bool,
    (code, data): (u16, Vec<u8>),
) -> Status {
    let writer = author.writer();
    let own = &writer.certificate;
    let loaded = author.replica().load(record).unwrap().unwrap();
    let header = header(own, Some(record), &loaded.heads(), NOW);
    let envelope = writer.sign(header, &Body::Event(raw_event(code, data)));
    let id = envelope.id();
    if accepted {
        server.verdicts.insert(id, Status::Accepted);
    }
    server.judge(&Bundle {
        certificates: vec![own.raw().clone()],
        envelopes: vec![envelope.raw().clone()],
    });
    let verdict = server.records[&record].node(id).unwrap().verdict;
    verdict.unwrap().status
}

#[test]
fn frozen_record_takes_words_edits_and_danger() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = worker.replica().report(&draft("气瓶"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut dispatcher);
    let said = event_of_newer_app(&mut server, &mut dispatcher, record, true, newer());
    assert_eq!(said, Status::Accepted);
    server.settle(&mut worker);
    let phone = worker.replica();
    assert!(phone.view(record).unwrap().unwrap().row.needs_newer_app);

    phone.act(record, &comment("还在"), None, NOW).unwrap();
    let edit = crate::crdt::FieldEdit::text(crate::domain::content::Field::Title, "二层气瓶");
    phone.edit(record, &[edit], NOW).unwrap();
    phone.act(record, &danger(), None, NOW).unwrap();
    let mut staged = |n| vec![phone.add_attachment(&photo(9, n), NOW).unwrap().id];
    let (before, after) = (staged(1), staged(2));
    let refused = phone.act(
        record,
        &Event::HandledOnSpot(crate::domain::case::payload::HandledOnSpot {
            before,
            after,
            note: None,
        }),
        None,
        NOW,
    );
    assert!(matches!(refused, Err(ReplicaError::NeedsNewerApp)));
    let offers = phone.moves(record, None).unwrap();
    let allowed = |movement| {
        let offer = offers.iter().find(|offer| offer.movement == movement);
        offer.unwrap().allowed.is_ok()
    };
    assert!(allowed(Move::Comment) && allowed(Move::DangerRemains));
    assert!(!allowed(Move::HandledOnSpot));
    assert!(phone.may_edit(record, None).unwrap().is_ok());
    let view = phone.view(record).unwrap().unwrap();
    let state = view.state.unwrap();
    assert_eq!(
        (state.case().unwrap().danger, state.stage()),
        (true, Stage::Reported)
    );
    server.settle(&mut worker);
    assert!(
        worker
            .replica()
            .view(record)
            .unwrap()
            .unwrap()
            .set_aside
            .is_empty()
    );
}

#[test]
fn event_of_newer_app_is_held() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("气瓶"), NOW).unwrap();
    server.settle(&mut worker);
    let said = event_of_newer_app(&mut server, &mut worker, record, false, newer());
    assert_eq!(said, Status::Held(HeldReason::Newer));
}

#[test]
fn unknown_step_is_held_and_freezes_when_accepted() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_XU));
    let record = worker.replica().report(&visit_draft(), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut other);
    let step = Event::Step(KindStep {
        step: 200,
        reason: None,
        attachments: Vec::new(),
        note: None,
    });
    let data = step.encode();
    let said = event_of_newer_app(&mut server, &mut worker, record, false, data.clone());
    assert_eq!(said, Status::Held(HeldReason::Newer));
    let said = event_of_newer_app(&mut server, &mut other, record, true, data);
    assert_eq!(said, Status::Accepted);
    server.settle(&mut worker);
    let phone = worker.replica();
    let row = phone.view(record).unwrap().unwrap().row;
    assert!(row.needs_newer_app && row.open);
    let refused = phone.make_move(record, &MoveInput::of_step(&visit::START), NOW);
    assert!(matches!(refused, Err(ReplicaError::NeedsNewerApp)));
    phone.act(record, &comment("还在"), None, NOW).unwrap();
}
