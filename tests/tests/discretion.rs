//! A dispatched unit works on a case and does not learn its reporter.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::domain::StreamId;
use onegrid_core::domain::case::payload::{Bare, Seen, Step};
use onegrid_core::domain::case::{Event, FOLD_VERSION, Stage};
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::sync::port::{GiveAsk, StarPort};
use onegrid_core::wire::body::{Body, EventBody};
use onegrid_core::wire::verdict::{HeldReason, Status};
use onegrid_server::rules::Rules;
use onegrid_tests::sim::hostile::seal;
use onegrid_tests::town::{Extent, Met, Phone, STREET, Town, VILLAGE};

fn report(town: &mut Town, phone: &mut Phone) -> RecordId {
    let draft = town.hazard("五六个煤气罐");
    let record = phone.replica().report(&draft, town.now_ms).unwrap();
    phone.sync(town);
    record
}

fn dispatch_to_gas(town: &mut Town, room: &mut Phone, record: RecordId) -> EnvelopeId {
    let now = town.now_ms;
    let [triage, dispatch] = town.pass_on_to_gas();
    room.replica().act(record, &triage, None, now).unwrap();
    let assignment = room.replica().act(record, &dispatch, None, now).unwrap();
    room.sync(town);
    assignment
}

fn look(town: &mut Town, phone: &mut Phone, record: RecordId) {
    town.pass(1_000);
    let seen = Event::Seen(Seen {});
    let now = town.now_ms;
    phone.replica().act(record, &seen, None, now).unwrap();
    phone.sync(town);
}

