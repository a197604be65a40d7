//! “148 recorded, 148 counted”.

use super::server::{Entry, REVOKED, Server};
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::case::payload::Comment;
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

fn with_photos(phone: &mut FilePhone, numbers: &[u8]) -> Vec<crate::id::Hash> {
    let add = |n: &u8| {
        let added = phone.replica().add_attachment(&photo(9, *n), NOW);
        added.unwrap().id
    };
    numbers.iter().map(add).collect()
}

#[test]
fn photos_count_with_the_work_they_belong_to() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let report = Draft {
        attachments: with_photos(&mut phone, &[1, 2]),
        ..draft("一")
    };
    let record = phone.replica().report(&report, NOW).unwrap();
    let comment = Comment {
        attachments: with_photos(&mut phone, &[3, 4]),
        ..said("补充")
    };
    phone.replica().comment(record, comment, NOW + 1).unwrap();
    assert_eq!(all(&mut phone).entries, counts(2, 0, 2, 0, 0));
    server.settle(&mut phone);
    assert_eq!(all(&mut phone).entries, counts(2, 2, 0, 0, 0));
    assert_eq!(all(&mut phone).records, counts(1, 1, 0, 0, 0));
    let alone = with_photos(&mut phone, &[5]);
    phone.replica().attach(record, alone[0], NOW + 2).unwrap();
    server.settle(&mut phone);
    assert_eq!(
        all(&mut phone).entries,
        counts(3, 3, 0, 0, 0),
        "a photo alone is work"
    );
    phone.replica().rebuild().unwrap();
    assert_eq!(all(&mut phone).entries, counts(3, 3, 0, 0, 0));
}

/// The comment counts, and the person still learns that its photo does not.
#[test]
fn void_photo_of_counted_work_is_named() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut phone);
    let comment = Comment {
        attachments: with_photos(&mut phone, &[1]),
        ..said("补充")
    };
    let said = phone.replica().comment(record, comment, NOW + 1).unwrap();
    let loaded = phone.replica().load(record).unwrap().unwrap();
    let mut ids = loaded.nodes().iter().map(|node| node.id);
    let described = ids.find(|id| *id != loaded.nodes()[0].id && *id != said);
    let described = described.unwrap();
    let void = Status::Void(VoidReason::Limit);
    server.verdicts.insert(described, void);
    server.sync(&mut phone);
    let tally = all(&mut phone);
    assert_eq!(tally.entries, counts(3, 2, 0, 0, 1));
    let named: Vec<_> = tally.uncounted.iter().map(|one| one.envelope).collect();
    assert_eq!(named, [described]);
}

/// A revoked phone: everything is held, and the comment is named once.
#[test]
fn held_comment_is_named_without_its_photo() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(GRID_WORKER_CHEN);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut phone);
    let comment = Comment {
        attachments: with_photos(&mut phone, &[1]),
        ..said("补充")
    };
    phone.replica().comment(record, comment, NOW + 1).unwrap();
    let loaded = phone.replica().load(record).unwrap().unwrap();
    for node in &loaded.nodes()[1..] {
        server.verdicts.insert(node.id, REVOKED);
    }
    server.sync(&mut phone);
    let tally = all(&mut phone);
    assert_eq!(tally.entries, counts(2, 1, 0, 1, 0));
    assert_eq!(tally.uncounted.len(), 1);
    assert_eq!(tally.uncounted[0].words, "补充");
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
