//! Who is dispatched to a case works on it and does not learn who reported it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::crdt::{Content, Details, Hazard};
use onegrid_core::domain::StreamId;
use onegrid_core::domain::case::payload::{Dispatch, Step, Triage};
use onegrid_core::domain::case::{Deadlines, Event, Part, Party, Severity, Stage};
use onegrid_core::replica::Draft;
use onegrid_core::sync::port::{GiveAsk, StarPort};
use onegrid_server::rules::Rules;
use onegrid_tests::town::{Extent, Town};

const VILLAGE: &str = "330105013003";
const GRID: &str = "330105013003001";

#[test]
fn a_handler_learns_neither_the_name_nor_the_stream_of_the_reporter() {
    let mut town = Town::with(5, Extent::Whole, Rules::none());
    let mut volunteer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut room = town.enrol("room", "dispatcher", "330105013000", "wulin-command-room");
    let mut gas = town.enrol("gas", "handler", "", "gas-company");
    let reporter = volunteer.replica().own_member().unwrap();
    let now = town.now_ms;

    let details = Details {
        title: Some("五六个煤气罐".into()),
        ..Details::default()
    };
    let content = Content::Hazard(Hazard {
        details,
        severity: None,
    });
    let draft = Draft::staff(content, town.places.path(GRID));
    let record = volunteer.replica().report(&draft, now).unwrap();
    volunteer.sync(&mut town);
    room.sync(&mut town);
    let triage = Event::Triage(Triage {
        category: "gas".parse().unwrap(),
        severity: Severity::Serious,
        grid: None,
        rule: None,
        note: None,
    });
    room.replica().act(record, &triage, None, now).unwrap();
    let dispatch = Event::Dispatch(Dispatch {
        to: Party::Unit(town.places.unit("gas-company")),
        part: Part::Lead,
        deadlines: Deadlines::default(),
        rule: None,
        note: None,
    });
    let assignment = room.replica().act(record, &dispatch, None, now).unwrap();
    room.sync(&mut town);
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
