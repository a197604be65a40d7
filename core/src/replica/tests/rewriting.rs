//! The words of own changes that became void.

use super::server::Server;
use super::writing::triage;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::case::{Event, Party, payload};
use crate::domain::content::Field;
use crate::sync::port::{GiveAsk, StarPort};
use crate::wire::pack::Pack;
use crate::wire::verdict::{Status, VoidReason};

fn address(text: &str) -> [FieldEdit; 1] {
    [FieldEdit::text(Field::Address, text)]
}

fn codes(phone: &mut FilePhone) -> Vec<String> {
    let notices = phone.replica().notices().unwrap();
    notices.into_iter().map(|notice| notice.code).collect()
}

/// Words that became void twice are left to the person, or two phones could write them again for ever.
#[test]
fn rewrite_that_becomes_void_is_told() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    let first = worker
        .replica()
        .edit(record, &address("武林路133号"), NOW + 1)
        .unwrap();
    let void = Status::Void(VoidReason::VoidParent);
    server.verdicts.insert(first, void);
    server.sync(&mut worker);
    let loaded = worker.replica().load(record).unwrap().unwrap();
    let mut nodes = loaded.nodes().iter();
    let again = nodes.find(|node| node.replaces == Some(first)).unwrap().id;
    server.verdicts.insert(again, void);
    server.sync(&mut worker);

    assert_eq!(worker.replica().undelivered().unwrap(), 0);
    assert_eq!(
        codes(&mut worker),
        ["replica.rewritten", "void.void_parent"]
    );
    let notices = worker.replica().notices().unwrap();
    assert_eq!(notices[1].envelope, Some(again));
    assert!(notices[1].detail.contains("武林路133号"));
}

#[test]
fn words_void_for_their_parents_are_written_again() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    let first = worker
        .replica()
        .edit(record, &address("武林路133号"), NOW + 1)
        .unwrap();
    let void = Status::Void(VoidReason::BadParents);
    server.verdicts.insert(first, void);
    server.sync(&mut worker);

    assert_eq!(codes(&mut worker), ["replica.rewritten"]);
    server.settle(&mut worker);
    let row = worker.replica().row(record).unwrap().unwrap();
    assert_eq!(row.address, "武林路133号");
}

/// One answer brings the accepted case, after which a volunteer edits it no more, and the verdict that asks for
/// the edit once more.
#[test]
fn refused_rewrite_keeps_the_rows_of_the_record() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut volunteer, mut dispatcher, mut handler) = (
        town.phone(VOLUNTEER_WANG),
        town.phone(DISPATCHER_ZHOU),
        town.phone(HANDLER_SHEN),
    );
    let record = volunteer.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut volunteer);
    server.settle(&mut dispatcher);
    let mut room = |event: &Event| dispatcher.replica().act(record, event, None, NOW + 1);
    room(&triage()).unwrap();
    let sent = room(&dispatch_to(Party::Unit(GAS))).unwrap();
    server.settle(&mut dispatcher);
    server.settle(&mut handler);
    let accept = Event::Accept(payload::Step {
        assignment: sent,
        attachments: vec![],
        note: None,
    });
    handler
        .replica()
        .act(record, &accept, None, NOW + 2)
        .unwrap();
    server.settle(&mut handler);

    let edit = volunteer
        .replica()
        .edit(record, &address("武林路133号"), NOW + 3);
    let void = Status::Void(VoidReason::BadParents);
    server.verdicts.insert(edit.unwrap(), void);
    server.sync(&mut volunteer);
    assert_eq!(codes(&mut volunteer), ["void.bad_parents"]);
    let loaded = volunteer.replica().load(record).unwrap().unwrap();
    let row = volunteer.replica().row(record).unwrap().unwrap();
    assert_eq!(row.digest, loaded.digest());
    assert_eq!(row.stage, loaded.state().unwrap().stage_code());
    let here = volunteer.replica().combined_digest().unwrap();
    assert_eq!(here, server.digest());
}

