//! Projections after a receipt: they always equal projections that are made anew.

use super::meeting::meet;
use super::server::*;
use super::writing::triage;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::content::{Field, FieldValue};
use crate::domain::kinds::hazard;
use crate::id::{EnvelopeId, RecordId};
use crate::sync::port::StarPort;
use crate::wire::verdict::{Status, VoidReason};

const WORDS: [&str; 9] = [
    "煤气罐",
    "电梯",
    "武林",
    "拍照",
    "看过",
    "safety",
    "隐患",
    "楼道",
    "fire",
];

type Shown = (
    Vec<RecordRow>,
    Vec<Vec<RecordId>>,
    crate::wire::digest::Digest,
);

fn shown(replica: &Replica) -> Shown {
    let found = |typed: &&str| {
        let rows = replica.search(typed, None, 50).unwrap().rows;
        let mut ids: Vec<_> = rows.into_iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids
    };
    let found = WORDS.iter().map(found).collect();
    (
        replica.rows().unwrap(),
        found,
        replica.combined_digest().unwrap(),
    )
}

/// Syncs, and compares the projections with projections made anew from envelopes and verdicts.
fn sync(server: &mut Server<'_>, phone: &mut FilePhone) {
    server.sync(phone);
    let replica = phone.replica();
    let now = shown(replica);
    replica.rebuild().unwrap();
    let (anew, digest) = (shown(replica), now.2);
    assert_eq!(now.0, anew.0);
    assert_eq!(now.1, anew.1);
    assert_eq!(server.digest(), digest);
}

fn address(text: &str) -> Vec<FieldEdit> {
    vec![FieldEdit::text(Field::Address, text)]
}

fn severity(number: i64) -> Vec<FieldEdit> {
    vec![FieldEdit::set(
        Field::Own(&hazard::SEVERITY),
        FieldValue::Number(number),
    )]
}

fn found(phone: &mut FilePhone, typed: &str) -> Vec<RecordId> {
    let rows = phone.replica().search(typed, None, 50).unwrap().rows;
    rows.into_iter().map(|row| row.id).collect()
}

#[test]
fn receipts_leave_the_rows_the_words_and_the_digests_that_a_rebuild_makes() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut dispatcher) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let draft = |title: &str| draft(title);
    let plain = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    let edited = worker.replica().report(&draft("电梯"), NOW + 1).unwrap();
    let refused = worker.replica().report(&draft("楼道"), NOW + 2).unwrap();
    worker
        .replica()
        .edit(edited, &address("武林路133号"), NOW + 3)
        .unwrap();
    worker
        .replica()
        .comment(edited, said("已拍照"), NOW + 4)
        .unwrap();
    server
        .verdicts
        .insert(genesis(&mut worker, refused), REVOKED);
    sync(&mut server, &mut worker);
    sync(&mut server, &mut dispatcher);

    // Both write, without knowing of each other.
    for (phone, number) in [(&mut worker, 3), (&mut dispatcher, 1)] {
        let replica = phone.replica();
        replica
            .edit(plain, &severity(number), NOW + 10 + number)
            .unwrap();
        replica
            .comment(plain, said("看过"), NOW + 20 + number)
            .unwrap();
    }
    dispatcher
        .replica()
        .act(edited, &triage(), None, NOW + 30)
        .unwrap();
    let comment = worker
        .replica()
        .comment(edited, said("fire"), NOW + 40)
        .unwrap();
    server
        .verdicts
        .insert(comment, Status::Void(VoidReason::NotPermitted));
    for _ in 0..3 {
        sync(&mut server, &mut worker);
        sync(&mut server, &mut dispatcher);
    }
    assert_eq!(worker.replica().undelivered().unwrap(), 0);
    let row = worker.replica().row(plain).unwrap().unwrap();
    assert_eq!((row.conflicts, row.ladder, row.undelivered), (1, 1, 0));
    let row = worker.replica().row(edited).unwrap().unwrap();
    assert_eq!((row.category.as_str(), row.severity), ("safety", 3));
    assert_eq!(found(&mut worker, "武林"), [edited]);
    assert_eq!(found(&mut worker, "fire"), []);
}

fn genesis(phone: &mut FilePhone, record: RecordId) -> EnvelopeId {
    let loaded = phone.replica().load(record).unwrap().unwrap();
    loaded.nodes()[0].id
}

#[test]
fn words_leave_the_index_with_a_verdict_and_come_back_with_the_next() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    sync(&mut server, &mut worker);
    let comment = worker
        .replica()
        .comment(record, said("已拍照"), NOW + 1)
        .unwrap();
    let title = [FieldEdit::text(Field::Title, "电梯")];
    let edit = worker.replica().edit(record, &title, NOW + 2).unwrap();
    assert_eq!(found(&mut worker, "拍照"), [record]);
    assert_eq!(found(&mut worker, "电梯"), [record]);
    let void = Status::Void(VoidReason::NotPermitted);
    server.verdicts.extend([(comment, void), (edit, void)]);
    sync(&mut server, &mut worker);
    assert_eq!(found(&mut worker, "拍照"), []);
    assert_eq!(found(&mut worker, "电梯"), []);
    assert_eq!(found(&mut worker, "煤气罐"), [record]);

    for id in [comment, edit] {
        server.change_verdict(record, id, Status::Accepted);
    }
    sync(&mut server, &mut worker);
    assert_eq!(found(&mut worker, "拍照"), [record]);
    assert_eq!(found(&mut worker, "电梯"), [record]);
    assert_eq!(found(&mut worker, "煤气罐"), []);
}

#[test]
fn a_receipt_that_accepts_what_counted_does_not_make_the_document_again() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    let set = "UPDATE record SET title = 'as stored'";
    worker.replica().conn().unwrap().execute_batch(set).unwrap();
    server.pages = false;
    server.sync(&mut worker);
    let row = worker.replica().row(record).unwrap().unwrap();
    assert_eq!((row.title.as_str(), row.ladder), ("as stored", 1));
    // With another set of envelopes it is made.
    worker
        .replica()
        .comment(record, said("看过"), NOW + 1)
        .unwrap();
    let row = worker.replica().row(record).unwrap().unwrap();
    assert_eq!(row.title, "煤气罐");
}

#[test]
fn what_others_reported_is_out_of_sight_while_a_restored_server_is_asked_about_it() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(GRID_WORKER_LIN));
    let record = worker.replica().report(&draft("煤气罐"), NOW).unwrap();
    meet(&mut worker, &mut other).unwrap();
    let held = genesis(&mut worker, record);
    server.verdicts.insert(held, REVOKED);
    sync(&mut server, &mut other);
    assert!(other.replica().row(record).unwrap().is_some());
    server.generation = 2;
    sync(&mut server, &mut other);
    assert_eq!(other.replica().undelivered().unwrap(), 1);
    assert!(other.replica().row(record).unwrap().is_none());
    sync(&mut server, &mut other);
    assert_eq!(other.replica().undelivered().unwrap(), 0);
    let loaded = other.replica().load(record).unwrap().unwrap();
    assert_eq!(loaded.node(held).unwrap().verdict.unwrap().status, REVOKED);
    assert!(other.replica().row(record).unwrap().is_some());
}
