//! A first load: the cost that the server tells before it begins, the order of its pages, and its cost on a line
//! that breaks.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::HashMap;

use onegrid_core::domain::Audience;
use onegrid_core::domain::case::MoveInput;
use onegrid_core::domain::kinds::visit;
use onegrid_core::id::RecordId;
use onegrid_core::replica::{Draft, Filter, FormDraft, Subject};
use onegrid_core::sync::report::Report;
use onegrid_core::wire::measure::{Measure, Quantity};
use onegrid_core::wire::verdict::Status;
use onegrid_server::rules::Rules;
use onegrid_tests::histories::{self, Cast, History, Written};
use onegrid_tests::photos::photo;
use onegrid_tests::town::{Extent, Fault, GRID, MINUTE_MS, Phone, STREET, Town, Turn, VILLAGE};
use rand_core::Rng as _;

/// The estimate of a plan differs from the real bytes by less than this part of them.
const ERROR_PERCENT_MAX: u64 = 25;
/// A plan moves fewer bytes than this, with the handshake.
const PLAN_BYTES_MAX: u64 = 2_048;
/// Records that the server gets at once.
const RECORDS_A_BUNDLE: usize = 500;

/// A village whose past are the hazards of the bench.
struct Village {
    town: Town,
    histories: Vec<History>,
    cases: Vec<Written>,
}

impl Village {
    fn new(seed: u64, records: usize) -> Self {
        let town = Town::with(seed, Extent::TwoStreets, Rules::none()).with_categories();
        let mut village = Self {
            town,
            histories: histories::read(),
            cases: Vec::new(),
        };
        village.bring(records, true);
        village
    }

    fn cast(&self) -> Cast {
        let keys = self.town.keys();
        Cast::new(keys.certificates(), *keys.authority())
    }

    /// Brings more hazards, with their whole histories or only as they were reported.
    fn bring(&mut self, records: usize, whole: bool) {
        let mut cast = self.cast();
        let first = self.cases.len();
        for place in first..first + records {
            let history = &self.histories[place % self.histories.len()];
            let mut history = history.clone().moved_to(GRID);
            if !whole {
                history.events.truncate(1);
            }
            self.cases.push(cast.write(&history, place as u64));
        }
        for cases in self.cases[first..].chunks(RECORDS_A_BUNDLE) {
            take_in(&self.town, cases);
        }
    }

    /// Lets a district lead write on the first cases.
    fn continue_some(&mut self, count: usize) {
        let news = self.cast().continue_some(&self.cases, count);
        take_in(&self.town, &news);
    }
}

fn take_in(town: &Town, cases: &[Written]) {
    let bundle = histories::bundle_of(cases);
    let taken = town
        .server()
        .ingest(bundle, &HashMap::new(), town.now_ms)
        .unwrap();
    let refused = taken
        .lines
        .iter()
        .find(|line| line.verdict.status != Status::Accepted);
    assert_eq!(refused.map(|line| line.verdict.status.code()), None);
}

/// Compares a plan with the sync that follows.
fn assert_close(what: &str, planned: &Measure, report: &Report) {
    let (planned, real) = (planned.bytes(), report.bytes_down);
    let error = planned.abs_diff(real) * 100 / real;
    eprintln!("{what}: planned {planned}, came {real}, error {error} %");
    assert!(error < ERROR_PERCENT_MAX, "{what}: {planned} and {real}");
}

