//! The reading log names each reader with the records that the reader was given. Every delivery is
//! logged.

use onegrid_core::domain::content::{Content, Details};
use onegrid_core::domain::kinds::request;
use onegrid_core::domain::kinds::request::Request;
use onegrid_core::id::DeviceId;

use super::failing::FailingStore;
use super::*;
use crate::feed::readings::Sought;
use crate::limits::READINGS_KEPT_DAYS;
use crate::server::Server;
use crate::store::ReadingRow;

const DAY_MS: i64 = 24 * 3_600_000;

fn request(phone: &mut SyncPhone, title: &str) -> Envelope {
    phone.nonce += 1;
    let details = Details {
        title: Some(title.to_owned()),
        ..Details::default()
    };
    let content = Content::from(Request {
        details,
        urgency: Some(3),
        contact_wanted: Some(true),
        contact: Some("a number".to_owned()),
    });
    phone.genesis(request::KIND, &content, home())
}

fn log(server: &Server, sought: &Sought) -> Vec<ReadingRow> {
    let mut rows = Vec::new();
    let count = server.readings(sought, "admin", NOW, |row| {
        rows.push(*row);
        Ok(())
    });
    assert_eq!(count.unwrap(), rows.len() as u64);
    rows
}

#[test]
fn who_is_given_a_request_stands_in_the_log_and_a_hazard_does_not() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let mut worker = world.phone(GRID_WORKER_CHEN);
    let (plain, asked) = (phone.report("gas"), request(&mut phone, "help"));
    phone.push(&world.server, &[&plain, &asked]);
    let all = Sought::default();
    assert_eq!(log(&world.server, &all), [], "to be told is not to read");
    worker.pull(&world.server, 1 << 20);
    let rows = log(&world.server, &all);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].key.record, asked.record());
    assert_eq!(rows[0].member, worker.member);
    assert_eq!(rows[0].key.device, worker.certificate.facts().device);
    let holding = world
        .server
        .store()
        .read(|tx| tx.record_streams(asked.record()));
    assert!(holding.unwrap().contains(&rows[0].stream));
    assert_eq!(rows[0].first_ms, worker.clock_ms);
    // As a fresh phone again, and one more word: once a day is enough, the next day is another.
    worker.cursors.clear();
    worker.clock_ms += 60_000;
    worker.pull(&world.server, 1 << 20);
    assert_eq!(log(&world.server, &all), rows);
    let word = phone.act(asked.record(), &[asked.id()], &comment("soon"));
    phone.push(&world.server, &[&word]);
    world.again(&mut worker, NOW + DAY_MS);
    worker.pull(&world.server, 1 << 20);
    assert_eq!(log(&world.server, &all).len(), 2);
    let nobody = Sought {
        member: Some(phone.member),
        ..all
    };
    assert_eq!(log(&world.server, &nobody), []);
    let lines = world.server.store().read(|tx| tx.audit(0, 1_000)).unwrap();
    assert!(lines.iter().any(|line| line.action == "readings.shown"));
    let later = NOW + (READINGS_KEPT_DAYS + 1) * DAY_MS;
    let listed = world.server.readings(&all, "admin", later, |_| Ok(()));
    assert_eq!(listed.unwrap(), 2, "the clock of the audit log is right");
    assert_eq!(world.server.sweep_readings(later).unwrap(), 1);
    assert_eq!(log(&world.server, &all).len(), 1);
}

/// An export in a member's name is a reading like that of a phone.
#[test]
fn export_in_a_name_is_logged() {
    use crate::admin::export::{Files, Format, Wanted, export};
    use crate::feed::readings::export_of;

    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let worker = world.phone(GRID_WORKER_CHEN);
    let (plain, asked) = (phone.report("gas"), request(&mut phone, "help"));
    phone.push(&world.server, &[&plain, &asked]);
    let exported = |reader, name: &str| {
        let format = Format::Jsonl;
        let lang = onegrid_core::texts::Lang::En;
        let wanted = Wanted {
            reader,
            format,
            lang,
        };
        let mut files = Files::create(&world.folder().join(name), wanted).unwrap();
        let done = export(
            &world.server,
            wanted,
            &mut files,
            "admin",
            NOW,
            &mut |_, _| {},
        );
        assert_eq!(done.unwrap().written, 2, "{name}");
    };
    let all = Sought::default();
    exported(None, "outline.jsonl");
    assert_eq!(log(&world.server, &all), [], "an outline has no words");
    exported(Some(worker.member), "words.jsonl");
    let rows = log(&world.server, &all);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].key.record, asked.record());
    assert_eq!(rows[0].member, worker.member);
    assert_eq!(rows[0].key.device, export_of(worker.member));
}

#[test]
fn what_can_not_be_logged_is_not_given() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let mut worker = world.phone(GRID_WORKER_CHEN);
    let asked = request(&mut phone, "help");
    phone.push(&world.server, &[&asked]);
    let store = std::sync::Arc::new(FailingStore {
        inner: world.store_again(),
        left: 0.into(),
    });
    let server = Server::open(store, world.keys.clone(), Rules::none()).unwrap();
    let ask = worker.ask(None, 1 << 20);
    assert_eq!(worker.send(&server, &ask).unwrap_err().code(), "store.full");
    let none: Vec<DeviceId> = log(&world.server, &Sought::default())
        .iter()
        .map(|row| row.key.device)
        .collect();
    assert_eq!(none, []);
}

/// The clock jumps ahead for one sweep, as on a machine that starts without its clock. The log of readings is a
/// proof of the readers, so it keeps every line.
#[test]
fn clock_that_was_ahead_erases_no_line() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let mut worker = world.phone(GRID_WORKER_CHEN);
    let asked = request(&mut phone, "help");
    phone.push(&world.server, &[&asked]);
    worker.pull(&world.server, 1 << 20);
    let all = Sought::default();
    assert_eq!(log(&world.server, &all).len(), 1);
    let ahead = NOW + 10 * 365 * DAY_MS;
    assert_eq!(world.server.sweep_readings(ahead).unwrap(), 0);
    assert_eq!(log(&world.server, &all).len(), 1);
}
