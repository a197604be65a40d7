//! Open cases follow the directory and the rules: old cases reach the people who are in charge now.

use std::sync::Arc;

use onegrid_core::domain::area::AreaVersion;
use onegrid_core::domain::areas::AreaEntry;
use onegrid_core::domain::case::{RecordState, Stage};
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::names::Names;
use onegrid_core::domain::unit::{Unit, UnitKind};
use onegrid_core::domain::zone::{ZoneEntry, ZoneVersion};
use onegrid_core::domain::{AreaPath, area::AreaLevel};
use onegrid_core::id::{AreaId, UnitId, ZoneId};
use onegrid_core::wire::body::Body;
use onegrid_core::wire::envelope::Header;

use super::*;
use crate::error::Problem;
use crate::ingest::reroute::{reroute_with, state as routing_state};
use crate::server::Server;

const SECOND_MS: i64 = 1_000;
const ZONE: ZoneId = ZoneId([0x5a; 16]);
const NEW_ROOM: UnitId = UnitId([0x79; 16]);
/// The village that takes over.
const HEIR: AreaId = area(9);

fn names(zh: &str) -> Names {
    Names::new(zh, None).unwrap()
}

fn village(id: AreaId, code: &str, ends_ms: Option<i64>, heirs: &[AreaId]) -> DirectoryEntry {
    DirectoryEntry::Area(AreaEntry {
        id,
        level: AreaLevel::Village,
        parent: Some(TOWN),
        version: AreaVersion {
            code: code.parse().unwrap(),
            names: names("社区"),
            boundary: None,
            valid_from_ms: 0,
            valid_to_ms: ends_ms,
        },
        successors: heirs.to_vec(),
    })
}

/// Merges the village of the cast into another one at this time.
fn merge_villages(world: &TestServer, at_ms: i64) {
    let entries = vec![
        village(HEIR, "330105013009", None, &[]),
        village(VILLAGE, "330105013003", Some(at_ms), &[HEIR]),
    ];
    world.server.publish(entries, "admin", NOW).unwrap();
}

fn zone(areas: &[AreaId]) -> DirectoryEntry {
    DirectoryEntry::Zone(ZoneEntry {
        id: ZONE,
        names: names("中片区"),
        version: ZoneVersion {
            areas: areas.iter().copied().collect(),
            valid_from_ms: 0,
            valid_to_ms: None,
        },
    })
}

fn room(id: UnitId, dissolved_at_ms: Option<i64>) -> DirectoryEntry {
    DirectoryEntry::Unit(Unit {
        id,
        names: names("指挥中心"),
        kind: UnitKind::CommandRoom,
        area: TOWN,
        dissolved_at_ms,
    })
}

/// Routes until nothing remains.
fn route_all(server: &Server, now_ms: i64) {
    for _ in 0..100 {
        if server.reroute(now_ms).unwrap() == 0 {
            return;
        }
    }
    panic!("it ends");
}

fn state_of(server: &Server, id: RecordId) -> RecordState {
    let (record, _) = crate::ingest::plan::open_record(&server.intake, id).unwrap();
    record.state().unwrap().clone()
}

fn items(world: &TestServer, stream: StreamId) -> Vec<RecordId> {
    let items = world.server.store().read(|tx| tx.stream_items(stream));
    items.unwrap().iter().map(|item| item.record).collect()
}