/// More verdicts of the lost server may arrive until both sides are equal.
#[test]
fn words_wait_until_a_restored_server_is_whole() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    let first = worker
        .replica()
        .edit(record, &address("武林路133号"), NOW + 1)
        .unwrap();
    let void = Status::Void(VoidReason::VoidParent);
    server.verdicts.insert(first, void);
    server.generation = 2;
    server.sync(&mut worker);
    assert!(worker.replica().is_behind().unwrap());
    assert_eq!(worker.replica().undelivered().unwrap(), 0);
    assert_eq!(codes(&mut worker), [""; 0]);

    worker.close();
    worker.reopen();
    worker.replica().catch_up(NOW + 9_000).unwrap();
    assert!(!worker.replica().is_behind().unwrap());
    assert_eq!(codes(&mut worker), ["replica.rewritten"]);
    assert_eq!(worker.replica().undelivered().unwrap(), 1);
    server.settle(&mut worker);
    let row = worker.replica().row(record).unwrap().unwrap();
    assert_eq!(row.address, "武林路133号");
}

/// The pack names the envelope without its content, so the earlier pack keeps the words.
#[test]
fn own_work_that_a_later_pack_voids_is_told() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    let edit = worker
        .replica()
        .edit(record, &address("武林路133号"), NOW + 1)
        .unwrap();
    server.settle(&mut worker);
    server.load(&mut worker);
    assert_eq!(codes(&mut worker), [""; 0]);
    server.change_verdict(record, edit, Status::Void(VoidReason::Limit));
    server.load(&mut worker);

    let notices = worker.replica().notices().unwrap();
    assert_eq!(codes(&mut worker), ["void.limit"]);
    assert!(notices[0].detail.contains("武林路133号"));
    assert_eq!(worker.replica().combined_digest().unwrap(), server.digest());
}

/// A server that lost the envelope takes exactly this verdict.
#[test]
fn verdict_of_a_pack_is_given_back_with_the_pack() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    let edit = worker
        .replica()
        .edit(record, &address("武林路133号"), NOW + 1)
        .unwrap();
    server
        .verdicts
        .insert(edit, Status::Void(VoidReason::NotPermitted));
    server.settle(&mut worker);
    server.change_verdict(record, edit, Status::Void(VoidReason::Limit));
    server.load(&mut worker);

    let settled = worker.replica().settled(&record).unwrap();
    let mut lines = settled.iter();
    let verdict = lines.find(|line| line.id == edit).unwrap().verdict;
    assert_eq!(verdict.status, Status::Void(VoidReason::Limit));
    let ask = GiveAsk {
        envelopes: vec![edit],
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    let given = worker.replica().give(&ask).unwrap();
    let attested = given.give_back.attestations.iter();
    let mut said: Vec<_> = attested.filter_map(|a| a.verdict_on(edit)).collect();
    for bytes in given.give_back.packs.iter().flat_map(|batch| &batch.packs) {
        let pack = Pack::from_bytes(bytes).unwrap();
        let entries = pack.entries.iter().filter(|entry| entry.id == edit);
        said.extend(entries.map(|entry| entry.verdict));
    }
    assert_eq!(said, [verdict]);
}

/// The file is rescued while own words wait for a restored server.
#[test]
fn waiting_words_survive_a_rescue() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    let first = worker
        .replica()
        .edit(record, &address("武林路133号"), NOW + 1)
        .unwrap();
    let void = Status::Void(VoidReason::VoidParent);
    server.verdicts.insert(first, void);
    server.generation = 2;
    server.sync(&mut worker);
    assert!(worker.replica().is_behind().unwrap());

    worker.close();
    let (rescued, _) = Replica::rescue(worker.options(), NOW + 5_000).unwrap();
    worker.replica = Some(rescued);
    assert!(worker.replica().is_behind().unwrap());
    worker.replica().catch_up(NOW + 9_000).unwrap();
    assert_eq!(codes(&mut worker), ["replica.rescued", "replica.rewritten"]);
    assert_eq!(worker.replica().undelivered().unwrap(), 1);
}
