#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "areas_boundaries_tests.rs"]
mod boundaries;
#[path = "areas_changed_tests.rs"]
mod changed;

use std::collections::BTreeSet;

use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::polygon::{Boundary, GeoPoint, Location};

use super::*;

const OPTIONS: AreaOptions = AreaOptions {
    valid_from_ms: 1_000,
    datum: Datum::Wgs84,
};
const HEAD: &str = "code,level,parent,name\n";
const ROWS: &str = "330105000000,district,,拱墅区\n330105013000,town,330105000000,武林街道\n\
                    330105013001,village,330105013000,中北社区\n";

fn gongshu() -> AreaFiles {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seed/gongshu");
    AreaFiles::read_folder(&folder).unwrap()
}

fn parse(files: &AreaFiles, known: &Areas) -> Import<AreaEntry> {
    parse_areas(files, known, OPTIONS, &mut |_, _| {})
}

fn applied(entries: &[AreaEntry]) -> Areas {
    let mut areas = Areas::new();
    for entry in entries {
        areas.apply(entry.clone()).unwrap();
    }
    areas
}

fn table(rows: &str) -> AreaFiles {
    AreaFiles {
        table: format!("{HEAD}{rows}").into_bytes(),
        ..AreaFiles::default()
    }
}

/// The tree of `ROWS` with one grid and the given features.
fn with_grids(features: &str) -> AreaFiles {
    let mut files = table(&format!(
        "{ROWS}330105013001001,grid,330105013001,中北第1网格\n"
    ));
    let text = format!(r#"{{"type":"FeatureCollection","features":[{features}]}}"#);
    files.boundaries.insert(AreaLevel::Grid, text.into_bytes());
    files
}

fn feature(code: &str, ring: &str) -> String {
    format!(
        r#"{{"type":"Feature","properties":{{"code":"{code}"}},
           "geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}"#
    )
}

fn codes(import: &Import<AreaEntry>) -> Vec<(&str, Place, &'static str)> {
    import
        .bad
        .iter()
        .map(|bad| (bad.file.as_str(), bad.place, bad.code))
        .collect()
}

/// Finds a point inside the boundary: the middle of a corner triangle that lies inside.
fn interior_point(boundary: &Boundary) -> GeoPoint {
    let corners = boundary.polygons()[0].outer.corners();
    let third = |a: i32, b: i32, c: i32| {
        i32::try_from((i64::from(a) + i64::from(b) + i64::from(c)) / 3).unwrap()
    };
    let inside = (0..corners.len()).find_map(|at| {
        let [a, b, c] = [0, 1, 2].map(|step| corners[(at + step) % corners.len()]);
        let point = GeoPoint::new(
            third(a.lat_e7(), b.lat_e7(), c.lat_e7()),
            third(a.lon_e7(), b.lon_e7(), c.lon_e7()),
        );
        point
            .ok()
            .filter(|point| boundary.locate(*point) == Location::Inside)
    });
    inside.unwrap()
}

#[test]
fn all_of_gongshu_is_read_and_every_grid_finds_itself_and_its_path() {
    let import = parse(&gongshu(), &Areas::new());
    assert_eq!(import.bad, []);
    let areas = applied(&import.good);
    let count = |level| areas.of_level(level).count();
    let counts = AreaLevel::ALL.map(count);
    assert_eq!(counts, [1, 18, 178, 610]);
    for grid in areas.of_level(AreaLevel::Grid) {
        let point = interior_point(grid.newest().boundary.as_ref().unwrap());
        let found = areas.grid_at(point, 1_000);
        assert_eq!(found, Some(grid.id()), "{}", grid.newest().code);
        let path = areas.path(grid.id()).unwrap();
        let code = grid.newest().code.to_string();
        let code_of =
            |id: Option<AreaId>| areas.get(id.unwrap()).unwrap().newest().code.to_string();
        assert_eq!(code_of(path.village()), code[..12]);
        assert_eq!(code_of(path.town()), format!("{}000", &code[..9]));
        assert_eq!(code_of(Some(path.district())), "330105000000");
        for (level, id) in [
            (AreaLevel::Village, path.village()),
            (AreaLevel::Town, path.town()),
        ] {
            assert_eq!(
                areas.area_at(level, point, 1_000),
                id,
                "{code} lies in its {level}"
            );
        }
        assert_eq!(
            areas.grid_at(point, 999),
            None,
            "before the import's versions"
        );
    }
}

#[test]
fn wulin_street_is_where_the_demo_looks_for_it() {
    let areas = applied(&parse(&gongshu(), &Areas::new()).good);
    let wulin = areas.by_code("330105013000".parse().unwrap()).unwrap();
    assert_eq!(wulin.newest().names.zh(), "武林街道");
    assert_eq!(wulin.id(), AreaId::of_first_code("330105013000"));
}

#[test]
fn common_corners_of_grids_belong_to_one_grid_on_every_replica() {
    let areas = applied(&parse(&gongshu(), &Areas::new()).good);
    let corners: BTreeSet<GeoPoint> = areas
        .of_level(AreaLevel::Grid)
        .flat_map(|grid| {
            grid.newest().boundary.as_ref().unwrap().polygons()[0]
                .outer
                .corners()
        })
        .copied()
        .collect();
    let mut shared = 0;
    for corner in corners {
        let holders: Vec<AreaId> = areas
            .of_level(AreaLevel::Grid)
            .filter(|grid| grid.newest().boundary.as_ref().unwrap().contains(corner))
            .map(Area::id)
            .collect();
        assert_eq!(areas.grid_at(corner, 1_000), holders.iter().min().copied());
        shared += usize::from(holders.len() > 1);
    }
    assert!(
        shared > 1_000,
        "only {shared} corners are shared: the data changed"
    );
}

#[test]
fn the_directory_of_gongshu_stays_small() {
    let import = parse(&gongshu(), &Areas::new());
    let entries = import.good.into_iter().map(DirectoryEntry::Area);
    let bytes: usize = entries
        .map(|entry| minicbor::to_vec(entry).unwrap().len())
        .sum();
    assert!(bytes < 150_000, "{bytes} bytes");
}

#[test]
fn a_second_import_changes_nothing_and_a_new_name_is_one_new_version() {
    let areas = applied(&parse(&gongshu(), &Areas::new()).good);
    let again = parse(&gongshu(), &areas);
    assert_eq!(
        (again.good.len(), again.bad.len(), again.unchanged),
        (0, 0, 807)
    );
    let mut files = gongshu();
    let text = String::from_utf8(files.table)
        .unwrap()
        .replace("武林街道", "武林新街道");
    files.table = text.into_bytes();
    let options = AreaOptions {
        valid_from_ms: 2_000,
        ..OPTIONS
    };
    let changed = parse_areas(&files, &areas, options, &mut |_, _| {});
    assert_eq!((changed.good.len(), changed.unchanged), (1, 806));
    assert_eq!(changed.good[0].id, AreaId::of_first_code("330105013000"));
}

#[test]
fn chinese_headers_levels_and_any_order_of_rows() {
    let text = "名称,上级代码,级别,区划代码\n武林街道,330105000000,镇街,330105013000\n\
                拱墅区,,区县,330105000000\n";
    let files = AreaFiles {
        table: text.as_bytes().to_vec(),
        ..AreaFiles::default()
    };
    let import = parse(&files, &Areas::new());
    assert_eq!(import.bad, []);
    assert_eq!(
        import.good[0].level,
        AreaLevel::District,
        "parents come first"
    );
    assert_eq!(import.good.len(), 2);
}

#[test]
fn every_bad_row_of_the_table_is_named_and_the_rest_is_taken() {
    let rows = "33010501300x,town,330105000000,甲\n\
                330105014000,street,330105000000,乙\n\
                330105015000,town,330105099999,丙\n\
                330105016000,town,330105000000,\n\
                330105013000,town,330105000000,重复\n\
                330105013001001,village,330105013000,丁\n\
                330105013001002,grid,330105013000,戊\n\
                330105015001,village,330105015000,上级被拒\n";
    let import = parse(&table(&format!("{ROWS}{rows}")), &Areas::new());
    let found: Vec<_> = import
        .bad
        .iter()
        .map(|bad| (bad.line().unwrap(), bad.code))
        .collect();
    let expected = [
        (5, "area.bad_code"),
        (6, "area.bad_level"),
        (7, "area.unknown_parent"),
        (8, "name.empty"),
        (9, "import.duplicate"),
        (10, "area.code_of_other_level"),
        (11, "area.wrong_parent_level"),
        (12, "area.unknown_parent"),
    ];
    assert_eq!(found, expected);
    assert_eq!(import.good.len(), 3);
    applied(&import.good);
    assert!(import.strict().is_err(), "strict takes nothing");
}

#[test]
fn an_invalid_polygon_is_named_by_feature_and_refuses_its_area() {
    let good = "[[0,0],[9,0],[9,9],[0,9],[0,0]]";
    assert_eq!(
        parse(
            &with_grids(&feature("330105013001001", good)),
            &Areas::new()
        )
        .bad,
        []
    );
    let broken = [
        (
            "[[0,0],[9,9],[9,0],[0,9],[0,0]]",
            "polygon.self_intersection",
        ),
        ("[[0,0],[9,0],[9,9],[0,9]]", "polygon.unclosed_ring"),
        ("[[0,0],[9,0],[0,0]]", "polygon.too_few_points"),
        ("[[0,0],[9,0],[9,95],[0,0]]", "polygon.out_of_range"),
        (
            "[[0,0],[9,0],[9,9],[0,0]],[[50,50],[51,50],[51,51],[50,50]]",
            "polygon.hole_outside",
        ),
    ];
    for (ring, code) in broken {
        let import = parse(
            &with_grids(&feature("330105013001001", ring)),
            &Areas::new(),
        );
        let expected = [
            ("areas.csv", Place::Line(5), "import.boundary_refused"),
            ("grids.geojson", Place::Feature(1), code),
        ];
        assert_eq!(codes(&import), expected);
        assert_eq!(import.good.len(), 3, "the areas above are good");
    }
}

#[test]
fn features_and_rows_must_match() {
    let ring = "[[0,0],[9,0],[9,9],[0,0]]";
    let all = [
        feature("330105013001001", ring),
        feature("330105013001001", ring),
        feature("330105013001009", ring),
        feature("grid one", ring),
    ];
    let import = parse(&with_grids(&all.join(",")), &Areas::new());
    let expected = [
        ("grids.geojson", Place::Feature(2), "import.duplicate"),
        (
            "grids.geojson",
            Place::Feature(3),
            "import.feature_without_row",
        ),
        (
            "grids.geojson",
            Place::Feature(4),
            "import.feature_without_code",
        ),
    ];
    assert_eq!(codes(&import), expected);
    let none = parse(&with_grids(""), &Areas::new());
    assert_eq!(
        codes(&none),
        [("areas.csv", Place::Line(5), "import.boundary_missing")]
    );
}

#[test]
fn files_that_are_no_geojson_are_named() {
    let mut files = with_grids("");
    for (bytes, code) in [
        (b"{".to_vec(), "import.unreadable_json"),
        (b"[1]".to_vec(), "import.unreadable_json"),
        (b"{}".to_vec(), "import.no_features"),
        (b"\xff\xfe\x00".to_vec(), "import.unreadable_encoding"),
        ("[".repeat(100_000).into_bytes(), "import.unreadable_json"),
    ] {
        files.boundaries.insert(AreaLevel::Grid, bytes);
        let import = parse(&files, &Areas::new());
        assert!(
            codes(&import).contains(&("grids.geojson", Place::File, code)),
            "{code}"
        );
        assert_eq!(import.good.len(), 3);
    }
}

#[test]
fn a_folder_without_table_is_one_coded_error() {
    let folder = tempfile::tempdir().unwrap();
    let bad = AreaFiles::read_folder(folder.path()).unwrap_err();
    assert_eq!(
        (bad.file.as_str(), bad.code),
        ("areas.csv", "import.unreadable_file")
    );
}

#[test]
fn progress_runs_to_the_end() {
    let mut seen = Vec::new();
    parse_areas(&gongshu(), &Areas::new(), OPTIONS, &mut |done, all| {
        seen.push((done, all));
    });
    assert_eq!(seen.last(), Some(&(807, 807)));
    assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    assert!((50..200).contains(&seen.len()), "{} calls", seen.len());
}
