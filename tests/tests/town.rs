//! The town itself, which every longer test uses.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::content::{Details, Field};
use onegrid_core::domain::kinds::tip::Tip;
use onegrid_core::domain::{Audience, Source};
use onegrid_core::replica::Draft;
use onegrid_core::sync::port::StarPort;
use onegrid_tests::town::{Fault, GRID, Met, Phone, STREET, Town, Turn, VILLAGE};

fn people(town: &mut Town) -> [Phone; 4] {
    [
        town.enrol("dama", "volunteer", VILLAGE, "wulin-aunties"),
        town.enrol("grid", "grid_worker", GRID, ""),
        town.enrol("room", "dispatcher", STREET, "wulin-command-room"),
        town.enrol("gas", "handler", "", "gas-company"),
    ]
}

#[test]
fn what_a_volunteer_reports_reaches_grid_worker_and_command_room_and_all_agree() {
    let mut town = Town::new(1);
    let [mut volunteer, mut grid, mut room, mut gas] = people(&mut town);
    let now = town.now_ms;
    let draft = town.hazard("五六个煤气罐");
    let record = volunteer.replica().report(&draft, now).unwrap();
    for phone in [&mut volunteer, &mut grid, &mut room, &mut gas] {
        let report = phone.sync(&mut town);
        assert!(report.equal, "{}: {report:?}", phone.name);
        assert!(report.incidents.is_empty(), "{}: {report:?}", phone.name);
    }
    for phone in [&mut grid, &mut room] {
        let row = phone.replica().row(record).unwrap().unwrap();
        assert_eq!(row.title, "五六个煤气罐");
    }
    assert!(gas.replica().row(record).unwrap().is_none());
}

/// Automatic moves of the server come back with the receipts, and reach everybody else at once.
#[test]
fn fifty_reports_and_what_the_server_makes_of_them_cost_two_round_trips() {
    let mut town = Town::small(5).with_categories();
    let [mut volunteer, mut grid, ..] = people(&mut town);
    for phone in [&mut volunteer, &mut grid] {
        phone.sync(&mut town);
    }
    let mut records = Vec::new();
    for n in 0..50 {
        town.pass(1_000);
        let (now, draft) = (town.now_ms, town.hazard(&format!("report {n}")));
        records.push(volunteer.replica().report(&draft, now).unwrap());
    }
    for (phone, round_trips_max) in [(&mut volunteer, 2), (&mut grid, 1)] {
        let report = phone.sync(&mut town);
        assert!(report.equal && report.incidents.is_empty(), "{report:?}");
        let said = format!("{}: {report:?}", phone.name);
        assert!(report.round_trips <= round_trips_max, "{said}");
        for record in &records {
            let loaded = phone.replica().load(*record).unwrap().unwrap();
            assert!(loaded.nodes().len() > 1, "triage came too: {said}");
            assert!(loaded.nodes().iter().all(|node| node.verdict.is_some()));
        }
    }
}

#[test]
fn a_crash_of_either_side_loses_nothing_and_phones_refill_a_restored_server() {
    let mut town = Town::small(2);
    let [mut volunteer, mut grid, mut room, _] = people(&mut town);
    for phone in [&mut volunteer, &mut grid, &mut room] {
        phone.sync(&mut town);
    }
    let backup = town.backup();
    let draft = town.hazard("消防通道");
    let now = town.now_ms;
    let record = volunteer.replica().report(&draft, now).unwrap();
    volunteer.crash();
    volunteer.reopen();
    assert_eq!(volunteer.replica().undelivered().unwrap(), 1);
    for _ in 0..3 {
        volunteer.turn(&mut town, Fault::ServerCrash);
        volunteer.wake();
    }
    volunteer.sync(&mut town);
    assert_eq!(volunteer.replica().undelivered().unwrap(), 0);
    town.restore(&backup);
    let report = volunteer.sync(&mut town);
    assert!(report.equal, "{report:?}");
    assert_eq!(volunteer.replica().generation().unwrap(), 2);
    for phone in [&mut grid, &mut room] {
        assert!(phone.sync(&mut town).equal);
        assert!(phone.replica().row(record).unwrap().is_some());
    }
}

#[test]
fn two_phones_that_meet_share_what_both_may_read() {
    let mut town = Town::small(3);
    let [_, mut grid, mut room, mut gas] = people(&mut town);
    for phone in [&mut grid, &mut room, &mut gas] {
        phone.sync(&mut town);
    }
    let draft = town.hazard("井盖");
    let now = town.now_ms;
    let record = grid.replica().report(&draft, now).unwrap();
    assert!(matches!(grid.meet(&mut room, &town), Met::Whole(0, 1)));
    assert!(room.replica().row(record).unwrap().unwrap().provisional);
    assert!(matches!(room.meet(&mut gas, &town), Met::Whole(..)));
    assert!(gas.replica().row(record).unwrap().is_none());
    // The room brings the report to the server; the grid worker learns the verdict.
    room.sync(&mut town);
    grid.sync(&mut town);
    let row = grid.replica().row(record).unwrap().unwrap();
    assert!(!row.provisional && row.undelivered == 0);
}