#[test]
fn a_handler_learns_neither_the_name_nor_the_stream_of_the_reporter() {
    let mut town = Town::with(5, Extent::Whole, Rules::none());
    let mut volunteer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
    let mut gas = town.enrol("gas", "handler", "", "gas-company");
    let reporter = volunteer.replica().own_member().unwrap();
    let now = town.now_ms;

    let record = report(&mut town, &mut volunteer);
    room.sync(&mut town);
    let assignment = dispatch_to_gas(&mut town, &mut room, record);
    gas.sync(&mut town);
    let accept = Event::Accept(Step {
        assignment,
        attachments: Vec::new(),
        note: None,
    });
    let accepted = gas.replica().act(record, &accept, None, now).unwrap();
    let report = gas.sync(&mut town);
    assert!(report.equal, "{report:?}");

    let seen = gas.replica().load(record).unwrap().unwrap();
    assert_eq!(seen.state().unwrap().stage(), Stage::Accepted);
    assert_eq!(seen.state().unwrap().reporter, None);
    assert!(
        seen.nodes()[0].certificate.is_none(),
        "the reporter's certificate stays away"
    );
    assert!(!seen.state().unwrap().participants.contains(&reporter));

    let ask = GiveAsk {
        envelopes: vec![accepted],
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    let given = gas.replica().give(&ask).unwrap();
    let named: Vec<StreamId> = given
        .give_back
        .attestations
        .iter()
        .flat_map(|attestation| &attestation.envelopes)
        .flat_map(|line| line.at.iter().map(|at| at.stream))
        .collect();
    assert!(named.contains(&StreamId::Unit(town.places.unit("gas-company"))));
    assert!(!named.contains(&StreamId::Member(reporter)), "{named:?}");
}

/// The look of the office moves the ladder, also on the phone of the dispatched unit.
#[test]
fn a_handler_sees_that_the_office_has_seen_it_and_not_that_the_reporter_has() {
    for looks_first in [true, false] {
        let mut town = Town::with(6, Extent::Whole, Rules::none());
        let mut volunteer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
        let mut room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
        let mut desk = town.enrol("desk", "dispatcher", STREET, "wulin-command-room");
        let mut gas = town.enrol("gas", "handler", "", "gas-company");
        let record = report(&mut town, &mut volunteer);
        for phone in [&mut room, &mut desk] {
            phone.sync(&mut town);
        }
        if looks_first {
            look(&mut town, &mut desk, record);
        }
        room.sync(&mut town);
        let assignment = dispatch_to_gas(&mut town, &mut room, record);
        gas.sync(&mut town);
        if !looks_first {
            desk.sync(&mut town);
            look(&mut town, &mut desk, record);
        }
        look(&mut town, &mut volunteer, record);
        let accept = Event::Accept(Step {
            assignment,
            attachments: Vec::new(),
            note: None,
        });
        let now = town.now_ms;
        gas.sync(&mut town);
        gas.replica().act(record, &accept, None, now).unwrap();
        assert!(gas.sync(&mut town).equal);
        room.sync(&mut town);
        let whole = room.replica().load(record).unwrap().unwrap();
        let told = gas.replica().load(record).unwrap().unwrap();
        let (whole, state) = (whole.state().unwrap(), told.state().unwrap());
        assert!(whole.seen_ms.is_some());
        assert_eq!(state.seen_ms, whole.seen_ms);
        assert_eq!(state.reporter, None);
        assert_eq!(state.stage(), whole.stage());
    }
}

/// Signs an event without asking the phone whether its person may, and hands it to the server.
fn force(town: &mut Town, phone: &mut Phone, record: RecordId, event: &Event) -> Status {
    town.pass(1_000);
    let (code, data) = event.encode();
    let body = Body::Event(EventBody {
        salt: Some([7; 16]),
        code,
        fold_version: FOLD_VERSION,
        data,
        on_behalf_of: None,
        replaces: None,
    });
    let loaded = phone.replica().load(record).unwrap().unwrap();
    let authority = *town.keys().authority();
    let (_, bundle) = seal(phone, (&loaded, town.now_ms), &body, &authority).unwrap();
    let none = std::collections::HashMap::new();
    let ingested = town.server().ingest(bundle, &none, town.now_ms).unwrap();
    ingested.lines[0].verdict.status
}

/// The phone has the record, and nothing of it says who reported.
fn is_discreet(phone: &mut Phone, record: RecordId, reporter: &mut Phone, what: &str) {
    let loaded = phone.replica().load(record).unwrap();
    let loaded = loaded.unwrap_or_else(|| panic!("{what}: {} lacks the record", phone.name));
    let device = reporter.device();
    let told = loaded.nodes().iter().filter(|node| node.author == device);
    assert!(told.clone().count() > 0);
    for node in told {
        assert!(
            node.certificate.is_none(),
            "{what}: {} knows the reporter",
            phone.name
        );
    }
    assert_eq!(loaded.state().unwrap().reporter, None, "{what}");
}

/// A move that does not count tells the unit nothing: neither by the feed, nor in a pack, nor in a meeting, and
/// not after a restore either.
fn no_path_tells(seed: u64, revoked: bool, expected: fn(Status) -> bool) {
    for first in [true, false] {
        for which in 0..3 {
            let mut town = Town::with(seed, Extent::Whole, Rules::none());
            let mut volunteer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
            let mut room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
            let mut gas = town.enrol("gas", "handler", "", "gas-company");
            let mut new = town.enrol("new", "handler", "", "gas-company");
            let mut met = town.enrol("met", "handler", "", "gas-company");
            let record = report(&mut town, &mut volunteer);
            let backup = town.backup();
            room.sync(&mut town);
            if revoked {
                let now = town.now_ms;
                town.server()
                    .revoke(volunteer.device(), "admin", now)
                    .unwrap();
            }
            let own = volunteer.replica().load(record).unwrap().unwrap().heads()[0];
            let event = match which {
                0 => Event::Urge(Bare { note: None }),
                1 => Event::Accept(Step {
                    assignment: own,
                    attachments: Vec::new(),
                    note: None,
                }),
                _ => town.pass_on_to_gas()[1].clone(),
            };
            if first {
                assert!(expected(force(&mut town, &mut volunteer, record, &event)));
            }
            dispatch_to_gas(&mut town, &mut room, record);
            gas.sync(&mut town);
            if !first {
                assert!(expected(force(&mut town, &mut volunteer, record, &event)));
            }
            room.sync(&mut town);
            look(&mut town, &mut room, record);
            gas.sync(&mut town);
            new.sync(&mut town);
            assert!(matches!(met.meet(&mut room, &town), Met::Whole(..)));
            for phone in [&mut gas, &mut new, &mut met] {
                is_discreet(phone, record, &mut volunteer, &format!("{which} {first}"));
            }
            town.restore(&backup);
            for phone in [&mut gas, &mut room] {
                phone.sync(&mut town);
            }
            let mut later = town.enrol("later", "handler", "", "gas-company");
            later.sync(&mut town);
            for phone in [&mut gas, &mut later] {
                is_discreet(
                    phone,
                    record,
                    &mut volunteer,
                    &format!("restored {which} {first}"),
                );
            }
        }
    }
}

#[test]
fn void_move_of_a_reporter_names_nobody() {
    no_path_tells(7, false, |status| matches!(status, Status::Void(_)));
}

#[test]
fn held_move_of_a_reporter_names_nobody() {
    no_path_tells(8, true, |status| {
        matches!(status, Status::Held(HeldReason::Revoked))
    });
}
