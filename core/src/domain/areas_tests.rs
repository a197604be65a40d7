#![allow(clippy::unwrap_used, reason = "tests")]
use super::test_support::{area, entry, small_district, square};
use super::*;

const VILLAGE: &str = "330105013051";
const LEFT: &str = "330105013051001";
const RIGHT: &str = "330105013051002";

fn at(lat_e7: i32, lon_e7: i32) -> GeoPoint {
    GeoPoint::new(lat_e7, lon_e7).unwrap()
}

fn grid(code: &str) -> AreaEntry {
    entry(AreaLevel::Grid, code, Some(VILLAGE), None)
}

#[test]
fn ancestry_runs_from_the_district_down() {
    let areas = small_district();
    let line = areas.ancestry(area(LEFT));
    let levels: Vec<AreaLevel> = line.iter().map(|area| area.level()).collect();
    assert_eq!(levels, AreaLevel::ALL);
    let path = areas.path(area(LEFT)).unwrap();
    assert_eq!(
        (path.village(), path.grid()),
        (Some(area(VILLAGE)), Some(area(LEFT)))
    );
    assert_eq!(
        areas.path(area(VILLAGE)).unwrap().level(),
        AreaLevel::Village
    );
    assert_eq!(areas.path(AreaId([0; 16])), None);
    assert!(areas.ancestry(AreaId([0; 16])).is_empty());
    assert_eq!(areas.children(area(VILLAGE)).count(), 2);
}

#[test]
fn on_a_common_edge_the_lowest_id_wins() {
    let areas = small_district();
    let lowest = area(LEFT).min(area(RIGHT));
    assert_eq!(areas.grid_at(at(500, 1000), 0), Some(lowest));
    assert_eq!(
        areas.grid_at(at(0, 1000), 0),
        Some(lowest),
        "a common corner"
    );
    assert_eq!(areas.grid_at(at(500, 999), 0), Some(area(LEFT)));
    assert_eq!(areas.grid_at(at(500, 1001), 0), Some(area(RIGHT)));
    assert_eq!(areas.grid_at(at(500, 2001), 0), None);
    assert_eq!(
        areas.grid_at(at(500, 500), -1),
        None,
        "before its first version"
    );
}

#[test]
fn nearest_finds_within_the_tolerance_only() {
    let areas = small_district();
    // 900,000 units of 1e-7 degree at the equator are 10,007 m.
    let far = at(500, 902_000);
    let near = areas.nearest(AreaLevel::Grid, far, 0, 10_008).unwrap();
    assert_eq!(near.id, area(RIGHT));
    assert!(
        (near.distance_m - 10_007.6).abs() < 0.5,
        "{}",
        near.distance_m
    );
    assert_eq!(areas.nearest(AreaLevel::Grid, far, 0, 10_007), None);
    let inside = areas.nearest(AreaLevel::Grid, at(1, 1), 0, 0).unwrap();
    assert_eq!((inside.id, inside.distance_m), (area(LEFT), 0.0));
    let edge = areas
        .nearest(AreaLevel::Grid, at(500, 1000), 0, 50)
        .unwrap();
    assert_eq!(
        edge.id,
        area(LEFT).min(area(RIGHT)),
        "equal distance: the lowest id"
    );
}

#[test]
fn a_new_code_and_boundary_leave_the_id_and_the_past_alone() {
    let mut areas = small_district();
    let mut renamed = grid("330105013099007");
    renamed.id = area(LEFT);
    renamed.version.valid_from_ms = 1_000;
    renamed.version.boundary = Some(square(5_000, 5_000, 1_000));
    areas.apply(renamed).unwrap();
    let old_code: AreaCode = LEFT.parse().unwrap();
    let new_code: AreaCode = "330105013099007".parse().unwrap();
    assert_eq!(
        areas.by_code(old_code).unwrap().id(),
        area(LEFT),
        "an old code still finds it"
    );
    assert_eq!(areas.by_code(new_code).unwrap().id(), area(LEFT));
    assert_eq!(
        areas.grid_at(at(500, 500), 999),
        Some(area(LEFT)),
        "where it was then"
    );
    assert_eq!(areas.grid_at(at(500, 500), 1_000), None);
    assert_eq!(areas.grid_at(at(5_500, 5_500), 1_000), Some(area(LEFT)));
    let ends: Vec<_> = areas.get(area(LEFT)).unwrap().versions().to_vec();
    assert_eq!(
        (ends[0].valid_to_ms, ends[1].valid_to_ms),
        (Some(1_000), None)
    );
}

#[test]
fn a_freed_code_belongs_to_the_newest_holder() {
    let mut areas = small_district();
    let mut ended = grid(LEFT);
    ended.version.valid_to_ms = Some(1_000);
    areas.apply(ended).unwrap();
    let mut heir = grid(LEFT);
    heir.id = AreaId([5; 16]);
    heir.version.valid_from_ms = 999;
    assert_eq!(areas.apply(heir.clone()), Err(AreaError::DuplicateCode));
    heir.version.valid_from_ms = 1_000;
    areas.apply(heir).unwrap();
    let code: AreaCode = LEFT.parse().unwrap();
    assert_eq!(areas.by_code(code).unwrap().id(), AreaId([5; 16]));
}