/// The error is small for a village of any size, also where the server measures a sample alone.
#[test]
fn plan_is_close_to_the_bytes_of_the_load() {
    for records in [1, 40, 600, 3_000] {
        let mut village = Village::new(31, records);
        let town = &mut village.town;
        let mut phone = town.enrol("worker", "grid_worker", GRID, "");
        let (planned, exchange) = phone.plan_and_report(town);
        let cost = exchange.bytes_up + exchange.bytes_down;
        eprintln!("a plan of {records} records costs {cost} B");
        assert!(cost < PLAN_BYTES_MAX, "{exchange:?}");
        assert_eq!(
            planned.open.count + planned.rest.count,
            records as u64,
            "{planned:?}"
        );
        assert_eq!(planned.changes, Quantity::default());
        assert!(!planned.is_partial);
        let report = phone.sync(town);
        assert!(report.equal, "{report:?}");
        assert_close(&format!("{records} records"), &planned, &report);
        let open = Filter {
            open: Some(true),
            ..Filter::default()
        };
        assert_eq!(phone.replica().count(&open).unwrap(), planned.open.count);
        assert_eq!(phone.plan(town), Measure::default(), "nothing is left");
    }
}

/// A phone that was away gets the changes of its records, and new records.
#[test]
fn plan_after_a_long_absence_is_close() {
    let mut village = Village::new(32, 1_200);
    let mut phone = village.town.enrol("worker", "grid_worker", GRID, "");
    phone.sync(&mut village.town);
    for (known, new) in [(300, 0), (40, 700)] {
        village.town.pass(MINUTE_MS);
        village.continue_some(known);
        village.bring(new, true);
        let planned = phone.plan(&mut village.town);
        assert!(planned.changes.count >= known as u64 * 2, "{planned:?}");
        assert_eq!((planned.open.count, planned.rest.count), (0, 0));
        let report = phone.sync(&mut village.town);
        assert!(report.equal, "{report:?}");
        assert_close(&format!("{known} and {new}"), &planned, &report);
    }
}

/// A load that was cut is planned from where it stopped.
#[test]
fn plan_of_a_begun_load_counts_the_rest() {
    let mut village = Village::new(33, 1_500);
    let town = &mut village.town;
    let mut phone = town.enrol("worker", "grid_worker", GRID, "");
    let whole = phone.plan(town);
    phone.cap_page(Some(64 * 1_024));
    let mut answers = 0;
    while answers < 6 {
        match phone.turn(town, Fault::None) {
            Turn::Answered => answers += 1,
            turn => panic!("{turn:?}"),
        }
    }
    let came = phone.progress().bytes_down;
    let rest = phone.plan(town);
    assert!(rest.bytes() < whole.bytes() - came / 2, "{rest:?}");
    let report = phone.sync(town);
    assert_close("the rest", &rest, &report);
}

/// The author of a tip is withheld from the handler, whose phone keeps the certificates sealed.
#[test]
fn plan_of_a_handler_counts_sealed_certificates() {
    let mut town = Town::small(34).with_categories();
    let mut room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
    for n in 0..24 {
        let mut volunteer = town.enrol(&format!("aunt-{n}"), "volunteer", VILLAGE, "wulin-aunties");
        let (now, draft) = (town.now_ms, town.hazard(&format!("gas {n}")));
        let record = volunteer.replica().report(&draft, now).unwrap();
        volunteer.sync(&mut town);
        room.sync(&mut town);
        for event in town.pass_on_to_gas() {
            town.pass(1_000);
            let now = town.now_ms;
            // The rules of the town may have passed the report on already.
            drop(room.replica().act(record, &event, None, now));
        }
        room.sync(&mut town);
    }
    let mut handler = town.enrol("gas", "handler", "", "gas-company");
    let planned = handler.plan(&mut town);
    assert!(planned.certificates.count >= 24, "{planned:?}");
    let report = handler.sync(&mut town);
    assert!(report.equal, "{report:?}");
    assert_close("a handler", &planned, &report);
}

