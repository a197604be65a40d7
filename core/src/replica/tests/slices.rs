//! An answer is applied in short transactions. Wherever it stops, the next sync continues from there.

use super::server::Server;
use super::*;
use crate::sync::answer::Answer;
use crate::sync::port::{ApplyProgress, StarPort};
use crate::wire::cursor::CursorAt;

/// A server with many records, and a worker that wrote them.
fn filled(town: &Deployment, records: i64) -> (Server<'_>, FilePhone) {
    let mut server = Server::new(town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    for n in 0..records {
        let mut content = hazard(&format!("隐患 {n}"), &"煤气罐".repeat(20));
        content.details_mut().category = Some("gas.cylinder".into());
        let draft = Draft::staff(content, home());
        worker.replica().report(&draft, NOW + n).unwrap();
    }
    server.settle(&mut worker);
    (server, worker)
}

/// Applies with room for this many more pages.
fn squeezed(phone: &mut FilePhone, answer: &Answer, pages: u32) -> Result<(), &'static str> {
    let replica = phone.replica();
    let limit = replica.pages().unwrap() + pages;
    replica.limit_pages(limit).unwrap();
    let applied = replica.apply(answer, NOW);
    replica.limit_pages(1_000_000).unwrap();
    applied.map(drop).map_err(|error| error.code)
}

#[test]
fn large_answers_are_applied_in_slices() {
    let town = Deployment::new();
    let (mut server, mut worker) = filled(&town, 300);
    for load in [true, false] {
        let mut phone = town.phone(GRID_WORKER_XU);
        let answer = if load {
            server.load_answer()
        } else {
            server.exchange_without_upload(&mut phone)
        };
        let before = phone.replica().writes();
        phone.replica().apply(&answer, NOW).unwrap();
        let slices = phone.replica().writes() - before;
        assert!(slices > 4, "{slices} slices");
        let digest = phone.replica().combined_digest().unwrap();
        assert_eq!(digest, server.digest());
        let ids = |phone: &mut FilePhone| -> Vec<_> {
            let rows = phone.replica().rows().unwrap();
            rows.into_iter().map(|row| row.id).collect()
        };
        assert_eq!(ids(&mut phone), ids(&mut worker));
    }
}

#[test]
fn small_answer_is_one_transaction() {
    let town = Deployment::new();
    let (mut server, mut worker) = filled(&town, 3);
    worker.replica().report(&draft("又一个"), NOW).unwrap();
    let answer = server.exchange(&mut worker);
    let before = worker.replica().writes();
    worker.replica().apply(&answer, NOW).unwrap();
    assert_eq!(worker.replica().writes() - before, 1);
}

/// A write of the person takes its turn after each slice.
#[test]
fn writes_between_slices_of_an_answer_stand() {
    let town = Deployment::new();
    let (mut server, _worker) = filled(&town, 300);
    let mut phone = town.phone(GRID_WORKER_XU);
    let answer = server.exchange_without_upload(&mut phone);
    let replica = phone.replica();
    let (mut applying, mut own) = (ApplyProgress::default(), Vec::new());
    while !applying.is_done() {
        let before = replica.writes();
        let applied = replica.apply_slice(&answer, &mut applying, NOW).unwrap();
        assert_eq!(replica.writes() - before, applied.writes);
        assert_eq!(applied.writes, 1, "one transaction holds the replica");
        own.push(replica.report(&draft("其间"), NOW).unwrap());
        // The upkeep removes no row that the rest of the answer needs.
        while replica.upkeep_slice().unwrap() {}
    }
    assert!(own.len() > 4);
    assert_eq!(replica.combined_digest().unwrap(), server.digest());
    for record in own {
        assert!(replica.view(record).unwrap().is_some());
    }
    let rows = phone.replica().rows().unwrap();
    phone.replica().rebuild().unwrap();
    assert_eq!(phone.replica().rows().unwrap(), rows);
}

/// The storage is full after ever more slices, and the app is killed: each time the cursor is where it was,
/// all that came is shown, and the same answer brings the rest.
#[test]
fn answer_that_stops_between_slices_costs_nothing() {
    let town = Deployment::new();
    let (mut server, _worker) = filled(&town, 150);
    for load in [true, false] {
        let mut partial = 0;
        for pages in (4..).step_by(5) {
            let mut phone = town.phone(GRID_WORKER_XU);
            let answer = if load {
                server.load_answer()
            } else {
                server.exchange_without_upload(&mut phone)
            };
            let cursors = phone.replica().cursors().unwrap();
            if squeezed(&mut phone, &answer, pages).is_ok() {
                break;
            }
            phone.crash();
            phone.reopen();
            let after = phone.replica().cursors().unwrap();
            assert!(cursors.is_empty() && after.iter().all(|known| known.at == CursorAt::Fresh));
            let rows = phone.replica().rows().unwrap();
            partial += usize::from(!rows.is_empty() && rows.len() < 150);
            phone.replica().rebuild().unwrap();
            assert_eq!(phone.replica().rows().unwrap(), rows);
            let own = phone.replica().report(&draft("其间"), NOW).unwrap();
            phone.replica().apply(&answer, NOW).unwrap();
            server_has_all(&mut phone, &server);
            assert!(phone.replica().view(own).unwrap().is_some());
            assert_eq!(phone.replica().undelivered().unwrap(), 1);
        }
        assert!(partial > 2, "stopped in the middle {partial} times");
    }
}

fn server_has_all(phone: &mut FilePhone, server: &Server<'_>) {
    assert_eq!(phone.replica().combined_digest().unwrap(), server.digest());
    let rows = phone.replica().rows().unwrap();
    assert_eq!(rows.len(), server.records.len() + 1);
}

/// A person who may no longer read a village loses its records, and keeps undelivered work.
#[test]
fn lost_stream_and_its_records_go_in_slices() {
    let town = Deployment::new();
    let (mut server, _worker) = filled(&town, 200);
    let mut phone = town.phone(GRID_WORKER_XU);
    server.sync(&mut phone);
    let unsent = phone.replica().report(&draft("未送"), NOW).unwrap();
    let request = server.exchange_without_upload(&mut phone);
    let mut response = request.response().clone();
    response.streams = Some(Vec::new());
    response.page = None;
    response.receipt = None;
    let mut asked = request.request().clone();
    asked.bundle = None;
    let answer = Answer::verify(asked, response, &town.anchors, 0).unwrap();
    let before = phone.replica().writes();
    phone.replica().apply(&answer, NOW).unwrap();
    assert!(phone.replica().writes() - before > 4);
    assert!(phone.replica().cursors().unwrap().is_empty());
    let rows = phone.replica().rows().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].id, unsent);
}
