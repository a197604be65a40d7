//! Records that came by a meeting and that no stream of the phone holds, so no digest covers them.

use std::path::PathBuf;

use onegrid_core::domain::Text;
use onegrid_core::domain::case::Event;
use onegrid_core::domain::case::payload::GiveBack;
use onegrid_core::id::RecordId;
use onegrid_core::sync::port::StarPort;
use onegrid_core::sync::report::Incident;
use onegrid_core::wire::repair::SettledEnvelope;
use onegrid_server::rules::Rules;
use onegrid_tests::town::{Extent, Fault, GRID, Met, Phone, STREET, Town, VILLAGE};

use super::story::*;

struct Carried {
    town: Town,
    backup: PathBuf,
    carrier: Phone,
    record: RecordId,
    before: Vec<SettledEnvelope>,
}

/// Makes a record that only the carrier has: the server and the author's phone are lost after the meeting.
fn only_carried(seed: u64, knows_of_the_loss: bool) -> Carried {
    let mut town = Town::small(seed).with_categories();
    let mut writer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut carrier = town.enrol("grid", "grid_worker", GRID, "");
    for phone in [&mut writer, &mut carrier] {
        phone.sync(&mut town);
    }
    let backup = town.backup();
    let record = report(&mut town, &mut writer, "only by a meeting");
    writer.sync(&mut town);
    let before = held(&mut writer)[&record].clone();
    assert!(!before.is_empty());
    if knows_of_the_loss {
        town.restore(&backup);
        carrier.sync(&mut town);
    }
    assert!(matches!(carrier.meet(&mut writer, &town), Met::Whole(..)));
    if !knows_of_the_loss {
        town.restore(&backup);
    }
    assert_eq!(there(&town, record), [], "lost");
    Carried {
        town,
        backup,
        carrier,
        record,
        before,
    }
}

impl Carried {
    fn comes_back(mut self, what: &str) {
        let (town, carrier) = (&mut self.town, &mut self.carrier);
        assert!(carrier.sync(town).equal, "{what}");
        assert_eq!(there(town, self.record), self.before, "{what}");
        assert_eq!(carrier.replica().strays().unwrap(), [], "{what}");
        let row = carrier.replica().row(self.record).unwrap().unwrap();
        assert!(!row.provisional, "{what}");
        let again = carrier.sync(town);
        assert_eq!((again.round_trips, again.incidents.len()), (1, 0), "{what}");
        is_whole(town);
    }
}

#[test]
fn what_only_a_meeting_saved_comes_back() {
    for knows_of_the_loss in [false, true] {
        let mut carried = only_carried(31, knows_of_the_loss);
        let report = carried.carrier.sync(&mut carried.town);
        let repaired = Incident::Repaired { records: 1 };
        assert!(report.incidents.contains(&repaired), "{report:?}");
        carried.comes_back("without faults");
    }
}

#[test]
fn what_only_a_meeting_saved_comes_back_wherever_the_sync_breaks_off() {
    for fault in [
        Fault::RequestLost,
        Fault::AnswerLost,
        Fault::PhoneCrash,
        Fault::ServerCrash,
    ] {
        for at in 0..12 {
            let mut carried = only_carried(32, false);
            for _ in 0..at {
                carried.carrier.turn(&mut carried.town, Fault::None);
            }
            carried.carrier.turn(&mut carried.town, fault);
            if !carried.carrier.is_on() {
                carried.carrier.reopen();
            }
            carried.carrier.wake();
            carried.comes_back(&format!("{fault:?} at turn {at}"));
        }
    }
}

/// Each restore is a separate cause of different digests.
#[test]
fn what_only_a_meeting_saved_comes_back_though_the_server_is_restored_again_and_again_meanwhile() {
    for turns in 4..9 {
        let mut carried = only_carried(35, true);
        let (town, carrier) = (&mut carried.town, &mut carried.carrier);
        report(town, carrier, "after the backup");
        carrier.turn(town, Fault::None);
        for _ in 0..6 {
            for _ in 0..turns {
                carrier.turn(town, Fault::None);
            }
            town.restore(&carried.backup);
        }
        let report = carrier.sync(town);
        let wrong = [Incident::Unrepaired, Incident::DigestMismatch];
        assert!(
            !wrong.iter().any(|wrong| report.incidents.contains(wrong)),
            "{report:?}"
        );
        carried.comes_back(&format!("every {turns} turns"));
    }
}

#[test]
fn what_only_a_meeting_saved_comes_back_from_a_rescued_file_too() {
    let mut carried = only_carried(34, true);
    let now_ms = carried.town.now_ms;
    carried.carrier.rescue(now_ms).unwrap();
    carried.comes_back("after a rescue");
}

/// A phone that had not heard of the withdrawal passes the case on. The server does not mention the case,
/// because its stream never held it for this phone.
#[test]
fn what_was_withdrawn_and_came_once_more_by_a_meeting_goes_again() {
    let mut town = Town::with(33, Extent::Whole, Rules::none()).with_categories();
    let mut writer = town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties");
    let mut room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
    let mut one = town.enrol("gas one", "handler", "", "gas-company");
    let mut two = town.enrol("gas two", "handler", "", "gas-company");
    let record = report(&mut town, &mut writer, "gas bottles");
    writer.sync(&mut town);
    room.sync(&mut town);
    dispatch_to_gas(&mut town, &mut room, record);
    room.sync(&mut town);
    one.sync(&mut town);
    let loaded = room.replica().load(record).unwrap().unwrap();
    let taken = Event::Withdraw(GiveBack {
        assignment: loaded.state().unwrap().assignments()[0].id,
        reason: Text::new("not theirs").unwrap(),
    });
    town.pass(1_000);
    let now = room.clock_ms(&town);
    room.replica().act(record, &taken, None, now).unwrap();
    room.sync(&mut town);
    two.sync(&mut town);
    assert!(two.replica().row(record).unwrap().is_none());
    assert!(matches!(one.meet(&mut two, &town), Met::Whole(..)));
    assert!(two.replica().row(record).unwrap().is_some());
    for phone in [&mut one, &mut two] {
        let report = phone.sync(&mut town);
        assert!(report.equal, "{}: {report:?}", phone.name);
        assert_eq!(report.incidents, [], "{}", phone.name);
        assert!(
            phone.replica().row(record).unwrap().is_none(),
            "{}",
            phone.name
        );
    }
    assert!(writer.sync(&mut town).equal);
    assert!(writer.replica().row(record).unwrap().is_some());
    is_whole(&town);
}
