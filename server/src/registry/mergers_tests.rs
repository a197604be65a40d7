//! Mergers and dissolutions, cut and repeated ones too.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::domain::names::Names;
use onegrid_core::domain::unit::UnitKind;
use onegrid_core::fixtures::{
    DISTRICT, GAS, GRID, GRID_WORKER_CHEN, NOW, ROOM, TEAM, TOWN, VILLAGE, VILLAGE_LEAD_QIAN,
    VOLUNTEER_WANG, area,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::ingest::tests::world::TestServer;
use crate::store::MemberRow;

/// The village that takes over.
const HEIR: AreaId = area(9);
const LATER: i64 = NOW + 60_000;

fn publish_heir(world: &TestServer) {
    let heir = DirectoryEntry::Area(AreaEntry {
        id: HEIR,
        level: AreaLevel::Village,
        parent: Some(TOWN),
        version: AreaVersion {
            code: "330105013009".parse().unwrap(),
            names: Names::new("社区", None).unwrap(),
            boundary: None,
            valid_from_ms: 0,
            valid_to_ms: None,
        },
        successors: Vec::new(),
    });
    let committee = unit(0x7a, VILLAGE, UnitKind::VillageCommittee);
    let entries = vec![heir, DirectoryEntry::Unit(committee)];
    world.server.publish(entries, "admin", NOW).unwrap();
}

fn unit(n: u8, area: AreaId, kind: UnitKind) -> Unit {
    Unit {
        id: UnitId([n; 16]),
        names: Names::new("单位", None).unwrap(),
        kind,
        area,
        dissolved_at_ms: None,
    }
}

fn path(ids: &[AreaId]) -> AreaPath {
    AreaPath::new(ids).unwrap()
}

fn row(world: &TestServer, member: MemberId) -> MemberRow {
    let found = world.server.store().read(|tx| tx.member(member));
    found.unwrap().unwrap()
}

fn lines(world: &TestServer, action: &str) -> Vec<(String, String)> {
    let all = world.server.store().read(|tx| tx.audit(0, 10_000)).unwrap();
    let found = all.into_iter().filter(|row| row.action == action);
    found.map(|row| (row.actor, row.subject)).collect()
}

/// A world with an heir, and one case, three people and an invitation in the village that ends.
fn crowded() -> TestServer {
    let world = TestServer::new();
    publish_heir(&world);
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let case = reporter.report("gas");
    reporter.push(&world.server, &[&case]);
    world.member(GRID_WORKER_CHEN, vec![GRID_WORKER_CHEN.grant()]);
    let lead = Grant {
        role: Role::VillageLead,
        scope: Scope::Area(path(&[DISTRICT, TOWN, VILLAGE])),
    };
    world.member(VILLAGE_LEAD_QIAN, vec![lead]);
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let member = GRID_WORKER_CHEN.member();
    let invited = world.server.invite(member, 600_000, "admin", NOW, &mut rng);
    invited.unwrap();
    world
}

#[test]
fn preview_names_everything_that_moves_and_moves_nothing() {
    let world = crowded();
    let shared = &world.server.shared;
    let found = preview_merge(shared, VILLAGE, HEIR, LATER).unwrap();
    assert_eq!(found.areas, [GRID]);
    assert_eq!(found.units, [UnitId([0x7a; 16])]);
    assert_eq!(found.people.len(), 3);
    assert_eq!(found.roles.get(&Role::VillageLead), Some(&1));
    assert_eq!((found.open_cases, found.invitations), (1, 1));
    assert!(lines(&world, "area.merged").is_empty());
    let area = |id| read(shared).unwrap().areas.get(id).unwrap().clone();
    assert!(area(VILLAGE).version_at(LATER).is_some());
    assert_eq!(area(GRID).parent(), Some(VILLAGE));
}

#[test]
fn merged_village_moves_grids_units_people_and_cases() {
    let world = crowded();
    let shared = &world.server.shared;
    assert_eq!(merge(shared, VILLAGE, HEIR, "zhang", LATER).unwrap(), 3);
    let directory = read(shared).unwrap();
    let ended = directory.areas.get(VILLAGE).unwrap();
    assert!(ended.version_at(LATER).is_none() && ended.version_at(LATER - 1).is_some());
    assert_eq!(ended.successors(), [HEIR]);
    assert_eq!(directory.areas.get(GRID).unwrap().parent(), Some(HEIR));
    assert_eq!(directory.units[&UnitId([0x7a; 16])].area, HEIR);

    let lead = row(&world, VILLAGE_LEAD_QIAN.member());
    assert_eq!(lead.area, HEIR);
    let into = path(&[DISTRICT, TOWN, HEIR]);
    assert_eq!(lead.grants[0].scope, Scope::Area(into));
    let worker = row(&world, GRID_WORKER_CHEN.member());
    let in_grid = path(&[DISTRICT, TOWN, HEIR, GRID]);
    assert_eq!(worker.grants[0].scope, Scope::Area(in_grid));

    let subject = format!("{VILLAGE} {HEIR}");
    assert_eq!(
        lines(&world, "area.merged"),
        [("zhang".to_owned(), subject)]
    );
    let state = || world.server.routing().unwrap();
    while world.server.reroute(LATER).unwrap() > 0 {}
    assert_eq!(state().unwrap().done, 1, "the case follows");
    let again = merge(shared, VILLAGE, HEIR, "zhang", LATER + 1);
    assert_eq!(again.unwrap_err().code(), "registry.area_ended");
}

/// A cut leaves the area ended and its people behind. The same command brings them.
#[test]
fn cut_merger_continues() {
    let world = crowded();
    let shared = &world.server.shared;
    let directory = read(shared).unwrap();
    let ending = check_merge(&directory, VILLAGE, HEIR, LATER).unwrap();
    let mut entries = vec![moved_area(&directory, GRID, HEIR, LATER).unwrap()];
    entries.extend(end(&directory, &ending, LATER).unwrap());
    world.server.publish(entries, "zhang", LATER).unwrap();
    let moved = merge(shared, VILLAGE, HEIR, "zhang", LATER + 5_000).unwrap();
    assert_eq!(moved, 3);
    assert_eq!(row(&world, VILLAGE_LEAD_QIAN.member()).area, HEIR);
    let directory = read(shared).unwrap();
    let ended = directory.areas.get(VILLAGE).unwrap().newest().valid_to_ms;
    assert_eq!(ended, Some(LATER), "it ended once");
    assert_eq!(directory.units[&UnitId([0x7a; 16])].area, HEIR);
}

/// A table moved the grid earlier, and the role of its worker still names the way of that day.
#[test]
fn merger_leaves_a_grid_that_moved_elsewhere_before() {
    let world = crowded();
    let shared = &world.server.shared;
    let third = DirectoryEntry::Area(AreaEntry {
        id: area(10),
        level: AreaLevel::Village,
        parent: Some(TOWN),
        version: AreaVersion {
            code: "330105013010".parse().unwrap(),
            names: Names::new("第三社区", None).unwrap(),
            boundary: None,
            valid_from_ms: 0,
            valid_to_ms: None,
        },
        successors: Vec::new(),
    });
    world.server.publish(vec![third], "admin", NOW).unwrap();
    let directory = read(shared).unwrap();
    let moved = moved_area(&directory, GRID, area(10), NOW + 1).unwrap();
    world.server.publish(vec![moved], "admin", NOW + 1).unwrap();
    merge(shared, VILLAGE, HEIR, "zhang", LATER).unwrap();
    let worker = row(&world, GRID_WORKER_CHEN.member());
    let there = path(&[DISTRICT, TOWN, area(10), GRID]);
    assert_eq!(worker.grants[0].scope, Scope::Area(there));
}

#[test]
fn merger_of_misfits_is_refused() {
    let world = crowded();
    let shared = &world.server.shared;
    let refused = |from, into, code: &str| {
        let done = merge(shared, from, into, "zhang", LATER);
        assert_eq!(done.unwrap_err().code(), code);
    };
    refused(VILLAGE, VILLAGE, "registry.heir_misfit");
    refused(VILLAGE, TOWN, "registry.heir_misfit");
    refused(DISTRICT, DISTRICT, "registry.heir_misfit");
    refused(VILLAGE, area(77), "registry.unknown_area");
    assert_eq!(lines(&world, "area.merged"), []);
}

#[test]
fn area_with_people_is_not_dissolved() {
    let world = crowded();
    let shared = &world.server.shared;
    let done = dissolve(shared, VILLAGE, &[HEIR], "zhang", LATER);
    assert_eq!(done.unwrap_err().code(), "registry.area_not_empty");
    dissolve(shared, HEIR, &[VILLAGE], "zhang", LATER).unwrap();
    let directory = read(shared).unwrap();
    let ended = directory.areas.get(HEIR).unwrap();
    assert_eq!(ended.successors(), [VILLAGE]);
    assert!(ended.version_at(LATER).is_none());
    assert_eq!(lines(&world, "area.dissolved").len(), 1);
    let again = dissolve(shared, HEIR, &[VILLAGE], "zhang", LATER);
    assert_eq!(again.unwrap_err().code(), "registry.area_ended");
}

#[test]
fn dissolved_unit_hands_its_people_over_or_takes_their_roles() {
    let world = TestServer::new();
    let shared = &world.server.shared;
    let heir = unit(0x7b, TOWN, UnitKind::Team);
    let entries = vec![DirectoryEntry::Unit(heir.clone())];
    world.server.publish(entries, "admin", NOW).unwrap();
    let in_unit = |unit| Grant {
        role: Role::Handler,
        scope: Scope::Unit(unit),
    };
    world.member(
        VOLUNTEER_WANG,
        vec![in_unit(TEAM), GRID_WORKER_CHEN.grant()],
    );
    let member = VOLUNTEER_WANG.member();
    assert_eq!(preview_unit(shared, TEAM, LATER).unwrap().people, [member]);
    let misfit = dissolve_unit(shared, TEAM, Some(GAS), "zhang", LATER);
    assert_eq!(misfit.unwrap_err().code(), "registry.unit_misfit");
    let moved = dissolve_unit(shared, TEAM, Some(heir.id), "zhang", LATER);
    assert_eq!(moved.unwrap(), 1);
    let grants = row(&world, member).grants;
    assert_eq!(grants, [in_unit(heir.id), GRID_WORKER_CHEN.grant()]);
    assert_eq!(
        read(shared).unwrap().units[&TEAM].dissolved_at_ms,
        Some(LATER)
    );

    assert_eq!(
        dissolve_unit(shared, heir.id, None, "zhang", LATER).unwrap(),
        1
    );
    assert_eq!(row(&world, member).grants, [GRID_WORKER_CHEN.grant()]);
    assert_eq!(lines(&world, "unit.dissolved").len(), 2);
    let nobody = dissolve_unit(shared, ROOM, None, "zhang", LATER);
    assert_eq!(nobody.unwrap(), 0);
}
