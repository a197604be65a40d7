//! Records that no stream holds any more: the removed ones, the kept ones, and the notices to their
//! authors.

use super::meeting::{ids, meet};
use super::server::*;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::content::Field;
use crate::sync::port::StarPort;
use crate::wire::verdict::{RefusedReason, Status, VoidReason};

#[test]
fn withdrawing_purges_a_record_but_never_undelivered_work() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut other);
    other
        .replica()
        .comment(record, said("还没送出的话"), NOW + 1)
        .unwrap();
    server.feed.push(Entry::Withdraw(record));

    // The page arrives before the receipt of the comment, because the upload is held back.
    let answer = server.exchange_without_upload(&mut other);
    other.replica().apply(&answer, NOW).unwrap();
    let view = other
        .replica()
        .view(record)
        .unwrap()
        .expect("undelivered work stays");
    assert_eq!(view.comments[0].text, "还没送出的话");
    assert_eq!(other.replica().undelivered().unwrap(), 1);

    // The comment is delivered, so the record is removed and its author is told. The stream no longer holds
    // the record and does not bring it.
    server.pages = false;
    server.sync(&mut other);
    assert!(other.replica().view(record).unwrap().is_none());
    assert!(other.replica().rows().unwrap().is_empty());
    assert!(
        other
            .replica()
            .search("一", None, 10)
            .unwrap()
            .rows
            .is_empty()
    );
    let notices = other.replica().notices().unwrap();
    assert_eq!(notices.last().unwrap().code, "replica.purged");
    // The record returns when a stream holds it again.
    server.feed.push(Entry::Add(record));
    server.load(&mut other);
    assert!(other.replica().view(record).unwrap().is_some());
    // Their words returned inside a pack. When the record is removed again, they are told again.
    server.pages = true;
    server.feed.push(Entry::Withdraw(record));
    server.sync(&mut other);
    assert!(other.replica().view(record).unwrap().is_none());
    let again = other.replica().notices().unwrap();
    assert_eq!(again.len(), notices.len() + 1);
    assert_eq!(again.last().unwrap().code, "replica.purged");
}

#[test]
fn copy_without_own_work_is_not_taken_after_withdrawal() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut other);
    let words = said("我写的话");
    other.replica().comment(record, words, NOW + 1).unwrap();
    server.sync(&mut other);
    server.feed.push(Entry::Withdraw(record));
    server.sync(&mut other);
    assert!(other.replica().view(record).unwrap().is_none());

    // The worker's copy is older than the comment.
    assert_eq!(ids(&mut worker, record).len(), 1);
    meet(&mut worker, &mut other).unwrap();
    assert!(other.replica().view(record).unwrap().is_none());
    assert!(other.replica().rows().unwrap().is_empty());

    // A copy with the comment is taken.
    let mut third = town.phone(GRID_WORKER_XU);
    server.feed.pop();
    server.settle(&mut third);
    assert_eq!(ids(&mut third, record).len(), 2);
    meet(&mut third, &mut other).unwrap();
    let view = other.replica().view(record).unwrap();
    assert_eq!(view.unwrap().comments[0].text, "我写的话");
}

/// A copy that holds only a part of the own work leaves none of it here, or the next copy would pass as known.
#[test]
fn copy_with_part_of_own_work_is_refused_twice() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut other);
    let first = said("第一句");
    other.replica().comment(record, first, NOW + 1).unwrap();
    server.sync(&mut other);
    server.settle(&mut worker);
    assert_eq!(ids(&mut worker, record).len(), 2);
    let second = said("第二句");
    other.replica().comment(record, second, NOW + 2).unwrap();
    server.sync(&mut other);
    server.feed.push(Entry::Withdraw(record));
    server.sync(&mut other);

    // The worker's copy lacks the second comment.
    for _ in 0..2 {
        meet(&mut worker, &mut other).unwrap();
        assert!(other.replica().view(record).unwrap().is_none());
    }
}

