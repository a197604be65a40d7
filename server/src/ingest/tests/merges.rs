//! Mergers that do not hold. People never find two ended cases where one should continue.

use std::collections::HashMap;

use onegrid_core::domain::case::payload::{HandToPolice, Merge, Reasoned};
use onegrid_core::domain::case::{Conflict, MergeFault, RecordState, Stage};
use onegrid_core::domain::content::Content;
use onegrid_core::domain::kinds::place::{self, Place};

use super::*;

fn merge(into: RecordId) -> Event {
    Event::Merge(Merge { into, note: None })
}

fn dismiss() -> Event {
    Event::Dismiss(Reasoned {
        reason: Text::new("不属于受理范围").unwrap(),
    })
}

fn state(world: &TestServer, id: RecordId) -> RecordState {
    let record = crate::ingest::plan::open_record(&world.server.intake, id)
        .unwrap()
        .0;
    record.state().unwrap().clone()
}

/// The stage of a case, and the fault of its merger.
fn standing(world: &TestServer, id: RecordId) -> (Stage, Option<MergeFault>) {
    let state = state(world, id);
    let fault = state.conflicts.iter().find_map(|conflict| match conflict {
        Conflict::BrokenMerge { fault, .. } => Some(*fault),
        _ => None,
    });
    (state.stage(), fault)
}

/// Three cases of one volunteer, and a dispatcher who merges them.
struct ThreeCases {
    world: TestServer,
    cases: Vec<Envelope>,
    dispatcher: SyncPhone,
}

impl ThreeCases {
    /// Three cases that the server has.
    fn new() -> Self {
        let world = TestServer::new();
        let mut phone = world.phone(VOLUNTEER_WANG);
        let cases: Vec<Envelope> = (0..3).map(|n| phone.report(&format!("c{n}"))).collect();
        phone.push(&world.server, &cases.iter().collect::<Vec<_>>());
        let dispatcher = world.phone(DISPATCHER_GAO);
        Self {
            world,
            cases,
            dispatcher,
        }
    }

    fn id(&self, n: usize) -> RecordId {
        self.cases[n].record()
    }

    /// The dispatcher acts on an untouched case.
    fn acts(&mut self, n: usize, event: &Event) {
        let genesis = self.cases[n].id();
        let envelope = self.dispatcher.act(self.id(n), &[genesis], event);
        let answer = self.dispatcher.push(&self.world.server, &[&envelope]);
        assert_eq!(statuses(&answer), [Status::Accepted]);
    }

    fn tick(&self) -> usize {
        let made = self.world.server.tick(NOW + 60_000).unwrap();
        assert_eq!(self.world.server.tick(NOW + 61_000).unwrap(), 0, "once");
        let due = self
            .world
            .server
            .store()
            .read(|tx| tx.records_due(i64::MAX, 9));
        assert_eq!(due.unwrap(), []);
        digests_are_right(&self.world);
        made
    }
}

#[test]
fn cases_merged_into_each_other_both_stay_open() {
    let mut three = ThreeCases::new();
    let (a, b) = (three.id(0), three.id(1));
    three.acts(0, &merge(b));
    // On another phone, without network, at the same time.
    let mut other = three.world.phone(DISPATCHER_MA);
    let back = other.act(b, &[three.cases[1].id()], &merge(a));
    other.push(&three.world.server, &[&back]);
    assert_eq!(state(&three.world, a).stage(), Stage::Merged);
    assert_eq!(three.tick(), 2);
    for id in [a, b] {
        let expected = (Stage::Reported, Some(MergeFault::Mutual));
        assert_eq!(standing(&three.world, id), expected);
    }
    let row = three.world.server.store().read(|tx| tx.record(a)).unwrap();
    assert!(row.unwrap().open, "people find it among the open cases");
}

#[test]
fn merge_into_absent_record_is_undone() {
    let mut three = ThreeCases::new();
    three.acts(0, &merge(RecordId([9; 16])));
    assert_eq!(three.tick(), 1);
    let expected = (Stage::Reported, Some(MergeFault::Absent));
    assert_eq!(standing(&three.world, three.id(0)), expected);
}

