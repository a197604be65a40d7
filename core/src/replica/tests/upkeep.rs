//! Upkeep keeps every row that is still needed, and a comment that waits for its record is shown with it.

use std::collections::BTreeSet;

use super::server::Server;
use super::*;
use crate::replica::table::attestation;
use crate::sync::port::{GiveAsk, StarPort};

fn attestations(phone: &mut FilePhone) -> usize {
    let conn = phone.replica().conn().unwrap();
    let newest = attestation::newest(conn).unwrap();
    let there = |no: &i64| attestation::get(conn, *no).unwrap().is_some();
    (1..=newest).filter(there).count()
}

#[test]
fn upkeep_keeps_every_proof_in_use() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let mut records = Vec::new();
    for n in 0..5 {
        let record = phone.replica().report(&draft("隐患"), NOW + n).unwrap();
        records.push(record);
        server.settle(&mut phone);
    }
    // Pages without news have attestations that prove no new verdict.
    for _ in 0..400 {
        server.sync(&mut phone);
    }
    let before = attestations(&mut phone);
    let mut slices = 0;
    while phone.replica().upkeep_slice().unwrap() {
        slices += 1;
    }
    assert!(slices > 1 && attestations(&mut phone) <= records.len() && before > 400);
    let ask = GiveAsk {
        records: records.clone(),
        bytes_max: usize::MAX,
        ..GiveAsk::default()
    };
    let given = phone.replica().give(&ask).unwrap();
    for record in &records {
        for settled in StarPort::settled(&*phone.replica(), record).unwrap() {
            let vouched = |signed: &crate::wire::verdict::Attestation| {
                signed.verdict_on(settled.id) == Some(settled.verdict)
            };
            assert!(given.give_back.attestations.iter().any(vouched));
        }
    }
}

#[test]
fn seen_notices_go_and_waiting_ones_stay() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let record = phone.replica().report(&draft("隐患"), NOW).unwrap();
    server.settle(&mut phone);
    let first = phone.replica().load(record).unwrap().unwrap().nodes()[0].id;
    phone
        .replica()
        .comment(record, said("还在漏"), NOW)
        .unwrap();
    let absent = BTreeSet::from([first]);
    phone.replica().orphaned(&absent, NOW).unwrap();
    let notices = phone.replica().notices().unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].code, "incident.missing_parents");
    assert_eq!(notices[0].detail, "还在漏");
    phone.replica().notices_seen(notices[0].no).unwrap();
    while phone.replica().upkeep_slice().unwrap() {}
    // The person is told once, as long as it waits.
    phone.replica().orphaned(&absent, NOW).unwrap();
    assert!(phone.replica().notices().unwrap().is_empty());
    server.settle(&mut phone);
    while phone.replica().upkeep_slice().unwrap() {}
    let left: i64 = phone
        .replica()
        .conn()
        .unwrap()
        .query_row("SELECT count(*) FROM notice", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

/// The database is older than the record of a comment that waits in the second file. The comment is
/// delivered, and only then its record comes.
#[test]
fn comment_delivered_before_its_record_is_shown() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    phone.close();
    let older = std::fs::read(phone.path()).unwrap();
    phone.reopen();
    let record = phone.replica().report(&draft("隐患"), NOW).unwrap();
    server.settle(&mut phone);
    phone
        .replica()
        .comment(record, said("还在漏"), NOW)
        .unwrap();
    phone.close();
    std::fs::write(phone.path(), older).unwrap();
    phone.reopen();
    assert_eq!(phone.replica().undelivered().unwrap(), 1);
    assert!(phone.replica().view(record).unwrap().is_none());
    server.pages = false;
    server.sync(&mut phone);
    assert_eq!(phone.replica().undelivered().unwrap(), 0);
    // Its record arrives without the comment, which the server knows to be here.
    server.pages = true;
    let comment = server.feed.pop().unwrap();
    server.sync(&mut phone);
    let shown = phone.replica().view(record).unwrap().unwrap();
    assert_eq!(shown.comments[0].text, "还在漏");
    let rows = phone.replica().rows().unwrap();
    phone.replica().rebuild().unwrap();
    assert_eq!(phone.replica().rows().unwrap(), rows);
    server.feed.push(comment);
    server.settle(&mut phone);
}
