//! With a server: receipts, pulls, packs, purge, verdicts that change, and words that are never lost.

use super::server::*;
use super::writing::triage;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::case::{Event, Party, payload};
use crate::domain::content::Field;
use crate::sync::port::StarPort;
use crate::wire::verdict::{Status, VoidReason};

fn address(text: &str) -> Vec<FieldEdit> {
    vec![FieldEdit::text(Field::Address, text)]
}

#[test]
fn what_one_phone_reports_the_other_sees_and_both_agree_with_the_server() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut volunteer, mut dispatcher) = (town.phone(VOLUNTEER_WANG), town.phone(DISPATCHER_ZHOU));
    let record = volunteer.replica().report(&draft("煤气罐"), NOW).unwrap();
    volunteer
        .replica()
        .comment(record, said("五六个"), NOW + 1)
        .unwrap();
    let applied = server.sync(&mut volunteer);
    assert_eq!(applied.settled, 2);
    assert_eq!(volunteer.replica().undelivered().unwrap(), 0);
    server.settle(&mut dispatcher);
    let seen = dispatcher.replica().view(record).unwrap().unwrap();
    assert_eq!((seen.row.title.as_str(), seen.row.mine), ("煤气罐", false));
    assert_eq!(seen.comments[0].text, "五六个");
    let own = volunteer.replica().row(record).unwrap().unwrap();
    assert_eq!(RecordRow { mine: false, ..own }, seen.row);
}

#[test]
fn the_ladder_of_a_report_goes_up_step_by_step() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut volunteer, mut dispatcher, mut handler) = (
        town.phone(VOLUNTEER_WANG),
        town.phone(DISPATCHER_ZHOU),
        town.phone(HANDLER_SHEN),
    );
    let record = volunteer.replica().report(&draft("煤气罐"), NOW).unwrap();
    let ladder = |phone: &mut FilePhone| phone.replica().row(record).unwrap().unwrap().ladder;
    assert_eq!(ladder(&mut volunteer), 0);
    server.settle(&mut volunteer);
    assert_eq!(ladder(&mut volunteer), 1);
    server.settle(&mut dispatcher);
    let seen = Event::Seen(payload::Seen {});
    dispatcher
        .replica()
        .act(record, &seen, None, NOW + 10)
        .unwrap();
    dispatcher
        .replica()
        .act(record, &triage(), None, NOW + 10)
        .unwrap();
    let sent = dispatcher
        .replica()
        .act(record, &dispatch_to(Party::Unit(GAS)), None, NOW + 11)
        .unwrap();
    server.settle(&mut dispatcher);
    server.settle(&mut volunteer);
    assert_eq!(ladder(&mut volunteer), 2);
    server.settle(&mut handler);
    let step = payload::Step {
        assignment: sent,
        attachments: vec![],
        note: None,
    };
    for event in [
        Event::Accept(step.clone()),
        Event::Arrive(step.clone()),
        Event::Resolve(step),
    ] {
        handler
            .replica()
            .act(record, &event, None, NOW + 20)
            .unwrap();
    }
    server.settle(&mut handler);
    server.settle(&mut volunteer);
    assert_eq!(ladder(&mut volunteer), 3);
}

#[test]
fn applying_the_same_answer_twice_changes_nothing_more() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    phone.replica().report(&draft("一"), NOW).unwrap();
    let answer = server.exchange(&mut phone);
    phone.replica().apply(&answer, NOW).unwrap();
    let (rows, digest) = (
        phone.replica().rows().unwrap(),
        phone.replica().combined_digest().unwrap(),
    );
    let again = phone.replica().apply(&answer, NOW).unwrap();
    assert_eq!(again.settled + again.pulled, 0);
    assert_eq!(phone.replica().rows().unwrap(), rows);
    assert_eq!(phone.replica().combined_digest().unwrap(), digest);
}

#[test]
fn a_fresh_phone_gets_packs_and_shows_what_a_phone_with_every_envelope_shows() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut other, mut fresh) = (
        town.phone(GRID_WORKER_CHEN),
        town.phone(DISPATCHER_ZHOU),
        town.phone(DISPATCHER_GAO),
    );
    let mut records = Vec::new();
    for n in 0..8 {
        let record = worker
            .replica()
            .report(&draft(&format!("隐患 {n}")), NOW + n)
            .unwrap();
        worker
            .replica()
            .edit(record, &address(&format!("{n} 号")), NOW + 100)
            .unwrap();
        records.push(record);
    }
    server.settle(&mut worker);
    server.settle(&mut other);
    other
        .replica()
        .act(records[0], &triage(), None, NOW + 199)
        .unwrap();
    other
        .replica()
        .act(records[0], &dispatch_to(Party::Unit(GAS)), None, NOW + 200)
        .unwrap();
    server.settle(&mut other);
    server.load(&mut fresh);
    assert_eq!(
        fresh.replica().rows().unwrap(),
        other.replica().rows().unwrap()
    );
    assert_eq!(fresh.replica().combined_digest().unwrap(), server.digest());
    for record in &records {
        assert_eq!(
            fresh.replica().record_ids(record).unwrap(),
            other.replica().record_ids(record).unwrap()
        );
    }
    // It continues from the pack, and the others accept it.
    fresh
        .replica()
        .edit(records[1], &address("新址"), NOW + 300)
        .unwrap();
    server.settle(&mut fresh);
    server.settle(&mut other);
    assert_eq!(
        fresh.replica().rows().unwrap(),
        other.replica().rows().unwrap()
    );
    let rows = fresh.replica().rows().unwrap();
    fresh.replica().rebuild().unwrap();
    assert_eq!(fresh.replica().rows().unwrap(), rows);
    assert_eq!(fresh.replica().combined_digest().unwrap(), server.digest());
}

