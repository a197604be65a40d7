//! The records that changed since the last call.

use super::server::Server;
use super::*;

#[test]
fn changes_name_the_records_once() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    let mut other = town.phone(GRID_WORKER_LIN);
    assert!(phone.replica().take_changes().unwrap().is_empty());
    let first = phone.replica().report(&draft("一"), NOW).unwrap();
    phone
        .replica()
        .comment(first, said("补充"), NOW + 1)
        .unwrap();
    let second = phone.replica().report(&draft("二"), NOW + 2).unwrap();
    let mut expected = vec![first, second];
    expected.sort_unstable();
    let changes = phone.replica().take_changes().unwrap();
    assert_eq!(changes.records, expected);
    assert!(!changes.all && !changes.notices && !changes.directory);
    assert!(
        phone.replica().take_changes().unwrap().is_empty(),
        "each once"
    );

    server.settle(&mut phone);
    assert_eq!(
        phone.replica().take_changes().unwrap().records,
        expected,
        "delivered"
    );
    server.settle(&mut other);
    assert_eq!(
        other.replica().take_changes().unwrap().records,
        expected,
        "pulled"
    );
    server.sync(&mut other);
    assert!(
        other.replica().take_changes().unwrap().is_empty(),
        "nothing new"
    );
}

#[test]
fn refused_write_changes_nothing() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    phone.replica().take_changes().unwrap();
    let long = said(&"长".repeat(10));
    let photo = phone.replica().add_attachment(&photo(9, 1), NOW).unwrap();
    phone.replica().attach(record, photo.id, NOW).unwrap();
    phone.replica().take_changes().unwrap();
    phone.replica().limit_pages(1).unwrap();
    let many = crate::domain::case::payload::Comment {
        attachments: vec![photo.id; 16],
        ..long
    };
    let mut refused = 0;
    for n in 0..200 {
        let written = phone.replica().comment(record, many.clone(), NOW + n);
        let changes = phone.replica().take_changes().unwrap();
        assert_eq!(changes.records.len(), usize::from(written.is_ok()));
        refused += usize::from(written.is_err());
    }
    assert!(refused > 0, "the disk is never full");
}

#[test]
fn more_than_a_thousand_records_are_not_named() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let conn = phone.replica().conn().unwrap();
    let row =
        |no: usize| format!("INSERT INTO changed VALUES (CAST(printf('%016d', {no}) AS BLOB));");
    let fill = |count: usize| (0..count).map(row).collect::<String>();
    conn.execute_batch(&fill(1_000)).unwrap();
    let changes = phone.replica().take_changes().unwrap();
    assert_eq!((changes.records.len(), changes.all), (1_000, false));
    phone
        .replica()
        .conn()
        .unwrap()
        .execute_batch(&fill(1_001))
        .unwrap();
    let changes = phone.replica().take_changes().unwrap();
    assert_eq!((changes.records.len(), changes.all), (0, true));
    assert!(phone.replica().take_changes().unwrap().is_empty());
}

#[test]
fn news_and_directory_are_told_apart() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    super::directory::publish_unit(&mut server, GAS, "燃气公司", "Gas company", 2);
    let mut phone = town.phone(VOLUNTEER_WANG);
    server.sync(&mut phone);
    let changes = phone.replica().take_changes().unwrap();
    assert!(changes.directory && !changes.notices && changes.records.is_empty());
}