#[test]
fn a_dissolved_area_leads_to_its_successors_even_in_a_circle() {
    let mut areas = small_district();
    let dissolve = |areas: &mut Areas, code: &str, heirs: &[AreaId]| {
        let mut ended = grid(code);
        ended.version.valid_to_ms = Some(1_000);
        ended.successors = heirs.to_vec();
        areas.apply(ended).unwrap();
    };
    dissolve(&mut areas, LEFT, &[area(RIGHT)]);
    assert_eq!(
        areas.in_force(area(LEFT), 999),
        BTreeSet::from([area(LEFT)])
    );
    assert_eq!(
        areas.in_force(area(LEFT), 1_000),
        BTreeSet::from([area(RIGHT)])
    );
    dissolve(&mut areas, RIGHT, &[area(LEFT)]);
    assert!(
        areas.in_force(area(LEFT), 1_000).is_empty(),
        "a circle ends"
    );
}

#[test]
fn what_contradicts_is_refused_and_changes_nothing() {
    let mut areas = small_district();
    let before = areas.clone();
    let mut refused = |entry: AreaEntry| {
        let error = areas.apply(entry).unwrap_err();
        assert_eq!(areas, before, "{error}");
        error
    };
    let town = "330105013000";
    let orphan = entry(
        AreaLevel::Grid,
        "330105013051009",
        Some("330105999999"),
        None,
    );
    assert_eq!(refused(orphan), AreaError::UnknownParent);
    let skipping = entry(AreaLevel::Grid, "330105013051009", Some(town), None);
    assert_eq!(refused(skipping), AreaError::WrongParentLevel);
    let rootless = entry(AreaLevel::Town, "330105014000", None, None);
    assert_eq!(refused(rootless), AreaError::WrongParentLevel);
    let crowned = entry(AreaLevel::District, "330106000000", Some(town), None);
    assert_eq!(refused(crowned), AreaError::WrongParentLevel);
    let long = entry(AreaLevel::Village, "330105013051009", Some(town), None);
    assert_eq!(refused(long), AreaError::CodeOfOtherLevel);
    let mut promoted = entry(AreaLevel::Village, "330105013052", Some(town), None);
    promoted.id = area(LEFT);
    assert_eq!(refused(promoted), AreaError::LevelChanged);
    let mut backwards = grid("330105013051009");
    backwards.version.valid_to_ms = Some(0);
    assert_eq!(refused(backwards), AreaError::BadValidity);
    let mut copy = grid(LEFT);
    copy.id = AreaId([1; 16]);
    assert_eq!(refused(copy), AreaError::DuplicateCode);
}

#[test]
fn a_grid_that_moves_to_another_village_has_one_parent() {
    let mut areas = small_district();
    areas
        .apply(entry(
            AreaLevel::Village,
            "330105013052",
            Some("330105013000"),
            None,
        ))
        .unwrap();
    let mut moved = grid(LEFT);
    moved.parent = Some(area("330105013052"));
    areas.apply(moved).unwrap();
    assert_eq!(areas.children(area(VILLAGE)).count(), 1);
    assert_eq!(areas.children(area("330105013052")).count(), 1);
}

#[test]
fn entries_rebuild_the_index() {
    let mut areas = small_district();
    let mut renamed = grid("330105013099007");
    renamed.id = area(LEFT);
    renamed.version.valid_from_ms = 1_000;
    areas.apply(renamed).unwrap();
    let mut rebuilt = Areas::new();
    for entry in areas.entries() {
        let bytes = minicbor::to_vec(&entry).unwrap();
        rebuilt.apply(minicbor::decode(&bytes).unwrap()).unwrap();
    }
    assert_eq!(rebuilt, areas);
}

#[test]
fn codes_are_twelve_or_fifteen_digits() {
    let good = ["330105000000", "330105013051001"];
    assert!(
        good.iter()
            .all(|code| code.parse::<AreaCode>().unwrap().to_string() == *code)
    );
    let bad = [
        "",
        "330105",
        "3301050130510",
        "030105000000",
        "33010500000a",
        "+30105000000",
    ];
    for code in bad
        .into_iter()
        .chain(["３３０１０５００００００", "99999999999999999999"])
    {
        assert_eq!(code.parse::<AreaCode>(), Err(AreaError::BadCode), "{code}");
    }
    assert!(minicbor::decode::<AreaCode>(&minicbor::to_vec(12_u64).unwrap()).is_err());
}

#[test]
fn a_corrected_version_frees_the_wrong_code() {
    let mut areas = small_district();
    let before = areas.clone();
    let mut mistaken = grid("330105013051077");
    mistaken.id = area(LEFT);
    mistaken.version.boundary = Some(square(0, 0, 1000));
    areas.apply(mistaken).unwrap();
    assert!(areas.by_code(LEFT.parse().unwrap()).is_none());
    let mut corrected = grid(LEFT);
    corrected.version.boundary = Some(square(0, 0, 1000));
    areas.apply(corrected).unwrap();
    assert!(areas.by_code("330105013051077".parse().unwrap()).is_none());
    assert_eq!(
        areas.entries().collect::<Vec<_>>(),
        before.entries().collect::<Vec<_>>()
    );
}