/// A phone learns nothing about records that it may not read.
#[test]
fn plan_counts_only_readable_records() {
    let mut village = Village::new(35, 50);
    let town = &mut village.town;
    let mut author = town.enrol("author", "grid_worker", GRID, "");
    let mut tip = town.hazard("restricted");
    tip.audience = Audience::Restricted;
    let record = author.replica().report(&tip, town.now_ms).unwrap();
    let added = author.replica().add_attachment(&photo(40, 1), town.now_ms);
    let id = added.unwrap().id;
    author.replica().attach(record, id, town.now_ms).unwrap();
    author.sync(town);
    let mut elsewhere = town.enrol("elsewhere", "grid_worker", "330105013001001", "");
    let planned = elsewhere.plan(town);
    assert_eq!((planned.open.count, planned.rest.count), (0, 0));
    let mut worker = town.enrol("worker", "grid_worker", GRID, "");
    let planned = worker.plan(town);
    assert_eq!(planned.open.count + planned.rest.count, 50);
    assert_eq!(planned.photos_open, Quantity::default());
}

/// Cases that the worker reported, visits that the worker planned for today, and older cases.
struct OwnWork {
    cases: Vec<RecordId>,
    visits: Vec<RecordId>,
}

fn own_work(worker: &mut Phone, town: &mut Town) -> OwnWork {
    let mut own = OwnWork {
        cases: Vec::new(),
        visits: Vec::new(),
    };
    for n in 0..4 {
        town.pass(1_000);
        let (now, draft) = (town.now_ms, town.hazard(&format!("own {n}")));
        own.cases
            .push(worker.replica().report(&draft, now).unwrap());
        let draft = FormDraft {
            kind: visit::KIND,
            template: "fire_lane".parse().unwrap(),
            home: town.places.path(GRID),
            subject: Some(Subject::Named {
                title: format!("yard {n}"),
                address: None,
                position: None,
            }),
            planned_ms: Some(now + 60 * MINUTE_MS),
            companions: Vec::new(),
            companion_names: None,
            audience: Audience::Staff,
            team: None,
            linked: None,
            note: None,
        };
        let planned = worker.replica().plan_form(&draft, now).unwrap();
        own.visits.push(planned.form);
    }
    own
}

/// The first answer with cases holds the person's own work, although other people's cases are newer. No record
/// that has ended comes before the last open one.
#[test]
fn first_pages_hold_own_work_and_then_open_cases() {
    let mut village = Village::new(36, 300);
    let mut worker = village.town.enrol("worker", "grid_worker", GRID, "");
    worker.sync(&mut village.town);
    let own = own_work(&mut worker, &mut village.town);
    worker.sync(&mut village.town);
    // Open cases of other people, newer than the own ones.
    let mut other = village.town.enrol("other", "grid_worker", GRID, "");
    for n in 0..40 {
        village.town.pass(1_000);
        let draft: Draft = village.town.hazard(&format!("newer {n}"));
        other.replica().report(&draft, village.town.now_ms).unwrap();
    }
    other.sync(&mut village.town);
    let town = &mut village.town;
    let member = worker.replica().certificate().unwrap().facts().member;
    let mut fresh = town.enrol_phone("worker-2", member.unwrap());
    let planned = fresh.plan(town);
    fresh.cap_page(Some(8 * 1_024));
    let mut first = true;
    loop {
        match fresh.turn(town, Fault::None) {
            Turn::Answered => {}
            Turn::Done(report) => break assert!(report.equal),
            turn => panic!("{turn:?}"),
        }
        let count = |fresh: &mut Phone, open| {
            let filter = Filter {
                open: Some(open),
                ..Filter::default()
            };
            fresh.replica().count(&filter).unwrap()
        };
        let (open, ended) = (count(&mut fresh, true), count(&mut fresh, false));
        if open > 0 && first {
            first = false;
            for record in own.cases.iter().chain(&own.visits) {
                let row = fresh.replica().row(*record).unwrap();
                assert!(row.is_some(), "own work is on the first page");
            }
            assert_eq!(ended, 0);
        }
        assert!(ended == 0 || open == planned.open.count, "{open} {ended}");
    }
    assert!(!first);
    let finished = fresh.replica().count(&Filter::default()).unwrap();
    assert_eq!(finished, planned.open.count + planned.rest.count);
}