#[test]
fn merge_into_dismissed_record_is_undone_in_either_order() {
    for dismissed_first in [true, false] {
        let mut three = ThreeCases::new();
        let b = three.id(1);
        if dismissed_first {
            three.acts(1, &dismiss());
            three.tick();
            three.acts(0, &merge(b));
        } else {
            three.acts(0, &merge(b));
            assert_eq!(three.tick(), 0);
            three.acts(1, &dismiss());
        }
        assert_eq!(three.tick(), 1);
        let expected = (Stage::Reported, Some(MergeFault::Dismissed));
        assert_eq!(standing(&three.world, three.id(0)), expected);
        assert_eq!(standing(&three.world, b), (Stage::Dismissed, None));
    }
}

#[test]
fn merge_into_place_is_undone() {
    let mut three = ThreeCases::new();
    let content = Content::from(Place::default());
    let shop = three.dispatcher.genesis(place::KIND, &content, home());
    let answer = three.dispatcher.push(&three.world.server, &[&shop]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    three.acts(0, &merge(shop.record()));
    assert_eq!(three.tick(), 1);
    let expected = (Stage::Reported, Some(MergeFault::NoCase));
    assert_eq!(standing(&three.world, three.id(0)), expected);
}

#[test]
fn merge_into_ended_case_is_undone() {
    for ended_first in [true, false] {
        let mut three = ThreeCases::new();
        let b = three.id(1);
        let police = Event::HandToPolice(HandToPolice {
            to: None,
            reason: Text::new("涉刑").unwrap(),
        });
        let moves: [(usize, &Event); 2] = [(1, &police), (0, &merge(b))];
        let order = if ended_first { [0, 1] } else { [1, 0] };
        for (after_ms, at) in (0..).zip(order) {
            let (n, event) = moves[at];
            let genesis = three.cases[n].id();
            let said = three.dispatcher.act(three.id(n), &[genesis], event);
            let bundle = three.dispatcher.bundle(&[&said]);
            let now_ms = NOW + after_ms;
            let told = three.world.server.ingest(bundle, &HashMap::new(), now_ms);
            assert_eq!(told.unwrap().lines[0].verdict.status, Status::Accepted);
        }
        let fault = ended_first.then_some(MergeFault::Ended);
        assert_eq!(three.tick(), usize::from(ended_first));
        let stage = if ended_first {
            Stage::Reported
        } else {
            Stage::Merged
        };
        assert_eq!(standing(&three.world, three.id(0)), (stage, fault));
        assert_eq!(standing(&three.world, b), (Stage::HandedToPolice, None));
    }
}

#[test]
fn merge_into_merged_record_is_undone() {
    let mut three = ThreeCases::new();
    let (b, c) = (three.id(1), three.id(2));
    three.acts(1, &merge(c));
    three.acts(0, &merge(b));
    assert_eq!(three.tick(), 1);
    let expected = (Stage::Reported, Some(MergeFault::Merged));
    assert_eq!(standing(&three.world, three.id(0)), expected);
    assert_eq!(standing(&three.world, b), (Stage::Merged, None));
}

#[test]
fn chain_of_mergers_made_in_order_holds() {
    let mut three = ThreeCases::new();
    let (b, c) = (three.id(1), three.id(2));
    three.acts(0, &merge(b));
    three.dispatcher.clock_ms += 1;
    three.acts(1, &merge(c));
    assert_eq!(three.tick(), 0);
    for id in [three.id(0), b] {
        assert_eq!(standing(&three.world, id), (Stage::Merged, None));
    }
    assert_eq!(standing(&three.world, c), (Stage::Reported, None));
}

/// A look at the first case of a chain opens the second one, and not the third.
#[test]
fn word_in_a_chain_of_mergers_undoes_nothing() {
    let mut three = ThreeCases::new();
    let (a, b, c) = (three.id(0), three.id(1), three.id(2));
    three.acts(0, &merge(b));
    three.acts(1, &merge(c));
    assert_eq!(three.tick(), 0);
    let heads = crate::ingest::plan::open_record(&three.world.server.intake, a)
        .unwrap()
        .0
        .heads();
    let word = three.dispatcher.act(a, &heads, &comment("话"));
    let answer = three.dispatcher.push(&three.world.server, &[&word]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    assert_eq!(three.tick(), 0);
    for id in [a, b] {
        assert_eq!(standing(&three.world, id), (Stage::Merged, None));
    }
}
