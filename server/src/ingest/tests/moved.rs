//! Reports from before a merger: a phone that had no network writes the paths that it knows.

use std::collections::HashMap;

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::area::{AreaLevel, AreaVersion};
use onegrid_core::domain::areas::AreaEntry;
use onegrid_core::domain::case::payload::Transfer;
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::names::Names;
use onegrid_core::id::AreaId;

use super::*;
use crate::directory;
use crate::limits::ROLE_GRACE_MS;

/// The village that takes over.
const HEIR: AreaId = area(9);
/// A village that never held the grid.
const OTHER: AreaId = area(10);
const MERGED_MS: i64 = NOW + 60_000;

fn entry(id: AreaId, level: AreaLevel, parent: AreaId, code: &str, from_ms: i64) -> AreaEntry {
    AreaEntry {
        id,
        level,
        parent: Some(parent),
        version: AreaVersion {
            code: code.parse().unwrap(),
            names: Names::new("社区", None).unwrap(),
            boundary: None,
            valid_from_ms: from_ms,
            valid_to_ms: None,
        },
        successors: Vec::new(),
    }
}

/// Publishes an entry as the administrator does at [`MERGED_MS`].
fn publish(world: &TestServer, entries: Vec<AreaEntry>) {
    let entries = entries.into_iter().map(DirectoryEntry::Area).collect();
    world.server.publish(entries, "admin", MERGED_MS).unwrap();
}

fn prepare(world: &TestServer) {
    let villages = [(HEIR, "330105013009"), (OTHER, "330105013010")];
    let villages = villages.map(|(id, code)| entry(id, AreaLevel::Village, TOWN, code, 0));
    publish(world, villages.to_vec());
}

/// The grid of the cast gets another village.
fn move_grid(world: &TestServer) {
    let code = "330105013003001";
    publish(
        world,
        vec![entry(GRID, AreaLevel::Grid, HEIR, code, MERGED_MS)],
    );
}

/// The village of the cast ends, and its grid continues in another one.
fn merge(world: &TestServer) {
    let mut ended = entry(VILLAGE, AreaLevel::Village, TOWN, "330105013003", 0);
    ended.version.valid_to_ms = Some(MERGED_MS);
    ended.successors = vec![HEIR];
    publish(world, vec![ended]);
    move_grid(world);
}

fn mark(world: &TestServer) -> onegrid_core::domain::directory::DirectoryMark {
    world.server.store().read(|tx| directory::mark(tx)).unwrap()
}

/// Delivers envelopes at a time of the server.
fn deliver(
    world: &TestServer,
    phone: &SyncPhone,
    envelopes: &[&Envelope],
    now_ms: i64,
) -> Vec<Status> {
    let bundle = phone.bundle(envelopes);
    let done = world.server.ingest(bundle, &HashMap::new(), now_ms);
    let lines = done.unwrap().lines;
    lines.iter().map(|line| line.verdict.status).collect()
}

const HELD: Status = Status::Held(HeldReason::Directory);

#[test]
fn report_from_before_a_merger_is_accepted() {
    let world = TestServer::new();
    prepare(&world);
    let mut phone = world.phone(VOLUNTEER_WANG);
    phone.seen = mark(&world);
    merge(&world);
    // Written before the merger, and after it without network.
    let before = phone.report("before");
    phone.clock_ms = MERGED_MS + 3_600_000;
    let after = phone.report("after");
    let late_ms = MERGED_MS + ROLE_GRACE_MS;
    let statuses = deliver(&world, &phone, &[&before, &after], late_ms);
    assert_eq!(statuses, [Status::Accepted; 2]);

    // The lead of the new village reads it.
    let path = AreaPath::new(&[DISTRICT, TOWN, HEIR]).unwrap();
    let (role, scope) = (Role::VillageLead, Scope::Area(path));
    let mut lead = world.phone_with(VILLAGE_LEAD_QIAN, vec![Grant { role, scope }]);
    let made = world.again(&mut lead, MERGED_MS);
    lead.certificate = std::sync::Arc::new(made.expect("with the ended village"));
    let (held, _) = held_by(&lead.pull(&world.server, 1 << 20));
    assert!(held.contains(&before.id()) && held.contains(&after.id()));
    digests_are_right(&world);
}