#[test]
fn damaged_and_late_answers_change_nothing() {
    let mut town = Town::small(4);
    let [mut volunteer, ..] = people(&mut town);
    let draft = town.hazard("电线");
    let now = town.now_ms;
    volunteer.replica().report(&draft, now).unwrap();
    for fault in [
        Fault::AnswerLost,
        Fault::Stale,
        Fault::Cut(17),
        Fault::Flip(99),
        Fault::Twice,
    ] {
        for _ in 0..2 {
            let turn = volunteer.turn(&mut town, fault);
            assert!(!matches!(turn, Turn::Done(_)), "{fault:?}");
            volunteer.wake();
        }
    }
    assert!(volunteer.sync(&mut town).equal);
    assert_eq!(volunteer.replica().undelivered().unwrap(), 0);
}

#[test]
fn who_gets_another_village_loses_the_old_one_and_nothing_that_was_not_delivered() {
    let mut town = Town::small(5);
    let [mut volunteer, mut grid, ..] = people(&mut town);
    let (now, draft) = (town.now_ms, town.hazard("旧区里的"));
    let old = volunteer.replica().report(&draft, now).unwrap();
    volunteer.sync(&mut town);
    grid.sync(&mut town);
    assert!(grid.replica().row(old).unwrap().is_some());
    let late = grid
        .replica()
        .report(&town.hazard("没送出的"), now)
        .unwrap();
    // The worker has no network, and does not know of the change yet.
    town.describe("grid", "grid_worker", "330105013001001", "");
    assert_eq!(grid.replica().undelivered().unwrap(), 1);
    let before = grid.replica().certificate().unwrap().hash();
    let report = grid.sync(&mut town);
    assert!(report.equal, "{report:?}");
    assert_ne!(grid.replica().certificate().unwrap().hash(), before);
    assert!(
        grid.replica().row(old).unwrap().is_none(),
        "no longer to be read"
    );
    assert_eq!(grid.replica().undelivered().unwrap(), 0);
    assert!(
        grid.replica().row(late).unwrap().is_some(),
        "one's own stays"
    );
    let told = grid.replica().notices().unwrap();
    assert!(
        told.iter()
            .any(|notice| notice.code == "replica.access_changed")
    );
    // The server has the record, though its author may no longer read the village.
    let status = town.store().read(|tx| tx.record(late)).unwrap();
    assert!(status.is_some());
}

#[test]
fn a_phone_whose_certificate_has_run_out_delivers_all_and_says_what_to_do() {
    let mut town = Town::small(6);
    let [mut volunteer, ..] = people(&mut town);
    volunteer.sync(&mut town);
    town.pass(401 * 24 * 3_600_000);
    let now = town.now_ms;
    for n in 0..3 {
        let draft = town.hazard(&format!("迟到 {n}"));
        volunteer.replica().report(&draft, now).unwrap();
    }
    let report = volunteer.sync(&mut town);
    let code = report
        .closed
        .map(onegrid_core::wire::message::CloseReason::code);
    assert_eq!(code, Some("session.certificate_expired"));
    assert_eq!((report.pushed, report.incidents.len()), (3, 0));
    assert_eq!(volunteer.replica().undelivered().unwrap(), 0);
    let told = volunteer.replica().notices().unwrap();
    assert_eq!(
        told.iter()
            .filter(|notice| Some(notice.code.as_str()) == code)
            .count(),
        1
    );
    let device = volunteer.device();
    town.server().renew(device, "admin", now).unwrap();
    let report = volunteer.sync(&mut town);
    assert!(report.equal && report.closed.is_none(), "{report:?}");
}

/// The dispatch may never count: its author was revoked before it arrived anywhere.
#[test]
fn carried_dispatch_makes_no_reader_at_a_meeting() {
    let mut town = Town::small(6).with_categories();
    let [mut volunteer, _, mut room, mut gas] = people(&mut town);
    for phone in [&mut volunteer, &mut room, &mut gas] {
        phone.sync(&mut town);
    }
    let details = Details {
        title: Some("somebody hides gas bottles".to_owned()),
        category: Some("gas".to_owned()),
        ..Details::default()
    };
    let draft = Draft {
        content: Tip {
            details,
            offence: None,
        }
        .into(),
        home: town.places.path(GRID),
        audience: Audience::Restricted,
        team: None,
        source: Source::Member,
        named: Vec::new(),
        linked: None,
        attachments: Vec::new(),
    };
    let now = town.now_ms;
    let record = volunteer.replica().report(&draft, now).unwrap();
    volunteer.sync(&mut town);
    room.sync(&mut town);
    for event in town.pass_on_to_gas() {
        town.pass(1_000);
        let now = town.now_ms;
        room.replica().act(record, &event, None, now).unwrap();
    }
    assert!(matches!(room.meet(&mut volunteer, &town), Met::Whole(..)));
    town.server()
        .revoke(room.device(), "admin", town.now_ms)
        .unwrap();
    gas.sync(&mut town);
    assert!(matches!(volunteer.meet(&mut gas, &town), Met::Whole(..)));
    assert!(gas.replica().row(record).unwrap().is_none());
}