#[test]
fn a_pack_over_own_undelivered_work_keeps_it_in_the_outbox() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    worker
        .replica()
        .edit(record, &address("未送达"), NOW + 1)
        .unwrap();
    server.load(&mut worker);
    assert_eq!(worker.replica().undelivered().unwrap(), 1);
    assert_eq!(
        worker.replica().row(record).unwrap().unwrap().address,
        "未送达"
    );
    server.settle(&mut worker);
    assert_eq!(
        worker.replica().row(record).unwrap().unwrap().undelivered,
        0
    );
}

#[test]
fn a_change_on_a_void_one_is_written_again_with_the_same_words_and_the_person_is_told() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    let first = worker
        .replica()
        .edit(record, &address("武林路133号"), NOW + 1)
        .unwrap();
    let title = [FieldEdit::text(Field::Title, "五个煤气罐")];
    let second = worker.replica().edit(record, &title, NOW + 2).unwrap();
    server
        .verdicts
        .insert(first, Status::Void(VoidReason::NotPermitted));
    server.sync(&mut worker);

    let view = worker.replica().view(record).unwrap().unwrap();
    assert_eq!(view.row.title, "五个煤气罐", "written again");
    assert_eq!(view.row.address, "", "the void one does not count");
    let aside: Vec<_> = view
        .set_aside
        .iter()
        .map(|aside| (aside.id, aside.code))
        .collect();
    assert_eq!(
        aside,
        [(first, "void.not_permitted"), (second, "void.void_parent")]
    );
    assert!(view.set_aside[0].words.contains("武林路133号"));
    assert!(view.set_aside[1].rewritten.is_some());
    let notices = worker.replica().notices().unwrap();
    let told: Vec<_> = notices.iter().map(|notice| notice.code.as_str()).collect();
    assert_eq!(told, ["void.not_permitted", "replica.rewritten"]);
    assert!(notices[0].detail.contains("武林路133号"));
    assert!(notices[1].detail.contains("五个煤气罐"));
    server.settle(&mut worker);
    let mut other = town.phone(DISPATCHER_ZHOU);
    server.settle(&mut other);
    assert_eq!(
        other.replica().row(record).unwrap().unwrap().title,
        "五个煤气罐"
    );
    let last = notices.last().unwrap().no;
    worker.replica().notices_seen(last).unwrap();
    assert_eq!(worker.replica().notices().unwrap(), []);
}

#[test]
fn a_cloned_phone_keeps_both_peoples_words_under_two_epochs() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    worker.close();
    // A copy of everything, the marker included, which only the server can detect.
    let mut clone = FilePhone::new(GRID_WORKER_CHEN);
    clone.crash();
    std::fs::copy(worker.path(), clone.path()).unwrap();
    std::fs::copy(worker.marker(), clone.marker()).unwrap();
    worker.reopen();
    clone.runs = 50;
    clone.reopen();
    worker
        .replica()
        .edit(record, &address("原机写的"), NOW + 1)
        .unwrap();
    let title = [FieldEdit::text(Field::Title, "副本写的")];
    clone.replica().edit(record, &title, NOW + 2).unwrap();
    let before = clone.replica().epoch().unwrap();
    server.settle(&mut worker);
    server.sync(&mut clone);
    assert_ne!(clone.replica().epoch().unwrap(), before, "a new epoch");
    server.settle(&mut clone);
    server.settle(&mut worker);
    for phone in [&mut worker, &mut clone] {
        let row = phone.replica().row(record).unwrap().unwrap();
        assert_eq!(
            (row.title.as_str(), row.address.as_str()),
            ("副本写的", "原机写的")
        );
    }
}

#[test]
fn held_work_is_shown_to_its_author_with_the_reason_and_counts_once_released() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    let held = worker
        .replica()
        .edit(record, &address("待审"), NOW + 1)
        .unwrap();
    server.verdicts.insert(held, REVOKED);
    server.sync(&mut worker);
    let view = worker.replica().view(record).unwrap().unwrap();
    assert_eq!(view.row.address, "");
    assert_eq!(
        (view.set_aside[0].code, view.set_aside[0].id),
        ("held.revoked", held)
    );
    assert!(view.set_aside[0].words.contains("待审"));
    server.change_verdict(record, held, Status::Accepted);
    server.sync(&mut worker);
    let view = worker.replica().view(record).unwrap().unwrap();
    assert_eq!(view.row.address, "待审");
    assert!(view.set_aside.is_empty());
    assert_eq!(worker.replica().combined_digest().unwrap(), server.digest());
}

#[test]
fn a_higher_generation_asks_again_for_what_was_turned_down() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    let held = worker
        .replica()
        .edit(record, &address("待审"), NOW + 1)
        .unwrap();
    server.verdicts.insert(held, REVOKED);
    server.sync(&mut worker);
    assert_eq!(worker.replica().undelivered().unwrap(), 0);
    server.generation = 2;
    server.sync(&mut worker);
    assert_eq!(worker.replica().generation().unwrap(), 2);
    assert_eq!(
        worker.replica().undelivered().unwrap(),
        1,
        "the restored server is asked again"
    );
}