fn reported(world: &TestServer) -> Envelope {
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    let answer = reporter.push(&world.server, &[&genesis]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    genesis
}

/// The lead of the new village reads the case of the ended one, and decides about it.
#[test]
fn merged_village_gives_its_cases_to_the_heir() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let (genesis, other) = (reporter.report("gas"), reporter.report("other"));
    reporter.push(&world.server, &[&genesis, &other]);
    let at_ms = NOW + 60 * SECOND_MS;
    merge_villages(&world, at_ms);
    let path = AreaPath::new(&[DISTRICT, TOWN, HEIR]).unwrap();
    let scope = Scope::Area(path);
    let role = Role::VillageLead;
    let mut lead = world.phone_with(VILLAGE_LEAD_QIAN, vec![Grant { role, scope }]);
    assert_eq!(world.again(&mut lead, at_ms - 1), None, "not yet");
    let (before, _) = held_by(&lead.pull(&world.server, 1 << 20));
    assert!(!before.contains(&genesis.id()), "another village");

    let made = world.again(&mut lead, at_ms).expect("a new certificate");
    assert_eq!(made.facts().grants.len(), 2);
    lead.certificate = Arc::new(made);
    assert_eq!(world.again(&mut lead, at_ms), None, "once");
    let (after, _) = held_by(&lead.pull(&world.server, 1 << 20));
    assert!(
        after.contains(&genesis.id()),
        "the case of the ended village"
    );

    lead.clock_ms = at_ms;
    // The lead has read everything, so no grace period helps.
    let mark = world
        .server
        .store()
        .read(|tx| crate::directory::mark(tx))
        .unwrap();
    for (case, grant, status) in [
        (&other, 0, Status::Void(VoidReason::MayElsewhere)),
        (&genesis, 1, Status::Accepted),
    ] {
        lead.clock_ms += SECOND_MS;
        let (record, clock_ms) = (Some(case.record()), lead.clock_ms);
        let header = Header {
            grant,
            directory_seen: mark,
            ..header(&lead.certificate, record, &[case.id()], clock_ms)
        };
        let moved = lead.sign(header, &Body::Event(event(&triage())));
        let answer = lead.push(&world.server, &[&moved]);
        assert_eq!(statuses(&answer), [status], "grant {grant}");
    }
    let state = state_of(&world.server, genesis.record());
    assert_eq!(state.stage(), Stage::Triaged);
    digests_are_right(&world);
}

/// A session may not outlive the certificate's grants.
#[test]
fn session_ends_when_the_areas_have_changed() {
    let world = TestServer::new();
    let path = AreaPath::new(&[DISTRICT, TOWN, HEIR]).unwrap();
    merge_villages(&world, NOW + 1);
    let grant = Grant {
        role: Role::VillageLead,
        scope: Scope::Area(path),
    };
    let mut lead = world.phone_with(VILLAGE_LEAD_QIAN, vec![grant]);
    lead.session.expires_ms = NOW + 14 * 60 * SECOND_MS;
    lead.clock_ms = NOW + 13 * 60 * SECOND_MS;
    let request = lead.ask(None, 0);
    let answer = lead.send(&world.server, &request).unwrap();
    assert_eq!(answer.session_expires_ms, None, "it is left to end");
}

#[test]
fn new_zone_gets_the_open_cases_of_its_villages() {
    let world = TestServer::new();
    let genesis = reported(&world);
    route_all(&world.server, NOW);
    world
        .server
        .publish(vec![zone(&[VILLAGE])], "admin", NOW)
        .unwrap();
    assert_eq!(items(&world, StreamId::Zone(ZONE)), []);
    route_all(&world.server, NOW);
    assert_eq!(items(&world, StreamId::Zone(ZONE)), [genesis.record()]);
    let scope = Scope::Zone {
        zone: ZONE,
        areas: vec![VILLAGE],
    };
    let role = Role::StationHead;
    let mut head = world.phone_with(STATION_HEAD_JIN, vec![Grant { role, scope }]);
    let (held, _) = held_by(&head.pull(&world.server, 1 << 20));
    assert!(held.contains(&genesis.id()));

    // The zone moves elsewhere, and its readers lose the case.
    let elsewhere = vec![village(HEIR, "330105013009", None, &[]), zone(&[HEIR])];
    world.server.publish(elsewhere, "admin", NOW).unwrap();
    route_all(&world.server, NOW);
    assert_eq!(items(&world, StreamId::Zone(ZONE)), []);
    digests_are_right(&world);
}

#[test]
fn zone_of_the_heir_gets_the_cases_of_the_ended_village() {
    let world = TestServer::new();
    let genesis = reported(&world);
    let at_ms = NOW + 60 * SECOND_MS;
    merge_villages(&world, at_ms);
    world
        .server
        .publish(vec![zone(&[HEIR])], "admin", NOW)
        .unwrap();
    route_all(&world.server, NOW);
    assert_eq!(items(&world, StreamId::Zone(ZONE)), []);
    // Only the time has passed, so nobody tells the task.
    route_all(&world.server, at_ms);
    assert_eq!(items(&world, StreamId::Zone(ZONE)), [genesis.record()]);
    digests_are_right(&world);
}

fn dispatching() -> Rules {
    let rules = "version = 1\n[[rule]]\ncode = \"gas\"\ncategories = [\"gas\"]\n\
         severity = \"serious\"\ndispatch_kind = \"command_room\"\n";
    Rules::parse(rules, "test").unwrap()
}

