//! Who is dispatched to a case works on it and does not learn who reported it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::domain::StreamId;
use onegrid_core::domain::case::payload::{Seen, Step};
use onegrid_core::domain::case::{Event, Stage};
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::sync::port::{GiveAsk, StarPort};
use onegrid_server::rules::Rules;
use onegrid_tests::town::{Extent, Phone, STREET, Town, VILLAGE};

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
    assert_eq!(seen.state().unwrap().stage, Stage::Accepted);
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

/// The look of the office moves the ladder, also on the phone of whoever is dispatched.
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
        assert_eq!(state.stage, whole.stage);
    }
}
