//! News for the person: once for each cause, and never about the time before the enrolment.

use super::moves::{dispatched, dispatched_by};
use super::server::{REVOKED, Server};
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::case::payload::Comment;
use crate::domain::case::{Move, MoveInput};
use crate::domain::content::Field;
use crate::domain::directory::{Access, DirectoryEntry, Revocation};
use crate::wire::verdict::{Status, VoidReason};

fn kinds(phone: &mut FilePhone) -> Vec<NotificationKind> {
    let waiting = phone.replica().notifications(0, 200).unwrap();
    waiting.into_iter().map(|one| one.kind).collect()
}

fn taken(phone: &mut FilePhone) -> Vec<NotificationKind> {
    let waiting = phone.replica().notifications(0, 200).unwrap();
    let last = waiting.last().map_or(0, |one| one.no);
    phone.replica().notifications_taken(last).unwrap();
    waiting.into_iter().map(|one| one.kind).collect()
}

#[test]
fn every_step_tells_those_concerned_once() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (mut volunteer, mut room, mut gas, record, assignment) = dispatched(&town, &mut server);
    assert_eq!(taken(&mut gas), [NotificationKind::DispatchedToUnit]);
    assert_eq!(taken(&mut room), [], "the person's own moves are no news");
    let step = |movement| MoveInput {
        assignment: Some(assignment),
        text: Some("现场不符".into()),
        ..MoveInput::of(movement)
    };
    gas.replica()
        .make_move(record, &step(Move::Return), NOW + 9_000)
        .unwrap();
    server.settle(&mut gas);
    server.settle(&mut room);
    assert_eq!(taken(&mut room), [NotificationKind::Returned]);
    let again = MoveInput {
        to_unit: Some(GAS),
        ..MoveInput::of(Move::Dispatch)
    };
    let assignment = room
        .replica()
        .make_move(record, &again, NOW + 10_000)
        .unwrap();
    let seen = MoveInput::of(Move::Seen);
    room.replica()
        .make_move(record, &seen, NOW + 11_000)
        .unwrap();
    server.settle(&mut room);
    server.settle(&mut gas);
    assert_eq!(
        taken(&mut gas),
        [NotificationKind::DispatchedToUnit],
        "another dispatch"
    );
    for movement in [Move::Accept, Move::Resolve] {
        let input = MoveInput {
            assignment: Some(assignment),
            ..MoveInput::of(movement)
        };
        gas.replica()
            .make_move(record, &input, NOW + 12_000)
            .unwrap();
    }
    let called = Comment {
        mentions: vec![VOLUNTEER_WANG.member()],
        ..said("请看")
    };
    gas.replica().comment(record, called, NOW + 13_000).unwrap();
    server.settle(&mut gas);
    server.settle(&mut volunteer);
    let mut told = taken(&mut volunteer);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            NotificationKind::Mentioned,
            NotificationKind::Seen,
            NotificationKind::Handled
        ]
    );
    volunteer.replica().rebuild().unwrap();
    server.settle(&mut volunteer);
    server.load(&mut volunteer);
    assert_eq!(
        kinds(&mut volunteer),
        [],
        "the same causes tell nobody again"
    );
}

#[test]
fn news_waits_until_taken_and_survives_a_restart() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (_, _, mut gas, record, assignment) = dispatched(&town, &mut server);
    gas.crash();
    let waiting = gas.reopen().notifications(0, 9).unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].record, waiting[0].envelope),
        (Some(record), Some(assignment))
    );
    let no = waiting[0].no;
    assert!(gas.replica().notifications(no, 9).unwrap().is_empty());
    gas.replica().notifications_taken(no).unwrap();
    assert!(gas.reopen().notifications(0, 9).unwrap().is_empty());
}

/// Other people in the same roles.
fn others(seed: u8) -> [Person; 3] {
    [
        VOLUNTEER_WANG.like(seed),
        DISPATCHER_ZHOU.like(seed + 1),
        HANDLER_SHEN.like(seed + 2),
    ]
}

#[test]
fn first_load_tells_nothing_of_before_the_phone() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    for seed in [101, 111, 121] {
        dispatched_by(&town, &mut server, others(seed));
    }
    // A second phone of the gas company, enrolled after all of that.
    let mut late = town.second_phone(HANDLER_SHEN, 14, server.time_ms);
    server.load(&mut late);
    server.settle(&mut late);
    assert_eq!(late.replica().count(&Filter::default()).unwrap(), 3);
    assert_eq!(kinds(&mut late), []);
    late.replica().rebuild().unwrap();
    assert_eq!(kinds(&mut late), []);
    let (_, _, _, record, _) = dispatched(&town, &mut server);
    server.settle(&mut late);
    let waiting = late.replica().notifications(0, 9).unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].record, Some(record));
}