#[test]
fn new_command_room_gets_the_cases_that_waited() {
    let world = TestServer::with(dispatching());
    world
        .server
        .publish(vec![room(ROOM, Some(NOW - 1))], "admin", NOW)
        .unwrap();
    let genesis = reported(&world);
    route_all(&world.server, NOW);
    let state = state_of(&world.server, genesis.record());
    assert_eq!(state.stage(), Stage::Triaged, "nobody is in charge");
    let new_room = vec![room(NEW_ROOM, None)];
    world.server.publish(new_room, "admin", NOW).unwrap();
    route_all(&world.server, NOW);
    let state = state_of(&world.server, genesis.record());
    assert_eq!(state.stage(), Stage::Dispatched);
    assert_eq!(state.assignments()[0].to, Party::Unit(NEW_ROOM));
    let scope = Scope::Unit(NEW_ROOM);
    let role = Role::Handler;
    let mut handler = world.phone_with(HANDLER_SHEN, vec![Grant { role, scope }]);
    let (held, _) = held_by(&handler.pull(&world.server, 1 << 20));
    assert!(held.contains(&genesis.id()));
    digests_are_right(&world);
}

#[test]
fn new_rule_triages_the_cases_that_waited() {
    let world = TestServer::new();
    let genesis = reported(&world);
    route_all(&world.server, NOW);
    let state = state_of(&world.server, genesis.record());
    assert_eq!(state.stage(), Stage::Reported);
    let store = world.store_again();
    let next = Server::open(store, world.keys.clone(), dispatching()).unwrap();
    route_all(&next, NOW);
    let state = state_of(&next, genesis.record());
    assert_eq!(state.stage(), Stage::Dispatched);
}

#[test]
fn routing_continues_after_a_restart_and_ends() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let cases: Vec<Envelope> = (0..3).map(|n| reporter.report(&format!("c{n}"))).collect();
    reporter.push(&world.server, &cases.iter().collect::<Vec<_>>());
    let counted = std::cell::Cell::new(0);
    let look = |_| {
        counted.set(counted.get() + 1);
        Ok(false)
    };
    let intake = &world.server.intake;
    assert_eq!(reroute_with(intake, NOW, 2, look).unwrap(), 1);
    let next = world.reopened();
    assert_eq!(reroute_with(&next.intake, NOW, 2, look).unwrap(), 0);
    assert_eq!(counted.get(), 3, "each case once");
    assert_eq!(reroute_with(&next.intake, NOW, 2, look).unwrap(), 0);
    assert_eq!(counted.get(), 3, "nothing has changed");
    let state = next.routing().unwrap().unwrap();
    assert_eq!((state.done, state.all, state.failed), (3, 3, 0));
    assert!(state.ended_ms.is_some());
}

#[test]
fn case_that_fails_is_routed_later_and_holds_up_no_other() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let cases: Vec<Envelope> = (0..3).map(|n| reporter.report(&format!("c{n}"))).collect();
    reporter.push(&world.server, &cases.iter().collect::<Vec<_>>());
    let bad = cases[1].record();
    let look = |id| {
        assert_ne!(id, cases[0].record(), "a fault of ours");
        if id == bad {
            return Err(Problem::new("http.busy"));
        }
        Ok(true)
    };
    assert_eq!(reroute_with(&world.server.intake, NOW, 9, look).unwrap(), 0);
    let store = world.server.store();
    let state = store.read(|tx| routing_state(tx)).unwrap().unwrap();
    assert_eq!((state.done, state.changed, state.failed), (3, 1, 2));
    let later = NOW + crate::limits::DUE_RETRY_MS;
    let due = store.read(|tx| tx.records_due(later, 9)).unwrap();
    assert_eq!(due.len(), 2, "the tick looks at them");
    world.server.tick(later).unwrap();
    assert_eq!(store.read(|tx| tx.records_due(later, 9)).unwrap(), []);
}

/// A look at a case that is right already writes nothing, so its readers are left alone.
#[test]
fn unchanged_case_is_not_written() {
    let world = TestServer::new();
    let genesis = reported(&world);
    let row = |id| world.server.store().read(|tx| tx.record(id)).unwrap();
    let before = row(genesis.record());
    route_all(&world.server, NOW + SECOND_MS);
    let state = world.server.routing().unwrap().unwrap();
    assert_eq!((state.done, state.changed), (1, 0));
    assert_eq!(row(genesis.record()), before);
}