#[test]
fn old_path_of_an_author_who_knew_is_held() {
    let world = TestServer::new();
    prepare(&world);
    let mut phone = world.phone(VOLUNTEER_WANG);
    merge(&world);
    phone.seen = mark(&world);
    let report = phone.report("gas");
    assert_eq!(deliver(&world, &phone, &[&report], MERGED_MS), [HELD]);
    let path = AreaPath::new(&[DISTRICT, TOWN, HEIR, GRID]).unwrap();
    let present = phone.report_at("gas", path);
    let statuses = deliver(&world, &phone, &[&present], MERGED_MS);
    assert_eq!(statuses, [Status::Accepted]);
}

/// Otherwise an author who claims to have read nothing would keep an area for ever.
#[test]
fn old_path_after_the_grace_period_is_held() {
    let world = TestServer::new();
    prepare(&world);
    let mut phone = world.phone(VOLUNTEER_WANG);
    merge(&world);
    let report = phone.report("gas");
    let late_ms = MERGED_MS + ROLE_GRACE_MS + 1;
    assert_eq!(deliver(&world, &phone, &[&report], late_ms), [HELD]);
}

#[test]
fn path_that_was_never_true_is_held() {
    let world = TestServer::new();
    prepare(&world);
    let mut phone = world.phone(VOLUNTEER_WANG);
    merge(&world);
    let path = AreaPath::new(&[DISTRICT, TOWN, OTHER, GRID]).unwrap();
    let report = phone.report_at("gas", path);
    assert_eq!(deliver(&world, &phone, &[&report], MERGED_MS), [HELD]);
}

/// The grid belongs to another village now, and the worker lost the role there. The old path brings
/// neither back once the worker knows.
#[test]
fn lost_grid_is_not_reached_by_its_old_path() {
    let world = TestServer::new();
    prepare(&world);
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let elsewhere = AreaPath::new(&[DISTRICT, TOWN, OTHER]).unwrap();
    let case = reporter.report_at("gas", elsewhere);
    reporter.push(&world.server, &[&case]);
    let mut dispatcher = world.phone(DISPATCHER_GAO);
    move_grid(&world);
    dispatcher.seen = mark(&world);
    let transfer = Event::Transfer(Transfer {
        to: home(),
        reason: text("属地"),
    });
    let moved = dispatcher.act(case.record(), &[case.id()], &transfer);
    assert_eq!(deliver(&world, &dispatcher, &[&moved], MERGED_MS), [HELD]);

    let mut worker = world.phone(GRID_WORKER_CHEN);
    world.member(GRID_WORKER_CHEN, vec![VOLUNTEER_WANG.grant()]);
    worker.seen = mark(&world);
    let report = worker.report("gas");
    let statuses = deliver(&world, &worker, &[&report], MERGED_MS);
    assert_eq!(statuses, [Status::Held(HeldReason::RoleChanged)]);
}

/// The record keeps the path of its birth, so the decider has no other way to name the grid.
#[test]
fn old_case_is_triaged_into_its_moved_grid() {
    let world = TestServer::new();
    prepare(&world);
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let case = reporter.report_at("gas", above(3));
    reporter.push(&world.server, &[&case]);
    let mut dispatcher = world.phone(DISPATCHER_GAO);
    merge(&world);
    dispatcher.seen = mark(&world);
    let triage = |grid| {
        let Event::Triage(plain) = triage() else {
            panic!("a triage");
        };
        let grid = Some(grid);
        Event::Triage(Triage { grid, ..plain })
    };
    let moved = dispatcher.act(case.record(), &[case.id()], &triage(GRID));
    let statuses = deliver(&world, &dispatcher, &[&moved], MERGED_MS + 1);
    assert_eq!(statuses, [Status::Accepted]);
    let foreign = entry(
        area(11),
        AreaLevel::Grid,
        OTHER,
        "330105013010001",
        MERGED_MS,
    );
    publish(&world, vec![foreign]);
    let moved = dispatcher.act(case.record(), &[moved.id()], &triage(area(11)));
    assert_eq!(
        deliver(&world, &dispatcher, &[&moved], MERGED_MS + 1),
        [HELD]
    );
}