#[test]
fn a_withdrawn_record_stays_while_own_work_in_it_awaits_review() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut other);
    let comment = said("等人审核的话");
    let comment = other.replica().comment(record, comment, NOW + 1).unwrap();
    server.verdicts.insert(comment, REVOKED);
    server.feed.push(Entry::Withdraw(record));
    server.sync(&mut other);
    assert_eq!(other.replica().undelivered().unwrap(), 0);
    let kept = other.replica().load(record).unwrap();
    let kept = kept.expect("nobody else has what is held");
    assert_eq!(kept.node(comment).unwrap().verdict.unwrap().status, REVOKED);

    // A server that lost the envelopes gets them back.
    server.generation = 2;
    server.sync(&mut other);
    assert_eq!(other.replica().undelivered().unwrap(), 1);
    server.sync(&mut other);
    assert_eq!(other.replica().undelivered().unwrap(), 0);
    other.replica().catch_up(NOW).unwrap();

    // The envelope is decided, so its author is told with the words, and the record is removed.
    let refused = Status::Refused(RefusedReason::Rejected);
    server.change_verdict(record, comment, refused);
    server.sync(&mut other);
    assert!(other.replica().load(record).unwrap().is_none());
    let notices = other.replica().notices().unwrap();
    let [.., told, gone] = &notices[..] else {
        panic!("{notices:?}");
    };
    assert_eq!(
        (told.code.as_str(), told.envelope),
        ("refused.rejected", Some(comment))
    );
    assert!(told.detail.contains("等人审核的话"));
    assert_eq!(gone.code, "replica.purged");
}

#[test]
fn words_that_do_not_count_are_told_before_a_withdrawn_record_goes() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut other);
    let comment = said("不算数的话");
    let comment = other.replica().comment(record, comment, NOW + 1).unwrap();
    let void = Status::Void(VoidReason::NotPermitted);
    server.verdicts.insert(comment, void);
    server.feed.push(Entry::Withdraw(record));
    let answer = server.exchange_without_upload(&mut other);
    other.replica().apply(&answer, NOW).unwrap();
    assert!(other.replica().load(record).unwrap().is_some());
    server.pages = false;
    server.sync(&mut other);
    assert!(other.replica().load(record).unwrap().is_none());
    let notices = other.replica().notices().unwrap();
    let codes: Vec<_> = notices.iter().map(|notice| notice.code.as_str()).collect();
    assert_eq!(codes, ["void.not_permitted", "replica.purged"]);
    assert!(notices[0].detail.contains("不算数的话"));
}

#[test]
fn a_record_that_leaves_a_stream_and_comes_back_in_the_same_page_stays_as_it_was() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut worker = town.phone(GRID_WORKER_CHEN);
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    server.feed.push(Entry::Withdraw(record));
    server.feed.push(Entry::Add(record));
    server.settle(&mut worker);
    assert!(worker.replica().view(record).unwrap().is_some());
    assert_eq!(worker.replica().notices().unwrap(), []);
}

#[test]
fn own_words_that_came_back_inside_a_pack_are_told_when_they_no_longer_count() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut worker, mut other) = (town.phone(GRID_WORKER_CHEN), town.phone(DISPATCHER_ZHOU));
    let record = worker.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut worker);
    server.settle(&mut other);
    let comment = said("包里的话");
    let comment = other.replica().comment(record, comment, NOW + 1).unwrap();
    let edits = [FieldEdit::text(Field::Address, "包里的地址")];
    let edit = other.replica().edit(record, &edits, NOW + 2).unwrap();
    let edits = [FieldEdit::text(Field::Title, "包里的标题")];
    let title = other.replica().edit(record, &edits, NOW + 3).unwrap();
    server.settle(&mut other);
    server.load(&mut other);
    assert_eq!(other.replica().notices().unwrap(), []);
    let limit = Status::Void(VoidReason::Limit);
    server.change_verdict(record, comment, limit);
    let void = Status::Void(VoidReason::NotPermitted);
    server.change_verdict(record, edit, void);
    server.sync(&mut other);
    for (id, code, words) in [
        (comment, "void.limit", "包里的话"),
        (edit, "void.not_permitted", "包里的地址"),
    ] {
        let notices = other.replica().notices().unwrap();
        let told = notices.iter().find(|notice| notice.envelope == Some(id));
        let told = told.expect("nobody's words go without a word");
        assert_eq!(told.code, code);
        assert!(told.detail.contains(words), "{}", told.detail);
    }
    // Work that is void through no fault of its author is written again once, however often the verdict is
    // repeated.
    for _ in 0..2 {
        server.change_verdict(record, title, Status::Void(VoidReason::Clone));
        server.settle(&mut other);
    }
    let loaded = other.replica().load(record).unwrap().unwrap();
    let again = |node: &&crate::record::Node| node.replaces == Some(title);
    assert_eq!(loaded.nodes().iter().filter(again).count(), 1);
    let notices = other.replica().notices().unwrap();
    assert_eq!(notices.last().unwrap().code, "replica.rewritten");
    let view = other.replica().view(record).unwrap().unwrap();
    assert_eq!(view.row.title, "包里的标题");
}