/// The file comes from an app that noted no news yet. Everything in it was known, and later causes are
/// shown.
#[test]
fn update_of_the_app_tells_nothing_of_before() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (_, mut room, mut gas, record, _) = dispatched(&town, &mut server);
    gas.replica()
        .conn()
        .unwrap()
        .execute_batch(
            "DELETE FROM notification; DELETE FROM meta WHERE name IN ('notify_since', 'projections');",
        )
        .unwrap();
    let replica = gas.reopen();
    while replica.rebuild_slice().unwrap() > 0 {}
    assert_eq!(kinds(&mut gas), []);
    let urge = MoveInput {
        to_member: Some(HANDLER_SHEN.member()),
        ..MoveInput::of(Move::Dispatch)
    };
    room.replica()
        .make_move(record, &urge, NOW + 20_000)
        .unwrap();
    server.settle(&mut room);
    server.settle(&mut gas);
    assert_eq!(kinds(&mut gas), [NotificationKind::DispatchedToMe]);
}

#[test]
fn conflicts_void_and_held_work_are_told_to_their_authors() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    let mut worker = town.phone(GRID_WORKER_LIN);
    let mut bystander = town.phone(DISPATCHER_MA);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    server.settle(&mut phone);
    server.settle(&mut worker);
    for (one, title) in [(&mut phone, "甲"), (&mut worker, "乙")] {
        let edit = FieldEdit::text(Field::Title, title);
        one.replica().edit(record, &[edit], NOW + 1).unwrap();
    }
    server.settle(&mut phone);
    server.settle(&mut worker);
    server.settle(&mut phone);
    server.settle(&mut bystander);
    assert_eq!(taken(&mut phone), [NotificationKind::Conflict]);
    assert_eq!(taken(&mut worker), [NotificationKind::Conflict]);
    assert_eq!(taken(&mut bystander), [], "no part in it");

    let bad = phone
        .replica()
        .comment(record, said("不算"), NOW + 2)
        .unwrap();
    server.verdicts.insert(bad, Status::Void(VoidReason::Limit));
    server.sync(&mut phone);
    let held = phone
        .replica()
        .comment(record, said("等待"), NOW + 3)
        .unwrap();
    server.verdicts.insert(held, REVOKED);
    server.sync(&mut phone);
    assert_eq!(
        taken(&mut phone),
        [NotificationKind::NotCounted, NotificationKind::Held]
    );
}

#[test]
fn revocation_and_access_are_told() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    let revoked = Revocation {
        device: phone.replica().device(),
        revoked_at_ms: NOW,
    };
    server.publish(&DirectoryEntry::Access(Access {
        member: VOLUNTEER_WANG.member(),
        at_ms: NOW,
        lost: Vec::new(),
        gained: Vec::new(),
    }));
    server.publish(&DirectoryEntry::Revocation(revoked));
    server.sync(&mut phone);
    assert_eq!(
        taken(&mut phone),
        [NotificationKind::AccessChanged, NotificationKind::Revoked]
    );
}

#[test]
fn every_kind_has_a_sentence() {
    for kind in NotificationKind::ALL {
        for lang in crate::texts::Lang::ALL {
            let code = format!("notify.{}", kind.name());
            assert!(crate::texts::text(&code, lang).is_some(), "{code}");
        }
    }
}

/// The database is lost. The phone is enrolled as before, so it shows later causes.
#[test]
fn phone_of_its_second_file_shows_later_news() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (_, _, mut gas, _, _) = dispatched(&town, &mut server);
    assert_eq!(taken(&mut gas), [NotificationKind::DispatchedToUnit]);
    gas.close();
    std::fs::remove_file(gas.path()).unwrap();
    let options = gas.options();
    let (replica, way) = Replica::open_or_recover(options, server.time_ms).unwrap();
    assert!(matches!(way, WayBack::FromSecondFile(_)), "{way:?}");
    gas.replica = Some(replica);
    server.load(&mut gas);
    server.settle(&mut gas);
    assert_eq!(kinds(&mut gas), [], "known from before");
    dispatched_by(&town, &mut server, others(101));
    server.settle(&mut gas);
    assert_eq!(kinds(&mut gas), [NotificationKind::DispatchedToUnit]);
}