/// A visit that has ended is no work of today.
#[test]
fn ended_visit_is_not_open() {
    let mut town = Town::small(37);
    let mut worker = town.enrol("worker", "grid_worker", GRID, "");
    worker.sync(&mut town);
    let own = own_work(&mut worker, &mut town);
    worker.sync(&mut town);
    let open = |town: &Town| {
        let store = town.store();
        let of = |record: &RecordId| store.read(|tx| tx.record(*record)).unwrap().unwrap().open;
        own.visits.iter().filter(|record| of(record)).count()
    };
    assert_eq!(open(&town), 4);
    let now = town.now_ms;
    let cancel = MoveInput {
        text: Some("改期".to_owned()),
        ..MoveInput::of_step(&visit::CANCEL)
    };
    worker
        .replica()
        .make_move(own.visits[0], &cancel, now)
        .unwrap();
    worker.sync(&mut town);
    assert_eq!(open(&town), 3);
}

/// The trouble of a load after each page that it has applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Never,
    /// The next request is lost.
    Cut,
    /// A part of the next answer arrives.
    CutInside,
    /// The app is killed.
    Killed,
}

/// Loads everything; returns the bytes both ways, and the number of troubles.
fn load(mut phone: Phone, town: &mut Town, trouble: Trouble) -> (u64, u64) {
    let (mut before, mut pulled, mut troubles) = (0, 0, 0);
    loop {
        match phone.turn(town, Fault::None) {
            Turn::Done(report) => {
                assert!(report.equal, "{report:?}");
                return (before + report.bytes_up + report.bytes_down, troubles);
            }
            Turn::Waits => phone.wake(),
            Turn::Answered => {}
            turn => panic!("{turn:?}"),
        }
        let progress = phone.progress();
        if progress.pulled <= pulled || trouble == Trouble::Never {
            continue;
        }
        pulled = progress.pulled;
        troubles += 1;
        match trouble {
            Trouble::Killed => {
                before += progress.bytes_up + progress.bytes_down;
                pulled = 0;
                phone.crash();
                phone.reopen();
            }
            Trouble::Cut | Trouble::CutInside => {
                let fault = if trouble == Trouble::Cut {
                    Fault::RequestLost
                } else {
                    let at = usize::try_from(town.rng.next_u32()).unwrap();
                    before += at as u64 % 2_000;
                    Fault::Cut(at % 2_000)
                };
                match phone.turn(town, fault) {
                    Turn::Done(report) => {
                        assert!(report.equal, "{report:?}");
                        return (before + report.bytes_up + report.bytes_down, troubles);
                    }
                    Turn::Lost | Turn::Failed(_) => {}
                    turn => panic!("{turn:?}"),
                }
            }
            Trouble::Never => {}
        }
    }
}

/// A line that is cut after each answer costs the lost requests and brings no page twice. An app that
/// is killed after each answer also pays a handshake for each page, and gets the small pages of a
/// new line alone, which compress less.
#[test]
fn load_cut_after_every_answer_costs_no_more() {
    let mut village = Village::new(38, 1_500);
    let town = &mut village.town;
    let mut load = |name: &str, trouble| {
        let phone = town.enrol(name, "grid_worker", GRID, "");
        let (bytes, troubles) = load(phone, town, trouble);
        eprintln!("{name}: {bytes} B, {troubles} troubles");
        bytes
    };
    let whole = load("whole", Trouble::Never);
    let cut = load("cut", Trouble::Cut);
    assert!(cut < whole * 105 / 100, "{cut} of {whole}");
    let inside = load("inside", Trouble::CutInside);
    assert!(inside < whole * 110 / 100, "{inside} of {whole}");
    let killed = load("killed", Trouble::Killed);
    assert!(killed < whole * 150 / 100, "{killed} of {whole}");
}