/// A tip that the handler of a company may not read reaches the command room through the handler's phone.
#[test]
fn tip_reaches_the_room_through_a_phone_that_cannot_read_it() {
    let mut town = Town::small(6).with_categories();
    let [mut volunteer, _, mut room, mut gas] = people(&mut town);
    for phone in [&mut volunteer, &mut room, &mut gas] {
        phone.sync(&mut town);
    }
    let details = Details {
        title: Some("somebody hides gas bottles".to_owned()),
        category: Some("gas".to_owned()),
        ..Details::default()
    };
    let draft = Draft {
        content: Tip {
            details,
            offence: None,
        }
        .into(),
        home: town.places.path(GRID),
        audience: Audience::Restricted,
        team: None,
        source: Source::Member,
        named: Vec::new(),
        linked: None,
        attachments: Vec::new(),
    };
    let now = town.now_ms;
    let record = volunteer.replica().report(&draft, now).unwrap();
    assert_eq!(volunteer.meet(&mut gas, &town), Met::Whole(0, 0));
    assert!(gas.replica().row(record).unwrap().is_none());
    // The author's phone stays out of reach of the network.
    let report = gas.sync(&mut town);
    assert!(report.equal && report.incidents.is_empty(), "{report:?}");
    assert_eq!((report.parcels, report.pushed), (1, 0));
    room.sync(&mut town);
    let row = room.replica().row(record).unwrap().unwrap();
    assert_eq!(row.title, "somebody hides gas bottles");
    assert!(gas.replica().row(record).unwrap().is_none());
    assert_eq!(gas.sync(&mut town).parcels, 0, "each once");
    // The author keeps the tip until its own receipt.
    assert_eq!(volunteer.replica().undelivered().unwrap(), 1);
    let report = volunteer.sync(&mut town);
    assert!(report.equal && report.incidents.is_empty(), "{report:?}");
    assert_eq!(volunteer.replica().undelivered().unwrap(), 0);
    let nodes = room.replica().load(record).unwrap().unwrap().nodes().len();
    room.sync(&mut town);
    let after = room.replica().load(record).unwrap().unwrap().nodes().len();
    assert_eq!(nodes, after, "nothing came twice");
}

/// The server is restored from a backup of its data and keys while the parcel travels.
#[test]
fn parcel_opens_on_a_restored_server() {
    let mut town = Town::small(7).with_categories();
    let [mut volunteer, _, mut room, mut gas] = people(&mut town);
    for phone in [&mut volunteer, &mut room, &mut gas] {
        phone.sync(&mut town);
    }
    let backup = town.backup();
    let mut draft = town.hazard("restricted");
    draft.audience = Audience::Restricted;
    let now = town.now_ms;
    let record = volunteer.replica().report(&draft, now).unwrap();
    assert_eq!(volunteer.meet(&mut gas, &town), Met::Whole(0, 0));
    town.pass(60_000);
    town.restore(&backup);
    let report = gas.sync(&mut town);
    assert!(report.equal, "{report:?}");
    assert_eq!(report.parcels, 1);
    room.sync(&mut town);
    assert!(room.replica().row(record).unwrap().is_some());
    volunteer.sync(&mut town);
    assert_eq!(volunteer.replica().undelivered().unwrap(), 0);
}

/// Text of twenty answers that hardly compresses, about 240 kB.
fn heavy_answers(seed: u32) -> Vec<FieldEdit> {
    let mut state = seed;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4e00 + (state >> 8) % 20_000).unwrap()
    };
    (0..20)
        .map(|answer| {
            let words: String = (0..4_000).map(|_| letter()).collect();
            FieldEdit::text(Field::Answer(format!("q{answer}")), words)
        })
        .collect()
}

/// Late work of a revoked phone fills several requests. The server holds it, so no stream moves, and
/// the courier has no work of its own.
#[test]
fn courier_brings_much_late_work_in_one_sync() {
    let mut town = Town::small(8);
    let [_, mut grid, mut room, _] = people(&mut town);
    let now = town.now_ms;
    let draft = town.hazard("before");
    let records: Vec<_> = (0..8)
        .map(|_| grid.replica().report(&draft, now).unwrap())
        .collect();
    grid.sync(&mut town);
    room.sync(&mut town);
    town.server().revoke(grid.device(), "admin", now).unwrap();
    let edits = [heavy_answers(1), heavy_answers(2)];
    for record in &records {
        for edits in &edits {
            grid.replica().edit(*record, edits, now).unwrap();
        }
    }
    // The courier does not know of the revocation yet.
    assert_eq!(room.meet(&mut grid, &town), Met::Whole(16, 0));
    let report = room.sync(&mut town);
    assert!(report.equal && report.incidents.is_empty(), "{report:?}");
    assert_eq!(room.replica().pending().unwrap(), 0);
}
