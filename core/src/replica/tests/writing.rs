//! One person writes on one phone, offline: durable, allowed, under the right epoch.

use std::fs;

use super::*;
use crate::crdt::{ActorId, FieldEdit};
use crate::domain::Text;
use crate::domain::case::payload::{DangerRemains, Reasoned, Step, Triage};
use crate::domain::case::{Event, Party, Severity, Stage};
use crate::domain::category::CategoryCode;
use crate::domain::content::Field;
use crate::id::RecordId;

pub(super) fn triage() -> Event {
    Event::Triage(Triage {
        category: CategoryCode::try_from("safety".to_owned()).unwrap(),
        severity: Severity::Serious,
        grid: None,
        rule: None,
        note: None,
    })
}

fn actors(replica: &mut Replica, record: RecordId) -> Vec<ActorId> {
    let loaded = replica.load(record).unwrap().unwrap();
    let mut actors: Vec<ActorId> = loaded
        .document()
        .unwrap()
        .changes()
        .map(|change| change.actor)
        .collect();
    actors.dedup();
    actors
}

fn edit(replica: &mut Replica, record: RecordId, address: &str) {
    replica
        .edit(record, &[FieldEdit::text(Field::Address, address)], NOW)
        .unwrap();
}

#[test]
fn what_is_saved_is_there_after_a_crash_and_waits_in_the_outbox() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("煤气罐"), NOW).unwrap();
    phone
        .replica()
        .comment(record, said("门口有五六个"), NOW + 1)
        .unwrap();
    edit(phone.replica(), record, "武林路133号");
    phone.crash();
    let replica = phone.reopen();
    let view = replica.view(record).unwrap().unwrap();
    assert_eq!(view.row.title, "煤气罐");
    assert_eq!(view.row.address, "武林路133号");
    assert_eq!(view.comments[0].text, "门口有五六个");
    assert_eq!(
        (view.row.undelivered, view.row.ladder, view.row.mine),
        (3, 0, true)
    );
    assert_eq!(replica.undelivered().unwrap(), 3);
}

#[test]
fn what_the_rules_do_not_allow_is_refused_with_its_reason_and_leaves_no_trace() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("煤气罐"), NOW).unwrap();
    let before = phone.replica().rows().unwrap();
    let refused = phone
        .replica()
        .act(record, &dispatch_to(Party::Unit(GAS)), None, NOW)
        .unwrap_err();
    assert_eq!(refused.code().split('.').next(), Some("may"), "{refused:?}");
    let close = Event::Dismiss(Reasoned {
        reason: Text::new("不想做").unwrap(),
    });
    assert!(phone.replica().act(record, &close, None, NOW).is_err());
    assert_eq!(phone.replica().rows().unwrap(), before);
    assert_eq!(phone.replica().undelivered().unwrap(), 1);
    let unknown = phone
        .replica()
        .comment(RecordId([9; 16]), said("?"), NOW)
        .unwrap_err();
    assert_eq!(unknown.code(), "replica.no_record");
}

#[test]
fn several_grants_are_tried_and_the_one_that_allows_it_is_named() {
    let town = Deployment::new();
    let roles = [VOLUNTEER_WANG, DISPATCHER_ZHOU, HANDLER_SHEN];
    let mut phone = town.phone_with(DISPATCHER_ZHOU, &roles);
    let record = phone.replica().report(&draft("煤气罐"), NOW).unwrap();
    phone.replica().act(record, &triage(), None, NOW).unwrap();
    let sent = phone
        .replica()
        .act(record, &dispatch_to(Party::Unit(GAS)), None, NOW)
        .unwrap();
    let step = Step {
        assignment: sent,
        attachments: vec![],
        note: None,
    };
    phone
        .replica()
        .act(record, &Event::Accept(step), None, NOW + 5)
        .unwrap();
    let loaded = phone.replica().load(record).unwrap().unwrap();
    let roles: Vec<_> = loaded
        .nodes()
        .iter()
        .map(|node| node.role().unwrap())
        .collect();
    assert_eq!(roles[1..3], [Role::Dispatcher, Role::Dispatcher]);
    assert_eq!(loaded.state().unwrap().stage(), Stage::Accepted);
}

#[test]
fn danger_may_be_said_by_anybody_who_reads_it() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("煤气罐"), NOW).unwrap();
    let danger = DangerRemains {
        text: Some(Text::new("又回来了").unwrap()),
        attachments: vec![],
    };
    phone
        .replica()
        .act(record, &Event::DangerRemains(danger), None, NOW + 1)
        .unwrap();
    let view = phone.replica().view(record).unwrap().unwrap();
    assert!(view.state.unwrap().case().unwrap().danger);
}

#[test]
fn an_orderly_restart_keeps_the_epoch_a_crash_and_an_older_copy_take_a_new_one() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("x"), NOW).unwrap();
    phone.close();
    edit(phone.reopen(), record, "1");
    assert_eq!(actors(phone.replica(), record).len(), 1, "orderly");
    phone.close();
    let files = [phone.path(), super::file::second(&phone)];
    let older = files.clone().map(|path| fs::read(path).unwrap());

    edit(phone.reopen(), record, "2");
    phone.crash();
    edit(phone.reopen(), record, "3");
    assert_eq!(actors(phone.replica(), record).len(), 2, "after a crash");
    phone.close();

    for (path, bytes) in files.into_iter().zip(older) {
        fs::write(path, bytes).unwrap();
    }
    edit(phone.reopen(), record, "4");
    let after_restore = actors(phone.replica(), record);
    assert_eq!(
        after_restore.len(),
        2,
        "the restored copy never wrote under the second epoch"
    );
    phone.close();

    fs::remove_file(phone.marker()).unwrap();
    edit(phone.reopen(), record, "5");
    assert_eq!(
        actors(phone.replica(), record).len(),
        3,
        "a clone without the marker"
    );
}

#[test]
fn resting_in_the_background_keeps_the_epoch_through_a_kill() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("x"), NOW).unwrap();
    phone.replica().rest().unwrap();
    phone.crash();
    edit(phone.reopen(), record, "1");
    phone.replica().rest().unwrap();
    edit(phone.replica(), record, "2");
    assert_eq!(actors(phone.replica(), record).len(), 1);
    phone.crash();
    edit(phone.reopen(), record, "3");
    assert_eq!(
        actors(phone.replica(), record).len(),
        2,
        "it had written after resting"
    );
}

#[test]
fn nothing_is_written_when_the_marker_can_not_be() {
    struct Broken;
    impl Marker for Broken {
        fn read(&self) -> std::io::Result<Option<Vec<u8>>> {
            Ok(None)
        }
        fn write(&mut self, _: &[u8]) -> std::io::Result<()> {
            Err(std::io::Error::other("no space"))
        }
    }
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    phone.close();
    let mut options = phone.options();
    options.marker = Box::new(Broken);
    assert!(matches!(
        Replica::open(options),
        Err(ReplicaError::Marker(_))
    ));
}
