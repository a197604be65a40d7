//! Areas with a new code, areas under a code that is used again, and dissolved areas.

use super::*;

const HEAD_OF_CHANGES: &str = "code,level,parent,name,previous_code,successors\n";

/// Reads a table against known areas.
fn parse_at(text: &str, known: &Areas, valid_from_ms: i64) -> Import<AreaEntry> {
    let files = AreaFiles {
        table: text.as_bytes().to_vec(),
        ..AreaFiles::default()
    };
    let options = AreaOptions {
        valid_from_ms,
        ..OPTIONS
    };
    parse_areas(&files, known, options, &mut |_, _| {})
}

fn refusals(import: &Import<AreaEntry>) -> Vec<(u64, &str, &'static str)> {
    let bad = import.bad.iter();
    bad.map(|bad| {
        let column = bad.column.as_deref().unwrap_or_default();
        (bad.line().unwrap_or(0), column, bad.code)
    })
    .collect()
}

/// Imports a table of changes over the tree of `ROWS`, at 2,000 ms.
fn changed(rows: &str) -> (Areas, Import<AreaEntry>) {
    let areas = applied(&parse(&table(ROWS), &Areas::new()).good);
    let text = format!("{HEAD_OF_CHANGES}{rows}");
    let files = AreaFiles {
        table: text.into_bytes(),
        ..AreaFiles::default()
    };
    let options = AreaOptions {
        valid_from_ms: 2_000,
        ..OPTIONS
    };
    let import = parse_areas(&files, &areas, options, &mut |_, _| {});
    let mut after = areas;
    for entry in &import.good {
        after.apply(entry.clone()).unwrap();
    }
    let again = parse_areas(&files, &after, options, &mut |_, _| {});
    assert_eq!(
        again.good,
        [],
        "a second import of the same table says nothing new"
    );
    (after, import)
}

#[test]
fn a_renumbered_area_keeps_its_id() {
    let row = "330105013088,village,330105013000,中北社区,330105013001,\n";
    let (areas, import) = changed(row);
    assert_eq!(import.bad, []);
    let village = AreaId::of_first_code("330105013001");
    let found = areas.by_code("330105013088".parse().unwrap()).unwrap();
    assert_eq!((found.id(), found.versions().len()), (village, 2));
}

#[test]
fn a_code_that_is_used_again_is_another_area() {
    let rows = "330105013088,village,330105013000,中北社区,330105013001,\n\
                330105013001,village,330105013000,新社区,,\n";
    let (areas, import) = changed(rows);
    assert_eq!(import.bad, []);
    let old = areas.by_code("330105013088".parse().unwrap()).unwrap();
    let new = areas.by_code("330105013001".parse().unwrap()).unwrap();
    assert_ne!(old.id(), new.id());
    assert_eq!(new.newest().names.zh(), "新社区");
    assert_eq!(areas.of_level(AreaLevel::Village).count(), 2);
}

#[test]
fn a_dissolved_area_ends_and_leads_to_the_one_that_took_over() {
    let rows = "330105013001,village,330105013000,中北社区,,330105013002\n\
                330105013002,village,330105013000,仙林社区,,\n";
    let (areas, import) = changed(rows);
    assert_eq!(import.bad, []);
    let (old, new) = ["330105013001", "330105013002"]
        .map(AreaId::of_first_code)
        .into();
    assert_eq!(areas.in_force(old, 1_999), BTreeSet::from([old]));
    assert_eq!(areas.in_force(old, 2_000), BTreeSet::from([new]));
}

#[test]
fn changes_that_name_nobody_are_refused() {
    let rows = "330105013088,village,330105013000,甲,330105013077,\n\
                330105013001,village,330105013000,中北社区,,330105013001\n\
                330105013066,village,330105013000,乙,,330105013001\n";
    let (_, import) = changed(rows);
    let found: Vec<_> = import
        .bad
        .iter()
        .map(|bad| {
            (
                bad.line().unwrap(),
                bad.column.as_deref().unwrap(),
                bad.code,
            )
        })
        .collect();
    let expected = [
        (2, "previous_code", "import.unknown_area"),
        (3, "successors", "import.unknown_area"),
        (4, "code", "import.unknown_area"),
    ];
    assert_eq!(found, expected);
}

/// In a circle of successors the open cases have no decider.
#[test]
fn successor_that_is_no_equal_in_force_is_refused() {
    let circle = "330105013003,village,330105013000,丙,,330105013001\n\
                  330105013001,village,330105013000,中北社区,,330105013003\n";
    let both = format!("{ROWS}330105013003,village,330105013000,丙\n");
    let known = applied(&parse(&table(&both), &Areas::new()).good);
    let import = parse_at(&format!("{HEAD_OF_CHANGES}{circle}"), &known, 2_000);
    let found = refusals(&import);
    assert_eq!(found, [(3, "successors", "import.bad_successor")]);
    assert_eq!(import.good.len(), 1, "the first of the two ends");
    // The same in two tables.
    let mut after = known;
    after.apply(import.good[0].clone()).unwrap();
    let second = "330105013001,village,330105013000,中北社区,,330105013003\n";
    let import = parse_at(&format!("{HEAD_OF_CHANGES}{second}"), &after, 3_000);
    assert_eq!(
        refusals(&import),
        [(2, "successors", "import.bad_successor")]
    );
    // A town or a district is no village.
    let above = "330105013001,village,330105013000,中北社区,,330105000000\n";
    let import = parse_at(&format!("{HEAD_OF_CHANGES}{above}"), &after, 3_000);
    assert_eq!(
        refusals(&import),
        [(2, "successors", "import.bad_successor")]
    );
}

/// A table alone renames areas. Without their boundaries no phone could report there.
#[test]
fn table_without_boundary_files_keeps_the_boundaries() {
    let ring = "[[0,0],[9,0],[9,9],[0,9],[0,0]]";
    let mut files = with_grids(&feature("330105013001001", ring));
    let known = applied(&parse(&files, &Areas::new()).good);
    let id = AreaId::of_first_code("330105013001001");
    let boundary = known.get(id).unwrap().newest().boundary.clone();
    assert!(boundary.is_some());
    files.boundaries.clear();
    let same = parse(&files, &known);
    assert_eq!((same.good.len(), same.unchanged), (0, 4));
    for row in [
        "330105013001001,grid,330105013001,中北新网格,,\n",
        "330105013001009,grid,330105013001,中北第1网格,330105013001001,\n",
    ] {
        let import = parse_at(&format!("{HEAD_OF_CHANGES}{row}"), &known, 2_000);
        assert_eq!(import.good[0].id, id);
        assert_eq!(import.good[0].version.boundary, boundary, "{row}");
    }
}
