//! “148 recorded, 148 counted”.

use super::server::{Entry, REVOKED, Server};
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::content::Field;
use crate::wire::verdict::{Status, VoidReason};

fn all(phone: &mut FilePhone) -> Tally {
    phone.replica().tally(None, None).unwrap()
}

fn counts(recorded: u64, counted: u64, waiting: u64, held: u64, not_counted: u64) -> TallyCounts {
    TallyCounts {
        recorded,
        counted,
        waiting,
        held,
        not_counted,
    }
}

#[test]
fn work_is_recorded_waits_and_counts() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    let mut other = town.phone(GRID_WORKER_LIN);
    for n in 0..3 {
        let record = phone
            .replica()
            .report(&draft(&format!("{n}")), NOW + n)
            .unwrap();
        phone
            .replica()
            .comment(record, said("补充"), NOW + 10 + n)
            .unwrap();
    }
    assert_eq!(all(&mut phone).entries, counts(6, 0, 6, 0, 0));
    assert_eq!(all(&mut phone).records, counts(3, 0, 3, 0, 0));
    server.settle(&mut phone);
    assert_eq!(all(&mut phone).entries, counts(6, 6, 0, 0, 0));
    assert_eq!(all(&mut phone).records, counts(3, 3, 0, 0, 0));
    assert!(all(&mut phone).uncounted.is_empty());
    server.settle(&mut other);
    assert_eq!(all(&mut other), Tally::default(), "the work of others");
    let part = phone
        .replica()
        .tally(Some(NOW + 1), Some(NOW + 11))
        .unwrap();
    assert_eq!(
        part.entries.recorded, 3,
        "from the first instant on, before the second"
    );
    assert_eq!(part.records.recorded, 2);
}

#[test]
fn uncounted_work_is_named_with_words_and_reason() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut phone);
    let bad = phone
        .replica()
        .comment(record, said("不算的"), NOW + 1)
        .unwrap();
    server.verdicts.insert(bad, Status::Void(VoidReason::Limit));
    server.sync(&mut phone);
    let held = phone
        .replica()
        .comment(record, said("等待的"), NOW + 2)
        .unwrap();
    server.verdicts.insert(held, REVOKED);
    server.sync(&mut phone);
    let tally = all(&mut phone);
    assert_eq!(tally.entries, counts(3, 1, 0, 1, 1));
    let told: Vec<_> = tally
        .uncounted
        .iter()
        .map(|one| (one.envelope, one.words.as_str(), one.code.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (held, "等待的", "held.revoked"),
            (bad, "不算的", "void.limit")
        ]
    );
    assert!(
        tally
            .uncounted
            .iter()
            .all(|one| !one.zh.is_empty() && one.en.len() > 10)
    );
    let before = all(&mut phone);
    phone.replica().rebuild().unwrap();
    assert_eq!(all(&mut phone), before);
}

/// The tally of removed work, and unseen news, are in no other table.
#[test]
fn rescue_keeps_the_tally_and_news_that_waits() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (_, _, mut gas, record, assignment) = super::moves::dispatched(&town, &mut server);
    let accept = crate::domain::case::MoveInput {
        assignment: Some(assignment),
        ..crate::domain::case::MoveInput::of(crate::domain::case::Move::Accept)
    };
    gas.replica()
        .make_move(record, &accept, NOW + 9_000)
        .unwrap();
    server.settle(&mut gas);
    server.feed.push(Entry::Withdraw(record));
    server.sync(&mut gas);
    let tally = all(&mut gas);
    assert_eq!(tally.entries, counts(1, 1, 0, 0, 0));
    let news = gas.replica().notifications(0, 9).unwrap();
    assert_eq!(news.len(), 1);
    gas.close();
    // A page that fails while the app is open is met by a rescue of a file that opens.
    let (rescued, _) = Replica::rescue(gas.options(), NOW).unwrap();
    assert_eq!(rescued.tally(None, None).unwrap(), tally);
    assert_eq!(rescued.notifications(0, 9).unwrap(), news);
}

/// Work that was written again under another epoch counts once, in place of the void envelope.
#[test]
fn rewritten_work_counts_once() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut phone);
    let edit = FieldEdit::text(Field::Title, "二");
    let first = phone.replica().edit(record, &[edit], NOW + 1).unwrap();
    server
        .verdicts
        .insert(first, Status::Void(VoidReason::Clone));
    server.settle(&mut phone);
    assert_eq!(phone.replica().row(record).unwrap().unwrap().title, "二");
    assert_eq!(all(&mut phone).entries, counts(2, 2, 0, 0, 0));
}

#[test]
fn work_in_a_withdrawn_record_still_counts() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut phone);
    server.feed.push(Entry::Withdraw(record));
    server.sync(&mut phone);
    assert!(phone.replica().row(record).unwrap().is_none());
    assert_eq!(all(&mut phone).entries, counts(1, 1, 0, 0, 0));
    phone.replica().rebuild().unwrap();
    assert_eq!(all(&mut phone).records, counts(1, 1, 0, 0, 0));
}

/// The server withholds the certificate first, and another stream brings it.
#[test]
fn certificate_that_comes_later_names_the_own_report() {
    for in_a_pack in [false, true] {
        let town = Deployment::new();
        let mut server = Server::new(&town);
        let mut old = town.phone(VOLUNTEER_WANG);
        let record = old.replica().report(&draft("一"), NOW).unwrap();
        server.settle(&mut old);
        let mut new = town.second_phone(VOLUNTEER_WANG, 14, 0);
        server.names = false;
        if in_a_pack {
            server.load(&mut new);
        } else {
            server.sync(&mut new);
        }
        assert!(!new.replica().row(record).unwrap().unwrap().mine);
        server.names = true;
        server.sync(&mut new);
        assert!(new.replica().row(record).unwrap().unwrap().mine);
        let rows = new.replica().rows().unwrap();
        new.replica().rebuild().unwrap();
        assert_eq!(new.replica().rows().unwrap(), rows);
        assert_eq!(all(&mut new).records, counts(1, 1, 0, 0, 0));
    }
}

#[test]
fn work_of_another_phone_of_the_member_is_counted() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut old = town.phone(VOLUNTEER_WANG);
    let record = old.replica().report(&draft("一"), NOW).unwrap();
    old.replica()
        .comment(record, said("补充"), NOW + 1)
        .unwrap();
    server.settle(&mut old);
    let mut new = town.second_phone(VOLUNTEER_WANG, 14, 0);
    server.load(&mut new);
    assert_eq!(all(&mut new).entries, counts(2, 2, 0, 0, 0));
    assert_eq!(all(&mut new).records, counts(1, 1, 0, 0, 0));
}
