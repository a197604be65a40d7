//! Envelopes that were accepted before and after a loss and that cannot all stay: the server judges the record anew
//! whenever two pasts meet in it.

use onegrid_core::domain::case::payload::Step;
use onegrid_core::domain::case::{Event, Outcome};
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::wire::verdict::{Status, VoidReason};
use onegrid_server::rules::Rules;
use onegrid_tests::town::{Extent, GRID, Met, Phone, STREET, Town, VILLAGE};

use super::story::*;

/// Checks that everything that counts on a phone is legal.
fn all_that_counts_is_legal(phone: &mut Phone, record: RecordId) {
    let loaded = phone.replica().load(record).unwrap().unwrap();
    for node in loaded.nodes().iter().filter(|node| node.counts()) {
        let outcome = loaded.state().unwrap().outcome(node.id);
        let illegal = outcome.is_some_and(|item| item.outcome == Outcome::Illegal);
        assert!(!illegal, "{}: {} counts: {outcome:?}", phone.name, node.id);
    }
}

/// Writes the first move of the gas company and returns its id.
fn gas_accepts(town: &mut Town, gas: &mut Phone, record: RecordId) -> EnvelopeId {
    let loaded = gas.replica().load(record).unwrap().unwrap();
    let accept = Event::Accept(Step {
        assignment: loaded.state().unwrap().assignments()[0].id,
        attachments: Vec::new(),
        note: None,
    });
    town.pass(1_000);
    let now = gas.clock_ms(town);
    gas.replica().act(record, &accept, None, now).unwrap()
}

/// A copy of the dispatcher's phone writes beside it. Before the loss the dispatch arrives first and the gas
/// company accepts it; after the loss the copy's comment arrives first, so the dispatch is off its author's
/// line. One restore is enough to have an acceptance whose dispatch is void.
#[test]
fn accepted_move_on_a_void_one_becomes_void() {
    let mut town = Town::with(51, Extent::TwoStreets, Rules::none()).with_categories();
    let mut writer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
    let mut gas = town.enrol("gas", "handler", "", "gas-company");
    let mut carrier = town.enrol("grid", "grid_worker", GRID, "");
    let record = report(&mut town, &mut writer, "gas bottles");
    for phone in [&mut writer, &mut room, &mut gas, &mut carrier] {
        phone.sync(&mut town);
    }
    let backup = town.backup();
    room.close();
    let under = town.folder().join("clones");
    let mut copy = room.clone_to("copy", &under, true);
    room.reopen();
    say(&mut town, &mut copy, record, "the copy's word");
    dispatch_to_gas(&mut town, &mut room, record);
    assert!(matches!(carrier.meet(&mut room, &town), Met::Whole(..)));
    room.sync(&mut town);
    gas.sync(&mut town);
    let accepted = gas_accepts(&mut town, &mut gas, record);
    gas.sync(&mut town);
    let status = |town: &Town, id: EnvelopeId| {
        let lines = there(town, record).into_iter();
        lines
            .filter(|line| line.id == id)
            .map(|line| line.verdict.status)
            .next()
    };
    assert_eq!(status(&town, accepted), Some(Status::Accepted));

    town.pass(60_000);
    town.restore(&backup);
    copy.sync(&mut town);
    carrier.sync(&mut town);
    gas.sync(&mut town);
    let reason = Status::Void(VoidReason::MayNotAssigned);
    assert_eq!(status(&town, accepted), Some(reason));
    let notices = gas.replica().notices().unwrap();
    let told = notices
        .iter()
        .any(|notice| notice.envelope == Some(accepted) || notice.record == Some(record));
    assert!(told, "{notices:?}");
    for phone in [&mut writer, &mut room, &mut carrier, &mut copy] {
        phone.sync(&mut town);
        assert!(phone.sync(&mut town).equal, "{}", phone.name);
        all_that_counts_is_legal(phone, record);
    }
    is_whole(&town);
}
